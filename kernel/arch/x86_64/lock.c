// SPDX-License-Identifier: MIT
// Waiting for the big kernel lock.  See lock.h.
//
// Who comes overwrites a reservation.  If the lock was free then, he owns it now and gives it back
// with the reservation; if not, the one who reserved it sees at his next look that his
// reservation is gone, and renews it.
#include <kernel/arch/x86_64/lock.h>

#include <kernel/arch/x86_64/percpu.h>
#include <kernel/arch/x86_64/remote.h>
#include <kernel/arch/x86_64/x86.h>

// Looks in vain after which a CPU reserves the lock: a millisecond or so, and only time counts in
// which the CPU runs.
constexpr unsigned LOOKS_MAX = 10'000;

uint16_t kernel_lock;

// Looks once.  Returns whether the lock was taken.
static bool try_take(bool reserves)
{
    uint16_t lock = __atomic_load_n(&kernel_lock, __ATOMIC_RELAXED);
    if (lock & KERNEL_LOCK_TAKEN) {
        if (reserves && !(lock & KERNEL_LOCK_RESERVED))
            __atomic_fetch_or(&kernel_lock, KERNEL_LOCK_RESERVED, __ATOMIC_RELAXED);
        return false;
    }
    if ((lock & KERNEL_LOCK_RESERVED) && !reserves)
        return false;
    return __atomic_compare_exchange_n(&kernel_lock, &lock, KERNEL_LOCK_TAKEN, false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

bool kernel_lock_wait(uint16_t before)
{
    struct percpu *cpu = percpu();
    unsigned looks = 0;
    if (!(before & KERNEL_LOCK_TAKEN))
        __atomic_store_n(&kernel_lock, KERNEL_LOCK_RESERVED, __ATOMIC_RELEASE);
    while (!try_take(looks >= LOOKS_MAX)) {
        looks++;
        remote_serve(cpu);
        cpu_relax();
    }
    return cpu->thread != &cpu->no_thread;
}
