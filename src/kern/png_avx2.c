/* png_avx2.c - PNG's loops for x86 with AVX2 (and BMI2 and PCLMULQDQ where they are).
 * SPDX-License-Identifier: MIT */
#include "kern/kern_png.h"

#include <string.h>

#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>

#define MNI_CLMUL __attribute__((target("avx2,pclmul")))
#define MNI_AVX2_BMI2 __attribute__((target("avx2,bmi,bmi2")))

/* --- CRC-32 by folding ------------------------------------------------------------ */

/* The message is a polynomial; the CRC its remainder. 128 bits that stand d bits in front
 * of the end may be replaced by (low half times x^(d+64) mod P) + (high half times x^d
 * mod P), which is shorter and has the same remainder. So four registers walk over the
 * message in steps of 64 bytes, are folded into one, and the last 16 bytes go through the
 * tables. Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ",
 * 2009. */
MNI_CLMUL static MNI_INLINE __m128i fold(__m128i x, __m128i k, __m128i next)
{
    const __m128i low = _mm_clmulepi64_si128(x, k, 0x00),
                  high = _mm_clmulepi64_si128(x, k, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

MNI_CLMUL static uint32_t crc32_clmul(uint32_t crc, const uint8_t *p, size_t n)
{
    if (n < 64) return mni_png_crc32_c(crc, p, n);
    /* x^(512+32), x^(512-32), x^(128+32), x^(128-32) modulo P, reflected. */
    const __m128i by_64 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4),
                  by_16 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    __m128i x[4];
    for (int i = 0; i < 4; i++) x[i] = _mm_loadu_si128((const __m128i *)p + i);
    x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128((int)~crc));
    for (p += 64, n -= 64; n >= 64; p += 64, n -= 64)
        for (int i = 0; i < 4; i++)
            x[i] = fold(x[i], by_64, _mm_loadu_si128((const __m128i *)p + i));
    __m128i one = fold(x[0], by_16, x[1]);
    one = fold(one, by_16, x[2]);
    one = fold(one, by_16, x[3]);
    for (; n >= 16; p += 16, n -= 16)
        one = fold(one, by_16, _mm_loadu_si128((const __m128i *)p));
    uint8_t last[16];
    _mm_storeu_si128((__m128i *)last, one);
    /* ~0: the tables' register shall start at 0, the message's start is folded in. */
    return mni_png_crc32_c(mni_png_crc32_c(~0u, last, 16), p, n);
}

/* --- Adler-32 ----------------------------------------------------------------------- */

MNI_AVX2 static MNI_INLINE uint32_t sum8(__m256i v)
{
    __m128i x = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0x4E));
    x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0xB1));
    return (uint32_t)_mm_cvtsi128_si32(x);
}

/* b grows by 32 times the old a and by the bytes weighted 32..1. The old a's are summed
 * in a vector of their own and multiplied once per run. */
MNI_AVX2 static uint32_t adler32_avx2(uint32_t sum, const uint8_t *p, size_t n)
{
    enum { MOD = 65521, RUN = 5536 };           /* 173 x 32: no overflow in 32 bits */
    const __m256i zero = _mm256_setzero_si256(), ones = _mm256_set1_epi16(1);
    const __m256i weights = _mm256_setr_epi8(
        32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13,
        12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1);
    uint32_t a = sum & 0xFFFF, b = sum >> 16;
    while (n >= 32) {
        const size_t steps = (n < RUN ? n : RUN) / 32;
        __m256i plain = zero, olds = zero, weighted = zero;
        for (size_t i = 0; i < steps; i++, p += 32) {
            const __m256i v = _mm256_loadu_si256((const __m256i *)p);
            olds = _mm256_add_epi32(olds, plain);
            plain = _mm256_add_epi32(plain, _mm256_sad_epu8(v, zero));
            weighted = _mm256_add_epi32(
                weighted, _mm256_madd_epi16(_mm256_maddubs_epi16(v, weights), ones));
        }
        n -= 32 * steps;
        b = (uint32_t)((b + 32 * ((uint64_t)steps * a + sum8(olds)) + sum8(weighted)) %
                       MOD);
        a = (a + sum8(plain)) % MOD;
    }
    return mni_png_adler32_c(b << 16 | a, p, n);
}

/* --- unfilter ----------------------------------------------------------------------- */

