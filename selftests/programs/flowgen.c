// SPDX-License-Identifier: GPL-2.0
/*
 * Send interleaved flows of packets, of UDP or of other kinds, from a packet
 * socket.
 *
 * The frames pass the device's qdisc like any others.  The payload contains the
 * flow of a packet, its number in the flow and the time of sending, so that flowcap
 * can report what happened to each of them on the way.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
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

#define ETHER	14
#define ROOM	256		/* for the headers of a frame */
#define BETWEEN	0xffff		/* the flow of packets sent before others */
#define GRAIN	4096		/* ns, of the times of a list */

/* A header, of which kinds of frames are composed */
static const struct layer {
	const char *name;
	uint16_t type;		/* the EtherType or IP protocol that it has */
	uint8_t len;
	/* offsets in the header: */
	uint8_t next;		/* of the field that names the next header */
	uint8_t addr;		/* of the address that depends on the flow, or 0 */
	uint8_t port;		/* of the port, plus 1, or 0 */
	uint8_t load;		/* of options with room for the payload, or 0 */
	uint8_t bytes[48];
	uint8_t twin;		/* as addr, once more */
} layers[] = {
	{ "vlan", 0x8100, 4, 2, .bytes = { 0, 5 } },
	{ "qinq", 0x88a8, 4, 2, .bytes = { 0, 6 } },
	{ "arp", 0x0806, 28, 0, 14, .bytes = { 0, 1, 8, 0, 6, 4, 0, 1 } },
	{ "ip4", 0x0800, 20, 9, 12, .bytes = { 0x45, [6] = 0x40, 0, 64 } },
	{ "ip4opt", 0x0800, 44, 9, 12, 0, 22,
	  .bytes = { 0x4b, [6] = 0x40, 0, 64, [20] = 30, 22, [42] = 1, 1 } },
	/* fragments whose offset is 0, 185 and 256 times 8 bytes */
	{ "ip4first", 0x0800, 20, 9, 12, .bytes = { 0x45, [6] = 0x20, 0, 64 } },
	{ "ip4later", 0x0800, 20, 9, 12, .bytes = { 0x45, [6] = 0, 185, 64 } },
	{ "ip4far", 0x0800, 20, 9, 12, .bytes = { 0x45, [6] = 1, 0, 64 } },
	{ "ip6", 0x86dd, 40, 6, 20,
	  .bytes = { 0x60, [7] = 64, 0xfd, [24] = 0xfd, [39] = 2 } },
	/* the XOR of the words of its source is 0 for every flow */
	{ "ip6twin", 0x86dd, 40, 6, 20, .twin = 16,
	  .bytes = { 0x60, [7] = 64, [24] = 0xfd, [39] = 2 } },
	{ "hop", 0, 32, 0, 0, 0, 4, .bytes = { 0, 3, 1, 28 } },
	{ "dst", 60, 32, 0, 0, 0, 4, .bytes = { 0, 3, 1, 28 } },
	{ "route", 43, 8, .bytes = { 0 } },
	{ "ah", 51, 24, .bytes = { 0, 4 } },
	/* all of a datagram, and fragments at 0, 185 and 1 times 8 bytes */
	{ "atomic", 44, 8, .bytes = { 0 } },
	{ "first", 44, 8, .bytes = { 0, 0, 0, 1 } },
	{ "later", 44, 8, .bytes = { 0, 0, 5, 0xc8 } },
	{ "near", 44, 8, .bytes = { 0, 0, 0, 8 } },
	{ "tcp", 6, 20, 0, 0, 1, .bytes = { 0, 0, 0, 9, [12] = 0x50 } },
	{ "udp", 17, 8, 0, 0, 1, .bytes = { 0, 0, 0, 9 } },
	/* where TCP would have its flags, all bits are set */
	{ "udpff", 17, 16, 0, 0, 1,
	  .bytes = { 0, 0, 0, 9, [8] = 255, 255, 255, 255, 255, 255, 255, 255 } },
	{ "echo6", 58, 8, .bytes = { 128 } },
	{ "mld", 58, 24, .bytes = { 132 } },
	{ "rs", 58, 8, .bytes = { 133 } },
	{ "ns", 58, 24, .bytes = { 135 } },
	{ "redirect", 58, 40, .bytes = { 137 } },
	{ "renumber", 58, 16, .bytes = { 138 } },
};

