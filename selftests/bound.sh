#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Bound: how long packets are held, to the nanosecond.
#
# Needs virtual time (User-Mode Linux, time-travel=inf-cpu), where code takes
# none.  Reading the clock takes 256 ns, always the same before a packet, so the
# times between packets are exact as well.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

if ! virtual_time; then
	echo "TAP version 13"
	skip_all "needs virtual time (time-travel=inf-cpu)"
fi

# holds SCHEDULE: sends it (see flowgen -x), gives the hold of every packet in
# HOLDS, in the order of sending
holds() {
	capture -L "$TMP/list"
	send -x "$1"
	wait_drained
	arrived
	expect complete accounted empty_now
	HOLDS=$(sort -nk3 "$TMP/list" | awk '{ printf " %d", $4 - $3 }')
	HOLDS=${HOLDS# }
}

# held SCHEDULE HOLDS
held() {
	holds "$1"
	[ "$HOLDS" = "$2" ] || fail "sent at $1 held $HOLDS, not $2"
}

# A repeatable schedule of packets of 12 flows.  The times are multiples of
# 300 ns: no packet comes just when another is due after 64 us.
schedule() {
	local i at=0

	RANDOM=$1
	for ((i = 0; i < 300; i++)); do
		at=$((at + 300 * (RANDOM % 60)))
		echo -n "$((RANDOM % 12))@$at,"
	done
}

test_a_lone_packet_is_held_for_the_delay() {
	local delay

	for delay in 1 999 64000 1000000 100000000; do
		reframer delay ${delay}ns
		held 0@0 $delay
		expect ".r.hold.max_ns == $delay and .r.hold.late_max_ns == 0" \
			'.r.timers == 1'
		qdisc del dev tx0 root
	done
}

# The first packet of every burst is held for exactly the delay.
test_slack_0() {
	reframer delay 64us slack 0
	holds "$(schedule 1)"
	# in the order of leaving; a burst: same flow, same time
	awk '$1 != flow || $4 != time {
			bursts++
			if ($4 - $3 != 64000)
				print "flow", $1, "held", $4 - $3
		}
		$4 < $3 || $4 - $3 > 64000 { print "bad", $4 - $3 }
		{ flow = $1; time = $4 }
		END { if (bursts < 100 || bursts > 299) print bursts, "bursts" }
	' "$TMP/list" >"$TMP/bad"
	[ ! -s "$TMP/bad" ] || fail "$(<"$TMP/bad")"
	expect '.r.hold.max_ns == 64000 and .r.hold.late_max_ns == 0' \
		'.r.hold.mean_ns == 64000'
}

# Nothing is held longer than the delay; the oldest for exactly the delay, and
# with it goes all that is there.
test_slack_as_the_delay() {
	reframer delay 64us
	holds "$(schedule 2)"
	awk '$4 != time {
			if (NR > 1 && oldest != 64000)
				print "the oldest held", oldest
			# what was sent before the release has left with it
			if (first && first < time)
				print "left behind:", first, time
			time = $4
			oldest = 0
			first = 0
			releases++
		}
		{
			if ($4 - $3 > oldest)
				oldest = $4 - $3
			if ($4 < $3)
				print "left before it came"
		}
		END {
			if (oldest != 64000)
				print "the oldest held", oldest
			if (releases < 20)
				print releases, "releases"
		}' "$TMP/list" >"$TMP/bad"
	# Packets sent before a release and leaving after it
	sort -nk3 "$TMP/list" | awk '
		$4 < left { print "left behind, sent", $3 }
		{ left = $4 }
		NR > 1 && $4 != last && $3 < last { print "stayed behind", last - $3 }
		{ last = $4 }' >>"$TMP/bad"
	[ ! -s "$TMP/bad" ] || fail "$(<"$TMP/bad")"
	expect '.r.hold.max_ns == 64000 and .r.hold.late_max_ns == 0'
}

# At 64 us flow 0 is due.  Flow 1 is due within the slack of 20 us, flow 2 just
# so, flow 3 not any more.
test_slack_between() {
	reframer delay 64us slack 20us
	held 0@0,1@10000,2@20000,3@20300 "64000 54000 44000 64000"
}

test_a_packet_joins_the_flow_that_waits() {
	reframer delay 64us slack 0
	held 0@0,1@1000,0@63000,1@64600,0@70000 "64000 64000 1000 400 64000"
}

test_full_by_packets_goes_at_once() {
	reframer delay 64us burst 3
	held 0@0,1@1000,0@2000,0@5000,1@40000 "5000 64000 3000 0 25000"
	expect '.r.releases.full == 1 and .r.releases.deadline == 1'
}

test_full_by_bytes_goes_at_once() {
	reframer delay 64us burst_bytes 300
	held 0@0,0@2000,0@5000 "5000 3000 0"
	expect '.r.releases.full == 1 and .r.releases.deadline == 0'
}

test_burst_1_never_holds() {
	reframer burst 1
	held 0@0,0@0,1@100,1@30000 "0 0 0 0"
}

test_delay_0_never_holds() {
	reframer delay 0
	capture
	send -x "$(schedule 3)"
	wait_drained
	arrived
	expect complete accounted '.cap.hold_ns.max == 0' \
		'.r.hold.max_ns == 0 and .r.timers == 0'
}

# The seventh packet is in the last eighth of the limit.
test_pressure_goes_at_once() {
	reframer delay 64us limit 8
	held 0@0,1@1000,2@2000,3@3000,4@4000,5@5000,6@6000,7@7000 \
		"6000 5000 4000 3000 2000 1000 0 64000"
	expect '.r.releases.pressure == 7 and .r.releases.deadline == 1'
}

# Packets that are held obey the new delay, a longer one, a shorter one, and
# one that is over.
test_change_of_the_delay() {
	local change sent new

	for change in "10ms 20ms 20000000" "10ms 5ms 5000000"; do
		read -r sent new want <<<"$change"
		reframer delay "$sent"
		capture
		send
		qdisc change dev tx0 root reframer delay "$new"
		wait_drained
		arrived
		expect complete ".cap.hold_ns.max == $want" \
			'.r.hold.late_max_ns == 0'
		qdisc del dev tx0 root
	done

	reframer delay 100ms
	capture
	send
	pause 0.01
	qdisc change dev tx0 root reframer delay 1us
	wait_drained
	arrived
	expect complete '.cap.hold_ns.max < 20000000'
}

test_change_of_the_slack() {
	reframer delay 10ms slack 0
	capture
	send -x 0@0,1@1000000
	qdisc change dev tx0 root reframer slack 10ms
	wait_drained
	arrived
	expect complete '.cap.hold_ns.max == 10000000' \
		'.cap.hold_ns.min == 9000000'
}

run_tests "$@"
