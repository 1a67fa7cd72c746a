// SPDX-License-Identifier: GPL-2.0
/*
 * tc plugin for the reframer qdisc: parses its options, prints its options and
 * statistics.
 *
 * Only options that the user gave are sent, so the module's defaults apply.  Only
 * the module knows the ranges; its error message names the option and the range.
 * The module may be older or newer than this plugin: attributes that are missing
 * are not printed, unknown ones are skipped.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <linux/pkt_sch_reframer.h>

#include "tc_plugin.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MESSAGE_MAX	1024	/* far more than all options take */

enum unit { TIME, SLACK, SIZE, COUNT, KEY, FLAG };

/* In the order in which they are printed */
static const struct option {
	const char *name;
	int attr;
	enum unit unit;
} options[] = {
	{ "delay", TCA_REFRAMER_DELAY, TIME },
	{ "slack", TCA_REFRAMER_SLACK, SLACK },
	{ "burst", TCA_REFRAMER_BURST, COUNT },
	{ "burst_bytes", TCA_REFRAMER_BURST_BYTES, SIZE },
	{ "limit", TCA_REFRAMER_LIMIT, COUNT },
	{ "memory_limit", TCA_REFRAMER_MEMORY_LIMIT, SIZE },
	{ "flows", TCA_REFRAMER_FLOWS, COUNT },
	{ "key", TCA_REFRAMER_KEY, KEY },
	{ "adaptive", TCA_REFRAMER_ADAPTIVE, FLAG },
	{ "push", TCA_REFRAMER_PUSH, FLAG },
	{ "coalesce", TCA_REFRAMER_COALESCE, FLAG },
};

static const char * const keys[] = {
	[REFRAMER_KEY_FLOW]	 = "flow",
	[REFRAMER_KEY_SRC]	 = "src",
	[REFRAMER_KEY_DST]	 = "dst",
	[REFRAMER_KEY_HOSTS]	 = "hosts",
	[REFRAMER_KEY_PROTO_DST] = "proto-dst",
	[REFRAMER_KEY_MARK]	 = "mark",
};

static void list_keys(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		fprintf(stderr, "%s%s", i ? " | " : "", keys[i]);
}

static void explain(void)
{
	fprintf(stderr,
		"Usage: ... reframer [ delay TIME ] [ slack TIME | slack auto ]\n"
		"                    [ burst PACKETS ] [ burst_bytes BYTES ]\n"
		"                    [ limit PACKETS ] [ memory_limit BYTES ]\n"
		"                    [ flows NUMBER ] [ key KEY ]\n"
		"                    [ adaptive | noadaptive ] [ push | nopush ]\n"
		"                    [ coalesce | nocoalesce ]\n"
		"KEY := { ");
	list_keys();
	fputs(" }\n", stderr);
}

/*
 * Print a value in the largest unit that divides it, so that parsing the text
 * gives the same value again; sprint_time64() and sprint_size() round.  A key that
 * this plugin does not know is printed as a number.
 */
static const char *exact(enum unit unit, __u64 value, char *buf)
{
	static const struct scale {
		__u64 factor;
		const char *name;
	} times[] = {
		{ 1000000000, "s" }, { 1000000, "ms" }, { 1000, "us" },
		{ 1, "ns" }
	}, sizes[] = {
		{ 1 << 30, "Gb" }, { 1 << 20, "Mb" }, { 1 << 10, "Kb" },
		{ 1, "b" }
	}, counts[] = {
		{ 1, "" }
	};
	const struct scale *u = unit == TIME || unit == SLACK ? times :
				unit == SIZE ? sizes : counts;

	if (unit == KEY && value < ARRAY_SIZE(keys))
		return keys[value];
	if (unit == SLACK && value == REFRAMER_SLACK_AUTO)
		return "auto";
	while (value % u->factor || (!value && u->factor > 1))
		u++;
	snprintf(buf, SPRINT_BSIZE, "%llu%s",
		 (unsigned long long)(value / u->factor), u->name);
	return buf;
}

/*
 * get_time64() and get_size() know the units but silently wrap or truncate large
 * values: "5gb" becomes 1 GiB.  So they only convert one unit, and the number is
 * parsed here.  The exponent in "1e0" makes them refuse "1.5.5", whose suffix is
 * ".5".
 */
