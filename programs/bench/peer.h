// SPDX-License-Identifier: MIT
// The other process of the rows of shared memory: this program, started as "peer".
#pragma once

// Serves Echo on the Endpoint "endpoint", in its own way:
//     pass   maps the MemoryObject, writes to a page, unmaps it, and gives it back; with the
//            first one's mapping it goes on to do
//     ping   rows_take(the memory that came first); its answer is the question
// Returns when nobody can call any more.
int peer_main(void);
