// SPDX-License-Identifier: MIT
// What a program knows of itself, and its end.
#include "process.h"

#include "abi.h"
#include "descriptor.h"
#include "errno.h"

#include <posix/calls.h>
#include <capos/capset.h>
#include <capos/process.h>
#include <capos/syscall.h>

#include <gen/capos/memory_budget.h>
#include <gen/capos/thread.h>
#include <gen/capos/timer.h>
#include <string.h>

constexpr uint64_t UNLIMITED = UINT64_MAX;

void process_exit(long status)
{
    capos_exit_now(status & 0xff);
}

long call_exit_group(long status)
{
    process_exit(status);
}

long call_getpid(void)
{
    return (long)capos_process_id();
}

// Nobody that a program could name.
long call_getppid(void)
{
    return 0;
}

long call_getuid(void)
{
    return IDENTITY;
}

long call_geteuid(void)
{
    return IDENTITY;
}

long call_getgid(void)
{
    return IDENTITY;
}

long call_getegid(void)
{
    return IDENTITY;
}

long call_uname(long name)
{
    *(struct posix_utsname *)name = (struct posix_utsname){
        .sysname = "capOS",
        .nodename = "capos",
        .release = "0",
        .version = "0",
        .machine = "x86_64",
    };
    return 0;
}

// ---- Limits and machine ---------------------------------------------------------------

static struct posix_rlimit limit_of(long resource)
{
    switch (resource) {
    case RLIMIT_STACK:
        return (struct posix_rlimit){capos_startup_block()->stack_bytes,
                                     capos_startup_block()->stack_bytes};
    case RLIMIT_NOFILE:
        return (struct posix_rlimit){DESCRIPTOR_COUNT_MAX, DESCRIPTOR_COUNT_MAX};
    default:
        return (struct posix_rlimit){UNLIMITED, UNLIMITED};
    }
}

// EPERM: limits can't be changed; who started the program has set them.
long call_prlimit64(long process, long resource, long new, long old)
{
    if (process != 0 && process != (long)capos_process_id())
        return -ESRCH;
    if (resource < 0 || resource >= RLIMIT_COUNT)
        return -EINVAL;
    struct posix_rlimit limit = limit_of(resource);
    if (new != 0 && memcmp((const void *)new, &limit, sizeof limit) != 0)
        return -EPERM;
    if (old != 0)
        *(struct posix_rlimit *)old = limit;
    return 0;
}

long call_getrlimit(long resource, long limit)
{
    return call_prlimit64(0, resource, 0, limit);
}

// Memory is what the program's budget has.
long call_sysinfo(long info)
{
    memory_budget_cap budget;
    timer_cap timer;
    uint64_t limit_bytes = 0, used_bytes = 0, time_ns = 0;
    if (memory_budget_cap_find("budget", &budget) == STATUS_OK)
        (void)memory_budget_info(budget, &limit_bytes, &used_bytes, nullptr, nullptr);
    if (timer_cap_find("timer", &timer) == STATUS_OK)
        (void)timer_now(timer, &time_ns);
    *(struct posix_sysinfo *)info = (struct posix_sysinfo){
        .uptime = time_ns / 1'000'000'000,
        .totalram = limit_bytes,
        .freeram = limit_bytes - used_bytes,
        .procs = 1,
        .mem_unit = 1,
    };
    return 0;
}

// The CPUs that the calling thread may run on.  Returns the size of the mask.
long call_sched_getaffinity(long tid, long mask_bytes, long mask)
{
    (void)tid;
    thread_control_cap control;
    uint64_t cpus = 1;
    if ((unsigned long)mask_bytes < sizeof cpus)
        return -EINVAL;
    if (thread_control_cap_find("thread", &control) == STATUS_OK &&
        thread_control_info(control, nullptr, nullptr, nullptr, nullptr, &cpus) != STATUS_OK)
        return -EINVAL;
    memcpy((void *)mask, &cpus, sizeof cpus);
    return sizeof cpus;
}
