// SPDX-License-Identifier: MIT
// A program that uses up whatever it can is refused, with a typed error, over and over, and
// costs nobody else more than its share of the CPU.
//
// Each culprit is a child with a budget of its own.  It rings the bell when it was refused and
// then goes on asking.  Meanwhile this program works: all that it asks for, it gets.
#include <capos/test.h>

#include <capos/call.h>
#include <capos/spawn.h>
#include <capos/syscall.h>
#include <capos/thread.h>
#include <gen/capos/boot_package.h>
#include <gen/capos/console.h>
#include <gen/capos/echo.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/notification.h>
#include <gen/capos/process.h>
#include <gen/capos/stdio.h>
#include <gen/capos/thread.h>
#include <gen/capos/timer.h>
#include <gen/capos/virtual_memory.h>
#include <gen/interfaces.h>
#include <stdio.h>

constexpr uint64_t CULPRIT_BYTES = UINT64_C(12) << 20;

// ---- Culprits: refused once, they ring the bell; refused otherwise, they end. -------------

static memory_budget_cap culprit_budget;
static virtual_memory_cap culprit_memory;
static console_cap culprit_console;
static timer_cap culprit_timer;
static echo_cap culprit_echo;
static stdio_cap culprit_stdio;

static enum status take_a_slot(void)
{
    return console_limit(culprit_console, 0, &(console_cap){});
}

static enum status take_kernel_memory(void)
{
    return memory_budget_create_endpoint(culprit_budget, 4096, &(endpoint_cap){});
}

static enum status take_user_memory(void)
{
    uint64_t address;
    return virtual_memory_allocate(culprit_memory, 65536, 0, PROTECTION_READ_WRITE, &address);
}

static enum status write_to_the_console(void)
{
    return console_write(culprit_console, ".", 1);
}

// A line that whoever reads the tests' output passes over.
static enum status write_to_the_host(void)
{
    static const char line[] = "# from a program that writes too much\n";
    return stdio_write(culprit_stdio, OUTPUT_STREAM_OUTPUT, line, sizeof line - 1);
}

// Calls that stay, in storage that does.
static struct capos_call pending[1024];
static size_t pending_count;

static enum status sleep_for_ever(void)
{
    if (pending_count == sizeof pending / sizeof pending[0])
        return STATUS_FAILED;
    enum status status = timer_sleep_begin(&pending[pending_count], culprit_timer, UINT64_MAX);
    pending_count += status == STATUS_OK;
    return status;
}

// The server never answers, so what completes was refused.
static enum status call_who_never_answers(void)
{
    struct capos_call *call = &pending[pending_count];
    enum status status = echo_ping_begin(call, culprit_echo, 1, 2, 3);
    if (status != STATUS_OK)
        return status;
    (void)capos_cap_enter(0, 0); // submits it
    if (capos_call_is_done(call))
        return echo_ping_finish(call, nullptr, nullptr, nullptr);
    pending_count++;
    return STATUS_OK;
}

// ---- The share of the CPU ---------------------------------------------------------------

constexpr unsigned HOG_THREADS = 16;
static uint32_t spinning;

// On CPU 0, where all of them compete.
static int spin(void *)
{
    thread_control_cap control;
    if (thread_control_cap_find("thread", &control) != STATUS_OK ||
        thread_control_set_affinity(control, 1) != STATUS_OK)
        return 1;
    __atomic_fetch_add(&spinning, 1, __ATOMIC_RELEASE);
    for (;;)
        __asm__ volatile("pause");
}

// Rings the bell when all of its threads are busy.
static int spin_in_threads(unsigned count)
{
    notification_cap bell;
    struct capos_thread *thread;
    EXPECT_OK(notification_cap_find("bell", &bell));
    for (unsigned i = 1; i < count; i++)
        EXPECT_OK(capos_thread_create(&thread, spin, nullptr, nullptr));
    while (__atomic_load_n(&spinning, __ATOMIC_ACQUIRE) < count - 1)
        capos_thread_yield();
    EXPECT_OK(notification_signal(bell, 1));
    return spin(nullptr);
}

static int child_spins(void)
{
    return spin_in_threads(1);
}

