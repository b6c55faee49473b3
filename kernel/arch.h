// SPDX-License-Identifier: MIT
// The machine, as the portable core sees it.  Everything in kernel/ outside
// kernel/arch speaks to the machine through this header alone; it has three
// implementations: arch/x86_64 (the product), arch/host (the kernel as a library
// in a test process) and, later, arch/wasm.
//
// Ring-0 rules that both sides keep:
//  1. The core never blocks and never waits.  Each upcall (kernel/upcall.h) runs to
//     its end on the CPU's one kernel stack with interrupts off.
//  2. arch takes the big kernel lock before an upcall and drops it after it has
//     switched to the thread that the upcall returned, so the core is always alone.
//     A CPU that waits for the lock still does what the functions below ask of it.
//  3. The core never dereferences a user address.  It reaches user memory through
//     frames (arch_frame_pointer).
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <abi/fault.h>
#include <gen/status.h>

typedef uint64_t paddr_t; // physical address, in bytes

constexpr uint64_t PAGE_BYTES = 4096;
constexpr uint64_t LARGE_PAGE_BYTES = (uint64_t)2 << 20; // as one table of pages maps
constexpr unsigned LARGE_PAGE_ORDER = 9;                 // of frames
static_assert(PAGE_BYTES << LARGE_PAGE_ORDER == LARGE_PAGE_BYTES);

// ---- Physical memory -----------------------------------------------------------

// The kernel's pointer to a physical address in RAM.  Valid for ever; addresses that
// follow each other have pointers that do.
[[nodiscard]] void *arch_frame_pointer(paddr_t address);

// Where the physical addresses end that this machine's page tables may name: a power of
// two, at most 2^52.
[[nodiscard]] paddr_t arch_physical_end(void);

// Copies a multiple of 8 bytes, each word read once, between places that don't overlap.
void arch_words_copy(void *to, const void *from, size_t size_bytes);

// Fills a multiple of 8 bytes with zeros.
void arch_words_clear(void *to, size_t size_bytes);

// ---- Address spaces ------------------------------------------------------------

enum page_access : uint8_t { // never writable and executable
    PAGE_NONE,               // present in the core's books, no access
    PAGE_READ,
    PAGE_READ_WRITE,
    PAGE_READ_EXECUTE,
};

enum page_cache : uint8_t {
    PAGE_CACHED,
    PAGE_UNCACHED, // device registers
};

// The hardware side of one address space: the root of its page tables.
struct arch_space {
    paddr_t root;
    paddr_t spare_tables; // tables whose place a large page has, in a list; 0: none
    // The table of pages that was looked up last, and what it spans: an address in units of
    // LARGE_PAGE_BYTES.  nullptr: none.
    uint64_t *table;
    uint64_t table_span;
    // The core's own translation of one page that may be read, for mm/copy.c; it obeys the rule
    // of those that CPUs remember: arch_space_flush forgets it.
    uint64_t known_page; // the page's address + 1; 0: none
    const uint8_t *known_bytes;
};

// A page-table frame comes from here, which the core provides; `cookie` is what the caller
// passed to the arch call.  Returns 0 without memory.  The frame is zeroed.
[[nodiscard]] paddr_t mm_table_frame_get(void *cookie);
// Takes one that came from it back, or all.
void mm_table_frame_put(void *cookie, paddr_t frame);
void mm_table_frames_put(void *cookie);

// Makes an empty user half.  STATUS_OVERLOADED without memory.
[[nodiscard]] enum status arch_space_init(struct arch_space *space, void *cookie);

// No other CPU runs a thread in the space.  It may be the one that is loaded on this CPU: then
// the kernel's own tables are loaded, and nothing that it maps can be reached through it.
void arch_space_unload(struct arch_space *space);

// Gives all table frames back.  The space has been unloaded; what it still maps is forgotten.
void arch_space_fini(struct arch_space *space, void *cookie);

// Allocates every table that mapping any page of [address, address + length) needs,
// so that arch_space_map within it can't fail.  STATUS_OVERLOADED without memory;
// tables made so far stay until a trim or the end.
[[nodiscard]] enum status arch_space_prepare(struct arch_space *space, void *cookie,
                                             uint64_t address, uint64_t length_bytes);

