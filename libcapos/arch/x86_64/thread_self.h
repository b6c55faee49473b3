// SPDX-License-Identifier: MIT
// The calling thread's block on x86_64: the first word that the FS base points to.
#pragma once

struct thread;

[[nodiscard]] static inline struct thread *thread_self(void)
{
    return *(struct thread *const __seg_fs *)0;
}
