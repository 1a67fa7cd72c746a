/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A model of the engine, and the engine as the qdisc uses it.
 *
 * The model is slow and simple: arrays, loops, no trick of the engine's.  Every
 * operation is done to both, then all that can be seen is compared: packets,
 * their order, states, lists, sizes, statistics.  It takes from the engine only
 * what the specification leaves open, and checks what that has promised:
 *  - the slot of a flow: packets of one hash are in one slot, and come back to
 *    it until another flow has had it; two hashes share one only when all ways
 *    of their set are active, or while a slot that was shared for that reason,
 *    or with a class, has not been empty; new flows go around the ways;
 *  - the victim of a drop: none is more than twice as large, and a flow of one
 *    small packet is safe while there is another.
 * The harness uses the engine as the qdisc does, with a timer that may be late
 * or fire for nothing.
 */
#ifndef _REFRAMER_UNIT_ENGINE_MODEL_H
#define _REFRAMER_UNIT_ENGINE_MODEL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "ktap.h"

struct reframer_engine;
static u64 reframer_clock(void);
static bool reframer_timer_queued(const struct reframer_engine *e);
static void reframer_timer_arm(struct reframer_engine *e, u64 expires);
static u32 reframer_timer_latency(const struct reframer_engine *e);
static bool reframer_may_bypass(const struct reframer_engine *e);
static bool reframer_merge(const struct reframer_engine *e, struct sk_buff *last,
			   struct sk_buff *skb);
#define reframer_merge	reframer_merge
#include "reframer_engine.h"
#include "reframer_options.h"

#define FLOWS_MAX	64
#define LIMIT_MAX	200
#define HASHES		256
#define CLASS(slot)	(HASHES + (slot))	/* after the hashes */
#define TAGS		CLASS(FLOWS_MAX)
#define DROP_BATCH	64	/* as in sch_reframer.c */
#define QUOTA		64	/* of packets in one run of the core */
#define NO_LOW_BITS	((u32)BIT(30))	/* a hash; none is 0 */
#define NONE		(-1)
#define OLD_KEY		((int)t.e->conf.flows)	/* the queue after the slots */

struct packet {
	struct sk_buff skb;	/* first */
	int hash;		/* index into t.hash */
	u64 number;		/* among the packets of this index */
	bool segment;		/* it may be merged into the one before */
	struct packet *next;	/* that was merged into this one */
};

/* What the model knows of a packet; the skb itself may change. */
struct entry {
	struct packet *packet;
	u32 hash;
	u32 len;
	u32 memory;
	bool merged;		/* into the one before, with which it leaves */
};

struct history {
	int credit, backoff, skip;
	bool probing;		/* since the arrival */
	bool again;		/* the probe before failed */
	bool good;		/* the probe before was good */
};

struct queue {
	enum { IDLE, HELD, READY } state;
	u64 arrival;
	u32 owner;		/* the hash that found the slot empty last */
	struct history history;	/* of the owner */
	bool useful;		/* its hold, so far */
	bool shared;		/* not empty since another hash came */
	bool overdue;		/* its deadline is over: how many calls of */
	u64 calls, calls_most;	/* reframer_next() since then, and may be? */
	int n;
	struct entry entry[LIMIT_MAX + 1];
};

struct slots {
	int n;
	int slot[FLOWS_MAX + 1];
};

struct model {
	struct entry bypass;
	struct queue queue[FLOWS_MAX + 1];
	int taken[FLOWS_MAX];	/* per set, the way that was taken last */
	struct slots held;
	struct slots ready;
	u64 told;		/* the time, as far as the engine knows it */
	u64 due;		/* flows that arrived until then are due */
	int clock_age;		/* calls since the time was told */
	bool none_due;		/* nothing is due before the timer */
	bool armed;
	int due_bursts;		/* of due flows, since one of a READY flow */
	u64 timer_latency;		/* 8 times the average */
	int sending;		/* slot, or NONE */
	u32 sent_packets, sent_bytes;
	u32 last_in, last_out;
	struct {
		bool now;		/* packets may bypass */
		int seen, unchecked;	/* packets queued, bypassed since the last check */
		u64 packets, joined;	/* since the look began */
		u64 since;
		u64 passed, pace_passed; /* packets that bypassed, since then */
		u64 passed_since, pace_since;
		int factor;		/* of the look, to stand aside next time */
		u64 seen_since;
	} aside;
	struct reframer_stats stats;
	int global_credit;		/* in flows whose probe was good, -32 to 63 */
};

/* What a run must have seen, or it has tested less than it says. */
enum {
	C_DEADLINE, C_FULL, C_PRESSURE, C_NO_DELAY, C_COLLISION_FULL,
	C_COLLISION_SHARED, C_JOIN_READY, C_DUE_BEFORE_READY, C_DUE_AFTER_READY,
	C_DUE_AFTER_OLD_KEY, C_DUE_FLUSH, C_OVERDUE_MOST, C_BURST_DRAINED,
	C_BURST_PACKETS, C_BURST_BYTES, C_BURST_DROPPED, C_DROP_IN_BURST,
	C_DROP_LIMIT, C_DROP_MEMORY, C_DROP_HELD, C_DROP_SMALL_READY,
	C_DROP_SMALL_HELD, C_DROP_NOT_LARGEST, C_DROP_BATCH, C_DROP_NEW_FLOW,
	C_DROP_CHANGE, C_DROP_RESET, C_CHANGE_FULL, C_CHANGE_PRESSURE,
	C_CHANGE_IN_BURST, C_TIMER_LATE, C_TIMER_EARLY, C_TIMER_REARMED,
	C_TIMER_OVERTAKEN, C_CLOCK_OLD, C_SLACK_TOGETHER, C_SLACK_APART,
	C_SLACK_LATE, C_SLACK_ALL, C_HOLD_LAST, C_PUSH, C_CONTROL,
	C_FLUSH_ALONE, C_FLUSH_HELD, C_FLUSH_READY, C_ADAPTIVE, C_SKIP, C_PROBE,
	C_LOOK_PAYS, C_ASIDE, C_ASIDE_FASTER, C_ASIDE_PACKETS,
	C_ASIDE_TIME, C_ASIDE_QUEUED, C_ASIDE_PROBE, C_CHANGE_ASIDE,
	C_PROBE_GOES_ON, C_NEW_SMALL, C_NEW_TRUSTED, C_HOLD_PAIR, C_HOLD_RUN,
	C_PROBE_GOOD, C_PROBE_LATE, C_PROBE_FLUSH, C_PROBE_NO_DELAY, C_CREDIT,
	C_CREDIT_MAX, C_CREDIT_GONE, C_GLOBAL_CREDIT_MAX, C_GLOBAL_CREDIT_MIN, C_PROBE_GLOBAL_HIGH,
	C_PROBE_PATIENCE, C_PROBE_DOUBT,
	C_HOLD_PAID, C_HOLD_WASTED, C_HOLD_NEUTRAL, C_HOLD_LATE,
	C_BACKOFF_LESS, C_BACKOFF_MAX, C_HISTORY_KEPT, C_HISTORY_LOST,
	C_COLLISION_CLASS, C_COLLISION_IN_CLASS, C_CHANGE_KEY_HELD, C_CHANGE_KEY_READY,
	C_CHANGE_KEY_IN_BURST, C_CHANGE_KEY_OLD, C_CHANGE_KEY_OLD_IN_BURST, C_OLD_KEY_FIRST,
	C_OLD_KEY_BURST, C_DROP_OLD_KEY, C_BYPASS_SECOND, C_BYPASS_READY,
	C_BYPASS_PRESSURE, C_BYPASS_DUE, C_BYPASS_LAST, C_BYPASS_PROBE, C_BYPASS_FLUSH,
	C_BYPASS_FOLLOWED, C_BYPASS_HELD, C_CHANGE_KEY_BYPASS, C_DROP_BYPASS,
	C_MERGE, C_MERGE_IN_BURST, C_MERGE_NOT_IN_BURST, C_BURST_MERGED, C_DROP_MERGED,
	C_COVERAGE
};

