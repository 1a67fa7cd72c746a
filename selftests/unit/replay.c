// SPDX-License-Identifier: GPL-2.0
/*
 * The engine under traffic: how well does it group, and which packets does it delay?
 *
 * Feeds the engine as the qdisc does, with recorded arrivals (tables/) and synthetic
 * ones, in simulated time: only waiting takes time, the timer is exact, and the
 * device accepts every packet.  All runs are repeatable.
 * docs/adaptive.md has the results.
 *
 * Other predictors than the engine's own are here: they see every packet and turn
 * those that they would not hold into control packets, with `noadaptive`.  So all
 * runs differ only in these decisions.
 */
#include <stdlib.h>

#include "kernel.h"
#include "ktap.h"

static void on_release(const struct sk_buff *head, u32 packets, u64 hold);
#define reframer_on_release(e, head, packets, bytes, hold, reason)	\
	on_release(head, packets, hold)
static u64 reframer_clock(void);
static bool timer_queued(void);
static void timer_arm(u64 expires);
#define reframer_timer_queued(e)	timer_queued()
#define reframer_timer_arm(e, expires)	timer_arm(expires)
#define reframer_timer_latency(e)		0	/* never */
#define reframer_may_bypass(e)		may_bypass
static bool may_bypass;			/* the qdisc is not below another one */
#include "reframer_engine.h"
#include "reframer_options.h"
#include "optimum.h"

static u32 random_below(u32 n);
#include "campus.h"

#ifndef TABLES
#define TABLES		"tables"
#endif

#define US		1000ULL
#define DELAY		(64 * US)
#define PACKETS		40000	/* of synthetic traffic */
#define CAMPUS_PACKETS	400000
#define TRAINS_MAX	1024
#define POLL		64	/* packets that a receiver polls at once */
#define GRO_LISTS	8
#define GRO_FLOWS	8
#define CLIENTS_MAX	64
#define WINDOW_MAX	16	/* packets of a client under way */

/* The predictors */
#define GAP_WEIGHT	8	/* a new gap counts one eighth */
#define GAP_MAX		(8 * DELAY)
#define COUNTER_MAX	3
#define COUNTER_PROBE	16	/* without credit, one packet of so many is held */

enum predictor {
	SHIPPED,		/* the engine's own */
	GAP,			/* expects the mean of the gaps so far */
	GAP_TWICE,		/* the same, holds for gaps up to twice the delay */
	COUNTER,		/* counts paid holds; probes by holding */
	ALWAYS,			/* noadaptive */
	NEVER,
	ORACLE,			/* knows whether a second packet will come */
	PREDICTORS
};

static const char *const predictor_name[PREDICTORS] = {
	"shipped", "gap", "gap-twice", "counter", "always", "never", "oracle"
};

struct arrival {
	u64 at;			/* ns */
	u64 next;		/* of its flow, U64_MAX if none */
	u32 flow;
	u32 bytes;
	u32 number;		/* keeps the order of those at the same time */
	u8 flush;		/* enum reframer_flush */
	bool mouse;		/* its flow cannot gain from holding */
	bool merges;		/* GRO could merge it with the one before it of its flow, if any */
};

/* Senders that wait for an answer before they send again */
struct clients {
	u32 n;
	u64 rtt;		/* ns from a packet's release to the next one */
	u64 jitter;		/* up to so much more */
	u32 batch;		/* packets of a request, sent together */
	bool ack;		/* each packet calls for one, as TCP's ACKs do */
};

struct traffic {
	const char *name;
	struct arrival *arrival;
	u32 arrivals;		/* when they end, so do the clients */
	u32 n;			/* of all packets, the most */
	u32 flows;
	bool nopush;
	struct clients clients;
};

/* The state of a flow for predictors other than the engine's */
struct guess {
	u64 last;		/* arrival */
	u64 gap;
	bool seen, seen_gap;
	u8 credit;
	u8 probe;		/* packets until the next one */
};

struct client {
	u64 due[WINDOW_MAX];
	u32 first, n;
	u32 released;		/* of the request that is under way */
};

struct packet {
	struct sk_buff skb;	/* first */
	struct arrival arrival;
};

/* Lengths of segments whose cost `scripts/bench chain-cost` measures */
static const u32 lengths[] = { 1, 2, 3, 4, 8, 16, 32 };

#define LENGTHS		ARRAY_SIZE(lengths)

struct run {
	struct reframer_engine e;
	const struct traffic *t;
	enum predictor predictor;
	struct packet *packet;
	struct guess *guess;
	struct client client[CLIENTS_MAX];
	u32 n, arrivals;	/* packets so far, and arrivals of them */
	u64 now;
	u64 timer_at;
	bool timer_queued;
	u64 clocks;
	u64 hold, hold_max;	/* of packets, ns */
	u32 *holds;		/* ns, of each packet */
	u32 left, waited, alone, merged, runs, last_flow;
	u32 segments;		/* that a receiver's GRO makes of the packets */
	struct merging {
		u32 flow, packets;
	} merging[GRO_LISTS][GRO_FLOWS];	/* GRO's, the oldest first */
	u32 polled;
	double lengths[LENGTHS];	/* segments of so many packets */
	u64 mice, mice_hold, mice_hold_max;
	u64 answered;		/* packets of clients */
	u64 bypassed;		/* the qdisc, as it stood aside */
};

static struct run r;

/* Options that are not in struct traffic */
static u32 delay = DELAY;
static u32 burst_max = REFRAMER_BURST_DEFAULT;
static bool nopush;

/*
 * The predictors
 */

static bool measures_gaps(void)
{
	return r.predictor == GAP || r.predictor == GAP_TWICE;
}

/* For the engine; predictors that measure gaps have read the clock already. */
static u64 reframer_clock(void)
{
	r.clocks += !measures_gaps();
	return r.now;
}

static bool timer_queued(void)
{
	return r.timer_queued;
}

static void timer_arm(u64 expires)
{
	r.timer_queued = true;
	r.timer_at = expires;
}

/* Called for every packet, before it joins its flow. */
static void guess_arrival(struct guess *g)
{
	u64 gap = min_t(u64, r.now - g->last, GAP_MAX);

	if (g->seen_gap)
		g->gap = (g->gap * (GAP_WEIGHT - 1) + gap) / GAP_WEIGHT;
	else if (g->seen)
		g->gap = gap;
	g->seen_gap = g->seen;
	g->seen = true;
	g->last = r.now;
}

