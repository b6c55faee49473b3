// SPDX-License-Identifier: MIT
// What the C library does without asking anybody: text, numbers, memory, sorting, wide characters.
#include "check.h"

#include <ctype.h>
#include <fenv.h>
#include <iconv.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <regex.h>
#include <search.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <wchar.h>
#include <wctype.h>

static int formats(const char *expected, const char *format, ...)
{
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return strcmp(text, expected) == 0;
}

static void printf_formats_every_kind(void)
{
    CHECK(formats("   42|42   |00042|+42", "%5d|%-5d|%05d|%+d", 42, 42, 42, 42));
    CHECK(formats("ffffffffffffffff 0x2a 052", "%" PRIx64 " %#x %#o", UINT64_MAX, 42, 42));
    CHECK(formats("abc|  abc|ab", "%s|%5s|%.2s", "abc", "abc", "abc"));
    CHECK(formats("2 1", "%2$d %1$d", 1, 2));
    CHECK(formats("%c%", "%%c%%"));
}

static void printf_rounds_floating_point_exactly(void)
{
    CHECK(formats("0.5 1e+20 0.1", "%g %g %g", 0.5, 1e20, 0.1));
    CHECK(formats("0.1000000000000000055511151231257827", "%.34f", 0.1));
    CHECK(formats("2 2 4", "%.0f %.0f %.0f", 1.5, 2.5, 3.5));
    CHECK(formats("0x1.8p+1 inf -inf nan", "%a %f %f %f", 3.0, INFINITY, -INFINITY, NAN));
}

static void scanf_reads_what_printf_wrote(void)
{
    int number = 0, end = 0;
    double real = 0;
    char word[20] = "", set[20] = "";
    CHECK(sscanf(" 42 x1e3 abc-17", "%d x%lf %[a-c]-%s%n", &number, &real, set, word, &end) ==
          4);
    CHECK(number == 42 && real == 1000 && strcmp(set, "abc") == 0 && strcmp(word, "17") == 0);
    CHECK(end == 15);
}

static void numbers_are_read_to_the_last_bit(void)
{
    char *end;
    CHECK(strtod("0.1", NULL) == 0.1 && strtod("0x1.8p1z", &end) == 3.0 && *end == 'z');
    CHECK(strtod("1e-320", NULL) > 0 && strtod("9007199254740993", NULL) == 9007199254740992.0);
    errno = 0;
    CHECK(strtol("99999999999999999999", NULL, 10) == INT64_MAX && errno == ERANGE);
    CHECK(strtoull("0xff", &end, 0) == 255 && *end == '\0' && strtol("z", NULL, 36) == 35);
}

static void malloc_keeps_blocks_apart(void)
{
    enum { COUNT = 2000 };
    static unsigned char *blocks[COUNT];
    static size_t sizes[COUNT];
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        seed = seed * 1103515245 + 12345;
        int i = (int)(seed >> 8) % COUNT;
        for (size_t j = 0; j < sizes[i]; j += 97)
            CHECK(blocks[i][j] == (unsigned char)i);
        free(blocks[i]);
        sizes[i] = (seed >> 5) % (i % 50 == 0 ? 200000 : 1000);
        blocks[i] = malloc(sizes[i]);
        CHECK(blocks[i] != NULL && (uintptr_t)blocks[i] % 16 == 0);
        memset(blocks[i], i, sizes[i]);
    }
    for (int i = 0; i < COUNT; i++)
        free(blocks[i]);
}

static void realloc_keeps_contents_and_calloc_is_zero(void)
{
    char *text = NULL;
    for (size_t size = 1; size < 1000000; size = size * 2 + 1) {
        text = realloc(text, size);
        CHECK(text != NULL);
        CHECK(size == 1 || text[size / 2 - 1] == 'x');
        memset(text, 'x', size);
    }
    free(text);
    char *zeros = calloc(1000, 1000);
    CHECK(zeros != NULL);
    for (size_t i = 0; i < 1000000; i++)
        CHECK(zeros[i] == 0);
    free(zeros);
    CHECK(calloc(SIZE_MAX / 2, 3) == NULL && errno == ENOMEM);
    CHECK((uintptr_t)(zeros = aligned_alloc(4096, 8192)) % 4096 == 0 && zeros != NULL);
    free(zeros);
}

static void too_much_memory_is_refused(void)
{
    volatile size_t huge = (size_t)1 << 60;
    CHECK(malloc(huge) == NULL && errno == ENOMEM);
}

static int compare_ints(const void *left, const void *right)
{
    int a = *(const int *)left, b = *(const int *)right;
    return (a > b) - (a < b);
}

static void qsort_and_bsearch_agree(void)
{
    enum { COUNT = 10000 };
    static int numbers[COUNT];
    unsigned seed = 7;
    for (int i = 0; i < COUNT; i++)
        numbers[i] = (int)((seed = seed * 1103515245 + 12345) >> 4);
    int wanted = numbers[1234];
    qsort(numbers, COUNT, sizeof *numbers, compare_ints);
    for (int i = 1; i < COUNT; i++)
        CHECK(numbers[i - 1] <= numbers[i]);
    int *found = bsearch(&wanted, numbers, COUNT, sizeof *numbers, compare_ints);
    CHECK(found != NULL && *found == wanted);
}

static void strings_are_cut_and_found(void)
{
    char text[] = "a,b,,c", copy[8];
    char *rest = NULL;
    CHECK(strcmp(strtok_r(text, ",", &rest), "a") == 0);
    CHECK(strcmp(strtok_r(NULL, ",", &rest), "b") == 0);
    CHECK(strcmp(strtok_r(NULL, ",", &rest), "c") == 0 && strtok_r(NULL, ",", &rest) == NULL);
    CHECK(strcmp(strstr("haystack with needle", "needle"), "needle") == 0);
    CHECK(strchr("abc", 'd') == NULL && strrchr("abcb", 'b')[1] == '\0');
    CHECK(memcmp(strncpy(copy, "ab", 4), "ab\0\0", 4) == 0);
    CHECK(strspn("112x", "12") == 3 && strcspn("112x", "x") == 3 && strcmp("a", "b") < 0);
}

