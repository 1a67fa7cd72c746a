/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Netlink attributes of the reframer qdisc, shared by the kernel module and
 * the tc plugin.
 *
 * Both enums only ever grow at the end.  A reader skips the attributes that it
 * does not know and does without those that are missing, so a module and a
 * plugin of different versions work together.
 */
#ifndef _UAPI_LINUX_PKT_SCH_REFRAMER_H
#define _UAPI_LINUX_PKT_SCH_REFRAMER_H

/*
 * Options, nested in TCA_OPTIONS.  Every one is a u32 in host byte order; one
 * that is not given keeps its default at creation and its value on a change.
 * A value outside of its range is refused (ERANGE) with a message that names
 * the option, the value and the range.  Times are in nanoseconds.
 */
enum {
	TCA_REFRAMER_UNSPEC,
	TCA_REFRAMER_DELAY,		/* longest time a packet is held */
	TCA_REFRAMER_SLACK,		/* flows due within this leave together;
					 * default: a quarter of the delay, or
					 * eight times TCA_REFRAMER_STATS_LATE_MEAN
					 * if that is more; maximum: the delay
					 */
	TCA_REFRAMER_BURST,		/* release a flow of so many packets */
	TCA_REFRAMER_BURST_BYTES,	/* or of so many bytes */
	TCA_REFRAMER_LIMIT,		/* packets in the qdisc */
	TCA_REFRAMER_MEMORY_LIMIT,	/* their memory (truesize), bytes */
	TCA_REFRAMER_FLOWS,		/* flow slots, rounded up to a power of
					 * two; fixed at creation
					 */
	TCA_REFRAMER_KEY,		/* what is one flow: REFRAMER_KEY_* */
	TCA_REFRAMER_ADAPTIVE,		/* 1: hold only flows that repay it */
	TCA_REFRAMER_PUSH,		/* 1: the end of a message releases its
					 * flow
					 */
	__TCA_REFRAMER_MAX
};

#define TCA_REFRAMER_MAX		(__TCA_REFRAMER_MAX - 1)

#define REFRAMER_DELAY_DEFAULT		64000		/* 64us */
#define REFRAMER_DELAY_MAX		100000000	/* 100ms */
#define REFRAMER_SLACK_DIVISOR		4		/* default: delay / 4 */
#define REFRAMER_BURST_DEFAULT		64
#define REFRAMER_BURST_MIN		1
#define REFRAMER_BURST_MAX		65535
#define REFRAMER_BURST_BYTES_DEFAULT	65536
#define REFRAMER_BURST_BYTES_MIN	256
#define REFRAMER_BURST_BYTES_MAX	(16 << 20)
#define REFRAMER_LIMIT_DEFAULT		10240
#define REFRAMER_LIMIT_MIN		1
#define REFRAMER_LIMIT_MAX		0xffffffffU
#define REFRAMER_MEMORY_LIMIT_DEFAULT	(32 << 20)
#define REFRAMER_MEMORY_LIMIT_MIN	1
#define REFRAMER_MEMORY_LIMIT_MAX	0x80000000U	/* 2 GiB */
#define REFRAMER_FLOWS_DEFAULT		1024
#define REFRAMER_FLOWS_MIN		8
#define REFRAMER_FLOWS_MAX		65536

/* Values of TCA_REFRAMER_KEY.  A filter's classid comes before any of them. */
enum {
	REFRAMER_KEY_FLOW,		/* skb_get_hash(): mostly the 5-tuple */
	REFRAMER_KEY_SRC,		/* source address */
	REFRAMER_KEY_DST,		/* destination address */
	REFRAMER_KEY_HOSTS,		/* both addresses */
	REFRAMER_KEY_PROTO_DST,		/* protocol and destination port */
	REFRAMER_KEY_MARK,		/* skb->mark */
	__REFRAMER_KEY_MAX
};

#define REFRAMER_KEY_MAX		(__REFRAMER_KEY_MAX - 1)

/*
 * Statistics, nested in TCA_STATS_APP.  Counters are u64, start at zero when
 * the qdisc is created and never go back; gauges are u32; histograms are
 * arrays of u64 in host byte order.
 *
 * A run is an unbroken sequence of packets of one flow.  Packets divided by
 * runs is the locality, the paper's spatial locality factor (SLF): compare
 * PACKETS_IN / RUNS_IN with PACKETS_OUT / RUNS_OUT.
 *
 * A filter may also send packets of a flow past its queue: what it drops, steals
 * or traps is in DROP_FILTER and in the drops of the qdisc, and not in PACKETS_IN.
 *
 * The hold of a release is the time from the arrival of the oldest packet of
 * the flow to the decision to send it, so it is the longest of its packets'.
 */