/* Shall the first packet of an IDLE flow be held? */
static bool guess_hold(struct guess *g, const struct arrival *a)
{
	switch (r.predictor) {
	case GAP:
		return g->seen_gap && g->gap <= r.e.conf.delay;
	case GAP_TWICE:
		return g->seen_gap && g->gap <= 2 * r.e.conf.delay;
	case COUNTER:
		if (g->credit)
			return true;
		if (!g->seen) {		/* the first one goes, then a probe */
			g->seen = true;
			return false;
		}
		if (g->probe--)
			return false;
		g->probe = COUNTER_PROBE - 1;
		return true;
	case NEVER:
		return false;
	case ORACLE:
		return a->next - a->at <= r.e.conf.delay;
	default:
		return true;
	}
}

static void on_release(const struct sk_buff *head, u32 packets, u64 hold)
{
	const struct packet *p = (const struct packet *)head;
	struct guess *g = &r.guess[p->arrival.flow];

	r.alone += hold && packets == 1;
	if (r.predictor != COUNTER)
		return;
	if (packets > 1) {
		if (g->credit < COUNTER_MAX)
			g->credit++;
	} else if (hold && hold >= r.e.conf.delay / 2 && g->credit) {
		g->credit--;
	}
}

/*
 * enqueue() and dequeue() of the qdisc.  Never inline, so that a profiler can count them.
 */

static noinline void enqueue(struct packet *p, u32 hash,
			     enum reframer_flush flush)
{
	struct reframer_engine *e = &r.e;
	u32 slot = reframer_flow_find(e, hash);

	if (r.predictor != SHIPPED) {
		struct guess *g = &r.guess[p->arrival.flow];

		if (measures_gaps()) {
			guess_arrival(g);
			r.clocks++;
		}
		if (!flush && !e->flows[slot].qlen && !guess_hold(g, &p->arrival))
			flush = REFRAMER_FLUSH_CONTROL;
	}
	reframer_arrive(e, slot, &p->skb, hash, flush);
}

static noinline struct packet *dequeue(void)
{
	bool due = reframer_check_due(&r.e);

	return reframer_is_idle(&r.e, due) ?
	       NULL : (struct packet *)reframer_next(&r.e, due);
}

/*
 * The loop
 */

static void client_send(u32 client, u64 at)
{
	struct client *c = &r.client[client];

	assert(c->n < WINDOW_MAX);
	/* in order, whatever the jitter says */
	if (c->n)
		at = at > c->due[(c->first + c->n - 1) % WINDOW_MAX] ? at :
		     c->due[(c->first + c->n - 1) % WINDOW_MAX];
	c->due[(c->first + c->n++) % WINDOW_MAX] = at;
}

static void client_request(u32 client, u64 at)
{
	u32 i;

	for (i = 0; i < r.t->clients.batch; i++)
		client_send(client, at + i * US);
}

static void client_released(u32 client)
{
	const struct clients *conf = &r.t->clients;
	u64 at = r.now + conf->rtt + below(conf->jitter);

	if (conf->ack) {
		client_send(client, at);
	} else if (++r.client[client].released == conf->batch) {
		r.client[client].released = 0;
		client_request(client, at);
	}
}

/* The client that sends the next packet, or -1 */
static int client_next(u64 *at)
{
	int i, next = -1;

	for (i = 0; i < (int)r.t->clients.n; i++) {
		const struct client *c = &r.client[i];

		if (c->n && (next < 0 || c->due[c->first] < *at)) {
			next = i;
			*at = c->due[c->first];
		}
	}
	return next;
}

/* The next packet, if it comes before the timer */
static struct packet *arrival_next(void)
{
	const struct traffic *t = r.t;
	struct packet *p = &r.packet[r.n];
	u64 at = U64_MAX;
	int client;

	if (r.n == t->n || (t->arrivals && r.arrivals == t->arrivals))
		return NULL;
	client = client_next(&at);
	if (t->arrivals && t->arrival[r.arrivals].at <= at) {
		client = -1;
		at = t->arrival[r.arrivals].at;
	}
	if (at == U64_MAX || (r.timer_queued && r.timer_at <= at))
		return NULL;
	if (client < 0) {
		p->arrival = t->arrival[r.arrivals++];
	} else {
		struct client *c = &r.client[client];

		c->first = (c->first + 1) % WINDOW_MAX;
		c->n--;
		p->arrival = (struct arrival) { .at = at, .next = U64_MAX,
			.flow = client, .bytes = 100 };
	}
	r.n++;
	return p;
}

/* Pseudo-random: some flows share a set. */
static u32 flow_hash(u32 flow)
{
	u32 x = flow + 1;

	x = (x ^ x >> 16) * 0x85ebca6b;
	x = (x ^ x >> 13) * 0xc2b2ae35;
	return x ^ x >> 16;
}

/*
 * A segment of @n packets counts as two of the nearest lengths, so that its cost is
 * interpolated: that of a whole segment is linear between them.
 */
static void segment(u32 n)
{
	u32 i = 1;
	double share;

	while (i < LENGTHS - 1 && lengths[i] < n)
		i++;
	share = ((double)n - lengths[i - 1]) / (lengths[i] - lengths[i - 1]);
	r.lengths[i] += share;
	r.lengths[i - 1] += 1 - share;
	r.segments++;
}

static void end_poll(void)
{
	u32 i, j;

	for (i = 0; i < GRO_LISTS; i++)
		for (j = 0; j < GRO_FLOWS; j++)
			if (r.merging[i][j].packets)
				segment(r.merging[i][j].packets);
	memset(r.merging, 0, sizeof(r.merging));
	r.polled = 0;
}

/*
 * GRO of a receiver under load, which polls 64 packets at once: eight lists by hash, as from
 * a NIC, of at most eight flows.
 */
static void receive(const struct arrival *a)
{
	struct merging *list = r.merging[flow_hash(a->flow) % GRO_LISTS];
	u32 i;

	for (i = 0; i < GRO_FLOWS; i++)
		if (list[i].packets && list[i].flow == a->flow)
			break;
	if (i < GRO_FLOWS && a->merges) {
		list[i].packets++;
	} else {
		if (i == GRO_FLOWS)
			i = 0;
		if (list[i].packets)
			segment(list[i].packets);
		/* the youngest is the last */
		memmove(&list[i], &list[i + 1], (GRO_FLOWS - 1 - i) * sizeof(*list));
		list[GRO_FLOWS - 1] = (struct merging) { a->flow, 1 };
	}
	if (++r.polled == POLL)
		end_poll();
}

