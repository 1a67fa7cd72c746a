// SPDX-License-Identifier: GPL-2.0
/*
 * net/sched/sch_reframer.c	Sort packets by flow
 *
 * Servers and network functions do less work per packet when the packets of a
 * flow arrive one after the other: GRO merges them, caches stay warm.  Networks
 * deliver them interleaved.  reframer holds packets for a bounded time, some
 * microseconds, and sends each flow as one burst.  It is for the egress of a
 * router, load balancer or hypervisor in front of the machines that are to gain.
 *
 * The idea is that of H. Ghasemirahni et al., "Packet Order Matters! Improving
 * Application Performance by Deliberately Delaying Packets", NSDI 2022.
 *
 * A flow is what the kernel's flow hash, the option `key` or a filter identifies.
 *
 * enqueue() puts a packet into the slot of its flow.  The first packet of a flow
 * starts its hold, which lasts for `delay` at most.  Only flows are held for which
 * that has been paying (`adaptive`); while there are none, packets may bypass the
 * qdisc.  A flow is released early when it has a whole `burst`, or when a packet ends
 * a message (`push`).  Over the limit, the largest flow loses packets from its head.
 *
 * dequeue() sends one burst of a flow, then one of the next.  One timer is armed for
 * the oldest flow that is held.  When it has expired, dequeue() reads the clock, and
 * all flows that are due within `slack` are released.  In case the timer is late,
 * one call in 16 reads the clock, too, while flows are held.  Consecutive packets of a
 * burst leave as one GSO packet where that is possible (`coalesce`).
 */
#include <linux/module.h>
#include <linux/types.h>
#include <linux/kernel.h>
#include <linux/bitops.h>
#include <linux/etherdevice.h>
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
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/flow_dissector.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
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

static bool reframer_timer_queued(const struct reframer_engine *e);
static void reframer_timer_arm(struct reframer_engine *e, u64 expires);
static u32 reframer_timer_latency(const struct reframer_engine *e);
static bool reframer_may_bypass(const struct reframer_engine *e);
static bool reframer_merge(const struct reframer_engine *e, struct sk_buff *last,
			   struct sk_buff *skb);
#define reframer_merge		reframer_merge
#define reframer_clock()	ktime_get_ns()

#include "reframer_trace.h"
#include "reframer_engine.h"
#include "reframer_flow_hash.h"
#include "reframer_coalesce.h"
#include "reframer_options.h"

#define CREATE_TRACE_POINTS
#include "reframer_trace.h"	/* again, with the reasons known */

/* The most packets that one enqueue() drops: a bound on the work in it */
#define REFRAMER_DROP_BATCH	64

/* The cache lines of the engine count from here. */
struct reframer_sched_data {
	struct tcf_proto __rcu *filter_list;
	struct reframer_engine engine;
	struct qdisc_watchdog watchdog;
	u32 timer_latency;		/* ns, when the watchdog expired last */
	u64 dequeued;			/* packets, as in bstats */
	u64 bypassed;			/* the same, of those that bypassed the qdisc */
	u64 coalesced;			/* GSO packets made */
	u64 segments;			/* in them */
	siphash_aligned_key_t secret;	/* of hashes of our own */
	struct tcf_block *block;
};

static struct reframer_sched_data *
reframer_of(const struct reframer_engine *e)
{
	return container_of(e, struct reframer_sched_data, engine);
}

static void reframer_trace(const struct reframer_engine *e,
			   const struct sk_buff *head, u32 packets, u32 bytes,
			   u64 hold, int reason)
{
	trace_reframer_release(reframer_of(e)->watchdog.qdisc,
			       reframer_skb_cb(head)->hash,
			       packets, bytes, hold, reason);
}

static bool reframer_timer_queued(const struct reframer_engine *e)
{
	return hrtimer_is_queued(&reframer_of(e)->watchdog.timer);
}

static void reframer_timer_arm(struct reframer_engine *e, u64 expires)
{
	qdisc_watchdog_schedule_ns(&reframer_of(e)->watchdog, expires);
}

