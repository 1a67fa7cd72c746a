#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Advise: what reframer-advise predicts from a capture of what enters the qdisc is what the
# qdisc then does, within 1 %.
#
#   flowgen -> in0 ---- in1, captured -> redirected to tx0 with reframer -> rx0
#
# Needs virtual time, tcpdump and reframer-advise.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_virtual_time
need tcpdump
helper reframer-advise
ADVISE=$HELPER

# front: the link in front of tx0
front() {
	ip -n "$TX" link show in0 >/dev/null 2>&1 || {
		ip -n "$TX" -batch - <<-END
			link add name in0 type veth peer name in1
			link set dev in0 up
			link set dev in1 up
		END
		tell "qdisc add dev in1 clsact
			filter add dev in1 ingress matchall action mirred egress redirect dev tx0"
	}
	SEND_TO=in0
}

# record, recorded: capture what comes in
record() {
	: >"$TMP/log"
	nsenter --net="/run/netns/$TX" tcpdump -i in1 -Q in -Z root -s 256 -B 8192 \
		--time-stamp-precision=nano -w "$TMP/in.pcap" 2>"$TMP/log" &
	RECORD_PID=$!
	wait_for "tcpdump captures" grep -q '^tcpdump: listening' "$TMP/log"
}

recorded() {
	pause 2		# tcpdump gets packets a second late at most
	kill -INT "$RECORD_PID"
	wait "$RECORD_PID"
	grep -q '^0 packets dropped by kernel' "$TMP/log" || fail "$(<"$TMP/log")"
}

# predict ARGUMENT...: LIST becomes the prediction
predict() { LIST=$("$ADVISE" --json "$@" "$TMP/in.pcap"); }

# What both count
# shellcheck disable=SC2016 # variables of jq
AGREES=(
	'def near(a; b): (a - b | fabs) <= b * 0.01;
		.list.rows[0] as $p | $p.qdisc as $q | .r as $r |
		[[$q.packets_in, $r.packets_in], [$q.packets_out, $r.packets_out],
		[$p.bypassed, $r.bypass.packets], [$q.runs_in, $r.runs_in],
		[$q.runs_out, $r.runs_out], [$q.bursts, $r.bursts.count],
		[$q.hold_mean_ns, $r.hold.mean_ns]] | all(near(.[0]; .[1]))'
	'.list.capture.packets == .gen.packets'
)

# The order of all packets, where flows are those of flowgen
IN_ORDER='(.list.rows[0].locality_out - .cap.locality | fabs) <= .cap.locality * 0.01'

# agree OPTIONS ARGUMENT...: send through a reframer with these options of tc; the
# prediction has to agree
agree() {
	local options=$1 word args=()

	shift
	# shellcheck disable=SC2086 # words
	reframer $options
	front
	capture
	record
	send "$@"
	wait_drained
	recorded
	arrived
	show
	for word in $options; do
		case $word in
		delay | slack | burst | burst_bytes | limit | memory_limit | flows | key | \
			noadaptive | nopush) args+=("--$word") ;;
		*) args+=("$word") ;;
		esac
	done
	[[ $options == *delay* ]] || args+=(--delay 64us)
	predict "${args[@]}"
	expect complete accounted "${AGREES[@]}"
	qdisc del dev tx0 root
	diag "${options:-defaults}: $(jq -c "$JQ_DEFS"' [.list.rows[0] | .qdisc.packets_in,
		.bypassed, .qdisc.packets_out / .qdisc.runs_out, .qdisc.bursts,
		.qdisc.hold_mean_ns], [.r | .packets_in, .bypass.packets, .locality_out,
		.bursts.count, .hold.mean_ns]' <<<"{\"qs\":$QS,\"list\":$LIST}" | tr '\n' ' ')"
}

