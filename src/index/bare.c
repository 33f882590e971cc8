/* bare.c - a bare index in memory: building and asking. See bare.h.
 *
 * Every write is all or nothing: what can fail (bad vectors, memory) is done before the
 * first byte of the index changes. SPDX-License-Identifier: MIT */
#include "index/bare.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "index/bare_parts.h"
#include "index/kinds.h"
#include "index/tune.h"
#include "os/try.h"

enum { SLICE_ITEMS = 1 << 18 }; /* answers (rows and distances) held at a time: 2 MiB */

struct mann_builder {
    mni_bare *ix;                   /* without its structure until finish */
    float *sample;                  /* prepared; NULL: learn from the rows */
    uint32_t n_sample;
    uint64_t mem_bytes;             /* 0: no limit */
    char spec[MNI_ANN_SPEC];
};

/* --- making ------------------------------------------------------------------------- */

mann_status mni_builder_new(mni_builder **out, const char *index, mann_metric metric,
                            uint32_t dim, uint64_t seed, mann_error *err)
{
    *out = NULL;
    if (dim == 0 || dim > MNI_BARE_MAX_DIM)
        return mni_fail(err, MANN_E_ARG, "index: dimension %u, wanted 1..%d",
                        (unsigned)dim, MNI_BARE_MAX_DIM);
    MNI_TRY(mni_ann_spec_check(index, err));
    mni_builder *b = mni_alloc(1, sizeof *b);
    mni_bare *ix = mni_alloc(1, sizeof *ix);
    if (!b || !ix || strlen(index) >= sizeof b->spec) {
        mni_free(b);
        mni_free(ix);
        return mni_fail(err, MANN_E_NOMEM, "index: builder");
    }
    ix->rows = (mni_rows){ .dim = dim, .dtype = MNI_F32, .metric = metric };
    ix->seed = seed;
    b->ix = ix;
    memcpy(b->spec, index, strlen(index) + 1);
    *out = b;
    return MANN_OK;
}

mann_status mni_builder_train(mni_builder *b, mann_matrix sample, mni_pool *pool,
                              mann_error *err)
{
    float *copy;
    (void)pool;
    MNI_TRY(mni_bare_check_cols(b->ix, sample, "training vectors", err));
    if (sample.rows > MNI_BARE_MAX_ROWS)
        return mni_fail(err, MANN_E_LIMIT, "index: %llu training vectors, at most %d",
                        (unsigned long long)sample.rows, MNI_BARE_MAX_ROWS);
    MNI_TRY(mni_bare_prepared(b->ix, sample, "training vector", &copy, err));
    mni_free(b->sample);
    b->sample = copy;
    b->n_sample = (uint32_t)sample.rows;
    return MANN_OK;
}

void mni_builder_limit(mni_builder *b, uint64_t mem_bytes) { b->mem_bytes = mem_bytes; }

mann_status mni_builder_add(mni_builder *b, const uint64_t *ids, mann_matrix rows,
                            mni_pool *pool, mann_error *err)
{
    return mni_bare_add(b->ix, ids, rows, pool, err);
}

mann_status mni_builder_finish(mni_builder **b, mni_bare **out, mni_pool *pool,
                               const mann_hooks *h, mann_error *err)
{
    mni_bare *ix = (*b)->ix;
    mni_rows sample = ix->rows;
    *out = NULL;
    sample.data = (*b)->sample;
    sample.n = (*b)->n_sample;
    const mni_ann_job job = { .rows = &ix->rows, .sample = sample.n ? &sample : NULL,
                              .seed = ix->seed, .mem_bytes = (*b)->mem_bytes,
                              .pool = pool, .hooks = h };
    MNI_TRY(mni_ann_build(&ix->ann, (*b)->spec, &job, err));
    ix->built_rows = ix->rows.n;
    ix->came_since = 0;
    ix->taught = sample.n > 0;
    (*b)->ix = NULL;
    mni_builder_free(*b);
    *b = NULL;
    *out = ix;
    return MANN_OK;
}

void mni_builder_free(mni_builder *b)
{
    if (!b) return;
    mni_bare_free(b->ix);
    mni_free(b->sample);
    mni_free(b);
}

