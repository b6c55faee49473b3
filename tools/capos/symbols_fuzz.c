// SPDX-License-Identifier: MIT
// Fuzzes the reading of symbol tables: the first 8 bytes are the address that is looked
// for, the rest is the file.
#include "symbols.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t address;
    struct symbol symbol;
    if (size < sizeof address)
        return 0;
    memcpy(&address, data, sizeof address);
    if (symbol_find(data + sizeof address, size - sizeof address, address, &symbol))
        assert(strlen(symbol.name) > 0 && symbol.offset <= address);
    return 0;
}
