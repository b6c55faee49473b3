// SPDX-License-Identifier: MIT
// Regions: batches of an operation between two marks.  Their names are printed at the end, in
// their order, so that output isn't measured; the host pairs them with what was counted.
#pragma once

constexpr unsigned MEASURE_BATCHES = 6; // the first warms up; the host leaves it out

// A region's own overhead is the call of the two marks: six instructions a batch.
#define MEASURE(name, operations, operation)                        \
    for (unsigned batch_ = 0; batch_ < MEASURE_BATCHES; batch_++) { \
        measure_begin((name), (operations));                        \
        for (unsigned done_ = 0; done_ < (operations); done_++)     \
            operation;                                              \
        measure_end();                                              \
    }

void measure_begin(const char *name, unsigned operations);
void measure_end(void);
// Another process has marked MEASURE_BATCHES regions.
void measure_note(const char *name, unsigned operations);
void measure_print(void);
