// SPDX-License-Identifier: MIT
// The C side of tests/wire/test_wire.py: runs messages through the generated codecs.
//
// Input, until it ends: two little-endian words, the index in codec_table and the size in
// bytes, then the message.  Output for each, one line: the JSON of the decoded value, a
// tab, the hex of its encoding, a tab, the hex of its encoding with marked capabilities;
// or "!" and the name of the status.  Without input: the table, a line per codec.
#include <gen/test/codecs.h>
#include <stdlib.h>
#include <string.h>

constexpr uint32_t BUFFER_BYTES = 1 << 20;

static void print_hex(const uint8_t *bytes, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < size_bytes; i++)
        printf("%02x", bytes[i]);
}

static void run(const struct codec *codec, const void *message, uint32_t size_bytes)
{
    static uint64_t buffer[BUFFER_BYTES / 8];
    enum status status = codec->print(message, size_bytes, stdout);
    for (int mark = 0; status == STATUS_OK && mark < 2; mark++) {
        uint32_t out_bytes;
        status =
            codec->recode(message, size_bytes, mark != 0, buffer, BUFFER_BYTES, &out_bytes);
        putchar('\t');
        print_hex((const uint8_t *)buffer, out_bytes);
    }
    if (status != STATUS_OK)
        printf("!%s", status_name(status));
    putchar('\n');
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--table") == 0) {
        for (uint32_t i = 0; i < CODEC_COUNT; i++)
            printf("%s %s\n", codec_table[i].file, codec_table[i].path);
        return 0;
    }
    uint64_t head[2];
    while (fread(head, sizeof head, 1, stdin) == 1) {
        // Exactly as long as the message, so that the sanitizer sees every excess.
        void *message = malloc(head[1] != 0 ? head[1] : 1);
        if (message == nullptr || head[0] >= CODEC_COUNT ||
            fread(message, 1, head[1], stdin) != head[1])
            return 1;
        run(&codec_table[head[0]], message, (uint32_t)head[1]);
        free(message);
    }
    return 0;
}
