/* tune.c - the cheapest ef or nprobe that finds a stated share of the nearest rows.
 *
 * Recall grows with the knob, and so does work. The values 8, 16, 32, ... are tried until
 * one is enough; then the interval below it is halved until a sixteenth of it is left:
 *
 *     recall  1.0 |                 ......o
 *                 |           ..o
 *          wanted |- - - - -o- - - - - - -         o tried: 8 16 32 64, then 48, 40
 *                 |      o
 *                 |   o
 *                 +---8--16---32----64------ ef
 *
 * The queries must not be stored rows: a row finds itself at once, and its links lead to
 * the very rows that are asked for. Without queries of the user's they are made: a stored
 * row, pushed away from its nearest neighbour by the distance between the two, is about
 * as far from what is stored as a new vector would be. SPDX-License-Identifier: MIT */
#include "index/tune.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "index/kinds.h"

#define PUSH 0.7f               /* see the file's head; measured in README.md */

typedef struct trial {
    const mni_ann *a;
    const mni_rows *rows;
    const float *queries;
    size_t n;
    uint32_t k;
    mni_near *truth, *found;    /* n x k */
    size_t *n_truth, *n_found;
    mni_pool *pool;
    uint32_t n_tried;
} trial;

/* Share of the true neighbours that were found. Equal distances count as found: which of
 * two twins is named is no fault. */
static double recall_of(const trial *t)
{
    size_t right = 0, all = 0;
    for (size_t q = 0; q < t->n; q++) {
        const mni_near *truth = t->truth + q * t->k, *found = t->found + q * t->k;
        const size_t n = t->n_truth[q];
        for (size_t i = 0; i < t->n_found[q]; i++)
            right += n && found[i].distance <= truth[n - 1].distance;
        all += n;
    }
    return all ? (double)right / (double)all : 1.0;
}

static mann_status try_value(trial *t, uint32_t value, double *recall, mann_error *err)
{
    const mni_ann_params p = { .k = t->k, .ef = value, .nprobe = value };
    MNI_TRY(mni_ann_search_batch(t->a, t->rows, t->queries, t->n, &p, t->pool, t->found,
                                 t->n_found, err));
    t->n_tried++;
    *recall = recall_of(t);
    return MANN_OK;
}

static mann_status seek(trial *t, double wanted, mni_tuned *out, mann_error *err)
{
    const int is_ef = strcmp(mni_ann_knob_name(t->a), "ef") == 0;
    const uint32_t most = is_ef ? 4096 : t->rows->n < MNI_MAX_KNOB ? t->rows->n + 1
                                                                   : MNI_MAX_KNOB;
    uint32_t low = 0, high = is_ef ? (t->k > 8 ? t->k : 8) : 1;
    double recall;
    for (;; low = high, high *= 2) {
        if (high > most) high = most;
        MNI_TRY(try_value(t, high, &recall, err));
        *out = (mni_tuned){ high, recall, t->n_tried };
        if (recall >= wanted || high == most) break;
    }
    if (recall < wanted) return MANN_OK;
    if (is_ef && low < t->k) low = t->k - 1;    /* ef below k is k */
    while (high - low > 1 && high - low > high / 16) {
        const uint32_t middle = low + (high - low) / 2;
        MNI_TRY(try_value(t, middle, &recall, err));
        if (recall >= wanted) {
            high = middle;
            *out = (mni_tuned){ high, recall, t->n_tried };
        } else {
            low = middle;
        }
    }
    out->n_tried = t->n_tried;
    return MANN_OK;
}

static mann_status exact(const mni_rows *rows, const float *queries, size_t n, uint32_t k,
                         mni_pool *pool, mni_near *out, size_t *n_out, mann_error *err)
{
    mni_ann *flat;
    const mni_ann_job job = { .rows = rows };
    const mni_ann_params p = { .k = k };
    MNI_TRY(mni_ann_build(&flat, "Flat", &job, err));
    mann_status s = mni_ann_search_batch(flat, rows, queries, n, &p, pool, out, n_out,
                                         err);
    mni_ann_free(flat);
    return s;
}

