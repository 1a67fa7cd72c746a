#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Parents: reframer as the leaf of classful qdiscs.  Parents that expect a child to be
# work-conserving stop until the deadline.  No packet may be lost, stay behind or be
# miscounted, whatever is deleted in the meantime.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# A time in which any guest sends the packets of pass()
WINDOW=50ms
! virtual_time || WINDOW=2ms

# parent SETUP LEAF_OPTIONS: run SETUP, commands of tc, then add a reframer below each of
# its classes 1:1 and 1:2
parent() {
	tell "$1
		qdisc add dev tx0 parent 1:1 handle 10: reframer $2
		qdisc add dev tx0 parent 1:2 handle 20: reframer $2"
}

# life SETUP [CLASSES_CAN_GO]: traffic, changes and deletion of leaves below this parent
life() {
	forwarded
	parent "$1" "delay $WINDOW $ALWAYS"
	pass 1:1 1:2
	# packets were grouped
	timely 'all(.qs[] | select(.kind == "reframer");
		.reframer.locality_out >= 4)'

	# one leaf holds packets, the other does not
	qdisc change dev tx0 parent 1:1 reframer delay 0
	pass 1:1 1:2

	# delete the leaf with packets in it
	qdisc change dev tx0 parent 1:2 reframer delay 100ms
	hold_in 1:2
	qdisc del dev tx0 parent 1:2
	show
	expect root_empty
	pass 1:1
	qdisc add dev tx0 parent 1:2 handle 20: reframer delay $WINDOW "$ALWAYS"
	pass 1:2 1:1

	# delete its class with packets in it
	if [ $# -gt 1 ]; then
		qdisc change dev tx0 parent 1:1 reframer delay 100ms
		class_goes 1:1 1:2
	fi

	# a leaf that drops each packet, also the one that is being enqueued
	qdisc change dev tx0 parent 1:2 reframer memory_limit 1
	send -p 1:2 -F 8 -n 4
	show
	expect all_accounted root_empty
	qdisc change dev tx0 parent 1:2 reframer memory_limit 32mb limit 1
	send -p 1:2 -F 8 -n 4
	wait_drained
	expect all_accounted root_empty

	# delete the whole tree with packets held
	qdisc change dev tx0 parent 1:2 reframer limit 100 delay 100ms
	hold_in 1:2
	qdisc del dev tx0 root
	pause 0.15
}

test_prio() { life "qdisc add dev tx0 root handle 1: prio bands 3"; }

test_htb() {
	life "qdisc add dev tx0 root handle 1: htb default 1
		class add dev tx0 parent 1: classid 1:1 htb rate 1gbit quantum 20000
		class add dev tx0 parent 1: classid 1:2 htb rate 1gbit quantum 20000" classes
}

test_drr() {
	life "qdisc add dev tx0 root handle 1: drr
		class add dev tx0 parent 1: classid 1:1 drr
		class add dev tx0 parent 1: classid 1:2 drr" classes
}

test_hfsc() {
	life "qdisc add dev tx0 root handle 1: hfsc
		class add dev tx0 parent 1: classid 1:1 hfsc sc rate 1gbit
		class add dev tx0 parent 1: classid 1:2 hfsc sc rate 1gbit" classes
}

test_qfq() {
	life "qdisc add dev tx0 root handle 1: qfq
		class add dev tx0 parent 1: classid 1:1 qfq weight 1
		class add dev tx0 parent 1: classid 1:2 qfq weight 10" classes
}

# Drops empty the leaf while the parent's class is active.
test_emptied_by_drops() {
	local kind setup

	forwarded
	for kind in drr "hfsc sc rate 1gbit" "qfq weight 1" "htb rate 1gbit quantum 20000"; do
		setup="qdisc add dev tx0 root handle 1: ${kind%% *}
			class add dev tx0 parent 1: classid 1:1 $kind
			class add dev tx0 parent 1: classid 1:2 $kind"
		parent "$setup" "delay 100ms $ALWAYS"
		hold_in 1:1
		qdisc change dev tx0 parent 1:1 reframer memory_limit 1
		show
		expect all_accounted root_empty
		send -p 1:1 -F 2 -n 2
		class del dev tx0 classid 1:1
		qdisc change dev tx0 parent 1:2 reframer delay 1ms
		pass 1:2
		qdisc del dev tx0 root
	done
}

test_tbf() {
	tell "qdisc add dev tx0 root handle 1: tbf rate 100mbit burst 100kb limit 1mb
		qdisc add dev tx0 parent 1:1 handle 10: reframer delay $WINDOW $ALWAYS"
	pass 1:1
	qdisc change dev tx0 parent 1:1 reframer delay 100ms
	hold_in 1:1
	qdisc del dev tx0 parent 1:1
	show
	expect root_empty
	qdisc add dev tx0 parent 1:1 handle 10: reframer delay $WINDOW "$ALWAYS"
	pass 1:1
}

# One reframer for each queue of mq.
test_mq() {
	local i

	unpair
	QUEUES=4
	pair
	qdisc add dev tx0 root handle 1: mq
	for i in 1 2 3 4; do
		qdisc replace dev tx0 parent 1:$i handle ${i}0: reframer delay $WINDOW "$ALWAYS"
	done
	capture
	send -F 32 -n 8 -o random
	wait_drained
	arrived
	expect complete all_accounted root_empty \
		'[.qs[].reframer.packets_in // 0] | add == 256 and
			(map(select(. > 0)) | length > 1)'
	for i in 1 2 3 4; do
		qdisc change dev tx0 parent 1:$i reframer delay 100ms
	done
	send -F 32 -n 8
	qdisc del dev tx0 root
	pause 0.15
	unpair
	timely 'all(.qs[].reframer | select(.packets_in > 0); .locality_out >= 4)'
}

run_tests "$@"
