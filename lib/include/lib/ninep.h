// SPDX-License-Identifier: MIT
// The messages of 9P2000.L, the file protocol of Linux, as a host offers a directory to its
// guests: one table has the fields of each, from which they are written and read, so that
// both sides of the protocol can be tested against each other.
//
// Sources: Plan 9 manual, section 5; diod's protocol.md for the messages of dialect L; and
// hw/9pfs of QEMU 7.2 for Tfsync's second field.
//
// Invariants:
//  1. Whatever bytes are read, nothing outside them is looked at, and what was read lies
//     within them.
//  2. Only a whole message is read: one byte too many or too few, and it is broken.
//
// It does no I/O and takes no memory.  Tested by ninep_test.c, fuzzed by tests/fuzz/fuzz_ninep.c.
#pragma once

#include <stddef.h>
#include <stdint.h>

// A message's number on the wire.  T is a request, R is its answer, whose number is one more.
enum ninep_type : uint8_t {
    NINEP_RLERROR = 7,
    NINEP_TSTATFS = 8,
    NINEP_RSTATFS,
    NINEP_TLOPEN = 12,
    NINEP_RLOPEN,
    NINEP_TLCREATE = 14,
    NINEP_RLCREATE,
    NINEP_TSYMLINK = 16,
    NINEP_RSYMLINK,
    NINEP_TREADLINK = 22,
    NINEP_RREADLINK,
    NINEP_TGETATTR = 24,
    NINEP_RGETATTR,
    NINEP_TSETATTR = 26,
    NINEP_RSETATTR,
    NINEP_TREADDIR = 40,
    NINEP_RREADDIR,
    NINEP_TFSYNC = 50,
    NINEP_RFSYNC,
    NINEP_TMKDIR = 72,
    NINEP_RMKDIR,
    NINEP_TRENAMEAT = 74,
    NINEP_RRENAMEAT,
    NINEP_TUNLINKAT = 76,
    NINEP_RUNLINKAT,
    NINEP_TVERSION = 100,
    NINEP_RVERSION,
    NINEP_TATTACH = 104,
    NINEP_RATTACH,
    NINEP_TFLUSH = 108,
    NINEP_RFLUSH,
    NINEP_TWALK = 110,
    NINEP_RWALK,
    NINEP_TREAD = 116,
    NINEP_RREAD,
    NINEP_TWRITE = 118,
    NINEP_RWRITE,
    NINEP_TCLUNK = 120,
    NINEP_RCLUNK,
};

constexpr uint32_t NINEP_HEADER_BYTES = 7;                           // size[4] type[1] tag[2]
constexpr uint32_t NINEP_READ_HEAD_BYTES = NINEP_HEADER_BYTES + 4;   // of Rread: and count[4]
constexpr uint32_t NINEP_WRITE_HEAD_BYTES = NINEP_HEADER_BYTES + 16; // of Twrite
constexpr uint32_t NINEP_NO_FID = UINT32_MAX;
constexpr uint16_t NINEP_NO_TAG = UINT16_MAX; // of Tversion
constexpr uint32_t NINEP_WALK_MAX = 16;       // names of one Twalk

// Names, texts and data.  What a reader sets points into the message.
struct ninep_bytes {
    const uint8_t *bytes;
    uint32_t size_bytes;
};

// What a file is, and which one.
enum : uint8_t { NINEP_QID_FILE = 0, NINEP_QID_SYMLINK = 0x02, NINEP_QID_DIRECTORY = 0x80 };
struct ninep_qid {
    uint8_t kind;
    uint32_t version;
    uint64_t path;
};

// Linux's numbers for the flags of Tlopen and Tlcreate, Tunlinkat, Tgetattr and Tsetattr, and
// for the kind in a mode.
enum : uint32_t {
    NINEP_OPEN_READ = 0,
    NINEP_OPEN_WRITE = 1,
    NINEP_OPEN_READ_WRITE = 2,
    NINEP_OPEN_EXCLUSIVE = 0200,
    NINEP_OPEN_TRUNCATE = 01000,
    NINEP_OPEN_NO_FOLLOW = 0400000,

    NINEP_UNLINK_DIRECTORY = 0x200,

    NINEP_GET_BASIC = 0x7ff, // all up to `blocks`
    NINEP_SET_MODE = 0x1,
    NINEP_SET_SIZE = 0x8,
    NINEP_SET_ATIME = 0x10,
    NINEP_SET_MTIME = 0x20,
    NINEP_SET_ATIME_GIVEN = 0x80, // else: the host's time
    NINEP_SET_MTIME_GIVEN = 0x100,

    NINEP_MODE_KIND = 0170000,
    NINEP_MODE_DIRECTORY = 0040000,
    NINEP_MODE_FILE = 0100000,
    NINEP_MODE_SYMLINK = 0120000,
};

