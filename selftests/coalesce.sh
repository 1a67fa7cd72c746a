#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Coalescing: packets that leave as one GSO packet, and what becomes of that.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
REFRAMER_OPTIONS=

helper frames
FRAMES=$HELPER
helper segments
SEGMENTS=$HELPER
helper tcpxfer
TCPXFER=$HELPER

# compare CONDITION: LIST becomes the kinds for which .want and .got packets do not meet it
compare() {
	LIST=$(jq -c --argjson got "$COUNTS" '[[., $got] | transpose[] |
		{kind: .[0].kind, want: .[0].packets, got: .[1]} |
		select('"$1"' | not)]' <<<"$KINDS")
}

# kinds_by ARGUMENTS...: what becomes of the kinds, sent that way
kinds_by() {
	WHAT="frames $*"
	frames_setup
	kinds
	reframer delay 100ms burst 8 "$ALWAYS" coalesce
	replay "$@"
	as_sent
	show
	GEN=$COUNTS
	compare '.got == .want'
	timely '.list == []'
	# in the file are headers, and eight VLAN tags that the qdisc sees beside the data
	expect accounted empty_now ".q.packets == 8 * ($KINDS | length)" \
		".q.bytes == $(stat -c %s "$TMP/pcap") - 24 - 16 * .q.packets - 8 * 4" \
		'.r.coalesce.segments - .r.coalesce.packets == .q.packets - (.gen | add)'
	qdisc del dev tx0 root
}

# The checksum is verified, or the device computes it; packets join a list, or are moved
# to page fragments.
test_kinds() {
	kinds_by -k
	kinds_by
	kinds_by -k -p
	kinds_by -p
}

# What GRO at the receiver makes of the same packets: never less of them
test_as_gro() {
	frames_setup
	kinds
	in_tx ethtool -K tx0 tso off
	nsenter --net="/run/netns/$RX" ethtool -K rx0 gro on rx-udp-gro-forwarding on
	reframer delay 100ms burst 8 "$ALWAYS" nocoalesce
	replay -k
	in_tx ethtool -K tx0 tso on
	nsenter --net="/run/netns/$RX" ethtool -K rx0 gro off
	compare '.got == .want'
	diag "differ: $LIST"
	compare '.got <= .want'
	show
	expect '.list == []' '.r.coalesce.packets == 0 and .r.coalesce.obstacle == "off"'
}

test_mixes() {
	local seed way

	frames_setup
	reframer delay 1ms "$ALWAYS" coalesce
	for seed in 1 2 3; do
		"$SEGMENTS" $seed 2000 20 >"$TMP/pcap" 2>"$TMP/flows"
		FLOWS=$(<"$TMP/flows")
		for way in -k -p; do
			WHAT="seed $seed $way"
			replay $way
			as_sent
		done
	done
	show
	expect accounted empty_now '.q.packets == 12000'
	timely '.r.coalesce.segments > 6000'
}

# packets PACKETS OPTION...: what becomes of the four plain trains of 8
plain() {
	local packets=$1

	kinds
	replay "${@:2}"
	as_sent
	GEN=$COUNTS
	timely "[.gen[:4][] | select(. != $packets)] == []"
}

# state CONDITION: what the statistics say
state() {
	show
	expect ".r.coalesce | $1"
}

# The device says how long GSO packets may be.  100 bytes of data, headers of 42 to 74
test_limits_of_the_device() {
	frames_setup
	reframer delay 100ms burst 8 "$ALWAYS" coalesce
	WHAT=gso_max_segs
	ip -n "$TX" link set tx0 gso_max_segs 3
	plain 3 -k
	ip -n "$TX" link set tx0 gso_max_segs 65535
	WHAT=gso_max_size
	ip -n "$TX" link set tx0 gso_max_size 480
	plain 2 -k
	ip -n "$TX" link set tx0 gso_max_size 65536
	WHAT="no list of fragments"
	in_tx ethtool -K tx0 tx-scatter-gather-fraglist off
	qdisc del dev tx0 root
	reframer delay 100ms burst 8 "$ALWAYS"
	plain 8 -k
	state '.packets == 0'	# else they would be segmented in software
	plain 1 -k -p
	in_tx ethtool -K tx0 tx-scatter-gather-fraglist on
	WHAT="burst 4"
	qdisc change dev tx0 root reframer burst 4
	plain 2 -k
	WHAT="nothing to wait for"
	qdisc change dev tx0 root reframer delay 0
	plain 8 -k
}

