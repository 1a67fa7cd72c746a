# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What the selftests of reframer share.  Each test has a new pair of network
# namespaces, set up by pair():
#
#      namespace $TX                         namespace $RX
#    +----------------------+              +----------------------+
#    | flowgen              |              |              flowcap |
#    |        10.0.2.1 tx0 -|---- veth ----|- rx0 10.0.2.2        |
#    |      root: reframer  |              |            gro on    |
#    +----------------------+              +----------------------+
#
# "gro on" gives rx0 a NAPI: one ring that keeps the order on any number of
# CPUs.  The UDP packets of flowgen are not merged by it.
#
# A script defines functions test_NAME and ends with: run_tests "$@".  A test
# runs in a subshell with set -e; it fails with `fail`, is skipped with `skip`,
# and what it leaves behind is removed when it ends, however it ends.  A script
# runs all of its tests, or those whose names contain one of its arguments.

set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT

TC=${TC:-tc}
TX=
RX=
TEST_NS=()

# The last results: of flowgen, of flowcap, and of tc -s qdisc show.
GEN=null
CAP=null
Q=null

diag() { echo "# ${*//$'\n'/$'\n'# }"; }

fail() { diag "$*"; exit 1; }

skip() { echo "$*" >"$TMP/skip"; exit 4; }

helper() {
	local dir

	for dir in "${REFRAMER_BUILD:-}" "$HERE" "$HERE/../build/selftests"; do
		if [ -n "$dir" ] && [ -x "$dir/$1" ]; then
			echo "$dir/$1"
			return
		fi
	done
	skip "$1 is not built: make -C $HERE"
}

in_tx() { ip netns exec "$TX" "$@"; }

in_rx() { ip netns exec "$RX" "$@"; }

virtual_time() { grep -q 'time-travel=inf-cpu' /proc/cmdline; }

# wait_for WHAT COMMAND...: until the command succeeds, at most 20 s
wait_for() {
	local what=$1 tries

	shift
	for ((tries = 0; tries < 400; tries++)); do
		if "$@"; then
			return
		fi
		sleep 0.05
	done
	fail "waited in vain until $what"
}

netns() {
	ip netns add "$1"
	TEST_NS+=("$1")
	# Neighbour and router discovery would disturb the counts.
	# shellcheck disable=SC2016 # for the inner shell
	ip netns exec "$1" bash -c '
		for f in /proc/sys/net/ipv6/conf/{all,default}/disable_ipv6; do
			[ ! -e $f ] || echo 1 >$f
		done
		for f in /proc/sys/net/ipv4/conf/{all,default}/rp_filter; do
			echo 0 >$f
		done'
}

mac() { echo "02:00:00:00:00:0$1"; }

