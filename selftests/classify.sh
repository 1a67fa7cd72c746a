#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Classification: flows by key, by filters and by skb->priority; actions of filters;
# classes.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

MATCHALL="protocol ip matchall"
# u32 keys, in the IP packets of flowgen: odd packets of every flow, odd flows
ODD_PACKETS="match u32 1 1 at 36"
ODD_FLOWS="match u32 1 1 at 12"

# Delete the stuck qdisc.
free() { qdisc del dev tx0 root; }

filter() { tell "filter $*"; }

# filters PARENT FILTER...: add them, to be tried in this order
filters() {
	local parent=$1 filter lines="" prio=0

	shift
	for filter; do
		prio=$((prio + 1))
		lines+="filter add dev tx0 parent $parent prio $prio $filter"$'\n'
	done
	tell "${lines%$'\n'}"
}

# classes: LIST becomes a JSON array of reframer's classes.  Older versions of tc print
# them as text only.
classes() {
	LIST=$("$TC" -n "$TX" -s class show dev tx0 | awk '
		BEGIN {
			ns["s"] = 1e9; ns["ms"] = 1e6; ns["us"] = 1e3; ns["ns"] = 1
			printf "["
		}
		$1 == "class" { handle = $3 }
		$1 == "backlog" { backlog = $2 + 0; qlen = $3 + 0 }
		$1 == "flow" {
			unit = $4
			gsub(/[0-9.]/, "", unit)
			printf "%s{\"handle\":\"%s\",\"backlog\":%d,", comma, handle, backlog
			printf "\"qlen\":%d,\"state\":\"%s\",\"age\":", qlen, $2
			printf $3 == "age" ? "%.0f}" : "null}", $4 * ns[unit]
			comma = ","
		}
		END { print "]" }')
}

# eight_flows [ARGUMENTS...]: send 4 packets of 100 bytes of each; LIST becomes the classes
eight_flows() {
	send -F 8 -n 4 "$@"
	show
	classes
	expect '.gen.packets == 32 and .gen.refused == 0' '.r.packets_in == 34'
}

# Conditions: all packets in class 10:MINOR, or in as many flows as the key makes
ALL_IN='(.list | length == 1) and (.list[0] | .qlen == 32 and .backlog == 3200) and
	.list[0].handle'
BY_KEY='(.list | length == 8) and all(.list[]; .qlen == 4 and .backlog == 400) and
	([.list[].handle] | unique | length == 8)'

# Packets of 17 flows.  Four sources send to two hosts, a fifth one three ways to the
# first of these, and four more to a third host by IPv6.
offer() {
	send -F 4 -n 2
	send -F 4 -n 2 -S 2 -d 10.0.2.3
	send -F 4 -n 2 -k ip6.udp
	# shellcheck disable=SC2016 # for the inner shell
	in_tx bash -c 'for port in 7 9; do
			exec 3<>/dev/udp/10.0.2.2/$port 4<>/dev/udp/10.0.2.2/$port
			echo >&3; echo >&4; echo >&3
		done'
	nsenter --net="/run/netns/$TX" bash -c 'exec 3<>/dev/tcp/10.0.2.2/9' &
	wait_for "all packets are there" offered 33
}

offered() {
	show
	[[ $QS == *"\"packets_in\":$1,"* ]]
}

test_keys() {
	for WHAT in flow:17 src:9 dst:3 hosts:13 proto-dst:3 mark:1; do
		stuck key ${WHAT%:*}
		offer
		classes
		expect ".list | length == ${WHAT#*:}" \
			'([.list[].handle] | unique | length) == (.list | length)' \
			'([.list[].qlen] | add) == .q.qlen - 1' \
			'.r.collisions == 0'
		kill $!
		free
	done
}

# IPv6 addresses whose words have the same sum are different sources.
test_key_whole_addresses() {
	for WHAT in src hosts; do
		stuck key $WHAT
		eight_flows -k ip6twin.udp
		expect "$BY_KEY"
		free
	done
}

# The key works behind VLAN tags, too.
test_keys_behind_tags() {
	local kind key

	for kind in vlan.ip4.udp vlan.ip6.tcp qinq.vlan.ip4.tcp qinq.vlan.ip6.udp; do
		for key in flow src hosts; do
			WHAT="$kind key $key"
			stuck key $key
			eight_flows -k $kind
			expect "$BY_KEY"
			free
		done
		for key in dst proto-dst; do
			WHAT="$kind key $key"
			stuck key $key
			eight_flows -k $kind
			expect '.list | length == 1 and .[0].qlen == 32'
			free
		done
	done
}

# The slots of flows in one qdisc do not reveal those in another one.
test_keys_have_a_secret() {
	local first n

	for WHAT in src dst hosts proto-dst mark; do
		first=
		for n in 1 2 3 4 5; do	# one flow may have the same slot by chance
			stuck key $WHAT
			send -F 8 -n 1
			show
			classes
			free
			LIST=$(jq -c '[.[].handle] | sort' <<<"$LIST")
			[ "$n" = 1 ] || [ "$LIST" = "$first" ] || continue 2
			first=$LIST
		done
		fail "five times in $first"
	done
}

test_key_mark() {
	stuck key mark
	filters 10: "protocol ip u32 $ODD_FLOWS action skbedit mark 7" \
		"$MATCHALL action skbedit mark 8"
	send -F 8 -n 4
	show
	classes
	expect '(.list | length == 2) and all(.list[]; .qlen == 16)'
}

# Packets that are queued when the key changes leave first, flow by flow.
test_key_change() {
	stuck
	eight_flows
	qdisc change dev tx0 parent 1:1 reframer key flow limit 10000
	show
	expect '.r.flows.held == 8 and .r.releases.pressure == 0'
	qdisc change dev tx0 parent 1:1 reframer key dst
	send -F 8 -n 4 -S 4
	show
	classes
	expect '.r.flows.held == 1 and .r.flows.ready == 1' \
		'.r.releases.pressure == 8' '.list | length == 1 and .[0].qlen == 32'
	capture
	qdisc change dev tx0 root tbf rate 100mbit burst 100kb limit 1mb
	send -f 999 -S 2
	wait_drained
	arrived
	expect in_order accounted empty_now '.cap.packets == 1 + 32 + 32 + 1' \
		'.cap.runs == 1 + 8 + 32 + 1'
}

# Each kind of filter, behind one that does not match
test_filters_choose_the_class() {
	for WHAT in "$MATCHALL" "protocol ip flower src_ip 10.128.0.0/24" \
		     "protocol ip u32 match ip src 10.128.0.0/24" \
		     "protocol ip basic match u32(u32 0x0a800000 0xffffff00 at 12)" \
		     "bpf bytecode \"1,6 0 0 4294967295,\""; do
		stuck
		filters 10: "protocol ip u32 match ip src 10.9.9.9 classid 10:6" \
			"$WHAT classid 10:5"
		eight_flows
		expect "$ALL_IN == \"10:5\"" \
			'.list[0] | .state == "held"'
		free
	done
}

# 10:400 is the last of 1024 slots
test_the_last_class() {
	stuck
	filters 10: "$MATCHALL classid 10:400"
	eight_flows
	expect "$ALL_IN == \"10:400\""
	free
	stuck flows 8
	filters 10: "$MATCHALL classid 10:8"
	eight_flows
	expect "$ALL_IN == \"10:8\""
}

test_no_match_goes_by_the_key() {
	for WHAT in "protocol ip u32 match ip src 10.9.9.9 classid 10:5" \
		      "protocol arp matchall classid 10:5" \
		      "$MATCHALL classid 1:5" "$MATCHALL classid 2:5" \
		      "$MATCHALL classid 10:401" "$MATCHALL classid 10:ffff" \
		      "$MATCHALL classid 10:" "$MATCHALL classid 10:5 action continue" \
		      "bpf bytecode \"1,6 0 0 0,\" classid 10:5" \
		      "bpf bytecode \"1,6 0 0 0,\" direct-action"; do
		stuck
		filters 10: "$WHAT"
		eight_flows
		expect "$BY_KEY"
		free
	done
}

# One flow in a class, the others by the key.  The class is in a set of slots that none of
# the others use.
test_a_filter_for_some() {
	local class

	stuck
	eight_flows
	class=$(jq -r 'map(.handle[3:] | explode | reduce .[] as $c (0; . * 16 +
			$c - if $c > 57 then 87 else 48 end) | (. - 1) / 8 | floor) |
		[range(9)] - . | .[0] * 8 + 1' <<<"$LIST")
	class=10:$(printf %x "$class")
	free
	stuck
	filters 10: "protocol ip flower src_ip 10.128.0.3 classid $class"
	eight_flows
	expect "$BY_KEY" "any(.list[]; .handle == \"$class\")"
}

