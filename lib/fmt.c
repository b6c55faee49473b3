// SPDX-License-Identifier: MIT
// Formatted text into a buffer.
//
// One pass over the format; a conversion is read into a struct fmt_spec and then
// written as pad, prefix, zeros, body, pad.
//
// Invariants:
//  1. sink.length counts every character of the text; only those before sink.room are
//     stored.
//  2. Neither the stack used nor the time depends on a width or a precision beyond the
//     size of the buffer: padding is counted, not looped over.
//
// Tested in lib/fmt_test.c, against the host's snprintf.
#include <lib/fmt.h>

#include <limits.h>
#include <stdint.h>

enum fmt_length {
    LENGTH_INT,
    LENGTH_CHAR,
    LENGTH_SHORT,
    LENGTH_LONG,
    LENGTH_LONG_LONG,
    LENGTH_SIZE,
    LENGTH_PTRDIFF,
    LENGTH_INTMAX
};

constexpr int PRECISION_NONE = -1;
constexpr size_t DIGITS_MAX = 22; // of 2^64 - 1 in octal

struct fmt_spec {
    bool left, plus, space, alternate, zero;
    int width;     // >= 0
    int precision; // >= 0, or PRECISION_NONE
    enum fmt_length length;
};

struct fmt_sink {
    char *buffer;
    size_t room;   // characters that may be stored
    size_t length; // characters written
};

static void put_text(struct fmt_sink *sink, const char *text, size_t size)
{
    if (sink->length < sink->room) {
        size_t room = sink->room - sink->length;
        __builtin_memcpy(sink->buffer + sink->length, text, size < room ? size : room);
    }
    sink->length += size;
}

static void put_repeated(struct fmt_sink *sink, char character, size_t count)
{
    if (sink->length < sink->room) {
        size_t room = sink->room - sink->length;
        __builtin_memset(sink->buffer + sink->length, character, count < room ? count : room);
    }
    sink->length += count;
}

// Writes prefix, zeros and body, padded to the width with blanks.
static void put_field(struct fmt_sink *sink, const struct fmt_spec *spec, const char *prefix,
                      size_t zeros, const char *body, size_t body_bytes)
{
    size_t prefix_bytes = __builtin_strlen(prefix);
    size_t used = prefix_bytes + zeros + body_bytes;
    size_t blanks = (size_t)spec->width > used ? (size_t)spec->width - used : 0;
    if (!spec->left)
        put_repeated(sink, ' ', blanks);
    put_text(sink, prefix, prefix_bytes);
    put_repeated(sink, '0', zeros);
    put_text(sink, body, body_bytes);
    if (spec->left)
        put_repeated(sink, ' ', blanks);
}

// Writes an integer given as magnitude and sign; `prefix` is its sign or "0x".
static void put_integer(struct fmt_sink *sink, const struct fmt_spec *spec, uint64_t magnitude,
                        unsigned base, bool upper, const char *prefix)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char body[DIGITS_MAX];
    size_t start = DIGITS_MAX;
    for (uint64_t rest = magnitude; rest != 0; rest /= base)
        body[--start] = digits[rest % base];
    size_t count = DIGITS_MAX - start;

    size_t digits_min = spec->precision == PRECISION_NONE ? 1 : (size_t)spec->precision;
    if (base == 8 && spec->alternate && digits_min <= count)
        digits_min = count + 1; // # makes the first digit of an octal number a zero
    size_t zeros = digits_min > count ? digits_min - count : 0;
    if (spec->zero && !spec->left && spec->precision == PRECISION_NONE) {
        size_t used = __builtin_strlen(prefix) + zeros + count;
        if ((size_t)spec->width > used)
            zeros += (size_t)spec->width - used;
    }
    put_field(sink, spec, prefix, zeros, body + start, count);
}

static void put_string(struct fmt_sink *sink, const struct fmt_spec *spec, const char *text)
{
    if (text == nullptr)
        text = "(null)";
    // With a precision the text needs no NUL within it.
    size_t limit = spec->precision == PRECISION_NONE ? SIZE_MAX : (size_t)spec->precision;
    size_t size = 0;
    while (size < limit && text[size] != '\0')
        size++;
    put_field(sink, spec, "", 0, text, size);
}

static int64_t take_signed(enum fmt_length length, va_list *arguments)
{
    switch (length) {
    case LENGTH_CHAR:
        return (signed char)va_arg(*arguments, int);
    case LENGTH_SHORT:
        return (short)va_arg(*arguments, int);
    case LENGTH_LONG:
        return va_arg(*arguments, long);
    case LENGTH_LONG_LONG:
        return va_arg(*arguments, long long);
    case LENGTH_SIZE:
        return (int64_t)va_arg(*arguments, size_t);
    case LENGTH_PTRDIFF:
        return va_arg(*arguments, ptrdiff_t);
    case LENGTH_INTMAX:
        return va_arg(*arguments, intmax_t);
    case LENGTH_INT:
        break;
    }
    return va_arg(*arguments, int);
}

static uint64_t take_unsigned(enum fmt_length length, va_list *arguments)
{
    switch (length) {
    case LENGTH_CHAR:
        return (unsigned char)va_arg(*arguments, unsigned);
    case LENGTH_SHORT:
        return (unsigned short)va_arg(*arguments, unsigned);
    case LENGTH_LONG:
        return va_arg(*arguments, unsigned long);
    case LENGTH_LONG_LONG:
        return va_arg(*arguments, unsigned long long);
    case LENGTH_SIZE:
        return va_arg(*arguments, size_t);
    case LENGTH_PTRDIFF:
        return (uint64_t)va_arg(*arguments, ptrdiff_t);
    case LENGTH_INTMAX:
        return va_arg(*arguments, uintmax_t);
    case LENGTH_INT:
        break;
    }
    return va_arg(*arguments, unsigned);
}

