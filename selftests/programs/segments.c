// SPDX-License-Identifier: GPL-2.0
/*
 * Write a capture (pcap) of trains of packets that could be segments of one GSO packet,
 * but for a difference that each kind of flow has.
 *
 * The number of a flow is in the source MAC address, so that `frames -c` can count what
 * becomes of its packets.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRAIN		8	/* packets of a flow in a row */
#define CHANGED		3	/* the one that differs */
#define PAYLOAD		100	/* bytes */
#define FRAME_MAX	1514

#define EXPERIMENT	253	/* a protocol that nobody uses, RFC 3692 */

#define FIN	0x01
#define SYN	0x02
#define RST	0x04
#define PSH	0x08
#define ACK	0x10
#define URG	0x20
#define ECE	0x40
#define CWR	0x80

enum change {
	NONE, DST_MAC, TOS, TTL, NO_DF, FIXED_ID, FIXED_ID_NO_DF, RANDOM_ID, ID_GAP,
	OPTIONS, FRAGMENT, IP_SUM, SUM, ZERO_SUM, PADDING, VLAN, LABEL, EXTENSION,
	SHORT, LONG, EMPTY, FLAGS, SEQ_GAP, REPEATED, ACK_SEQ, WINDOW, URG_PTR,
	RESERVED, TCP_OPTIONS, TIMESTAMP, UDP_LEN, GRE, PROTOCOL, CHANGES
};

