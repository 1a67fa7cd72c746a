#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Accounting: offered = sent + dropped + backlog at every step, also when the
# qdisc, its device, its namespace or its module goes away with packets held.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# hold: send 4 flows of 8 packets, which are held
hold() { holding 32 -F 4 -n 8; }

# Traffic passes, and the qdisc is unchanged.
alive() {
	capture
	send -F 4 -n 8
	wait_drained
	arrived
	expect complete accounted empty_now
}

# Packets that were held are not sent later.
gone() {
	capture
	pause 0.2
	arrived
	expect '.cap.packets == 0'
}

test_idle() {
	reframer
	show
	expect accounted empty_now '.r.packets_in == 0 and .r.timer.expiries == 0' \
		'.r.hold.max_ns == 0 and (.r.hold.hist | add) == 0' '.q.bytes == 0'
}

test_while_holding_and_after() {
	forwarded
	reframer delay 100ms "$ALWAYS"
	capture
	hold
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
	stuck limit 30
	capture
	send -F 10 -n 20 -o random
	show
	# tbf has set one aside
	expect '.r.packets_in == .r.packets_out + drops + .q.qlen - 1' \
		'drops == 170 and drops == .q.drops and drops == .r.drops.limit' \
		'.qs[0].qlen == .q.qlen and .qs[0].backlog == .q.backlog'
	unstuck -S 20
	arrived
	expect in_order accounted empty_now '.cap.packets == .r.packets_out - 1'
}

test_smaller_limit_by_change() {
	reframer delay 100ms "$ALWAYS"
	capture
	hold
	qdisc change dev tx0 root reframer limit 10
	show
	expect accounted '.q.qlen <= 10'
	timely '.r.drops.change == 22'
	wait_drained
	arrived
	expect in_order accounted empty_now '.r.drops.change == 22' \
		'.cap.packets == .r.packets_out'
}

test_smaller_memory_limit_by_change() {
	forwarded
	reframer delay 100ms "$ALWAYS"
	capture
	hold
	qdisc change dev tx0 root reframer memory_limit 1
	show
	expect accounted empty_now
	timely '.r.drops.change == 32'
	arrived
	qdisc change dev tx0 root reframer delay 1ms memory_limit 32mb
	alive
}

test_replaced_by_another_kind() {
	reframer delay 100ms "$ALWAYS"
	hold
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
	reframer delay 100ms "$ALWAYS"
	capture
	hold
	qdisc replace dev tx0 root handle 1: reframer delay 1ms
	wait_drained
	arrived
	expect in_order accounted empty_now 'drops == 0' \
		'.cap.packets == .r.packets_out'
}

test_replaced_by_a_new_one() {
	reframer delay 100ms "$ALWAYS"
	hold
	qdisc replace dev tx0 root handle 2: reframer delay 1ms
	gone
	alive
}

test_deleted() {
	reframer delay 100ms "$ALWAYS"
	hold
	qdisc del dev tx0 root
	gone
	reframer delay 1ms
	alive
}

test_link_down_and_up() {
	local sent tries

	# The hold may be over before a busy machine sets the link down.
	for ((tries = 0; tries < 6; tries++)); do
		[ $tries = 0 ] || qdisc del dev tx0 root
		ip_start -n "$TX"
		reframer delay 100ms "$ALWAYS"
		hold
		ip_run "link set dev tx0 down"
		show
		ip -n "$TX" link set dev tx0 up
		expect accounted empty_now '.q.drops == 0'
		[[ $QS != *'"reset":32'* ]] || break
	done
	timely '.r.drops.reset == 32'
	sent=${QS#*'"packets_out":'}
	sent=${sent%%,*}
	# configuration and counters are unchanged
	capture
	hold
	wait_drained
	arrived
	expect in_order accounted empty_now '.r.drops.reset == 32' \
		'.q.options.delay == 100000000' \
		".cap.packets == .r.packets_out - $sent"
}

# The core deactivates the device, and so resets its qdiscs, on some operations that seem
# unrelated.  Which ones do so depends on the kernel: compare with fq.
deactivate() {
	case $1 in
	txqueuelen) ip_run "link set dev tx0 txqueuelen $RANDOM" ;;
	clsact) tell "qdisc add dev tx0 clsact" ;;
	"no clsact") tell "qdisc del dev tx0 clsact" ;;
	esac
}

