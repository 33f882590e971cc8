/* ivf_change.c - inverted lists that change: rows come and go in place, or a new
 * structure is made from an old one. See ivf.h. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "index/ivf.h"

mann_status mni_ivf_own(mni_ann *a, mann_error *err)
{
    mni_ivf *v = mni_ivf_of(a);
    return mni_lists_own(&v->lists, v->n_rows, err);
}

/* --- in place ----------------------------------------------------------------------- */

static mann_status reserve(mni_ivf *v, const uint32_t *list, uint32_t n, uint32_t n_rows,
                           mann_error *err)
{
    mni_lists *l = &v->lists;
    uint32_t *more = mni_alloc(v->n_lists, sizeof *more);
    mann_status s = more ? MANN_OK : MANN_E_NOMEM;
    for (uint32_t i = 0; more && i < n; i++) more[list[i]]++;
    for (uint32_t i = 0; s == MANN_OK && i < v->n_lists; i++)
        if (more[i])
            s = mni_lists_reserve(l, i, l->list[i].n + more[i], MNI_IVF_FILL, err);
    mni_free(more);
    if (s == MANN_OK && l->cap_rows < n_rows) {
        const size_t cap = (size_t)n_rows + n_rows / 2;
        uint32_t *wider = mni_realloc(l->list_of, cap, sizeof *wider);
        if (wider) {
            l->list_of = wider;
            l->cap_rows = cap;
        } else {
            s = MANN_E_NOMEM;
        }
    }
    return s == MANN_OK ? s : mni_fail(err, s, "index: room for %lu rows in the lists",
                                       (unsigned long)n);
}

mann_status mni_ivf_add(mni_ann *a, const mni_rows *rows, uint32_t first, mni_pool *pool,
                        mann_error *err)
{
    mni_ivf *v = mni_ivf_of(a);
    const uint32_t n = rows->n - first;
    double sum = 0;
    uint32_t *list = mni_alloc(n, sizeof *list);
    mni_ivf_room r;
    mann_status s = mni_ivf_room_init(&r, v, err);
    r.later = 1;
    if (s == MANN_OK)
        s = list ? mni_ivf_own(a, err)
                 : mni_fail(err, MANN_E_NOMEM, "index: %lu rows to add",
                            (unsigned long)n);
    if (s == MANN_OK) s = mni_ivf_assign(v, rows, first, pool, list, &sum, err);
    if (s == MANN_OK) s = reserve(v, list, n, rows->n, err);
    for (uint32_t i = 0; s == MANN_OK && i < n; i++) {
        mni_list *to = &v->lists.list[list[i]];
        const uint32_t row = first + i;
        if (to->n == 0) mni_ivf_scale(v, rows, list[i], &row, 1, &r);
        mni_ivf_put(v, rows, list[i], to->n++, row, &r);
        v->lists.list_of[row] = list[i];
    }
    if (s == MANN_OK) {
        v->n_rows = rows->n;
        v->added += n;
        v->moved += sum;
    }
    mni_free(list);
    mni_ivf_room_fini(&r);
    return s;
}

mann_status mni_ivf_remove(mni_ann *a, const mni_rows *rows, const uint32_t *gone,
                           size_t n, mni_pool *pool, mann_error *err)
{
    mni_ivf *v = mni_ivf_of(a);
    mni_lists *l = &v->lists;
    (void)rows; (void)pool;
    MNI_TRY(mni_ivf_own(a, err));
    for (size_t i = 0; i < n; i++) {
        const uint32_t row = gone[i], last = --v->n_rows;
        uint32_t at;
        if (mni_lists_find(l, row, &at)) mni_lists_drop(l, l->list_of[row], at);
        if (row == last || !mni_lists_find(l, last, &at)) continue;
        const uint32_t list = l->list_of[last];
        mni_block_rows(mni_list_block(l, list, at / MNI_LIST_ROWS))[at % MNI_LIST_ROWS] =
            row;
        l->list_of[row] = list;
    }
    return MANN_OK;
}

/* --- a new one from an old one ------------------------------------------------------ */

/* Centres that were learned for other rows serve badly: after the set has doubled or lost
 * three quarters, or when the rows added since lie half as far again from their centres,
 * they are learned anew. */
static int outgrown(const mni_ivf *v, uint32_t n)
{
    if (v->learned / 4 > n || n / 2 > v->learned) return 1;
    return v->added > 1000 && v->added > v->learned / 10 &&
           v->moved / (double)v->added > 1.5 * v->error;
}

/* How many rows each list gets; list_of of all new rows. inverse: by old row, the new
 * one. */
