/* hnsw_grid.c - vectors rounded to a grid: see hnsw_grid.h.
 *
 * The grid is as fine as its range is small, and what lies outside is moved to its edge.
 * Both cost; where the sum is least depends on the data (a few long tails, or none) and
 * on the number of steps. So some ranges are tried, each cutting off a larger share of
 * the values at both ends, and the one with the smallest squared error on a sample stays.
 * Plain arithmetic in a fixed order: the same grid on every machine.
 * SPDX-License-Identifier: MIT */
#include "index/hnsw_grid.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

enum { SAMPLE = 2048, CHUNK = 1024 };

size_t mni_hnsw_code_bytes(uint32_t dim, uint32_t bits)
{
    const size_t values = bits == 4 ? 2 * MNI_CODE_GROUP : MNI_CODE_GROUP;
    return (dim + values - 1) / values * MNI_CODE_GROUP;
}

/* The largest code for which sums over dim values stay below 2^31. */
static uint32_t top_code(uint32_t dim)
{
    uint32_t top = MNI_CODE_TOP;
    while (top > 1 && (uint64_t)top * top * (dim + 64) >= (1u << 31)) top--;
    return top;
}

void mni_hnsw_grid_init(mni_hnsw_grid *g, const mni_rows *rows, uint32_t bits)
{
    *g = (mni_hnsw_grid){ .dim = rows->dim, .bits = bits, .top = top_code(rows->dim),
                          .inner = rows->metric == MANN_INNER,
                          .bytes = mni_hnsw_code_bytes(rows->dim, bits) };
}

void mni_hnsw_grid_fini(mni_hnsw_grid *g)
{
    mni_free(g->own_low);
    *g = (mni_hnsw_grid){ 0 };
}

/* Which of 16 steps, or of top + 1. */
static uint32_t place(const mni_hnsw_grid *g, float value, float low, float per_step)
{
    const float at = (value - low) * per_step,
                last = g->bits == 4 ? 15.0f : (float)g->top;
    return at > 0.0f ? (uint32_t)((at < last ? at : last) + 0.5f) : 0;
}

static float per_step_of(const mni_hnsw_grid *g)
{
    if (!(g->step > 0.0f)) return 0.0f;
    return 1.0f / (g->bits == 4 ? MNI_CODE_HALF_STEP * g->step : g->step);
}

/* --- learning ----------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Squared error on the sorted columns when `cut` values at each end lie outside. */
static double try_cut(mni_hnsw_grid *g, const float *column, uint32_t n, uint32_t cut,
                      float *low)
{
    float range = 0.0f;
    double error = 0.0;
    for (uint32_t j = 0; j < g->dim; j++) {
        const float *c = column + (size_t)j * n, a = c[cut], b = c[n - 1 - cut];
        const float r = g->inner ? 2 * fmaxf(fabsf(a), fabsf(b)) : b - a;
        if (r > range) range = r;
    }
    g->step = range / (float)(g->bits == 4 ? 15 * MNI_CODE_HALF_STEP : g->top);
    const float per_step = per_step_of(g),
                wide = per_step > 0.0f ? 1.0f / per_step : 0.0f;
    for (uint32_t j = 0; j < g->dim; j++) {
        const float *c = column + (size_t)j * n, a = c[cut], b = c[n - 1 - cut];
        low[j] = g->inner ? (g->bits == 4 ? -60.0f : -(float)(g->top / 2 + 1)) * g->step
                          : a - 0.5f * (range - (b - a));
        for (uint32_t i = 0; i < n; i++) {
            const float at = (float)place(g, c[i], low[j], per_step);
            const double e = c[i] - (low[j] + at * wide);
            error += e * e;
        }
    }
    return isfinite(g->step) && isfinite(per_step) ? error : INFINITY;
}

