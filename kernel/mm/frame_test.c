// SPDX-License-Identifier: MIT
// Tests of frame.c: random runs against a map of all pages as model.
#include <kernel/mm/frame.h>

#include <kernel/mm/mm_test.h>

constexpr uint64_t RAM_BYTES = (uint64_t)8 << 20;
constexpr unsigned PAGE_COUNT = RAM_BYTES / PAGE_BYTES;

static uint8_t in_use[PAGE_COUNT]; // the model
static bool usable[PAGE_COUNT];    // in a range given to frame_init

static unsigned page_of(paddr_t frame)
{
    return (unsigned)((frame - HOST_RAM_BASE) / PAGE_BYTES);
}

// Several ranges with holes between them, of odd sizes, one of them too small to use.
static struct boot_info ranges_with_holes(void)
{
    static const struct {
        unsigned first, count;
    } pieces[] = {{1, 3}, {7, 1}, {9, 700}, {711, 64}, {1024, 1024}};
    struct boot_info info;
    host_machine_init(RAM_BYTES, 1, &info);
    info.ram_count = 0;
    memset(usable, 0, sizeof usable);
    memset(in_use, 0, sizeof in_use);
    for (unsigned i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        info.ram[info.ram_count++] =
            (struct boot_range){.base = HOST_RAM_BASE + pieces[i].first * PAGE_BYTES,
                                .size_bytes = pieces[i].count * PAGE_BYTES};
        for (unsigned page = pieces[i].first; page < pieces[i].first + pieces[i].count; page++)
            usable[page] = true;
    }
    return info;
}

// Marks a run in the model and in memory.
static void run_use(paddr_t run, unsigned order)
{
    CHECK_EQ(run % (PAGE_BYTES << order), 0);
    for (unsigned i = 0; i < 1u << order; i++) {
        unsigned page = page_of(run) + i;
        CHECK(usable[page] && !in_use[page]);
        in_use[page] = true;
        memset(arch_frame_pointer(run + i * PAGE_BYTES), (int)(page & 0xff), PAGE_BYTES);
    }
}

static void run_put(paddr_t run, unsigned order)
{
    for (unsigned i = 0; i < 1u << order; i++) {
        unsigned page = page_of(run) + i;
        const uint8_t *bytes = arch_frame_pointer(run + i * PAGE_BYTES);
        CHECK(bytes[0] == (page & 0xff) && bytes[PAGE_BYTES - 1] == (page & 0xff));
        in_use[page] = false;
        frame_put(run + i * PAGE_BYTES);
    }
}

// Takes all runs of an order that can be had; returns how many.
static unsigned runs_taken(unsigned order, paddr_t runs[PAGE_COUNT])
{
    unsigned count = 0;
    while ((runs[count] = frame_get(order)) != 0)
        count++;
    return count;
}

// How many runs of an order can be had at once; none stays taken.
static unsigned runs_available(unsigned order)
{
    static paddr_t runs[PAGE_COUNT];
    unsigned count = 0;
    while ((runs[count] = frame_get(order)) != 0)
        run_use(runs[count++], order);
    for (unsigned i = 0; i < count; i++)
        run_put(runs[i], order);
    return count;
}

static void frame_init_manages_all_ranges_but_their_arrays(void)
{
    struct boot_info info = ranges_with_holes();
    frame_init(&info);
    // One page of array each for 3, 64 pages; three for 700, four for 1024.
    CHECK_EQ(frame_total_count(), 2 + 697 + 63 + 1020);
    CHECK_EQ(frame_free_count(), frame_total_count());
    CHECK_EQ(runs_available(0), frame_total_count());
    CHECK_EQ(frame_free_count(), frame_total_count());
}

