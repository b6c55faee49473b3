// SPDX-License-Identifier: MIT
// The table of messages, and the reader and the writer that go by it; see ninep.h.
#include <lib/ninep.h>

#include <lib/string.h>

// ---- The fields --------------------------------------------------------------------

enum field_kind : uint8_t { END, U8, U16, U32, U64, TEXT, DATA, QID, NAMES, QIDS };

struct field {
    enum field_kind kind;
    uint16_t offset; // in struct ninep_message
};

constexpr uint32_t FIELDS_MAX = 20;
constexpr uint32_t TYPES = NINEP_RCLUNK + 1;

// A message without fields still has a layout: it is known.
struct layout {
    bool known;
    struct field fields[FIELDS_MAX + 1]; // up to an END
};

// clang-format off: a message begins a line
#define F(kind, member) {kind, offsetof(struct ninep_message, member)}
static const struct layout layouts[TYPES] = {
    [NINEP_RLERROR] = {true, {F(U32, error)}},
    [NINEP_TSTATFS] = {true, {F(U32, fid)}},
    [NINEP_RSTATFS] = {true, {F(U32, statfs.type), F(U32, statfs.block_bytes),
        F(U64, statfs.blocks), F(U64, statfs.blocks_free), F(U64, statfs.blocks_available),
        F(U64, statfs.files), F(U64, statfs.files_free), F(U64, statfs.id),
        F(U32, statfs.name_bytes_max)}},
    [NINEP_TLOPEN] = {true, {F(U32, open.fid), F(U32, open.flags)}},
    [NINEP_RLOPEN] = {true, {F(QID, opened.qid), F(U32, opened.io_bytes)}},
    [NINEP_TLCREATE] = {true, {F(U32, create.fid), F(TEXT, create.name), F(U32, create.flags),
        F(U32, create.mode), F(U32, create.gid)}},
    [NINEP_RLCREATE] = {true, {F(QID, opened.qid), F(U32, opened.io_bytes)}},
    [NINEP_TSYMLINK] = {true, {F(U32, make_symlink.directory_fid), F(TEXT, make_symlink.name),
        F(TEXT, make_symlink.target), F(U32, make_symlink.gid)}},
    [NINEP_RSYMLINK] = {true, {F(QID, qid)}},
    [NINEP_TREADLINK] = {true, {F(U32, fid)}},
    [NINEP_RREADLINK] = {true, {F(TEXT, target)}},
    [NINEP_TGETATTR] = {true, {F(U32, get_attributes.fid), F(U64, get_attributes.mask)}},
    [NINEP_RGETATTR] = {true, {F(U64, attributes.valid), F(QID, attributes.qid),
        F(U32, attributes.mode), F(U32, attributes.uid), F(U32, attributes.gid),
        F(U64, attributes.links), F(U64, attributes.device), F(U64, attributes.size_bytes),
        F(U64, attributes.block_bytes), F(U64, attributes.blocks),
        F(U64, attributes.atime_s), F(U64, attributes.atime_ns),
        F(U64, attributes.mtime_s), F(U64, attributes.mtime_ns),
        F(U64, attributes.ctime_s), F(U64, attributes.ctime_ns),
        F(U64, attributes.btime_s), F(U64, attributes.btime_ns),
        F(U64, attributes.generation), F(U64, attributes.data_version)}},
    [NINEP_TSETATTR] = {true, {F(U32, set_attributes.fid), F(U32, set_attributes.valid),
        F(U32, set_attributes.mode), F(U32, set_attributes.uid), F(U32, set_attributes.gid),
        F(U64, set_attributes.size_bytes),
        F(U64, set_attributes.atime_s), F(U64, set_attributes.atime_ns),
        F(U64, set_attributes.mtime_s), F(U64, set_attributes.mtime_ns)}},
    [NINEP_RSETATTR] = {true, {}},
    [NINEP_TREADDIR] = {true, {F(U32, read.fid), F(U64, read.offset), F(U32, read.count)}},
    [NINEP_RREADDIR] = {true, {F(DATA, data)}},
    [NINEP_TFSYNC] = {true, {F(U32, sync.fid), F(U32, sync.data_only)}},
    [NINEP_RFSYNC] = {true, {}},
    [NINEP_TMKDIR] = {true, {F(U32, make_directory.directory_fid), F(TEXT, make_directory.name),
        F(U32, make_directory.mode), F(U32, make_directory.gid)}},
    [NINEP_RMKDIR] = {true, {F(QID, qid)}},
    [NINEP_TRENAMEAT] = {true, {F(U32, rename.old_directory_fid), F(TEXT, rename.old_name),
        F(U32, rename.new_directory_fid), F(TEXT, rename.new_name)}},
    [NINEP_RRENAMEAT] = {true, {}},
    [NINEP_TUNLINKAT] = {true, {F(U32, unlink.directory_fid), F(TEXT, unlink.name),
        F(U32, unlink.flags)}},
    [NINEP_RUNLINKAT] = {true, {}},
    [NINEP_TVERSION] = {true, {F(U32, version.message_bytes_max), F(TEXT, version.version)}},
    [NINEP_RVERSION] = {true, {F(U32, version.message_bytes_max), F(TEXT, version.version)}},
    [NINEP_TATTACH] = {true, {F(U32, attach.fid), F(U32, attach.auth_fid), F(TEXT, attach.user),
        F(TEXT, attach.tree), F(U32, attach.user_id)}},
    [NINEP_RATTACH] = {true, {F(QID, qid)}},
    [NINEP_TFLUSH] = {true, {F(U16, flush_tag)}},
    [NINEP_RFLUSH] = {true, {}},
    [NINEP_TWALK] = {true, {F(U32, walk.fid), F(U32, walk.new_fid), F(NAMES, walk.name_count)}},
    [NINEP_RWALK] = {true, {F(QIDS, walked.qid_count)}},
    [NINEP_TREAD] = {true, {F(U32, read.fid), F(U64, read.offset), F(U32, read.count)}},
    [NINEP_RREAD] = {true, {F(DATA, data)}},
    [NINEP_TWRITE] = {true, {F(U32, write.fid), F(U64, write.offset), F(DATA, write.data)}},
    [NINEP_RWRITE] = {true, {F(U32, count)}},
    [NINEP_TCLUNK] = {true, {F(U32, fid)}},
    [NINEP_RCLUNK] = {true, {}},
};
#undef F
// clang-format on