static const char *const coverage_name[C_COVERAGE] = {
	[C_DEADLINE] = "release by deadline",
	[C_FULL] = "release of a full flow",
	[C_PRESSURE] = "release by pressure",
	[C_NO_DELAY] = "release without delay",
	[C_COLLISION_FULL] = "collision in a full set",
	[C_COLLISION_SHARED] = "collision in a shared slot",
	[C_JOIN_READY] = "packet that joins a READY flow",
	[C_DUE_BEFORE_READY] = "burst of a due flow before READY ones",
	[C_DUE_AFTER_READY] = "due flow that waits for a READY one's burst",
	[C_DUE_AFTER_OLD_KEY] = "due flow that waits for packets of the old key",
	[C_DUE_FLUSH] = "packet that flushes a due flow",
	[C_OVERDUE_MOST] = "due flow that waits for two bursts and more",
	[C_BURST_DRAINED] = "burst that drains its flow",
	[C_BURST_PACKETS] = "burst that ends by burst",
	[C_BURST_BYTES] = "burst that ends by burst_bytes",
	[C_BURST_DROPPED] = "burst that ends by a drop",
	[C_DROP_IN_BURST] = "drop within a burst that goes on",
	[C_DROP_LIMIT] = "drop over limit",
	[C_DROP_MEMORY] = "drop over memory_limit",
	[C_DROP_HELD] = "drop from a HELD flow",
	[C_DROP_SMALL_READY] = "drop of a single small packet, READY",
	[C_DROP_SMALL_HELD] = "drop of a single small packet, HELD",
	[C_DROP_NOT_LARGEST] = "drop from a flow that is not the largest",
	[C_DROP_BATCH] = "drop of a whole batch",
	[C_DROP_NEW_FLOW] = "drop that empties the flow just begun",
	[C_DROP_CHANGE] = "drop by a change",
	[C_DROP_RESET] = "drop by a reset",
	[C_CHANGE_FULL] = "flow that a change makes full",
	[C_CHANGE_PRESSURE] = "pressure by a change",
	[C_CHANGE_IN_BURST] = "change within a burst",
	[C_TIMER_LATE] = "late timer",
	[C_TIMER_EARLY] = "timer for nothing",
	[C_TIMER_REARMED] = "timer armed again",
	[C_TIMER_OVERTAKEN] = "packet that sees that the timer is late",
	[C_CLOCK_OLD] = "call that does not trust the timer",
	[C_SLACK_TOGETHER] = "release before the deadline by slack",
	[C_SLACK_APART] = "release without slack",
	[C_SLACK_LATE] = "slack by a late timer",
	[C_SLACK_ALL] = "slack by a timer so late that it is the delay",
	[C_HOLD_LAST] = "hold in the last entry of the histogram",
	[C_PUSH] = "release by push",
	[C_CONTROL] = "release of a control packet",
	[C_FLUSH_ALONE] = "packet that flushes an IDLE flow",
	[C_FLUSH_HELD] = "packet that flushes a HELD flow",
	[C_FLUSH_READY] = "packet that flushes a READY flow",
	[C_ADAPTIVE] = "release of a flow without credit",
	[C_SKIP] = "packet without credit that is no probe",
	[C_PROBE] = "probe",
	[C_LOOK_PAYS] = "look in which holding paid",
	[C_ASIDE] = "standing aside",
	[C_ASIDE_FASTER] = "a look because packets come faster",
	[C_ASIDE_PACKETS] = "a look after so many packets",
	[C_ASIDE_TIME] = "a look after some time",
	[C_ASIDE_QUEUED] = "packet that is queued while the engine stands aside",
	[C_ASIDE_PROBE] = "probe from before the engine stood aside",
	[C_CHANGE_ASIDE] = "change while the engine stands aside",
	[C_PROBE_GOES_ON] = "probe that no other flow has ended",
	[C_NEW_SMALL] = "small first packet at a high global credit",
	[C_NEW_TRUSTED] = "first packet at a high global credit",
	[C_HOLD_PAIR] = "wasted hold of a pair",
	[C_HOLD_RUN] = "wasted hold of packets with none between them",
	[C_PROBE_GOOD] = "probe that another packet follows in time",
	[C_PROBE_LATE] = "probe that is alone",
	[C_PROBE_FLUSH] = "probe that a packet that flushes ends",
	[C_PROBE_NO_DELAY] = "probe that ends without delay",
	[C_CREDIT] = "hold on credit",
	[C_CREDIT_MAX] = "hold that pays at the most credit",
	[C_CREDIT_GONE] = "hold that costs the last credit",
	[C_GLOBAL_CREDIT_MAX] = "hold that pays at the most global credit",
	[C_PROBE_GLOBAL_HIGH] = "good probe at a high global credit",
	[C_GLOBAL_CREDIT_MIN] = "wasted hold at the least global credit",
	[C_PROBE_DOUBT] = "good probe where holds are wasted",
	[C_PROBE_PATIENCE] = "failed probe at a high global credit",
	[C_HOLD_PAID] = "hold that pays",
	[C_HOLD_WASTED] = "wasted hold",
	[C_HOLD_NEUTRAL] = "hold cut short",
	[C_HOLD_LATE] = "hold too late to prove anything",
	[C_BACKOFF_LESS] = "hold that lowers the backoff",
	[C_BACKOFF_MAX] = "wasted hold at the largest backoff",
	[C_HISTORY_KEPT] = "flow that is known from before",
	[C_HISTORY_LOST] = "flow that is forgotten",
	[C_COLLISION_CLASS] = "class that finds a stranger in its slot",
	[C_COLLISION_IN_CLASS] = "collision in the slot of a class",
	[C_CHANGE_KEY_HELD] = "new key with HELD flows",
	[C_CHANGE_KEY_READY] = "new key with READY flows",
	[C_CHANGE_KEY_IN_BURST] = "new key within a burst",
	[C_CHANGE_KEY_OLD] = "new key with packets left of the one before",
	[C_CHANGE_KEY_OLD_IN_BURST] = "new key within a burst of those",
	[C_OLD_KEY_FIRST] = "packet of the old key before a READY flow",
	[C_OLD_KEY_BURST] = "burst of the old key that another follows",
	[C_DROP_OLD_KEY] = "drop of a packet of the old key",
	[C_BYPASS_SECOND] = "packet that is not held but comes after one that bypasses",
	[C_BYPASS_READY] = "packet that is not held but comes after READY flows",
	[C_BYPASS_PRESSURE] = "packet that is not held, under pressure",
	[C_BYPASS_DUE] = "packet that is not held, while a flow may be due",
	[C_BYPASS_LAST] = "packet that bypasses before a due flow",
	[C_BYPASS_PROBE] = "packet without credit that bypasses",
	[C_BYPASS_FLUSH] = "packet that flushes and bypasses",
	[C_BYPASS_FOLLOWED] = "packet that bypasses, then one of its flow",
	[C_BYPASS_HELD] = "packet that bypasses a HELD flow",
	[C_CHANGE_KEY_BYPASS] = "new key while one bypasses",
	[C_DROP_BYPASS] = "drop of one that bypasses",
	[C_MERGE] = "packet that is merged into the one before",
	[C_MERGE_IN_BURST] = "the same in the flow that is being sent",
	[C_MERGE_NOT_IN_BURST] = "packet that must not be merged into the next to be sent",
	[C_BURST_MERGED] = "burst that ends because the next packets were merged",
	[C_DROP_MERGED] = "drop of packets that were merged",
};

static struct test {
	struct reframer_engine *e;
	struct model m;
	u64 clock, clock_reads;
	bool timer_queued;
	u64 timer_at, timer_latency;	/* it will fire so much later */
	u64 timer_was_late;
	u64 changed_at;		/* which asks for the timer at once */
	bool may_bypass;	/* the qdisc, when it is empty */
	bool crowded;		/* but now and then another CPU is sending */
	u32 hash[TAGS];
	u64 hash_in[TAGS], hash_out[TAGS];	/* packets so far */
	u64 hash_next[TAGS];			/* the number to be sent */
	u64 packets, dropped;
	u64 coverage[C_COVERAGE];
} t;

/* ---------------------------------------------------------- the model */

static u32 bytes_of(const struct entry *entry, int n)
{
	u32 bytes = 0;

	while (n--)
		bytes += entry[n].len;
	return bytes;
}

static u32 queue_bytes(const struct queue *q)
{
	return bytes_of(q->entry, q->n);
}

/* How many packets leave at once: the first one and those that were merged into it */
static int first_packets(const struct queue *q)
{
	int n = 1;

	while (n < q->n && q->entry[n].merged)
		n++;
	return n;
}

static u32 model_qlen(void)
{
	u32 qlen = !!t.m.bypass.packet, i;

	for (i = 0; i <= t.e->conf.flows; i++)
		qlen += t.m.queue[i].n;
	return qlen;
}

