// SPDX-License-Identifier: MIT
// Tests of kernel/debug: what a person sees of the kernel.
#include "core_test.h"

#include <kernel/debug/log.h>
#include <kernel/debug/panic.h>
#include <kernel/debug/trace.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

CORE_TEST(log_writes_to_the_console)
{
    host_console_clear();
    log_printf("%s: %d of %lu\n", "cpu", 1, UINT64_C(2));
    CHECK(strcmp(host_console_text(), "cpu: 1 of 2\n") == 0);
}

CORE_TEST(a_long_message_is_cut)
{
    host_console_clear();
    log_printf("%1000d", 7);
    CHECK_EQ(strlen(host_console_text()), LOG_MESSAGE_BYTES_MAX - 1);
}

CORE_TEST(trace_keeps_the_last_events_in_order)
{
    for (uint64_t i = 0; i < TRACE_ENTRIES + 10; i++)
        trace(TRACE_FAULT, i, 5000);
    trace(TRACE_IRQ, 9, 0);
    host_console_clear();
    trace_dump(2);
    const char *text = host_console_text();
    char expected[64];
    snprintf(expected, sizeof expected, "fault kind=%u address=0x1388\n", TRACE_ENTRIES + 9);
    const char *fault = strstr(text, expected), *irq = strstr(text, "irq line=9\n");
    CHECK(fault != nullptr && irq != nullptr && fault < irq);
    host_console_clear();
    trace_dump(UINT32_MAX); // as many as there are
    unsigned lines = 0;
    for (text = host_console_text(); *text != '\0'; text++)
        lines += *text == '\n';
    CHECK_EQ(lines, 1 + TRACE_ENTRIES);
}

CORE_TEST(trace_survives_a_ring_that_was_overwritten)
{
    struct trace_ring saved = trace_ring;
    memset(trace_ring.entries, 0xff, sizeof trace_ring.entries);
    host_console_clear();
    trace_dump(3);
    CHECK(strstr(host_console_text(), "?") != nullptr);
    trace_ring = saved;
}

// Runs a function that must panic in a child process and returns what it said.
static const char *panic_text(void (*function)(void))
{
    static char text[65536];
    int ends[2];
    if (pipe(ends) != 0)
        return "";
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        function();
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t part;
    while ((part = read(ends[0], text + length, sizeof text - 1 - length)) > 0)
        length += (size_t)part;
    text[length] = '\0';
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    return text;
}

static void break_an_invariant(void)
{
    trace(TRACE_IRQ, 11, 0);
    unsigned legs = 3;
    ASSERT(legs == 4);
}

static void give_up(void)
{
    PANIC("no %s for %d", "memory", 42);
}

CORE_TEST(a_panic_names_the_place_the_condition_and_what_came_before)
{
    const char *text = panic_text(break_an_invariant);
    CHECK(strstr(text, "panic: tests/core/debug_test.c:") != nullptr);
    CHECK(strstr(text, "assertion failed: legs == 4\n") != nullptr);
    CHECK(strstr(text, "irq line=11\n") != nullptr);
    CHECK(strstr(panic_text(give_up), ": no memory for 42\n") != nullptr);
}

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(log_writes_to_the_console);
    RUN(a_long_message_is_cut);
    RUN(trace_keeps_the_last_events_in_order);
    RUN(trace_survives_a_ring_that_was_overwritten);
    RUN(a_panic_names_the_place_the_condition_and_what_came_before);
    return test_report();
}
