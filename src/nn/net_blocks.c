/* net_blocks.c - the fast executor: making, and forward. See net_blocks.h.
 * SPDX-License-Identifier: MIT */
#include "nn/net_blocks.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

/* --- making ------------------------------------------------------------------------- */

static float *floats(size_t count, size_t times)
{
    if (times && count > SIZE_MAX / times) return NULL;
    return mni_alloc_aligned(count * times, sizeof(float), 1);
}

/* Floats of one of the maps that a scratch has room for. */
static size_t piece_of(const mni_nodes *g)
{
    size_t most = mni_grad_padded_floats(&g->links[0].shape);
    for (size_t t = 1; t < g->n_nodes; t++) {
        const mni_node *v = &g->nodes[t];
        size_t floats_of = mni_node_floats(v) * mni_together(v);
        if (most < floats_of) most = floats_of;
        for (int r = 0; r < v->n_readers; r++) {    /* their dz */
            const mni_node *to = &g->nodes[g->links[v->readers[r]].to];
            floats_of = mni_node_floats(to) * mni_together(v);
            if (most < floats_of) most = floats_of;
        }
    }
    return (most + MNI_BLOCK - 1) / MNI_BLOCK * MNI_BLOCK;
}

/* Tiles that go through Winograd's points together. */
static size_t tiles_together(const mni_conv_shape *s, int m, size_t n)
{
    const size_t best = mni_wino_best_tiles(s, m), all = n * mni_wino_tiles(s, m);
    return best < all ? best : all;
}

static size_t wino_of(const mni_nodes *g)
{
    size_t most = 0;
    for (size_t i = 0; i < g->n_links; i++) {
        const mni_link *k = &g->links[i];
        if (!k->m) continue;
        const size_t n = mni_together(&g->nodes[k->from]);
        const size_t there = mni_wino_scratch_floats(&k->shape, k->m,
                                                     tiles_together(&k->shape, k->m, n)),
                     back = mni_wino_scratch_floats(&k->back, k->m,
                                                    tiles_together(&k->back, k->m, n));
        const size_t dw = k->dw_wino ? mni_grad_wino_floats(&k->shape, n) : 0;
        if (most < there) most = there;
        if (most < back) most = back;
        if (most < dw) most = dw;
    }
    return most;
}

static size_t partial_of(const mni_nodes *g)
{
    size_t most = 0;
    for (size_t t = 0; t < g->n_nodes; t++) {
        size_t sum = 0;
        for (int r = 0; r < g->nodes[t].n_readers; r++)
            sum += g->links[g->nodes[t].readers[r]].dw_floats;
        if (most < sum) most = sum;
    }
    return most;
}

static size_t most_channels(const mni_nodes *g)
{
    size_t most = 0;
    for (size_t i = 0; i < g->n_links; i++)
        if (most < g->links[i].shape.c_out) most = g->links[i].shape.c_out;
    return most;
}

static int take_memory(mni_blocks_run *b, const mni_network *net)
{
    const mni_nodes *g = &b->g;
    const size_t n = net->max_batch, dim = mni_resnet_dim(&net->config);
    b->arena = floats(g->arena_floats, n);
    b->packed = floats(g->packed_floats, 1);
    b->coefs = floats(g->coef_floats, 1);
    b->partial = floats(b->partial_floats, MNI_GROUPS + 1);   /* and dw packed */
    b->abc = floats(most_channels(g), 3);
    for (int i = 0; i < 6; i++) {
        b->tail[i] = floats(i % 3 == 0 ? g->tail[0].c_out : dim, n);
        if (!b->tail[i]) return 0;
    }
    b->linear_work = floats(g->tail[1].kind ? mni_linear_scratch(&g->tail[1], n) : 1, 1);
    return b->arena && b->packed && b->coefs && b->partial && b->abc && b->linear_work &&
           mni_scratch_init(&b->scratch, mni_pool_threads(net->pool),
                            (2 + MNI_READERS) * b->piece + b->wino_floats);
}

