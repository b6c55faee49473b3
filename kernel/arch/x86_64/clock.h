// SPDX-License-Identifier: MIT
// Time: the TSC as the clock, the local APIC's timer as the alarm (clock.c).
#pragma once

#include <stdint.h>

// Finds out how fast the TSC and the timer run; takes at most a few milliseconds.
void clock_init(void);

// Makes the timer of another CPU like that of the first.
void clock_init_cpu(void);

// Lets time pass, for devices that need it.
void clock_wait_ns(uint64_t duration_ns);

// The timer interrupted: whether the time that arch_timer_set was asked for has come.
[[nodiscard]] bool clock_interrupt(void);
