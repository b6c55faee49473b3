// SPDX-License-Identifier: MIT
// The short way of IPC (handover.c).
#pragma once

struct thread;

// If what the current thread asks for is one call on a kernel object, one call that a server
// waits for, or one answer that its caller waits for, does it and returns true; *out_next is
// then the thread to resume, nullptr to idle.  Otherwise changes nothing and returns false.
// The thread waits for one completion, without a deadline.
[[nodiscard]] bool handover(struct thread *thread, struct thread **out_next);
