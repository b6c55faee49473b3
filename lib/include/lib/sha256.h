// SPDX-License-Identifier: MIT
// SHA-256 (FIPS 180-4), for naming bytes by what they are.  Not for secrets: nobody looked at
// what its time tells.
#pragma once

#include <stddef.h>
#include <stdint.h>

constexpr size_t SHA256_BYTES = 32;

struct sha256 {
    uint32_t state[8];
    uint64_t total_bytes;
    uint8_t block[64]; // the last total_bytes % 64 bytes
};

void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *data, size_t bytes);
// Ends the hash; it must be initialised again before the next use.
void sha256_final(struct sha256 *hash, uint8_t out_digest[SHA256_BYTES]);
