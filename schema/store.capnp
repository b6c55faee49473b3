# SPDX-License-Identifier: MIT
@0xa9c6833e0b70df10;
using A = import "annotations.capnp";
using import "file.capnp".FileOutcome;
using import "file.capnp".ReadOnlyFile;
using import "memory_object.capnp".MemoryObject;

interface Store @0xf1bd8fbbb2e6469e $A.home(service) {
  # Blobs: bytes that are found by what they are.  `capos run --disk` with `--grant store` gives
  # the one of the disk.
  #
  # A blob's name is its SHA-256, 32 bytes; another number of bytes is `invalidArgument`.
  # A blob never changes, and putting the same bytes twice keeps them once.  The service
  # computes the hash itself, and compares it when it reads: what it returns is what was put.
  #
  # A blob stays until it is removed: nothing collects those that no name leads to.  What was
  # put is durable after `sync`.

  put @0 PutParams -> PutResults;
  # Keeps a small blob.

  putMemory @1 PutMemoryParams -> PutMemoryResults;
  # Keeps a blob of any size.

  open @2 OpenParams -> OpenResults;
  # A blob's bytes, as a file, compared with the hash.  Open blobs stay until they are released.

  has @3 HasParams -> HasResults;
  # Whether a blob is there; doesn't read it.

  verify @4 VerifyParams -> VerifyResults;
  # Reads a blob from the medium and compares its hash.

  remove @5 RemoveParams -> RemoveResults;
  # Removes a blob.

  sync @6 () -> SyncResults;
  # Completes when all earlier changes of the Store are durable.

  info @7 () -> InfoResults;
  # How much there is.

  struct PutParams {
    data @0 :Data $A.maxBytes(2048);
    # The bytes.
  }
  struct PutResults {
    outcome @0 :FileOutcome;
    # ok, noSpace, quotaExceeded, readOnly, inputOutput.
    hash @1 :Data $A.maxBytes(32);
    # Their name.
    created @2 :Bool;
    # They weren't there before.
  }
  struct PutMemoryParams {
    memory @0 :MemoryObject;
    # Where the bytes are.  What changes there during the call is put as it is met, and the
    # hash is that of what was kept.
    sizeBytes @1 :UInt64 $A.unit("bytes");
    # How many, from the beginning on; at most the object's size, otherwise `invalidArgument`.
  }
  struct PutMemoryResults {
    outcome @0 :FileOutcome;
    # As of `put`, and tooLarge.
    hash @1 :Data $A.maxBytes(32);
    # Their name.
    created @2 :Bool;
    # They weren't there before.
  }
  struct OpenParams {
    hash @0 :Data $A.maxBytes(32);
    # Which blob.
  }
  struct OpenResults {
    outcome @0 :FileOutcome;
    # ok, notFound, inputOutput, corrupted.
    sizeBytes @1 :UInt64 $A.unit("bytes");
    # Its size.
    file @2 :ReadOnlyFile $A.optional;
    # Its bytes.
  }
  struct HasParams {
    hash @0 :Data $A.maxBytes(32);
    # Which blob.
  }
  struct HasResults {
    outcome @0 :FileOutcome;
    # ok, notFound, inputOutput.
    sizeBytes @1 :UInt64 $A.unit("bytes");
    # Its size.
  }
  struct VerifyParams {
    hash @0 :Data $A.maxBytes(32);
    # Which blob.
  }
  struct VerifyResults {
    outcome @0 :FileOutcome;
    # ok, notFound, inputOutput, corrupted.
  }
  struct RemoveParams {
    hash @0 :Data $A.maxBytes(32);
    # Which blob.
  }
  struct RemoveResults {
    outcome @0 :FileOutcome;
    # ok, notFound, readOnly, inputOutput; busy if a name of a Namespace of the same service
    # leads to it, now or in its history.
  }
  struct SyncResults {
    outcome @0 :FileOutcome;
    # ok, inputOutput, noSpace.
  }
  struct InfoResults {
    blobCount @0 :UInt64;
    # How many blobs.
    storedBytes @1 :UInt64 $A.unit("bytes");
    # What they take up of the medium.
    freeBytes @2 :UInt64 $A.unit("bytes");
    # What may still be put.
    blobBytesMax @3 :UInt64 $A.unit("bytes");
    # The largest size of a blob.
  }
}