static void leave(struct packet *p)
{
	u64 hold = r.now - p->arrival.at;

	r.merged += p->arrival.merges && r.left &&
		    p->arrival.flow == r.last_flow;
	r.runs += !r.left || p->arrival.flow != r.last_flow;
	r.last_flow = p->arrival.flow;
	r.holds[r.left++] = hold;
	receive(&p->arrival);
	r.waited += !!hold;
	r.hold += hold;
	if (hold > r.hold_max)
		r.hold_max = hold;
	if (p->arrival.mouse) {
		r.mice++;
		r.mice_hold += hold;
		if (hold > r.mice_hold_max)
			r.mice_hold_max = hold;
	}
	if (p->arrival.flow < r.t->clients.n) {
		r.answered++;
		client_released(p->arrival.flow);
	}
}

static void run(const struct traffic *t, enum predictor which, u32 slack)
{
	struct packet *p;
	size_t sets, slots;
	u32 i;

	free(r.packet);
	free(r.guess);
	free(r.holds);
	free(r.e.sets);
	free(r.e.flows);
	r = (struct run) {
		.t = t, .predictor = which,
		.packet = calloc(t->n, sizeof(*r.packet)),
		.guess = calloc(t->flows, sizeof(*r.guess)),
		.holds = calloc(t->n, sizeof(*r.holds)),
		.now = US,
		.e.conf = reframer_defaults,
	};
	r.e.conf.delay = delay;
	r.e.conf.slack = slack;
	r.e.conf.burst = burst_max;
	r.e.conf.adaptive = which == SHIPPED;
	r.e.conf.push = !t->nopush && !nopush;
	sets = reframer_sets(&r.e.conf) * sizeof(*r.e.sets);
	slots = r.e.conf.flows * sizeof(*r.e.flows);
	r.e.sets = aligned_alloc(64, sets);
	r.e.flows = aligned_alloc(64, slots);
	assert(r.packet && r.guess && r.holds && r.e.sets && r.e.flows);
	memset(r.e.sets, 0, sets);
	memset(r.e.flows, 0, slots);
	reframer_engine_init(&r.e);
	random_seed = 1;
	for (i = 0; i < t->clients.n; i++)
		client_request(i, r.now + below(t->clients.rtt));

	for (;;) {
		p = arrival_next();
		if (p) {
			enum reframer_flush flush = p->arrival.flush;

			r.now = p->arrival.at;
			p->skb.cb.pkt_len = p->arrival.bytes;
			p->skb.truesize = p->arrival.bytes + 768;
			if (!r.e.conf.push && flush == REFRAMER_FLUSH_PUSH)
				flush = REFRAMER_NO_FLUSH;
			if (r.e.stands_aside && !r.e.qlen) {
				r.bypassed++;
				leave(p);
				reframer_bypassed(&r.e, 1);
				continue;
			}
			enqueue(p, flow_hash(p->arrival.flow), flush);
		} else if (r.timer_queued) {
			r.now = r.timer_at;
			r.timer_queued = false;
		} else {
			break;
		}
		while ((p = dequeue()))
			leave(p);
	}
	end_poll();
	assert((t->arrivals || r.n == t->n) && r.arrivals == t->arrivals &&
	       r.e.stats.packets_out + r.bypassed == r.n && !r.e.qlen);
}

/* Results of the last run; times in us */

/* Packets of clients in a second */
static double throughput(void)
{
	return 1e9 * r.answered / r.now;
}

static double burst(void)
{
	struct reframer_stats s;

	reframer_sum_stats(&r.e, &s);
	return (double)r.n / (s.bursts + r.bypassed);
}

static double locality(void)
{
	return (double)r.n / r.runs;
}

static double mean_hold(void)
{
	return (double)r.hold / r.n / US;
}

static double per_packet(u64 n)
{
	return (double)n / r.n;
}