/* A pixel of 3 or 4 bytes as 16-bit lanes. */
MNI_AVX2 static MNI_INLINE __m128i load(const uint8_t *p)
{
    int v;
    memcpy(&v, p, 4);
    return _mm_cvtepu8_epi16(_mm_cvtsi32_si128(v));
}
MNI_AVX2 static MNI_INLINE __m128i load_last(const uint8_t *p, size_t step)
{
    uint32_t v = 0;
    memcpy(&v, p, step);
    return _mm_cvtepu8_epi16(_mm_cvtsi32_si128((int)v));
}
MNI_AVX2 static MNI_INLINE void store(uint8_t *p, __m128i v, size_t n)
{
    const int packed = _mm_cvtsi128_si32(_mm_packus_epi16(v, v));
    memcpy(p, &packed, n);
}

/* x + guess modulo 256, in each lane. The chain from a to the result is what counts: the
 * next pixel waits for it. Paeth is decided without a + b - c: with t = 3c - a - b the
 * nearest is the lower of a and b if t >= the higher, the higher if t <= the lower, else
 * c (if the plane lies above both, take the higher...). Six operations in the chain. */
MNI_AVX2 static MNI_INLINE __m128i plus_guess(int filter, __m128i x, __m128i a,
                                              __m128i b, __m128i c)
{
    switch (filter) {
    case MNI_PNG_SUB: return _mm_add_epi8(x, a);
    case MNI_PNG_UP: return _mm_add_epi8(x, b);
    case MNI_PNG_AVERAGE:
        return _mm_add_epi8(x, _mm_srli_epi16(_mm_add_epi16(a, b), 1));
    default: break;
    }
    const __m128i low = _mm_min_epi16(a, b), high = _mm_max_epi16(a, b);
    const __m128i rest = _mm_sub_epi16(_mm_add_epi16(c, _mm_add_epi16(c, c)), b);
    const __m128i t = _mm_sub_epi16(rest, a);
    const __m128i not_low = _mm_cmpgt_epi16(high, t), not_high = _mm_cmpgt_epi16(t, low);
    const __m128i ends = _mm_or_si128(_mm_andnot_si128(not_low, low),
                                      _mm_andnot_si128(not_high, high));
    const __m128i middle = _mm_and_si128(_mm_and_si128(not_low, not_high), c);
    return _mm_add_epi8(x, _mm_or_si128(ends, middle));
}

MNI_AVX2 static MNI_INLINE void one_row(const int filter, uint8_t *to,
                                        const uint8_t *from, const uint8_t *above,
                                        size_t n, const size_t step)
{
    __m128i a = _mm_setzero_si128(), c = a;
    size_t i = 0;
    for (; i + step < n; i += step) {
        const __m128i b = load(above + i);
        a = plus_guess(filter, load(from + i), a, b, c);
        c = b;
        store(to + i, a, 4);
    }
    if (i < n)
        store(to + i, plus_guess(filter, load_last(from + i, step), a,
                                 load_last(above + i, step), c), step);
}

/* Row 2 follows one pixel behind row 1, and reads it from registers: two chains that do
 * not wait for each other. In a row of step 3 the fourth byte stored is wrong, and is
 * written again by the next pixel; the last pixel is stored exactly. */
MNI_AVX2 static MNI_INLINE void two_rows(const int f1, const int f2,
                                         uint8_t *const to[2],
                                         const uint8_t *const from[2],
                                         const uint8_t *above, size_t n,
                                         const size_t step)
{
    const __m128i zero = _mm_setzero_si128();
    __m128i b = load_last(above, step), c = b;
    __m128i a1 = plus_guess(f1, load_last(from[0], step), zero, b, zero);
    __m128i a2 = zero, c2 = zero;
    store(to[0], a1, step);
    size_t i = step;
    for (; i + step < n; i += step) {
        const __m128i b2 = a1;
        b = load(above + i);
        a1 = plus_guess(f1, load(from[0] + i), a1, b, c);
        a2 = plus_guess(f2, load(from[1] + i - step), a2, b2, c2);
        c = b;
        c2 = b2;
        store(to[0] + i, a1, 4);
        store(to[1] + i - step, a2, 4);
    }
    if (i < n) {
        const __m128i b2 = a1;
        a1 = plus_guess(f1, load_last(from[0] + i, step), a1, load_last(above + i, step),
                        c);
        a2 = plus_guess(f2, load_last(from[1] + i - step, step), a2, b2, c2);
        c2 = b2;
        store(to[0] + i, a1, step);
        store(to[1] + i - step, a2, step);
        i += step;
    }
    a2 = plus_guess(f2, load_last(from[1] + i - step, step), a2, a1, c2);
    store(to[1] + i - step, a2, step);
}

