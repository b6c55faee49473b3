// SPDX-License-Identifier: MIT
// Tests of the objects that stand for the machine: Interrupt, IoPorts, DmaPool, Console,
// EntropySource.
#include "core_test.h"

#include <gen/wire/console.h>
#include <gen/wire/device_memory.h>
#include <gen/wire/entropy_source.h>
#include <gen/wire/interrupt.h>
#include <gen/wire/io_ports.h>
#include <gen/wire/notification.h>
#include <kernel/mm/frame.h>
#include <kernel/object/objects.h>

static struct actor *driver;

// ---- Interrupts ---------------------------------------------------------------------

constexpr uint32_t LINE = 9;
static capos_cap_id controller, interrupt;

static struct capos_cqe bind_cqe(uint32_t line)
{
    struct actor_call call =
        call_of(controller, INTERFACE_INTERRUPT_CONTROLLER, INTERRUPT_CONTROLLER_METHOD_BIND);
    WITH(&call, interrupt_controller_bind_params, .line = line, .trigger = TRIGGER_LEVEL);
    return actor_call(driver, &call);
}

static void make_driver(void)
{
    driver = actor_create("driver");
    controller = actor_give(driver, interrupt_controller_object());
    struct capos_cqe cqe = bind_cqe(LINE);
    CHECK_EQ(cqe.result, 0);
    interrupt = actor_result_cap(driver, 0, &cqe, 0);
}

static void submit_wait(unsigned slot)
{
    struct actor_call call = call_of(interrupt, INTERFACE_INTERRUPT, INTERRUPT_METHOD_WAIT);
    actor_submit_call(driver, slot, &call);
}

static void check_count(unsigned slot, uint64_t count)
{
    struct capos_cqe cqe = take(driver);
    CHECK_EQ(cqe.user_data, slot);
    CHECK_EQ(cqe.result, 0);
    struct interrupt_wait_results results = {};
    RESULTS(driver, slot, cqe, interrupt_wait_results, &results);
    CHECK_EQ(results.count, count);
}

static struct capos_cqe message_cqe(void)
{
    struct actor_call call = call_of(controller, INTERFACE_INTERRUPT_CONTROLLER,
                                     INTERRUPT_CONTROLLER_METHOD_MESSAGE);
    return actor_call(driver, &call);
}

CORE_TEST(a_message_of_a_device_is_an_interrupt_that_is_never_lost)
{
    make_driver();
    struct capos_cqe cqe = message_cqe();
    CHECK_EQ(cqe.result, 0);
    struct interrupt_controller_message_results message = {};
    RESULTS(driver, 0, cqe, interrupt_controller_message_results, &message);
    CHECK_EQ(message.address, HOST_MESSAGE_ADDRESS);
    interrupt = actor_result_cap(driver, 0, &cqe, 0);
    host_message(message.data); // nobody waits: it is owed, as one
    host_message(message.data);
    submit_wait(1);
    check_count(1, 2);
    submit_wait(2);
    host_message(message.data);
    check_count(2, 3);
    CHECK_EQ(actor_release(driver, interrupt), 0);
    host_message(message.data); // of a device that doesn't know it yet
}

CORE_TEST(messages_are_used_up_and_come_back)
{
    capos_cap_id messages[ARCH_IRQ_COUNT_MAX];
    uint32_t count = 0;
    make_driver();
    for (;;) {
        struct capos_cqe cqe = message_cqe();
        if (cqe.result != 0) {
            CHECK_STATUS(cqe.result, STATUS_OVERLOADED);
            break;
        }
        messages[count++] = actor_result_cap(driver, 0, &cqe, 0);
    }
    CHECK_EQ(count, ARCH_IRQ_COUNT_MAX - HOST_IRQ_COUNT);
    CHECK_EQ(actor_release(driver, messages[7]), 0);
    CHECK_EQ(message_cqe().result, 0);
    CHECK_STATUS(message_cqe().result, STATUS_OVERLOADED);
}

