// SPDX-License-Identifier: MIT
#include "link.h"

#include <stdlib.h>

#include <test/test.h>

static struct link *link_new(void)
{
    struct link *link = calloc(1, sizeof *link);
    link_init(link, &(struct capos_link_info){.columns = 80, .rows = 24});
    return link;
}

// Gives the engine a frame as if the guest had sent it.
static void guest_sends(struct link *link, uint16_t kind, const void *payload, uint32_t bytes)
{
    struct capos_link_frame frame = {
        .magic = CAPOS_LINK_MAGIC, .kind = kind, .size_bytes = bytes};
    uint8_t *space;
    CHECK(link_input_space(link, &space) >= sizeof frame + bytes);
    memcpy(space, &frame, sizeof frame);
    if (bytes > 0)
        memcpy(space + sizeof frame, payload, bytes);
    link_input_received(link, sizeof frame + bytes);
}

// Takes one frame that the engine sends.
static struct capos_link_frame guest_receives(struct link *link, uint8_t *payload)
{
    const uint8_t *bytes;
    struct capos_link_frame frame = {};
    size_t count = link_output(link, &bytes);
    if (count < sizeof frame)
        return frame;
    memcpy(&frame, bytes, sizeof frame);
    CHECK(count >= sizeof frame + frame.size_bytes);
    memcpy(payload, bytes + sizeof frame, frame.size_bytes);
    link_output_sent(link, sizeof frame + frame.size_bytes);
    return frame;
}

static uint8_t payload[CAPOS_LINK_PAYLOAD_BYTES_MAX];

static void the_first_frame_is_info(void)
{
    struct link *link = link_new();
    struct capos_link_frame frame = guest_receives(link, payload);
    CHECK_EQ(frame.kind, CAPOS_LINK_INFO);
    CHECK_EQ(frame.size_bytes, sizeof(struct capos_link_info));
    CHECK_EQ(guest_receives(link, payload).kind, 0);
    free(link);
}

static void of_several_windows_the_guest_hears_of_the_last(void)
{
    struct link *link = link_new();
    struct capos_link_info info;
    CHECK_EQ(guest_receives(link, payload).kind, CAPOS_LINK_INFO);
    link_tell_info(link, &(struct capos_link_info){.columns = 100, .rows = 30});
    link_tell_info(link, &(struct capos_link_info){.columns = 120, .rows = 40});
    CHECK_EQ(guest_receives(link, payload).kind, CAPOS_LINK_INFO);
    memcpy(&info, payload, sizeof info);
    CHECK(info.columns == 120 && info.rows == 40);
    CHECK_EQ(guest_receives(link, payload).kind, 0);
    free(link);
}

static void output_arrives_byte_by_byte(void)
{
    struct link *link = link_new();
    struct capos_link_frame frame = {
        .magic = CAPOS_LINK_MAGIC, .kind = CAPOS_LINK_STDERR, .size_bytes = 3};
    uint8_t bytes[sizeof frame + 3];
    memcpy(bytes, &frame, sizeof frame);
    memcpy(bytes + sizeof frame, "abc", 3);
    for (size_t i = 0; i < sizeof bytes; i++) {
        CHECK_EQ(link_next(link).kind, LINK_NOTHING);
        uint8_t *space;
        CHECK(link_input_space(link, &space) > 0);
        *space = bytes[i];
        link_input_received(link, 1);
    }
    struct link_event event = link_next(link);
    CHECK_EQ(event.kind, LINK_DATA);
    CHECK_EQ(event.stream, LINK_ERROR);
    CHECK(event.data_bytes == 3 && memcmp(event.data, "abc", 3) == 0);
    free(link);
}

static void output_beyond_the_window_breaks_the_link(void)
{
    struct link *link = link_new();
    for (int i = 0; i < 4; i++) {
        guest_sends(link, CAPOS_LINK_STDOUT, payload, sizeof payload);
        CHECK_EQ(link_next(link).kind, LINK_DATA);
    }
    guest_sends(link, CAPOS_LINK_STDOUT, payload, 1);
    CHECK_EQ(link_next(link).kind, LINK_BROKEN);
    free(link);
}

static void written_output_is_credited_in_one_frame(void)
{
    struct link *link = link_new();
    CHECK_EQ(guest_receives(link, payload).kind, CAPOS_LINK_INFO);
    guest_sends(link, CAPOS_LINK_STDOUT, payload, 1000);
    CHECK_EQ(link_next(link).data_bytes, 1000);
    link_data_written(link, LINK_OUTPUT, 400);
    link_data_written(link, LINK_OUTPUT, 600);
    CHECK_EQ(guest_receives(link, payload).kind, CAPOS_LINK_STDOUT_CREDIT);
    uint32_t credit;
    memcpy(&credit, payload, sizeof credit);
    CHECK_EQ(credit, 1000);
    CHECK_EQ(guest_receives(link, payload).kind, 0);
    free(link);
}

static void input_stops_when_the_credit_is_used_up(void)
{
    struct link *link = link_new();
    uint8_t *space;
    CHECK_EQ(link_stdin_space(link, &space), 0); // INFO isn't sent yet
    CHECK_EQ(guest_receives(link, payload).kind, CAPOS_LINK_INFO);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(link_stdin_space(link, &space), CAPOS_LINK_PAYLOAD_BYTES_MAX);
        memset(space, i, CAPOS_LINK_PAYLOAD_BYTES_MAX);
        link_stdin_read(link, CAPOS_LINK_PAYLOAD_BYTES_MAX);
        CHECK_EQ(guest_receives(link, payload).kind, CAPOS_LINK_STDIN);
        CHECK_EQ(payload[CAPOS_LINK_PAYLOAD_BYTES_MAX - 1], i);
    }
    CHECK_EQ(link_stdin_space(link, &space), 0);
    CHECK_EQ(link_stdin_unused(link), CAPOS_LINK_WINDOW_BYTES);
    guest_sends(link, CAPOS_LINK_STDIN_CREDIT, &(uint32_t){10}, 4);
    CHECK_EQ(link_next(link).kind, LINK_NOTHING);
    CHECK_EQ(link_stdin_unused(link), CAPOS_LINK_WINDOW_BYTES - 10);
    CHECK_EQ(link_stdin_space(link, &space), 10);
    free(link);
}

