// SPDX-License-Identifier: MIT
// The C library subset (libcapos/include/c) as a program sees it.
#include <capos/test.h>

#include <capos/loop.h>
#include <capos/server.h>
#include <capos/thread.h>

#include <ctype.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/process.h>
#include <gen/capos/stdio.h>
#include <gen/capos/thread.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- string.h ------------------------------------------------------------------------------

static void strings_are_compared_as_unsigned_bytes(void)
{
    CHECK(strcmp("a", "b") < 0 && strcmp("b", "a") > 0 && strcmp("ab", "ab") == 0);
    CHECK(strcmp("\x80", "a") > 0);
    CHECK(strncmp("abc", "abd", 2) == 0 && strncmp("abc", "abd", 3) < 0);
    CHECK(strncmp("a", "a", 100) == 0);
    CHECK(memcmp("a\0b", "a\0c", 3) < 0);
}

static void strings_are_copied_and_joined(void)
{
    char text[20];
    CHECK(strcmp(strcpy(text, "hello"), "hello") == 0);
    CHECK(strcmp(strcat(text, ", you"), "hello, you") == 0);
    CHECK(strcmp(strncat(text, "xyz", 1), "hello, youx") == 0);
    memset(text, 'z', sizeof text);
    strncpy(text, "ab", 5);
    CHECK(memcmp(text, "ab\0\0\0z", 6) == 0);
    char *copy = strdup("kept");
    CHECK(copy != nullptr && strcmp(copy, "kept") == 0);
    free(copy);
    copy = strndup("kept", 2);
    CHECK(copy != nullptr && strcmp(copy, "ke") == 0);
    free(copy);
}

static void strings_are_searched(void)
{
    const char *text = "the cat sat";
    CHECK(strchr(text, 'c') == text + 4 && strchr(text, 'z') == nullptr);
    CHECK(strchr(text, '\0') == text + 11);
    CHECK(strrchr(text, 'a') == text + 9);
    CHECK(strstr(text, "at s") == text + 5 && strstr(text, "dog") == nullptr);
    CHECK(strstr(text, "") == text && strstr("", "") != nullptr);
    CHECK_EQ(strspn("xxyz", "xy"), 3);
    CHECK_EQ(strcspn("abc;d", ";,"), 3);
    CHECK(strpbrk(text, "sc") == text + 4);
    CHECK_EQ(strnlen("abc", 2), 2);
    CHECK(memchr(text, 's', 5) == nullptr);
}

static void strings_are_cut_into_words(void)
{
    char text[] = ",one,,two,";
    char *rest;
    CHECK(strcmp(strtok_r(text, ",", &rest), "one") == 0);
    CHECK(strcmp(strtok_r(nullptr, ",", &rest), "two") == 0);
    CHECK(strtok_r(nullptr, ",", &rest) == nullptr);
}

// ---- stdlib.h ------------------------------------------------------------------------------

static void numbers_are_read_in_every_base(void)
{
    char *end;
    const char *text = "  -0x1fZ";
    CHECK_EQ(strtol(text, &end, 16), -31);
    CHECK(end == text + 7);
    CHECK_EQ(strtol("077", nullptr, 0), 63);
    CHECK_EQ(strtol("0x10", nullptr, 0), 16);
    CHECK_EQ(strtol("zz", nullptr, 36), 35 * 36 + 35);
    CHECK_EQ(strtol("0x", &end, 16), 0);
    CHECK_EQ(*end, 'x');
    CHECK_EQ(strtoul("12abc", &end, 10), 12);
    CHECK_EQ(*end, 'a');
    const char *nothing = "abc";
    CHECK_EQ(strtol(nothing, &end, 10), 0);
    CHECK(end == nothing);
    CHECK_EQ(atoi("+42"), 42);
}

static void numbers_out_of_range_are_the_limit(void)
{
    CHECK_EQ(strtoll("9223372036854775807", nullptr, 10), INT64_MAX);
    CHECK_EQ(strtoll("9223372036854775808", nullptr, 10), INT64_MAX);
    CHECK_EQ(strtoll("-9223372036854775808", nullptr, 10), INT64_MIN);
    CHECK_EQ(strtoll("-99999999999999999999999", nullptr, 10), INT64_MIN);
    CHECK_EQ(strtoull("18446744073709551615", nullptr, 10), UINT64_MAX);
    CHECK_EQ(strtoull("184467440737095516160", nullptr, 10), UINT64_MAX);
}

static int compare_ints(const void *left, const void *right)
{
    int a = *(const int *)left, b = *(const int *)right;
    return (a > b) - (a < b);
}

static void arrays_are_sorted_and_searched(void)
{
    static int numbers[1000];
    srand(5);
    for (size_t count = 0; count < 1000; count = count * 2 + 1) {
        for (size_t i = 0; i < count; i++)
            numbers[i] = rand() % 500;
        qsort(numbers, count, sizeof numbers[0], compare_ints);
        for (size_t i = 1; i < count; i++)
            if (!CHECK(numbers[i - 1] <= numbers[i]))
                return;
        for (size_t i = 0; i < count; i++) {
            int *found = bsearch(&numbers[i], numbers, count, sizeof numbers[0], compare_ints);
            if (!CHECK(found != nullptr && *found == numbers[i]))
                return;
        }
    }
    int missing = 1000;
    CHECK(bsearch(&missing, numbers, 511, sizeof numbers[0], compare_ints) == nullptr);
}

