// SPDX-License-Identifier: MIT
// The first and only program of a Linux machine that reads a file of a directory of the host,
// which it mounts by 9p: how long that takes beside capOS's hostfs.
//
// The kernel's modules lie in /modules, called 0, 1, 2 and so on.  For each way to mount a line
// "begin WAY" is printed some times, the file read, and a line "end WAY".
//
// Built and run by tools/bench/hostfs.py.
#include <linux/fcntl.h>

#include "start.h"
#include "syscalls.h"

constexpr long READ_BYTES = 1 << 20;
constexpr unsigned ROUNDS = 6;

// 512,000 bytes are the most that the kernel's transport takes.  With cache=loose it takes
// several times as long.
static const struct {
    const char *name, *options;
} ways[] = {
    {"default", "trans=virtio,version=9p2000.L"},
    {"msize=512000", "trans=virtio,version=9p2000.L,msize=512000"},
};

static void modules_load(void)
{
    static char path[] = "/modules/0";
    for (; path[sizeof path - 2] <= '9'; path[sizeof path - 2]++) {
        long file = call3(__NR_open, (long)path, O_RDONLY, 0);
        if (file < 0)
            return;
        good(call3(__NR_finit_module, file, (long)"", 0), path);
        call3(__NR_close, file, 0, 0);
    }
}

static void say(const char *what, const char *name)
{
    print(what);
    print(name);
    print("\n");
}

static void file_read(void)
{
    static char buffer[READ_BYTES];
    long file = good(call3(__NR_open, (long)"/host/large", O_RDONLY, 0), "open");
    while (good(call3(__NR_read, file, (long)buffer, READ_BYTES), "read") > 0)
        ;
    call3(__NR_close, file, 0, 0);
}

void init_main(void)
{
    modules_load();
    call3(__NR_mkdir, (long)"/host", 0755, 0);
    for (unsigned way = 0; way < sizeof ways / sizeof *ways; way++)
        for (unsigned round = 0; round < ROUNDS; round++) {
            // Mounted anew, so that nothing is cached.
            good(call6(__NR_mount, (long)"dir0", (long)"/host", (long)"9p", 0,
                       (long)ways[way].options, 0),
                 "mount");
            say("begin ", ways[way].name);
            file_read();
            say("end ", ways[way].name);
            good(call3(__NR_umount2, (long)"/host", 0, 0), "umount");
        }
    print("done\n");
    machine_end();
}
