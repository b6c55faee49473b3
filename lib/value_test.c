// SPDX-License-Identifier: MIT
// Tests of lib/value: every struct of the schema against its generated codec, and each error.
#include <lib/value.h>

#include <gen/descriptor.h>
#include <gen/interfaces.h>
#include <gen/test/codecs.h>
#include <stdlib.h>
#include <test/test.h>

constexpr uint32_t BUFFER_BYTES = 1 << 16;
constexpr uint32_t ITEMS_MAX = 4096;

static struct descriptor schema;
static struct value_item items[ITEMS_MAX];
static uint64_t buffer[BUFFER_BYTES / 8], first[BUFFER_BYTES / 8], second[BUFFER_BYTES / 8];

static uint32_t struct_named(const char *name)
{
    uint32_t index = UINT32_MAX;
    CHECK(descriptor_struct_by_name(&schema, name, strlen(name), &index));
    return index;
}

// ---- Against the generated codecs --------------------------------------------------

static void write_file(void *context, const char *text, size_t size_bytes)
{
    fwrite(text, 1, size_bytes, context);
}

static enum status read_message(const char *path, const void *message, uint32_t size_bytes,
                                struct value *out_value)
{
    static struct value_capability capabilities[64];
    struct value_arena arena = {items, ITEMS_MAX, 0};
    for (uint32_t i = 0; i < 64; i++)
        capabilities[i].number = i + 1;
    return value_read(&schema, struct_named(path), message, size_bytes, capabilities, 64,
                      &arena, out_value);
}

// The generated printer doesn't know interfaces.
static void say_capability(char *text)
{
    char *at;
    while ((at = strstr(text, "\"?\"")) != nullptr) {
        memmove(at + 12, at + 3, strlen(at + 3) + 1);
        memcpy(at, "\"capability\"", 12);
    }
}

static bool same_json(const struct codec *codec, const void *message, uint32_t size_bytes,
                      const struct value *value)
{
    static char ours[1 << 18], theirs[1 << 18];
    FILE *file = fmemopen(ours, sizeof ours, "w");
    value_print_json(&(struct value_sink){write_file, file}, &schema, value);
    fclose(file);
    file = fmemopen(theirs, sizeof theirs, "w");
    enum status status = codec->print(message, size_bytes, file);
    fclose(file);
    say_capability(ours);
    return status == STATUS_OK && strcmp(ours, theirs) == 0;
}

static void every_struct_reads_as_its_codec_prints(void)
{
    for (uint32_t i = 0; i < CODEC_COUNT; i++) {
        const struct codec *codec = &codec_table[i];
        struct value value = {};
        CHECK_EQ(read_message(codec->path, codec->sample, codec->sample_bytes, &value),
                 STATUS_OK);
        CHECK(same_json(codec, codec->sample, codec->sample_bytes, &value));
    }
}

static void every_struct_goes_there_and_back(void)
{
    for (uint32_t i = 0; i < CODEC_COUNT; i++) {
        const struct codec *codec = &codec_table[i];
        struct value_message message = {.buffer = buffer, .buffer_bytes = BUFFER_BYTES};
        struct value_problem problem;
        struct value value = {};
        uint32_t first_bytes = 0, second_bytes = 0;
        CHECK_EQ(read_message(codec->path, codec->sample, codec->sample_bytes, &value),
                 STATUS_OK);
        CHECK_EQ(value_build(&schema, struct_named(codec->path), value.items, value.count,
                             &message, &problem),
                 STATUS_OK);
        CHECK_EQ(codec->recode(codec->sample, codec->sample_bytes, true, first, BUFFER_BYTES,
                               &first_bytes),
                 STATUS_OK);
        CHECK_EQ(codec->recode(buffer, message.size_bytes, true, second, BUFFER_BYTES,
                               &second_bytes),
                 STATUS_OK);
        CHECK(first_bytes == second_bytes && memcmp(first, second, first_bytes) == 0);
        for (uint32_t j = 0; j < message.capability_count; j++)
            CHECK(message.capabilities[j] != 0);
    }
}

// Whatever the generated decoder says of a broken message, the dynamic one says too.
static void broken_messages_are_refused_by_both(void)
{
    uint32_t seed = 7, refused = 0, accepted = 0;
    for (uint32_t round = 0; round < 40000; round++) {
        const struct codec *codec = &codec_table[round % CODEC_COUNT];
        struct value value = {};
        uint32_t bytes = 0;
        if (codec->sample_bytes == 0)
            continue;
        memcpy(buffer, codec->sample, codec->sample_bytes);
        seed = seed * 1664525 + 1013904223;
        buffer[(seed >> 8) % (codec->sample_bytes / 8)] ^= (uint64_t)(seed >> 24)
                                                           << (seed & 63);
        enum status theirs =
            codec->recode(buffer, codec->sample_bytes, false, first, BUFFER_BYTES, &bytes);
        enum status ours = read_message(codec->path, buffer, codec->sample_bytes, &value);
        // A capability that didn't come is found here, by others when it is taken.
        if (ours == STATUS_OK)
            accepted++;
        else
            refused++;
        CHECK(ours != STATUS_OK || theirs == STATUS_OK);
    }
    CHECK(refused > 1000 && accepted > 1000);
}

// ---- Errors ------------------------------------------------------------------------

static struct value integer(uint64_t number)
{
    return (struct value){.kind = VALUE_INTEGER, .number = number};
}

static struct value text(const char *text)
{
    return (struct value){.kind = VALUE_TEXT, .count = (uint32_t)strlen(text), .text = text};
}

