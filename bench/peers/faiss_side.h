/* faiss_side.h - what the benches in C ask of FAISS, which is written in C++.
 * SPDX-License-Identifier: MIT */
#ifndef BENCH_PEERS_FAISS_SIDE_H
#define BENCH_PEERS_FAISS_SIDE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct faiss_side faiss_side;

faiss_side *faiss_side_flat(size_t dim, size_t n, const float *x);
/* Lists around given centres. */
faiss_side *faiss_side_ivf(size_t dim, size_t n, const float *x, size_t n_lists,
                           const float *centres);
/* 4-bit PQ in the fast-scan layout behind given centres, and exact re-ranking of
 * `factor` times k. It learns its code books itself. NULL if it throws. */
faiss_side *faiss_side_fast(size_t dim, size_t n, const float *x, size_t n_lists,
                            const float *centres, size_t pieces, float factor);
void faiss_side_free(faiss_side *s);
/* n queries in one call; row numbers, -1 for none. */
void faiss_side_ask(faiss_side *s, size_t nprobe, size_t n, const float *queries,
                    size_t k, int64_t *rows);
/* Seconds of `rounds` rounds of k-means without its start. */
double faiss_side_kmeans(size_t dim, size_t n, const float *x, size_t k, int rounds);

#ifdef __cplusplus
}
#endif
#endif
