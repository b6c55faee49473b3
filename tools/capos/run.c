// SPDX-License-Identifier: MIT
// Owns `capos run`: from the options to the boot package, the machine, and the status.
// Tested by tests/cli, booted.
#include <errno.h>
#include <gen/descriptor.h>
#include <gen/wire/host_control.h>
#include <lib/tracer.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "commands.h"
#include "process.h"
#include "program.h"
#include "report.h"
#include "request.h"
#include "run_options.h"
#include "say.h"
#include "session.h"
#include "storage.h"
#include "symbols.h"

constexpr uint64_t MIB = 1 << 20;

void run_help(FILE *file)
{
    fputs("Usage: capos run [OPTION]... PROGRAM [ARG]...\n"
          "\n"
          "Boots a machine, runs PROGRAM in it with stdin, stdout, stderr and what --grant\n"
          "adds, and nothing else, and exits with the program's status.\n"
          "\n"
          "PROGRAM is a C file (compiled first), a program made by `capos cc`, or the name\n"
          "of a program in the image (`capos list`).\n"
          "\n",
          file);
    option_print_help(file, run_option_table, run_option_count);
    fputs("\n"
          "Examples:\n"
          "  capos run examples/c/hello.c\n"
          "  capos run --grant timer --timeout 10 examples/c/hello.c\n"
          "  capos run --dir ./data:ro --dir /tmp/out:results ./my-program\n"
          "  capos run --disk notes.disk:64M --tmp 16M tree disk\n"
          "  capos run --trace --trace-format json examples/c/hello.c\n"
          "  capos run --trace=calls.txt --audit uses.txt examples/c/hello.c\n"
          "  capos run --tty talk\n"
          "  capos run --gdb examples/c/hello.c      see also `make gdb`\n"
          "  echo text | capos run --env MODE=fast ./my-program --its-own-option\n"
          "\n"
          "Exit status: the program's own; 124 if the time ran out; 125 if capOS itself\n"
          "failed; 126 if PROGRAM is not a capOS program; 127 if it was not found; 128+n if\n"
          "a fault ended it, n being the signal that Linux would send: 139 for a bad memory\n"
          "access, 136 for arithmetic, 132 for an illegal instruction; 130 after Ctrl-C.\n"
          "\n"
          "The environment variable CAPOS_QEMU names another QEMU.\n",
          file);
}

// Refuses names that the manifest doesn't offer, before anything is booted.
static int check_grants(const struct image *image, const struct run_options *options)
{
    for (uint32_t i = 0; i < options->grant_count; i++) {
        const char *name = options->grants[i];
        if (options->disk_count > 0 && image_drives_disks(image, name))
            return fail(EXIT_CAPOS_FAILED, "--grant %s: the block devices are those of --disk",
                        name);
        bool of_disk = image_disk_grants(image, name);
        if (image_grants(image, name) || (of_disk && options->disk_count > 0))
            continue;
        if (of_disk)
            return fail(EXIT_CAPOS_FAILED, "--grant %s is of a disk: give one with --disk",
                        name);
        const char *nearest = image_nearest_grant(image, name);
        if (nearest != nullptr)
            return fail(EXIT_CAPOS_FAILED, "there is no grant %s; did you mean %s?", name,
                        nearest);
        return fail(EXIT_CAPOS_FAILED, "there is no grant %s; `capos list` shows all", name);
    }
    return 0;
}

static int add_grant(struct run_options *options, const char *name)
{
    if (run_options_grant(options, name))
        return 0;
    if (options->grant_count == RUN_GRANTS_MAX)
        return fail(EXIT_CAPOS_FAILED, "the system offers more than %u grants", RUN_GRANTS_MAX);
    options->grants[options->grant_count++] = name;
    return 0;
}

// Adds what the manifest offers and wasn't asked for by name.
static int add_all_grants(const struct image *image, struct run_options *options)
{
    const struct wire_list *exports = &image->manifest.disk.exports;
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < image->grant_count; i++) {
        const char *name = image->grant_names[i];
        if (options->disk_count == 0 || !image_drives_disks(image, name))
            status = add_grant(options, name);
    }
    for (uint32_t i = 0; status == 0 && options->disk_count > 0 && i < exports->count; i++) {
        struct export export;
        if (export_at(exports, i, &export) == STATUS_OK &&
            image_disk_grants(image, export.name.text))
            status = add_grant(options, export.name.text);
    }
    return status;
}

