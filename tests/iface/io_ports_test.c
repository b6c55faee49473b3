// SPDX-License-Identifier: MIT
// IoPorts: ranges narrow and never widen; only ports of the range are read and written.
//
// The ports used are the scratch and the line status register of the first serial port,
// which no driver minds.
#include <capos/test.h>

#include <gen/capos/io_ports.h>

constexpr uint16_t SERIAL = 0x3f8;
constexpr uint16_t LINE_STATUS = SERIAL + 5;
constexpr uint16_t SCRATCH = SERIAL + 7;

static io_ports_cap all_ports(void)
{
    return (io_ports_cap){test_grant("ports", INTERFACE_IO_PORTS)};
}

static io_ports_cap range(uint16_t first, uint32_t count)
{
    io_ports_cap ports = {};
    CHECK_OK(io_ports_range(all_ports(), first, count, &ports));
    return ports;
}

// Holds SCRATCH alone.
static int child_uses_its_port(void)
{
    io_ports_cap ports;
    uint32_t value = 0;
    EXPECT_OK(io_ports_cap_find("ports", &ports));
    EXPECT_OK(io_ports_write(ports, SCRATCH, 1, 0x5a));
    EXPECT_OK(io_ports_read(ports, SCRATCH, 1, &value));
    EXPECT(value == 0x5a);
    EXPECT(io_ports_read(ports, LINE_STATUS, 1, &value) == STATUS_INVALID_ARGUMENT);
    EXPECT(io_ports_range(ports, SERIAL, 8, &ports) == STATUS_INVALID_ARGUMENT);
    return 0;
}

static void ports_are_out_of_reach_without_the_grant(void)
{
    CHECK_DENIED("ports", INTERFACE_IO_PORTS);
}

static void a_port_answers_to_whom_it_was_granted_and_no_other_does(void)
{
    io_ports_cap ports = range(SCRATCH, 1);
    const struct test_child_grant grants[] = {test_lend("ports", ports.id)};
    CHECK_CHILD("uses its port", grants, 1);
    io_ports_cap_release(&ports);
}

static void a_range_is_never_wider_than_what_it_is_made_of(void)
{
    io_ports_cap ports = range(SERIAL, 8);
    static const struct {
        uint16_t first;
        uint32_t count;
    } wrong[] = {{SERIAL, 0},     {SERIAL, 9},          {SERIAL - 1, 2},
                 {SERIAL + 7, 2}, {SERIAL, UINT32_MAX}, {0, 65536}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_STATUS(io_ports_range(ports, wrong[i].first, wrong[i].count, nullptr),
                     STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(io_ports_range(all_ports(), 65535, 2, nullptr), STATUS_INVALID_ARGUMENT);
    io_ports_cap whole = range(0, 65536), last = range(65535, 1);
    io_ports_cap_release(&whole);
    io_ports_cap_release(&last);
    io_ports_cap_release(&ports);
}

static void the_whole_width_lies_in_the_range(void)
{
    io_ports_cap ports = range(SERIAL, 8);
    uint32_t value = 0;
    CHECK_OK(io_ports_read(ports, LINE_STATUS, 1, &value));
    CHECK(value <= 0xff);
    CHECK_STATUS(io_ports_read(ports, SCRATCH, 2, &value), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(io_ports_read(ports, SERIAL + 5, 4, &value), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(io_ports_write(ports, SCRATCH, 2, 0), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(io_ports_read(all_ports(), 65535, 4, &value), STATUS_INVALID_ARGUMENT);
    io_ports_cap_release(&ports);
}

static void width_and_value_are_checked(void)
{
    io_ports_cap ports = range(SERIAL, 8);
    static const uint8_t widths[] = {0, 3, 5, 8, 255};
    for (size_t i = 0; i < sizeof widths; i++)
        CHECK_STATUS(io_ports_read(ports, SERIAL, widths[i], nullptr), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(io_ports_write(ports, SCRATCH, 1, 0x100), STATUS_INVALID_ARGUMENT);
    io_ports_cap_release(&ports);
}

static void tests(void)
{
    RUN(ports_are_out_of_reach_without_the_grant);
    RUN(a_port_answers_to_whom_it_was_granted_and_no_other_does);
    RUN(a_range_is_never_wider_than_what_it_is_made_of);
    RUN(the_whole_width_lies_in_the_range);
    RUN(width_and_value_are_checked);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {{"uses its port", child_uses_its_port}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
