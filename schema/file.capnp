# SPDX-License-Identifier: MIT
@0xa5fc75f056ed0573;
using A = import "annotations.capnp";
using import "memory_object.capnp".MemoryObject;

enum FileOutcome {
  # How a request about files ended, in a field of each method's results: a caller
  # branches on it.  Only with `ok` do the other results mean anything.  In brackets the
  # errno that a POSIX adapter makes of it.
  #
  # What is wrong whatever the files are (a malformed path, a range that can't be) is the
  # exception `invalidArgument`; a service without memory for the request is `overloaded`.
  ok @0;
  # Done.
  notFound @1;
  # A name of the path doesn't exist, or a symlink leads to one that doesn't (ENOENT).
  exists @2;
  # The name is taken, and the caller asked that it isn't (EEXIST).
  notDirectory @3;
  # A name that should be a directory's is another kind of file's (ENOTDIR).
  isDirectory @4;
  # A directory, where another kind of file is needed (EISDIR).
  notEmpty @5;
  # The directory to be removed or replaced has entries (ENOTEMPTY).
  symlink @6;
  # The last name is a symlink's, and the caller didn't want it followed (ELOOP).
  tooManySymlinks @7;
  # More symlinks on the way than the service follows, 16 (ELOOP).
  outside @8;
  # A symlink on the way leads out of the Directory: it is absolute, or goes up
  # further than the Directory (EACCES).
  readOnly @9;
  # Nothing can be changed there: the service or its medium is read-only (EROFS).
  noAccess @10;
  # Who keeps the files refuses it to the service (EACCES).
  noSpace @11;
  # The medium is full (ENOSPC).
  quotaExceeded @12;
  # A limit that was set for this Directory, of bytes or of files (EDQUOT).
  tooLarge @13;
  # Beyond the largest size of a file (EFBIG).
  inputOutput @14;
  # The medium failed (EIO).
  corrupted @15;
  # What was read isn't what was written: a checksum is wrong (EIO).
  intoItself @16;
  # A directory can't be moved into itself or what is below it (EINVAL).
  otherService @17;
  # The two Directories don't belong to the same tree of the same service (EXDEV).
  notSupported @18;
  # The service has no such thing: symlinks, mappings, exchanging (ENOTSUP).
  busy @19;
  # In use in a way that excludes it (EBUSY).
}

enum FileKind {
  # What a name leads to.
  file @0;
  # Bytes.
  directory @1;
  # Names.
  symlink @2;
  # A path that is followed in its place.
  other @3;
  # Something else of the host's: it can be seen, renamed and removed, not opened.
}

interface File @0xf52b7b52bf4dd01c $A.home(service) {
  # A file, to read and to change.  Who opened it with Directory.open has it.
  #
  # Bytes are addressed by their offset; there is no position that moves.  A
  # file has 0 to 2^63 - 1 bytes, less where the service or its medium allows less.
  # Its inode stays the same when it is renamed or removed, and a removed file lives on
  # until its last capability is released.
  #
  # A change is seen by every later call on the same file, whoever makes it.  It is
  # durable once a later `sync` has ended with `ok`, of services that are persistent
  # (Directory.info).  `read` carries up to 4096 bytes, `write` up to 2048; for more,
  # `createBuffer` makes memory that the two sides share, and `map` gives the pages themselves.
  #
  # The methods 0 to 3 are those of ReadOnlyFile.

  read @0 ReadParams -> ReadResults;
  # Reads up to 4096 bytes; fewer than asked for only at the end of the file.

  stat @1 () -> StatResults;
  # What is known of the file.

  map @2 MapParams -> MapResults;
  # The pages of the file, to be mapped read-only.  Changes are seen through them, and
  # pages that `truncate` cuts off stay until they are unmapped, as what they were.
  # `notSupported` if the service has no pages of the file, as for files of the host: a
  # buffer of memory of the caller's own is where a copy of them can go.

