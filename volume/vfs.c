// SPDX-License-Identifier: MIT
// SQLite's files on a medium; see vfs.h.
//
// Source: SQLite, "The OS Backend (VFS)", sqlite3.h (struct sqlite3_vfs), and the formats of
// its database and log files.  The checksum is that of its cksumvfs, seeded with the number.
#include "vfs.h"

#include <sqlite3.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

constexpr uint32_t LABEL_VERSION = 1;
constexpr uint32_t BUFFER_PAGES = 16; // gathered into one write
constexpr uint32_t LOG_PAGES_MIN = 64;
constexpr uint32_t LOG_PAGES_MAX = 8192;
constexpr uint64_t DATABASE_PAGES_MIN = 128;
// Of the database's first page: its size in pages, big-endian.
constexpr uint32_t HEADER_PAGES_OFFSET = 28;

struct label {
    char magic[8];
    uint32_t version;
    uint32_t reserved;
    uint64_t page_count; // of the whole
    uint64_t log_page, log_pages;
    uint64_t database_page, database_pages;
    uint64_t checksum; // of what is before
};
static const char label_magic[8] = {'c', 'a', 'p', 'O', 'S', 'v', 'o', 'l'};

// One file.  The buffer has bytes from `buffer_start`, a multiple of the page size, to
// `buffer_end`, of which those before `buffer_clean` are on the medium too.
struct area {
    uint64_t first_page;
    uint64_t capacity_bytes;
    uint64_t size_bytes; // what is behind it means nothing
    uint64_t buffer_start, buffer_end;
    bool dirty;
    bool checked; // its pages have checksums
    alignas(8) uint8_t buffer[BUFFER_PAGES * MEDIUM_PAGE];
};

struct area_file {
    sqlite3_file base;
    struct area *area;
};

static struct {
    struct medium *medium;
    void (*random)(void *to, uint32_t bytes);
    struct area database, log;
    bool corrupted;
    struct {
        bool active, lost;
        uint64_t page_count;    // that the database had
        uint64_t reserve_pages; // at the end of its area
        uint32_t kept_count;
        uint32_t *kept; // for each page, from 1, which of the reserve has it; 0: none
    } snapshot;
    alignas(8) uint8_t page[MEDIUM_PAGE]; // for pieces of pages
} vfs;

static const char log_name[] = "volume-wal";

// ---- Checksums ---------------------------------------------------------------------

static uint64_t checksum_of(const uint8_t *bytes, uint32_t count, uint64_t seed)
{
    uint32_t first = (uint32_t)seed ^ 0x9e3779b9, second = (uint32_t)(seed >> 32) + 1;
    for (uint32_t i = 0; i < count; i += 8) {
        uint32_t words[2];
        memcpy(words, bytes + i, sizeof words);
        first += words[0] + second;
        second += words[1] + first;
    }
    return (uint64_t)second << 32 | first;
}

static void page_seal(uint8_t *page, uint64_t number)
{
    uint64_t checksum = checksum_of(page, MEDIUM_PAGE - VFS_RESERVED_BYTES, number);
    memcpy(page + MEDIUM_PAGE - VFS_RESERVED_BYTES, &checksum, sizeof checksum);
}

static bool page_is_sealed(const uint8_t *page, uint64_t number)
{
    uint64_t checksum;
    memcpy(&checksum, page + MEDIUM_PAGE - VFS_RESERVED_BYTES, sizeof checksum);
    return checksum == checksum_of(page, MEDIUM_PAGE - VFS_RESERVED_BYTES, number);
}
static_assert(VFS_RESERVED_BYTES == sizeof(uint64_t));

// ---- Areas -------------------------------------------------------------------------

static uint64_t page_floor(uint64_t offset)
{
    return offset & ~(uint64_t)(MEDIUM_PAGE - 1);
}

static bool area_read_pages(const struct area *area, uint64_t offset, uint32_t count, void *to)
{
    return vfs.medium->read(vfs.medium, area->first_page + offset / MEDIUM_PAGE, count, to);
}

// ---- The snapshot ------------------------------------------------------------------

static uint64_t reserve_offset(uint32_t kept)
{
    return vfs.database.capacity_bytes - (uint64_t)kept * MEDIUM_PAGE;
}

