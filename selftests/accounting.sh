#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Accounting: offered = sent + dropped + backlog at every step, also when the
# qdisc, its device, its namespace or its module goes away with packets held.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# holding: 4 flows of 8 packets are held for 100 ms.  A guest that is slow, or
# stopped for a moment, may need several attempts to see them.
holding() {
	local tries

	for ((tries = 0; tries < 10; tries++)); do
		send -F 4 -n 8
		show
		[[ $QS != *'"qlen":32'* ]] || return 0
		wait_drained
	done
	fail "never saw packets held: $QS"
}

# Traffic passes, the qdisc is what it was.
alive() {
	capture
	send -F 4 -n 8
	wait_drained
	arrived
	expect complete accounted empty_now
}

# Nothing that was held is sent later.
gone() {
	capture
	pause 0.2
	arrived
	expect '.cap.packets == 0'
}

test_idle() {
	reframer
	show
	expect accounted empty_now '.r.packets_in == 0 and .r.timers == 0' \
		'.r.hold.max_ns == 0 and (.r.hold.hist | add) == 0' '.q.bytes == 0'
}

test_while_holding_and_after() {
	reframer delay 100ms
	capture
	holding
	expect accounted '.q.qlen == 32 and .q.backlog == 3200' \
		'.r.flows.held == 4 and .r.flows.ready == 0' \
		'.r.memory_bytes >= 32 * 100' '.r.flows.peak == 4'
	wait_drained
	arrived
	expect in_order accounted empty_now '.cap.packets == .r.packets_in' \
		'.q.packets == .r.packets_out and .q.bytes == 100 * .q.packets' \
		'.r.flows.peak == 4'
}

test_over_the_limit() {
	throttled delay 1ms limit 30
	capture
	send -F 10 -n 20 -o random
	show
	# one is with the parent
	expect '.r.packets_in == .r.packets_out + drops + .q.qlen - 1' \
		'drops == .q.drops and drops == .r.drops.limit' \
		'.qs[0].qlen == .q.qlen and .qs[0].backlog == .q.backlog'
	wait_drained
	arrived
	expect accounted empty_now '.cap.packets == .r.packets_out'
}

test_smaller_limit_by_change() {
	reframer delay 100ms
	capture
	holding
	qdisc change dev tx0 root reframer limit 10
	show
	expect accounted '.r.drops.change == 22' '.q.qlen <= 10'
	wait_drained
	arrived
	expect in_order accounted empty_now '.r.drops.change == 22' \
		'.cap.packets == .r.packets_out'
}

test_smaller_memory_limit_by_change() {
	reframer delay 100ms
	capture
	holding
	qdisc change dev tx0 root reframer memory_limit 1
	show
	expect accounted empty_now '.r.drops.change == 32'
	arrived
	qdisc change dev tx0 root reframer delay 1ms memory_limit 32mb
	alive
}

test_replaced_by_another_kind() {
	reframer delay 100ms
	holding
	qdisc replace dev tx0 root pfifo
	gone
	capture
	send -F 4 -n 8
	wait_drained
	arrived
	expect complete
	qdisc replace dev tx0 root reframer delay 1ms
	alive
}

test_replaced_by_itself() {
	reframer delay 100ms
	capture
	holding
	qdisc replace dev tx0 root handle 1: reframer delay 1ms
	wait_drained
	arrived
	expect in_order accounted empty_now 'drops == 0' \
		'.cap.packets == .r.packets_out'
}

test_replaced_by_a_new_one() {
	reframer delay 100ms
	holding
	qdisc replace dev tx0 root handle 2: reframer delay 1ms
	gone
	alive
}

test_deleted() {
	reframer delay 100ms
	holding
	qdisc del dev tx0 root
	gone
	reframer delay 1ms
	alive
}

test_link_down_and_up() {
	local before

	reframer delay 100ms
	capture
	holding
	before=$(jq '.[0].reframer.packets_out' <<<"$QS")
	ip -n "$TX" link set dev tx0 down
	show
	expect accounted empty_now ".r.packets_out == $before" \
		'.r.drops.reset == 32'
	ip -n "$TX" link set dev tx0 up
	arrived
	# the configuration is still there, and so are the counters
	capture
	holding
	wait_drained
	arrived
	expect in_order accounted empty_now '.r.drops.reset == 32' \
		'.q.options.delay == 100000000' \
		".cap.packets == .r.packets_out - $before"
}

test_namespace_deleted() {
	reframer delay 100ms
	holding
	unpair
	pause 0.2
	pair
	reframer delay 1ms
	alive
}

test_device_deleted() {
	reframer delay 100ms
	holding
	ip -n "$TX" link del dev tx0
	pause 0.2
	unpair
	pair
}

# Both ends go away while traffic flows.
test_deleted_under_traffic() {
	local i

	nsenter --net="/run/netns/$TX" "$FLOWGEN" -C 0 -i tx0 -F 16 -n 10 \
		-o random -g 50000 -t 500 >/dev/null &
	for i in 1 2 3 4; do
		reframer delay 10ms
		pause 0.02
		show
		qdisc del dev tx0 root
		expect '.r.packets_in > 0' 'drops == 0'
	done
	kill $!
	wait $! || true
}

test_module_removed() {
	reframer delay 100ms
	holding
	if rmmod sch_reframer 2>/dev/null; then
		fail "the module could be removed while it was used"
	fi
	qdisc del dev tx0 root
	rmmod sch_reframer || fail "the module cannot be removed"
	pause 0.2
	load_reframer || fail "the module cannot be loaded again"
	reframer delay 1ms
	alive
}

run_tests "$@"
