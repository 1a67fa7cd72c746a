#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Trace: the tracepoint reports each release, in agreement with the statistics.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# trace_on: trace in an instance of its own, which the end of the test removes
trace_on() {
	for TRACEFS in /sys/kernel/tracing /sys/kernel/debug/tracing ""; do
		[ ! -d "$TRACEFS/events/reframer" ] || break
	done
	[ -n "$TRACEFS" ] || skip "no tracefs with events of reframer"
	TRACE=$TRACEFS/instances/reframer-$$
	mkdir "$TRACE"
	trap 'echo 0 >"$TRACE/tracing_on"; rmdir "$TRACE"; cleanup' EXIT
	trace_switch 1
}

trace_switch() { echo "$1" >"$TRACE/events/reframer/reframer_release/enable"; }

# traced: LIST becomes a JSON array of all releases so far
traced() {
	LIST=$(sed -nE 's/.* reframer_release: dev=(.*) handle=(.*) hash=(0x[0-9a-f]+|0) packets=([0-9]+) bytes=([0-9]+) hold=([0-9]+) reason=([a-z]+)$/{"dev":"\1","handle":"\2","hash":"\3","packets":\4,"bytes":\5,"hold":\6,"reason":"\7"}/p' \
		"$TRACE/trace" | jq -cs .)
	# else a line has another format
	[ "$(grep -c reframer_release: "$TRACE/trace")" = "$(jq length <<<"$LIST")" ] ||
		fail "$(<"$TRACE/trace")"
}

# One line for each release, of the first reframer of tx0
AGREES='(.list | length) == released and
	([.list[] | .reason] | group_by(.) | map({(.[0]): length}) | add) ==
		(.r.releases | with_entries(select(.value > 0))) and
	([.list[].hold] | add) == .r.hold.sum_ns and
	([.list[].hold] | max) == .r.hold.max_ns and
	([.list[].packets] | add) <= .r.packets_out'
FROM='all(.list[]; .dev == "tx0" and .bytes == 100 * .packets) and
	([.q.handle] == ([.list[].handle] | unique))'

# see ARGUMENTS...: send() them and check all releases
see() {
	send "$@"
	wait_drained
	traced
	expect "$AGREES" "$FROM" '.gen.refused == 0'
}

test_deadline() {
	trace_on
	reframer delay 100ms slack 100ms "$ALWAYS"
	holding 32 -F 4 -n 8
	wait_drained
	traced
	expect "$AGREES" "$FROM" '.q.handle == "1:"' '.list[-4:] |
		all(.[]; .packets == 8 and .reason == "deadline") and
		([.[].hash] | unique | length) == 4'
}

test_full() {
	trace_on
	qdisc add dev tx0 root handle ab: reframer delay 100ms burst 8 "$ALWAYS"
	see -F 4 -n 16
	expect '.list | length == 8 and
		all(.[]; .packets == 8 and .reason == "full") and
		([.[].hash] | unique | length) == 4'
}

test_pressure() {
	trace_on
	reframer delay 100ms limit 80 "$ALWAYS"
	see -F 14 -n 5
	expect '.list | length == 14 and all(.[]; .reason == "pressure")'
}

test_push_and_control() {
	trace_on
	reframer delay 100ms noadaptive
	see -k ip4.tcp -x 0@0:A,0@1:A,0@2:AP,1@3:A,1@4:A7
	expect '.list | map([.reason, .packets]) == [["push", 3], ["control", 2]]'
}

# The hash of a class is its number.
test_class() {
	trace_on
	reframer delay 100ms "$ALWAYS"
	see -p 1:5 -n 4
	expect '.list | map([.hash, .packets]) == [["0x5", 4]]'
}

test_adaptive() {
	trace_on
	reframer delay 10ms
	see -F 4 -n 1 -w 0:50 -g 1000000
	expect '.list[0] | .reason == "adaptive" and .hold == 0 and .packets == 1'
}

test_no_delay() {
	trace_on
	reframer delay 0
	see -F 4 -n 8
	expect 'all(.list[]; .reason == "deadline" and .hold == 0)'
}

test_off_again() {
	trace_on
	trace_switch 0
	reframer delay 1ms
	send -F 4 -n 8
	wait_drained
	traced
	expect '.list == [] and released > 0'
	trace_switch 1
	send -F 4 -n 8
	wait_drained
	traced
	expect '.list != []'
}

