# SPDX-License-Identifier: MIT
# The kernel image: portable core, arch/x86_64, lib and generated code.  It is linked
# twice: the second time with the symbol table that backtraces are named from.

LIB_SOURCES := $(call sources,lib)
WIRE_SOURCES := $(sort $(wildcard build/gen/*.c build/gen/wire/*.c))
CORE_SOURCES := $(filter-out kernel/arch/%,$(call sources,kernel)) \
	$(sort $(wildcard build/gen/kernel/*.c))
KERNEL_SOURCES := $(CORE_SOURCES) $(call sources,kernel/arch/x86_64) $(LIB_SOURCES) \
	$(WIRE_SOURCES)
KERNEL_OBJECTS := $(call objects,kernel,$(KERNEL_SOURCES))
KERNEL_SCRIPT := kernel/arch/x86_64/kernel.ld
KSYMS := $(wildcard tools/ksyms.py)

$(call remember,build/kernel/objects,$(KERNEL_OBJECTS))

.PHONY: kernel
kernel: build/kernel/kernel.elf ## Builds the kernel image

build/kernel/unnamed.elf: $(KERNEL_OBJECTS) $(KERNEL_SCRIPT) build/kernel/objects
	$(call say,LD,$@)
	$(Q)$(LD) $(KERNEL_LDFLAGS) --emit-relocs -T $(KERNEL_SCRIPT) $(KERNEL_OBJECTS) -o $@

ifneq ($(KSYMS),)
build/kernel/ksyms.S: build/kernel/unnamed.elf $(KSYMS)
	$(call say,KSYMS,$@)
	$(Q)$(PYTHON) $(KSYMS) $< $@

build/kernel/ksyms.o: build/kernel/ksyms.S
	$(Q)$(CC) $(KERNEL_FLAGS) $(PREFIX_MAP) -D__ASSEMBLER__ -c $< -o $@

build/kernel/kernel.elf: $(KERNEL_OBJECTS) build/kernel/ksyms.o $(KERNEL_SCRIPT)
	$(call say,LD,$@)
	$(Q)$(LD) $(KERNEL_LDFLAGS) -T $(KERNEL_SCRIPT) $(KERNEL_OBJECTS) build/kernel/ksyms.o -o $@
else
build/kernel/kernel.elf: build/kernel/unnamed.elf
	$(Q)cp $< $@
endif
