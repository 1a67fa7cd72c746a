// SPDX-License-Identifier: GPL-2.0
/*
 * A fuzzer for the netlink interface of reframer.
 *
 * It sends messages that create, change, dump and delete qdiscs, classes and
 * filters, with reframer as root, as a leaf of other qdiscs and grafted from one
 * place to another.  Messages are made valid, and some are then corrupted, so that
 * many are accepted, or refused late.  All this happens
 *  - in a network namespace of its own, which is destroyed with all that is in it,
 *    and replaced by a new one, after a number of messages;
 *  - under traffic from another process, with devices that go down and up, and
 *    are deleted;
 *  - while, in every fourth namespace, a third process keeps trying to remove the
 *    module, and loads it again.
 *
 * The messages depend only on the seed (and on the compiler, which may evaluate the
 * arguments of a function in any order), not on the answers.
 *
 * These conditions must hold: each message is answered; a refused change leaves all
 * options unchanged; options are in their ranges; the module cannot be removed while
 * it is in use, and can be in the end.  The caller must check the kernel's log.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>
#include <time.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <linux/tc_act/tc_gact.h>

#include <linux/pkt_sch_reframer.h>
#include "fuzz.h"

#define EPOCH		2000	/* messages in one namespace */
#define ANSWER_S	60	/* that the kernel may take for an answer */
#define REMOVAL_S	60	/* for all namespaces to be gone */
#define MESSAGE_MAX	16384
#define ANSWER_MAX	(256 << 10)
#define NEST_MAX	8
#define QUEUES		4
#define CLASSES		4	/* of a parent: 1:1 to 1:4 */
#define ERRNO_MAX	134
#define REFRAMER	"reframer"

/* The devices of a namespace, by their indices; it may come with tunnels. */
enum {
	D_LO = 1, D_DUMMY = 101, D_CHECKED, D_VETH, D_PEER, D_END
};

static const char *const device_name[D_END] = {
	[D_LO] = "lo", [D_DUMMY] = "d0", [D_CHECKED] = "c0", [D_VETH] = "v0",
	[D_PEER] = "v1"
};

enum type {
	NEWQDISC, DELQDISC, GETQDISC, NEWTCLASS, DELTCLASS, GETTCLASS,
	NEWTFILTER, DELTFILTER, GETTFILTER, DEVICE, CHECK, TYPES
};

static const char *const type_name[TYPES] = {
	"NEWQDISC", "DELQDISC", "GETQDISC", "NEWTCLASS", "DELTCLASS",
	"GETTCLASS", "NEWTFILTER", "DELTFILTER", "GETTFILTER", "link", "check"
};

/* Counters of all processes */
static struct counts {
	uint64_t sent;
	uint64_t answer[TYPES][ERRNO_MAX + 1];
	uint64_t reframer_ok, reframer_refused;	/* NEWQDISC of the kind */
	uint64_t spoilt_ok, spoilt_refused;
	uint64_t held_changes;		/* refused, and nothing has changed */
	uint64_t removals, removals_refused;
	uint64_t digest;		/* of all messages */
	uint64_t packets;
	atomic_bool namespace_ends;	/* stop removing the module, too */
} *counts;

static struct {
	uint64_t seed, messages;
	const char *module;
	bool progress, verbose;
} opt = { .seed = 1, .messages = 20000 };

/* The current step, for the message of a failure */
static uint64_t message_nr;

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "fuzz-netlink: message %llu of --seed %llu: ",
		(unsigned long long)message_nr, (unsigned long long)opt.seed);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(1);
}

/* ------------------------------------------------------------ messages */

/* The message under construction */
static struct {
	union {
		struct nlmsghdr h;
		char data[MESSAGE_MAX];
	};
	size_t len;
	size_t nest[NEST_MAX];
	int nests;
} m;

static void *put(const void *data, size_t len)
{
	char *to = m.data + m.len;

	if (m.len + len > MESSAGE_MAX - 64)
		die("a message that is too long");
	if (data)
		memcpy(to, data, len);
	else
		memset(to, 0, len);
	m.len += NLMSG_ALIGN(len);
	return to;
}

static void attr(int type, const void *data, size_t len)
{
	struct rtattr rta = { .rta_len = RTA_LENGTH(len), .rta_type = type };

	put(&rta, sizeof(rta));
	put(data, len);
}

static void attr_u32(int type, uint32_t value)
{
	attr(type, &value, sizeof(value));
}

static void attr_string(int type, const char *value)
{
	attr(type, value, strlen(value) + 1);
}

static void nest(int type)
{
	m.nest[m.nests++] = m.len;
	attr(type, NULL, 0);
}

static void unnest(void)
{
	size_t at = m.nest[--m.nests];
	struct rtattr *rta = (struct rtattr *)(m.data + at);

	rta->rta_len = m.len - at;
}

static void message(int type, int flags)
{
	memset(&m, 0, sizeof(m));
	m.len = NLMSG_HDRLEN;
	m.h.nlmsg_type = type;
	m.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
}

static void tc_message(int type, int flags, int device, uint32_t parent,
		       uint32_t handle)
{
	struct tcmsg tcm = {
		.tcm_ifindex = device, .tcm_parent = parent,
		.tcm_handle = handle,
	};

	message(type, flags);
	put(&tcm, sizeof(tcm));
}

/* ------------------------------------------------- the kernel's answers */

static int rtnl = -1;
static char answer[ANSWER_MAX];
static size_t answer_len;	/* of the last message before the acknowledgment */
static char extack[128];	/* text in the acknowledgment */

static void rtnl_open(void)
{
	struct timeval limit = { .tv_sec = ANSWER_S };
	int on = 1;

	if (rtnl >= 0)
		close(rtnl);
	rtnl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (rtnl < 0 ||
	    setsockopt(rtnl, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    setsockopt(rtnl, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) ||
	    setsockopt(rtnl, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)))
		die("netlink socket: %s", strerror(errno));
}

