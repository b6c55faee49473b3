// SPDX-License-Identifier: MIT
// What the files of the service share: a worker, and the methods of its interfaces.
#pragma once

#include "device.h"
#include "objects.h"
#include "route.h"
#include "resolve.h"
#include "sync.h"

#include <capos/server.h>
#include <capos/sync.h>
#include <gen/capos/directory.h>
#include <gen/capos/file.h>

// A thread that takes one call after the other and carries each out to its end.
struct worker {
    struct exchange *exchange;
    struct capos_server server;
    struct route path, to_path; // of the call under way
};

// Held while names of the host's are changed, so that of two clients one sees what the other
// did: what is looked at first and changed then hasn't changed meanwhile, unless by the host.
extern struct capos_mutex names_lock;

extern const struct directory_server_ops directory_ops;
extern const struct file_server_ops file_ops;
extern const struct file_buffer_server_ops buffer_ops;

// The node of the object that is called, as of that kind.  nullptr: the call has failed.
[[nodiscard]] struct node *called_node(struct capos_server_call *call, enum node_kind kind);
// A narrower object of the node that is called, to be moved into the answer.  False: the call has
// failed.
[[nodiscard]] bool called_narrowed(struct worker *worker, struct capos_server_call *call,
                                   enum node_kind kind, uint64_t interface_id,
                                   struct capos_transfer *out_transfer);
// The node of an object of ours that came with a call; nullptr: it isn't ours, or not of that
// kind.  *out_interface is the object's interface.
[[nodiscard]] struct node *given_node(struct capos_server_call *call, uint32_t index,
                                      enum node_kind kind, uint64_t *out_interface);

void fail_memory(struct capos_server_call *call);
void fail_path(struct capos_server_call *call);

// Attributes as the interfaces have them; those of File and Directory have the same fields.
[[nodiscard]] struct directory_stat_results
attributes_of(const struct ninep_attributes *attributes);
// Asks for the attributes of a fid; they are in the exchange's answer.
[[nodiscard]] enum file_outcome attributes_get(struct exchange *exchange, uint32_t fid);
// The request of a setAttributes.
struct attribute_changes {
    bool mode, modified, accessed;
    uint16_t new_mode;
    int64_t modified_ns, accessed_ns;
};
[[nodiscard]] enum file_outcome attributes_set(struct exchange *exchange, uint32_t fid,
                                               const struct attribute_changes *changes);
