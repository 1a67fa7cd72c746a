// SPDX-License-Identifier: GPL-2.0
/*
 * The flush rules: a table of packets, whole and cut off after every byte, and
 * random packets.
 *
 * The linear part of a packet is a copy of exactly its size, so that a sanitizer
 * detects any read behind it.  A packet that is cut off before the deciding byte
 * flushes nothing.
 */
#include <stdlib.h>

#include "kernel.h"
#include "ktap.h"
#include "reframer_flush.h"

#define RANDOM		1000000
#define RANDOM_BYTES	160

/* Headers, as strings, so that they can be put together */
#define VLAN(protocol)	"\xe0\x05" protocol
#define IP		"\x08\x00"
#define IPV6		"\x86\xdd"
#define ARP		"\x08\x06"
#define Q		"\x81\x00"
#define AD		"\x88\xa8"

#define V4(version_ihl, fragment, protocol)				\
	version_ihl "\x02\x00\x28\x12\x2f" fragment "\x40" protocol	\
	"\x00\x00\x0a\x2f\x2f\x01\x0a\x2f\x2f\x02"
#define DF		"\x40\x00"
#define V6(next)							\
	"\x60\x0f\xff\xff\x00\x20" next "\x40"				\
	"\xfe\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" \
	"\xfe\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"

#define WORDS_2		"\x3f\x3f\x3f\x3f\x3f\x3f\x3f\x3f"
#define EXT_8(next)	next "\x00\x3f\x3f\x3f\x3f\x3f\x3f"
#define EXT_8_TWICE(n)	n "\x00\x3f\x3f\x3f\x3f\x3f\x3f" EXT_8(n)
#define EXT_16(next)	next "\x01\x3f\x3f\x3f\x3f\x3f\x3f" WORDS_2
#define EXT_2048(next)	next "\xff\x3f\x3f\x3f\x3f\x3f\x3f" WORDS_2
#define AUTH_24(next)	next "\x04\x00\x00\x3f\x3f\x3f\x3f" WORDS_2 WORDS_2
#define FRAGMENT(next, reserved, offset)				\
	next reserved offset "\x3f\x3f\x3f\x3f"

/* Protocols, and next headers */
#define HOP		"\x00"
#define ICMP		"\x01"
#define TCP		"\x06"
#define UDP		"\x11"
#define ROUTE		"\x2b"
#define FRAG		"\x2c"
#define ESP		"\x32"
#define AUTH		"\x33"
#define ICMPV6		"\x3a"
#define OPT		"\x3c"

#define T(flags)							\
	"\x2f\x2f\x00\x50\x2f\x2f\x2f\x2f\x2f\x2f\x2f\x2f\x50" flags	\
	"\xff\xff\x2f\x2f\x00\x00"
#define PSH		"\x18"	/* with ACK, as always */
#define U		"\x2f\x2f\x00\x35\x00\x10\x2f\x2f" WORDS_2
#define ND(type)	type "\x00\x2f\x2f\x00\x00\x00\x00" WORDS_2 WORDS_2
#define NEIGHBOUR	"\x87"
#define ARP_REQUEST							\
	"\x00\x01\x08\x00\x06\x04\x00\x01" WORDS_2 WORDS_2 "\x0a\x01\x01\x02"

struct sample {
	const char *name;
	u16 protocol;
	const char *data;
	int len;
	enum reframer_flush flush;
	int needs;		/* bytes that decide; 0: none are needed */
};

#define SAMPLE(name, protocol, data, flush, needs)			\
	{ name, protocol, data, sizeof(data) - 1, flush, needs }
#define PUSH(name, protocol, data, needs)				\
	SAMPLE(name, protocol, data, REFRAMER_FLUSH_PUSH, needs)
#define EXPRESS(name, protocol, data, needs)				\
	SAMPLE(name, protocol, data, REFRAMER_FLUSH_CONTROL, needs)
#define NONE(name, protocol, data)					\
	SAMPLE(name, protocol, data, REFRAMER_NO_FLUSH, 0)

