/* kern_code.h - distances in whole numbers between a query and short codes of rows, for
 * walks that jump from row to row (index/hnsw_search.c).
 *
 * A code has one byte for each value of a row (0..127), or half a byte (0..15, which
 * stands for 0, 8, .. 120: the query keeps its finer steps). Two sums:
 *
 *     near_*   sum (q - c)^2            q: 0..127             small is near
 *     away_*   2^31 - sum q * c         q: -127..127          small is near, too
 *
 * Codes are `bytes` apart, a multiple of 32, padded with zeros, and so are queries. Half
 * bytes: byte b of a group of 32 has value b in its low half and value b + 32 in the
 * upper; the query comes as two rows of `bytes`, first for the low halves, then for the
 * upper:
 *
 *     codes   | v0,v32 | v1,v33 | ... | v31,v63 | v64,v96 | ...
 *     query   | q0 | q1 | ... | q31 | q64 | ...            then | q32 | q33 | ...
 *
 * The difference of two bytes below 128 fits into a signed byte, so a subtraction, an
 * absolute value and one multiply-add of bytes (vpdpbusd) do 64 values, and no row needs
 * a norm beside it. Sums are exact, the same at every level, while bytes * 2 * 127^2 (a
 * half-byte row has twice as many values) stays below 2^31; codes that a damaged file
 * has above 127 give some number.
 *
 * Rows that are stored as whole numbers (-128..127, index/rows.h) are walked as they are:
 *
 *     pairs    out[2i] = sum q * c, out[2i + 1] = sum c * c       q: -127..127
 *
 * They are `dim` apart, not padded; so is the query. Exact while dim * 128^2 < 2^31.
 *
 * Which rows: nodes[0..n), out[i] for nodes[i]. Code i + 4 is prefetched while code i is
 * measured. No alignment asked; nothing read beyond codes and query. n = 0 is legal.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_KERN_CODE_H
#define MNI_KERN_KERN_CODE_H

#include <stddef.h>
#include <stdint.h>

enum { MNI_CODE_GROUP = 32, MNI_CODE_TOP = 127, MNI_CODE_HALF_STEP = 8 };

typedef void (*mni_code_fn)(const uint8_t *query, const uint8_t *codes, size_t bytes,
                            const uint32_t *nodes, size_t n, uint32_t *out);

typedef void (*mni_pair_fn)(const int8_t *query, const int8_t *rows, size_t dim,
                            const uint32_t *nodes, size_t n, int32_t *out);

typedef struct mni_kern_code {
    const char *name;           /* "scalar", "avx2", "avx512", "avx512vnni", "neon" */
    mni_code_fn near8, near4, away8, away4;
    mni_pair_fn pairs;
} mni_kern_code;

/* As in kern_dist.h: build is pure, best is capped by $METRICANN_SIMD and built once. */
void mni_kern_code_build(mni_kern_code *k, unsigned cpu);
const mni_kern_code *mni_kern_code_best(void);
void mni_kern_code_add_avx2(mni_kern_code *k);
void mni_kern_code_add_avx512(mni_kern_code *k);
void mni_kern_code_add_vnni(mni_kern_code *k);
void mni_kern_code_add_neon(mni_kern_code *k);

#endif
