/* harness.h - one binary, one table, a real exit status.
 *
 * A test is a function without arguments; CHECK records a failure and leaves the function
 * (on the main thread only: it leaves by longjmp). Random input comes from test_seed():
 * printed with every failure, replayed with --seed.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <stddef.h>
#include <stdint.h>

#include "metricann.h"

typedef struct test_case { const char *name; void (*run)(void); int slow; } test_case;
typedef struct test_suite {
    const char *name;
    const test_case *cases;         /* ends in a case without a name */
} test_suite;

/* Leave the running test. Neither returns. What the test made is not cleaned up: a failed
 * test may leak, a passed one must not (the runner compares mni_mem_live). */
_Noreturn void test_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void test_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define CHECK(x)                                                                       \
    do {                                                                               \
        if (!(x)) test_fail(__FILE__, __LINE__, "%s", #x);                             \
    } while (0)

/* The status must be this one. */
#define CHECK_IS(call, want)                                                           \
    do {                                                                               \
        mann_status check_s = (call);                                                  \
        if (check_s != (want))                                                         \
            test_fail(__FILE__, __LINE__, "%s: %s, wanted %s", #call,                  \
                      mann_status_name(check_s), mann_status_name(want));              \
    } while (0)
#define CHECK_OK(call) CHECK_IS(call, MANN_OK)

/* The same, telling the sentence: CHECK_FINE(call(..., &e), e) */
#define CHECK_FINE(call, e)                                                            \
    do {                                                                               \
        if ((call) != MANN_OK) test_fail(__FILE__, __LINE__, "%s: %s", #call, (e).text); \
    } while (0)

#define CHECK_EQ(a, b)                                                                 \
    do {                                                                               \
        long long check_a = (long long)(a), check_b = (long long)(b);                  \
        if (check_a != check_b)                                                        \
            test_fail(__FILE__, __LINE__, "%s = %lld, wanted %s = %lld", #a, check_a,  \
                      #b, check_b);                                                    \
    } while (0)

#define CHECK_NEAR(a, b, tol)                                                          \
    do {                                                                               \
        double check_a = (a), check_b = (b);                                           \
        if (!(check_a - check_b <= (tol) && check_b - check_a <= (tol)))               \
            test_fail(__FILE__, __LINE__, "%s = %.9g, wanted %.9g within %g", #a,      \
                      check_a, check_b, (double)(tol));                                \
    } while (0)

#define CHECK_STR(a, b)                                                                \
    do {                                                                               \
        const char *check_a = (a), *check_b = (b);                                     \
        if (!check_a || strcmp(check_a, check_b) != 0)                                 \
            test_fail(__FILE__, __LINE__, "%s = \"%s\", wanted \"%s\"", #a,            \
                      check_a ? check_a : "(null)", check_b);                          \
    } while (0)

uint64_t test_seed(void);
/* Path of a file or folder below $METRICANN_DATA (default ../shared/data), or a skip if
 * it is absent. */
const char *test_data(const char *relative);
/* A fresh empty folder for this test, removed by the runner afterwards. */
const char *test_dir(void);

/* n bytes that end (or, with at_start, begin) at a page that cannot be touched. */
void *test_fence(size_t n_bytes, int at_start);
void  test_fence_free(void *at, size_t n_bytes, int at_start);

/* The allocation-failure loop: `body` must return MANN_E_NOMEM and leave nothing alive
 * for every n until it succeeds. At most `max` points are tried (0: all). */
void test_oom(mann_status (*body)(void *ctx), void *ctx, long max);

#endif
