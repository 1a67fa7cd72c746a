#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Stress: random changes under mixed traffic of two CPUs.  Every packet is accounted for,
# none is reordered or held too long, and no memory leaks.
#
# STRESS_SECONDS: duration of all rounds (20); STRESS_SEED: seed of the random changes

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

ROUND=4		# seconds of traffic between two checks of the counters
LONGEST=5	# ms, the longest of the delays below
# For how long a guest with two busy emulated CPUs may stop, in ms
PATIENCE=2000
[ "${KSFT_MACHINE_SLOW:-}" != yes ] || PATIENCE=20000

# The receiver's ring may overflow, so capture right behind the qdisc.
CAPTURE_AT="$TX tx0"

pick() { PICK=${*:1 + RANDOM % $#:1}; }

# any_config: CONFIG becomes a random value of each option
any_config() {
	local delay

	pick 0 20us 300us 2ms ${LONGEST}ms
	delay=$PICK
	pick 0 "$delay"
	CONFIG="delay $delay slack $PICK"
	pick 1 2 64 65535
	CONFIG+=" burst $PICK"
	pick 256b 9kb 64kb 16mb
	CONFIG+=" burst_bytes $PICK"
	pick 1 40 10240 4294967295
	CONFIG+=" limit $PICK"
	pick 1 40kb 32mb 2gb
	CONFIG+=" memory_limit $PICK"
	pick flow src dst hosts proto-dst mark
	CONFIG+=" key $PICK"
	pick adaptive noadaptive
	CONFIG+=" $PICK"
	pick push nopush
	CONFIG+=" $PICK"
	pick coalesce nocoalesce
	CONFIG+=" $PICK"
}

# tcp_stream: one connection after the other, until $TMP/stop
tcp_stream() {
	while [ ! -e "$TMP/stop" ]; do
		rm -f "$TMP/listening"
		timeout 5 nsenter --net="/run/netns/$RX" "$TCPXFER" recv 5001 \
			"$TMP/listening" >>"$TMP/tcp" 2>/dev/null &
		while [ ! -e "$TMP/listening" ] && kill -0 $! 2>/dev/null; do
			pause 0.05
		done
		in_tx timeout 4 "$TCPXFER" send 10.0.2.2 5001 20000 \
			>/dev/null 2>&1 || true
		wait $! || true
	done
}

# pktgen_stream: packets of 256 flows from the kernel, until $TMP/stop.  flowcap does not
# count them as flowgen's.
pktgen_stream() {
	# shellcheck disable=SC2016 # for the inner shell
	nsenter --net="/run/netns/$TX" bash -c '
		cd /proc/net/pktgen
		echo add_device tx0 >kpktgend_1
		shift
		for setting; do
			echo "$setting" >tx0
		done
		while [ ! -e "$0" ]; do
			echo start >pgctrl
			sleep 0.1
		done
		echo rem_device_all >kpktgend_1' "$TMP/stop" - \
		"count 500" "clone_skb 0" "pkt_size 80" "delay 200000" \
		"xmit_mode queue_xmit" "dst_mac $MAC_RX" "dst 10.0.2.99" \
		"src_min 10.0.3.1" "src_max 10.0.3.1" "udp_src_min 1000" \
		"udp_src_max 1255" "flag UDPSRC_RND" 2>/dev/null || true
}

# segment_stream: packets that can be coalesced, until $TMP/stop
segment_stream() {
	local seed

	for ((seed = 1; ; seed++)); do
		in_tx "$SEGMENTS" $seed 300 8 >"$TMP/pcap" 2>/dev/null
		[ ! -e "$TMP/stop" ] || break
		in_tx "$FRAMES" -t tap0 -k -g 1000000 "$TMP/pcap" </dev/null
	done
}

# traffic: start traffic of all kinds on both CPUs; it ends by itself
traffic() {
	local cpu

	rm -f "$TMP/stop" "$TMP"/gen.* "$TMP/tcp"
	: >"$TMP/tcp"
	PIDS=()
	for cpu in 0 1; do
		nsenter --net="/run/netns/$TX" "$FLOWGEN" -C $cpu -i tx0 -F 64 \
			-n 4 -T 2 -o random -s $((RANDOM + 1)) -g 150000 \
			-f $((cpu * 100)) -t $(((ROUND + 1) * 1000)) >"$TMP/gen.$cpu" &
		PIDS+=($!)
	done
	tcp_stream &
	PIDS+=($!)
	segment_stream &
	PIDS+=($!)
	pktgen_stream &
	PIDS+=($!)
}

flowing() { kill -0 "${PIDS[0]}" 2>/dev/null && [ ! -s "$TMP/gen.0" ]; }

# pktgen_stops: stop pktgen; a run ends only when all its packets were accepted
pktgen_stops() {
	[ ! -e /proc/net/pktgen ] ||
		in_tx bash -c 'echo stop >/proc/net/pktgen/pgctrl'
	! kill -0 "${PIDS[4]}" 2>/dev/null
}

# ebbed: wait for the end of all traffic; GEN becomes the sum of flowgen's counters
ebbed() {
	wait "${PIDS[0]}" "${PIDS[1]}"
	: >"$TMP/stop"
	wait_for "pktgen stops" pktgen_stops
	wait "${PIDS[@]}"
	wait_drained
	arrived
	GEN=$(jq -cs '{ packets: map(.packets) | add, refused: map(.refused) | add }' \
		"$TMP"/gen.*)
	TCP=$((TCP + $(wc -l <"$TMP/tcp")))
	! grep -v '"wrong":0' "$TMP/tcp" || fail "TCP delivered wrong bytes"
}

# transmitted: SENT becomes the number of packets that the device was given
transmitted() {
	SENT=$(ip -n "$TX" -s -j link show dev tx0 |
		jq '.[0].stats64.tx | .packets + .dropped')
}

# The filters do not mix flowgen's flows: they make some packets control packets, drop one
# flow, and put TCP into a class of its own.
FILTERS=("u32 match u32 0 15 at 36 action skbedit priority 7"
	"u32 match ip src 10.128.0.3/32 action drop"
	"u32 match ip protocol 6 0xff classid 1:7")

# One qdisc: every single packet is accounted for.  In the last second nothing changes and
# every flow is held, so that holds that are too long would be seen.
options_round() {
	local n=0 filters=() i before changing

	reframer
	transmitted
	before=$SENT
	capture
	traffic
	changing=$((SECONDS + ROUND))
	while flowing && ((n < ROUND || SECONDS < changing)); do
		any_config
		qdisc change dev tx0 root reframer "$CONFIG"
		i=$((RANDOM % ${#FILTERS[@]}))
		if [ -n "${filters[i]:-}" ]; then
			tell "filter del dev tx0 parent 1: protocol ip prio $((i + 1))"
			filters[i]=
		else
			tell "filter add dev tx0 parent 1: protocol ip prio $((i + 1)) ${FILTERS[i]}"
			filters[i]=1
		fi
		((n++ % 8)) || "$TC" -n "$TX" -s class show dev tx0 >/dev/null
		pause 0.01
	done
	qdisc change dev tx0 root reframer "delay ${LONGEST}ms slack 0 burst 65535" \
		"burst_bytes 16mb limit 10240 memory_limit 32mb $ALWAYS"
	ebbed
	transmitted
	# From 6.19 on the core itself refuses packets while too many others wait for the
	# lock of the qdisc.
	[ -e /proc/sys/net/core/qdisc_max_burst ] || expect '.gen.refused == 0'
	expect in_order accounted empty_now \
		"sent == $((SENT - before))" \
		'came > .gen.packets - .gen.refused' \
		".r.hold.late_max_ns < $PATIENCE * 1000000" \
		".r.hold.mean_ns < 4 * $LONGEST * 1000000" \
		".cap.packets + drops >= .gen.packets - .gen.refused"
	[ $n -ge $ROUND ] || fail "only $n changes"
	qdisc del dev tx0 root
	CHANGES=$((CHANGES + n))
}

declare -A PARENT=(
	[prio]="qdisc add dev tx0 root handle 1: prio"
	[drr]="qdisc add dev tx0 root handle 1: drr
		class add dev tx0 parent 1: classid 1:1 drr quantum 1500"
	[htb]="qdisc add dev tx0 root handle 1: htb
		class add dev tx0 parent 1: classid 1:1 htb rate 10gbit"
	[hfsc]="qdisc add dev tx0 root handle 1: hfsc
		class add dev tx0 parent 1: classid 1:1 hfsc sc rate 10gbit"
	[tbf]="qdisc add dev tx0 root handle 1: tbf rate 10gbit burst 1mb limit 100mb"
	[ets]="qdisc add dev tx0 root handle 1: ets bands 3 quanta 1500 1500 1500"
)

# One reframer after the other: as root, as leaf, replaced, with its device down.  Their
# counters go with them, so only the last one's can be checked.
parents_round() {
	local n=0 kind

	capture
	traffic
	while flowing; do
		# shellcheck disable=SC2086 # words
		pick root ${!PARENT[*]}
		kind=$PICK
		any_config
		LEAF=${CONFIG/ coalesce}
		WHAT="$kind, $CONFIG"
		if [ "$kind" = root ]; then
			reframer flows 65536 "$CONFIG"
		else
			tell "${PARENT[$kind]}
				qdisc add dev tx0 parent 1:1 handle 10: reframer $LEAF"
			[ "$kind" = tbf ] || tell "filter add dev tx0 parent 1: matchall classid 1:1"
			pause 0.02
			tell "qdisc replace dev tx0 parent 1:1 handle 20: reframer $LEAF
				qdisc replace dev tx0 parent 1:1 handle 30: pfifo
				qdisc replace dev tx0 parent 1:1 handle 40: reframer"
		fi
		pause 0.02
		if ((RANDOM % 4 == 0)); then
			ip -n "$TX" -batch - <<-END
				link set dev tx0 down
				link set dev tx0 up
				neigh replace 10.0.2.2 lladdr $MAC_RX dev tx0 nud permanent
			END
			pause 0.02
		fi
		n=$((n + 1))
		! flowing || qdisc del dev tx0 root
	done
	WHAT=
	ebbed
	expect in_order all_accounted root_empty \
		".cap.packets > 0 and .cap.packets <= .gen.packets" \
		".cap.hold_ns.max < ($LONGEST + $PATIENCE) * 1000000"
	cleanup
	[ $n -ge 2 ] || fail "only $n qdiscs"
	CHANGES=$((CHANGES + n))
}

# used: USED becomes the kernel memory that cannot be reclaimed, in kB
used() {
	echo 3 >/proc/sys/vm/drop_caches
	USED=$(awk '/^(SUnreclaim|VmallocUsed|Percpu):/ { kb += $2 } END { print kb }' \
		/proc/meminfo)
}

# The table of a reframer of 1024 flows takes 72 kB.  The allocators' lists of free objects
# vary with the load, and KASAN keeps freed objects for some time.
MARGIN=2048
[ ! -e /sys/kernel/debug/kmemleak ] || MARGIN=16384

memory_is_back_to() {
	local tries

	for ((tries = 0; tries < 10; tries++)); do
		used
		[ $((USED - $1)) -ge $MARGIN ] || return 0
		pause 0.5
	done
	fail "$USED kB of kernel memory are used, and $1 kB before"
}

# rounds FUNCTION: repeat it for half of the time; the used memory after the first round
# and after the last one is the same
rounds() {
	local end before

	[ "$(nproc)" -gt 1 ] || skip "needs two CPUs: scripts/guests/vm"
	modprobe -q pktgen || true
	helper tcpxfer
	TCPXFER=$HELPER
	helper frames
	FRAMES=$HELPER
	helper segments
	SEGMENTS=$HELPER
	RANDOM=${STRESS_SEED:=$RANDOM}
	tap
	# UDP is coalesced.  Packets of local TCP are segmented behind the qdisc, so the device
	# counts them as .q.packets does.
	in_tx ethtool -K tx0 tso off gso off
	CHANGES=0 TCP=0
	"$1"
	used
	before=$USED
	end=$((SECONDS + (${STRESS_SECONDS:-20} - 1) / 2 - ROUND))
	while
		"$1"
		[ $SECONDS -lt $end ]
	do
		:
	done
	memory_is_back_to "$before"
	[ $TCP -gt 0 ] || fail "no TCP connection got through"
	diag "$CHANGES changes, $TCP connections, seed $STRESS_SEED, memory $before kB, then $USED kB"
}

test_all_options_change() { rounds options_round; }

test_parents_and_devices_change() { rounds parents_round; }

run_tests "$@"
