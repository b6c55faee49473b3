// SPDX-License-Identifier: MIT
// What a file service is made of: Directory, File, their narrowings and FileBuffer over a
// table of operations.
//
// A service keeps one or more *trees* of *nodes* (files, directories, symlinks) and says by a
// struct tree_ops what it can do with them.  All that is the same for every file service is
// here: which paths are legal, how symlinks are followed and where they end, what a narrow
// capability may do, what an open handle is and when it goes, buffers shared with clients,
// watches, and the messages.
//
//     static void on_call(void *, struct capos_server_call *call)
//     {
//         tree_serve(call);
//     }
//     ...
//     tree_init(&tree, &ops, root);
//     tree_export(1, &tree, INTERFACE_DIRECTORY, root);    word 1 of the manifest
//     tree_service_start(endpoint, memory, on_call, nullptr);
//     capos_loop_run();
//
// Invariants:
//  1. An operation gets legal names only, nodes of the kind that it is for, and offsets whose
//     sum with the length doesn't wrap.  So it checks what only it can know.
//  2. Who has a node beyond one operation has a reference on it: a handle, a walk under way.
//     `forget` is called when the last reference is gone, and only then may a node go that
//     no name leads to.
//  3. A handle is one minted object.  It is made by an open and freed by the release notice.
//  4. A path never leads above the node that it starts from, whatever the symlinks say.
//  5. Operations are synchronous: one call after the other.  A tree belongs to one thread.
//
//     tree_walk.c       paths; nothing of messages, so it runs in host tests
//     tree_change.c     what changes names, as the schema defines it; likewise
//     tree.c            handles, buffers, watches, dispatch
//     tree_directory.c  the methods of Directory
//     tree_file.c       the methods of File and FileBuffer
//
// Tested on the host by services/ramfs/model_test.c, booted by tests/system/files_test.c
// against each file service.
#pragma once

#include <gen/wire/directory.h>
#include <gen/wire/file.h>
#include <lib/path.h>
#include <stdint.h>

constexpr uint32_t TREE_SYMLINKS_MAX = 16; // followed in one path
constexpr uint32_t TREE_PAGE_MAX = DIRECTORY_LIST_RESULTS_ENTRIES_COUNT_MAX;

// The head of a service's own struct.
struct tree_node {
    enum file_kind kind;
    uint32_t references; // the skeleton's; starts at 0
};

struct tree {
    const struct tree_ops *ops;
    struct tree_node *root;
    uint32_t handle_count;
    uint32_t handle_count_max; // `overloaded` beyond it
};

// What to make.
struct tree_creation {
    enum file_kind kind; // not OTHER
    uint16_t mode;
    struct wire_data target; // of a symlink
};

// The answer of File.stat and Directory.stat.
struct tree_stat {
    uint16_t mode;
    uint32_t link_count;
    uint64_t inode;
    uint64_t size_bytes;
    uint64_t stored_bytes;
    uint64_t version;
    int64_t modified_ns, changed_ns, accessed_ns, created_ns;
};

struct tree_attributes {
    bool set_mode, set_modified, set_accessed;
    uint16_t mode;
    int64_t modified_ns, accessed_ns;
};

// A page of a listing.
struct tree_entry {
    struct wire_data name; // lent until the next operation
    enum file_kind kind;
    uint64_t inode;
    uint64_t cookie; // not 0
};
struct tree_page {
    uint32_t entries_max;
    uint32_t count;
    bool end;
    struct tree_entry entries[TREE_PAGE_MAX];
};

// Where a piece of a file can be mapped.
struct tree_mapping {
    uint64_t length_bytes;
    uint64_t object; // capos_cap_id of a MemoryObject, the caller's from then on
};

