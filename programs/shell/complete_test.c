// SPDX-License-Identifier: MIT
// Tests of completion, in a world of a few capabilities, programs and jobs.
// Links: programs/shell/eval.c programs/shell/syntax.c programs/shell/help.c
// Links: programs/shell/variables.c programs/shell/language.c programs/shell/place.c
#include "complete.h"

#include <gen/descriptor.h>
#include <gen/interfaces.h>
#include <test/test.h>

static struct descriptor schema;
static struct shell shell;
static struct completion completion;

static bool held_at(void *context, uint32_t index, const char **out_name,
                    struct value *out_capability)
{
    static const char *const names[] = {"timer", "stdio", "memory", "object", "files"};
    static const uint64_t interfaces[] = {INTERFACE_TIMER, INTERFACE_STDIO,
                                          INTERFACE_VIRTUAL_MEMORY, INTERFACE_MEMORY_OBJECT,
                                          INTERFACE_READ_ONLY_DIRECTORY};
    (void)context;
    if (index >= 5)
        return false;
    *out_name = names[index];
    *out_capability = (struct value){
        .kind = VALUE_CAPABILITY, .number = index, .interface_id = interfaces[index]};
    return true;
}

static bool program_at(void *, uint32_t index, char out_name[SHELL_PROGRAM_BYTES])
{
    static const char *const names[] = {"args", "echo", "exitcode"};
    if (index >= 3)
        return false;
    strcpy(out_name, names[index]);
    return true;
}

static bool job_at(void *, uint32_t index, uint32_t *out_number,
                   char out_name[SHELL_PROGRAM_BYTES])
{
    *out_number = 12;
    strcpy(out_name, "spin");
    return index == 0;
}

static bool keep(void *, uint64_t)
{
    return false;
}

static bool entries(void *, const struct value *, const char *path,
                    bool (*take)(void *, const char *, bool), void *taker,
                    struct value_problem *)
{
    static const char *const top[] = {"zoo",  "notes",      "odd",       "a b",
                                      "a\"c", "nu\x1b\xff", "n\xc3\xa4h"};
    if (take == nullptr)
        return true;
    for (size_t i = 0; *path == 0 && i < sizeof top / sizeof *top; i++)
        if (!take(taker, top[i], i < 3))
            return true;
    return strcmp(path, "odd") != 0 || take(taker, "-rf", false);
}

static void settle(void *)
{
}

static const struct shell_world world = {
    .held_at = held_at,
    .keep = keep,
    .settle = settle,
    .program_at = program_at,
    .job_at = job_at,
    .entries = entries,
};

static bool run_nothing(struct shell *)
{
    return true;
}

static const struct command wait = {"wait", OPERANDS_JOB, run_nothing, "wait N\n  Waits.\n"};
static const struct command jobs = {"jobs", OPERANDS_NONE, run_nothing, "jobs\n  Lists.\n"};

static bool has(const char *candidate)
{
    size_t bytes = strlen(candidate);
    for (const char *at = completion.text; at != nullptr; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, candidate, bytes) == 0 && strchr("\t\n", at[bytes]) != nullptr)
            return true;
    }
    return false;
}

// What the line becomes if there is one candidate, or else is offered.
static bool completes(const char *line, const char *expected)
{
    char whole[512];
    complete_line(&shell, line, strlen(line), (uint32_t)strlen(line), &completion);
    memcpy(whole, line, completion.start);
    strcpy(whole + completion.start, completion.text);
    if (completion.count == 1 && strcmp(whole, expected) == 0)
        return true;
    printf("%s: %u: %s\n", line, completion.count, completion.text);
    return false;
}

static bool offers(const char *line, uint32_t start, const char *first, const char *second)
{
    complete_line(&shell, line, strlen(line), (uint32_t)strlen(line), &completion);
    if (completion.start == start && completion.count > 1 && has(first) && has(second))
        return true;
    printf("%s: %u from %u: %s\n", line, completion.count, completion.start, completion.text);
    return false;
}

static bool offers_nothing(const char *line)
{
    complete_line(&shell, line, strlen(line), (uint32_t)strlen(line), &completion);
    if (completion.count == 0)
        return true;
    printf("%s: %u: %s\n", line, completion.count, completion.text);
    return false;
}

static void names_and_commands_begin_a_line(void)
{
    CHECK(offers("", 0, "timer", "help"));
    CHECK(completes("tim", "timer."));
    CHECK(completes("  rele", "  release "));
    CHECK(completes("job", "jobs"));
    CHECK(offers("m", 0, "memory", "mine"));
    CHECK(completes("let x = mem", "let x = memory."));
    CHECK(offers_nothing("let x"));
    CHECK(offers_nothing("caps "));
    CHECK(offers_nothing("xyzzy"));
}

static void a_nul_is_part_of_no_name(void)
{
    static const char line[] = "help timer\0x";
    complete_line(&shell, line, sizeof line - 1, sizeof line - 1, &completion);
    CHECK_EQ(completion.count, 0);
}

static void methods_and_fields_follow_a_point(void)
{
    CHECK(offers("timer.", 6, "sleep", "now"));
    CHECK(strstr(completion.text, "sleep\tCompletes once at least the given time has passed") !=
          nullptr);
    CHECK(completes("timer.n", "timer.now"));
    CHECK(completes("timer.sleepU", "timer.sleepUntil "));
    CHECK(completes("pair.cl", "pair.clock."));
    CHECK(completes("pair.clock.n", "pair.clock.now"));
    CHECK(completes("let x = timer.n", "let x = timer.now"));
    CHECK(completes("timer.sleep (timer.n", "timer.sleep (timer.now"));
    CHECK(offers_nothing("pair.number."));
    CHECK(offers_nothing("nobody.x"));
}

