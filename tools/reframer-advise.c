// SPDX-License-Identifier: GPL-2.0
/*
 * Which delay suits this traffic?  Replays a capture through the engine of the qdisc, in
 * simulated time, with many options at once, and recommends some of them.
 *
 * Only waiting takes time, the timer is exact, and the device accepts every packet, so the
 * results are the same each time.  All options see a packet before the next block of
 * packets is read: the capture is read once, and memory does not depend on its length.
 *
 * Capture (pcap) -> struct arrival -> struct row: enqueue, dequeue, leave -> a receiver.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <getopt.h>
#include <pcap/pcap.h>

#include "kernel.h"
#include "flow_dissector.h"

struct reframer_engine;
static u64 reframer_clock(void);
static bool reframer_timer_queued(const struct reframer_engine *e);
static void reframer_timer_arm(struct reframer_engine *e, u64 expires);
#define reframer_timer_latency(e)	0	/* never */
#define reframer_may_bypass(e)		(!below_another)
static bool below_another;		/* the qdisc is not the root */

#include "reframer_engine.h"
#include "reframer_flow_hash.h"
#include "reframer_options.h"
#include "optimum.h"
#include "gro.h"

#define US		1000ULL
#define NSEC		1000000000ULL
#define BLOCK		256	/* packets that pass all rows in turn, from the cache */
#define HEADERS_MAX	256	/* bytes of a packet that are looked at */
#define PACKET_MAX	BIT(20)	/* bytes; more than any GSO packet has */
#define ROWS_MAX	256
#define LIST_MAX	32
#define KEYS		(REFRAMER_KEY_MAX + 1)
#define SUPER_PACKET	9216	/* bytes; more than any frame: not yet cut, or merged */
#define DROP_BATCH	64	/* as in the qdisc */

/* Merged packets, of 100: so many more are worth a qdisc, or another option than its default */
#define GAIN_PERCENT	5
#define OPTION_PERCENT	2

static const char *const key_names[KEYS] = {
	"flow", "src", "dst", "hosts", "proto-dst", "mark"
};

/* A packet of the capture */
struct arrival {
	u64 at;			/* ns; the first one at 1 us */
	u32 hash[KEYS];
	u32 bytes;
	struct gro_packet gro;
	u8 flush;		/* enum reframer_flush, with `push` */
};

/* A packet in a qdisc */
struct queued {
	struct sk_buff skb;	/* first */
	u64 at;
	struct gro_packet gro;
};

/* A flow in the table of the optimum */
struct best_flow {
	u32 hash;
	struct window window;
	struct gro_held held;
};

/* A power of two.  A flow that needs the place of another one ends its burst. */
#define BEST_FLOWS	32768

/* Times in classes of 1/64 of their size or less */
#define HIST_STEPS	64
#define HIST_LEN	(HIST_STEPS * 58)

/* Options, and what the qdisc does with them */
struct row {
	struct reframer_engine e;
	u64 timer_at;
	bool timer_queued;
	struct queued *free;
	u32 memory_peak;
	u64 dropped;

	u64 packets, runs_in, runs_out;	/* of all packets, also those that bypass */
	u32 last_in, last_out;
	u64 bypassed, waited;
	u64 delay_sum, delay_max;
	u64 delays[HIST_LEN];
	struct receiver receiver;

	struct best_flow *best;
	u64 best_bursts, best_merged;
	struct best_flow *best_last;	/* whose packet was the last one */

	/* results, in percent of all packets */
	double gain;
};

static struct row *rows;
static u32 nrows;
static u64 now;

/* What the capture is */
static struct {
	const char *name;
	pcap_t *pcap;
	int link;
	u32 link_len;		/* of the header of the link layer, without tags */
	u64 size;		/* of the file, 0: unknown */
	u64 packets, bytes;
	u64 first, last;	/* time stamps, ns */
	u64 backwards;		/* packets with an earlier time than the one before */
	u64 udp, tcp_data, ends, super, cut, both_ways;
	u32 lost;		/* by a capture on a device */
	bool truncated;
} capture;

static struct receiver no_hold;
static struct arrival block[BLOCK];
static u32 block_len;

static volatile sig_atomic_t interrupted;
static bool used_keys[KEYS];
static bool udp_merges, json;

