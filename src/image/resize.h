/* resize.h - resampling with a filter that widens with the ratio, so that shrinking
 * averages instead of skipping. Triangle filter, two passes, fixed point: the same bytes
 * everywhere, and equal to Pillow's BILINEAR within 1 grey level.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_RESIZE_H
#define MNI_IMAGE_RESIZE_H

#include "base/status.h"
#include "kern/kern_img.h"

/* `in` has 1..4 channels (no alpha weighting). out is owned (mann_image_clear). */
mann_status mni_image_resize(mann_image *out, const mann_image *in, uint32_t width,
                             uint32_t height, mann_error *err);
/* The same with given kernels: the same bytes, whatever they are. */
mann_status mni_image_resize_of(const mni_kern_img *kern, mann_image *out,
                                const mann_image *in, uint32_t width, uint32_t height,
                                mann_error *err);

#endif
