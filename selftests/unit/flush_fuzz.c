// SPDX-License-Identifier: GPL-2.0
/*
 * A fuzzer for the flush rules: the bytes are a packet, or its linear part, and a
 * second parser, written for simplicity, must come to the same result.
 */
#define CORPUS		"flush"
#define FUZZ_PREFIXES	true
#include "fuzz.h"

#include "reframer_flush.h"

#define OUT_OF_PACKET	(-1)

static struct {
	const u8 *data;
	int len;
	bool push;
} packet;

/* Situations that the inputs must have covered */
enum {
	S_FLUSH,				/* VLAN tags, version of IP, flush */
	S_BEHIND = S_FLUSH + 3 * 2 * 3,	/* flush behind this extension */
	S_FRAGMENT = S_BEHIND + 5,	/* no flush only because it is not the first */
	S_LAST,				/* or not the last fragment */
	S_OPTIONS,			/* flush behind options of IPv4 */
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

static enum reframer_flush tcp(int offset)
{
	int flags = octet(offset + 13);

	if (!packet.push || flags == OUT_OF_PACKET)
		return REFRAMER_NO_FLUSH;
	/* FIN, SYN, RST, PSH, URG */
	return flags & (1 | 2 | 4 | 8 | 32) ? REFRAMER_FLUSH_PUSH :
					      REFRAMER_NO_FLUSH;
}

static enum reframer_flush ipv4(int offset)
{
	int words = octet(offset) % 16, fragment;
	enum reframer_flush flush;

	if (octet(offset + 19) == OUT_OF_PACKET || words < 5 ||
	    octet(offset + 9) != IPPROTO_TCP)
		return REFRAMER_NO_FLUSH;
	fragment = octet(offset + 6) * 256 + octet(offset + 7);
	flush = tcp(offset + words * 4);
	if (flush && fragment % 0x4000) {
		saw(fragment & 0x2000 ? S_FRAGMENT : S_LAST);
		return REFRAMER_NO_FLUSH;
	}
	if (flush && words > 5)
		saw(S_OPTIONS);
	return flush;
}

static enum reframer_flush ipv6(int offset)
{
	static const int extensions[] = {
		IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_AH,
		IPPROTO_FRAGMENT
	};
	int next = octet(offset + 6), before = -1, headers, size, type, i;

	if (octet(offset + 39) == OUT_OF_PACKET)
		return REFRAMER_NO_FLUSH;
	offset += 40;
	for (headers = 0; headers <= 8; headers++, offset += size) {
		if (next == IPPROTO_TCP) {
			for (i = 0; i < 5; i++)
				if (tcp(offset) && extensions[i] == before)
					saw(S_BEHIND + i);
			return tcp(offset);
		}
		if (octet(offset + 7) == OUT_OF_PACKET)
			return REFRAMER_NO_FLUSH;
		if (next == IPPROTO_ICMPV6) {
			type = octet(offset);
			return type >= 133 && type <= 137 ?
			       REFRAMER_FLUSH_CONTROL : REFRAMER_NO_FLUSH;
		}
		if (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING ||
		    next == IPPROTO_DSTOPTS)
			size = 8 + 8 * octet(offset + 1);
		else if (next == IPPROTO_AH)
			size = 8 + 4 * octet(offset + 1);
		else if (next == IPPROTO_FRAGMENT)
			size = 8;
		else
			return REFRAMER_NO_FLUSH;
		/* the offset, and whether more fragments follow */
		if (next == IPPROTO_FRAGMENT &&
		    (octet(offset + 2) || octet(offset + 3) & ~6))
			return REFRAMER_NO_FLUSH;
		if (octet(offset + size - 1) == OUT_OF_PACKET)
			return REFRAMER_NO_FLUSH;
		before = next;
		next = octet(offset);
	}
	return REFRAMER_NO_FLUSH;
}

static enum reframer_flush expected(int protocol)
{
	enum reframer_flush flush = REFRAMER_NO_FLUSH;
	int offset = 0, tags = 0;

	while (tags < 2 && octet(offset + 3) != OUT_OF_PACKET &&
	       (protocol == ETH_P_8021Q || protocol == ETH_P_8021AD)) {
		protocol = octet(offset + 2) * 256 + octet(offset + 3);
		offset += 4;
		tags++;
	}
	if (protocol == ETH_P_ARP)
		return REFRAMER_FLUSH_CONTROL;
	if (protocol == ETH_P_IP)
		flush = ipv4(offset);
	else if (protocol == ETH_P_IPV6)
		flush = ipv6(offset);
	else
		return flush;
	saw(S_FLUSH + tags * 6 + (protocol == ETH_P_IPV6) * 3 + flush);
	return flush;
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

	/* an allocation of exactly this size: reading more is detected */
	copy = malloc(packet.len > 0 ? packet.len : 0);
	if (packet.len > 0)
		memcpy(copy, input.at, packet.len);
	packet.data = copy;
	same(reframer_header_flush(copy, packet.len, protocol, packet.push),
	     expected(protocol));
	if (packet.len > 0)
		same(memcmp(copy, input.at, packet.len), 0);
	free(copy);
}

static void fuzz_end(void)
{
	int i;

	for (i = 0; i < SIGHTS; i++)
		/* no IPv4 packet is a control packet */
		check(seen[i] || (i < S_BEHIND && i % 6 == REFRAMER_FLUSH_CONTROL),
		      "never seen: %d of the packets", i);
}
