// SPDX-License-Identifier: MIT
// `capos disk`: volumes in files of the host, with the code that reads them in a machine.
//
// A program of its own, so that who never uses a disk needn't build its engine.  Tested by
// tests/cli/disk_test.py.
#include "file_medium.h"

#include <errno.h>
#include <fcntl.h>
#include <lib/wire.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <volume/volume.h>

constexpr uint32_t CACHE_BYTES = 16 << 20;
constexpr uint32_t COPY_BYTES = 1 << 20;

static struct file_medium file;
static struct volume *volume;

static const char usage[] =
    "Usage: capos disk make FILE SIZE         a new disk: SIZE in bytes, or with K, M, G\n"
    "       capos disk ls FILE [PATH]         list a directory\n"
    "       capos disk get FILE PATH [TO]     copy a file to the host, or to stdout\n"
    "       capos disk put FILE FROM PATH     copy a file of the host to the disk\n"
    "       capos disk fsck FILE              look for what is wrong\n"
    "\n"
    "A disk is a file of the host that holds a volume of capOS.  Paths are names with '/'\n"
    "between them, from the disk's root.  Directories on the way of `put` are made.\n";

__attribute__((format(printf, 1, 2))) static int fail(const char *format, ...)
{
    va_list arguments;
    fputs("capos disk: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("\n", stderr);
    return 1;
}

static int fail_outcome(const char *what, enum file_outcome outcome)
{
    return fail("%s: %s", what, file_outcome_name(outcome));
}

// ---- The volume --------------------------------------------------------------------

static int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (int64_t)time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

static void random_bytes(void *to, uint32_t bytes)
{
    if (getrandom(to, bytes, 0) != (ssize_t)bytes)
        abort();
}

static int open_disk(const char *path, bool format)
{
    const struct volume_options options = {
        .cache_bytes = CACHE_BYTES, .format = format, .now_ns = now_ns, .random = random_bytes};
    const char *problem = file_medium_open(&file, path, true);
    if (problem != nullptr)
        return fail("%s: %s", path, problem);
    enum file_outcome outcome = volume_open(&file.medium, &options, &volume);
    switch (outcome) {
    case FILE_OUTCOME_OK:
        return 0;
    case FILE_OUTCOME_NOT_FOUND:
        return fail("%s: there is no volume on it yet", path);
    case FILE_OUTCOME_CORRUPTED:
        return fail("%s: this is no volume, or a damaged one", path);
    case FILE_OUTCOME_NO_SPACE:
        return fail("%s: it is smaller than its volume, or than 1 MiB", path);
    default:
        return fail_outcome(path, outcome);
    }
}

static int close_disk(int status)
{
    volume_close(volume);
    file_medium_close(&file);
    return status;
}

// ---- Paths -------------------------------------------------------------------------

static bool name_next(const char **path, struct wire_data *out_name)
{
    *path += strspn(*path, "/");
    size_t bytes = strcspn(*path, "/");
    *out_name = (struct wire_data){(const uint8_t *)*path, (uint32_t)bytes};
    *path += bytes;
    return bytes > 0;
}

static bool name_is_legal(struct wire_data name)
{
    return name.size_bytes <= DIRECTORY_ENTRY_NAME_BYTES_MAX &&
           !(name.size_bytes <= 2 && memcmp(name.data, "..", name.size_bytes) == 0);
}

// Follows a path as far as its last name, and makes the directories on the way if that is
// wanted.  *out_name is empty if the path is the root's.
static enum file_outcome walk(const char *path, bool make, uint64_t *out_directory,
                              struct wire_data *out_name)
{
    static const struct volume_creation creation = {.kind = FILE_KIND_DIRECTORY, .mode = 0755};
    struct volume_node node = {VOLUME_ROOT, FILE_KIND_DIRECTORY};
    struct wire_data next;
    *out_directory = VOLUME_ROOT;
    *out_name = (struct wire_data){};
    while (name_next(&path, &next)) {
        if (!name_is_legal(next))
            return FILE_OUTCOME_NOT_FOUND;
        if (out_name->size_bytes != 0) {
            enum file_outcome outcome = volume_lookup(volume, *out_directory, *out_name, &node);
            if (outcome == FILE_OUTCOME_NOT_FOUND && make)
                outcome = volume_create(volume, *out_directory, *out_name, &creation, &node);
            if (outcome != FILE_OUTCOME_OK)
                return outcome;
            if (node.kind != FILE_KIND_DIRECTORY)
                return FILE_OUTCOME_NOT_DIRECTORY;
            *out_directory = node.number;
        }
        *out_name = next;
    }
    return FILE_OUTCOME_OK;
}

static enum file_outcome find(const char *path, struct volume_node *out_node)
{
    uint64_t directory;
    struct wire_data name;
    enum file_outcome outcome = walk(path, false, &directory, &name);
    *out_node = (struct volume_node){VOLUME_ROOT, FILE_KIND_DIRECTORY};
    if (outcome == FILE_OUTCOME_OK && name.size_bytes != 0)
        outcome = volume_lookup(volume, directory, name, out_node);
    return outcome;
}

// ---- Commands ----------------------------------------------------------------------

static int make_disk(char **arguments)
{
    char *end;
    errno = 0;
    uint64_t bytes = strtoull(arguments[1], &end, 10);
    const char *units = "KMG", *unit = *end != 0 ? strchr(units, *end) : nullptr;
    if (unit != nullptr && end[1] == 0)
        bytes <<= 10 * (unit - units + 1);
    else if (*end != 0 || end == arguments[1] || errno != 0)
        return fail("SIZE is a number of bytes, or one with K, M or G, not %s", arguments[1]);
    if (bytes < VOLUME_BYTES_MIN)
        return fail("SIZE is at least 1M");
    int fd = open(arguments[0], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0)
        return fail("%s: %s", arguments[0], strerror(errno));
    close(fd);
    int status = open_disk(arguments[0], true);
    return status == 0 ? close_disk(0) : status;
}

static int list_entries(uint64_t directory)
{
    static const char marks[] = {
        [FILE_KIND_FILE] = '-', [FILE_KIND_DIRECTORY] = 'd', [FILE_KIND_SYMLINK] = 'l'};
    struct volume_entry entry = {};
    enum file_outcome outcome;
    while ((outcome = volume_next(volume, directory, entry.node, &entry)) == FILE_OUTCOME_OK) {
        struct volume_stat stat;
        outcome = volume_stat(volume, entry.node, &stat);
        if (outcome != FILE_OUTCOME_OK)
            break;
        printf("%c %10llu ", marks[entry.kind], (unsigned long long)stat.size_bytes);
        for (uint32_t i = 0; i < entry.name_bytes; i++)
            // A name of any bytes leaves the terminal alone.
            putchar(entry.name[i] < ' ' || entry.name[i] == 0x7f ? '?' : entry.name[i]);
        putchar('\n');
    }
    return outcome == FILE_OUTCOME_NOT_FOUND ? 0 : fail_outcome("reading", outcome);
}

static int list(char **arguments)
{
    struct volume_node node;
    const char *path = arguments[1] != nullptr ? arguments[1] : "";
    enum file_outcome outcome = find(path, &node);
    if (outcome == FILE_OUTCOME_OK && node.kind != FILE_KIND_DIRECTORY)
        outcome = FILE_OUTCOME_NOT_DIRECTORY;
    return outcome == FILE_OUTCOME_OK ? list_entries(node.number) : fail_outcome(path, outcome);
}

static int copy_out(const char *path, uint64_t node, FILE *to)
{
    static uint8_t buffer[COPY_BYTES];
    uint32_t count;
    for (uint64_t offset = 0;; offset += count) {
        enum file_outcome outcome =
            volume_read(volume, node, offset, buffer, sizeof buffer, &count);
        if (outcome != FILE_OUTCOME_OK)
            return fail_outcome(path, outcome);
        if (count == 0)
            return 0;
        if (fwrite(buffer, 1, count, to) != count)
            return fail("writing: %s", strerror(errno));
    }
}

static int get(char **arguments)
{
    struct volume_node node;
    enum file_outcome outcome = find(arguments[1], &node);
    if (outcome == FILE_OUTCOME_OK && node.kind != FILE_KIND_FILE)
        outcome = FILE_OUTCOME_IS_DIRECTORY;
    if (outcome != FILE_OUTCOME_OK)
        return fail_outcome(arguments[1], outcome);
    FILE *to = arguments[2] != nullptr ? fopen(arguments[2], "we") : stdout;
    if (to == nullptr)
        return fail("%s: %s", arguments[2], strerror(errno));
    int status = copy_out(arguments[1], node.number, to);
    if (fflush(to) != 0 || (to != stdout && fclose(to) != 0))
        return fail("writing: %s", strerror(errno));
    return status;
}

static enum file_outcome copy_in(uint64_t node, FILE *from)
{
    static uint8_t buffer[VOLUME_WRITE_BYTES_MAX];
    uint64_t offset = 0;
    size_t count;
    enum file_outcome outcome = volume_truncate(volume, node, 0);
    while (outcome == FILE_OUTCOME_OK && (count = fread(buffer, 1, sizeof buffer, from)) > 0) {
        outcome = volume_write(volume, node, offset, buffer, (uint32_t)count);
        offset += count;
    }
    return outcome == FILE_OUTCOME_OK && ferror(from) ? FILE_OUTCOME_INPUT_OUTPUT : outcome;
}

// The file of that name, which is made if there is none.
static enum file_outcome file_open(uint64_t directory, struct wire_data name,
                                   struct volume_node *out_node)
{
    static const struct volume_creation creation = {.kind = FILE_KIND_FILE, .mode = 0644};
    if (name.size_bytes == 0)
        return FILE_OUTCOME_IS_DIRECTORY;
    enum file_outcome outcome = volume_lookup(volume, directory, name, out_node);
    if (outcome == FILE_OUTCOME_NOT_FOUND)
        return volume_create(volume, directory, name, &creation, out_node);
    return outcome == FILE_OUTCOME_OK && out_node->kind != FILE_KIND_FILE
               ? FILE_OUTCOME_IS_DIRECTORY
               : outcome;
}

static int put(char **arguments)
{
    struct volume_node node;
    uint64_t directory;
    struct wire_data name;
    FILE *from = fopen(arguments[1], "re");
    if (from == nullptr)
        return fail("%s: %s", arguments[1], strerror(errno));
    enum file_outcome outcome = walk(arguments[2], true, &directory, &name);
    if (outcome == FILE_OUTCOME_OK)
        outcome = file_open(directory, name, &node);
    if (outcome == FILE_OUTCOME_OK)
        outcome = copy_in(node.number, from);
    fclose(from);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_sync(volume);
    return outcome == FILE_OUTCOME_OK ? 0 : fail_outcome(arguments[2], outcome);
}

static void found(void *, const char *what)
{
    printf("%s\n", what);
}

static int fsck(char **arguments)
{
    struct volume_room room;
    enum file_outcome outcome = volume_check(volume, found, nullptr);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_room(volume, &room);
    if (outcome != FILE_OUTCOME_OK)
        return fail_outcome(arguments[0], outcome);
    printf("clean: %llu files and directories, %llu of %llu KiB free\n",
           (unsigned long long)room.node_count, (unsigned long long)room.free_bytes / 1024,
           (unsigned long long)room.total_bytes / 1024);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(char **arguments);
        int least, most; // arguments
    } commands[] = {
        {"ls", list, 1, 2}, {"get", get, 2, 3}, {"put", put, 3, 3}, {"fsck", fsck, 1, 1}};
    const char *name = argc > 1 ? argv[1] : "";
    int count = argc - 2;
    if (strcmp(name, "make") == 0 && count == 2)
        return make_disk(argv + 2);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(name, commands[i].name) != 0 || count < commands[i].least ||
            count > commands[i].most)
            continue;
        int status = open_disk(argv[2], false);
        return status == 0 ? close_disk(commands[i].run(argv + 2)) : status;
    }
    bool help = strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;
    fputs(usage, help ? stdout : stderr);
    return help ? 0 : 2;
}