static u32 model_memory(void)
{
	u32 memory = 0, i;
	int k;

	if (t.m.bypass.packet)
		memory = t.m.bypass.memory;
	for (i = 0; i <= t.e->conf.flows; i++)
		for (k = 0; k < t.m.queue[i].n; k++)
			memory += t.m.queue[i].entry[k].memory;
	return memory;
}

static bool model_over_limit(void)
{
	return model_qlen() > t.e->conf.limit;
}

static bool model_over_memory(void)
{
	return model_memory() > t.e->conf.memory_limit;
}

/* in the last eighth of a limit */
static bool model_under_pressure(void)
{
	u64 limit = t.e->conf.limit, memory = t.e->conf.memory_limit;

	return model_qlen() >= limit - limit / 8 ||
	       model_memory() >= memory - memory / 8;
}

static bool full(u32 packets, u32 bytes)
{
	return packets >= t.e->conf.burst || bytes >= t.e->conf.burst_bytes;
}

static bool model_full(const struct queue *q)
{
	return full(q->n, queue_bytes(q));
}

/* with the packet that comes */
static bool model_makes_full(const struct queue *q, const struct entry *new)
{
	return full(q->n + 1, queue_bytes(q) + new->len);
}

static void slots_add(struct slots *s, int slot)
{
	s->slot[s->n++] = slot;
}

static void slots_remove(struct slots *s, int slot)
{
	int i = 0;

	while (s->slot[i] != slot)
		i++;
	for (s->n--; i < s->n; i++)
		s->slot[i] = s->slot[i + 1];
}

static bool due(const struct queue *q)
{
	return q->arrival <= t.m.due;
}

static struct queue *oldest_held(void)
{
	return t.m.held.n ? &t.m.queue[t.m.held.slot[0]] : NULL;
}

static bool model_waiting(void)
{
	return oldest_held() && !due(oldest_held());
}

static void model_back_off(struct history *h, int most)
{
	if (h->backoff < most)
		h->backoff++;
	h->skip = (1 << h->backoff) - 1;
}

/* The hold of a flow has ended. */
static void model_learn(struct queue *q, u64 hold)
{
	struct history *h = &q->history;

	if (q->useful && q->n * (u64)t.e->conf.delay <= hold) {
		t.coverage[C_HOLD_LATE]++;
	} else if (q->useful) {
		t.m.stats.holds_paid++;
		t.m.aside.joined += q->n - 1;
		t.coverage[C_HOLD_PAID]++;
		t.coverage[C_CREDIT_MAX] += h->credit == 7;
		t.coverage[C_BACKOFF_LESS] += h->backoff > 0;
		h->credit = h->credit < 4 ? h->credit + 3 : 7;
		t.coverage[C_GLOBAL_CREDIT_MAX] += t.m.global_credit > 60;
		t.m.global_credit = t.m.global_credit < 60 ? t.m.global_credit + 3 : 63;
		if (h->backoff > 0)
			h->backoff--;
	} else if (hold > 0 && hold >= t.e->conf.delay / 2) {
		t.m.stats.holds_wasted++;
		t.coverage[C_HOLD_WASTED]++;
		t.coverage[C_CREDIT_GONE] += h->credit == 1;
		t.coverage[C_BACKOFF_MAX] += h->backoff == 9;
		t.coverage[C_GLOBAL_CREDIT_MIN] += t.m.global_credit == -32;
		if (t.m.global_credit > -32)
			t.m.global_credit--;
		t.coverage[C_HOLD_PAIR] += q->n == 2;
		t.coverage[C_HOLD_RUN] += q->n > 2;
		h->credit -= q->n > 1 ? 2 : 1;
		if (h->credit < 0)
			h->credit = 0;
		if (h->credit == 0)
			model_back_off(h, 9);
	} else {
		t.coverage[C_HOLD_NEUTRAL] += hold > 0;
	}
}

static void model_count_release(enum reframer_reason reason, u64 hold)
{
	struct reframer_stats *s = &t.m.stats;
	int i = 0;

	while (i < REFRAMER_HOLD_HIST_LEN - 1 && hold >= 1ULL << i)
		i++;
	s->releases[reason]++;
	s->hold_hist[i]++;
	s->hold_sum += hold;
	if (hold > s->hold_max)
		s->hold_max = hold;
	if (hold > t.e->conf.delay && hold - t.e->conf.delay > s->late_max)
		s->late_max = hold - t.e->conf.delay;

	t.coverage[C_DEADLINE] += reason == REFRAMER_RELEASE_DEADLINE;
	t.coverage[C_FULL] += reason == REFRAMER_RELEASE_FULL;
	t.coverage[C_PRESSURE] += reason == REFRAMER_RELEASE_PRESSURE;
	t.coverage[C_PUSH] += reason == REFRAMER_RELEASE_PUSH;
	t.coverage[C_CONTROL] += reason == REFRAMER_RELEASE_CONTROL;
	t.coverage[C_ADAPTIVE] += reason == REFRAMER_RELEASE_ADAPTIVE;
	t.coverage[C_HOLD_LAST] += i == REFRAMER_HOLD_HIST_LEN - 1;
}

static void model_release(int slot, enum reframer_reason reason)
{
	struct queue *q = &t.m.queue[slot];
	u64 hold = t.m.told - q->arrival;

	model_learn(q, hold);
	slots_remove(&t.m.held, slot);
	slots_add(&t.m.ready, slot);
	q->state = READY;
	model_count_release(reason, hold);
}

static void model_end_burst(void)
{
	int i = 0;

	while (i < REFRAMER_BURST_HIST_LEN - 1 &&
	       t.m.sent_packets >= 2U << i)
		i++;
	t.m.stats.bursts++;
	t.m.stats.burst_hist[i]++;
	t.m.sending = NONE;
	t.m.sent_packets = 0;
	t.m.sent_bytes = 0;
}

/* A packet comes to a slot: is that allowed? */
static void model_place(int slot, const struct entry *new)
{
	int set = slot - slot % REFRAMER_WAYS, active = 0, i, k;
	bool class = new->packet->hash >= HASHES, known = false;
	int *taken = &t.m.taken[slot / REFRAMER_WAYS];
	struct queue *q = &t.m.queue[slot];

	if (class)
		same(slot, new->packet->hash - HASHES);
	else
		same(slot / REFRAMER_WAYS,
		     new->hash % (t.e->conf.flows / REFRAMER_WAYS));
	for (i = set; i < set + REFRAMER_WAYS; i++) {
		active += t.m.queue[i].n > 0;
		known |= t.m.queue[i].owner == new->hash;
		for (k = 0; k < t.m.queue[i].n; k++)
			check(i == slot ||
			      t.m.queue[i].entry[k].hash != new->hash,
			      "hash %08x is in slot %d, now also in %d",
			      new->hash, i, slot);
	}
	check(!known || q->owner == new->hash,
	      "hash %08x does not come back to its slot", new->hash);

	t.coverage[C_JOIN_READY] += q->state == READY;
	if (q->n) {
		if (q->owner == new->hash)
			return;
		check(class || active == REFRAMER_WAYS || q->shared,
		      "hash %08x shares slot %d although %d are free",
		      new->hash, slot, REFRAMER_WAYS - active);
		t.coverage[class ? C_COLLISION_CLASS :
			   active == REFRAMER_WAYS ? C_COLLISION_FULL :
						     C_COLLISION_SHARED]++;
		t.coverage[C_COLLISION_IN_CLASS] +=
			q->owner == t.hash[CLASS(slot)];
		q->shared = true;
		t.m.stats.collisions++;
		return;
	}
	t.coverage[known ? C_HISTORY_KEPT : C_HISTORY_LOST] +=
		q->history.credit || q->history.backoff;
	if (known)
		return;
	q->owner = new->hash;
	q->history = (struct history) { 0 };
	if (t.m.global_credit >= 32) {
		t.coverage[new->len < 256 ? C_NEW_SMALL : C_NEW_TRUSTED]++;
		q->history.credit = new->len < 256 ? 0 : 5;
	}
	if (class)
		return;
	/* around the set, so that all stay known for about as long */
	do {
		*taken = (*taken + 1) % REFRAMER_WAYS;
	} while (t.m.queue[set + *taken].n);
	same(slot - set, *taken);
}

/* Does a packet of another flow come between this one and the one before? */
static bool model_behind_another(const struct entry *new)
{
	return !t.m.stats.packets_in || new->hash != t.m.last_in;
}

/* Does what the packet that comes changes depend on the time? */
static bool model_needs_time(const struct queue *q, const struct entry *new,
			     enum reframer_flush flush)
{
	const struct history *h = &q->history;

