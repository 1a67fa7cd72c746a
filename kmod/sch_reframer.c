// SPDX-License-Identifier: GPL-2.0
/*
 * net/sched/sch_reframer.c	Sort packets by flow
 *
 * Servers and network functions do less work per packet when the packets of a
 * flow arrive one after the other: GRO merges them, caches stay warm.  Networks
 * deliver them interleaved.  reframer holds packets for a bounded time, some
 * microseconds, and sends each flow as one burst.  It is for the egress of a
 * router, load balancer or hypervisor in front of the machine that shall gain.
 *
 * The idea is that of H. Ghasemirahni et al., "Packet Order Matters! Improving
 * Application Performance by Deliberately Delaying Packets", NSDI 2022.
 *
 * A flow is what the kernel's flow hash takes for one, what the option `key` says,
 * or what a filter says.
 *
 * enqueue() puts the packet into the slot of its flow.  A flow that begins is
 * held until `delay` after this first packet, but only if holding it has been
 * paying.  A flow that has a burst together may go at once, and so does one
 * whose message ends.  Over the limit, the fattest flow loses from its head.
 *
 * dequeue() sends one flow until it is drained, then the next.  It reads the
 * clock only when the one timer, armed for the oldest flow held, has expired;
 * then all flows due within `slack` may go.  Where the timer is late, a packet in
 * enqueue() that needs to know the time sees it, and lets them go.
 */
#include <linux/module.h>
#include <linux/types.h>
#include <linux/kernel.h>
#include <linux/bitops.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_tunnel.h>
#include <linux/if_vlan.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/prefetch.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/siphash.h>
#include <linux/skbuff.h>
#include <net/flow_dissector.h>
#include <net/ip.h>
#include <net/netlink.h>
#include <net/pkt_cls.h>
#include <net/pkt_sched.h>

#include "compat.h"

struct reframer_engine;
static void reframer_trace(const struct reframer_engine *e,
			   const struct sk_buff *head, u32 packets, u32 bytes,
			   u64 hold, int reason);
#define reframer_on_release(e, head, packets, bytes, hold, reason) do {	\
	if (trace_reframer_release_enabled())				\
		reframer_trace(e, head, packets, bytes, hold, reason);	\
} while (0)

#define reframer_clock()	ktime_get_ns()

#include "reframer_trace.h"
#include "reframer_engine.h"
#include "reframer_flow_hash.h"
#include "reframer_urge.h"

#define CREATE_TRACE_POINTS
#include "reframer_trace.h"	/* again, with the reasons known */

/* The most packets that one enqueue() drops: a bound on the work in it */
#define REFRAMER_DROP_BATCH	64

struct reframer_sched_data {
	struct tcf_proto __rcu *filter_list;
	struct reframer_engine engine;
	struct qdisc_watchdog watchdog;
	siphash_aligned_key_t secret;	/* of hashes of our own */
	struct tcf_block *block;
};

static void reframer_trace(const struct reframer_engine *e,
			   const struct sk_buff *head, u32 packets, u32 bytes,
			   u64 hold, int reason)
{
	const struct reframer_sched_data *q =
		container_of(e, struct reframer_sched_data, engine);

	trace_reframer_release(q->watchdog.qdisc, reframer_skb_cb(head)->hash,
			       packets, bytes, hold, reason);
}

static void reframer_arm(struct reframer_sched_data *q, u64 expires)
{
	qdisc_watchdog_schedule_ns(&q->watchdog, expires);
	q->engine.expires = expires;
}

/* Others read qlen without the lock. */
static void reframer_add_qlen(struct Qdisc *sch, int packets)
{
	WRITE_ONCE(sch->q.qlen, sch->q.qlen + packets);
}

/* Drop a packet, the oldest of the fattest flow, from all counters. */
static struct sk_buff *reframer_evict(struct Qdisc *sch,
				      struct reframer_flow **victim)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	struct sk_buff *skb = reframer_drop(&q->engine, victim);

	if (!skb)
		return NULL;
	reframer_add_qlen(sch, -1);
	qdisc_qstats_backlog_dec(sch, skb);
	qdisc_qstats_drop(sch);
	return skb;
}

/*
 * @flow has just got a packet of @pkt_len bytes and that was too much.  The
 * parents have not counted this packet yet, and will not when we return CN.
 */
