# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The network of scripts/demo and of `scripts/bench web`.  Sourced in the guest by a
# script that has an array $servers: serve() adds its process to it.
#
#   snd            sw                     rtr                    rcv
#   s0 ---------- w0 | br0 | w1 -------- in | forwards | out --- c0
#   servers            htb, fq_codel:         ^the qdisc         clients,
#                      mixes the trains       under test         GRO on
#
# The links w1-in and out-c0 are network cards, if the guest has them (wire.sh).
#
# A host sends each write as a train of packets of one connection.  The switch
# mixes the trains, like a link where many of them meet: its egress is the bottleneck,
# and fq_codel with a quantum of one MTU sends a packet of each connection in turn.
# TSO is off: packets arrive at the router, and at the receiver, with the size of the MTU.
# GRO is on at the receiver and, if there are cards, at the router.

# shellcheck source-path=SCRIPTDIR source=wire.sh
. scripts/demo.d/wire.sh
sender=10.9.1.1
receiver=10.9.2.2
packet=$((1514 * 8))	# bits

# stop PID...: end these processes, and wait for their end
stop() {
	kill "$@" 2>/dev/null || :
	wait "$@" 2>/dev/null || :
}

topology() {
	local ns port
	for ns in snd sw rtr rcv; do
		ip netns add $ns
		ip -n $ns link set lo up
	done
	ip link add s0 netns snd type veth peer name w0 netns sw
	wire sw w1 rtr in
	wire rtr out rcv c0
	ip -n sw link add br0 type bridge
	ip -n sw link set w0 master br0
	ip -n sw link set w1 master br0
	moderate 1000
	for port in snd:s0 sw:w0 sw:w1 sw:br0 rtr:in rtr:out rcv:c0; do
		on "${port%:*}" ethtool -K "${port#*:}" tso off gso off gro off
		ip -n "${port%:*}" link set "${port#*:}" up
	done
	merging on
	hashes
	ip -n snd addr add $sender/24 dev s0
	ip -n rtr addr add 10.9.1.2/24 dev in
	ip -n rtr addr add 10.9.2.1/24 dev out
	ip -n rcv addr add $receiver/24 dev c0
	ip -n snd route add default via 10.9.1.2
	ip -n rcv route add default via 10.9.2.1
	on rtr sysctl -qw net.ipv4.ip_forward=1
	sysctl -qw net.core.netdev_max_backlog=10000
	on sw tc qdisc add dev w1 root handle 1: htb default 1
	link 100000000000
	# TCP puts as much into a GSO packet as a connection sends in 1 ms: 12
	# segments at 140 Mb/s, but 2 in a guest that is 30 times slower than real
	# time.  The last segment has PSH, where GRO stops merging.
	on snd sysctl -qw net.ipv4.tcp_min_tso_segs=12
	# A window of about 40 packets for each connection, so that the queue in
	# the switch stays far below its limit: it never drops.
	windows 131072
}

# merging STATE: GRO of those who have it
merging() {
	on rcv ethtool -K c0 gro "$1"
	[ -z "${NICS-}" ] || on rtr ethtool -K in gro "$1"
}

# windows BYTES: the maximum size of a new connection's buffers
windows() {
	local ns
	for ns in snd rcv; do
		on $ns sysctl -qw net.ipv4.tcp_rmem="4096 65536 $1" \
			net.ipv4.tcp_wmem="4096 65536 $1"
	done
}

topology_down() {
	local ns
	for ns in snd sw rtr rcv; do ip netns del $ns 2>/dev/null || :; done
}

# link BITS: the speed of the switch's egress
link() {
	local burst=$(($1 / 8000 + 65536))	# a timer may be late by as much
	on sw tc class replace dev w1 parent 1: classid 1:1 htb \
		rate "$1bit" burst $burst cburst $burst quantum 1514
}

# mix: the connections share the switch's egress packet by packet
mix() {
	on sw tc qdisc replace dev w1 parent 1:1 handle 10: fq_codel \
		limit 60000 memory_limit 512m flows 4096 target 10s \
		interval 20s quantum 1514 noecn
}

# no_mix: packets leave in the order of arrival, so trains stay whole
no_mix() {
	on sw tc qdisc replace dev w1 parent 1:1 handle 11: pfifo limit 60000
}