# A flow and a class with the same slot share it.
test_class_and_flow_collide() {
	local i

	stuck flows 8
	eight_flows
	expect "$BY_KEY"
	for i in 1 2 3 4 5 6 7 8; do
		send -p 10:$i -S 4 -n 1 -f $((100 + i))
	done
	show
	classes
	expect '(.list | length == 8) and all(.list[]; .qlen == 5)' \
		'.r.collisions == 8' '[.list[].handle] | unique | length == 8'
}

test_priority_chooses_the_class() {
	stuck
	eight_flows -p 10:5
	expect "$ALL_IN == \"10:5\""
	free
	# set by an action
	stuck
	filters 10: "$MATCHALL action skbedit priority 10:5"
	eight_flows
	expect "$ALL_IN == \"10:5\""
	free
	# a filter comes before the priority
	stuck
	filters 10: "$MATCHALL classid 10:6"
	eight_flows -p 10:5
	expect "$ALL_IN == \"10:6\""
}

test_priority_of_others_goes_by_the_key() {
	for WHAT in 1:5 2:5 0:5 10:401 10:0; do
		stuck
		eight_flows -p $WHAT
		expect "$BY_KEY"
		free
	done
}

# Default qdiscs below mq have no handle.
test_priority_without_a_handle() {
	local default=/proc/sys/net/core/default_qdisc

	unpair
	QUEUES=2
	pair
	# shellcheck disable=SC2064 # now
	trap "echo $(<$default) >$default; cleanup" EXIT
	echo reframer >$default
	qdisc add dev tx0 root handle 1: mq
	capture
	send -F 8 -n 4 -p 0:5
	wait_drained
	arrived
	expect complete '[.qs[].reframer.packets_in // 0] | add == 32' \
		'[.qs[].reframer.runs_in // 0] | add > 2'
	unpair
}

