/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The engine of reframer: flow table, lists and release decisions.
 *
 * A flow is IDLE (no packets), HELD (its packets wait until the oldest one has
 * waited for `delay`) or READY (to be sent now).  HELD flows are listed in the
 * order of arrival, which is also the order of their deadlines, as all have the
 * same delay.  READY flows are sent one after the other, a burst each.
 *
 *   reframer_flow_find(), reframer_flow_at()      the slot of a packet's flow
 *   reframer_arrive()  IDLE -> HELD or READY      a packet joins its flow
 *   reframer_next()    HELD -> READY -> IDLE      the next packet to send
 *   reframer_drop()                               the next packet to drop
 *
 * Fast path: if nothing else is queued, a packet that does not need to be held
 * bypasses the flow table.  Most packets do, so that path touches the least memory:
 * the cache line of the set, and none of the flow's.
 *
 * From the deadline of a flow until its first packet leaves, reframer_next()
 * returns at most
 *
 *   REFRAMER_CLOCK_AGE_MAX + (2 + k + k / REFRAMER_DUE_BURSTS) * burst
 *
 * other packets, where k is the number of flows that were due before it:
 *  - the clock is read when the timer has expired, or if that is late, in one of
 *    REFRAMER_CLOCK_AGE_MAX calls, at the end of the burst;
 *  - from then on READY flows have one burst after REFRAMER_DUE_BURSTS of due ones.
 * Only packets queued before a change of the key may come in between.
 *
 * Nothing here sleeps, allocates, takes a lock or loops over more than the eight
 * ways of a set.  There is no global state: the module includes this file after
 * the kernel's headers, the unit tests after a few lines that stand in for them.
 * Both define before what the engine needs of the world:
 *
 *   u64 reframer_clock()            the time, in ns
 *   bool reframer_timer_queued(e)   the timer is armed and has not expired
 *   void reframer_timer_arm(e, ns)  have reframer_next() called at that time
 *   u32 reframer_timer_latency(e)   ns, how late it was when it expired last
 *   bool reframer_may_bypass(e)     packets may bypass the qdisc when it is empty
 *
 * The caller serialises all calls.
 */
#ifndef _REFRAMER_ENGINE_H
#define _REFRAMER_ENGINE_H

#include <linux/pkt_sch_reframer.h>

#define REFRAMER_WAYS		8

#include "reframer_adaptive.h"
#include "reframer_aside.h"
#include "reframer_flush.h"

/* So many calls of reframer_next() may trust a timer that should not be late. */
#define REFRAMER_CLOCK_AGE_MAX	16

/* So many bursts of due flows in a row are sent while READY flows wait. */
#define REFRAMER_DUE_BURSTS	2

#define REFRAMER_SLACK_DIVISOR	4	/* automatic: delay / 4, or more */

#define REFRAMER_BURST_HIST_LEN	17	/* the last: 65536 packets and more */
#define REFRAMER_HOLD_HIST_LEN	29	/* the last: 2^27 ns and more */

/* Flows by backlog; a single packet below this size is not worth listing. */
#define REFRAMER_BACKLOG_MIN		4096
#define REFRAMER_BACKLOG_CLASSES	32	/* the last: 2^30 bytes and more */
#define REFRAMER_BACKLOG_SEARCH		8

/* Sees every release; the module hangs its tracepoint there. */
#ifndef reframer_on_release
#define reframer_on_release(e, head, packets, bytes, hold, reason)	\
	do { } while (0)
#endif

/*
 * Can the packet become part of the last one of its flow?  Then it is gone.  The module
 * coalesces here.
 */
#ifndef reframer_merge
#define reframer_merge(e, last, skb)	false
#endif

/* Why a flow is released, as in the statistics of the UAPI header */
enum reframer_reason {
	REFRAMER_RELEASE_DEADLINE,
	REFRAMER_RELEASE_FULL,
	REFRAMER_RELEASE_PRESSURE,
	REFRAMER_RELEASE_PUSH,
	REFRAMER_RELEASE_CONTROL,
	REFRAMER_RELEASE_ADAPTIVE,
	REFRAMER_RELEASE_REASONS,
	REFRAMER_HOLD = REFRAMER_RELEASE_REASONS	/* it is not */
};

/* Why a packet is dropped; the caller counts. */
enum reframer_drop_cause {
	REFRAMER_DROP_LIMIT,
	REFRAMER_DROP_MEMORY,
	REFRAMER_DROP_CHANGE,
	REFRAMER_DROP_RESET,
	REFRAMER_DROP_FILTER,
	REFRAMER_DROP_CAUSES
};

/* A packet that may be a segment of a GSO packet: offsets from its data, in bytes */
struct reframer_segment {
	u16 len;		/* of the payload */
	u8 network;
	u8 transport;
	u8 payload;
	u8 protocol;
	u8 ipv6;
	u8 flags;		/* REFRAMER_GSO_*, in reframer_coalesce.h */
};

