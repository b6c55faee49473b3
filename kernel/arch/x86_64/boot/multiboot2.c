// SPDX-License-Identifier: MIT
// The Multiboot2 protocol: GRUB, from BIOS and UEFI.
// Reference: Multiboot2 Specification 2.0, section 3.6.
#include <kernel/arch/x86_64/boot/boot.h>
#include <kernel/arch/x86_64/kernel_map.h>
#include <kernel/debug/panic.h>

enum multiboot2_tag_kind : uint32_t {
    TAG_END = 0,
    TAG_COMMAND_LINE = 1,
    TAG_MODULE = 3,
    TAG_MEMORY_MAP = 6,
    TAG_RSDP_1 = 14, // a copy of an ACPI 1.0 RSDP
    TAG_RSDP_2 = 15, // a copy of an ACPI 2.0 RSDP
};

struct multiboot2_information {
    uint32_t size_bytes; // with this header
    uint32_t reserved;
};

struct multiboot2_tag {
    uint32_t kind;
    uint32_t size_bytes; // with this header; the next tag starts at a multiple of 8
};

struct multiboot2_module {
    uint32_t start;
    uint32_t end;
};

struct multiboot2_memory_map {
    uint32_t entry_bytes;
    uint32_t entry_version;
};

struct multiboot2_memory_entry {
    uint64_t base;
    uint64_t size_bytes;
    uint32_t kind;
    uint32_t reserved;
};
static_assert(sizeof(struct multiboot2_memory_entry) == 24);

static void read_memory_map(uint64_t body, uint64_t body_bytes, struct boot_facts *facts)
{
    struct multiboot2_memory_map header;
    struct multiboot2_memory_entry entry;
    if (body_bytes < sizeof(header))
        return;
    physical_read(&header, body, sizeof(header));
    if (header.entry_bytes < sizeof(entry))
        return;
    for (uint64_t at = sizeof(header); body_bytes - at >= sizeof(entry);) {
        physical_read(&entry, body + at, sizeof(entry));
        boot_facts_add(facts, entry.kind, entry.base, entry.size_bytes);
        if (body_bytes - at < header.entry_bytes)
            return;
        at += header.entry_bytes;
    }
}

static void read_module(uint64_t body, uint64_t body_bytes, struct boot_facts *facts)
{
    struct multiboot2_module module;
    if (body_bytes < sizeof(module) || facts->package.size_bytes != 0)
        return;
    physical_read(&module, body, sizeof(module));
    if (module.end > module.start)
        facts->package = (struct boot_range){module.start, module.end - module.start};
}

static void read_tag(enum multiboot2_tag_kind kind, uint64_t body, uint64_t body_bytes,
                     struct boot_facts *facts)
{
    switch (kind) {
    case TAG_COMMAND_LINE:
        boot_facts_set_command_line(facts, body, body_bytes);
        break;
    case TAG_MODULE:
        read_module(body, body_bytes, facts);
        break;
    case TAG_MEMORY_MAP:
        read_memory_map(body, body_bytes, facts);
        break;
    case TAG_RSDP_1:
    case TAG_RSDP_2:
        boot_facts_set_rsdp(facts, body);
        break;
    default:
        break;
    }
}

void multiboot2_read(uint64_t information, struct boot_facts *out_facts)
{
    struct multiboot2_information header;
    physical_read(&header, information, sizeof(header));
    if (header.size_bytes < sizeof(header) || information % 8 != 0)
        PANIC("Multiboot2: no information at 0x%llx", (unsigned long long)information);

    for (uint64_t at = sizeof(header);
         at + sizeof(struct multiboot2_tag) <= header.size_bytes;) {
        struct multiboot2_tag tag;
        physical_read(&tag, information + at, sizeof(tag));
        if (tag.kind == TAG_END || tag.size_bytes < sizeof(tag) ||
            tag.size_bytes > header.size_bytes - at)
            break;
        read_tag(tag.kind, information + at + sizeof(tag), tag.size_bytes - sizeof(tag),
                 out_facts);
        at += (tag.size_bytes + 7ull) & ~7ull;
    }
}