static void frame_runs_are_aligned_disjoint_and_join_again(void)
{
    struct boot_info info = ranges_with_holes();
    frame_init(&info);
    unsigned available[FRAME_ORDER_MAX + 1];
    for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++)
        available[order] = runs_available(order);
    CHECK(available[9] >= 1);

    struct {
        paddr_t run;
        unsigned order;
    } held[400];
    unsigned count = 0;
    uint64_t used = 0;
    random_state = 3;
    for (unsigned step = 0; step < 20000 && !test_this_failed; step++) {
        if (count < 400 && random_below(100) < 52) {
            unsigned order = (unsigned)__builtin_ctzll(random_next() | 1u << 6);
            paddr_t run = frame_get(order);
            if (run == 0)
                continue;
            run_use(run, order);
            held[count].run = run;
            held[count++].order = order;
            used += (uint64_t)1 << order;
        } else if (count > 0) {
            unsigned at = (unsigned)random_below(count);
            run_put(held[at].run, held[at].order);
            used -= (uint64_t)1 << held[at].order;
            held[at] = held[--count];
        }
        CHECK_EQ(frame_free_count(), frame_total_count() - used);
    }
    while (count > 0) {
        count--;
        run_put(held[count].run, held[count].order);
    }
    for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++)
        CHECK_EQ(runs_available(order), available[order]);
}

static void frame_put_frees_at_the_last_reference(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    (void)root;
    uint64_t before = frame_free_count();
    paddr_t frame = frame_get(0);
    frame_ref(frame);
    frame_ref(frame);
    frame_put(frame);
    frame_put(frame);
    CHECK_EQ(frame_free_count(), before - 1);
    frame_put(frame);
    CHECK_EQ(frame_free_count(), before);
}

static void frame_references_outside_managed_ram_are_ignored(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    (void)root;
    uint64_t before = frame_free_count();
    static const paddr_t outside[] = {0, HOST_RAM_BASE, HOST_RAM_BASE + RAM_BYTES,
                                      (paddr_t)1 << 45, ~(PAGE_BYTES - 1)};
    for (unsigned i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        CHECK(frame_lookup(outside[i]) == nullptr);
        frame_ref(outside[i]);
        frame_put(outside[i]);
    }
    CHECK_EQ(frame_free_count(), before);
}

static void frame_get_zeroed_clears_what_was_there(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    (void)root;
    paddr_t dirty = frame_get(3);
    memset(arch_frame_pointer(dirty), 0xaa, PAGE_BYTES << 3);
    for (unsigned i = 0; i < 8; i++)
        frame_put(dirty + i * PAGE_BYTES);
    for (paddr_t run; (run = frame_get_zeroed(3)) != 0;) {
        const uint64_t *words = arch_frame_pointer(run);
        uint64_t all = 0;
        for (unsigned i = 0; i < (PAGE_BYTES << 3) / 8; i++)
            all |= words[i];
        CHECK_EQ(all, 0);
    }
}

static bool is_zero(paddr_t frame)
{
    const uint64_t *words = arch_frame_pointer(frame);
    uint64_t all = 0;
    for (unsigned i = 0; i < PAGE_BYTES / 8; i++)
        all |= words[i];
    return all == 0;
}

// Every frame goes through the caches while CPUs idle, dirty or clear.
static void frames_that_are_cleared_in_advance_are_zero_and_never_lost(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    (void)root;
    uint64_t total = frame_free_count();
    random_state = 5;
    static paddr_t held[PAGE_COUNT];
    unsigned count = 0;
    for (unsigned step = 0; step < 20000 && !test_this_failed; step++) {
        unsigned what = (unsigned)random_below(4);
        paddr_t frame = 0;
        if (what == 0)
            frame_idle();
        else if (what == 1 && (frame = frame_get_zeroed(0)) != 0)
            CHECK(is_zero(frame));
        else if (what == 2)
            frame = frame_get(0);
        else if (count > 0)
            frame_put(held[--count]);
        if (frame != 0) {
            memset(arch_frame_pointer(frame), 0xaa, PAGE_BYTES);
            held[count++] = frame;
        }
        CHECK_EQ(frame_free_count(), total - count);
    }
    while (count > 0)
        frame_put(held[--count]);
    frame_idle();
    CHECK_EQ(runs_taken(0, held), total); // those in the caches too
}