static struct rtattr *find(void *start, size_t len, int type)
{
	struct rtattr *rta;
	int left = len;

	for (rta = start; RTA_OK(rta, left); rta = RTA_NEXT(rta, left))
		if ((rta->rta_type & NLA_TYPE_MASK) == type)
			return rta;
	return NULL;
}

/* The errno, and the message if there is one */
static int acknowledged(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);
	size_t len = NLMSG_HDRLEN + sizeof(*e);
	struct rtattr *text = NULL;

	/* with NETLINK_CAP_ACK, the attributes follow at once */
	if (h->nlmsg_flags & NLM_F_ACK_TLVS)
		text = find((char *)h + len, h->nlmsg_len - len,
			    NLMSGERR_ATTR_MSG);
	snprintf(extack, sizeof(extack), "%s", text ? (char *)RTA_DATA(text) : "");
	return -e->error;
}

/* Send @len bytes.  Returns 0 or the errno of the kernel's answer. */
static int ask(size_t len)
{
	static char buffer[ANSWER_MAX];
	static uint32_t seq;
	bool get = m.h.nlmsg_type % 4 == RTM_GETQDISC % 4;
	bool dump = get && m.h.nlmsg_flags & NLM_F_DUMP;
	struct nlmsghdr *h;
	ssize_t n;

	m.h.nlmsg_seq = ++seq;
	answer_len = 0;
	extack[0] = 0;
	if (send(rtnl, m.data, len, 0) < 0)
		die("send: %s", strerror(errno));
	for (;;) {
		n = recv(rtnl, buffer, sizeof(buffer), 0);
		if (n < 0)
			die("no answer: %s", strerror(errno));
		for (h = (void *)buffer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_seq != seq)
				continue;
			if (h->nlmsg_type == NLMSG_ERROR)
				return acknowledged(h);
			if (h->nlmsg_type == NLMSG_DONE && dump)
				return -*(int *)NLMSG_DATA(h);
			answer_len = h->nlmsg_len;
			memcpy(answer, h, answer_len);
		}
	}
}

/* Print a message and the kernel's answer */
static void show(enum type type, int err)
{
	const struct tcmsg *tcm = NLMSG_DATA(&m.h);

	printf("# %llu %s flags %x", (unsigned long long)message_nr,
	       type_name[type], m.h.nlmsg_flags);
	if (type != DEVICE)
		printf(" device %d parent %x handle %x", tcm->tcm_ifindex,
		       tcm->tcm_parent, tcm->tcm_handle);
	printf(": %s %s\n", strerror(err), extack);
}

/* Send the message, and count it with the answer. */
static int tell(enum type type)
{
	size_t len = m.len, i;
	uint64_t digest = counts->digest;
	int err;

	m.h.nlmsg_len = m.len;
	/* truncated anywhere */
	if (type < DEVICE && chance(1))
		m.h.nlmsg_len = NLMSG_HDRLEN + below(m.len - NLMSG_HDRLEN + 1);
	len = m.h.nlmsg_len;
	m.h.nlmsg_seq = 0;
	for (i = 0; i < len; i++)
		digest = (digest ^ (uint8_t)m.data[i]) * 0x100000001b3ULL;
	counts->digest = digest;
	counts->sent++;
	message_nr++;

	err = ask(len);
	if (opt.verbose)
		show(type, err);
	counts->answer[type][err >= 0 && err < ERRNO_MAX ? err : ERRNO_MAX]++;
	return err;
}

/* ------------------------------------------------------ valid contents */

/* As in the manual page; slack is at most the delay, or automatic. */
static const struct {
	uint32_t min, max;
} range[TCA_REFRAMER_MAX + 1] = {
	[TCA_REFRAMER_DELAY]		= { 0, 100000000 },
	[TCA_REFRAMER_SLACK]		= { 0, 0xffffffff },
	[TCA_REFRAMER_BURST]		= { 1, 65535 },
	[TCA_REFRAMER_BURST_BYTES]	= { 256, 16 << 20 },
	[TCA_REFRAMER_LIMIT]		= { 1, 0xffffffff },
	[TCA_REFRAMER_MEMORY_LIMIT]	= { 1, 1U << 31 },
	[TCA_REFRAMER_FLOWS]		= { 8, 65536 },
	[TCA_REFRAMER_KEY]		= { 0, REFRAMER_KEY_MAX },
	[TCA_REFRAMER_ADAPTIVE]		= { 0, 1 },
	[TCA_REFRAMER_PUSH]		= { 0, 1 },
	[TCA_REFRAMER_COALESCE]		= { 0, 1 },
};

/* Valid values, limits, and values beyond them */
static uint32_t value_of(uint32_t min, uint32_t max, uint32_t usual)
{
	uint32_t value;

	switch (below(16)) {
	case 0:
		return min;
	case 1:
		return max;
	case 2:
		return min + 1;
	case 3:
		return max - 1;
	case 4:
		value = PICK(min - 1, max + 1, 0, -1, 0x7fffffff, 0x80000000);
		return chance(30) ? value : usual;
	case 5:
	case 6:
	case 7:
		/* of any magnitude */
		value = min + (uint32_t)prng() % ((max - min) | 1);
		return min + ((value - min) >> below(32));
	default:
		return usual;
	}
}

static uint32_t option_value(int attr, uint32_t usual)
{
	return value_of(range[attr].min, range[attr].max, usual);
}

