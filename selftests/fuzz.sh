#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Fuzz: the fuzzers of netlink and of packets, for as long as a test may take, always with
# the same seed.
#
# FUZZ_SEED, FUZZ_MESSAGES, FUZZ_PACKETS: another seed (1), more messages (12000, 2000
# on a slow machine), more packets per configuration (2000)

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

SEED=${FUZZ_SEED:-1}

# module_file: MODULE becomes the module's file, or empty if it is compressed or unknown
module_file() {
	MODULE=${REFRAMER_MODULE:-$(modinfo -n sch_reframer 2>/dev/null || true)}
	[[ $MODULE == *.ko ]] || MODULE=
}

# The fuzzers make namespaces of their own.  No qdisc of the other tests is left, which
# would use the module.
test_netlink() {
	local messages=12000 module=() result bad='' was=''
	local expedited=/sys/kernel/rcu_expedited

	[ "${KSFT_MACHINE_SLOW:-}" != yes ] || messages=2000
	messages=${FUZZ_MESSAGES:-$messages}
	helper fuzz-netlink
	module_file
	[ -z "$MODULE" ] || module=(--module "$MODULE")
	# Else most of the time goes into RCU grace periods: this makes it six times as fast.
	if [ -w $expedited ]; then
		was=$(<$expedited)
		echo 1 >$expedited
	fi
	result=$("$HELPER" --seed "$SEED" --messages "$messages" "${module[@]}") || bad=1
	[ -z "$was" ] || echo "$was" >$expedited
	[ -z "$bad" ] || fail "$result"
	diag "$result"
	LIST=${result##*$'\n'}
	# Messages are neither all accepted nor all refused for the same reason.
	expect '.list.accepted > .list.messages / 3' \
		'.list.reframer_accepted > .list.messages / 50' \
		'.list.spoilt_refused > .list.messages / 100' \
		'.list.spoilt_accepted > .list.messages / 1000' \
		'.list.refused_unchanged > .list.messages / 100' \
		'.list.packets > .list.messages / 10'
	[ -z "$MODULE" ] ||
		expect '.list.removals > 0 and .list.removals_refused > 0'
}

# fuzz_packets COMMANDS: set up the qdisc with these commands of tc, and send packets
#
#                          tap0 -- redirect --+
#     packet sockets -- tx0.5 (VLAN) -----+   |
#     packet sockets ---------------------+---+-- tx0: reframer 1: --- rx0
fuzz_packets() {
	helper fuzz-packet
	tell "$1"
	# clsact counts what comes to the device as the qdisc does: in segments
	tell "qdisc add dev tx0 clsact
		filter add dev tx0 egress matchall action pass"
	GEN=$(in_tx "$HELPER" --seed "$SEED" --packets "${FUZZ_PACKETS:-2000}" \
		--device tx0 --device tx0.5 --tap tap0) || fail "$GEN"
	wait_drained
	diag "$GEN"
	# All packets that came to the device came to the qdisc and have left, except
	# invalid GSO packets, which newer kernels drop before the qdisc.
	expect '.gen.socket > 500' '.gen.tap > 300' \
		'.gen.gso > 50' '.gen.split > 300' \
		'came > 0.98 * .gen.packets' \
		'.r.drops.filter > 0 or
			.q.packets == (.qs[] | select(.kind == "clsact").packets)' \
		accounted empty_now
	qdisc del dev tx0 clsact
}

# A VLAN device above tx0, a tap whose packets are sent from tx0
fuzz_devices() {
	tap
	in_tx ip -batch - <<-END
		link add link tx0 name tx0.5 type vlan id 5
		link set tx0.5 up
	END
	# drop all packets at the receiver, so that nobody answers
	"$TC" -n "$RX" -batch - <<-END
		qdisc add dev rx0 clsact
		filter add dev rx0 ingress matchall action drop
	END
}

test_packets() {
	local key

	fuzz_devices
	for key in flow src dst hosts proto-dst mark; do
		WHAT="key $key"
		fuzz_packets "qdisc add dev tx0 root handle 1: reframer delay 1ms key $key"
		qdisc del dev tx0 root
	done
	WHAT="always held, filters"
	fuzz_packets "qdisc add dev tx0 root handle 1: reframer delay 1ms $ALWAYS
		filter add dev tx0 parent 1: prio 1 protocol ip flower ip_proto tcp dst_port 80 classid 1:5
		filter add dev tx0 parent 1: prio 2 protocol ipv6 flower ip_proto icmpv6 classid 1:400
		filter add dev tx0 parent 1: prio 3 protocol 802.1Q flower vlan_ethtype ipv4 action drop
		filter add dev tx0 parent 1: prio 4 protocol all u32 match u8 0x40 0xf0 at 0 classid 1:7"
	expect '.r.drops.filter > 0'
	qdisc del dev tx0 root
	"$TC" -n "$RX" qdisc del dev rx0 clsact
	in_tx ip -batch - <<-END
		link del tx0.5
		link del tap0
	END
}

run_tests "$@"
