#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Advise: which captures reframer-advise reads, what it says of those that it cannot read,
# what it recommends, and that its memory does not depend on their length.
#
# Needs reframer-advise and python3, but neither root nor the module: scripts/check unit runs
# it on the host.
# shellcheck disable=SC2317 # functions are called by name
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
echo "TAP version 13"
skip_all() { echo "1..0 # SKIP $*"; exit 4; }
advise=
for dir in "${REFRAMER_BUILD:-}" "$here/../build"; do
	[ -n "$advise" ] || [ ! -x "$dir/reframer-advise" ] || advise=$dir/reframer-advise
done
[ -n "$advise" ] || skip_all "reframer-advise is not built: make tools"
for tool in python3 jq; do
	command -v $tool >/dev/null || skip_all "$tool is missing"
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
nr=0
bad=0

diag() { echo "# ${*//$'\n'/$'\n# '}"; }

# check NAME: the function of that name, without blanks, succeeds
check() {
	local rc

	nr=$((nr + 1))
	set +e
	( set -e; "${1// /_}" ) >out 2>&1
	rc=$?
	set -e
	case $rc in
	0) ! grep '^# ' out || true; echo "ok $nr $1" ;;
	4) echo "ok $nr $1 # SKIP $(tail -n 1 out)" ;;
	*) diag "$(<out)"; echo "not ok $nr $1"; bad=1 ;;
	esac
}

# make_capture FILE ARGUMENT...
make_capture() { python3 "$here/programs/make-capture" "${@:2}" >"$1"; }

# says TEXT COMMAND...: the command fails with this text on standard error, and prints
# nothing else
says() {
	local text=$1 rc=0

	shift
	"$@" >stdout 2>stderr || rc=$?
	if [ "$rc" = 0 ] || [ "$rc" -gt 2 ] || [[ $(<stderr) != *"$text"* ]] || [ -s stdout ]; then
		echo "status $rc of $*, and not \"$text\" but: $(<stderr)"
		return 1
	fi
}

# is CONDITION FILE [OPTION...]: of the JSON
is() {
	local condition=$1 file=$2

	shift 2
	"$advise" --json "$@" "$file" >json 2>stderr || { cat stderr; return 1; }
	jq -e "$condition" json >/dev/null || { echo "not $condition: $(head -c 2000 json)"; return 1; }
}

READ='.capture.packets == 4000 and .capture.tcp_data_packets == 4000 and
	.capture.duration_ns == 3999 * 4000 and
	.rows[0].locality_in == 1 and .rows[0].locality_out > 3'

captures_of_all_formats() {
	local format

	for format in micro nano big-endian pcapng; do
		make_capture "$format" --format "$format" 4000
		is "$READ" "$format" -d 128us
		cp json "$format.json"
	done
	is "$READ" - -d 128us <pcapng
	# gaps of 4 us are the same in all formats
	for format in micro big-endian pcapng; do
		diff <(jq .rows nano.json) <(jq .rows "$format.json")
	done
}

captures_of_all_link_types() {
	local link

	for link in ethernet raw sll sll2; do
		make_capture "$link" --link "$link" 4000
		is "$READ" "$link" -d 128us
		cp json "$link.json"
		diff <(jq .rows ethernet.json) <(jq .rows "$link.json")
	done
	make_capture radiotap --link radiotap 10
	says "link type IEEE802_11_RADIO (127), not EN10MB" "$advise" radiotap
}

damaged_captures() {
	make_capture whole 4000
	: >empty
	says "empty is empty" "$advise" empty
	head -c 20 whole >header
	says "cannot be read as pcap or pcapng: truncated" "$advise" header
	head -c 24 whole >none
	says "none has no packets" "$advise" none
	head -c 100 whole >one
	says "one has no whole packet: it is cut short" "$advise" one
	echo "this is not a capture, but a text" >text
	says "text cannot be read as pcap or pcapng: unknown file format" "$advise" text
	says "missing: No such file or directory" "$advise" missing
	# the length of the 101st record
	cp whole damaged
	printf '\377\377\377\177' | dd of=damaged bs=1 seek=$((24 + 100 * 170 + 8)) \
		conv=notrunc status=none
	says "damaged is damaged after 100 packets" "$advise" damaged
	# its length on the wire
	cp whole damaged
	printf '\377\377\377\177' | dd of=damaged bs=1 seek=$((24 + 100 * 170 + 12)) \
		conv=notrunc status=none
	says "damaged after 100 packets: the next one has 2147483647 bytes" "$advise" damaged
}

# A capture that ends within a packet, as that of a program that was killed
cut_captures() {
	make_capture whole 4000
	head -c 300000 whole >part
	is '.capture.packets == 1764 and (.capture.warnings[0] | test("cut short"))' part
	"$advise" part 2>&1 | grep 'part: the file is cut short' >/dev/null
	# without TCP headers
	make_capture short --length 40 4000
	is '.capture.packets == 4000 and (.capture.warnings | any(test("snapshot length")))' short
	# the packets begin anew, at an earlier time
	{ cat whole; tail -c +25 whole; } >twice
	is '.capture.packets == 8000 and (.capture.warnings | any(test("3999 packets have an earlier")))' \
		twice
}

captures_from_the_wrong_place() {
	make_capture one_way 4000
	is '.capture.warnings == []' one_way
	make_capture both --both 4000
	is '.capture.warnings | length == 1 and (.[0] | test("both directions"))' both
	make_capture super --load 20000 100
	is '.capture.warnings | length == 1 and (.[0] | test("100 packets are longer than 9216"))' \
		super
}

