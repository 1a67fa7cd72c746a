#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Drivers of network cards: rings, byte queue limits, interrupt moderation, several queues,
# offloads.  tx0 and rx0 are two cards that are connected to each other:
#
#   scripts/guests/vm --nic e1000e --icount -- selftests/drivers.sh
#
# On a machine with two cards that the test may take:
#   NICS="eth1 eth2" selftests/drivers.sh

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

[ -n "${NICS-}" ] || {
	echo "TAP version 13"
	skip_all "needs two network cards that are connected to each other, named in NICS"
}
helper frames
# shellcheck disable=SC2034 # for lib.sh
FRAMES=$HELPER
helper segments
SEGMENTS=$HELPER
helper tcpxfer
# shellcheck disable=SC2034
TCPXFER=$HELPER
REFRAMER_OPTIONS=

in_rx() { nsenter --net="/run/netns/$RX" "$@"; }

# All flows are held, and released together.
HOLD="delay 100ms slack 100ms $ALWAYS"

# slots NS DEV RX|TX: of this ring; 256 if the driver does not say
slots() {
	{ nsenter --net="/run/netns/$1" ethtool -g "$2" 2>/dev/null || true; } |
		awk -v ring="$3:" '/^Current/ { now = 1 } now && $1 == ring { slots = $2 }
			END { print slots ? slots : 256 }'
}

# each: so many packets of each of 16 flows fit into the next hop's ring; 40 at most
EACH=
each() {
	local slots

	slots=$(slots "$RX" rx0 RX)
	EACH=$((slots * 3 / 4 / 16))
	[ $EACH -le 40 ] || EACH=40
}

# some: send 16 flows through the qdisc; all packets arrive
some() {
	[ -n "$EACH" ] || each
	capture -L "$TMP/list"
	send -F 16 -n "$EACH" -o random
	wait_drained
	arrived
	expect complete accounted empty_now
}

WHOLE='.cap.runs == 16 and .gen.runs > 2 * .cap.runs'

test_bursts_stay_whole() {
	reframer "$HOLD"
	some
	timely "$WHOLE"
}

# moderate USECS: set rx-usecs; some drivers reset the card
moderate() {
	in_rx ethtool -C rx0 rx-usecs "$1" 2>/dev/null ||
		skip "the driver has no interrupt moderation"
	wait_for "the link is up" carrier
}

# The next hop's interrupts wait for more packets, or do not.
test_interrupt_moderation() {
	local usecs before

	before=$({ in_rx ethtool -c rx0 2>/dev/null || true; } | awk '$1 == "rx-usecs:" { print $2 }')
	[[ $before =~ ^[0-9] ]] || skip "the driver has no interrupt moderation"
	reframer "$HOLD"
	for usecs in 0 1000; do
		WHAT="rx-usecs $usecs"
		moderate "$usecs"
		some
		timely "$WHOLE"
	done
	moderate "$before"
}

# bql FILE [VALUE]: of each queue of tx0
bql() {
	# shellcheck disable=SC2016 # the inner shell expands it
	ip netns exec "$TX" sh -c 'cd /sys/class/net/tx0/queues && for queue in tx-*; do
		[ -z "$2" ] || echo $2 >$queue/byte_queue_limits/$1
		cat $queue/byte_queue_limits/$1
	done' sh "$1" "${2-}"
}

# The ring of tx0 is full in the middle of a release, so the core gets packets back.  Byte
# queue limits would stop it before.
test_full_ring() {
	local before

	before=$(slots "$TX" tx0 TX)
	if in_tx ethtool -G tx0 tx 64 2>/dev/null; then
		wait_for "the link is up" carrier
	elif [ "$(slots "$RX" rx0 RX)" -lt 128 ]; then
		skip "the ring cannot be smaller, and the next hop's is small, too"
	fi
	bql limit_min 1000000 >"$TMP/limits"
	reframer "$HOLD"
	EACH=40
	some
	timely "$WHOLE" '.q.requeues > 0'
	bql limit_min 0 >"$TMP/limits"
	in_tx ethtool -G tx0 tx "$before" 2>/dev/null || true
}

# From the first to the last arrival, in ns
span() { awk 'NR == 1 { first = $4 } { last = $4 } END { print last - first }' "$TMP/list"; }

# Two packets of 100 bytes stop the queue until the card has sent them.
test_byte_queue_limits() {
	local max without

	reframer "$HOLD"
	bql limit_min 1000000 >"$TMP/limits"
	some
	without=$(span)
	bql limit_min 0 >"$TMP/limits"
	[ "$(bql limit | head -n 1)" -gt 0 ] || skip "the driver has no byte queue limits"
	max=$(bql limit_max | head -n 1)
	bql limit_max 100 >"$TMP/limits"
	some
	LIST=$(bql limit | head -n 1)
	bql limit_max "$max" >"$TMP/limits"
	expect '.list == 100'
	timely "$WHOLE"
	diag "from the first to the last arrival $without ns, with limits $(span) ns"
}

