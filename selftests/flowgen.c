// SPDX-License-Identifier: GPL-2.0
/*
 * Send interleaved flows of UDP packets from a packet socket.
 *
 * The frames pass the device's qdisc like any others.  The payload says which
 * flow a packet belongs to, its number in the flow and when it was sent, so
 * that flowcap can tell what happened to each of them on the way.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "flow.h"

#define NSEC	1000000000LL
#define TICK	10000000LL	/* HZ=100 */

struct frame {
	struct ether_header eth;
	struct iphdr ip;
	struct udphdr udp;
	struct flow_payload load;
	uint8_t pad[65536];
} __attribute__((packed));

#define HEADERS	(offsetof(struct frame, pad))

struct step {
	uint32_t flow;
	int64_t at;		/* ns after the start, or -1: now */
};

static const char usage[] =
"usage: flowgen -i DEV [options]\n"
"  -F FLOWS    number of flows (1)\n"
"  -n PACKETS  packets of each flow (1)\n"
"  -w ID:N     flow ID has N packets instead; may be repeated\n"
"  -T TRAIN    packets of a flow that are sent in a row (1)\n"
"  -o rr|random  order of the trains (rr); -s SEED for random (1)\n"
"  -x LIST     instead of these: FLOW@NS,FLOW@NS,... each at its time\n"
"  -f ID       number of the first flow (0)\n"
"  -S SEQ      number of the first packet of each flow (0)\n"
"  -t MS       repeat for this long\n"
"  -g NS       gap between packets (0)\n"
"  -l BYTES    length of a frame (100)\n"
"  -m MAC      destination (02:00:00:00:00:02), -d IP (10.0.2.2)\n"
"  -p CLASSID  skb->priority, as in 1:2, which selects a class\n"
"  -C CPU      run on this CPU, when nobody else wants to\n"
"  -W MS       linger before the end\n"
"Prints one JSON object: packets, runs, refused (by the qdisc), bytes, span_ns.\n";

static struct step *steps;
static size_t nsteps, room;

