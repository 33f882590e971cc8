/* vp8.h - what the parts of the lossy WebP decoder share (RFC 6386, key frames only).
 *
 *      vp8.c          header, modes, coefficients: bits -> numbers
 *      vp8_predict.c  guesses from neighbours, transforms: numbers -> planes
 *      vp8_filter.c   smooths the borders of blocks
 *      vp8_colour.c   planes -> RGB
 *
 * SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_VP8_H
#define MNI_IMAGE_VP8_H

#include "image/webp.h"

/* Modes of 16 x 16 luma and 8 x 8 chroma; BLOCKS: each 4 x 4 block has its own. */
enum { MNI_VP8_DC, MNI_VP8_V, MNI_VP8_H, MNI_VP8_TM, MNI_VP8_BLOCKS };
/* Modes of a 4 x 4 block, in the order of the specification's tables. */
enum { MNI_VP8_B_DC, MNI_VP8_B_TM, MNI_VP8_B_VE, MNI_VP8_B_HE, MNI_VP8_B_LD, MNI_VP8_B_RD,
       MNI_VP8_B_VR, MNI_VP8_B_VL, MNI_VP8_B_HD, MNI_VP8_B_HU, MNI_VP8_MODES };

extern const uint8_t mni_vp8_block_modes[MNI_VP8_MODES][MNI_VP8_MODES][MNI_VP8_MODES - 1];
extern const uint8_t mni_vp8_token_updates[4][8][3][11], mni_vp8_tokens[4][8][3][11];
extern const uint8_t mni_vp8_dc_steps[128];
extern const uint16_t mni_vp8_ac_steps[128];

/* A plane with a border: a row above, a column to the left, four columns to the right. */
typedef struct mni_vp8_plane { uint8_t *at; ptrdiff_t stride; } mni_vp8_plane;

typedef struct mni_vp8_block {          /* a macroblock: 16 x 16 pixels */
    uint8_t mode, chroma_mode, modes[16];
    /* Coefficients of 16 luma, 4 + 4 chroma blocks; has: one bit each, set where some are
     * not 0. */
    int16_t coefs[24][16];
    uint32_t has;
} mni_vp8_block;

/* How the borders of a macroblock are smoothed. level 0: not at all. */
typedef struct mni_vp8_smooth { uint8_t level, inside, edge, limit; } mni_vp8_smooth;

/* x, y: which macroblock; planes are Y, U, V. */
void mni_vp8_predict(const mni_vp8_plane planes[3], const mni_vp8_block *b, uint32_t x,
                     uint32_t y);
/* Second-order coefficients to the first ones of the 16 luma blocks. */
void mni_vp8_spread(int16_t coefs[24][16], const int16_t second[16]);
/* All macroblocks, in their order. */
void mni_vp8_smooth_all(const mni_vp8_plane planes[3], const mni_vp8_smooth *s,
                        uint32_t wide, uint32_t high, int is_simple);
void mni_vp8_to_rgb(uint8_t *to, size_t stride, size_t step,
                    const mni_vp8_plane planes[3], uint32_t width, uint32_t height);

#endif
