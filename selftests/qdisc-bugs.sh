#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Known bugs of other qdiscs: one test for each.
# docs/qdisc-bugs.md says how each test was seen to fail.
#
# QDISC_BUGS_SECONDS: how long row 12 races (3; 60 for a night)

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

helper tcpxfer
TCPXFER=$HELPER

# row NR TITLE: title of the function test_row_NR that follows
row() { TITLES[row_$1]="row ${1#0}: $2"; }

# Parents with two classes, 1:1 and 1:2
declare -A TREE=(
	[drr]="class add dev tx0 parent 1: classid 1:1 drr
		class add dev tx0 parent 1: classid 1:2 drr"
	[qfq]="class add dev tx0 parent 1: classid 1:1 qfq weight 1
		class add dev tx0 parent 1: classid 1:2 qfq weight 1"
	[hfsc]="class add dev tx0 parent 1: classid 1:1 hfsc sc rate 1gbit
		class add dev tx0 parent 1: classid 1:2 hfsc sc rate 1gbit"
	[htb]="class add dev tx0 parent 1: classid 1:1 htb rate 1gbit quantum 20000
		class add dev tx0 parent 1: classid 1:2 htb rate 1gbit quantum 20000"
	[ets]="class change dev tx0 classid 1:1 ets quantum 1500
		class change dev tx0 classid 1:2 ets quantum 1500"
)

# tree KIND OPTIONS...: a parent with a reframer 10: below 1:1, and 20: below 1:2
tree() {
	local kind=$1 options=""

	shift
	[ "$kind" != ets ] || options="bands 2 quanta 1500 1500"
	WHAT="$kind $*"
	forwarded
	tell "qdisc add dev tx0 root handle 1: $kind $options
		${TREE[$kind]}
		qdisc add dev tx0 parent 1:1 handle 10: reframer $ALWAYS $*
		qdisc add dev tx0 parent 1:2 handle 20: reframer $ALWAYS delay 1ms"
}

# fell: check the counters of the tree, then delete it
fell() {
	show
	expect all_accounted
	qdisc del dev tx0 root
}

# lost_by_change: a change drops the packets that 1:1 holds; on a slow machine they may
# have left already
lost_by_change() {
	local tries

	for ((tries = 0; tries < 5; tries++)); do
		qdisc change dev tx0 parent 1:1 reframer memory_limit 32mb
		hold_in 1:1
		qdisc change dev tx0 parent 1:1 reframer memory_limit 1
		show
		[[ $QS != *'"change":16,'* ]] || break
	done
}

row 01 "emptied without telling the parent (CVE-2025-37798)"
test_row_01() {
	local kind

	for kind in drr qfq hfsc htb ets; do
		# by change()
		tree $kind delay 100ms
		lost_by_change
		expect root_empty
		timely '.r.drops.change == 16'
		# by enqueue(), over the limit
		send -p 1:1 -F 2 -n 2
		show
		expect root_empty '.r.drops.memory == 4'
		if [ $kind = ets ]; then
			qdisc change dev tx0 root ets bands 1 quanta 1500
			qdisc change dev tx0 root ets bands 2 quanta 1500 1500
			qdisc replace dev tx0 parent 1:2 handle 20: reframer delay 1ms "$ALWAYS"
		else
			class del dev tx0 classid 1:1
		fi
		pass 1:2
		fell
	done
}

row 02 "a list that is not in qlen (CVE-2024-56770)"
test_row_02() {
	local sum

	# held, ready, over the limits and queued under another key
	stuck limit 300
	qdisc change dev tx0 parent 1:1 reframer key src
	send -F 40 -n 5 -o random
	qdisc change dev tx0 parent 1:1 reframer key flow
	send -F 60 -n 5 -o random
	show
	expect '.q.qlen == 301 and .q.qlen == .qs[0].qlen' \
		'.q.backlog == .qs[0].backlog and .q.backlog == 1500 + 300 * 100'
	sum=$("$TC" -n "$TX" -s class show dev tx0 |
		awk '$1 == "backlog" { n += $3 } END { print n + 0 }')
	# packets that were queued under the old key have no class
	expect "$sum > 200 and $sum <= 300" \
		'.r.packets_in == .r.packets_out + drops + .q.qlen - 1'
	unstuck
	expect '.r.packets_out == .r.packets_in - drops' root_empty
	# a packet that bypasses the flow table
	qdisc del dev tx0 root
	reframer
	CAPTURE_AT="$TX tx0" capture
	send
	wait_drained
	arrived
	expect complete accounted empty_now
}

