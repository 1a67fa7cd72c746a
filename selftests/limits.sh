#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Limits: packets and memory stay within their limits, and the largest flow is the one that
# loses packets.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# flood OPTIONS...: eight flows send 4 packets, and 4 more while another flow sends 600,
# faster than the parent takes them.  The packets of the eight are the oldest.
flood() {
	throttled delay 1ms slack 1ms "$ALWAYS" "$@"
	capture -c
	send -f 1 -F 8 -n 4
	send -F 9 -n 4 -S 4 -w 0:600 -o random
	show
	FULL=$QS
	wait_drained
	arrived
	expect in_order accounted empty_now '.gen.refused == 0' \
		'.cap.packets + drops == 632 + 32' \
		'.cap.counts[1:9] == [8, 8, 8, 8, 8, 8, 8, 8]' \
		'.cap.counts[0] + drops == 600'
}

test_a_flood_over_the_limit() {
	flood limit 100
	expect '.r.drops.memory == 0'
	timely '.r.drops.limit > 300'
	QS=$FULL
	expect '.q.qlen > 40 and .q.qlen <= 101'
}

test_a_flood_over_the_memory_limit() {
	forwarded
	flood memory_limit 80kb
	expect '.r.drops.limit == 0'
	timely '.r.drops.memory > 300'
	QS=$FULL
	expect '.r.memory_bytes > 40000 and .r.memory_bytes <= 80 * 1024'
}

# memory KIND OPTIONS...: MEMORY becomes what 4 flows of 32 packets take in the queue
memory() {
	tell "qdisc add dev tx0 root handle 1: tbf rate 100bit burst 1600b limit 100mb
		qdisc add dev tx0 parent 1:1 handle 10: $*"
	send -F 4 -n 32
	show
	expect '.qs[1].qlen > 100'
	MEMORY=$(jq '.[1] | .memory_used // .reframer.memory_bytes // 0' <<<"$QS")
	qdisc del dev tx0 root
}

# reframer counts the same memory as fq_codel.  Whether packets that a socket pays for
# count depends on the kernel.
test_memory_as_fq_codel_counts_it() {
	local theirs

	memory fq_codel
	theirs=$MEMORY
	diag "of a socket: $theirs"
	memory reframer delay 0
	[ "$MEMORY" = "$theirs" ] || fail "$MEMORY, fq_codel $theirs"
	forwarded
	memory fq_codel
	theirs=$MEMORY
	memory reframer delay 0
	[ "$MEMORY" = "$theirs" ] || fail "$MEMORY, fq_codel $theirs"
	[ "$MEMORY" -gt 10000 ] || fail "only $MEMORY"
}

test_two_floods_share_the_loss() {
	throttled delay 1ms slack 1ms limit 80 "$ALWAYS"
	capture -c
	send -F 6 -n 4 -w 0:300 -w 1:300 -o random
	wait_drained
	arrived
	expect in_order accounted '.cap.counts[2:6] == [4, 4, 4, 4]' \
		'.cap.counts[0] > 20 and .cap.counts[1] > 20'
}

# The oldest packets are dropped, so that the newest ones arrive.
test_the_head_is_dropped() {
	throttled delay 100ms slack 100ms limit 20 "$ALWAYS"
	capture -L "$TMP/list"
	send -n 100
	wait_drained
	arrived
	expect in_order accounted '.gen.refused == 0'
	[ "$(tail -n 1 "$TMP/list" | cut -d ' ' -f 2)" = 99 ] ||
		fail "the last packet is lost: $(tail -n 1 "$TMP/list")"
	tail -n 20 "$TMP/list" | awk 'NR > 1 && $2 != last + 1 { exit 1 }
		{ last = $2 }' || fail "the last 20 have gaps"
}

# With extreme values of all limits, nothing crashes, stalls or is miscounted.
test_tiny_limits() {
	local limits

	forwarded
	for limits in "limit 1" "limit 2" "limit 7" "memory_limit 1" \
		      "memory_limit 2000" "limit 1 memory_limit 1 flows 8 burst 1" \
		      "limit 4294967295 memory_limit 2gb flows 65536"; do
		throttled delay 1ms slack 1ms "$limits" "$ALWAYS"
		capture
		send -F 4 -n 20 -o random
		wait_drained
		arrived
		expect in_order accounted empty_now \
			'.cap.packets + drops == .gen.packets'
		qdisc del dev tx0 root
	done
}

test_limits_are_seldom_reached() {
	reframer delay 1ms slack 1ms "$ALWAYS"
	capture
	send -F 100 -n 10
	wait_drained
	arrived
	expect complete 'drops == 0 and .r.releases.pressure == 0'
}

# used: USED becomes the kernel memory that cannot be reclaimed
used() {
	USED=$(awk '/^(SUnreclaim|VmallocUsed):/ { kb += $2 } END { print kb * 1024 }' \
		/proc/meminfo)
}

# A reframer itself takes 72 bytes for each flow and little else; the allocator rounds the
# table up to a power of two.
test_the_table() {
	local flows before i lines="qdisc add dev tx0 root handle 1: mq"

	for flows in "8 576" "9 1152" "1024 73728" "65536 4718592"; do
		reframer flows "${flows% *}"
		show
		expect ".r.table_bytes == ${flows#* }" '.r.memory_bytes == 0'
		qdisc del dev tx0 root
	done
	unpair
	QUEUES=16
	pair
	used
	before=$USED
	for i in 1 2 3 4 5 6 7 8 9 a b c d e f 10; do
		lines+=$'\n'"qdisc replace dev tx0 parent 1:$i reframer flows 65536"
	done
	tell "$lines"
	used
	WHAT="16 tables take $((USED - before)) bytes"
	unpair
	[ $((USED - before)) -gt $((16 * 4700000)) ] || fail "too few"
	[ $((USED - before)) -lt $((16 * 4900000)) ] || fail "too many"
	wait_for "the tables are given back" used_again "$before"
}

# used_again BYTES: the used memory is BYTES again, within half a table
used_again() {
	used
	[ $((USED - $1)) -lt 2400000 ]
}

run_tests "$@"
