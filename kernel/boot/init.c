// SPDX-License-Identifier: MIT
// Loading init.  See init.h.
//
// Read-only pages of the file are mapped from the boot package; writable ones are copied into
// fresh memory.  What init finds at its entry is what every program finds (abi/startup.h).

#include <kernel/boot/init.h>

#include <abi/startup.h>
#include <kernel/debug/panic.h>
#include <kernel/mm/memory_object.h>
#include <kernel/object/entropy_source.h>
#include <kernel/sched/process.h>
#include <kernel/upcall.h>
#include <lib/boot_package.h>
#include <lib/elf.h>
#include <lib/string.h>

constexpr uint64_t INIT_STACK_BYTES = 64 * 1024;

// Everything here happens once, on a machine that can't run without it.
static void require(enum status status, const char *what, const char *reason)
{
    if (status != STATUS_OK)
        PANIC("init: %s: %s", what, reason == nullptr ? status_name(status) : reason);
}

static const struct capos_boot_entry *init_find(const struct boot_info *info)
{
    if (info->package.size_bytes == 0)
        PANIC("no boot package: start the machine with one (-initrd, or a boot module)");
    const struct capos_boot_package *package = arch_frame_pointer(info->package.base);
    if (!boot_package_check(package, info->package.size_bytes))
        PANIC("the boot module isn't a capOS boot package, or it is damaged");
    const struct capos_boot_entry *entry = boot_package_find(package, "init", 4);
    if (entry == nullptr)
        PANIC("the boot package has no file named init");
    return entry;
}

static uint64_t reserve_anywhere(struct space *space, uint64_t length_bytes, const char *what)
{
    uint64_t address;
    const char *reason = nullptr;
    require(space_reserve(space, length_bytes, 0, 0, &address, &reason), what, reason);
    return address;
}

static void commit(struct space *space, uint64_t address, uint64_t length_bytes,
                   const char *what)
{
    const char *reason = nullptr;
    require(space_commit(space, address, length_bytes, PROTECTION_READ_WRITE, &reason), what,
            reason);
}

static uint64_t page_down(uint64_t value)
{
    return value & ~(PAGE_BYTES - 1);
}

static uint64_t page_up(uint64_t value)
{
    return page_down(value + PAGE_BYTES - 1);
}

static void map_segment(struct process *process, const struct elf_segment *segment,
                        uint64_t bias, const uint8_t *file, paddr_t file_base)
{
    struct space *space = &process->space;
    uint64_t start = page_down(segment->address + bias);
    uint64_t end = page_up(segment->address + bias + segment->memory_bytes);
    if (segment->writable) {
        commit(space, start, end - start, "writable segment");
        require(space_copy_out(space, segment->address + bias, file + segment->file_offset,
                               segment->file_bytes),
                "writable segment", nullptr);
        return;
    }
    const char *reason = nullptr;
    if (segment->memory_bytes != segment->file_bytes)
        PANIC("init: a read-only segment is larger than its file part");
    require(space_unmap(space, start, end - start, &reason), "segment", reason);
    struct memory_object *pages = memory_object_create_physical(
        process->budget, file_base + page_down(segment->file_offset), end - start, false,
        segment->executable, PAGE_CACHED);
    if (pages == nullptr)
        PANIC("init: no memory for its pages");
    uint64_t address;
    require(space_map(space, pages, 0, end - start, start,
                      segment->executable ? PROTECTION_READ_EXECUTE : PROTECTION_READ, &address,
                      &reason),
            "segment", reason);
    object_put(memory_object_as_object(pages));
}

// What lies at the address that init gets in RDX.
struct startup_block {
    struct capos_startup startup;
    uint64_t arguments[2];   // "init", 0
    uint64_t environment[1]; // 0
    char name[8];
};

static uint64_t map_startup(struct space *space, const struct elf_image *image, uint64_t bias,
                            uint64_t stack)
{
    uint64_t address = reserve_anywhere(space, PAGE_BYTES, "startup block");
    commit(space, address, PAGE_BYTES, "startup block");
    struct startup_block block = {
        .startup =
            {
                .magic = CAPOS_STARTUP_MAGIC,
                .block_bytes = sizeof block,
                .image_base = image->low_address + bias,
                .image_bias = bias,
                .image_bytes = image->high_address - image->low_address,
                .tls_file = image->tls_bytes == 0 ? 0 : image->tls_file.address + bias,
                .tls_file_bytes = image->tls_file.bytes,
                .tls_bytes = image->tls_bytes,
                .tls_alignment = image->tls_alignment,
                .relro = image->relro.bytes == 0 ? 0 : image->relro.address + bias,
                .relro_bytes = image->relro.bytes,
                .stack_base = stack,
                .stack_bytes = INIT_STACK_BYTES,
                .argument_count = 1,
                .arguments = address + offsetof(struct startup_block, arguments),
                .environment = address + offsetof(struct startup_block, environment),
            },
        .arguments = {address + offsetof(struct startup_block, name)},
        .name = "init",
    };
    entropy_fill(&block.startup.canary, sizeof block.startup.canary);
    require(space_copy_out(space, address, &block, sizeof block), "startup block", nullptr);
    return address;
}

void init_start(struct process *process, const struct boot_info *info)
{
    const struct capos_boot_entry *entry = init_find(info);
    const uint8_t *file =
        (const uint8_t *)arch_frame_pointer(info->package.base) + entry->offset_bytes;
    struct elf_image image;
    enum elf_error error = elf_parse(file, entry->size_bytes, &image);
    if (error != ELF_OK)
        PANIC("init: %s", elf_error_text(error));
    struct space *space = &process->space;
    uint64_t span_bytes = image.high_address - image.low_address;
    uint64_t bias = reserve_anywhere(space, span_bytes, "image") - image.low_address;
    for (uint32_t i = 0; i < image.segment_count; i++)
        map_segment(process, &image.segments[i], bias, file,
                    info->package.base + entry->offset_bytes);
    // The page below the stack stays reserved: the guard.
    uint64_t stack =
        reserve_anywhere(space, INIT_STACK_BYTES + PAGE_BYTES, "stack") + PAGE_BYTES;
    commit(space, stack, INIT_STACK_BYTES, "stack");
    uint64_t startup = map_startup(space, &image, bias, stack);
    if (process_start(process, image.entry + bias, stack + INIT_STACK_BYTES, startup) !=
        STATUS_OK)
        PANIC("init: no memory for its thread");
}
