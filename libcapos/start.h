// SPDX-License-Identifier: MIT
// What start.c knows about the process, for the rest of libcapos.
#pragma once

#include <abi/capset.h>
#include <abi/startup.h>

struct process_start {
    const struct capos_capset *capset;
    struct capos_startup *startup;
};

extern struct process_start process_start;

// The first thread's variables lie in front of its block, as far as they fit.
constexpr uint64_t TLS_STATIC_BYTES = 1024;
constexpr uint64_t TLS_STATIC_ALIGNMENT = 64;
static_assert(TLS_STATIC_BYTES % TLS_STATIC_ALIGNMENT == 0);

struct thread;

// What comes when calls can be made: program.c runs main.  A C library has a function of its own.
[[noreturn]] void program_start(struct thread *first, struct capos_startup *startup);
