// SPDX-License-Identifier: MIT
// Tests of slab.c and budget.c: charges are exact, objects are zeroed, aligned and
// disjoint, and what was charged is always there.
#include <kernel/mm/slab.h>

#include <kernel/mm/mm_test.h>

constexpr uint64_t RAM_BYTES = (uint64_t)8 << 20;

static void slab_objects_are_zeroed_aligned_and_disjoint(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    random_state = 11;
    for (uint32_t size = 1; size <= 4096 && !test_this_failed; size += 1 + size / 9) {
        struct slab_cache cache = SLAB_CACHE_OF("test", size);
        uint8_t *objects[300];
        for (unsigned i = 0; i < 300; i++) {
            objects[i] = slab_get(&cache, root);
            CHECK(objects[i] != nullptr);
            CHECK_EQ((uintptr_t)objects[i] % (size > 96 ? 64 : 32), 0);
            for (uint32_t byte = 0; byte < size; byte++)
                CHECK(objects[i][byte] == 0);
            memset(objects[i], (int)(i % 255 + 1), size);
            // Put some back and get them again, dirty.
            if (random_below(3) == 0) {
                unsigned at = (unsigned)random_below(i + 1);
                slab_put(&cache, root, objects[at]);
                objects[at] = slab_get(&cache, root);
                memset(objects[at], (int)(at % 255 + 1), size);
            }
        }
        CHECK_EQ(cache.live_count, 300);
        for (unsigned i = 0; i < 300; i++) {
            for (uint32_t byte = 0; byte < size; byte++)
                CHECK(objects[i][byte] == i % 255 + 1);
            slab_put(&cache, root, objects[i]);
        }
        CHECK_EQ(cache.live_count, 0);
        mm_check_counts(root, before);
    }
}

static void slab_pages_are_charged_whole_and_uncharged_when_empty(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct slab_cache cache = SLAB_CACHE_OF("test", 1024);
    void *objects[9];
    for (unsigned i = 0; i < 9; i++) {
        objects[i] = slab_get(&cache, root);
        CHECK_EQ(root->kernel_bytes - before.kernel_bytes, (i / 4 + 1) * PAGE_BYTES);
        CHECK_EQ(before.free_frames - frame_free_count(), i / 4 + 1);
    }
    for (unsigned i = 0; i < 9; i++)
        slab_put(&cache, root, objects[i]);
    mm_check_counts(root, before);
}

static void slab_get_fails_when_the_budget_is_exhausted_and_only_then(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct budget *child = budget_split(root, 3 * PAGE_BYTES);
    struct slab_cache cache = SLAB_CACHE_OF("test", 1000);
    void *objects[12];
    for (unsigned i = 0; i < 12; i++) {
        objects[i] = slab_get(&cache, child);
        CHECK(objects[i] != nullptr);
    }
    CHECK(slab_get(&cache, child) == nullptr);
    CHECK_EQ(child->used_bytes, child->limit_bytes);
    slab_put(&cache, child, objects[5]);
    objects[5] = slab_get(&cache, child);
    CHECK(objects[5] != nullptr);
    for (unsigned i = 0; i < 12; i++)
        slab_put(&cache, child, objects[i]);
    CHECK_EQ(child->used_bytes, 0);
    object_put(&child->object);
    mm_check_counts(root, before);
}

static void slab_pages_are_never_shared_by_budgets(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    struct budget *a = budget_split(root, 64 * PAGE_BYTES);
    struct budget *b = budget_split(root, 64 * PAGE_BYTES);
    struct slab_cache cache = SLAB_CACHE_OF("test", 64);
    void *of_a[100], *of_b[100];
    for (unsigned i = 0; i < 100; i++) {
        of_a[i] = slab_get(&cache, a);
        of_b[i] = slab_get(&cache, b);
    }
    for (unsigned i = 0; i < 100; i++)
        for (unsigned k = 0; k < 100; k++)
            CHECK((uintptr_t)of_a[i] / PAGE_BYTES != (uintptr_t)of_b[k] / PAGE_BYTES);
    for (unsigned i = 0; i < 100; i++) {
        slab_put(&cache, a, of_a[i]);
        slab_put(&cache, b, of_b[i]);
    }
    object_put(&a->object);
    object_put(&b->object);
}

static void budget_charge_is_backed_down_to_the_last_frame(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    CHECK_EQ(root->limit_bytes, frame_free_count() * PAGE_BYTES);
    // Objects of mixed sizes in mixed budgets, most of them put again in an order that
    // leaves holes: then every byte that the root still has must be there.
    static struct slab_cache caches[] = {
        SLAB_CACHE_OF("a", 24),
        SLAB_CACHE_OF("b", 100),
        SLAB_CACHE_OF("c", 700),
        SLAB_CACHE_OF("d", 4096),
    };
    static void *objects[4][400];
    struct budget *child = budget_split(root, 500 * PAGE_BYTES);
    for (unsigned c = 0; c < 4; c++)
        for (unsigned i = 0; i < 400; i++)
            objects[c][i] = slab_get(&caches[c], i % 2 == 0 ? root : child);
    for (unsigned c = 0; c < 4; c++)
        for (unsigned i = 0; i < 400; i++)
            if (i % 7 != 0 && objects[c][i] != nullptr) {
                slab_put(&caches[c], i % 2 == 0 ? root : child, objects[c][i]);
                objects[c][i] = nullptr;
            }
    static paddr_t frames[RAM_BYTES / PAGE_BYTES];
    unsigned count = 0;
    struct budget *payers[] = {root, child};
    for (unsigned p = 0; p < 2; p++)
        while (budget_charge(payers[p], CHARGE_USER, PAGE_BYTES) == STATUS_OK) {
            frames[count] = frame_get(0);
            CHECK(frames[count] != 0);
            count++;
        }
    CHECK_EQ(frame_free_count(), 0);

    for (unsigned i = 0; i < count; i++)
        frame_put(frames[i]);
    uint64_t child_pages = (child->used_bytes - child->kernel_bytes) / PAGE_BYTES;
    budget_uncharge(child, CHARGE_USER, child_pages * PAGE_BYTES);
    budget_uncharge(root, CHARGE_USER, (count - child_pages) * PAGE_BYTES);
    for (unsigned c = 0; c < 4; c++)
        for (unsigned i = 0; i < 400; i++)
            if (objects[c][i] != nullptr)
                slab_put(&caches[c], i % 2 == 0 ? root : child, objects[c][i]);
    object_put(&child->object);
    mm_check_counts(root, before);
}