/* A kind of flow, and how many packets become of a train */
static const struct kind {
	const char *name;
	int version;		/* of IP */
	int protocol;
	enum change change;
	int all;		/* packets have it, not only one */
	int flags;		/* of TCP */
	int packets;
} kinds[] = {
	{ "tcp4", 4, 6, NONE, 0, 0, 1 },
	{ "tcp6", 6, 6, NONE, 0, 0, 1 },
	{ "udp4", 4, 17, NONE, 0, 0, 1 },
	{ "udp6", 6, 17, NONE, 0, 0, 1 },
	{ "tcp4 destination address", 4, 6, DST_MAC, 0, 0, 3 },
	{ "tcp4 tos", 4, 6, TOS, 0, 0, 3 },
	{ "tcp4 other tos", 4, 6, TOS, 1, 0, 1 },
	{ "tcp6 traffic class", 6, 6, TOS, 0, 0, 3 },
	{ "tcp4 ttl", 4, 6, TTL, 0, 0, 3 },
	{ "tcp6 hop limit", 6, 6, TTL, 0, 0, 3 },
	{ "tcp4 no df", 4, 6, NO_DF, 1, 0, 1 },
	{ "tcp4 df differs", 4, 6, NO_DF, 0, 0, 3 },
	{ "udp4 no df", 4, 17, NO_DF, 1, 0, 1 },
	{ "tcp4 fixed id", 4, 6, FIXED_ID, 1, 0, 1 },
	{ "tcp4 fixed id no df", 4, 6, FIXED_ID_NO_DF, 1, 0, TRAIN },
	{ "udp4 fixed id", 4, 17, FIXED_ID, 1, 0, TRAIN },
	{ "tcp4 random id", 4, 6, RANDOM_ID, 1, 0, TRAIN },
	{ "tcp4 gap of id", 4, 6, ID_GAP, 0, 0, 2 },
	{ "tcp4 ip options", 4, 6, OPTIONS, 1, 0, TRAIN },
	{ "udp4 fragments", 4, 17, FRAGMENT, 1, 0, TRAIN },
	{ "tcp4 wrong ip checksum", 4, 6, IP_SUM, 0, 0, 3 },
	{ "tcp4 wrong checksum", 4, 6, SUM, 0, 0, 3 },
	{ "tcp4 wrong checksums", 4, 6, SUM, 1, 0, TRAIN },
	{ "tcp6 wrong checksum", 6, 6, SUM, 0, 0, 3 },
	{ "udp4 wrong checksum", 4, 17, SUM, 0, 0, 3 },
	{ "udp6 wrong checksum", 6, 17, SUM, 0, 0, 3 },
	{ "udp4 zero checksum", 4, 17, ZERO_SUM, 0, 0, 3 },
	{ "udp4 zero checksums", 4, 17, ZERO_SUM, 1, 0, TRAIN },
	{ "tcp4 padding", 4, 6, PADDING, 0, 0, 3 },
	{ "tcp6 padding", 6, 6, PADDING, 0, 0, 3 },
	{ "tcp4 vlan", 4, 6, VLAN, 1, 0, 1 },
	{ "tcp6 flow label", 6, 6, LABEL, 0, 0, 3 },
	{ "tcp6 extension header", 6, 6, EXTENSION, 1, 0, TRAIN },
	{ "tcp4 short", 4, 6, SHORT, 0, 0, 2 },
	{ "udp6 short", 6, 17, SHORT, 0, 0, 2 },
	{ "tcp4 long", 4, 6, LONG, 0, 0, 3 },
	{ "udp4 long", 4, 17, LONG, 0, 0, 3 },
	{ "tcp4 no data", 4, 6, EMPTY, 1, 0, TRAIN },
	{ "udp4 no data", 4, 17, EMPTY, 1, 0, TRAIN },
	{ "tcp4 psh", 4, 6, FLAGS, 0, PSH, 2 },
	{ "tcp6 fin", 6, 6, FLAGS, 0, FIN, 2 },
	{ "tcp4 syn", 4, 6, FLAGS, 0, SYN, 3 },
	{ "tcp4 rst", 4, 6, FLAGS, 0, RST, 3 },
	{ "tcp4 urg", 4, 6, FLAGS, 0, URG, 3 },
	{ "tcp4 ece", 4, 6, FLAGS, 0, ECE, 3 },
	{ "tcp4 all ece", 4, 6, FLAGS, 1, ECE, 1 },
	{ "tcp4 cwr", 4, 6, FLAGS, 0, CWR, 3 },
	{ "tcp4 all cwr", 4, 6, FLAGS, 1, CWR, TRAIN },
	{ "tcp4 gap", 4, 6, SEQ_GAP, 0, 0, 2 },
	{ "tcp4 repeated", 4, 6, REPEATED, 0, 0, 2 },
	{ "tcp4 acknowledgment", 4, 6, ACK_SEQ, 0, 0, 3 },
	{ "tcp4 window", 4, 6, WINDOW, 0, 0, 3 },
	{ "tcp4 urgent pointer", 4, 6, URG_PTR, 0, 0, 3 },
	{ "tcp4 reserved bit", 4, 6, RESERVED, 0, 0, 3 },
	{ "tcp4 options", 4, 6, TCP_OPTIONS, 1, 0, 1 },
	{ "tcp6 timestamp", 6, 6, TIMESTAMP, 0, 0, 3 },
	{ "udp4 length", 4, 17, UDP_LEN, 0, 0, 3 },
	{ "tcp4 in gre", 4, 6, GRE, 1, 0, TRAIN },
	{ "like tcp4", 4, 6, PROTOCOL, 1, 0, TRAIN },
	{ "like tcp6", 6, 6, PROTOCOL, 1, 0, TRAIN },
	{ "like udp6", 6, 17, PROTOCOL, 1, 0, TRAIN },
};

#define KINDS	(sizeof(kinds) / sizeof(*kinds))

struct flow {
	unsigned int nr;
	const struct kind *kind;
	unsigned int payload;	/* bytes of a packet */
	uint16_t id;		/* of IPv4 */
	uint32_t seq;
	int left;		/* packets of the train */
};

static unsigned int below(unsigned int n)
{
	return random() % n;
}

static void put16(uint8_t *p, uint16_t value)
{
	p[0] = value >> 8;
	p[1] = value;
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value);
}

static uint32_t add(uint32_t sum, const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? p[i] : p[i] << 8;
	return sum;
}

