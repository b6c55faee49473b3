# SPDX-License-Identifier: MIT
@0xd103442a0379990f;
using A = import "annotations.capnp";
using import "memory_object.capnp".MemoryObject;
using import "endpoint.capnp".Endpoint;
using import "notification.capnp".Notification;
using import "revoker.capnp".Revoker;

interface MemoryBudget @0xb05e30b2c93be03a $A.home(kernel) {
  # An amount of physical memory, and the right to turn it into objects.
  #
  # All memory of a capOS machine belongs to some budget.  What a process makes
  # is charged to a budget when it is made, so memory that was granted is there:
  # a page that is committed can always be touched.  A budget is not a view of
  # a process; several processes may share one.
  #
  # Who pays for memory together also has one share of the CPUs (setCpuWeight).

  info @0 () -> InfoResults;
  # What the budget may use and what it does use.

  split @1 SplitParams -> SplitResults;
  # Moves a part of the free memory into a new budget.  When the new budget's
  # last user is gone, the memory returns here.

  createMemoryObject @2 CreateMemoryObjectParams -> CreateMemoryObjectResults;
  # Makes shareable, zero-filled memory, charged in full at once.

  createEndpoint @3 CreateEndpointParams -> CreateEndpointResults;
  # Makes an endpoint.

  createNotification @4 () -> CreateNotificationResults;
  # Makes a notification with no bit set.

  giveBack @5 GiveBackParams -> GiveBackResults;
  # Returns a part that isn't used to the budget that this one was split from.
  # `failed` for the budget of the machine, which was split from none.

  watch @6 WatchParams -> WatchResults;
  # Signals a notification, once, when usedBytes reaches a threshold; at once if
  # it has.  Releasing the watch ends the watching.

  peak @7 () -> PeakResults;
  # The most that was in use at once.

  createRevocable @8 CreateRevocableParams -> CreateRevocableResults;
  # Makes a capability that does what another one does until it is revoked: for
  # lending.  Calls on it go to the same object and are a little slower.  What
  # the kernel takes as an argument, as in `VirtualMemory.map`, can't be a
  # revocable one (`wrongInterface`): what is built from it couldn't be taken back.

  setCpuWeight @9 SetCpuWeightParams -> SetCpuWeightResults;
  # States the share of a budget that was split from this one.  On each CPU all
  # that runs on a budget, threads and budgets split from it, competes in its
  # parent's place as one thread, so no number of threads or processes makes the
  # share greater.  Who was given a budget can't change its own weight.

  cpuWeight @10 () -> CpuWeightResults;
  # The weight that the budget has in its parent.

  struct SetCpuWeightParams {
    budget @0 :MemoryBudget;
    # A budget that was split from this one; otherwise `invalidArgument`.
    weight @1 :UInt32;
    # 1 to 10000.  It is 100 at first, as that of a thread of priority 16.
  }
  struct SetCpuWeightResults {}
  struct CpuWeightResults {
    weight @0 :UInt32;
    # 1 to 10000.
  }
  struct InfoResults {
    limitBytes @0 :UInt64 $A.unit("bytes");
    # The whole budget.
    usedBytes @1 :UInt64 $A.unit("bytes");
    # Charged now, kernel memory and user memory together.
    kernelBytes @2 :UInt64 $A.unit("bytes");
    # The part of usedBytes that holds the kernel's own structures.
    splitBytes @3 :UInt64 $A.unit("bytes");
    # The part of usedBytes that was handed to budgets split from this one.
  }
  struct SplitParams {
    sizeBytes @0 :UInt64 $A.unit("bytes");
    # The new budget's limit: a multiple of 4096, not zero.
  }
  struct SplitResults {
    budget @0 :MemoryBudget;
    # The new budget.
  }
  struct CreateMemoryObjectParams {
    sizeBytes @0 :UInt64 $A.unit("bytes");
    # A multiple of 4096, not zero.
  }
  struct CreateMemoryObjectResults {
    object @0 :MemoryObject;
    # The new object.
  }
  struct CreateEndpointParams {
    queueMax @0 :UInt32;
    # The most calls that may wait or be under way at once, 1 to 4096.  A call
    # beyond it completes with `overloaded`.
  }
  struct CreateEndpointResults {
    endpoint @0 :Endpoint;
    # The new endpoint.
  }
  struct CreateNotificationResults {
    notification @0 :Notification;
    # The new notification.
  }
  struct PeakResults {
    usedBytesMax @0 :UInt64 $A.unit("bytes");
    # The most that usedBytes has ever been.
  }
  struct GiveBackParams {
    sizeBytes @0 :UInt64 $A.unit("bytes");
    # How much: a multiple of 4096, not zero; `overloaded` if less is unused.
  }
  struct GiveBackResults {}
  struct WatchParams {
    thresholdBytes @0 :UInt64 $A.unit("bytes");
    # What usedBytes has to reach.
    notification @1 :Notification;
    # What is signalled.
    bits @2 :UInt64;
    # The bits of the signal; not zero.
  }
  struct WatchResults {
    watch @0 :BudgetWatch;
    # The watch, charged to the budget.
  }
  struct CreateRevocableParams {
    target @0 :Capability;
    # What to lend: a capability that may be copied, and is not lent through
    # more than 7 others already; otherwise `invalidArgument`.
  }
  struct CreateRevocableResults {
    capability @0 :Capability;
    # What to hand on, with the interface of the target.
    revoker @1 :Revoker;
    # What to keep.
  }
}

interface BudgetWatch @0xcc4f7a7763c932c0 $A.home(kernel) {
  # A threshold of a budget that somebody watches.

  info @0 () -> InfoResults;
  # What is watched, and whether it was reached.

  struct InfoResults {
    thresholdBytes @0 :UInt64 $A.unit("bytes");
    # The threshold.
    reached @1 :Bool;
    # Whether the notification was signalled.
  }
}
