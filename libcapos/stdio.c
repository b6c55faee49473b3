// SPDX-License-Identifier: MIT
// Standard input, output and error over the StdIO that the program was granted.
//
// Each stream has one buffer.  What it holds goes by a message in the ring, so a program
// without a heap can read and write too.  Larger transfers go straight to the service, in
// pieces of the most that one call carries, or of what a buffer holds if there is no memory.
//
// Invariants:
//  1. Of an output stream, buffer[0..used) is not written yet; of the input stream,
//     buffer[position..used) is not read yet.
//  2. Input waits only after standard output was flushed, if a terminal shows it: a
//     prompt is seen before its answer is awaited.
//  3. Once the program has two threads, a call has its stream to itself; the input's lock is
//     taken before the output's.
#include <stdio.h>

#include "thread.h"

#include <capos/capset.h>
#include <capos/sync.h>

#include <gen/capos/stdio.h>
#include <lib/fmt.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

constexpr size_t TRANSFER_BYTES_MAX = 61440; // of StdIO.read and StdIO.write

enum buffering : uint8_t { BUFFER_UNKNOWN, BUFFER_FULL, BUFFER_LINE, BUFFER_NONE };

struct stream {
    uint8_t *buffer;
    size_t used;
    size_t position;
    enum output_stream target;
    enum buffering buffering;
    bool is_input;
    bool at_end;
    bool failed;
    struct capos_mutex lock;
    struct thread *owner; // of the lock
};

static uint8_t input_buffer[BUFSIZ], output_buffer[BUFSIZ], error_buffer[512];

FILE stream_input = {.buffer = input_buffer, .is_input = true};
FILE stream_output = {.buffer = output_buffer, .target = OUTPUT_STREAM_OUTPUT};
FILE stream_error = {
    .buffer = error_buffer, .target = OUTPUT_STREAM_ERROR, .buffering = BUFFER_NONE};

static stdio_cap stdio;

// Takes a stream for one call.  False: it needn't be given back, for the program has one thread,
// or this thread has the stream: it faulted in a call, and its handler prints.
static bool stream_take(FILE *stream)
{
    if (!__atomic_load_n(&threads_started, __ATOMIC_RELAXED)) [[clang::likely]]
        return false;
    if (__atomic_load_n(&stream->owner, __ATOMIC_RELAXED) == thread_self())
        return false;
    capos_mutex_lock(&stream->lock);
    __atomic_store_n(&stream->owner, thread_self(), __ATOMIC_RELAXED);
    return true;
}

static void stream_give(FILE *stream, bool taken)
{
    if (!taken)
        return;
    __atomic_store_n(&stream->owner, nullptr, __ATOMIC_RELAXED);
    capos_mutex_unlock(&stream->lock);
}

static bool stdio_find(void)
{
    return stdio.id != 0 || capos_find("stdio", INTERFACE_STDIO, &stdio.id) == STATUS_OK;
}

static size_t buffer_bytes(const FILE *stream)
{
    return stream == &stream_error ? sizeof error_buffer : BUFSIZ;
}

// ---- Output ------------------------------------------------------------------------

static enum buffering buffering_choose(void)
{
    bool input_is_terminal, output_is_terminal, error_is_terminal;
    uint16_t columns, rows;
    if (!stdio_find() || stdio_info(stdio, &input_is_terminal, &output_is_terminal,
                                    &error_is_terminal, &columns, &rows) != STATUS_OK)
        return BUFFER_FULL;
    return output_is_terminal ? BUFFER_LINE : BUFFER_FULL;
}

// Writes to the service.  A stream that failed stays failed: text in the middle of which
// something is missing would be worse than a text that ends.
static bool write_through(FILE *stream, const uint8_t *data, size_t bytes)
{
    if (stream->is_input || !stdio_find())
        stream->failed = true;
    size_t piece_max = TRANSFER_BYTES_MAX;
    while (bytes > 0 && !stream->failed) {
        size_t piece = bytes < piece_max ? bytes : piece_max;
        enum status status = stdio_write(stdio, stream->target, data, piece);
        if (status == STATUS_OVERLOADED && piece > BUFSIZ) {
            piece_max = BUFSIZ;
            continue;
        }
        stream->failed = status != STATUS_OK;
        data += piece;
        bytes -= piece;
    }
    return !stream->failed;
}

static bool flush(FILE *stream)
{
    size_t used = stream->used;
    stream->used = 0;
    return write_through(stream, stream->buffer, used);
}

static bool flush_taken(FILE *stream)
{
    bool taken = stream_take(stream);
    bool flushed = flush(stream);
    stream_give(stream, taken);
    return flushed;
}

int fflush(FILE *stream)
{
    if (stream == nullptr) {
        bool output_written = flush_taken(&stream_output);
        return flush_taken(&stream_error) && output_written ? 0 : EOF;
    }
    if (stream->is_input)
        return 0;
    return flush_taken(stream) ? 0 : EOF;
}