static noinline int reframer_overlimit(struct Qdisc *sch,
				       struct reframer_flow *flow,
				       unsigned int pkt_len,
				       struct sk_buff **to_free)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	unsigned int packets = 0, bytes = 0;
	struct reframer_flow *victim;
	bool congested = false;
	struct sk_buff *skb;

	do {
		q->engine.stats.lost[reframer_over_limit(&q->engine) ?
				     REFRAMER_LOST_LIMIT :
				     REFRAMER_LOST_MEMORY]++;
		skb = reframer_evict(sch, &victim);
		packets++;
		bytes += qdisc_pkt_len(skb);
		congested |= victim == flow;
		__qdisc_drop(skb, to_free);
	} while (packets < REFRAMER_DROP_BATCH &&
		 (reframer_over_limit(&q->engine) ||
		  reframer_over_memory(&q->engine)));

	if (congested) {
		packets--;
		bytes -= pkt_len;
	}
	if (packets || bytes)
		qdisc_tree_reduce_backlog(sch, packets, bytes);
	return congested ? NET_XMIT_CN : NET_XMIT_SUCCESS;
}

/* The class of @classid, 0 if none of ours: 1 to the number of slots */
static u32 reframer_class(struct Qdisc *sch, u32 classid)
{
	const struct reframer_sched_data *q = qdisc_priv(sch);
	u32 minor = TC_H_MIN(classid);

	if (TC_H_MAJ(classid) && TC_H_MAJ(classid) != sch->handle)
		return 0;
	return minor <= q->engine.conf.flows ? minor : 0;
}

/* Is there anything but the hash that may say which flow the packet is of? */
static bool reframer_classified(struct Qdisc *sch, const struct sk_buff *skb)
{
	const struct reframer_sched_data *q = qdisc_priv(sch);

	/* a default qdisc has no handle, and a plain priority no major */
	return rcu_access_pointer(q->filter_list) ||
	       (!((skb->priority ^ sch->handle) >> 16) && sch->handle);
}

/*
 * The class that filters or skb->priority choose, 0 if none.  Negative if the
 * packet is not for the queue: the flags that enqueue() is to return.
 */
static noinline int reframer_filter(struct sk_buff *skb, struct Qdisc *sch)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	struct tcf_proto *filter = rcu_dereference_bh(q->filter_list);
	struct tcf_result res = {};
	u32 class = 0;
	int action;

	if (filter) {
		action = tcf_classify_qdisc(skb, filter, &res, false);
		switch (action) {
#ifdef CONFIG_NET_CLS_ACT
		case TC_ACT_STOLEN:
		case TC_ACT_QUEUED:
		case TC_ACT_TRAP:
			return -__NET_XMIT_STOLEN;
		case TC_ACT_SHOT:
			return -__NET_XMIT_BYPASS;
#endif
		}
		if (action >= 0)
			class = reframer_class(sch, res.classid);
	}
	/* a filter may have set the priority, too */
	if (!class && sch->handle && TC_H_MAJ(skb->priority) == sch->handle)
		class = reframer_class(sch, skb->priority);
	return class;
}

static enum reframer_urge reframer_urge(struct Qdisc *sch,
					const struct sk_buff *skb)
{
	const struct reframer_sched_data *q = qdisc_priv(sch);
	const u8 *header;

	if (skb->priority == TC_PRIO_CONTROL)
		return REFRAMER_URGE_EXPRESS;
	header = reframer_header(skb, sch);
	if (header < skb->data)
		return REFRAMER_NO_URGE;
	return reframer_header_urge(header, skb_tail_pointer(skb) - header,
				    ntohs(skb->protocol), q->engine.conf.push);
}

