// SPDX-License-Identifier: MIT
// The standard streams: StdIO as descriptions.
//
// A read of input takes what has come, at least one byte, or waits for it.  A write is accepted
// as a whole.  The three know whether a person is at their other end; nothing else of a
// terminal can be changed through a StdIO.
#include "stream.h"

#include "errno.h"

#include <gen/capos/stdio.h>
#include <string.h>

constexpr size_t MESSAGE_BYTES_MAX = STDIO_WRITE_PARAMS_DATA_BYTES_MAX;
constexpr uint64_t DEVICE_INODE = 1; // of stream 0; the others follow

static stdio_cap stdio(void)
{
    static stdio_cap found;
    stdio_cap cap = {__atomic_load_n(&found.id, __ATOMIC_RELAXED)};
    if (cap.id == 0 && stdio_cap_find("stdio", &cap) == STATUS_OK)
        __atomic_store_n(&found.id, cap.id, __ATOMIC_RELAXED);
    return cap;
}

bool stream_present(void)
{
    return stdio().id != 0;
}

static long input_read(struct open_file *file, void *buffer, size_t byte_count)
{
    (void)file;
    uint32_t bytes_max =
        byte_count < MESSAGE_BYTES_MAX ? (uint32_t)byte_count : (uint32_t)MESSAGE_BYTES_MAX;
    size_t read = 0;
    if (bytes_max == 0)
        return 0;
    enum status status = stdio_read(stdio(), bytes_max, buffer, bytes_max, &read);
    return status == STATUS_OK ? (long)read : error_of_status(status);
}

// EPIPE: nobody reads that stream any more.
static long output_write(struct open_file *file, const void *data, size_t byte_count)
{
    enum output_stream to = file->stream == 1 ? OUTPUT_STREAM_OUTPUT : OUTPUT_STREAM_ERROR;
    const uint8_t *from = data;
    size_t done = 0;
    while (done < byte_count) {
        size_t rest = byte_count - done;
        size_t count = rest < MESSAGE_BYTES_MAX ? rest : MESSAGE_BYTES_MAX;
        enum status status = stdio_write(stdio(), to, from + done, count);
        if (status != STATUS_OK && done == 0)
            return status == STATUS_DISCONNECTED ? -EPIPE : error_of_status(status);
        if (status != STATUS_OK)
            break;
        done += count;
    }
    return (long)done;
}

static long stream_status(struct open_file *file, struct posix_stat *out_status)
{
    *out_status = (struct posix_stat){
        .st_ino = DEVICE_INODE + file->stream,
        .st_nlink = 1,
        .st_mode = S_IFCHR | 0620,
        .st_rdev = 1,
        .st_blksize = 4096,
    };
    return 0;
}

struct terminal {
    bool present[STREAM_COUNT];
    uint16_t columns, rows;
};

static struct terminal terminal_now(void)
{
    struct terminal now = {};
    if (stdio_info(stdio(), &now.present[0], &now.present[1], &now.present[2], &now.columns,
                   &now.rows) != STATUS_OK)
        return (struct terminal){};
    return now;
}

// A terminal that edits lines, as whoever serves a StdIO does, in the layout of struct termios.
struct posix_termios {
    uint32_t input, output, control, local;
    uint8_t line, characters[19];
    uint32_t input_speed, output_speed;
};

static void termios_fill(struct posix_termios *out_termios)
{
    *out_termios = (struct posix_termios){
        .input = 02400,   // ICRNL, IXON
        .output = 05,     // OPOST, ONLCR
        .control = 0277,  // CS8, CREAD, and 38400 baud
        .local = 0105073, // ISIG, ICANON, ECHO, ECHOE, ECHOK, ECHOCTL, ECHOKE, IEXTEN
        .characters = {3, 28, 127, 21, 4, 0, 1},
    };
}

static long stream_control(struct open_file *file, long request, void *argument)
{
    struct terminal now = terminal_now();
    if (!now.present[file->stream])
        return -ENOTTY;
    switch (request) {
    case TIOCGWINSZ:
        *(struct posix_winsize *)argument =
            (struct posix_winsize){.ws_row = now.rows, .ws_col = now.columns};
        return 0;
    case TCGETS:
        termios_fill(argument);
        return 0;
    default:
        return -EINVAL;
    }
}

static const struct open_ops input_ops = {
    .type = S_IFCHR,
    .stateless = true,
    .read = input_read,
    .status = stream_status,
    .control = stream_control,
};

static const struct open_ops output_ops = {
    .type = S_IFCHR,
    .stateless = true,
    .write = output_write,
    .status = stream_status,
    .control = stream_control,
};

struct open_file *stream_open(uint32_t stream)
{
    struct open_file *file = open_file_create(stream == 0 ? &input_ops : &output_ops,
                                              stream == 0 ? O_RDONLY : O_WRONLY);
    if (file != nullptr)
        file->stream = stream;
    return file;
}
