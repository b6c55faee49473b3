// SPDX-License-Identifier: MIT
// Time: the TSC as the clock, the local APIC's timer as the alarm (clock.c).
#pragma once

// Finds out how fast the TSC and the timer run; takes at most a few milliseconds.
void clock_init(void);

// The timer interrupted: whether the time that arch_timer_set was asked for has come.
[[nodiscard]] bool clock_interrupt(void);
