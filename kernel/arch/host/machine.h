// SPDX-License-Identifier: MIT
// The machine under a core that runs as a library in a test process, and its handles for
// the test: RAM, a clock that stands still until it is moved, interrupt lines, ports and
// the text of the emergency console (machine.c, space.c).
//
// There is one machine per test process.  Everything here is deterministic.  The
// functions that deliver upcalls do what the interrupt entry of a real machine does:
// mask, call, resume what the core returns.
#pragma once

#include <kernel/arch.h>

struct boot_info;
struct thread;

constexpr paddr_t HOST_RAM_BASE = 0x100000;
constexpr uint32_t HOST_IRQ_COUNT = 24;

// Makes a machine with zeroed RAM, a multiple of PAGE_BYTES, the clock at 0 and no line
// set up; a machine made before is gone.  Fills *out_info with what a boot path would
// say: all RAM, no package, an empty command line.
void host_machine_init(uint64_t ram_bytes, struct boot_info *out_info);
void host_machine_fini(void);

// ---- Time ---------------------------------------------------------------------------

// Moves the clock on and delivers every kernel_timer upcall that falls due, each at the
// time that the core asked for.
void host_advance_ns(uint64_t duration_ns);

// The time of the next kernel_timer upcall; UINT64_MAX for none.
[[nodiscard]] uint64_t host_timer_ns(void);

// ---- Devices ------------------------------------------------------------------------

// A device raises a line: the upcall comes at once if the line is set up and unmasked,
// else when it is unmasked and host_irq_deliver is called.
void host_irq_raise(uint32_t line);
// Delivers what was raised and has been unmasked since.
void host_irq_deliver(void);
[[nodiscard]] bool host_irq_masked(uint32_t line);

// The ports are bytes of a register file: a device that remembers what is written.
extern uint8_t host_ports[65536];

// ---- Console ------------------------------------------------------------------------

// What was written to the emergency console since the last host_console_clear, as text;
// the oldest of more than 64 KiB is lost.
[[nodiscard]] const char *host_console_text(void);
void host_console_clear(void);

// ---- The CPU ------------------------------------------------------------------------

// The last argument of arch_set_tsc_allowed.
[[nodiscard]] bool host_tsc_allowed(void);

// What the cap_enter of a thread returned, or will return when it runs on.
[[nodiscard]] int64_t host_thread_result(const struct arch_thread *thread);

// Registers at the first entry of a thread, as arch_thread_init got them.
struct host_entry {
    uint64_t entry, stack_pointer, rdi, rsi, rdx;
};
[[nodiscard]] struct host_entry host_thread_entry(const struct arch_thread *thread);

// Flushes so far, and their pages: for tests that count them.
extern uint64_t host_flush_count, host_flush_pages;

// The number of arch_space_map calls so far.
extern uint64_t host_map_count;
