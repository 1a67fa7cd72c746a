/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's flow dissector for user space, as far as reframer_flow_hash.h needs it: to
 * be included between kernel.h and that.  It finds the same fields as the kernel's, but
 * the hashes differ, as those of two machines do.
 */
#ifndef _REFRAMER_USER_FLOW_DISSECTOR_H
#define _REFRAMER_USER_FLOW_DISSECTOR_H

#include <string.h>

#include <arpa/inet.h>
#include <linux/if_arp.h>
#include <linux/types.h>
#include <netinet/ip.h>

#define __force
#define ETH_P_802_3_MIN		0x0600
#define DISSECT_HEADERS_MAX	15
#define PPP_IP			0x0021
#define PPP_IPV6		0x0057

#define GRE_CSUM		htons(0x8000)
#define GRE_KEY			htons(0x2000)
#define GRE_SEQ			htons(0x1000)
#define GRE_ROUTING_VERSION	htons(0x4007)

enum {
	FLOW_DISSECTOR_KEY_NONE,
	FLOW_DISSECTOR_KEY_IPV4_ADDRS,
	FLOW_DISSECTOR_KEY_IPV6_ADDRS,
};

#define FLOW_DIS_IS_FRAGMENT			BIT(0)
#define FLOW_DIS_ENCAPSULATION			BIT(2)
#define FLOW_DISSECTOR_F_STOP_BEFORE_ENCAP	BIT(3)

/* Without padding.  What is hashed begins with basic. */
struct flow_keys {
	struct {
		u32 flags;
		u16 addr_type;
		u16 thoff;
	} control;
	struct {
		__be16 n_proto;
		u8 ip_proto;
		u8 padding;
	} basic;
	struct {
		u32 flow_label;
	} tags;
	struct vlan_key {
		u16 vlan_id;
		u16 vlan_priority;
		__be16 vlan_tpid;
		__be16 vlan_eth_type;
	} vlan;
	__be32 keyid;
	union {
		__be32 ports;
		struct {
			__be16 src, dst;
		};
	} ports;
	union {
		struct {
			__be32 src, dst;
		} v4addrs;
		struct {
			struct in6_addr src, dst;
		} v6addrs;
	} addrs;
};

struct net_device {
	u16 type;
};

struct Qdisc {
	struct net_device dev;
};

struct siphash_key {
	u64 key[2];
};

#define siphash_key_t		struct siphash_key

#define SIPHASH_ALIGNMENT	8

static inline const struct net_device *qdisc_dev(const struct Qdisc *sch)
{
	return &sch->dev;
}

static inline bool eth_type_vlan(__be16 type)
{
	return type == htons(ETH_P_8021Q) || type == htons(ETH_P_8021AD);
}

static inline bool ip_is_fragment(const struct iphdr *ip)
{
	return ip->frag_off & htons(IP_MF | IP_OFFMASK);
}

/* Tags are always in the data. */
#define skb_vlan_tag_present(skb)	false

static inline const u8 *skb_network_header(const struct sk_buff *skb)
{
	return skb->network_header;
}

static inline const u8 *skb_tail_pointer(const struct sk_buff *skb)
{
	return skb->data + skb->headlen;
}

static inline u32 skb_headlen(const struct sk_buff *skb)
{
	return skb->headlen;
}

static inline const struct iphdr *ip_hdr(const struct sk_buff *skb)
{
	return (const struct iphdr *)skb->network_header;
}

static inline void *skb_header_pointer(const struct sk_buff *skb, u32 offset,
				       u32 len, void *buffer)
{
	if (offset > skb->headlen || len > skb->headlen - offset)
		return NULL;
	return memcpy(buffer, skb->data + offset, len);
}

/* Any good hash will do. */
static inline u32 siphash(const void *data, size_t len, const siphash_key_t *key)
{
	u64 hash = key->key[0] ^ len, word;

	for (; len; len -= min_t(size_t, len, 8), data += 8) {
		word = 0;
		memcpy(&word, data, min_t(size_t, len, 8));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
	}
	return (hash * 0xd6e8feb86659fd93ULL) >> 32;
}

static inline u32 siphash_1u32(u32 word, const siphash_key_t *key)
{
	return siphash(&word, sizeof(word), key);
}

static inline u32 flow_get_u32_src(const struct flow_keys *keys)
{
	return keys->control.addr_type == FLOW_DISSECTOR_KEY_IPV4_ADDRS ?
	       keys->addrs.v4addrs.src : 0;
}

static inline u32 flow_get_u32_dst(const struct flow_keys *keys)
{
	return keys->control.addr_type == FLOW_DISSECTOR_KEY_IPV4_ADDRS ?
	       keys->addrs.v4addrs.dst : 0;
}

