# SPDX-License-Identifier: MIT
# Tools and flags.  Each tool can be overridden: make CC=clang LD=ld.lld ...

LLVM_SUFFIX ?= -19
CC := $(if $(filter command% environment,$(origin CC)),$(CC),clang$(LLVM_SUFFIX))
LD := $(if $(filter command% environment,$(origin LD)),$(LD),ld.lld$(LLVM_SUFFIX))
AR := $(if $(filter command% environment,$(origin AR)),$(AR),llvm-ar$(LLVM_SUFFIX))
OBJCOPY ?= llvm-objcopy$(LLVM_SUFFIX)
NM ?= llvm-nm$(LLVM_SUFFIX)
CLANG_FORMAT ?= clang-format$(LLVM_SUFFIX)
PYTHON ?= python3
CAPNP ?= capnp
QEMU ?= qemu-system-x86_64

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wundef -Wcast-qual -Wformat=2 -Werror

COMMON_FLAGS := -std=gnu23 $(WARNINGS) -g -O2 -fno-common -Iabi/include -Ilib/include -Ibuild
# No path of the machine that builds gets into what is built.
PREFIX_MAP := -ffile-prefix-map='$(CURDIR)'=.

# ---- The builds: kernel, user, host (sanitized), cli (host, plain), fuzz ----------

KERNEL_FLAGS := -flto $(COMMON_FLAGS) -I. --target=x86_64-unknown-none-elf -ffreestanding \
	-nostdlibinc -mno-red-zone -mgeneral-regs-only -mcmodel=kernel -fno-pic \
	-fstack-protector-strong -mstack-protector-guard=global -fno-omit-frame-pointer \
	-momit-leaf-frame-pointer -ffunction-sections -fdata-sections \
	-D'UPCALL_PRESERVES_NOTHING=[[clang::preserve_none]]'
KERNEL_LDFLAGS := -static -nostdlib --gc-sections -z max-page-size=4096 -z noexecstack \
	--build-id=none

USER_FLAGS := -flto $(COMMON_FLAGS) -Ilibcapos/include -isystemlibcapos/include/c -Ilibcapos/arch/x86_64 \
	--target=x86_64-unknown-none-elf -ffreestanding -nostdlibinc -fPIE \
	-fstack-protector-strong -ftls-model=local-exec -march=x86-64-v2 \
	-fno-omit-frame-pointer -ffunction-sections -fdata-sections
USER_LDFLAGS := -static -pie --no-dynamic-linker -z noexecstack -z separate-code -z relro \
	-z now -z text --gc-sections --build-id=none -e _start

SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_COMMON := $(COMMON_FLAGS) -D_GNU_SOURCE -I. -Ilibcapos/include -Ilibcapos/arch/host \
	-Itests/include
HOST_FLAGS := $(HOST_COMMON) $(SANITIZERS) -fno-omit-frame-pointer
CLI_FLAGS := $(HOST_COMMON) -fstack-protector-strong
FUZZ_FLAGS := $(HOST_COMMON) $(SANITIZERS) -fsanitize=fuzzer-no-link -fno-omit-frame-pointer

# $(call remember,FILE,TEXT): FILE changes when the text does.  Objects depend on their
# flags in this way, what is linked on the list of its objects.
define remember_text
ifneq ($$(strip $$(file <$1)),$$(strip $2))
$$(shell mkdir -p $$(dir $1))
$$(file >$1,$2)
endif
endef
remember = $(if $(BUILDING),$(eval $(call remember_text,$1,$2)))

# $(call compile_rules,BUILD,FLAGS): objects of C and assembly files anywhere in the tree.
define compile_rules
$(call remember,build/$1/flags,$(CC) $2)
build/$1/obj/%.o: %.c build/$1/flags
	$$(call say,CC,$1 $$<)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $2 $$(PREFIX_MAP) -MMD -MP -c $$< -o $$@
build/$1/obj/%.S.o: %.S build/$1/flags
	$$(call say,AS,$1 $$<)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $2 $$(PREFIX_MAP) -D__ASSEMBLER__ -MMD -MP -c $$< -o $$@
endef

ifdef BUILDING
$(eval $(call compile_rules,kernel,$(KERNEL_FLAGS)))
$(eval $(call compile_rules,user,$(USER_FLAGS)))
$(eval $(call compile_rules,host,$(HOST_FLAGS)))
$(eval $(call compile_rules,cli,$(CLI_FLAGS)))
$(eval $(call compile_rules,fuzz,$(FUZZ_FLAGS)))
endif

# $(call sources,FOLDERS): the product's C and assembly files below folders: no tests,
# no fuzz targets.
sources = $(sort $(filter-out %_test.c %_fuzz.c,$(shell find $1 -name '*.[cS]' 2>/dev/null)))
# $(call objects,BUILD,SOURCES)
objects = $(patsubst %.c,build/$1/obj/%.o,$(filter %.c,$2)) \
	$(patsubst %.S,build/$1/obj/%.S.o,$(filter %.S,$2))
