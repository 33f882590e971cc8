/* dist_neon.c - distances on aarch64, 4 floats in one register, after the plan of
 * dist_avx2.c: vector number v of a row goes to sum v % 4. NEON has no masked load; a
 * partial last vector is copied into a register's worth of zeros first.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_dist.h"

#include "kern/dist.h"
#include "kern/level.h"

#if MNI_ARM64
#include <arm_neon.h>
#include <string.h>

enum { WIDTH = 4, SUMS = 4 };

/* Vector at j of a row of dim floats; lanes beyond the row are zero. */
static MNI_INLINE float32x4_t load_part(const float *row, size_t j, size_t dim)
{
    if (dim - j >= WIDTH) return vld1q_f32(row + j);
    float part[WIDTH] = { 0 };
    memcpy(part, row + j, (dim - j) * sizeof *part);
    return vld1q_f32(part);
}

static MNI_INLINE float fold(const float32x4_t sum[SUMS])
{
    return vaddvq_f32(vaddq_f32(vaddq_f32(sum[0], sum[1]), vaddq_f32(sum[2], sum[3])));
}

enum metric { L2, IP };

static MNI_INLINE float one(enum metric metric, const float *q, const float *row,
                            size_t dim)
{
    float32x4_t sum[SUMS] = { vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0),
                              vdupq_n_f32(0) };
    for (size_t j = 0; j < dim; j += SUMS * WIDTH)
        for (int u = 0; u < SUMS; u++) {
            const size_t at = j + (size_t)u * WIDTH;
            if (at >= dim) break;
            const float32x4_t a = load_part(q, at, dim), x = load_part(row, at, dim);
            const float32x4_t d = metric == L2 ? vsubq_f32(a, x) : x;
            sum[u] = vfmaq_f32(sum[u], metric == L2 ? d : a, d);
        }
    return fold(sum);
}

static void l2_rows_neon(const float *query, const float *base, size_t rows, size_t dim,
                         size_t stride, float *out)
{
    for (size_t i = 0; i < rows; i++) out[i] = one(L2, query, base + i * stride, dim);
}

static void ip_rows_neon(const float *query, const float *base, size_t rows, size_t dim,
                         size_t stride, float *out)
{
    for (size_t i = 0; i < rows; i++) out[i] = one(IP, query, base + i * stride, dim);
}

static void cos_rows_neon(const float *query, const float *base, size_t rows, size_t dim,
                          size_t stride, float *out)
{
    const float qq = one(IP, query, query, dim);
    for (size_t i = 0; i < rows; i++) {
        const float *row = base + i * stride;
        out[i] = mni_dist_cosine(one(IP, query, row, dim), qq, one(IP, row, row, dim));
    }
}

void mni_kern_dist_add_neon(mni_kern_dist *k)
{
    k->name = "neon";
    k->l2_rows = l2_rows_neon;
    k->ip_rows = ip_rows_neon;
    k->cos_rows = cos_rows_neon;
}

#else
void mni_kern_dist_add_neon(mni_kern_dist *k) { (void)k; }
#endif