static mann_status place(const mni_ivf *old, mni_ivf *v, const mni_ann_job *job,
                         const uint32_t *from, uint32_t *inverse, uint32_t *sizes,
                         uint32_t *list_of, mann_error *err)
{
    const uint32_t n = job->rows->n;
    double sum = 0;
    for (uint32_t i = 0; i < old->n_rows; i++) inverse[i] = MNI_NO_ROW;
    for (uint32_t i = 0; i < n; i++) list_of[i] = MNI_NO_ROW;
    for (uint32_t i = 0; i < n; i++)
        if (from[i] < old->n_rows) inverse[from[i]] = i;
    for (uint32_t l = 0; l < old->n_lists; l++)
        for (uint32_t at = 0; at < old->lists.list[l].n; at++) {
            const uint32_t row = mni_block_rows(mni_list_block(
                &old->lists, l, at / MNI_LIST_ROWS))[at % MNI_LIST_ROWS];
            if (row >= old->n_rows || inverse[row] == MNI_NO_ROW) continue;
            if (list_of[inverse[row]] != MNI_NO_ROW) continue;      /* damaged: twice */
            list_of[inverse[row]] = l;
            sizes[l]++;
        }
    /* new rows in runs, so that they are compared together */
    for (uint32_t i = 0; i < n; ) {
        uint32_t end = i;
        while (end < n && list_of[end] == MNI_NO_ROW) end++;
        if (end > i) {
            mni_rows run = *job->rows;
            double d = 0;
            run.n = end;
            MNI_TRY(mni_ivf_assign(v, &run, i, job->pool, list_of + i, &d, err));
            for (uint32_t j = i; j < end; j++) sizes[list_of[j]]++;
            v->added += end - i;
            sum += d;
        }
        i = end + 1;
    }
    v->moved += sum;
    return MANN_OK;
}

/* Old codes are copied, in their order; new rows come behind them. */
static void fill(const mni_ivf *old, mni_ivf *v, const mni_rows *rows,
                 const uint32_t *inverse, const uint32_t *list_of, mni_ivf_room *r)
{
    uint8_t *done = (uint8_t *)(void *)v->lists.list_of;    /* a mark a row, for now */
    for (uint32_t l = 0; l < v->n_lists; l++) v->lists.list[l].n = 0;
    memset(done, 0, rows->n);
    for (uint32_t l = 0; l < old->n_lists; l++)
        for (uint32_t at = 0; at < old->lists.list[l].n; at++) {
            uint8_t *block = mni_list_block(&old->lists, l, at / MNI_LIST_ROWS);
            const uint32_t row = mni_block_rows(block)[at % MNI_LIST_ROWS];
            if (row >= old->n_rows || inverse[row] == MNI_NO_ROW) continue;
            const uint32_t to = inverse[row], end = v->lists.list[l].n;
            if (done[to]) continue;
            uint8_t *into = mni_list_block(&v->lists, l, end / MNI_LIST_ROWS);
            done[to] = 1;
            mni_slot_copy(&v->lists, into, end % MNI_LIST_ROWS, block,
                          at % MNI_LIST_ROWS);
            mni_block_rows(into)[end % MNI_LIST_ROWS] = to;
            v->lists.list[l].n++;
        }
    for (uint32_t row = 0; row < rows->n; row++) {
        if (done[row]) continue;
        mni_list *to = &v->lists.list[list_of[row]];
        if (to->n == 0) mni_ivf_scale(v, rows, list_of[row], &row, 1, r);
        mni_ivf_put(v, rows, list_of[row], to->n++, row, r);
    }
    memcpy(v->lists.list_of, list_of, rows->n * sizeof *list_of);
}

static mann_status same_centres(const mni_ivf *old, const mni_rows *rows, mni_ivf **out,
                                mann_error *err)
{
    mni_ivf *v;
    MNI_TRY(mni_ivf_new(&v, rows, old->n_lists, err));
    memcpy(v->centre, old->centre, (size_t)v->n_lists * v->dim * sizeof *v->centre);
    memcpy(v->around, old->around, v->n_lists * sizeof *v->around);
    v->learned = old->learned;
    v->error = old->error;
    v->moved = old->moved;
    v->added = old->added;
    v->base.knob = old->base.knob;
    v->margin = old->margin;
    mann_status s = mni_centres_init(&v->centres, v->centre, v->n_lists, v->dim,
                                     v->metric, old->centres.middle, err);
    if (s == MANN_OK && old->pq) s = mni_pq_copy(&v->pq, old->pq, err);
    if (s != MANN_OK) mni_ivf_free(&v->base);
    else *out = v;
    return s;
}

mann_status mni_ivf_fold(mni_ann **out, const mni_ann *a, const mni_ann_job *job,
                         const uint32_t *from, mann_error *err)
{
    const mni_ivf *old = mni_ivf_const(a);
    const uint32_t n = job->rows->n;
    mni_ivf *v;
    *out = NULL;
    if (outgrown(old, n)) return mni_ivf_build(out, a->spec, job, err);
    MNI_TRY(same_centres(old, job->rows, &v, err));
    uint32_t *inverse = mni_alloc(old->n_rows, sizeof *inverse);
    uint32_t *sizes = mni_alloc(v->n_lists, sizeof *sizes);
    uint32_t *list_of = mni_alloc((size_t)n + 1, sizeof *list_of);
    uint32_t *keep = mni_alloc((size_t)n + 1, sizeof *keep);
    mni_ivf_room r = { 0 };
    mann_status s = inverse && sizes && list_of && keep &&
                            mni_ivf_room_init(&r, v, NULL) == MANN_OK
                        ? place(old, v, job, from, inverse, sizes, list_of, err)
                        : mni_fail(err, MANN_E_NOMEM, "index: lists of %lu rows",
                                   (unsigned long)n);
    if (s == MANN_OK)
        s = mni_ivf_lists(v, sizes, err);
    if (s == MANN_OK) {
        v->lists.list_of = keep;
        v->lists.cap_rows = (size_t)n + 1;
        keep = NULL;
        r.later = 1;
        fill(old, v, job->rows, inverse, list_of, &r);
        *out = &v->base;
    } else {
        mni_ivf_free(&v->base);
    }
    mni_free(inverse);
    mni_free(sizes);
    mni_free(list_of);
    mni_free(keep);
    mni_ivf_room_fini(&r);
    return s;
}
