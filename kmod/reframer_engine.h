/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The engine of reframer: flow table, lists and release decisions.
 *
 * A flow is IDLE (holds nothing), HELD (holds packets until its oldest one has
 * waited for `delay`) or READY (to be sent now).  HELD flows are listed in the
 * order of their arrival; one delay for all makes that the order of their
 * deadlines, too.  READY flows are sent in turns, one flow at a time.
 *
 *   reframer_flow_find(), reframer_flow_at()      the slot of a packet's flow
 *   reframer_arrive()  IDLE -> HELD or READY      a packet joins its flow
 *   reframer_next()    HELD -> READY -> IDLE      the next packet to send
 *   reframer_drop()                               the next packet to lose
 *
 * From the deadline of a flow until its first packet leaves, reframer_next()
 * returns at most
 *
 *   REFRAMER_STALE_MAX + (2 + k + k / REFRAMER_DUE_TURNS) * burst
 *
 * other packets, where k is the number of flows that were due before it:
 *  - the clock is read when the timer has expired, or if that is late, in one of
 *    REFRAMER_STALE_MAX calls, at the end of the turn;
 *  - from then on READY flows have one turn after REFRAMER_DUE_TURNS of due ones.
 * Only packets queued before a change of the key may come in between.
 *
 * A hold that gathers no second packet was in vain.  The adaptive part learns
 * from that which flows to hold, see reframer_learn() and reframer_end_probe().
 *
 * A packet that need not wait, of an IDLE flow, when nothing else is to be sent,
 * takes no slot: it goes straight through.  Most packets do, so that path touches
 * the least memory: the line of the set, and none of the flow's.
 *
 * Nothing here sleeps, allocates, takes a lock or loops over more than the eight
 * ways of a set.  There is no global state: the module includes this file after
 * the kernel's headers, the unit tests after a few lines that stand in for them.
 * Both define before what the engine needs of the world:
 *
 *   u64 reframer_clock()            the time, in ns
 *   bool reframer_timer_queued(e)   the timer is armed and has not expired
 *   void reframer_timer_arm(e, ns)  have reframer_next() called at that time
 *   u32 reframer_timer_late(e)      ns, how late it was when it expired last
 *
 * The caller serialises all calls.
 */
#ifndef _REFRAMER_ENGINE_H
#define _REFRAMER_ENGINE_H

#include <linux/pkt_sch_reframer.h>

#include "reframer_urge.h"

#define REFRAMER_WAYS		8

/* So many calls of reframer_next() may trust a timer that should not be late. */
#define REFRAMER_STALE_MAX	16

/* So many due flows in a row have their turns while READY ones wait. */
#define REFRAMER_DUE_TURNS	2

#define REFRAMER_BURST_HIST_LEN	17	/* the last: 65536 packets and more */
#define REFRAMER_HOLD_HIST_LEN	29	/* the last: 2^27 ns and more */

#define REFRAMER_SLACK_DIVISOR	4	/* automatic: delay / 4, or more */

/* A flow of a single packet below this size is not worth listing by size. */
#define REFRAMER_FAT_BYTES	4096
#define REFRAMER_FAT_CLASSES	32	/* the last: 2^30 bytes and more */
#define REFRAMER_FAT_SEARCH	8

/* The adaptive part */
#define REFRAMER_CREDIT_MAX	7
#define REFRAMER_CREDIT_PAID	3	/* for a hold that paid; one in vain costs 1 */
#define REFRAMER_BACKOFF_MAX	9	/* 2^9 - 1 packets between two probes */
#define REFRAMER_BACKOFF_PROBE	3	/* after probes, which cost next to nothing */
#define REFRAMER_TRUST_MAX	63
#define REFRAMER_TRUST_ENOUGH	32	/* for full credit at once */
#define REFRAMER_TRUST_LITTLE	-16	/* one good probe does not suffice */
#define REFRAMER_TRUST_MIN	-32

/* Sees every release; the module hangs its tracepoint there. */
#ifndef reframer_on_release
#define reframer_on_release(e, head, packets, bytes, hold, reason)	\
	do { } while (0)
#endif

