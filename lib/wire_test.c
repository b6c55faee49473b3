// SPDX-License-Identifier: MIT
// Tests of lib/wire through the generated codecs, with messages written word by word.
// Against the reference implementation: tests/wire.
#include <lib/wire.h>

#include <gen/interfaces.h>
#include <gen/wire/boot_package.h>
#include <gen/wire/host_control.h>
#include <gen/wire/io_ports.h>
#include <gen/wire/manifest.h>
#include <gen/wire/memory_object.h>
#include <gen/wire/process.h>
#include <gen/wire/timer.h>
#include <test/test.h>

// Pointer words; offsets in words from the end of the pointer.
static uint64_t struct_pointer(int32_t offset, uint16_t data_words, uint16_t pointers)
{
    return (uint32_t)offset << 2 | (uint64_t)data_words << 32 | (uint64_t)pointers << 48;
}

static uint64_t list_pointer(int32_t offset, uint32_t size, uint32_t count)
{
    return ((uint32_t)offset << 2 | 1) | (uint64_t)size << 32 | (uint64_t)count << 35;
}

// A word with the bytes of a short string.
static uint64_t word_of(const char *text)
{
    uint64_t word = 0;
    memcpy(&word, text, strlen(text));
    return word;
}

static void scalar_round_trip_is_two_words(void)
{
    struct timer_sleep_params params = {.duration_ns = 0x0123456789abcdef}, copy;
    uint64_t words[2];
    CHECK_EQ(timer_sleep_params_encode(&params, words, sizeof words), 16);
    CHECK_EQ(words[0], struct_pointer(0, 1, 0));
    CHECK_EQ(words[1], params.duration_ns);
    CHECK_EQ(timer_sleep_params_decode(words, 16, &copy), STATUS_OK);
    CHECK_EQ(copy.duration_ns, params.duration_ns);
}

static void encoding_needs_the_whole_room(void)
{
    struct timer_sleep_params params = {.duration_ns = 1};
    uint64_t words[2] = {7, 7};
    CHECK_EQ(timer_sleep_params_encode(&params, words, 15), 0);
    CHECK_EQ(words[0], 7);
}

static void fields_share_words_by_their_offsets(void)
{
    struct io_ports_write_params params = {
        .port = 0x3f8, .width_bytes = 4, .value = 0xdeadbeef};
    struct io_ports_write_params copy;
    uint64_t words[2];
    CHECK_EQ(io_ports_write_params_encode(&params, words, sizeof words), 16);
    CHECK_EQ(words[1], 0xdeadbeef000403f8);
    CHECK_EQ(io_ports_write_params_decode(words, 16, &copy), STATUS_OK);
    CHECK(copy.port == 0x3f8 && copy.width_bytes == 4 && copy.value == 0xdeadbeef);
}

static void bools_are_single_bits(void)
{
    struct memory_object_info_results results = {.size_bytes = 4096, .executable = true}, copy;
    uint64_t words[3];
    CHECK_EQ(memory_object_info_results_encode(&results, words, sizeof words), 24);
    CHECK_EQ(words[2], 2);
    words[2] = UINT64_MAX; // bits of unknown fields don't matter
    CHECK_EQ(memory_object_info_results_decode(words, 24, &copy), STATUS_OK);
    CHECK(copy.writable && copy.executable);
}

static void a_null_root_is_all_defaults(void)
{
    uint64_t word = 0;
    struct timer_sleep_params params = {.duration_ns = 5};
    CHECK_EQ(timer_sleep_params_decode(&word, 8, &params), STATUS_OK);
    CHECK_EQ(params.duration_ns, 0);
}

static void an_empty_struct_may_be_no_message_at_all(void)
{
    uint64_t empty = struct_pointer(-1, 0, 0), newer[2] = {struct_pointer(0, 1, 0), 9};
    uint64_t beyond = struct_pointer(0, 1, 0);
    CHECK_EQ(wire_read_empty(nullptr, 0), STATUS_OK);
    CHECK_EQ(wire_read_empty(&empty, 8), STATUS_OK);
    CHECK_EQ(wire_read_empty(newer, 16), STATUS_OK);
    CHECK_EQ(wire_read_empty(&beyond, 8), STATUS_BAD_MESSAGE);
    CHECK_EQ(wire_read_empty(newer, 12), STATUS_BAD_MESSAGE);
}

