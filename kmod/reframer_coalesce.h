/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Coalescing: consecutive packets of a burst leave as one GSO packet, which the next
 * hops handle once.  A packet joins the last one of its flow when it arrives, while it
 * is in the cache; the headers are completed when the GSO packet leaves.
 *
 * Packets are merged only if GRO would merge them, too, and if whatever segments the
 * result makes the same packets of it again, byte by byte:
 *
 *  - TCP and UDP over IPv4 without options or fragments, and over IPv6 without
 *    extension headers; no tunnels, and VLAN tags only outside of the data;
 *  - all headers are the same but for lengths, checksums, the IPv4 ID and the
 *    sequence number, which follow on, and FIN and PSH, which may be on the last one;
 *  - all payloads are of the same length; that of the last one may be shorter;
 *  - the checksums are right.  A packet whose checksum nobody has verified is summed,
 *    as the segments' checksums are computed anew: that must not repair it;
 *  - the device takes the result as it is.
 *
 * The kernel's GRO (net/core/gro.c, net/ipv4/tcp_offload.c, udp_offload.c) is the
 * model, but cannot be called for this: it goes on in a list of fragments where the
 * device has no room for more, and gives other IDs to UDP packets that all have the
 * same one.
 */
#ifndef _REFRAMER_COALESCE_H
#define _REFRAMER_COALESCE_H

#define REFRAMER_UDP_SEGMENTS	64U	/* as UDP_GRO_CNT_MAX */

/* A packet that may be a segment of a GSO packet: offsets from its data, in bytes */
struct reframer_segment {
	unsigned int network;
	unsigned int transport;
	unsigned int payload;
	unsigned int len;		/* of the payload */
	u8 protocol;
	bool ipv6;
};

/* A GSO packet in the making */
struct reframer_gso {
	struct reframer_segment first;
	struct sk_buff *skb;		/* the first packet, which the others join */
	struct sk_buff *last;		/* in its list of fragments */
	netdev_features_t features;	/* of the device, for such packets */
	unsigned int too_long;		/* bytes that it must not reach */
	unsigned int segments;
	bool fixed_id;			/* all have the same IPv4 ID */
	bool complete;			/* no other may follow */
};

/* What is kept of it in the bytes of skb->cb: reframer_skb_cb.gso, a mask */
#define REFRAMER_GSO_IPV6	BIT(0)
#define REFRAMER_GSO_UDP	BIT(1)
#define REFRAMER_GSO_FIXED_ID	BIT(2)
#define REFRAMER_GSO_COMPLETE	BIT(3)
#define REFRAMER_GSO_FRAGLIST	BIT(4)	/* the device takes lists of fragments */

static inline struct iphdr *
reframer_ip(const struct sk_buff *skb, const struct reframer_segment *seg)
{
	return (struct iphdr *)(skb->data + seg->network);
}

static inline struct ipv6hdr *
reframer_ipv6(const struct sk_buff *skb, const struct reframer_segment *seg)
{
	return (struct ipv6hdr *)(skb->data + seg->network);
}

static inline struct tcphdr *
reframer_tcp(const struct sk_buff *skb, const struct reframer_segment *seg)
{
	return (struct tcphdr *)(skb->data + seg->transport);
}

static inline struct udphdr *
reframer_udp(const struct sk_buff *skb, const struct reframer_segment *seg)
{
	return (struct udphdr *)(skb->data + seg->transport);
}

/* May this packet's memory become part of another one, without harm to others? */
static inline bool reframer_is_plain(struct sk_buff *skb)
{
	return !skb_is_gso(skb) && !skb_shared(skb) && !skb_cloned(skb) &&
	       skb->fclone == SKB_FCLONE_UNAVAILABLE &&
	       (!skb->destructor || skb->destructor == sock_wfree) &&
	       !skb_zcopy(skb) && !skb_shinfo(skb)->tx_flags &&
	       !skb_has_frag_list(skb) && !skb->encapsulation &&
	       !skb_has_extensions(skb) && skb_frags_readable(skb);
}