static int reframer_enqueue(struct sk_buff *skb, struct Qdisc *sch,
			    struct sk_buff **to_free)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	struct reframer_engine *e = &q->engine;
	unsigned int len = qdisc_pkt_len(skb);
	enum reframer_urge urge;
	u32 hash, slot;
	int class = 0;

	if (unlikely(reframer_classified(sch, skb)))
		class = reframer_filter(skb, sch);
	if (unlikely(class < 0)) {
		e->stats.lost[REFRAMER_LOST_FILTER]++;
		qdisc_qstats_drop(sch);
		__qdisc_drop(skb, to_free);
		return NET_XMIT_SUCCESS | -class;
	}
	if (unlikely(class)) {
		hash = class;
		slot = reframer_flow_at(e, class - 1, hash);
	} else {
		hash = likely(e->conf.key == REFRAMER_KEY_FLOW) ?
		       reframer_flow_hash(skb, sch) :
		       reframer_key_hash(skb, sch, e->conf.key, &q->secret);
		if (unlikely(hash <= e->conf.flows))	/* not a class's */
			hash |= BIT(31);
		slot = reframer_flow_find(e, hash);
	}
	urge = reframer_urge(sch, skb);
	reframer_add_qlen(sch, 1);
	qdisc_qstats_backlog_inc(sch, skb);
	if (likely(!reframer_arrive(e, slot, skb, hash, urge)))
		return NET_XMIT_SUCCESS;

	if (!reframer_over_limit(e) && !reframer_over_memory(e))
		return NET_XMIT_SUCCESS;
	return reframer_overlimit(sch, &e->flows[slot], len, to_free);
}

/* Between two turns: let one due flow go, or arm the watchdog for the next. */
static noinline void reframer_settle(struct reframer_sched_data *q)
{
	struct reframer_engine *e = &q->engine;
	bool queued = hrtimer_is_queued(&q->watchdog.timer);

	if (reframer_waiting(e) && !queued) {
		if (e->expires) {
			e->stats.timers++;
			reframer_expire(e, ktime_get_ns());
		}
		if (reframer_waiting(e))
			reframer_arm(q, reframer_deadline(e));
	}
	e->settled = reframer_waiting(e);
	reframer_release_due(e);
}

static struct sk_buff *reframer_sent(struct Qdisc *sch, struct sk_buff *skb)
{
	reframer_add_qlen(sch, -1);
	qdisc_qstats_backlog_dec(sch, skb);
	qdisc_bstats_update(sch, skb);
	return skb;
}

static noinline struct sk_buff *reframer_dequeue_slot(struct Qdisc *sch)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	struct sk_buff *skb;

	if (!q->engine.turn)
		reframer_settle(q);
	skb = reframer_pop(&q->engine);
	return skb ? reframer_sent(sch, skb) : NULL;
}

/*
 * Called after every enqueue(), mostly for a packet that goes straight through
 * or to find nothing due: then the watchdog is armed, and to see that is all we do.
 */
static struct sk_buff *reframer_dequeue(struct Qdisc *sch)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	struct reframer_engine *e = &q->engine;

	if (e->straight)
		return reframer_sent(sch, reframer_pop_straight(e));
	if (list_empty(&e->ready) &&
	    (list_empty(&e->held) ||
	     (e->settled && hrtimer_is_queued(&q->watchdog.timer))))
		return NULL;
	return reframer_dequeue_slot(sch);
}

static void reframer_reset(struct Qdisc *sch)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	struct reframer_flow *victim;
	struct sk_buff *skb;

	qdisc_watchdog_cancel(&q->watchdog);
	/* The core resets a default qdisc even if init() has failed. */
	if (!q->engine.held.next)
		return;
	q->engine.expires = 0;
	while ((skb = reframer_evict(sch, &victim))) {
		q->engine.stats.lost[REFRAMER_LOST_RESET]++;
		rtnl_kfree_skbs(skb, skb);
	}
}

/*
 * The options, in the order of their attributes: every one is a u32.  Messages
 * and ranges come from here; the policy checks types and lengths.
 */
static const struct reframer_option {
	const char *name;
	const char *unit;
	u32 min;
	u32 max;
	size_t offset;		/* in struct reframer_config */
} reframer_options[TCA_REFRAMER_MAX + 1] = {
#define REFRAMER_OPTION(attr, field, unit, min, max)			\
	[attr] = { #field, unit, min, max,				\
		   offsetof(struct reframer_config, field) }
	REFRAMER_OPTION(TCA_REFRAMER_DELAY, delay, " ns",
			0, REFRAMER_DELAY_MAX),
	REFRAMER_OPTION(TCA_REFRAMER_SLACK, slack, " ns",
			0, REFRAMER_DELAY_MAX),
	REFRAMER_OPTION(TCA_REFRAMER_BURST, burst, "",
			REFRAMER_BURST_MIN, REFRAMER_BURST_MAX),
	REFRAMER_OPTION(TCA_REFRAMER_BURST_BYTES, burst_bytes, "",
			REFRAMER_BURST_BYTES_MIN, REFRAMER_BURST_BYTES_MAX),
	REFRAMER_OPTION(TCA_REFRAMER_LIMIT, limit, "",
			REFRAMER_LIMIT_MIN, REFRAMER_LIMIT_MAX),
	REFRAMER_OPTION(TCA_REFRAMER_MEMORY_LIMIT, memory_limit, "",
			REFRAMER_MEMORY_LIMIT_MIN, REFRAMER_MEMORY_LIMIT_MAX),
	REFRAMER_OPTION(TCA_REFRAMER_FLOWS, flows, "",
			REFRAMER_FLOWS_MIN, REFRAMER_FLOWS_MAX),
	REFRAMER_OPTION(TCA_REFRAMER_KEY, key, "", 0, REFRAMER_KEY_MAX),
	REFRAMER_OPTION(TCA_REFRAMER_ADAPTIVE, adaptive, "", 0, 1),
	REFRAMER_OPTION(TCA_REFRAMER_PUSH, push, "", 0, 1),
#undef REFRAMER_OPTION
};

