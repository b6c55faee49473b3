// SPDX-License-Identifier: MIT
// The end of a program that cannot go on.
#pragma once

// Writes "panic: " and the message to the emergency console if the program holds one
// ("console"), else to the error stream of its "stdio", and ends the process with a fault
// that its parent reads from the ProcessHandle.  What stdout has buffered is lost.
[[noreturn]] void capos_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
