/* kmeans.h - k centres for many vectors: Lloyd's algorithm from a k-means++ start.
 *
 * Teaches IVF its lists and PQ its code books. The same bits for any number of threads.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_INDEX_KMEANS_H
#define MNI_INDEX_KMEANS_H

#include "base/status.h"
#include "os/pool.h"

typedef struct mni_kmeans_job {
    const float *x;             /* n x dim, packed; borrowed */
    size_t n;                   /* >= 1; less than 2^32 */
    uint32_t dim, k, rounds;    /* k >= 1: more than n leaves centres on equal places */
    uint64_t seed, slot;        /* slot: which of several runs with one seed */
    mni_pool *pool;
    const mann_hooks *hooks;
} mni_kmeans_job;

typedef struct mni_kmeans_report {
    double error;               /* mean squared distance at the last assignment */
    uint32_t rounds, splits;    /* done; empty clusters filled by splitting others */
    double imbalance;           /* k * sum (share of a cluster)^2: 1 is even */
} mni_kmeans_report;

/* centres: k x dim, written. report may be NULL. MANN_E_CANCELLED when a hook says so. */
mann_status mni_kmeans(const mni_kmeans_job *job, float *centres,
                       mni_kmeans_report *report, mann_error *err);
/* Bytes that it takes beside x and centres. */
size_t mni_kmeans_bytes(size_t n, uint32_t dim, uint32_t k);

#endif
