// SPDX-License-Identifier: MIT
// The parser: recursive descent over the bytes of one line.  The grammar is in the header.
#include "syntax.h"

#include <lib/fmt.h>
#include <string.h>

struct parser {
    struct syntax *syntax;
    const char *at;
    const char *end;
    const char *line;
    uint32_t depth;
};

// ---- Characters --------------------------------------------------------------------

__attribute__((format(printf, 2, 3))) static bool wrong(struct parser *parser,
                                                        const char *format, ...)
{
    char *problem = parser->syntax->problem;
    size_t room = sizeof parser->syntax->problem;
    va_list arguments;
    va_start(arguments, format);
    size_t used = fmt_vformat(problem, room, format, arguments);
    va_end(arguments);
    if (used < room)
        fmt_format(problem + used, room - used, " (column %u)",
                   (unsigned)(parser->at - parser->line) + 1);
    return false;
}

static void skip_spaces(struct parser *parser)
{
    while (parser->at < parser->end && (*parser->at == ' ' || *parser->at == '\t'))
        parser->at++;
    if (parser->at < parser->end && *parser->at == '#')
        parser->end = parser->at;
}

static char peek(const struct parser *parser)
{
    return parser->at < parser->end ? *parser->at : '\0';
}

static bool accept(struct parser *parser, char wanted)
{
    skip_spaces(parser);
    if (peek(parser) != wanted || parser->at >= parser->end)
        return false;
    parser->at++;
    return true;
}

