/* i8_avx2.c - byte products with 32 bytes in a register.
 *
 * vpmaddubsw adds the products of two neighbours into 16 bits and saturates; that is why
 * q_max is 64 here: 2 * 255 * 64 = 32,640 still fits. vpmaddwd with ones adds the two
 * halves of a group. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "kern/kern_i8.h"
#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>

enum { REGS = 4, WIDTH = 8, Q_AT_ONCE = 2 };

MNI_AVX2 static MNI_INLINE __m256i load32(const void *at)
{
    return _mm256_loadu_si256((const __m256i *)at);
}

MNI_AVX2 static MNI_INLINE void block(const mni_i8_args *a, size_t q0, const size_t n,
                                      size_t b)
{
    const __m256i ones = _mm256_set1_epi16(1);
    const uint8_t *at = a->blocks + b * a->stride;
    const int8_t *query = a->queries + q0 * a->groups * 4;
    __m256i sum[Q_AT_ONCE][REGS];
    for (size_t q = 0; q < n; q++)
        for (int r = 0; r < REGS; r++) sum[q][r] = _mm256_setzero_si256();
    for (size_t g = 0; g < a->groups; g++, at += MNI_I8_GROUP_BYTES)
        for (size_t q = 0; q < n; q++) {
            int32_t four;
            memcpy(&four, query + (q * a->groups + g) * 4, sizeof four);
            const __m256i w = _mm256_set1_epi32(four);
            for (int r = 0; r < REGS; r++) {
                const __m256i x = load32(at + r * 32);
                sum[q][r] = _mm256_add_epi32(
                    sum[q][r], _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), ones));
            }
        }
    for (size_t q = 0; q < n; q++)
        for (int r = 0; r < REGS; r++)
            _mm256_storeu_si256((__m256i *)(void *)(a->out + (q0 + q) * a->out_stride +
                                                    b * MNI_I8_ROWS + r * WIDTH),
                                sum[q][r]);
}

MNI_AVX2 static void dots_avx2(const mni_i8_args *a)
{
    size_t q = 0;
    for (; q + 2 <= a->n_queries; q += 2)
        for (size_t b = 0; b < a->n_blocks; b++) block(a, q, 2, b);
    for (; q < a->n_queries; q++)
        for (size_t b = 0; b < a->n_blocks; b++) block(a, q, 1, b);
}

/* Few are picked: eight are asked at once whether any of them is. */
MNI_AVX2 static size_t pick_avx2(const int32_t *dots, const float *plus, size_t n,
                                 float factor, float limit, uint32_t *index, float *value)
{
    const __m256 f = _mm256_set1_ps(factor), most = _mm256_set1_ps(limit);
    size_t found = 0, i = 0;
    for (; i + WIDTH <= n; i += WIDTH) {
        float v[WIDTH];
        const __m256 x = _mm256_sub_ps(
            _mm256_loadu_ps(plus + i),
            _mm256_mul_ps(f, _mm256_cvtepi32_ps(load32(dots + i))));
        unsigned m = (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(x, most, _CMP_NGT_UQ));
        if (!m) continue;
        _mm256_storeu_ps(v, x);
        for (unsigned j = 0; j < WIDTH; j++)
            if (m >> j & 1) {
                index[found] = (uint32_t)i + j;
                value[found++] = v[j];
            }
    }
    for (; i < n; i++) {
        const float v = plus[i] - factor * (float)dots[i];
        if (v > limit) continue;
        index[found] = (uint32_t)i;
        value[found++] = v;
    }
    return found;
}

MNI_AVX2 static float lowest_avx2(const int32_t *dots, const float *plus, size_t n,
                                  float factor)
{
    const __m256 f = _mm256_set1_ps(factor);
    __m256 low8 = _mm256_set1_ps(INFINITY);
    float part[WIDTH], low = INFINITY;
    size_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH) /* of two, min gives the second if one is NaN */
        low8 = _mm256_min_ps(
            _mm256_sub_ps(_mm256_loadu_ps(plus + i),
                          _mm256_mul_ps(f, _mm256_cvtepi32_ps(load32(dots + i)))),
            low8);
    _mm256_storeu_ps(part, low8);
    for (int j = 0; j < WIDTH; j++)
        if (part[j] < low) low = part[j];
    for (; i < n; i++) {
        const float v = plus[i] - factor * (float)dots[i];
        if (v < low) low = v;
    }
    return low;
}

