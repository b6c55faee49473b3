// SPDX-License-Identifier: MIT
// Fuzzes the whole kernel core with what user code can do: three processes that hold every
// kind of capability submit operations, right and wrong, corrupt their rings, wait, exit,
// are killed, while time goes by and interrupts come.
//
// An input is a program for them: a byte chooses a step, further bytes its operands; most
// operands are indices into tables of values that are nearly right, because a random
// 64-bit number hardly ever is.  Behind the input the program goes on with pseudo-random
// bytes, so that a short run already sees long programs.  After each input everything is
// torn down and every frame, charge and process must be back.
#include <kernel/arch/host/harness.h>
#include <kernel/arch/host/invariants.h>

#include <gen/descriptor.h>
#include <gen/interfaces.h>
#include <gen/wire/endpoint.h>
#include <gen/wire/interrupt.h>
#include <gen/wire/memory_budget.h>
#include <gen/wire/memory_object.h>
#include <gen/wire/process.h>
#include <kernel/object/objects.h>
#include <kernel/sched/cpu.h>
#include <kernel/upcall.h>
#include <lib/descriptor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What a fuzzer learns from is the core, not this file.
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

constexpr uint32_t CPUS = 2;
constexpr unsigned ACTORS = 3;
constexpr uint64_t CHILD_MEMORY = 0x10000000; // of the child that is there at the start
constexpr unsigned STEPS_MAX = 400;           // of which at most
constexpr unsigned STEPS_BEHIND_INPUT = 100;

constexpr unsigned CHILDREN_MAX = 16;
static struct actor *actors[ACTORS];
static struct actor *children[CHILDREN_MAX]; // threads that they started, of any process

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz_sqe: %s\n", what);
    abort();
}

// ---- The input ----------------------------------------------------------------------

static const uint8_t *input;
static size_t input_left;
static uint64_t random_state;

static uint8_t next_byte(void)
{
    if (input_left == 0) { // Knuth's MMIX generator
        random_state = random_state * 6364136223846793005u + 1442695040888963407u;
        return (uint8_t)(random_state >> 56);
    }
    input_left--;
    return *input++;
}

static uint64_t next_word(void)
{
    uint64_t word = 0;
    for (unsigned i = 0; i < 8; i++)
        word |= (uint64_t)next_byte() << (8 * i);
    return word;
}

// A number that some method returned: the address of a mapping, a size.
static uint64_t told_number(const struct actor *actor)
{
    uint64_t words[4] = {}; // a message: the root pointer, then the results
    unsigned slot = next_byte() % ACTOR_SLOTS;
    enum status status = space_copy_in(&actor->process->space, words,
                                       actor_result_address(actor, slot), sizeof words);
    return status == STATUS_OK ? words[1 + next_byte() % 3] : 0;
}

// A number of the kind that methods take.
static uint64_t next_number(const struct actor *actor)
{
    static const uint64_t numbers[] = {
        0,
        1,
        2,
        3,
        7,
        8,
        16,
        63,
        64,
        4095,
        4096,
        8192,
        12288,
        65536,
        1 << 20,
        2 << 20,
        UINT64_C(1) << 30,
        UINT64_C(1) << 40,
        USER_ADDRESS_END,
        USER_ADDRESS_END - 4096,
        INT64_MAX,
        UINT64_MAX,
        UINT64_MAX - 4095,
        1000,
        1'000'000,
        INTERFACE_STDIO,
        INTERFACE_TIMER,
        0x0000000100000001,
        0x0003000000000001,
        0x100000,
    };
    constexpr unsigned count = sizeof numbers / sizeof numbers[0];
    uint8_t choice = next_byte();
    if (choice < count)
        return numbers[choice];
    if (choice < 96)
        return actor->memory + (choice - count) * UINT64_C(4096);
    if (choice < 128)
        return actor->memory + next_byte() * UINT64_C(16);
    if (choice < 144)
        return next_word();
    if (choice < 200)
        return told_number(actor);
    return choice - 200u;
}

// An id of the actor's table: usually that of a live slot.
static capos_cap_id next_cap(const struct actor *actor)
{
    uint8_t choice = next_byte();
    const struct cap_table *table = &actor->process->caps;
    if (choice >= 250 || table->slot_count == 0)
        return next_word();
    uint32_t index = choice % 40u % table->slot_count;
    return (uint64_t)cap_table_slot(table, index)->generation << 32 | index;
}

// ---- Methods ------------------------------------------------------------------------

// Methods as they are rightly called, from the schema: all of the kernel's interfaces, and a
// few of objects that the actors mint themselves.
struct method {
    uint64_t interface_id;
    uint16_t ordinal;
    struct descriptor_struct params; // data_words, fields
};