/* What the engine keeps in the private bytes of skb->cb. */
struct reframer_skb_cb {
	u32 hash;
	u32 memory;		/* as counted; the skb's truesize may change */
	u16 packets;		/* more than one after reframer_merge() */
	struct reframer_segment segment;	/* for that */
};

/* The options, as in the UAPI header; those read with every packet first. */
struct reframer_config {
	u32 delay;
	u32 flows;
	u32 key;
	u8 adaptive;
	u8 push;
	u8 coalesce;
	u32 slack;
	u32 burst;
	u32 burst_bytes;
	u32 limit;
	u32 memory_limit;
};

/*
 * Eight flows that a hash can choose from.  A tag outlives its flow's packets
 * until the way is needed.
 *
 * When all ways are active, a newcomer shares one of them.  Its hash alone says
 * which, and until that way is empty, newcomers go on sharing it although other
 * ways have become free: the first one may have been of the same flow, and the
 * packets of a flow must stay in one queue.
 */
struct reframer_set {
	u32 tag[REFRAMER_WAYS];
	struct reframer_adaptive adaptive;
	u8 active;		/* mask of ways that have packets */
	u8 ready;		/* mask of ways that are READY */
	u8 shared;		/* mask of ways with packets of several tags */
	u8 next_way;		/* the way after the one that was taken last */
	u8 backlog_class[REFRAMER_WAYS];	/* as listed; 0: not */
};

/* One cache line. */
struct reframer_flow {
	struct sk_buff *head;
	struct sk_buff *tail;
	struct list_head node;	/* on held or ready */
	struct list_head backlog_node;	/* on by_backlog */
	u64 arrival;		/* of the oldest packet, or of the probe */
	u32 bytes;
	u32 qlen;		/* 0: IDLE */
};

struct reframer_stats {
	u64 packets_in;
	u64 runs_in;
	u64 packets_out;
	u64 runs_out;
	u64 bursts;
	u64 burst_hist[REFRAMER_BURST_HIST_LEN];
	u64 releases[REFRAMER_RELEASE_REASONS];
	u64 holds_paid;
	u64 holds_wasted;
	u64 hold_sum;
	u64 hold_max;
	u64 hold_hist[REFRAMER_HOLD_HIST_LEN];
	u64 late_max;
	u64 timers;		/* expiries of the timer */
	u64 collisions;
	u64 drops[REFRAMER_DROP_CAUSES];
	u64 stolen;		/* by filters; the caller counts */
	u32 flows_held;
	u32 flows_ready;
	u32 flows_peak;
};

struct reframer_engine {
	/* read with every packet */
	struct reframer_set *sets;
	u32 set_mask;
	u32 hold_bytes;		/* a packet of so many is never held */
	u32 high_qlen;		/* with so many, holding would only cause drops */
	u32 high_memory;
	struct reframer_config conf;

	/* read and written with every packet */
	struct sk_buff *bypass;	/* to be sent before any other */
	struct list_head held;
	struct list_head ready;
	u32 qlen;
	u32 memory;
	u32 clock_age;		/* calls of reframer_next() since `now` was read */
	bool none_due;		/* no HELD flow is due before the timer expires */
	bool new_flow;		/* the way of the packet that arrives was just taken */
	bool stands_aside;	/* packets may bypass the qdisc while it is empty */

	/* written with every packet */
	u32 last_in;		/* hashes, to count runs */
	u32 last_out;
	u32 looked;		/* packets in, since the look was checked last */
	u64 bypassed[REFRAMER_RELEASE_REASONS];	/* see reframer_sum_stats() */
	struct reframer_stats stats;

	/* for packets that are held */
	struct reframer_flow *flows;
	struct reframer_flow *sending;	/* whose burst is being sent, if any */
	u32 sent_packets;	/* of this burst */
	u32 sent_bytes;
	u64 now;		/* when the clock was read last */
	u64 due;		/* HELD flows that arrived until then are due */
	u8 due_bursts;		/* of due flows, since one of a READY flow */
	bool armed;		/* the timer, until we see that it has expired */
	u32 timer_latency;	/* ns, 8 times its moving average */
	s32 global_credit;
	u64 bypassed_dropped;
	struct reframer_aside aside;

	/*
	 * Packets queued by another key, which no other packet may overtake.  Outside
	 * of the tables, so that their sizes are powers of two.
	 */
	struct reframer_flow old_key;
	struct reframer_set old_key_set;	/* its way is 0 */

	/* class n lists the flows of 2^(n-1) to 2^n - 1 bytes */
	u64 backlog_map;	/* mask of classes that are not empty */
	struct list_head by_backlog[REFRAMER_BACKLOG_CLASSES];
};

static inline struct reframer_skb_cb *reframer_skb_cb(const struct sk_buff *skb)
{
	qdisc_cb_private_validate(skb, sizeof(struct reframer_skb_cb));
	return (struct reframer_skb_cb *)qdisc_skb_cb(skb)->data;
}

/* How many packets it was when it arrived */
static inline u32 reframer_packets(const struct sk_buff *skb)
{
	return reframer_skb_cb(skb)->packets;
}