static u32 reframer_timer_latency(const struct reframer_engine *e)
{
	return READ_ONCE(reframer_of(e)->timer_latency);
}

/* Is the qdisc the root of a transmit queue, so that no other one takes its packets? */
static bool reframer_is_root(const struct Qdisc *sch)
{
	return rcu_access_pointer(sch->dev_queue->qdisc) == sch;
}

/*
 * The core sends packets past an empty qdisc that is the root of a transmit queue, if
 * that allows it.  With filters none may bypass.
 */
static bool reframer_may_bypass(const struct reframer_engine *e)
{
	const struct reframer_sched_data *q = reframer_of(e);

	return !rcu_access_pointer(q->filter_list) &&
	       reframer_is_root(q->watchdog.qdisc);
}

/*
 * The function of the watchdog, which also measures how late it is called.  dequeue()
 * could not tell a late timer from a parent or a device that calls it late.
 */
static enum hrtimer_restart reframer_watchdog(struct hrtimer *timer)
{
	struct reframer_sched_data *q =
		container_of(timer, struct reframer_sched_data, watchdog.timer);
	u64 late = ktime_get_ns() -
		   ktime_to_ns(hrtimer_get_softexpires(timer));

	WRITE_ONCE(q->timer_latency, min_t(u64, late, U32_MAX));
	rcu_read_lock();
	__netif_schedule(qdisc_root(q->watchdog.qdisc));
	rcu_read_unlock();
	return HRTIMER_NORESTART;
}

/* Does the packet, which follows @last in its flow, become a segment of that one? */
static noinline bool reframer_join_segments(const struct reframer_config *conf,
					    struct sk_buff *last,
					    struct sk_buff *skb)
{
	if (reframer_packets(last) == 1 && !reframer_begin_gso(last))
		return false;
	if (reframer_packets(last) >= conf->burst ||
	    qdisc_pkt_len(last) + qdisc_pkt_len(skb) > conf->burst_bytes ||
	    !reframer_follows(last, skb))
		return false;
	reframer_append(last, skb);
	return true;
}

static bool reframer_merge(const struct reframer_engine *e, struct sk_buff *last,
			   struct sk_buff *skb)
{
	return e->conf.coalesce && reframer_is_root(reframer_of(e)->watchdog.qdisc) &&
	       reframer_join_segments(&e->conf, last, skb);
}

/* Others read qlen without the lock. */
static void reframer_add_qlen(struct Qdisc *sch, int packets)
{
	WRITE_ONCE(sch->q.qlen, sch->q.qlen + packets);
}

/* An skb has left the queue. */
static void reframer_left_queue(struct Qdisc *sch, const struct sk_buff *skb)
{
	reframer_add_qlen(sch, -reframer_packets(skb));
	qdisc_qstats_backlog_dec(sch, skb);
}

static void reframer_count_drops(struct Qdisc *sch, enum reframer_drop_cause cause,
				 unsigned int packets)
{
	struct reframer_sched_data *q = qdisc_priv(sch);

	q->engine.stats.drops[cause] += packets;
	WRITE_ONCE(sch->qstats.drops, sch->qstats.drops + packets);
}