	switch (q->state) {
	case READY:
		return false;
	case HELD:			/* does its hold end, or is it a pair? */
		return flush || model_makes_full(q, new) ||
		       (model_behind_another(new) && !q->useful && q->n == 1 &&
			t.m.told - q->arrival <= t.e->conf.delay / 32);
	default:
		if (h->probing && q->arrival >= t.m.aside.seen_since &&
		    model_behind_another(new))
			return true;
		if (!t.e->conf.delay || flush || model_makes_full(q, new))
			return false;
		if (t.m.aside.now)
			return false;
		if (t.e->conf.adaptive && !h->credit)	/* does a probe begin? */
			return !h->skip &&
			       !(h->probing && q->arrival >= t.m.aside.seen_since);
		return true;			/* a hold begins */
	}
}

static void model_end_probe(struct queue *q)
{
	struct history *h = &q->history;
	bool good = t.m.told - q->arrival <= t.e->conf.delay;
	bool trust = t.m.global_credit >= 32, patience = trust && h->backoff < 3;
	bool doubt = t.m.global_credit <= -16 && !h->good;

	h->probing = false;
	t.m.aside.joined += good;
	h->good = good && doubt;
	if (good) {
		h->credit = trust && h->backoff <= 3 ? 5 : !doubt;
		t.coverage[C_PROBE_DOUBT] += doubt;
	} else if (h->again) {
		model_back_off(h, 3);
		if (patience)
			h->skip = 0;
		t.coverage[C_PROBE_PATIENCE] += patience;
	}
	h->again = !good && !h->again;
	t.coverage[good ? C_PROBE_GOOD : C_PROBE_LATE]++;
	t.coverage[C_PROBE_GLOBAL_HIGH] += good && h->credit == 5;
	t.coverage[C_PROBE_NO_DELAY] += !t.e->conf.delay;
}

/* Is the flow that begins held? */
static bool model_advise(struct history *h)
{
	if (h->credit > 0) {
		t.coverage[C_CREDIT]++;
		return true;
	}
	if (h->probing) {
		t.coverage[C_PROBE_GOES_ON]++;
	} else if (h->skip > 0) {
		h->skip--;
		t.coverage[C_SKIP]++;
	} else {
		h->probing = true;
		t.coverage[C_PROBE]++;
	}
	return false;
}

/* Why a packet is not held */
static enum reframer_reason model_reason(struct queue *q,
					 const struct entry *new,
					 enum reframer_flush flush)
{
	bool begins = q->state == IDLE;

	if (flush == REFRAMER_FLUSH_CONTROL)
		return REFRAMER_RELEASE_CONTROL;
	if (flush == REFRAMER_FLUSH_PUSH)
		return REFRAMER_RELEASE_PUSH;
	t.coverage[C_NO_DELAY] += begins && !t.e->conf.delay;
	if (begins && !t.e->conf.delay)
		return REFRAMER_RELEASE_DEADLINE;
	if (model_makes_full(q, new))
		return REFRAMER_RELEASE_FULL;
	t.coverage[C_ASIDE_QUEUED] += begins && t.m.aside.now;
	if (begins && t.m.aside.now)
		return REFRAMER_RELEASE_ADAPTIVE;
	if (begins && t.e->conf.adaptive && !model_advise(&q->history))
		return REFRAMER_RELEASE_ADAPTIVE;
	if (begins)
		q->history.probing = false;
	return REFRAMER_HOLD;
}

/* Does a packet that is not held bypass the slots? */
static bool model_bypass(const struct entry *new, enum reframer_reason reason)
{
	const struct packet *before = t.m.bypass.packet;

	if (before || t.m.ready.n) {
		t.coverage[C_BYPASS_SECOND] += !!before;
		t.coverage[C_BYPASS_READY] += !before;
		return false;
	}
	if (t.m.held.n && !t.m.none_due) {
		t.coverage[C_BYPASS_DUE]++;
		return false;
	}
	t.m.bypass = *new;
	if (model_under_pressure()) {
		t.coverage[C_BYPASS_PRESSURE]++;
		t.m.bypass.packet = NULL;
		return false;
	}
	t.coverage[C_BYPASS_PROBE] += reason == REFRAMER_RELEASE_ADAPTIVE;
	t.coverage[C_BYPASS_FLUSH] += reason == REFRAMER_RELEASE_PUSH ||
				       reason == REFRAMER_RELEASE_CONTROL;
	model_count_release(reason, 0);
	return true;
}

/* Is a packet merged into the last one of a queue? */
static bool model_merges(int slot, const struct entry *new)
{
	const struct reframer_config *c = &t.e->conf;
	const struct queue *q = &t.m.queue[slot];
	const struct entry *last;
	int n = 1;

	if (!new->packet->segment || !q->n)
		return false;
	while (q->entry[q->n - n].merged)
		n++;
	last = &q->entry[q->n - n];	/* with those merged into it: n packets */
	if (last->packet->hash != new->packet->hash || n >= (int)c->burst ||
	    bytes_of(last, n) + new->len > c->burst_bytes)
		return false;
	if (slot == t.m.sending && n == q->n) {
		t.coverage[C_MERGE_NOT_IN_BURST]++;
		return false;
	}
	t.coverage[C_MERGE]++;
	t.coverage[C_MERGE_IN_BURST] += slot == t.m.sending;
	return true;
}

static void model_arrive(int slot, const struct entry *new,
			 enum reframer_flush flush)
{
	struct reframer_stats *s = &t.m.stats;
	struct queue *q = &t.m.queue[slot];
	enum reframer_reason reason;
	bool begins = q->state == IDLE, bypass = false;
	bool behind = model_behind_another(new), probing;

	s->runs_in += behind;
	t.m.last_in = new->hash;
	s->packets_in++;

	t.coverage[C_FLUSH_ALONE] += flush && q->state == IDLE;
	t.coverage[C_FLUSH_HELD] += flush && q->state == HELD;
	t.coverage[C_FLUSH_READY] += flush && q->state == READY;
	t.coverage[C_BYPASS_FOLLOWED] +=
		begins && t.m.bypass.packet &&
		t.m.bypass.packet->hash == new->packet->hash;

	if (begins && q->history.probing && q->arrival < t.m.aside.seen_since) {
		t.coverage[C_ASIDE_PROBE]++;
		q->history.probing = false;
	}
	if (begins && behind && q->history.probing) {
		t.coverage[C_PROBE_FLUSH] += !!flush;
		model_end_probe(q);
	}
	probing = q->history.probing;
	reason = q->state == READY ? REFRAMER_HOLD : model_reason(q, new, flush);
	if (begins)
		q->useful = false;
	else if (q->state == HELD && behind)
		q->useful |= q->n >= 2 || reason != REFRAMER_HOLD ||
			     t.m.told - q->arrival > t.e->conf.delay / 32;
	if (q->state == HELD && reason != REFRAMER_HOLD && due(q)) {
		t.coverage[C_DUE_FLUSH]++;
		reason = REFRAMER_HOLD;
	}
	if (begins && reason != REFRAMER_HOLD)
		bypass = model_bypass(new, reason);
	if (begins && (!bypass || (q->history.probing && !probing)))
		q->arrival = t.m.told;
	if (bypass)
		return;

	check(q->n <= LIMIT_MAX, "more packets than the limit in one flow");
	q->entry[q->n] = *new;
	q->entry[q->n].merged = model_merges(slot, new);
	q->n++;
	if (begins) {
		q->state = HELD;
		slots_add(&t.m.held, slot);
		if (t.m.held.n + t.m.ready.n > (int)s->flows_peak)
			s->flows_peak = t.m.held.n + t.m.ready.n;
	}
	if (reason != REFRAMER_HOLD)
		model_release(slot, reason);
}

static void model_begin_look(void)
{
	t.m.aside.packets = 0;
	t.m.aside.joined = 0;
	t.m.aside.since = t.m.told;
}

static void model_look_again(int factor)
{
	t.m.aside.now = false;
	t.m.aside.factor = factor < 32 ? factor : 32;
	t.m.aside.seen_since = t.m.told;
	model_begin_look();
}

