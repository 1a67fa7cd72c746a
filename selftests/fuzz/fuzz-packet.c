// SPDX-License-Identifier: GPL-2.0
/*
 * A fuzzer for the parsing of headers in the kernel: it sends packets that are
 * almost valid, and prints how many the kernel accepted.
 *
 * There are VLAN tags, IPv4 with options and fragments, IPv6 with chains of
 * extension headers, ARP, neighbour discovery and other protocols, truncated
 * anywhere, with some bits flipped, and with another protocol in the packet's
 * metadata than in its header.  They have one segment or many (GSO), and as little
 * linear data as the kernel accepts.  They come from packet sockets, and from a tap,
 * from which the caller must redirect them.
 *
 * The packets depend only on the seed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>

#include "fuzz.h"

#define DEVICES_MAX	4
#define PACKET_MAX	3000
#define ETH_ADDRESSES	"\2\0\0\0\0\2\2\0\0\0\0\1"	/* of lib.sh */

static struct {
	uint8_t data[PACKET_MAX];
	int len;
	int network;		/* offset of the header after the tags */
	uint16_t type;		/* of the first header, as Ethernet says */
} p;

static struct {
	uint64_t socket, tap, refused, gso, split;
} sent;

static void put(const void *data, int len)
{
	if (p.len + len > PACKET_MAX)
		return;
	memcpy(p.data + p.len, data, len);
	p.len += len;
}

static void put_random(int len)
{
	uint8_t byte;

	while (len-- > 0) {
		byte = prng();
		put(&byte, 1);
	}
}

static void put_byte(uint8_t byte)
{
	put(&byte, 1);
}

static void put_u16(uint16_t value)
{
	value = htons(value);
	put(&value, 2);
}

static void put_tcp(void)
{
	put_u16(1024 + below(8));
	put_u16(80);
	put_random(8);
	put_byte(chance(80) ? 0x50 : below(256));
	put_byte(PICK(0x10, 0x10, 0x10, 0x18, 0x02, 0x11, below(256)));
	put_random(6);
}

static void put_udp(void)
{
	put_u16(1024 + below(8));
	put_u16(chance(20) ? 4789 : 53);
	put_u16(below(2000));
	put_u16(0);
}

/* The header and data behind the IP header */
static void put_transport(int protocol)
{
	if (protocol == IPPROTO_TCP) {
		put_tcp();
	} else if (protocol == IPPROTO_ICMPV6) {
		put_byte(PICK(128, 129, 133, 134, 135, 136, 137, 138));
		put_random(23);
	} else {
		put_udp();
	}
	put_random(PICK(0, 1, 7, 40, 200, 1400, 2800));
}

static void put_ipv4(void)
{
	int protocol = PICK(6, 6, 6, 17, 17, 1, 2, 4, 41, 47, 51, 58, 132,
			    below(256));
	int words = chance(70) ? 5 : below(16);

	put_byte(chance(97) ? 0x40 + words : (int)below(256));
	put_byte(below(256));
	put_u16(chance(90) ? 1000 : below(65536));
	put_random(2);
	put_u16(PICK(0x4000, 0x4000, 0, 0x2000, 0x2001, 1, 0x1fff, 0x8000,
		     below(65536)));
	put_byte(64);
	put_byte(protocol);
	put_random(2);
	put("\12\0\2\1", 4);
	put("\12\0\2", 3);
	put_byte(below(16));
	put_random((words - 5) * 4);
	put_transport(protocol);
}

