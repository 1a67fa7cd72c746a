/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Standing aside: while holding repays nothing, packets bypass the empty qdisc.
 *
 * Even a packet that is not held pays for its hash and its flow.  So the engine looks
 * whether holding pays at all.  If not, it stands aside: the core then sends packets
 * itself while nothing is queued, as for pfifo.  It looks again now and then.
 *
 *   looking   for 64 packets and 8 delays or more, until the packets are a multiple of
 *             64.  Holding pays if at least one of 16 packets joined a hold that paid, or
 *             came in time for a probe.  Otherwise the engine stands aside.
 *   standing  for as many packets, or as much time, as the look took; after each further
 *   aside     look without success for twice as long, at most 32 times.  The next look
 *             begins early if packets come at more than twice the pace of the look, over
 *             2 delays and 64 packets.
 *
 * So a flow that begins to be worth holding is seen again after at most 32 times the
 * packets of a look, and 63 more; or after at most 32 times its duration, and the next
 * 64 packets.
 *
 * Packets that bypass are counted, not seen: what a flow did before the engine stood
 * aside stays known, but a probe that was under way is forgotten.
 */
#ifndef _REFRAMER_ASIDE_H
#define _REFRAMER_ASIDE_H

#define REFRAMER_LOOK_PACKETS	64
#define REFRAMER_LOOK_DELAYS	8
#define REFRAMER_LOOK_PAYS	16	/* of so many packets one joined, or would have */
#define REFRAMER_ASIDE_MAX	5	/* 2^5 looks */
#define REFRAMER_PACE_DELAYS	2
#define REFRAMER_PACE_FACTOR	2
#define REFRAMER_PACE_TIME_MAX	BIT_ULL(40)	/* ns; products fit into 64 bits */

struct reframer_aside {
	u32 packets;		/* of this look, or that bypassed since */
	u32 checked;		/* of them, when the clock was read last */
	u32 joined;		/* of them, those that joined a hold, or would have */
	u32 looks;		/* log2: to stand aside for so many, next time */
	u64 since;		/* this look, or standing aside */
	u64 seen_since;		/* since when the engine has seen all packets */
	/* the look before standing aside */
	u32 look_packets;
	u64 look_time;
	/* when the pace was measured last */
	u32 pace_packets;
	u64 pace_since;
};

static inline void reframer_begin_look(struct reframer_aside *a, u64 now)
{
	a->packets = 0;
	a->joined = 0;
	a->since = now;
}

static inline void reframer_step_aside(struct reframer_aside *a, u64 now)
{
	a->look_packets = a->packets;
	a->look_time = min_t(u64, now - a->since, REFRAMER_PACE_TIME_MAX);
	a->packets = 0;
	a->checked = 0;
	a->since = now;
	a->seen_since = U64_MAX;
	a->pace_packets = 0;
	a->pace_since = now;
}

/* Look again, and if holding does not pay, stand aside for 2^@looks looks. */
static inline void reframer_resume(struct reframer_aside *a, u64 now, u32 looks)
{
	a->looks = min_t(u32, looks, REFRAMER_ASIDE_MAX);
	a->seen_since = now;
	reframer_begin_look(a, now);
}

/* 64 packets more were seen.  Returns true if it is time to stand aside. */
static inline bool reframer_end_look(struct reframer_aside *a, u64 now, u32 delay,
				     bool may_bypass)
{
	if (!a->since) {
		reframer_begin_look(a, now);	/* the first packets of all */
		return false;
	}
	a->packets += REFRAMER_LOOK_PACKETS;
	if (now - a->since < (u64)delay * REFRAMER_LOOK_DELAYS)
		return false;
	if (may_bypass && a->joined < a->packets / REFRAMER_LOOK_PAYS) {
		reframer_step_aside(a, now);
		return true;
	}
	a->looks = 0;
	reframer_begin_look(a, now);
	return false;
}

/* Do packets come much faster than during the look? */
static inline bool reframer_came_faster(const struct reframer_aside *a, u64 now)
{
	u64 packets = a->packets - a->pace_packets;
	u64 time = min_t(u64, now - a->pace_since, REFRAMER_PACE_TIME_MAX);

	return packets * a->look_time >
	       time * a->look_packets * REFRAMER_PACE_FACTOR;
}

/* 64 packets more have bypassed.  Returns true if it is time to look again. */
static inline bool reframer_end_aside(struct reframer_aside *a, u64 now, u32 delay)
{
	a->checked = a->packets;
	if (now - a->pace_since >= (u64)delay * REFRAMER_PACE_DELAYS) {
		if (reframer_came_faster(a, now)) {
			reframer_resume(a, now, 0);
			return true;
		}
		a->pace_packets = a->packets;
		a->pace_since = now;
	}
	if (a->packets < (u64)a->look_packets << a->looks &&
	    now - a->since < a->look_time << a->looks)
		return false;
	reframer_resume(a, now, a->looks + 1);
	return true;
}

#endif
