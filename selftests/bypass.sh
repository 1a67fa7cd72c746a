#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Bypass: while holding does not pay, packets bypass the empty qdisc; how many, and when it
# looks again, is tested to the packet.
#
# A look takes 64 packets and 8 delays (512 us) or more.  Packets bypass for 1, 2, 4 ... 32
# looks, in packets or in time.
#
# Needs virtual time, but for the test on two CPUs.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# mice N [ARGUMENT...]: 64 flows in turn, a packet every 20 us, N of each: none of them has
# two packets within the delay
mice() { send -F 64 -n "$1" -g 20480 "${@:2}"; }

WHOLE='.q.packets == .r.packets_out + .r.bypass.packets and
	.q.packets == .cap.packets'

# exact: the rest of the test needs packets to be sent on time, and what the sender needs
# of the kernel the first time has been loaded
exact() {
	virtual_time || skip "needs virtual time"
	mice 4
}

# see SEEN BYPASSED [NOW]: check the counters
see() {
	show
	expect accounted empty_now ".r.packets_in == $1 and .r.bypass.packets == $2" \
		".r.bypass.now == ${3:-1}"
}

# The first 64 packets begin the first look, which takes 64 more.  Its last packet is queued
# and the first one that may be followed by one that bypasses.
test_mice() {
	exact
	reframer
	capture
	mice 2
	see 128 0
	# 64 bypass, then after looks of 64 packets 128, 256, 512, 1024, 2048, and 2048 again
	mice 1 -S 2
	see 128 64 0
	mice 1 -S 3
	see 192 64
	mice 97 -S 4
	see 512 $((64 + 128 + 256 + 512 + 1024 + 2048 + 1920))
	arrived
	expect in_order '.cap.missing == 0' "$WHOLE" '.cap.hold_ns.max == 0' \
		'.r.timer.expiries == 0 and .r.releases.adaptive == 512'
}

# Flows that have been worth holding lose no packet to a bypass.
test_trains() {
	exact
	reframer
	capture
	send -x "0@0+8192*2000,1@4096+8192*2000"
	wait_drained
	arrived
	expect complete accounted empty_now "$WHOLE" \
		'.r.bypass == {"packets": 0, "now": 0} and .r.holds.paid > 100'
}

# Trains that begin while mice bypass, and are no faster, are seen after the bypass: after
# at most 32 looks.
test_trains_after_mice() {
	local held

	exact
	reframer slack 0
	capture -L "$TMP/list"
	mice 5
	see 192 128
	# within the bypass of 128 packets 64 are left; then a look of 64 packets
	send -f 64 -W 1 -x "0@0+40960*500,1@20480+40960*500"
	wait_drained
	arrived
	expect in_order '.cap.missing == 0' accounted empty_now "$WHOLE" \
		'.r.bypass == {"packets": 192, "now": 0}'
	# 32 packets of each flow bypass, and one is a probe
	held=$(awk '$1 == 64 { if ($4 > $3) { print n; exit } n++ }' "$TMP/list")
	[ "$held" = 33 ] || fail "the first packet to be held is number $held of its flow"
}

# Packets that come more than twice as fast end the bypass, after 128 us and 64 packets.
test_faster() {
	exact
	reframer
	mice 13
	see 320 512
	# the first 64 take more than that, as nothing was sent before
	send -f 64 -F 16 -n 10 -g 12288
	see 320 672
	send -f 64 -F 16 -n 10 -S 10 -g 8192
	see 384 768
}

# A filter ends the bypass at once, and so does a change of options.
test_filter_and_change() {
	exact
	reframer
	mice 2
	see 128 0
	tell "filter add dev tx0 parent 1: protocol ip matchall classid 1:1"
	mice 8 -S 2
	show
	expect '.r.packets_in == 640 and .r.bypass == {"packets": 0, "now": 0}'
	tell "filter del dev tx0 parent 1:"
	mice 4 -S 10
	show
	expect '.r.bypass.packets > 0'
	qdisc del dev tx0 root
	reframer
	mice 2
	see 128 0
	qdisc change dev tx0 root reframer burst 32
	see 128 0 0
	mice 1 -S 2
	see 192 0
	qdisc change dev tx0 root reframer noadaptive
	mice 8 -S 3
	wait_drained
	expect '.r.packets_in == 704 and .r.bypass == {"packets": 0, "now": 0}'
}

# Below another qdisc none can bypass, so every packet is seen.
test_below_another_qdisc() {
	exact
	tell "qdisc add dev tx0 root handle 1: prio
		qdisc add dev tx0 parent 1:1 handle 11: reframer
		qdisc add dev tx0 parent 1:2 handle 12: reframer
		qdisc add dev tx0 parent 1:3 handle 13: reframer"
	mice 10
	show
	expect '[.qs[].reframer | values | .packets_in] | add == 640' \
		'[.qs[].reframer | values | .bypass | .packets, .now] | add == 0'
}

test_mq() {
	exact
	two_queues
	mice 10
	show
	unpair
	expect '[.qs[].reframer | values | .packets_in + .bypass.packets] | add == 640' \
		'[.qs[].reframer | values | .bypass.packets] | add > 100'
}

# two_cpus OPTION: two CPUs send while packets bypass and are held in turn
two_cpus() {
	local i pids=()

	reframer delay 1ms "$1"
	CAPTURE_AT="$TX tx0" capture
	for i in 0 1; do
		nsenter --net="/run/netns/$TX" "$FLOWGEN" -C $i -i tx0 -f $((i * 1000)) \
			-F 200 -n 20 -T 1 -o random -g $((5000 + i * 20000)) >"$TMP/gen$i" &
		pids+=($!)
	done
	send -f 5000 -F 4 -n 2000 -g 20000
	wait "${pids[@]}"
	wait_drained
	arrived
	expect in_order accounted empty_now "$WHOLE"
	timely '.r.bypass.packets > 0'
	qdisc del dev tx0 root
}

# Each flow stays in order.  That is seen right behind the qdisc: on its way to the receiver
# a packet can overtake another one that a different CPU has sent, with pfifo, too.  The
# packets have no UDP checksum, so they are never merged.
test_two_cpus() {
	if virtual_time || [ "$(nproc)" -lt 2 ]; then
		skip "needs two CPUs"
	fi
	two_cpus coalesce
	two_cpus nocoalesce
}

run_tests "$@"
