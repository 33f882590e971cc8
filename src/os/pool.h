/* pool.h - the one primitive of parallel work: parallel_for over [0, n) in chunks.
 *
 * Chunk borders depend on n and grain only, never on the number of threads:
 *
 *     chunk c covers [c * grain, min(n, (c + 1) * grain))
 *
 * so whoever keeps one partial result per chunk and adds them up in chunk order gets the
 * same bits on 1 or 64 threads. Which thread runs which chunk is left to chance.
 *
 * A pool that is busy (a nested call, or a second caller at the same time) does not
 * queue: the call runs inline on its caller's thread. So no call ever waits for another,
 * and none can deadlock. SPDX-License-Identifier: MIT */
#ifndef MNI_OS_POOL_H
#define MNI_OS_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct mann_pool mni_pool;      /* the public object */

typedef void (*mni_range_fn)(void *ctx, size_t begin, size_t end, size_t chunk);

/* Runs fn for every chunk and returns when all are done. pool may be NULL. grain 0 counts
 * as 1. */
void mni_parallel_for(mni_pool *pool, size_t n, size_t grain, mni_range_fn fn, void *ctx);

static inline size_t mni_chunk_count(size_t n, size_t grain)
{
    return grain ? n / grain + (n % grain != 0) : n;
}

uint32_t mni_pool_threads(const mni_pool *pool);  /* including the caller's; 1 for NULL */

#endif