/* The options of one message */
static void reframer_options(bool create)
{
	/* the number of flows changes only at creation */
	uint32_t flows = create ? option_value(TCA_REFRAMER_FLOWS,
					       1 << (3 + below(10))) : 0;
	uint32_t delay = option_value(TCA_REFRAMER_DELAY,
				      PICK(0, 1000, 64000, 64000, 1000000,
					   20000000));
	int some = below(4);

	/* tables of 65536 slots take a while to allocate */
	if (flows > 8192 && chance(90))
		flows = 1024;
	nest(TCA_OPTIONS | (chance(98) ? NLA_F_NESTED : 0));
	if (chance(60))
		attr_u32(TCA_REFRAMER_DELAY, delay);
	if (chance(20))
		attr_u32(TCA_REFRAMER_SLACK, chance(30) ? REFRAMER_SLACK_AUTO :
			 value_of(0, delay, delay / 2));
	if (some && chance(40))
		attr_u32(TCA_REFRAMER_BURST,
			 option_value(TCA_REFRAMER_BURST, 1 + below(100)));
	if (some && chance(40))
		attr_u32(TCA_REFRAMER_BURST_BYTES,
			 option_value(TCA_REFRAMER_BURST_BYTES,
				      256 + below(100000)));
	if (some && chance(40))
		attr_u32(TCA_REFRAMER_LIMIT,
			 option_value(TCA_REFRAMER_LIMIT, 1 + below(1000)));
	if (some && chance(40))
		attr_u32(TCA_REFRAMER_MEMORY_LIMIT,
			 option_value(TCA_REFRAMER_MEMORY_LIMIT,
				      1 + below(1 << 20)));
	if (create && chance(40))
		attr_u32(TCA_REFRAMER_FLOWS, flows);
	else if (chance(3))
		attr_u32(TCA_REFRAMER_FLOWS, prng());
	if (some && chance(30))
		attr_u32(TCA_REFRAMER_KEY,
			 option_value(TCA_REFRAMER_KEY,
				      below(REFRAMER_KEY_MAX + 1)));
	if (some && chance(40))
		attr_u32(TCA_REFRAMER_ADAPTIVE,
			 option_value(TCA_REFRAMER_ADAPTIVE, below(2)));
	if (some && chance(40))
		attr_u32(TCA_REFRAMER_PUSH,
			 option_value(TCA_REFRAMER_PUSH, below(2)));
	if (some && chance(40))
		attr_u32(TCA_REFRAMER_COALESCE,
			 option_value(TCA_REFRAMER_COALESCE, below(2)));
	unnest();
}

static const struct tc_ratespec rate = {
	.linklayer = TC_LINKLAYER_ETHERNET, .rate = 125000000, .mpu = 64,
};

/* Parents, and other leaves that replace a reframer */
static const char *const kinds[] = {
	"prio", "drr", "hfsc", "htb", "qfq", "ets", "multiq", "tbf", "red",
	"netem", "mq", "pfifo", "fq_codel", "sfq", "codel", "fq", "clsact",
};

#define PARENTS		10	/* the first ones, possible on any device */

static void other_options(const char *kind)
{
	struct tc_prio_qopt prio = { CLASSES, { 0, 1, 2, 3, 0, 1, 2, 3 } };
	struct tc_htb_glob htb = { .version = 3, .rate2quantum = 10,
				   .defcls = below(2) * 1 };
	struct tc_hfsc_qopt hfsc = { .defcls = 1 };
	struct tc_multiq_qopt multiq = { 0 };
	struct tc_netem_qopt netem = { .latency = below(1000), .limit = 100,
				       .duplicate = below(3) ? 0 : 1U << 30 };
	struct tc_tbf_qopt tbf = { .rate = rate, .limit = 1 << 20,
				   .buffer = 100000 };
	struct tc_red_qopt red = { .limit = 1 << 20, .qth_min = 10000,
				   .qth_max = 30000, .Wlog = 9, .Plog = 10,
				   .Scell_log = 10 };
	uint8_t stab[256] = { 0 }, bands = CLASSES;

	if (!strcmp(kind, "prio")) {
		attr(TCA_OPTIONS, &prio, sizeof(prio));
	} else if (!strcmp(kind, "multiq")) {
		attr(TCA_OPTIONS, &multiq, sizeof(multiq));
	} else if (!strcmp(kind, "hfsc")) {
		attr(TCA_OPTIONS, &hfsc, sizeof(hfsc));
	} else if (!strcmp(kind, "netem")) {
		attr(TCA_OPTIONS, &netem, sizeof(netem));
	} else if (!strcmp(kind, "htb")) {
		nest(TCA_OPTIONS | NLA_F_NESTED);
		attr(TCA_HTB_INIT, &htb, sizeof(htb));
		unnest();
	} else if (!strcmp(kind, "ets")) {
		nest(TCA_OPTIONS | NLA_F_NESTED);
		attr(TCA_ETS_NBANDS, &bands, 1);
		unnest();
	} else if (!strcmp(kind, "tbf")) {
		if (chance(20))		/* almost without tokens */
			tbf.rate.rate = 1 + below(1000);
		nest(TCA_OPTIONS | NLA_F_NESTED);
		attr(TCA_TBF_PARMS, &tbf, sizeof(tbf));
		attr_u32(TCA_TBF_BURST, 1600 + below(100000));
		unnest();
	} else if (!strcmp(kind, "red")) {
		nest(TCA_OPTIONS | NLA_F_NESTED);
		attr(TCA_RED_PARMS, &red, sizeof(red));
		attr(TCA_RED_STAB, stab, sizeof(stab));
		attr_u32(TCA_RED_MAX_P, 1 << 30);
		unnest();
	}
}

/* A size table: packets may count as much larger, or smaller, than they are. */
static void size_table(void)
{
	struct tc_sizespec base = {
		.cell_log = below(12), .size_log = PICK(0, 0, 1, 8, 15, 30),
		.cell_align = (int)below(100) - 50,
		.overhead = (int)below(2000) - 1000,
		.linklayer = TC_LINKLAYER_ETHERNET, .mpu = below(100),
		.mtu = 2048, .tsize = below(3) * 16,
	};
	uint16_t data[32];
	unsigned int i;

	for (i = 0; i < 32; i++)
		data[i] = prng();
	nest(TCA_STAB);
	attr(TCA_STAB_BASE, &base, sizeof(base));
	if (base.tsize)
		attr(TCA_STAB_DATA, data, base.tsize * 2);
	unnest();
}

/* ------------------------------------------------------------ spoiling */