struct ninep_attributes {
    uint64_t valid; // which of those below are set, as NINEP_GET_BASIC says
    struct ninep_qid qid;
    uint32_t mode, uid, gid;
    uint64_t links, device, size_bytes, block_bytes, blocks;
    uint64_t atime_s, atime_ns, mtime_s, mtime_ns, ctime_s, ctime_ns, btime_s, btime_ns;
    uint64_t generation, data_version;
};

// One message.  `type` says which member of the union it is; messages that aren't there, such
// as Rclunk, have no fields.  The comments name the messages and what isn't obvious.
struct ninep_message {
    enum ninep_type type;
    uint16_t tag;
    union {
        uint32_t error; // Rlerror: Linux's errno
        uint32_t fid;   // Tstatfs, Treadlink, Tclunk
        struct {
            uint32_t message_bytes_max;
            struct ninep_bytes version;
        } version; // Tversion, Rversion
        struct {
            uint32_t fid, auth_fid;
            struct ninep_bytes user, tree;
            uint32_t user_id;
        } attach;
        struct ninep_qid qid; // Rattach, Rmkdir, Rsymlink
        uint16_t flush_tag;   // Tflush
        struct {
            uint32_t fid, new_fid;
            uint16_t name_count;
            struct ninep_bytes names[NINEP_WALK_MAX];
        } walk;
        struct {
            uint16_t qid_count; // less than names: the first name that isn't there
            struct ninep_qid qids[NINEP_WALK_MAX];
        } walked;
        struct {
            uint32_t fid, flags;
        } open;
        struct {
            uint32_t fid; // a directory; afterwards the new file, opened
            struct ninep_bytes name;
            uint32_t flags, mode, gid;
        } create;
        struct {
            struct ninep_qid qid;
            uint32_t io_bytes; // the most that one Tread or Twrite moves; 0: unknown
        } opened;              // Rlopen, Rlcreate
        struct {
            uint32_t fid;
            uint64_t offset;
            uint32_t count;
        } read; // Tread, Treaddir
        struct {
            uint32_t fid;
            uint64_t offset;
            struct ninep_bytes data;
        } write;
        struct ninep_bytes data; // Rread, Rreaddir
        uint32_t count;          // Rwrite
        struct {
            uint32_t fid;
            uint64_t mask;
        } get_attributes;
        struct ninep_attributes attributes; // Rgetattr
        struct {
            uint32_t fid, valid, mode, uid, gid;
            uint64_t size_bytes, atime_s, atime_ns, mtime_s, mtime_ns;
        } set_attributes;
        struct {
            uint32_t directory_fid;
            struct ninep_bytes name;
            uint32_t mode, gid;
        } make_directory;
        struct {
            uint32_t directory_fid;
            struct ninep_bytes name;
            uint32_t flags;
        } unlink;
        struct {
            uint32_t old_directory_fid;
            struct ninep_bytes old_name;
            uint32_t new_directory_fid;
            struct ninep_bytes new_name;
        } rename;
        struct {
            uint32_t fid;
            uint32_t data_only;
        } sync; // Tfsync
        struct {
            uint32_t directory_fid;
            struct ninep_bytes name, target;
            uint32_t gid;
        } make_symlink;
        struct ninep_bytes target; // Rreadlink
        struct {
            uint32_t type, block_bytes;
            uint64_t blocks, blocks_free, blocks_available, files, files_free, id;
            uint32_t name_bytes_max;
        } statfs;
    };
};

// Writes a message into `capacity` bytes and returns its size; 0 if it doesn't fit, or if a
// text is longer than the protocol has room for.  With `data_apart` the data of Twrite and
// Rread are left out, which follow in memory of their own, and the size that is returned is
// that of what was written.
[[nodiscard]] uint32_t ninep_write(const struct ninep_message *message, bool data_apart,
                                   uint8_t *buffer, uint32_t capacity);

// Reads the message in `size_bytes` bytes.  `data`, if it isn't nullptr, is where the bytes of
// an Rread, Rreaddir or Twrite are that has no room for them in the message itself: up to
// `data_bytes`.  False: broken; *out_message is undefined then.
[[nodiscard]] bool ninep_read(const uint8_t *bytes, uint32_t size_bytes, const uint8_t *data,
                              uint32_t data_bytes, struct ninep_message *out_message);

// An entry of an Rreaddir.
struct ninep_entry {
    struct ninep_qid qid;
    uint64_t next_offset; // from which a Treaddir goes on behind this entry
    uint8_t kind;         // Linux's DT_ number, 0 if the host doesn't know it
    struct ninep_bytes name;
};
constexpr uint32_t NINEP_ENTRY_HEAD_BYTES = 13 + 8 + 1 + 2;

// Takes the next entry from the front of `data`.  False: there is none; *out_broken says
// whether there was half of one.
[[nodiscard]] bool ninep_entry_next(struct ninep_bytes *data, struct ninep_entry *out_entry,
                                    bool *out_broken);
// Appends an entry at `offset` of a buffer and returns its size; 0 if it doesn't fit.
[[nodiscard]] uint32_t ninep_entry_write(const struct ninep_entry *entry, uint8_t *buffer,
                                         uint32_t capacity);
