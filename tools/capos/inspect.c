// SPDX-License-Identifier: MIT
// Owns `capos inspect`: what a binary can ask for, and what a manifest gives it.
//
// The clients that libcapos has are the only code that states an interface's id, and each
// takes it from a section of its own (gen/capos/caps.c).  The linker keeps the sections of
// the clients that the program uses.  A program that writes its own submissions can ask for
// more; what it gets is what the manifest gives, in any case.
// Tested by tests/cli/trace_test.py.
#include <gen/interfaces.h>
#include <string.h>

#include "commands.h"
#include "image.h"
#include "image_arguments.h"
#include "program.h"
#include "say.h"
#include "symbols.h"

void inspect_help(FILE *file)
{
    fputs("Usage: capos inspect [OPTION]... PROGRAM\n"
          "\n"
          "Shows which interfaces PROGRAM can ask for, and which of them `capos run` gives\n"
          "it, always or by --grant.  PROGRAM is as in `capos run`; it isn't started.\n"
          "\n",
          file);
    image_arguments_print_help(file);
    fputs("\n"
          "Examples:\n"
          "  capos inspect examples/c/clock.c\n"
          "  capos inspect --system test sleep\n",
          file);
}

// ---- What the manifest offers ------------------------------------------------------

// What the kernel calls its roots; tests/cli/trace_test.py compares it with a running system.
struct root {
    const char *name;
    uint64_t interface_id;
};
static const struct root roots[] = {
    {"boot", INTERFACE_BOOT_PACKAGE},
    {"budget", INTERFACE_MEMORY_BUDGET},
    {"console", INTERFACE_CONSOLE},
    {"devices", INTERFACE_DEVICE_MEMORY},
    {"dma", INTERFACE_DMA_POOL},
    {"entropy", INTERFACE_ENTROPY_SOURCE},
    {"forker", INTERFACE_FORKER},
    {"inspector", INTERFACE_SYSTEM_INSPECTOR},
    {"interrupts", INTERFACE_INTERRUPT_CONTROLLER},
    {"memory", INTERFACE_VIRTUAL_MEMORY},
    {"park", INTERFACE_PARK_SPACE},
    {"ports", INTERFACE_IO_PORTS},
    {"spawner", INTERFACE_PROCESS_SPAWNER},
    {"thread", INTERFACE_THREAD_CONTROL},
    {"threads", INTERFACE_THREAD_SPAWNER},
    {"timer", INTERFACE_TIMER},
    {"urgent", INTERFACE_THREAD_SPAWNER},
};

static uint64_t root_interface(struct wire_text name)
{
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        if (wire_text_equals(name, roots[i].name))
            return roots[i].interface_id;
    }
    return 0;
}

static uint64_t export_interface(const struct wire_list *exports, struct wire_text name)
{
    for (uint32_t i = 0; i < exports->count; i++) {
        struct export export;
        if (export_at(exports, i, &export) == STATUS_OK &&
            wire_text_equals(name, export.name.text))
            return export.interface_id;
    }
    return 0;
}

// The interface of what a grant hands out; 0 if the manifest doesn't say.
static uint64_t grant_interface(const struct image *image, const struct grant *grant)
{
    if (grant->source.which == GRANT_SOURCE_KERNEL)
        return root_interface(grant->source.kernel);
    for (uint32_t i = 0; i < image->manifest.services.count; i++) {
        struct service service;
        if (service_at(&image->manifest.services, i, &service) == STATUS_OK &&
            wire_text_equals(grant->source.service.service, service.name.text))
            return export_interface(&service.exports, grant->source.service.export);
    }
    return 0;
}

// Prints the names under which a list hands out an interface; how many they are.
static uint32_t print_grants(const struct image *image, const struct wire_list *grants,
                             uint64_t interface_id, const char *before, uint32_t printed)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < grants->count; i++) {
        struct grant grant;
        if (grant_at(grants, i, &grant) != STATUS_OK ||
            grant_interface(image, &grant) != interface_id)
            continue;
        printf("%s%s%.*s", printed + found == 0 ? "" : ", ", before, (int)grant.name.size_bytes,
               grant.name.text);
        found++;
    }
    return found;
}

// What init gives every program, whatever the manifest says; nullptr for other interfaces.
static const char *own_grant(uint64_t interface_id)
{
    switch (interface_id) {
    case INTERFACE_VIRTUAL_MEMORY:
        return "memory";
    case INTERFACE_MEMORY_BUDGET:
        return "budget";
    case INTERFACE_THREAD_CONTROL:
        return "thread";
    case INTERFACE_PARK_SPACE:
        return "park";
    default:
        return nullptr;
    }
}

// ---- What the binary asks for ------------------------------------------------------

static void print_interface(const struct image *image, const char *name, uint64_t id)
{
    uint32_t printed = 0;
    printf("  %-20s ", name);
    const char *own = own_grant(id);
    if (own != nullptr) {
        printf("always, as %s", own);
        printed++;
    }
    printed += print_grants(image, &image->manifest.program_grants, id, "always, as ", printed);
    printed += print_grants(image, &image->manifest.grantable, id, "with --grant ", printed);
    printf("%s\n", printed == 0 ? "only as the result of a call" : "");
}

static void print_program(const struct image *image, const char *name,
                          const struct file_map *file)
{
    static const char prefix[] = ".capos.interface.";
    uint32_t found = 0;
    printf("%s can ask for:\n", name);
    for (uint32_t i = 0; i < section_count(file->data, file->bytes); i++) {
        struct section section;
        uint64_t id;
        if (!section_at(file->data, file->bytes, i, &section) ||
            strncmp(section.name, prefix, sizeof prefix - 1) != 0 || section.bytes != sizeof id)
            continue;
        memcpy(&id, section.data, sizeof id);
        print_interface(image, section.name + sizeof prefix - 1, id);
        found++;
    }
    if (found == 0)
        printf("  nothing\n");
}

int inspect_command(int argument_count, char **arguments)
{
    static struct image image;
    static struct program program;
    struct image_arguments read;
    int status;
    if (!image_arguments_read(argument_count, arguments, inspect_help, &read, &status))
        return status;
    if (read.operand_count != 1)
        return fail(2, "which program?  For example: capos inspect examples/c/hello.c");
    status = image_open(&image, read.system);
    if (status == 0)
        status = program_find(&image, read.operands[0], &program);
    if (status != 0)
        return status;
    struct file_map map = program.map;
    int error = map.data == nullptr ? file_map_open(program.file_path, &map) : 0;
    if (error != 0)
        return fail(EXIT_NOT_FOUND, "%s: %s", program.file_path, strerror(error));
    print_program(&image, program.name, &map);
    return 0;
}
