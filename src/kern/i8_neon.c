/* i8_neon.c - byte products on aarch64: sixteen bytes are four rows of a group; they are
 * widened, multiplied, and added in pairs twice. SPDX-License-Identifier: MIT */
#include "kern/kern_i8.h"
#include "kern/level.h"

#if MNI_ARM64
#include <arm_neon.h>
#include <string.h>

enum { REGS = 8 };                      /* of four rows each */

static MNI_INLINE int32x4_t four_rows(uint8x16_t x, int16x8_t w)
{
    const int16x8_t low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(x)));
    const int16x8_t high = vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(x)));
    const int32x4_t a = vmull_s16(vget_low_s16(low), vget_low_s16(w));
    const int32x4_t b = vmull_s16(vget_high_s16(low), vget_low_s16(w));
    const int32x4_t c = vmull_s16(vget_low_s16(high), vget_low_s16(w));
    const int32x4_t d = vmull_s16(vget_high_s16(high), vget_low_s16(w));
    return vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d));
}

static void block(const mni_i8_args *a, size_t q, size_t b)
{
    const uint8_t *at = a->blocks + b * a->stride;
    const int8_t *query = a->queries + q * a->groups * 4;
    int32_t *out = a->out + q * a->out_stride + b * MNI_I8_ROWS;
    int32x4_t sum[REGS];
    for (int r = 0; r < REGS; r++) sum[r] = vdupq_n_s32(0);
    for (size_t g = 0; g < a->groups; g++, at += MNI_I8_GROUP_BYTES) {
        int32_t four;
        memcpy(&four, query + g * 4, sizeof four);
        const int16x8_t w = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
        for (int r = 0; r < REGS; r++)
            sum[r] = vaddq_s32(sum[r], four_rows(vld1q_u8(at + r * 16), w));
    }
    for (int r = 0; r < REGS; r++) vst1q_s32(out + r * 4, sum[r]);
}

static void dots_neon(const mni_i8_args *a)
{
    for (size_t b = 0; b < a->n_blocks; b++)
        for (size_t q = 0; q < a->n_queries; q++) block(a, q, b);
}

void mni_kern_i8_add_neon(mni_kern_i8 *k)
{
    k->name = "neon";
    k->dots = dots_neon;
}

#else
void mni_kern_i8_add_neon(mni_kern_i8 *k) { (void)k; }
#endif