// Copies a page away before it is written.  A snapshot that can't be kept is lost; the writer
// isn't held up.
static void snapshot_keep(uint64_t page)
{
    static alignas(8) uint8_t old[MEDIUM_PAGE];
    if (!vfs.snapshot.active || vfs.snapshot.lost || page >= vfs.snapshot.page_count ||
        vfs.snapshot.kept[page] != 0)
        return;
    uint32_t kept = vfs.snapshot.kept_count + 1;
    vfs.snapshot.lost =
        kept > vfs.snapshot.reserve_pages ||
        !area_read_pages(&vfs.database, page * MEDIUM_PAGE, 1, old) ||
        !vfs.medium->write(
            vfs.medium, vfs.database.first_page + reserve_offset(kept) / MEDIUM_PAGE, 1, old);
    if (vfs.snapshot.lost)
        return;
    vfs.snapshot.kept[page] = kept;
    vfs.snapshot.kept_count = kept;
}

enum file_outcome vfs_snapshot_read(uint64_t page, void *to)
{
    uint64_t first = vfs.database.first_page;
    if (vfs.snapshot.lost)
        return FILE_OUTCOME_NO_SPACE;
    if (page != 0 && (page < first || page - first >= vfs.snapshot.page_count)) {
        memset(to, 0, MEDIUM_PAGE);
        return FILE_OUTCOME_OK;
    }
    uint32_t kept = page == 0 ? 0 : vfs.snapshot.kept[page - first];
    if (kept != 0)
        page = first + reserve_offset(kept) / MEDIUM_PAGE;
    return vfs.medium->read(vfs.medium, page, 1, to) ? FILE_OUTCOME_OK
                                                     : FILE_OUTCOME_INPUT_OUTPUT;
}

void vfs_snapshot_end(void)
{
    free(vfs.snapshot.kept);
    memset(&vfs.snapshot, 0, sizeof vfs.snapshot);
}

// ---- Writing and reading areas -------------------------------------------------------

// Writes the buffer out.  The last page may be in it in part: what is behind that is taken from
// the medium, unless it lies behind the file's end.
static bool area_drain(struct area *area)
{
    uint32_t bytes = (uint32_t)(area->buffer_end - area->buffer_start);
    uint32_t tail = bytes % MEDIUM_PAGE;
    uint32_t pages = (bytes + MEDIUM_PAGE - 1) / MEDIUM_PAGE;
    if (!area->dirty)
        return true;
    if (tail != 0 && area->buffer_end < area->size_bytes) {
        if (!area_read_pages(area, page_floor(area->buffer_end), 1, vfs.page))
            return false;
        memcpy(area->buffer + bytes, vfs.page + tail, MEDIUM_PAGE - tail);
    } else if (tail != 0) {
        memset(area->buffer + bytes, 0, MEDIUM_PAGE - tail);
    }
    if (area == &vfs.database)
        for (uint32_t i = 0; i < pages; i++)
            snapshot_keep(area->buffer_start / MEDIUM_PAGE + i);
    if (!vfs.medium->write(vfs.medium, area->first_page + area->buffer_start / MEDIUM_PAGE,
                           pages, area->buffer))
        return false;
    area->dirty = false;
    // A page that was begun stays, to be gone on with.
    uint64_t start = page_floor(area->buffer_end);
    if (start != area->buffer_start && tail != 0)
        memmove(area->buffer, area->buffer + (start - area->buffer_start), tail);
    area->buffer_start = start;
    return true;
}

enum file_outcome vfs_snapshot_begin(uint64_t reserve_pages)
{
    if (!area_drain(&vfs.database))
        return FILE_OUTCOME_INPUT_OUTPUT;
    vfs.snapshot.page_count = vfs.database.size_bytes / MEDIUM_PAGE;
    vfs.snapshot.reserve_pages = reserve_pages;
    vfs.snapshot.kept = calloc(vfs.snapshot.page_count, sizeof *vfs.snapshot.kept);
    vfs.snapshot.active = vfs.snapshot.kept != nullptr;
    return vfs.snapshot.active ? FILE_OUTCOME_OK : FILE_OUTCOME_NO_SPACE;
}

// Makes the buffer end at an offset, so that what is written there can be added.
static bool area_seek(struct area *area, uint64_t offset)
{
    if (area->buffer_end == offset)
        return true;
    if (!area_drain(area))
        return false;
    uint64_t start = page_floor(offset);
    if (start != offset && !area_read_pages(area, start, 1, area->buffer))
        return false;
    area->buffer_start = start;
    area->buffer_end = offset;
    return true;
}

