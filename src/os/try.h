/* try.h - parallel_for whose chunks may fail. SPDX-License-Identifier: MIT */
#ifndef MNI_OS_TRY_H
#define MNI_OS_TRY_H

#include "os/pool.h"

typedef mann_status (*mni_try_fn)(void *ctx, size_t begin, size_t end, size_t chunk,
                                  mann_error *err);

/* As mni_parallel_for. All chunks run; of several failures the one of the lowest chunk is
 * reported, so that the sentence does not depend on the number of threads. */
mann_status mni_parallel_try(mni_pool *pool, size_t n, size_t grain, mni_try_fn fn,
                             void *ctx, mann_error *err);

#endif
