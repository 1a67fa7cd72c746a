// SPDX-License-Identifier: GPL-2.0
/*
 * A fuzzer for the engine: bytes are operations, and everything that the engine does
 * is compared with the model.
 */
#define CORPUS		"engine"
#define FUZZ_PREFIXES	false
#include "fuzz.h"
#include "engine_model.h"

#define LEN_MAX		(16 << 20)	/* so that no sum overflows */
#define TRUESIZE_MAX	(16 << 20)

/* seen in all inputs */
static u64 seen[C_COVERAGE];

static bool room(void)
{
	return model_qlen() <= LIMIT_MAX;
}

/* A byte says how large the packet is, whether it flushes, and who drains. */
static void fuzz_enqueue(int hash, u32 kind)
{
	static const u32 lens[] = { 1, 60, 100, 255, 1514, 4095, 4096 };
	u32 flush = kind & 3, size = kind >> 2 & 7, len, truesize;

	if (!room())
		return;
	len = size < ARRAY_SIZE(lens) ? lens[size] : input_value(1, LEN_MAX);
	truesize = kind & 0x20 ? input_value(1, TRUESIZE_MAX) : 256 + len;
	enqueue_flush(hash, len, truesize,
		      flush <= REFRAMER_FLUSH_CONTROL ? flush : REFRAMER_NO_FLUSH);
	if (kind & 0x40)
		dequeue();
	if (kind & 0x80)
		run();
}

static void fuzz_hashes(u32 how)
{
	static const u32 merge[] = { 1, 1, 4, 64 };

	set_hashes(how & 7, how >> 3 & 7, merge[how >> 6]);
}

/* Packets of one flow, of two in turn, or of as many flows, with a pause after each */
static void fuzz_train(bool few)
{
	u32 n = input_byte(), hash = input_byte(), kind = input_byte() & ~0x20;
	u32 gap = input_value(0, 1 << 30), flows, i;

	flows = !few ? HASHES : n & 0x10 ? 2 : 1;
	for (i = 0; i <= (n < 0xf0 ? n % 16 : n); i++) {
		fuzz_enqueue((hash + i % flows) % HASHES, kind);
		clock_advance(gap);
	}
}

/* The options that follow; the last one has a byte below 0x80. */
static void fuzz_options(struct reframer_config *c, bool key)
{
	u32 what;

	do {
		what = input_byte();
		switch (what % 16) {
		case 0:
		case 1:
			c->delay = input_value(0, REFRAMER_DELAY_MAX);
			break;
		case 2:
		case 3:
			c->slack = input_value(0, REFRAMER_DELAY_MAX);
			break;
		case 4:
			c->burst = input_value(REFRAMER_BURST_MIN,
					       REFRAMER_BURST_MAX);
			break;
		case 5:
			c->burst_bytes = input_value(REFRAMER_BURST_BYTES_MIN,
						     REFRAMER_BURST_BYTES_MAX);
			break;
		case 6:
		case 7:
			c->limit = input_value(REFRAMER_LIMIT_MIN,
					       REFRAMER_LIMIT_MAX);
			break;
		case 8:
		case 9:
			c->memory_limit =
				input_value(REFRAMER_MEMORY_LIMIT_MIN,
					    REFRAMER_MEMORY_LIMIT_MAX);
			break;
		case 10:
			if (key)
				c->key = !c->key;
			break;
		case 11:
			c->adaptive = !c->adaptive;
			break;
		case 12:
			c->push = !c->push;
			break;
		case 13:
			c->slack = c->slack == REFRAMER_SLACK_AUTO ?
				   c->delay / 4 : REFRAMER_SLACK_AUTO;
			break;
		case 14:
			c->coalesce = !c->coalesce;
			break;
		}
	} while (what & 0x80);
	if (c->slack != REFRAMER_SLACK_AUTO)
		c->slack = min_t(u32, c->slack, c->delay);
}

static void fuzz_change(void)
{
	struct reframer_config conf = t.e->conf;

	fuzz_options(&conf, true);
	if (conf.key != t.e->conf.key) {
		change(&conf);
		fuzz_hashes(input_byte());
	} else {
		change(&conf);
	}
}

/* to the deadline of the oldest HELD flow, or just before or after it */
static void fuzz_wait(u32 beside)
{
	u64 deadline;

	if (!oldest_held())
		return;
	deadline = oldest_held()->arrival + t.e->conf.delay + beside % 4;
	if (deadline > t.clock + 2)
		clock_advance(deadline - t.clock - 2);
}

static void fuzz_operation(void)
{
	u32 what = input_byte();
	int hash;

	switch (what % 16) {
	case 0:
	case 1:
	case 2:
		hash = input_byte();
		fuzz_enqueue(hash, input_byte());
		break;
	case 3:
		hash = CLASS(input_byte() % t.e->conf.flows);
		fuzz_enqueue(hash, input_byte());
		break;
	case 4:
	case 5:
		fuzz_train(what & 1);
		break;
	case 6:
		fuzz_change();
		break;
	case 7:
		dequeue();
		break;
	case 8:
		run();
		break;
	case 9:
		clock_advance(what >> 4);
		break;
	case 10:
		clock_advance(input_value(0, U32_MAX));
		break;
	case 11:
		fuzz_wait(what >> 4);
		break;
	case 12:	/* a spurious timer expiry */
		t.coverage[C_TIMER_EARLY] += t.timer_queued &&
					     t.clock < t.timer_at;
		expire();
		run();
		break;
	case 13:
		reframer_make_all_due(t.e);
		model_make_all_due();
		check_all();
		break;
	case 14:
		drain();
		break;
	case 15:
		reset();
		break;
	}
}

static void fuzz_one(const u8 *data, size_t len)
{
	static const u32 flows[] = { 8, 16, 32, FLOWS_MAX };
	struct reframer_config conf = reframer_defaults;
	int i;

	input.at = data;
	input.len = len;
	random_seed = 0;
	memset(t.coverage, 0, sizeof(t.coverage));
	t.clock = 1000000000;
	conf.slack = conf.delay / REFRAMER_SLACK_DIVISOR;
	conf.limit = LIMIT_MAX;
	conf.flows = flows[input_byte() % ARRAY_SIZE(flows)];
	fuzz_hashes(input_byte());
	fuzz_options(&conf, false);
	create(&conf);
	t.may_bypass = true;
	t.crowded = true;
	while (!input_ended())
		fuzz_operation();
	destroy();
	for (i = 0; i < C_COVERAGE; i++) {
		fuzz_saw(i, t.coverage[i]);
		seen[i] += t.coverage[i];
	}
}

static void fuzz_end(void)
{
	int i;

	for (i = 0; i < C_COVERAGE; i++)
		check(seen[i], "never seen: %s", coverage_name[i]);
}
