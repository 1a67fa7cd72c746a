#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Push and control: packets that must not wait leave at once, to the nanosecond, together
# with the packets of their flow that are held before them, and no others.
#
# Needs virtual time; for the choice of times see bound.sh.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_virtual_time

# send_list LIST: send TCP packets (flowgen -x) through a new reframer
send_list() {
	# shellcheck disable=SC2086 # words
	reframer delay 64us slack 0 noadaptive ${OPTIONS-}
	capture -L "$TMP/list"
	send -x "$1" -k ip4.tcp -W 200 -l "${LENGTH:-250}"
	wait_drained
	arrived
}

# sent LIST LEAVES: send the list; LEAVES is for left_at
sent() {
	on_time send_list "$1"
	qdisc del dev tx0 root
	left_at "$2"
}

# messages REASON CASE...: for each case a flow of three packets.  The last one has FLAGS
# and is of KIND (FLAGS/KIND); it releases all three, unless REASON is deadline.  The first
# two have no flags, and are of the same kind, or of $EARLIER if that is set.
messages() {
	local reason=$1 case first list="" leaves="" n=0 at

	shift
	for case; do
		first=${EARLIER:-${case#*/}}
		at=$((n * 12288))
		list+="$n@$at+4096*2/$first,$n@$((at + 8192)):$case,"
		at=$((3 * n + 2))+0
		[ "$reason" != deadline ] || at=$((3 * n))+64000
		leaves+=" $at $at $at"
		n=$((n + 1))
	done
	sent "$list" "$leaves"
	expect ".r.releases.$reason == $n" "released == $n"
}

TCP=(ip4.tcp ip4opt.tcp vlan.ip4.tcp qinq.vlan.ip4opt.tcp vlan.vlan.ip4.tcp
	ip6.tcp vlan.ip6.tcp qinq.vlan.ip6.hop.tcp ip6.hop.tcp ip6.dst.tcp
	ip6.route.tcp ip6.ah.tcp ip6.hop.dst.route.ah.dst.tcp ip6.atomic.tcp
	ip6.hop.atomic.dst.tcp
	ip6.route.route.route.route.route.route.route.route.tcp)

test_flags_that_end_a_message() {
	messages push P/ip4.tcp PA/ip4.tcp S/ip4.tcp SA/ip4.tcp SEC/ip4.tcp \
		F/ip4.tcp FA/ip4.tcp R/ip4.tcp RA/ip4.tcp U/ip4.tcp UA/ip4.tcp
}

test_flags_that_do_not() {
	messages deadline A/ip4.tcp E/ip4.tcp C/ip4.tcp AEC/ip4.tcp
}

test_wherever_the_flags_are() {
	messages push "${TCP[@]/#/P/}"
	messages deadline "${TCP[@]/#/A/}"
}

# Fragments, other protocols than TCP, and TCP headers that are too deep
test_what_ends_no_message() {
	messages deadline P/ip4first.tcp P/ip4later.tcp P/ip4far.tcp \
		P/vlan.ip4first.tcp P/ip6.first.tcp P/ip6.later.tcp \
		P/ip6.near.tcp P/ip6.hop.first.tcp P/ip6.first.hop.tcp
	messages deadline P/ip4.udpff P/ip6.udpff P/vlan.ip4.udpff \
		P/ip6.hop.udpff P/ip4.udp P/ip6.echo6 P/vlan.vlan.vlan.ip4.tcp \
		P/ip6.route.route.route.route.route.route.route.route.route.tcp
}

# Frames that end right before the flags, right behind them, and in other headers
test_headers_that_are_cut_off() {
	LENGTH=71 messages deadline P/ip4opt.tcp
	LENGTH=72 messages push P/ip4opt.tcp
	LENGTH=79 messages deadline P/qinq.vlan.ip4opt.tcp
	LENGTH=80 messages push P/qinq.vlan.ip4opt.tcp
	LENGTH=99 messages deadline P/ip6.hop.tcp
	LENGTH=100 messages push P/ip6.hop.tcp
	LENGTH=56 messages deadline P/ip4opt.tcp
	LENGTH=85 messages deadline P/ip6.hop.tcp P/ip6.hop.route.tcp
	LENGTH=86 messages deadline P/ip6.hop.tcp P/ip6.hop.route.tcp
	LENGTH=94 messages deadline P/ip6.hop.route.tcp P/ip6.hop.ah.tcp
	LENGTH=86 EARLIER=ip6.hop.echo6 messages deadline A/ip6.hop.ns
}

# Frames of a page or more from a packet socket: only the Ethernet header is linear.
test_headers_that_are_not_linear() {
	ip -n "$TX" link set dev tx0 mtu 9000
	ip -n "$RX" link set dev rx0 mtu 9000
	LENGTH=3000 messages push P/ip4.tcp P/vlan.ip6.tcp
	LENGTH=5000 messages deadline P/ip4.tcp P/ip6.tcp P/vlan.ip4.tcp
	ip -n "$TX" link set dev tx0 mtu 1500
	ip -n "$RX" link set dev rx0 mtu 1500
}

test_nopush() {
	OPTIONS=nopush messages deadline P/ip4.tcp SA/ip4.tcp FA/ip4.tcp \
		R/ip4.tcp U/ip4.tcp P/ip6.tcp P/vlan.ip4.tcp
}

# change_push OLD NEW: also applies to packets that are already held
change_push() {
	reframer delay 99840us noadaptive "$1"
	capture
	send -x 0@0+4096*2:P/ip4.tcp
	qdisc change dev tx0 root reframer "$2"
	send -S 2 -x 0@0+4096*2:P/ip4.tcp -W 200
	wait_drained
	arrived
	expect in_order accounted empty_now '.cap.packets == 4'
	qdisc del dev tx0 root
}

test_change() {
	change_push nopush push
	expect '.r.releases.push == 2 and released == 2' '.cap.hold_ns.min == 0'
	change_push push nopush
	expect '.r.releases.push == 2 and released == 3' \
		'.r.releases.deadline == 1 and .r.hold.max_ns == 99840000'
}

test_a_lone_push_is_never_held() {
	sent 0@0:P,1@4096:P/ip6.tcp,0@8192:FA "0+0 1+0 2+0"
	expect '.r.releases.push == 3' '.r.hold.max_ns == 0 and .r.timer.expiries == 0'
}

test_other_flows_stay() {
	sent 0@0,1@4096,0@8192,2@12288,0@16384:P,1@20480,0@24576,2@28672:S,0@32768 \
		"4+0 1+64000 4+0 7+0 4+0 1+64000 6+64000 7+0 6+64000"
	expect '.r.releases.push == 2 and .r.releases.deadline == 2' \
		'.cap.runs == 4'
}

# In a queue with a backlog, too, no packet overtakes its own flow.
test_order_in_a_queue() {
	local options flags list="" i

	RANDOM=1
	flags=("" "" "" "" :P :S :7 :P7)
	for ((i = 0; i < 300; i++)); do
		list+="$((RANDOM % 12))@$((i * 4096))${flags[RANDOM % 8]},"
	done
	for options in adaptive noadaptive "delay 0" "adaptive burst 2"; do
		throttled "$options"
		capture
		send -x "$list" -k ip4.tcp
		wait_drained
		arrived
		expect complete accounted '.r.flows.peak == 12' \
			'.r.releases.push > 0 and .r.releases.control > 0'
		qdisc del dev tx0 root
	done
}

test_a_push_that_fills_the_burst() {
	OPTIONS="burst 3" messages push P/ip4.tcp
}

test_arp() {
	sent 0@0,1@4096/arp,2@8192/vlan.arp,3@12288/qinq.vlan.arp,0@16384 \
		"0+64000 1+0 2+0 3+0 0+64000"
	expect '.r.releases.control == 3 and .r.releases.deadline == 1'
	OPTIONS=nopush sent 0@0/arp 0+0
}

test_neighbour_discovery() {
	EARLIER=ip6.echo6 messages control A/ip6.rs A/ip6.ns A/ip6.redirect
	EARLIER=ip6.echo6 messages deadline A/ip6.mld A/ip6.renumber A/ip6.echo6
	EARLIER=vlan.ip6.echo6 OPTIONS=nopush messages control A/vlan.ip6.ns \
		A/vlan.ip6.hop.ns A/vlan.ip6.atomic.ns
	EARLIER=ip6.first.echo6 messages deadline A/ip6.first.ns
}

test_control_priority() {
	messages control 7/ip4.udp 7/ip4.tcp P7/ip4.tcp 7/ip4first.tcp 7/ip6.udp
	messages deadline 6/ip4.udp 8/ip4.udp
	OPTIONS=nopush messages control 7/ip4.udp P7/ip4.tcp
}

run_tests "$@"
