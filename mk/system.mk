# SPDX-License-Identifier: MIT
# What a machine boots: system/NAME.capnp is a manifest, build/system/NAME.package the
# files that it starts with.  The package `test` carries the booted tests as well.

MANIFESTS := $(sort $(wildcard system/*.capnp))
SYSTEMS := $(basename $(notdir $(MANIFESTS)))
SYSTEM_PROGRAMS := $(PROGRAM_FOLDERS) $(PROGRAM_FILES)

# Everything that a manifest is checked against.
MANIFEST_TOOL := tools/manifest/manifest.py
# Who serves disks is built with its engine (mk/volume.mk); whether it is there or not, it is a program.
STORE := build/user/stripped/store
MANIFEST_FACTS := $(MANIFESTS) $(SCHEMAS) kernel/boot/main.c $(wildcard tools/manifest/*.py) \
	$(addprefix build/user/stripped/,$(SERVICES) $(SYSTEM_PROGRAMS))

# The systems of the tests have the test programs too.
$(patsubst %,build/system/%.manifest,$(filter test%,$(SYSTEMS))): \
	$(addprefix build/user/stripped/,$(TEST_PROGRAMS))

build/system/%.manifest: system/%.capnp $(MANIFEST_FACTS)
	$(call say,MANIFEST,$<)
	@mkdir -p $(@D)
	$(Q)$(PYTHON) -B $(MANIFEST_TOOL) check --programs $(filter build/user/%,$^) $(STORE) -- $<
	$(Q)$(CAPNP) eval -I. --flat $< manifest > $@

# $(call package_rule,SYSTEM,PROGRAMS): the manifest, init, the services that the manifest
# names, and the programs.
define package_rule
build/system/$1.package: build/system/$1.manifest $(addprefix build/user/stripped/,$(SERVICES) $2) | build/host/capos
	$$(call say,PACKAGE,$$@)
	$$(Q)build/host/capos pack $$@ manifest=$$< init=build/user/stripped/init \
		$$$$($(PYTHON) -B $(MANIFEST_TOOL) binaries system/$1.capnp $2 | \
			sed 's|..*|&=build/user/stripped/&|') \
		$(foreach p,$2,$p=build/user/stripped/$p)
endef
$(foreach s,$(SYSTEMS),$(eval $(call package_rule,$s,\
	$(SYSTEM_PROGRAMS) $(if $(filter test%,$s),$(TEST_PROGRAMS)))))

.PHONY: systems
systems: $(patsubst %,build/system/%.package,$(SYSTEMS))

.PHONY: graph
graph: $(patsubst %,build/graph/%.svg,$(SYSTEMS)) ## Draws who holds what in each system: build/graph/NAME.svg
build/graph/%.svg: system/%.capnp build/system/%.manifest
	$(call say,GRAPH,$@)
	@mkdir -p $(@D)
	$(Q)$(PYTHON) -B $(MANIFEST_TOOL) graph --out $@ $<

# The image for PCs and clouds: a shell on the first serial port.
.PHONY: iso
iso: build/capos.iso ## Makes a hybrid image for CD, disk or USB stick, for BIOS and UEFI
build/capos.iso: build/kernel/kernel.elf build/system/serial.package $(wildcard tools/iso/*)
	$(call say,ISO,$@)
	$(Q)tools/iso/make-iso.sh build/kernel/kernel.elf build/system/serial.package $@ program=shell
