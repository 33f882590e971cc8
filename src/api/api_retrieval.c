/* api_retrieval.c - metricann.h, chapter 8: ranking figures of anybody's vectors.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "api/api.h"
#include "base/mem.h"
#include "eval/retrieval.h"
#include "index/bare.h"

/* Queries that are ranked before their figures are taken: so many that their answers stay
 * within some 16 MiB. */
enum { SLICE = 256, SLICE_ANSWERS = 1 << 20 };

typedef struct pair { uint64_t query, base; } pair;

static int by_query(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    if (x->query != y->query) return x->query < y->query ? -1 : 1;
    return x->base < y->base ? -1 : x->base > y->base;
}

/* Checked, sorted, each once. *out is owned. */
static mann_status take_pairs(const uint64_t *given, size_t n, size_t n_queries,
                              size_t n_base, pair **out, size_t *n_out, mann_error *err)
{
    pair *p = mni_alloc(n, sizeof *p);
    if (!p) return mni_fail(err, MANN_E_NOMEM, "retrieval: %zu pairs", n);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        p[i] = (pair){ given[2 * i], given[2 * i + 1] };
        if (p[i].query < n_queries && p[i].base < n_base) continue;
        mann_status s = mni_fail(
            err, MANN_E_LIMIT,
            "pair %zu: query %llu, row %llu; there are %zu queries and %zu rows, counted "
            "from 0",
            i, (unsigned long long)p[i].query, (unsigned long long)p[i].base, n_queries,
            n_base);
        mni_free(p);
        return s;
    }
    qsort(p, n, sizeof *p, by_query);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || by_query(&p[i], &p[i - 1]) != 0) p[kept++] = p[i];
    *out = p;
    *n_out = kept;
    return MANN_OK;
}

typedef struct ranking {
    const mni_bare *index;
    mann_matrix queries;
    const pair *pairs;
    size_t n_pairs, at;         /* next pair */
    size_t k, slice;
    mann_search how;
    uint64_t *ids, *right;
    float *distances;
    mni_retrieval sums;
} ranking;

static mann_status rank_slice(ranking *r, size_t first, size_t n, mni_pool *pool,
                              mann_error *err)
{
    const size_t stride = r->queries.stride ? r->queries.stride : r->queries.cols;
    const mann_matrix part = { r->queries.data + first * stride, n, r->queries.cols,
                               r->queries.stride };
    MNI_TRY(mni_bare_query(r->index, part, &r->how, pool, r->ids, r->distances, err));
    for (size_t q = 0; q < n; q++) {
        size_t n_right = 0;
        while (r->at < r->n_pairs && r->pairs[r->at].query == first + q)
            r->right[n_right++] = r->pairs[r->at++].base;
        if (n_right)
            mni_retrieval_add(&r->sums, r->ids + q * r->how.k, r->how.k, r->k, r->right,
                              n_right);
    }
    return MANN_OK;
}

static mann_status rank_all(ranking *r, mni_pool *pool, const mann_hooks *h,
                            mann_error *err)
{
    const size_t n = r->queries.rows;
    for (size_t at = 0; at < n; at += r->slice) {
        const mann_progress p = { .task = "rank", .done = at, .total = n };
        if (h && h->progress && h->progress(h->user, &p))
            return mni_fail(err, MANN_E_CANCELLED, "stopped after %zu of %zu queries", at,
                            n);
        MNI_TRY(rank_slice(r, at, n - at < r->slice ? n - at : r->slice, pool, err));
    }
    return MANN_OK;
}

static mann_status index_of(mann_matrix base, mann_metric metric, mni_pool *pool,
                            mni_bare **out, mann_error *err)
{
    mni_builder *b;
    MNI_TRY(mni_builder_new(&b, "Flat", metric, (uint32_t)base.cols, 0, err));
    mann_status s = mni_builder_add(b, NULL, base, pool, err);
    if (s == MANN_OK) s = mni_builder_finish(&b, out, pool, NULL, err);
    mni_builder_free(b);
    return s;
}

mann_status mann_evaluate_retrieval(mann_matrix base, mann_matrix queries,
                                    mann_metric metric, const uint64_t *pairs,
                                    size_t n_pairs, uint32_t k, mann_pool *p,
                                    const mann_hooks *h, mann_retrieval_scores *out,
                                    mann_error *err)
{
    mni_bare *index = NULL;
    pair *sorted = NULL;
    ranking r = { .queries = queries, .k = k };
    MNI_NEED(base.data, "mann_evaluate_retrieval");
    MNI_NEED(queries.data, "mann_evaluate_retrieval");
    MNI_NEED(out, "mann_evaluate_retrieval");
    if (n_pairs) MNI_NEED(pairs, "mann_evaluate_retrieval");
    if (k == 0 || base.cols == 0 || base.cols > MNI_BARE_MAX_DIM)
        return mni_fail(err, MANN_E_ARG, "retrieval: k %u, %zu dimensions", (unsigned)k,
                        base.cols);
    if (base.cols != queries.cols)
        return mni_fail(err, MANN_E_MISMATCH,
                        "retrieval: queries of %zu dimensions, base of %zu", queries.cols,
                        base.cols);
    MNI_TRY(take_pairs(pairs, n_pairs, queries.rows, base.rows, &sorted, &r.n_pairs,
                       err));
    mann_search_fill(&r.how, sizeof r.how, k < base.rows ? k : (uint32_t)base.rows);
    r.pairs = sorted;
    r.slice = r.how.k > SLICE_ANSWERS / SLICE ? SLICE_ANSWERS / r.how.k + 1 : SLICE;
    r.ids = mni_alloc((size_t)r.how.k * r.slice, sizeof *r.ids);
    r.distances = mni_alloc((size_t)r.how.k * r.slice, sizeof *r.distances);
    r.right = mni_alloc(r.n_pairs, sizeof *r.right);
    mann_status s = r.ids && r.distances && r.right
                        ? index_of(base, metric, p, &index, err)
                        : mni_fail(err, MANN_E_NOMEM, "retrieval: answers");
    r.index = index;
    if (s == MANN_OK) s = rank_all(&r, p, h, err);
    mni_bare_free(index);
    mni_free(sorted);
    mni_free(r.ids);
    mni_free(r.distances);
    mni_free(r.right);
    if (s != MANN_OK) return s;
    const uint64_t counted = r.sums.n;
    mni_retrieval_finish(&r.sums);
    const mann_retrieval_scores scores = {
        sizeof scores, counted,      queries.rows - counted, r.n_pairs,
        r.sums.recall, r.sums.precision, r.sums.hit, r.sums.ndcg, r.sums.mrr
    };
    return mni_give_sized(out, &scores, sizeof scores, "mann_evaluate_retrieval", err);
}
