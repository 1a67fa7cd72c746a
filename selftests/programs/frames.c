// SPDX-License-Identifier: GPL-2.0
/*
 * Send the frames of a capture, like a program or a virtual machine, print in which
 * order they leave a device, or count what comes to one.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NSEC		1000000000LL
#define ETHER		14
#define TAG		4
#define FRAME_MAX	65600
#define COUNTS		1000

struct frame {
	struct frame *next;
	unsigned long nr;
	int seen;
	uint32_t len;
	uint8_t bytes[];
};

static const char usage[] =
"usage: frames -i DEV [-g NS] FILE      send by a packet socket\n"
"       frames -t TAP [-kp] [-g NS] FILE  send from a tap, as a virtual machine\n"
"       frames -m DEVICE [-kp] [-g NS] FILE  the same from the /dev/tapN of a macvtap\n"
"       frames -o DEV -r READY FILE     watch what leaves DEV until SIGTERM\n"
"       frames -c DEV -r READY          count what comes to DEV until SIGTERM\n"
"       frames -v TAP [-s] -r READY     the same as a virtual machine behind a tap\n"
"  FILE      pcap of Ethernet frames, of this machine's byte order\n"
"  -g NS     gap between frames (0)\n"
"  -k        keep the checksums of TCP and UDP, which else the kernel is to compute\n"
"  -p        packets lie in page fragments, as those of many network cards\n"
"  -s        it has enabled TSO\n"
"  -r READY  file to create when all is ready\n"
"A tap sends when standard input has ended.  -o prints the numbers of the frames, from 0, in the\n"
"order in which they left, ? for any other frame and - for those that did not.\n"
"-c and -v print a JSON array: entry i counts the packets with a source address that ends\n"
"in the number i.\n";

static volatile sig_atomic_t stopping;

static void on_signal(int sig)
{
	(void)sig;
	stopping = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "frames: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct frame *read_frames(const char *name)
{
	struct frame *first = NULL, **end = &first, *f;
	struct { uint32_t magic, more[4], linktype; } head;
	struct { uint32_t sec, frac, caplen, len; } record;
	FILE *file = fopen(name, "r");
	unsigned long nr = 0;

	if (!file)
		die(name);
	errno = EINVAL;
	if (fread(&head, sizeof(head), 1, file) != 1 || head.linktype != 1 ||
	    (head.magic != 0xa1b2c3d4 && head.magic != 0xa1b23c4d))
		die(name);
	while (fread(&record, sizeof(record), 1, file) == 1) {
		f = record.caplen <= FRAME_MAX ?
			malloc(sizeof(*f) + record.caplen) : NULL;
		if (!f || fread(f->bytes, 1, record.caplen, file) != record.caplen)
			die(name);
		f->next = NULL;
		f->nr = nr++;
		f->seen = 0;
		f->len = record.caplen;
		*end = f;
		end = &f->next;
	}
	fclose(file);
	return first;
}

static uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

/* Add up 16-bit words, the way of Internet checksums; carries are added, too. */
static uint16_t sum(const uint8_t *p, const uint8_t *end)
{
	uint32_t all = 0;

	for (; p + 1 < end; p += 2)
		all += get16(p);
	if (p < end)
		all += *p << 8;
	while (all >> 16)
		all = (all & 0xffff) + (all >> 16);
	return all;
}

/*
 * Leave the checksum of TCP or UDP, behind VLAN tags, to the kernel.  If there is one in
 * the frame, have the kernel compute the same.
 */
static void leave_checksum(uint8_t *frame, uint32_t len, struct virtio_net_hdr *hdr)
{
	const uint8_t *end = frame + len;
	uint8_t *p = frame + ETHER - 2, *check;
	uint8_t protocol;
	uint32_t rest;

	while (p + 48 < end && (get16(p) == 0x8100 || get16(p) == 0x88a8))
		p += TAG;
	if (p + 48 >= end)
		return;
	p += 2;
	switch (get16(p - 2)) {
	case 0x0800:
		protocol = get16(p + 6) & 0x3fff ? 0 : p[9];
		p += (p[0] & 15) * 4;
		break;
	case 0x86dd:
		protocol = p[6];
		p += 40;
		break;
	default:
		return;
	}
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return;
	check = p + (protocol == IPPROTO_TCP ? 16 : 6);
	if (protocol == IPPROTO_UDP && !get16(check))
		return;
	hdr->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	hdr->csum_start = p - frame;
	hdr->csum_offset = check - p;
	if (!get16(check))
		return;
	/* the sum without the rest; that is the pseudo header's, if it is right */
	rest = 0xffff - get16(check);
	check[0] = 0;
	check[1] = 0;
	rest += 0xffff - sum(p, end);
	rest = (rest & 0xffff) + (rest >> 16);
	check[0] = rest >> 8;
	check[1] = rest;
}

