# SPDX-License-Identifier: GPL-2.0
#
#   make                build the module, the tc plugin and, if libpcap-dev is there,
#                       reframer-advise
#   make install        put them where this machine's kernel and tc look, and the
#                       tools into SBINDIR
#   make installcheck   print what tc, the kernel and the shell find there
#   make uninstall      remove them
#   make tools          build reframer-advise, which needs libpcap-dev, into OUTPUT
#   make unit           test the engine and the plugin in user space
#   make fuzz           look for inputs that break it, SECONDS=600 long
#   make selftests      build the programs that the selftests need
#   make traingen       build the traffic generator of the benchmarks, a module
#   make slownic        build a slow device for the selftests, a module
#   make clean
#
# KVER        version of the kernel                             (`uname -r`)
# KERNELDIR   its build tree                       (/lib/modules/KVER/build)
# DESTDIR     prefix of all that is installed                        (none)
# TC_LIB_DIR  where tc looks for plugins   (the directory named in tc itself)
# MANDIR      where man looks                              (/usr/share/man)
# SBINDIR     where the tools go                                (/usr/sbin)
# OUTPUT      where reframer-advise is built                       (./build)

KVER ?= $(shell uname -r)
KERNELDIR ?= /lib/modules/$(KVER)/build
MANDIR ?= /usr/share/man
SBINDIR ?= /usr/sbin
TC ?= $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v tc)
TC_LIB_DIR ?= $(shell grep -aoE '/[[:alnum:]_./-]+/tc\b' $(TC) | head -n 1)
TOOLS := reframer-releases reframer-record reframer-holds
OUTPUT ?= $(CURDIR)/build
ADVISE := $(OUTPUT)/reframer-advise
# built and installed only where libpcap's headers are
HAVE_PCAP := $(shell echo '\#include <pcap/pcap.h>' | $(CC) -E - >/dev/null 2>&1 && echo yes)

all: module plugin $(if $(HAVE_PCAP),tools)

module:
	$(MAKE) -C $(KERNELDIR) M=$(CURDIR) modules

plugin:
	$(MAKE) -C tc-plugin

tools: $(ADVISE)

$(ADVISE): tools/reframer-advise.c tools/gro.h $(wildcard include/*/*.h kmod/*.h)
	@mkdir -p $(@D)
	$(CC) -O2 -g -Wall -Wextra -Iinclude/user -Iinclude/uapi -Ikmod \
		$(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< -lpcap -lm

selftests:
	$(MAKE) -C selftests

traingen slownic:
	$(MAKE) -C $(KERNELDIR) M=$(CURDIR)/selftests/modules/$@ modules

unit:
	$(MAKE) -C selftests/unit run

fuzz:
	$(MAKE) -C selftests/unit fuzz

install: $(if $(HAVE_PCAP),tools)
	@test -n "$(TC_LIB_DIR)" || { echo "tc not found: install iproute2" \
		"or set TC_LIB_DIR" >&2; exit 1; }
	$(MAKE) -C $(KERNELDIR) M=$(CURDIR) INSTALL_MOD_PATH=$(DESTDIR) \
		modules_install
	$(if $(DESTDIR),,depmod $(KVER))
	install -D -m 644 tc-plugin/q_reframer.so \
		$(DESTDIR)$(TC_LIB_DIR)/q_reframer.so
	install -D -m 644 tc-plugin/tc-reframer.8 \
		$(DESTDIR)$(MANDIR)/man8/tc-reframer.8
	install -D -m 755 -t $(DESTDIR)$(SBINDIR) $(TOOLS:%=tools/%)
	$(if $(HAVE_PCAP),install -D -m 755 $(ADVISE) $(DESTDIR)$(SBINDIR)/reframer-advise)
	$(if $(HAVE_PCAP),install -D -m 644 tools/reframer-advise.8 \
		$(DESTDIR)$(MANDIR)/man8/reframer-advise.8)

installcheck:
	@echo "tc:     $(TC) ($$($(TC) -V))"
	@echo "plugin: $(TC_LIB_DIR)/q_reframer.so"
	@LD_BIND_NOW=1 $(TC) qdisc add dev lo root reframer help 2>&1 | \
		grep -q '^Usage: .* reframer' || { echo "tc does not load it" >&2; \
		exit 1; }
	@echo "module: $$(modinfo -n -k $(KVER) sch_reframer)"
	@for tool in $(TOOLS) $(if $(HAVE_PCAP),reframer-advise); do \
		test -x $(SBINDIR)/$$tool || { echo "$(SBINDIR)/$$tool is missing" >&2; \
		exit 1; }; \
		echo "tool:   $(SBINDIR)/$$tool"; \
	done

uninstall:
	find $(DESTDIR)/lib/modules/$(KVER) \
		-name 'sch_reframer.ko*' -delete
	$(if $(DESTDIR),,depmod $(KVER))
	$(RM) $(DESTDIR)$(TC_LIB_DIR)/q_reframer.so
	$(RM) $(DESTDIR)$(MANDIR)/man8/tc-reframer.8
	$(RM) $(TOOLS:%=$(DESTDIR)$(SBINDIR)/%) $(DESTDIR)$(SBINDIR)/reframer-advise
	$(RM) $(DESTDIR)$(MANDIR)/man8/reframer-advise.8

clean:
	test ! -d $(KERNELDIR) || \
		for dir in "" /selftests/modules/traingen /selftests/modules/slownic; do \
			$(MAKE) -C $(KERNELDIR) M=$(CURDIR)$$dir clean || exit; \
		done
	$(MAKE) -C tc-plugin clean
	$(MAKE) -C selftests clean
	$(MAKE) -C selftests/unit clean
	$(RM) $(ADVISE)

.PHONY: all module plugin tools selftests traingen slownic unit fuzz install installcheck uninstall clean