static const struct sample samples[] = {
	PUSH("IPv4 PSH", ETH_P_IP, V4("\x45", DF, TCP) T(PSH), 34),
	PUSH("IPv4 may be fragmented", ETH_P_IP,
	     V4("\x45", "\x00\x00", TCP) T(PSH), 34),
	PUSH("IPv4 reserved bit", ETH_P_IP,
	     V4("\x45", "\x80\x00", TCP) T(PSH), 34),
	PUSH("IPv4 options", ETH_P_IP,
	     V4("\x46", DF, TCP) "\x01\x01\x01\x00" T(PSH), 38),
	PUSH("IPv4 most options", ETH_P_IP, V4("\x4f", DF, TCP) WORDS_2
	     WORDS_2 WORDS_2 WORDS_2 WORDS_2 T(PSH), 74),
	NONE("IPv4 options, ACK", ETH_P_IP, V4("\x4f", DF, TCP) WORDS_2
	     WORDS_2 WORDS_2 WORDS_2 WORDS_2 T("\x10")),
	NONE("IPv4 header too short", ETH_P_IP, V4("\x44", DF, TCP) T(PSH)),
	NONE("IPv4 no header", ETH_P_IP, V4("\x40", DF, TCP) T(PSH)),
	NONE("IPv4 first fragment", ETH_P_IP,
	     V4("\x45", "\x20\x00", TCP) T(PSH)),
	NONE("IPv4 second fragment", ETH_P_IP,
	     V4("\x45", "\x20\x01", TCP) T(PSH)),
	NONE("IPv4 fragment at 65528", ETH_P_IP,
	     V4("\x45", "\x1f\xff", TCP) T(PSH)),
	NONE("IPv4 fragment at 2048", ETH_P_IP,
	     V4("\x45", "\x01\x00", TCP) T(PSH)),
	NONE("IPv4 fragment at 32768", ETH_P_IP,
	     V4("\x45", "\x10\x00", TCP) T(PSH)),
	NONE("IPv4 last fragment", ETH_P_IP,
	     V4("\x45", "\x00\x80", TCP) T(PSH)),
	NONE("IPv4 UDP", ETH_P_IP, V4("\x45", DF, UDP) U),
	NONE("IPv4 ICMP", ETH_P_IP, V4("\x45", DF, ICMP) ND(NEIGHBOUR)),
	NONE("IPv4 ICMPv6", ETH_P_IP, V4("\x45", DF, ICMPV6) ND(NEIGHBOUR)),

	PUSH("IPv6 PSH", ETH_P_IPV6, V6(TCP) T(PSH), 54),
	NONE("IPv6 ACK", ETH_P_IPV6, V6(TCP) T("\x10")),
	NONE("IPv6 UDP", ETH_P_IPV6, V6(UDP) U),
	NONE("IPv6 ESP", ETH_P_IPV6, V6(ESP) T(PSH)),
	PUSH("IPv6 hop-by-hop", ETH_P_IPV6, V6(HOP) EXT_8(TCP) T(PSH), 62),
	PUSH("IPv6 routing", ETH_P_IPV6, V6(ROUTE) EXT_8(TCP) T(PSH), 62),
	PUSH("IPv6 options", ETH_P_IPV6, V6(OPT) EXT_16(TCP) T(PSH), 70),
	NONE("IPv6 options, ACK", ETH_P_IPV6, V6(OPT) EXT_16(TCP) T("\x10")),
	PUSH("IPv6 authentication", ETH_P_IPV6, V6(AUTH) AUTH_24(TCP) T(PSH),
	     78),
	PUSH("IPv6 many headers", ETH_P_IPV6,
	     V6(HOP) EXT_16(OPT) EXT_8(ROUTE) EXT_16(AUTH) AUTH_24(TCP) T(PSH),
	     118),
	PUSH("IPv6 8 headers", ETH_P_IPV6,
	     V6(OPT) EXT_8_TWICE(OPT) EXT_8_TWICE(OPT) EXT_8_TWICE(OPT)
	     EXT_8(OPT) EXT_8(TCP) T(PSH), 118),
	NONE("IPv6 9 headers", ETH_P_IPV6,
	     V6(OPT) EXT_8_TWICE(OPT) EXT_8_TWICE(OPT) EXT_8_TWICE(OPT)
	     EXT_8_TWICE(OPT) EXT_8(TCP) T(PSH)),
	NONE("IPv6 header that is too long", ETH_P_IPV6,
	     V6(OPT) EXT_2048(TCP) T(PSH)),
	NONE("IPv6 UDP behind a header", ETH_P_IPV6,
	     V6(OPT) EXT_8(UDP) U T(PSH)),
	PUSH("IPv6 atomic fragment", ETH_P_IPV6,
	     V6(FRAG) FRAGMENT(TCP, "\x00", "\x00\x00") T(PSH), 62),
	PUSH("IPv6 atomic fragment, reserved bits", ETH_P_IPV6,
	     V6(FRAG) FRAGMENT(TCP, "\xff", "\x00\x06") T(PSH), 62),
	PUSH("IPv6 atomic fragment and options", ETH_P_IPV6,
	     V6(FRAG) FRAGMENT(OPT, "\x00", "\x00\x00") EXT_8(TCP) T(PSH), 70),
	NONE("IPv6 first fragment", ETH_P_IPV6,
	     V6(FRAG) FRAGMENT(TCP, "\x00", "\x00\x01") T(PSH)),
	NONE("IPv6 fragment at 8", ETH_P_IPV6,
	     V6(FRAG) FRAGMENT(TCP, "\x00", "\x00\x08") T(PSH)),
	NONE("IPv6 fragment at 128", ETH_P_IPV6,
	     V6(FRAG) FRAGMENT(TCP, "\x00", "\x00\x80") T(PSH)),
	NONE("IPv6 fragment at 256", ETH_P_IPV6,
	     V6(FRAG) FRAGMENT(TCP, "\x00", "\x01\x00") T(PSH)),
	NONE("IPv6 fragment at 32768", ETH_P_IPV6,
	     V6(FRAG) FRAGMENT(TCP, "\x00", "\x80\x00") T(PSH)),

	EXPRESS("ND", ETH_P_IPV6, V6(ICMPV6) ND(NEIGHBOUR), 48),
	EXPRESS("ND, hop-by-hop", ETH_P_IPV6,
		V6(HOP) EXT_8(ICMPV6) ND(NEIGHBOUR), 56),
	EXPRESS("ND, authentication", ETH_P_IPV6,
		V6(AUTH) AUTH_24(ICMPV6) ND(NEIGHBOUR), 72),
	EXPRESS("ND, 8 headers", ETH_P_IPV6,
		V6(OPT) EXT_8_TWICE(OPT) EXT_8_TWICE(OPT) EXT_8_TWICE(OPT)
		EXT_8(OPT) EXT_8(ICMPV6) ND(NEIGHBOUR), 112),
	NONE("ND, 9 headers", ETH_P_IPV6,
	     V6(OPT) EXT_8_TWICE(OPT) EXT_8_TWICE(OPT) EXT_8_TWICE(OPT)
	     EXT_8_TWICE(OPT) EXT_8(ICMPV6) ND(NEIGHBOUR)),
	EXPRESS("ND, atomic fragment", ETH_P_IPV6,
		V6(FRAG) FRAGMENT(ICMPV6, "\x00", "\x00\x00") ND(NEIGHBOUR),
		56),
	NONE("ND, second fragment", ETH_P_IPV6,
	     V6(FRAG) FRAGMENT(ICMPV6, "\x00", "\x00\x08") ND(NEIGHBOUR)),

	EXPRESS("ARP", ETH_P_ARP, ARP_REQUEST, 0),
	NONE("RARP", ETH_P_RARP, ARP_REQUEST),
	NONE("MPLS", ETH_P_MPLS_UC, V4("\x45", DF, TCP) T(PSH)),
	NONE("IPv6 taken for IPv4", ETH_P_IP, V6(TCP) T(PSH)),

	PUSH("VLAN IPv4", ETH_P_8021Q,
	     VLAN(IP) V4("\x45", DF, TCP) T(PSH), 38),
	PUSH("VLAN IPv6", ETH_P_8021Q, VLAN(IPV6) V6(TCP) T(PSH), 58),
	EXPRESS("VLAN ARP", ETH_P_8021Q, VLAN(ARP) ARP_REQUEST, 4),
	NONE("VLAN unknown", ETH_P_8021Q,
	     VLAN("\x88\x47") V4("\x45", DF, TCP) T(PSH)),
	PUSH("VLAN 802.1ad", ETH_P_8021AD,
	     VLAN(IP) V4("\x45", DF, TCP) T(PSH), 38),
	PUSH("VLAN twice", ETH_P_8021AD,
	     VLAN(Q) VLAN(IP) V4("\x45", DF, TCP) T(PSH), 42),
	PUSH("VLAN twice, one type", ETH_P_8021Q,
	     VLAN(Q) VLAN(IPV6) V6(HOP) EXT_8(TCP) T(PSH), 70),
	PUSH("VLAN twice, upside down", ETH_P_8021Q,
	     VLAN(AD) VLAN(IP) V4("\x45", DF, TCP) T(PSH), 42),
	EXPRESS("VLAN twice, ND", ETH_P_8021AD,
		VLAN(Q) VLAN(IPV6) V6(ICMPV6) ND(NEIGHBOUR), 56),
	EXPRESS("VLAN twice, ARP", ETH_P_8021Q,
		VLAN(Q) VLAN(ARP) ARP_REQUEST, 8),
	NONE("VLAN three times", ETH_P_8021AD,
	     VLAN(Q) VLAN(Q) VLAN(IP) V4("\x45", DF, TCP) T(PSH)),
	NONE("VLAN three times, ARP", ETH_P_8021AD,
	     VLAN(Q) VLAN(Q) VLAN(ARP) ARP_REQUEST),
};

