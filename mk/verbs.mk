# SPDX-License-Identifier: MIT
# The verbs that people type.

.PHONY: help clean fmt abi run test check test-all model fuzz soak gdb bench bench-disk bench-accept bench-profile run-smoke run-spawn run-terminal ready
help: ## Lists what can be made
	@awk -F ':.*## ' '/^[a-z][a-z -]*:.*## / { sub(" ", ", ", $$1); \
		printf "  make %-12s %s\n", $$1, $$2 }' $(wildcard Makefile mk/*.mk) | sort -u
	@echo
	@echo '  V=1 shows the commands.  CC, LD, AR, OBJCOPY, QEMU choose other tools.'

clean: ## Removes everything that was built
	rm -rf build

# ---- Running -----------------------------------------------------------------------

# What ./capos needs before it can run a program.
ready: build/kernel/kernel.elf build/host/capos build/system/default.package build/system/terminal.package sdk \
	$(if $(wildcard build/libc/sysroot/usr/lib/crt1.o),libc)

PROGRAM ?=
# What the shell of `make run` keeps from one run to the next.  Not in build/, for `make clean`.
DISK ?= capos.disk
run: ready ## Starts the shell with a disk, DISK=capos.disk, or a program: make run PROGRAM=examples/c/hello.c ARGS='a b'
ifeq ($(PROGRAM),)
	$(Q)+$(MAKE) --no-print-directory disk || echo 'make: the shell has no disk' >&2
	$(Q)build/host/capos shell $$(test ! -e $(STORE) || echo '--disk $(DISK):64M')
else
	$(Q)build/host/capos run $(PROGRAM) $(ARGS)
endif

run-smoke: ready build/system/test.package ## Boots, runs hello, then all booted tests
	$(Q)$(PYTHON) -B tests/cli/boot_test.py hello_comes_back
	$(Q)build/host/capos run --system test --timeout 120 testd

run-spawn: ready build/system/test.package ## Boots, runs the tests of processes
	$(Q)build/host/capos run --system test --timeout 120 testd process

.PHONY: run-shell shell-build
shell-build: build/user/stripped/shell ## Builds the typed shell
run-shell: ready ## Boots, types at the shell and calls methods, checks what it says
	$(Q)$(PYTHON) -B tests/cli/shell_test.py the_shell_calls_what_it_holds
	$(Q)$(PYTHON) -B tests/cli/shell_person_test.py tab_completes_what_a_line_may_go_on_with

run-terminal: ready ## Boots, types at the terminal through a pty, looks at the screen
	$(Q)$(PYTHON) -B tests/cli/terminal_test.py

gdb: ready ## Boots PROGRAM stopped, with a debugger attached to the kernel
	$(Q)tools/gdb/debug.sh $(or $(PROGRAM),examples/c/hello.c) $(ARGS)

# ---- Testing -----------------------------------------------------------------------

# Installs what is missing first, so these two work right after `git clone`.
test check: ## Runs all tests, exactly what continuous integration runs
	$(Q)tools/install-deps.sh test
	$(Q)+$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell getconf _NPROCESSORS_ONLN)) test-all

# T=TEXT runs only the jobs whose name contains it.
T ?=
test-all: all sdk demos-build unit-build fuzz-build iso volume-build libc-build rust-build
	$(Q)$(PYTHON) -B tools/test/run.py $(if $T,--only $T)

FUZZ_SECONDS ?= 60
fuzz: fuzz-build ## Fuzzes each target for FUZZ_SECONDS
	$(Q)$(PYTHON) -B tools/test/run.py --only fuzz/ --fuzz-seconds $(FUZZ_SECONDS)

SOAK_SECONDS ?= 600
soak: host kernel fuzz-build volume-build build/system/test.package ## Runs the hostile tests for SOAK_SECONDS each, with new chances each time
	$(Q)$(PYTHON) -B tools/test/run.py --soak $(SOAK_SECONDS) $(if $T,--only $T)

model: ## Verifies the models of the kernel's protocols, and that they notice faults
	$(Q)$(PYTHON) -B tools/model/run.py

bench: ready ## Measures what operations cost, beside Linux: a table, and build/bench/latest.json
	$(Q)$(PYTHON) -B tools/bench/bench.py

.PHONY: bench-docs bench-growth
bench-docs: ready ## Measures and writes the figures into docs/performance.md
	$(Q)$(PYTHON) -B tools/bench/bench.py --docs

bench-growth: ready ## Measures how costs grow; fails if one grows faster than the logarithm
	$(Q)$(PYTHON) -B tools/bench/bench.py --growth

WHY ?=
bench-disk: ready disk ## Measures files on a disk
	$(Q)$(PYTHON) -B tools/bench/bench.py --disk

bench-accept: ready ## Records the figures that may not grow by over 5 %: make bench-accept WHY='what it is for'
	$(Q)$(PYTHON) -B tools/bench/bench.py --accept --why '$(WHY)'

OP ?= ipc_rt_32
bench-profile: ready ## Shows where the instructions of operation OP go: make bench-profile OP=nop_1 LISTING=1
	$(Q)$(PYTHON) -B tools/bench/profile.py $(OP) $(if $(LISTING),--listing)

# ---- Upkeep ------------------------------------------------------------------------

FORMATTED = $(shell git ls-files '*.c' '*.h')
fmt: ## Formats the C sources
	$(CLANG_FORMAT) -i $(FORMATTED)

abi: ## Rewrites abi.golden after a meant change of the ABI
	$(Q)CC=$(CC) $(PYTHON) -B tools/check-abi.py --write