// Gives the tables back that span addresses of [low, high) alone, where nothing is mapped, on the
// way to those of [start, end), a part of it.  No CPU uses them when this returns.
void arch_space_trim(struct arch_space *space, void *cookie, uint64_t low, uint64_t high,
                     uint64_t start, uint64_t end);

// Maps one page, replacing what was there, which isn't a large page.  The tables have been
// prepared.
void arch_space_map(struct arch_space *space, uint64_t address, paddr_t frame,
                    enum page_access access, enum page_cache cache);

// The same for pages and frames that follow each other.
void arch_space_map_run(struct arch_space *space, uint64_t address, paddr_t first,
                        uint64_t page_count, enum page_access access, enum page_cache cache);

// Unmaps one page and returns the frame that was there; 0 if there was none, or a large page,
// which stays.  No CPU can reach the frame through this space after the next arch_space_flush.
paddr_t arch_space_unmap(struct arch_space *space, uint64_t address);

// Looks one page up; 0 when nothing is mapped.  PAGE_NONE pages are found.
[[nodiscard]] paddr_t arch_space_lookup(const struct arch_space *space, uint64_t address,
                                        enum page_access *out_access);

// One page or one large page that is mapped.
struct arch_mapping {
    uint64_t address;    // where it begins
    uint64_t size_bytes; // PAGE_BYTES or LARGE_PAGE_BYTES
    paddr_t frame;       // its first
    enum page_access access;
};

// Finds the first mapping that ends behind `address` and begins before `end`; false without
// one.  Ranges without tables are skipped in steps of what the missing table spans.
[[nodiscard]] bool arch_space_next(const struct arch_space *space, uint64_t address,
                                   uint64_t end, struct arch_mapping *out_mapping);

// Large pages: 512 frames that follow each other, mapped as one; `address` and `frame` are
// multiples of LARGE_PAGE_BYTES.  Each of the three needs a flush of the address before what
// the range maps changes again.
//
// Maps one, or changes its access; else nothing is mapped in its range, whose table has
// been prepared and is kept aside.
void arch_space_map_large(struct arch_space *space, uint64_t address, paddr_t frame,
                          enum page_access access, enum page_cache cache);
// Unmaps one; its table is there again, empty.
void arch_space_unmap_large(struct arch_space *space, uint64_t address);
// Turns one into 512 pages of the same frames and access.
void arch_space_split_large(struct arch_space *space, uint64_t address);

// Makes earlier unmaps and narrowings of a range take effect on every CPU: those that have
// the space loaded are interrupted, and have forgotten the range when this returns.
void arch_space_flush(struct arch_space *space, uint64_t address, uint64_t length_bytes);

constexpr uint64_t USER_ADDRESS_MIN = 0x10000;
constexpr uint64_t USER_ADDRESS_END = 0x7ffffffff000;
constexpr uint64_t USER_TABLES_END = 0x800000000000; // of what tables of user addresses span

// ---- Threads -------------------------------------------------------------------

constexpr uint64_t ARCH_THREAD_WORDS = 24;

// The saved user state of a thread that isn't running.  Embedded in struct thread as
// its first member.  Layout private to arch (kernel/arch/*/thread.h).
struct arch_thread {
    uint64_t words[ARCH_THREAD_WORDS];
    void *fpu; // arch_fpu_bytes() of storage, 64-byte aligned; the core allocates it
    const struct arch_space *space; // the address space it runs in
    uint8_t kind;                   // private to arch
};

// Size of the FPU save area of one thread, in bytes; a multiple of 64.
[[nodiscard]] size_t arch_fpu_bytes(void);

// Prepares the first entry to user mode: registers as given, all others zero.  `fpu` and
// `space` have been set.
void arch_thread_init(struct arch_thread *thread, uint64_t entry, uint64_t stack_pointer,
                      uint64_t rdi, uint64_t rsi, uint64_t rdx);

// Sets the thread base (x86_64: the FS base) of a thread that is current on this CPU or has
// not started: an address below USER_ADDRESS_END.
void arch_thread_set_base(struct arch_thread *thread, uint64_t base);

