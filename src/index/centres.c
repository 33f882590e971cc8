/* centres.c - see centres.h. SPDX-License-Identifier: MIT */
#include "index/centres.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "kern/kern_dist.h"

enum { GRAIN = 1024, LINE = 64, CHUNK = 256 };

static uint32_t n_blocks(const mni_centres *c)
{
    return c->n / MNI_I8_ROWS + (c->n % MNI_I8_ROWS != 0);
}

static size_t lines(size_t n_bytes) { return (n_bytes + LINE - 1) / LINE * LINE; }

mann_status mni_centres_init(mni_centres *c, const float *at, uint32_t n, uint32_t dim,
                             mann_metric metric, const float *middle, mann_error *err)
{
    *c = (mni_centres){ .at = at, .n = n, .dim = dim,
                        .metric = metric == MANN_INNER ? MANN_INNER : MANN_L2 };
    const size_t blocks = n_blocks(c);
    c->middle = mni_alloc(dim, sizeof *c->middle);
    c->plus = mni_alloc_aligned(blocks * MNI_I8_ROWS, sizeof *c->plus, 1);
    c->blocks = mni_alloc_aligned(blocks, mni_code8_block_bytes(dim), 1);
    if (!c->middle || !c->plus || !c->blocks) {
        mni_centres_fini(c);
        return mni_fail(err, MANN_E_NOMEM, "index: codes of %lu centres",
                        (unsigned long)n);
    }
    if (c->metric == MANN_L2 && middle) memcpy(c->middle, middle, dim * sizeof *middle);
    for (uint32_t d = 0; d < dim && c->metric == MANN_L2 && !middle; d++) {
        double sum = 0;
        for (uint32_t i = 0; i < n; i++) sum += at[(size_t)i * dim + d];
        c->middle[d] = n ? (float)(sum / n) : 0.0f;
    }
    mni_centres_encode(c);
    return MANN_OK;
}

void mni_centres_fini(mni_centres *c)
{
    mni_free(c->middle);
    mni_free(c->plus);
    mni_free(c->blocks);
    *c = (mni_centres){ 0 };
}

/* c of code8.h is the middle for all centres: r = centre - middle, and the second term of
 * `plus` is zero. r is made anew for each, in a piece of stack. */
void mni_centres_encode(mni_centres *c)
{
    enum { PIECE = 256 };
    const uint32_t dim = c->dim;
    const size_t block_bytes = mni_code8_block_bytes(dim);
    float r[PIECE], most = 0;
    double error = 0, reach = 0, length = 0;
    for (uint32_t i = 0; i < c->n; i++)
        for (uint32_t d = 0; d < dim; d++) {
            const float v = fabsf(c->at[(size_t)i * dim + d] - c->middle[d]);
            most = v > most ? v : most;
        }
    for (uint32_t d = 0; d < dim; d++) length += (double)c->middle[d] * c->middle[d];
    c->around.scale = mni_code8_scale(&most, 1);
    for (uint32_t b = 0; b < n_blocks(c); b++)
        mni_code8_clear(c->blocks + b * block_bytes, dim);
    for (uint32_t i = 0; i < c->n; i++) {
        double e = 0, size = 0;
        uint8_t *block = c->blocks + i / MNI_I8_ROWS * block_bytes;
        for (uint32_t d = 0; d < dim; d += PIECE) { /* PIECE is a multiple of a group */
            const uint32_t n = dim - d < PIECE ? dim - d : PIECE;
            for (uint32_t j = 0; j < n; j++) {
                r[j] = c->at[(size_t)i * dim + d + j] - c->middle[d + j];
                size += (double)r[j] * r[j];
            }
            e += mni_code8_put(block + (size_t)d / 4 * MNI_I8_GROUP_BYTES,
                               i % MNI_I8_ROWS, r, n, c->around.scale);
        }
        c->plus[i] = c->metric == MANN_L2 ? (float)size : 0.0f;
        error = e > error ? e : error;
        reach = size > reach ? size : reach;
    }
    for (uint32_t i = c->n; i < n_blocks(c) * MNI_I8_ROWS; i++) c->plus[i] = INFINITY;
    /* a little more than the root, against rounding */
    c->around.error = (float)(sqrt(error) * 1.000001);
    c->around.reach = (float)(sqrt(reach) * 1.000001);
    c->around.centre = (float)(sqrt(length) * 1.000001);
}