constexpr unsigned METHODS_MAX = 256;
static struct descriptor schema;
static struct method methods[METHODS_MAX];
static unsigned method_count;

static void add_method(uint64_t interface_id, uint16_t ordinal,
                       const struct descriptor_struct *params)
{
    require(method_count < METHODS_MAX, "METHODS_MAX is too small");
    methods[method_count++] = (struct method){interface_id, ordinal, *params};
}

static void add_interface(const struct descriptor_interface *interface)
{
    for (uint32_t i = 0; i < interface->method_count; i++) {
        struct descriptor_method method;
        struct descriptor_struct params;
        require(descriptor_method_at(&schema, interface, i, &method) &&
                    descriptor_struct_at(&schema, method.params, &params),
                "the schema has its methods");
        add_method(interface->id, method.ordinal, &params);
    }
}

static void add_methods(void)
{
    struct descriptor_interface interface;
    struct descriptor_struct endpoint_revoke;
    uint32_t index;
    require(descriptor_open(descriptor_blob, sizeof descriptor_blob, &schema) == STATUS_OK,
            "the schema is well-formed");
    for (uint32_t i = 0; descriptor_interface_at(&schema, i, &interface); i++)
        if (interface.kernel_homed)
            add_interface(&interface);
    // The actors serve StdIO.  A message with a capability is one like another.
    static const char revoke[] = "Endpoint.RevokeParams";
    require(descriptor_struct_by_name(&schema, revoke, sizeof revoke - 1, &index) &&
                descriptor_struct_at(&schema, index, &endpoint_revoke),
            "there is Endpoint.revoke");
    for (unsigned i = 0; i < 6; i++)
        add_method(INTERFACE_STDIO, (uint16_t)i, &endpoint_revoke);
}

// Some capability of an interface that the actor holds; an arbitrary one if there is none.
static capos_cap_id next_cap_of(const struct actor *actor, uint64_t interface_id)
{
    const struct cap_table *table = &actor->process->caps;
    capos_cap_id found = 0;
    unsigned skip = next_byte() & 7;
    for (uint32_t i = 0; i < table->slot_count && i < 200 && interface_id != 0; i++) {
        const struct cap_slot *slot = cap_table_slot(table, i);
        if (slot->object == nullptr || slot->interface_id != interface_id)
            continue;
        found = (uint64_t)slot->generation << 32 | i;
        if (skip-- == 0)
            break;
    }
    return found != 0 ? found : next_cap(actor);
}

// ---- Messages -----------------------------------------------------------------------

constexpr unsigned MESSAGE_WORDS_MAX = 64;

struct message {
    uint64_t words[MESSAGE_WORDS_MAX + 8]; // and up to four transfers
    unsigned count;
    unsigned transfer_count;
};

static void add_transfer(const struct actor *actor, struct message *message, capos_cap_id cap,
                         struct capos_transfer transfers[4])
{
    if (message->transfer_count == 4)
        return;
    uint8_t how = next_byte();
    transfers[message->transfer_count++] = (struct capos_transfer){
        .cap = cap,
        .how = how >= 252   ? 3
               : how >= 240 ? 2
                            : how & 1,
        .receiver_mode = how >> 1 & 1 ? CAPOS_HOLD_COPY : how >> 2 & 3,
    };
    (void)actor;
}

// A value that the field's type allows, and mostly one that makes sense there.
static uint64_t next_value(const struct actor *actor, const struct descriptor_field *field)
{
    struct descriptor_enum type;
    if (field->kind == DESCRIPTOR_BOOL)
        return next_byte() & 1;
    if (field->kind == DESCRIPTOR_ENUM && descriptor_enum_at(&schema, field->type, &type))
        return next_byte() % (type.count + (next_byte() == 0));
    if (strcmp(field->unit, "bytes") == 0 && next_byte() < 160)
        return (next_byte() & 7) * PAGE_BYTES;
    return next_number(actor);
}

static void put_bits(uint64_t *words, uint32_t offset_bits, uint32_t width_bits, uint64_t value)
{
    uint64_t mask = width_bits == 64 ? UINT64_MAX : (UINT64_C(1) << width_bits) - 1;
    uint64_t *word = &words[offset_bits / 64];
    *word &= ~(mask << offset_bits % 64);
    *word |= (value & mask) << offset_bits % 64;
}

static const char *const texts[] = {"init", "sample", "timer", "a", "", "budget", "endpoint"};
constexpr unsigned TEXT_WORDS = 2;