int setvbuf(FILE *restrict stream, char *restrict, int mode, size_t)
{
    static const enum buffering bufferings[] = {
        [_IOFBF] = BUFFER_FULL, [_IOLBF] = BUFFER_LINE, [_IONBF] = BUFFER_NONE};
    if (mode < _IOFBF || mode > _IONBF)
        return -1;
    bool taken = stream_take(stream);
    bool flushed = stream->is_input || flush(stream);
    if (flushed)
        stream->buffering = bufferings[mode];
    stream_give(stream, taken);
    return flushed ? 0 : -1;
}

// What a stream does once `bytes` more lie in its buffer.
static bool output_settle(FILE *stream, size_t bytes)
{
    const uint8_t *added = stream->buffer + stream->used;
    stream->used += bytes;
    if (stream->buffering == BUFFER_UNKNOWN)
        stream->buffering = buffering_choose();
    if (stream->buffering == BUFFER_NONE ||
        (stream->buffering == BUFFER_LINE && memchr(added, '\n', bytes) != nullptr))
        return flush(stream);
    return true;
}

static bool output_write(FILE *stream, const void *data, size_t bytes)
{
    if (stream->is_input || stream->failed)
        return false;
    if (bytes > buffer_bytes(stream) - stream->used && !flush(stream))
        return false;
    if (bytes > buffer_bytes(stream))
        return write_through(stream, data, bytes);
    memcpy(stream->buffer + stream->used, data, bytes);
    return output_settle(stream, bytes);
}

static bool output_write_taken(FILE *stream, const void *data, size_t bytes)
{
    bool taken = stream_take(stream);
    bool written = output_write(stream, data, bytes);
    stream_give(stream, taken);
    return written;
}

size_t fwrite(const void *restrict data, size_t size, size_t count, FILE *restrict stream)
{
    size_t bytes;
    if (__builtin_mul_overflow(size, count, &bytes) || bytes == 0)
        return 0;
    return output_write_taken(stream, data, bytes) ? count : 0;
}

int fputc(int character, FILE *stream)
{
    uint8_t byte = (uint8_t)character;
    return output_write_taken(stream, &byte, 1) ? byte : EOF;
}

int putc(int character, FILE *stream)
{
    return fputc(character, stream);
}

int putchar(int character)
{
    return fputc(character, stdout);
}

int fputs(const char *restrict text, FILE *restrict stream)
{
    return output_write_taken(stream, text, strlen(text)) ? 0 : EOF;
}

int puts(const char *text)
{
    bool taken = stream_take(stdout);
    bool written = output_write(stdout, text, strlen(text)) && output_write(stdout, "\n", 1);
    stream_give(stdout, taken);
    return written ? 0 : EOF;
}

// ---- Formatted output --------------------------------------------------------------

// A text that no buffer holds: formatted on the heap.
static int __attribute__((format(printf, 3, 0)))
format_large(FILE *stream, size_t bytes, const char *format, va_list arguments)
{
    char *text = malloc(bytes + 1);
    if (text == nullptr)
        return EOF;
    (void)fmt_vformat(text, bytes + 1, format, arguments);
    bool written = output_write(stream, text, bytes);
    free(text);
    return written ? (int)bytes : EOF;
}

static int __attribute__((format(printf, 2, 0))) output_format(FILE *stream, const char *format,
                                                               va_list arguments)
{
    if (stream->is_input || stream->failed)
        return EOF;
    // Formatted in place; a second time into the flushed buffer if it doesn't fit.
    for (int attempt = 0; attempt < 2; attempt++) {
        size_t room = buffer_bytes(stream) - stream->used;
        va_list copy;
        va_copy(copy, arguments);
        size_t bytes = fmt_vformat((char *)stream->buffer + stream->used, room, format, copy);
        va_end(copy);
        if (bytes < room)
            return output_settle(stream, bytes) ? (int)bytes : EOF;
        if (!flush(stream))
            return EOF;
        if (bytes >= buffer_bytes(stream))
            return format_large(stream, bytes, format, arguments);
    }
    return EOF;
}

int vfprintf(FILE *restrict stream, const char *restrict format, va_list arguments)
{
    bool taken = stream_take(stream);
    int bytes = output_format(stream, format, arguments);
    stream_give(stream, taken);
    return bytes;
}

int fprintf(FILE *restrict stream, const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int bytes = vfprintf(stream, format, arguments);
    va_end(arguments);
    return bytes;
}

int vprintf(const char *restrict format, va_list arguments)
{
    return vfprintf(stdout, format, arguments);
}

int printf(const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int bytes = vfprintf(stdout, format, arguments);
    va_end(arguments);
    return bytes;
}

