// SPDX-License-Identifier: MIT
// Completion.  The text before the cursor is read up to the word that it ends with, keeping in
// mind what is open: the statement, parentheses, lists, structs.  What may stand there follows
// from the innermost of them.
#include "complete.h"

#include <lib/char_width.h>
#include <string.h>

#include "place.h"
#include "variables.h"

constexpr uint32_t NOTE_BYTES_MAX = 100;
constexpr uint32_t GIVEN_MAX = 16; // argument names that are remembered of a call

struct span {
    const char *text;
    size_t bytes;
};

static bool is(struct span span, const char *text)
{
    return strlen(text) == span.bytes && memcmp(span.text, text, span.bytes) == 0;
}

static bool begins_with(const char *text, struct span prefix)
{
    // A line may contain a NUL, at which strncmp would stop.
    return prefix.bytes <= strlen(text) && memcmp(text, prefix.text, prefix.bytes) == 0;
}

// ---- Candidates --------------------------------------------------------------------

struct candidates {
    struct completion *out;
    struct span word;   // what they must begin with
    const char *suffix; // of the last one, if it is alone
};

static void put(struct completion *out, const char *text, size_t bytes)
{
    memcpy(out->text + out->bytes, text, bytes);
    out->bytes += (uint32_t)bytes;
    out->text[out->bytes] = 0;
}

// The first sentence of a schema's comment.
static size_t sentence_bytes(const char *doc)
{
    size_t bytes = 0;
    while (doc[bytes] != 0 && bytes < NOTE_BYTES_MAX) {
        char next = doc[bytes + 1];
        if (doc[bytes] == '.' && (next == ' ' || next == '\n' || next == 0))
            break;
        bytes++;
    }
    while (bytes > 0 && ((uint8_t)doc[bytes] & 0xc0) == 0x80)
        bytes--; // cut between two characters
    return bytes;
}

static void put_note(struct completion *out, const char *note)
{
    size_t bytes = sentence_bytes(note);
    if (bytes == 0 || bytes + 1 > COMPLETION_BYTES_MAX - out->bytes)
        return;
    put(out, "\t", 1);
    for (size_t i = 0; i < bytes; i++)
        put(out, note[i] == '\n' ? " " : &note[i], 1);
}

static void offer(struct candidates *candidates, const char *text, const char *suffix,
                  const char *note)
{
    struct completion *out = candidates->out;
    size_t bytes = strlen(text);
    if (!begins_with(text, candidates->word) || bytes + 1 > COMPLETION_BYTES_MAX - out->bytes)
        return;
    if (out->count++ != 0)
        put(out, "\n", 1);
    put(out, text, bytes);
    put_note(out, note);
    candidates->suffix = suffix;
}

// One candidate gets what belongs behind it, and needs no note.
static void finish(struct candidates *candidates)
{
    struct completion *out = candidates->out;
    if (out->count != 1)
        return;
    out->bytes = (uint32_t)strcspn(out->text, "\t");
    put(out, candidates->suffix, strlen(candidates->suffix));
}

// ---- Names -------------------------------------------------------------------------

static const char *interface_of(const struct shell *shell, const struct value *value)
{
    return value->kind == VALUE_CAPABILITY
               ? descriptor_interface_name(shell->descriptor, value->interface_id)
               : "a value";
}

// The names of values; with `interface_id` those of capabilities of that interface; with
// `only_capabilities` those of any.
struct wanted {
    uint64_t interface_id;
    bool only_capabilities;
    bool no_capabilities;
    const char *suffix; // behind a capability
};

static void offer_value(struct candidates *candidates, const struct shell *shell,
                        const char *name, const struct value *value, struct wanted wanted)
{
    bool is_capability = value->kind == VALUE_CAPABILITY;
    if (is_capability ? wanted.no_capabilities : wanted.only_capabilities)
        return;
    if (wanted.interface_id != 0 && wanted.interface_id != value->interface_id)
        return;
    offer(candidates, name, is_capability ? wanted.suffix : "", interface_of(shell, value));
}

