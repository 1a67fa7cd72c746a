#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Install: `make install` puts module and plugin where kernel and tc find them
# without any help, `make uninstall` leaves nothing.
#
# It changes the system, so it runs only in a guest of scripts/vm, which is
# thrown away.
# shellcheck disable=SC2317 # functions are called by name
set -euo pipefail

cd "$(dirname "$0")/.."
echo "TAP version 13"
if [ -z "${REFRAMER_MODULE:-}" ] || [ ! -e sch_reframer.ko ] ||
	[ ! -d "/lib/modules/$(uname -r)/build" ]; then
	echo "1..0 # SKIP not in a guest of scripts/vm"
	exit 4
fi
unset TC_LIB_DIR
nr=0
bad=0

# expect NAME COMMAND...: it succeeds
expect() {
	local name=$1 out

	shift
	nr=$((nr + 1))
	if out=$("$@" 2>&1); then
		echo "ok $nr $name"
	else
		echo "# ${out//$'\n'/$'\n# '}"
		echo "not ok $nr $name"
		bad=1
	fi
}

add() { LD_BIND_NOW=1 tc qdisc add dev lo root reframer delay 1us; }
unknown() { ! add; }
installed() { find /lib/modules /usr/lib /usr/share -name '*reframer*'; }
found_module() { [[ $(modinfo -n sch_reframer) == "/lib/modules/$(uname -r)/"* ]]; }
nothing_left() { [ -z "$(installed)" ] && unknown; }

in_user_namespace() {
	setpriv --reuid 65534 --regid 65534 --clear-groups unshare -Urn \
		tc qdisc add dev lo root reframer && [ -d /sys/module/sch_reframer ]
}

# A namespace is dissolved some time after its last process.
removed() {
	local tries

	for ((tries = 0; tries < 50; tries++)); do
		! rmmod sch_reframer || return 0
		sleep 0.2
	done
	return 1
}

echo "1..11"
rmmod sch_reframer
expect "nothing is there before" nothing_left
expect "make install" make install
expect "make installcheck" make installcheck
expect "tc loads plugin and module by itself" add
expect "modprobe finds the installed module" found_module
expect "the qdisc can be deleted" tc qdisc del dev lo root
expect "the module can be removed" rmmod sch_reframer
expect "root of a user namespace makes the kernel load it, as any qdisc" \
	in_user_namespace
expect "the module can be removed then" removed
expect "make uninstall" make uninstall
expect "nothing is left" nothing_left
exit $bad