/* What take_memory takes, without taking it (the test compares them). */
static size_t floats_of(const mni_blocks_run *b, const mni_resnet_config *c,
                        size_t threads)
{
    const mni_nodes *g = &b->g;
    const size_t n = b->max_batch, dim = mni_resnet_dim(c);
    return g->arena_floats * n + g->packed_floats + g->coef_floats +
           b->partial_floats * (MNI_GROUPS + 1) + 3 * most_channels(g) +
           2 * n * (g->tail[0].c_out + 2 * dim) +
           (g->tail[1].kind ? mni_linear_scratch(&g->tail[1], n) : 1) +
           threads * ((2 + MNI_READERS) * b->piece + b->wino_floats);
}

/* The nodes, and the sizes that follow from them. */
static mann_status plan(mni_blocks_run *b, const mni_resnet_config *c, size_t max_batch,
                        mann_error *err)
{
    b->max_batch = max_batch;
    MNI_TRY(mni_nodes_init(&b->g, c, err));
    b->piece = piece_of(&b->g);
    b->partial_floats = partial_of(&b->g);
    b->wino_floats = wino_of(&b->g);
    return MANN_OK;
}

mann_status mni_blocks_plan(const mni_resnet_config *c, size_t max_batch, size_t threads,
                            mni_network_size *out, mann_error *err)
{
    mni_blocks_run b = { .max_batch = 0 };
    MNI_TRY(plan(&b, c, max_batch, err));
    out->arena = b.g.arena_floats * max_batch * sizeof(float);
    out->all = floats_of(&b, c, threads) * sizeof(float);
    mni_nodes_fini(&b.g);
    return MANN_OK;
}

mann_status mni_blocks_new(mni_blocks_run **out, const mni_network *net, mann_error *err)
{
    *out = NULL;
    mni_blocks_run *b = mni_alloc(1, sizeof *b);
    if (!b) return mni_fail(err, MANN_E_NOMEM, "network: header");
    b->conv = mni_kern_conv_best();
    b->grad = mni_kern_grad_best();
    b->norm = mni_kern_norm_best();
    b->ew = mni_kern_ew_best();
    mann_status s = plan(b, &net->config, net->max_batch, err);
    if (s == MANN_OK && !take_memory(b, net))
        s = mni_fail(err, MANN_E_NOMEM,
                     "network: batch of %zu images: %zu MiB of activations",
                     net->max_batch, mni_blocks_arena_bytes(b) >> 20);
    if (s != MANN_OK) { mni_blocks_free(b); return s; }
    *out = b;
    return MANN_OK;
}

void mni_blocks_free(mni_blocks_run *b)
{
    if (!b) return;
    mni_scratch_fini(&b->scratch);
    mni_free(b->linear_work);
    for (int i = 0; i < 6; i++) mni_free(b->tail[i]);
    mni_free(b->abc);
    mni_free(b->partial);
    mni_free(b->coefs);
    mni_free(b->packed);
    mni_free(b->arena);
    mni_nodes_fini(&b->g);
    mni_free(b);
}

size_t mni_blocks_arena_bytes(const mni_blocks_run *b)
{
    return b->g.arena_floats * b->max_batch * sizeof(float);
}

/* --- weights ------------------------------------------------------------------------ */

typedef struct packing {
    mni_network *net;
    mni_blocks_run *b;
    const mni_link *k;
} packing;

static void pack_forward(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const packing *p = ctx;
    (void)chunk;
    mni_grad_pack(&p->k->shape, p->net->params + p->k->conv.weight, begin, end,
                  p->b->packed + p->k->packed);
    if (p->k->m)
        mni_grad_points(&p->k->shape, p->k->m, p->b->packed + p->k->packed, begin, end,
                        p->b->packed + p->k->points);
}