# counted NS DEV rx.packets|...: by the card
counted() { ip -n "$1" -s -s -j link show dev "$2" | jq ".[0].stats64.$3"; }

# overrun OPTIONS...: what the next hop loses of 16 flows of 40 packets
overrun() {
	WHAT="reframer $*"
	reframer "$@"
	capture
	send -F 16 -n 40 -o random -g 20000
	wait_drained
	arrived
	qdisc del dev tx0 root
	expect accounted '.cap.reordered == 0 and .gen.refused == 0' \
		'.r.packets_out == .gen.packets and .q.drops == 0'
	LOST=$((640 - $(jq .packets <<<"$CAP")))
}

# All flows are due at once, and hold more packets than the ring of the next hop takes.  A
# smaller slack does not help; fewer packets held do: a shorter delay, or a limit.
test_small_ring_of_the_next_hop() {
	local slots missed

	slots=$(slots "$RX" rx0 RX)
	missed=$(counted "$RX" rx0 rx.missed_errors)
	overrun "$HOLD"
	[ $LOST -gt 0 ] || skip "the next hop takes 640 packets at once"
	diag "of 640 packets $LOST are lost in a ring of $slots"
	timely "$LOST > 300"
	# the next hop counts them
	missed=$(($(counted "$RX" rx0 rx.missed_errors) - missed))
	[ "$missed" = "$LOST" ] || fail "the card missed $missed packets"
	overrun delay 100ms slack 0 "$ALWAYS"
	diag "slack 0: $LOST"
	timely "$LOST > 300"
	overrun delay 100ms limit "$slots" "$ALWAYS"
	diag "limit $slots: $LOST"
	timely "$LOST == 0" '.cap.runs < 0.7 * .gen.runs'
	overrun delay 500us slack 500us "$ALWAYS"
	diag "delay 500us: $LOST"
	timely "$LOST == 0" '.cap.runs < .gen.runs'
}

test_statistics() {
	local out in

	reframer "$HOLD"
	out=$(counted "$TX" tx0 tx.packets) in=$(counted "$RX" rx0 rx.packets)
	some
	expect ".r.packets_out == $(counted "$TX" tx0 tx.packets) - $out" \
		".r.packets_out == $(counted "$RX" rx0 rx.packets) - $in" \
		'.q.packets == .r.packets_out and .q.bytes == 100 * .q.packets' \
		'.q.drops == 0 and drops == 0' 'released == 16 and .r.releases.deadline == 16'
}

# What is held is lost, and counted.  The qdisc stays.
test_link_down_and_up() {
	reframer "$HOLD"
	each
	capture
	ip_start -n "$TX"
	send -F 16 -n "$EACH"
	ip_run "link set dev tx0 down"
	show
	arrived
	expect accounted empty_now '.q.drops == 0' '.r.packets_out == .cap.packets' \
		'.r.drops.reset + .cap.packets == .gen.packets'
	timely '.r.drops.reset == .gen.packets'
	ip -n "$TX" link set tx0 up
	wait_for "the link is up" carrier
	some
	timely "$WHOLE"
}

# Some drivers reset the card when these change: what is held may be lost, and is counted.
test_rings_and_interrupts_change() {
	local change

	for change in "-G tx0 tx 512" "-C tx0 rx-usecs 20"; do
		WHAT="ethtool $change"
		reframer "$HOLD"
		each
		capture
		send -F 16 -n "$EACH"
		# shellcheck disable=SC2086 # words
		in_tx ethtool $change >/dev/null 2>&1 || diag "$WHAT is not possible"
		wait_for "the link is up" carrier
		wait_drained
		arrived
		show
		diag "$WHAT: $(jq -c '.[0].reframer.drops.reset' <<<"$QS") packets lost"
		expect accounted empty_now '.r.packets_out == .cap.packets' \
			'.r.drops.reset + .cap.packets == .gen.packets'
		some
		timely "$WHOLE"
		qdisc del dev tx0 root
	done
}

# features WORDS: of ethtool -K
features() {
	# shellcheck disable=SC2086 # words
	in_tx ethtool -K tx0 $1 >/dev/null
}

# coalesced: segments so far
coalesced() {
	show
	jq 'map(select(.kind == "reframer"))[0].reframer.coalesce.segments' <<<"$QS"
}

# Options of the card change while the qdisc is there.
test_offloads() {
	local feature before frames

	frames_setup
	# as from another host: 8 frames of TCP over IPv4, and 8 over IPv6
	"$SEGMENTS" >"$TMP/pcap" 2>/dev/null
	truncate -s $((24 + 8 * (16 + 154) + 8 * (16 + 174))) "$TMP/pcap"
	FLOWS="0 0 0 0 0 0 0 0 1 1 1 1 1 1 1 1"
	features "sg on tso on" || true
	reframer delay 100ms burst 8 "$ALWAYS"
	show
	[[ $QS == *'"tcp4"'* ]] || skip "the card cannot segment TCP"
	frames=8
	[[ $QS != *'"tcp6"'* ]] || frames=16
	for feature in "tso on" "tso off" "tso on" "gso off" "gso on" "sg off" "sg on tso on gso on"; do
		WHAT="ethtool -K $feature"
		features "$feature"
		before=$(coalesced)
		replay -k -p	# most cards coalesce only what lies in pages
		as_sent
		show
		expect accounted empty_now
		case $feature in
		"tso off" | "sg off")
			expect ".r.coalesce.segments == $before" '.r.coalesce.now - ["udp"] == []' ;;
		*)
			expect '.r.coalesce.now | contains(["tcp4"])'
			timely ".r.coalesce.segments - $before == $frames" ;;
		esac
	done
	"$TC" -n "$RX" qdisc del dev rx0 clsact
}