// The params of a method, laid out by hand: the struct, then its texts.
static void make_params(const struct actor *actor, const struct method *method,
                        struct message *message)
{
    struct capos_transfer transfers[4] = {};
    const struct descriptor_struct *params = &method->params;
    struct descriptor_field field;
    uint64_t *words = message->words, *pointers = words + 1 + params->data_words;
    unsigned end = 1u + params->data_words + params->pointer_count;
    words[0] = (uint64_t)params->data_words << 32 | (uint64_t)params->pointer_count << 48;
    for (uint32_t i = 0; descriptor_field_at(&schema, params, i, &field); i++) {
        uint32_t width_bits = descriptor_kind_bits(field.kind);
        if (width_bits > 0) {
            put_bits(words + 1, field.offset, width_bits, next_value(actor, &field));
        } else if (field.kind == DESCRIPTOR_CAPABILITY) {
            pointers[field.offset] = 3 | (uint64_t)message->transfer_count << 32;
            add_transfer(actor, message, next_cap_of(actor, field.interface_id), transfers);
        } else if (field.kind == DESCRIPTOR_TEXT || field.kind == DESCRIPTOR_DATA) {
            const char *text = texts[next_byte() % (sizeof texts / sizeof texts[0])];
            uint64_t *pointer = &pointers[field.offset];
            *pointer = 1 | (uint64_t)(&words[end] - pointer - 1) << 2 | (uint64_t)2 << 32 |
                       (uint64_t)(strlen(text) + 1) << 35;
            memcpy(&words[end], text, strlen(text) + 1);
            end += TEXT_WORDS;
        }
    }
    message->count = end;
    memcpy(&words[end], transfers, sizeof transfers);
}

// Any words, and any transfers.
static void make_noise(const struct actor *actor, struct message *message)
{
    struct capos_transfer transfers[4] = {};
    message->count = next_byte() & 15;
    for (unsigned i = 0; i < message->count; i++)
        message->words[i] = next_byte() & 1 ? next_word() : next_number(actor);
    for (unsigned i = next_byte() & 3; i > 0; i--)
        add_transfer(actor, message, next_cap(actor), transfers);
    memcpy(&message->words[message->count], transfers, sizeof transfers);
}

// Breaks one bit of a good message now and then.
static void spoil(struct message *message)
{
    uint8_t choice = next_byte();
    if (choice < 240 || message->count == 0)
        return;
    message->words[next_byte() % message->count] ^= UINT64_C(1) << (next_byte() & 63);
}

// Memory that the actor may have unmapped itself.
static void try_write(struct actor *actor, uint64_t address, const void *from, uint64_t size)
{
    enum status status = space_copy_out(&actor->process->space, address, from, size);
    (void)status;
}

// Writes params and transfers into a slot of memory, or of the ring.
static void put_params(struct actor *actor, struct capos_sqe *sqe, unsigned slot,
                       const struct message *message)
{
    sqe->params_bytes = message->count * 8;
    sqe->transfer_count = (uint16_t)message->transfer_count;
    unsigned bytes = sqe->params_bytes + sqe->transfer_count * 16u;
    uint8_t place = next_byte();
    if (place < 64) {
        sqe->flags |= CAPOS_SQE_PARAMS_IN_RING;
        sqe->params = CAPOS_RING_MESSAGE_OFFSET + slot * 128u;
        memcpy((uint8_t *)actor_ring(actor) + sqe->params, message->words, bytes);
    } else if (place < 250) {
        sqe->params = actor_params_address(actor, slot);
        try_write(actor, sqe->params, message->words, bytes);
    } else {
        sqe->params = next_number(actor);
    }
}

static void put_result(struct actor *actor, struct capos_sqe *sqe, unsigned slot)
{
    uint8_t place = next_byte();
    sqe->result_bytes_max = ACTOR_RESULT_BYTES;
    if (place < 64) {
        sqe->flags |= CAPOS_SQE_RESULT_IN_RING;
        sqe->result = CAPOS_RING_MESSAGE_OFFSET + slot * 128u;
    } else if (place < 240) {
        sqe->result = actor_result_address(actor, slot);
    } else {
        sqe->result = next_number(actor);
        sqe->result_bytes_max = (uint32_t)next_number(actor);
    }
}

// The id of a call that the actor received in some slot, if it did.
static uint64_t next_call_id(struct actor *actor)
{
    uint64_t call_id = 0;
    unsigned slot = next_byte() % ACTOR_SLOTS;
    enum status status = space_copy_in(&actor->process->space, &call_id,
                                       actor_result_address(actor, slot), sizeof call_id);
    return status == STATUS_OK ? call_id : 0;
}