static void offer_names(struct candidates *candidates, const struct shell *shell,
                        struct wanted wanted)
{
    struct value value;
    const char *name;
    for (uint32_t i = 0; shell->world->held_at(shell->world->context, i, &name, &value); i++)
        if (variables_find(shell, name, strlen(name)) == nullptr)
            offer_value(candidates, shell, name, &value, wanted);
    for (uint32_t i = 0; i < shell->variable_count; i++)
        offer_value(candidates, shell, shell->variables[i].name, &shell->variables[i].value,
                    wanted);
}

static void offer_commands(struct candidates *candidates, const struct shell *shell)
{
    for (uint32_t i = 0; i < shell->command_count; i++) {
        const struct command *command = shell->commands[i];
        const char *explanation = strchr(command->help, '\n') + 1;
        offer(candidates, command->name, command->operands == OPERANDS_NONE ? "" : " ",
              explanation + strspn(explanation, " "));
    }
}

// At the start of a line: of those that are typed already, for there are many.
static void offer_programs(struct candidates *candidates, const struct shell *shell)
{
    char name[SHELL_PROGRAM_BYTES];
    struct value value;
    const char *unit;
    for (uint32_t i = 0; candidates->word.bytes != 0 &&
                         shell->world->program_at(shell->world->context, i, name);
         i++)
        if (!shell_lookup(shell, name, strlen(name), &value, &unit))
            offer(candidates, name, " ", "a program");
}

static void offer_methods(struct candidates *candidates, const struct shell *shell,
                          const struct descriptor_interface *interface)
{
    struct descriptor_method method;
    struct descriptor_struct params;
    for (uint32_t i = 0; descriptor_method_at(shell->descriptor, interface, i, &method); i++) {
        bool has_params = descriptor_struct_at(shell->descriptor, method.params, &params) &&
                          params.field_count != 0;
        offer(candidates, method.name, has_params ? " " : "", method.doc);
    }
}

static void offer_interfaces(struct candidates *candidates, const struct shell *shell)
{
    struct descriptor_interface interface;
    for (uint32_t i = 0; descriptor_interface_at(shell->descriptor, i, &interface); i++)
        offer(candidates, interface.name, ".", interface.doc);
}

// ---- Paths -------------------------------------------------------------------------

static struct span before_last_point(struct span path)
{
    while (path.bytes > 0 && path.text[path.bytes - 1] != '.')
        path.bytes--;
    if (path.bytes > 0)
        path.bytes--;
    return path;
}

static struct span behind_last_point(struct span path)
{
    size_t before = before_last_point(path).bytes;
    bool has_point = memchr(path.text, '.', path.bytes) != nullptr;
    size_t skipped = has_point ? before + 1 : 0;
    return (struct span){path.text + skipped, path.bytes - skipped};
}

// The value that a path of names and fields leads to.
static bool resolve(const struct shell *shell, struct span path, struct value *out_value)
{
    const char *unit, *at = path.text, *end = path.text + path.bytes;
    const char *point = memchr(at, '.', path.bytes);
    size_t bytes = (size_t)((point != nullptr ? point : end) - at);
    if (!shell_lookup(shell, at, bytes, out_value, &unit))
        return false;
    for (at += bytes; at < end; at += bytes) {
        at++;
        point = memchr(at, '.', (size_t)(end - at));
        bytes = (size_t)((point != nullptr ? point : end) - at);
        const struct value_item *item =
            out_value->kind == VALUE_STRUCT ? value_item_of(out_value, at, bytes) : nullptr;
        if (item == nullptr)
            return false;
        *out_value = item->value;
    }
    return true;
}