// Each returns FILE_OUTCOME_OK, or another outcome and changes nothing.  One that is absent
// is `readOnly` if it would change something, otherwise `notSupported`.
struct tree_ops {
    // The node that a name of a directory leads to; NOT_FOUND.  The node stays good until the
    // next operation, or as long as it has a reference.
    enum file_outcome (*lookup)(struct tree *tree, struct tree_node *directory,
                                struct wire_data name, struct tree_node **out_node);
    // Makes a node and its name, which doesn't exist.  NOT_FOUND if the directory is removed.
    enum file_outcome (*create)(struct tree *tree, struct tree_node *directory,
                                struct wire_data name, const struct tree_creation *creation,
                                struct tree_node **out_node);
    // Removes a name, which leads to the node; NOT_EMPTY.
    enum file_outcome (*remove)(struct tree *tree, struct tree_node *directory,
                                struct wire_data name, struct tree_node *node);
    // Moves a name that leads to `node` to another one, which leads to `replaced`, or
    // nowhere (nullptr).  What is replaced is removed: it is a directory if and only if
    // `node` is; NOT_EMPTY.  With `exchange` the two change places.  INTO_ITSELF.  The two
    // names lead to different nodes.
    enum file_outcome (*rename)(struct tree *tree, struct tree_node *directory,
                                struct wire_data name, struct tree_node *node,
                                struct tree_node *to_directory, struct wire_data to_name,
                                struct tree_node *replaced, bool exchange);
    // Fills a page with the entries behind a cookie.
    enum file_outcome (*list)(struct tree *tree, struct tree_node *directory, uint64_t cookie,
                              struct tree_page *page);
    // Where a symlink leads: up to PATH_BYTES_MAX bytes.
    enum file_outcome (*read_symlink)(struct tree *tree, struct tree_node *node, void *target,
                                      uint32_t *out_bytes);
    enum file_outcome (*stat)(struct tree *tree, struct tree_node *node,
                              struct tree_stat *out_stat);
    enum file_outcome (*set_attributes)(struct tree *tree, struct tree_node *node,
                                        const struct tree_attributes *attributes);

    // Of files.  Fewer bytes are read only at the end, fewer are written only for want of
    // room, and at least one with OK; `byte_count` isn't 0.
    enum file_outcome (*read)(struct tree *tree, struct tree_node *node, uint64_t offset,
                              void *buffer, uint32_t byte_count, uint32_t *out_read);
    enum file_outcome (*write)(struct tree *tree, struct tree_node *node, uint64_t offset,
                               const void *data, uint32_t byte_count, uint32_t *out_written);
    enum file_outcome (*append)(struct tree *tree, struct tree_node *node, const void *data,
                                uint32_t byte_count, uint32_t *out_written,
                                uint64_t *out_offset);
    enum file_outcome (*truncate)(struct tree *tree, struct tree_node *node,
                                  uint64_t size_bytes);
    // Pages from an offset, a multiple of 4096 below the size, on: one or more, up to
    // `length_bytes`.
    enum file_outcome (*map)(struct tree *tree, struct tree_node *node, uint64_t offset,
                             uint64_t length_bytes, bool writable,
                             struct tree_mapping *out_mapping);

    // Makes a file, or a directory with all below it, durable.  Absent: nothing is to do.
    enum file_outcome (*sync)(struct tree *tree, struct tree_node *node, bool data_only);
    void (*info)(struct tree *tree, struct directory_info_results *out_info);
    // Limits what all below a directory, which isn't the tree's root, may take up; 0: no limit.
    enum file_outcome (*set_quota)(struct tree *tree, struct tree_node *directory,
                                   uint64_t limit_bytes);
    // Lowers the room that `info` told to what the limits of a directory leave.  Absent: there
    // are none.
    void (*quota)(struct tree *tree, struct tree_node *directory,
                  struct directory_info_results *info);
    // Nobody has a reference any more.
    void (*forget)(struct tree *tree, struct tree_node *node);
    // The last handle is gone, and the tree with it.  Absent: it stays.
    void (*destroy)(struct tree *tree);
};

