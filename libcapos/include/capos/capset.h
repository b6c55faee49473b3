// SPDX-License-Identifier: MIT
// The CapSet: the capabilities that the program was started with, by name.
//
// A program holds nothing else at its start.  What it finds here is lent for as long as
// the process runs; releasing an entry's capability is allowed and leaves a stale entry.
#pragma once

#include <abi/capset.h>
#include <abi/ring.h>
#include <gen/status.h>
#include <stdint.h>

// Finds a capability by its name and checks its interface.
// STATUS_NOT_FOUND: no grant of that name.  STATUS_WRONG_INTERFACE: it is another interface.
//
//     timer_cap timer;
//     if (capos_find("timer", INTERFACE_TIMER, &timer.id) != STATUS_OK)
//         capos_panic("this program needs a Timer: --grant timer");
[[nodiscard]] enum status capos_find(const char *name, uint64_t interface_id,
                                     capos_cap_id *out_cap);

// The grants in their order: the number of them, and one of them; nullptr from the count
// on.  Read-only memory that lives as long as the process.
[[nodiscard]] uint32_t capos_capset_count(void);
[[nodiscard]] const struct capos_capset_entry *capos_capset_at(uint32_t index);

// The number by which people and ProcessHandle.info know this process.
[[nodiscard]] uint64_t capos_process_id(void);
