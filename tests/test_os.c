/* test_os.c - threads, the pool and its promise of equal bits, CPU, clock, terminal; and
 * the harness's own tools, as a blunt tool finds nothing. SPDX-License-Identifier: MIT */
#define _XOPEN_SOURCE 700
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "os/clock.h"
#include "os/cpu.h"
#include "os/pool.h"
#include "os/term.h"
#include "os/thread.h"

static const uint32_t thread_counts[] = { 1, 2, 7 };

static mann_pool *make_pool(uint32_t threads)
{
    mann_pool *p;
    mann_error e;
    CHECK_FINE(mann_pool_new(&p, threads, &e), e);
    CHECK_EQ(mni_pool_threads(p), threads);
    return p;
}

/* --- chunks ------------------------------------------------------------------------- */

enum { MAX_CHUNKS = 64 };
typedef struct borders {
    size_t begin[MAX_CHUNKS], end[MAX_CHUNKS];
    atomic_int calls;
} borders;

static void note_borders(void *ctx, size_t begin, size_t end, size_t chunk)
{
    borders *b = ctx;
    b->begin[chunk] = begin;
    b->end[chunk] = end;
    atomic_fetch_add(&b->calls, 1);
}

static void chunk_borders(void)
{
    static const struct { size_t n, grain; } work[] = {
        { 0, 4 }, { 1, 4 }, { 4, 4 }, { 5, 4 }, { 63, 1 }, { 64, 0 }, { 1000, 17 },
        { 3, SIZE_MAX },
        { SIZE_MAX, SIZE_MAX / 3 }, { SIZE_MAX - 1, SIZE_MAX }
    };
    for (size_t w = 0; w < sizeof work / sizeof *work; w++)
        for (size_t t = 0; t <= 3; t++) {
            mann_pool *p = t == 3 ? NULL : make_pool(thread_counts[t]);
            size_t grain = work[w].grain ? work[w].grain : 1;
            size_t n_chunks = mni_chunk_count(work[w].n, work[w].grain);
            static borders b;
            memset(&b, 0, sizeof b);
            CHECK(n_chunks <= MAX_CHUNKS);
            mni_parallel_for(p, work[w].n, work[w].grain, note_borders, &b);
            CHECK_EQ(atomic_load(&b.calls), n_chunks);
            for (size_t c = 0; c < n_chunks; c++) {
                CHECK(b.begin[c] == c * grain);
                CHECK(b.end[c] == (c + 1 < n_chunks ? (c + 1) * grain : work[w].n));
            }
            mann_pool_free(p);
        }
}

/* --- equal bits --------------------------------------------------------------------- */

/* A sum whose value depends on the order of its terms: magnitudes from 2^-20 to 2^20,
 * mixed signs. */
enum { N_TERMS = 20000, GRAIN = 64, N_PARTS = (N_TERMS + GRAIN - 1) / GRAIN };
typedef struct sum_work {
    float term[N_TERMS];
    float part[N_PARTS];        /* by chunk number */
    float arrived[N_PARTS];     /* the same, in the order of completion */
    atomic_size_t n_arrived;
} sum_work;

static void sum_chunk(void *ctx, size_t begin, size_t end, size_t chunk)
{
    sum_work *w = ctx;
    float s = 0;
    for (size_t i = begin; i < end; i++) s += w->term[i];
    w->part[chunk] = s;
    w->arrived[atomic_fetch_add(&w->n_arrived, 1)] = s;
}

static float add_up(const float *v, size_t n)
{
    float s = 0;
    for (size_t i = 0; i < n; i++) s += v[i];
    return s;
}

static int same_bits(float a, float b) { return memcmp(&a, &b, sizeof a) == 0; }

static sum_work *new_work(void)
{
    sum_work *w = mni_alloc(1, sizeof *w);
    CHECK(w != NULL);
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 1, 0, 0);
    for (size_t i = 0; i < N_TERMS; i++) {
        float scale = 0x1p-20f;
        for (uint32_t e = mni_rng_below(&r, 41); e > 0; e--) scale *= 2;
        w->term[i] = mni_rng_range(&r, -1, 1) * scale;
    }
    return w;
}

