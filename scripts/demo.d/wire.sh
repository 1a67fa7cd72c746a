# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Links between namespaces: network cards of scripts/guests/vm --nic e1000e --hubs N, whose
# interrupts come in intervals, so that receivers poll some packets at a time, as from a busy
# NIC; or, if the guest has none, veths, where an idle receiver polls each packet when it
# comes.  Sourced in the guest, in the project's directory.

ends=()		# of the wires, NAMESPACE:DEVICE

# on NAMESPACE COMMAND...
on() { ip netns exec "$@"; }

# wire NAMESPACE DEVICE NAMESPACE DEVICE: connect two namespaces
wire() {
	local cards

	read -ra cards <<<"${NICS-}"
	if [ ${#cards[@]} = 0 ]; then
		ip link add "$2" netns "$1" type veth peer name "$4" netns "$3"
	else
		ip link set "${cards[${#ends[@]}]}" netns "$1" name "$2"
		ip link set "${cards[${#ends[@]} + 1]}" netns "$3" name "$4"
	fi
	ends+=("$1:$2" "$3:$4")
}

# moderate US: after an interrupt, cards collect packets for this time, 128 to 10000 us.  QEMU
# then sends another one for those that come while these are handled, so a poll of many
# packets and one of a few alternate.  The first call must be before the devices are up: the
# driver adapts to the packets that come until then, and sets that once more later.
moderate() {
	local end

	[ -n "${NICS-}" ] || return 0
	for end in "${ends[@]}"; do
		on "${end%:*}" ethtool -C "${end#*:}" rx-usecs "$1"
	done
}

# hashes: when the devices are up, let cards hash packets, as most do, so that GRO uses all of
# its lists.  QEMU's e1000e does if MRQC, the register at 0x5818, enables several queues; its
# driver only says which headers to hash.
hashes() {
	local end

	[ -n "${NICS-}" ] || return 0
	for end in "${ends[@]}"; do
		until [[ $(ip -n "${end%:*}" link show "${end#*:}") == *LOWER_UP* ]]; do
			sleep 0.1
		done
		on "${end%:*}" python3 - "/sys/class/net/${end#*:}/device/resource0" <<-END
			import ctypes, mmap, sys
			card = open(sys.argv[1], "r+b")
			registers = mmap.mmap(card.fileno(), 0x6000)
			ctypes.c_uint32.from_buffer(registers, 0x5818).value |= 1
		END
	done
}
