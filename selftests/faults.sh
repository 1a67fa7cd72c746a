#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Faults: if an allocation in the kernel fails, the request fails as a whole and no packet
# is lost.  Tested with each single allocation, and with all from each one on.  Needs a
# kernel with FAULT_INJECTION.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

FAULTS=/sys/kernel/debug

need_faults() {
	if [ ! -e /proc/self/fail-nth ] || [ ! -d $FAULTS/failslab ] ||
		[ ! -d $FAULTS/fail_page_alloc ]; then
		echo "TAP version 13"
		skip_all "the kernel has no fault injection: scripts/guests/vm --kernel kasan"
	fi
	helper failnth
	FAILNTH=$HELPER
}

# any_can_fail: allow any allocation of a task that asks for it to fail, without a message
any_can_fail() {
	local kind

	for kind in failslab fail_page_alloc; do
		echo N >$FAULTS/$kind/ignore-gfp-wait
		echo 0 >$FAULTS/$kind/verbose
		echo Y >$FAULTS/$kind/task-filter
		echo -1 >$FAULTS/$kind/times
		echo 100 >$FAULTS/$kind/probability
	done
	echo N >$FAULTS/fail_page_alloc/ignore-gfp-highmem
	echo 0 >$FAULTS/fail_page_alloc/min-order
}

# 0: only the nth allocation fails; 1: all from there on
FAIL_MORE=0

# nth N TC_ARGUMENTS...: run tc, whose Nth allocation fails; true if there are N
# allocations.  STATUS is tc's exit status, ERROR its message.
nth() {
	local n=$1 out

	shift
	STATUS=0
	out=$(LD_PRELOAD=$FAILNTH FAIL_NTH=$n FAIL_MORE=$FAIL_MORE \
		"$TC" -n "$TX" "$@" 2>"$TMP/err") || STATUS=$?
	ERROR=$(<"$TMP/err")
	[ "$out" = failed ]
}

# refused: the kernel has refused the request with a message
refused() {
	[ "$STATUS" != 0 ] || return
	[[ $STATUS == 2 && -n $ERROR ]] || fail "status $STATUS, $ERROR"
}

# used TIMES: the module's count of users is TIMES; qdiscs are not destroyed at once
used() {
	local users

	read -r users </sys/module/sch_reframer/refcnt
	[ "$users" = "$1" ]
}

# creating TC_ARGUMENTS...: create a qdisc, with each allocation failing in turn.  If it
# succeeds, as a table may consist of single pages, the qdisc works.  REFUSED counts the
# other attempts.
creating() {
	local n before

	read -r before </sys/module/sch_reframer/refcnt
	REFUSED=0
	for ((n = 1; n < 1000; n++)); do
		WHAT="$*, allocation $n, more $FAIL_MORE"
		nth $n qdisc "$@" || break
		show
		if refused; then
			REFUSED=$((REFUSED + 1))
			# or no memory for the answer
			[[ $ERROR == *"No buffer space"* || $QS != *'"reframer"'* ]] ||
				fail "refused, and there: $QS"
		fi
		[[ $QS != *'"reframer":'* || $QS == *'"mq"'* ]] || carries
		[[ $QS != *'"reframer"'* ]] || qdisc del dev tx0 root
		wait_for "no qdisc is left" used "$before"
	done
	[ "$STATUS" = 0 ] || fail "status $STATUS, $ERROR"
	[ $n -gt 5 ] || fail "only $n allocations"
	qdisc del dev tx0 root
	WHAT=$*
}

# carries: packets pass, in order
carries() {
	capture
	send -F 8 -n 8 -o random
	wait_drained
	arrived
	expect complete accounted empty_now
}

works() {
	reframer delay 1ms "$ALWAYS"
	carries
	qdisc del dev tx0 root
}

# How many allocations matter depends on which slabs happen to be empty.
test_creation() {
	local options matter

	for options in "" "flows 8" "flows 4096 key src" "flows 65536"; do
		matter=0
		for FAIL_MORE in 0 1; do
			# shellcheck disable=SC2086 # words
			creating add dev tx0 root handle 1: reframer $options
			[ $REFUSED -gt 0 ] || fail "refused nothing"
			matter=$((matter + REFUSED))
		done
		[ $matter -ge 12 ] || fail "refused only $matter times"
	done
	works
}

