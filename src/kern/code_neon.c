/* code_neon.c - sums over codes on aarch64, 16 bytes at a time, widened to 16 bits and
 * added in pairs to 32. SPDX-License-Identifier: MIT */
#include "kern/kern_code.h"

#include "kern/level.h"

#if MNI_ARM64
#include <arm_neon.h>
#include <string.h>

#define LEVEL
#include "kern/code_rows.h"

static MNI_INLINE int32x4_t add(enum kind kind, int32x4_t sum, uint8x16_t q, uint8x16_t c)
{
    int8x16_t a = vreinterpretq_s8_u8(c), b = vreinterpretq_s8_u8(q);
    if (kind == NEAR8 || kind == NEAR4) a = b = vabdq_s8(a, b);
    sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
    return vpadalq_s16(sum, vmull_s8(vget_high_s8(a), vget_high_s8(b)));
}

static MNI_INLINE void four(enum kind kind, const uint8_t *query,
                            const uint8_t *const row[4], size_t bytes, uint32_t out[4])
{
    for (int u = 0; u < 4; u++) {
        int32x4_t sum = vdupq_n_s32(0);
        for (size_t j = 0; j < bytes; j += 16) {
            const uint8x16_t q = vld1q_u8(query + j), c = vld1q_u8(row[u] + j);
            if (kind == NEAR8 || kind == AWAY8) {
                sum = add(kind, sum, q, c);
                continue;
            }
            sum = add(kind, sum, q, vshlq_n_u8(vandq_u8(c, vdupq_n_u8(15)), 3));
            sum = add(kind, sum, vld1q_u8(query + bytes + j),
                      vshlq_n_u8(vshrq_n_u8(c, 4), 3));
        }
        out[u] = (uint32_t)vaddvq_s32(sum);
    }
}

MNI_CODE_ENTRY(near8, NEAR8)
MNI_CODE_ENTRY(near4, NEAR4)
MNI_CODE_ENTRY(away8, AWAY8)
MNI_CODE_ENTRY(away4, AWAY4)

static MNI_INLINE void step_pair(const int8_t *query, const int8_t *row,
                                 int32x4_t *dot, int32x4_t *square)
{
    const int8x16_t q = vld1q_s8(query), c = vld1q_s8(row);
    *dot = vpadalq_s16(*dot, vmull_s8(vget_low_s8(q), vget_low_s8(c)));
    *dot = vpadalq_s16(*dot, vmull_s8(vget_high_s8(q), vget_high_s8(c)));
    *square = vpadalq_s16(*square, vmull_s8(vget_low_s8(c), vget_low_s8(c)));
    *square = vpadalq_s16(*square, vmull_s8(vget_high_s8(c), vget_high_s8(c)));
}

static MNI_INLINE void one_pair(const int8_t *query, const int8_t *row, size_t dim,
                                int32_t out[2])
{
    int32x4_t dot = vdupq_n_s32(0), square = dot;
    size_t j = 0;
    for (; j + 16 <= dim; j += 16) step_pair(query + j, row + j, &dot, &square);
    if (j < dim) {
        int8_t q[16] = { 0 }, c[16] = { 0 };
        memcpy(q, query + j, dim - j);
        memcpy(c, row + j, dim - j);
        step_pair(q, c, &dot, &square);
    }
    out[0] = vaddvq_s32(dot);
    out[1] = vaddvq_s32(square);
}

MNI_PAIR_ENTRY

void mni_kern_code_add_neon(mni_kern_code *k)
{
    *k = (mni_kern_code){ "neon", near8, near4, away8, away4, pairs };
}

#else
void mni_kern_code_add_neon(mni_kern_code *k) { (void)k; }
#endif
