// SPDX-License-Identifier: MIT
// The end of a detached thread and of its stack are one operation of the kernel.
#include "pthread_impl.h"

hidden _Noreturn void __capos_unmap_self(void *, size_t);

void __unmapself(void *base, size_t size)
{
    __capos_unmap_self(base, size);
}
