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
#include "index/spec.h"
#include "os/pool.h"
#include "store/container.h"

typedef struct mni_ann mni_ann;

typedef int (*mni_row_filter)(void *ctx, uint32_t row); /* nonzero keeps; thread-safe */
typedef struct mni_ann_params {
    uint32_t k;                 /* 0: finds nothing; more than there is: all kept rows */
    uint32_t ef, nprobe;        /* 0: the structure's default */
    mni_row_filter keep;        /* NULL: all rows */
    void *keep_ctx;
    uint32_t n_kept;            /* so many rows pass; 0: not known */
} mni_ann_params;

/* What making and keeping a structure takes. Everything is pure: the same on every
 * machine. */
typedef struct mni_ann_job {
    const mni_rows *rows;       /* all of them; borrowed during the call */
    const mni_rows *sample;     /* to learn from; NULL: from `rows` */
    uint64_t seed;
    uint64_t mem_bytes;         /* limit of the building's memory beside `rows`; 0: none.
                                   MANN_E_BUDGET with a sentence when it cannot be kept */
    mni_pool *pool;             /* NULL: the caller's thread alone */
    const mann_hooks *hooks;
} mni_ann_job;

/* Counted, not timed: `distances` are evaluations of a whole vector's distance. */
typedef struct mni_ann_cost {
    uint64_t build_bytes;       /* memory at the peak of building, beside the rows */
    uint64_t file_bytes;        /* what the structure adds to the file */
    double build_distances, query_distances;    /* query: at the default setting */
} mni_ann_cost;

typedef struct mni_ann_fact {
    const char *name;           /* constant text: "links a row", "imbalance" */
    double value;
} mni_ann_fact;

/* `spec`: see ann.c for the spellings; "auto" chooses by counted work. Unknown:
 * MANN_E_UNSUPPORTED naming those known. */
mann_status mni_ann_build(mni_ann **out, const char *spec, const mni_ann_job *job,
                          mann_error *err);
/* The structure of job->rows made from that of older rows; from[i]: the old number of row
 * i, or UINT32_MAX. The old one is only read. */
mann_status mni_ann_fold(mni_ann **out, const mni_ann *old, const mni_ann_job *job,
                         const uint32_t *from, mann_error *err);
/* One writer: rows [first, rows->n) are new. */
mann_status mni_ann_add(mni_ann *a, const mni_rows *rows, uint32_t first, mni_pool *pool,
                        mann_error *err);
/* One writer: each of gone[] leaves in turn, and the last row takes its number. */
mann_status mni_ann_remove(mni_ann *a, const mni_rows *rows, const uint32_t *gone,
                           size_t n, mni_pool *pool, mann_error *err);
/* Before the first add or remove of an opened structure. */
mann_status mni_ann_own(mni_ann *a, mann_error *err);
/* Before anything is read: shape->data may be NULL. canonical: what "auto" would choose.
 * More than mem_bytes (0: no limit) to build: MANN_E_BUDGET, and *out is set. */
mann_status mni_ann_cost_of(const char *spec, const mni_rows *shape, uint64_t mem_bytes,
                            mni_ann_cost *out, char canonical[MNI_ANN_SPEC],
                            mann_error *err);
size_t      mni_ann_report(const mni_ann *a, const mni_rows *rows, mni_ann_fact *facts);
/* Would build know this spec ("auto" included)? Asked before vectors are read. */
mann_status mni_ann_spec_check(const char *spec, mann_error *err);
void        mni_ann_free(mni_ann *a);
const char *mni_ann_spec(const mni_ann *a);         /* canonical: "Flat" */
/* What a search may be given more or less of: "ef", "nprobe"; NULL: nothing. Its default
 * for this structure (0: the common rule, ef max(64, 2k)) goes into the file. */
const char *mni_ann_knob_name(const mni_ann *a);
uint32_t    mni_ann_knob(const mni_ann *a);
void        mni_ann_set_knob(mni_ann *a, uint32_t knob);        /* one writer */
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
/* All kept rows within `distance` (p->k > 0: at most so many), nearest first, into
 * *found, which grows. Widens until something farther is met, so it misses no more than a
 * search for that many rows would. */
mann_status mni_ann_within(const mni_ann *a, const mni_rows *rows, const float *query,
                           float distance, const mni_ann_params *p, mni_scratch *scratch,
                           mni_near **found, size_t *cap, size_t *n_out,
                           mann_error *err);
/* n queries (packed) over the pool; out is n x k, n_out has n counts. Queries of a group
 * share each pass over the rows. The same answers as one by one. */
mann_status mni_ann_search_batch(const mni_ann *a, const mni_rows *rows,
                                 const float *queries, size_t n, const mni_ann_params *p,
                                 mni_pool *pool, mni_near *out, size_t *n_out,
                                 mann_error *err);

#endif
