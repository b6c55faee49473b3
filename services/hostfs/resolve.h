// SPDX-License-Identifier: MIT
// Going a path on the host, name by name.
//
// The host is only ever asked for names below a fid; its symlinks are read and followed here,
// within the Directory that the call was made on (route.h).  QEMU opens each component without
// following symlinks (O_NOFOLLOW), so a name that becomes a symlink between two requests
// leads nowhere instead of outside.
#pragma once

#include "device.h"
#include "route.h"

#include <gen/wire/file.h>

// What the last name of a path is to be.
enum resolve_last {
    LAST_FOLLOWED, // what it leads to
    LAST_ITSELF,   // likewise, but a symlink is found itself
    LAST_LEFT,     // not looked at: the directory that it is in is found
};

// Where a path led.
struct place {
    uint32_t fid;
    bool owned; // the fid is to be let go; otherwise it is the Directory's own
    struct ninep_qid qid;
};

// Goes the path from `fid`, a directory.  *out_place is set if FILE_OUTCOME_OK, and is to be
// let go then.  With LAST_LEFT the path has at least one name; the last is
// path->names[path->count - 1].
[[nodiscard]] enum file_outcome resolve(struct exchange *exchange, uint32_t fid,
                                        struct route *path, enum resolve_last last,
                                        struct place *out_place);
void place_let_go(struct exchange *exchange, struct place *place);

// Looks for one name in a directory; a symlink is found itself.
[[nodiscard]] enum file_outcome resolve_name(struct exchange *exchange, uint32_t fid,
                                             const struct route_name *name,
                                             struct place *out_place);
// Another fid for what `fid` names.
[[nodiscard]] enum file_outcome resolve_clone(struct exchange *exchange, uint32_t fid,
                                              uint32_t *out_fid);

// Replaces the last name of the path, a symlink, by where it leads.
[[nodiscard]] enum file_outcome resolve_follow(struct exchange *exchange, uint32_t fid,
                                               struct route *path, uint32_t index);

// Tells the host that a fid is no longer needed, and frees it.  The data of an answer that came
// before, of Tread or Treaddir, stay where they are: they lie behind all that answers this.
void fid_clunk(struct exchange *exchange, uint32_t fid);

// The outcome for an errno of the host's; FILE_OUTCOME_OK for 0.
[[nodiscard]] enum file_outcome outcome_of(int error);
