/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which packets flush their flow: it is released at once, together with them.  These
 * are packets that end a message, so no more of their flow is expected soon, and
 * control packets, on which others depend (ARP, IPv6 neighbour discovery).
 *
 * Only the linear part of a packet is read; nothing is pulled or written.  A packet
 * whose headers are not there, or not understood, does not flush.
 */
#ifndef _REFRAMER_FLUSH_H
#define _REFRAMER_FLUSH_H

/* Does a packet flush its flow, and why? */
enum reframer_flush {
	REFRAMER_NO_FLUSH,
	REFRAMER_FLUSH_PUSH,	/* it ends a message */
	REFRAMER_FLUSH_CONTROL,	/* it is a control packet */
};

#define REFRAMER_VLAN_TAGS	2
#define REFRAMER_EXT_HEADERS	8	/* of IPv6, as many as are walked */

#define REFRAMER_TCP_FLAGS	13	/* offset of the flags in the header */
#define REFRAMER_TCP_PUSH	0x2f	/* URG, PSH, RST, SYN, FIN */

/* The type and code of ICMPv6 neighbour discovery, RFC 4861 */
#define REFRAMER_ND_FIRST	133
#define REFRAMER_ND_LAST	137

/* @data: a TCP header, of which at least @len bytes are there */
static inline enum reframer_flush reframer_tcp_flush(const u8 *data, int len)
{
	return len > REFRAMER_TCP_FLAGS &&
	       data[REFRAMER_TCP_FLAGS] & REFRAMER_TCP_PUSH ?
	       REFRAMER_FLUSH_PUSH : REFRAMER_NO_FLUSH;
}

static inline enum reframer_flush reframer_ipv4_flush(const u8 *data, int len,
						      bool push)
{
	int header;

	/* a fragment, even the first one, does not end a message */
	if (!push || len < 20 || data[9] != IPPROTO_TCP ||
	    data[6] & 0x3f || data[7])
		return REFRAMER_NO_FLUSH;
	header = (data[0] & 0xf) * 4;
	if (header < 20)
		return REFRAMER_NO_FLUSH;
	return reframer_tcp_flush(data + header, len - header);
}

static inline enum reframer_flush reframer_ipv6_flush(const u8 *data, int len,
						      bool push)
{
	int offset = 40, i;
	u8 next;

	if (len < offset)
		return REFRAMER_NO_FLUSH;
	next = data[6];
	for (i = 0; i <= REFRAMER_EXT_HEADERS; i++) {
		if (next == IPPROTO_TCP)
			return push ? reframer_tcp_flush(data + offset,
							len - offset) :
				      REFRAMER_NO_FLUSH;
		if (len - offset < 8)
			break;
		data += offset;
		len -= offset;
		switch (next) {
		case IPPROTO_ICMPV6:
			return data[0] >= REFRAMER_ND_FIRST &&
			       data[0] <= REFRAMER_ND_LAST ?
			       REFRAMER_FLUSH_CONTROL : REFRAMER_NO_FLUSH;
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			offset = (data[1] + 1) * 8;
			break;
		case IPPROTO_AH:
			offset = (data[1] + 2) * 4;
			break;
		case IPPROTO_FRAGMENT:
			/* go on only if it is all of the datagram */
			if (data[2] || data[3] & 0xf9)
				return REFRAMER_NO_FLUSH;
			offset = 8;
			break;
		default:
			return REFRAMER_NO_FLUSH;
		}
		if (len < offset)
			break;
		next = data[0];
	}
	return REFRAMER_NO_FLUSH;
}

/*
 * @data: the network header of @protocol (ETH_P_*, host byte order) or the VLAN
 * tag before it, of which at least @len bytes are there
 */
static inline enum reframer_flush reframer_header_flush(const u8 *data, int len,
							u16 protocol, bool push)
{
	int tags;

	if (likely(protocol == ETH_P_IP))
		return reframer_ipv4_flush(data, len, push);
	for (tags = 0; tags < REFRAMER_VLAN_TAGS && len >= 4 &&
	     (protocol == ETH_P_8021Q || protocol == ETH_P_8021AD); tags++) {
		protocol = data[2] << 8 | data[3];
		data += 4;
		len -= 4;
	}
	switch (protocol) {
	case ETH_P_ARP:
		return REFRAMER_FLUSH_CONTROL;
	case ETH_P_IP:
		return reframer_ipv4_flush(data, len, push);
	case ETH_P_IPV6:
		return reframer_ipv6_flush(data, len, push);
	}
	return REFRAMER_NO_FLUSH;
}

#endif
