/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The option `adaptive`: which flows to hold.
 *
 * Holding a packet pays if it sorts: if more of its flow arrive during the hold, and
 * packets of other flows between them.  Each flow has credit, from its own holds, and
 * is held while it has some.  Without credit, its packets bypass, and now and then one
 * of them is a probe: would a hold that began with it have paid?  All flows together
 * have global credit; it says how far to trust a flow that is not known yet.
 *
 *   event                            credit of the flow      global credit
 *   -------------------------------  ----------------------  -------------
 *   hold that is useful, of packets  +3, at most 7           +3, at most 63
 *     closer than the delay: paid      (and backoff - 1)
 *   hold that is not useful, for     -1, or -2 if several    -1, at least -32
 *     half the delay or more: wasted   packets waited; when
 *                                      it is 0: backoff + 1
 *   any other hold                   -                       -
 *   first packet of 256 bytes or
 *     more, where global credit is
 *     32 or more                     5                       -
 *   good probe, where global credit
 *     is 32 or more, backoff <= 3    5                       -
 *     is more than -16               1                       -
 *     is less                        1 if the probe before
 *                                      was good, too         -
 *   failed probe                     -; the second one in    -
 *                                      a row: backoff + 1,
 *                                      at most 3
 *
 * A hold is useful if a packet joins it behind one of another flow, and it is the third
 * one, or it ends the hold, or it comes later than a 32nd of the delay.  So two packets
 * that are sent together, as a message for whose answer the sender then waits, do not
 * make the rest of the delay useful.
 *
 * After backoff has risen, 2^backoff - 1 packets bypass before the next probe.  But
 * where global credit is 32 or more, failed probes with a backoff below 3 skip none.
 *
 * A probe ends with the next packet of its flow that comes behind one of another flow.
 * The probe is not held, so it only tells whether that packet would have come in time.
 * Only the first hold tells whether holding pays: a sender that waits for an answer to
 * its first packet does not send a second one.  A packet that comes too late for a probe
 * may begin a train, so it is a probe itself; otherwise every probe could meet the last
 * packet of a train.  Where global credit is low, one good probe does not suffice:
 * of packets that come at random some do come in time.
 *
 * docs/adaptive.md has the figures behind these numbers.
 */
#ifndef _REFRAMER_ADAPTIVE_H
#define _REFRAMER_ADAPTIVE_H

#define REFRAMER_CREDIT_PAID		3
#define REFRAMER_CREDIT_MAX		7
#define REFRAMER_CREDIT_TRUSTED		5	/* where holds pay */
#define REFRAMER_GLOBAL_CREDIT_MAX	63
#define REFRAMER_GLOBAL_CREDIT_HIGH	32
#define REFRAMER_GLOBAL_CREDIT_LOW	-16
#define REFRAMER_GLOBAL_CREDIT_MIN	-32
#define REFRAMER_BACKOFF_MAX		9
#define REFRAMER_BACKOFF_PROBE_MAX	3	/* by failed probes, which cost little */
#define REFRAMER_FIRST_PACKET_MIN	256	/* bytes; a smaller one may be a request */
#define REFRAMER_PAIR_DIVISOR		32	/* of the delay: two packets sent together */

/* What is known of a flow, also while it is IDLE */
struct reframer_history {
	u16 credit:3;
	u16 backoff:4;
	u16 skip:9;		/* packets that bypass before the next probe */
};

/* What is known of the flows of one set */
struct reframer_adaptive {
	struct reframer_history flow[REFRAMER_WAYS];
	u8 probing;		/* mask of ways whose last packet was a probe */
	u8 probe_failed;	/* mask of ways whose probe before failed */
	u8 probe_good;		/* mask of ways whose probe before was good */
	u8 useful;		/* mask of ways whose hold is useful */
};

enum reframer_advice {
	REFRAMER_ADVICE_HOLD,
	REFRAMER_ADVICE_BYPASS,
	REFRAMER_ADVICE_PROBE,	/* bypass, and note when it came */
};

enum reframer_outcome {
	REFRAMER_OUTCOME_PAID,
	REFRAMER_OUTCOME_WASTED,
	REFRAMER_OUTCOME_NONE,
};

/* The way is taken by a new flow. */
static inline void reframer_forget(struct reframer_adaptive *a, u32 way)
{
	a->flow[way] = (struct reframer_history) { 0 };
	a->probing &= ~BIT(way);
	a->probe_failed &= ~BIT(way);
	a->probe_good &= ~BIT(way);
}

