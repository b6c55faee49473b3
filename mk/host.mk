# SPDX-License-Identifier: MIT
# What runs on the machine that builds: the `capos` command, unit tests and fuzz targets.

# ---- The capos command -------------------------------------------------------------

CLI_SOURCES := $(call sources,tools/capos)
CLI_OBJECTS := $(call objects,cli,$(CLI_SOURCES) $(LIB_SOURCES) $(WIRE_SOURCES))

.PHONY: host
host: build/host/capos ## Builds the capos command

build/host/capos: $(CLI_OBJECTS)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CLI_OBJECTS) -o $@

# ---- Unit tests: X_test.c is a program of its own, under ASan and UBSan -------------
# It is linked with X.c, with the files that a line "// Links: FILE..." in its head
# names, and with what it needs of lib and the generated codecs; tests below kernel/ and
# tests/core also get the whole core on kernel/arch/host.

UNIT_TESTS := $(sort $(shell find lib kernel libcapos services tools programs tests/core -name '*_test.c' 2>/dev/null))
HOST_LIB_OBJECTS := $(call objects,host,$(LIB_SOURCES) $(WIRE_SOURCES))
HOST_CORE_OBJECTS := $(call objects,host,$(CORE_SOURCES) $(call sources,kernel/arch/host tests/core))
HOST_CLI_OBJECTS := $(call objects,host,$(filter-out %/main.c,$(CLI_SOURCES)))

# $(call archive,FILE,OBJECTS)
define archive
$(call remember,$1.objects,$2)
$1: $2 $1.objects
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && $$(AR) crs $$@ $2
endef
$(eval $(call archive,build/host/lib.a,$(HOST_LIB_OBJECTS)))
$(eval $(call archive,build/host/core.a,$(HOST_CORE_OBJECTS)))
$(eval $(call archive,build/host/cli.a,$(HOST_CLI_OBJECTS)))

# One look at all heads: TEST:FILE... words for the tests that link more.
UNIT_TEST_LINKS := $(if $(UNIT_TESTS),$(shell grep -sHo '^// Links: .*' $(UNIT_TESTS) /dev/null | \
	sed 's|^\([^:]*\):// Links: *|\1 |' | awk '{for (i = 2; i <= NF; i++) print $$1 ":" $$i}'))
links_of = $(patsubst $1:%,%,$(filter $1:%,$(UNIT_TEST_LINKS)))

# $(call unit_test,TEST): the test's own objects, then the archives of its floor.
unit_test_sources = $1 $(if $(filter lib/% kernel/% tests/core/% tools/capos/%,$1),,$(wildcard $(patsubst %_test.c,%.c,$1))) $(call links_of,$1)
unit_test_archives = $(if $(filter kernel/% tests/core/%,$1),build/host/core.a) \
	$(if $(filter tools/capos/%,$1),build/host/cli.a) build/host/lib.a
define unit_test
build/host/tests/$(patsubst %.c,%,$1): $(call objects,host,$(call unit_test_sources,$1)) $(call unit_test_archives,$1)
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(SANITIZERS) $$^ -o $$@
endef
$(foreach t,$(UNIT_TESTS),$(eval $(call unit_test,$t)))
UNIT_TEST_PROGRAMS := $(patsubst %.c,build/host/tests/%,$(UNIT_TESTS))

.PHONY: unit-build unit-test
unit-build: $(UNIT_TEST_PROGRAMS) build/host/wire_driver
unit-test: $(addsuffix .run,$(UNIT_TEST_PROGRAMS)) ## Builds and runs the host unit tests
%.run: %
	@$< > $<.log 2>&1 && echo "ok $(<:build/host/tests/%=%)" || { cat $<.log; echo "FAIL $<"; exit 1; }

# ---- Fuzz targets: X_fuzz.c beside X.c, tests/fuzz/X.c ------------------------------
# Built with libFuzzer.  tests/fuzz/canary.c has a planted bug that the run must find.

FUZZ_SOURCES := $(sort $(shell find lib kernel libcapos services programs tools -name '*_fuzz.c' 2>/dev/null) $(wildcard tests/fuzz/*.c))
FUZZ_LIB_OBJECTS := $(call objects,fuzz,$(LIB_SOURCES) $(WIRE_SOURCES))
FUZZ_CORE_OBJECTS := $(call objects,fuzz,$(CORE_SOURCES) $(call sources,kernel/arch/host tests/core))

$(eval $(call archive,build/fuzz/lib.a,$(FUZZ_LIB_OBJECTS)))
$(eval $(call archive,build/fuzz/core.a,$(FUZZ_CORE_OBJECTS)))
$(eval $(call archive,build/fuzz/cli.a,$(call objects,fuzz,$(filter-out %/main.c,$(CLI_SOURCES)))))

define fuzz_target
build/fuzz/bin/$(basename $(notdir $1)): $(call objects,fuzz,$1) \
		$(if $(filter tools/capos/%,$1),build/fuzz/cli.a,build/fuzz/core.a) build/fuzz/lib.a
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(SANITIZERS) -fsanitize=fuzzer $$^ -o $$@
endef
$(foreach f,$(FUZZ_SOURCES),$(eval $(call fuzz_target,$f)))
FUZZ_PROGRAMS := $(patsubst %,build/fuzz/bin/%,$(basename $(notdir $(FUZZ_SOURCES))))

.PHONY: fuzz-build
fuzz-build: $(FUZZ_PROGRAMS)

# The C side of tests/wire/test_wire.py.
build/host/wire_driver: build/host/obj/tests/wire/driver.o build/host/lib.a
	$(call say,LD,$@)
	$(Q)$(CC) $(SANITIZERS) $^ -o $@
