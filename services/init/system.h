// SPDX-License-Identifier: MIT
// The services of the manifest: their endpoints, their processes, and the grants that lead
// to them.
//
// Invariants:
//  1. Nothing is started before the whole manifest has been decoded and every grant in it
//     leads to something.
//  2. Each holder of a service's export gets an object of its own, minted for it, so the
//     service learns when that holder is gone.
#pragma once

#include <capos/spawn.h>
#include <gen/wire/manifest.h>

// Reads and checks the manifest, makes the endpoints, starts the services in their order.
// Doesn't return when something is wrong: a system without its services is none, and the
// console is told why.
void system_start(struct capos_spawner *spawner);

// What the requested program gets without asking, and what it may ask for.
[[nodiscard]] const struct wire_list *system_program_grants(void);
[[nodiscard]] const struct wire_list *system_grantable(void);

// A capability of init's own, whatever its interface; 0 without it.
[[nodiscard]] capos_cap_id system_kernel_find(struct wire_text name);

// The capability that a checked grant leads to, as a transfer: a copy of a kernel
// capability, or a fresh export, which the receiver owns.  A service that waited for somebody
// to need it is started now.
[[nodiscard]] enum status system_resolve(const struct grant *grant,
                                         struct capos_transfer *out_capability);

// Starts the service of a directory of the host, of which a request has at most
// RUN_REQUEST_DIRECTORIES_COUNT_MAX, and gives what leads to it.  STATUS_NOT_FOUND: the system
// has no such service.  Doesn't return if it can't be started, as system_start.
[[nodiscard]] enum status system_directory(const struct host_directory *directory,
                                           struct capos_transfer *out_capability);

// Starts the driver and the service of a disk, of which a request has at most
// RUN_REQUEST_DISKS_COUNT_MAX, and gives what leads to its files.  Otherwise as
// system_directory.
[[nodiscard]] enum status system_disk(const struct host_disk *disk,
                                      struct capos_transfer *out_capability);

// What else a disk's service exports, by its name; the disks count from 0 as they were started.
// STATUS_NOT_FOUND.
[[nodiscard]] enum status system_disk_export(uint32_t disk, const char *name,
                                             struct capos_transfer *out_capability);

// Has a directory in memory made, in a budget of its own.  STATUS_NOT_FOUND: the system has no
// Ramfs; STATUS_OVERLOADED: the machine has too little memory; else as Ramfs.create.
[[nodiscard]] enum status system_memory_directory(const struct memory_directory *directory,
                                                  struct capos_transfer *out_capability);

// Whether a grant leads to a service that drives block devices.
[[nodiscard]] bool system_drives_disks(const struct grant *grant);

// The first export of an interface, minted for init itself.  STATUS_NOT_FOUND without one.
[[nodiscard]] enum status system_mint_own(uint64_t interface_id, capos_cap_id *out_cap);

// Makes durable what the program left in the directories that services serve.  Waits for them.
void system_sync(void);

// Gives up init's holds of the endpoints of services that are never restarted: nothing can
// be minted there any more, and such a service takes its endpoint with it when it ends, so
// that no call to it waits for ever.
void system_seal(void);
