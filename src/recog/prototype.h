/* prototype.h - how well the mean of a class's rows answers a query (Snell, Swersky,
 * Zemel, "Prototypical networks", NIPS 2017: a class is the mean of its references).
 * SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_PROTOTYPE_H
#define MNI_RECOG_PROTOTYPE_H

#include <math.h>

#include "index/rows.h"

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

#endif
