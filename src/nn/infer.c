/* infer.c - see infer.h: making a network ready, and folding its weights. The forward
 * pass is in infer_run.c. SPDX-License-Identifier: MIT */
#include "nn/infer.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "nn/infer_run.h"
#include "nn/layers.h"
#include "os/huge.h"

/* --- layers ------------------------------------------------------------------------- */

static mni_conv_shape shape_of(const mni_layer *l)
{
    if (l->kind == MNI_LINEAR)
        return (mni_conv_shape){ l->c_in, 1, 1, l->c_out, 1, 1, 1, 1, 0, 0 };
    return (mni_conv_shape){ l->c_in, l->h_in, l->w_in, l->c_out, l->h_out, l->w_out,
                             l->kernel, l->stride, l->pad, l->in == 0 };
}

static size_t take(size_t *used, size_t floats)
{
    const size_t at = *used;
    *used += (floats + MNI_BLOCK - 1) / MNI_BLOCK * MNI_BLOCK;
    return at;
}

static size_t weight_floats(const mni_ready *r)
{
    return r->m ? mni_wino_weight_floats(&r->shape, r->m)
                : mni_conv_weight_floats(&r->shape);
}

static void make_ready(mni_infer *f, const mni_layer *l, mni_ready *r)
{
    r->shape = shape_of(l);
    if (l->kind != MNI_CONV && l->kind != MNI_LINEAR) return;
    r->m = l->kind == MNI_CONV ? mni_conv_rule(&r->shape) : 0;
    r->weight = take(&f->packed_floats, weight_floats(r));
    r->bias = take(&f->packed_floats, l->c_out);
    if (!r->m) return;
    r->tiles = mni_wino_best_tiles(&r->shape, r->m);
    const size_t need = mni_wino_scratch_floats(&r->shape, r->m, r->tiles);
    if (f->tile_floats < need) f->tile_floats = need;
}

/* --- memory ------------------------------------------------------------------------- */

static size_t map_floats(uint32_t c, uint32_t h, uint32_t w)
{
    return mni_blocked_floats(c, (size_t)h * w);
}

/* The back begins where weights outweigh the maps they work on. */
static size_t find_cut(const mni_infer *f)
{
    for (size_t s = 0; s < f->plan.n_layers; s++) {
        const mni_conv_shape *shape = &f->ready[s].shape;
        if (f->plan.layers[s].kind == MNI_CONV &&
            weight_floats(&f->ready[s]) >
                map_floats(shape->c_in, shape->h_in, shape->w_in) +
                    map_floats(shape->c_out, shape->h_out, shape->w_out))
            return s;
    }
    return f->plan.n_layers;
}

/* Tensors that are made and last read in front share an arena for one image; the others
 * have one with room for each. */
static mann_status place(mni_infer *f, mann_error *err)
{
    mni_plan *p = &f->plan;
    mni_buffer *half = mni_alloc(p->n_tensors, sizeof *half);
    size_t *order = mni_alloc(p->n_tensors, sizeof *order);
    f->is_front = mni_alloc(p->n_tensors, 1);
    if (!half || !order || !f->is_front) {
        mni_free(half);
        mni_free(order);
        return mni_fail(err, MANN_E_NOMEM, "model: plan of %zu tensors", p->n_tensors);
    }
    for (size_t s = 0; s < p->n_layers; s++) {
        const mni_layer *l = &p->layers[s];
        p->values[l->out].floats = map_floats(l->c_out, l->h_out, l->w_out);
    }
    p->values[p->n_tensors - 1].floats = 0;             /* the caller's */
    f->cut = find_cut(f);
    for (int front = 0; front < 2; front++) {
        for (size_t t = 0; t < p->n_tensors; t++) {
            const int is_front = p->values[t].until < f->cut;
            f->is_front[t] = (unsigned char)is_front;
            half[t] = p->values[t];
            if (is_front != front) half[t].floats = 0;
        }
        const size_t floats = mni_buffers_place(half, p->n_tensors, order);
        for (size_t t = 0; t < p->n_tensors; t++)
            if (half[t].floats) p->values[t].at = half[t].at;
        *(front ? &f->front_floats : &f->back_floats) = floats;
    }
    mni_free(half);
    mni_free(order);
    return MANN_OK;
}

