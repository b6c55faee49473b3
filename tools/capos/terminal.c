// SPDX-License-Identifier: MIT
// Owns the state of our terminal.
//
//  1. It is restored on every way out: the signals that end us are taken by session.c, which
//     then restores it, and an exit from anywhere else does so by atexit.
//  2. What is written to it is treated as ever, a newline goes to the start of the next line:
//     our own messages look the same, and the machine relies on it.
//
// Tested by tests/cli/terminal_test.py, booted.
#include "terminal.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static bool taken;

struct capos_link_info terminal_describe(void)
{
    struct capos_link_info info = {};
    for (int fd = 0; fd < 3; fd++) {
        struct winsize size;
        info.terminal[fd] = (uint8_t)isatty(fd);
        if (fd > 0 && info.terminal[fd] && ioctl(fd, TIOCGWINSZ, &size) == 0) {
            info.columns = size.ws_col;
            info.rows = size.ws_row;
        }
    }
    return info;
}

void terminal_take_keys(void)
{
    if (!isatty(1) || tcgetattr(0, &before) != 0 || tcgetpgrp(0) != getpgrp())
        return;
    struct termios keys = before;
    keys.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IGNCR | IXON | ISTRIP | BRKINT | INPCK);
    keys.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN);
    keys.c_cc[VINTR] = keys.c_cc[VSUSP] = _POSIX_VDISABLE;
    keys.c_cc[VMIN] = 1;
    keys.c_cc[VTIME] = 0;
    taken = true;
    atexit(terminal_restore);
    (void)tcsetattr(0, TCSANOW, &keys);
}

void terminal_restore(void)
{
    if (taken)
        (void)tcsetattr(0, TCSANOW, &before);
    taken = false;
}
