/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_PKT_SCH_REFRAMER_H
#define _UAPI_LINUX_PKT_SCH_REFRAMER_H

/**
 * DOC: netlink attributes of the reframer qdisc
 *
 * Numbers are in host byte order, times in nanoseconds.
 *
 * From the first release on, the enums below only grow at the end.  A reader of
 * options or statistics skips the attributes that it does not know and does
 * without those that are missing.  So a program works with an older and with a
 * newer module.
 *
 * The module refuses options that it does not know (EINVAL).  A program that uses
 * a newer option must not believe that an older module obeys it.
 */

/**
 * enum tca_reframer - options of the qdisc, nested in TCA_OPTIONS
 * @TCA_REFRAMER_UNSPEC: not used
 * @TCA_REFRAMER_DELAY: longest time for which a packet is held
 * @TCA_REFRAMER_SLACK: flows that are due within this time are released together;
 *	at most the delay, or %REFRAMER_SLACK_AUTO.  A later change that only lowers the
 *	delay also lowers the slack.
 * @TCA_REFRAMER_BURST: a flow of so many packets is released
 * @TCA_REFRAMER_BURST_BYTES: a flow of so many bytes is released
 * @TCA_REFRAMER_LIMIT: most packets in the qdisc
 * @TCA_REFRAMER_MEMORY_LIMIT: most memory (truesize) that they take, bytes; from
 *	Linux 7.2 on without those that a local socket pays for
 * @TCA_REFRAMER_FLOWS: slots for flows, rounded up to a power of two; fixed when
 *	the qdisc is created
 * @TCA_REFRAMER_KEY: which packets are of one flow, &enum reframer_key
 * @TCA_REFRAMER_ADAPTIVE: 1: hold only the flows for which that has been paying
 * @TCA_REFRAMER_PUSH: 1: the end of a message releases its flow
 * @TCA_REFRAMER_COALESCE: 1: packets of a burst leave as GSO packets, where the device
 *	takes them.  Refused (EOPNOTSUPP) if the qdisc is neither at the root nor below
 *	mq; elsewhere the default is 0
 *
 * Each is a u32.  An option that is not given has its default when the qdisc is
 * created, and keeps its value on a change.  A value that is out of range is
 * refused (ERANGE) with a message that names the option, the value and the range,
 * and nothing is changed.
 */
enum tca_reframer {
	TCA_REFRAMER_UNSPEC,
	TCA_REFRAMER_DELAY,
	TCA_REFRAMER_SLACK,
	TCA_REFRAMER_BURST,
	TCA_REFRAMER_BURST_BYTES,
	TCA_REFRAMER_LIMIT,
	TCA_REFRAMER_MEMORY_LIMIT,
	TCA_REFRAMER_FLOWS,
	TCA_REFRAMER_KEY,
	TCA_REFRAMER_ADAPTIVE,
	TCA_REFRAMER_PUSH,
	TCA_REFRAMER_COALESCE,
	/* private: */
	__TCA_REFRAMER_MAX
};

#define TCA_REFRAMER_MAX		(__TCA_REFRAMER_MAX - 1)

/*
 * The default of TCA_REFRAMER_SLACK: a quarter of the delay, or eight times
 * TCA_REFRAMER_STATS_TIMER_LATENCY if that is more, up to the delay.
 */
#define REFRAMER_SLACK_AUTO		0xffffffffU

/**
 * enum reframer_key - values of TCA_REFRAMER_KEY
 * @REFRAMER_KEY_FLOW: the hash of the network card or the local socket, else of
 *	addresses, protocol and ports
 * @REFRAMER_KEY_SRC: source address
 * @REFRAMER_KEY_DST: destination address
 * @REFRAMER_KEY_HOSTS: both addresses
 * @REFRAMER_KEY_PROTO_DST: protocol and destination port
 * @REFRAMER_KEY_MARK: skb->mark
 *
 * The class that a filter chooses takes precedence.
 */