static inline bool reframer_parse_ipv4(const struct sk_buff *skb,
				       struct reframer_segment *seg)
{
	const struct iphdr *ip = reframer_ip(skb, seg);

	if (skb_headlen(skb) < seg->network + sizeof(*ip) ||
	    ip->version != 4 || ip->ihl != 5 || ip_is_fragment(ip) ||
	    ntohs(ip->tot_len) != skb->len - seg->network ||
	    ip_fast_csum(ip, 5))
		return false;
	seg->transport = seg->network + sizeof(*ip);
	seg->protocol = ip->protocol;
	return true;
}

static inline bool reframer_parse_ipv6(const struct sk_buff *skb,
				       struct reframer_segment *seg)
{
	const struct ipv6hdr *ip = reframer_ipv6(skb, seg);

	if (skb_headlen(skb) < seg->network + sizeof(*ip) || ip->version != 6 ||
	    ntohs(ip->payload_len) != skb->len - seg->network - sizeof(*ip))
		return false;
	seg->transport = seg->network + sizeof(*ip);
	seg->protocol = ip->nexthdr;
	return true;
}

static inline bool reframer_parse_tcp(const struct sk_buff *skb,
				      struct reframer_segment *seg)
{
	const struct tcphdr *th = reframer_tcp(skb, seg);

	if (skb_headlen(skb) < seg->transport + sizeof(*th) || th->doff < 5 ||
	    th->syn || th->rst || th->urg || th->cwr)
		return false;
	seg->payload = seg->transport + th->doff * 4;
	return skb_headlen(skb) >= seg->payload;
}

static inline bool reframer_parse_udp(const struct sk_buff *skb,
				      struct reframer_segment *seg)
{
	const struct udphdr *uh = reframer_udp(skb, seg);

	seg->payload = seg->transport + sizeof(*uh);
	return skb_headlen(skb) >= seg->payload && uh->check &&
	       ntohs(uh->len) == skb->len - seg->transport;
}

/* Is the packet one of those that can be merged? */
static inline bool reframer_parse_segment(struct sk_buff *skb,
					  struct reframer_segment *seg)
{
	if (!reframer_is_plain(skb) || skb_network_offset(skb) < 0)
		return false;
	seg->network = skb_network_offset(skb);
	seg->ipv6 = skb->protocol == htons(ETH_P_IPV6);
	if (seg->ipv6 ? !reframer_parse_ipv6(skb, seg) :
	    skb->protocol != htons(ETH_P_IP) || !reframer_parse_ipv4(skb, seg))
		return false;
	if (seg->protocol == IPPROTO_TCP ? !reframer_parse_tcp(skb, seg) :
	    seg->protocol != IPPROTO_UDP || !reframer_parse_udp(skb, seg))
		return false;
	seg->len = skb->len - seg->payload;
	return seg->len;
}

/* The sum of the addresses, protocol and length that the checksum covers, and @sum */
static inline __sum16 reframer_pseudo_sum(const struct sk_buff *skb,
					  const struct reframer_segment *seg,
					  __wsum sum)
{
	unsigned int len = skb->len - seg->transport;

	if (seg->ipv6)
		return csum_ipv6_magic(&reframer_ipv6(skb, seg)->saddr,
				       &reframer_ipv6(skb, seg)->daddr,
				       len, seg->protocol, sum);
	return csum_tcpudp_magic(reframer_ip(skb, seg)->saddr,
				 reframer_ip(skb, seg)->daddr,
				 len, seg->protocol, sum);
}

static inline unsigned int reframer_checksum_offset(const struct reframer_segment *seg)
{
	return seg->protocol == IPPROTO_TCP ? offsetof(struct tcphdr, check) :
					      offsetof(struct udphdr, check);
}