__attribute__((format(printf, 1, 2), noreturn))
static void die(const char *format, ...)
{
	va_list args;

	fputs("reframer-advise: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void *allocate(size_t align, size_t size)
{
	void *p = aligned_alloc(align, (size + align - 1) / align * align);

	if (!p)
		die("out of memory");
	return memset(p, 0, size);
}

/* ---------------------------------------------------------------- the qdisc */

static struct row *row_of(const struct reframer_engine *e)
{
	return (struct row *)list_entry(e, struct row, e);
}

static u64 reframer_clock(void)
{
	return now;
}

static bool reframer_timer_queued(const struct reframer_engine *e)
{
	return row_of(e)->timer_queued;
}

static void reframer_timer_arm(struct reframer_engine *e, u64 expires)
{
	row_of(e)->timer_queued = true;
	row_of(e)->timer_at = expires;
}

static u32 hist_class(u64 ns)
{
	int shift = fls64(ns) - fls(HIST_STEPS);

	return shift <= 0 ? ns : shift * HIST_STEPS + (ns >> shift);
}

/* The shortest time of a class */
static u64 hist_time(u32 class)
{
	u32 shift = class / HIST_STEPS;

	return shift < 2 ? class : (u64)(HIST_STEPS + class % HIST_STEPS) << (shift - 1);
}

/* Of 100 packets, @percent wait for at most so long. */
static u64 delay_percentile(const struct row *r, u32 percent)
{
	u64 left = (r->packets - r->dropped) * (100 - percent) / 100;
	u32 class = HIST_LEN;

	while (class--) {
		if (r->delays[class] > left)
			return hist_time(class);
		left -= r->delays[class];
	}
	return 0;
}

static void leave(struct row *r, u64 at, u32 hash, const struct gro_packet *gro)
{
	u64 delay = now - at;

	if (hash != r->last_out) {
		r->last_out = hash;
		r->runs_out++;
	}
	r->waited += !!delay;
	r->delay_sum += delay;
	if (delay > r->delay_max)
		r->delay_max = delay;
	r->delays[hist_class(delay)]++;
	receive(&r->receiver, gro);
}

static void free_queued(struct row *r, struct queued *p)
{
	p->skb.next = (struct sk_buff *)r->free;
	r->free = p;
}

static struct queued *new_queued(struct row *r)
{
	struct queued *p = r->free;
	u32 i, n = 32;

	if (!p) {
		p = allocate(64, n * sizeof(*p));
		for (i = 0; i < n; i++)
			free_queued(r, p + i);
		p = r->free;
	}
	r->free = (struct queued *)p->skb.next;
	return p;
}

static void dequeue_all(struct row *r)
{
	struct reframer_engine *e = &r->e;
	struct queued *p;
	bool due;

	for (;;) {
		due = reframer_check_due(e);
		if (reframer_is_idle(e, due))
			return;
		p = (struct queued *)reframer_next(e, due);
		if (!p)
			return;
		leave(r, p->at, reframer_skb_cb(&p->skb)->hash, &p->gro);
		free_queued(r, p);
	}
}

static void drop_over_limit(struct row *r)
{
	struct reframer_engine *e = &r->e;
	struct reframer_flow *victim;
	u32 n = 0;

	while (n++ < DROP_BATCH && (reframer_over_limit(e) || reframer_over_memory(e))) {
		free_queued(r, (struct queued *)reframer_drop(e, &victim));
		r->dropped++;
	}
}

/* What the kernel allocates for a frame of @bytes: an skb, and data in a power of two */
static u32 truesize(u32 bytes)
{
	const u32 skb = 256, room = 64, shared_info = 320;

	return skb + (1U << fls(bytes + room + shared_info - 1));
}

static void enqueue(struct row *r, const struct arrival *a, u32 hash)
{
	struct reframer_engine *e = &r->e;
	enum reframer_flush flush = a->flush;
	struct queued *p = new_queued(r);
	u32 slot;

	if (flush == REFRAMER_FLUSH_PUSH && !e->conf.push)
		flush = REFRAMER_NO_FLUSH;
	p->at = a->at;
	p->gro = a->gro;
	p->skb.cb.pkt_len = a->bytes;
	p->skb.truesize = truesize(a->bytes);
	slot = reframer_flow_find(e, hash);
	if (reframer_arrive(e, slot, &p->skb, hash, flush))
		drop_over_limit(r);
	if (e->memory > r->memory_peak)
		r->memory_peak = e->memory;
}

static void advance(struct row *r, u64 until)
{
	while (r->timer_queued && r->timer_at <= until) {
		now = r->timer_at;
		r->timer_queued = false;
		dequeue_all(r);
	}
}

static void count_best(struct row *r, const struct arrival *a, u32 hash)
{
	struct best_flow *flow = &r->best[hash % BEST_FLOWS];

	if (flow->hash != hash) {
		*flow = (struct best_flow) { .hash = hash };
		r->best_last = NULL;
	}
	if (!window_join(&flow->window, &r->e.conf, a->at, a->bytes, a->flush)) {
		r->best_bursts++;
		if (flow != r->best_last)
			flow->held.count = 0;
	}
	r->best_merged += gro_join(&flow->held, &a->gro);
	r->best_last = flow;
}

static void replay(struct row *r, const struct arrival *a)
{
	u32 hash = a->hash[r->e.conf.key];

	advance(r, a->at);
	now = a->at;
	r->packets++;
	if (hash != r->last_in) {
		r->last_in = hash;
		r->runs_in++;
	}
	/* as the core does for a qdisc that may be bypassed */
	if (r->e.stands_aside && !r->e.qlen) {
		r->bypassed++;
		leave(r, a->at, hash, &a->gro);
		reframer_bypassed(&r->e, 1);
	} else {
		enqueue(r, a, hash);
		dequeue_all(r);
	}
	count_best(r, a, hash);
}

static void replay_block(void)
{
	u32 i, j;

	for (j = 0; j < block_len; j++)
		receive(&no_hold, &block[j].gro);
	for (i = 0; i < nrows; i++)
		for (j = 0; j < block_len; j++)
			replay(&rows[i], &block[j]);
	block_len = 0;
}

/* ---------------------------------------------------------------- the capture */

/* For the warning that both directions of connections are in the capture */
static void look_for_both_ways(const struct arrival *a)
{
	static struct {
		u32 hash, one_way;
	} seen[32768];
	u32 hash = a->hash[REFRAMER_KEY_FLOW], i = hash % ARRAY_SIZE(seen);

	if (seen[i].hash == hash)
		capture.both_ways += seen[i].one_way != a->gro.flow;
	seen[i].hash = hash;
	seen[i].one_way = a->gro.flow;
}

/* The EtherType of a packet, or its length in 802.3 frames */
static u16 link_protocol(const u8 *link)
{
	switch (capture.link) {
	case DLT_EN10MB:
		return get16(link + 12);
	case DLT_LINUX_SLL:
		return get16(link + 14);
#ifdef DLT_LINUX_SLL2
	case DLT_LINUX_SLL2:
		return get16(link);
#endif
	default:		/* raw IP */
		return link[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP;
	}
}

static void add_packet(const struct pcap_pkthdr *header, const u8 *data)
{
	static const siphash_key_t secret = { { 2 } };
	static union {
		u64 align;
		u8 bytes[HEADERS_MAX + 2];
	} frame;
	u32 len = min_t(u32, header->caplen, HEADERS_MAX), key, hash;
	u64 at = header->ts.tv_sec * NSEC + header->ts.tv_usec;
	struct arrival *a = &block[block_len];
	const struct Qdisc qdisc = {
		.dev.type = capture.link == DLT_EN10MB ? ARPHRD_ETHER : ARPHRD_NONE,
	};
	struct sk_buff skb;
	u8 *link;
	u16 type;

	if (header->len > PACKET_MAX)
		die("%s is damaged after %llu packets: the next one has %u bytes", capture.name,
		    capture.packets, header->len);
	if (len < capture.link_len || !len) {
		capture.cut++;
		return;
	}
	/* IP headers are aligned */
	link = frame.bytes + (capture.link_len % 4 ? 2 : 0);
	memcpy(link, data, len);
	type = link_protocol(link);
	skb = (struct sk_buff) {
		.protocol = htons(type), .data = link, .headlen = len,
		.network_header = link + capture.link_len,
	};

	if (!capture.packets) {
		capture.first = at;
		capture.last = at;
	}
	if (at < capture.last) {
		capture.backwards++;
		at = capture.last;
	}
	capture.last = at;
	a->at = at - capture.first + US;
	a->bytes = max_t(u32, header->len, header->caplen) - capture.link_len + ETH_HLEN;
	a->flush = reframer_header_flush(skb.network_header, len - capture.link_len,
					 type, true);
	for (key = 0; key < KEYS; key++) {
		if (!used_keys[key])
			continue;
		hash = key == REFRAMER_KEY_FLOW ? reframer_flow_hash(&skb, &qdisc) :
		       reframer_key_hash(&skb, &qdisc, key, &secret);
		/* as the qdisc avoids the numbers of its classes */
		a->hash[key] = hash <= REFRAMER_FLOWS_MAX ? hash | BIT(31) : hash;
	}
	gro_parse(&a->gro, link, skb.network_header, link + len, type, udp_merges);

	capture.packets++;
	capture.bytes += header->len;
	capture.super += header->len > SUPER_PACKET;
	capture.tcp_data += a->gro.tcp && a->gro.len;
	capture.ends += a->flush == REFRAMER_FLUSH_PUSH;
	capture.udp += a->gro.protocol == IPPROTO_UDP;
	capture.cut += a->gro.protocol == IPPROTO_TCP && !a->gro.tcp;
	if (a->gro.tcp)
		look_for_both_ways(a);
	if (++block_len == BLOCK)
		replay_block();
}

static void on_signal(int sig)
{
	interrupted = sig;
	pcap_breakloop(capture.pcap);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Once a second, to a terminal */
static void show_progress(bool wanted)
{
	static double shown;
	double t = seconds();
	FILE *f;

	if (!wanted || t - shown < 1)
		return;
	if (shown) {
		f = capture.size ? pcap_file(capture.pcap) : NULL;
		fprintf(stderr, "reframer-advise: %llu packets", capture.packets);
		if (f)
			fprintf(stderr, ", %.0f %% of the file",
				100.0 * ftello(f) / capture.size);
		fputc('\n', stderr);
	}
	shown = t;
}

static void set_link_type(void)
{
	const char *name;

	capture.link = pcap_datalink(capture.pcap);
	switch (capture.link) {
	case DLT_EN10MB:
		capture.link_len = ETH_HLEN;
		break;
	case DLT_LINUX_SLL:
		capture.link_len = 16;
		break;
#ifdef DLT_LINUX_SLL2
	case DLT_LINUX_SLL2:
		capture.link_len = 20;
		break;
#endif
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		capture.link_len = 0;
		break;
	default:
		name = pcap_datalink_val_to_name(capture.link);
		die("%s has link type %s (%d), not EN10MB (Ethernet), LINUX_SLL, LINUX_SLL2 or RAW",
		    capture.name, name ?: "unknown", capture.link);
	}
}

static void open_file(const char *name)
{
	char error[PCAP_ERRBUF_SIZE];
	struct stat st;

	capture.name = strcmp(name, "-") ? name : "standard input";
	capture.pcap = pcap_open_offline_with_tstamp_precision(name, PCAP_TSTAMP_PRECISION_NANO,
							       error);
	if (!capture.pcap && strstr(error, "only got 0"))
		die("%s is empty: it has not even the header of a pcap or pcapng file",
		    capture.name);
	if (!capture.pcap)
		die("%s cannot be read as pcap or pcapng: %s", capture.name, error);
	if (!fstat(fileno(pcap_file(capture.pcap)), &st) && S_ISREG(st.st_mode))
		capture.size = st.st_size;
}

/* What the device sends, as the qdisc of that device would */
static void open_device(const char *name)
{
	char error[PCAP_ERRBUF_SIZE];
	int err;

	capture.name = name;
	capture.pcap = pcap_create(name, error);
	if (!capture.pcap)
		die("%s: %s", name, error);
	pcap_set_snaplen(capture.pcap, HEADERS_MAX);
	pcap_set_timeout(capture.pcap, 100);
	pcap_set_buffer_size(capture.pcap, 16 << 20);
	pcap_set_tstamp_precision(capture.pcap, PCAP_TSTAMP_PRECISION_NANO);
	err = pcap_activate(capture.pcap);
	if (err < 0)
		die("%s: %s", name, *pcap_geterr(capture.pcap) ? pcap_geterr(capture.pcap) :
		    pcap_statustostr(err));
	if (pcap_get_tstamp_precision(capture.pcap) != PCAP_TSTAMP_PRECISION_NANO)
		die("%s has no time stamps in nanoseconds", name);
	if (pcap_setdirection(capture.pcap, PCAP_D_OUT))
		die("%s: %s", name, pcap_geterr(capture.pcap));
}

static void set_filter(char *const *words)
{
	struct bpf_program program;
	size_t len = 1;
	char *text;
	int i;

	if (!words[0])
		return;
	for (i = 0; words[i]; i++)
		len += strlen(words[i]) + 1;
	text = allocate(1, len);
	for (i = 0; words[i]; i++) {
		strcat(text, i ? " " : "");
		strcat(text, words[i]);
	}
	if (pcap_compile(capture.pcap, &program, text, 1, PCAP_NETMASK_UNKNOWN) ||
	    pcap_setfilter(capture.pcap, &program))
		die("filter \"%s\": %s", text, pcap_geterr(capture.pcap));
	pcap_freecode(&program);
	free(text);
}

/* @duration: in seconds, 0: to the end */
static void read_capture(u32 duration, bool progress)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct pcap_pkthdr *header;
	struct pcap_stat stat;
	const char *error;
	const u8 *data;
	int got = 0;
	u64 n = 0;
	u32 i;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
	alarm(duration);
	while (!interrupted && (got = pcap_next_ex(capture.pcap, &header, &data)) >= 0) {
		if (got)
			add_packet(header, data);
		if (n++ % 4096 == 0)
			show_progress(progress);
	}
	error = pcap_geterr(capture.pcap);
	if (got == PCAP_ERROR && !strncmp(error, "truncated", strlen("truncated")))
		capture.truncated = true;
	else if (got == PCAP_ERROR)
		die("%s is damaged after %llu packets: %s", capture.name,
		    capture.packets, error);
	if (!capture.packets)
		die("%s has no %s", capture.name, capture.truncated ?
		    "whole packet: it is cut short" : "packets, or the filter takes none");
	if (!pcap_stats(capture.pcap, &stat))
		capture.lost = stat.ps_drop;
	replay_block();
	for (i = 0; i < nrows; i++)
		advance(&rows[i], U64_MAX);
}

/* ---------------------------------------------------------------- results */

/* What a row comes to */
struct result {
	struct reframer_stats stats;	/* as tc -s qdisc show has them */
	u64 bursts;			/* also of packets that bypass */
	double burst, best_burst;
	double locality_in, locality_out;
	double in_order, in_batches, best;	/* merged packets, percent */
	double mean;			/* delay, ns */
	u64 median, p99;
	u64 memory;
};

static double ratio(u64 a, u64 b)
{
	return b ? (double)a / b : 0;
}

static double percent(u64 packets)
{
	return 100 * ratio(packets, capture.packets);
}

static struct result result_of(const struct row *r)
{
	u64 left = r->packets - r->dropped;
	struct result x;

	reframer_sum_stats(&r->e, &x.stats);
	x.bursts = x.stats.bursts + r->bypassed;
	x.burst = ratio(left, x.bursts);
	x.best_burst = ratio(r->packets, r->best_bursts);
	x.locality_in = ratio(r->packets, r->runs_in);
	x.locality_out = ratio(left, r->runs_out);
	x.in_order = percent(r->receiver.in_order);
	x.in_batches = percent(r->receiver.in_batches);
	x.best = percent(r->best_merged);
	x.mean = ratio(r->delay_sum, left);
	x.median = delay_percentile(r, 50);
	x.p99 = delay_percentile(r, 99);
	x.memory = r->memory_peak + r->e.conf.flows * sizeof(*r->e.flows) +
		   reframer_sets(&r->e.conf) * sizeof(*r->e.sets);
	return x;
}

/* As tc prints it: in the largest unit that is exact */
static const char *exact_time(char *buffer, size_t size, u64 ns)
{
	if (ns % 1000000 == 0 && ns)
		snprintf(buffer, size, "%llums", ns / 1000000);
	else if (ns % 1000 == 0)
		snprintf(buffer, size, "%lluus", ns / 1000);
	else
		snprintf(buffer, size, "%lluns", ns);
	return buffer;
}

/* The options of tc that differ from the defaults, and the delay */
static const char *options_of(const struct row *r)
{
	const struct reframer_config *c = &r->e.conf;
	static char text[256];
	char time[32];
	int n;

	n = sprintf(text, "delay %s", exact_time(time, sizeof(time), c->delay));
	if (c->slack != REFRAMER_SLACK_AUTO)
		n += sprintf(text + n, " slack %s", exact_time(time, sizeof(time), c->slack));
	if (c->burst != REFRAMER_BURST_DEFAULT)
		n += sprintf(text + n, " burst %u", c->burst);
	if (c->burst_bytes != REFRAMER_BURST_BYTES_DEFAULT)
		n += sprintf(text + n, " burst_bytes %u", c->burst_bytes);
	if (c->limit != REFRAMER_LIMIT_DEFAULT)
		n += sprintf(text + n, " limit %u", c->limit);
	if (c->memory_limit != REFRAMER_MEMORY_LIMIT_DEFAULT)
		n += sprintf(text + n, " memory_limit %u", c->memory_limit);
	if (c->flows != REFRAMER_FLOWS_DEFAULT)
		n += sprintf(text + n, " flows %u", c->flows);
	if (c->key != REFRAMER_KEY_FLOW)
		n += sprintf(text + n, " key %s", key_names[c->key]);
	if (!c->adaptive)
		n += sprintf(text + n, " noadaptive");
	if (!c->push)
		sprintf(text + n, " nopush");
	return text;
}

/* What to do, and why */
struct advice {
	const struct row *row;		/* NULL: reframer will not help */
	char why[1024];
};

/* How many of the options that rows differ in are not the default */
static u32 changed_options(const struct row *r)
{
	const struct reframer_config *c = &r->e.conf;

	return (c->burst != REFRAMER_BURST_DEFAULT) + (c->key != REFRAMER_KEY_FLOW) +
	       !c->adaptive + !c->push;
}

/* Does a row that is nearer to the defaults merge nearly as much with the same delay? */
static bool is_superfluous(const struct row *r)
{
	const struct row *other;

	for (other = rows; other < rows + nrows; other++)
		if (other->e.conf.delay == r->e.conf.delay &&
		    changed_options(other) < changed_options(r) &&
		    other->gain > r->gain - OPTION_PERCENT)
			return true;
	return false;
}

/* The row with the largest gain, and of several that of the shortest delay */
static const struct row *most(void)
{
	const struct row *best = NULL, *r;

	for (r = rows; r < rows + nrows; r++)
		if (!is_superfluous(r) &&
		    (!best || r->gain > best->gain ||
		     (r->gain == best->gain && r->e.conf.delay < best->e.conf.delay)))
			best = r;
	return best;
}

/*
 * The knee of the curve of gain over delay: the row that is farthest above the straight
 * line from no gain without a delay to the largest gain.
 */
static const struct row *knee(const struct row *largest)
{
	const struct row *best = largest;
	double above, most_above = 0;
	u32 i;

	for (i = 0; i < nrows; i++) {
		if (is_superfluous(&rows[i]))
			continue;
		above = rows[i].gain / largest->gain -
			ratio(rows[i].e.conf.delay, largest->e.conf.delay);
		if (above > most_above) {
			most_above = above;
			best = &rows[i];
		}
	}
	return best;
}

static void say_no(char *why, size_t size, double own)
{
	double best = 0, burst = 0, kind = percent(capture.tcp_data + udp_merges * capture.udp);
	const char *udp = udp_merges ? " or UDP" : "";
	struct result x;
	u32 i;

	for (i = 0; i < nrows; i++) {
		x = result_of(&rows[i]);
		best = fmax(best, x.best);
		burst = fmax(burst, x.best_burst);
	}
	if (best - own >= GAIN_PERCENT)
		snprintf(why, size,
			 "With the best order %.1f %% of the packets could be merged, but no row comes near it: holds do not pay often enough. Try --variants.",
			 best);
	else if (own >= GAIN_PERCENT)
		snprintf(why, size,
			 "A receiver's GRO merges %.1f %% of the packets by itself, in batches of %u; the best order within these delays allows for %.1f %%.",
			 own, GRO_BATCH, best);
	else if (kind < 2 * GAIN_PERCENT)
		snprintf(why, size,
			 "Only %.1f %% of the packets are of a kind that GRO merges: TCP with data%s.%s",
			 kind, udp,
			 !udp_merges && percent(capture.udp) >= GAIN_PERCENT ?
			 " If the receivers merge UDP, try --udp." : "");
	else if (percent(capture.ends) >= 50)
		snprintf(why, size,
			 "%.1f %% of the packets end a message or connection: GRO merges nothing behind them.",
			 percent(capture.ends));
	else if (burst < 1.5)
		snprintf(why, size,
			 "The packets of a flow are too far apart: on average at most %.2f come within the delay.",
			 burst);
	else
		snprintf(why, size,
			 "GRO merges little of what comes within the delay, with the best order %.1f %% of the packets: headers differ, or packets end messages.",
			 best);
}

static struct advice advise(void)
{
	double own = percent(no_hold.in_batches);
	const struct row *largest;
	struct advice a = {};
	struct result x;
	char time[32];
	int n;
	u32 i;

	for (i = 0; i < nrows; i++) {
		x = result_of(&rows[i]);
		rows[i].gain = x.in_batches - own;
	}
	largest = most();
	if (largest->gain < GAIN_PERCENT) {
		say_no(a.why, sizeof(a.why), own);
		return a;
	}
	a.row = knee(largest);
	x = result_of(a.row);
	n = snprintf(a.why, sizeof(a.why),
		     "A receiver's GRO, in batches of %u, merges %.1f %% of the packets, and %.1f %% without holds. Packets wait for %.1f us on average, and 99 %% of them for at most %.1f us. ",
		     GRO_BATCH, x.in_batches, own, x.mean / US, (double)x.p99 / US);
	if (a.row == largest)
		snprintf(a.why + n, sizeof(a.why) - n,
			 "The gain grows up to this row: a longer delay may gain more.");
	else
		snprintf(a.why + n, sizeof(a.why) - n,
			 "This is the knee: beyond it, up to the largest gain, %.1f %% with delay %s, the delay grows faster than the gain.",
			 largest->gain + own,
			 exact_time(time, sizeof(time), largest->e.conf.delay));
	return a;
}

/* What the user should know of the capture */
static void each_warning(void (*show)(const char *text))
{
	char text[256];

#define WARN(condition, ...) do {				\
	if (condition) {					\
		snprintf(text, sizeof(text), __VA_ARGS__);	\
		show(text);					\
	}							\
} while (0)
	WARN(capture.truncated, "the file is cut short: these are the results of what is there");
	WARN(capture.lost, "%u packets came too fast and are missing", capture.lost);
	WARN(capture.cut, "%llu packets were captured without all of their headers: use a longer snapshot length",
	     capture.cut);
	WARN(capture.super,
	     "%llu packets are longer than %u bytes: captured before segmentation or after GRO, but the network has them in pieces",
	     capture.super, SUPER_PACKET);
	WARN(percent(capture.both_ways) >= 5,
	     "both directions of TCP connections are there, but a qdisc sees one: use a filter, such as \"ether src MAC\"");
	WARN(capture.backwards,
	     "%llu packets have an earlier time than the one before: they are taken to come at the same time",
	     capture.backwards);
#undef WARN
}

static void warn_text(const char *text)
{
	fprintf(stderr, "reframer-advise: %s: %s\n", capture.name, text);
}

/* Print words in lines of 80 columns. */
static void print_wrapped(const char *text)
{
	int column = 0, len;

	for (; *text; text += len) {
		text += strspn(text, " ");
		len = strcspn(text, " ");
		if (column && column + 1 + len > 80) {
			putchar('\n');
			column = 0;
		}
		column += printf("%s%.*s", column ? " " : "", len, text);
	}
	putchar('\n');
}

static void print_text(const struct advice *a)
{
	double time = (capture.last - capture.first) / 1e9;
	struct result x = result_of(&rows[0]);
	int width = strlen("no hold");
	u32 i;

	for (i = 0; i < nrows; i++)
		width = max_t(int, width, strlen(options_of(&rows[i])));
	printf("%s: %llu packets in %.3f s", capture.name, capture.packets, time);
	if (time)
		printf(", %.3g Mb/s", capture.bytes * 8 / time / 1e6);
	printf("; TCP with data %.1f %%, UDP %.1f %%\n\n", percent(capture.tcp_data),
	       percent(capture.udp));
	printf("%-*s %8s %13s %20s %20s %7s %6s\n", width, "", "", "burst",
	       "merged by GRO, %", "added delay, us", "memory", "bypass");
	printf("%-*s %8s %6s %6s %6s %6s %6s %6s %6s %6s %7s %6s\n", width, "options",
	       "locality", "mean", "best", "order", "batch", "best", "mean", "median", "p99",
	       "KB", "%");
	printf("%-*s %8.2f %6s %6s %6.1f %6.1f\n", width, "no hold", x.locality_in, "", "",
	       percent(no_hold.in_order), percent(no_hold.in_batches));
	for (i = 0; i < nrows; i++) {
		x = result_of(&rows[i]);
		printf("%-*s %8.2f %6.2f %6.2f %6.1f %6.1f %6.1f %6.1f %6.1f %6.1f %7.0f %6.1f\n",
		       width, options_of(&rows[i]), x.locality_out, x.burst, x.best_burst,
		       x.in_order, x.in_batches, x.best, x.mean / US, (double)x.median / US,
		       (double)x.p99 / US, x.memory / 1024.0, percent(rows[i].bypassed));
		if (rows[i].dropped)
			printf("  drops %llu packets\n", rows[i].dropped);
	}
	putchar('\n');
	if (a->row)
		printf("Recommended: %s\n", options_of(a->row));
	else
		printf("reframer will not help this traffic.\n");
	print_wrapped(a->why);
}

/* ---- JSON */

static bool json_more;		/* a comma is due */

static void json_quote(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < ' ')
			printf("\\u%04x", *text);
		else
			putchar(*text);
	}
	putchar('"');
}

