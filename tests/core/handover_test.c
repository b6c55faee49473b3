// SPDX-License-Identifier: MIT
// Tests of kernel/ipc/handover.c against the way that it shortens: each submission is made
// twice, in two worlds that are alike, once so that the short way may be taken and once so
// that it may not.  What both processes then find in their rings, and what the kernel
// counts, is the same to the byte.
#include "core_test.h"

#include <gen/wire/endpoint.h>
#include <kernel/object/objects.h>
#include <kernel/sched/cpu.h>

constexpr uint64_t AREA = CAPOS_RING_MESSAGE_OFFSET;

// How a wait is made: a wait with an end never hands over.
enum way { SHORT_WAY, LONG_WAY };
static const uint64_t timeouts_ns[] = {CAPOS_FOREVER, CAPOS_FOREVER - 1};

static struct actor *server, *client;
static capos_cap_id endpoint, object;

static struct capos_sqe receive_sqe(uint64_t result, uint32_t result_bytes_max)
{
    return (struct capos_sqe){
        .opcode = CAPOS_OP_RECV,
        .flags = CAPOS_SQE_RESULT_IN_RING,
        .user_data = 11,
        .cap = endpoint,
        .result = result,
        .result_bytes_max = result_bytes_max,
    };
}

static struct capos_sqe call_sqe(void)
{
    return (struct capos_sqe){
        .opcode = CAPOS_OP_CALL,
        .flags = CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_RESULT_IN_RING,
        .method = 3,
        .user_data = 22,
        .cap = object,
        .interface_id = INTERFACE_STDIO,
        .params = AREA,
        .params_bytes = 32,
        .result = AREA + 4096,
        .result_bytes_max = 1024,
    };
}

static struct capos_sqe return_sqe(uint64_t call_id)
{
    return (struct capos_sqe){
        .opcode = CAPOS_OP_RETURN_RECV,
        .flags = CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_RESULT_IN_RING,
        .user_data = 33,
        .cap = endpoint,
        .call_id = call_id,
        .params = AREA + 2048,
        .params_bytes = 16,
        .result = AREA,
        .result_bytes_max = 1024,
    };
}

static void fill_area(struct actor *actor, uint8_t seed)
{
    uint8_t *ring = (uint8_t *)actor_ring(actor);
    for (unsigned i = 0; i < CAPOS_RING_MESSAGE_BYTES; i++)
        ring[AREA + i] = (uint8_t)(seed + i * 13 + i / 256);
}

// What travels with the call or the answer of a script: descriptors for capabilities of the
// sender, by their number in `gifts`.
enum { GIFT_COPY, GIFT_MOVE, GIFT_NONE, GIFT_RELEASED, GIFT_OBJECT, GIFTS };
static capos_cap_id client_gifts[GIFTS], server_gifts[GIFTS];

static void make_gifts(struct actor *actor, capos_cap_id gifts[GIFTS])
{
    for (unsigned i = GIFT_COPY; i <= GIFT_NONE; i++)
        gifts[i] = actor_give_own(actor, notification_create(actor->budget), i);
    gifts[GIFT_RELEASED] = actor_give(actor, timer_object());
    CHECK_EQ(actor_release(actor, gifts[GIFT_RELEASED]), 0);
}

static void make_world(void)
{
    server = actor_create("server");
    client = actor_create("client");
    (void)actor_give(server, timer_object());
    (void)actor_give(client, timer_object());
    endpoint = actor_give_own(server, endpoint_create(server->budget, 2), CAPOS_HOLD_COPY);
    struct actor_call mint = call_of(endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_MINT);
    WITH(&mint, endpoint_mint_params, .interface_id = INTERFACE_STDIO, .word = 77);
    struct capos_cqe cqe = actor_call(server, &mint);
    capos_cap_id minted = actor_result_cap(server, 0, &cqe, 0);
    object = actor_give(client, actor_object(server, minted));
    make_gifts(client, client_gifts);
    make_gifts(server, server_gifts);
    client_gifts[GIFT_OBJECT] = object;
    server_gifts[GIFT_OBJECT] = minted;
    fill_area(server, 1);
    fill_area(client, 101);
}

static int64_t submit(struct actor *actor, const struct capos_sqe *sqe, enum way way)
{
    actor_push(actor, sqe);
    return actor_enter(actor, 1, timeouts_ns[way]);
}

