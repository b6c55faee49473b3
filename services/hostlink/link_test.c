// SPDX-License-Identifier: MIT
// The guest's end of the host link, fed by a host that behaves and by one that doesn't.
#include "link.h"

#include <test/test.h>

#include <stdlib.h>

static struct link link_state;
static uint8_t wire[1 << 20];
static size_t wire_bytes;

static void wire_put(const void *data, size_t bytes)
{
    memcpy(wire + wire_bytes, data, bytes);
    wire_bytes += bytes;
}

static void wire_frame(enum capos_link_kind kind, const void *payload, uint32_t bytes)
{
    struct capos_link_frame frame = link_frame(kind, bytes);
    wire_put(&frame, sizeof frame);
    if (bytes != 0)
        wire_put(payload, bytes);
}

static void start(void)
{
    link_init(&link_state);
    wire_bytes = 0;
}

// Feeds everything in pieces of at most `piece` bytes.
static bool feed(size_t piece)
{
    bool good = true;
    for (size_t at = 0; at < wire_bytes; at += piece)
        good = link_receive(&link_state, wire + at,
                            wire_bytes - at < piece ? wire_bytes - at : piece);
    wire_bytes = 0;
    return good;
}

static size_t read_input(uint8_t *to, size_t bytes_max)
{
    size_t done = 0;
    const uint8_t *data;
    size_t there;
    while (done < bytes_max && (there = link_input_peek(&link_state, &data)) > 0) {
        size_t taken = there < bytes_max - done ? there : bytes_max - done;
        memcpy(to + done, data, taken);
        link_input_take(&link_state, taken);
        done += taken;
    }
    return done;
}

static void link_frames_arrive_in_any_pieces(void)
{
    static const size_t pieces[] = {1, 3, 16, 17, 1000, SIZE_MAX / 2};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct capos_link_info info = {.terminal = {1, 0, 1}, .columns = 80, .rows = 25};
        uint8_t got[64];
        start();
        wire_frame(CAPOS_LINK_INFO, &info, sizeof info);
        wire_frame(CAPOS_LINK_STDIN, "hello, ", 7);
        wire_frame(CAPOS_LINK_STDIN, nullptr, 0);
        wire_frame(CAPOS_LINK_STDIN, "world", 5);
        wire_frame(CAPOS_LINK_STDIN_END, nullptr, 0);
        CHECK(feed(pieces[i]));
        CHECK(link_state.info_known);
        CHECK_EQ(link_state.info.columns, 80);
        CHECK_EQ(link_state.info.terminal[2], 1);
        CHECK(link_state.input_ended);
        CHECK_EQ(read_input(got, sizeof got), 12);
        CHECK(memcmp(got, "hello, world", 12) == 0);
    }
}

static void link_input_is_intact_through_the_circle(void)
{
    static uint8_t got[70000];
    uint8_t next_in = 0, next_out = 0;
    uint32_t window = CAPOS_LINK_WINDOW_BYTES;
    start();
    srand(3);
    for (int round = 0; round < 400; round++) {
        static uint8_t payload[60000];
        uint32_t bytes = (uint32_t)rand() % sizeof payload;
        if (bytes > window)
            bytes = window;
        for (uint32_t i = 0; i < bytes; i++)
            payload[i] = next_in++;
        wire_frame(CAPOS_LINK_STDIN, payload, bytes);
        window -= bytes;
        CHECK(feed(5000));
        size_t there = read_input(got, (size_t)rand() % sizeof got);
        for (size_t i = 0; i < there; i++)
            if (got[i] != next_out++) {
                CHECK(got[i] == next_out - 1);
                return;
            }
        window += link_input_credit(&link_state);
        CHECK(window <= CAPOS_LINK_WINDOW_BYTES);
    }
}

static void link_credit_comes_back_before_the_host_runs_dry(void)
{
    static uint8_t payload[CAPOS_LINK_PAYLOAD_BYTES_MAX];
    start();
    for (int i = 0; i < 4; i++)
        wire_frame(CAPOS_LINK_STDIN, payload, sizeof payload);
    CHECK(feed(SIZE_MAX / 2));
    CHECK_EQ(link_input_credit(&link_state), 0);
    link_input_take(&link_state, sizeof payload);
    CHECK_EQ(link_input_credit(&link_state), sizeof payload);
    CHECK_EQ(link_input_credit(&link_state), 0);
}

static void link_output_credit_is_counted(void)
{
    uint32_t bytes = 1000;
    start();
    link_state.credit[LINK_ERROR] -= 1000;
    wire_frame(CAPOS_LINK_STDERR_CREDIT, &bytes, sizeof bytes);
    wire_frame(CAPOS_LINK_STDOUT_CLOSED, nullptr, 0);
    CHECK(feed(7));
    CHECK_EQ(link_state.credit[LINK_ERROR], CAPOS_LINK_WINDOW_BYTES);
    CHECK(link_state.closed[LINK_OUTPUT] && !link_state.closed[LINK_ERROR]);
}

static void link_breaks_for_a_host_that_misbehaves(void)
{
    static uint8_t payload[CAPOS_LINK_PAYLOAD_BYTES_MAX];
    uint32_t one = 1;
    start();
    wire_put("not a frame at all", 18);
    CHECK(!feed(4));
    CHECK(link_state.broken != nullptr);

    start();
    wire_frame(CAPOS_LINK_STDOUT, "x", 1); // the guest's own kind
    CHECK(!feed(100));

    start();
    wire_frame(CAPOS_LINK_INFO, "1234", 4); // too short
    CHECK(!feed(100));

    start();
    wire_frame(CAPOS_LINK_STDOUT_CREDIT, &one, sizeof one); // never used
    CHECK(!feed(100));

    start();
    for (int i = 0; i < 5; i++) // beyond the window
        wire_frame(CAPOS_LINK_STDIN, payload, sizeof payload);
    CHECK(!feed(10000));

    start();
    wire_frame(CAPOS_LINK_STDIN_END, nullptr, 0);
    wire_frame(CAPOS_LINK_STDIN, "x", 1);
    CHECK(!feed(100));

    struct capos_link_frame frame = link_frame(CAPOS_LINK_STDIN, UINT32_MAX);
    start();
    wire_put(&frame, sizeof frame);
    CHECK(!feed(100));
}

int main(void)
{
    RUN(link_frames_arrive_in_any_pieces);
    RUN(link_input_is_intact_through_the_circle);
    RUN(link_credit_comes_back_before_the_host_runs_dry);
    RUN(link_output_credit_is_counted);
    RUN(link_breaks_for_a_host_that_misbehaves);
    return test_report();
}
