# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Functions of reframer's selftests.  Tests run in a pair of network
# namespaces:
#
#      namespace $TX                         namespace $RX
#    +----------------------+              +----------------------+
#    | flowgen              |              |              flowcap |
#    |        10.0.2.1 tx0 -|---- veth ----|- rx0 10.0.2.2        |
#    |  root: reframer      |              |  gro on              |
#    |  tso off             |              |                      |
#    +----------------------+              +----------------------+
#
# With "gro on" at one end and "tso off" at the other, packets go through the NAPI of
# rx0: one ring, which keeps their order on any number of CPUs.  GRO does not merge the
# UDP packets of flowgen.  If $NICS names two network cards that are connected to each
# other, these become tx0 and rx0 instead of the veth.
#
# A script defines functions test_NAME and ends with: run_tests "$@".  A test runs in a
# subshell with set -e; it calls `fail` or `skip` to fail or to be skipped.  However it
# ends, processes and qdiscs that it left are removed.  A script runs all of its tests, or
# those whose names contain one of its arguments.
#
# In guests a process takes long to start, but packets are held for 100 ms at most.  So
# one tc runs all the time and takes commands from tell() and ask(), builtins of bash do
# what they can, and all tests of a script use the same namespaces until one fails.

set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TMP=$(mktemp -d)
exec {NEVER}<> <(:)		# a pipe that never has data, for pause()

TC=${TC:-tc}
TX=rfm-$$-tx
RX=rfm-$$-rx
MAC_TX=02:00:00:00:00:01
MAC_RX=02:00:00:00:00:02

# The last results: of flowgen, flowcap and tc -s qdisc show, and a list that the test
# makes itself.
GEN=null
CAP=null
QS=null
LIST=null

diag() { echo "# ${*//$'\n'/$'\n'# }"; }

# The part that a test has come to, for the message when it fails
WHAT=
fail() { diag "${WHAT:+$WHAT: }$*"; exit 1; }

skip() { echo "$*" >"$TMP/skip"; exit 4; }

in_tx() { nsenter --net="/run/netns/$TX" "$@"; }

virtual_time() { grep -q 'time-travel=inf-cpu' /proc/cmdline; }

need_virtual_time() {
	virtual_time && return
	echo "TAP version 13"
	skip_all "needs virtual time (time-travel=inf-cpu)"
}

pause() { read -rt "$1" -u "$NEVER" || true; }

# wait_for WHAT COMMAND...: wait until the command succeeds, at most 20 s
wait_for() {
	local what=$1 tries

	shift
	for ((tries = 0; tries < 400; tries++)); do
		if "$@"; then
			return
		fi
		pause 0.05
	done
	fail "20 s are over, and still not: $what"$'\n'"qdiscs: $QS"
}

# quiet NS COMMAND...: keep the namespace from sending packets of its own, such as
# neighbour and router discovery, then run the command, which saves a process
quiet() {
	local ns=$1

	shift
	# shellcheck disable=SC2016 # for the inner shell
	nsenter --net="/run/netns/$ns" bash -c '
		for f in /proc/sys/net/ipv6/conf/{all,default}/disable_ipv6; do
			[ ! -e $f ] || echo 1 >$f
		done
		for f in /proc/sys/net/ipv4/conf/{all,default}/rp_filter; do
			echo 0 >$f
		done
		exec "$@"' - "$@"
}

# end NS DEV ADDRESS PEER_ADDRESS PEER_MAC: set one end of a link up
end() {
	ip -n "$1" -batch - <<-END
		addr add $3/24 dev $2
		link set dev $2 up
		neigh add $4 lladdr $5 dev $2 nud permanent
	END
}

# connect: commands of ip that make tx0 and rx0
connect() {
	if [ -n "${NICS-}" ]; then
		echo "link set dev ${NICS% *} down netns $TX name tx0 address $MAC_TX"
		echo "link set dev ${NICS#* } down netns $RX name rx0 address $MAC_RX"
	elif [ -n "$SLOWNIC" ]; then
		echo "link add name tx0 netns $TX address $MAC_TX type slownic"
		echo "link add name rx0 netns $RX address $MAC_RX type dummy"
	else
		echo "link add name tx0 netns $TX address $MAC_TX numtxqueues $QUEUES numrxqueues $QUEUES type veth peer name rx0 netns $RX address $MAC_RX numtxqueues $QUEUES numrxqueues $QUEUES"
	fi
}

