// SPDX-License-Identifier: MIT
// BootPackage: the files that the machine was started with (interface:
// schema/boot_package.capnp; format: abi/boot_package.h).
//
// The package stays where the boot loader put it, in RAM that the frame allocator never
// manages; files are mapped from there.
//
// Invariant: the package was checked once (lib/boot_package.h) and nobody can write to
// it, so what it says of itself holds for ever.
//
// Tested in boot_package_test.c here, and the format in lib/boot_package_test.c.
#include <gen/kernel/boot_package.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/invocation.h>
#include <kernel/mm/memory_object.h>
#include <kernel/mm/slab.h>
#include <kernel/object/roots.h>
#include <kernel/sched/process.h>
#include <kernel/upcall.h>
#include <lib/boot_package.h>

struct boot_files { // struct boot_package is the format's
    struct object object;
    struct budget *budget; // referenced
    const struct capos_boot_package *package;
    paddr_t base;
    uint32_t command_line_bytes;
    char command_line[BOOT_PACKAGE_INFO_RESULTS_COMMAND_LINE_BYTES_MAX];
};

static struct slab_cache boot_files = SLAB_CACHE(struct boot_files);

static struct boot_files *files_of(struct object *object)
{
    return (struct boot_files *)object;
}
static_assert(offsetof(struct boot_files, object) == 0);

static void boot_package_destroy(struct object *self)
{
    struct budget *budget = files_of(self)->budget;
    slab_put(&boot_files, budget, files_of(self));
    object_put(&budget->object);
}

static const struct object_type boot_package_type = {
    .dispatch = &boot_package_dispatch,
    .destroy = boot_package_destroy,
};

static uint32_t length_up_to(const char *text, uint32_t bytes_max)
{
    uint32_t length = 0;
    while (length < bytes_max && text[length] != '\0')
        length++;
    return length;
}

struct object *boot_package_create(struct budget *budget, const struct boot_info *info)
{
    if (info->package.size_bytes == 0 || info->package.base % PAGE_BYTES != 0)
        return nullptr;
    const void *package = arch_frame_pointer(info->package.base);
    if (!boot_package_check(package, info->package.size_bytes))
        return nullptr;
    struct boot_files *files = slab_get(&boot_files, budget);
    if (files == nullptr)
        return nullptr;
    object_init(&files->object, &boot_package_type);
    files->budget = budget;
    object_get(&budget->object);
    files->package = package;
    files->base = info->package.base;
    files->command_line_bytes = length_up_to(info->command_line, sizeof files->command_line);
    __builtin_memcpy(files->command_line, info->command_line, files->command_line_bytes);
    return &files->object;
}

enum status boot_package_info(struct object *self, struct invocation *,
                              struct boot_package_info_results *out_results)
{
    const struct boot_files *files = files_of(self);
    *out_results = (struct boot_package_info_results){
        .entry_count = boot_package_count(files->package),
        .command_line = {files->command_line, files->command_line_bytes},
    };
    return STATUS_OK;
}

enum status boot_package_entry(struct object *self, struct invocation *invocation,
                               const struct boot_package_entry_params *params,
                               struct boot_package_entry_results *out_results)
{
    const struct capos_boot_entry *entry =
        boot_package_at(files_of(self)->package, params->index);
    if (entry == nullptr)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "index: 0 to entryCount - 1");
    *out_results = (struct boot_package_entry_results){
        .name = {entry->name, length_up_to(entry->name, sizeof entry->name)},
        .size_bytes = entry->size_bytes,
    };
    return STATUS_OK;
}

// A file's pages.  An empty file has none in the package and gets a fresh one, for an
// object isn't empty.  nullptr when the budget is exhausted.
static struct memory_object *file_pages(const struct boot_files *files,
                                        const struct capos_boot_entry *entry,
                                        struct budget *budget)
{
    if (entry->size_bytes > 0) {
        // The check made sure that the padded file lies within the package.
        uint64_t size_bytes = (entry->size_bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
        return memory_object_create_physical(budget, files->base + entry->offset_bytes,
                                             size_bytes, /*writable=*/false,
                                             /*executable=*/true, PAGE_CACHED);
    }
    struct memory_object *page = memory_object_create(budget, PAGE_BYTES);
    if (page == nullptr)
        return nullptr;
    struct memory_object *view = memory_object_create_view(
        budget, page, 0, PAGE_BYTES, /*writable=*/false, /*executable=*/true);
    object_put(memory_object_as_object(page)); // the view refers to it
    return view;
}

enum status boot_package_open(struct object *self, struct invocation *invocation,
                              const struct boot_package_open_params *params,
                              struct boot_package_open_results *out_results)
{
    const struct boot_files *files = files_of(self);
    const struct capos_boot_entry *entry =
        boot_package_find(files->package, params->name.text, params->name.size_bytes);
    if (entry == nullptr)
        return invocation_fail(invocation, STATUS_FAILED,
                               "name: no file of this name is in the boot package");

    struct memory_object *object = file_pages(files, entry, invocation->process->budget);
    if (object == nullptr)
        return invocation_fail(invocation, STATUS_OVERLOADED,
                               "the caller's memory budget is exhausted");
    out_results->object =
        invocation_add_capability(invocation, memory_object_as_object(object));
    out_results->size_bytes = entry->size_bytes;
    return STATUS_OK;
}
