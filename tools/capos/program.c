// SPDX-License-Identifier: MIT
// Owns the meaning of PROGRAM on the command line.  Tested by tests/cli.
#include "program.h"

#include <errno.h>
#include <lib/elf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"
#include "request.h"
#include "say.h"

static bool ends_in_c(const char *path)
{
    size_t bytes = strlen(path);
    return bytes > 2 && strcmp(path + bytes - 2, ".c") == 0;
}

// Symbols and debug information lie behind what is loaded; the machine gets none of it.
static size_t loaded_bytes(const struct elf_image *elf, size_t file_bytes)
{
    uint64_t end = 4096; // the headers
    for (uint32_t i = 0; i < elf->segment_count; i++) {
        const struct elf_segment *segment = &elf->segments[i];
        if (segment->file_offset + segment->file_bytes > end)
            end = segment->file_offset + segment->file_bytes;
    }
    return end < file_bytes ? (size_t)end : file_bytes;
}

// Opens an ELF file of the host and checks it with the parser that init will use.
static int open_elf(struct program *program, const char *asked)
{
    struct elf_image elf;
    int error = file_map_open(program->file_path, &program->map);
    if (error != 0)
        return fail(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE, "%s: %s", asked,
                    strerror(error));
    enum elf_error problem = elf_parse(program->map.data, program->map.bytes, &elf);
    if (problem != ELF_OK)
        return fail(EXIT_NOT_EXECUTABLE, "%s: %s", asked, elf_error_text(problem));
    program->loaded_bytes = loaded_bytes(&elf, program->map.bytes);
    // What is cut off must not have mattered.
    if (elf_parse(program->map.data, program->loaded_bytes, &elf) != ELF_OK)
        program->loaded_bytes = program->map.bytes;
    return 0;
}

static int find_on_host(struct program *program, const char *asked)
{
    strcpy(program->package_name, "program");
    if (access(asked, F_OK) != 0)
        return fail(EXIT_NOT_FOUND, "%s: %s", asked, strerror(errno));
    if (!ends_in_c(asked)) {
        snprintf(program->file_path, PATH_BYTES, "%s", asked);
        return open_elf(program, asked);
    }
    if (access(asked, R_OK) != 0)
        return fail(EXIT_NOT_EXECUTABLE, "%s: %s", asked, strerror(errno));
    int status = cache_compile(asked, program->file_path);
    if (status != 0)
        return status == EXIT_CAPOS_FAILED ? status : EXIT_NOT_EXECUTABLE;
    return open_elf(program, asked);
}

static int find_in_image(const struct image *image, struct program *program, const char *asked)
{
    if (image_has_program(image, asked)) {
        snprintf(program->package_name, sizeof program->package_name, "%s", asked);
        tree_path(program->file_path, "build/user/bin/%s", asked);
        return 0;
    }
    const char *nearest = image_nearest_program(image, asked);
    if (nearest != nullptr)
        return fail(EXIT_NOT_FOUND, "%s: no such program; did you mean %s?", asked, nearest);
    return fail(EXIT_NOT_FOUND,
                "%s: no such file, and no such program in the image (`capos list`)", asked);
}

int program_find(const struct image *image, const char *asked, struct program *out_program)
{
    *out_program = (struct program){};
    request_name(asked, out_program->name);
    bool is_path = strchr(asked, '/') != nullptr || ends_in_c(asked);
    if (is_path || (!image_has_program(image, asked) && access(asked, F_OK) == 0))
        return find_on_host(out_program, asked);
    return find_in_image(image, out_program, asked);
}
