#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Metrics: what reframer-metrics prints is valid, and has the values of tc -s -j.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

TOOL=$HERE/../tools/reframer-metrics
[ -x "$TOOL" ] || TOOL=$(command -v reframer-metrics) || {
	echo "TAP version 13"
	skip_all "reframer-metrics is neither in ../tools nor installed"
}

# Prints a line for each error.  format is openmetrics or prometheus.
# shellcheck disable=SC2016 # variables of awk
SYNTAX='
function bad(what) { print "line " NR ": " what ": " $0 }

# The end of the samples of one qdisc; for a histogram it needs both
function end_metric() {
	if (type == "histogram" && metric != "" && (le != "+Inf" || count == ""))
		bad("before this, a histogram without +Inf or _count")
	if (metric != "")
		ended_metric[metric] = 1
	metric = le = count = bucket = ""
}

function start_family() {
	end_metric()
	if (family != "" && !samples)
		bad("before this, a family without samples")
	family = $3
	type = $4
	samples = unit = help = 0
	if (NF != 4 || type !~ /^(counter|gauge|histogram)$/)
		bad("bad type")
	if (family in families)
		bad("second family of this name")
	families[family] = 1
	if (type == "counter" && (family ~ /_total$/) != (format == "prometheus"))
		bad("bad name of a counter")
}