static void regular_expressions_match(void)
{
    regex_t regex;
    regmatch_t match[3];
    CHECK(regcomp(&regex, "^([a-z]+)[0-9]{2,3}$", REG_EXTENDED) == 0);
    CHECK(regexec(&regex, "abc123", 3, match, 0) == 0);
    CHECK(match[1].rm_so == 0 && match[1].rm_eo == 3);
    CHECK(regexec(&regex, "abc1", 3, match, 0) == REG_NOMATCH);
    regfree(&regex);
    CHECK(regcomp(&regex, "a(", REG_EXTENDED) == REG_EPAREN);
}

static void mathematics_is_right(void)
{
    volatile double two = 2, zero = 0, more = 2.1;
    CHECK(sqrt(two) == 0x1.6a09e667f3bcdp+0 && exp(two) == 0x1.d8e64b8d4ddaep+2);
    CHECK(fabs(sin(two) - 0.9092974268256817) < 1e-16 && pow(two, 10) == 1024);
    CHECK(isinf(1 / zero) && isnan(zero / zero) && signbit(-zero));
    CHECK(lround(-2.5) == -3 && rint(2.5) == 2 && fma(two, two, 1) == 5);
    CHECK(fesetround(FE_UPWARD) == 0 && rint(more) == 3 && fesetround(FE_TONEAREST) == 0);
    feclearexcept(FE_ALL_EXCEPT);
    CHECK(1 / zero > 0 && fetestexcept(FE_DIVBYZERO) != 0);
    CHECK(fabsl(tgammal(5) - 24) < 1e-15L && ldexp(0.75, 4) == 12);
}

static void wide_characters_are_utf_8(void)
{
    wchar_t wide[20];
    char narrow[20];
    CHECK(setlocale(LC_ALL, "C.UTF-8") != NULL);
    CHECK(mbstowcs(wide, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac", 20) == 6 && wide[5] == 0x20ac);
    CHECK(wcstombs(narrow, wide, 20) == 10 &&
          strcmp(narrow, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac") == 0);
    CHECK(towupper(0xfc) == 0xdc && iswalpha(0xfc) && wcswidth(wide, 6) == 6);
    CHECK(mbstowcs(wide, "\xff", 20) == (size_t)-1 && errno == EILSEQ);
    CHECK(swprintf(wide, 20, L"%ls %d", L"n", 5) == 3 && wcscmp(wide, L"n 5") == 0);
}

static void iconv_converts(void)
{
    char input[] = "\xe4", output[8];
    char *from = input, *to = output;
    size_t from_bytes = 1, to_bytes = sizeof output;
    iconv_t converter = iconv_open("UTF-8", "ISO-8859-1");
    CHECK(converter != (iconv_t)-1);
    CHECK(iconv(converter, &from, &from_bytes, &to, &to_bytes) == 0);
    CHECK(to - output == 2 && memcmp(output, "\xc3\xa4", 2) == 0);
    iconv_close(converter);
}

static void longjmp_comes_back(void)
{
    static jmp_buf place;
    static volatile int count;
    count = 0;
    if (setjmp(place) < 3) {
        count++;
        longjmp(place, count);
    }
    CHECK(count == 3);
}

static void dates_are_calculated(void)
{
    struct tm tm = {.tm_year = 124, .tm_mon = 1, .tm_mday = 29, .tm_hour = 12};
    char text[40];
    time_t time = 1709208000;
    CHECK(timegm(&tm) == time && gmtime_r(&time, &tm) == &tm && tm.tm_wday == 4);
    CHECK(strftime(text, sizeof text, "%Y-%m-%d %j %a", &tm) == 18);
    CHECK(strcmp(text, "2024-02-29 060 Thu") == 0);
}

static void the_environment_can_be_changed(void)
{
    CHECK(getenv("NOT_THERE") == NULL && setenv("NAME", "value", 1) == 0);
    CHECK(strcmp(getenv("NAME"), "value") == 0);
    CHECK(unsetenv("NAME") == 0 && getenv("NAME") == NULL);
}

static void hash_tables_find(void)
{
    CHECK(hcreate(100) != 0);
    CHECK(hsearch((ENTRY){"key", "data"}, ENTER) != NULL);
    ENTRY *found = hsearch((ENTRY){"key", NULL}, FIND);
    CHECK(found != NULL && strcmp(found->data, "data") == 0);
    CHECK(hsearch((ENTRY){"other", NULL}, FIND) == NULL);
    hdestroy();
}

int main(void)
{
    RUN(printf_formats_every_kind);
    RUN(printf_rounds_floating_point_exactly);
    RUN(scanf_reads_what_printf_wrote);
    RUN(numbers_are_read_to_the_last_bit);
    RUN(malloc_keeps_blocks_apart);
    RUN(realloc_keeps_contents_and_calloc_is_zero);
    RUN(too_much_memory_is_refused);
    RUN(qsort_and_bsearch_agree);
    RUN(strings_are_cut_and_found);
    RUN(regular_expressions_match);
    RUN(mathematics_is_right);
    RUN(wide_characters_are_utf_8);
    RUN(iconv_converts);
    RUN(longjmp_comes_back);
    RUN(dates_are_calculated);
    RUN(the_environment_can_be_changed);
    RUN(hash_tables_find);
    return check_status();
}
