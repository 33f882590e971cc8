/* shortlist.h - rows that may be among the k nearest, told by intervals of their
 * distances; measured together at the end, while their bytes are on the way.
 *
 *     row a   |---|                      k = 2: the second interval to end is b's, so
 *     row b      |---|                   what begins behind its end (d) cannot be among
 *     row c         |---|                the two nearest; c must be measured
 *     row d              |---|
 *
 * In codes without a bound (PQ) the interval is a point, and k is raised instead.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_INDEX_SHORTLIST_H
#define MNI_INDEX_SHORTLIST_H

#include <math.h>

#include "index/ann.h"

enum { MNI_SHORT_ROWS = 4096 };

typedef struct mni_shortlist {
    const mni_rows *rows;
    const float *query;
    const mni_ann_params *p;
    mni_topk *best;             /* exact distances go here */
    mni_topk ends;              /* the k earliest ends: storage borrowed */
    mni_near *begin;            /* MNI_SHORT_ROWS: where intervals begin */
    uint32_t n;
    float unit;                 /* intervals are in this many times the distance */
} mni_shortlist;

/* Where an interval must begin at the latest; +infinity while fewer than k are known. */
static inline float mni_shortlist_limit(const mni_shortlist *s)
{
    float limit = INFINITY;
    if (s->ends.n == s->ends.k) limit = s->ends.items[0].distance;
    if (s->best->n == s->best->k && s->best->items[0].distance * s->unit < limit)
        limit = s->best->items[0].distance * s->unit;
    return limit;
}

/* A row whose interval begins within the limit; the filter is asked here. */
void mni_shortlist_offer(mni_shortlist *s, uint32_t row, float begin, float end);
/* Measures what is left. */
void mni_shortlist_finish(mni_shortlist *s);

#endif