/* @key: NULL in an array */
static void json_key(const char *key)
{
	if (json_more)
		putchar(',');
	if (key)
		printf("\"%s\":", key);
	json_more = true;
}

static void json_open(const char *key, char bracket)
{
	json_key(key);
	putchar(bracket);
	json_more = false;
}

static void json_close(char bracket)
{
	putchar(bracket);
	json_more = true;
}

static void json_text(const char *key, const char *text)
{
	json_key(key);
	json_quote(text);
}

static void json_count(const char *key, u64 n)
{
	json_key(key);
	printf("%llu", n);
}

static void json_real(const char *key, double x)
{
	json_key(key);
	printf("%.6f", x);
}

static void json_bool(const char *key, bool value)
{
	json_key(key);
	fputs(value ? "true" : "false", stdout);
}

static void json_warning(const char *text)
{
	json_text(NULL, text);
}

static void json_merged(const struct receiver *r)
{
	json_open("merged", '{');
	json_count("in_order", r->in_order);
	json_count("in_batches", r->in_batches);
	json_close('}');
}

/* As in "options" of tc -j qdisc show */
static void json_options(const struct reframer_config *c)
{
	json_open("options", '{');
	json_count("delay", c->delay);
	if (c->slack == REFRAMER_SLACK_AUTO)
		json_text("slack", "auto");
	else
		json_count("slack", c->slack);
	json_count("burst", c->burst);
	json_count("burst_bytes", c->burst_bytes);
	json_count("limit", c->limit);
	json_count("memory_limit", c->memory_limit);
	json_count("flows", c->flows);
	json_text("key", key_names[c->key]);
	json_bool("adaptive", c->adaptive);
	json_bool("push", c->push);
	json_close('}');
}