/* Take an skb, the oldest of the largest flow, from what is queued. */
static struct sk_buff *reframer_evict(struct Qdisc *sch,
				      struct reframer_flow **victim)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	struct sk_buff *skb = reframer_drop(&q->engine, victim);

	if (skb)
		reframer_left_queue(sch, skb);
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
	enum reframer_drop_cause cause;
	struct reframer_flow *victim;
	bool congested = false;
	struct sk_buff *skb;

	do {
		cause = reframer_over_limit(&q->engine) ? REFRAMER_DROP_LIMIT :
							 REFRAMER_DROP_MEMORY;
		skb = reframer_evict(sch, &victim);
		packets += reframer_packets(skb);
		bytes += qdisc_pkt_len(skb);
		congested |= victim == flow;
		reframer_count_drops(sch, cause, reframer_packets(skb));
		reframer_set_overlimit(skb);
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

/* May a filter or skb->priority choose the flow, instead of the hash? */
static bool reframer_may_be_classified(struct Qdisc *sch, const struct sk_buff *skb)
{
	const struct reframer_sched_data *q = qdisc_priv(sch);

	/* a default qdisc has no handle; a priority that is no class has no major */
	return rcu_access_pointer(q->filter_list) ||
	       (!((skb->priority ^ sch->handle) >> 16) && sch->handle);
}

/*
 * The class that filters or skb->priority choose, 0 if none.  Negative if an action
 * took the packet: the flags that enqueue() is to return.
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

static enum reframer_flush reframer_flush(struct Qdisc *sch,
					  const struct sk_buff *skb)
{
	const struct reframer_sched_data *q = qdisc_priv(sch);
	const u8 *header;

	if (skb->priority == TC_PRIO_CONTROL)
		return REFRAMER_FLUSH_CONTROL;
	header = reframer_header(skb, sch);
	if (header < skb->data)
		return REFRAMER_NO_FLUSH;
	return reframer_header_flush(header, skb_tail_pointer(skb) - header,
				    ntohs(skb->protocol), q->engine.conf.push);
}

static int reframer_enqueue(struct sk_buff *skb, struct Qdisc *sch,
			    struct sk_buff **to_free)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	struct reframer_engine *e = &q->engine;
	unsigned int len = qdisc_pkt_len(skb);
	enum reframer_flush flush;
	u32 hash, slot;
	int class = 0;

	if (unlikely(reframer_may_be_classified(sch, skb)))
		class = reframer_filter(skb, sch);
	if (unlikely(class < 0)) {
		if (-class == __NET_XMIT_BYPASS) {
			e->stats.drops[REFRAMER_DROP_FILTER]++;
			qdisc_qstats_drop(sch);
		} else {
			e->stats.stolen++;
		}
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
	flush = reframer_flush(sch, skb);
	reframer_add_qlen(sch, 1);
	qdisc_qstats_backlog_inc(sch, skb);
	if (likely(!reframer_arrive(e, slot, skb, hash, flush)))
		return NET_XMIT_SUCCESS;

	if (!reframer_over_limit(e) && !reframer_over_memory(e))
		return NET_XMIT_SUCCESS;
	return reframer_overlimit(sch, &e->flows[slot], len, to_free);
}

static noinline struct sk_buff *reframer_dequeue_skb(struct Qdisc *sch, bool due)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	struct sk_buff *skb = reframer_next(&q->engine, due);

	if (!skb)
		return NULL;
	reframer_left_queue(sch, skb);
	if (reframer_packets(skb) > 1) {
		q->coalesced++;
		q->segments += reframer_packets(skb);
		reframer_finish_gso(skb);
	}
	q->dequeued -= u64_stats_read(&sch->bstats.packets);
	qdisc_bstats_update(sch, skb);
	q->dequeued += u64_stats_read(&sch->bstats.packets);
	return skb;
}

/*
 * Let packets bypass the qdisc if it stands aside.  The decision is the engine's, and
 * the flag is set accordingly each time: the core may change it under another lock.
 */
static void reframer_set_bypass(struct Qdisc *sch)
{
	const struct reframer_sched_data *q = qdisc_priv(sch);

	if (q->engine.stands_aside)
		WRITE_ONCE(sch->flags, sch->flags | TCQ_F_CAN_BYPASS);
	else
		WRITE_ONCE(sch->flags, sch->flags & ~TCQ_F_CAN_BYPASS);
}

/* The core has sent packets that bypassed the qdisc, or may do so from now on. */
static noinline void reframer_aside(struct Qdisc *sch)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	u64 all = u64_stats_read(&sch->bstats.packets) - q->dequeued;

	if (!reframer_may_bypass(&q->engine))
		reframer_look_again(&q->engine, ktime_get_ns());
	else if (q->engine.stands_aside)
		reframer_bypassed(&q->engine, all - q->bypassed);
	q->bypassed = all;
	reframer_set_bypass(sch);
}

