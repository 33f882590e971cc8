/* metrics.h - retrieval metrics on matrices and labels alone. Definitions:
 * src/eval/README.md. SPDX-License-Identifier: MIT */
#ifndef MNI_EVAL_METRICS_H
#define MNI_EVAL_METRICS_H

#include "base/rng.h"
#include "base/status.h"
#include "os/pool.h"

#define MNI_NO_ROW 0xFFFFFFFFu

/* One query's scores from its exact distances to all rows. */
typedef struct mni_query_scores {
    /* Live rows of the right class, own row excluded. 0: nothing else is set. */
    uint32_t n_relevant;
    /* 1 + number of other classes whose nearest row is nearer than the right class's
     * nearest row (equal distance: the lower row is nearer). */
    uint32_t class_rank;
    double ap;              /* average precision over all rows */
    double ap_at_r;         /* mAP@R: precision at relevant ranks <= R, over R */
    double r_precision;     /* share of relevant rows among the R nearest */
} mni_query_scores;

/* distance: n, NaN for a row that is to be left out (a removed one); labels: n
 * (MANN_NO_CLASS: the row is in the way of others in the row metrics, and is no class in
 * class_rank); label: the right class; self: row to leave out (the query's own) or
 * MNI_NO_ROW. scratch: mni_metrics_scratch_bytes, aligned for u32, made once by the
 * caller for many queries. */
size_t mni_metrics_scratch_bytes(size_t n, uint32_t n_classes);
void mni_metrics_query(const float *distance, const uint32_t *labels, size_t n,
                       uint32_t n_classes, uint32_t label, uint32_t self, void *scratch,
                       mni_query_scores *out);

typedef struct mni_totals {
    uint64_t n, n_lone;
    /* sums until finished, then means */
    double top1, top5, top10, mrr, map, map_at_r, r_precision;
} mni_totals;
/* To be called in the order of the queries: sums of doubles depend on it. */
void mni_totals_add(mni_totals *t, const mni_query_scores *q);
void mni_totals_finish(mni_totals *t);

/* Episodes (way classes drawn uniformly over all that have shot + query rows; shot
 * references and query queries each): accuracy of the class of the nearest reference.
 * rows are prepared; labels: 0..n_classes-1, rows of other labels take no part. Fewer
 * than `way` classes with enough rows: MANN_E_ARG with the numbers. interval95: 1.96 *
 * standard deviation / sqrt(episodes), NaN for one episode. */
typedef struct mni_episodes_out {
    uint64_t n_episodes, n_classes;
    double accuracy, interval95;
} mni_episodes_out;
mann_status mni_episodes(const float *rows, const uint32_t *labels, size_t n,
                         uint32_t dim, uint32_t n_classes, mann_metric metric,
                         uint32_t episodes, uint32_t way, uint32_t shot, uint32_t query,
                         uint64_t seed, mni_pool *pool, mni_episodes_out *out,
                         mann_error *err);

#endif
