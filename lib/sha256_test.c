// SPDX-License-Identifier: MIT
// Tests of lib/sha256.c.
#include <lib/sha256.h>

#include <test/test.h>

static void digest_is(const char *text, size_t repeat, const char *expected)
{
    struct sha256 hash;
    uint8_t digest[32];
    char hex[65];
    sha256_init(&hash);
    for (size_t i = 0; i < repeat; i++)
        sha256_update(&hash, text, strlen(text));
    sha256_final(&hash, digest);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    CHECK(strcmp(hex, expected) == 0);
}

// The examples that NIST publishes for FIPS 180-4.
static void the_published_examples_match(void)
{
    digest_is("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_is("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_is("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    digest_is("a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// In pieces of every length, across the ends of blocks: the same as in one.
static void pieces_make_no_difference(void)
{
    uint8_t bytes[300], whole[SHA256_BYTES], pieces[SHA256_BYTES];
    struct sha256 hash;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    sha256_init(&hash);
    sha256_update(&hash, bytes, sizeof bytes);
    sha256_final(&hash, whole);
    for (size_t step = 1; step <= 130; step++) {
        sha256_init(&hash);
        for (size_t at = 0; at < sizeof bytes; at += step)
            sha256_update(&hash, bytes + at,
                          sizeof bytes - at < step ? sizeof bytes - at : step);
        sha256_final(&hash, pieces);
        CHECK(memcmp(whole, pieces, sizeof whole) == 0);
    }
}

int main(void)
{
    RUN(the_published_examples_match);
    RUN(pieces_make_no_difference);
    return test_report();
}