static inline bool flow_keys_have_l4(const struct flow_keys *keys)
{
	return keys->ports.ports;
}

static inline void __skb_set_sw_hash(struct sk_buff *skb, u32 hash, bool is_l4)
{
	skb->hash = hash;
	skb->sw_hash = true;
	skb->l4_hash = is_l4;
}

/* Both directions of a connection have the same hash. */
static inline void flow_keys_order(struct flow_keys *keys)
{
	struct in6_addr *src = &keys->addrs.v6addrs.src;
	struct in6_addr *dst = &keys->addrs.v6addrs.dst;

	switch (keys->control.addr_type) {
	case FLOW_DISSECTOR_KEY_IPV4_ADDRS:
		if (ntohl(keys->addrs.v4addrs.dst) < ntohl(keys->addrs.v4addrs.src)) {
			__be32 swapped = keys->addrs.v4addrs.src;

			keys->addrs.v4addrs.src = keys->addrs.v4addrs.dst;
			keys->addrs.v4addrs.dst = swapped;
		}
		break;
	case FLOW_DISSECTOR_KEY_IPV6_ADDRS:
		if (memcmp(dst, src, sizeof(*dst)) < 0) {
			struct in6_addr swapped = *src;

			*src = *dst;
			*dst = swapped;
		}
		break;
	}
	if (ntohs(keys->ports.dst) < ntohs(keys->ports.src)) {
		__be16 swapped = keys->ports.src;

		keys->ports.src = keys->ports.dst;
		keys->ports.dst = swapped;
	}
}

static inline u32 flow_hash_from_keys(struct flow_keys *keys)
{
	static const siphash_key_t key = { { 1 } };
	size_t begin = offsetof(struct flow_keys, basic);
	size_t end = offsetof(struct flow_keys, addrs);

	flow_keys_order(keys);
	switch (keys->control.addr_type) {
	case FLOW_DISSECTOR_KEY_IPV4_ADDRS:
		end += sizeof(keys->addrs.v4addrs);
		break;
	case FLOW_DISSECTOR_KEY_IPV6_ADDRS:
		end += sizeof(keys->addrs.v6addrs);
		break;
	}
	return siphash((const u8 *)keys + begin, end - begin, &key) ?: 1;
}

/* The header at @offset of a GRE packet; returns the protocol behind it, or 0 */
static inline u16 dissect_gre(const struct sk_buff *skb, struct flow_keys *keys, u32 *offset)
{
	struct {
		__be16 flags, proto;
	} gre;
	__be16 type;

	if (!skb_header_pointer(skb, *offset, sizeof(gre), &gre) ||
	    gre.flags & GRE_ROUTING_VERSION)
		return 0;
	*offset += sizeof(gre);
	if (gre.flags & GRE_CSUM)
		*offset += 4;
	if (gre.flags & GRE_KEY) {
		if (!skb_header_pointer(skb, *offset, 4, &keys->keyid))
			return 0;
		*offset += 4;
	}
	if (gre.flags & GRE_SEQ)
		*offset += 4;
	if (gre.proto != htons(ETH_P_TEB))
		return ntohs(gre.proto);
	if (!skb_header_pointer(skb, *offset + ETH_HLEN - 2, 2, &type))
		return 0;
	*offset += ETH_HLEN;
	return ntohs(type);
}

static inline void dissect_ports(const struct sk_buff *skb, struct flow_keys *keys, u32 offset)
{
	switch (keys->basic.ip_proto) {
	case IPPROTO_AH:
		offset += 4;
		break;
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_DCCP:
	case IPPROTO_SCTP:
	case IPPROTO_ESP:
		break;
	default:
		return;
	}
	skb_header_pointer(skb, offset, sizeof(keys->ports), &keys->ports);
}

/* What follows an IP header; returns the EtherType of the packet in a tunnel, or 0 */
static inline u16 dissect_ip_proto(const struct sk_buff *skb, struct flow_keys *keys,
				   u16 type, u32 *offset, unsigned int flags)
{
	u8 *next = &keys->basic.ip_proto, header[8];
	u16 inner;
	int i;

	for (i = 0; i < DISSECT_HEADERS_MAX; i++) {
		switch (*next) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			if (type != ETH_P_IPV6 ||
			    !skb_header_pointer(skb, *offset, 2, header))
				return 0;
			*next = header[0];
			*offset += (header[1] + 1) * 8;
			continue;
		case IPPROTO_FRAGMENT:
			if (type != ETH_P_IPV6 ||
			    !skb_header_pointer(skb, *offset, 8, header))
				return 0;
			keys->control.flags |= FLOW_DIS_IS_FRAGMENT;
			*next = header[0];
			return 0;
		case IPPROTO_GRE:
		case IPPROTO_IPIP:
		case IPPROTO_IPV6:
			if (flags & FLOW_DISSECTOR_F_STOP_BEFORE_ENCAP)
				return 0;
			inner = *next == IPPROTO_IPIP ? ETH_P_IP :
				*next == IPPROTO_IPV6 ? ETH_P_IPV6 :
				dissect_gre(skb, keys, offset);
			if (inner)
				keys->control.flags |= FLOW_DIS_ENCAPSULATION;
			return inner;
		case IPPROTO_MPLS:
			return ETH_P_MPLS_UC;
		default:
			dissect_ports(skb, keys, *offset);
			return 0;
		}
	}
	return 0;
}

