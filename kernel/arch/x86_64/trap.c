// SPDX-License-Identifier: MIT
// Interrupts and faults: which upcall each becomes.
// Reference: Intel SDM volume 3, 6.15 (exceptions), 4.7 (page-fault error code).
#include <kernel/arch/x86_64/trap.h>

#include <kernel/arch.h>
#include <kernel/arch/x86_64/apic.h>
#include <kernel/arch/x86_64/clock.h>
#include <kernel/arch/x86_64/debug.h>
#include <kernel/arch/x86_64/ioapic.h>
#include <kernel/arch/x86_64/lock.h>
#include <kernel/arch/x86_64/percpu.h>
#include <kernel/arch/x86_64/x86.h>
#include <kernel/debug/log.h>
#include <kernel/debug/panic.h>
#include <kernel/upcall.h>

constexpr uint64_t PAGE_FAULT_PRESENT = 1u << 0;
constexpr uint64_t PAGE_FAULT_WRITE = 1u << 1;
constexpr uint64_t PAGE_FAULT_USER = 1u << 2;
constexpr uint64_t PAGE_FAULT_RESERVED_BIT = 1u << 3;
constexpr uint64_t PAGE_FAULT_EXECUTE = 1u << 4;

static struct thread *page_fault(uint64_t error)
{
    uint64_t address = cr2_read();
    ASSERT(!(error & PAGE_FAULT_RESERVED_BIT));
    // An access that user code caused with the kernel's rights (to a descriptor table; in
    // QEMU 7.2 to the stack of a far return), refused by SMAP.  The page is there for the
    // user, so trying again would fault again, for ever.
    if ((error & (PAGE_FAULT_PRESENT | PAGE_FAULT_USER)) == PAGE_FAULT_PRESENT)
        return kernel_fault(FAULT_KIND_PROTECTION, address, false, false);
    return kernel_fault(FAULT_KIND_UNMAPPED, address, error & PAGE_FAULT_WRITE,
                        error & PAGE_FAULT_EXECUTE);
}

static enum fault_kind fault_kind_of(uint64_t vector)
{
    switch (vector) {
    case VECTOR_DIVIDE:
        return FAULT_KIND_DIVIDE;
    case VECTOR_DEBUG:
    case VECTOR_BREAKPOINT:
        return FAULT_KIND_BREAKPOINT;
    case VECTOR_INVALID_OPCODE:
        return FAULT_KIND_ILLEGAL_INSTRUCTION;
    case VECTOR_X87:
    case VECTOR_SIMD:
        return FAULT_KIND_FLOATING_POINT;
    case VECTOR_ALIGNMENT:
        return FAULT_KIND_ALIGNMENT;
    default: // general protection, stack segment and what nobody raises in 64-bit mode
        return FAULT_KIND_GENERAL_PROTECTION;
    }
}

static struct thread *interrupt(uint64_t vector)
{
    if (vector >= VECTOR_IRQ && vector < VECTOR_IRQ + ARCH_IRQ_COUNT_MAX) {
        uint32_t line = (uint32_t)vector - VECTOR_IRQ;
        arch_irq_mask(line);
        apic_end_of_interrupt();
        return kernel_irq(line);
    }
    if (vector == VECTOR_TIMER) {
        apic_end_of_interrupt();
        return clock_interrupt() ? kernel_timer() : kernel_reschedule();
    }
    if (vector == VECTOR_KICK)
        apic_end_of_interrupt();
    else if (vector == VECTOR_APIC_ERROR)
        apic_report_error();
    // Spurious interrupts, of the APIC or a PIC, aren't acknowledged.
    return kernel_reschedule();
}

struct thread *trap_dispatch(uint64_t vector, uint64_t error)
{
    kernel_lock_take();
    if (vector >= VECTOR_PIC)
        return interrupt(vector);
    struct percpu *cpu = percpu();
    if (cpu->thread == &cpu->no_thread) // it was taken away while it waited for the lock
        return kernel_reschedule();
    if (vector == VECTOR_PAGE_FAULT)
        return page_fault(error);
    return kernel_fault(fault_kind_of(vector), 0, false, false);
}

static const char *vector_name(uint64_t vector)
{
    static const char *const names[VECTOR_PIC] = {
        [VECTOR_DIVIDE] = "divide error",
        [VECTOR_DEBUG] = "debug exception",
        [VECTOR_NMI] = "NMI",
        [VECTOR_BREAKPOINT] = "breakpoint",
        [VECTOR_INVALID_OPCODE] = "invalid opcode",
        [VECTOR_DOUBLE_FAULT] = "double fault",
        [VECTOR_STACK_SEGMENT] = "stack fault",
        [VECTOR_GENERAL_PROTECTION] = "general protection fault",
        [VECTOR_PAGE_FAULT] = "page fault",
        [VECTOR_X87] = "x87 exception",
        [VECTOR_ALIGNMENT] = "alignment check",
        [VECTOR_MACHINE_CHECK] = "machine check",
        [VECTOR_SIMD] = "SIMD exception",
    };
    return vector < VECTOR_PIC && names[vector] != nullptr ? names[vector]
                                                           : "unexpected exception";
}

static bool is_stack_overflow(uint64_t address)
{
    uint64_t stack = percpu()->stack_top - STACK_BYTES;
    return address >= stack - STACK_GUARD_BYTES && address < stack;
}

void trap_kernel_fault(const struct trap_frame *frame)
{
    uint64_t address = cr2_read();
    percpu()->fault = frame;
    if (frame->vector == VECTOR_DOUBLE_FAULT && is_stack_overflow(address))
        PANIC("the kernel stack overflowed");
    if (frame->vector == VECTOR_PAGE_FAULT)
        PANIC("%s in the kernel at address 0x%016llx, error code 0x%llx",
              vector_name(frame->vector), (unsigned long long)address,
              (unsigned long long)frame->error);
    PANIC("%s in the kernel, error code 0x%llx", vector_name(frame->vector),
          (unsigned long long)frame->error);
}

void trap_anywhere_dispatch(const struct trap_frame *frame)
{
    if (frame->vector != VECTOR_NMI)
        trap_kernel_fault(frame);
    debug_stop_if_asked();
    // A watchdog or a person asks where we are.
    log_printf("NMI at 0x%016llx, privilege level %llu\n", (unsigned long long)frame->rip,
               (unsigned long long)(frame->cs & 3));
    if ((frame->cs & 3) == 0)
        debug_backtrace(frame->rip, frame->rbp);
}