# TC_PRIO_CONTROL is not held, and releases the packets of its flow.
test_priority_7_is_control() {
	reframer delay 100ms "$ALWAYS"
	filters 1: "protocol ip u32 match u32 2 0xffffffff at 36 action skbedit priority 7"
	capture
	send -F 2 -n 2 -w 0:3
	wait_drained
	arrived
	expect complete accounted '.cap.runs == 2' \
		'.r.releases.control == 1 and .r.releases.deadline == 1'
}

# actions_of VERDICT...: filters for all packets with these actions, and eight_flows()
actions_of() {
	stuck
	filters 10: "$@"
	eight_flows
}

test_actions_that_pass() {
	for WHAT in ok pass pipe "skbedit mark 1 pipe" "skbedit mark 1 ok" \
		      "pipe action pass" "ok action drop"; do
		actions_of "$MATCHALL classid 10:5 action $WHAT"
		expect "$ALL_IN == \"10:5\""
		free
	done
	actions_of "$MATCHALL action goto chain 1" \
		"chain 1 $MATCHALL classid 10:6"
	expect "$ALL_IN == \"10:6\""
}

OFFERED='.gen.packets == .q.packets + .q.drops + .r.stolen + .q.qlen'

# none_passes FILTER: no packet is queued, and all are accounted for.  reframer counts the
# same drops as fq_codel.
none_passes() {
	WHAT=$1
	qdisc add dev tx0 root handle 1: fq_codel
	filters 1: "$1"
	send -F 4 -n 8
	show
	expect '.gen.refused == 0 and .qs[0].packets == 0'
	qdisc del dev tx0 root
	DROPS=$(jq '.[0].drops' <<<"$QS")
	reframer delay 100ms "$ALWAYS"
	filters 1: "$1"
	send -F 4 -n 8
	show
	expect accounted empty_now "$OFFERED" \
		'.gen.refused == 0 and .r.packets_in == 0' ".q.drops == $DROPS" \
		".r.drops.filter == $DROPS and .r.stolen == 32 - $DROPS"
	# and without the filter, all packets pass again
	tell "filter del dev tx0 parent 1:"
	capture
	send -F 4 -n 8 -S 8
	wait_drained
	arrived
	expect in_order accounted empty_now '.cap.packets == 32' \
		'.r.packets_out == 32 and .r.drops.filter + .r.stolen == 32'
	qdisc del dev tx0 root
}