/*
 * Called after every enqueue(), mostly when nothing is due, so that is fast; and by the
 * core after each packet that bypasses the qdisc.
 */
static struct sk_buff *reframer_dequeue(struct Qdisc *sch)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	bool due = reframer_check_due(&q->engine);

	if (!reframer_is_idle(&q->engine, due))
		return reframer_dequeue_skb(sch, due);
	if (unlikely(q->engine.stands_aside || sch->flags & TCQ_F_CAN_BYPASS))
		reframer_aside(sch);
	return NULL;
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
	q->engine.armed = false;
	while ((skb = reframer_evict(sch, &victim))) {
		q->engine.stats.drops[REFRAMER_DROP_RESET] += reframer_packets(skb);
		rtnl_kfree_skbs(skb, skb);
	}
}

#define REFRAMER_RANGE(low, high)					\
	NLA_POLICY_FULL_RANGE(NLA_U32,					\
			      (&(struct netlink_range_validation) {	\
				.min = (low), .max = (high),		\
			      }))

static const struct nla_policy reframer_policy[TCA_REFRAMER_MAX + 1] = {
	[TCA_REFRAMER_DELAY]	= REFRAMER_RANGE(0, REFRAMER_DELAY_MAX),
	/* its range depends on the delay */
	[TCA_REFRAMER_SLACK]	= { .type = NLA_U32 },
	[TCA_REFRAMER_BURST]	= REFRAMER_RANGE(REFRAMER_BURST_MIN,
						 REFRAMER_BURST_MAX),
	[TCA_REFRAMER_BURST_BYTES] = REFRAMER_RANGE(REFRAMER_BURST_BYTES_MIN,
						    REFRAMER_BURST_BYTES_MAX),
	[TCA_REFRAMER_LIMIT]	= REFRAMER_RANGE(REFRAMER_LIMIT_MIN,
						 REFRAMER_LIMIT_MAX),
	[TCA_REFRAMER_MEMORY_LIMIT] = REFRAMER_RANGE(REFRAMER_MEMORY_LIMIT_MIN,
						     REFRAMER_MEMORY_LIMIT_MAX),
	[TCA_REFRAMER_FLOWS]	= REFRAMER_RANGE(REFRAMER_FLOWS_MIN,
						 REFRAMER_FLOWS_MAX),
	[TCA_REFRAMER_KEY]	= REFRAMER_RANGE(0, REFRAMER_KEY_MAX),
	[TCA_REFRAMER_ADAPTIVE]	= REFRAMER_RANGE(0, 1),
	[TCA_REFRAMER_PUSH]	= REFRAMER_RANGE(0, 1),
	[TCA_REFRAMER_COALESCE]	= REFRAMER_RANGE(0, 1),
};

/* For the message about an option that the policy has found out of range */
static const struct {
	const char *name;
	const char *unit;
} reframer_words[TCA_REFRAMER_MAX + 1] = {
	[TCA_REFRAMER_DELAY]		= { "delay", " ns" },
	[TCA_REFRAMER_BURST]		= { "burst", "" },
	[TCA_REFRAMER_BURST_BYTES]	= { "burst_bytes", "" },
	[TCA_REFRAMER_LIMIT]		= { "limit", "" },
	[TCA_REFRAMER_MEMORY_LIMIT]	= { "memory_limit", "" },
	[TCA_REFRAMER_FLOWS]		= { "flows", "" },
	[TCA_REFRAMER_KEY]		= { "key", "" },
	[TCA_REFRAMER_ADAPTIVE]		= { "adaptive", "" },
	[TCA_REFRAMER_PUSH]		= { "push", "" },
	[TCA_REFRAMER_COALESCE]		= { "coalesce", "" },
};