row 03 "the parent is told before our own qlen has changed (CVE-2025-21703)"
test_row_03() {
	local kind

	# Class 1:1 is active.  If it stayed active, nothing of 1:2 would be sent.
	for kind in drr hfsc qfq ets; do
		tree $kind delay 100ms
		hold_in 1:1
		qdisc change dev tx0 parent 1:1 reframer limit 1
		qdisc change dev tx0 parent 1:1 reframer memory_limit 1
		show
		expect root_empty
		pass 1:2
		fell
	done
}

row 04 "wrong return code for what filters steal or drop (CVE-2024-46800, CVE-2024-45016)"
test_row_04() {
	local kind action lost

	ip -n "$TX" link add ifb0 type ifb
	ip -n "$TX" link set ifb0 up
	for kind in drr qfq hfsc htb ets; do
		for action in drop "mirred egress redirect dev ifb0"; do
			lost=.r.stolen
			[ "$action" != drop ] || lost=.r.drops.filter
			tree $kind delay 1ms
			tell "filter add dev tx0 parent 10: protocol ip matchall action $action"
			send -p 1:1 -F 8 -n 4 -o random
			# packets come back from ifb0, and are not classified again
			wait_drained
			expect "$lost == 32" root_empty
			class_can_go $kind
			pass 1:2
			fell
		done
	done
	ip -n "$TX" link del ifb0
}

class_can_go() { [ "$1" = ets ] || class del dev tx0 classid 1:1; }

row 05 "the parent peeks while it enqueues (CVE-2025-38000)"
test_row_05() {
	tree hfsc delay 0
	pass 1:1 1:2
	qdisc change dev tx0 parent 1:1 reframer delay 1ms
	pass 1:1 1:2
	qdisc change dev tx0 parent 1:1 reframer delay 100ms
	class_goes 1:1 1:2
	fell
}

row 06 "peek gives what dequeue refuses (CVE-2023-4921)"
test_row_06() {
	tree qfq delay 100ms
	hold_in 1:1
	wait_drained
	pass 1:2
	hold_in 1:1
	class del dev tx0 classid 1:1
	pass 1:2
	fell
	# tbf dequeues the packet that it has peeked, even if another one should go first
	stuck
	send -p 7 -f 5
	show
	expect '.q.qlen == 2' '.r.packets_out == 2'
	CAPTURE_AT="$TX tx0" capture -L "$TMP/list"
	unstuck -f 6
	arrived
	[[ $(head -n 1 "$TMP/list") == "99999 "* ]] ||
		fail "first left: $(head -n 1 "$TMP/list")"
}

row 07 "a peeked packet, and change() counts it (CVE-2025-39677, CVE-2025-37992)"
test_row_07() {
	forwarded
	stuck
	send -n 2 -l 1000
	qdisc change dev tx0 parent 1:1 reframer limit 1
	show
	expect '.q.qlen == 2 and .qs[0].qlen == 2' '.qs[0].backlog == 2500'
	qdisc change dev tx0 parent 1:1 reframer memory_limit 1
	show
	expect '.q.qlen == 1 and .qs[0].qlen == 1' '.qs[0].backlog == 1500'
	qdisc change dev tx0 parent 1:1 reframer memory_limit 2
	qdisc del dev tx0 parent 1:1
	show
	expect '.qs[0].qlen == 0 and .qs[0].backlog == 0'
}

