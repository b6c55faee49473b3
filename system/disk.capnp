# SPDX-License-Identifier: MIT
@0xb3c1a5e07d942f68;
# The system of `capos run --disk`: the default one, with the files of the machine's disk.
using M = import "/schema/manifest.capnp";
using Default = import "/system/default.capnp";

const store :M.Service = (
  name = "store",
  binary = "store",
  grants = [
    (name = "console", source = (kernel = "console")),  # for its last words
    (name = "timer", source = (kernel = "timer")),
    (name = "entropy", source = (kernel = "entropy")),
    (name = "device", source = (service = (service = "block", export = "device"))),
  ],
  exports = [
    (name = "disk", interfaceId = 0xf357734a4b4dba24, word = 1),  # Directory
  ],
  budgetBytes = 16777216,
  restart = onFailure,
  onDemand = true,
);

const manifest :M.SystemManifest = (
  services = [
    Default.hostlink, Default.launcher, Default.block, Default.bootfs, Default.ramfs, .store,
  ],
  programGrants = [
    (name = "stdio", source = (service = (service = "hostlink", export = "stdio"))),
    (name = "disk", source = (service = (service = "store", export = "disk"))),
  ],
  grantable = Default.grantable,
  hostDirectory = Default.hostDirectory,
);
