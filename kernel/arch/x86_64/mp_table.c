// SPDX-License-Identifier: MIT
// The table of CPUs that came before ACPI's, which the firmware of QEMU's microvm writes.
// Reference: Intel MultiProcessor Specification 1.4, section 4.
#include <kernel/arch/x86_64/mp_table.h>

#include <kernel/arch/x86_64/kernel_map.h>

// Where the pointer to the table may be, on 16-byte boundaries: the last KiB of low memory, and
// the BIOS's ROM.
static const struct {
    paddr_t start, end;
} places[] = {{0x9fc00, 0xa0000}, {0xf0000, 0x100000}};

struct mp_pointer {
    char signature[4]; // "_MP_"
    uint32_t table;
    uint8_t size_in_16_bytes;
    uint8_t revision;
    uint8_t checksum; // all bytes add up to 0
    uint8_t features[5];
};
static_assert(sizeof(struct mp_pointer) == 16);

struct mp_header {
    char signature[4]; // "PCMP"
    uint16_t size_bytes;
    uint8_t revision;
    uint8_t checksum;
    uint8_t product[20];
    uint32_t oem_table;
    uint16_t oem_table_bytes;
    uint16_t entry_count; // not relied upon
    uint32_t apic;
    uint32_t reserved;
};
static_assert(sizeof(struct mp_header) == 44);

constexpr uint8_t MP_CPU = 0; // kind; entries of all other kinds have 8 bytes
constexpr uint8_t MP_CPU_ENABLED = 1;

struct mp_cpu {
    uint8_t kind;
    uint8_t apic_id;
    uint8_t apic_version;
    uint8_t flags;
    uint8_t rest[16];
};
static_assert(sizeof(struct mp_cpu) == 20);

static bool adds_up(paddr_t at, uint32_t size_bytes)
{
    uint8_t sum = 0;
    for (uint32_t i = 0; i < size_bytes; i++) {
        uint8_t byte;
        physical_read(&byte, at + i, 1);
        sum = (uint8_t)(sum + byte);
    }
    return sum == 0;
}

// The address of the table; 0 if there is none.
static paddr_t find_table(void)
{
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        for (paddr_t at = places[i].start; at < places[i].end;
             at += sizeof(struct mp_pointer)) {
            struct mp_pointer pointer;
            physical_read(&pointer, at, sizeof(pointer));
            if (__builtin_memcmp(pointer.signature, "_MP_", 4) == 0 && pointer.table != 0 &&
                adds_up(at, sizeof(pointer)))
                return pointer.table;
        }
    return 0;
}

void mp_table_read(struct acpi_cpus *cpus)
{
    paddr_t table = find_table();
    struct mp_header header;
    if (table == 0)
        return;
    physical_read(&header, table, sizeof(header));
    if (__builtin_memcmp(header.signature, "PCMP", 4) != 0 ||
        header.size_bytes < sizeof(header) || !adds_up(table, header.size_bytes))
        return;
    paddr_t at = table + sizeof(header), end = table + header.size_bytes;
    // CPUs come first.  The header's count of entries is left out: qboot writes 0.
    while (end - at >= sizeof(struct mp_cpu)) {
        struct mp_cpu cpu;
        physical_read(&cpu, at, sizeof(cpu));
        if (cpu.kind != MP_CPU)
            return;
        if (cpu.flags & MP_CPU_ENABLED)
            acpi_cpus_add(cpus, cpu.apic_id);
        at += sizeof(cpu);
    }
}
