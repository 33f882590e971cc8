/* network.c - see network.h: the blocks of numbers that a network is, and the choice of
 * who carries it out (net_in.h). SPDX-License-Identifier: MIT */
#include "nn/network.h"

#include <string.h>

#include "base/mem.h"
#include "nn/net_in.h"

/* --- making ------------------------------------------------------------------------- */

static float *floats(size_t count)
{
    return mni_alloc_aligned(count, sizeof(float), 1);
}

static mann_status make(mni_network **out, const mni_resnet_config *c, size_t max_batch,
                        mni_pool *pool, int plain, mann_error *err)
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
    net->max_batch = max_batch;
    net->n_params = mni_resnet_n_params(c);
    net->n_stats = mni_resnet_n_stats(c);
    net->params = floats(net->n_params);
    net->grads = floats(net->n_params);
    net->momentum = floats(net->n_params);
    net->stats = floats(net->n_stats);
    net->batch_stats = floats(net->n_stats);
    net->pairs = mni_alloc_aligned(net->n_stats, max_batch * sizeof *net->pairs, 0);
    mann_status s = MANN_OK;
    if (!net->params || !net->grads || !net->momentum || !net->stats ||
        !net->batch_stats || !net->pairs)
        s = mni_fail(err, MANN_E_NOMEM, "network: %zu parameters", net->n_params);
    if (s == MANN_OK)
        s = plain ? mni_planes_new(&net->planes, net, err)
                  : mni_blocks_new(&net->blocks, net, err);
    if (s != MANN_OK) { mni_network_free(net); return s; }
    *out = net;
    return MANN_OK;
}

mann_status mni_network_new(mni_network **out, const mni_resnet_config *c,
                            size_t max_batch, mni_pool *pool, mann_error *err)
{
    return make(out, c, max_batch, pool, 0, err);
}

mann_status mni_network_new_plain(mni_network **out, const mni_resnet_config *c,
                                  size_t max_batch, mni_pool *pool, mann_error *err)
{
    return make(out, c, max_batch, pool, 1, err);
}

mann_status mni_network_plan(const mni_resnet_config *c, size_t max_batch, size_t threads,
                             mni_network_size *out, mann_error *err)
{
    MNI_TRY(mni_resnet_check(c, err));
    MNI_TRY(mni_blocks_plan(c, max_batch, threads, out, err));
    out->all += 3 * mni_resnet_n_params(c) * sizeof(float) +
                mni_resnet_n_stats(c) * (2 * sizeof(float) + max_batch * sizeof(double));
    return MANN_OK;
}

void mni_network_free(mni_network *net)
{
    if (!net) return;
    mni_blocks_free(net->blocks);
    mni_planes_free(net->planes);
    mni_free(net->pairs);
    mni_free(net->batch_stats);
    mni_free(net->stats);
    mni_free(net->momentum);
    mni_free(net->grads);
    mni_free(net->params);
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
    return net->blocks ? mni_blocks_arena_bytes(net->blocks)
                       : mni_planes_arena_bytes(net->planes);
}

/* --- forward and backward ----------------------------------------------------------- */

const float *mni_network_forward(mni_network *net, const float *input, size_t n,
                                 mni_mode mode)
{
    net->input = input;
    net->n = n;
    return net->blocks ? mni_blocks_forward(net, mode) : mni_planes_forward(net, mode);
}

void mni_network_backward(mni_network *net, const float *d_embeddings)
{
    if (net->blocks) mni_blocks_backward(net, d_embeddings);
    else mni_planes_backward(net, d_embeddings);
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