/* The statistics of the qdisc, which leave out packets that bypass */
static void json_qdisc(const struct reframer_stats *s)
{
	u64 releases = 0;
	int i;

	for (i = 0; i < REFRAMER_RELEASE_REASONS; i++)
		releases += s->releases[i];
	json_open("qdisc", '{');
	json_count("packets_in", s->packets_in);
	json_count("packets_out", s->packets_out);
	json_count("runs_in", s->runs_in);
	json_count("runs_out", s->runs_out);
	json_count("bursts", s->bursts);
	json_count("holds_paid", s->holds_paid);
	json_count("holds_wasted", s->holds_wasted);
	json_real("hold_mean_ns", ratio(s->hold_sum, releases));
	json_count("hold_max_ns", s->hold_max);
	json_close('}');
}

static void json_row(const struct row *r)
{
	struct result x = result_of(r);

	json_open(NULL, '{');
	json_options(&r->e.conf);
	json_real("locality_in", x.locality_in);
	json_real("locality_out", x.locality_out);
	json_open("bursts", '{');
	json_count("count", x.bursts);
	json_real("mean_packets", x.burst);
	json_close('}');
	json_merged(&r->receiver);
	json_real("gain_percent", r->gain);
	json_open("added_delay", '{');
	json_real("mean_ns", x.mean);
	json_count("median_ns", x.median);
	json_count("p99_ns", x.p99);
	json_count("max_ns", r->delay_max);
	json_count("packets", r->waited);
	json_close('}');
	json_count("bypassed", r->bypassed);
	json_count("dropped", r->dropped);
	json_count("memory_bytes", x.memory);
	json_open("optimum", '{');
	json_real("mean_packets", x.best_burst);
	json_count("merged", r->best_merged);
	json_close('}');
	json_qdisc(&x.stats);
	json_close('}');
}

