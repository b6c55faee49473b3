// SPDX-License-Identifier: MIT
// The table of descriptors.
//
// Invariants:
//  1. An entry holds one reference of its description.
//  2. `table_lock` is over the table alone: nothing is called while it is held, so no call on one
//     descriptor waits for another one.
//
// 0, 1 and 2 are the standard streams, if the program holds "stdio".
#include "descriptor.h"
#include "errno.h"
#include "stream.h"

#include <posix/calls.h>
#include <capos/capset.h>
#include <stdlib.h>

struct descriptor {
    struct open_file *file; // nullptr: free
    bool close_on_exec;
};

static struct descriptor table[DESCRIPTOR_COUNT_MAX];
static struct capos_mutex table_lock;
static bool table_ready;

struct open_file *open_file_create(const struct open_ops *ops, uint32_t flags)
{
    struct open_file *file = calloc(1, sizeof *file);
    if (file == nullptr)
        return nullptr;
    file->ops = ops;
    file->flags = flags;
    file->references = 1;
    return file;
}

void open_file_put(struct open_file *file)
{
    if (file == nullptr || __atomic_sub_fetch(&file->references, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    if (file->ops->close != nullptr)
        file->ops->close(file);
    free(file);
}

// Takes the lock.  The standard streams are there from the first use on.
static void table_take(void)
{
    capos_mutex_lock(&table_lock);
    if (table_ready)
        return;
    table_ready = true;
    for (uint32_t i = 0; i < STREAM_COUNT && stream_present(); i++)
        table[i].file = stream_open(i);
}

static bool in_table(long descriptor)
{
    return descriptor >= 0 && descriptor < DESCRIPTOR_COUNT_MAX;
}

struct open_file *descriptor_get(long descriptor)
{
    if (!in_table(descriptor))
        return nullptr;
    table_take();
    struct open_file *file = table[descriptor].file;
    if (file != nullptr)
        __atomic_add_fetch(&file->references, 1, __ATOMIC_RELAXED);
    capos_mutex_unlock(&table_lock);
    return file;
}

long descriptor_install(struct open_file *file, long from, bool close_on_exec)
{
    table_take();
    long at = from;
    while (at < DESCRIPTOR_COUNT_MAX && table[at].file != nullptr)
        at++;
    if (at < DESCRIPTOR_COUNT_MAX)
        table[at] = (struct descriptor){file, close_on_exec};
    capos_mutex_unlock(&table_lock);
    if (at < DESCRIPTOR_COUNT_MAX)
        return at;
    open_file_put(file);
    return -EMFILE;
}

// Puts a description under a descriptor of its own and returns the one that was there.
static struct open_file *replace(long descriptor, struct open_file *file, bool close_on_exec)
{
    table_take();
    struct open_file *old = table[descriptor].file;
    table[descriptor] = (struct descriptor){file, close_on_exec};
    capos_mutex_unlock(&table_lock);
    return old;
}

long call_close(long descriptor)
{
    if (!in_table(descriptor))
        return -EBADF;
    struct open_file *file = replace(descriptor, nullptr, false);
    open_file_put(file);
    return file == nullptr ? -EBADF : 0;
}

static long duplicate(long descriptor, long from, bool close_on_exec)
{
    struct open_file *file = descriptor_get(descriptor);
    if (file == nullptr)
        return -EBADF;
    if (!in_table(from)) {
        open_file_put(file);
        return -EINVAL;
    }
    return descriptor_install(file, from, close_on_exec);
}

static long duplicate_to(long descriptor, long to, bool close_on_exec)
{
    struct open_file *file = descriptor_get(descriptor);
    if (file == nullptr || !in_table(to)) {
        open_file_put(file);
        return -EBADF;
    }
    if (descriptor == to)
        open_file_put(file);
    else
        open_file_put(replace(to, file, close_on_exec));
    return to;
}

long call_dup(long descriptor)
{
    return duplicate(descriptor, 0, false);
}

long call_dup2(long descriptor, long to)
{
    return duplicate_to(descriptor, to, false);
}

long call_dup3(long descriptor, long to, long flags)
{
    if ((flags & ~(long)O_CLOEXEC) != 0 || descriptor == to)
        return -EINVAL;
    return duplicate_to(descriptor, to, flags != 0);
}

static long close_on_exec(long descriptor, long command, long value)
{
    table_take();
    struct descriptor *entry = &table[descriptor];
    long result = entry->file == nullptr ? -EBADF : 0;
    if (result == 0 && command == F_GETFD)
        result = entry->close_on_exec ? FD_CLOEXEC : 0;
    else if (result == 0)
        entry->close_on_exec = (value & FD_CLOEXEC) != 0;
    capos_mutex_unlock(&table_lock);
    return result;
}

static long status_flags(long descriptor, long command, long value)
{
    struct open_file *file = descriptor_get(descriptor);
    if (file == nullptr)
        return -EBADF;
    constexpr uint32_t CHANGEABLE = O_APPEND | O_NONBLOCK;
    long result = 0;
    capos_mutex_lock(&file->lock);
    if (command == F_GETFL)
        result = file->flags;
    else
        file->flags = (file->flags & ~CHANGEABLE) | ((uint32_t)value & CHANGEABLE);
    capos_mutex_unlock(&file->lock);
    open_file_put(file);
    return result;
}

// Locks of ranges would exclude nobody: other programs aren't asked.  ENOLCK.
long call_fcntl(long descriptor, long command, long value)
{
    if (!in_table(descriptor))
        return -EBADF;
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return duplicate(descriptor, value, command == F_DUPFD_CLOEXEC);
    case F_GETFD:
    case F_SETFD:
        return close_on_exec(descriptor, command, value);
    case F_GETFL:
    case F_SETFL:
        return status_flags(descriptor, command, value);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
        return -ENOLCK;
    default:
        return -EINVAL;
    }
}
