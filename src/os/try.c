/* try.c - see try.h. SPDX-License-Identifier: MIT */
#include "os/feature.h"
#include "os/try.h"

#include "os/thread.h"

typedef struct attempt {
    mni_try_fn fn;
    void *ctx;
    mni_mutex lock;             /* guards what follows */
    mann_status status;
    size_t chunk;
    mann_error error;
} attempt;

static void run(void *ctx, size_t begin, size_t end, size_t chunk)
{
    attempt *a = ctx;
    mann_error e = { MANN_OK, "" };
    mann_status s = a->fn(a->ctx, begin, end, chunk, &e);
    if (s == MANN_OK) return;
    mni_mutex_lock(&a->lock);
    if (a->status == MANN_OK || chunk < a->chunk) {
        a->status = s;
        a->chunk = chunk;
        a->error = e;
    }
    mni_mutex_unlock(&a->lock);
}

mann_status mni_parallel_try(mni_pool *pool, size_t n, size_t grain, mni_try_fn fn,
                             void *ctx, mann_error *err)
{
    attempt a = { .fn = fn, .ctx = ctx, .status = MANN_OK };
    if (!mni_mutex_init(&a.lock)) return mni_fail(err, MANN_E_NOMEM, "mutex");
    mni_parallel_for(pool, n, grain, run, &a);
    mni_mutex_fini(&a.lock);
    if (a.status != MANN_OK && err) *err = a.error;
    return a.status;
}