static void print_json(const struct advice *a)
{
	u32 i;

	json_open(NULL, '{');
	json_open("capture", '{');
	json_text("name", capture.name);
	json_count("packets", capture.packets);
	json_count("bytes", capture.bytes);
	json_count("duration_ns", capture.last - capture.first);
	json_count("tcp_data_packets", capture.tcp_data);
	json_count("udp_packets", capture.udp);
	json_open("warnings", '[');
	each_warning(json_warning);
	json_close(']');
	json_close('}');
	json_open("no_hold", '{');
	json_merged(&no_hold);
	json_close('}');
	json_open("rows", '[');
	for (i = 0; i < nrows; i++)
		json_row(&rows[i]);
	json_close(']');
	json_open("advice", '{');
	json_bool("helps", a->row);
	if (a->row)
		json_text("options", options_of(a->row));
	json_text("why", a->why);
	json_close('}');
	json_close('}');
	putchar('\n');
}

/* ---- picture */

/* Options that differ in the delay only are one curve. */
static bool same_curve(const struct row *a, const struct row *b)
{
	struct reframer_config c = a->e.conf;

	c.delay = b->e.conf.delay;
	return !memcmp(&c, &b->e.conf, sizeof(c));
}

static void draw_title(FILE *f, const struct row *r, const char *what)
{
	const char *other = strchr(options_of(r) + strlen("delay "), ' ');

	fprintf(f, "title '%s%s'", what, other ?: "");
}

