// SPDX-License-Identifier: MIT
// Files for C programs: paths relative to a Directory that the program holds, whole files,
// listings, and reading piece by piece.
//
// Every function returns how it ended as one number: 0 for done, a FILE_OUTCOME_* of
// <gen/wire/file.h>, or CAPOS_FILE_STATUS plus the enum status of a call that failed.
// capos_file_error_text says it in words.
//
//     struct capos_directory tmp;
//     struct capos_file file;
//     uint32_t error = capos_directory_find("tmp", &tmp);
//     if (error == 0)
//         error = capos_file_open(&tmp, "notes", CAPOS_FILE_WRITE | CAPOS_FILE_CREATE, &file);
//     if (error == 0) {
//         error = capos_file_write(&file, 0, text, strlen(text));
//         capos_file_close(&file);
//     }
//     if (error != 0)
//         fprintf(stderr, "notes: %s\n", capos_file_error_text(error));
//
// Paths are C strings, as schema/directory.capnp has them; names with a NUL can't exist.
// Everything is synchronous and allocates only where it says so.  Implemented in file.c, tested
// by tests/system/files_test.c.
#pragma once

#include <capos/call.h>
#include <gen/capos/caps.h>
#include <gen/wire/directory.h>
#include <gen/wire/file.h>
#include <stddef.h>
#include <stdint.h>

constexpr uint32_t CAPOS_PATH_BYTES_MAX = 1024;
constexpr uint32_t CAPOS_FILE_STATUS = 0x100;
[[nodiscard]] const char *capos_file_error_text(uint32_t error);

// ---- Directories -------------------------------------------------------------------

// A Directory or a ReadOnlyDirectory.  A plain value; who opened it closes it.
struct capos_directory {
    capos_cap_id id;
    bool read_only;
};

// One of the program's grants, by name: lent.  CAPOS_FILE_STATUS + STATUS_NOT_FOUND,
// STATUS_WRONG_INTERFACE.
[[nodiscard]] uint32_t capos_directory_find(const char *name,
                                            struct capos_directory *out_directory);

// Opens a directory below another one, with the same rights; "" is that one itself.
[[nodiscard]] uint32_t capos_directory_open(const struct capos_directory *from,
                                            const char *path,
                                            struct capos_directory *out_directory);
void capos_directory_close(struct capos_directory *directory);

// Where a path as a person types it leads: its first component is the name of a grant, the rest
// a path in it, "" for the grant's root.  "/" at the end, "//" and "." mean nothing, ".." takes a
// component back; above all grants is FILE_OUTCOME_OUTSIDE.  With nothing left, `directory.id`
// is 0: the place of all grants.  If the environment variable PWD names a place, what doesn't
// begin with "/" leads on from there.
struct capos_place {
    struct capos_directory directory; // lent
    const char *grant;                // its name; nullptr: of none
    char path[CAPOS_PATH_BYTES_MAX + 1];
};
[[nodiscard]] uint32_t capos_place_find(const char *typed, struct capos_place *out_place);

// ---- What is there -----------------------------------------------------------------

// As Directory.stat; `path` may be "".
[[nodiscard]] uint32_t capos_file_stat(const struct capos_directory *from, const char *path,
                                       bool follow, struct directory_stat_results *out_stat);
// NOT_SUPPORTED if it isn't a symlink.  The text has a NUL behind it.
[[nodiscard]] uint32_t capos_file_read_symlink(const struct capos_directory *from,
                                               const char *path,
                                               char target[CAPOS_PATH_BYTES_MAX + 1]);

// A listing under way.  It holds 40 KiB of memory from open to close.
struct capos_listing {
    struct capos_directory directory; // lent
    void *buffer;
    struct directory_list_results page;
    uint32_t next; // in the page
    uint64_t cookie;
};
struct capos_listing_entry {
    char name[256]; // with a NUL behind it
    uint32_t name_bytes;
    enum file_kind kind;
    uint64_t inode;
};
[[nodiscard]] uint32_t capos_listing_open(const struct capos_directory *directory,
                                          struct capos_listing *out_listing);
