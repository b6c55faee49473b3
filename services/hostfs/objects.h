// SPDX-License-Identifier: MIT
// What clients hold: each object that was minted has a word, which leads to a node: a
// directory, a file or a buffer.  A file and its ReadOnlyFile are two objects with one node.
//
// Invariants:
//  1. A node lives as long as an object or a call uses it; then its fid is clunked.
//  2. A word is never used twice, so a call that comes late reaches nothing.
//  3. The lock of the table is not held while the host is asked.
#pragma once

#include "device.h"

#include <capos/call.h>
#include <gen/capos/caps.h>
#include <lib/list.h>

enum node_kind : uint8_t { NODE_DIRECTORY, NODE_FILE, NODE_BUFFER };

struct node {
    struct list_link link; // of all nodes
    uint32_t references;   // under the table's lock
    enum node_kind kind;
    bool removed; // of a directory: nothing has its name any more, or something else
    bool changed; // of a file: since it was last made durable
    uint32_t fid;
    uint64_t inode;
    struct device_buffer *buffer; // of a buffer; otherwise nullptr
};

// Mints for `endpoint`.  `root_fid`, of that inode, is what the words of init's grants lead to.
void objects_init(endpoint_cap endpoint, uint32_t root_fid, uint64_t root_inode);

// A node without object, for the caller alone: one reference.  nullptr without memory.
[[nodiscard]] struct node *node_create(enum node_kind kind, uint32_t fid, uint64_t inode);
// The node behind a word, with one reference more; nullptr: there is none.
[[nodiscard]] struct node *node_get(uint64_t word);
// Gives back a reference; the last one gives back the fid or the buffer.
void node_put(struct exchange *exchange, struct node *node);

// Makes an object of the node and its capability, which the caller moves to its client.  The
// object has a reference of its own.
[[nodiscard]] enum status object_mint(struct node *node, uint64_t interface_id,
                                      capos_cap_id *out_cap);
// The last hold of an object is gone.
void object_released(struct exchange *exchange, uint64_t word);

// A file that was changed, as unchanged and with one reference more; nullptr: there is none.
[[nodiscard]] struct node *node_take_changed(void);
// A directory was removed: whatever has its name from now on isn't it.
void nodes_remove(uint64_t inode);
