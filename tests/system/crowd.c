// SPDX-License-Identifier: MIT
// An init for tests/arch/test_boot.py: on every CPU processes spin, and write to the console, when
// init ends and the kernel panics.
#include <capos/capset.h>
#include <capos/panic.h>
#include <capos/spawn.h>
#include <gen/capos/boot_package.h>
#include <gen/capos/console.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/timer.h>
#include <string.h>

constexpr unsigned CHILDREN = 8; // half of them write

static const char line[] = "chatter\n";

static void require(enum status status, const char *what)
{
    if (status != STATUS_OK)
        capos_panic("crowd: %s: %s", what, status_name(status));
}

[[noreturn]] static void child(const char *kind)
{
    console_cap console;
    require(console_cap_find("console", &console), "console");
    for (volatile unsigned i = 0;; i++)
        if (strcmp(kind, "writes") == 0)
            (void)console_write(console, line, sizeof line - 1);
}

int main(int argc, char **argv)
{
    if (argc == 2)
        child(argv[1]);
    struct capos_spawner spawner;
    struct capos_image image;
    boot_package_cap boot;
    memory_budget_cap budget;
    console_cap console;
    timer_cap timer;
    memory_object_cap file;
    uint64_t size_bytes;
    require(boot_package_cap_find("boot", &boot), "boot");
    require(memory_budget_cap_find("budget", &budget), "budget");
    require(console_cap_find("console", &console), "console");
    require(timer_cap_find("timer", &timer), "timer");
    require(capos_spawner_find(&spawner), "spawner");
    require(boot_package_open(boot, "crowd", 5, &file, &size_bytes), "its own file");
    require(capos_image_open(&image, &spawner, file, size_bytes), "its own file");
    const struct capos_spawn_grant grants[] = {{"console", capos_transfer_copy(console.id)}};
    for (unsigned i = 0; i < CHILDREN; i++) {
        const char *const arguments[] = {"crowd", i % 2 == 0 ? "writes" : "spins"};
        struct capos_process process;
        require(capos_spawn(&spawner, &image,
                            &(struct capos_spawn_request){
                                .name = "crowd",
                                .budget = budget,
                                .grants = grants,
                                .grant_count = 1,
                                .arguments = arguments,
                                .argument_count = 2,
                            },
                            &process),
                "spawn");
    }
    require(timer_sleep(timer, 100'000'000), "sleep"); // so that some are under way
    return 0;
}