/* A frame without the fields that differ per packet; 0: no such offset */
struct kind {
	const char *name;
	struct kind *next;
	uint8_t bytes[ROOM];
	size_t len;
	size_t ip4, addr, twin, port, flags, load;
};

struct step {
	uint32_t flow;
	uint8_t flags;		/* of TCP */
	uint8_t prio;
	const char *name;	/* of the kind, or NULL */
	struct kind *kind;
	int64_t at;		/* ns after the start, or -1: now */
	size_t nr;
};

static const char usage[] =
"usage: flowgen -i DEV [options]\n"
"  -F FLOWS    number of flows (1)\n"
"  -n PACKETS  packets of each flow (1)\n"
"  -w ID:N     flow ID has N packets instead; may be repeated\n"
"  -T TRAIN    packets of a flow that are sent in a row (1)\n"
"  -o rr|random  order of the trains (rr); -s SEED for random (1)\n"
"  -x LIST     instead of these: ITEM,ITEM,... each at its time, where an item is\n"
"                FLOW@NS[+GAP*N]...[:FLAGS][/KIND]\n"
"              +GAP*N: N times all before it, every GAP ns.  FLAGS: of TCP, any\n"
"              of FSRPAUEC (A), and skb->priority, one digit\n"
"  -k KIND     kind of the packets (ip4.udp): headers, joined by dots, of\n"
"                vlan qinq arp ip4 ip4opt ip4first ip4later ip4far\n"
"                ip6 ip6twin hop dst route ah atomic first later near\n"
"                tcp udp udpff echo6 mld rs ns redirect renumber\n"
"              ip4opt, hop and dst have room for the payload in their options,\n"
"              so that what follows may be cut off by -l\n"
"  -b          before each packet one of another flow, at priority 7 and unnumbered\n"
"  -c NS       a closed loop: each packet so long after the last one has left\n"
"              the device\n"
"  -f ID       number of the first flow (0)\n"
"  -S SEQ      number of the first packet of each flow (0)\n"
"  -t MS       repeat for this long\n"
"  -g NS       gap between packets (0)\n"
"  -l BYTES    length of a frame (100)\n"
"  -m MAC      destination (02:00:00:00:00:02), -d IP (10.0.2.2)\n"
"  -p PRIO     skb->priority: a number, or a class as in 1:2\n"
"  -C CPU      run on this CPU, when nobody else wants to\n"
"  -W MS       linger before the end\n"
"Prints one JSON object: packets, runs, refused (or device down), bytes,\n"
"span_ns.\n";

static struct kind *kinds;
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

static struct step *add_step(uint32_t flow, int64_t at)
{
	if (nsteps == room) {
		room = room ? 2 * room : 1024;
		steps = realloc(steps, room * sizeof(*steps));
		if (!steps)
			die("realloc");
	}
	steps[nsteps] = (struct step) {
		.flow = flow, .flags = 0x10, .at = at, .nr = nsteps,
	};
	return &steps[nsteps++];
}

static void refuse(const char *what)
{
	fprintf(stderr, "flowgen: wrong %s\n%s", what, usage);
	exit(1);
}

static void parse_item(char *item)
{
	static const char letters[] = "FSRPAUEC";
	size_t from = nsteps, to, i;
	struct step *step;
	const char *letter;
	int64_t gap, n, k;
	char *end;

	step = add_step(strtoul(item, &end, 0), 0);
	if (*end != '@')
		refuse(item);
	step->at = strtoll(end + 1, &end, 0);
	letter = end + strcspn(end, ":/");
	if (*letter == ':') {
		step->flags = 0;
		while (*++letter && *letter != '/')
			if (isdigit(*letter))
				step->prio = *letter - '0';
			else if (strchr(letters, *letter))
				step->flags |=
					1 << (strchr(letters, *letter) - letters);
			else
				refuse(item);
		if (!step->flags)
			step->flags = 0x10;
	}
	if (*letter)
		step->name = letter + 1;
	while (*end == '+') {
		gap = strtoll(end + 1, &end, 0);
		if (*end != '*')
			refuse(item);
		n = strtoll(end + 1, &end, 0);
		to = nsteps;
		for (k = 1; k < n; k++)
			for (i = from; i < to; i++) {
				struct step copy = steps[i];

				step = add_step(0, 0);
				copy.at += k * gap;
				copy.nr = step->nr;
				*step = copy;
			}
	}
	if (*end && *end != ':' && *end != '/')
		refuse(item);
}