/*
 * Some attributes between two offsets, one after the other, down into the
 * options
 */
static struct rtattr *some_attr(size_t start)
{
	struct rtattr *all[256], *rta;
	int n = 0, left = m.len - start, inner;

	for (rta = (void *)(m.data + start); RTA_OK(rta, left) && n < 128;
	     rta = RTA_NEXT(rta, left)) {
		struct rtattr *in;

		all[n++] = rta;
		if ((rta->rta_type & NLA_TYPE_MASK) != TCA_OPTIONS)
			continue;
		inner = RTA_PAYLOAD(rta);
		for (in = RTA_DATA(rta); RTA_OK(in, inner) && n < 256;
		     in = RTA_NEXT(in, inner))
			all[n++] = in;
	}
	/* inner ones are more numerous, and so chosen more often */
	return n ? all[below(n)] : NULL;
}

/* Insert @len bytes at an offset into the options, which end the message. */
static void insert(size_t at, const void *data, size_t len, size_t nest_at)
{
	struct rtattr *options = (void *)(m.data + nest_at);

	len = NLMSG_ALIGN(len);
	if (m.len + len > MESSAGE_MAX - 64)
		return;
	memmove(m.data + at + len, m.data + at, m.len - at);
	memcpy(m.data + at, data, len);
	m.len += len;
	options->rta_len += len;
}

/*
 * Corrupt one thing in the attributes from @start on.  Those inside the nest at
 * @nest_at, if there is one, are repeated, made longer, nested and so on.
 */
static void spoil(size_t start, size_t nest_at)
{
	union {
		struct rtattr rta;
		char data[512];
	} add;
	struct rtattr *rta = some_attr(start);
	size_t at, len;
	unsigned int i;

	if (!rta)
		return;
	at = (char *)rta - m.data;
	memset(&add, 0, sizeof(add));
	switch (below(nest_at && at > nest_at ? 12 : 6)) {
	case 0:			/* bits */
		for (i = 1 + below(8); i; i--)
			m.data[start + below(m.len - start)] ^= 1 << below(8);
		return;
	case 1:
		rta->rta_len = below(32) ? rta->rta_len + below(16) - 8 :
					   prng();
		return;
	case 2:
		rta->rta_type = below(20);
		return;
	case 3:
		rta->rta_type ^= PICK(NLA_F_NESTED, NLA_F_NET_BYTEORDER, 0x100,
				      NLA_F_NESTED | NLA_F_NET_BYTEORDER);
		return;
	case 4:
		len = RTA_PAYLOAD(rta);
		for (i = 0; i < len && at + sizeof(*rta) + i < m.len; i++)
			((uint8_t *)RTA_DATA(rta))[i] = prng();
		return;
	case 5:			/* the last one is truncated */
		m.len -= below(m.len - start) % 8;
		m.len &= ~3;
		return;
	case 6:			/* repeated, with the same or another value */
		len = NLMSG_ALIGN(rta->rta_len);
		if (len > sizeof(add) || at + len > m.len || len < 4)
			return;
		memcpy(&add, rta, len);
		if (len >= 8 && chance(50))
			add.data[4 + below(len - 4)] = prng();
		for (i = PICK(1, 1, 1, 2, 100); i; i--)
			insert(at + len, &add, len, nest_at);
		return;
	case 7:			/* short */
	case 8:			/* long */
		add.rta.rta_type = 1 + below(TCA_REFRAMER_MAX);
		len = PICK(0, 1, 2, 3, 5, 8, 8, 16, 255);
		add.rta.rta_len = RTA_LENGTH(len);
		for (i = 0; i < len; i++)
			add.data[4 + i] = prng();
		insert(at, &add, RTA_LENGTH(len), nest_at);
		return;
	case 9:			/* unknown */
		add.rta.rta_type = PICK(0, TCA_REFRAMER_MAX + 1, 100, 0x3fff,
					TCA_REFRAMER_STATS_MAX, prng());
		len = PICK(0, 4, 4, 64);
		add.rta.rta_len = RTA_LENGTH(len);
		insert(at, &add, RTA_LENGTH(len), nest_at);
		return;
	case 10:		/* nested */
		len = 0;
		for (i = 1 + below(30); i; i--, len += 4) {
			struct rtattr *in = (void *)(add.data + len);

			in->rta_type = 1 + below(TCA_REFRAMER_MAX);
			in->rta_len = i * 4;
		}
		insert(at, &add, len, nest_at);
		return;
	case 11:		/* nothing at all, or nothing that is valid */
		((struct rtattr *)(m.data + nest_at))->rta_len =
			RTA_LENGTH(below(2) * below(m.len - nest_at - 3));
		return;
	}
}

/* A field of the message, too */
static void spoil_message(size_t nest_at)
{
	struct tcmsg *tcm = NLMSG_DATA(&m.h);

	if (chance(20))
		((char *)tcm)[below(sizeof(*tcm))] ^= 1 << below(8);
	else
		spoil(NLMSG_HDRLEN + sizeof(*tcm), nest_at);
	if (chance(20))
		spoil_message(nest_at);
}