static bool at_end(struct parser *parser)
{
    skip_spaces(parser);
    return parser->at >= parser->end;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(char c)
{
    return is_name_start(c) || is_digit(c) || c == '-';
}

// A name at the current place; false, without a problem, if there is none.
static bool take_name(struct parser *parser, const char **out_name, uint32_t *out_bytes)
{
    skip_spaces(parser);
    const char *start = parser->at;
    if (!is_name_start(peek(parser)))
        return false;
    while (is_name(peek(parser)))
        parser->at++;
    *out_name = start;
    *out_bytes = (uint32_t)(parser->at - start);
    return true;
}

static bool take_path(struct parser *parser, const char **out_path, uint32_t *out_bytes)
{
    uint32_t bytes;
    const char *part;
    if (!take_name(parser, out_path, &bytes))
        return wrong(parser, "expected a name");
    while (peek(parser) == '.') {
        parser->at++;
        if (!is_name_start(peek(parser)))
            return wrong(parser, "expected a name behind the point");
        (void)take_name(parser, &part, &bytes);
    }
    *out_bytes = (uint32_t)(parser->at - *out_path);
    return true;
}

// ---- Values ------------------------------------------------------------------------

static bool new_node(struct parser *parser, enum node_kind kind, uint16_t *out_node)
{
    struct syntax *syntax = parser->syntax;
    if (syntax->node_count == SYNTAX_NODES_MAX)
        return wrong(parser, "the line has too many parts: at most %u", SYNTAX_NODES_MAX - 1);
    syntax->nodes[syntax->node_count] = (struct node){.kind = kind};
    *out_node = (uint16_t)syntax->node_count++;
    return true;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit units[] = {
    {"ns", 1},        {"us", 1000},     {"ms", 1000000},  {"s", 1000000000},
    {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
};

// The unit behind a number.  What stands there at once is one; behind a space, what is
// no unit belongs to what comes next.
static bool take_unit(struct parser *parser, uint64_t *number)
{
    const char *name, *start = parser->at;
    uint32_t bytes;
    if (!take_name(parser, &name, &bytes))
        return true;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        bool is_name_of_next = name != start && (peek(parser) == ':' || peek(parser) == '.');
        if (strlen(units[i].name) != bytes || memcmp(units[i].name, name, bytes) != 0 ||
            is_name_of_next)
            continue;
        if (__builtin_mul_overflow(*number, units[i].factor, number))
            return wrong(parser, "the number exceeds 64 bits");
        return true;
    }
    if (name != start) {
        parser->at = start;
        return true;
    }
    return wrong(parser, "there is no unit %.*s; there are: ns, us, ms, s, KiB, MiB, GiB",
                 (int)bytes, name);
}

static uint32_t digit_value(char c)
{
    if (is_digit(c))
        return (uint32_t)(c - '0');
    char lower = (char)(c | 32);
    return lower >= 'a' && lower <= 'f' ? (uint32_t)(lower - 'a') + 10 : 16;
}

static bool take_number(struct parser *parser, uint64_t *out_number)
{
    uint64_t number = 0;
    uint32_t base = 10;
    if (parser->end - parser->at > 2 && parser->at[0] == '0' && (parser->at[1] | 32) == 'x') {
        base = 16;
        parser->at += 2;
    }
    if (digit_value(peek(parser)) >= base)
        return wrong(parser, "expected a digit");
    for (; digit_value(peek(parser)) < base || peek(parser) == '_'; parser->at++) {
        if (*parser->at == '_')
            continue;
        if (__builtin_mul_overflow(number, base, &number) ||
            __builtin_add_overflow(number, digit_value(*parser->at), &number))
            return wrong(parser, "the number exceeds 64 bits");
    }
    *out_number = number;
    return take_unit(parser, out_number);
}

static bool take_escape(struct parser *parser, char *out_byte)
{
    static const char escapes[] = "\"\"\\\\n\nr\rt\t";
    char letter = peek(parser);
    parser->at++;
    if (letter == 'x' && parser->end - parser->at >= 2 && digit_value(parser->at[0]) < 16 &&
        digit_value(parser->at[1]) < 16) {
        *out_byte = (char)(digit_value(parser->at[0]) << 4 | digit_value(parser->at[1]));
        parser->at += 2;
        return true;
    }
    for (size_t i = 0; i + 1 < sizeof escapes; i += 2) {
        if (escapes[i] == letter) {
            *out_byte = escapes[i + 1];
            return true;
        }
    }
    parser->at--;
    return wrong(parser, "there is no such escape; there are: \\\" \\\\ \\n \\r \\t \\xNN");
}

// Text in quotes, without its escapes.  It is never longer than the line.
static bool take_text(struct parser *parser, const char **out_text, uint32_t *out_bytes)
{
    struct syntax *syntax = parser->syntax;
    const char *quote = parser->at++;
    char *text = syntax->text + syntax->text_used;
    uint32_t bytes = 0;
    // A "#" in a text starts no comment; skip_spaces hasn't been here.
    for (;;) {
        if (parser->at >= parser->end) {
            parser->at = quote;
            return wrong(parser, "the text has no closing quote");
        }
        char byte = *parser->at++;
        if (byte == '"')
            break;
        if (byte == '\\' && !take_escape(parser, &byte))
            return false;
        text[bytes++] = byte;
    }
    syntax->text_used += bytes;
    *out_text = text;
    *out_bytes = bytes;
    return true;
}

static bool parse_value(struct parser *parser, uint16_t *out_node);
static bool parse_expression(struct parser *parser, uint16_t *out_node);

// Appends a node to the children of another.
struct children {
    uint16_t parent;
    uint16_t last;
};

static void add_child(struct parser *parser, struct children *children, uint16_t child)
{
    struct node *nodes = parser->syntax->nodes;
    if (children->last == 0)
        nodes[children->parent].first = child;
    else
        nodes[children->last].next = child;
    children->last = child;
}

static bool parse_list(struct parser *parser, uint16_t *out_node)
{
    uint16_t child;
    if (!new_node(parser, NODE_LIST, out_node))
        return false;
    struct children children = {*out_node, 0};
    if (accept(parser, ']'))
        return true;
    do {
        if (!parse_value(parser, &child))
            return false;
        add_child(parser, &children, child);
    } while (accept(parser, ','));
    return accept(parser, ']') || wrong(parser, "expected , or ]");
}

static bool parse_field(struct parser *parser, uint16_t *out_node)
{
    const char *name;
    uint32_t bytes;
    if (!take_name(parser, &name, &bytes))
        return wrong(parser, "expected the name of a field");
    if (accept(parser, ':')) {
        if (!parse_value(parser, out_node))
            return false;
    } else {
        if (!new_node(parser, NODE_PATH, out_node))
            return false;
        parser->syntax->nodes[*out_node].text = name;
        parser->syntax->nodes[*out_node].text_bytes = bytes;
    }
    parser->syntax->nodes[*out_node].name = name;
    parser->syntax->nodes[*out_node].name_bytes = bytes;
    return true;
}

static bool parse_struct(struct parser *parser, uint16_t *out_node)
{
    uint16_t child;
    if (!new_node(parser, NODE_STRUCT, out_node))
        return false;
    struct children children = {*out_node, 0};
    if (accept(parser, '}'))
        return true;
    do {
        if (!parse_field(parser, &child))
            return false;
        add_child(parser, &children, child);
    } while (accept(parser, ','));
    return accept(parser, '}') || wrong(parser, "expected , or }");
}

// A path, or one of the words that are values.
static bool parse_word(struct parser *parser, uint16_t *out_node)
{
    static const char *const words[] = {"null", "false", "true"};
    const char *path;
    uint32_t bytes;
    if (!take_path(parser, &path, &bytes) || !new_node(parser, NODE_PATH, out_node))
        return false;
    struct node *node = &parser->syntax->nodes[*out_node];
    node->text = path;
    node->text_bytes = bytes;
    for (uint32_t i = 0; i < 3; i++) {
        if (strlen(words[i]) == bytes && memcmp(words[i], path, bytes) == 0) {
            node->kind = i == 0 ? NODE_NULL : NODE_BOOL;
            node->number = i == 2;
        }
    }
    return true;
}

static bool parse_number(struct parser *parser, uint16_t *out_node)
{
    bool negative = accept(parser, '-');
    if (!new_node(parser, NODE_INTEGER, out_node))
        return false;
    struct node *node = &parser->syntax->nodes[*out_node];
    if (!take_number(parser, &node->number))
        return false;
    node->negative = negative && node->number != 0;
    return true;
}

static bool parse_simple(struct parser *parser, uint16_t *out_node)
{
    skip_spaces(parser);
    char c = peek(parser);
    if (is_digit(c) || c == '-')
        return parse_number(parser, out_node);
    if (c == '"') {
        if (!new_node(parser, NODE_TEXT, out_node))
            return false;
        struct node *node = &parser->syntax->nodes[*out_node];
        return take_text(parser, &node->text, &node->text_bytes);
    }
    if (accept(parser, '['))
        return parse_list(parser, out_node);
    if (accept(parser, '{'))
        return parse_struct(parser, out_node);
    if (accept(parser, '('))
        return parse_expression(parser, out_node) &&
               (accept(parser, ')') || wrong(parser, "expected )"));
    if (is_name_start(c))
        return parse_word(parser, out_node);
    return wrong(parser, "expected a value");
}

static bool parse_value(struct parser *parser, uint16_t *out_node)
{
    if (parser->depth == SYNTAX_DEPTH_MAX)
        return wrong(parser, "nested too deep: at most %u levels", SYNTAX_DEPTH_MAX);
    parser->depth++;
    bool ok = parse_simple(parser, out_node);
    parser->depth--;
    return ok;
}

// An argument, `name: value` or `value`.
static bool parse_argument(struct parser *parser, uint16_t *out_node)
{
    const char *start = parser->at, *name;
    uint32_t bytes;
    if (take_name(parser, &name, &bytes) && accept(parser, ':')) {
        if (!parse_value(parser, out_node))
            return false;
        parser->syntax->nodes[*out_node].name = name;
        parser->syntax->nodes[*out_node].name_bytes = bytes;
        return true;
    }
    parser->at = start;
    return parse_value(parser, out_node);
}

static bool parse_expression(struct parser *parser, uint16_t *out_node)
{
    uint16_t child;
    if (!parse_value(parser, out_node))
        return false;
    if (parser->syntax->nodes[*out_node].kind != NODE_PATH)
        return true;
    struct children children = {*out_node, 0};
    while (!at_end(parser) && peek(parser) != ')') {
        if (!parse_argument(parser, &child))
            return false;
        add_child(parser, &children, child);
        (void)accept(parser, ',');
    }
    return true;
}

// ---- Statements --------------------------------------------------------------------

// A word: text in quotes, or what stands between spaces and "|".
static bool take_word(struct parser *parser, const char **out_word, uint32_t *out_bytes)
{
    skip_spaces(parser);
    if (peek(parser) == '"')
        return take_text(parser, out_word, out_bytes);
    const char *start = parser->at;
    while (parser->at < parser->end && strchr(" \t|", *parser->at) == nullptr)
        parser->at++;
    *out_word = start;
    *out_bytes = (uint32_t)(parser->at - start);
    return *out_bytes != 0 || wrong(parser, "expected a word");
}

// Appends a word to a chain of TEXT nodes.
static bool append_word(struct parser *parser, uint16_t *first, uint16_t *last)
{
    uint16_t word;
    if (!new_node(parser, NODE_TEXT, &word))
        return false;
    struct node *node = &parser->syntax->nodes[word];
    if (!take_word(parser, &node->text, &node->text_bytes))
        return false;
    if (*last == 0)
        *first = word;
    else
        parser->syntax->nodes[*last].next = word;
    *last = word;
    return true;
}

static bool parse_words(struct parser *parser)
{
    uint16_t last = 0;
    while (!at_end(parser))
        if (!append_word(parser, &parser->syntax->statement.arguments, &last))
            return false;
    return true;
}

// Takes "with" where grants follow it, or could be meant to.
static bool accept_with(struct parser *parser, bool is_first)
{
    const char *start = parser->at, *word;
    uint32_t bytes;
    if (take_name(parser, &word, &bytes) && bytes == 4 && memcmp(word, "with", 4) == 0) {
        skip_spaces(parser);
        if (is_first || peek(parser) == '{')
            return true;
    }
    parser->at = start;
    return false;
}

static bool parse_grants(struct parser *parser, struct syntax_program *program)
{
    if (program->grants != 0)
        return wrong(parser, "the program has its grants already");
    if (!accept(parser, '{'))
        return wrong(parser, "expected { with the grants, as in: with { stdio }");
    return parse_struct(parser, &program->grants);
}

static bool parse_program(struct parser *parser, struct syntax_program *program)
{
    uint16_t last = 0;
    bool is_first = true;
    skip_spaces(parser);
    if (at_end(parser) || peek(parser) == '|')
        return wrong(parser, "expected the name of a program");
    if (!take_word(parser, &program->name, &program->name_bytes))
        return false;
    while (!at_end(parser) && peek(parser) != '|') {
        bool ok = accept_with(parser, is_first)
                      ? parse_grants(parser, program)
                      : append_word(parser, &program->arguments, &last);
        if (!ok)
            return false;
        is_first = false;
    }
    return true;
}

static bool parse_pipeline(struct parser *parser)
{
    struct statement *statement = &parser->syntax->statement;
    do {
        if (statement->program_count == SYNTAX_PROGRAMS_MAX)
            return wrong(parser, "a pipeline has at most %u programs", SYNTAX_PROGRAMS_MAX);
        if (!parse_program(parser, &statement->programs[statement->program_count++]))
            return false;
    } while (accept(parser, '|'));
    return true;
}

static bool parse_let(struct parser *parser)
{
    struct statement *statement = &parser->syntax->statement;
    if (!take_name(parser, &statement->name, &statement->name_bytes))
        return wrong(parser, "expected a name, as in: let x = timer.now");
    if (!accept(parser, '='))
        return wrong(parser, "expected =");
    return parse_expression(parser, &statement->expression);
}

static bool parse_counted(struct parser *parser, bool required)
{
    skip_spaces(parser);
    if (!required && at_end(parser))
        return true;
    if (!is_digit(peek(parser)))
        return wrong(parser,
                     required ? "expected a number, one that jobs shows" : "expected a number");
    return take_number(parser, &parser->syntax->statement.number);
}

static bool parse_operands(struct parser *parser)
{
    struct statement *statement = &parser->syntax->statement;
    uint16_t last = 0;
    switch (statement->command->operands) {
    case OPERANDS_NONE:
        return true;
    case OPERANDS_LET:
        return parse_let(parser);
    case OPERANDS_PROGRAM:
        return parse_pipeline(parser);
    case OPERANDS_TOPIC:
        return at_end(parser) || take_path(parser, &statement->name, &statement->name_bytes);
    case OPERANDS_NAME:
        return take_name(parser, &statement->name, &statement->name_bytes) ||
               wrong(parser, "expected the name of a variable");
    case OPERANDS_JOB:
        return parse_counted(parser, true);
    case OPERANDS_STATUS:
        return parse_counted(parser, false);
    case OPERANDS_EXPRESSION:
        return parse_expression(parser, &statement->expression);
    case OPERANDS_PLACE:
        return at_end(parser) || append_word(parser, &statement->arguments, &last);
    case OPERANDS_WORDS:
        return parse_words(parser);
    }
    return true;
}

// Takes the word of a command; what a point follows is a path.
static bool take_command(struct parser *parser, const struct command *const *commands,
                         uint32_t command_count)
{
    const char *start = parser->at, *name;
    uint32_t bytes;
    if (take_name(parser, &name, &bytes) && peek(parser) != '.') {
        for (uint32_t i = 0; i < command_count; i++) {
            if (strlen(commands[i]->name) == bytes &&
                memcmp(commands[i]->name, name, bytes) == 0) {
                parser->syntax->statement.command = commands[i];
                return true;
            }
        }
    }
    parser->at = start;
    return false;
}

bool syntax_parse(struct syntax *syntax, const struct command *const *commands,
                  uint32_t command_count, const struct command *plain, const char *line,
                  size_t line_bytes)
{
    struct parser parser = {syntax, line, line + line_bytes, line, 0};
    syntax->statement = (struct statement){};
    syntax->node_count = 1;
    syntax->text_used = 0;
    syntax->problem[0] = 0;
    if (line_bytes > SYNTAX_LINE_BYTES_MAX)
        return wrong(&parser, "the line is too long: at most %u bytes", SYNTAX_LINE_BYTES_MAX);
    if (at_end(&parser))
        return true;
    bool is_command = take_command(&parser, commands, command_count);
    if (!is_command)
        syntax->statement.command = plain;
    bool ok = syntax->statement.command != nullptr
                  ? parse_operands(&parser)
                  : parse_expression(&parser, &syntax->statement.expression);
    if (ok && !at_end(&parser))
        return wrong(&parser, "expected the end of the line");
    return ok;
}
