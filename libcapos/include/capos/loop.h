// SPDX-License-Identifier: MIT
// The event loop: a thread waits for many calls at once and for the calls of clients, and
// is told of each as it comes.
//
//     interrupt_wait_begin(&wait, line);
//     capos_call_on_done(&wait, line_rang, driver);
//     capos_server_start(&server, endpoint, ...);
//     capos_loop_run();
//
// Callbacks run in capos_loop_run and capos_loop_step only, one at a time and in the order
// of the completions; never in the middle of another call.  They may make synchronous calls,
// begin others, answer, and stop the loop.
#pragma once

#include <capos/call.h>

// Asks to be told when a submitted call has completed.  `on_done` then ends the call by
// its generated _finish function, which doesn't wait.  Of a call that is waited for before,
// the loop doesn't tell.
void capos_call_on_done(struct capos_call *call,
                        void (*on_done)(struct capos_call *call, void *context), void *context);

// Tells of what comes until capos_loop_stop, or until nothing is under way that could come;
// waits in between.
void capos_loop_run(void);
// Makes capos_loop_run return after the callback that called it.
void capos_loop_stop(void);

// Tells of what is there now; waits for something first if `wait` and if something is
// under way.
void capos_loop_step(bool wait);
