// SPDX-License-Identifier: GPL-2.0
/*
 * A tester with two ports, as in RFC 2544: sends interleaved trains of packets
 * from one device of a network namespace and counts those that return at another.
 *
 * Writing 1 to /sys/module/traingen/parameters/run runs it, in the writer's namespace
 * and with the other parameters there.  The result, one JSON object, is then in
 * /sys/module/traingen/parameters/result.
 *
 * pktgen is no alternative: it sends no TCP, and sets neither DF nor IDs that GRO would
 * merge.  A rule of nftables that sets them increases the cost of a packet by half.
 *
 * The same number of trains is active all the time; the next packet belongs to a random
 * one of them.  The packets are like those that a NIC's driver hands up: linear, with
 * checksums known to be good.  The next packet is sent when the kernel has finished the
 * work for the last ones: a closed loop, in which one CPU loses no packets.
 *
 * Grouped batches show what a perfect qdisc without any cost could make of the load.
 */
#include <linux/etherdevice.h>
#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/jhash.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/rtnetlink.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/vmalloc.h>
#include <net/checksum.h>
#include <net/ip.h>

#define PORT		9
#define DST		0x0a400000	/* 10.64.0.0, of the first flow */
#define MAX_FLOWS	262144
#define BUCKET_NS	100		/* of the latencies */
#define BUCKETS		100000

static char *tx = "tx0";
module_param(tx, charp, 0644);
MODULE_PARM_DESC(tx, "device that sends");

static char *rx = "rx0";
module_param(rx, charp, 0644);
MODULE_PARM_DESC(rx, "device that receives");

static char *mac = "02:00:00:00:00:02";
module_param(mac, charp, 0644);
MODULE_PARM_DESC(mac, "destination");

static unsigned int packets = 100000;
module_param(packets, uint, 0644);
MODULE_PARM_DESC(packets, "to send");

static unsigned int flows = 16;
module_param(flows, uint, 0644);
MODULE_PARM_DESC(flows, "trains at once");

static unsigned int train = 32;
module_param(train, uint, 0644);
MODULE_PARM_DESC(train, "packets of a train");

static bool fresh;
module_param(fresh, bool, 0644);
MODULE_PARM_DESC(fresh, "each train is a new flow; else flows last");

static bool campus;
module_param(campus, bool, 0644);
MODULE_PARM_DESC(campus, "a mix like a campus uplink's (campus.h), whatever flows, train, fresh, burst say");

static bool tcp;
module_param(tcp, bool, 0644);
MODULE_PARM_DESC(tcp, "TCP segments, else UDP");

static unsigned int bytes = 1000;
module_param(bytes, uint, 0644);
MODULE_PARM_DESC(bytes, "length of a frame, 100 to 1514");

static unsigned int batch = 1;
module_param(batch, uint, 0644);
MODULE_PARM_DESC(batch, "packets sent before anybody else handles one, if not more than 64");

static unsigned int burst = 1;
module_param(burst, uint, 0644);
MODULE_PARM_DESC(burst, "packets that a train sends in a row");

static bool grouped;
module_param(grouped, bool, 0644);
MODULE_PARM_DESC(grouped, "sort the packets of a batch by train, at no cost for others");

static unsigned int gap;
module_param(gap, uint, 0644);
MODULE_PARM_DESC(gap, "ns from packet to packet, 0: as fast as it goes");

static bool timing;
module_param(timing, bool, 0644);
MODULE_PARM_DESC(timing, "measure latency and order, which costs a little");

static unsigned int hash;
module_param(hash, uint, 0644);
MODULE_PARM_DESC(hash, "bits of a flow hash, as from a NIC, that flows differ in, 0: no hash");

static unsigned int seed = 1;
module_param(seed, uint, 0644);
MODULE_PARM_DESC(seed, "of the order of the packets");

static char result[512];
module_param_string(result, result, sizeof(result), 0444);
MODULE_PARM_DESC(result, "of the run");

