/* net_blocks_back.c - the fast executor: backward. See net_blocks.h.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "nn/net_blocks.h"

/* --- one link, a piece of work ------------------------------------------------------ */

/* Rows of dz that rows up to p->row_end of the node need: with 3x3 taps one more. */
static size_t rows_of_dz(const mni_link *k, size_t row_end)
{
    const size_t end = mni_rows_out(k, row_end) + (k->shape.kernel > 1);
    return end < k->shape.h_out ? end : k->shape.h_out;
}

/* dz = a d + b z + c, of the link's norm. */
static void make_dz(const mni_piece *p, const mni_link *k, float *dz)
{
    const mni_blocks_run *b = p->s->b;
    const mni_node *to = &b->g.nodes[k->to];
    const size_t step = mni_node_places(to) * MNI_BLOCK,
                 from = p->row ? rows_of_dz(k, p->row) : 0,
                 end = rows_of_dz(k, p->row_end);
    for (size_t i = p->begin; i < p->end; i++, dz += mni_node_floats(to))
        for (size_t j = 0; j < mni_node_blocks(to); j++) {
            const size_t at = j * step + from * to->w * MNI_BLOCK;
            b->norm->grad(mni_at(b, &to->d, i) + at, mni_at(b, &k->z, i) + at,
                          mni_coef(b, k, MNI_A, j), mni_coef(b, k, MNI_B, j),
                          mni_coef(b, k, MNI_C, j), (end - from) * to->w, dz + at);
        }
}

static void add_dw(const mni_piece *p, const mni_link *k, const float *dz, float *dw)
{
    const mni_node *v = p->s->v, *to = &p->s->b->g.nodes[k->to];
    mni_dw_args a = { k->shape, p->end - p->begin, mni_node_floats(v),
                      mni_node_floats(to), mni_rows_out(k, p->row),
                      mni_rows_out(k, p->row_end), mni_piece_map(p, p->begin), dz, dw };
    if (k->dw_wino) {
        mni_grad_dw_wino(p->s->b->grad, p->s->b->conv, &a, p->wino);
        return;
    }
    if (!k->shape.planar) {
        mni_grad_dw(p->s->b->grad, &a);
        return;
    }
    a.n = 1;
    for (size_t i = p->begin; i < p->end; i++, a.dy += mni_node_floats(to)) {
        if (p->row == 0) mni_grad_pad(&k->shape, mni_piece_map(p, i), p->map);
        a.x = p->map;
        mni_grad_dw_first(p->s->b->grad, &a);
    }
}

/* dx = dz carried back (+ what is added: the gradient of a node that adds this one, or
 * the dx so far). */
static void make_dx(const mni_piece *p, const mni_link *k, const float *dz, int first)
{
    const mni_blocks_run *b = p->s->b;
    const mni_node *v = p->s->v;
    mni_conv_args a = { .s = k->back,
                        .x = dz,
                        .w = b->packed + (k->m ? k->points_back : k->turned),
                        .r = first ? NULL : p->dx,
                        .y = p->dx };
    if (first && v->side_of != MNI_NONE)
        a.r = mni_at(b, &b->g.nodes[v->side_of].d, p->begin);
    if (k->shape.stride == 1) {
        mni_piece_conv(p, &a, k->m, p->end - p->begin, p->row, p->row_end);
        return;
    }
    for (size_t i = p->begin; i < p->end; i++) {
        const mni_dx_args d = { k->shape, p->row, p->row_end, a.x, a.w, a.r, a.y };
        mni_grad_dx_strided(b->grad, &d);
        a.x += mni_node_floats(&b->g.nodes[k->to]);
        a.y += mni_node_floats(v);
        if (a.r) a.r += mni_node_floats(v);
    }
}

/* --- one node ----------------------------------------------------------------------- */

/* The gradient of the last map: every place has its share of the mean's. */
static void spread_mean(const mni_piece *p)
{
    const mni_node *v = p->s->v;
    const size_t places = mni_node_places(v);
    for (size_t i = p->begin; i < p->end; i++) {
        float *dx = p->dx + (i - p->begin) * mni_node_floats(v);
        const float *d = p->s->b->tail[3] + i * v->c;
        memset(dx, 0, mni_node_floats(v) * sizeof *dx);
        for (size_t c = 0; c < v->c; c++) {
            float *to = dx + c / MNI_BLOCK * places * MNI_BLOCK + c % MNI_BLOCK;
            for (size_t q = 0; q < places; q++)
                to[q * MNI_BLOCK] = d[c] / (float)places;
        }
    }
}

