// SPDX-License-Identifier: MIT
// Where thread-local variables lie (tls.c).
#pragma once

#include <stdint.h>

struct capos_startup;
struct thread;

// How far below a thread's block its image starts: the linker takes the block to be the
// first aligned address behind the image.
[[nodiscard]] uint64_t tls_bytes_below(const struct capos_startup *startup);

// Gives the variables of the thread of a block their first values.
void tls_fill(struct thread *thread, const struct capos_startup *startup);