  createBuffer @3 CreateBufferParams -> CreateBufferResults;
  # Shares memory with the service for bulk data.

  write @4 WriteParams -> WriteResults;
  # Writes at an offset.  A gap behind the end of the file reads as zero.

  append @5 AppendParams -> AppendResults;
  # Writes at the end of the file, wherever that is then: two that append don't
  # overwrite each other.

  truncate @6 TruncateParams -> TruncateResults;
  # Sets the size.  What is cut off is gone; what is added reads as zero.

  sync @7 SyncParams -> SyncResults;
  # Completes when all earlier changes of the file are durable.

  setAttributes @8 SetAttributesParams -> SetAttributesResults;
  # Sets mode or times.

  mapWritable @9 MapWritableParams -> MapWritableResults;
  # As `map`, with pages to be written: what is written through them is the file's,
  # durable after `sync`.  They lie within the file's size; it doesn't grow by them.

  readOnly @10 () -> ReadOnlyResults;
  # The same file for somebody who may only read it.

  struct ReadParams {
    offsetBytes @0 :UInt64 $A.unit("bytes");
    # Where to begin.
    lengthBytes @1 :UInt32 $A.unit("bytes");
    # How much, 0 to 4096.
  }
  struct ReadResults {
    outcome @0 :FileOutcome;
    # ok, inputOutput, corrupted.
    data @1 :Data $A.maxBytes(4096);
    # The bytes; none at or behind the end.
  }
  struct StatResults {
    outcome @0 :FileOutcome;
    # ok, inputOutput, corrupted.
    kind @1 :FileKind;
    # What it is.
    mode @2 :UInt16;
    # Permission bits as POSIX has them, 0 to 0o7777: kept for who asks, and followed by
    # nobody in capOS.
    linkCount @3 :UInt32;
    # Names that lead to it; 0 once it is removed.
    inode @4 :UInt64;
    # Its number: never that of another file of the service, also later, as far as the medium
    # allows.
    sizeBytes @5 :UInt64 $A.unit("bytes");
    # A file's size, a symlink's length; of a directory the number of its entries.
    storedBytes @6 :UInt64 $A.unit("bytes");
    # What it takes up of the medium.
    version @7 :UInt64;
    # A number that grows with every change of the content; of a directory, of its entries
    # (`Directory.watch`).  0 if the service doesn't count.
    modifiedNs @8 :Int64 $A.unit("ns");
    # When its content changed: since 1970 in UTC if the service knows the time of
    # day, otherwise since the machine started; 0 if it knows no time.
    changedNs @9 :Int64 $A.unit("ns");
    # When its content, mode, times or names changed.
    accessedNs @10 :Int64 $A.unit("ns");
    # When it was read: no service but the host's keeps it; otherwise what was set last.
    createdNs @11 :Int64 $A.unit("ns");
    # When it came into being.
  }
  struct MapParams {
    offsetBytes @0 :UInt64 $A.unit("bytes");
    # Where to begin: a multiple of 4096 below the file's size; otherwise `invalidArgument`.
    lengthBytes @1 :UInt64 $A.unit("bytes");
    # How much is wanted, not zero.
  }
  struct MapResults {
    outcome @0 :FileOutcome;
    # ok, notSupported, inputOutput, corrupted, noSpace, quotaExceeded.
    lengthBytes @1 :UInt64 $A.unit("bytes");
    # How much of the file the object has: at most what is wanted, at least one page or to the
    # end of the file.  The rest of the last page is zero or what lies behind the end.
    object @2 :MemoryObject $A.optional;
    # The pages, from the offset on, readable.
  }
  struct CreateBufferParams {
    memory @0 :MemoryObject;
    # Writable memory of 4096 bytes to 4 MiB; otherwise `invalidArgument`.
  }
  struct CreateBufferResults {
    buffer @0 :FileBuffer;
    # The shared buffer, for all files of the service.  `overloaded` if the service has
    # no room for one more.
  }
  struct WriteParams {
    offsetBytes @0 :UInt64 $A.unit("bytes");
    # Where to begin.
    data @1 :Data $A.maxBytes(2048);
    # The bytes.
  }
  struct WriteResults {
    outcome @0 :FileOutcome;
    # ok, noSpace, quotaExceeded, tooLarge, readOnly, inputOutput.  If it isn't ok, nothing was
    # written.
    writtenBytes @1 :UInt32 $A.unit("bytes");
    # How many; fewer than given if that was all the room.
  }
  struct AppendParams {
    data @0 :Data $A.maxBytes(2048);
    # The bytes.
  }
  struct AppendResults {
    outcome @0 :FileOutcome;
    # As of `write`.
    writtenBytes @1 :UInt32 $A.unit("bytes");
    # How many; fewer than given if that was all the room.
    offsetBytes @2 :UInt64 $A.unit("bytes");
    # Where they are: the file's size before.
  }
  struct TruncateParams {
    sizeBytes @0 :UInt64 $A.unit("bytes");
    # The new size.
  }
  struct TruncateResults {
    outcome @0 :FileOutcome;
    # ok, noSpace, quotaExceeded, tooLarge, readOnly, inputOutput.
  }
  struct SyncParams {
    dataOnly @0 :Bool;
    # Times and mode may be left out (fdatasync).
  }
  struct SyncResults {
    outcome @0 :FileOutcome;
    # ok, inputOutput, noSpace.  If it isn't ok, what was changed since the last sync
    # may be durable or not.
  }
  struct SetAttributesParams {
    setMode @0 :Bool;
    # Whether to set the mode.
    setModified @1 :Bool;
    # Whether to set `modifiedNs`.
    setAccessed @2 :Bool;
    # Whether to set `accessedNs`.
    mode @3 :UInt16;
    # 0 to 0o7777; otherwise `invalidArgument`.
    modifiedNs @4 :Int64 $A.unit("ns");
    # The time.
    accessedNs @5 :Int64 $A.unit("ns");
    # The time.
  }
  struct SetAttributesResults {
    outcome @0 :FileOutcome;
    # ok, readOnly, noAccess, noSpace, inputOutput.
  }
  struct MapWritableParams {
    offsetBytes @0 :UInt64 $A.unit("bytes");
    # As of `map`.
    lengthBytes @1 :UInt64 $A.unit("bytes");
    # As of `map`.
  }
  struct MapWritableResults {
    outcome @0 :FileOutcome;
    # As of `map`, and readOnly.
    lengthBytes @1 :UInt64 $A.unit("bytes");
    # As of `map`.
    object @2 :MemoryObject $A.optional;
    # The pages, from the offset on, readable and writable.
  }
  struct ReadOnlyResults {
    file @0 :ReadOnlyFile;
    # The same file.
  }
}

