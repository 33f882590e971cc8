/* nodes.h - a ResNet as the training pass sees it: a few nodes instead of many layers.
 *
 * A node is a map that some convolution reads: the input, or what stands after a norm, an
 * add and a ReLU, or after the max pool. Between two nodes stands a convolution with its
 * norm, and what happens on the way is never written down:
 *
 *   node 2 ---- conv --> z ---- norm ---+
 *     |                                 |
 *     +-- (conv --> z -- norm, or x) --(+)-- ReLU --> node 4
 *
 * Forward keeps every z ("before the norm"), and a node's map only where the same numbers
 * would be costly to make again (after an add); backward makes the others once more from
 * z, one multiply-add a number, which is cheaper than fetching them from memory.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_NN_NODES_H
#define MNI_NN_NODES_H

#include "kern/kern_conv.h"
#include "nn/plan.h"

enum { MNI_NONE = -1, MNI_READERS = 2 };

/* A convolution with the norm that follows it. */
typedef struct mni_link {
    mni_layer conv, norm;
    mni_conv_shape shape;
    int from, to;               /* nodes */
    mni_conv_shape back;        /* of the convolution that makes dx, if stride is 1 */
    size_t packed, turned;      /* its weights in the block of packed ones; turned is
                                   MNI_NOWHERE where no dx is wanted */
    int m;                      /* Winograd's tile, forward and back (kern_wino.h); 0:
                                   direct */
    size_t points, points_back; /* weights at Winograd's points */
    int dw_wino;                /* is dw summed there too? */
    size_t dw_floats;           /* of one partial sum of dw */
    size_t coefs;               /* of its norm: 6 arrays of 16 * blocks */
    mni_buffer z;
} mni_link;

typedef enum mni_node_kind { MNI_NODE_INPUT, MNI_NODE_ACT, MNI_NODE_POOL } mni_node_kind;

typedef struct mni_node {
    mni_node_kind kind;
    uint32_t c, h, w;
    int link, side_link;        /* what it is made of; side_link or MNI_NONE */
    int side;                   /* the node that is added as it is, or MNI_NONE */
    int pooled;                 /* POOL: the node below */
    mni_layer pool;
    int readers[MNI_READERS], n_readers;        /* links that read it */
    int side_of, pool_of;       /* the node that adds it, that pools it, or MNI_NONE */
    int keeps;                  /* its map is kept */
    mni_buffer y, d;            /* map, and gradient before the ReLU */
} mni_node;

typedef struct mni_nodes {
    mni_node *nodes;
    mni_link *links;
    size_t n_nodes, n_links;
    mni_layer tail[3];          /* average pool, linear (kind 0: none), unit */
    size_t packed_floats, coef_floats, arena_floats;    /* arena: of one image */
    size_t map_floats;          /* of the largest map */
} mni_nodes;

mann_status mni_nodes_init(mni_nodes *g, const mni_resnet_config *c, mann_error *err);
void        mni_nodes_fini(mni_nodes *g);

static inline size_t mni_node_blocks(const mni_node *v) { return mni_blocks(v->c); }
static inline size_t mni_node_places(const mni_node *v) { return (size_t)v->h * v->w; }
static inline size_t mni_node_floats(const mni_node *v)
{
    return mni_blocked_floats(v->c, mni_node_places(v));
}

#endif
