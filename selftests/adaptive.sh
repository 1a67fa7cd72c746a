#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Adaptive: a flow is held only while holds pay, tested to the packet and the nanosecond.
#
# Needs virtual time; for the choice of times see bound.sh.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_virtual_time

DELAY=64000

# With the default slack, a flow may be released before its own deadline.
EXACT="slack 0"

# run OPTIONS STEP...: send through a new reframer.  A step is the arguments of flowgen,
# or "change OPTIONS".
run() {
	local step

	# shellcheck disable=SC2086 # words
	reframer $1
	shift
	# with a filter, if only for a protocol that nobody uses, no packet bypasses the qdisc
	tell "filter add dev tx0 parent 1: protocol 0x88b5 matchall classid 1:1"
	capture -L "$TMP/list"
	for step; do
		# shellcheck disable=SC2086 # words
		case $step in
		change*) qdisc change dev tx0 root reframer ${step#change} ;;
		*) send -W 1 $step ;;
		esac
	done
	wait_drained
	arrived
}

# among OPTIONS STEP...: as flows(), and before each packet goes one of a flow that is never
# held, without which no hold could pay
among() {
	local options=$1

	shift
	flows "$options" "${@/-/-b -}"
}

# flows OPTIONS STEP...: as run(), with all timers on time
flows() {
	until_on_time run "$@"
	qdisc del dev tx0 root
	expect in_order '.cap.missing == 0' accounted empty_now \
		'.cap.packets + .cap.other.packets == .r.packets_in' \
		'.r.hold.late_max_ns == 0'
}

# fate FLOW WANT: check how its packets left, in the order of sending.
#   .    was not held
#   h    was held for the delay, alone: the hold was wasted
#   gN   N packets left together, after the delay of the first
#   NxW  N times W
fate() {
	awk -v flow="$1" -v delay="$DELAY" '
		function say(what) {
			if (what == last) {
				times++
				return
			}
			if (times)
				printf "%s%s ", (times > 1 ? times "x" : ""), last
			last = what
			times = 1
		}
		function group() {
			if (n == 1 && left == sent)
				say(".")
			else if (left == sent + delay)
				say(n == 1 ? "h" : "g" n)
			else if (n)
				say(n "?" left - sent)
		}
		$1 != flow { next }
		!n || $4 != left { group(); n = 0; sent = $3; left = $4 }
		{ n++ }
		END { group(); say("") }' "$TMP/list" >"$TMP/fate"
	[ "$(<"$TMP/fate")" = "$2 " ] ||
		fail "flow $1: $(<"$TMP/fate"), not $2"
}

# held FLOW WANT: check for how many ns each of its packets was held; one or two ticks
# more or less mean that the sender was late
held() {
	awk -v flow="$1" -v want="$2" '
		BEGIN { n = split(want, w, " ") }
		$1 == flow {
			off = $4 - $3 - w[++i]
			if (off < -512 || off > 512)
				print "packet", i - 1, "for", $4 - $3, "not", w[i]
		}
		END {
			if (i != n)
				print i, "packets, not", n
		}' "$TMP/list" >"$TMP/bad"
	[ ! -s "$TMP/bad" ] || fail "flow $1: held $(<"$TMP/bad")"
}