static u32 random_below(u32 n);
#include "campus.h"

struct load {
	u32 flow;
	u32 seq;
	u64 sent;
};

struct headers {
	struct ethhdr eth;
	struct iphdr ip;
	union {
		struct udphdr udp;
		struct tcphdr tcp;
	};
} __packed;

static struct {
	struct headers h;
	unsigned int hlen;		/* of all headers */
	unsigned int plen;		/* of the payload */

	u32 sent, refused;		/* by the qdisc */
	u32 got, skbs, odd, reordered;
	u32 runs, last_flow;		/* of packets of one flow, as they come back */
	bool all_sent;
	u64 start, end;			/* of sending */
	u64 last;			/* when the last one came back */
	u64 spins;			/* while it was too early for the next one */

	u32 random;
	u32 next_flow;			/* the next one to start, if fresh */
	u32 train;			/* that sends a burst */
	u32 picked[MAX_FLOWS];		/* packets of each train in the batch */
	u32 flow_of[MAX_FLOWS];		/* each train's */
	u32 left[MAX_FLOWS];		/* packets of the train to come */
	u32 seq[MAX_FLOWS], next[MAX_FLOWS];	/* each flow's */
	struct campus campus;
	u32 latency[BUCKETS];
} *run;

static void account(const struct load *load)
{
	u64 late = (ktime_get_ns() - load->sent) / BUCKET_NS;
	u32 flow = load->flow % MAX_FLOWS;

	run->latency[min_t(u64, late, BUCKETS - 1)]++;
	run->runs += !run->runs || flow != run->last_flow;
	run->last_flow = flow;
	if ((s32)(load->seq - run->next[flow]) < 0)
		run->reordered++;
	else
		run->next[flow] = load->seq + 1;
}

static rx_handler_result_t receive(struct sk_buff **pskb)
{
	unsigned int off = run->hlen - ETH_HLEN, len;
	struct sk_buff *skb = *pskb;
	struct load load;

	if (skb->protocol != htons(ETH_P_IP) || skb->len < off + sizeof(load))
		return RX_HANDLER_PASS;
	if (READ_ONCE(run->all_sent))
		run->last = ktime_get_ns();
	len = skb->len - off;
	run->skbs++;
	run->got += len / run->plen;
	run->odd += !!(len % run->plen);
	if (timing)
		for (; off + sizeof(load) <= skb->len; off += run->plen) {
			if (skb_copy_bits(skb, off, &load, sizeof(load)))
				break;
			account(&load);
		}
	consume_skb(skb);
	return RX_HANDLER_CONSUMED;
}

static void make_headers(struct net_device *dev, const u8 *dst)
{
	struct headers *h = &run->h;
	struct in_device *in_dev;

	ether_addr_copy(h->eth.h_dest, dst);
	ether_addr_copy(h->eth.h_source, dev->dev_addr);
	h->eth.h_proto = htons(ETH_P_IP);
	h->ip.version = 4;
	h->ip.ihl = 5;
	h->ip.tot_len = htons(bytes - ETH_HLEN);
	h->ip.frag_off = htons(IP_DF);
	h->ip.ttl = 64;
	in_dev = __in_dev_get_rtnl(dev);
	if (in_dev && in_dev->ifa_list)
		h->ip.saddr = rtnl_dereference(in_dev->ifa_list)->ifa_address;
	run->hlen = ETH_HLEN + sizeof(h->ip);
	if (tcp) {
		h->ip.protocol = IPPROTO_TCP;
		h->tcp.source = htons(10000);
		h->tcp.dest = htons(PORT);
		h->tcp.ack_seq = htonl(1);
		h->tcp.doff = 5;
		h->tcp.ack = 1;
		h->tcp.window = htons(1024);
		run->hlen += sizeof(h->tcp);
	} else {
		h->ip.protocol = IPPROTO_UDP;
		h->udp.source = htons(10000);
		h->udp.dest = htons(PORT);
		h->udp.len = htons(bytes - run->hlen);
		run->hlen += sizeof(h->udp);
	}
	run->plen = bytes - run->hlen;
}

