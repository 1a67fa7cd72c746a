#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Grouping: interleaved flows leave as runs, by the qdisc's own counters and by a capture
# at the receiver.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# A time in which any guest sends a few hundred packets.  Virtual time runs only when the
# clock is read, 256 ns each time.
if virtual_time; then
	WINDOW=64us
	ROUTER_WINDOW=1ms
else
	WINDOW=100ms
	ROUTER_WINDOW=100ms
fi

AGREES='.r.packets_in == .gen.packets and .r.runs_in == .gen.runs and
	.r.packets_out == .cap.packets and .r.runs_out == .cap.runs'
SUMS='(.r.bursts.hist | add) == .r.bursts.count and
	(.r.hold.hist | add) == released and
	.r.bursts.count >= .r.runs_out and .r.hold.max_ns <= .r.hold.sum_ns'

# The main use: a router in front of the server.
#
#   $SRC               $TX                          $RX
#   flowgen  veth -- in0  forwards  tx0 (reframer) -- rx0
test_sixteen_flows_through_a_router() {
	local src=rfm-$$-src in_pid start windows

	ip -batch - <<-END
		netns add $src
		link add name src0 netns $src address 02:00:00:00:00:03 type veth peer name in0 netns $TX address 02:00:00:00:00:04
	END
	# shellcheck disable=SC2064 # now
	trap "ip netns del $src; cleanup" EXIT
	quiet "$src" true
	end "$src" src0 10.0.3.1 10.0.3.2 02:00:00:00:00:04
	end "$TX" in0 10.0.3.2 10.0.3.1 02:00:00:00:00:03
	in_tx ethtool -K in0 gro on
	in_tx bash -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	reframer delay $ROUTER_WINDOW slack $ROUTER_WINDOW "$ALWAYS"

	rm -f "$TMP/in"
	nsenter --net="/run/netns/$TX" "$FLOWCAP" -i in0 -r "$TMP/in" \
		>"$TMP/cap_in" &
	in_pid=$!
	capture
	wait_for "the capture runs" test -e "$TMP/in"
	start=${EPOCHREALTIME/./}
	GEN=$(nsenter --net="/run/netns/$src" "$FLOWGEN" -C 0 -i src0 \
		-m 02:00:00:00:00:04 -F 16 -n 12)
	wait_for "all packets were forwarded" forwarded 192
	windows=$(((${EPOCHREALTIME/./} - start) / 100000 + 1))
	wait_drained
	arrived
	kill -TERM $in_pid
	wait $in_pid
	GEN=$(<"$TMP/cap_in")	# what arrived, from the capture at in0
	expect in_order '.gen.packets == 192 and .cap.packets == 192' "$AGREES" \
		"$SUMS" accounted empty_now
	# all flows are released together, once in a window, in which a slow machine does not
	# send all packets
	virtual_time || expect ".cap.runs <= 16 * ($windows + 1)"
	[ "$windows" -gt 1 ] || expect '.cap.locality >= 8 * .gen.locality'
}

forwarded() {
	show
	[[ $QS == *"\"packets_in\":$1,"* ]]
}

grouped() {
	capture
	send "$@"
	wait_drained
	arrived
	expect complete "$AGREES" "$SUMS" accounted empty_now
}

# Else a bug in flowcap could look like grouping.
test_pfifo_leaves_the_order_alone() {
	qdisc add dev tx0 root pfifo
	capture
	send -F 16 -n 12 -o random
	wait_drained
	arrived
	expect complete '.cap.runs == .gen.runs'
}

test_random_order() {
	local seed

	for seed in 1 2; do
		reframer delay $WINDOW slack $WINDOW "$ALWAYS"
		grouped -F 16 -n 12 -o random -s $seed
		timely '.cap.locality >= 8 * .gen.packets / .gen.runs' \
			'.r.flows.peak == 16'
		qdisc del dev tx0 root
	done
}

test_trains() {
	reframer delay $WINDOW slack $WINDOW "$ALWAYS"
	grouped -F 8 -n 24 -T 3 -o random
	timely '.cap.runs == 8'
}

test_one_flow_is_one_run() {
	reframer delay $WINDOW slack $WINDOW "$ALWAYS"
	grouped -n 50
	timely '.cap.runs == 1 and .r.bursts.count == 1'
}

test_full_by_packets() {
	reframer delay 100ms burst 8 "$ALWAYS"
	grouped -F 4 -n 16
	timely '.cap.runs == 8 and .cap.locality == 8' '.r.releases.full == 8' \
		'.r.bursts.count == 8 and .r.bursts.hist[3] == 8' \
		'.r.releases.deadline == 0'
}

test_full_by_bytes() {
	reframer delay 100ms burst_bytes 4000 "$ALWAYS"
	grouped -F 4 -n 8 -l 1000
	timely '.cap.runs == 8 and .cap.locality == 4' '.r.releases.full == 8'
}

# With 70 packets the last eighth of the limit begins, where nothing is held.
test_pressure_releases_all() {
	reframer delay 100ms limit 80 "$ALWAYS"
	grouped -F 14 -n 5
	timely '.r.releases.pressure == 14 and .r.releases.deadline == 0' \
		'.cap.runs == 14 and drops == 0'
}

# Packets that are queued anyway are grouped, although none is held; see also bound.sh.
test_no_delay_groups_what_is_queued() {
	throttled delay 0
	capture
	send -F 8 -n 16
	wait_drained
	arrived
	# some leave at once and one is peeked; the others leave as runs
	expect complete accounted '.r.hold.max_ns == 0'
	timely '.cap.locality > 3'
}

# The automatic slack is a quarter of the delay, or eight times the timer latency if that
# is more.  The statistics round the latency down to whole nanoseconds.
test_slack_follows_the_timer() {
	reframer delay 200us "$ALWAYS"
	send -F 4 -n 50 -g 100000
	wait_drained
	expect '.r.timer.expiries > 3' 'def automatic: [50000, ([200000, .] | min)] | max;
		.r.timer | .slack_ns >= (.latency_ns * 8 | automatic) and
			.slack_ns <= (.latency_ns * 8 + 7 | automatic)'
	qdisc change dev tx0 root reframer slack 7us
	show
	expect '.r.timer.slack_ns == 7000'
}

run_tests "$@"