/* The core says only "integer out of range". */
static void reframer_say_range(struct netlink_ext_ack *extack)
{
	const struct nlattr *attr = extack->bad_attr;
	const struct netlink_range_validation *range =
		reframer_policy[nla_type(attr)].range;
	const char *unit = reframer_words[nla_type(attr)].unit;

	NL_SET_ERR_MSG_FMT_MOD(extack, "%s %u%s not in %llu..%llu%s",
			       reframer_words[nla_type(attr)].name,
			       nla_get_u32(attr), unit,
			       range->min, range->max, unit);
}

/*
 * May packets be coalesced where the qdisc is?  Other parents than mq may choke on a
 * packet that has grown: tbf never sends one that is larger than its burst.
 */
static bool reframer_may_coalesce(const struct Qdisc *sch)
{
	const struct Qdisc *root = rtnl_dereference(qdisc_dev(sch)->qdisc);

	return sch->parent == TC_H_ROOT ||
	       (root->flags & TCQ_F_MQROOT && root->handle == TC_H_MAJ(sch->parent));
}

/* Read @opt on top of @conf, or refuse it and name the reason. */
static int reframer_parse(const struct Qdisc *sch, struct reframer_config *conf,
			  struct nlattr *opt, struct netlink_ext_ack *extack)
{
	struct nlattr *tb[TCA_REFRAMER_MAX + 1];
	int err;

	err = nla_parse_nested(tb, TCA_REFRAMER_MAX, opt, reframer_policy,
			       extack);
	if (err == -ERANGE && extack)
		reframer_say_range(extack);
	if (err < 0)
		return err;

	if (tb[TCA_REFRAMER_DELAY])
		conf->delay = nla_get_u32(tb[TCA_REFRAMER_DELAY]);
	if (tb[TCA_REFRAMER_SLACK])
		conf->slack = nla_get_u32(tb[TCA_REFRAMER_SLACK]);
	if (tb[TCA_REFRAMER_BURST])
		conf->burst = nla_get_u32(tb[TCA_REFRAMER_BURST]);
	if (tb[TCA_REFRAMER_BURST_BYTES])
		conf->burst_bytes = nla_get_u32(tb[TCA_REFRAMER_BURST_BYTES]);
	if (tb[TCA_REFRAMER_LIMIT])
		conf->limit = nla_get_u32(tb[TCA_REFRAMER_LIMIT]);
	if (tb[TCA_REFRAMER_MEMORY_LIMIT])
		conf->memory_limit = nla_get_u32(tb[TCA_REFRAMER_MEMORY_LIMIT]);
	if (tb[TCA_REFRAMER_FLOWS])
		conf->flows = nla_get_u32(tb[TCA_REFRAMER_FLOWS]);
	if (tb[TCA_REFRAMER_KEY])
		conf->key = nla_get_u32(tb[TCA_REFRAMER_KEY]);
	if (tb[TCA_REFRAMER_ADAPTIVE])
		conf->adaptive = nla_get_u32(tb[TCA_REFRAMER_ADAPTIVE]);
	if (tb[TCA_REFRAMER_PUSH])
		conf->push = nla_get_u32(tb[TCA_REFRAMER_PUSH]);
	if (tb[TCA_REFRAMER_COALESCE])
		conf->coalesce = nla_get_u32(tb[TCA_REFRAMER_COALESCE]);

	if (tb[TCA_REFRAMER_COALESCE] && conf->coalesce &&
	    !reframer_may_coalesce(sch)) {
		NL_SET_ERR_MSG_MOD(extack,
				   "coalesce not at the root or below mq");
		NL_SET_BAD_ATTR(extack, tb[TCA_REFRAMER_COALESCE]);
		return -EOPNOTSUPP;
	}

	if (conf->slack == REFRAMER_SLACK_AUTO || conf->slack <= conf->delay)
		return 0;
	if (tb[TCA_REFRAMER_SLACK]) {
		NL_SET_ERR_MSG_FMT_MOD(extack,
				       "slack %u ns not in 0..%u ns (the delay), or auto",
				       conf->slack, conf->delay);
		NL_SET_BAD_ATTR(extack, tb[TCA_REFRAMER_SLACK]);
		return -ERANGE;
	}
	conf->slack = conf->delay;	/* lowered below an earlier slack */
	return 0;
}

