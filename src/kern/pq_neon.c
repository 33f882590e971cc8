/* pq_neon.c - on aarch64 a table of 16 bytes is one register, too: 16 look-ups an
 * instruction, and sums of 16 bits. SPDX-License-Identifier: MIT */
#include "kern/kern_pq.h"
#include "kern/level.h"

#if MNI_ARM64
#include <arm_neon.h>

static MNI_INLINE void finish(uint16x8_t v, int add, int32_t *out)
{
    int32x4_t a = vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(v)));
    int32x4_t b = vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(v)));
    if (add) {
        a = vaddq_s32(a, vld1q_s32(out));
        b = vaddq_s32(b, vld1q_s32(out + 4));
    }
    vst1q_s32(out, a);
    vst1q_s32(out + 4, b);
}

static MNI_INLINE void block(const uint8_t *codes, const uint8_t *tables, size_t pieces,
                             int add, int32_t *out)
{
    uint16x8_t sum[4];
    for (int i = 0; i < 4; i++) sum[i] = vdupq_n_u16(0);
    for (size_t p = 0; p < pieces; p++) {
        const uint8x16_t c = vld1q_u8(codes + p * 16), t = vld1q_u8(tables + p * 16);
        const uint8x16_t v0 = vqtbl1q_u8(t, vandq_u8(c, vdupq_n_u8(15)));
        const uint8x16_t v1 = vqtbl1q_u8(t, vshrq_n_u8(c, 4));
        sum[0] = vaddw_u8(sum[0], vget_low_u8(v0));
        sum[1] = vaddw_u8(sum[1], vget_high_u8(v0));
        sum[2] = vaddw_u8(sum[2], vget_low_u8(v1));
        sum[3] = vaddw_u8(sum[3], vget_high_u8(v1));
    }
    for (int i = 0; i < 4; i++) finish(sum[i], add, out + i * 8);
}

static void sum4_neon(const mni_pq_args *a)
{
    for (size_t b = 0; b < a->n_blocks; b++) {
        size_t p = 0;
        do {
            const size_t n = a->pieces - p < MNI_PQ_RUN ? a->pieces - p : MNI_PQ_RUN;
            block(a->codes + b * a->stride + p * 16, a->tables + p * 16, n, p > 0,
                  a->out + b * MNI_PQ_ROWS);
            p += n;
        } while (p < a->pieces);
    }
}

void mni_kern_pq_add_neon(mni_kern_pq *k)
{
    k->name = "neon";
    k->sum4 = sum4_neon;
}

#else
void mni_kern_pq_add_neon(mni_kern_pq *k) { (void)k; }
#endif