static inline struct reframer_flow *reframer_first(const struct list_head *list)
{
	return list_empty(list) ? NULL :
	       list_first_entry(list, struct reframer_flow, node);
}

/* ---------------------------------------------------------------- limits */

/* What follows from the configuration; to be called when it has changed. */
static inline void reframer_configure(struct reframer_engine *e)
{
	const struct reframer_config *c = &e->conf;

	e->hold_bytes = c->delay && c->burst > 1 ? c->burst_bytes : 0;
	e->high_qlen = c->limit - c->limit / 8;
	e->high_memory = c->memory_limit - c->memory_limit / 8;
}

static inline bool reframer_over_limit(const struct reframer_engine *e)
{
	return e->qlen > e->conf.limit;
}

static inline bool reframer_over_memory(const struct reframer_engine *e)
{
	return e->memory > e->conf.memory_limit;
}

/* In the last eighth of either limit, holding on would only cause drops. */
static inline bool reframer_under_pressure(const struct reframer_engine *e)
{
	return e->qlen >= e->high_qlen || e->memory >= e->high_memory;
}

static inline bool reframer_is_burst(const struct reframer_engine *e,
				     u32 packets, u32 bytes)
{
	return packets >= e->conf.burst || bytes >= e->conf.burst_bytes;
}

/* ----------------------------------------------------- the table of flows */

/* The size of the table of sets; that of the slots is conf.flows. */
static inline u32 reframer_sets(const struct reframer_config *conf)
{
	return conf->flows / REFRAMER_WAYS;
}

static inline struct reframer_set *reframer_set_of(struct reframer_engine *e,
						   u32 slot)
{
	return &e->sets[slot / REFRAMER_WAYS];
}

/* The set and the way of a flow */
static inline struct reframer_set *reframer_way_of(struct reframer_engine *e,
						   const struct reframer_flow *flow,
						   u32 *way)
{
	u32 slot;

	if (unlikely(flow == &e->old_key)) {
		*way = 0;
		return &e->old_key_set;
	}
	slot = flow - e->flows;
	*way = slot % REFRAMER_WAYS;
	return reframer_set_of(e, slot);
}

static inline void reframer_claim_way(struct reframer_engine *e,
				      struct reframer_set *set, u32 way, u32 tag)
{
	set->tag[way] = tag;
	reframer_forget(&set->adaptive, way);
	e->new_flow = true;
}

static inline void reframer_share_way(struct reframer_engine *e,
				      struct reframer_set *set, u32 way)
{
	set->shared |= BIT(way);
	e->stats.collisions++;
}

/*
 * The slot of a hash, which is not 0.  A new flow takes the way that was taken
 * longest ago, so that what is known of flows that are IDLE is kept for as long
 * as possible.
 */
static inline u32 reframer_flow_find(struct reframer_engine *e, u32 hash)
{
	u32 index = hash & e->set_mask, way;
	struct reframer_set *set = &e->sets[index];

	for (way = 0; way < REFRAMER_WAYS; way++)
		if (set->tag[way] == hash)
			goto found;

	/* other bits than those that choose the set or the transmit queue */
	way = (hash >> 16) % REFRAMER_WAYS;
	if (set->active == U8_MAX || set->shared & BIT(way)) {
		reframer_share_way(e, set, way);
	} else {
		u8 idle = ~set->active;

		way = ffs((idle & U8_MAX << set->next_way) ?: idle) - 1;
		set->next_way = way + 1;
		reframer_claim_way(e, set, way, hash);
	}
found:
	return index * REFRAMER_WAYS + way;
}

/* The slot of a class is always the same, whatever flow has it. */
static inline u32 reframer_flow_at(struct reframer_engine *e, u32 slot, u32 tag)
{
	struct reframer_set *set = reframer_set_of(e, slot);
	u32 way = slot % REFRAMER_WAYS;

	if (set->tag[way] != tag) {
		if (set->active & BIT(way))
			reframer_share_way(e, set, way);
		else
			reframer_claim_way(e, set, way, tag);
	}
	return slot;
}

/* ------------------------------------------------------- flows by backlog */

/* 0: not listed */
static inline u8 reframer_backlog_class(const struct reframer_flow *flow)
{
	if (flow->qlen < 2 && flow->bytes < REFRAMER_BACKLOG_MIN)
		return 0;
	return min_t(u32, fls(flow->bytes), REFRAMER_BACKLOG_CLASSES - 1);
}

/*
 * List the flow by its backlog.  To be called when its class rises, when it loses a
 * packet, and when its burst has ended: while a flow is being sent, it may be
 * smaller than its class says.
 */
static noinline void reframer_sort_by_backlog(struct reframer_engine *e,
					      struct reframer_flow *flow)
{
	u8 class = reframer_backlog_class(flow), *listed;
	u32 way;