row 08 "the packet just enqueued is dropped, in nested parents (CVE-2025-38350)"
test_row_08() {
	local kind inner limits

	for kind in drr hfsc qfq; do
		inner=$kind
		[ $kind != hfsc ] || inner="hfsc sc rate 1gbit"
		for limits in "memory_limit 1" "limit 2 memory_limit 3000"; do
			tree $kind delay 1ms
			WHAT+=", $limits"
			tell "qdisc replace dev tx0 parent 1:1 handle 30: $kind
				class add dev tx0 parent 30: classid 30:1 $inner
				filter add dev tx0 parent 30: matchall classid 30:1
				qdisc add dev tx0 parent 30:1 handle 31: reframer $ALWAYS delay 1ms $limits"
			send -p 1:1 -F 4 -n 8 -o random
			wait_drained
			expect root_empty all_accounted
			class del dev tx0 classid 1:1
			pass 1:2
			fell
		done
	done
}

row 09 "success although packets of the own flow were lost (CVE-2025-39766)"
test_row_09() {
	local kind limits

	for kind in qfq drr; do
		for limits in "limit 1" "memory_limit 1" "memory_limit 3000"; do
			tree $kind delay 1ms "$limits"
			send -p 1:1 -n 20
			send -p 1:1 -F 4 -n 5
			wait_drained
			expect root_empty all_accounted
			pass 1:2
			fell
		done
	done
}

# refused OPTIONS...
refused() {
	! "$TC" -n "$TX" qdisc add dev tx0 root handle 9: reframer "$@" 2>/dev/null ||
		fail "accepted: $*"
}

