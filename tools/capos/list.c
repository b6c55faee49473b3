// SPDX-License-Identifier: MIT
// Owns `capos list`.  Tested by tests/cli.
#include <gen/interfaces.h>
#include <string.h>

#include "commands.h"
#include "image.h"
#include "image_arguments.h"
#include "say.h"

void list_help(FILE *file)
{
    fputs("Usage: capos list [OPTION]...\n"
          "\n"
          "Shows the programs in the image and the names that `capos run --grant` takes.\n"
          "\n",
          file);
    image_arguments_print_help(file);
    fputs("\nExample:\n  capos list\n", file);
}

// Where a grant comes from, as a person reads it.
static void print_source(const struct grant *grant)
{
    if (grant->source.which == GRANT_SOURCE_KERNEL)
        printf("from the kernel");
    else
        printf("%.*s of the service %.*s", (int)grant->source.service.export.size_bytes,
               grant->source.service.export.text, (int)grant->source.service.service.size_bytes,
               grant->source.service.service.text);
}

static void print_grants(const char *title, const struct wire_list *grants)
{
    printf("%s\n", title);
    if (grants->count == 0)
        printf("  none\n");
    for (uint32_t i = 0; i < grants->count; i++) {
        struct grant grant;
        if (grant_at(grants, i, &grant) != STATUS_OK)
            continue;
        printf("  %-20.*s ", (int)grant.name.size_bytes, grant.name.text);
        print_source(&grant);
        printf("\n");
    }
}

static void print_disk_grants(const struct image *image)
{
    const struct wire_list *exports = &image->manifest.disk.exports;
    printf("With a disk (`--disk`) also:\n");
    for (uint32_t i = 0; i < exports->count; i++) {
        struct export export;
        if (export_at(exports, i, &export) == STATUS_OK &&
            export.interface_id != INTERFACE_DIRECTORY)
            printf("  %-20.*s of the disk\n", (int)export.name.size_bytes, export.name.text);
    }
}

static void print_programs(const struct image *image)
{
    printf("Programs in the image:\n");
    size_t count = 0;
    for (size_t i = 0; i < image->package.count; i++) {
        const struct package_file *file = &image->package.files[i];
        if (!image_has_program(image, file->name))
            continue;
        printf("  %-20s %zu KiB\n", file->name, (file->bytes + 1023) / 1024);
        count++;
    }
    if (count == 0)
        printf("  none\n");
}

int list_command(int argument_count, char **arguments)
{
    static struct image image;
    struct image_arguments read;
    int status;
    if (!image_arguments_read(argument_count, arguments, list_help, &read, &status))
        return status;
    if (read.operand_count != 0)
        return fail(2, "capos list takes no arguments");
    status = image_open(&image, read.system);
    if (status != 0)
        return status;
    print_programs(&image);
    print_grants("Every program gets:", &image.manifest.program_grants);
    print_grants("`capos run --grant NAME` can add:", &image.manifest.grantable);
    if (image.manifest.disk.name.size_bytes != 0)
        print_disk_grants(&image);
    return 0;
}
