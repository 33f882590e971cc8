/* loss.c - see loss.h: the frame round the losses, which are in triplet.c, contrastive.c
 * and npair.c; those with proxies are in proxies.c. SPDX-License-Identifier: MIT */
#include "nn/loss.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "nn/loss_table.h"

mni_loss_config mni_loss_default(void)
{
    return (mni_loss_config){ MNI_LOSS_TRIPLET, MNI_MINE_SEMI_HARD, 0.2f, 0, 0.1f, 0, 0 };
}

_Static_assert(sizeof(size_t) <= sizeof(double), "numbers lie behind the tables");

static void fill_pairs(mni_loss_table *t, const float *e, size_t dim,
                       mni_loss_result *out)
{
    double sum[2] = { 0, 0 };
    size_t count[2] = { 0, 0 };
    for (size_t a = 0; a < t->n; a++)
        for (size_t b = a; b < t->n; b++) {
            double s = 0;
            for (size_t j = 0; j < dim; j++) s += (double)e[a * dim + j] * e[b * dim + j];
            double squared = 2 - 2 * s;
            double d = sqrt(squared < MNI_DISTANCE_FLOOR ? MNI_DISTANCE_FLOOR : squared);
            t->s[a * t->n + b] = t->s[b * t->n + a] = s;
            t->d[a * t->n + b] = t->d[b * t->n + a] = d;
            if (a == b) continue;
            sum[mni_same(t, a, b)] += d;
            count[mni_same(t, a, b)]++;
        }
    out->mean_negative = count[0] ? sum[0] / (double)count[0] : NAN;
    out->mean_positive = count[1] ? sum[1] / (double)count[1] : NAN;
}

/* Mean and variance of each dimension. Few batches have a mean of exactly 0 deviation:
 * what rounding leaves of one spot is counted as 0. */
static void fill_spread(const float *e, size_t n, size_t dim, mni_loss_result *out)
{
    double all = 0, squares = 0;
    for (size_t j = 0; n && j < dim; j++) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < n; i++) mean += e[i * dim + j];
        mean /= (double)n;
        for (size_t i = 0; i < n; i++) {
            const double off = e[i * dim + j] - mean;
            variance += off * off;
        }
        variance /= (double)n;
        all += variance;
        squares += variance * variance;
    }
    if (!(all > MNI_DISTANCE_FLOOR)) return;
    out->spread = sqrt(all);
    out->dims = all * all / squares;
}

static void back_to_embeddings(const mni_loss_table *t, const float *e, size_t dim,
                               double *row, float *de)
{
    for (size_t a = 0; a < t->n; a++) {
        memset(row, 0, dim * sizeof *row);
        for (size_t b = 0; b < t->n; b++) {
            const double pull = t->pull[a * t->n + b] + t->pull[b * t->n + a];
            if (pull == 0) continue;
            for (size_t j = 0; j < dim; j++) row[j] += pull * e[b * dim + j];
        }
        for (size_t j = 0; j < dim; j++) de[a * dim + j] = (float)row[j];
    }
}

mann_status mni_loss_compute(const mni_loss_config *c, const float *embeddings,
                             const uint32_t *labels, size_t n, size_t dim,
                             mni_loss_result *out, float *d_embeddings, mann_error *err)
{
    *out = (mni_loss_result){ .mean_positive = NAN, .mean_negative = NAN };
    if (n > 65536)
        return mni_fail(err, MANN_E_LIMIT,
                        "loss: batch of %zu images, wanted at most 65536", n);
    double *room = mni_alloc(3 * n * n + dim + 2 * n, sizeof *room);
    if (!room) return mni_fail(err, MANN_E_NOMEM, "loss: table of %zu x %zu", n, n);
    size_t *numbers = (size_t *)(void *)(room + 3 * n * n + dim);
    mni_loss_table t = { n, labels, room, room + n * n, room + 2 * n * n, numbers,
                         numbers + n };
    int finite = 1;
    for (size_t i = 0; i < n * dim; i++) finite &= isfinite(embeddings[i]) != 0;
    fill_pairs(&t, embeddings, dim, out);
    if (finite) fill_spread(embeddings, n, dim, out);
    if (!finite) out->loss = NAN;
    else if (c->kind == MNI_LOSS_TRIPLET) mni_triplet_fill(c, &t, out);
    else if (c->kind == MNI_LOSS_CONTRASTIVE) mni_contrastive_fill(c, &t, out);
    else if (c->kind == MNI_LOSS_SUPCON) mni_supcon_fill(c, &t, out);
    else if (c->kind == MNI_LOSS_NPAIR) mni_npair_fill(c, &t, out);
    if (d_embeddings)
        back_to_embeddings(&t, embeddings, dim, room + 3 * n * n, d_embeddings);
    mni_free(room);
    return MANN_OK;
}