static const struct nla_policy reframer_policy[TCA_REFRAMER_MAX + 1] = {
	[TCA_REFRAMER_DELAY]		= { .type = NLA_U32 },
	[TCA_REFRAMER_SLACK]		= { .type = NLA_U32 },
	[TCA_REFRAMER_BURST]		= { .type = NLA_U32 },
	[TCA_REFRAMER_BURST_BYTES]	= { .type = NLA_U32 },
	[TCA_REFRAMER_LIMIT]		= { .type = NLA_U32 },
	[TCA_REFRAMER_MEMORY_LIMIT]	= { .type = NLA_U32 },
	[TCA_REFRAMER_FLOWS]		= { .type = NLA_U32 },
	[TCA_REFRAMER_KEY]		= { .type = NLA_U32 },
	[TCA_REFRAMER_ADAPTIVE]		= { .type = NLA_U32 },
	[TCA_REFRAMER_PUSH]		= { .type = NLA_U32 },
};

static u32 *reframer_option_value(struct reframer_config *conf, int attr)
{
	return (u32 *)((char *)conf + reframer_options[attr].offset);
}

/* Read @opt on top of @conf, or refuse it and name the reason. */
static int reframer_parse(struct reframer_config *conf, bool *slack_follows,
			  struct nlattr *opt, struct netlink_ext_ack *extack)
{
	struct nlattr *tb[TCA_REFRAMER_MAX + 1];
	int attr, err;

	err = nla_parse_nested(tb, TCA_REFRAMER_MAX, opt, reframer_policy,
			       extack);
	if (err < 0)
		return err;

	for (attr = 1; attr <= TCA_REFRAMER_MAX; attr++) {
		const struct reframer_option *o = &reframer_options[attr];
		u32 value;

		if (!tb[attr])
			continue;
		value = nla_get_u32(tb[attr]);
		if (value < o->min || value > o->max) {
			NL_SET_ERR_MSG_FMT_MOD(extack,
					       "%s %u%s not in %u..%u%s",
					       o->name, value, o->unit,
					       o->min, o->max, o->unit);
			NL_SET_BAD_ATTR(extack, tb[attr]);
			return -ERANGE;
		}
		*reframer_option_value(conf, attr) = value;
	}

	*slack_follows &= !tb[TCA_REFRAMER_SLACK];
	if (*slack_follows)
		conf->slack = conf->delay / REFRAMER_SLACK_DIVISOR;
	if (conf->slack > conf->delay) {
		NL_SET_ERR_MSG_FMT_MOD(extack,
				       "slack %u ns not in 0..%u ns (delay)",
				       conf->slack, conf->delay);
		return -ERANGE;
	}
	return 0;
}

