// SPDX-License-Identifier: GPL-2.0
/*
 * The tc plugin with modules of other versions: attributes that an older one does not
 * send are not printed, those that only a newer one sends are skipped, and invalid
 * ones do no harm.
 *
 * The print functions of tc are replaced by simple ones: JSON is a key, a colon and
 * the value with a comma, objects and arrays are in brackets.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <linux/gen_stats.h>

typedef unsigned long long u64;
#include "ktap.h"
#include "q_reframer.c"

/* ------------------------------------------------ what tc offers to plugins */

static FILE *out;
static bool json;

bool is_json_context(void)
{
	return json;
}

static void json_key(const char *key)
{
	if (key)
		fprintf(out, "%s:", key);
}

void open_json_object(const char *key)
{
	json_key(key);
	fputs("{", out);
}

void close_json_object(void)
{
	fputs("}", out);
}

void open_json_array(int type, const char *key)
{
	(void)type;
	json_key(key);
	fputs("[", out);
}

void close_json_array(int type, const char *text)
{
	(void)type;
	(void)text;
	fputs("]", out);
}

int print_color_u64(int type, int color, const char *key, const char *fmt,
		    uint64_t value)
{
	(void)type;
	(void)color;
	(void)fmt;
	json_key(key);
	return fprintf(out, "%llu,", (u64)value);
}

int print_color_bool(int type, int color, const char *key, const char *fmt,
		     bool value)
{
	return print_color_u64(type, color, key, fmt, value);
}

int print_color_string(int type, int color, const char *key, const char *fmt,
		       const char *value)
{
	(void)type;
	(void)color;
	(void)fmt;
	json_key(key);
	return fprintf(out, "\"%s\",", value);
}

int print_color_float(int type, int color, const char *key, const char *fmt,
		      double value)
{
	(void)type;
	(void)color;
	(void)fmt;
	json_key(key);
	return fprintf(out, "%.2f,", value);
}

void print_nl(void)
{
	fputs("\n", out);
}

char *sprint_time64(__s64 time, char *buf)
{
	snprintf(buf, SPRINT_BSIZE, "%lldns", (long long)time);
	return buf;
}

int parse_rtattr_flags(struct rtattr *tb[], int max, struct rtattr *rta,
		       int len, unsigned short flags)
{
	memset(tb, 0, sizeof(*tb) * (max + 1));
	for (; RTA_OK(rta, len); rta = RTA_NEXT(rta, len)) {
		int type = rta->rta_type & ~flags;

		if (type <= max && !tb[type])
			tb[type] = rta;
	}
	return 0;
}

/* For the command line, which options.sh tests with the real tc */
int get_u32(__u32 *val, const char *arg, int base)
{
	(void)val;
	(void)arg;
	(void)base;
	abort();
}

int get_time64(__s64 *time, const char *arg)
{
	(void)time;
	(void)arg;
	abort();
}

int get_size(unsigned int *size, const char *arg)
{
	(void)size;
	(void)arg;
	abort();
}

void duparg(const char *key, const char *arg)
{
	(void)key;
	(void)arg;
	abort();
}

void incomplete_command(void)
{
	abort();
}

int addattr32(struct nlmsghdr *n, int maxlen, int type, __u32 data)
{
	(void)n;
	(void)maxlen;
	(void)type;
	(void)data;
	abort();
}

struct rtattr *addattr_nest(struct nlmsghdr *n, int maxlen, int type)
{
	(void)n;
	(void)maxlen;
	(void)type;
	abort();
}

int addattr_nest_end(struct nlmsghdr *n, struct rtattr *nest)
{
	(void)n;
	(void)nest;
	abort();
}

/* ------------------------------------------------------------- messages */

/* The message under construction; the plugin gets a copy of exactly its size. */
static char message[8192];
static size_t length;

static size_t begin(int type)
{
	struct rtattr rta = { .rta_type = type };
	size_t at = length;

	memcpy(message + length, &rta, sizeof(rta));
	length += sizeof(rta);
	return at;
}

static void end(size_t at)
{
	unsigned short len = length - at;

	memcpy(message + at, &len, sizeof(len));	/* rta_len is first */
	while (length % RTA_ALIGNTO)
		message[length++] = 0;
}

static void put(int type, const void *data, size_t len)
{
	size_t at = begin(type);

	memcpy(message + length, data, len);
	length += len;
	end(at);
}

static void put_u32(int type, __u32 value)
{
	put(type, &value, sizeof(value));
}

static void put_u64(int type, __u64 value)
{
	put(type, &value, sizeof(value));
}

/* The plugin's output for the message, valid until the next call of the same kind */
static const char *printed(bool as_json, int (*print)(struct qdisc_util *qu,
						      FILE *f,
						      struct rtattr *opt))
{
	static char *text[2];
	struct rtattr *copy = malloc(length);
	size_t size;

	memcpy(copy, message, length);
	free(text[as_json]);
	out = open_memstream(&text[as_json], &size);
	json = as_json;
	check(!print(&reframer_qdisc_util, out, copy), "it is refused");
	fclose(out);
	free(copy);
	return text[as_json];
}

