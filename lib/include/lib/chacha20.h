// SPDX-License-Identifier: MIT
// ChaCha20 (RFC 8439) and a random generator with fast key erasure (chacha20.c).
//
// The generator is the whole of its key: each fill makes a keystream, takes the first
// 32 bytes of it as the new key and hands out the rest, so bytes once handed out can't
// be computed from a later state.
#pragma once

#include <stddef.h>
#include <stdint.h>

constexpr size_t CHACHA20_KEY_BYTES = 32;
constexpr size_t CHACHA20_NONCE_BYTES = 12;
constexpr size_t CHACHA20_BLOCK_BYTES = 64;

// The block function of RFC 8439, section 2.3: 64 bytes of keystream.
void chacha20_block(const uint8_t key[CHACHA20_KEY_BYTES], uint32_t counter,
                    const uint8_t nonce[CHACHA20_NONCE_BYTES],
                    uint8_t out_block[CHACHA20_BLOCK_BYTES]);

// A generator.  Made by filling `seed` with at least 256 bits of entropy; no other
// preparation.  Not thread-safe.
struct chacha20_rng {
    uint8_t seed[CHACHA20_KEY_BYTES]; // the key of the next fill
};

// Writes `size` random bytes and erases the key they came from.
void chacha20_rng_fill(struct chacha20_rng *rng, void *buffer, size_t size);