void tree_init(struct tree *tree, const struct tree_ops *ops, struct tree_node *root);

// ---- Nodes and paths ---------------------------------------------------------------

static inline struct tree_node *tree_get(struct tree_node *node)
{
    node->references++;
    return node;
}
void tree_put(struct tree *tree, struct tree_node *node); // nullptr is allowed

// Where a path leads.  It has references on both nodes.
struct tree_place {
    struct tree_node *directory; // of the last name; nullptr: the path ends where it began
    struct wire_data name;       // the last name; good until the next walk
    struct tree_node *node;      // what is there; nullptr: nothing
};
void tree_place_put(struct tree *tree, struct tree_place *place);

// Follows a legal path, or an empty one, from a directory.  OK also if only the last name
// doesn't exist: then `node` is nullptr.  With `follow` a symlink at the end is followed.  If
// the outcome isn't OK there is nothing to put.
[[nodiscard]] enum file_outcome tree_walk(struct tree *tree, struct tree_node *start,
                                          struct wire_data path, bool follow,
                                          struct tree_place *out_place);

// ---- What Directory's methods do, without messages ----------------------------------

// What is there; NOT_FOUND.  With a reference.
[[nodiscard]] enum file_outcome tree_find(struct tree *tree, struct tree_node *start,
                                          struct wire_data path, bool follow,
                                          struct tree_node **out_node);

// The same for a file, or a directory, alone.
[[nodiscard]] enum file_outcome tree_find_kind(struct tree *tree, struct tree_node *start,
                                               struct wire_data path, bool follow,
                                               enum file_kind kind,
                                               struct tree_node **out_node);

struct tree_opening {
    struct tree_creation creation; // of a file or directory: what it must be, and is made as
    bool create, exclusive, truncate, follow;
};
[[nodiscard]] enum file_outcome tree_open(struct tree *tree, struct tree_node *start,
                                          struct wire_data path,
                                          const struct tree_opening *opening,
                                          struct tree_node **out_node, bool *out_created);

[[nodiscard]] enum file_outcome tree_create(struct tree *tree, struct tree_node *start,
                                            struct wire_data path,
                                            const struct tree_creation *creation);
[[nodiscard]] enum file_outcome tree_remove(struct tree *tree, struct tree_node *start,
                                            struct wire_data path, enum directory_removal what);
[[nodiscard]] enum file_outcome tree_rename(struct tree *tree, struct tree_node *start,
                                            struct wire_data path, struct tree_node *to_start,
                                            struct wire_data to_path,
                                            enum directory_replacement replacement);

// ---- Serving -----------------------------------------------------------------------

struct capos_server_call;

// Words below this one are for the exports of a manifest; others are made here.
constexpr uint64_t TREE_WORDS_OF_EXPORTS = 16;

// Prepares to serve: `on_call` gets each call on the endpoint's objects and hands those on
// tree's objects to tree_serve.  The service also needs its own address space.
// STATUS_OVERLOADED without memory.
[[nodiscard]] enum status tree_service_start(uint64_t endpoint, uint64_t memory,
                                             void (*on_call)(void *context,
                                                             struct capos_server_call *call),
                                             void *context);

// Makes `node` the object behind a word that the manifest has for a Directory or
// ReadOnlyDirectory.  It stays for as long as the service runs.
void tree_export(uint64_t word, struct tree *tree, struct tree_node *node);

// Mints an object of an interface on a node; its handle takes a reference.  The capability is
// the caller's.  STATUS_OVERLOADED: no memory, or the tree has as many handles as it may.
[[nodiscard]] enum status tree_mint(struct tree *tree, struct tree_node *node,
                                    uint64_t interface_id, uint64_t *out_cap);

// Answers a call on a Directory, File, their narrowings, or a FileBuffer.
void tree_serve(struct capos_server_call *call);

// Tells who watches a directory of the tree that something may have changed.  What a client
// changes through tree_serve is told without it.
void tree_changed(struct tree *tree);