enum reframer_key {
	REFRAMER_KEY_FLOW,
	REFRAMER_KEY_SRC,
	REFRAMER_KEY_DST,
	REFRAMER_KEY_HOSTS,
	REFRAMER_KEY_PROTO_DST,
	REFRAMER_KEY_MARK,
	/* private: */
	__REFRAMER_KEY_MAX
};

#define REFRAMER_KEY_MAX		(__REFRAMER_KEY_MAX - 1)

/**
 * enum reframer_coalescing - bits of TCA_REFRAMER_STATS_COALESCING: which packets can be
 * coalesced now.  None: the device would segment them in software
 * @REFRAMER_COALESCING_TCP4: TCP over IPv4
 * @REFRAMER_COALESCING_TCP6: TCP over IPv6
 * @REFRAMER_COALESCING_UDP: UDP
 * @REFRAMER_COALESCING_NOT_ROOT: none, as the qdisc is not the root of a transmit queue,
 *	or the device is down
 */
enum reframer_coalescing {
	REFRAMER_COALESCING_TCP4	= 1 << 0,
	REFRAMER_COALESCING_TCP6	= 1 << 1,
	REFRAMER_COALESCING_UDP		= 1 << 2,
	REFRAMER_COALESCING_NOT_ROOT	= 1 << 3,
};

/**
 * enum tca_reframer_xstats - what is nested in TCA_STATS_APP
 * @TCA_REFRAMER_XSTATS_UNSPEC: not used
 * @TCA_REFRAMER_XSTATS_QDISC: of a qdisc: &enum tca_reframer_stats, nested
 * @TCA_REFRAMER_XSTATS_CLASS: of a class: &enum tca_reframer_class_stats, nested
 */
enum tca_reframer_xstats {
	TCA_REFRAMER_XSTATS_UNSPEC,
	TCA_REFRAMER_XSTATS_QDISC,
	TCA_REFRAMER_XSTATS_CLASS,
	/* private: */
	__TCA_REFRAMER_XSTATS_MAX
};

#define TCA_REFRAMER_XSTATS_MAX		(__TCA_REFRAMER_XSTATS_MAX - 1)