// What can be seen of an actor.
struct view {
    int64_t returned;
    uint32_t live_caps, pending_count;
    alignas(8) uint8_t ring[CAPOS_RING_BYTES];
};

struct outcome {
    struct view server, client;
    uint32_t hold_count;
    bool client_runs, server_runs;
};

static struct outcome outcomes[2];

static void look(struct actor *actor, struct view *out_view)
{
    out_view->returned = actor_returned(actor);
    out_view->live_caps = actor->process->caps.live_count;
    out_view->pending_count = actor_thread(actor)->ring.pending_count;
    memcpy(out_view->ring, actor_ring(actor), CAPOS_RING_BYTES);
    // The submissions that made the world name addresses, which are random.
    memset(out_view->ring + CAPOS_RING_SQ_OFFSET, 0, AREA - CAPOS_RING_SQ_OFFSET);
}

static void look_at_all(struct outcome *out_outcome)
{
    memset(out_outcome, 0, sizeof *out_outcome);
    look(server, &out_outcome->server);
    look(client, &out_outcome->client);
    struct object *minted = actor_object(client, object);
    out_outcome->hold_count = minted == nullptr ? 0 : minted->hold_count;
    out_outcome->client_runs = arch_cpu()->current == actor_thread(client);
    out_outcome->server_runs = arch_cpu()->current == actor_thread(server);
}

// One comparison: the server waits in a receive, the client submits, and if the server got
// a call it answers and waits again.
struct script {
    struct capos_sqe receive, call, answer;
    void (*before_call)(void);
    void (*before_answer)(void);
};

static struct script script;

// Fills in what only a world knows: ids that a script leaves 0 are the good ones.
static struct capos_sqe complete(struct capos_sqe sqe, capos_cap_id cap, uint64_t call_id)
{
    if (sqe.cap == 0)
        sqe.cap = cap;
    if (sqe.opcode == CAPOS_OP_RETURN_RECV && sqe.call_id == 0)
        sqe.call_id = call_id;
    return sqe;
}

static void play(enum way way, struct outcome *out_outcome)
{
    harness_begin();
    make_world();
    struct capos_sqe receive = complete(script.receive, endpoint, 0);
    struct capos_sqe call = complete(script.call, object, 0);
    if (submit(server, &receive, LONG_WAY) == ACTOR_BLOCKED) {
        if (script.before_call != nullptr)
            script.before_call();
        (void)submit(client, &call, way);
        struct capos_cqe cqe;
        if (actor_returned(server) == 1 && actor_pop(server, &cqe) && cqe.result == 0) {
            const struct capos_recv_header *header =
                (const void *)((uint8_t *)actor_ring(server) + script.receive.result);
            struct capos_sqe answer = complete(script.answer, endpoint, header->call_id);
            if (script.before_answer != nullptr)
                script.before_answer();
            (void)submit(server, &answer, way);
        }
    }
    look_at_all(out_outcome);
    CHECK(harness_end());
}

// Says where two views of an actor differ.
static bool views_same(const char *who, const struct view *a, const struct view *b)
{
    bool same = a->returned == b->returned && a->live_caps == b->live_caps &&
                a->pending_count == b->pending_count;
    if (!same)
        printf("  %s: returned %ld and %ld, live %u and %u, pending %u and %u\n", who,
               a->returned, b->returned, a->live_caps, b->live_caps, a->pending_count,
               b->pending_count);
    for (unsigned i = 0; i < CAPOS_RING_BYTES; i++) {
        if (a->ring[i] == b->ring[i])
            continue;
        printf("  %s: ring byte 0x%x is 0x%x and 0x%x\n", who, i, a->ring[i], b->ring[i]);
        return false;
    }
    return same;
}

static bool outcomes_same(const struct outcome *a, const struct outcome *b)
{
    bool same = views_same("server", &a->server, &b->server);
    same &= views_same("client", &a->client, &b->client);
    if (a->hold_count == b->hold_count && a->client_runs == b->client_runs &&
        a->server_runs == b->server_runs)
        return same;
    printf("  holds %u and %u, client runs %d and %d, server runs %d and %d\n", a->hold_count,
           b->hold_count, a->client_runs, b->client_runs, a->server_runs, b->server_runs);
    return false;
}

