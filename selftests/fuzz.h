/* SPDX-License-Identifier: GPL-2.0 */
/* Random numbers of the fuzzers, the same ones in every run with one seed */
#ifndef PRNG_H
#define PRNG_H

#include <stdint.h>

static uint64_t prng_state;

/* SplitMix64, by G. Steele, D. Lea and C. Flood */
static uint64_t prng(void)
{
	uint64_t z = prng_state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* 0 to n - 1 */
static uint64_t below(uint64_t n)
{
	return prng() % n;
}

/* with a probability of so many percent */
static int chance(unsigned int percent)
{
	return below(100) < percent;
}

#define PICK(...)							\
	((const uint32_t[]){ __VA_ARGS__ }				\
	 [below(sizeof((uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))])

#endif
