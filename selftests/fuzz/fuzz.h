/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shared by the fuzzers of the kernel: random numbers that depend only on the seed, and
 * the options that set it.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

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

static uint64_t to_number(const char *text)
{
	char *end_at;
	uint64_t value = strtoull(text, &end_at, 0);

	if (!*text || *end_at) {
		fprintf(stderr, "%s: not a number: %s\n",
			program_invocation_short_name, text);
		exit(2);
	}
	return value;
}

#endif
