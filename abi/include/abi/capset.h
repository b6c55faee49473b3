// SPDX-License-Identifier: MIT
// The CapSet page: the names of the capabilities that a process was started with,
// mapped read-only by the kernel before the first instruction runs.
//
// It is a snapshot of the start.  A capability that was released since keeps its
// entry, and calls with its id fail with badCapability.
#pragma once

#include <stdint.h>

#define CAPOS_CAPSET_MAGIC      0x544553504143u // "CAPSET" read as little-endian bytes
#define CAPOS_CAPSET_NAME_BYTES 32u             // with at least one terminating NUL
#define CAPOS_CAPSET_COUNT_MAX  84u

struct capos_capset_entry {
    char name[CAPOS_CAPSET_NAME_BYTES];
    uint64_t cap; // capos_cap_id
    uint64_t interface_id;
};
static_assert(sizeof(struct capos_capset_entry) == 48);

struct capos_capset {
    uint64_t magic;
    uint32_t count;
    uint32_t entry_bytes;
    uint64_t process_id; // as in ProcessHandle.info
    uint64_t reserved[2];
    struct capos_capset_entry entries[]; // in the order of the grants
};
static_assert(sizeof(struct capos_capset) == 40);
static_assert(sizeof(struct capos_capset) +
                  CAPOS_CAPSET_COUNT_MAX * sizeof(struct capos_capset_entry) <=
              4096);