interface ReadOnlyFile @0x9606a49db0856d9b $A.home(service) {
  # A file, to read.  Its methods are the first ones of File, which see; there is no
  # way from here to a File.

  read @0 ReadParams -> ReadResults;
  # Reads up to 4096 bytes; fewer than asked for only at the end of the file.

  stat @1 () -> StatResults;
  # What is known of the file.

  map @2 MapParams -> MapResults;
  # The pages of the file, to be mapped read-only.

  createBuffer @3 CreateBufferParams -> CreateBufferResults;
  # Shares memory with the service for bulk data.

  struct ReadParams {
    offsetBytes @0 :UInt64 $A.unit("bytes");
    # Where to begin.
    lengthBytes @1 :UInt32 $A.unit("bytes");
    # How much, 0 to 4096.
  }
  struct ReadResults {
    outcome @0 :FileOutcome;
    # ok, inputOutput, corrupted.
    data @1 :Data $A.maxBytes(4096);
    # The bytes; none at or behind the end.
  }
  struct StatResults {
    outcome @0 :FileOutcome;
    # As in File.
    kind @1 :FileKind;
    # As in File.
    mode @2 :UInt16;
    # As in File.
    linkCount @3 :UInt32;
    # As in File.
    inode @4 :UInt64;
    # As in File.
    sizeBytes @5 :UInt64 $A.unit("bytes");
    # As in File.
    storedBytes @6 :UInt64 $A.unit("bytes");
    # As in File.
    version @7 :UInt64;
    # As in File.
    modifiedNs @8 :Int64 $A.unit("ns");
    # As in File.
    changedNs @9 :Int64 $A.unit("ns");
    # As in File.
    accessedNs @10 :Int64 $A.unit("ns");
    # As in File.
    createdNs @11 :Int64 $A.unit("ns");
    # As in File.
  }
  struct MapParams {
    offsetBytes @0 :UInt64 $A.unit("bytes");
    # As in File.
    lengthBytes @1 :UInt64 $A.unit("bytes");
    # As in File.
  }
  struct MapResults {
    outcome @0 :FileOutcome;
    # As in File.
    lengthBytes @1 :UInt64 $A.unit("bytes");
    # As in File.
    object @2 :MemoryObject $A.optional;
    # As in File.
  }
  struct CreateBufferParams {
    memory @0 :MemoryObject;
    # As in File.
  }
  struct CreateBufferResults {
    buffer @0 :FileBuffer;
    # As in File.
  }
}

