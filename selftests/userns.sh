#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# User namespaces: any user can become root in a new namespace, may use all of reframer
# there, and reaches nothing outside of it.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# nobody COMMAND...: run it as a user without any rights
nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all \
		env HOME=/ "$@"
}

# for_nobody: put the plugin where the user nobody can read it
for_nobody() {
	nobody unshare -Ur true 2>/dev/null ||
		skip "users may not make user namespaces"
	chmod 755 "$TMP"
	[ -z "${TC_LIB_DIR:-}" ] ||
		install -m 644 "$TC_LIB_DIR/q_reframer.so" "$TMP/"
	[ -z "${TC_LIB_DIR:-}" ] || export TC_LIB_DIR=$TMP
}

# denied COMMAND...: it fails for lack of rights
denied() {
	! "$@" >"$TMP/out" 2>&1 || fail "allowed: $*"
	grep -qE 'not permitted|Permission denied' "$TMP/out" ||
		fail "$*: $(<"$TMP/out")"
}

# Commands that root runs in a namespace of its own
OWN='
set -e
ip link add v0 type veth peer name v1
ip addr add 10.9.0.1/24 dev v0
ip link set v0 up
ip link set v1 up
tc qdisc add dev v0 root handle 1: reframer delay 1ms noadaptive flows 65536
tc filter add dev v0 parent 1: matchall classid 1:5
ping -c 3 -i 0.2 -W 1 10.9.0.2 >/dev/null || true
tc qdisc change dev v0 root reframer delay 50ms limit 10
tc -s qdisc show dev v0
tc -s class show dev v0
! tc qdisc change dev v0 root reframer delay 1s 2>/dev/null
tc qdisc replace dev v0 root handle 2: drr
tc class add dev v0 parent 2: classid 2:1 drr
tc qdisc add dev v0 parent 2:1 handle 3: reframer
ping -c 1 -W 1 10.9.0.2 >/dev/null || true
tc qdisc del dev v0 root
tc qdisc add dev v0 root reframer delay 100ms noadaptive
ping -c 1 -W 1 10.9.0.2 >/dev/null || true
ip link del v0
ip link add v2 type veth peer name v3
ip link set v2 up
tc qdisc add dev v2 root reframer'

test_in_a_namespace_of_ones_own() {
	local before

	for_nobody
	reframer delay 7ms slack 3ms
	send -F 4 -n 4
	wait_drained
	before=$QS
	nobody unshare -Urn bash -c "$OWN" >"$TMP/own" 2>&1 ||
		fail "$(<"$TMP/own")"
	grep -q 'qdisc reframer 1: root .*delay 50ms.* limit 10 ' "$TMP/own" ||
		fail "$(<"$TMP/own")"
	show
	[ "$QS" = "$before" ] || fail "changed: $before"$'\n'"$QS"
	# the qdiscs that it left are destroyed with its namespace
	wait_for "one qdisc is left" one_left
}

one_left() { [ "$(lsmod | awk '$1 == "sch_reframer" { print $3 }')" = 1 ]; }

# Root of a user namespace has no rights in the network namespaces of others, and neither
# has a user without one.
test_elsewhere() {
	local before command

	for_nobody
	before=$(tc qdisc show dev lo)
	for command in "qdisc add dev lo root reframer" \
		"qdisc replace dev lo root pfifo" "qdisc del dev lo root" \
		"qdisc change dev lo root reframer limit 1" \
		"filter add dev lo parent 1: matchall classid 1:5"; do
		# shellcheck disable=SC2086 # words
		denied nobody tc $command
		# shellcheck disable=SC2086 # words
		denied nobody unshare -Ur tc $command
	done
	denied nobody unshare -Urn nsenter --net="/run/netns/$TX" true
	denied nobody unshare -Urn rmmod sch_reframer
	[ "$(tc qdisc show dev lo)" = "$before" ] || fail "lo has another qdisc"
}

run_tests "$@"
