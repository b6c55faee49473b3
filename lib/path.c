// SPDX-License-Identifier: MIT
#include <lib/path.h>

#include <lib/string.h>

enum path_component path_component_kind(struct wire_data component)
{
    const uint8_t *bytes = component.data;
    if (component.size_bytes == 0 || (component.size_bytes == 1 && bytes[0] == '.'))
        return PATH_STAY;
    if (component.size_bytes == 2 && bytes[0] == '.' && bytes[1] == '.')
        return PATH_UP;
    return PATH_NAME;
}

static bool contains(struct wire_data bytes, uint8_t byte)
{
    for (uint32_t i = 0; i < bytes.size_bytes; i++)
        if (bytes.data[i] == byte)
            return true;
    return false;
}

bool path_is_name(struct wire_data name)
{
    return name.size_bytes <= PATH_NAME_BYTES_MAX && path_component_kind(name) == PATH_NAME &&
           !contains(name, 0) && !contains(name, '/');
}

bool path_next(struct wire_data *rest, struct wire_data *out_component)
{
    if (rest->data == nullptr)
        return false;
    uint32_t length = 0;
    while (length < rest->size_bytes && rest->data[length] != '/')
        length++;
    *out_component = (struct wire_data){rest->data, length};
    // Behind a '/' is one more component, if only an empty one.
    *rest = length < rest->size_bytes
                ? (struct wire_data){rest->data + length + 1, rest->size_bytes - length - 1}
                : (struct wire_data){};
    return true;
}

bool path_is_valid(struct wire_data path)
{
    if (path.size_bytes == 0 || path.size_bytes > PATH_BYTES_MAX)
        return false;
    struct wire_data name;
    uint32_t count = 0;
    while (path_next(&path, &name))
        if (++count > PATH_NAMES_MAX || !path_is_name(name))
            return false;
    return true;
}

bool path_is_target(struct wire_data target)
{
    return target.size_bytes > 0 && target.size_bytes <= PATH_BYTES_MAX && !contains(target, 0);
}

// ---- Places ------------------------------------------------------------------------

static uint32_t text_bytes(const char *text)
{
    uint32_t bytes = 0;
    while (text[bytes] != 0)
        bytes++;
    return bytes;
}

static enum path_walk step(char *place, struct wire_data component)
{
    uint32_t bytes = text_bytes(place);
    switch (path_component_kind(component)) {
    case PATH_STAY:
        return PATH_WALKED;
    case PATH_UP:
        if (bytes == 0)
            return PATH_WALKED_OUT;
        while (bytes > 0 && place[bytes] != '/')
            bytes--;
        place[bytes] = 0;
        return PATH_WALKED;
    case PATH_NAME:
        break;
    }
    uint32_t slash = bytes > 0;
    if (component.size_bytes + slash > PATH_BYTES_MAX - bytes)
        return PATH_WALKED_LONG;
    if (slash)
        place[bytes++] = '/';
    memcpy(place + bytes, component.data, component.size_bytes);
    place[bytes + component.size_bytes] = 0;
    return PATH_WALKED;
}

enum path_walk path_walk(char place[PATH_BYTES_MAX + 1], struct wire_data typed)
{
    char at[PATH_BYTES_MAX + 1];
    struct wire_data component;
    bool from_top = typed.size_bytes > 0 && typed.data[0] == '/';
    uint32_t bytes = from_top ? 0 : text_bytes(place);
    memcpy(at, place, bytes);
    at[bytes] = 0;
    while (path_next(&typed, &component)) {
        enum path_walk walked = step(at, component);
        if (walked != PATH_WALKED)
            return walked;
    }
    memcpy(place, at, text_bytes(at) + 1);
    return PATH_WALKED;
}