static void compare(void)
{
    play(SHORT_WAY, &outcomes[SHORT_WAY]);
    play(LONG_WAY, &outcomes[LONG_WAY]);
    if (outcomes_same(&outcomes[SHORT_WAY], &outcomes[LONG_WAY]))
        return;
    CHECK(!(bool)"the two ways differ");
    printf("  call %lx+%x -> %lx+%x, answer %lx+%x -> %lx+%x\n", script.call.params,
           script.call.params_bytes, script.call.result, script.call.result_bytes_max,
           script.answer.params, script.answer.params_bytes, script.answer.result,
           script.answer.result_bytes_max);
}

static void script_reset(void)
{
    endpoint = object = 0;
    script = (struct script){
        .receive = receive_sqe(AREA, 4096), .call = call_sqe(), .answer = return_sqe(0)};
}

static const uint64_t offsets[] = {
    AREA,
    AREA - 8,
    AREA - 64,
    AREA + 4,
    AREA + 4096,
    CAPOS_RING_BYTES - 8,
    CAPOS_RING_BYTES,
    CAPOS_RING_BYTES + 8,
    0,
    UINT64_MAX - 7,
    UINT64_MAX - 63,
    CAPOS_RING_SQ_OFFSET,
};
constexpr unsigned OFFSETS = sizeof offsets / sizeof offsets[0];

static const uint32_t sizes[] = {
    0,         8, 12, 16, 24, 31, 32, 64, 72, 1024, 8184, 8192, 8200, 65536, UINT32_MAX - 7,
    UINT32_MAX};
constexpr unsigned SIZES = sizeof sizes / sizeof sizes[0];

static void every_buffer_of_a_call_has_the_same_outcome_both_ways(void)
{
    for (unsigned i = 0; i < OFFSETS * SIZES; i++) {
        script_reset();
        script.call.params = offsets[i / SIZES];
        script.call.params_bytes = sizes[i % SIZES];
        compare();
        script_reset();
        script.call.result = offsets[i / SIZES];
        script.call.result_bytes_max = sizes[i % SIZES];
        compare();
    }
}

static void every_buffer_of_an_answer_has_the_same_outcome_both_ways(void)
{
    for (unsigned i = 0; i < OFFSETS * SIZES; i++) {
        script_reset();
        script.answer.params = offsets[i / SIZES];
        script.answer.params_bytes = sizes[i % SIZES];
        compare();
        script_reset();
        script.answer.result = offsets[i / SIZES];
        script.answer.result_bytes_max = sizes[i % SIZES];
        compare();
    }
}

static void every_size_against_every_room_has_the_same_outcome_both_ways(void)
{
    for (unsigned i = 0; i < SIZES * SIZES; i++) {
        script_reset();
        script.receive.result_bytes_max = 32 + (sizes[i / SIZES] & 8191);
        script.receive.result_bytes_max =
            script.receive.result_bytes_max > 8192 ? 8192 : script.receive.result_bytes_max;
        script.call.params_bytes = sizes[i % SIZES];
        compare();
        script_reset();
        script.call.result = AREA;
        script.call.result_bytes_max = sizes[i / SIZES];
        script.answer.params = AREA;
        script.answer.params_bytes = sizes[i % SIZES];
        compare();
    }
}

static void every_other_field_has_the_same_outcome_both_ways(void)
{
    for (unsigned bit = 0; bit < 512; bit++) {
        if (bit / 8 >= offsetof(struct capos_sqe, params) && bit / 8 < 64 - 8)
            continue; // the buffers have their own tests
        script_reset();
        ((uint8_t *)&script.call)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        compare();
        script_reset();
        ((uint8_t *)&script.answer)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        compare();
    }
}

// ---- Capabilities -------------------------------------------------------------------

struct gift {
    uint8_t gift, how, mode;
};

static struct gift gifts_sent[CAPOS_TRANSFER_COUNT_MAX];

static void write_descriptors(struct actor *actor, const capos_cap_id *gifts,
                              const struct capos_sqe *sqe)
{
    struct capos_transfer *to =
        (void *)((uint8_t *)actor_ring(actor) + sqe->params + sqe->params_bytes);
    for (unsigned i = 0; i < sqe->transfer_count; i++)
        to[i] = (struct capos_transfer){.cap = gifts[gifts_sent[i].gift],
                                        .how = gifts_sent[i].how,
                                        .receiver_mode = gifts_sent[i].mode};
}

