// SPDX-License-Identifier: GPL-2.0
/*
 * A fuzzer for the reading of headers: the bytes are a packet, or as much of it
 * as is linear, and a parser that is written for nothing but to be simple has
 * to come to the same result.
 */
#define CORPUS		"urge"
#define FUZZ_PREFIXES	true
#include "fuzz.h"

#include "reframer_urge.h"

#define OUT_OF_PACKET	(-1)

static struct {
	const u8 *data;
	int len;
	bool push;
} packet;

/* What the inputs must have been, or they have tested less than they could */
enum {
	S_URGE,				/* VLAN tags, version of IP, urge */
	S_BEHIND = S_URGE + 3 * 2 * 3,	/* urgent behind this extension */
	S_FRAGMENT = S_BEHIND + 5,	/* urgent, was it no first fragment, */
	S_LAST,				/* or no last one */
	S_OPTIONS,			/* urgent behind options of IPv4 */
	SIGHTS
};

static u64 seen[SIGHTS];

static void saw(int what)
{
	seen[what]++;
	fuzz_saw(what, 1);
}

static int octet(int offset)
{
	return offset < packet.len ? packet.data[offset] : OUT_OF_PACKET;
}

static enum reframer_urge tcp(int offset)
{
	int flags = octet(offset + 13);

	if (!packet.push || flags == OUT_OF_PACKET)
		return REFRAMER_NO_URGE;
	/* FIN, SYN, RST, PSH, URG */
	return flags & (1 | 2 | 4 | 8 | 32) ? REFRAMER_URGE_PUSH :
					      REFRAMER_NO_URGE;
}

static enum reframer_urge ipv4(int offset)
{
	int words = octet(offset) % 16, fragment;
	enum reframer_urge urge;

	if (octet(offset + 19) == OUT_OF_PACKET || words < 5 ||
	    octet(offset + 9) != IPPROTO_TCP)
		return REFRAMER_NO_URGE;
	fragment = octet(offset + 6) * 256 + octet(offset + 7);
	urge = tcp(offset + words * 4);
	if (urge && fragment % 0x4000) {
		saw(fragment & 0x2000 ? S_FRAGMENT : S_LAST);
		return REFRAMER_NO_URGE;
	}
	if (urge && words > 5)
		saw(S_OPTIONS);
	return urge;
}

static enum reframer_urge ipv6(int offset)
{
	static const int extensions[] = {
		IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_AH,
		IPPROTO_FRAGMENT
	};
	int next = octet(offset + 6), before = -1, headers, size, type, i;

	if (octet(offset + 39) == OUT_OF_PACKET)
		return REFRAMER_NO_URGE;
	offset += 40;
	for (headers = 0; headers <= 8; headers++, offset += size) {
		if (next == IPPROTO_TCP) {
			for (i = 0; i < 5; i++)
				if (tcp(offset) && extensions[i] == before)
					saw(S_BEHIND + i);
			return tcp(offset);
		}
		if (octet(offset + 7) == OUT_OF_PACKET)
			return REFRAMER_NO_URGE;
		if (next == IPPROTO_ICMPV6) {
			type = octet(offset);
			return type >= 133 && type <= 137 ?
			       REFRAMER_URGE_EXPRESS : REFRAMER_NO_URGE;
		}
		if (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING ||
		    next == IPPROTO_DSTOPTS)
			size = 8 + 8 * octet(offset + 1);
		else if (next == IPPROTO_AH)
			size = 8 + 4 * octet(offset + 1);
		else if (next == IPPROTO_FRAGMENT)
			size = 8;
		else
			return REFRAMER_NO_URGE;
		/* the offset, and whether more fragments follow */
		if (next == IPPROTO_FRAGMENT &&
		    (octet(offset + 2) || octet(offset + 3) & ~6))
			return REFRAMER_NO_URGE;
		if (octet(offset + size - 1) == OUT_OF_PACKET)
			return REFRAMER_NO_URGE;
		before = next;
		next = octet(offset);
	}
	return REFRAMER_NO_URGE;
}

static enum reframer_urge expected(int protocol)
{
	enum reframer_urge urge = REFRAMER_NO_URGE;
	int offset = 0, tags = 0;

	while (tags < 2 && octet(offset + 3) != OUT_OF_PACKET &&
	       (protocol == ETH_P_8021Q || protocol == ETH_P_8021AD)) {
		protocol = octet(offset + 2) * 256 + octet(offset + 3);
		offset += 4;
		tags++;
	}
	if (protocol == ETH_P_ARP)
		return REFRAMER_URGE_EXPRESS;
	if (protocol == ETH_P_IP)
		urge = ipv4(offset);
	else if (protocol == ETH_P_IPV6)
		urge = ipv6(offset);
	else
		return urge;
	saw(S_URGE + tags * 6 + (protocol == ETH_P_IPV6) * 3 + urge);
	return urge;
}

static void fuzz_one(const u8 *data, size_t len)
{
	static const u16 protocols[] = {
		ETH_P_IP, ETH_P_IPV6, ETH_P_8021Q, ETH_P_8021AD, ETH_P_ARP,
		ETH_P_MPLS_UC, 0
	};
	u32 what, which;
	u16 protocol;
	u8 *copy;

	input.at = data;
	input.len = len;
	what = input_byte();
	which = what % 8;
	protocol = which < ARRAY_SIZE(protocols) ? protocols[which] :
		   input_word();
	packet.push = what & 8;
	packet.len = (int)input.len;
	if (what & 0x10)	/* the header begins behind the linear part */
		packet.len = -packet.len;

	/* exactly as many bytes: who reads more is seen */
	copy = malloc(packet.len > 0 ? packet.len : 0);
	if (packet.len > 0)
		memcpy(copy, input.at, packet.len);
	packet.data = copy;
	same(reframer_header_urge(copy, packet.len, protocol, packet.push),
	     expected(protocol));
	if (packet.len > 0)
		same(memcmp(copy, input.at, packet.len), 0);
	free(copy);
}

static void fuzz_end(void)
{
	int i;

	for (i = 0; i < SIGHTS; i++)
		/* nothing of IPv4 must not wait */
		check(seen[i] || (i < S_BEHIND && i % 6 == REFRAMER_URGE_EXPRESS),
		      "never seen: %d of the packets", i);
}
