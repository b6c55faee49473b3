# SPDX-License-Identifier: MIT
@0x89bbea57323c23ae;
# The system of `capos run --tty`: a person at a terminal, with line editing, history and Ctrl-C
# in the machine.
using M = import "/schema/manifest.capnp";
using Default = import "/system/default.capnp";

const manifest :M.SystemManifest = (
  services = [
    Default.hostlink,
    Default.bootfs,
    Default.ramfs,
    ( name = "terminal",
      binary = "terminal",
      grants = [
        (name = "console", source = (kernel = "console")),  # for its last words
        (name = "stdio", source = (service = (service = "hostlink", export = "stdio"))),
        (name = "control", source = (service = (service = "hostlink", export = "control"))),
      ],
      exports = [
        (name = "stdio", interfaceId = 0xa75df329f22bac7f, word = 1),  # StdIO
        (name = "terminal", interfaceId = 0xaac1e45f0025b706, word = 2),  # TerminalSession
      ],
      budgetBytes = 2097152,
      latencyClass = interactive ),
    ( name = "launcher",
      binary = "launcher",
      arguments = Default.launcherArguments,
      grants = [
        (name = "console", source = (kernel = "console")),  # for its last words
        (name = "spawner", source = (kernel = "spawner")),
        (name = "boot", source = (kernel = "boot")),
        (name = "timer", source = (kernel = "timer")),  # to hand on
        (name = "stdio", source = (service = (service = "terminal", export = "stdio"))),
      ],
      exports = Default.launcherExports,
      budgetBytes = Default.launcherBudgetBytes ),
    Default.block,
  ],
  programGrants = [
    (name = "stdio", source = (service = (service = "terminal", export = "stdio"))),
    (name = "terminal", source = (service = (service = "terminal", export = "terminal"))),
  ],
  grantable = Default.grantable,
  hostDirectory = Default.hostDirectory,
  disk = Default.disk,
  diskDriver = Default.diskDriver,
);