static int reframer_change(struct Qdisc *sch, struct nlattr *opt,
			   struct netlink_ext_ack *extack)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	struct reframer_engine *e = &q->engine;
	struct reframer_config conf = e->conf;
	unsigned int packets = 0, bytes = 0;
	bool slack_follows = e->slack_follows;
	struct reframer_flow *victim;
	struct sk_buff *skb;
	int attr, err;

	err = reframer_parse(&conf, &slack_follows, opt, extack);
	if (err)
		return err;
	if (roundup_pow_of_two(conf.flows) != e->conf.flows) {
		NL_SET_ERR_MSG_FMT_MOD(extack,
				       "flows %u not %u, fixed at creation",
				       conf.flows, e->conf.flows);
		return -EINVAL;
	}
	conf.flows = e->conf.flows;

	sch_tree_lock(sch);

	if (conf.key != e->conf.key)
		reframer_rekey(e, ktime_get_ns());
	for (attr = 1; attr <= TCA_REFRAMER_MAX; attr++)
		WRITE_ONCE(*reframer_option_value(&e->conf, attr),
			   *reframer_option_value(&conf, attr));
	reframer_configure(e);
	e->slack_follows = slack_follows;

	/* By our own counters: a packet that a parent peeked is in gso_skb. */
	while (reframer_over_limit(e) || reframer_over_memory(e)) {
		skb = reframer_evict(sch, &victim);
		packets++;
		bytes += qdisc_pkt_len(skb);
		rtnl_kfree_skbs(skb, skb);
	}
	e->stats.lost[REFRAMER_LOST_CHANGE] += packets;
	if (packets)
		qdisc_tree_reduce_backlog(sch, packets, bytes);

	reframer_resettle(e, ktime_get_ns());
	/* dequeue() finds out what may go now, and arms for the rest */
	reframer_arm(q, e->now);

	sch_tree_unlock(sch);
	return 0;
}

static void reframer_destroy(struct Qdisc *sch)
{
	struct reframer_sched_data *q = qdisc_priv(sch);

	qdisc_watchdog_cancel(&q->watchdog);
	tcf_block_put(q->block);
	kvfree(q->engine.sets);
	kvfree(q->engine.flows);
}

/* When this fails the core calls destroy(). */
static int reframer_init(struct Qdisc *sch, struct nlattr *opt,
			 struct netlink_ext_ack *extack)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	struct reframer_engine *e = &q->engine;
	int err;

	qdisc_watchdog_init(&q->watchdog, sch);

	e->conf = (struct reframer_config) {
		.delay		= REFRAMER_DELAY_DEFAULT,
		.slack		= REFRAMER_DELAY_DEFAULT / REFRAMER_SLACK_DIVISOR,
		.burst		= REFRAMER_BURST_DEFAULT,
		.burst_bytes	= REFRAMER_BURST_BYTES_DEFAULT,
		.limit		= REFRAMER_LIMIT_DEFAULT,
		.memory_limit	= REFRAMER_MEMORY_LIMIT_DEFAULT,
		.flows		= REFRAMER_FLOWS_DEFAULT,
		.adaptive	= 1,
		.push		= 1,
	};
	e->slack_follows = true;
	get_random_bytes(&q->secret, sizeof(q->secret));
	if (opt) {
		err = reframer_parse(&e->conf, &e->slack_follows, opt, extack);
		if (err)
			return err;
	}
	e->conf.flows = roundup_pow_of_two(e->conf.flows);

	err = tcf_block_get(&q->block, &q->filter_list, sch, extack);
	if (err)
		return err;

	/* An error will do, without a call trace: anybody in a namespace may ask. */
	e->sets = kvcalloc(reframer_sets(&e->conf), sizeof(*e->sets),
			   GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	e->flows = kvcalloc(e->conf.flows, sizeof(*e->flows),
			    GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!e->sets || !e->flows)
		return -ENOMEM;

	BUILD_BUG_ON(sizeof(struct reframer_set) != 64);
	BUILD_BUG_ON(sizeof(long) == 8 && sizeof(struct reframer_flow) != 64);
	reframer_engine_init(e);
	return 0;
}

static int reframer_dump(struct Qdisc *sch, struct sk_buff *skb)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	struct nlattr *nest = nla_nest_start_noflag(skb, TCA_OPTIONS);
	int attr;

	if (!nest)
		return -EMSGSIZE;
	for (attr = 1; attr <= TCA_REFRAMER_MAX; attr++) {
		u32 *value = reframer_option_value(&q->engine.conf, attr);

		if (nla_put_u32(skb, attr, READ_ONCE(*value))) {
			nla_nest_cancel(skb, nest);
			return -EMSGSIZE;
		}
	}
	return nla_nest_end(skb, nest);
}

static int reframer_put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, TCA_REFRAMER_STATS_PAD);
}

static int reframer_put_hist(struct sk_buff *skb, int attr, const u64 *hist,
			     unsigned int len)
{
	struct nlattr *nla = nla_reserve_64bit(skb, attr, len * sizeof(u64),
					       TCA_REFRAMER_STATS_PAD);

	if (!nla)
		return -EMSGSIZE;
	memcpy(nla_data(nla), hist, len * sizeof(u64));
	return 0;
}

