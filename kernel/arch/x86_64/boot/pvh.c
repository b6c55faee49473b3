// SPDX-License-Identifier: MIT
// The PVH boot protocol: `qemu -kernel`, microvm, Cloud Hypervisor, Firecracker.
// Reference: Xen, xen/include/public/arch-x86/hvm/start_info.h.
#include <kernel/arch/x86_64/boot/boot.h>
#include <kernel/arch/x86_64/kernel_map.h>
#include <kernel/debug/panic.h>

constexpr uint32_t PVH_MAGIC = 0x336ec578;
constexpr uint32_t PVH_ENTRY_COUNT_MAX = 512; // of a memory map

struct pvh_start_info {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t module_count;
    uint64_t modules;      // physical address
    uint64_t command_line; // physical address
    uint64_t rsdp;         // physical address
    // From version 1 on:
    uint64_t memory_map; // physical address
    uint32_t memory_map_entries;
    uint32_t reserved;
};
static_assert(sizeof(struct pvh_start_info) == 56);

struct pvh_module {
    uint64_t address;
    uint64_t size_bytes;
    uint64_t command_line;
    uint64_t reserved;
};
static_assert(sizeof(struct pvh_module) == 32);

struct pvh_memory_entry {
    uint64_t base;
    uint64_t size_bytes;
    uint32_t kind;
    uint32_t reserved;
};
static_assert(sizeof(struct pvh_memory_entry) == 24);

void pvh_read(uint64_t start_info, struct boot_facts *out_facts)
{
    struct pvh_start_info info;
    physical_read(&info, start_info, sizeof(info));
    if (info.magic != PVH_MAGIC || info.version < 1)
        PANIC("PVH: no start info of version 1 or later at 0x%llx",
              (unsigned long long)start_info);

    for (uint32_t i = 0; i < info.memory_map_entries && i < PVH_ENTRY_COUNT_MAX; i++) {
        struct pvh_memory_entry entry;
        physical_read(&entry, info.memory_map + i * sizeof(entry), sizeof(entry));
        boot_facts_add(out_facts, entry.kind, entry.base, entry.size_bytes);
    }
    if (info.module_count > 0) {
        struct pvh_module module;
        physical_read(&module, info.modules, sizeof(module));
        out_facts->package = (struct boot_range){module.address, module.size_bytes};
    }
    if (info.command_line != 0)
        boot_facts_set_command_line(out_facts, info.command_line, UINT64_MAX);
    if (info.rsdp != 0)
        boot_facts_set_rsdp(out_facts, info.rsdp);
}
