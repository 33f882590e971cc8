/* proxies.c - see proxies.h. How to read it: `choose` says which proxies take part,
 * `go_by` carries them past in shards, `learn_*` do with a shard what the loss says, and
 * `descend` moves its rows. SPDX-License-Identifier: MIT */
#include "nn/proxies.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "kern/kern_ew.h"
#include "nn/product.h"

/* Cosines in memory: one shard is at most CELLS numbers, and at least LEAST columns. */
enum { CELLS = 1 << 19, LEAST = 64, MOST = 4096 };
enum { COLUMNS = 128, ROWS = 8 }; /* of a shard, for one thread at a time */

typedef struct row_sums {
    double top, sum;        /* of exp(z - top) over all proxies so far */
    double own, slope;      /* z of the own proxy, and dz / ds there */
    double other;           /* the nearest wrong one: z without margin */
} row_sums;

struct mni_proxies {
    uint32_t n_classes, dim, sample;
    size_t max_batch, width; /* columns of a shard */
    mni_pool *pool;
    float *rows, *momentum;
    uint32_t *active;       /* classes that take part; NULL: all of them */
    size_t n_active;
    uint32_t *target;       /* of each picture: its place among the active */
    row_sums *sums;
    float *shard;           /* width x dim: the rows as they are now */
    float *d_shard;         /* width x dim */
    float *cells;           /* max_batch x width: cosines, then gradients */
    double *column_loss;    /* width */
    float *workspace;
};

/* --- making ------------------------------------------------------------------------- */

static size_t width_of(size_t n_active, size_t max_batch)
{
    size_t width = CELLS / (max_batch ? max_batch : 1);
    if (width < LEAST) width = LEAST;
    if (width > MOST) width = MOST;
    return width > n_active ? n_active : width;
}

static int samples(uint32_t n_classes, uint32_t sample)
{
    return sample > 0 && sample < n_classes;
}

static size_t most_active(uint32_t n_classes, size_t max_batch, uint32_t sample)
{
    if (!samples(n_classes, sample)) return n_classes;
    const size_t most = sample > max_batch ? sample : max_batch;
    return most > n_classes ? n_classes : most;
}

static size_t workspace_of(size_t n, size_t width, size_t dim)
{
    const size_t z = mni_product_floats(MNI_GEMM_NT, n, width, dim),
                 de = mni_product_floats(MNI_GEMM_NN, n, dim, width),
                 dw = mni_product_floats(MNI_GEMM_TN, width, dim, n);
    const size_t most = z > de ? z : de;
    return most > dw ? most : dw;
}

size_t mni_proxies_bytes(uint32_t n_classes, uint32_t dim, size_t max_batch,
                         uint32_t sample)
{
    const size_t most = most_active(n_classes, max_batch, sample),
                 width = width_of(most, max_batch);
    return sizeof(mni_proxies) + 2 * (size_t)n_classes * dim * sizeof(float) +
           (samples(n_classes, sample) ? most : 0) * sizeof(uint32_t) +
           max_batch * (sizeof(uint32_t) + sizeof(row_sums)) +
           (2 * width * dim + max_batch * width) * sizeof(float) +
           width * sizeof(double) + workspace_of(max_batch, width, dim) * sizeof(float);
}

mann_status mni_proxies_new(mni_proxies **out, uint32_t n_classes, uint32_t dim,
                            size_t max_batch, uint32_t sample, mni_pool *pool,
                            mann_error *err)
{
    *out = NULL;
    mni_proxies *p = mni_alloc(1, sizeof *p);
    if (!p) return mni_fail(err, MANN_E_NOMEM, "proxies: header");
    const size_t most = most_active(n_classes, max_batch, sample);
    p->n_classes = n_classes;
    p->dim = dim;
    p->sample = samples(n_classes, sample) ? sample : 0;
    p->max_batch = max_batch;
    p->width = width_of(most, max_batch);
    p->pool = pool;
    p->rows = mni_alloc_aligned(n_classes, dim * sizeof *p->rows, 1);
    p->momentum = mni_alloc_aligned(n_classes, dim * sizeof *p->momentum, 1);
    p->active = p->sample ? mni_alloc(most, sizeof *p->active) : NULL;
    p->target = mni_alloc(max_batch, sizeof *p->target);
    p->sums = mni_alloc(max_batch, sizeof *p->sums);
    p->shard = mni_alloc_aligned(p->width, dim * sizeof *p->shard, 0);
    p->d_shard = mni_alloc_aligned(p->width, dim * sizeof *p->d_shard, 0);
    p->cells = mni_alloc_aligned(max_batch, p->width * sizeof *p->cells, 0);
    p->column_loss = mni_alloc(p->width, sizeof *p->column_loss);
    p->workspace = mni_alloc_aligned(workspace_of(max_batch, p->width, dim),
                                     sizeof *p->workspace, 0);
    if (!p->rows || !p->momentum || (p->sample && !p->active) || !p->target || !p->sums ||
        !p->shard || !p->d_shard || !p->cells || !p->column_loss || !p->workspace) {
        mni_proxies_free(p);
        return mni_fail(err, MANN_E_NOMEM, "proxies: %u of %u numbers",
                        (unsigned)n_classes, (unsigned)dim);
    }
    *out = p;
    return MANN_OK;
}

