// SPDX-License-Identifier: MIT
// A client of directories for the tests of `capos run --dir`: carries out the lines of its
// standard input and answers each with a line.
//
//     stat D PATH        lstat D PATH         ls D              info D
//     opendir D PATH D2  opendirro D PATH D2  narrow D D2       mkdir D PATH
//     open D PATH F [c][x][t][n]              openro D PATH F   narrowfile F F2
//     read F OFFSET COUNT    write F OFFSET TEXT    append F TEXT    truncate F SIZE
//     sync F    fstat F      sum F    pull F        fill F SIZE      chmod F MODE
//     rm D PATH [file|dir]   mv D PATH D2 PATH2 [refuse|exchange]
//     ln D TARGET PATH       readlink D PATH        close D|F        many F COUNT
//
// D and F are numbers of its handles; handle 0 is the grant that its argument names.  In paths
// and texts %XX is a byte, and - alone is the empty one.  An answer begins with the outcome; a
// call that failed is answered by !STATUS.
#include <capos/capset.h>

#include <gen/capos/directory.h>
#include <gen/capos/file.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/timer.h>
#include <gen/capos/virtual_memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

constexpr uint32_t HANDLES = 64;
constexpr uint32_t WORDS_MAX = 8;
constexpr uint32_t BUFFER_BYTES = 4 * 1024 * 1024;

struct handle {
    capos_cap_id id;
    bool narrow; // ReadOnlyDirectory or ReadOnlyFile
};

struct word {
    uint8_t bytes[4096];
    size_t size_bytes;
};

static struct handle handles[HANDLES];
static struct word words[WORDS_MAX];
static uint32_t word_count;

// ---- Words -------------------------------------------------------------------------

static unsigned hex_digit(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;
}

static void word_read(const char *text, struct word *out_word)
{
    out_word->size_bytes = 0;
    if (strcmp(text, "-") == 0)
        return;
    for (; *text != 0 && out_word->size_bytes < sizeof out_word->bytes; text++) {
        unsigned byte = (unsigned char)*text;
        if (byte == '%') {
            byte = hex_digit(text[1]) << 4 | hex_digit(text[2]);
            text += 2;
        }
        out_word->bytes[out_word->size_bytes++] = (uint8_t)byte;
    }
}

static void bytes_print(const void *bytes, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        uint8_t byte = ((const uint8_t *)bytes)[i];
        if (byte > ' ' && byte < 0x7f && byte != '%')
            printf("%c", byte);
        else
            printf("%%%02x", byte);
    }
}

static bool word_is(uint32_t index, const char *expected)
{
    return index < word_count && words[index].size_bytes == strlen(expected) &&
           memcmp(words[index].bytes, expected, words[index].size_bytes) == 0;
}

static uint64_t number(uint32_t index)
{
    char text[32] = "";
    if (index < word_count && words[index].size_bytes < sizeof text)
        memcpy(text, words[index].bytes, words[index].size_bytes);
    return strtoull(text, nullptr, 0);
}

static struct handle *handle(uint32_t index)
{
    return &handles[number(index) % HANDLES];
}

static directory_cap directory(uint32_t index)
{
    return (directory_cap){handle(index)->id};
}

static file_cap file(uint32_t index)
{
    return (file_cap){handle(index)->id};
}

static const uint8_t *bytes(uint32_t index)
{
    return words[index].bytes;
}

static size_t size(uint32_t index)
{
    return words[index].size_bytes;
}

static void set(uint32_t index, capos_cap_id id, bool narrow)
{
    capos_release(handle(index)->id);
    *handle(index) = (struct handle){id, narrow};
}

// ---- Answers -----------------------------------------------------------------------

// Begins the answer; false: it has ended.
static bool answer(enum status status, enum file_outcome outcome)
{
    if (status != STATUS_OK)
        printf("!%s\n", status_name(status));
    else if (outcome != FILE_OUTCOME_OK)
        printf("%s\n", file_outcome_name(outcome));
    return status == STATUS_OK && outcome == FILE_OUTCOME_OK;
}

static void answer_simple(enum status status, enum file_outcome outcome)
{
    if (answer(status, outcome))
        printf("ok\n");
}

// ---- Directories -------------------------------------------------------------------