// The next entry.  *out_entry has an empty name at the end.
[[nodiscard]] uint32_t capos_listing_next(struct capos_listing *listing,
                                          struct capos_listing_entry *out_entry);
void capos_listing_close(struct capos_listing *listing);

// ---- Changes -----------------------------------------------------------------------

// READ_ONLY for a read-only directory.  New directories have the mode 0o755.
[[nodiscard]] uint32_t capos_directory_create(const struct capos_directory *from,
                                              const char *path);
[[nodiscard]] uint32_t capos_file_remove(const struct capos_directory *from, const char *path,
                                         enum directory_removal what);
[[nodiscard]] uint32_t capos_file_rename(const struct capos_directory *from, const char *path,
                                         const struct capos_directory *to, const char *to_path,
                                         enum directory_replacement replacement);

// ---- Files -------------------------------------------------------------------------

enum capos_file_flags {
    CAPOS_FILE_READ = 0, // a ReadOnlyFile
    CAPOS_FILE_WRITE = 1,
    CAPOS_FILE_CREATE = 2, // those below only with WRITE
    CAPOS_FILE_EXCLUSIVE = 4,
    CAPOS_FILE_TRUNCATE = 8,
};

// An open file.  What is large goes through memory that the service shares: 64 KiB of the
// program's budget, of a file of 4 MiB and more 512 KiB if there are as many, from the first
// large transfer to the close.
struct capos_file {
    capos_cap_id id;
    bool read_only;
    uint64_t size_bytes; // when it was opened
    uint64_t inode;

    // Private to file.c.
    uint8_t *window;
    uint32_t window_bytes;
    capos_cap_id window_buffer; // FileBuffer
    bool window_failed;         // there is none; small pieces do
};

// New files have the mode 0o644.
[[nodiscard]] uint32_t capos_file_open(const struct capos_directory *from, const char *path,
                                       uint32_t flags, struct capos_file *out_file);
// Takes a File or ReadOnlyFile that came from elsewhere.
void capos_file_init(struct capos_file *file, capos_cap_id id, bool read_only);
void capos_file_close(struct capos_file *file);

// Reads until `byte_count` bytes are there, or the file ends.
[[nodiscard]] uint32_t capos_file_read(struct capos_file *file, uint64_t offset, void *buffer,
                                       size_t byte_count, size_t *out_read);
// Writes all bytes.  NO_SPACE or QUOTA_EXCEEDED: some of them may have been written.
[[nodiscard]] uint32_t capos_file_write(struct capos_file *file, uint64_t offset,
                                        const void *data, size_t byte_count);

// Writes at the end of the file, wherever that is; two that append don't overwrite each other, and
// pieces of up to 2 KiB, or 64 KiB with the window, stay together.  The bytes are at *out_offset,
// *out_written of them also if it fails.
[[nodiscard]] uint32_t capos_file_append(struct capos_file *file, const void *data,
                                         size_t byte_count, size_t *out_written,
                                         uint64_t *out_offset);

// Lends the bytes at an offset, up to 512 KiB, where they arrived: good until the next call with
// the file.  None at the end.
[[nodiscard]] uint32_t capos_file_peek(struct capos_file *file, uint64_t offset,
                                       const void **out_data, size_t *out_bytes);

// Copies what a file holds now into memory of the program's budget, to be mapped or handed
// on: whole pages, zero behind the end.  For services whose files have no pages to map
// (Directory.info); what comes from a device arrives there without another copy.  The caller
// owns the object; an empty file is STATUS_INVALID_ARGUMENT.
[[nodiscard]] uint32_t capos_file_copy(struct capos_file *file, memory_object_cap *out_object,
                                       uint64_t *out_bytes);

// A whole file: *out_data is from malloc, with a NUL behind it.  TOO_LARGE beyond `bytes_max`.
[[nodiscard]] uint32_t capos_file_load(const struct capos_directory *from, const char *path,
                                       size_t bytes_max, void **out_data, size_t *out_bytes);
// Makes a file of these bytes, or replaces its contents.
[[nodiscard]] uint32_t capos_file_save(const struct capos_directory *from, const char *path,
                                       const void *data, size_t byte_count);
