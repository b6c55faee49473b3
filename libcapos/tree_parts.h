// SPDX-License-Identifier: MIT
// What the files of the tree server share: handles, and how a method answers.
#pragma once

#include <capos/server.h>
#include <capos/tree.h>

// Memory that a client shares (FileBuffer).
struct tree_buffer {
    uint8_t *address;
    uint64_t size_bytes;
};

// What a minted object stands for.  A FileBuffer has no node.
struct tree_handle {
    struct tree *tree; // nullptr: free
    struct tree_node *node;
    struct tree_buffer buffer;
    uint32_t place;  // in the table
    uint32_t serial; // with the place its word, which is never used twice
    struct tree_handle *next_free;
};

[[nodiscard]] enum status tree_mint_buffer(struct tree *tree, struct tree_buffer buffer,
                                           uint64_t *out_cap);

// Maps a client's memory; STATUS_INVALID_ARGUMENT unless it is writable and 4096 bytes to
// 4 MiB.
[[nodiscard]] enum status tree_buffer_map(uint64_t memory_object,
                                          struct tree_buffer *out_buffer);
void tree_buffer_unmap(struct tree_buffer *buffer);

// The handle behind a capability that came with a call, if this service minted it, with its
// interface.  It is good for the call.  nullptr: it is somebody else's.
[[nodiscard]] struct tree_handle *tree_handle_of(struct capos_server_call *call, uint32_t index,
                                                 uint64_t *out_interface_id);

// Answers later, when the directory's version is another one.
void tree_watch(struct tree_handle *handle, struct capos_server_call *call, uint64_t version);

// The object for a node that was opened, as the one capability of an answer; the reference of
// the caller goes to it.  False: the call was answered with the exception.
[[nodiscard]] bool tree_give(struct capos_server_call *call, struct tree *tree,
                             struct tree_node *node, uint64_t interface_id,
                             struct capos_transfer *out_transfer);

// The methods; the handle is the context.
struct directory_server_ops;
struct file_server_ops;
struct file_buffer_server_ops;
extern const struct directory_server_ops tree_directory_ops;
extern const struct file_server_ops tree_file_ops;
extern const struct file_buffer_server_ops tree_buffer_ops;

static inline void tree_refuse(struct capos_server_call *call, const char *reason)
{
    capos_server_fail(call, STATUS_INVALID_ARGUMENT, reason);
}
