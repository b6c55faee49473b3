# SPDX-License-Identifier: MIT
# The one build of capOS: not recursive, everything found by its place in the tree.
#
#   mk/toolchain.mk  which compiler, which flags for which of the builds
#   mk/gen.mk        schema/*.capnp -> build/gen (before anything else is read)
#   mk/kernel.mk     the kernel image
#   mk/user.mk       libcapos, services, programs, booted tests
#   mk/system.mk     manifests, boot packages, the ISO
#   mk/host.mk       the `capos` command, host unit tests, fuzz targets
#   mk/volume.mk     volumes, `capos disk` and their tests
#   mk/libc.mk       the C library and its sysroot
#   mk/rust.mk       the Rust toolchain, capos-rt, programs in Rust
#   mk/docs.mk       the documentation
#   mk/verbs.mk      what people type: run, test, check, bench, fmt, gdb
#
# A new source file needs no entry here.  `make help` lists the verbs.

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.SUFFIXES:
.DELETE_ON_ERROR:
SHELL := /bin/bash

.PHONY: all
all: kernel user host systems ## Builds the kernel, all programs, the boot packages and the capos command

# V=1 shows the commands.
V ?= 0
ifeq ($(V),0)
Q := @
say = @printf '  %-9s %s\n' '$1' '$(strip $2)'
else
Q :=
say = @:
endif

# These work in any state of the tree, without a compiler.
PLAIN_GOALS := help clean fmt docs model test check
BUILDING := $(if $(filter-out $(PLAIN_GOALS),$(or $(MAKECMDGOALS),all)),yes)

include mk/toolchain.mk
ifdef BUILDING
include mk/gen.mk
endif
include mk/kernel.mk
include mk/user.mk
include mk/system.mk
include mk/host.mk
include mk/volume.mk
include mk/libc.mk
include mk/rust.mk
include mk/docs.mk
include mk/verbs.mk

# Header dependencies, as the compiler wrote them at the last build.
ifdef BUILDING
-include $(shell find build -name '*.d' 2>/dev/null)
endif