static void arguments_have_names_and_values(void)
{
    CHECK(completes("timer.sleep dur", "timer.sleep durationNs: "));
    CHECK(offers("memory.protect 4096 4096 ", 25, "protection:", "readWrite"));
    CHECK(strstr(completion.text, "readWrite\tRead and write") != nullptr);
    CHECK(
        completes("memory.protect protection: readW", "memory.protect protection: readWrite"));
    CHECK(
        offers("memory.protect protection: read lengthBytes: 4096, ", 51, "address:", "mine"));
    CHECK(!has("protection:") && !has("lengthBytes:") && !has("timer"));
    CHECK(completes("memory.map object: ", "memory.map object: object"));
    CHECK(completes("let x = (memory.protect protection: readW",
                    "let x = (memory.protect protection: readWrite"));
    CHECK(completes("timer.sleep \"(\\\"\" (timer.n", "timer.sleep \"(\\\"\" (timer.now"));
    CHECK(offers("[1, ti", 4, "tick", "timer"));
    CHECK(offers_nothing("timer.sleep \"tim"));
    CHECK(offers_nothing("timer.sleep # tim"));
    CHECK(offers_nothing("]"));
}

static void programs_have_names_and_grants(void)
{
    CHECK(offers("run ", 4, "args", "exitcode"));
    CHECK(completes("run ec", "run echo "));
    CHECK(completes("run args one wi", "run args one with { "));
    CHECK(offers("run args with { ", 16, "stdio", "budget:"));
    CHECK(completes("run args with { stdio, bud", "run args with { stdio, budget: "));
    CHECK(completes("run args with { stdio, wei", "run args with { stdio, weight: "));
    CHECK(completes("run args with { clock: tim", "run args with { clock: timer"));
    CHECK(completes("run args with { stdio } \"|\" | ec",
                    "run args with { stdio } \"|\" | echo "));
    CHECK(completes("spawn args|args with { memo", "spawn args|args with { memory"));
    CHECK(offers_nothing("run args with { stdio } x"));
}

static void operands_are_names_of_files(void)
{
    CHECK(completes("args f", "args files/"));
    CHECK(completes("args files/z", "args files/zoo/"));
    CHECK(offers("args files/n", 5, "\"files/notes/", "\"files/nu\\x1b\\xff"));
    CHECK(completes("args files/n\xc3", "args files/n\xc3\xa4h "));
    CHECK(completes("args files/odd/", "args files/odd/-rf "));
    CHECK(completes("args files/a\"", "args \"files/a\\\"c\" "));
    CHECK(completes("args x \"files/a ", "args x \"files/a b\" "));
    CHECK(completes("args x \"files/\\x6e\\x75", "args x \"files/nu\\x1b\\xff\" "));
    CHECK(completes("args \"a b\" | args files/z", "args \"a b\" | args files/zoo/"));
    CHECK(completes("run args with { stdio } files/z", "run args with { stdio } files/zoo/"));
    CHECK(completes("cd files/odd/../z", "cd files/odd/../zoo/"));
    CHECK(offers_nothing("cd files/odd/") && offers_nothing("args nobody/"));
    CHECK(offers_nothing("args \"files/z\"") && offers_nothing("args files/../../"));
    CHECK(shell_run(&shell, "cd files", 8) && completes("args z", "args zoo/"));
    CHECK(completes("args /fi", "args /files/") &&
          completes("cd odd/../no", "cd odd/../notes/"));
    CHECK(completes("run args with { stdio } fi", "run args with { stdio } files/"));
    CHECK(shell_run(&shell, "cd", 2));
}

static void commands_have_their_operands(void)
{
    CHECK(completes("wait ", "wait 12"));
    CHECK(offers("release ", 8, "pair", "mine"));
    CHECK(offers("help t", 5, "timer", "tick"));
    CHECK(completes("help Tim", "help Timer."));
    CHECK(completes("help Timer.n", "help Timer.now"));
    CHECK(completes("help timer.n", "help timer.now"));
}

static void the_cursor_may_stand_inside(void)
{
    complete_line(&shell, "tim.now", 7, 3, &completion);
    CHECK(completion.count == 1 && strcmp(completion.text, "timer.") == 0);
    complete_line(&shell, "tim", 3, 99, &completion);
    CHECK_EQ(completion.count, 1);
}

int main(void)
{
    if (descriptor_open(descriptor_blob, sizeof descriptor_blob, &schema) != STATUS_OK)
        return 1;
    shell_init(&shell, &schema, &world);
    shell_add_command(&shell, &wait);
    shell_add_command(&shell, &jobs);
    CHECK(shell_run(&shell, "let pair = {clock: timer, number: 1}", 36));
    CHECK(shell_run(&shell, "let mine = object", 17));
    CHECK(shell_run(&shell, "let tick = timer", 16));
    CHECK(shell_run(&shell, "release mine", 12));
    CHECK(shell_run(&shell, "let mine = 5", 12));
    RUN(names_and_commands_begin_a_line);
    RUN(a_nul_is_part_of_no_name);
    RUN(methods_and_fields_follow_a_point);
    RUN(arguments_have_names_and_values);
    RUN(programs_have_names_and_grants);
    RUN(operands_are_names_of_files);
    RUN(commands_have_their_operands);
    RUN(the_cursor_may_stand_inside);
    return test_report();
}
