// SPDX-License-Identifier: MIT
// Which machines must be emulated although the host has KVM.
#include "machine.h"

#include <test/test.h>

static bool needs_emulation(const char *const *arguments, uint32_t count)
{
    return machine_needs_emulation(
        &(struct machine_config){.extra_arguments = arguments, .extra_argument_count = count});
}

static void counted_instructions_are_emulated(void)
{
    CHECK(needs_emulation((const char *[]){"-icount", "shift=0,sleep=off"}, 2));
    CHECK(needs_emulation((const char *[]){"-seed", "1", "--icount", "shift=0"}, 4));
    CHECK(needs_emulation((const char *[]){"-plugin", "count.so,out=counts.txt"}, 2));
}

static void who_chooses_an_accelerator_gets_it(void)
{
    CHECK(needs_emulation((const char *[]){"-accel", "tcg"}, 2));
}

static void other_machines_may_use_kvm(void)
{
    CHECK(!needs_emulation(nullptr, 0));
    CHECK(!needs_emulation((const char *[]){"-seed", "1", "icount", "-icounts"}, 4));
}

int main(void)
{
    RUN(counted_instructions_are_emulated);
    RUN(who_chooses_an_accelerator_gets_it);
    RUN(other_machines_may_use_kvm);
    return test_report();
}
