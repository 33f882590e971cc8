/* i8_avx512.c - byte products with 64 bytes in a register; with VNNI one instruction does
 * what three do in i8_avx2.c, and does not saturate.
 *
 * One query: two sums for even groups and two for odd ones, since a product takes five
 * cycles. Many queries: 8 at a time, 16 sums; the two registers of rows are loaded once
 * for all of them. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "kern/kern_i8.h"
#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>

enum { WIDTH = 16, Q_AT_ONCE = 8 };

MNI_AVX512 static MNI_INLINE __m512i load64(const void *at)
{
    return _mm512_loadu_si512(at);
}

MNI_AVX512 static MNI_INLINE __m512i spread(const int8_t *at)
{
    int32_t four;
    memcpy(&four, at, sizeof four);
    return _mm512_set1_epi32(four);
}

/* --- AVX-512 without VNNI ----------------------------------------------------------- */

MNI_AVX512 static MNI_INLINE __m512i add_bw(__m512i sum, __m512i x, __m512i w)
{
    return _mm512_add_epi32(
        sum, _mm512_madd_epi16(_mm512_maddubs_epi16(x, w), _mm512_set1_epi16(1)));
}

MNI_AVX512 static MNI_INLINE void block_bw(const mni_i8_args *a, size_t q0,
                                           const size_t n, size_t b)
{
    const uint8_t *at = a->blocks + b * a->stride;
    const int8_t *query = a->queries + q0 * a->groups * 4;
    __m512i s[Q_AT_ONCE][2];
    for (size_t q = 0; q < n; q++) s[q][0] = s[q][1] = _mm512_setzero_si512();
    for (size_t g = 0; g < a->groups; g++, at += MNI_I8_GROUP_BYTES) {
        const __m512i x0 = load64(at), x1 = load64(at + 64);
        for (size_t q = 0; q < n; q++) {
            const __m512i w = spread(query + (q * a->groups + g) * 4);
            s[q][0] = add_bw(s[q][0], x0, w);
            s[q][1] = add_bw(s[q][1], x1, w);
        }
    }
    int32_t *out = a->out + q0 * a->out_stride + b * MNI_I8_ROWS;
    for (size_t q = 0; q < n; q++, out += a->out_stride) {
        _mm512_storeu_si512(out, s[q][0]);
        _mm512_storeu_si512(out + WIDTH, s[q][1]);
    }
}

MNI_AVX512 static void dots_bw(const mni_i8_args *a)
{
    size_t q = 0;
    for (; q + 4 <= a->n_queries; q += 4)
        for (size_t b = 0; b < a->n_blocks; b++) block_bw(a, q, 4, b);
    for (; q < a->n_queries; q++)
        for (size_t b = 0; b < a->n_blocks; b++) block_bw(a, q, 1, b);
}

MNI_AVX512 static size_t pick_avx512(const int32_t *dots, const float *plus, size_t n,
                                     float factor, float limit, uint32_t *index,
                                     float *value)
{
    const __m512 f = _mm512_set1_ps(factor), most = _mm512_set1_ps(limit);
    const __m512i count = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
                                            14, 15);
    size_t found = 0;
    for (size_t i = 0; i < n; i += WIDTH) {
        const __mmask16 in =
            n - i < WIDTH ? (__mmask16)((1u << (n - i)) - 1) : (__mmask16)0xFFFF;
        const __m512 dot = _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(in, dots + i));
        const __m512 x =
            _mm512_sub_ps(_mm512_maskz_loadu_ps(in, plus + i), _mm512_mul_ps(f, dot));
        const __mmask16 m = _mm512_mask_cmp_ps_mask(in, x, most, _CMP_NGT_UQ);
        if (!m) continue;
        const __m512i at = _mm512_add_epi32(count, _mm512_set1_epi32((int)i));
        _mm512_mask_compressstoreu_epi32(index + found, m, at);
        _mm512_mask_compressstoreu_ps(value + found, m, x);
        found += (size_t)__builtin_popcount(m);
    }
    return found;
}