	listed = &reframer_way_of(e, flow, &way)->backlog_class[way];
	if (class == *listed)
		return;
	if (*listed) {
		list_del(&flow->backlog_node);
		if (list_empty(&e->by_backlog[*listed]))
			e->backlog_map &= ~(1ULL << *listed);
	}
	if (class) {
		list_add_tail(&flow->backlog_node, &e->by_backlog[class]);
		e->backlog_map |= 1ULL << class;
	}
	*listed = class;
}

/* ------------------------------------------------------ what is due, when */

static inline bool reframer_is_due(const struct reframer_engine *e,
				   const struct reframer_flow *flow)
{
	return flow->arrival <= e->due;
}

/* Flows are HELD, and none is due, as far as we know. */
static inline bool reframer_oldest_waits(const struct reframer_engine *e)
{
	const struct reframer_flow *flow = reframer_first(&e->held);

	return flow && !reframer_is_due(e, flow);
}

/* Of the oldest HELD flow; there must be one. */
static inline u64 reframer_deadline(const struct reframer_engine *e)
{
	return reframer_first(&e->held)->arrival + e->conf.delay;
}

/*
 * How much before its deadline a flow may be released with another one.  Timers that
 * fire late are also expensive, as in a virtual machine: most of their cost arises
 * before their function runs.  So the automatic slack is at least eight times the
 * latency, and timers take at most a ninth of the time.
 */
static inline u32 reframer_slack(const struct reframer_engine *e)
{
	const struct reframer_config *c = &e->conf;

	if (c->slack != REFRAMER_SLACK_AUTO)
		return c->slack;
	return clamp_t(u32, e->timer_latency, c->delay / REFRAMER_SLACK_DIVISOR,
		       c->delay);
}

/* If the oldest HELD flow is due, so are those within the slack. */
static inline void reframer_read_clock(struct reframer_engine *e)
{
	u64 over;

	e->now = reframer_clock();
	e->clock_age = 0;
	if (list_empty(&e->held) || likely(e->now < reframer_deadline(e)))
		return;
	over = e->now - e->conf.delay;
	/* but not a flow that begins now */
	over = max_t(u64, over, min_t(u64, over + reframer_slack(e), e->now - 1));
	e->due = max_t(u64, e->due, over);
	e->none_due = false;
}

/* All flows that are held now become due, without a loop over them. */
static inline void reframer_make_all_due(struct reframer_engine *e)
{
	e->due = e->now;
	e->none_due = false;
}

/* ---------------------------------------------------------------- release */

/* The hold of a flow has ended: did it pay? */
static inline void reframer_learn(struct reframer_engine *e,
				  struct reframer_adaptive *a, u32 way,
				  u32 packets, u64 hold)
{
	struct reframer_history *h = &a->flow[way];
	bool useful = a->useful & BIT(way);

	switch (reframer_hold_outcome(useful, packets, hold, e->conf.delay)) {
	case REFRAMER_OUTCOME_PAID:
		e->aside.joined += packets - 1;
		e->stats.holds_paid++;
		reframer_hold_paid(h, &e->global_credit);
		break;
	case REFRAMER_OUTCOME_WASTED:
		e->stats.holds_wasted++;
		reframer_hold_wasted(h, packets, &e->global_credit);
		break;
	case REFRAMER_OUTCOME_NONE:
		break;
	}
}

/* HELD -> READY, to be sent @first or behind the others */
static noinline void reframer_release(struct reframer_engine *e,
				      struct reframer_flow *flow,
				      enum reframer_reason reason, bool first)
{
	u32 way;
	struct reframer_set *set = reframer_way_of(e, flow, &way);
	u64 hold = e->now - flow->arrival;
	u32 class = min_t(u32, fls64(hold), REFRAMER_HOLD_HIST_LEN - 1);

	reframer_on_release(e, flow->head, flow->qlen, flow->bytes, hold, reason);
	reframer_learn(e, &set->adaptive, way, flow->qlen, hold);
	if (first)
		list_move(&flow->node, &e->ready);
	else
		list_move_tail(&flow->node, &e->ready);
	set->ready |= BIT(way);

	e->stats.releases[reason]++;
	e->stats.hold_hist[class]++;
	e->stats.flows_held--;
	e->stats.flows_ready++;
	e->stats.hold_sum += hold;
	if (hold > e->stats.hold_max)
		e->stats.hold_max = hold;
	if (hold > (u64)e->conf.delay + e->stats.late_max)
		e->stats.late_max = hold - e->conf.delay;
}

static inline enum reframer_reason
reframer_flush_reason(enum reframer_flush flush)
{
	return flush == REFRAMER_FLUSH_PUSH ? REFRAMER_RELEASE_PUSH :
					      REFRAMER_RELEASE_CONTROL;
}

/* ---------------------------------------------------------------- arrival */

/*
 * A packet of @bytes arrives for an IDLE flow: is it held?  Most packets need no
 * time to tell; reading the clock for each of them would cost too much.
 */
static inline enum reframer_reason
reframer_begin_flow(struct reframer_engine *e, struct reframer_adaptive *a,
		    u32 way, struct reframer_flow *flow, u32 bytes,
		    enum reframer_flush flush, bool interleaved)
{
	enum reframer_advice advice = REFRAMER_ADVICE_HOLD;
	bool ends_probe = false, in_time;

