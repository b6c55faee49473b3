// SPDX-License-Identifier: MIT
// A QEMU TCG plug-in that counts guest instructions between marks that the guest sets.
//
// A mark is a NOP with a magic displacement, which any ring of any guest can execute:
//     0f 1f 80 <u16 id> 9b ca    nopl 0xca9b<id>(%rax)    a region begins
//     0f 1f 80 <u16 id> 9e ca    nopl 0xca9e<id>(%rax)    the region ends
// For each region that ends, a line goes to the output:
//     region id instructions user kernel rep_bytes cr3_writes wall_ns
// and one when user code runs for the first time since the machine was started:
//     user instructions
// A string instruction with a rep prefix counts once, as a performance counter counts it;
// the bytes that it moves are counted beside it.  User and kernel are told apart by the
// sign of the address: a kernel that has never run at a negative one hasn't got to user code,
// and what runs at a positive one before is firmware and the start of the kernel.
//
// Counting slows the guest down.  With the argument `wall` nothing but the marks is looked at;
// then the wall times of regions mean something, and all other numbers are 0.  They are the time
// that the thread ran that emulates the CPU: wall time as it is on a host that does nothing else.
//
// With profile=FILE, FILE gets for each region that ends the line "region", then for each
// instruction that ran in it, and each iteration of a string instruction,
//     ADDRESS BYTES COUNT                                  the first two in hexadecimal
//
// One CPU, under -icount shift=0: then counts are exact and repeat.  The plug-in interface
// is documented in QEMU's manual ("TCG Plugins"); Debian ships no header for it, so the few
// prototypes that are used stand here.  INSN_COUNT_API is the interface's version.

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef INSN_COUNT_API
#define INSN_COUNT_API 1
#endif

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;
enum { QEMU_PLUGIN_CB_NO_REGS };

typedef void (*tb_translated)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*insn_executed)(unsigned vcpu, void *data);
typedef void (*at_exit)(qemu_plugin_id_t id, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_translated callback);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
                                            insn_executed callback, int flags, void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, at_exit callback, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
#if INSN_COUNT_API >= 3
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to, size_t size);
#else
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
#endif

EXPORT int qemu_plugin_version = INSN_COUNT_API;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc,
                               char **argv);

enum { REGION_COUNT = 65536 };

struct counts {
    uint64_t user, kernel, rep_bytes, cr3_writes;
    uint64_t wall_ns; // of regions only
};

static struct counts now;
static struct counts begun[REGION_COUNT];
static FILE *output;
static bool wall_only;
static bool user_code_ran;

static uint64_t wall_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1'000'000'000 + (uint64_t)time.tv_nsec;
}

static void count_user(unsigned, void *)
{
    if (!user_code_ran && now.kernel > 0) {
        user_code_ran = true;
        fprintf(output, "user %" PRIu64 "\n", now.user + now.kernel);
        fflush(output);
    }
    now.user++;
}

static void count_kernel(unsigned, void *)
{
    now.kernel++;
}

// A rep instruction runs once per iteration, and once more to find its count at zero.  It is
// translated again to go on from where it was interrupted, so its address names it.
struct rep {
    uint64_t address;
    uint64_t *counter;
    uint64_t width; // bytes an iteration moves
};

static uint64_t last_rep_address;
static uint64_t last_rep_total;

static void count_rep(unsigned, void *data)
{
    const struct rep *rep = data;
    uint64_t total = now.user + now.kernel;
    if (last_rep_address == rep->address && last_rep_total == total) {
        now.rep_bytes += rep->width;
        return;
    }
    (*rep->counter)++;
    last_rep_address = rep->address;
    last_rep_total = total + 1;
}

static void count_cr3(unsigned, void *)
{
    now.kernel++;
    now.cr3_writes++;
}

// One instruction as it was translated, and how often it ran since the region began.
struct insn {
    struct insn *next;
    uint64_t address, count;
    size_t size;
    uint8_t bytes[16];
};

static FILE *profile; // nullptr: not asked for
static struct insn *profiled;

static void count_one(unsigned, void *data)
{
    ((struct insn *)data)->count++;
}

static void profile_add(struct qemu_plugin_insn *at, uint64_t address, const uint8_t bytes[16],
                        size_t size)
{
    struct insn *insn = malloc(sizeof *insn);
    *insn = (struct insn){.next = profiled, .address = address, .size = size};
    memcpy(insn->bytes, bytes, sizeof insn->bytes);
    profiled = insn;
    qemu_plugin_register_vcpu_insn_exec_cb(at, count_one, QEMU_PLUGIN_CB_NO_REGS, insn);
}

static void profile_clear(void)
{
    for (struct insn *insn = profiled; insn != nullptr; insn = insn->next)
        insn->count = 0;
}