// What stands behind the last point of the word: methods of a capability, fields of a struct.
static void complete_path(struct candidates *candidates, const struct shell *shell,
                          bool interfaces_too)
{
    struct descriptor_interface interface;
    struct value value;
    struct span before = before_last_point(candidates->word);
    candidates->out->start += (uint32_t)before.bytes + 1;
    candidates->word = behind_last_point(candidates->word);
    if (resolve(shell, before, &value)) {
        if (value.kind == VALUE_CAPABILITY &&
            descriptor_interface_by_id(shell->descriptor, value.interface_id, &interface))
            offer_methods(candidates, shell, &interface);
        for (uint32_t i = 0; value.kind == VALUE_STRUCT && i < value.count; i++) {
            const struct value_item *item = &value.items[i];
            char name[64];
            if (item->name_bytes >= sizeof name)
                continue;
            memcpy(name, item->name, item->name_bytes);
            name[item->name_bytes] = 0;
            offer(candidates, name, item->value.kind == VALUE_CAPABILITY ? "." : "",
                  interface_of(shell, &item->value));
        }
    } else if (interfaces_too && descriptor_interface_by_name(shell->descriptor, before.text,
                                                              before.bytes, &interface)) {
        offer_methods(candidates, shell, &interface);
    }
}

// ---- Expressions -------------------------------------------------------------------

// What is open: the statement or a parenthesis, which hold a call, a list, or a struct.
struct frame {
    char open;         // 0 for the statement, else ( [ {
    struct span head;  // of a call: what is called
    struct span name;  // of the argument that is being written; without text: by position
    uint32_t position; // of the next argument that has no name
    struct span given[GIVEN_MAX];
    uint32_t given_count;
    bool is_typed; // `fields` is valid
    struct descriptor_struct fields;
    struct descriptor_field element; // of a list: what its elements are, if `is_typed`
};

struct reader {
    const struct shell *shell;
    const char *at, *end;
    struct frame frames[SYNTAX_DEPTH_MAX + 1];
    uint32_t depth;
    struct span word; // that the cursor stands behind, maybe empty
};

static struct frame *top(struct reader *reader)
{
    return &reader->frames[reader->depth];
}

static bool holds_call(const struct frame *frame)
{
    return frame->open == 0 || frame->open == '(';
}

// The head of a call is complete: what are its parameters?
static void type_call(struct reader *reader, struct frame *frame)
{
    const struct descriptor *descriptor = reader->shell->descriptor;
    struct descriptor_interface interface;
    struct descriptor_method method;
    struct value value;
    struct span name = behind_last_point(frame->head);
    frame->is_typed =
        resolve(reader->shell, before_last_point(frame->head), &value) &&
        value.kind == VALUE_CAPABILITY &&
        descriptor_interface_by_id(descriptor, value.interface_id, &interface) &&
        descriptor_method_by_name(descriptor, &interface, name.text, name.bytes, &method) &&
        descriptor_struct_at(descriptor, method.params, &frame->fields);
}

// The field that the value at the cursor is for.
static bool expected_field(const struct reader *reader, struct descriptor_field *out_field)
{
    const struct frame *frame = &reader->frames[reader->depth];
    const struct descriptor *descriptor = reader->shell->descriptor;
    uint32_t index = frame->position;
    if (!frame->is_typed)
        return false;
    if (frame->open == '[') {
        *out_field = frame->element;
        return true;
    }
    if (frame->name.text != nullptr &&
        !descriptor_field_by_name(descriptor, &frame->fields, frame->name.text,
                                  frame->name.bytes, &index))
        return false;
    if (frame->name.text == nullptr && frame->open == '{')
        return false;
    return descriptor_field_at(descriptor, &frame->fields, index, out_field);
}

static bool push(struct reader *reader, char open)
{
    struct descriptor_field field;
    bool is_typed = expected_field(reader, &field);
    if (reader->depth == SYNTAX_DEPTH_MAX)
        return false;
    reader->depth++;
    struct frame *frame = top(reader);
    *frame = (struct frame){.open = open};
    if (open == '{' && is_typed && field.kind == DESCRIPTOR_STRUCT)
        frame->is_typed =
            descriptor_struct_at(reader->shell->descriptor, field.type, &frame->fields);
    if (open == '[' && is_typed && field.kind == DESCRIPTOR_LIST) {
        frame->is_typed = true;
        frame->element = field;
        frame->element.kind = field.element;
    }
    return true;
}

static void end_value(struct reader *reader)
{
    struct frame *frame = top(reader);
    if (frame->name.text == nullptr)
        frame->position++;
    else if (frame->given_count < GIVEN_MAX)
        frame->given[frame->given_count++] = frame->name;
    frame->name = (struct span){};
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '-' || c == '.';
}