void mni_proxies_free(mni_proxies *p)
{
    if (!p) return;
    mni_free(p->rows);
    mni_free(p->momentum);
    mni_free(p->active);
    mni_free(p->target);
    mni_free(p->sums);
    mni_free(p->shard);
    mni_free(p->d_shard);
    mni_free(p->cells);
    mni_free(p->column_loss);
    mni_free(p->workspace);
    mni_free(p);
}

float *mni_proxies_rows(mni_proxies *p) { return p->rows; }
float *mni_proxies_momentum(mni_proxies *p) { return p->momentum; }
size_t mni_proxies_floats(const mni_proxies *p) { return (size_t)p->n_classes * p->dim; }

static void to_sphere(float *row, size_t dim)
{
    double squares = 0;
    for (size_t j = 0; j < dim; j++) squares += (double)row[j] * row[j];
    const double root = sqrt(squares);
    if (!(root > 1e-12)) return;
    for (size_t j = 0; j < dim; j++) row[j] = (float)(row[j] / root);
}

void mni_proxies_init(mni_proxies *p, uint64_t seed)
{
    memset(p->momentum, 0, mni_proxies_floats(p) * sizeof *p->momentum);
    for (uint32_t k = 0; k < p->n_classes; k++) {
        float *row = p->rows + (size_t)k * p->dim;
        mni_rng r = mni_rng_at(seed, MNI_FOR_PROXIES, 0, 0, k);
        for (size_t j = 0; j < p->dim; j++) row[j] = mni_rng_normal(&r);
        to_sphere(row, p->dim);
    }
}

/* --- who takes part ----------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static size_t place_of(const uint32_t *sorted, size_t n, uint32_t klass)
{
    size_t low = 0, high = n;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (sorted[middle] < klass) low = middle + 1; else high = middle;
    }
    return low;
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b) {
        const uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The batch's classes in order, then others: start, start + stride, start + 2 stride ...
 * round the circle of classes, from a start and by a stride that are drawn anew in each
 * step. A stride without a common divisor meets every class once before it meets one
 * twice, so nothing need be remembered to draw without repeating. */
static void choose(mni_proxies *p, const mni_proxy_step *o, const uint32_t *labels,
                   size_t n)
{
    size_t n_own = 0;
    if (!p->sample) {
        memcpy(p->target, labels, n * sizeof *p->target);
        p->n_active = p->n_classes;
        return;
    }
    memcpy(p->target, labels, n * sizeof *p->target);
    qsort(p->target, n, sizeof *p->target, by_number);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || p->target[i] != p->target[i - 1])
            p->active[n_own++] = p->target[i];
    for (size_t i = 0; i < n; i++)
        p->target[i] = (uint32_t)place_of(p->active, n_own, labels[i]);
    mni_rng r = mni_rng_at(o->seed, MNI_FOR_PROXIES, 1, o->step, 0);
    uint32_t at = mni_rng_below(&r, p->n_classes), stride;
    do stride = 1 + mni_rng_below(&r, p->n_classes - 1);
    while (common_divisor(p->n_classes, stride) != 1);
    p->n_active = n_own;
    while (p->n_active < p->sample) {
        const size_t place = place_of(p->active, n_own, at);
        if (place == n_own || p->active[place] != at) p->active[p->n_active++] = at;
        at = (uint32_t)(((uint64_t)at + stride) % p->n_classes);
    }
}

/* --- a shard ------------------------------------------------------------------------ */

typedef struct learning {
    mni_proxies *p;
    const mni_loss_config *c;
    const mni_proxy_step *o;
    const float *e;
    size_t n;
    size_t first, width;    /* the shard: these of the active */
    double heat, n_here;    /* proxies with pictures in this batch */
} learning;

static float *row_of(const learning *l, float *block, size_t column)
{
    const mni_proxies *p = l->p;
    const size_t place = l->first + column;
    return block + (p->active ? p->active[place] : place) * (size_t)p->dim;
}

