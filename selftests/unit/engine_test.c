// SPDX-License-Identifier: GPL-2.0
/* The engine against a model of it: random operations, and directed tests. */
#include <stdlib.h>

#include "kernel.h"
#include "ktap.h"
#include "engine_model.h"

#define SEEDS		4
#define OPS		1000000
#define OPS_COVERAGE	1000000	/* fewer need not have seen everything */
#define OPS_LIFE	4000	/* of one engine */
#define OPS_PHASE	500	/* of one kind of traffic */

static struct {
	u64 seed, op;
} at;

static struct {
	int hash_first, hash_n;		/* in use in this phase */
	bool hash_skewed;
	int class_n, class_share;	/* of 100 packets */
	int flush_share;
	bool len_alike;			/* flows of about one size */
	int enqueue_share;		/* of 1000 operations */
	bool drained_by_core;		/* dequeue after enqueue */
	u64 clock_step;
} traffic;

static void context(void)
{
	if (at.op)
		printf("# operation %llu, %u flow slots; --seed %llu --ops %llu\n",
		       at.op, t.e ? t.e->conf.flows : 0, at.seed, at.op);
}

/* --------------------------------------------------- random operations */

#define PICK(...)							\
	((const u32[]){ __VA_ARGS__ }					\
	 [below(sizeof((u32[]){ __VA_ARGS__ }) / sizeof(u32))])

static struct reframer_config random_config(u32 flows)
{
	struct reframer_config c = {
		.delay = PICK(0, 1, 50, 1000, 1000, 64000, 64000, 100000000),
		.burst = PICK(1, 2, 3, 5, 8, 20, 20, 65535),
		.burst_bytes = PICK(256, 1500, 3000, 20000, 65536, 65536,
				    16 << 20, 16 << 20),
		.limit = PICK(7, 30, 100, LIMIT_MAX, LIMIT_MAX, LIMIT_MAX),
		.memory_limit = PICK(3000, 50000, 50000, 300000, 32 << 20,
				     32 << 20, 1U << 31),
		.flows = flows,
		.adaptive = PICK(0, 0, 1),
		.coalesce = below(2),
	};

	if (!below(10))
		c.limit = PICK(1, 2);
	if (!below(20))
		c.memory_limit = 1;
	c.slack = PICK(0, c.delay / 4, c.delay, REFRAMER_SLACK_AUTO,
		       REFRAMER_SLACK_AUTO);
	return c;
}

/* Some keys take several flows for one. */
static void random_hashes(void)
{
	u32 set = below(8), way = below(8), merge = PICK(1, 1, 4);

	set_hashes(set, way, merge);
}

static void random_phase(void)
{
	traffic.hash_n = PICK(1, 3, 3, 5, 9, 12, 30, 64, 128);
	traffic.hash_first = below(HASHES / 64) * 64;
	if (traffic.hash_first + traffic.hash_n > HASHES)
		traffic.hash_first = 0;
	traffic.hash_skewed = below(2);
	traffic.class_n = PICK(1, 8, t.e->conf.flows);
	traffic.class_share = PICK(0, 0, 5, 60);
	traffic.flush_share = PICK(0, 0, 3, 30);
	traffic.len_alike = !below(4);
	traffic.enqueue_share = PICK(300, 500, 700, 900, 970);
	traffic.drained_by_core = below(4);
	traffic.clock_step = PICK(1, 2, 10, 300, 5000);
}

static void random_enqueue(void)
{
	enum reframer_flush flush = REFRAMER_NO_FLUSH;
	u32 hash = below(traffic.hash_n), len, truesize;

	if (traffic.hash_skewed)
		hash = below(hash + 1);
	hash += traffic.hash_first;
	if ((int)below(100) < traffic.class_share)
		hash = CLASS(below(traffic.class_n));
	if ((int)below(100) < traffic.flush_share)
		flush = PICK(REFRAMER_FLUSH_PUSH, REFRAMER_FLUSH_CONTROL);
	len = below(8) ? PICK(60, 60, 100, 1514) : 60 + below(65536);
	if (traffic.len_alike)
		len = 1000 + below(500);
	truesize = below(32) ? 256 + below(2) * below(len) :
			       PICK(20000, min_t(u32, t.e->conf.memory_limit,
						 300000));
	enqueue_flush(hash, len, truesize, flush);
	if (traffic.drained_by_core)
		run();
}

static void random_change(void)
{
	struct reframer_config conf = random_config(t.e->conf.flows);
	bool rekey = !below(3);

	/* now and then only the limits or the bursts shrink */
	if (below(2)) {
		conf.delay = t.e->conf.delay;
		conf.slack = t.e->conf.slack;
	}
	conf.key = rekey ? !t.e->conf.key : t.e->conf.key;
	change(&conf);
	if (!rekey)
		return;
	random_hashes();
	while (below(4))
		dequeue();
	while (below(4))
		random_enqueue();
	if (below(2))
		random_change();
}