// An id that looks like one in the actor's ring, where its calls are received too.
static uint64_t some_call_id(struct actor *actor)
{
    const uint8_t *ring = (const uint8_t *)actor_ring(actor);
    struct capos_recv_header header;
    unsigned skip = next_byte() & 3;
    uint64_t call_id = 0;
    for (unsigned at = CAPOS_RING_MESSAGE_OFFSET; at < CAPOS_RING_BYTES - 32; at += 32) {
        memcpy(&header, ring + at, sizeof header);
        if (header.interface_id != INTERFACE_STDIO || header.call_id == 0)
            continue;
        call_id = header.call_id;
        if (skip-- == 0)
            break;
    }
    return call_id;
}

// Makes a submission part of a chain now and then.  Names are slots, so that they meet.
static void add_flags(struct capos_sqe *sqe)
{
    uint8_t choice = next_byte();
    if (choice < 160)
        return;
    if (sqe->opcode == CAPOS_OP_RECV && (choice & 6) != 0) {
        sqe->flags |= CAPOS_SQE_MULTISHOT;
        sqe->method = choice & 7;
        sqe->result_bytes_max = 256;
        sqe->user_data = 50;
    }
    if (sqe->opcode == CAPOS_OP_RETURN_RECV && (choice & 6) != 0) {
        sqe->flags = (sqe->flags & ~CAPOS_SQE_RESULT_IN_RING) | CAPOS_SQE_MULTISHOT;
        sqe->result = 50;
        sqe->result_bytes_max = next_byte() & 7;
        if ((choice & 8) != 0)
            *sqe = (struct capos_sqe){.opcode = CAPOS_OP_RETURN_RECV,
                                      .flags = CAPOS_SQE_MULTISHOT,
                                      .cap = sqe->cap,
                                      .result = 50,
                                      .result_bytes_max = sqe->result_bytes_max};
        return;
    }
    if ((choice & 1) != 0)
        sqe->flags |= CAPOS_SQE_LINK;
    if (sqe->opcode != CAPOS_OP_CALL) {
        if ((choice & 2) != 0 && sqe->opcode != CAPOS_OP_RECV &&
            sqe->opcode != CAPOS_OP_RETURN_RECV)
            sqe->flags |= CAPOS_SQE_QUIET;
        return;
    }
    if ((choice & 2) != 0)
        sqe->flags |= CAPOS_SQE_PROMISE;
    if ((choice & 4) != 0) {
        sqe->flags |= CAPOS_SQE_PIPELINE;
        sqe->cap = next_byte() % 8;
        sqe->result_index = choice >= 248 ? next_byte() & 3 : 0;
    }
}

// ---- Steps --------------------------------------------------------------------------

static void step_call(struct actor *actor, unsigned slot)
{
    static struct message message;
    message = (struct message){};
    const struct method *method = &methods[next_byte() % method_count];
    struct capos_sqe sqe = {
        .opcode = CAPOS_OP_CALL,
        .method = method->ordinal,
        .user_data = slot,
        .interface_id = method->interface_id,
        .cap = next_cap_of(actor, method->interface_id),
    };
    uint8_t wrong = next_byte();
    if (wrong >= 248) {
        sqe.method = wrong & 7;
        sqe.interface_id = methods[next_byte() % method_count].interface_id;
        make_noise(actor, &message);
    } else {
        make_params(actor, method, &message);
        spoil(&message);
    }
    put_params(actor, &sqe, slot, &message);
    put_result(actor, &sqe, slot);
    add_flags(&sqe);
    actor_push(actor, &sqe);
}

// One of a few words, which the threads of a process share: zero, unless something else was
// written there.
static uint64_t next_park_word(const struct actor *actor)
{
    uint8_t choice = next_byte();
    if (choice >= 240)
        return next_number(actor);
    return actor->memory + ACTOR_MEMORY_BYTES - 64 + (choice & 3) * 8u;
}

static void park_fields(const struct actor *actor, struct capos_sqe *sqe)
{
    sqe->cap = next_cap_of(actor, INTERFACE_PARK_SPACE);
    sqe->params = next_park_word(actor);
    if ((next_byte() & 3) == 0) {
        sqe->result = next_park_word(actor);
        sqe->result_bytes_max = next_byte() & 3;
    }
    if (sqe->opcode == CAPOS_OP_UNPARK) {
        sqe->params_bytes = next_byte() & 3;
        return;
    }
    uint8_t choice = next_byte();
    sqe->method = choice & 3;
    sqe->expected = choice >= 240 ? next_number(actor) : 0;
    sqe->timeout_ns = choice & 4 ? CAPOS_FOREVER : choice & 8 ? next_number(actor) : 0;
}

