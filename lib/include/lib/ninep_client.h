// SPDX-License-Identifier: MIT
// A client's side of 9P2000.L (ninep.h): which requests are under way, so that each answer is
// checked against its request, and which fids name something.
//
// Invariants:
//  1. A tag belongs to one request, from ninep_client_request to ninep_client_answer.
//  2. An answer that is accepted is of the request's kind, and never more than was asked for.
//
// It does no I/O and takes no memory.  Tested by ninep_client_test.c, fuzzed by
// tests/fuzz/fuzz_ninep.c.
#pragma once

#include <lib/ninep.h>

constexpr uint16_t NINEP_TAGS = 32;    // requests under way at once
constexpr uint32_t NINEP_FIDS = 16384; // files and directories that are held at once

struct ninep_request {
    enum ninep_type type; // 0: the tag is free
    uint32_t limit;       // of what the answer counts: bytes or names
};

struct ninep_client {
    struct ninep_request requests[NINEP_TAGS];
    uint32_t request_count;
    uint32_t fid_count;
    uint64_t fids[NINEP_FIDS / 64]; // bit set: in use
};

enum ninep_outcome {
    NINEP_DONE,    // the request was carried out
    NINEP_REFUSED, // an Rlerror; out_message->error is an errno of Linux, not 0
    NINEP_BROKEN,  // that is no answer to the request: the server can't be talked to
};

void ninep_client_init(struct ninep_client *client);

// Gives a request its tag.  False: all are in use.
[[nodiscard]] bool ninep_client_request(struct ninep_client *client,
                                        struct ninep_message *message);

// Reads the answer to the request of `tag`, as ninep_read does, and frees the tag.
[[nodiscard]] enum ninep_outcome ninep_client_answer(struct ninep_client *client, uint16_t tag,
                                                     const uint8_t *bytes, uint32_t size_bytes,
                                                     const uint8_t *data, uint32_t data_bytes,
                                                     struct ninep_message *out_message);

// Takes a fid for what a request will make it name.  NINEP_NO_FID: all are in use.
[[nodiscard]] uint32_t ninep_fid_get(struct ninep_client *client);
// Gives back a fid that names nothing, as after Tclunk.
void ninep_fid_put(struct ninep_client *client, uint32_t fid);
