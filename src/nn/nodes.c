/* nodes.c - see nodes.h. How to read it: `take_layer` is called for every layer and
 * groups them; `set_times` says from when to when each buffer is needed.
 * SPDX-License-Identifier: MIT */
#include "nn/nodes.h"

#include "base/mem.h"
#include "kern/kern_wino.h"

typedef struct build {
    mni_nodes *g;
    int *node_of, *link_of;     /* by tensor: the node it is; the link whose z or norm */
} build;

static void count_layer(void *ctx, const mni_layer *l)
{
    (void)l;
    ++*(size_t *)ctx;
}

static int new_node(mni_nodes *g, mni_node_kind kind, uint32_t c, uint32_t h, uint32_t w)
{
    g->nodes[g->n_nodes] = (mni_node){ .kind = kind, .c = c, .h = h, .w = w,
                                       .link = MNI_NONE, .side_link = MNI_NONE,
                                       .side = MNI_NONE, .pooled = MNI_NONE,
                                       .side_of = MNI_NONE, .pool_of = MNI_NONE };
    return (int)g->n_nodes++;
}

static void take_conv(build *b, const mni_layer *l)
{
    mni_nodes *g = b->g;
    const int from = b->node_of[l->in], id = (int)g->n_links++;
    mni_node *v = &g->nodes[from];
    g->links[id] = (mni_link){
        .conv = *l,
        .shape = { l->c_in, l->h_in, l->w_in, l->c_out, l->h_out, l->w_out, l->kernel,
                   l->stride, l->pad, from == 0 },
        .from = from,
        .turned = MNI_NOWHERE
    };
    v->readers[v->n_readers++] = id;
    b->link_of[l->out] = id;
}

static void take_norm(build *b, const mni_layer *l)
{
    mni_nodes *g = b->g;
    const int link = b->link_of[l->in];
    g->links[link].norm = *l;
    if (!l->relu) {                     /* the shortcut's: waits for the add */
        b->link_of[l->out] = link;
        return;
    }
    const int id = new_node(g, MNI_NODE_ACT, l->c_out, l->h_out, l->w_out);
    mni_node *v = &g->nodes[id];
    v->link = link;
    g->links[link].to = id;
    b->node_of[l->out] = id;
    if (l->add == MNI_NO_TENSOR) return;
    v->keeps = 1;
    if (b->node_of[l->add] != MNI_NONE) {
        v->side = b->node_of[l->add];
        g->nodes[v->side].side_of = id;
        g->nodes[v->side].keeps = 1;
    } else {
        v->side_link = b->link_of[l->add];
        g->links[v->side_link].to = id;
    }
}

static void take_pool(build *b, const mni_layer *l)
{
    mni_nodes *g = b->g;
    const int id = new_node(g, MNI_NODE_POOL, l->c_out, l->h_out, l->w_out);
    mni_node *v = &g->nodes[id];
    v->pooled = b->node_of[l->in];
    v->pool = *l;
    v->keeps = 1;
    g->nodes[v->pooled].pool_of = id;
    b->node_of[l->out] = id;
}

static void take_layer(void *ctx, const mni_layer *l)
{
    build *b = ctx;
    b->node_of[l->out] = b->link_of[l->out] = MNI_NONE;
    switch (l->kind) {
    case MNI_CONV:    take_conv(b, l); break;
    case MNI_NORM:    take_norm(b, l); break;
    case MNI_MAXPOOL: take_pool(b, l); break;
    case MNI_AVGPOOL: b->g->tail[0] = *l; break;
    case MNI_LINEAR:  b->g->tail[1] = *l; break;
    case MNI_UNIT:    b->g->tail[2] = *l; break;
    }
}

/* --- sizes and times ---------------------------------------------------------------- */

static size_t taken(size_t *used, size_t floats)
{
    const size_t at = *used;
    *used += floats;
    return at;
}

/* Which algorithm: a rule on the shape alone. Tiles of 4 x 4 win by 2 to 2.8 wherever
 * they fit the map without much waste (bench: nn.train). */
static int tile_of(const mni_conv_shape *s)
{
    if (s->planar || s->kernel != 3 || s->stride != 1) return 0;
    const uint32_t side = s->h_out < s->w_out ? s->h_out : s->w_out;
    return side % 4 == 0 || side > 8 ? 4 : 2;
}

/* Sums at Winograd's points are four times as large as dw: beyond this, fetching them
 * costs more than the products they save. */
enum { DW_WINO_MOST = 128 * 128 };

