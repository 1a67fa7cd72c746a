/* SPDX-License-Identifier: GPL-2.0 */
/* What older kernels lack.  Dropping one of them deletes lines here. */
#ifndef _REFRAMER_COMPAT_H
#define _REFRAMER_COMPAT_H

#include <linux/hrtimer.h>
#include <linux/netlink.h>
#include <linux/skbuff.h>
#include <net/pkt_cls.h>
#include <net/pkt_sched.h>
#include <net/sock.h>

/* The target of a redirect by a BPF filter is only known to tcx and clsact. */
#ifndef HAVE_TCF_CLASSIFY_QDISC
static inline int tcf_classify_qdisc(struct sk_buff *skb,
				     const struct tcf_proto *tp,
				     struct tcf_result *res, bool compat_mode)
{
	int action = tcf_classify(skb, NULL, tp, res, compat_mode);

	return action == TC_ACT_REDIRECT ? TC_ACT_SHOT : action;
}
#endif

#ifndef HAVE_HRTIMER_UPDATE_FUNCTION
static inline void
hrtimer_update_function(struct hrtimer *timer,
			enum hrtimer_restart (*function)(struct hrtimer *))
{
	timer->function = function;
}
#endif

/*
 * Why a packet is dropped, for those who monitor drops.  Older kernels know only
 * that a qdisc dropped it, which the core says itself.
 */
static inline void reframer_set_overlimit(const struct sk_buff *skb)
{
#if defined(HAVE_TCF_SET_QDISC_DROP_REASON)
	tcf_set_qdisc_drop_reason(skb, QDISC_DROP_OVERLIMIT);
#elif defined(HAVE_SKB_DROP_REASON_QDISC_OVERLIMIT)
	tcf_set_drop_reason(skb, SKB_DROP_REASON_QDISC_OVERLIMIT);
#endif
}

/* Where fq_codel counts all memory, too */
#ifndef HAVE_IS_SKB_WMEM
static inline bool is_skb_wmem(const struct sk_buff *skb)
{
	return false;
}
#endif

#ifndef HAVE_SKB_FRAG_FILL_PAGE_DESC
static inline void skb_frag_fill_page_desc(skb_frag_t *frag, struct page *page,
					   unsigned int off, unsigned int size)
{
	__skb_frag_set_page(frag, page);
	skb_frag_off_set(frag, off);
	skb_frag_size_set(frag, size);
}
#endif

/* Older kernels have no memory that the CPU cannot read. */
#ifndef HAVE_SKB_FRAGS_READABLE
static inline bool skb_frags_readable(const struct sk_buff *skb)
{
	return true;
}
#endif

/* One maximum for both versions of IP */
#ifndef HAVE_NETIF_GET_GSO_MAX_SIZE
static inline unsigned int netif_get_gso_max_size(const struct net_device *dev,
						  const struct sk_buff *skb)
{
	return READ_ONCE(dev->gso_max_size);
}
#endif

/* Where the statistics of a qdisc do not count the segments themselves */
static inline void reframer_set_pkt_segs(struct sk_buff *skb, unsigned int segments)
{
#ifdef HAVE_QDISC_PKT_SEGS
	qdisc_skb_cb(skb)->pkt_segs = segments;
#endif
}

#ifndef MODULE_ALIAS_NET_SCH
#define MODULE_ALIAS_NET_SCH(id)	MODULE_ALIAS("net-sch-" id)
#endif

/*
 * Before 6.2 an extended ack carries only a pointer to a constant text.  It is
 * read after the RTNL has been dropped, so each of the latest few messages, all
 * written under the RTNL, has a buffer of its own.
 */
#ifndef NL_SET_ERR_MSG_FMT_MOD
#define REFRAMER_MSGS		64
#define REFRAMER_MSG_LEN	80

static inline char *reframer_msg_buffer(void)
{
	static char msgs[REFRAMER_MSGS][REFRAMER_MSG_LEN];
	static unsigned int next;

	return msgs[next++ % REFRAMER_MSGS];
}

#define NL_SET_ERR_MSG_FMT_MOD(extack, fmt, args...) do {		\
	struct netlink_ext_ack *__extack = (extack);			\
	char *__msg = reframer_msg_buffer();				\
									\
	snprintf(__msg, REFRAMER_MSG_LEN, KBUILD_MODNAME ": " fmt, ##args); \
	if (__extack)							\
		__extack->_msg = __msg;					\
} while (0)
#endif

#endif