static int area_write(struct area *area, const uint8_t *from, uint32_t bytes, uint64_t offset)
{
    if (offset > area->capacity_bytes || bytes > area->capacity_bytes - offset)
        return SQLITE_FULL;
    // A new log begins: what is behind its head belongs to an old one.
    if (!area->checked && offset == 0)
        area->size_bytes = bytes;
    while (bytes > 0) {
        uint64_t room = area->buffer_start + sizeof area->buffer;
        if (!area_seek(area, offset))
            return SQLITE_IOERR_WRITE;
        room = area->buffer_start + sizeof area->buffer - offset;
        if (room == 0) {
            if (!area_drain(area))
                return SQLITE_IOERR_WRITE;
            continue;
        }
        uint32_t count = bytes < room ? bytes : (uint32_t)room;
        memcpy(area->buffer + (offset - area->buffer_start), from, count);
        area->buffer_end = offset + count;
        area->dirty = true;
        from += count;
        offset += count;
        bytes -= count;
        if (offset > area->size_bytes)
            area->size_bytes = offset;
    }
    return SQLITE_OK;
}

// What is in the file, `bytes` all below its end.
static bool area_read(struct area *area, uint8_t *to, uint32_t bytes, uint64_t offset)
{
    if (offset < area->buffer_end && offset + bytes > area->buffer_start && !area_drain(area))
        return false;
    while (bytes > 0) {
        uint32_t skip = (uint32_t)(offset % MEDIUM_PAGE);
        uint32_t count = MEDIUM_PAGE - skip;
        if (skip == 0 && bytes >= MEDIUM_PAGE) {
            count = bytes & ~(MEDIUM_PAGE - 1);
            if (!area_read_pages(area, offset, count / MEDIUM_PAGE, to))
                return false;
        } else {
            count = bytes < count ? bytes : count;
            if (!area_read_pages(area, page_floor(offset), 1, vfs.page))
                return false;
            memcpy(to, vfs.page + skip, count);
        }
        to += count;
        offset += count;
        bytes -= count;
    }
    return true;
}

// ---- Files -------------------------------------------------------------------------

static struct area *area_of(sqlite3_file *file)
{
    return ((struct area_file *)(void *)file)->area;
}

static int file_close(sqlite3_file *)
{
    return SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *to, int bytes, sqlite3_int64 offset)
{
    struct area *area = area_of(file);
    uint64_t begin = (uint64_t)offset;
    uint64_t there = begin < area->size_bytes ? area->size_bytes - begin : 0;
    uint32_t count = there < (uint32_t)bytes ? (uint32_t)there : (uint32_t)bytes;
    if (!area_read(area, to, count, begin))
        return SQLITE_IOERR_READ;
    if (count < (uint32_t)bytes) {
        memset((uint8_t *)to + count, 0, (uint32_t)bytes - count);
        return SQLITE_IOERR_SHORT_READ;
    }
    if (area->checked && bytes == MEDIUM_PAGE && !page_is_sealed(to, begin / MEDIUM_PAGE)) {
        vfs.corrupted = true;
        return SQLITE_IOERR_DATA;
    }
    return SQLITE_OK;
}

static int file_write(sqlite3_file *file, const void *from, int bytes, sqlite3_int64 offset)
{
    struct area *area = area_of(file);
    if (!area->checked || bytes != MEDIUM_PAGE)
        return area_write(area, from, (uint32_t)bytes, (uint64_t)offset);
    static alignas(8) uint8_t page[MEDIUM_PAGE];
    memcpy(page, from, MEDIUM_PAGE);
    page_seal(page, (uint64_t)offset / MEDIUM_PAGE);
    return area_write(area, page, MEDIUM_PAGE, (uint64_t)offset);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct area *area = area_of(file);
    if (!area_drain(area))
        return SQLITE_IOERR_TRUNCATE;
    area->size_bytes = (uint64_t)size;
    return SQLITE_OK;
}

static int file_sync(sqlite3_file *file, int)
{
    return area_drain(area_of(file)) && vfs.medium->flush(vfs.medium) ? SQLITE_OK
                                                                      : SQLITE_IOERR_FSYNC;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *out_size)
{
    *out_size = (sqlite3_int64)area_of(file)->size_bytes;
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *, int)
{
    return SQLITE_OK; // nobody else has the medium
}

