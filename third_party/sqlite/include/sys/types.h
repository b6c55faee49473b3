// SPDX-License-Identifier: MIT
// What sqlite3.c asks for and nothing of it.
#pragma once