static void read_word(struct reader *reader)
{
    struct frame *frame = top(reader);
    struct span word = {reader->at, 0};
    while (reader->at < reader->end && is_word(*reader->at))
        reader->at++;
    word.bytes = (size_t)(reader->at - word.text);
    if (reader->at == reader->end) {
        reader->word = word;
        return;
    }
    while (reader->at < reader->end && *reader->at == ' ')
        reader->at++;
    if (reader->at < reader->end && *reader->at == ':') {
        reader->at++;
        frame->name = word;
    } else if (holds_call(frame) && frame->head.text == nullptr) {
        frame->head = word;
        type_call(reader, frame);
    } else {
        if (frame->open == '{' && frame->name.text == nullptr)
            frame->name = word; // a field of that name
        end_value(reader);
    }
}

// Reads a text in quotes.  False: the cursor is in it.
static bool read_text(struct reader *reader)
{
    for (reader->at++; reader->at < reader->end && *reader->at != '"'; reader->at++)
        if (*reader->at == '\\')
            reader->at++;
    if (reader->at >= reader->end)
        return false;
    reader->at++;
    end_value(reader);
    return true;
}

// Reads up to the cursor.  False: nothing can be completed there.
static bool read_expression(struct reader *reader)
{
    reader->word = (struct span){reader->end, 0};
    while (reader->at < reader->end) {
        char c = *reader->at;
        if (is_word(c)) {
            read_word(reader);
        } else if (c == '"') {
            if (!read_text(reader))
                return false;
        } else if (strchr("([{", c) != nullptr && c != 0) {
            reader->at++;
            if (!push(reader, c))
                return false;
        } else if (strchr(")]}", c) != nullptr && c != 0) {
            reader->at++;
            if (reader->depth == 0)
                return false;
            reader->depth--;
            end_value(reader);
        } else if (c == '#') {
            return false;
        } else {
            reader->at++;
        }
    }
    return true;
}

static bool is_given(const struct frame *frame, const char *name)
{
    for (uint32_t i = 0; i < frame->given_count; i++)
        if (is(frame->given[i], name))
            return true;
    return false;
}

static void offer_fields(struct candidates *candidates, const struct shell *shell,
                         const struct frame *frame)
{
    struct descriptor_field field;
    char text[72];
    uint32_t first = frame->open == '{' ? 0 : frame->position;
    for (uint32_t i = first; descriptor_field_at(shell->descriptor, &frame->fields, i, &field);
         i++) {
        size_t bytes = strlen(field.name);
        if (is_given(frame, field.name) || bytes + 2 > sizeof text)
            continue;
        memcpy(text, field.name, bytes);
        memcpy(text + bytes, ":", 2);
        offer(candidates, text, " ", field.doc);
    }
}

static void offer_values(struct candidates *candidates, const struct shell *shell,
                         const struct descriptor_field *field)
{
    struct descriptor_enum of;
    struct descriptor_enumerant enumerant;
    if (field->kind == DESCRIPTOR_ENUM &&
        descriptor_enum_at(shell->descriptor, field->type, &of)) {
        for (uint32_t i = 0; descriptor_enumerant_at(shell->descriptor, &of, i, &enumerant);
             i++)
            offer(candidates, enumerant.name, "", enumerant.doc);
    } else if (field->kind == DESCRIPTOR_BOOL) {
        offer(candidates, "false", "", "");
        offer(candidates, "true", "", "");
    } else if (field->kind == DESCRIPTOR_CAPABILITY) {
        offer_names(candidates, shell,
                    (struct wanted){.interface_id = field->interface_id,
                                    .only_capabilities = true,
                                    .suffix = ""});
    } else {
        offer_names(candidates, shell, (struct wanted){.no_capabilities = true});
    }
}

