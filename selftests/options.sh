#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Options: tc shows the values that it has set, and refused values change nothing.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
REFRAMER_OPTIONS=

DEFAULTS='{"delay":64000,"slack":"auto","burst":64,"burst_bytes":65536,
	"limit":10240,"memory_limit":33554432,"flows":1024,
	"key":"flow","adaptive":true,"push":true,"coalesce":true}'

# Options for tc | the differences to the default options in JSON
GOOD=(
	'delay 1ms|"delay":1000000'
	'slack 10us|"slack":10000'
	'burst 7|"burst":7'
	'burst_bytes 3000|"burst_bytes":3000'
	'limit 100|"limit":100'
	'memory_limit 1mb|"memory_limit":1048576'
	'flows 100|"flows":128'
	'key src|"key":"src"'
	'key dst|"key":"dst"'
	'key hosts|"key":"hosts"'
	'key proto-dst|"key":"proto-dst"'
	'key mark|"key":"mark"'
	'key flow|"key":"flow"'
	'noadaptive|"adaptive":false'
	'adaptive|"adaptive":true'
	'nopush|"push":false'
	'push|"push":true'
	'nocoalesce|"coalesce":false'
	'coalesce|"coalesce":true'
	# smallest and largest values
	'delay 0|"delay":0'
	'delay 100ms|"delay":100000000'
	'delay 7ns|"delay":7'
	'slack auto|"slack":"auto"'
	'slack 0|"slack":0'
	'slack 64us|"slack":64000'
	'burst 1|"burst":1'
	'burst 65535|"burst":65535'
	'burst_bytes 256|"burst_bytes":256'
	'burst_bytes 16mb|"burst_bytes":16777216'
	'limit 1|"limit":1'
	'limit 4294967295|"limit":4294967295'
	'memory_limit 1|"memory_limit":1'
	'memory_limit 2gb|"memory_limit":2147483648'
	'flows 8|"flows":8'
	'flows 65536|"flows":65536'
	# together
	'delay 1us slack 1ns burst 2 burst_bytes 257 limit 3 memory_limit 4097 flows 9 key hosts noadaptive nopush nocoalesce|"delay":1000,"slack":1,"burst":2,"burst_bytes":257,"limit":3,"memory_limit":4097,"flows":16,"key":"hosts","adaptive":false,"push":false,"coalesce":false'
)

# Options for tc | the error message
BAD=(
	'delay 100000001ns|delay 100000001 ns not in 0..100000000 ns'
	'delay 4294967295ns|delay 4294967295 ns not in 0..100000000 ns'
	'slack 100000001ns|slack 100000001 ns not in 0..64000 ns (the delay), or auto'
	'slack 4294967294ns|slack 4294967294 ns not in 0..64000 ns (the delay), or auto'
	'slack 64001ns|slack 64001 ns not in 0..64000 ns (the delay), or auto'
	'delay 10us slack 11us|slack 11000 ns not in 0..10000 ns (the delay), or auto'
	'slack 1ns delay 0|slack 1 ns not in 0..0 ns (the delay), or auto'
	'burst 0|burst 0 not in 1..65535'
	'burst 65536|burst 65536 not in 1..65535'
	'burst_bytes 255|burst_bytes 255 not in 256..16777216'
	'burst_bytes 16777217|burst_bytes 16777217 not in 256..16777216'
	'limit 0|limit 0 not in 1..4294967295'
	'memory_limit 0|memory_limit 0 not in 1..2147483648'
	'memory_limit 2147483649|memory_limit 2147483649 not in 1..2147483648'
	'flows 0|flows 0 not in 8..65536'
	'flows 7|flows 7 not in 8..65536'
	'flows 65537|flows 65537 not in 8..65536'
	# a valid value with an invalid one
	'limit 5 delay 5us burst 0|burst 0 not in 1..65535'
)

# batch: tc commands from stdin; results in OUT (a JSON array of what each
# `show` printed) and ERR
batch() {
	"$TC" -n "$TX" -j -force -batch - >"$TMP/out" 2>"$TMP/err" || true
	OUT=$(jq -cs 'map(.[0].options)' "$TMP/out") || fail "no JSON: $(<"$TMP/out")"
	ERR=$(<"$TMP/err")
}

