// SPDX-License-Identifier: MIT
// ramfs: directories in memory.
//
// The export with the word 1 is the Ramfs: who holds it has directories made, each charged
// to a budget that the caller hands over.  The export with the word 2 is one Directory that is
// there from the start, charged to the service, if an argument says how large it may be:
//
//     scratch=BYTES
//
//     pages.c  the memory of one file system
//     files.c  files, directories and symlinks in it
//
// Grants: memory, budget, endpoint; timer, for the times of files.
// Tested by model_test.c on the host and by tests/system/files_test.c.
#include "files.h"

#include <capos/capset.h>
#include <capos/loop.h>
#include <capos/panic.h>
#include <capos/server.h>

#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/ramfs.h>
#include <gen/capos/timer.h>
#include <gen/capos/virtual_memory.h>
#include <stdlib.h>
#include <string.h>

constexpr uint64_t WORD_SCRATCH = 2;
constexpr uint64_t SIZE_BYTES_MIN = 65536;
constexpr uint64_t SIZE_BYTES_MAX = UINT64_C(1) << 36;
constexpr uint32_t FILE_SYSTEMS_MAX = 64;
constexpr uint32_t HANDLES_MAX = 4096; // of each, so that one leaves room for others

struct file_system {
    struct files files;
    memory_budget_cap budget;
};

static virtual_memory_cap memory;
static timer_cap timer; // 0: no times
static uint32_t file_system_count;

// ---- What files.c takes from the machine ---------------------------------------------

static int64_t now(void)
{
    uint64_t time_ns;
    return timer.id != 0 && timer_now(timer, &time_ns) == STATUS_OK ? (int64_t)time_ns : 0;
}

static void *chunk_get(void *context, uint32_t page_count, uint64_t *out_object)
{
    struct file_system *system = context;
    uint64_t size_bytes = (uint64_t)page_count * PAGES_BYTES, address;
    memory_object_cap object;
    if (memory_budget_create_memory_object(system->budget, size_bytes, &object) != STATUS_OK)
        return nullptr;
    if (virtual_memory_map(memory, object, 0, size_bytes, 0, PROTECTION_READ_WRITE, &address) !=
        STATUS_OK) {
        memory_object_cap_release(&object);
        return nullptr;
    }
    *out_object = object.id;
    return (void *)address;
}

static void chunk_put(void *, void *chunk, uint32_t page_count, uint64_t object)
{
    if (virtual_memory_unmap(memory, (uint64_t)chunk, (uint64_t)page_count * PAGES_BYTES) !=
        STATUS_OK)
        capos_panic("ramfs: a chunk can't be unmapped");
    capos_release(object);
}

// No page is writable and executable, so what is mapped for reading alone may be run.
static uint64_t chunk_view(uint64_t object, uint32_t first_page, uint32_t page_count,
                           bool writable)
{
    memory_object_cap view;
    enum status status =
        memory_object_view((memory_object_cap){object}, (uint64_t)first_page * PAGES_BYTES,
                           (uint64_t)page_count * PAGES_BYTES, writable, !writable, &view);
    return status == STATUS_OK ? view.id : 0;
}

// ---- File systems --------------------------------------------------------------------

static void file_system_destroy(struct files *files)
{
    struct file_system *system = container_of(files, struct file_system, files);
    files_fini(files);
    memory_budget_cap_release(&system->budget);
    free(system);
    file_system_count--;
}

// Takes the budget.  nullptr: there is no room.
static struct file_system *file_system_create(memory_budget_cap budget, uint64_t size_bytes)
{
    struct file_system *system =
        file_system_count < FILE_SYSTEMS_MAX ? calloc(1, sizeof *system) : nullptr;
    if (system == nullptr) {
        memory_budget_cap_release(&budget);
        return nullptr;
    }
    system->budget = budget;
    system->files.now = now;
    system->files.view = chunk_view;
    system->files.unused = file_system_destroy;
    const struct pages_source source = {chunk_get, chunk_put, system};
    file_system_count++;
    if (!files_init(&system->files, &source, (uint32_t)(size_bytes / PAGES_BYTES))) {
        memory_budget_cap_release(&budget);
        free(system);
        file_system_count--;
        return nullptr;
    }
    system->files.tree.handle_count_max = HANDLES_MAX;
    return system;
}

static void on_create(void *, struct capos_server_call *call,
                      const struct ramfs_create_params *params)
{
    memory_budget_cap budget;
    if (params->size_bytes % PAGES_BYTES != 0 || params->size_bytes < SIZE_BYTES_MIN ||
        params->size_bytes > SIZE_BYTES_MAX) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT,
                          "sizeBytes: a multiple of 4096 from 65536 to 2^36");
        return;
    }
    if (capos_server_take(call, params->budget, INTERFACE_MEMORY_BUDGET, &budget.id) !=
        STATUS_OK) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT, "budget: a MemoryBudget");
        return;
    }
    struct file_system *system = file_system_create(budget, params->size_bytes);
    capos_cap_id directory = 0;
    enum status status = STATUS_OVERLOADED;
    if (system != nullptr)
        status = tree_mint(&system->files.tree, system->files.tree.root, INTERFACE_DIRECTORY,
                           &directory);
    if (system != nullptr && status != STATUS_OK)
        file_system_destroy(&system->files);
    if (status != STATUS_OK) {
        capos_server_fail(call, STATUS_OVERLOADED,
                          "the budget has no memory, or the service no room");
        return;
    }
    struct capos_transfer transfer = capos_transfer_move(directory);
    ramfs_create_reply(call, &(struct ramfs_create_results){.directory = 0}, &transfer, 1);
}

static void on_call(void *, struct capos_server_call *call)
{
    static const struct ramfs_server_ops ops = {.create = on_create};
    if (call->interface_id == INTERFACE_RAMFS)
        ramfs_serve(&ops, nullptr, call);
    else
        tree_serve(call);
}

// ---- Start ---------------------------------------------------------------------------

static void scratch_create(memory_budget_cap budget, const char *size)
{
    uint64_t size_bytes = strtoull(size, nullptr, 10);
    if (size_bytes < SIZE_BYTES_MIN || size_bytes > SIZE_BYTES_MAX)
        capos_panic("ramfs: scratch=%s: 65536 to 2^36", size);
    struct file_system *system = file_system_create(budget, size_bytes);
    if (system == nullptr)
        capos_panic("ramfs: no memory for scratch");
    tree_export(WORD_SCRATCH, &system->files.tree, system->files.tree.root);
}

int main(int argc, char **argv)
{
    capos_cap_id endpoint;
    memory_budget_cap budget;
    if (capos_find("endpoint", INTERFACE_ENDPOINT, &endpoint) != STATUS_OK ||
        virtual_memory_cap_find("memory", &memory) != STATUS_OK ||
        memory_budget_cap_find("budget", &budget) != STATUS_OK)
        capos_panic("ramfs: needs memory, budget and endpoint");
    if (timer_cap_find("timer", &timer) != STATUS_OK)
        timer.id = 0;
    if (tree_service_start(endpoint, memory.id, on_call, nullptr) != STATUS_OK)
        capos_panic("ramfs: can't serve");
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "scratch=", 8) != 0)
            capos_panic("ramfs: what is the argument \"%s\"?", argv[i]);
        scratch_create(budget, argv[i] + 8);
    }
    capos_loop_run();
    return 0;
}