static void complete_expression(struct candidates *candidates, const struct shell *shell,
                                const char *text, const char *end, bool is_statement)
{
    static struct reader reader;
    struct descriptor_field field;
    reader = (struct reader){.shell = shell, .at = text, .end = end};
    if (!read_expression(&reader))
        return;
    const struct frame *frame = top(&reader);
    candidates->word = reader.word;
    candidates->out->start -= (uint32_t)reader.word.bytes;
    if (memchr(reader.word.text, '.', reader.word.bytes) != nullptr) {
        complete_path(candidates, shell, false);
        return;
    }
    bool is_head = holds_call(frame) && frame->head.text == nullptr;
    if (is_head || !frame->is_typed) {
        offer_names(candidates, shell, (struct wanted){.suffix = "."});
        if (is_head && is_statement && reader.depth == 0) {
            offer_commands(candidates, shell);
            offer_programs(candidates, shell);
        }
        return;
    }
    if (frame->open != '[' && frame->name.text == nullptr)
        offer_fields(candidates, shell, frame);
    if (expected_field(&reader, &field))
        offer_values(candidates, shell, &field);
}

// ---- Operands ----------------------------------------------------------------------
// A word that names a file is completed with the entries of its directory.  Names with bytes
// that mean something in a line, or that no terminal shows, are put into quotes.

constexpr uint32_t ENTRY_NAMES_BYTES = COMPLETION_BYTES_MAX;
constexpr uint32_t ENTRIES_MAX = 512;

// The word that ends at the cursor, as text.
struct operand {
    const char *start; // in the line
    bool is_quoted;
    char text[PATH_BYTES_MAX + 1];
    uint32_t bytes;
    uint32_t folder_bytes; // up to the last slash, that included
};

struct entry {
    const char *name; // in `names`
    bool is_directory;
};

struct entries {
    const struct operand *operand;
    bool only_directories;
    bool need_quotes;
    uint32_t count, used;
    struct entry list[ENTRIES_MAX];
    char names[ENTRY_NAMES_BYTES];
};

static uint8_t digit_of(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

// Reads one byte of a text in quotes, as the parser does.  0: there is none.
static size_t read_quoted(const char *at, const char *end, char *out_byte)
{
    static const char escapes[] = "n\nr\rt\t";
    *out_byte = *at;
    if (*at != '\\')
        return 1;
    if (end - at < 2)
        return 0;
    *out_byte = at[1];
    for (size_t i = 0; i + 1 < sizeof escapes; i += 2)
        if (escapes[i] == at[1])
            *out_byte = escapes[i + 1];
    if (at[1] != 'x')
        return 2;
    if (end - at < 4 || !is_hex(at[2]) || !is_hex(at[3]))
        return 0;
    *out_byte = (char)(digit_of(at[2]) << 4 | digit_of(at[3]));
    return 4;
}

// The word that ends at `end`, maybe empty.  False: it is too long, or complete already.
static bool read_operand(const char *text, const char *end, struct operand *out_operand)
{
    const char *at = text;
    struct operand *word = out_operand;
    for (;;) {
        while (at < end && (*at == ' ' || *at == '\t'))
            at++;
        *word = (struct operand){.start = at, .is_quoted = at < end && *at == '"'};
        at += word->is_quoted;
        while (at < end && (word->is_quoted ? *at != '"' : *at != ' ' && *at != '\t')) {
            char byte = *at;
            size_t taken = word->is_quoted ? read_quoted(at, end, &byte) : 1;
            if (taken == 0 || byte == 0 || word->bytes == PATH_BYTES_MAX)
                return false;
            word->text[word->bytes++] = byte;
            if (byte == '/')
                word->folder_bytes = word->bytes;
            at += taken;
        }
        if (at == end)
            return true;
        at++; // a blank, or the quote that ends it
        if (at == end && word->is_quoted)
            return false;
    }
}

// The bytes of the character that a text begins with; 0: it is none that a line can have.
static uint32_t shown_bytes(const char *text, size_t bytes)
{
    uint32_t code_point;
    bool incomplete;
    uint32_t taken = char_decode(text, bytes, &code_point, &incomplete);
    bool is_control = code_point < ' ' || (code_point >= 0x7f && code_point < 0xa0);
    return taken != 0 && !is_control ? taken : 0;
}

// Whether a name could stand in a line as it is.
static bool needs_no_quotes(const char *name)
{
    size_t bytes = strlen(name);
    for (size_t at = 0, taken; at < bytes; at += taken) {
        taken = shown_bytes(name + at, bytes - at);
        if (taken == 0 || strchr(" \"\\|#", name[at]) != nullptr)
            return false;
    }
    return true;
}

static bool take_entry(void *taker, const char *name, bool is_directory)
{
    struct entries *entries = taker;
    const struct operand *operand = entries->operand;
    size_t prefix_bytes = operand->bytes - operand->folder_bytes, bytes = strlen(name) + 1;
    if (strncmp(name, operand->text + operand->folder_bytes, prefix_bytes) != 0 ||
        (entries->only_directories && !is_directory))
        return true;
    if (entries->count == ENTRIES_MAX || bytes > sizeof entries->names - entries->used)
        return false;
    char *copy = memcpy(entries->names + entries->used, name, bytes);
    entries->used += (uint32_t)bytes;
    entries->need_quotes = entries->need_quotes || !needs_no_quotes(name);
    uint32_t i = entries->count++;
    for (; i > 0 && strcmp(entries->list[i - 1].name, name) > 0; i--)
        entries->list[i] = entries->list[i - 1];
    entries->list[i] = (struct entry){copy, is_directory};
    return true;
}

// Writes bytes as they stand in quotes.  False: there is no room for all.
static bool put_quoted(struct completion *out, const char *text, size_t bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t at = 0, taken; at < bytes; at += taken) {
        uint8_t byte = (uint8_t)text[at];
        const char escape[] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
        if (out->bytes + sizeof escape > COMPLETION_BYTES_MAX)
            return false;
        taken = shown_bytes(text + at, bytes - at);
        if (byte == '"' || byte == '\\')
            put(out, "\\", 1);
        if (taken == 0)
            put(out, escape, sizeof escape);
        else
            put(out, text + at, taken);
        taken = taken == 0 ? 1 : taken;
    }
    return true;
}