static void client_sends_gifts(void)
{
    write_descriptors(client, client_gifts, &script.call);
}

static void server_sends_gifts(void)
{
    write_descriptors(server, server_gifts, &script.answer);
}

static void fill_table(struct actor *actor)
{
    while (actor->process->caps.free_count > 1)
        (void)actor_give(actor, timer_object());
}

static void client_sends_gifts_to_a_full_table(void)
{
    fill_table(server);
    client_sends_gifts();
}

static void server_sends_gifts_to_a_full_table(void)
{
    fill_table(client);
    server_sends_gifts();
}

static void compare_gifts(uint16_t count)
{
    script_reset();
    script.call.transfer_count = count;
    script.before_call = client_sends_gifts;
    compare();
    script.before_call = client_sends_gifts_to_a_full_table;
    compare();
    script_reset();
    script.answer.transfer_count = count;
    script.before_answer = server_sends_gifts;
    compare();
    script.before_answer = server_sends_gifts_to_a_full_table;
    compare();
}

static void every_capability_has_the_same_outcome_both_ways(void)
{
    for (unsigned i = 0; i < GIFTS * 4 * 4; i++) {
        gifts_sent[0] = (struct gift){
            .gift = (uint8_t)(i / 16), .how = i / 4 % 4, .mode = (uint8_t)(i % 4)};
        for (uint8_t second = 0; second < GIFTS; second++) {
            gifts_sent[1] = (struct gift){.gift = second, .how = CAPOS_TRANSFER_MOVE};
            compare_gifts(second == 0 ? 1 : 2);
        }
    }
}

static void every_number_of_capabilities_has_the_same_outcome_both_ways(void)
{
    memset(gifts_sent, 0, sizeof gifts_sent); // copies
    for (uint16_t count = 0; count <= CAPOS_TRANSFER_COUNT_MAX; count++)
        compare_gifts(count);
    // Against every room for them.
    for (uint32_t room = 0; room < 160; room += 8) {
        script_reset();
        script.call.transfer_count = 3;
        script.receive.result_bytes_max = 32 + room;
        script.before_call = client_sends_gifts;
        compare();
        script_reset();
        script.answer.transfer_count = 3;
        script.call.result_bytes_max = room;
        script.before_answer = server_sends_gifts;
        compare();
    }
}

// ---- Other states -------------------------------------------------------------------

static void client_has_an_unconsumed_completion(void)
{
    actor_push_simple(client, 5, CAPOS_OP_NOP, 0, 0);
    (void)actor_enter(client, 0, 0);
}

static void client_submits_a_nop_first(void)
{
    actor_push_simple(client, 5, CAPOS_OP_NOP, 0, 0);
}

static void push_releases(struct actor *actor, capos_cap_id first, capos_cap_id second)
{
    struct capos_sqe release = {
        .opcode = CAPOS_OP_RELEASE, .flags = CAPOS_SQE_QUIET, .user_data = 9, .cap = first};
    actor_push(actor, &release);
    release.cap = second;
    actor_push(actor, &release);
}

static void client_releases_first(void)
{
    push_releases(client, client_gifts[GIFT_COPY], client_gifts[GIFT_MOVE]);
}

static void client_releases_first_what_it_calls(void)
{
    push_releases(client, client_gifts[GIFT_COPY], object);
}

static void client_releases_first_what_it_has_not(void)
{
    push_releases(client, client_gifts[GIFT_COPY], client_gifts[GIFT_RELEASED]);
}

static void server_releases_first(void)
{
    push_releases(server, server_gifts[GIFT_COPY], server_gifts[GIFT_OBJECT]);
}

static void server_releases_first_what_it_serves(void)
{
    push_releases(server, server_gifts[GIFT_COPY], endpoint);
}

static void server_releases_first_what_it_has_not(void)
{
    push_releases(server, server_gifts[GIFT_RELEASED], server_gifts[GIFT_COPY]);
}

static void client_lies_about_its_completions(void)
{
    actor_ring(client)->cq_head = UINT32_MAX - 3;
}