mann_status mni_infer_init(mni_infer *f, const mni_resnet_config *c, mann_error *err)
{
    *f = (mni_infer){ .config = *c, .kern = mni_kern_conv_best() };
    MNI_TRY(mni_plan_init(&f->plan, c, 1, err));
    f->ready = mni_alloc(f->plan.n_layers, sizeof *f->ready);
    f->spare = mni_spare_new();
    mann_status s = MANN_E_NOMEM;
    if (f->ready && f->spare) {
        for (size_t i = 0; i < f->plan.n_layers; i++)
            make_ready(f, &f->plan.layers[i], &f->ready[i]);
        s = place(f, err);
        f->packed = mni_alloc_aligned(f->packed_floats, sizeof *f->packed, 0);
    }
    if (s == MANN_OK && f->packed) {
        mni_huge_advise(f->packed, f->packed_floats * sizeof *f->packed);
        return MANN_OK;
    }
    mni_infer_fini(f);
    return mni_fail(err, MANN_E_NOMEM, "model: %zu packed weights", f->packed_floats);
}

void mni_infer_fini(mni_infer *f)
{
    mni_spare_free(f->spare);
    mni_free(f->packed);
    mni_free(f->ready);
    mni_free(f->is_front);
    mni_plan_fini(&f->plan);
    *f = (mni_infer){ .packed = NULL };
}

/* --- folding ------------------------------------------------------------------------ */

typedef struct fold {
    mni_infer *f;
    const float *params, *stats;
    mni_layer conv[2];          /* the last convolutions: [0] the last, [1] before it */
} fold;

static mni_ready *ready_of(mni_infer *f, size_t weight)
{
    size_t s = 0;
    while (f->plan.layers[s].weight != weight) s++;
    return &f->ready[s];
}

/* scale: by channel, or NULL for 1; bias already in place. */
static void pack_block(mni_infer *f, const mni_ready *r, size_t block, const float *w,
                       const double *scale)
{
    float *to = f->packed + r->weight;
    if (r->m) mni_wino_pack_block(&r->shape, r->m, block, w, scale, to);
    else mni_conv_pack_block(&r->shape, block, w, scale, to);
}

static void fold_layer(void *ctx, const mni_layer *l)
{
    fold *k = ctx;
    mni_infer *f = k->f;
    if (l->kind == MNI_CONV) {
        k->conv[1] = k->conv[0];
        k->conv[0] = *l;
    }
    if (l->kind == MNI_LINEAR) {
        const mni_ready *r = ready_of(f, l->weight);
        mni_conv_pack_weights(&r->shape, k->params + l->weight, f->packed + r->weight);
        mni_conv_pack_bias(k->params + l->bias, l->c_out, f->packed + r->bias);
    }
    if (l->kind != MNI_NORM) return;
    /* The shortcut stands between a block's last two. */
    const mni_layer *conv = &k->conv[k->conv[0].out == l->in ? 0 : 1];
    const mni_ready *r = ready_of(f, conv->weight);
    float *bias = f->packed + r->bias;
    for (size_t b = 0; b < mni_blocks(l->c_out); b++) {
        double scale[MNI_BLOCK] = { 0 };
        for (size_t i = 0; i < MNI_BLOCK; i++) {
            const size_t c = b * MNI_BLOCK + i;
            bias[c] = 0.0f;
            if (c >= l->c_out) continue;
            scale[i] = k->params[l->weight + c] /
                       sqrt((double)k->stats[l->var + c] + MNI_NORM_EPSILON);
            bias[c] = (float)(k->params[l->bias + c] - k->stats[l->mean + c] * scale[i]);
        }
        pack_block(f, r, b, k->params + conv->weight, scale);
    }
}

void mni_infer_fold(mni_infer *f, const float *params, const float *stats)
{
    fold k = { .f = f, .params = params, .stats = stats };
    mni_resnet_each_layer(&f->config, fold_layer, &k);
}
