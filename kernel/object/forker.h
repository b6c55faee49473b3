// SPDX-License-Identifier: MIT
// Snapshots of address spaces, as ProcessBuilder uses them (forker.c).
#pragma once

struct object;
struct space;

// The space of an AddressSpaceSnapshot whose type was checked; lives as long as the object.
[[nodiscard]] struct space *address_space_snapshot_space(struct object *snapshot);