	if (unlikely(a->probing & BIT(way))) {
		if (flow->arrival < e->aside.seen_since)
			a->probing &= ~BIT(way);
		else
			ends_probe = interleaved;
	}
	if (ends_probe) {
		reframer_read_clock(e);
		in_time = e->now - flow->arrival <= e->conf.delay;
		e->aside.joined += in_time;
		reframer_end_probe(a, way, e->global_credit, in_time);
	}
	if (unlikely(e->new_flow)) {
		e->new_flow = false;
		if (bytes >= REFRAMER_FIRST_PACKET_MIN)
			reframer_trust_new_flow(a, way, e->global_credit);
	}
	if (flush)
		return reframer_flush_reason(flush);
	if (bytes >= e->hold_bytes)
		return e->conf.delay ? REFRAMER_RELEASE_FULL :
				       REFRAMER_RELEASE_DEADLINE;

	if (e->stands_aside)
		advice = REFRAMER_ADVICE_BYPASS;
	else if (e->conf.adaptive)
		advice = reframer_advise(a, way);
	if (advice == REFRAMER_ADVICE_BYPASS)
		return REFRAMER_RELEASE_ADAPTIVE;
	if (!ends_probe)
		reframer_read_clock(e);
	if (advice == REFRAMER_ADVICE_HOLD) {
		a->probing &= ~BIT(way);	/* one from before `noadaptive` */
		return REFRAMER_HOLD;
	}
	flow->arrival = e->now;
	return REFRAMER_RELEASE_ADAPTIVE;
}

/*
 * A packet that is not held takes no slot if nothing can be sent before it.  What
 * arrives after it, of its own flow, too, will be sent after it.  While a HELD flow
 * is due, or may be, none bypasses it.
 */
static inline bool reframer_bypass(struct reframer_engine *e,
				   struct sk_buff *skb,
				   enum reframer_reason reason)
{
	if (e->bypass || !list_empty(&e->ready) ||
	    (!e->none_due && !list_empty(&e->held)) ||
	    reframer_under_pressure(e))
		return false;
	e->bypass = skb;
	e->bypassed[reason]++;
	reframer_on_release(e, skb, 1, qdisc_pkt_len(skb), 0, reason);
	return true;
}

/* IDLE -> HELD */
static inline void reframer_hold(struct reframer_engine *e,
				 struct reframer_flow *flow, struct sk_buff *skb)
{
	flow->head = skb;
	flow->tail = skb;
	flow->arrival = e->now;
	flow->qlen = 1;
	flow->bytes = qdisc_pkt_len(skb);
	if (flow->bytes >= REFRAMER_BACKLOG_MIN)
		reframer_sort_by_backlog(e, flow);
	list_add_tail(&flow->node, &e->held);
	e->stats.flows_held++;
	if (e->stats.flows_held + e->stats.flows_ready > e->stats.flows_peak)
		e->stats.flows_peak++;
}

/* Does a packet that has joined the flow, behind one of another, make its hold useful? */
static inline bool reframer_becomes_useful(struct reframer_engine *e,
					   const struct reframer_flow *flow, bool ends)
{
	u32 packets = flow->qlen, delay = e->conf.delay;

	if (reframer_join_is_useful(packets, ends, e->now - flow->arrival, delay))
		return true;
	reframer_read_clock(e);
	return reframer_join_is_useful(packets, ends, e->now - flow->arrival, delay);
}

/* A packet joins a flow that is not IDLE, and may release it. */
static inline void
reframer_join_flow(struct reframer_engine *e, struct reframer_set *set,
		   u32 way, struct reframer_flow *flow, struct sk_buff *skb,
		   enum reframer_flush flush, bool interleaved)
{
	bool ends;

	flow->qlen++;
	flow->bytes += qdisc_pkt_len(skb);
	/* The head of the flow being sent belongs to its burst as it is. */
	if ((flow == e->sending && flow->head == flow->tail) ||
	    !reframer_merge(e, flow->tail, skb)) {
		flow->tail->next = skb;
		flow->tail = skb;
	}
	if (flow->bytes >> set->backlog_class[way])
		reframer_sort_by_backlog(e, flow);

	if (set->ready & BIT(way))
		return;
	ends = flush || reframer_is_burst(e, flow->qlen, flow->bytes);
	if (interleaved && !(set->adaptive.useful & BIT(way)) &&
	    reframer_becomes_useful(e, flow, ends))
		set->adaptive.useful |= BIT(way);
	if (!ends)
		return;
	reframer_read_clock(e);
	/* a flow that is due is sent before READY flows */
	if (!reframer_is_due(e, flow))
		reframer_release(e, flow, flush ? reframer_flush_reason(flush) :
						  REFRAMER_RELEASE_FULL, false);
}

static inline bool reframer_count_in(struct reframer_engine *e,
				     struct sk_buff *skb, u32 hash)
{
	struct reframer_skb_cb *cb = reframer_skb_cb(skb);