// For an operation of which nothing is known here: what such fields mostly are.
static void any_fields(const struct actor *actor, struct capos_sqe *sqe)
{
    if (next_byte() < 64) // as it is defined for most
        return;
    sqe->flags = next_byte();
    sqe->cap = next_cap(actor);
    sqe->call_id = next_byte() & 1 ? next_byte() % ACTOR_SLOTS : next_number(actor);
    sqe->params = next_number(actor);
    sqe->params_bytes = (uint32_t)next_number(actor);
    sqe->result = next_number(actor);
    sqe->result_bytes_max = (uint32_t)next_number(actor);
}

static void step_other(struct actor *actor, unsigned slot)
{
    static struct message message;
    message = (struct message){};
    // RECV twice as often; also those that only a later ABI knows.
    uint8_t opcode = next_byte() % (CAPOS_OP_COUNT + 2);
    if (opcode == CAPOS_OP_COUNT + 1)
        opcode = CAPOS_OP_RECV;
    struct capos_sqe sqe = {.opcode = opcode, .user_data = slot};
    bool returns = sqe.opcode == CAPOS_OP_RETURN || sqe.opcode == CAPOS_OP_RETURN_RECV;
    bool receives = sqe.opcode == CAPOS_OP_RECV || sqe.opcode == CAPOS_OP_RETURN_RECV;
    if (returns) {
        make_noise(actor, &message);
        sqe.call_id = next_call_id(actor);
        sqe.method = next_byte() & 7;
        if (sqe.method > STATUS_INVALID_ARGUMENT)
            sqe.method = 0;
        if (sqe.method != 0)
            sqe.flags |= CAPOS_SQE_EXCEPTION;
        put_params(actor, &sqe, slot, &message);
    }
    if (receives)
        put_result(actor, &sqe, slot);
    if (returns || receives)
        sqe.cap = next_cap_of(actor, INTERFACE_ENDPOINT);
    else if (sqe.opcode == CAPOS_OP_RELEASE)
        sqe.cap = next_cap(actor);
    else if (sqe.opcode == CAPOS_OP_CANCEL)
        sqe.call_id = next_byte() % (ACTOR_SLOTS + 20u);
    else if (sqe.opcode == CAPOS_OP_FINISH)
        sqe.call_id = next_byte() % 8, sqe.method = next_byte() & 1;
    else if (sqe.opcode == CAPOS_OP_PARK || sqe.opcode == CAPOS_OP_UNPARK)
        park_fields(actor, &sqe);
    else
        any_fields(actor, &sqe);
    add_flags(&sqe);
    actor_push(actor, &sqe);
}

static bool can_run(const struct actor *actor)
{
    return actor_alive(actor) && actor_thread(actor)->state != THREAD_WAITING;
}

static void step_enter(struct actor *actor)
{
    uint8_t how = next_byte();
    uint64_t min_complete = how < 128 ? 0 : how < 250 ? how & 3 : next_number(actor);
    uint64_t timeout_ns = how & 4 ? CAPOS_FOREVER : how & 8 ? next_number(actor) : 0;
    (void)actor_enter(actor, min_complete, timeout_ns);
}

static void step_corrupt(struct actor *actor)
{
    struct capos_ring_header *header = actor_ring(actor);
    uint32_t value = (uint32_t)next_number(actor);
    switch (next_byte() % 4) {
    case 0:
        header->sq_tail = value;
        break;
    case 1:
        header->cq_head = value;
        break;
    case 2:
        header->sq_head = value;
        break;
    default:
        header->cq_tail = value;
        break;
    }
}

// User code that noticed its mistake: indices as the kernel has them.
static void step_repair(struct actor *actor)
{
    const struct ring *ring = &actor_thread(actor)->ring;
    struct capos_ring_header *header = actor_ring(actor);
    header->sq_tail = actor->sq_tail = ring->sq_head;
    header->cq_head = actor->cq_head = ring->cq_tail;
}

// What was taken from the limit of each actor's budget, which may give some back meanwhile.
static uint64_t squeezed_bytes[ACTORS];

static uint64_t *squeezed_bytes_of(const struct actor *actor)
{
    unsigned i = 0;
    while (actors[i] != actor)
        i++;
    return &squeezed_bytes[i];
}

static void relax(struct actor *actor)
{
    actor->budget->limit_bytes += *squeezed_bytes_of(actor);
    *squeezed_bytes_of(actor) = 0;
}

