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

/*
 * A GSO packet in the making is the first packet, which the others join.  In its
 * reframer_skb_cb.segment is where all have their headers, how long their payloads are,
 * and these flags; skb->prev is the last one in its list of fragments.
 */
#define REFRAMER_GSO_FRAGLIST	BIT(0)	/* the device takes lists of fragments */
#define REFRAMER_GSO_MANGLEID	BIT(1)	/* the device can keep IPv4 IDs the same */
#define REFRAMER_GSO_FIXED_ID	BIT(2)	/* all have the same IPv4 ID */
#define REFRAMER_GSO_COMPLETE	BIT(3)	/* no other may follow */

/* No more bytes than these before the header of IP, so that offsets fit into a byte */
#define REFRAMER_LINK_MAX	128

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
	    ip->version != 4 || ip->ihl != 5 || ip_is_fragment(ip))
		return false;
	seg->transport = seg->network + sizeof(*ip);
	seg->protocol = ip->protocol;
	return true;
}

static inline bool reframer_parse_ipv6(const struct sk_buff *skb,
				       struct reframer_segment *seg)
{
	const struct ipv6hdr *ip = reframer_ipv6(skb, seg);

	if (skb_headlen(skb) < seg->network + sizeof(*ip) || ip->version != 6)
		return false;
	seg->transport = seg->network + sizeof(*ip);
	seg->protocol = ip->nexthdr;
	return true;
}

static inline bool reframer_parse_network(const struct sk_buff *skb,
					  struct reframer_segment *seg)
{
	int network = skb_network_offset(skb);

	if (network < 0 || network > REFRAMER_LINK_MAX)
		return false;
	seg->network = network;
	seg->ipv6 = skb->protocol == htons(ETH_P_IPV6);
	if (seg->ipv6 ? !reframer_parse_ipv6(skb, seg) :
	    skb->protocol != htons(ETH_P_IP) || !reframer_parse_ipv4(skb, seg))
		return false;
	return seg->protocol == IPPROTO_TCP || seg->protocol == IPPROTO_UDP;
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
	seg->payload = seg->transport + sizeof(struct udphdr);
	return skb_headlen(skb) >= seg->payload && reframer_udp(skb, seg)->check;
}