/* @file ends in .png or .svg */
static void make_picture(const char *file)
{
	const char *terminal = strcmp(file + strlen(file) - 4, ".svg") ? "pngcairo" : "svg";
	FILE *f = popen("gnuplot", "w");
	const struct row *first = NULL;
	struct result x;
	u32 i, curves = 0;

	if (!f)
		die("gnuplot: %s", strerror(errno));
	fputs("$rows << END\n", f);
	for (i = 0; i < nrows; i++) {
		x = result_of(&rows[i]);
		if (first && !same_curve(first, &rows[i]))
			fputs("\n\n", f);
		first = &rows[i];
		fprintf(f, "%g %g %g %g %g\n", (double)rows[i].e.conf.delay / US, x.in_batches,
			x.best, (double)x.p99 / US, x.mean / US);
	}
	fprintf(f, "END\n"
		"set terminal %s size 900,560\n"
		"set output '%s'\n"
		"set title 'What GRO merges behind reframer' noenhanced\n"
		"set xlabel 'delay, us'\nset logscale x 2\nset grid\n"
		"set ylabel 'packets merged in batches of %u, %%'\nset yrange [0:100]\n"
		"set y2label 'added delay of packets, 99 %% at most, us'\n"
		"set y2range [0:*]\nset ytics nomirror\nset y2tics\n"
		"set key outside bottom center horizontal noenhanced\n"
		"plot %g with lines dt 2 lc rgb 'gray40' title 'no hold'",
		terminal, file, GRO_BATCH, percent(no_hold.in_batches));
	for (i = 0; i < nrows; i++) {
		if (i && same_curve(&rows[i - 1], &rows[i]))
			continue;
		curves++;
		fprintf(f, ", $rows index %u using 1:2 with linespoints lw 2 pt 7 lc %u ",
			curves - 1, curves);
		draw_title(f, &rows[i], "merged");
		fprintf(f, ", $rows index %u using 1:3 with lines dt 3 lc %u ",
			curves - 1, curves);
		draw_title(f, &rows[i], "best order");
		fprintf(f, ", $rows index %u using 1:4 axes x1y2 with linespoints pt 4 dt 2 lc %u ",
			curves - 1, curves);
		draw_title(f, &rows[i], "p99");
	}
	fputs("\n", f);
	if (pclose(f))
		die("gnuplot could not draw %s: is it installed?", file);
}