size_t mni_centres_work_bytes(const mni_centres *c)
{
    const size_t n = (size_t)n_blocks(c) * MNI_I8_ROWS,
                 codes = (size_t)mni_code8_groups(c->dim) * 4;
    return lines(c->dim * sizeof(float)) + lines(n * sizeof(float)) +
           lines(n * sizeof(uint32_t)) + lines(codes * MNI_CENTRES_GROUP) +
           lines(n * MNI_CENTRES_GROUP * sizeof(int32_t)) + n * sizeof(mni_near);
}

mni_centres_work mni_centres_work_in(const mni_centres *c, void *room)
{
    const size_t n = (size_t)n_blocks(c) * MNI_I8_ROWS,
                 codes = (size_t)mni_code8_groups(c->dim) * 4;
    uint8_t *at = room;
    mni_centres_work w;
    w.v = (float *)(void *)at;
    w.value = (float *)(void *)(at += lines(c->dim * sizeof(float)));
    w.index = (uint32_t *)(void *)(at += lines(n * sizeof(float)));
    w.codes = (int8_t *)(at += lines(n * sizeof(uint32_t)));
    w.dots = (int32_t *)(void *)(at += lines(codes * MNI_CENTRES_GROUP));
    w.heap = (mni_near *)(void *)(at + lines(n * MNI_CENTRES_GROUP * sizeof(int32_t)));
    return w;
}

static void round_one(const mni_centres *c, const float *x, float *v, int8_t *codes,
                      mni_query8 *query)
{
    for (uint32_t d = 0; d < c->dim; d++) v[d] = x[d] - c->middle[d];
    mni_query8_make(mni_kern_i8_best(), v, c->dim, codes, query);
}

static void all_dots(const mni_centres *c, const int8_t *codes, size_t n, int32_t *dots)
{
    const mni_i8_args a = {
        .blocks = c->blocks, .n_blocks = n_blocks(c),
        .stride = mni_code8_block_bytes(c->dim), .groups = mni_code8_groups(c->dim),
        .queries = codes, .n_queries = n, .out = dots,
        .out_stride = (size_t)n_blocks(c) * MNI_I8_ROWS
    };
    mni_kern_i8_best()->dots(&a);
}

/* Half of an interval's width; the shift is the same for all centres. */
static mni_bound8 bound_of(const mni_centres *c, const mni_query8 *q)
{
    const double size = q->size * 1.0001;
    return mni_bound8_of(q, &c->around, c->metric, c->dim,
                         c->metric == MANN_L2 ? (float)(size * size) : 0.0f);
}

void mni_centres_assign(const mni_centres *c, const float *x, size_t n,
                        const int8_t *codes, const mni_query8 *query,
                        mni_centres_work *w, uint32_t *nearest, float *distance)
{
    const mni_kern_i8 *k = mni_kern_i8_best();
    const mni_rows_fn exact = mni_kern_dist_best()->l2_rows;
    const size_t wide = (size_t)n_blocks(c) * MNI_I8_ROWS,
                 n_codes = (size_t)mni_code8_groups(c->dim) * 4;
    mni_query8 own[MNI_CENTRES_GROUP];
    for (size_t at = 0; at < n; at += MNI_CENTRES_GROUP) {
        const size_t m = n - at < MNI_CENTRES_GROUP ? n - at : MNI_CENTRES_GROUP;
        for (size_t q = 0; !query && q < m; q++)
            round_one(c, x + (at + q) * c->dim, w->v, w->codes + q * n_codes, own + q);
        all_dots(c, query ? codes + at * n_codes : w->codes, m, w->dots);
        for (size_t q = 0; q < m; q++) {
            const int32_t *dots = w->dots + q * wide;
            const mni_bound8 b = bound_of(c, query ? query + at + q : own + q);
            const float low = k->lowest(dots, c->plus, c->n, b.factor);
            const size_t found =
                k->pick(dots, c->plus, c->n, b.factor,
                        (float)((low + 2 * b.slack) + fabs(low) * 1e-6), w->index,
                        w->value);
            mni_near best = { INFINITY, 0 };
            for (size_t i = 0; i < found; i++) {
                mni_near it = { 0, w->index[i] };
                exact(x + (at + q) * c->dim, c->at + (size_t)it.row * c->dim, 1, c->dim,
                      c->dim, &it.distance);
                if (mni_nearer(it, best)) best = it;
            }
            nearest[at + q] = best.row;
            if (distance) distance[at + q] = best.distance;
        }
    }
}

