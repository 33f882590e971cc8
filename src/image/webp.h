/* webp.h - what the parts of the WebP reader share: webp.c opens the container, vp8l*.c
 * and vp8*.c decode the two kinds of pictures in it. SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_WEBP_H
#define MNI_IMAGE_WEBP_H

#include "image/decoders.h"

/* Lossless. The size and the alpha flag that a VP8L chunk begins with. MANN_E_FORMAT. */
mann_status mni_vp8l_size(const uint8_t *bytes, size_t n_bytes, uint32_t *width,
                          uint32_t *height, int *has_alpha, mann_error *err);
/* Pixels as 0xAARRGGBB, *argb from the arena. with_header: the five bytes that
 * mni_vp8l_size read are there (they are not in an ALPH chunk). */
mann_status mni_vp8l_decode(uint32_t **argb, const uint8_t *bytes, size_t n_bytes,
                            uint32_t width, uint32_t height, int with_header,
                            mni_arena *arena, mann_error *err);

/* The four transforms of VP8L, undone in place. bits: blocks are 2^bits wide and high. */
typedef struct mni_vp8l_transform {
    unsigned kind, bits;
    uint32_t width, height;     /* of the picture that comes out */
    uint32_t *data;             /* a value per block, or the palette (256 entries) */
} mni_vp8l_transform;
enum { MNI_VP8L_PREDICT, MNI_VP8L_COLOUR, MNI_VP8L_GREEN, MNI_VP8L_INDEX };
/* INDEX makes rows longer: `from` has the narrow rows, `to` the room for wide ones; for
 * the others they are the same. */
void mni_vp8l_undo(const mni_vp8l_transform *t, uint32_t *to, const uint32_t *from);

/* Lossy. The size in a VP8 chunk's first bytes. MANN_E_FORMAT, MANN_E_UNSUPPORTED. */
mann_status mni_vp8_size(const uint8_t *bytes, size_t n_bytes, uint32_t *width,
                         uint32_t *height, mann_error *err);
/* RGB into `to`, rows of `stride` bytes, pixels of `step` (3 or 4). */
mann_status mni_vp8_decode(uint8_t *to, size_t stride, size_t step, const uint8_t *bytes,
                           size_t n_bytes, mni_arena *arena, mann_error *err);

#endif
