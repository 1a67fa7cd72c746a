# SPDX-License-Identifier: GPL-2.0
#
#   make                    the module and the tc plugin
#   make install            put them where this machine's kernel and tc look
#   make uninstall          and take them away again
#   make unit               test the engine in user space
#   make selftests          the programs that the selftests need
#
# KERNELDIR   build tree of the kernel      (/lib/modules/`uname -r`/build)
# DESTDIR     prefix of all that is installed                        (none)
# TC_LIB_DIR  where tc looks for plugins           (LIBDIR/tc of this machine)
# MANDIR      where man looks                           (/usr/share/man)

KERNELRELEASE ?= $(shell uname -r)
KERNELDIR ?= /lib/modules/$(KERNELRELEASE)/build
MANDIR ?= /usr/share/man
TC_LIB_DIR ?= $(shell scripts/tc-lib-dir)

all: module plugin

module:
	$(MAKE) -C $(KERNELDIR) M=$(CURDIR) modules

plugin:
	$(MAKE) -C tc-plugin

selftests:
	$(MAKE) -C selftests

unit:
	$(MAKE) -C selftests/unit run

install: all
	$(MAKE) -C $(KERNELDIR) M=$(CURDIR) INSTALL_MOD_PATH=$(DESTDIR) \
		INSTALL_MOD_DIR=updates modules_install
	install -D -m 644 tc-plugin/q_reframer.so \
		$(DESTDIR)$(TC_LIB_DIR)/q_reframer.so
	install -D -m 644 tc-plugin/tc-reframer.8 \
		$(DESTDIR)$(MANDIR)/man8/tc-reframer.8

uninstall:
	$(RM) $(DESTDIR)/lib/modules/$(KERNELRELEASE)/updates/sch_reframer.ko*
	$(RM) $(DESTDIR)$(TC_LIB_DIR)/q_reframer.so
	$(RM) $(DESTDIR)$(MANDIR)/man8/tc-reframer.8
	depmod -b $(DESTDIR)/ $(KERNELRELEASE)

clean:
	if [ -d $(KERNELDIR) ]; then \
		$(MAKE) -C $(KERNELDIR) M=$(CURDIR) clean; fi
	$(MAKE) -C tc-plugin clean
	$(MAKE) -C selftests clean

.PHONY: all module plugin selftests unit install uninstall clean