# disconnect: give the network cards back, if any
disconnect() {
	[ -n "${NICS-}" ] || return 0
	ip -n "$TX" link set dev tx0 down netns 1 name "${NICS% *}" 2>/dev/null || true
	ip -n "$RX" link set dev rx0 down netns 1 name "${NICS#* }" 2>/dev/null || true
}

carrier() {
	[[ $(ip -n "$TX" link show dev tx0) == *LOWER_UP* ]] &&
		[[ $(ip -n "$RX" link show dev rx0) == *LOWER_UP* ]]
}

# pair: make the namespaces drawn above, with $QUEUES queues, and start tc in $TX.  If
# $SLOWNIC is set, tx0 is a slownic, and nothing arrives at rx0.
QUEUES=1
SLOWNIC=
pair() {
	ip -batch - <<-END
		netns add $TX
		netns add $RX
		$(connect)
	END
	quiet "$TX" true
	quiet "$RX" ethtool -K rx0 gro on
	end "$TX" tx0 10.0.2.1 10.0.2.2 $MAC_RX
	end "$RX" rx0 10.0.2.2 10.0.2.1 $MAC_TX
	[ -z "${NICS-}" ] || wait_for "the link is up" carrier

	rm -f "$TMP/in"
	mkfifo "$TMP/in"
	: >"$TMP/answers"	# no FIFO: bash would read it byte by byte
	"$TC" -n "$TX" -s -j -batch - <"$TMP/in" >"$TMP/answers" &
	TC_PID=$!
	exec {TC_IN}>"$TMP/in" {TC_OUT}<"$TMP/answers"
}

# unpair: undo pair(), and delete the namespaces that a test has made.  tc would keep its
# namespace alive.  A test that calls pair() must call unpair() before it ends.
TC_PID=
unpair() {
	local ns

	[ -z "$TC_PID" ] || kill "$TC_PID" 2>/dev/null || true
	TC_PID=
	disconnect
	for ns in /run/netns/"rfm-$$-"*; do
		[ ! -e "$ns" ] || ip netns del "${ns##*/}"
	done
	SEND_TO=tx0
}

# two_queues: a new pair with two queues, with a reframer below mq for each.  A test that
# calls this must call unpair() before it ends.
two_queues() {
	unpair
	QUEUES=2
	pair
	QUEUES=1
	tell "qdisc add dev tx0 root handle 1: mq
		qdisc replace dev tx0 parent 1:1 handle 11: reframer
		qdisc replace dev tx0 parent 1:2 handle 12: reframer"
}

# A namespace, with its devices, is destroyed some time after its last process.
no_slownic() { [ ! -d /sys/module/slownic ] || rmmod slownic 2>/dev/null; }