static void server_lies_about_its_completions(void)
{
    actor_ring(server)->cq_head -= 20;
}

static void client_holds_the_last(void)
{
    struct object *minted = actor_object(client, object);
    CHECK_EQ(minted->hold_count, 2);
}

static void client_queues_another_call(void)
{
    struct actor *other = actor_create("other");
    struct capos_sqe call = call_sqe();
    call.cap = actor_give(other, actor_object(client, object));
    actor_push(other, &call);
    (void)actor_enter(other, 0, 0);
}

static void somebody_releases_another_object(void)
{
    struct actor_call mint = call_of(endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_MINT);
    WITH(&mint, endpoint_mint_params, .interface_id = INTERFACE_STDIO, .word = 78);
    actor_push_call(server, 0, &mint);
    (void)actor_enter(server, 0, 0);
    struct capos_cqe cqe;
    (void)actor_pop(server, &cqe);
    capos_cap_id minted = actor_result_cap(server, 0, &cqe, 0);
    actor_push_simple(server, 1, CAPOS_OP_RELEASE, minted, 0);
    (void)actor_enter(server, 0, 0);
    (void)actor_pop(server, &cqe);
}

static void server_revokes_the_object(void)
{
    struct object *minted = actor_object(client, object);
    struct capos_transfer transfer = {.cap = actor_give(server, minted)};
    struct actor_call call = call_of(endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_REVOKE);
    WITH(&call, endpoint_revoke_params, .object = 0);
    call.transfers = &transfer;
    call.transfer_count = 1;
    actor_push_call(server, 0, &call);
    (void)actor_enter(server, 0, 0);
    struct capos_cqe cqe;
    (void)actor_pop(server, &cqe);
}

static void a_third_thread_is_ready(void)
{
    (void)actor_create("third");
}

static void every_state_has_the_same_outcome_both_ways(void)
{
    static void (*const before_call[])(void) = {
        client_has_an_unconsumed_completion,
        client_submits_a_nop_first,
        client_lies_about_its_completions,
        server_lies_about_its_completions,
        client_holds_the_last,
        a_third_thread_is_ready,
        client_releases_first,
        client_releases_first_what_it_calls,
        client_releases_first_what_it_has_not,
    };
    static void (*const before_answer[])(void) = {
        client_queues_another_call,
        server_releases_first,
        server_releases_first_what_it_serves,
        server_releases_first_what_it_has_not,
        somebody_releases_another_object,
        server_revokes_the_object,
        a_third_thread_is_ready,
    };
    for (unsigned i = 0; i < sizeof before_call / sizeof before_call[0]; i++) {
        script_reset();
        script.before_call = before_call[i];
        compare();
    }
    for (unsigned i = 0; i < sizeof before_answer / sizeof before_answer[0]; i++) {
        script_reset();
        script.before_answer = before_answer[i];
        compare();
    }
}

// ---- Objects of the kernel ----------------------------------------------------------

struct kernel_call {
    const char *what;
    unsigned object; // of the caller's capabilities, in the order of make_caller
    uint64_t interface_id;
    uint16_t method;
    uint32_t params_bytes;
    uint64_t params[4];
};

enum { CALLER_TIMER, CALLER_NOTIFICATION, CALLER_SELF, CALLER_BUDGET, CALLER_CAPS };
static capos_cap_id caller_caps[CALLER_CAPS];

// A message of one struct with `count` words of data and no pointers starts like this.
#define STRUCT_OF(count) ((uint64_t)(count) << 32)