interface FileBuffer @0x8a475d3473ea672f $A.home(service) {
  # Memory that a client and a file service share, so that bulk data is copied once, or not at all
  # if a device reaches it.
  #
  # It serves all files of the service that made it.  The client owns the memory, the service
  # has it until the last capability on the buffer is released.  What the memory holds
  # is the client's concern: the service trusts none of it, and two calls that use the
  # same part of it at once mix their data.
  #
  # It is for its creator alone: a File may be handed on without it.

  read @0 ReadParams -> ReadResults;
  # Reads from a file into the buffer; fewer bytes than asked for only at the end of the file.

  write @1 WriteParams -> WriteResults;
  # Writes from the buffer to a file.

  append @2 AppendParams -> AppendResults;
  # Writes from the buffer to the end of a file, as File.append.

  struct ReadParams {
    file @0 :Capability;
    # A File or ReadOnlyFile of the same service; otherwise `invalidArgument`.
    offsetBytes @1 :UInt64 $A.unit("bytes");
    # Where in the file to begin.
    lengthBytes @2 :UInt32 $A.unit("bytes");
    # How much.
    bufferOffsetBytes @3 :UInt32 $A.unit("bytes");
    # Where in the buffer; all of it lies within the buffer, otherwise `invalidArgument`.
  }
  struct ReadResults {
    outcome @0 :FileOutcome;
    # ok, inputOutput, corrupted.
    readBytes @1 :UInt32 $A.unit("bytes");
    # How many were read.
  }
  struct WriteParams {
    file @0 :File;
    # A File of the same service; otherwise `invalidArgument`.
    offsetBytes @1 :UInt64 $A.unit("bytes");
    # Where in the file to begin.
    lengthBytes @2 :UInt32 $A.unit("bytes");
    # How much.
    bufferOffsetBytes @3 :UInt32 $A.unit("bytes");
    # As of `read`.
  }
  struct WriteResults {
    outcome @0 :FileOutcome;
    # As of File.write.
    writtenBytes @1 :UInt32 $A.unit("bytes");
    # As of File.write.
  }
  struct AppendParams {
    file @0 :File;
    # As of `write`.
    lengthBytes @1 :UInt32 $A.unit("bytes");
    # How much.
    bufferOffsetBytes @2 :UInt32 $A.unit("bytes");
    # As of `read`.
  }
  struct AppendResults {
    outcome @0 :FileOutcome;
    # As of File.write.
    writtenBytes @1 :UInt32 $A.unit("bytes");
    # As of File.write.
    offsetBytes @2 :UInt64 $A.unit("bytes");
    # As of File.append.
  }
}
