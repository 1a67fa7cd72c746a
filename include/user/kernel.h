/* SPDX-License-Identifier: GPL-2.0 */
/* The parts of the kernel that the engine needs, for user space. */
#ifndef _REFRAMER_USER_KERNEL_H
#define _REFRAMER_USER_KERNEL_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <strings.h>		/* ffs() */

#include <linux/if_ether.h>
#include <netinet/in.h>		/* IPPROTO_* */

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef int32_t s32;
typedef unsigned long long u64;

#define U8_MAX			UINT8_MAX
#define U32_MAX			UINT32_MAX
#define U64_MAX			(~0ULL)
#define BIT(n)			(1UL << (n))
#define BIT_ULL(n)		(1ULL << (n))
#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define __aligned(n)		__attribute__((aligned(n)))
#define min_t(type, a, b)	((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define max_t(type, a, b)	((type)(a) > (type)(b) ? (type)(a) : (type)(b))
#define clamp_t(type, x, low, high) \
	min_t(type, (type)(x) < (type)(low) ? (low) : (x), high)
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define prefetch(x)		__builtin_prefetch(x)
#define noinline		__attribute__((noinline))

static inline int fls64(u64 x)
{
	return x ? 64 - __builtin_clzll(x) : 0;
}

static inline int fls(u32 x)
{
	return fls64(x);
}

struct list_head {
	struct list_head *next, *prev;
};

static inline void INIT_LIST_HEAD(struct list_head *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool list_empty(const struct list_head *list)
{
	return list->next == list;
}

static inline void list_add(struct list_head *entry, struct list_head *list)
{
	entry->prev = list;
	entry->next = list->next;
	list->next->prev = entry;
	list->next = entry;
}

static inline void list_add_tail(struct list_head *entry,
				 struct list_head *list)
{
	list_add(entry, list->prev);
}

/* Using an entry that is on no list, or deleting it twice, crashes. */
static inline void list_del(struct list_head *entry)
{
	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
	entry->next = NULL;
	entry->prev = NULL;
}

static inline void list_move(struct list_head *entry, struct list_head *list)
{
	list_del(entry);
	list_add(entry, list);
}

static inline void list_move_tail(struct list_head *entry,
				  struct list_head *list)
{
	list_del(entry);
	list_add_tail(entry, list);
}

#define list_entry(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))
#define list_first_entry(list, type, member) \
	list_entry((list)->next, type, member)
#define list_for_each_entry(pos, list, member)				\
	for (pos = list_first_entry(list, typeof(*pos), member);	\
	     &pos->member != (list);					\
	     pos = list_first_entry(&pos->member, typeof(*pos), member))
#define list_for_each_entry_safe(pos, n, list, member)			\
	for (pos = list_first_entry(list, typeof(*pos), member),	\
	     n = list_first_entry(&pos->member, typeof(*pos), member);	\
	     &pos->member != (list);					\
	     pos = n,							\
	     n = list_first_entry(&n->member, typeof(*n), member))

struct qdisc_skb_cb {
	u32 pkt_len;
	u32 data[20 / sizeof(u32)];	/* as large as the kernel's */
};

struct sk_buff {
	struct sk_buff *next;
	u32 truesize;
	bool wmem;		/* charged to a socket */
	struct qdisc_skb_cb cb;
	/* for reframer_flow_hash.h */
	bool sw_hash, l4_hash;
	u16 protocol, vlan_proto;
	u32 hash, mark;
	u32 headlen;		/* bytes of data */
	const u8 *data, *network_header;
};

static inline bool is_skb_wmem(const struct sk_buff *skb)
{
	return skb->wmem;
}

static inline struct qdisc_skb_cb *qdisc_skb_cb(const struct sk_buff *skb)
{
	return (struct qdisc_skb_cb *)&skb->cb;
}

static inline u32 qdisc_pkt_len(const struct sk_buff *skb)
{
	return skb->cb.pkt_len;
}

static inline void qdisc_cb_private_validate(const struct sk_buff *skb, int n)
{
	assert(n <= (int)sizeof(skb->cb.data));
}

static inline void skb_mark_not_on_list(struct sk_buff *skb)
{
	skb->next = NULL;
}

#endif