MNI_AVX512 static float lowest_avx512(const int32_t *dots, const float *plus, size_t n,
                                      float factor)
{
    const __m512 f = _mm512_set1_ps(factor), far = _mm512_set1_ps(INFINITY);
    __m512 low = far;
    for (size_t i = 0; i < n; i += WIDTH) {
        const __mmask16 in =
            n - i < WIDTH ? (__mmask16)((1u << (n - i)) - 1) : (__mmask16)0xFFFF;
        const __m512 dot = _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(in, dots + i));
        const __m512 x = _mm512_sub_ps(_mm512_mask_loadu_ps(far, in, plus + i),
                                       _mm512_mul_ps(f, dot));
        low = _mm512_min_ps(x, low); /* of two, min gives the second if one is NaN */
    }
    return _mm512_reduce_min_ps(low);
}

MNI_AVX512 static void from_f16_avx512(const uint16_t *in, size_t n, float *out)
{
    size_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH)
        _mm512_storeu_ps(out + i, _mm512_cvtph_ps(_mm256_loadu_si256(
                                      (const __m256i *)(const void *)(in + i))));
    if (i < n) {
        const __mmask16 m = (__mmask16)((1u << (n - i)) - 1);
        _mm512_mask_storeu_ps(out + i, m,
                              _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, in + i)));
    }
}

MNI_AVX512 static void from_i8_avx512(const int8_t *in, size_t n, float scale, float *out)
{
    const __m512 s = _mm512_set1_ps(scale);
    for (size_t i = 0; i < n; i += WIDTH) {
        const __mmask16 m =
            n - i < WIDTH ? (__mmask16)((1u << (n - i)) - 1) : (__mmask16)0xFFFF;
        const __m512i v = _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(m, in + i));
        _mm512_mask_storeu_ps(out + i, m, _mm512_mul_ps(s, _mm512_cvtepi32_ps(v)));
    }
}

/* Eight errors, squared; not fused, as plain C has it. */
MNI_AVX512 static MNI_INLINE __m512d squared(__m256 v, __m256 c, __m512d scale)
{
    const __m512d e = _mm512_sub_pd(_mm512_cvtps_pd(v),
                                    _mm512_mul_pd(scale, _mm512_cvtps_pd(c)));
    return _mm512_mul_pd(e, e);
}

MNI_AVX512 static void round_avx512(const float *v, size_t n, float scale, uint8_t *out,
                                    double lane[8])
{
    const float by = scale > 0.0f ? 1.0f / scale : 0.0f;
    const __m512 magic = _mm512_set1_ps(12582912.0f), most = _mm512_set1_ps(127.0f),
                 least = _mm512_set1_ps(-127.0f), factor = _mm512_set1_ps(by);
    const __m512d wide = _mm512_set1_pd((double)scale);
    __m512d sum = _mm512_loadu_pd(lane);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m512 x = _mm512_loadu_ps(v + i);
        __m512 c = _mm512_min_ps(_mm512_mul_ps(x, factor), most);
        c = _mm512_sub_ps(_mm512_add_ps(_mm512_max_ps(c, least), magic), magic);
        sum = _mm512_add_pd(sum, squared(_mm512_castps512_ps256(x),
                                         _mm512_castps512_ps256(c), wide));
        sum = _mm512_add_pd(sum, squared(_mm512_extractf32x8_ps(x, 1),
                                         _mm512_extractf32x8_ps(c, 1), wide));
        const __m512i whole = _mm512_add_epi32(_mm512_cvttps_epi32(c),
                                               _mm512_set1_epi32(128));
        _mm_storeu_si128((__m128i *)(void *)(out + i), _mm512_cvtepi32_epi8(whole));
    }
    _mm512_storeu_pd(lane, sum);
    for (; i < n; i++) out[i] = mni_i8_round_one(v[i], by, scale, &lane[i % 8]);
}

MNI_AVX512 static void squares_avx512(const float *v, size_t n, double lane[8])
{
    __m512d sum = _mm512_loadu_pd(lane);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m512d a = _mm512_cvtps_pd(_mm256_loadu_ps(v + i));
        sum = _mm512_fmadd_pd(a, a, sum);
    }
    _mm512_storeu_pd(lane, sum);
    for (; i < n; i++) lane[i % 8] += (double)v[i] * v[i];
}