CORE_TEST(a_line_is_open_only_while_somebody_waits)
{
    make_driver();
    CHECK(host_irq_masked(LINE));
    submit_wait(1);
    CHECK(!host_irq_masked(LINE));
    host_irq_raise(LINE);
    CHECK(host_irq_masked(LINE));
    check_count(1, 1);
    host_irq_raise(LINE); // held back by the mask
    CHECK(nothing_completed(driver));
    submit_wait(2);
    host_irq_deliver();
    check_count(2, 2);
}

CORE_TEST(an_interrupt_wakes_every_waiter)
{
    make_driver();
    submit_wait(1);
    submit_wait(2);
    CHECK_EQ(actor_enter(driver, 2, CAPOS_FOREVER), ACTOR_BLOCKED);
    host_irq_raise(LINE);
    CHECK_EQ(actor_returned(driver), 2);
    check_count(1, 1);
    check_count(2, 1);
}

CORE_TEST(an_interrupt_after_a_withdrawn_wait_is_owed)
{
    make_driver();
    submit_wait(1);
    actor_push_simple(driver, 2, CAPOS_OP_CANCEL, 0, 1);
    CHECK_EQ(actor_enter(driver, 0, 0), 2);
    CHECK_STATUS(take(driver).result, STATUS_CANCELLED);
    CHECK_EQ(take(driver).result, 0);
    host_irq_raise(LINE);
    submit_wait(3);
    check_count(3, 1);
    submit_wait(4);
    CHECK(nothing_completed(driver));
}

