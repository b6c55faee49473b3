// SPDX-License-Identifier: MIT
// Messages of a trace, decoded by the schema.
#pragma once

#include <lib/descriptor.h>

#include <lib/text.h>

// What the kernel recorded of a message.
struct tracer_message {
    const uint8_t *captured;
    uint32_t captured_bytes;
    uint32_t message_bytes;
    uint32_t transfer_count;
    bool arrived; // capabilities are struct capos_cap_record, else struct capos_transfer
};

// How a capability is called: by its name in the CapSet, else by its slot.
struct tracer_names {
    void (*add_name)(void *context, struct text *text, uint64_t cap);
    void *context;
};

// Adds the fields of a message of struct `of` as "name: value, ..."; what was not recorded or
// isn't well-formed is said by its size.
void tracer_message_text(const struct descriptor *schema, const struct tracer_message *message,
                         uint32_t of, const struct tracer_names *names, struct text *text);

// The same as a JSON object; null if the message isn't whole.
void tracer_message_json(const struct descriptor *schema, const struct tracer_message *message,
                         uint32_t of, struct text *text);
