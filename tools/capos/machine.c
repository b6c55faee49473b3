// SPDX-License-Identifier: MIT
// Owns QEMU's command line and process.
//
//  1. QEMU is in a process group of its own: a Ctrl-C on the terminal is ours to handle.
//  2. It never outlives us: the kernel kills it when we die (PR_SET_PDEATHSIG).
//  3. Its descriptors are the two sockets, the package and /dev/null, nothing else of ours.
//
// The machine type is microvm without firmware tables, PCI, PIC, RTC or option ROMs: a
// CPU, memory, virtio-mmio and one serial port.
// Manual: QEMU system emulation, "microvm virtual platform".
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage.h"
#include "files.h"

constexpr size_t ARGUMENTS_MAX = 96;
constexpr int LINK_FD = 3, SERIAL_FD = 4, PACKAGE_FD = 5; // in QEMU

// ---- KVM ---------------------------------------------------------------------------

static bool cpu_has_virtualisation(void)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char *line = nullptr;
    size_t line_bytes = 0;
    bool found = false;
    while (file != nullptr && !found && getline(&line, &line_bytes, file) > 0)
        found =
            strncmp(line, "flags", 5) == 0 && (strstr(line, " vmx") || strstr(line, " svm"));
    free(line);
    if (file != nullptr)
        fclose(file);
    return found;
}

const char *machine_kvm_problem(void)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return "there is no /dev/kvm";
    if (fd < 0 && errno == EACCES)
        return "this user may not open /dev/kvm (add it to the group kvm)";
    if (fd < 0)
        return "/dev/kvm can't be opened";
    close(fd);
    if (!cpu_has_virtualisation())
        return "this CPU shows no vmx or svm in /proc/cpuinfo (a machine inside a machine?)";
    return nullptr;
}

bool machine_needs_emulation(const struct machine_config *config)
{
    static const char *const options[] = {"icount", "plugin", "accel"};
    for (uint32_t i = 0; i < config->extra_argument_count; i++) {
        const char *argument = config->extra_arguments[i];
        size_t dashes = strspn(argument, "-");
        for (size_t j = 0; dashes != 0 && j < sizeof options / sizeof *options; j++)
            if (strcmp(argument + dashes, options[j]) == 0)
                return true;
    }
    return false;
}

// ---- The command line --------------------------------------------------------------

struct command_line {
    const char *arguments[ARGUMENTS_MAX];
    size_t count;
};

static void add(struct command_line *line, const char *argument)
{
    if (line->count < ARGUMENTS_MAX - 1)
        line->arguments[line->count++] = argument;
}

// The fixed part, the same for every machine.
// clang-format off: an option and its value on a line
static const char *const fixed_arguments[] = {
    "-M", "microvm,acpi=off,pic=off,rtc=off,x-option-roms=off,isa-serial=on",
    "-nodefaults", "-no-user-config", "-no-reboot",
    "-display", "none",
    "-global", "virtio-mmio.force-legacy=false",
    // Port 1 of a serial device: unlike a console's, its output waits for a slow reader.
    "-device", "virtio-serial-device,max_ports=2",
    "-chardev", "socket,id=link,fd=3",
    "-device", "virtserialport,chardev=link,nr=1",
    "-chardev", "socket,id=serial,fd=4",
    "-serial", "chardev:serial",
    "-initrd", "/proc/self/fd/5",
};
// clang-format on

// Puts `text` into a value of QEMU's, where a comma is written twice.
static void escape(char *out, size_t out_bytes, const char *text)
{
    size_t used = 0;
    for (; *text != 0 && used + 3 < out_bytes; text++) {
        if (*text == ',')
            out[used++] = ',';
        out[used++] = *text;
    }
    out[used] = 0;
}

// A directory of the host as a virtio-9p device.  Without a security model files have on the
// host what the guest sees; `remap` keeps inodes of several file systems apart; what is
// granted `ro` the device refuses to change.
static void add_directory(struct command_line *line, const struct directory *directory)
{
    static char texts[DIRECTORIES_MAX][2][2 * PATH_BYTES + 128];
    static uint32_t count;
    char path[2 * PATH_BYTES];
    char(*text)[sizeof texts[0][0]] = texts[count++];
    const char *tag = directory->mount_tag;
    escape(path, sizeof path, directory->path);
    snprintf(text[0], sizeof text[0],
             "local,id=%s,path=%s,security_model=none,multidevs=remap%s", tag, path,
             directory->read_only ? ",readonly=on" : "");
    snprintf(text[1], sizeof text[1], "virtio-9p-device,fsdev=%s,mount_tag=%s", tag, tag);
    add(line, "-fsdev");
    add(line, text[0]);
    add(line, "-device");
    add(line, text[1]);
}

// A file as a virtio block device.
static void add_disk(struct command_line *line, const struct disk_file *disk, uint32_t number)
{
    static char texts[DISKS_MAX][2][2 * PATH_BYTES + 128];
    char path[2 * PATH_BYTES];
    char(*text)[sizeof texts[0][0]] = texts[number];
    escape(path, sizeof path, disk->path);
    snprintf(text[0], sizeof text[0],
             "if=none,id=disk%u,format=raw,file.driver=%s,file.filename=%s", number,
             disk->is_device ? "host_device" : "file", path);
    snprintf(text[1], sizeof text[1], "virtio-blk-device,drive=disk%u", number);
    add(line, "-drive");
    add(line, text[0]);
    add(line, "-device");
    add(line, text[1]);
}

