/* query.h - what search.c (rows) and identify.c (classes) share: one call's view of the
 * gallery, and the nearest live rows of one query over base and tail.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_QUERY_H
#define MNI_RECOG_QUERY_H

#include <math.h>

#include "recog/gallery.h"

typedef struct mni_query_view {
    mni_gallery *gallery;
    mni_state *state;                   /* owned reference */
    const mann_search *search;
    float *queries;                     /* owned: n x dim, prepared */
    size_t n, dim;
    float known_above, unsure_above;
    mni_row_filter keep;                /* NULL: every row */
} mni_query_view;

mann_status mni_query_view_init(mni_query_view *v, mni_gallery *g, mann_matrix queries,
                                const mann_search *s, mann_error *err);
void mni_query_view_fini(mni_query_view *v);

/* What one thread needs to ask; {0} to begin with. */
typedef struct mni_asker {
    mni_gallery *gallery;
    mni_scratch *scratch;               /* back to the gallery */
    float *tail;                        /* distances to the tail, of `tail_query` */
    const float *tail_query;
    mni_near *near, *merged;
    float *row;                         /* one stored row as floats */
    double *sums;                       /* (prototype.c) */
    size_t near_cap, merged_cap, row_cap, sums_cap;
} mni_asker;
mann_status mni_asker_init(mni_asker *a, const mni_query_view *v, mann_error *err);
void mni_asker_fini(mni_asker *a);

/* The k nearest kept rows of base and tail, nearest first; *rows is borrowed until the
 * next call. fewer than k: there are no more. */
mann_status mni_asker_nearest(mni_asker *a, const mni_query_view *v, const float *query,
                              size_t k, const mni_near **rows, size_t *n,
                              mann_error *err);

/* What the base's structure is asked with: defaults, tombstones, filter. */
mni_ann_params mni_query_params(const mni_query_view *v, size_t k);
mann_hit mni_query_hit(const mni_query_view *v, mni_near near);
extern const mann_hit mni_no_hit;

/* (verdict.c) Verdict, and threshold if it was tightened, into *answer, where the rest
 * is: from the class that is answered, its nearest row and its score (mni_judged_score),
 * and the lead. What the asker handed out before is gone. */
mann_status mni_query_verdict(mni_asker *a, const mni_query_view *v, mni_near best,
                              float score, mann_answer *answer, mann_error *err);

/* Who must be nearer than a look-alike of this score needs at least so much. */
static inline float mni_above(float score) { return nextafterf(score, INFINITY); }

#endif