/* Its rows side by side, and their cosines with the batch. */
static void bring(learning *l, size_t first)
{
    mni_proxies *p = l->p;
    const size_t dim = p->dim;
    l->first = first;
    l->width = p->n_active - first < p->width ? p->n_active - first : p->width;
    for (size_t j = 0; j < l->width; j++)
        memcpy(p->shard + j * dim, row_of(l, p->rows, j), dim * sizeof *p->shard);
    const mni_gemm_args g =
        mni_product_args(MNI_GEMM_NT, l->n, l->width, dim, (mni_mat){ l->e, dim },
                         (mni_mat){ p->shard, dim }, p->cells, l->width, 0);
    mni_gemm(&g, p->pool, p->workspace);
}

static void move_rows(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const learning *l = ctx;
    const size_t dim = l->p->dim;
    (void)chunk;
    for (size_t j = begin; j < end; j++) {
        float *g = l->p->d_shard + j * dim, *row = row_of(l, l->p->rows, j);
        double along = 0;       /* what moves a row along itself is taken out */
        for (size_t k = 0; k < dim; k++) along += (double)g[k] * row[k];
        for (size_t k = 0; k < dim; k++) g[k] = (float)(g[k] - along * row[k]);
        mni_kern_ew_best()->sgd(row, row_of(l, l->p->momentum, j), g, 1, 0,
                                l->o->momentum, l->o->rate, 1, dim);
        to_sphere(row, dim);
    }
}

/* The cells hold the loss's slopes by the cosines: on to the pictures and the proxies. */
static void descend(learning *l, float *de)
{
    mni_proxies *p = l->p;
    const size_t dim = p->dim;
    const mni_mat cells = { p->cells, l->width };
    const mni_gemm_args to_pictures =
        mni_product_args(MNI_GEMM_NN, l->n, dim, l->width, cells,
                         (mni_mat){ p->shard, dim }, de, dim, l->first > 0);
    const mni_gemm_args to_proxies =
        mni_product_args(MNI_GEMM_TN, l->width, dim, l->n, cells, (mni_mat){ l->e, dim },
                         p->d_shard, dim, 0);
    mni_gemm(&to_pictures, p->pool, p->workspace);
    if (!(l->o->rate > 0)) return;
    mni_gemm(&to_proxies, p->pool, p->workspace);
    mni_parallel_for(p->pool, l->width, COLUMNS, move_rows, l);
}

/* --- softmax and its margins -------------------------------------------------------- */

/* The own cosine after the margin, and its slope. sin is kept from 0, where the slope of
 * the angle has no end; the unit vectors' own slope is 0 there. */
static double own_cosine(const learning *l, double s, double *slope)
{
    const double m = l->c->margin;
    *slope = 1;
    if (l->c->kind == MNI_LOSS_COSFACE) return s - m;
    if (l->c->kind != MNI_LOSS_ARCFACE) return s;
    if (s < -cos(m)) return s - m * sin(m);
    const double squared = 1 - s * s, sine = sqrt(squared > 1e-7 ? squared : 1e-7);
    *slope = cos(m) + s * sin(m) / sine;
    return s * cos(m) - sine * sin(m);
}

/* First time: the sums of each picture, and what it says of the nearest wrong proxy. */
static void add_rows(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const learning *l = ctx;
    (void)chunk;
    for (size_t i = begin; i < end; i++) {
        row_sums *r = &l->p->sums[i];
        const float *s = l->p->cells + i * l->width;
        const size_t own = (size_t)l->p->target[i] - l->first; /* huge: not here */
        double top = r->top;
        if (own < l->width) {
            r->own = own_cosine(l, s[own], &r->slope) / l->heat;
            if (r->own > top) top = r->own;
        }
        for (size_t j = 0; j < l->width; j++)
            if (j != own && s[j] > r->other) r->other = s[j];
        if (r->other / l->heat > top) top = r->other / l->heat;
        r->sum *= exp(r->top - top);
        r->top = top;
        for (size_t j = 0; j < l->width; j++)
            if (j != own) r->sum += (double)expf((float)(s[j] / l->heat - top));
        if (own < l->width) r->sum += exp(r->own - top);
    }
}

/* Second time: probability of each proxy, less 1 for the own one. */
static void slope_rows(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const learning *l = ctx;
    const double share = 1 / (l->heat * (double)l->n);
    (void)chunk;
    for (size_t i = begin; i < end; i++) {
        const row_sums *r = &l->p->sums[i];
        float *s = l->p->cells + i * l->width;
        const size_t own = (size_t)l->p->target[i] - l->first;
        const double scale = share / r->sum;
        for (size_t j = 0; j < l->width; j++)
            if (j != own)
                s[j] = (float)(expf((float)(s[j] / l->heat - r->top)) * scale);
        if (own < l->width)
            s[own] = (float)((exp(r->own - r->top) / r->sum - 1) * r->slope * share);
    }
}

