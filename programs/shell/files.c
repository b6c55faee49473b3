// SPDX-License-Identifier: MIT
// Reads programs' files and lists directories; see files.h.
#include "files.h"

#include <capos/file.h>

#include <gen/capos/boot_package.h>
#include <gen/capos/virtual_memory.h>
#include <gen/interfaces.h>
#include <lib/elf.h>

#include "problem.h"

constexpr uint64_t PAGE = 4096;

uint32_t files_operands(void *, const char *name, uint32_t name_bytes)
{
    boot_package_cap boot;
    virtual_memory_cap memory;
    memory_object_cap object;
    uint64_t bytes, address;
    if (boot_package_cap_find("boot", &boot) != STATUS_OK ||
        virtual_memory_cap_find("memory", &memory) != STATUS_OK ||
        boot_package_open(boot, name, name_bytes, &object, &bytes) != STATUS_OK)
        return 0;
    uint64_t mapped_bytes = (bytes + PAGE - 1) & ~(PAGE - 1);
    enum status status =
        virtual_memory_map(memory, object, 0, mapped_bytes, 0, PROTECTION_READ, &address);
    memory_object_cap_release(&object);
    if (status != STATUS_OK)
        return 0;
    uint32_t operands = elf_operands((const void *)address, bytes);
    (void)virtual_memory_unmap(memory, address, mapped_bytes);
    return operands;
}

static uint32_t list(const struct capos_directory *directory,
                     bool (*take)(void *taker, const char *name, bool is_directory),
                     void *taker)
{
    struct capos_listing listing;
    static struct capos_listing_entry entry;
    uint32_t error = capos_listing_open(directory, &listing);
    if (error != 0)
        return error;
    while ((error = capos_listing_next(&listing, &entry)) == 0 && entry.name_bytes != 0 &&
           take(taker, entry.name, entry.kind == FILE_KIND_DIRECTORY))
        ;
    capos_listing_close(&listing);
    return error;
}

bool files_entries(void *, const struct value *directory, const char *path,
                   bool (*take)(void *taker, const char *name, bool is_directory), void *taker,
                   struct value_problem *problem)
{
    const struct capos_directory held = {.id = directory->number,
                                         .read_only = directory->interface_id ==
                                                      INTERFACE_READ_ONLY_DIRECTORY};
    struct capos_directory opened;
    uint32_t error = capos_directory_open(&held, path, &opened);
    if (error == 0) {
        if (take != nullptr)
            error = list(&opened, take, taker);
        capos_directory_close(&opened);
    }
    return error == 0 || problem_set(problem, "%s: %s", path, capos_file_error_text(error));
}
