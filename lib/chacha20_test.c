// SPDX-License-Identifier: MIT
// Tests of lib/chacha20.c.
#include <lib/chacha20.h>

#include <test/test.h>

static uint8_t counting_key[CHACHA20_KEY_BYTES]; // 00 01 02 ... 1f

static void block_gives_the_vector_of_rfc_8439_section_2_3_2(void)
{
    static const uint8_t nonce[] = {0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0};
    static const uint8_t expected[] = {
        0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3,
        0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03, 0x04, 0x22,
        0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa,
        0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1,
        0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e,
    };
    uint8_t block[CHACHA20_BLOCK_BYTES];
    chacha20_block(counting_key, 1, nonce, block);
    CHECK(memcmp(block, expected, sizeof block) == 0);
}

static void block_gives_the_first_vector_of_rfc_8439_appendix_a_1(void)
{
    static const uint8_t zero[CHACHA20_KEY_BYTES];
    static const uint8_t expected[] = {
        0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53,
        0x86, 0xbd, 0x28, 0xbd, 0xd2, 0x19, 0xb8, 0xa0, 0x8d, 0xed, 0x1a, 0xa8, 0x36,
        0xef, 0xcc, 0x8b, 0x77, 0x0d, 0xc7, 0xda, 0x41, 0x59, 0x7c, 0x51, 0x57, 0x48,
        0x8d, 0x77, 0x24, 0xe0, 0x3f, 0xb8, 0xd8, 0x4a, 0x37, 0x6a, 0x43, 0xb8, 0xf4,
        0x15, 0x18, 0xa1, 0x1c, 0xc3, 0x87, 0xb6, 0x69, 0xb2, 0xee, 0x65, 0x86,
    };
    uint8_t block[CHACHA20_BLOCK_BYTES];
    chacha20_block(zero, 0, zero, block);
    CHECK(memcmp(block, expected, sizeof block) == 0);
}

static void fill_hands_out_the_keystream_behind_the_new_key(void)
{
    static const uint8_t nonce[CHACHA20_NONCE_BYTES];
    uint8_t stream[3 * CHACHA20_BLOCK_BYTES], bytes[100];
    for (uint32_t i = 0; i < 3; i++)
        chacha20_block(counting_key, i, nonce, stream + i * CHACHA20_BLOCK_BYTES);
    struct chacha20_rng rng;
    memcpy(rng.seed, counting_key, sizeof rng.seed);
    chacha20_rng_fill(&rng, bytes, sizeof bytes);
    CHECK(memcmp(rng.seed, stream, sizeof rng.seed) == 0);
    CHECK(memcmp(bytes, stream + sizeof rng.seed, sizeof bytes) == 0);
}

static void fills_of_any_size_differ_and_stay_in_bounds(void)
{
    static uint8_t first[200001], second[200001];
    struct chacha20_rng rng = {};
    for (size_t size = 32; size < sizeof first; size = size * 3 + 1) {
        first[size] = second[size] = 0x5a;
        chacha20_rng_fill(&rng, first, size);
        chacha20_rng_fill(&rng, second, size);
        CHECK(memcmp(first, second, size) != 0);
        CHECK_EQ(first[size], 0x5a);
        CHECK_EQ(second[size], 0x5a);
    }
}

static void fill_of_nothing_changes_nothing(void)
{
    struct chacha20_rng rng = {};
    static const struct chacha20_rng same;
    chacha20_rng_fill(&rng, nullptr, 0);
    CHECK(memcmp(&rng, &same, sizeof rng) == 0);
}

int main(void)
{
    for (size_t i = 0; i < sizeof counting_key; i++)
        counting_key[i] = (uint8_t)i;
    RUN(block_gives_the_vector_of_rfc_8439_section_2_3_2);
    RUN(block_gives_the_first_vector_of_rfc_8439_appendix_a_1);
    RUN(fill_hands_out_the_keystream_behind_the_new_key);
    RUN(fills_of_any_size_differ_and_stay_in_bounds);
    RUN(fill_of_nothing_changes_nothing);
    return test_report();
}
