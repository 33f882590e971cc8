/* bare_change.c - adding to a bare index and removing from it. See bare.h.
 *
 * Every write is all or nothing: what can fail (bad vectors, memory) is done before the
 * first byte of the index changes, and a structure that cannot follow is taken back.
 *
 *     upsert of ids 12 and 99                 remove of row 1
 *
 *     | 70 | 12 | 55 |                        | 70 | 12 | 55 |
 *     | 70 | 12 | 55 | 99 | 12'|  add         | 70 | 55 |         the last row takes
 *     | 70 | 12'| 55 | 99 |       remove 12                       its number
 *
 * New rows go behind, those that replace another last of all: removing the old ones in
 * the opposite order then lets each new row take the number of the one that it replaces.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "index/bare.h"
#include "index/bare_parts.h"
#include "os/huge.h"

/* --- vectors that come in ----------------------------------------------------------- */

mann_status mni_bare_check_cols(const mni_bare *ix, mann_matrix m, const char *what,
                              mann_error *err)
{
    if (m.rows == 0 || m.cols == ix->rows.dim) return MANN_OK;
    return mni_fail(err, MANN_E_MISMATCH, "index: %s have %llu values, wanted %u", what,
                    (unsigned long long)m.cols, (unsigned)ix->rows.dim);
}

/* An owned, packed, prepared copy of a matrix. */
mann_status mni_bare_prepared(const mni_bare *ix, mann_matrix m, const char *what,
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
            mni_huge_advise(rows, cap * dim * sizeof *rows);    /* read here and there */
            ix->rows.data = ix->own_rows = rows;
            ix->cap_rows = cap;
            return MANN_OK;
        }
    }
    return mni_fail(err, MANN_E_NOMEM, "index: %llu rows of %u values",
                    (unsigned long long)cap, (unsigned)ix->rows.dim);
}

/* --- which ids ---------------------------------------------------------------------- */

/* One call's rows: unique ids, new ones first, then those that replace a row. */
typedef struct arrivals {
    uint64_t *ids;
    float *rows;                /* prepared, packed, in the order of ids */
    uint32_t *gone;             /* rows that are replaced, in the order of removal */
    size_t n, n_gone;
} arrivals;

static void arrivals_fini(arrivals *a)
{
    mni_free(a->ids);
    mni_free(a->rows);
    mni_free(a->gone);
}

static mann_status check_ids(const mni_bare *ix, const uint64_t *given, size_t n,
                             mann_error *err)
{
    for (size_t i = 0; given && i < n; i++)
        if (given[i] == MNI_NO_ID)
            return mni_fail(err, MANN_E_ARG,
                            "index: id of row %llu is 2^64-1, which means \"nothing\"",
                            (unsigned long long)i);
    if (!given && n > MNI_NO_ID - ix->next_id)
        return mni_fail(err, MANN_E_LIMIT, "index: no %llu ids are left above %llu",
                        (unsigned long long)n, (unsigned long long)ix->next_id);
    return MANN_OK;
}

/* Where each row of the call goes among the arrivals: an id that stands twice is put
 * where it came first, with the vector that came last. */
static int place(const mni_bare *ix, const uint64_t *ids, const float *copy, size_t n,
                 mni_idmap *seen, arrivals *a)
{
    const size_t dim = ix->rows.dim;
    uint32_t row, at;
    for (int replacing = 0; replacing < 2; replacing++)
        for (size_t i = 0; i < n; i++) {
            if (mni_idmap_get(&ix->map, ids[i], &row) != replacing) continue;
            if (!mni_idmap_get(seen, ids[i], &at)) {
                at = (uint32_t)a->n;
                if (!mni_idmap_put(seen, ids[i], at)) return 0;
                if (replacing) a->gone[a->n_gone++] = row;
                a->ids[a->n++] = ids[i];
            }
            memcpy(a->rows + at * dim, copy + i * dim, dim * sizeof *copy);
        }
    for (size_t i = 0; i < a->n_gone / 2; i++) {    /* the last arrival first */
        row = a->gone[i];
        a->gone[i] = a->gone[a->n_gone - 1 - i];
        a->gone[a->n_gone - 1 - i] = row;
    }
    return 1;
}