static void profile_write(void)
{
    fputs("region\n", profile);
    for (const struct insn *insn = profiled; insn != nullptr; insn = insn->next) {
        if (insn->count == 0)
            continue;
        fprintf(profile, "%" PRIx64 " ", insn->address);
        for (size_t i = 0; i < insn->size; i++)
            fprintf(profile, "%02x", insn->bytes[i]);
        fprintf(profile, " %" PRIu64 "\n", insn->count);
    }
    fflush(profile);
}

static void region_begin(unsigned, void *data)
{
    now.wall_ns = wall_ns();
    begun[(uintptr_t)data] = now;
    if (profile != nullptr)
        profile_clear();
}

static void region_end(unsigned, void *data)
{
    now.wall_ns = wall_ns();
    uintptr_t id = (uintptr_t)data;
    uint64_t user = now.user - begun[id].user;
    uint64_t kernel = now.kernel - begun[id].kernel;
    fprintf(output,
            "region %" PRIuPTR " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
            " %" PRIu64 "\n",
            id, user + kernel, user, kernel, now.rep_bytes - begun[id].rep_bytes,
            now.cr3_writes - begun[id].cr3_writes, now.wall_ns - begun[id].wall_ns);
    fflush(output);
    if (profile != nullptr)
        profile_write();
}

static size_t insn_bytes(const struct qemu_plugin_insn *insn, uint8_t bytes[16])
{
    size_t size = qemu_plugin_insn_size(insn);
    if (size > 16)
        size = 16;
#if INSN_COUNT_API >= 3
    qemu_plugin_insn_data(insn, bytes, size);
#else
    memcpy(bytes, qemu_plugin_insn_data(insn), size);
#endif
    return size;
}

// The operand width of a string instruction with a rep prefix; 0 for any other.
static uint64_t rep_width(const uint8_t *bytes, size_t size)
{
    bool repeated = false, wide = false, narrow = false;
    size_t i = 0;
    for (; i < size; i++) {
        if (bytes[i] == 0xf3 || bytes[i] == 0xf2)
            repeated = true;
        else if (bytes[i] == 0x66)
            narrow = true;
        else
            break;
    }
    if (i < size && (bytes[i] & 0xf0) == 0x40)
        wide = (bytes[i++] & 8) != 0;
    if (!repeated || i >= size)
        return 0;
    uint8_t opcode = bytes[i];
    if (opcode < 0xa4 || (opcode > 0xa7 && opcode < 0xaa) || opcode > 0xaf)
        return 0;
    return (opcode & 1) == 0 ? 1 : wide ? 8 : narrow ? 2 : 4;
}

// mov %reg, %cr3
static bool is_cr3_write(const uint8_t *bytes, size_t size)
{
    size_t i = size > 0 && (bytes[0] & 0xf0) == 0x40;
    return size == i + 3 && bytes[i] == 0x0f && bytes[i + 1] == 0x22 &&
           (bytes[i + 2] >> 3 & 7) == 3;
}

static bool is_mark(const uint8_t *bytes, size_t size)
{
    return size == 7 && bytes[0] == 0x0f && bytes[1] == 0x1f && bytes[2] == 0x80 &&
           bytes[6] == 0xca && (bytes[5] == 0x9b || bytes[5] == 0x9e);
}

static void translated(qemu_plugin_id_t, struct qemu_plugin_tb *tb)
{
    size_t count = qemu_plugin_tb_n_insns(tb);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint8_t bytes[16] = {};
        size_t size = insn_bytes(insn, bytes);
        uint64_t address = qemu_plugin_insn_vaddr(insn);
        bool kernel = (int64_t)address < 0, mark = is_mark(bytes, size);
        if (wall_only && !mark)
            continue;
        insn_executed callback = kernel ? count_kernel : count_user;
        void *data = nullptr;
        uint64_t width = rep_width(bytes, size);
        if (mark) {
            callback = bytes[5] == 0x9b ? region_begin : region_end;
            data = (void *)(uintptr_t)(bytes[3] | bytes[4] << 8);
        } else if (width != 0) {
            struct rep *rep = malloc(sizeof *rep);
            *rep = (struct rep){.address = address,
                                .counter = kernel ? &now.kernel : &now.user,
                                .width = width};
            callback = count_rep;
            data = rep;
        } else if (kernel && is_cr3_write(bytes, size)) {
            callback = count_cr3;
        }
        qemu_plugin_register_vcpu_insn_exec_cb(insn, callback, QEMU_PLUGIN_CB_NO_REGS, data);
        if (profile != nullptr && !mark)
            profile_add(insn, address, bytes, size);
    }
}

static void finished(qemu_plugin_id_t, void *)
{
    fclose(output);
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0)
            output = fopen(argv[i] + 4, "w");
        else if (strncmp(argv[i], "profile=", 8) == 0)
            profile = fopen(argv[i] + 8, "w");
        else if (strncmp(argv[i], "wall", 4) == 0)
            wall_only = true;
    }
    if (output == nullptr)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finished, nullptr);
    return 0;
}
