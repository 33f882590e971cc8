/* pool.c - see pool.h. A pool of n threads has n - 1 workers; the caller is the n-th.
 *
 * A job is published under the mutex by raising `job_number`; workers draw chunk numbers
 * from one atomic counter until they run out. The caller leaves when every worker that
 * joined the job has left it: `n_inside` counts them, so that a late worker can never
 * touch the next job's counter. SPDX-License-Identifier: MIT */
#include "os/feature.h"
#include "os/pool.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "os/cpu.h"
#include "os/thread.h"

enum { MAX_THREADS = 1024 };

typedef struct job {
    mni_range_fn fn;
    void *ctx;
    size_t n, grain, n_chunks;
} job;

struct mann_pool {
    mni_mutex busy;             /* held by the caller whose job runs */
    mni_mutex lock;             /* guards what follows */
    mni_cond wake, idle;
    job now;
    uint64_t job_number;
    uint32_t n_inside, n_workers;
    int open, stop;             /* open: workers may still join the job */
    int made;          /* how many of the four sync objects exist, for half-built pools */
    atomic_size_t next_chunk;
    mni_thread *workers;
};

static void run_chunks(mni_pool *p, const job *j)
{
    for (;;) {
        size_t c = atomic_fetch_add_explicit(&p->next_chunk, 1, memory_order_relaxed);
        if (c >= j->n_chunks) return;
        size_t begin = c * j->grain;
        size_t end = j->n - begin > j->grain ? begin + j->grain : j->n;
        j->fn(j->ctx, begin, end, c);
    }
}

static void *worker(void *ctx)
{
    mni_pool *p = ctx;
    uint64_t seen = 0;
    mni_mutex_lock(&p->lock);
    for (;;) {
        while (!p->stop && (p->job_number == seen || !p->open))
            mni_cond_wait(&p->wake, &p->lock);
        if (p->stop) break;
        seen = p->job_number;
        job j = p->now;
        p->n_inside++;
        mni_mutex_unlock(&p->lock);
        run_chunks(p, &j);
        mni_mutex_lock(&p->lock);
        if (--p->n_inside == 0) mni_cond_wake_one(&p->idle);
    }
    mni_mutex_unlock(&p->lock);
    return NULL;
}

static void run_inline(const job *j)
{
    for (size_t c = 0; c < j->n_chunks; c++) {
        size_t begin = c * j->grain;
        size_t end = j->n - begin > j->grain ? begin + j->grain : j->n;
        j->fn(j->ctx, begin, end, c);
    }
}

void mni_parallel_for(mni_pool *p, size_t n, size_t grain, mni_range_fn fn, void *ctx)
{
    if (grain == 0) grain = 1;
    job j = { fn, ctx, n, grain, mni_chunk_count(n, grain) };
    if (!p || p->n_workers == 0 || j.n_chunks < 2 || !mni_mutex_try(&p->busy)) {
        run_inline(&j);
        return;
    }
    mni_mutex_lock(&p->lock);
    p->now = j;
    p->job_number++;
    p->open = 1;
    atomic_store_explicit(&p->next_chunk, 0, memory_order_relaxed);
    mni_cond_wake_all(&p->wake);
    mni_mutex_unlock(&p->lock);

    run_chunks(p, &j);

    mni_mutex_lock(&p->lock);
    p->open = 0;
    while (p->n_inside) mni_cond_wait(&p->idle, &p->lock);
    mni_mutex_unlock(&p->lock);
    mni_mutex_unlock(&p->busy);
}

uint32_t mni_pool_threads(const mni_pool *p) { return p ? p->n_workers + 1 : 1; }

static int make_sync(mni_pool *p)
{
    if (!mni_mutex_init(&p->busy)) return 0;
    p->made = 1;
    if (!mni_mutex_init(&p->lock)) return 0;
    p->made = 2;
    if (!mni_cond_init(&p->wake)) return 0;
    p->made = 3;
    if (!mni_cond_init(&p->idle)) return 0;
    p->made = 4;
    return 1;
}

mann_status mann_pool_new(mann_pool **out, uint32_t threads, mann_error *err)
{
    if (!out) return mni_fail(err, MANN_E_ARG, "pool: nowhere to put it (out is NULL)");
    *out = NULL;
    if (threads > MAX_THREADS)
        return mni_fail(err, MANN_E_ARG, "pool: %u threads, at most %d",
                        (unsigned)threads, MAX_THREADS);
    if (threads == 0) threads = mni_cpu_count();
    mni_pool *p = mni_alloc(1, sizeof *p);
    if (!p || !make_sync(p)) goto no_memory;
    p->workers = mni_alloc(threads, sizeof *p->workers);
    if (!p->workers) goto no_memory;
    while (p->n_workers + 1 < threads) {
        mni_thread *t = &p->workers[p->n_workers];
        if (!mni_thread_start(t, worker, p)) {
            uint32_t got = p->n_workers + 1;
            mann_pool_free(p);
            return mni_fail(err, MANN_E_NOMEM, "pool: the system gave %u of %u threads",
                            (unsigned)got, (unsigned)threads);
        }
        p->n_workers++;
    }
    *out = p;
    return MANN_OK;
no_memory:
    mann_pool_free(p);
    return mni_fail(err, MANN_E_NOMEM, "pool: of %u threads", (unsigned)threads);
}

void mann_pool_free(mann_pool *p)
{
    if (!p) return;
    if (p->made >= 4) {
        mni_mutex_lock(&p->lock);
        p->stop = 1;
        mni_cond_wake_all(&p->wake);
        mni_mutex_unlock(&p->lock);
        for (uint32_t i = 0; i < p->n_workers; i++) mni_thread_join(p->workers[i]);
    }
    if (p->made >= 4) mni_cond_fini(&p->idle);
    if (p->made >= 3) mni_cond_fini(&p->wake);
    if (p->made >= 2) mni_mutex_fini(&p->lock);
    if (p->made >= 1) mni_mutex_fini(&p->busy);
    mni_free(p->workers);
    mni_free(p);
}
