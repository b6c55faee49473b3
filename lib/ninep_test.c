// SPDX-License-Identifier: MIT
#include <lib/ninep.h>

#include <test/test.h>

static uint8_t buffer[64 * 1024];

static struct ninep_bytes text_of(const char *text)
{
    return (struct ninep_bytes){(const uint8_t *)text, (uint32_t)strlen(text)};
}

static bool text_is(const struct ninep_bytes *text, const char *expected)
{
    return text->size_bytes == strlen(expected) &&
           memcmp(text->bytes, expected, text->size_bytes) == 0;
}

// The bytes of diod's and QEMU's Tversion, by hand.
static void a_message_has_the_bytes_of_the_protocol(void)
{
    static const uint8_t expected[] = {21, 0, 0,   0,   100, 0xff, 0xff, 0,   0,   16, 0,
                                       8,  0, '9', 'P', '2', '0',  '0',  '0', '.', 'L'};
    struct ninep_message message = {.type = NINEP_TVERSION, .tag = NINEP_NO_TAG};
    message.version.message_bytes_max = 1024 * 1024;
    message.version.version = text_of("9P2000.L");
    CHECK_EQ(ninep_write(&message, false, buffer, sizeof buffer), sizeof expected);
    CHECK(memcmp(buffer, expected, sizeof expected) == 0);
}

static void attributes_are_where_the_protocol_has_them(void)
{
    struct ninep_message message = {.type = NINEP_RGETATTR, .tag = 1}, read;
    message.attributes = (struct ninep_attributes){
        .valid = NINEP_GET_BASIC,
        .qid = {NINEP_QID_DIRECTORY, 7, 0x1122334455667788},
        .mode = NINEP_MODE_DIRECTORY | 0755,
        .size_bytes = UINT64_C(5) << 40,
        .mtime_s = 1700000000,
        .mtime_ns = 999999999,
    };
    uint32_t size = ninep_write(&message, false, buffer, sizeof buffer);
    CHECK_EQ(size, 7 + 8 + 13 + 12 + 8 * 15);
    CHECK_EQ(buffer[15], NINEP_QID_DIRECTORY);
    CHECK_EQ(buffer[7 + 8 + 13 + 12 + 16 + 5], 5);
    CHECK(ninep_read(buffer, size, nullptr, 0, &read));
    CHECK_EQ(read.attributes.mtime_ns, 999999999);
    CHECK_EQ(read.attributes.qid.path, 0x1122334455667788);
}

static void a_walk_carries_its_names(void)
{
    struct ninep_message message = {.type = NINEP_TWALK, .tag = 9}, read;
    message.walk.fid = 1;
    message.walk.new_fid = 2;
    message.walk.name_count = 3;
    message.walk.names[0] = text_of("a");
    message.walk.names[1] = text_of("");
    message.walk.names[2] = text_of("\xff\n name");
    uint32_t size = ninep_write(&message, false, buffer, sizeof buffer);
    CHECK(size != 0 && ninep_read(buffer, size, nullptr, 0, &read));
    CHECK_EQ(read.walk.new_fid, 2);
    CHECK_EQ(read.walk.name_count, 3);
    CHECK(text_is(&read.walk.names[0], "a") && text_is(&read.walk.names[1], ""));
    CHECK(text_is(&read.walk.names[2], "\xff\n name"));
    message.walk.name_count = NINEP_WALK_MAX + 1;
    CHECK_EQ(ninep_write(&message, false, buffer, sizeof buffer), 0);
}

static void data_may_be_apart_from_their_message(void)
{
    uint8_t data[4096];
    struct ninep_message message = {.type = NINEP_RREAD, .tag = 3}, read;
    message.data = (struct ninep_bytes){data, 1000};
    uint32_t size = ninep_write(&message, true, buffer, sizeof buffer);
    CHECK_EQ(size, NINEP_READ_HEAD_BYTES);
    CHECK(ninep_read(buffer, size, data, sizeof data, &read));
    CHECK(read.data.bytes == data && read.data.size_bytes == 1000);
    CHECK(!ninep_read(buffer, size, data, 999, &read));
    CHECK(!ninep_read(buffer, size, nullptr, 0, &read));
    message.type = NINEP_TWRITE;
    message.write.data = (struct ninep_bytes){data, sizeof data};
    CHECK_EQ(ninep_write(&message, true, buffer, sizeof buffer), NINEP_WRITE_HEAD_BYTES);
    // An error instead of the data is as long as the head of the data.
    message = (struct ninep_message){.type = NINEP_RLERROR, .tag = 3, .error = 5};
    CHECK_EQ(ninep_write(&message, true, buffer, sizeof buffer), NINEP_READ_HEAD_BYTES);
    CHECK(ninep_read(buffer, NINEP_READ_HEAD_BYTES, data, sizeof data, &read));
    CHECK(read.type == NINEP_RLERROR && read.error == 5);
}

