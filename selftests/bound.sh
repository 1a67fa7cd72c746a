#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Bound: how long packets are held, to the nanosecond.
#
# Needs virtual time (User-Mode Linux, time-travel=inf-cpu), where code takes no time.
# The clock ticks in 256 ns, and reading it takes one tick.  So all times are multiples of
# 256 ns.  Packets are sent at multiples of 4096 ns: a deadline, 64 us after one of them,
# is then never close to the sending of another packet, which could make the timer late
# (64000 % 4096 = 2560).

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

need_virtual_time

# captured LIST: send it, see flowgen -x, and capture what leaves
captured() {
	capture -L "$TMP/list"
	send -x "$1" -W 200
	wait_drained
	arrived
}

# send_list OPTIONS LIST: send it through a new reframer
send_list() {
	# shellcheck disable=SC2086 # words
	reframer $1 $ALWAYS
	captured "$2"
}

# held OPTIONS LIST LEAVES: send the list; LEAVES is for left_at
held() {
	on_time send_list "$1" "$2"
	left_at "$3"
}

# schedule SEED: packets of 12 flows at random times, the same for the same seed
schedule() {
	local i at=0

	RANDOM=$1
	for ((i = 0; i < 60; i++)); do
		at=$((at + 4096 * (1 + RANDOM % 4)))
		echo -n "$((RANDOM % 12))@$at,"
	done
}

test_a_lone_packet_is_held_for_the_delay() {
	local delay

	for delay in 12800 64000 1024000 99840000; do
		held "delay ${delay}ns" 0@0 0+$delay
		expect ".r.hold.max_ns == $delay" '.r.timer.expiries == 1'
		qdisc del dev tx0 root
	done
}

# The first packet of every burst is held for exactly the delay.
test_slack_0() {
	on_time send_list "delay 64us slack 0" "$(schedule 1)"
	# in the order of leaving; a burst has the same flow and the same time
	awk '$1 != flow || $4 != time {
			bursts++
			if ($4 - $3 != 64000)
				print "flow", $1, "held", $4 - $3
		}
		$4 < $3 || $4 - $3 > 64000 { print "bad", $4 - $3 }
		{ flow = $1; time = $4 }
		END { if (bursts < 20 || bursts > 59) print bursts, "bursts" }
	' "$TMP/list" >"$TMP/bad"
	[ ! -s "$TMP/bad" ] || fail "$(<"$TMP/bad")"
	expect '.r.hold.max_ns == 64000 and .r.hold.mean_ns == 64000'
}

# No packet is held longer than the delay.  The oldest one is held for exactly the delay,
# and all others leave with it.
test_slack_as_the_delay() {
	on_time send_list "delay 64us slack 64us" "$(schedule 2)"
	# first in the order of leaving, then in that of sending
	awk 'function check() {
			if (oldest != 64000)
				print "the oldest was held", oldest
		}
		$4 != time {
			if (NR > 1)
				check()
			time = $4
			oldest = 0
			releases++
		}
		$4 < $3 { print "left before it came" }
		$4 - $3 > oldest { oldest = $4 - $3 }
		END {
			check()
			if (releases < 4)
				print releases, "releases"
		}' "$TMP/list" >"$TMP/bad"
	sort -nk3 "$TMP/list" | awk '
		$4 < left { print "overtaken, sent", $3 }
		$4 > left && $3 < left { print "left behind, sent", $3 }
		{ left = $4 }' >>"$TMP/bad"
	[ ! -s "$TMP/bad" ] || fail "$(<"$TMP/bad")"
	expect '.r.hold.max_ns == 64000'
}

# At 64 us flow 0 is due.  Flows 1 and 2 are due within the slack, flow 2 at its very end
# (41 us later), and flow 3 after that.
test_slack_between() {
	held "delay 64us slack 41us" 0@0,1@20480,2@40960,3@45056 "0+64000 0+64000 0+64000 3+64000"
}

