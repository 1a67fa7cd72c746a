#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# tdc: cases for the kernel's tc-testing driver: our own (tdc/reframer.json), and the
# kernel's cases for other qdiscs (tdc/from-upstream).
#
# The driver is not part of this tree: scripts/check.d/tdc downloads it.  In a kernel tree,
# set TDC_DIR=tools/testing/selftests/tc-testing.
#
# Some cases need parents without known bugs: multiq and taprio of Debian's 6.1.176 (fixed
# in 6.1.192) leave a packet behind in a leaf that they have peeked.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# Kinds of qdiscs that some cases need and some kernels lack
KINDS=(cbs drr ets hfsc hhf htb mqprio multiq netem plug prio qfq red sfb taprio tbf)

# in_cases JQ FILE: change all cases of a file
in_cases() { jq "map($1)" "$2" >"$TMP/cases" && mv "$TMP/cases" "$2"; }

missing_kinds() {
	local kind

	for kind in "${KINDS[@]}"; do
		[[ $(unshare --net "$TC" qdisc add dev lo root "$kind" 2>&1) \
			!= *"kind is unknown"* ]] || echo "$kind"
	done
}

config() {
	cat <<-END
		import os
		ENVIR = os.environ.copy()
		EXTRA_NAMES = {
		    "TC": "$(command -v "$TC")",
		    "IP": "$(command -v ip)",
		    "FLOWGEN": "$FLOWGEN",
		    "MARK": "$MARK",
		}
	END
}

# bad_cases LOG: print the ids of the cases during which the kernel warned
bad_cases() {
	local log=$1 id

	while [[ $log == *"$MARK "* ]]; do
		log=${log#*"$MARK "}
		id=${log%%.*}
		[[ -z $(bad_log "${log%%"$MARK "*}") ]] || echo "$id"
	done
}

# ktap BAD_CASES: print tdc's report; cases that were not run for another reason than a
# missing qdisc, and those during which the kernel warned, have failed
ktap() {
	awk -v bad="$1" '
		BEGIN {
			n = split(bad, id, " ")
			for (i = 1; i <= n; i++)
				warned[id[i]] = 1
		}
		/^1\.\./ { print; next }
		/^(not )?ok / {
			skip = sub(/ # skipped - Test case designated.*/,
				   " # SKIP the kernel lacks a qdisc")
			if (!skip && sub(/ # skipped - .*/, ""))
				sub(/^/, "not ")
			case_id = $1 == "ok" ? $3 : $4
			if ($1 == "ok" && case_id in warned) {
				print "# the kernel log reports a bug"
				sub(/^/, "not ")
			}
			print
			next
		}
		NF { print "# " $0 }' "$TMP/results"
}

echo "TAP version 13"
[ "$UID" = 0 ] || skip_all "needs root"
need ip "$TC" jq python3 ping sysctl dmesg unshare
TDC=${TDC_DIR:-$HERE/../build/tdc}
[ -e "$TDC/tdc.py" ] || skip_all "no tc-testing in $TDC: run scripts/check.d/tdc"
[ -e "$TDC/tc-tests/infra/qdiscs.json" ] ||
	skip_all "tc-testing is older than its generic cases: run scripts/check.d/tdc"
helper flowgen
FLOWGEN=$HELPER
need_reframer
trap 'rm -rf "$TMP"' EXIT

cp -r "$TDC" "$TMP/tdc"
MARK="reframer selftest $$ tdc"
config >"$TMP/tdc/tdc_config_local.py"
mkdir "$TMP/tdc/plugin-lib-custom"
cp "$HERE/tdc/casePlugin.py" "$TMP/tdc/plugin-lib-custom/"
cp "$HERE/tdc/reframer.json" "$TMP/tdc/own.json"
"$HERE/tdc/from-upstream" "$TDC/tc-tests/infra/qdiscs.json" \
	>"$TMP/tdc/upstream.json"
missing=$(missing_kinds)
for file in "$TMP"/tdc/{own,upstream}.json; do
	in_cases '.plugins.requires = ["casePlugin"]' "$file"
	[ -z "$missing" ] || in_cases 'if .setup | tostring |
			test(" ('"${missing//$'\n'/|}"')\\b")
		then .skip = "yes" else . end' "$file"
	[ $# = 0 ] || in_cases 'select(.id + .name | test("'"$1"'"))' "$file"
done

cd "$TMP/tdc"
status=0
python3 tdc.py -f own.json upstream.json --outfile "$TMP/results" \
	>"$TMP/log" 2>&1 || status=$?
if [ ! -s "$TMP/results" ]; then
	diag "$(tail -n 30 "$TMP/log")"
	echo "1..1"
	echo "not ok 1 tdc.py ends with a report"
	exit 1
fi
ktap "$(bad_cases "$(dmesg)" | xargs)" >"$TMP/ktap"
[ $status = 0 ] || diag "$(grep -v '^Test ' "$TMP/log" | head -n 60)"
cat "$TMP/ktap"
! grep -q '^not ok' "$TMP/ktap"