static void unpool(const mni_piece *p)
{
    const mni_blocks_run *b = p->s->b;
    const mni_node *v = p->s->v, *over = &b->g.nodes[v->pool_of];
    for (size_t i = p->begin; i < p->end; i++)
        mni_blocks_maxpool_back(&over->pool, mni_piece_map(p, i), mni_at(b, &over->d, i),
                                p->dx + (i - p->begin) * mni_node_floats(v));
}

/* Sums of a block of a link's norm to the pairs of image i, from the first row on. */
static void add_pairs(const mni_piece *p, const mni_link *k, size_t i, size_t block,
                      const double *sum, const double *dot)
{
    double *pairs = mni_pairs_of(p->s->net, &k->norm, i) + 2 * block * MNI_BLOCK;
    for (size_t c = 0; c < MNI_BLOCK && block * MNI_BLOCK + c < p->s->v->c; c++) {
        pairs[2 * c] = sum[c] + (p->row ? pairs[2 * c] : 0);
        pairs[2 * c + 1] = dot[c] + (p->row ? pairs[2 * c + 1] : 0);
    }
}

/* d = dx where the map is positive, and the sums that the norms want of it. */
static void mask_dx(const mni_piece *p)
{
    const mni_blocks_run *b = p->s->b;
    const mni_node *v = p->s->v;
    const mni_link *k = &b->g.links[v->link],
                   *side = v->side_link == MNI_NONE ? NULL : &b->g.links[v->side_link];
    const size_t step = mni_node_places(v) * MNI_BLOCK;
    for (size_t i = p->begin; i < p->end; i++)
        for (size_t j = 0; j < mni_node_blocks(v); j++) {
            const size_t at = j * step + p->row * v->w * MNI_BLOCK;
            double sum[MNI_BLOCK] = { 0 }, dot[MNI_BLOCK] = { 0 },
                   dot2[MNI_BLOCK] = { 0 };
            const mni_norm_mask m = { p->dx + (i - p->begin) * mni_node_floats(v) + at,
                                      mni_piece_map(p, i) + at,
                                      mni_at(b, &k->z, i) + at,
                                      mni_coef(b, k, MNI_MEAN, j),
                                      side ? mni_at(b, &side->z, i) + at : NULL,
                                      side ? mni_coef(b, side, MNI_MEAN, j) : NULL,
                                      mni_at(b, &v->d, i) + at,
                                      sum, dot, dot2 };
            b->norm->mask(&m, (p->row_end - p->row) * v->w);
            add_pairs(p, k, i, j, sum, dot);
            if (side) add_pairs(p, side, i, j, sum, dot2);
        }
}

static void node_band(mni_piece *p, float *dw)
{
    const mni_stage *s = p->s;
    const mni_nodes *g = &s->b->g;
    const mni_node *v = s->v;
    mni_piece_make(p, 0);
    for (int r = 0; r < v->n_readers; r++) {
        const mni_link *k = &g->links[v->readers[r]];
        make_dz(p, k, p->dz[r]);
        add_dw(p, k, p->dz[r], dw);
        dw += k->dw_floats;
        if (v->kind != MNI_NODE_INPUT) make_dx(p, k, p->dz[r], r == 0);
    }
    if (v->kind != MNI_NODE_ACT) return;
    if (v == &g->nodes[g->n_nodes - 1]) spread_mean(p);
    if (v->pool_of != MNI_NONE) unpool(p);
    mask_dx(p);
}

