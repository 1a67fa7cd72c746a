# SPDX-License-Identifier: GPL-2.0
#
#   make                  build the module, the tc plugin and, if libpcap-dev is there,
#                         reframer-advise
#   make install          both of the following, as built before
#   make install-module   put the module where this machine's kernel looks
#   make install-tools    put the plugin where tc looks, and install the tools, the
#                         manual pages, the systemd unit and the examples
#   make installcheck     print what tc, the kernel and the shell find there
#   make uninstall        remove what `make install` has installed
#   make tools            build reframer-advise, which needs libpcap-dev, into OUTPUT
#   make deb              build the Debian packages, in build/deb
#   make unit             test the engine and the plugin in user space
#   make fuzz             look for inputs that break it, SECONDS=600 long
#   make selftests        build the programs that the selftests need
#   make traingen         build the traffic generator of the benchmarks, a module
#   make slownic          build a slow device for the selftests, a module
#   make clean
#
# KVER        version of the kernel                             (`uname -r`)
# KERNELDIR   its build tree                       (/lib/modules/KVER/build)
# DESTDIR     prefix of all that is installed                        (none)
# TC_LIB_DIR  where tc looks for plugins   (the directory named in tc itself)
# MANDIR      where man looks                              (/usr/share/man)
# SBINDIR     where the tools go                                (/usr/sbin)
# UNITDIR     where systemd looks                (/usr/lib/systemd/system)
# EXAMPLEDIR  where the examples go (/usr/share/doc/reframer-tools/examples)
# OUTPUT      where reframer-advise is built                       (./build)
# SIGN_KEY, SIGN_CERT   sign the module with them    (key of KERNELDIR, if any)

export PATH := $(PATH):/usr/sbin:/sbin
KVER ?= $(shell uname -r)
KERNELDIR ?= /lib/modules/$(KVER)/build
MANDIR ?= /usr/share/man
SBINDIR ?= /usr/sbin
TC ?= $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v tc)
TC_LIB_DIR ?= $(if $(TC),$(shell grep -aoE '/[[:alnum:]_./-]+/tc\b' $(TC) | head -n 1))
UNITDIR ?= /usr/lib/systemd/system
EXAMPLEDIR ?= /usr/share/doc/reframer-tools/examples
SIGN_KEY ?= $(wildcard $(KERNELDIR)/certs/signing_key.pem)
SIGN_CERT ?= $(wildcard $(KERNELDIR)/certs/signing_key.x509)
STRIP ?= $(CROSS_COMPILE)strip

VERSION := $(shell sed -n 's/^PACKAGE_VERSION=//p' dkms.conf)
OUTPUT ?= $(CURDIR)/build
ADVISE := $(OUTPUT)/reframer-advise
# built only where libpcap's headers are, and installed where it has been built
HAVE_PCAP := $(shell $(CC) -include pcap/pcap.h -E -x c /dev/null >/dev/null 2>&1 && echo yes)
TOOLS := reframer-attach reframer-releases reframer-record reframer-holds reframer-metrics
PROGRAMS := $(TOOLS:%=tools/%) $(wildcard $(ADVISE))
MANUAL := tc-plugin/tc-reframer.8 tools/reframer-tools.8 \
	$(if $(wildcard $(ADVISE)),tools/reframer-advise.8)