# pings NAMESPACE "DEVICE..." QDISC...: send ten pings from there, with the qdisc at these
# devices; all round trips must be the same, RTT microseconds
pings() {
	local dev

	for dev in $2; do
		qdisc add dev "$dev" root handle 1: "${@:3}"
	done
	nsenter --net="/run/netns/$1" ping -n -c 10 -i 0.02 10.0.2.2 >"$TMP/pings"
	show
	for dev in $2; do
		qdisc del dev "$dev" root
	done
	RTT=$(sed -nE 's/.* time=0\.0*([0-9]+) ms$/\1/p' "$TMP/pings" | uniq -c)
	[[ $RTT == *" 10 "* ]] || fail "$(<"$TMP/pings")"
	RTT=${RTT##* }
}

# lone_pings NAMESPACE "DEVICE...": pings take as long as with pfifo
lone_pings() {
	local rtt

	command -v ping >/dev/null || skip "ping is missing"
	pings "$@" pfifo
	rtt=$RTT
	pings "$@" reframer
	[ "$RTT" = "$rtt" ] || fail "$RTT us, with pfifo $rtt us"
	expect '.r.packets_out == 10 and .r.releases.adaptive == 10' \
		'.r.hold.max_ns == 0 and .r.timer.expiries == 0'
	pings "$@" reframer noadaptive
	# shellcheck disable=SC2086 # words
	set -- $2
	[ "$RTT" = $((rtt + $# * 64)) ] || fail "$RTT us, with pfifo $rtt us"
}

test_ping() {
	lone_pings "$TX" tx0
}

# From a third machine, with the qdisc at both ports of the router between
test_ping_through_a_router() {
	local client=$TX-client

	# shellcheck disable=SC2064 # now
	trap "ip netns del $client; $(trap -p EXIT | cut -d\' -f2)" EXIT
	ip netns add "$client"
	ip link add c0 netns "$client" address 02:00:00:00:00:03 \
		type veth peer name client netns "$TX" address 02:00:00:00:00:04
	quiet "$client" true
	end "$client" c0 10.0.3.1 10.0.3.2 02:00:00:00:00:04
	end "$TX" client 10.0.3.2 10.0.3.1 02:00:00:00:00:03
	ip -n "$client" route add default via 10.0.3.2
	ip -n "$RX" route add 10.0.3.0/24 via 10.0.2.1
	in_tx sysctl -qw net.ipv4.ip_forward=1
	lone_pings "$client" "tx0 client"
	in_tx sysctl -qw net.ipv4.ip_forward=0
	ip -n "$RX" route del 10.0.3.0/24
}

test_first_packets_of_flows() {
	flows "" "-x 0@0,1@4096,2@8192,3@12288,4@16384,5@20480,6@24576,7@28672"
	expect '.cap.hold_ns.max == 0' '.r.releases.adaptive == 8' \
		'.r.hold.max_ns == 0 and .r.timer.expiries == 0'
}

# Requests or responses whose round trip is longer than the delay
test_mouse() {
	among "" "-x 0@0+131072*1000"
	fate 0 "1000x."
	expect '.r.releases.adaptive == 1000' '.r.timer.expiries == 0' \
		'.r.hold.max_ns == 0 and .r.holds == {"paid": 0, "wasted": 0}'
}

# The next packet would come within the delay, but waits for an answer to the last one.
# Each probe that holds a packet fails, and the next one comes twice as many packets later.
test_ping_pong() {
	among "$EXACT" "-c 32768 -n 10"
	fate 0 ". h 2x. h 4x. h"
	among "$EXACT" "-c 32768 -n 1000"
	fate 0 ". h 2x. h 4x. h 8x. h 16x. h 32x. h 64x. h 128x. h 256x. h 480x."
	expect '.r.holds == {"paid": 0, "wasted": 9}' \
		'.r.releases.deadline == 9 and .r.releases.adaptive == 991'
}

# The longest gap with which a second packet arrives in time
test_gap() {
	among "$EXACT" "-x 0@0+61440*9,1@4096+65536*9"
	fate 0 ". 4xg2"
	fate 1 "9x."
	expect '.r.holds == {"paid": 4, "wasted": 0}'
}

test_trains() {
	among "$EXACT noadaptive" "-x 0@0+4096*8+1048576*20"
	fate 0 "20xg8"
	among "$EXACT" "-x 0@0+4096*8+1048576*20"
	fate 0 ". g7 19xg8"
	expect '.r.holds == {"paid": 20, "wasted": 0}' \
		'.r.releases.deadline == 20 and .r.releases.adaptive == 1'
	# one that never ends
	among "$EXACT" "-x 0@0+12288*60"
	fate 0 ". 9xg6 g5"
}

# When eleven holds have paid, another flow is trusted with its first good probe.
test_global_credit_high() {
	among "$EXACT" "-x 0@0+12288*60,1@1048576,1@1052672+131072*10"
	fate 0 ". 9xg6 g5"
	fate 1 ". h 9x."
	among "$EXACT" "-x 0@0+12288*66,1@1048576,1@1052672+131072*10"
	fate 0 ". 10xg6 g5"
	fate 1 ". 5xh 5x."
}

# When wasted holds outweigh paid ones by sixteen, two probes in a row must be good.
test_global_credit_low() {
	among "$EXACT noadaptive" "-x 0@0+131072*15" "change adaptive" "-x 1@0+8192*9"
	fate 1 ". g8"
	among "$EXACT noadaptive" "-x 0@0+131072*16" "change adaptive" "-x 1@0+8192*10"
	fate 1 "2x. g8"
	# pairs have one good probe, and the next one later
	among "$EXACT noadaptive" "-x 0@0+131072*16" "change adaptive" \
		"-x 1@0+8192*2+131072*3,1@1048576+8192*10"
	fate 1 "8x. g8"
}

# The first two packets are a good probe: the flow is held from the second on.  Then wasted
# holds use up its credit: four after one hold that paid, seven after many.
test_train_becomes_mouse() {
	among "$EXACT" "-x 0@0+8192*8+1048576*3,0@4194304+131072*20"
	fate 0 ". g7 2xg8 7xh 13x."
	among "$EXACT" "-x 0@0+8192*8,0@4194304+131072*20"
	fate 0 ". g7 4xh 16x."
	expect '.r.holds == {"paid": 1, "wasted": 4}'
}

# A mouse has two probes in nine packets: here, its 18th and 19th.
test_mouse_becomes_train() {
	local train

	among "$EXACT" "-x 0@0+131072*19,0@4194304+8192*24"
	fate 0 "27x. 2xg8"
	# when the next packet is the probe
	among "$EXACT" "-x 0@0+131072*26,0@4194304+8192*17"
	fate 0 "27x. 2xg8"
	# with any length of the trains, also when a probe is the last packet of a train
	for train in 3 4 5 6 7 8; do
		among "$EXACT" "-x 0@0+131072*$((27 - train)),0@4194304+4096*$train+1048576*3"
		fate 0 "28x. g$((train - 1)) g$train"
	done
}

test_mouse_train_mouse_train() {
	among "$EXACT" "-x 0@0+131072*19,0@4194304+8192*24,0@6291456+131072*21,0@10485760+8192*16"
	fate 0 "27x. 2xg8 7xh 22x. g8"
}

# After nine wasted holds or more, 511 packets are not held; then comes a probe.
test_ping_pong_becomes_train() {
	among "$EXACT" "-c 32768 -n 1033" "-S 1033 -x 0@0+8192*528"
	fate 0 ". h 2x. h 4x. h 8x. h 16x. h 32x. h 64x. h 128x. h 256x. h 512x. h 512x. 2xg8"
	expect '.r.holds == {"paid": 2, "wasted": 10}'
}

# A packet that ends a message is not held, but may end a probe.
test_push() {
	among "$EXACT" "-k ip4.tcp -x 0@0,0@4096:P,0@8192,1@0+131072*20:P"
	fate 0 "2x. h"
	fate 1 "20x."
	expect '.r.releases.push == 21 and .r.releases.adaptive == 1'
	# the end comes too late: the next packet is a probe, and the flow held after it
	among "$EXACT" "-k ip4.tcp -x 0@0,0@131072:P,0@135168+4096*3"
	fate 0 "3x. g2"
	# data is held until the end of the message, and leaves with it
	among "$EXACT" "-k ip4.tcp -x 0@0+4096*4+131072*3,0@16384+131072*3:P"
	held 0 "0 12288 8192 4096 0 16384 12288 8192 4096 0 16384 12288 8192 4096 0"
	expect '.r.holds == {"paid": 3, "wasted": 0}'
}

# mixed: four trains of three packets and four mice.  The mice are never held, and the
# trains leave as they would without them.
TRAINS="0@0+20480*3+1048576*20,1@4096+20480*3+1048576*20,2@8192+20480*3+1048576*20,3@12288+20480*3+1048576*20"
MICE="4@16384+262144*80,5@36864+262144*80,6@57344+262144*80,7@61440+262144*80"
mixed() {
	local flow

	for flow in 0 1 2 3; do
		fate $flow ". g2 19xg3"
	done
	for flow in 4 5 6 7; do
		fate $flow "80x."
	done
	expect '.r.holds == {"paid": 80, "wasted": 0}' '.r.releases.adaptive == 324'
}

test_trains_and_mice() {
	flows "$EXACT" "-x $TRAINS,$MICE"
	mixed
}

# One set of the flow table can remember all of them.
test_trains_and_mice_in_one_set() {
	flows "$EXACT flows 8" "-x $TRAINS,$MICE"
	mixed
}

# With the default slack, the four trains are released together.
test_trains_and_mice_with_slack() {
	local flow early want i

	flows "" "-x $TRAINS,$MICE"
	for flow in 0 1 2 3; do
		early=$((flow * 4096))
		want="0 $((64000 - early)) $((43520 - early))"
		for ((i = 0; i < 19; i++)); do
			want+=" $((64000 - early)) $((43520 - early)) $((23040 - early))"
		done
		held $flow "$want"
	done
	for flow in 4 5 6 7; do
		fate $flow "80x."
	done
	expect '.r.timer.expiries == 20' '.r.holds.paid == 80'
}

# Slack is a quarter of the delay: 16 us.
test_slack() {
	flows "" "-x 0@0+20480*3+1048576*2,1@12288+20480*3+1048576*2,2@16384+20480*3+1048576*2"
	held 0 "0 64000 43520 64000 43520 23040"
	held 1 "0 51712 31232 51712 31232 10752"
	held 2 "0 64000 43520 64000 43520 23040"
}

# A hold that the slack has cut to less than half of the delay does not count as wasted.
test_short_holds() {
	among "slack 64us" "-x 0@0+12288*3+1048576*9,1@8192+12288*3,1@1089536+1048576*3,1@4214784+1048576*5"
	held 1 "0 55808 43520 23040 23040 23040 43520 43520 43520 43520 0"
	expect '.r.holds == {"paid": 10, "wasted": 4}'
}

# A hold that meets no packet of another flow sorts nothing.  A probe does not end either.
test_none_between() {
	flows "$EXACT" "-x 0@0+4096*100"
	fate 0 "100x."
	expect '.r.releases.adaptive == 100' '.r.timer.expiries == 0'
	# 0 has credit of 4, which two holds use up, and the third packet is a probe
	flows "$EXACT" "-x 0@0,1@4096,0@8192,1@12288,0@16384,1@20480,0@24576,0@1048576+4096*8+1048576*3"
	fate 0 ". g3 2xg8 8x."
	expect '.r.holds == {"paid": 2, "wasted": 2}'
}

# Two packets that are sent together, then a pause: such a hold is wasted, and costs two
# credits.  A pair whose packets come more than a 32nd of the delay (8 us) apart pays.
test_pairs() {
	DELAY=256000
	among "$EXACT delay 256us" "-x 0@0+4096*4,0@1048576+4096*2+1048576*5"
	fate 0 ". g3 2xg2 3x. h 2x."
	expect '.r.holds == {"paid": 1, "wasted": 3}'
	among "$EXACT delay 256us" "-x 0@0+4096*4,0@1048576+12288*2+1048576*5"
	fate 0 ". g3 5xg2"
	expect '.r.holds == {"paid": 6, "wasted": 0}'
	# one that ends a message leaves at once, and pays
	among "$EXACT delay 256us" "-k ip4.tcp -x 0@0+4096*4,0@1048576+1048576*5,0@1052672+1048576*5:P"
	held 0 "0 256000 251904 247808 4096 0 4096 0 4096 0 4096 0 4096 0"
	expect '.r.holds == {"paid": 6, "wasted": 0}'
}

# Where holds pay, the first packet of a new flow is held, unless it is small.
test_new_flows() {
	local len

	for len in 255 256; do
		among "$EXACT" "-l 300 -x 0@0+12288*66" \
			"-l $len -x 1@0+4096*4,2@8192+131072*9"
		[ $len = 255 ] || break
		fate 1 ". g3"
		fate 2 "9x."
	done
	fate 1 "g4"
	fate 2 "5xh 4x."
}

# The history of a flow is forgotten when another flow takes its slot.
test_forgotten() {
	among "$EXACT flows 8" "-x 0@0+4096*8+1048576*3,1@3145728,2@3149824,3@3153920,4@3158016,5@3162112,6@3166208,0@4194304+4096*8"
	fate 0 ". g7 3xg8"
	among "$EXACT flows 8" "-x 0@0+4096*8+1048576*3,1@3145728,2@3149824,3@3153920,4@3158016,5@3162112,6@3166208,7@3170304,0@4194304+4096*8"
	fate 0 ". g7 2xg8 . g7"
	fate 7 "."
}

test_noadaptive_and_back() {
	among "$EXACT" "-x 0@0+131072*9" "change noadaptive" \
		"-S 9 -x 0@0+131072*20" "change adaptive" "-S 29 -x 0@0+131072*9"
	fate 0 "9x. 20xh 9x."
}

test_no_delay() {
	flows "delay 0" "-x $TRAINS"
	expect '.cap.hold_ns.max == 0' '.r.releases.deadline == 240' \
		'released == 240 and .r.timer.expiries == 0'
	# nothing was learned without a delay
	among "delay 0 slack 0" "-x 0@0+4096*8" "change delay 64us" "-S 8 -x 0@0+4096*8"
	fate 0 "9x. g7"
}

run_tests "$@"
