# SPDX-License-Identifier: GPL-2.0
"""
A network namespace for every case, as tc-testing's nsPlugin makes it, but tdc
itself enters it: half as many processes are started that way, which is what
cases spend their time on, and the devices are there when the case begins.
"""
import ctypes
import os
import subprocess

from TdcPlugin import TdcPlugin

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def enter(fd):
    if LIBC.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class SubPlugin(TdcPlugin):
    def __init__(self):
        self.sub_class = "case/SubPlugin"
        super().__init__()
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)

    def ip(self, lines):
        subprocess.run([self.args.NAMES["IP"], "-batch", "-"], check=True,
                       text=True, input=lines)

    def pre_case(self, caseinfo, test_skip):
        if test_skip:
            return
        names = self.args.NAMES
        # tells tdc.sh which case a warning belongs to
        with open("/dev/kmsg", "w") as log:
            log.write(f"<7>{names['MARK']} {caseinfo['id']}.")
        enter(self.home)
        self.ip(f"netns add {names['NS']}\n"
                f"link add name {names['DEV0']} type veth"
                f" peer name {names['DEV1']} netns {names['NS']}\n"
                f"link set dev {names['DEV0']} up\n")
        with open(f"/run/netns/{names['NS']}") as ns:
            enter(ns.fileno())
        self.ip(f"link set dev {names['DEV1']} up\n"
                f"link add name {names['DUMMY']} type dummy\n"
                f"link set dev {names['DUMMY']} up\n"
                f"link add name {names['IFB']} type ifb\n"
                f"link set dev {names['IFB']} up\n")

    def post_case(self):
        enter(self.home)
        self.ip(f"netns del {self.args.NAMES['NS']}\n")
