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
