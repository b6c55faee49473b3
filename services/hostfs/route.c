// SPDX-License-Identifier: MIT
// Names of paths and of symlinks; see route.h.
#include "route.h"

#include <string.h>

static bool is_dots(const uint8_t *bytes, uint32_t size_bytes, uint32_t dots)
{
    return size_bytes == dots && memcmp(bytes, "..", dots) == 0;
}

// The size of the name at the front: up to a slash or the end.
static uint32_t name_bytes(const uint8_t *bytes, uint32_t size_bytes)
{
    const uint8_t *slash = memchr(bytes, '/', size_bytes);
    return slash != nullptr ? (uint32_t)(slash - bytes) : size_bytes;
}

static bool is_plain(const uint8_t *name, uint32_t size_bytes)
{
    return size_bytes != 0 && size_bytes <= ROUTE_NAME_BYTES_MAX &&
           memchr(name, 0, size_bytes) == nullptr && !is_dots(name, size_bytes, 1) &&
           !is_dots(name, size_bytes, 2);
}

bool route_init(struct route *path, const uint8_t *bytes, uint32_t size_bytes)
{
    path->count = 0;
    path->symlinks = 0;
    path->text_bytes = 0;
    if (size_bytes == 0)
        return true;
    if (size_bytes > ROUTE_CLIENT_BYTES_MAX)
        return false;
    for (;;) {
        uint32_t name = name_bytes(bytes, size_bytes);
        if (path->count == ROUTE_CLIENT_NAMES_MAX || !is_plain(bytes, name))
            return false;
        path->names[path->count++] = (struct route_name){bytes, name};
        if (name == size_bytes)
            return true;
        bytes += name + 1, size_bytes -= name + 1;
    }
}

// The names of a symlink: empty ones and `.` mean nothing.  False: there are too many, or one
// is too long to be there.
static bool target_split(const uint8_t *text, uint32_t size_bytes, struct route_name *out_names,
                         uint32_t names_max, uint32_t *out_count)
{
    uint32_t count = 0;
    while (size_bytes > 0) {
        uint32_t name = name_bytes(text, size_bytes);
        if (name != 0 && !is_dots(text, name, 1)) {
            if (count == names_max || name > ROUTE_NAME_BYTES_MAX)
                return false;
            out_names[count++] = (struct route_name){text, name};
        }
        uint32_t gone = name == size_bytes ? name : name + 1;
        text += gone, size_bytes -= gone;
    }
    *out_count = count;
    return true;
}

enum route_outcome route_follow(struct route *path, uint32_t index, const uint8_t *target,
                                uint32_t size_bytes)
{
    struct route_name names[ROUTE_NAMES_MAX];
    uint32_t count, behind = path->count - index - 1;
    if (size_bytes > 0 && target[0] == '/')
        return ROUTE_OUTSIDE;
    if (path->symlinks == ROUTE_SYMLINKS_MAX ||
        size_bytes > sizeof path->text - path->text_bytes)
        return ROUTE_TOO_MANY;
    uint8_t *text = path->text + path->text_bytes;
    memcpy(text, target, size_bytes);
    if (!target_split(text, size_bytes, names, ROUTE_NAMES_MAX - (path->count - 1), &count))
        return ROUTE_TOO_MANY;
    path->symlinks++;
    path->text_bytes += size_bytes;
    memmove(&path->names[index + count], &path->names[index + 1], behind * sizeof *names);
    memcpy(&path->names[index], names, count * sizeof *names);
    path->count = index + count + behind;
    return ROUTE_OK;
}

bool route_is_up(const struct route *path, uint32_t index)
{
    return is_dots(path->names[index].bytes, path->names[index].size_bytes, 2);
}

enum route_outcome route_up(struct route *path, uint32_t index)
{
    if (index == 0)
        return ROUTE_OUTSIDE;
    memmove(&path->names[index - 1], &path->names[index + 1],
            (path->count - index - 1) * sizeof *path->names);
    path->count -= 2;
    return ROUTE_OK;
}