static void send_frame(int fd, const struct frame *f, int virtual, int keep)
{
	static uint8_t buffer[sizeof(struct virtio_net_hdr) + FRAME_MAX];
	struct virtio_net_hdr hdr = { 0 };

	if (!virtual) {
		/* it may be too long for the device, or too short for its protocol */
		if (send(fd, f->bytes, f->len, 0) < 0 && errno != EMSGSIZE &&
		    errno != EINVAL && errno != ENOBUFS)
			die("send");
		return;
	}
	memcpy(buffer + sizeof(hdr), f->bytes, f->len);
	if (!keep)
		leave_checksum(buffer + sizeof(hdr), f->len, &hdr);
	memcpy(buffer, &hdr, sizeof(hdr));
	if (write(fd, buffer, sizeof(hdr) + f->len) < 0)
		die("write");
}

static int packet_socket(const char *dev, uint16_t protocol)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET, .sll_protocol = htons(protocol),
		.sll_ifindex = if_nametoindex(dev),
	};
	int fd = socket(AF_PACKET, SOCK_RAW, 0), big = 256 << 20;

	if (fd < 0 || !at.sll_ifindex ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)))
		die(dev);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big)))
		die("SO_SNDBUFFORCE");
	return fd;
}

/* @path: /dev/net/tun, or the device of a macvtap, which ignores the name */
static int open_tap(const char *path, const char *name, int flags)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open(path, O_RDWR | flags);

	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr))
		die(path);
	return fd;
}

static void tell(const char *ready)
{
	int fd = ready ? open(ready, O_CREAT | O_WRONLY, 0600) : 0;

	if (fd < 0)
		die(ready);
	if (ready)
		close(fd);
}

/* Wait for input; 0 if there was none for @ms after SIGTERM */
static int wait_for(int fd, int ms, const sigset_t *orig)
{
	struct timespec idle = { 0, ms * 1000000L };
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return ppoll(&pfd, 1, stopping ? &idle : NULL, orig);
}

/* The next frame, leaving or coming: its length, 0 after SIGTERM if none for @ms ms */
static ssize_t receive(int fd, int leaving, uint8_t *frame, int ms, const sigset_t *orig)
{
	struct sockaddr_ll from;
	char control[256];
	/* room for a tag, which the kernel may keep beside the frame */
	struct iovec iov = { frame + TAG, FRAME_MAX - TAG };
	struct msghdr msg = {
		.msg_name = &from, .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control,
	};
	struct tpacket_auxdata *aux;
	struct cmsghdr *c;
	ssize_t len;

	do {
		while (1) {
			msg.msg_namelen = sizeof(from);
			msg.msg_controllen = sizeof(control);
			len = recvmsg(fd, &msg, MSG_DONTWAIT);
			if (len >= 0)
				break;
			if (errno != EAGAIN && errno != ENETDOWN)
				die("recvmsg");
			if (!wait_for(fd, ms, orig))
				return 0;
		}
	} while ((from.sll_pkttype == PACKET_OUTGOING) != leaving || len < ETHER - 2);
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		aux = (struct tpacket_auxdata *)CMSG_DATA(c);
		if (!(aux->tp_status & TP_STATUS_VLAN_VALID))
			continue;
		memmove(frame, frame + TAG, ETHER - 2);
		frame[12] = aux->tp_vlan_tpid >> 8;
		frame[13] = aux->tp_vlan_tpid;
		frame[14] = aux->tp_vlan_tci >> 8;
		frame[15] = aux->tp_vlan_tci;
		return len + TAG;
	}
	memmove(frame, frame + TAG, len);
	return len;
}

/* SIGTERM interrupts only wait_for(), which gets the signals @orig */
static void catch_sigterm(sigset_t *orig)
{
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t block;

	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, orig);
	sigaction(SIGTERM, &sa, NULL);
}

/* A socket for receive() */
static int watch(const char *dev, const char *ready)
{
	int fd = packet_socket(dev, ETH_P_ALL), on = 1;

	if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)))
		die("PACKET_AUXDATA");
	tell(ready);
	return fd;
}

