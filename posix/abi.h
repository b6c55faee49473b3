// SPDX-License-Identifier: MIT
// Layouts and constants of the boundary: those of the Linux x86_64 interface, for which musl is
// compiled.  tests/libc/abi_check.c compares them with musl's headers.
#pragma once

#include <stdint.h>

// ---- Descriptors and paths (fcntl.h) -------------------------------------------------

enum open_flag : uint32_t {
    O_RDONLY = 0,
    O_WRONLY = 1,
    O_RDWR = 2,
    O_ACCMODE = 3,
    O_CREAT = 0100,
    O_EXCL = 0200,
    O_TRUNC = 01000,
    O_APPEND = 02000,
    O_NONBLOCK = 04000,
    O_DIRECTORY = 0200000,
    O_NOFOLLOW = 0400000,
    O_CLOEXEC = 02000000,
    O_PATH = 010000000,
    O_TMPFILE = 020200000,
};

enum : long { AT_FDCWD = -100 };
enum : uint32_t {
    AT_SYMLINK_NOFOLLOW = 0x100,
    AT_REMOVEDIR = 0x200,
    AT_EACCESS = 0x200,
    AT_EMPTY_PATH = 0x1000,
};

enum { F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW };
enum { F_DUPFD_CLOEXEC = 1030 };
enum : uint32_t { FD_CLOEXEC = 1 };

enum { SEEK_SET, SEEK_CUR, SEEK_END };
enum : uint32_t { RENAME_NOREPLACE = 1, RENAME_EXCHANGE = 2 };
enum : uint32_t { W_OK = 2, X_OK = 1 };
enum : uint32_t { S_IFDIR = 0040000, S_IFCHR = 0020000, S_IFREG = 0100000, S_IFLNK = 0120000 };
enum { DT_UNKNOWN = 0, DT_DIR = 4, DT_REG = 8, DT_LNK = 10 };
enum : int64_t { UTIME_NOW = 0x3fffffff, UTIME_OMIT = 0x3ffffffe };

struct posix_timespec {
    int64_t tv_sec;
    int64_t tv_nsec;
};

struct posix_stat { // struct stat
    uint64_t st_dev;
    uint64_t st_ino;
    uint64_t st_nlink;
    uint32_t st_mode;
    uint32_t st_uid;
    uint32_t st_gid;
    uint32_t padding;
    uint64_t st_rdev;
    int64_t st_size;
    int64_t st_blksize;
    int64_t st_blocks; // of 512 bytes
    struct posix_timespec st_atim;
    struct posix_timespec st_mtim;
    struct posix_timespec st_ctim;
    int64_t unused[3];
};
static_assert(sizeof(struct posix_stat) == 144);

struct posix_dirent { // struct dirent; the name follows
    uint64_t d_ino;
    int64_t d_off;
    uint16_t d_reclen;
    uint8_t d_type;
    char d_name[];
};

struct posix_iovec {
    void *iov_base;
    uint64_t iov_len;
};
enum { IOV_MAX = 1024 };

// ---- Terminals (sys/ioctl.h) ---------------------------------------------------------

enum { TCGETS = 0x5401, TIOCGWINSZ = 0x5413 };

struct posix_winsize {
    uint16_t ws_row;
    uint16_t ws_col;
    uint16_t ws_xpixel;
    uint16_t ws_ypixel;
};

// ---- Memory (sys/mman.h) -------------------------------------------------------------

enum : uint32_t {
    PROT_READ = 1,
    PROT_WRITE = 2,
    PROT_EXEC = 4,
    MAP_SHARED = 1,
    MAP_PRIVATE = 2,
    MAP_TYPE = 15,
    MAP_FIXED = 0x10,
    MAP_ANONYMOUS = 0x20,
    MAP_FIXED_NOREPLACE = 0x100000,
    MREMAP_MAYMOVE = 1,
    MREMAP_FIXED = 2,
    MADV_DONTNEED = 4,
};

// ---- Threads (linux/sched.h, linux/futex.h) ------------------------------------------

enum : uint32_t { CLONE_VM = 0x100, CLONE_THREAD = 0x10000, CLONE_PARENT_SETTID = 0x100000 };
enum : uint32_t {
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_REQUEUE = 3,
    FUTEX_PRIVATE = 128,
    FUTEX_CLOCK_REALTIME = 256,
};

// ---- Signals (signal.h) --------------------------------------------------------------

enum {
    SIGABRT = 6,
    SIGKILL = 9,
    SIGPIPE = 13,
    SIGCHLD = 17,
    SIGCONT = 18,
    SIGSTOP = 19,
    SIGTSTP = 20,
    SIGTTOU = 22,
    SIGURG = 23,
    SIGWINCH = 28,
    SIGCANCEL = 33, // musl's own
    SIGNAL_COUNT = 64,
};
enum { SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK };
enum : uint64_t { SIG_DFL = 0, SIG_IGN = 1 };
enum : uint64_t { SA_SIGINFO = 4, SA_NODEFER = 0x40000000, SA_RESETHAND = 0x80000000 };

struct posix_sigaction { // what musl hands to rt_sigaction
    uint64_t handler;
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};

// ---- Time and the process (time.h, sys/utsname.h, sys/sysinfo.h, sys/resource.h) ------

enum {
    CLOCK_REALTIME = 0,
    CLOCK_MONOTONIC = 1,
    CLOCK_MONOTONIC_RAW = 4,
    CLOCK_MONOTONIC_COARSE = 6,
    CLOCK_BOOTTIME = 7,
    TIMER_ABSTIME = 1,
};

struct posix_utsname {
    char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};

struct posix_sysinfo {
    uint64_t uptime;
    uint64_t loads[3];
    uint64_t totalram;
    uint64_t freeram;
    uint64_t sharedram;
    uint64_t bufferram;
    uint64_t totalswap;
    uint64_t freeswap;
    uint16_t procs;
    uint16_t padding;
    uint64_t totalhigh;
    uint64_t freehigh;
    uint32_t mem_unit;
};

struct posix_rlimit {
    uint64_t rlim_cur, rlim_max;
};
enum { RLIMIT_STACK = 3, RLIMIT_NOFILE = 7, RLIMIT_COUNT = 16 };

// ---- Start (elf.h) -------------------------------------------------------------------

enum {
    AT_NULL = 0,
    AT_PHDR = 3,
    AT_PHENT = 4,
    AT_PHNUM = 5,
    AT_PAGESZ = 6,
    AT_UID = 11,
    AT_EUID = 12,
    AT_GID = 13,
    AT_EGID = 14,
    AT_SECURE = 23,
    AT_RANDOM = 25,
    AT_SYSINFO = 32,
};