// NAMES and QIDS name their count; the array is found beside it.
static_assert(offsetof(struct ninep_message, walk.names) % alignof(struct ninep_bytes) == 0);
constexpr size_t NAMES_BEHIND_COUNT = offsetof(struct ninep_message, walk.names) -
                                      offsetof(struct ninep_message, walk.name_count);
constexpr size_t QIDS_BEHIND_COUNT = offsetof(struct ninep_message, walked.qids) -
                                     offsetof(struct ninep_message, walked.qid_count);

static const struct layout *layout_of(uint8_t type)
{
    return type < TYPES && layouts[type].known ? &layouts[type] : nullptr;
}

// ---- Writing -----------------------------------------------------------------------

struct writer {
    uint8_t *bytes;
    uint32_t capacity, used;
    bool full; // something didn't fit; nothing is written any more
};

static void put(struct writer *writer, const void *bytes, uint32_t size_bytes)
{
    writer->full = writer->full || size_bytes > writer->capacity - writer->used;
    if (writer->full || size_bytes == 0)
        return;
    memcpy(writer->bytes + writer->used, bytes, size_bytes);
    writer->used += size_bytes;
}

// Little-endian, which the machine is as well.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

static void put_u16(struct writer *writer, uint16_t number)
{
    put(writer, &number, sizeof number);
}

static void put_u32(struct writer *writer, uint32_t number)
{
    put(writer, &number, sizeof number);
}

static void put_text(struct writer *writer, const struct ninep_bytes *text)
{
    writer->full = writer->full || text->size_bytes > UINT16_MAX;
    put_u16(writer, (uint16_t)text->size_bytes);
    put(writer, text->bytes, text->size_bytes);
}

static void put_qid(struct writer *writer, const struct ninep_qid *qid)
{
    put(writer, &qid->kind, sizeof qid->kind);
    put(writer, &qid->version, sizeof qid->version);
    put(writer, &qid->path, sizeof qid->path);
}