test_actions_that_drop() {
	local action

	# reclassify, in an endless loop
	for action in drop reclassify; do
		none_passes "$MATCHALL classid 1:5 action $action"
		[ "$DROPS" = 32 ] || fail "fq_codel drops $DROPS"
	done
	# direct-action: TC_ACT_SHOT, REDIRECT (which is not possible here)
	none_passes 'bpf bytecode "1,6 0 0 2," direct-action'
	[ "$DROPS" = 32 ] || fail "fq_codel drops $DROPS"
}

# If fq_codel does not queue packets that a filter redirects, neither does reframer.
test_actions_that_steal() {
	local action

	none_passes "$MATCHALL classid 1:5 action trap"
	[ "$DROPS" = 0 ] || fail "fq_codel drops $DROPS"
	# TC_ACT_STOLEN, TRAP
	for action in 4 8; do
		none_passes "bpf bytecode \"1,6 0 0 $action,\" direct-action"
		[ "$DROPS" = 0 ] || fail "fq_codel drops $DROPS"
	done
}

test_some_are_dropped() {
	reframer delay 100ms "$ALWAYS"
	filters 1: "protocol ip u32 $ODD_PACKETS action drop"
	capture
	send -F 4 -n 8
	wait_drained
	arrived
	expect in_order accounted empty_now \
		'.cap.packets == 16 and .cap.missing == 12 and .cap.runs == 4' \
		'.r.drops.filter == 16 and drops == 16 and .r.packets_in == 16'
}

# dummy NAME: a device for the rest of the test.  Its name must be new, because tc
# remembers the number of a device.
dummy() {
	ip -n "$TX" link add "$1" up type dummy
	# shellcheck disable=SC2064 # now
	trap "ip -n $TX link del $1; cleanup" EXIT
}

# Packets arrive at the other device once; reframer does not count redirected ones.
test_mirred() {
	dummy dum0
	CAPTURE_AT="$TX dum0"
	reframer delay 100ms "$ALWAYS"
	filters 1: "$MATCHALL action mirred egress redirect dev dum0"
	capture
	send -F 4 -n 8
	arrived
	show
	expect complete accounted empty_now \
		'.r.packets_in == 0 and .r.stolen == 32 and .q.drops == 0'
	qdisc del dev tx0 root

	reframer delay 100ms "$ALWAYS"
	filters 1: "$MATCHALL action mirred egress mirror dev dum0"
	capture
	send -F 4 -n 8
	wait_drained
	arrived
	expect complete accounted empty_now \
		'.r.packets_out == 32 and drops == 0 and .cap.runs == .gen.runs'
}

