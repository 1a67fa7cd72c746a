/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Results in KTAP.  The first failing test ends the run; an assertion, a sanitizer or
 * an endless loop makes a test fail, too.
 */
#ifndef _REFRAMER_UNIT_KTAP_H
#define _REFRAMER_UNIT_KTAP_H

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	int number;
	const char *name;
	void (*context)(void);	/* prints the current step of the test */
} ktap;

static void __attribute__((noreturn)) not_ok(void)
{
	if (ktap.context)
		ktap.context();
#ifdef LIBFUZZER		/* it keeps the input on abort() */
	fflush(stdout);
	abort();
#endif
	printf("not ok %d %s\nBail out!\n", ktap.number, ktap.name);
	fflush(stdout);
	_exit(1);
}

static void __attribute__((noreturn, format(printf, 3, 4)))
fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	printf("# %s:%d: ", file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	not_ok();
}

#define check(condition, ...)						\
	do {								\
		if (!(condition))					\
			fail(__FILE__, __LINE__, __VA_ARGS__);		\
	} while (0)

/* @at: which of many, for the message */
#define same_at(got, want, at)						\
	do {								\
		u64 _got = (got), _want = (want);			\
		if (_got != _want)					\
			fail(__FILE__, __LINE__,			\
			     "%s is %llu, not %llu (%d)",		\
			     #got, _got, _want, (int)(at));		\
	} while (0)

#define same(got, want)		same_at(got, want, 0)

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
	return "abort_on_error=1";
}

const char *__ubsan_default_options(void)
{
	return "abort_on_error=1:print_stacktrace=1";
}

#ifndef LIBFUZZER

/* An assertion or a sanitizer, or the alarm */
static void on_signal(int sig)
{
	printf("# %s\n", strsignal(sig));
	not_ok();
}

static void ktap_plan(int tests)
{
	signal(SIGALRM, on_signal);
	signal(SIGABRT, on_signal);
	printf("TAP version 13\n1..%d\n", tests);
}

static void ktap_begin(const char *name, unsigned int seconds)
{
	ktap.number++;
	ktap.name = name;
	alarm(seconds);
}

static void ktap_ok(void)
{
	printf("ok %d %s\n", ktap.number, ktap.name);
	fflush(stdout);
}

#endif

/* Random numbers that depend only on the seed */
static u64 random_seed;

static inline u64 random64(void)
{
	u64 z = random_seed += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* 0 to n - 1 */
static inline u64 below(u64 n)
{
	return random64() % n;
}

#endif
