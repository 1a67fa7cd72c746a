/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A model of GRO: which packets does a receiver merge?
 *
 * TCP over IPv4 and IPv6, behind up to two VLAN tags, and UDP if the receiver merges that:
 * as the kernel does, which compares the headers of a packet with those of the packet that
 * it holds of the same flow.  Packets in tunnels are not merged here.
 */
#ifndef _REFRAMER_GRO_H
#define _REFRAMER_GRO_H

#define GRO_BATCH	64	/* packets that a receiver polls at a time */
#define GRO_BUCKETS	8
#define GRO_WAYS	8	/* flows of a bucket */
#define GRO_BYTES_MAX	65535	/* of a merged packet */
#define GRO_UDP_MAX	64	/* packets of one of UDP */

#define GRO_TCP_CLOSES	0x3f	/* URG, ACK, PSH, RST, SYN, FIN; less ACK, see below */
#define GRO_TCP_ACK	0x10
#define GRO_TCP_CWR	0x80
#define GRO_TCP_MAY_DIFFER	(GRO_TCP_CWR | 0x09)	/* also FIN and PSH */

/* What GRO looks at in a packet */
struct gro_packet {
	u32 flow;		/* hash of link layer, addresses and ports */
	u32 same;		/* hash of what merged packets have in common */
	u32 seq;		/* 0 in UDP */
	u16 id;			/* of IPv4, else 0 */
	u16 len;		/* of the payload; 0: it is never merged */
	u8 protocol;		/* behind a plain IP header, else 0 */
	bool tcp;		/* its headers are there and make sense */
	bool any_id;		/* the ID may stay the same: DF is set, or there is none */
	bool opens;		/* it may follow no other packet */
	bool closes;		/* no packet may follow it */
};

/* A packet, merged or not, that waits for more of its flow */
struct gro_held {
	u32 flow, same, seq, bytes;
	u32 batch;
	u16 id, len, count;	/* count: of packets, 0: none is held */
};

/* The same headers, and the next bytes of the stream? */
static inline bool gro_fits(const struct gro_held *h, const struct gro_packet *p)
{
	return h->count && h->flow == p->flow && h->same == p->same && p->len &&
	       p->len <= h->len && p->seq == h->seq && !p->opens &&
	       (p->id == (u16)(h->id + h->count) || (p->any_id && p->id == h->id)) &&
	       h->bytes + p->len <= GRO_BYTES_MAX && (p->tcp || h->count < GRO_UDP_MAX);
}

/* A packet comes behind @h.  Returns true if it is merged, else it takes the place. */
static inline bool gro_join(struct gro_held *h, const struct gro_packet *p)
{
	bool fits = gro_fits(h, p);

	if (!fits) {
		h->flow = p->flow;
		h->same = p->same;
		h->seq = p->seq;
		h->bytes = 0;
		h->id = p->id;
		h->len = p->len;
		h->count = 0;
	}
	h->seq += p->tcp ? p->len : 0;
	h->bytes += p->len;
	h->count++;
	if (p->closes || p->len < h->len || !p->len)
		h->count = 0;
	return fits;
}

/* A receiver, and what it has merged */
struct receiver {
	struct gro_held last;		/* the packet before */
	struct gro_held held[GRO_BUCKETS][GRO_WAYS];
	u8 next[GRO_BUCKETS];		/* the way that was taken longest ago */
	u32 packets;			/* of this batch */
	u32 batch;
	u64 in_order;			/* packets merged with the one before */
	u64 in_batches;			/* packets merged by GRO in batches */
};

static inline struct gro_held *gro_find(struct receiver *r, u32 flow)
{
	u32 bucket = flow % GRO_BUCKETS, i;
	struct gro_held *way = r->held[bucket], *empty = NULL;

	for (i = 0; i < GRO_WAYS; i++, way++) {
		if (!way->count || way->batch != r->batch)
			empty = empty ?: way;
		else if (way->flow == flow)
			return way;
	}
	if (!empty) {
		empty = &r->held[bucket][r->next[bucket]];
		r->next[bucket] = (r->next[bucket] + 1) % GRO_WAYS;
	}
	empty->count = 0;
	empty->batch = r->batch;
	return empty;
}