static void random_operation(void)
{
	int choice = below(1000);

	if (choice < 5) {
		random_change();
	} else if (choice < 6) {
		if (below(4))
			drain();
		else
			reset();
	} else if (choice < 8) {
		reframer_make_all_due(t.e);
		model_make_all_due();
		check_all();
	} else if (choice < 14) {
		t.coverage[C_TIMER_EARLY] += t.timer_queued &&
					     t.clock < t.timer_at;
		expire();
		run();
	} else if (choice < 25) {
		clock_advance(below(2 * (u64)t.e->conf.delay + 2));
	} else if (choice < 26) {
		clock_advance(below(20) ? 0 : 1 << 28);
	} else if (choice < traffic.enqueue_share) {
		random_enqueue();
	} else if (below(4)) {
		dequeue();
	} else {
		run();
	}
	clock_advance(below(traffic.clock_step));
}

static void random_run(u64 seed, u64 ops)
{
	struct reframer_config conf;
	int i;

	at.seed = seed;
	random_seed = seed;
	t.packets = 0;
	t.dropped = 0;
	t.clock = 1000000000 + random64() % (1ULL << 40);
	memset(t.coverage, 0, sizeof(t.coverage));

	for (at.op = 1; at.op <= ops; at.op++) {
		if (at.op % OPS_LIFE == 1) {
			if (t.e)
				destroy();
			random_hashes();
			conf = random_config(PICK(8, 16, 64));
			create(&conf);
			t.may_bypass = below(4);
			t.crowded = below(2);
		}
		if (at.op % OPS_PHASE == 1)
			random_phase();
		random_operation();
	}
	if (t.e)
		destroy();
	at.op = 0;

	printf("# %llu packets, %llu dropped\n", t.packets, t.dropped);
	for (i = 0; i < C_COVERAGE && ops >= OPS_COVERAGE; i++)
		check(t.coverage[i], "never seen: %s", coverage_name[i]);
}

/* ------------------------------------------------------ directed tests */

static const struct reframer_config usual = {
	.delay = 1000, .slack = 1000, .burst = 64, .burst_bytes = 65536,
	.limit = LIMIT_MAX, .memory_limit = 32 << 20, .flows = 64,
};

/* Hashes 0 to n - 1 are those numbers times step.  The qdisc is below another one. */
static void directed(const struct reframer_config *conf, u32 step)
{
	int i;

	for (i = 0; i < HASHES; i++)
		t.hash[i] = i * step ?: NO_LOW_BITS;
	for (i = 0; i < FLOWS_MAX; i++)
		t.hash[CLASS(i)] = i + 1;
	t.clock = 1000000000;
	t.clock_reads = 0;
	t.may_bypass = false;
	t.crowded = false;
	create(conf);
}

static void enqueue(int hash, u32 len, u32 truesize)
{
	enqueue_flush(hash, len, truesize, REFRAMER_NO_FLUSH);
}

static void arrive(int hash, int packets)
{
	while (packets--) {
		enqueue(hash, 100, 256);
		dequeue();
	}
}

static u64 sent(void)
{
	return t.e->stats.packets_out;
}

static void test_grouping(void)
{
	int round, flow;

	directed(&usual, 1);
	for (round = 0; round < 8; round++) {
		for (flow = 0; flow < 16; flow++) {
			t.clock++;
			arrive(flow, 1);
		}
	}
	same(sent(), 0);
	t.clock = 1000000000 + 1000;
	drain();
	same(sent(), 0);		/* the first came at 1 */
	t.clock++;
	drain();
	same(sent(), 128);
	same(t.e->stats.runs_in, 128);
	same(t.e->stats.runs_out, 16);
	same(stats().bursts, 16);
	same(stats().burst_hist[3], 16);
	same(stats().releases[REFRAMER_RELEASE_DEADLINE], 16);
	same(t.e->stats.hold_max, 1000);
	same(t.e->stats.hold_sum, 1000 * 16 - 15 * 16 / 2);
	same(t.e->stats.late_max, 0);
	destroy();
}

static void test_slack(void)
{
	struct reframer_config conf = usual;

	for (conf.slack = 0; conf.slack <= 20; conf.slack += 10) {
		directed(&conf, 1);
		arrive(0, 2);
		t.clock += 10;
		arrive(1, 2);
		t.clock += 10;
		arrive(2, 2);
		t.clock += 980;
		drain();
		same(sent(), 2 + conf.slack / 10 * 2);
		t.clock += 10;
		drain();
		same(sent(), conf.slack == 20 ? 6 : 4);
		t.clock += 10;
		drain();
		same(sent(), 6);
		destroy();
	}
}