static void pack_turned(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const packing *p = ctx;
    (void)chunk;
    mni_grad_pack_turned(&p->k->shape, p->net->params + p->k->conv.weight,
                         p->k->shape.stride == 1, begin, end,
                         p->b->packed + p->k->turned);
    if (p->k->m)
        mni_grad_points(&p->k->back, p->k->m, p->b->packed + p->k->turned, begin, end,
                        p->b->packed + p->k->points_back);
}

static void pack_weights(mni_network *net, mni_mode mode)
{
    mni_blocks_run *b = net->blocks;
    for (size_t i = 0; i < b->g.n_links; i++) {
        const mni_link *k = &b->g.links[i];
        packing p = { net, b, k };
        mni_parallel_for(net->pool, mni_blocks(k->shape.c_out), 1, pack_forward, &p);
        if (mode == MNI_TRAIN && k->turned != MNI_NOWHERE)
            mni_parallel_for(net->pool, mni_blocks(k->shape.c_in), 1, pack_turned, &p);
    }
}

/* --- maps --------------------------------------------------------------------------- */

/* Rows [row, end) of the map of node v, from z. */
static void act_rows(const mni_blocks_run *b, const mni_node *v, size_t image, size_t row,
                     size_t end, float *to)
{
    const mni_link *k = &b->g.links[v->link], *side = NULL;
    const size_t step = mni_node_places(v) * MNI_BLOCK, at = row * v->w * MNI_BLOCK;
    const float *r = NULL, *z = mni_at(b, &k->z, image);
    if (v->side_link != MNI_NONE) {
        side = &b->g.links[v->side_link];
        r = mni_at(b, &side->z, image);
    } else if (v->side != MNI_NONE) {
        r = mni_at(b, &b->g.nodes[v->side].y, image);
    }
    for (size_t i = 0; i < mni_node_blocks(v); i++) {
        const mni_norm_act a = { z + i * step + at,
                                 mni_coef(b, k, MNI_SCALE, i),
                                 mni_coef(b, k, MNI_SHIFT, i),
                                 r ? r + i * step + at : NULL,
                                 side ? mni_coef(b, side, MNI_SCALE, i) : NULL,
                                 side ? mni_coef(b, side, MNI_SHIFT, i) : NULL,
                                 to + i * step + at };
        b->norm->act(&a, (end - row) * v->w);
    }
}

const float *mni_piece_map(const mni_piece *p, size_t i)
{
    const mni_node *v = p->s->v;
    if (v->kind == MNI_NODE_INPUT)
        return p->s->net->input + i * v->c * mni_node_places(v);
    if (v->keeps) return mni_at(p->s->b, &v->y, i);
    return p->map + (i - p->begin) * mni_node_floats(v);
}

static void pool_below(const mni_piece *p, size_t i)
{
    const mni_blocks_run *b = p->s->b;
    const mni_node *v = p->s->v, *below = &b->g.nodes[v->pooled];
    act_rows(b, below, i, 0, below->h, p->dx);
    mni_blocks_maxpool(&v->pool, p->dx, mni_at(b, &v->y, i));
}

void mni_piece_make(mni_piece *p, int kept)
{
    const mni_node *v = p->s->v;
    const size_t end = p->row_end < v->h ? p->row_end + 1 : v->h, from = p->made;
    p->made = end;
    if (v->kind == MNI_NODE_INPUT || v->keeps != kept) return;
    for (size_t i = p->begin; i < p->end; i++)
        if (v->kind == MNI_NODE_POOL)
            pool_below(p, i);
        else
            act_rows(p->s->b, v, i, from, end,
                     v->keeps ? mni_at(p->s->b, &v->y, i)
                              : p->map + (i - p->begin) * mni_node_floats(v));
}

/* --- convolution and sums ----------------------------------------------------------- */

/* Adds rows [row, end) to the mean and the sum of squares of z (Chan, Golub, LeVeque
 * 1979: two parts of n and m numbers make one without cancellation). */
