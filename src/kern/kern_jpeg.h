/* kern_jpeg.h - the arithmetic of JPEG: the inverse transform, and rows of pixels.
 *
 * All are integer kernels: every level gives the same bytes as plain C (jpeg_c.c), for
 * any input, damaged files included. No alignment is asked, nothing is read or written
 * past what the contracts name, inputs and outputs do not overlap.
 *
 * Coefficients come in *paired order*: two rows of the 8 x 8 block, one number of each in
 * turn, because the vector instruction that multiplies and adds neighbours then needs no
 * shuffling. With r:c for row r, column c:
 *
 *      at  0   0:0 4:0  0:1 4:1  0:2 4:2 ...  0:7 4:7
 *         16   2:0 6:0  2:1 6:1 ...
 *         32   1:0 3:0  1:1 3:1 ...
 *         48   5:0 7:0  5:1 7:1 ...
 *
 * SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_KERN_JPEG_H
#define MNI_KERN_KERN_JPEG_H

#include <stddef.h>
#include <stdint.h>

#include "kern/jpeg_bits.h"

/* Place of row r, column c in paired order. */
static inline unsigned mni_jpeg_paired(unsigned r, unsigned c)
{
    static const uint8_t first[8] = { 0, 32, 16, 33, 1, 48, 17, 49 };
    return first[r] + 2 * c;
}

/* coefs[64] times quant[64] (both in paired order, products modulo 2^16) -> size x size
 * samples at `out`, its rows `stride` bytes apart. */
typedef void (*mni_idct_fn)(uint8_t *out, size_t stride, const int16_t *coefs,
                            const uint16_t *quant);
/* w >= 1 samples -> 2w pixels, half way towards the neighbours. */
typedef void (*mni_across_fn)(uint8_t *to, const uint8_t *in, size_t w);
/* The same between two rows: `near` is the row that the pixels lie in. */
typedef void (*mni_both_fn)(uint8_t *to, const uint8_t *near, const uint8_t *far,
                            size_t w);
/* w samples -> w pixels, of which `near` has 3/4; bias 1 or 2 rounds. */
typedef void (*mni_down_fn)(uint8_t *to, const uint8_t *near, const uint8_t *far,
                            size_t w, int bias);
/* w pixels of brightness, blueness, redness -> 3w bytes R G B R G B ... */
typedef void (*mni_ycc_fn)(uint8_t *to, const uint8_t *y, const uint8_t *cb,
                           const uint8_t *cr, size_t w);

/* One block of a sequential scan into `block` (zeroed by the caller; paired order, not
 * yet multiplied). The bits hold a whole block, or zeros behind their end. *dc: the
 * component's prediction. Returns the zigzag place of the last coefficient that was sent
 * (0: only DC), or -1 if the bits make no sense. */
typedef int (*mni_block_fn)(mni_bits *b, const mni_jpeg_huffman *dc_code,
                            const mni_jpeg_huffman *ac_code, int *dc,
                            int16_t block[MNI_JPEG_BLOCK]);

/* Reads the same block, but only *dc. Returns 0 where the other gives -1. */
typedef int (*mni_skip_fn)(mni_bits *b, const mni_jpeg_huffman *dc_code,
                           const mni_jpeg_huffman *ac_code, int *dc);

typedef struct mni_kern_jpeg {
    const char *name;               /* level of the best entry */
    mni_unstuff_fn unstuff;
    mni_block_fn block;
    mni_skip_fn skip;
    mni_idct_fn idct8, idct4, idct2;
    mni_across_fn across;
    mni_both_fn both;
    mni_down_fn down;
    mni_ycc_fn ycc;
} mni_kern_jpeg;

/* As in kern_dist.h: build is pure, best is capped by $METRICANN_SIMD and built once. */
void mni_kern_jpeg_build(mni_kern_jpeg *k, unsigned cpu);
const mni_kern_jpeg *mni_kern_jpeg_best(void);
void mni_kern_jpeg_add_c(mni_kern_jpeg *k);
void mni_kern_jpeg_add_bmi2(mni_kern_jpeg *k);
void mni_kern_jpeg_add_avx2(mni_kern_jpeg *k);
void mni_kern_jpeg_add_neon(mni_kern_jpeg *k);

/* Plain C, also for what is too short for a vector. */
size_t mni_jpeg_unstuff_c(uint8_t *to, size_t room, const uint8_t *from, size_t n,
                          size_t *used);
void mni_jpeg_across_c(uint8_t *to, const uint8_t *in, size_t w);
void mni_jpeg_both_c(uint8_t *to, const uint8_t *near, const uint8_t *far, size_t w);
void mni_jpeg_down_c(uint8_t *to, const uint8_t *near, const uint8_t *far, size_t w,
                     int bias);
void mni_jpeg_ycc_c(uint8_t *to, const uint8_t *y, const uint8_t *cb, const uint8_t *cr,
                    size_t w);

#endif
