/* jpeg_neon.c - the kernels of JPEG on aarch64, 16 bytes at a time; same bytes as
 * jpeg_c.c.
 *
 * The transforms multiply 16-bit numbers by constants onto 32-bit sums, 4 columns (then
 * rows) at once; the load that separates pairs undoes the paired order, and turning the
 * block between the passes is done with transposes of 2, 4 and 8 neighbours.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_jpeg.h"

#include "kern/jpeg_tables.h"
#include "kern/level.h"

#if MNI_ARM64
#include <arm_neon.h>

/* --- transforms --------------------------------------------------------------------- */

typedef struct block { int16x8_t row[8]; } block;

static MNI_INLINE block loaded(const int16_t *coefs, const uint16_t *quant)
{
    static const uint8_t even[4] = { 0, 2, 1, 5 }, odd[4] = { 4, 6, 3, 7 };
    block b;
    for (int i = 0; i < 4; i++) {
        const int16x8x2_t c = vld2q_s16(coefs + 16 * i);
        const uint16x8x2_t q = vld2q_u16(quant + 16 * i);
        b.row[even[i]] = vmulq_s16(c.val[0], vreinterpretq_s16_u16(q.val[0]));
        b.row[odd[i]] = vmulq_s16(c.val[1], vreinterpretq_s16_u16(q.val[1]));
    }
    return b;
}

static MNI_INLINE block turned(block b)
{
    int16x8_t a[8];
    for (int i = 0; i < 8; i += 2) {
        const int16x8x2_t t = vtrnq_s16(b.row[i], b.row[i + 1]);
        a[i] = t.val[0];
        a[i + 1] = t.val[1];
    }
    int32x4_t c[8];
    for (int i = 0; i < 8; i += 4)
        for (int k = 0; k < 2; k++) {
            const int32x4x2_t t = vtrnq_s32(vreinterpretq_s32_s16(a[i + k]),
                                            vreinterpretq_s32_s16(a[i + k + 2]));
            c[i + k] = t.val[0];
            c[i + k + 2] = t.val[1];
        }
    for (int i = 0; i < 4; i++) {
        const int16x8_t lo = vreinterpretq_s16_s32(c[i]),
                        hi = vreinterpretq_s16_s32(c[i + 4]);
        b.row[i] = vcombine_s16(vget_low_s16(lo), vget_low_s16(hi));
        b.row[i + 4] = vcombine_s16(vget_high_s16(lo), vget_high_s16(hi));
    }
    return b;
}

static MNI_INLINE int32x4_t dot4(const int16x4_t x[8], int a, int b, int c, int d)
{
    int32x4_t sum = vmull_n_s16(x[1], (int16_t)a);
    sum = vmlal_n_s16(sum, x[3], (int16_t)b);
    sum = vmlal_n_s16(sum, x[5], (int16_t)c);
    return vmlal_n_s16(sum, x[7], (int16_t)d);
}

/* start: what is added to every output. */
static MNI_INLINE void points8(int32x4_t y[8], const int16x4_t x[8], int32x4_t start)
{
    const int32x4_t zero = vmlal_n_s16(start, x[0], MNI_ONE);
    const int32x4_t sum = vmlal_n_s16(zero, x[4], MNI_ONE);
    const int32x4_t diff = vmlsl_n_s16(zero, x[4], MNI_ONE);
    const int32x4_t high = vmlal_n_s16(vmull_n_s16(x[2], MNI_A2), x[6], MNI_A6);
    const int32x4_t low = vmlal_n_s16(vmull_n_s16(x[2], MNI_B2), x[6], MNI_B6);
    const int32x4_t even[4] = { vaddq_s32(sum, high), vaddq_s32(diff, low),
                                vsubq_s32(diff, low), vsubq_s32(sum, high) };
    const int32x4_t odd[4] = { dot4(x, MNI_O01, MNI_O03, MNI_O05, MNI_O07),
                               dot4(x, MNI_O11, MNI_O13, MNI_O15, MNI_O17),
                               dot4(x, MNI_O21, MNI_O23, MNI_O25, MNI_O27),
                               dot4(x, MNI_O31, MNI_O33, MNI_O35, MNI_O37) };
    for (int i = 0; i < 4; i++) {
        y[i] = vaddq_s32(even[i], odd[i]);
        y[7 - i] = vsubq_s32(even[i], odd[i]);
    }
}

static MNI_INLINE void points4(int32x4_t y[8], const int16x4_t x[8], int32x4_t start)
{
    const int32x4_t middle = vmlal_n_s16(start, x[0], 2 * MNI_ONE);
    const int32x4_t turn = vmlal_n_s16(vmull_n_s16(x[2], MNI_H2), x[6], MNI_H6);
    const int32x4_t outer = dot4(x, MNI_H01, MNI_H03, MNI_H05, MNI_H07);
    const int32x4_t inner = dot4(x, MNI_H11, MNI_H13, MNI_H15, MNI_H17);
    const int32x4_t high = vaddq_s32(middle, turn), low = vsubq_s32(middle, turn);
    y[0] = vaddq_s32(high, outer);
    y[1] = vaddq_s32(low, inner);
    y[2] = vsubq_s32(low, inner);
    y[3] = vsubq_s32(high, outer);
}

