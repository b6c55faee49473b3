// SPDX-License-Identifier: MIT
// Marks for the instruction counter.  See <capos/measure.h>.
#include <capos/measure.h>

// nopl 0xca9b0000(%rax) and nopl 0xca9e0000(%rax); nothing is accessed.
void capos_mark_begin(void)
{
    __asm__ volatile(".byte 0x0f, 0x1f, 0x80, 0x00, 0x00, 0x9b, 0xca" ::: "memory");
}

void capos_mark_end(void)
{
    __asm__ volatile(".byte 0x0f, 0x1f, 0x80, 0x00, 0x00, 0x9e, 0xca" ::: "memory");
}
