// SPDX-License-Identifier: MIT
// What a holder of a RestrictedLauncher can and can't do, a line for each call; the program of
// system/test-launcher.capnp, read by tests/cli/launcher_service_test.py.
#include <capos/launch.h>
#include <capos/panic.h>

#include <gen/capos/launcher.h>
#include <gen/capos/process.h>
#include <stdio.h>
#include <string.h>

constexpr uint64_t MIB = 1 << 20;

static void say_status(const char *what, enum status status)
{
    if (status > STATUS_INVALID_ARGUMENT)
        printf("%s: %s\n", what, status_name(status));
    else
        printf("%s: %s: %s\n", what, status_name(status), capos_last_exception()->reason);
}

// Starts a program and says how it ended.
static void launch(const char *what, restricted_launcher_cap launcher, const char *program,
                   const char *arguments, const char *grants, uint64_t budget_bytes)
{
    process_handle_cap process;
    enum end_kind kind;
    int64_t code;
    enum fault_kind fault;
    fflush(stdout); // the program writes to the same place
    enum status status = restricted_launcher_launch(launcher, program, strlen(program),
                                                    arguments, strlen(arguments), grants,
                                                    strlen(grants), budget_bytes, &process);
    if (status == STATUS_OK)
        status = process_handle_wait(process, &kind, &code, &fault, nullptr, nullptr, nullptr,
                                     nullptr);
    if (status != STATUS_OK) {
        say_status(what, status);
        return;
    }
    printf("%s: %s %lld %s\n", what, end_kind_name(kind), (long long)code,
           fault_kind_name(fault));
    process_handle_cap_release(&process);
}

static void info(const char *what, restricted_launcher_cap launcher)
{
    char programs[1024], grants[512];
    uint64_t budget_bytes_max;
    if (restricted_launcher_info(launcher, programs, sizeof programs, nullptr, grants,
                                 sizeof grants, nullptr, &budget_bytes_max) != STATUS_OK)
        capos_panic("launcher_client: no info");
    for (char *at = programs; *at != '\0'; at++)
        *at = *at == '\n' ? ',' : *at;
    for (char *at = grants; *at != '\0'; at++)
        *at = *at == '\n' ? ',' : *at;
    printf("%s: %s; %s; %llu\n", what, programs, grants, (unsigned long long)budget_bytes_max);
}

static bool narrow(const char *what, restricted_launcher_cap launcher, const char *programs,
                   const char *grants, uint64_t budget_bytes,
                   restricted_launcher_cap *out_narrow)
{
    enum status status = restricted_launcher_narrow(
        launcher, programs, strlen(programs), grants, strlen(grants), budget_bytes, out_narrow);
    if (status != STATUS_OK)
        say_status(what, status);
    return status == STATUS_OK;
}

static void launch_what_is_allowed(restricted_launcher_cap launcher)
{
    launch("exit", launcher, "exitcode", "42", "", MIB);
    launch("fault", launcher, "fault", "illegal", "", MIB);
    launch("args", launcher, "args", "one\n.\ntwo words", "stdio", MIB);
}

static void launch_what_is_not(restricted_launcher_cap launcher)
{
    launch("program", launcher, "spin", "", "", MIB);
    launch("part of a name", launcher, "exit", "", "", MIB);
    launch("grant", launcher, "args", "", "boot", MIB);
    launch("grant twice", launcher, "args", "", "stdio\nstdio", MIB);
    launch("budget above", launcher, "args", "", "", 2 * MIB + 4096);
    launch("budget of no pages", launcher, "args", "", "", 5);
    launch("budget too small", launcher, "args", "", "", 4096);
}

static void narrow_and_try_to_widen(restricted_launcher_cap launcher)
{
    restricted_launcher_cap less, more;
    if (!narrow("narrow", launcher, "exitcode\nargs", "stdio", MIB, &less))
        return;
    info("narrowed", less);
    launch("allowed still", less, "exitcode", "7", "", MIB);
    launch("program no more", less, "fault", "illegal", "", MIB);
    launch("grant no more", less, "args", "", "timer", MIB);
    launch("budget no more", less, "args", "", "", 2 * MIB);
    (void)narrow("widen programs", less, "exitcode\nfault", "", MIB, &more);
    (void)narrow("widen grants", less, "exitcode", "stdio\ntimer", MIB, &more);
    (void)narrow("widen budget", less, "exitcode", "stdio", MIB + 4096, &more);
    if (narrow("narrow again", less, "exitcode", "", MIB / 2, &more)) {
        info("narrowed again", more);
        restricted_launcher_cap_release(&less); // its children live on
        launch("child", more, "exitcode", "3", "", MIB / 2);
        restricted_launcher_cap_release(&more);
    }
}

// A released launcher's place is free again: more in a row than there are places.
static void narrow_many(restricted_launcher_cap launcher)
{
    uint32_t made = 0;
    for (uint32_t i = 0; i < 200; i++) {
        restricted_launcher_cap less;
        if (!narrow("narrow many", launcher, "args", "", 0, &less))
            break;
        made++;
        info(i == 199 ? "last" : "one", less);
        restricted_launcher_cap_release(&less);
    }
    printf("narrowed %u times\n", made);
}

static void launch_with_the_helper(restricted_launcher_cap launcher)
{
    static char long_text[600];
    static const char *const grants[] = {"stdio", "timer"};
    static const char *const arguments[] = {"one", "", "two\tand", ""};
    static const char *const newline[] = {"one\ntwo"};
    const char *const too_long[] = {memset(long_text, 'x', sizeof long_text - 1), long_text};
    struct capos_launch_request request = {.program = "args",
                                           .arguments = arguments,
                                           .grants = grants,
                                           .argument_count = 4,
                                           .grant_count = 2};
    process_handle_cap process;
    const char *problem;
    fflush(stdout);
    enum status status = capos_launch(launcher, &request, &process, &problem);
    if (status != STATUS_OK || process_handle_wait(process, nullptr, nullptr, nullptr, nullptr,
                                                   nullptr, nullptr, nullptr) != STATUS_OK)
        capos_panic("launcher_client: the helper: %s", status_name(status));
    process_handle_cap_release(&process);
    request = (struct capos_launch_request){
        .program = "args", .arguments = newline, .argument_count = 1};
    if (capos_launch(launcher, &request, &process, &problem) == STATUS_INVALID_ARGUMENT)
        printf("newline: %s\n", problem);
    request.arguments = too_long;
    request.argument_count = 2;
    if (capos_launch(launcher, &request, &process, &problem) == STATUS_INVALID_ARGUMENT)
        printf("too long: %s\n", problem);
    request =
        (struct capos_launch_request){.program = "args", .grants = too_long, .grant_count = 1};
    if (capos_launch(launcher, &request, &process, &problem) == STATUS_INVALID_ARGUMENT)
        printf("grants too long: %s\n", problem);
    request = (struct capos_launch_request){.program = "spin"};
    if (capos_launch(launcher, &request, &process, &problem) == STATUS_INVALID_ARGUMENT &&
        problem == nullptr)
        printf("refused: %s\n", capos_last_exception()->reason);
}

int main(void)
{
    restricted_launcher_cap launcher;
    if (restricted_launcher_cap_find("launcher", &launcher) != STATUS_OK)
        capos_panic("launcher_client: needs the grants of system/test-launcher.capnp");
    info("first", launcher);
    launch_what_is_allowed(launcher);
    launch_what_is_not(launcher);
    launch_with_the_helper(launcher);
    narrow_and_try_to_widen(launcher);
    narrow_many(launcher);
    return 0;
}