/*
 * The automatic slack is a quarter of the delay, or eight times the average
 * latency of the timer, if that is more: 300 after one expiry that was late by 300, of which
 * an eighth counts.
 */
static void test_late_timer(void)
{
	struct reframer_config conf = usual;
	int late;

	conf.slack = REFRAMER_SLACK_AUTO;
	for (late = 0; late <= 300; late += 300) {
		directed(&conf, 1);
		arrive(0, 1);
		t.clock += late + 250;
		arrive(1, 1);
		t.clock += 50;
		arrive(2, 1);
		t.clock += 1;
		arrive(3, 1);
		t.clock += 699;
		drain();
		same(t.e->timer_latency, late);
		same(sent(), late ? 3 : 2);
		t.clock += 1000;
		drain();
		same(sent(), 4);
		destroy();
	}
}

/*
 * The timer is late, and packets that begin a hold see it: what is due by then
 * goes, what is not stays.
 */
static void test_overtaken_timer(void)
{
	struct reframer_config conf = usual;

	conf.slack = 0;
	directed(&conf, 1);
	arrive(0, 1);
	run();				/* armed for 1000 */
	t.clock += 500;
	arrive(1, 1);
	t.clock += 499;
	arrive(2, 1);
	run();
	same(sent(), 0);
	t.clock++;
	arrive(0, 1);
	run();
	same(sent(), 0);		/* joins its flow, knows no time */
	arrive(3, 1);
	run();
	same(sent(), 2);
	t.clock += 510;
	arrive(4, 1);
	run();
	same(sent(), 3);
	t.clock += 100;
	drain();			/* nothing is due, but it is late */
	same(t.e->timer_latency, 610);
	same(sent(), 3);
	same(stats().releases[REFRAMER_RELEASE_DEADLINE], 2);
	t.clock += 1000;
	drain();
	same(sent(), 6);
	destroy();

	/* What begins now is held, although all that is held goes. */
	conf.slack = 1000;
	directed(&conf, 1);
	arrive(0, 1);
	run();
	t.clock += 1001;
	arrive(1, 1);
	run();
	same(sent(), 1);
	same(t.e->stats.flows_held, 1);
	destroy();
}

/* The timer is 500 us late, and 16 flows get joiners, one packet every microsecond. */
static void test_stale_clock(void)
{
	struct reframer_config conf = usual;
	int i;

	conf.delay = 64000;
	conf.slack = 0;
	directed(&conf, 1);
	/* the third packet of each, for which the clock need not be read */
	for (i = 0; i < 3 * 16; i++)
		arrive(i % 16, 1);
	t.timer_latency = 500000;
	for (i = 0; !sent(); i++) {
		clock_advance(1000);
		arrive(i % 16, 1);
	}
	same(i, 64 + REFRAMER_CLOCK_AGE_MAX - 1);
	same(t.hash_out[0], 1);
	destroy();
}

/*
 * Below a parent that asks for the next packet when it has sent the last one, for
 * which a closed loop has the next one ready.  Returns how many calls the due flow
 * waits for.
 */
static int starve(enum reframer_flush flush, int under_way, bool late)
{
	struct reframer_config conf = usual;
	int calls;

	conf.burst = 4;
	directed(&conf, 1);
	arrive(0, 1);
	t.timer_latency = late ? 1000000 : 0;
	while (under_way--)
		enqueue_flush(1, 1250, 2304, flush);
	t.clock += conf.delay;
	if (!late)
		expire();
	for (calls = 0; !t.hash_out[0]; calls++) {
		check(calls < 100, "starved");
		if (dequeue())
			enqueue_flush(1, 1250, 2304, flush);
	}
	destroy();
	return calls;
}

static void test_no_starvation(void)
{
	int n;

	for (n = 1; n <= 3; n++) {
		/* one bypasses before it */
		same(starve(REFRAMER_FLUSH_PUSH, n, false), 1 + 1);
		/* more do until the clock is read; or one does, and bursts of 4 */
		same(starve(REFRAMER_FLUSH_PUSH, n, true),
		     n == 1 ? REFRAMER_CLOCK_AGE_MAX + 1 : 1 + 4 * 4 + 1);
		same(starve(REFRAMER_NO_FLUSH, n, false), 1);
	}
}

static void test_full(void)
{
	struct reframer_config conf = usual;

	conf.burst = 4;
	directed(&conf, 1);
	arrive(0, 3);
	same(sent(), 0);
	arrive(0, 1);
	same(sent(), 1);
	run();
	same(sent(), 4);
	same(stats().releases[REFRAMER_RELEASE_FULL], 1);
	destroy();

	conf.burst = 64;
	conf.burst_bytes = 300;
	directed(&conf, 1);
	arrive(0, 2);
	same(sent(), 0);
	arrive(0, 1);
	same(sent(), 1);
	destroy();
}

/*
 * A flow that is never drained gives way after each burst, and of three bursts two are
 * of due flows.
 */