# Monitors of drops: newer kernels have a drop reason, and an event of qdiscs
test_drop_reason() {
	local event reason

	trace_on
	if [ -d "$TRACE/events/qdisc/qdisc_drop" ]; then
		event=qdisc/qdisc_drop reason="reason=OVERLIMIT"
	elif grep -qs QDISC_OVERLIMIT "$TRACE/events/skb/kfree_skb/format"; then
		event=skb/kfree_skb reason="reason: QDISC_OVERLIMIT"
	else
		skip "the kernel has no reason for that"
	fi
	stuck limit 20
	echo 1 >"$TRACE/events/$event/enable"
	send -F 4 -n 50
	echo 0 >"$TRACE/events/$event/enable"
	show
	WHAT=$(grep -m 3 "${event#*/}:" "$TRACE/trace" || true)
	expect ".r.drops.limit == $(grep -c "${event#*/}:.*$reason" "$TRACE/trace")" \
		'.r.drops.limit > 100'
}

# tool NAME: TOOL becomes its path, in the tree or where it is installed
tool() {
	TOOL=$HERE/../tools/$1
	[ -x "$TOOL" ] || TOOL=$(command -v "$1") ||
		skip "$1 is neither in ../tools nor installed"
}

# watch ARGUMENTS...: run reframer-releases while 4 flows are sent; output in $TMP/watched
watch() {
	local enabled

	"$TOOL" --seconds 3 "$@" >"$TMP/watched" &
	enabled=$TRACEFS/instances/reframer-releases-$!/events/reframer/reframer_release/enable
	wait_for "reframer-releases runs" grep -qs 1 "$enabled"
	send -F 4 -n 16
	wait $!
	[ ! -e "$enabled" ] || fail "it left its instance"
}

# The number of full bursts depends on the speed of the sender; compare with the statistics.
test_reframer_releases() {
	tool reframer-releases
	trace_on
	reframer delay 100ms burst 8 "$ALWAYS"
	watch tx0
	show
	WHAT=$(<"$TMP/watched")
	timely "$(awk '
		/^[0-9]+\.[0-9]+ dev=tx0 handle=1: hash=0x[0-9a-f]+ packets=[0-9]+ bytes=[0-9]+00 hold=[0-9]+ reason=(full|deadline)$/ {
			n[substr($NF, 8)]++
			split($5, packets, "=")
			sum += packets[2]
		}
		END {
			printf "[.r.releases.full, .r.releases.deadline, released] == [%d, %d, %d] and %d == 64\n",
				n["full"], n["deadline"], NR, sum
		}' "$TMP/watched")"
	watch tx1
	[ ! -s "$TMP/watched" ] || fail "of another device: $(<"$TMP/watched")"
	qdisc del dev tx0 root
	reframer delay 100ms burst 8 "$ALWAYS"
	watch --summary
	show
	WHAT=$(<"$TMP/watched")
	timely "$(awk '
		NR == 1 { titles = $1 " " $2 " " $3 }
		NR > 1 { n[$1] = $2; sum += $3 }
		END {
			printf "\"%s\" == \"reason releases packets\" and ", titles
			printf "[.r.releases.full, .r.releases.deadline, released] == [%d, %d, %d] and %d == 64\n",
				n["full"], n["deadline"], n["full"] + n["deadline"], sum
		}' "$TMP/watched")"
}

test_reframer_record() {
	tool reframer-record
	command -v perf >/dev/null || skip "perf is missing"
	[ -e /proc/sys/kernel/perf_event_paranoid ] ||
		skip "the kernel has no perf events"
	trace_on
	reframer delay 100ms burst 8 "$ALWAYS"
	"$TOOL" 5 >"$TMP/recorded" &
	while kill -0 $! 2>/dev/null; do	# perf starts slowly
		send -F 4 -n 16
	done
	wait $!
	grep -vE '^ *[0-9]+\.[0-9]+: +dev=tx0 handle=1: hash=0x[0-9a-f]+ packets=8 bytes=800 hold=[0-9]+ reason=full *$' \
		"$TMP/recorded" >"$TMP/bad" || true
	[ ! -s "$TMP/bad" ] || { too_slow "full bursts"; fail "$(head "$TMP/bad")"; }
	[ "$(wc -l <"$TMP/recorded")" -ge 8 ] || fail "$(<"$TMP/recorded")"
}

# histogram MAP: print the sum and the buckets of a histogram of reframer-holds
histogram() {
	awk -v map="@$1:" '$1 == map { on = 1; next }
		$0 == "" { on = 0 }
		on { sub(/ *\|.*/, ""); n += $NF; sub(/ *[0-9]+$/, ""); list = list " " $0 }
		END { print n + 0 list }' "$TMP/holds"
}

module_users() { cat /sys/module/sch_reframer/refcnt; }

test_reframer_holds() {
	local users packets i

	tool reframer-holds
	command -v bpftrace >/dev/null || skip "bpftrace is missing"
	[ -e /sys/kernel/btf/vmlinux ] || skip "the kernel has no types for bpftrace (BTF)"
	trace_on
	reframer delay 100ms burst 8 "$ALWAYS"
	users=$(module_users)
	timeout -s INT 200 "$TOOL" >"$TMP/holds" 2>&1 &
	# it starts slowly, and does not print when its probe is attached
	until [ "$(module_users)" -gt "$users" ]; do
		kill -0 $! 2>/dev/null || fail "no probe: $(<"$TMP/holds")"
		pause 0.1
	done
	for ((i = 0; i < 20; i++)); do
		send -F 4 -n 16
	done
	kill -INT $!
	wait $! || true
	packets=$(histogram 'packets[full]')
	WHAT=$(<"$TMP/holds")
	[ "${packets#* }" = "[8, 16)" ] || fail "bursts of other sizes"
	[[ $(histogram 'hold_us[full]') == "${packets%% *} ["* ]] || fail "holds are missing"
	! grep -q '^@name' "$TMP/holds" || fail "the names are still there"
}

run_tests "$@"
