/* flat_crowd.c - every row against many queries: rounded to bytes on the way.
 *
 * Measured one by one, a query costs dim multiply-adds a row, however many of them share
 * a pass. Rounded to a byte a value (code8.h), a block of 256 rows is compared with all
 * queries at four times the speed of floats (VNNI), and only those that may be among the
 * k nearest of a query are measured, while their floats are still in the cache:
 *
 *     rows, 256 at a time    round them around the middle of all        once a block
 *     queries, 8 at a time   products of bytes -> intervals of the distances
 *     few of them            exact distance -> heap: its root is the next limit
 *
 * Nothing is kept between calls. The answers are those of one query alone, to the bit:
 * whoever enters a heap has been measured by the same kernel.
 * SPDX-License-Identifier: MIT */
#include "index/flat_crowd.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "index/code8.h"
#include "kern/kern_dist.h"

enum { ROWS = 256, BLOCKS = ROWS / MNI_I8_ROWS, AT_ONCE = 8, LINE = 64, SPREAD = 1024 };

/* Made for one dim; kept for the next call with it. */
typedef struct crowd {
    uint8_t *bytes;             /* owned */
    uint32_t dim;
    float *middle, *v, *r;      /* dim; dim; ROWS x dim */
    uint8_t *blocks;
    int8_t *codes;              /* MNI_ANN_CROWD x groups * 4 */
    mni_query8 *query;
    float *to_middle, *plus;    /* a query; ROWS */
    int32_t *dots;              /* AT_ONCE x ROWS */
    uint32_t *index;
    float *value;
} crowd;

static void release_crowd(void *part)
{
    crowd *c = part;
    if (c) mni_free(c->bytes);
    mni_free(c);
}

static void *take(uint8_t *base, size_t *at, size_t n_bytes)
{
    const size_t here = *at;
    *at += (n_bytes + LINE - 1) / LINE * LINE;
    return base ? base + here : NULL;
}

/* The same walk counts (without a base) and points. */
static size_t lay_out(crowd *c, uint8_t *base, size_t dim)
{
    size_t at = 0;
    const size_t codes = (size_t)mni_code8_groups((uint32_t)dim) * 4;
    c->middle = take(base, &at, dim * sizeof(float));
    c->v = take(base, &at, dim * sizeof(float));
    c->r = take(base, &at, ROWS * dim * sizeof(float));
    c->blocks = take(base, &at, BLOCKS * mni_code8_block_bytes((uint32_t)dim));
    c->codes = take(base, &at, MNI_ANN_CROWD * codes);
    c->query = take(base, &at, MNI_ANN_CROWD * sizeof *c->query);
    c->to_middle = take(base, &at, MNI_ANN_CROWD * sizeof(float));
    c->plus = take(base, &at, ROWS * sizeof(float));
    c->dots = take(base, &at, (size_t)AT_ONCE * ROWS * sizeof(int32_t));
    c->index = take(base, &at, ROWS * sizeof(uint32_t));
    c->value = take(base, &at, ROWS * sizeof(float));
    return at;
}

static mann_status room_for(uint32_t dim, mni_scratch *scratch, crowd **out,
                            mann_error *err)
{
    crowd *c = scratch->release == release_crowd ? scratch->part : NULL;
    if (!c || c->dim != dim) {
        if (scratch->release) scratch->release(scratch->part);
        scratch->part = NULL;
        scratch->release = NULL;
        c = mni_alloc(1, sizeof *c);
        if (c) c->bytes = mni_alloc_aligned(1, lay_out(c, NULL, dim), 0);
        if (!c || !c->bytes) {
            mni_free(c);
            return mni_fail(err, MANN_E_NOMEM, "search: room for a batch");
        }
        c->dim = dim;
        lay_out(c, c->bytes, dim);
        scratch->part = c;
        scratch->release = release_crowd;
    }
    *out = c;
    return MANN_OK;
}

/* m of code8.h: the mean of some rows, spread evenly; 0 for inner products. */
static void find_middle(const mni_rows *rows, crowd *c)
{
    const uint32_t n = rows->n < SPREAD ? rows->n : SPREAD;
    memset(c->middle, 0, rows->dim * sizeof *c->middle);
    for (uint32_t i = 0; i < n && rows->metric != MANN_INNER; i++) {
        mni_rows_get(rows, (uint32_t)((uint64_t)i * rows->n / n), c->v);
        for (uint32_t d = 0; d < rows->dim; d++) c->middle[d] += c->v[d] / (float)n;
    }
}