static void lengths_that_are_not_words_are_refused(void)
{
    uint64_t words[3] = {struct_pointer(0, 1, 0), 1, 0};
    struct timer_sleep_params params = {.duration_ns = 5};
    for (uint32_t bytes = 0; bytes <= 24; bytes++) {
        bool whole = bytes % 8 == 0 && bytes >= 16;
        CHECK_EQ(timer_sleep_params_decode(words, bytes, &params),
                 whole ? STATUS_OK : STATUS_BAD_MESSAGE);
    }
}

static void a_failed_decode_writes_nothing(void)
{
    uint64_t words[2] = {struct_pointer(1, 1, 0), 1};
    struct timer_sleep_params params = {.duration_ns = 5};
    CHECK_EQ(timer_sleep_params_decode(words, 16, &params), STATUS_BAD_MESSAGE);
    CHECK_EQ(params.duration_ns, 5);
}

static void older_and_newer_structs_are_read(void)
{
    struct memory_object_info_results results;
    uint64_t older[] = {struct_pointer(0, 1, 0), 4096};
    CHECK_EQ(memory_object_info_results_decode(older, sizeof older, &results), STATUS_OK);
    CHECK(results.size_bytes == 4096 && !results.writable && !results.executable);
    uint64_t newer[] = {struct_pointer(0, 4, 1), 8192, 3, 77, 77, list_pointer(99, 7, 99)};
    CHECK_EQ(memory_object_info_results_decode(newer, sizeof newer, &results), STATUS_OK);
    CHECK(results.size_bytes == 8192 && results.writable && results.executable);
}

static void the_root_may_lie_anywhere_in_the_message(void)
{
    struct timer_sleep_params params;
    uint64_t later[] = {struct_pointer(2, 1, 0), 1, 2, 3};
    CHECK_EQ(timer_sleep_params_decode(later, sizeof later, &params), STATUS_OK);
    CHECK_EQ(params.duration_ns, 3);
    uint64_t on_itself = struct_pointer(-1, 1, 0); // legal nonsense: the pointer is the data
    CHECK_EQ(timer_sleep_params_decode(&on_itself, 8, &params), STATUS_OK);
    CHECK_EQ(params.duration_ns, on_itself);
}

static void roots_out_of_bounds_are_refused(void)
{
    static const int32_t offsets[] = {1, 2, -2, -3, 0x1fffffff, -0x20000000};
    struct timer_sleep_params params;
    for (uint32_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        uint64_t words[] = {struct_pointer(offsets[i], 1, 0), 0};
        CHECK_EQ(timer_sleep_params_decode(words, sizeof words, &params), STATUS_BAD_MESSAGE);
    }
    uint64_t wide[] = {struct_pointer(0, UINT16_MAX, UINT16_MAX), 0};
    CHECK_EQ(timer_sleep_params_decode(wide, sizeof wide, &params), STATUS_BAD_MESSAGE);
}

static void other_kinds_of_root_are_refused(void)
{
    static const uint64_t roots[] = {
        UINT64_C(0x0000000800000001), // a list
        UINT64_C(0x0000000000000002), // a far pointer
        UINT64_C(0x0000000000000006), // a double far pointer
        UINT64_C(0x0000000000000003), // a capability
        UINT64_C(0x0000000000000007), // reserved
    };
    struct timer_sleep_params params;
    for (uint32_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        uint64_t words[] = {roots[i], 0};
        CHECK_EQ(timer_sleep_params_decode(words, sizeof words, &params), STATUS_BAD_MESSAGE);
    }
}

static void unknown_enum_values_are_refused(void)
{
    struct process_builder_commit_params params = {.protection = (enum protection)7};
    uint64_t words[4];
    CHECK_EQ(process_builder_commit_params_encode(&params, words, sizeof words), 0);
    params.protection = PROTECTION_READ_EXECUTE;
    CHECK_EQ(process_builder_commit_params_encode(&params, words, sizeof words), 32);
    words[3]++;
    CHECK_EQ(process_builder_commit_params_decode(words, 32, &params), STATUS_BAD_MESSAGE);
}

static enum status decode_name(const uint64_t *words, uint32_t bytes,
                               struct boot_package_open_params *params)
{
    return boot_package_open_params_decode(words, bytes, params);
}