static void put_names(struct writer *writer, const uint16_t *count)
{
    const struct ninep_bytes *names =
        (const void *)((const uint8_t *)count + NAMES_BEHIND_COUNT);
    writer->full = writer->full || *count > NINEP_WALK_MAX;
    put_u16(writer, *count);
    for (uint16_t i = 0; i < *count && !writer->full; i++)
        put_text(writer, &names[i]);
}

static void put_qids(struct writer *writer, const uint16_t *count)
{
    const struct ninep_qid *qids = (const void *)((const uint8_t *)count + QIDS_BEHIND_COUNT);
    writer->full = writer->full || *count > NINEP_WALK_MAX;
    put_u16(writer, *count);
    for (uint16_t i = 0; i < *count && !writer->full; i++)
        put_qid(writer, &qids[i]);
}

// Returns how many bytes of the message are elsewhere.
static uint32_t put_data(struct writer *writer, const struct ninep_bytes *data, bool apart)
{
    put_u32(writer, data->size_bytes);
    if (apart)
        return data->size_bytes;
    put(writer, data->bytes, data->size_bytes);
    return 0;
}

static uint32_t put_field(struct writer *writer, enum field_kind kind, const void *value,
                          bool data_apart)
{
    static const uint32_t number_bytes[] = {[U8] = 1, [U16] = 2, [U32] = 4, [U64] = 8};
    switch (kind) {
    case TEXT:
        put_text(writer, value);
        return 0;
    case DATA:
        return put_data(writer, value, data_apart);
    case QID:
        put_qid(writer, value);
        return 0;
    case NAMES:
        put_names(writer, value);
        return 0;
    case QIDS:
        put_qids(writer, value);
        return 0;
    default:
        put(writer, value, number_bytes[kind]);
        return 0;
    }
}

uint32_t ninep_write(const struct ninep_message *message, bool data_apart, uint8_t *buffer,
                     uint32_t capacity)
{
    const struct layout *layout = layout_of(message->type);
    struct writer writer = {.bytes = buffer, .capacity = capacity};
    uint64_t apart_bytes = 0;
    if (layout == nullptr)
        return 0;
    put_u32(&writer, 0); // the size, when it is known
    put(&writer, &message->type, sizeof message->type);
    put_u16(&writer, message->tag);
    for (const struct field *field = layout->fields; field->kind != END; field++)
        apart_bytes += put_field(&writer, field->kind, (const uint8_t *)message + field->offset,
                                 data_apart);
    uint64_t size_bytes = writer.used + apart_bytes;
    if (writer.full || size_bytes > UINT32_MAX)
        return 0;
    uint32_t size = (uint32_t)size_bytes;
    memcpy(buffer, &size, sizeof size);
    return writer.used;
}

uint32_t ninep_entry_write(const struct ninep_entry *entry, uint8_t *buffer, uint32_t capacity)
{
    struct writer writer = {.bytes = buffer, .capacity = capacity};
    put_qid(&writer, &entry->qid);
    put(&writer, &entry->next_offset, sizeof entry->next_offset);
    put(&writer, &entry->kind, sizeof entry->kind);
    put_text(&writer, &entry->name);
    return writer.full ? 0 : writer.used;
}

// ---- Reading -----------------------------------------------------------------------

struct reader {
    const uint8_t *bytes;
    uint32_t left;
    bool broken; // something was missing; what is read after it is zero
};

// The next bytes; nullptr if there aren't as many.
static const uint8_t *get(struct reader *reader, uint32_t size_bytes)
{
    reader->broken = reader->broken || size_bytes > reader->left;
    if (reader->broken)
        return nullptr;
    const uint8_t *bytes = reader->bytes;
    reader->bytes += size_bytes;
    reader->left -= size_bytes;
    return bytes;
}

static void get_number(struct reader *reader, void *out_number, uint32_t size_bytes)
{
    const uint8_t *bytes = get(reader, size_bytes);
    if (bytes != nullptr)
        memcpy(out_number, bytes, size_bytes);
    else
        memset(out_number, 0, size_bytes);
}

static void get_text(struct reader *reader, struct ninep_bytes *out_text)
{
    uint16_t size_bytes;
    get_number(reader, &size_bytes, sizeof size_bytes);
    *out_text =
        (struct ninep_bytes){.bytes = get(reader, size_bytes), .size_bytes = size_bytes};
}