MNI_AVX2 static void up(uint8_t *to, const uint8_t *from, const uint8_t *above, size_t n)
{
    size_t i = 0;
    for (; i + 32 <= n; i += 32)
        _mm256_storeu_si256(
            (__m256i *)(to + i),
            _mm256_add_epi8(_mm256_loadu_si256((const __m256i *)(from + i)),
                            _mm256_loadu_si256((const __m256i *)(above + i))));
    for (; i < n; i++) to[i] = (uint8_t)(from[i] + above[i]);
}

/* A whole number of pixels of 3 or 4 bytes is what the vectors can do. */
static int is_whole(size_t n, size_t step)
{
    return (step == 3 || step == 4) && n >= step && n % step == 0;
}

MNI_AVX2 static void unfilter_avx2(int filter, uint8_t *to, const uint8_t *from,
                                   const uint8_t *above, size_t n, size_t step)
{
    if (filter == MNI_PNG_UP) up(to, from, above, n);
    /* In place, step 3 would read the byte that the pixel before stored too much. */
    else if (!is_whole(n, step) || filter == MNI_PNG_NONE || (to == from && step == 3))
        mni_png_unfilter_c(filter, to, from, above, n, step);
    else if (step == 3)
        switch (filter) {
        case MNI_PNG_SUB: one_row(MNI_PNG_SUB, to, from, above, n, 3); break;
        case MNI_PNG_AVERAGE: one_row(MNI_PNG_AVERAGE, to, from, above, n, 3); break;
        default: one_row(MNI_PNG_PAETH, to, from, above, n, 3); break;
        }
    else
        switch (filter) {
        case MNI_PNG_SUB: one_row(MNI_PNG_SUB, to, from, above, n, 4); break;
        case MNI_PNG_AVERAGE: one_row(MNI_PNG_AVERAGE, to, from, above, n, 4); break;
        default: one_row(MNI_PNG_PAETH, to, from, above, n, 4); break;
        }
}

#define SECOND(f1, step)                                                                 \
    switch (filter[1]) {                                                                 \
    case MNI_PNG_SUB: two_rows(f1, MNI_PNG_SUB, to, from, above, n, step); break;        \
    case MNI_PNG_UP: two_rows(f1, MNI_PNG_UP, to, from, above, n, step); break;          \
    case MNI_PNG_AVERAGE: two_rows(f1, MNI_PNG_AVERAGE, to, from, above, n, step); break;\
    default: two_rows(f1, MNI_PNG_PAETH, to, from, above, n, step); break;               \
    }
#define FIRST(step)                                                                      \
    switch (filter[0]) {                                                                 \
    case MNI_PNG_SUB: SECOND(MNI_PNG_SUB, step) break;                                   \
    case MNI_PNG_UP: SECOND(MNI_PNG_UP, step) break;                                     \
    case MNI_PNG_AVERAGE: SECOND(MNI_PNG_AVERAGE, step) break;                           \
    default: SECOND(MNI_PNG_PAETH, step) break;                                          \
    }

MNI_AVX2 static void unfilter_two_avx2(const int filter[2], uint8_t *const to[2],
                                       const uint8_t *const from[2],
                                       const uint8_t *above, size_t n, size_t step)
{
    const int easy = filter[0] == MNI_PNG_NONE || filter[1] == MNI_PNG_NONE ||
                     (filter[0] == MNI_PNG_UP && filter[1] == MNI_PNG_UP);
    if (easy || !is_whole(n, step) || to[0] == from[0]) {
        unfilter_avx2(filter[0], to[0], from[0], above, n, step);
        unfilter_avx2(filter[1], to[1], from[1], to[0], n, step);
    } else if (step == 3) {
        FIRST(3)
    } else {
        FIRST(4)
    }
}

/* --- the shared bodies -------------------------------------------------------------- */

#define LEVEL MNI_AVX2
#define NAME(x) x##_avx2
#include "kern/png_filter_body.h"
#undef LEVEL
#undef NAME
#define LEVEL MNI_AVX2_BMI2
#define NAME(x) x##_bmi2
#include "kern/symbols_body.h"
#undef LEVEL
#undef NAME

void mni_kern_png_add_avx2(mni_kern_png *k, unsigned cpu)
{
    k->name = "avx2";
    k->adler32 = adler32_avx2;
    k->unfilter = unfilter_avx2;
    k->unfilter_two = unfilter_two_avx2;
    k->filter = filter_avx2;
    if (cpu & MNI_CPU_BMI2) k->symbols = symbols_bmi2;
    if (cpu & MNI_CPU_CLMUL) k->crc32 = crc32_clmul;
}

#else

void mni_kern_png_add_avx2(mni_kern_png *k, unsigned cpu) { (void)k; (void)cpu; }

#endif
