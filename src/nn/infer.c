/* infer.c - see infer.h. SPDX-License-Identifier: MIT */
#include "nn/infer.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "nn/layers.h"
#include "nn/scratch.h"

enum {
    MAX_GROUP = 8,
    ARENA_FLOATS = 8 << 20
}; /* images at once on a thread, and what they may take */

static size_t max_group(const mni_infer *f)
{
    size_t fit = ARENA_FLOATS / f->plan.arena_floats;
    return fit < 1 ? 1 : fit > MAX_GROUP ? MAX_GROUP : fit;
}

mann_status mni_infer_init(mni_infer *f, const mni_resnet_config *c, mann_error *err)
{
    *f = (mni_infer){ .config = *c };
    MNI_TRY(mni_plan_init(&f->plan, c, 1, err));
    for (size_t s = 0; s < f->plan.n_layers; s++) {
        const mni_layer *l = &f->plan.layers[s];
        size_t need = 0;
        if (l->kind == MNI_CONV) need = mni_conv_scratch(l);
        if (l->kind == MNI_LINEAR) need = mni_linear_scratch(l, MAX_GROUP);
        if (f->scratch_floats < need) f->scratch_floats = need;
    }
    f->scratch_floats = (f->scratch_floats + 15) / 16 * 16;
    f->folded = mni_alloc_aligned(mni_resnet_n_params(c), sizeof *f->folded, 1);
    if (f->folded) return MANN_OK;
    mni_infer_fini(f);
    return mni_fail(err, MANN_E_NOMEM, "model: %zu folded weights",
                    mni_resnet_n_params(c));
}

void mni_infer_fini(mni_infer *f)
{
    mni_free(f->folded);
    mni_plan_fini(&f->plan);
    f->folded = NULL;
}

/* --- folding ------------------------------------------------------------------------ */

typedef struct fold {
    float *to;
    const float *params, *stats;
    size_t weight[2]; /* of the last convolutions: [0] the last, [1] the one before */
    size_t per_channel[2];
    int out[2];
} fold;

static void fold_layer(void *ctx, const mni_layer *l)
{
    fold *k = ctx;
    if (l->kind == MNI_CONV) {
        k->weight[1] = k->weight[0];
        k->per_channel[1] = k->per_channel[0];
        k->out[1] = k->out[0];
        k->weight[0] = l->weight;
        k->per_channel[0] = (size_t)l->c_in * l->kernel * l->kernel;
        k->out[0] = l->out;
    }
    if (l->kind != MNI_NORM) return;
    const int which = k->out[0] == l->in
                          ? 0
                          : 1; /* the shortcut stands between a block's last two */
    float *w = k->to + k->weight[which];
    const size_t row = k->per_channel[which];
    for (size_t c = 0; c < l->c_out; c++) {
        const double s = k->params[l->weight + c] /
                         sqrt((double)k->stats[l->var + c] + MNI_NORM_EPSILON);
        for (size_t i = 0; i < row; i++) w[c * row + i] = (float)(w[c * row + i] * s);
        k->to[l->bias + c] = (float)(k->params[l->bias + c] - k->stats[l->mean + c] * s);
    }
}

void mni_infer_fold(mni_infer *f, const float *params, const float *stats)
{
    fold k = { f->folded, params, stats, { 0, 0 }, { 0, 0 }, { -1, -1 } };
    memcpy(f->folded, params, mni_resnet_n_params(&f->config) * sizeof *params);
    mni_resnet_each_layer(&f->config, fold_layer, &k);
}

/* --- forward ------------------------------------------------------------------------ */

typedef struct job {
    const mni_infer *f;
    const float *input;
    float *out;
    size_t group;               /* images that a piece of scratch has room for */
    mni_scratch *pieces;
} job;

/* Where a tensor of the group lies: the network's input, its output, or the arena of the
 * piece. */
static float *value(const job *j, float *arena, int tensor, size_t begin)
{
    const mni_plan *p = &j->f->plan;
    if ((size_t)tensor == p->n_tensors - 1)
        return j->out + begin * mni_resnet_dim(&j->f->config);
    return arena + p->values[tensor].at * j->group;
}

static const float *value_in(const job *j, float *arena, int tensor, size_t begin)
{
    const mni_resnet_config *c = &j->f->config;
    if (tensor == 0)
        return j->input + begin * c->input_channels * c->input_size * c->input_size;
    return value(j, arena, tensor, begin);
}

static void run_group(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const job *j = ctx;
    const float *w = j->f->folded;
    const size_t n = end - begin;
    float *scratch = mni_scratch_take(j->pieces), *arena = scratch + j->f->scratch_floats;
    (void)chunk;
    for (size_t s = 0; s < j->f->plan.n_layers; s++) {
        const mni_layer *l = &j->f->plan.layers[s];
        const float *x = value_in(j, arena, l->in, begin);
        float *y = value(j, arena, l->out, begin);
        switch (l->kind) {
        case MNI_CONV: {
            const float *r = l->add == MNI_NO_TENSOR ? NULL
                                                     : value_in(j, arena, l->add, begin);
            mni_conv_forward(l, n, x, w + l->weight,
                             (mni_after){ w + l->bias, r, l->relu }, y, scratch);
            break;
        }
        case MNI_MAXPOOL: mni_maxpool_forward(l, n, x, y); break;
        case MNI_AVGPOOL: mni_avgpool_forward(l, n, x, y); break;
        case MNI_LINEAR:
            mni_linear_forward(l, n, x, w + l->weight, w + l->bias, y, scratch);
            break;
        case MNI_UNIT:    mni_unit_forward(l, n, x, y); break;
        case MNI_NORM:    break;            /* a folded plan has none */
        }
    }
    mni_scratch_give(j->pieces, scratch);
}

mann_status mni_infer_forward(const mni_infer *f, const float *input, size_t n,
                              mni_pool *pool, float *out, mann_error *err)
{
    /* The size of a group may depend on the number of threads: no bit of the answer
     * does. */
    const size_t threads = mni_pool_threads(pool), most = max_group(f);
    size_t group = n / (2 * threads);
    group = group < 1 ? 1 : group > most ? most : group;
    size_t n_pieces = mni_chunk_count(n, group);
    if (n == 0) return MANN_OK;
    mni_scratch pieces;
    if (n_pieces > threads) n_pieces = threads;
    if (!mni_scratch_init(&pieces, n_pieces,
                          f->scratch_floats + f->plan.arena_floats * group))
        return mni_fail(err, MANN_E_NOMEM,
                        "model: activations of %zu images on %zu threads", group,
                        n_pieces);
    job j = { f, input, out, group, &pieces };
    mni_parallel_for(pool, n, group, run_group, &j);
    mni_scratch_fini(&pieces);
    return MANN_OK;
}
