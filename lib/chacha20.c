// SPDX-License-Identifier: MIT
// ChaCha20 and the random generator on it.
//
// The block function is RFC 8439, section 2.3; the generator is Bernstein's fast-key-
// erasure construction ("Fast-key-erasure random-number generators", 2017).  Constant
// time by nature: no branch and no index depends on key or data.
//
// Not here: where the seed comes from (kernel/object/entropy_source.c).
// Tested in lib/chacha20_test.c with the RFC's vectors.
#include <lib/chacha20.h>

// The keystream of one key, in bytes; bounds how long a key lives within one fill.
constexpr size_t KEY_LIFE_BYTES = 65536;

static uint32_t load_le32(const uint8_t bytes[4])
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static void store_le32(uint8_t bytes[4], uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t rotate_left(uint32_t value, unsigned count)
{
    return value << count | value >> (32 - count);
}

static void quarter_round(uint32_t state[16], unsigned a, unsigned b, unsigned c, unsigned d)
{
    state[a] += state[b];
    state[d] = rotate_left(state[d] ^ state[a], 16);
    state[c] += state[d];
    state[b] = rotate_left(state[b] ^ state[c], 12);
    state[a] += state[b];
    state[d] = rotate_left(state[d] ^ state[a], 8);
    state[c] += state[d];
    state[b] = rotate_left(state[b] ^ state[c], 7);
}

// Overwrites a secret, a multiple of 8 bytes; volatile keeps the compiler from dropping the stores.
static void erase(void *secret, size_t size)
{
    typedef uint64_t word [[gnu::may_alias, gnu::aligned(1)]];
    volatile word *words = secret;
    for (size_t i = 0; i < size / sizeof *words; i++)
        words[i] = 0;
}

void chacha20_block(const uint8_t key[CHACHA20_KEY_BYTES], uint32_t counter,
                    const uint8_t nonce[CHACHA20_NONCE_BYTES],
                    uint8_t out_block[CHACHA20_BLOCK_BYTES])
{
    // "expand 32-byte k", key, counter, nonce
    uint32_t initial[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    for (unsigned i = 0; i < 8; i++)
        initial[4 + i] = load_le32(key + 4 * i);
    initial[12] = counter;
    for (unsigned i = 0; i < 3; i++)
        initial[13 + i] = load_le32(nonce + 4 * i);

    uint32_t state[16];
    __builtin_memcpy(state, initial, sizeof state);
    for (unsigned round = 0; round < 10; round++) {
        quarter_round(state, 0, 4, 8, 12);
        quarter_round(state, 1, 5, 9, 13);
        quarter_round(state, 2, 6, 10, 14);
        quarter_round(state, 3, 7, 11, 15);
        quarter_round(state, 0, 5, 10, 15);
        quarter_round(state, 1, 6, 11, 12);
        quarter_round(state, 2, 7, 8, 13);
        quarter_round(state, 3, 4, 9, 14);
    }
    for (unsigned i = 0; i < 16; i++)
        store_le32(out_block + 4 * i, state[i] + initial[i]);
    erase(initial, sizeof initial);
    erase(state, sizeof state);
}

// Writes up to KEY_LIFE_BYTES from one key and replaces the key.
static void fill_from_one_key(struct chacha20_rng *rng, uint8_t *to, size_t size)
{
    static const uint8_t nonce[CHACHA20_NONCE_BYTES]; // each key is used for one fill
    uint8_t block[CHACHA20_BLOCK_BYTES], next_key[CHACHA20_KEY_BYTES];
    chacha20_block(rng->seed, 0, nonce, block);
    __builtin_memcpy(next_key, block, sizeof next_key);

    size_t used = sizeof next_key; // of the current block
    uint32_t counter = 1;
    while (size != 0) {
        if (used == sizeof block) {
            chacha20_block(rng->seed, counter++, nonce, block);
            used = 0;
        }
        size_t part = sizeof block - used < size ? sizeof block - used : size;
        __builtin_memcpy(to, block + used, part);
        used += part;
        to += part;
        size -= part;
    }
    __builtin_memcpy(rng->seed, next_key, sizeof next_key);
    erase(block, sizeof block);
    erase(next_key, sizeof next_key);
}

void chacha20_rng_fill(struct chacha20_rng *rng, void *buffer, size_t size)
{
    uint8_t *to = buffer;
    while (size != 0) {
        size_t part = size < KEY_LIFE_BYTES ? size : KEY_LIFE_BYTES;
        fill_from_one_key(rng, to, part);
        to += part;
        size -= part;
    }
}
