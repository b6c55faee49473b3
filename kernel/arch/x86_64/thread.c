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
