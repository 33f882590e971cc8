/* png_neon.c - PNG's loops for aarch64; see png_avx2.c, whose plan they follow.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_png.h"

#include <string.h>

#include "kern/level.h"

#if MNI_ARM64
#include <arm_neon.h>

/* b grows by 16 times the old a and by the bytes weighted 16..1. */
static uint32_t adler32_neon(uint32_t sum, const uint8_t *p, size_t n)
{
    enum { MOD = 65521, RUN = 5552 };
    static const uint8_t weights[16] = { 16, 15, 14, 13, 12, 11, 10, 9,
                                         8,  7,  6,  5,  4,  3,  2,  1 };
    const uint8x16_t w = vld1q_u8(weights);
    uint32_t a = sum & 0xFFFF, b = sum >> 16;
    while (n >= 16) {
        const size_t steps = (n < RUN ? n : RUN) / 16;
        uint32x4_t plain = vdupq_n_u32(0), olds = plain, weighted = plain;
        for (size_t i = 0; i < steps; i++, p += 16) {
            const uint8x16_t v = vld1q_u8(p);
            olds = vaddq_u32(olds, plain);
            plain = vpadalq_u16(plain, vpaddlq_u8(v));
            weighted = vpadalq_u16(weighted, vmull_u8(vget_low_u8(v), vget_low_u8(w)));
            weighted = vpadalq_u16(weighted, vmull_u8(vget_high_u8(v), vget_high_u8(w)));
        }
        n -= 16 * steps;
        b = (uint32_t)((b + 16 * ((uint64_t)steps * a + vaddvq_u32(olds)) +
                        vaddvq_u32(weighted)) % MOD);
        a = (a + vaddvq_u32(plain)) % MOD;
    }
    return mni_png_adler32_c(b << 16 | a, p, n);
}

static MNI_INLINE uint16x4_t load(const uint8_t *p, size_t n)
{
    uint32_t v = 0;
    memcpy(&v, p, n);
    return vget_low_u16(vmovl_u8(vcreate_u8(v)));
}

static MNI_INLINE void store(uint8_t *p, uint16x4_t v, size_t n)
{
    const uint32_t packed =
        vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(v, v))), 0);
    memcpy(p, &packed, n);
}

/* x + guess modulo 256; the wrap is cut off where it is kept (a must stay below 256). */
static MNI_INLINE uint16x4_t plus_guess(int filter, uint16x4_t x, uint16x4_t a,
                                        uint16x4_t b, uint16x4_t c)
{
    const uint16x4_t byte = vdup_n_u16(255);
    uint16x4_t guess = a;
    if (filter == MNI_PNG_UP) {
        guess = b;
    } else if (filter == MNI_PNG_AVERAGE) {
        guess = vhadd_u16(a, b);
    } else if (filter == MNI_PNG_PAETH) {
        const uint16x4_t pa = vabd_u16(b, c), pb = vabd_u16(a, c),
                         pc = vabd_u16(vadd_u16(a, b), vadd_u16(c, c));
        const uint16x4_t bc = vbsl_u16(vcle_u16(pb, pc), b, c);
        guess = vbsl_u16(vcle_u16(pa, vmin_u16(pb, pc)), a, bc);
    }
    return vand_u16(vadd_u16(x, guess), byte);
}

static MNI_INLINE void one_row(const int filter, uint8_t *to, const uint8_t *from,
                               const uint8_t *above, size_t n, const size_t step)
{
    uint16x4_t a = vdup_n_u16(0), c = a;
    for (size_t i = 0; i < n; i += step) {
        const size_t m = i + step < n ? 4 : step;
        const uint16x4_t b = load(above + i, m);
        a = plus_guess(filter, load(from + i, m), a, b, c);
        c = b;
        store(to + i, a, m);
    }
}

static int is_whole(size_t n, size_t step)
{
    return (step == 3 || step == 4) && n >= step && n % step == 0;
}

static void unfilter_neon(int filter, uint8_t *to, const uint8_t *from,
                          const uint8_t *above, size_t n, size_t step)
{
    /* In place, step 3 would read the byte that the pixel before stored too much. */
    if (!is_whole(n, step) || filter == MNI_PNG_NONE || filter == MNI_PNG_UP ||
        (to == from && step == 3)) {
        mni_png_unfilter_c(filter, to, from, above, n, step);
        return;
    }
    switch (filter << 3 | (int)step) {
    case MNI_PNG_SUB << 3 | 3: one_row(MNI_PNG_SUB, to, from, above, n, 3); break;
    case MNI_PNG_SUB << 3 | 4: one_row(MNI_PNG_SUB, to, from, above, n, 4); break;
    case MNI_PNG_AVERAGE << 3 | 3: one_row(MNI_PNG_AVERAGE, to, from, above, n, 3); break;
    case MNI_PNG_AVERAGE << 3 | 4: one_row(MNI_PNG_AVERAGE, to, from, above, n, 4); break;
    case MNI_PNG_PAETH << 3 | 3: one_row(MNI_PNG_PAETH, to, from, above, n, 3); break;
    default: one_row(MNI_PNG_PAETH, to, from, above, n, 4); break;
    }
}

static void unfilter_two_neon(const int filter[2], uint8_t *const to[2],
                              const uint8_t *const from[2], const uint8_t *above,
                              size_t n, size_t step)
{
    unfilter_neon(filter[0], to[0], from[0], above, n, step);
    unfilter_neon(filter[1], to[1], from[1], to[0], n, step);
}

void mni_kern_png_add_neon(mni_kern_png *k)
{
    k->name = "neon";
    k->adler32 = adler32_neon;
    k->unfilter = unfilter_neon;
    k->unfilter_two = unfilter_two_neon;
}

#else

void mni_kern_png_add_neon(mni_kern_png *k) { (void)k; }

#endif
