# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What the parts of scripts/bench that run inside the guest share.  Sourced in the
# project's directory.

out=$PWD/build/bench

# start NAME: of what the samples are
start() {
	samples=$out/$1.samples
	mkdir -p "$out"
	: >"$samples"
	uname -r >"$out/$1.kernel"
}

# sample CONFIG METRIC UNIT VALUE
sample() { printf '%s\t%s\t%s\t%s\n' "$@" >>"$samples"; }

# on NAMESPACE COMMAND...
on() { ip netns exec "$@"; }