static inline u16 dissect_ipv4(const struct sk_buff *skb, struct flow_keys *keys,
			       u32 *offset, unsigned int flags)
{
	struct iphdr ip;

	if (!skb_header_pointer(skb, *offset, sizeof(ip), &ip) || ip.ihl < 5)
		return 0;
	*offset += ip.ihl * 4;
	keys->basic.ip_proto = ip.protocol;
	keys->control.addr_type = FLOW_DISSECTOR_KEY_IPV4_ADDRS;
	keys->addrs.v4addrs.src = ip.saddr;
	keys->addrs.v4addrs.dst = ip.daddr;
	if (ip_is_fragment(&ip)) {
		keys->control.flags |= FLOW_DIS_IS_FRAGMENT;
		return 0;
	}
	return dissect_ip_proto(skb, keys, ETH_P_IP, offset, flags);
}

static inline u16 dissect_ipv6(const struct sk_buff *skb, struct flow_keys *keys,
			       u32 *offset, unsigned int flags)
{
	u8 ip[40];

	if (!skb_header_pointer(skb, *offset, sizeof(ip), ip))
		return 0;
	*offset += sizeof(ip);
	keys->basic.ip_proto = ip[6];
	keys->control.addr_type = FLOW_DISSECTOR_KEY_IPV6_ADDRS;
	memcpy(&keys->addrs.v6addrs, ip + 8, sizeof(keys->addrs.v6addrs));
	return dissect_ip_proto(skb, keys, ETH_P_IPV6, offset, flags);
}

/* A VLAN tag, of which only the first one counts; returns the EtherType behind it, or 0 */
static inline u16 dissect_vlan(const struct sk_buff *skb, struct flow_keys *keys, u16 type,
			       u32 *offset)
{
	struct {
		__be16 tci, type;
	} tag;

	if (!skb_header_pointer(skb, *offset, sizeof(tag), &tag))
		return 0;
	*offset += sizeof(tag);
	if (!keys->vlan.vlan_tpid)
		keys->vlan = (struct vlan_key) {
			.vlan_id = ntohs(tag.tci) & 0xfff,
			.vlan_priority = ntohs(tag.tci) >> 13,
			.vlan_tpid = htons(type), .vlan_eth_type = tag.type,
		};
	return ntohs(tag.type);
}

static inline u16 dissect_pppoe(const struct sk_buff *skb, u32 *offset)
{
	u8 header[8];

	if (!skb_header_pointer(skb, *offset, sizeof(header), header))
		return 0;
	*offset += sizeof(header);
	switch (header[6] << 8 | header[7]) {
	case PPP_IP:
		return ETH_P_IP;
	case PPP_IPV6:
		return ETH_P_IPV6;
	}
	return 0;
}

static inline void flow_dissect(const struct sk_buff *skb, struct flow_keys *keys,
				__be16 proto, u32 offset, unsigned int flags)
{
	u16 type = ntohs(proto), next;
	int i;

	for (i = 0; i < DISSECT_HEADERS_MAX; i++) {
		keys->basic.n_proto = htons(type);
		keys->control.thoff = offset;
		switch (type) {
		case ETH_P_IP:
			next = dissect_ipv4(skb, keys, &offset, flags);
			break;
		case ETH_P_IPV6:
			next = dissect_ipv6(skb, keys, &offset, flags);
			break;
		case ETH_P_8021Q:
		case ETH_P_8021AD:
			next = dissect_vlan(skb, keys, type, &offset);
			break;
		case ETH_P_PPP_SES:
			next = dissect_pppoe(skb, &offset);
			break;
		default:
			return;
		}
		keys->control.thoff = offset;
		if (!next)
			return;
		type = next;
	}
}

/* All of the packet is linear, and there is only one dissector. */
#define __skb_flow_dissect(net, skb, dissector, keys, data, proto, offset, headlen, flags) \
	flow_dissect(skb, keys, proto, offset, flags)

#endif
