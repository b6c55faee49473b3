// SPDX-License-Identifier: MIT
// See thread.h.  References: Intel SDM volume 1, chapter 13 (XSAVE); System V psABI for
// AMD64, 3.2.1 (what a call preserves).
#include <kernel/arch/x86_64/thread.h>

#include <kernel/arch/x86_64/cpu.h>
#include <kernel/arch/x86_64/fpu.h>
#include <kernel/arch/x86_64/kernel_map.h>
#include <kernel/arch/x86_64/percpu.h>
#include <kernel/arch/x86_64/x86.h>
#include <kernel/debug/panic.h>

void arch_thread_init(struct arch_thread *thread, uint64_t entry, uint64_t stack_pointer,
                      uint64_t rdi, uint64_t rsi, uint64_t rdx)
{
    ASSERT(thread->fpu != nullptr && (uint64_t)thread->fpu % 64 == 0 &&
           thread->space != nullptr);
    // IRET to a non-canonical address would fault in ring 0; at the end of the user
    // half, where nothing is ever mapped, the thread faults by itself.
    if (entry > USER_ADDRESS_END)
        entry = USER_ADDRESS_END;
    *thread_state(thread) = (struct thread_state){
        .rip = entry,
        .rsp = stack_pointer,
        .rflags = RFLAGS_FIXED | RFLAGS_IF,
        .rdi = rdi,
        .rsi = rsi,
        .rdx = rdx,
        .root = thread->space->root,
    };
    thread->kind = THREAD_KIND_INTERRUPTED;
    fpu_init_area(thread->fpu);
}

void arch_thread_set_base(struct arch_thread *thread, uint64_t base)
{
    ASSERT(base < USER_ADDRESS_END); // WRFSBASE takes no address that isn't canonical
    if (percpu()->thread == thread)
        fs_base_write(base);
    else
        thread_state(thread)->fs_base = base;
}

void arch_thread_fini(struct arch_thread *thread)
{
    struct percpu *cpu = percpu();
    if (cpu->thread == thread)
        cpu->thread = &cpu->no_thread;
}

void arch_thread_set_result(struct arch_thread *thread, int64_t result)
{
    thread_state(thread)->rax = (uint64_t)result;
}

void arch_thread_registers(const struct arch_thread *thread,
                           struct capos_registers *out_registers)
{
    ASSERT(thread->kind == THREAD_KIND_INTERRUPTED);
    const struct thread_state *state = (const struct thread_state *)thread->words;
    *out_registers = (struct capos_registers){
        .rax = state->rax,
        .rcx = state->rcx,
        .rdx = state->rdx,
        .rbx = state->rbx,
        .rsp = state->rsp,
        .rbp = state->rbp,
        .rsi = state->rsi,
        .rdi = state->rdi,
        .r8 = state->r8,
        .r9 = state->r9,
        .r10 = state->r10,
        .r11 = state->r11,
        .r12 = state->r12,
        .r13 = state->r13,
        .r14 = state->r14,
        .r15 = state->r15,
        .rip = state->rip,
        .rflags = state->rflags,
    };
}

// Of those that do something in ring 0 (NT makes an IRET fault) or for the kernel.
static_assert((CAPOS_RFLAGS_ALLOWED & (RFLAGS_IOPL | RFLAGS_NT)) == 0);

const char *arch_registers_check(const struct capos_registers *registers)
{
    // RSP may be anything, for user code can load anything into it by itself.
    if (registers->rip >= USER_ADDRESS_END)
        return "rip: below 0x7ffffffff000";
    if ((registers->rflags & ~(uint64_t)CAPOS_RFLAGS_ALLOWED) != 0)
        return "rflags: no other flags than those of 0x250fd7";
    return nullptr;
}

void arch_thread_set_registers(struct arch_thread *thread,
                               const struct capos_registers *registers)
{
    struct thread_state *state = thread_state(thread);
    // By SYSCALL it would go on with a part of the registers only.  Saving it now, as one that
    // was interrupted, makes entry.S load all of it.
    if (thread->kind == THREAD_KIND_SYSCALL) {
        ASSERT(percpu()->thread == thread);
        thread->kind = THREAD_KIND_INTERRUPTED;
        thread_leave();
    }
    state->rax = registers->rax;
    state->rcx = registers->rcx;
    state->rdx = registers->rdx;
    state->rbx = registers->rbx;
    state->rsp = registers->rsp;
    state->rbp = registers->rbp;
    state->rsi = registers->rsi;
    state->rdi = registers->rdi;
    state->r8 = registers->r8;
    state->r9 = registers->r9;
    state->r10 = registers->r10;
    state->r11 = registers->r11;
    state->r12 = registers->r12;
    state->r13 = registers->r13;
    state->r14 = registers->r14;
    state->r15 = registers->r15;
    state->rip = registers->rip;
    state->rflags = registers->rflags | RFLAGS_FIXED | RFLAGS_IF;
}

uint64_t arch_thread_instruction_pointer(const struct arch_thread *thread)
{
    return thread->words[THREAD_RIP / sizeof(uint64_t)];
}

uint64_t arch_thread_stack_pointer(const struct arch_thread *thread)
{
    return thread->words[THREAD_RSP / sizeof(uint64_t)];
}

// Saves what the CPU still holds of a thread, but for the user's GS base.
static void save(struct arch_thread *thread)
{
    struct thread_state *state = thread_state(thread);
    state->fs_base = fs_base_read();
    if (thread->kind == THREAD_KIND_INTERRUPTED)
        fpu_save(thread->fpu);
    else
        fpu_save_control(&state->mxcsr, &state->x87_control);
}

void thread_leave(void)
{
    struct percpu *cpu = percpu();
    save(cpu->thread);
    thread_state(cpu->thread)->gs_base = user_gs_base_exchange(0);
    cpu->thread = &cpu->no_thread;
    if (arch_cpu_count() > 1 && cpu->cr3 != kernel_root_physical()) {
        cpu->cr3 = kernel_root_physical();
        cr3_write(cpu->cr3);
    }
}

struct arch_thread *thread_switch(struct arch_thread *next)
{
    struct percpu *cpu = percpu();
    const struct thread_state *state = thread_state(next);
    save(cpu->thread);
    thread_state(cpu->thread)->gs_base = user_gs_base_exchange(state->gs_base);
    // In 64-bit mode selectors mean nothing, but a program can set them, and another must
    // not read there what it set.  Clearing them may clear the bases.
    if (selectors_any()) {
        selectors_clear();
        (void)user_gs_base_exchange(state->gs_base);
    }
    fs_base_write(state->fs_base);
    cpu->thread = next;
    if (state->root != cpu->cr3) {
        cpu->cr3 = state->root;
        cr3_write(cpu->cr3);
    }
    if (next->kind == THREAD_KIND_INTERRUPTED)
        fpu_restore(next->fpu);
    else
        fpu_reset(&state->mxcsr, &state->x87_control);
    return next;
}
