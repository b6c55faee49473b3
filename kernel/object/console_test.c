// SPDX-License-Identifier: MIT
// Tests of the console's allowances.
#include <gen/kernel/console.h>

#include <kernel/object/object_test.h>
#include <kernel/object/objects.h>

constexpr uint64_t RAM_BYTES = (uint64_t)16 << 20;

static enum status write(struct object *console, uint32_t size_bytes)
{
    static const uint8_t bytes[1024];
    struct invocation call = call_of_process();
    struct console_write_params params = {.data = {bytes, size_bytes}};
    enum status status = console_write(console, &call, &params);
    CHECK_EQ(status == STATUS_OK, call.reason == nullptr);
    return status;
}

static uint64_t left(struct object *console)
{
    struct invocation call = call_of_process();
    struct console_info_results results = {};
    CHECK_EQ(console_info(console, &call, &results), STATUS_OK);
    return results.left_bytes;
}

static enum status limit(struct object *console, uint64_t bytes_max,
                         struct object **out_limited)
{
    struct invocation call = call_of_process();
    struct console_limit_params params = {.bytes_max = bytes_max};
    struct console_limit_results results;
    enum status status = console_limit(console, &call, &params, &results);
    if (status == STATUS_OK)
        *out_limited = result_of(&call);
    return status;
}

static void console_takes_no_more_than_its_allowance(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct object *limited = nullptr;
    CHECK_EQ(limit(console_object(), 100, &limited), STATUS_OK);
    CHECK_EQ(write(limited, 60), STATUS_OK);
    CHECK_EQ(write(limited, 41), STATUS_OVERLOADED); // all or nothing
    CHECK_EQ(left(limited), 40);
    CHECK_EQ(write(limited, 40), STATUS_OK);
    CHECK_EQ(write(limited, 0), STATUS_OK);
    CHECK_EQ(write(limited, 1), STATUS_OVERLOADED);
    CHECK_EQ(write(console_object(), 1024), STATUS_OK); // nobody else is concerned
    CHECK_EQ(left(console_object()), UINT64_MAX);
    object_put(limited);
    mm_check_counts(root, before);
}

static void console_is_never_widened(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct object *limited = nullptr, *narrower = nullptr;
    CHECK_EQ(limit(console_object(), 100, &limited), STATUS_OK);
    CHECK_EQ(limit(limited, 101, &narrower), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(limit(limited, 70, &narrower), STATUS_OK);
    CHECK_EQ(left(limited), 30);
    CHECK_EQ(write(narrower, 71), STATUS_OVERLOADED);
    CHECK_EQ(write(narrower, 70), STATUS_OK);
    CHECK_EQ(limit(limited, UINT64_MAX, &narrower), STATUS_INVALID_ARGUMENT);
    object_put(narrower);
    CHECK_EQ(left(limited), 30);
    object_put(limited);
    mm_check_counts(root, before);
}

static void console_limit_is_charged_to_the_caller(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct object *limited = nullptr;
    uint64_t limit_bytes = root->limit_bytes;
    root->limit_bytes = root->used_bytes;
    CHECK_EQ(limit(console_object(), 100, &limited), STATUS_OVERLOADED);
    root->limit_bytes = limit_bytes;
}

int main(void)
{
    RUN(console_takes_no_more_than_its_allowance);
    RUN(console_is_never_widened);
    RUN(console_limit_is_charged_to_the_caller);
    return test_report();
}
