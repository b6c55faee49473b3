// SPDX-License-Identifier: MIT
// The CPUs of the machine (smp.c).
#pragma once

#include <stdint.h>

#include <kernel/arch/x86_64/acpi.h>
#include <kernel/arch/x86_64/boot/memory_map.h>
#include <kernel/arch/x86_64/percpu.h>

// Starts the other CPUs, one after the other, and leaves them idle.  Their memory is taken out
// of `free`.  A CPU that doesn't come, or isn't like this one, is named on the console and stays
// unused.
void smp_start(const struct acpi_cpus *cpus, struct memory_map *free);

[[nodiscard]] struct percpu *percpu_at(uint32_t index);

// In entry.S: where boot/trampoline.S goes to, which calls cpu_start (not to be called).
extern const uint8_t cpu_entry[];
[[noreturn]] void cpu_start(struct percpu *cpu);
// Taken by the CPU that is being started.
extern struct percpu *cpu_starting;
