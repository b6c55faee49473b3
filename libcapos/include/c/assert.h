// SPDX-License-Identifier: MIT
// As in C23 7.2.  No include guard: NDEBUG may differ from one inclusion to the next.
#include <capos/panic.h>

#undef assert
#ifdef NDEBUG
#define assert(...) ((void)0)
#else
#define assert(...) \
    ((__VA_ARGS__)  \
         ? (void)0  \
         : capos_panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #__VA_ARGS__))
#endif
