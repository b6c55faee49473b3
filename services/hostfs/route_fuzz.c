// SPDX-License-Identifier: MIT
// Fuzzes routes with hostile paths and symlinks: whatever they say, there are plain names and
// `..` only, none is taken off that wasn't gone, and it ends.
//
// The input is the client's path, behind a byte with its length, and then what the host says
// of each name that is met: a byte that makes it a directory or a symlink, and the bytes of
// that, behind their length.
#include "route.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

// A name that can be asked for: nothing that a host would take for more than a name.
static void check_name(const struct route_name *name)
{
    require(name->size_bytes >= 1 && name->size_bytes <= ROUTE_NAME_BYTES_MAX);
    require(memchr(name->bytes, '/', name->size_bytes) == nullptr);
    require(!is_dots(name->bytes, name->size_bytes, 1));
}

static void check(const struct route *route)
{
    require(route->count <= ROUTE_NAMES_MAX && route->symlinks <= ROUTE_SYMLINKS_MAX);
    for (uint32_t i = 0; i < route->count; i++)
        check_name(&route->names[i]);
}

// Goes the route as resolve.c does.
static void walk(struct route *route, const uint8_t *data, size_t size)
{
    uint32_t gone = 0, depth = 0;
    while (gone < route->count && size > 1) {
        bool is_symlink = data[0] % 2 == 1;
        size_t bytes = data[1];
        data += 2, size -= 2;
        bytes = bytes < size ? bytes : size;
        if (route_is_up(route, gone)) {
            if (route_up(route, gone) != ROUTE_OK)
                return;
            require(depth > 0);
            depth--, gone--;
        } else if (is_symlink) {
            if (route_follow(route, gone, data, (uint32_t)bytes) != ROUTE_OK)
                return;
        } else {
            depth++, gone++;
        }
        check(route);
        data += bytes, size -= bytes;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct route route;
    if (size == 0)
        return 0;
    size_t bytes = data[0];
    data++, size--;
    bytes = bytes < size ? bytes : size;
    if (!route_init(&route, data, (uint32_t)bytes))
        return 0;
    check(&route);
    for (uint32_t i = 0; i < route.count; i++)
        require(!route_is_up(&route, i) &&
                memchr(route.names[i].bytes, 0, route.names[i].size_bytes) == nullptr);
    walk(&route, data + bytes, size - bytes);
    return 0;
}
