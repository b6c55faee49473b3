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
constexpr uint64_t HOST_MESSAGE_ADDRESS = 0xfee00000;

// Makes a machine with zeroed RAM, a multiple of PAGE_BYTES, 1 to ARCH_CPU_COUNT_MAX CPUs, the
// clock at 0 and no line set up; a machine made before is gone.  Fills *out_info with what
// a boot path would say: all RAM, no package, an empty command line.
void host_machine_init(uint64_t ram_bytes, uint32_t cpu_count, struct boot_info *out_info);
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
// A device writes that to HOST_MESSAGE_ADDRESS: the upcall comes at once.
void host_message(uint32_t data);
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

// ---- CPUs ---------------------------------------------------------------------------
// The test runs on one of them at a time: the CPU that makes the next upcall.  The others are
// in user code or idle, as the kernel left them.

// Makes another CPU the one that the test runs on.
void host_cpu_use(uint32_t index);

// Whether a CPU was kicked, or had its thread taken away, and hasn't made its upcall yet.
[[nodiscard]] bool host_cpu_kicked(uint32_t index);

// Makes the upcalls of all CPUs that were kicked, in the order of their indices, until none
// is left.  The test goes on where it was.
void host_deliver_kicks(void);

// The end of an upcall: loads the thread that it returned, which must be the core's current.
// Checks that no CPU has a stale translation.
void host_resume(const struct thread *next);

// This CPU's MMU looked up a page of the loaded space and remembers it.
void host_tlb_fill(uint64_t address);

// How often another CPU was made to forget translations.
extern uint64_t host_shootdown_count;

// The last argument of arch_set_tsc_allowed.
[[nodiscard]] bool host_tsc_allowed(void);

// What the cap_enter of a thread returned, or will return when it runs on.
[[nodiscard]] int64_t host_thread_result(const struct arch_thread *thread);

// Registers at the first entry of a thread, as arch_thread_init and arch_thread_set_base got
// them.
struct host_entry {
    uint64_t entry, stack_pointer, rdi, rsi, rdx, base;
};
[[nodiscard]] struct host_entry host_thread_entry(const struct arch_thread *thread);

// A space ends: no other CPU has it loaded, this one forgets it.  For space.c.
void host_space_unload(const struct arch_space *space);

// Flushes so far, and their pages: for tests that count them.
extern uint64_t host_flush_count, host_flush_pages;

// Calls so far that mapped a page, large or not, and the steps that arch_space_next took.
extern uint64_t host_map_count, host_next_count;
