# SPDX-License-Identifier: MIT
@0x9a5d261cd13575d2;
using A = import "annotations.capnp";

interface Timer @0xe418eb99d0812b75 $A.home(kernel) {
  # Monotonic time, and waiting for it.
  #
  # Time starts at zero when the machine boots, never goes back and doesn't
  # count time that the machine was suspended.  It is not the time of day.

  now @0 () -> NowResults;
  # Reads the clock.

  sleep @1 SleepParams -> SleepResults $A.pending;
  # Completes once at least the given time has passed.  CANCEL withdraws it.

  sleepUntil @2 SleepUntilParams -> SleepUntilResults $A.pending;
  # Completes once the clock has reached a deadline; at once if it has passed.

  struct NowResults {
    timeNs @0 :UInt64 $A.unit("ns");
    # Time since boot.
  }
  struct SleepParams {
    durationNs @0 :UInt64 $A.unit("ns");
    # How long.  A sum beyond the clock's range sleeps for ever.
  }
  struct SleepResults {}
  struct SleepUntilParams {
    deadlineNs @0 :UInt64 $A.unit("ns");
    # When, on the clock of `now`.
  }
  struct SleepUntilResults {}
}