static void test_bursts(void)
{
	static const int bursts[] = { 1, 2, 0, 0, 0, 0, 3, 4, 0 };
	struct reframer_config conf = usual;
	u64 before;
	int i;

	conf.burst = 4;
	directed(&conf, 1);
	for (i = 1; i <= 4; i++)
		arrive(i, 1);
	for (i = 0; i < 8; i++)
		enqueue(0, 100, 256);
	for (i = 0; i < 4; i++, enqueue(0, 100, 256))
		check(dequeue(), "nothing to send");
	t.clock += 1000;
	expire();
	for (i = 0; i < (int)ARRAY_SIZE(bursts); i++, enqueue(0, 100, 256)) {
		before = t.hash_out[bursts[i]];
		check(dequeue(), "nothing to send");
		same_at(t.hash_out[bursts[i]], before + 1, i);
	}
	destroy();
}

static void test_collision(void)
{
	int i;

	directed(&usual, 8 << 16);	/* one set, one way when shared */
	arrive(0, 1);
	arrive(7, 1);
	same(t.e->stats.collisions, 0);
	for (i = 0; i < 8; i++)
		arrive(i, 2);
	same(t.e->stats.collisions, 0);
	arrive(8, 3);
	same(t.e->stats.collisions, 3);
	arrive(9, 1);
	same(t.e->stats.collisions, 4);
	t.clock += 1000;
	drain();
	for (i = 9; i > 1; i--)
		arrive(i, 2);
	same(t.e->stats.collisions, 4);
	destroy();

	/* other flows of one set share other ways of it */
	directed(&usual, 1 << 16);
	for (i = 0; i < 2 * REFRAMER_WAYS; i++)
		arrive(i, 1);
	same(t.e->stats.collisions, REFRAMER_WAYS);
	for (i = 0; i < REFRAMER_WAYS; i++)
		same_at(t.e->flows[i].qlen, 2, i);
	destroy();
}

static void test_quiet_flows(void)
{
	struct reframer_config conf = usual;
	int i;

	conf.limit = 20;
	directed(&conf, 1);
	for (i = 1; i <= 7; i++)
		enqueue(i, 1514, 2304);
	for (i = 0; i < 100; i++)
		enqueue(0, 60, 256);
	while (dequeue())
		;
	for (i = 1; i <= 7; i++)
		same(t.hash_out[i], 1);
	same(sent(), 20);
	destroy();
}

static void test_extremes(void)
{
	const struct reframer_config most = {
		.delay = REFRAMER_DELAY_MAX, .slack = 0,
		.burst = REFRAMER_BURST_MAX,
		.burst_bytes = REFRAMER_BURST_BYTES_MAX,
		.limit = REFRAMER_LIMIT_MAX,
		.memory_limit = REFRAMER_MEMORY_LIMIT_MAX, .flows = 64,
	}, least = {
		.delay = 1, .slack = 1, .burst = REFRAMER_BURST_MIN,
		.burst_bytes = REFRAMER_BURST_BYTES_MIN,
		.limit = REFRAMER_LIMIT_MIN,
		.memory_limit = REFRAMER_MEMORY_LIMIT_MIN,
		.flows = REFRAMER_FLOWS_MIN,
	};
	struct reframer_config no_delay = usual;
	int i;

	directed(&most, 1);
	arrive(0, 3);
	enqueue(1, 300000, 1U << 30);
	dequeue();
	t.clock += REFRAMER_DELAY_MAX - 1;
	drain();
	same(sent(), 0);
	t.clock++;
	drain();
	same(sent(), 4);
	same(t.e->stats.hold_max, REFRAMER_DELAY_MAX);
	same(stats().hold_hist[27], 2);
	destroy();

	/* tc's size tables can make packets as large as that */
	directed(&most, 1);
	for (i = 0; i < 4; i++)
		enqueue(0, 1U << 30, 256);
	destroy();

	directed(&least, 1);
	enqueue(0, 1, 1);
	enqueue(1, 1, 1);		/* over the limit: 0 goes */
	same(t.hash_out[0], 1);
	same(sent(), 0);
	enqueue(2, 1, 2);		/* more than all memory: both go */
	same(t.hash_out[1] + t.hash_out[2], 2);
	same(sent(), 0);
	destroy();

	no_delay.delay = 0;
	no_delay.slack = 0;
	directed(&no_delay, 1);
	arrive(0, 1);
	same(sent(), 1);
	enqueue(1, 100, 256);
	enqueue(2, 100, 256);
	enqueue(1, 100, 256);
	enqueue(2, 100, 256);
	run();
	same(sent(), 5);
	same(t.e->stats.runs_out, 4);	/* 0, 1 bypasses, 2 twice, 1 */
	same(t.e->stats.hold_max, 0);
	destroy();
}