static int parse_scaled(enum unit unit, const char *arg, __u32 *value)
{
	char one[SPRINT_BSIZE];
	unsigned int bytes;
	double number;
	char *suffix;
	__s64 ns;

	number = strtod(arg, &suffix);
	if (suffix == arg ||
	    snprintf(one, sizeof(one), "1e0%s", suffix) >= (int)sizeof(one))
		return -1;

	if (unit != SIZE) {
		if (get_time64(&ns, one))
			return -1;
		number *= ns;
	} else {
		if (get_size(&bytes, one))
			return -1;
		number *= bytes;
	}

	/* also refuses a NaN */
	if (!(number >= 0 && number <= UINT_MAX))
		return -1;
	*value = (__u32)(number + 0.5);
	return 0;
}

static int parse_key(const char *arg, __u32 *value)
{
	for (*value = 0; *value < ARRAY_SIZE(keys); (*value)++)
		if (strcmp(arg, keys[*value]) == 0)
			return 0;
	fprintf(stderr, "Illegal \"key\": \"%s\" is not one of ", arg);
	list_keys();
	fputs("\n", stderr);
	return -1;
}

static int parse_slack(const char *arg, __u32 *value)
{
	if (strcmp(arg, "auto") == 0) {
		*value = REFRAMER_SLACK_AUTO;
		return 0;
	}
	return parse_scaled(SLACK, arg, value) ||
	       *value == REFRAMER_SLACK_AUTO ? -1 : 0;
}

static int parse_value(const struct option *opt, const char *arg, __u32 *value)
{
	static const char * const what[] = {
		[TIME] = "a time below 4.29s",
		[SLACK] = "auto or a time below 4.29s",
		[SIZE] = "a size below 4Gb",
		[COUNT] = "an unsigned 32-bit integer",
	};
	int err;

	if (opt->unit == FLAG) {
		*value = strcmp(arg, opt->name) == 0;
		return 0;
	}
	if (opt->unit == KEY)
		return parse_key(arg, value);
	/* where long has 32 bits, get_u32() accepts -1 as the largest number */
	if (*arg == '-')
		err = -1;
	else if (opt->unit == COUNT)
		err = get_u32(value, arg, 0);
	else if (opt->unit == SLACK)
		err = parse_slack(arg, value);
	else
		err = parse_scaled(opt->unit, arg, value);
	if (err)
		fprintf(stderr, "Illegal \"%s\": \"%s\" is not %s\n",
			opt->name, arg, what[opt->unit]);
	return err;
}

/* A flag is set by its name and cleared by the name with the prefix "no". */
static const struct option *find_option(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option *o = &options[i];

		if (strcmp(name, o->name) == 0 ||
		    (o->unit == FLAG && strncmp(name, "no", 2) == 0 &&
		     strcmp(name + 2, o->name) == 0))
			return o;
	}
	return NULL;
}

static int reframer_parse_opt(struct qdisc_util *qu, int argc, char **argv,
			      struct nlmsghdr *n, const char *dev)
{
	bool given[TCA_REFRAMER_MAX + 1] = { false };
	struct rtattr *nest;

	(void)qu;
	(void)dev;

	nest = addattr_nest(n, MESSAGE_MAX, TCA_OPTIONS | NLA_F_NESTED);
	for (; argc > 0; argc--, argv++) {
		const struct option *opt = find_option(*argv);
		__u32 value;

		if (!opt) {
			if (strcmp(*argv, "help") != 0)
				fprintf(stderr, "What is \"%s\"?\n", *argv);
			explain();
			return -1;
		}
		if (opt->unit != FLAG) {
			argc--;
			argv++;
		}
		if (argc < 1)
			incomplete_command();
		if (given[opt->attr])
			duparg(opt->name, *argv);
		given[opt->attr] = true;

		if (parse_value(opt, *argv, &value))
			return -1;
		if (addattr32(n, MESSAGE_MAX, opt->attr, value))
			return -1;
	}
	addattr_nest_end(n, nest);
	return 0;
}

/* Accepts u32 and u64, in case a later module widens an attribute. */
static bool read_number(const struct rtattr *attr, __u64 *value)
{
	__u32 narrow;

	if (!attr)
		return false;
	switch (RTA_PAYLOAD(attr)) {
	case sizeof(narrow):
		memcpy(&narrow, RTA_DATA(attr), sizeof(narrow));
		*value = narrow;
		return true;
	case sizeof(*value):
		memcpy(value, RTA_DATA(attr), sizeof(*value));
		return true;
	default:
		return false;
	}
}

static void parse_nested(struct rtattr *tb[], int max, struct rtattr *nest)
{
	parse_rtattr_flags(tb, max, RTA_DATA(nest), RTA_PAYLOAD(nest),
			   NLA_F_NESTED);
}

