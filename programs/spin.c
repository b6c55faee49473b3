// SPDX-License-Identifier: MIT
// Computes for ever: for tests of time-outs, preemption and kill.

int main(void)
{
    for (volatile unsigned long counter = 0;; counter++)
        ;
}
