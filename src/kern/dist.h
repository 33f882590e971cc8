/* dist.h - what the dist_*.c files share. SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_DIST_H
#define MNI_KERN_DIST_H

#include <math.h>
#include <stddef.h>

void mni_dist_l2_rows_c(const float *query, const float *base, size_t rows, size_t dim,
                        size_t stride, float *out);
void mni_dist_ip_rows_c(const float *query, const float *base, size_t rows, size_t dim,
                        size_t stride, float *out);
void mni_dist_cos_rows_c(const float *query, const float *base, size_t rows, size_t dim,
                         size_t stride, float *out);

/* The last step of the cosine, the same at every level. In double, because there qq * xx
 * neither overflows nor is rounded: for equal vectors all three sums are the same float
 * s, s * s is exact, its root is s again and the answer is exactly 1. NaN stays NaN. */
static inline float mni_dist_cosine(float qx, float qq, float xx)
{
    if (qq == 0.0f || xx == 0.0f) return 0.0f;
    const double c = (double)qx / sqrt((double)qq * (double)xx);
    return c > 1.0 ? 1.0f : c < -1.0 ? -1.0f : (float)c;
}

#endif
