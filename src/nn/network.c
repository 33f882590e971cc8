/* network.c - see network.h. How to read it: forward and backward are one loop over the
 * plan's layers each; a layer's work is shared out by image, or, for convolutions, by
 * group of images. There are at most GROUPS groups, whose borders depend on the batch
 * alone: each sums its own weight gradient, and the sums are added in the order of the
 * groups. SPDX-License-Identifier: MIT */
#include "nn/network.h"

#include <string.h>

#include "base/mem.h"
#include "nn/layers.h"
#include "nn/plan.h"
#include "nn/scratch.h"

enum { GROUPS = 8, SUM_GRAIN = 16384 };

struct mni_network {
    mni_resnet_config config;
    mni_plan plan;
    mni_pool *pool;
    const mni_kern_ew *kern;
    size_t max_batch, n_params, n_stats;
    float *params, *grads, *momentum, *stats;
    float *batch_stats;         /* mean and var of this batch, layout of stats */
    double *pairs;              /* per norm, image, channel: see mni_norm_pairs */
    float *arena;
    float *partial;             /* GROUPS weight gradients of one layer */
    float *abc;                 /* see mni_norm_grad_gather */
    mni_scratch scratch;

    const float *input;         /* of the last forward */
    size_t n;
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

mann_status mni_network_new(mni_network **out, const mni_resnet_config *c,
                            size_t max_batch, mni_pool *pool, mann_error *err)
{
    *out = NULL;
    MNI_TRY(mni_resnet_check(c, err));
    if (max_batch < 1 || max_batch > 65536)
        return mni_fail(err, MANN_E_ARG, "network: batch of %zu images, wanted 1..65536",
                        max_batch);
    mni_network *net = mni_alloc(1, sizeof *net);
    if (!net) return mni_fail(err, MANN_E_NOMEM, "network: header");
    net->config = mni_resnet_clean(c);
    net->pool = pool;
    net->kern = mni_kern_ew_best();
    net->max_batch = max_batch;
    net->n_params = mni_resnet_n_params(c);
    net->n_stats = mni_resnet_n_stats(c);
    mann_status s = mni_plan_init(&net->plan, c, 0, err);
    if (s != MANN_OK) { mni_network_free(net); return s; }
    const sizes z = sizes_of(&net->plan, max_batch);
    net->params = floats(net->n_params, 1);
    net->grads = floats(net->n_params, 1);
    net->momentum = floats(net->n_params, 1);
    net->stats = floats(net->n_stats, 1);
    net->batch_stats = floats(net->n_stats, 1);
    net->pairs = mni_alloc_aligned(net->n_stats, max_batch * sizeof *net->pairs, 0);
    net->arena = floats(net->plan.arena_floats, max_batch);
    net->partial = floats(z.weights, GROUPS);
    net->abc = floats(z.channels, 3);
    if (!net->params || !net->grads || !net->momentum || !net->stats ||
        !net->batch_stats || !net->pairs || !net->arena || !net->partial || !net->abc ||
        !mni_scratch_init(&net->scratch, mni_pool_threads(pool), z.scratch)) {
        s = mni_fail(
            err, MANN_E_NOMEM,
            "network: %zu parameters, batch of %zu images: %zu MiB of activations",
            net->n_params, max_batch, mni_network_arena_bytes(net) >> 20);
        mni_network_free(net);
        return s;
    }
    *out = net;
    return MANN_OK;
}

void mni_network_free(mni_network *net)
{
    if (!net) return;
    mni_scratch_fini(&net->scratch);
    mni_free(net->abc);
    mni_free(net->partial);
    mni_free(net->arena);
    mni_free(net->pairs);
    mni_free(net->batch_stats);
    mni_free(net->stats);
    mni_free(net->momentum);
    mni_free(net->grads);
    mni_free(net->params);
    mni_plan_fini(&net->plan);
    mni_free(net);
}

void mni_network_init(mni_network *net, uint64_t seed)
{
    mni_resnet_init(&net->config, seed, net->params, net->stats);
    memset(net->momentum, 0, net->n_params * sizeof *net->momentum);
}

const mni_resnet_config *mni_network_config(const mni_network *net)
{
    return &net->config;
}
size_t   mni_network_max_batch(const mni_network *net) { return net->max_batch; }
uint32_t mni_network_dim(const mni_network *net) { return mni_resnet_dim(&net->config); }
size_t   mni_network_n_params(const mni_network *net) { return net->n_params; }
size_t   mni_network_n_stats(const mni_network *net) { return net->n_stats; }
float   *mni_network_params(mni_network *net) { return net->params; }
float   *mni_network_grads(mni_network *net) { return net->grads; }
float   *mni_network_momentum(mni_network *net) { return net->momentum; }
float   *mni_network_stats(mni_network *net) { return net->stats; }
size_t   mni_network_arena_bytes(const mni_network *net)
{
    return net->plan.arena_floats * net->max_batch * sizeof(float);
}

/* --- tensors of a range of images --------------------------------------------------- */

typedef struct job {
    mni_network *net;
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
    const mni_buffer *b = &net->plan.values[tensor];
    return net->arena + b->at * net->max_batch + image * b->floats;
}

static float *value_out(const job *j, size_t image)
{
    const mni_buffer *b = &j->net->plan.values[j->l->out];
    return j->net->arena + b->at * j->net->max_batch + image * b->floats;
}

static float *grad(const mni_network *net, int tensor, size_t image)
{
    const mni_buffer *b = &net->plan.grads[tensor];
    return net->arena + b->at * net->max_batch + image * b->floats;
}

/* Gradient that arrives at the layer's output. */
static const float *grad_of_out(const job *j, size_t image)
{
    if ((size_t)j->l->out == j->net->plan.n_tensors - 1)
        return j->d_out + image * j->net->plan.values[j->l->out].floats;
    return grad(j->net, j->l->out, image);
}

/* Where the layer adds the gradient of `tensor`; zeroed if nobody has added to it yet.
 * NULL for the input of the network, whose gradient nobody wants. */
static float *grad_to_add(const job *j, int tensor, size_t begin, size_t end)
{
    if (tensor == 0 || tensor == MNI_NO_TENSOR) return NULL;
    float *at = grad(j->net, tensor, begin);
    if (j->net->plan.last_reader[tensor] == j->s)
        memset(at, 0, (end - begin) * j->net->plan.grads[tensor].floats * sizeof *at);
    return at;
}

static double *pairs_of(const mni_network *net, const mni_layer *norm, size_t image)
{
    return net->pairs + norm->mean * net->max_batch + 2 * image * norm->c_out;
}

/* --- forward ------------------------------------------------------------------------ */

static void conv_forward(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const job *j = ctx;
    mni_network *net = j->net;
    float *scratch = mni_scratch_take(&net->scratch), *y = value_out(j, begin);
    (void)chunk;
    mni_conv_forward(j->l, end - begin, value(net, j->l->in, begin),
                     net->params + j->l->weight, (mni_after){ NULL, NULL, 0 }, y,
                     scratch);
    mni_scratch_give(&net->scratch, scratch);
    if (j->mode == MNI_TRAIN) { /* the norm's sums, while y is still in the cache */
        const mni_layer *norm = &net->plan.layers[net->plan.norm_of[j->l->out]];
        mni_norm_pairs(norm, end - begin, y, pairs_of(net, norm, begin), net->kern);
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
                   stats + l->var, value_out(j, begin), net->kern);
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

static size_t group_of(size_t n) { return (n + GROUPS - 1) / GROUPS; }

static void layer_forward(job *j)
{
    mni_network *net = j->net;
    const mni_layer *l = j->l;
    if (l->kind == MNI_CONV) {
        mni_parallel_for(net->pool, net->n, group_of(net->n), conv_forward, j);
    } else if (l->kind == MNI_NORM) {
        if (j->mode == MNI_TRAIN)
            mni_norm_gather(l, net->n, pairs_of(net, l, 0), net->batch_stats + l->mean,
                            net->batch_stats + l->var, net->stats + l->mean,
                            net->stats + l->var);
        mni_parallel_for(net->pool, net->n, 1, norm_forward, j);
    } else if (l->kind == MNI_LINEAR) {
        mni_linear_forward(l, net->n, value(net, l->in, 0), net->params + l->weight,
                           net->params + l->bias, value_out(j, 0), net->scratch.floats);
    } else {
        mni_parallel_for(net->pool, net->n, 1, small_forward, j);
    }
}

const float *mni_network_forward(mni_network *net, const float *input, size_t n,
                                 mni_mode mode)
{
    net->input = input;
    net->n = n;
    for (size_t s = 0; s < net->plan.n_layers; s++) {
        job j = { net, &net->plan.layers[s], s, mode, NULL };
        layer_forward(&j);
    }
    return value(net, (int)net->plan.n_tensors - 1, 0);
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
    float *dw = net->partial + chunk * weights_of(l);
    float *scratch = mni_scratch_take(&net->scratch);
    memset(dw, 0, weights_of(l) * sizeof *dw);
    mni_conv_backward(l, end - begin, value(net, l->in, begin), net->params + l->weight,
                      grad_of_out(j, begin), grad_to_add(j, l->in, begin, end), dw,
                      scratch);
    mni_scratch_give(&net->scratch, scratch);
}

/* The groups' gradients of weights [begin, end), in the order of the groups. */
static void conv_gather(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const job *j = ctx;
    const size_t n_groups = mni_chunk_count(j->net->n, group_of(j->net->n));
    (void)chunk;
    for (size_t g = 0; g < n_groups; g++)
        j->net->kern->add(j->net->grads + j->l->weight + begin,
                          j->net->partial + g * weights_of(j->l) + begin, end - begin);
}

static void norm_backward_pairs(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const job *j = ctx;
    const mni_network *net = j->net;
    (void)chunk;
    mni_norm_grad_pairs(j->l, end - begin, value(net, j->l->in, begin),
                        value(net, j->l->out, begin), grad_of_out(j, begin),
                        net->batch_stats + j->l->mean, pairs_of(net, j->l, begin),
                        net->kern);
}

static void norm_backward(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const job *j = ctx;
    const mni_network *net = j->net;
    (void)chunk;
    mni_norm_grad_apply(j->l, end - begin, value(net, j->l->in, begin),
                        value(net, j->l->out, begin), grad_of_out(j, begin), net->abc,
                        grad(net, j->l->in, begin), grad_to_add(j, j->l->add, begin, end),
                        net->kern);
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
        mni_parallel_for(net->pool, n, group_of(n), conv_backward, j);
        mni_parallel_for(net->pool, weights_of(l), SUM_GRAIN, conv_gather, j);
    } else if (l->kind == MNI_NORM) {
        mni_parallel_for(net->pool, n, 1, norm_backward_pairs, j);
        mni_norm_grad_gather(l, n, pairs_of(net, l, 0), net->params + l->weight,
                             net->batch_stats + l->mean, net->batch_stats + l->var,
                             net->grads + l->weight, net->grads + l->bias, net->abc);
        mni_parallel_for(net->pool, n, 1, norm_backward, j);
    } else if (l->kind == MNI_LINEAR) {
        mni_linear_backward(l, n, value(net, l->in, 0), net->params + l->weight,
                            grad_of_out(j, 0), grad_to_add(j, l->in, 0, n),
                            net->grads + l->weight, net->grads + l->bias,
                            net->scratch.floats);
    } else {
        mni_parallel_for(net->pool, n, 1, small_backward, j);
    }
}

void mni_network_backward(mni_network *net, const float *d_embeddings)
{
    for (size_t s = net->plan.n_layers; s-- > 0;) {
        job j = { net, &net->plan.layers[s], s, MNI_TRAIN, d_embeddings };
        layer_backward(&j);
    }
}

/* --- step, export, import ----------------------------------------------------------- */

void mni_network_zero_grads(mni_network *net)
{
    memset(net->grads, 0, net->n_params * sizeof *net->grads);
}

double mni_network_step(mni_network *net, const mni_sgd *o)
{
    return mni_sgd_step(o, &net->config, net->params, net->grads, net->momentum,
                        net->pool);
}

static mann_status same_shape(const mni_network *net, const mni_model *m, mann_error *err)
{
    const mni_resnet_config *c = mni_model_resnet(m);
    if (c && memcmp(c, &net->config, sizeof *c) == 0) return MANN_OK;
    return mni_fail(err, MANN_E_MISMATCH, "network: the model is a %s of another shape",
                    mni_model_shape_of(m).architecture);
}

mann_status mni_network_export(const mni_network *net, mni_model *m, mann_error *err)
{
    MNI_TRY(same_shape(net, m, err));
    return mni_model_set_weights(m, net->params, net->stats, err);
}

mann_status mni_network_import(mni_network *net, const mni_model *m, mann_error *err)
{
    MNI_TRY(same_shape(net, m, err));
    memcpy(net->params, mni_model_params(m), net->n_params * sizeof *net->params);
    memcpy(net->stats, mni_model_stats(m), net->n_stats * sizeof *net->stats);
    return MANN_OK;
}