static void offer_entry(struct candidates *candidates, const struct operand *operand,
                        const struct entry *entry, bool quoted)
{
    struct completion *out = candidates->out;
    uint32_t before = out->bytes;
    bool ok = COMPLETION_BYTES_MAX - out->bytes > 2 * PATH_NAME_BYTES_MAX;
    if (ok && out->count != 0)
        put(out, "\n", 1);
    if (ok && quoted && !operand->is_quoted) { // the whole word is written anew
        put(out, "\"", 1);
        ok = put_quoted(out, operand->text, operand->folder_bytes);
    }
    if (ok && quoted)
        ok = put_quoted(out, entry->name, strlen(entry->name));
    else if (ok)
        put(out, entry->name, strlen(entry->name));
    if (!ok || out->bytes + 2 > COMPLETION_BYTES_MAX) {
        out->bytes = before;
        out->text[before] = 0;
        return;
    }
    if (entry->is_directory)
        put(out, "/", 1);
    out->count++;
    candidates->suffix = entry->is_directory ? "" : quoted ? "\" " : " ";
}

// The entries of the directory that the word lies in, from a place on.
static void list_folder(const struct shell *shell, const char *from,
                        const struct operand *operand, struct entries *entries)
{
    struct value_problem problem;
    struct place place;
    char text[PATH_BYTES_MAX + 1];
    strcpy(text, from);
    const struct wire_data folder = {(const uint8_t *)operand->text, operand->folder_bytes};
    if (folder.size_bytes != 0 && path_walk(text, folder) != PATH_WALKED)
        return;
    for (uint32_t i = 0; *text == 0 && place_at(shell, i, &place); i++)
        (void)take_entry(entries, place.name, true);
    if (*text != 0 && place_find(shell, text, &place))
        (void)shell->world->entries(shell->world->context, &place.directory, place.path,
                                    take_entry, entries, &problem);
}

