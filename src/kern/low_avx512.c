/* low_avx512.c - low_body.h with the two instructions that AVX-512 has for it: vpdpbusd
 * (VNNI) adds four products of bytes to each of 16 sums, vdpbf16ps (BF16) two of bf16.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_low.h"

#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>

#define LOW_PLACES 6
#define LOW_BLOCKS 4
#define LOW_PARTS 1
#define LOW_W_BYTES 64
#define LOW_ALL(M)                                                                       \
    M(1, 1) M(2, 1) M(3, 1) M(4, 1) M(5, 1) M(6, 1)                                      \
    M(1, 2) M(2, 2) M(3, 2) M(4, 2) M(5, 2) M(6, 2)                                      \
    M(1, 3) M(2, 3) M(3, 3) M(4, 3) M(5, 3) M(6, 3)                                      \
    M(1, 4) M(2, 4) M(3, 4) M(4, 4) M(5, 4) M(6, 4)
#define LOW_ROW(places)                                                                  \
    { LOW(tile_##places##_1), LOW(tile_##places##_2), LOW(tile_##places##_3),            \
      LOW(tile_##places##_4) }
#define LOW_TABLE                                                                        \
    { LOW_ROW(1), LOW_ROW(2), LOW_ROW(3), LOW_ROW(4), LOW_ROW(5), LOW_ROW(6) }

/* A word of any element type: memcpy, so that nothing is assumed of alignment. */
static MNI_INLINE int word_at(const uint8_t *p)
{
    int v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* --- int8 --------------------------------------------------------------------------- */

MNI_VNNI static MNI_INLINE void int8_end(const mni_low_conv *a, const __m512i *acc,
                                         size_t o, size_t at)
{
    __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(*acc), _mm512_loadu_ps(a->scale + o));
    v = _mm512_add_ps(v, _mm512_loadu_ps(a->shift + o));
    if (a->r) {
        const __m512i r = _mm512_cvtepu8_epi32(
            _mm_loadu_si128((const __m128i *)(const void *)(a->r + at)));
        v = _mm512_add_ps(
            v, _mm512_mul_ps(_mm512_cvtepi32_ps(r), _mm512_set1_ps(a->r_scale)));
    }
    v = _mm512_min_ps(_mm512_max_ps(v, _mm512_setzero_ps()), _mm512_set1_ps(255.0f));
    _mm_storeu_si128((__m128i *)(void *)(a->y + at),
                     _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
}

#define LOW(name) int8_##name
#define LOW_TARGET MNI_VNNI
#define LOW_ACC __m512i
#define LOW_W __m512i
#define LOW_X __m512i
#define LOW_LOAD(p) _mm512_loadu_si512(p)
#define LOW_SPREAD(p) _mm512_set1_epi32(word_at(p))
#define LOW_STEP(acc, x, w) _mm512_dpbusd_epi32(acc, x, w)
#define LOW_ZERO() _mm512_setzero_si512()
#define LOW_END int8_end
#define LOW_SIZE 1
#include "kern/low_body.h"
#undef LOW
#undef LOW_TARGET
#undef LOW_ACC
#undef LOW_W
#undef LOW_X
#undef LOW_LOAD
#undef LOW_SPREAD
#undef LOW_STEP
#undef LOW_ZERO
#undef LOW_END
#undef LOW_SIZE

void mni_kern_low_add_vnni(mni_kern_low *k)
{
    k->int8_name = "avx512vnni";
    k->int8 = int8_conv;
}

/* --- bf16 --------------------------------------------------------------------------- */

MNI_BF16 static MNI_INLINE void bf16_end(const mni_low_conv *a, const __m512 *acc,
                                         size_t o, size_t at)
{
    __m512 v = _mm512_add_ps(*acc, _mm512_loadu_ps(a->shift + o));
    if (a->r) {
        const __m512i r = _mm512_cvtepu16_epi32(
            _mm256_loadu_si256((const __m256i *)(const void *)(a->r + at)));
        v = _mm512_add_ps(v, _mm512_castsi512_ps(_mm512_slli_epi32(r, 16)));
    }
    if (a->relu) v = _mm512_max_ps(v, _mm512_setzero_ps());
    const __m256bh y = _mm512_cvtneps_pbh(v);
    memcpy(a->y + at, &y, sizeof y);
}

#define LOW(name) bf16_##name
#define LOW_TARGET MNI_BF16
#define LOW_ACC __m512
#define LOW_W __m512bh
#define LOW_X __m512bh
#define LOW_LOAD(p) ((__m512bh)_mm512_loadu_si512(p))
#define LOW_SPREAD(p) ((__m512bh)_mm512_set1_epi32(word_at(p)))
#define LOW_STEP(acc, x, w) _mm512_dpbf16_ps(acc, x, w)
#define LOW_ZERO() _mm512_setzero_ps()
#define LOW_END bf16_end
#define LOW_SIZE 2
#include "kern/low_body.h"

void mni_kern_low_add_bf16(mni_kern_low *k)
{
    k->bf16_name = "avx512vnni";
    k->bf16 = bf16_conv;
}

#else
void mni_kern_low_add_vnni(mni_kern_low *k) { (void)k; }
void mni_kern_low_add_bf16(mni_kern_low *k) { (void)k; }
#endif
