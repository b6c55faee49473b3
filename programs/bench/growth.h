// SPDX-License-Identifier: MIT
// How costs grow with the number of what is there.
#pragma once

// Makes 1, 10, 100, 1,000 and 10,000 of something, and measures operations among them: the
// regions are "N.OPERATION".  Of what: "capabilities", "calls", "timers", "threads",
// "processes", "regions".
void growth_measure(const char *what);