# same GOT EXPECTED: compare two JSON arrays
same() {
	jq -en --argjson got "$1" --argjson want "$2" '$got == $want' >/dev/null ||
		fail "got      $1"$'\n'"expected $2"
}

merged() { jq -c --argjson d "$DEFAULTS" 'map($d + .)' <<<"[${*}]"; }

test_each_at_creation() {
	local i want=""

	for i in '' "${GOOD[@]}"; do
		echo "qdisc add dev tx0 root handle 1: reframer ${i%%|*}"
		echo "qdisc show dev tx0"
		echo "qdisc del dev tx0 root"
	done >"$TMP/commands"
	for i in "${GOOD[@]}"; do
		want+=",{${i#*|}}"
	done
	batch <"$TMP/commands"
	[ -z "$ERR" ] || fail "$ERR"
	same "$OUT" "$(merged "{}$want")"
}

test_each_by_change() {
	local i want=""

	for i in "${GOOD[@]}"; do
		[[ $i != *flows* ]] || continue
		echo "qdisc add dev tx0 root handle 1: reframer"
		echo "qdisc change dev tx0 root reframer ${i%%|*}"
		echo "qdisc show dev tx0"
		echo "qdisc del dev tx0 root"
		want+=",{${i#*|}}"
	done >"$TMP/commands"
	batch <"$TMP/commands"
	[ -z "$ERR" ] || fail "$ERR"
	same "$OUT" "$(merged "${want#,}")"
}

# The slack that was set, and the effective slack, if the timer has never been late
test_slack() {
	local command want=""

	while IFS='|' read -r command shown; do
		echo "qdisc $command"
		echo "qdisc show dev tx0"
		want+=",[$shown]"
	done >"$TMP/commands" <<-END
		add dev tx0 root reframer delay 10us|10000,"auto",2500
		change dev tx0 root reframer delay 50us|50000,"auto",12500
		change dev tx0 root reframer slack 20us|50000,20000,20000
		change dev tx0 root reframer delay 30us|30000,20000,20000
		change dev tx0 root reframer limit 9|30000,20000,20000
		change dev tx0 root reframer delay 10us|10000,10000,10000
		change dev tx0 root reframer delay 40us|40000,10000,10000
		change dev tx0 root reframer slack auto|40000,"auto",10000
		change dev tx0 root reframer delay 4us|4000,"auto",1000
		change dev tx0 root reframer slack 0|4000,0,0
		change dev tx0 root reframer delay 100ms slack auto|100000000,"auto",25000000
		replace dev tx0 root reframer delay 1ms slack 500us|1000000,500000,500000
		replace dev tx0 root reframer delay 64us|64000,64000,64000
	END
	"$TC" -n "$TX" -s -j -batch - <"$TMP/commands" >"$TMP/out"
	same "$(jq -cs 'map(.[0] | [.options.delay, .options.slack, .reframer.timer.slack_ns])' \
		"$TMP/out")" "[${want#,}]"
}

test_switches_back_and_forth() {
	batch <<-END
		qdisc add dev tx0 root reframer noadaptive nopush key mark
		qdisc show dev tx0
		qdisc change dev tx0 root reframer adaptive
		qdisc show dev tx0
		qdisc change dev tx0 root reframer push noadaptive key flow
		qdisc show dev tx0
		qdisc change dev tx0 root reframer adaptive nopush
		qdisc show dev tx0
	END
	[ -z "$ERR" ] || fail "$ERR"
	same "$(jq -c 'map([.key, .adaptive, .push])' <<<"$OUT")" \
		'[["mark",false,false],["mark",true,false],["flow",false,true],["flow",true,false]]'
}

# refused COMMAND: each value of BAD is refused, with its message
refused() {
	local i messages

	for i in "${BAD[@]}"; do
		echo "qdisc $1 dev tx0 root handle 1: reframer ${i%%|*}"
		echo "qdisc show dev tx0"
	done >"$TMP/commands"
	batch <"$TMP/commands"
	# one "Error:" for each command, in their order
	mapfile -t messages < <(grep '^Error: ' <<<"$ERR")
	[ "${#messages[@]}" = "${#BAD[@]}" ] ||
		fail "${#messages[@]} messages for ${#BAD[@]} bad values: $ERR"
	for i in "${!BAD[@]}"; do
		[[ ${messages[i]} == *reframer*"${BAD[i]#*|}"* ]] ||
			fail "${BAD[i]%%|*}: ${messages[i]}"
	done
}

test_bad_values_at_creation() {
	refused add
	# No reframer was created; the device has its default qdisc.
	jq -se 'all(.[]; .[0].kind != "reframer")' "$TMP/out" >/dev/null ||
		fail "there is a qdisc: $(<"$TMP/out")"
}

test_bad_values_by_change() {
	reframer
	refused change
	same "$OUT" "$(jq -cn --argjson d "$DEFAULTS" --argjson n "${#BAD[@]}" \
		'[range($n) | $d]')"
}

# change_by_number ATTRIBUTE VALUE: set what tc only sets by keywords; print the answer
change_by_number() {
	in_tx python3 - "$1" "$2" <<-'END'
		import socket, struct, sys

		def attr(kind, data):
		    return struct.pack("HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)

		NETLINK_EXT_ACK, RTM_NEWQDISC, REQUEST_ACK = 11, 36, 5
		TCA_KIND, TCA_OPTIONS_NESTED = 1, 0x8002
		option = attr(int(sys.argv[1]), struct.pack("I", int(sys.argv[2])))
		body = struct.pack("BxxxiIII", 0, socket.if_nametoindex("tx0"), 0, 0xffffffff, 0)
		body += attr(TCA_KIND, b"reframer\0") + attr(TCA_OPTIONS_NESTED, option)
		s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
		s.setsockopt(270, NETLINK_EXT_ACK, 1)
		s.send(struct.pack("IHHII", 16 + len(body), RTM_NEWQDISC, REQUEST_ACK, 1, 0) + body)
		answer = s.recv(4096)
		error = struct.unpack_from("i", answer, 16)[0]
		print(error, answer.partition(b"reframer: ")[2].partition(b"\0")[0].decode())
	END
}

test_words_have_ranges_too() {
	local i answer before

	command -v python3 >/dev/null || skip "python3 is missing"
	reframer
	show
	before=$QS
	for i in '8 6|key 6 not in 0..5' '9 2|adaptive 2 not in 0..1' \
		 '10 2|push 2 not in 0..1' '11 2|coalesce 2 not in 0..1' \
		 '8 4294967295|key 4294967295 not in 0..5'; do
		# shellcheck disable=SC2086 # words
		answer=$(change_by_number ${i%%|*})
		[[ $answer == "-34 ${i#*|}"* ]] || fail "${i%%|*}: $answer"
	done
	show
	[ "$QS" = "$before" ] || fail "changed: $before to $QS"
	# set a valid value in the same way
	answer=$(change_by_number 8 5)
	[[ $answer == 0* ]] || fail "answer: $answer"
	show
	expect '.q.options.key == "mark"'
}

# An option of a newer tc is refused, not ignored.
test_unknown_options_are_refused() {
	local attribute answer before

	command -v python3 >/dev/null || skip "python3 is missing"
	reframer
	show
	before=$QS
	for attribute in 0 12 13 100 16383; do
		answer=$(change_by_number $attribute 1)
		[[ $answer == "-22 "* ]] || fail "$attribute: $answer"
	done
	show
	[ "$QS" = "$before" ] || fail "changed: $before to $QS"
}

test_flows_are_fixed_at_creation() {
	batch <<-END
		qdisc add dev tx0 root reframer flows 100
		qdisc change dev tx0 root reframer flows 128
		qdisc change dev tx0 root reframer flows 65 limit 9
		qdisc show dev tx0
		qdisc change dev tx0 root reframer flows 256 limit 8
		qdisc show dev tx0
	END
	same "$OUT" "$(merged '{"flows":128,"limit":9},{"flows":128,"limit":9}')"
	[[ $ERR == *"flows 256"*128* ]] || fail "message: $ERR"
}

test_nonsense_is_refused() {
	local bad before

	reframer
	show
	before=$QS
	for bad in "delay x" "delay -1us" "delay 5s" "burst 1.5" "limit 4294967296" \
		   "flows" "delay 1us delay 2us" "unknown 1" "key" "key any" \
		   "key 1" "key src key dst" "adaptive 1" "adaptive noadaptive" \
		   "push nopush" "nopush nopush" "coalesce nocoalesce" "slack automatic" \
		   "slack 4294967295ns" "slack auto slack 1us"; do
		# shellcheck disable=SC2086 # words
		if "$TC" -n "$TX" qdisc change dev tx0 root reframer $bad \
			2>"$TMP/err"; then
			fail "accepted: $bad"
		fi
		[ -s "$TMP/err" ] || fail "refused without a message: $bad"
	done
	show
	[ "$QS" = "$before" ] || fail "changed: $before to $QS"
}

# The plugin checks the type of a value and prints it; the module checks the range.
test_what_tc_wants() {
	local bad

	for bad in "delay x|a time below 4.29s" "delay 5s|a time below 4.29s" \
		   "slack x|auto or a time below 4.29s" \
		   "burst_bytes 5gb|a size below 4Gb" \
		   "limit 1.5|an unsigned 32-bit integer" \
		   "limit 4294967296|an unsigned 32-bit integer"; do
		# shellcheck disable=SC2086 # words
		! "$TC" -n "$TX" qdisc add dev tx0 root reframer ${bad%%|*} \
			2>"$TMP/err" || fail "accepted: $bad"
		# shellcheck disable=SC2086
		set -- ${bad%%|*}
		[ "$(<"$TMP/err")" = "Illegal \"$1\": \"$2\" is not ${bad#*|}" ] ||
			fail "$bad: $(<"$TMP/err")"
	done
}

# `tc qdisc add` accepts what `tc qdisc show` prints.
test_show_can_be_given_back() {
	local config text before

	for config in "" "slack auto" "delay 1ms" "delay 12345ns slack 678ns burst_bytes 1025 memory_limit 4097" \
		      "key proto-dst noadaptive" "nopush slack 64us" "nocoalesce" \
		      "delay 1500us burst 65535 burst_bytes 16mb limit 4294967295 memory_limit 2gb flows 8"; do
		reframer "$config"
		show
		before=$QS
		text=$("$TC" -n "$TX" qdisc show dev tx0)
		text=${text#*refcnt * }
		qdisc del dev tx0 root
		reframer "$text"
		show
		[ "$QS" = "$before" ] ||
			fail "\"$text\" gives $QS instead of $before"
		# and has the same effect: the delay can become shorter
		[[ $config == *slack* ]] || qdisc change dev tx0 root reframer delay 1ns
		qdisc del dev tx0 root
	done
}

test_statistics_are_numbers() {
	reframer delay 100ms "$ALWAYS"
	send -F 4 -n 4
	wait_drained
	expect '.r | .packets_in, .packets_out, .runs_in, .runs_out, .locality_in,
			.locality_out, .bursts.count, .bursts.mean_packets,
			.bursts.hist[], .releases.deadline, .releases.full,
			.releases.pressure, .releases.push,
			.releases.control, .releases.adaptive,
			.holds.paid, .holds.wasted, .timer.expiries, .hold.sum_ns,
			.hold.mean_ns, .hold.max_ns, .hold.late_max_ns, .timer.latency_ns,
			.timer.slack_ns, .hold.hist[], .flows.held, .flows.ready, .flows.peak,
			.collisions, .drops.limit, .drops.memory,
			.drops.change, .drops.reset, .drops.filter, .stolen,
			.memory_bytes,
			.table_bytes | type == "number"' \
		'.r.table_bytes >= 1024 * 64' '.r.flows.peak == 4' \
		'.r.holds.paid == 4 and .r.holds.wasted == 0' \
		'.q | .packets, .bytes, .drops | type == "number"'
	# and as text
	local text
	text=$("$TC" -n "$TX" -s qdisc show dev tx0)
	[[ $text == *"packets 16 -> 16 "*" slack 25ms"*"filter 0 stolen 0"* ]] ||
		fail "text: $text"
}

run_tests "$@"
