// SPDX-License-Identifier: MIT
// The UART behind arch_console_write (serial.c).
#pragma once

void serial_init(void);