static struct sk_buff *make_packet(struct net_device *dev, u32 flow, bool push)
{
	struct sk_buff *skb = netdev_alloc_skb(dev, bytes);
	struct headers *h;
	struct load *load;
	__sum16 sum;

	if (!skb)
		return NULL;
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	skb_set_transport_header(skb, ETH_HLEN + sizeof(h->ip));
	skb->protocol = htons(ETH_P_IP);
	h = skb_put_data(skb, &run->h, run->hlen);
	load = skb_put_zero(skb, run->plen);
	load->flow = flow;
	load->seq = run->seq[flow]++;
	if (timing)
		load->sent = ktime_get_ns();
	if (hash)
		skb_set_hash(skb, jhash_1word(flow, seed) & hash,
			     PKT_HASH_TYPE_L4);

	h->ip.daddr = htonl(DST + flow);
	h->ip.id = htons(load->seq);
	h->ip.check = ip_fast_csum(&h->ip, 5);
	sum = ~csum_tcpudp_magic(h->ip.saddr, h->ip.daddr, bytes - ETH_HLEN -
				 sizeof(h->ip), h->ip.protocol, 0);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	if (tcp) {
		h->tcp.seq = htonl(load->seq * run->plen + 1);
		h->tcp.psh = push;
		h->tcp.check = sum;
		skb->csum_offset = offsetof(struct tcphdr, check);
	} else {
		h->udp.check = sum ?: CSUM_MANGLED_0;	/* 0 is none */
		skb->csum_offset = offsetof(struct udphdr, check);
	}
	return skb;
}

static u32 random_below(u32 n)
{
	run->random ^= run->random << 13;
	run->random ^= run->random >> 17;
	run->random ^= run->random << 5;
	return (u64)run->random * n >> 32;
}

static int send_packet(struct net_device *dev, u32 flow, bool push)
{
	struct sk_buff *skb = make_packet(dev, flow, push);

	if (!skb)
		return -ENOMEM;
	run->refused += dev_queue_xmit(skb) != NET_XMIT_SUCCESS;
	run->sent++;
	/* as many as a qdisc sends at once */
	if (run->sent % 64 == 0) {
		local_bh_enable();
		cond_resched();	/* to ksoftirqd */
		local_bh_disable();
	}
	return 0;
}

static int send_one(struct net_device *dev, u32 i)
{
	if (!run->left[i]) {
		run->left[i] = train;
		if (fresh)
			run->flow_of[i] = run->next_flow++ % MAX_FLOWS;
	}
	run->left[i]--;
	return send_packet(dev, run->flow_of[i], false);
}

static int send_batch(struct net_device *dev)
{
	u32 n = min(batch, packets - run->sent), i;
	int err = 0;

	if (campus) {
		while (!err && n--) {
			bool last;
			u32 flow = campus_next(&run->campus, &last);

			err = send_packet(dev, flow, last);
		}
		return err;
	}
	if (!grouped) {
		while (!err && n--) {
			if (run->sent % burst == 0)
				run->train = random_below(flows);
			err = send_one(dev, run->train);
		}
		return err;
	}
	while (n--)
		run->picked[random_below(flows)]++;
	for (i = 0; i < flows; i++)
		for (; !err && run->picked[i]; run->picked[i]--)
			err = send_one(dev, i);
	return err;
}

static int send_all(struct net_device *dev)
{
	u64 next = ktime_get_ns();
	int err = 0;

	while (!err && run->sent < packets) {
		if (signal_pending(current))
			return -EINTR;
		local_bh_disable();
		err = send_batch(dev);
		local_bh_enable();
		cond_resched();
		if (gap) {
			next += (u64)gap * batch;
			while (ktime_get_ns() < next)
				run->spins++;
		}
	}
	return err;
}