/* ---------------------------------------------------------------- options */

static const char usage[] =
"usage: reframer-advise [OPTION...] FILE [FILTER]\n"
"       reframer-advise [OPTION...] -i DEV [FILTER]\n"
"Replays a capture (pcap or pcapng; - is standard input), or what DEV sends, through the\n"
"engine of the qdisc reframer, and recommends a delay.  FILTER is as for tcpdump.\n"
"\n"
"  -d, --delay TIME,...    delays (16us,32us,64us,128us,256us,512us,1ms)\n"
"  -b, --burst N,...       bursts (64)\n"
"  -k, --key KEY,...       keys (flow): flow, src, dst, hosts, proto-dst\n"
"      --variants          also noadaptive, nopush and both\n"
"      --noadaptive, --nopush, --slack TIME|auto, --burst_bytes BYTES, --limit N,\n"
"      --memory_limit BYTES, --flows N\n"
"                          options of the qdisc for all rows\n"
"      --child             the qdisc is below another one: packets cannot bypass it\n"
"      --udp               the receivers' GRO merges UDP, too\n"
"  -i, --interface DEV     capture until Ctrl-C, or for\n"
"  -s, --seconds N         so long (needs -i)\n"
"  -j, --json              print JSON\n"
"  -p, --plot PICTURE      draw PICTURE.png or .svg with gnuplot\n"
"      --progress          print on standard error how far it is\n"
"  -h, --help\n"
"\n"
"reframer-advise(8) explains the columns and how the delay is chosen.\n";

