/* network.h - a network that learns: description + batch size -> forward, backward, step.
 *
 *     mni_network_new(&net, &config, 96, pool, &err);
 *     mni_network_init(net, seed);
 *     for (step = 0; ...; step++) {
 *         const float *e = mni_network_forward(net, input, n, MNI_TRAIN);
 *         mni_loss_compute(&loss, e, labels, n, mni_network_dim(net), &r, de, &err);
 *         mni_network_zero_grads(net);
 *         mni_network_backward(net, de);
 *         sgd.rate = mni_schedule_rate(&schedule, step);
 *         norm = mni_network_step(net, &sgd);
 *     }
 *     mni_network_export(net, model, &err);
 *
 * State is four blocks of floats: params, grads, momentum (one layout:
 * mni_resnet_each_param) and stats (mni_resnet_each_stat). A checkpoint is params +
 * momentum + stats; nothing else is remembered from one step to the next. All activations
 * live in one arena, planned and allocated by _new. Same input, same bits of all four
 * blocks for any number of threads. One thread at a time may use a network.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_NN_NETWORK_H
#define MNI_NN_NETWORK_H

#include "nn/loss.h"
#include "nn/model.h"
#include "nn/resnet.h"
#include "nn/sgd.h"

typedef struct mni_network mni_network;

typedef enum mni_mode {
    MNI_TRAIN, /* norm by the batch's own statistics, running statistics move, backward
                  may follow */
    MNI_EVAL /* norm by the running statistics; no backward (to test: mni_model_forward is
                faster) */
} mni_mode;

/* Everything is allocated here, for batches of up to max_batch images; params, momentum
 * and stats start as 0: init, or fill them from a checkpoint. pool is borrowed for the
 * life of the network; NULL ok. */
mann_status mni_network_new(mni_network **out, const mni_resnet_config *c,
                            size_t max_batch, mni_pool *pool, mann_error *err);
/* The same network carried out layer by layer on plain NCHW maps (net_planes.c): the
 * lesson, and the oracle of the tests. Twice as slow. */
mann_status mni_network_new_plain(mni_network **out, const mni_resnet_config *c,
                                  size_t max_batch, mni_pool *pool, mann_error *err);
void        mni_network_free(mni_network *net);
/* Bytes that mni_network_new takes, before it does: all, and of them the activations. */
typedef struct mni_network_size { size_t all, arena; } mni_network_size;
mann_status mni_network_plan(const mni_resnet_config *c, size_t max_batch, size_t threads,
                             mni_network_size *out, mann_error *err);
void        mni_network_init(mni_network *net, uint64_t seed);      /* He; momentum 0 */

const mni_resnet_config *mni_network_config(const mni_network *net);
size_t   mni_network_max_batch(const mni_network *net);
uint32_t mni_network_dim(const mni_network *net);
size_t   mni_network_n_params(const mni_network *net);
size_t   mni_network_n_stats(const mni_network *net);
float   *mni_network_params(mni_network *net);
float   *mni_network_grads(mni_network *net);
float   *mni_network_momentum(mni_network *net);
float   *mni_network_stats(mni_network *net);
size_t mni_network_arena_bytes(const mni_network *net); /* what the activations take */

/* input: n x channels x size x size, borrowed until backward is done; 1 <= n <=
 * max_batch. Returns n x dim unit vectors, valid until the next forward. Cannot fail. */
const float *mni_network_forward(mni_network *net, const float *input, size_t n,
                                 mni_mode mode);
void   mni_network_zero_grads(mni_network *net);
/* After a forward in MNI_TRAIN, once. d_embeddings: n x dim. Adds to grads. */
void   mni_network_backward(mni_network *net, const float *d_embeddings);
double mni_network_step(mni_network *net, const mni_sgd *o);        /* see mni_sgd_step */

/* Weights and statistics into a model of the same description (made by
 * mni_model_new_resnet), and back. MANN_E_MISMATCH if the descriptions differ. */
mann_status mni_network_export(const mni_network *net, mni_model *m, mann_error *err);
mann_status mni_network_import(mni_network *net, const mni_model *m, mann_error *err);

#endif