enum {
	TCA_REFRAMER_STATS_UNSPEC,
	TCA_REFRAMER_STATS_PAD,
	TCA_REFRAMER_STATS_PACKETS_IN,	/* u64: skbs that arrived */
	TCA_REFRAMER_STATS_RUNS_IN,	/* u64 */
	TCA_REFRAMER_STATS_PACKETS_OUT,	/* u64: skbs sent */
	TCA_REFRAMER_STATS_RUNS_OUT,	/* u64 */
	TCA_REFRAMER_STATS_BURSTS,	/* u64: turns of a flow at sending */
	TCA_REFRAMER_STATS_BURST_HIST,	/* u64[]: bursts by packets, entry i
					 * counts 2^i to 2^(i+1) - 1, the last
					 * one all above
					 */
	/* releases by reason, u64 each */
	TCA_REFRAMER_STATS_DEADLINE,	/* the delay was over, or nearly so
					 * (slack)
					 */
	TCA_REFRAMER_STATS_FULL,	/* burst or burst_bytes was reached */
	TCA_REFRAMER_STATS_PRESSURE,	/* the qdisc was near its limit, or the
					 * key was changed
					 */
	TCA_REFRAMER_STATS_HOLD_SUM,	/* u64: ns, over all releases */
	TCA_REFRAMER_STATS_HOLD_MAX,	/* u64: ns */
	TCA_REFRAMER_STATS_HOLD_HIST,	/* u64[]: releases by hold, entry 0
					 * counts 0 ns, entry i counts 2^(i-1)
					 * to 2^i - 1 ns, the last one all above
					 */
	TCA_REFRAMER_STATS_LATE_MAX,	/* u64: ns, the worst excess of a hold
					 * over the delay
					 */
	TCA_REFRAMER_STATS_TIMERS,	/* u64: expiries of the timer */
	TCA_REFRAMER_STATS_COLLISIONS,	/* u64: packets that had to share the
					 * slot of another flow
					 */
	/* drops by reason, u64 packets each */
	TCA_REFRAMER_STATS_DROP_LIMIT,	/* over limit */
	TCA_REFRAMER_STATS_DROP_MEMORY,	/* over memory_limit */
	TCA_REFRAMER_STATS_DROP_CHANGE,	/* over a limit that was lowered */
	TCA_REFRAMER_STATS_DROP_RESET,	/* held when the device went down */
	TCA_REFRAMER_STATS_FLOWS_HELD,	/* u32: flows that wait */
	TCA_REFRAMER_STATS_FLOWS_READY,	/* u32: flows that may be sent */
	TCA_REFRAMER_STATS_FLOWS_PEAK,	/* u32: most flows at once, both kinds */
	TCA_REFRAMER_STATS_MEMORY,	/* u32: truesize of all packets, bytes */
	TCA_REFRAMER_STATS_TABLE_BYTES,	/* u32: memory of the flow table */
	/* more releases by reason, u64 each */
	TCA_REFRAMER_STATS_PUSH,	/* a packet that ends a message came */
	TCA_REFRAMER_STATS_EXPRESS,	/* a packet that must not wait came */
	TCA_REFRAMER_STATS_PREDICTED,	/* not held: it had not been paying */
	/* holds that ended, u64 each */
	TCA_REFRAMER_STATS_HOLDS_PAID,	/* they gathered more than one packet */
	TCA_REFRAMER_STATS_HOLDS_VAIN,	/* half the delay or more, for nothing */
	TCA_REFRAMER_STATS_DROP_FILTER,	/* u64: dropped, stolen or trapped by
					 * the action of a filter
					 */
	/*
	 * Of a class, which is a flow slot that has packets; a class has none
	 * of the others.
	 */
	TCA_REFRAMER_STATS_CLASS_HASH,	/* u32: of its oldest packet's flow */
	TCA_REFRAMER_STATS_CLASS_READY,	/* u32: 0 held, 1 ready to be sent */
	TCA_REFRAMER_STATS_CLASS_AGE,	/* u64: ns since the oldest packet of the
					 * flow became held or ready
					 */
	TCA_REFRAMER_STATS_LATE_MEAN,	/* u32: ns, moving average of how late
					 * the timer is, each time at most the
					 * delay
					 */
	__TCA_REFRAMER_STATS_MAX
};

#define TCA_REFRAMER_STATS_MAX		(__TCA_REFRAMER_STATS_MAX - 1)

#define REFRAMER_BURST_HIST_LEN		17	/* the last: 65536 and more */
#define REFRAMER_HOLD_HIST_LEN		29	/* the last: 2^27 ns and more */

#endif