mann_status mni_hnsw_grid_learn(mni_hnsw_grid *g, const mni_rows *rows, mann_error *err)
{
    const uint32_t n = rows->n < SAMPLE ? rows->n : SAMPLE;
    float *column = mni_alloc((size_t)n * g->dim + g->dim, sizeof *column);
    float *low = mni_alloc(g->dim, sizeof *low), *best = mni_alloc(g->dim, sizeof *best);
    if (!column || !low || !best) {
        mni_free(column);
        mni_free(low);
        mni_free(best);
        return mni_fail(err, MANN_E_NOMEM, "hnsw: sample of %lu rows", (unsigned long)n);
    }
    float *row = column + (size_t)n * g->dim;
    for (uint32_t i = 0; i < n; i++) {
        mni_rows_get(rows, (uint32_t)((uint64_t)i * rows->n / n), row);
        for (uint32_t j = 0; j < g->dim; j++)
            column[(size_t)j * n + i] = isfinite(row[j]) ? row[j] : 0.0f;
    }
    for (uint32_t j = 0; j < g->dim; j++)
        qsort(column + (size_t)j * n, n, sizeof *column, ascending);
    double least = INFINITY;
    float step = 0.0f;
    g->noise = 0.0f;
    for (uint32_t cut = 0; n > 0 && cut < n / 8 + 1; cut = 2 * cut + 1) {
        const double error = try_cut(g, column, n, cut, low);
        if (!(error < least)) continue;
        least = error;
        step = g->step;
        memcpy(best, low, g->dim * sizeof *low);
    }
    g->step = step;
    if (step > 0.0f) g->noise = (float)sqrt(least / ((double)n * g->dim)) / step;
    g->n_seen = rows->n;
    mni_free(g->own_low);
    g->low = g->own_low = best;
    mni_free(column);
    mni_free(low);
    return MANN_OK;
}

/* --- coding ------------------------------------------------------------------------- */

static void encode_row(const mni_hnsw_grid *g, const float *row, uint8_t *code)
{
    const float per_step = per_step_of(g);
    memset(code, 0, g->bytes);
    if (g->bits == 8) {
        for (uint32_t j = 0; j < g->dim; j++)
            code[j] = (uint8_t)place(g, row[j], g->low[j], per_step);
        return;
    }
    for (uint32_t j = 0; j < g->dim; j++)
        code[j / 64 * 32 + j % 32] |=
            (uint8_t)(place(g, row[j], g->low[j], per_step) << (j % 64 < 32 ? 0 : 4));
}

typedef struct encoding {
    const mni_hnsw_grid *g;
    const mni_rows *rows;
    const uint32_t *row_of;
    uint32_t first;
    uint8_t *codes;
    float *room;                /* a row for each chunk */
} encoding;

static void encode_chunk(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const encoding *e = ctx;
    float *row = e->room + chunk * e->g->dim;
    for (size_t i = e->first + begin; i < e->first + end; i++) {
        mni_rows_get(e->rows, e->row_of ? e->row_of[i] : (uint32_t)i, row);
        encode_row(e->g, row, e->codes + i * e->g->bytes);
    }
}

mann_status mni_hnsw_grid_encode(const mni_hnsw_grid *g, const mni_rows *rows,
                                 const uint32_t *row_of, uint32_t first, uint32_t n,
                                 uint8_t *codes, mni_pool *pool, mann_error *err)
{
    const size_t grain = (n - first) / 64 + CHUNK;
    encoding e = { g, rows, row_of, first, codes,
                   mni_alloc(mni_chunk_count(n - first, grain) * g->dim, sizeof(float)) };
    if (!e.room)
        return mni_fail(err, MANN_E_NOMEM, "hnsw: rows being coded");
    mni_parallel_for(pool, n - first, grain, encode_chunk, &e);
    mni_free(e.room);
    return MANN_OK;
}

static uint32_t bias_of(const mni_hnsw_grid *g, const int8_t *query)
{
    const int32_t zero = g->bits == 4 ? 60 : (int32_t)(g->top / 2 + 1);
    const size_t n = mni_hnsw_query_bytes(g);
    int32_t sum = 0;
    for (size_t j = 0; j < n; j++) sum += query[j];
    return (uint32_t)(zero * sum);
}

/* n values on the finest grid; written so that compilers make vectors of it. */
static void place_all(const float *value, const float *low, float per_step, float last,
                      size_t n, uint8_t *out)
{
    for (size_t j = 0; j < n; j++) {
        float at = (value[j] - low[j]) * per_step;
        at = at > 0.0f ? at : 0.0f;
        at = at < last ? at : last;
        out[j] = (uint8_t)(int32_t)(at + 0.5f);
    }
}

static float largest_of(const float *value, size_t n)
{
    float largest = 0.0f;
    for (size_t j = 0; j < n; j++) {
        const float v = fabsf(value[j]);
        largest = v > largest ? v : largest;
    }
    return largest;
}

