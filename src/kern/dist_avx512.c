/* dist_avx512.c - distances with 16 floats in one register: the plan of dist_avx2.c (read that first),
 * with the masks that AVX-512 has for tails. SPDX-License-Identifier: MIT */
#include "kern/kern_dist.h"

#include "kern/dist.h"
#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>

enum { WIDTH = 16, SUMS = 4, COS_SUMS = 2 };

/* The mask of the first n lanes; n >= 16 is all of them. */
MNI_AVX512 static MNI_INLINE __mmask16 first_lanes(size_t n)
{
    return n >= WIDTH ? (__mmask16)0xFFFF : (__mmask16)((1u << n) - 1);
}

MNI_AVX512 static MNI_INLINE float fold(__m512 v) { return _mm512_reduce_add_ps(v); }

enum metric { L2, IP };

MNI_AVX512 static MNI_INLINE __m512 add_term(enum metric metric, __m512 q, __m512 x, __m512 sum)
{
    if (metric == IP) return _mm512_fmadd_ps(q, x, sum);
    const __m512 d = _mm512_sub_ps(q, x);
    return _mm512_fmadd_ps(d, d, sum);
}

/* One row; `metric` is a constant at every call. */
MNI_AVX512 static MNI_INLINE float one(enum metric metric, const float *q, const float *x, size_t dim)
{
    __m512 s[SUMS];
    for (int u = 0; u < SUMS; u++) s[u] = _mm512_setzero_ps();
    size_t j = 0;
    for (; j + SUMS * WIDTH <= dim; j += SUMS * WIDTH)
        for (int u = 0; u < SUMS; u++)
            s[u] = add_term(metric, _mm512_loadu_ps(q + j + u * WIDTH),
                            _mm512_loadu_ps(x + j + u * WIDTH), s[u]);
    for (int u = 0; u < SUMS && j < dim; u++, j += WIDTH) {
        const __mmask16 m = first_lanes(dim - j);
        s[u] = add_term(metric, _mm512_maskz_loadu_ps(m, q + j), _mm512_maskz_loadu_ps(m, x + j), s[u]);
    }
    return fold(_mm512_add_ps(_mm512_add_ps(s[0], s[1]), _mm512_add_ps(s[2], s[3])));
}

MNI_AVX512 static void l2_rows_avx512(const float *query, const float *base, size_t rows, size_t dim,
                                  size_t stride, float *out)
{
    for (size_t i = 0; i < rows; i++) out[i] = one(L2, query, base + i * stride, dim);
}

MNI_AVX512 static void ip_rows_avx512(const float *query, const float *base, size_t rows, size_t dim,
                                  size_t stride, float *out)
{
    for (size_t i = 0; i < rows; i++) out[i] = one(IP, query, base + i * stride, dim);
}

typedef struct two_dots { float qx, xx; } two_dots;

/* q.x and x.x in one walk. Two sums for each. */
MNI_AVX512 static MNI_INLINE two_dots dots(const float *q, const float *x, size_t dim)
{
    __m512 qx[COS_SUMS], xx[COS_SUMS];
    for (int u = 0; u < COS_SUMS; u++) qx[u] = xx[u] = _mm512_setzero_ps();
    size_t j = 0;
    for (; j + COS_SUMS * WIDTH <= dim; j += COS_SUMS * WIDTH)
        for (int u = 0; u < COS_SUMS; u++) {
            const __m512 b = _mm512_loadu_ps(x + j + u * WIDTH);
            qx[u] = _mm512_fmadd_ps(_mm512_loadu_ps(q + j + u * WIDTH), b, qx[u]);
            xx[u] = _mm512_fmadd_ps(b, b, xx[u]);
        }
    for (int u = 0; u < COS_SUMS && j < dim; u++, j += WIDTH) {
        const __mmask16 m = first_lanes(dim - j);
        const __m512 b = _mm512_maskz_loadu_ps(m, x + j);
        qx[u] = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(m, q + j), b, qx[u]);
        xx[u] = _mm512_fmadd_ps(b, b, xx[u]);
    }
    return (two_dots){ fold(_mm512_add_ps(qx[0], qx[1])), fold(_mm512_add_ps(xx[0], xx[1])) };
}

MNI_AVX512 static void cos_rows_avx512(const float *query, const float *base, size_t rows, size_t dim,
                                   size_t stride, float *out)
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
