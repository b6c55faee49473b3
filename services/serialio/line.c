// SPDX-License-Identifier: MIT
// Line editing; see line.h.
#include "line.h"

#include <string.h>

enum { CONTROL_D = 4, BELL = 7, BACKSPACE = 8, CONTROL_U = 21, DELETE = 127 };

bool line_is_ready(const struct line *line)
{
    return line->first != line->ready || line->input_ended;
}

size_t line_peek(const struct line *line, const uint8_t **out_data)
{
    *out_data = line->bytes + line->first;
    return line->ready - line->first;
}

// Moves what is left to the start once a reader has taken all that was ready.
void line_take(struct line *line, size_t size_bytes)
{
    line->first += (uint32_t)size_bytes;
    if (line->first != line->ready)
        return;
    memmove(line->bytes, line->bytes + line->ready, line->end - line->ready);
    line->end -= line->ready;
    line->first = 0;
    line->ready = 0;
}

static size_t append(struct line *line, uint8_t byte, uint8_t *echo)
{
    // One place is kept for the end of the line.
    if (line->end >= LINE_BYTES_MAX - (byte == '\n' ? 0 : 1)) {
        echo[0] = BELL;
        return 1;
    }
    line->bytes[line->end++] = byte;
    echo[0] = byte;
    if (byte == '\n') {
        line->ready = line->end;
        echo[0] = '\r';
        echo[1] = '\n';
        return 2;
    }
    return 1;
}

// Shows that characters are gone: back, a space over it, back.
static size_t erase(struct line *line, uint32_t count, uint8_t *echo, uint32_t *out_times)
{
    line->end -= count;
    *out_times = count;
    memcpy(echo, (uint8_t[]){BACKSPACE, ' ', BACKSPACE}, 3);
    return count == 0 ? 0 : 3;
}

size_t line_type(struct line *line, uint8_t byte, uint8_t echo[LINE_ECHO_BYTES_MAX],
                 uint32_t *out_times)
{
    uint32_t edited = line->end - line->ready;
    *out_times = 1;
    switch (byte) {
    case '\r':
        return append(line, '\n', echo);
    case BACKSPACE:
    case DELETE:
        return erase(line, edited == 0 ? 0 : 1, echo, out_times);
    case CONTROL_U:
        return erase(line, edited, echo, out_times);
    case CONTROL_D:
        if (edited == 0)
            line->input_ended = true;
        line->ready = line->end;
        return 0;
    default:
        return append(line, byte, echo);
    }
}