static void prints(int (*print)(struct qdisc_util *qu, FILE *f,
				struct rtattr *opt),
		   const char *text, const char *as_json)
{
	const char *got = printed(false, print);

	check(!strcmp(got, text), "text: %s\nnot: %s", got, text);
	got = printed(true, print);
	check(!strcmp(got, as_json), "JSON: %s\nnot: %s", got, as_json);
}

/* ---------------------------------------------------------------- options */

static void print_options(const char *text, const char *as_json)
{
	prints(reframer_print_opt, text, as_json);
}

static void test_options(void)
{
	size_t nest;

	length = 0;
	nest = begin(TCA_OPTIONS);
	end(nest);
	print_options("", "");

	length = 0;
	nest = begin(TCA_OPTIONS);
	put_u32(TCA_REFRAMER_SLACK, REFRAMER_SLACK_AUTO);
	put_u32(TCA_REFRAMER_KEY, 77);
	put_u64(TCA_REFRAMER_LIMIT, 1ULL << 32);
	put_u32(TCA_REFRAMER_MAX + 1, 5);
	put_u32(TCA_REFRAMER_PUSH, 0);
	put(TCA_REFRAMER_BURST, "odd", 3);
	end(nest);
	print_options("slack auto limit 4294967296 key 77 nopush ",
		      "slack:\"auto\",limit:4294967296,key:\"77\",push:0,");

	length = 0;
	nest = begin(TCA_OPTIONS | NLA_F_NESTED);
	put_u32(TCA_REFRAMER_SLACK, REFRAMER_SLACK_AUTO - 1);
	end(nest);
	print_options("slack 4294967294ns ", "slack:4294967294,");
}

/* ------------------------------------------------------------- statistics */

static const __u64 hist[] = { 1, 0, 2 };

/*
 * All statistics of a qdisc but @without, each with its number as value.  @more: also
 * attributes that only a newer module has
 */
static void qdisc_stats(int without, bool more)
{
	size_t app, nest;
	int i;

	length = 0;
	app = begin(TCA_STATS_APP);
	if (more) {
		nest = begin((TCA_REFRAMER_XSTATS_MAX + 1) | NLA_F_NESTED);
		put_u64(TCA_REFRAMER_STATS_PACKETS_IN, 1);
		end(nest);
		put(TCA_REFRAMER_XSTATS_MAX + 2, "odd", 3);
	}
	nest = begin(TCA_REFRAMER_XSTATS_QDISC | NLA_F_NESTED);
	if (more)
		put(TCA_REFRAMER_STATS_MAX + 100, "odd", 3);
	for (i = TCA_REFRAMER_STATS_PAD; i <= TCA_REFRAMER_STATS_MAX; i++) {
		if (i == without)
			continue;
		if (i == TCA_REFRAMER_STATS_PAD)
			put(i, "", 0);
		else if (i == TCA_REFRAMER_STATS_BURST_HIST ||
			 i == TCA_REFRAMER_STATS_HOLD_HIST)
			put(i, hist, sizeof(hist));
		else if (i % 2)
			put_u64(i, 1000 + i);
		else
			put_u32(i, 1000 + i);
	}
	if (more)
		put_u64(TCA_REFRAMER_STATS_MAX + 1, 3);
	end(nest);
	end(app);
}

/* Counters, each printed alone.  Others are printed with values derived from them. */
static const struct field alone[] = {
	{ "deadline", TCA_REFRAMER_STATS_RELEASE_DEADLINE },
	{ "full", TCA_REFRAMER_STATS_RELEASE_FULL },
	{ "pressure", TCA_REFRAMER_STATS_RELEASE_PRESSURE },
	{ "push", TCA_REFRAMER_STATS_RELEASE_PUSH },
	{ "control", TCA_REFRAMER_STATS_RELEASE_CONTROL },
	{ "adaptive", TCA_REFRAMER_STATS_RELEASE_ADAPTIVE },
	{ "expiries", TCA_REFRAMER_STATS_TIMER_EXPIRIES },
	{ "paid", TCA_REFRAMER_STATS_HOLDS_PAID },
	{ "wasted", TCA_REFRAMER_STATS_HOLDS_WASTED },
	{ "latency_ns", TCA_REFRAMER_STATS_TIMER_LATENCY },
	{ "slack_ns", TCA_REFRAMER_STATS_SLACK },
	{ "held", TCA_REFRAMER_STATS_FLOWS_HELD },
	{ "ready", TCA_REFRAMER_STATS_FLOWS_READY },
	{ "peak", TCA_REFRAMER_STATS_FLOWS_PEAK },
	{ "collisions", TCA_REFRAMER_STATS_COLLISIONS },
	{ "limit", TCA_REFRAMER_STATS_DROP_LIMIT },
	{ "memory", TCA_REFRAMER_STATS_DROP_MEMORY },
	{ "change", TCA_REFRAMER_STATS_DROP_CHANGE },
	{ "reset", TCA_REFRAMER_STATS_DROP_RESET },
	{ "filter", TCA_REFRAMER_STATS_DROP_FILTER },
	{ "stolen", TCA_REFRAMER_STATS_STOLEN },
};