static double learn_softmax(learning *l, float *de)
{
    mni_proxies *p = l->p;
    double loss = 0;
    for (size_t at = 0; at < p->n_active; at += p->width) {
        bring(l, at);
        mni_parallel_for(p->pool, l->n, ROWS, add_rows, l);
    }
    for (size_t at = 0; at < p->n_active; at += p->width) {
        if (p->n_active > p->width) bring(l, at); /* one shard alone is still there */
        mni_parallel_for(p->pool, l->n, ROWS, slope_rows, l);
        descend(l, de);
    }
    for (size_t i = 0; i < l->n; i++)
        loss += log(p->sums[i].sum) + p->sums[i].top - p->sums[i].own;
    return loss / (double)l->n;
}

/* --- proxy-anchor ------------------------------------------------------------------- */

/* One proxy, a column: log(1 + sum exp x) over its own pictures, and over the others;
 * slopes in place of the cosines. */
static double anchor_column(const learning *l, size_t column)
{
    const mni_proxies *p = l->p;
    const double share[2] = { 1 / (double)p->n_active, 1 / l->n_here },
                 sign[2] = { 1, -1 }, m = l->c->margin;
    double top[2] = { 0, 0 }, sum[2], loss = 0;
    float *s = p->cells + column;
    const size_t ld = l->width, place = l->first + column;
    for (size_t i = 0; i < l->n; i++) {
        const int own = p->target[i] == place;
        const double x = (sign[own] * s[i * ld] + m) / l->heat;
        if (x > top[own]) top[own] = x;
    }
    for (int own = 0; own < 2; own++) sum[own] = exp(-top[own]); /* the 1 */
    for (size_t i = 0; i < l->n; i++) {
        const int own = p->target[i] == place;
        const double x = (sign[own] * s[i * ld] + m) / l->heat;
        s[i * ld] = expf((float)(x - top[own]));
        sum[own] += (double)s[i * ld];
    }
    for (size_t i = 0; i < l->n; i++) {
        const int own = p->target[i] == place;
        s[i * ld] *= (float)(share[own] * sign[own] / (sum[own] * l->heat));
    }
    /* Without pictures of its own the sum is the 1, and costs nothing. */
    for (int own = 0; own < 2; own++) loss += share[own] * (log(sum[own]) + top[own]);
    return loss;
}

static void anchor_columns(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const learning *l = ctx;
    (void)chunk;
    for (size_t j = begin; j < end; j++) l->p->column_loss[j] = anchor_column(l, j);
}

static void note_nearest(const learning *l)
{
    for (size_t i = 0; i < l->n; i++) {
        row_sums *r = &l->p->sums[i];
        const float *s = l->p->cells + i * l->width;
        for (size_t j = 0; j < l->width; j++) {
            if (l->p->target[i] == l->first + j)
                r->own = (s[j] - 2 * (double)l->c->margin) / l->heat;
            else if (s[j] > r->other)
                r->other = s[j];
        }
    }
}

static double learn_anchor(learning *l, float *de)
{
    mni_proxies *p = l->p;
    double loss = 0;
    l->n_here = 0;
    for (size_t i = 0; i < l->n; i++) {
        size_t before = 0;
        while (before < i && p->target[before] != p->target[i]) before++;
        l->n_here += before == i;
    }
    for (size_t at = 0; at < p->n_active; at += p->width) {
        bring(l, at);
        note_nearest(l);
        mni_parallel_for(p->pool, l->width, COLUMNS, anchor_columns, l);
        for (size_t j = 0; j < l->width; j++) loss += p->column_loss[j];
        descend(l, de);
    }
    return loss;
}

void mni_proxies_learn(mni_proxies *p, const mni_loss_config *c, const mni_proxy_step *o,
                       const float *embeddings, const uint32_t *labels, size_t n,
                       mni_loss_result *out, float *d_embeddings)
{
    learning l = { .p = p, .c = c, .o = o, .e = embeddings, .n = n,
                   .heat = c->temperature };
    uint64_t n_active = 0;
    choose(p, o, labels, n);
    for (size_t i = 0; i < n; i++)
        p->sums[i] = (row_sums){ .top = -INFINITY, .other = -INFINITY };
    out->loss = c->kind == MNI_LOSS_PROXY_ANCHOR ? learn_anchor(&l, d_embeddings)
                                                 : learn_softmax(&l, d_embeddings);
    for (size_t i = 0; i < n; i++)
        n_active += p->sums[i].other / l.heat > p->sums[i].own;
    out->n_terms = n;
    out->active = (double)n_active / (double)n;
}
