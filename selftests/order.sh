#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Order: the packets of a flow always leave in the order in which they came.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# The receiver's ring may overflow, so capture right behind the qdisc.
CAPTURE_AT="$TX tx0"

# The offset in flowgen's IP packets of the packet's number in its flow
SEQ_AT=36

test_random_order() {
	local seed

	reframer delay 1ms slack 1ms "$ALWAYS"
	for seed in 1 2; do
		capture
		send -F 64 -n 20 -o random -s $seed
		wait_drained
		arrived
		expect complete accounted empty_now
	done
}

# Default options: flows are held sometimes, and every eighth packet is a control packet,
# which releases its flow.
test_defaults() {
	local gap seq=0

	if virtual_time; then
		reframer
	else
		reframer delay 10ms
	fi
	tell "filter add dev tx0 parent 1: protocol ip u32 match u32 0 7 at $SEQ_AT action skbedit priority 7"
	capture
	for gap in 100 5000 50000 1000000; do
		send -F 8 -n 20 -o random -g $gap -S $seq
		seq=$((seq + 20))
	done
	wait_drained
	arrived
	expect in_order '.cap.missing == 0 and .cap.packets == 640' accounted \
		empty_now '.r.releases | .control > 0 and .adaptive > 0 and
			.deadline > 0' '.r.holds.paid > 0'
}

# Packets join flows that are being sent, and flows become full.
test_small_bursts() {
	reframer delay 10ms slack 10us burst 3 "$ALWAYS"
	capture
	send -F 20 -n 50 -o random -T 2
	wait_drained
	arrived
	expect complete accounted
	timely '.r.releases.full > 0'
}

test_more_flows_than_slots() {
	reframer delay 20ms slack 20ms flows 8 "$ALWAYS"
	capture
	send -F 1000 -n 4 -o random
	wait_drained
	arrived
	expect complete accounted empty_now '.cap.flows == 1000' \
		'.r.collisions > 1000' '.r.flows.peak == 8'
}

test_more_flows_than_slots_and_small_bursts() {
	reframer delay 1ms slack 1ms flows 8 burst 2 "$ALWAYS"
	capture
	send -F 100 -n 20 -o random
	wait_drained
	arrived
	expect complete accounted
	timely '.r.collisions > 0'
}

# slow OPTIONS...: send so fast that limits are reached
slow() {
	throttled delay 1ms slack 1ms "$ALWAYS" "$@"
	capture
	send -F 16 -n 40 -o random
	wait_drained
	arrived
	expect in_order accounted empty_now '.cap.packets + drops == .gen.packets'
}

test_over_limit() {
	slow limit 100
	timely '.r.drops.limit > 400'
}

test_over_memory_limit() {
	forwarded
	slow memory_limit 100kb
	timely '.r.drops.memory > 400'
}

test_over_limit_with_collisions() {
	slow flows 8 limit 100
	timely '.r.drops.limit > 400' '.r.collisions > 0'
}

# under_change CONFIG...: change to one after the other, again and again, under traffic.
# Virtual time runs only while the sender sleeps.
under_change() {
	local ms=2000 pid n=0 config

	! virtual_time || ms=30
	capture
	rm -f "$TMP/gen"
	nsenter --net="/run/netns/$TX" "$FLOWGEN" -C 0 -i tx0 -F 32 -n 10 \
		-o random -g 20000 -t $ms >"$TMP/gen" &
	pid=$!
	while sending $pid; do
		for config; do
			qdisc change dev tx0 root reframer "$config"
			n=$((n + 1))
			pause 0.002
		done
	done
	wait $pid
	GEN=$(<"$TMP/gen")
	wait_drained
	arrived
	expect in_order accounted empty_now \
		'.cap.packets + drops == .gen.packets'
	[ $n -ge 8 ] || fail "only $n changes"
}

test_change_under_traffic() {
	reframer "$ALWAYS"
	under_change "delay 0 slack 0 burst 1" \
		"delay 5ms slack 0 burst 64 limit 20" \
		"delay 5ms slack 1ms burst 3 limit 10240 memory_limit 10kb" \
		"delay 100us slack 100us memory_limit 32mb"
}

# With any key, packets with the same addresses and ports belong to one flow.
test_key_change_under_traffic() {
	reframer delay 1ms
	under_change "key src noadaptive delay 5ms burst 64" "key mark burst 4" \
		"key dst adaptive" "key hosts delay 0" "key proto-dst delay 1ms" \
		"key flow"
	expect '.cap.missing == 0 and drops == 0'
}

# Packets that were queued under an older key leave before all others.
test_key_change_with_a_backlog() {
	local key seq=0 queued

	throttled delay 1ms flows 8 burst 3
	capture
	for key in src mark hosts dst flow; do
		send -F 20 -n 6 -S $seq -o random
		qdisc change dev tx0 parent 1:1 reframer key $key
		seq=$((seq + 6))
	done
	send -F 20 -n 6 -S $seq -o random
	show
	queued=$QS
	wait_drained
	arrived
	expect in_order '.cap.missing == 0 and .cap.packets == 720' accounted \
		empty_now
	QS=$queued
	timely '.r.flows.held + .r.flows.ready >= 2'
}

run_tests "$@"