CORE_TEST(a_line_has_one_owner_until_its_last_hold_is_gone)
{
    make_driver();
    CHECK_STATUS(bind_cqe(LINE).result, STATUS_FAILED);
    CHECK_STATUS(bind_cqe(HOST_IRQ_COUNT).result, STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(bind_cqe(UINT32_MAX).result, STATUS_INVALID_ARGUMENT);
    submit_wait(1);
    CHECK_EQ(actor_release(driver, interrupt), 0);
    CHECK_STATUS(bind_cqe(LINE).result, STATUS_FAILED); // the wait keeps it
    host_irq_raise(LINE);
    check_count(1, 1);
    CHECK(host_irq_masked(LINE));
    CHECK_EQ(bind_cqe(LINE).result, 0);
}

static capos_cap_id bell;

static int32_t notify(uint64_t bits)
{
    struct actor_call call = call_of(interrupt, INTERFACE_INTERRUPT, INTERRUPT_METHOD_NOTIFY);
    struct capos_transfer transfer = {.cap = bell};
    WITH(&call, interrupt_notify_params, .notification = 0, .bits = bits);
    call.transfers = &transfer;
    call.transfer_count = 1;
    return actor_call(driver, &call).result;
}

static int32_t rearm(void)
{
    struct actor_call call = call_of(interrupt, INTERFACE_INTERRUPT, INTERRUPT_METHOD_REARM);
    return actor_call(driver, &call).result;
}

static uint64_t poll(void)
{
    struct actor_call call = call_of(bell, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_POLL);
    WITH(&call, notification_poll_params, .mask = UINT64_MAX);
    struct capos_cqe cqe = actor_call(driver, &call);
    struct notification_poll_results results = {};
    RESULTS(driver, 0, cqe, notification_poll_results, &results);
    return results.bits;
}

CORE_TEST(an_interrupt_rings_the_notification_that_it_was_bound_to)
{
    make_driver();
    bell = actor_give_own(driver, notification_create(driver->budget), CAPOS_HOLD_COPY);
    CHECK_STATUS(rearm(), STATUS_FAILED);
    CHECK_STATUS(notify(0), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(notify(4), 0);
    CHECK(!host_irq_masked(LINE));
    host_irq_raise(LINE);
    CHECK(host_irq_masked(LINE));
    CHECK_EQ(poll(), 4);
    CHECK_EQ(poll(), 0);
    host_irq_raise(LINE); // held back
    CHECK_EQ(poll(), 0);
    CHECK_EQ(rearm(), 0);
    host_irq_deliver();
    CHECK_EQ(poll(), 4);
    CHECK_EQ(notify(8), 0); // another place
    host_irq_raise(LINE);
    CHECK_EQ(poll(), 8);
    submit_wait(1); // both ways at once
    host_irq_raise(LINE);
    check_count(1, 4);
    CHECK_EQ(poll(), 8);
}

CORE_TEST(an_interrupt_that_is_owed_rings_at_once)
{
    make_driver();
    bell = actor_give_own(driver, notification_create(driver->budget), CAPOS_HOLD_COPY);
    submit_wait(1);
    actor_push_simple(driver, 2, CAPOS_OP_CANCEL, 0, 1);
    CHECK_EQ(actor_enter(driver, 0, 0), 2);
    CHECK_STATUS(take(driver).result, STATUS_CANCELLED);
    CHECK_EQ(take(driver).result, 0);
    host_irq_raise(LINE);
    CHECK_EQ(notify(1), 0);
    CHECK_EQ(poll(), 1);
}

// ---- Ports --------------------------------------------------------------------------

static int32_t port_call(capos_cap_id ports, uint16_t method, uint16_t port, uint8_t width,
                         uint32_t value)
{
    struct actor_call call = call_of(ports, INTERFACE_IO_PORTS, method);
    if (method == IO_PORTS_METHOD_WRITE)
        WITH(&call, io_ports_write_params, .port = port, .width_bytes = width, .value = value);
    else
        WITH(&call, io_ports_read_params, .port = port, .width_bytes = width);
    return actor_call(driver, &call).result;
}

CORE_TEST(a_range_of_ports_is_all_that_can_be_reached)
{
    driver = actor_create("driver");
    capos_cap_id all = actor_give(driver, harness_root("ports"));
    struct actor_call call = call_of(all, INTERFACE_IO_PORTS, IO_PORTS_METHOD_RANGE);
    WITH(&call, io_ports_range_params, .first = 0x100, .count = 4);
    struct capos_cqe cqe = actor_call(driver, &call);
    capos_cap_id some = actor_result_cap(driver, 0, &cqe, 0);
    CHECK_EQ(port_call(some, IO_PORTS_METHOD_WRITE, 0x100, 4, 0x12345678), 0);
    CHECK_EQ(host_ports[0x103], 0x12);
    CHECK_EQ(port_call(some, IO_PORTS_METHOD_READ, 0x102, 2, 0), 0);
    struct io_ports_read_results results = {};
    cqe.result_bytes = IO_PORTS_READ_RESULTS_BYTES_MAX;
    RESULTS(driver, 0, cqe, io_ports_read_results, &results);
    CHECK_EQ(results.value, 0x1234);
    static const struct {
        uint16_t port;
        uint8_t width;
    } bad[] = {{0xff, 1},  {0x104, 1}, {0x103, 2},  {0x101, 4}, {0x100, 0},
               {0x100, 3}, {0x100, 8}, {0xfffd, 4}, {0xffff, 4}};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_STATUS(port_call(some, IO_PORTS_METHOD_READ, bad[i].port, bad[i].width, 0),
                     STATUS_INVALID_ARGUMENT);
        CHECK_STATUS(port_call(some, IO_PORTS_METHOD_WRITE, bad[i].port, bad[i].width, 0),
                     STATUS_INVALID_ARGUMENT);
    }
    CHECK_STATUS(port_call(some, IO_PORTS_METHOD_WRITE, 0x100, 1, 256),
                 STATUS_INVALID_ARGUMENT);
    call.cap = some;
    WITH(&call, io_ports_range_params, .first = 0x102, .count = 3);
    CHECK_STATUS(actor_call(driver, &call).result, STATUS_INVALID_ARGUMENT);
    WITH(&call, io_ports_range_params, .first = 0x102, .count = UINT32_MAX);
    CHECK_STATUS(actor_call(driver, &call).result, STATUS_INVALID_ARGUMENT);
    WITH(&call, io_ports_range_params, .first = 0x102, .count = 0);
    CHECK_STATUS(actor_call(driver, &call).result, STATUS_INVALID_ARGUMENT);
}

// ---- The rest -----------------------------------------------------------------------

CORE_TEST(dma_memory_is_contiguous_and_where_it_says)
{
    driver = actor_create("driver");
    struct actor_call call = call_of(actor_give(driver, harness_root("dma")),
                                     INTERFACE_DMA_POOL, DMA_POOL_METHOD_ALLOCATE);
    WITH(&call, dma_pool_allocate_params, .size_bytes = 8 * PAGE_BYTES);
    struct capos_cqe cqe = actor_call(driver, &call);
    struct dma_pool_allocate_results results = {};
    RESULTS(driver, 0, cqe, dma_pool_allocate_results, &results);
    CHECK_EQ(results.bus_address % PAGE_BYTES, 0);
    CHECK(frame_range_is_ram(results.bus_address, 8 * PAGE_BYTES));
    const uint8_t *bytes = arch_frame_pointer(results.bus_address);
    for (uint64_t i = 0; i < 8 * PAGE_BYTES; i++)
        CHECK(bytes[i] == 0);
    static const uint64_t bad[] = {0, 1, 4097, (2 << 20) + 4096, UINT64_MAX, UINT64_MAX - 4095};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        WITH(&call, dma_pool_allocate_params, .size_bytes = bad[i]);
        CHECK_STATUS(actor_call(driver, &call).result, STATUS_INVALID_ARGUMENT);
    }
}

