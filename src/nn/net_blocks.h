/* net_blocks.h - what the two halves of the fast executor share: net_blocks.c (making,
 * forward) and net_blocks_back.c (backward). nodes.h says what a node and a link are.
 *
 * Work goes in stages, one per node and direction; within a stage every image is on its
 * own, and what a stage does to an image it does while the image is in the second cache:
 *
 *   forward of node t    map of t from z; then, for each link that reads t,
 *                        z' = conv(map) and the sums of z'   | then: mean and var of z'
 *   backward of node t   map of t again; for each link that reads t: dz' from d' and
 *                        z', dw += map * dz', dmap += conv back; then d = dmap where
 *                        map > 0, and the norm's sums of d   | then: a, b, c of the norm
 *
 * SPDX-License-Identifier: MIT */
#ifndef MNI_NN_NET_BLOCKS_H
#define MNI_NN_NET_BLOCKS_H

#include "kern/kern_grad.h"
#include "kern/kern_norm.h"
#include "kern/kern_wino.h"
#include "nn/net_in.h"
#include "nn/nodes.h"

struct mni_blocks_run {
    mni_nodes g;
    const mni_kern_conv *conv;
    const mni_kern_grad *grad;
    const mni_kern_norm *norm;
    const mni_kern_ew *ew;
    size_t max_batch, piece;    /* floats of one of a scratch's four maps */
    size_t wino_floats;         /* and of what follows them: Winograd's points */
    float *arena;
    float *packed;              /* weights, packed forward and turned */
    float *coefs;
    float *partial;             /* MNI_GROUPS times the packed dw of a node's readers */
    size_t partial_floats;
    float *abc;                 /* of one norm */
    float *tail[6];             /* pooled, linear's and unit's output, and gradients */
    mni_scratch scratch;
    float *linear_work;
};

/* Coefficients of a link's norm, arrays of 16 * blocks:
 * map = scale z + shift; dz = a d + b z + c. */
enum { MNI_SCALE, MNI_SHIFT, MNI_MEAN, MNI_A, MNI_B, MNI_C };

static inline float *mni_coef(const mni_blocks_run *b, const mni_link *k, int which,
                              size_t block)
{
    return b->coefs + k->coefs +
           ((size_t)which * mni_blocks(k->shape.c_out) + block) * MNI_BLOCK;
}

static inline float *mni_at(const mni_blocks_run *b, const mni_buffer *buffer,
                            size_t image)
{
    return b->arena + buffer->at * b->max_batch + image * buffer->floats;
}

typedef struct mni_stage {
    mni_network *net;
    mni_blocks_run *b;
    mni_node *v;
    mni_mode mode;
} mni_stage;

/* Images of a node that are worked on together: small maps share a pass over the
 * weights. Depends on the shape alone, as does the height of a band. */
static inline size_t mni_together(const mni_node *v)
{
    const size_t places = mni_node_places(v);
    return places >= 1024 ? 1 : places >= 512 ? 2 : places >= 256 ? 4 : 8;
}

/* A map that does not fit the second cache together with its fellows is worked on in
 * bands of rows, each going through the whole stage before the next:
 *
 *     rows of the map      ......[  band  ]+          one row more than the band, since
 *     rows of z' and dz'   ......[  band  ]+          3x3 taps look over its edge
 *
 * `made` counts the rows made so far. */
enum { MNI_BAND_FLOATS = 32 * 1024, MNI_WHOLE_FLOATS = 48 * 1024 };

static inline size_t mni_band_rows(const mni_node *v)
{
    const size_t row = mni_node_floats(v) / v->h;
    if (v->kind == MNI_NODE_POOL || v->pool_of != MNI_NONE || v->n_readers == 0 ||
        mni_node_floats(v) <= MNI_WHOLE_FLOATS)
        return v->h;
    return row >= MNI_BAND_FLOATS / 4 ? 4 : MNI_BAND_FLOATS / row / 4 * 4;
}

/* Rows [row, row_end) of some images of a stage, on one thread. */
typedef struct mni_piece {
    const mni_stage *s;
    size_t begin, end;          /* images */
    size_t row, row_end, made;
    float *map, *dx, *dz[MNI_READERS], *wino;   /* scratch */
} mni_piece;

/* Rows of z of link k that belong to rows below `row` of the node it reads. */
static inline size_t mni_rows_out(const mni_link *k, size_t row)
{
    return (row + k->shape.stride - 1) / k->shape.stride;
}

/* Where the map of the piece's node lies for image i. */
const float *mni_piece_map(const mni_piece *p, size_t i);
/* Makes its rows from p->made on, as far as a band up to p->row_end needs them; kept:
 * those of a map that is kept, else the others. */
void mni_piece_make(mni_piece *p, int kept);

/* Scratch to the piece's maps. */
void mni_piece_scratch(mni_piece *p, float *scratch);

/* Rows [row, row_end) of y = conv(x) + r for n images that lie one behind the other in x,
 * y and r. m: Winograd's tile, or 0; a->w: packed for it. */
void mni_piece_conv(const mni_piece *p, const mni_conv_args *a, int m, size_t n,
                    size_t row, size_t row_end);

void mni_blocks_maxpool(const mni_layer *l, const float *x, float *y);
void mni_blocks_maxpool_back(const mni_layer *l, const float *x, const float *dy,
                             float *dx);        /* overwrites dx */

#endif
