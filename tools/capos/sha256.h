// SPDX-License-Identifier: MIT
// SHA-256 (FIPS 180-4), for naming cached files by their content.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct sha256 {
    uint32_t state[8];
    uint64_t total_bytes;
    uint8_t block[64]; // the last total_bytes % 64 bytes
};

void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *data, size_t bytes);
// Ends the hash; it must be initialised again before the next use.
void sha256_final(struct sha256 *hash, uint8_t out_digest[32]);
