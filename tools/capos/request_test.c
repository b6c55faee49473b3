// SPDX-License-Identifier: MIT
#include "request.h"

#include <gen/wire/manifest.h>
#include <stdlib.h>

#include <test/test.h>

static _Alignas(8) uint8_t buffer[REQUEST_BYTES_MAX];

static bool element_is(const struct wire_list *list, uint32_t index, const char *expected)
{
    struct wire_text text;
    return wire_list_text(list, index, &text) == STATUS_OK && wire_text_equals(text, expected);
}

static void a_request_decodes_to_what_was_asked(void)
{
    char *arguments[] = {(char[]){"dir/prog.c"}, (char[]){"-x"}, (char[]){""}};
    struct run_options options = {.grants = {"timer", "entropy"},
                                  .grant_count = 2,
                                  .environment = {"A=1"},
                                  .environment_count = 1,
                                  .cpu_weight = 7,
                                  .output_bytes_max = 8,
                                  .arguments = arguments,
                                  .argument_count = 3};
    static const struct storage storage = {
        .directories = {{.name = "data", .mount_tag = "dir0", .read_only = true}},
        .directory_count = 1,
        .disks = {{.name = "a"}, {.name = "b"}},
        .disk_count = 2,
        .tmps = {{.name = "tmp", .size_bytes = 1 << 20}},
        .tmp_count = 1};
    uint32_t bytes = request_encode(&options, &storage, "program", "prog", buffer);
    CHECK(bytes > 0 && bytes % 8 == 0);
    struct run_request request;
    CHECK_EQ(run_request_decode(buffer, bytes, &request), STATUS_OK);
    CHECK(wire_text_equals(request.program, "program"));
    CHECK(wire_text_equals(request.symbol_name, "prog"));
    CHECK_EQ(request.cpu_weight, 7);
    CHECK_EQ(request.output_bytes_max, 8);
    CHECK_EQ(request.arguments.count, 3);
    CHECK(element_is(&request.arguments, 0, "prog"));
    CHECK(element_is(&request.arguments, 1, "-x"));
    CHECK(element_is(&request.arguments, 2, ""));
    CHECK(request.environment.count == 1 && element_is(&request.environment, 0, "A=1"));
    CHECK(request.grants.count == 2 && element_is(&request.grants, 1, "entropy"));
    struct host_directory directory;
    CHECK_EQ(request.directories.count, 1);
    CHECK_EQ(host_directory_at(&request.directories, 0, &directory), STATUS_OK);
    CHECK(wire_text_equals(directory.name, "data") && directory.read_only);
    CHECK(wire_text_equals(directory.mount_tag, "dir0"));
    struct host_disk disk;
    CHECK_EQ(request.disks.count, 2);
    CHECK_EQ(host_disk_at(&request.disks, 1, &disk), STATUS_OK);
    CHECK(wire_text_equals(disk.name, "b") && disk.device == 1);
    struct memory_directory tmp;
    CHECK_EQ(request.memory_directories.count, 1);
    CHECK_EQ(memory_directory_at(&request.memory_directories, 0, &tmp), STATUS_OK);
    CHECK(wire_text_equals(tmp.name, "tmp") && tmp.size_bytes == 1 << 20);
}

static void a_request_that_is_too_long_is_no_request(void)
{
    char *argument = malloc(REQUEST_BYTES_MAX);
    memset(argument, 'a', REQUEST_BYTES_MAX - 1);
    argument[REQUEST_BYTES_MAX - 1] = 0;
    char *arguments[] = {(char[]){"prog"}, argument};
    struct run_options options = {.arguments = arguments, .argument_count = 2};
    static const struct storage storage;
    CHECK_EQ(request_encode(&options, &storage, "program", "prog", buffer), 0);
    free(argument);
}

static void name_is(const char *path, const char *expected)
{
    char name[64];
    request_name(path, name);
    CHECK(strcmp(name, expected) == 0);
}

static void a_program_is_called_by_its_file(void)
{
    name_is("examples/c/hello.c", "hello");
    name_is("hello", "hello");
    name_is("/x/y.elf", "y.elf");
    name_is(".c", ".c");
    char path[200] = "a/";
    memset(path + 2, 'n', 100);
    char expected[64] = "";
    memset(expected, 'n', 63);
    name_is(path, expected);
}

int main(void)
{
    RUN(a_request_decodes_to_what_was_asked);
    RUN(a_request_that_is_too_long_is_no_request);
    RUN(a_program_is_called_by_its_file);
    return test_report();
}