static void die(const char *what)
{
	fprintf(stderr, "flowgen: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * NSEC + ts.tv_nsec;
}

static void sleep_until(int64_t ns)
{
	struct timespec ts = { ns / NSEC, ns % NSEC };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
		;
}

static uint64_t prng(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void add_step(uint32_t flow, int64_t at)
{
	if (nsteps == room) {
		room = room ? 2 * room : 1024;
		steps = realloc(steps, room * sizeof(*steps));
		if (!steps)
			die("realloc");
	}
	steps[nsteps].flow = flow;
	steps[nsteps++].at = at;
}

static void parse_steps(char *list)
{
	char *item, *end;

	for (item = strtok(list, ","); item; item = strtok(NULL, ",")) {
		uint32_t flow = strtoul(item, &end, 0);

		if (*end != '@') {
			fputs(usage, stderr);
			exit(1);
		}
		add_step(flow, strtoll(end + 1, NULL, 0));
	}
}

/* Trains are one step each here; play() sends the rest of the train. */
static void plan(uint32_t flows, const uint32_t *count, uint32_t train,
		 int shuffle, uint64_t seed)
{
	uint32_t flow, round, more = 1;
	size_t i;

	for (round = 0; more; round++) {
		more = 0;
		for (flow = 0; flow < flows; flow++) {
			if ((uint64_t)round * train >= count[flow])
				continue;
			add_step(flow, -1);
			more = 1;
		}
	}
	for (i = nsteps; shuffle && i > 1; i--) {
		size_t j = prng(&seed) % i;
		struct step tmp = steps[i - 1];

		steps[i - 1] = steps[j];
		steps[j] = tmp;
	}
}

static uint16_t ip_sum(const void *ip)
{
	uint16_t w[10];
	uint32_t sum = 0;
	int i;

	memcpy(w, ip, sizeof(w));
	for (i = 0; i < 10; i++)
		sum += w[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

int main(int argc, char **argv)
{
	uint64_t packets = 0, runs = 0, refused = 0;
	uint32_t flows = 1, count_all = 1, train = 1, first = 0, seq0 = 0;
	uint32_t len = 100, nspecial = 0, last_flow = 0, most, i;
	struct { uint32_t id, n; } special[64];
	struct sockaddr_ll to = { .sll_family = AF_PACKET };
	int64_t gap = 0, ms = 0, linger = 0, start, next;
	int opt, fd, shuffle = 0, big = 64 << 20;
	unsigned int mac[6] = { 2, 0, 0, 0, 0, 2 };
	unsigned int major, minor, prio = 0;
	const char *dev = NULL, *dst = "10.0.2.2";
	static struct frame f;
	uint32_t *count, *seq, *sent;
	uint64_t seed = 1;
	struct sched_param param = { 0 };
	cpu_set_t cpus;
	size_t s;

	while ((opt = getopt(argc, argv, "i:F:n:w:T:o:s:x:f:S:t:g:l:m:d:p:C:W:h")) != -1) {
		switch (opt) {
		case 'i':
			dev = optarg;
			break;
		case 'F':
			flows = strtoul(optarg, NULL, 0);
			break;
		case 'n':
			count_all = strtoul(optarg, NULL, 0);
			break;
		case 'w':
			if (nspecial == 64 ||
			    sscanf(optarg, "%u:%u", &special[nspecial].id,
				   &special[nspecial].n) != 2)
				goto usage;
			nspecial++;
			break;
		case 'T':
			train = strtoul(optarg, NULL, 0);
			break;
		case 'o':
			shuffle = !strcmp(optarg, "random");
			if (!shuffle && strcmp(optarg, "rr"))
				goto usage;
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'x':
			parse_steps(optarg);
			break;
		case 'f':
			first = strtoul(optarg, NULL, 0);
			break;
		case 'S':
			seq0 = strtoul(optarg, NULL, 0);
			break;
		case 't':
			ms = strtoll(optarg, NULL, 0);
			break;
		case 'g':
			gap = strtoll(optarg, NULL, 0);
			break;
		case 'l':
			len = strtoul(optarg, NULL, 0);
			break;
		case 'm':
			if (sscanf(optarg, "%x:%x:%x:%x:%x:%x", &mac[0],
				   &mac[1], &mac[2], &mac[3], &mac[4],
				   &mac[5]) != 6)
				goto usage;
			break;
		case 'd':
			dst = optarg;
			break;
		case 'p':
			if (sscanf(optarg, "%x:%x", &major, &minor) != 2)
				goto usage;
			prio = major << 16 | minor;
			break;
		case 'C':
			CPU_ZERO(&cpus);
			CPU_SET(atoi(optarg), &cpus);
			/* Not ahead of the softirqs that take the packets. */
			if (sched_setaffinity(0, sizeof(cpus), &cpus) ||
			    sched_setscheduler(0, SCHED_IDLE, &param))
				die("CPU");
			break;
		case 'W':
			linger = strtoll(optarg, NULL, 0);
			break;
		default:
			goto usage;
		}
	}
	if (!dev || !flows || !train || !seed || len < HEADERS ||
	    len > sizeof(f))
		goto usage;

	if (nsteps) {
		flows = 0;
		for (s = 0; s < nsteps; s++)
			if (steps[s].flow >= flows)
				flows = steps[s].flow + 1;
		count_all = UINT32_MAX;
		train = 1;
	}
	count = calloc(flows, sizeof(*count));
	seq = calloc(flows, sizeof(*seq));
	sent = calloc(flows, sizeof(*sent));
	if (!count || !seq || !sent)
		die("calloc");
	for (i = 0; i < flows; i++) {
		count[i] = count_all;
		seq[i] = seq0;
	}
	for (i = 0; i < nspecial; i++)
		if (special[i].id < flows)
			count[special[i].id] = special[i].n;
	if (!nsteps)
		plan(flows, count, train, shuffle, seed);

	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0)
		die("socket");
	/* Held packets are charged to the socket: do not wait for them. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big)))
		die("SO_SNDBUFFORCE");
	if (prio && setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &prio, sizeof(prio)))
		die("SO_PRIORITY");
	to.sll_ifindex = if_nametoindex(dev);
	to.sll_protocol = htons(ETH_P_IP);
	if (!to.sll_ifindex)
		die(dev);
	if (bind(fd, (struct sockaddr *)&to, sizeof(to)))
		die("bind");

	for (i = 0; i < 6; i++)
		f.eth.ether_dhost[i] = mac[i];
	f.eth.ether_shost[0] = 2;
	f.eth.ether_shost[5] = 1;
	f.eth.ether_type = htons(ETH_P_IP);
	f.ip.version = 4;
	f.ip.ihl = 5;
	f.ip.ttl = 64;
	f.ip.protocol = IPPROTO_UDP;
	f.ip.frag_off = htons(IP_DF);
	f.ip.tot_len = htons(len - sizeof(f.eth));
	if (inet_pton(AF_INET, dst, &f.ip.daddr) != 1)
		goto usage;
	f.udp.dest = htons(9);
	f.udp.len = htons(len - sizeof(f.eth) - sizeof(f.ip));
	f.load.magic = htonl(FLOW_MAGIC);

	prctl(PR_SET_TIMERSLACK, 1UL);
	start = now(CLOCK_MONOTONIC);
	/*
	 * The first packet of a list shall leave like those that follow, and in
	 * virtual time the list shall lie between two ticks of the kernel, which
	 * wake others, with the times on the grain of the clock.
	 */
	if (count_all == UINT32_MAX)
		start = ((start / TICK + 1) * TICK + TICK / 10) & ~4095LL;
	next = start;
again:
	for (s = 0; s < nsteps; s++) {
		uint32_t flow = steps[s].flow;

		if (steps[s].at >= 0)
			sleep_until(start + steps[s].at);
		most = count[flow] - sent[flow];
		for (i = 0; i < train && i < most; i++) {
			if (gap) {
				sleep_until(next);
				next += gap;
			}
			if (!packets || flow != last_flow)
				runs++;
			last_flow = flow;
			f.ip.saddr = htonl(0x0a800000 + first + flow);
			f.ip.check = 0;
			f.ip.check = ip_sum(&f.ip);
			f.udp.source = htons(1024 + (first + flow) % 60000);
			f.load.flow = htonl(first + flow);
			f.load.seq = htonl(seq[flow]++);
			f.load.sent_ns = now(CLOCK_REALTIME);
			if (send(fd, &f, len, 0) < 0) {
				if (errno != ENOBUFS)
					die("send");
				refused++;
			}
			packets++;
			sent[flow]++;
		}
	}
	if (ms && now(CLOCK_MONOTONIC) < start + ms * 1000000) {
		memset(sent, 0, flows * sizeof(*sent));
		goto again;
	}
	if (linger)
		sleep_until(now(CLOCK_MONOTONIC) + linger * 1000000);
	printf("{\"packets\":%llu,\"runs\":%llu,\"refused\":%llu,",
	       (unsigned long long)packets, (unsigned long long)runs,
	       (unsigned long long)refused);
	printf("\"bytes\":%llu,\"span_ns\":%lld}\n",
	       (unsigned long long)packets * len,
	       (long long)(now(CLOCK_MONOTONIC) - start));
	return 0;
usage:
	fputs(usage, stderr);
	return opt == 'h' ? 0 : 1;
}