static void text_is_written_with_its_nul(void)
{
    struct boot_package_open_params params = {wire_text_of("initinit")}, copy;
    uint64_t words[4] = {7, 7, 7, 7};
    CHECK_EQ(boot_package_open_params_encode(&params, words, sizeof words), 32);
    CHECK_EQ(words[0], struct_pointer(0, 0, 1));
    CHECK_EQ(words[1], list_pointer(0, 2, 9));
    CHECK_EQ(words[2], word_of("initinit"));
    CHECK_EQ(words[3], 0);
    CHECK_EQ(decode_name(words, 32, &copy), STATUS_OK);
    CHECK(wire_text_equals(copy.name, "initinit"));
    CHECK_EQ(copy.name.text[copy.name.size_bytes], 0);
}

static void empty_text_is_a_null_pointer(void)
{
    struct boot_package_open_params params = {wire_text_of("")}, copy;
    uint64_t words[2];
    CHECK_EQ(boot_package_open_params_encode(&params, words, sizeof words), 16);
    CHECK_EQ(words[1], 0);
    CHECK_EQ(decode_name(words, 16, &copy), STATUS_OK);
    CHECK(copy.name.size_bytes == 0 && copy.name.text[0] == 0);
}

static void text_at_its_bound_fits_and_one_more_byte_does_not(void)
{
    char long_name[65];
    memset(long_name, 'x', 64);
    long_name[64] = 0;
    struct boot_package_open_params params = {{long_name, 63}}, copy;
    uint64_t words[12];
    CHECK_EQ(
        boot_package_open_params_encode(&params, words, BOOT_PACKAGE_OPEN_PARAMS_BYTES_MAX),
        BOOT_PACKAGE_OPEN_PARAMS_BYTES_MAX);
    CHECK_EQ(decode_name(words, BOOT_PACKAGE_OPEN_PARAMS_BYTES_MAX, &copy), STATUS_OK);
    CHECK_EQ(copy.name.size_bytes, 63);
    CHECK_EQ(
        boot_package_open_params_encode(&params, words, BOOT_PACKAGE_OPEN_PARAMS_BYTES_MAX - 8),
        0);
    params.name.size_bytes = 64;
    CHECK_EQ(boot_package_open_params_encode(&params, words, sizeof words), 0);
    uint64_t over[11] = {
        struct_pointer(0, 0, 1), list_pointer(0, 2, 65), 1, 1, 1, 1, 1, 1, 1, 1, 0};
    CHECK_EQ(decode_name(over, sizeof over, &copy), STATUS_BAD_MESSAGE);
}

static void malformed_text_is_refused(void)
{
    struct boot_package_open_params params;
    static const uint64_t pointers[] = {
        UINT64_C(0x0000000100000000) | 1, // no bytes at all, not even a NUL, of bits
        UINT64_C(0x0000000200000001),     // no bytes at all
        UINT64_C(0x0000002300000001),     // two-byte elements
        UINT64_C(0x0000001700000001),     // structs
        UINT64_C(0x0000004a00000001),     // nine bytes where one word is
        UINT64_C(0xfffffffa00000001),     // all the bytes there are
        UINT64_C(0x0000001200000005),     // behind the end
        UINT64_C(0x00000012fffffff1),     // before the start
        UINT64_C(0x0000000000000003),     // a capability
        UINT64_C(0x0000000100000000),     // a struct
        UINT64_C(0x0000000000000002),     // far
    };
    for (uint32_t i = 0; i < sizeof pointers / sizeof *pointers; i++) {
        uint64_t words[] = {struct_pointer(0, 0, 1), pointers[i], 0};
        CHECK_EQ(decode_name(words, sizeof words, &params), STATUS_BAD_MESSAGE);
    }
    uint64_t no_nul[] = {struct_pointer(0, 0, 1), list_pointer(0, 2, 2), word_of("ab")};
    CHECK_EQ(decode_name(no_nul, sizeof no_nul, &params), STATUS_BAD_MESSAGE);
}