static uint16_t folded(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static int protocol_of(const struct kind *kind, enum change change)
{
	return change == PROTOCOL ? EXPERIMENT : kind->protocol;
}

/* The header of TCP at @p; returns its length. */
static size_t put_tcp(uint8_t *p, const struct flow *flow, enum change change)
{
	size_t len = 20;

	put16(p, 10000);
	put16(p + 2, 1000 + flow->nr);
	put32(p + 4, flow->seq);
	put32(p + 8, change == ACK_SEQ ? 2 : 1);
	p[13] = ACK | (change == FLAGS ? flow->kind->flags : 0);
	put16(p + 14, change == WINDOW ? 2000 : 1000);
	put16(p + 18, change == URG_PTR ? 1 : 0);
	if (flow->kind->change == TCP_OPTIONS || flow->kind->change == TIMESTAMP) {
		memcpy(p + 20, "\1\1\10\12\0\0\0\1\0\0\0\1", 12);
		p[27] += change == TIMESTAMP;
		len += 12;
	}
	p[12] = len << 2 | (change == RESERVED ? 2 : 0);
	return len;
}

/* The header of IP at @p, for @len bytes behind its first 20 or 40 */
static size_t put_ip(uint8_t *p, struct flow *flow, enum change change, size_t len)
{
	const struct kind *kind = flow->kind;
	size_t header = 20;

	if (kind->version == 6) {
		p[0] = 0x60;
		p[1] = change == TOS ? 0x20 : 0;
		p[3] = change == LABEL;
		put16(p + 4, len);
		p[6] = protocol_of(kind, change);
		p[7] = change == TTL ? 63 : 64;
		p[8] = 0xfd;
		p[24] = 0xfd;
		p[23] = 1;
		p[39] = 2;
		return 40;
	}
	p[0] = 0x45;
	p[1] = change == TOS ? 0x20 : 0;
	if (change == FIXED_ID || change == FIXED_ID_NO_DF)
		flow->id = 0;
	else if (change == RANDOM_ID)
		flow->id += 2 + below(1000);
	else if (change == ID_GAP)
		flow->id += 2;
	else
		flow->id++;
	put16(p + 4, flow->id);
	p[6] = change == NO_DF || change == FIXED_ID_NO_DF ? 0 :
	       change == FRAGMENT ? 0x20 : 0x40;
	p[8] = change == TTL ? 63 : 64;
	p[9] = protocol_of(kind, change);
	put32(p + 12, 0x0a000001);
	put32(p + 16, 0x0a000002);
	if (change == OPTIONS) {
		p[0]++;
		put32(p + 20, 0x01010101);	/* no operation */
		header += 4;
	}
	put16(p + 2, header + len);
	put16(p + 10, folded(add(0, p, header)) ^ (change == IP_SUM));
	return header;
}

/* The next frame of the flow; returns its length. */
static size_t make_frame(uint8_t *frame, struct flow *flow, enum change change)
{
	const struct kind *kind = flow->kind;
	size_t payload = flow->payload, inner, header, i;
	uint8_t transport[FRAME_MAX] = { 0 }, *p = frame;
	uint32_t pseudo;

	memset(frame, 0, FRAME_MAX);
	if (change == SHORT)
		payload = 1 + below(payload);
	else if (change == LONG)
		payload++;
	else if (change == EMPTY)
		payload = 0;
	if (change == SEQ_GAP)
		flow->seq += payload;
	else if (change == REPEATED)
		flow->seq -= payload;

	header = kind->protocol == 6 ? put_tcp(transport, flow, change) : 8;
	inner = header + payload;
	if (kind->protocol == 17) {
		put16(transport, 10000);
		put16(transport + 2, 1000 + flow->nr);
		put16(transport + 4, inner - (change == UDP_LEN));
	}
	/* No ASCII: flowcap knows flowgen's packets by FLOW_MAGIC. */
	for (i = header; i < inner; i++)
		transport[i] = random() | 0x80;
	flow->seq += payload;

	memcpy(p, change == DST_MAC ? "\2\0\0\0\0\3" : "\2\0\0\0\0\2", 6);
	p[6] = 2;
	put16(p + 10, flow->nr);
	p += 12;
	if (change == VLAN) {
		put32(p, 0x81000005);
		p += 4;
	}
	put16(p, kind->version == 4 ? 0x0800 : 0x86dd);
	p += 2;
	if (change == GRE) {
		struct kind gre = *kind;

		gre.protocol = 47;
		flow->kind = &gre;
		p += put_ip(p, flow, NONE, 4 + 20 + inner);
		flow->kind = kind;
		put32(p, 0x0800);
		p += 4;
	}
	if (change == EXTENSION) {
		i = put_ip(p, flow, change, 8 + inner);
		p[6] = 60;		/* destination options: padding */
		p += i;
		memcpy(p, (uint8_t []){ kind->protocol, 0, 1, 4, 0, 0, 0, 0 }, 8);
		p += 8;
	} else {
		p += put_ip(p, flow, change, inner);
	}
	/* the addresses are the last thing before, but for options and extensions */
	pseudo = protocol_of(kind, change) + inner;
	if (kind->version == 4)
		pseudo += 0x0a00 + 1 + 0x0a00 + 2;
	else
		pseudo += 0xfd00 + 1 + 0xfd00 + 2;
	if (change != ZERO_SUM) {
		uint16_t sum = folded(add(pseudo, transport, inner));

		put16(transport + (kind->protocol == 6 ? 16 : 6),
		      (sum ? sum : 0xffff) ^ (change == SUM ? 0x100 : 0));
	}
	memcpy(p, transport, inner);
	p += inner;
	if (change == PADDING)
		p += 6;
	return p - frame;
}

static void write_frame(const uint8_t *frame, size_t len)
{
	uint32_t record[4] = { 0, 0, len, len };

	fwrite(record, sizeof(record), 1, stdout);
	fwrite(frame, len, 1, stdout);
}

static void write_packet(struct flow *flow, enum change change)
{
	uint8_t frame[FRAME_MAX];

	write_frame(frame, make_frame(frame, flow, change));
}

/* What is special about the next packet of a train */
static enum change next_change(const struct kind *kind, int nr)
{
	return kind->all || nr == CHANGED ? kind->change : NONE;
}

/* One train of each kind, and what should become of each: name and packets, as JSON */
static void write_kinds(void)
{
	size_t k;
	int i;

	for (k = 0; k < KINDS; k++) {
		struct flow flow = {
			.nr = k, .kind = &kinds[k], .payload = PAYLOAD,
		};

		for (i = 0; i < TRAIN; i++)
			write_packet(&flow, next_change(&kinds[k], i));
		fprintf(stderr, "%s{\"kind\":\"%s\",\"packets\":%d}",
			k ? "," : "[", kinds[k].name, kinds[k].packets);
	}
	fputs("]\n", stderr);
}

/* A kind of the same protocols, half of the time a plain one */
static const struct kind *random_kind(unsigned int flow)
{
	const struct kind *plain = &kinds[flow % 4], *kind;

	do {
		kind = &kinds[below(KINDS)];
	} while (kind->version != plain->version || kind->protocol != plain->protocol);
	return below(2) ? plain : kind;
}

/*
 * Trains of random kinds, lengths and sizes, interleaved.  For each frame, the flow in
 * which it must keep its order: in a VLAN or tunnel, as a fragment, or of another
 * protocol, that is another one than outside.
 */
static void write_mix(unsigned int frames, unsigned int flows)
{
	struct flow *all = calloc(flows, sizeof(*all)), *flow;
	enum change change;
	unsigned int i;

	for (i = 0; i < flows; i++)
		all[i].nr = i;
	for (i = 0; i < frames; i++) {
		flow = &all[below(flows)];
		if (!flow->left) {
			flow->kind = random_kind(flow->nr);
			flow->payload = 1 + below(below(2) ? 1300 : 40);
			flow->left = 1 + below(20);
		}
		change = next_change(flow->kind, flow->left-- % TRAIN);
		write_packet(flow, change);
		fprintf(stderr, "%u ", flow->nr +
			(change == VLAN || change == GRE || change == FRAGMENT ||
			 change == PROTOCOL ? change * 1000 : 0));
	}
	fputs("\n", stderr);
	free(all);
}

int main(int argc, char **argv)
{
	uint32_t head[6] = { 0xa1b2c3d4, 4 << 16 | 2, 0, 0, 65535, 1 };

	if (argc != 1 && argc != 4) {
		fputs("usage: segments                     one train of each kind\n"
		      "       segments SEED FRAMES FLOWS   a random mix\n"
		      "Writes a capture to standard output, what is in it to standard error.\n",
		      stderr);
		return 1;
	}
	fwrite(head, sizeof(head), 1, stdout);
	if (argc == 1) {
		write_kinds();
		return 0;
	}
	srandom(atoi(argv[1]));
	write_mix(atoi(argv[2]), atoi(argv[3]));
	return 0;
}
