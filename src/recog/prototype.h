/* prototype.h - what the photos of a class say together about a query.
 *
 *   prototype   the score of the mean of the class's rows (Snell, Swersky, Zemel, NIPS
 *               2017, "Prototypical networks": a class is the mean of its references)
 *   blend       half the nearest row, half the prototype: the nearest row knows the side
 *               that is seen, the prototype is not fooled by a row that happens to lie
 *               near. Of two of its three photos that are wrong, each lends the query
 *               only half of its nearness. README.md, "From rows to classes".
 *
 * SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_PROTOTYPE_H
#define MNI_RECOG_PROTOTYPE_H

#include <math.h>

#include "index/rows.h"
#include "recog/query.h"

/* sum: of n rows, of which `less` (NULL: none) is one that must not count; n is without
 * it. Cosine: the mean at unit length, and the query has it. n = 0: -inf. */
static inline float mni_prototype_score(mann_metric metric, const float *query,
                                        const double *sum, const float *less, uint32_t n,
                                        size_t dim)
{
    double dot = 0, own = 0, apart = 0;
    if (n == 0) return -INFINITY;
    for (size_t i = 0; i < dim; i++) {
        const double mean = (sum[i] - (less ? (double)less[i] : 0)) / n, q = query[i];
        dot += q * mean;
        own += mean * mean;
        apart += (q - mean) * (q - mean);
    }
    if (metric == MANN_L2) return (float)-apart;
    if (metric == MANN_INNER) return (float)dot;
    return own > 0 ? (float)(dot / sqrt(own)) : 0.0f;
}

/* Brings a sum of rows to unit length; nothing, where they cancel. */
static inline void mni_prototype_unit(float *v, size_t dim)
{
    double own = 0;
    for (size_t i = 0; i < dim; i++) own += (double)v[i] * (double)v[i];
    const float scale = own > 0 ? (float)(1 / sqrt(own)) : 0;
    for (size_t i = 0; i < dim; i++) v[i] *= scale;
}

/* Only cosine is blended: its scores of a row and of a mean are of one kind. */
static inline int mni_blends(mann_metric metric) { return metric == MANN_COSINE; }

/* Score of a class of n rows, of which the nearest has the score `near`. The very photo
 * that a class holds (1) is of that class, whatever its others look like. */
static inline float mni_blend_score(float near, float prototype, uint32_t n)
{
    return n > 1 && near < 1 ? 0.5f * (near + prototype) : near;
}

/* (prototype.c) Prototype scores of n classes (distinct, none MANN_NO_CLASS) by the rows
 * that the view keeps: score[i], and count[i] of them. */
mann_status mni_prototypes(mni_asker *a, const mni_query_view *v, const float *query,
                           const uint32_t *klass, size_t n, float *score, uint32_t *count,
                           mann_error *err);
/* Score that verdicts are about: the blend for the class of `near`, its nearest row; the
 * row's own where nothing is blended. */
mann_status mni_judged_score(mni_asker *a, const mni_query_view *v, const float *query,
                             mni_near near, float *score, mann_error *err);

#endif
