// SPDX-License-Identifier: MIT
// Fuzzes the guest's end of the host link: whatever the host sends, in whatever pieces, the
// counts stay within the window and a broken link stays broken.
//
// The input is a list of pieces: a length byte, then that many bytes from the host; every
// fourth piece some input is read as a client would.
#include "link.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct link link_state;

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check(void)
{
    const uint8_t *input;
    size_t bytes = link_input_peek(&link_state, &input);
    require(link_state.input_count + link_state.input_unreported <= CAPOS_LINK_WINDOW_BYTES);
    require(bytes <= link_state.input_count);
    require(input >= link_state.input &&
            input + bytes <= link_state.input + CAPOS_LINK_WINDOW_BYTES);
    for (int i = 0; i < LINK_STREAMS; i++)
        require(link_state.credit[i] <= CAPOS_LINK_WINDOW_BYTES);
}

// Plays the clients: output goes out, input is read.
static void use(uint8_t amount)
{
    const uint8_t *input;
    size_t bytes = link_input_peek(&link_state, &input);
    link_input_take(&link_state, bytes < amount ? bytes : bytes * amount / 255);
    (void)link_input_credit(&link_state);
    if (link_state.credit[amount % LINK_STREAMS] >= amount)
        link_state.credit[amount % LINK_STREAMS] -= amount;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool good = true;
    link_init(&link_state);
    for (unsigned piece = 0; size > 0; piece++) {
        size_t bytes = data[0];
        data++, size--;
        bytes = bytes < size ? bytes : size;
        bool taken = link_receive(&link_state, data, bytes);
        require(good || !taken);
        require(taken == (link_state.broken == nullptr));
        good = taken;
        check();
        if (piece % 4 == 3)
            use((uint8_t)bytes);
        data += bytes;
        size -= bytes;
    }
    return 0;
}
