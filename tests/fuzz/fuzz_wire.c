// SPDX-License-Identifier: MIT
// Fuzzes every generated decoder, and with them lib/wire.
//
// The first byte chooses the codec.  If the second is even, the rest is the message; if it
// is odd, the rest is a list of changes to a valid message: the index of a word, the shift
// and the bits by which it changes; a last lone byte cuts the message.  The message lies in
// memory of exactly its length.
//
// Whatever is accepted must encode, and the encoding must decode to the same: encoding it
// again gives the same bytes.  Encoding reads every byte that a decoded value points at, so
// a reach beyond the message is seen.
//
// Built with -DCANARY it contains an overflow, which a run must find within seconds.
#include <gen/test/codecs.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

constexpr uint32_t BUFFER_BYTES = 1 << 20;

static void require(bool condition)
{
    if (!condition)
        abort();
}

#ifdef CANARY
static volatile char canary_sink; // so that the copy isn't optimized away

// What a decoder without a check would let happen.
static void canary(const void *message, uint32_t size_bytes)
{
    struct boot_package_open_params params;
    char copy[8];
    if (boot_package_open_params_decode(message, size_bytes, &params) == STATUS_OK)
        memcpy(copy, params.name.text, params.name.size_bytes), canary_sink = copy[0];
}
#else
static void canary(const void *message, uint32_t size_bytes)
{
    (void)message, (void)size_bytes;
}
#endif

static void check(const struct codec *codec, const void *message, uint32_t size_bytes)
{
    static uint64_t first[BUFFER_BYTES / 8], second[BUFFER_BYTES / 8];
    uint32_t first_bytes, second_bytes;
    if (codec->recode(message, size_bytes, false, first, BUFFER_BYTES, &first_bytes) !=
        STATUS_OK)
        return;
    require(first_bytes != 0);
    require(codec->recode(first, first_bytes, false, second, BUFFER_BYTES, &second_bytes) ==
            STATUS_OK);
    require(first_bytes == second_bytes && memcmp(first, second, first_bytes) == 0);
    // The room that the encoding needs is exactly what it reports.
    require(codec->recode(first, first_bytes, false, second, first_bytes, &second_bytes) ==
                STATUS_OK &&
            second_bytes == first_bytes);
    require(codec->recode(first, first_bytes, true, second, first_bytes - 8, &second_bytes) ==
                STATUS_OK &&
            second_bytes == 0);
}

// A change: the index of a word, a shift, and the byte that is XORed in there.
constexpr size_t CHANGE_BYTES = 3;

// The codec's sample with the changes of the input, in `*message`; returns its size.
static uint32_t changed_sample(const struct codec *codec, const uint8_t *changes, size_t size,
                               uint8_t **message)
{
    uint32_t size_bytes = codec->sample_bytes;
    uint64_t *copy = malloc(size_bytes);
    require(copy != nullptr);
    memcpy(copy, codec->sample, size_bytes);
    for (; size >= CHANGE_BYTES; size -= CHANGE_BYTES, changes += CHANGE_BYTES)
        copy[changes[0] % (size_bytes / 8)] ^= (uint64_t)changes[2] << changes[1] % 64;
    if (size == 1 && changes[0] * 8u < size_bytes)
        size_bytes = changes[0] * 8u;
    *message = malloc(size_bytes != 0 ? size_bytes : 1);
    require(*message != nullptr);
    memcpy(*message, copy, size_bytes);
    free(copy);
    return size_bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 65536)
        return 0;
    const struct codec *codec = &codec_table[data[0] % CODEC_COUNT];
    uint8_t *message;
    uint32_t size_bytes;
    if (data[1] % 2 != 0) {
        size_bytes = changed_sample(codec, data + 2, size - 2, &message);
    } else {
        size_bytes = (uint32_t)(size - 2) & ~7u;
        message = malloc(size_bytes != 0 ? size_bytes : 1);
        require(message != nullptr);
        memcpy(message, data + 2, size_bytes);
    }
    check(codec, message, size_bytes);
    canary(message, size_bytes);
    free(message);
    return 0;
}
