/* infer.h - a trained network that only answers: norms folded into convolutions, memory
 * planned.
 *
 * With running statistics a norm is y = x * s + t per channel, and a convolution is
 * linear, so
 *
 *   w' = w * s          bias' = norm's bias - mean * s        s = norm's weight /
 * sqrt(var + eps)
 *
 * gives the same in one pass. Images go through the whole network in small groups, each
 * on one thread with activations of its own, so that threads never wait for each other.
 * The bits of an embedding depend on the image and the weights alone (kern_nn.h promises
 * it of the products; the rest is done image by image). SPDX-License-Identifier: MIT */
#ifndef MNI_NN_INFER_H
#define MNI_NN_INFER_H

#include "nn/plan.h"
#include "os/pool.h"

typedef struct mni_infer {
    mni_resnet_config config;
    mni_plan plan;
    float *folded; /* layout of the parameter block; a norm's bias is its convolution's
                      now */
    size_t scratch_floats;      /* of one group */
} mni_infer;

mann_status mni_infer_init(mni_infer *f, const mni_resnet_config *c, mann_error *err);
void        mni_infer_fini(mni_infer *f);
void        mni_infer_fold(mni_infer *f, const float *params, const float *stats);
/* out: n x dim unit vectors. Fails only for memory. */
mann_status mni_infer_forward(const mni_infer *f, const float *input, size_t n,
                              mni_pool *pool, float *out, mann_error *err);

#endif