void mni_bare_free(mni_bare *ix)
{
    if (!ix) return;
    mni_ann_free(ix->ann);
    mni_idmap_fini(&ix->map);
    mni_free(ix->own_rows);
    mni_free(ix->own_ids);
    mni_reader_free(ix->reader);
    mni_free(ix);
}

/* --- asking ------------------------------------------------------------------------- */

typedef struct id_filter { const mni_bare *ix; const mann_search *s; } id_filter;

static int keep_id(void *ctx, uint32_t row)
{
    const id_filter *f = ctx;
    return f->s->filter(f->s->filter_user, f->ix->ids[row], NULL);
}

/* n queries; near has room for n x p->k, and p->k <= s->k. */
static mann_status query_slice(const mni_bare *ix, const float *queries, size_t n,
                               const mni_ann_params *p, size_t k, mni_pool *pool,
                               mni_near *near, size_t *found, uint64_t *ids,
                               float *distances, mann_error *err)
{
    MNI_TRY(
        mni_ann_search_batch(ix->ann, &ix->rows, queries, n, p, pool, near, found, err));
    for (size_t q = 0; q < n; q++)
        for (size_t i = 0; i < k; i++) {
            const mni_near *hit = i < found[q] ? &near[q * p->k + i] : NULL;
            ids[q * k + i] = hit ? ix->ids[hit->row] : MNI_NO_ID;
            distances[q * k + i] = hit ? hit->distance : INFINITY;
        }
    return MANN_OK;
}

mann_status mni_bare_query(const mni_bare *ix, mann_matrix queries, const mann_search *s,
                           mni_pool *pool, uint64_t *ids, float *distances,
                           mann_error *err)
{
    id_filter f = { ix, s };
    mni_ann_params p = { .k = s->k < ix->rows.n ? s->k : ix->rows.n,
                         .ef = s->ef,
                         .nprobe = s->nprobe,
                         .keep = s->filter ? keep_id : NULL,
                         .keep_ctx = &f };
    const size_t n = queries.rows, k = s->k, dim = ix->rows.dim;
    float *prepared;
    MNI_TRY(mni_bare_check_cols(ix, queries, "queries", err));
    MNI_TRY(mni_bare_prepared(ix, queries, "query", &prepared, err));
    size_t slice = p.k && SLICE_ITEMS / p.k ? SLICE_ITEMS / p.k : p.k ? 1 : SLICE_ITEMS;
    if (slice > n) slice = n;
    mni_near *near = mni_alloc(slice, (size_t)p.k * sizeof *near);
    size_t *found = mni_alloc(slice, sizeof *found);
    mann_status st = MANN_OK;
    if (!near || !found)
        st = mni_fail(err, MANN_E_NOMEM, "index: answers of %llu queries",
                      (unsigned long long)slice);
    for (size_t at = 0; st == MANN_OK && at < n; at += slice) {
        size_t m = n - at < slice ? n - at : slice;
        st = query_slice(ix, prepared + at * dim, m, &p, k, pool, near, found,
                         ids + at * k, distances + at * k, err);
    }
    mni_free(prepared);
    mni_free(near);
    mni_free(found);
    return st;
}

/* --- everything within a distance --------------------------------------------------- */

enum { WITHIN_SLICE = 64, WITHIN_CHUNK = 4 };

typedef struct near_list { mni_near *items; size_t cap, n; } near_list;
typedef struct within_job {
    const mni_bare *ix;
    const float *queries;
    const mni_ann_params *p;
    float distance;
    near_list *lists;
} within_job;

static mann_status within_range(void *ctx, size_t begin, size_t end, size_t chunk,
                                mann_error *err)
{
    const within_job *j = ctx;
    const mni_rows *rows = &j->ix->rows;
    mni_scratch *scratch;
    (void)chunk;
    mann_status s = mni_scratch_new(&scratch, err);
    for (size_t q = begin; q < end && s == MANN_OK; q++) {
        near_list *l = &j->lists[q];
        s = mni_ann_within(j->ix->ann, rows, j->queries + q * rows->dim, j->distance,
                           j->p, scratch, &l->items, &l->cap, &l->n, err);
    }
    mni_scratch_free(scratch);
    return s;
}