enum reframer_reason {
	REFRAMER_DEADLINE,
	REFRAMER_FULL,
	REFRAMER_PRESSURE,
	REFRAMER_PUSH,
	REFRAMER_EXPRESS,
	REFRAMER_PREDICTED,
	REFRAMER_REASONS,
	REFRAMER_WAIT = REFRAMER_REASONS	/* none */
};

/* What the engine keeps in the private bytes of skb->cb. */
struct reframer_skb_cb {
	u32 hash;
	u32 memory;		/* as counted; the skb's truesize may change */
};

/* The options, as in the UAPI header; those read with every packet first. */
struct reframer_config {
	u32 delay;
	u32 flows;
	u32 key;
	u32 adaptive;
	u32 push;
	u32 slack;
	u32 burst;
	u32 burst_bytes;
	u32 limit;
	u32 memory_limit;
};

/*
 * What is known of a flow, kept while it is IDLE.  It is held if it has credit.
 * Without credit, every packet goes straight through; after `skip` of them one
 * is a probe: had the next one come in time to share its hold?
 */
struct reframer_history {
	u16 credit:3;		/* for holds that paid, less those in vain */
	u16 backoff:4;		/* the next skip is 2^backoff - 1 */
	u16 skip:9;		/* packets until the next probe */
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
	struct reframer_history history[REFRAMER_WAYS];
	u8 active;		/* mask of ways that hold packets */
	u8 ready;		/* mask of ways that are READY */
	u8 shared;		/* mask of ways that hold a stranger's, too */
	u8 probing;		/* mask of ways whose last packet was a probe */
	u8 again;		/* mask of ways whose probe before failed */
	u8 good;		/* mask of ways whose probe before was good */
	u8 hand;		/* the way after the one that was taken last */
	u8 fat[REFRAMER_WAYS];	/* class by size, see reframer_fat_class() */
};

/* One cache line. */
struct reframer_flow {
	struct sk_buff *head;
	struct sk_buff *tail;
	struct list_head node;	/* on held or ready */
	struct list_head fat;	/* among flows of about the same size */
	u64 arrival;		/* of the oldest packet, or of the probe */
	u32 bytes;
	u32 qlen;		/* 0: IDLE */
};

/* Why a packet was lost; the caller counts. */
enum reframer_loss {
	REFRAMER_LOST_LIMIT,
	REFRAMER_LOST_MEMORY,
	REFRAMER_LOST_CHANGE,
	REFRAMER_LOST_RESET,
	REFRAMER_LOST_FILTER,
	REFRAMER_LOSSES
};

struct reframer_stats {
	u64 packets_in;
	u64 runs_in;
	u64 packets_out;
	u64 runs_out;
	u64 bursts;
	u64 burst_hist[REFRAMER_BURST_HIST_LEN];
	u64 releases[REFRAMER_REASONS];
	u64 holds_paid;
	u64 holds_vain;
	u64 hold_sum;
	u64 hold_max;
	u64 hold_hist[REFRAMER_HOLD_HIST_LEN];
	u64 late_max;
	u64 collisions;
	u64 timers;		/* expiries of the timer */
	u64 lost[REFRAMER_LOSSES];
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
	u32 press_qlen;		/* with so many, holding would only cause drops */
	u32 press_memory;
	struct reframer_config conf;

	/* read and written with every packet */
	struct sk_buff *straight;	/* to be sent before any other */
	struct list_head held;
	struct list_head ready;
	u32 qlen;
	u32 memory;
	u32 stale;		/* calls of reframer_next() since `now` was read */
	bool settled;		/* no HELD flow is due before the timer expires */

	/* written with every packet */
	u32 last_in;		/* hashes, to count runs */
	u32 last_out;
	/* packets that went straight; see reframer_sum_stats() */
	u64 straights[REFRAMER_REASONS];
	struct reframer_stats stats;

	/* for packets that are held */
	struct reframer_flow *flows;
	struct reframer_flow *turn;	/* the flow that is being sent, if any */
	u32 turn_packets;
	u32 turn_bytes;
	u64 now;		/* when the clock was read last */
	u64 due;		/* HELD flows that arrived until then are due */
	u64 pressed;		/* or until then, because of pressure */
	u8 due_turns;		/* turns of due flows since one of a READY flow */
	bool armed;		/* the timer, until we see that it has expired */
	s32 trust;		/* as a flow's credit, of all flows together */
	u32 lateness;		/* of the timer, ns: 8 times its moving average */
	u64 straights_lost;

