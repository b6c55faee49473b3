// SPDX-License-Identifier: MIT
// fuzz_wire.c with a planted overflow behind a decoder: a run must find it, or the fuzzing
// of messages doesn't reach what it is for.
#define CANARY
#include "fuzz_wire.c"
