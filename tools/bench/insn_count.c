// SPDX-License-Identifier: MIT
// A QEMU TCG plug-in that counts guest instructions between marks that the guest sets.
//
// A mark is a NOP with a magic displacement, which any ring of any guest can execute:
//     0f 1f 80 <u16 id> 9b ca    nopl 0xca9b<id>(%rax)    a region begins
//     0f 1f 80 <u16 id> 9e ca    nopl 0xca9e<id>(%rax)    the region ends
// For each region that ends, a line goes to the output:
//     id instructions user kernel rep_bytes
// A string instruction with a rep prefix counts once, as a performance counter counts it;
// the bytes that it moves are counted beside it.  User and kernel are told apart by the
// sign of the address.
//
// One CPU, under -icount shift=0: then counts are exact and repeat.  The plug-in interface
// is documented in QEMU's manual ("TCG Plugins"); Debian ships no header for it, so the few
// prototypes that are used stand here.  INSN_COUNT_API is the interface's version.

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    uint64_t user, kernel, rep_bytes;
};

static struct counts now;
static struct counts begun[REGION_COUNT];
static FILE *output;

static void count_user(unsigned, void *)
{
    now.user++;
}

static void count_kernel(unsigned, void *)
{
    now.kernel++;
}

// A rep instruction runs once per iteration, and once more to find its count at zero.
struct rep {
    uint64_t *counter;
    uint64_t width; // bytes an iteration moves
};

static struct rep *last_rep;
static uint64_t last_rep_total;

static void count_rep(unsigned, void *data)
{
    struct rep *rep = data;
    uint64_t total = now.user + now.kernel;
    if (last_rep == rep && last_rep_total == total) {
        now.rep_bytes += rep->width;
        return;
    }
    (*rep->counter)++;
    last_rep = rep;
    last_rep_total = total + 1;
}

static void region_begin(unsigned, void *data)
{
    begun[(uintptr_t)data] = now;
}

static void region_end(unsigned, void *data)
{
    uintptr_t id = (uintptr_t)data;
    uint64_t user = now.user - begun[id].user;
    uint64_t kernel = now.kernel - begun[id].kernel;
    fprintf(output, "%" PRIuPTR " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", id,
            user + kernel, user, kernel, now.rep_bytes - begun[id].rep_bytes);
    fflush(output);
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

static void translated(qemu_plugin_id_t, struct qemu_plugin_tb *tb)
{
    size_t count = qemu_plugin_tb_n_insns(tb);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint8_t bytes[16] = {};
        size_t size = insn_bytes(insn, bytes);
        bool kernel = (int64_t)qemu_plugin_insn_vaddr(insn) < 0;
        insn_executed callback = kernel ? count_kernel : count_user;
        void *data = nullptr;
        uint64_t width = rep_width(bytes, size);
        if (size == 7 && bytes[0] == 0x0f && bytes[1] == 0x1f && bytes[2] == 0x80 &&
            bytes[6] == 0xca && (bytes[5] == 0x9b || bytes[5] == 0x9e)) {
            callback = bytes[5] == 0x9b ? region_begin : region_end;
            data = (void *)(uintptr_t)(bytes[3] | bytes[4] << 8);
        } else if (width != 0) {
            struct rep *rep = malloc(sizeof *rep);
            *rep = (struct rep){.counter = kernel ? &now.kernel : &now.user, .width = width};
            callback = count_rep;
            data = rep;
        }
        qemu_plugin_register_vcpu_insn_exec_cb(insn, callback, QEMU_PLUGIN_CB_NO_REGS, data);
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
    }
    if (output == nullptr)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finished, nullptr);
    return 0;
}
