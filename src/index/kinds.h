/* kinds.h - what an index kind is, seen from inside: one table of operations, no empty
 * slot.
 *
 * To add a kind: write its file with a `const mni_ann_ops mni_<kind>_ops`, declare it
 * below, and add one line to the list in ann.c. Everything that kinds have in common
 * (choosing by name, scratch, batches, threads, order of the answers) is in ann.c and is
 * not written again. SPDX-License-Identifier: MIT */
#ifndef MNI_INDEX_KINDS_H
#define MNI_INDEX_KINDS_H

#include "index/ann.h"

enum {
    MNI_ANN_SPEC = 64, /* longest spec with its NUL: mann_gallery_info has as much room */
    MNI_ANN_GROUP = 16, /* queries that share a pass */
    MNI_ANN_BLOCK = 256 /* rows that are measured at a time */
};

struct mni_scratch {
    float *distance;            /* MNI_ANN_GROUP x MNI_ANN_BLOCK */
};

typedef struct mni_ann_ops {
    const char *name;           /* as in "known are: Flat" */
    /* 1 if `spec` names this kind; then the canonical spelling is in `canonical`. */
    int (*accepts)(const char *spec, char canonical[MNI_ANN_SPEC]);
    /* `spec` is canonical. The object starts with a struct mni_ann, which ann.c fills in.
     */
    mann_status (*build)(mni_ann **out, const char *spec, const mni_rows *rows,
                         uint64_t seed, mni_pool *pool, const mann_hooks *h,
                         mann_error *err);
    mann_status (*open)(mni_ann **out, const char *spec, const mni_reader *r,
                        const mni_rows *rows, mann_error *err);
    void (*write)(const mni_ann *a, mni_writer *w); /* its sections, after "ANNK" */
    mann_status (*check)(const mni_ann *a, const mni_rows *rows, mann_error *err);
    /* n_queries <= MNI_ANN_GROUP prepared queries, packed; best[q] is an empty heap to be
     * filled with rows that p->keep keeps. p->k is not asked again: best[q].k says it. */
    mann_status (*search)(const mni_ann *a, const mni_rows *rows, const float *queries,
                          size_t n_queries, const mni_ann_params *p, mni_scratch *scratch,
                          mni_topk *best, mann_error *err);
    void (*free)(mni_ann *a);
} mni_ann_ops;

struct mni_ann {
    const mni_ann_ops *ops;
    char spec[MNI_ANN_SPEC];
};

extern const mni_ann_ops mni_flat_ops;

#endif
