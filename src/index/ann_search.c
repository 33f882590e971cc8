/* ann_search.c - asking a structure: defaults, filters that keep little, groups, batches,
 * everything within a distance. What is the same for every kind of index.
 *
 * A kind walks its graph or its lists and asks the filter about what it meets. Where few
 * rows pass, walking is a poor way to find them: most of what is met is refused. Then the
 * rows that pass are looked at one by one, which is exact, too:
 *
 *     few of 128 rows drawn evenly pass            -> look at the rows that pass
 *     the walk came back with fewer than k         -> look at the rows that pass
 *     k is an eighth of all rows or more           -> look at all rows
 *
 * So an answer is only ever shorter than k when no more rows pass.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "index/kinds.h"

enum {
    PROBES = 128,               /* rows asked to learn how much a filter keeps ... */
    FEW = 2,                    /* ... fewer than so many: about one in a hundred */
    LARGE_SHARE = 8,            /* k of n / 8 rows: no walk finds them faster */
    LEAST_EF = 64, LEAST_PROBE = 8,
    FIRST_WITHIN = 64, WIDEN = 4
};

/* --- scratch ------------------------------------------------------------------------ */

mann_status mni_scratch_new(mni_scratch **out, mann_error *err)
{
    *out = NULL;
    mni_scratch *s = mni_alloc(1, sizeof *s);
    float *distance = mni_alloc_aligned((size_t)MNI_ANN_GROUP * MNI_ANN_BLOCK,
                                        sizeof *distance, 0);
    if (!s || !distance) {
        mni_free(s);
        mni_free(distance);
        return mni_fail(err, MANN_E_NOMEM, "search: scratch of a thread");
    }
    *s = (mni_scratch){ .distance = distance };
    *out = s;
    return MANN_OK;
}

void mni_scratch_free(mni_scratch *s)
{
    if (!s) return;
    if (s->release) s->release(s->part);
    mni_free(s->distance);
    mni_free(s);
}

/* --- looking at every row that passes ----------------------------------------------- */

/* Runs of kept rows within [at, end), measured together. */
static void scan_kept(const mni_rows *rows, const float *query, const mni_ann_params *p,
                      uint32_t at, uint32_t end, float *distance, mni_topk *best)
{
    while (at < end) {
        uint32_t from = at;
        while (at < end && p->keep(p->keep_ctx, at)) at++;
        if (at > from) mni_rows_scan(rows, query, from, at, distance);
        for (uint32_t i = from; i < at; i++)
            if (mni_topk_wants(best, distance[i - from]))
                mni_topk_push(best, distance[i - from], i);
        while (at < end && !p->keep(p->keep_ctx, at)) at++;
    }
}

/* Exact, for any kind of structure: the rows are all there is to know. */
static void look_at_all(const mni_rows *rows, const float *query, const mni_ann_params *p,
                        mni_scratch *scratch, mni_topk *best)
{
    best->n = 0;
    for (uint32_t at = 0; at < rows->n; at += MNI_ANN_BLOCK) {
        uint32_t end = rows->n - at < MNI_ANN_BLOCK ? rows->n : at + MNI_ANN_BLOCK;
        if (p->keep) {
            scan_kept(rows, query, p, at, end, scratch->distance, best);
            continue;
        }
        mni_rows_scan(rows, query, at, end, scratch->distance);
        for (uint32_t i = at; i < end; i++)
            if (mni_topk_wants(best, scratch->distance[i - at]))
                mni_topk_push(best, scratch->distance[i - at], i);
    }
}

/* How many of PROBES rows pass: drawn evenly over all rows, the same for every query. */
static uint32_t probes_kept(const mni_rows *rows, const mni_ann_params *p)
{
    uint32_t kept = 0;
    if (!p->keep) return PROBES;
    if (p->n_kept) return (uint32_t)((uint64_t)p->n_kept * PROBES / (rows->n + 1ull));
    for (uint32_t i = 0; i < PROBES; i++) {
        /* odd multiples of 1/256: between the ends, and never all on one stripe */
        uint64_t row = ((uint64_t)(2 * i + 1) * rows->n) / (2 * PROBES);
        if (row < rows->n) kept += p->keep(p->keep_ctx, (uint32_t)row) != 0;
    }
    return kept;
}

/* --- one group ---------------------------------------------------------------------- */

/* 0 becomes what the structure was built or tuned for, or the common rule. Where half of
 * the rows pass, k of them lie in twice as many lists, and farther away than those that
 * nprobe was counted for: one list more; a walk over a graph counts only rows that pass
 * anyway. */
static void fill_defaults(const mni_ann *a, uint32_t kept, mni_ann_params *p)
{
    if (p->ef == 0) p->ef = a->knob;
    if (p->ef == 0) p->ef = p->k > LEAST_EF / 2 ? 2 * p->k : LEAST_EF;
    if (p->ef < p->k) p->ef = p->k;
    if (p->nprobe == 0) p->nprobe = a->knob ? a->knob : LEAST_PROBE;
    if (kept && kept < PROBES)
        p->nprobe = (uint32_t)((((uint64_t)p->nprobe + 1) * PROBES + kept - 1) / kept);
}

/* The walk is over: can there be kept rows beside those found? */
static int may_have_missed(const mni_rows *rows, const mni_ann_params *p, size_t found)
{
    const uint32_t most = p->keep && p->n_kept ? p->n_kept : rows->n;
    return found < p->k && found < most;
}

/* At most MNI_ANN_GROUP queries, or MNI_ANN_CROWD if the kind takes them. The heaps grow
 * in the caller's own output. */