/* Put @conf in force; dump() reads it without the lock. */
static void reframer_set_config(struct reframer_config *c,
				const struct reframer_config *conf)
{
	WRITE_ONCE(c->delay, conf->delay);
	WRITE_ONCE(c->slack, conf->slack);
	WRITE_ONCE(c->burst, conf->burst);
	WRITE_ONCE(c->burst_bytes, conf->burst_bytes);
	WRITE_ONCE(c->limit, conf->limit);
	WRITE_ONCE(c->memory_limit, conf->memory_limit);
	WRITE_ONCE(c->key, conf->key);
	WRITE_ONCE(c->adaptive, conf->adaptive);
	WRITE_ONCE(c->push, conf->push);
	WRITE_ONCE(c->coalesce, conf->coalesce);
}

static int reframer_change(struct Qdisc *sch, struct nlattr *opt,
			   struct netlink_ext_ack *extack)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	struct reframer_engine *e = &q->engine;
	struct reframer_config conf = e->conf;
	unsigned int packets = 0, bytes = 0;
	struct reframer_flow *victim;
	struct sk_buff *skb;
	int err;

	err = reframer_parse(sch, &conf, opt, extack);
	if (err)
		return err;
	if (roundup_pow_of_two(conf.flows) != e->conf.flows) {
		NL_SET_ERR_MSG_FMT_MOD(extack,
				       "flows %u not %u, fixed at creation",
				       conf.flows, e->conf.flows);
		return -EINVAL;
	}

	sch_tree_lock(sch);

	if (conf.key != e->conf.key)
		reframer_change_key(e, ktime_get_ns());
	reframer_set_config(&e->conf, &conf);
	reframer_configure(e);

	/* By our own counters: a packet that a parent peeked is in gso_skb. */
	while (reframer_over_limit(e) || reframer_over_memory(e)) {
		skb = reframer_evict(sch, &victim);
		packets += reframer_packets(skb);
		bytes += qdisc_pkt_len(skb);
		rtnl_kfree_skbs(skb, skb);
	}
	reframer_count_drops(sch, REFRAMER_DROP_CHANGE, packets);
	if (packets)
		qdisc_tree_reduce_backlog(sch, packets, bytes);

	reframer_config_changed(e, ktime_get_ns());
	reframer_set_bypass(sch);
	reframer_timer_arm(e, e->now);

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
	hrtimer_update_function(&q->watchdog.timer, reframer_watchdog);

	e->conf = reframer_defaults;
	/* a default qdisc, without a handle, is at the root or below mq */
	e->conf.coalesce = !sch->handle || reframer_may_coalesce(sch);
	get_random_bytes(&q->secret, sizeof(q->secret));
	if (opt) {
		err = reframer_parse(sch, &e->conf, opt, extack);
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
	BUILD_BUG_ON(sizeof(long) == 8 &&
		     offsetof(struct reframer_sched_data, engine.last_in) != 128);
	reframer_engine_init(e);
	return 0;
}

