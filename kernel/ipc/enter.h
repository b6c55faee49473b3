// SPDX-License-Identifier: MIT
// The end of cap_enter (enter.c).
#pragma once

#include <stdint.h>

struct thread;

// The current thread's submissions have been taken: returns from cap_enter with the
// completions that are there, or blocks until `min_complete` are there or the time has
// passed.  Returns the thread to resume.
[[nodiscard]] struct thread *enter_wait(struct thread *thread, uint64_t min_complete,
                                        uint64_t timeout_ns);
