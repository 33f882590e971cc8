/* dist_c.c - the three distances in plain loops. The tour through MetricANN starts here:
 * everything above this file - flat search, lists, graphs - exists to call these loops
 * less often.
 *
 *     l2    sum (q[j] - x[j])^2     small is near; no square root, as it changes no order
 *     ip    sum q[j] * x[j]         large is near
 *     cos   ip / (|q| * |x|)        large is near; lengths do not matter
 *
 * On the order of summation. Floats are rounded after every addition, so (a + b) + c and
 * a + (b + c) may differ in the last bits. Here one sum runs from left to right. The SIMD
 * files keep 16 to 64 partial sums, lane by lane, and fold them at the end:
 *
 *     here      s = ((t0 + t1) + t2) + t3 ...
 *     4 lanes   s = (t0 + t4 + ...) + (t1 + t5 + ...) + (t2 + t6 + ...) + (t3 + t7 + ...)
 *
 * Neither is wrong: each stays within (dim + 8) * FLT_EPSILON * sum |t| of the true sum.
 * But bits may differ between levels, so a level must never mix: whatever `rows` is and
 * wherever a row stands, its terms are added in the one order that its `dim` gives.
 * Otherwise a photo found alone and in a batch would score differently.
 * SPDX-License-Identifier: MIT */
#include "kern/dist.h"

void mni_dist_l2_rows_c(const float *query, const float *base, size_t rows, size_t dim,
                        size_t stride, float *out)
{
    for (size_t i = 0; i < rows; i++) {
        const float *row = base + i * stride;
        float sum = 0.0f;
        for (size_t j = 0; j < dim; j++) {
            const float d = query[j] - row[j];
            sum += d * d;
        }
        out[i] = sum;
    }
}

static float dot(const float *a, const float *b, size_t dim)
{
    float sum = 0.0f;
    for (size_t j = 0; j < dim; j++) sum += a[j] * b[j];
    return sum;
}

void mni_dist_ip_rows_c(const float *query, const float *base, size_t rows, size_t dim,
                        size_t stride, float *out)
{
    for (size_t i = 0; i < rows; i++) out[i] = dot(query, base + i * stride, dim);
}

void mni_dist_cos_rows_c(const float *query, const float *base, size_t rows, size_t dim,
                         size_t stride, float *out)
{
    const float qq = dot(query, query, dim);
    for (size_t i = 0; i < rows; i++) {
        const float *row = base + i * stride;
        out[i] = mni_dist_cosine(dot(query, row, dim), qq, dot(row, row, dim));
    }
}
