// SPDX-License-Identifier: MIT
// Where arch enters the portable core: the complete list.
//
// arch calls these with the big kernel lock held, interrupts off, on the kernel stack
// of the CPU, after it saved the user state of the current thread (if one ran) into
// its struct arch_thread.  Each returns the thread to resume, or nullptr to idle.  If
// that is another thread than arch_cpu()->current was at entry, arch switches address
// space, FPU state and FS base; then it drops the lock and goes to user mode.
#pragma once

#include <stdint.h>

#include <gen/kernel/process.h> // enum fault_kind

struct thread;

// What a boot path (PVH, Multiboot2, host test) found out about the machine.
struct boot_range {
    uint64_t base;
    uint64_t size_bytes;
};

constexpr unsigned BOOT_RANGE_MAX = 64;

struct boot_info {
    // RAM that the core may use: sorted, page-aligned, disjoint, without the kernel's
    // own image, the first 64 KiB, the boot module and the command line.
    struct boot_range ram[BOOT_RANGE_MAX];
    unsigned ram_count;
    // All RAM as the firmware reports it, for DeviceMemory to refuse.
    struct boot_range reserved[BOOT_RANGE_MAX];
    unsigned reserved_count;
    struct boot_range package; // the boot module; size 0 without one
    char command_line[2048];   // NUL-terminated
};

// Brings the core up and loads init; returns init's first thread.  Panics with a
// reason when the boot package is unusable.
[[nodiscard]] struct thread *kernel_boot(const struct boot_info *info);

// The two system calls, by the current thread.
[[nodiscard]] struct thread *kernel_cap_enter(uint64_t min_complete, uint64_t timeout_ns);
// The same with 1 and CAPOS_FOREVER, which may be quicker.  No register is preserved but the
// stack pointer: what the thread to resume had in them is saved.
#ifndef UPCALL_PRESERVES_NOTHING // for x86_64 by mk/toolchain.mk: sanitizers can't have it
#define UPCALL_PRESERVES_NOTHING
#endif
[[nodiscard]] UPCALL_PRESERVES_NOTHING struct thread *kernel_cap_enter_one(void);
[[nodiscard]] struct thread *kernel_exit(int64_t code);

// Any other system call number: the thread's process ends as illegalInstruction.
[[nodiscard]] struct thread *kernel_bad_syscall(void);

// A fault in user mode by the current thread.  `address` is that of the access, or 0.
// For a page fault arch passes FAULT_KIND_UNMAPPED and whether it was a write or an
// instruction fetch; the core resolves demand-zero pages and refines the kind.
[[nodiscard]] struct thread *kernel_fault(enum fault_kind kind, uint64_t address, bool write,
                                          bool execute);

// The deadline of arch_timer_set passed.
[[nodiscard]] struct thread *kernel_timer(void);

// An interrupt line that the core has set up; arch masked it.
[[nodiscard]] struct thread *kernel_irq(uint32_t line);

// Another CPU asked for it (arch_cpu_kick), took the thread that ran here away
// (arch_thread_stop), or an interrupt came that means nothing.  Cheap if there is nothing to do.
[[nodiscard]] struct thread *kernel_reschedule(void);