static void add_stats(const mni_piece *p, const mni_link *k, size_t i, size_t row,
                      size_t end)
{
    const mni_node *to = &p->s->b->g.nodes[k->to];
    const size_t places = mni_node_places(to), in_band = (end - row) * to->w;
    const float *z = mni_at(p->s->b, &k->z, i) + row * to->w * MNI_BLOCK;
    const double n = (double)(row * to->w), m = (double)in_band;
    double *pairs = mni_pairs_of(p->s->net, &k->norm, i), mean[MNI_BLOCK],
           squares[MNI_BLOCK];
    for (size_t c = 0; c < to->c; c++, pairs += 2) {
        const size_t lane = c % MNI_BLOCK;
        if (lane == 0) p->s->b->norm->stats(z + c * places, in_band, mean, squares);
        if (row == 0) {
            pairs[0] = mean[lane];
            pairs[1] = squares[lane];
        } else {
            const double d = mean[lane] - pairs[0];
            pairs[0] += d * m / (n + m);
            pairs[1] += squares[lane] + d * d * n * m / (n + m);
        }
    }
}

void mni_piece_scratch(mni_piece *p, float *scratch)
{
    const size_t piece = p->s->b->piece;
    p->map = scratch;
    p->dx = scratch + piece;
    for (size_t r = 0; r < MNI_READERS; r++) p->dz[r] = scratch + (2 + r) * piece;
    p->wino = scratch + (2 + MNI_READERS) * piece;
}

static void direct(const mni_kern_conv *conv, const mni_conv_args *all, size_t n,
                   size_t row, size_t row_end)
{
    const mni_conv_shape *s = &all->s;
    const size_t blocks = mni_blocks(s->c_out), in = (size_t)s->h_in * s->w_in,
                 y_image = mni_blocked_floats(s->c_out, (size_t)s->h_out * s->w_out),
                 x_image = s->planar ? s->c_in * in : mni_blocked_floats(s->c_in, in);
    const mni_conv_fn fn = s->planar ? conv->first : conv->direct;
    for (size_t at = 0; at < blocks; at += conv->group)
        for (size_t i = 0; i < n; i++) {
            mni_conv_args a = *all;
            a.x += i * x_image;
            a.y += i * y_image;
            if (a.r) a.r += i * y_image;
            fn(&a, at, at + conv->group < blocks ? at + conv->group : blocks, row,
               row_end);
        }
}

void mni_piece_conv(const mni_piece *p, const mni_conv_args *a, int m, size_t n,
                    size_t row, size_t row_end)
{
    const mni_conv_shape *s = &a->s;
    if (!m) {
        direct(p->s->b->conv, a, n, row, row_end);
        return;
    }
    const size_t side = (size_t)m, in_row = (s->w_out + side - 1) / side,
                 together = tiles_together(s, m, n);
    size_t tile = row / side * in_row, end = (row_end + side - 1) / side * in_row;
    if (row == 0 && row_end == s->h_out) end *= n;
    for (size_t next; tile < end; tile = next) {
        next = tile + together < end ? tile + together : end;
        mni_wino_run(p->s->b->conv, a, m, tile, next, p->wino);
    }
}

static void run_link(const mni_piece *p, const mni_link *k)
{
    const mni_blocks_run *b = p->s->b;
    const size_t row = mni_rows_out(k, p->row), end = mni_rows_out(k, p->row_end);
    const mni_conv_args a = { .s = k->shape,
                              .x = mni_piece_map(p, p->begin),
                              .w = b->packed + (k->m ? k->points : k->packed),
                              .y = mni_at(b, &k->z, p->begin) };
    mni_piece_conv(p, &a, k->m, p->end - p->begin, row, end);
    if (p->s->mode == MNI_TRAIN)
        for (size_t i = p->begin; i < p->end; i++) add_stats(p, k, i, row, end);
}

