// SPDX-License-Identifier: MIT
// Writes as many bytes as its argument says, in a pattern that shows what is missing: each
// 8-byte word is its own offset.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    static uint64_t words[60 * 1024 / sizeof(uint64_t)];
    uint64_t wanted = argc > 1 ? strtoull(argv[1], nullptr, 10) : 1000000;
    for (uint64_t done = 0; done < wanted;) {
        for (uint64_t i = 0; i < sizeof words / sizeof words[0]; i++)
            words[i] = done + i * sizeof words[0];
        uint64_t piece = wanted - done < sizeof words ? wanted - done : sizeof words;
        if (fwrite(words, 1, piece, stdout) != piece)
            return 1;
        done += piece;
    }
    return 0;
}
