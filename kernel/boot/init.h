// SPDX-License-Identifier: MIT
// Loading init, the one program that the kernel loads (boot/init.c).
#pragma once

struct boot_info;
struct process;

// Loads the file "init" of the boot package into the process and starts it.  Panics with
// the reason when that can't be done: then there is nothing to run.
void init_start(struct process *process, const struct boot_info *info);
