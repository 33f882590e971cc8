/* dist_avx2.c - distances with 8 floats in one register and fused multiply-add.
 *
 * Why several sums a row: an FMA takes four cycles, and the next one onto the same register has to
 * wait for it; two can start in every cycle. With one sum a core does an eighth of what it can. Vector
 * number v of a row goes to sum v % SUMS:
 *
 *     row   | v0 | v1 | v2 | v3 | v4 | v5 | v6 | v7 | v8 (part) |
 *     sum     a0   a1   a2   a3   a0   a1   a2   a3   a0
 *
 * and at the end (a0 + a1) + (a2 + a3), then the 8 lanes are folded in halves. The last, partial
 * vector is loaded under a mask: lanes beyond `dim` are not touched and count as zero, which adds
 * exactly nothing. Rows are walked two at a time (the query is loaded once for both); a row's own
 * additions are the same in a pair as alone. SPDX-License-Identifier: MIT */
#include "kern/kern_dist.h"

#include "kern/dist.h"
#include "kern/level.h"

#if MNI_X86
#include <immintrin.h>
#include <stdint.h>

enum { WIDTH = 8, GROUP = 2, SUMS = 4, COS_SUMS = 2, AHEAD_BYTES = 4096, LINE_FLOATS = 16 };

/* The mask of the first n lanes; n >= 8 is all of them. A window slides over ones, then zeros. */
MNI_AVX2 static MNI_INLINE __m256i first_lanes(size_t n)
{
    static const int32_t window[2 * WIDTH] = { -1, -1, -1, -1, -1, -1, -1, -1 };
    return _mm256_loadu_si256((const __m256i *)(const void *)(window + WIDTH - (n < WIDTH ? n : WIDTH)));
}

MNI_AVX2 static MNI_INLINE float fold(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}

/* As in dist_avx512.c. */
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
MNI_AVX2 static MNI_INLINE void block(enum metric metric, const float *q, const float *base,
                                      size_t dim, size_t stride, float *out, const int n)
{
    __m256 sum[GROUP][SUMS];
    for (int r = 0; r < n; r++)
        for (int u = 0; u < SUMS; u++) sum[r][u] = _mm256_setzero_ps();

    size_t j = 0;
    for (; j + SUMS * WIDTH <= dim; j += SUMS * WIDTH)
        for (int u = 0; u < SUMS; u++) {
            const __m256 a = _mm256_loadu_ps(q + j + u * WIDTH);
            for (int r = 0; r < n; r++) {
                const __m256 x = _mm256_loadu_ps(base + (size_t)r * stride + j + u * WIDTH);
                const __m256 d = metric == L2 ? _mm256_sub_ps(a, x) : x;
                sum[r][u] = _mm256_fmadd_ps(metric == L2 ? d : a, d, sum[r][u]);
            }
        }
    for (int u = 0; u < SUMS; u++) {
        const size_t at = j + (size_t)u * WIDTH;
        if (at >= dim) break;
        const __m256i m = first_lanes(dim - at);
        const __m256 a = _mm256_maskload_ps(q + at, m);
        for (int r = 0; r < n; r++) {
            const __m256 x = _mm256_maskload_ps(base + (size_t)r * stride + at, m);
            const __m256 d = metric == L2 ? _mm256_sub_ps(a, x) : x;
            sum[r][u] = _mm256_fmadd_ps(metric == L2 ? d : a, d, sum[r][u]);
        }
    }
    for (int r = 0; r < n; r++)
        out[r] = fold(_mm256_add_ps(_mm256_add_ps(sum[r][0], sum[r][1]),
                                    _mm256_add_ps(sum[r][2], sum[r][3])));
}

MNI_AVX2 static void l2_rows_avx2(const float *query, const float *base, size_t rows, size_t dim,
                                  size_t stride, float *out)
{
    size_t i = 0;
    for (; i + GROUP <= rows; i += GROUP) {
        prefetch_group(base, i, rows, dim, stride);
        block(L2, query, base + i * stride, dim, stride, out + i, GROUP);
    }
    for (; i < rows; i++) block(L2, query, base + i * stride, dim, stride, out + i, 1);
}

MNI_AVX2 static void ip_rows_avx2(const float *query, const float *base, size_t rows, size_t dim,
                                  size_t stride, float *out)
{
    size_t i = 0;
    for (; i + GROUP <= rows; i += GROUP) {
        prefetch_group(base, i, rows, dim, stride);
        block(IP, query, base + i * stride, dim, stride, out + i, GROUP);
    }
    for (; i < rows; i++) block(IP, query, base + i * stride, dim, stride, out + i, 1);
}

/* q.x and x.x of n rows. Two accumulators each, as there are two sums to keep. */
MNI_AVX2 static MNI_INLINE void cos_block(const float *q, const float *base, size_t dim,
                                          size_t stride, float *qx, float *xx, const int n)
{
    __m256 qs[GROUP][COS_SUMS], xs[GROUP][COS_SUMS];
    for (int r = 0; r < n; r++)
        for (int u = 0; u < COS_SUMS; u++) qs[r][u] = xs[r][u] = _mm256_setzero_ps();

    size_t j = 0;
    for (; j + COS_SUMS * WIDTH <= dim; j += COS_SUMS * WIDTH)
        for (int u = 0; u < COS_SUMS; u++) {
            const __m256 a = _mm256_loadu_ps(q + j + u * WIDTH);
            for (int r = 0; r < n; r++) {
                const __m256 x = _mm256_loadu_ps(base + (size_t)r * stride + j + u * WIDTH);
                qs[r][u] = _mm256_fmadd_ps(a, x, qs[r][u]);
                xs[r][u] = _mm256_fmadd_ps(x, x, xs[r][u]);
            }
        }
    for (int u = 0; u < COS_SUMS; u++) {
        const size_t at = j + (size_t)u * WIDTH;
        if (at >= dim) break;
        const __m256i m = first_lanes(dim - at);
        const __m256 a = _mm256_maskload_ps(q + at, m);
        for (int r = 0; r < n; r++) {
            const __m256 x = _mm256_maskload_ps(base + (size_t)r * stride + at, m);
            qs[r][u] = _mm256_fmadd_ps(a, x, qs[r][u]);
            xs[r][u] = _mm256_fmadd_ps(x, x, xs[r][u]);
        }
    }
    for (int r = 0; r < n; r++) {
        qx[r] = fold(_mm256_add_ps(qs[r][0], qs[r][1]));
        xx[r] = fold(_mm256_add_ps(xs[r][0], xs[r][1]));
    }
}

MNI_AVX2 static void cos_rows_avx2(const float *query, const float *base, size_t rows, size_t dim,
                                   size_t stride, float *out)
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