static inline __sum16 *reframer_checksum(const struct sk_buff *skb,
					 const struct reframer_segment *seg)
{
	return (__sum16 *)(skb->data + seg->transport + reframer_checksum_offset(seg));
}

/* Is the checksum right, or will it be, when the device computes it? */
static inline bool reframer_checksum_is_right(const struct sk_buff *skb,
					      const struct reframer_segment *seg)
{
	unsigned int len = skb->len - seg->transport;

	switch (skb->ip_summed) {
	case CHECKSUM_UNNECESSARY:
		return true;
	case CHECKSUM_PARTIAL:
		return skb_checksum_start_offset(skb) == seg->transport &&
		       skb->csum_offset == reframer_checksum_offset(seg) &&
		       *reframer_checksum(skb, seg) ==
		       (__force __sum16)~reframer_pseudo_sum(skb, seg, 0);
	case CHECKSUM_NONE:
		return !reframer_pseudo_sum(skb, seg,
					    skb_checksum(skb, seg->transport,
							 len, 0));
	}
	return false;
}

/* What is known of both packets besides their bytes */
static inline bool reframer_same_metadata(const struct sk_buff *a,
					  const struct sk_buff *b)
{
	return a->dev == b->dev && a->skb_iif == b->skb_iif &&
	       a->sk == b->sk && a->destructor == b->destructor &&
	       a->tstamp == b->tstamp &&	/* when to send it, if not 0 */
	       a->mark == b->mark && a->priority == b->priority &&
	       a->queue_mapping == b->queue_mapping &&
	       a->protocol == b->protocol &&
	       skb_vlan_tag_present(a) == skb_vlan_tag_present(b) &&
	       a->vlan_proto == b->vlan_proto && a->vlan_tci == b->vlan_tci &&
	       a->_skb_refdst == b->_skb_refdst &&
	       skb_get_nfct(a) == skb_get_nfct(b) &&
	       a->pp_recycle == b->pp_recycle &&
	       skb_is_redirected(a) == skb_is_redirected(b) &&
	       !skb_metadata_differs(a, b);
}

/*
 * IPv4 IDs must count up, or be all the same if the packet cannot be fragmented and
 * the device can keep them so.  The second packet decides.
 */
static inline bool reframer_id_follows(const struct reframer_gso *gso, __be16 id)
{
	const struct iphdr *first = reframer_ip(gso->skb, &gso->first);
	u16 step = ntohs(id) - ntohs(first->id);

	if (gso->segments > 1)
		return step == (gso->fixed_id ? 0 : gso->segments);
	return step == 1 ||
	       (!step && gso->first.protocol == IPPROTO_TCP &&
		first->frag_off & htons(IP_DF) &&
		gso->features & NETIF_F_TSO_MANGLEID);
}

static inline bool reframer_ip_follows(const struct reframer_gso *gso,
				       const struct sk_buff *skb)
{
	const struct iphdr *a = reframer_ip(gso->skb, &gso->first);
	const struct iphdr *b = reframer_ip(skb, &gso->first);

	return a->saddr == b->saddr && a->daddr == b->daddr && a->tos == b->tos &&
	       a->ttl == b->ttl && a->frag_off == b->frag_off &&
	       reframer_id_follows(gso, b->id);
}

static inline bool reframer_ipv6_follows(const struct reframer_gso *gso,
					 const struct sk_buff *skb)
{
	const struct ipv6hdr *a = reframer_ipv6(gso->skb, &gso->first);
	const struct ipv6hdr *b = reframer_ipv6(skb, &gso->first);

	return ipv6_addr_equal(&a->saddr, &b->saddr) &&
	       ipv6_addr_equal(&a->daddr, &b->daddr) &&
	       *(__be32 *)a == *(__be32 *)b &&	/* traffic class, flow label */
	       a->hop_limit == b->hop_limit;
}

