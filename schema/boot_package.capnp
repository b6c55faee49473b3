# SPDX-License-Identifier: MIT
@0x9ee1c1d52fe8d3a3;
using A = import "annotations.capnp";
using import "memory_object.capnp".MemoryObject;

interface BootPackage @0xa0215a1eca85822c $A.home(kernel) {
  # The files that the machine was started with, read-only.
  #
  # abi/boot_package.h gives the format.  Files are page-aligned, so a program
  # is mapped from where the loader put it, without a copy.

  info @0 () -> InfoResults;
  # How many files there are, and the boot command line.

  entry @1 EntryParams -> EntryResults;
  # Name and size of a file by its position.

  open @2 OpenParams -> OpenResults;
  # A file's pages by its name.

  struct InfoResults {
    entryCount @0 :UInt32;
    # The number of files.
    commandLine @1 :Text $A.maxBytes(2047);
    # The boot loader's command line, cut at the bound.
  }
  struct EntryParams {
    index @0 :UInt32;
    # 0 to entryCount - 1.
  }
  struct EntryResults {
    name @0 :Text $A.maxBytes(63);
    # The name, unique in the package.
    sizeBytes @1 :UInt64 $A.unit("bytes");
    # The size.
  }
  struct OpenParams {
    name @0 :Text $A.maxBytes(63);
    # The name.  A name that isn't there is `failed`.
  }
  struct OpenResults {
    object @0 :MemoryObject;
    # The pages, readable and executable; the rest of the last page is zero.  An
    # empty file has one page of zeros.
    sizeBytes @1 :UInt64 $A.unit("bytes");
    # The file's size, without the padding of its last page.
  }
}