/* One group of images: see MNI_GROUPS. */
static void node_backward(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const mni_stage *s = ctx;
    const mni_node *v = s->v;
    const size_t together = mni_together(v), rows = mni_band_rows(v);
    float *dw = s->b->partial + chunk * s->b->partial_floats,
          *scratch = mni_scratch_take(&s->b->scratch);
    size_t n_dw = 0;
    for (int r = 0; r < v->n_readers; r++)
        n_dw += s->b->g.links[v->readers[r]].dw_floats;
    memset(dw, 0, n_dw * sizeof *dw);
    for (size_t at = begin; at < end; at += together) {
        mni_piece p = { .s = s,
                        .begin = at,
                        .end = at + together < end ? at + together : end };
        mni_piece_scratch(&p, scratch);
        if (v->kind == MNI_NODE_POOL) p.dx = mni_at(s->b, &v->d, at);
        for (; p.row < v->h; p.row = p.row_end) {
            p.row_end = p.row + rows < v->h ? p.row + rows : v->h;
            node_band(&p, dw);
        }
    }
    mni_scratch_give(&s->b->scratch, scratch);
}

/* --- sums over the batch ------------------------------------------------------------ */

typedef struct gathering {
    const mni_stage *s;
    const mni_link *k;
    size_t at, packed;      /* places in the partial sums; packed: free by then */
} gathering;

/* The groups' gradients of blocks [begin, end), in the order of the groups. */
static void gather_dw(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const gathering *t = ctx;
    const mni_stage *s = t->s;
    const mni_conv_shape *shape = &t->k->shape;
    const size_t n_groups = mni_chunk_count(s->net->n, mni_group_of(s->net->n)),
                 block = t->k->dw_floats / mni_blocks(shape->c_out);
    float *sum = s->b->partial + t->at, *packed = s->b->partial + t->packed;
    (void)chunk;
    for (size_t g = 1; g < n_groups; g++)
        s->b->ew->add(sum + begin * block,
                      sum + g * s->b->partial_floats + begin * block,
                      (end - begin) * block);
    if (t->k->dw_wino) mni_grad_from_points(shape, sum, begin, end, packed);
    else packed = sum;
    mni_grad_unpack(shape, packed, begin, end, s->net->grads + t->k->conv.weight);
}

static void set_abc(const mni_stage *s, const mni_link *k)
{
    const mni_network *net = s->net;
    const mni_layer *l = &k->norm;
    mni_norm_grad_gather(l, net->n, mni_pairs_of(net, l, 0), net->params + l->weight,
                         net->batch_stats + l->mean, net->batch_stats + l->var,
                         net->grads + l->weight, net->grads + l->bias, s->b->abc);
    for (int i = 0; i < 3; i++) {
        float *to = mni_coef(s->b, k, MNI_A + i, 0);
        for (size_t c = 0; c < l->c_out; c++) to[c] = s->b->abc[3 * c + i];
    }
}

void mni_blocks_backward(mni_network *net, const float *d_embeddings)
{
    mni_blocks_run *b = net->blocks;
    const mni_layer *linear = &b->g.tail[1], *unit = &b->g.tail[2];
    float *d = linear->kind ? b->tail[4] : b->tail[3];
    memset(d, 0, net->n * unit->c_out * sizeof *d);
    mni_unit_backward(unit, net->n, linear->kind ? b->tail[1] : b->tail[0], b->tail[2],
                      d_embeddings, d);
    if (linear->kind) {
        memset(b->tail[3], 0, net->n * linear->c_in * sizeof *d);
        mni_linear_backward(linear, net->n, b->tail[0], net->params + linear->weight, d,
                            b->tail[3], net->grads + linear->weight,
                            net->grads + linear->bias, b->linear_work);
    }
    for (size_t t = b->g.n_nodes; t-- > 0;) {
        mni_stage s = { net, b, &b->g.nodes[t], MNI_TRAIN };
        size_t at = 0;
        mni_parallel_for(net->pool, net->n, mni_group_of(net->n), node_backward, &s);
        for (int r = 0; r < s.v->n_readers; r++) {
            gathering q = { &s, &b->g.links[s.v->readers[r]], at,
                            MNI_GROUPS * b->partial_floats };
            mni_parallel_for(net->pool, mni_blocks(q.k->shape.c_out), 1, gather_dw, &q);
            at += q.k->dw_floats;
        }
        if (s.v->link != MNI_NONE) set_abc(&s, &b->g.links[s.v->link]);
        if (s.v->side_link != MNI_NONE) set_abc(&s, &b->g.links[s.v->side_link]);
    }
}