/* @text without the first occurrence of @part, which must exist */
static char *cut(const char *text, const char *part)
{
	char *whole = strdup(text), *at = strstr(whole, part);

	check(at, "no %s in %s", part, text);
	memmove(at, at + strlen(part), strlen(at + strlen(part)) + 1);
	return whole;
}

static void test_older_module(void)
{
	char json_part[80], text_part[80], *want_json, *want_text, *all, *all_text;
	size_t i, n;

	qdisc_stats(-1, false);
	all = strdup(printed(true, reframer_print_xstats));
	all_text = strdup(printed(false, reframer_print_xstats));
	check(!strncmp(all, "reframer:{packets_in:1002,", 26), "JSON: %s", all);
	check(strstr(all_text, "  packets 1002 -> 1004 runs "), "text: %s",
	      all_text);
	for (i = 0; i < ARRAY_SIZE(alone); i++) {
		snprintf(json_part, sizeof(json_part), "%s:%d,", alone[i].name,
			 1000 + alone[i].attr);
		n = strlen(alone[i].name);
		/* times: JSON keys end in the unit, text does not */
		if (n > 3 && !strcmp(alone[i].name + n - 3, "_ns"))
			snprintf(text_part, sizeof(text_part), " %.*s %dns",
				 (int)n - 3, alone[i].name,
				 1000 + alone[i].attr);
		else
			snprintf(text_part, sizeof(text_part), " %s %d",
				 alone[i].name, 1000 + alone[i].attr);
		want_json = cut(all, json_part);
		want_text = cut(all_text, text_part);
		qdisc_stats(alone[i].attr, false);
		prints(reframer_print_xstats, want_text, want_json);
		free(want_json);
		free(want_text);
	}
	free(all);
	free(all_text);
	/* the source of derived values may be missing, too */
	for (i = TCA_REFRAMER_STATS_PAD; i <= TCA_REFRAMER_STATS_MAX; i++) {
		qdisc_stats(i, false);
		printed(true, reframer_print_xstats);
		printed(false, reframer_print_xstats);
	}
}

static void test_newer_module(void)
{
	char *all, *all_text;

	qdisc_stats(-1, false);
	all = strdup(printed(true, reframer_print_xstats));
	all_text = strdup(printed(false, reframer_print_xstats));
	qdisc_stats(-1, true);
	prints(reframer_print_xstats, all_text, all);
	free(all);
	free(all_text);
}

static void class_stats(int ready, bool age)
{
	size_t app, nest;

	length = 0;
	app = begin(TCA_STATS_APP);
	nest = begin(TCA_REFRAMER_XSTATS_CLASS | NLA_F_NESTED);
	if (ready >= 0)
		put_u32(TCA_REFRAMER_CLASS_STATS_READY, ready);
	if (age)
		put_u64(TCA_REFRAMER_CLASS_STATS_AGE, 77);
	put_u64(TCA_REFRAMER_CLASS_STATS_MAX + 1, 3);
	end(nest);
	end(app);
}

static void test_class(void)
{
	class_stats(0, true);
	prints(reframer_print_xstats, "  flow held age 77ns",
	       "reframer:{state:\"held\",age_ns:77,}");
	class_stats(1, false);
	prints(reframer_print_xstats, "  flow ready",
	       "reframer:{state:\"ready\",}");
	class_stats(-1, true);
	prints(reframer_print_xstats, "", "reframer:{}");
}

/* Attributes of any length and order, for the sanitizers */
static void test_nonsense(void)
{
	char data[80];
	size_t app, nest, i;
	int n;

	for (n = 0; n < 200000; n++) {
		length = 0;
		app = begin(TCA_STATS_APP);
		while (below(4)) {
			nest = begin(below(TCA_REFRAMER_XSTATS_MAX + 2) |
				     (below(2) ? NLA_F_NESTED : 0));
			while (length < sizeof(message) / 2 && below(8)) {
				for (i = 0; i < sizeof(data); i++)
					data[i] = below(4) ? 0 : below(256);
				put(below(TCA_REFRAMER_STATS_MAX + 2), data,
				    below(8) ? below(3) * 4 + 8 :
					       below(sizeof(data)));
			}
			end(nest);
		}
		end(app);
		printed(below(2), reframer_print_xstats);
		printed(below(2), reframer_print_opt);
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "options of other modules", test_options },
	{ "statistics of an older module", test_older_module },
	{ "statistics of a newer module", test_newer_module },
	{ "statistics of a class", test_class },
	{ "statistics that make no sense", test_nonsense },
};

int main(void)
{
	size_t i;

	ktap_plan(ARRAY_SIZE(tests));
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		ktap_begin(tests[i].name, 60);
		tests[i].run();
		ktap_ok();
	}
	return 0;
}
