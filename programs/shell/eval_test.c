// SPDX-License-Identifier: MIT
// Tests of the evaluator, in a world of three capabilities that answers every call with what
// the test has prepared.
// Links: programs/shell/syntax.c programs/shell/help.c
// Links: programs/shell/variables.c programs/shell/language.c programs/shell/place.c
#include "eval.h"
#include "place.h"

#include <gen/descriptor.h>
#include <gen/interfaces.h>
#include <lib/elf.h>
#include <lib/fmt.h>
#include <test/test.h>

static struct descriptor schema;
static struct shell shell;

// What the shell did.
static char output[8192];
static char called[512];               // "Timer.sleep {durationNs: 5}"
static uint64_t fresh, kept, released; // capabilities as bits
static uint32_t settled;
static struct shell_pipeline started;

static const char *const held_names[] = {"timer", "budget", "memory", "odd",
                                         "stdio", "data",   "look"};
static const uint64_t held_ids[] = {
    INTERFACE_TIMER, INTERFACE_MEMORY_BUDGET, INTERFACE_VIRTUAL_MEMORY,     5,
    INTERFACE_STDIO, INTERFACE_DIRECTORY,     INTERFACE_READ_ONLY_DIRECTORY};
constexpr uint32_t HELD_COUNT = sizeof held_ids / sizeof *held_ids;

static bool held_at(void *context, uint32_t index, const char **out_name,
                    struct value *out_capability)
{
    (void)context;
    if (index >= HELD_COUNT)
        return false;
    *out_name = held_names[index];
    *out_capability = (struct value){
        .kind = VALUE_CAPABILITY, .number = index, .interface_id = held_ids[index]};
    return true;
}

static void append(void *context, const char *text, size_t size_bytes)
{
    size_t used = strlen(context);
    memcpy((char *)context + used, text, size_bytes);
    ((char *)context)[used + size_bytes] = 0;
}

// Records the call; results are those of a message of zeros, with fresh capabilities.
static bool call(void *context, const struct value *capability,
                 const struct descriptor_interface *interface,
                 const struct descriptor_method *method, const struct value_item *arguments,
                 uint32_t argument_count, struct value_arena *arena, struct value *out_results,
                 struct value_problem *problem)
{
    static uint64_t buffer[64], words[8];
    struct value_message message = {.buffer = buffer, .buffer_bytes = sizeof buffer};
    struct descriptor_struct results;
    struct descriptor_field field;
    struct value params;
    (void)context, (void)capability;
    called[0] = 0;
    append(called, interface->name, strlen(interface->name));
    append(called, ".", 1);
    append(called, method->name, strlen(method->name));
    append(called, " ", 1);
    if (value_build(&schema, method->params, arguments, argument_count, &message, problem) !=
        STATUS_OK)
        return false;
    struct value_capability sent[CAPOS_TRANSFER_COUNT_MAX] = {};
    CHECK_EQ(value_read(&schema, method->params, buffer, message.size_bytes, sent,
                        message.capability_count, arena, &params),
             STATUS_OK);
    value_print(&(struct value_sink){append, called}, &schema, &params, "");
    CHECK(descriptor_struct_at(&schema, method->results, &results));
    memset(words, 0, sizeof words);
    words[0] = (uint64_t)results.data_words << 32 | (uint64_t)results.pointer_count << 48;
    words[1] = results.data_words != 0 ? 1500 : 0;
    struct value_capability received = {};
    if (results.field_count != 0 && descriptor_field_at(&schema, &results, 0, &field) &&
        field.kind == DESCRIPTOR_CAPABILITY) {
        words[1 + results.data_words] = 3;
        received = (struct value_capability){40, field.interface_id};
        fresh |= UINT64_C(1) << 40;
    }
    return value_read(&schema, method->results, words, sizeof words, &received, 1, arena,
                      out_results) == STATUS_OK;
}

static bool keep(void *context, uint64_t capability)
{
    (void)context;
    uint64_t bit = UINT64_C(1) << capability;
    bool is_fresh = (fresh & bit) != 0;
    fresh &= ~bit;
    kept |= is_fresh ? bit : 0;
    return is_fresh;
}

static void release(void *context, uint64_t capability)
{
    (void)context;
    released |= UINT64_C(1) << capability;
}

static void settle(void *context)
{
    (void)context;
    released |= fresh;
    fresh = 0;
    settled++;
}