/* 64 packets more came to the engine. */
static void model_check_look(void)
{
	if (!t.m.aside.since) {
		model_begin_look();
		return;
	}
	t.m.aside.packets += 64;
	if (t.m.told - t.m.aside.since < 8 * (u64)t.e->conf.delay)
		return;
	t.coverage[C_LOOK_PAYS] += t.m.aside.joined >= t.m.aside.packets / 16;
	if (t.m.aside.joined >= t.m.aside.packets / 16 || !t.may_bypass ||
	    !t.e->conf.adaptive) {
		t.m.aside.factor = 1;
		model_begin_look();
		return;
	}
	t.coverage[C_ASIDE]++;
	t.m.aside.now = true;
	t.m.aside.passed = 0;
	t.m.aside.unchecked = 0;
	t.m.aside.pace_passed = 0;
	t.m.aside.passed_since = t.m.told;
	t.m.aside.pace_since = t.m.told;
	t.m.aside.seen_since = U64_MAX;
}

/* 64 packets more have bypassed the qdisc. */
static void model_check_aside(void)
{
	const u64 most = 1ULL << 40;
	u64 time = min_t(u64, t.m.aside.passed_since - t.m.aside.since, most);
	u64 passed = t.m.aside.passed - t.m.aside.pace_passed;
	u64 pace_time = t.m.told - t.m.aside.pace_since;

	if (pace_time >= 2 * (u64)t.e->conf.delay) {
		if ((double)passed * time >
		    2.0 * t.m.aside.packets * min_t(u64, pace_time, most)) {
			t.coverage[C_ASIDE_FASTER]++;
			model_look_again(1);
			return;
		}
		t.m.aside.pace_passed = t.m.aside.passed;
		t.m.aside.pace_since = t.m.told;
	}
	if (t.m.aside.passed >= t.m.aside.packets * t.m.aside.factor) {
		t.coverage[C_ASIDE_PACKETS]++;
		model_look_again(2 * t.m.aside.factor);
	} else if (t.m.told - t.m.aside.passed_since >= time * t.m.aside.factor) {
		t.coverage[C_ASIDE_TIME]++;
		model_look_again(2 * t.m.aside.factor);
	}
}

static void model_make_all_due(void)
{
	t.m.due = t.m.told;
	t.m.none_due = false;
}

static u64 model_slack(void)
{
	const struct reframer_config *c = &t.e->conf;
	u64 slack = c->delay / REFRAMER_SLACK_DIVISOR;

	if (c->slack != REFRAMER_SLACK_AUTO)
		return c->slack;
	if (t.m.timer_latency > slack)
		slack = t.m.timer_latency;
	return slack < c->delay ? slack : c->delay;
}

/* The engine reads the clock: which flows are due? */
static void model_read_clock(void)
{
	const struct reframer_config *c = &t.e->conf;
	const struct queue *q = oldest_held();
	u64 slack = model_slack(), last;

	t.m.told = t.clock;
	t.m.clock_age = 0;
	if (!q || t.m.told < q->arrival + c->delay)
		return;
	t.m.none_due = false;
	last = t.m.told + slack - c->delay;
	if (slack && last == t.m.told)
		last--;			/* not one that begins now */
	if (last > t.m.due)
		t.m.due = last;
	if (c->slack == REFRAMER_SLACK_AUTO) {
		t.coverage[C_SLACK_LATE] += slack > c->delay / REFRAMER_SLACK_DIVISOR;
		t.coverage[C_SLACK_ALL] += slack && slack == c->delay;
	}
}

/* Between two bursts.  Returns when the timer is to fire, or 0 */
static u64 model_dispatch(bool timer_queued)
{
	u64 delay = t.e->conf.delay, late = t.timer_was_late, arm = 0;

	if (model_waiting() && (!timer_queued || t.m.clock_age >= 16)) {
		t.coverage[C_CLOCK_OLD] += timer_queued;
		if (t.m.armed && !timer_queued) {
			t.m.armed = false;
			t.m.stats.timers++;
			t.m.timer_latency = t.m.timer_latency - t.m.timer_latency / 8 +
				       (late < delay ? late : delay);
			t.coverage[C_TIMER_REARMED] +=
				t.clock < oldest_held()->arrival + delay;
		}
		model_read_clock();
		if (model_waiting() && !timer_queued) {
			t.m.armed = true;
			arm = oldest_held()->arrival + delay;
		}
	}
	t.m.none_due = model_waiting();
	return arm;
}

static void model_release_due(void)
{
	struct queue *q = oldest_held();
	int slot, i;
	u64 held;

	if (!q || !due(q) || t.m.queue[OLD_KEY].n ||
	    (t.m.due_bursts == 2 && t.m.ready.n)) {
		t.coverage[C_DUE_AFTER_READY] += q && due(q) &&
						 t.m.due_bursts == 2;
		t.coverage[C_DUE_AFTER_OLD_KEY] += q && due(q) &&
						  t.m.queue[OLD_KEY].n;
		t.m.due_bursts = 0;
		return;
	}
	t.coverage[C_DUE_BEFORE_READY] += t.m.ready.n > 0;
	slot = t.m.held.slot[0];
	held = t.m.told - q->arrival;
	if (held + model_slack() >= t.e->conf.delay) {
		t.coverage[C_SLACK_APART] += !model_slack();
		t.coverage[C_SLACK_TOGETHER] += held < t.e->conf.delay;
		model_release(slot, REFRAMER_RELEASE_DEADLINE);
	} else {
		model_release(slot, REFRAMER_RELEASE_PRESSURE);
	}
	/* before all others */
	for (i = t.m.ready.n - 1; i > 0; i--)
		t.m.ready.slot[i] = t.m.ready.slot[i - 1];
	t.m.ready.slot[0] = slot;
	t.m.due_bursts += t.m.due_bursts < 2;
}

/* Take what leaves first. */
static struct entry model_take(int slot)
{
	struct queue *q = &t.m.queue[slot];
	struct entry first = q->entry[0];
	int n = first_packets(q);

	q->n -= n;
	memmove(q->entry, q->entry + n, q->n * sizeof(*q->entry));
	if (!q->n) {
		slots_remove(q->state == HELD ? &t.m.held : &t.m.ready, slot);
		q->state = IDLE;
		q->overdue = false;
		q->shared = false;
		if (slot == t.m.sending)
			model_end_burst();
	}
	return first;
}

static void model_count_out(const struct entry *entry, int packets)
{
	if (!t.m.stats.packets_out || entry->hash != t.m.last_out)
		t.m.stats.runs_out++;
	t.m.last_out = entry->hash;
	t.m.stats.packets_out += packets;
}

/* The next packet to send; only if there is one. */
static struct entry model_pop(void)
{
	const struct reframer_config *c = &t.e->conf;
	int slot = t.m.ready.slot[0], n, next;
	struct queue *q = &t.m.queue[slot];
	struct entry first;
	bool packets, bytes;

	if (t.m.bypass.packet) {
		first = t.m.bypass;
		t.m.bypass.packet = NULL;
		t.m.stats.bursts++;
		t.m.stats.burst_hist[0]++;
		t.coverage[C_BYPASS_HELD] += t.m.held.n > 0;
		model_count_out(&first, 1);
		return first;
	}
	check(t.m.sending == NONE || t.m.sending == slot,
	      "a burst was cut short");
	t.coverage[C_OLD_KEY_FIRST] += slot == OLD_KEY && t.m.ready.n > 1;
	t.m.sending = slot;
	n = first_packets(q);
	t.m.sent_packets += n;
	t.m.sent_bytes += bytes_of(q->entry, n);
	first = model_take(slot);
	/* packets that were merged do not leave if they make a burst too large */
	next = first_packets(q);
	packets = t.m.sent_packets + next > c->burst;
	bytes = t.m.sent_bytes >= c->burst_bytes ||
		(next > 1 && t.m.sent_bytes + bytes_of(q->entry, next) > c->burst_bytes);
	if (t.m.sending == NONE) {
		t.coverage[C_BURST_DRAINED]++;
	} else if (packets || bytes) {
		t.coverage[C_BURST_MERGED] += t.m.sent_packets < c->burst &&
					      t.m.sent_bytes < c->burst_bytes;
		model_end_burst();
		t.coverage[packets ? C_BURST_PACKETS : C_BURST_BYTES]++;
		if (slot == OLD_KEY) {
			t.coverage[C_OLD_KEY_BURST]++;
		} else {
			slots_remove(&t.m.ready, slot);
			slots_add(&t.m.ready, slot);
		}
	}

	model_count_out(&first, n);
	return first;
}

