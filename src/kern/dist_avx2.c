/* dist_avx2.c - distances with 8 floats in one register and fused multiply-add.
 *
 * Why several sums a row: an FMA takes four cycles, and the next one onto the same
 * register has to wait for it; two can start in every cycle. With one sum a core does an
 * eighth of what it can. Vector number v of a row goes to sum v % 4:
 *
 *     row   | v0 | v1 | v2 | v3 | v4 | v5 | v6 | v7 | v8 (part) |
 *     sum     s0   s1   s2   s3   s0   s1   s2   s3   s0
 *
 * and at the end (s0 + s1) + (s2 + s3), then the 8 lanes are folded in halves. The last,
 * partial vector is loaded under a mask: lanes beyond `dim` are not touched and count as
 * zero, which adds exactly nothing.
 *
 * Why one row at a time: a big matrix is read at the speed of the memory, and the
 * processor fetches ahead best along one straight line. Walking four rows abreast to load
 * the query once for all four took more than twice the time at dims 128 and 256, and
 * asking for lines ahead by hand won nothing (bench/results/kern-rows.csv, kern.walk).
 * SPDX-License-Identifier: MIT */
#include "kern/kern_dist.h"

#include "kern/dist.h"
#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>
#include <stdint.h>

enum { WIDTH = 8 };

/* The mask of the first n lanes; n >= 8 is all of them. A window slides over ones, then
 * zeros. */
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

MNI_AVX2 static MNI_INLINE __m256 add_term(enum metric metric, __m256 q, __m256 x,
                                           __m256 sum)
{
    if (metric == IP) return _mm256_fmadd_ps(q, x, sum);
    const __m256 d = _mm256_sub_ps(q, x);
    return _mm256_fmadd_ps(d, d, sum);
}

/* The first n terms (all WIDTH, if there are as many) of what is left of a row. */
MNI_AVX2 static MNI_INLINE __m256 add_part(enum metric metric, const float *q,
                                           const float *x, size_t n, __m256 sum)
{
    const __m256i m = first_lanes(n);
    return add_term(metric, _mm256_maskload_ps(q, m), _mm256_maskload_ps(x, m), sum);
}

/* One row; `metric` is a constant at every call. The sums are single variables: of an
 * array, gcc 12 keeps a copy in memory, which costs short rows half their speed. */
MNI_AVX2 static MNI_INLINE float one(enum metric metric, const float *q, const float *x,
                                     size_t dim)
{
    __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    for (; dim >= 4 * WIDTH; dim -= 4 * WIDTH, q += 4 * WIDTH, x += 4 * WIDTH) {
        s0 = add_term(metric, _mm256_loadu_ps(q), _mm256_loadu_ps(x), s0);
        s1 = add_term(metric, _mm256_loadu_ps(q + WIDTH), _mm256_loadu_ps(x + WIDTH), s1);
        s2 = add_term(metric, _mm256_loadu_ps(q + 2 * WIDTH),
                      _mm256_loadu_ps(x + 2 * WIDTH), s2);
        s3 = add_term(metric, _mm256_loadu_ps(q + 3 * WIDTH),
                      _mm256_loadu_ps(x + 3 * WIDTH), s3);
    }
    if (dim > 0) s0 = add_part(metric, q, x, dim, s0);
    if (dim > WIDTH) s1 = add_part(metric, q + WIDTH, x + WIDTH, dim - WIDTH, s1);
    if (dim > 2 * WIDTH)
        s2 = add_part(metric, q + 2 * WIDTH, x + 2 * WIDTH, dim - 2 * WIDTH, s2);
    if (dim > 3 * WIDTH)
        s3 = add_part(metric, q + 3 * WIDTH, x + 3 * WIDTH, dim - 3 * WIDTH, s3);
    return fold(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));
}

MNI_AVX2 static void l2_rows_avx2(const float *query, const float *base, size_t rows,
                                  size_t dim, size_t stride, float *out)
{
    for (size_t i = 0; i < rows; i++) out[i] = one(L2, query, base + i * stride, dim);
}

MNI_AVX2 static void ip_rows_avx2(const float *query, const float *base, size_t rows,
                                  size_t dim, size_t stride, float *out)
{
    for (size_t i = 0; i < rows; i++) out[i] = one(IP, query, base + i * stride, dim);
}

typedef struct two_dots { float qx, xx; } two_dots;

/* q.x and x.x in one walk, two sums for each. */
MNI_AVX2 static MNI_INLINE two_dots dots(const float *q, const float *x, size_t dim)
{
    __m256 qx0 = _mm256_setzero_ps(), qx1 = qx0, xx0 = qx0, xx1 = qx0;
    for (; dim >= 2 * WIDTH; dim -= 2 * WIDTH, q += 2 * WIDTH, x += 2 * WIDTH) {
        const __m256 a = _mm256_loadu_ps(x), b = _mm256_loadu_ps(x + WIDTH);
        qx0 = add_term(IP, _mm256_loadu_ps(q), a, qx0);
        qx1 = add_term(IP, _mm256_loadu_ps(q + WIDTH), b, qx1);
        xx0 = add_term(IP, a, a, xx0);
        xx1 = add_term(IP, b, b, xx1);
    }
    if (dim > 0) {
        qx0 = add_part(IP, q, x, dim, qx0);
        xx0 = add_part(IP, x, x, dim, xx0);
    }
    if (dim > WIDTH) {
        qx1 = add_part(IP, q + WIDTH, x + WIDTH, dim - WIDTH, qx1);
        xx1 = add_part(IP, x + WIDTH, x + WIDTH, dim - WIDTH, xx1);
    }
    return (two_dots){ fold(_mm256_add_ps(qx0, qx1)), fold(_mm256_add_ps(xx0, xx1)) };
}

MNI_AVX2 static void cos_rows_avx2(const float *query, const float *base, size_t rows,
                                   size_t dim, size_t stride, float *out)
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