static void data_round_trips_and_is_bounded(void)
{
    static const uint8_t bytes[5] = {0, 1, 2, 3, 255};
    struct memory_object_read_results results = {{bytes, 5}}, copy;
    uint64_t words[3];
    CHECK_EQ(memory_object_read_results_encode(&results, words, sizeof words), 24);
    CHECK_EQ(memory_object_read_results_decode(words, 24, &copy), STATUS_OK);
    CHECK(copy.data.size_bytes == 5 && memcmp(copy.data.data, bytes, 5) == 0);
    results.data.size_bytes = 4097;
    CHECK_EQ(memory_object_read_results_encode(&results, words, sizeof words), 0);
}

static void capabilities_are_indices(void)
{
    struct process_builder_grant_params params = {.name = wire_text_of("timer"),
                                                  .capability = 3};
    struct process_builder_grant_params copy;
    uint64_t words[4];
    CHECK_EQ(process_builder_grant_params_encode(&params, words, sizeof words), 32);
    CHECK_EQ(words[2], UINT64_C(3) << 32 | 3);
    CHECK_EQ(process_builder_grant_params_decode(words, 32, &copy), STATUS_OK);
    CHECK_EQ(copy.capability, 3);
    words[2] |= 4; // reserved bits
    CHECK_EQ(process_builder_grant_params_decode(words, 32, &copy), STATUS_BAD_MESSAGE);
    words[2] = struct_pointer(0, 0, 0) | 0x100;
    CHECK_EQ(process_builder_grant_params_decode(words, 32, &copy), STATUS_BAD_MESSAGE);
    params.capability = WIRE_CAP_NULL;
    CHECK_EQ(process_builder_grant_params_encode(&params, words, sizeof words), 32);
    CHECK_EQ(words[2], 0);
    CHECK_EQ(process_builder_grant_params_decode(words, 32, &copy), STATUS_OK);
    CHECK_EQ(copy.capability, WIRE_CAP_NULL);
}

// ---- Lists -------------------------------------------------------------------------

static uint32_t build_manifest(void *buffer, uint32_t buffer_bytes)
{
    struct wire_builder builder;
    wire_builder_init(&builder, buffer, buffer_bytes);
    struct system_manifest_builder manifest = system_manifest_root(&builder);
    struct service_list_builder services = system_manifest_init_services(manifest, 2);
    struct service_builder link = service_element(services, 1);
    service_set_name(link, wire_text_of("hostlink"));
    service_set_budget_bytes(link, 1 << 20);
    struct wire_text_list_builder arguments = service_init_arguments(link, 2);
    wire_text_list_set(arguments, 0, wire_text_of("-v"));
    wire_text_list_set(arguments, 1, wire_text_of(""));
    struct grant_list_builder grants = service_init_grants(link, 2);
    grant_set_name(grant_element(grants, 0), wire_text_of("ports"));
    grant_set_source_kernel(grant_element(grants, 0), wire_text_of("io-ports"));
    grant_set_source_service_service(grant_element(grants, 1), wire_text_of("store"));
    grant_set_source_service_export(grant_element(grants, 1), wire_text_of("root"));
    return wire_builder_finish(&builder);
}

