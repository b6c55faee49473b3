# SPDX-License-Identifier: MIT
@0xd684609756580199;
using A = import "annotations.capnp";

interface Revoker @0x8ccf6e16b2485fc2 $A.home(kernel) {
  # The right to take back what was lent through `MemoryBudget.createRevocable`.

  revoke @0 () -> RevokeResults;
  # Ends the revocable capability and all its copies, whoever has them: every
  # later call on one fails with `disconnected`.  Calls that are under way are
  # finished, and what was got by earlier calls stays.  No error if it was
  # revoked before.

  struct RevokeResults {}
}
