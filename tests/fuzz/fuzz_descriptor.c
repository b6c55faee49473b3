// SPDX-License-Identifier: MIT
// Fuzzes lib/descriptor and lib/value: the blob as hostile input, messages as hostile input.
//
// If the first byte is even, the rest is a list of changes to the schema's blob: three bytes
// that say where, and one to write there; a blob that is still accepted is walked, and an
// empty and a zeroed message are read by each of its structs.  If it is odd, the next byte
// chooses a codec and the rest is a message, or changes to that codec's sample: what
// value_read accepts, the generated decoder must accept too, and value_build must make a
// message of it that both accept.
#include <gen/descriptor.h>
#include <gen/test/codecs.h>
#include <lib/value.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

constexpr uint32_t BUFFER_BYTES = 1 << 18;
constexpr uint32_t ITEMS_MAX = 4096;

static struct value_item items[ITEMS_MAX];
static uint64_t built[BUFFER_BYTES / 8], recoded[BUFFER_BYTES / 8];
static volatile size_t printed_bytes;

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void count_bytes(void *context, const char *text, size_t size_bytes)
{
    (void)context;
    for (size_t i = 0; i < size_bytes; i++)
        printed_bytes += (uint8_t)text[i];
}

static enum status read_and_print(const struct descriptor *descriptor, uint32_t of,
                                  const void *message, uint32_t size_bytes, struct value *value)
{
    static const struct value_capability capabilities[CAPOS_TRANSFER_COUNT_MAX];
    struct value_arena arena = {items, ITEMS_MAX, 0};
    enum status status = value_read(descriptor, of, message, size_bytes, capabilities,
                                    CAPOS_TRANSFER_COUNT_MAX, &arena, value);
    if (status == STATUS_OK) {
        value_print(&(struct value_sink){count_bytes, nullptr}, descriptor, value, "");
        value_print_json(&(struct value_sink){count_bytes, nullptr}, descriptor, value);
    }
    return status;
}

static void walk(const struct descriptor *descriptor)
{
    static const uint64_t zeros[4] = {UINT64_C(2) << 32};
    struct descriptor_interface interface;
    struct descriptor_method method;
    struct descriptor_struct of;
    struct value value;
    for (uint32_t i = 0; descriptor_interface_at(descriptor, i, &interface); i++)
        for (uint32_t j = 0; descriptor_method_at(descriptor, &interface, j, &method); j++)
            printed_bytes += strlen(method.name) + strlen(method.doc);
    for (uint32_t i = 0; descriptor_struct_at(descriptor, i, &of); i++) {
        struct value_message message = {.buffer = built, .buffer_bytes = BUFFER_BYTES};
        struct value_problem problem;
        if (read_and_print(descriptor, i, zeros, sizeof zeros, &value) == STATUS_OK)
            (void)!value_build(descriptor, i, value.items, value.count, &message, &problem);
    }
}

static void fuzz_blob(const uint8_t *data, size_t size)
{
    struct descriptor descriptor;
    uint8_t *copy = malloc(sizeof descriptor_blob);
    require(copy != nullptr);
    memcpy(copy, descriptor_blob, sizeof descriptor_blob);
    for (; size >= 4; size -= 4, data += 4)
        copy[((uint32_t)data[0] | (uint32_t)data[1] << 8) % sizeof descriptor_blob] = data[3];
    if (descriptor_open(copy, sizeof descriptor_blob, &descriptor) == STATUS_OK)
        walk(&descriptor);
    free(copy);
}

static void fuzz_message(const struct codec *codec, const void *message, uint32_t size_bytes)
{
    struct descriptor descriptor;
    struct value_problem problem;
    struct value value;
    uint32_t of, bytes;
    require(descriptor_open(descriptor_blob, sizeof descriptor_blob, &descriptor) == STATUS_OK);
    require(descriptor_struct_by_name(&descriptor, codec->path, strlen(codec->path), &of));
    if (read_and_print(&descriptor, of, message, size_bytes, &value) != STATUS_OK)
        return;
    require(codec->recode(message, size_bytes, false, recoded, BUFFER_BYTES, &bytes) ==
            STATUS_OK);
    struct value_message again = {.buffer = built, .buffer_bytes = BUFFER_BYTES};
    // More than value_build takes, of capabilities or room, is no error of it.
    if (value_build(&descriptor, of, value.items, value.count, &again, &problem) != STATUS_OK)
        return;
    require(codec->recode(built, again.size_bytes, false, recoded, BUFFER_BYTES, &bytes) ==
            STATUS_OK);
    require(read_and_print(&descriptor, of, built, again.size_bytes, &value) == STATUS_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > 65536)
        return 0;
    if (data[0] % 2 == 0) {
        fuzz_blob(data + 1, size - 1);
        return 0;
    }
    const struct codec *codec = &codec_table[data[1] % CODEC_COUNT];
    bool changes = data[2] % 2 != 0;
    data += 3, size -= 3;
    uint32_t size_bytes = changes ? codec->sample_bytes : (uint32_t)size & ~7u;
    uint64_t *message = malloc(size_bytes != 0 ? size_bytes : 1);
    require(message != nullptr);
    memcpy(message, changes ? (const void *)codec->sample : data, size_bytes);
    for (; changes && size_bytes != 0 && size >= 3; size -= 3, data += 3)
        message[data[0] % (size_bytes / 8)] ^= (uint64_t)data[2] << data[1] % 64;
    fuzz_message(codec, message, size_bytes);
    free(message);
    return 0;
}