test_obstacles() {
	reframer
	state '.now == ["tcp4", "tcp6", "udp"] and (has("obstacle") | not)'
	in_tx ethtool -K tx0 tx-tcp-segmentation off
	state '.now == ["tcp6", "udp"] and (has("obstacle") | not)'
	in_tx ethtool -K tx0 tso off tx-udp-segmentation off
	state '.now == [] and .obstacle == "device"'
	in_tx ethtool -K tx0 tso on tx-udp-segmentation on
	qdisc change dev tx0 root reframer nocoalesce
	state '.now == [] and .obstacle == "off"'
	qdisc change dev tx0 root reframer coalesce
	ip -n "$TX" link set tx0 down
	state '.now == [] and .obstacle == "parent"'
	ip -n "$TX" link set tx0 up
	state '.now == ["tcp4", "tcp6", "udp"]'
}

# Not in software: TCP is left alone where TSO is off, UDP as well
test_device_without_offloads() {
	frames_setup
	reframer delay 100ms burst 8 "$ALWAYS"
	in_tx ethtool -K tx0 tso off tx-udp-segmentation off
	plain 8 -k
	in_tx ethtool -K tx0 tso on tx-udp-segmentation on
}

# A tbf never sends a packet that is larger than its burst.
test_parents() {
	local refused='coalesce not at the root or below mq'

	frames_setup
	qdisc add dev tx0 root handle 1: tbf rate 1gbit burst 400b limit 1mb
	! "$TC" -n "$TX" qdisc add dev tx0 parent 1:1 reframer coalesce 2>"$TMP/err" ||
		fail "coalesce below tbf"
	grep -q "$refused" "$TMP/err" || fail "$(<"$TMP/err")"
	qdisc add dev tx0 parent 1:1 handle 10: reframer delay 100ms burst 8 "$ALWAYS"
	state '.obstacle == "off"'
	! "$TC" -n "$TX" qdisc change dev tx0 parent 1:1 reframer coalesce 2>"$TMP/err" ||
		fail "coalesce below tbf"
	grep -q "$refused" "$TMP/err" || fail "$(<"$TMP/err")"
	plain 8 -k
	qdisc del dev tx0 root
}

# A change under way does not harm the packets that are held.
test_changes() {
	local i

	frames_setup
	reframer delay 1ms "$ALWAYS" coalesce
	"$SEGMENTS" 7 4000 20 >"$TMP/pcap" 2>"$TMP/flows"
	FLOWS=$(<"$TMP/flows")
	for ((i = 0; i < 40; i++)); do
		pause 0.001
		echo "qdisc change dev tx0 root reframer nocoalesce"
		pause 0.001
		echo "qdisc change dev tx0 root reframer coalesce burst $((i + 1))"
	done | "$TC" -n "$TX" -batch - &
	replay -k -g 20000
	wait $!
	as_sent
	show
	expect accounted empty_now '.q.packets == 4000' '.r.coalesce.segments > 0'
}

# inject ARGUMENTS...: send the frames of $TMP/pcap, whatever becomes of them
inject() { in_tx "$FRAMES" -t tap0 -k "$@" "$TMP/pcap" </dev/null >/dev/null; }

# Packets that were merged are dropped one and all, and each of them counts.
test_dropped_while_held() {
	frames_setup
	kinds
	reframer delay 100ms burst 100 "$ALWAYS" coalesce
	inject
	qdisc change dev tx0 root reframer limit 100
	qdisc change dev tx0 root reframer limit 1000
	inject
	ip -n "$TX" link set tx0 down
	ip -n "$TX" link set tx0 up
	wait_drained
	show
	expect accounted empty_now ".r.packets_in == 16 * ($KINDS | length)"
	# elsewhere the holds may have ended before
	! virtual_time || expect '.r.drops.change > 300 and .r.drops.reset > 300'
}

# A device that sends slowly: packets are merged while they wait for it, too, but a burst
# has no more packets than it may have, and a full queue drops no more than it must.
test_backlog() {
	slow_device 1 1000
	tap
	"$SEGMENTS" 1 2000 2 >"$TMP/pcap" 2>/dev/null
	reframer delay 1ms burst 7 "$ALWAYS" coalesce
	inject
	wait_drained
	# some packets of a burst come after its first ones have left
	inject -g 250000
	wait_drained
	show
	expect accounted empty_now '.q.packets == 4000' '.r.bursts.hist[3:] | add == 0'
	timely '.r.coalesce.mean_segments > 2'
	qdisc change dev tx0 root reframer limit 200 burst 64
	inject
	wait_drained
	show
	expect accounted empty_now '.q.packets + .r.drops.limit == 6000'
	timely '.r.drops.limit > 0'
	unpair
}

# far_router: two namespaces more, so that TX and RX are routers, and RX translates
# addresses and looks for packets that conntrack finds invalid
#
#     namespace $SRC          $TX                $RX               $DST
#     src0 10.0.1.2 -- 10.0.1.1, tx0 -- rx0, 10.0.3.1 -- dst0 10.0.3.2
SRC=rfm-$$-src
DST=rfm-$$-dst

