/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints, for perf and bpftrace: see tools/ */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM reframer

#if !defined(_REFRAMER_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _REFRAMER_TRACE_H

#include <linux/tracepoint.h>

/* so that user space can tell them, too */
TRACE_DEFINE_ENUM(REFRAMER_RELEASE_DEADLINE);
TRACE_DEFINE_ENUM(REFRAMER_RELEASE_FULL);
TRACE_DEFINE_ENUM(REFRAMER_RELEASE_PRESSURE);
TRACE_DEFINE_ENUM(REFRAMER_RELEASE_PUSH);
TRACE_DEFINE_ENUM(REFRAMER_RELEASE_CONTROL);
TRACE_DEFINE_ENUM(REFRAMER_RELEASE_ADAPTIVE);

/* A flow may be sent from now on.  hold: ns since its oldest packet came */
TRACE_EVENT(reframer_release,

	TP_PROTO(const struct Qdisc *sch, u32 hash, u32 packets, u32 bytes,
		 u64 hold, int reason),

	TP_ARGS(sch, hash, packets, bytes, hold, reason),

	TP_STRUCT__entry(
		__array(char, dev, IFNAMSIZ)
		__field(u32, handle)
		__field(u32, hash)
		__field(u32, packets)
		__field(u32, bytes)
		__field(u64, hold)
		__field(int, reason)
	),

	TP_fast_assign(
		strscpy(__entry->dev, qdisc_dev(sch)->name, IFNAMSIZ);
		__entry->handle = sch->handle;
		__entry->hash = hash;
		__entry->packets = packets;
		__entry->bytes = bytes;
		__entry->hold = hold;
		__entry->reason = reason;
	),

	TP_printk("dev=%s handle=%x: hash=%#x packets=%u bytes=%u hold=%llu reason=%s",
		  __entry->dev, __entry->handle >> 16, __entry->hash,
		  __entry->packets, __entry->bytes, __entry->hold,
		  __print_symbolic(__entry->reason,
				   { REFRAMER_RELEASE_DEADLINE, "deadline" },
				   { REFRAMER_RELEASE_FULL, "full" },
				   { REFRAMER_RELEASE_PRESSURE, "pressure" },
				   { REFRAMER_RELEASE_PUSH, "push" },
				   { REFRAMER_RELEASE_CONTROL, "control" },
				   { REFRAMER_RELEASE_ADAPTIVE, "adaptive" }))
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE reframer_trace
#include <trace/define_trace.h>