# If no two free pages are adjacent, as after a long time of use, single pages do.
test_single_pages() {
	works		# so that all of tc is in memory
	trap 'any_can_fail; cleanup' EXIT
	echo 0 >$FAULTS/failslab/probability
	echo 1 >$FAULTS/fail_page_alloc/min-order
	echo 1 >"/proc/$TC_PID/make-it-fail"
	tell "qdisc add dev tx0 root handle 1: reframer delay 1ms $ALWAYS flows 65536"
	echo 0 >"/proc/$TC_PID/make-it-fail"
	carries
}

# As the default qdisc, a reframer that could not be initialized is reset before it is
# destroyed.
test_default_qdisc() {
	local file=/proc/sys/net/core/default_qdisc old

	old=$(<$file)
	# shellcheck disable=SC2064 # now
	trap "echo $old >$file; cleanup" EXIT
	unpair
	QUEUES=2
	pair
	echo reframer >$file
	for FAIL_MORE in 0 1; do
		creating add dev tx0 root handle 1: mq
	done
	echo "$old" >$file
	unpair
}

# as_it_was: the qdisc is unchanged, with the 8 packets that it holds
as_it_was() {
	expect '.q.handle == "10:" and .q.options.delay == 992000' \
		'.q.options.limit == 1000 and .q.options.key == "flow"' \
		'.r.packets_in == 10 and .r.packets_out == 2' 'drops == 0'
}

# each_fails OLD NEW COMMAND...: run tc, with each allocation failing in turn.  If the
# kernel refuses and the JSON still contains OLD, the qdisc must be unchanged; else the
# function NEW checks it.  The kernel refused in REFUSALS of TRIES attempts.
each_fails() {
	local old=$1 new=$2

	shift 2
	REFUSALS=0
	for ((TRIES = 1; TRIES < 1000; TRIES++)); do
		WHAT="allocation $TRIES, more $FAIL_MORE"
		stuck limit 1000
		send -F 8 -n 1
		nth $TRIES "$@" || break
		show
		if refused && [[ $QS == *"$old"* ]]; then
			as_it_was
			REFUSALS=$((REFUSALS + 1))
		else
			"$new"
		fi
		qdisc del dev tx0 root
	done
}

test_change() {
	for FAIL_MORE in 0 1; do
		each_fails '"limit":1000,' changed \
			qdisc change dev tx0 parent 1:1 reframer delay 2ms limit 5 key src
		show
		changed
		qdisc del dev tx0 root
		[ $REFUSALS -gt 0 ] || fail "none of $TRIES allocations matters"
	done
}

changed() {
	expect '.q.options.delay == 2000000' \
		'.q.options.limit == 5 and .q.options.key == "src"' \
		'.r.drops.change == 3'
}

# How many matter in each round depends on which slabs happen to be empty: to fill one,
# fewer pages do if only one allocation fails.
test_replace() {
	local matter=0

	for FAIL_MORE in 0 1; do
		each_fails '"handle":"10:"' replaced \
			qdisc replace dev tx0 parent 1:1 handle 11: reframer
		matter=$((matter + REFUSALS))
		qdisc del dev tx0 root
		wait_for "no qdisc is left" used 0
	done
	diag "$matter allocations matter"
	[ $matter -ge 12 ] || fail "only $matter allocations matter"
}

replaced() { expect '.q.handle == "11:" and .r.packets_in == 0'; }

test_filter() {
	local n

	for FAIL_MORE in 0 1; do
		for ((n = 1; n < 1000; n++)); do
			WHAT="allocation $n, more $FAIL_MORE"
			reframer delay 100ms "$ALWAYS"
			nth $n filter add dev tx0 parent 1: protocol ip prio 1 \
				matchall classid 1:3 || break
			refused || true
			send -F 8 -n 1
			wait_drained
			show
			expect accounted empty_now
			qdisc del dev tx0 root
		done
		[ $n -gt 5 ] || fail "only $n allocations"
		qdisc del dev tx0 root
		wait_for "no qdisc is left" used 0
	done
}

need_faults
any_can_fail
run_tests "$@"
