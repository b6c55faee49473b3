// SPDX-License-Identifier: MIT
// hostfs: a directory of the host as a Directory.
//
// One process serves one directory, which QEMU offers as a virtio-9p device (`capos run
// --dir`); its argument is the device's mount tag.  What its clients call is carried out by
// requests of the 9P2000.L protocol.
//
//     device.c      requests and answers, through the device
//     resolve.c     paths, with the host's symlinks
//     objects.c     what clients hold
//     sync.c        what isn't durable yet
//     directory.c, file.c, attributes.c    the methods
//
// Invariants:
//  1. Nothing is reached above the directory, nor above any Directory made from it: the
//     host is asked for plain names only, and symlinks are followed here (route.h).
//  2. A ReadOnlyDirectory and what it gives reach no method that changes anything.  For a
//     directory that was granted `ro` the device refuses changes as well.
//  3. A call is carried out to its end by one worker; nobody waits for a client.
//
// Two processes, two hosts: what the host changes by itself meanwhile is seen when it is
// looked at, and no lock of ours keeps it away.
//
// Grants: memory, thread, park, endpoint; threads, devices, dma, interrupts, pci; console, for its
// last words.  Tested by route_test.c, tests/cli/dir_test.py, tests/cli/pci_test.py and the
// conformance suite.
#include "hostfs.h"

#include <capos/loop.h>
#include <capos/panic.h>
#include <capos/thread.h>

#include <gen/capos/endpoint.h>
#include <stdlib.h>

constexpr uint32_t MESSAGE_BYTES_MAX =
    DIRECTORY_RENAME_PARAMS_BYTES_MAX > FILE_WRITE_PARAMS_BYTES_MAX
        ? DIRECTORY_RENAME_PARAMS_BYTES_MAX
        : FILE_WRITE_PARAMS_BYTES_MAX;
static_assert(MESSAGE_BYTES_MAX >= DIRECTORY_CREATE_SYMLINK_PARAMS_BYTES_MAX);

struct capos_mutex names_lock;
static endpoint_cap endpoint;

// ---- For the methods ---------------------------------------------------------------

void fail_memory(struct capos_server_call *call)
{
    capos_server_fail(call, STATUS_OVERLOADED, "hostfs has no memory for it");
}

void fail_path(struct capos_server_call *call)
{
    capos_server_fail(
        call, STATUS_INVALID_ARGUMENT,
        "path: names of 1 to 255 bytes, none 0, `.` or `..`, one `/` between two");
}

struct node *called_node(struct capos_server_call *call, enum node_kind kind)
{
    struct node *node = node_get(call->word);
    if (node != nullptr && node->kind == kind)
        return node;
    if (node != nullptr) // never: the word comes from the kernel, with its interface
        capos_panic("hostfs: a %u was called as a %u", node->kind, kind);
    capos_server_fail(call, STATUS_DISCONNECTED, "the object is gone");
    return nullptr;
}

bool called_narrowed(struct worker *worker, struct capos_server_call *call, enum node_kind kind,
                     uint64_t interface_id, struct capos_transfer *out_transfer)
{
    capos_cap_id cap;
    struct node *node = called_node(call, kind);
    if (node == nullptr)
        return false;
    enum status status = object_mint(node, interface_id, &cap);
    node_put(worker->exchange, node);
    if (status != STATUS_OK) {
        fail_memory(call);
        return false;
    }
    *out_transfer = capos_transfer_move(cap);
    return true;
}

struct node *given_node(struct capos_server_call *call, uint32_t index, enum node_kind kind,
                        uint64_t *out_interface)
{
    uint64_t word;
    if (index >= call->cap_count ||
        endpoint_identify(endpoint, call->caps[index].cap, &word, out_interface) != STATUS_OK)
        return nullptr;
    struct node *node = node_get(word);
    if (node == nullptr || node->kind == kind)
        return node;
    struct worker *worker = call->server->context;
    node_put(worker->exchange, node);
    return nullptr;
}

// ---- Calls -------------------------------------------------------------------------

// What is only for reading has the first methods of what isn't, with messages of the same
// layout: the call is carried out as one on the wide interface.
static bool widen(struct capos_server_call *call, uint16_t last_method, uint64_t interface_id)
{
    if (call->method > last_method) {
        capos_server_fail(call, STATUS_UNIMPLEMENTED, "there is no such method");
        return false;
    }
    call->interface_id = interface_id;
    return true;
}
static_assert(READ_ONLY_DIRECTORY_METHOD_INFO == DIRECTORY_METHOD_INFO &&
              READ_ONLY_FILE_METHOD_CREATE_BUFFER == FILE_METHOD_CREATE_BUFFER);

static void on_call(void *context, struct capos_server_call *call)
{
    switch (call->interface_id) {
    case INTERFACE_DIRECTORY:
        directory_serve(&directory_ops, context, call);
        break;
    case INTERFACE_READ_ONLY_DIRECTORY:
        if (widen(call, READ_ONLY_DIRECTORY_METHOD_INFO, INTERFACE_DIRECTORY))
            directory_serve(&directory_ops, context, call);
        break;
    case INTERFACE_FILE:
        file_serve(&file_ops, context, call);
        break;
    case INTERFACE_READ_ONLY_FILE:
        if (widen(call, READ_ONLY_FILE_METHOD_CREATE_BUFFER, INTERFACE_FILE))
            file_serve(&file_ops, context, call);
        break;
    case INTERFACE_FILE_BUFFER:
        file_buffer_serve(&buffer_ops, context, call);
        break;
    default:
        capos_server_fail(call, STATUS_UNIMPLEMENTED, "hostfs serves directories and files");
        break;
    }
}

static void on_released(void *context, uint64_t word)
{
    struct worker *worker = context;
    object_released(worker->exchange, word);
}

// ---- Workers -----------------------------------------------------------------------

static void worker_run(struct worker *worker)
{
    static const struct capos_server_handlers handlers = {.on_call = on_call,
                                                          .on_released = on_released};
    enum status status =
        capos_server_start(&worker->server, endpoint.id, &handlers, worker,
                           &(struct capos_server_options){
                               .receive_count = 1, .message_bytes_max = MESSAGE_BYTES_MAX});
    if (status != STATUS_OK)
        capos_panic("hostfs: can't start to serve: %s", status_name(status));
    capos_loop_run();
}

static int worker_main(void *argument)
{
    worker_run(argument);
    return 0;
}

// A worker for each exchange; the last one is this thread's.
static void workers_start(void)
{
    struct exchange *exchange = device_exchange_take();
    for (;;) {
        struct exchange *next = device_exchange_take();
        struct worker *worker = calloc(1, sizeof *worker);
        struct capos_thread *thread;
        if (worker == nullptr)
            capos_panic("hostfs: out of memory");
        worker->exchange = exchange;
        if (next == nullptr) {
            worker_run(worker);
            return;
        }
        enum status status = capos_thread_create(&thread, worker_main, worker, nullptr);
        if (status != STATUS_OK)
            capos_panic("hostfs: can't start a thread: %s", status_name(status));
        capos_thread_detach(thread);
        exchange = next;
    }
}

int main(int argc, char **argv)
{
    if (argc != 2)
        capos_panic("hostfs: needs the mount tag of its device as its argument");
    if (endpoint_cap_find("endpoint", &endpoint) != STATUS_OK)
        capos_panic("hostfs: needs its endpoint");
    uint64_t inode;
    uint32_t fid = device_start(argv[1], &inode);
    objects_init(endpoint, fid, inode);
    workers_start();
    return 0;
}