	/*
	 * Packets queued by another key, which no other packet may overtake.  Outside
	 * of the tables, so that their sizes are powers of two.
	 */
	struct reframer_flow former;
	struct reframer_set former_set;	/* its way is 0 */

	/* flows by size: class n holds those of 2^(n-1) to 2^n - 1 bytes */
	u64 fat_map;		/* mask of classes that are not empty */
	struct list_head fat[REFRAMER_FAT_CLASSES];
};

/* The size of the table of sets; that of the slots is conf.flows. */
static inline u32 reframer_sets(const struct reframer_config *conf)
{
	return conf->flows / REFRAMER_WAYS;
}

static inline struct reframer_flow *reframer_first(const struct list_head *list)
{
	return list_empty(list) ? NULL :
	       list_first_entry(list, struct reframer_flow, node);
}

static inline struct reframer_skb_cb *reframer_skb_cb(const struct sk_buff *skb)
{
	qdisc_cb_private_validate(skb, sizeof(struct reframer_skb_cb));
	return (struct reframer_skb_cb *)qdisc_skb_cb(skb)->data;
}

/* What follows from the configuration; to be called when it has changed. */
static inline void reframer_configure(struct reframer_engine *e)
{
	const struct reframer_config *c = &e->conf;

	e->hold_bytes = c->delay && c->burst > 1 ? c->burst_bytes : 0;
	e->press_qlen = c->limit - c->limit / 8;
	e->press_memory = c->memory_limit - c->memory_limit / 8;
}

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
	for (i = 0; i < REFRAMER_FAT_CLASSES; i++)
		INIT_LIST_HEAD(&e->fat[i]);
}

static inline bool reframer_over_limit(const struct reframer_engine *e)
{
	return e->qlen > e->conf.limit;
}

static inline bool reframer_over_memory(const struct reframer_engine *e)
{
	return e->memory > e->conf.memory_limit;
}

/* The last eighth of either limit: holding on would only cause drops. */
static inline bool reframer_under_pressure(const struct reframer_engine *e)
{
	return e->qlen >= e->press_qlen || e->memory >= e->press_memory;
}

static inline bool reframer_is_burst(const struct reframer_engine *e,
				     u32 packets, u32 bytes)
{
	return packets >= e->conf.burst || bytes >= e->conf.burst_bytes;
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

	if (unlikely(flow == &e->former)) {
		*way = 0;
		return &e->former_set;
	}
	slot = flow - e->flows;
	*way = slot % REFRAMER_WAYS;
	return reframer_set_of(e, slot);
}

/* Of two packets or one large one; 0: not listed by size */
static inline u8 reframer_fat_class(const struct reframer_flow *flow)
{
	if (flow->qlen < 2 && flow->bytes < REFRAMER_FAT_BYTES)
		return 0;
	return min_t(u32, fls(flow->bytes), REFRAMER_FAT_CLASSES - 1);
}

/*
 * List the flow by its size.  This is due when its class rises, when it loses a
 * packet, and when its turn has ended: while a flow is sent, it may be smaller
 * than its class says.
 */
static noinline void reframer_relist(struct reframer_engine *e,
				     struct reframer_flow *flow)
{
	u8 class = reframer_fat_class(flow), *fat;
	u32 way;

	fat = &reframer_way_of(e, flow, &way)->fat[way];
	if (class == *fat)
		return;
	if (*fat) {
		list_del(&flow->fat);
		if (list_empty(&e->fat[*fat]))
			e->fat_map &= ~(1ULL << *fat);
	}
	if (class) {
		list_add_tail(&flow->fat, &e->fat[class]);
		e->fat_map |= 1ULL << class;
	}
	*fat = class;
}

static inline void reframer_end_turn(struct reframer_engine *e)
{
	u32 class = min_t(u32, fls(e->turn_packets),
			  REFRAMER_BURST_HIST_LEN) - 1;

	e->stats.bursts++;
	e->stats.burst_hist[class]++;
	e->turn = NULL;
	e->turn_packets = 0;
	e->turn_bytes = 0;
}

