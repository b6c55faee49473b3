// SPDX-License-Identifier: MIT
// Ends with the code that its argument says: exitcode 42
#include <stdlib.h>

int main(int argc, char **argv)
{
    return argc > 1 ? atoi(argv[1]) : 0;
}
