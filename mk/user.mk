# SPDX-License-Identifier: MIT
# User space.  Each program is a static PIE linked with libcapos:
#   services/X/, programs/X/           one program of all files in the folder
#   programs/X.c                       one program of one file
#   tests/iface/X_test.c, tests/system/X.c   booted tests, likewise
# build/user/bin/NAME keeps its symbols, build/user/stripped/NAME goes into packages.

LIBCAPOS_SOURCES := $(call sources,libcapos) $(LIB_SOURCES) $(WIRE_SOURCES) \
	$(sort $(wildcard build/gen/capos/*.c))
LIBCAPOS_OBJECTS := $(call objects,user,$(LIBCAPOS_SOURCES))

$(call remember,build/user/objects,$(LIBCAPOS_OBJECTS))

build/user/libcapos.a: $(LIBCAPOS_OBJECTS) build/user/objects
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) crs $@ $(LIBCAPOS_OBJECTS)

# 128-bit arithmetic and the like, which clang calls by name.
USER_BUILTINS := $(shell $(CC) --target=x86_64-linux-gnu -rtlib=compiler-rt -print-libgcc-file-name 2>/dev/null)

# store is built with its engine: mk/volume.mk.
SERVICES := $(filter-out store,$(notdir $(patsubst %/,%,$(sort $(dir $(wildcard services/*/*.[cS]))))))
PROGRAM_FOLDERS := $(notdir $(patsubst %/,%,$(sort $(dir $(wildcard programs/*/*.[cS])))))
PROGRAM_FILES := $(basename $(notdir $(wildcard programs/*.c)))
TEST_FILES := $(sort $(wildcard tests/iface/*_test.c) $(wildcard tests/system/*.c))
TEST_PROGRAMS := $(basename $(notdir $(TEST_FILES)))
USER_PROGRAMS := $(SERVICES) $(PROGRAM_FOLDERS) $(PROGRAM_FILES) $(TEST_PROGRAMS)
ifneq ($(words $(USER_PROGRAMS)),$(words $(sort $(USER_PROGRAMS))))
$(error Two programs have the same name: $(sort $(USER_PROGRAMS)))
endif

# $(call user_program,NAME,SOURCES)
define user_program
build/user/bin/$1: $(call objects,user,$2) build/user/libcapos.a
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(LD) $$(USER_LDFLAGS) $(call objects,user,$2) build/user/libcapos.a $$(USER_BUILTINS) -o $$@
endef

build/user/stripped/%: build/user/bin/%
	@mkdir -p $(@D)
	$(Q)$(OBJCOPY) --strip-all $< $@

$(foreach p,$(SERVICES),$(eval $(call user_program,$p,$(call sources,services/$p))))
$(foreach p,$(PROGRAM_FOLDERS),$(eval $(call user_program,$p,$(call sources,programs/$p))))
$(foreach p,$(PROGRAM_FILES),$(eval $(call user_program,$p,programs/$p.c)))
# The generated hostile calls belong to the test program that runs them.
$(foreach f,$(TEST_FILES),$(eval $(call user_program,$(basename $(notdir $f)),\
	$f $(if $(filter negative%,$(notdir $f)),$(sort $(wildcard build/gen/test/*.c))))))

.PHONY: libcapos user init-build demos-build
libcapos: build/user/libcapos.a ## Builds the C runtime
user: libcapos $(addprefix build/user/stripped/,$(USER_PROGRAMS)) ## Builds all programs for capOS
init-build: build/user/stripped/init ## Builds the first process and what it needs

EXAMPLES := $(sort $(wildcard examples/c/*.c))
$(foreach f,$(EXAMPLES),$(eval $(call user_program,examples/$(basename $(notdir $f)),$f)))
EXAMPLE_PROGRAMS := $(patsubst examples/c/%.c,build/user/bin/examples/%,$(EXAMPLES))
IMAGE_PROGRAMS := $(addprefix build/user/stripped/,$(PROGRAM_FOLDERS) $(PROGRAM_FILES))
demos-build: $(EXAMPLE_PROGRAMS) $(IMAGE_PROGRAMS) ## Builds the examples and the programs of the image

# What `capos cc` compiles and links with, one argument per line.  C of people is hosted C:
# falling off the end of main returns 0.
build/user/cc.flags: build/user/flags mk/user.mk
	$(Q)printf '%s\n' -fno-builtin \
		$(filter-out -W% -flto -ffreestanding -Ilibcapos/arch/%,$(USER_FLAGS)) > $@
build/user/ld.flags: build/user/flags mk/user.mk
	$(Q)printf '%s\n' $(USER_LDFLAGS) > $@
build/user/builtins: mk/user.mk
	$(Q)echo $(USER_BUILTINS) > $@
.PHONY: sdk
sdk: build/user/libcapos.a build/user/cc.flags build/user/ld.flags build/user/builtins