static void put_ipv6(void)
{
	static const uint8_t chain[] = { 0, 43, 60, 44, 51, 60, 50, 135 };
	int headers = chance(50) ? 0 : chance(90) ? below(4) : below(40);
	int last = PICK(6, 6, 17, 58, 58, 59, 47, below(256)), size;
	int next = headers ? chain[below(sizeof(chain))] : last, before;

	put_byte(chance(97) ? 0x60 : below(256));
	put_random(3);
	put_u16(chance(90) ? 1000 : below(65536));
	put_byte(next);
	put_byte(255);
	put("\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	put("\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0", 15);
	put_byte(below(16));
	while (headers--) {
		before = next;
		next = headers ? chain[below(sizeof(chain))] : last;
		put_byte(next);
		size = chance(80) ? below(3) : below(256);
		put_byte(before == 51 ? size * 2 + 2 : size);
		/* a fragment, whole or not */
		put_u16(before != 44 || chance(50) ? 0 : below(65536));
		put_random(4);
		if (before == 51)
			size++;
		put_random(before == 44 ? 0 : size * 8);
	}
	put_transport(last);
}

static void make_packet(void)
{
	int tags = chance(60) ? 0 : below(4), i;
	uint16_t type;

	p.len = 0;
	put(ETH_ADDRESSES, 12);
	p.type = 0;
	for (i = 0; i < tags; i++) {
		type = PICK(ETH_P_8021Q, ETH_P_8021Q, ETH_P_8021AD, 0x9100);
		p.type = p.type ?: type;
		put_u16(type);
		put_u16(below(65536));
	}
	type = PICK(ETH_P_IP, ETH_P_IP, ETH_P_IP, ETH_P_IPV6, ETH_P_IPV6,
		    ETH_P_IPV6, ETH_P_ARP, ETH_P_MPLS_UC, ETH_P_PPP_SES,
		    ETH_P_LLDP, ETH_P_TEB, ETH_P_FCOE, below(2000),
		    below(65536));
	p.type = p.type ?: type;
	put_u16(type);
	p.network = p.len;
	if (type == ETH_P_IP)
		put_ipv4();
	else if (type == ETH_P_IPV6)
		put_ipv6();
	else
		put_random(PICK(0, 1, 28, 46, 100, 1400));

	if (chance(25))		/* truncated, mostly within the headers */
		p.len = 14 + below(chance(80) && p.len > 140 ? 126 :
				   p.len - 13);
	for (i = chance(80) ? 0 : 1 + below(8); i; i--)
		p.data[12 + below(p.len - 12)] ^= 1 << below(8);
}

/* As a guest with offloads: checksum, segments, and length of the linear part */
static struct virtio_net_hdr offload(void)
{
	struct virtio_net_hdr h = { 0 };

	if (chance(60)) {
		h.hdr_len = chance(60) ? below(p.len + 1) : below(100);
		sent.split += h.hdr_len < p.len;
	}
	if (chance(40)) {
		h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h.csum_start = chance(80) ? p.network + PICK(20, 40) :
					    below(p.len + 1);
		h.csum_offset = PICK(6, 16, 16);
	}
	/*
	 * Segments only with a checksum to be filled in: the core itself warns about
	 * others.
	 */
	if (h.flags && chance(60)) {
		h.gso_type = PICK(VIRTIO_NET_HDR_GSO_TCPV4,
				  VIRTIO_NET_HDR_GSO_TCPV6,
				  VIRTIO_NET_HDR_GSO_UDP, 5,
				  VIRTIO_NET_HDR_GSO_TCPV4 |
				  VIRTIO_NET_HDR_GSO_ECN);
		h.gso_size = PICK(1400, 536, 100, 1, below(3000));
	}
	return h;
}

static int packet_socket(int type, bool vnet)
{
	int fd = socket(AF_PACKET, type, 0), on = 1;

	if (fd < 0 || (vnet && setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on,
					  sizeof(on)))) {
		perror("fuzz-packet: socket");
		exit(1);
	}
	return fd;
}

static int tap_open(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr)) {
		fprintf(stderr, "fuzz-packet: tap %s: %s\n", name,
			strerror(errno));
		exit(1);
	}
	return fd;
}

/* Send a packet, with a virtio header before it or without */
static bool push(int fd, const struct virtio_net_hdr *h, const void *data,
		 int len, const struct sockaddr_ll *to)
{
	struct iovec parts[2] = {
		{ (void *)h, sizeof(*h) }, { (void *)data, len }
	};
	struct msghdr message = {
		.msg_name = (void *)to, .msg_namelen = to ? sizeof(*to) : 0,
		.msg_iov = h ? parts : parts + 1, .msg_iovlen = h ? 2 : 1,
	};
	ssize_t n = to ? sendmsg(fd, &message, 0) : writev(fd, parts, 2);

	if (n >= 0 && h && h->gso_type)
		sent.gso++;
	sent.refused += n < 0;
	return n >= 0;	/* 0: nothing behind the header */
}

