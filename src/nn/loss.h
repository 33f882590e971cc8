/* loss.h - what is wrong with a batch of embeddings, and which way each should move.
 *
 * Input of all: n unit vectors of dim floats and n labels. Output: the loss, and its
 * gradient with respect to the embeddings (before normalising by the unit layer's
 * backward). All are sequential in double over an n x n table of similarities: n is a
 * batch (tens to hundreds), this is a thousandth of the network's work, and so it is the
 * same for any number of threads.
 *
 * d(a, b) = sqrt(max(2 - 2 a.b, 1e-12)): Euclidean distance, not squared. Its gradient
 * grows without bound as a and b meet; below the floor it is taken as 0.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_NN_LOSS_H
#define MNI_NN_LOSS_H

#include <stdint.h>

#include "base/status.h"

typedef enum mni_loss_kind {
    MNI_LOSS_TRIPLET = 1, /* Schroff et al., "FaceNet" (CVPR 2015) */
    MNI_LOSS_CONTRASTIVE, /* Hadsell et al., "Dimensionality reduction ..." (CVPR 2006) */
    MNI_LOSS_SUPCON, /* Khosla et al., "Supervised contrastive learning" (NeurIPS 2020) */
    MNI_LOSS_NPAIR,  /* Sohn, "Improved deep metric learning with multi-class N-pair loss
                        objective" (NIPS 2016) */
    /* The rest compares with proxies: proxies.h computes them. */
    MNI_LOSS_SOFTMAX, /* normalised: Wang et al., "NormFace" (ACM MM 2017) */
    MNI_LOSS_COSFACE, /* Wang et al., "CosFace" (CVPR 2018) */
    MNI_LOSS_ARCFACE, /* Deng et al., "ArcFace" (CVPR 2019) */
    MNI_LOSS_PROXY_ANCHOR /* Kim et al., "Proxy anchor loss ..." (CVPR 2020) */
} mni_loss_kind;

static inline int mni_loss_has_proxies(mni_loss_kind kind)
{
    return kind >= MNI_LOSS_SOFTMAX && kind <= MNI_LOSS_PROXY_ANCHOR;
}

typedef enum mni_miner {
    MNI_MINE_HARD = 1, /* each anchor: farthest positive, nearest negative (Hermans et al.
                          2017) */
    MNI_MINE_SEMI_HARD, /* each pair: nearest negative farther than the positive; where
                           there is none, the farthest negative */
    MNI_MINE_RANDOM     /* each pair: a random negative */
} mni_miner;

typedef struct mni_loss_config {
    mni_loss_kind kind;
    mni_miner miner;                /* triplet */
    float margin;                   /* triplet, contrastive; proxies */
    int soft; /* triplet: log(1 + exp(dp - dn)) instead of max(0, dp - dn + margin) */
    float temperature;              /* supcon, N-pair; proxies: 1 / scale */
    uint64_t seed, step;            /* address of the random miner's numbers */
} mni_loss_config;
/* Triplet, semi-hard, margin 0.2, temperature 0.1. */
mni_loss_config mni_loss_default(void);

typedef struct mni_loss_result {
    double loss; /* mean over the terms below; NaN if an embedding is not finite */
    double active;                  /* share of the terms with a gradient */
    uint64_t n_terms; /* triplets, pairs or anchors; 0: the batch has none, loss is 0 */
    double mean_positive,
        mean_negative; /* distance over all pairs: both near 0 is a collapse */
    /* How the batch lies on the sphere: sqrt(1 - |mean|^2), the deviation from the mean
     * point: 0 on one spot, 1 all round; and over how many dimensions it is spread,
     * (sum v)^2 / sum v^2 of the variances v of each: 1 on a line, dim where all vary
     * alike, 0 on one spot. */
    double spread, dims;
} mni_loss_result;

/* labels: UINT32_MAX - i style one-offs are fine: a class of one image gives no
 * positives. d_embeddings (n x dim) is overwritten; it may be NULL. Of a loss with
 * proxies this is the part that knows none: distances and spread, no terms, gradient
 * 0. */
mann_status mni_loss_compute(const mni_loss_config *c, const float *embeddings,
                             const uint32_t *labels, size_t n, size_t dim,
                             mni_loss_result *out, float *d_embeddings, mann_error *err);

#endif