/* What a socket pays for takes no memory, whatever becomes of the packet then. */
static void test_paid_memory(void)
{
	struct reframer_config conf = usual;

	conf.memory_limit = 1000;
	directed(&conf, 1);
	enqueue(0, 100, 4095);
	enqueue(1, 100, 4095);
	same(t.e->memory, 0);
	enqueue(2, 100, 512);
	same(t.e->memory, 512);
	same(t.e->qlen, 3);
	t.clock += conf.delay;
	drain();
	same(sent(), 3);
	same(t.e->memory, 0);
	destroy();
}

static void test_change(void)
{
	struct reframer_config conf = usual;
	int i;

	/* a shorter delay holds for what is held */
	directed(&conf, 1);
	arrive(0, 1);
	t.clock += 500;
	conf.delay = 500;
	conf.slack = 0;
	change(&conf);
	same(reframer_deadline(t.e), t.clock);
	drain();
	same(sent(), 1);

	/* a smaller burst and a smaller limit, too */
	arrive(1, 4);
	conf.burst = 4;
	change(&conf);
	dequeue();
	same(sent(), 2);
	run();
	for (i = 0; i < 40; i++)
		arrive(i, 1);
	conf.limit = 30;
	change(&conf);
	same(t.e->qlen, 30);
	run();				/* and near it nothing is held */
	same(t.e->qlen, 0);
	destroy();
}

/* A packet of a flow that is never held */
static void another(void)
{
	u32 qlen = t.e->qlen;

	enqueue_flush(HASHES - 1, 100, 256, REFRAMER_FLUSH_CONTROL);
	dequeue();
	same(t.e->qlen, qlen);
}

/* Packets that must all bypass, each behind another flow's and later than the delay. */
static void bypass(int hash, int packets)
{
	while (packets--) {
		t.clock += 2 * (u64)t.e->conf.delay;
		another();
		arrive(hash, 1);
		same(t.e->qlen, 0);
	}
}

/* A hold that gathers so many packets, each a little behind another flow's */
static void hold(int hash, int packets)
{
	int i;

	t.clock++;
	for (i = 0; i < packets; i++) {
		another();
		arrive(hash, 1);
	}
	same(t.e->qlen, packets);
	t.clock += t.e->conf.delay;
	drain();
	same(t.e->qlen, 0);
}

static void test_adaptive(void)
{
	struct reframer_config conf = usual;
	u64 reads;
	int i;

	conf.adaptive = 1;
	directed(&conf, 1);

	/* two failed probes; of 1, 3, 7, 7 packets then the first ends them */
	bypass(1, 2 + 1);
	bypass(1, 2 + 3);
	bypass(1, 2 + 7);
	bypass(1, 2 + 7);
	same(t.clock_reads, 4 * 3);
	bypass(1, 1);
	same(stats().releases[REFRAMER_RELEASE_ADAPTIVE], 3 + 5 + 9 + 9 + 1);

	/* wasted holds: 1, 3, 7, ... 511 */
	for (i = 1; i <= 12; i++) {
		bypass(0, 1);
		t.clock += conf.delay - 1;
		hold(0, 1);
		same(t.e->stats.holds_wasted, i);
		reads = t.clock_reads;
		bypass(0, (1 << (i < 9 ? i : 9)) - 1);
		same(t.clock_reads, reads);
	}

	/* holds that pay */
	bypass(0, 1);
	for (i = 1; i <= 5; i++) {
		hold(0, 3);
		same(t.e->stats.holds_paid, i);
	}
	for (i = 1; i <= 7; i++)
		hold(0, 1);
	reads = t.clock_reads;
	bypass(0, (1 << (9 - 5 + 1)) - 1);
	same(t.clock_reads, reads);
	same(t.e->stats.holds_wasted, 12 + 7);

	/* a hold that is cut short proves nothing, half the delay does */
	bypass(0, 1);
	t.clock += 1;
	for (i = 0; i < 3; i++) {
		another();
		arrive(0, 1);
		same(t.e->qlen, 1);
		t.clock += conf.delay / 2 - (i < 2);
		conf.key = !conf.key;
		change(&conf);
		run();
	}
	same(t.e->stats.holds_wasted, 12 + 7 + 1);
	bypass(0, 1);
	destroy();
}

