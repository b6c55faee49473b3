# SPDX-License-Identifier: MIT
@0xd54c17bbbe3508a1;
using A = import "annotations.capnp";
using import "file.capnp".File;
using import "file.capnp".FileKind;
using import "file.capnp".FileOutcome;
using import "file.capnp".ReadOnlyFile;

struct DirectoryEntry {
  # A name in a directory, with what a listing tells of it.
  name @0 :Data $A.maxBytes(255);
  # The name: one component of a path.
  kind @1 :FileKind;
  # What it leads to.
  inode @2 :UInt64;
  # As in File.
  cookie @3 :UInt64;
  # Goes on behind this entry (`Directory.list`).
}

interface Directory @0xf357734a4b4dba24 $A.home(service) {
  # A directory with all that is below it, to read and to change.
  #
  # A *name* is 1 to 255 bytes of any value but 0 and `/`, and neither `.` nor `..`.  A
  # *path* is names with one `/` between two, at most 1024 bytes and 64 names: it can only
  # lead down from the Directory that it is given to.  An empty path is the Directory itself,
  # where a method says so.  Every other path is `invalidArgument`, whatever is there.
  #
  # Symlinks on the way are followed, up to 16, within the Directory that the call was
  # made on: one that is absolute, or leads higher, is the outcome `outside`.
  # So a Directory is the whole of what its holder can reach.
  #
  # A directory that is removed has no entries and takes none (`notFound`); its
  # capabilities live on.  Each method is one step: it is done as a whole or not at all,
  # and nobody sees it half done.
  #
  # The methods 0 to 6 are those of ReadOnlyDirectory.

  openReadOnly @0 OpenReadOnlyParams -> OpenReadOnlyResults;
  # Opens a file for reading.

  openReadOnlyDirectory @1 OpenReadOnlyDirectoryParams -> OpenReadOnlyDirectoryResults;
  # Opens a directory for looking.

  stat @2 StatParams -> StatResults;
  # What is known of a name.

  list @3 ListParams -> ListResults;
  # Lists the entries, a page at a time, in an order of the service's own.  An entry
  # that is there during the whole listing is listed once; one that comes or goes meanwhile is
  # listed or not.  There are no entries `.` and `..`.

  readSymlink @4 ReadSymlinkParams -> ReadSymlinkResults;
  # Where a symlink leads.

  watch @5 WatchParams -> WatchResults $A.pending;
  # Completes when the entries have changed: one came, went, or got another name.
  # `unimplemented` by services that can't know.

  info @6 () -> InfoResults;
  # What the service can do, and how much room there is.

  readOnly @7 () -> ReadOnlyResults;
  # The same directory for somebody who may only look and read.

  open @8 OpenParams -> OpenResults;
  # Opens a file for reading and changing, and makes it if that is asked for.

  openDirectory @9 OpenDirectoryParams -> OpenDirectoryResults;
  # Opens a directory for everything, and makes it if that is asked for.

  createDirectory @10 CreateDirectoryParams -> CreateDirectoryResults;
  # Makes a directory.

  createSymlink @11 CreateSymlinkParams -> CreateSymlinkResults;
  # Makes a symlink.

  remove @12 RemoveParams -> RemoveResults;
  # Removes a name; a symlink is removed, not followed.  What was open stays open.

  rename @13 RenameParams -> RenameResults;
  # Moves a name to another one, there or in another Directory that the caller holds.
  # If the new name exists, it is replaced in the same step: a directory only by a directory,
  # and only if it is empty.  Two names of the same file: nothing is done.

  setAttributes @14 SetAttributesParams -> SetAttributesResults;
  # Sets mode or times of a name.

  sync @15 () -> SyncResults;
  # Completes when all earlier changes in the Directory and below are durable: contents, names
  # and attributes.

  setQuota @16 SetQuotaParams -> SetQuotaResults;
  # Limits what all below a sub-directory may take up.  Who holds that sub-directory alone
  # can't change it: `info` says what is left.

