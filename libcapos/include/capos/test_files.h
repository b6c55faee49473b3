// SPDX-License-Identifier: MIT
// Random operations on files, compared with a model: for tests of file systems, booted and on
// the host.
//
// The model is a handful of files and directories under names of one letter, so that operations
// meet each other's traces often.  Each operation is done to both; outcomes and contents must be
// the same.  What the model doesn't have: symlinks, handles that outlive their names, attributes.
#pragma once

#include <gen/wire/directory.h>
#include <gen/wire/file.h>
#include <stddef.h>
#include <stdint.h>

// The file system under test.  Paths are C strings, names of one letter with '/' between.
struct test_files {
    enum file_outcome (*make)(void *context, const char *path, enum file_kind kind);
    enum file_outcome (*remove)(void *context, const char *path, enum directory_removal what);
    enum file_outcome (*rename)(void *context, const char *path, const char *to_path,
                                enum directory_replacement replacement);
    // Of a file that exists.
    enum file_outcome (*write)(void *context, const char *path, uint64_t offset,
                               const void *data, uint32_t byte_count);
    enum file_outcome (*truncate)(void *context, const char *path, uint64_t size_bytes);
    enum file_outcome (*read)(void *context, const char *path, uint64_t offset, void *buffer,
                              uint32_t byte_count, uint32_t *out_read);
    enum file_outcome (*stat)(void *context, const char *path, enum file_kind *out_kind,
                              uint64_t *out_size_bytes);
    // The names of a directory, one letter each, in any order; *out_count of them.
    enum file_outcome (*list)(void *context, const char *path, char names[64],
                              uint32_t *out_count);
    bool without_exchange; // it can't exchange two names: that isn't tried
    void *context;
};

// Does so many operations, which follow from the seed, and compares.  In the end everything is
// removed.  False at the first difference: `problem` says in words what it was.
[[nodiscard]] bool test_files_compare(const struct test_files *files, uint64_t seed,
                                      uint32_t operation_count, char problem[200]);
