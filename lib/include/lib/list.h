// SPDX-License-Identifier: MIT
// Intrusive doubly linked lists: the links are inside the elements, so that putting an
// element into a list never allocates and never fails.
//
// A list is a circle through its head.  The links of an element that is in no list are
// null, which list_remove restores and zeroed storage has.
//
// Invariants:
//  1. For each link l in a list: l->next->previous == l and l->previous->next == l.
//  2. An element is in at most one list through one link.
//
// Every function takes constant time except list_count.  Tested in lib/list_test.c.
#pragma once

#include <stdint.h>

#include <lib/container_of.h>

struct list_link {
    struct list_link *next;
    struct list_link *previous;
};

struct list {
    struct list_link head; // next: first element, previous: last; itself when empty
};

// An empty list.  Its head is linked to itself, so a list can't be moved or copied.
static inline void list_init(struct list *list)
{
    list->head = (struct list_link){.next = &list->head, .previous = &list->head};
}

[[nodiscard]] static inline bool list_empty(const struct list *list)
{
    return list->head.next == &list->head;
}

// Whether an element is in a list.
[[nodiscard]] static inline bool list_linked(const struct list_link *link)
{
    return link->next != nullptr;
}

// Puts an element that is in no list before one that is in some.
static inline void list_insert_before(struct list_link *position, struct list_link *link)
{
    link->next = position;
    link->previous = position->previous;
    position->previous->next = link;
    position->previous = link;
}

static inline void list_push_back(struct list *list, struct list_link *link)
{
    list_insert_before(&list->head, link);
}

static inline void list_push_front(struct list *list, struct list_link *link)
{
    list_insert_before(list->head.next, link);
}

// Takes an element out of the list that it is in.
static inline void list_remove(struct list_link *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    *link = (struct list_link){};
}

// The first and the last element; nullptr when the list is empty.
// The same for a link whose next use begins with an insertion: until then list_linked means
// nothing.
static inline void list_unlink(const struct list_link *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
}

[[nodiscard]] static inline struct list_link *list_first(const struct list *list)
{
    return list_empty(list) ? nullptr : list->head.next;
}

[[nodiscard]] static inline struct list_link *list_last(const struct list *list)
{
    return list_empty(list) ? nullptr : list->head.previous;
}

// The neighbours of an element of this list; nullptr behind its last or before its first.
[[nodiscard]] static inline struct list_link *list_next(const struct list *list,
                                                        const struct list_link *link)
{
    return link->next == &list->head ? nullptr : link->next;
}

[[nodiscard]] static inline struct list_link *list_previous(const struct list *list,
                                                            const struct list_link *link)
{
    return link->previous == &list->head ? nullptr : link->previous;
}

// Takes the first element out and returns it; nullptr when the list is empty.
[[nodiscard]] static inline struct list_link *list_pop_front(struct list *list)
{
    struct list_link *link = list_first(list);
    if (link != nullptr)
        list_remove(link);
    return link;
}

// The number of elements, by counting them.
[[nodiscard]] static inline uint64_t list_count(const struct list *list)
{
    uint64_t count = 0;
    for (const struct list_link *link = list->head.next; link != &list->head; link = link->next)
        count++;
    return count;
}

// Moves all elements of `from` behind those of `to`.
static inline void list_append_all(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    from->head.next->previous = to->head.previous;
    to->head.previous->next = from->head.next;
    from->head.previous->next = &to->head;
    to->head.previous = from->head.previous;
    list_init(from);
}

// Visits each element: `variable` is declared as a pointer to the structure `type` that
// contains the link `member`.  The body may remove the element that it visits and no
// other; break and continue work as in any loop.
#define LIST_FOR_EACH(variable, list, type, member)                       \
    for (type *variable = LIST_FIRST(list, type, member),                 \
              *variable##_next = LIST_NEXT(list, variable, type, member); \
         variable != nullptr; variable = variable##_next,                 \
              variable##_next = LIST_NEXT(list, variable, type, member))

// The first element as a structure, and the one behind `element`; nullptr at the end.
#define LIST_FIRST(list, type, member) container_of_or_null(list_first(list), type, member)
#define LIST_NEXT(list, element, type, member) \
    ((element) == nullptr                      \
         ? nullptr                             \
         : container_of_or_null(list_next((list), &(element)->member), type, member))
