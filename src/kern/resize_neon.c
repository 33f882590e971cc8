/* resize_neon.c - the passes of kern_img.h on aarch64, which multiplies 32-bit numbers
 * four at a time: a pixel is one register, and weights need not be cut.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_img.h"

#include "kern/level.h"

#if MNI_ARM64
#include <arm_neon.h>
#include <string.h>

enum { PIECE = 8, HALF = 1 << (MNI_TAP_BITS - 1) };

static MNI_INLINE int16x4_t finish(int32x4_t sum)
{
    return vqmovn_s32(vshrq_n_s32(sum, MNI_TAP_BITS));
}

static MNI_INLINE void row_across(uint8_t *out, const uint8_t *in, const mni_taps *t,
                                  const uint32_t channels)
{
    for (uint32_t i = 0; i < t->n_out; i++) {
        const uint8_t *p = in + (size_t)t->first[i] * channels;
        const int32_t *w = t->weight + (size_t)i * t->n;
        int32x4_t sum = vdupq_n_s32(HALF);
        for (uint32_t k = 0; k < t->n; k++, p += channels) {
            const uint16x8_t x = vmovl_u8(vld1_u8(p));
            const uint32x4_t pixel = vmovl_u16(vget_low_u16(x));
            sum = vmlaq_n_s32(sum, vreinterpretq_s32_u32(pixel), w[k]);
        }
        const int16x4_t words = finish(sum);
        const uint8x8_t bytes = vqmovun_s16(vcombine_s16(words, words));
        const uint32_t four = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
        memcpy(out + (size_t)i * channels, &four, sizeof four);
    }
}

static void across_neon(uint8_t *const out[4], const uint8_t *const in[4],
                        const mni_taps *t, uint32_t channels)
{
    if (channels < 3) {
        mni_across_c(out, in, t, channels);
        return;
    }
    for (int r = 0; r < MNI_ROWS_ACROSS; r++) {
        if (r > 0 && out[r] == out[r - 1]) continue;
        if (channels == 3) row_across(out[r], in[r], t, 3);
        else row_across(out[r], in[r], t, 4);
    }
}

static void down_neon(uint8_t *out, const uint8_t *const *rows, const int32_t *weight,
                      const uint32_t *pairs, uint32_t n, size_t n_bytes)
{
    if (n_bytes < PIECE) {
        mni_down_c(out, rows, weight, pairs, n, n_bytes);
        return;
    }
    for (size_t next = 0; next < n_bytes; next += PIECE) {
        const size_t at = n_bytes - next < PIECE ? n_bytes - PIECE : next;
        int32x4_t a = vdupq_n_s32(HALF), b = a;
        for (uint32_t k = 0; k < n; k++) {
            const uint16x8_t x = vmovl_u8(vld1_u8(rows[k] + at));
            a = vmlaq_n_s32(a, vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(x))),
                            weight[k]);
            b = vmlaq_n_s32(b, vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(x))),
                            weight[k]);
        }
        vst1_u8(out + at, vqmovun_s16(vcombine_s16(finish(a), finish(b))));
    }
}

void mni_kern_img_add_neon(mni_kern_img *k)
{
    k->name = "neon";
    k->across = across_neon;
    k->down = down_neon;
}

#else
void mni_kern_img_add_neon(mni_kern_img *k) { (void)k; }
#endif
