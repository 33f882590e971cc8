/* hnsw_help.h - rows that grow and shrink, and what a graph over them must keep to.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_HNSW_HELP_H
#define TESTS_HNSW_HELP_H

#include "index/ann.h"
#include "base/bytes.h"

typedef struct hnsw_set {
    mni_rows rows;
    float *data;                /* room for `cap` rows */
    uint32_t cap;
    mni_ann *ann;
} hnsw_set;

/* Rows around n / per_class centres, class after class (sorted) or mixed. */
void   hnsw_fill(hnsw_set *s, uint32_t n, uint32_t cap, uint32_t dim, mann_metric metric,
                 uint32_t per_class, int sorted);
/* A row like them, prepared. */
void   hnsw_row(const hnsw_set *s, uint64_t number, float *out);
void   hnsw_make(hnsw_set *s, const char *spec, mni_pool *pool);
/* Share of the exact k nearest that are found; queries 0 .. n_queries. */
double hnsw_recall(const hnsw_set *s, uint32_t n_queries, uint32_t k, uint32_t ef);
void   hnsw_add(hnsw_set *s, const float *row, mni_pool *pool);
void   hnsw_remove(hnsw_set *s, const uint32_t *gone, size_t n, mni_pool *pool);
void   hnsw_sound(const hnsw_set *s);       /* check() says nothing */
/* A container with the structure, appended to buf. */
void   hnsw_save(const hnsw_set *s, mni_buf *buf);
void   hnsw_drop(hnsw_set *s);

#endif