static inline bool reframer_tcp_follows(const struct reframer_gso *gso,
					const struct sk_buff *skb)
{
	const struct tcphdr *a = reframer_tcp(gso->skb, &gso->first);
	const struct tcphdr *b = reframer_tcp(skb, &gso->first);

	return a->source == b->source && a->dest == b->dest &&
	       ntohl(b->seq) - ntohl(a->seq) == gso->segments * gso->first.len &&
	       a->ack_seq == b->ack_seq && a->urg_ptr == b->urg_ptr &&
	       /* flags, window and the length of the header */
	       !((tcp_flag_word(a) ^ tcp_flag_word(b)) &
		 ~(TCP_FLAG_FIN | TCP_FLAG_PSH)) &&
	       !memcmp(a + 1, b + 1, gso->first.payload - gso->first.transport -
				     sizeof(*a));
}

static inline bool reframer_udp_follows(const struct reframer_gso *gso,
					const struct sk_buff *skb)
{
	const struct udphdr *a = reframer_udp(gso->skb, &gso->first);
	const struct udphdr *b = reframer_udp(skb, &gso->first);

	return a->source == b->source && a->dest == b->dest;
}

/* Must the packet be the last one of a GSO packet? */
static inline bool reframer_ends_gso(const struct reframer_gso *gso,
				     const struct sk_buff *skb,
				     const struct reframer_segment *seg)
{
	const struct tcphdr *th = reframer_tcp(skb, seg);

	return seg->len < gso->first.len ||
	       (seg->protocol == IPPROTO_TCP && (th->fin || th->psh));
}

/* The type of the GSO packet, SKB_GSO_* */
static inline unsigned int reframer_gso_type(const struct reframer_gso *gso)
{
	if (gso->first.protocol == IPPROTO_UDP)
		return SKB_GSO_UDP_L4;
	if (gso->first.ipv6)
		return SKB_GSO_TCPV6;
	return gso->fixed_id ? SKB_GSO_TCPV4 | SKB_GSO_TCP_FIXEDID : SKB_GSO_TCPV4;
}

/* The length that it must not reach: for the header of IP, and for the device */
static inline unsigned int reframer_too_long(const struct reframer_gso *gso)
{
	return min_t(unsigned int, gso->first.network + U16_MAX + 1,
		     netif_get_gso_max_size(gso->skb->dev, gso->skb));
}

/* Begin a GSO packet with @skb; false if nothing may join it. */
static inline bool reframer_begin_gso(struct reframer_gso *gso,
				      struct sk_buff *skb)
{
	gso->skb = skb;
	gso->last = NULL;
	gso->segments = 1;
	gso->fixed_id = false;
	gso->complete = false;
	if (!reframer_parse_segment(skb, &gso->first) ||
	    gso->first.payload > U8_MAX ||
	    reframer_ends_gso(gso, skb, &gso->first))
		return false;
	/* without what the core takes back for GSO packets */
	gso->features = netif_skb_features(skb) & ~skb->dev->gso_partial_features;
	if (!(gso->features & NETIF_F_SG) ||
	    !net_gso_ok(gso->features, reframer_gso_type(gso)))
		return false;
	gso->too_long = reframer_too_long(gso);
	return true;
}

static inline void reframer_save_gso(const struct reframer_gso *gso)
{
	struct reframer_skb_cb *cb = reframer_skb_cb(gso->skb);

	cb->packets = gso->segments;
	cb->segment_len = gso->first.len;
	cb->network = gso->first.network;
	cb->payload = gso->first.payload;
	cb->gso = (gso->first.ipv6 ? REFRAMER_GSO_IPV6 : 0) |
		  (gso->first.protocol == IPPROTO_UDP ? REFRAMER_GSO_UDP : 0) |
		  (gso->fixed_id ? REFRAMER_GSO_FIXED_ID : 0) |
		  (gso->complete ? REFRAMER_GSO_COMPLETE : 0) |
		  (gso->features & NETIF_F_FRAGLIST ? REFRAMER_GSO_FRAGLIST : 0);
	gso->skb->prev = gso->last;
}

