// SPDX-License-Identifier: MIT
// Lists of names; see names.h.
#include "names.h"

#include <string.h>

bool names_next(struct wire_text *list, struct wire_text *out_name)
{
    if (list->size_bytes == 0)
        return false;
    const char *end = memchr(list->text, '\n', list->size_bytes);
    uint32_t name_bytes = end != nullptr ? (uint32_t)(end - list->text) : list->size_bytes;
    uint32_t line_bytes = end != nullptr ? name_bytes + 1 : name_bytes;
    *out_name = (struct wire_text){.text = list->text, .size_bytes = name_bytes};
    list->text += line_bytes;
    list->size_bytes -= line_bytes;
    return true;
}

static bool is_same(struct wire_text a, struct wire_text b)
{
    return a.size_bytes == b.size_bytes && memcmp(a.text, b.text, a.size_bytes) == 0;
}

bool names_contain(struct wire_text list, struct wire_text name)
{
    struct wire_text each;
    while (names_next(&list, &each))
        if (is_same(each, name))
            return true;
    return false;
}

bool names_are_among(struct wire_text list, struct wire_text allowed, struct wire_text *out_bad)
{
    while (names_next(&list, out_bad))
        if (out_bad->size_bytes == 0 || !names_contain(allowed, *out_bad) ||
            names_contain(list, *out_bad))
            return false;
    return true;
}
