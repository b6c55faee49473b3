# SPDX-License-Identifier: MIT
# Generated code.  build/gen/stamp.mk is an included makefile: make brings it up to date
# and reads everything again before it looks at what the schema compiler wrote.
# The schema compiler leaves files alone that don't change and removes those that are no
# longer wanted, so a new comment in a schema doesn't compile everything again.

SCHEMAS := $(sort $(wildcard schema/*.capnp))
SCHEMAC := $(sort $(shell find tools/schemac -name '*.py' -not -name '*_test.py'))

build/gen/stamp.mk: $(SCHEMAS) $(SCHEMAC) abi.golden
	$(call say,SCHEMA,schema/*.capnp)
	@mkdir -p $(@D)
	$(Q)$(PYTHON) -B tools/schemac/schemac.py --out $(@D) $(SCHEMAS)
	@echo '# The schema is compiled.' > $@

include build/gen/stamp.mk