# Packets that a filter rejects must not be in the parent's counters either.
test_parents_of_a_dropping_filter() {
	local kind action lost

	dummy dum1
	for kind in drr "htb rate 1gbit quantum 20000" "hfsc sc rate 1gbit" \
		    "qfq weight 1" prio; do
		for action in drop "mirred egress redirect dev dum1"; do
			WHAT="$kind $action"
			lost=.r.stolen
			[ "$action" != drop ] || lost=.r.drops.filter
			tell "qdisc add dev tx0 root handle 1: ${kind%% *}"
			[ "$kind" = prio ] || tell "class add dev tx0 parent 1: classid 1:1 $kind"
			tell "qdisc add dev tx0 parent 1:1 handle 10: reframer delay 1ms $ALWAYS"
			filters 10: "protocol ip u32 $ODD_PACKETS action $action"
			capture
			# with the class empty, and with packets in it
			send -p 1:1 -F 4 -n 1 -S 1
			show
			expect '.qs[0].qlen == 0 and .qs[0].backlog == 0'
			send -p 1:1 -F 4 -n 8 -S 2
			wait_drained
			arrived
			expect in_order accounted empty_now \
				".cap.packets == 16 and $lost == 20" 'drops + .r.stolen == 20' \
				'.qs[0].qlen == 0 and .qs[0].backlog == 0'
			# delete the class: the other one still works
			[ "$kind" = prio ] || class del dev tx0 classid 1:1
			free
		done
	done
}

# two_or_three: a list for flowgen -x: 40 flows with 3 packets and 60 with 2
two_or_three() {
	local packet flow at=0

	for packet in 1 2 3; do
		for ((flow = 0; flow < (packet < 3 ? 100 : 40); flow++)); do
			echo -n "$flow@$((at++)),"
		done
	done
}

test_classes_are_the_flows() {
	local age

	reframer delay 100ms slack 100ms "$ALWAYS"
	classes
	expect '.list == []'
	holding 40 -F 20 -n 2
	wait_drained
	classes
	expect '.list == []'
	free

	stuck burst 3
	classes
	expect '.list == []'
	send -F 100 -n 2
	show
	classes
	expect '(.list | length) == .r.flows.held + .r.flows.ready' \
		'.list | length == 100' '[.list[].handle] | unique | length == 100' \
		'all(.list[]; .qlen == 2 and .backlog == 200 and
			.state == "held" and .age >= 0)'
	age=$(jq '[.[].age] | max' <<<"$LIST")
	pause 0.02
	classes
	expect "[.list[].age] | max >= $age + 19000000"
	free

	# some flows are full before they are due
	stuck burst 3
	qdisc change dev tx0 parent 1:1 reframer delay 99200us
	send -x "$(two_or_three)"
	show
	classes
	timely '.r.flows.ready == 40 and (.list | length) == 100' \
		'[.list[] | select(.state == "ready")] |
			length == 40 and all(.[]; .qlen == 3 and .age == null)' \
		'[.list[] | select(.state == "held")] |
			length == 60 and all(.[]; .qlen == 2 and .age >= 0)'
}

test_classes_as_json() {
	stuck
	eight_flows -p 10:5
	LIST=$("$TC" -n "$TX" -s -j class show dev tx0)
	[[ $LIST == "["* ]] || skip "this tc prints classes as text only"
	expect '.list | map(select(.class == "reframer")) | length == 1 and
		(.[0] | .handle == "10:5" and
			(.stats | .qlen == 32 and .backlog == 3200 and
				(.reframer | keys == ["age_ns", "state"] and
					.state == "held" and
					(.age_ns | type == "number"))))'
	# they are full now, and have no deadline
	qdisc change dev tx0 parent 1:1 reframer burst 8
	LIST=$("$TC" -n "$TX" -s -j class show dev tx0)
	expect '.list | map(select(.class == "reframer")) |
		.[0].stats.reframer == { state: "ready" }'
}