UNIT := reframer@.service
EXAMPLES := $(notdir $(wildcard tools/examples/*))
# DKMS uses another directory, updates/dkms.
MODULE := /lib/modules/$(KVER)/extra/sch_reframer.ko
PLUGIN := $(TC_LIB_DIR)/q_reframer.so

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

install: install-module install-tools

# Not modules_install: it needs the tree where it was built, and complains about the key
# and the System.map that Debian's headers lack.
install-module:
	@built=$$(modinfo -F vermagic sch_reframer.ko | cut -d ' ' -f 1); \
	[ "$$built" = "$(KVER)" ] || { echo "sch_reframer.ko is built for" \
		"\"$$built\", not for $(KVER): run make KVER=$(KVER)" >&2; exit 1; }
	install -D -m 644 sch_reframer.ko $(DESTDIR)$(MODULE)
	$(STRIP) --strip-debug $(DESTDIR)$(MODULE)
	$(if $(SIGN_KEY),$(KERNELDIR)/scripts/sign-file sha256 $(SIGN_KEY) \
		$(SIGN_CERT) $(DESTDIR)$(MODULE))
	$(if $(DESTDIR),,depmod $(KVER))

install-tools: no-package
	install -D -m 644 tc-plugin/q_reframer.so $(DESTDIR)$(PLUGIN)
	install -D -m 644 -t $(DESTDIR)$(MANDIR)/man8 $(MANUAL)
	for tool in $(TOOLS); do \
		ln -sf reframer-tools.8 $(DESTDIR)$(MANDIR)/man8/$$tool.8 || exit; \
	done
	install -D -m 755 -t $(DESTDIR)$(SBINDIR) $(PROGRAMS)
	install -D -m 644 -t $(DESTDIR)$(UNITDIR) tools/$(UNIT)
	install -D -m 644 -t $(DESTDIR)$(EXAMPLEDIR) $(EXAMPLES:%=tools/examples/%)

uninstall: no-package
	$(RM) $(DESTDIR)$(MODULE)
	$(if $(DESTDIR),,depmod $(KVER))
	$(RM) $(DESTDIR)$(PLUGIN)
	$(RM) $(patsubst %,$(DESTDIR)$(MANDIR)/man8/%,$(notdir $(wildcard */*.8)) $(TOOLS:%=%.8))
	$(RM) $(addprefix $(DESTDIR)$(SBINDIR)/,$(TOOLS) reframer-advise)
	$(RM) $(DESTDIR)$(UNITDIR)/$(UNIT)
	$(RM) $(EXAMPLES:%=$(DESTDIR)$(EXAMPLEDIR)/%)
	for dir in $(dir $(MODULE)) $(EXAMPLEDIR) $(dir $(EXAMPLEDIR)); do \
		[ ! -d $(DESTDIR)$$dir ] || \
			rmdir --ignore-fail-on-non-empty $(DESTDIR)$$dir; \
	done

# The files of the package reframer-tools have the same names.
no-package:
	@test -n "$(TC_LIB_DIR)" || { echo "tc not found: install iproute2" \
		"or set TC_LIB_DIR" >&2; exit 1; }
	@$(if $(DESTDIR),true,! dpkg-query -S $(PLUGIN) 2>/dev/null) || { \
		echo "a package owns $(PLUGIN): remove the package first" >&2; exit 1; }

installcheck:
	@test -n "$(TC)" || { echo "tc not found: install iproute2" >&2; exit 1; }
	@echo "tc:     $(TC) ($$($(TC) -V))"
	@echo "plugin: $(PLUGIN)"
	@LD_BIND_NOW=1 $(TC) qdisc add dev lo root reframer help 2>&1 | \
		grep -q '^Usage: .* reframer' || { echo "tc does not load it" >&2; \
		exit 1; }
	@module=$$(modinfo -n -k $(KVER) sch_reframer) && \
		version=$$(modinfo -F version $$module) && \
		echo "module: $$module (version $$version)" && \
		[ "$$version" = "$(VERSION)" ] || { \
		echo "the kernel does not find version $(VERSION) of the module" >&2; \
		exit 1; }
	@for tool in $(notdir $(PROGRAMS)); do \
		test -x $(SBINDIR)/$$tool || { echo "$(SBINDIR)/$$tool is missing" >&2; \
		exit 1; }; \
		echo "tool:   $(SBINDIR)/$$tool"; \
	done

# In a copy: dpkg-buildpackage writes next to the directory that it builds in.
deb:
	rm -rf build/deb
	scripts/guests/stage build/deb/reframer
	cd build/deb/reframer && dpkg-buildpackage -us -uc

clean:
	test ! -d $(KERNELDIR) || \
		for dir in "" /selftests/modules/traingen /selftests/modules/slownic; do \
			$(MAKE) -C $(KERNELDIR) M=$(CURDIR)$$dir clean || exit; \
		done
	$(MAKE) -C tc-plugin clean
	$(MAKE) -C selftests clean
	$(MAKE) -C selftests/unit clean
	$(RM) $(ADVISE)

.PHONY: all module plugin tools selftests traingen slownic unit fuzz install install-module \
	install-tools no-package uninstall installcheck deb clean
