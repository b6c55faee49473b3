// SPDX-License-Identifier: MIT
// Starting programs: the loader of every parent.
//
//     struct capos_spawner spawner;
//     struct capos_image image;
//     struct capos_process process;
//     capos_spawner_find(&spawner);
//     capos_image_open(&image, &spawner, file, size_bytes);
//     capos_spawn(&spawner, &image, &(struct capos_spawn_request){...}, &process);
//     process_handle_wait(process.handle, ...);
//
// A program gets what the request grants and nothing else.  An image can be started any
// number of times; its read-only pages are shared by all its processes and the file.
#pragma once

#include <capos/call.h>
#include <gen/capos/caps.h>
#include <gen/wire/thread.h>
#include <lib/elf.h>

// What a parent needs for starting programs, all of it lent.
struct capos_spawner {
    process_spawner_cap spawner;
    virtual_memory_cap memory;  // of the parent
    thread_control_cap thread;  // id 0: the parent has none to hand on
    park_space_cap park;        // the same
    entropy_source_cap entropy; // id 0: random numbers derive from the parent's own
    // Private: random numbers in stock.
    uint64_t random[60]; // so many that the kernel's generator wastes nothing
    uint32_t random_count;
};

// Finds them in the CapSet under "spawner", "memory" and, if they are there, "thread",
// "park" and "entropy".
// STATUS_NOT_FOUND, STATUS_WRONG_INTERFACE: of the first two.
[[nodiscard]] enum status capos_spawner_find(struct capos_spawner *out_spawner);

// A program's file, mapped and understood.
struct capos_image {
    memory_object_cap object; // lent; it must live as long as the image
    const uint8_t *file;      // its mapping in the parent, read-only
    uint64_t mapped_bytes;
    struct elf_image elf;
    enum elf_error elf_error; // why capos_image_open said STATUS_BAD_MESSAGE
};

// Maps the file and reads its headers.  STATUS_BAD_MESSAGE: it is no capOS program;
// out_image->elf_error says how, elf_error_text in words.  Else as VirtualMemory.map.
[[nodiscard]] enum status capos_image_open(struct capos_image *out_image,
                                           const struct capos_spawner *spawner,
                                           memory_object_cap object, uint64_t size_bytes);
// Unmaps the file.  Its processes go on.
void capos_image_close(struct capos_image *image, const struct capos_spawner *spawner);

struct capos_spawn_grant {
    const char *name; // 1 to 31 bytes, unique in the request
    struct capos_transfer capability;
};

constexpr uint32_t CAPOS_SPAWN_OWN_GRANTS_MAX = 3;

// Writes the grants that a program needs for itself and that concern nobody else: "memory",
// and "thread" and "park" if the parent has them.  Returns their number.  They are copies of the
// parent's own capabilities, for these mean whoever calls.
[[nodiscard]] uint32_t capos_spawn_own_grants(const struct capos_spawner *spawner,
                                              struct capos_spawn_grant *out_grants);

// Where the kernel records the calls of a process; see ProcessBuilder.trace.
struct capos_spawn_trace {
    memory_object_cap buffer;
    notification_cap notification;
    uint64_t bits;
    uint32_t capture_bytes;
};

// How the first thread is scheduled; see ProcessBuilder.schedule.
struct capos_spawn_schedule {
    thread_spawner_cap bounds; // what allows it, lent
    uint8_t priority;          // 1 to the bound
    enum latency_class latency_class;
};

struct capos_spawn_request {
    const char *name;         // for people, at most 63 bytes
    memory_budget_cap budget; // what the process's memory is charged to
    const struct capos_spawn_grant *grants;
    const char *const *arguments;   // argv
    const char *const *environment; // "NAME=value" each
    uint32_t grant_count;
    uint32_t argument_count;
    uint32_t environment_count;
    uint64_t stack_bytes;                        // 0: what the program asks for, or 256 KiB
    const struct capos_spawn_trace *trace;       // nullptr: none
    const struct capos_spawn_schedule *schedule; // nullptr: as every thread
};

struct capos_process {
    process_handle_cap handle; // owned by the caller
    uint64_t load_bias;        // added to each address in the file
};

// Builds and starts a process.  Waits for nothing but the kernel.  On failure nothing is
// left; capabilities to be moved may be gone.
// STATUS_INVALID_ARGUMENT: arguments and environment exceed 1 MiB; else the first failure of
// the kernel, whose reason capos_last_exception() has.
[[nodiscard]] enum status capos_spawn(struct capos_spawner *spawner,
                                      const struct capos_image *image,
                                      const struct capos_spawn_request *request,
                                      struct capos_process *out_process);
