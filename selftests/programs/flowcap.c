// SPDX-License-Identifier: GPL-2.0
/*
 * Capture the packets of flowgen that arrive at (or leave) a device, and print their
 * order, their grouping, and how long each took, from the sender's time stamp to the
 * kernel's time of arrival.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "flow.h"

#define NSEC	1000000000LL

struct flow {
	uint32_t next;			/* 1 + the highest number seen */
	uint32_t packets;
	uint32_t unique;
	uint8_t *seen;
	uint32_t seen_room;
};

static const char usage[] =
"usage: flowcap -i DEV [options]\n"
"  -n PACKETS  stop after that many packets of flowgen\n"
"  -w MS       after SIGTERM, stop when no packet came for MS (100)\n"
"  -r FILE     create FILE when the capture runs\n"
"  -L FILE     write a line for each packet: flow seq sent_ns arrived_ns len\n"
"  -c          print the packets of each flow, too\n"
"Prints one JSON object: packets, runs, locality, flows, reordered, duplicates,\n"
"missing, hold_ns (min, mean, max), other (packets, bytes, max_len), lost.\n";

static volatile sig_atomic_t stopping;
static struct flow *flows;
static uint32_t nflows;

static void on_signal(int sig)
{
	(void)sig;
	stopping = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "flowcap: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *grow(void *p, size_t size, size_t old, size_t new)
{
	p = realloc(p, new * size);
	if (!p)
		die("realloc");
	memset((char *)p + old * size, 0, (new - old) * size);
	return p;
}

static struct flow *flow_of(uint32_t id)
{
	if (id >= nflows) {
		uint32_t more = id + 1 > 2 * nflows ? id + 1 : 2 * nflows;

		flows = grow(flows, sizeof(*flows), nflows, more);
		nflows = more;
	}
	return &flows[id];
}

/* Returns 1 for a packet seen before. */
static int mark_seen(struct flow *f, uint32_t seq)
{
	if (seq / 8 >= f->seen_room) {
		uint32_t more = 2 * (seq / 8 + 8);

		f->seen = grow(f->seen, 1, f->seen_room, more);
		f->seen_room = more;
	}
	if (f->seen[seq / 8] & 1 << seq % 8)
		return 1;
	f->seen[seq / 8] |= 1 << seq % 8;
	return 0;
}

/* Find the payload behind any headers. */
static int find_load(const uint8_t *frame, ssize_t len,
		     struct flow_payload *load)
{
	uint32_t magic = htonl(FLOW_MAGIC);
	const uint8_t *at;

	if (len > FLOW_SEARCH)
		len = FLOW_SEARCH;
	at = memmem(frame, len, &magic, sizeof(magic));
	if (!at || frame + len - at < (ssize_t)sizeof(*load))
		return 0;
	memcpy(load, at, sizeof(*load));
	return 1;
}

int main(int argc, char **argv)
{
	unsigned long long packets = 0, runs = 0, reordered = 0, dups = 0;
	unsigned long long missing = 0, other = 0, other_bytes = 0, want = 0;
	unsigned long long active = 0;
	long long hold_min = INT64_MAX, hold_max = INT64_MIN, hold_sum = 0;
	int opt, fd, on = 1, big = 256 << 20, wait_ms = 100, counts = 0;
	struct sockaddr_ll from = { .sll_family = AF_PACKET };
	const char *dev = NULL, *ready = NULL, *list_name = NULL;
	uint32_t last_flow = 0, other_max = 0, i;
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t block, orig;
	struct tpacket_stats st;
	socklen_t st_len = sizeof(st);
	FILE *list = NULL;

	while ((opt = getopt(argc, argv, "i:n:w:r:L:ch")) != -1) {
		switch (opt) {
		case 'i':
			dev = optarg;
			break;
		case 'n':
			want = strtoull(optarg, NULL, 0);
			break;
		case 'w':
			wait_ms = atoi(optarg);
			break;
		case 'r':
			ready = optarg;
			break;
		case 'L':
			list_name = optarg;
			break;
		case 'c':
			counts = 1;
			break;
		default:
			goto usage;
		}
	}
	if (!dev)
		goto usage;
	if (list_name) {
		list = fopen(list_name, "w");
		if (!list)
			die(list_name);
	}

	/* Signals are only delivered in ppoll(), so that none is missed. */
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGINT);
	sigprocmask(SIG_BLOCK, &block, &orig);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);

	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0)
		die("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big)))
		die("SO_RCVBUFFORCE");
	if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)))
		die("SO_TIMESTAMPNS");
	from.sll_ifindex = if_nametoindex(dev);
	from.sll_protocol = htons(ETH_P_ALL);
	if (!from.sll_ifindex)
		die(dev);
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)))
		die("bind");
	if (ready) {
		int r = open(ready, O_CREAT | O_WRONLY, 0600);

		if (r < 0)
			die(ready);
		close(r);
	}

	while (!want || packets < want) {
		uint8_t frame[FLOW_SEARCH];
		struct flow_payload load;
		char control[256];
		struct iovec iov = { frame, sizeof(frame) };
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		struct timespec idle = { wait_ms / 1000,
					 wait_ms % 1000 * 1000000L };
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		struct timespec ts = { 0 };
		struct cmsghdr *c;
		long long hold, at;
		struct flow *flow;
		uint32_t seq, id;
		ssize_t len;

		len = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_TRUNC);
		if (len < 0) {
			int n;

			if (errno != EAGAIN && errno != ENETDOWN)
				die("recvmsg");
			n = ppoll(&pfd, 1, stopping ? &idle : NULL, &orig);
			if (n < 0 && errno != EINTR)
				die("ppoll");
			if (!n)
				break;
			continue;
		}
		if (!find_load(frame, len, &load)) {
			other++;
			other_bytes += len;
			if (len > other_max)
				other_max = len;
			continue;
		}
		for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
			if (c->cmsg_level == SOL_SOCKET &&
			    c->cmsg_type == SCM_TIMESTAMPNS)
				memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		at = ts.tv_sec * NSEC + ts.tv_nsec;
		id = ntohl(load.flow);
		seq = ntohl(load.seq);
		hold = at - load.sent_ns;
		if (hold < hold_min)
			hold_min = hold;
		if (hold > hold_max)
			hold_max = hold;
		hold_sum += hold;
		if (!packets++ || id != last_flow)
			runs++;
		last_flow = id;
		flow = flow_of(id);
		flow->packets++;
		if (mark_seen(flow, seq))
			dups++;
		else
			flow->unique++;
		if (seq + 1 > flow->next)
			flow->next = seq + 1;
		else
			reordered++;
		if (list)
			fprintf(list, "%u %u %lld %lld %zd\n", id, seq,
				(long long)load.sent_ns, at, len);
	}

	if (list && fclose(list))
		die(list_name);
	for (i = 0; i < nflows; i++) {
		missing += flows[i].next - flows[i].unique;
		active += !!flows[i].packets;
	}
	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &st_len))
		die("PACKET_STATISTICS");
	if (!packets) {
		hold_min = 0;
		hold_max = 0;
	}
	printf("{\"packets\":%llu,\"runs\":%llu,\"locality\":%.3f,\"flows\":%llu,",
	       packets, runs, runs ? (double)packets / runs : 0, active);
	printf("\"reordered\":%llu,\"duplicates\":%llu,\"missing\":%llu,",
	       reordered, dups, missing);
	printf("\"hold_ns\":{\"min\":%lld,\"mean\":%lld,\"max\":%lld},",
	       hold_min, packets ? hold_sum / (long long)packets : 0, hold_max);
	printf("\"other\":{\"packets\":%llu,\"bytes\":%llu,\"max_len\":%u},",
	       other, other_bytes, other_max);
	if (counts) {
		printf("\"counts\":[");
		for (i = 0; i < nflows; i++)
			printf("%s%u", i ? "," : "", flows[i].packets);
		printf("],");
	}
	printf("\"lost\":%u}\n", st.tp_drops);
	return 0;
usage:
	fputs(usage, stderr);
	return opt == 'h' ? 0 : 1;
}