static void ordered_sum_is_the_same_for_any_threads(void)
{
    sum_work *w = new_work();
    float first = 0;
    for (size_t t = 0; t < 3; t++) {
        mann_pool *p = make_pool(thread_counts[t]);
        for (int again = 0; again < 50; again++) {
            atomic_store(&w->n_arrived, 0);
            mni_parallel_for(p, N_TERMS, GRAIN, sum_chunk, w);
            float sum = add_up(w->part, N_PARTS);
            if (t == 0 && again == 0) first = sum;
            CHECK(same_bits(sum, first));
        }
        mann_pool_free(p);
    }
    mni_free(w);
}

/* The test above must be able to fail: a sum in the order of completion is seen as
 * different. What the scheduler gives is chance, so the order is also permuted by hand,
 * and borders are moved. */
static void unordered_sum_is_detected(void)
{
    sum_work *w = new_work();
    mni_parallel_for(NULL, N_TERMS, GRAIN, sum_chunk, w);
    float ordered = add_up(w->part, N_PARTS);
    /* one thread: the two orders agree */
    CHECK(same_bits(ordered, add_up(w->arrived, N_PARTS)));
    int differ = 0;
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 2, 0, 0);
    for (int round = 0; round < 20; round++) {
        uint32_t order[N_PARTS];
        mni_rng_shuffle(&r, order, N_PARTS);
        for (size_t i = 0; i < N_PARTS; i++) w->arrived[i] = w->part[order[i]];
        differ += !same_bits(ordered, add_up(w->arrived, N_PARTS));
    }
    CHECK(differ >= 15);
    differ = 0;
    /* as if borders hung on the threads */
    for (size_t grain = GRAIN + 1; grain < GRAIN + 11; grain++) {
        atomic_store(&w->n_arrived, 0);
        mni_parallel_for(NULL, N_TERMS, grain, sum_chunk, w);
        differ += !same_bits(ordered, add_up(w->part, mni_chunk_count(N_TERMS, grain)));
    }
    CHECK(differ >= 7);
    mni_free(w);
}

/* --- sharing a pool ----------------------------------------------------------------- */

typedef struct nested { mann_pool *pool; atomic_int inner, moved; } nested;

static void inner_chunk(void *ctx, size_t begin, size_t end, size_t chunk)
{
    nested *n = ((void **)ctx)[0];
    const pthread_t *outer = ((void **)ctx)[1];
    (void)chunk;
    atomic_fetch_add(&n->inner, (int)(end - begin));
    if (!pthread_equal(*outer, pthread_self())) atomic_fetch_add(&n->moved, 1);
}

static void outer_chunk(void *ctx, size_t begin, size_t end, size_t chunk)
{
    nested *n = ctx;
    pthread_t self = pthread_self();
    void *both[2] = { n, &self };
    (void)chunk;
    for (size_t i = begin; i < end; i++)
        mni_parallel_for(n->pool, 10, 3, inner_chunk, both);
}

static void nested_calls_run_inline(void)
{
    for (size_t t = 0; t < 3; t++) {
        nested n = { .pool = make_pool(thread_counts[t]) };
        mni_parallel_for(n.pool, 200, 1, outer_chunk, &n);
        CHECK_EQ(atomic_load(&n.inner), 2000);
        CHECK_EQ(atomic_load(&n.moved), 0);
        mann_pool_free(n.pool);
    }
}

static void count_chunk(void *ctx, size_t begin, size_t end, size_t chunk)
{
    (void)chunk;
    atomic_fetch_add((atomic_long *)ctx, (long)(end - begin));
}

static void *second_caller(void *ctx)
{
    mann_pool *p = ((void **)ctx)[0];
    for (int i = 0; i < 300; i++)
        mni_parallel_for(p, 100, 7, count_chunk, ((void **)ctx)[1]);
    return NULL;
}

static void many_callers_share_one_pool(void)
{
    mann_pool *p = make_pool(3);
    atomic_long count = 0;
    void *both[2] = { p, &count };
    mni_thread threads[4];
    for (int i = 0; i < 4; i++) CHECK(mni_thread_start(&threads[i], second_caller, both));
    second_caller(both);
    for (int i = 0; i < 4; i++) mni_thread_join(threads[i]);
    CHECK_EQ(atomic_load(&count), 5 * 300 * 100);
    mann_pool_free(p);
}

