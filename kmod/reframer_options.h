/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Defaults and ranges of the options, for the module and its tests.  Programs ask
 * the module: it shows what is in force, and names the range of what it refuses.
 */
#ifndef _REFRAMER_OPTIONS_H
#define _REFRAMER_OPTIONS_H

#define REFRAMER_DELAY_DEFAULT		64000		/* 64us */
#define REFRAMER_DELAY_MAX		100000000	/* 100ms */
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

/* The default of `coalesce` depends on where the qdisc is. */
static const struct reframer_config reframer_defaults = {
	.delay		= REFRAMER_DELAY_DEFAULT,
	.slack		= REFRAMER_SLACK_AUTO,
	.burst		= REFRAMER_BURST_DEFAULT,
	.burst_bytes	= REFRAMER_BURST_BYTES_DEFAULT,
	.limit		= REFRAMER_LIMIT_DEFAULT,
	.memory_limit	= REFRAMER_MEMORY_LIMIT_DEFAULT,
	.flows		= REFRAMER_FLOWS_DEFAULT,
	.adaptive	= 1,
	.push		= 1,
};

#endif
