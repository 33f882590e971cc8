/* low_avx2.c - low_body.h without the instructions that were made for it.
 *
 * int8: vpmaddubsw would add two products in 16 bits and saturate (2 * 255 * 127 does not
 * fit), so that the answer would depend on the level. Instead both sides are widened to
 * 16 bits and vpmaddwd adds two products in 32: a register of sums holds two halves for
 * each of 4 output channels, which are put together at the end.
 *
 *     x     c0 c1 c2 c3  c0 c1 c2 c3 ..      w   o0: c0 c1 c2 c3  o1: c0 c1 c2 c3 ..
 *     sums  [o0: c0 c1] [o0: c2 c3] [o1: c0 c1] [o1: c2 c3] ..
 *
 * bf16: a word is two floats, one in its upper half and one, moved up, in its lower;
 * their products are exact, so that the sums are those of the plain C.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_low.h"

#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>

#define LOW_BLOCKS 1

static MNI_INLINE int word_at(const uint8_t *p)
{
    int v;
    memcpy(&v, p, sizeof v);
    return v;
}

MNI_AVX2 static MNI_INLINE __m128i half_at(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* --- int8 --------------------------------------------------------------------------- */

/* Eight whole sums of the halves in two registers, scaled. */
MNI_AVX2 static MNI_INLINE __m256i int8_scaled(const mni_low_conv *a, __m256i s,
                                               __m256i t, size_t o, size_t at)
{
    const __m256i sum = _mm256_permute4x64_epi64(_mm256_hadd_epi32(s, t), 0xD8);
    __m256 v = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_loadu_ps(a->scale + o));
    v = _mm256_add_ps(v, _mm256_loadu_ps(a->shift + o));
    if (a->r) {
        const __m256i r = _mm256_cvtepu8_epi32(
            _mm_loadl_epi64((const __m128i *)(const void *)(a->r + at)));
        v = _mm256_add_ps(
            v, _mm256_mul_ps(_mm256_cvtepi32_ps(r), _mm256_set1_ps(a->r_scale)));
    }
    v = _mm256_min_ps(_mm256_max_ps(v, _mm256_setzero_ps()), _mm256_set1_ps(255.0f));
    return _mm256_cvtps_epi32(v);
}

MNI_AVX2 static MNI_INLINE void int8_end(const mni_low_conv *a, const __m256i *acc,
                                         size_t o, size_t at)
{
    const __m256i low = int8_scaled(a, acc[0], acc[1], o, at),
                  high = int8_scaled(a, acc[2], acc[3], o + 8, at + 8),
                  words = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), 0xD8);
    _mm_storeu_si128((__m128i *)(void *)(a->y + at),
                     _mm_packus_epi16(_mm256_castsi256_si128(words),
                                      _mm256_extracti128_si256(words, 1)));
}

#define LOW(name) int8_##name
#define LOW_TARGET MNI_AVX2
#define LOW_PLACES 3
#define LOW_PARTS 4
#define LOW_ACC __m256i
#define LOW_W __m256i
#define LOW_W_BYTES 16
#define LOW_X __m256i
#define LOW_LOAD(p) _mm256_cvtepi8_epi16(half_at(p))
#define LOW_SPREAD(p) _mm256_cvtepu8_epi16(_mm_set1_epi32(word_at(p)))
#define LOW_STEP(acc, x, w) _mm256_add_epi32(acc, _mm256_madd_epi16(x, w))
#define LOW_ZERO() _mm256_setzero_si256()
#define LOW_END int8_end
#define LOW_SIZE 1
#define LOW_ALL(M) M(1, 1) M(2, 1) M(3, 1)
#define LOW_TABLE { { LOW(tile_1_1) }, { LOW(tile_2_1) }, { LOW(tile_3_1) } }
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

typedef struct two { __m256 first, second; } two;

MNI_AVX2 static MNI_INLINE two apart(__m256i words)
{
    return (two){ _mm256_castsi256_ps(_mm256_slli_epi32(words, 16)),
                  _mm256_castsi256_ps(
                      _mm256_and_si256(words, _mm256_set1_epi32((int)0xFFFF0000u))) };
}

MNI_AVX2 static MNI_INLINE __m256 bf16_step(__m256 sum, two x, two w)
{
    return _mm256_fmadd_ps(x.second, w.second, _mm256_fmadd_ps(x.first, w.first, sum));
}

/* mni_bf16_from_f32 of eight, each in the lower half of its lane. */
MNI_AVX2 static MNI_INLINE __m256i halved(__m256 v)
{
    const __m256i b = _mm256_castps_si256(v), upper = _mm256_srli_epi32(b, 16);
    const __m256i odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
    const __m256i nearest = _mm256_srli_epi32(
        _mm256_add_epi32(_mm256_add_epi32(b, _mm256_set1_epi32(0x7FFF)), odd), 16);
    const __m256i nan = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
    return _mm256_blendv_epi8(nearest, nan,
                              _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)));
}

MNI_AVX2 static MNI_INLINE __m256i bf16_ended(const mni_low_conv *a, __m256 sum, size_t o,
                                              size_t at)
{
    __m256 v = _mm256_add_ps(sum, _mm256_loadu_ps(a->shift + o));
    if (a->r)
        v = _mm256_add_ps(v, _mm256_castsi256_ps(_mm256_slli_epi32(
                                 _mm256_cvtepu16_epi32(half_at(a->r + at)), 16)));
    if (a->relu) v = _mm256_max_ps(v, _mm256_setzero_ps());
    return halved(v);
}

MNI_AVX2 static MNI_INLINE void bf16_end(const mni_low_conv *a, const __m256 *acc,
                                         size_t o, size_t at)
{
    const __m256i low = bf16_ended(a, acc[0], o, at),
                  high = bf16_ended(a, acc[1], o + 8, at + 16);
    _mm256_storeu_si256((__m256i *)(void *)(a->y + at),
                        _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), 0xD8));
}

#define LOW(name) bf16_##name
#define LOW_PLACES 4
#define LOW_PARTS 2
#define LOW_ACC __m256
#define LOW_W two
#define LOW_W_BYTES 32
#define LOW_X two
#define LOW_LOAD(p) apart(_mm256_loadu_si256((const __m256i *)(const void *)(p)))
#define LOW_SPREAD(p) apart(_mm256_set1_epi32(word_at(p)))
#define LOW_STEP bf16_step
#define LOW_ZERO() _mm256_setzero_ps()
#define LOW_END bf16_end
#define LOW_SIZE 2
#define LOW_ALL(M) M(1, 1) M(2, 1) M(3, 1) M(4, 1)
#define LOW_TABLE                                                                        \
    { { LOW(tile_1_1) }, { LOW(tile_2_1) }, { LOW(tile_3_1) }, { LOW(tile_4_1) } }
#include "kern/low_body.h"

void mni_kern_low_add_avx2(mni_kern_low *k)
{
    k->int8_name = k->bf16_name = "avx2";
    k->int8 = int8_conv;
    k->bf16 = bf16_conv;
}

#else
void mni_kern_low_add_avx2(mni_kern_low *k) { (void)k; }
#endif