static void complete_operand(struct candidates *candidates, const struct shell *shell,
                             const char *from, const char *text, const char *end,
                             bool only_directories)
{
    static struct operand operand;
    static struct entries entries;
    if (!read_operand(text, end, &operand))
        return;
    entries = (struct entries){.operand = &operand, .only_directories = only_directories};
    list_folder(shell, from, &operand, &entries);
    bool quoted = operand.is_quoted || entries.need_quotes;
    const char *start = end;
    if (quoted && !operand.is_quoted)
        start = operand.start;
    else
        while (start > operand.start + operand.is_quoted && start[-1] != '/')
            start--;
    candidates->out->start -= (uint32_t)(end - start);
    for (uint32_t i = 0; i < entries.count; i++)
        offer_entry(candidates, &operand, &entries.list[i], quoted);
}

// ---- Commands ----------------------------------------------------------------------

// The word before the cursor that has no blanks in it.
static void take_last_word(struct candidates *candidates, const char *text, const char *end)
{
    const char *start = end;
    while (start > text && start[-1] != ' ' && start[-1] != '\t')
        start--;
    candidates->word = (struct span){start, (size_t)(end - start)};
    candidates->out->start -= (uint32_t)candidates->word.bytes;
}

static void complete_topic(struct candidates *candidates, const struct shell *shell,
                           const char *text, const char *end)
{
    take_last_word(candidates, text, end);
    if (memchr(candidates->word.text, '.', candidates->word.bytes) != nullptr) {
        complete_path(candidates, shell, true);
        return;
    }
    offer_commands(candidates, shell);
    offer_names(candidates, shell, (struct wanted){.only_capabilities = true, .suffix = "."});
    offer_interfaces(candidates, shell);
}

static void complete_job(struct candidates *candidates, const struct shell *shell,
                         const char *text, const char *end)
{
    char name[SHELL_PROGRAM_BYTES], number_text[12];
    uint32_t number;
    take_last_word(candidates, text, end);
    for (uint32_t i = 0; shell->world->job_at(shell->world->context, i, &number, name); i++) {
        char *digit = number_text + sizeof number_text - 1;
        for (*digit = 0; number != 0; number /= 10)
            *--digit = (char)('0' + number % 10);
        offer(candidates, digit, "", name);
    }
}

static void complete_variable(struct candidates *candidates, const struct shell *shell,
                              const char *text, const char *end)
{
    take_last_word(candidates, text, end);
    for (uint32_t i = 0; i < shell->variable_count; i++)
        offer(candidates, shell->variables[i].name, "",
              interface_of(shell, &shell->variables[i].value));
}

static void complete_grant(struct candidates *candidates, const struct shell *shell,
                           const char *brace, const char *end)
{
    static struct reader reader;
    reader = (struct reader){.shell = shell, .at = brace, .end = end};
    if (!read_expression(&reader) || reader.depth == 0)
        return;
    const struct frame *frame = top(&reader);
    candidates->word = reader.word;
    candidates->out->start -= (uint32_t)reader.word.bytes;
    offer_names(candidates, shell, (struct wanted){.only_capabilities = true, .suffix = ""});
    if (frame->name.text == nullptr && !is_given(frame, "budget"))
        offer(candidates, "budget:", " ", "how much memory it gets, as in 16 MiB");
    if (frame->name.text == nullptr && !is_given(frame, "weight"))
        offer(candidates, "weight:", " ", "its share of busy CPUs; 100 is usual");
}

// Behind the first word of a text, which may be `end`.
static const char *skip_word(const char *text, const char *end)
{
    while (text < end && (*text == ' ' || *text == '\t'))
        text++;
    while (text < end && *text != ' ' && *text != '\t')
        text++;
    return text;
}