static void aligned_blocks_are_aligned(void)
{
    for (size_t alignment = 1; alignment <= 1 << 16; alignment *= 2) {
        void *block = aligned_alloc(alignment, 1000);
        CHECK(block != nullptr && (uintptr_t)block % alignment == 0);
        free(block);
    }
    volatile size_t no_power_of_two = 3;
    CHECK(aligned_alloc(no_power_of_two, 10) == nullptr);
}

static void cleared_blocks_are_clear(void)
{
    unsigned char *dirty = malloc(1000);
    memset(dirty, 0xff, 1000);
    free(dirty);
    unsigned char *clear = calloc(10, 100);
    for (size_t i = 0; i < 1000; i++)
        if (!CHECK_EQ(clear[i], 0))
            break;
    free(clear);
}

// ---- stdio.h and ctype.h -------------------------------------------------------------------

static void formatted_text_is_what_c_says(void)
{
    char text[64];
    CHECK_EQ(snprintf(text, sizeof text, "%5d|%-5d|%05d|%+d", 42, 42, 42, 42), 21);
    CHECK(strcmp(text, "   42|42   |00042|+42") == 0);
    snprintf(text, sizeof text, "%x %X %#x %o %c %s %.2s %%", 255u, 255u, 255u, 8u, 'c', "text",
             "cut");
    CHECK(strcmp(text, "ff FF 0xff 10 c text cu %") == 0);
    snprintf(text, sizeof text, "%lld %llu %zu", INT64_MIN + 0ll, UINT64_MAX + 0ull,
             sizeof text);
    CHECK(strcmp(text, "-9223372036854775808 18446744073709551615 64") == 0);
    CHECK_EQ(snprintf(text, 4, "%s", "longer"), 6);
    CHECK(strcmp(text, "lon") == 0);
    CHECK_EQ(sprintf(text, "%" PRIu64 " %" PRIx8, UINT64_MAX, (uint8_t)0xa5), 23);
    CHECK(strcmp(text, "18446744073709551615 a5") == 0);
}

static void characters_have_their_classes(void)
{
    int letters = 0, digits = 0, spaces = 0, printable = 0;
    for (int c = -1; c < 256; c++) {
        letters += isalpha(c) != 0;
        digits += isdigit(c) != 0;
        spaces += isspace(c) != 0;
        printable += isprint(c) != 0;
    }
    CHECK_EQ(letters, 52);
    CHECK_EQ(digits, 10);
    CHECK_EQ(spaces, 6);
    CHECK_EQ(printable, 95);
    CHECK_EQ(toupper('q'), 'Q');
    CHECK_EQ(tolower('#'), '#');
}

static void streams_know_their_direction(void)
{
    CHECK_EQ(fputc('x', stdin), EOF);
    CHECK_EQ(fgetc(stdout), EOF);
    CHECK_EQ(fwrite("x", 0, 1, stdout), 0);
    CHECK_EQ(setvbuf(stdout, nullptr, 7, 0), -1);
    CHECK_EQ(ferror(stdout), 0);
}

// ---- Streams without a heap ----------------------------------------------------------------

constexpr size_t PRINTED_BYTES = 20000;

static int child_prints_without_a_heap(void)
{
    static char text[PRINTED_BYTES];
    EXPECT(malloc(1) == nullptr);
    memset(text, 'x', sizeof text);
    EXPECT(fwrite(text, 1, sizeof text, stdout) == sizeof text);
    for (int i = 0; i < 1000; i++)
        EXPECT(printf("%04d\n", i) == 5);
    EXPECT(fread(text, 1, sizeof text, stdin) == 6000);
    EXPECT(feof(stdin) && !ferror(stdin));
    return 0;
}

// A StdIO that counts what is written and has 6000 bytes to read.
static size_t written, unread;
static struct test_end child_end;

// What was written, taken for lines of one letter each.
static struct {
    uint8_t letter;
    unsigned count, mixed;
} lines;

static void lines_take(const uint8_t *bytes, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        if (bytes[i] == '\n') {
            lines.count++;
            lines.mixed += lines.letter == 0; // nothing but a newline
            lines.letter = 0;
        } else if (lines.letter == 0) {
            lines.letter = bytes[i];
        } else {
            lines.mixed += lines.letter != bytes[i];
        }
    }
}

static void on_write(void *, struct capos_server_call *call,
                     const struct stdio_write_params *params)
{
    written += params->data.size_bytes;
    lines_take(params->data.data, params->data.size_bytes);
    stdio_write_reply(call);
}

static void on_read(void *, struct capos_server_call *call,
                    const struct stdio_read_params *params)
{
    static uint8_t data[6000];
    uint32_t bytes = params->max_bytes < unread ? params->max_bytes : (uint32_t)unread;
    unread -= bytes;
    stdio_read_reply(call, &(struct stdio_read_results){.data = {data, bytes}});
}

