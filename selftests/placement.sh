#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Placement: the recipes of docs/placement.md, run as they are, with traffic.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

helper tcpxfer
TCPXFER=$HELPER
helper frames
FRAMES=$HELPER
helper segments
SEGMENTS=$HELPER
PAGE=$HERE/../docs/placement.md
[ -e "$PAGE" ] || skip_all "no $PAGE"

# A host with the device names of the page:
#
#     namespace $SRC          $TX, the host                    $RX
#     src0 10.0.1.2 -- 10.0.1.1 eth0, eth1 10.0.2.1 -- rx0 10.0.2.2
SRC=rfm-$$-src
MAC_SRC=02:00:00:00:00:03
MAC_IN=02:00:00:00:00:04
# Delay of the tests where that of the page is too short
WINDOW=100ms
! virtual_time || WINDOW=200us

in_src() { nsenter --net="/run/netns/$SRC" "$@"; }
in_rx() { nsenter --net="/run/netns/$RX" "$@"; }

# route NET: from the network, by way of the host
route() { ip -n "$SRC" route add "$1" via 10.0.1.1; }

# host [OPTIONS]: make it; OPTIONS of both veth pairs.  A test ends with gone().
host() {
	unpair
	ip -batch - <<-END
		netns add $SRC
		netns add $TX
		netns add $RX
		link add name src0 netns $SRC address $MAC_SRC $* type veth peer name eth0 netns $TX address $MAC_IN $*
		link add name eth1 netns $TX address $MAC_TX $* type veth peer name rx0 netns $RX address $MAC_RX $*
	END
	quiet "$SRC" ethtool -K src0 tso off	# single packets, as from a wire
	quiet "$TX" sysctl -qw net.ipv4.ip_forward=1
	quiet "$RX" ethtool -K rx0 gro on
	end "$SRC" src0 10.0.1.2 10.0.1.1 $MAC_IN
	end "$TX" eth0 10.0.1.1 10.0.1.2 $MAC_SRC
	end "$TX" eth1 10.0.2.1 10.0.2.2 $MAC_RX
	end "$RX" rx0 10.0.2.2 10.0.2.1 $MAC_TX
	route 10.0.2.0/24
	ip -n "$RX" route add 10.0.0.0/16 via 10.0.2.1
}

# another_end DEV PEER NET: addresses NET.1 and NET.2, and the route from the network
another_end() {
	end "$TX" "$1" "$3.1" "$3.2" $MAC_RX
	end "$RX" "$2" "$3.2" "$3.1" $MAC_TX
	route "$3.0/24"
}

# Here QS has the qdiscs of all devices of the host.
show() { QS=$("$TC" -n "$TX" -s -j qdisc show); }
tell() { "$TC" -n "$TX" -batch - <<<"$*"; }

refs() { cat /sys/module/sch_reframer/refcnt; }