static const struct kernel_call kernel_calls[] = {
    {"now", CALLER_TIMER, INTERFACE_TIMER, 0, 0, {}},
    {"sleep", CALLER_TIMER, INTERFACE_TIMER, 1, 16, {STRUCT_OF(1), 1000}},
    {"sleep not at all", CALLER_TIMER, INTERFACE_TIMER, 1, 16, {STRUCT_OF(1), 0}},
    {"wait", CALLER_NOTIFICATION, INTERFACE_NOTIFICATION, 1, 16, {STRUCT_OF(1), 1}},
    {"wait for nothing", CALLER_NOTIFICATION, INTERFACE_NOTIFICATION, 1, 16, {STRUCT_OF(1)}},
    {"signal", CALLER_NOTIFICATION, INTERFACE_NOTIFICATION, 0, 16, {STRUCT_OF(1), 1}},
    {"no such method", CALLER_NOTIFICATION, INTERFACE_NOTIFICATION, 9, 0, {}},
    {"no such interface", CALLER_NOTIFICATION, INTERFACE_TIMER, 0, 0, {}},
    {"a broken message", CALLER_NOTIFICATION, INTERFACE_NOTIFICATION, 0, 16, {UINT64_MAX, 1}},
    {"a cut message", CALLER_NOTIFICATION, INTERFACE_NOTIFICATION, 0, 8, {STRUCT_OF(1), 1}},
    {"kill itself", CALLER_SELF, INTERFACE_PROCESS_HANDLE, 1, 0, {}},
    {"wait for itself", CALLER_SELF, INTERFACE_PROCESS_HANDLE, 0, 0, {}},
    {"make an object", CALLER_BUDGET, INTERFACE_MEMORY_BUDGET, 4, 0, {}},
    {"make an endpoint", CALLER_BUDGET, INTERFACE_MEMORY_BUDGET, 3, 16, {STRUCT_OF(1), 8}},
    {"make too much",
     CALLER_BUDGET,
     INTERFACE_MEMORY_BUDGET,
     2,
     16,
     {STRUCT_OF(1), UINT64_C(1) << 32}},
};

static void make_caller(void)
{
    client = actor_create("caller");
    caller_caps[CALLER_TIMER] = actor_give(client, timer_object());
    caller_caps[CALLER_NOTIFICATION] =
        actor_give_own(client, notification_create(client->budget), CAPOS_HOLD_COPY);
    caller_caps[CALLER_SELF] = actor_give(client, &client->process->object);
    caller_caps[CALLER_BUDGET] = actor_give(client, &client->budget->object);
    fill_area(client, 55);
}

static void play_kernel_call(const struct kernel_call *kernel_call, const struct capos_sqe *sqe,
                             enum way way, struct view out_views[2])
{
    harness_begin();
    make_caller();
    struct capos_sqe call = *sqe;
    call.cap = caller_caps[kernel_call->object];
    memcpy((uint8_t *)actor_ring(client) + AREA, kernel_call->params,
           sizeof kernel_call->params);
    memset(out_views, 0, 2 * sizeof *out_views);
    out_views[0].returned = submit(client, &call, way);
    if (actor_alive(client))
        look(client, &out_views[0]);
    host_advance_ns(1000);
    if (actor_alive(client))
        look(client, &out_views[1]);
    else
        out_views[1].returned = ACTOR_ENDED;
    CHECK(harness_end());
}

// The time in Timer.now's answer is that of the clock, which goes on between two plays.
static void forget_messages(struct view *view)
{
    memset(view->ring + AREA, 0, CAPOS_RING_MESSAGE_BYTES);
}

static void compare_kernel_call(const struct kernel_call *kernel_call,
                                const struct capos_sqe *sqe)
{
    static struct view views[2][2];
    play_kernel_call(kernel_call, sqe, SHORT_WAY, views[SHORT_WAY]);
    play_kernel_call(kernel_call, sqe, LONG_WAY, views[LONG_WAY]);
    for (unsigned moment = 0; moment < 2; moment++) {
        if (kernel_call->object == CALLER_TIMER)
            forget_messages(&views[SHORT_WAY][moment]),
                forget_messages(&views[LONG_WAY][moment]);
        if (!views_same(kernel_call->what, &views[SHORT_WAY][moment], &views[LONG_WAY][moment]))
            CHECK(!(bool)"the two ways differ");
    }
}

static void calls_on_objects_of_the_kernel_have_the_same_outcome_both_ways(void)
{
    for (unsigned i = 0; i < sizeof kernel_calls / sizeof kernel_calls[0]; i++) {
        struct capos_sqe sqe = call_sqe();
        sqe.method = kernel_calls[i].method;
        sqe.interface_id = kernel_calls[i].interface_id;
        sqe.params_bytes = kernel_calls[i].params_bytes;
        compare_kernel_call(&kernel_calls[i], &sqe);
        struct capos_sqe in_place = sqe; // the results take the place of the params
        in_place.result = in_place.params;
        compare_kernel_call(&kernel_calls[i], &in_place);
        for (unsigned j = 0; j < SIZES; j++) {
            sqe.result_bytes_max = sizes[j];
            compare_kernel_call(&kernel_calls[i], &sqe);
        }
        for (unsigned j = 0; j < OFFSETS; j++) {
            struct capos_sqe other = sqe;
            other.result_bytes_max = 64;
            other.result = offsets[j];
            compare_kernel_call(&kernel_calls[i], &other);
        }
    }
}