#define SAMPLES		((int)ARRAY_SIZE(samples))

static struct {
	const char *name;
	int len;
} packet;

static void context(void)
{
	printf("# %s, %d bytes\n", packet.name, packet.len);
}

/*
 * The flush of the first @len bytes.  @len is negative if even the network header
 * begins behind the linear part.
 */
static enum reframer_flush flush_of(const void *data, int len, u16 protocol,
				    bool push)
{
	int n = len > 0 ? len : 0;
	u8 *copy = malloc(64 + n);
	enum reframer_flush flush;

	packet.len = len;
	memcpy(copy + 64, data, n);
	flush = reframer_header_flush(copy + 64, len, protocol, push);
	same(memcmp(copy + 64, data, n), 0);
	free(copy);
	return flush;
}

static void test_samples(void)
{
	enum reframer_flush want, pushless;
	const struct sample *s;
	int i, len;

	for (i = 0; i < SAMPLES; i++) {
		s = &samples[i];
		packet.name = s->name;
		for (len = -70; len <= s->len; len++) {
			want = s->needs && len < s->needs ? REFRAMER_NO_FLUSH :
							    s->flush;
			pushless = want == REFRAMER_FLUSH_PUSH ?
				   REFRAMER_NO_FLUSH : want;
			same(flush_of(s->data, len, s->protocol, true), want);
			same(flush_of(s->data, len, s->protocol, false),
			     pushless);
		}
	}
}

