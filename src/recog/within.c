/* within.c - every row within a distance: the base by its index, the tail by looking,
 * merged. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "os/try.h"
#include "recog/query.h"

enum { SLICE = 64, QUERIES_A_CHUNK = 4 };

typedef struct found_rows { mni_near *items; size_t cap, n; } found_rows;
typedef struct job {
    const mni_query_view *view;
    size_t first;
    float distance;
    found_rows *found;
} job;

static int by_distance(const void *a, const void *b)
{
    const mni_near *x = a, *y = b;
    return mni_nearer(*x, *y) ? -1 : mni_nearer(*y, *x);
}

/* Tail rows behind the base rows that `f` holds, then all in order. */
static mann_status add_tail(const job *j, mni_asker *a, const float *query, found_rows *f,
                            mann_error *err)
{
    const mni_query_view *v = j->view;
    const mni_state *s = v->state;
    mni_state_scan_tail(s, query, a->tail);
    for (uint32_t i = 0; i < s->n_tail; i++) {
        const uint32_t row = s->base->rows.n + i;
        if (!(a->tail[i] <= j->distance) ||
            (v->keep && !v->keep((void *)(uintptr_t)v, row)))
            continue;
        if (!mni_grow((void **)&f->items, &f->cap, f->n + 1, sizeof *f->items))
            return mni_fail(err, MANN_E_NOMEM, "search: %zu hits", f->n);
        f->items[f->n++] = (mni_near){ a->tail[i], row };
    }
    qsort(f->items, f->n, sizeof *f->items, by_distance);
    if (v->search->k && f->n > v->search->k) f->n = v->search->k;
    return MANN_OK;
}

static mann_status within_range(void *ctx, size_t begin, size_t end, size_t chunk,
                                mann_error *err)
{
    const job *j = ctx;
    const mni_query_view *v = j->view;
    const mni_state *state = v->state;
    const mni_ann_params p = mni_query_params(v, v->search->k);
    mni_asker a;
    (void)chunk;
    mann_status s = mni_asker_init(&a, v, err);
    for (size_t q = begin; q < end && s == MANN_OK; q++) {
        const float *query = v->queries + (j->first + q) * v->dim;
        found_rows *f = &j->found[q];
        s = mni_ann_within(state->base->ann, &state->base->rows, query, j->distance, &p,
                           a.scratch, &f->items, &f->cap, &f->n, err);
        if (s == MANN_OK) s = add_tail(j, &a, query, f, err);
    }
    mni_asker_fini(&a);
    return s;
}

static mann_status hand_out(const job *j, size_t n, mann_hit **hits, size_t *cap,
                            mann_found_fn fn, void *user, int *enough, mann_error *err)
{
    for (size_t q = 0; q < n && !*enough; q++) {
        const found_rows *f = &j->found[q];
        if (!mni_grow((void **)hits, cap, f->n + 1, sizeof **hits))
            return mni_fail(err, MANN_E_NOMEM, "search: %zu hits", f->n);
        for (size_t i = 0; i < f->n; i++)
            (*hits)[i] = mni_query_hit(j->view, f->items[i]);
        *enough = fn(user, j->first + q, *hits, f->n);
    }
    return MANN_OK;
}

mann_status mni_gallery_within(mni_gallery *g, mann_matrix queries, float distance,
                               const mann_search *s, mni_pool *pool, mann_found_fn fn,
                               void *user, mann_error *err)
{
    mni_query_view v;
    found_rows found[SLICE] = { { 0 } };
    mann_hit *hits = NULL;
    size_t cap = 0;
    int enough = 0;
    mann_status status = mni_query_view_init(&v, g, queries, s, err);
    for (size_t at = 0; status == MANN_OK && !enough && at < v.n; at += SLICE) {
        const size_t n = v.n - at < SLICE ? v.n - at : SLICE;
        job j = { &v, at, distance, found };
        status = mni_parallel_try(pool, n, QUERIES_A_CHUNK, within_range, &j, err);
        if (status == MANN_OK)
            status = hand_out(&j, n, &hits, &cap, fn, user, &enough, err);
    }
    for (size_t i = 0; i < SLICE; i++) mni_free(found[i].items);
    mni_free(hits);
    mni_query_view_fini(&v);
    return status;
}
