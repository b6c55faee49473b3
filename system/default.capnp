# SPDX-License-Identifier: MIT
@0xc3d1f4c1a9a5b7e1;
# The system that `capos run` starts: the way to the host, and the requested program.
using M = import "/schema/manifest.capnp";

const hostlink :M.Service = (
  name = "hostlink",
  binary = "hostlink",
  grants = [
    (name = "console", source = (kernel = "console")),  # for its last words
    (name = "devices", source = (kernel = "devices")),
    (name = "dma", source = (kernel = "dma")),
    (name = "interrupts", source = (kernel = "interrupts")),
    (name = "pci", source = (kernel = "pci")),
  ],
  exports = [
    (name = "stdio", interfaceId = 0xa75df329f22bac7f, word = 1),  # StdIO
    (name = "control", interfaceId = 0xd33557f84a45e091, word = 2),  # HostControl
  ],
  budgetBytes = 4194304,
  latencyClass = interactive,
);

# The files that the machine was started with.
const bootfs :M.Service = (
  name = "bootfs",
  binary = "bootfs",
  grants = [
    (name = "console", source = (kernel = "console")),  # for its last words
    (name = "boot", source = (kernel = "boot")),
  ],
  exports = [
    (name = "files", interfaceId = 0xca101575500b25eb, word = 1),  # ReadOnlyDirectory
  ],
  budgetBytes = 1048576,
  onDemand = true,
);

# Directories in memory, charged to who has them made.
const ramfs :M.Service = (
  name = "ramfs",
  binary = "ramfs",
  grants = [
    (name = "console", source = (kernel = "console")),  # for its last words
    (name = "timer", source = (kernel = "timer")),
  ],
  exports = [
    (name = "ramfs", interfaceId = 0xae2b611bba1aa6a1, word = 1),  # Ramfs
  ],
  budgetBytes = 2097152,
  onDemand = true,
);

# Who holds its export may start these programs and no others, up to 1 MiB each: for programs
# that need no `spawner` and no `boot`.
const launcherArguments :List(Text) = [
  "programs=args,echo,exitcode,fault,flood,sleep,spin,welcome",
  "grants=stdio,timer",
  "budget=1048576",
];
const launcherExports :List(M.Export) = [
  (name = "launcher", interfaceId = 0xde41c7a2935f6b08, word = 1),  # RestrictedLauncher
];
const launcherBudgetBytes :UInt64 = 2097152;

const launcher :M.Service = (
  name = "launcher",
  binary = "launcher",
  arguments = .launcherArguments,
  grants = [
    (name = "console", source = (kernel = "console")),  # for its last words
    (name = "spawner", source = (kernel = "spawner")),
    (name = "boot", source = (kernel = "boot")),
    (name = "timer", source = (kernel = "timer")),  # to hand on
    (name = "stdio", source = (service = (service = "hostlink", export = "stdio"))),
  ],
  exports = .launcherExports,
  budgetBytes = .launcherBudgetBytes,
);

# The machine's first virtio block device.
const block :M.Service = (
  name = "block",
  binary = "block",
  grants = [
    (name = "console", source = (kernel = "console")),  # for its last words
    (name = "devices", source = (kernel = "devices")),
    (name = "dma", source = (kernel = "dma")),
    (name = "interrupts", source = (kernel = "interrupts")),
    (name = "pci", source = (kernel = "pci")),
    (name = "timer", source = (kernel = "timer")),
  ],
  exports = [
    (name = "device", interfaceId = 0xef4c40c948c0f38c, word = 1),  # BlockDevice
  ],
  budgetBytes = 8388608,
  restart = onFailure,
  onDemand = true,
);

const services :List(M.Service) = [.hostlink, .launcher, .block, .bootfs, .ramfs];

# Started for `capos run --dir`, once for each directory.
const hostDirectory :M.Service = (
  name = "hostfs",
  binary = "hostfs",
  grants = [
    (name = "console", source = (kernel = "console")),  # for its last words
    (name = "devices", source = (kernel = "devices")),
    (name = "dma", source = (kernel = "dma")),
    (name = "interrupts", source = (kernel = "interrupts")),
    (name = "pci", source = (kernel = "pci")),
    (name = "threads", source = (kernel = "threads")),
  ],
  exports = [
    (name = "directory", interfaceId = 0xf357734a4b4dba24, word = 1),  # Directory
    (name = "readOnlyDirectory", interfaceId = 0xca101575500b25eb, word = 2),  # ReadOnlyDirectory
  ],
  budgetBytes = 6291456,
);

# Started for `capos run --disk`: for each disk a driver, as the one above, and who serves its
# files, who gets that driver's device as "device".
const diskDriver :M.Service = .block;
const disk :M.Service = (
  name = "store",
  binary = "store",
  grants = [
    (name = "console", source = (kernel = "console")),  # for its last words
    (name = "timer", source = (kernel = "timer")),
    (name = "entropy", source = (kernel = "entropy")),
  ],
  exports = [
    (name = "disk", interfaceId = 0xf357734a4b4dba24, word = 1),  # Directory
    (name = "store", interfaceId = 0xf1bd8fbbb2e6469e, word = 2),  # Store
    (name = "namespace", interfaceId = 0xfb29ad03de549b2d, word = 3),  # Namespace
    (name = "snapshot", interfaceId = 0xca101575500b25eb, word = 4),  # ReadOnlyDirectory
  ],
  budgetBytes = 16777216,
  restart = onFailure,
);

const programGrants :List(M.Grant) = [
  (name = "stdio", source = (service = (service = "hostlink", export = "stdio"))),
];

const grantable :List(M.Grant) = [
  (name = "timer", source = (kernel = "timer")),
  (name = "entropy", source = (kernel = "entropy")),
  (name = "console", source = (kernel = "console")),
  (name = "spawner", source = (kernel = "spawner")),
  (name = "boot", source = (kernel = "boot")),
  (name = "threads", source = (kernel = "threads")),
  (name = "urgent", source = (kernel = "urgent")),
  (name = "forker", source = (kernel = "forker")),
  (name = "inspector", source = (kernel = "inspector")),
  (name = "launcher", source = (service = (service = "launcher", export = "launcher"))),
  (name = "block", source = (service = (service = "block", export = "device"))),
  (name = "boot-files", source = (service = (service = "bootfs", export = "files"))),
  (name = "ramfs", source = (service = (service = "ramfs", export = "ramfs"))),
];

const manifest :M.SystemManifest = (
  services = .services,
  programGrants = .programGrants,
  grantable = .grantable,
  hostDirectory = .hostDirectory,
  disk = .disk,
  diskDriver = .diskDriver,
);
