// SPDX-License-Identifier: MIT
// EntropySource: bytes that differ, in the asked amount, for those who were granted one.
#include <capos/test.h>

#include <gen/capos/entropy_source.h>
#include <string.h>

constexpr uint32_t FILL_BYTES_MAX = 1024;

static entropy_source_cap entropy(void)
{
    return (entropy_source_cap){test_grant("entropy", INTERFACE_ENTROPY_SOURCE)};
}

static int child_fills(void)
{
    entropy_source_cap source;
    uint8_t data[64];
    size_t data_bytes;
    EXPECT_OK(entropy_source_cap_find("entropy", &source));
    EXPECT_OK(entropy_source_fill(source, sizeof data, data, sizeof data, &data_bytes));
    EXPECT(data_bytes == sizeof data);
    return 0;
}

static void entropy_is_out_of_reach_without_the_grant(void)
{
    CHECK_DENIED("entropy", INTERFACE_ENTROPY_SOURCE);
}

static void entropy_fills_for_whom_it_was_granted(void)
{
    const struct test_child_grant grants[] = {test_lend("entropy", entropy().id)};
    CHECK_CHILD("fills", grants, 1);
}

static void fill_returns_exactly_as_much_as_was_asked_for(void)
{
    static const uint32_t lengths[] = {1, 7, 8, 31, 64, 1000, FILL_BYTES_MAX};
    static uint8_t data[FILL_BYTES_MAX];
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t data_bytes = 0;
        CHECK_OK(entropy_source_fill(entropy(), lengths[i], data, sizeof data, &data_bytes));
        CHECK_EQ(data_bytes, lengths[i]);
    }
}

static void fill_refuses_a_length_out_of_range(void)
{
    uint8_t data[8];
    CHECK_STATUS(entropy_source_fill(entropy(), 0, data, sizeof data, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(entropy_source_fill(entropy(), FILL_BYTES_MAX + 1, data, sizeof data, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(entropy_source_fill(entropy(), UINT32_MAX, data, sizeof data, nullptr),
                 STATUS_INVALID_ARGUMENT);
}

static void two_fills_differ(void)
{
    uint8_t first[32], second[32];
    CHECK_OK(entropy_source_fill(entropy(), sizeof first, first, sizeof first, nullptr));
    CHECK_OK(entropy_source_fill(entropy(), sizeof second, second, sizeof second, nullptr));
    CHECK(memcmp(first, second, sizeof first) != 0);
}

// 8192 fair coins: the standard deviation is 45, so this fails by chance less than once in
// 10^15 runs.
static void about_half_of_the_bits_are_set(void)
{
    static uint8_t data[FILL_BYTES_MAX];
    uint32_t ones = 0;
    CHECK_OK(entropy_source_fill(entropy(), sizeof data, data, sizeof data, nullptr));
    for (size_t i = 0; i < sizeof data; i++)
        ones += (uint32_t)__builtin_popcount(data[i]);
    CHECK(ones > 4096 - 370 && ones < 4096 + 370);
}

static void tests(void)
{
    RUN(entropy_is_out_of_reach_without_the_grant);
    RUN(entropy_fills_for_whom_it_was_granted);
    RUN(fill_returns_exactly_as_much_as_was_asked_for);
    RUN(fill_refuses_a_length_out_of_range);
    RUN(two_fills_differ);
    RUN(about_half_of_the_bits_are_set);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {{"fills", child_fills}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