far_router() {
	command -v nft >/dev/null || skip "no nft"
	"$TC" -n "$RX" qdisc del dev rx0 clsact 2>/dev/null || true
	ip -batch - <<-END
		netns add $SRC
		netns add $DST
		link add name src0 netns $SRC type veth peer name in0 netns $TX
		link add name dst0 netns $DST type veth peer name out0 netns $RX
	END
	quiet "$SRC" true
	quiet "$DST" true
	ip -n "$SRC" -batch - <<-END
		addr add 10.0.1.2/24 dev src0
		link set src0 up
		route add default via 10.0.1.1
	END
	ip -n "$DST" -batch - <<-END
		addr add 10.0.3.2/24 dev dst0
		link set dst0 up
	END
	ip -n "$TX" -batch - <<-END
		addr add 10.0.1.1/24 dev in0
		link set in0 up
		route replace 10.0.3.0/24 via 10.0.2.2
	END
	ip -n "$RX" -batch - <<-END
		addr add 10.0.3.1/24 dev out0
		link set out0 up
		route replace 10.0.1.0/24 via 10.0.2.1
	END
	in_tx sysctl -qw net.ipv4.ip_forward=1
	nsenter --net="/run/netns/$RX" sysctl -qw net.ipv4.ip_forward=1
	# single segments, which came over a wire
	nsenter --net="/run/netns/$SRC" ethtool -K src0 tso off
	nsenter --net="/run/netns/$RX" nft -f - <<-END
		table ip t {
			chain forward {
				type filter hook forward priority filter
				ct state invalid counter drop
			}
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname out0 masquerade
			}
		}
	END
}

# tcp NAMESPACE COUNTER: of /proc/net/snmp
tcp() {
	nsenter --net="/run/netns/$1" cat /proc/net/snmp | awk -v name="$2" '
		/^Tcp:/ && !line++ { for (i = 1; i <= NF; i++) column[$i] = i; next }
		/^Tcp:/ { print $column[name] }'
}

# routed COMMAND...: let it send from SRC to DST, through both routers
routed() {
	reframer delay 200us "$ALWAYS"
	"$@"
	LIST=$(jq -n --argjson retransmitted "$(tcp "$SRC" RetransSegs)" \
		--argjson wrong "$(tcp "$DST" InCsumErrors)" \
		--argjson invalid "$(nsenter --net="/run/netns/$RX" \
			nft -j list chain ip t forward | jq '.. | .counter?.packets // empty')" \
		'$ARGS.named')
	nsenter --net="/run/netns/$RX" nft delete table ip t
	ip -n "$TX" link del in0
	ip -n "$RX" link del out0
	ip netns del "$SRC"
	ip netns del "$DST"
	expect accounted '.list.wrong == 0 and .list.invalid == 0'
	timely '.r.coalesce.segments > 500'
}

test_router_with_nat() {
	far_router
	routed transfers "$SRC" "$DST" 10.0.3.2 400000
	! virtual_time || expect '.list.retransmitted == 0'
}

# serves NAMESPACE PORT: does somebody listen there?
serves() { nsenter --net="/run/netns/$1" ss -Hlnt "sport = $2" | grep -q .; }

# fetch: the file, over HTTP, and compare it
fetch() {
	nsenter --net="/run/netns/$DST" timeout 60 bash -c '
		exec 3<>/dev/tcp/10.0.1.2/80
		printf "GET /file HTTP/1.0\r\n\r\n" >&3
		sed "1,/^\r\$/d" <&3' | cmp - "$TMP/file"
}

applications() {
	local from=/run/netns/$SRC to=/run/netns/$DST i pids=()

	nsenter --net="$to" iperf3 -s >/dev/null 2>&1 &
	nsenter --net="$to" redis-server --protected-mode no --save '' \
		--dir "$TMP" >/dev/null &
	cat >"$TMP/nginx.conf" <<-END
		daemon off; user root; pid $TMP/nginx.pid; error_log stderr;
		events { }
		http { access_log off; server { listen 80; root $TMP; } }
	END
	nsenter --net="$from" nginx -c "$TMP/nginx.conf" 2>/dev/null &
	wait_for "iperf3 listens" serves "$DST" 5201
	wait_for "redis listens" serves "$DST" 6379
	wait_for "nginx listens" serves "$SRC" 80

	# its server does not wait for what is under way when the client ends
	GEN=$(nsenter --net="$from" timeout 60 iperf3 -J -c 10.0.3.2 -P 8 -n 4M |
		jq -c .end)
	expect '.gen.sum_sent.bytes >= 4000000 and .gen.sum_received.bytes > 0'
	head -c 1000000 /dev/urandom >"$TMP/file"
	for i in {1..4}; do
		fetch &
		pids+=($!)
		nsenter --net="$from" timeout 60 redis-cli -h 10.0.3.2 \
			-x set "$i" <"$TMP/file" >/dev/null &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || fail "HTTP or redis: $TMP/file does not arrive"
	done
	for i in {1..4}; do
		nsenter --net="$from" redis-cli -h 10.0.3.2 --raw get "$i" |
			head -c 1000000 | cmp - "$TMP/file" ||
			fail "redis has other data"
	done
	wait_drained
}