static struct value name(const char *text)
{
    return (struct value){.kind = VALUE_NAME, .count = (uint32_t)strlen(text), .text = text};
}

static struct value_item named(const char *name, struct value value)
{
    return (struct value_item){
        .name = name, .name_bytes = (uint32_t)strlen(name), .value = value};
}

static bool refused(const char *path, const struct value_item *arguments, uint32_t count,
                    const char *why)
{
    struct value_message message = {.buffer = buffer, .buffer_bytes = BUFFER_BYTES};
    struct value_problem problem = {};
    enum status status =
        value_build(&schema, struct_named(path), arguments, count, &message, &problem);
    if (status == STATUS_INVALID_ARGUMENT && strcmp(problem.text, why) == 0)
        return true;
    printf("status %d, problem: %s\n", status, problem.text);
    return false;
}

#define REFUSED(path, why, ...)                                                           \
    CHECK(refused(path, (struct value_item[]){__VA_ARGS__},                               \
                  sizeof((struct value_item[]){__VA_ARGS__}) / sizeof(struct value_item), \
                  why))

static void each_error_names_the_field_and_what_is_legal(void)
{
    struct value negative = {.kind = VALUE_INTEGER, .negative = true, .number = 1};
    struct value timer = {
        .kind = VALUE_CAPABILITY, .number = 5, .interface_id = INTERFACE_TIMER};
    static char long_text[100];
    memset(long_text, 'x', sizeof long_text - 1);
    REFUSED("StdIO.ReadParams", "maxBytes: 4294967296 is out of range: 0 to 4294967295",
            {.value = integer(UINT64_C(1) << 32)});
    REFUSED("Timer.SleepParams", "durationNs: -1 is out of range: 0 to 18446744073709551615",
            {.value = negative});
    REFUSED("Timer.SleepParams", "durationNs: expected a number, got text",
            {.value = text("soon")});
    REFUSED("Timer.SleepParams", "there is no time; there are: durationNs",
            named("time", integer(1)));
    REFUSED("Timer.SleepParams", "there is no durationMs; did you mean durationNs?",
            named("durationMs", integer(1)));
    REFUSED("Timer.SleepParams", "too many values: at most 1", {.value = integer(1)},
            {.value = integer(2)});
    REFUSED("Timer.SleepParams", "durationNs is given twice", {.value = integer(1)},
            named("durationNs", integer(2)));
    REFUSED("VirtualMemory.CommitParams", "values by position come before those by name",
            named("address", integer(1)), {.value = integer(2)});
    REFUSED("BootPackage.OpenParams", "name: 99 bytes are too many: at most 63",
            {.value = text(long_text)});
    REFUSED("VirtualMemory.ProtectParams",
            "protection: there is no Protection readwrite; did you mean readWrite?",
            named("protection", name("readwrite")));
    REFUSED("VirtualMemory.ProtectParams",
            "protection: there is no Protection all; there are: none, read, readWrite, "
            "readExecute",
            named("protection", name("all")));
    REFUSED("VirtualMemory.MapParams", "object: expected MemoryObject, got Timer",
            {.value = timer});
    REFUSED("MemoryObject.ViewParams", "writable: expected true or false, got a number",
            named("writable", integer(1)));
}

static void an_error_inside_lists_names_the_way_there(void)
{
    struct value_item element = named("budgetBytes", text("much"));
    struct value_item services[2] = {};
    services[0].value.kind = VALUE_STRUCT;
    services[1].value = (struct value){.kind = VALUE_STRUCT, .count = 1, .items = &element};
    struct value list = {.kind = VALUE_LIST, .count = 2, .items = services};
    REFUSED("SystemManifest", "services[1].budgetBytes: expected a number, got text",
            named("services", list));
}

// ---- Numbers for people ------------------------------------------------------------

static bool formats(uint64_t magnitude, const char *unit, const char *expected)
{
    char text[VALUE_NUMBER_BYTES];
    value_format_number(text, magnitude, false, unit);
    if (strcmp(text, expected) == 0)
        return true;
    printf("%s, not %s\n", text, expected);
    return false;
}

static void numbers_are_readable_and_exact(void)
{
    CHECK(formats(0, "ns", "0 ns"));
    CHECK(formats(999, "ns", "999 ns"));
    CHECK(formats(1500000, "ns", "1.5 ms (1500000 ns)"));
    CHECK(formats(2000000000, "ns", "2 s (2000000000 ns)"));
    CHECK(formats(1001, "ns", "1.001 µs (1001 ns)"));
    CHECK(formats(65536, "bytes", "64 KiB (65536 bytes)"));
    CHECK(formats(UINT64_MAX, "bytes", "17179869183.999 GiB (18446744073709551615 bytes)"));
    CHECK(formats(7, "pages", "7 pages"));
    CHECK(formats(42, "", "42"));
    CHECK(formats(0x7fff00000000, "", "140733193388032 (0x7fff00000000)"));
}

int main(void)
{
    if (descriptor_open(descriptor_blob, sizeof descriptor_blob, &schema) != STATUS_OK)
        return 1;
    RUN(every_struct_reads_as_its_codec_prints);
    RUN(every_struct_goes_there_and_back);
    RUN(broken_messages_are_refused_by_both);
    RUN(each_error_names_the_field_and_what_is_legal);
    RUN(an_error_inside_lists_names_the_way_there);
    RUN(numbers_are_readable_and_exact);
    return test_report();
}