static void print_order(const char *dev, const char *ready, struct frame *frames)
{
	static uint8_t bytes[FRAME_MAX];
	const char *space = "";
	struct frame *f;
	sigset_t orig;
	ssize_t len;
	int fd;

	catch_sigterm(&orig);
	fd = watch(dev, ready);
	while ((len = receive(fd, 1, bytes, 100, &orig))) {
		for (f = frames; f; f = f->next)
			if (!f->seen && f->len == len &&
			    !memcmp(f->bytes, bytes, len))
				break;
		if (f) {
			f->seen = 1;
			printf("%s%lu", space, f->nr);
		} else {
			printf("%s?", space);
		}
		space = " ";
	}
	for (f = frames; f; f = f->next)
		if (!f->seen)
			printf(" -");
	printf("\n");
}

/* Packets by the end of their source address */
static unsigned int counts[COUNTS];

static void count(const uint8_t *frame)
{
	unsigned int nr = get16(frame + 10);

	if (nr < COUNTS)
		counts[nr]++;
}

static void print_counts(void)
{
	unsigned int most = COUNTS - 1, i;

	while (most && !counts[most])
		most--;
	for (i = 0; i <= most; i++)
		printf("%c%u", i ? ',' : '[', counts[i]);
	printf("]\n");
}

static void count_coming(const char *dev, const char *ready)
{
	static uint8_t bytes[FRAME_MAX];
	sigset_t orig;
	int fd;

	catch_sigterm(&orig);
	fd = watch(dev, ready);
	while (receive(fd, 0, bytes, 100, &orig))
		count(bytes);
	print_counts();
}

/* A virtual machine that has, or has not, enabled checksums and TSO of its device */
static void count_in_tap(const char *tap, int offloads, const char *ready)
{
	static uint8_t buffer[sizeof(struct virtio_net_hdr) + FRAME_MAX];
	int fd = open_tap("/dev/net/tun", tap, O_NONBLOCK);
	sigset_t orig;

	catch_sigterm(&orig);
	if (ioctl(fd, TUNSETOFFLOAD, offloads ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 : 0))
		die("TUNSETOFFLOAD");
	tell(ready);
	while (wait_for(fd, 100, &orig))
		while (read(fd, buffer, sizeof(buffer)) > 0)
			count(buffer + sizeof(struct virtio_net_hdr));
	print_counts();
}

int main(int argc, char **argv)
{
	const char *dev = NULL, *ready = NULL;
	struct sched_param param = { 0 };
	struct frame *frames, *f;
	int opt, how = 0, keep = 0, offloads = 0, flags = 0, fd = -1;
	struct timespec at;
	long long gap = 0, next;
	cpu_set_t cpus;
	char c;

	while ((opt = getopt(argc, argv, "i:t:m:o:c:v:kspr:g:h")) != -1) {
		switch (opt) {
		case 'i':
		case 't':
		case 'm':
		case 'o':
		case 'c':
		case 'v':
			how = opt;
			dev = optarg;
			break;
		case 'k':
			keep = 1;
			break;
		case 's':
			offloads = 1;
			break;
		case 'p':
			/* tap: build_skb() instead of memory of the socket */
			flags = O_NONBLOCK;
			break;
		case 'r':
			ready = optarg;
			break;
		case 'g':
			gap = strtoll(optarg, NULL, 0);
			break;
		default:
			goto usage;
		}
	}
	if (!how || optind != argc - (how != 'c' && how != 'v'))
		goto usage;
	if (how == 'c') {
		count_coming(dev, ready);
		return 0;
	}
	if (how == 'v') {
		count_in_tap(dev, offloads, ready);
		return 0;
	}
	frames = read_frames(argv[optind]);
	if (how == 'o') {
		print_order(dev, ready, frames);
		return 0;
	}

	/* On one CPU, so that they cannot overtake each other before the qdisc */
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) ||
	    sched_setscheduler(0, SCHED_IDLE, &param))
		die("CPU");
	fd = how == 'i' ? packet_socket(dev, 0) :
	     how == 't' ? open_tap("/dev/net/tun", dev, flags) :
			  open_tap(dev, "", flags);
	tell(ready);
	while (how == 't' && read(STDIN_FILENO, &c, 1) > 0)
		;
	prctl(PR_SET_TIMERSLACK, 1UL);
	clock_gettime(CLOCK_MONOTONIC, &at);
	next = at.tv_sec * NSEC + at.tv_nsec;
	for (f = frames; f; f = f->next) {
		if (gap) {
			next += gap;
			at = (struct timespec) { next / NSEC, next % NSEC };
			while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
					       &at, NULL))
				;
		}
		send_frame(fd, f, how != 'i', keep);
	}
	return 0;
usage:
	fputs(usage, stderr);
	return opt == 'h' ? 0 : 1;
}