/* The way is another flow's from now on, of which nothing is known. */
static inline void reframer_set_tag(struct reframer_set *set, u32 way, u32 tag)
{
	set->tag[way] = tag;
	set->probing &= ~BIT(way);
	set->again &= ~BIT(way);
	set->good &= ~BIT(way);
	set->history[way] = (struct reframer_history) { 0 };
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
		set->shared |= BIT(way);
		e->stats.collisions++;
	} else {
		u8 idle = ~set->active;

		way = ffs((idle & U8_MAX << set->hand) ?: idle) - 1;
		set->hand = way + 1;
		reframer_set_tag(set, way, hash);
	}
found:
	return index * REFRAMER_WAYS + way;
}

/* The slot of a class: always the same, whoever else is there. */
static inline u32 reframer_flow_at(struct reframer_engine *e, u32 slot, u32 tag)
{
	struct reframer_set *set = reframer_set_of(e, slot);
	u32 way = slot % REFRAMER_WAYS;

	if (set->tag[way] != tag) {
		if (set->active & BIT(way)) {
			set->shared |= BIT(way);
			e->stats.collisions++;
		} else {
			reframer_set_tag(set, way, tag);
		}
	}
	return slot;
}

/* 2^backoff - 1 packets go straight before the next probe. */
static inline void reframer_back_off(struct reframer_history *h, u32 most)
{
	if (h->backoff < most)
		h->backoff++;
	h->skip = BIT(h->backoff) - 1;
}

/*
 * A probe ends with the next packet of its flow.  It went straight through, so
 * it is known only that somebody would have come in time.  Whether holding pays
 * the first hold will tell: who waits for an answer to the first packet does
 * not send a second one.  Where holds have been paying, whosever they were, the
 * flow gets more than one chance, unless it has wasted a few of them before.
 * Where they have been in vain, two probes in a row must be good: of packets that
 * come at random some do come in time.
 *
 * A packet that comes too late may begin a train: it is a probe, too.  Otherwise
 * every probe could meet the last packet of a train.  Where holds have been
 * paying, so are the next few.
 */
static noinline void reframer_end_probe(struct reframer_engine *e, u32 slot)
{
	struct reframer_set *set = reframer_set_of(e, slot);
	u32 way = slot % REFRAMER_WAYS;
	struct reframer_history *h = &set->history[way];
	bool trusted = e->trust >= REFRAMER_TRUST_ENOUGH;
	bool good = set->good & BIT(way);

	set->probing &= ~BIT(way);
	set->good &= ~BIT(way);
	if (e->now - e->flows[slot].arrival <= e->conf.delay) {
		set->again &= ~BIT(way);
		if (trusted && h->backoff <= REFRAMER_BACKOFF_PROBE)
			h->credit = REFRAMER_CREDIT_MAX;
		else if (good || e->trust > REFRAMER_TRUST_LITTLE)
			h->credit = 1;
		else
			set->good |= BIT(way);
	} else if (set->again & BIT(way)) {
		set->again &= ~BIT(way);
		if (trusted && h->backoff < REFRAMER_BACKOFF_PROBE)
			h->backoff++;
		else
			reframer_back_off(h, REFRAMER_BACKOFF_PROBE);
	} else {
		set->again |= BIT(way);
	}
}

/*
 * A hold has ended.  When it was cut short, being alone proves nothing.  When it
 * ended late, as below a parent that did not ask, it has paid only if packets came
 * closer than the delay.
 */