// One program of a pipeline, from its start on.  In a plain line its operands lead on from
// where the shell stands.
static void complete_program(struct candidates *candidates, const struct shell *shell,
                             const char *text, const char *end, bool is_plain)
{
    char name[SHELL_PROGRAM_BYTES];
    const char *brace = nullptr;
    bool has_grants = false;
    for (const char *at = text; at < end; at++) {
        if (*at == '{')
            brace = at;
        has_grants = has_grants || *at == '{';
        if (*at == '}')
            brace = nullptr;
    }
    if (brace != nullptr) {
        complete_grant(candidates, shell, brace, end);
        return;
    }
    const char *operands = skip_word(text, end);
    if (operands < end && (is_plain || has_grants)) {
        complete_operand(candidates, shell, has_grants ? "" : shell->place, operands, end,
                         false);
        return;
    }
    take_last_word(candidates, text, end);
    if (operands < end)
        offer(candidates, "with", " { ", "what it is granted: with { stdio }");
    for (uint32_t i = 0;
         operands == end && shell->world->program_at(shell->world->context, i, name); i++)
        offer(candidates, name, " ", "");
}

static void complete_pipeline(struct candidates *candidates, const struct shell *shell,
                              const char *text, const char *end, bool is_plain)
{
    const char *start = text;
    bool is_quoted = false;
    for (const char *at = text; at < end; at++) {
        if (*at == '\\' && is_quoted)
            at++;
        else if (*at == '"')
            is_quoted = !is_quoted;
        else if (*at == '|' && !is_quoted)
            start = at + 1;
    }
    complete_program(candidates, shell, start, end, is_plain);
}

// The command that the line begins with, if a blank follows it; `*at` then stands behind it.
static const struct command *read_command(const struct shell *shell, const char **at,
                                          const char *end)
{
    const char *start = *at, *stop;
    while (start < end && (*start == ' ' || *start == '\t'))
        start++;
    for (stop = start; stop < end && is_word(*stop); stop++)
        ;
    struct span word = {start, (size_t)(stop - start)};
    for (uint32_t i = 0; stop < end && i < shell->command_count; i++)
        if (is(word, shell->commands[i]->name)) {
            *at = stop;
            return shell->commands[i];
        }
    return nullptr;
}

static void complete_operands(struct candidates *candidates, const struct shell *shell,
                              const struct command *command, const char *text, const char *end)
{
    const char *equals;
    switch (command->operands) {
    case OPERANDS_LET:
        equals = memchr(text, '=', (size_t)(end - text));
        if (equals != nullptr)
            complete_expression(candidates, shell, equals + 1, end, false);
        break;
    case OPERANDS_PROGRAM:
        complete_pipeline(candidates, shell, text, end, false);
        break;
    case OPERANDS_TOPIC:
        complete_topic(candidates, shell, text, end);
        break;
    case OPERANDS_NAME:
        complete_variable(candidates, shell, text, end);
        break;
    case OPERANDS_JOB:
        complete_job(candidates, shell, text, end);
        break;
    case OPERANDS_EXPRESSION:
        complete_expression(candidates, shell, text, end, false);
        break;
    case OPERANDS_PLACE:
        complete_operand(candidates, shell, shell->place, text, end, true);
        break;
    case OPERANDS_NONE:
    case OPERANDS_STATUS:
    case OPERANDS_WORDS:
        break;
    }
}

// Whether the line is plain and the cursor behind its first word.
static bool plain_has_operands(const struct shell *shell, const char *line, const char *end)
{
    while (line < end && (*line == ' ' || *line == '\t'))
        line++;
    bool is_behind = false;
    for (const char *at = line; at < end; at++)
        is_behind = is_behind || strchr(" \t|", *at) != nullptr;
    return is_behind && shell_plain_command(shell, line, (size_t)(end - line)) != nullptr;
}

void complete_line(const struct shell *shell, const char *line, size_t line_bytes,
                   uint32_t cursor, struct completion *out_completion)
{
    if (cursor > line_bytes)
        cursor = (uint32_t)line_bytes;
    *out_completion = (struct completion){.start = cursor};
    struct candidates candidates = {.out = out_completion, .suffix = ""};
    const char *text = line, *end = line + cursor;
    const struct command *command = read_command(shell, &text, end);
    if (command != nullptr)
        complete_operands(&candidates, shell, command, text, end);
    else if (plain_has_operands(shell, line, end))
        complete_pipeline(&candidates, shell, line, end, true);
    else
        complete_expression(&candidates, shell, line, end, true);
    finish(&candidates);
}