// Adds the service of disks to the package, which not every build has.
static int add_disk_service(struct image *image, const struct storage *storage)
{
    static struct file_map map;
    static char name[IMAGE_NAME_BYTES]; // the package borrows it
    char path[PATH_BYTES];
    struct wire_text binary = image->manifest.disk.binary;
    if (storage->disk_count == 0)
        return 0;
    snprintf(name, sizeof name, "%.*s", (int)binary.size_bytes, binary.text);
    tree_path(path, "build/user/stripped/%s", name);
    if (file_map_open(path, &map) != 0)
        return fail(EXIT_CAPOS_FAILED,
                    "--disk: what serves disks isn't built: run `make disk`");
    if (!package_add(&image->package, name, map.data, map.bytes))
        return fail(EXIT_CAPOS_FAILED, "the image has too many files");
    return 0;
}

// The pages stay mapped until the command ends.
static int add_extra_file(struct image *image, const struct run_options *options)
{
    static struct file_map map;
    if (options->extra_file == nullptr)
        return 0;
    int error = file_map_open(options->extra_file, &map);
    if (error != 0)
        return fail(EXIT_NOT_FOUND, "%s: %s", options->extra_file, strerror(error));
    if (!package_add(&image->package, options->extra_name, map.data, map.bytes))
        return fail(EXIT_CAPOS_FAILED, "the image has too many files");
    return 0;
}

// Writes the boot package into an anonymous file.
static int build_package(struct image *image, const struct program *program,
                         const struct run_options *options, const struct storage *storage,
                         int *out_fd)
{
    static _Alignas(8) uint8_t request[REQUEST_BYTES_MAX];
    uint32_t request_bytes =
        request_encode(options, storage, program->package_name, program->name, request);
    if (request_bytes == 0)
        return fail(EXIT_CAPOS_FAILED, "the arguments and environment exceed 2 MiB");
    bool ok = package_add(&image->package, "request", request, request_bytes);
    if (program->map.data != nullptr)
        ok = ok && package_add(&image->package, program->package_name, program->map.data,
                               program->loaded_bytes);
    if (!ok)
        return fail(EXIT_CAPOS_FAILED, "the image has too many files");
    *out_fd = memfd_create("capos-package", MFD_CLOEXEC);
    const char *problem =
        *out_fd >= 0 ? package_write(&image->package, *out_fd) : "can't make a memory file";
    if (problem != nullptr)
        return fail(EXIT_CAPOS_FAILED, "boot package: %s", problem);
    return 0;
}

// ---- After the end -----------------------------------------------------------------

struct collected {
    char bytes[1024];
    size_t count;
};

static void collect(void *context, const char *bytes, size_t count)
{
    struct collected *text = context;
    size_t room = sizeof text->bytes - 1 - text->count;
    count = count < room ? count : room;
    memcpy(text->bytes + text->count, bytes, count);
    text->count += count;
}

// The source line of an address, without folders and column; empty if unknown.  It comes
// from llvm-symbolizer, which is installed with the compiler.
static void find_line(const char *path, uint64_t address, char *out_line, size_t line_bytes)
{
    static struct command command;
    struct collected text = {};
    char object[PATH_BYTES + 8], number[32];
    snprintf(object, sizeof object, "--obj=%s", path);
    snprintf(number, sizeof number, "0x%llx", (unsigned long long)address);
    command_add(&command, "llvm-symbolizer-19");
    command_add(&command, object);
    command_add(&command, "--inlining=false");
    command_add(&command, number);
    out_line[0] = 0;
    if (command_read(&command, true, collect, &text) != 0)
        return;
    text.bytes[text.count] = 0;
    char *line = strchr(text.bytes, '\n'); // after the function's name
    if (line == nullptr || line[1] == '?')
        return;
    line++;
    line[strcspn(line, "\n")] = 0;
    char *column = strrchr(line, ':');
    if (column != nullptr)
        *column = 0;
    char *slash = strrchr(line, '/');
    snprintf(out_line, line_bytes, "%s", slash != nullptr ? slash + 1 : line);
}

