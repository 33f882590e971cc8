/* bare.c - a bare index in memory: building, adding, removing, asking. See bare.h.
 *
 * Every write is all or nothing: what can fail (bad vectors, memory) is done before the
 * first byte of the index changes. SPDX-License-Identifier: MIT */
#include "index/bare.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "index/bare_parts.h"

enum { SLICE_ITEMS = 1 << 18 }; /* answers (rows and distances) held at a time: 2 MiB */

struct mann_builder {
    mni_bare *ix;                   /* without its structure until finish */
    char spec[64];
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

static mann_status check_cols(const mni_bare *ix, mann_matrix m, const char *what,
                              mann_error *err)
{
    if (m.rows == 0 || m.cols == ix->rows.dim) return MANN_OK;
    return mni_fail(err, MANN_E_MISMATCH, "index: %s have %llu values, wanted %u", what,
                    (unsigned long long)m.cols, (unsigned)ix->rows.dim);
}

/* An owned, packed, prepared copy of a matrix. */
static mann_status prepared_copy(const mni_bare *ix, mann_matrix m, const char *what,
                                 float **out, mann_error *err)
{
    const size_t dim = ix->rows.dim, stride = m.stride ? m.stride : m.cols;
    float *copy = NULL;
    *out = NULL;
    if (m.rows <= SIZE_MAX / sizeof *copy / dim)
        copy = mni_alloc(m.rows * dim, sizeof *copy);
    if (!copy)
        return mni_fail(err, MANN_E_NOMEM, "index: copy of %llu vectors",
                        (unsigned long long)m.rows);
    for (size_t i = 0; i < m.rows; i++) {
        memcpy(copy + i * dim, m.data + i * stride, dim * sizeof *copy);
        mann_status s = mni_rows_prepare(ix->rows.metric, copy + i * dim, ix->rows.dim,
                                         what, i, err);
        if (s != MANN_OK) {
            mni_free(copy);
            return s;
        }
    }
    *out = copy;
    return MANN_OK;
}

mann_status mni_builder_train(mni_builder *b, mann_matrix sample, mni_pool *pool,
                              mann_error *err)
{
    float *copy;
    (void)pool;
    MNI_TRY(check_cols(b->ix, sample, "training vectors", err));
    MNI_TRY(prepared_copy(b->ix, sample, "training vector", &copy, err));
    mni_free(copy);
    return MANN_OK;
}

mann_status mni_builder_add(mni_builder *b, const uint64_t *ids, mann_matrix rows,
                            mni_pool *pool, mann_error *err)
{
    return mni_bare_add(b->ix, ids, rows, pool, err);
}

mann_status mni_builder_finish(mni_builder **b, mni_bare **out, mann_error *err)
{
    mni_bare *ix = (*b)->ix;
    *out = NULL;
    const mni_ann_job job = { .rows = &ix->rows, .seed = ix->seed };
    MNI_TRY(mni_ann_build(&ix->ann, (*b)->spec, &job, err));
    mni_free(*b);
    *b = NULL;
    *out = ix;
    return MANN_OK;
}

void mni_builder_free(mni_builder *b)
{
    if (!b) return;
    mni_bare_free(b->ix);
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

/* --- writing ------------------------------------------------------------------------ */

/* Room for n rows. Capacity is counted in rows and shared by both arrays. */
static mann_status reserve(mni_bare *ix, size_t n, mann_error *err)
{
    if (n <= ix->cap_rows) return MANN_OK;
    const size_t dim = ix->rows.dim, cap = n > 2 * ix->cap_rows ? n : 2 * ix->cap_rows;
    if (cap <= SIZE_MAX / sizeof(float) / dim) {
        uint64_t *ids = mni_realloc(ix->own_ids, cap, sizeof *ids);
        if (ids) ix->ids = ix->own_ids = ids;
        float *rows = ids ? mni_realloc(ix->own_rows, cap * dim, sizeof *rows) : NULL;
        if (rows) {
            ix->rows.data = ix->own_rows = rows;
            ix->cap_rows = cap;
            return MANN_OK;
        }
    }
    return mni_fail(err, MANN_E_NOMEM, "index: %llu rows of %u values",
                    (unsigned long long)cap, (unsigned)ix->rows.dim);
}

/* n prepared rows into room that is there: each replaces the row of its id, or is put
 * behind the last one. Nothing here can fail. */
static void put_rows(mni_bare *ix, const uint64_t *ids, const float *rows, size_t n)
{
    const size_t dim = ix->rows.dim;
    for (size_t i = 0; i < n; i++) {
        uint32_t row;
        if (!mni_idmap_get(&ix->map, ids[i], &row)) {
            row = ix->rows.n++;
            mni_idmap_put(&ix->map, ids[i], row);
            ix->own_ids[row] = ids[i];
        }
        memcpy(ix->own_rows + row * dim, rows + i * dim, dim * sizeof *rows);
        if (ids[i] >= ix->next_id) ix->next_id = ids[i] + 1;
    }
}

/* The ids that a call gives, checked; or the next ones. *own is to be freed. */
static mann_status choose_ids(const mni_bare *ix, const uint64_t *given, size_t n,
                              const uint64_t **ids, uint64_t **own, mann_error *err)
{
    *own = NULL;
    *ids = given;
    for (size_t i = 0; given && i < n; i++)
        if (given[i] == MNI_NO_ID)
            return mni_fail(err, MANN_E_ARG,
                            "index: id of row %llu is 2^64-1, which means \"nothing\"",
                            (unsigned long long)i);
    if (given) return MANN_OK;
    if (n > MNI_NO_ID - ix->next_id)
        return mni_fail(err, MANN_E_LIMIT, "index: no %llu ids are left above %llu",
                        (unsigned long long)n, (unsigned long long)ix->next_id);
    uint64_t *made = mni_alloc(n, sizeof *made);
    if (!made)
        return mni_fail(err, MANN_E_NOMEM, "index: %llu ids", (unsigned long long)n);
    for (size_t i = 0; i < n; i++) made[i] = ix->next_id + i;
    *ids = *own = made;
    return MANN_OK;
}

mann_status mni_bare_add(mni_bare *ix, const uint64_t *given, mann_matrix rows,
                         mni_pool *pool, mann_error *err)
{
    (void)pool;
    const uint64_t *ids;
    uint64_t *own = NULL;
    float *copy = NULL;
    MNI_TRY(check_cols(ix, rows, "vectors", err));
    MNI_TRY(mni_bare_own(ix, err));
    if (rows.rows > (size_t)(MNI_BARE_MAX_ROWS - ix->rows.n))
        return mni_fail(err, MANN_E_LIMIT,
                        "index: %u rows and %llu more, wanted at most %d",
                        (unsigned)ix->rows.n, (unsigned long long)rows.rows,
                        MNI_BARE_MAX_ROWS);
    mann_status s = choose_ids(ix, given, rows.rows, &ids, &own, err);
    if (s == MANN_OK) s = prepared_copy(ix, rows, "vector", &copy, err);
    if (s == MANN_OK) s = reserve(ix, ix->rows.n + rows.rows, err);
    if (s == MANN_OK && !mni_idmap_reserve(&ix->map, rows.rows))
        s = mni_fail(err, MANN_E_NOMEM, "index: map of ids");
    if (s == MANN_OK) put_rows(ix, ids, copy, rows.rows);
    mni_free(own);
    mni_free(copy);
    return s;
}

mann_status mni_bare_remove(mni_bare *ix, const uint64_t *ids, size_t n, size_t *removed,
                            mann_error *err)
{
    size_t gone = 0, dim = ix->rows.dim;
    MNI_TRY(mni_bare_own(ix, err));
    for (size_t i = 0; i < n; i++) {
        uint32_t row, last = ix->rows.n - 1;
        if (!mni_idmap_get(&ix->map, ids[i], &row)) continue;
        mni_idmap_remove(&ix->map, ids[i]);
        if (row != last) {
            memcpy(ix->own_rows + row * dim, ix->own_rows + last * dim,
                   dim * sizeof(float));
            ix->own_ids[row] = ix->own_ids[last];
            mni_idmap_put(&ix->map, ix->own_ids[row], row); /* no new key: cannot fail */
        }
        ix->rows.n = last;
        gone++;
    }
    if (removed) *removed = gone;
    return MANN_OK;
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
    MNI_TRY(check_cols(ix, queries, "queries", err));
    MNI_TRY(prepared_copy(ix, queries, "query", &prepared, err));
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

uint64_t    mni_bare_n_rows(const mni_bare *ix) { return ix->rows.n; }
uint32_t    mni_bare_dim(const mni_bare *ix) { return ix->rows.dim; }
mann_metric mni_bare_metric(const mni_bare *ix) { return ix->rows.metric; }
const char *mni_bare_spec(const mni_bare *ix) { return mni_ann_spec(ix->ann); }