static int child_spins_in_threads(void)
{
    return spin_in_threads(HOG_THREADS);
}

// Asks until it is refused, tells, and goes on asking.
static int ask(enum status (*operation)(void))
{
    enum status status;
    while ((status = operation()) == STATUS_OK) {
    }
    EXPECT(status == STATUS_OVERLOADED);
    if (pending_count > 0) { // to tell takes a call too
        capos_call_cancel(&pending[0]);
        EXPECT(capos_call_end(&pending[0], capos_call_wait(&pending[0])) == STATUS_CANCELLED);
    }
    notification_cap bell;
    EXPECT_OK(notification_cap_find("bell", &bell));
    EXPECT_OK(notification_signal(bell, 1));
    while (status == STATUS_OVERLOADED || status == STATUS_OK)
        status = operation();
    return __LINE__;
}

static int culprit(enum status (*operation)(void))
{
    EXPECT_OK(memory_budget_cap_find("budget", &culprit_budget));
    EXPECT_OK(virtual_memory_cap_find("memory", &culprit_memory));
    EXPECT_OK(console_cap_find("console", &culprit_console));
    EXPECT_OK(timer_cap_find("timer", &culprit_timer));
    EXPECT_OK(echo_cap_find("echo", &culprit_echo));
    EXPECT_OK(stdio_cap_find("stdio", &culprit_stdio));
    int line = ask(operation);
    notification_cap bell; // the parent waits for it
    EXPECT_OK(notification_cap_find("bell", &bell));
    EXPECT_OK(notification_signal(bell, 2));
    return line;
}

static int child_takes_slots(void)
{
    return culprit(take_a_slot);
}

static int child_takes_kernel_memory(void)
{
    return culprit(take_kernel_memory);
}

static int child_takes_user_memory(void)
{
    return culprit(take_user_memory);
}

static int child_writes_to_the_console(void)
{
    return culprit(write_to_the_console);
}

static int child_writes_to_the_host(void)
{
    return culprit(write_to_the_host);
}

static int child_makes_calls(void)
{
    return culprit(sleep_for_ever);
}

static int child_fills_a_queue(void)
{
    return culprit(call_who_never_answers);
}

// ---- The others -----------------------------------------------------------------------

static struct capos_spawner spawner;
static struct capos_image image;

static int child_ends(void)
{
    return 0;
}

// What a program does all day, and gets.
static void work(void)
{
    for (unsigned i = 0; i < 100; i++) {
        notification_cap notification = {};
        uint64_t bits = 0, address = 0;
        CHECK_OK(timer_now(test_timer(), &bits));
        CHECK_OK(memory_budget_create_notification(test_budget(), &notification));
        CHECK_OK(notification_signal(notification, 4));
        CHECK_OK(notification_wait(notification, 4, &bits));
        notification_cap_release(&notification);
        CHECK_OK(
            virtual_memory_allocate(test_memory(), 8192, 0, PROTECTION_READ_WRITE, &address));
        *(volatile uint64_t *)address = i;
        CHECK_OK(virtual_memory_unmap(test_memory(), address, 8192));
        if (i % 20 == 0) {
            CHECK_CHILD("ends", nullptr, 0);
            CHECK(printf("# at work beside a culprit\n") > 0 && fflush(stdout) == 0);
        }
    }
}

static enum status culprit_start(const char *role, memory_budget_cap budget,
                                 notification_cap bell, console_cap console, stdio_cap stdio,
                                 echo_cap echo, struct capos_process *out_process)
{
    const char *const arguments[] = {"quota_test", role};
    const struct capos_spawn_grant grants[] = {
        {"budget", capos_transfer_copy(budget.id)},
        {"memory", capos_transfer_copy(test_memory().id)},
        {"timer", capos_transfer_copy(test_timer().id)},
        {"bell", capos_transfer_copy(bell.id)},
        {"console", capos_transfer_copy(console.id)},
        {"echo", capos_transfer_copy(echo.id)},
        {"stdio", capos_transfer_copy(stdio.id)},
    };
    const struct capos_spawn_request request = {
        .name = role,
        .budget = budget,
        .grants = grants,
        .grant_count = sizeof grants / sizeof grants[0],
        .arguments = arguments,
        .argument_count = 2,
    };
    return capos_spawn(&spawner, &image, &request, out_process);
}

