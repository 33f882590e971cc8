/* low.h - a trained network that answers in 8 or 16 bits.
 *
 * int8, after Jacob et al., "Quantization and Training of Neural Networks for Efficient
 * Integer-Arithmetic-Only Inference" (CVPR 2018), section 2: a number is scale * (q -
 * zero point). Weights have a scale for every output channel, -127..127 and zero point
 * 0. A map behind a ReLU is 0..255 with zero point 0; the few that are not (shortcuts)
 * have zero point 128; the network's input has its own. Sums are exact; bias, residual
 * and ReLU are done on the way back to 8 bits. Pooling over the map, the linear head and
 * the unit length are in floats.
 *
 * The scales come from the largest magnitudes that some images brought about in the f32
 * network: mni_low_measure. They are part of the model; so an embedding depends on the
 * model and its image, never on what else is embedded.
 *
 * bf16: the same network with maps and weights as the upper halves of floats. No scales.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_NN_LOW_H
#define MNI_NN_LOW_H

#include "kern/kern_low.h"
#include "nn/plan.h"
#include "os/pool.h"

typedef enum mni_precision {
    MNI_PRECISION_F32 = 1, MNI_PRECISION_BF16 = 2, MNI_PRECISION_INT8 = 3
} mni_precision;

static inline const char *mni_precision_name(mni_precision p)
{
    return p == MNI_PRECISION_INT8 ? "int8" : p == MNI_PRECISION_BF16 ? "bf16" : "f32";
}

/* Norms folded into the weights before them (infer.h), in the plain layout of the
 * parameter block; a norm's bias is its convolution's. */
void mni_low_fold(const mni_resnet_config *c, const float *params, const float *stats,
                  float *folded);

/* Range of the input, then the largest magnitude of tensor 1, 2, ... of the plan; 0: no
 * memory to count them. */
size_t mni_low_n_ranges(const mni_resnet_config *c);
/* Widens `ranges` (start with zeros) by n images. */
mann_status mni_low_measure(const mni_resnet_config *c, const float *folded,
                            const float *input, size_t n, float *ranges, mann_error *err);

typedef struct mni_low_layer {
    size_t weight;                      /* in bytes into `packed` */
    size_t scale, shift;                /* into `floats`; linear: weight, bias */
    size_t n_blocks, words;
    float r_scale;
} mni_low_layer;

typedef struct mni_low_map {            /* a tensor in memory; distances in bytes */
    size_t pixel, row, block, n_bytes, inside; /* inside: from the start to (0, 0) */
} mni_low_map;

typedef struct mni_low {
    const mni_kern_low *kern;
    mni_resnet_config config;
    mni_precision precision;
    mni_plan plan;
    mni_low_layer *layers;
    mni_low_map *maps;                  /* by tensor */
    uint8_t *packed;
    float *floats;
    float *scales;                      /* of tensors; int8 only */
    uint8_t *zeros;                     /* their zero points */
    size_t piece_floats, head_floats;   /* working memory of one image */
} mni_low;

/* ranges: int8 only. Everything is copied. */
mann_status mni_low_init(mni_low *f, const mni_resnet_config *c, mni_precision p,
                         const float *folded, const float *ranges, mann_error *err);
void        mni_low_fini(mni_low *f);
/* out: n x dim unit vectors. Fails only for memory. The bits of a vector do not depend on
 * n or on the pool; a single image is shared out among the threads layer by layer. */
mann_status mni_low_forward(const mni_low *f, const float *input, size_t n,
                            mni_pool *pool, float *out, mann_error *err);

#endif
