// SPDX-License-Identifier: MIT
// See acpi.h.  Firmware's sizes and counts are bounded before they are followed.
// Reference: ACPI Specification 6.5, 5.2.6 to 5.2.8 (headers), 5.2.12 (MADT).
#include <kernel/arch/x86_64/acpi.h>

#include <kernel/arch/x86_64/cpu.h>
#include <kernel/arch/x86_64/kernel_map.h>

constexpr uint32_t TABLE_BYTES_MAX = 65536;
constexpr paddr_t IOAPIC_USUAL = 0xfec00000;

struct acpi_header {
    char signature[4];
    uint32_t size_bytes; // with this header
    uint8_t revision;
    uint8_t checksum; // all bytes add up to 0
    uint8_t rest[26];
};
static_assert(sizeof(struct acpi_header) == 36);

constexpr uint64_t MADT_ENTRIES = 44; // offset of the first
enum madt_kind : uint8_t {
    MADT_CPU = 0,
    MADT_IOAPIC = 1,
    MADT_OVERRIDE = 2,
    MADT_CPU_X2APIC = 9,
};

struct madt_entry {
    uint8_t kind;
    uint8_t size_bytes; // with this header
};

constexpr uint32_t MADT_CPU_ENABLED = 1;

struct madt_cpu {
    struct madt_entry entry;
    uint8_t processor;
    uint8_t apic_id;
    uint32_t flags;
};
static_assert(sizeof(struct madt_cpu) == 8);

struct madt_cpu_x2apic {
    struct madt_entry entry;
    uint16_t reserved;
    uint32_t apic_id;
    uint32_t flags;
    uint32_t processor;
};
static_assert(sizeof(struct madt_cpu_x2apic) == 16);

struct madt_ioapic {
    struct madt_entry entry;
    uint8_t id;
    uint8_t reserved;
    uint32_t registers;
    uint32_t line_base;
};
static_assert(sizeof(struct madt_ioapic) == 12);

struct madt_override {
    struct madt_entry entry;
    uint8_t bus;
    uint8_t source; // ISA line
    uint32_t line;
    uint16_t flags; // 1:0 polarity, 3:2 trigger; 1 high/edge, 3 low/level
} __attribute__((packed));
static_assert(sizeof(struct madt_override) == 10);

// Whether a table of a plausible size with a right checksum is there.
static bool table_valid(paddr_t table, struct acpi_header *out_header)
{
    physical_read(out_header, table, sizeof(*out_header));
    if (out_header->size_bytes < sizeof(*out_header) ||
        out_header->size_bytes > TABLE_BYTES_MAX)
        return false;
    uint8_t sum = 0;
    for (uint32_t done = 0; done < out_header->size_bytes;) {
        uint8_t part[256];
        uint32_t size = out_header->size_bytes - done;
        if (size > sizeof(part))
            size = sizeof(part);
        physical_read(part, table + done, size);
        for (uint32_t i = 0; i < size; i++)
            sum = (uint8_t)(sum + part[i]);
        done += size;
    }
    return sum == 0;
}

void acpi_cpus_add(struct acpi_cpus *cpus, uint32_t apic_id)
{
    // Firmware may list a CPU in both forms.
    for (unsigned i = 0; i < cpus->count; i++)
        if (cpus->apic_ids[i] == apic_id)
            return;
    cpus->found++;
    if (cpus->count < ARCH_CPU_COUNT_MAX)
        cpus->apic_ids[cpus->count++] = apic_id;
}

static void read_cpu(paddr_t entry, struct acpi_cpus *cpus)
{
    struct madt_cpu cpu;
    physical_read(&cpu, entry, sizeof(cpu));
    if (cpu.flags & MADT_CPU_ENABLED)
        acpi_cpus_add(cpus, cpu.apic_id);
}

