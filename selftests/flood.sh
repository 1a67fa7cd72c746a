#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Flood: do four quiet flows (40 packets each, 20 ms apart) keep their packets when
# somebody sends many times as fast as the device?  The device sends 2 Mbit/s, the four
# flows take a twelfth of that.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# Packets from two CPUs may overtake each other on the way to the receiver.
CAPTURE_AT="$TX tx0"

# flood ARGUMENTS...: send the flood, with these arguments of flowgen (flows from 1024 on),
# and the quiet flows (0 to 3).  QUIET of their 160 packets arrive, LOUD per mille of the
# flood, and the quiet packets take DELAY ms at most.
flood() {
	local pid sent

	capture -L "$TMP/list"
	rm -f "$TMP/gen"
	nsenter --net="/run/netns/$TX" "$FLOWGEN" -i tx0 -f 1024 -g 20000 \
		-o random -l 1000 "$@" >"$TMP/gen" &
	pid=$!
	send -F 4 -n 40 -g 5000000
	wait $pid
	sent=$(jq .packets "$TMP/gen")
	wait_drained
	arrived
	expect in_order all_accounted root_empty \
		'.gen.refused == 0' ".cap.packets + drops == 160 + $sent" \
		".r.memory_bytes == 0"
	timely 'drops > 500'
	read -r QUIET LOUD DELAY < <(awk -v sent="$sent" '
		$1 >= 4 { loud++; next }
		{ quiet++; delay = $4 - $3 > delay ? $4 - $3 : delay }
		END { printf "%d %d %d\n", quiet, loud * 1000 / sent, delay / 1e6 }
		' "$TMP/list")
	diag "$*: $QUIET of 160 packets of the quiet flows arrive, $DELAY ms old at" \
		"most, and $LOUD of 1000 of the others"
}

# narrow OPTIONS...: put a reframer on a device that takes 2 Mbit/s
narrow() {
	tell "qdisc add dev tx0 root handle 1: tbf rate 2mbit burst 3000b limit 1mb
		qdisc add dev tx0 parent 1:1 handle 10: reframer $*"
}

quiet_flows_lose_nothing() {
	[ "$QUIET" = 160 ] || fail "$QUIET of 160 packets arrive"
}

# Only the largest flow loses packets.
test_one_flow() {
	narrow limit 200
	flood -F 1 -n 10000
	quiet_flows_lose_nothing
}

# bounded PACKETS OPTIONS LIST: the device sends a packet per ms; one flow sends four times
# as many, the quiet flows send LIST.  They lose nothing, and a packet of theirs is at most
# the PACKETSth to leave after it came.  The bound is tight: some packets are the PACKETSth.
bounded() {
	local quiet longest

	tell "qdisc add dev tx0 root handle 1: tbf rate 8mbit burst 1600b limit 1mb
		qdisc add dev tx0 parent 1:1 handle 10: reframer limit 100 burst 8 $2"
	capture -L "$TMP/list"
	send -l 1000 -x "0@0+250000*4000,$3"
	wait_drained
	arrived
	read -r quiet longest < <(awk '
		!$1 { next }
		{ quiet++; longest = $4 - $3 > longest ? $4 - $3 : longest }
		END { print quiet, longest }' "$TMP/list")
	diag "$2 $3: $quiet packets wait for $longest ns at most"
	expect in_order all_accounted root_empty '.gen.refused == 0' \
		'drops > 2000 and .cap.packets + drops == .gen.packets' \
		"$quiet == .gen.packets - 4000" \
		"$longest > ($1 - 1) * 1000000" "$longest < $1 * 1000000"
	qdisc del dev tx0 root
}

# held_together FLOWS: their packets come together, a microsecond after each other.
# Between two bursts of the flood, two of the flows are sent.
held_together() {
	local list="" i

	for ((i = 1; i <= $1; i++)); do
		list+="${list:+,}$i@$((100000 + i * 1000))+59100000*16"
	done
	bounded $((8 * (($1 + 1) / 2) + $1)) noadaptive "$list"
}

# A quiet packet waits for the packet that the parent has set aside, a burst of the flood,
# and one packet of each quiet flow.
test_the_wait_is_bounded() {
	local gap="+17100000*57"

	virtual_time || skip "needs virtual time (time-travel=inf-cpu)"
	bounded $((1 + 8 + 1)) "" "1@100000$gap"
	bounded $((1 + 8 + 4)) "" "1@100000$gap,2@110000$gap,3@120000$gap,4@130000$gap"
	held_together 1
	held_together 2
	held_together 4
	held_together 8
}

test_many_flows() {
	narrow limit 400
	flood -F 20 -n 500
	quiet_flows_lose_nothing
}

# All flows have one packet in the queue: a quiet flow loses no more than the others.  In
# real time, that depends on which sender wakes up first: they run in step all the time.
test_flows_of_one_packet() {
	narrow limit 10 flows 65536
	flood -F 2000 -n 1 -g 1000000
	[ "$QUIET" -gt 0 ] || fail "no packet of the quiet flows arrives"
	! virtual_time || [ $((QUIET * 1000 / 160)) -ge "$LOUD" ] ||
		fail "the quiet flows lose more than the others"
}

# All flows of the flood are in one set of slots, and only harm each other.  The quiet
# flows are classes in other sets: by their hash, one would be in this set in one of 32
# runs.
test_flows_that_collide() {
	local i filters=""

	narrow limit 200
	for i in 0 1 2 3; do
		filters+="filter add dev tx0 parent 10: protocol ip u32 match u32 \
$((0x0a800000 + i)) 0xffffffff at 12 classid 10:$((i + 1))1"$'\n'
	done
	for i in 0 1 2 3 4 5 6 7; do
		filters+="filter add dev tx0 parent 10: protocol ip u32 match u32 \
$((0x0a800400 + i)) 0xfffffc07 at 12 classid 10:$((i + 1))"$'\n'
	done
	tell "$filters"
	flood -F 1024 -n 10
	expect '.r.flows.peak <= 12'
	quiet_flows_lose_nothing
}

# With one set of slots for all, the quiet flows lose packets, too, but stay in order.
test_one_set_for_all() {
	narrow limit 200 flows 8
	flood -F 1024 -n 2 -g 1000000
	expect '.r.collisions > 1000'
	[ "$QUIET" -gt 0 ] || fail "no packet of the quiet flows arrives"
}

run_tests "$@"