# Only packets make classes and remove them: the commands fail with a message and change
# nothing.
test_what_classes_cannot_do() {
	local bad before

	stuck
	eight_flows -p 10:5
	before=$QS
	for bad in "class add dev tx0 parent 10: classid 10:7 reframer" \
		   "class change dev tx0 parent 10: classid 10:5 reframer" \
		   "class replace dev tx0 parent 10: classid 10:5 reframer" \
		   "class del dev tx0 classid 10:5" "class del dev tx0 classid 10:7" \
		   "qdisc add dev tx0 parent 10:5 handle 50: pfifo" \
		   "qdisc replace dev tx0 parent 10:5 handle 50: reframer" \
		   "qdisc del dev tx0 parent 10:5" \
		   "filter add dev tx0 parent 10:5 matchall action drop"; do
		# shellcheck disable=SC2086 # words
		if "$TC" -n "$TX" $bad 2>"$TMP/err"; then
			fail "accepted: $bad"
		fi
		[ -s "$TMP/err" ] || fail "refused without a word: $bad"
	done
	show
	[ "$QS" = "$before" ] || fail "changed: $before to $QS"
	classes
	expect "$ALL_IN == \"10:5\""
}

# traffic OPTIONS...: of flowgen, in the background, until the test ends it
traffic() {
	rm -f "$TMP/gen"
	nsenter --net="/run/netns/$TX" "$FLOWGEN" -C 0 -i tx0 -F 16 -n 10 \
		-o random -g 20000 "$@" >"$TMP/gen" &
	TRAFFIC_PID=$!
}

test_filters_change_under_traffic() {
	local ms=1500 n=0 FLOWER="protocol ip flower src_ip 10.128.0.0/24"

	! virtual_time || ms=30
	reframer delay 1ms
	capture
	traffic -t $ms
	while sending "$TRAFFIC_PID"; do
		tell "filter add dev tx0 parent 1: prio 1 handle 1 $FLOWER classid 1:5
			filter add dev tx0 parent 1: prio 2 handle 1 bpf bytecode \"1,6 0 0 65543,\""
		pause 0.001
		tell "filter replace dev tx0 parent 1: prio 1 handle 1 $FLOWER classid 1:6"
		"$TC" -n "$TX" -s class show dev tx0 >/dev/null
		tell "filter del dev tx0 parent 1: prio 1
			filter add dev tx0 parent 1: prio 1 protocol ip u32 $ODD_FLOWS action drop"
		pause 0.001
		tell "filter del dev tx0 parent 1:"
		n=$((n + 1))
	done
	wait "$TRAFFIC_PID"
	GEN=$(<"$TMP/gen")
	wait_drained
	arrived
	expect accounted empty_now '.cap.lost == 0 and .cap.duplicates == 0' \
		'.cap.packets + drops == .gen.packets' \
		'.r.drops.filter > 0 and drops == .r.drops.filter'
	[ $n -ge 3 ] || fail "only $n times"
}

# The qdisc can be deleted with filters that choose its classes, with packets in them, and
# under traffic; so can a parent's filters that choose it.
test_deleted_with_filters() {
	local n

	USERS=$(filter_users)
	reframer delay 100ms "$ALWAYS"
	filters 1: "protocol ip flower src_ip 10.128.0.1 classid 1:5" \
		"$MATCHALL classid 1:6"
	holding 16 -F 8 -n 2
	qdisc del dev tx0 root
	traffic -t 60000
	for n in 1 2 3 4 5; do
		tell "qdisc add dev tx0 root handle 1: drr
			class add dev tx0 parent 1: classid 1:1 drr
			qdisc add dev tx0 parent 1:1 handle 10: reframer delay 10ms
			filter add dev tx0 parent 1: matchall classid 1:1"
		filters 10: "protocol ip u32 $ODD_PACKETS classid 10:$n" \
			"protocol ip u32 $ODD_FLOWS action drop"
		wait_for "there is traffic" has_traffic
		tell "qdisc replace dev tx0 parent 1:1 handle 11: reframer
			qdisc del dev tx0 root"
	done
	kill "$TRAFFIC_PID"
	wait "$TRAFFIC_PID" || true
	wait_for "the filters are gone, too" no_filters_left
}

# users of the modules, where they are not built in
filter_users() {
	{ cat /sys/module/{cls,act}_*/refcnt 2>/dev/null || true; } |
		awk '{ n += $1 } END { print n + 0 }'
}

no_filters_left() { [ "$(filter_users)" = "$USERS" ]; }

has_traffic() {
	show
	[[ $QS == *'"packets_in":'[1-9]* ]]
}

run_tests "$@"