static void read_cpu_x2apic(paddr_t entry, struct acpi_cpus *cpus)
{
    struct madt_cpu_x2apic cpu;
    physical_read(&cpu, entry, sizeof(cpu));
    // An APIC that isn't in x2APIC mode can't be told of more than 8 bits.
    if ((cpu.flags & MADT_CPU_ENABLED) && (cpu.apic_id < 255 || cpu_features.x2apic))
        acpi_cpus_add(cpus, cpu.apic_id);
}

static void read_ioapic(paddr_t entry, struct acpi_interrupts *interrupts)
{
    struct madt_ioapic ioapic;
    physical_read(&ioapic, entry, sizeof(ioapic));
    if (interrupts->ioapic_count == ACPI_IOAPIC_MAX || ioapic.line_base >= ARCH_IRQ_COUNT_MAX)
        return;
    unsigned index = interrupts->ioapic_count++;
    interrupts->ioapics[index].registers = ioapic.registers;
    interrupts->ioapics[index].line_base = ioapic.line_base;
}

static void read_override(paddr_t entry, struct acpi_interrupts *interrupts)
{
    struct madt_override override;
    physical_read(&override, entry, sizeof(override));
    if (override.line >= ARCH_IRQ_COUNT_MAX)
        return;
    static const enum acpi_polarity polarities[] = {ACPI_POLARITY_BUS, ACPI_POLARITY_HIGH,
                                                    ACPI_POLARITY_BUS, ACPI_POLARITY_LOW};
    interrupts->polarity[override.line] = polarities[override.flags & 3];
}

static void read_entry(paddr_t at, const struct madt_entry *entry,
                       struct acpi_interrupts *interrupts, struct acpi_cpus *cpus)
{
    if (entry->kind == MADT_CPU && entry->size_bytes >= sizeof(struct madt_cpu))
        read_cpu(at, cpus);
    else if (entry->kind == MADT_CPU_X2APIC &&
             entry->size_bytes >= sizeof(struct madt_cpu_x2apic))
        read_cpu_x2apic(at, cpus);
    else if (entry->kind == MADT_IOAPIC && entry->size_bytes >= sizeof(struct madt_ioapic))
        read_ioapic(at, interrupts);
    else if (entry->kind == MADT_OVERRIDE && entry->size_bytes >= sizeof(struct madt_override))
        read_override(at, interrupts);
}

static void read_madt(paddr_t madt, uint32_t madt_bytes, struct acpi_interrupts *interrupts,
                      struct acpi_cpus *cpus)
{
    for (uint64_t at = MADT_ENTRIES; at + sizeof(struct madt_entry) <= madt_bytes;) {
        struct madt_entry entry;
        physical_read(&entry, madt + at, sizeof(entry));
        if (entry.size_bytes < sizeof(entry) || entry.size_bytes > madt_bytes - at)
            return;
        read_entry(madt + at, &entry, interrupts, cpus);
        at += entry.size_bytes;
    }
}

void acpi_read(paddr_t root, bool root_is_xsdt, struct acpi_interrupts *out_interrupts,
               struct acpi_cpus *out_cpus)
{
    *out_interrupts = (struct acpi_interrupts){};
    *out_cpus = (struct acpi_cpus){};
    struct acpi_header header;
    if (root != 0 && table_valid(root, &header)) {
        uint64_t pointer_bytes = root_is_xsdt ? sizeof(uint64_t) : sizeof(uint32_t);
        for (uint64_t at = sizeof(header); at + pointer_bytes <= header.size_bytes;
             at += pointer_bytes) {
            paddr_t table = 0; // little-endian: a 32-bit pointer fills the low half
            struct acpi_header table_header;
            physical_read(&table, root + at, pointer_bytes);
            physical_read(&table_header, table, sizeof(table_header));
            if (__builtin_memcmp(table_header.signature, "APIC", 4) == 0 &&
                table_valid(table, &table_header))
                read_madt(table, table_header.size_bytes, out_interrupts, out_cpus);
        }
    }
    if (out_interrupts->ioapic_count == 0) {
        out_interrupts->ioapics[0].registers = IOAPIC_USUAL;
        out_interrupts->ioapic_count = 1;
    }
}
