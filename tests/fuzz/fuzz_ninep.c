// SPDX-License-Identifier: MIT
// Fuzzes the 9P client with a hostile server: whatever it answers, only what lies in its
// message is believed, and what is accepted is an answer to what was asked.
//
// The input is a list of answers: a byte that chooses the request and how its data come, two
// with the length and what is right about the answer's head, then that many bytes from the
// server.
#include <lib/ninep_client.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum ninep_type requests[] = {
    NINEP_TVERSION, NINEP_TATTACH,  NINEP_TWALK,  NINEP_TLOPEN,    NINEP_TLCREATE,
    NINEP_TREAD,    NINEP_TWRITE,   NINEP_TCLUNK, NINEP_TGETATTR,  NINEP_TSETATTR,
    NINEP_TREADDIR, NINEP_TMKDIR,   NINEP_TFSYNC, NINEP_TUNLINKAT, NINEP_TRENAMEAT,
    NINEP_TSTATFS,  NINEP_TSYMLINK, NINEP_TFLUSH, NINEP_TREADLINK,
};
constexpr size_t REQUESTS = sizeof requests / sizeof *requests;
constexpr uint32_t COUNT = 100; // asked for by those that count

static void require(bool condition)
{
    if (!condition)
        abort();
}

// Touches bytes that were accepted; the sanitizer knows whose they are.
static void touch(const struct ninep_bytes *bytes)
{
    static volatile uint8_t sum;
    for (uint32_t i = 0; i < bytes->size_bytes; i++)
        sum = (uint8_t)(sum + bytes->bytes[i]);
}

static void use_entries(struct ninep_bytes data)
{
    struct ninep_entry entry;
    bool broken;
    uint32_t before = data.size_bytes;
    while (ninep_entry_next(&data, &entry, &broken)) {
        require(data.size_bytes < before);
        before = data.size_bytes;
        touch(&entry.name);
    }
}

static void use(const struct ninep_message *message)
{
    switch (message->type) {
    case NINEP_RREAD:
        require(message->data.size_bytes <= COUNT);
        touch(&message->data);
        break;
    case NINEP_RREADDIR:
        use_entries(message->data);
        break;
    case NINEP_RWALK:
        require(message->walked.qid_count >= 1 && message->walked.qid_count <= 2);
        break;
    case NINEP_RWRITE:
        require(message->count <= COUNT);
        break;
    case NINEP_RVERSION:
        touch(&message->version.version);
        break;
    case NINEP_RREADLINK:
        touch(&message->target);
        break;
    default:
        break;
    }
}

// What was read and is written again is the same message.
static void write_again(const struct ninep_message *message, bool apart, const uint8_t *bytes,
                        uint32_t size_bytes)
{
    uint8_t *copy = malloc(size_bytes);
    require(ninep_write(message, apart, copy, size_bytes) == size_bytes);
    require(memcmp(copy, bytes, size_bytes) == 0);
    free(copy);
}

static void ask(struct ninep_client *client, uint8_t choice, const uint8_t *bytes,
                uint32_t size_bytes)
{
    static uint8_t apart[64];
    struct ninep_message message = {.type = requests[choice % REQUESTS]}, answer;
    if (message.type == NINEP_TWALK)
        message.walk.name_count = 2;
    else if (message.type == NINEP_TWRITE)
        message.write.data.size_bytes = COUNT;
    else if (message.type == NINEP_TREAD || message.type == NINEP_TREADDIR)
        message.read.count = COUNT;
    require(ninep_client_request(client, &message));
    bool is_apart = choice >= 128;
    enum ninep_outcome outcome =
        ninep_client_answer(client, message.tag, bytes, size_bytes, is_apart ? apart : nullptr,
                            is_apart ? sizeof apart : 0, &answer);
    require(client->request_count == 0);
    if (outcome == NINEP_BROKEN)
        return;
    require(answer.tag == message.tag);
    require(answer.type == (outcome == NINEP_REFUSED ? NINEP_RLERROR : message.type + 1));
    use(&answer);
    write_again(&answer, is_apart, bytes, size_bytes);
}

// Bits of the third byte, above a length of up to 4095 bytes.
constexpr uint8_t HEAD_IS_RIGHT = 0x80, IS_REFUSAL = 0x40;

// The size, type and tag that an answer needs, which chance alone seldom finds.
static void head_write(uint8_t *answer, uint32_t size_bytes, uint8_t choice, bool is_refusal)
{
    if (size_bytes < NINEP_HEADER_BYTES)
        return;
    memcpy(answer, &size_bytes, sizeof size_bytes);
    answer[4] = is_refusal ? NINEP_RLERROR : (uint8_t)(requests[choice % REQUESTS] + 1);
    memset(answer + 5, 0, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ninep_client client;
    ninep_client_init(&client);
    while (size > 3) {
        uint8_t choice = data[0];
        uint8_t head = data[2];
        size_t bytes = data[1] | (size_t)(head & 0x0f) << 8;
        data += 3, size -= 3;
        bytes = bytes < size ? bytes : size;
        // In memory of its own, so that a byte too far is noticed.
        uint8_t *answer = malloc(bytes + 1);
        memcpy(answer, data, bytes);
        if ((head & HEAD_IS_RIGHT) != 0)
            head_write(answer, (uint32_t)bytes, choice, (head & IS_REFUSAL) != 0);
        ask(&client, choice, answer, (uint32_t)bytes);
        free(answer);
        data += bytes, size -= bytes;
    }
    return 0;
}
