/* dist_avx2.c - distances with 8 floats in one register and fused multiply-add.
 *
 * Why several sums a row: an FMA takes four cycles, and the next one onto the same register has to
 * wait for it; two can start in every cycle. With one sum a core does an eighth of what it can. Vector
 * number v of a row goes to sum v % SUMS:
 *
 *     row   | v0 | v1 | v2 | v3 | v4 | v5 | v6 | v7 | v8 (part) |
 *     sum     s0   s1   s2   s3   s0   s1   s2   s3   s0
 *
 * and at the end (s0 + s1) + (s2 + s3), then the 8 lanes are folded in halves. The last, partial
 * vector is loaded under a mask: lanes beyond `dim` are not touched and count as zero, which adds
 * exactly nothing.
 *
 * Why one row at a time: a big matrix is read at the speed of the memory, and the processor fetches
 * ahead best along one straight line. Walking four rows abreast to load the query once for all four
 * was 2.5 times slower (dim 128), and asking for lines ahead by hand won nothing
 * (bench/results/kern-rows.csv). SPDX-License-Identifier: MIT */
#include "kern/kern_dist.h"

#include "kern/dist.h"
#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>
#include <stdint.h>

enum { WIDTH = 8, SUMS = 4, COS_SUMS = 2 };

/* The mask of the first n lanes; n >= 8 is all of them. A window slides over ones, then zeros. */
MNI_AVX2 static MNI_INLINE __m256i first_lanes(size_t n)
{
    static const int32_t ones_zeros[2 * WIDTH] = { -1, -1, -1, -1, -1, -1, -1, -1 };
    const int32_t *window = ones_zeros + WIDTH - (n < WIDTH ? n : WIDTH);
    return _mm256_loadu_si256((const __m256i *)(const void *)window);
}

MNI_AVX2 static MNI_INLINE float fold(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}

enum metric { L2, IP };

MNI_AVX2 static MNI_INLINE __m256 add_term(enum metric metric, __m256 q, __m256 x, __m256 sum)
{
    if (metric == IP) return _mm256_fmadd_ps(q, x, sum);
    const __m256 d = _mm256_sub_ps(q, x);
    return _mm256_fmadd_ps(d, d, sum);
}

/* One row; `metric` is a constant at every call. */
MNI_AVX2 static MNI_INLINE float one(enum metric metric, const float *q, const float *x, size_t dim)
{
    __m256 s[SUMS];
    for (int u = 0; u < SUMS; u++) s[u] = _mm256_setzero_ps();
    size_t j = 0;
    for (; j + SUMS * WIDTH <= dim; j += SUMS * WIDTH)
        for (int u = 0; u < SUMS; u++)
            s[u] = add_term(metric, _mm256_loadu_ps(q + j + u * WIDTH),
                            _mm256_loadu_ps(x + j + u * WIDTH), s[u]);
    for (int u = 0; u < SUMS && j < dim; u++, j += WIDTH) {
        const __m256i m = first_lanes(dim - j);
        s[u] = add_term(metric, _mm256_maskload_ps(q + j, m), _mm256_maskload_ps(x + j, m), s[u]);
    }
    return fold(_mm256_add_ps(_mm256_add_ps(s[0], s[1]), _mm256_add_ps(s[2], s[3])));
}

MNI_AVX2 static void l2_rows_avx2(const float *query, const float *base, size_t rows, size_t dim,
                                  size_t stride, float *out)
{
    for (size_t i = 0; i < rows; i++) out[i] = one(L2, query, base + i * stride, dim);
}

MNI_AVX2 static void ip_rows_avx2(const float *query, const float *base, size_t rows, size_t dim,
                                  size_t stride, float *out)
{
    for (size_t i = 0; i < rows; i++) out[i] = one(IP, query, base + i * stride, dim);
}

typedef struct two_dots { float qx, xx; } two_dots;

/* q.x and x.x in one walk. Two sums for each. */
MNI_AVX2 static MNI_INLINE two_dots dots(const float *q, const float *x, size_t dim)
{
    __m256 qx[COS_SUMS], xx[COS_SUMS];
    for (int u = 0; u < COS_SUMS; u++) qx[u] = xx[u] = _mm256_setzero_ps();
    size_t j = 0;
    for (; j + COS_SUMS * WIDTH <= dim; j += COS_SUMS * WIDTH)
        for (int u = 0; u < COS_SUMS; u++) {
            const __m256 b = _mm256_loadu_ps(x + j + u * WIDTH);
            qx[u] = _mm256_fmadd_ps(_mm256_loadu_ps(q + j + u * WIDTH), b, qx[u]);
            xx[u] = _mm256_fmadd_ps(b, b, xx[u]);
        }
    for (int u = 0; u < COS_SUMS && j < dim; u++, j += WIDTH) {
        const __m256i m = first_lanes(dim - j);
        const __m256 b = _mm256_maskload_ps(x + j, m);
        qx[u] = _mm256_fmadd_ps(_mm256_maskload_ps(q + j, m), b, qx[u]);
        xx[u] = _mm256_fmadd_ps(b, b, xx[u]);
    }
    return (two_dots){ fold(_mm256_add_ps(qx[0], qx[1])), fold(_mm256_add_ps(xx[0], xx[1])) };
}

MNI_AVX2 static void cos_rows_avx2(const float *query, const float *base, size_t rows, size_t dim,
                                   size_t stride, float *out)
{
    const float qq = dots(query, query, dim).xx;
    for (size_t i = 0; i < rows; i++) {
        const two_dots d = dots(query, base + i * stride, dim);
        out[i] = mni_dist_cosine(d.qx, qq, d.xx);
    }
}

void mni_kern_dist_add_avx2(mni_kern_dist *k)
{
    k->name = "avx2";
    k->l2_rows = l2_rows_avx2;
    k->ip_rows = ip_rows_avx2;
    k->cos_rows = cos_rows_avx2;
}

#else
void mni_kern_dist_add_avx2(mni_kern_dist *k) { (void)k; }
#endif
