/* retrieval.c - see retrieval.h.
 *
 * Gain of rank r is 1 / log2(r + 1) if the answer there is right, else 0 (Jarvelin,
 * Kekalainen 2002, with gains of 0 and 1). NDCG divides by what the best list of k could
 * have had, which is cut at k too: with more right answers than places it still reaches
 * 1. SPDX-License-Identifier: MIT */
#include "eval/retrieval.h"

#include <math.h>

static int is_right(const uint64_t *right, size_t n, uint64_t id)
{
    size_t low = 0, high = n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (right[middle] < id) low = middle + 1;
        else high = middle;
    }
    return low < n && right[low] == id;
}

void mni_retrieval_add(mni_retrieval *t, const uint64_t *ranked, size_t n_ranked,
                       size_t k, const uint64_t *right, size_t n_right)
{
    double gain = 0, best = 0;
    size_t found = 0, first = 0;
    for (size_t r = 1; r <= k; r++) {
        const double worth = 1 / log2((double)r + 1);
        if (r <= n_right) best += worth;
        if (r > n_ranked || !is_right(right, n_right, ranked[r - 1])) {
            if (r > n_ranked && r > n_right) break;
            continue;
        }
        gain += worth;
        if (found++ == 0) first = r;
    }
    t->n++;
    t->recall += (double)found / (double)n_right;
    t->precision += (double)found / (double)k;
    t->hit += found > 0;
    t->ndcg += gain / best;
    t->mrr += first ? 1 / (double)first : 0;
}

void mni_retrieval_finish(mni_retrieval *t)
{
    const double n = t->n ? (double)t->n : NAN;
    t->recall /= n;
    t->precision /= n;
    t->hit /= n;
    t->ndcg /= n;
    t->mrr /= n;
}