static int by_time(const void *a, const void *b)
{
	const struct step *s = a, *t = b;

	if (s->at != t->at)
		return s->at < t->at ? -1 : 1;
	return s->nr < t->nr ? -1 : 1;
}

static void parse_steps(char *list)
{
	char *item;

	for (item = strtok(list, ","); item; item = strtok(NULL, ","))
		parse_item(item);
	qsort(steps, nsteps, sizeof(*steps), by_time);
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

static void put16(uint8_t *p, uint16_t n)
{
	p[0] = n >> 8;
	p[1] = n;
}

static uint16_t ip_sum(const uint8_t *ip)
{
	uint32_t sum = 0;
	int i;

	for (i = 0; i < (ip[0] & 15) * 4; i += 2)
		sum += ip[i] << 8 | ip[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static void add_layer(struct kind *k, const struct layer *l, uint8_t **next,
		      size_t len, const uint8_t *dst)
{
	uint8_t *at = k->bytes + k->len;
	int rest = len - k->len;

	memcpy(at, l->bytes, l->len);
	if (l->type > 255)
		put16(*next, l->type);
	else
		**next = l->type;
	*next = at + l->next;
	if (l->addr)
		k->addr = k->len + l->addr;
	if (l->twin)
		k->twin = k->len + l->twin;
	if (l->port)
		k->port = k->len + l->port - 1;
	if (l->load && !k->load)
		k->load = k->len + l->load;
	switch (l->type) {
	case 0x0800:
		k->ip4 = k->len;
		memcpy(at + 16, dst, 4);
		put16(at + 2, rest);
		break;
	case 0x86dd:
		put16(at + 4, rest - l->len);
		break;
	case IPPROTO_TCP:
		k->flags = k->len + 13;
		break;
	case IPPROTO_UDP:
		put16(at + 4, rest);
		break;
	}
	k->len += l->len;
}

/* The frame of @len bytes whose layers have these names */
static struct kind *kind_of(const char *name, const uint8_t *ether, size_t len,
			    const uint8_t *dst)
{
	const struct layer *l, *end = layers + sizeof(layers) / sizeof(*layers);
	uint8_t *next;
	struct kind *k;
	size_t n;

	for (k = kinds; k; k = k->next)
		if (!strcmp(k->name, name))
			return k;
	k = calloc(1, sizeof(*k));
	if (!k)
		die("calloc");
	k->name = name;
	k->next = kinds;
	kinds = k;
	memcpy(k->bytes, ether, ETHER);
	k->len = ETHER;
	next = k->bytes + ETHER - 2;
	for (; *name; name += n + !!name[n]) {
		n = strcspn(name, ".");
		for (l = layers; l < end; l++)
			if (strlen(l->name) == n && !strncmp(l->name, name, n))
				break;
		if (l == end || k->len + l->len > ROOM)
			refuse(k->name);
		add_layer(k, l, &next, len, dst);
	}
	if (!k->load)
		k->load = k->len;
	if (k->load + sizeof(struct flow_payload) > len)
		refuse("length");
	return k;
}

/* The headers of a packet of a flow */
static void fill(uint8_t *frame, const struct kind *k, uint32_t id, uint8_t flags)
{
	memcpy(frame, k->bytes, k->len);
	if (k->addr) {
		put16(frame + k->addr, 0x0a80 + (id >> 16));
		put16(frame + k->addr + 2, id);
		if (k->twin)
			memcpy(frame + k->twin, frame + k->addr, 4);
	}
	if (k->port)
		put16(frame + k->port, 1024 + id % 60000);
	if (k->flags)
		frame[k->flags] = flags;
	if (k->ip4)
		put16(frame + k->ip4 + 10, ip_sum(frame + k->ip4));
}

static void set_priority(int fd, unsigned int priority)
{
	static unsigned int now;

	if (priority != now &&
	    setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority)))
		die("SO_PRIORITY");
	now = priority;
}

/* Wait until a packet with this payload leaves the device. */
static void wait_left(int fd, const struct kind *k, const void *load)
{
	uint8_t frame[ROOM + sizeof(struct flow_payload)];

	do {
		if (recv(fd, frame, sizeof(frame), 0) < 0)
			die("recv");
	} while (memcmp(frame + k->load, load, sizeof(struct flow_payload)));
}

int main(int argc, char **argv)
{
	uint64_t packets = 0, runs = 0, refused = 0;
	uint32_t flows = 1, count_all = 1, train = 1, first = 0, seq0 = 0;
	uint32_t len = 100, nspecial = 0, last_flow = 0, most, i;
	struct { uint32_t id, n; } special[64];
	struct sockaddr_ll to = { .sll_family = AF_PACKET };
	int64_t gap = 0, ms = 0, linger = 0, loop = -1, start, next;
	int opt, fd, watch = -1, timed, shuffle = 0, between = 0, big = 64 << 20;
	unsigned int mac[6] = { 2, 0, 0, 0, 0, 2 };
	unsigned int major, minor, prio = 0;
	const char *dev = NULL, *name = "ip4.udp";
	uint8_t ether[ETHER] = { [6] = 2, [11] = 1 };
	uint8_t dst[4] = { 10, 0, 2, 2 };
	static uint8_t frame[65536];
	struct flow_payload load = { .magic = htonl(FLOW_MAGIC) };
	uint32_t *count, *seq, *sent;
	uint64_t seed = 1;
	struct sched_param param = { 0 };
	cpu_set_t cpus;
	size_t s;

	while ((opt = getopt(argc, argv, "i:F:n:w:T:o:s:x:k:bc:f:S:t:g:l:m:d:p:C:W:h")) != -1) {
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
		case 'k':
			name = optarg;
			break;
		case 'b':
			between = 1;
			break;
		case 'c':
			loop = strtoll(optarg, NULL, 0);
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
			if (inet_pton(AF_INET, optarg, dst) != 1)
				goto usage;
			break;
		case 'p':
			if (sscanf(optarg, "%x:%x", &major, &minor) == 2)
				prio = major << 16 | minor;
			else
				prio = strtoul(optarg, NULL, 0);
			break;
		case 'C':
			CPU_ZERO(&cpus);
			CPU_SET(atoi(optarg), &cpus);
			/* Do not outrun the softirqs that receive the packets. */
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
	if (!dev || !flows || !train || !seed || len > sizeof(frame))
		goto usage;
	for (i = 0; i < 6; i++)
		ether[i] = mac[i];

	timed = nsteps || loop >= 0;
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
	for (s = 0; s < nsteps; s++)
		steps[s].kind = kind_of(steps[s].name ?: name, ether, len, dst);

	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0)
		die("socket");
	/* Held packets are charged to the socket; do not wait for them. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big)))
		die("SO_SNDBUFFORCE");
	to.sll_ifindex = if_nametoindex(dev);
	if (!to.sll_ifindex)
		die(dev);
	if (bind(fd, (struct sockaddr *)&to, sizeof(to)))
		die("bind");
	if (loop >= 0) {
		watch = socket(AF_PACKET, SOCK_RAW, 0);
		to.sll_protocol = htons(ETH_P_ALL);
		if (watch < 0 ||
		    bind(watch, (struct sockaddr *)&to, sizeof(to)))
			die("socket");
	}

	prctl(PR_SET_TIMERSLACK, 1UL);
	start = now(CLOCK_MONOTONIC);
	/*
	 * The first packet of a list shall leave like the following ones.  In virtual
	 * time the list shall lie between two ticks of the kernel, which wake other
	 * processes, and its times shall be multiples of GRAIN.
	 */
	if (timed)
		start = ((start / TICK + 1) * TICK + TICK / 10) & -GRAIN;
	next = start;
again:
	for (s = 0; s < nsteps; s++) {
		uint32_t flow = steps[s].flow, id = first + flow;
		const struct kind *k = steps[s].kind;
		unsigned int class = steps[s].prio ?: prio;

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
			if (between) {
				fill(frame, k, BETWEEN, steps[s].flags);
				memset(frame + k->load, 0, sizeof(load));
				set_priority(fd, 7);
				if (send(fd, frame, len, 0) < 0)
					die("send");
			}
			fill(frame, k, id, steps[s].flags);
			set_priority(fd, class);
			load.flow = htonl(id);
			load.seq = htonl(seq[flow]++);
			load.sent_ns = now(CLOCK_REALTIME);
			memcpy(frame + k->load, &load, sizeof(load));
			if (send(fd, frame, len, 0) < 0) {
				if (errno != ENOBUFS && errno != ENETDOWN)
					die("send");
				refused++;
			} else if (loop >= 0) {
				wait_left(watch, k, &load);
				next = now(CLOCK_MONOTONIC) + loop + GRAIN - 1;
				sleep_until(next & -GRAIN);
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