/* Which holds are useful, by what they gather */
static void test_useful_holds(void)
{
	struct reframer_config conf = usual;
	u64 paid, wasted;
	int i;

	conf.adaptive = 1;
	directed(&conf, 1);
	bypass(0, 1);
	for (i = 0; i < 2; i++)
		hold(0, 3);
	same(t.e->stats.holds_paid, 2);		/* credit 7 */

	/* none between: wasted, however many they are; 7, 5, 3, 1, 0 */
	t.clock++;
	another();
	for (i = 1; i <= 4; i++) {
		arrive(0, i + 1);
		same(t.e->qlen, i + 1);
		t.clock += conf.delay;
		drain();
		same(t.e->stats.holds_wasted, i);
	}
	/* a probe does not end before another flow has sent; no clock is read */
	another();
	bypass(0, 1 + 1);
	arrive(0, 3);
	same(t.e->qlen, 0);

	/* pairs: the second one close to the first one, or not, or the last one */
	bypass(1, 1);
	for (i = 0; i < 2; i++)
		hold(1, 3);
	paid = t.e->stats.holds_paid;
	wasted = t.e->stats.holds_wasted;
	hold(1, 2);				/* credit 5 */
	same(t.e->stats.holds_wasted, wasted + 1);
	for (i = 0; i <= 1; i++) {
		arrive(1, 1);
		t.clock += conf.delay / 32 + i;
		another();
		arrive(1, 1);
		t.clock += conf.delay;
		drain();
		same(t.e->stats.holds_paid, paid + i);
		same(t.e->stats.holds_wasted, wasted + 2);
	}
	arrive(1, 1);
	another();
	enqueue_flush(1, 100, 256, REFRAMER_FLUSH_PUSH);
	run();
	same(t.e->stats.holds_paid, paid + 2);
	destroy();
}

/*
 * Where holds pay, a flow is trusted from its first good probe on, and again until it
 * has wasted that four times; and its first eight packets are probes.  But a first
 * packet that is not small is held at once.
 */
static void test_global_credit_high(void)
{
	struct reframer_config conf = usual;
	u64 reads;
	int i, n;

	conf.adaptive = 1;
	directed(&conf, 1);
	bypass(0, 1);
	for (i = 1; i <= 11; i++) {
		same(t.e->global_credit, 3 * (i - 1));
		hold(0, 3);
	}
	for (i = 0; i < 5; i++) {
		bypass(1, 1);
		for (n = 0; n < (i < 4 ? 5 : 1); n++)
			hold(1, 1);
		bypass(1, (2 << i) - 1);
		while (t.e->global_credit < 63)
			hold(0, 3);
	}
	same(t.e->stats.holds_wasted, 4 * 5 + 1);
	reads = t.clock_reads;
	bypass(2, 8 + 7);
	same(t.clock_reads - reads, 8 + 1);

	for (i = 0; i < 5; i++) {
		enqueue(3, i ? 100 : 256, 512);
		dequeue();
		same(t.e->qlen, 1);
		t.clock += conf.delay;
		drain();
	}
	another();
	arrive(3, 1);
	same(t.e->qlen, 0);
	enqueue(4, 255, 512);
	dequeue();
	same(t.e->qlen, 0);

	/* just too little global credit */
	conf.adaptive = 0;
	change(&conf);
	while (t.e->global_credit > 31)
		hold(0, 1);
	conf.adaptive = 1;
	change(&conf);
	bypass(2, 1);
	hold(2, 1);
	bypass(2, 1);
	enqueue(5, 256, 512);
	dequeue();
	same(t.e->qlen, 0);
	destroy();
}

/* Where holds are wasted, a flow is held after two good probes in a row. */
static void test_global_credit_low(void)
{
	struct reframer_config conf = usual;
	int i;

	directed(&conf, 1);
	for (i = 0; i < 40; i++) {
		same(t.e->global_credit, i < 32 ? -i : -32);
		hold(i, 1);
	}
	conf.adaptive = 1;
	change(&conf);
	for (i = 0; i < 6; i++) {
		bypass(50 + i, 1);
		t.clock++;
		another();
		arrive(50 + i, 1);
		same(t.e->qlen, 0);
		/* one that is too late, and it begins again */
		if (i == 0) {
			bypass(50, 1);
			t.clock++;
			another();
			arrive(50, 1);
			same(t.e->qlen, 0);
		}
		hold(50 + i, 3);
	}
	same(t.e->global_credit, -32 + 6 * 3);
	bypass(60, 1);
	hold(60, 3);
	destroy();
}

/*
 * Packets of @flows in turn, every @gap ns, until the engine @stands_aside or no more.
 * Returns how many.
 */
static int until_aside(int flows, u64 gap, bool stands_aside)
{
	int i = 0;

	while (t.e->stands_aside != stands_aside) {
		t.clock += gap;
		arrive(i++ % flows, 1);
		check(i < 100000, "for ever");
	}
	return i;
}

