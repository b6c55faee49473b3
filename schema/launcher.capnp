# SPDX-License-Identifier: MIT
@0xb8f36a1c90d2e745;
using A = import "annotations.capnp";
using import "memory_budget.capnp".MemoryBudget;
using import "process.capnp".ProcessHandle;

interface RestrictedLauncher @0xde41c7a2935f6b08 $A.home(service) {
  # The right to start some programs of the boot package, with some grants, up
  # to some memory each.
  #
  # Nothing else of a parent is needed: no ProcessSpawner, no BootPackage.  What
  # a program gets is what the launcher's service holds under the names asked
  # for, and its own memory, thread and budget.  A launcher can be narrowed, never
  # widened.
  #
  # Lists of names are Texts with one name per line: a name of a program or of
  # a grant has no newline, a launch is one call, and a script can write it.

  launch @0 LaunchParams -> LaunchResults;
  # Starts a program.

  narrow @1 NarrowParams -> NarrowResults;
  # Makes a launcher that can do a part of what this one can.

  info @2 () -> InfoResults;
  # What this launcher may do.

  struct LaunchParams {
    program @0 :Text $A.maxBytes(63);
    # One of `programs`; otherwise `invalidArgument`.
    arguments @1 :Text $A.maxBytes(1023);
    # argv from argv[1] on, one per line; argv[0] is the program.  At most 31.
    grants @2 :Text $A.maxBytes(511);
    # Names of `grants`, one per line, each once; otherwise `invalidArgument`.
    budgetBytes @3 :UInt64 $A.unit("bytes");
    # The program's memory: a multiple of 4096 from 4096 to `budgetBytesMax`;
    # otherwise `invalidArgument`.  `overloaded` if the service has less left.
  }
  struct LaunchResults {
    process @0 :ProcessHandle;
    # The running program.  Its exit status or fault is what `wait` tells.
  }
  struct NarrowParams {
    programs @0 :Text $A.maxBytes(1023);
    # One per line, each one of `programs`; otherwise `invalidArgument`.
    grants @1 :Text $A.maxBytes(511);
    # One per line, each one of `grants`; otherwise `invalidArgument`.
    budgetBytesMax @2 :UInt64 $A.unit("bytes");
    # No more than this launcher's; otherwise `invalidArgument`.
  }
  struct NarrowResults {
    launcher @0 :RestrictedLauncher;
    # The narrower launcher.
  }
  struct InfoResults {
    programs @0 :Text $A.maxBytes(1023);
    # What it may start, one per line.
    grants @1 :Text $A.maxBytes(511);
    # What it may grant, one per line.
    budgetBytesMax @2 :UInt64 $A.unit("bytes");
    # The most memory of one program.
  }
}
