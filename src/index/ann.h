/* ann.h - a search structure over rows that somebody else keeps: one table of operations,
 * one kind each.
 *
 * The gallery owns records and vectors; an mni_ann owns only what makes searching them
 * fast (nothing for Flat, lists for IVF, links for HNSW). Many readers or one writer.
 * What all kinds have in common (filters, batches, order) is in ann.c.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_INDEX_ANN_H
#define MNI_INDEX_ANN_H

#include "base/topk.h"
#include "index/rows.h"
#include "os/pool.h"
#include "store/container.h"

typedef struct mni_ann mni_ann;

typedef int (*mni_row_filter)(void *ctx, uint32_t row); /* nonzero keeps; thread-safe */
typedef struct mni_ann_params {
    uint32_t k;                 /* 0: finds nothing; more than there is: all kept rows */
    uint32_t ef, nprobe;        /* 0: the kind's default */
    mni_row_filter keep;        /* NULL: all rows */
    void *keep_ctx;
} mni_ann_params;

/* `spec`: "Flat" for now; "auto" chooses by counted work. Unknown: MANN_E_UNSUPPORTED
 * naming those known. */
mann_status mni_ann_build(mni_ann **out, const char *spec, const mni_rows *rows,
                          uint64_t seed, mni_pool *pool, const mann_hooks *h,
                          mann_error *err);
/* Would build know this spec ("auto" included)? Asked before vectors are read. */
mann_status mni_ann_spec_check(const char *spec, mann_error *err);
void        mni_ann_free(mni_ann *a);
const char *mni_ann_spec(const mni_ann *a);         /* canonical: "Flat" */
void        mni_ann_write(const mni_ann *a, mni_writer *w);
/* The structure that the container holds; views stay borrowed from the reader. A
 * container without the section "ANNK" has no structure, and is searched as Flat. */
mann_status mni_ann_open(mni_ann **out, const mni_reader *r, const mni_rows *rows,
                         mann_error *err);
mann_status mni_ann_check(const mni_ann *a, const mni_rows *rows, mann_error *err);

/* Scratch of one searching thread; made once, used for many queries. */
typedef struct mni_scratch mni_scratch;
mann_status mni_scratch_new(mni_scratch **out, mann_error *err);
void        mni_scratch_free(mni_scratch *s);

/* The k nearest kept rows of one prepared query, nearest first (ties by row).
 * *n_out <= k. */
mann_status mni_ann_search(const mni_ann *a, const mni_rows *rows, const float *query,
                           const mni_ann_params *p, mni_scratch *scratch, mni_near *out,
                           size_t *n_out, mann_error *err);
/* n queries (packed) over the pool; out is n x k, n_out has n counts. Queries of a group
 * share each pass over the rows. The same answers as one by one. */
mann_status mni_ann_search_batch(const mni_ann *a, const mni_rows *rows,
                                 const float *queries, size_t n, const mni_ann_params *p,
                                 mni_pool *pool, mni_near *out, size_t *n_out,
                                 mann_error *err);

#endif