static void get_qid(struct reader *reader, struct ninep_qid *out_qid)
{
    get_number(reader, &out_qid->kind, sizeof out_qid->kind);
    get_number(reader, &out_qid->version, sizeof out_qid->version);
    get_number(reader, &out_qid->path, sizeof out_qid->path);
}

static uint16_t get_count(struct reader *reader, uint16_t *out_count)
{
    get_number(reader, out_count, sizeof *out_count);
    reader->broken = reader->broken || *out_count > NINEP_WALK_MAX;
    return reader->broken ? 0 : *out_count;
}

static void get_names(struct reader *reader, uint16_t *out_count)
{
    struct ninep_bytes *names = (void *)((uint8_t *)out_count + NAMES_BEHIND_COUNT);
    uint16_t count = get_count(reader, out_count);
    for (uint16_t i = 0; i < count; i++)
        get_text(reader, &names[i]);
}

static void get_qids(struct reader *reader, uint16_t *out_count)
{
    struct ninep_qid *qids = (void *)((uint8_t *)out_count + QIDS_BEHIND_COUNT);
    uint16_t count = get_count(reader, out_count);
    for (uint16_t i = 0; i < count; i++)
        get_qid(reader, &qids[i]);
}

// Data that are apart count as the rest of the message.
static void get_data(struct reader *reader, struct reader *apart, struct ninep_bytes *out_data)
{
    uint32_t size_bytes;
    get_number(reader, &size_bytes, sizeof size_bytes);
    struct reader *source = apart->bytes != nullptr ? apart : reader;
    *out_data =
        (struct ninep_bytes){.bytes = get(source, size_bytes), .size_bytes = size_bytes};
    reader->broken = reader->broken || source->broken;
}

static void get_field(struct reader *reader, struct reader *apart, enum field_kind kind,
                      void *out_value)
{
    static const uint32_t number_bytes[] = {[U8] = 1, [U16] = 2, [U32] = 4, [U64] = 8};
    switch (kind) {
    case TEXT:
        get_text(reader, out_value);
        break;
    case DATA:
        get_data(reader, apart, out_value);
        break;
    case QID:
        get_qid(reader, out_value);
        break;
    case NAMES:
        get_names(reader, out_value);
        break;
    case QIDS:
        get_qids(reader, out_value);
        break;
    default:
        get_number(reader, out_value, number_bytes[kind]);
        break;
    }
}

bool ninep_read(const uint8_t *bytes, uint32_t size_bytes, const uint8_t *data,
                uint32_t data_bytes, struct ninep_message *out_message)
{
    struct reader reader = {.bytes = bytes, .left = size_bytes};
    struct reader apart = {.bytes = data, .left = data_bytes};
    uint32_t size;
    get_number(&reader, &size, sizeof size);
    get_number(&reader, &out_message->type, sizeof out_message->type);
    get_number(&reader, &out_message->tag, sizeof out_message->tag);
    const struct layout *layout = layout_of(out_message->type);
    if (reader.broken || layout == nullptr)
        return false;
    for (const struct field *field = layout->fields; field->kind != END; field++)
        get_field(&reader, &apart, field->kind, (uint8_t *)out_message + field->offset);
    uint64_t apart_bytes = data != nullptr ? data_bytes - apart.left : 0;
    return !reader.broken && reader.left == 0 && size == size_bytes + apart_bytes;
}

bool ninep_entry_next(struct ninep_bytes *data, struct ninep_entry *out_entry, bool *out_broken)
{
    struct reader reader = {.bytes = data->bytes, .left = data->size_bytes};
    *out_broken = false;
    if (data->size_bytes == 0)
        return false;
    get_qid(&reader, &out_entry->qid);
    get_number(&reader, &out_entry->next_offset, sizeof out_entry->next_offset);
    get_number(&reader, &out_entry->kind, sizeof out_entry->kind);
    get_text(&reader, &out_entry->name);
    *out_broken = reader.broken;
    *data = (struct ninep_bytes){.bytes = reader.bytes, .size_bytes = reader.left};
    return !reader.broken;
}