static void usage(FILE *to)
{
	fprintf(to, "Usage: fuzz-packet [OPTION...]\n"
		"Sends random packets, as root, and prints one line of JSON: those that the\n"
		"kernel took from packet sockets (\"socket\") and from a tap (\"tap\"), both\n"
		"together (\"packets\"), those of many segments (\"gso\") and not all linear\n"
		"(\"split\") among them or asked for, and those it refused.\n\n"
		"  --device NAME   send them there; may be given %d times\n"
		"  --tap NAME      a third of them goes into this tap, which exists\n"
		"  --packets N     how many (3000)\n"
		"  --seed N        the packets depend on it alone (1)\n",
		DEVICES_MAX);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "tap", required_argument, NULL, 't' },
		{ "packets", required_argument, NULL, 'p' },
		{ "seed", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	int device[DEVICES_MAX], devices = 0, tap = -1, raw, plain, datagram, c;
	uint64_t packets = 3000, seed = 1, n;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'd':
			if (devices == DEVICES_MAX) {
				usage(stderr);
				return 2;
			}
			device[devices] = if_nametoindex(optarg);
			if (!device[devices++]) {
				fprintf(stderr, "fuzz-packet: no device %s\n",
					optarg);
				return 2;
			}
			break;
		case 't':
			tap = tap_open(optarg);
			break;
		case 'p':
			packets = to_number(optarg);
			break;
		case 's':
			seed = to_number(optarg);
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc || !devices) {
		usage(stderr);
		return 2;
	}
	prng_state = seed;
	raw = packet_socket(SOCK_RAW, true);
	plain = packet_socket(SOCK_RAW, false);
	datagram = packet_socket(SOCK_DGRAM, false);

	for (n = 0; n < packets; n++) {
		struct sockaddr_ll to = { .sll_family = AF_PACKET,
					  .sll_halen = 6 };
		uint32_t priority = PICK(0, 0, 0, 7, 0x10001, 0x10008,
					 0x1ffff, 0x20001);
		uint32_t mark = below(4), way = below(6);
		struct virtio_net_hdr h;
		int fd = way < 2 ? raw : way < 3 ? plain : datagram;

		make_packet();
		to.sll_ifindex = device[below(devices)];
		to.sll_protocol = htons(chance(80) ? p.type :
					PICK(0, ETH_P_IP, ETH_P_IPV6,
					     ETH_P_8021Q, ETH_P_8021AD,
					     ETH_P_ARP));
		memcpy(to.sll_addr, ETH_ADDRESSES, 6);
		if (way < 4) {
			setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority,
				   sizeof(priority));
			setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
		}
		if (way == 3) {		/* without the link's header */
			sent.socket += push(fd, NULL, p.data + 14, p.len - 14,
					    &to);
			continue;
		}
		/* The core drops packets that end within a VLAN tag, uncounted. */
		if (way >= 4 && tap >= 0)
			while (p.len < ETH_ZLEN)
				put_byte(0);
		h = offload();
		if (way >= 4 && tap >= 0)
			sent.tap += push(tap, &h, p.data, p.len, NULL);
		else
			sent.socket += push(way == 2 ? plain : raw,
					    way == 2 ? NULL : &h, p.data, p.len,
					    &to);
	}
	printf("{\"seed\":%llu,\"packets\":%llu,\"socket\":%llu,\"tap\":%llu,",
	       (unsigned long long)seed,
	       (unsigned long long)(sent.socket + sent.tap),
	       (unsigned long long)sent.socket, (unsigned long long)sent.tap);
	printf("\"gso\":%llu,\"split\":%llu,\"refused\":%llu}\n",
	       (unsigned long long)sent.gso, (unsigned long long)sent.split,
	       (unsigned long long)sent.refused);
	return 0;
}
