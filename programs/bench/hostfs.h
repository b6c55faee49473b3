// SPDX-License-Identifier: MIT
// Reads a large file of a directory of the host, from its beginning to its end.
#pragma once

// The grant "hostfs" is a directory with the file `large`.  Prints the lines "begin peek" and
// "end peek" around each round, as tools/bench/linux/hostfs.c does: the host takes the time.
void hostfs_measure(void);
