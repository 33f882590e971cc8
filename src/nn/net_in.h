/* net_in.h - the inside of a mni_network: what network.c shares with its two executors.
 *
 * An executor carries out forward and backward. net_planes.c goes layer by layer over
 * plain NCHW maps: it is the lesson, and the oracle of the tests. net_blocks.c does the
 * same work at the speed of the machine. Both leave their results in the same blocks.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_NN_NET_IN_H
#define MNI_NN_NET_IN_H

#include "nn/layers.h"
#include "nn/network.h"
#include "nn/scratch.h"

/* Partial sums of weight gradients: the batch is cut into at most this many groups, by
 * its size alone; each sums by itself, and the sums are added in the order of groups. */
enum { MNI_GROUPS = 8 };

static inline size_t mni_group_of(size_t n) { return (n + MNI_GROUPS - 1) / MNI_GROUPS; }

typedef struct mni_planes mni_planes;
typedef struct mni_blocks_run mni_blocks_run;

struct mni_network {
    mni_resnet_config config;
    mni_pool *pool;
    size_t max_batch, n_params, n_stats;
    float *params, *grads, *momentum, *stats;
    float *batch_stats;         /* mean and var of this batch, layout of stats */
    double *pairs;              /* per norm, image, channel: see mni_norm_pairs */
    mni_planes *planes;         /* one of the two */
    mni_blocks_run *blocks;

    const float *input;         /* of the last forward */
    size_t n;
};

static inline double *mni_pairs_of(const mni_network *net, const mni_layer *norm,
                                   size_t image)
{
    return net->pairs + norm->mean * net->max_batch + 2 * image * norm->c_out;
}

/* net->config, pool and max_batch are set. bytes counts what is taken. */
mann_status  mni_planes_new(mni_planes **out, const mni_network *net, mann_error *err);
void         mni_planes_free(mni_planes *p);
size_t       mni_planes_arena_bytes(const mni_planes *p);
const float *mni_planes_forward(mni_network *net, mni_mode mode);
void         mni_planes_backward(mni_network *net, const float *d_embeddings);

mann_status  mni_blocks_new(mni_blocks_run **out, const mni_network *net,
                            mann_error *err);
void         mni_blocks_free(mni_blocks_run *b);
mann_status  mni_blocks_plan(const mni_resnet_config *c, size_t max_batch, size_t threads,
                             mni_network_size *out, mann_error *err);
size_t       mni_blocks_arena_bytes(const mni_blocks_run *b);
const float *mni_blocks_forward(mni_network *net, mni_mode mode);
void         mni_blocks_backward(mni_network *net, const float *d_embeddings);

#endif
