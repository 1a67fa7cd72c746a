/* SPDX-License-Identifier: GPL-2.0 */
/* The payload that flowgen writes into every packet; flowcap finds it behind any
 * headers.
 */
#ifndef FLOW_H
#define FLOW_H

#include <stddef.h>
#include <stdint.h>

#define FLOW_MAGIC	0x5265466d	/* "ReFm"; segments.c has no ASCII in its payload */
#define FLOW_SEARCH	512		/* bytes; all headers end before */

struct flow_payload {
	uint32_t magic;
	uint32_t flow;
	uint32_t seq;
	int64_t sent_ns;		/* CLOCK_REALTIME, host byte order */
} __attribute__((packed));

#endif