static void test_aside(void)
{
	struct reframer_config conf = usual;
	int looks, i;
	u64 in;

	conf.adaptive = 1;
	directed(&conf, 1);
	t.may_bypass = true;

	/* 64 packets, then a look of 8000 ns or more */
	same(until_aside(64, 50, true), 64 + 192);
	for (looks = 1; looks <= 64; looks *= 2) {
		in = t.e->stats.packets_in;
		same(until_aside(64, 50, false), 192 * (looks < 32 ? looks : 32));
		same(t.e->stats.packets_in, in);
		same(until_aside(64, 50, true), 192);
	}
	same(stats().holds_wasted, 0);

	/* packets come more slowly, or faster */
	same(until_aside(64, 50 * 65, false), 64 * 2);
	same(until_aside(64, 50, true), 192);
	same(until_aside(64, 24, false), 128);
	same(until_aside(64, 50, true), 192);
	same(until_aside(64, 25, false), 192);
	same(until_aside(64, 50, true), 192);

	/* 4 flows that last, each a packet every 200 ns: all are seen, none is lost */
	same(until_aside(4, 50, false), 192 * 2);
	for (i = 0; !t.e->stats.flows_held; i++) {
		t.clock += 50;
		arrive(100 + i % 4, 1);
	}
	same(i, 5);		/* a probe of each, then a hold */
	for (i = 1; i < 1000; i++) {
		clock_advance(50);
		arrive(100 + i % 4, 1);
		same(t.e->stands_aside, false);
	}
	clock_advance(conf.delay);
	run();

	/* a change of options begins a look */
	until_aside(64, 50, true);
	change(&conf);
	same(t.e->stands_aside, false);
	run();
	same(until_aside(64, 50, true), 192);
	same(until_aside(64, 50, false), 192);

	/* where packets cannot bypass, and without `adaptive`, it never stands aside */
	for (i = 0; i < 2; i++) {
		t.may_bypass = i;
		conf.adaptive = !i;
		change(&conf);
		for (in = 0; in < 1000; in++) {
			clock_advance(50);
			arrive(in % 64, 1);
			same(t.e->stands_aside, false);
		}
	}
	destroy();
}

static void test_push(void)
{
	struct reframer_config conf = usual;
	enum reframer_flush flush;
	u64 reads;

	for (flush = REFRAMER_FLUSH_PUSH; flush <= REFRAMER_FLUSH_CONTROL; flush++) {
		enum reframer_reason reason = flush == REFRAMER_FLUSH_PUSH ?
					      REFRAMER_RELEASE_PUSH : REFRAMER_RELEASE_CONTROL;

		directed(&conf, 1);
		arrive(0, 1);
		arrive(1, 3);
		t.clock += 10;
		enqueue_flush(1, 100, 256, flush);
		run();
		same(t.hash_out[1], 4);
		same(stats().releases[reason], 1);
		same(t.e->stats.hold_sum, 10);

		/* alone, and those that come before it is sent */
		reads = t.clock_reads;
		enqueue_flush(2, 100, 256, flush);
		enqueue_flush(2, 100, 256, flush);
		enqueue(2, 100, 256);
		same(t.clock_reads, reads);
		run();
		same(t.hash_out[2], 3);
		same(stats().releases[reason], 3);
		same(t.e->qlen, 1);		/* that of flow 0 */
		destroy();
	}

	/* a probe that it ends, and does not become */
	conf.adaptive = 1;
	directed(&conf, 1);
	arrive(0, 1);
	enqueue_flush(0, 100, 256, REFRAMER_FLUSH_PUSH);
	run();
	same(sent(), 2);
	hold(0, 1);
	enqueue_flush(1, 100, 256, REFRAMER_FLUSH_PUSH);
	run();
	arrive(1, 1);
	same(t.e->qlen, 0);
	destroy();
}

static void test_change_key(void)
{
	struct reframer_config conf = usual;
	int i;

	conf.burst = 4;
	directed(&conf, 1);
	arrive(0, 2);
	arrive(1, 3);
	for (i = 0; i < 6; i++)
		enqueue(2, 100, 256);
	dequeue();			/* in its burst */
	same(t.hash_out[2], 1);

	/* three flows become one, in which 10 packets go before any other */
	conf.key = 1;
	change(&conf);
	same(stats().releases[REFRAMER_RELEASE_PRESSURE], 2);
	for (i = 0; i < 4; i++)
		t.hash[i] = 5;
	for (i = 0; i < 4; i++)
		enqueue_flush(i, 100, 256, REFRAMER_FLUSH_CONTROL);
	for (i = 0; i < 6; i++)
		check(dequeue(), "nothing to send");
	same(t.hash_out[0] + t.hash_out[1] + t.hash_out[2], 7);

	/* four are left when the key changes again */
	conf.key = 2;
	change(&conf);
	for (i = 0; i < 4; i++)
		t.hash[i] = 8U * i ?: NO_LOW_BITS;
	for (i = 3; i >= 0; i--)
		enqueue_flush(i, 100, 256, REFRAMER_FLUSH_CONTROL);
	for (i = 0; i < 4; i++)
		check(dequeue(), "nothing to send");
	same(t.hash_out[0], 2);
	same(t.hash_out[1], 3);
	same(t.hash_out[2], 6);
	same(t.hash_out[3], 0);
	run();
	same(t.e->qlen, 0);
	same(sent(), 11 + 4 + 4);
	destroy();
}

