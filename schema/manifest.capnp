# SPDX-License-Identifier: MIT
@0xd33557f84a45e0a3;
using A = import "annotations.capnp";
using import "thread.capnp".LatencyClass;
# What init reads: the system's manifest, which is built into the image, and
# the request of one `capos run`, which the host adds to the boot package.

struct Grant {
  # One capability for a program, by the name that it will find.
  name @0 :Text $A.maxBytes(31);
  # The name in the program's CapSet.
  source :union {
    # Where init takes it from.
    kernel @1 :Text $A.maxBytes(31);
    # A capability that the kernel gave to init, by its name in init's CapSet.
    service :group {
      # An object that a service of this manifest serves.
      service @2 :Text $A.maxBytes(31);
      # The name of the service.
      export @3 :Text $A.maxBytes(31);
      # The name of the export.
    }
  }
}

struct Export {
  # An object that init mints on a service's endpoint and grants to others.
  name @0 :Text $A.maxBytes(31);
  # The name.
  interfaceId @1 :UInt64;
  # The interface that the service serves under it.
  word @2 :UInt64;
  # The object word by which the service tells its exports apart.
}

enum RestartPolicy {
  # What init does when a service ends.
  never @0;
  # Nothing: calls to it end with `disconnected`, now and later.
  onFailure @1;
  # Starts it again unless it exited with 0.
  always @2;
  # Starts it again however it ended.
}

struct Service {
  # A program that init starts before the requested one.
  #
  # A service that is restarted keeps its endpoint.  Calls that it had received
  # end with `disconnected`; calls that wait in the endpoint's queue, and those
  # made until it is back, go to its successor.  Its clients keep their
  # capabilities on its exports.  The state that it had in memory is gone, and
  # with it the objects that it minted itself.
  name @0 :Text $A.maxBytes(31);
  # Unique in the manifest.
  binary @1 :Text $A.maxBytes(63);
  # A file of the boot package.
  arguments @2 :List(Text) $A.maxCount(32);
  # argv without argv[0].
  grants @3 :List(Grant) $A.maxCount(32);
  # All that it is granted, besides its own memory and thread, its budget, and the
  # endpoint on which it serves its exports.
  exports @4 :List(Export) $A.maxCount(16);
  # What it serves.
  budgetBytes @5 :UInt64 $A.unit("bytes");
  # How much memory it may use.
  restart @6 :RestartPolicy;
  # Whether it is started again when it ends.
  restartsMax @7 :UInt32 = 5;
  # How often in a row.  A run of 10 s or more begins a new row.
  restartDelayNs @8 :UInt64 = 10000000 $A.unit("ns");
  # How long init waits before the first restart of a row; before each further
  # one twice as long as before the last, at most 10 s.
  onDemand @9 :Bool;
  # Start it only when somebody is granted one of its exports: a service that is
  # started, or the requested program.
  latencyClass @10 :LatencyClass;
  # Of its first thread.  `interactive` for what a person or a device waits for;
  # init takes the right to it from its grant "urgent".
  cpuWeight @11 :UInt32 = 100;
  # The share of its budget, as in MemoryBudget.setCpuWeight.
}

struct SystemManifest {
  # The whole system.
  services @0 :List(Service) $A.maxCount(32);
  # Started in this order.
  programGrants @1 :List(Grant) $A.maxCount(32);
  # What every requested program gets.
  grantable @2 :List(Grant) $A.maxCount(32);
  # What `capos run --grant NAME` can add.
  hostDirectory @3 :Service;
  # Who serves a directory of the host: started once for each of the request, with the
  # mount tag of its device as one more argument.  Of its exports, the one that is a
  # Directory or the one that is a ReadOnlyDirectory goes to the program.  Without a name:
  # the system has no such service.
  disk @4 :Service;
  # Who serves the files of a disk: started once for each of the request, with the BlockDevice
  # of a `diskDriver` as one more grant, "device".  Of its exports, the one that is a Directory
  # goes to the program.  Without a name: the system has no such service.
  diskDriver @5 :Service;
  # Who drives the device of such a disk: started once for each, with the number of the device
  # as one more argument.
}

struct HostDirectory {
  # A directory of the host for the requested program.
  name @0 :Text $A.maxBytes(31);
  # The name in the program's CapSet.
  mountTag @1 :Text $A.maxBytes(31);
  # Of the virtio-9p device that leads to it.
  readOnly @2 :Bool;
  # The program gets a ReadOnlyDirectory, not a Directory.
}

struct HostDisk {
  # A disk of the machine, whose files are for the requested program.
  name @0 :Text $A.maxBytes(31);
  # The name of the Directory in the program's CapSet.
  device @1 :UInt32;
  # The number of its device among the machine's block devices, from 0.
}

struct MemoryDirectory {
  # An empty directory in memory for the requested program.
  name @0 :Text $A.maxBytes(31);
  # The name in the program's CapSet.
  sizeBytes @1 :UInt64 $A.unit("bytes");
  # The most that it may use, as in Ramfs.create.  It has a budget of its own for that.
}

struct RunRequest {
  # The program that one `capos run` asks for.
  program @0 :Text $A.maxBytes(63);
  # A file of the boot package.
  arguments @1 :List(Text) $A.maxCount(1024);
  # argv, argv[0] included.
  environment @2 :List(Text) $A.maxCount(256);
  # "NAME=value" each.
  grants @3 :List(Text) $A.maxCount(32);
  # Names from the manifest's `grantable`.
  symbolName @4 :Text $A.maxBytes(63);
  # What the process is called in reports.
  trace @5 :Bool;
  # Whether the host wants a trace of the program's calls.
  traceCaptureBytes @6 :UInt32 $A.unit("bytes");
  # As in ProcessBuilder.trace.
  directories @7 :List(HostDirectory) $A.maxCount(6);
  # Directories of the host that the program gets.
  cpuWeight @8 :UInt32 = 100;
  # The share of the program's budget beside those of the services, as in
  # MemoryBudget.setCpuWeight.
  disks @9 :List(HostDisk) $A.maxCount(4);
  # Disks whose files it gets.  The block devices are theirs: none can be granted beside them.
  memoryDirectories @10 :List(MemoryDirectory) $A.maxCount(4);
  # Directories in memory that it gets.
  outputBytesMax @11 :UInt64 $A.unit("bytes");
  # What it may write through its grant "stdio", as in StdIO.limit; 0: no limit.
}
