/* net_planes.c - a network carried out as a book would have it: layer by layer, on plain
 * NCHW maps. How to read it: forward and backward are one loop over the plan's layers
 * each; a layer's work is shared out by image, or, for convolutions, by group of images.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "nn/net_in.h"
#include "nn/plan.h"

enum { SUM_GRAIN = 16384 };

struct mni_planes {
    mni_plan plan;
    const mni_kern_ew *kern;
    size_t max_batch;
    float *arena;
    float *partial;             /* MNI_GROUPS weight gradients of one layer */
    float *abc;                 /* see mni_norm_grad_gather */
    mni_scratch scratch;
};

/* --- making ------------------------------------------------------------------------- */

typedef struct sizes { size_t scratch, weights, channels; } sizes;

static sizes sizes_of(const mni_plan *p, size_t max_batch)
{
    sizes z = { 0, 0, 0 };
    for (size_t s = 0; s < p->n_layers; s++) {
        const mni_layer *l = &p->layers[s];
        size_t need = 0;
        if (l->kind == MNI_CONV) {
            size_t weights = (size_t)l->c_out * l->c_in * l->kernel * l->kernel;
            if (z.weights < weights) z.weights = weights;
            need = mni_conv_scratch(l);
        }
        if (l->kind == MNI_LINEAR) need = mni_linear_scratch(l, max_batch);
        if (z.scratch < need) z.scratch = need;
        if (z.channels < l->c_out) z.channels = l->c_out;
    }
    return z;
}

static float *floats(size_t count, size_t times)
{
    if (times && count > SIZE_MAX / times) return NULL;
    return mni_alloc_aligned(count * times, sizeof(float), 1);
}

mann_status mni_planes_new(mni_planes **out, const mni_network *net, mann_error *err)
{
    *out = NULL;
    mni_planes *p = mni_alloc(1, sizeof *p);
    if (!p) return mni_fail(err, MANN_E_NOMEM, "network: header");
    p->kern = mni_kern_ew_best();
    p->max_batch = net->max_batch;
    mann_status s = mni_plan_init(&p->plan, &net->config, 0, err);
    if (s != MANN_OK) { mni_planes_free(p); return s; }
    const sizes z = sizes_of(&p->plan, net->max_batch);
    p->arena = floats(p->plan.arena_floats, net->max_batch);
    p->partial = floats(z.weights, MNI_GROUPS);
    p->abc = floats(z.channels, 3);
    if (!p->arena || !p->partial || !p->abc ||
        !mni_scratch_init(&p->scratch, mni_pool_threads(net->pool), z.scratch)) {
        s = mni_fail(err, MANN_E_NOMEM,
                     "network: batch of %zu images: %zu MiB of activations",
                     net->max_batch, mni_planes_arena_bytes(p) >> 20);
        mni_planes_free(p);
        return s;
    }
    *out = p;
    return MANN_OK;
}

void mni_planes_free(mni_planes *p)
{
    if (!p) return;
    mni_scratch_fini(&p->scratch);
    mni_free(p->abc);
    mni_free(p->partial);
    mni_free(p->arena);
    mni_plan_fini(&p->plan);
    mni_free(p);
}

size_t mni_planes_arena_bytes(const mni_planes *p)
{
    return p->plan.arena_floats * p->max_batch * sizeof(float);
}

/* --- tensors of a range of images --------------------------------------------------- */

typedef struct job {
    mni_network *net;
    mni_planes *p;
    const mni_layer *l;
    size_t s;                   /* number of the layer */
    mni_mode mode;
    const float *d_out;         /* gradient of the network's output */
} job;

static const float *value(const mni_network *net, int tensor, size_t image)
{
    const mni_resnet_config *c = &net->config;
    if (tensor == 0)
        return net->input + image * c->input_channels * c->input_size * c->input_size;
    const mni_planes *p = net->planes;
    const mni_buffer *b = &p->plan.values[tensor];
    return p->arena + b->at * net->max_batch + image * b->floats;
}

static float *value_out(const job *j, size_t image)
{
    const mni_buffer *b = &j->p->plan.values[j->l->out];
    return j->p->arena + b->at * j->net->max_batch + image * b->floats;
}

