// SPDX-License-Identifier: MIT
// Tests of the shell's grammar.
#include "syntax.h"

#include <test/test.h>

static struct syntax syntax;

static const struct command table[] = {
    {.name = "let", .operands = OPERANDS_LET},
    {.name = "run", .operands = OPERANDS_PROGRAM},
    {.name = "help", .operands = OPERANDS_TOPIC},
    {.name = "caps", .operands = OPERANDS_NONE},
    {.name = "wait", .operands = OPERANDS_JOB},
    {.name = "exit", .operands = OPERANDS_STATUS},
    {.name = "release", .operands = OPERANDS_NAME},
    {.name = "show", .operands = OPERANDS_EXPRESSION},
    {.name = "trace", .operands = OPERANDS_WORDS},
};
constexpr uint32_t COMMAND_COUNT = sizeof table / sizeof *table;
static const struct command *commands[COMMAND_COUNT];

// Whether the statement is that command.
static bool is(const char *name)
{
    return syntax.statement.command != nullptr &&
           strcmp(syntax.statement.command->name, name) == 0;
}

static bool is_expression(void)
{
    return syntax.statement.command == nullptr && syntax.statement.expression != 0;
}

static bool parses(const char *line)
{
    if (syntax_parse(&syntax, commands, COMMAND_COUNT, nullptr, line, strlen(line)))
        return true;
    printf("%s: %s\n", line, syntax.problem);
    return false;
}

static bool refuses(const char *line, const char *why)
{
    if (!syntax_parse(&syntax, commands, COMMAND_COUNT, nullptr, line, strlen(line)) &&
        strcmp(syntax.problem, why) == 0)
        return true;
    printf("%s: %s\n", line, syntax.problem);
    return false;
}

static const struct node *expression(void)
{
    return &syntax.nodes[syntax.statement.expression];
}

static const struct node *next(const struct node *node)
{
    return &syntax.nodes[node->next];
}

static bool text_is(const struct node *node, const char *text)
{
    return node->text_bytes == strlen(text) && memcmp(node->text, text, node->text_bytes) == 0;
}

static void a_line_of_nothing_is_a_statement(void)
{
    CHECK(parses("") && syntax.statement.command == nullptr && !is_expression());
    CHECK(parses("   # only a comment") && syntax.statement.expression == 0);
}

static void a_call_has_arguments_by_position_and_by_name(void)
{
    CHECK(parses("memory.commit 0x1000 lengthBytes: 4KiB, protection: read # why"));
    CHECK(is_expression());
    CHECK(text_is(expression(), "memory.commit"));
    const struct node *argument = &syntax.nodes[expression()->first];
    CHECK_EQ(argument->number, 0x1000);
    CHECK(argument->name == nullptr);
    argument = next(argument);
    CHECK_EQ(argument->number, 4096);
    CHECK_EQ(argument->name_bytes, 11);
    argument = next(argument);
    CHECK(argument->kind == NODE_PATH && text_is(argument, "read"));
    CHECK_EQ(argument->next, 0);
}

static void numbers_have_units_and_bounds(void)
{
    CHECK(parses("5ms") && expression()->number == 5000000);
    CHECK(parses("16 MiB") && expression()->number == 16 << 20);
    CHECK(parses("a.b 5 s 3") && expression()->first != 0);
    CHECK_EQ(syntax.nodes[expression()->first].number, 5000000000);
    CHECK(parses("a.b 5 s: 3") && syntax.nodes[expression()->first].number == 5);
    CHECK(parses("a.b 5 s.c") && text_is(next(&syntax.nodes[expression()->first]), "s.c"));
    CHECK(parses("a.b 5 km") && text_is(next(&syntax.nodes[expression()->first]), "km"));
    CHECK(parses("1_000") && expression()->number == 1000);
    CHECK(parses("-3") && expression()->negative && expression()->number == 3);
    CHECK(parses("18446744073709551615") && expression()->number == UINT64_MAX);
    CHECK(refuses("18446744073709551616", "the number exceeds 64 bits (column 20)"));
    CHECK(refuses("99999999999GiB", "the number exceeds 64 bits (column 15)"));
    CHECK(refuses("5km",
                  "there is no unit km; there are: ns, us, ms, s, KiB, MiB, GiB (column 4)"));
    CHECK(refuses("0x",
                  "there is no unit x; there are: ns, us, ms, s, KiB, MiB, GiB (column 3)"));
    CHECK(refuses("-", "expected a digit (column 2)"));
}

static void texts_have_escapes(void)
{
    CHECK(parses("\"a\\n\\\"\\x41 # no comment\""));
    CHECK(text_is(expression(), "a\n\"A # no comment"));
    CHECK(refuses("\"open", "the text has no closing quote (column 1)"));
    CHECK(
        refuses("\"\\q\"",
                "there is no such escape; there are: \\\" \\\\ \\n \\r \\t \\xNN (column 3)"));
}

static void lists_structs_and_calls_nest(void)
{
    CHECK(parses("a.b [1, {x: 2, y}, (c.d 3)] null"));
    const struct node *list = &syntax.nodes[expression()->first];
    CHECK_EQ(list->kind, NODE_LIST);
    const struct node *structure = next(&syntax.nodes[list->first]);
    CHECK_EQ(structure->kind, NODE_STRUCT);
    CHECK(text_is(next(&syntax.nodes[structure->first]), "y"));
    CHECK(text_is(next(structure), "c.d"));
    CHECK_EQ(next(list)->kind, NODE_NULL);
    CHECK(refuses("[1, 2", "expected , or ] (column 6)"));
    CHECK(refuses("{1}", "expected the name of a field (column 2)"));
    CHECK(refuses("(a.b", "expected ) (column 5)"));
    CHECK(refuses("a.b )", "expected the end of the line (column 5)"));
    CHECK(refuses("[[[[[[[[[[[[[[1", "nested too deep: at most 12 levels (column 13)"));
    CHECK(refuses("((((((((((((((1", "nested too deep: at most 12 levels (column 13)"));
}