static mann_status arrange(const mni_bare *ix, const uint64_t *given, mann_matrix rows,
                           arrivals *a, mann_error *err)
{
    const size_t n = rows.rows;
    float *copy;
    mni_idmap seen = { 0 };
    *a = (arrivals){ .n = 0 };
    MNI_TRY(check_ids(ix, given, n, err));
    MNI_TRY(mni_bare_prepared(ix, rows, "vector", &copy, err));
    a->ids = mni_alloc(n + 1, sizeof *a->ids);
    a->gone = mni_alloc(n + 1, sizeof *a->gone);
    int ok = a->ids && a->gone;
    if (ok && !given) {         /* fresh ids: nothing can meet */
        for (size_t i = 0; i < n; i++) a->ids[i] = ix->next_id + i;
        a->n = n;
        a->rows = copy;
        return MANN_OK;
    }
    if (ok) ok = (a->rows = mni_alloc(n + 1, ix->rows.dim * sizeof *copy)) != NULL;
    if (ok) ok = mni_idmap_reserve(&seen, n) && place(ix, given, copy, n, &seen, a);
    mni_idmap_fini(&seen);
    mni_free(copy);
    return ok ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "index: ids of %llu rows",
                                   (unsigned long long)n);
}

/* --- rows, ids and map move together; none of it can fail --------------------------- */

static void append(mni_bare *ix, const arrivals *a)
{
    const size_t dim = ix->rows.dim, at = ix->rows.n;
    memcpy(ix->own_rows + at * dim, a->rows, a->n * dim * sizeof *a->rows);
    memcpy(ix->own_ids + at, a->ids, a->n * sizeof *a->ids);
    ix->rows.n += (uint32_t)a->n;
}

static void name_new(mni_bare *ix, const arrivals *a, uint32_t at)
{
    for (size_t i = 0; i < a->n; i++) {
        mni_idmap_put(&ix->map, a->ids[i], at + (uint32_t)i);   /* reserved */
        if (a->ids[i] >= ix->next_id) ix->next_id = a->ids[i] + 1;
    }
}

/* Row `row` leaves; the last one takes its number. The map knows only the mover. */
static void close_gap(mni_bare *ix, uint32_t row)
{
    const size_t dim = ix->rows.dim;
    const uint32_t last = --ix->rows.n;
    if (row != last) {
        memcpy(ix->own_rows + row * dim, ix->own_rows + last * dim, dim * sizeof(float));
        ix->own_ids[row] = ix->own_ids[last];
    }
    if (row != last) mni_idmap_put(&ix->map, ix->own_ids[row], row);    /* no new key */
}

/* --- add ---------------------------------------------------------------------------- */

/* The structure takes the rows [first, n) and loses those that are replaced. */
static mann_status tell_structure(mni_bare *ix, uint32_t first, const arrivals *a,
                                  mni_pool *pool, mann_error *err)
{
    mni_ann *plain = NULL;
    uint32_t *again = NULL;
    const mni_ann_job job = { .rows = &ix->rows, .seed = ix->seed, .pool = pool };
    if (a->n_gone) {            /* what a half-done upsert is taken back with */
        MNI_TRY(mni_ann_build(&plain, "Flat", &job, err));
        again = mni_alloc(a->n, sizeof *again);
        if (!again) {
            mni_ann_free(plain);
            return mni_fail(err, MANN_E_NOMEM, "index: list of rows");
        }
        for (size_t i = 0; i < a->n; i++)
            again[i] = first + (uint32_t)(a->n - 1 - i);
    }
    mann_status s = mni_ann_add(ix->ann, &ix->rows, first, pool, err);
    if (s == MANN_OK && a->n_gone) {
        s = mni_ann_remove(ix->ann, &ix->rows, a->gone, a->n_gone, pool, err);
        /* No memory even to take it back: every row is still there to be looked at. */
        if (s != MANN_OK &&
            mni_ann_remove(ix->ann, &ix->rows, again, a->n, pool, NULL) != MANN_OK) {
            mni_ann_free(ix->ann);
            ix->ann = plain;
            plain = NULL;
        }
    }
    mni_ann_free(plain);
    mni_free(again);
    return s;
}

/* Lists that were learned from few rows do not fit many, nor the reverse, and hardly
 * those that came in the place of others: when an index has doubled or halved since, or
 * as many rows have come as it learned from, it learns again. That is some ten rounds of
 * k-means for as many rows as came. A graph grows as well as it is built. */
static int has_outgrown(const mni_bare *ix)
{
    const char *knob = ix->ann ? mni_ann_knob_name(ix->ann) : NULL;
    const uint64_t now = ix->rows.n, then = ix->built_rows;
    return knob && strcmp(knob, "nprobe") == 0 && !ix->taught &&
           (now >= 2 * (then > 500 ? then : 500) || (2 * now <= then && then > 500) ||
            ix->came_since >= (then > 500 ? then : 500));
}

static mann_status learn_again(mni_bare *ix, mni_pool *pool, mann_error *err)
{
    mni_ann *fresh;
    const mni_ann_job job = { .rows = &ix->rows, .seed = ix->seed, .pool = pool };
    MNI_TRY(mni_ann_build(&fresh, mni_ann_spec(ix->ann), &job, err));
    mni_ann_free(ix->ann);
    ix->ann = fresh;
    ix->built_rows = ix->rows.n;
    ix->came_since = 0;
    return MANN_OK;
}