static float *grad(const mni_network *net, int tensor, size_t image)
{
    const mni_planes *p = net->planes;
    const mni_buffer *b = &p->plan.grads[tensor];
    return p->arena + b->at * net->max_batch + image * b->floats;
}

/* Gradient that arrives at the layer's output. */
static const float *grad_of_out(const job *j, size_t image)
{
    if ((size_t)j->l->out == j->p->plan.n_tensors - 1)
        return j->d_out + image * j->p->plan.values[j->l->out].floats;
    return grad(j->net, j->l->out, image);
}

/* Where the layer adds the gradient of `tensor`; zeroed if nobody has added to it yet.
 * NULL for the input of the network, whose gradient nobody wants. */
static float *grad_to_add(const job *j, int tensor, size_t begin, size_t end)
{
    if (tensor == 0 || tensor == MNI_NO_TENSOR) return NULL;
    float *at = grad(j->net, tensor, begin);
    if (j->p->plan.last_reader[tensor] == j->s)
        memset(at, 0, (end - begin) * j->p->plan.grads[tensor].floats * sizeof *at);
    return at;
}

/* --- forward ------------------------------------------------------------------------ */

static void conv_forward(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const job *j = ctx;
    mni_network *net = j->net;
    float *scratch = mni_scratch_take(&j->p->scratch), *y = value_out(j, begin);
    (void)chunk;
    mni_conv_forward(j->l, end - begin, value(net, j->l->in, begin),
                     net->params + j->l->weight, (mni_after){ NULL, NULL, 0 }, y,
                     scratch);
    mni_scratch_give(&j->p->scratch, scratch);
    if (j->mode == MNI_TRAIN) { /* the norm's sums, while y is still in the cache */
        const mni_layer *norm = &j->p->plan.layers[j->p->plan.norm_of[j->l->out]];
        mni_norm_pairs(norm, end - begin, y, mni_pairs_of(net, norm, begin), j->p->kern);
    }
}

static void norm_forward(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const job *j = ctx;
    const mni_network *net = j->net;
    const mni_layer *l = j->l;
    const float *stats = j->mode == MNI_TRAIN ? net->batch_stats : net->stats;
    (void)chunk;
    mni_norm_apply(l, end - begin, value(net, l->in, begin),
                   l->add == MNI_NO_TENSOR ? NULL : value(net, l->add, begin),
                   net->params + l->weight, net->params + l->bias, stats + l->mean,
                   stats + l->var, value_out(j, begin), j->p->kern);
}

static void small_forward(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const job *j = ctx;
    const float *x = value(j->net, j->l->in, begin);
    float *y = value_out(j, begin);
    (void)chunk;
    if (j->l->kind == MNI_MAXPOOL) mni_maxpool_forward(j->l, end - begin, x, y);
    else if (j->l->kind == MNI_AVGPOOL) mni_avgpool_forward(j->l, end - begin, x, y);
    else mni_unit_forward(j->l, end - begin, x, y);
}

static void layer_forward(job *j)
{
    mni_network *net = j->net;
    const mni_layer *l = j->l;
    if (l->kind == MNI_CONV) {
        mni_parallel_for(net->pool, net->n, mni_group_of(net->n), conv_forward, j);
    } else if (l->kind == MNI_NORM) {
        if (j->mode == MNI_TRAIN)
            mni_norm_gather(l, net->n, mni_pairs_of(net, l, 0),
                            net->batch_stats + l->mean, net->batch_stats + l->var,
                            net->stats + l->mean, net->stats + l->var);
        mni_parallel_for(net->pool, net->n, 1, norm_forward, j);
    } else if (l->kind == MNI_LINEAR) {
        mni_linear_forward(l, net->n, value(net, l->in, 0), net->params + l->weight,
                           net->params + l->bias, value_out(j, 0), j->p->scratch.floats);
    } else {
        mni_parallel_for(net->pool, net->n, 1, small_forward, j);
    }
}

const float *mni_planes_forward(mni_network *net, mni_mode mode)
{
    mni_planes *p = net->planes;
    for (size_t s = 0; s < p->plan.n_layers; s++) {
        job j = { net, p, &p->plan.layers[s], s, mode, NULL };
        layer_forward(&j);
    }
    return value(net, (int)p->plan.n_tensors - 1, 0);
}