static int reframer_dump(struct Qdisc *sch, struct sk_buff *skb)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	const struct reframer_config *c = &q->engine.conf;
	struct nlattr *nest = nla_nest_start_noflag(skb, TCA_OPTIONS);

	if (!nest)
		return -EMSGSIZE;
	if (nla_put_u32(skb, TCA_REFRAMER_DELAY, READ_ONCE(c->delay)) ||
	    nla_put_u32(skb, TCA_REFRAMER_SLACK, READ_ONCE(c->slack)) ||
	    nla_put_u32(skb, TCA_REFRAMER_BURST, READ_ONCE(c->burst)) ||
	    nla_put_u32(skb, TCA_REFRAMER_BURST_BYTES,
			READ_ONCE(c->burst_bytes)) ||
	    nla_put_u32(skb, TCA_REFRAMER_LIMIT, READ_ONCE(c->limit)) ||
	    nla_put_u32(skb, TCA_REFRAMER_MEMORY_LIMIT,
			READ_ONCE(c->memory_limit)) ||
	    nla_put_u32(skb, TCA_REFRAMER_FLOWS, c->flows) ||
	    nla_put_u32(skb, TCA_REFRAMER_KEY, READ_ONCE(c->key)) ||
	    nla_put_u32(skb, TCA_REFRAMER_ADAPTIVE, READ_ONCE(c->adaptive)) ||
	    nla_put_u32(skb, TCA_REFRAMER_PUSH, READ_ONCE(c->push)) ||
	    nla_put_u32(skb, TCA_REFRAMER_COALESCE, READ_ONCE(c->coalesce))) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
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

/* What is coalesced now, if the option is on: a mask of REFRAMER_COALESCING_* */
static u32 reframer_coalescing(const struct Qdisc *sch)
{
	const struct net_device *dev = qdisc_dev(sch);
	netdev_features_t features = READ_ONCE(dev->features) &
				     ~dev->gso_partial_features;

	if (!reframer_is_root(sch))
		return REFRAMER_COALESCING_NOT_ROOT;
	if (!(features & NETIF_F_SG))
		return 0;
	return (features & NETIF_F_TSO ? REFRAMER_COALESCING_TCP4 : 0) |
	       (features & NETIF_F_TSO6 ? REFRAMER_COALESCING_TCP6 : 0) |
	       (features & NETIF_F_GSO_UDP_L4 ? REFRAMER_COALESCING_UDP : 0);
}

static int reframer_dump_stats(struct Qdisc *sch, struct gnet_dump *d)
{
	struct reframer_sched_data *q = qdisc_priv(sch);
	const struct reframer_engine *e = &q->engine;
	struct reframer_stats stats, *s = &stats;
	u32 memory, timer_latency, slack, bypassing, coalescing;
	u64 bypassed, coalesced, segments;
	struct nlattr *app, *nest;

	/* of one moment, so that the sums are right */
	sch_tree_lock(sch);
	reframer_sum_stats(e, &stats);
	memory = e->memory;
	timer_latency = e->timer_latency;
	slack = reframer_slack(e);
	bypassed = u64_stats_read(&sch->bstats.packets) - q->dequeued;
	bypassing = e->stands_aside;
	coalesced = q->coalesced;
	segments = q->segments;
	coalescing = reframer_coalescing(sch);
	sch_tree_unlock(sch);

	app = nla_nest_start_noflag(d->skb, TCA_STATS_APP);
	if (!app)
		return -1;
	nest = nla_nest_start(d->skb, TCA_REFRAMER_XSTATS_QDISC);
	if (!nest)
		goto cancel;

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
	    PUT_U64(BYPASSED, bypassed) ||
	    PUT_U32(BYPASSING, bypassing) ||
	    PUT_U64(BURSTS, s->bursts) ||
	    PUT_HIST(BURST_HIST, s->burst_hist, REFRAMER_BURST_HIST_LEN) ||
	    PUT_U64(COALESCED, coalesced) ||
	    PUT_U64(COALESCED_SEGMENTS, segments) ||
	    (e->conf.coalesce && PUT_U32(COALESCING, coalescing)) ||
	    PUT_U64(RELEASE_DEADLINE, s->releases[REFRAMER_RELEASE_DEADLINE]) ||
	    PUT_U64(RELEASE_FULL, s->releases[REFRAMER_RELEASE_FULL]) ||
	    PUT_U64(RELEASE_PRESSURE, s->releases[REFRAMER_RELEASE_PRESSURE]) ||
	    PUT_U64(RELEASE_PUSH, s->releases[REFRAMER_RELEASE_PUSH]) ||
	    PUT_U64(RELEASE_CONTROL, s->releases[REFRAMER_RELEASE_CONTROL]) ||
	    PUT_U64(RELEASE_ADAPTIVE, s->releases[REFRAMER_RELEASE_ADAPTIVE]) ||
	    PUT_U64(HOLDS_PAID, s->holds_paid) ||
	    PUT_U64(HOLDS_WASTED, s->holds_wasted) ||
	    PUT_U64(HOLD_SUM, s->hold_sum) ||
	    PUT_U64(HOLD_MAX, s->hold_max) ||
	    PUT_HIST(HOLD_HIST, s->hold_hist, REFRAMER_HOLD_HIST_LEN) ||
	    PUT_U64(LATE_MAX, s->late_max) ||
	    PUT_U32(TIMER_LATENCY, timer_latency / 8) ||
	    PUT_U64(TIMER_EXPIRIES, s->timers) ||
	    PUT_U32(SLACK, slack) ||
	    PUT_U32(FLOWS_HELD, s->flows_held) ||
	    PUT_U32(FLOWS_READY, s->flows_ready) ||
	    PUT_U32(FLOWS_PEAK, s->flows_peak) ||
	    PUT_U64(COLLISIONS, s->collisions) ||
	    PUT_U64(DROP_LIMIT, s->drops[REFRAMER_DROP_LIMIT]) ||
	    PUT_U64(DROP_MEMORY, s->drops[REFRAMER_DROP_MEMORY]) ||
	    PUT_U64(DROP_CHANGE, s->drops[REFRAMER_DROP_CHANGE]) ||
	    PUT_U64(DROP_RESET, s->drops[REFRAMER_DROP_RESET]) ||
	    PUT_U64(DROP_FILTER, s->drops[REFRAMER_DROP_FILTER]) ||
	    PUT_U64(STOLEN, s->stolen) ||
	    PUT_U32(MEMORY, memory) ||
	    PUT_U32(TABLE_BYTES,
		    e->conf.flows * sizeof(*e->flows) +
		    reframer_sets(&e->conf) * sizeof(*e->sets)))
		goto cancel;
