// SPDX-License-Identifier: MIT
// Owns the encoding of a RunRequest (schema/manifest.capnp).  Tested by request_test.c.
#include "request.h"

#include <abi/trace.h>
#include <gen/wire/manifest.h>
#include <stdio.h>
#include <string.h>

static_assert(DIRECTORIES_MAX == RUN_REQUEST_DIRECTORIES_COUNT_MAX);
static_assert(DISKS_MAX == RUN_REQUEST_DISKS_COUNT_MAX);
static_assert(TMPS_MAX == RUN_REQUEST_MEMORY_DIRECTORIES_COUNT_MAX);
static_assert(DIRECTORY_NAME_BYTES == HOST_DIRECTORY_NAME_BYTES_MAX + 1);
static_assert(RUN_GRANTS_MAX == RUN_REQUEST_GRANTS_COUNT_MAX);
static_assert(RUN_ENVIRONMENT_MAX == RUN_REQUEST_ENVIRONMENT_COUNT_MAX);
static_assert(RUN_ARGUMENTS_MAX == RUN_REQUEST_ARGUMENTS_COUNT_MAX);

// Enough for what a line shows, and for the words of an exception.
constexpr uint32_t TRACE_CAPTURE_BYTES = 384;
static_assert(TRACE_CAPTURE_BYTES <= CAPOS_TRACE_CAPTURE_BYTES_MAX);

static void storage_set(struct run_request_builder request, const struct storage *storage)
{
    struct host_directory_list_builder directories =
        run_request_init_directories(request, storage->directory_count);
    for (uint32_t i = 0; i < storage->directory_count; i++) {
        const struct directory *from = &storage->directories[i];
        struct host_directory_builder to = host_directory_element(directories, i);
        host_directory_set_name(to, wire_text_of(from->name));
        host_directory_set_mount_tag(to, wire_text_of(from->mount_tag));
        host_directory_set_read_only(to, from->read_only);
    }
    struct host_disk_list_builder disks = run_request_init_disks(request, storage->disk_count);
    for (uint32_t i = 0; i < storage->disk_count; i++) {
        struct host_disk_builder to = host_disk_element(disks, i);
        host_disk_set_name(to, wire_text_of(storage->disks[i].name));
        host_disk_set_device(to, i);
    }
    struct memory_directory_list_builder tmps =
        run_request_init_memory_directories(request, storage->tmp_count);
    for (uint32_t i = 0; i < storage->tmp_count; i++) {
        struct memory_directory_builder to = memory_directory_element(tmps, i);
        memory_directory_set_name(to, wire_text_of(storage->tmps[i].name));
        memory_directory_set_size_bytes(to, storage->tmps[i].size_bytes);
    }
}

uint32_t request_encode(const struct run_options *options, const struct storage *storage,
                        const char *program, const char *name, void *buffer)
{
    struct wire_builder builder;
    wire_builder_init(&builder, buffer, REQUEST_BYTES_MAX);
    struct run_request_builder request = run_request_root(&builder);
    run_request_set_program(request, wire_text_of(program));
    run_request_set_symbol_name(request, wire_text_of(name));
    run_request_set_trace(request, options->trace || options->audit_file != nullptr);
    run_request_set_trace_capture_bytes(request, options->trace ? TRACE_CAPTURE_BYTES : 0);
    run_request_set_cpu_weight(request, options->cpu_weight);
    run_request_set_output_bytes_max(request, options->output_bytes_max);
    struct wire_text_list_builder list =
        run_request_init_arguments(request, options->argument_count);
    for (uint32_t i = 0; i < options->argument_count; i++)
        wire_text_list_set(list, i, wire_text_of(i == 0 ? name : options->arguments[i]));
    list = run_request_init_environment(request, options->environment_count);
    for (uint32_t i = 0; i < options->environment_count; i++)
        wire_text_list_set(list, i, wire_text_of(options->environment[i]));
    list = run_request_init_grants(request, options->grant_count);
    for (uint32_t i = 0; i < options->grant_count; i++)
        wire_text_list_set(list, i, wire_text_of(options->grants[i]));
    storage_set(request, storage);
    return wire_builder_finish(&builder);
}

void request_name(const char *path, char out_name[64])
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != nullptr ? slash + 1 : path;
    size_t bytes = strlen(name);
    if (bytes > 2 && strcmp(name + bytes - 2, ".c") == 0)
        bytes -= 2;
    snprintf(out_name, 64, "%.*s", (int)(bytes < 63 ? bytes : 63), name);
}