static inline void receive(struct receiver *r, const struct gro_packet *p)
{
	if (gro_join(&r->last, p))
		r->in_order++;
	if (r->packets++ == GRO_BATCH) {
		r->packets = 1;
		r->batch++;
	}
	if (p->flow && gro_join(gro_find(r, p->flow), p))
		r->in_batches++;
}

/* ------------------------------------------------- what GRO looks at */

static inline u16 get16(const u8 *p)
{
	return p[0] << 8 | p[1];
}

static inline u32 get32(const u8 *p)
{
	return (u32)get16(p) << 16 | get16(p + 2);
}

static inline u32 gro_hash(u32 hash, const void *data, u32 len)
{
	const siphash_key_t key = { { hash } };

	return siphash(data, len, &key);
}

static inline void gro_tcp(struct gro_packet *p, const u8 *tcp, u32 room, u32 len)
{
	u32 header = room < 20 ? 0 : (tcp[12] >> 4) * 4;
	u8 flags, fixed;

	if (header < 20 || header > room || header > len)
		return;
	flags = tcp[13];
	fixed = flags & ~GRO_TCP_MAY_DIFFER;
	p->flow = gro_hash(p->flow, tcp, 4) ?: 1;
	p->same = gro_hash(p->same ^ fixed, tcp + 8, 4);	/* the acknowledgment */
	p->same = gro_hash(p->same, tcp + 20, header - 20);	/* options */
	p->seq = get32(tcp + 4);
	p->len = len - header;
	p->tcp = true;
	p->opens = flags & GRO_TCP_CWR;
	p->closes = flags & GRO_TCP_CLOSES & ~GRO_TCP_ACK;
}

static inline void gro_udp(struct gro_packet *p, const u8 *udp, u32 room, u32 len)
{
	/* a checksum and no padding */
	if (room < 8 || len <= 8 || get16(udp + 4) != len || !get16(udp + 6))
		return;
	p->flow = gro_hash(p->flow, udp, 4) ?: 1;
	p->len = len - 8;
}

static inline void gro_ipv4(struct gro_packet *p, const u8 *ip, u32 room, bool udp)
{
	u32 len;

	if (room < 20 || ip[0] != 0x45 || get16(ip + 6) & (IP_MF | IP_OFFMASK))
		return;
	len = get16(ip + 2);
	if (len < 20)
		return;
	p->protocol = ip[9];
	p->flow = gro_hash(p->flow ^ ip[9], ip + 12, 8);
	p->same = ip[1] << 16 | ip[8] << 8 | (ip[6] & 0x40);	/* TOS, TTL, DF */
	p->id = get16(ip + 4);
	p->any_id = ip[6] & 0x40;
	if (ip[9] == IPPROTO_TCP)
		gro_tcp(p, ip + 20, room - 20, len - 20);
	else if (ip[9] == IPPROTO_UDP && udp)
		gro_udp(p, ip + 20, room - 20, len - 20);
}

static inline void gro_ipv6(struct gro_packet *p, const u8 *ip, u32 room, bool udp)
{
	u32 len;

	if (room < 40)
		return;
	len = get16(ip + 4);
	p->protocol = ip[6];
	p->flow = gro_hash(p->flow ^ ip[6], ip + 8, 32);
	p->same = gro_hash(ip[7], ip, 4);	/* class, flow label, hop limit */
	p->any_id = true;
	if (ip[6] == IPPROTO_TCP)
		gro_tcp(p, ip + 40, room - 40, len);
	else if (ip[6] == IPPROTO_UDP && udp)
		gro_udp(p, ip + 40, room - 40, len);
}

/* @type: of the network header @data or the VLAN tags before it; @link: the bytes before */
static inline void gro_parse(struct gro_packet *p, const u8 *link, const u8 *data,
			     const u8 *end, u16 type, bool udp)
{
	int tags;

	*p = (struct gro_packet) {};
	for (tags = 0; tags < 2 && end - data >= 4 &&
	     (type == ETH_P_8021Q || type == ETH_P_8021AD); tags++) {
		type = get16(data + 2);
		data += 4;
	}
	if (type != ETH_P_IP && type != ETH_P_IPV6)
		return;
	p->flow = gro_hash(type, link, data - link);
	if (type == ETH_P_IP)
		gro_ipv4(p, data, end - data, udp);
	else
		gro_ipv6(p, data, end - data, udp);
	if (!p->len && !p->tcp)
		p->flow = 0;
}

#endif