CORE_TEST(the_console_writes_bytes_as_they_are)
{
    driver = actor_create("writer");
    host_console_clear();
    struct actor_call call =
        call_of(actor_give(driver, console_object()), INTERFACE_CONSOLE, CONSOLE_METHOD_WRITE);
    WITH(&call, console_write_params, .data = {(const uint8_t *)"a\tb\n\xff", 5});
    CHECK_EQ(actor_call(driver, &call).result, 0);
    CHECK(strcmp(host_console_text(), "a\tb\n\xff") == 0);
}

CORE_TEST(entropy_gives_as_much_as_is_asked_for_and_never_the_same)
{
    driver = actor_create("gambler");
    struct actor_call call = call_of(actor_give(driver, entropy_source_object()),
                                     INTERFACE_ENTROPY_SOURCE, ENTROPY_SOURCE_METHOD_FILL);
    uint8_t before[32] = {};
    for (uint32_t length = 32; length <= 1024; length *= 2) {
        WITH(&call, entropy_source_fill_params, .length_bytes = length);
        struct capos_cqe cqe = actor_call(driver, &call);
        struct entropy_source_fill_results results = {};
        RESULTS(driver, 0, cqe, entropy_source_fill_results, &results);
        CHECK_EQ(results.data.size_bytes, length);
        CHECK(memcmp(results.data.data, before, sizeof before) != 0);
        memcpy(before, results.data.data, sizeof before);
    }
    static const uint32_t bad[] = {0, 1025, UINT32_MAX};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        WITH(&call, entropy_source_fill_params, .length_bytes = bad[i]);
        CHECK_STATUS(actor_call(driver, &call).result, STATUS_INVALID_ARGUMENT);
    }
}

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(a_message_of_a_device_is_an_interrupt_that_is_never_lost);
    RUN(messages_are_used_up_and_come_back);
    RUN(a_line_is_open_only_while_somebody_waits);
    RUN(an_interrupt_wakes_every_waiter);
    RUN(an_interrupt_after_a_withdrawn_wait_is_owed);
    RUN(a_line_has_one_owner_until_its_last_hold_is_gone);
    RUN(an_interrupt_rings_the_notification_that_it_was_bound_to);
    RUN(an_interrupt_that_is_owed_rings_at_once);
    RUN(a_range_of_ports_is_all_that_can_be_reached);
    RUN(dma_memory_is_contiguous_and_where_it_says);
    RUN(the_console_writes_bytes_as_they_are);
    RUN(entropy_gives_as_much_as_is_asked_for_and_never_the_same);
    return test_report();
}