void mni_centres_round(const mni_centres *c, const float *x, size_t n, float *v,
                       int8_t *codes, mni_query8 *query)
{
    const size_t n_codes = (size_t)mni_code8_groups(c->dim) * 4;
    for (size_t i = 0; i < n; i++)
        round_one(c, x + i * c->dim, v, codes + i * n_codes, query + i);
}

typedef struct job {
    const mni_centres *c;
    const float *x;
    const int8_t *codes;
    const mni_query8 *query;
    uint32_t *nearest;
    float *distance;
    uint8_t *failed;            /* one per chunk */
} job;

static void assign_chunk(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const job *j = ctx;
    const size_t n_codes = (size_t)mni_code8_groups(j->c->dim) * 4;
    void *room = mni_alloc_aligned(1, mni_centres_work_bytes(j->c), 0);
    j->failed[chunk] = !room;
    if (!room) return;
    mni_centres_work w = mni_centres_work_in(j->c, room);
    mni_centres_assign(j->c, j->x + begin * j->c->dim, end - begin,
                       j->query ? j->codes + begin * n_codes : NULL,
                       j->query ? j->query + begin : NULL, &w, j->nearest + begin,
                       j->distance ? j->distance + begin : NULL);
    mni_free(room);
}

mann_status mni_centres_assign_all(const mni_centres *c, const float *x, size_t n,
                                   const int8_t *codes, const mni_query8 *query,
                                   mni_pool *pool, uint32_t *nearest, float *distance,
                                   mann_error *err)
{
    job j = { c, x, codes, query, nearest, distance, NULL };
    const size_t n_chunks = mni_chunk_count(n, GRAIN);
    int failed = 0;
    j.failed = mni_alloc(n_chunks, 1);
    if (j.failed) mni_parallel_for(pool, n, GRAIN, assign_chunk, &j);
    for (size_t i = 0; j.failed && i < n_chunks; i++) failed |= j.failed[i];
    failed |= !j.failed;
    mni_free(j.failed);
    return failed ? mni_fail(err, MANN_E_NOMEM, "index: room to compare with %lu centres",
                             (unsigned long)c->n)
                  : MANN_OK;
}

/* The k-th smallest estimate first; then everything whose interval begins before that
 * one's ends. */
void mni_centres_search(const mni_centres *c, const float *x, const int8_t *codes,
                        const mni_query8 *query, mni_centres_work *w, mni_topk *best)
{
    const mni_kern_i8 *k = mni_kern_i8_best();
    const mni_kern_dist *kd = mni_kern_dist_best();
    const mni_rows_fn exact = c->metric == MANN_INNER ? kd->ip_rows : kd->l2_rows;
    mni_query8 own;
    mni_topk low;
    if (best->k == 0) return;
    if (!query) {
        round_one(c, x, w->v, w->codes, &own);
        query = &own;
        codes = w->codes;
    }
    all_dots(c, codes, 1, w->dots);
    const mni_bound8 b = bound_of(c, query);
    mni_topk_init(&low, w->heap, best->k < c->n ? best->k : c->n);
    for (uint32_t at = 0; at < c->n; at += CHUNK) {
        const float limit = low.n < low.k ? INFINITY : low.items[0].distance;
        const size_t found =
            k->pick(w->dots + at, c->plus + at, c->n - at < CHUNK ? c->n - at : CHUNK,
                    b.factor, limit, w->index, w->value);
        for (size_t i = 0; i < found; i++)
            if (w->value[i] == w->value[i])
                mni_topk_push(&low, w->value[i], at + w->index[i]);
    }
    const float last = low.n < low.k ? INFINITY : low.items[0].distance;
    const size_t found = k->pick(w->dots, c->plus, c->n, b.factor,
                                 (float)((last + 2 * b.slack) + fabs(last) * 1e-6),
                                 w->index, w->value);
    for (size_t i = 0; i < found; i++) {
        float d;
        const uint32_t at = w->index[i];
        exact(x, c->at + (size_t)at * c->dim, 1, c->dim, c->dim, &d);
        if (c->metric == MANN_INNER) d = -d;
        mni_topk_push(best, d == d ? d : INFINITY, at);
    }
}
