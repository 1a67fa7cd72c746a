#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Faults: when the kernel has no memory, for one allocation after the other, or from
# one on, a request fails as a whole, and nothing is lost.  Needs a kernel with
# FAULT_INJECTION.

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

# any_can_fail: any allocation, and in silence; all of a task that asks for it
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

# 0: the nth allocation fails, 1: and so do all after it
FAIL_MORE=0

# nth N TC_ARGUMENTS...: true if there are as many allocations.  STATUS is that of tc,
# ERROR its message.
nth() {
	local n=$1 out

	shift
	STATUS=0
	out=$(LD_PRELOAD=$FAILNTH FAIL_NTH=$n FAIL_MORE=$FAIL_MORE \
		"$TC" -n "$TX" "$@" 2>"$TMP/err") || STATUS=$?
	ERROR=$(<"$TMP/err")
	[ "$out" = failed ]
}

# refused: by the kernel, with a message
refused() {
	[ "$STATUS" != 0 ] || return
	[[ $STATUS == 2 && -n $ERROR ]] || fail "status $STATUS, $ERROR"
}

# used TIMES: by qdiscs, as the module counts; they are not destroyed at once
used() {
	local users

	read -r users </sys/module/sch_reframer/refcnt
	[ "$users" = "$1" ]
}

# creating TC_ARGUMENTS...: with each allocation failing.  What there is then works:
# a table may be of single pages.  REFUSED counts.
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
			# or there was no memory to answer
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

# carries: packets, in order
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

# How many matter in each round depends on which slabs happen to be empty.
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

# Where no two pages are next to each other, as when memory has been in use for long,
# single ones do.
test_single_pages() {
	works		# so that tc has all that it needs
	trap 'any_can_fail; cleanup' EXIT
	echo 0 >$FAULTS/failslab/probability
	echo 1 >$FAULTS/fail_page_alloc/min-order
	echo 1 >"/proc/$TC_PID/make-it-fail"
	tell "qdisc add dev tx0 root handle 1: reframer delay 1ms $ALWAYS flows 65536"
	echo 0 >"/proc/$TC_PID/make-it-fail"
	carries
}

# Where the kernel makes a reframer without being asked, it is reset before it is
# destroyed, as far as it got.
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

# what is there as it was, with the 8 packets that it holds
as_it_was() {
	expect '.q.handle == "10:" and .q.options.delay == 992000' \
		'.q.options.limit == 1000 and .q.options.key == "flow"' \
		'.r.packets_in == 10 and .r.packets_out == 2' 'drops == 0'
}

# each_fails OLD NEW COMMAND...: of tc, with one allocation after the other failing.
# Where that is refused and OLD still in force, things are as they were; else NEW
# looks at them.  How often: REFUSALS of TRIES.
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
