/* pixels.h - the baseline: a 16x16 RGB thumbnail, mean removed, unit length. No weights,
 * no training, instant and honest: what every trained model must beat.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_NN_PIXELS_H
#define MNI_NN_PIXELS_H

#include "os/pool.h"

enum { MNI_PIXELS_SIDE = 16, MNI_PIXELS_DIM = 3 * MNI_PIXELS_SIDE * MNI_PIXELS_SIDE };

/* input, out: n x MNI_PIXELS_DIM. A picture of one colour has nothing left after its
 * mean: it becomes the constant unit vector, which is at a right angle to every other
 * picture. */
void mni_pixels_forward(const float *input, size_t n, mni_pool *pool, float *out);

#endif