static void set_weights(mni_nodes *g)
{
    for (size_t i = 0; i < g->n_links; i++) {
        mni_link *k = &g->links[i];
        const mni_conv_shape *s = &k->shape;
        k->back = (mni_conv_shape){ s->c_out, s->h_out, s->w_out, s->c_in, s->h_in,
                                    s->w_in, s->kernel, 1, s->pad, 0 };
        k->m = tile_of(s);
        k->packed = taken(&g->packed_floats, mni_conv_weight_floats(s));
        if (k->from > 0)
            k->turned = taken(&g->packed_floats, mni_conv_weight_floats(&k->back));
        k->dw_wino = k->m == 4 && (size_t)s->c_in * s->c_out <= DW_WINO_MOST;
        k->dw_floats = mni_conv_weight_floats(s) / 9 * (k->dw_wino ? 36 : 9);
        if (s->kernel != 3) k->dw_floats = mni_conv_weight_floats(s);
        if (k->m) {
            k->points = taken(&g->packed_floats, mni_wino_weight_floats(s, k->m));
            k->points_back =
                taken(&g->packed_floats, mni_wino_weight_floats(&k->back, k->m));
        }
        k->coefs = taken(&g->coef_floats, 6 * MNI_BLOCK * mni_blocks(k->shape.c_out));
    }
}

/* With n nodes, node t is made at time t and its gradient at 2 n - 1 - t. Buffers: per
 * link its z, per node its map and its gradient. */
static mann_status set_times(mni_nodes *g, mann_error *err)
{
    const size_t n = g->n_nodes, last = 2 * n - 1, most = g->n_links + 2 * n;
    mni_buffer *all = mni_alloc(most, sizeof *all);
    size_t *order = mni_alloc(most, sizeof *order), k = 0;
    if (!all || !order) {
        mni_free(all);
        mni_free(order);
        return mni_fail(err, MANN_E_NOMEM, "network: plan of %zu nodes", n);
    }
    for (size_t i = 0; i < g->n_links; i++, k++) {
        const mni_link *l = &g->links[i];
        const size_t floats = mni_node_floats(&g->nodes[l->to]), from = (size_t)l->from;
        all[k] = (mni_buffer){ floats, from, last - from, 0 };
    }
    for (size_t t = 0; t < n; t++, k += 2) {
        const mni_node *v = &g->nodes[t];
        const size_t floats = mni_node_floats(v);
        size_t below = t;               /* the first node that this one is made of */
        if (v->kind == MNI_NODE_ACT) below = (size_t)g->links[v->link].from;
        if (v->side_link != MNI_NONE && (size_t)g->links[v->side_link].from < below)
            below = (size_t)g->links[v->side_link].from;
        if (v->side != MNI_NONE && (size_t)v->side < below) below = (size_t)v->side;
        if (v->kind == MNI_NODE_POOL) below = (size_t)v->pooled;
        all[k] = (mni_buffer){ v->keeps ? floats : 0, t, last - t, 0 };
        all[k + 1] = (mni_buffer){ t ? floats : 0, last - t, last - below, 0 };
        if (t && g->map_floats < floats) g->map_floats = floats;
    }
    g->arena_floats = mni_buffers_place(all, most, order);
    for (size_t i = 0; i < g->n_links; i++) g->links[i].z = all[i];
    for (size_t t = 0; t < n; t++) {
        g->nodes[t].y = all[g->n_links + 2 * t];
        g->nodes[t].d = all[g->n_links + 2 * t + 1];
    }
    mni_free(all);
    mni_free(order);
    return MANN_OK;
}

mann_status mni_nodes_init(mni_nodes *g, const mni_resnet_config *c, mann_error *err)
{
    size_t n_layers = 0;
    *g = (mni_nodes){ .n_nodes = 0 };
    mni_resnet_each_layer(c, count_layer, &n_layers);
    build b = { g, mni_alloc(n_layers + 1, sizeof *b.node_of),
                mni_alloc(n_layers + 1, sizeof *b.link_of) };
    g->nodes = mni_alloc(n_layers + 1, sizeof *g->nodes);
    g->links = mni_alloc(n_layers + 1, sizeof *g->links);
    mann_status s = MANN_OK;
    if (!b.node_of || !b.link_of || !g->nodes || !g->links)
        s = mni_fail(err, MANN_E_NOMEM, "network: nodes of %zu layers", n_layers);
    if (s == MANN_OK) {
        b.node_of[0] = new_node(g, MNI_NODE_INPUT, c->input_channels, c->input_size,
                                c->input_size);
        mni_resnet_each_layer(c, take_layer, &b);
        set_weights(g);
        s = set_times(g, err);
    }
    mni_free(b.node_of);
    mni_free(b.link_of);
    if (s != MANN_OK) mni_nodes_fini(g);
    return s;
}

void mni_nodes_fini(mni_nodes *g)
{
    mni_free(g->nodes);
    mni_free(g->links);
    *g = (mni_nodes){ .n_nodes = 0 };
}
