// SPDX-License-Identifier: MIT
// The grammar of the shell: one line becomes one statement.
//
//     statement   = COMMAND operands | plain | expression | nothing
//     plain       = pipeline                     where the caller knows the first program
//     operands    = NAME "=" expression | pipeline | [path] | NAME | [number] | number
//                 | expression | [word] | {word}, as the command's table says
//     pipeline    = program {"|" program}
//     program     = word {word} ["with" struct] {word}
//     expression  = path { argument } | value
//     argument    = [NAME ":"] value
//     value       = number | text | "true" | "false" | "null" | path | list | struct
//                 | "(" expression ")"
//     list        = "[" [value {"," value}] "]"
//     struct      = "{" [field {"," field}] "}"        field = NAME [":" value]
//     path        = NAME {"." NAME}
//     number      = ["-"] digits or 0x..., "_" between digits, and a unit, at once or behind
//                   a space: ns us ms s KiB MiB GiB
//     text        = "..." with \" \\ \n \r \t \xNN
//     word        = text | anything without spaces and "|"
//
// A comment is "#" to the end of the line.  A word of a command is a name again if a "." follows.
//
// Pure: text in, nodes out; nothing is looked up.  Nodes are in an array of the caller, texts
// are lent from the line or lie in the struct.  Nesting is bounded.
// Tested by syntax_test.c, fuzzed by syntax_fuzz.c.
#pragma once

#include <stddef.h>
#include <stdint.h>

constexpr uint32_t SYNTAX_LINE_BYTES_MAX = 4096;
constexpr uint32_t SYNTAX_NODES_MAX = 512;
constexpr uint32_t SYNTAX_DEPTH_MAX = 12;
constexpr uint32_t SYNTAX_PROGRAMS_MAX = 8; // of a pipeline

enum node_kind : uint8_t {
    NODE_NULL,
    NODE_BOOL,    // number
    NODE_INTEGER, // number, negative
    NODE_TEXT,    // text
    NODE_PATH,    // text: dotted; its children are the arguments
    NODE_LIST,    // children
    NODE_STRUCT,  // children, all of them named
};

struct node {
    enum node_kind kind;
    bool negative;
    uint16_t first; // child, 0: none
    uint16_t next;  // of the same parent, 0: none
    uint32_t name_bytes;
    uint32_t text_bytes;
    const char *name; // of an argument or field; nullptr: by position
    const char *text;
    uint64_t number;
};

// What stands behind the word of a command, and what the statement has of it.
enum command_operands : uint8_t {
    OPERANDS_NONE,
    OPERANDS_LET,        // name, expression
    OPERANDS_PROGRAM,    // programs, program_count
    OPERANDS_TOPIC,      // name: a path, maybe empty
    OPERANDS_NAME,       // name
    OPERANDS_JOB,        // number
    OPERANDS_STATUS,     // number, 0 if there is none
    OPERANDS_EXPRESSION, // expression
    OPERANDS_PLACE,      // arguments: none or one, a place
    OPERANDS_WORDS,      // arguments
};

struct shell;

// A command is the word that a line starts with, unless a "." follows it.
struct command {
    const char *name;
    enum command_operands operands;
    // Obeys shell->syntax.statement.  False: shell->problem says why not.
    bool (*run)(struct shell *shell);
    // The usage in the first line, then what it does; each line has its newline.
    const char *help;
};

// One program of a pipeline.
struct syntax_program {
    const char *name; // not NUL-terminated
    uint32_t name_bytes;
    uint16_t grants;    // a STRUCT node, 0: none
    uint16_t arguments; // the first TEXT node, 0: none
};

struct statement {
    const struct command *command; // nullptr: an expression, or nothing
    uint16_t expression;           // a node, 0: none
    uint16_t arguments;            // the first TEXT node, 0: none
    uint32_t program_count;
    struct syntax_program programs[SYNTAX_PROGRAMS_MAX];
    uint32_t name_bytes;
    const char *name;
    uint64_t number;
};

struct syntax {
    struct statement statement;
    struct node nodes[SYNTAX_NODES_MAX]; // nodes[0] is nobody's
    uint32_t node_count;
    uint32_t text_used;
    char text[SYNTAX_LINE_BYTES_MAX]; // texts without their escapes
    char problem[160];                // why it is no statement
};

// Parses a line, which must live as long as the result is used.  What begins with no command is
// a pipeline for `plain`, or an expression if that is nullptr.  False: see problem.
[[nodiscard]] bool syntax_parse(struct syntax *syntax, const struct command *const *commands,
                                uint32_t command_count, const struct command *plain,
                                const char *line, size_t line_bytes);