// Takes away what is left of the actor's memory, but for a few pages, or gives it back.
static void step_squeeze(struct actor *actor)
{
    uint8_t pages = next_byte() & 15;
    struct budget *budget = actor->budget;
    relax(actor);
    uint64_t limit_bytes = budget->used_bytes + pages * PAGE_BYTES;
    if (pages < 12 && limit_bytes < budget->limit_bytes) {
        *squeezed_bytes_of(actor) = budget->limit_bytes - limit_bytes;
        budget->limit_bytes = limit_bytes;
    }
}

// An offset and a size of the message area, mostly.
static uint64_t next_offset(void)
{
    uint8_t choice = next_byte();
    return choice >= 252 ? next_word() : CAPOS_RING_MESSAGE_OFFSET + (choice & 127) * 32u;
}

static uint32_t next_size(void)
{
    uint8_t choice = next_byte();
    return choice >= 252 ? (uint32_t)next_word() : (choice & 63) * 8u;
}

// One operation with its messages in the ring, and a wait for it: what clients and servers
// do nearly always, and what kernel/ipc/handover.c makes short.
static void step_round_trip(struct actor *actor)
{
    struct capos_cqe cqe;
    uint64_t call_id = next_call_id(actor);
    step_repair(actor);
    (void)actor_pop(actor, &cqe);
    uint8_t choice = next_byte() & 3;
    struct capos_sqe sqe = {
        .opcode = choice == 0   ? CAPOS_OP_RECV
                  : choice == 1 ? CAPOS_OP_RETURN_RECV
                                : CAPOS_OP_CALL,
        .flags = CAPOS_SQE_RESULT_IN_RING,
        .user_data = next_byte() % ACTOR_SLOTS,
        .result = next_offset(),
        .result_bytes_max = next_size(),
    };
    if (sqe.opcode == CAPOS_OP_CALL) {
        sqe.interface_id = INTERFACE_STDIO;
        sqe.cap = next_cap_of(actor, INTERFACE_STDIO);
    } else {
        sqe.cap = next_cap_of(actor, INTERFACE_ENDPOINT);
    }
    if (sqe.opcode != CAPOS_OP_RECV) {
        sqe.flags |= CAPOS_SQE_PARAMS_IN_RING;
        sqe.params = next_offset();
        sqe.params_bytes = next_size();
    }
    if (sqe.opcode == CAPOS_OP_RETURN_RECV)
        sqe.call_id = next_byte() & 1 ? call_id : some_call_id(actor);
    actor_push(actor, &sqe);
    (void)actor_enter(actor, 1, CAPOS_FOREVER);
}

static void step(struct actor *actor)
{
    uint8_t choice = next_byte();
    struct capos_cqe cqe;
    if (choice < 80)
        step_call(actor, choice % 8 == 0 ? choice % ACTOR_SLOTS : choice % 8);
    else if (choice < 112)
        step_other(actor, choice % ACTOR_SLOTS);
    else if (choice < 176)
        step_enter(actor);
    else if (choice < 200)
        while (actor_pop(actor, &cqe) && actor->cq_head % CAPOS_CQ_ENTRIES != 0)
            ;
    else if (choice < 208)
        step_corrupt(actor);
    else if (choice < 220)
        step_repair(actor);
    else if (choice < 230)
        (void)actor_touch(actor, next_number(actor), next_byte() & 1);
    else if (choice < 233)
        actor_exit(actor, next_byte());
    else if (choice < 238)
        step_squeeze(actor);
    else
        step_round_trip(actor);
}

// The actor whose process it is; nullptr for init and for what others built.
static const struct actor *actor_of(const struct process *process)
{
    for (unsigned i = 0; i < ACTORS; i++)
        if (process == actors[i]->process)
            return actors[i];
    return nullptr;
}

// A thread that none of the three is: of a child, or a further one of their own processes.
static bool is_child(const struct thread *thread)
{
    const struct actor *actor = actor_of(thread->process);
    return thread->process != harness_init() && thread->process->state == PROCESS_ALIVE &&
           (actor == nullptr || actor->thread_id != thread->id);
}

// The actor of a thread; nullptr if there are too many.
static struct actor *child_adopt(struct thread *thread)
{
    const struct actor *actor = actor_of(thread->process);
    unsigned free = CHILDREN_MAX;
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        if (children[i] != nullptr && !actor_alive(children[i])) {
            actor_drop(children[i]); // else nobody would be the last to let go of it
            children[i] = nullptr;
        }
        if (children[i] == nullptr)
            free = i;
        else if (actor_thread(children[i]) == thread)
            return children[i];
    }
    if (free == CHILDREN_MAX)
        return nullptr;
    children[free] =
        actor_adopt(thread->process, actor == nullptr ? CHILD_MEMORY : actor->memory);
    children[free]->thread_id = thread->id;
    return children[free];
}

