/* code_avx2.c - sums over codes, 32 bytes at a time. Two bytes below 128 multiply and add
 * into 16 bits without overflow: 2 * 127^2 = 32,258. SPDX-License-Identifier: MIT */
#include "kern/kern_code.h"

#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>
#include <string.h>

#define LEVEL MNI_AVX2
#include "kern/code_rows.h"

/* sum += c * q over bytes; c without sign, q with */
LEVEL static MNI_INLINE __m256i add_products(__m256i sum, __m256i c, __m256i q)
{
    const __m256i pairs = _mm256_maddubs_epi16(c, q);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

LEVEL static MNI_INLINE __m256i add(enum kind kind, __m256i sum, __m256i q, __m256i c)
{
    if (kind == AWAY8 || kind == AWAY4) return add_products(sum, c, q);
    const __m256i d = _mm256_abs_epi8(_mm256_sub_epi8(q, c));
    return add_products(sum, d, d);
}

LEVEL static MNI_INLINE __m256i load(const uint8_t *at)
{
    return _mm256_loadu_si256((const __m256i *)at);
}

LEVEL static MNI_INLINE void four(enum kind kind, const uint8_t *query,
                                  const uint8_t *const row[4], size_t bytes,
                                  uint32_t out[4])
{
    const __m256i mask = _mm256_set1_epi8(15 * MNI_CODE_HALF_STEP);
    __m256i s[4];
    for (int u = 0; u < 4; u++) s[u] = _mm256_setzero_si256();
    for (size_t j = 0; j < bytes; j += 32) {
        const __m256i q = load(query + j);
        for (int u = 0; u < 4; u++) {
            const __m256i c = load(row[u] + j);
            if (kind == NEAR8 || kind == AWAY8) {
                s[u] = add(kind, s[u], q, c);
                continue;
            }
            const __m256i low = _mm256_and_si256(_mm256_slli_epi16(c, 3), mask),
                          up = _mm256_and_si256(_mm256_srli_epi16(c, 1), mask);
            s[u] = add(kind, s[u], q, low);
            s[u] = add(kind, s[u], load(query + bytes + j), up);
        }
    }
    const __m256i t = _mm256_hadd_epi32(_mm256_hadd_epi32(s[0], s[1]),
                                        _mm256_hadd_epi32(s[2], s[3]));
    _mm_storeu_si128((__m128i *)out, _mm_add_epi32(_mm256_castsi256_si128(t),
                                                   _mm256_extracti128_si256(t, 1)));
}

MNI_CODE_ENTRY(near8, NEAR8)
MNI_CODE_ENTRY(near4, NEAR4)
MNI_CODE_ENTRY(away8, AWAY8)
MNI_CODE_ENTRY(away4, AWAY4)

/* Signed bytes as 16 bits, whose products are added in pairs: exact for any byte. */
LEVEL static MNI_INLINE void step_pair(const int8_t *q, const int8_t *c, __m256i *dot,
                                       __m256i *square)
{
    const __m256i a = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)q)),
                  b = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)c));
    *dot = _mm256_add_epi32(*dot, _mm256_madd_epi16(a, b));
    *square = _mm256_add_epi32(*square, _mm256_madd_epi16(b, b));
}

LEVEL static MNI_INLINE void one_pair(const int8_t *query, const int8_t *row, size_t dim,
                                      int32_t out[2])
{
    __m256i dot = _mm256_setzero_si256(), square = dot;
    size_t j = 0;
    for (; j + 16 <= dim; j += 16) step_pair(query + j, row + j, &dot, &square);
    if (j < dim) {
        int8_t q[16] = { 0 }, c[16] = { 0 };
        memcpy(q, query + j, dim - j);
        memcpy(c, row + j, dim - j);
        step_pair(q, c, &dot, &square);
    }
    __m256i t = _mm256_hadd_epi32(dot, square);
    t = _mm256_hadd_epi32(t, t);
    _mm_storel_epi64((__m128i *)out, _mm_add_epi32(_mm256_castsi256_si128(t),
                                                   _mm256_extracti128_si256(t, 1)));
}

MNI_PAIR_ENTRY

void mni_kern_code_add_avx2(mni_kern_code *k)
{
    *k = (mni_kern_code){ "avx2", near8, near4, away8, away4, pairs };
}

#else
void mni_kern_code_add_avx2(mni_kern_code *k) { (void)k; }
#endif
