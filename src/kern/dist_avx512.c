/* dist_avx512.c - distances with 16 floats in one register: the plan of dist_avx2.c (read
 * that first), with the masks that AVX-512 has for tails. SPDX-License-Identifier: MIT */
#include "kern/kern_dist.h"

#include "kern/dist.h"
#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>
#include <stdint.h>

enum { WIDTH = 16 };

/* The mask of the first n lanes, n < 64; from 16 on it is all of them. */
MNI_AVX512 static MNI_INLINE __mmask16 first_lanes(size_t n)
{
    return (__mmask16)(((uint64_t)1 << n) - 1);
}

MNI_AVX512 static MNI_INLINE float fold(__m512 v) { return _mm512_reduce_add_ps(v); }

enum metric { L2, IP };

MNI_AVX512 static MNI_INLINE __m512 add_term(enum metric metric, __m512 q, __m512 x,
                                             __m512 sum)
{
    if (metric == IP) return _mm512_fmadd_ps(q, x, sum);
    const __m512 d = _mm512_sub_ps(q, x);
    return _mm512_fmadd_ps(d, d, sum);
}

/* The first n terms (all WIDTH, if there are as many) of what is left of a row. */
MNI_AVX512 static MNI_INLINE __m512 add_part(enum metric metric, const float *q,
                                             const float *x, size_t n, __m512 sum)
{
    const __mmask16 m = first_lanes(n);
    return add_term(metric, _mm512_maskz_loadu_ps(m, q), _mm512_maskz_loadu_ps(m, x),
                    sum);
}

/* One row; `metric` is a constant at every call. The sums are single variables: of an
 * array, gcc 12 keeps a copy in memory, which costs short rows half their speed. */
MNI_AVX512 static MNI_INLINE float one(enum metric metric, const float *q, const float *x,
                                       size_t dim)
{
    __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    for (; dim >= 4 * WIDTH; dim -= 4 * WIDTH, q += 4 * WIDTH, x += 4 * WIDTH) {
        s0 = add_term(metric, _mm512_loadu_ps(q), _mm512_loadu_ps(x), s0);
        s1 = add_term(metric, _mm512_loadu_ps(q + WIDTH), _mm512_loadu_ps(x + WIDTH), s1);
        s2 = add_term(metric, _mm512_loadu_ps(q + 2 * WIDTH),
                      _mm512_loadu_ps(x + 2 * WIDTH), s2);
        s3 = add_term(metric, _mm512_loadu_ps(q + 3 * WIDTH),
                      _mm512_loadu_ps(x + 3 * WIDTH), s3);
    }
    if (dim > 0) s0 = add_part(metric, q, x, dim, s0);
    if (dim > WIDTH) s1 = add_part(metric, q + WIDTH, x + WIDTH, dim - WIDTH, s1);
    if (dim > 2 * WIDTH)
        s2 = add_part(metric, q + 2 * WIDTH, x + 2 * WIDTH, dim - 2 * WIDTH, s2);
    if (dim > 3 * WIDTH)
        s3 = add_part(metric, q + 3 * WIDTH, x + 3 * WIDTH, dim - 3 * WIDTH, s3);
    return fold(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));
}

MNI_AVX512 static void l2_rows_avx512(const float *query, const float *base, size_t rows,
                                      size_t dim, size_t stride, float *out)
{
    for (size_t i = 0; i < rows; i++) out[i] = one(L2, query, base + i * stride, dim);
}

MNI_AVX512 static void ip_rows_avx512(const float *query, const float *base, size_t rows,
                                      size_t dim, size_t stride, float *out)
{
    for (size_t i = 0; i < rows; i++) out[i] = one(IP, query, base + i * stride, dim);
}

typedef struct two_dots { float qx, xx; } two_dots;

/* q.x and x.x in one walk, two sums for each. */
MNI_AVX512 static MNI_INLINE two_dots dots(const float *q, const float *x, size_t dim)
{
    __m512 qx0 = _mm512_setzero_ps(), qx1 = qx0, xx0 = qx0, xx1 = qx0;
    for (; dim >= 2 * WIDTH; dim -= 2 * WIDTH, q += 2 * WIDTH, x += 2 * WIDTH) {
        const __m512 a = _mm512_loadu_ps(x), b = _mm512_loadu_ps(x + WIDTH);
        qx0 = add_term(IP, _mm512_loadu_ps(q), a, qx0);
        qx1 = add_term(IP, _mm512_loadu_ps(q + WIDTH), b, qx1);
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
    return (two_dots){ fold(_mm512_add_ps(qx0, qx1)), fold(_mm512_add_ps(xx0, xx1)) };
}

MNI_AVX512 static void cos_rows_avx512(const float *query, const float *base, size_t rows,
                                       size_t dim, size_t stride, float *out)
{
    const float qq = dots(query, query, dim).xx;
    for (size_t i = 0; i < rows; i++) {
        const two_dots d = dots(query, base + i * stride, dim);
        out[i] = mni_dist_cosine(d.qx, qq, d.xx);
    }
}

void mni_kern_dist_add_avx512(mni_kern_dist *k)
{
    k->name = "avx512";
    k->l2_rows = l2_rows_avx512;
    k->ip_rows = ip_rows_avx512;
    k->cos_rows = cos_rows_avx512;
}

#else
void mni_kern_dist_add_avx512(mni_kern_dist *k) { (void)k; }
#endif
