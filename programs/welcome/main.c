// SPDX-License-Identifier: MIT
// What a machine shows that was started without a program: who it is, what this program
// may do here, and how to start something else.
#include <capos/capset.h>

#include <gen/interfaces.h>
#include <stdio.h>

int main(void)
{
    printf("\n"
           "  capOS\n"
           "  A program here can do what the capabilities it was granted let it do.\n"
           "  This one was granted:\n\n");
    for (uint32_t i = 0; i < capos_capset_count(); i++) {
        const struct capos_capset_entry *entry = capos_capset_at(i);
        printf("    %-10s %s\n", entry->name, interface_name(entry->interface_id));
    }
    printf("\n"
           "  The boot command line chooses another program: program=NAME\n\n");
    return 0;
}