# use HEADING: run the commands below this heading of the page.  Outside virtual time,
# packets come too slowly for its delay.
IN=(ip netns exec "$TX")
use() {
	local commands

	commands=$(commands_of "$1")
	[ -n "$commands" ] || fail "no commands below $1"
	virtual_time || commands=${commands//delay 64us/delay $WINDOW}
	"${IN[@]}" bash -euc "$commands" >/dev/null || fail "it fails: $commands"
	WHAT=$1
}

commands_of() {
	awk -v heading="$1" '
		/^#/ { on = $0 ~ "^#+ " heading "$" }
		on && sub(/^    /, "")' "$PAGE"
}

JQ_DEFS+='
def reframers: .qs[].reframer | select(.);
def idle: all(.qs[]; .qlen == 0 and .backlog == 0);
def kinds: [.qs[] | select(.root) | {(.dev): .kind}] | add;
'

# grouped NAMESPACE DEVICE [ARGUMENTS...]: interleaved packets come from the network, pass
# one reframer, and arrive grouped at this device
grouped() {
	CAPTURE_AT="$1 $2"
	capture
	show
	LIST=$(jq '[.[].reframer | select(.) | .packets_in + .bypass.packets] | add // 0' <<<"$QS")
	GEN=$(in_src "$FLOWGEN" -C 0 -i src0 -m "$MAC_IN" -F 16 -n 32 -g 250 "${@:3}")
	wait_drained
	arrived
	expect complete all_accounted idle '.gen.runs == 512' \
		'([reframers | .packets_in + .bypass.packets] | add // 0) - .list == 512'
	timely '.cap.locality >= 4'
}

# always: from now on, the reframers hold every flow
always() {
	show
	tell "$(jq -r --arg delay $WINDOW '.[] | select(.kind == "reframer") |
		"qdisc change dev \(.dev) " + (if .root then "root" else "parent \(.parent)" end) +
		" reframer delay \($delay) noadaptive nopush"' <<<"$QS")"
}

# coalesced ADDRESS [FROM]: packets of TCP to this address are coalesced, also if they
# have the time of arrival, which the capture wants
coalesced() {
	always
	LIST=$(jq '[.[].reframer | select(.) | .coalesce.segments] | add' <<<"$QS")
	capture
	transfers "${2:-$SRC}" "$RX" "$1" 200000
	arrived
	expect all_accounted idle 'all(.qs[]; .drops == 0)'
	timely '([reframers | .coalesce.segments] | add) - .list > 500'
}

# gone DEV...: delete their qdiscs, which releases the module
gone() {
	local dev before=

	show
	before=$(($(refs) - $(jq '[.[] | select(.kind == "reframer")] | length' <<<"$QS")))
	for dev; do
		tell "qdisc del dev $dev root"
	done
	[ "$(refs)" = $before ] || fail "the module has $(refs) users, not $before"
	unpair
}

# Every recipe of the page has a test.
test_all_recipes() {
	local heading

	while read -r heading; do
		grep -q "use \"$heading\"" "$0" || fail "nothing runs: $heading"
	done < <(awk '/^#/ { sub(/^#+ /, ""); heading = $0 }
		/^    / && heading != last { print heading; last = heading }' "$PAGE")
}

test_router_egress() {
	host
	use "Router egress"
	grouped "$RX" rx0
	coalesced 10.0.2.2
	gone eth1
}

test_mq() {
	host numtxqueues 4 numrxqueues 4
	use "One reframer per transmit queue"
	grouped "$RX" rx0
	coalesced 10.0.2.2
	expect '[reframers | select(.packets_in > 0)] | length > 1'

	# fewer queues, and more again: all keep their qdisc
	in_tx ethtool -L eth1 tx 2
	grouped "$RX" rx0
	in_tx ethtool -L eth1 tx 4
	grouped "$RX" rx0
	expect '[reframers] | length == 4'
	gone eth1
}

test_more_queues_than_before() {
	host numtxqueues 4 numrxqueues 4
	in_tx ethtool -L eth1 tx 2
	use "One reframer per transmit queue"
	in_tx ethtool -L eth1 tx 4
	show
	expect '[reframers] | length == 2'
	"${IN[@]}" "$HERE/../tools/reframer-attach" eth1 delay 64us
	show
	expect '[reframers] | length == 4'
	gone eth1
}

# TCP comes from behind a router: local packets belong to a socket, which a wire ends.
test_ifb() {
	local far=rfm-$$-far

	host
	ip -batch - <<-END
		netns add $far
		link add name far0 netns $far type veth peer name near0 netns $SRC
	END
	ip -n "$SRC" addr add 10.0.3.1/24 dev near0
	ip -n "$SRC" link set near0 up
	ip -n "$far" addr add 10.0.3.2/24 dev far0
	ip -n "$far" link set far0 up
	ip -n "$far" route add default via 10.0.3.1
	ip -n "$TX" route add 10.0.3.0/24 via 10.0.1.2
	nsenter --net="/run/netns/$far" ethtool -K far0 tso off
	in_src sysctl -qw net.ipv4.ip_forward=1

	use "Ingress, through ifb"
	grouped "$RX" rx0
	coalesced 10.0.2.2 "$far"
	tell "qdisc del dev eth0 clsact"
	gone ifb0
}

# vm [-s]: start a virtual machine behind vnet0, which has enabled offloads (-s) or not
vm() {
	rm -f "$TMP/vm"
	# no function of its own: $! has to be frames
	nsenter --net="/run/netns/$TX" "$FRAMES" -v vnet0 "$@" -r "$TMP/vm" >"$TMP/out-v" &
	VM=$!
	wait_for "the virtual machine has its tap" test -e "$TMP/vm"
	wait_for "its link is up" vm_is_up
}

vm_is_up() { [[ $(ip -n "$TX" link show vnet0) == *"state UP"* ]]; }

# vm_gets PACKETS [-s]: what becomes of trains of 8 packets of TCP
vm_gets() {
	vm "${@:2}"
	"$SEGMENTS" >"$TMP/pcap" 2>/dev/null
	in_src "$FRAMES" -i src0 "$TMP/pcap"
	wait_drained
	kill -TERM $VM
	wait $VM
	GEN=$(<"$TMP/out-v")
	timely "[.gen[:2][] | select(. != $1)] == []"
}

# The bridge itself has no queue: a reframer there sees nothing.
test_vm() {
	need_tun
	host
	in_tx ip tuntap add dev vnet0 mode tap vnet_hdr
	ip -n "$TX" -batch - <<-END
		link add br0 up type bridge mcast_snooping 0
		link set eth0 master br0
		link set vnet0 master br0 up
		link set eth0 type bridge_slave learning off
	END
	vm
	use "Virtual machine on a bridge"
	tell "qdisc add dev br0 root reframer"
	grouped "$TX" vnet0 -m $MAC_RX
	expect 'kinds.br0 == "reframer" and
		([.qs[] | select(.dev == "br0") | .packets] == [0])'
	kill -TERM $VM
	wait $VM
	always
	vm_gets 8
	vm_gets 1 -s
	gone vnet0 br0
}

test_container() {
	host
	ip link add name veth0 netns "$TX" address $MAC_TX type veth \
		peer name c0 netns "$RX" address $MAC_RX
	another_end veth0 c0 10.0.7
	use "Container host"
	grouped "$RX" c0 -d 10.0.7.2
	coalesced 10.0.7.2
	gone veth0
}

test_htb() {
	host
	use "Leaf of htb"
	grouped "$RX" rx0
	expect '.r.coalesce.obstacle == "off"'
	gone eth1
}

test_vlan() {
	local vlan

	host
	for vlan in 5 6; do
		ip -n "$TX" link add link eth1 name eth1.$vlan type vlan id $vlan
		ip -n "$RX" link add link rx0 name rx0.$vlan type vlan id $vlan
		another_end eth1.$vlan rx0.$vlan 10.0.1$vlan
	done
	show
	expect 'kinds["eth1.5"] == "noqueue"'
	use "VLAN"
	grouped "$RX" rx0.5 -d 10.0.15.2
	grouped "$RX" rx0.6 -d 10.0.16.2
	coalesced 10.0.15.2
	# the device cannot insert tags
	in_tx ethtool -K eth1 tx-vlan-hw-insert off
	coalesced 10.0.15.2
	in_tx ethtool -K eth1 tx-vlan-hw-insert on
	tell "qdisc del dev eth1 root"
	use "One VLAN only"
	grouped "$RX" rx0.5 -d 10.0.15.2
	coalesced 10.0.15.2
	gone eth1.5
}

bond() {
	local ns

	for ns in "$TX" "$RX"; do
		ip -n "$ns" link add name bond0 type bond mode balance-xor \
			xmit_hash_policy layer2+3 miimon 100 2>/dev/null || skip "no bonding"
	done
	ip link add name eth2 netns "$TX" type veth peer name rx2 netns "$RX"
	in_rx ethtool -K rx2 gro on
	ip -n "$TX" -batch - <<-END
		link set eth1 down
		link set eth1 master bond0
		link set eth2 master bond0
		link set bond0 address $MAC_TX
	END
	ip -n "$RX" -batch - <<-END
		link set rx0 down
		link set rx0 master bond0
		link set rx2 master bond0
		link set bond0 address $MAC_RX
	END
	another_end bond0 bond0 10.0.8
	ip -n "$RX" route replace 10.0.0.0/16 via 10.0.8.1
}

test_bond() {
	host
	bond
	show
	expect 'kinds.bond0 == "noqueue"'
	use "Bond"
	grouped "$RX" bond0 -d 10.0.8.2
	expect 'all(reframers; .packets_in > 0)'
	coalesced 10.0.8.2
	tell "qdisc del dev eth1 root
		qdisc del dev eth2 root"
	use "The bond itself"
	grouped "$RX" bond0 -d 10.0.8.2
	coalesced 10.0.8.2
	# the bond takes what its members do not
	in_tx ethtool -K eth1 tso off
	in_tx ethtool -K eth2 tso off
	show
	expect '.r.coalesce.now | index("tcp4")'
	gone bond0
}

wireguard() {
	local ns address

	for ns in "$TX" "$RX"; do
		ip -n "$ns" link add name wg0 type wireguard 2>/dev/null || skip "no wireguard"
		nsenter --net="/run/netns/$ns" wg set wg0 listen-port 51820 \
			private-key <(wg genkey)
	done
	in_rx wg set wg0 peer "$(in_tx wg show wg0 public-key)" \
		allowed-ips 0.0.0.0/0 endpoint 10.0.2.1:51820
	in_tx wg set wg0 peer "$(in_rx wg show wg0 public-key)" \
		allowed-ips 0.0.0.0/0 endpoint 10.0.2.2:51820
	ip -n "$TX" addr add 10.0.9.1/24 dev wg0
	ip -n "$RX" addr add 10.0.9.2/24 dev wg0
	ip -n "$TX" link set wg0 up
	ip -n "$RX" link set wg0 up
	route 10.0.9.0/24
	ip -n "$RX" route add 10.0.1.0/24 dev wg0
	in_tx ping -qc 1 10.0.9.2 >/dev/null || fail "no handshake"
}

test_wireguard() {
	command -v wg >/dev/null || skip "no wg"
	host
	wireguard
	show
	expect 'kinds.wg0 == "noqueue"'
	use "WireGuard"
	grouped "$RX" wg0 -d 10.0.9.2
	coalesced 10.0.9.2
	tell "qdisc del dev wg0 root"

	# behind the encryption: packets have the hash of the inner ones
	use "Router egress"
	grouped "$RX" wg0 -d 10.0.9.2
	gone eth1
}

# tc_fails MESSAGE ARGUMENTS...
tc_fails() {
	! "$TC" -n "$TX" "${@:2}" 2>"$TMP/err" || fail "no error: tc ${*:2}"
	grep -q "$1" "$TMP/err" || fail "$(<"$TMP/err")"
}

# The setting is of the whole machine; only devices of the test come up meanwhile.
test_default_qdisc() {
	local old setting=/proc/sys/net/core/default_qdisc

	need_tun
	old=$(<$setting)
	# shellcheck disable=SC2064 # now
	trap "echo $old >$setting; cleanup" EXIT
	host
	REFS=$(refs)
	in_tx ip tuntap add dev vnet0 mode tap
	ip -n "$TX" link add ifb0 up type ifb
	IN=()
	use "Default qdisc"
	[ "$(refs)" = $((REFS + 1)) ] || fail "the module could be unloaded"

	# for devices with a queue, when they are set up for the first time
	ip -n "$TX" -batch - <<-END
		link add ifb1 up type ifb
		link add ifb2 up numtxqueues 4 type ifb
		link add br0 up type bridge mcast_snooping 0
		link add link eth1 name eth1.5 up type vlan id 5
		link set vnet0 up
	END
	vm
	show
	expect "kinds.ifb0 == \"$old\"" 'kinds.ifb1 == "reframer"' \
		'kinds.vnet0 == "reframer"' 'kinds.ifb2 == "mq"' '[reframers] | length == 6' \
		'[kinds | .br0, .eth1, .["eth1.5"]] | unique == ["noqueue"]' \
		'all(.qs[] | select(.kind == "reframer") | .options; .delay == 64000 and .coalesce)'
	tc_fails "Failed to find" qdisc change dev ifb2 parent :1 reframer delay 1ms
	tell "qdisc replace dev ifb2 root handle 1: mq
		qdisc replace dev ifb2 parent 1:1 reframer delay 1ms
		qdisc add dev ifb0 root pfifo
		qdisc del dev ifb0 root"
	show
	expect 'kinds.ifb0 == "reframer"' '[reframers] | length == 7' \
		'[.qs[] | select(.dev == "ifb2" and .kind == "reframer") | .options.delay] |
			sort == [64000, 64000, 64000, 1000000]'
	kill -TERM $VM
	wait $VM

	! sysctl -qw net.core.default_qdisc=absent 2>"$TMP/err" || fail "no error"
	grep -q "No such file" "$TMP/err" || fail "$(<"$TMP/err")"
	[ "$(<$setting)" = reframer ] || fail "the default has changed"
	echo "$old" >$setting
	unpair
	wait_for "the module is not used" unused
}

unused() { [ "$(refs)" = "$REFS" ]; }

run_tests "$@"
