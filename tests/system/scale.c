// SPDX-License-Identifier: MIT
// What tools/bench/scaling.py measures: how long a number of processes take for the same work
// each, all at once.
//
//     scale WORKERS spin|calls AMOUNT
//
// `spin` never enters the kernel; `calls` does nothing else (Timer.now through the ring).  Prints
// "took NANOSECONDS".  Not a test: testd runs only what ends in _test.
#include <capos/capset.h>
#include <capos/panic.h>
#include <capos/spawn.h>
#include <gen/capos/boot_package.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/process.h>
#include <gen/capos/timer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

constexpr unsigned WORKERS_MAX = 16;

static timer_cap timer;

static void require(enum status status, const char *what)
{
    if (status != STATUS_OK)
        capos_panic("scale: %s: %s", what, status_name(status));
}

static uint64_t now_ns(void)
{
    uint64_t time_ns;
    require(timer_now(timer, &time_ns), "Timer.now");
    return time_ns;
}

static int work(const char *kind, uint64_t amount)
{
    if (strcmp(kind, "calls") == 0) {
        for (uint64_t i = 0; i < amount; i++)
            (void)now_ns();
        return 0;
    }
    uint64_t sum = 1;
    for (uint64_t i = 0; i < amount; i++) {
        sum = sum * 6364136223846793005 + i;
        __asm__ volatile("" : "+r"(sum)); // every step is done
    }
    return 0;
}

static process_handle_cap start(struct capos_spawner *spawner, const struct capos_image *image,
                                memory_budget_cap budget, const char *kind, const char *amount)
{
    const char *const arguments[] = {"scale", "work", kind, amount};
    const struct capos_spawn_grant grants[] = {{"timer", capos_transfer_copy(timer.id)}};
    struct capos_process process;
    require(capos_spawn(spawner, image,
                        &(struct capos_spawn_request){
                            .name = "worker",
                            .budget = budget,
                            .grants = grants,
                            .grant_count = 1,
                            .arguments = arguments,
                            .argument_count = 4,
                        },
                        &process),
            "spawn");
    return process.handle;
}

static void wait(process_handle_cap process)
{
    enum end_kind kind;
    int64_t code;
    require(
        process_handle_wait(process, &kind, &code, nullptr, nullptr, nullptr, nullptr, nullptr),
        "wait");
    if (kind != END_KIND_EXITED || code != 0)
        capos_panic("scale: a worker ended by %u, %lld", kind, (long long)code);
}

int main(int argc, char **argv)
{
    require(timer_cap_find("timer", &timer), "timer");
    if (argc == 4 && strcmp(argv[1], "work") == 0)
        return work(argv[2], strtoull(argv[3], nullptr, 10));
    unsigned long workers = argc == 4 ? strtoul(argv[1], nullptr, 10) : 0;
    if (workers == 0 || workers > WORKERS_MAX) {
        printf("usage: scale WORKERS spin|calls AMOUNT, with 1 to %u workers\n", WORKERS_MAX);
        return 2;
    }
    struct capos_spawner spawner;
    struct capos_image image;
    boot_package_cap boot;
    memory_budget_cap budget;
    memory_object_cap file;
    uint64_t size_bytes;
    require(boot_package_cap_find("boot", &boot), "boot");
    require(memory_budget_cap_find("budget", &budget), "budget");
    require(capos_spawner_find(&spawner), "spawner");
    require(boot_package_open(boot, "scale", 5, &file, &size_bytes), "its own file");
    require(capos_image_open(&image, &spawner, file, size_bytes), "its own file");
    process_handle_cap processes[WORKERS_MAX];
    uint64_t start_ns = now_ns();
    for (unsigned i = 0; i < workers; i++)
        processes[i] = start(&spawner, &image, budget, argv[2], argv[3]);
    for (unsigned i = 0; i < workers; i++)
        wait(processes[i]);
    printf("took %llu\n", (unsigned long long)(now_ns() - start_ns));
    return 0;
}