/* Two chunks wait for each other: returns only if two threads really run at once. */
typedef struct meeting { mni_mutex lock; mni_cond all_here; int n_here; } meeting;

static void meet(void *ctx, size_t begin, size_t end, size_t chunk)
{
    meeting *m = ctx;
    (void)begin; (void)end; (void)chunk;
    mni_mutex_lock(&m->lock);
    m->n_here++;
    mni_cond_wake_all(&m->all_here);
    while (m->n_here < 3) mni_cond_wait(&m->all_here, &m->lock);
    mni_mutex_unlock(&m->lock);
}

static void threads_are_real(void)
{
    mann_pool *p = make_pool(3);
    meeting m = { .n_here = 0 };
    CHECK(mni_mutex_init(&m.lock) && mni_cond_init(&m.all_here));
    mni_parallel_for(p, 3, 1, meet, &m);
    CHECK_EQ(m.n_here, 3);
    CHECK(mni_mutex_try(&m.lock));
    mni_mutex_unlock(&m.lock);
    mni_mutex_fini(&m.lock);
    mni_cond_fini(&m.all_here);
    mann_pool_free(p);
}

static void pool_arguments(void)
{
    mann_pool *p = (mann_pool *)&p;
    mann_error e;
    CHECK_IS(mann_pool_new(&p, 1025, &e), MANN_E_ARG);
    CHECK(p == NULL && strstr(e.text, "1025"));
    CHECK_IS(mann_pool_new(NULL, 1, NULL), MANN_E_ARG);
    CHECK_OK(mann_pool_new(&p, 0, NULL));
    CHECK_EQ(mni_pool_threads(p), mni_cpu_count());
    mann_pool_free(p);
    mann_pool_free(NULL);
    CHECK_EQ(mni_pool_threads(NULL), 1);
}

static mann_status pool_body(void *ctx)
{
    mann_pool *p;
    (void)ctx;
    mann_status s = mann_pool_new(&p, 3, NULL);
    CHECK((s == MANN_OK) == (p != NULL));
    mann_pool_free(p);
    return s;
}

static void pool_memory_runs_out(void) { test_oom(pool_body, NULL, 0); }

/* Threads count down together; the counter must stop at "fails", not run past it to
 * "never". */
static void *allocate_some(void *ctx)
{
    for (int i = 0; i < 200; i++) {
        void *p = mni_alloc(1, 1);
        if (p) atomic_fetch_add((atomic_long *)ctx, 1);
        mni_free(p);
    }
    return NULL;
}

static void failing_memory_holds_for_all_threads(void)
{
    for (int round = 0; round < 20; round++) {
        atomic_long got = 0;
        mni_thread threads[3];
        mni_mem_fail_after(101);
        int started = 0;
        while (started < 3 && mni_thread_start(&threads[started], allocate_some, &got))
            started++;
        for (int i = 0; i < started; i++) mni_thread_join(threads[i]);
        mni_mem_fail_after(-1);
        CHECK(started == 3);
        CHECK_EQ(atomic_load(&got), 101);
    }
}

/* --- CPU, clock, terminal ----------------------------------------------------------- */

static void cpu_levels(void)
{
    unsigned all =
        MNI_CPU_SSE42 | MNI_CPU_AVX2 | MNI_CPU_AVX512 | MNI_CPU_VNNI | MNI_CPU_BF16;
    CHECK_EQ(mni_cpu_cap(all, "scalar"), 0);
    CHECK_EQ(mni_cpu_cap(all, "avx2"), MNI_CPU_SSE42 | MNI_CPU_AVX2);
    CHECK_EQ(mni_cpu_cap(all, "avx512"), MNI_CPU_SSE42 | MNI_CPU_AVX2 | MNI_CPU_AVX512);
    CHECK_EQ(mni_cpu_cap(all, "avx512vnni"), all);
    CHECK_EQ(mni_cpu_cap(all, "nonsense"), all);
    CHECK_EQ(mni_cpu_cap(all, NULL), all);
    /* a cap adds nothing */
    CHECK_EQ(mni_cpu_cap(MNI_CPU_SSE42, "avx512"), MNI_CPU_SSE42);
    CHECK_EQ(mni_cpu_cap(MNI_CPU_NEON, "neon"), MNI_CPU_NEON);
    unsigned cpu = mni_cpu_detect();
    CHECK_EQ(cpu, mni_cpu_detect());
    if (cpu & MNI_CPU_AVX512) CHECK(cpu & MNI_CPU_AVX2);
    if (cpu & (MNI_CPU_VNNI | MNI_CPU_BF16)) CHECK(cpu & MNI_CPU_AVX512);
    CHECK((mni_cpu_allowed() & ~cpu) == 0);
    CHECK(mni_cpu_count() >= 1 && mni_cpu_count() <= 1024);
    char name[8];
    memset(name, 'x', sizeof name);
    mni_cpu_name(name, sizeof name);
    CHECK(memchr(name, '\0', sizeof name) && name[0]);
}

