// SPDX-License-Identifier: MIT
// One virtual machine: a QEMU process and the sockets that lead into it.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct storage;

struct machine_config {
    const char *kernel_path;
    int package_fd; // the boot package
    uint32_t memory_mib;
    uint32_t cpu_count;
    // Where it waits, stopped, for gdb: a port, or the path of a socket; nullptr: it doesn't.
    const char *gdb;
    bool verbose; // shows the command
    const struct storage *storage;
    const char *const *extra_arguments;
    uint32_t extra_argument_count;
};

struct machine {
    pid_t pid;
    int link_fd;   // the host link; non-blocking
    int serial_fd; // what the kernel prints; non-blocking
    int stderr_fd; // what QEMU itself prints; non-blocking
};

// Why /dev/kvm can't be used for machines, or nullptr if it can.
[[nodiscard]] const char *machine_kvm_problem(void);

// Whether the extra arguments ask for what KVM can't do: -icount and -plugin count the
// instructions of an emulated CPU; -accel chooses for itself.
[[nodiscard]] bool machine_needs_emulation(const struct machine_config *config);

// Starts QEMU.  nullptr, or why it could not be started.  The process dies with ours,
// even if we are killed.
[[nodiscard]] const char *machine_start(const struct machine_config *config,
                                        struct machine *out_machine);

// Ends the machine at once and reaps the process.
void machine_end(struct machine *machine);