/* What is known of eight flows one after the other is not lost. */
static void test_known_flows(void)
{
	struct reframer_config conf = usual;
	int i;

	conf.adaptive = 1;
	directed(&conf, 8 << 16);	/* one set */
	t.hash[HASHES - 1] = 1;		/* but the flow between them */
	for (i = 1; i <= 8; i++) {
		bypass(i, 1);
		hold(i, 3);
	}
	for (i = 1; i <= 8; i++)
		hold(i, 1);
	bypass(9, 1);			/* in place of 1, the oldest */
	for (i = 2; i <= 8; i++)
		hold(i, 1);
	bypass(1, 1);
	destroy();
}

static void test_class(void)
{
	int i;

	directed(&usual, 8 << 16);	/* one set, one way when shared */
	arrive(CLASS(3), 1);
	for (i = 0; i < 7; i++)
		arrive(i, 1);
	same(t.e->stats.collisions, 0);
	arrive(7, 1);			/* a ninth flow */
	same(t.e->stats.collisions, 1);
	arrive(CLASS(3), 1);
	same(t.e->stats.collisions, 1);
	for (i = 0; i < REFRAMER_WAYS; i++)
		arrive(CLASS(i), 1);
	same(t.e->stats.collisions, 1 + 7);
	t.clock += 1000;
	drain();
	same(t.e->qlen, 0);

	/* to a slot in the last set, too */
	for (i = 0; i < REFRAMER_WAYS; i++)
		arrive(CLASS(i), 1);
	arrive(CLASS(FLOWS_MAX - 1), 1);
	same(t.e->stats.collisions, 1 + 7);
	destroy();
}

static const struct {
	const char *name;
	void (*run)(void);
} directed_tests[] = {
	{ "flows leave one after the other", test_grouping },
	{ "slack releases what is due soon", test_slack },
	{ "slack grows where the timer is late", test_late_timer },
	{ "packets see that the timer is late", test_overtaken_timer },
	{ "a late timer is not trusted for long", test_stale_clock },
	{ "a due flow does not starve", test_no_starvation },
	{ "a full flow is released at once", test_full },
	{ "a loud flow gives way after its burst", test_bursts },
	{ "flows share a slot only in a full set", test_collision },
	{ "a loud flow loses, quiet ones do not", test_quiet_flows },
	{ "smallest and largest options", test_extremes },
	{ "what a socket pays for takes no memory", test_paid_memory },
	{ "a change holds for what is held", test_change },
	{ "flows are held for which that pays", test_adaptive },
	{ "which holds are useful", test_useful_holds },
	{ "where holds pay, new flows are trusted", test_global_credit_high },
	{ "where holds are wasted, new flows need two good probes", test_global_credit_low },
	{ "where holding pays nothing, the engine stands aside", test_aside },
	{ "a packet that flushes releases its flow", test_push },
	{ "no packet overtakes at a change of the key", test_change_key },
	{ "a flow is known until eight others came", test_known_flows },
	{ "a class is always in its slot", test_class },
};

#define DIRECTED	((int)ARRAY_SIZE(directed_tests))

static u64 to_number(const char *text)
{
	char *end;
	u64 value = text ? strtoull(text, &end, 0) : 0;

	if (!text || !*text || *end) {
		fprintf(stderr, "%s: not a decimal\n",
			text ? text : "");
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	u64 seed = 0, ops = OPS, runs = SEEDS;
	bool replay = false;
	char name[64];
	int i;

	for (i = 1; i < argc; i += 2) {
		if (!strcmp(argv[i], "--seed")) {
			seed = to_number(argv[i + 1]);
			runs = 1;
			replay = true;
		} else if (!strcmp(argv[i], "--ops")) {
			ops = to_number(argv[i + 1]);
		} else {
			fprintf(stderr, "Usage: engine_test [--seed S] [--ops N]\n"
				"Test the engine of reframer against a model, with %d seeds of\n"
				"%d random operations, or with one seed, as a failure names it.\n",
				SEEDS, OPS);
			return strcmp(argv[i], "--help") ? 2 : 0;
		}
	}

	ktap.context = context;
	ktap_plan((int)runs + (replay ? 0 : DIRECTED));

	for (i = 0; i < DIRECTED && !replay; i++) {
		ktap_begin(directed_tests[i].name, 60);
		directed_tests[i].run();
		ktap_ok();
	}
	for (; runs; runs--, seed++) {
		snprintf(name, sizeof(name),
			 "random operations: %llu, seed %llu", ops, seed);
		ktap_begin(name, 60 + ops / 1000);
		random_run(seed, ops);
		ktap_ok();
	}
	return 0;
}
