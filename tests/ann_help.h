/* ann_help.h - one table of index kinds and small bare indexes of each, for the suites
 * that hold every kind to the same promises. SPDX-License-Identifier: MIT */
#ifndef TESTS_ANN_HELP_H
#define TESTS_ANN_HELP_H

#include "index/bare.h"
#include "index/kinds.h"

typedef struct ann_kind {
    const char *spec;
    int exact;                  /* finds what a scan finds */
} ann_kind;

/* Ends with spec NULL. */
extern const ann_kind ann_kinds[];
/* Runs `check` for every kind; a failure names the kind. */
void ann_each(void (*check)(const ann_kind *kind));
/* The kind that is being checked, for sentences. */
const char *ann_now(void);

enum { ANN_DIM = 24 };
/* Vector number i of set `set`: members of 40 groups. */
void ann_vector(uint64_t set, uint64_t i, float *out);
/* Owned (mni_free): n x ANN_DIM. */
float *ann_vectors(uint64_t set, size_t n);
/* Ids 0 .. n-1. */
mni_bare *ann_build(const ann_kind *kind, mann_metric metric, const float *rows, size_t n,
                    mni_pool *pool);
/* Share of the k nearest that are found, against a scan of the index's own live rows,
 * over `n` queries of set 99. */
double ann_share(const mni_bare *ix, uint32_t k, size_t n);
/* One query; how many hits. ids, distances: k. */
size_t ann_ask(const mni_bare *ix, const float *q, uint32_t k, uint64_t *ids,
               float *distances);
/* Through a file in memory and back. */
mni_bare *ann_reopen(const mni_bare *ix, unsigned flags);
uint64_t ann_hash(const mni_bare *ix, uint64_t *n_bytes);   /* of the file's bytes */
/* The vfs of ann_reopen; made when first asked for; ann_done frees it. */
const mni_vfs *ann_vfs(void);
void ann_done(void);

#endif
