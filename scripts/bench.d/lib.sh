# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Functions for the parts of scripts/bench that run in the guest.  Sourced in the project's
# directory.

out=$PWD/build/bench

# start NAME: begin the samples of this benchmark
start() {
	samples=$out/$1.samples
	mkdir -p "$out"
	: >"$samples"
	uname -r >"$out/$1.kernel"
}

# sample CONFIG METRIC UNIT VALUE: add one
sample() { printf '%s\t%s\t%s\t%s\n' "$@" >>"$samples"; }

# on NAMESPACE COMMAND...
on() { ip netns exec "$@"; }

# pgset FILE LINE: configure pktgen
pgset() { echo "$2" >"/proc/net/pktgen/$1"; }

# attach DEV PARENT HANDLE QDISC...: "noqueue" is no qdisc; "forced QDISC" is below prio,
# where packets cannot bypass it; "full QDISC" is below a tbf that takes 1000 packets of
# 100 bytes per second; "netem slot [TIME]" has fq_codel below it
attach() {
	local dev=$1 parent=("$2") handle=$3 band

	[ "$2" = root ] || parent=(parent "$2")
	shift 3
	case $1 in
	noqueue) ;;
	forced)
		tc qdisc add dev "$dev" "${parent[@]}" handle "$handle" prio
		for band in 1 2 3; do
			tc qdisc add dev "$dev" parent "$handle$band" "${@:2}"
		done ;;
	full)
		tc qdisc add dev "$dev" "${parent[@]}" handle "$handle" \
			tbf rate 800kbit burst 1600b limit 1gb
		tc qdisc add dev "$dev" parent "${handle}1" "${@:2}" ;;
	netem)
		tc qdisc add dev "$dev" "${parent[@]}" handle "$handle" \
			netem slot "${3:-64us}" "${3:-64us}"
		tc qdisc add dev "$dev" parent "${handle}1" fq_codel quantum 60000 ;;
	*)
		tc qdisc add dev "$dev" "${parent[@]}" handle "$handle" "$@" ;;
	esac
}

# detach DEV
detach() { tc qdisc del dev "$1" root 2>/dev/null || :; }

exec {never}<> <(:)	# a file that has nothing to read: to sleep
pause() { read -rt "$1" -u "$never" || :; }

# While the load runs, only builtins of bash read counters: starting a process would take
# a millisecond of the guest's CPU.

# shellcheck disable=SC2034 # value: for the caller
# mib FILE GROUP NAME: set $value to a counter of /proc/net/snmp or netstat
mib() {
	local -a keys values
	local text i
	text=$(<"$1")
	text=${text#*"$2: "}
	read -ra keys <<<"${text%%$'\n'*}"
	text=${text#*"$2: "}
	read -ra values <<<"${text%%$'\n'*}"
	for i in "${!keys[@]}"; do
		[ "${keys[i]}" != "$3" ] || value=${values[i]}
	done
}