static bool program_is(uint32_t index, const char *name)
{
    const struct syntax_program *program = &syntax.statement.programs[index];
    return program->name_bytes == strlen(name) &&
           memcmp(program->name, name, program->name_bytes) == 0;
}

static void programs_have_grants_and_words(void)
{
    CHECK(parses("run \"my prog\" with { stdio, clock: timer } --flag \"a b\" 3"));
    CHECK(is("run"));
    const struct syntax_program *program = &syntax.statement.programs[0];
    CHECK(syntax.statement.program_count == 1 && program_is(0, "my prog"));
    const struct node *grant = &syntax.nodes[syntax.nodes[program->grants].first];
    CHECK(text_is(grant, "stdio") && text_is(next(grant), "timer"));
    const struct node *argument = &syntax.nodes[program->arguments];
    CHECK(text_is(argument, "--flag"));
    argument = next(argument);
    CHECK(text_is(argument, "a b"));
    CHECK(text_is(next(argument), "3"));
    CHECK(parses("run x") && program->grants == 0 && program->arguments == 0);
    CHECK(parses("run x a b with { stdio }") && program->grants != 0);
    CHECK(text_is(next(&syntax.nodes[program->arguments]), "b"));
    CHECK(parses("run x a with b") && program->grants == 0); // a word among others
    CHECK(refuses("run", "expected the name of a program (column 4)"));
    CHECK(refuses("run x with stdio",
                  "expected { with the grants, as in: with { stdio } (column 12)"));
    CHECK(refuses("run x with { a } with { b }",
                  "the program has its grants already (column 23)"));
}

static void pipelines_are_programs_in_a_row(void)
{
    CHECK(parses("run a with { stdio } 1|b | \"c|\" \"|\" # | d"));
    CHECK(syntax.statement.program_count == 3);
    CHECK(program_is(0, "a") && program_is(1, "b") && program_is(2, "c|"));
    CHECK(text_is(&syntax.nodes[syntax.statement.programs[0].arguments], "1"));
    CHECK(text_is(&syntax.nodes[syntax.statement.programs[2].arguments], "|"));
    CHECK(refuses("run a |", "expected the name of a program (column 8)"));
    CHECK(refuses("run a || b", "expected the name of a program (column 8)"));
    CHECK(refuses("run | a", "expected the name of a program (column 5)"));
    CHECK(refuses("run a|a|a|a|a|a|a|a|a", "a pipeline has at most 8 programs (column 21)"));
    CHECK(refuses("trace |", "expected a word (column 7)"));
}

static void commands_are_checked(void)
{
    CHECK(parses("let x = timer.now") && is("let"));
    CHECK(parses("wait 3") && syntax.statement.number == 3);
    CHECK(parses("wait.signal 3") && is_expression());
    CHECK(parses("exit") && syntax.statement.number == 0);
    CHECK(parses("show timer.now") && is("show") && text_is(expression(), "timer.now"));
    CHECK(parses("trace on x") &&
          text_is(next(&syntax.nodes[syntax.statement.arguments]), "x"));
    CHECK(parses("help timer.sleep") && syntax.statement.name_bytes == 11);
    CHECK(refuses("let", "expected a name, as in: let x = timer.now (column 4)"));
    CHECK(refuses("let x 3", "expected = (column 7)"));
    CHECK(refuses("wait", "expected a number, one that jobs shows (column 5)"));
    CHECK(refuses("exit now", "expected a number (column 6)"));
    CHECK(refuses("release", "expected the name of a variable (column 8)"));
    CHECK(refuses("caps all", "expected the end of the line (column 6)"));
    CHECK(refuses("timer.", "expected a name behind the point (column 7)"));
    CHECK(refuses("timer.sleep x:", "expected a value (column 15)"));
}

static void a_line_that_is_too_long_or_has_too_much_is_refused(void)
{
    static char line[SYNTAX_LINE_BYTES_MAX + 1];
    memset(line, ' ', sizeof line);
    CHECK(!syntax_parse(&syntax, commands, COMMAND_COUNT, nullptr, line, sizeof line));
    CHECK(strcmp(syntax.problem, "the line is too long: at most 4096 bytes (column 1)") == 0);
    memcpy(line, "a.b", 3);
    for (size_t i = 4; i + 1 < sizeof line; i += 2)
        line[i] = '1';
    CHECK(!syntax_parse(&syntax, commands, COMMAND_COUNT, nullptr, line, sizeof line - 1));
    CHECK(strncmp(syntax.problem, "the line has too many parts: at most 511", 40) == 0);
}

int main(void)
{
    for (uint32_t i = 0; i < COMMAND_COUNT; i++)
        commands[i] = &table[i];
    RUN(a_line_of_nothing_is_a_statement);
    RUN(a_call_has_arguments_by_position_and_by_name);
    RUN(numbers_have_units_and_bounds);
    RUN(texts_have_escapes);
    RUN(lists_structs_and_calls_nest);
    RUN(programs_have_grants_and_words);
    RUN(pipelines_are_programs_in_a_row);
    RUN(commands_are_checked);
    RUN(a_line_that_is_too_long_or_has_too_much_is_refused);
    return test_report();
}