	cb->hash = hash;
	cb->packets = 1;
	/* What a socket pays for, up to its SO_SNDBUF, is not counted twice. */
	cb->memory = is_skb_wmem(skb) ? 0 : skb->truesize;
	skb->next = NULL;
	e->qlen++;
	e->memory += cb->memory;
	e->stats.packets_in++;
	if (hash == e->last_in)
		return false;
	e->last_in = hash;
	e->stats.runs_in++;
	return true;
}

/* The engine has seen 64 packets more: does it stand aside? */
static noinline void reframer_check_look(struct reframer_engine *e)
{
	e->looked = 0;
	if (e->stands_aside)
		return;
	reframer_read_clock(e);
	e->stands_aside = reframer_end_look(&e->aside, e->now, e->conf.delay,
					    e->conf.adaptive && reframer_may_bypass(e));
}

/* Packets have bypassed the qdisc: does it still stand aside? */
static inline void reframer_bypassed(struct reframer_engine *e, u32 packets)
{
	e->aside.packets += packets;
	if (likely(e->aside.packets - e->aside.checked < REFRAMER_LOOK_PACKETS))
		return;
	reframer_read_clock(e);
	e->stands_aside = !reframer_end_aside(&e->aside, e->now, e->conf.delay);
}

/* All packets have to be seen from now on. */
static inline void reframer_look_again(struct reframer_engine *e, u64 now)
{
	e->stands_aside = false;
	e->looked = 0;
	reframer_resume(&e->aside, now, 0);
}

/*
 * A packet joins its flow, whose slot is from reframer_flow_find() or
 * reframer_flow_at() just before.  Returns true if there are so many packets that
 * all that is held is now due.
 */
static inline bool reframer_arrive(struct reframer_engine *e, u32 slot,
				   struct sk_buff *skb, u32 hash,
				   enum reframer_flush flush)
{
	struct reframer_set *set = reframer_set_of(e, slot);
	struct reframer_flow *flow = &e->flows[slot];
	u32 way = slot % REFRAMER_WAYS;
	enum reframer_reason reason;
	bool interleaved;

	if (unlikely(++e->looked == REFRAMER_LOOK_PACKETS))
		reframer_check_look(e);
	interleaved = reframer_count_in(e, skb, hash);
	if (set->active & BIT(way)) {
		reframer_join_flow(e, set, way, flow, skb, flush, interleaved);
	} else {
		reason = reframer_begin_flow(e, &set->adaptive, way, flow,
					     qdisc_pkt_len(skb), flush, interleaved);
		if (reason != REFRAMER_HOLD &&
		    likely(reframer_bypass(e, skb, reason)))
			return false;
		set->active |= BIT(way);
		set->adaptive.useful &= ~BIT(way);
		reframer_hold(e, flow, skb);
		if (reason != REFRAMER_HOLD)
			reframer_release(e, flow, reason, false);
	}

	if (likely(!reframer_under_pressure(e)))
		return false;
	reframer_make_all_due(e);
	return true;
}

/* ---------------------------------------------------------------- dequeue */

static inline void reframer_end_burst(struct reframer_engine *e)
{
	u32 class = min_t(u32, fls(e->sent_packets),
			  REFRAMER_BURST_HIST_LEN) - 1;

	e->stats.bursts++;
	e->stats.burst_hist[class]++;
	e->sending = NULL;
	e->sent_packets = 0;
	e->sent_bytes = 0;
}

/* The flow has sent or lost its last packet: HELD or READY -> IDLE */
static noinline void reframer_make_idle(struct reframer_engine *e,
					struct reframer_flow *flow)
{
	u32 way;
	struct reframer_set *set = reframer_way_of(e, flow, &way);

	if (set->ready & BIT(way))
		e->stats.flows_ready--;
	else
		e->stats.flows_held--;
	set->active &= ~BIT(way);
	set->ready &= ~BIT(way);
	set->shared &= ~BIT(way);
	list_del(&flow->node);
	if (set->backlog_class[way])
		reframer_sort_by_backlog(e, flow);
	if (flow == e->sending)
		reframer_end_burst(e);
}

/* Take the oldest packet of a flow. */
static inline struct sk_buff *reframer_dequeue_head(struct reframer_engine *e,
						    struct reframer_flow *flow)
{
	struct sk_buff *skb = flow->head;

	flow->head = skb->next;
	skb_mark_not_on_list(skb);
	flow->bytes -= qdisc_pkt_len(skb);
	flow->qlen -= reframer_packets(skb);
	e->qlen -= reframer_packets(skb);
	e->memory -= reframer_skb_cb(skb)->memory;
	if (!flow->qlen)
		reframer_make_idle(e, flow);
	return skb;
}

static inline struct sk_buff *reframer_take_bypass(struct reframer_engine *e)
{
	struct sk_buff *skb = e->bypass;

	e->bypass = NULL;
	e->qlen--;
	e->memory -= reframer_skb_cb(skb)->memory;
	return skb;
}