/* All goes to one queue, which is the first to be sent. */
static void model_change_key(void)
{
	struct queue *old_key = &t.m.queue[OLD_KEY], *q;
	int i, slot;

	t.coverage[C_CHANGE_KEY_BYPASS] += !!t.m.bypass.packet;
	t.coverage[C_CHANGE_KEY_HELD] += t.m.held.n > 0;
	t.coverage[C_CHANGE_KEY_READY] += t.m.ready.n > (old_key->n > 0);
	t.coverage[C_CHANGE_KEY_IN_BURST] += t.m.sending != NONE && t.m.sending != OLD_KEY;
	t.coverage[C_CHANGE_KEY_OLD] += old_key->n > 0;
	t.coverage[C_CHANGE_KEY_OLD_IN_BURST] += t.m.sending == OLD_KEY;

	t.m.told = t.clock;
	while (t.m.held.n)
		model_release(t.m.held.slot[0], REFRAMER_RELEASE_PRESSURE);
	if (t.m.sending != NONE && t.m.sending != OLD_KEY)
		model_end_burst();
	for (i = 0; i < t.m.ready.n; i++) {
		slot = t.m.ready.slot[i];
		if (slot == OLD_KEY)
			continue;
		q = &t.m.queue[slot];
		memcpy(old_key->entry + old_key->n, q->entry,
		       q->n * sizeof(*q->entry));
		old_key->n += q->n;
		q->n = 0;
		q->state = IDLE;
		q->shared = false;
	}
	t.m.ready.n = 0;
	if (old_key->n) {
		old_key->state = READY;
		slots_add(&t.m.ready, OLD_KEY);
	}
}

/* 0: too small; n: from 2^(n-1) to 2^n - 1 bytes */
static int size_class(const struct queue *q)
{
	u32 bytes = queue_bytes(q);
	int class = 0;

	if (q->n == 0 || (q->n == 1 && bytes < 4096))
		return 0;
	for (; bytes; bytes /= 2)
		class++;
	return class < 31 ? class : 31;
}

/* Is this the flow that a drop may take from? */
static void model_check_victim(int slot)
{
	struct queue *q = &t.m.queue[slot];
	u32 largest = 0, rivals = 0, i;

	check(q->n, "drop from an empty flow");
	for (i = 0; i <= t.e->conf.flows; i++) {
		if (!size_class(&t.m.queue[i]))
			continue;
		if (queue_bytes(&t.m.queue[i]) > largest)
			largest = queue_bytes(&t.m.queue[i]);
		rivals += size_class(&t.m.queue[i]) == size_class(q);
	}
	t.coverage[C_DROP_HELD] += q->state == HELD;
	t.coverage[C_DROP_OLD_KEY] += slot == OLD_KEY;
	if (!largest) {
		/* nothing but single small packets: the oldest flow */
		same(slot, t.m.ready.n ? t.m.ready.slot[0] :
					 t.m.held.slot[0]);
		t.coverage[q->state == READY ? C_DROP_SMALL_READY :
					       C_DROP_SMALL_HELD]++;
		return;
	}
	check(size_class(q),
	      "drop of a single small packet, not of a flow of %u bytes",
	      largest);
	check(queue_bytes(q) > largest / 2,
	      "drop from %u bytes in one flow, not from %u",
	      queue_bytes(q), largest);
	if (rivals <= REFRAMER_BACKLOG_SEARCH)
		same(queue_bytes(q), largest);
	t.coverage[C_DROP_NOT_LARGEST] += queue_bytes(q) != largest;
}

/* ------------------------------------------------ engine equals model */

static struct reframer_flow *flow_of(int slot)
{
	return slot == OLD_KEY ? &t.e->old_key : &t.e->flows[slot];
}

static int slot_of(const struct reframer_flow *flow)
{
	return flow == &t.e->old_key ? OLD_KEY : flow - t.e->flows;
}

static const struct reframer_set *set_of(int slot)
{
	return slot == OLD_KEY ? &t.e->old_key_set :
				&t.e->sets[slot / REFRAMER_WAYS];
}

static void check_flow(int slot)
{
	const struct reframer_flow *flow = flow_of(slot);
	const struct queue *q = &t.m.queue[slot];
	const struct sk_buff *skb = flow->head, *last = NULL;
	int i;

	same_at(flow->qlen, q->n, slot);
	same_at(flow->bytes, queue_bytes(q), slot);
	same_at(set_of(slot)->ready >> slot % REFRAMER_WAYS & 1,
		q->state == READY, slot);
	same_at(flow->arrival, q->arrival, slot);
	for (i = 0; i < q->n; i++) {
		if (q->entry[i].merged)
			continue;
		check(skb == &q->entry[i].packet->skb,
		      "wrong packet at position %d of slot %d", i, slot);
		last = skb;
		skb = skb->next;
	}
	if (q->n)
		check(!skb && flow->tail == last, "wrong end of slot %d", slot);
}

static void check_list(const char *name, const struct list_head *list,
		       const struct slots *want)
{
	const struct reframer_flow *flow;
	int i = 0;

	list_for_each_entry(flow, list, node) {
		check(i < want->n && flow == flow_of(want->slot[i]),
		      "slot %d at position %d of the %s list of %d",
		      slot_of(flow), i, name, want->n);
		i++;
	}
	check(i == want->n, "%d flows in the %s list, should be %d",
	      i, name, want->n);
}

/* The flow that is being sent may be smaller than when it was listed. */
static int listed_class(u32 slot)
{
	int class = size_class(&t.m.queue[slot]);
	u8 listed = set_of(slot)->backlog_class[slot % REFRAMER_WAYS];

	return (int)slot == t.m.sending && listed > class ? listed : class;
}

static void check_size_lists(void)
{
	int want[REFRAMER_BACKLOG_CLASSES] = {}, class, slot, n;
	const struct reframer_flow *flow;
	u64 map = 0;
	u32 i;

	for (i = 0; i <= t.e->conf.flows; i++)
		want[listed_class(i)]++;
	want[0] = 0;
	for (class = 0; class < REFRAMER_BACKLOG_CLASSES; class++) {
		n = 0;
		list_for_each_entry(flow, &t.e->by_backlog[class], backlog_node) {
			slot = slot_of(flow);
			same_at(listed_class(slot), class, slot);
			check(n++ < want[class], "too many of class %d", class);
		}
		same_at(n, want[class], class);
		if (n)
			map |= 1ULL << class;
	}
	same(t.e->backlog_map, map);
}

/* What is known of the flow of each way */
static void check_sets(void)
{
	const struct reframer_set *set;
	const struct queue *q;
	u32 i, way;

	for (i = 0; i < t.e->conf.flows; i++) {
		set = &t.e->sets[i / REFRAMER_WAYS];
		way = i % REFRAMER_WAYS;
		q = &t.m.queue[i];
		same_at(set->tag[way], q->owner, i);
		same_at(set->active >> way & 1, q->n > 0, i);
		same_at(set->shared >> way & 1, q->shared, i);
		if (q->state == HELD)
			same_at(set->adaptive.useful >> way & 1, q->useful, i);
		same_at(set->adaptive.probing >> way & 1, q->history.probing, i);
		same_at(set->adaptive.probe_failed >> way & 1, q->history.again, i);
		same_at(set->adaptive.probe_good >> way & 1, q->history.good, i);
		same_at(set->adaptive.flow[way].credit, q->history.credit, i);
		same_at(set->adaptive.flow[way].backoff, q->history.backoff, i);
		same_at(set->adaptive.flow[way].skip, q->history.skip, i);
	}
}

static struct reframer_stats stats(void)
{
	struct reframer_stats s;

	reframer_sum_stats(t.e, &s);
	return s;
}

static void check_stats(void)
{
	const struct reframer_stats sums = stats(), *s = &sums;
	const struct reframer_stats *w = &t.m.stats;
	u64 sum = 0;
	int i;

	same(t.e->global_credit, t.m.global_credit);
	same(s->packets_in, w->packets_in);
	same(s->runs_in, w->runs_in);
	same(s->packets_out, w->packets_out);
	same(s->runs_out, w->runs_out);
	same(s->bursts, w->bursts);
	for (i = 0; i < REFRAMER_BURST_HIST_LEN; i++)
		same_at(s->burst_hist[i], w->burst_hist[i], i);
	for (i = 0; i < REFRAMER_RELEASE_REASONS; i++)
		same_at(s->releases[i], w->releases[i], i);
	same(s->holds_paid, w->holds_paid);
	same(s->holds_wasted, w->holds_wasted);
	same(s->hold_sum, w->hold_sum);
	same(s->hold_max, w->hold_max);
	for (i = 0; i < REFRAMER_HOLD_HIST_LEN; i++) {
		same_at(s->hold_hist[i], w->hold_hist[i], i);
		sum += s->hold_hist[i];
	}
	for (i = 0; i < REFRAMER_RELEASE_REASONS; i++)
		sum -= s->releases[i];
	check(!sum, "releases and hold histogram differ");
	same(s->late_max, w->late_max);
	same(s->timers, w->timers);
	same(t.e->timer_latency, t.m.timer_latency);
	same(s->collisions, w->collisions);
	same(s->flows_held, t.m.held.n);
	same(s->flows_ready, t.m.ready.n);
	same(s->flows_peak, w->flows_peak);
}