static void kernel_pages_fail_typed_when_no_run_is_left(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    static paddr_t frames[RAM_BYTES / PAGE_BYTES];
    unsigned count = 0;
    while ((frames[count] = frame_get(0)) != 0)
        count++;
    for (unsigned i = 0; i < count; i++)
        if (frames[i] / PAGE_BYTES % 2 == 0)
            frame_put(frames[i]);
    // Half of the memory is free, in single frames.
    CHECK(kernel_pages_get(root, 1) == nullptr);
    CHECK_EQ(root->used_bytes, before.used_bytes);
    uint8_t *page = kernel_pages_get(root, 0);
    CHECK(page != nullptr && page[0] == 0 && page[PAGE_BYTES - 1] == 0);
    kernel_pages_put(root, page, 0);
    for (unsigned i = 0; i < count; i++)
        if (frames[i] / PAGE_BYTES % 2 != 0)
            frame_put(frames[i]);
    uint8_t *pages = kernel_pages_get(root, 4);
    CHECK(pages != nullptr);
    memset(pages, 1, PAGE_BYTES << 4);
    CHECK_EQ(root->kernel_bytes - before.kernel_bytes, PAGE_BYTES << 4);
    kernel_pages_put(root, pages, 4);
    mm_check_counts(root, before);
}

static void budget_refuses_what_exceeds_the_limit(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    uint64_t limit = root->limit_bytes;
    CHECK_EQ(budget_charge(root, CHARGE_USER, limit + PAGE_BYTES), STATUS_OVERLOADED);
    CHECK_EQ(budget_charge(root, CHARGE_USER, ~(PAGE_BYTES - 1)), STATUS_OVERLOADED);
    CHECK_EQ(budget_charge(root, CHARGE_KERNEL, limit), STATUS_OK);
    CHECK_EQ(budget_charge(root, CHARGE_USER, PAGE_BYTES), STATUS_OVERLOADED);
    CHECK_EQ(budget_charge(root, CHARGE_USER, 0), STATUS_OK);
    CHECK_EQ(root->kernel_bytes, limit);
    budget_uncharge(root, CHARGE_KERNEL, limit);
    CHECK_EQ(root->used_bytes, 0);
}

static void budget_split_returns_its_memory_when_the_last_reference_is_gone(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct budget *child = budget_split(root, 100 * PAGE_BYTES);
    struct budget *grandchild = budget_split(child, 50 * PAGE_BYTES);
    CHECK_EQ(root->split_bytes, 100 * PAGE_BYTES);
    CHECK_EQ(child->split_bytes, 50 * PAGE_BYTES);
    // The grandchild keeps the child alive.
    object_put(&child->object);
    CHECK_EQ(root->split_bytes, 100 * PAGE_BYTES);
    CHECK_EQ(budget_charge(grandchild, CHARGE_USER, 50 * PAGE_BYTES), STATUS_OK);
    CHECK_EQ(budget_charge(grandchild, CHARGE_USER, PAGE_BYTES), STATUS_OVERLOADED);
    budget_uncharge(grandchild, CHARGE_USER, 50 * PAGE_BYTES);
    object_put(&grandchild->object);
    mm_check_counts(root, before);
}

static void budget_split_fails_whole(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    CHECK(budget_split(root, root->limit_bytes) == nullptr); // no room for the structure
    CHECK(budget_split(root, ~(PAGE_BYTES - 1)) == nullptr);
    mm_check_counts(root, before);
    struct budget *child = budget_split(root, root->limit_bytes - PAGE_BYTES);
    CHECK(child != nullptr);
    CHECK_EQ(root->used_bytes, root->limit_bytes);
    object_put(&child->object);
    mm_check_counts(root, before);
}

int main(void)
{
    RUN(slab_objects_are_zeroed_aligned_and_disjoint);
    RUN(slab_pages_are_charged_whole_and_uncharged_when_empty);
    RUN(slab_get_fails_when_the_budget_is_exhausted_and_only_then);
    RUN(slab_pages_are_never_shared_by_budgets);
    RUN(budget_charge_is_backed_down_to_the_last_frame);
    RUN(kernel_pages_fail_typed_when_no_run_is_left);
    RUN(budget_refuses_what_exceeds_the_limit);
    RUN(budget_split_returns_its_memory_when_the_last_reference_is_gone);
    RUN(budget_split_fails_whole);
    return test_report();
}