MNI_AVX2 static void from_f16_avx2(const uint16_t *in, size_t n, float *out)
{
    size_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH)
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128(
                                      (const __m128i *)(const void *)(in + i))));
    if (i < n) {
        uint16_t part[WIDTH] = { 0 };
        float v[WIDTH];
        memcpy(part, in + i, (n - i) * sizeof *in);
        _mm256_storeu_ps(v, _mm256_cvtph_ps(_mm_loadu_si128(
                                (const __m128i *)(const void *)part)));
        memcpy(out + i, v, (n - i) * sizeof *out);
    }
}

MNI_AVX2 static void from_i8_avx2(const int8_t *in, size_t n, float scale, float *out)
{
    const __m256 s = _mm256_set1_ps(scale);
    size_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH) {
        const __m128i eight = _mm_loadl_epi64((const __m128i *)(const void *)(in + i));
        _mm256_storeu_ps(out + i, _mm256_mul_ps(s, _mm256_cvtepi32_ps(
                                                       _mm256_cvtepi8_epi32(eight))));
    }
    for (; i < n; i++) out[i] = scale * (float)in[i];
}

/* Four errors, squared; not fused, as plain C has it. */
MNI_AVX2 static MNI_INLINE __m256d squared(__m128 v, __m128 c, __m256d scale)
{
    const __m256d e = _mm256_sub_pd(_mm256_cvtps_pd(v),
                                    _mm256_mul_pd(scale, _mm256_cvtps_pd(c)));
    return _mm256_mul_pd(e, e);
}

MNI_AVX2 static void round_avx2(const float *v, size_t n, float scale, uint8_t *out,
                                double lane[8])
{
    const float by = scale > 0.0f ? 1.0f / scale : 0.0f;
    const __m256 magic = _mm256_set1_ps(12582912.0f), most = _mm256_set1_ps(127.0f),
                 least = _mm256_set1_ps(-127.0f), factor = _mm256_set1_ps(by);
    const __m256d wide = _mm256_set1_pd((double)scale);
    __m256d low = _mm256_loadu_pd(lane), high = _mm256_loadu_pd(lane + 4);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 x = _mm256_loadu_ps(v + i);
        __m256 c = _mm256_min_ps(_mm256_mul_ps(x, factor), most);
        c = _mm256_sub_ps(_mm256_add_ps(_mm256_max_ps(c, least), magic), magic);
        low = _mm256_add_pd(low, squared(_mm256_castps256_ps128(x),
                                         _mm256_castps256_ps128(c), wide));
        high = _mm256_add_pd(high, squared(_mm256_extractf128_ps(x, 1),
                                           _mm256_extractf128_ps(c, 1), wide));
        const __m256i whole = _mm256_add_epi32(_mm256_cvttps_epi32(c),
                                               _mm256_set1_epi32(128));
        const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole),
                                              _mm256_extracti128_si256(whole, 1));
        _mm_storel_epi64((__m128i *)(void *)(out + i), _mm_packus_epi16(words, words));
    }
    _mm256_storeu_pd(lane, low);
    _mm256_storeu_pd(lane + 4, high);
    for (; i < n; i++) out[i] = mni_i8_round_one(v[i], by, scale, &lane[i % 8]);
}

MNI_AVX2 static void squares_avx2(const float *v, size_t n, double lane[8])
{
    __m256d low = _mm256_loadu_pd(lane), high = _mm256_loadu_pd(lane + 4);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256d a = _mm256_cvtps_pd(_mm_loadu_ps(v + i)),
                      b = _mm256_cvtps_pd(_mm_loadu_ps(v + i + 4));
        low = _mm256_fmadd_pd(a, a, low);
        high = _mm256_fmadd_pd(b, b, high);
    }
    _mm256_storeu_pd(lane, low);
    _mm256_storeu_pd(lane + 4, high);
    for (; i < n; i++) lane[i % 8] += (double)v[i] * v[i];
}

void mni_kern_i8_add_avx2(mni_kern_i8 *k)
{
    k->name = "avx2";
    k->q_max = 64;
    k->dots = dots_avx2;
    k->pick = pick_avx2;
    k->lowest = lowest_avx2;
    k->from_f16 = from_f16_avx2;
    k->from_i8 = from_i8_avx2;
    k->squares = squares_avx2;
    k->round = round_avx2;
}

#else
void mni_kern_i8_add_avx2(mni_kern_i8 *k) { (void)k; }
#endif
