// SPDX-License-Identifier: MIT
// The errors of POSIX, with the numbers that musl has for them, and what the errors of capOS
// become.  They exist in this floor alone; a call returns the negative of one.
//
// tests/libc/abi_check.c compares the numbers with musl's.
#pragma once

#include <gen/status.h>
#include <stdint.h>

enum posix_error {
    EPERM = 1,
    ENOENT = 2,
    ESRCH = 3,
    EINTR = 4,
    EIO = 5,
    EBADF = 9,
    ECHILD = 10,
    EAGAIN = 11,
    ENOMEM = 12,
    EACCES = 13,
    EFAULT = 14,
    EBUSY = 16,
    EEXIST = 17,
    EXDEV = 18,
    ENODEV = 19,
    ENOTDIR = 20,
    EISDIR = 21,
    EINVAL = 22,
    EMFILE = 24,
    ENOTTY = 25,
    EFBIG = 27,
    ENOSPC = 28,
    ESPIPE = 29,
    EROFS = 30,
    EPIPE = 32,
    ERANGE = 34,
    ENAMETOOLONG = 36,
    ENOLCK = 37,
    ENOSYS = 38,
    ENOTEMPTY = 39,
    ELOOP = 40,
    EOVERFLOW = 75,
    EOPNOTSUPP = 95,
    ETIMEDOUT = 110,
    EDQUOT = 122,
};

// The negative errno of a status that isn't STATUS_OK.
[[nodiscard]] long error_of_status(enum status status);

// The negative errno of what <capos/file.h> returned; 0 of 0.
[[nodiscard]] long error_of_file(uint32_t error);