/* Go on with a GSO packet of two segments or more. */
static inline void reframer_load_gso(struct reframer_gso *gso,
				     struct sk_buff *skb)
{
	const struct reframer_skb_cb *cb = reframer_skb_cb(skb);

	gso->first.network = cb->network;
	gso->first.payload = cb->payload;
	gso->first.len = cb->segment_len;
	gso->first.ipv6 = cb->gso & REFRAMER_GSO_IPV6;
	gso->first.protocol = cb->gso & REFRAMER_GSO_UDP ? IPPROTO_UDP : IPPROTO_TCP;
	gso->first.transport = cb->network + (gso->first.ipv6 ?
					      sizeof(struct ipv6hdr) :
					      sizeof(struct iphdr));
	gso->skb = skb;
	gso->last = skb->prev;
	gso->features = cb->gso & REFRAMER_GSO_FRAGLIST ? NETIF_F_FRAGLIST : 0;
	gso->segments = cb->packets;
	gso->fixed_id = cb->gso & REFRAMER_GSO_FIXED_ID;
	gso->complete = cb->gso & REFRAMER_GSO_COMPLETE;
	gso->too_long = reframer_too_long(gso);
}

/*
 * Can the payload be handed over as fragments?  Its linear part can if it is in a page.
 * Behind a list of fragments there is no room for more.
 */
static inline bool reframer_fits_in_frags(const struct reframer_gso *gso,
					  const struct sk_buff *skb,
					  const struct reframer_segment *seg)
{
	bool linear = skb_headlen(skb) > seg->payload;

	return !gso->last && (skb->head_frag || !linear) &&
	       skb_shinfo(gso->skb)->nr_frags + skb_shinfo(skb)->nr_frags +
	       linear <= MAX_SKB_FRAGS;
}

/* Is there room for @skb, in a form that the device can take? */
static inline bool reframer_has_room(const struct reframer_gso *gso,
				     const struct sk_buff *skb,
				     const struct reframer_segment *seg)
{
	unsigned int max_segments = READ_ONCE(skb->dev->gso_max_segs);

	if (seg->protocol == IPPROTO_UDP)
		max_segments = min(max_segments, REFRAMER_UDP_SEGMENTS);
	return gso->segments < max_segments &&
	       gso->skb->len + seg->len < gso->too_long &&
	       (gso->features & NETIF_F_FRAGLIST ||
		reframer_fits_in_frags(gso, skb, seg));
}

/* May @skb, whose payload is @seg, be the next segment? */
static inline bool reframer_follows(const struct reframer_gso *gso,
				    struct sk_buff *skb,
				    struct reframer_segment *seg)
{
	const struct reframer_segment *first = &gso->first;

	return reframer_parse_segment(skb, seg) &&
	       seg->network == first->network && seg->payload == first->payload &&
	       seg->protocol == first->protocol && seg->len <= first->len &&
	       reframer_same_metadata(gso->skb, skb) &&
	       !memcmp(gso->skb->data, skb->data, first->network) &&
	       (first->ipv6 ? reframer_ipv6_follows(gso, skb) :
			      reframer_ip_follows(gso, skb)) &&
	       (first->protocol == IPPROTO_TCP ? reframer_tcp_follows(gso, skb) :
						 reframer_udp_follows(gso, skb)) &&
	       reframer_has_room(gso, skb, seg) &&
	       (gso->segments > 1 ||
		reframer_checksum_is_right(gso->skb, first)) &&
	       reframer_checksum_is_right(skb, seg);
}

/*
 * Hand over the payload and free the rest.  What a socket pays for the packet, by its
 * truesize, is handed over with it.
 */