static void json_number(const char *key, __u64 value)
{
	print_color_u64(PRINT_JSON, 0, key, NULL, value);
}

static void json_string(const char *key, const char *value)
{
	print_color_string(PRINT_JSON, 0, key, NULL, value);
}

static void json_option(const struct option *opt, __u64 value)
{
	char buf[SPRINT_BSIZE];

	if (opt->unit == FLAG)
		print_color_bool(PRINT_JSON, 0, opt->name, NULL, value);
	else if (opt->unit == KEY ||
		 (opt->unit == SLACK && value == REFRAMER_SLACK_AUTO))
		json_string(opt->name, exact(opt->unit, value, buf));
	else
		json_number(opt->name, value);
}

static int reframer_print_opt(struct qdisc_util *qu, FILE *f,
			      struct rtattr *opt)
{
	struct rtattr *tb[TCA_REFRAMER_MAX + 1];
	char buf[SPRINT_BSIZE];
	size_t i;

	(void)qu;

	if (!opt)
		return 0;
	parse_nested(tb, TCA_REFRAMER_MAX, opt);

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option *o = &options[i];
		__u64 value;

		if (!read_number(tb[o->attr], &value))
			continue;
		if (is_json_context())
			json_option(o, value);
		else if (o->unit == FLAG)
			fprintf(f, "%s%s ", value ? "" : "no", o->name);
		else
			fprintf(f, "%s %s ", o->name,
				exact(o->unit, value, buf));
	}
	return 0;
}

/*
 * The statistics.  Text and JSON have the same content in the same order.  In JSON
 * everything is below one key: tc merges the output into the object of the qdisc,
 * which has its own "packets", "drops" and others.
 */
struct stats {
	struct rtattr **tb;
	FILE *f;
	bool json;
	int lines;
};

static bool has(const struct stats *st, int attr)
{
	__u64 value;

	return read_number(st->tb[attr], &value);
}

static __u64 number(const struct stats *st, int attr)
{
	__u64 value;

	return read_number(st->tb[attr], &value) ? value : 0;
}

/* Number of entries of a histogram; 0 if it is missing or malformed */
static size_t hist_len(const struct stats *st, int attr)
{
	size_t size = st->tb[attr] ? RTA_PAYLOAD(st->tb[attr]) : 0;
	size_t len = size / sizeof(__u64);

	return size % sizeof(__u64) || len > 64 ? 0 : len;
}

static __u64 hist_entry(const struct stats *st, int attr, size_t i)
{
	__u64 value;

	memcpy(&value, (char *)RTA_DATA(st->tb[attr]) + i * sizeof(value),
	       sizeof(value));
	return value;
}

static __u64 hist_total(const struct stats *st, int attr)
{
	__u64 total = 0;
	size_t i;

	for (i = 0; i < hist_len(st, attr); i++)
		total += hist_entry(st, attr, i);
	return total;
}

static double ratio(__u64 a, __u64 b)
{
	return b ? (double)a / b : 0;
}

static void text_line(struct stats *st, const char *title)
{
	if (st->lines++)
		print_nl();
	fprintf(st->f, "  %s", title);
}

static void text_time(const struct stats *st, const char *name, __u64 ns)
{
	char buf[SPRINT_BSIZE];

	fprintf(st->f, " %s %s", name, sprint_time64(ns, buf));
}

static void json_hist(const struct stats *st, int attr)
{
	size_t i, len = hist_len(st, attr);

	if (!len)
		return;
	open_json_array(PRINT_JSON, "hist");
	for (i = 0; i < len; i++)
		json_number(NULL, hist_entry(st, attr, i));
	close_json_array(PRINT_JSON, NULL);
}

/* One number of a group such as "releases deadline 3 full 5 pressure 0" */
struct field {
	const char *name;
	int attr;
};

/* In JSON, the key of a time ends in its unit. */
static void print_field(const struct stats *st, const struct field *field)
{
	bool time = field->attr == TCA_REFRAMER_STATS_TIMER_LATENCY ||
		    field->attr == TCA_REFRAMER_STATS_SLACK;
	__u64 value = number(st, field->attr);
	char key[32];

	if (st->json) {
		snprintf(key, sizeof(key), "%s%s", field->name,
			 time ? "_ns" : "");
		json_number(key, value);
	} else if (time) {
		text_time(st, field->name, value);
	} else {
		fprintf(st->f, " %s %llu", field->name,
			(unsigned long long)value);
	}
}

