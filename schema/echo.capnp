# SPDX-License-Identifier: MIT
@0xc2a6be6cf1f5a3d1;
using A = import "annotations.capnp";

interface Echo @0xe7f9f2a0be4c5d03 $A.home(service) {
  # A service that answers with what it was sent: for tests, for measuring what a call between
  # two processes costs, and as the smallest example of a service.

  echo @0 EchoParams -> EchoResults;
  # Returns the data.

  pass @1 PassParams -> PassResults;
  # Returns the capability.

  ping @2 PingParams -> PingResults;
  # Returns the numbers: a message of 32 bytes each way, without pointers.

  records @3 RecordsParams -> RecordsResults;
  # Returns the records, last one first.

  struct EchoParams {
    data @0 :Data $A.maxBytes(4096);
    # Any bytes.
  }
  struct EchoResults {
    data @0 :Data $A.maxBytes(4096);
    # The same bytes.
  }
  struct PassParams {
    object @0 :Capability $A.optional;
    # Any capability, or null.
  }
  struct PassResults {
    object @0 :Capability $A.optional;
    # A capability on the same object; null for null.
  }
  struct PingParams {
    first @0 :UInt64;
    # Any number.
    second @1 :UInt64;
    # Any number.
    third @2 :UInt64;
    # Any number.
  }
  struct PingResults {
    first @0 :UInt64;
    # The same numbers.
    second @1 :UInt64;
    # The same numbers.
    third @2 :UInt64;
    # The same numbers.
  }
  struct Record {
    # A record of a list.
    name @0 :Text $A.maxBytes(64);
    # Any text.
    number @1 :UInt64;
    # Any number.
    tags @2 :List(UInt16) $A.maxCount(8);
    # Any numbers.
  }
  struct RecordsParams {
    records @0 :List(Record) $A.maxCount(64);
    # Any records.
    subject @1 :Capability;
    # Any capability.
  }
  struct RecordsResults {
    records @0 :List(Record) $A.maxCount(64);
    # The same records.
    subject @1 :Capability;
    # A capability on the same object.
  }
}