static void on_info(void *, struct capos_server_call *call)
{
    stdio_info_reply(call, &(struct stdio_info_results){});
}

static void on_call(void *, struct capos_server_call *call)
{
    static const struct stdio_server_ops ops = {
        .read = on_read, .write = on_write, .info = on_info};
    stdio_serve(&ops, nullptr, call);
}

static void on_child_end(struct capos_call *wait, void *)
{
    CHECK_OK(process_handle_wait_finish(wait, &child_end.kind, &child_end.exit_code, nullptr,
                                        nullptr, nullptr, nullptr, nullptr));
    capos_loop_stop();
}

// Runs a child whose StdIO this is, until it ends.
static void serve_child(const char *role, const struct test_child_grant *others,
                        size_t other_count)
{
    static struct capos_server server;
    static const struct capos_server_handlers handlers = {.on_call = on_call};
    static const struct capos_server_options options = {.receive_count = 1,
                                                        .message_bytes_max = 8192};
    endpoint_cap endpoint;
    stdio_cap stdio;
    process_handle_cap child;
    struct capos_call wait;
    struct test_child_grant grants[8];
    written = 0;
    unread = 6000;
    lines = (typeof(lines)){};
    child_end = (struct test_end){};
    if (!CHECK_OK(memory_budget_create_endpoint(test_budget(), 4, &endpoint)) ||
        !CHECK_OK(endpoint_mint(endpoint, INTERFACE_STDIO, 1, &stdio.id)) ||
        !CHECK_OK(capos_server_start(&server, endpoint.id, &handlers, nullptr, &options)))
        return;
    grants[0] = test_lend("stdio", stdio.id);
    for (size_t i = 0; i < other_count; i++)
        grants[1 + i] = others[i];
    if (!CHECK_OK(test_start(role, nullptr, 0, grants, other_count + 1, &child)) ||
        !CHECK_OK(process_handle_wait_begin(&wait, child)))
        return;
    capos_call_on_done(&wait, on_child_end, nullptr);
    capos_loop_run();
    CHECK_EQ(child_end.kind, END_KIND_EXITED);
    capos_server_stop(&server);
    process_handle_cap_release(&child);
    stdio_cap_release(&stdio);
    endpoint_cap_release(&endpoint);
}

static void streams_work_without_a_heap(void)
{
    serve_child("prints without a heap", nullptr, 0);
    CHECK_EQ(child_end.exit_code, 0);
    CHECK_EQ(written, PRINTED_BYTES + 5000);
}

// ---- Threads that print --------------------------------------------------------------------

constexpr unsigned LINES = 50;
constexpr size_t LINE_BYTES = 6000; // more than a buffer holds

static int print_lines(void *letter)
{
    static char texts[2][LINE_BYTES];
    char *text = texts[*(const char *)letter - 'a'];
    memset(text, *(const char *)letter, LINE_BYTES - 2);
    for (unsigned i = 0; i < LINES; i++)
        if (puts(text) == EOF || printf("%s%c\n", text + LINE_BYTES / 2, *text) < 0)
            return 1;
    return 0;
}

// Unbuffered, so each call is several messages: its pieces are apart for the server.
static int child_prints_from_two_threads(void)
{
    struct capos_thread *thread;
    int64_t code;
    EXPECT(setvbuf(stdout, nullptr, _IONBF, 0) == 0);
    EXPECT_OK(capos_thread_create(&thread, print_lines, &(char){'a'}, nullptr));
    EXPECT(print_lines(&(char){'b'}) == 0);
    EXPECT_OK(capos_thread_join(thread, &code));
    EXPECT(code == 0);
    return 0;
}

static void lines_of_threads_are_not_mixed(void)
{
    const struct test_child_grant grants[] = {
        test_lend("memory", test_memory().id),
        test_lend("thread", test_grant("thread", INTERFACE_THREAD_CONTROL)),
        test_lend("park", test_grant("park", INTERFACE_PARK_SPACE)),
        test_lend("threads", test_grant("threads", INTERFACE_THREAD_SPAWNER)),
    };
    serve_child("prints from two threads", grants, 4);
    CHECK_EQ(child_end.exit_code, 0);
    CHECK_EQ(lines.count, LINES * 4);
    CHECK_EQ(lines.mixed, 0);
}

static const struct test_role roles[] = {
    {"prints from two threads", child_prints_from_two_threads},
    {"prints without a heap", child_prints_without_a_heap},
};

static void tests(void)
{
    RUN(strings_are_compared_as_unsigned_bytes);
    RUN(strings_are_copied_and_joined);
    RUN(strings_are_searched);
    RUN(strings_are_cut_into_words);
    RUN(numbers_are_read_in_every_base);
    RUN(numbers_out_of_range_are_the_limit);
    RUN(arrays_are_sorted_and_searched);
    RUN(aligned_blocks_are_aligned);
    RUN(cleared_blocks_are_clear);
    RUN(formatted_text_is_what_c_says);
    RUN(characters_have_their_classes);
    RUN(streams_know_their_direction);
    RUN(streams_work_without_a_heap);
    RUN(lines_of_threads_are_not_mixed);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