static void pause_ms(unsigned int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

/* ---------------------------------------------------- kinds of messages */

/* The root last requested for each device, to request matching classes */
static const char *root_kind[D_END];

/* The device of the latest tree */
static int tree_device = D_DUMMY;

static int some_device(void)
{
	if (chance(50))
		return tree_device;
	return PICK(D_DUMMY, D_DUMMY, D_VETH, D_VETH, D_PEER, D_LO);
}

static uint32_t some_parent(void)
{
	return chance(20) ? TC_H_ROOT :
	       chance(70) ? (1 << 16) + 1 + below(CLASSES) :
	       PICK(1 << 16, 2 << 16 | 1, 10 << 16 | 1, 11 << 16, 11 << 16 | 1,
		    0, 1, TC_H_INGRESS, TC_H_UNSPEC, 0xffff0000, 0xfffffff1,
		    prng());
}

static uint32_t some_handle(void)
{
	return chance(40) ? 0 : chance(70) ? (10 + below(CLASSES)) << 16 :
	       PICK(1 << 16, 2 << 16, 0xffff0000, 0x80010000, prng());
}

static const char *some_kind(int device)
{
	if (device != D_LO && chance(5))
		return "mq";
	return kinds[below(sizeof(kinds) / sizeof(*kinds))];
}

static void newqdisc(int device, uint32_t parent, uint32_t handle,
		     const char *kind, int flags, bool may_spoil)
{
	bool reframer = !strcmp(kind, REFRAMER), spoilt = false;
	size_t at;
	int err;

	tc_message(RTM_NEWQDISC, flags, device, parent, handle);
	attr_string(TCA_KIND, kind);
	if (may_spoil && chance(8))
		size_table();
	if (may_spoil && chance(3)) {
		struct tc_estimator est = { (int)below(6) - 3, below(5) };

		attr(TCA_RATE, &est, sizeof(est));
	}
	at = m.len;
	if (reframer && chance(95))
		reframer_options(flags & NLM_F_CREATE);
	else if (!reframer)
		other_options(kind);
	if (may_spoil && chance(reframer ? 30 : 3)) {
		spoilt = true;
		spoil_message(reframer && m.len > at ? at : 0);
	}
	err = tell(NEWQDISC);
	if (parent == TC_H_ROOT && !spoilt)
		root_kind[device] = kind;
	counts->reframer_ok += reframer && !err;
	counts->reframer_refused += reframer && err;
	counts->spoilt_ok += spoilt && !err;
	counts->spoilt_refused += spoilt && err;
}

static void newclass(int device, uint32_t classid, bool may_spoil)
{
	const char *kind = root_kind[device] ?: REFRAMER;
	struct tc_htb_opt htb = {
		.rate = rate, .ceil = rate, .buffer = 10000, .cbuffer = 10000,
		.quantum = 1514,
	};
	struct tc_service_curve curve = { .m2 = 125000000 };

	tc_message(RTM_NEWTCLASS,
		   NLM_F_CREATE | (chance(20) ? NLM_F_EXCL : 0) |
		   (chance(20) ? NLM_F_REPLACE : 0),
		   device, chance(90) ? 1 << 16 : some_parent(), classid);
	attr_string(TCA_KIND, kind);
	if (!strcmp(kind, "htb")) {
		nest(TCA_OPTIONS | NLA_F_NESTED);
		attr(TCA_HTB_PARMS, &htb, sizeof(htb));
		unnest();
	} else if (!strcmp(kind, "hfsc")) {
		nest(TCA_OPTIONS | NLA_F_NESTED);
		attr(TCA_HFSC_RSC, &curve, sizeof(curve));
		attr(TCA_HFSC_FSC, &curve, sizeof(curve));
		unnest();
	} else if (!strcmp(kind, "qfq")) {
		nest(TCA_OPTIONS | NLA_F_NESTED);
		attr_u32(TCA_QFQ_WEIGHT, 1 + below(10));
		unnest();
	} else if (!strcmp(kind, "ets")) {
		nest(TCA_OPTIONS | NLA_F_NESTED);
		attr_u32(TCA_ETS_QUANTA_BAND, 1 + below(3000));
		unnest();
	} else {
		nest(TCA_OPTIONS | NLA_F_NESTED);
		attr_u32(TCA_DRR_QUANTUM, 1 + below(3000));
		unnest();
	}
	if (may_spoil && chance(15))
		spoil_message(0);
	tell(NEWTCLASS);
}

static uint32_t some_filter_parent(void)
{
	return PICK(1 << 16, 1 << 16, 10 << 16, 11 << 16, 12 << 16, 13 << 16, 0,
		    TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS), prng());
}

/* matchall, with a class, or an action that drops or goes on */
static void newfilter(int device)
{
	struct tc_gact gact = {
		.action = PICK(TC_ACT_OK, TC_ACT_SHOT, TC_ACT_PIPE,
			       TC_ACT_STOLEN, TC_ACT_QUEUED, TC_ACT_TRAP,
			       TC_ACT_RECLASSIFY, TC_ACT_REDIRECT),
	};
	uint32_t parent = some_filter_parent();
	uint32_t prio = PICK(1, 1, 2, 3, 0, 0xffff);
	uint32_t proto = htons(PICK(ETH_P_ALL, ETH_P_IP, ETH_P_IPV6));

	tc_message(RTM_NEWTFILTER,
		   NLM_F_CREATE | (chance(50) ? NLM_F_EXCL : 0), device, parent,
		   chance(80) ? 0 : below(4));
	((struct tcmsg *)NLMSG_DATA(&m.h))->tcm_info = prio << 16 | proto;
	attr_string(TCA_KIND, "matchall");
	nest(TCA_OPTIONS | NLA_F_NESTED);
	if (chance(60))
		attr_u32(TCA_MATCHALL_CLASSID,
			 (parent & 0xffff0000) | PICK(1, 2, 3, 8, 1000, 0xffff,
						      prng() & 0xffff));
	if (chance(40)) {
		nest(TCA_MATCHALL_ACT);
		nest(1);
		attr_string(TCA_ACT_KIND, "gact");
		nest(TCA_ACT_OPTIONS);
		attr(TCA_GACT_PARMS, &gact, sizeof(gact));
		unnest();
		unnest();
		unnest();
	}
	unnest();
	if (chance(15))
		spoil_message(0);
	tell(NEWTFILTER);
}

/* A root with classes, and a reframer below most of them */
static void tree(void)
{
	int device = some_device(), i, flags = NLM_F_CREATE | NLM_F_REPLACE;
	const char *kind = kinds[below(PARENTS)];

	tree_device = device;
	if (device != D_LO && chance(15))
		kind = "mq";
	tc_message(RTM_DELQDISC, 0, device, TC_H_ROOT, 0);
	tell(DELQDISC);
	newqdisc(device, TC_H_ROOT, 1 << 16, kind, flags, false);
	for (i = 1; i <= CLASSES; i++) {
		if (!strcmp(kind, "htb") || !strcmp(kind, "hfsc") ||
		    !strcmp(kind, "drr") || !strcmp(kind, "qfq"))
			newclass(device, 1 << 16 | i, false);
		if (chance(80))
			newqdisc(device, 1 << 16 | i, (9 + i) << 16, REFRAMER,
				 flags, false);
	}
}