static void print_group(struct stats *st, const char *title,
			const struct field *fields, size_t n)
{
	bool open = false;
	size_t i;

	for (i = 0; i < n; i++) {
		if (!has(st, fields[i].attr))
			continue;
		if (!open && st->json)
			open_json_object(title);
		else if (!open)
			text_line(st, title);
		open = true;
		print_field(st, &fields[i]);
	}
	if (open && st->json)
		close_json_object();
}

/* A number on the line of the group before it */
static void print_single(struct stats *st, const char *name, int attr)
{
	if (has(st, attr))
		print_field(st, &(struct field) { name, attr });
}

static void print_traffic(struct stats *st)
{
	__u64 packets_in = number(st, TCA_REFRAMER_STATS_PACKETS_IN);
	__u64 packets_out = number(st, TCA_REFRAMER_STATS_PACKETS_OUT);
	__u64 runs_in = number(st, TCA_REFRAMER_STATS_RUNS_IN);
	__u64 runs_out = number(st, TCA_REFRAMER_STATS_RUNS_OUT);
	double locality_in = ratio(packets_in, runs_in);
	double locality_out = ratio(packets_out, runs_out);

	if (!has(st, TCA_REFRAMER_STATS_PACKETS_IN))
		return;

	if (st->json) {
		json_number("packets_in", packets_in);
		json_number("packets_out", packets_out);
		json_number("runs_in", runs_in);
		json_number("runs_out", runs_out);
		print_color_float(PRINT_JSON, 0, "locality_in", NULL,
				  locality_in);
		print_color_float(PRINT_JSON, 0, "locality_out", NULL,
				  locality_out);
		return;
	}

	text_line(st, "packets");
	fprintf(st->f, " %llu -> %llu runs %llu -> %llu locality %.2f -> %.2f",
		(unsigned long long)packets_in,
		(unsigned long long)packets_out,
		(unsigned long long)runs_in, (unsigned long long)runs_out,
		locality_in, locality_out);
}

static void print_bursts(struct stats *st)
{
	static const int hist = TCA_REFRAMER_STATS_BURST_HIST;
	__u64 bursts = number(st, TCA_REFRAMER_STATS_BURSTS);
	double mean = ratio(number(st, TCA_REFRAMER_STATS_PACKETS_OUT), bursts);
	size_t i, len = hist_len(st, hist);

	if (!has(st, TCA_REFRAMER_STATS_BURSTS))
		return;

	if (st->json) {
		open_json_object("bursts");
		json_number("count", bursts);
		print_color_float(PRINT_JSON, 0, "mean_packets", NULL, mean);
		json_hist(st, hist);
		close_json_object();
		return;
	}

	text_line(st, "bursts");
	fprintf(st->f, " %llu mean %.2f", (unsigned long long)bursts, mean);
	if (hist_total(st, hist))
		fputs(" hist", st->f);
	for (i = 0; i < len; i++) {
		unsigned long long from = 1ULL << i, to = from + (from - 1);

		if (!hist_entry(st, hist, i))
			continue;
		fprintf(st->f, " %llu", from);
		if (i == len - 1)
			fputs("+", st->f);
		else if (to > from)
			fprintf(st->f, "-%llu", to);
		fprintf(st->f, ":%llu",
			(unsigned long long)hist_entry(st, hist, i));
	}
}

/* Why nothing is coalesced now, or NULL */
static const char *obstacle(const struct stats *st)
{
	if (!has(st, TCA_REFRAMER_STATS_COALESCING))
		return "off";
	switch (number(st, TCA_REFRAMER_STATS_COALESCING)) {
	case 0:
		return "device";
	case REFRAMER_COALESCING_NOT_ROOT:
		return "parent";
	}
	return NULL;
}

