/* dist_avx512.c - distances with 16 floats in one register. Read dist_avx2.c first: the plan is the
 * same, with more registers (32) and with masks for the tail.
 *
 * Each row has SUMS accumulators; vector number v of the row goes to accumulator v % SUMS:
 *
 *     row   | v0 | v1 | v2 | v3 | v4 | v5 | v6 | v7 | v8 (part) |
 *     sum     a0   a1   a2   a3   a0   a1   a2   a3   a0
 *
 * at the end (a0 + a1) + (a2 + a3) and the 16 lanes are folded. Four rows are walked at a time: the
 * query is loaded once for four, and four cache misses are under way at once. A row's own additions
 * are the same in a group of four as alone. SPDX-License-Identifier: MIT */
#include "kern/kern_dist.h"

#include "kern/dist.h"
#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>

enum { WIDTH = 16, GROUP = 4, SUMS = 4, COS_SUMS = 2, AHEAD_BYTES = 4096, LINE_FLOATS = 16 };

/* The mask of the first n lanes; n >= 16 is all of them. */
MNI_AVX512 static MNI_INLINE __mmask16 first_lanes(size_t n)
{
    return n >= WIDTH ? (__mmask16)0xFFFF : (__mmask16)((1u << n) - 1);
}

/* Asks for the group that comes AHEAD_BYTES later, so that it is here when its turn comes. The
 * processor's own prefetchers stop at every page; this does not. */
static MNI_INLINE void prefetch_group(const float *base, size_t i, size_t rows, size_t dim, size_t stride)
{
    const size_t ahead = AHEAD_BYTES / sizeof *base / (stride ? stride : 1) + GROUP;
    if (rows < GROUP || i > rows - GROUP || ahead > rows - GROUP - i) return;
    for (int r = 0; r < GROUP; r++) {
        const float *row = base + (i + ahead + (size_t)r) * stride;
        for (size_t j = 0; j < dim; j += LINE_FLOATS) MNI_PREFETCH(row + j);
    }
}

enum metric { L2, IP };

/* l2 or ip of n rows (n a constant: 1 or GROUP). */
MNI_AVX512 static MNI_INLINE void block(enum metric metric, const float *q, const float *base,
                                        size_t dim, size_t stride, float *out, const int n)
{
    __m512 sum[GROUP][SUMS];
    for (int r = 0; r < n; r++)
        for (int u = 0; u < SUMS; u++) sum[r][u] = _mm512_setzero_ps();

    size_t j = 0;
    for (; j + SUMS * WIDTH <= dim; j += SUMS * WIDTH)
        for (int u = 0; u < SUMS; u++) {
            const __m512 a = _mm512_loadu_ps(q + j + u * WIDTH);
            for (int r = 0; r < n; r++) {
                const __m512 x = _mm512_loadu_ps(base + (size_t)r * stride + j + u * WIDTH);
                const __m512 d = metric == L2 ? _mm512_sub_ps(a, x) : x;
                sum[r][u] = _mm512_fmadd_ps(metric == L2 ? d : a, d, sum[r][u]);
            }
        }
    for (int u = 0; u < SUMS; u++) {
        const size_t at = j + (size_t)u * WIDTH;
        if (at >= dim) break;
        const __mmask16 m = first_lanes(dim - at);
        const __m512 a = _mm512_maskz_loadu_ps(m, q + at);
        for (int r = 0; r < n; r++) {
            const __m512 x = _mm512_maskz_loadu_ps(m, base + (size_t)r * stride + at);
            const __m512 d = metric == L2 ? _mm512_sub_ps(a, x) : x;
            sum[r][u] = _mm512_fmadd_ps(metric == L2 ? d : a, d, sum[r][u]);
        }
    }
    for (int r = 0; r < n; r++)
        out[r] = _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum[r][0], sum[r][1]),
                                                    _mm512_add_ps(sum[r][2], sum[r][3])));
}

MNI_AVX512 static void l2_rows_avx512(const float *query, const float *base, size_t rows,
                                      size_t dim, size_t stride, float *out)
{
    size_t i = 0;
    for (; i + GROUP <= rows; i += GROUP) {
        prefetch_group(base, i, rows, dim, stride);
        block(L2, query, base + i * stride, dim, stride, out + i, GROUP);
    }
    for (; i < rows; i++) block(L2, query, base + i * stride, dim, stride, out + i, 1);
}

MNI_AVX512 static void ip_rows_avx512(const float *query, const float *base, size_t rows,
                                      size_t dim, size_t stride, float *out)
{
    size_t i = 0;
    for (; i + GROUP <= rows; i += GROUP) {
        prefetch_group(base, i, rows, dim, stride);
        block(IP, query, base + i * stride, dim, stride, out + i, GROUP);
    }
    for (; i < rows; i++) block(IP, query, base + i * stride, dim, stride, out + i, 1);
}

/* q.x and x.x of n rows. Two accumulators each, as there are two sums to keep. */
MNI_AVX512 static MNI_INLINE void cos_block(const float *q, const float *base, size_t dim,
                                            size_t stride, float *qx, float *xx, const int n)
{
    __m512 qs[GROUP][COS_SUMS], xs[GROUP][COS_SUMS];
    for (int r = 0; r < n; r++)
        for (int u = 0; u < COS_SUMS; u++) qs[r][u] = xs[r][u] = _mm512_setzero_ps();

    for (size_t j = 0; j < dim; j += COS_SUMS * WIDTH)
        for (int u = 0; u < COS_SUMS; u++) {
            const size_t at = j + (size_t)u * WIDTH;
            if (at >= dim) break;
            const __mmask16 m = first_lanes(dim - at);
            const __m512 a = _mm512_maskz_loadu_ps(m, q + at);
            for (int r = 0; r < n; r++) {
                const __m512 x = _mm512_maskz_loadu_ps(m, base + (size_t)r * stride + at);
                qs[r][u] = _mm512_fmadd_ps(a, x, qs[r][u]);
                xs[r][u] = _mm512_fmadd_ps(x, x, xs[r][u]);
            }
        }
    for (int r = 0; r < n; r++) {
        qx[r] = _mm512_reduce_add_ps(_mm512_add_ps(qs[r][0], qs[r][1]));
        xx[r] = _mm512_reduce_add_ps(_mm512_add_ps(xs[r][0], xs[r][1]));
    }
}

MNI_AVX512 static void cos_rows_avx512(const float *query, const float *base, size_t rows,
                                       size_t dim, size_t stride, float *out)
{
    float qx[GROUP], xx[GROUP], qq[1], same[1];
    cos_block(query, query, dim, dim, same, qq, 1);
    size_t i = 0;
    for (; i + GROUP <= rows; i += GROUP) {
        prefetch_group(base, i, rows, dim, stride);
        cos_block(query, base + i * stride, dim, stride, qx, xx, GROUP);
        for (int r = 0; r < GROUP; r++) out[i + (size_t)r] = mni_dist_cosine(qx[r], qq[0], xx[r]);
    }
    for (; i < rows; i++) {
        cos_block(query, base + i * stride, dim, stride, qx, xx, 1);
        out[i] = mni_dist_cosine(qx[0], qq[0], xx[0]);
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