void mni_kern_i8_add_avx512(mni_kern_i8 *k)
{
    k->name = "avx512";
    k->q_max = 64;
    k->dots = dots_bw;
    k->pick = pick_avx512;
    k->lowest = lowest_avx512;
    k->from_f16 = from_f16_avx512;
    k->from_i8 = from_i8_avx512;
    k->squares = squares_avx512;
    k->round = round_avx512;
}

/* --- VNNI --------------------------------------------------------------------------- */

MNI_VNNI static MNI_INLINE void block_many(const mni_i8_args *a, size_t q0,
                                           const size_t n, size_t b)
{
    const uint8_t *at = a->blocks + b * a->stride;
    const int8_t *query = a->queries + q0 * a->groups * 4;
    const size_t step = a->groups * 4;
    __m512i s[Q_AT_ONCE][2];
    for (size_t q = 0; q < n; q++) s[q][0] = s[q][1] = _mm512_setzero_si512();
    for (size_t g = 0; g < a->groups; g++, at += MNI_I8_GROUP_BYTES, query += 4) {
        const __m512i x0 = load64(at), x1 = load64(at + 64);
        for (size_t q = 0; q < n; q++) {
            const __m512i w = spread(query + q * step);
            s[q][0] = _mm512_dpbusd_epi32(s[q][0], x0, w);
            s[q][1] = _mm512_dpbusd_epi32(s[q][1], x1, w);
        }
    }
    int32_t *out = a->out + q0 * a->out_stride + b * MNI_I8_ROWS;
    for (size_t q = 0; q < n; q++, out += a->out_stride) {
        _mm512_storeu_si512(out, s[q][0]);
        _mm512_storeu_si512(out + WIDTH, s[q][1]);
    }
}

MNI_VNNI static void block_one(const mni_i8_args *a, size_t q, size_t b)
{
    const uint8_t *at = a->blocks + b * a->stride;
    const int8_t *query = a->queries + q * a->groups * 4;
    __m512i s0 = _mm512_setzero_si512(), s1 = s0, s2 = s0, s3 = s0;
    size_t g = 0;
    for (; g + 2 <= a->groups; g += 2, at += 2 * MNI_I8_GROUP_BYTES) {
        const __m512i w0 = spread(query + g * 4), w1 = spread(query + g * 4 + 4);
        s0 = _mm512_dpbusd_epi32(s0, load64(at), w0);
        s1 = _mm512_dpbusd_epi32(s1, load64(at + 64), w0);
        s2 = _mm512_dpbusd_epi32(s2, load64(at + 128), w1);
        s3 = _mm512_dpbusd_epi32(s3, load64(at + 192), w1);
    }
    if (g < a->groups) {
        const __m512i w = spread(query + g * 4);
        s0 = _mm512_dpbusd_epi32(s0, load64(at), w);
        s1 = _mm512_dpbusd_epi32(s1, load64(at + 64), w);
    }
    int32_t *out = a->out + q * a->out_stride + b * MNI_I8_ROWS;
    _mm512_storeu_si512(out, _mm512_add_epi32(s0, s2));
    _mm512_storeu_si512(out + WIDTH, _mm512_add_epi32(s1, s3));
}

/* The queries of a batch pass each block while it is in the cache. */
MNI_VNNI static void dots_vnni(const mni_i8_args *a)
{
    for (size_t b = 0; b < a->n_blocks; b++) {
        size_t q = 0;
        for (; q + 8 <= a->n_queries; q += 8) block_many(a, q, 8, b);
        if (q + 4 <= a->n_queries) block_many(a, q, 4, b), q += 4;
        if (q + 2 <= a->n_queries) block_many(a, q, 2, b), q += 2;
        if (q < a->n_queries) block_one(a, q, b);
    }
}

void mni_kern_i8_add_vnni(mni_kern_i8 *k)
{
    k->name = "avx512vnni";
    k->q_max = 127;
    k->dots = dots_vnni;
}

#else
void mni_kern_i8_add_avx512(mni_kern_i8 *k) { (void)k; }
void mni_kern_i8_add_vnni(mni_kern_i8 *k) { (void)k; }
#endif