static void scale_all(const float *value, float factor, size_t n, int8_t *out)
{
    for (size_t j = 0; j < n; j++) {
        const float at = value[j] * factor;
        out[j] = (int8_t)(int32_t)(at + (at < 0.0f ? -0.5f : 0.5f));
    }
}

uint32_t mni_hnsw_grid_query(const mni_hnsw_grid *g, const float *query, uint8_t *out)
{
    /* of 8 bits all values in a row; of 4 bits 32 for the low halves, 32 for the upper */
    const uint32_t piece = g->bits == 8 ? g->dim : MNI_CODE_GROUP;
    const float largest = g->inner ? largest_of(query, g->dim) : 0.0f,
                factor = largest > 0.0f ? (float)g->top / largest : 0.0f,
                per_step = g->step > 0.0f ? 1.0f / g->step : 0.0f,
                last = g->bits == 4 ? (float)MNI_CODE_TOP : (float)g->top;
    memset(out, 0, mni_hnsw_query_bytes(g));
    for (uint32_t j = 0; j < g->dim; j += piece) {
        const uint32_t n = g->dim - j < piece ? g->dim - j : piece;
        uint8_t *to = out + (g->bits == 8 ? 0 : j / 64 * 32 + (j % 64 ? g->bytes : 0));
        if (!g->inner) place_all(query + j, g->low + j, per_step, last, n, to);
        else if (isfinite(factor)) scale_all(query + j, factor, n, (int8_t *)to);
    }
    return g->inner ? bias_of(g, (const int8_t *)out) : 0;
}

uint32_t mni_hnsw_grid_node(const mni_hnsw_grid *g, const uint8_t *code, uint8_t *out)
{
    if (!g->inner) {
        memcpy(out, code, g->bytes);
        return 0;
    }
    const int zero = (int)(g->top / 2 + 1);
    for (size_t j = 0; j < g->bytes; j++)
        ((int8_t *)out)[j] = (int8_t)(j < g->dim ? code[j] - zero : 0);
    return bias_of(g, (const int8_t *)out);
}

/* How far outside of the grid the query lies, in steps: its code stands at the border. */
static double outside(const mni_hnsw_grid *g, const float *value)
{
    const float per_step = g->step > 0.0f ? 1.0f / g->step : 0.0f,
                last = g->bits == 4 ? (float)MNI_CODE_TOP : (float)g->top;
    float sum = 0.0f;
    for (size_t j = 0; j < g->dim; j++) {
        const float at = (value[j] - g->low[j]) * per_step;
        const float below = at < 0.0f ? at : 0.0f, above = at > last ? at - last : 0.0f;
        sum += below * below + above * above;
    }
    return sqrt((double)sum);
}

/* Rounding moves a row by `noise` along any direction, also along the one to the query,
 * and the query (on the finest steps) by 1/sqrt(12). The difference of two rows has twice
 * that variance; SURE standard deviations are allowed for. For inner products the shift
 * is multiplied by the length of the query. A query that lies outside of what the rows
 * fill was moved to the border: by the triangle inequality that changes the difference of
 * two distances by no more than twice the way. */
uint32_t mni_hnsw_grid_reach(const mni_hnsw_grid *g, const float *value,
                             const uint8_t *query, uint32_t d)
{
    const double SURE = 3.0,
                 slack = SURE * sqrt(2.0 * ((double)g->noise * g->noise + 1.0 / 12.0));
    double far = 0;
    if (!g->inner) {
        far = sqrt((double)d) + slack + 2 * outside(g, value);
        far *= far;
    } else {
        const size_t n = mni_hnsw_query_bytes(g);
        int32_t squares = 0;
        for (size_t j = 0; j < n; j++)
            squares += ((const int8_t *)query)[j] * ((const int8_t *)query)[j];
        far = (double)d + slack * sqrt((double)squares);
    }
    return far < (double)UINT32_MAX ? (uint32_t)far : UINT32_MAX;
}

mni_code_fn mni_hnsw_grid_measure(const mni_hnsw_grid *g)
{
    const mni_kern_code *k = mni_kern_code_best();
    if (g->inner) return g->bits == 4 ? k->away4 : k->away8;
    return g->bits == 4 ? k->near4 : k->near8;
}