// ---- That it is taken at all --------------------------------------------------------

CORE_TEST(a_capability_goes_straight_across_and_back_behind_releases)
{
    script_reset();
    make_world();
    struct capos_sqe receive = receive_sqe(AREA, 4096), call = call_sqe();
    CHECK_EQ(submit(server, &receive, SHORT_WAY), ACTOR_BLOCKED);
    (void)actor_create("third"); // would be next if the way were long
    actor_run(client);
    push_releases(client, client_gifts[GIFT_NONE], actor_give(client, timer_object()));
    gifts_sent[0] = (struct gift){.gift = GIFT_COPY, .how = CAPOS_TRANSFER_MOVE};
    call.transfer_count = 1;
    call.cap = object;
    write_descriptors(client, client_gifts, &call);
    CHECK_EQ(submit(client, &call, SHORT_WAY), ACTOR_BLOCKED);
    CHECK(arch_cpu()->current == actor_thread(server));
    CHECK_EQ(take(server).transfer_count, 1);
    const uint8_t *ring = (const uint8_t *)actor_ring(server);
    const struct capos_recv_header *header = (const void *)(ring + AREA);
    const struct capos_cap_record *record = (const void *)(ring + AREA + sizeof *header + 32);
    CHECK_EQ(record->interface_id, INTERFACE_NOTIFICATION);
    server_gifts[GIFT_COPY] = record->cap;
    struct capos_sqe answer = return_sqe(header->call_id);
    answer.transfer_count = 1;
    write_descriptors(server, server_gifts, &answer);
    CHECK_EQ(submit(server, &answer, SHORT_WAY), ACTOR_BLOCKED);
    CHECK(arch_cpu()->current == actor_thread(client));
    CHECK_EQ(take(client).transfer_count, 1);
}

CORE_TEST(a_call_and_its_answer_go_straight_across)
{
    script_reset();
    make_world();
    struct capos_sqe receive = receive_sqe(AREA, 4096), call = call_sqe();
    CHECK_EQ(submit(server, &receive, SHORT_WAY), ACTOR_BLOCKED);
    struct actor *third = actor_create("third");
    actor_run(client); // the third is ready and waits in the queue
    for (unsigned i = 0; i < 100; i++) {
        CHECK_EQ(submit(client, &call, SHORT_WAY), ACTOR_BLOCKED);
        CHECK(arch_cpu()->current == actor_thread(server));
        CHECK_EQ(take(server).result_bytes, 32);
        const struct capos_recv_header *header =
            (const void *)((uint8_t *)actor_ring(server) + AREA);
        CHECK_EQ(header->word, 77);
        CHECK_EQ(header->method, 3);
        struct capos_sqe answer = return_sqe(header->call_id);
        CHECK_EQ(submit(server, &answer, SHORT_WAY), ACTOR_BLOCKED);
        CHECK(arch_cpu()->current == actor_thread(client));
        CHECK_EQ(take(client).result_bytes, 16);
    }
    CHECK(actor_alive(third));
}

