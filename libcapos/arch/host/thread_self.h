// SPDX-License-Identifier: MIT
// The calling thread's block in a host test, which sets it.
#pragma once

struct thread;

extern struct thread *host_thread;

[[nodiscard]] static inline struct thread *thread_self(void)
{
    return host_thread;
}
