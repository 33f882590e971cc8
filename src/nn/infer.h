/* infer.h - a trained network that only answers: norms folded into convolutions, weights
 * packed once, memory planned, nothing allocated per image.
 *
 * With running statistics a norm is y = x * s + t per channel, and a convolution is
 * linear, so
 *
 *   w' = w * s     bias' = norm's bias - mean * s     s = norm's weight / sqrt(var + eps)
 *
 * gives the same in one pass, and adding the residual and ReLU cost nothing while the sum
 * is still in registers. Maps are blocked (kern_conv.h), each convolution's algorithm is
 * chosen by its shape (mni_conv_rule), its weights are packed for that.
 *
 * Several images go through the network together, in two acts:
 *
 *     images     front: large maps, small weights      back: small maps, large weights
 *       0        conv1 .. layer1 -> tensor at the cut -+
 *       1        conv1 .. layer1 -> tensor at the cut -+-> layer2 for all, layer3 ...
 *       2        conv1 .. layer1 -> tensor at the cut -+
 *
 * so that in front one image's maps stay in the cache, and behind it the weights, read
 * once for all. Threads share out groups of images or, when images are few, the rows,
 * tiles and blocks of one layer after the other. Neither changes a bit of an embedding:
 * each output is computed whole, in an order that depends on its layer's shape alone.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_NN_INFER_H
#define MNI_NN_INFER_H

#include "kern/kern_wino.h"
#include "nn/plan.h"
#include "os/pool.h"

/* A layer, ready to run. */
typedef struct mni_ready {
    mni_conv_shape shape;       /* MNI_LINEAR: a 1x1 convolution of one place */
    int m;                      /* mni_conv_rule */
    size_t weight, bias;        /* floats from the start of `packed` */
    size_t tiles;               /* of Winograd at once */
} mni_ready;

typedef struct mni_spare mni_spare;     /* working memory between calls */

typedef struct mni_infer {
    mni_resnet_config config;
    mni_plan plan;              /* values in blocks of 16 channels */
    const mni_kern_conv *kern;
    mni_ready *ready;           /* by layer */
    float *packed;
    size_t packed_floats;
    size_t cut;                 /* the first layer of the back */
    size_t front_floats, back_floats;   /* arenas: of one image, of each image */
    unsigned char *is_front;    /* by tensor: which arena */
    size_t tile_floats;         /* Winograd's scratch, the largest */
    mni_spare *spare;
} mni_infer;

mann_status mni_infer_init(mni_infer *f, const mni_resnet_config *c, mann_error *err);
void        mni_infer_fini(mni_infer *f);
void        mni_infer_fold(mni_infer *f, const float *params, const float *stats);
/* out: n x dim unit vectors. Fails only for memory. Many threads may call at once. */
mann_status mni_infer_forward(const mni_infer *f, const float *input, size_t n,
                              mni_pool *pool, float *out, mann_error *err);
/* Working memory of a forward of n images. */
size_t      mni_infer_work_bytes(const mni_infer *f, size_t n, size_t threads);

#endif