static void the_end_of_input_follows_all_input(void)
{
    struct link *link = link_new();
    CHECK_EQ(guest_receives(link, payload).kind, CAPOS_LINK_INFO);
    uint8_t *space;
    CHECK(link_stdin_space(link, &space) > 0);
    *space = 'x';
    link_stdin_read(link, 1);
    link_stdin_read(link, 0);
    CHECK_EQ(guest_receives(link, payload).kind, CAPOS_LINK_STDIN);
    CHECK_EQ(guest_receives(link, payload).kind, CAPOS_LINK_STDIN_END);
    CHECK_EQ(link_stdin_space(link, &space), 0);
    free(link);
}

static void control_frames_fit_behind_the_largest_input(void)
{
    struct link *link = link_new();
    CHECK_EQ(guest_receives(link, payload).kind, CAPOS_LINK_INFO);
    uint8_t *space;
    size_t bytes = link_stdin_space(link, &space);
    memset(space, 'x', bytes);
    link_stdin_read(link, bytes);
    link_stdin_read(link, 0);
    guest_sends(link, CAPOS_LINK_STDOUT, payload, 5);
    CHECK_EQ(link_next(link).kind, LINK_DATA);
    link_data_written(link, LINK_OUTPUT, 5);
    link_stream_closed(link, LINK_OUTPUT);
    link_stream_closed(link, LINK_OUTPUT);
    link_stream_closed(link, LINK_ERROR);
    CHECK_EQ(guest_receives(link, payload).kind, CAPOS_LINK_STDIN);
    CHECK_EQ(guest_receives(link, payload).kind, CAPOS_LINK_STDOUT_CLOSED);
    CHECK_EQ(guest_receives(link, payload).kind, CAPOS_LINK_STDOUT_CREDIT);
    CHECK_EQ(guest_receives(link, payload).kind, CAPOS_LINK_STDERR_CLOSED);
    CHECK_EQ(guest_receives(link, payload).kind, CAPOS_LINK_STDIN_END);
    CHECK_EQ(guest_receives(link, payload).kind, 0);
    free(link);
}

static void finish_and_refusal_are_decoded(void)
{
    struct link *link = link_new();
    struct capos_link_finish finish = {.exit_code = -3, .load_bias = 0x1000};
    guest_sends(link, CAPOS_LINK_FINISH, &finish, sizeof finish);
    struct link_event event = link_next(link);
    CHECK_EQ(event.kind, LINK_FINISH);
    CHECK(event.finish.exit_code == -3 && event.finish.load_bias == 0x1000);
    uint8_t refuse[sizeof(struct capos_link_refuse) + 2] = {2};
    memcpy(refuse + sizeof(struct capos_link_refuse), "no", 2);
    guest_sends(link, CAPOS_LINK_REFUSE, refuse, sizeof refuse);
    event = link_next(link);
    CHECK_EQ(event.kind, LINK_REFUSE);
    CHECK(event.refusal == 2 && event.data_bytes == 2 && memcmp(event.data, "no", 2) == 0);
    free(link);
}

static void a_broken_guest_is_recognised(uint16_t kind, uint32_t bytes)
{
    struct link *link = link_new();
    guest_sends(link, kind, payload, bytes);
    CHECK_EQ(link_next(link).kind, LINK_BROKEN);
    free(link);
}

static void broken_guests_are_recognised(void)
{
    memset(payload, 0xff, sizeof payload);
    a_broken_guest_is_recognised(99, 0);
    a_broken_guest_is_recognised(CAPOS_LINK_FINISH, 39);
    a_broken_guest_is_recognised(CAPOS_LINK_REFUSE, 7);
    a_broken_guest_is_recognised(CAPOS_LINK_STDIN_CREDIT, 3);
    a_broken_guest_is_recognised(CAPOS_LINK_STDIN_CREDIT, 4);
    struct link *link = link_new();
    uint8_t *space;
    CHECK(link_input_space(link, &space) > 64);
    memset(space, 0, 64);
    link_input_received(link, 64);
    CHECK_EQ(link_next(link).kind, LINK_BROKEN);
    link_init(link, &(struct capos_link_info){});
    struct capos_link_frame frame = {.magic = CAPOS_LINK_MAGIC, .size_bytes = UINT32_MAX};
    CHECK(link_input_space(link, &space) > sizeof frame);
    memcpy(space, &frame, sizeof frame);
    link_input_received(link, sizeof frame);
    CHECK_EQ(link_next(link).kind, LINK_BROKEN);
    free(link);
}

int main(void)
{
    RUN(the_first_frame_is_info);
    RUN(of_several_windows_the_guest_hears_of_the_last);
    RUN(output_arrives_byte_by_byte);
    RUN(output_beyond_the_window_breaks_the_link);
    RUN(written_output_is_credited_in_one_frame);
    RUN(input_stops_when_the_credit_is_used_up);
    RUN(the_end_of_input_follows_all_input);
    RUN(control_frames_fit_behind_the_largest_input);
    RUN(finish_and_refusal_are_decoded);
    RUN(broken_guests_are_recognised);
    return test_report();
}
