/* prototype.c - prototypes of classes of a gallery, gathered from base and tail when they
 * are wanted. Nothing of them is stored: a row more or less changes no file.
 * SPDX-License-Identifier: MIT */
#include "recog/prototype.h"

#include <string.h>

#include "base/idmap.h"
#include "base/mem.h"

/* Room: sums (n x dim doubles) and one row. */
static int make_room(mni_asker *a, size_t n, size_t dim)
{
    if (!mni_grow((void **)&a->sums, &a->sums_cap, n * dim + 1, sizeof *a->sums) ||
        !mni_grow((void **)&a->row, &a->row_cap, dim, sizeof *a->row))
        return 0;
    memset(a->sums, 0, n * dim * sizeof *a->sums);
    return 1;
}

static void gather_row(mni_asker *a, const mni_query_view *v, uint32_t row, double *sum,
                       uint32_t *count)
{
    if (v->keep && !v->keep((void *)(uintptr_t)v, row)) return;
    mni_state_vector(v->state, row, a->row);
    for (size_t i = 0; i < v->dim; i++) sum[i] += (double)a->row[i];
    ++*count;
}

static mann_status gather_tail(mni_asker *a, const mni_query_view *v,
                               const uint32_t *klass, size_t n, uint32_t *count,
                               mann_error *err)
{
    const mni_state *s = v->state;
    mni_idmap place = { 0 };
    int ok = 1;
    for (size_t i = 0; ok && s->n_tail && i < n; i++)
        ok = mni_idmap_put(&place, klass[i], (uint32_t)i);
    for (uint32_t t = 0; ok && t < s->n_tail; t++) {
        const uint32_t row = s->base->rows.n + t, own = mni_state_class(s, row);
        uint32_t at;
        if (own != MANN_NO_CLASS && mni_idmap_get(&place, own, &at))
            gather_row(a, v, row, a->sums + (size_t)at * v->dim, &count[at]);
    }
    mni_idmap_fini(&place);
    return ok ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "search: %zu classes", n);
}

mann_status mni_prototypes(mni_asker *a, const mni_query_view *v, const float *query,
                           const uint32_t *klass, size_t n, float *score, uint32_t *count,
                           mann_error *err)
{
    const mni_base *b = v->state->base;
    if (!make_room(a, n, v->dim))
        return mni_fail(err, MANN_E_NOMEM, "search: prototypes of %zu classes", n);
    for (size_t i = 0; i < n; i++) {
        const uint32_t k = klass[i];
        count[i] = 0;
        if (k >= b->meta.n_classes) continue;
        for (uint32_t at = b->class_at[k]; at < b->class_at[k + 1] && at < b->rows.n;
             at++)
            if (b->class_rows[at] < b->rows.n)
                gather_row(a, v, b->class_rows[at], a->sums + i * v->dim, &count[i]);
    }
    MNI_TRY(gather_tail(a, v, klass, n, count, err));
    for (size_t i = 0; i < n; i++)
        score[i] = mni_prototype_score((mann_metric)b->meta.metric, query,
                                       a->sums + i * v->dim, NULL, count[i], v->dim);
    return MANN_OK;
}

mann_status mni_judged_score(mni_asker *a, const mni_query_view *v, const float *query,
                             mni_near near, float *score, mann_error *err)
{
    const mni_state *s = v->state;
    const mann_metric metric = (mann_metric)s->base->meta.metric;
    const uint32_t klass = mni_state_class(s, near.row);
    float prototype;
    uint32_t n;
    *score = mni_score(metric, near.distance);
    if (!mni_blends(metric) || klass == MANN_NO_CLASS || s->n_live == s->n_live_classes)
        return MANN_OK;
    MNI_TRY(mni_prototypes(a, v, query, &klass, 1, &prototype, &n, err));
    *score = mni_blend_score(*score, prototype, n);
    return MANN_OK;
}
