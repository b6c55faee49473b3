// SPDX-License-Identifier: MIT
// A file system in memory: the operations of a tree (<capos/tree.h>) over pages.h.
//
// A directory's entries are in two trees, by name and by cookie; a cookie is a number that
// is never given twice in a directory, so a listing goes on behind an entry that is gone.  A
// file's pages are found by a radix tree of pages of numbers; no page is a hole of zeros.
//
// Invariants:
//  1. A node lives while a name leads to it or somebody has a reference.  A directory whose
//     name is gone has no entries and takes none.
//  2. What lies behind the end of a file within its last page may be anything: it is zeroed
//     when the file grows over it.
//  3. An operation that fails has changed nothing, but that a write may be shorter than asked.
//
// It runs on the host too: model_test.c compares it with a model.
#pragma once

#include "pages.h"

#include <capos/tree.h>
#include <lib/rbtree.h>

constexpr uint64_t FILES_BYTES_MAX = UINT64_C(1) << 42; // of a file

struct files {
    struct tree tree;
    struct pages pages;
    uint64_t last_inode;
    uint64_t node_count;
    // The time for what changes now.
    int64_t (*now)(void);
    // A part of a chunk as an object that a client maps; 0 if there is no memory for it.
    uint64_t (*view)(uint64_t object, uint32_t first_page, uint32_t page_count, bool writable);
    // The last handle is gone: frees the struct.  nullptr: it is never freed.
    void (*unused)(struct files *files);
};

extern const struct tree_ops files_ops;

// A file system with an empty root.  False without memory for that.
[[nodiscard]] bool files_init(struct files *files, const struct pages_source *source,
                              uint32_t page_count_max);
// Gives all memory back, whatever there is.
void files_fini(struct files *files);