static int file_check_lock(sqlite3_file *, int *out_locked)
{
    *out_locked = 0;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *, int, void *)
{
    return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *)
{
    return MEDIUM_PAGE;
}

static int file_characteristics(sqlite3_file *)
{
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE | SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN;
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_lock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
};

// ---- The VFS -----------------------------------------------------------------------

static bool is_log(const char *name)
{
    return name != nullptr && strcmp(name, log_name) == 0;
}

static int vfs_open(sqlite3_vfs *, sqlite3_filename name, sqlite3_file *file, int flags,
                    int *out_flags)
{
    struct area_file *opened = (struct area_file *)(void *)file;
    opened->base.pMethods = nullptr;
    if (flags & SQLITE_OPEN_MAIN_DB)
        opened->area = &vfs.database;
    else if (flags & SQLITE_OPEN_WAL)
        opened->area = &vfs.log;
    else
        return SQLITE_CANTOPEN; // there are no other files: temporary ones are in memory
    (void)name;
    opened->base.pMethods = &file_methods;
    if (out_flags != nullptr)
        *out_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *, const char *name, int)
{
    if (!is_log(name))
        return SQLITE_IOERR_DELETE_NOENT;
    vfs.log.buffer_start = vfs.log.buffer_end = 0;
    vfs.log.dirty = false;
    vfs.log.size_bytes = 0;
    memset(vfs.page, 0, sizeof vfs.page);
    return vfs.medium->write(vfs.medium, vfs.log.first_page, 1, vfs.page) &&
                   vfs.medium->flush(vfs.medium)
               ? SQLITE_OK
               : SQLITE_IOERR_DELETE;
}

static int vfs_access(sqlite3_vfs *, const char *name, int, int *out_exists)
{
    *out_exists = is_log(name) && vfs.log.size_bytes > 0;
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *, const char *name, int bytes_max, char *out_path)
{
    size_t bytes = strlen(name) + 1;
    if (bytes > (size_t)bytes_max)
        return SQLITE_CANTOPEN;
    memcpy(out_path, name, bytes);
    return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *, int bytes, char *out)
{
    vfs.random(out, (uint32_t)bytes);
    return bytes;
}

static int vfs_sleep(sqlite3_vfs *, int microseconds)
{
    return microseconds;
}

static int vfs_time(sqlite3_vfs *, double *out_days)
{
    *out_days = 0; // nothing of ours asks
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *, int, char *)
{
    return 0;
}

static sqlite3_vfs vfs_methods = {
    .iVersion = 1,
    .szOsFile = sizeof(struct area_file),
    .mxPathname = 64,
    .zName = "volume",
    .xOpen = vfs_open,
    .xDelete = vfs_delete,
    .xAccess = vfs_access,
    .xFullPathname = vfs_full_path,
    .xRandomness = vfs_randomness,
    .xSleep = vfs_sleep,
    .xCurrentTime = vfs_time,
    .xGetLastError = vfs_last_error,
};

// SQLite calls these two when it starts and stops.
int sqlite3_os_init(void);
int sqlite3_os_end(void);

int sqlite3_os_init(void)
{
    return sqlite3_vfs_register(&vfs_methods, 1);
}

int sqlite3_os_end(void)
{
    return SQLITE_OK;
}

// ---- The label ---------------------------------------------------------------------

static struct label label_make(uint64_t page_count)
{
    uint64_t log_pages = page_count / 4;
    if (log_pages > LOG_PAGES_MAX)
        log_pages = LOG_PAGES_MAX;
    struct label label = {
        .version = LABEL_VERSION,
        .page_count = page_count,
        .log_page = 1,
        .log_pages = log_pages,
        .database_page = 1 + log_pages,
        .database_pages = page_count - 1 - log_pages,
    };
    memcpy(label.magic, label_magic, sizeof label.magic);
    label.checksum = checksum_of((const uint8_t *)&label, offsetof(struct label, checksum), 0);
    return label;
}
static_assert(offsetof(struct label, checksum) % 8 == 0);