static void do_stat(bool no_follow)
{
    enum file_outcome outcome;
    enum file_kind kind;
    uint16_t mode;
    uint32_t links;
    uint64_t bytes_count;
    enum status status =
        handle(1)->narrow
            ? read_only_directory_stat((read_only_directory_cap){handle(1)->id}, bytes(2),
                                       size(2), no_follow, &outcome, &kind, &mode, &links,
                                       nullptr, &bytes_count, nullptr, nullptr, nullptr,
                                       nullptr, nullptr, nullptr)
            : directory_stat(directory(1), bytes(2), size(2), no_follow, &outcome, &kind, &mode,
                             &links, nullptr, &bytes_count, nullptr, nullptr, nullptr, nullptr,
                             nullptr, nullptr);
    if (answer(status, outcome))
        printf("ok %s mode=%o links=%u size=%llu\n", file_kind_name(kind), mode, links,
               (unsigned long long)bytes_count);
}

static enum status list(uint64_t cookie, void *buffer, size_t buffer_bytes,
                        struct directory_list_results *out_results)
{
    constexpr uint16_t PAGE_ENTRIES = 128;
    struct read_only_directory_list_results narrow;
    if (!handle(1)->narrow)
        return directory_list(directory(1), cookie, PAGE_ENTRIES, buffer, buffer_bytes,
                              out_results);
    enum status status =
        read_only_directory_list((read_only_directory_cap){handle(1)->id}, cookie, PAGE_ENTRIES,
                                 buffer, buffer_bytes, &narrow);
    if (status == STATUS_OK)
        *out_results = (struct directory_list_results){
            .outcome = narrow.outcome, .end = narrow.end, .entries = narrow.entries};
    return status;
}

static void do_ls(void)
{
    alignas(8) static uint8_t buffer[65536];
    struct directory_list_results results = {};
    uint64_t cookie = 0, total = 0;
    while (!results.end) {
        if (!answer(list(cookie, buffer, sizeof buffer, &results), results.outcome))
            return;
        for (uint32_t i = 0; i < results.entries.count; i++) {
            struct directory_entry entry;
            if (directory_entry_at(&results.entries, i, &entry) != STATUS_OK)
                continue;
            printf("entry ");
            bytes_print(entry.name.data, entry.name.size_bytes);
            printf(" %s\n", file_kind_name(entry.kind));
            cookie = entry.cookie;
            total++;
        }
    }
    printf("ok %llu\n", (unsigned long long)total);
}

static void do_info(void)
{
    bool writable, persistent, symlinks;
    uint64_t total_bytes;
    enum status status =
        directory_info(directory(1), &writable, &persistent, &symlinks, nullptr, nullptr,
                       nullptr, &total_bytes, nullptr, nullptr, nullptr, nullptr);
    if (answer(status, FILE_OUTCOME_OK))
        printf("ok writable=%d persistent=%d symlinks=%d total=%d\n", writable, persistent,
               symlinks, total_bytes > 0);
}

static void do_opendir(bool narrow)
{
    enum file_outcome outcome;
    read_only_directory_cap narrow_cap = {};
    directory_cap cap = {};
    enum status status;
    if (!narrow)
        status = directory_open_directory(directory(1), bytes(2), size(2), false, false, 0,
                                          &outcome, nullptr, nullptr, &cap);
    else if (handle(1)->narrow)
        status = read_only_directory_open_read_only_directory(
            (read_only_directory_cap){handle(1)->id}, bytes(2), size(2), false, &outcome,
            nullptr, &narrow_cap);
    else
        status = directory_open_read_only_directory(directory(1), bytes(2), size(2), false,
                                                    &outcome, nullptr, &narrow_cap);
    if (!answer(status, outcome))
        return;
    set(3, narrow ? narrow_cap.id : cap.id, narrow);
    printf("ok\n");
}

static void do_narrow(void)
{
    read_only_directory_cap cap;
    enum status status = directory_read_only(directory(1), &cap);
    if (answer(status, FILE_OUTCOME_OK)) {
        set(2, cap.id, true);
        printf("ok\n");
    }
}

static void do_mkdir(void)
{
    enum file_outcome outcome;
    enum status status =
        directory_create_directory(directory(1), bytes(2), size(2), 0755, &outcome);
    answer_simple(status, outcome);
}

