# SPDX-License-Identifier: MIT
"""The rows of the table: what each operation is, on capOS and on Linux."""

from dataclasses import dataclass


@dataclass
class Row:
    name: str
    unit: str
    title: str
    capos: str      # what is measured on capOS
    linux: str      # and on Linux


def counted(name, title, capos, linux):
    return Row(name, 'instructions', title, capos, linux)


NO_COUNTERPART = 'there is no such thing'

ROWS = [
    counted('kernel_entry', 'Enter the kernel and return',
            '`cap_enter` with an empty ring', '`getppid`'),
    counted('nop_1', 'One NOP through the ring',
            'written, taken, completed, consumed: an entry each', 'the same by io_uring'),
    counted('nop_32_per_op', 'A NOP in a batch of 32',
            '32 NOPs by one entry, divided by 32', 'the same by io_uring'),
    counted('call_timer_now', 'Call an object of the kernel',
            '`Timer.now` by its typed client', '`clock_gettime` as a system call, without vDSO'),
    counted('ipc_rt_0', 'Call and return between processes, no data',
            'CALL, and RETURN with RECV in one, between two address spaces',
            'an eventfd each way'),
    counted('ipc_rt_32', 'The same with 32 bytes each way',
            'the messages lie in the rings', 'the cheapest of: shared memory with an eventfd '
            'each way, a pipe each way, a Unix socket'),
    counted('ipc_rt_256', 'The same with 256 bytes', 'the same', 'the same'),
    counted('ipc_rt_4096', 'The same with 4,096 bytes', 'the same', 'the same'),
    counted('ipc_rt_cap', 'The same with 32 bytes and a capability each way',
            'a capability is moved there and back',
            'a file descriptor by a Unix socket, there and back, and closed at each end'),
    counted('chain_3', 'Three calls, each on what the one before returns',
            'two calls whose results are promises, and a third: submitted at once, to a server '
            'in another process, by typed clients', NO_COUNTERPART),
    counted('chain_3_one_by_one', 'The same, each after the answer to the one before',
            'three round trips', NO_COUNTERPART),
    counted('notify', 'Signal somebody who isn\'t waiting',
            '`Notification.signal`', 'a `write` to an eventfd'),
    counted('park_pingpong', 'Two threads wake each other in turn',
            'UNPARK and PARK in one operation, there and back', 'futexes, there and back'),
    counted('yield_pair', 'Give the CPU away and get it back',
            'two threads of a process', '`sched_yield`, as often as it takes'),
    counted('thread_create_join', 'Start a thread, which ends, and join it',
            'by libcapos: a kept stack, and the ring of the thread that ended last',
            '`clone` and a futex, a kept stack'),
    counted('spawn_exit_wait', 'Start the smallest program, which exits, and wait for it',
            'a C program with libcapos, loaded by its parent',
            '`clone` as posix_spawn does it, `execve` of three instructions, `wait4`'),
    counted('fork_exit_wait', 'Copy this process; the copy exits; wait for it',
            'a snapshot of the address space, a process from it, all of the program that measures',
            '`fork` and `wait4` of the program that measures'),
    counted('page_fault', 'Touch a page for the first time', 'anonymous memory, zeroed',
            'the same, without huge pages'),
    counted('map_touch_unmap', 'Map a page, touch it, unmap it',
            '`VirtualMemory.allocate` and `unmap`', '`mmap` and `munmap`'),
    counted('shm_setup', 'Share 64 KiB with a process and stop sharing it',
            'a MemoryObject: made, mapped, two pages written, passed to a server that maps it, '
            'writes and unmaps it, answers; unmapped, released',
            'the same with a memfd that a Unix socket passes'),
    counted('bulk_per_mib', 'Move 1 MiB from a process to another',
            'copied into a shared MemoryObject of 64 KiB and out of it, 16 typed calls',
            'the cheaper of: the same with a memfd and eventfds, a pipe'),
    counted('boot_user_insns', 'From reset to the first instruction of the first program',
            'firmware, the kernel, the boot package', 'firmware, unpacking the kernel, the '
            'kernel, an initial file system with one program'),
    Row('boot_prompt_wall_s', 's', 'From the command to the prompt, wall time',
        '`capos shell` to the prompt of the shell', 'QEMU to the first line of the first program; '
        'there is no shell'),
    Row('hostfs_read_100mb_wall_s', 's',
        'Read 100 MB of a file of the host from its beginning to its end, wall time',
        '`capos run --dir`, read by the functions of `<capos/file.h>`',
        'the kernel of `linux-image-amd64`, the one for clouds has no 9p; `read` of 1 MiB each, '
        'the faster of the default `msize` and of the largest, 512,000'),
    Row('mem_after_boot_mib', 'MiB', 'Memory that isn\'t free when a program starts, of 512 MiB',
        'kernel, init, the link to the host, the launcher, the boot package',
        'kernel and the initial file system'),
    Row('ram_min_mib', 'MiB', 'The smallest memory with which a program runs',
        '`capos run --mem`', 'until the first program runs, in steps of 4'),
    Row('image_mib', 'MiB', 'What is booted', 'kernel and boot package',
        'kernel and initial file system'),
]
NAMES = [row.name for row in ROWS]
COMPARED = [row.name for row in ROWS if row.linux != NO_COUNTERPART]