interface Namespace @0xfb29ad03de549b2d $A.home(service) {
  # Names of blobs, each with its history.
  #
  # A name is 1 to 255 bytes without 0; otherwise `invalidArgument`.  It leads to a blob of the
  # Store of the same service, or to nothing, and keeps that blob from being removed.  Every change gives the Namespace a new
  # *version*, one more than the last.  Each change is one step, and durable when the call
  # completes with `ok`.
  #
  # The methods 0 to 4 are those of ReadOnlyNamespace.

  get @0 GetParams -> GetResults;
  # Where a name leads.

  list @1 ListParams -> ListResults;
  # The names that lead somewhere, in the order of their bytes, a page at a time.

  history @2 HistoryParams -> HistoryResults;
  # Where a name led, newest first, a page at a time.

  watch @3 WatchParams -> WatchResults $A.pending;
  # Completes when the Namespace has another version.

  info @4 () -> InfoResults;
  # What is known of the Namespace.

  set @5 SetParams -> SetResults;
  # Compares and swaps: leads a name elsewhere if it leads where the caller believes.  To lead
  # it to where it leads is no change.

  snapshot @6 () -> SnapshotResults;
  # Keeps what all names lead to now as a blob, whose hash stands for all of it.

  restore @7 RestoreParams -> RestoreResults;
  # Leads all names to where they led at a snapshot, in one step; names that didn't
  # exist then lead to nothing.  The history keeps what was before.

  forget @8 ForgetParams -> ForgetResults;
  # Drops history, so that blobs that nothing else leads to can be removed.

  readOnly @9 () -> ReadOnlyResults;
  # The same Namespace for somebody who may only look.

  struct NamespaceEntry {
    # A name and where it leads.
    name @0 :Data $A.maxBytes(255);
    # The name.
    hash @1 :Data $A.maxBytes(32);
    # The blob.
    version @2 :UInt64;
    # Of the Namespace, when the name was led there.
  }
  struct NamespaceChange {
    # Where a name led from a version on.
    hash @0 :Data $A.maxBytes(32);
    # The blob; empty: nothing.
    version @1 :UInt64;
    # Of the Namespace, since when.
    timeNs @2 :Int64 $A.unit("ns");
    # When that was, as `modifiedNs` of File.
  }
  struct GetParams {
    name @0 :Data $A.maxBytes(255);
    # The name.
  }
  struct GetResults {
    outcome @0 :FileOutcome;
    # ok, notFound, inputOutput.
    hash @1 :Data $A.maxBytes(32);
    # The blob.
    version @2 :UInt64;
    # Of the Namespace, when the name was led there.
  }
  struct ListParams {
    after @0 :Data $A.maxBytes(255);
    # Names behind this one; empty: from the beginning.
    entriesMax @1 :UInt16;
    # How many at most, 1 to 128.
  }
  struct ListResults {
    outcome @0 :FileOutcome;
    # ok, inputOutput.
    end @1 :Bool;
    # There are no more behind these.
    entries @2 :List(Namespace.NamespaceEntry) $A.maxCount(128);
    # The entries; none only at the end.
  }
  struct HistoryParams {
    name @0 :Data $A.maxBytes(255);
    # The name.
    before @1 :UInt64;
    # Changes before this version of the Namespace; 0: from the newest.
    changesMax @2 :UInt16;
    # How many at most, 1 to 128.
  }
  struct HistoryResults {
    outcome @0 :FileOutcome;
    # ok, notFound if the name never led anywhere, inputOutput.
    end @1 :Bool;
    # There are no earlier ones.
    changes @2 :List(Namespace.NamespaceChange) $A.maxCount(128);
    # The changes, newest first.
  }
  struct WatchParams {
    version @0 :UInt64;
    # What the caller knows.
  }
  struct WatchResults {
    version @0 :UInt64;
    # Another one.
  }
  struct InfoResults {
    version @0 :UInt64;
    # Of the Namespace; 0 if nothing was ever changed.
    nameCount @1 :UInt64;
    # How many names lead somewhere.
    historyVersion @2 :UInt64;
    # The history goes back to here.
  }
  struct SetParams {
    name @0 :Data $A.maxBytes(255);
    # The name.
    expected @1 :Data $A.maxBytes(32);
    # Where it leads; empty: to nothing.
    hash @2 :Data $A.maxBytes(32);
    # Where it is to lead; empty: to nothing.
  }
  struct SetResults {
    outcome @0 :FileOutcome;
    # ok; busy if it leads elsewhere than expected; notFound if there is no such blob; noSpace,
    # quotaExceeded, readOnly, inputOutput.
    current @1 :Data $A.maxBytes(32);
    # With ok and busy: where the name leads after the call.
    version @2 :UInt64;
    # With ok and busy: of the Namespace, since when.
  }
  struct SnapshotResults {
    outcome @0 :FileOutcome;
    # ok, noSpace, quotaExceeded, readOnly, inputOutput.
    hash @1 :Data $A.maxBytes(32);
    # The blob; it is kept like any other.  It doesn't keep what the names led to.
    version @2 :UInt64;
    # Of the Namespace.
  }
  struct RestoreParams {
    hash @0 :Data $A.maxBytes(32);
    # From `snapshot`.
  }
  struct RestoreResults {
    outcome @0 :FileOutcome;
    # ok; notFound if there is no such blob, or one that the snapshot leads to is gone;
    # corrupted if it is no snapshot; noSpace, quotaExceeded, readOnly, inputOutput.
    version @1 :UInt64;
    # Of the Namespace.
  }
  struct ForgetParams {
    version @0 :UInt64;
    # The history before this version is dropped, but for where each name led then.
  }
  struct ForgetResults {
    outcome @0 :FileOutcome;
    # ok, readOnly, inputOutput.
  }
  struct ReadOnlyResults {
    namespace @0 :ReadOnlyNamespace;
    # The same Namespace.
  }
}

