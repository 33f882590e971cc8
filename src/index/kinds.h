/* kinds.h - what an index kind is, seen from inside: one table of operations, no empty
 * slot.
 *
 * To add a kind: write its file with a `const mni_ann_ops mni_<kind>_ops`, declare it
 * below, and add one line to the list in ann.c. Everything that kinds have in common
 * (choosing by name, scratch, batches, threads, filters that keep little, defaults, order
 * of the answers) is in ann.c and is not written again.
 *
 * A structure talks of rows by number. It may keep its own order inside (lists, a graph
 * sorted for locality) and codes of its own; exact distances come from `rows`, which
 * somebody else keeps and hands in at every call. SPDX-License-Identifier: MIT */
#ifndef MNI_INDEX_KINDS_H
#define MNI_INDEX_KINDS_H

#include "index/ann.h"
#include "index/spec.h"

enum {
    MNI_ANN_GROUP = 16, /* queries that share a pass */
    MNI_ANN_CROWD = 512, /* the same, for kinds that gain by more */
    MNI_ANN_BLOCK = 256, /* rows that are measured at a time */
    MNI_ANN_FACTS = 16
};
#define MNI_NEW_ROW UINT32_MAX

/* What one thread needs while it searches; made once, used for many queries and by any
 * structure. `part` belongs to the kind that set it, recognised by its `release`: a kind
 * that finds another's calls that and sets its own. It starts as all zeros. */
struct mni_scratch {
    float *distance;            /* MNI_ANN_GROUP x MNI_ANN_BLOCK */
    void *part;
    void (*release)(void *part);
};

typedef struct mni_ann_ops {
    const char *name;           /* as in "known are: Flat" */
    const char *knob;           /* "ef", "nprobe"; NULL: nothing to set */
    int crowd;                  /* nonzero: search may get MNI_ANN_CROWD queries */
    /* 1 if `spec` names this kind; then the canonical spelling is in `canonical`. */
    int (*accepts)(const char *spec, char canonical[MNI_ANN_SPEC]);
    /* What it would cost, by counting; see mni_ann_cost. */
    void (*cost)(const char *spec, const mni_rows *shape, mni_ann_cost *out);
    /* `spec` is canonical. The object starts with a struct mni_ann, which ann.c fills in.
     * n == 0 and n == 1 are legal; a sample may be smaller than the kind would like. */
    mann_status (*build)(mni_ann **out, const char *spec, const mni_ann_job *job,
                         mann_error *err);
    /* The structure of job->rows, of which row i was row from[i] of `old`, or is new
     * (MNI_NEW_ROW). Old rows keep their order; those not named are gone. `old` is only
     * read: searches go on in it. */
    mann_status (*fold)(mni_ann **out, const mni_ann *old, const mni_ann_job *job,
                        const uint32_t *from, mann_error *err);
    /* In place (one writer): the rows [first, rows->n) are new, and are in `rows`
     * already. On failure nothing has changed. */
    mann_status (*add)(mni_ann *a, const mni_rows *rows, uint32_t first, mni_pool *pool,
                       mann_error *err);
    /* In place: for each of gone[0..n) in turn, that row leaves and the row that is last
     * now takes its number. `rows` is as before the first left. A structure opened from a
     * file has been made writable (`own`) before. On failure nothing has changed. */
    mann_status (*remove)(mni_ann *a, const mni_rows *rows, const uint32_t *gone,
                          size_t n, mni_pool *pool, mann_error *err);
    /* Copies what is still borrowed from a file, so that add and remove may change it. */
    mann_status (*own)(mni_ann *a, mann_error *err);
    mann_status (*open)(mni_ann **out, const char *spec, const mni_reader *r,
                        const mni_rows *rows, mann_error *err);
    void (*write)(const mni_ann *a, mni_writer *w); /* its sections, after "ANNK" */
    mann_status (*check)(const mni_ann *a, const mni_rows *rows, mann_error *err);
    /* n_queries <= MNI_ANN_GROUP (or CROWD) prepared queries, packed; best[q] is an empty
     * heap to be filled with rows that p->keep keeps. p->k is not asked again: best[q].k
     * says it.
     * p->ef and p->nprobe are never 0 for a kind with that knob. The distances in the
     * heap are exact: those of mni_rows_scan. */
    mann_status (*search)(const mni_ann *a, const mni_rows *rows, const float *queries,
                          size_t n_queries, const mni_ann_params *p, mni_scratch *scratch,
                          mni_topk *best, mann_error *err);
    /* Up to MNI_ANN_FACTS facts about the structure; how many. */
    size_t (*report)(const mni_ann *a, const mni_rows *rows, mni_ann_fact *facts);
    void (*free)(mni_ann *a);
} mni_ann_ops;

struct mni_ann {
    const mni_ann_ops *ops;
    char spec[MNI_ANN_SPEC];
    uint32_t knob;              /* default of the knob; 0 until ann.c has set it */
};

extern const mni_ann_ops mni_flat_ops, mni_sq8_ops, mni_ivf_ops, mni_ivfpq_ops,
    mni_hnsw_ops;

#endif