/**
 * enum tca_reframer_stats - statistics of the qdisc
 * @TCA_REFRAMER_STATS_UNSPEC: not used
 * @TCA_REFRAMER_STATS_PAD: for alignment
 * @TCA_REFRAMER_STATS_PACKETS_IN: u64, packets (skbs) that were queued
 * @TCA_REFRAMER_STATS_RUNS_IN: u64, runs in the order of arrival
 * @TCA_REFRAMER_STATS_PACKETS_OUT: u64, packets that were sent
 * @TCA_REFRAMER_STATS_RUNS_OUT: u64, runs in the order of sending
 * @TCA_REFRAMER_STATS_BYPASSED: u64, packets that bypassed the qdisc while it stood
 *	aside, as &struct gnet_stats_basic counts them: a GSO packet by its
 *	segments.  They are in none of the other counters, which are then a sample
 * @TCA_REFRAMER_STATS_BYPASSING: u32, 1 if the qdisc stands aside now, as holding packets
 *	has not been paying
 * @TCA_REFRAMER_STATS_BURSTS: u64, bursts that were sent, each of one flow
 * @TCA_REFRAMER_STATS_BURST_HIST: u64[], bursts by packets: entry i counts those of
 *	2^i to 2^(i+1) - 1, the last entry also all that are longer
 * @TCA_REFRAMER_STATS_COALESCED: u64, GSO packets that were made of several packets
 * @TCA_REFRAMER_STATS_COALESCED_SEGMENTS: u64, packets of which these were made
 * @TCA_REFRAMER_STATS_COALESCING: u32, &enum reframer_coalescing; missing if the option
 *	is off
 * @TCA_REFRAMER_STATS_RELEASE_DEADLINE: u64, releases because the delay was over,
 *	or would have been within the slack
 * @TCA_REFRAMER_STATS_RELEASE_FULL: u64, burst or burst_bytes was reached
 * @TCA_REFRAMER_STATS_RELEASE_PRESSURE: u64, the qdisc was near a limit, or the key
 *	was changed
 * @TCA_REFRAMER_STATS_RELEASE_PUSH: u64, a packet came that ends a message
 * @TCA_REFRAMER_STATS_RELEASE_CONTROL: u64, a control packet came: ARP,
 *	IPv6 neighbour discovery, or skb->priority 7
 * @TCA_REFRAMER_STATS_RELEASE_ADAPTIVE: u64, not held, because holding this flow
 *	has not been paying, or it is not known yet
 * @TCA_REFRAMER_STATS_HOLDS_PAID: u64, holds that sorted packets: more of the flow
 *	came behind those of another flow, and not just two at once
 * @TCA_REFRAMER_STATS_HOLDS_WASTED: u64, holds of half the delay or more that did not
 * @TCA_REFRAMER_STATS_HOLD_SUM: u64, ns, over all releases
 * @TCA_REFRAMER_STATS_HOLD_MAX: u64, ns
 * @TCA_REFRAMER_STATS_HOLD_HIST: u64[], releases by hold: entry 0 counts those of
 *	0 ns, entry i those of 2^(i-1) to 2^i - 1 ns, the last entry also all that
 *	are longer
 * @TCA_REFRAMER_STATS_LATE_MAX: u64, ns, most by which a hold exceeded the delay
 * @TCA_REFRAMER_STATS_TIMER_LATENCY: u32, ns, moving average of how late the timer
 *	expires, each time at most the delay
 * @TCA_REFRAMER_STATS_TIMER_EXPIRIES: u64, expiries of the timer
 * @TCA_REFRAMER_STATS_SLACK: u32, ns, the slack in effect
 * @TCA_REFRAMER_STATS_FLOWS_HELD: u32, flows that wait
 * @TCA_REFRAMER_STATS_FLOWS_READY: u32, flows that may be sent
 * @TCA_REFRAMER_STATS_FLOWS_PEAK: u32, most flows at once, of both kinds
 * @TCA_REFRAMER_STATS_COLLISIONS: u64, packets that had to share the slot of
 *	another flow
 * @TCA_REFRAMER_STATS_DROP_LIMIT: u64, packets dropped over limit
 * @TCA_REFRAMER_STATS_DROP_MEMORY: u64, dropped over memory_limit
 * @TCA_REFRAMER_STATS_DROP_CHANGE: u64, dropped over a limit that was lowered
 * @TCA_REFRAMER_STATS_DROP_RESET: u64, freed when the device was deactivated; not
 *	among the drops of the qdisc in &struct gnet_stats_queue
 * @TCA_REFRAMER_STATS_DROP_FILTER: u64, dropped by the action of a filter; not in
 *	PACKETS_IN
 * @TCA_REFRAMER_STATS_STOLEN: u64, packets that the action of a filter took
 *	elsewhere (TC_ACT_STOLEN, QUEUED, TRAP): not drops, and not in PACKETS_IN
 * @TCA_REFRAMER_STATS_MEMORY: u32, memory of all packets as counted for
 *	memory_limit, bytes
 * @TCA_REFRAMER_STATS_TABLE_BYTES: u32, memory of the flow table
 *
 * Counters are u64, start at zero when the qdisc is created and never go back.
 *
 * A run is an unbroken sequence of packets of one flow.  Packets divided by runs is
 * the locality, the paper's spatial locality factor (SLF): compare
 * PACKETS_IN / RUNS_IN with PACKETS_OUT / RUNS_OUT.
 *
 * The hold of a release is the time from the arrival of the oldest packet of the
 * flow to the decision to send it, so the longest of all its packets.
 */
