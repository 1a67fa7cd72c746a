/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fuzzer's target, fuzz_one(), is compiled twice.  With clang's libFuzzer and
 * -DLIBFUZZER (`make fuzz`), libFuzzer calls it with inputs that reach new code.
 * Without, it is a test that calls it with the inputs that were found that way and
 * kept, the files of the directory corpus/NAME; with FUZZ_PREFIXES, also with all
 * prefixes of these.
 *
 * fuzz_saw() lets libFuzzer look for more than new branches of the code.
 */
#ifndef _REFRAMER_UNIT_FUZZ_H
#define _REFRAMER_UNIT_FUZZ_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "ktap.h"

#define FUZZ_FILE_MAX	65536
#define FUZZ_SIGHTS	128

#ifndef CORPORA
#define CORPORA		"corpus/"
#endif

static void fuzz_one(const u8 *data, size_t len);

/* After all of the corpus: has it reached everything that it must? */
static void fuzz_end(void);

/* ----------------------------------------------- an input, byte by byte */

static struct {
	const u8 *at;
	size_t len;
} input;

static inline bool input_ended(void)
{
	return !input.len;
}

/* Zeroes follow the last byte. */
static inline u32 input_byte(void)
{
	if (!input.len)
		return 0;
	input.len--;
	return *input.at++;
}

static inline u32 input_word(void)
{
	u32 high = input_byte();

	return high << 8 | input_byte();
}

/*
 * Of any magnitude; often a small number, a power of two or a neighbour of one, the
 * smallest or the largest.
 */
static inline u32 input_value(u32 min, u32 max)
{
	u32 mantissa = input_byte(), scale = input_byte();
	long long value = (long long)mantissa << scale % 32;

	if (scale & 0x20)
		value--;
	if (scale & 0x40)
		value++;
	if (scale & 0x80)
		value = max - value;
	return value < min ? min : value > max ? max : value;
}

#ifdef LIBFUZZER

/* libFuzzer takes these counters for those of branches. */
static u8 fuzz_sights[FUZZ_SIGHTS]
	__attribute__((used, section("__libfuzzer_extra_counters")));

static inline void fuzz_saw(int what, u64 times)
{
	fuzz_sights[what] = times < U8_MAX ? times : U8_MAX;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	(void)fuzz_end;
	fuzz_one(data, len);
	return 0;
}

#else

static inline void fuzz_saw(int what, u64 times)
{
	(void)what;
	(void)times;
}

static const char *fuzz_file;

static void fuzz_context(void)
{
	if (fuzz_file)
		printf("# with the input %s\n", fuzz_file);
}

static void fuzz_replay(const char *path)
{
	static u8 data[FUZZ_FILE_MAX];
	FILE *file = fopen(path, "r");
	size_t len;

	fuzz_file = path;
	check(file, "cannot be read");
	len = fread(data, 1, sizeof(data), file);
	check(!ferror(file) && feof(file), "cannot be read, or too long");
	fclose(file);
	do
		fuzz_one(data, len);
	while (FUZZ_PREFIXES && len--);
}

int main(int argc, char **argv)
{
	const char *corpus = CORPORA CORPUS;
	struct dirent **files;
	char path[4096];
	int n, i;

	if (argc > 1 && argv[1][0] == '-') {
		fprintf(stderr, "Usage: %s [FILE...]\n"
			"Feed the files to a fuzzer's target, or all of %s.\n",
			argv[0], corpus);
		return strcmp(argv[1], "--help") ? 2 : 0;
	}

	ktap.context = fuzz_context;
	ktap_plan(1);
	ktap_begin("corpus of the fuzzer: " CORPUS, 300);
	for (i = 1; i < argc; i++)
		fuzz_replay(argv[i]);
	if (argc == 1) {
		n = scandir(corpus, &files, NULL, alphasort);
		check(n > 2, "%s has no inputs", corpus);
		for (i = 0; i < n; i++) {
			snprintf(path, sizeof(path), "%s/%s", corpus,
				 files[i]->d_name);
			if (files[i]->d_name[0] != '.')
				fuzz_replay(path);
			free(files[i]);
		}
		free(files);
		printf("# %d inputs\n", n - 2);
		fuzz_file = NULL;
		fuzz_end();
	}
	ktap_ok();
	return 0;
}

#endif
#endif