static bool start(void *context, const struct shell_pipeline *pipeline,
                  struct value_problem *problem)
{
    (void)context, (void)problem;
    started = *pipeline;
    return true;
}

static bool program_at(void *, uint32_t index, char *out_name)
{
    static const char *const names[] = {"hello", "cat", "cp", "rm", "ls"};
    if (index >= 5)
        return false;
    strcpy(out_name, names[index]);
    return true;
}

static uint32_t operands(void *, const char *name, uint32_t name_bytes)
{
    static const struct {
        const char *name;
        uint32_t operands;
    } programs[] = {{"cat", ELF_OPERANDS_READ},
                    {"cp", ELF_OPERANDS_READ | ELF_OPERANDS_WRITE_LAST},
                    {"rm", ELF_OPERANDS_WRITE},
                    {"ls", ELF_OPERANDS_READ | ELF_OPERANDS_PLACE}};
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (strlen(programs[i].name) == name_bytes &&
            memcmp(programs[i].name, name, name_bytes) == 0)
            return programs[i].operands;
    return 0;
}

// There is a directory "sub" in each directory.
static bool entries(void *, const struct value *, const char *path,
                    bool (*)(void *, const char *, bool), void *, struct value_problem *problem)
{
    if (*path == 0 || strcmp(path, "sub") == 0)
        return true;
    fmt_format(problem->text, sizeof problem->text, "%s: nothing there", path);
    return false;
}

static bool no_job_at(void *, uint32_t, uint32_t *, char *)
{
    return false;
}

static bool run_seven(struct shell *seven)
{
    return seven->syntax.statement.number == 7 || shell_wrong(seven, "it isn't 7");
}

static const struct command seven = {"seven", OPERANDS_JOB, run_seven, "seven N\n  Is N 7?\n"};

static const struct shell_world world = {
    .context = output,
    .held_at = held_at,
    .call = call,
    .keep = keep,
    .release = release,
    .settle = settle,
    .start = start,
    .program_at = program_at,
    .job_at = no_job_at,
    .operands = operands,
    .entries = entries,
    .write = append,
};

static bool run(const char *line)
{
    output[0] = 0;
    return shell_run(&shell, line, strlen(line));
}

static bool says(const char *line, const char *expected)
{
    if (run(line) && strcmp(output, expected) == 0)
        return true;
    printf("%s: %s%s\n", line, output, shell.problem.text);
    return false;
}

static bool complains(const char *line, const char *expected)
{
    if (!run(line) && strcmp(shell.problem.text, expected) == 0)
        return true;
    printf("%s: %s%s\n", line, output, shell.problem.text);
    return false;
}

static void a_method_is_called_with_its_arguments(void)
{
    CHECK(says("timer.sleep 5ms", ""));
    CHECK(strcmp(called, "Timer.sleep {durationNs: 5 ms (5000000 ns)}") == 0);
    CHECK(says("timer.now", "timeNs: 1.5 µs (1500 ns)\n"));
    CHECK(run("memory.protect 4096 4096 protection: readWrite"));
    CHECK(strcmp(called, "VirtualMemory.protect {address: 4096, lengthBytes: 4 KiB (4096 "
                         "bytes), protection: readWrite}") == 0);
    CHECK(run("timer.sleep (timer.now)"));
    CHECK(strcmp(called, "Timer.sleep {durationNs: 1.5 µs (1500 ns)}") == 0);
}

static void values_are_shown_and_bound(void)
{
    CHECK(says("[1, {a: \"x\", b: true}]", "[1, {a: \"x\", b: true}]\n"));
    CHECK(run("let now = timer.now") && says("now", "1.5 µs (1500 ns)\n"));
    CHECK(run("let info = memory.info"));
    CHECK(says("info.committedBytes", "0 bytes\n"));
    CHECK(says("info.regionCount", "1500\n"));
    CHECK(run("let pair = {a: 1, b: [2, 3]}") && says("pair.b", "[2, 3]\n"));
    CHECK(run("let pair = pair.b") && says("pair", "[2, 3]\n"));
    CHECK(complains("info.regions", "there is no field regions"));
    CHECK(complains("now.x", "x: only structs have fields and capabilities methods"));
    CHECK(run("release pair") && run("release now") && run("release info"));
}

