// SPDX-License-Identifier: MIT
// What a parent hands to a program that is built on libcapos: RDX at the entry
// holds the address of this block, in memory that the parent mapped.  The kernel
// knows nothing of it.
//
// The block, argv and envp strings lie in one read-write mapping, so that a
// program may change its arguments, as C allows.
#pragma once

#include <stdint.h>

#define CAPOS_STARTUP_MAGIC 0x5452415453u // "START" read as little-endian bytes

struct capos_startup {
    uint64_t magic;
    uint64_t block_bytes; // of the whole mapping's used part
    uint64_t image_base;  // where the ELF's lowest segment was loaded
    uint64_t image_bias;  // added to each address in the file
    uint64_t image_bytes; // from image_base to the end of the last segment
    uint64_t tls_file;    // address of the PT_TLS image, 0 without one
    uint64_t tls_file_bytes;
    uint64_t tls_bytes; // with the zero-filled part
    uint64_t tls_alignment;
    uint64_t relro; // address of PT_GNU_RELRO, 0 without one
    uint64_t relro_bytes;
    uint64_t stack_base; // lowest mapped byte of the first stack
    uint64_t stack_bytes;
    uint64_t canary; // random, for the stack protector
    uint64_t argument_count;
    uint64_t arguments;   // address of argument_count + 1 addresses, last 0
    uint64_t environment; // address of addresses of "NAME=value", last 0
};
static_assert(sizeof(struct capos_startup) == 136);