static int shorter(const void *a, const void *b)
{
	const u32 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* @percent of all packets are held for at most so long. */
static double hold_of(u32 percent)
{
	qsort(r.holds, r.n, sizeof(*r.holds), shorter);
	return (double)r.holds[(u64)(r.n - 1) * percent / 100] / US;
}

/*
 * The mean length of the longest bursts that the delay allows.  Which packets then follow
 * those that they can be merged with?
 */
static double optimum(const struct traffic *t, u32 *merged)
{
	const struct reframer_config conf = {
		.delay = delay, .push = !t->nopush,
		.burst = burst_max,
		.burst_bytes = REFRAMER_BURST_BYTES_DEFAULT,
	};
	struct window *window;
	u64 bursts = 0;
	u32 i;

	window = calloc(t->flows, sizeof(*window));
	assert(window);
	*merged = 0;
	for (i = 0; i < t->n; i++) {
		const struct arrival *a = &t->arrival[i];

		if (window_join(&window[a->flow], &conf, a->at, a->bytes, a->flush)) {
			*merged += a->merges;
		} else {
			*merged += a->merges && i && a[-1].flow == a->flow;
			bursts++;
		}
	}
	free(window);
	return (double)t->n / bursts;
}

static double longest_bursts(const struct traffic *t)
{
	u32 merged;

	return optimum(t, &merged);
}

/*
 * Traffic
 */

static void arrive(struct traffic *t, u64 at, u32 flow, u32 bytes,
		   enum reframer_flush flush, bool mouse)
{
	if (!(t->n & (t->n - 1)))
		t->arrival = realloc(t->arrival, (t->n ? t->n * 2 : 1) *
						 sizeof(*t->arrival));
	assert(t->arrival);
	t->arrival[t->n] = (struct arrival) {
		.at = at + US, .flow = flow, .bytes = bytes, .number = t->n,
		.flush = flush, .mouse = mouse, .merges = true,
	};
	t->n++;
	if (flow >= t->flows)
		t->flows = flow + 1;
}

static int earlier(const void *a, const void *b)
{
	const struct arrival *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

/* After the last arrive() */
static void arrived(struct traffic *t)
{
	u64 *next;
	u32 i;

	t->arrivals = t->n;
	qsort(t->arrival, t->n, sizeof(*t->arrival), earlier);
	next = malloc(t->flows * sizeof(*next));
	assert(next);
	memset(next, 0xff, t->flows * sizeof(*next));
	for (i = t->n; i--;) {
		t->arrival[i].next = next[t->arrival[i].flow];
		next[t->arrival[i].flow] = t->arrival[i].at;
	}
	free(next);
}

/*
 * @at_once trains, interleaved at random, a packet every @gap ns.  After @length
 * packets a train is replaced by a new flow; 0: never.
 */
static void trains(struct traffic *t, u32 at_once, u32 length, u64 gap)
{
	u32 flow[TRAINS_MAX], left[TRAINS_MAX], i, flows = t->flows;
	u64 at;

	random_seed = 1;
	for (i = 0; i < at_once; i++) {
		flow[i] = flows++;
		left[i] = length ? below(length) + 1 : 0;
	}
	for (at = 0; t->n < PACKETS; at += gap) {
		i = below(at_once);
		if (length && !left[i]--) {
			flow[i] = flows++;
			left[i] = length - 1;
		}
		arrive(t, at, flow[i], 1000, 0, false);
	}
}

/* The same from a NIC: 64 packets come at once, every 64 * @gap ns. */
static void batches(struct traffic *t, u32 at_once, u32 length, u64 gap)
{
	u32 i;

	trains(t, at_once, length, gap);
	for (i = 0; i < t->n; i++)
		t->arrival[i].at = US + i / 64 * 64 * gap;
}

static u32 random_below(u32 n)
{
	return below(n);
}

/* A mix like a campus uplink's, 4 million packets per second; a train is a message. */
static void campus(struct traffic *t)
{
	static struct campus c;
	bool *ended = calloc(CAMPUS_FLOWS, sizeof(*ended));
	bool last;
	u32 i, flow;

	assert(ended);
	random_seed = 6;
	for (i = 0; i < CAMPUS_PACKETS; i++) {
		flow = campus_next(&c, &last);
		arrive(t, i * US / 4, flow, 1000,
		       last ? REFRAMER_FLUSH_PUSH : REFRAMER_NO_FLUSH, false);
		t->arrival[i].merges = !ended[flow];
		ended[flow] = last;
	}
	free(ended);
}

/* One packet of each flow in turn, as fair queueing sends them */
static void turns(struct traffic *t, u32 flows, u64 gap)
{
	u32 i;

	for (i = 0; i < PACKETS; i++)
		arrive(t, i * gap, i % flows, 1000, 0, false);
}

/* 16 flows interleaved at random, a packet every microsecond, for 1 ms of 4.3 ms */
static void on_and_off(struct traffic *t)
{
	u32 i;

	random_seed = 5;
	for (i = 0; i < PACKETS; i++)
		arrive(t, i * US + i / 1000 * 3300 * US, below(16), 1000, 0, false);
}

/* @n more flows until @end, each with a packet every @least to @most ns */
static void mice(struct traffic *t, u32 n, u64 end, u64 least, u64 most)
{
	u32 i, first = t->flows;
	u64 at;

	random_seed = 2;
	for (i = 0; i < n; i++)
		for (at = below(most); at < end;
		     at += least + below(most - least))
			arrive(t, at, first + i, 100, 0, true);
}

/* @n flows, each a Poisson process with a mean gap of @gap ns */
static void poisson(struct traffic *t, u32 n, u64 gap)
{
	const u64 tick = 100;
	u64 at;

	random_seed = 3;
	for (at = 0; t->n < PACKETS; at += tick)
		if (below(gap) < tick * n)
			arrive(t, at, below(n), 100, 0, true);
}

/* Each flow only ever has one packet. */
static void strangers(struct traffic *t, u64 gap)
{
	u32 i;

	for (i = 0; i < PACKETS; i++)
		arrive(t, i * gap, i, 100, 0, true);
}

/* 16 flows that alternate between 64 packets of a train and 8 of a mouse */
static void changing(struct traffic *t)
{
	u32 flow, i;
	u64 at;

	random_seed = 4;
	for (flow = 0; flow < 16; flow++) {
		at = below(4000 * US);
		for (i = 0; i < PACKETS / 16; i++) {
			arrive(t, at, flow, 1000, 0, false);
			at += i % 72 < 64 ? below(32 * US) :
			      300 * US + below(200 * US);
		}
	}
}

/*
 * tables/NAME.txt: lines of "ns flow bytes [P|C|- [merges]]", and comments; @speed times
 * as fast
 */
static void recorded(struct traffic *t, const char *name, u32 speed)
{
	char path[256], line[256], flush;
	u32 flow, bytes, merges;
	FILE *f;
	u64 at;
	int n;

	snprintf(path, sizeof(path), TABLES "/%s.txt", name);
	f = fopen(path, "r");
	if (!f) {
		perror(path);
		exit(1);
	}
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#')
			continue;
		flush = '-';
		merges = 0;
		n = sscanf(line, "%llu %u %u %c %u", &at, &flow, &bytes, &flush,
			   &merges);
		if (n < 3 || !strchr("PC-", flush)) {
			fprintf(stderr, "%s: %s", path, line);
			exit(1);
		}
		arrive(t, at / speed, flow, bytes,
		       flush == 'P' ? REFRAMER_FLUSH_PUSH :
		       flush == 'C' ? REFRAMER_FLUSH_CONTROL : REFRAMER_NO_FLUSH,
		       false);
		t->arrival[t->n - 1].merges = merges;
	}
	fclose(f);
}

static struct clients clients(u32 n, u64 rtt, u64 jitter, u32 batch, bool ack)
{
	return (struct clients) { n, rtt, jitter, batch, ack };
}

enum {
	TRAINS_16, TRAINS_64, TRAINS_96, TRAINS_256, FAST_16, FAST_64, FAST_256,
	BATCHES_16, BATCHES_64, BATCHES_256, SHORT_16, LONG_16,
	FLOWS_16, FLOWS_32, FLOWS_64, FLOWS_96, TURNS_64,
	TRAINS_MICE, CHANGING, ON_OFF, ON_OFF_MICE, IPERF3, IPERF3_NOPUSH, NGINX, NGINX_NOPUSH,
	REDIS, REDIS_NOPUSH, MIXED, MIXED_NOPUSH, MICE, STRANGERS, POISSON,
	CAPTURES_1, CAPTURES_10, CAPTURES_100, CAPTURES_1000, CAMPUS,
	OPEN_LOOP,
	RTT_20 = OPEN_LOOP, RTT_60, RTT_100, RTT_ANY, PAIRS_20, PAIRS_200,
	PAIRS_TRAINS, WINDOWS,
	TRAFFICS
};

static struct traffic traffic[TRAFFICS] = {
	[TRAINS_16] = { .name = "16 trains of 32" },
	[TRAINS_64] = { .name = "64 trains of 32" },
	[TRAINS_96] = { .name = "96 trains of 32" },
	[TRAINS_256] = { .name = "256 trains of 32" },
	[FAST_16] = { .name = "16 trains of 32, 4 Mpps" },
	[FAST_64] = { .name = "64 trains of 32, 4 Mpps" },
	[FAST_256] = { .name = "256 trains of 32, 4 Mpps" },
	[BATCHES_16] = { .name = "16 trains of 32, 4 Mpps, batches" },
	[BATCHES_64] = { .name = "64 trains of 32, 4 Mpps, batches" },
	[BATCHES_256] = { .name = "256 trains of 32, 4 Mpps, batches" },
	[SHORT_16] = { .name = "16 trains of 16" },
	[LONG_16] = { .name = "16 trains of 64" },
	[FLOWS_16] = { .name = "16 flows that last" },
	[FLOWS_32] = { .name = "32 flows that last" },
	[FLOWS_64] = { .name = "64 flows that last" },
	[FLOWS_96] = { .name = "96 flows that last" },
	[TURNS_64] = { .name = "64 flows in turn, 4 Mpps" },
	[TRAINS_MICE] = { .name = "8 trains, 16 mice" },
	[CHANGING] = { .name = "trains that turn mice" },
	[ON_OFF] = { .name = "16 trains, 1 of 4.3 ms" },
	[ON_OFF_MICE] = { .name = "16 trains, 1 of 4.3 ms, 64 mice" },
	[IPERF3] = { .name = "iperf3" },
	[IPERF3_NOPUSH] = { .name = "iperf3, nopush", .nopush = true },
	[NGINX] = { .name = "nginx" },
	[NGINX_NOPUSH] = { .name = "nginx, nopush", .nopush = true },
	[REDIS] = { .name = "redis" },
	[REDIS_NOPUSH] = { .name = "redis, nopush", .nopush = true },
	[MIXED] = { .name = "mixed" },
	[MIXED_NOPUSH] = { .name = "mixed, nopush", .nopush = true },
	[MICE] = { .name = "64 mice" },
	[STRANGERS] = { .name = "flows of one packet" },
	[POISSON] = { .name = "64 Poisson flows, 400 us" },
	[CAPTURES_1] = { .name = "captures" },
	[CAPTURES_10] = { .name = "captures, 10 times as fast" },
	[CAPTURES_100] = { .name = "captures, 100 times as fast" },
	[CAPTURES_1000] = { .name = "captures, 1000 times as fast" },
	[CAMPUS] = { .name = "campus" },
	[RTT_20] = { .name = "32 clients, RTT 20 us" },
	[RTT_60] = { .name = "32 clients, RTT 60 us" },
	[RTT_100] = { .name = "32 clients, RTT 100 us" },
	[RTT_ANY] = { .name = "32 clients, RTT 10 to 200 us" },
	[PAIRS_20] = { .name = "32 clients, pairs, RTT 20 us" },
	[PAIRS_200] = { .name = "32 clients, pairs, RTT 200 us" },
	[PAIRS_TRAINS] = { .name = "8 clients, pairs, beside 16 trains" },
	[WINDOWS] = { .name = "16 windows of 10, RTT 100 us" },
};

static void make_traffic(void)
{
	struct traffic *t = traffic;
	u32 i;

	trains(&t[TRAINS_16], 16, 32, US);
	trains(&t[TRAINS_64], 64, 32, US);
	trains(&t[TRAINS_96], 96, 32, US);
	trains(&t[TRAINS_256], 256, 32, US);
	trains(&t[FAST_16], 16, 32, US / 4);
	trains(&t[FAST_64], 64, 32, US / 4);
	trains(&t[FAST_256], 256, 32, US / 4);
	batches(&t[BATCHES_16], 16, 32, US / 4);
	batches(&t[BATCHES_64], 64, 32, US / 4);
	batches(&t[BATCHES_256], 256, 32, US / 4);
	trains(&t[SHORT_16], 16, 16, US);
	trains(&t[LONG_16], 16, 64, US);
	trains(&t[FLOWS_16], 16, 0, US);
	trains(&t[FLOWS_32], 32, 0, US);
	trains(&t[FLOWS_64], 64, 0, US);
	trains(&t[FLOWS_96], 96, 0, US);
	turns(&t[TURNS_64], 64, US / 4);
	trains(&t[TRAINS_MICE], 8, 0, US);
	mice(&t[TRAINS_MICE], 16, PACKETS * US, 300 * US, 500 * US);
	changing(&t[CHANGING]);
	on_and_off(&t[ON_OFF]);
	on_and_off(&t[ON_OFF_MICE]);
	mice(&t[ON_OFF_MICE], 64, PACKETS * 43 / 10 * US, 300 * US, 500 * US);
	recorded(&t[IPERF3], "iperf3", 1);
	recorded(&t[IPERF3_NOPUSH], "iperf3", 1);
	recorded(&t[NGINX], "nginx", 1);
	recorded(&t[NGINX_NOPUSH], "nginx", 1);
	recorded(&t[REDIS], "redis", 1);
	recorded(&t[REDIS_NOPUSH], "redis", 1);
	recorded(&t[MIXED], "mixed", 1);
	recorded(&t[MIXED_NOPUSH], "mixed", 1);
	recorded(&t[CAPTURES_1], "captures", 1);
	recorded(&t[CAPTURES_10], "captures", 10);
	recorded(&t[CAPTURES_100], "captures", 100);
	recorded(&t[CAPTURES_1000], "captures", 1000);
	campus(&t[CAMPUS]);
	mice(&t[MICE], 64, 200000 * US, 300 * US, 500 * US);
	strangers(&t[STRANGERS], US);
	poisson(&t[POISSON], 64, 400 * US);
	for (i = 0; i < OPEN_LOOP; i++)
		arrived(&t[i]);

	t[RTT_20].clients = clients(32, 20 * US, US, 1, false);
	t[RTT_60].clients = clients(32, 60 * US, US, 1, false);
	t[RTT_100].clients = clients(32, 100 * US, US, 1, false);
	t[RTT_ANY].clients = clients(32, 10 * US, 190 * US, 1, false);
	t[PAIRS_20].clients = clients(32, 20 * US, US, 2, false);
	t[PAIRS_200].clients = clients(32, 200 * US, US, 2, false);
	t[PAIRS_TRAINS].clients = clients(8, 20 * US, US, 2, false);
	t[PAIRS_TRAINS].flows = 8;
	trains(&t[PAIRS_TRAINS], 16, 0, US);
	arrived(&t[PAIRS_TRAINS]);
	t[WINDOWS].clients = clients(16, 100 * US, 2 * US, 10, true);
	for (i = OPEN_LOOP; i < TRAFFICS; i++) {
		t[i].n += PACKETS;
		t[i].flows = max_t(u32, t[i].flows, t[i].clients.n);
	}
}

/*
 * Tables, in Markdown
 */

#define SLACK_DEFAULT	(delay / REFRAMER_SLACK_DIVISOR)

/* The qdisc as it is shipped, at the root of a device, where packets may bypass it */
static void run_root(const struct traffic *t)
{
	may_bypass = true;
	run(t, SHIPPED, SLACK_DEFAULT);
	may_bypass = false;
}

static const enum predictor compared[] = {
	ALWAYS, SHIPPED, GAP, GAP_TWICE, COUNTER, ORACLE
};

#define COMPARED	(sizeof(compared) / sizeof(*compared))

static void head(const char *first, int columns)
{
	int i;

	printf("| %s |", first);
	for (i = 0; i < columns; i++)
		printf(" %s |", predictor_name[compared[i]]);
	printf("\n|---|");
	for (i = !strchr(first, '|'); i <= columns; i++)
		printf("---|");
	printf("\n");
}

static void table_open_loop(void)
{
	u32 i, j;

	printf("Mean burst, mean hold of a packet (us), wasted holds per\n"
	       "1000 packets\n\n");
	head("traffic | optimum", COMPARED);
	for (i = 0; i < OPEN_LOOP; i++) {
		printf("| %s | %.2f |", traffic[i].name, longest_bursts(&traffic[i]));
		for (j = 0; j < COMPARED; j++) {
			run(&traffic[i], compared[j], SLACK_DEFAULT);
			printf(" %.2f, %.1f, %.0f |", burst(), mean_hold(),
			       1000 * per_packet(r.e.stats.holds_wasted));
		}
		printf("\n");
	}
}

static void table_closed_loop(void)
{
	double best;
	u32 i, j;

	printf("\nMean hold of a packet (us), wasted holds per 1000 packets,\n"
	       "throughput compared with never\n\n");
	head("clients", COMPARED - 1);
	for (i = OPEN_LOOP; i < TRAFFICS; i++) {
		run(&traffic[i], NEVER, SLACK_DEFAULT);
		best = throughput();
		printf("| %s |", traffic[i].name);
		for (j = 0; j < COMPARED - 1; j++) {
			run(&traffic[i], compared[j], SLACK_DEFAULT);
			printf(" %.1f, %.0f, %.1f %% |", mean_hold(),
			       1000 * per_packet(r.e.stats.holds_wasted),
			       100 * throughput() / best);
		}
		printf("\n");
	}
}

/* What does it cost to stand aside, and how much is not seen then? */
static void table_aside(void)
{
	double seen;
	u32 i;

	printf("\nStanding aside: mean burst if all packets are seen, and if packets may\n"
	       "bypass the qdisc; packets that bypass\n\n"
	       "| traffic | burst, all seen | burst | bypass %% |\n|---|---|---|---|\n");
	for (i = 0; i < OPEN_LOOP; i++) {
		run(&traffic[i], SHIPPED, SLACK_DEFAULT);
		seen = burst();
		run_root(&traffic[i]);
		printf("| %s | %.2f | %.2f | %.0f |\n", traffic[i].name, seen,
		       burst(), 100 * per_packet(r.bypassed));
	}
}

static void table_clocks(void)
{
	static const int shown[] = {
		FLOWS_16, FLOWS_64, TRAINS_MICE, IPERF3, MICE, POISSON, RTT_20
	};
	u32 i, j;

	printf("\nClock reads per packet\n\n");
	head("traffic", COMPARED);
	for (i = 0; i < sizeof(shown) / sizeof(*shown); i++) {
		printf("| %s |", traffic[shown[i]].name);
		for (j = 0; j < COMPARED; j++) {
			run(&traffic[shown[i]], compared[j], SLACK_DEFAULT);
			printf(" %.2f |", per_packet(r.clocks));
		}
		printf("\n");
	}
}

static void table_slack(void)
{
	static const int shown[] = {
		FLOWS_16, FLOWS_64, FAST_256, IPERF3_NOPUSH, NGINX_NOPUSH,
		MIXED_NOPUSH
	};
	u32 i, quarters;

	printf("\nSlack, noadaptive: mean hold in us, per packet\n\n"
	       "| traffic | slack / delay | burst | of optimum | hold | timers | clock reads |\n"
	       "|---|---|---|---|---|---|---|\n");
	for (i = 0; i < sizeof(shown) / sizeof(*shown); i++) {
		const struct traffic *t = &traffic[shown[i]];

		for (quarters = 0; quarters <= 4; quarters++) {
			run(t, ALWAYS, DELAY / 4 * quarters);
			printf("| %s | %u/4 | %.2f | %.1f %% | %.1f | %.3f | %.2f |\n",
			       t->name, quarters, burst(),
			       100 * burst() / longest_bursts(t), mean_hold(),
			       per_packet(r.e.stats.timers), per_packet(r.clocks));
		}
	}
}

/*
 * Samples for scripts/bench: lines of "config<TAB>metric<TAB>unit<TAB>value"
 */

static void sample(const char *config, const char *load, const char *metric,
		   const char *unit, double value)
{
	printf("%s\t%s: %s\t%s\t%.6g\n", config, load, metric, unit, value);
}

static void sample_segments(const char *config, const char *load)
{
	char metric[64];
	u32 i;

	for (i = 0; i < LENGTHS; i++) {
		snprintf(metric, sizeof(metric), "segments of %u", lengths[i]);
		sample(config, load, metric, "per 1000 packets",
		       1000 * r.lengths[i] / r.n);
	}
}

static void sample_shipped(const struct traffic *t, const char *config)
{
	run_root(t);
	sample(config, t->name, "held", "%", 100 * per_packet(r.waited));
	sample(config, t->name, "bypass", "%", 100 * per_packet(r.bypassed));
	sample(config, t->name, "median hold", "us", hold_of(50));
	sample(config, t->name, "p99 hold", "us", hold_of(99));
	sample(config, t->name, "locality", "packets per run", locality());
	sample_segments(config, t->name);
}

static void sample_captures(const struct traffic *t)
{
	static const struct {
		const char *config;
		enum predictor predictor;
		bool nopush;
	} shown[] = {
		{ "pfifo", NEVER, false }, { "reframer", SHIPPED, false },
		{ "reframer noadaptive", ALWAYS, false },
		{ "reframer noadaptive nopush", ALWAYS, true },
		{ "oracle", ORACLE, false },
	};
	u32 i, merged;

	for (i = 0; i < ARRAY_SIZE(shown); i++) {
		const char *config = shown[i].config;

		nopush = shown[i].nopush;
		if (shown[i].predictor == SHIPPED)
			run_root(t);
		else
			run(t, shown[i].predictor, SLACK_DEFAULT);
		sample(config, t->name, "held", "%", 100 * per_packet(r.waited));
		sample(config, t->name, "held alone", "%", 100 * per_packet(r.alone));
		sample(config, t->name, "mean hold", "us", mean_hold());
		sample(config, t->name, "p99 hold", "us", hold_of(99));
		sample(config, t->name, "merged", "%", 100 * per_packet(r.merged));
		sample(config, t->name, "locality", "packets per run", locality());
	}
	nopush = false;
	optimum(t, &merged);
	sample("optimum", t->name, "merged", "%", 100.0 * merged / t->n);
}

static void samples(void)
{
	static const int loads[] = {
		TRAINS_16, FAST_16, FAST_64, FAST_256, CAMPUS, CAPTURES_1000
	};
	static const u32 delays[] = { 64, 128, 256 }, bursts[] = { 8, 16, 32, 64 };
	char config[64], load[64];
	u32 i, j, k;

	for (i = CAPTURES_1; i <= CAPTURES_1000; i++)
		sample_captures(&traffic[i]);
	for (i = 0; i < ARRAY_SIZE(loads); i++) {
		const struct traffic *t = &traffic[loads[i]];

		run(t, NEVER, SLACK_DEFAULT);
		sample_segments("pfifo", t->name);
		for (j = 0; j < ARRAY_SIZE(delays); j++)
			for (k = 0; k < ARRAY_SIZE(bursts); k++) {
				delay = delays[j] * US;
				burst_max = bursts[k];
				snprintf(config, sizeof(config), "delay %uus burst %u",
					 delays[j], bursts[k]);
				sample_shipped(t, config);
			}
		delay = DELAY;
		burst_max = REFRAMER_BURST_DEFAULT;
	}
	/* packets of each flow within the delay, by chance: 1/4 to 16 */
	for (i = TRAINS_MAX; i >= 16; i /= 2) {
		struct traffic t = { .name = load };

		snprintf(load, sizeof(load), "%u flows", i);
		trains(&t, i, 0, US / 4);
		arrived(&t);
		run(&t, NEVER, SLACK_DEFAULT);
		sample("pfifo", load, "locality", "packets per run", locality());
		sample_segments("pfifo", load);
		sample_shipped(&t, "reframer");
		free(t.arrival);
	}
}

/* One run, in full */
static void report(const struct traffic *t)
{
	const struct reframer_stats *s = &r.e.stats;

	printf("traffic %s, predictor %s, slack %u ns\n"
	       "packets %u in %.3f ms, flows %u\n"
	       "burst mean %.3f optimum %.3f\n"
	       "locality %.3f -> %.3f\n"
	       "hold of packets mean %.3f us max %.3f us\n",
	       t->name, predictor_name[r.predictor], r.e.conf.slack, r.n,
	       r.now / 1e6, t->flows, burst(), t->clients.n ? 0 : longest_bursts(t),
	       (double)s->packets_in / s->runs_in,
	       (double)s->packets_out / s->runs_out,
	       mean_hold(), (double)r.hold_max / US);
	if (r.mice)
		printf("hold of mice mean %.3f us max %.3f us\n",
		       (double)r.mice_hold / r.mice / US,
		       (double)r.mice_hold_max / US);
	printf("holds paid %llu wasted %llu\n"
	       "timers %llu clock reads %llu (%.3f per packet)\n",
	       s->holds_paid, s->holds_wasted, s->timers, r.clocks,
	       per_packet(r.clocks));
}

/*
 * Assertions
 */

/* Bursts of at least @share of the optimum, whatever the traffic */
static void test_optimum(u32 slack, double share)
{
	double best;
	u32 i;

	for (i = 0; i < OPEN_LOOP; i++) {
		run(&traffic[i], ALWAYS, slack);
		best = longest_bursts(&traffic[i]);
		check(burst() >= share * best,
		      "%s: mean burst %.3f, optimum %.3f", traffic[i].name,
		      burst(), best);
	}
}

static void test_no_slack(void)
{
	test_optimum(0, 0.99);
}

static void test_default_slack(void)
{
	test_optimum(SLACK_DEFAULT, 0.85);
}

/* Bursts of at least @share of those with noadaptive, in each of @n kinds of traffic */
static void test_bursts(const int *tested, u32 n, double share)
{
	double always;
	u32 i;

	for (i = 0; i < n; i++) {
		const struct traffic *t = &traffic[tested[i]];

		run(t, ALWAYS, SLACK_DEFAULT);
		always = burst();
		run(t, SHIPPED, SLACK_DEFAULT);
		check(burst() >= share * always,
		      "%s: mean burst %.3f, noadaptive %.3f", t->name, burst(),
		      always);
	}
}

/* Where the first packet of a flow leaves alone, trains of few bursts lose more. */
static void test_trains(void)
{
	static const int tested[] = {
		FLOWS_16, FLOWS_32, FLOWS_64, FLOWS_96, TURNS_64, TRAINS_64,
		TRAINS_96, FAST_256, TRAINS_MICE, IPERF3, IPERF3_NOPUSH,
		NGINX, NGINX_NOPUSH, MIXED, MIXED_NOPUSH
	};

	test_bursts(tested, ARRAY_SIZE(tested), 0.95);
}

static void test_mice(void)
{
	static const int tested[] = { MICE, STRANGERS, TRAINS_MICE };
	u32 i;

	for (i = 0; i < sizeof(tested) / sizeof(*tested); i++) {
		const struct traffic *t = &traffic[tested[i]];

		run(t, SHIPPED, SLACK_DEFAULT);
		check(r.mice && !r.mice_hold_max, "%s: held for %llu ns",
		      t->name, r.mice_hold_max);
	}
}

/* At most one hold for each step of the backoff, then one per longest skip */
static void test_clients(void)
{
	static const int tested[] = { RTT_20, RTT_60, RTT_100, RTT_ANY };
	u64 most;
	u32 i;

	for (i = 0; i < sizeof(tested) / sizeof(*tested); i++) {
		const struct traffic *t = &traffic[tested[i]];

		run(t, SHIPPED, SLACK_DEFAULT);
		most = t->clients.n * REFRAMER_BACKOFF_MAX +
		       (t->n >> REFRAMER_BACKOFF_MAX);
		check(r.e.stats.holds_wasted <= most &&
		      r.hold <= most * DELAY,
		      "%s: %llu wasted holds, %llu ns in all", t->name,
		      r.e.stats.holds_wasted, r.hold);
	}
}

/* Trains of new flows, whose first packets are held, too, where holds pay */
static void test_new_flows(void)
{
	static const int tested[] = { FAST_16, BATCHES_16, TRAINS_16, SHORT_16 };

	test_bursts(tested, ARRAY_SIZE(tested), 0.98);
}

/* Requests of two packets gain nothing from trains beside them. */
static void test_pairs(void)
{
	double best;

	run(&traffic[PAIRS_TRAINS], NEVER, SLACK_DEFAULT);
	best = throughput();
	run(&traffic[PAIRS_TRAINS], SHIPPED, SLACK_DEFAULT);
	check(throughput() >= 0.97 * best, "%.0f requests/s, without holds %.0f",
	      throughput(), best);
}

/* At their own speed there is nothing to gain, at 1000 times the speed there is. */
static void test_captures(void)
{
	u32 never, merged;

	optimum(&traffic[CAPTURES_1000], &merged);
	run_root(&traffic[CAPTURES_1]);
	check(per_packet(r.waited) <= 0.01, "%u of %u packets are held", r.waited, r.n);
	run(&traffic[CAPTURES_1000], NEVER, SLACK_DEFAULT);
	never = r.merged;
	run_root(&traffic[CAPTURES_1000]);
	check(r.merged - never >= 0.85 * (merged - never),
	      "%u packets are merged, without holds %u, by the optimum %u",
	      r.merged, never, merged);
}

/* The campus mix has the locality that the paper reports: 1.19, and 2.88 behind 64us. */
static void test_campus(void)
{
	double in, out;

	run(&traffic[CAMPUS], NEVER, 0);
	in = locality();
	run(&traffic[CAMPUS], ALWAYS, 0);
	out = locality();
	check(in >= 1.17 && in <= 1.21 && out >= 2.74 && out <= 3.02,
	      "mean run %.3f, if all are held %.3f", in, out);
}

/* Where holding pays all the time, standing aside costs nothing. */
static void test_aside(void)
{
	static const int tested[] = {
		TRAINS_16, TRAINS_64, TRAINS_96, FAST_16, FAST_256, BATCHES_16,
		BATCHES_64, BATCHES_256, FLOWS_16, FLOWS_32, FLOWS_64, FLOWS_96,
		TURNS_64, TRAINS_MICE, CHANGING, ON_OFF, IPERF3, NGINX, MIXED
	};
	double seen;
	u32 i;

	for (i = 0; i < sizeof(tested) / sizeof(*tested); i++) {
		const struct traffic *t = &traffic[tested[i]];

		run(t, SHIPPED, SLACK_DEFAULT);
		seen = burst();
		run_root(t);
		check(burst() >= 0.99 * seen, "%s: mean burst %.3f, all seen %.3f",
		      t->name, burst(), seen);
	}
	run_root(&traffic[MICE]);
	check(per_packet(r.bypassed) >= 0.9, "mice: %llu of %u packets bypass",
	      r.bypassed, r.n);
}

static void test(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} tests[] = {
		{ "without slack: bursts of 99 % of the optimum",
		  test_no_slack },
		{ "default slack: 85 %", test_default_slack },
		{ "adaptive: 95 % of noadaptive", test_trains },
		{ "flows that are alone are not held", test_mice },
		{ "clients that wait for answers are seldom held",
		  test_clients },
		{ "the first packets of new flows are held where that pays",
		  test_new_flows },
		{ "clients that send pairs keep 97 % beside trains", test_pairs },
		{ "captures: held where there is something to gain", test_captures },
		{ "the campus mix is like the paper's", test_campus },
		{ "the engine stands aside only where holding does not pay", test_aside },
	};
	const u32 n = sizeof(tests) / sizeof(*tests);
	u32 i;

	ktap_plan(n);
	for (i = 0; i < n; i++) {
		ktap_begin(tests[i].name, 60);
		tests[i].run();
		ktap_ok();
	}
}

