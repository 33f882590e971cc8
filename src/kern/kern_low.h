/* kern_low.h - convolutions in 8 and 16 bits, for inference only.
 *
 * Maps are blocked as in the fast f32 network, 16 channels of one place side by side, but
 * with a border of padding round them, so that no tap ever needs a question:
 *
 *     element of channel c at row h, column w, counted from inside the border:
 *         (c / 16) * block + h * row + w * pixel + (c % 16) * size of an element
 *
 * int8: activations are u8, weights s8 with a scale for every output channel, sums s32:
 *
 *     y = clamp(round(sum * scale[o] + shift[o] + r * r_scale), 0, 255)
 *
 * rounded to nearest even, in this order, product and sum apart (no FMA): every level
 * gives the same bytes. The zero points of x and y are folded into shift by the caller;
 * the border of x holds x's zero point.
 *
 * bf16: activations and weights are the upper halves of floats, sums are floats:
 *
 *     y = bf16(act(sum + shift[o] + r))
 *
 * Bits depend on the level (the BF16 instructions add two products at a time and flush
 * denormals); the sum before rounding to bf16 is within (n + 8) * FLT_EPSILON * sum
 * |terms| of a double-precision one, n = c_in * kernel^2.
 *
 * One step of the sum is a 4-byte word of x: 4 channels of u8, or 2 of bf16, spread over
 * a register and multiplied with a word for each of 16 output channels. A pixel has
 * `words` of them: 4 (u8) or 8 (bf16) in a blocked map, fewer in the network's input,
 * which is one block with as few channels as it has. SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_KERN_LOW_H
#define MNI_KERN_KERN_LOW_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { MNI_LOW_BLOCK = 16, MNI_LOW_GROUP = 4 };     /* channels a block, blocks a group */

/* Distances in bytes. x: tap (0, 0) of output place (0, 0), in the border where there is
 * padding. y, r: place (0, 0); both have the same distances. */
typedef struct mni_low_conv {
    const uint8_t *x;
    size_t x_pixel, x_row, x_block;
    size_t n_blocks, kernel, stride, words;
    const uint8_t *w;                   /* mni_low_pack */
    const float *scale, *shift;         /* 16 a block of y, 0 in absent lanes */
    const uint8_t *r;                   /* may be NULL */
    float r_scale;
    uint8_t *y;
    size_t y_row, y_block;
    size_t h_out, w_out, blocks_out;
    int relu;                           /* bf16 only: u8 is clamped at 0 anyway */
} mni_low_conv;

/* Places [place, place_end) (row by row) of the blocks of group `group` of y: 4 blocks,
 * or those that are left. Cutting the work changes no bit. */
typedef void (*mni_low_fn)(const mni_low_conv *a, size_t group, size_t place,
                           size_t place_end);

typedef struct mni_kern_low {
    const char *int8_name, *bf16_name;
    mni_low_fn int8, bf16;
} mni_kern_low;

/* As in kern_dist.h: build is pure, best is capped by $METRICANN_SIMD and built once. */
void mni_kern_low_build(mni_kern_low *k, unsigned cpu);
const mni_kern_low *mni_kern_low_best(void);
void mni_kern_low_add_avx2(mni_kern_low *k);
void mni_kern_low_add_vnni(mni_kern_low *k);
void mni_kern_low_add_bf16(mni_kern_low *k);
void mni_kern_low_add_neon(mni_kern_low *k);

/* The definitions, in plain C. */
void mni_low_int8_c(const mni_low_conv *a, size_t group, size_t place, size_t place_end);
void mni_low_bf16_c(const mni_low_conv *a, size_t group, size_t place, size_t place_end);

/* Weights [c_out][c_in][kernel][kernel] of 1 byte (s8) or 2 (bf16), in the order of the
 * sum: [group][block of x][row][column][word][block of the group][16 out][word's
 * channels], zeros where channels are absent. */
size_t mni_low_packed_bytes(size_t c_out, size_t n_blocks, size_t kernel, size_t words);
void mni_low_pack(uint8_t *packed, const void *w, size_t element, size_t c_out,
                  size_t c_in, size_t kernel, size_t n_blocks, size_t words);

/* The upper half of a float, rounded to nearest even; NaN stays NaN. */
static inline uint16_t mni_bf16_from_f32(float v)
{
    uint32_t b;
    memcpy(&b, &v, sizeof b);
    if ((b & 0x7FFFFFFFu) > 0x7F800000u) return (uint16_t)(b >> 16 | 0x40);
    return (uint16_t)((b + 0x7FFF + (b >> 16 & 1)) >> 16);
}

static inline float mni_f32_from_bf16(uint16_t h)
{
    const uint32_t b = (uint32_t)h << 16;
    float v;
    memcpy(&v, &b, sizeof v);
    return v;
}

static inline size_t mni_low_blocks_of(const mni_low_conv *a, size_t group)
{
    const size_t left = a->blocks_out - group * MNI_LOW_GROUP;
    return left < MNI_LOW_GROUP ? left : MNI_LOW_GROUP;
}

/* Bytes of one block of packed weights; groups follow one another without gaps. */
static inline size_t mni_low_weight_block(const mni_low_conv *a)
{
    return a->n_blocks * a->kernel * a->kernel * a->words * 4 * MNI_LOW_BLOCK;
}

#endif