static inline void reframer_count_out(struct reframer_engine *e,
				      const struct sk_buff *skb)
{
	u32 hash = reframer_skb_cb(skb)->hash;

	e->stats.packets_out += reframer_packets(skb);
	if (hash != e->last_out) {
		e->last_out = hash;
		e->stats.runs_out++;
	}
}

/* The flow has sent its burst; it queues up again behind the others. */
static noinline void reframer_rotate(struct reframer_engine *e,
				     struct reframer_flow *flow)
{
	reframer_end_burst(e);
	reframer_sort_by_backlog(e, flow);
	if (flow != &e->old_key)
		list_move_tail(&flow->node, &e->ready);
}

/* The burst ends before @next, which is too much for it, where it was merged. */
static inline bool reframer_ends_burst(const struct reframer_engine *e,
				       const struct sk_buff *next)
{
	u32 packets = e->sent_packets, bytes = e->sent_bytes;

	if (reframer_packets(next) > 1) {
		packets += reframer_packets(next) - 1;
		bytes += qdisc_pkt_len(next) - 1;
	}
	return reframer_is_burst(e, packets, bytes);
}

/*
 * The next packet of a READY flow, or NULL.  A burst ends when the flow is empty or
 * `burst` or `burst_bytes` is reached.
 */
static inline struct sk_buff *reframer_next_ready(struct reframer_engine *e)
{
	struct reframer_flow *flow = reframer_first(&e->ready);
	struct sk_buff *skb;

	if (!flow)
		return NULL;

	e->sending = flow;
	e->sent_packets += reframer_packets(flow->head);
	e->sent_bytes += qdisc_pkt_len(flow->head);
	skb = reframer_dequeue_head(e, flow);
	if (e->sending && reframer_ends_burst(e, flow->head))
		reframer_rotate(e, flow);

	/* What was held has left the cache; fetch it while this one is sent. */
	flow = reframer_first(&e->ready);
	if (flow)
		prefetch(flow->head);

	reframer_count_out(e, skb);
	return skb;
}

/* The timer was armed and is no longer queued. */
static inline void reframer_timer_expired(struct reframer_engine *e)
{
	e->armed = false;
	e->stats.timers++;
	e->timer_latency -= e->timer_latency / 8;
	e->timer_latency += min_t(u32, reframer_timer_latency(e), e->conf.delay);
}

/*
 * Release the oldest flow if it is due, to be sent next.  But READY flows must not
 * starve either.
 */
static inline void reframer_release_due(struct reframer_engine *e)
{
	struct reframer_flow *flow = reframer_first(&e->held);
	bool deadline;
	u64 hold;

	if (!flow || !reframer_is_due(e, flow) || e->old_key.qlen ||
	    (e->due_bursts == REFRAMER_DUE_BURSTS && !list_empty(&e->ready))) {
		e->due_bursts = 0;
		return;
	}
	if (e->due_bursts < REFRAMER_DUE_BURSTS)
		e->due_bursts++;
	hold = e->now - flow->arrival;
	deadline = hold >= e->conf.delay ||
		   hold + reframer_slack(e) >= e->conf.delay;
	reframer_release(e, flow, deadline ? REFRAMER_RELEASE_DEADLINE :
					     REFRAMER_RELEASE_PRESSURE, true);
}

/* Between two bursts: release a due flow, or arm the timer for the next one. */
static noinline void reframer_dispatch(struct reframer_engine *e)
{
	bool queued = reframer_timer_queued(e);

	if (reframer_oldest_waits(e) &&
	    (!queued || e->clock_age >= REFRAMER_CLOCK_AGE_MAX)) {
		if (e->armed && !queued)
			reframer_timer_expired(e);
		reframer_read_clock(e);
		if (reframer_oldest_waits(e) && !queued) {
			e->armed = true;
			reframer_timer_arm(e, reframer_deadline(e));
		}
	}
	e->none_due = reframer_oldest_waits(e);
	reframer_release_due(e);
}

/*
 * May a HELD flow be due?  To be asked once before each call of reframer_next().
 * While the timer is queued none is, unless the timer is late.
 */
static inline bool reframer_check_due(struct reframer_engine *e)
{
	return !list_empty(&e->held) &&
	       (!e->none_due || ++e->clock_age >= REFRAMER_CLOCK_AGE_MAX ||
		!reframer_timer_queued(e));
}

/* There is nothing to send until the timer expires, if no flow is @due. */
static inline bool reframer_is_idle(const struct reframer_engine *e, bool due)
{
	return !due && !e->bypass && list_empty(&e->ready);
}

/* The next packet to send, or NULL: then the timer is armed for the rest. */
static inline struct sk_buff *reframer_next(struct reframer_engine *e, bool due)
{
	struct sk_buff *skb;

	if (e->bypass) {
		/* no other one may bypass before the clock is read */
		if (due)
			e->none_due = false;
		skb = reframer_take_bypass(e);
		reframer_count_out(e, skb);
		return skb;
	}
	if (!e->sending)
		reframer_dispatch(e);
	return reframer_next_ready(e);
}