static struct actor *some_child(void)
{
    struct thread *found = nullptr;
    unsigned skip = next_byte() & 3;
    for (struct list_link *link = list_first(&process_all); link != nullptr;
         link = list_next(&process_all, link)) {
        struct process *process = container_of(link, struct process, all_link);
        LIST_FOR_EACH(thread, &process->threads, struct thread, process_link)
        {
            if (is_child(thread) && (found == nullptr || skip-- > 0))
                found = thread;
        }
    }
    return found == nullptr ? nullptr : child_adopt(found);
}

// A child does something with what it was granted; it may have memory at CHILD_MEMORY.
static void step_child(void)
{
    struct actor *child = some_child();
    if (child == nullptr || !can_run(child))
        return;
    if (next_byte() < 64)
        step_repair(child);
    for (unsigned i = next_byte() & 3; i > 0 && can_run(child); i--) {
        if (next_byte() < 192)
            step_call(child, i);
        else
            step_other(child, i);
    }
    if (can_run(child))
        step_enter(child);
}

static void step_world(void)
{
    uint8_t choice = next_byte();
    if (choice < 32)
        host_cpu_use(choice % CPUS);
    else if (choice < 64)
        host_deliver_kicks();
    else if (choice < 128)
        host_advance_ns((uint64_t)choice * choice * 1000);
    else if (choice < 200)
        host_irq_raise(choice % HOST_IRQ_COUNT);
    else
        host_irq_deliver();
}

// ---- One input ----------------------------------------------------------------------

static void give(struct actor *actor, const char *root)
{
    (void)actor_give(actor, harness_root(root));
}

constexpr uint32_t PARAMS_BYTES = 256;

// Calls a method with params that its codec wrote, and `lent` beside them; returns the first
// capability of its results, or 0.
static capos_cap_id call(struct actor *actor, capos_cap_id cap, uint64_t interface_id,
                         uint16_t method, const uint8_t *params, uint32_t params_bytes,
                         const capos_cap_id *lent, unsigned lent_count)
{
    struct capos_transfer transfers[4] = {};
    for (unsigned i = 0; i < lent_count; i++)
        transfers[i].cap = lent[i];
    struct actor_call call = {
        .cap = cap,
        .interface_id = interface_id,
        .method = method,
        .transfer_count = (uint16_t)lent_count,
        .params_bytes = params_bytes,
        .params = params,
        .transfers = transfers,
    };
    struct capos_cqe cqe = actor_call(actor, &call);
    require(cqe.result >= 0, "a call that makes the world succeeds");
    return cqe.transfer_count > 0 ? actor_result_cap(actor, 0, &cqe, 0) : 0;
}

// The prefix is that of the params struct, as in timer_sleep_params.
#define MAKE(actor, cap, interface, method, lent, lent_count, prefix, ...)                  \
    ({                                                                                      \
        alignas(8) uint8_t params_[PARAMS_BYTES];                                           \
        uint32_t bytes_ =                                                                   \
            prefix##_encode(&(struct prefix){__VA_ARGS__}, params_, sizeof params_);        \
        call((actor), (cap), (interface), (method), params_, bytes_, (lent), (lent_count)); \
    })

static void give_minted(struct actor *actor, capos_cap_id endpoint, uint64_t word)
{
    capos_cap_id minted =
        MAKE(actors[0], endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_MINT, nullptr, 0,
             endpoint_mint_params, .interface_id = INTERFACE_STDIO, .word = word);
    (void)actor_give(actor, actor_object(actors[0], minted));
    (void)actor_release(actors[0], minted);
}

// A memory object, a view of it, a part of the budget, an interrupt.
static void make_objects(struct actor *actor, capos_cap_id budget, uint32_t line)
{
    capos_cap_id controller = actor_give(actor, harness_root("interrupts"));
    capos_cap_id object =
        MAKE(actor, budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_CREATE_MEMORY_OBJECT,
             nullptr, 0, memory_budget_create_memory_object_params,
             .size_bytes = line == 1 ? 2 << 20 : 5 * PAGE_BYTES);
    (void)MAKE(actor, object, INTERFACE_MEMORY_OBJECT, MEMORY_OBJECT_METHOD_VIEW, nullptr, 0,
               memory_object_view_params, .offset_bytes = PAGE_BYTES,
               .size_bytes = 2 * PAGE_BYTES, .writable = true);
    (void)MAKE(actor, budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_SPLIT, nullptr, 0,
               memory_budget_split_params, .size_bytes = 16 * PAGE_BYTES);
    (void)MAKE(actor, controller, INTERFACE_INTERRUPT_CONTROLLER,
               INTERRUPT_CONTROLLER_METHOD_BIND, nullptr, 0, interrupt_controller_bind_params,
               .line = line);
}