static int reframer_dump_stats(struct Qdisc *sch, struct gnet_dump *d)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	const struct reframer_engine *e = &q->engine;
	struct reframer_stats stats, *s = &stats;
	struct nlattr *nest;
	u32 memory, lateness;

	/* of one moment, so that the sums are right */
	sch_tree_lock(sch);
	stats = e->stats;
	memory = e->memory;
	lateness = e->lateness;
	sch_tree_unlock(sch);

	nest = nla_nest_start_noflag(d->skb, TCA_STATS_APP);
	if (!nest)
		return -1;

#define PUT_U64(attr, value)						\
	reframer_put_u64(d->skb, TCA_REFRAMER_STATS_##attr, value)
#define PUT_U32(attr, value)						\
	nla_put_u32(d->skb, TCA_REFRAMER_STATS_##attr, value)
#define PUT_HIST(attr, hist, len)					\
	reframer_put_hist(d->skb, TCA_REFRAMER_STATS_##attr, hist, len)
	if (PUT_U64(PACKETS_IN, s->packets_in) ||
	    PUT_U64(RUNS_IN, s->runs_in) ||
	    PUT_U64(PACKETS_OUT, s->packets_out) ||
	    PUT_U64(RUNS_OUT, s->runs_out) ||
	    PUT_U64(BURSTS, s->bursts) ||
	    PUT_HIST(BURST_HIST, s->burst_hist, REFRAMER_BURST_HIST_LEN) ||
	    PUT_U64(DEADLINE, s->releases[REFRAMER_DEADLINE]) ||
	    PUT_U64(FULL, s->releases[REFRAMER_FULL]) ||
	    PUT_U64(PRESSURE, s->releases[REFRAMER_PRESSURE]) ||
	    PUT_U64(PUSH, s->releases[REFRAMER_PUSH]) ||
	    PUT_U64(EXPRESS, s->releases[REFRAMER_EXPRESS]) ||
	    PUT_U64(PREDICTED, s->releases[REFRAMER_PREDICTED]) ||
	    PUT_U64(HOLDS_PAID, s->holds_paid) ||
	    PUT_U64(HOLDS_VAIN, s->holds_vain) ||
	    PUT_U64(HOLD_SUM, s->hold_sum) ||
	    PUT_U64(HOLD_MAX, s->hold_max) ||
	    PUT_HIST(HOLD_HIST, s->hold_hist, REFRAMER_HOLD_HIST_LEN) ||
	    PUT_U64(LATE_MAX, s->late_max) ||
	    PUT_U64(TIMERS, s->timers) ||
	    PUT_U64(COLLISIONS, s->collisions) ||
	    PUT_U64(DROP_LIMIT, s->lost[REFRAMER_LOST_LIMIT]) ||
	    PUT_U64(DROP_MEMORY, s->lost[REFRAMER_LOST_MEMORY]) ||
	    PUT_U64(DROP_CHANGE, s->lost[REFRAMER_LOST_CHANGE]) ||
	    PUT_U64(DROP_RESET, s->lost[REFRAMER_LOST_RESET]) ||
	    PUT_U64(DROP_FILTER, s->lost[REFRAMER_LOST_FILTER]) ||
	    PUT_U32(FLOWS_HELD, s->flows_held) ||
	    PUT_U32(FLOWS_READY, s->flows_ready) ||
	    PUT_U32(FLOWS_PEAK, s->flows_peak) ||
	    PUT_U32(LATE_MEAN, lateness / 8) ||
	    PUT_U32(MEMORY, memory) ||
	    PUT_U32(TABLE_BYTES,
		    e->conf.flows * sizeof(*e->flows) +
		    reframer_sets(&e->conf) * sizeof(*e->sets))) {
		nla_nest_cancel(d->skb, nest);
		return -1;
	}
#undef PUT_U64
#undef PUT_U32
#undef PUT_HIST

	nla_nest_end(d->skb, nest);
	return 0;
}

/*
 * The classes are the slots that have packets, to be looked at and for filters
 * to choose; they come and go with the packets.
 */
static struct Qdisc *reframer_leaf(struct Qdisc *sch, unsigned long cl)
{
	return NULL;
}

static unsigned long reframer_find(struct Qdisc *sch, u32 classid)
{
	return 0;
}

static unsigned long reframer_bind(struct Qdisc *sch, unsigned long parent,
				   u32 classid)
{
	return 0;
}

static void reframer_unbind(struct Qdisc *sch, unsigned long cl)
{
}

static struct tcf_block *reframer_tcf_block(struct Qdisc *sch,
					    unsigned long cl,
					    struct netlink_ext_ack *extack)
{
	struct reframer_sched_data *q = qdisc_priv(sch);

	return cl ? NULL : q->block;
}

static int reframer_dump_class(struct Qdisc *sch, unsigned long cl,
			       struct sk_buff *skb, struct tcmsg *tcm)
{
	tcm->tcm_handle |= TC_H_MIN(cl);
	return 0;
}

static int reframer_dump_class_stats(struct Qdisc *sch, unsigned long cl,
				     struct gnet_dump *d)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	const struct reframer_engine *e = &q->engine;
	const struct reframer_flow *flow = &e->flows[cl - 1];
	struct gnet_stats_queue qs = {};
	struct nlattr *nest;
	u64 age = 0;
	u32 hash = 0;
	bool ready;

	sch_tree_lock(sch);
	qs.qlen = flow->qlen;
	qs.backlog = flow->bytes;
	ready = e->sets[(cl - 1) / REFRAMER_WAYS].ready & BIT((cl - 1) % REFRAMER_WAYS);
	if (flow->qlen) {
		hash = reframer_skb_cb(flow->head)->hash;
		age = ktime_get_ns() - flow->arrival;
	}
	sch_tree_unlock(sch);

	if (gnet_stats_copy_queue(d, NULL, &qs, qs.qlen) < 0)
		return -1;
	nest = nla_nest_start_noflag(d->skb, TCA_STATS_APP);
	if (!nest)
		return -1;
	if (nla_put_u32(d->skb, TCA_REFRAMER_STATS_CLASS_HASH, hash) ||
	    nla_put_u32(d->skb, TCA_REFRAMER_STATS_CLASS_READY, ready) ||
	    reframer_put_u64(d->skb, TCA_REFRAMER_STATS_CLASS_AGE, age)) {
		nla_nest_cancel(d->skb, nest);
		return -1;
	}
	nla_nest_end(d->skb, nest);
	return 0;
}

static void reframer_walk(struct Qdisc *sch, struct qdisc_walker *arg)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	const struct reframer_engine *e = &q->engine;
	u32 i;

	if (arg->stop)
		return;
	/* 16 bits name a class: the last of 65536 slots has no name */
	for (i = 0; i < min(e->conf.flows, 0xffffU); i++) {
		if (!(READ_ONCE(e->sets[i / REFRAMER_WAYS].active) &
		      BIT(i % REFRAMER_WAYS)))
			arg->count++;
		else if (!tc_qdisc_stats_dump(sch, i + 1, arg))
			break;
	}
}

