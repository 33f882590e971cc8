/* kern_dist.h - distances of one query to many rows: the table of kernels and how it is
 * filled.
 *
 * Contract of every entry: no alignment asked, nothing read past the last float of the
 * last row, `out` does not overlap the inputs, rows == 0 and dim == 0 are legal (dim 0
 * gives 0). Row i starts at base + i * stride (floats; stride >= dim). Error: within (dim
 * + 8) * FLT_EPSILON * sum |terms| of a double-precision sum, for cos twice that over |q|
 * |x|. The bits of one output depend on dim and on the SIMD level, never on `rows` or on
 * the row's position: a row has the same distance alone and in a batch.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_KERN_DIST_H
#define MNI_KERN_KERN_DIST_H

#include <stddef.h>

typedef void (*mni_rows_fn)(const float *query, const float *base, size_t rows,
                            size_t dim, size_t stride, float *out);

typedef struct mni_kern_dist {
    const char *name;           /* level: "scalar", "avx2", "avx512", "neon" */
    mni_rows_fn l2_rows;        /* sum (q - x)^2; exactly 0 for equal bits */
    mni_rows_fn ip_rows;        /* sum q * x */
    mni_rows_fn cos_rows;       /* q.x / sqrt(q.q * x.x) within [-1, 1]; a side 0: 0 */
} mni_kern_dist;

/* Pure: the table for these bits (os/cpu.h). Levels are applied upwards, each overwriting
 * what it has. Tests call it for every level. */
void mni_kern_dist_build(mni_kern_dist *k, unsigned cpu);
/* The table for this machine, capped by $METRICANN_SIMD; built once, thread-safe. */
const mni_kern_dist *mni_kern_dist_best(void);

void mni_kern_dist_add_avx2(mni_kern_dist *k);
void mni_kern_dist_add_avx512(mni_kern_dist *k);
void mni_kern_dist_add_neon(mni_kern_dist *k);

#endif
