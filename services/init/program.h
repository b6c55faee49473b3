// SPDX-License-Identifier: MIT
// The program that the machine was started for.
#pragma once

#include <capos/spawn.h>

// Runs the program of the request and reports its end.  Without a request that is the
// one that the boot command line names by "program=NAME", or "welcome".
void program_run(struct capos_spawner *spawner);
