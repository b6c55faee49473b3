# SPDX-License-Identifier: MIT
# Rust (runtimes/rust): the runtime capos-rt and programs without std.
#
# The toolchain is fetched (third_party/rust).  Where it can't be had, everything but Rust is
# built: build/rust/problem then says why.

RUST := build/rust
RUST_TARGET := x86_64-unknown-capos
RUST_TOOLS := $(RUST)/toolchain/bin
# Not a part of make's job server, of which rustc would complain.
RUSTC := env -u MAKEFLAGS -u MFLAGS $(RUST_TOOLS)/rustc
RUST_RT_FOLDER := runtimes/rust/capos-rt
RUST_RT_SOURCES := $(sort $(wildcard $(RUST_RT_FOLDER)/src/*.rs))
RUST_EXAMPLES := $(sort $(wildcard examples/rust/*.rs))
RUST_TESTS := $(sort $(wildcard tests/rust/*.rs))
RUST_PROGRAMS := $(patsubst %.rs,$(RUST)/bin/%,$(notdir $(RUST_EXAMPLES) $(RUST_TESTS)))
RUST_FORMATTED := $(RUST_RT_FOLDER)/src/lib.rs $(RUST_RT_FOLDER)/build.rs $(RUST_EXAMPLES) $(RUST_TESTS)

# capos-rt is optimised for size: what calls cost is in the kernel.
RUST_FLAGS := --edition 2024 -Zunstable-options --target targets/$(RUST_TARGET).json \
	--sysroot $(RUST)/toolchain/sysroot -C panic=abort -C codegen-units=1 \
	--remap-path-prefix='$(CURDIR)'=.
RUST_RT := --crate-name capos_rt $(RUST_RT_FOLDER)/src/lib.rs
RUST_HOST := --edition 2024 --cap-lints=warn
export CAPOS_GEN := $(CURDIR)/build/gen/rust

RUST_INPUTS := third_party/rust/pin.txt tools/rust/toolchain.py targets/$(RUST_TARGET).json

$(RUST)/toolchain: $(RUST_INPUTS)
	$(call say,RUST,toolchain)
	$(Q)$(PYTHON) -B tools/rust/toolchain.py $@

$(RUST)/libcapos_rt.rlib: $(RUST_RT_SOURCES) build/gen/stamp.mk mk/rust.mk $(RUST_INPUTS) | $(RUST)/toolchain
	$(call say,RUSTC,capos-rt)
	$(Q)$(RUSTC) $(RUST_FLAGS) -D warnings -C opt-level=s --crate-type rlib $(RUST_RT) -o $@

# $(call rust_program,FILE)
define rust_program
$(RUST)/bin/$(basename $(notdir $1)): $1 $(RUST)/libcapos_rt.rlib
	$$(call say,RUSTC,$1)
	@mkdir -p $$(@D)
	$$(Q)$(RUSTC) $(RUST_FLAGS) -D warnings -C opt-level=s -C lto=fat \
		--crate-type bin --extern capos_rt=$(RUST)/libcapos_rt.rlib $1 -o $$@
endef
$(foreach f,$(RUST_EXAMPLES) $(RUST_TESTS),$(eval $(call rust_program,$f)))

# Unit tests run on the machine that builds, with the standard library's test harness.
$(RUST)/host/capos_rt_test: $(RUST_RT_SOURCES) build/gen/stamp.mk | $(RUST)/toolchain
	$(call say,RUSTC,capos-rt tests)
	@mkdir -p $(@D)
	$(Q)$(RUSTC) $(RUST_HOST) --test $(RUST_RT) -o $@

.PHONY: capos-rt-check capos-rt-capos-build run-rust run-rust-smoke rust-build rust-fmt
capos-rt-capos-build: $(RUST_PROGRAMS) ## Builds the Rust runtime, examples and tests for capOS

capos-rt-check: $(RUST)/host/capos_rt_test ## Checks the Rust runtime: format, clippy, unit tests, documentation
	$(Q)$(RUST_TOOLS)/rustfmt --check --edition 2024 --config-path $(RUST_RT_FOLDER) \
		$(RUST_FORMATTED)
	$(Q)env -u MAKEFLAGS -u MFLAGS $(RUST_TOOLS)/clippy-driver $(RUST_FLAGS) -D warnings -D clippy::undocumented_unsafe_blocks \
		--crate-type rlib --emit=metadata $(RUST_RT) -o $(RUST)/clippy.rmeta
	$(Q)$(RUST)/host/capos_rt_test --quiet
	$(Q)env -u MAKEFLAGS -u MFLAGS $(RUST_TOOLS)/rustdoc $(filter-out -C panic=abort codegen-units=1,$(RUST_FLAGS)) \
		-D rustdoc::broken_intra_doc_links $(RUST_RT) -o $(RUST)/doc

rust-fmt: | $(RUST)/toolchain ## Formats the Rust sources
	$(Q)$(RUST_TOOLS)/rustfmt --edition 2024 --config-path $(RUST_RT_FOLDER) $(RUST_FORMATTED)

run-rust run-rust-smoke: ready capos-rt-capos-build ## Boots, runs Rust programs: grants, calls, memory, threads, services
	$(Q)$(PYTHON) -B tests/cli/rust_test.py

# Behind the builds whose objects it shares: the inner make finds these made.
rust-build: | host systems
	$(Q)mkdir -p $(RUST) && rm -f $(RUST)/problem
	$(Q)$(PYTHON) -B tools/rust/toolchain.py $(RUST)/toolchain 2> $(RUST)/problem && rm $(RUST)/problem || cat $(RUST)/problem >&2
	$(Q)+[ -e $(RUST)/problem ] || $(MAKE) --no-print-directory capos-rt-capos-build