# hold_and_deactivate WHAT: hold packets and deactivate the device; they are reset, or have
# left just before
hold_and_deactivate() {
	capture
	[ "$1" != txqueuelen ] || ip_start -n "$TX"
	hold
	deactivate "$1"
	wait_drained
	arrived
	expect in_order accounted empty_now '.cap.packets == .r.packets_out' \
		'.r.drops.reset == 0 or .r.drops.reset == 32'
}

test_device_deactivated() {
	local what lost tries

	for what in txqueuelen clsact "no clsact"; do
		WHAT=$what
		qdisc add dev tx0 root fq maxrate 80kbit quantum 100 initial_quantum 100
		[ "$what" != txqueuelen ] || ip_start -n "$TX"
		send -n 100
		deactivate "$what"
		show
		lost=0
		jq -e '.[0].qlen > 0' <<<"$QS" >/dev/null || lost=32
		qdisc del dev tx0 root
		diag "$what: fq loses $([ $lost = 0 ] && echo nothing || echo "what it holds")"

		for ((tries = 0; tries < 10; tries++)); do
			# undo it for the next attempt
			[ "$what" != clsact ] || deactivate "no clsact"
			[ "$what" != "no clsact" ] || deactivate clsact
			reframer delay 100ms "$ALWAYS"
			hold_and_deactivate "$what"
			[[ $QS != *'"reset":'$lost,* ]] || break
			qdisc del dev tx0 root
		done
		timely ".r.drops.reset == $lost"
		# and the qdisc is unchanged
		expect '.q.options.delay == 100000000'
		qdisc replace dev tx0 root handle 1: reframer delay 1ms
		capture
		send -F 4 -n 8 -f 10
		wait_drained
		arrived
		expect complete accounted empty_now ".r.drops.reset == $lost"
		qdisc del dev tx0 root
	done
}

# fq_codel does not count packets of a reset as drops, and neither does reframer.
test_link_down_as_fq_codel() {
	local kind

	for kind in fq_codel "reframer delay 992us $ALWAYS"; do
		WHAT=$kind
		tell "qdisc add dev tx0 root handle 1: tbf rate 100bit burst 1600b limit 100mb
			qdisc add dev tx0 parent 1:1 handle 10: $kind"
		send -F 4 -n 16
		show
		expect '.qs[1].qlen > 40'
		ip -n "$TX" link set dev tx0 down
		show
		ip -n "$TX" link set dev tx0 up
		expect 'all(.qs[]; .qlen == 0 and .backlog == 0 and .drops == 0)'
		qdisc del dev tx0 root
	done
}

test_namespace_deleted() {
	reframer delay 100ms "$ALWAYS"
	ip_start
	hold
	kill "$TC_PID"
	ip_run "netns del $TX"
	pause 0.2
	unpair
	pair
	reframer delay 1ms
	alive
	unpair
}

test_device_deleted() {
	reframer delay 100ms "$ALWAYS"
	ip_start -n "$TX"
	hold
	ip_run "link del dev tx0"
	pause 0.2
	unpair
}

has_traffic() {
	show
	[[ $QS == *'"packets_in":'[1-9]* ]]
}

# The qdisc is deleted while traffic flows.
test_deleted_under_traffic() {

	nsenter --net="/run/netns/$TX" "$FLOWGEN" -C 0 -i tx0 -F 16 -n 10 \
		-o random -g 50000 -t 10000 >/dev/null &
	for _ in 1 2 3 4 5; do
		reframer delay 10ms "$ALWAYS"
		wait_for "there is traffic" has_traffic
		qdisc del dev tx0 root
	done
	kill $!
	wait $! || true
}

test_module_removed() {
	reframer delay 100ms "$ALWAYS"
	hold
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
