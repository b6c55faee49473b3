// SPDX-License-Identifier: MIT
// What kind of CPU this is and how it is set up (cpu.c).
#pragma once

#include <stdint.h>

struct cpu_features {
    bool x2apic;
    bool tsc_deadline;
    bool tsc_invariant;
    bool rdrand;
    bool rdseed;
    bool xsaveopt;
    bool smep;
    bool smap;
    bool umip;
    bool hypervisor;
};

extern struct cpu_features cpu_features;

// Reads the features.  Panics with the names of those that the kernel can't do without.
void cpu_detect(void);

// Sets this CPU up: control registers, segments, the interrupt descriptor table, SYSCALL.  The
// same on every CPU.
void cpu_init(void);

// Whether this CPU has the features of the one that called cpu_detect.
[[nodiscard]] bool cpu_is_like_first(void);

// Says on the console which protections this CPU lacks.
void cpu_log(void);