options_that_are_refused() {
	make_capture few 10
	says "no file is named" "$advise"
	says "delay \"64xs\" is not a time" "$advise" -d 64xs few
	says "delay 1s not in 0..100000000 ns" "$advise" -d 1s few
	says "burst 0 not in 1..65535" "$advise" -b 64,0 few
	says "key \"mark\" is not" "$advise" -k flow,mark few
	says "slack 64000 ns not in 0..16000 ns" "$advise" --slack 64us few
	says "at most 256 are allowed" "$advise" -b "$(seq -s , 1 30)" --variants few
	says "end in .png or .svg" "$advise" -p x.jpg few
	says "--variants includes" "$advise" --variants --nopush few
	says "filter \"bad words\"" "$advise" few bad words
	says "the filter takes none" "$advise" few udp
	says "No such device" "$advise" -i nosuchdevice
}

# A packet of each of 128 flows in turn, 1 us apart: no two of a flow are in a batch.  The
# gains are 50 %, 75 % and 87 % with delays of 256us, 512us and 1ms.
it_recommends_the_knee() {
	make_capture trains --flows 128 --gap 1000 40000
	is '.no_hold.merged == {"in_order": 0, "in_batches": 0} and .advice.helps and
		.advice.options == "delay 512us" and (.advice.why | test("This is the knee")) and
		(.rows | map(.gain_percent | round) == [0, 0, 0, 2, 50, 75, 87])' trains
	"$advise" trains | grep -x 'Recommended: delay 512us' >/dev/null
	is '.advice.options == "delay 256us" and (.advice.why | test("longer delay may gain more"))' \
		trains -d 128us,256us
	# defaults, unless other options merge more
	is '.advice.options == "delay 512us"' trains --variants -b 32,64
	is '.advice.options == "delay 512us burst 32"' trains -b 2,32
}

it_says_that_reframer_will_not_help() {
	# 4 flows in batches of 64
	make_capture batches --flows 4 --batch 64 --gap 1000 20000
	is '(.advice.helps | not) and (.advice.why | test("GRO merges 93.7 % of the packets by itself"))' \
		batches
	# each packet ends a message
	make_capture messages --flags 24 20000
	is '(.advice.helps | not) and (.advice.why | test("100.0 % of the packets end a message"))' messages
	# 8 ms from one packet of a flow to the next
	make_capture slow --gap 1000000 --flows 128 20000
	is '(.advice.helps | not) and (.advice.why | test("too far apart"))' slow
	# acknowledgments
	make_capture acks --load 0 20000
	is '(.advice.helps | not) and (.advice.why | test("Only 0.0 % of the packets"))' acks
	"$advise" acks | grep -x 'reframer will not help this traffic.' >/dev/null
}

keys_of_the_JSON_are_documented_and_occur_once() {
	local page=$here/../tools/reframer-advise.8

	make_capture few 100
	"$advise" --json few >json
	python3 -c '
import json, re, sys
def once(pairs):
    keys = [key for key, value in pairs]
    assert len(keys) == len(set(keys)), keys
    seen.update(keys)
    return dict(pairs)
seen = set()
json.load(open("json"), object_pairs_hook=once)
page = open(sys.argv[1]).read()
missing = [key for key in seen if not re.search(r"^\.BR? .*\b%s\b" % key, page, re.M)]
assert not missing, missing' "$page"
}

pictures() {
	command -v gnuplot >/dev/null || { echo "gnuplot is missing"; return 4; }
	make_capture trains --flows 128 --gap 1000 4000
	"$advise" --plot trains.png --variants trains >/dev/null
	"$advise" --plot trains.svg trains >/dev/null
	[ "$(head -c 4 trains.png | tail -c 3)" = PNG ]
	grep -q '>added delay of packets' trains.svg
}

progress() {
	make_capture many 20000
	[ -z "$("$advise" many 2>&1 >/dev/null)" ]
	{
		head -c 1000000 many
		sleep 1.5
		tail -c +1000001 many
	} | "$advise" --progress - 2>&1 >/dev/null |
		grep -E '^reframer-advise: [1-9][0-9]* packets$' >/dev/null
}

# peak FILE: of the memory, in KB
peak() {
	python3 -c '
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' "$advise" "$1"
}

# Ten times as many packets, of as many flows at a time, need hardly more memory.
memory() {
	local once ten

	make_capture once --flows 1000 --gap 1000 --length 80 20000
	make_capture ten --flows 1000 --gap 1000 --length 80 200000
	once=$(peak once)
	ten=$(peak ten)
	echo "# 20000 packets: $once KB, 200000 packets: $ten KB"
	[ "$ten" -lt $((once + once / 20)) ]
}

# Not asserted: it depends on the machine.
time_compared_with_tcpdump() {
	local start tcpdump

	command -v tcpdump >/dev/null || { echo "tcpdump is missing"; return 4; }
	make_capture many --flows 64 --length 96 200000
	start=${EPOCHREALTIME/./}
	tcpdump -r many -w /dev/null 2>/dev/null
	tcpdump=$((${EPOCHREALTIME/./} - start))
	start=${EPOCHREALTIME/./}
	"$advise" many >/dev/null
	echo "# tcpdump -r: $tcpdump us; per delay: $(((${EPOCHREALTIME/./} - start) / 7)) us"
}

tests=(
	"captures of all formats"
	"captures of all link types"
	"damaged captures"
	"cut captures"
	"captures from the wrong place"
	"options that are refused"
	"it recommends the knee"
	"it says that reframer will not help"
	"keys of the JSON are documented and occur once"
	"pictures"
	"progress"
	"memory"
	"time compared with tcpdump"
)
echo "1..${#tests[@]}"
for name in "${tests[@]}"; do
	check "$name"
done
exit $bad