/* What the engine reads */
static u64 reframer_clock(void)
{
	t.clock_reads++;
	return t.clock;
}

static void check_all(void)
{
	struct reframer_engine *e = t.e;
	u32 i;

	for (i = 0; i <= e->conf.flows; i++)
		check_flow(i);
	check(e->bypass == (t.m.bypass.packet ? &t.m.bypass.packet->skb :
						    NULL),
	      "wrong packet bypasses");
	same(e->now, t.m.told);
	same(e->stands_aside, t.m.aside.now);
	same(e->aside.seen_since, t.m.aside.seen_since);
	same(e->none_due, t.m.none_due);
	same(e->due_bursts, t.m.due_bursts);
	same(e->qlen, model_qlen());
	same(e->memory, model_memory());
	check_list("HELD", &e->held, &t.m.held);
	check_list("READY", &e->ready, &t.m.ready);
	for (i = 1; (int)i < t.m.held.n; i++)
		check(t.m.queue[t.m.held.slot[i - 1]].arrival <=
		      t.m.queue[t.m.held.slot[i]].arrival,
		      "HELD flows not in the order of arrival");
	check_size_lists();
	check_sets();
	check_stats();
	check(e->sending == (t.m.sending == NONE ? NULL : flow_of(t.m.sending)),
	      "wrong burst");
	same(reframer_over_limit(e), model_over_limit());
	same(reframer_over_memory(e), model_over_memory());
	same(reframer_under_pressure(e), model_under_pressure());
	same(reframer_oldest_waits(e), model_waiting());
	if (oldest_held())
		same(reframer_deadline(e),
		     oldest_held()->arrival + e->conf.delay);
}

/* ------------------------------------ the engine, used as by the qdisc */

/* As the module does it: a packet becomes a part of the last one of its flow. */
static bool reframer_merge(const struct reframer_engine *e, struct sk_buff *last,
			   struct sk_buff *skb)
{
	struct reframer_skb_cb *cb = reframer_skb_cb(last);
	struct packet *first = (struct packet *)last;
	struct packet *packet = (struct packet *)skb;

	if (!packet->segment || packet->hash != first->hash ||
	    cb->packets >= e->conf.burst ||
	    last->cb.pkt_len + skb->cb.pkt_len > e->conf.burst_bytes)
		return false;
	cb->packets++;
	cb->memory += reframer_skb_cb(skb)->memory;
	last->cb.pkt_len += skb->cb.pkt_len;
	while (first->next)
		first = first->next;
	first->next = packet;
	return true;
}

/*
 * A packet has left the engine, sent or dropped, with those that were merged into it.
 * Returns how many.
 */
static int leave(struct sk_buff *skb, const struct entry *want, bool sent)
{
	struct packet *packet = (struct packet *)skb, *next;
	int packets = reframer_packets(skb), n = 0;

	check(packet == want->packet, "wrong packet");
	check(!skb->next, "a packet still has a successor");
	same(reframer_skb_cb(skb)->hash, want->hash);
	for (; packet; packet = next, n++) {
		t.hash_out[packet->hash]++;
		if (sent) {
			check(packet->number >= t.hash_next[packet->hash],
			      "packet %llu of hash %08x out of order",
			      packet->number, want->hash);
			t.hash_next[packet->hash] = packet->number + 1;
		}
		next = packet->next;
		free(packet);
	}
	same(packets, n);
	return n;
}

static bool reframer_timer_queued(const struct reframer_engine *e)
{
	(void)e;
	return t.timer_queued;
}

static u32 reframer_timer_latency(const struct reframer_engine *e)
{
	(void)e;
	return t.timer_was_late;
}

static bool reframer_may_bypass(const struct reframer_engine *e)
{
	(void)e;
	return t.may_bypass;
}

static void reframer_timer_arm(struct reframer_engine *e, u64 expires)
{
	(void)e;
	t.timer_queued = true;
	t.timer_at = expires;
	t.timer_latency = below(4) ? 0 : below(2 * (u64)t.e->conf.delay + 2);
}

/* Drop what is to be dropped first.  Returns how many packets that is. */
static int evict(void)
{
	struct reframer_flow *victim;
	struct sk_buff *skb;
	struct entry want;
	bool in_burst;
	int slot, n;

	skb = reframer_drop(t.e, &victim);
	if (!skb) {
		check(!model_qlen(), "nothing to drop");
		return 0;
	}
	if (!victim) {
		same(model_qlen(), 1);
		check(t.m.bypass.packet, "no flow to drop from");
		leave(skb, &t.m.bypass, false);
		t.m.bypass.packet = NULL;
		t.coverage[C_DROP_BYPASS]++;
		t.dropped++;
		return 1;
	}
	slot = slot_of(victim);
	model_check_victim(slot);
	in_burst = slot == t.m.sending;
	want = model_take(slot);
	if (in_burst)
		t.coverage[t.m.sending == NONE ? C_BURST_DROPPED :
					      C_DROP_IN_BURST]++;
	n = leave(skb, &want, false);
	t.coverage[C_DROP_MERGED] += n > 1;
	t.dropped += n;
	return n;
}

static void overlimit(int slot)
{
	int packets = 0, n;

	do {
		t.coverage[model_over_limit() ? C_DROP_LIMIT :
						C_DROP_MEMORY]++;
		n = evict();
		check(n, "over the limit with nothing");
		packets += n;
		check_all();
	} while (packets < DROP_BATCH && (reframer_over_limit(t.e) ||
					  reframer_over_memory(t.e)));
	t.coverage[C_DROP_BATCH] += packets >= DROP_BATCH;
	t.coverage[C_DROP_NEW_FLOW] += t.m.queue[slot].n == 0;
}

/* As the core counts a packet for the statistics */
static u32 segments(u32 len)
{
	return len < 10000 ? 1 : len / 1000;
}

/* The core sends the packet itself: it bypasses the qdisc, which stands aside. */
static void pass(struct packet *packet, u32 n)
{
	check(packet->number >= t.hash_next[packet->hash],
	      "a packet that bypasses the qdisc is out of order");
	t.hash_next[packet->hash] = packet->number + 1;
	t.hash_out[packet->hash]++;
	free(packet);
	reframer_bypassed(t.e, n);

	t.m.aside.passed += n;
	t.m.aside.unchecked += n;
	if (t.m.aside.unchecked >= 64) {
		t.m.aside.unchecked = 0;
		model_read_clock();
		model_check_aside();
	}
	check_all();
}

/* A socket pays for a packet whose truesize is odd enough. */
static void enqueue_flush(int hash, u32 len, u32 truesize,
			  enum reframer_flush flush)
{
	bool paid = truesize % 16 == 15;
	struct packet *packet = calloc(1, sizeof(*packet));
	struct entry entry = { packet, t.hash[hash], len, paid ? 0 : truesize, false };
	u64 clock_reads = t.clock_reads;
	bool needs_time, pressed, looks;
	int slot;

	packet->skb.next = (void *)1;	/* as the core may leave it */
	packet->skb.truesize = truesize;
	packet->skb.wmem = paid;
	packet->skb.cb.pkt_len = len;
	packet->hash = hash;
	packet->number = t.hash_in[hash]++;
	packet->segment = t.e->conf.coalesce && below(4);
	t.packets++;

