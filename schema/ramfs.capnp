# SPDX-License-Identifier: MIT
@0xd8ffe9b5e06cd96f;
using A = import "annotations.capnp";
using import "directory.capnp".Directory;
using import "memory_budget.capnp".MemoryBudget;

interface Ramfs @0xae2b611bba1aa6a1 $A.home(service) {
  # The right to have directories in memory.

  create @0 CreateParams -> CreateResults;
  # Makes an empty directory.  It lives, with all below it, until the last capability on any
  # part of it is released; then its memory is back in the budget.

  struct CreateParams {
    budget @0 :MemoryBudget;
    # To what its memory is charged: names and contents.  The service holds it for as
    # long as the directory lives.
    sizeBytes @1 :UInt64 $A.unit("bytes");
    # The most that it may use: a multiple of 4096 from 65536 to 2^36; otherwise
    # `invalidArgument`.  What the budget has less is `noSpace` when it is needed.
  }
  struct CreateResults {
    directory @0 :Directory;
    # The directory.  `overloaded` if the budget has nothing for a beginning, or the service has
    # no room for one more.
  }
}
