/* infer_run.c - the forward pass of infer.h. How to read it: mni_infer_forward cuts the
 * images into groups; run_group takes one through front and back; run_layer runs one
 * layer for some images; run_conv cuts a convolution into pieces, which are a loop on
 * one thread and a parallel loop on several. SPDX-License-Identifier: MIT */
#include "nn/infer_run.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "nn/layers.h"
#include "nn/scratch.h"
#include "os/huge.h"

enum {
    MOST_IMAGES = 16, BACK_FLOATS = 4 << 20,    /* of a group, and what its back takes */
    SMALL = 1 << 16     /* multiply-adds of a piece that is worth waking a thread for */
};

/* --- working memory ----------------------------------------------------------------- */

/* One call's: `groups` pieces with arenas, `tiles` pieces for Winograd. */
typedef struct work { mni_scratch groups, tiles; } work;

/* Up to SPARES of them wait here for the next call: nothing is allocated, and no fresh
 * page is touched, when images come one after another. */
enum { SPARES = 4 };
struct mni_spare { _Atomic(work *) slot[SPARES]; };

mni_spare *mni_spare_new(void)
{
    mni_spare *s = mni_alloc(1, sizeof *s);
    for (int i = 0; s && i < SPARES; i++) atomic_init(&s->slot[i], NULL);
    return s;
}

static void work_free(work *w)
{
    if (!w) return;
    mni_scratch_fini(&w->groups);
    mni_scratch_fini(&w->tiles);
    mni_free(w);
}

void mni_spare_free(mni_spare *s)
{
    for (int i = 0; s && i < SPARES; i++) work_free(atomic_load(&s->slot[i]));
    mni_free(s);
}

/* Are the pieces at least so many and so large? (They may be much larger: no matter.) */
static int suits(const mni_scratch *s, size_t n, size_t floats)
{
    return s->n >= n && s->piece >= floats;
}

static work *work_take(const mni_infer *f, size_t n_groups, size_t group_floats,
                       size_t threads)
{
    for (int i = 0; i < SPARES; i++) {
        work *w = atomic_exchange(&f->spare->slot[i], NULL);
        if (!w) continue;
        if (suits(&w->groups, n_groups, group_floats) &&
            suits(&w->tiles, threads, f->tile_floats))
            return w;
        work_free(w);
    }
    work *w = mni_alloc(1, sizeof *w);
    if (w && mni_scratch_init(&w->groups, n_groups, group_floats) &&
        mni_scratch_init(&w->tiles, threads, f->tile_floats)) {
        mni_huge_advise(w->groups.floats,
                        w->groups.n * w->groups.piece * sizeof *w->groups.floats);
        return w;
    }
    work_free(w);
    return NULL;
}

static void work_give(const mni_infer *f, work *w)
{
    for (int i = 0; i < SPARES && w; i++) {
        work *none = NULL;
        if (atomic_compare_exchange_strong(&f->spare->slot[i], &none, w)) w = NULL;
    }
    work_free(w);
}

/* --- a convolution in pieces -------------------------------------------------------- */

/* For n images that lie one behind the other. A piece: some blocks of y, of some rows of
 * one image or of some tiles of all. */
typedef struct conv_job {
    const mni_infer *f;
    const mni_ready *r;
    mni_conv_args a;
    size_t n, x_image, y_image;
    size_t group, n_groups;     /* blocks of a piece */
    size_t band, n_bands;       /* rows, or tiles, of a piece */
    mni_scratch *tiles;
} conv_job;

static size_t min_of(size_t a, size_t b) { return a < b ? a : b; }

static void direct_piece(const conv_job *j, size_t group, size_t image, size_t band)
{
    const mni_kern_conv *k = j->f->kern;
    mni_conv_args a = j->a;
    a.x += image * j->x_image;
    a.y += image * j->y_image;
    if (a.r) a.r += image * j->y_image;
    (a.s.planar ? k->first : k->direct)(
        &a, group * j->group, min_of((group + 1) * j->group, mni_blocks(a.s.c_out)),
        band * j->band, min_of((band + 1) * j->band, a.s.h_out));
}

/* Pieces are counted group by group, so that neighbours share their weights. */
static void direct_pieces(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const conv_job *j = ctx;
    const size_t per_group = j->n * j->n_bands;
    (void)chunk;
    for (; begin < end; begin++)
        direct_piece(j, begin / per_group, begin % per_group / j->n_bands,
                     begin % j->n_bands);
}

