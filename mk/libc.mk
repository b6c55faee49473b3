# SPDX-License-Identifier: MIT
# The C library: musl (third_party/musl) over posix/, as a sysroot for `capos cc`.
#
# musl's source is fetched; where it can't be had, everything else is built, and
# build/libc/problem says why.

SYSROOT := build/libc/sysroot
POSIX_SOURCES := $(call sources,posix)
POSIX_OBJECTS := $(call objects,user,$(POSIX_SOURCES)) build/user/obj/build/posix/calls.o
MUSL_INPUTS := posix/calls.txt posix/errno.h third_party/musl/pin.txt tools/libc/build.py tools/libc/calls.py \
	$(wildcard tools/fetch/*.py) $(shell find third_party/musl/overlay -type f)

build/posix/calls.h build/posix/calls.c &: posix/calls.txt posix/errno.h tools/libc/calls.py
	$(call say,CALLS,$<)
	$(Q)$(PYTHON) -B tools/libc/calls.py posix build/posix
	$(Q)touch build/posix/calls.h build/posix/calls.c
$(POSIX_OBJECTS): build/posix/calls.h

$(SYSROOT)/usr/lib/libc.a: $(MUSL_INPUTS)
	$(call say,MUSL,$@)
	$(Q)CC=$(CC) AR=$(AR) $(PYTHON) -B tools/libc/build.py $(SYSROOT)
	$(Q)touch $@

# What every program begins with: posix/ and libcapos, one object in which only the names that musl
# calls and those that begin with capos_ are visible.  The linker leaves out what isn't used.
build/posix/symbols: posix/calls.txt tools/libc/calls.py
	$(Q)$(PYTHON) -B tools/libc/calls.py symbols $@
build/posix/whole.o: $(POSIX_OBJECTS) build/user/libcapos.a mk/libc.mk
	$(call say,LD,$@)
	$(Q)$(LD) -r --undefined-glob='capos_*' $(POSIX_OBJECTS) build/user/libcapos.a $(USER_BUILTINS) -o $@
$(SYSROOT)/usr/lib/crt1.o: build/posix/whole.o build/posix/symbols mk/libc.mk
	$(call say,OBJCOPY,$@)
	@mkdir -p $(@D)
	$(Q)$(OBJCOPY) --redefine-syms=build/posix/symbols $< $@.all
	$(Q)$(OBJCOPY) --wildcard --keep-global-symbol='__capos_*' --keep-global-symbol='capos_*' \
		--keep-global-symbol='!capos_interface_*' --keep-global-symbol=_start $@.all $@
	@rm -f $@.all

# The generated clients, for programs that make native calls too.
CLIENT_OBJECTS := $(call objects,user,$(LIB_SOURCES) $(WIRE_SOURCES) $(sort $(wildcard build/gen/capos/*.c)))
build/posix/clients.o: $(CLIENT_OBJECTS) mk/libc.mk
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LD) -r $(CLIENT_OBJECTS) -o $@
$(SYSROOT)/usr/lib/libcapos.a: build/posix/clients.o
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) crs $@ $<

# What `capos cc` compiles and links with, one argument per line.  The native headers come last: a
# program may use both.  The stack is that of the first thread, and what others get by default.
LIBC_CC_FLAGS := --target=x86_64-linux-musl --sysroot=$(SYSROOT) -march=x86-64-v2 -fPIE \
	-fstack-protector-strong -fno-omit-frame-pointer -ffunction-sections -fdata-sections \
	-Wno-unused-command-line-argument \
	$(addprefix -idirafter,libcapos/include abi/include lib/include build)
LIBC_LD_FLAGS := $(USER_LDFLAGS) -z stack-size=1048576 -L$(SYSROOT)/usr/lib -lcapos
build/libc/cc.flags build/libc/ld.flags &: mk/libc.mk mk/toolchain.mk
	@mkdir -p $(@D)
	$(Q)printf '%s\n' $(LIBC_CC_FLAGS) > build/libc/cc.flags
	$(Q)printf '%s\n' $(LIBC_LD_FLAGS) > build/libc/ld.flags

.PHONY: libc libc-build posix-docs
libc: $(addprefix $(SYSROOT)/usr/lib/,libc.a crt1.o libcapos.a) build/libc/cc.flags build/libc/ld.flags sdk ## Builds the C library and its sysroot: build/libc/sysroot

# For the tests: where the source can't be had, the reason is left in a file.  Behind the builds whose
# objects it shares: the inner make finds these made.
libc-build: | host systems sdk
	$(Q)mkdir -p build/libc && rm -f build/libc/problem
	$(Q)$(PYTHON) -B tools/fetch/fetch.py musl 2> build/libc/fetching && rm -f build/libc/fetching || \
		mv build/libc/fetching build/libc/problem
	$(Q)+[ -e build/libc/problem ] || $(MAKE) --no-print-directory libc

posix-docs: ## Writes the table of the C library's calls into docs/posix-calls.md
	$(Q)$(PYTHON) -B tools/libc/calls.py docs docs/posix-calls.md
