/* ema.c - see ema.h. SPDX-License-Identifier: MIT */
#include "nn/ema.h"

#include <string.h>

#include "base/mem.h"

enum { GRAIN = 16384 };

mann_status mni_ema_init(mni_ema *a, const mni_network *net, mann_error *err)
{
    *a = (mni_ema){ mni_network_n_params(net), mni_network_n_stats(net), NULL, NULL };
    a->params = mni_alloc_aligned(a->n_params, sizeof *a->params, 1);
    a->stats = mni_alloc_aligned(a->n_stats, sizeof *a->stats, 1);
    if (a->params && a->stats) return MANN_OK;
    mni_ema_fini(a);
    return mni_fail(err, MANN_E_NOMEM, "mean of weights: %zu numbers",
                    mni_network_n_params(net));
}

void mni_ema_fini(mni_ema *a)
{
    mni_free(a->params);
    mni_free(a->stats);
    *a = (mni_ema){ .params = NULL };
}

size_t mni_ema_bytes(const mni_resnet_config *c)
{
    return (mni_resnet_n_params(c) + mni_resnet_n_stats(c)) * sizeof(float);
}

void mni_ema_start(mni_ema *a, mni_network *net)
{
    memcpy(a->params, mni_network_params(net), a->n_params * sizeof *a->params);
    memcpy(a->stats, mni_network_stats(net), a->n_stats * sizeof *a->stats);
}

typedef struct average { float *mean; const float *now; float share; } average;

static void average_range(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const average *j = ctx;
    (void)chunk;
    for (size_t i = begin; i < end; i++)
        j->mean[i] += j->share * (j->now[i] - j->mean[i]);
}

void mni_ema_step(mni_ema *a, mni_network *net, float decay, uint64_t t, mni_pool *pool)
{
    const double young = (1.0 + (double)t) / (10.0 + (double)t);
    const float share = (float)(1 - (young < (double)decay ? young : (double)decay));
    average params = { a->params, mni_network_params(net), share },
            stats = { a->stats, mni_network_stats(net), share };
    mni_parallel_for(pool, a->n_params, GRAIN, average_range, &params);
    mni_parallel_for(pool, a->n_stats, GRAIN, average_range, &stats);
}