static void print_coalesce(struct stats *st)
{
	static const struct {
		const char *name;
		__u32 bit;
	} protocols[] = {
		{ "tcp4", REFRAMER_COALESCING_TCP4 },
		{ "tcp6", REFRAMER_COALESCING_TCP6 },
		{ "udp", REFRAMER_COALESCING_UDP },
	};
	__u64 packets = number(st, TCA_REFRAMER_STATS_COALESCED);
	__u64 segments = number(st, TCA_REFRAMER_STATS_COALESCED_SEGMENTS);
	__u64 now = number(st, TCA_REFRAMER_STATS_COALESCING);
	double mean = ratio(segments, packets);
	const char *why_not = obstacle(st);
	size_t i;

	if (!has(st, TCA_REFRAMER_STATS_COALESCED))
		return;

	if (st->json) {
		open_json_object("coalesce");
		json_number("packets", packets);
		json_number("segments", segments);
		print_color_float(PRINT_JSON, 0, "mean_segments", NULL, mean);
		open_json_array(PRINT_JSON, "now");
		for (i = 0; i < ARRAY_SIZE(protocols); i++)
			if (now & protocols[i].bit)
				json_string(NULL, protocols[i].name);
		close_json_array(PRINT_JSON, NULL);
		if (why_not)
			json_string("obstacle", why_not);
		close_json_object();
		return;
	}

	text_line(st, "coalesce");
	fprintf(st->f, " packets %llu segments %llu mean %.2f now",
		(unsigned long long)packets, (unsigned long long)segments, mean);
	for (i = 0; i < ARRAY_SIZE(protocols); i++)
		if (now & protocols[i].bit)
			fprintf(st->f, " %s", protocols[i].name);
	if (why_not)
		fprintf(st->f, " none (%s)", why_not);
}

static void print_hold(struct stats *st)
{
	static const int hist = TCA_REFRAMER_STATS_HOLD_HIST;
	size_t i, len = hist_len(st, hist);
	/* all releases, including those for reasons unknown to this plugin */
	__u64 releases = hist_total(st, hist);
	__u64 sum = number(st, TCA_REFRAMER_STATS_HOLD_SUM);
	__u64 mean = ratio(sum, releases) + 0.5;
	__u64 max = number(st, TCA_REFRAMER_STATS_HOLD_MAX);
	__u64 late = number(st, TCA_REFRAMER_STATS_LATE_MAX);
	char buf[SPRINT_BSIZE];

	if (!has(st, TCA_REFRAMER_STATS_HOLD_SUM))
		return;

	if (st->json) {
		open_json_object("hold");
		json_number("sum_ns", sum);
		json_number("mean_ns", mean);
		json_number("max_ns", max);
		json_number("late_max_ns", late);
		json_hist(st, hist);
		close_json_object();
		return;
	}

	text_line(st, "hold");
	text_time(st, "mean", mean);
	text_time(st, "max", max);
	text_time(st, "late", late);
	if (releases)
		fputs(" hist", st->f);
	for (i = 0; i < len; i++) {
		__u64 from = i ? 1ULL << (i - 1) : 0;

		if (!hist_entry(st, hist, i))
			continue;
		fprintf(st->f, " %s", sprint_time64(from, buf));
		if (i == len - 1)
			fputs("+", st->f);
		else if (i)
			fprintf(st->f, "-%s", sprint_time64(2 * from, buf));
		fprintf(st->f, ":%llu",
			(unsigned long long)hist_entry(st, hist, i));
	}
}

static void print_memory(struct stats *st)
{
	char queue[SPRINT_BSIZE], table[SPRINT_BSIZE];
	__u64 memory = number(st, TCA_REFRAMER_STATS_MEMORY);
	__u64 bytes = number(st, TCA_REFRAMER_STATS_TABLE_BYTES);

	if (!has(st, TCA_REFRAMER_STATS_MEMORY))
		return;

	if (st->json) {
		json_number("memory_bytes", memory);
		json_number("table_bytes", bytes);
		return;
	}

	text_line(st, "memory");
	fprintf(st->f, " %s table %s", exact(SIZE, memory, queue),
		exact(SIZE, bytes, table));
}