# slow_device RING GAP [bql=1]: a new pair, in which tx0 is a slownic: it sends a packet
# every GAP us, and stops its queue when the ring is full.  A test that calls this must call
# unpair() before it ends.
slow_device() {
	local module=${REFRAMER_MODULE:-$HERE/../sch_reframer.ko}

	module=${module%/*}/selftests/modules/slownic/slownic.ko
	[ -e "$module" ] || skip "slownic is not built: make slownic"
	unpair
	wait_for "slownic is not used" no_slownic
	insmod "$module" ring="$1" gap="$2" "${@:3}"
	SLOWNIC=1
	pair
	SLOWNIC=
}

# ask COMMANDS: lines for tc; the last one prints JSON, which ANSWER gets.  After an
# error, tc has ended.
ask() {
	local line tries

	ANSWER=
	echo "$*" >&"$TC_IN"
	for ((tries = 0; tries < 20000; tries++)); do
		if IFS= read -r line <&"$TC_OUT"; then
			ANSWER+=$line
			return
		fi
		ANSWER+=$line
		pause 0.0005
		kill -0 "$TC_PID" || break
	done
	fail "tc failed: $*"
}

# tell COMMANDS: lines for tc; wait until they are done
tell() { ask "$*"$'\n'"qdisc show dev lo"; }

qdisc() { tell "qdisc $*"; }

class() { tell "class $*"; }

# Options for tests of holds: every flow is held, and only burst, limits and the clock
# release it.  With a slack as long as the delay, all held flows are released together.
# shellcheck disable=SC2034 # used by the tests
ALWAYS="noadaptive nopush"

# reframer OPTIONS...: add one at the root of tx0.  The environment may have options for
# all: REFRAMER_OPTIONS=nocoalesce runs the tests without coalescing.
reframer() { qdisc add dev tx0 root handle 1: reframer "${REFRAMER_OPTIONS:-}" "$@"; }

# ip_start ARGUMENTS...: start ip, which waits for the lines of ip_run LINES
ip_start() {
	rm -f "$TMP/ip"
	mkfifo "$TMP/ip"
	ip "$@" -batch - <"$TMP/ip" &
	IP_PID=$!
	exec {IP_IN}>"$TMP/ip"
}

ip_run() {
	echo "$*" >&"$IP_IN"
	exec {IP_IN}>&-
	wait "$IP_PID"
}

# throttled OPTIONS...: a reframer below a tbf of 200 kbit/s, so that packets pile up.
# tbf peeks: it sets one packet aside, which reframer has counted as sent but which is
# still in its qlen.
throttled() {
	tell "qdisc add dev tx0 root handle 1: tbf rate 200kbit burst 1600b limit 1mb
		qdisc add dev tx0 parent 1:1 handle 10: reframer $*"
}

# stuck OPTIONS...: a reframer 10: below a tbf that never gets tokens again.  Two packets
# were sent before, one of which tbf has set aside.  Later packets stay in the qdisc, where
# a test can look at them.  The delay is a multiple of the tick of virtual time.
stuck() {
	tell "qdisc add dev tx0 root handle 1: tbf rate 100bit burst 1600b limit 100mb
		qdisc add dev tx0 parent 1:1 handle 10: reframer delay 992us $ALWAYS $*"
	send -n 2 -l 1500 -f 99999
	wait_for "the parent is stuck" has_peeked
}

has_peeked() {
	show
	[[ $QS == *'"packets_in":2,"packets_out":2,'* ]]
}

# unstuck ARGUMENTS...: give tokens to the parent of stuck(), send() so that it notices,
# and wait until all packets have left
unstuck() {
	qdisc change dev tx0 root tbf rate 1gbit burst 100kb limit 100mb
	send "$@"
	wait_drained
}

# show: QS becomes a JSON array of all qdiscs of tx0
show() {
	ask "qdisc show dev tx0"
	QS=$ANSWER
}

# send ARGUMENTS...: run flowgen on one CPU.  The timer then runs on the same one, so
# packets cannot overtake each other on their way to the receiver.
SEND_TO=tx0
send() { GEN=$(in_tx "$FLOWGEN" -C 0 -i "$SEND_TO" "$@"); }

# forwarded: let send() reach tx0 without a socket, like packets that a router forwards.
# On newer kernels the qdisc does not count the memory of packets that a socket pays for.
forwarded() {
	SEND_TO=fwd0
	! ip -n "$TX" link add fwd0 up type dummy 2>/dev/null ||
		tell "qdisc add dev fwd0 clsact
			filter add dev fwd0 egress matchall action mirred egress redirect dev tx0"
}

need_tun() { [ -c /dev/net/tun ] || modprobe -q tun || skip "no /dev/net/tun"; }

# tap: what a program writes to tap0 is sent from tx0, as if forwarded
tap() {
	need_tun
	in_tx ip tuntap add dev tap0 mode tap vnet_hdr 2>/dev/null || return 0
	ip -n "$TX" link set tap0 up
	tell "qdisc add dev tap0 clsact
		filter add dev tap0 ingress matchall action mirred egress redirect dev tx0"
}

# sending PID: does the flowgen in the background still run?  It writes to $TMP/gen at its
# end: bash (5.2) may not notice the end of a child while it runs only builtins.
sending() { [ ! -s "$TMP/gen" ] && kill -0 "$1" 2>/dev/null; }

# capture ARGUMENTS...: run flowcap in the background until arrived().  CAPTURE_AT says
# where: here at the receiver; "$TX tx0" is right behind the qdisc.
CAPTURE_AT="$RX rx0"
# shellcheck disable=SC2120 # mostly none
capture() {
	rm -f "$TMP/ready"
	# no function of its own: $! has to be flowcap, not a subshell around it
	nsenter --net="/run/netns/${CAPTURE_AT% *}" "$FLOWCAP" \
		-i "${CAPTURE_AT#* }" -r "$TMP/ready" "$@" >"$TMP/cap" &
	CAP_PID=$!
	wait_for "the capture runs" test -e "$TMP/ready"
}

# arrived: end the capture and set CAP
arrived() {
	kill -TERM "$CAP_PID"
	wait "$CAP_PID"
	CAP=$(<"$TMP/cap")
}

# drained: no qdisc of tx0 has a backlog
drained() {
	show
	[[ ! $QS =~ \"(backlog|qlen)\":[1-9] ]]
}

wait_drained() { wait_for "all packets were sent" drained; }

# holding PACKETS ARGUMENTS...: send() that number of packets, all of which are then held.
# If the guest stops for a moment, that may take more than one attempt.
holding() {
	local packets=$1 tries

	shift
	for ((tries = 0; tries < 10; tries++)); do
		send -S $((tries * packets)) "$@"
		show
		[[ $QS != *"\"qlen\":$packets,"* ]] || return 0
		wait_drained
	done
	too_slow "packets to be seen held"
	fail "never saw packets held: $QS"
}

# Definitions for the conditions of expect().  .q is the first reframer, .r its own
# statistics; came and sent include packets that bypass, and sent counts a coalesced packet
# once, as the device does; all_accounted and root_empty are for trees of qdiscs.
JQ_DEFS='
def drops: [.r.drops[]] | add;
def released: [.r.releases[]] | add;
def came: .r.packets_in + .r.drops.filter + .r.bypass.packets;
def sent: .q.packets - (.r.coalesce.segments - .r.coalesce.packets);
def accounted: .r.packets_in + .r.drops.filter ==
		.r.packets_out + drops + .q.qlen and
	.q.drops == drops - .r.drops.reset;
def empty_now: .q.qlen == 0 and .q.backlog == 0 and .r.memory_bytes == 0 and
	.r.flows.held == 0 and .r.flows.ready == 0;
def all_accounted: all(.qs[] | select(.kind == "reframer");
	.reframer.packets_in + .reframer.drops.filter ==
		.reframer.packets_out + ([.reframer.drops[]] | add) + .qlen);
def root_empty: .qs | map(select(.root))[0] | .qlen == 0 and .backlog == 0;
def in_order: .cap.lost == 0 and .cap.reordered == 0 and .cap.duplicates == 0;
def complete: in_order and .cap.missing == 0 and
	.cap.packets == .gen.packets and .gen.refused == 0;
.q = ((.qs // []) | map(select(.kind == "reframer"))[0]) | .r = .q.reframer |
'

# expect CONDITION...: fail unless all these jq conditions over .gen .cap .qs .q .r .list
# are true
expect() {
	local state prog="" cond i=0 bad

	state="{\"gen\":$GEN,\"cap\":$CAP,\"qs\":$QS,\"list\":$LIST}"
	for cond; do
		prog+="(if ($cond) then empty else \$ARGS.positional[$((i++))] end),"
	done
	bad=$(jq -r "$JQ_DEFS ${prog}empty" --args "$@" <<<"$state") ||
		fail "cannot evaluate $* over $state"
	[ -z "$bad" ] || fail "not so: $bad"$'\n'"over $state"
}

# too_slow WHAT: this has failed; on a slow machine, skip the rest of the test
too_slow() { [ "${KSFT_MACHINE_SLOW:-}" != yes ] || skip "too slow for $1"; }

# timely CONDITION...: as expect(), for conditions that depend on how fast packets come.
# Outside virtual time a machine that is busy with other things may fail them: run_one()
# then runs the test again, twice at most.  A slow machine skips the rest of the test.
timely() {
	(expect "$@") && return
	too_slow "$1"
	if ! virtual_time && [ "$ATTEMPT" -lt 3 ]; then
		exit 5
	fi
	exit 1
}

# until_on_time COMMAND...: run the command, which sends packets through a new reframer,
# until its timers were on time, at most six times.  One timer in a hundred is a tick late
# because of the guest; a qdisc that sends too late does so in every attempt.  ON_TIME is
# in the statistics if no timer was late.
ON_TIME='"late_max_ns":0,'
until_on_time() {
	local tries

	for ((tries = 0; tries < 6; tries++)); do
		[ $tries = 0 ] || qdisc del dev tx0 root
		"$@"
		[[ $QS != *"$ON_TIME"* ]] || break
	done
}

on_time() {
	until_on_time "$@"
	expect complete accounted empty_now '.r.hold.late_max_ns == 0'
}

# left_at TIMES: for each packet of flowgen -x, captured in $TMP/list, check when it left:
# N+NS is NS ns after packet N of the list was sent
left_at() {
	sort -nk3 "$TMP/list" | awk -v want="$1" '
		{ sent[NR - 1] = $3; left[NR - 1] = $4 }
		END {
			if (split(want, w, " ") != NR)
				print NR, "packets"
			for (i = 0; i < NR; i++) {
				split(w[i + 1], at, "+")
				if (left[i] != sent[at[1]] + at[2])
					print "packet", i, "left at", at[1] "+" left[i] - sent[at[1]], "not", w[i + 1]
			}
		}' >"$TMP/bad"
	[ ! -s "$TMP/bad" ] || fail "$(<"$TMP/bad")"
}

cleanup() {
	local job

	for job in $(jobs -p); do
		kill "$job" 2>/dev/null || true
		[ "$job" != "$TC_PID" ] || TC_PID=
	done
	# the replacement makes sure that there is one to delete
	if [ -n "$TC_PID" ] && kill -0 "$TC_PID" 2>/dev/null; then
		tell "qdisc replace dev tx0 root pfifo
			qdisc del dev tx0 root"
	fi
}

# For tests of reframer as the leaf of classes

# pass CLASS...: send to these classes: all packets arrive, in order
pass() {
	local class sent=0

	capture
	for class; do
		send -p "$class" -F 8 -n 8 -o random -f $((${class#*:} * 100))
		sent=$((sent + 64))
	done
	wait_drained
	arrived
	expect in_order '.cap.missing == 0' ".cap.packets == $sent" all_accounted \
		root_empty
}

# hold_in CLASS: send 16 packets there, to be held for 100 ms
hold_in() { holding 16 -p "$1" -F 8 -n 2; }

# class_goes CLASS OTHER: delete a class that holds packets; the other one still works
class_goes() {
	hold_in "$1"
	class del dev tx0 classid "$1"
	show
	expect root_empty
	pass "$2"
}

# For tests that compare frames; FRAMES and SEGMENTS are these programs

# Packets come from a tap, as from a virtual machine, and behind the receiver is a device
# that cuts GSO packets again:
#
#     frames -t tap0 -- redirect -- tx0: reframer -- rx0 -- redirect -- cut0
#                                                    |                  |
#                                               frames -c           frames -o
frames_setup() {
	tap
	# the card would drop what is for others
	[ -z "${NICS-}" ] || ip -n "$RX" link set dev rx0 promisc on
	ip -n "$RX" link add cut0 up type dummy 2>/dev/null || true
	nsenter --net="/run/netns/$RX" ethtool -K cut0 tso off gso off tx off sg off
	nsenter --net="/run/netns/$RX" ethtool -K rx0 gro off
	! "$TC" -n "$RX" qdisc add dev rx0 clsact 2>/dev/null || "$TC" -n "$RX" \
		filter add dev rx0 ingress matchall action mirred egress redirect dev cut0
}

# watch OPTION DEV FILE...: start frames -o or -c in the receiver's namespace
watch() {
	rm -f "$TMP/watch$1"
	nsenter --net="/run/netns/$RX" "$FRAMES" "$1" "$2" -r "$TMP/watch$1" "${@:3}" \
		>"$TMP/out$1" &
	WATCHERS+=($!)
	wait_for "frames $1 runs" test -e "$TMP/watch$1"
}

# replay [-k]: send the frames of $TMP/pcap; ORDER and COUNTS are what arrives
replay() {
	WATCHERS=()
	watch -o cut0 "$TMP/pcap"
	watch -c rx0
	in_tx "$FRAMES" -t tap0 "$@" "$TMP/pcap" </dev/null
	wait_drained
	kill -TERM "${WATCHERS[@]}"
	wait "${WATCHERS[@]}"
	ORDER=$(<"$TMP/out-o")
	# shellcheck disable=SC2034 # for coalesce.sh
	COUNTS=$(<"$TMP/out-c")
}

# as_sent: all frames arrived, unchanged and each flow in its order.  FLOWS: the flow of
# each frame, in a line
as_sent() {
	local wrong

	wrong=$(awk -v flows="$FLOWS" '
		BEGIN { frames = split(flows, flow) }
		NF != frames { print NF " frames instead of " frames }
		{
			for (i = 1; i <= NF; i++) {
				if ($i !~ /^[0-9]+$/)
					print "frame " i " is " $i
				else if ($i < last[flow[$i + 1]])
					print "frame " $i " is behind " last[flow[$i + 1]]
				else
					last[flow[$i + 1]] = $i
			}
		}' <<<"$ORDER")
	[ -z "$wrong" ] || fail "${wrong:0:200}"
}

# kinds: the kinds of trains, 8 packets of each, in $TMP/pcap
kinds() {
	"$SEGMENTS" >"$TMP/pcap" 2>"$TMP/kinds"
	KINDS=$(<"$TMP/kinds")
	FLOWS=$(jq -r '[to_entries[].key | . as $k | range(8) | $k] | join(" ")' <<<"$KINDS")
}

# transfer BYTES: send them by local TCP, in packets of many segments, and check each.
# Needs TCPXFER, the program.
transfer() {
	local bytes=$1 pid

	rm -f "$TMP/listening"
	nsenter --net="/run/netns/$RX" "$TCPXFER" recv 5001 "$TMP/listening" \
		>"$TMP/received" &
	pid=$!
	wait_for "the receiver listens" test -e "$TMP/listening"
	in_tx timeout 60 "$TCPXFER" send 10.0.2.2 5001 "$bytes" >/dev/null ||
		fail "the transfer does not end"
	wait $pid
	wait_drained
	[ "$(<"$TMP/received")" = "{\"bytes\":$bytes,\"wrong\":0}" ] ||
		fail "received $(<"$TMP/received")"
}

# transfers FROM TO ADDRESS BYTES: eight at once, from a namespace to the address of
# another one
transfers() {
	local from=/run/netns/$1 to=/run/netns/$2 address=$3 bytes=$4 i pids=()

	rm -f "$TMP"/listening*
	for i in {1..8}; do
		nsenter --net="$to" timeout 60 "$TCPXFER" recv $((5000 + i)) \
			"$TMP/listening$i" >"$TMP/received$i" &
		pids+=($!)
		wait_for "the receiver listens" test -e "$TMP/listening$i"
	done
	for i in {1..8}; do
		nsenter --net="$from" timeout 60 "$TCPXFER" \
			send "$address" $((5000 + i)) "$bytes" >/dev/null &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || fail "a transfer does not end"
	done
	wait_drained
	for i in {1..8}; do
		[ "$(<"$TMP/received$i")" = "{\"bytes\":$bytes,\"wrong\":0}" ] ||
			fail "received $(<"$TMP/received$i")"
	done
}

# Signs of a bug in the kernel log
LOG_BAD='[^]]*(WARNING|BUG|\] RIP: |\] Call [Tt]race:|ref_tracker: |UBSAN: |unreferenced object|soft lockup|unregister_netdevice: waiting)[^]]*'

QFQ_WARNING="qfq_dequeue: non-workconserving leaf"

# bad_log LOG: print the first sign of a bug in this part of the kernel log
bad_log() {
	local log=$1 before

	# qfq warns, once, of any child that holds packets.
	if [[ $log == *"$QFQ_WARNING"* ]]; then
		before=${log%%"$QFQ_WARNING"*}
		log=${log#*"$QFQ_WARNING"}
		log="${before%cut here*}${log#*end trace}"
	fi
	# scripts/guests/check-log decides whether a race is reframer's
	log=${log//BUG: KCSAN/race}
	[[ ! $log =~ $LOG_BAD ]] || echo "${BASH_REMATCH[0]}"
}

# Titles of tests, where they differ from the function's name
declare -A TITLES

run_one() {
	local name=$1 mark rc=0 log bad title=${TITLES[$1]:-${1//_/ }}

	mark="reframer selftest $$.$TEST_NR $name"
	echo "<7>$mark" >/dev/kmsg
	rm -f "$TMP/skip"
	for ((ATTEMPT = 1; ATTEMPT <= 3; ATTEMPT++)); do
		[ -e "/run/netns/$TX" ] || pair
		set +e
		(
			trap cleanup EXIT
			set -e
			"test_$name"
		)
		rc=$?
		set -e
		[ $rc = 5 ] || break
		diag "attempt $ATTEMPT was too slow"
		unpair
	done
	log=$(dmesg)
	bad=$(bad_log "${log##*"$mark"}")
	if [ -n "$bad" ]; then
		diag "kernel log: $bad"
		rc=1
	fi
	case $rc in
	0)
		echo "ok $TEST_NR $title"
		PASSED=$((PASSED + 1))
		;;
	4)
		echo "ok $TEST_NR $title # SKIP $(<"$TMP/skip")"
		unpair
		;;
	*)
		echo "not ok $TEST_NR $title"
		FAILED=$((FAILED + 1))
		unpair
		;;
	esac
}

skip_all() { echo "1..0 # SKIP $*"; exit 4; }

need() {
	local tool

	for tool; do
		command -v "$tool" >/dev/null || skip_all "$tool is missing"
	done
}

# helper NAME: HELPER becomes the path of this program
helper() {
	local dir

	for dir in "${REFRAMER_BUILD:-}" "$HERE" "$HERE/../build/selftests"; do
		HELPER=$dir/$1
		[ ! -x "$HELPER" ] || return 0
	done
	skip_all "$1 is not built: make -C $HERE"
}

load_reframer() {
	if [ -n "${REFRAMER_MODULE:-}" ]; then
		insmod "$REFRAMER_MODULE"
	else
		modprobe -q sch_reframer
	fi
}

need_reframer() {
	[ -d /sys/module/sch_reframer ] || load_reframer ||
		skip_all "module sch_reframer cannot be loaded"
	[[ $("$TC" qdisc add dev lo reframer help 2>&1) == *burst_bytes* ]] ||
		skip_all "tc has no plugin for reframer (TC_LIB_DIR)"
}

run_tests() {
	local all=() line name arg

	trap 'unpair; rm -rf "$TMP"' EXIT
	echo "TAP version 13"
	[ "$UID" = 0 ] || skip_all "needs root"
	need ip "$TC" jq ethtool nsenter dmesg
	helper flowgen
	FLOWGEN=$HELPER
	helper flowcap
	FLOWCAP=$HELPER
	need_reframer

	while read -r line; do
		name=${line#declare -f test_}
		[ "$name" != "$line" ] || continue
		[ $# -gt 0 ] || all+=("$name")
		for arg; do
			[[ $name != *"$arg"* ]] || all+=("$name")
		done
	done < <(declare -F)

	echo "1..${#all[@]}"
	TEST_NR=0
	PASSED=0
	FAILED=0
	for name in "${all[@]}"; do
		TEST_NR=$((TEST_NR + 1))
		run_one "$name"
	done
	[ "$FAILED" = 0 ] || return 1
	[ "$PASSED" -gt 0 ] || return 4
}
