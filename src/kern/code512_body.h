/* code512_body.h - sums over codes, 64 bytes at a time: the plan of code_avx2.c. Included
 * by code_avx512.c and code_vnni.c, which differ in how products are summed:
 *
 *     LEVEL           attribute of every function
 *     add_products    sum += c * q over bytes; c without sign, q with
 *     add_words       sum += a * b over pairs of 16 bits
 *
 * SPDX-License-Identifier: MIT */

LEVEL static MNI_INLINE __m512i add(enum kind kind, __m512i sum, __m512i q, __m512i c)
{
    if (kind == AWAY8 || kind == AWAY4) return add_products(sum, c, q);
    const __m512i d = _mm512_abs_epi8(_mm512_sub_epi8(q, c));
    return add_products(sum, d, d);
}

/* One step for one row; the mask says which bytes are there. */
LEVEL static MNI_INLINE __m512i step(enum kind kind, __m512i sum, const uint8_t *query,
                                     const uint8_t *row, size_t bytes, __mmask64 there)
{
    const __m512i q = _mm512_maskz_loadu_epi8(there, query),
                  c = _mm512_maskz_loadu_epi8(there, row);
    if (kind == NEAR8 || kind == AWAY8) return add(kind, sum, q, c);
    const __m512i mask = _mm512_set1_epi8(15 * MNI_CODE_HALF_STEP),
                  low = _mm512_and_si512(_mm512_slli_epi16(c, 3), mask),
                  up = _mm512_and_si512(_mm512_srli_epi16(c, 1), mask);
    return add(kind, add(kind, sum, q, low),
               _mm512_maskz_loadu_epi8(there, query + bytes), up);
}

LEVEL static MNI_INLINE __m256i halve(__m512i v)
{
    return _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
}

LEVEL static MNI_INLINE void four(enum kind kind, const uint8_t *query,
                                  const uint8_t *const row[4], size_t bytes,
                                  uint32_t out[4])
{
    __m512i s0 = _mm512_setzero_si512(), s1 = s0, s2 = s0, s3 = s0;
    size_t j = 0;
    for (; j + 64 <= bytes; j += 64) {
        s0 = step(kind, s0, query + j, row[0] + j, bytes, ~(__mmask64)0);
        s1 = step(kind, s1, query + j, row[1] + j, bytes, ~(__mmask64)0);
        s2 = step(kind, s2, query + j, row[2] + j, bytes, ~(__mmask64)0);
        s3 = step(kind, s3, query + j, row[3] + j, bytes, ~(__mmask64)0);
    }
    if (j < bytes) {
        const __mmask64 half = 0xffffffffu;
        s0 = step(kind, s0, query + j, row[0] + j, bytes, half);
        s1 = step(kind, s1, query + j, row[1] + j, bytes, half);
        s2 = step(kind, s2, query + j, row[2] + j, bytes, half);
        s3 = step(kind, s3, query + j, row[3] + j, bytes, half);
    }
    const __m256i t = _mm256_hadd_epi32(_mm256_hadd_epi32(halve(s0), halve(s1)),
                                        _mm256_hadd_epi32(halve(s2), halve(s3)));
    _mm_storeu_si128((__m128i *)out, _mm_add_epi32(_mm256_castsi256_si128(t),
                                                   _mm256_extracti128_si256(t, 1)));
}

MNI_CODE_ENTRY(near8, NEAR8)
MNI_CODE_ENTRY(near4, NEAR4)
MNI_CODE_ENTRY(away8, AWAY8)
MNI_CODE_ENTRY(away4, AWAY4)

/* Signed bytes as 16 bits: exact for any byte. */
LEVEL static MNI_INLINE void one_pair(const int8_t *query, const int8_t *row, size_t dim,
                                      int32_t out[2])
{
    __m512i dot = _mm512_setzero_si512(), square = dot;
    for (size_t j = 0; j < dim; j += 32) {
        const __mmask32 there =
            dim - j < 32 ? ((__mmask32)1 << (dim - j)) - 1 : ~(__mmask32)0;
        const __m512i q = _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(there, query + j)),
                      c = _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(there, row + j));
        dot = add_words(dot, q, c);
        square = add_words(square, c, c);
    }
    __m256i t = _mm256_hadd_epi32(halve(dot), halve(square));
    t = _mm256_hadd_epi32(t, t);
    _mm_storel_epi64((__m128i *)out, _mm_add_epi32(_mm256_castsi256_si128(t),
                                                   _mm256_extracti128_si256(t, 1)));
}

MNI_PAIR_ENTRY