// Runs a culprit beside the work until the work is done.
static void run_culprit(const char *role)
{
    memory_budget_cap budget = {};
    notification_cap bell = {};
    console_cap all = {test_grant("console", INTERFACE_CONSOLE)}, console = {};
    stdio_cap own = {test_grant("stdio", INTERFACE_STDIO)}, stdio = {};
    endpoint_cap endpoint = {};
    echo_cap echo = {};
    struct capos_process process = {};
    uint64_t bits = 0, used_bytes = 1;
    char name[64];
    enum end_kind kind = END_KIND_EXITED;
    struct test_end end = {};
    CHECK_OK(memory_budget_split(test_budget(), CULPRIT_BYTES, &budget));
    CHECK_OK(memory_budget_create_notification(test_budget(), &bell));
    CHECK_OK(memory_budget_create_endpoint(test_budget(), 8, &endpoint));
    CHECK_OK(endpoint_mint(endpoint, INTERFACE_ECHO, 1, &echo.id));
    CHECK_OK(console_limit(all, 40, &console));
    CHECK_OK(stdio_limit(own, 80, &stdio));
    if (!CHECK_OK(culprit_start(role, budget, bell, console, stdio, echo, &process)))
        return;
    CHECK_OK(notification_wait(bell, 3, &bits));
    CHECK_EQ(bits, 1);
    work();
    CHECK_OK(process_handle_info(process.handle, nullptr, name, sizeof name, nullptr, &kind,
                                 nullptr, nullptr));
    CHECK_EQ(kind, END_KIND_RUNNING);
    CHECK_OK(process_handle_kill(process.handle));
    CHECK_OK(test_wait(process.handle, &end));
    CHECK_EQ(end.kind, END_KIND_KILLED);
    echo_cap_release(&echo);
    endpoint_cap_release(&endpoint);
    console_cap_release(&console);
    stdio_cap_release(&stdio);
    notification_cap_release(&bell);
    CHECK_OK(memory_budget_info(budget, nullptr, &used_bytes, nullptr, nullptr));
    CHECK_EQ(used_bytes, 0);
    memory_budget_cap_release(&budget);
}

static void who_fills_its_capability_table_is_alone_with_it(void)
{
    run_culprit("takes slots");
}

static void who_uses_up_kernel_memory_is_alone_with_it(void)
{
    run_culprit("takes kernel memory");
}

static void who_uses_up_user_memory_is_alone_with_it(void)
{
    run_culprit("takes user memory");
}

static void who_writes_too_much_is_alone_with_it(void)
{
    run_culprit("writes to the console");
}

static void who_writes_too_much_to_the_host_is_alone_with_it(void)
{
    run_culprit("writes to the host");
}

static void who_makes_too_many_calls_is_alone_with_it(void)
{
    run_culprit("makes calls");
}

static void who_fills_the_queue_of_its_server_is_alone_with_it(void)
{
    run_culprit("fills a queue");
}

struct spinner {
    memory_budget_cap budget;
    struct capos_process process;
    uint64_t before_ns;
};

static uint64_t ran_ns(const struct spinner *spinner)
{
    char name[64];
    uint64_t time_ns = 0;
    CHECK_OK(process_handle_info(spinner->process.handle, nullptr, name, sizeof name, nullptr,
                                 nullptr, nullptr, &time_ns));
    return time_ns - spinner->before_ns;
}

// Starts a child that is busy on CPU 0, on a budget of its own, and waits until it is.
static bool spinner_start(struct spinner *spinner, const char *role)
{
    const char *const arguments[] = {"quota_test", role};
    notification_cap bell = {};
    uint64_t bits;
    *spinner = (struct spinner){};
    CHECK_OK(memory_budget_split(test_budget(), CULPRIT_BYTES, &spinner->budget));
    CHECK_OK(memory_budget_create_notification(test_budget(), &bell));
    const struct capos_spawn_grant grants[] = {
        {"memory", capos_transfer_copy(test_memory().id)},
        {"thread", capos_transfer_copy(test_grant("thread", INTERFACE_THREAD_CONTROL))},
        {"park", capos_transfer_copy(test_grant("park", INTERFACE_PARK_SPACE))},
        {"threads", capos_transfer_copy(test_grant("threads", INTERFACE_THREAD_SPAWNER))},
        {"bell", capos_transfer_copy(bell.id)},
    };
    bool started = CHECK_OK(capos_spawn(&spawner, &image,
                                        &(struct capos_spawn_request){
                                            .name = role,
                                            .budget = spinner->budget,
                                            .grants = grants,
                                            .grant_count = sizeof grants / sizeof grants[0],
                                            .arguments = arguments,
                                            .argument_count = 2,
                                        },
                                        &spinner->process)) &&
                   CHECK_OK(notification_wait(bell, 1, &bits));
    notification_cap_release(&bell);
    return started;
}