enum tca_reframer_stats {
	TCA_REFRAMER_STATS_UNSPEC,
	TCA_REFRAMER_STATS_PAD,
	TCA_REFRAMER_STATS_PACKETS_IN,
	TCA_REFRAMER_STATS_RUNS_IN,
	TCA_REFRAMER_STATS_PACKETS_OUT,
	TCA_REFRAMER_STATS_RUNS_OUT,
	TCA_REFRAMER_STATS_BYPASSED,
	TCA_REFRAMER_STATS_BYPASSING,
	TCA_REFRAMER_STATS_BURSTS,
	TCA_REFRAMER_STATS_BURST_HIST,
	TCA_REFRAMER_STATS_COALESCED,
	TCA_REFRAMER_STATS_COALESCED_SEGMENTS,
	TCA_REFRAMER_STATS_COALESCING,
	TCA_REFRAMER_STATS_RELEASE_DEADLINE,
	TCA_REFRAMER_STATS_RELEASE_FULL,
	TCA_REFRAMER_STATS_RELEASE_PRESSURE,
	TCA_REFRAMER_STATS_RELEASE_PUSH,
	TCA_REFRAMER_STATS_RELEASE_CONTROL,
	TCA_REFRAMER_STATS_RELEASE_ADAPTIVE,
	TCA_REFRAMER_STATS_HOLDS_PAID,
	TCA_REFRAMER_STATS_HOLDS_WASTED,
	TCA_REFRAMER_STATS_HOLD_SUM,
	TCA_REFRAMER_STATS_HOLD_MAX,
	TCA_REFRAMER_STATS_HOLD_HIST,
	TCA_REFRAMER_STATS_LATE_MAX,
	TCA_REFRAMER_STATS_TIMER_LATENCY,
	TCA_REFRAMER_STATS_TIMER_EXPIRIES,
	TCA_REFRAMER_STATS_SLACK,
	TCA_REFRAMER_STATS_FLOWS_HELD,
	TCA_REFRAMER_STATS_FLOWS_READY,
	TCA_REFRAMER_STATS_FLOWS_PEAK,
	TCA_REFRAMER_STATS_COLLISIONS,
	TCA_REFRAMER_STATS_DROP_LIMIT,
	TCA_REFRAMER_STATS_DROP_MEMORY,
	TCA_REFRAMER_STATS_DROP_CHANGE,
	TCA_REFRAMER_STATS_DROP_RESET,
	TCA_REFRAMER_STATS_DROP_FILTER,
	TCA_REFRAMER_STATS_STOLEN,
	TCA_REFRAMER_STATS_MEMORY,
	TCA_REFRAMER_STATS_TABLE_BYTES,
	/* private: */
	__TCA_REFRAMER_STATS_MAX
};

#define TCA_REFRAMER_STATS_MAX		(__TCA_REFRAMER_STATS_MAX - 1)

/**
 * enum tca_reframer_class_stats - statistics of a class
 * @TCA_REFRAMER_CLASS_STATS_UNSPEC: not used
 * @TCA_REFRAMER_CLASS_STATS_PAD: for alignment
 * @TCA_REFRAMER_CLASS_STATS_READY: u32, 0: the flow is held, 1: it is to be sent
 * @TCA_REFRAMER_CLASS_STATS_AGE: u64, ns, for how long the flow has been held;
 *	missing if it is ready
 *
 * A class is a slot of the flow table that has packets.
 */
enum tca_reframer_class_stats {
	TCA_REFRAMER_CLASS_STATS_UNSPEC,
	TCA_REFRAMER_CLASS_STATS_PAD,
	TCA_REFRAMER_CLASS_STATS_READY,
	TCA_REFRAMER_CLASS_STATS_AGE,
	/* private: */
	__TCA_REFRAMER_CLASS_STATS_MAX
};

#define TCA_REFRAMER_CLASS_STATS_MAX	(__TCA_REFRAMER_CLASS_STATS_MAX - 1)

#endif