// Takes a thread that will never run again off the CPU that runs it, unless that is this
// one: when this returns, the CPU no longer executes its code nor uses its storage or its
// address space, and its entry to the kernel, if it was waiting to make one, is dropped.
// That CPU makes the upcall kernel_reschedule.
void arch_thread_stop(struct arch_thread *thread);

// Frees what arch keeps of a thread that ends, and forgets it if its state is loaded on
// this CPU: an upcall may end the very thread that entered the kernel, and the storage is
// gone when the upcall returns.  No other CPU runs it.
void arch_thread_fini(struct arch_thread *thread);

// Sets what the cap_enter that the thread waits in will return.
void arch_thread_set_result(struct arch_thread *thread, int64_t result);

// The registers of the current thread, which faulted in this upcall.
void arch_thread_registers(const struct arch_thread *thread,
                           struct capos_registers *out_registers);

// nullptr if user code may have these registers, else a text that names the one that it
// can't have.
[[nodiscard]] const char *arch_registers_check(const struct capos_registers *registers);

// The current thread goes on with these registers, which were checked, not with the result of
// a system call.  Its vector state stays as it is.
void arch_thread_set_registers(struct arch_thread *thread,
                               const struct capos_registers *registers);

// User instruction and stack pointers at the last entry to the kernel.
[[nodiscard]] uint64_t arch_thread_instruction_pointer(const struct arch_thread *thread);
[[nodiscard]] uint64_t arch_thread_stack_pointer(const struct arch_thread *thread);

// ---- Time ----------------------------------------------------------------------

// Nanoseconds since boot; monotonic.
[[nodiscard]] uint64_t arch_now_ns(void);

// Asks for one kernel_timer upcall on this CPU at or soon after a time;
// UINT64_MAX for none.  Replaces the earlier request.
void arch_timer_set(uint64_t deadline_ns);

// ---- Devices -------------------------------------------------------------------

constexpr uint32_t ARCH_IRQ_COUNT_MAX = 64;

[[nodiscard]] uint32_t arch_irq_count(void);
// Routes a line to the CPU that booted, masked.  The upcall is kernel_irq(line); arch masks the
// line before the upcall and acknowledges the interrupt controller itself.
void arch_irq_setup(uint32_t line, bool level_triggered);
void arch_irq_unmask(uint32_t line);
void arch_irq_mask(uint32_t line);
// How a device raises the interrupt of a number from arch_irq_count() to ARCH_IRQ_COUNT_MAX - 1
// by a message.  Its upcall is kernel_irq too; masking has no effect on it.
void arch_irq_message(uint32_t number, uint64_t *out_address, uint32_t *out_data);

[[nodiscard]] uint32_t arch_port_read(uint16_t port, unsigned width_bytes);
void arch_port_write(uint16_t port, unsigned width_bytes, uint32_t value);

// Writes to the emergency console; waits for its FIFO.
void arch_console_write(const void *data, size_t size);

// Fills a seed with the best entropy of the machine; never fails, may be weak on a
// machine without a generator.
void arch_entropy(uint8_t seed[32]);

// ---- CPUs ----------------------------------------------------------------------

constexpr uint32_t ARCH_CPU_COUNT_MAX = 16;

// Those that run, from before kernel_boot on; the one that boots has index 0.  arch_cpu is
// this one.
struct cpu; // kernel/sched/cpu.h
[[nodiscard]] uint32_t arch_cpu_count(void);
[[nodiscard]] struct cpu *arch_cpu_at(uint32_t index);
[[nodiscard]] struct cpu *arch_cpu(void);

// Asks for a kernel_reschedule upcall on another CPU, whether it idles or runs user code.
// Doesn't wait for it; requests that come before the upcall are one.
void arch_cpu_kick(struct cpu *cpu);

// Whether the process of the thread that runs next may read the time-stamp counter.
void arch_set_tsc_allowed(bool allowed);

// Begins a panic: every other CPU is stopped where it is, whatever it does.  Doesn't return
// if another CPU was first; a panic within a panic is let through.
void arch_panic_begin(void);

// Prints registers and a symbolised backtrace and stops the machine.
// kernel/debug/panic.h has the macro to call.
[[noreturn]] void arch_panic_stop(void);

// Prints the backtrace of the caller, symbolised, to the emergency console.
void arch_backtrace(void);
