// SPDX-License-Identifier: MIT
// The calling thread's block on x86_64: a word beside the one that the FS base points to.
#pragma once

#define THREAD_BLOCK_OFFSET 0x20

struct thread;

[[nodiscard]] static inline struct thread *thread_self(void)
{
    return *(struct thread *const __seg_fs *)THREAD_BLOCK_OFFSET;
}