__attribute__((format(printf, 1, 2), noreturn))
static void refuse(const char *format, ...)
{
	va_list args;

	fputs("reframer-advise: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("\nreframer-advise --help lists the options.\n", stderr);
	exit(2);
}

struct unit {
	const char *name;
	double factor;
};

static const struct unit times[] = {
	{ "ns", 1 }, { "", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, {}
};

static const struct unit sizes[] = {
	{ "b", 1 }, { "", 1 }, { "kb", 1024 }, { "k", 1024 }, { "mb", 1 << 20 },
	{ "m", 1 << 20 }, { "gb", 1 << 30 }, { "g", 1 << 30 }, {}
};

static const struct unit counts[] = {
	{ "", 1 }, {}
};

/* A number with a unit in @low to @high, or an error that says so */
static u32 parse(const char *option, const char *text, const struct unit *unit, u32 low,
		 u32 high)
{
	const char *what = unit == times ? " ns" : unit == sizes ? " bytes" : "";
	char *end;
	double n;

	n = strtod(text, &end);
	while (unit->name && strcasecmp(unit->name, end))
		unit++;
	if (end == text || !unit->name || !isfinite(n))
		refuse("%s \"%s\" is not %s", option, text, *what == '\0' ? "a number" :
		       what[1] == 'n' ? "a time: a number and s, ms, us or ns" :
		       "a size: a number and b, kb, mb or gb");
	n *= unit->factor;
	if (n < low || n > high)
		refuse("%s %s not in %u..%u%s", option, text, low, high, what);
	return n;
}

static u32 parse_key(const char *text)
{
	u32 key;

	for (key = 0; key < KEYS; key++)
		if (key != REFRAMER_KEY_MARK && !strcmp(text, key_names[key]))
			return key;
	refuse("key \"%s\" is not flow, src, dst, hosts or proto-dst%s", text,
	       strcmp(text, "mark") ? "" : ": a capture has no marks");
}

struct list {
	u32 n[LIST_MAX];
	u32 len;
};

static void add_to_list(struct list *list, const char *option, u32 n)
{
	if (list->len == LIST_MAX)
		refuse("%s: more than %u values", option, LIST_MAX);
	list->n[list->len++] = n;
}

enum { DELAYS, BURSTS, KEY_LIST, LISTS };

static void parse_list(struct list *list, int which, char *text)
{
	char *word;

	list->len = 0;
	for (word = strtok(text, ","); word; word = strtok(NULL, ","))
		switch (which) {
		case DELAYS:
			add_to_list(list, "delay", parse("delay", word, times, 0,
							 REFRAMER_DELAY_MAX));
			break;
		case BURSTS:
			add_to_list(list, "burst", parse("burst", word, counts,
							 REFRAMER_BURST_MIN, REFRAMER_BURST_MAX));
			break;
		case KEY_LIST:
			add_to_list(list, "key", parse_key(word));
			break;
		}
	if (!list->len)
		refuse("%s: no value",
		       which == DELAYS ? "delay" : which == BURSTS ? "burst" : "key");
}

static void add_row(const struct reframer_config *conf)
{
	struct row *r = &rows[nrows++];

	r->e.conf = *conf;
	r->e.sets = allocate(64, reframer_sets(conf) * sizeof(*r->e.sets));
	r->e.flows = allocate(64, conf->flows * sizeof(*r->e.flows));
	r->best = allocate(64, BEST_FLOWS * sizeof(*r->best));
	reframer_engine_init(&r->e);
	used_keys[conf->key] = true;
}

static void make_rows(struct reframer_config conf, const struct list *lists, bool variants)
{
	u32 adaptive = conf.adaptive, push = conf.push, v, k, b, d, i, flows = REFRAMER_FLOWS_MIN;
	u32 n = lists[DELAYS].len * lists[BURSTS].len * lists[KEY_LIST].len;

	if (n * (variants ? 4 : 1) > ROWS_MAX)
		refuse("%u combinations of delay, burst, key and variant: at most %u are allowed",
		       n * (variants ? 4 : 1), ROWS_MAX);
	while (flows < conf.flows)
		flows *= 2;
	conf.flows = flows;
	for (i = 0; i < lists[DELAYS].len; i++)
		if (conf.slack != REFRAMER_SLACK_AUTO && conf.slack > lists[DELAYS].n[i])
			refuse("slack %u ns not in 0..%u ns (the delay), or auto", conf.slack,
			       lists[DELAYS].n[i]);
	rows = allocate(64, n * (variants ? 4 : 1) * sizeof(*rows));
	used_keys[REFRAMER_KEY_FLOW] = true;
	for (v = 0; v < (variants ? 4 : 1); v++)
		for (k = 0; k < lists[KEY_LIST].len; k++)
			for (b = 0; b < lists[BURSTS].len; b++)
				for (d = 0; d < lists[DELAYS].len; d++) {
					conf.adaptive = variants ? !(v & 1) : adaptive;
					conf.push = variants ? !(v & 2) : push;
					conf.key = lists[KEY_LIST].n[k];
					conf.burst = lists[BURSTS].n[b];
					conf.delay = lists[DELAYS].n[d];
					add_row(&conf);
				}
}

enum {
	OPT_VARIANTS = 256, OPT_NOADAPTIVE, OPT_NOPUSH, OPT_SLACK, OPT_BURST_BYTES, OPT_LIMIT,
	OPT_MEMORY_LIMIT, OPT_FLOWS, OPT_CHILD, OPT_UDP, OPT_PROGRESS,
};

static const struct option options[] = {
	{ "delay", required_argument, NULL, 'd' },
	{ "burst", required_argument, NULL, 'b' },
	{ "key", required_argument, NULL, 'k' },
	{ "variants", no_argument, NULL, OPT_VARIANTS },
	{ "noadaptive", no_argument, NULL, OPT_NOADAPTIVE },
	{ "nopush", no_argument, NULL, OPT_NOPUSH },
	{ "slack", required_argument, NULL, OPT_SLACK },
	{ "burst_bytes", required_argument, NULL, OPT_BURST_BYTES },
	{ "limit", required_argument, NULL, OPT_LIMIT },
	{ "memory_limit", required_argument, NULL, OPT_MEMORY_LIMIT },
	{ "flows", required_argument, NULL, OPT_FLOWS },
	{ "child", no_argument, NULL, OPT_CHILD },
	{ "udp", no_argument, NULL, OPT_UDP },
	{ "interface", required_argument, NULL, 'i' },
	{ "seconds", required_argument, NULL, 's' },
	{ "json", no_argument, NULL, 'j' },
	{ "plot", required_argument, NULL, 'p' },
	{ "progress", no_argument, NULL, OPT_PROGRESS },
	{ "help", no_argument, NULL, 'h' },
	{}
};

int main(int argc, char **argv)
{
	struct reframer_config conf = reframer_defaults;
	struct list lists[LISTS] = {
		[DELAYS] = { { 16 * US, 32 * US, 64 * US, 128 * US, 256 * US, 512 * US,
			       1000 * US }, 7 },
		[BURSTS] = { { REFRAMER_BURST_DEFAULT }, 1 },
		[KEY_LIST] = { { REFRAMER_KEY_FLOW }, 1 },
	};
	const char *device = NULL, *picture = NULL;
	bool progress = isatty(STDERR_FILENO), variants = false;
	struct advice advice;
	u32 duration = 0;
	int opt;

	while ((opt = getopt_long(argc, argv, "+d:b:k:i:s:jp:h", options, NULL)) != -1) {
		switch (opt) {
		case 'd':
			parse_list(&lists[DELAYS], DELAYS, optarg);
			break;
		case 'b':
			parse_list(&lists[BURSTS], BURSTS, optarg);
			break;
		case 'k':
			parse_list(&lists[KEY_LIST], KEY_LIST, optarg);
			break;
		case OPT_VARIANTS:
			variants = true;
			break;
		case OPT_NOADAPTIVE:
			conf.adaptive = 0;
			break;
		case OPT_NOPUSH:
			conf.push = 0;
			break;
		case OPT_SLACK:
			conf.slack = strcmp(optarg, "auto") ?
				     parse("slack", optarg, times, 0, REFRAMER_DELAY_MAX) :
				     REFRAMER_SLACK_AUTO;
			break;
		case OPT_BURST_BYTES:
			conf.burst_bytes = parse("burst_bytes", optarg, sizes,
						 REFRAMER_BURST_BYTES_MIN,
						 REFRAMER_BURST_BYTES_MAX);
			break;
		case OPT_LIMIT:
			conf.limit = parse("limit", optarg, counts, REFRAMER_LIMIT_MIN,
					   REFRAMER_LIMIT_MAX);
			break;
		case OPT_MEMORY_LIMIT:
			conf.memory_limit = parse("memory_limit", optarg, sizes,
						  REFRAMER_MEMORY_LIMIT_MIN,
						  REFRAMER_MEMORY_LIMIT_MAX);
			break;
		case OPT_FLOWS:
			conf.flows = parse("flows", optarg, counts, REFRAMER_FLOWS_MIN,
					   REFRAMER_FLOWS_MAX);
			break;
		case OPT_CHILD:
			below_another = true;
			break;
		case OPT_UDP:
			udp_merges = true;
			break;
		case 'i':
			device = optarg;
			break;
		case 's':
			duration = parse("seconds", optarg, counts, 1, 1000000);
			break;
		case 'j':
			json = true;
			break;
		case 'p':
			picture = optarg;
			break;
		case OPT_PROGRESS:
			progress = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs("reframer-advise --help lists the options.\n", stderr);
			return 2;
		}
	}
	if (!device && optind == argc)
		refuse("no file is named, and no device by -i");
	if (duration && !device)
		refuse("--seconds is for a capture by -i");
	if (picture && (strlen(picture) < 5 ||
			(strcmp(picture + strlen(picture) - 4, ".png") &&
			 strcmp(picture + strlen(picture) - 4, ".svg"))))
		refuse("--plot %s: the name has to end in .png or .svg", picture);
	if (variants && !(conf.adaptive && conf.push))
		refuse("--variants includes --noadaptive and --nopush");
	make_rows(conf, lists, variants);
	if (device)
		open_device(device);
	else
		open_file(argv[optind++]);
	set_link_type();
	set_filter(argv + optind);
	read_capture(duration, progress);
	advice = advise();
	if (!json)
		each_warning(warn_text);
	if (json)
		print_json(&advice);
	else
		print_text(&advice);
	if (picture)
		make_picture(picture);
	return 0;
}
