// SPDX-License-Identifier: MIT
// The local APIC of this CPU: acknowledging interrupts, and its timer (apic.c).
#pragma once

#include <stdint.h>

#include <kernel/arch.h>

// Turns the local APIC on, and the two 8259 PICs off.
void apic_init(void);

// How interrupt controllers name this CPU.
[[nodiscard]] uint32_t apic_id(void);

void apic_end_of_interrupt(void);

// Where its registers are, for DeviceMemory to refuse.
[[nodiscard]] paddr_t apic_physical(void);

// The timer counts down from `ticks` to 0 and interrupts; 0 stops it.
void apic_timer_start(uint32_t ticks);
[[nodiscard]] uint32_t apic_timer_remaining(void);
// Makes the timer interrupt by MSR_TSC_DEADLINE instead of by count.
void apic_timer_use_deadline(void);

// Says on the console what the APIC complains about.
void apic_report_error(void);