/*
 * The command line
 */

static int find(const char *name, int n, const char *(*nth)(int))
{
	int i;

	for (i = 0; i < n; i++)
		if (!strcmp(name, nth(i)))
			return i;
	fprintf(stderr, "replay: there is no \"%s\", only\n", name);
	for (i = 0; i < n; i++)
		fprintf(stderr, "  %s\n", nth(i));
	exit(2);
}

static const char *traffic_name(int i)
{
	return traffic[i].name;
}

static const char *predictor_name_of(int i)
{
	return predictor_name[i];
}

int main(int argc, char **argv)
{
	make_traffic();
	if (argc == 1) {
		test();
	} else if (argc == 2 && !strcmp(argv[1], "--tables")) {
		table_open_loop();
		table_closed_loop();
		table_aside();
		table_clocks();
		table_slack();
	} else if (argc == 2 && !strcmp(argv[1], "--samples")) {
		samples();
	} else if (argc == 4) {
		int t = find(argv[1], TRAFFICS, traffic_name);
		int p = find(argv[2], PREDICTORS, predictor_name_of);

		run(&traffic[t], p, atoi(argv[3]));
		report(&traffic[t]);
	} else {
		fputs("usage: replay [--tables | --samples | TRAFFIC PREDICTOR SLACK]\n"
		      "Tests how well the engine groups, in KTAP.\n"
		      "  --tables  compares predictors and values of slack\n"
		      "  --samples for `scripts/bench replay`\n"
		      "  TRAFFIC PREDICTOR SLACK\n"
		      "            one run; names as in the tables, slack in ns\n",
		      stderr);
		return 2;
	}
	return 0;
}
