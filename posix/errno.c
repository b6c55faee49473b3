// SPDX-License-Identifier: MIT
// What the errors of capOS become: two tables.  The schema names the errno of each outcome of a
// request about files.
#include "errno.h"

#include <capos/file.h>

long error_of_status(enum status status)
{
    switch (status) {
    case STATUS_OVERLOADED:
        return -ENOMEM;
    case STATUS_UNIMPLEMENTED:
        return -EOPNOTSUPP;
    case STATUS_INVALID_ARGUMENT:
        return -EINVAL;
    case STATUS_BAD_ADDRESS:
        return -EFAULT;
    case STATUS_CANCELLED:
        return -EINTR;
    case STATUS_TIMED_OUT:
        return -ETIMEDOUT;
    default:
        return -EIO;
    }
}

long error_of_file(uint32_t error)
{
    static const uint8_t errors[] = {
        [FILE_OUTCOME_OK] = 0,
        [FILE_OUTCOME_NOT_FOUND] = ENOENT,
        [FILE_OUTCOME_EXISTS] = EEXIST,
        [FILE_OUTCOME_NOT_DIRECTORY] = ENOTDIR,
        [FILE_OUTCOME_IS_DIRECTORY] = EISDIR,
        [FILE_OUTCOME_NOT_EMPTY] = ENOTEMPTY,
        [FILE_OUTCOME_SYMLINK] = ELOOP,
        [FILE_OUTCOME_TOO_MANY_SYMLINKS] = ELOOP,
        [FILE_OUTCOME_OUTSIDE] = EACCES,
        [FILE_OUTCOME_READ_ONLY] = EROFS,
        [FILE_OUTCOME_NO_ACCESS] = EACCES,
        [FILE_OUTCOME_NO_SPACE] = ENOSPC,
        [FILE_OUTCOME_QUOTA_EXCEEDED] = EDQUOT,
        [FILE_OUTCOME_TOO_LARGE] = EFBIG,
        [FILE_OUTCOME_INPUT_OUTPUT] = EIO,
        [FILE_OUTCOME_CORRUPTED] = EIO,
        [FILE_OUTCOME_INTO_ITSELF] = EINVAL,
        [FILE_OUTCOME_OTHER_SERVICE] = EXDEV,
        [FILE_OUTCOME_NOT_SUPPORTED] = EOPNOTSUPP,
        [FILE_OUTCOME_BUSY] = EBUSY,
    };
    static_assert(sizeof errors == FILE_OUTCOME_COUNT);
    if (error < FILE_OUTCOME_COUNT)
        return -(long)errors[error];
    return error_of_status((enum status)(error - CAPOS_FILE_STATUS));
}