static void print_qdisc(struct stats *st, struct rtattr *nest)
{
	static const struct field bypass[] = {
		{ "packets", TCA_REFRAMER_STATS_BYPASSED },
		{ "now", TCA_REFRAMER_STATS_BYPASSING },
	}, releases[] = {
		{ "deadline", TCA_REFRAMER_STATS_RELEASE_DEADLINE },
		{ "full", TCA_REFRAMER_STATS_RELEASE_FULL },
		{ "pressure", TCA_REFRAMER_STATS_RELEASE_PRESSURE },
		{ "push", TCA_REFRAMER_STATS_RELEASE_PUSH },
		{ "control", TCA_REFRAMER_STATS_RELEASE_CONTROL },
		{ "adaptive", TCA_REFRAMER_STATS_RELEASE_ADAPTIVE },
	}, holds[] = {
		{ "paid", TCA_REFRAMER_STATS_HOLDS_PAID },
		{ "wasted", TCA_REFRAMER_STATS_HOLDS_WASTED },
	}, timer[] = {
		{ "expiries", TCA_REFRAMER_STATS_TIMER_EXPIRIES },
		{ "latency", TCA_REFRAMER_STATS_TIMER_LATENCY },
		{ "slack", TCA_REFRAMER_STATS_SLACK },
	}, flows[] = {
		{ "held", TCA_REFRAMER_STATS_FLOWS_HELD },
		{ "ready", TCA_REFRAMER_STATS_FLOWS_READY },
		{ "peak", TCA_REFRAMER_STATS_FLOWS_PEAK },
	}, drops[] = {
		{ "limit", TCA_REFRAMER_STATS_DROP_LIMIT },
		{ "memory", TCA_REFRAMER_STATS_DROP_MEMORY },
		{ "change", TCA_REFRAMER_STATS_DROP_CHANGE },
		{ "reset", TCA_REFRAMER_STATS_DROP_RESET },
		{ "filter", TCA_REFRAMER_STATS_DROP_FILTER },
	};
	struct rtattr *tb[TCA_REFRAMER_STATS_MAX + 1];

	parse_nested(tb, TCA_REFRAMER_STATS_MAX, nest);
	st->tb = tb;
	print_traffic(st);
	print_group(st, "bypass", bypass, ARRAY_SIZE(bypass));
	print_bursts(st);
	print_coalesce(st);
	print_group(st, "releases", releases, ARRAY_SIZE(releases));
	print_group(st, "holds", holds, ARRAY_SIZE(holds));
	print_hold(st);
	print_group(st, "timer", timer, ARRAY_SIZE(timer));
	print_group(st, "flows", flows, ARRAY_SIZE(flows));
	print_single(st, "collisions", TCA_REFRAMER_STATS_COLLISIONS);
	print_group(st, "drops", drops, ARRAY_SIZE(drops));
	print_single(st, "stolen", TCA_REFRAMER_STATS_STOLEN);
	print_memory(st);
}

static void print_class(struct stats *st, struct rtattr *nest)
{
	struct rtattr *tb[TCA_REFRAMER_CLASS_STATS_MAX + 1];
	const char *state;
	__u64 age;

	parse_nested(tb, TCA_REFRAMER_CLASS_STATS_MAX, nest);
	st->tb = tb;
	if (!has(st, TCA_REFRAMER_CLASS_STATS_READY))
		return;
	state = number(st, TCA_REFRAMER_CLASS_STATS_READY) ? "ready" : "held";
	age = number(st, TCA_REFRAMER_CLASS_STATS_AGE);

	if (st->json) {
		json_string("state", state);
		if (has(st, TCA_REFRAMER_CLASS_STATS_AGE))
			json_number("age_ns", age);
		return;
	}

	text_line(st, "flow");
	fprintf(st->f, " %s", state);
	if (has(st, TCA_REFRAMER_CLASS_STATS_AGE))
		text_time(st, "age", age);
}

/* tc calls this for a qdisc and for its classes without saying which it is. */
static int reframer_print_xstats(struct qdisc_util *qu, FILE *f,
				 struct rtattr *xstats)
{
	struct rtattr *tb[TCA_REFRAMER_XSTATS_MAX + 1];
	struct stats st = { .f = f, .json = is_json_context() };

	(void)qu;

	if (!xstats)
		return 0;
	parse_nested(tb, TCA_REFRAMER_XSTATS_MAX, xstats);

	if (st.json)
		open_json_object("reframer");
	if (tb[TCA_REFRAMER_XSTATS_QDISC])
		print_qdisc(&st, tb[TCA_REFRAMER_XSTATS_QDISC]);
	if (tb[TCA_REFRAMER_XSTATS_CLASS])
		print_class(&st, tb[TCA_REFRAMER_XSTATS_CLASS]);
	if (st.json)
		close_json_object();
	return 0;
}

/* Without this function tc would call the qdisc classless. */
static int reframer_parse_copt(struct qdisc_util *qu, int argc, char **argv,
			       struct nlmsghdr *n, const char *dev)
{
	(void)qu;
	(void)argc;
	(void)argv;
	(void)n;
	(void)dev;

	fprintf(stderr,
		"reframer creates and deletes its classes itself.\n");
	return -1;
}

struct qdisc_util reframer_qdisc_util = {
	.id		= "reframer",
	.parse_qopt	= reframer_parse_opt,
	.print_qopt	= reframer_print_opt,
	.print_xstats	= reframer_print_xstats,
	.parse_copt	= reframer_parse_copt,
};
