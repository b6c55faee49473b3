// SPDX-License-Identifier: MIT
// The functions that a C compiler calls on its own accord.  REP string
// instructions are what current CPUs make fastest without vector registers, which the
// kernel doesn't use (Intel optimization manual, 3.7.6).

    .section .text.memory, "ax", @progbits

    .globl memcpy // (to RDI, from RSI, size RDX)
memcpy:
    movq %rdi, %rax
    movq %rdx, %rcx
    shrq $3, %rcx
    rep movsq
    movl %edx, %ecx
    andl $7, %ecx
    rep movsb
    ret

    .globl memmove // (to RDI, from RSI, size RDX)
memmove:
    movq %rdi, %rax
    subq %rsi, %rax // only if `to` is within [from, from + size) is a forward copy wrong
    cmpq %rdx, %rax
    jae memcpy
    movq %rdi, %rax
    leaq -1(%rdi, %rdx), %rdi
    leaq -1(%rsi, %rdx), %rsi
    movq %rdx, %rcx
    std
    rep movsb
    cld
    ret

    .globl memset // (to RDI, value ESI, size RDX)
memset:
    movq %rdi, %r8
    movzbl %sil, %eax
    movabsq $0x0101010101010101, %rcx
    imulq %rcx, %rax
    movq %rdx, %rcx
    shrq $3, %rcx
    rep stosq
    movl %edx, %ecx
    andl $7, %ecx
    rep stosb
    movq %r8, %rax
    ret

    .globl memcmp // (a RDI, b RSI, size RDX)
memcmp:
    xorl %eax, %eax
    movq %rdx, %rcx
    cmpq %rcx, %rcx // equal, in case the size is 0
    repe cmpsb
    je 1f
    movzbl -1(%rdi), %eax
    movzbl -1(%rsi), %ecx
    subl %ecx, %eax
1:  ret

    .globl strlen // (text RDI)
strlen:
    movq $-1, %rax
1:  incq %rax
    cmpb $0, (%rdi, %rax)
    jne 1b
    ret