// Says how the program ended, if it wasn't by exiting.
static void explain_end(const struct program *program, const struct capos_link_finish *finish)
{
    struct report_place place = {};
    struct symbol symbol;
    struct file_map map;
    char line[256], text[1024];
    uint64_t address = finish->instruction_pointer - finish->load_bias;
    bool opened = file_map_open(program->file_path, &map) == 0;
    if (opened && finish->instruction_pointer != 0 &&
        symbol_find(map.data, map.bytes, address, &symbol)) {
        find_line(program->file_path, address, line, sizeof line);
        place = (struct report_place){symbol.name, symbol.offset, *line ? line : nullptr};
    }
    if (report_text(finish, &place, text, sizeof text))
        say("%s: %s", program->name, text);
    if (opened)
        file_map_close(&map);
}

static int explain_refusal(const struct program *program, const struct session *session)
{
    say("%s: %s", program->name, session->reason);
    switch (session->refusal) {
    case HOST_CONTROL_REFUSAL_NOT_FOUND:
        return EXIT_NOT_FOUND;
    case HOST_CONTROL_REFUSAL_NOT_EXECUTABLE:
        return EXIT_NOT_EXECUTABLE;
    default:
        return EXIT_CAPOS_FAILED;
    }
}

static int explain_failure(const struct session *session, bool log_shown)
{
    if (!log_shown && session->log_bytes > 0) {
        bool whole_line = session->log[session->log_bytes - 1] == '\n';
        fprintf(stderr, "%s%s", session->log, whole_line ? "" : "\n");
    }
    return fail(EXIT_CAPOS_FAILED, "capOS failed: %s", session->reason);
}

// A program that ended well whose output couldn't be written hasn't done its work.
static int status_of_output(const struct session *session, int status)
{
    if (session->output_error == 0)
        return status;
    int failed = fail(EXIT_CAPOS_FAILED, "standard output: %s; the rest of it is lost",
                      strerror(session->output_error));
    return status != 0 ? status : failed;
}

static int status_of(const struct program *program, const struct session *session,
                     const struct run_options *options)
{
    switch (session->end) {
    case SESSION_FINISHED:
        explain_end(program, &session->finish);
        return status_of_output(session, report_status(&session->finish));
    case SESSION_REFUSED:
        return explain_refusal(program, session);
    case SESSION_TIMED_OUT:
        return fail(EXIT_TIMED_OUT, "%s: ended after %g s (--timeout)", program->name,
                    (double)options->timeout_ms / 1000);
    case SESSION_SIGNALLED:
        return EXIT_SIGNAL_BASE + session->signal;
    case SESSION_FAILED:
        break;
    }
    return explain_failure(session, options->verbose);
}

// ---- Trace and audit ---------------------------------------------------------------

constexpr uint32_t TRACE_CALLS_MAX = 256; // in flight: of a process with four busy threads

struct trace_files {
    struct tracer tracer;
    struct tracer_call calls[TRACE_CALLS_MAX];
    struct descriptor schema; // the one that this command was built with
    bool wanted;
    FILE *lines; // nullptr, or where the trace goes
    FILE *audit; // nullptr, or where the audit goes
};

static void write_file(void *context, const char *text, size_t size_bytes)
{
    fwrite(text, 1, size_bytes, context);
}

// Lines are shown piece by piece: a flush for each would cost more than its decoding.
static void take_trace(void *context, const uint8_t *data, size_t size_bytes)
{
    struct trace_files *files = context;
    tracer_receive(&files->tracer, data, size_bytes);
    if (files->lines != nullptr)
        fflush(files->lines);
}

// Opens both files before anything is booted.
static int trace_files_open(struct trace_files *files, const struct run_options *options)
{
    files->wanted = options->trace || options->audit_file != nullptr;
    if (options->trace)
        files->lines =
            options->trace_file == nullptr ? stderr : fopen(options->trace_file, "we");
    if (options->trace && files->lines == nullptr)
        return fail(EXIT_CAPOS_FAILED, "%s: %s", options->trace_file, strerror(errno));
    if (options->audit_file != nullptr)
        files->audit = fopen(options->audit_file, "we");
    if (options->audit_file != nullptr && files->audit == nullptr)
        return fail(EXIT_CAPOS_FAILED, "%s: %s", options->audit_file, strerror(errno));
    if (descriptor_open(descriptor_blob, DESCRIPTOR_BLOB_BYTES, &files->schema) != STATUS_OK)
        return fail(EXIT_CAPOS_FAILED, "its schema is damaged");
    struct value_sink lines = {.write = files->lines != nullptr ? write_file : nullptr,
                               .context = files->lines};
    tracer_init(&files->tracer, &files->schema, files->calls, TRACE_CALLS_MAX, lines,
                options->trace_json);
    return 0;
}