/* One is 2^15 here, which 16 bits have only as -2^15. */
static MNI_INLINE void points2(int32x4_t y[8], const int16x4_t x[8], int32x4_t start)
{
    const int32x4_t middle = vmlsl_n_s16(start, x[0], -4 * MNI_ONE);
    const int32x4_t odd = dot4(x, MNI_Q1, MNI_Q3, MNI_Q5, MNI_Q7);
    y[0] = vaddq_s32(middle, odd);
    y[1] = vsubq_s32(middle, odd);
}

typedef void (*points_fn)(int32x4_t y[8], const int16x4_t x[8], int32x4_t start);

/* All columns of b through `points`, shifted right and limited to 16 bits. */
static MNI_INLINE block pass(block b, points_fn points, int32x4_t first, int32x4_t second,
                             int shift)
{
    int16x4_t lo[8], hi[8];
    int32x4_t y_lo[8], y_hi[8];
    const int32x4_t down = vdupq_n_s32(-shift);
    for (int i = 0; i < 8; i++) {
        lo[i] = vget_low_s16(b.row[i]);
        hi[i] = vget_high_s16(b.row[i]);
        y_lo[i] = y_hi[i] = vdupq_n_s32(0);
    }
    points(y_lo, lo, first);
    points(y_hi, hi, second);
    for (int i = 0; i < 8; i++)
        b.row[i] = vcombine_s16(vqmovn_s32(vshlq_s32(y_lo[i], down)),
                                vqmovn_s32(vshlq_s32(y_hi[i], down)));
    return b;
}

/* more: 0, 1, 2 for 8, 4, 2 points. */
static MNI_INLINE block idct(const int16_t *coefs, const uint16_t *quant,
                             points_fn points, int more)
{
    const int shift = MNI_SHIFT_1 + more, half = 1 << (shift - 1);
    const int32x4_t others = vdupq_n_s32(half), zero = vdupq_n_s32(0);
    const int32x4_t lifted = vsetq_lane_s32(half + (MNI_LIFT << shift), others, 0);
    const block b = turned(pass(loaded(coefs, quant), points, lifted, others, shift));
    return turned(pass(b, points, zero, zero, MNI_SHIFT_2 + more));
}

static void idct8_neon(uint8_t *out, size_t stride, const int16_t *coefs,
                       const uint16_t *quant)
{
    const block b = idct(coefs, quant, points8, 0);
    for (int i = 0; i < 8; i++, out += stride) vst1_u8(out, vqmovun_s16(b.row[i]));
}

static void idct4_neon(uint8_t *out, size_t stride, const int16_t *coefs,
                       const uint16_t *quant)
{
    const block b = idct(coefs, quant, points4, 1);
    for (int i = 0; i < 4; i++, out += stride) {
        uint8_t row[8];
        vst1_u8(row, vqmovun_s16(b.row[i]));
        for (int x = 0; x < 4; x++) out[x] = row[x];
    }
}

static void idct2_neon(uint8_t *out, size_t stride, const int16_t *coefs,
                       const uint16_t *quant)
{
    const block b = idct(coefs, quant, points2, 2);
    for (int i = 0; i < 2; i++, out += stride) {
        const uint8x8_t row = vqmovun_s16(b.row[i]);
        out[0] = vget_lane_u8(row, 0);
        out[1] = vget_lane_u8(row, 1);
    }
}

/* --- rows --------------------------------------------------------------------------- */

enum { STEP = 16, EIGHT = 8 };

/* 3 * a + b of 8 bytes. */
static MNI_INLINE uint16x8_t weighed(uint8x8_t a, uint8x8_t b)
{
    return vmlal_u8(vmovl_u8(b), a, vdup_n_u8(3));
}

static MNI_INLINE void across_8(uint8_t *to, const uint8_t *in)
{
    const uint8x8_t here = vld1_u8(in);
    uint8x8x2_t pixels;
    const uint16x8_t even = weighed(here, vld1_u8(in - 1));
    pixels.val[0] = vshrn_n_u16(vaddq_u16(even, vdupq_n_u16(1)), 2);
    pixels.val[1] = vrshrn_n_u16(weighed(here, vld1_u8(in + 1)), 2);
    vst2_u8(to, pixels);
}

static void across_neon(uint8_t *to, const uint8_t *in, size_t w)
{
    if (w < EIGHT + 2) {
        mni_jpeg_across_c(to, in, w);
        return;
    }
    to[0] = in[0];
    to[1] = (uint8_t)((3 * in[0] + in[1] + 2) >> 2);
    for (size_t i = 1; i + EIGHT < w; i += EIGHT) across_8(to + 2 * i, in + i);
    across_8(to + 2 * (w - 1 - EIGHT), in + (w - 1 - EIGHT));
    to[2 * w - 2] = (uint8_t)((3 * in[w - 1] + in[w - 2] + 1) >> 2);
    to[2 * w - 1] = in[w - 1];
}

static MNI_INLINE uint16x8_t row_sum(const uint8_t *near, const uint8_t *far)
{
    return weighed(vld1_u8(near), vld1_u8(far));
}