row 10 "limits of 0 and 1, also derived (CVE-2024-57996, CVE-2025-37752)"
test_row_10() {
	local option values value
	local numbers=("limit 1 2 7" "memory_limit 1 2 2000" "burst 1 2 65535"
		"burst_bytes 256" "flows 8")

	for option in limit memory_limit burst burst_bytes flows; do
		# shellcheck disable=SC2086 # words
		refused $option 0
	done
	for values in "${numbers[@]}"; do
		option=${values%% *}
		for value in ${values#* }; do
			tiny "$option $value"
		done
	done
	tiny "limit 1 memory_limit 1 burst 1 burst_bytes 256 flows 8"
	tiny "limit 1 burst 65535 burst_bytes 16777216 flows 8"
	tiny "limit 4294967295 memory_limit 2147483648 burst 1 flows 65536"
}

tiny() {
	local seq=$RANDOM

	WHAT=$*
	forwarded
	throttled delay 1ms "$ALWAYS" "$*"
	CAPTURE_AT="$TX tx0" capture
	send -F 4 -n 10 -o random -S $seq
	wait_drained
	arrived
	expect in_order accounted empty_now '.cap.packets + drops == .gen.packets'
	qdisc del dev tx0 root
}

row 11 "overflow of times and sizes (CVE-2025-38193, netem slot)"
test_row_11() {
	local options

	refused delay 100000001ns
	refused delay 4294967295ns
	refused delay 1ms slack 1000001ns
	# a clock of 32 bits, in ns, has wrapped around
	! virtual_time || pause 4.5
	for options in "delay 0|0" "delay 1ns slack 0|1" "delay 1ns slack 1ns|0" \
		"delay 99999999ns slack 0|99999999" "delay 100ms slack 100ms|50000000" \
		"delay 100ms slack 1ns burst 65535 burst_bytes 16mb|99999999"; do
		WHAT=${options%|*}
		# shellcheck disable=SC2086 # words
		reframer ${options%|*} $ALWAYS
		CAPTURE_AT="$TX tx0" capture
		send -x 0@0,1@20000000,2@40000000
		wait_drained
		arrived
		expect in_order accounted empty_now '.cap.packets == 3' \
			".cap.hold_ns.min >= ${options#*|}" \
			'.r.hold.late_max_ns < 80000000'
		qdisc del dev tx0 root
	done
}

two_cpus() { [ "$(nproc)" -gt 1 ] || skip "needs two CPUs: scripts/guests/vm"; }

row 12 "change() races with dequeue (CVE-2025-38083, CVE-2025-38107, CVE-2025-38108)"
test_row_12() {
	local seconds=${QDISC_BUGS_SECONDS:-3} pids=() cpu end config lines="" n=0

	two_cpus
	for config in "delay 100us slack 0 limit 20" "limit 10240 key src" \
		"key flow memory_limit 20kb" "memory_limit 32mb burst 2" \
		"burst 64 delay 0" "delay 1ms slack 1ms"; do
		lines+="qdisc change dev tx0 root reframer $config"$'\n'
	done
	reframer "$ALWAYS"
	capture
	for cpu in 0 1; do
		nsenter --net="/run/netns/$TX" "$FLOWGEN" -C $cpu -i tx0 -F 64 -n 4 \
			-f $((cpu * 100)) -t $((seconds * 1000)) >/dev/null &
		pids+=($!)
	done
	end=$((SECONDS + seconds))
	while [ $SECONDS -lt $end ]; do
		# as many as possible, because KCSAN only samples
		tell "$lines$lines$lines$lines$lines"
		show
		n=$((n + 30))
	done
	wait "${pids[@]}"
	wait_drained
	arrived
	expect accounted empty_now
	diag "$n changes"
	[ $n -gt 10 ] || fail "only $n changes"
	timely '.r.packets_in > 1000' '.r.drops.change > 0'
}

row 13 "netem duplicates above and beside (CVE-2025-37890, CVE-2025-38001)"
test_row_13() {
	local kind limits

	forwarded
	# netem above: every packet comes twice; all are sent, or all are dropped
	for limits in "limit 1000|0" "memory_limit 1|64"; do
		WHAT="netem, ${limits%|*}"
		tell "qdisc add dev tx0 root handle 1: netem duplicate 100%
			qdisc add dev tx0 parent 1:1 handle 10: reframer delay 1ms $ALWAYS ${limits%|*}"
		send -F 8 -n 4
		wait_drained
		expect root_empty all_accounted '.r.packets_in == 64' \
			"drops == ${limits#*|}"
		qdisc del dev tx0 root
	done
	# netem beside: it enqueues the copy at the root
	for kind in drr qfq hfsc htb ets; do
		tree $kind delay 1ms
		tell "qdisc replace dev tx0 parent 1:1 handle 40: netem duplicate 100%"
		send -p 1:1 -F 8 -n 4
		send -p 1:2 -F 8 -n 4
		wait_drained
		expect root_empty all_accounted '.r.packets_in == 32'
		class_can_go $kind
		pass 1:2
		fell
	done
}

# refused_graft COMMAND: the kernel refuses it with a message
refused_graft() {
	! "$TC" -n "$TX" qdisc "$@" 2>"$TMP/err" || fail "accepted: $*"
	[ -s "$TMP/err" ] || fail "refused without a message: $*"
}

row 14 "moving a child, classid ffff:ffff (CVE-2025-21700, CVE-2025-21971)"
test_row_14() {
	local kind parent flows

	for kind in drr hfsc qfq; do
		tree $kind delay 100ms
		hold_in 1:1
		refused_graft replace dev tx0 parent 1:2 handle 10: reframer
		refused_graft replace dev tx0 parent 1:2 handle 10:
		for parent in 10:1 10: 10:ffff 1:9; do
			refused_graft add dev tx0 parent $parent pfifo
		done
		! "$TC" -n "$TX" class add dev tx0 parent 10: classid 10:1 reframer \
			2>/dev/null || fail "a class of reframer was made"
		show
		expect '.q.parent == "1:1"' 'accounted and drops == 0'
		wait_drained
		pass 1:2 1:1
		fell
	done
	# the last possible class, and one that does not exist
	for flows in 65536 8; do
		WHAT="class ffff:ffff of $flows"
		tell "qdisc add dev tx0 root handle ffff: reframer delay 1ms $ALWAYS flows $flows
			filter add dev tx0 parent ffff: matchall classid ffff:ffff"
		CAPTURE_AT="$TX tx0" capture
		send -F 8 -n 4
		"$TC" -n "$TX" class show dev tx0 >/dev/null
		wait_drained
		arrived
		expect complete accounted empty_now
		qdisc del dev tx0 root
	done
}

# below PARENT LEAF...: a tbf, which peeks, with this parent below it and the leaf below
# that; true if all packets are sent
below() {
	local parent=$1 sent tries

	shift
	tell "qdisc add dev tx0 root handle 1: tbf rate 1mbit burst 1600b limit 1mb
		qdisc add dev tx0 parent 1: handle 2: $parent
		qdisc add dev tx0 parent 2:1 handle 3: $*"
	CAPTURE_AT="$TX tx0" capture
	send -F 4 -n 8
	for ((tries = 0; tries < 40; tries++)); do
		! drained || break
		pause 0.05
	done
	arrived
	sent=${CAP#*'"packets":'}
	sent=${sent%%,*}
	qdisc del dev tx0 root
	[ "$sent" = 32 ]
}

row 15 "a parent peeks, then dequeues (CVE-2026-43496)"
test_row_15() {
	local parent failed=()

	for parent in "red limit 1mb min 400kb max 800kb avpkt 1000" sfb prio multiq; do
		WHAT=$parent
		if [ "$parent" = multiq ]; then
			unpair
			QUEUES=2
			pair
		fi
		below "$parent" reframer delay 1ms "$ALWAYS" && continue
		# if packets of another leaf stay, too, the bug is the parent's
		! below "$parent" fq_codel ||
			fail "packets stay below $parent"
		failed+=("$parent")
	done
	unpair
	[ ${#failed[@]} = 0 ] || skip "this kernel's ${failed[*]} has the bug"
}

row 16 "a change that fails harms what is there (CVE-2026-22976, CVE-2026-22999, CVE-2026-23105)"
test_row_16() {
	local bad

	tree qfq delay 100ms
	hold_in 1:1
	for bad in "weight 4096" "weight 0" "maxpkt 1"; do
		! "$TC" -n "$TX" class change dev tx0 classid 1:1 qfq "${bad% *}" "${bad#* }" 2>/dev/null || true
	done
	for bad in "burst 0" "limit 1 flows 2048" "limit 1 burst 0" "limit 1 slack 101ms"; do
		# shellcheck disable=SC2086 # words
		! "$TC" -n "$TX" qdisc change dev tx0 parent 1:1 reframer $bad 2>/dev/null ||
			fail "accepted: $bad"
	done
	show
	expect '.q.options.limit == 10240' 'accounted and drops == 0'
	wait_drained
	pass 1:1 1:2
	fell
}

row 17 "peek or dequeue drops, and tells the parent (fixes of 7.x)"
test_row_17() {
	local dropped

	throttled delay 1ms limit 200 "$ALWAYS"
	send -F 8 -n 40 -o random
	show
	dropped=${QS##*'"drops":{"limit":'}
	dropped=${dropped%%,*}
	if ! [ "$dropped" -gt 0 ]; then
		too_slow "drops at first"
		fail "nothing was dropped at first"
	fi
	wait_drained
	expect accounted empty_now root_empty \
		"drops == $dropped and .r.packets_out == .r.packets_in - $dropped"
	qdisc del dev tx0 root
	# the parent enqueues while the last packet is peeked and the queue empty
	tree qfq delay 0
	pass 1:1 1:2
	fell
}

row 18 "destroy() of what is half made"
test_row_18() {
	local i bad

	for bad in "burst 0" "delay 200ms" "slack 65us" "flows 7" "limit 0"; do
		for ((i = 0; i < 5; i++)); do
			# shellcheck disable=SC2086 # words
			refused $bad
		done
	done
	tree drr delay 1ms
	! "$TC" -n "$TX" qdisc replace dev tx0 parent 1:1 handle 11: reframer flows 7 \
		2>/dev/null || fail "accepted: flows 7"
	pass 1:1 1:2
	fell
}

row 19 "the watchdog fires on a freed qdisc"
test_row_19() {
	local i

	for ((i = 0; i < 10; i++)); do
		reframer delay 20ms "$ALWAYS"
		send -F 8 -n 2
		qdisc del dev tx0 root
	done
	pause 0.1
	# deleted with its parent, and with the device
	for ((i = 0; i < 5; i++)); do
		tree drr delay 20ms
		send -p 1:1 -F 8 -n 2
		qdisc del dev tx0 root
	done
	reframer delay 20ms "$ALWAYS"
	send -F 8 -n 2
	unpair
	pause 0.1
	pair
	reframer delay 20ms "$ALWAYS"
	send -F 8 -n 2
	ip -n "$TX" link set dev tx0 down
	qdisc del dev tx0 root
	rmmod sch_reframer || fail "the module cannot be removed"
	pause 0.1
	load_reframer
	ip -n "$TX" link set dev tx0 up
	unpair
}

row 20 "reset() leaves links behind"
test_row_20() {
	local resets=0 tries=0 before=0 sent

	reframer delay 100ms "$ALWAYS" flows 8
	while [ $resets -lt 3 ]; do
		# with shared slots, and one flow that has sent half a burst
		ip_start -n "$TX"
		holding 64 -F 16 -n 4
		ip_run link set dev tx0 down
		show
		expect accounted empty_now
		ip -n "$TX" link set dev tx0 up
		# on a slow machine the packets may have left already
		if [[ $QS == *'"reset":'$((before + 64)),* ]]; then
			resets=$((resets + 1)) before=$((before + 64))
		elif [[ $QS != *'"reset":'$before,* ]]; then
			fail "not $((before + 64)) packets were reset: $QS"
		elif [ $((tries++)) = 10 ]; then
			too_slow "packets to be reset"
			fail "no packets were reset: $QS"
		fi
	done
	ip -n "$TX" neigh replace 10.0.2.2 lladdr $MAC_RX dev tx0 nud permanent
	sent=${QS#*'"packets_out":'}
	sent=${sent%%,*}
	qdisc change dev tx0 root reframer delay 1ms
	CAPTURE_AT="$TX tx0" capture
	send -F 16 -n 20 -o random
	wait_drained
	arrived
	expect complete accounted empty_now ".r.packets_out - $sent == 320"
}

row 21 "a packet of many segments is counted as one here, as many there"
test_row_21() {
	local leaf

	ip -n "$TX" link set dev tx0 gso_max_size 32768
	for leaf in "delay 64us" "delay 64us limit 3" "delay 0 memory_limit 60kb"; do
		WHAT="tbf, $leaf"
		tell "qdisc add dev tx0 root handle 1: tbf rate 1gbit burst 4000b limit 1mb
			qdisc add dev tx0 parent 1:1 handle 10: reframer $ALWAYS $leaf"
		transfer 300000
		expect root_empty all_accounted
		qdisc del dev tx0 root
		WHAT="qfq, $leaf"
		tell "qdisc add dev tx0 root handle 1: qfq
			class add dev tx0 parent 1: classid 1:1 qfq weight 1 maxpkt 40000
			qdisc add dev tx0 parent 1:1 handle 10: reframer $ALWAYS $leaf
			filter add dev tx0 parent 1: matchall classid 1:1"
		transfer 300000
		expect root_empty all_accounted
		timely '.q.packets > 2 * .r.packets_out'
		qdisc del dev tx0 root
	done
}

row 22 "large allocations at init (cake)"
test_row_22() {
	local i lines="qdisc add dev tx0 root handle 1: mq"

	unpair
	QUEUES=64
	pair
	for ((i = 1; i <= 64; i++)); do
		lines+=$'\n'"qdisc replace dev tx0 parent 1:$(printf %x $i) reframer flows 4096"
	done
	tell "$lines"
	show
	expect '[.qs[] | select(.kind == "reframer")] | length == 64'
	# 4 MB of slots
	qdisc replace dev tx0 parent 1:1 handle 2: reframer flows 65536
	qdisc del dev tx0 root
	unpair
}

# longest_hold: print how long a qdisc's lock was held, if the kernel measures it
longest_hold() {
	[ -e /proc/lock_stat ] || return 0
	diag "$(awk 'NF == 13 && /^ *&sch->/ && $11 > max { max = $11 }
		END { print "a lock was held for", int(max), "us at most" }' /proc/lock_stat)"
}

row 23 "work for all flows under the lock"
test_row_23() {
	# All flows become due while the parent has no tokens.  Then it gets tokens for a
	# few packets: no more flows than those may be released.
	stuck limit 100000 flows 65536 memory_limit 2gb
	send -F 20000 -n 1 -o random
	pause 0.01
	[ ! -e /proc/lock_stat ] || echo 0 >/proc/lock_stat
	qdisc change dev tx0 root tbf rate 100bit burst 3000b limit 100mb
	send -f 70000
	longest_hold
	show
	expect '.q.qlen > 19000 and .r.packets_out > 3' \
		'released <= .r.packets_out + 8'
}

# requeuing GAP: make tx0 a device with a ring of 4 packets.  BQL lets the core dequeue ten
# packets of 100 bytes at once, so it requeues the others.
requeuing() {
	slow_device 4 "$1" bql=1
	ip netns exec "$TX" bash -c 'cd /sys/class/net/tx0/queues/tx-0/byte_queue_limits
		echo 1000 | tee limit_min >limit_max'
}

# fill_ring KIND...: send more packets than the ring of rx0 takes, while the thread that
# empties it gets no CPU
fill_ring() {
	qdisc add dev tx0 root handle 1: "$@"
	capture
	GEN=$(in_tx taskset -c 0 "$FLOWGEN" -i tx0 -F 8 -n 200 -o random)
	wait_drained
	arrived
	diag "$1: $(jq -c .[0].requeues <<<"$QS") requeues"
}

starve_receiver() {
	local pid

	in_tx ethtool -K tx0 tso off
	ip netns exec "$RX" bash -c 'echo 1 >/sys/class/net/rx0/threaded'
	pid=$(pgrep -f 'napi/rx0-')
	chrt -i -p 0 "$pid"
	taskset -pc 0 "$pid" >/dev/null
}

has_requeued() {
	show
	[[ $QS =~ \"requeues\":[1-9] ]]
}

row 24 "a requeued packet goes behind its successors"
test_row_24() {
	local seen

	requeuing 500
	reframer delay 1ms slack 1ms "$ALWAYS"
	CAPTURE_AT="$TX tx0" capture
	# more packets come while requeued ones wait
	send -F 8 -n 40 -o random -g 200000
	wait_drained
	arrived
	expect complete accounted empty_now
	timely '.q.requeues > 10'

	# requeued packets are in qlen, but change() cannot drop them, as in row 7
	requeuing 20000
	reframer delay 1ms slack 1ms "$ALWAYS"
	CAPTURE_AT="$TX tx0" capture
	send -F 8 -n 40 -o random
	wait_for "packets are requeued" has_requeued
	qdisc change dev tx0 root reframer limit 1
	show
	timely '.q.requeues > 0 and .q.qlen > 1' \
		'.r.packets_in == .r.packets_out + drops + 1'
	wait_drained
	arrived
	expect in_order accounted empty_now '.cap.packets == .r.packets_out'
	timely '.r.drops.change > 200'
	unpair

	# 6.1: veth drops packets when its ring is full; newer kernels requeue them
	pair
	starve_receiver
	fill_ring pfifo limit 10000
	seen=$(jq .[0].requeues <<<"$QS")
	qdisc del dev tx0 root
	fill_ring reframer delay 1ms slack 1ms "$ALWAYS"
	expect '.cap.lost == 0 and .cap.reordered == 0 and .cap.duplicates == 0' \
		accounted empty_now
	[ "$seen" = 0 ] || expect complete '.q.requeues > 0'
	unpair
}

run_tests "$@"
