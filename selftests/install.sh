#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Install: `make install` puts module, plugin and tools where kernel, tc and the shell
# find them without any help, `make uninstall` leaves nothing, and nothing else is touched.
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
version=$(sed -n 's/^PACKAGE_VERSION=//p' dkms.conf)
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

	for tool in tools/reframer-*; do
		[ -x "$tool" ] || continue	# sources and manual pages
		cmp "$tool" "$1/${tool#*/}" && [ -x "$1/${tool#*/}" ] || return
	done
}

found_tools() {
	tools_in /usr/sbin && reframer-releases --help && reframer-record --help &&
		reframer-metrics --help &&
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

# refuses TEXT MAKE-ARGUMENTS...: make fails with this message, and reads no input, for which
# it would wait on a terminal
refuses() {
	local text=$1 out input unread=''

	shift
	exec {input}< <(echo unread)
	if out=$(make "$@" 2>&1 <&"$input"); then
		echo "it succeeds: $out"
		return 1
	fi
	read -r unread <&"$input" || echo "it reads its input"
	exec {input}<&-
	echo "$out"
	[ -n "$unread" ] && [[ $out == *"$text"* ]]
}

no_tc() {
	refuses "tc not found" installcheck TC= && refuses "tc not found" install-tools TC= &&
		nothing_left
}

# Without the headers of a kernel
tools_alone() {
	make install-tools DESTDIR="$other/tools" KERNELDIR=/nonexistent KVER=none &&
		tools_in "$other/tools/usr/sbin" &&
		[ -e "$other/tools/usr/lib/systemd/system/reframer@.service" ] &&
		[ -e "$other/tools/usr/share/man/man8/reframer-attach.8" ] &&
		[ ! -e "$other/tools/lib" ]
}

# The tree was built somewhere else.
moved_tree() {
	mkdir "$other/moved" &&
		cp -r Makefile dkms.conf sch_reframer.ko tc-plugin tools "$other/moved/" &&
		make -C "$other/moved" install DESTDIR="$other/from-moved" &&
		[ -e "$other/from-moved/lib/modules/$kver/extra/sch_reframer.ko" ]
}

quiet_install() {
	local out

	out=$(make install 2>&1) || { echo "$out"; return 1; }
	[[ ! $out =~ [Ee]rror|[Ww]arning|SSL ]] || { echo "$out"; return 1; }
}

# Without debug information, which is larger than the rest
small_module() {
	local module

	module=$(modinfo -n sch_reframer)
	[[ $(readelf -SW "$module") != *.debug_info* ]] &&
		[ "$(modinfo -F version "$module")" = "$version" ]
}

attached() {
	ip link add many0 numtxqueues 4 type dummy
	reframer-attach lo delay 1us noadaptive &&
		tc qdisc show dev lo | grep "reframer .* delay 1us .* noadaptive" &&
		reframer-attach many0 delay 2us && reframer-attach many0 delay 3us &&
		[ "$(tc qdisc show dev many0 | grep -c "reframer .* delay 3us")" = 4 ]
}

detached() { ip link del many0 && tc qdisc del dev lo root; }

# A module of DKMS, which make install did not install
keeps_others() {
	local dkms=/lib/modules/$kver/updates/dkms/sch_reframer.ko

	mkdir -p "${dkms%/*}" && touch "$dkms" && make uninstall && [ -e "$dkms" ] &&
		rm "$dkms" && depmod
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

echo "1..24"
rmmod sch_reframer
expect "nothing is there before" nothing_left
expect "make fails if there is no tc, and does not wait for input" no_tc
expect "make install-tools needs no kernel" tools_alone
expect "make install KVER= DESTDIR= for a kernel that does not run" \
	installed_for_other
expect "make uninstall KVER= DESTDIR=" uninstalled_for_other
expect "make install refuses a module that is built for another kernel" \
	refuses "sch_reframer.ko is built for \"$kver\"" install-module KVER=0.0-other
expect "make install of a tree that was moved" moved_tree
expect "make install-tools" make install-tools
expect "make installcheck fails without the module" \
	refuses "the kernel does not find version $version" installcheck
expect "make install prints no error or warning" quiet_install
expect "make installcheck" make installcheck
expect "make installcheck fails with another version of the module" \
	refuses "the kernel does not find version 0" installcheck VERSION=0
expect "tc loads plugin and module by itself" add
expect "modprobe finds the installed module" found_module
expect "it has the version, and no debug information" small_module
expect "the shell finds the tools" found_tools
expect "the qdisc can be deleted" tc qdisc del dev lo root
expect "reframer-attach puts it on one queue or several" attached
expect "these can be deleted" detached
expect "the module can be removed" rmmod sch_reframer
expect "root of a user namespace makes the kernel load it, as any qdisc" \
	in_user_namespace
expect "the module can be removed then" removed
expect "make uninstall keeps a module of DKMS" keeps_others
expect "nothing is left" nothing_left
exit $bad