static void clocks(void)
{
    double a = mni_clock_seconds();
    mni_clock_sleep(0.02);
    double b = mni_clock_seconds();
    CHECK(b - a >= 0.019 && b - a < 5);
    mni_clock_sleep(0);
    CHECK(mni_clock_unix() > 1600000000u);
}

static void terminal(void)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    CHECK(!mni_term_is_tty(ends[1]) && !mni_term_colour(ends[1]));
    CHECK_EQ(mni_term_width(ends[1]), 80);
    close(ends[0]);
    close(ends[1]);
}

static int exit_of_child(void (*fn)(void))
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        fn();
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void interrupted_once(void)
{
    mni_term_catch_interrupt();
    if (mni_term_interrupted()) _exit(10);
    kill(getpid(), SIGTERM);
    if (!mni_term_interrupted()) _exit(11);
    kill(getpid(), SIGTERM);               /* a second request to end is not impatience */
    kill(getpid(), SIGPIPE);
    _exit(42);
}

static void interrupted_twice(void)
{
    mni_term_catch_interrupt();
    kill(getpid(), SIGINT);
    if (!mni_term_interrupted()) _exit(11);
    kill(getpid(), SIGINT);
}

static void interrupt_key(void)
{
    CHECK_EQ(exit_of_child(interrupted_once), 42);
    CHECK_EQ(exit_of_child(interrupted_twice), 130);
}

/* --- the harness -------------------------------------------------------------------- */

static void quiet(void)
{
    if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
        _exit(0);
}

static void touch_behind(void)
{
    quiet();
    volatile char *p = test_fence(100, 0);
    p[100] = 1;
}

static void touch_before(void)
{
    quiet();
    volatile char *p = test_fence(100, 1);
    p[-1] = 1;
}

static void touch_inside(void)
{
    for (size_t n = 0; n < 9000; n += 777)
        for (int at_start = 0; at_start < 2; at_start++) {
            char *p = test_fence(n, at_start);
            memset(p, 1, n);
            test_fence_free(p, n, at_start);
        }
    _exit(42);
}

static void fences_bite(void)
{
    CHECK_EQ(exit_of_child(touch_inside), 42);
    CHECK(exit_of_child(touch_behind) != 0);
    CHECK(exit_of_child(touch_before) != 0);
}

const test_case os_tests[];
const test_case os_tests[] = {
    { "chunk_borders", chunk_borders, 0 },
    { "ordered_sum_is_the_same_for_any_threads", ordered_sum_is_the_same_for_any_threads,
      0 },
    { "unordered_sum_is_detected", unordered_sum_is_detected, 0 },
    { "nested_calls_run_inline", nested_calls_run_inline, 0 },
    { "many_callers_share_one_pool", many_callers_share_one_pool, 0 },
    { "threads_are_real", threads_are_real, 0 },
    { "pool_arguments", pool_arguments, 0 },
    { "pool_memory_runs_out", pool_memory_runs_out, 0 },
    { "failing_memory_holds_for_all_threads", failing_memory_holds_for_all_threads, 0 },
    { "cpu_levels", cpu_levels, 0 },
    { "clocks", clocks, 0 },
    { "terminal", terminal, 0 },
    { "interrupt_key", interrupt_key, 0 },
    { "fences_bite", fences_bite, 0 },
    { NULL, NULL, 0 }
};
