// SPDX-License-Identifier: MIT
// Tags, fids, and the checks of answers; see ninep_client.h.
#include <lib/ninep_client.h>

void ninep_client_init(struct ninep_client *client)
{
    *client = (struct ninep_client){};
}

// ---- Requests ----------------------------------------------------------------------

// What an answer may count up to; 0 for those that don't count.
static uint32_t limit_of(const struct ninep_message *message)
{
    switch (message->type) {
    case NINEP_TVERSION:
        return message->version.message_bytes_max;
    case NINEP_TWALK:
        return message->walk.name_count;
    case NINEP_TREAD:
    case NINEP_TREADDIR:
        return message->read.count;
    case NINEP_TWRITE:
        return message->write.data.size_bytes;
    default:
        return 0;
    }
}

bool ninep_client_request(struct ninep_client *client, struct ninep_message *message)
{
    for (uint16_t tag = 0; tag < NINEP_TAGS; tag++) {
        struct ninep_request *request = &client->requests[tag];
        if (request->type != 0)
            continue;
        *request = (struct ninep_request){.type = message->type, .limit = limit_of(message)};
        message->tag = tag;
        client->request_count++;
        return true;
    }
    return false;
}

// ---- Answers -----------------------------------------------------------------------

static bool is_within_limit(const struct ninep_request *request,
                            const struct ninep_message *message)
{
    switch (message->type) {
    case NINEP_RVERSION:
        return message->version.message_bytes_max <= request->limit;
    case NINEP_RWALK: // without the first name it would have been an error
        return message->walked.qid_count <= request->limit &&
               (message->walked.qid_count > 0 || request->limit == 0);
    case NINEP_RREAD:
    case NINEP_RREADDIR:
        return message->data.size_bytes <= request->limit;
    case NINEP_RWRITE:
        return message->count <= request->limit;
    default:
        return true;
    }
}

enum ninep_outcome ninep_client_answer(struct ninep_client *client, uint16_t tag,
                                       const uint8_t *bytes, uint32_t size_bytes,
                                       const uint8_t *data, uint32_t data_bytes,
                                       struct ninep_message *out_message)
{
    if (tag >= NINEP_TAGS || client->requests[tag].type == 0)
        return NINEP_BROKEN;
    struct ninep_request request = client->requests[tag];
    client->requests[tag] = (struct ninep_request){};
    client->request_count--;
    if (!ninep_read(bytes, size_bytes, data, data_bytes, out_message) ||
        out_message->tag != tag)
        return NINEP_BROKEN;
    if (out_message->type == NINEP_RLERROR)
        return out_message->error != 0 ? NINEP_REFUSED : NINEP_BROKEN;
    bool expected =
        out_message->type == request.type + 1 && is_within_limit(&request, out_message);
    return expected ? NINEP_DONE : NINEP_BROKEN;
}

// ---- Fids --------------------------------------------------------------------------

uint32_t ninep_fid_get(struct ninep_client *client)
{
    for (uint32_t i = 0; i < NINEP_FIDS / 64; i++) {
        if (client->fids[i] == UINT64_MAX)
            continue;
        uint32_t bit = (uint32_t)__builtin_ctzll(~client->fids[i]);
        client->fids[i] |= UINT64_C(1) << bit;
        client->fid_count++;
        return i * 64 + bit;
    }
    return NINEP_NO_FID;
}

void ninep_fid_put(struct ninep_client *client, uint32_t fid)
{
    client->fids[fid / 64] &= ~(UINT64_C(1) << fid % 64);
    client->fid_count--;
}
