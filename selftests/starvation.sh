#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Starvation: packets that are not held do not keep due flows from leaving.  Below a
# shaper, and on a device that stops its queue, each dequeue() finds such a packet.
#
# Between the deadline of a flow and the time when its first packet leaves, at most
# 1 + (2 + k + k / 2) * burst other packets leave, where k is the number of flows that
# were due before it.
#
# Needs virtual time, where all packets are sent and leave exactly on time.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_virtual_time

DELAY=64000
BURST=2
MS=500				# duration of a loop

HTB="qdisc add dev tx0 root handle 1: htb default 1
	class add dev tx0 parent 1: classid 1:1 htb rate 10mbit burst 1600b cburst 1600b"
TBF="qdisc add dev tx0 root handle 1: tbf rate 10mbit burst 1600b limit 1mb"

# loop FLOW [ARGUMENT...]: a sender in the background that waits for an answer: it sends a
# packet with PSH, and the next one when this one has left
loop() {
	local flow=$1

	shift
	nsenter --net="/run/netns/$TX" "$FLOWGEN" -i tx0 -f "$flow" -k ip4.tcp \
		-l 1250 -c 0 -x 0@0:P -t $MS "$@" >/dev/null &
	LOOPS+=($!)
}

# held_beside PARENT OPTIONS LOOP...: holds of flows 0, 1 and 2 have paid, so each is held.
# Each sends a packet while the loops, each with its arguments, are running.
held_beside() {
	local parent=$1 options=$2 place="parent 1:1" i

	shift 2
	[ -n "$parent" ] || place=root
	WHAT="${options:+$options, }$# loops"
	# with a filter, if only for a protocol that nobody uses, no packet bypasses the qdisc
	tell "$parent
		qdisc add dev tx0 $place handle 10: reframer delay ${DELAY}ns slack 0 burst $BURST $options
		filter add dev tx0 parent 10: protocol 0x88b5 matchall classid 10:1"
	send -b -k ip4.tcp -x 0@0+4096*4,1@10000000+4096*4,2@20000000+4096*4
	wait_drained
	CAPTURE_AT="$TX tx0" capture -L "$TMP/list"
	LOOPS=()
	for i; do
		# shellcheck disable=SC2086 # words
		loop $i
	done
	pause 0.1
	send -k ip4.tcp -S 4 -x 0@0,1@8192,2@16384
	wait "${LOOPS[@]}"
	wait_drained
	arrived
	expect accounted empty_now \
		'.r.releases.adaptive == (if .q.options.adaptive then 3 else 0 end)'
}

# in_bound: check how many others left between the deadline and the first packet of each
# held flow
in_bound() {
	awk -v delay=$DELAY -v burst=$BURST '
		{ left[NR] = $4 }
		$1 < 100 {
			n = 0
			for (i = NR - 1; i > 0 && left[i] > $3 + delay; i--)
				n++
			most = 1 + (2 + $1 + int($1 / 2)) * burst
			print (n > most || $4 - $3 < delay ? "bad:" : "good:"),
				"flow", $1, "held", $4 - $3 " ns, others after its deadline:",
				n, "of", most
			flows++
		}
		END {
			if (flows != 3)
				print "bad:", flows, "packets of flows that are held"
			if (NR < 450)
				print "bad: only", NR, "packets left"
		}' "$TMP/list" >"$TMP/judged"
	diag "$(<"$TMP/judged")"
	! grep -q bad "$TMP/judged" || fail "starved"
}

test_below_htb() {
	held_beside "$HTB" "" 100
	in_bound
}

test_below_htb_noadaptive() {
	held_beside "$HTB" noadaptive 100
	in_bound
}

test_below_tbf_two_flows() {
	held_beside "$TBF" "" 100 101
	in_bound
}

test_below_tbf_one_flow_with_two_packets_under_way() {
	held_beside "$TBF" "" 100 "100 -S 1000000"
	in_bound
}

test_a_device_whose_ring_is_full() {
	slow_device 1 1000
	held_beside "" "" 100
	unpair
	in_bound
}

test_a_device_with_bql() {
	slow_device 8 1000 bql=1
	# lets the core send one packet at a time
	ip netns exec "$TX" bash -c \
		'echo 1 >/sys/class/net/tx0/queues/tx-0/byte_queue_limits/limit_max'
	held_beside "" "" 100
	unpair
	in_bound
}

run_tests "$@"