CORE_TEST(two_that_call_each_other_do_not_starve_a_third)
{
    script_reset();
    make_world();
    struct capos_sqe receive = receive_sqe(AREA, 4096), call = call_sqe();
    CHECK_EQ(submit(server, &receive, SHORT_WAY), ACTOR_BLOCKED);
    struct actor *third = actor_create("third");
    uint64_t rounds = 0, start_ns = arch_now_ns();
    struct capos_cqe cqe;
    for (unsigned i = 0; i < 100'000; i++) {
        host_advance_ns(1000);
        if (arch_cpu()->current == actor_thread(client)) {
            while (actor_pop(client, &cqe))
                rounds++;
            (void)submit(client, &call, SHORT_WAY);
        } else if (arch_cpu()->current == actor_thread(server)) {
            CHECK(actor_pop(server, &cqe));
            const uint8_t *ring = (const uint8_t *)actor_ring(server);
            const struct capos_recv_header *header = (const void *)(ring + AREA);
            struct capos_sqe answer = return_sqe(header->call_id);
            (void)submit(server, &answer, SHORT_WAY);
        }
    }
    uint64_t all_ns = arch_now_ns() - start_ns, third_ns = third->process->cpu_time_ns;
    CHECK(third_ns > all_ns / 4);
    CHECK(third_ns < all_ns * 3 / 4);
    CHECK(rounds > 10'000);
}

// Another thread of the process may write into the ring of one that waits.  The wait ends by its
// completion all the same, and says that there is one.
CORE_TEST(lies_about_a_ring_that_waits_do_not_change_the_end_of_the_wait)
{
    static const uint32_t lies[] = {1, 5, 63, 64, 65, UINT32_MAX - 3, UINT32_MAX};
    for (unsigned i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        script_reset();
        make_world();
        struct capos_sqe receive = receive_sqe(AREA, 4096), call = call_sqe();
        CHECK_EQ(submit(server, &receive, SHORT_WAY), ACTOR_BLOCKED);
        actor_run(client);
        CHECK_EQ(submit(client, &call, SHORT_WAY), ACTOR_BLOCKED);
        CHECK_EQ(take(server).result_bytes, 32);
        uint32_t tail = actor_ring(client)->cq_tail;
        actor_ring(client)->cq_head += lies[i];
        const struct capos_recv_header *header =
            (const void *)((uint8_t *)actor_ring(server) + AREA);
        struct capos_sqe answer = return_sqe(header->call_id);
        CHECK_EQ(submit(server, &answer, SHORT_WAY), ACTOR_BLOCKED);
        CHECK_EQ(actor_returned(client), 1);
        CHECK_EQ(actor_ring(client)->cq_tail, tail + 1);
    }
}

CORE_TEST(a_caller_that_is_ready_again_does_not_pay_for_its_server)
{
    script_reset();
    make_world();
    struct capos_sqe receive = receive_sqe(AREA, 4096), call = call_sqe();
    CHECK_EQ(submit(server, &receive, SHORT_WAY), ACTOR_BLOCKED);
    actor_run(client);
    CHECK_EQ(submit(client, &call, SHORT_WAY), ACTOR_BLOCKED);
    CHECK_EQ(take(server).result_bytes, 32);
    host_advance_ns(1000); // on the caller's time
    const struct capos_recv_header *header =
        (const void *)((uint8_t *)actor_ring(server) + AREA);
    struct capos_sqe answer = return_sqe(header->call_id);
    answer.opcode = CAPOS_OP_RETURN;
    answer.flags = CAPOS_SQE_PARAMS_IN_RING;
    actor_push(server, &answer);
    uint64_t client_ns = client->process->cpu_time_ns, server_ns = server->process->cpu_time_ns;
    CHECK_EQ(actor_enter(server, 0, 0), 1); // the server goes on, the caller is ready
    host_advance_ns(5000);
    actor_exit(server, 0);
    CHECK_EQ(client->process->cpu_time_ns - client_ns, 1000);
    CHECK_EQ(server->process->cpu_time_ns - server_ns, 5000);
}

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(a_call_and_its_answer_go_straight_across);
    RUN(two_that_call_each_other_do_not_starve_a_third);
    RUN(a_caller_that_is_ready_again_does_not_pay_for_its_server);
    RUN(lies_about_a_ring_that_waits_do_not_change_the_end_of_the_wait);
    RUN(every_buffer_of_a_call_has_the_same_outcome_both_ways);
    RUN(every_buffer_of_an_answer_has_the_same_outcome_both_ways);
    RUN(every_size_against_every_room_has_the_same_outcome_both_ways);
    RUN(every_other_field_has_the_same_outcome_both_ways);
    RUN(a_capability_goes_straight_across_and_back_behind_releases);
    RUN(every_capability_has_the_same_outcome_both_ways);
    RUN(every_number_of_capabilities_has_the_same_outcome_both_ways);
    RUN(every_state_has_the_same_outcome_both_ways);
    RUN(calls_on_objects_of_the_kernel_have_the_same_outcome_both_ways);
    return test_report();
}