# Gaps of many ticks of the clock, so that these do not matter
test_trains() {
	agree "" -F 4 -n 1000 -o random -g 4096
	expect "$IN_ORDER"
	agree "delay 256us" -F 16 -n 250 -o random -g 4096
	agree "delay 512us slack 0 burst 8" -F 16 -n 200 -T 2 -o random -g 8192
}

test_every_flow_is_held() {
	agree "delay 256us noadaptive" -F 64 -n 60 -o random -g 4096
	agree "delay 256us noadaptive nopush slack 256us burst_bytes 2000" -F 16 -n 100 \
		-o random -g 4096 -l 500
}

# Packets bypass the qdisc, and flows that begin to be worth holding end that.
test_bypass() {
	agree "" -F 64 -n 40 -g 20480
	expect '.r.bypass.packets > 0' "$IN_ORDER"
	agree "" -x "0@0+20480*4000,1@10240+40960*600,2@20000000+8192*2000,3@20004096+8192*2000"
	expect '.r.bypass.packets > 0' '.r.holds.paid > 0' "$IN_ORDER"
}

# Two connections; each fifth packet of them ends a message.
test_end_of_messages() {
	local list="0@0+8192*2000,1@4096+8192*2000,0@2048+40960*400:PA,1@6144+40960*400:FA"

	agree "" -k ip4.tcp -x "$list"
	expect '.r.releases.push > 700' '.r.bursts.mean_packets < 6'
	agree "nopush" -k ip4.tcp -x "$list"
	expect '.r.releases.push == 0' '.r.bursts.mean_packets > 6'
	agree "" -k vlan.ip6.tcp -x "$list"
}

test_control_packets() { agree "" -k arp -F 8 -n 100 -o random -g 2048; }

# Which packets are of one flow, in captures of unusual headers
# shellcheck disable=SC2016 # a variable of jq
test_flows() {
	local file

	helper frames
	for file in "$HERE"/captures/*.pcap; do
		reframer noadaptive delay 100us
		in_tx "$HELPER" -i tx0 -g 4096 "$file"
		wait_drained
		LIST=$("$ADVISE" --json --noadaptive -d 100us "$file")
		expect '.list.rows[0].qdisc as $q |
			[$q.packets_in, $q.runs_in] == [.r.packets_in, .r.runs_in]'
		qdisc del dev tx0 root
	done
}

test_keys() {
	local key

	for key in src proto-dst; do
		agree "key $key noadaptive" -F 8 -n 100 -o random -g 2048
	done
}

# A receiver that polls as soon as packets come merges those of a burst.
test_gro() {
	local flags

	command -v python3 >/dev/null || skip "python3 is missing"
	helper frames
	in_tx ethtool -K tx0 tso off	# else packets pass no NAPI on rx0
	for flags in 16 24; do	# 24: each packet ends a message
		python3 "$HERE/programs/make-capture" --gap 4096 --flags $flags 4000 >"$TMP/in.pcap"
		reframer delay 128us
		capture
		in_tx "$HELPER" -i tx0 -g 4096 "$TMP/in.pcap"
		wait_drained
		arrived
		predict -d 128us
		diag "$(jq -c '.rows[0].merged' <<<"$LIST") of 4000 packets, $(jq -c .other <<<"$CAP")"
		expect '(4000 - .list.rows[0].merged.in_order - .cap.other.packets | fabs) <= 40' \
			"$([ $flags = 16 ] && echo '.cap.other.packets < 2000' || echo '.cap.other.packets == 4000')"
		qdisc del dev tx0 root
	done
	in_tx ethtool -K tx0 tso on
}

# What a device sends, until the time is over
test_device() {
	local pid

	in_tx "$ADVISE" --json --seconds 3 -i tx0 >"$TMP/advice" &
	pid=$!
	pause 1
	send -F 16 -n 100 -o random -g 4096
	wait "$pid"
	LIST=$(<"$TMP/advice")
	expect '.list.capture | .packets == 1600 and .udp_packets == 1600 and .bytes == 160000' \
		'.list.rows | length == 7'
}

run_tests "$@"
