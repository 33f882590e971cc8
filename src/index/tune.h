/* tune.h - the cheapest setting of a structure that finds enough.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_INDEX_TUNE_H
#define MNI_INDEX_TUNE_H

#include "index/ann.h"

typedef struct mni_tuned {
    uint32_t value;             /* of the knob; 0: the kind has none */
    double recall;              /* that it reached: of the k nearest */
    uint32_t n_tried;
} mni_tuned;

/* Prepared queries, packed. The smallest value whose recall@k is at least `recall`; if
 * none is, the largest tried and what it reached. Counted, not timed: the same answer on
 * every machine. The structure is not changed. */
mann_status mni_ann_tune(const mni_ann *a, const mni_rows *rows, const float *queries,
                         size_t n, uint32_t k, double recall, mni_pool *pool,
                         mni_tuned *out, mann_error *err);

void mni_tuned_tell(const mni_tuned *t, const mni_ann *a, mann_tuned *out);

enum { MNI_TUNE_QUERIES = 500 };
/* Queries nobody stored, made of those who did; see tune.c. Owned; *n at most
 * MNI_TUNE_QUERIES. */
mann_status mni_tune_queries(const mni_rows *rows, uint64_t seed, mni_pool *pool,
                             float **out, size_t *n, mann_error *err);

#endif