	if (t.m.aside.now && !model_qlen() && !(t.crowded && !below(16))) {
		pass(packet, segments(len));
		return;
	}
	if (hash < HASHES)
		slot = reframer_flow_find(t.e, t.hash[hash]);
	else
		slot = reframer_flow_at(t.e, hash - HASHES, t.hash[hash]);
	model_place(slot, &entry);
	looks = ++t.m.aside.seen == 64;
	if (looks) {
		t.m.aside.seen = 0;
		looks = !t.m.aside.now;
	}
	if (looks) {
		model_read_clock();
		model_check_look();
	}
	needs_time = model_needs_time(&t.m.queue[slot], &entry, flush);
	pressed = reframer_arrive(t.e, slot, &packet->skb, t.hash[hash], flush);
	t.clock_reads -= looks;		/* not what directed tests count */
	same(t.clock_reads - clock_reads, needs_time);
	if (needs_time) {
		t.coverage[C_TIMER_OVERTAKEN] += oldest_held() && t.clock >
			oldest_held()->arrival + t.e->conf.delay;
		model_read_clock();
	}
	model_arrive(slot, &entry, flush);
	same(pressed, model_under_pressure());
	if (pressed)
		model_make_all_due();
	if (!below(8)) {
		packet->skb.truesize += 1000;
		packet->skb.wmem = !paid;
	}
	check_all();

	if (!pressed)
		return;
	if (reframer_over_limit(t.e) || reframer_over_memory(t.e))
		overlimit(slot);
}

/* So many calls of reframer_next() may a flow wait, see reframer_engine.h. */
static u64 calls_most(int due_before)
{
	return REFRAMER_CLOCK_AGE_MAX +
	       (2 + due_before + due_before / 2) * (u64)t.e->conf.burst +
	       t.m.queue[OLD_KEY].n;
}

/* One call more for all flows whose deadline is over */
static void count_calls(void)
{
	struct queue *q;
	int i;

	for (i = 0; i < t.m.held.n; i++) {
		q = &t.m.queue[t.m.held.slot[i]];
		if (q->overdue || q->arrival + t.e->conf.delay > t.clock)
			continue;
		q->overdue = true;
		q->calls = 0;
		q->calls_most = calls_most(i);
	}
	for (i = 0; i < (int)t.e->conf.flows; i++)
		t.m.queue[i].calls += t.m.queue[i].overdue;
}

/* A packet of @slot was sent, or none. */
static void check_calls(int slot)
{
	struct queue *q;
	int i;

	for (i = 0; i < (int)t.e->conf.flows; i++) {
		q = &t.m.queue[i];
		if (i == slot || !q->n) {
			t.coverage[C_OVERDUE_MOST] +=
				q->overdue && q->calls > 2 * t.e->conf.burst + 1;
			q->overdue = false;
		}
		check(!q->overdue || q->calls <= q->calls_most,
		      "slot %d is overdue for more than %llu calls",
		      i, q->calls_most);
	}
}

static bool dequeue(void)
{
	struct reframer_engine *e = t.e;
	bool queued = t.timer_queued, due, none_due, bypass;
	int slot = NONE;
	struct sk_buff *skb;
	struct entry want;
	u64 arm = 0;

	count_calls();
	due = reframer_check_due(e);
	skb = reframer_is_idle(e, due) ? NULL : reframer_next(e, due);

	none_due = !t.m.held.n || (t.m.none_due && ++t.m.clock_age < 16 && queued);
	bypass = t.m.bypass.packet;
	if (bypass && !none_due) {
		t.m.none_due = false;
		t.coverage[C_BYPASS_LAST]++;
	} else if (!bypass && t.m.sending == NONE &&
		   (!none_due || t.m.ready.n)) {
		arm = model_dispatch(queued);
		model_release_due();
	}
	check(!skb == !(bypass || t.m.ready.n), "%s to send",
	      skb ? "nothing" : "there is a packet");
	if (arm)
		check(t.timer_queued && t.timer_at == arm,
		      "the timer is not armed for the oldest flow");
	if (skb) {
		if (!bypass)
			slot = t.m.ready.slot[0];
		want = model_pop();
		leave(skb, &want, true);
	} else if (oldest_held()) {
		check(model_waiting(), "nothing to send, although a flow is due");
		/* it must come back in time */
		check(t.timer_queued &&
		      (t.timer_at <= oldest_held()->arrival + e->conf.delay ||
		       t.timer_at == t.changed_at),
		      "no timer for the oldest flow");
	}
	check_calls(slot);
	check_all();
	return skb;
}

/* The timer fires, maybe too early */
static void expire(void)
{
	t.timer_was_late = t.clock > t.timer_at ? t.clock - t.timer_at : 0;
	t.timer_queued = false;
}

static void run(void)
{
	int quota = QUOTA;

	while (quota-- && dequeue())
		;
}

/* The timer fires; after that nothing is held past its deadline. */
static void drain(void)
{
	do {
		expire();
		while (dequeue())
			;
	} while (t.timer_queued && t.timer_at <= t.clock);
	check(!oldest_held() ||
	      oldest_held()->arrival + t.e->conf.delay > t.clock,
	      "a flow is held past its deadline");
}

static void clock_advance(u64 ns)
{
	t.clock += ns;
	if (!t.timer_queued || t.clock < t.timer_at + t.timer_latency)
		return;
	t.coverage[C_TIMER_LATE] += t.clock > t.timer_at;
	expire();
	run();
}

static void change(const struct reframer_config *conf)
{
	struct reframer_engine *e = t.e;
	struct slots held;
	int i;

	if (conf->key != e->conf.key) {
		reframer_change_key(e, t.clock);
		model_change_key();
		check_all();
	}
	e->conf = *conf;
	reframer_configure(e);
	while (reframer_over_limit(e) || reframer_over_memory(e)) {
		check(evict(), "over the limit with nothing");
		check_all();
		t.coverage[C_DROP_CHANGE]++;
	}
	t.coverage[C_CHANGE_IN_BURST] += t.m.sending != NONE;
	reframer_config_changed(e, t.clock);
	t.changed_at = t.clock;
	reframer_timer_arm(e, t.changed_at);

	t.m.told = t.clock;
	t.m.armed = false;
	t.m.none_due = false;
	t.coverage[C_CHANGE_ASIDE] += t.m.aside.now;
	for (i = 0; i < (int)e->conf.flows; i++)
		t.m.queue[i].overdue = false;
	held = t.m.held;
	for (i = 0; i < held.n; i++) {
		if (model_full(&t.m.queue[held.slot[i]])) {
			model_release(held.slot[i], REFRAMER_RELEASE_FULL);
			t.coverage[C_CHANGE_FULL]++;
		}
	}
	t.m.aside.seen = 0;
	model_look_again(1);
	if (model_under_pressure()) {
		t.coverage[C_CHANGE_PRESSURE] += t.m.held.n > 0;
		model_make_all_due();
	}
	check_all();
}

static void reset(void)
{
	t.timer_queued = false;
	t.e->armed = false;
	t.m.armed = false;
	while (evict())
		t.coverage[C_DROP_RESET]++;
	check_all();
}

static void create(const struct reframer_config *conf)
{
	struct reframer_engine *e = calloc(1, sizeof(*e));
	size_t sets = reframer_sets(conf) * sizeof(*e->sets);
	int i;

	e->conf = *conf;
	e->sets = aligned_alloc(64, sets);
	memset(e->sets, 0, sets);
	e->flows = calloc(conf->flows, sizeof(*e->flows));
	reframer_engine_init(e);
	t.e = e;
	memset(&t.m, 0, sizeof(t.m));
	t.m.sending = NONE;
	t.m.aside.factor = 1;
	for (i = 0; i < FLOWS_MAX; i++)
		t.m.taken[i] = REFRAMER_WAYS - 1;
	memset(t.hash_in, 0, sizeof(t.hash_in));
	memset(t.hash_out, 0, sizeof(t.hash_out));
	memset(t.hash_next, 0, sizeof(t.hash_next));
	check_all();
}

/* What came has left. */
static void destroy(void)
{
	int i;

	reset();
	for (i = 0; i < TAGS; i++)
		same_at(t.hash_out[i], t.hash_in[i], i);
	free(t.e->sets);
	free(t.e->flows);
	free(t.e);
	t.e = NULL;
}

/*
 * Hashes at random, in one @set, in one set and @way, and small numbers.  They
 * are none of the tags of classes.  So many of them @merge into one.
 */
static void set_hashes(u32 set, u32 way, u32 merge)
{
	int i;

	for (i = 0; i < HASHES; i++) {
		t.hash[i] = random64();
		if (i / 64 == 1)
			t.hash[i] = (t.hash[i] & ~0xffU) | set;
		else if (i / 64 == 2)
			t.hash[i] = (t.hash[i] & 0xfff8ff00) | way << 16 | set;
		else if (i / 64 == 3)
			t.hash[i] = i % 64 ? (u32)i : NO_LOW_BITS;
		t.hash[i] = t.hash[i - i % merge];
	}
	for (i = 0; i < FLOWS_MAX; i++)
		t.hash[CLASS(i)] = i + 1;
}

#endif
