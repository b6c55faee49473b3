// SPDX-License-Identifier: MIT
// What ProcessBuilder.load puts where: the records in its `pieces`.
#pragma once

#include <stdint.h>

#define CAPOS_LOAD_PIECES_MAX         20u
#define CAPOS_LOAD_COPY_BYTES_MAX     (256u * 1024u) // of all pages that one call copies to
#define CAPOS_LOAD_CONTENTS_BYTES_MAX 3072u

enum capos_load_kind {
    CAPOS_LOAD_MAP,    // pages of the file, shared with everybody who maps it
    CAPOS_LOAD_COMMIT, // memory of the process's own
};

struct capos_load_piece {
    uint64_t address;      // in the process: a multiple of 4096
    uint64_t length_bytes; // a multiple of 4096
    // Where in the file.  MAP: a multiple of 4096.  COMMIT: of the bytes that the memory has in
    // the beginning, behind as many zeros as they have before them in their page of the file.
    uint64_t offset_bytes;
    uint64_t copy_bytes; // COMMIT: how many; the rest is zero.  MAP: 0
    uint8_t kind;        // enum capos_load_kind
    uint8_t protection;  // enum Protection of virtual_memory.capnp
    uint16_t reserved0;  // 0
    uint32_t reserved1;  // 0
};
static_assert(sizeof(struct capos_load_piece) == 40);
