// SPDX-License-Identifier: MIT
// Owns text of bounded length.  What comes from a guest is quoted here: no control
// character of its reaches a terminal.  Tested by lib/tracer_test.c.
#include <lib/text.h>

#include <lib/fmt.h>
#include <lib/string.h>

void text_add(struct text *text, const char *bytes, size_t count)
{
    size_t room = TEXT_BYTES - 1 - text->count;
    if (count > room) {
        count = room;
        text->cut = true;
    }
    memcpy(text->bytes + text->count, bytes, count);
    text->count += count;
    text->bytes[text->count] = 0;
}

void text_addf(struct text *text, const char *format, ...)
{
    char piece[256];
    va_list arguments;
    va_start(arguments, format);
    size_t count = fmt_vformat(piece, sizeof piece, format, arguments);
    va_end(arguments);
    text_add(text, piece, count < sizeof piece ? count : sizeof piece - 1);
}

void text_add_quoted(struct text *text, const void *bytes, size_t count, bool data)
{
    const uint8_t *byte = bytes;
    text_add(text, "\"", 1);
    for (size_t i = 0; i < count; i++) {
        if (byte[i] == '\n')
            text_add(text, "\\n", 2);
        else if (byte[i] == '\t')
            text_add(text, "\\t", 2);
        else if (byte[i] == '"' || byte[i] == '\\')
            text_addf(text, "\\%c", byte[i]);
        else if (byte[i] >= 0x20 && byte[i] < 0x7f)
            text_add(text, (const char *)&byte[i], 1);
        else if (!data && byte[i] >= 0x80)
            text_add(text, (const char *)&byte[i], 1); // UTF-8, which was checked
        else
            text_addf(text, data ? "\\x%02x" : "\\u%04x", byte[i]);
    }
    text_add(text, "\"", 1);
}