  struct OpenReadOnlyParams {
    path @0 :Data $A.maxBytes(1024);
    # Which file.
    noFollow @1 :Bool;
    # A symlink at the end is the outcome `symlink`.
  }
  struct OpenReadOnlyResults {
    outcome @0 :FileOutcome;
    # ok; notFound, notDirectory, isDirectory, symlink, tooManySymlinks, outside,
    # noAccess, notSupported (for `other`), inputOutput, corrupted.
    inode @1 :UInt64;
    # As in File.
    sizeBytes @2 :UInt64 $A.unit("bytes");
    # The file's size.
    file @3 :ReadOnlyFile $A.optional;
    # The file.
  }
  struct OpenReadOnlyDirectoryParams {
    path @0 :Data $A.maxBytes(1024);
    # Which directory; empty for the Directory itself.
    noFollow @1 :Bool;
    # A symlink at the end is the outcome `symlink`.
  }
  struct OpenReadOnlyDirectoryResults {
    outcome @0 :FileOutcome;
    # ok; notFound, notDirectory, symlink, tooManySymlinks, outside, noAccess, inputOutput,
    # corrupted.
    inode @1 :UInt64;
    # As in File.
    directory @2 :ReadOnlyDirectory $A.optional;
    # The directory.
  }
  struct StatParams {
    path @0 :Data $A.maxBytes(1024);
    # What; empty for the Directory itself.
    noFollow @1 :Bool;
    # Of a symlink at the end, the symlink itself is meant.
  }
  struct StatResults {
    outcome @0 :FileOutcome;
    # ok, or why the path leads nowhere.
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
  struct ListParams {
    cookie @0 :UInt64;
    # 0 for the beginning, or that of an entry: the listing goes on behind it, also if it is
    # gone.  One that isn't of this directory goes on somewhere.
    entriesMax @1 :UInt16;
    # How many at most, 1 to 128.
  }
  struct ListResults {
    outcome @0 :FileOutcome;
    # ok, noAccess, inputOutput, corrupted.
    end @1 :Bool;
    # There are no more behind these.
    entries @2 :List(DirectoryEntry) $A.maxCount(128);
    # The entries; none only at the end.
  }
  struct ReadSymlinkParams {
    path @0 :Data $A.maxBytes(1024);
    # Which symlink.
  }
  struct ReadSymlinkResults {
    outcome @0 :FileOutcome;
    # ok; notSupported if it isn't a symlink; or why the path leads nowhere.
    target @1 :Data $A.maxBytes(1024);
    # What it was made with.
  }
  struct WatchParams {
    version @0 :UInt64;
    # What the caller knows, from `stat` of the Directory itself or an earlier `watch`.
  }
  struct WatchResults {
    version @0 :UInt64;
    # Another one.
  }
  struct InfoResults {
    writable @0 :Bool;
    # Whether anything can be changed there by who holds a Directory.
    persistent @1 :Bool;
    # Whether what was synced outlives the machine.
    symlinks @2 :Bool;
    # Whether there can be symlinks.
    mappings @3 :Bool;
    # Whether files can be mapped.
    watches @4 :Bool;
    # Whether `watch` works.
    nameBytesMax @5 :UInt16 $A.unit("bytes");
    # The longest name, at most 255.
    totalBytes @6 :UInt64 $A.unit("bytes");
    # The room for files, in use or free; no more than the quotas that apply to the directory.
    freeBytes @7 :UInt64 $A.unit("bytes");
    # The room that is free; likewise.
    fileBytesMax @8 :UInt64 $A.unit("bytes");
    # The largest size of a file.
    fileCountMax @9 :UInt64;
    # How many files, directories and symlinks there can be; 0 if only room is the limit.
    fileCount @10 :UInt64;
    # How many there are; 0 if the service doesn't count.
  }
  struct ReadOnlyResults {
    directory @0 :ReadOnlyDirectory;
    # The same directory.
  }
  struct OpenParams {
    path @0 :Data $A.maxBytes(1024);
    # Which file.
    create @1 :Bool;
    # If there is none, make it, empty.
    exclusive @2 :Bool;
    # With `create`: if the name is taken, also by a symlink, the outcome is `exists`.
    truncate @3 :Bool;
    # Make it empty.
    noFollow @4 :Bool;
    # A symlink at the end is the outcome `symlink`.
    mode @5 :UInt16;
    # Of a new file: 0 to 0o7777; otherwise `invalidArgument`.
  }
  struct OpenResults {
    outcome @0 :FileOutcome;
    # ok; notFound, exists, notDirectory, isDirectory, symlink, tooManySymlinks, outside,
    # readOnly, noAccess, noSpace, quotaExceeded, notSupported (for `other`), inputOutput,
    # corrupted.
    created @1 :Bool;
    # The call made it.
    inode @2 :UInt64;
    # As in File.
    sizeBytes @3 :UInt64 $A.unit("bytes");
    # The file's size.
    file @4 :File $A.optional;
    # The file.
  }
  struct OpenDirectoryParams {
    path @0 :Data $A.maxBytes(1024);
    # Which directory; empty for the Directory itself.
    create @1 :Bool;
    # If the last name doesn't exist, make it.
    noFollow @2 :Bool;
    # A symlink at the end is the outcome `symlink`.
    mode @3 :UInt16;
    # Of a new directory: 0 to 0o7777; otherwise `invalidArgument`.
  }
  struct OpenDirectoryResults {
    outcome @0 :FileOutcome;
    # As of `open`, without isDirectory.
    created @1 :Bool;
    # The call made it.
    inode @2 :UInt64;
    # As in File.
    directory @3 :Directory $A.optional;
    # The directory.
  }
  struct CreateDirectoryParams {
    path @0 :Data $A.maxBytes(1024);
    # The new name; the directories on the way exist.
    mode @1 :UInt16;
    # 0 to 0o7777; otherwise `invalidArgument`.
  }
  struct CreateDirectoryResults {
    outcome @0 :FileOutcome;
    # ok; exists, readOnly, noSpace, quotaExceeded, inputOutput; or why the path leads nowhere.
  }
  struct CreateSymlinkParams {
    path @0 :Data $A.maxBytes(1024);
    # The new name; the directories on the way exist.
    target @1 :Data $A.maxBytes(1024);
    # What it leads to: 1 to 1024 bytes, none of them 0; otherwise `invalidArgument`.  It
    # isn't looked at before it is followed.
  }
  struct CreateSymlinkResults {
    outcome @0 :FileOutcome;
    # As of `createDirectory`, and notSupported.
  }
  enum Removal {
    # What a name must be to be removed.
    any @0;
    # Anything; a directory must be empty.
    notDirectory @1;
    # Not a directory: otherwise `isDirectory`.
    directory @2;
    # An empty directory: otherwise `notDirectory`.
  }
  struct RemoveParams {
    path @0 :Data $A.maxBytes(1024);
    # Which name.
    what @1 :Removal;
    # What it must be.
  }
  struct RemoveResults {
    outcome @0 :FileOutcome;
    # ok; isDirectory, notDirectory, notEmpty, readOnly, noAccess, inputOutput; or why the path
    # leads nowhere.
  }
  enum Replacement {
    # What to do if the new name exists.
    replace @0;
    # Replace it.
    refuse @1;
    # The outcome is `exists`.
    exchange @2;
    # Exchange the two; `notFound` if it doesn't exist, `notSupported` if the service can't.
  }
  struct RenameParams {
    path @0 :Data $A.maxBytes(1024);
    # Which name; a symlink is moved, not followed.
    toPath @1 :Data $A.maxBytes(1024);
    # The new name, seen from `toDirectory`.
    replacement @2 :Replacement;
    # What to do if it exists.
    toDirectory @3 :Directory $A.optional;
    # Where it goes; null: within this Directory.
  }
  struct RenameResults {
    outcome @0 :FileOutcome;
    # ok; exists, isDirectory, notDirectory, notEmpty, intoItself, otherService, readOnly,
    # noSpace, quotaExceeded, noAccess, inputOutput; or why a path leads nowhere.
  }
  struct SetAttributesParams {
    path @0 :Data $A.maxBytes(1024);
    # Of what; empty for the Directory itself.
    noFollow @1 :Bool;
    # Of a symlink at the end, the symlink itself is meant.
    setMode @2 :Bool;
    # Whether to set the mode.
    setModified @3 :Bool;
    # Whether to set `modifiedNs`.
    setAccessed @4 :Bool;
    # Whether to set `accessedNs`.
    mode @5 :UInt16;
    # 0 to 0o7777; otherwise `invalidArgument`.
    modifiedNs @6 :Int64 $A.unit("ns");
    # The time.
    accessedNs @7 :Int64 $A.unit("ns");
    # The time.
  }
  struct SetAttributesResults {
    outcome @0 :FileOutcome;
    # ok; readOnly, noAccess, noSpace, inputOutput; or why the path leads nowhere.
  }
  struct SyncResults {
    outcome @0 :FileOutcome;
    # ok, inputOutput, noSpace.  If it isn't ok, what was changed since the last sync
    # may be durable or not.
  }
  struct SetQuotaParams {
    path @0 :Data $A.maxBytes(1024);
    # Which directory: at least one name.
    limitBytes @1 :UInt64 $A.unit("bytes");
    # The most that it and all below it may take up of the medium, 512 bytes for each name
    # included.  0: no limit.  It may be less than what is taken up; then nothing grows.
  }
  struct SetQuotaResults {
    outcome @0 :FileOutcome;
    # ok; notEmpty: only a directory without entries gets its first limit, or loses it;
    # notDirectory, readOnly, noSpace, inputOutput; notSupported: the service has no quotas, or
    # 8 of them apply there already; or why the path leads nowhere.
  }
}

interface ReadOnlyDirectory @0xca101575500b25eb $A.home(service) {
  # A directory with all that is below it, to look at and to read.  Its methods are the
  # first ones of Directory, which see; nothing that it gives can change anything.

