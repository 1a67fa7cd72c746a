/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A mix of traffic like that of the campus uplink in Ghasemirahni et al. (NSDI 2022):
 * packets of hundreds of thousands of flows, in trains of heavy-tailed length and speed.
 *
 *   speed   4095 trains are under way, in 12 levels.  Level n has 2^n trains; together
 *           they send 3/4 of the packets of the level before: the k-th fastest train
 *           has a share of about k^-1.4.
 *   order   Each packet is of a train picked by speed, but one in ten follows its
 *           predecessor back to back.
 *   length  One of n trains has n packets or more, at most 4096: 8 on average.  Then
 *           another flow, at random one of 262144, sends a train.
 *
 * The numbers were fitted to that paper's figures.  Mean run of packets of a flow (SLF)
 * coming in, and if each flow is held for 64, 256 and 512 packets: 1.19, 2.18, 2.90, 3.31;
 * theirs: 1.19, 1.94 (16us), 2.88 (64us), 3.45 (128us).
 *
 * For the kernel and for programs; needs random_below(n): 0 to n - 1.
 */
#ifndef _CAMPUS_H
#define _CAMPUS_H

#define CAMPUS_LEVELS	12
#define CAMPUS_TRAINS	((1 << CAMPUS_LEVELS) - 1)
#define CAMPUS_FLOWS	262144
#define CAMPUS_LONGEST	4096	/* train */

struct campus {
	u32 train;			/* that sent last */
	u32 flow[CAMPUS_TRAINS];
	u32 left[CAMPUS_TRAINS];	/* packets */
};

/* The flow of the next packet; @last: it is the last one of its train */
static inline u32 campus_next(struct campus *c, bool *last)
{
	u32 level = 0, train = c->train, n;

	if (!c->left[train] || random_below(10)) {
		while (level < CAMPUS_LEVELS - 1 && random_below(4))
			level++;
		train = (1 << level) - 1 + random_below(1 << level);
	}
	if (!c->left[train]) {
		n = (1 << 20) / (random_below(1 << 20) + 1);
		c->left[train] = n < CAMPUS_LONGEST ? n : CAMPUS_LONGEST;
		c->flow[train] = random_below(CAMPUS_FLOWS);
	}
	c->train = train;
	*last = !--c->left[train];
	return c->flow[train];
}

#endif
