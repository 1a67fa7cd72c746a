/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The longest bursts that the delay allows: the first packet of a flow opens a window,
 * which ends after the delay, with a full burst, or with a packet that flushes the flow.
 * Needs reframer_engine.h.
 */
#ifndef _REFRAMER_USER_OPTIMUM_H
#define _REFRAMER_USER_OPTIMUM_H

struct window {
	u64 end;
	u32 packets;		/* 0: it has ended */
	u32 bytes;
};

/* A packet arrives.  Returns true if it joins the burst, false if it begins one. */
static inline bool window_join(struct window *w, const struct reframer_config *conf,
			       u64 at, u32 bytes, enum reframer_flush flush)
{
	bool joins = w->packets && at < w->end;

	if (!joins)
		*w = (struct window) { .end = at + conf->delay };
	w->packets++;
	w->bytes += bytes;
	if (flush == REFRAMER_FLUSH_CONTROL ||
	    (flush == REFRAMER_FLUSH_PUSH && conf->push) ||
	    w->packets >= conf->burst || w->bytes >= conf->burst_bytes)
		w->packets = 0;
	return joins;
}

#endif