/* The first packet of a flow is not small. */
static inline void reframer_trust_new_flow(struct reframer_adaptive *a, u32 way,
					   s32 global_credit)
{
	if (global_credit >= REFRAMER_GLOBAL_CREDIT_HIGH)
		a->flow[way].credit = REFRAMER_CREDIT_TRUSTED;
}

/* A packet arrives for an IDLE flow. */
static inline enum reframer_advice
reframer_advise(struct reframer_adaptive *a, u32 way)
{
	struct reframer_history *h = &a->flow[way];

	if (h->credit)
		return REFRAMER_ADVICE_HOLD;
	if (a->probing & BIT(way))
		return REFRAMER_ADVICE_BYPASS;
	if (h->skip) {
		h->skip--;
		return REFRAMER_ADVICE_BYPASS;
	}
	a->probing |= BIT(way);
	return REFRAMER_ADVICE_PROBE;
}

static inline void reframer_back_off(struct reframer_history *h, u32 most)
{
	if (h->backoff < most)
		h->backoff++;
	h->skip = BIT(h->backoff) - 1;
}

static inline void reframer_probe_failed(struct reframer_adaptive *a, u32 way,
					 bool patient)
{
	struct reframer_history *h = &a->flow[way];

	a->probe_failed ^= BIT(way);
	if (a->probe_failed & BIT(way))
		return;		/* the first in a row */
	if (patient && h->backoff < REFRAMER_BACKOFF_PROBE_MAX)
		h->backoff++;
	else
		reframer_back_off(h, REFRAMER_BACKOFF_PROBE_MAX);
}

/* A packet has arrived that ends a probe: in time, within the delay? */
static noinline void reframer_end_probe(struct reframer_adaptive *a, u32 way,
					s32 global_credit, bool in_time)
{
	struct reframer_history *h = &a->flow[way];
	bool high = global_credit >= REFRAMER_GLOBAL_CREDIT_HIGH;
	bool again = a->probe_good & BIT(way);

	a->probing &= ~BIT(way);
	a->probe_good &= ~BIT(way);
	if (!in_time) {
		reframer_probe_failed(a, way, high);
		return;
	}
	a->probe_failed &= ~BIT(way);
	if (high && h->backoff <= REFRAMER_BACKOFF_PROBE_MAX)
		h->credit = REFRAMER_CREDIT_TRUSTED;
	else if (again || global_credit > REFRAMER_GLOBAL_CREDIT_LOW)
		h->credit = 1;
	else
		a->probe_good |= BIT(way);
}

/* A packet has joined a hold, behind one of another flow and @after the first one. */
static inline bool reframer_join_is_useful(u32 packets, bool ends, u64 after,
					   u32 delay)
{
	return packets > 2 || ends || after > delay / REFRAMER_PAIR_DIVISOR;
}

/*
 * A hold has ended.  Where it ended late, as below a parent that did not call
 * dequeue() in time, packets must have come closer than the delay to count as paid.
 */
static inline enum reframer_outcome
reframer_hold_outcome(bool useful, u32 packets, u64 hold, u32 delay)
{
	if (useful)
		return (u64)packets * delay > hold ? REFRAMER_OUTCOME_PAID :
						     REFRAMER_OUTCOME_NONE;
	return hold && hold >= delay / 2 ? REFRAMER_OUTCOME_WASTED :
					   REFRAMER_OUTCOME_NONE;
}

static inline void reframer_hold_paid(struct reframer_history *h,
				      s32 *global_credit)
{
	*global_credit = min_t(s32, *global_credit + REFRAMER_CREDIT_PAID,
			       REFRAMER_GLOBAL_CREDIT_MAX);
	h->credit = min_t(u32, h->credit + REFRAMER_CREDIT_PAID,
			  REFRAMER_CREDIT_MAX);
	if (h->backoff)
		h->backoff--;
}

static inline void reframer_hold_wasted(struct reframer_history *h, u32 packets,
					s32 *global_credit)
{
	if (*global_credit > REFRAMER_GLOBAL_CREDIT_MIN)
		--*global_credit;
	h->credit -= min_t(u32, h->credit, packets > 1 ? 2 : 1);
	if (!h->credit)
		reframer_back_off(h, REFRAMER_BACKOFF_MAX);
}

#endif
