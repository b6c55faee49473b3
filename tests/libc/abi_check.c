// SPDX-License-Identifier: MIT
// Compares the layouts of posix/abi.h with musl's headers.  tests/cli/cc_test.py adds the
// constants; compiling it is the test.
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define FIELD(ours, theirs, name)                                                 \
    static_assert(offsetof(struct ours, name) == offsetof(struct theirs, name) && \
                  sizeof((struct ours){}.name) == sizeof((struct theirs){}.name))

static_assert(sizeof(struct posix_stat) == sizeof(struct stat));
FIELD(posix_stat, stat, st_dev);
FIELD(posix_stat, stat, st_ino);
FIELD(posix_stat, stat, st_nlink);
FIELD(posix_stat, stat, st_mode);
FIELD(posix_stat, stat, st_uid);
FIELD(posix_stat, stat, st_gid);
FIELD(posix_stat, stat, st_rdev);
FIELD(posix_stat, stat, st_size);
FIELD(posix_stat, stat, st_blksize);
FIELD(posix_stat, stat, st_blocks);
FIELD(posix_stat, stat, st_atim);
FIELD(posix_stat, stat, st_mtim);
FIELD(posix_stat, stat, st_ctim);
FIELD(posix_timespec, timespec, tv_sec);
FIELD(posix_timespec, timespec, tv_nsec);
FIELD(posix_dirent, dirent, d_ino);
FIELD(posix_dirent, dirent, d_off);
FIELD(posix_dirent, dirent, d_reclen);
FIELD(posix_dirent, dirent, d_type);
static_assert(offsetof(struct posix_dirent, d_name) == offsetof(struct dirent, d_name));
FIELD(posix_iovec, iovec, iov_base);
FIELD(posix_iovec, iovec, iov_len);
FIELD(posix_winsize, winsize, ws_row);
FIELD(posix_winsize, winsize, ws_col);
FIELD(posix_utsname, utsname, sysname);
FIELD(posix_utsname, utsname, machine);
FIELD(posix_rlimit, rlimit, rlim_cur);
FIELD(posix_rlimit, rlimit, rlim_max);
FIELD(posix_sysinfo, sysinfo, totalram);
FIELD(posix_sysinfo, sysinfo, procs);
FIELD(posix_sysinfo, sysinfo, mem_unit);
