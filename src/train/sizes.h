/* sizes.h - mixed input sizes: the first steps of a training see smaller pictures.
 *
 * A convolution does not mind how large a picture is, and the average at the end makes
 * one vector of any map: the same weights work at 64 x 64 and at 48 x 48, where a step
 * takes seven tenths of the time. Early steps need no detail to learn the coarse; the
 * last ones are at full size, so that the running means of the norms are of what will be
 * asked. (Howard, "Now anyone can train Imagenet in 18 minutes", 2018; Touvron et al.,
 * "Fixing the train-test resolution discrepancy", NeurIPS 2019, on why the last steps
 * matter. Hoffer et al., "Mix & Match", 2019, draw the size of each step by lot.)
 *
 * A second network of the small size does these steps with the weights of the first, and
 * hands back gradients and statistics: what is remembered from one step to the next is
 * in the first alone, and checkpoints know nothing of this. README.md says what it
 * earns. SPDX-License-Identifier: MIT */
#ifndef MNI_TRAIN_SIZES_H
#define MNI_TRAIN_SIZES_H

#include "nn/network.h"
#include "train/loader.h"

typedef struct mni_sizes {
    mni_network *small;         /* NULL: all steps are at full size */
    float *input;               /* of a batch of small pictures */
    uint64_t n_first;           /* steps at the small size */
    mni_pool *pool;
} mni_sizes;

/* side: of the small pictures, 8 .. the network's own - 1; its share of n_steps. */
mann_status mni_sizes_init(mni_sizes *z, const mni_network *full, uint32_t side,
                           float share, uint64_t n_steps, mni_pool *pool,
                           mann_error *err);
void mni_sizes_fini(mni_sizes *z);
/* What init takes, for a network of this description. */
mann_status mni_sizes_bytes(const mni_resnet_config *full, uint32_t side, size_t batch,
                            size_t threads, uint64_t *bytes, mann_error *err);

/* The network that takes this step, `full` or the small one, with full's weights; and the
 * batch's pictures as that wants them. */
mni_network *mni_sizes_begin(mni_sizes *z, mni_network *full, uint64_t step,
                             const mni_batch *b, const float **input);
/* After backward: the gradients, and the statistics as they have moved, to `full`. */
void mni_sizes_end(const mni_sizes *z, mni_network *full, mni_network *taken);

/* Mean over the area that each small pixel covers: n planes of from x from to n of to x
 * to, to <= from. */
void mni_shrink_planes(const float *in, size_t n, uint32_t from, uint32_t to, float *out,
                       mni_pool *pool);

#endif