static void spinner_end(struct spinner *spinner)
{
    struct test_end end = {};
    CHECK_OK(process_handle_kill(spinner->process.handle));
    CHECK_OK(test_wait(spinner->process.handle, &end));
    CHECK_EQ(end.kind, END_KIND_KILLED);
    memory_budget_cap_release(&spinner->budget);
}

// Lets both run until their times are as `wanted` says, to within a fifth: hog for other.  What
// the host takes away counts as time of whoever ran then, and is made up for, so the times get
// there sooner or later; a share per thread never does.
static bool times_become(struct spinner *hog, struct spinner *other, uint64_t wanted_percent)
{
    constexpr uint64_t ENOUGH_NS = 100'000'000, TOO_LONG_NS = 60'000'000'000;
    uint64_t hog_ns = 0, other_ns = 0;
    hog->before_ns = other->before_ns = 0;
    hog->before_ns = ran_ns(hog);
    other->before_ns = ran_ns(other);
    while (hog_ns + other_ns < TOO_LONG_NS) {
        CHECK_OK(timer_sleep(test_timer(), 20'000'000));
        hog_ns = ran_ns(hog);
        other_ns = ran_ns(other);
        uint64_t least = other_ns * wanted_percent / 100;
        if (hog_ns + other_ns >= ENOUGH_NS && hog_ns >= least - least / 5 &&
            hog_ns <= least + least / 5)
            return true;
    }
    return false;
}

static void who_has_many_busy_threads_has_one_share(void)
{
    struct spinner hog, other;
    if (spinner_start(&hog, "spins in threads") && spinner_start(&other, "spins")) {
        CHECK(times_become(&hog, &other, 100));
        CHECK_OK(memory_budget_set_cpu_weight(test_budget(), other.budget, 400));
        CHECK(times_become(&hog, &other, 25));
    }
    spinner_end(&hog);
    spinner_end(&other);
}

static bool image_open(void)
{
    boot_package_cap boot = {test_grant("boot", INTERFACE_BOOT_PACKAGE)};
    memory_object_cap file = {};
    uint64_t size_bytes = 0;
    return CHECK_OK(capos_spawner_find(&spawner)) &&
           CHECK_OK(boot_package_open(boot, "quota_test", 10, &file, &size_bytes)) &&
           CHECK_OK(capos_image_open(&image, &spawner, file, size_bytes));
}

static void tests(void)
{
    if (!image_open())
        return;
    RUN(who_fills_its_capability_table_is_alone_with_it);
    RUN(who_uses_up_kernel_memory_is_alone_with_it);
    RUN(who_uses_up_user_memory_is_alone_with_it);
    RUN(who_writes_too_much_is_alone_with_it);
    RUN(who_writes_too_much_to_the_host_is_alone_with_it);
    RUN(who_makes_too_many_calls_is_alone_with_it);
    RUN(who_fills_the_queue_of_its_server_is_alone_with_it);
    RUN(who_has_many_busy_threads_has_one_share);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {
        {"ends", child_ends},
        {"takes slots", child_takes_slots},
        {"takes kernel memory", child_takes_kernel_memory},
        {"takes user memory", child_takes_user_memory},
        {"writes to the console", child_writes_to_the_console},
        {"writes to the host", child_writes_to_the_host},
        {"makes calls", child_makes_calls},
        {"fills a queue", child_fills_a_queue},
        {"spins", child_spins},
        {"spins in threads", child_spins_in_threads},
    };
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