static const struct Qdisc_class_ops reframer_class_ops = {
	.leaf		= reframer_leaf,
	.find		= reframer_find,
	.tcf_block	= reframer_tcf_block,
	.bind_tcf	= reframer_bind,
	.unbind_tcf	= reframer_unbind,
	.dump		= reframer_dump_class,
	.dump_stats	= reframer_dump_class_stats,
	.walk		= reframer_walk,
};

static struct Qdisc_ops reframer_qdisc_ops __read_mostly = {
	.cl_ops		= &reframer_class_ops,
	.id		= "reframer",
	.priv_size	= sizeof(struct reframer_sched_data),
	.enqueue	= reframer_enqueue,
	.dequeue	= reframer_dequeue,
	.peek		= qdisc_peek_dequeued,
	.init		= reframer_init,
	.reset		= reframer_reset,
	.destroy	= reframer_destroy,
	.change		= reframer_change,
	.dump		= reframer_dump,
	.dump_stats	= reframer_dump_stats,
	.owner		= THIS_MODULE,
};

static int __init reframer_module_init(void)
{
	return register_qdisc(&reframer_qdisc_ops);
}

static void __exit reframer_module_exit(void)
{
	unregister_qdisc(&reframer_qdisc_ops);
}

module_init(reframer_module_init)
module_exit(reframer_module_exit)
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Sort packets by flow");
MODULE_ALIAS("net-sch-reframer");
