#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Order: whatever happens, the packets of a flow leave as they came.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# The receiver's ring may overflow; here is what the qdisc does.
CAPTURE_AT="$TX tx0"

test_random_order() {
	local seed

	reframer delay 1ms
	for seed in 1 2; do
		capture
		send -F 64 -n 20 -o random -s $seed
		wait_drained
		arrived
		expect complete accounted empty_now
	done
}

# Packets join flows that are being sent; flows become full.
test_small_bursts() {
	reframer delay 10us burst 3
	capture
	send -F 20 -n 50 -o random -T 2
	wait_drained
	arrived
	expect complete accounted '.r.releases.full > 0'
}

test_more_flows_than_slots() {
	reframer delay 20ms flows 8
	capture
	send -F 1000 -n 4 -o random
	wait_drained
	arrived
	expect complete accounted empty_now '.cap.flows == 1000' \
		'.r.collisions > 1000' '.r.flows.peak == 8'
}

test_more_flows_than_slots_and_small_bursts() {
	reframer delay 10us flows 8 burst 2
	capture
	send -F 100 -n 20 -o random
	wait_drained
	arrived
	expect complete accounted '.r.collisions > 0'
}

# slow OPTIONS...: limits that are reached
slow() {
	throttled "$@"
	capture
	send -F 16 -n 40 -o random
	wait_drained
	arrived
	expect in_order accounted empty_now '.cap.packets + drops == .gen.packets'
}

test_over_limit() {
	slow delay 1ms limit 100
	expect '.r.drops.limit > 400'
}

test_over_memory_limit() {
	slow delay 1ms memory_limit 100kb
	expect '.r.drops.memory > 400'
}

test_over_limit_with_collisions() {
	slow delay 1ms flows 8 limit 100
	expect '.r.drops.limit > 400' '.r.collisions > 0'
}

# Virtual time runs only while the sender sleeps.
test_change_under_traffic() {
	local ms=2000 pid n=0 config configs=(
		"delay 0 slack 0 burst 1"
		"delay 5ms slack 0 burst 64 limit 20"
		"delay 5ms slack 1ms burst 3 limit 10240 memory_limit 10kb"
		"delay 100us slack 100us memory_limit 32mb"
	)

	! virtual_time || ms=30
	reframer
	capture
	nsenter --net="/run/netns/$TX" "$FLOWGEN" -C 0 -i tx0 -F 32 -n 10 \
		-o random -g 20000 -t $ms >"$TMP/gen" &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		for config in "${configs[@]}"; do
			# shellcheck disable=SC2086 # words
			qdisc change dev tx0 root reframer $config
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

run_tests "$@"