function comment() {
	if ($2 != "TYPE" && (family != $3 || samples))
		bad("not between the type and the samples")
	if ($2 == "TYPE")
		start_family()
	else if ($2 == "UNIT") {
		if (unit++ || format == "prometheus" || NF != 4 || family !~ ("_" $4 "$"))
			bad("bad unit")
	} else if ($2 == "HELP") {
		text = substr($0, length($1 $2 $3) + 4)
		gsub(/\\[\\n"]/, "", text)
		if (help++ || text == "" || text ~ /\\/)
			bad("bad help")
	} else
		bad("unknown comment")
	if ($3 !~ /^[a-zA-Z_:][a-zA-Z0-9_:]*$/)
		bad("illegal name")
}

# labels TEXT: set n, label[1..n], sorted and without le, and this_le; return the rest
function parse_labels(text,    one, name, i) {
	n = 0
	this_le = ""
	split("", names)
	do {
		text = substr(text, 2)
		if (!match(text, /^[a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\[\\n"])*"/)) {
			bad("bad label")
			return ""
		}
		one = substr(text, 1, RLENGTH)
		text = substr(text, RLENGTH + 1)
		name = substr(one, 1, index(one, "=") - 1)
		if (name in names)
			bad("two labels of this name")
		names[name] = 1
		if (name == "le") {
			this_le = substr(one, 5, length(one) - 5)
			continue
		}
		for (i = ++n; i > 1 && label[i - 1] > one; i--)
			label[i] = label[i - 1]
		label[i] = one
	} while (text ~ /^,/)
	if (text !~ /^\} /)
		bad("bad end of the labels")
	return substr(text, 3)
}

function sample(    name, value, key, suffix, i) {
	match($0, /^[a-zA-Z_:][a-zA-Z0-9_:]*/)
	name = substr($0, 1, RLENGTH)
	if (RLENGTH < 1 || substr($0, RLENGTH + 1, 1) != "{") {
		bad("no sample")
		return
	}
	value = parse_labels(substr($0, RLENGTH + 1))
	if (value !~ /^-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$/)
		bad("bad value")
	samples++

	suffix = substr(name, length(family) + 1)
	if (substr(name, 1, length(family)) != family ||
	    (type == "gauge" && suffix != "") ||
	    (type == "counter" && suffix != (format == "prometheus" ? "" : "_total")) ||
	    (type == "histogram" && suffix !~ /^_(bucket|count|sum)$/))
		bad("not a sample of " family)
	if (type != "gauge" && value < 0)
		bad("negative")
	if ((this_le != "") != (suffix == "_bucket"))
		bad("a bucket without le, or le without a bucket")

	key = family
	for (i = 1; i <= n; i++)
		key = key "," label[i]
	if (key != metric)
		end_metric()
	metric = key
	if (key in ended_metric)
		bad("not next to the other samples of the same labels")
	if ((name, key, this_le) in seen)
		bad("second sample with these labels")
	seen[name, key, this_le] = 1

	if (suffix == "_bucket") {
		if (le == "+Inf" || (le != "" && this_le != "+Inf" && this_le + 0 <= le + 0))
			bad("le does not ascend")
		if (this_le != "+Inf" && this_le !~ /^[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?$/)
			bad("bad le")
		if (value + 0 < bucket + 0)
			bad("buckets are not cumulative")
		le = this_le
		bucket = value
	} else if (suffix == "_count") {
		count = value
		if (count != bucket)
			bad("not the count of +Inf")
	}
}

eof { bad("after # EOF") }
$0 == "# EOF" && format == "openmetrics" { eof = 1; next }
/^#/ { comment(); next }
{ sample() }
END {
	end_metric()
	if (family != "" && !samples)
		bad("a family without samples")
	if (!eof && format == "openmetrics")
		bad("no # EOF")
}'

# valid FILE FORMAT: fail unless it is
valid() {
	[ ! -s "$1" ] || [ -z "$(tail -c 1 "$1")" ] || fail "$1 ends within a line"
	LC_ALL=C awk -v format="$2" "$SYNTAX" "$1" >"$TMP/errors"
	[ ! -s "$TMP/errors" ] || fail "not valid $2: $(<"$TMP/errors")"
}

# metrics: run it in both formats and check them; LIST becomes a JSON array of all samples,
# with their labels
metrics() {
	in_tx "$TOOL" >"$TMP/metrics"
	in_tx "$TOOL" --prometheus >"$TMP/prometheus"
	valid "$TMP/metrics" openmetrics
	valid "$TMP/prometheus" prometheus
	diff <(grep -v '^#' "$TMP/metrics") <(grep -v '^#' "$TMP/prometheus") >"$TMP/bad" ||
		fail "the formats differ: $(<"$TMP/bad")"
	LIST=$(sed -E '/^#/d
		s/^reframer_([^{]*)\{(.*)\} ([^ ]*)$/{"name":"\1",\2,"value":\3}/
		s/([{,])([a-z]+)="/\1"\2":"/g' "$TMP/metrics" | jq -cs .)
}

# is(NAME; LABELS; VALUE): exactly one sample of NAME has these labels, and this value.
# histogram(NAME; ARRAY; LE): its buckets have the counts of ARRAY
# shellcheck disable=SC2016 # variables of jq
JQ_DEFS+='
def all_of($name; $labels): [.list[] | select(.name == $name and . + $labels == .)];
def is($name; $labels; value): [all_of($name; $labels)[].value] == [value];
def is($name; value): is($name; {device: "tx0", handle: .q.handle}; value);
def is_seconds($name; ns): [all_of($name; {handle: .q.handle})[].value * 1e9 | round] == [ns];
def each_is($name; $by; object): . as $all | object | to_entries |
	all(.[]; . as $e | $all | is($name; {handle: .q.handle, ($by): $e.key}; $e.value));
def histogram($name; $hist; le):
	all_of($name + "_bucket"; {handle: .q.handle}) |
	[.[].value] == [foreach $hist[] as $n (0; . + $n)] and
	([.[].le | tonumber?] | length) >= ($hist | length) - 1 and
	([.[:-1][].le | tonumber] == [range(($hist | length) - 1) | le]) and
	.[-1].le == "+Inf";
'

# All values are those of the first reframer in QS
same_values() {
	expect 'is("sent_packets_total"; .q.packets)' 'is("sent_bytes_total"; .q.bytes)' \
		'is("queue_packets"; .q.qlen)' 'is("queue_bytes"; .q.backlog)' \
		'is("packets_in_total"; .r.packets_in)' \
		'is("packets_out_total"; .r.packets_out)' \
		'is("runs_in_total"; .r.runs_in)' 'is("runs_out_total"; .r.runs_out)' \
		'is("bypass_packets_total"; .r.bypass.packets)' \
		'is("bypass"; .r.bypass.now)' \
		'is("burst_packets_count"; .r.bursts.count)' \
		'is("burst_packets_sum"; .r.packets_out)' \
		'histogram("burst_packets"; .r.bursts.hist; pow(2; . + 1) - 1)' \
		'is("coalesce_packets_total"; .r.coalesce.packets)' \
		'is("coalesce_segments_total"; .r.coalesce.segments)' \
		'([all_of("coalesce"; {handle: .q.handle})[] | select(.value == 1).protocol] |
			sort) == (.r.coalesce.now | sort)' \
		'each_is("releases_total"; "reason"; .r.releases)' \
		'each_is("holds_total"; "result"; .r.holds)' \
		'is("hold_seconds_count"; released)' \
		'is_seconds("hold_seconds_sum"; .r.hold.sum_ns)' \
		'histogram("hold_seconds"; .r.hold.hist; (pow(2; .) - 1) / 1e9)' \
		'is_seconds("hold_max_seconds"; .r.hold.max_ns)' \
		'is_seconds("hold_late_max_seconds"; .r.hold.late_max_ns)' \
		'is("timer_expiries_total"; .r.timer.expiries)' \
		'is_seconds("timer_latency_seconds"; .r.timer.latency_ns)' \
		'is_seconds("timer_slack_seconds"; .r.timer.slack_ns)' \
		'each_is("flows"; "state"; .r.flows | {held, ready})' \
		'is("flows_peak"; .r.flows.peak)' 'is("collisions_total"; .r.collisions)' \
		'each_is("drops_total"; "reason"; .r.drops)' \
		'is("stolen_total"; .r.stolen)' 'is("memory_bytes"; .r.memory_bytes)' \
		'is("table_bytes"; .r.table_bytes)'
}

# some traffic: flows that are held, then some that bypass if they come in time
traffic() {
	reframer delay 100ms "$ALWAYS"
	send -F 4 -n 16
	wait_drained
	qdisc change dev tx0 root reframer delay 64us adaptive
	send -f 99 -F 64 -n 6 -g 20480
	wait_drained
}

test_after_traffic() {
	traffic
	metrics
	expect '.r.packets_in > 0 and .r.hold.sum_ns > 0 and .r.holds.paid > 0' \
		'all(.list[]; .device == "tx0" and .handle == "1:" and .parent == "root")'
	! virtual_time || expect '.r.bypass.packets > 0'
	same_values
}

test_full_queue() {
	forwarded	# so that every kernel counts the memory
	stuck limit 8
	send -F 4 -n 5
	qdisc change dev tx0 parent 1:1 reframer limit 4
	pause 0.1	# until the delay is over
	metrics
	show
	expect '.r.drops.limit == 12 and .r.drops.change == 4 and .q.qlen > 0' \
		'.r.memory_bytes > 0 and .r.flows.held + .r.flows.ready > 0' \
		'all(.list[]; .handle == "10:" and .parent == "1:1")'
	same_values
}

test_no_qdisc() {
	metrics
	[ "$(<"$TMP/metrics")" = "# EOF" ] || fail "$(<"$TMP/metrics")"
	[ ! -s "$TMP/prometheus" ] || fail "$(<"$TMP/prometheus")"
}

test_two_below_mq() {
	two_queues
	send -F 64 -n 2
	wait_drained
	metrics
	expect '[.list[] | {handle, parent}] | unique ==
			[{handle: "11:", parent: "1:1"}, {handle: "12:", parent: "1:2"}]' \
		'[all_of("sent_packets_total"; {})[].value] | add == 128 and min > 0'
	same_values
	# the other one
	QS=$(jq -c 'map(select(.kind == "reframer")) | reverse' <<<"$QS")
	expect '.q.handle != "11:" or .qs[1].handle == "12:"'
	same_values
	unpair
}

test_names_are_escaped() {
	ip -n "$TX" link add 'a"b\c,d="' type dummy
	tc -n "$TX" qdisc add dev 'a"b\c,d="' root reframer
	metrics
	ip -n "$TX" link del 'a"b\c,d="'
	expect 'all(.list[]; .device == "a\"b\\c,d=\"")' '.list | length > 50'
}

# instead NAME SCRIPT: a program for with(), which puts it before all others
instead() {
	mkdir -p "$TMP/bin"
	printf '#!/bin/bash\n%s\n' "$2" >"$TMP/bin/$1"
	chmod +x "$TMP/bin/$1"
}
with() { in_tx env PATH="$TMP/bin:$PATH" "$@"; }

# What an older module does not report is left out.
test_older_module() {
	traffic
	instead tc "$(command -v tc) \"\$@\" | jq -c 'del(.[].reframer | .bypass, .coalesce,
		.holds, .drops.filter, .hold.sum_ns, .hold.late_max_ns, .hold.hist, .stolen)'"
	with "$TOOL" >"$TMP/metrics"
	rm "$TMP/bin/tc"
	valid "$TMP/metrics" openmetrics
	! grep -E 'bypass_packets|coalesce|holds|reason="filter"|hold_seconds|late_max|stolen|null' \
		"$TMP/metrics" >"$TMP/bad" || fail "$(<"$TMP/bad")"
	grep -q '^reframer_drops_total.*reason="limit"' "$TMP/metrics" || fail "no drops"
	grep -q '^reframer_hold_max_seconds{' "$TMP/metrics" || fail "no hold_max_seconds"
}

# fails TEXT COMMAND...: with this message, prints nothing else, and leaves $TMP/dir alone
fails() {
	local text=$1

	shift
	! "$@" --output "$TMP/dir/reframer.prom" >"$TMP/out" 2>"$TMP/err" ||
		fail "it succeeds: $*"
	[[ $(<"$TMP/err") == *"$text"* ]] || fail "$*: $(<"$TMP/err")"
	[ ! -s "$TMP/out" ] || fail "$*: $(<"$TMP/out")"
	[ "$(ls -A "$TMP/dir") $(<"$TMP/dir/reframer.prom")" = "reframer.prom old" ] ||
		fail "$*: $(head "$TMP"/dir/*)"
}

test_errors_leave_the_old_file() {
	local jq

	jq=$(command -v jq)
	mkdir -p "$TMP/dir"
	echo old >"$TMP/dir/reframer.prom"
	reframer
	fails "jq is missing" in_tx env PATH=/nonexistent "$TOOL"
	fails "q_reframer.so" in_tx env TC_LIB_DIR=/nonexistent "$TOOL"
	instead tc "echo '[{\"kind\":\"reframer\"}]'"
	fails "q_reframer.so" with "$TOOL"
	instead tc 'exit 1'
	fails "tc -s -j qdisc show fails" with "$TOOL"
	rm "$TMP/bin/tc"
	instead jq "$jq \"\$@\" | head -n 3; exit 5"
	fails "something unexpected" with "$TOOL"
	rm -r "$TMP/bin/jq" "$TMP/dir"
}

# The new file is complete before it gets its name; until then the old one is there.
test_output_is_atomic() {
	local new

	mkdir -p "$TMP/dir"
	echo old >"$TMP/dir/reframer.prom"
	ln "$TMP/dir/reframer.prom" "$TMP/old"
	reframer
	in_tx "$TOOL" --prometheus >"$TMP/expected"
	instead mv "cp -r $TMP/dir $TMP/before; $(command -v mv) \"\$@\""
	(
		umask 077
		with "$TOOL" --prometheus --output "$TMP/dir/reframer.prom" >"$TMP/out"
	)
	rm "$TMP/bin/mv"
	[ ! -s "$TMP/out" ] || fail "$(<"$TMP/out")"
	cmp "$TMP/expected" "$TMP/dir/reframer.prom" || fail "another content"
	[ "$(<"$TMP/old")" = old ] || fail "the old file was written to"
	[ "$(stat -c %a "$TMP/dir/reframer.prom")" = 644 ] || fail "others cannot read it"
	[ "$(ls -A "$TMP/dir")" = reframer.prom ] || fail "left: $(ls -A "$TMP/dir")"
	# what a reader could see before the renaming
	[ "$(<"$TMP/before/reframer.prom")" = old ] || fail "the old file is gone"
	rm "$TMP/before/reframer.prom"
	new=$(ls -A "$TMP/before")
	[[ -n $new && $new != *.prom ]] || fail "the new file was \"$new\""
	cmp "$TMP/expected" "$TMP/before/$new" || fail "not complete before the renaming"
	rm -r "$TMP/dir" "$TMP/before" "$TMP/old"
}

# refused SED-SCRIPT ERROR: the syntax check finds this error in a changed output
refused() {
	sed -E "$1" "$TMP/metrics" >"$TMP/broken"
	! cmp -s "$TMP/metrics" "$TMP/broken" || fail "changes nothing: $1"
	LC_ALL=C awk -v format=openmetrics "$SYNTAX" "$TMP/broken" >"$TMP/errors"
	grep -qF "$2" "$TMP/errors" || fail "not found: $1: $(<"$TMP/errors")"
}

test_the_check_of_the_syntax_finds_errors() {
	traffic
	metrics
	refused \$d 'no # EOF'
	refused "\$a # EOF" 'after # EOF'
	refused '/# TYPE reframer_drops /d' 'not between'
	refused '/# TYPE reframer_drops /s/ drops/-drops/; s/_drops counter/_dr-ops counter/' \
		'illegal name'
	refused '/# TYPE reframer_drops /s/counter/number/' 'bad type'
	refused 's/(# TYPE reframer_drops) /\1_total /' 'bad name of a counter'
	refused '/# UNIT/s/seconds$/bytes/' 'bad unit'
	refused 's/(# HELP reframer_drops .*)/\1 \\x/' 'bad help'
	refused '/^reframer_drops_total.*limit/p' 'second sample'
	refused '/^reframer_burst_packets_count/s/^/reframer_burst_packets_sum{a="b"} 1\n/' \
		'not next to'
	refused 's/^reframer_drops_total(.*limit)/reframer_drops\1/' 'not a sample of'
	refused 's/device="tx0"/device="tx\\0"/' 'bad label'
	refused 's/device="tx0"/device="tx"0"/' 'bad end of the labels'
	refused 's/,handle=/,device=/' 'two labels'
	refused '/^reframer_flows_peak/s/ [0-9]+$/ many/' 'bad value'
	refused '/^reframer_flows_peak/s/$/ /' 'bad value'
	refused '/^reframer_drops_total/s/ ([0-9]+)$/ -1/' 'negative'
	refused '/^reframer_burst_packets_bucket.*le="1.0"/s/ [0-9]+$/ 999999/' \
		'not cumulative'
	refused '/^reframer_burst_packets_bucket/s/le="3.0"/le="0.5"/' 'le does not ascend'
	refused '/^reframer_burst_packets_bucket.*Inf/d' 'without +Inf or _count'
	refused '/^reframer_hold_seconds_count/s/$/1/' 'not the count of +Inf'
	refused '/^reframer_hold_seconds_count/d' 'without +Inf or _count'
	refused '/^reframer_hold_seconds_bucket/s/,le="[^"]*"//' 'a bucket without le'
	refused '/^$/!s/^# HELP reframer_flows_peak.*/\n&/' 'no sample'
}

run_tests "$@"