/* How long the tester did nothing but wait, while no softirq had work either */
static u64 idle_ns(void)
{
	u64 start = ktime_get_ns(), end = start, n = 1000, i;

	for (i = 0; i < n && ktime_get_ns(); i++)
		end = ktime_get_ns();
	/* two readings in each turn */
	return div64_u64(run->spins * (end - start), 2 * n);
}

/* Wait until all are back, or none has come for a while. */
static void wait_for_rest(void)
{
	unsigned int got, idle = 0;

	while (run->got < run->sent && idle < 100) {
		got = run->got;
		usleep_range(1000, 2000);
		idle = run->got == got ? idle + 1 : 0;
	}
}

static u64 quantile_ns(unsigned int percent)
{
	u64 all = 0, sum = 0;
	unsigned int i;

	for (i = 0; i < BUCKETS; i++)
		all += run->latency[i];
	for (i = 0; i < BUCKETS - 1; i++) {
		sum += run->latency[i];
		if (sum * 100 >= all * percent)
			break;
	}
	return (u64)i * BUCKET_NS;
}

static void tell(void)
{
	int n;

	n = scnprintf(result, sizeof(result),
		      "{\"sent\":%u,\"refused\":%u,\"delivered\":%u,\"skbs\":%u,\"odd\":%u,",
		      run->sent, run->refused, run->got, run->skbs, run->odd);
	n += scnprintf(result + n, sizeof(result) - n,
		       "\"sending_ns\":%llu,\"ns\":%llu,\"idle_ns\":%llu",
		       run->end - run->start,
		       max(run->end, run->last) - run->start, idle_ns());
	if (timing)
		n += scnprintf(result + n, sizeof(result) - n,
			       ",\"reordered\":%u,\"runs\":%u,\"median_ns\":%llu,\"p99_ns\":%llu",
			       run->reordered, run->runs, quantile_ns(50),
			       quantile_ns(99));
	scnprintf(result + n, sizeof(result) - n, "}");
}

static int measure(struct net_device *from, struct net_device *to)
{
	int err;

	rtnl_lock();
	err = netdev_rx_handler_register(to, receive, run);
	rtnl_unlock();
	if (err)
		return err;
	run->start = ktime_get_ns();
	err = send_all(from);
	run->end = ktime_get_ns();
	WRITE_ONCE(run->all_sent, true);
	wait_for_rest();
	rtnl_lock();
	netdev_rx_handler_unregister(to);
	rtnl_unlock();
	if (!err)
		tell();
	return err;
}

static int set_run(const char *val, const struct kernel_param *kp)
{
	struct net *net = current->nsproxy->net_ns;
	struct net_device *from, *to;
	u8 dst[ETH_ALEN];
	u32 i;
	int err;

	if (!packets || !flows || flows > MAX_FLOWS || !train || !batch || !burst ||
	    bytes < 100 || bytes > 1514 || !seed ||
	    sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &dst[0], &dst[1],
		   &dst[2], &dst[3], &dst[4], &dst[5]) != ETH_ALEN) {
		pr_err("traingen: wrong argument\n");
		return -EINVAL;
	}
	run = vzalloc(sizeof(*run));
	if (!run)
		return -ENOMEM;
	run->random = seed;
	for (i = 0; i < flows; i++)
		run->flow_of[i] = i;
	from = dev_get_by_name(net, tx);
	to = dev_get_by_name(net, rx);
	err = -ENODEV;
	if (from && to) {
		rtnl_lock();
		make_headers(from, dst);
		rtnl_unlock();
		err = measure(from, to);
	}
	dev_put(from);
	dev_put(to);
	vfree(run);
	return err;
}

static const struct kernel_param_ops run_ops = { .set = set_run };
module_param_cb(run, &run_ops, NULL, 0200);
MODULE_PARM_DESC(run, "write 1 to run");

MODULE_DESCRIPTION("Send interleaved trains of packets and count what comes back");
MODULE_LICENSE("GPL");
