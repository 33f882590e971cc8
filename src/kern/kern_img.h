/* kern_img.h - resampling of 8-bit pixels: the two passes of image/resize.c.
 *
 * A pass is a weighted sum of `n` taps with weights of 22 fixed-point bits:
 *
 *     out = clip((2^21 + sum of weight[k] * in[k]) >> 22)        to 0..255
 *
 * All of it in whole numbers, so every level gives the same bytes. The fast levels have
 * no quick product of 8 by 23 bits, but one that adds two products of 16 bits (pmaddwd).
 * So a weight is cut in two, weight = high * 2048 + low, and taps are taken in pairs:
 *
 *     sum = 2048 * (p0 * high0 + p1 * high1 + ...) + (p0 * low0 + p1 * low1 + ...)
 *
 * modulo 2^32, which is exact as the sum itself fits. SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_KERN_IMG_H
#define MNI_KERN_KERN_IMG_H

#include <stddef.h>
#include <stdint.h>

enum {
    MNI_TAP_BITS = 22, MNI_TAP_SPLIT = 11,
    MNI_ROWS_ACROSS = 4,        /* rows that `across` does at once */
    MNI_ROW_SLACK = 16          /* bytes that must follow the last tap of a row */
};

/* The weights of `n_out` outputs, `n` each: n is even and the same for all, unused taps
 * weigh 0. pairs[2 * j] holds the high halves of taps 2j and 2j + 1 as two 16-bit numbers
 * (the first one low), pairs[2 * j + 1] the low halves. Output i has its own at
 * weight + i * n and pairs + i * n. */
typedef struct mni_taps {
    uint32_t n_out, n;
    const uint32_t *first;      /* first input pixel of output i */
    const int32_t *weight;
    const uint32_t *pairs;
} mni_taps;

/* Four rows of t->n_out pixels of 3 or 4 channels (the plain version: 1..4). Rows may be
 * given more than once. Of each input row MNI_ROW_SLACK bytes are read behind the last
 * tap, of each output row MNI_ROW_SLACK bytes may be overwritten behind the end. */
typedef void (*mni_across_fn)(uint8_t *const out[MNI_ROWS_ACROSS],
                              const uint8_t *const in[MNI_ROWS_ACROSS], const mni_taps *t,
                              uint32_t channels);
/* One row of n_bytes out of n rows; `weight` and `pairs` are those of the one output.
 * Nothing is read or written behind the n bytes. */
typedef void (*mni_down_fn)(uint8_t *out, const uint8_t *const *rows,
                            const int32_t *weight, const uint32_t *pairs, uint32_t n,
                            size_t n_bytes);

typedef struct mni_kern_img {
    const char *name;           /* "scalar", "avx2", "avx512", "neon" */
    mni_across_fn across;
    mni_down_fn down;
} mni_kern_img;

/* As in kern_dist.h: build is pure, best is capped by $METRICANN_SIMD and built once. */
void mni_kern_img_build(mni_kern_img *k, unsigned cpu);
const mni_kern_img *mni_kern_img_best(void);
void mni_kern_img_add_avx2(mni_kern_img *k);
void mni_kern_img_add_avx512(mni_kern_img *k);
void mni_kern_img_add_neon(mni_kern_img *k);

/* The definition, in plain C. */
void mni_across_c(uint8_t *const out[MNI_ROWS_ACROSS],
                  const uint8_t *const in[MNI_ROWS_ACROSS], const mni_taps *t,
                  uint32_t channels);
void mni_down_c(uint8_t *out, const uint8_t *const *rows, const int32_t *weight,
                const uint32_t *pairs, uint32_t n, size_t n_bytes);

static inline uint8_t mni_tap_byte(int32_t sum)    /* the half was added at the start */
{
    sum >>= MNI_TAP_BITS;
    return sum < 0 ? 0 : sum > 255 ? 255 : (uint8_t)sum;
}

#endif
