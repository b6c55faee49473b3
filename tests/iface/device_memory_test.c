// SPDX-License-Identifier: MIT
// DeviceMemory: physical ranges that narrow and never widen, and never contain RAM.
#include <capos/test.h>

#include <gen/capos/device_memory.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/virtual_memory.h>

constexpr uint64_t PAGE = 4096;
constexpr uint64_t REGISTERS =
    0xfeb00000; // of virtio-mmio devices on microvm: harmless to read
constexpr uint64_t LOW_RAM = 0x100000;
constexpr uint64_t IO_APIC = 0xfec00000;
constexpr uint64_t LOCAL_APIC = 0xfee00000;

static device_memory_cap all_devices(void)
{
    return (device_memory_cap){test_grant("devices", INTERFACE_DEVICE_MEMORY)};
}

// The part of everything at a physical address.
static enum status range_at(uint64_t physical_address, uint64_t size_bytes,
                            device_memory_cap *out_range)
{
    uint64_t base = 0;
    CHECK_OK(device_memory_info(all_devices(), &base, nullptr));
    return device_memory_range(all_devices(), physical_address - base, size_bytes, out_range);
}

static int child_reads_its_registers(void)
{
    device_memory_cap devices;
    virtual_memory_cap memory;
    memory_object_cap registers;
    uint64_t address, size_bytes;
    EXPECT_OK(device_memory_cap_find("devices", &devices));
    EXPECT_OK(virtual_memory_cap_find("memory", &memory));
    EXPECT_OK(device_memory_info(devices, nullptr, &size_bytes));
    EXPECT(size_bytes == PAGE);
    EXPECT_OK(device_memory_object(devices, &registers));
    EXPECT_OK(virtual_memory_map(memory, registers, 0, PAGE, 0, PROTECTION_READ, &address));
    (void)*(volatile uint32_t *)address;
    EXPECT(virtual_memory_map(memory, registers, 0, PAGE, 0, PROTECTION_READ_EXECUTE,
                              nullptr) == STATUS_INVALID_ARGUMENT);
    return 0;
}

static void devices_are_out_of_reach_without_the_grant(void)
{
    CHECK_DENIED("devices", INTERFACE_DEVICE_MEMORY);
}

static void registers_are_mapped_by_whom_they_were_granted(void)
{
    device_memory_cap range = {};
    if (!CHECK_OK(range_at(REGISTERS, PAGE, &range)))
        return;
    const struct test_child_grant grants[] = {test_lend("devices", range.id),
                                              test_lend("memory", test_memory().id),
                                              test_lend("budget", test_budget().id)};
    CHECK_CHILD("reads its registers", grants, 3);
    device_memory_cap_release(&range);
}

static void a_range_says_where_it_lies(void)
{
    device_memory_cap range = {};
    uint64_t physical_address = 0, size_bytes = 0;
    if (!CHECK_OK(range_at(REGISTERS, 2 * PAGE, &range)))
        return;
    CHECK_OK(device_memory_info(range, &physical_address, &size_bytes));
    CHECK_EQ(physical_address, REGISTERS);
    CHECK_EQ(size_bytes, 2 * PAGE);
    device_memory_cap_release(&range);
}

static void ram_is_refused(void)
{
    CHECK(range_at(LOW_RAM, PAGE, nullptr) != STATUS_OK);
    CHECK(range_at(LOW_RAM, 16 * PAGE, nullptr) != STATUS_OK);
    CHECK(range_at(0, REGISTERS + PAGE, nullptr) != STATUS_OK);
    // Everything, with the RAM in it, is no object either.
    CHECK(device_memory_object(all_devices(), nullptr) != STATUS_OK);
}

static void what_the_kernel_drives_itself_is_refused(void)
{
    CHECK(range_at(IO_APIC, PAGE, nullptr) != STATUS_OK);
    CHECK(range_at(LOCAL_APIC, PAGE, nullptr) != STATUS_OK);
}

static void a_range_is_never_wider_than_what_it_is_made_of(void)
{
    device_memory_cap range = {};
    if (!CHECK_OK(range_at(REGISTERS, 4 * PAGE, &range)))
        return;
    static const struct {
        uint64_t offset_bytes, size_bytes;
    } wrong[] = {{0, 0},
                 {0, 5 * PAGE},
                 {PAGE, 4 * PAGE},
                 {1, PAGE},
                 {0, PAGE / 2},
                 {4 * PAGE, PAGE},
                 {UINT64_MAX - PAGE + 1, 2 * PAGE},
                 {PAGE, UINT64_MAX - PAGE + 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_STATUS(
            device_memory_range(range, wrong[i].offset_bytes, wrong[i].size_bytes, nullptr),
            STATUS_INVALID_ARGUMENT);
    device_memory_cap_release(&range);
}

static void registers_are_not_read_as_memory(void)
{
    device_memory_cap range = {};
    memory_object_cap registers = {};
    bool writable = false, executable = true;
    uint8_t data[8];
    if (!CHECK_OK(range_at(REGISTERS, PAGE, &range)))
        return;
    CHECK_OK(device_memory_object(range, &registers));
    CHECK_OK(memory_object_info(registers, nullptr, &writable, &executable));
    CHECK(writable && !executable);
    CHECK_STATUS(memory_object_read(registers, 0, 8, data, sizeof data, nullptr),
                 STATUS_FAILED);
    memory_object_cap_release(&registers);
    device_memory_cap_release(&range);
}

static void tests(void)
{
    RUN(devices_are_out_of_reach_without_the_grant);
    RUN(registers_are_mapped_by_whom_they_were_granted);
    RUN(a_range_says_where_it_lies);
    RUN(ram_is_refused);
    RUN(what_the_kernel_drives_itself_is_refused);
    RUN(a_range_is_never_wider_than_what_it_is_made_of);
    RUN(registers_are_not_read_as_memory);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {
        {"reads its registers", child_reads_its_registers}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
