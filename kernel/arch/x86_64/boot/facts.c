// SPDX-License-Identifier: MIT
// What both boot protocols have in common; see boot.h.
#include <kernel/arch/x86_64/boot/boot.h>
#include <kernel/arch/x86_64/kernel_map.h>

// Reference: ACPI Specification 6.5, 5.2.5.3.
struct acpi_rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision; // 2 and later: xsdt is there
    uint32_t rsdt;
    uint32_t size_bytes;
    uint64_t xsdt;
    uint8_t extended_checksum;
    uint8_t reserved[3];
} __attribute__((packed));
static_assert(sizeof(struct acpi_rsdp) == 36);

void boot_facts_add(struct boot_facts *facts, enum memory_kind kind, uint64_t base,
                    uint64_t size_bytes)
{
    switch (kind) {
    case MEMORY_RAM:
        memory_map_add(&facts->ram, base, size_bytes);
        break;
    case MEMORY_ACPI:
    case MEMORY_ACPI_NVS:
        memory_map_add(&facts->firmware_ram, base, size_bytes);
        break;
    default:
        memory_map_add(&facts->reserved, base, size_bytes);
        break;
    }
}

void boot_facts_set_command_line(struct boot_facts *facts, uint64_t text, uint64_t size_bytes)
{
    constexpr size_t length_max = sizeof(facts->command_line) - 1;
    size_t length = 0;
    while (length < length_max && length < size_bytes) {
        char c;
        physical_read(&c, text + length, 1);
        if (c == '\0')
            break;
        facts->command_line[length++] = c;
    }
    facts->command_line[length] = '\0';
}

void boot_facts_set_rsdp(struct boot_facts *facts, uint64_t rsdp)
{
    struct acpi_rsdp root;
    physical_read(&root, rsdp, sizeof(root));
    if (__builtin_memcmp(root.signature, "RSD PTR ", sizeof(root.signature)) != 0)
        return;
    if (root.revision >= 2 && root.xsdt != 0) {
        facts->acpi_root = root.xsdt;
        facts->acpi_root_is_xsdt = true;
    } else if (!facts->acpi_root_is_xsdt) {
        facts->acpi_root = root.rsdt;
    }
}
