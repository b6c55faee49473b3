// SPDX-License-Identifier: MIT
// See measure.h.
#include "measure.h"

#include "system.h"

constexpr unsigned REGIONS_MAX = 512;

static struct {
    const char *name;
    unsigned operations;
} regions[REGIONS_MAX];
static unsigned region_count;

static void note(const char *name, unsigned operations)
{
    if (region_count == REGIONS_MAX)
        __builtin_trap();
    regions[region_count].name = name;
    regions[region_count++].operations = operations;
}

void measure_begin(const char *name, unsigned operations)
{
    note(name, operations);
    system_mark_begin();
}

void measure_end(void)
{
    system_mark_end();
}

void measure_note(const char *name, unsigned operations)
{
    for (unsigned batch = 0; batch < MEASURE_BATCHES; batch++)
        note(name, operations);
}

void measure_print(void)
{
    for (unsigned i = 0; i < region_count; i++)
        system_print_region(regions[i].name, regions[i].operations);
}
