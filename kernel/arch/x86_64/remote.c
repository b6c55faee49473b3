// SPDX-License-Identifier: MIT
// See remote.h.  Reference: Intel SDM volume 3, 4.10.5 (propagation of paging-structure
// changes to multiple processors).
#include <kernel/arch/x86_64/remote.h>

#include <kernel/arch/x86_64/apic.h>
#include <kernel/arch/x86_64/layout.h>
#include <kernel/arch/x86_64/percpu.h>
#include <kernel/arch/x86_64/smp.h>
#include <kernel/arch/x86_64/space.h>
#include <kernel/arch/x86_64/thread.h>
#include <kernel/arch/x86_64/x86.h>
#include <kernel/debug/panic.h>
#include <kernel/sched/cpu.h>

// The parameters of REMOTE_FLUSH: there is one request at a time.
static struct {
    uint64_t root, address, length_bytes;
} flush;

void remote_serve(struct percpu *cpu)
{
    uint32_t request = __atomic_load_n(&cpu->request, __ATOMIC_ACQUIRE);
    if (request == REMOTE_NONE)
        return;
    if (request == REMOTE_FLUSH)
        space_flush_here(flush.root, flush.address, flush.length_bytes);
    else
        thread_leave();
    __atomic_store_n(&cpu->request, REMOTE_NONE, __ATOMIC_RELEASE);
}

static void ask(struct percpu *cpu, enum remote_request request)
{
    ASSERT(cpu->request == REMOTE_NONE);
    __atomic_store_n(&cpu->request, request, __ATOMIC_RELEASE);
    apic_send(cpu->apic_id, VECTOR_KICK);
}

static void await(struct percpu *cpu)
{
    while (__atomic_load_n(&cpu->request, __ATOMIC_ACQUIRE) != REMOTE_NONE)
        cpu_relax();
}

[[gnu::noinline]] void remote_flush(uint64_t root, uint64_t address, uint64_t length_bytes)
{
    struct percpu *asked[ARCH_CPU_COUNT_MAX];
    unsigned count = 0;
    for (uint32_t i = 0; i < arch_cpu_count(); i++) {
        struct percpu *cpu = percpu_at(i);
        if (cpu->cr3 == root && cpu != percpu())
            asked[count++] = cpu;
    }
    if (count == 0)
        return;
    flush = (typeof(flush)){root, address, length_bytes};
    for (unsigned i = 0; i < count; i++)
        ask(asked[i], REMOTE_FLUSH);
    for (unsigned i = 0; i < count; i++)
        await(asked[i]);
}

bool remote_has_loaded(uint64_t root)
{
    for (uint32_t i = 0; i < arch_cpu_count(); i++)
        if (percpu_at(i)->cr3 == root && percpu_at(i) != percpu())
            return true;
    return false;
}

void arch_thread_stop(struct arch_thread *thread)
{
    for (uint32_t i = 0; i < arch_cpu_count(); i++) {
        struct percpu *cpu = percpu_at(i);
        if (cpu->thread != thread || cpu == percpu())
            continue;
        ask(cpu, REMOTE_LEAVE);
        await(cpu);
    }
}

void arch_cpu_kick(struct cpu *cpu)
{
    apic_send(percpu_at(cpu->index)->apic_id, VECTOR_KICK);
}

void remote_stop_all(void)
{
    constexpr unsigned tries_max = 1'000'000; // of a CPU that doesn't come: go on without
    if (arch_cpu_count() == 1)
        return;
    apic_send_nmi_to_others();
    for (uint32_t i = 0; i < arch_cpu_count(); i++)
        for (unsigned tries = 0; tries < tries_max; tries++) {
            const struct percpu *cpu = percpu_at(i);
            if (cpu == percpu() || __atomic_load_n(&cpu->stopped, __ATOMIC_RELAXED))
                break;
            cpu_relax();
        }
}