# link NS1 DEV1 ID1 NS2 DEV2 ID2 [QUEUES]: veth, 10.0.N.M/24 and MAC by ID NM
link() {
	local n=${3%?} a=${3#?} b=${6#?} queues=${7:-1}

	ip -batch - <<-END
		link add name $2 netns $1 address $(mac "$a") numtxqueues $queues numrxqueues $queues type veth peer name $5 netns $4 address $(mac "$b") numtxqueues $queues numrxqueues $queues
	END
	ip -n "$1" -batch - <<-END
		addr add 10.0.$n.$a/24 dev $2
		link set dev $2 up
		neigh add 10.0.$n.$b lladdr $(mac "$b") dev $2 nud permanent
	END
	ip -n "$4" -batch - <<-END
		addr add 10.0.$n.$b/24 dev $5
		link set dev $5 up
		neigh add 10.0.$n.$a lladdr $(mac "$a") dev $5 nud permanent
	END
	ip netns exec "$4" ethtool -K "$5" gro on 2>/dev/null ||
		skip "ethtool cannot set gro of a veth"
}

# pair [QUEUES]: the namespaces drawn above
pair() {
	TX=rfm-$$-$TEST_NR-tx
	RX=rfm-$$-$TEST_NR-rx
	netns "$TX"
	netns "$RX"
	link "$TX" tx0 21 "$RX" rx0 22 "${1:-1}"
}

qdisc() { "$TC" -n "$TX" qdisc "$@"; }

class() { "$TC" -n "$TX" class "$@"; }

# reframer OPTIONS...: put it at the root of tx0
reframer() { qdisc replace dev tx0 root handle 1: reframer "$@"; }

# show: all qdiscs of tx0 as an array in QS, the (first) reframer in Q
show() {
	QS=$("$TC" -n "$TX" -s -j qdisc show dev tx0)
	Q=$(jq -c '[.[] | select(.kind == "reframer")][0]' <<<"$QS")
}

# send ARGUMENTS...: of flowgen; on one CPU, where the timer then runs, too, so
# that the packets cannot overtake each other on their way to the receiver
send() { GEN=$(in_tx "$(helper flowgen)" -C 0 -i tx0 "$@"); }

CAP_PID=

# cap_start ARGUMENTS...: of flowcap, until cap_stop sets CAP
cap_start() {
	rm -f "$TMP/ready"
	# not in_rx(): $! has to be flowcap, not a subshell around it
	ip netns exec "$RX" "$(helper flowcap)" -i rx0 -r "$TMP/ready" "$@" \
		>"$TMP/cap" &
	CAP_PID=$!
	wait_for "the capture runs" test -e "$TMP/ready"
}

cap_stop() {
	kill -TERM "$CAP_PID" 2>/dev/null || true
	wait "$CAP_PID"
	CAP=$(cat "$TMP/cap")
	expect '.cap.lost == 0'
}

# The backlog of all qdiscs of tx0 is zero.
drained() {
	show
	jq -e 'all(.[]; (.backlog // 0) == 0 and (.qlen // 0) == 0)' \
		>/dev/null <<<"$QS"
}

wait_drained() { wait_for "all packets were sent: ${QS:-}" drained; }

# What the conditions of expect() may use
JQ_DEFS='
def drops: [.q.reframer.drops[]] | add;
def accounted: .q.reframer.packets_in ==
		.q.reframer.packets_out + drops + .q.qlen and
		drops == .q.drops;
def released: [.q.reframer.releases[]] | add;
def empty_now: .q.qlen == 0 and .q.backlog == 0 and
		.q.reframer.memory_bytes == 0 and
		.q.reframer.flows.held == 0 and .q.reframer.flows.ready == 0;
def in_order: .cap.reordered == 0 and .cap.duplicates == 0;
def complete: in_order and .cap.missing == 0 and
		.cap.packets == .gen.packets and .gen.refused == 0;
'

# expect CONDITION...: jq conditions over {gen, cap, q, qs}, all to hold
expect() {
	local state prog="" cond i=0 bad

	state="{\"gen\":$GEN,\"cap\":$CAP,\"q\":$Q,\"qs\":${QS:-null}}"
	for cond; do
		prog+="(if ($cond) then empty else \$ARGS.positional[$((i++))] end),"
	done
	bad=$(jq -r "$JQ_DEFS ${prog}empty" --args "$@" <<<"$state") ||
		fail "cannot evaluate: $* over $state"
	if [ -n "$bad" ]; then
		fail "not so: $bad"$'\n'"over $(jq -c 'del(.qs)' <<<"$state")"
	fi
}

cleanup() {
	local job ns

	for job in $(jobs -p); do
		kill "$job" 2>/dev/null || true
	done
	for ns in "${TEST_NS[@]}"; do
		ip netns del "$ns" 2>/dev/null || true
	done
}

# Lines of the kernel log that a test must not cause
LOG_BAD='WARNING|BUG|] RIP: |] Call Trace:|ref_tracker: |unreferenced object|soft lockup|unregister_netdevice: waiting'

log_since() { dmesg | sed -n "\|$1|,\$p" | grep -E "$LOG_BAD" || true; }

run_one() {
	local name=$1 mark rc=0 bad

	mark="reframer selftest $$.$TEST_NR $name"
	echo "<7>$mark" >/dev/kmsg || true
	rm -f "$TMP/skip"
	set +e
	(
		trap cleanup EXIT
		set -e
		"test_$name"
	)
	rc=$?
	set -e
	bad=$(log_since "$mark")
	if [ -n "$bad" ]; then
		diag "the kernel complained: $bad"
		rc=1
	fi
	case $rc in
	0)
		echo "ok $TEST_NR ${name//_/ }"
		PASSED=$((PASSED + 1))
		;;
	4)
		echo "ok $TEST_NR ${name//_/ } # SKIP $(cat "$TMP/skip")"
		;;
	*)
		echo "not ok $TEST_NR ${name//_/ }"
		FAILED=$((FAILED + 1))
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

need_reframer() {
	if [ ! -d /sys/module/sch_reframer ]; then
		if [ -n "${REFRAMER_MODULE:-}" ]; then
			insmod "$REFRAMER_MODULE" ||
				skip_all "$REFRAMER_MODULE cannot be loaded"
		else
			modprobe -q sch_reframer ||
				skip_all "module sch_reframer cannot be loaded"
		fi
	fi
	[[ $("$TC" qdisc add dev lo reframer help 2>&1) == *burst_bytes* ]] ||
		skip_all "tc has no plugin for reframer (TC_LIB_DIR)"
}

run_tests() {
	local all name arg

	echo "TAP version 13"
	[ "$(id -u)" = 0 ] || skip_all "needs root"
	need ip "$TC" jq ethtool dmesg
	${REFRAMER_SELFTEST_NO_MODULE:+:} need_reframer

	mapfile -t all < <(declare -F | sed -n 's/^declare -f test_//p' |
		while read -r name; do
			[ $# -gt 0 ] || echo "$name"
			for arg; do
				[[ $name != *"$arg"* ]] || echo "$name"
			done
		done | sort -u)
	echo "1..${#all[@]}"
	TEST_NR=0
	PASSED=0
	FAILED=0
	for name in "${all[@]}"; do
		TEST_NR=$((TEST_NR + 1))
		run_one "$name"
	done
	if [ "$FAILED" -gt 0 ]; then
		exit 1
	elif [ "$PASSED" = 0 ]; then
		exit 4
	fi
	exit 0
}
