/* dtype.c - half precision in integer arithmetic, the same on every machine. See dtype.h.
 *
 *   f32: s eeeeeeee mmmmmmmmmmmmmmmmmmmmmmm   bias 127
 *   f16: s    eeeee          mmmmmmmmmm       bias 15
 * SPDX-License-Identifier: MIT */
#include "base/dtype.h"

uint16_t mni_f16_from_f32(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000u, mag = bits & 0x7FFFFFFFu;
    if (mag > 0x7F800000u) return (uint16_t)(sign | 0x7E00u);               /* NaN */
    if (mag >= 0x477FF000u) return (uint16_t)(sign | 0x7C00u);    /* rounds to infinity */
    if (mag < 0x33000000u) return (uint16_t)sign;                     /* rounds to zero */
    uint32_t exponent = mag >> 23, man = (mag & 0x7FFFFFu) | 0x800000u;
    /* Bits to drop: 13 for normal halves, more for subnormal ones (exponent below
     * 113). */
    uint32_t drop = exponent >= 113 ? 13 : 126 - exponent;
    uint32_t half = man >> drop, rest = man & ((1u << drop) - 1), tie = 1u << (drop - 1);
    if (rest > tie || (rest == tie && (half & 1))) half++;
    /* the hidden bit adds the last 1 */
    if (exponent >= 113) half += (exponent - 113) << 10;
    return (uint16_t)(sign | half);
}

float mni_f32_from_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = h >> 10 & 31u,
             man = h & 0x3FFu, bits;
    if (exponent == 31) bits = sign | 0x7F800000u | man << 13;
    else if (exponent) bits = sign | (exponent + 112) << 23 | man << 13;
    else {                                            /* zero or subnormal: man * 2^-24 */
        float v = (float)man * 0x1p-24f;
        memcpy(&bits, &v, sizeof bits);
        bits |= sign;
    }
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}
