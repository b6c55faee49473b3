// SPDX-License-Identifier: MIT
// The first program: ./capos run examples/c/hello.c
#include <stdio.h>

int main(void)
{
    printf("Hello from capOS!\n");
    return 0;
}