static void test_tcp_flags(void)
{
	const u32 flush = 0x01 | 0x02 | 0x04 | 0x08 | 0x20;
	char v4[] = V4("\x45", DF, TCP) T(PSH);
	char v6[] = V6(TCP) T(PSH);
	enum reframer_flush want;
	int flags;

	packet.name = "TCP";
	for (flags = 0; flags < 256; flags++) {
		want = flags & flush ? REFRAMER_FLUSH_PUSH : REFRAMER_NO_FLUSH;
		v4[20 + 13] = flags;
		v6[40 + 13] = flags;
		same_at(flush_of(v4, sizeof(v4) - 1, ETH_P_IP, true), want,
			flags);
		same_at(flush_of(v6, sizeof(v6) - 1, ETH_P_IPV6, true), want,
			flags);
	}
}

static void test_icmpv6_types(void)
{
	char data[] = V6(ICMPV6) ND(NEIGHBOUR);
	enum reframer_flush want;
	int type;

	packet.name = "ICMPv6";
	for (type = 0; type < 256; type++) {
		want = type >= 133 && type <= 137 ? REFRAMER_FLUSH_CONTROL :
						    REFRAMER_NO_FLUSH;
		data[40] = type;
		same_at(flush_of(data, sizeof(data) - 1, ETH_P_IPV6, false),
			want, type);
	}
}

/* Samples with some bytes changed, and random bytes alone */
static void test_random(void)
{
	static const u16 protocols[] = {
		ETH_P_IP, ETH_P_IPV6, ETH_P_8021Q, ETH_P_8021AD
	};
	enum reframer_flush full, part, pushless;
	const struct sample *s;
	u8 data[RANDOM_BYTES];
	int i, k, len;
	u64 seen[3] = {};
	u16 protocol;

	packet.name = "random";
	for (i = 0; i < RANDOM; i++) {
		len = below(sizeof(data) + 1);
		protocol = protocols[below(4)];
		for (k = 0; k < len; k++)
			data[k] = random64();
		if (below(8)) {
			s = &samples[below(SAMPLES)];
			protocol = s->protocol;
			len = s->len;
			memcpy(data, s->data, len);
			for (k = below(4); k; k--)
				data[below(len)] = below(2) ? random64() :
							      below(64);
		}
		full = flush_of(data, len, protocol, true);
		seen[full]++;
		pushless = flush_of(data, len, protocol, false);
		check(pushless == (full == REFRAMER_FLUSH_PUSH ?
				   REFRAMER_NO_FLUSH : full),
		      "flush %d, without push %d", full, pushless);
		part = flush_of(data, below(len + 1), protocol, true);
		check(!part || part == full, "flush %d, of %d bytes %d",
		      part, len, full);
	}
	for (i = 0; i < 3; i++)
		check(seen[i] > RANDOM / 100, "too few with flush %d", i);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "flush of a packet, cut off after every byte", test_samples },
	{ "flush of TCP flags", test_tcp_flags },
	{ "flush of ICMPv6 types", test_icmpv6_types },
	{ "flush of random packets", test_random },
};

#define TESTS		((int)ARRAY_SIZE(tests))

int main(void)
{
	int i;

	ktap.context = context;
	ktap_plan(TESTS);
	for (i = 0; i < TESTS; i++) {
		ktap_begin(tests[i].name, 60);
		tests[i].run();
		ktap_ok();
	}
	return 0;
}
