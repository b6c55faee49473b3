// SPDX-License-Identifier: MIT
// Does what is forbidden, in the way that its argument names: for tests of how a fault is
// reported.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void null_dereference(void)
{
    *(volatile int *)8 = 1;
}

static void write_text(void)
{
    *(volatile uint8_t *)(uintptr_t)write_text = 0;
}

static void execute_data(void)
{
    static uint8_t instructions[] = {0xc3}; // ret
    ((void (*)(void))(uintptr_t)instructions)();
}

static void divide(void)
{
    volatile int zero = 0;
    zero = 1000 / zero;
}

static void illegal(void)
{
    __builtin_trap();
}

static void noncanonical(void)
{
    volatile uint64_t address = UINT64_C(0x8000000000000000);
    (void)*(volatile int *)address;
}

// Goes down as long as `above` says 1, which it always does.
static unsigned deeper(volatile unsigned char *above)
{
    volatile unsigned char frame[1024];
    frame[0] = above[0];
    return frame[0] == 1 ? deeper(frame) + frame[0] : 0;
}

static void stack_overflow(void)
{
    volatile unsigned char first = 1;
    printf("%u\n", deeper(&first));
}

static const struct {
    const char *name;
    void (*function)(void);
} faults[] = {
    {"null", null_dereference}, {"write-text", write_text}, {"execute-data", execute_data},
    {"divide", divide},         {"illegal", illegal},       {"noncanonical", noncanonical},
    {"stack", stack_overflow},  {"abort", abort},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof faults / sizeof faults[0]; i++)
        if (strcmp(faults[i].name, argv[1]) == 0)
            faults[i].function();
    fprintf(stderr, "fault: which? One of:");
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        fprintf(stderr, " %s", faults[i].name);
    fprintf(stderr, "\n");
    return 2;
}