  openReadOnly @0 OpenReadOnlyParams -> OpenReadOnlyResults;
  # Opens a file for reading.

  openReadOnlyDirectory @1 OpenReadOnlyDirectoryParams -> OpenReadOnlyDirectoryResults;
  # Opens a directory for looking.

  stat @2 StatParams -> StatResults;
  # What is known of a name.

  list @3 ListParams -> ListResults;
  # Lists the entries, a page at a time, in an order of the service's own.  An entry
  # that is there during the whole listing is listed once; one that comes or goes meanwhile is
  # listed or not.  There are no entries `.` and `..`.

  readSymlink @4 ReadSymlinkParams -> ReadSymlinkResults;
  # Where a symlink leads.

  watch @5 WatchParams -> WatchResults $A.pending;
  # Completes when the entries have changed: one came, went, or got another name.
  # `unimplemented` by services that can't know.

  info @6 () -> InfoResults;
  # What the service can do, and how much room there is.

  struct OpenReadOnlyParams {
    path @0 :Data $A.maxBytes(1024);
    # Which file.
    noFollow @1 :Bool;
    # A symlink at the end is the outcome `symlink`.
  }
  struct OpenReadOnlyResults {
    outcome @0 :FileOutcome;
    # ok; notFound, notDirectory, isDirectory, symlink, tooManySymlinks, outside,
    # noAccess, notSupported (for `other`), inputOutput, corrupted.
    inode @1 :UInt64;
    # As in File.
    sizeBytes @2 :UInt64 $A.unit("bytes");
    # The file's size.
    file @3 :ReadOnlyFile $A.optional;
    # The file.
  }
  struct OpenReadOnlyDirectoryParams {
    path @0 :Data $A.maxBytes(1024);
    # Which directory; empty for the Directory itself.
    noFollow @1 :Bool;
    # A symlink at the end is the outcome `symlink`.
  }
  struct OpenReadOnlyDirectoryResults {
    outcome @0 :FileOutcome;
    # ok; notFound, notDirectory, symlink, tooManySymlinks, outside, noAccess, inputOutput,
    # corrupted.
    inode @1 :UInt64;
    # As in File.
    directory @2 :ReadOnlyDirectory $A.optional;
    # The directory.
  }
  struct StatParams {
    path @0 :Data $A.maxBytes(1024);
    # What; empty for the Directory itself.
    noFollow @1 :Bool;
    # Of a symlink at the end, the symlink itself is meant.
  }
  struct StatResults {
    outcome @0 :FileOutcome;
    # ok, or why the path leads nowhere.
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
  struct ListParams {
    cookie @0 :UInt64;
    # 0 for the beginning, or that of an entry: the listing goes on behind it, also if it is
    # gone.  One that isn't of this directory goes on somewhere.
    entriesMax @1 :UInt16;
    # How many at most, 1 to 128.
  }
  struct ListResults {
    outcome @0 :FileOutcome;
    # ok, noAccess, inputOutput, corrupted.
    end @1 :Bool;
    # There are no more behind these.
    entries @2 :List(DirectoryEntry) $A.maxCount(128);
    # The entries; none only at the end.
  }
  struct ReadSymlinkParams {
    path @0 :Data $A.maxBytes(1024);
    # Which symlink.
  }
  struct ReadSymlinkResults {
    outcome @0 :FileOutcome;
    # ok; notSupported if it isn't a symlink; or why the path leads nowhere.
    target @1 :Data $A.maxBytes(1024);
    # What it was made with.
  }
  struct WatchParams {
    version @0 :UInt64;
    # What the caller knows, from `stat` of the Directory itself or an earlier `watch`.
  }
  struct WatchResults {
    version @0 :UInt64;
    # Another one.
  }
  struct InfoResults {
    writable @0 :Bool;
    # Whether anything can be changed there by who holds a Directory.
    persistent @1 :Bool;
    # Whether what was synced outlives the machine.
    symlinks @2 :Bool;
    # Whether there can be symlinks.
    mappings @3 :Bool;
    # Whether files can be mapped.
    watches @4 :Bool;
    # Whether `watch` works.
    nameBytesMax @5 :UInt16 $A.unit("bytes");
    # The longest name, at most 255.
    totalBytes @6 :UInt64 $A.unit("bytes");
    # The room for files, in use or free.
    freeBytes @7 :UInt64 $A.unit("bytes");
    # The room that is free.
    fileBytesMax @8 :UInt64 $A.unit("bytes");
    # The largest size of a file.
    fileCountMax @9 :UInt64;
    # How many files, directories and symlinks there can be; 0 if only room is the limit.
    fileCount @10 :UInt64;
    # How many there are; 0 if the service doesn't count.
  }
}
