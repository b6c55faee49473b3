# SPDX-License-Identifier: MIT
@0xc7d30b1e5a9f4826;
# The system of the booted tests of disks: as that of the others.
using M = import "/schema/manifest.capnp";
using Default = import "/system/default.capnp";

const manifest :M.SystemManifest = (
  services = [Default.hostlink, Default.block, Default.bootfs, Default.ramfs],
  programGrants = [
    (name = "stdio", source = (service = (service = "hostlink", export = "stdio"))),
    (name = "timer", source = (kernel = "timer")),
    (name = "entropy", source = (kernel = "entropy")),
    (name = "console", source = (kernel = "console")),
    (name = "spawner", source = (kernel = "spawner")),
    (name = "boot", source = (kernel = "boot")),
    (name = "inspector", source = (kernel = "inspector")),
    (name = "threads", source = (kernel = "threads")),
    (name = "urgent", source = (kernel = "urgent")),
    (name = "ports", source = (kernel = "ports")),
    (name = "devices", source = (kernel = "devices")),
    (name = "interrupts", source = (kernel = "interrupts")),
    (name = "pci", source = (kernel = "pci")),
    (name = "dma", source = (kernel = "dma")),
    (name = "forker", source = (kernel = "forker")),
    (name = "boot-files", source = (service = (service = "bootfs", export = "files"))),
    (name = "ramfs", source = (service = (service = "ramfs", export = "ramfs"))),
  ],
  grantable = [
    (name = "block", source = (service = (service = "block", export = "device"))),
  ],
  hostDirectory = Default.hostDirectory,
  disk = Default.disk,
  diskDriver = Default.diskDriver,
);