static void do_rm(void)
{
    enum file_outcome outcome;
    enum directory_removal what = word_is(3, "file")  ? DIRECTORY_REMOVAL_NOT_DIRECTORY
                                  : word_is(3, "dir") ? DIRECTORY_REMOVAL_DIRECTORY
                                                      : DIRECTORY_REMOVAL_ANY;
    enum status status = directory_remove(directory(1), bytes(2), size(2), what, &outcome);
    answer_simple(status, outcome);
}

static void do_mv(void)
{
    enum file_outcome outcome;
    enum directory_replacement replacement = word_is(5, "refuse") ? DIRECTORY_REPLACEMENT_REFUSE
                                             : word_is(5, "exchange")
                                                 ? DIRECTORY_REPLACEMENT_EXCHANGE
                                                 : DIRECTORY_REPLACEMENT_REPLACE;
    directory_cap to = directory(3);
    if (number(1) == number(3))
        to = (directory_cap){0};
    enum status status = directory_rename(directory(1), bytes(2), size(2), bytes(4), size(4),
                                          replacement, to, &outcome);
    answer_simple(status, outcome);
}

static void do_ln(void)
{
    enum file_outcome outcome;
    enum status status =
        directory_create_symlink(directory(1), bytes(3), size(3), bytes(2), size(2), &outcome);
    answer_simple(status, outcome);
}

static void do_readlink(void)
{
    enum file_outcome outcome;
    uint8_t target[1024];
    size_t target_bytes;
    enum status status = directory_read_symlink(directory(1), bytes(2), size(2), &outcome,
                                                target, sizeof target, &target_bytes);
    if (!answer(status, outcome))
        return;
    printf("ok ");
    bytes_print(target, target_bytes);
    printf("\n");
}

// ---- Files -------------------------------------------------------------------------

static bool has_flag(uint32_t index, char flag)
{
    return index < word_count && memchr(bytes(index), flag, size(index)) != nullptr;
}

static void do_open(void)
{
    enum file_outcome outcome;
    uint64_t size_bytes;
    bool created;
    file_cap cap;
    enum status status = directory_open(directory(1), bytes(2), size(2), has_flag(4, 'c'),
                                        has_flag(4, 'x'), has_flag(4, 't'), has_flag(4, 'n'),
                                        0644, &outcome, &created, nullptr, &size_bytes, &cap);
    if (!answer(status, outcome))
        return;
    set(3, cap.id, false);
    printf("ok created=%d size=%llu\n", created, (unsigned long long)size_bytes);
}

static void do_open_read_only(void)
{
    enum file_outcome outcome;
    uint64_t size_bytes;
    read_only_file_cap cap;
    enum status status = handle(1)->narrow
                             ? read_only_directory_open_read_only(
                                   (read_only_directory_cap){handle(1)->id}, bytes(2), size(2),
                                   false, &outcome, nullptr, &size_bytes, &cap)
                             : directory_open_read_only(directory(1), bytes(2), size(2), false,
                                                        &outcome, nullptr, &size_bytes, &cap);
    if (!answer(status, outcome))
        return;
    set(3, cap.id, true);
    printf("ok size=%llu\n", (unsigned long long)size_bytes);
}

static void do_narrow_file(void)
{
    read_only_file_cap cap;
    enum status status = file_read_only(file(1), &cap);
    if (answer(status, FILE_OUTCOME_OK)) {
        set(2, cap.id, true);
        printf("ok\n");
    }
}

static void do_read(void)
{
    enum file_outcome outcome;
    uint8_t data[4096];
    size_t data_bytes;
    uint32_t count = (uint32_t)number(3);
    enum status status =
        handle(1)->narrow
            ? read_only_file_read((read_only_file_cap){handle(1)->id}, number(2), count,
                                  &outcome, data, sizeof data, &data_bytes)
            : file_read(file(1), number(2), count, &outcome, data, sizeof data, &data_bytes);
    if (!answer(status, outcome))
        return;
    printf("ok ");
    bytes_print(data, data_bytes);
    printf("\n");
}

static void do_write(void)
{
    enum file_outcome outcome;
    uint32_t written;
    enum status status = file_write(file(1), number(2), bytes(3), size(3), &outcome, &written);
    if (answer(status, outcome))
        printf("ok %u\n", written);
}

static void do_append(void)
{
    enum file_outcome outcome;
    uint32_t written;
    uint64_t offset;
    enum status status = file_append(file(1), bytes(2), size(2), &outcome, &written, &offset);
    if (answer(status, outcome))
        printf("ok %u at %llu\n", written, (unsigned long long)offset);
}

