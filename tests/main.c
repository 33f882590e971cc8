/* main.c - runs the tests of the table in suites.h and counts.
 *
 *     tests/run [--seed N] [--list] [--fast] [--must-fail] [suite[.case] | prefix* ...]
 *
 * --must-fail turns on one case that fails, to prove that a failure reaches the exit
 * status. SPDX-License-Identifier: MIT */
#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE 1
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "harness.h"

#define SUITE(name) extern const test_case name##_tests[];
#include "suites.h"
#undef SUITE

static const test_suite suites[] = {
#define SUITE(name) { #name, name##_tests },
#include "suites.h"
#undef SUITE
    { NULL, NULL }
};

static jmp_buf leave;
static char message[1024];
static uint64_t seed = 1;
static char dir[256];
static char running[256];
static const int crashes[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
static struct sigaction former[sizeof crashes / sizeof *crashes];

_Noreturn void test_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = snprintf(message, sizeof message, "%s:%d: ", file, line);
    vsnprintf(message + n, sizeof message - (size_t)n, fmt, ap);
    va_end(ap);
    longjmp(leave, 1);
}

_Noreturn void test_skip(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    longjmp(leave, 2);
}

uint64_t test_seed(void) { return seed; }

const char *test_data(const char *relative)
{
    static char path[2048];
    const char *root = getenv("METRICANN_DATA");
    snprintf(path, sizeof path, "%s/%s", root && *root ? root : "../shared/data",
             relative);
    struct stat st;
    if (stat(path, &st) != 0) test_skip("no %s", path);
    return path;
}

const char *test_dir(void)
{
    if (!dir[0]) {
        const char *tmp = getenv("TMPDIR");
        snprintf(dir, sizeof dir, "%s/metricann-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
        if (!mkdtemp(dir)) {
            dir[0] = '\0';
            test_fail(__FILE__, __LINE__, "mkdtemp failed");
        }
    }
    return dir;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st; (void)type; (void)f;
    return remove(path);
}

static void remove_dir(void)
{
    if (dir[0]) nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    dir[0] = '\0';
}

static size_t pages_for(size_t n_bytes, size_t page)
{
    return (n_bytes + page - 1) / page + 1;
}

void *test_fence(size_t n_bytes, int at_start)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = pages_for(n_bytes, page);
    char *at =
        mmap(NULL, n * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) test_fail(__FILE__, __LINE__, "mmap of %zu pages", n);
    mprotect(at_start ? at : at + (n - 1) * page, page, PROT_NONE);
    return at_start ? at + page : at + (n - 1) * page - n_bytes;
}

void test_fence_free(void *at, size_t n_bytes, int at_start)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = pages_for(n_bytes, page);
    munmap(at_start ? (char *)at - page : (char *)at + n_bytes - (n - 1) * page,
           n * page);
}

void test_oom(mann_status (*body)(void *ctx), void *ctx, long max)
{
    for (long n = 0; max == 0 || n < max; n++) {
        long before = mni_mem_live();
        mni_mem_fail_after(n);
        mann_status s = body(ctx);
        mni_mem_fail_after(-1);
        if (mni_mem_live() != before)
            test_fail(__FILE__, __LINE__, "allocation %ld failed: %ld blocks left alive",
                      n, mni_mem_live() - before);
        if (s == MANN_OK) return;
        if (s != MANN_E_NOMEM)
            test_fail(__FILE__, __LINE__, "allocation %ld failed: status is \"%s\"", n,
                      mann_status_name(s));
    }
}

/* A crash ends the run; say at least which test it was. Then the former handler (a
 * sanitizer's, or the default) gets its turn: the instruction is simply met again. */
static void on_crash(int sig)
{
    static const char text[] = "CRASHED in ";
    if (write(1, text, sizeof text - 1) < 0 || write(1, running, strlen(running)) < 0 ||
        write(1, "\n", 1) < 0)
        _exit(3);
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        if (crashes[i] == sig) sigaction(sig, &former[i], NULL);
}

static void catch_crashes(void)
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = on_crash;
    sigemptyset(&a.sa_mask);
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        sigaction(crashes[i], &a, &former[i]);
}

static void always_fails(void) { CHECK(1 + 1 == 3); }

/* "kern*" stands for all names that begin so. */
static int matches(const char *filter, const char *name)
{
    size_t n = strlen(filter);
    if (n && filter[n - 1] == '*') return strncmp(filter, name, n - 1) == 0;
    return strcmp(filter, name) == 0;
}

static int wanted(const char *suite, const char *name, int n, char **filters)
{
    if (n == 0) return 1;
    char full[256];
    snprintf(full, sizeof full, "%s.%s", suite, name);
    for (int i = 0; i < n; i++)
        if (strcmp(filters[i], suite) == 0 || matches(filters[i], full)) return 1;
    return 0;
}

typedef struct totals { int passed, failed, skipped; } totals;

static void run_one(const char *suite, const test_case *c, totals *t)
{
    struct timespec a, b;
    long live = mni_mem_live();
    volatile int how = 0;                   /* 0 passed, 1 failed, 2 skipped */
    clock_gettime(CLOCK_MONOTONIC, &a);
    snprintf(running, sizeof running, "%s.%s", suite, c->name);
    switch (setjmp(leave)) {
    case 0:
        c->run();
        if (mni_mem_live() == live) break;
        snprintf(message, sizeof message, "%ld blocks leaked", mni_mem_live() - live);
        how = 1;
        break;
    case 1: how = 1; break;
    default: how = 2; break;
    }
    mni_mem_fail_after(-1);
    remove_dir();
    clock_gettime(CLOCK_MONOTONIC, &b);
    double s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9;
    if (how == 0) t->passed++;
    else if (how == 2) {
        t->skipped++;
        printf("skipped %s.%s: %s\n", suite, c->name, message);
    } else {
        t->failed++;
        printf("FAILED  %s.%s: %s\n        replay: tests/run --seed %llu %s.%s\n", suite,
               c->name, message, (unsigned long long)seed, suite, c->name);
    }
    if (s > 2.0) printf("slow    %s.%s: %.1f s\n", suite, c->name, s);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    int list = 0, fast = 0, must_fail = 0, first = 1;
    for (; first < argc && argv[first][0] == '-'; first++) {
        if (strcmp(argv[first], "--list") == 0) list = 1;
        else if (strcmp(argv[first], "--fast") == 0) fast = 1;
        else if (strcmp(argv[first], "--must-fail") == 0) must_fail = 1;
        else if (strcmp(argv[first], "--seed") == 0 && first + 1 < argc &&
                 mni_parse_u64(argv[first + 1], &seed)) first++;
        else {
            fprintf(stderr, "usage: run [--seed N] [--list] [--fast] "
                            "[--must-fail] [suite[.case] | prefix* ...]\n");
            return 2;
        }
    }
    catch_crashes();
    totals t = { 0, 0, 0 };
    for (const test_suite *s = suites; s->name; s++)
        for (const test_case *c = s->cases; c->name; c++) {
            if (!wanted(s->name, c->name, argc - first, argv + first)) continue;
            if (list) printf("%s.%s%s\n", s->name, c->name, c->slow ? " (slow)" : "");
            else if (!(fast && c->slow)) run_one(s->name, c, &t);
        }
    if (list) return 0;
    if (must_fail) run_one("runner", &(test_case){ "must_fail", always_fails, 0 }, &t);
    if (t.passed + t.failed + t.skipped == 0) {
        printf("no test of that name\n");
        return 2;
    }
    printf("%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped);
    return t.failed ? 1 : 0;
}