interface ReadOnlyNamespace @0xf1376ec74218a3ad $A.home(service) {
  # Names of blobs, to look at.  Its methods are the first ones of Namespace, which see.

  get @0 GetParams -> GetResults;
  # Where a name leads.

  list @1 ListParams -> ListResults;
  # The names that lead somewhere, in the order of their bytes, a page at a time.

  history @2 HistoryParams -> HistoryResults;
  # Where a name led, newest first, a page at a time.

  watch @3 WatchParams -> WatchResults $A.pending;
  # Completes when the Namespace has another version.

  info @4 () -> InfoResults;
  # What is known of the Namespace.

  struct GetParams {
    name @0 :Data $A.maxBytes(255);
    # The name.
  }
  struct GetResults {
    outcome @0 :FileOutcome;
    # ok, notFound, inputOutput.
    hash @1 :Data $A.maxBytes(32);
    # The blob.
    version @2 :UInt64;
    # Of the Namespace, when the name was led there.
  }
  struct ListParams {
    after @0 :Data $A.maxBytes(255);
    # Names behind this one; empty: from the beginning.
    entriesMax @1 :UInt16;
    # How many at most, 1 to 128.
  }
  struct ListResults {
    outcome @0 :FileOutcome;
    # ok, inputOutput.
    end @1 :Bool;
    # There are no more behind these.
    entries @2 :List(Namespace.NamespaceEntry) $A.maxCount(128);
    # The entries; none only at the end.
  }
  struct HistoryParams {
    name @0 :Data $A.maxBytes(255);
    # The name.
    before @1 :UInt64;
    # Changes before this version of the Namespace; 0: from the newest.
    changesMax @2 :UInt16;
    # How many at most, 1 to 128.
  }
  struct HistoryResults {
    outcome @0 :FileOutcome;
    # ok, notFound if the name never led anywhere, inputOutput.
    end @1 :Bool;
    # There are no earlier ones.
    changes @2 :List(Namespace.NamespaceChange) $A.maxCount(128);
    # The changes, newest first.
  }
  struct WatchParams {
    version @0 :UInt64;
    # What the caller knows.
  }
  struct WatchResults {
    version @0 :UInt64;
    # Another one.
  }
  struct InfoResults {
    version @0 :UInt64;
    # Of the Namespace; 0 if nothing was ever changed.
    nameCount @1 :UInt64;
    # How many names lead somewhere.
    historyVersion @2 :UInt64;
    # The history goes back to here.
  }
}
