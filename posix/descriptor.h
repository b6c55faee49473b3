// SPDX-License-Identifier: MIT
// Descriptors, and what they stand for: open file descriptions.
//
// A description is what open() made: the object, the position, the flags of F_SETFL.  Several
// descriptors may share one (dup); it ends with the last of them, or with the last call that is
// under way on it.
#pragma once

#include "abi.h"

#include <capos/file.h>
#include <capos/sync.h>

constexpr long DESCRIPTOR_COUNT_MAX = 1024; // RLIMIT_NOFILE

struct open_file;
struct mapping;

// What can be done with a kind of description.  All but `close` return a count or 0, or the
// negative of an errno; a null function is the errno that stands behind it.  `lock` is held,
// unless the kind has no state of its own.
struct open_ops {
    uint32_t type; // S_IFREG, ...
    bool stateless;
    // At the position, which they move.
    long (*read)(struct open_file *file, void *buffer, size_t byte_count);      // EBADF
    long (*write)(struct open_file *file, const void *data, size_t byte_count); // EBADF
    long (*read_at)(struct open_file *file, void *buffer, size_t byte_count,    // ESPIPE
                    uint64_t offset);
    long (*write_at)(struct open_file *file, const void *data, size_t byte_count, // ESPIPE
                     uint64_t offset);
    long (*seek)(struct open_file *file, int64_t offset, long whence); // ESPIPE
    long (*status)(struct open_file *file, struct posix_stat *out_status);
    long (*list)(struct open_file *file, void *buffer, size_t byte_count); // ENOTDIR
    long (*truncate)(struct open_file *file, uint64_t size_bytes);         // EINVAL
    long (*sync)(struct open_file *file, bool data_only);                  // EINVAL
    long (*map)(struct open_file *file, const struct mapping *mapping);    // ENODEV
    long (*mode)(struct open_file *file, uint16_t mode);                   // EINVAL
    long (*control)(struct open_file *file, long request, void *argument); // ENOTTY
    void (*close)(struct open_file *file);
};

// A directory that is being listed.
struct listing_state {
    struct capos_listing listing;     // .buffer is null: none under way
    struct capos_listing_entry entry; // the next one, if `entry_ready`
    bool entry_ready;
    int64_t offset; // d_off of the entry before
    char *name;     // of the directory, absolute; from malloc
};

struct open_file {
    const struct open_ops *ops;
    struct capos_mutex lock; // over all below, and the position
    uint32_t references;     // atomic
    uint32_t flags;          // O_ACCMODE, O_APPEND, O_NONBLOCK
    uint32_t device;         // st_dev
    uint64_t position;
    union {
        uint32_t stream;                      // of stream.c: 0, 1, 2
        struct capos_file file;               // of regular.c
        struct {                              // of list.c
            struct capos_directory directory; // id 0: the root
            struct listing_state *state;
        };
    };
};

// A description with one reference; nullptr without memory.
[[nodiscard]] struct open_file *open_file_create(const struct open_ops *ops, uint32_t flags);
void open_file_put(struct open_file *file);

// What a descriptor stands for, with a reference for the caller; nullptr: EBADF.
[[nodiscard]] struct open_file *descriptor_get(long descriptor);

// Gives the lowest free descriptor from `from` on to a description and takes the caller's
// reference, also on failure.  EMFILE.
[[nodiscard]] long descriptor_install(struct open_file *file, long from, bool close_on_exec);