static bool label_is_good(const struct label *label)
{
    return memcmp(label->magic, label_magic, sizeof label->magic) == 0 &&
           label->checksum ==
               checksum_of((const uint8_t *)label, offsetof(struct label, checksum), 0) &&
           label->version == LABEL_VERSION && label->log_page == 1 &&
           label->log_pages >= LOG_PAGES_MIN && label->log_pages < label->page_count &&
           label->database_page == 1 + label->log_pages &&
           label->database_pages >= DATABASE_PAGES_MIN &&
           label->database_pages == label->page_count - label->database_page;
}

// Nothing of what was there before is taken for a part of the volume.
static bool areas_clear(const struct label *label)
{
    memset(vfs.page, 0, sizeof vfs.page);
    return vfs.medium->write(vfs.medium, label->log_page, 1, vfs.page) &&
           vfs.medium->write(vfs.medium, label->database_page, 1, vfs.page) &&
           vfs.medium->flush(vfs.medium);
}

bool vfs_label(void)
{
    struct label label = label_make(vfs.medium->page_count);
    memset(vfs.page, 0, sizeof vfs.page);
    memcpy(vfs.page, &label, sizeof label);
    return vfs.medium->flush(vfs.medium) && vfs.medium->write(vfs.medium, 0, 1, vfs.page) &&
           vfs.medium->flush(vfs.medium);
}

static bool is_zero(const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static enum file_outcome label_read(bool format, struct label *out_label, bool *out_fresh)
{
    *out_fresh = false;
    if (vfs.medium->page_count * MEDIUM_PAGE < 1 << 20)
        return FILE_OUTCOME_NO_SPACE;
    if (!vfs.medium->read(vfs.medium, 0, 1, vfs.page))
        return FILE_OUTCOME_INPUT_OUTPUT;
    if (is_zero(vfs.page, sizeof vfs.page)) {
        if (!format)
            return FILE_OUTCOME_NOT_FOUND;
        *out_label = label_make(vfs.medium->page_count);
        *out_fresh = true;
        return areas_clear(out_label) ? FILE_OUTCOME_OK : FILE_OUTCOME_INPUT_OUTPUT;
    }
    memcpy(out_label, vfs.page, sizeof *out_label);
    if (!label_is_good(out_label))
        return FILE_OUTCOME_CORRUPTED;
    return out_label->page_count <= vfs.medium->page_count ? FILE_OUTCOME_OK
                                                           : FILE_OUTCOME_NO_SPACE;
}

// How much of the areas is in use, from their first pages: SQLite keeps the database's
// size there, and a log that has no head is none.
static bool sizes_read(void)
{
    if (!area_read_pages(&vfs.database, 0, 1, vfs.page))
        return false;
    const uint8_t *at = vfs.page + HEADER_PAGES_OFFSET;
    uint64_t pages =
        (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    vfs.database.size_bytes = pages * MEDIUM_PAGE < vfs.database.capacity_bytes
                                  ? pages * MEDIUM_PAGE
                                  : vfs.database.capacity_bytes;
    if (!area_read_pages(&vfs.log, 0, 1, vfs.page))
        return false;
    vfs.log.size_bytes = is_zero(vfs.page, 32) ? 0 : vfs.log.capacity_bytes;
    return true;
}

enum file_outcome vfs_start(struct medium *medium, bool format,
                            void (*random)(void *to, uint32_t bytes),
                            struct vfs_facts *out_facts)
{
    struct label label;
    memset(&vfs, 0, sizeof vfs);
    vfs.medium = medium;
    vfs.random = random;
    enum file_outcome outcome = label_read(format, &label, &out_facts->fresh);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    vfs.log.first_page = label.log_page;
    vfs.log.capacity_bytes = label.log_pages * MEDIUM_PAGE;
    vfs.database.first_page = label.database_page;
    vfs.database.capacity_bytes = label.database_pages * MEDIUM_PAGE;
    vfs.database.checked = true;
    if (!sizes_read())
        return FILE_OUTCOME_INPUT_OUTPUT;
    out_facts->log_bytes = vfs.log.capacity_bytes;
    out_facts->database_bytes = vfs.database.capacity_bytes;
    return sqlite3_initialize() == SQLITE_OK ? FILE_OUTCOME_OK : FILE_OUTCOME_NO_ACCESS;
}

void vfs_stop(void)
{
    (void)sqlite3_shutdown();
    vfs_snapshot_end();
}

bool vfs_is_corrupted(void)
{
    return vfs.corrupted;
}
