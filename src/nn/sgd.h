/* sgd.h - one step of stochastic gradient descent, and how the learning rate moves.
 *
 *   g = scale * gradient + weight_decay * w     (decay: convolution and linear weights
 * only) v = momentum * v + g w = w - rate * (nesterov ? g + momentum * v : v)
 *
 * as PyTorch has it (Sutskever et al., "On the importance of initialization and momentum
 * in deep learning", ICML 2013). Clipping by the global norm: scale = min(1, clip /
 * |gradient|), over all parameters at once, before the decay is added.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_NN_SGD_H
#define MNI_NN_SGD_H

#include "nn/resnet.h"
#include "os/pool.h"

typedef struct mni_sgd {
    float rate, momentum, weight_decay;
    float clip;                     /* largest gradient norm; 0: no clipping */
    int nesterov;
} mni_sgd;
mni_sgd mni_sgd_default(
    void); /* rate 0.1, momentum 0.9, weight decay 1e-4, no clipping, Nesterov */

/* Where the steps of a training are: the rate is a pure function of the step. */
typedef struct mni_schedule {
    float rate;                     /* the highest */
    uint64_t n_warmup,
        n_steps; /* of all n_steps, the first n_warmup climb in a straight line */
    float last;  /* share of `rate` left at the end of the cosine, e.g. 0 */
} mni_schedule;
/* Warm-up: rate * (step + 1) / n_warmup. Then half a cosine from rate down to rate *
 * last, reached at n_steps; later steps stay there. (Loshchilov, Hutter: "SGDR", ICLR
 * 2017, eq. 5) */
float mni_schedule_rate(const mni_schedule *s, uint64_t step);

/* Changes params and momentum (n floats each, layout of `c`); returns the norm of the
 * gradient before clipping. A norm that is not finite changes nothing: the caller sees it
 * and stops. */
double mni_sgd_step(const mni_sgd *o, const mni_resnet_config *c, float *params,
                    const float *grads, float *momentum, mni_pool *pool);

#endif