static void pool_map(const mni_piece *p, size_t image)
{
    const mni_node *v = p->s->v;
    const size_t places = mni_node_places(v);
    const float *x = mni_piece_map(p, image);
    double mean[MNI_BLOCK], squares[MNI_BLOCK];
    for (size_t i = 0; i < v->c; i++) {
        if (i % MNI_BLOCK == 0)
            p->s->b->norm->stats(x + i * places, places, mean, squares);
        p->s->b->tail[0][image * v->c + i] = (float)mean[i % MNI_BLOCK];
    }
}

static void node_forward(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const mni_stage *s = ctx;
    const mni_node *v = s->v;
    const size_t rows = mni_band_rows(v);
    float *scratch = mni_scratch_take(&s->b->scratch);
    mni_piece p = { .s = s, .begin = begin, .end = end };
    (void)chunk;
    mni_piece_scratch(&p, scratch);
    for (; p.row < v->h; p.row = p.row_end) {
        p.row_end = p.row + rows < v->h ? p.row + rows : v->h;
        mni_piece_make(&p, v->keeps);
        for (int r = 0; r < v->n_readers; r++)
            run_link(&p, &s->b->g.links[v->readers[r]]);
    }
    if (v == &s->b->g.nodes[s->b->g.n_nodes - 1])
        for (size_t i = begin; i < end; i++) pool_map(&p, i);
    mni_scratch_give(&s->b->scratch, scratch);
}

/* Mean and var of the batch, or the running ones, and what follows from them. */
static void set_coefs(const mni_stage *s, const mni_link *k)
{
    const mni_network *net = s->net;
    const mni_layer *l = &k->norm;
    const float *stats = s->mode == MNI_TRAIN ? net->batch_stats : net->stats;
    if (s->mode == MNI_TRAIN)
        mni_norm_gather(l, net->n, mni_pairs_of(net, l, 0), net->batch_stats + l->mean,
                        net->batch_stats + l->var, net->stats + l->mean,
                        net->stats + l->var);
    float *scale = mni_coef(s->b, k, MNI_SCALE, 0),
          *shift = mni_coef(s->b, k, MNI_SHIFT, 0),
          *mean = mni_coef(s->b, k, MNI_MEAN, 0);
    for (size_t c = 0; c < l->c_out; c++) {
        const double a = net->params[l->weight + c] /
                         sqrt((double)stats[l->var + c] + MNI_NORM_EPSILON);
        mean[c] = stats[l->mean + c];
        scale[c] = (float)a;
        shift[c] = (float)(net->params[l->bias + c] - mean[c] * a);
    }
}

/* How many images a thread takes at a time changes no bit of forward, and so may depend
 * on the number of threads. */
static size_t forward_grain(const mni_stage *s)
{
    const size_t most = mni_together(s->v),
                 fair = s->net->n / (2 * mni_pool_threads(s->net->pool));
    return fair < 1 ? 1 : fair < most ? fair : most;
}

const float *mni_blocks_forward(mni_network *net, mni_mode mode)
{
    mni_blocks_run *b = net->blocks;
    const mni_layer *linear = &b->g.tail[1], *unit = &b->g.tail[2];
    pack_weights(net, mode);
    for (size_t t = 0; t < b->g.n_nodes; t++) {
        mni_stage s = { net, b, &b->g.nodes[t], mode };
        mni_parallel_for(net->pool, net->n, forward_grain(&s), node_forward, &s);
        for (int r = 0; r < s.v->n_readers; r++)
            set_coefs(&s, &b->g.links[s.v->readers[r]]);
    }
    const float *x = b->tail[0];
    if (linear->kind) {
        mni_linear_forward(linear, net->n, x, net->params + linear->weight,
                           net->params + linear->bias, b->tail[1], b->linear_work);
        x = b->tail[1];
    }
    mni_unit_forward(unit, net->n, x, b->tail[2]);
    return b->tail[2];
}
