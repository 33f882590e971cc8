/* ann_set.h - a set of stored vectors that grows and shrinks with a structure over it,
 * and what any kind is held against: sorting everything, in Flat.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_ANN_SET_H
#define TESTS_ANN_SET_H

#include "index/ann.h"
#include "os/vfs.h"

typedef struct ann_set {
    mni_rows rows;
    uint32_t cap;
    uint8_t *data;              /* owned, cap rows */
    float *scale;
} ann_set;

/* n vectors around centres (about one centre for 20 rows), of noise `slot`. */
ann_set ann_set_new(mni_dtype dtype, mann_metric metric, uint32_t n, uint32_t dim,
                    uint64_t slot);
void    ann_set_free(ann_set *s);
/* n more, in place. */
void    ann_set_grow(ann_set *s, uint32_t n, uint64_t slot);
/* Row leaves, the last one takes its number. */
void    ann_set_drop(ann_set *s, uint32_t row);
/* Row `row` becomes vector v (prepared here). */
void    ann_set_put(ann_set *s, uint32_t row, const float *v);
/* n queries of the same kind, packed; free with mni_free. */
float  *ann_set_queries(const ann_set *s, uint32_t n, uint64_t slot);

mni_ann *ann_built(const char *spec, const ann_set *s, mni_pool *pool);
/* Share of Flat's k nearest that a finds; nprobe 0: the default. Checks order, exact
 * distances and the filter of p. */
double  ann_recall(const mni_ann *a, const ann_set *s, const float *queries, uint32_t n,
                   const mni_ann_params *p);
/* Every answer is Flat's, byte for byte. */
void    ann_same_as_flat(const mni_ann *a, const ann_set *s, const float *queries,
                         uint32_t n, const mni_ann_params *p);
/* The structure as a file of v. */
void    ann_saved(const mni_ann *a, const mni_vfs *v, const char *path);
/* Hash of the bytes that write gives. */
uint64_t ann_bytes(const mni_ann *a);

#endif