mann_status mni_bare_add(mni_bare *ix, const uint64_t *given, mann_matrix rows,
                         mni_pool *pool, mann_error *err)
{
    arrivals a;
    MNI_TRY(mni_bare_check_cols(ix, rows, "vectors", err));
    MNI_TRY(mni_bare_own(ix, err));
    if (rows.rows == 0) return MANN_OK;
    if (rows.rows > (size_t)(MNI_BARE_MAX_ROWS - ix->rows.n))
        return mni_fail(err, MANN_E_LIMIT,
                        "index: %u rows and %llu more, wanted at most %d",
                        (unsigned)ix->rows.n, (unsigned long long)rows.rows,
                        MNI_BARE_MAX_ROWS);
    mann_status s = arrange(ix, given, rows, &a, err);
    const uint32_t first = ix->rows.n;
    if (s == MANN_OK) s = reserve(ix, (size_t)first + a.n, err);
    if (s == MANN_OK && !mni_idmap_reserve(&ix->map, a.n))
        s = mni_fail(err, MANN_E_NOMEM, "index: map of ids");
    if (s == MANN_OK) {
        append(ix, &a);
        ix->came_since += a.n;
        if (ix->ann && a.n_gone == 0 && has_outgrown(ix)) s = learn_again(ix, pool, err);
        else if (ix->ann) s = tell_structure(ix, first, &a, pool, err);
        if (s != MANN_OK) {
            ix->rows.n = first;
            ix->came_since -= a.n;
        }
    }
    if (s == MANN_OK) {
        name_new(ix, &a, first);
        for (size_t i = 0; i < a.n_gone; i++) close_gap(ix, a.gone[i]);
    }
    arrivals_fini(&a);
    return s;
}

/* --- remove ------------------------------------------------------------------------- */

/* gone[i]: the number that ids[i] has when its turn comes. Only ids and map move. */
static size_t take_ids_out(mni_bare *ix, const uint64_t *ids, size_t n, uint32_t *gone)
{
    size_t n_gone = 0;
    uint32_t left = ix->rows.n, row;
    for (size_t i = 0; i < n; i++) {
        if (!mni_idmap_get(&ix->map, ids[i], &row)) continue;
        mni_idmap_remove(&ix->map, ids[i]);
        const uint64_t leaver = ix->own_ids[row], mover = ix->own_ids[--left];
        ix->own_ids[row] = mover;
        ix->own_ids[left] = leaver;         /* so that it can be put back */
        if (row != left) mni_idmap_put(&ix->map, mover, row);   /* no new key */
        gone[n_gone++] = row;
    }
    return n_gone;
}

static void put_ids_back(mni_bare *ix, const uint32_t *gone, size_t n_gone)
{
    for (size_t i = n_gone; i-- > 0; ) {
        const uint32_t row = gone[i], at = ix->rows.n - 1 - (uint32_t)i;
        const uint64_t mover = ix->own_ids[row], leaver = ix->own_ids[at];
        ix->own_ids[row] = leaver;
        ix->own_ids[at] = mover;
        mni_idmap_put(&ix->map, mover, at);     /* there was room for them all */
        mni_idmap_put(&ix->map, leaver, row);
    }
}

mann_status mni_bare_remove(mni_bare *ix, const uint64_t *ids, size_t n, size_t *removed,
                            mann_error *err)
{
    const size_t dim = ix->rows.dim;
    MNI_TRY(mni_bare_own(ix, err));
    uint32_t *gone = mni_alloc((n < ix->rows.n ? n : ix->rows.n) + 1, sizeof *gone);
    if (!gone) return mni_fail(err, MANN_E_NOMEM, "index: list of rows");
    const size_t n_gone = take_ids_out(ix, ids, n, gone);
    mann_status s = MANN_OK;
    if (n_gone && ix->ann)
        s = mni_ann_remove(ix->ann, &ix->rows, gone, n_gone, NULL, err);
    if (s != MANN_OK) {
        put_ids_back(ix, gone, n_gone);
    } else {
        for (size_t i = 0; i < n_gone; i++) {
            const size_t last = --ix->rows.n;
            if (gone[i] != last)
                memcpy(ix->own_rows + gone[i] * dim, ix->own_rows + last * dim,
                       dim * sizeof(float));
        }
        if (removed) *removed = n_gone;
        if (n_gone && has_outgrown(ix)) learn_again(ix, NULL, NULL);    /* or stays */
    }
    mni_free(gone);
    return s;
}