static inline void reframer_move_to_frags(struct sk_buff *to, struct sk_buff *skb,
					  const struct reframer_segment *seg)
{
	struct skb_shared_info *all = skb_shinfo(to), *own = skb_shinfo(skb);
	unsigned int linear = skb_headlen(skb) - seg->payload, rest;

	if (linear) {
		struct page *page = virt_to_head_page(skb->head);

		skb_frag_fill_page_desc(&all->frags[all->nr_frags++], page,
					skb->data + seg->payload -
					(u8 *)page_address(page), linear);
		rest = SKB_DATA_ALIGN(sizeof(*skb));
	} else {
		rest = SKB_TRUESIZE(skb_end_offset(skb));
	}
	memcpy(&all->frags[all->nr_frags], own->frags,
	       own->nr_frags * sizeof(*own->frags));
	all->nr_frags += own->nr_frags;
	own->nr_frags = 0;
	to->truesize += skb->truesize - rest;
	skb->truesize = rest;
	kfree_skb_partial(skb, linear);
}

/* Append the packet without its headers and without what it refers to. */
static inline void reframer_add_to_list(struct reframer_gso *gso,
					struct sk_buff *skb,
					const struct reframer_segment *seg)
{
	__skb_pull(skb, seg->payload);
	__skb_header_release(skb);
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	gso->skb->truesize += skb->truesize;
	skb->destructor = NULL;
	skb->sk = NULL;
	if (gso->last)
		gso->last->next = skb;
	else
		skb_shinfo(gso->skb)->frag_list = skb;
	gso->last = skb;
}

/* The payload of @skb becomes the next segment. */
static inline void reframer_append(struct reframer_gso *gso, struct sk_buff *skb,
				   const struct reframer_segment *seg)
{
	struct sk_buff *to = gso->skb;

	gso->complete = reframer_ends_gso(gso, skb, seg);
	if (seg->protocol == IPPROTO_TCP)
		tcp_flag_word(reframer_tcp(to, seg)) |=
			tcp_flag_word(reframer_tcp(skb, seg)) &
			(TCP_FLAG_FIN | TCP_FLAG_PSH);
	if (!seg->ipv6)
		gso->fixed_id = reframer_ip(to, seg)->id ==
				reframer_ip(skb, seg)->id;
	gso->segments++;
	to->len += seg->len;
	to->data_len += seg->len;
	qdisc_skb_cb(to)->pkt_len += qdisc_pkt_len(skb);
	skb_shinfo(to)->flags |= skb_shinfo(skb)->flags & SKBFL_SHARED_FRAG;
	if (reframer_fits_in_frags(gso, skb, seg))
		reframer_move_to_frags(to, skb, seg);
	else
		reframer_add_to_list(gso, skb, seg);
}

/* The packet has all its segments: headers, and what the next hops need to know. */
static noinline void reframer_finish_gso(struct sk_buff *skb)
{
	const struct reframer_segment *seg;
	struct reframer_gso gso;
	unsigned int len;

	reframer_load_gso(&gso, skb);
	seg = &gso.first;
	len = skb->len - seg->transport;
	if (seg->ipv6) {
		reframer_ipv6(skb, seg)->payload_len = htons(len);
	} else {
		reframer_ip(skb, seg)->tot_len = htons(skb->len - seg->network);
		ip_send_check(reframer_ip(skb, seg));
	}
	if (seg->protocol == IPPROTO_UDP)
		reframer_udp(skb, seg)->len = htons(len);
	*reframer_checksum(skb, seg) = ~reframer_pseudo_sum(skb, seg, 0);
	skb_set_transport_header(skb, seg->transport);
	skb->csum_start = skb_headroom(skb) + seg->transport;
	skb->csum_offset = reframer_checksum_offset(seg);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->prev = NULL;
	skb_shinfo(skb)->gso_size = seg->len;
	skb_shinfo(skb)->gso_segs = gso.segments;
	skb_shinfo(skb)->gso_type = reframer_gso_type(&gso);
	reframer_set_pkt_segs(skb, gso.segments);
}

#endif