#undef PUT_U64
#undef PUT_U32
#undef PUT_HIST

	nla_nest_end(d->skb, nest);
	nla_nest_end(d->skb, app);
	return 0;

cancel:
	nla_nest_cancel(d->skb, app);
	return -1;
}

/*
 * The classes are the slots that have packets: users can list them, and filters can
 * choose them.  They come and go with the packets.
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
	struct nlattr *app, *nest;
	u64 age = 0;
	bool ready;

	sch_tree_lock(sch);
	qs.qlen = flow->qlen;
	qs.backlog = flow->bytes;
	ready = e->sets[(cl - 1) / REFRAMER_WAYS].ready & BIT((cl - 1) % REFRAMER_WAYS);
	/* The clock is not read for every READY flow: its arrival may be wrong. */
	if (flow->qlen && !ready)
		age = ktime_get_ns() - flow->arrival;
	sch_tree_unlock(sch);

	if (gnet_stats_copy_queue(d, NULL, &qs, qs.qlen) < 0)
		return -1;
	app = nla_nest_start_noflag(d->skb, TCA_STATS_APP);
	if (!app)
		return -1;
	nest = nla_nest_start(d->skb, TCA_REFRAMER_XSTATS_CLASS);
	if (!nest ||
	    nla_put_u32(d->skb, TCA_REFRAMER_CLASS_STATS_READY, ready) ||
	    (!ready &&
	     nla_put_u64_64bit(d->skb, TCA_REFRAMER_CLASS_STATS_AGE, age,
			       TCA_REFRAMER_CLASS_STATS_PAD))) {
		nla_nest_cancel(d->skb, app);
		return -1;
	}
	nla_nest_end(d->skb, nest);
	nla_nest_end(d->skb, app);
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
MODULE_AUTHOR("The reframer developers");
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Sort packets by flow");
MODULE_VERSION(REFRAMER_VERSION);
MODULE_ALIAS_NET_SCH("reframer");