static void wino_pieces(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const conv_job *j = ctx;
    const size_t all = j->n * mni_wino_tiles(&j->a.s, j->r->m);
    float *scratch = mni_scratch_take(j->tiles);
    (void)chunk;
    for (; begin < end; begin++) {
        const size_t group = begin / j->n_bands, band = begin % j->n_bands;
        mni_wino_blocks(j->f->kern, &j->a, j->r->m, band * j->band,
                        min_of((band + 1) * j->band, all), group * j->group,
                        min_of((group + 1) * j->group, mni_blocks(j->a.s.c_out)),
                        scratch);
    }
    mni_scratch_give(j->tiles, scratch);
}

/* On one thread a piece is as large as can be, but for the order: heavy weights are used
 * for all images before the next come. On several there are some four for each. */
static void run_direct(conv_job *j, mni_pool *pool)
{
    const mni_conv_shape *s = &j->a.s;
    const size_t threads = mni_pool_threads(pool), blocks = mni_blocks(s->c_out);
    const size_t sums = (size_t)s->h_out * s->w_out * s->c_out * s->c_in * s->kernel *
                        s->kernel * j->n;
    size_t pieces = threads == 1 ? 1 : min_of(4 * threads, 1 + sums / SMALL);
    j->group = j->n > 1 || pieces > 1 ? j->f->kern->group : blocks;
    j->n_groups = mni_chunk_count(blocks, j->group);
    pieces = mni_chunk_count(pieces, j->n_groups * j->n);
    j->band = mni_chunk_count(s->h_out, pieces);
    j->n_bands = mni_chunk_count(s->h_out, j->band);
    mni_parallel_for(pool, j->n_groups * j->n * j->n_bands, 1, direct_pieces, j);
}

/* Light weights: tiles are shared out. Heavy ones, which every piece has to fetch: blocks
 * are, at the price of transforming the input twice. */
static void run_wino(conv_job *j, mni_pool *pool)
{
    const mni_conv_shape *s = &j->a.s;
    const size_t threads = mni_pool_threads(pool), blocks = mni_blocks(s->c_out);
    const size_t all = j->n * mni_wino_tiles(s, j->r->m), unit = j->f->kern->group;
    j->band = mni_chunk_count(all, mni_chunk_count(all, j->r->tiles));
    j->group = blocks;
    if (threads > 1 && all < 2 * threads * j->r->tiles) {
        if (blocks >= 4 * unit && all < threads * j->r->tiles)
            j->group = mni_chunk_count(mni_chunk_count(blocks, unit), threads) * unit;
        else
            j->band = mni_chunk_count(all, 2 * threads);
    }
    j->n_groups = mni_chunk_count(blocks, j->group);
    j->n_bands = mni_chunk_count(all, j->band);
    mni_parallel_for(pool, j->n_groups * j->n_bands, 1, wino_pieces, j);
}

/* --- layers ------------------------------------------------------------------------- */

/* A group of images on its way. first, n: which; front, back: the arenas. */
typedef struct group {
    const mni_infer *f;
    const float *input;
    float *out, *front, *back;
    size_t first, n;
    mni_pool *pool;
    mni_scratch *tiles;
} group;

static float *value(const group *g, int tensor, size_t image)
{
    const mni_buffer *b = &g->f->plan.values[tensor];
    if (g->f->is_front[tensor]) return g->front + b->at;
    return g->back + b->at * g->n + image * b->floats;
}

static const float *value_in(const group *g, int tensor, size_t image)
{
    const mni_resnet_config *c = &g->f->config;
    if (tensor == 0)
        return g->input + (g->first + image) * c->input_channels * c->input_size *
                              c->input_size;
    return value(g, tensor, image);
}

static void run_conv(const group *g, const mni_layer *l, const mni_ready *r, size_t image,
                     size_t n)
{
    const mni_infer *f = g->f;
    conv_job j = { .f = f, .r = r, .n = n, .tiles = g->tiles };
    j.a = (mni_conv_args){ r->shape, value_in(g, l->in, image), f->packed + r->weight,
                           f->packed + r->bias,
                           l->add == MNI_NO_TENSOR ? NULL : value_in(g, l->add, image),
                           value(g, l->out, image), l->relu };
    const size_t in = (size_t)l->h_in * l->w_in;
    j.x_image = r->shape.planar ? l->c_in * in : mni_blocked_floats(l->c_in, in);
    j.y_image = mni_blocked_floats(l->c_out, (size_t)l->h_out * l->w_out);
    if (r->m) run_wino(&j, g->pool);
    else run_direct(&j, g->pool);
}