static MNI_INLINE void both_8(uint8_t *to, const uint8_t *near, const uint8_t *far)
{
    const uint16x8_t here = row_sum(near, far), thrice = vmulq_n_u16(here, 3);
    const uint16x8_t even = vaddq_u16(thrice, row_sum(near - 1, far - 1));
    const uint16x8_t odd = vaddq_u16(thrice, row_sum(near + 1, far + 1));
    uint8x8x2_t pixels;
    pixels.val[0] = vrshrn_n_u16(even, 4);
    pixels.val[1] = vshrn_n_u16(vaddq_u16(odd, vdupq_n_u16(7)), 4);
    vst2_u8(to, pixels);
}

static void both_neon(uint8_t *to, const uint8_t *near, const uint8_t *far, size_t w)
{
    uint8_t edge[4];
    if (w < EIGHT + 2) {
        mni_jpeg_both_c(to, near, far, w);
        return;
    }
    mni_jpeg_both_c(edge, near, far, 2);
    to[0] = edge[0];
    to[1] = edge[1];
    for (size_t i = 1; i + EIGHT < w; i += EIGHT) both_8(to + 2 * i, near + i, far + i);
    const size_t last = w - 1 - EIGHT;
    both_8(to + 2 * last, near + last, far + last);
    mni_jpeg_both_c(edge, near + w - 2, far + w - 2, 2);
    to[2 * w - 2] = edge[2];
    to[2 * w - 1] = edge[3];
}

static void down_neon(uint8_t *to, const uint8_t *near, const uint8_t *far, size_t w,
                      int bias)
{
    const uint16x8_t biases = vdupq_n_u16((uint16_t)bias);
    size_t i = 0;
    for (; i + 8 <= w; i += 8)
        vst1_u8(to + i,
                vshrn_n_u16(vaddq_u16(row_sum(near + i, far + i), biases), 2));
    if (i < w) mni_jpeg_down_c(to + i, near + i, far + i, w - i, bias);
}

/* 8 pixels. vqrdmulh is (2ab + 2^15) >> 16; of red's factor a half is missing, which
 * changes none of the 256 values. */
static MNI_INLINE void rgb_8(uint8x8_t y8, uint8x8_t b8, uint8x8_t r8, uint8x8_t rgb[3])
{
    const int16x8_t middle = vdupq_n_s16(128);
    const int16x8_t y = vreinterpretq_s16_u16(vmovl_u8(y8));
    const int16x8_t b = vsubq_s16(vreinterpretq_s16_u16(vmovl_u8(b8)), middle);
    const int16x8_t r = vsubq_s16(vreinterpretq_s16_u16(vmovl_u8(r8)), middle);
    int32x4_t lo = vmull_n_s16(vget_low_s16(b), -22554);
    int32x4_t hi = vmull_n_s16(vget_high_s16(b), -22554);
    lo = vmlal_n_s16(lo, vget_low_s16(r), 18734);
    hi = vmlal_n_s16(hi, vget_high_s16(r), 18734);
    const int16x8_t for_g = vcombine_s16(vrshrn_n_s32(lo, 16), vrshrn_n_s32(hi, 16));
    const int16x8_t for_r = vqrdmulhq_n_s16(r, 13173), for_b = vqrdmulhq_n_s16(b, -7471);
    rgb[0] = vqmovun_s16(vaddq_s16(vaddq_s16(y, r), for_r));
    rgb[1] = vqmovun_s16(vaddq_s16(vsubq_s16(y, r), for_g));
    rgb[2] = vqmovun_s16(vaddq_s16(vaddq_s16(y, for_b), vshlq_n_s16(b, 1)));
}

static void ycc_neon(uint8_t *to, const uint8_t *y, const uint8_t *cb, const uint8_t *cr,
                     size_t w)
{
    size_t i = 0;
    for (; i + STEP <= w; i += STEP) {
        const uint8x16_t vy = vld1q_u8(y + i), vb = vld1q_u8(cb + i),
                         vr = vld1q_u8(cr + i);
        uint8x8_t lo[3], hi[3];
        uint8x16x3_t rgb;
        rgb_8(vget_low_u8(vy), vget_low_u8(vb), vget_low_u8(vr), lo);
        rgb_8(vget_high_u8(vy), vget_high_u8(vb), vget_high_u8(vr), hi);
        for (int c = 0; c < 3; c++) rgb.val[c] = vcombine_u8(lo[c], hi[c]);
        vst3q_u8(to + 3 * i, rgb);
    }
    if (i < w) mni_jpeg_ycc_c(to + 3 * i, y + i, cb + i, cr + i, w - i);
}

void mni_kern_jpeg_add_neon(mni_kern_jpeg *k)
{
    k->name = "neon";
    k->idct8 = idct8_neon;
    k->idct4 = idct4_neon;
    k->idct2 = idct2_neon;
    k->across = across_neon;
    k->both = both_neon;
    k->down = down_neon;
    k->ycc = ycc_neon;
}
#else
void mni_kern_jpeg_add_neon(mni_kern_jpeg *k) { (void)k; }
#endif