static void what_does_not_fit_is_not_written(void)
{
    static char long_name[UINT16_MAX + 2];
    struct ninep_message message = {.type = NINEP_TMKDIR};
    message.make_directory.name = text_of("name");
    for (uint32_t capacity = 0; capacity < 25; capacity++)
        CHECK_EQ(ninep_write(&message, false, buffer, capacity), 0);
    CHECK_EQ(ninep_write(&message, false, buffer, 25), 25);
    memset(long_name, 'n', sizeof long_name - 1);
    message.make_directory.name = text_of(long_name);
    CHECK_EQ(ninep_write(&message, false, buffer, sizeof buffer), 0);
}

// Every message, cut anywhere and with a byte too many: nothing of it is accepted.
static void only_whole_messages_are_read(void)
{
    struct ninep_message read;
    unsigned known = 0;
    for (unsigned type = 0; type < 256; type++) {
        struct ninep_message message = {.type = (enum ninep_type)type, .tag = 5};
        uint32_t size = ninep_write(&message, false, buffer, sizeof buffer - 1);
        if (size == 0)
            continue;
        known++;
        CHECK(ninep_read(buffer, size, nullptr, 0, &read));
        CHECK_EQ(read.type, type);
        CHECK_EQ(read.tag, 5);
        for (uint32_t cut = 0; cut < size; cut++) {
            CHECK(!ninep_read(buffer, cut, nullptr, 0, &read));
            uint32_t said = cut; // the cut one says that it is whole
            memcpy(buffer, &said, sizeof said);
            CHECK(!ninep_read(buffer, cut, nullptr, 0, &read));
        }
        uint32_t more = size + 1;
        memcpy(buffer, &more, sizeof more);
        CHECK(!ninep_read(buffer, more, nullptr, 0, &read));
    }
    CHECK_EQ(known, 39);
}

static void counts_beyond_the_message_are_broken(void)
{
    struct ninep_message message = {.type = NINEP_RWALK}, read;
    message.walked.qid_count = 2;
    uint32_t size = ninep_write(&message, false, buffer, sizeof buffer);
    buffer[7] = 3;
    CHECK(!ninep_read(buffer, size, nullptr, 0, &read));
    buffer[7] = 17;
    CHECK(!ninep_read(buffer, size, nullptr, 0, &read));
    message = (struct ninep_message){.type = NINEP_RREADLINK, .target = text_of("../..")};
    size = ninep_write(&message, false, buffer, sizeof buffer);
    buffer[7] = 6;
    CHECK(!ninep_read(buffer, size, nullptr, 0, &read));
    message = (struct ninep_message){.type = NINEP_RREAD, .data = text_of("data")};
    size = ninep_write(&message, false, buffer, sizeof buffer);
    memset(buffer + 7, 0xff, 4);
    CHECK(!ninep_read(buffer, size, nullptr, 0, &read));
}

static void entries_come_one_after_the_other(void)
{
    struct ninep_entry entry = {.next_offset = 1, .kind = 4, .name = text_of("..")}, read;
    bool broken;
    uint32_t first = ninep_entry_write(&entry, buffer, sizeof buffer);
    CHECK_EQ(first, NINEP_ENTRY_HEAD_BYTES + 2);
    entry = (struct ninep_entry){.qid = {NINEP_QID_SYMLINK, 1, 2},
                                 .next_offset = UINT64_MAX,
                                 .name = text_of("a\xff"
                                                 "b")};
    uint32_t all = first + ninep_entry_write(&entry, buffer + first, sizeof buffer - first);
    struct ninep_bytes data = {buffer, all};
    CHECK(ninep_entry_next(&data, &read, &broken) && text_is(&read.name, ".."));
    CHECK(ninep_entry_next(&data, &read, &broken) && text_is(&read.name, "a\xff"
                                                                         "b"));
    CHECK(read.qid.kind == NINEP_QID_SYMLINK && read.next_offset == UINT64_MAX);
    CHECK(!ninep_entry_next(&data, &read, &broken) && !broken);
    for (uint32_t cut = 1; cut < first; cut++) {
        data = (struct ninep_bytes){buffer, cut};
        CHECK(!ninep_entry_next(&data, &read, &broken) && broken);
    }
}

int main(void)
{
    RUN(a_message_has_the_bytes_of_the_protocol);
    RUN(attributes_are_where_the_protocol_has_them);
    RUN(a_walk_carries_its_names);
    RUN(data_may_be_apart_from_their_message);
    RUN(what_does_not_fit_is_not_written);
    RUN(only_whole_messages_are_read);
    RUN(counts_beyond_the_message_are_broken);
    RUN(entries_come_one_after_the_other);
    return test_report();
}