static mann_status search_group(const mni_ann *a, const mni_rows *rows,
                                const float *queries, size_t n, const mni_ann_params *p,
                                mni_scratch *scratch, mni_near *out, size_t *n_out,
                                mann_error *err)
{
    mni_topk best[MNI_ANN_CROWD];
    mni_ann_params with = *p;
    const int walks = a->ops->knob != NULL;     /* others look at every row anyway */
    const uint32_t kept = walks && p->k ? probes_kept(rows, p) : PROBES;
    const int all = walks && (p->k >= rows->n / LARGE_SHARE || kept < FEW);
    fill_defaults(a, kept, &with);
    for (size_t q = 0; q < n; q++) mni_topk_init(&best[q], out + q * p->k, p->k);
    if (p->k > 0 && !all)
        MNI_TRY(a->ops->search(a, rows, queries, n, &with, scratch, best, err));
    for (size_t q = 0; q < n && p->k > 0 && walks; q++)
        if (all || may_have_missed(rows, p, best[q].n))
            look_at_all(rows, queries + q * rows->dim, p, scratch, &best[q]);
    for (size_t q = 0; q < n; q++) n_out[q] = mni_topk_sort(&best[q]);
    return MANN_OK;
}

mann_status mni_ann_search(const mni_ann *a, const mni_rows *rows, const float *query,
                           const mni_ann_params *p, mni_scratch *scratch, mni_near *out,
                           size_t *n_out, mann_error *err)
{
    return search_group(a, rows, query, 1, p, scratch, out, n_out, err);
}

/* --- everything within a distance --------------------------------------------------- */

mann_status mni_ann_within(const mni_ann *a, const mni_rows *rows, const float *query,
                           float distance, const mni_ann_params *p, mni_scratch *scratch,
                           mni_near **found, size_t *cap, size_t *n_out, mann_error *err)
{
    const uint32_t most = p->k && p->k < rows->n ? p->k : rows->n;
    mni_ann_params with = *p;
    size_t n = 0;
    for (with.k = most < FIRST_WITHIN ? most : FIRST_WITHIN;; with.k *= WIDEN) {
        if (with.k > most || with.k >= rows->n / LARGE_SHARE) with.k = most;
        if (!mni_grow((void **)found, cap, (size_t)with.k + 1, sizeof **found))
            return mni_fail(err, MANN_E_NOMEM, "search: %lu hits",
                            (unsigned long)with.k);
        MNI_TRY(mni_ann_search(a, rows, query, &with, scratch, *found, &n, err));
        if (n < with.k || with.k == most || (*found)[n - 1].distance > distance) break;
    }
    while (n > 0 && !((*found)[n - 1].distance <= distance)) n--;
    *n_out = n;
    return MANN_OK;
}

/* --- batches ------------------------------------------------------------------------ */

typedef struct batch {
    const mni_ann *a;
    const mni_rows *rows;
    const float *queries;
    const mni_ann_params *p;
    mni_near *out;
    size_t *n_out;
    mann_status *status;        /* one per chunk */
    mann_error *error;          /* likewise */
} batch;

static void search_chunk(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const batch *b = ctx;
    mni_scratch *scratch;
    mann_status s = mni_scratch_new(&scratch, &b->error[chunk]);
    const size_t group = b->a->ops->crowd ? MNI_ANN_CROWD : MNI_ANN_GROUP;
    for (size_t at = begin; s == MANN_OK && at < end; at += group) {
        size_t n = end - at < group ? end - at : group;
        s = search_group(b->a, b->rows, b->queries + at * b->rows->dim, n, b->p, scratch,
                         b->out + at * b->p->k, b->n_out + at, &b->error[chunk]);
    }
    mni_scratch_free(scratch);
    b->status[chunk] = s;
}

/* Queries of a chunk: enough groups that the scratch is worth making, few enough that no
 * thread waits for another. Answers do not depend on it, so it may depend on the number
 * of threads. */
static size_t chunk_size(size_t n, uint32_t threads, int crowd)
{
    if (crowd) {
        const size_t each = (n + threads - 1) / threads;
        return each < MNI_ANN_CROWD ? each : MNI_ANN_CROWD;
    }
    size_t grain = n / (4 * (size_t)threads) / MNI_ANN_GROUP * MNI_ANN_GROUP;
    if (grain > 0) return grain;
    grain = (n + threads - 1) / threads;
    return grain < MNI_ANN_GROUP ? grain : MNI_ANN_GROUP;
}

mann_status mni_ann_search_batch(const mni_ann *a, const mni_rows *rows,
                                 const float *queries, size_t n, const mni_ann_params *p,
                                 mni_pool *pool, mni_near *out, size_t *n_out,
                                 mann_error *err)
{
    if (n == 0) return MANN_OK;
    const size_t grain = chunk_size(n, mni_pool_threads(pool), a->ops->crowd),
                 n_chunks = mni_chunk_count(n, grain);
    batch b = {
        .a = a, .rows = rows, .queries = queries, .p = p, .out = out, .n_out = n_out
    };
    mann_status s = MANN_OK;
    b.status = mni_alloc(n_chunks, sizeof *b.status);
    b.error = mni_alloc(n_chunks, sizeof *b.error);
    if (b.status && b.error) {
        mni_parallel_for(pool, n, grain, search_chunk, &b);
        for (size_t c = 0; c < n_chunks && s == MANN_OK; c++) {
            s = b.status[c];
            if (s != MANN_OK && err) *err = b.error[c];
        }
    } else {
        s = mni_fail(err, MANN_E_NOMEM, "search: state of %llu queries",
                     (unsigned long long)n);
    }
    mni_free(b.status);
    mni_free(b.error);
    return s;
}