// A child that is recorded and can be started.
static void make_builder(struct actor *actor, capos_cap_id budget, capos_cap_id notification)
{
    capos_cap_id spawner = actor_give(actor, harness_root("spawner"));
    capos_cap_id timer = actor_give(actor, harness_root("timer"));
    capos_cap_id builder =
        MAKE(actor, spawner, INTERFACE_PROCESS_SPAWNER, PROCESS_SPAWNER_METHOD_CREATE, &budget,
             1, process_spawner_create_params, .name = {"child", 5}, .budget = 0);
    (void)MAKE(actor, builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_COMMIT,
               nullptr, 0, process_builder_commit_params, .address = CHILD_MEMORY,
               .length_bytes = ACTOR_MEMORY_BYTES, .protection = PROTECTION_READ_WRITE);
    const capos_cap_id trace[] = {
        MAKE(actor, budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_CREATE_MEMORY_OBJECT,
             nullptr, 0, memory_budget_create_memory_object_params,
             .size_bytes = 3 * PAGE_BYTES),
        notification,
    };
    (void)MAKE(actor, builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_TRACE, trace,
               2, process_builder_trace_params, .buffer = 0, .notification = 1, .bits = 1,
               .capture_bytes = 64);
    const capos_cap_id grants[] = {budget, timer};
    for (unsigned i = 0; i < 2; i++)
        (void)MAKE(actor, builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_GRANT,
                   &grants[i], 1, process_builder_grant_params,
                   .name = {i == 0 ? "budget" : "timer", i == 0 ? 6 : 5}, .capability = 0);
    (void)MAKE(actor, builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_START, nullptr,
               0, process_builder_start_params, .entry = CHILD_MEMORY,
               .stack_pointer = CHILD_MEMORY);
}

static void make_world(void)
{
    static const char *const names[ACTORS] = {"zero", "one", "two"};
    capos_cap_id budgets[ACTORS], notified = 0;
    for (unsigned i = 0; i < ACTORS; i++) {
        actors[i] = actor_create(names[i]);
        budgets[i] = actor_give(actors[i], &actors[i]->budget->object);
        give(actors[i], "timer");
        give(actors[i], "memory");
        give(actors[i], "spawner");
        give(actors[i], "threads");
        give(actors[i], "thread");
        give(actors[i], "park");
    }
    static const char *const roots[] = {"console", "entropy", "interrupts",
                                        "boot",    "devices", "dma",
                                        "ports",   "forker",  "inspector"};
    for (unsigned i = 0; i < sizeof roots / sizeof roots[0]; i++)
        give(actors[i % ACTORS], roots[i]);
    struct object *endpoint = endpoint_create(actors[0]->budget, 3);
    struct object *notification = notification_create(actors[0]->budget);
    (void)actor_give(actors[1], &actors[0]->process->object);
    (void)actor_give(actors[1], endpoint);
    notified = actor_give(actors[2], notification);
    capos_cap_id served = actor_give_own(actors[0], endpoint, CAPOS_HOLD_COPY);
    for (unsigned i = 0; i < ACTORS; i++)
        give_minted(actors[i], served, i);
    (void)actor_give_own(actors[0], notification, CAPOS_HOLD_COPY);
    for (unsigned i = 0; i < ACTORS; i++)
        make_objects(actors[i], budgets[i], i);
    make_builder(actors[2], budgets[2], notified);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    harness_boot_cpus(HARNESS_RAM_BYTES, CPUS);
    add_methods();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input = data;
    input_left = size;
    random_state = size > 0 ? data[0] : 0;
    host_console_clear();
    harness_begin();
    memset(children, 0, sizeof children);
    make_world();
    unsigned steps_behind = 0;
    for (unsigned i = 0; i < STEPS_MAX && steps_behind < STEPS_BEHIND_INPUT; i++) {
        steps_behind += input_left == 0;
        uint8_t who = next_byte() & 7;
        if (who < 6 && can_run(actors[who % ACTORS]))
            step(actors[who % ACTORS]);
        else if (who == 6)
            step_child();
        else
            step_world();
        kernel_check_invariants();
    }
    for (unsigned i = 0; i < ACTORS; i++)
        relax(actors[i]);
    require(harness_end(), "something leaked");
    return 0;
}

#pragma clang attribute pop