static void trace_files_close(struct trace_files *files, const struct session *session)
{
    if (!files->wanted)
        return;
    bool known = session->end == SESSION_FINISHED;
    tracer_end(&files->tracer,
               known ? (enum end_kind)session->finish.end_kind : END_KIND_RUNNING,
               session->finish.exit_code);
    if (files->audit != nullptr) {
        tracer_write_audit(&files->tracer,
                           &(struct value_sink){.write = write_file, .context = files->audit});
        fclose(files->audit);
    }
    if (files->lines != nullptr && files->lines != stderr)
        fclose(files->lines);
}

// What it takes for others, the program doesn't lack.
static uint32_t memory_of(const struct image *image, const struct run_options *options,
                          const struct storage *storage)
{
    uint64_t more_bytes = storage_memory_bytes(image, storage);
    if (options->memory_given)
        return options->memory_mib;
    return options->memory_mib + (uint32_t)((more_bytes + MIB - 1) / MIB);
}

int run_program(struct run_options *options)
{
    static struct image image;
    static struct program program;
    static struct session session;
    static struct trace_files files;
    static struct storage storage;
    char kernel[PATH_BYTES];
    int package_fd, status = image_open(&image, options->system);
    if (status == 0 && options->grants_all)
        status = add_all_grants(&image, options);
    if (status == 0)
        status = check_grants(&image, options);
    if (status == 0)
        status = storage_read(&image, options, &storage);
    if (status == 0)
        status = program_find(&image, options->arguments[0], &program);
    if (status == 0)
        status = add_disk_service(&image, &storage);
    if (status == 0)
        status = add_extra_file(&image, options);
    if (status == 0)
        status = build_package(&image, &program, options, &storage, &package_fd);
    if (status == 0)
        status = trace_files_open(&files, options);
    if (status != 0)
        return status;
    // The kernel of the first link runs where its symbols say: without a list of words to move
    // it is not moved.
    tree_path(kernel,
              options->gdb != nullptr ? "build/kernel/unnamed.elf" : "build/kernel/kernel.elf");
    struct machine machine;
    struct machine_config config = {.kernel_path = kernel,
                                    .package_fd = package_fd,
                                    .memory_mib = memory_of(&image, options, &storage),
                                    .cpu_count = options->cpu_count,
                                    .gdb = options->gdb,
                                    .storage = &storage,
                                    .verbose = options->verbose,
                                    .extra_arguments = options->qemu_arguments,
                                    .extra_argument_count = options->qemu_argument_count};
    if (options->gdb != nullptr)
        say("in gdb: target remote %s%s",
            *options->gdb == '/' ? "" : "localhost:", options->gdb);
    session_prepare();
    const char *error = machine_start(&config, &machine);
    if (error != nullptr)
        return fail(EXIT_CAPOS_FAILED, "%s", error);
    session_run(&session, &machine,
                &(struct session_options){.timeout_ms = options->timeout_ms,
                                          .verbose = options->verbose,
                                          .gdb = options->gdb != nullptr,
                                          .tty = options->tty,
                                          .on_trace = files.wanted ? take_trace : nullptr,
                                          .trace_context = &files});
    status = status_of(&program, &session, options);
    trace_files_close(&files, &session);
    return status;
}

int run_command(int argument_count, char **arguments)
{
    static struct run_options options;
    char problem[OPTION_PROBLEM_BYTES];
    enum option_step step = run_options_read(argument_count, arguments, &options, problem);
    if (step == OPTION_HELP) {
        run_help(stdout);
        return 0;
    }
    if (step == OPTION_WRONG)
        return fail(EXIT_CAPOS_FAILED, "%s", problem);
    return run_program(&options);
}
