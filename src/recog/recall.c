/* recall.c - does the index still find what an exact search finds?
 *
 * verify sees to it that the index can be followed: links within, every row reachable.
 * Whether they lead to the nearest rows, no structure tells: that is measured here. A
 * sample of stored rows, drawn by the gallery's seed, asks for its k nearest, once as
 * every search asks and once by looking at each row. A found row counts when it is no
 * further away than the last of the true k (which of two twins is named is no fault), by
 * distances that are computed again here, and counts once.
 *
 * Stored rows are easier to find than new photos (`tune` asks with harder ones): what is
 * measured here is damage, not quality. The tail is left out: it is always looked at row
 * by row. Interval: E. B. Wilson, "Probable inference, the law of succession, and
 * statistical inference", JASA 1927, with the rows asked as the number of trials, which
 * is cautious: each of them is k. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "recog/query.h"

enum { SAMPLE = 1000 };

typedef struct survey {
    const mni_query_view *view;
    uint32_t k;
    size_t n;
    mni_near *found, *truth;            /* n x k */
    size_t *n_found, *n_truth;
} survey;

/* The rows that are asked, drawn without replacement; fewer than `want` if there are no
 * more (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S). */
static size_t draw(const mni_state *s, uint64_t want, float *out)
{
    const uint32_t n = s->base->rows.n, dim = s->base->meta.dim;
    uint64_t left = 0, taken = 0;
    for (uint32_t row = 0; row < n; row++) left += (uint64_t)mni_state_alive(s, row);
    for (uint32_t row = 0; row < n && taken < want; row++) {
        if (!mni_state_alive(s, row)) continue;
        mni_rng r = mni_rng_at(s->base->meta.seed, MNI_FOR_TUNE, 77, row, 0);
        if (mni_rng_below(&r, (uint32_t)left--) < want - taken)
            mni_rows_get(&s->base->rows, row, out + taken++ * dim);
    }
    return (size_t)taken;
}

static size_t hits(const survey *v, size_t q)
{
    const mni_rows *rows = &v->view->state->base->rows;
    const float *query = v->view->queries + q * v->view->dim;
    const mni_near *found = v->found + q * v->k, *truth = v->truth + q * v->k;
    const size_t n = v->n_truth[q];
    size_t right = 0;
    for (size_t i = 0; i < v->n_found[q] && n; i++) {
        float d;
        int again = 0;
        for (size_t j = 0; j < i; j++) again |= found[j].row == found[i].row;
        if (again || found[i].row >= rows->n ||
            !mni_state_alive(v->view->state, found[i].row))
            continue;
        mni_rows_scan(rows, query, found[i].row, found[i].row + 1, &d);
        right += d <= truth[n - 1].distance;
    }
    return right < n ? right : n;
}

/* Wilson's interval of a share p of n, 95 %. */
static void interval(double p, double n, double *low, double *high)
{
    const double z = 1.959964, zz = z * z / n;
    const double middle = (p + zz / 2) / (1 + zz);
    const double half = z / (1 + zz) * sqrt(p * (1 - p) / n + zz / (4 * n));
    *low = fmax(0, middle - half);
    *high = fmin(1, middle + half);
}

static mann_status ask_both(survey *v, mni_pool *pool, mann_error *err)
{
    const mni_base *b = v->view->state->base;
    const mni_ann_params p = mni_query_params(v->view, v->k);
    const mni_ann_job job = { .rows = &b->rows };
    mni_ann *flat;
    v->found = mni_alloc(v->n + 1, v->k * sizeof *v->found);
    v->truth = mni_alloc(v->n + 1, v->k * sizeof *v->truth);
    v->n_found = mni_alloc(v->n + 1, sizeof *v->n_found);
    v->n_truth = mni_alloc(v->n + 1, sizeof *v->n_truth);
    if (!v->found || !v->truth || !v->n_found || !v->n_truth)
        return mni_fail(err, MANN_E_NOMEM, "recall: answers of %zu rows", v->n);
    MNI_TRY(mni_ann_search_batch(b->ann, &b->rows, v->view->queries, v->n, &p, pool,
                                 v->found, v->n_found, err));
    MNI_TRY(mni_ann_build(&flat, "Flat", &job, err));
    const mann_status s = mni_ann_search_batch(flat, &b->rows, v->view->queries, v->n, &p,
                                               pool, v->truth, v->n_truth, err);
    mni_ann_free(flat);
    return s;
}

static void sum_up(const survey *v, mann_recall *out)
{
    const mni_state *s = v->view->state;
    const char *knob = mni_ann_knob_name(s->base->ann);
    uint64_t right = 0, all = 0;
    for (size_t q = 0; q < v->n; q++) {
        right += hits(v, q);
        all += v->n_truth[q];
    }
    *out = (mann_recall){ .struct_size = sizeof *out, .k = v->k, .n_rows = v->n,
                          .recall = 1, .low = 1, .high = 1, .value = s->knob };
    snprintf(out->knob, sizeof out->knob, "%s", knob ? knob : "");
    if (!all) return;
    out->recall = (double)right / (double)all;
    interval(out->recall, (double)v->n, &out->low, &out->high);
}

mann_status mni_gallery_recall(mni_gallery *g, uint64_t n, uint32_t k, mni_pool *pool,
                               mann_recall *out, mann_error *err)
{
    mann_search how;
    mni_query_view view;
    survey v = { .k = k, .view = &view };
    mni_state *state = mni_gallery_state(g);
    const uint32_t dim = state->base->meta.dim, n_rows = state->base->rows.n;
    if (n == 0) n = SAMPLE;
    if (n > n_rows) n = n_rows;
    if (v.k > n_rows) v.k = n_rows;
    float *rows = mni_alloc((size_t)n + 1, dim * sizeof *rows);
    if (!rows) {
        mni_state_release(state);
        return mni_fail(err, MANN_E_NOMEM, "%s: a sample of its rows", g->path);
    }
    v.n = draw(state, n, rows);
    how = (mann_search){ .struct_size = sizeof how, .k = v.k };
    mann_status s = mni_query_view_init(
        &view, g, (mann_matrix){ rows, v.n, dim, dim }, &how, err);
    if (s == MANN_OK && v.n) s = ask_both(&v, pool, err);
    if (s == MANN_OK) sum_up(&v, out);
    mni_query_view_fini(&view);
    mni_free(v.found);
    mni_free(v.truth);
    mni_free(v.n_found);
    mni_free(v.n_truth);
    mni_free(rows);
    mni_state_release(state);
    return s;
}