typedef struct pool_job { const mni_kern_conv *k; mni_conv_args a; } pool_job;

static void pool_rows(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const pool_job *j = ctx;
    (void)chunk;
    j->k->max_pool(&j->a, 0, mni_blocks(j->a.s.c_out), begin, end);
}

/* Layer s for images [image, image + n) of the group. */
static void run_layer(const group *g, size_t s, size_t image, size_t n)
{
    const mni_infer *f = g->f;
    const mni_layer *l = &f->plan.layers[s];
    if (l->kind == MNI_CONV || l->kind == MNI_LINEAR) {
        run_conv(g, l, &f->ready[s], image, n);
        return;
    }
    for (size_t i = image; i < image + n; i++) {
        const float *x = value_in(g, l->in, i);
        if (l->kind == MNI_UNIT) {
            mni_unit_forward(l, 1, x, g->out + (g->first + i) * l->c_out);
        } else if (l->kind == MNI_AVGPOOL) {
            f->kern->average(x, (size_t)l->h_in * l->w_in, mni_blocks(l->c_in),
                             value(g, l->out, i));
        } else {
            pool_job j = { f->kern, { .s = f->ready[s].shape, .x = x,
                                      .y = value(g, l->out, i) } };
            mni_parallel_for(g->pool, l->h_out, 8, pool_rows, &j);
        }
    }
}

static void run_group(const group *g)
{
    for (size_t i = 0; i < g->n; i++)
        for (size_t s = 0; s < g->f->cut; s++) run_layer(g, s, i, 1);
    for (size_t s = g->f->cut; s < g->f->plan.n_layers; s++) run_layer(g, s, 0, g->n);
}

/* --- forward ------------------------------------------------------------------------ */

typedef struct job {
    const mni_infer *f;
    const float *input;
    float *out;
    mni_pool *pool;
    work *w;
} job;

static void run_range(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const job *j = ctx;
    float *arena = mni_scratch_take(&j->w->groups);
    (void)chunk;
    const group g = { j->f, j->input, j->out, arena, arena + j->f->front_floats, begin,
                      end - begin, j->pool, &j->w->tiles };
    run_group(&g);
    mni_scratch_give(&j->w->groups, arena);
}

/* Images of a group: enough to share weights among, few enough for the cache. */
static size_t group_of(const mni_infer *f, size_t n, size_t threads)
{
    size_t fit = f->back_floats ? BACK_FLOATS / f->back_floats : MOST_IMAGES;
    if (fit > MOST_IMAGES) fit = MOST_IMAGES;
    if (fit > mni_chunk_count(n, threads)) fit = mni_chunk_count(n, threads);
    return fit < 1 ? 1 : fit;
}

/* How the work is cut depends on the number of threads: no bit of the answer does. */
mann_status mni_infer_forward(const mni_infer *f, const float *input, size_t n,
                              mni_pool *pool, float *out, mann_error *err)
{
    if (n == 0) return MANN_OK;
    const size_t threads = mni_pool_threads(pool);
    const size_t each = group_of(f, n, n < threads ? 1 : threads);
    const size_t running = n < threads ? 1 : min_of(threads, mni_chunk_count(n, each));
    work *w = work_take(f, running, f->front_floats + f->back_floats * each, threads);
    if (!w)
        return mni_fail(err, MANN_E_NOMEM, "model: activations of %zu images", each);
    job j = { f, input, out, pool, w };
    if (n >= threads) {
        j.pool = NULL;
        mni_parallel_for(pool, n, each, run_range, &j);
    } else {
        for (size_t i = 0; i < n; i += each)
            run_range(&j, i, min_of(i + each, n), 0);
    }
    work_give(f, w);
    return MANN_OK;
}

size_t mni_infer_work_bytes(const mni_infer *f, size_t n, size_t threads)
{
    const size_t each = group_of(f, n, n < threads ? 1 : threads);
    const size_t running = n < threads ? 1 : min_of(threads, mni_chunk_count(n, each));
    return (running * (f->front_floats + f->back_floats * each) +
            threads * f->tile_floats) * sizeof(float);
}
