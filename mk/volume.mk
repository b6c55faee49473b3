# SPDX-License-Identifier: MIT
# Volumes (volume/), their engine, `capos disk` and their tests.
#
# The engine's source is fetched (third_party/sqlite).  Where it can't be had, everything but
# volumes is built: build/third_party/sqlite/problem then says why.

SQLITE := build/third_party/sqlite
VOLUME_SOURCES := $(call sources,volume)
VOLUME_TESTS := $(sort $(wildcard volume/*_test.c))
VOLUME_INCLUDES := -Ivolume/include -isystem $(SQLITE)
SQLITE_FLAGS = -w -g -O2 $(shell cat third_party/sqlite/options.txt)

$(SQLITE)/sqlite3.c $(SQLITE)/sqlite3.h &: third_party/sqlite/pin.txt tools/fetch/fetch.py
	$(call say,FETCH,sqlite)
	$(Q)$(PYTHON) -B tools/fetch/fetch.py sqlite
	$(Q)touch $(SQLITE)/sqlite3.c $(SQLITE)/sqlite3.h

build/volume/host/sqlite3.o: $(SQLITE)/sqlite3.c third_party/sqlite/options.txt
	$(call say,CC,host $<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SQLITE_FLAGS) $(PREFIX_MAP) -c $< -o $@

build/volume/user/sqlite3.o: $(SQLITE)/sqlite3.c third_party/sqlite/options.txt $(wildcard third_party/sqlite/include/*)
	$(call say,CC,user $<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -flto -W%,$(USER_FLAGS)) $(SQLITE_FLAGS) -Ithird_party/sqlite/include $(PREFIX_MAP) -c $< -o $@

# $(call volume_rule,BUILD,FLAGS)
define volume_rule
build/volume/$1/%.o: %.c $(SQLITE)/sqlite3.h build/$1/flags
	$$(call say,CC,$1 $$<)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $2 $(VOLUME_INCLUDES) $$(PREFIX_MAP) -MMD -MP -c $$< -o $$@
endef
$(eval $(call volume_rule,host,$(HOST_FLAGS)))
$(eval $(call volume_rule,cli,$(CLI_FLAGS)))
$(eval $(call volume_rule,user,$(USER_FLAGS)))

# $(call volume_objects,BUILD,SOURCES)
volume_objects = $(patsubst %.c,build/volume/$1/%.o,$2)

DISK_OBJECTS := $(call volume_objects,cli,$(VOLUME_SOURCES) $(call sources,tools/disk))
build/host/capos-disk: $(DISK_OBJECTS) build/volume/host/sqlite3.o $(call objects,cli,$(LIB_SOURCES) $(WIRE_SOURCES))
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $^ -o $@

# The service.
STORE_OBJECTS := $(call volume_objects,user,$(call sources,services/store) $(VOLUME_SOURCES)) \
	build/volume/user/sqlite3.o
build/user/bin/store: $(STORE_OBJECTS) build/user/libcapos.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LD) $(USER_LDFLAGS) $(STORE_OBJECTS) build/user/libcapos.a $(USER_BUILTINS) -o $@

define volume_test
build/host/tests/$(1:.c=): $(call volume_objects,host,$1 $(VOLUME_SOURCES)) build/volume/host/sqlite3.o build/host/lib.a
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(SANITIZERS) $$^ -o $$@
endef
$(foreach t,$(VOLUME_TESTS),$(eval $(call volume_test,$t)))

.PHONY: disk volume-build
disk: build/host/capos-disk $(STORE) ## Builds `capos disk`, and what serves the files of `capos run --disk`
# Behind the builds whose objects it shares: the inner make finds these made.
volume-build: | unit-build host systems
	$(Q)mkdir -p $(SQLITE) && rm -f $(SQLITE)/problem
	$(Q)$(PYTHON) -B tools/fetch/fetch.py sqlite 2> $(SQLITE)/fetching && rm -f $(SQLITE)/fetching || \
		mv $(SQLITE)/fetching $(SQLITE)/problem
	$(Q)+[ -e $(SQLITE)/problem ] || $(MAKE) --no-print-directory disk \
		$(VOLUME_TESTS:%.c=build/host/tests/%)
