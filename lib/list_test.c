// SPDX-License-Identifier: MIT
// Tests of lib/list.h: random operations against an array as model.
#include <lib/list.h>
#include <test/test.h>

#include <stdlib.h>

struct item {
    unsigned number;
    struct list_link link;
};

constexpr unsigned ITEM_COUNT = 40;

static uint64_t random_state = 1;

static unsigned random_below(unsigned bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((random_state >> 33) % bound);
}

// Whether the list is sound and holds exactly these items in this order.
static void check_equal(const struct list *list, struct item *const *model, unsigned count)
{
    CHECK_EQ(list_count(list), count);
    CHECK_EQ(list_empty(list), count == 0);
    CHECK(list_first(list) == (count == 0 ? nullptr : &model[0]->link));
    CHECK(list_last(list) == (count == 0 ? nullptr : &model[count - 1]->link));
    unsigned index = 0;
    LIST_FOR_EACH(item, list, struct item, link)
    {
        CHECK(index < count && model[index] == item);
        CHECK(item->link.next->previous == &item->link);
        CHECK(item->link.previous->next == &item->link);
        CHECK(list_next(list, &item->link) ==
              (index + 1 == count ? nullptr : &model[index + 1]->link));
        CHECK(list_previous(list, &item->link) ==
              (index == 0 ? nullptr : &model[index - 1]->link));
        index++;
    }
    CHECK_EQ(index, count);
}

static void list_behaves_as_the_model_under_random_operations(void)
{
    struct item items[ITEM_COUNT] = {};
    struct item *model[ITEM_COUNT];
    unsigned count = 0;
    struct list list;
    list_init(&list);

    for (unsigned step = 0; step < 20000 && !test_this_failed; step++) {
        struct item *item = &items[random_below(ITEM_COUNT)];
        unsigned position = random_below(count + 1);
        if (list_linked(&item->link)) {
            unsigned at = 0;
            while (model[at] != item)
                at++;
            if (at == 0 && random_below(2) == 0)
                CHECK(list_pop_front(&list) == &item->link);
            else
                list_remove(&item->link);
            memmove(&model[at], &model[at + 1], (count - at - 1) * sizeof model[0]);
            count--;
            CHECK(!list_linked(&item->link));
        } else {
            if (position == count)
                list_push_back(&list, &item->link);
            else if (position == 0)
                list_push_front(&list, &item->link);
            else
                list_insert_before(&model[position]->link, &item->link);
            memmove(&model[position + 1], &model[position],
                    (count - position) * sizeof model[0]);
            model[position] = item;
            count++;
        }
        check_equal(&list, model, count);
    }
}

static void list_pop_front_of_an_empty_list_is_null(void)
{
    struct list list;
    list_init(&list);
    CHECK(list_pop_front(&list) == nullptr);
    CHECK(list_first(&list) == nullptr);
    CHECK(list_last(&list) == nullptr);
}

static void list_append_all_moves_every_element_in_order(void)
{
    struct item items[6] = {};
    struct item *model[6];
    struct list to, from;
    for (unsigned split = 0; split <= 6; split++) {
        list_init(&to);
        list_init(&from);
        for (unsigned i = 0; i < 6; i++) {
            model[i] = &items[i];
            list_push_back(i < split ? &to : &from, &items[i].link);
        }
        list_append_all(&to, &from);
        check_equal(&to, model, 6);
        CHECK(list_empty(&from));
    }
}

static void list_for_each_allows_removing_the_visited_element_and_break(void)
{
    struct item items[5] = {};
    struct list list;
    list_init(&list);
    for (unsigned i = 0; i < 5; i++) {
        items[i].number = i;
        list_push_back(&list, &items[i].link);
    }
    unsigned visited = 0;
    LIST_FOR_EACH(item, &list, struct item, link)
    {
        visited++;
        if (item->number == 1)
            continue;
        if (item->number == 3)
            break;
        list_remove(&item->link);
    }
    CHECK_EQ(visited, 4);
    struct item *left[] = {&items[1], &items[3], &items[4]};
    check_equal(&list, left, 3);
}

int main(void)
{
    RUN(list_behaves_as_the_model_under_random_operations);
    RUN(list_pop_front_of_an_empty_list_is_null);
    RUN(list_append_all_moves_every_element_in_order);
    RUN(list_for_each_allows_removing_the_visited_element_and_break);
    return test_report();
}
