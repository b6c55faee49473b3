// SPDX-License-Identifier: MIT
// Devices that are nothing but a way to read and to write:
// /dev/null, zero, full, random and urandom.
//
// They give no authority: random numbers are those of the grant "entropy".  A grant called
// "dev" takes their place.
#include "device.h"

#include "descriptor.h"
#include "errno.h"
#include "process.h"
#include "random.h"

#include <string.h>

struct device {
    const char *path;
    bool random;
    struct open_ops ops;
};

static long read_nothing(struct open_file *file, void *buffer, size_t byte_count)
{
    (void)file;
    (void)buffer;
    (void)byte_count;
    return 0;
}

static long read_zeros(struct open_file *file, void *buffer, size_t byte_count)
{
    (void)file;
    memset(buffer, 0, byte_count);
    return (long)byte_count;
}

static long read_random(struct open_file *file, void *buffer, size_t byte_count)
{
    (void)file;
    return random_fill(buffer, byte_count);
}

static long write_away(struct open_file *file, const void *data, size_t byte_count)
{
    (void)file;
    (void)data;
    return (long)byte_count;
}

static long write_full(struct open_file *file, const void *data, size_t byte_count)
{
    (void)file;
    (void)data;
    return byte_count == 0 ? 0 : -ENOSPC;
}

static long seek_nowhere(struct open_file *file, int64_t offset, long whence)
{
    (void)file;
    (void)offset;
    return whence >= SEEK_SET && whence <= SEEK_END ? 0 : -EINVAL;
}

static long device_status_of(struct open_file *file, struct posix_stat *out_status);

// The operations of a device: `is` names its functions for reading and writing.
#define OPS(is_read, is_write) \
    {.type = S_IFCHR,          \
     .stateless = true,        \
     .read = is_read,          \
     .write = is_write,        \
     .seek = seek_nowhere,     \
     .status = device_status_of}

static const struct device devices[] = {
    {"/dev/null", false, OPS(read_nothing, write_away)},
    {"/dev/zero", false, OPS(read_zeros, write_away)},
    {"/dev/full", false, OPS(read_zeros, write_full)},
    {"/dev/random", true, OPS(read_random, write_away)},
    {"/dev/urandom", true, OPS(read_random, write_away)},
};
constexpr uint32_t DEVICE_COUNT = sizeof devices / sizeof devices[0];

const struct device *device_find(const char *absolute)
{
    for (uint32_t i = 0; i < DEVICE_COUNT; i++)
        if (strcmp(devices[i].path, absolute) == 0)
            return &devices[i];
    return nullptr;
}

void device_status(const struct device *device, struct posix_stat *out_status)
{
    *out_status = (struct posix_stat){
        .st_dev = 1,
        .st_ino = 100 + (uint64_t)(device - devices),
        .st_nlink = 1,
        .st_mode = S_IFCHR | 0666,
        .st_uid = IDENTITY,
        .st_gid = IDENTITY,
        .st_rdev = 100 + (uint64_t)(device - devices),
        .st_blksize = 4096,
    };
}

static long device_status_of(struct open_file *file, struct posix_stat *out_status)
{
    device_status(&devices[file->device], out_status);
    return 0;
}

long device_open(const struct device *device, uint32_t flags)
{
    if ((flags & O_DIRECTORY) != 0)
        return -ENOTDIR;
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
        return -EEXIST;
    if (device->random && !random_present())
        return -EPERM;
    struct open_file *file =
        open_file_create(&device->ops, flags & (O_ACCMODE | O_APPEND | O_NONBLOCK));
    if (file == nullptr)
        return -ENOMEM;
    file->device = (uint32_t)(device - devices);
    return descriptor_install(file, 0, (flags & O_CLOEXEC) != 0);
}
