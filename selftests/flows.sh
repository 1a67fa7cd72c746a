#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Flows: the frames of a connection leave in order, with any headers, from any kind of
# sender, and with any offset of the network header that a sender sets.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

helper frames
FRAMES=$HELPER
CAPTURES=$HERE/captures

# Captures of one flow each
ONE_FLOW=(untagged-tcp options-tcp vlan-tcp vlan-train vlan-pcp qinq-tcp label-tcp
	vlan-label-tcp 6in4-label-tcp mpls-tcp vlan-pppoe-tcp llc vlan-llc gre-seq gre-key-seq)

frames() { in_tx "$FRAMES" "$@"; }

# devices WAY: make the devices of this way to tx0; the end of the test removes them
devices() {
	local lines="" dev index

	case $1 in
	forwarded)
		lines="link add name s0 type veth peer name s1
			link set s0 up
			link set s1 up"
		;;
	bridge)
		[ -e /dev/net/tun ] || modprobe -q tun || skip "no tun"
		lines="tuntap add dev tap0 mode tap vnet_hdr
			link add br0 type bridge mcast_snooping 0
			link set tap0 master br0
			link set tx0 master br0
			link set br0 up
			link set tap0 up"
		;;
	macvtap)
		lines="link add mv0 link tx0 type macvtap mode bridge
			link set mv0 up"
		;;
	esac
	# shellcheck disable=SC2064 # now
	trap "for dev in s0 br0 tap0 mv0; do
			ip -n $TX link del \$dev 2>/dev/null || true
		done; cleanup" EXIT
	ip -n "$TX" -batch - <<<"$lines" 2>"$TMP/err" ||
		skip "no $1: $(head -n 1 "$TMP/err")"
	case $1 in
	forwarded)
		tell "qdisc add dev s1 clsact
			filter add dev s1 ingress matchall action mirred egress redirect dev tx0"
		;;
	macvtap)
		index=$(ip -n "$TX" -o link show mv0)
		MACVTAP=/dev/tap${index%%:*}
		wait_for "$MACVTAP is there" test -e "$MACVTAP"
		;;
	esac
}

forwards() { [[ $(ip -n "$TX" -d link show tap0) == *"state forwarding"* ]]; }

# from_tap FILE: send it when the bridge forwards frames from the tap
from_tap() {
	local go pid

	rm -f "$TMP/go" "$TMP/attached"
	mkfifo "$TMP/go"
	nsenter --net="/run/netns/$TX" "$FRAMES" -t tap0 -r "$TMP/attached" "$1" \
		<"$TMP/go" &
	pid=$!
	exec {go}>"$TMP/go"
	wait_for "the tap is attached" test -e "$TMP/attached"
	wait_for "the bridge forwards" forwards
	exec {go}>&-
	wait $pid
}

# leave WAY CAPTURE: send its frames; ORDER becomes the order in which they leave
leave() {
	local file=$CAPTURES/$2.pcap pid

	rm -f "$TMP/ready"
	nsenter --net="/run/netns/$TX" "$FRAMES" -o tx0 -r "$TMP/ready" "$file" \
		>"$TMP/order" &
	pid=$!
	wait_for "the capture runs" test -e "$TMP/ready"
	case $1 in
	packet)		frames -i tx0 "$file" ;;
	forwarded)	frames -i s0 "$file" ;;
	bridge)		from_tap "$file" ;;
	macvtap)	frames -m "$MACVTAP" "$file" ;;
	esac
	wait_drained
	kill -TERM $pid
	wait $pid
	ORDER=$(<"$TMP/order")
}

# in_order WAY CAPTURE...: the frames of each are held and leave in order
in_order() {
	local way=$1 frames

	shift
	for WHAT; do
		reframer delay 1ms "$ALWAYS"
		leave "$way" "$WHAT"
		frames=$(wc -w <<<"$ORDER")
		[ "$ORDER" = "$(seq -s ' ' 0 $((frames - 1)))" ] ||
			fail "$way: left in the order $ORDER"
		expect accounted empty_now ".r.packets_out == $frames"
		timely '.r.flows.peak == 1 and .r.releases.deadline >= 1'
		qdisc del dev tx0 root
	done
}

one_flow() {
	devices "$1"
	in_order "$1" "${ONE_FLOW[@]}"
}

test_from_a_packet_socket() { one_flow packet; }

test_forwarded() { one_flow forwarded; }

test_from_a_tap_through_a_bridge() { one_flow bridge; }

test_from_a_macvtap() { one_flow macvtap; }

# The skb already has a hash, computed from misread headers or from fields that change.
test_with_a_stored_hash() {
	devices packet
	tell "qdisc add dev tx0 clsact
		filter add dev tx0 egress handle 1 flow map key rxhash"
	in_order packet vlan-tcp vlan-train vlan-pcp qinq-tcp label-tcp vlan-label-tcp \
		mpls-tcp vlan-pppoe-tcp llc vlan-llc
	qdisc del dev tx0 clsact
}

test_by_other_keys() {
	local key

	devices packet
	for key in src dst hosts proto-dst; do
		ALWAYS="$ALWAYS key $key" in_order packet options-tcp vlan-tcp \
			qinq-tcp gre-seq gre-key-seq
	done
}

# A train in a VLAN is one flow, like any other.
test_a_train_in_a_vlan() {
	reframer delay 10ms noadaptive
	leave packet vlan-train
	[ "$ORDER" = "$(seq -s ' ' 0 29)" ] || fail "left in the order $ORDER"
	expect accounted empty_now
	timely '.r.flows.peak == 1 and .r.bursts.mean_packets > 1'
}

# Fragments have no ports, so fragments and whole datagrams are two flows, each in order.
test_fragments() {
	local rest

	reframer delay 1ms "$ALWAYS"
	leave packet gtp-frag
	[[ $ORDER =~ ^[0-3]\ [0-3]\ [0-3]\ [0-3]$ ]] || fail "left: $ORDER"
	rest=${ORDER//[03 ]/}
	[ "$rest" = 12 ] || fail "fragments left in the order $rest"
	rest=${ORDER//[12 ]/}
	[ "$rest" = 03 ] || fail "whole datagrams left in the order $rest"
	timely '.r.flows.peak == 2'
	qdisc del dev tx0 root

	# one flow with key hosts, or with a filter
	ALWAYS="$ALWAYS key hosts" in_order packet gtp-frag
	reframer delay 1ms "$ALWAYS"
	tell "filter add dev tx0 parent 1: protocol ip u32 match ip protocol 17 0xff flowid 1:1"
	leave packet gtp-frag
	[ "$ORDER" = "0 1 2 3" ] || fail "with a filter: $ORDER"
}

# A tunnel of this machine may have stored a hash of the inner packet.  A filter can make
# the tunnel one flow.
test_a_tunnel_with_a_stored_hash() {
	tell "qdisc add dev tx0 clsact
		filter add dev tx0 egress handle 1 flow map key rxhash"
	reframer delay 1ms "$ALWAYS"
	tell "filter add dev tx0 parent 1: protocol ip u32 match ip protocol 47 0xff flowid 1:1"
	leave packet gre-seq
	[ "$ORDER" = "0 1 2" ] || fail "left in the order $ORDER"
	timely '.r.flows.peak == 1'
	qdisc del dev tx0 clsact
}

run_tests "$@"
