// SPDX-License-Identifier: MIT
// Which CPUs there are, on a machine without ACPI (mp_table.c).
#pragma once

#include <kernel/arch/x86_64/acpi.h>

// Adds the CPUs that the firmware's MP table lists; none if there is no such table.
void mp_table_read(struct acpi_cpus *cpus);
