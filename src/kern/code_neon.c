/* code_neon.c - sums over codes on aarch64, 16 bytes at a time, widened to 16 bits and
 * added in pairs to 32. SPDX-License-Identifier: MIT */
#include "kern/kern_code.h"

#include "kern/level.h"

#if MNI_ARM64
#include <arm_neon.h>

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

void mni_kern_code_add_neon(mni_kern_code *k)
{
    *k = (mni_kern_code){ "neon", near8, near4, away8, away4 };
}

#else
void mni_kern_code_add_neon(mni_kern_code *k) { (void)k; }
#endif
