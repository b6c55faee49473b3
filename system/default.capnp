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
  ],
  exports = [
    (name = "stdio", interfaceId = 0xa75df329f22bac7f, word = 1),  # StdIO
    (name = "control", interfaceId = 0xd33557f84a45e091, word = 2),  # HostControl
  ],
  budgetBytes = 4194304,
);

const services :List(M.Service) = [.hostlink];

const programGrants :List(M.Grant) = [
  (name = "stdio", source = (service = (service = "hostlink", export = "stdio"))),
];

const grantable :List(M.Grant) = [
  (name = "timer", source = (kernel = "timer")),
  (name = "entropy", source = (kernel = "entropy")),
  (name = "console", source = (kernel = "console")),
  (name = "spawner", source = (kernel = "spawner")),
  (name = "boot", source = (kernel = "boot")),
  (name = "forker", source = (kernel = "forker")),
];

const manifest :M.SystemManifest = (
  services = .services,
  programGrants = .programGrants,
  grantable = .grantable,
);