static void a_capability_belongs_to_its_variable_or_goes(void)
{
    kept = released = 0;
    CHECK(says("budget.createNotification",
               "notification: <Notification>\nreleased again; `let NAME = ...` keeps it\n"));
    CHECK_EQ(released, UINT64_C(1) << 40);
    released = 0;
    CHECK(run("let n = budget.createNotification"));
    CHECK(kept == UINT64_C(1) << 40 && released == 0);
    CHECK(run("n.signal 4"));
    CHECK(strcmp(called, "Notification.signal {bits: 4}") == 0);
    CHECK(run("let n = [n, n, 1]") && run("let n = n") && released == 0);
    CHECK(run("release n"));
    CHECK_EQ(released, UINT64_C(1) << 40);
    CHECK(
        complains("n.signal 4", "there is no n; `caps` lists the names, `help` the commands"));
}

static void variables_share_a_capability(void)
{
    released = 0;
    CHECK(run("let n = budget.createNotification") && run("let m = {it: n}"));
    CHECK(run("release n") && released == 0);
    CHECK(run("m.it.signal 4") && run("let k = m.it") && run("let m = 1"));
    CHECK_EQ(released, 0);
    CHECK(run("let k = 2"));
    CHECK_EQ(released, UINT64_C(1) << 40);
    CHECK(run("let t = timer") && run("let t = 1")); // the shell's own stay
    CHECK_EQ(released, UINT64_C(1) << 40);
    CHECK(run("release m") && run("release k") && run("release t"));
}

static void everything_wrong_is_explained(void)
{
    uint32_t before = settled;
    CHECK(complains("tiemr.now", "there is no tiemr; did you mean timer?"));
    CHECK(complains("xyzzy", "there is no xyzzy; `caps` lists the names, `help` the commands"));
    CHECK(complains("timer.slep 1", "Timer has no method slep; did you mean sleep?"));
    CHECK(complains("timer.frobnicate",
                    "Timer has no method frobnicate; it has: now, sleep, sleepUntil"));
    CHECK(complains("timer.sleep \"long\"", "durationNs: expected a number, got text"));
    CHECK(complains("timer.sleep -1",
                    "durationNs: -1 is out of range: 0 to 18446744073709551615"));
    CHECK(complains("timer.sleep 1 2", "too many values: at most 1"));
    CHECK(complains("memory.map timer", "object: expected MemoryObject, got Timer"));
    CHECK(complains("memory.protect protection: raed",
                    "protection: there is no Protection raed; did you mean read?"));
    CHECK(complains("timer.sleep durationMs: 1",
                    "there is no durationMs; did you mean durationNs?"));
    CHECK(complains("let x = timer.sleep 1", "the method returns nothing to keep"));
    CHECK(complains("release timer",
                    "timer was given to the shell; only variables are released"));
    CHECK(complains("exit 256", "exit: 256 is out of range: 0 to 255"));
    CHECK(complains("timer 5", "timer is a Timer, whose methods follow a point: timer.now"));
    CHECK(complains("timer sleep",
                    "timer is a Timer, whose methods follow a point: timer.sleep"));
    CHECK(run("let five = 5"));
    CHECK(complains("odd.now", "the schema doesn't know the interface 0x5"));
    CHECK(complains("five 5", "five is a value, so it takes no arguments"));
    CHECK(run("release five"));
    CHECK(complains("hello.x 1", "hello is a program, which is run: run hello with { stdio }"));
    CHECK(complains("cap", "there is no cap; did you mean caps?"));
    CHECK(complains("run x with { tiemr }", "there is no tiemr; did you mean timer?"));
    CHECK(complains("run x with { a: 5 }", "a: only capabilities can be granted"));
    CHECK(complains("let a123456789012345678901234567890x = 1",
                    "the name is too long: at most 31 bytes"));
    CHECK(run("seven 7") && complains("seven 8", "it isn't 7"));
    CHECK(complains("help tmier", "there is no topic tmier; did you mean Timer?"));
    CHECK(settled - before == 27);
}

