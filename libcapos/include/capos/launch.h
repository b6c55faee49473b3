// SPDX-License-Identifier: MIT
// Starting programs through a RestrictedLauncher: for who may start some programs and holds no
// ProcessSpawner.
//
//     restricted_launcher_cap launcher;
//     process_handle_cap process;
//     const char *const arguments[] = {"3"};
//     restricted_launcher_cap_find("launcher", &launcher);
//     capos_launch(launcher,
//                  &(struct capos_launch_request){
//                      .program = "exitcode", .arguments = arguments, .argument_count = 1},
//                  &process, nullptr);
//     process_handle_wait(process, ...);
#pragma once

#include <gen/capos/caps.h>
#include <gen/status.h>
#include <stdint.h>

struct capos_launch_request {
    const char *program;          // one that the launcher may start
    const char *const *arguments; // argv from argv[1] on
    const char *const *grants;    // names, of what the launcher's service hands on
    uint32_t argument_count;
    uint32_t grant_count;
    uint64_t budget_bytes; // a multiple of 4096; 0: as much as the launcher gives to one
};

// Starts a program.  The handle is the caller's own.  Waits for the launcher's service.
// STATUS_INVALID_ARGUMENT: as RestrictedLauncher.launch says, or a text has a newline or they
// are too long together; STATUS_OVERLOADED: the service has too little memory; else as any
// call on a service.  capos_last_exception() has the reason, unless a text was wrong here:
// then *out_problem (may be null) says it, else it is nullptr.
[[nodiscard]] enum status capos_launch(restricted_launcher_cap launcher,
                                       const struct capos_launch_request *request,
                                       process_handle_cap *out_process,
                                       const char **out_problem);