// What one CPU has put, another gets when nothing else is left, and as long runs.
static void frames_in_the_cache_of_another_cpu_can_be_had(void)
{
    static struct boot_info info;
    static paddr_t frames[PAGE_COUNT], runs[PAGE_COUNT];
    host_machine_init(RAM_BYTES, 2, &info);
    frame_init(&info);
    uint64_t total = frame_free_count();
    unsigned large = runs_taken(FRAME_ORDER_MAX, runs);
    for (unsigned i = 0; i < large; i++)
        frame_put_run(runs[i], FRAME_ORDER_MAX);
    CHECK(large > 0);

    CHECK_EQ(runs_taken(0, frames), total);
    host_cpu_use(1);
    for (unsigned i = 0; i < total; i++)
        frame_put(frames[i]);
    frame_idle();
    frame_put_run(frame_get(FRAME_RUN_ORDER), FRAME_RUN_ORDER);
    host_cpu_use(0);
    CHECK_EQ(runs_taken(FRAME_ORDER_MAX, runs), large);
    for (unsigned i = 0; i < large; i++)
        frame_put_run(runs[i], FRAME_ORDER_MAX);
    CHECK_EQ(runs_taken(0, frames), total);
}

static void frame_address_is_the_inverse_of_the_pointer(void)
{
    struct boot_info info = ranges_with_holes();
    frame_init(&info);
    for (paddr_t frame; (frame = frame_get(0)) != 0;) {
        const uint8_t *pointer = arch_frame_pointer(frame);
        CHECK_EQ(frame_address(pointer), frame);
        CHECK_EQ(frame_address(pointer + PAGE_BYTES - 1), frame + PAGE_BYTES - 1);
    }
}

static void frame_range_is_ram_for_every_overlap(void)
{
    static struct boot_info info;
    host_machine_init(RAM_BYTES, 1, &info);
    info.reserved_count = 1;
    info.reserved[0] = (struct boot_range){.base = 0x10000000, .size_bytes = 0x1000000};
    info.package = (struct boot_range){.base = 0x20000000, .size_bytes = PAGE_BYTES};
    frame_init(&info);
    CHECK(frame_range_is_ram(0x10000000, PAGE_BYTES));
    CHECK(frame_range_is_ram(0x10fff000, PAGE_BYTES));
    CHECK(!frame_range_is_ram(0x11000000, PAGE_BYTES));
    CHECK(!frame_range_is_ram(0x0ffff000, PAGE_BYTES));
    CHECK(frame_range_is_ram(0x0ffff000, 2 * PAGE_BYTES));
    CHECK(frame_range_is_ram(0x08000000, 0x40000000));
    CHECK(frame_range_is_ram(0x20000000, PAGE_BYTES));
    CHECK(frame_range_is_ram(HOST_RAM_BASE, PAGE_BYTES));
    CHECK(frame_range_is_ram(0, PAGE_BYTES));
    CHECK(frame_range_is_ram(0, UINT64_MAX));
    CHECK(frame_range_is_ram(PAGE_BYTES, UINT64_MAX));
    CHECK(!frame_range_is_ram(0xfee00000, PAGE_BYTES));
    CHECK(!frame_range_is_ram(~(PAGE_BYTES - 1), PAGE_BYTES));
}

int main(void)
{
    RUN(frame_init_manages_all_ranges_but_their_arrays);
    RUN(frame_runs_are_aligned_disjoint_and_join_again);
    RUN(frame_put_frees_at_the_last_reference);
    RUN(frame_references_outside_managed_ram_are_ignored);
    RUN(frame_get_zeroed_clears_what_was_there);
    RUN(frames_that_are_cleared_in_advance_are_zero_and_never_lost);
    RUN(frames_in_the_cache_of_another_cpu_can_be_had);
    RUN(frame_address_is_the_inverse_of_the_pointer);
    RUN(frame_range_is_ram_for_every_overlap);
    return test_report();
}
