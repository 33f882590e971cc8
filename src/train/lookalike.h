/* lookalike.h - classes that look alike, put into one batch.
 *
 * A batch of 24 of 10,000 classes, drawn by lot, holds hardly two that anybody would take
 * for one another: after the first epochs every triplet in it is solved, and nothing is
 * learned any more. The classes that are still mistaken for each other are known, though:
 * the network itself says so. Once an epoch
 *
 *     two pictures of each class -> vectors -> their mean -> an index over the means
 *     -> for each class the nearest others          (index/: what a gallery asks)
 *
 * and the batches of the epoch are made of groups of neighbours:
 *
 *     by lot      | a k s | f b x | l g o | ...          x and k look alike, never meet
 *     in groups   | a o   | k x   | b l   | ...
 *
 * (Hard class mining: Sohn, NIPS 2016, section 3.2.1; by an index over the whole set:
 * Harwood et al., "Smart mining for deep metric learning", ICCV 2017.) The groups are
 * made of what the sampler drew for the epoch, so that every class and every picture is
 * shown exactly as often as without. SPDX-License-Identifier: MIT */
#ifndef MNI_TRAIN_LOOKALIKE_H
#define MNI_TRAIN_LOOKALIKE_H

#include "nn/model.h"
#include "train/cache.h"
#include "train/sampler.h"

/* Batches of the steps first .. first + n_steps - 1. What the sampler had put in place c
 * of step s stands in slot (s - first) * classes + c; places[i] is the slot whose images
 * come in place i instead. */
typedef struct mni_batch_plan {
    uint64_t first, n_steps;
    uint32_t *places; /* n_steps x classes of the sampler; NULL: as the sampler has it */
} mni_batch_plan;

void mni_batch_plan_fini(mni_batch_plan *p);
/* Does every slot come once? (Of a plan that was read from a file.) */
mann_status mni_batch_plan_check(const mni_batch_plan *p, uint32_t classes,
                                 const char *file, mann_error *err);
/* What the images of a step's slot are. */
mni_pick mni_batch_plan_at(const mni_batch_plan *p, const mni_sampler *s, uint64_t step,
                           uint32_t slot);

typedef struct mni_lookalike_report {
    uint64_t n_images;      /* embedded */
    uint32_t n_labels;
    char spec[64];          /* of the index */
    double nearest;         /* mean cosine of a class and its nearest other */
    double met;             /* of the classes, share that met its nearest in a batch */
} mni_lookalike_report;

/* p->first and n_steps are set; places are made. group: classes that come together.
 * Same bits for any pool. */
mann_status mni_lookalike_plan(mni_batch_plan *p, const mni_sampler *s,
                               const mni_cache *c, const mni_model *m, uint32_t group,
                               uint64_t seed, mni_pool *pool,
                               mni_lookalike_report *report, mann_error *err);
/* Most memory that takes, with the plan itself. */
uint64_t mni_lookalike_bytes(uint64_t n_labels, uint32_t dim, uint64_t n_places,
                             uint32_t group);

#endif