mann_status mni_ann_tune(const mni_ann *a, const mni_rows *rows, const float *queries,
                         size_t n, uint32_t k, double recall, mni_pool *pool,
                         mni_tuned *out, mann_error *err)
{
    *out = (mni_tuned){ .recall = 1.0 };
    if (!mni_ann_knob_name(a) || rows->n == 0 || n == 0) return MANN_OK;
    if (k > rows->n) k = rows->n;
    trial t = { .a = a, .rows = rows, .queries = queries, .n = n, .k = k, .pool = pool };
    t.truth = mni_alloc(n, k * sizeof *t.truth);
    t.found = mni_alloc(n, k * sizeof *t.found);
    t.n_truth = mni_alloc(n, sizeof *t.n_truth);
    t.n_found = mni_alloc(n, sizeof *t.n_found);
    mann_status s = MANN_OK;
    if (!t.truth || !t.found || !t.n_truth || !t.n_found)
        s = mni_fail(err, MANN_E_NOMEM, "tune: answers of %llu queries",
                     (unsigned long long)n);
    if (s == MANN_OK)
        s = exact(rows, queries, n, k, pool, t.truth, t.n_truth, err);
    if (s == MANN_OK) s = seek(&t, recall, out, err);
    mni_free(t.truth);
    mni_free(t.found);
    mni_free(t.n_truth);
    mni_free(t.n_found);
    return s;
}

void mni_tuned_tell(const mni_tuned *t, const mni_ann *a, mann_tuned *out)
{
    const char *knob = mni_ann_knob_name(a);
    *out = (mann_tuned){ .struct_size = sizeof *out, .value = t->value,
                         .n_tried = t->n_tried, .recall = t->recall };
    snprintf(out->knob, sizeof out->knob, "%s", knob ? knob : "");
}

/* --- queries ------------------------------------------------------------------------ */

/* The nearest row that is not the same vector. */
static const mni_near *neighbour(const mni_near *near, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (near[i].distance > 0.0f) return &near[i];
    return NULL;
}

mann_status mni_tune_queries(const mni_rows *rows, uint64_t seed, mni_pool *pool,
                             float **out, size_t *n, mann_error *err)
{
    enum { NEAR = 8 };
    const uint32_t dim = rows->dim;
    const size_t most = rows->n < MNI_TUNE_QUERIES ? rows->n : MNI_TUNE_QUERIES;
    const uint32_t k = rows->n < NEAR ? rows->n : NEAR;
    float *q = mni_alloc(most + 1, dim * sizeof *q);
    float *other = mni_alloc(dim, sizeof *other);
    mni_near *near = mni_alloc(most * k + 1, sizeof *near);
    size_t *found = mni_alloc(most + 1, sizeof *found);
    mann_status s = q && other && near && found
                        ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "tune: queries");
    for (size_t i = 0; s == MANN_OK && i < most; i++) {
        mni_rng r = mni_rng_at(seed, MNI_FOR_TUNE, 0, 0, i);
        mni_rows_get(rows, mni_rng_below(&r, rows->n), q + i * dim);
    }
    if (s == MANN_OK) s = exact(rows, q, most, k, pool, near, found, err);
    for (size_t i = 0; s == MANN_OK && i < most; i++) {
        float *v = q + i * dim;
        const mni_near *to = neighbour(near + i * k, found[i]);
        if (!to) continue;
        mni_rows_get(rows, to->row, other);
        for (uint32_t d = 0; d < dim; d++) v[d] += PUSH * (v[d] - other[d]);
        s = mni_rows_prepare(rows->metric, v, dim, "tune query", i, err);
    }
    mni_free(other);
    mni_free(near);
    mni_free(found);
    if (s != MANN_OK) {
        mni_free(q);
        return s;
    }
    *out = q;
    *n = most;
    return MANN_OK;
}
