#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Install: `make install` puts module, plugin and tools where kernel, tc and the shell
# find them without any help, `make uninstall` leaves nothing.
#
# It changes the system, so it runs only in a guest of scripts/guests/vm, whose changes
# are discarded.
# shellcheck disable=SC2317 # functions are called by name
set -euo pipefail

cd "$(dirname "$0")/.."
echo "TAP version 13"
if [ -z "${REFRAMER_MODULE:-}" ] || [ ! -e sch_reframer.ko ] ||
	[ ! -d "/lib/modules/$(uname -r)/build" ]; then
	echo "1..0 # SKIP not in a guest of scripts/guests/vm"
	exit 4
fi
unset TC_LIB_DIR
nr=0
bad=0
kver=$(uname -r)
other=$(mktemp -d)
trap 'rm -rf "$other"' EXIT

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
# reframer-init is part of the guest
installed() {
	find /lib/modules /usr/lib /usr/sbin /usr/share -name '*reframer*' \
		! -path /usr/sbin/reframer-init
}
found_module() { [[ $(modinfo -n sch_reframer) == "/lib/modules/$(uname -r)/"* ]]; }
nothing_left() { [ -z "$(installed)" ] && unknown; }

# tools_in DIRECTORY: all of them are there
tools_in() {
	local tool

	for tool in tools/*; do
		[ -x "$tool" ] || continue	# sources
		cmp "$tool" "$1/${tool#*/}" && [ -x "$1/${tool#*/}" ] || return
	done
}

found_tools() {
	tools_in /usr/sbin && reframer-releases --help && reframer-record --help &&
		command -v reframer-holds
}

in_user_namespace() {
	setpriv --reuid 65534 --regid 65534 --clear-groups unshare -Urn \
		tc qdisc add dev lo root reframer && [ -d /sys/module/sch_reframer ]
}

# upgraded TARGET...: make, while uname reports another kernel than that of the module
upgraded() {
	mkdir -p "$other"
	cat >"$other/uname" <<-'END'
		#!/bin/sh
		[ "$*" = -r ] && echo 0.0-other || exec /usr/bin/uname "$@"
	END
	chmod +x "$other/uname"
	PATH=$other:$PATH make "$@" KVER="$kver" DESTDIR="$other/root"
}

installed_for_other() {
	upgraded && upgraded install || return
	echo "installed: $(find "$other/root" -type f)"
	[ "$(modinfo -F vermagic "$other"/root/lib/modules/"$kver"/*/sch_reframer.ko* |
		cut -d ' ' -f 1)" = "$kver" ] &&
		[ -e "$other/root/usr/share/man/man8/tc-reframer.8" ] &&
		[ -n "$(find "$other/root/usr" -path '*/tc/q_reframer.so')" ] &&
		tools_in "$other/root/usr/sbin" &&
		nothing_left
}

uninstalled_for_other() {
	upgraded uninstall && [ -z "$(find "$other/root" -name '*reframer*')" ]
}

# removed: remove the module; a namespace is destroyed some time after its last process
removed() {
	local tries

	for ((tries = 0; tries < 50; tries++)); do
		! rmmod sch_reframer || return 0
		sleep 0.2
	done
	return 1
}

echo "1..14"
rmmod sch_reframer
expect "nothing is there before" nothing_left
expect "make install KVER= DESTDIR= for a kernel that does not run" \
	installed_for_other
expect "make uninstall KVER= DESTDIR=" uninstalled_for_other
expect "make install" make install
expect "make installcheck" make installcheck
expect "tc loads plugin and module by itself" add
expect "modprobe finds the installed module" found_module
expect "the shell finds the tools" found_tools
expect "the qdisc can be deleted" tc qdisc del dev lo root
expect "the module can be removed" rmmod sch_reframer
expect "root of a user namespace makes the kernel load it, as any qdisc" \
	in_user_namespace
expect "the module can be removed then" removed
expect "make uninstall" make uninstall
expect "nothing is left" nothing_left
exit $bad