static void build_command_line(struct command_line *line, const struct machine_config *config,
                               const char *qemu, const char *memory, const char *cpus)
{
    static char gdb[4096 + 32];
    add(line, qemu);
    for (size_t i = 0; i < sizeof fixed_arguments / sizeof *fixed_arguments; i++)
        add(line, fixed_arguments[i]);
    add(line, "-accel");
    bool kvm = !machine_needs_emulation(config) && machine_kvm_problem() == nullptr;
    // One CPU is quickest without the locks of several threads.  For several CPUs QEMU has a
    // thread each, if the host's memory model and what else is asked of it (-icount) allow it.
    add(line, kvm ? "kvm" : config->cpu_count == 1 ? "tcg,thread=single" : "tcg");
    add(line, "-smp");
    add(line, cpus);
    add(line, "-cpu");
    add(line, kvm ? "host" : "max");
    add(line, "-m");
    add(line, memory);
    add(line, "-kernel");
    add(line, config->kernel_path);
    if (config->gdb != nullptr) {
        snprintf(gdb, sizeof gdb,
                 *config->gdb == '/' ? "unix:%s,server=on,wait=off" : "tcp:localhost:%s",
                 config->gdb);
        add(line, "-gdb");
        add(line, gdb);
        add(line, "-S");
    }
    // Drivers find devices in this order, so the disks are the first block devices.
    for (uint32_t i = 0; i < config->storage->disk_count; i++)
        add_disk(line, &config->storage->disks[i], i);
    for (uint32_t i = 0; i < config->storage->directory_count; i++)
        add_directory(line, &config->storage->directories[i]);
    for (uint32_t i = 0; i < config->extra_argument_count; i++)
        add(line, config->extra_arguments[i]);
}

static void show_command_line(const struct command_line *line)
{
    fputs("capos:", stderr);
    for (size_t i = 0; i < line->count; i++)
        fprintf(stderr, " %s", line->arguments[i]);
    fputs("\n", stderr);
}

// ---- The process -------------------------------------------------------------------

struct channel {
    int ours, theirs;
};

static bool channel_open(struct channel *channel)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        return false;
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    *channel = (struct channel){.ours = fds[0], .theirs = fds[1]};
    return true;
}

// In the child: gives QEMU its descriptors and becomes it.
[[noreturn]] static void become_qemu(const struct command_line *line, pid_t parent,
                                     const int from[3], int stderr_fd)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) // it died before the line above
        _exit(127);
    // First out of the way of 3 to 5, then to their places.
    int high[3];
    for (int i = 0; i < 3; i++)
        high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 10);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, 0);
    dup2(null, 1);
    dup2(stderr_fd, 2);
    dup2(high[0], LINK_FD);
    dup2(high[1], SERIAL_FD);
    dup2(high[2], PACKAGE_FD);
    execv(line->arguments[0], (char *const *)(uintptr_t)line->arguments);
    dprintf(2, "%s: %s\n", line->arguments[0], strerror(errno));
    _exit(127);
}

const char *machine_start(const struct machine_config *config, struct machine *out_machine)
{
    static char qemu[PATH_BYTES];
    const char *name = getenv("CAPOS_QEMU");
    if (name == nullptr)
        name = "qemu-system-x86_64";
    if (strchr(name, '/') != nullptr)
        snprintf(qemu, sizeof qemu, "%s", name);
    else if (!command_find(name, qemu))
        return "qemu-system-x86_64 is not installed; `capos doctor` says how to get it";
    char memory[16], cpus[16];
    snprintf(memory, sizeof memory, "%u", config->memory_mib);
    snprintf(cpus, sizeof cpus, "%u", config->cpu_count);
    struct command_line line = {};
    build_command_line(&line, config, qemu, memory, cpus);
    if (config->verbose)
        show_command_line(&line);
    struct channel link, serial, errors;
    if (!channel_open(&link) || !channel_open(&serial) || !channel_open(&errors))
        return strerror(errno);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return strerror(errno);
    if (pid == 0)
        become_qemu(&line, parent, (int[]){link.theirs, serial.theirs, config->package_fd},
                    errors.theirs);
    close(link.theirs);
    close(serial.theirs);
    close(errors.theirs);
    *out_machine = (struct machine){
        .pid = pid, .link_fd = link.ours, .serial_fd = serial.ours, .stderr_fd = errors.ours};
    return nullptr;
}

void machine_end(struct machine *machine)
{
    if (machine->pid > 0) {
        kill(machine->pid, SIGKILL);
        while (waitpid(machine->pid, nullptr, 0) < 0 && errno == EINTR)
            ;
    }
    close(machine->link_fd);
    close(machine->serial_fd);
    close(machine->stderr_fd);
    *machine = (struct machine){.link_fd = -1, .serial_fd = -1, .stderr_fd = -1};
}