static void programs_get_what_is_listed(void)
{
    const struct shell_program *first = &started.programs[0], *second = first + 1;
    CHECK(run("run \"x y\" with { timer, m: memory } one"));
    CHECK(started.waits && started.program_count == 1);
    CHECK(first->grant_count == 2 && first->name_bytes == 3 && first->budget_bytes == 0);
    CHECK_EQ(first->grants[1].value.number, 2);
    CHECK(run("spawn x") && !started.waits && first->grant_count == 0);
    CHECK(run("run x with { budget: 3 MiB, timer } | y with { budget } 1"));
    CHECK(started.program_count == 2 && first->grant_count == 1 && second->grant_count == 1);
    CHECK_EQ(first->budget_bytes, 3 << 20);
    CHECK_EQ(second->budget_bytes, 0);
    CHECK(complains("run x with { budget: true }",
                    "budget: a MemoryBudget, or a size, as in: 16 MiB"));
    CHECK(run("run x with { weight: 300 }") && first->weight == 300 && first->grant_count == 0);
    CHECK(run("run x with { weight: timer }") && first->weight == 0 && first->grant_count == 1);
    CHECK(complains("run x with { weight: 0 }",
                    "weight: a share of busy CPUs, 1 to 10000; 100 is usual"));
    CHECK(complains("run x with { weight: 10001 }",
                    "weight: a share of busy CPUs, 1 to 10000; 100 is usual"));
}

// Whether a plain line grants just that: names, with * behind what may be changed.
static bool grants(const char *line, const char *expected)
{
    char found[256] = "";
    const struct shell_program *program = &started.programs[0];
    bool ok = run(line);
    for (uint32_t i = 0; ok && i < program->grant_count; i++) {
        const struct value_item *grant = &program->grants[i];
        bool is_wide = grant->value.interface_id == INTERFACE_DIRECTORY;
        append(found, grant->name, grant->name_bytes);
        append(found, is_wide && (program->narrowed >> i & 1) == 0 ? "* " : " ",
               is_wide && (program->narrowed >> i & 1) == 0 ? 2 : 1);
    }
    if (ok && strcmp(found, expected) == 0)
        return true;
    printf("%s: %s%s\n", line, found, shell.problem.text);
    return false;
}

static void a_plain_line_grants_what_its_operands_need(void)
{
    CHECK(grants("hello", "stdio ") && started.waits);
    CHECK(grants("hello data/x", "stdio ")); // it says nothing of its operands
    CHECK(grants("  cat data/x", "stdio data "));
    CHECK(grants("cat data/x data/y -n look", "stdio data look "));
    CHECK(grants("cat", "stdio ") && grants("cat nobody/x ../y", "stdio "));
    CHECK(grants("cat \"data/a b\"", "stdio data "));
    CHECK(grants("cp data/x look/y", "stdio data look "));
    CHECK(grants("cp look/x data", "stdio look data* "));
    CHECK(grants("cp data/x data/y -r", "stdio data* "));
    CHECK(grants("rm data/x", "stdio data* ") && grants("rm -r data", "stdio data* "));
    CHECK(grants("rm look/x", "stdio look "));
    CHECK(grants("ls", "stdio data look ") && grants("ls /", "stdio data look "));
    CHECK(grants("ls data/.", "stdio data ") && grants("ls data/../look", "stdio look "));
    CHECK(grants("cat with { timer } data/x", "timer "));
    CHECK(grants("run cat data/x", ""));
    CHECK(run("cat data/x | hello") && started.program_count == 2);
    CHECK(started.programs[0].grant_count == 2 && started.programs[1].grant_count == 1);
    CHECK(run("let mine = data") && grants("rm mine/x", "stdio mine* "));
    CHECK(run("let data = 5") && grants("cat data/x", "stdio "));
    CHECK(run("release data") && run("release mine"));
    CHECK(run("let hello = 5") && says("hello", "5\n") && run("release hello"));
    CHECK(says("help hello",
               "hello is a program.  A line that begins with it grants it stdio and "
               "nothing else.\n"));
    CHECK(run("help cp") && strstr(output, "that of the last one to change.") != nullptr);
    CHECK(complains("hallo", "there is no hallo; did you mean hello?"));
}