# iperf3, nginx and redis, from SRC to DST
test_applications() {
	local program

	for program in iperf3 nginx redis-server redis-cli ss; do
		command -v $program >/dev/null || skip "no $program"
	done
	far_router
	ip -n "$DST" route add default via 10.0.3.1
	routed applications
}

# The second router asks the sender for smaller packets.
test_smaller_mtu_behind() {
	far_router
	ip -n "$RX" link set out0 mtu 1000
	routed transfers "$SRC" "$DST" 10.0.3.2 400000
	expect '.list.retransmitted > 0'
}

# xdp: attach a program that passes all packets to rx0, until its standard input ends
xdp() {
	nsenter --net="/run/netns/$RX" python3 -c '
import ctypes, os, socket, struct, sys

# the number of bpf() on x86, and on arm64 and all newer architectures
BPF = 321 if os.uname().machine == "x86_64" else 280

def bpf(command, attributes):
    fd = libc.syscall(BPF, command, attributes, len(attributes))
    if fd < 0:
        sys.exit("bpf(%d): error %d" % (command, ctypes.get_errno()))
    return fd

libc = ctypes.CDLL(None, use_errno=True)
# r0 = XDP_PASS; exit
code = ctypes.create_string_buffer(struct.pack("<BBhiBBhi", 0xb7, 0, 0, 2, 0x95, 0, 0, 0))
gpl = ctypes.create_string_buffer(b"GPL")
program = bpf(5, struct.pack("<IIQQ", 6, 2, ctypes.addressof(code), ctypes.addressof(gpl)))
link = bpf(28, struct.pack("<IIII", program, socket.if_nametoindex("rx0"), 37, 0))
open(sys.argv[1], "w")
sys.stdin.read()' "$TMP/xdp"
}

# Where XDP looks at single packets, veth takes no others.
test_peer_with_xdp() {
	local go pid

	command -v python3 >/dev/null || skip "no python3"
	frames_setup
	reframer delay 100ms burst 8 "$ALWAYS"
	rm -f "$TMP/go" "$TMP/xdp"
	mkfifo "$TMP/go"
	xdp <"$TMP/go" 2>"$TMP/err" &
	pid=$!
	exec {go}>"$TMP/go"
	wait_for "XDP is attached" attached $pid
	[ -e "$TMP/xdp" ] || skip "no XDP: $(<"$TMP/err")"
	state '.now == [] and .obstacle == "device"'
	plain 8 -k
	exec {go}>&-
	wait $pid
	state '.now == ["tcp4", "tcp6", "udp"]'
	plain 1 -k
}

# in_guest PACKETS [-s]: what becomes of the plain trains on a tap, which leads to a virtual
# machine that has not enabled TSO, or has (-s).  TCP; a tap of 6.1 has no UDP segmentation.
in_guest() {
	local packets=$1

	rm -f "$TMP/guest"
	nsenter --net="/run/netns/$TX" "$FRAMES" -v tap1 "${@:2}" -r "$TMP/guest" \
		>"$TMP/out-v" &
	wait_for "the guest has its tap" test -e "$TMP/guest"
	"$SEGMENTS" >"$TMP/pcap" 2>/dev/null
	in_tx "$FRAMES" -t tap0 -k "$TMP/pcap" </dev/null
	pause 0.3
	kill -TERM $!
	wait $!
	GEN=$(<"$TMP/out-v")
	timely "[.gen[:2][] | select(. != $packets)] == []"
}

test_tap_to_a_guest() {
	frames_setup
	in_tx ip tuntap add dev tap1 mode tap vnet_hdr
	ip -n "$TX" link set tap1 up
	tell "qdisc add dev tap1 root reframer delay 100ms burst 8 $ALWAYS
		filter del dev tap0 ingress
		filter add dev tap0 ingress matchall action mirred egress redirect dev tap1"
	in_guest 8
	in_guest 1 -s
	tell "filter del dev tap0 ingress
		filter add dev tap0 ingress matchall action mirred egress redirect dev tx0"
	ip -n "$TX" link del tap1
}

# attached PID: XDP is attached, or cannot be
attached() { [ -e "$TMP/xdp" ] || ! kill -0 "$1" 2>/dev/null; }

run_tests "$@"