static inline void reframer_learn(struct reframer_engine *e,
				  struct reframer_history *h, u32 packets,
				  u64 hold)
{
	if (packets > 1) {
		if ((u64)packets * e->conf.delay <= hold)
			return;
		e->stats.holds_paid++;
		e->trust = min_t(s32, e->trust + REFRAMER_CREDIT_PAID,
				 REFRAMER_TRUST_MAX);
		h->credit = min_t(u32, h->credit + REFRAMER_CREDIT_PAID,
				  REFRAMER_CREDIT_MAX);
		if (h->backoff)
			h->backoff--;
	} else if (hold && hold >= e->conf.delay / 2) {
		e->stats.holds_vain++;
		if (e->trust > REFRAMER_TRUST_MIN)
			e->trust--;
		if (h->credit)
			h->credit--;
		if (!h->credit)
			reframer_back_off(h, REFRAMER_BACKOFF_MAX);
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
	reframer_learn(e, &set->history[way], flow->qlen, hold);
	e->stats.releases[reason]++;
	e->stats.hold_hist[class]++;
	if (first)
		list_move(&flow->node, &e->ready);
	else
		list_move_tail(&flow->node, &e->ready);
	set->ready |= BIT(way);
	e->stats.flows_held--;
	e->stats.flows_ready++;
	e->stats.hold_sum += hold;
	if (hold > e->stats.hold_max)
		e->stats.hold_max = hold;
	if (hold > (u64)e->conf.delay + e->stats.late_max)
		e->stats.late_max = hold - e->conf.delay;
}

static inline enum reframer_reason
reframer_urge_reason(enum reframer_urge urge)
{
	return urge == REFRAMER_URGE_PUSH ? REFRAMER_PUSH : REFRAMER_EXPRESS;
}

static inline bool reframer_is_due(const struct reframer_engine *e,
				   const struct reframer_flow *flow)
{
	return flow->arrival <= e->due || flow->arrival <= e->pressed;
}

/* Flows are HELD and none is due, as far as we know. */
static inline bool reframer_waiting(const struct reframer_engine *e)
{
	const struct reframer_flow *flow = reframer_first(&e->held);

	return flow && !reframer_is_due(e, flow);
}

/* When the oldest HELD flow is due; there must be one. */
static inline u64 reframer_deadline(const struct reframer_engine *e)
{
	return reframer_first(&e->held)->arrival + e->conf.delay;
}

/*
 * How much later than the oldest flow another one may have arrived and still be
 * released with it.  Timers that fire late are also expensive, as in a virtual
 * machine: most of their cost arises before their function runs.  So the automatic
 * slack is at least eight times the lateness, and timers take at most a ninth of the
 * time.
 */
static inline u32 reframer_slack(const struct reframer_engine *e)
{
	const struct reframer_config *c = &e->conf;

	if (c->slack != REFRAMER_SLACK_AUTO)
		return c->slack;
	return clamp_t(u32, e->lateness, c->delay / REFRAMER_SLACK_DIVISOR,
		       c->delay);
}

/* Read the clock.  If the oldest HELD flow is due, so are those within the slack. */
static inline void reframer_look(struct reframer_engine *e)
{
	u64 over;

	e->now = reframer_clock();
	e->stale = 0;
	if (list_empty(&e->held) || likely(e->now < reframer_deadline(e)))
		return;
	over = e->now - e->conf.delay;
	/* but not a flow that begins now */
	e->due = max_t(u64, over, min_t(u64, over + reframer_slack(e),
					e->now - 1));
	e->settled = false;
}

/*
 * A packet of @bytes comes for an IDLE flow: why should it not wait?  Most need no
 * time to tell; a clock is too dear to be read for each of them.
 */
static inline enum reframer_reason reframer_begin(struct reframer_engine *e,
						  u32 slot, u32 bytes,
						  enum reframer_urge urge)
{
	struct reframer_set *set = reframer_set_of(e, slot);
	u32 way = slot % REFRAMER_WAYS;
	struct reframer_history *h = &set->history[way];
	bool probing = set->probing & BIT(way);
	bool held;

	if (unlikely(probing)) {
		reframer_look(e);
		reframer_end_probe(e, slot);
	}
	if (urge)
		return reframer_urge_reason(urge);
	if (bytes >= e->hold_bytes)
		return e->conf.delay ? REFRAMER_FULL : REFRAMER_DEADLINE;

	/* A flow that nobody knows to repay it is not held. */
	held = !e->conf.adaptive || h->credit;
	if (!held && h->skip) {
		h->skip--;
		return REFRAMER_PREDICTED;
	}
	if (!probing)
		reframer_look(e);
	if (held)
		return REFRAMER_WAIT;
	set->probing |= BIT(way);
	e->flows[slot].arrival = e->now;
	return REFRAMER_PREDICTED;
}

/*
 * A packet that need not wait takes no slot if nothing could be sent before it.
 * What comes after it, of its own flow, too, will be sent after it.  So none goes
 * straight while a HELD flow is due, or may be.
 */
static inline bool reframer_straight(struct reframer_engine *e,
				     struct sk_buff *skb,
				     enum reframer_reason reason)
{
	if (e->straight || !list_empty(&e->ready) ||
	    (!e->settled && !list_empty(&e->held)) ||
	    reframer_under_pressure(e))
		return false;
	e->straight = skb;
	e->straights[reason]++;
	reframer_on_release(e, skb, 1, qdisc_pkt_len(skb), 0, reason);
	return true;
}

/* All that is held now is due: O(1), however many flows that are. */
static inline void reframer_press(struct reframer_engine *e)
{
	e->pressed = e->now;
	e->settled = false;
}

/*
 * A packet joins its flow, whose slot is from reframer_flow_find() or
 * reframer_flow_at() just before.  A flow that begins becomes HELD, one that has no
 * reason to wait READY.  Returns true if there are so many packets that all that
 * is held is now due.
 */
static inline bool reframer_arrive(struct reframer_engine *e, u32 slot,
				   struct sk_buff *skb, u32 hash,
				   enum reframer_urge urge)
{
	struct reframer_set *set = reframer_set_of(e, slot);
	struct reframer_skb_cb *cb = reframer_skb_cb(skb);
	struct reframer_flow *flow = &e->flows[slot];
	enum reframer_reason reason = REFRAMER_WAIT;
	u32 way = slot % REFRAMER_WAYS;
	u32 bytes = qdisc_pkt_len(skb);

	cb->hash = hash;
	/* What a socket pays for, up to its SO_SNDBUF, is not counted twice. */
	cb->memory = is_skb_wmem(skb) ? 0 : skb->truesize;
	skb->next = NULL;
	e->qlen++;
	e->memory += cb->memory;
	e->stats.packets_in++;
	if (hash != e->last_in) {
		e->last_in = hash;
		e->stats.runs_in++;
	}

	if (set->active & BIT(way)) {
		flow->tail->next = skb;
		flow->qlen++;
		flow->bytes += bytes;
		if (flow->bytes >> set->fat[way])
			reframer_relist(e, flow);
		if (!(set->ready & BIT(way))) {
			if (urge)
				reason = reframer_urge_reason(urge);
			else if (reframer_is_burst(e, flow->qlen, flow->bytes))
				reason = REFRAMER_FULL;
		}
		if (reason != REFRAMER_WAIT) {
			reframer_look(e);
			/* then it has its place before the READY flows */
			if (reframer_is_due(e, flow))
				reason = REFRAMER_WAIT;
		}
	} else {
		reason = reframer_begin(e, slot, bytes, urge);
		if (reason != REFRAMER_WAIT &&
		    likely(reframer_straight(e, skb, reason)))
			return false;
		set->active |= BIT(way);
		flow->head = skb;
		flow->arrival = e->now;
		flow->qlen = 1;
		flow->bytes = bytes;
		if (bytes >= REFRAMER_FAT_BYTES)
			reframer_relist(e, flow);
		list_add_tail(&flow->node, &e->held);
		e->stats.flows_held++;
		if (e->stats.flows_held + e->stats.flows_ready > e->stats.flows_peak)
			e->stats.flows_peak++;
	}
	flow->tail = skb;
	if (reason != REFRAMER_WAIT)
		reframer_release(e, flow, reason, false);

	if (likely(!reframer_under_pressure(e)))
		return false;
	reframer_press(e);
	return true;
}

/*
 * The next turn is that of the oldest due flow, if there is one.  But READY flows
 * must not starve either.
 */
static inline void reframer_release_due(struct reframer_engine *e)
{
	struct reframer_flow *flow = reframer_first(&e->held);

	if (!flow || !reframer_is_due(e, flow) || e->former.qlen ||
	    (e->due_turns == REFRAMER_DUE_TURNS && !list_empty(&e->ready))) {
		e->due_turns = 0;
		return;
	}
	if (e->due_turns < REFRAMER_DUE_TURNS)
		e->due_turns++;
	reframer_release(e, flow, flow->arrival <= e->due ? REFRAMER_DEADLINE :
							    REFRAMER_PRESSURE,
			 true);
}

/* Between two turns: let a due flow go, or have us called when one is due. */
static noinline void reframer_settle(struct reframer_engine *e)
{
	bool queued = reframer_timer_queued(e);

	if (reframer_waiting(e) &&
	    (!queued || e->stale >= REFRAMER_STALE_MAX)) {
		if (e->armed && !queued) {
			e->armed = false;
			e->stats.timers++;
			e->lateness -= e->lateness / 8;
			e->lateness += min_t(u32, reframer_timer_late(e),
					     e->conf.delay);
		}
		reframer_look(e);
		if (reframer_waiting(e) && !queued) {
			e->armed = true;
			reframer_timer_arm(e, reframer_deadline(e));
		}
	}
	e->settled = reframer_waiting(e);
	reframer_release_due(e);
}

/* The flow has sent or lost its last packet. */
static noinline void reframer_empty(struct reframer_engine *e,
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
	if (set->fat[way])
		reframer_relist(e, flow);
	if (flow == e->turn)
		reframer_end_turn(e);
}

/* Take the oldest packet of a flow. */
static inline struct sk_buff *reframer_take(struct reframer_engine *e,
					    struct reframer_flow *flow)
{
	struct sk_buff *skb = flow->head;

	flow->head = skb->next;
	skb_mark_not_on_list(skb);
	flow->bytes -= qdisc_pkt_len(skb);
	flow->qlen--;
	e->qlen--;
	e->memory -= reframer_skb_cb(skb)->memory;
	if (!flow->qlen)
		reframer_empty(e, flow);
	return skb;
}

static inline void reframer_count_out(struct reframer_engine *e,
				      const struct sk_buff *skb)
{
	u32 hash = reframer_skb_cb(skb)->hash;

	e->stats.packets_out++;
	if (hash != e->last_out) {
		e->last_out = hash;
		e->stats.runs_out++;
	}
}

static inline struct sk_buff *reframer_take_straight(struct reframer_engine *e)
{
	struct sk_buff *skb = e->straight;

	e->straight = NULL;
	e->qlen--;
	e->memory -= reframer_skb_cb(skb)->memory;
	return skb;
}

/* The flow of the turn has had its burst; it queues up again behind the others. */
static noinline void reframer_rotate(struct reframer_engine *e,
				     struct reframer_flow *flow)
{
	reframer_end_turn(e);
	reframer_relist(e, flow);
	if (flow != &e->former)
		list_move_tail(&flow->node, &e->ready);
}

/*
 * The next packet of a READY flow, or NULL.  A turn lasts until its flow is drained
 * or has had its burst.
 */
static inline struct sk_buff *reframer_pop(struct reframer_engine *e)
{
	struct reframer_flow *flow = reframer_first(&e->ready);
	struct sk_buff *skb;

	if (!flow)
		return NULL;

	e->turn = flow;
	e->turn_packets++;
	e->turn_bytes += qdisc_pkt_len(flow->head);
	skb = reframer_take(e, flow);
	if (reframer_is_burst(e, e->turn_packets, e->turn_bytes))
		reframer_rotate(e, flow);

	/* What was held has left the cache; let it come while this one is sent. */
	flow = reframer_first(&e->ready);
	if (flow)
		prefetch(flow->head);

	reframer_count_out(e, skb);
	return skb;
}

/*
 * Asks, once before each call of reframer_next(), whether a HELD flow may be due.
 * While the timer is queued none is, unless it is late.
 */
static inline bool reframer_check_due(struct reframer_engine *e)
{
	return !list_empty(&e->held) &&
	       (!e->settled || ++e->stale >= REFRAMER_STALE_MAX ||
		!reframer_timer_queued(e));
}

/* There is nothing to send until the timer expires, if no flow is @due. */
static inline bool reframer_idle(const struct reframer_engine *e, bool due)
{
	return !due && !e->straight && list_empty(&e->ready);
}

/* The next packet to send, or NULL: then the timer is armed for the rest. */
static inline struct sk_buff *reframer_next(struct reframer_engine *e, bool due)
{
	struct sk_buff *skb;

	if (e->straight) {
		/* the last one before we have looked */
		if (due)
			e->settled = false;
		skb = reframer_take_straight(e);
		reframer_count_out(e, skb);
		return skb;
	}
	if (!e->turn)
		reframer_settle(e);
	return reframer_pop(e);
}

/*
 * The flow to lose a packet: one of the class of the largest, the largest of
 * the first few there.  So no other is more than twice as large.
 * When all flows are of one small packet, the oldest.
 */
static inline struct reframer_flow *reframer_victim(struct reframer_engine *e)
{
	struct reframer_flow *flow, *fattest = NULL;
	int n = 0;

	if (e->turn)
		reframer_relist(e, e->turn);
	if (!e->fat_map)
		return reframer_first(&e->ready) ?: reframer_first(&e->held);
	list_for_each_entry(flow, &e->fat[fls64(e->fat_map) - 1], fat) {
		if (!fattest || flow->bytes > fattest->bytes)
			fattest = flow;
		if (++n == REFRAMER_FAT_SEARCH)
			break;
	}
	return fattest;
}

/*
 * The packet to lose, the oldest of the fattest flow, or NULL if none is left.
 * The one that goes straight through comes last: it was within the limits.
 */
static inline struct sk_buff *reframer_drop(struct reframer_engine *e,
					    struct reframer_flow **victim)
{
	struct sk_buff *skb;

	*victim = reframer_victim(e);
	if (!*victim) {
		if (!e->straight)
			return NULL;
		e->straights_lost++;
		return reframer_take_straight(e);
	}
	skb = reframer_take(e, *victim);
	reframer_relist(e, *victim);
	return skb;
}

/*
 * After a change of the configuration: flows that no longer need to wait.  It
 * looks at every HELD flow; not for the datapath.  Then the caller has
 * reframer_next() called at once, which finds out what is due and arms the timer.
 */
static inline void reframer_resettle(struct reframer_engine *e, u64 now)
{
	struct reframer_flow *flow, *next;

	e->now = now;
	list_for_each_entry_safe(flow, next, &e->held, node)
		if (reframer_is_burst(e, flow->qlen, flow->bytes))
			reframer_release(e, flow, REFRAMER_FULL, false);
	if (reframer_under_pressure(e))
		reframer_press(e);
	e->armed = false;
	e->settled = false;
}

/* All packets of a READY flow go behind those of the former ones. */
static inline void reframer_retire(struct reframer_engine *e,
				   struct reframer_flow *flow)
{
	struct reframer_flow *former = &e->former;

	if (former->qlen) {
		former->tail->next = flow->head;
	} else {
		former->head = flow->head;
		e->former_set.active = BIT(0);
		e->former_set.ready = BIT(0);
		list_add(&former->node, &e->ready);
		e->stats.flows_ready++;
	}
	former->tail = flow->tail;
	former->qlen += flow->qlen;
	former->bytes += flow->bytes;
	reframer_relist(e, former);

	flow->qlen = 0;
	flow->bytes = 0;
	reframer_empty(e, flow);
}

/*
 * All statistics.  A packet that goes straight is counted once, when it comes; here
 * it becomes a release without a hold and, unless it was lost or is still here, a
 * burst of one packet.
 */
static inline void reframer_sum_stats(const struct reframer_engine *e,
				      struct reframer_stats *s)
{
	u64 straights = 0;
	int i;

	*s = e->stats;
	for (i = 0; i < REFRAMER_REASONS; i++) {
		s->releases[i] += e->straights[i];
		straights += e->straights[i];
	}
	s->hold_hist[0] += straights;
	straights -= e->straights_lost + !!e->straight;
	s->bursts += straights;
	s->burst_hist[0] += straights;
}

/*
 * Before another key: the same packets will belong to other flows, and those
 * that are here must leave before any that come.  Not for the datapath.
 */
static inline void reframer_rekey(struct reframer_engine *e, u64 now)
{
	struct reframer_flow *flow, *next;

	e->now = now;
	list_for_each_entry_safe(flow, next, &e->held, node)
		reframer_release(e, flow, REFRAMER_PRESSURE, false);
	list_for_each_entry_safe(flow, next, &e->ready, node)
		if (flow != &e->former)
			reframer_retire(e, flow);
}

#endif