# merge LINKS BITS: the connections come through LINKS slow links of BITS per second
# each.  Where these links merge, their trains overlap, with or without a queue.
merge() {
	local i class
	for ((i = 0; i < $1; i++)); do
		class=1:$(printf %x $((0x100 + i)))
		on sw tc class replace dev w1 parent 1: classid "$class" htb \
			rate "$2bit" burst 1600 cburst 1600 quantum 1514
		on sw tc qdisc replace dev w1 parent "$class" pfifo limit 60000
	done
	on sw tc filter add dev w1 parent 1: protocol ip prio 1 handle 1 flow \
		hash keys proto-src,proto-dst divisor "$1" baseclass 1:100
}
no_merge() { on sw tc filter del dev w1 parent 1: prio 1; }

# delay_of PACKETS BITS: in what time, in us, PACKETS pass; at most reframer's longest delay
delay_of() {
	local us=$(($1 * packet * 1000 / ($2 / 1000)))
	echo $((us < 100000 ? us : 100000))
}

# serve DIRECTORY SIZE...: start nginx, which serves a file named SIZE of each size
serve() {
	local dir=$1 size
	shift
	mkdir -p "$dir/www"
	for size; do head -c "$size" /dev/urandom >"$dir/www/$size"; done
	chmod -R a+rX "$dir"
	cat >"$dir/nginx.conf" <<-END
	daemon off; worker_processes 1; pid $dir/nginx.pid; error_log stderr;
	events { worker_connections 4096; }
	http { access_log off; sendfile on; keepalive_requests 1000000;
	       server { listen 80 backlog=4096; root $dir/www; } }
	END
	ip netns exec snd nginx -c "$dir/nginx.conf" 2>"$dir/nginx.log" &
	servers+=($!)
	listening snd 80
}

# listening NAMESPACE PORT: wait until a server listens there
listening() {
	until on "$1" ss -Hlnt "sport = $2" | grep -q .; do sleep 0.1; done
}

# snmp NAMESPACE NAME=COUNTER...: print NAME=VALUE lines
snmp() {
	local ns=$1
	shift
	on "$ns" nstat -asz "${@#*=}" | awk -v names="$*" '
	BEGIN {
		for (n = split(names, pair); n; n--) {
			split(pair[n], word, "=")
			name[word[2]] = word[1]
		}
	}
	$1 in name { print name[$1] "=" $2 }'
}

# tcp_counters: of receiver and sender, as "name=value" lines.  IpInReceives counts the
# packets that the stack got, IpExtInNoECTPkts those on the wire, before GRO merged them.
tcp_counters() {
	snmp rcv merged=IpInReceives wire=IpExtInNoECTPkts bytes=IpExtInOctets
	snmp snd retransmits=TcpRetransSegs
}

# shellcheck disable=SC2154 # delay: of the script that calls it
# use DEVICE CONFIG: set up what is under test, with a delay of $delay microseconds
use() {
	case $2 in
	"netem slot")
		on rtr tc qdisc add dev "$1" root handle 1: netem limit 10000 \
			slot "${delay}us" "${delay}us"
		on rtr tc qdisc add dev "$1" parent 1: fq_codel quantum 60000 ;;
	gro_flush_timeout)
		on rtr tc qdisc add dev "$1" root pfifo
		echo 2 | on rcv tee /sys/class/net/c0/napi_defer_hard_irqs
		# with more, the 256 slots of the receiver's ring overflow
		echo $((delay * 500)) | on rcv tee /sys/class/net/c0/gro_flush_timeout ;;
	reframer | "reframer no"*)	# no delay of its own
		# shellcheck disable=SC2086 # words
		on rtr tc qdisc add dev "$1" root $2 delay "${delay}us" ;;
	*)
		# shellcheck disable=SC2086 # words
		on rtr tc qdisc add dev "$1" root $2 ;;
	esac >/dev/null
}

# unused DEVICE: undo use()
unused() {
	on rtr tc qdisc del dev "$1" root
	echo 0 | on rcv tee /sys/class/net/c0/napi_defer_hard_irqs >/dev/null
	echo 0 | on rcv tee /sys/class/net/c0/gro_flush_timeout >/dev/null
}
