// SPDX-License-Identifier: MIT
// The end of a program, its environment, numbers from text, sorting: C23 7.24.
#include <stdlib.h>

#include <capos/panic.h>
#include <capos/process.h>
#include <capos/syscall.h>

#include <ctype.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

// ---- The end -----------------------------------------------------------------------

constexpr unsigned EXIT_FUNCTIONS_MAX = 32;
static void (*exit_functions[EXIT_FUNCTIONS_MAX])(void);
static unsigned exit_function_count;

int atexit(void (*function)(void))
{
    if (exit_function_count == EXIT_FUNCTIONS_MAX)
        return -1;
    exit_functions[exit_function_count++] = function;
    return 0;
}

void exit(int code)
{
    while (exit_function_count > 0)
        exit_functions[--exit_function_count]();
    (void)fflush(nullptr);
    _Exit(code);
}

void _Exit(int code)
{
    capos_exit_now(code);
}

void abort(void)
{
    capos_panic("abort");
}

char *getenv(const char *name)
{
    size_t length = strlen(name);
    for (char **string = capos_environment(); *string != nullptr; string++)
        if (strncmp(*string, name, length) == 0 && (*string)[length] == '=')
            return *string + length + 1;
    return nullptr;
}

// ---- Numbers -----------------------------------------------------------------------

static unsigned digit_of(char character)
{
    if (isdigit(character))
        return (unsigned)(character - '0');
    if (isalpha(character))
        return (unsigned)((character | 32) - 'a') + 10;
    return UINT_MAX;
}

// The size of a number, at most `limit`; out_negative tells its sign.
static uint64_t number_read(const char *text, char **end, int base_asked, uint64_t limit,
                            uint64_t limit_negative, bool *out_negative)
{
    const char *place = text;
    while (isspace(*place))
        place++;
    *out_negative = *place == '-';
    if (*place == '-' || *place == '+')
        place++;
    unsigned base = (unsigned)base_asked;
    if ((base == 0 || base == 16) && place[0] == '0' && (place[1] | 32) == 'x' &&
        isxdigit(place[2])) {
        place += 2;
        base = 16;
    }
    if (base == 0)
        base = *place == '0' ? 8 : 10;
    if (*out_negative)
        limit = limit_negative;
    uint64_t value = 0;
    bool any = false;
    for (; digit_of(*place) < base; place++, any = true)
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit_of(*place), &value) || value > limit)
            value = limit; // and every further digit overflows again
    if (end != nullptr)
        *end = (char *)(uintptr_t)(any ? place : text);
    return value;
}

long long strtoll(const char *restrict text, char **restrict end, int base)
{
    bool negative;
    uint64_t value =
        number_read(text, end, base, INT64_MAX, (uint64_t)INT64_MAX + 1, &negative);
    return (long long)(negative ? -value : value);
}

unsigned long long strtoull(const char *restrict text, char **restrict end, int base)
{
    bool negative;
    uint64_t value = number_read(text, end, base, UINT64_MAX, UINT64_MAX, &negative);
    return negative ? -value : value;
}

static_assert(sizeof(long) == sizeof(long long));

long strtol(const char *restrict text, char **restrict end, int base)
{
    return (long)strtoll(text, end, base);
}

unsigned long strtoul(const char *restrict text, char **restrict end, int base)
{
    return (unsigned long)strtoull(text, end, base);
}

int atoi(const char *text)
{
    return (int)strtol(text, nullptr, 10);
}

long atol(const char *text)
{
    return strtol(text, nullptr, 10);
}

long long atoll(const char *text)
{
    return strtoll(text, nullptr, 10);
}

int abs(int number)
{
    return number < 0 ? -number : number;
}

long labs(long number)
{
    return number < 0 ? -number : number;
}

long long llabs(long long number)
{
    return number < 0 ? -number : number;
}

// ---- Pseudo-random numbers ---------------------------------------------------------

static uint64_t random_state = 1;

void srand(unsigned seed)
{
    random_state = seed;
}

// A linear congruential generator with Knuth's constants (MMIX); its upper bits are good.
int rand(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)(random_state >> 33);
}

// ---- Sorting and searching ---------------------------------------------------------

static void swap(uint8_t *left, uint8_t *right, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = left[i];
        left[i] = right[i];
        right[i] = byte;
    }
}

struct sort {
    uint8_t *array;
    size_t size;
    int (*compare)(const void *left, const void *right);
};

// Restores the heap order below `root`, which may be smaller than its children.
static void sift_down(const struct sort *sort, size_t root, size_t count)
{
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        uint8_t *largest = sort->array + child * sort->size;
        if (child + 1 < count && sort->compare(largest, largest + sort->size) < 0) {
            child++;
            largest += sort->size;
        }
        uint8_t *parent = sort->array + root * sort->size;
        if (sort->compare(parent, largest) >= 0)
            return;
        swap(parent, largest, sort->size);
    }
}

// Heapsort: no memory, no recursion, and no input that makes it quadratic.
void qsort(void *array, size_t count, size_t size,
           int (*compare)(const void *left, const void *right))
{
    struct sort sort = {array, size, compare};
    for (size_t root = count / 2; root-- > 0;)
        sift_down(&sort, root, count);
    for (size_t end = count; end-- > 1;) {
        swap(sort.array, sort.array + end * size, size);
        sift_down(&sort, 0, end);
    }
}

void *bsearch(const void *key, const void *array, size_t count, size_t size,
              int (*compare)(const void *key, const void *element))
{
    const uint8_t *first = array;
    while (count > 0) {
        const uint8_t *middle = first + count / 2 * size;
        int order = compare(key, middle);
        if (order == 0)
            return (void *)(uintptr_t)middle;
        if (order > 0) {
            first = middle + size;
            count -= count / 2 + 1;
        } else {
            count /= 2;
        }
    }
    return nullptr;
}
