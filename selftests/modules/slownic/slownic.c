// SPDX-License-Identifier: GPL-2.0
/*
 * A device that sends slowly and stops its queue like a network card: when its ring is
 * full, or by byte queue limits (BQL).  No other device of a guest does so on every
 * kernel: until 7.x, veth and tap drop packets instead.
 *
 *   ip link add DEV type slownic
 *
 * Sent packets are freed; a packet socket at the device sees them.  A device takes the
 * module's parameters when it is brought up.
 */
#include <linux/etherdevice.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/wait.h>
#include <net/rtnetlink.h>

static unsigned int ring = 1;
module_param(ring, uint, 0644);
MODULE_PARM_DESC(ring, "packets in the ring, with the one that is being sent");

static unsigned int gap = 1000;
module_param(gap, uint, 0644);
MODULE_PARM_DESC(gap, "time that it takes to send a packet, us");

static bool bql;
module_param(bql, bool, 0644);
MODULE_PARM_DESC(bql, "use byte queue limits");

struct slownic {
	struct sk_buff_head ring;
	wait_queue_head_t wait;
	struct task_struct *sender;
	unsigned int size;
	unsigned int gap;
	bool bql;
};

/* The packet stays in the ring while it is sent. */
static int slownic_send(void *data)
{
	struct net_device *dev = data;
	struct slownic *nic = netdev_priv(dev);
	struct netdev_queue *txq = netdev_get_tx_queue(dev, 0);
	struct sk_buff *skb;
	ktime_t time;

	while (!kthread_should_stop()) {
		wait_event_interruptible(nic->wait,
					 !skb_queue_empty(&nic->ring) ||
					 kthread_should_stop());
		if (skb_queue_empty(&nic->ring))
			continue;
		time = ns_to_ktime((u64)nic->gap * NSEC_PER_USEC);
		set_current_state(TASK_IDLE);
		schedule_hrtimeout(&time, HRTIMER_MODE_REL);

		__netif_tx_lock_bh(txq);
		skb = skb_dequeue(&nic->ring);
		if (nic->bql)
			netdev_tx_completed_queue(txq, 1, skb->len);
		if (netif_tx_queue_stopped(txq))
			netif_tx_wake_queue(txq);
		__netif_tx_unlock_bh(txq);
		consume_skb(skb);
	}
	return 0;
}

static netdev_tx_t slownic_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct slownic *nic = netdev_priv(dev);

	if (nic->bql)
		netdev_sent_queue(dev, skb->len);
	skb_queue_tail(&nic->ring, skb);
	if (skb_queue_len(&nic->ring) >= nic->size)
		netif_stop_queue(dev);
	wake_up(&nic->wait);
	return NETDEV_TX_OK;
}

static int slownic_open(struct net_device *dev)
{
	struct slownic *nic = netdev_priv(dev);

	nic->size = ring;
	nic->gap = gap;
	nic->bql = bql;
	skb_queue_head_init(&nic->ring);
	init_waitqueue_head(&nic->wait);
	nic->sender = kthread_run(slownic_send, dev, "%s", dev->name);
	if (IS_ERR(nic->sender))
		return PTR_ERR(nic->sender);
	netif_start_queue(dev);
	return 0;
}

static int slownic_stop(struct net_device *dev)
{
	struct slownic *nic = netdev_priv(dev);

	netif_stop_queue(dev);
	kthread_stop(nic->sender);
	skb_queue_purge(&nic->ring);
	netdev_reset_queue(dev);
	return 0;
}

static const struct net_device_ops slownic_netdev_ops = {
	.ndo_open		= slownic_open,
	.ndo_stop		= slownic_stop,
	.ndo_start_xmit		= slownic_xmit,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_set_mac_address	= eth_mac_addr,
};

static void slownic_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &slownic_netdev_ops;
	dev->needs_free_netdev = true;
	dev->hw_features = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_FRAGLIST |
			   NETIF_F_GSO_SOFTWARE;
	dev->features = dev->hw_features;
	eth_hw_addr_random(dev);
}

static struct rtnl_link_ops slownic_link_ops __read_mostly = {
	.kind		= "slownic",
	.priv_size	= sizeof(struct slownic),
	.setup		= slownic_setup,
};

static int __init slownic_init(void)
{
	return rtnl_link_register(&slownic_link_ops);
}

static void __exit slownic_exit(void)
{
	rtnl_link_unregister(&slownic_link_ops);
}

module_init(slownic_init);
module_exit(slownic_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Slow network device that stops its queue, for tests");
