/* loader.h - batches, ready when the trainer asks for them.
 *
 * While the trainer computes step s, loader threads prepare s + 1, s + 2, ...: a ring
 * of batches, each filled by one thread. What is in a batch depends on the address of
 * its slots alone (sampler.h, augment.h), never on who filled it or when.
 *
 *     threads:  claim the next step -> wait until its place is free -> fill -> ready
 *     trainer:  give the last batch's place back -> wait until its own step is ready
 *
 * With 0 threads a batch is filled when it is asked for. SPDX-License-Identifier: MIT */
#ifndef MNI_TRAIN_LOADER_H
#define MNI_TRAIN_LOADER_H

#include "train/augment.h"
#include "train/lookalike.h"
#include "train/sampler.h"

typedef struct mni_batch {
    uint64_t step;
    size_t n;
    float *input; /* n x 3 x size x size */
    uint32_t *labels;
    uint64_t *images; /* numbers in the data set */
} mni_batch;

typedef struct mni_loader_config {
    const mni_cache *cache; /* borrowed until free, as the sampler's list is */
    mni_sampler sampler;
    mni_augment augment;
    uint64_t seed, first_step, n_steps; /* steps first_step .. n_steps - 1 */
    uint32_t n_threads;
    const mni_batch_plan *plan; /* borrowed; NULL: as the sampler has it */
} mni_loader_config;

typedef struct mni_loader mni_loader;

/* One loader thread for four that compute: filling a batch takes a small part of the
 * time of a step. One that computes fills its batches itself. */
static inline uint32_t mni_loader_threads(size_t threads)
{
    return threads < 2 ? 0 : (uint32_t)(threads + 3) / 4;
}
mann_status mni_loader_new(mni_loader **out, const mni_loader_config *c, mann_error *err);
void mni_loader_free(mni_loader *l); /* stops its threads at the end of their batch */
/* The batch of the next step, in order; valid until the next call. After n_steps:
 * MANN_E_ARG. */
mann_status mni_loader_next(mni_loader *l, const mni_batch **out, mann_error *err);

#endif
