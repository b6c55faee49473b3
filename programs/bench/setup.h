// SPDX-License-Identifier: MIT
// What the parts of this program share on capOS: what was granted, and starting programs.
#pragma once

#include <capos/spawn.h>
#include <gen/capos/caps.h>
#include <gen/status.h>

extern struct setup {
    timer_cap timer;
    boot_package_cap boot;
    memory_budget_cap budget;
    forker_cap forker;
    struct capos_spawner spawner;
} setup;

void setup_find(void);

// Ends the program unless `status` is STATUS_OK.
void require(enum status status, const char *what);

// Opens the file of a program of the boot package.
void image_open(struct capos_image *image, const char *name);
// Starts it.  The caller owns the handle.
process_handle_cap image_start(const struct capos_image *image, const char *const *arguments,
                               uint32_t argument_count, const struct capos_spawn_grant *grants,
                               uint32_t grant_count, uint64_t stack_bytes);
// Starts a server of Echo and returns an object of it; *out_process (may be null) is the
// caller's.  stack_bytes 0: what a program gets that asks for nothing.
echo_cap server_start(const struct capos_image *image, const char *const *arguments,
                      uint32_t argument_count, uint64_t stack_bytes,
                      process_handle_cap *out_process);
// Waits for a process, which must exit with 0, and releases the handle.
void process_await(process_handle_cap process);
