// SPDX-License-Identifier: MIT
// Fuzzes the host's half of the link with bytes from a guest.  The input is cut into pieces
// as they arrive; the first byte of each says how long it is and what happens around it.
#include "link.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Takes all complete frames; false when the guest broke the rules.
static bool take_events(struct link *link, bool slow)
{
    struct link_event event;
    do {
        event = link_next(link);
        if (event.kind == LINK_DATA && !slow)
            link_data_written(link, event.stream, event.data_bytes);
        if (event.kind == LINK_DATA || event.kind == LINK_REFUSE) {
            uint8_t sum = 0; // every byte of it can be read
            for (size_t i = 0; i < event.data_bytes; i++)
                sum ^= event.data[i];
            assert(sum == (uint8_t)sum);
        }
    } while (event.kind != LINK_NOTHING && event.kind != LINK_BROKEN);
    return event.kind == LINK_NOTHING;
}

static void send_input(struct link *link, size_t bytes)
{
    uint8_t *space;
    size_t room = link_stdin_space(link, &space);
    if (room == 0)
        return;
    bytes = bytes < room ? bytes : room;
    memset(space, 'i', bytes);
    link_stdin_read(link, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct link *link = malloc(sizeof *link);
    link_init(link, &(struct capos_link_info){});
    bool open = true;
    while (size > 0 && open) {
        uint8_t how = *data++;
        size_t piece = how & 0x3f;
        size--;
        piece = piece < size ? piece : size;
        uint8_t *space;
        size_t room = link_input_space(link, &space);
        assert(room > 0);
        piece = piece < room ? piece : room;
        memcpy(space, data, piece);
        link_input_received(link, piece);
        data += piece;
        size -= piece;
        open = take_events(link, (how & 0x40) != 0);
        if (how & 0x80)
            send_input(link, how);
        const uint8_t *output;
        size_t count = link_output(link, &output);
        link_output_sent(link, how % 3 == 0 ? count : count / 2);
    }
    free(link);
    return 0;
}
