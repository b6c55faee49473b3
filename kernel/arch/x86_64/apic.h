// SPDX-License-Identifier: MIT
// The local APIC of this CPU: acknowledging interrupts, sending them to other CPUs, and its
// timer (apic.c).
#pragma once

#include <stdint.h>

#include <kernel/arch.h>

// Turns the two 8259 PICs off, and the local APIC of the CPU that boots on.
void apic_init(void);
// Turns that of another CPU on.
void apic_init_cpu(void);

// How interrupt controllers name this CPU.
[[nodiscard]] uint32_t apic_id(void);

void apic_end_of_interrupt(void);

// Interrupts another CPU.  What was written before is seen by it.
void apic_send(uint32_t apic_id, uint8_t vector);
void apic_send_nmi_to_others(void);
// Resets it; starts it, in real mode, at the beginning of a page below 1 MiB.
void apic_send_init(uint32_t apic_id);
void apic_send_startup(uint32_t apic_id, paddr_t page);

// Where its registers are, for DeviceMemory to refuse.
[[nodiscard]] paddr_t apic_physical(void);

// The timer counts down from `ticks` to 0 and interrupts; 0 stops it.
void apic_timer_start(uint32_t ticks);
[[nodiscard]] uint32_t apic_timer_remaining(void);
// Makes the timer interrupt by MSR_TSC_DEADLINE instead of by count.
void apic_timer_use_deadline(void);

// Says on the console what the APIC complains about.
void apic_report_error(void);
