/* ema.h - the mean of the last thousand networks, which is better than the last one.
 *
 * Descent with a high rate walks to and fro round a valley's floor; the mean of the
 * places it walked over lies nearer to the floor than any of them. A running mean:
 *
 *     mean = d * mean + (1 - d) * weights      after each step, d = 0.999
 *
 * (Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J.
 * Control and Optimization 1992; in this form Tarvainen and Valpola, "Mean teachers are
 * better role models", NIPS 2017.) The first steps are no good and must not be remembered
 * for a thousand: d = min(d, (1 + t) / (10 + t)) at step t. The norms' running statistics
 * belong to the weights that made them, so they are averaged with them.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_NN_EMA_H
#define MNI_NN_EMA_H

#include "nn/network.h"

typedef struct mni_ema {
    size_t n_params, n_stats;
    float *params, *stats; /* NULL: nothing is averaged */
} mni_ema;

mann_status mni_ema_init(mni_ema *a, const mni_network *net, mann_error *err);
void   mni_ema_fini(mni_ema *a);
size_t mni_ema_bytes(const mni_resnet_config *c);
/* The mean of one network. */
void   mni_ema_start(mni_ema *a, mni_network *net);
/* After step t, counted from 0 at start. Same bits for any pool. */
void   mni_ema_step(mni_ema *a, mni_network *net, float decay, uint64_t t,
                    mni_pool *pool);

#endif