static void plain_lines_lead_on_from_a_place(void)
{
    char shown[PLACE_SHOWN_BYTES];
    CHECK(run("cd data") && grants("cat x", "stdio data ") && grants("ls", "stdio data "));
    CHECK(strcmp(started.programs[0].place, "data") == 0);
    CHECK(run("run cat with { stdio }") && started.programs[0].place == nullptr);
    CHECK(run("cd sub") && grants("rm ../x", "stdio data* "));
    CHECK(grants("cp x /look/y", "stdio data look ") &&
          grants("cat ../../look/x", "stdio look "));
    place_show(&shell, shown);
    CHECK(strcmp(shown, "data/sub") == 0);
    CHECK(complains("cd x", "sub/x: nothing there"));
    CHECK(
        complains("cd ../../..", "cd: nothing is above the directories that the shell holds"));
    CHECK(complains("cd /dta", "cd: the shell holds no directory dta; did you mean data?"));
    CHECK(
        complains("cd /nobody", "cd: the shell holds no directory nobody; `ls /` lists them"));
    char line[PATH_BYTES_MAX + 8] = "cd /data/";
    memset(line + strlen(line), 'x', PATH_BYTES_MAX - 4);
    CHECK(complains(line, "cd: that is no path, or a place of more than 1024 bytes"));
    CHECK(strcmp(shell.place, "data/sub") == 0);
    CHECK(run("cd /look") && strcmp(shell.place, "look") == 0);
    CHECK(run("cd") && *shell.place == 0 && grants("cat x", "stdio "));
    memset(shell.place, 'x', 200);
    shell.place[199] = '\x1b';
    shell.place[200] = 0;
    place_show(&shell, shown);
    CHECK(strcmp(shown, "...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx?") == 0);
    CHECK(run("cd"));
}

static void a_plain_line_has_a_limit(void)
{
    char line[32], list[1024] = "cat";
    for (uint32_t i = 0; i < 40; i++) {
        fmt_format(line, sizeof line, "let d%u = data", i);
        CHECK(run(line));
        fmt_format(line, sizeof line, " d%u/x", i);
        append(list, line, strlen(line));
    }
    CHECK(complains(list, "a program can be granted at most 31 directories"));
    for (uint32_t i = 0; i < 40; i++) {
        fmt_format(line, sizeof line, "release d%u", i);
        CHECK(run(line));
    }
}

static void variables_have_a_limit(void)
{
    char line[32], list[4 * SHELL_KEPT_MAX + 16] = "let l = [n";
    CHECK(run("let n = budget.createNotification"));
    for (uint32_t i = 0; i < SHELL_KEPT_MAX; i++)
        append(list, ", n", 3);
    append(list, "]", 1);
    CHECK(complains(list, "variables hold at most 128 capabilities"));
    CHECK(run("release n"));
    for (uint32_t i = 0; i < SHELL_VARIABLES_MAX; i++) {
        fmt_format(line, sizeof line, "let v%u = \"%u\"", i, i);
        CHECK(run(line));
    }
    CHECK(complains("let one_more = 1",
                    "there are 64 variables, the most there can be; release one"));
    CHECK(run("let v3 = 1"));
    shell_fini(&shell);
    CHECK_EQ(shell.variable_count, 0);
}

static void help_speaks_the_schemas_words(void)
{
    CHECK(run("help timer.sleep"));
    CHECK(strcmp(output,
                 "Timer.sleep durationNs\n"
                 "  Completes once at least the given time has passed.  CANCEL "
                 "withdraws it.\n"
                 "  arguments\n"
                 "    durationNs: UInt64 in ns\n"
                 "        How long.  A sum beyond the clock's range sleeps for ever.\n") == 0);
    CHECK(run("help Timer") && strstr(output, "  sleepUntil deadlineNs\n") != nullptr);
    CHECK(run("help run") && strstr(output, "Needs: spawner, boot, budget.") != nullptr);
    CHECK(run("help") && strstr(output, "release NAME") != nullptr);
    CHECK(run("help memory.protect") &&
          strstr(output, "readWrite: Read and write.") != nullptr);
    CHECK(run("caps") && strncmp(output,
                                 "timer            Timer\nbudget           MemoryBudget\n"
                                 "memory           VirtualMemory\nodd              ?\n",
                                 96) == 0);
}

static void exit_ends_with_a_status(void)
{
    CHECK(run("exit 7"));
    CHECK(shell.ended && shell.status == 7);
}

int main(void)
{
    if (descriptor_open(descriptor_blob, sizeof descriptor_blob, &schema) != STATUS_OK)
        return 1;
    shell_init(&shell, &schema, &world);
    shell_add_command(&shell, &seven);
    RUN(a_method_is_called_with_its_arguments);
    RUN(values_are_shown_and_bound);
    RUN(a_capability_belongs_to_its_variable_or_goes);
    RUN(variables_share_a_capability);
    RUN(everything_wrong_is_explained);
    RUN(programs_get_what_is_listed);
    RUN(a_plain_line_grants_what_its_operands_need);
    RUN(plain_lines_lead_on_from_a_place);
    RUN(a_plain_line_has_a_limit);
    RUN(variables_have_a_limit);
    RUN(help_speaks_the_schemas_words);
    RUN(exit_ends_with_a_status);
    return test_report();
}