/* Without a reframer: the module may be removed, and be missing for a while. */
static void clear(void)
{
	static const int devices[] = { D_LO, D_DUMMY, D_CHECKED, D_VETH, D_PEER };
	int i;

	for (i = 0; i < 5; i++) {
		tc_message(RTM_DELQDISC, 0, devices[i], TC_H_ROOT, 0);
		tell(DELQDISC);
		root_kind[devices[i]] = NULL;
	}
	pause_ms(3);
}

static void link_up(int device, bool up)
{
	struct ifinfomsg info = {
		.ifi_index = device, .ifi_flags = up ? IFF_UP : 0,
		.ifi_change = IFF_UP,
	};

	message(RTM_NEWLINK, 0);
	put(&info, sizeof(info));
	tell(DEVICE);
}

static void add_dummy(int index)
{
	struct ifinfomsg info = { .ifi_index = index, .ifi_flags = IFF_UP,
				  .ifi_change = IFF_UP };

	message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	put(&info, sizeof(info));
	attr_string(IFLA_IFNAME, device_name[index]);
	attr_u32(IFLA_NUM_TX_QUEUES, index == D_DUMMY ? QUEUES : 1);
	nest(IFLA_LINKINFO);
	attr_string(IFLA_INFO_KIND, "dummy");
	unnest();
	tell(DEVICE);
	root_kind[index] = NULL;
}

static void add_veth(void)
{
	struct ifinfomsg info = { .ifi_index = D_VETH, .ifi_flags = IFF_UP,
				  .ifi_change = IFF_UP };

	message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	put(&info, sizeof(info));
	attr_string(IFLA_IFNAME, device_name[D_VETH]);
	attr_u32(IFLA_NUM_TX_QUEUES, QUEUES);
	attr_u32(IFLA_NUM_RX_QUEUES, QUEUES);
	nest(IFLA_LINKINFO);
	attr_string(IFLA_INFO_KIND, "veth");
	nest(IFLA_INFO_DATA);
	nest(VETH_INFO_PEER);
	info = (struct ifinfomsg) { .ifi_index = D_PEER };
	put(&info, sizeof(info));
	attr_string(IFLA_IFNAME, device_name[D_PEER]);
	attr_u32(IFLA_NUM_TX_QUEUES, QUEUES);
	attr_u32(IFLA_NUM_RX_QUEUES, QUEUES);
	unnest();
	unnest();
	unnest();
	tell(DEVICE);
	link_up(D_PEER, true);
	root_kind[D_VETH] = NULL;
	root_kind[D_PEER] = NULL;
}

/* A device is created or deleted, with its qdiscs and their packets. */
static void new_device(void)
{
	struct ifinfomsg info = { .ifi_index = PICK(D_DUMMY, D_VETH) };

	message(RTM_DELLINK, 0);
	put(&info, sizeof(info));
	tell(DEVICE);
	if (info.ifi_index == D_DUMMY)
		add_dummy(D_DUMMY);
	else
		add_veth();
}

static void look(enum type type, int rtm)
{
	tc_message(rtm, chance(50) ? NLM_F_DUMP : 0,
		   chance(90) ? some_device() : (int)below(200),
		   chance(50) ? 0 : some_parent(),
		   type == GETQDISC ? some_handle() :
		   chance(50) ? 0 : some_parent());
	if (type == GETTFILTER)
		((struct tcmsg *)NLMSG_DATA(&m.h))->tcm_info =
			1 << 16 | htons(ETH_P_ALL);
	if (chance(10))
		attr_string(TCA_KIND, below(2) ? REFRAMER : "matchall");
	if (chance(10))
		attr_u32(TCA_DUMP_INVISIBLE, 0);
	if (chance(10))
		spoil_message(0);
	tell(type);
}

static void delete(enum type type, int rtm)
{
	uint32_t parent = some_parent(), handle = 0, info = 0;

	if (type == DELTCLASS) {
		parent = chance(50) ? 0 : 1 << 16;
		handle = some_parent();
	} else if (type == DELTFILTER) {
		parent = some_filter_parent();
		/* of one priority, or all */
		info = chance(70) ? PICK(1, 1, 2, 3) << 16 |
				    htons(PICK(ETH_P_ALL, ETH_P_IP)) : 0;
	} else if (chance(40)) {
		handle = some_handle();
	}
	tc_message(rtm, 0, some_device(), parent, handle);
	((struct tcmsg *)NLMSG_DATA(&m.h))->tcm_info = info;
	if (chance(10))
		spoil_message(0);
	tell(type);
}

/* ----------------------------------- a change leaves all or nothing */

struct options {
	uint32_t value[TCA_REFRAMER_MAX + 1];
};

/* The reframer at the root of D_CHECKED */
static bool get_options(struct options *o)
{
	size_t head = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct tcmsg));
	struct rtattr *rta, *options;
	int i;

	/* without ECHO, the answer goes to listeners only, before 6.6 or so */
	tc_message(RTM_GETQDISC, NLM_F_ECHO, D_CHECKED, TC_H_ROOT, 0);
	if (tell(CHECK) || answer_len < head)
		return false;
	rta = find(answer + head, answer_len - head, TCA_KIND);
	if (!rta || strcmp(RTA_DATA(rta), REFRAMER))
		return false;
	options = find(answer + head, answer_len - head, TCA_OPTIONS);
	if (!options)
		die("a reframer without options");
	for (i = 1; i <= TCA_REFRAMER_MAX; i++) {
		rta = find(RTA_DATA(options), RTA_PAYLOAD(options), i);
		if (!rta || RTA_PAYLOAD(rta) != sizeof(uint32_t))
			die("option %d is missing", i);
		o->value[i] = *(uint32_t *)RTA_DATA(rta);
		if (o->value[i] < range[i].min || o->value[i] > range[i].max)
			die("option %d is %u, not in %u..%u", i, o->value[i],
			    range[i].min, range[i].max);
	}
	if (o->value[TCA_REFRAMER_SLACK] != REFRAMER_SLACK_AUTO &&
	    o->value[TCA_REFRAMER_SLACK] > o->value[TCA_REFRAMER_DELAY])
		die("slack is above the delay");
	return true;
}

