// SPDX-License-Identifier: MIT
// Prints its arguments, its environment and the names of its capabilities, one per line.
#include <capos/capset.h>
#include <capos/process.h>

#include <gen/interfaces.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        printf("argument %d: %s\n", i, argv[i]);
    for (char **string = capos_environment(); *string != nullptr; string++)
        printf("environment: %s\n", *string);
    for (uint32_t i = 0; i < capos_capset_count(); i++) {
        const struct capos_capset_entry *entry = capos_capset_at(i);
        printf("capability: %s %s\n", entry->name, interface_name(entry->interface_id));
    }
    return 0;
}
