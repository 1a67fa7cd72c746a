#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Fuzzers of netlink and of packets, for as long as a test may take, always with
# the same seed.
#
# FUZZ_SEED, FUZZ_MESSAGES: another seed (1), more messages (12000)

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

SEED=${FUZZ_SEED:-1}

# module_file: that of the module, in MODULE, if it can be loaded as it is
module_file() {
	MODULE=${REFRAMER_MODULE:-$(modinfo -n sch_reframer 2>/dev/null || true)}
	[[ $MODULE == *.ko ]] || MODULE=
}

# The fuzzers bring namespaces of their own.  That of the other tests must not
# hold on to the module.
test_netlink() {
	local messages=${FUZZ_MESSAGES:-12000} module=() result

	helper fuzz-netlink
	module_file
	[ -z "$MODULE" ] || module=(--module "$MODULE")
	result=$("$HELPER" --seed "$SEED" --messages "$messages" \
		"${module[@]}") || fail "$result"
	diag "$result"
	LIST=${result##*$'\n'}
	# It is not all the same error.
	expect '.list.accepted > .list.messages / 3' \
		'.list.reframer_accepted > .list.messages / 50' \
		'.list.spoilt_refused > .list.messages / 100' \
		'.list.spoilt_accepted > 10' \
		'.list.refused_unchanged > .list.messages / 100' \
		'.list.packets > .list.messages / 10'
	[ -z "$MODULE" ] ||
		expect '.list.removals > 0 and .list.removals_refused > 0'
}

run_tests "$@"
