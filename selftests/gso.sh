#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# GSO: large packets of local TCP pass unsegmented, and count as one.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

helper tcpxfer
TCPXFER=$HELPER
BYTES=$((4 << 20))

# whole [BYTES]: transfer them; the queue is empty afterwards
whole() {
	local bytes=${1:-$BYTES}

	capture
	transfer "$bytes"
	arrived
	expect accounted empty_now '.qs[0].qlen == 0 and .qs[0].backlog == 0' \
		'drops == 0' ".q.bytes > $bytes"
}

# .q.packets counts segments, .r.packets_out packets.  Slow TCP sends smaller packets.
WHOLE='.cap.other.max_len > 10000 and .q.packets > 4 * .r.packets_out and
	.q.bytes / .r.packets_out > 5000'

test_root() {
	reframer slack 64us "$ALWAYS"
	whole
	timely "$WHOLE"
}

test_defaults() {
	reframer
	whole
	timely "$WHOLE"
}

test_no_delay() {
	reframer delay 0
	whole
	timely "$WHOLE"
}

test_small_burst_bytes() {
	reframer slack 64us burst_bytes 256 "$ALWAYS"
	whole
	expect '.r.releases.full > 0'
	timely "$WHOLE"
}

test_tbf() {
	qdisc add dev tx0 root handle 1: tbf rate 1gbit burst 200kb limit 1mb
	qdisc add dev tx0 parent 1:1 handle 10: reframer slack 64us "$ALWAYS"
	whole
	timely "$WHOLE"
}

# tbf segments packets that are larger than its burst.
test_tbf_that_segments() {
	qdisc add dev tx0 root handle 1: tbf rate 1gbit burst 4000b limit 1mb
	qdisc add dev tx0 parent 1:1 handle 10: reframer slack 64us "$ALWAYS"
	whole $((1 << 20))
}

# qfq takes packets up to 64 KB, headers of all segments included.
test_qfq() {
	ip -n "$TX" link set dev tx0 gso_max_size 32768
	tell "qdisc add dev tx0 root handle 1: qfq
		class add dev tx0 parent 1: classid 1:1 qfq weight 1 maxpkt 40000
		qdisc add dev tx0 parent 1:1 handle 10: reframer slack 64us $ALWAYS
		filter add dev tx0 parent 1: matchall classid 1:1"
	whole
	timely "$WHOLE"
}

run_tests "$@"
