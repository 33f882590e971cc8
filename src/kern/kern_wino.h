/* kern_wino.h - 3x3 convolutions of stride 1 with fewer multiplications: Winograd's
 * minimal filtering, after Lavin and Gray, "Fast Algorithms for Convolutional Neural
 * Networks" (CVPR 2016), section 4.
 *
 * An m x m tile of y is a sum over channels of small correlations of an (m+2) x (m+2)
 * tile of x with 3 x 3 weights. Seen as polynomials, such a correlation is a product, and
 * a product of polynomials can be made by evaluating both at (m+2)^2 points, multiplying
 * point by point, and interpolating:
 *
 *     y = A^T ( sum over c of  (G w G^T) * (B^T x B) ) A           * : point by point
 *               made at load ---^            ^--- once for all channels of y
 *
 * so 16 products do the work of 36 for m = 2, and 36 that of 144 for m = 4. The sum over
 * channels is one matrix product per point, tiles x channels, which is a 1x1 convolution:
 *
 *     x  --in-->  V[point][block][tile]  --direct-->  M[point][block][tile]  --out-->  y
 *
 * V and M of some tiles at a time fit the second cache.
 *
 * Points: m = 2: 0, 1, -1, infinity. m = 4: 0, +-1/sqrt 2, +-sqrt 2, infinity: the powers
 * of the usual +-1, +-2 reach 8, of these 2.83, and the error is a third.
 *
 * Error bound of an output, with eps = FLT_EPSILON and |.| taken of every number:
 *
 *     (c_in + 40) eps ( |A^T| ( sum |G| |w| |G^T| * |B^T| |x| |B| ) |A| + |bias| + |r| )
 *
 * (each product passes at most c_in additions and some 40 roundings of the three
 * transforms; Higham, "Accuracy and Stability", section 3.1). Over 128 channels the root
 * mean square error is 0.6 (m = 2) and 1.8 (m = 4) times that of the direct sum.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_KERN_WINO_H
#define MNI_KERN_KERN_WINO_H

#include "kern/kern_conv.h"

#define MNI_WINO_A 0.70710678118654752440f
#define MNI_WINO_B 1.41421356237309504880f

/* shape: a blocked 3x3 of stride 1, padding 1. m: 2 or 4. */
size_t mni_wino_tiles(const mni_conv_shape *s, int m);              /* of one image */
size_t mni_wino_weight_floats(const mni_conv_shape *s, int m);
/* w: [c_out][c_in][3][3]; computed in double, rounded once. */
void   mni_wino_pack_weights(const mni_conv_shape *s, int m, const float *w,
                             float *packed);
/* As mni_conv_pack_block. */
void   mni_wino_pack_block(const mni_conv_shape *s, int m, size_t block, const float *w,
                           const double *scale, float *packed);
/* Scratch for `tiles` tiles at once, and how many of them suit the caches. */
size_t mni_wino_scratch_floats(const mni_conv_shape *s, int m, size_t tiles);
size_t mni_wino_best_tiles(const mni_conv_shape *s, int m);

/* Tiles [tile, tile_end) of several images that lie one behind the other (x, y and r
 * alike): tile t is of image t / mni_wino_tiles. a->w: packed for m. The bits of a tile
 * do not depend on the range. scratch: for tile_end - tile tiles, 64-byte aligned. */
void mni_wino_run(const mni_kern_conv *k, const mni_conv_args *a, int m, size_t tile,
                  size_t tile_end, float *scratch);
/* The same for blocks [block, block_end) of y alone. */
void mni_wino_blocks(const mni_kern_conv *k, const mni_conv_args *a, int m, size_t tile,
                     size_t tile_end, size_t block, size_t block_end, float *scratch);

/* --- the rule (conv_rule.c) --------------------------------------------------------- */

/* How a layer is computed: a function of its shape and nothing else. 0: the direct sum;
 * 2, 4: Winograd with that m. */
int mni_conv_rule(const mni_conv_shape *s);

#endif