static void check_change(void)
{
	int flags = PICK(0, NLM_F_REPLACE, NLM_F_CREATE | NLM_F_REPLACE);
	struct options before, after;
	bool known, sized;
	size_t at;
	int err, i;

	/* It exists, unless a corrupted message has deleted it. */
	tc_message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, D_CHECKED,
		   TC_H_ROOT, 1 << 16);
	attr_string(TCA_KIND, REFRAMER);
	tell(CHECK);
	known = get_options(&before);
	tc_message(RTM_NEWQDISC, flags, D_CHECKED, TC_H_ROOT, 1 << 16);
	attr_string(TCA_KIND, REFRAMER);
	at = m.len;
	reframer_options(false);
	for (i = below(4); i; i--)
		spoil(at, at);
	/* The core reads a size table after the options have been changed. */
	at = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct tcmsg));
	sized = find(m.data + at, m.len - at, TCA_STAB);
	err = tell(NEWQDISC);
	known &= get_options(&after);
	if (!known || !err || sized)
		return;
	for (i = 1; i <= TCA_REFRAMER_MAX; i++)
		if (before.value[i] != after.value[i])
			die("refused (%s), but option %d has changed from %u to %u",
			    strerror(err), i, before.value[i], after.value[i]);
	counts->held_changes++;
}

/* ---------------------------------------------------------- the module */

/* 0 or an errno */
static int remove_module(void)
{
	return syscall(SYS_delete_module, "sch_reframer", O_NONBLOCK) ? errno : 0;
}

static int load_module(void)
{
	int fd = open(opt.module, O_RDONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno;
	if (syscall(SYS_finit_module, fd, "", 0))
		err = errno;
	close(fd);
	return err;
}

/* Remove and load the module repeatedly; at the end it is loaded. */
static void __attribute__((noreturn)) module_loop(void)
{
	int err;

	while (!counts->namespace_ends) {
		err = remove_module();
		if (!err)
			counts->removals++;
		else
			counts->removals_refused++;
		if (err && err != EWOULDBLOCK && err != EBUSY)
			die("the module cannot be removed: %s", strerror(err));
		err = err ? 0 : load_module();
		if (err)
			die("the module cannot be loaded: %s", strerror(err));
		pause_ms(5);
	}
	_exit(0);
}

/* While there is a reframer, the module cannot be removed. */
static void check_in_use(void)
{
	int err;

	tc_message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, D_CHECKED,
		   TC_H_ROOT, 1 << 16);
	attr_string(TCA_KIND, REFRAMER);
	err = tell(CHECK);
	if (!opt.module || (err && err != EEXIST))
		return;
	err = remove_module();
	if (!err)
		die("the module was removed while it was in use");
	counts->removals_refused++;
}

/* ------------------------------------------------------------- traffic */

/* Send UDP of many flows, to classes and to none, until killed */
static void __attribute__((noreturn)) traffic_loop(uint64_t seed)
{
	static const int targets[] = { D_DUMMY, D_CHECKED, D_VETH, D_PEER, D_LO };
	uint8_t packet[1500] = {
		2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0,
		0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 2, 1,
		10, 0, 2, 2
	};
	int fd = socket(AF_PACKET, SOCK_RAW, 0), i;
	uint64_t n;

	if (fd < 0)
		die("packet socket: %s", strerror(errno));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	prng_state = seed;
	for (n = 0;; n++) {
		struct sockaddr_ll to = {
			.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP),
			.sll_ifindex = targets[n / 16 % 5],
		};
		uint32_t priority = PICK(0, 0, 0, 7, 1, 2, 3) ?:
				    (1 + below(2) * 9) << 16 | below(6);
		int len = PICK(60, 60, 200, 1500);

		if (!(n % 4))
			setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority,
				   sizeof(priority));
		packet[16] = (len - 14) >> 8;
		packet[17] = (len - 14) & 0xff;
		packet[23] = chance(20) ? 6 : 17;
		packet[35] = below(64);
		packet[47] = chance(10) ? 0x18 : 0x10;
		if (sendto(fd, packet, len, 0, (void *)&to, sizeof(to)) == len)
			counts->packets++;
		/* leave time for the other process */
		if (!(n % 32))
			for (i = 0; i < 4; i++)
				sched_yield();
		if (!(n % 128))
			pause_ms(1);
	}
}

/* ------------------------------------------------------------- epochs */

static void operation(void)
{
	int device = some_device(), choice = below(1000);
	const char *kind = chance(75) ? REFRAMER : some_kind(device);
	uint32_t parent, handle;

	if (choice < 60) {
		tree();
	} else if (choice < 430) {
		parent = some_parent();
		handle = some_handle();
		if (parent == TC_H_ROOT && chance(80))
			handle = 1 << 16;
		newqdisc(device, parent, handle, kind,
			 PICK(0, NLM_F_REPLACE, NLM_F_CREATE,
			      NLM_F_CREATE | NLM_F_EXCL,
			      NLM_F_CREATE | NLM_F_REPLACE,
			      NLM_F_CREATE | NLM_F_REPLACE), true);
	} else if (choice < 480) {
		delete(DELQDISC, RTM_DELQDISC);
	} else if (choice < 540) {
		look(GETQDISC, RTM_GETQDISC);
	} else if (choice < 600) {
		newclass(device, chance(80) ? 1 << 16 | (1 + below(CLASSES)) :
				 some_parent(), true);
	} else if (choice < 630) {
		delete(DELTCLASS, RTM_DELTCLASS);
	} else if (choice < 680) {
		look(GETTCLASS, RTM_GETTCLASS);
	} else if (choice < 750) {
		newfilter(device);
	} else if (choice < 780) {
		delete(DELTFILTER, RTM_DELTFILTER);
	} else if (choice < 810) {
		look(GETTFILTER, RTM_GETTFILTER);
	} else if (choice < 850) {
		link_up(device, choice < 825);
	} else if (choice < 855) {
		new_device();
	} else if (choice < 860) {
		clear();
	} else {
		check_change();
	}
}