/* --- backward ----------------------------------------------------------------------- */

static size_t weights_of(const mni_layer *l)
{
    return (size_t)l->c_out * l->c_in * l->kernel * l->kernel;
}

static void conv_backward(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const job *j = ctx;
    mni_network *net = j->net;
    const mni_layer *l = j->l;
    float *dw = j->p->partial + chunk * weights_of(l);
    float *scratch = mni_scratch_take(&j->p->scratch);
    memset(dw, 0, weights_of(l) * sizeof *dw);
    mni_conv_backward(l, end - begin, value(net, l->in, begin), net->params + l->weight,
                      grad_of_out(j, begin), grad_to_add(j, l->in, begin, end), dw,
                      scratch);
    mni_scratch_give(&j->p->scratch, scratch);
}

/* The groups' gradients of weights [begin, end), in the order of the groups. */
static void conv_gather(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const job *j = ctx;
    const size_t n_groups = mni_chunk_count(j->net->n, mni_group_of(j->net->n));
    (void)chunk;
    for (size_t g = 0; g < n_groups; g++)
        j->p->kern->add(j->net->grads + j->l->weight + begin,
                          j->p->partial + g * weights_of(j->l) + begin, end - begin);
}

static void norm_backward_pairs(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const job *j = ctx;
    const mni_network *net = j->net;
    (void)chunk;
    mni_norm_grad_pairs(j->l, end - begin, value(net, j->l->in, begin),
                        value(net, j->l->out, begin), grad_of_out(j, begin),
                        net->batch_stats + j->l->mean, mni_pairs_of(net, j->l, begin),
                        j->p->kern);
}

static void norm_backward(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const job *j = ctx;
    const mni_network *net = j->net;
    (void)chunk;
    mni_norm_grad_apply(j->l, end - begin, value(net, j->l->in, begin),
                        value(net, j->l->out, begin), grad_of_out(j, begin), j->p->abc,
                        grad(net, j->l->in, begin), grad_to_add(j, j->l->add, begin, end),
                        j->p->kern);
}

static void small_backward(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const job *j = ctx;
    const mni_layer *l = j->l;
    const float *x = value(j->net, l->in, begin), *dy = grad_of_out(j, begin);
    float *dx = grad_to_add(j, l->in, begin, end);
    (void)chunk;
    if (l->kind == MNI_MAXPOOL) mni_maxpool_backward(l, end - begin, x, dy, dx);
    else if (l->kind == MNI_AVGPOOL) mni_avgpool_backward(l, end - begin, dy, dx);
    else mni_unit_backward(l, end - begin, x, value(j->net, l->out, begin), dy, dx);
}

static void layer_backward(job *j)
{
    mni_network *net = j->net;
    const mni_layer *l = j->l;
    const size_t n = net->n;
    if (l->kind == MNI_CONV) {
        mni_parallel_for(net->pool, n, mni_group_of(n), conv_backward, j);
        mni_parallel_for(net->pool, weights_of(l), SUM_GRAIN, conv_gather, j);
    } else if (l->kind == MNI_NORM) {
        mni_parallel_for(net->pool, n, 1, norm_backward_pairs, j);
        mni_norm_grad_gather(l, n, mni_pairs_of(net, l, 0), net->params + l->weight,
                             net->batch_stats + l->mean, net->batch_stats + l->var,
                             net->grads + l->weight, net->grads + l->bias, j->p->abc);
        mni_parallel_for(net->pool, n, 1, norm_backward, j);
    } else if (l->kind == MNI_LINEAR) {
        mni_linear_backward(l, n, value(net, l->in, 0), net->params + l->weight,
                            grad_of_out(j, 0), grad_to_add(j, l->in, 0, n),
                            net->grads + l->weight, net->grads + l->bias,
                            j->p->scratch.floats);
    } else {
        mni_parallel_for(net->pool, n, 1, small_backward, j);
    }
}

void mni_planes_backward(mni_network *net, const float *d_embeddings)
{
    mni_planes *p = net->planes;
    for (size_t s = p->plan.n_layers; s-- > 0;) {
        job j = { net, p, &p->plan.layers[s], s, MNI_TRAIN, d_embeddings };
        layer_backward(&j);
    }
}