// Reads decimal digits, saturating at INT_MAX.
static const char *read_number(const char *at, int *out_number)
{
    int number = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, *at - '0', &number))
            number = INT_MAX;
    *out_number = number;
    return at;
}

static const char *read_flags(const char *at, struct fmt_spec *spec)
{
    for (;; at++) {
        switch (*at) {
        case '-':
            spec->left = true;
            break;
        case '+':
            spec->plus = true;
            break;
        case ' ':
            spec->space = true;
            break;
        case '#':
            spec->alternate = true;
            break;
        case '0':
            spec->zero = true;
            break;
        default:
            return at;
        }
    }
}

static const char *read_width(const char *at, struct fmt_spec *spec, va_list *arguments)
{
    if (*at != '*')
        return read_number(at, &spec->width);
    int width = va_arg(*arguments, int);
    if (width < 0) { // a negative width is the flag - and a width
        spec->left = true;
        width = width == INT_MIN ? INT_MAX : -width;
    }
    spec->width = width;
    return at + 1;
}

static const char *read_precision(const char *at, struct fmt_spec *spec, va_list *arguments)
{
    spec->precision = PRECISION_NONE;
    if (*at != '.')
        return at;
    at++;
    if (*at != '*')
        return read_number(at, &spec->precision);
    int precision = va_arg(*arguments, int);
    if (precision >= 0) // a negative one is as if it weren't there
        spec->precision = precision;
    return at + 1;
}

static const char *read_length(const char *at, struct fmt_spec *spec)
{
    switch (*at) {
    case 'h':
        spec->length = at[1] == 'h' ? LENGTH_CHAR : LENGTH_SHORT;
        return at + (at[1] == 'h' ? 2 : 1);
    case 'l':
        spec->length = at[1] == 'l' ? LENGTH_LONG_LONG : LENGTH_LONG;
        return at + (at[1] == 'l' ? 2 : 1);
    case 'z':
        spec->length = LENGTH_SIZE;
        return at + 1;
    case 't':
        spec->length = LENGTH_PTRDIFF;
        return at + 1;
    case 'j':
        spec->length = LENGTH_INTMAX;
        return at + 1;
    default:
        spec->length = LENGTH_INT;
        return at;
    }
}

static void put_signed(struct fmt_sink *sink, const struct fmt_spec *spec, int64_t value)
{
    const char *sign = value < 0 ? "-" : spec->plus ? "+" : spec->space ? " " : "";
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    put_integer(sink, spec, magnitude, 10, false, sign);
}

static void put_hexadecimal(struct fmt_sink *sink, const struct fmt_spec *spec, uint64_t value,
                            bool upper)
{
    const char *prefix = !spec->alternate || value == 0 ? "" : upper ? "0X" : "0x";
    put_integer(sink, spec, value, 16, upper, prefix);
}

// Writes one conversion; false if it is none.
static bool put_conversion(struct fmt_sink *sink, const struct fmt_spec *spec, char conversion,
                           va_list *arguments)
{
    switch (conversion) {
    case 'd':
    case 'i':
        put_signed(sink, spec, take_signed(spec->length, arguments));
        return true;
    case 'u':
        put_integer(sink, spec, take_unsigned(spec->length, arguments), 10, false, "");
        return true;
    case 'o':
        put_integer(sink, spec, take_unsigned(spec->length, arguments), 8, false, "");
        return true;
    case 'x':
    case 'X':
        put_hexadecimal(sink, spec, take_unsigned(spec->length, arguments), conversion == 'X');
        return true;
    case 'p':
        put_integer(sink, spec, (uintptr_t)va_arg(*arguments, void *), 16, false, "0x");
        return true;
    case 'c': {
        char character = (char)va_arg(*arguments, int);
        put_field(sink, spec, "", 0, &character, 1);
        return true;
    }
    case 's':
        put_string(sink, spec, va_arg(*arguments, const char *));
        return true;
    case '%':
        put_text(sink, "%", 1);
        return true;
    default:
        return false;
    }
}

size_t fmt_vformat(char *buffer, size_t buffer_bytes, const char *format, va_list arguments)
{
    struct fmt_sink sink = {.buffer = buffer, .room = buffer_bytes != 0 ? buffer_bytes - 1 : 0};
    va_list rest; // a local copy, because the address of a va_list parameter isn't a va_list *
    va_copy(rest, arguments);
    const char *at = format;
    while (*at != '\0') {
        const char *start = at;
        while (*at != '\0' && *at != '%')
            at++;
        put_text(&sink, start, (size_t)(at - start));
        if (*at == '\0')
            break;
        start = at;
        struct fmt_spec spec = {};
        at = read_flags(at + 1, &spec);
        at = read_width(at, &spec, &rest);
        at = read_precision(at, &spec, &rest);
        at = read_length(at, &spec);
        if (*at != '\0' && put_conversion(&sink, &spec, *at, &rest))
            at++;
        else
            put_text(&sink, start, (size_t)(at - start));
    }
    va_end(rest);
    if (buffer_bytes != 0)
        buffer[sink.length < sink.room ? sink.length : sink.room] = '\0';
    return sink.length;
}

size_t fmt_format(char *buffer, size_t buffer_bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t length = fmt_vformat(buffer, buffer_bytes, format, arguments);
    va_end(arguments);
    return length;
}