static pid_t child(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* One namespace, from creation to deletion */
static int epoch(uint64_t nr, uint64_t messages)
{
	int i, sent, removed = 0;
	pid_t traffic, unloader;
	uint64_t last;

	if (unshare(CLONE_NEWNET))
		die("namespace: %s", strerror(errno));
	prng_state = opt.seed * 1000003 + nr;
	rtnl_open();
	last = message_nr + messages;
	link_up(D_LO, true);
	add_dummy(D_DUMMY);
	add_dummy(D_CHECKED);
	add_veth();
	for (i = D_DUMMY; i < D_END; i++)
		if (!if_nametoindex(device_name[i]))
			die("no device %s", device_name[i]);
	check_in_use();

	traffic = child();
	if (!traffic)
		traffic_loop(opt.seed + nr);
	counts->namespace_ends = !opt.module || nr % 4 != 1;
	unloader = child();
	if (!unloader)
		module_loop();
	while (message_nr < last)
		operation();
	counts->namespace_ends = true;
	waitpid(unloader, &removed, 0);
	/* It sends until then. */
	kill(traffic, SIGKILL);
	waitpid(traffic, &sent, 0);
	return removed || !WIFSIGNALED(sent);
}

/* Namespaces are deleted after their last process has ended. */
static void wait_removed(void)
{
	int i, err = 0;

	for (i = 0; i < REMOVAL_S * 100; i++) {
		err = remove_module();
		if (!err)
			break;
		pause_ms(10);
	}
	if (err)
		die("the module is in use without end: %s", strerror(err));
	counts->removals++;
	err = load_module();
	if (err)
		die("the module cannot be loaded: %s", strerror(err));
}

static void field(const char *name, uint64_t value)
{
	printf(",\"%s\":%llu", name, (unsigned long long)value);
}

static void report(void)
{
	uint64_t ok, all, total_ok = 0, total = 0;
	int type, err;

	for (type = 0; type < TYPES; type++) {
		ok = counts->answer[type][0];
		all = 0;
		for (err = 0; err <= ERRNO_MAX; err++)
			all += counts->answer[type][err];
		total += all;
		total_ok += ok;
		printf("# %-10s %8llu accepted %8llu:", type_name[type],
		       (unsigned long long)all, (unsigned long long)ok);
		for (err = 1; err <= ERRNO_MAX; err++)
			if (counts->answer[type][err])
				printf(" %s %llu", strerrorname_np(err) ?: "?",
				       (unsigned long long)counts->answer[type][err]);
		printf("\n");
	}
	printf("{\"seed\":%llu", (unsigned long long)opt.seed);
	field("messages", total);
	field("accepted", total_ok);
	field("refused", total - total_ok);
	field("reframer_accepted", counts->reframer_ok);
	field("reframer_refused", counts->reframer_refused);
	field("spoilt_accepted", counts->spoilt_ok);
	field("spoilt_refused", counts->spoilt_refused);
	field("refused_unchanged", counts->held_changes);
	field("removals", counts->removals);
	field("removals_refused", counts->removals_refused);
	field("packets", counts->packets);
	printf(",\"digest\":\"%016llx\"}\n",
	       (unsigned long long)counts->digest);
}

static void usage(FILE *to)
{
	fprintf(to,
		"Usage: fuzz-netlink [OPTION...]\n"
		"Sends random netlink messages about reframer qdiscs, as root, each %d of them\n"
		"in a new network namespace with traffic.\n\n"
		"  --seed N       the messages depend on it alone (1)\n"
		"  --messages N   how many, at least (20000)\n"
		"  --module FILE  remove sch_reframer and load it again meanwhile\n"
		"  --progress     say how far it is\n"
		"  --verbose      print every message, and the answer\n\n"
		"Prints what was sent and answered, and one line of JSON.  \"digest\" is that of\n"
		"all messages sent, \"refused_unchanged\" counts changes that were refused, with\n"
		"all options seen to be as before.  Exit status 1 and a message on stderr when\n"
		"something was wrong.\n", EPOCH);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "messages", required_argument, NULL, 'm' },
		{ "module", required_argument, NULL, 'M' },
		{ "progress", no_argument, NULL, 'p' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	uint64_t nr, start;
	int c, status;
	pid_t pid;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			opt.seed = to_number(optarg);
			break;
		case 'm':
			opt.messages = to_number(optarg);
			break;
		case 'M':
			opt.module = optarg;
			break;
		case 'p':
			opt.progress = true;
			break;
		case 'v':
			opt.verbose = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return 2;
	}
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counts == MAP_FAILED)
		die("memory: %s", strerror(errno));

	for (nr = 0; counts->sent < opt.messages; nr++) {
		start = counts->sent;
		fflush(stdout);
		pid = child();
		if (!pid) {
			message_nr = start;
			c = opt.messages - start < EPOCH ?
			    opt.messages - start : EPOCH;
			exit(epoch(nr, c));
		}
		waitpid(pid, &status, 0);
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			return 1;
		if (opt.module && nr % 8 == 7)
			wait_removed();
		if (opt.progress && nr % 25 == 24)
			printf("# %llu messages\n",
			       (unsigned long long)counts->sent);
	}
	if (opt.module)
		wait_removed();
	report();
	return 0;
}