# They change while local TCP sends.
test_offloads_under_traffic() {
	local feature pid

	reframer
	while :; do
		for feature in "tso off" "tso on" "sg off" "sg on tso on gso on"; do
			features "$feature"
			pause 0.002
		done
	done &
	pid=$!
	transfer $((4 << 20))
	kill $pid
	wait $pid || true
	features "sg on tso on gso on"
	transfer 100000
	show
	expect accounted empty_now
}

# set_queues NS DEV NUMBER
set_queues() {
	nsenter --net="/run/netns/$1" ethtool -L "$2" combined "$3" 2>/dev/null ||
		nsenter --net="/run/netns/$1" ethtool -L "$2" rx "$3" tx "$3" 2>/dev/null
}

# queues NUMBER: of both cards
queues() {
	if ! set_queues "$TX" tx0 "$1" || ! set_queues "$RX" rx0 "$1"; then
		skip "the cards have no $1 queues"
	fi
}

# below_mq QUEUE...: mq, and a reframer for these queues
below_mq() {
	local queue

	qdisc add dev tx0 root handle 1: mq
	for queue; do
		qdisc replace dev tx0 parent "1:$queue" handle "1$queue:" reframer "$HOLD"
	done
}

# by_queue: each flow is sent by one queue, that of its number, modulo 4; until one_queue
by_queue() {
	local queue

	qdisc add dev tx0 clsact
	for queue in 0 1 2 3; do
		tell "filter add dev tx0 egress protocol ip u32 match u32 $queue 3 at 12 action skbedit queue_mapping $queue"
	done
}

one_queue() {
	qdisc del dev tx0 clsact
	queues 1
}

# The reframers of the queues
BY_QUEUE='[.qs[] | select(.kind == "reframer")] | sort_by(.parent) | map(.reframer)'

test_queues() {
	queues 4
	below_mq 1 2 3 4
	by_queue
	each
	capture -L "$TMP/list"
	send -F 16 -n "$EACH" -o random
	wait_drained
	arrived
	expect complete all_accounted root_empty \
		"$BY_QUEUE | map(.packets_in) == [range(4) | 4 * $EACH]"
	# the runs of each queue
	LIST=$(awk '{ queue = $1 % 4 }
		$1 != last[queue] { runs[queue]++; last[queue] = $1 }
		END { printf "[%d,%d,%d,%d]", runs[0], runs[1], runs[2], runs[3] }' "$TMP/list")
	one_queue
	timely '.list == [4, 4, 4, 4]' '.gen.runs > 2 * 16'
}

# kinds_of_queues: of the qdisc of each queue, in LIST
kinds_of_queues() {
	show
	LIST=$(jq -c 'map(select(.parent // "" | startswith("1:"))) | sort_by(.parent) | map(.kind)' <<<"$QS")
}

# Fewer queues, and more again: the qdiscs stay, and so does what is held in those that
# remain.
test_change_of_queues() {
	queues 4
	below_mq 1 2 3 4
	by_queue
	each
	send -F 16 -n "$EACH"
	set_queues "$TX" tx0 1
	show
	wait_drained
	expect all_accounted root_empty
	# the first one's packets were sent, the others' lost
	timely "$BY_QUEUE | map(.drops.reset) == [0, 4 * $EACH, 4 * $EACH, 4 * $EACH]"
	capture
	send -F 16 -n "$EACH" -o random
	wait_drained
	arrived
	expect complete all_accounted root_empty
	set_queues "$TX" tx0 4
	kinds_of_queues
	expect '.list == ["reframer", "reframer", "reframer", "reframer"]'
	capture
	send -F 16 -n "$EACH" -o random
	wait_drained
	arrived
	expect complete all_accounted root_empty \
		"$BY_QUEUE | map(.packets_out) | all(. > 0)"
	one_queue
}

# More queues than before get the default qdisc, unless they were set up before.
test_more_queues() {
	queues 2
	below_mq 1 2
	set_queues "$TX" tx0 4
	kinds_of_queues
	expect '.list[:2] == ["reframer", "reframer"]' '.list[2:] | length == 2 and all(. != "reframer")'
	qdisc del dev tx0 root
	set_queues "$TX" tx0 2
	below_mq 1 2 3 4
	set_queues "$TX" tx0 4
	kinds_of_queues
	expect '.list == ["reframer", "reframer", "reframer", "reframer"]'
	queues 1
}

run_tests "$@"