static void do_truncate(void)
{
    enum file_outcome outcome;
    enum status status = file_truncate(file(1), number(2), &outcome);
    answer_simple(status, outcome);
}

static void do_sync(void)
{
    enum file_outcome outcome;
    enum status status = file_sync(file(1), false, &outcome);
    answer_simple(status, outcome);
}

static void do_chmod(void)
{
    enum file_outcome outcome;
    enum status status =
        file_set_attributes(file(1), true, false, false, (uint16_t)number(2), 0, 0, &outcome);
    answer_simple(status, outcome);
}

static void do_fstat(void)
{
    enum file_outcome outcome;
    enum file_kind kind;
    uint32_t links;
    uint64_t size_bytes;
    enum status status =
        handle(1)->narrow
            ? read_only_file_stat((read_only_file_cap){handle(1)->id}, &outcome, &kind, nullptr,
                                  &links, nullptr, &size_bytes, nullptr, nullptr, nullptr,
                                  nullptr, nullptr, nullptr)
            : file_stat(file(1), &outcome, &kind, nullptr, &links, nullptr, &size_bytes,
                        nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
    if (answer(status, outcome))
        printf("ok %s links=%u size=%llu\n", file_kind_name(kind), links,
               (unsigned long long)size_bytes);
}

// ---- Buffers -----------------------------------------------------------------------

static uint8_t *buffer_bytes;

// Shares memory with the service of a file, which the caller releases.
static enum status buffer_create(const struct handle *of, file_buffer_cap *out_buffer)
{
    static memory_object_cap object;
    memory_budget_cap budget;
    virtual_memory_cap memory;
    uint64_t address;
    enum status status = STATUS_OK;
    if (buffer_bytes == nullptr) {
        status = memory_budget_cap_find("budget", &budget);
        if (status == STATUS_OK)
            status = virtual_memory_cap_find("memory", &memory);
        if (status == STATUS_OK)
            status = memory_budget_create_memory_object(budget, BUFFER_BYTES, &object);
        if (status == STATUS_OK)
            status = virtual_memory_map(memory, object, 0, BUFFER_BYTES, 0,
                                        PROTECTION_READ_WRITE, &address);
        if (status != STATUS_OK)
            return status;
        buffer_bytes = (uint8_t *)address;
    }
    return of->narrow
               ? read_only_file_create_buffer((read_only_file_cap){of->id}, object, out_buffer)
               : file_create_buffer((file_cap){of->id}, object, out_buffer);
}

static uint64_t now_us(void)
{
    timer_cap timer;
    uint64_t time_ns;
    bool known =
        timer_cap_find("timer", &timer) == STATUS_OK && timer_now(timer, &time_ns) == STATUS_OK;
    return known ? time_ns / 1000 : 0;
}

// Reads the whole file; `look` also at every byte.
static void read_whole(bool look)
{
    file_buffer_cap buffer = {};
    enum file_outcome outcome = FILE_OUTCOME_OK;
    uint64_t offset = 0, sum = 0, start_us = now_us();
    uint32_t count = 1;
    enum status status = buffer_create(handle(1), &buffer);
    while (status == STATUS_OK && outcome == FILE_OUTCOME_OK && count > 0) {
        status =
            file_buffer_read(buffer, handle(1)->id, offset, BUFFER_BYTES, 0, &outcome, &count);
        if (status != STATUS_OK || outcome != FILE_OUTCOME_OK)
            break;
        for (uint32_t i = 0; look && i < count; i++)
            sum = sum * 31 + buffer_bytes[i];
        offset += count;
    }
    if (!answer(status, outcome))
        ;
    else if (look)
        printf("ok %llu %016llx\n", (unsigned long long)offset, (unsigned long long)sum);
    else
        printf("ok %llu in %llu us\n", (unsigned long long)offset,
               (unsigned long long)(now_us() - start_us));
    file_buffer_cap_release(&buffer);
}

static void do_sum(void)
{
    read_whole(true);
}

static void do_pull(void)
{
    read_whole(false);
}

// Byte i of the file is the low byte of i / 7.
static void do_fill(void)
{
    file_buffer_cap buffer = {};
    enum file_outcome outcome = FILE_OUTCOME_OK;
    uint64_t offset = 0, total = number(2);
    enum status status = buffer_create(handle(1), &buffer);
    while (status == STATUS_OK && outcome == FILE_OUTCOME_OK && offset < total) {
        uint64_t rest = total - offset;
        uint32_t count = rest < BUFFER_BYTES ? (uint32_t)rest : BUFFER_BYTES;
        for (uint32_t i = 0; i < count; i++)
            buffer_bytes[i] = (uint8_t)((offset + i) / 7);
        status = file_buffer_write(buffer, file(1), offset, count, 0, &outcome, &count);
        offset += count;
    }
    answer_simple(status, outcome);
    file_buffer_cap_release(&buffer);
}

// ---- Lines -------------------------------------------------------------------------

static void do_close(void)
{
    set(1, 0, false);
    printf("ok\n");
}

// Reads so many bytes of a file, each by a call of its own, sixteen of them under way at once.
static void do_many(void)
{
    constexpr uint32_t AT_ONCE = 16;
    static struct capos_call calls[AT_ONCE];
    uint64_t count = number(2), sum = 0;
    for (uint64_t next = 0; next < count; next += AT_ONCE) {
        uint32_t begun = 0;
        while (begun < AT_ONCE && next + begun < count &&
               file_read_begin(&calls[begun], file(1), next + begun, 1) == STATUS_OK)
            begun++;
        for (uint32_t i = 0; i < begun; i++) {
            enum file_outcome outcome;
            uint8_t byte = 0;
            size_t read_bytes = 0;
            enum status status = file_read_finish(&calls[i], &outcome, &byte, 1, &read_bytes);
            if (status == STATUS_OK && outcome == FILE_OUTCOME_OK && read_bytes == 1)
                sum += byte;
        }
    }
    printf("ok %llu\n", (unsigned long long)sum);
}

static void do_stat_followed(void)
{
    do_stat(false);
}

static void do_stat_itself(void)
{
    do_stat(true);
}

static void do_opendir_wide(void)
{
    do_opendir(false);
}

static void do_opendir_narrow(void)
{
    do_opendir(true);
}

static const struct {
    const char *name;
    void (*run)(void);
    uint32_t words;
} commands[] = {
    {"stat", do_stat_followed, 3},
    {"lstat", do_stat_itself, 3},
    {"ls", do_ls, 2},
    {"info", do_info, 2},
    {"opendir", do_opendir_wide, 4},
    {"opendirro", do_opendir_narrow, 4},
    {"narrow", do_narrow, 3},
    {"mkdir", do_mkdir, 3},
    {"open", do_open, 4},
    {"openro", do_open_read_only, 4},
    {"narrowfile", do_narrow_file, 3},
    {"read", do_read, 4},
    {"write", do_write, 4},
    {"append", do_append, 3},
    {"truncate", do_truncate, 3},
    {"sync", do_sync, 2},
    {"fstat", do_fstat, 2},
    {"sum", do_sum, 2},
    {"pull", do_pull, 2},
    {"fill", do_fill, 3},
    {"chmod", do_chmod, 3},
    {"rm", do_rm, 3},
    {"mv", do_mv, 5},
    {"ln", do_ln, 4},
    {"readlink", do_readlink, 3},
    {"close", do_close, 2},
    {"many", do_many, 3},
};

static void line_run(char *line)
{
    char *rest;
    word_count = 0;
    for (char *word = strtok_r(line, " \n", &rest); word != nullptr && word_count < WORDS_MAX;
         word = strtok_r(nullptr, " \n", &rest))
        word_read(word, &words[word_count++]);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (word_is(0, commands[i].name) && word_count >= commands[i].words) {
            commands[i].run();
            fflush(stdout);
            return;
        }
    printf("?\n");
}

// Takes a Directory or a ReadOnlyDirectory.
static bool grant_take(const char *name)
{
    if (capos_find(name, INTERFACE_DIRECTORY, &handles[0].id) == STATUS_OK)
        return true;
    handles[0].narrow = true;
    return capos_find(name, INTERFACE_READ_ONLY_DIRECTORY, &handles[0].id) == STATUS_OK;
}

int main(int argc, char **argv)
{
    static char line[16384];
    if (argc != 2 || !grant_take(argv[1])) {
        fprintf(stderr, "dir_client: needs the name of a directory that it was granted\n");
        return 2;
    }
    while (fgets(line, sizeof line, stdin) != nullptr)
        line_run(line);
    return 0;
}