static inline bool reframer_parse_transport(const struct sk_buff *skb,
					    struct reframer_segment *seg)
{
	if (seg->protocol == IPPROTO_TCP ? !reframer_parse_tcp(skb, seg) :
					   !reframer_parse_udp(skb, seg))
		return false;
	if (skb->len - seg->payload > U16_MAX)
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

/* Are the lengths and the checksums in the headers right? */
static inline bool reframer_is_right(const struct sk_buff *skb,
				     const struct reframer_segment *seg)
{
	unsigned int len = skb->len - seg->transport;

	if (seg->ipv6 ? ntohs(reframer_ipv6(skb, seg)->payload_len) != len :
	    ntohs(reframer_ip(skb, seg)->tot_len) != skb->len - seg->network ||
	    ip_fast_csum(reframer_ip(skb, seg), 5))
		return false;
	if (seg->protocol == IPPROTO_UDP && ntohs(reframer_udp(skb, seg)->len) != len)
		return false;
	return reframer_checksum_is_right(skb, seg);
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
static inline bool reframer_id_follows(const struct sk_buff *gso,
				       const struct iphdr *a, const struct iphdr *b)
{
	const struct reframer_segment *seg = &reframer_skb_cb(gso)->segment;
	u16 step = ntohs(b->id) - ntohs(a->id), packets = reframer_packets(gso);

	if (packets > 1)
		return step == (seg->flags & REFRAMER_GSO_FIXED_ID ? 0 : packets);
	return step == 1 ||
	       (!step && seg->protocol == IPPROTO_TCP &&
		a->frag_off & htons(IP_DF) && seg->flags & REFRAMER_GSO_MANGLEID);
}

static inline bool reframer_ip_follows(const struct sk_buff *gso,
				       const struct sk_buff *skb)
{
	const struct reframer_segment *seg = &reframer_skb_cb(gso)->segment;
	const struct iphdr *a = reframer_ip(gso, seg), *b = reframer_ip(skb, seg);

	return *(__be16 *)a == *(__be16 *)b &&	/* version, length, TOS */
	       a->frag_off == b->frag_off && a->ttl == b->ttl &&
	       a->protocol == b->protocol &&
	       a->saddr == b->saddr && a->daddr == b->daddr &&
	       reframer_id_follows(gso, a, b);
}

static inline bool reframer_ipv6_follows(const struct sk_buff *gso,
					 const struct sk_buff *skb)
{
	const struct reframer_segment *seg = &reframer_skb_cb(gso)->segment;
	const struct ipv6hdr *a = reframer_ipv6(gso, seg);
	const struct ipv6hdr *b = reframer_ipv6(skb, seg);

	return *(__be32 *)a == *(__be32 *)b &&	/* version, class, flow label */
	       a->nexthdr == b->nexthdr && a->hop_limit == b->hop_limit &&
	       ipv6_addr_equal(&a->saddr, &b->saddr) &&
	       ipv6_addr_equal(&a->daddr, &b->daddr);
}

static inline bool reframer_tcp_follows(const struct sk_buff *gso,
					const struct sk_buff *skb)
{
	const struct reframer_segment *seg = &reframer_skb_cb(gso)->segment;
	const struct tcphdr *a = reframer_tcp(gso, seg), *b = reframer_tcp(skb, seg);
	unsigned int options = seg->payload - seg->transport - sizeof(*a);

	return a->source == b->source && a->dest == b->dest &&
	       ntohl(b->seq) - ntohl(a->seq) == reframer_packets(gso) * seg->len &&
	       a->ack_seq == b->ack_seq && a->urg_ptr == b->urg_ptr &&
	       /* flags, window and the length of the header */
	       !((tcp_flag_word(a) ^ tcp_flag_word(b)) &
		 ~(TCP_FLAG_FIN | TCP_FLAG_PSH)) &&
	       (!options || !memcmp(a + 1, b + 1, options));
}

static inline bool reframer_udp_follows(const struct sk_buff *gso,
					const struct sk_buff *skb)
{
	const struct reframer_segment *seg = &reframer_skb_cb(gso)->segment;
	const struct udphdr *a = reframer_udp(gso, seg), *b = reframer_udp(skb, seg);

	return a->source == b->source && a->dest == b->dest && b->check;
}

/* Must the packet be the last one of a GSO packet? */
static inline bool reframer_ends_gso(const struct sk_buff *skb,
				     const struct reframer_segment *seg)
{
	return skb->len - seg->payload < seg->len ||
	       (seg->protocol == IPPROTO_TCP &&
		tcp_flag_word(reframer_tcp(skb, seg)) &
		(TCP_FLAG_FIN | TCP_FLAG_PSH));
}

/* The type of the GSO packet, SKB_GSO_* */
static inline unsigned int reframer_gso_type(const struct reframer_segment *seg)
{
	if (seg->protocol == IPPROTO_UDP)
		return SKB_GSO_UDP_L4;
	if (seg->ipv6)
		return SKB_GSO_TCPV6;
	return seg->flags & REFRAMER_GSO_FIXED_ID ?
	       SKB_GSO_TCPV4 | SKB_GSO_TCP_FIXEDID : SKB_GSO_TCPV4;
}

static inline bool reframer_device_takes(const struct reframer_segment *seg,
					 netdev_features_t features)
{
	return features & NETIF_F_SG && net_gso_ok(features, reframer_gso_type(seg));
}

/*
 * Begin a GSO packet with @skb; false if nothing may join it.  Many a device takes none
 * of TCP or of UDP: this is asked first.
 */
static inline bool reframer_begin_gso(struct sk_buff *skb)
{
	struct reframer_segment *seg = &reframer_skb_cb(skb)->segment;
	netdev_features_t features = READ_ONCE(skb->dev->features);

	seg->flags = 0;
	if (!reframer_parse_network(skb, seg) ||
	    !reframer_device_takes(seg, features) || !reframer_is_plain(skb) ||
	    !reframer_parse_transport(skb, seg) || reframer_ends_gso(skb, seg))
		return false;
	/* of the device for this packet, without what the core takes back for GSO */
	features = netif_skb_features(skb) & ~skb->dev->gso_partial_features;
	if (!reframer_device_takes(seg, features))
		return false;
	if (features & NETIF_F_FRAGLIST)
		seg->flags |= REFRAMER_GSO_FRAGLIST;
	if (features & NETIF_F_TSO_MANGLEID)
		seg->flags |= REFRAMER_GSO_MANGLEID;
	skb->prev = NULL;
	return true;
}

/*
 * Can the payload be handed over as fragments?  Its linear part can if it is in a page.
 * Behind a list of fragments there is no room for more.
 */
static inline bool reframer_fits_in_frags(const struct sk_buff *gso,
					  const struct sk_buff *skb)
{
	bool linear = skb_headlen(skb) > reframer_skb_cb(gso)->segment.payload;

	return !gso->prev && (skb->head_frag || !linear) &&
	       skb_shinfo(gso)->nr_frags + skb_shinfo(skb)->nr_frags + linear <=
	       MAX_SKB_FRAGS;
}

/*
 * Is there room for @skb, in a form that the device can take?  The length must fit into
 * the header of IP, too.
 */
static inline bool reframer_has_room(const struct sk_buff *gso,
				     const struct sk_buff *skb)
{
	const struct reframer_segment *seg = &reframer_skb_cb(gso)->segment;
	unsigned int max_segments = READ_ONCE(skb->dev->gso_max_segs);
	unsigned int len = gso->len + skb->len - seg->payload;

	if (seg->protocol == IPPROTO_UDP)
		max_segments = min(max_segments, REFRAMER_UDP_SEGMENTS);
	return reframer_packets(gso) < max_segments &&
	       len <= seg->network + U16_MAX &&
	       len < netif_get_gso_max_size(skb->dev, skb) &&
	       (seg->flags & REFRAMER_GSO_FRAGLIST ||
		reframer_fits_in_frags(gso, skb));
}

/* Is the payload where it must be, and not longer than that of the first packet? */
static inline bool reframer_payload_fits(const struct sk_buff *skb,
					 const struct reframer_segment *seg)
{
	return skb_network_offset(skb) == seg->network &&
	       skb_headlen(skb) >= seg->payload && skb->len > seg->payload &&
	       skb->len - seg->payload <= seg->len;
}

static inline bool reframer_same_link(const struct sk_buff *a, const struct sk_buff *b,
				      unsigned int len)
{
	if (len == ETH_HLEN)
		return !compare_ether_header(a->data, b->data);
	return !memcmp(a->data, b->data, len);
}

/* May @skb be the next segment? */
static inline bool reframer_follows(const struct sk_buff *gso, struct sk_buff *skb)
{
	const struct reframer_segment *seg = &reframer_skb_cb(gso)->segment;

	return !(seg->flags & REFRAMER_GSO_COMPLETE) &&
	       reframer_is_plain(skb) && reframer_same_metadata(gso, skb) &&
	       reframer_payload_fits(skb, seg) &&
	       reframer_same_link(gso, skb, seg->network) &&
	       (seg->ipv6 ? reframer_ipv6_follows(gso, skb) :
			    reframer_ip_follows(gso, skb)) &&
	       (seg->protocol == IPPROTO_TCP ? reframer_tcp_follows(gso, skb) :
					       reframer_udp_follows(gso, skb)) &&
	       reframer_has_room(gso, skb) &&
	       (reframer_packets(gso) > 1 || reframer_is_right(gso, seg)) &&
	       reframer_is_right(skb, seg);
}

/*
 * Hand over the payload and free the rest.  What a socket pays for the packet, by its
 * truesize, is handed over with it.
 */
static inline void reframer_move_to_frags(struct sk_buff *to, struct sk_buff *skb,
					  unsigned int headers)
{
	struct skb_shared_info *all = skb_shinfo(to), *own = skb_shinfo(skb);
	unsigned int linear = skb_headlen(skb) - headers, rest;

	if (linear) {
		struct page *page = virt_to_head_page(skb->head);

		skb_frag_fill_page_desc(&all->frags[all->nr_frags++], page,
					skb->data + headers -
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
static inline void reframer_add_to_list(struct sk_buff *to, struct sk_buff *skb,
					unsigned int headers)
{
	__skb_pull(skb, headers);
	__skb_header_release(skb);
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	to->truesize += skb->truesize;
	skb->destructor = NULL;
	skb->sk = NULL;
	if (to->prev)
		to->prev->next = skb;
	else
		skb_shinfo(to)->frag_list = skb;
	to->prev = skb;
}

/* The payload of @skb becomes the next segment. */
static inline void reframer_append(struct sk_buff *gso, struct sk_buff *skb)
{
	struct reframer_skb_cb *cb = reframer_skb_cb(gso);
	struct reframer_segment *seg = &cb->segment;
	unsigned int len = skb->len - seg->payload;

	if (reframer_ends_gso(skb, seg))
		seg->flags |= REFRAMER_GSO_COMPLETE;
	if (seg->protocol == IPPROTO_TCP)
		tcp_flag_word(reframer_tcp(gso, seg)) |=
			tcp_flag_word(reframer_tcp(skb, seg));
	if (!seg->ipv6 && reframer_ip(gso, seg)->id == reframer_ip(skb, seg)->id)
		seg->flags |= REFRAMER_GSO_FIXED_ID;
	cb->packets++;
	cb->memory += reframer_skb_cb(skb)->memory;
	gso->len += len;
	gso->data_len += len;
	qdisc_skb_cb(gso)->pkt_len += qdisc_pkt_len(skb);
	skb_shinfo(gso)->flags |= skb_shinfo(skb)->flags & SKBFL_SHARED_FRAG;
	if (reframer_fits_in_frags(gso, skb))
		reframer_move_to_frags(gso, skb, seg->payload);
	else
		reframer_add_to_list(gso, skb, seg->payload);
}

/* The packet has all its segments: headers, and what the next hops need to know. */
static noinline void reframer_finish_gso(struct sk_buff *skb)
{
	const struct reframer_segment *seg = &reframer_skb_cb(skb)->segment;
	unsigned int len = skb->len - seg->transport;

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
	skb_shinfo(skb)->gso_segs = reframer_packets(skb);
	skb_shinfo(skb)->gso_type = reframer_gso_type(seg);
	reframer_set_pkt_segs(skb, reframer_packets(skb));
}

#endif