int vsnprintf(char *restrict buffer, size_t size, const char *restrict format,
              va_list arguments)
{
    return (int)fmt_vformat(buffer, size, format, arguments);
}

int vsprintf(char *restrict buffer, const char *restrict format, va_list arguments)
{
    return (int)fmt_vformat(buffer, INT_MAX, format, arguments);
}

int sprintf(char *restrict buffer, const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsprintf(buffer, format, arguments);
    va_end(arguments);
    return bytes;
}

int snprintf(char *restrict buffer, size_t size, const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    return bytes;
}

// ---- Input -------------------------------------------------------------------------

// Reads at most `bytes` from the service; 0 at the end and after a failure.
static size_t read_through(FILE *stream, void *data, size_t bytes)
{
    size_t got = 0;
    if (stream->at_end || stream->failed)
        return 0;
    if (stream_output.buffering == BUFFER_LINE)
        (void)flush_taken(&stream_output);
    if (!stdio_find()) {
        stream->at_end = true;
        return 0;
    }
    size_t piece = bytes < TRANSFER_BYTES_MAX ? bytes : TRANSFER_BYTES_MAX;
    enum status status = stdio_read(stdio, (uint32_t)piece, data, piece, &got);
    if (status == STATUS_OVERLOADED && piece > BUFSIZ)
        status = stdio_read(stdio, BUFSIZ, data, BUFSIZ, &got);
    stream->failed = status != STATUS_OK;
    stream->at_end = status == STATUS_OK && got == 0;
    return got;
}

static bool input_fill(FILE *stream)
{
    if (!stream->is_input)
        return false;
    if (stream->position < stream->used)
        return true;
    stream->position = 0;
    stream->used = read_through(stream, stream->buffer, BUFSIZ);
    return stream->used > 0;
}

int fgetc(FILE *stream)
{
    bool taken = stream_take(stream);
    int character = input_fill(stream) ? stream->buffer[stream->position++] : EOF;
    stream_give(stream, taken);
    return character;
}

int getc(FILE *stream)
{
    return fgetc(stream);
}

int getchar(void)
{
    return fgetc(stdin);
}

// Takes back the character that was read last, or any other in its place.
static int input_unget(int character, FILE *stream)
{
    if (character == EOF || !stream->is_input)
        return EOF;
    if (stream->position == 0) {
        if (stream->used == BUFSIZ)
            return EOF;
        memmove(stream->buffer + 1, stream->buffer, stream->used);
        stream->used++;
        stream->position = 1;
    }
    stream->buffer[--stream->position] = (uint8_t)character;
    stream->at_end = false;
    return (uint8_t)character;
}

int ungetc(int character, FILE *stream)
{
    bool taken = stream_take(stream);
    int result = input_unget(character, stream);
    stream_give(stream, taken);
    return result;
}

char *fgets(char *restrict line, int size, FILE *restrict stream)
{
    size_t length = 0;
    if (size < 1)
        return nullptr;
    bool taken = stream_take(stream);
    while (length + 1 < (size_t)size && input_fill(stream)) {
        uint8_t *start = stream->buffer + stream->position;
        size_t bytes = stream->used - stream->position;
        if (bytes > (size_t)size - 1 - length)
            bytes = (size_t)size - 1 - length;
        uint8_t *newline = memchr(start, '\n', bytes);
        if (newline != nullptr)
            bytes = (size_t)(newline - start) + 1;
        memcpy(line + length, start, bytes);
        length += bytes;
        stream->position += bytes;
        if (newline != nullptr)
            break;
    }
    stream_give(stream, taken);
    line[length] = '\0';
    return length == 0 && size > 1 ? nullptr : line;
}

size_t fread(void *restrict data, size_t size, size_t count, FILE *restrict stream)
{
    size_t bytes, done = 0;
    if (__builtin_mul_overflow(size, count, &bytes) || bytes == 0 || !stream->is_input)
        return 0;
    bool taken = stream_take(stream);
    while (done < bytes) {
        uint8_t *place = (uint8_t *)data + done;
        size_t wanted = bytes - done, piece = stream->used - stream->position;
        if (piece == 0 && wanted >= BUFSIZ) {
            piece = read_through(stream, place, wanted);
            if (piece == 0)
                break;
        } else {
            if (!input_fill(stream))
                break;
            piece = stream->used - stream->position;
            piece = piece < wanted ? piece : wanted;
            memcpy(place, stream->buffer + stream->position, piece);
            stream->position += piece;
        }
        done += piece;
    }
    stream_give(stream, taken);
    return done / size;
}

int feof(FILE *stream)
{
    return stream->at_end;
}

int ferror(FILE *stream)
{
    return stream->failed;
}

void clearerr(FILE *stream)
{
    stream->at_end = false;
    stream->failed = false;
}