/* Hands the answers of one slice out; 1: fn has had enough. */
static int hand_out(const mni_bare *ix, const near_list *lists, size_t n, size_t first,
                    mann_hit **hits, size_t *cap, mann_found_fn fn, void *user,
                    mann_status *s, mann_error *err)
{
    for (size_t q = 0; q < n; q++) {
        if (!mni_grow((void **)hits, cap, lists[q].n + 1, sizeof **hits)) {
            *s = mni_fail(err, MANN_E_NOMEM, "index: %llu hits",
                          (unsigned long long)lists[q].n);
            return 1;
        }
        for (size_t i = 0; i < lists[q].n; i++) {
            const mni_near at = lists[q].items[i];
            (*hits)[i] = (mann_hit){ ix->ids[at.row], MANN_NO_CLASS,
                                     mni_score(ix->rows.metric, at.distance),
                                     at.distance };
        }
        if (fn(user, first + q, *hits, lists[q].n)) return 1;
    }
    return 0;
}

mann_status mni_bare_within(const mni_bare *ix, mann_matrix queries, float distance,
                            const mann_search *s, mni_pool *pool, mann_found_fn fn,
                            void *user, mann_error *err)
{
    id_filter f = { ix, s };
    const mni_ann_params p = { .k = s->k, .ef = s->ef, .nprobe = s->nprobe,
                               .keep = s->filter ? keep_id : NULL, .keep_ctx = &f };
    near_list lists[WITHIN_SLICE] = { { 0 } };
    mann_hit *hits = NULL;
    size_t cap = 0;
    float *prepared;
    int enough = 0;
    MNI_TRY(mni_bare_check_cols(ix, queries, "queries", err));
    MNI_TRY(mni_bare_prepared(ix, queries, "query", &prepared, err));
    mann_status st = MANN_OK;
    for (size_t at = 0; st == MANN_OK && !enough && at < queries.rows;
         at += WITHIN_SLICE) {
        const size_t left = queries.rows - at, n = left < WITHIN_SLICE ? left
                                                                       : WITHIN_SLICE;
        within_job j = { ix, prepared + at * ix->rows.dim, &p, distance, lists };
        st = mni_parallel_try(pool, n, WITHIN_CHUNK, within_range, &j, err);
        if (st == MANN_OK)
            enough = hand_out(ix, lists, n, at, &hits, &cap, fn, user, &st, err);
    }
    for (size_t i = 0; i < WITHIN_SLICE; i++) mni_free(lists[i].items);
    mni_free(hits);
    mni_free(prepared);
    return st;
}

/* --- tuning ------------------------------------------------------------------------- */

mann_status mni_bare_tune(mni_bare *ix, mann_matrix queries, double recall, uint32_t k,
                          mni_pool *pool, mann_tuned *out, mann_error *err)
{
    float *q;
    size_t n = queries.rows;
    mni_tuned got;
    if (ix->read_only)
        return mni_fail(err, MANN_E_READ_ONLY, "index: %s was opened for reading",
                        mni_reader_name(ix->reader));
    MNI_TRY(mni_bare_check_cols(ix, queries, "queries", err));
    if (n) MNI_TRY(mni_bare_prepared(ix, queries, "query", &q, err));
    else MNI_TRY(mni_tune_queries(&ix->rows, ix->seed, pool, &q, &n, err));
    mann_status s = mni_ann_tune(ix->ann, &ix->rows, q, n, k, recall, pool, &got, err);
    mni_free(q);
    if (s != MANN_OK) return s;
    mni_ann_set_knob(ix->ann, got.value);
    if (out) mni_tuned_tell(&got, ix->ann, out);
    return MANN_OK;
}

uint64_t    mni_bare_n_rows(const mni_bare *ix) { return ix->rows.n; }
uint32_t    mni_bare_dim(const mni_bare *ix) { return ix->rows.dim; }
mann_metric mni_bare_metric(const mni_bare *ix) { return ix->rows.metric; }
const char *mni_bare_spec(const mni_bare *ix) { return mni_ann_spec(ix->ann); }

size_t mni_bare_report(const mni_bare *ix, mni_ann_fact *facts)
{
    return mni_ann_report(ix->ann, &ix->rows, facts);
}