# The timer fires on time, but a packet that bypassed the qdisc has stopped the device.
# That does not count as timer latency, and the slack stays a quarter of the delay.
test_slack_on_a_device_that_is_stopped() {
	slow_device 1 1000
	reframer delay 64us noadaptive
	send -k ip4.tcp -x 0@0,1@8192:P
	wait_drained
	expect accounted empty_now '.r.timer.expiries == 1 and .r.hold.late_max_ns > 900000' \
		'.r.timer.latency_ns <= 256 and .r.timer.slack_ns == 16000'
	unpair
}

test_a_packet_joins_the_flow_that_waits() {
	held "delay 64us slack 0" 0@0,1@4096,0@61440,1@65536,0@69632 "0+64000 1+64000 0+64000 1+64000 4+64000"
}

test_full_by_packets_goes_at_once() {
	held "delay 64us burst 3" 0@0,1@4096,0@8192,0@16384,1@40960 "3+0 1+64000 3+0 3+0 1+64000"
	expect '.r.releases.full == 1 and .r.releases.deadline == 1'
}

test_full_by_bytes_goes_at_once() {
	held "delay 64us burst_bytes 300" 0@0,0@8192,0@16384 "2+0 2+0 2+0"
	expect '.r.releases.full == 1 and .r.releases.deadline == 0'
}

test_burst_1_never_holds() {
	held "burst 1" 0@0,0@4096,1@8192,1@40960 "0+0 1+0 2+0 3+0"
}

test_delay_0_never_holds() {
	on_time send_list "delay 0" "$(schedule 3)"
	expect '.cap.hold_ns.max == 0' \
		'.r.hold.max_ns == 0 and .r.timer.expiries == 0'
}

# The seventh packet is in the last eighth of the limit.
test_pressure_goes_at_once() {
	held "delay 64us limit 8" 0@0,1@4096,2@8192,3@12288,4@16384,5@20480,6@24576,7@28672 \
		"6+0 6+0 6+0 6+0 6+0 6+0 6+0 7+64000"
	expect '.r.releases.pressure == 7 and .r.releases.deadline == 1'
}

# change_held OLD LIST NEW: change options while packets are held
change_held() {
	# shellcheck disable=SC2086 # words
	reframer $1 $ALWAYS
	capture
	send -x "$2"
	# shellcheck disable=SC2086 # words
	qdisc change dev tx0 root reframer $3
	pause 0.15
	wait_drained
	arrived
}

test_change_to_a_longer_delay() {
	on_time change_held "delay 10240us" 0@0 "delay 20480us"
	expect '.cap.hold_ns.max == 20480000'
}

test_change_to_a_shorter_delay() {
	on_time change_held "delay 10240us" 0@0 "delay 5120us"
	expect '.cap.hold_ns.max == 5120000'
}

test_change_to_a_delay_that_is_over() {
	reframer delay 100ms "$ALWAYS"
	capture
	send
	pause 0.01
	qdisc change dev tx0 root reframer delay 1us
	wait_drained
	arrived
	expect complete '.cap.hold_ns.max < 20000000'
}

# A held flow that has as many packets as the new burst is released at once.
test_change_to_a_smaller_burst() {
	on_time change_held "delay 99840us" 0@0,0@4096,0@8192 "burst 3"
	expect '.cap.hold_ns.max < 20000000 and .r.releases.full == 1'
}

test_change_of_the_key() {
	on_time change_held "delay 99840us" 0@0,1@4096,0@8192 "key dst"
	expect '.cap.hold_ns.max < 20000000 and .cap.runs == 2' \
		'.r.releases.pressure == 2'
}

test_change_of_the_slack() {
	on_time change_held "delay 10240us slack 0" 0@0,1@1024000 "slack 10240us"
	expect '.cap.hold_ns.max == 10240000' '.cap.hold_ns.min < 9300000 and .r.timer.expiries <= 3'
}

run_tests "$@"