static void round_queries(const mni_rows *rows, const float *queries, size_t n, crowd *c)
{
    const size_t codes = (size_t)mni_code8_groups(rows->dim) * 4;
    const mni_kern_i8 *k = mni_kern_i8_best();
    for (size_t q = 0; q < n; q++) {
        const float *x = queries + q * rows->dim;
        for (uint32_t d = 0; d < rows->dim; d++) c->v[d] = x[d] - c->middle[d];
        mni_query8_make(k, c->v, rows->dim, c->codes + q * codes, &c->query[q]);
        c->to_middle[q] = 0;
        if (rows->metric != MANN_INNER)
            mni_kern_dist_best()->l2_rows(x, c->middle, 1, rows->dim, rows->dim,
                                          &c->to_middle[q]);
    }
}

/* Rows [begin, begin + n) into blocks around the middle. */
static mni_around8 round_rows(const mni_rows *rows, uint32_t begin, uint32_t n, crowd *c)
{
    const uint32_t dim = rows->dim;
    const size_t block_bytes = mni_code8_block_bytes(dim);
    double error = 0, reach = 0;
    for (uint32_t i = 0; i < n; i++) {
        float *r = c->r + (size_t)i * dim;
        double lane[8] = { 0 };
        mni_rows_get(rows, begin + i, r);
        for (uint32_t d = 0; d < dim; d++) r[d] -= c->middle[d];
        mni_kern_i8_best()->squares(r, dim, lane);
        const double size = ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
                            ((lane[1] + lane[5]) + (lane[3] + lane[7]));
        c->plus[i] = rows->metric == MANN_INNER ? 0.0f : (float)size;
        if (!(size <= reach)) reach = size;
    }
    mni_around8 around = { .scale = mni_code8_scale(c->r, (size_t)n * dim) };
    for (uint32_t b = 0; b * MNI_I8_ROWS < n; b++)
        mni_code8_clear(c->blocks + b * block_bytes, dim);
    for (uint32_t i = 0; i < n; i++) {
        const double e = mni_code8_put(c->blocks + i / MNI_I8_ROWS * block_bytes,
                                       i % MNI_I8_ROWS, c->r + (size_t)i * dim, dim,
                                       around.scale);
        if (!(e <= error)) error = e;
    }
    around.error = (float)(sqrt(error) * 1.000001);
    around.reach = (float)(sqrt(reach) * 1.000001);
    return around;
}

/* What the bytes leave of n rows for query q. */
static void look_closer(const mni_rows *rows, const float *query,
                        const mni_ann_params *p, crowd *c, uint32_t begin, size_t n,
                        mni_topk *best)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t row = begin + c->index[i];
        float d;
        mni_rows_scan(rows, query, row, row + 1, &d);
        if (mni_topk_wants(best, d) && (!p->keep || p->keep(p->keep_ctx, row)))
            mni_topk_push(best, d, row);
    }
}

mann_status mni_flat_crowd(const mni_rows *rows, const float *queries, size_t n_queries,
                           const mni_ann_params *p, mni_scratch *scratch, mni_topk *best,
                           mann_error *err)
{
    const mni_kern_i8 *k = mni_kern_i8_best();
    const size_t codes = (size_t)mni_code8_groups(rows->dim) * 4;
    const float unit = rows->metric == MANN_COSINE ? 2.0f : 1.0f;
    crowd *c = NULL;
    MNI_TRY(room_for(rows->dim, scratch, &c, err));
    find_middle(rows, c);
    round_queries(rows, queries, n_queries, c);
    for (uint32_t at = 0; at < rows->n; at += ROWS) {
        const uint32_t n = rows->n - at < ROWS ? rows->n - at : ROWS;
        const mni_around8 around = round_rows(rows, at, n, c);
        for (size_t first = 0; first < n_queries; first += AT_ONCE) {
            const size_t m = n_queries - first < AT_ONCE ? n_queries - first : AT_ONCE;
            const mni_i8_args a = {
                .blocks = c->blocks, .n_blocks = (n + MNI_I8_ROWS - 1) / MNI_I8_ROWS,
                .stride = mni_code8_block_bytes(rows->dim),
                .groups = mni_code8_groups(rows->dim),
                .queries = c->codes + first * codes,
                .n_queries = m, .out = c->dots, .out_stride = ROWS
            };
            k->dots(&a);
            for (size_t q = first; q < first + m; q++) {
                const mni_bound8 b = mni_bound8_of(&c->query[q], &around, rows->metric,
                                                   rows->dim, c->to_middle[q]);
                double limit = INFINITY;
                if (best[q].n == best[q].k && best[q].k)
                    limit = (double)best[q].items[0].distance * unit - b.shift + b.slack;
                const size_t found =
                    k->pick(c->dots + (q - first) * ROWS, c->plus, n, b.factor,
                            nextafterf((float)limit, INFINITY), c->index, c->value);
                look_closer(rows, queries + q * rows->dim, p, c, at, found, &best[q]);
            }
        }
    }
    return MANN_OK;
}
