// SPDX-License-Identifier: MIT
// Tests of lib/descriptor on the blob of the whole schema, and on blobs that lie.
#include <lib/descriptor.h>

#include <gen/descriptor.h>
#include <gen/interfaces.h>
#include <stdlib.h>
#include <test/test.h>

static struct descriptor open_schema(void)
{
    struct descriptor descriptor = {};
    CHECK_EQ(descriptor_open(descriptor_blob, sizeof descriptor_blob, &descriptor), STATUS_OK);
    return descriptor;
}

static void every_interface_and_method_is_there(void)
{
    struct descriptor descriptor = open_schema();
    CHECK_EQ(descriptor.count[DESCRIPTOR_INTERFACES], INTERFACE_COUNT);
    for (uint32_t i = 0; i < INTERFACE_COUNT; i++) {
        const struct interface_info *info = &interface_table[i];
        struct descriptor_interface interface;
        struct descriptor_method method;
        CHECK(descriptor_interface_by_id(&descriptor, info->id, &interface));
        CHECK(strcmp(interface.name, info->name) == 0);
        CHECK_EQ(interface.kernel_homed, info->kernel_homed);
        CHECK_EQ(interface.method_count, info->method_count);
        CHECK(interface.doc[0] != 0);
        for (uint32_t j = 0; j < info->method_count; j++) {
            const char *name = info->method_names[j];
            CHECK(descriptor_method_by_name(&descriptor, &interface, name, strlen(name),
                                            &method));
            CHECK_EQ(method.ordinal, j);
            CHECK(method.doc[0] != 0);
        }
    }
    struct descriptor_interface none;
    CHECK(!descriptor_interface_by_id(&descriptor, 1, &none));
    CHECK(!descriptor_interface_by_name(&descriptor, "Time", 4, &none));
}

static void fields_have_types_units_and_bounds(void)
{
    struct descriptor descriptor = open_schema();
    struct descriptor_interface timer;
    struct descriptor_method sleep;
    struct descriptor_struct params;
    struct descriptor_field field;
    uint32_t index;
    CHECK(descriptor_interface_by_name(&descriptor, "Timer", 5, &timer));
    CHECK(descriptor_method_by_name(&descriptor, &timer, "sleep", 5, &sleep));
    CHECK(sleep.pending);
    CHECK(descriptor_struct_at(&descriptor, sleep.params, &params));
    CHECK(strcmp(params.name, "Timer.SleepParams") == 0);
    CHECK(descriptor_field_at(&descriptor, &params, 0, &field));
    CHECK(strcmp(field.name, "durationNs") == 0 && strcmp(field.unit, "ns") == 0);
    CHECK_EQ(field.kind, DESCRIPTOR_UINT64);
    CHECK(strncmp(field.doc, "How long.", 9) == 0);
    CHECK(descriptor_struct_by_name(&descriptor, "Console.WriteParams", 19, &index));
    CHECK(descriptor_struct_at(&descriptor, index, &params));
    CHECK(descriptor_field_by_name(&descriptor, &params, "data", 4, &index));
    CHECK(descriptor_field_at(&descriptor, &params, index, &field));
    CHECK_EQ(field.kind, DESCRIPTOR_DATA);
    CHECK_EQ(field.bytes_max, 1024);
}

static void a_blob_that_is_cut_or_of_another_version_is_refused(void)
{
    struct descriptor descriptor;
    uint8_t *copy = malloc(sizeof descriptor_blob);
    for (size_t size = 0; size < sizeof descriptor_blob; size += size < 200 ? 1 : 997)
        CHECK_EQ(descriptor_open(descriptor_blob, size, &descriptor), STATUS_BAD_MESSAGE);
    for (uint32_t i = 0; i < 16; i++) {
        memcpy(copy, descriptor_blob, sizeof descriptor_blob);
        copy[i] ^= 1;
        CHECK_EQ(descriptor_open(copy, sizeof descriptor_blob, &descriptor),
                 STATUS_BAD_MESSAGE);
    }
    free(copy);
}

// Reads everything that a blob has, so that the sanitizers see what it leads to.
static size_t read_all(const struct descriptor *descriptor)
{
    struct descriptor_interface interface;
    struct descriptor_method method;
    struct descriptor_struct of;
    struct descriptor_field field;
    size_t bytes = 0;
    for (uint32_t i = 0; descriptor_interface_at(descriptor, i, &interface); i++) {
        bytes += strlen(interface.name) + strlen(interface.doc);
        for (uint32_t j = 0; descriptor_method_at(descriptor, &interface, j, &method); j++)
            bytes += strlen(method.name) + strlen(method.doc);
    }
    for (uint32_t i = 0; descriptor_struct_at(descriptor, i, &of); i++)
        for (uint32_t j = 0; descriptor_field_at(descriptor, &of, j, &field); j++)
            bytes += strlen(field.name) + strlen(field.unit);
    return bytes;
}

static void a_changed_blob_is_refused_or_safe(void)
{
    uint8_t *copy = malloc(sizeof descriptor_blob);
    uint32_t refused = 0, accepted = 0, seed = 1;
    for (uint32_t round = 0; round < 2000; round++) {
        struct descriptor descriptor;
        memcpy(copy, descriptor_blob, sizeof descriptor_blob);
        for (uint32_t i = 0; i < 3; i++) {
            seed = seed * 1664525 + 1013904223;
            copy[(seed >> 8) % sizeof descriptor_blob] = (uint8_t)(seed >> 3);
        }
        if (descriptor_open(copy, sizeof descriptor_blob, &descriptor) == STATUS_OK)
            accepted++, read_all(&descriptor);
        else
            refused++;
    }
    CHECK(refused > 100 && accepted > 100);
    free(copy);
}

int main(void)
{
    RUN(every_interface_and_method_is_there);
    RUN(fields_have_types_units_and_bounds);
    RUN(a_blob_that_is_cut_or_of_another_version_is_refused);
    RUN(a_changed_blob_is_refused_or_safe);
    return test_report();
}