static void nested_lists_round_trip(void)
{
    uint64_t words[128];
    uint32_t size_bytes = build_manifest(words, sizeof words);
    struct system_manifest manifest;
    struct service service;
    struct grant grant;
    struct wire_text text;
    CHECK(size_bytes != 0);
    CHECK_EQ(system_manifest_decode(words, size_bytes, &manifest), STATUS_OK);
    CHECK(manifest.services.count == 2 && manifest.grantable.count == 0);
    CHECK_EQ(service_at(&manifest.services, 0, &service), STATUS_OK);
    CHECK(service.name.size_bytes == 0 && service.arguments.count == 0);
    CHECK_EQ(service_at(&manifest.services, 1, &service), STATUS_OK);
    CHECK(wire_text_equals(service.name, "hostlink"));
    CHECK_EQ(service.budget_bytes, 1 << 20);
    CHECK_EQ(service.arguments.count, 2);
    CHECK_EQ(wire_list_text(&service.arguments, 0, &text), STATUS_OK);
    CHECK(wire_text_equals(text, "-v"));
    CHECK_EQ(wire_list_text(&service.arguments, 1, &text), STATUS_OK);
    CHECK(wire_text_equals(text, ""));
    CHECK_EQ(wire_list_text(&service.arguments, 2, &text), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(grant_at(&service.grants, 0, &grant), STATUS_OK);
    CHECK_EQ(grant.source.which, GRANT_SOURCE_KERNEL);
    CHECK(wire_text_equals(grant.source.kernel, "io-ports"));
    CHECK_EQ(grant_at(&service.grants, 1, &grant), STATUS_OK);
    CHECK_EQ(grant.source.which, GRANT_SOURCE_SERVICE);
    CHECK(wire_text_equals(grant.source.service.export, "root"));
    CHECK(wire_text_equals(grant.source.kernel, ""));
    CHECK_EQ(grant_at(&service.grants, 2, &grant), STATUS_INVALID_ARGUMENT);
}

static void every_cut_of_a_nested_message_is_refused(void)
{
    uint64_t words[128], copy[128];
    uint32_t size_bytes = build_manifest(words, sizeof words);
    struct system_manifest manifest;
    for (uint32_t bytes = 8; bytes < size_bytes; bytes += 8) {
        memcpy(copy, words, bytes);
        CHECK_EQ(system_manifest_decode(copy, bytes, &manifest), STATUS_BAD_MESSAGE);
    }
}

static void a_builder_remembers_that_it_failed(void)
{
    uint64_t words[128];
    uint32_t size_bytes = build_manifest(words, sizeof words);
    for (uint32_t bytes = 0; bytes < size_bytes; bytes += 8)
        CHECK_EQ(build_manifest(words, bytes), 0);
    struct wire_builder builder;
    wire_builder_init(&builder, words, sizeof words);
    struct run_request_builder request = run_request_root(&builder);
    struct wire_text_list_builder list = run_request_init_grants(request, 1);
    wire_text_list_set(list, 1, wire_text_of("x"));
    CHECK_EQ(wire_builder_finish(&builder), 0);
    wire_builder_init(&builder, words, sizeof words);
    (void)run_request_init_grants(run_request_root(&builder), 33); // over the bound
    CHECK_EQ(wire_builder_finish(&builder), 0);
}

static void an_unknown_union_member_is_refused(void)
{
    uint64_t words[] = {struct_pointer(0, 1, 3), 2, 0, 0, 0};
    struct grant grant;
    CHECK_EQ(grant_decode(words, sizeof words, &grant), STATUS_BAD_MESSAGE);
    words[1] = UINT64_C(0xffff0001);
    CHECK_EQ(grant_decode(words, sizeof words, &grant), STATUS_OK);
    CHECK_EQ(grant.source.which, GRANT_SOURCE_SERVICE);
}

static void members_of_a_union_are_checked_only_if_active(void)
{
    uint64_t words[] = {struct_pointer(0, 1, 3), 0, 0, 0, UINT64_C(2)}; // a far pointer
    struct grant grant;
    CHECK_EQ(grant_decode(words, sizeof words, &grant), STATUS_OK);
    words[1] = 1;
    CHECK_EQ(grant_decode(words, sizeof words, &grant), STATUS_BAD_MESSAGE);
}

static void a_list_of_structs_may_come_as_a_list_of_its_first_field(void)
{
    // services as a list of pointers: each is the name.
    uint64_t words[] = {struct_pointer(0, 0, 1), list_pointer(0, 6, 2), list_pointer(1, 2, 2),
                        list_pointer(1, 2, 2),   word_of("a"),          word_of("b")};
    struct system_manifest manifest;
    struct service service;
    CHECK_EQ(system_manifest_decode(words, sizeof words, &manifest), STATUS_OK);
    CHECK_EQ(manifest.services.count, 2);
    CHECK_EQ(service_at(&manifest.services, 1, &service), STATUS_OK);
    CHECK(wire_text_equals(service.name, "b") && service.grants.count == 0);
    // services as a list of bytes: no pointer at all, so every service is empty.
    words[1] = list_pointer(0, 2, 3);
    CHECK_EQ(system_manifest_decode(words, sizeof words, &manifest), STATUS_OK);
    CHECK_EQ(service_at(&manifest.services, 2, &service), STATUS_OK);
    CHECK_EQ(service.budget_bytes, 0);
    words[1] = list_pointer(0, 1, 3); // bits can't be structs
    CHECK_EQ(system_manifest_decode(words, sizeof words, &manifest), STATUS_BAD_MESSAGE);
}

static void a_list_of_text_may_come_as_structs(void)
{
    uint64_t words[] = {struct_pointer(0, 0, 2),
                        0,
                        list_pointer(0, 7, 4),
                        struct_pointer(2, 1, 1),
                        99,
                        list_pointer(2, 2, 2),
                        99,
                        list_pointer(1, 2, 2),
                        word_of("a"),
                        word_of("b")};
    struct run_request request;
    struct wire_text text;
    CHECK_EQ(run_request_decode(words, sizeof words, &request), STATUS_OK);
    CHECK_EQ(request.arguments.count, 2);
    CHECK_EQ(wire_list_text(&request.arguments, 1, &text), STATUS_OK);
    CHECK(wire_text_equals(text, "b"));
    words[2] = list_pointer(0, 5, 4); // numbers can't be text
    CHECK_EQ(run_request_decode(words, sizeof words, &request), STATUS_BAD_MESSAGE);
}

static void lists_longer_than_their_bound_are_refused(void)
{
    uint64_t words[40] = {struct_pointer(0, 0, 4), 0, 0, 0, list_pointer(0, 6, 32)};
    struct run_request request;
    CHECK_EQ(run_request_decode(words, sizeof words, &request), STATUS_OK);
    words[4] = list_pointer(0, 6, 33);
    CHECK_EQ(run_request_decode(words, sizeof words, &request), STATUS_BAD_MESSAGE);
    // Elements without size take no room, and are bounded all the same.
    words[4] = list_pointer(0, 7, 0);
    words[5] = struct_pointer(0x1ffffff, 0, 0);
    CHECK_EQ(run_request_decode(words, sizeof words, &request), STATUS_BAD_MESSAGE);
}

static void composite_lists_must_hold_their_elements(void)
{
    uint64_t words[8] = {struct_pointer(0, 0, 1), list_pointer(0, 7, 4),
                         struct_pointer(2, 2, 0)};
    struct system_manifest manifest;
    CHECK_EQ(system_manifest_decode(words, sizeof words, &manifest), STATUS_OK);
    words[2] = struct_pointer(3, 2, 0); // three elements of two words in four words
    CHECK_EQ(system_manifest_decode(words, sizeof words, &manifest), STATUS_BAD_MESSAGE);
    words[2] = struct_pointer(0x1fffffff, UINT16_MAX, UINT16_MAX);
    CHECK_EQ(system_manifest_decode(words, sizeof words, &manifest), STATUS_BAD_MESSAGE);
    words[2] = list_pointer(2, 2, 0); // the tag is no struct pointer
    CHECK_EQ(system_manifest_decode(words, sizeof words, &manifest), STATUS_BAD_MESSAGE);
    words[1] = list_pointer(0, 7, 6); // the tag needs a word too
    CHECK_EQ(system_manifest_decode(words, sizeof words, &manifest), STATUS_BAD_MESSAGE);
}

// 1024 arguments that are one and the same text: legal as Cap'n Proto goes, but a reader
// that copies them would do a thousand times the work that the message has bytes.
static void a_message_that_multiplies_itself_is_refused(void)
{
    static uint64_t words[3 + 1024 + 1024];
    words[0] = struct_pointer(0, 0, 2);
    words[2] = list_pointer(0, 6, 1024);
    for (int32_t i = 0; i < 1024; i++)
        words[3 + i] = list_pointer(1023 - i, 2, 8192);
    struct run_request request;
    CHECK_EQ(run_request_decode(words, sizeof words, &request), STATUS_BAD_MESSAGE);
    for (int32_t i = 1; i < 1024; i++)
        words[3 + i] = 0;
    CHECK_EQ(run_request_decode(words, sizeof words, &request), STATUS_OK);
}

static void number_lists_accept_wider_elements(void)
{
    uint64_t words[] = {struct_pointer(0, 0, 1), list_pointer(0, 3, 3),
                        UINT64_C(0x000300020001)};
    struct wire_struct root;
    struct wire_list list;
    CHECK_EQ(wire_read_root(words, sizeof words, &root), STATUS_OK);
    CHECK_EQ(wire_read_number_list(&root, 0, 3, 16, &list), STATUS_OK);
    CHECK(list.count == 3 && wire_list_number(&list, 2) == 3 &&
          wire_list_number(&list, 3) == 0);
    CHECK_EQ(wire_read_number_list(&root, 0, 3, 8, &list), STATUS_OK);
    CHECK_EQ(wire_list_number(&list, 1), 2);
    CHECK_EQ(wire_read_number_list(&root, 0, 3, 32, &list), STATUS_BAD_MESSAGE);
    CHECK_EQ(wire_read_number_list(&root, 0, 2, 16, &list), STATUS_BAD_MESSAGE);
}

static void number_lists_are_built(void)
{
    static const uint16_t numbers[] = {5, 6, 7};
    uint64_t words[4];
    struct wire_builder builder;
    struct wire_struct root;
    struct wire_list list;
    wire_builder_init(&builder, words, sizeof words);
    wire_build_number_list(wire_build_root(&builder, 0, 1), 0, numbers, 3, 3, 16);
    CHECK_EQ(wire_builder_finish(&builder), 24);
    CHECK_EQ(words[1], list_pointer(0, 3, 3));
    CHECK_EQ(wire_read_root(words, 24, &root), STATUS_OK);
    CHECK_EQ(wire_read_number_list(&root, 0, 3, 16, &list), STATUS_OK);
    CHECK_EQ(wire_list_number(&list, 2), 7);
}

static void interfaces_are_found_by_their_ids(void)
{
    for (uint32_t i = 0; i < INTERFACE_COUNT; i++)
        CHECK(interface_lookup(interface_table[i].id) == &interface_table[i]);
    CHECK(strcmp(interface_name(INTERFACE_TIMER), "Timer") == 0);
    CHECK(strcmp(interface_method_name(INTERFACE_TIMER, TIMER_METHOD_SLEEP), "sleep") == 0);
    CHECK(strcmp(interface_method_name(INTERFACE_TIMER, TIMER_METHODS), "?") == 0);
    CHECK(strcmp(interface_name(1), "?") == 0);
    CHECK(interface_lookup(UINT64_MAX) == nullptr && interface_lookup(0) == nullptr);
}

static void enum_values_have_names(void)
{
    CHECK(strcmp(status_name(STATUS_BAD_MESSAGE), "badMessage") == 0);
    CHECK(strcmp(fault_kind_name(FAULT_KIND_GUARD_PAGE), "guardPage") == 0);
    CHECK(strcmp(fault_kind_name((enum fault_kind)FAULT_KIND_COUNT), "?") == 0);
    CHECK(strcmp(status_name((enum status) - 1), "?") == 0);
}

int main(void)
{
    RUN(scalar_round_trip_is_two_words);
    RUN(encoding_needs_the_whole_room);
    RUN(fields_share_words_by_their_offsets);
    RUN(bools_are_single_bits);
    RUN(a_null_root_is_all_defaults);
    RUN(an_empty_struct_may_be_no_message_at_all);
    RUN(lengths_that_are_not_words_are_refused);
    RUN(a_failed_decode_writes_nothing);
    RUN(older_and_newer_structs_are_read);
    RUN(the_root_may_lie_anywhere_in_the_message);
    RUN(roots_out_of_bounds_are_refused);
    RUN(other_kinds_of_root_are_refused);
    RUN(unknown_enum_values_are_refused);
    RUN(text_is_written_with_its_nul);
    RUN(empty_text_is_a_null_pointer);
    RUN(text_at_its_bound_fits_and_one_more_byte_does_not);
    RUN(malformed_text_is_refused);
    RUN(data_round_trips_and_is_bounded);
    RUN(capabilities_are_indices);
    RUN(nested_lists_round_trip);
    RUN(every_cut_of_a_nested_message_is_refused);
    RUN(a_builder_remembers_that_it_failed);
    RUN(an_unknown_union_member_is_refused);
    RUN(members_of_a_union_are_checked_only_if_active);
    RUN(a_list_of_structs_may_come_as_a_list_of_its_first_field);
    RUN(a_list_of_text_may_come_as_structs);
    RUN(lists_longer_than_their_bound_are_refused);
    RUN(composite_lists_must_hold_their_elements);
    RUN(a_message_that_multiplies_itself_is_refused);
    RUN(number_lists_accept_wider_elements);
    RUN(number_lists_are_built);
    RUN(interfaces_are_found_by_their_ids);
    RUN(enum_values_have_names);
    return test_report();
}
