// SPDX-License-Identifier: MIT
#include <lib/ninep_client.h>

#include <test/test.h>

static struct ninep_client client;
static uint8_t buffer[4096];

static uint16_t request(struct ninep_message message)
{
    if (!ninep_client_request(&client, &message))
        return NINEP_NO_TAG;
    return message.tag;
}

// The server's answer to the request of `tag`.
static enum ninep_outcome answer(uint16_t tag, struct ninep_message message)
{
    struct ninep_message read;
    uint32_t size = ninep_write(&message, false, buffer, sizeof buffer);
    return ninep_client_answer(&client, tag, buffer, size, nullptr, 0, &read);
}

static void answers_come_in_any_order(void)
{
    ninep_client_init(&client);
    uint16_t first = request((struct ninep_message){.type = NINEP_TCLUNK});
    uint16_t second = request((struct ninep_message){.type = NINEP_TGETATTR});
    CHECK(first != second);
    CHECK_EQ(client.request_count, 2);
    CHECK_EQ(answer(second, (struct ninep_message){.type = NINEP_RGETATTR, .tag = second}),
             NINEP_DONE);
    CHECK_EQ(answer(first, (struct ninep_message){.type = NINEP_RCLUNK, .tag = first}),
             NINEP_DONE);
    CHECK_EQ(client.request_count, 0);
}

static void a_refusal_has_a_reason(void)
{
    ninep_client_init(&client);
    uint16_t tag = request((struct ninep_message){.type = NINEP_TWALK});
    struct ninep_message refusal = {.type = NINEP_RLERROR, .tag = tag, .error = 2};
    CHECK_EQ(answer(tag, refusal), NINEP_REFUSED);
    tag = request((struct ninep_message){.type = NINEP_TWALK});
    refusal.error = 0;
    CHECK_EQ(answer(tag, refusal), NINEP_BROKEN);
}

static void an_answer_belongs_to_its_request(void)
{
    ninep_client_init(&client);
    CHECK_EQ(answer(0, (struct ninep_message){.type = NINEP_RCLUNK}), NINEP_BROKEN);
    CHECK_EQ(answer(NINEP_TAGS, (struct ninep_message){.type = NINEP_RCLUNK}), NINEP_BROKEN);
    uint16_t tag = request((struct ninep_message){.type = NINEP_TCLUNK});
    CHECK_EQ(answer(tag, (struct ninep_message){.type = NINEP_RFSYNC, .tag = tag}),
             NINEP_BROKEN);
    tag = request((struct ninep_message){.type = NINEP_TCLUNK});
    CHECK_EQ(
        answer(tag, (struct ninep_message){.type = NINEP_RCLUNK, .tag = (uint16_t)(tag + 1)}),
        NINEP_BROKEN);
    tag = request((struct ninep_message){.type = NINEP_TCLUNK});
    CHECK_EQ(answer(tag, (struct ninep_message){.type = NINEP_TCLUNK, .tag = tag}),
             NINEP_BROKEN);
    // It is answered once.
    tag = request((struct ninep_message){.type = NINEP_TCLUNK});
    struct ninep_message done = {.type = NINEP_RCLUNK, .tag = tag};
    CHECK_EQ(answer(tag, done), NINEP_DONE);
    CHECK_EQ(answer(tag, done), NINEP_BROKEN);
}

static enum ninep_outcome counted(struct ninep_message asked, struct ninep_message told)
{
    ninep_client_init(&client);
    told.tag = request(asked);
    return answer(told.tag, told);
}

static void nobody_gets_more_than_was_asked_for(void)
{
    struct ninep_message read = {.type = NINEP_TREAD, .read = {.count = 4}};
    struct ninep_message data = {.type = NINEP_RREAD, .data = {(const uint8_t *)"12345", 4}};
    CHECK_EQ(counted(read, data), NINEP_DONE);
    data.data.size_bytes = 5;
    CHECK_EQ(counted(read, data), NINEP_BROKEN);
    struct ninep_message write = {.type = NINEP_TWRITE, .write = {.data = {buffer, 4}}};
    struct ninep_message wrote = {.type = NINEP_RWRITE, .count = 4};
    CHECK_EQ(counted(write, wrote), NINEP_DONE);
    wrote.count = 5;
    CHECK_EQ(counted(write, wrote), NINEP_BROKEN);
    struct ninep_message walk = {.type = NINEP_TWALK, .walk = {.name_count = 1}};
    struct ninep_message walked = {.type = NINEP_RWALK, .walked = {.qid_count = 1}};
    CHECK_EQ(counted(walk, walked), NINEP_DONE);
    walked.walked.qid_count = 2;
    CHECK_EQ(counted(walk, walked), NINEP_BROKEN);
    walked.walked.qid_count = 0;
    CHECK_EQ(counted(walk, walked), NINEP_BROKEN);
    walk.walk.name_count = 0;
    CHECK_EQ(counted(walk, walked), NINEP_DONE);
    struct ninep_message version = {.type = NINEP_TVERSION,
                                    .version = {.message_bytes_max = 8192}};
    struct ninep_message agreed = {.type = NINEP_RVERSION,
                                   .version = {.message_bytes_max = 8193}};
    CHECK_EQ(counted(version, agreed), NINEP_BROKEN);
}

static void tags_run_out_and_come_back(void)
{
    ninep_client_init(&client);
    for (uint16_t i = 0; i < NINEP_TAGS; i++)
        CHECK_EQ(request((struct ninep_message){.type = NINEP_TCLUNK}), i);
    CHECK_EQ(request((struct ninep_message){.type = NINEP_TCLUNK}), NINEP_NO_TAG);
    CHECK_EQ(answer(5, (struct ninep_message){.type = NINEP_RCLUNK, .tag = 5}), NINEP_DONE);
    CHECK_EQ(request((struct ninep_message){.type = NINEP_TCLUNK}), 5);
}

static void fids_run_out_and_come_back(void)
{
    ninep_client_init(&client);
    for (uint32_t i = 0; i < NINEP_FIDS; i++)
        CHECK_EQ(ninep_fid_get(&client), i);
    CHECK_EQ(ninep_fid_get(&client), NINEP_NO_FID);
    ninep_fid_put(&client, 777);
    CHECK_EQ(client.fid_count, NINEP_FIDS - 1);
    CHECK_EQ(ninep_fid_get(&client), 777);
}

int main(void)
{
    RUN(answers_come_in_any_order);
    RUN(a_refusal_has_a_reason);
    RUN(an_answer_belongs_to_its_request);
    RUN(nobody_gets_more_than_was_asked_for);
    RUN(tags_run_out_and_come_back);
    RUN(fids_run_out_and_come_back);
    return test_report();
}
