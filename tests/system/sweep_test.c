// SPDX-License-Identifier: MIT
// The timer's interrupt, moved over the whole way of a call and its return: at each place it
// wakes another process, which calls the same server at once.  Whatever instruction it hits,
// every call must come back with its own answer.
//
// Under `-icount shift=0` an instruction takes a nanosecond and the machine does the same each
// time, so that the places are those of instructions: the test then steps by one and checks that
// it began before the calls and ended behind them (SWEEP_COUNTED=1 in the environment).
// On a machine with a clock of its own the places are random.
#include <capos/server.h>
#include <capos/test.h>

#include <gen/capos/echo.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/notification.h>
#include <gen/capos/process.h>
#include <gen/capos/timer.h>
#include <stdio.h>
#include <stdlib.h>

constexpr uint64_t CALLS = 3;             // that are swept over
constexpr uint64_t LEAD_NS = 100'000;     // time enough for the other process to fall asleep
constexpr uint64_t STEPS_UNCOUNTED = 300; // on a machine with a clock of its own
constexpr uint64_t STEP_UNCOUNTED_NS = 50;
constexpr uint64_t BIT_ARMED = 1, BIT_DONE = 2;

// ---- Answers ------------------------------------------------------------------------------

static uint64_t mixed(uint64_t word)
{
    return word * 0x9e3779b97f4a7c15 + 1;
}

static void on_ping(void *, struct capos_server_call *call,
                    const struct echo_ping_params *params)
{
    echo_ping_reply(call, &(struct echo_ping_results){.first = mixed(params->first),
                                                      .second = ~params->first});
}

static void on_call(void *, struct capos_server_call *call)
{
    static const struct echo_server_ops ops = {.ping = on_ping};
    echo_serve(&ops, nullptr, call);
}

static int child_answers(void)
{
    static const struct capos_server_handlers handlers = {.on_call = on_call};
    return (int)capos_serve(test_grant("endpoint", INTERFACE_ENDPOINT), &handlers, nullptr);
}

static bool call_is_answered(echo_cap echo, uint64_t word)
{
    uint64_t first = 0, second = 0;
    return echo_ping(echo, word, 0, 0, &first, &second, nullptr) == STATUS_OK &&
           first == mixed(word) && second == ~word;
}

// ---- The process that is woken ------------------------------------------------------------

static echo_cap the_echo(void)
{
    return (echo_cap){test_grant("echo", INTERFACE_ECHO)};
}

// For each bell: reads when to wake from the server's memory of it, sleeps, calls.
static int child_interrupts(void)
{
    notification_cap bell = {test_grant("bell", INTERFACE_NOTIFICATION)};
    notification_cap done = {test_grant("done", INTERFACE_NOTIFICATION)};
    for (uint64_t word = 1;; word++) {
        uint64_t deadline_bits = 0;
        EXPECT_OK(notification_wait(bell, UINT64_MAX, &deadline_bits));
        EXPECT_OK(timer_sleep_until(test_timer(), deadline_bits >> 1));
        EXPECT(call_is_answered(the_echo(), word << 32));
        EXPECT_OK(notification_signal(done, BIT_DONE));
    }
}

// ---- The sweep ----------------------------------------------------------------------------

static notification_cap bell, done;
static uint64_t next_word;

static uint64_t now_ns(void)
{
    uint64_t time_ns = 0;
    CHECK_OK(timer_now(test_timer(), &time_ns));
    return time_ns;
}

// One round: the calls begin `early_ns` before the other process is woken.  Returns how long
// they took.
static uint64_t round_run(echo_cap echo, uint64_t early_ns)
{
    uint64_t deadline_ns = now_ns() + LEAD_NS + early_ns;
    // A deadline as bits of a notification: the lowest says that it is one.
    CHECK_OK(notification_signal(bell, deadline_ns << 1 | BIT_ARMED));
    CHECK_OK(timer_sleep_until(test_timer(), deadline_ns - early_ns));
    uint64_t begin_ns = now_ns();
    for (uint64_t i = 0; i < CALLS; i++)
        CHECK(call_is_answered(echo, ++next_word));
    uint64_t took_ns = now_ns() - begin_ns;
    CHECK_OK(notification_wait(done, BIT_DONE, nullptr));
    return took_ns;
}

static void sweep(echo_cap echo)
{
    bool is_counted = getenv("SWEEP_COUNTED") != nullptr;
    uint64_t step_ns = is_counted ? 1 : STEP_UNCOUNTED_NS;
    uint64_t undisturbed_ns = round_run(echo, 50'000); // they end long before it is woken
    uint64_t steps = STEPS_UNCOUNTED, disturbed = 0;
    undisturbed_ns = round_run(echo, 50'000);
    if (is_counted)
        steps = undisturbed_ns + 1000;
    for (uint64_t i = 0; i < steps; i++)
        disturbed += round_run(echo, i * step_ns) > undisturbed_ns;
    printf("# %llu places in %llu ns, a wake at %llu of them\n", (unsigned long long)steps,
           (unsigned long long)undisturbed_ns, (unsigned long long)disturbed);
    if (is_counted)
        CHECK(disturbed > undisturbed_ns / 2 && disturbed < steps);
}

static bool start(const char *role, const struct test_child_grant *grants, size_t count,
                  process_handle_cap *out_process)
{
    return CHECK_OK(test_start(role, nullptr, 0, grants, count, out_process));
}

static void stop(process_handle_cap process)
{
    struct test_end end;
    CHECK_OK(process_handle_kill(process));
    CHECK_OK(test_wait(process, &end));
    CHECK_EQ(end.kind, END_KIND_KILLED); // else a role returned the line of its mistake
}

static void calls_survive_an_interrupt_at_every_instruction(void)
{
    endpoint_cap endpoint = {};
    echo_cap echo = {};
    process_handle_cap server, other;
    CHECK_OK(memory_budget_create_notification(test_budget(), &bell));
    CHECK_OK(memory_budget_create_notification(test_budget(), &done));
    CHECK_OK(memory_budget_create_endpoint(test_budget(), 4, &endpoint));
    CHECK_OK(endpoint_mint(endpoint, INTERFACE_ECHO, 1, &echo.id));
    const struct test_child_grant served[] = {test_lend("endpoint", endpoint.id)};
    const struct test_child_grant woken[] = {
        test_lend("echo", echo.id),
        test_lend("bell", bell.id),
        test_lend("done", done.id),
        test_lend("timer", test_timer().id),
    };
    if (start("answers", served, 1, &server)) {
        if (start("interrupts", woken, 4, &other)) {
            sweep(echo);
            stop(other);
        }
        stop(server);
    }
    capos_release(echo.id);
    endpoint_cap_release(&endpoint);
    notification_cap_release(&done);
    notification_cap_release(&bell);
}

static void tests(void)
{
    RUN(calls_survive_an_interrupt_at_every_instruction);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {{"answers", child_answers},
                                             {"interrupts", child_interrupts}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