/* ------------------------------------------------------------------- drop */

/*
 * The flow to lose a packet: the largest of the first few in the highest class of
 * backlog, so no other is more than twice as large.  When all flows have a single
 * small packet, the oldest flow.
 */
static inline struct reframer_flow *reframer_victim(struct reframer_engine *e)
{
	struct reframer_flow *flow, *largest = NULL;
	struct list_head *list;
	int n = 0;

	if (e->sending)
		reframer_sort_by_backlog(e, e->sending);
	if (!e->backlog_map)
		return reframer_first(&e->ready) ?: reframer_first(&e->held);
	list = &e->by_backlog[fls64(e->backlog_map) - 1];
	list_for_each_entry(flow, list, backlog_node) {
		if (!largest || flow->bytes > largest->bytes)
			largest = flow;
		if (++n == REFRAMER_BACKLOG_SEARCH)
			break;
	}
	return largest;
}

/*
 * The packet to drop, the oldest of the largest flow, or NULL if none is left.
 * One that bypasses comes last: it was within the limits.
 */
static inline struct sk_buff *reframer_drop(struct reframer_engine *e,
					    struct reframer_flow **victim)
{
	struct sk_buff *skb;

	*victim = reframer_victim(e);
	if (!*victim) {
		if (!e->bypass)
			return NULL;
		e->bypassed_dropped++;
		return reframer_take_bypass(e);
	}
	skb = reframer_dequeue_head(e, *victim);
	reframer_sort_by_backlog(e, *victim);
	return skb;
}

/* -------------------------------- configuration; not for the datapath */

/*
 * The caller has set conf (flows to a power of two) and, with zeroes, both tables.
 */
static inline void reframer_engine_init(struct reframer_engine *e)
{
	int i;

	reframer_configure(e);
	e->set_mask = reframer_sets(&e->conf) - 1;
	INIT_LIST_HEAD(&e->held);
	INIT_LIST_HEAD(&e->ready);
	for (i = 0; i < REFRAMER_BACKLOG_CLASSES; i++)
		INIT_LIST_HEAD(&e->by_backlog[i]);
}

/*
 * After a change of the configuration: release flows that need no longer be held.
 * Then the caller has reframer_next() called at once, which finds out what is due
 * and arms the timer.
 */
static inline void reframer_config_changed(struct reframer_engine *e, u64 now)
{
	struct reframer_flow *flow, *next;

	e->now = now;
	list_for_each_entry_safe(flow, next, &e->held, node)
		if (reframer_is_burst(e, flow->qlen, flow->bytes))
			reframer_release(e, flow, REFRAMER_RELEASE_FULL, false);
	if (reframer_under_pressure(e))
		reframer_make_all_due(e);
	e->armed = false;
	e->none_due = false;
	reframer_look_again(e, now);
}

/* All packets of a READY flow go behind those of the old key. */
static inline void reframer_move_to_old_key(struct reframer_engine *e,
					    struct reframer_flow *flow)
{
	struct reframer_flow *old_key = &e->old_key;

	if (old_key->qlen) {
		old_key->tail->next = flow->head;
	} else {
		old_key->head = flow->head;
		e->old_key_set.active = BIT(0);
		e->old_key_set.ready = BIT(0);
		list_add(&old_key->node, &e->ready);
		e->stats.flows_ready++;
	}
	old_key->tail = flow->tail;
	old_key->qlen += flow->qlen;
	old_key->bytes += flow->bytes;
	reframer_sort_by_backlog(e, old_key);

	flow->qlen = 0;
	flow->bytes = 0;
	reframer_make_idle(e, flow);
}

/*
 * Before another key: the same packets will belong to other flows, and those that
 * are here must leave before any that arrive.
 */
static inline void reframer_change_key(struct reframer_engine *e, u64 now)
{
	struct reframer_flow *flow, *next;

	e->now = now;
	list_for_each_entry_safe(flow, next, &e->held, node)
		reframer_release(e, flow, REFRAMER_RELEASE_PRESSURE, false);
	list_for_each_entry_safe(flow, next, &e->ready, node)
		if (flow != &e->old_key)
			reframer_move_to_old_key(e, flow);
}

/* ------------------------------------------------------------- statistics */

/*
 * All statistics.  A packet that bypasses is counted once, when it arrives; here it
 * becomes a release without a hold and, unless it was dropped or is still here, a
 * burst of one packet.
 */
static inline void reframer_sum_stats(const struct reframer_engine *e,
				      struct reframer_stats *s)
{
	u64 bypassed = 0;
	int i;

	*s = e->stats;
	for (i = 0; i < REFRAMER_RELEASE_REASONS; i++) {
		s->releases[i] += e->bypassed[i];
		bypassed += e->bypassed[i];
	}
	s->hold_hist[0] += bypassed;
	bypassed -= e->bypassed_dropped + !!e->bypass;
	s->bursts += bypassed;
	s->burst_hist[0] += bypassed;
}

#endif
