/* retrieval.h - what a ranked list is worth when a query has several right answers, known
 * by number and not by class. Definitions with a worked example: src/eval/README.md.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_EVAL_RETRIEVAL_H
#define MNI_EVAL_RETRIEVAL_H

#include <stddef.h>
#include <stdint.h>

typedef struct mni_retrieval {
    uint64_t n;
    /* at k; sums until finished, then means over the queries */
    double recall, precision, hit, ndcg, mrr;
} mni_retrieval;

/* One query: the first n_ranked answers, nearest first, of which at most k count; and its
 * right answers, ascending, each once, at least one. To be called in the order of the
 * queries: sums of doubles depend on it. */
void mni_retrieval_add(mni_retrieval *t, const uint64_t *ranked, size_t n_ranked,
                       size_t k, const uint64_t *right, size_t n_right);
void mni_retrieval_finish(mni_retrieval *t); /* no query: NaN */

#endif
