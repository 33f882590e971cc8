/* low_neon.c - low_body.h on any aarch64, without its later dot products.
 *
 * int8: both sides are widened to 16 bits. A product of u8 and s8 fits 16 bits exactly
 * (-32640 .. 32385), and vpadal adds pairs of them to sums of 32: as in low_avx2.c, two
 * halves of a sum lie side by side until the end. bf16: as in low_avx2.c.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_low.h"

#include "kern/level.h"

#if MNI_ARM64
#include <arm_neon.h>

#define LOW_TARGET
#define LOW_BLOCKS 1

static MNI_INLINE uint32_t word_at(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* --- int8 --------------------------------------------------------------------------- */

static MNI_INLINE int16x8_t int8_spread(const uint8_t *p)
{
    return vreinterpretq_s16_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(word_at(p)))));
}

static MNI_INLINE uint16x4_t int8_scaled(const mni_low_conv *a, const int32x4_t *acc,
                                         size_t o, const float32x4_t *r)
{
    float32x4_t v = vmulq_f32(vcvtq_f32_s32(vpaddq_s32(acc[0], acc[1])),
                              vld1q_f32(a->scale + o));
    v = vaddq_f32(v, vld1q_f32(a->shift + o));
    if (a->r) v = vaddq_f32(v, vmulq_n_f32(*r, a->r_scale));
    v = vminq_f32(vmaxq_f32(v, vdupq_n_f32(0.0f)), vdupq_n_f32(255.0f));
    return vmovn_u32(vcvtnq_u32_f32(v));
}

static MNI_INLINE void int8_end(const mni_low_conv *a, const int32x4_t *acc, size_t o,
                                size_t at)
{
    float32x4_t r[4] = { vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0) };
    uint16x4_t y[4];
    if (a->r) {
        const uint8x16_t bytes = vld1q_u8(a->r + at);
        const uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_high_u8(bytes);
        r[0] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(low)));
        r[1] = vcvtq_f32_u32(vmovl_high_u16(low));
        r[2] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(high)));
        r[3] = vcvtq_f32_u32(vmovl_high_u16(high));
    }
    for (size_t i = 0; i < 4; i++) y[i] = int8_scaled(a, acc + 2 * i, o + 4 * i, &r[i]);
    vst1q_u8(a->y + at, vcombine_u8(vmovn_u16(vcombine_u16(y[0], y[1])),
                                    vmovn_u16(vcombine_u16(y[2], y[3]))));
}

#define LOW(name) int8_##name
#define LOW_PLACES 2
#define LOW_PARTS 8
#define LOW_ACC int32x4_t
#define LOW_W int16x8_t
#define LOW_W_BYTES 8
#define LOW_X int16x8_t
#define LOW_LOAD(p) vmovl_s8(vreinterpret_s8_u8(vld1_u8(p)))
#define LOW_SPREAD(p) int8_spread(p)
#define LOW_STEP(acc, x, w) vpadalq_s16(acc, vmulq_s16(x, w))
#define LOW_ZERO() vdupq_n_s32(0)
#define LOW_END int8_end
#define LOW_SIZE 1
#define LOW_ALL(M) M(1, 1) M(2, 1)
#define LOW_TABLE { { LOW(tile_1_1) }, { LOW(tile_2_1) } }
#include "kern/low_body.h"
#undef LOW
#undef LOW_PLACES
#undef LOW_PARTS
#undef LOW_ACC
#undef LOW_W
#undef LOW_W_BYTES
#undef LOW_X
#undef LOW_LOAD
#undef LOW_SPREAD
#undef LOW_STEP
#undef LOW_ZERO
#undef LOW_END
#undef LOW_SIZE
#undef LOW_ALL
#undef LOW_TABLE

/* --- bf16 --------------------------------------------------------------------------- */

typedef struct two { float32x4_t first, second; } two;

static MNI_INLINE two apart(uint32x4_t words)
{
    return (two){ vreinterpretq_f32_u32(vshlq_n_u32(words, 16)),
                  vreinterpretq_f32_u32(vandq_u32(words, vdupq_n_u32(0xFFFF0000u))) };
}

static MNI_INLINE float32x4_t bf16_step(float32x4_t sum, two x, two w)
{
    return vfmaq_f32(vfmaq_f32(sum, x.first, w.first), x.second, w.second);
}

/* mni_bf16_from_f32 of four. */
static MNI_INLINE uint16x4_t halved(float32x4_t v)
{
    const uint32x4_t b = vreinterpretq_u32_f32(v), upper = vshrq_n_u32(b, 16);
    const uint32x4_t odd = vandq_u32(upper, vdupq_n_u32(1));
    const uint32x4_t nearest =
        vshrq_n_u32(vaddq_u32(vaddq_u32(b, vdupq_n_u32(0x7FFF)), odd), 16);
    const uint32x4_t nan = vorrq_u32(upper, vdupq_n_u32(0x40));
    return vmovn_u32(vbslq_u32(vceqq_f32(v, v), nearest, nan));
}

static MNI_INLINE void bf16_end(const mni_low_conv *a, const float32x4_t *acc, size_t o,
                                size_t at)
{
    for (size_t i = 0; i < 4; i++) {
        uint16_t words[4];
        float32x4_t v = vaddq_f32(acc[i], vld1q_f32(a->shift + o + 4 * i));
        if (a->r) {
            memcpy(words, a->r + at + 8 * i, sizeof words);
            v = vaddq_f32(v, vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(words), 16)));
        }
        if (a->relu) v = vmaxq_f32(v, vdupq_n_f32(0.0f));
        vst1_u16(words, halved(v));
        memcpy(a->y + at + 8 * i, words, sizeof words);
    }
}

#define LOW(name) bf16_##name
#define LOW_PLACES 4
#define LOW_PARTS 4
#define LOW_ACC float32x4_t
#define LOW_W two
#define LOW_W_BYTES 16
#define LOW_X two
#define LOW_LOAD(p) apart(vreinterpretq_u32_u8(vld1q_u8(p)))
#define LOW_SPREAD(p) apart(vdupq_n_u32(word_at(p)))
#define LOW_STEP bf16_step
#define LOW_ZERO() vdupq_n_f32(0)
#define LOW_END bf16_end
#define LOW_SIZE 2
#define LOW_ALL(M) M(1, 1) M(2, 1) M(3, 1) M(4, 1)
#define LOW_TABLE                                                                        \
    { { LOW(tile_1_1) }, { LOW(tile_2_1) }, { LOW(tile_3_1) }, { LOW(tile_4_1) } }
#include "kern/low_body.h"

void mni_kern_low_add_neon(mni_kern_low *k)
{
    k->int8_name = k->bf16_name = "neon";
    k->int8 = int8_conv;
    k->bf16 = bf16_conv;
}

#else
void mni_kern_low_add_neon(mni_kern_low *k) { (void)k; }
#endif
