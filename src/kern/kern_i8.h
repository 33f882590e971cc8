/* kern_i8.h - products of whole numbers: one byte a value, many rows at once, and the
 * decoding of rows that are stored in two bytes or one.
 *
 * What it is for: vectors rounded to bytes tell most rows apart at a quarter of the
 * memory traffic and, where the CPU has VNNI, at four times the arithmetic; only what
 * they leave in doubt is measured in floats (index/code8.h).
 *
 * Rows lie in blocks of 32. Four neighbouring values of a row stay together, because one
 * instruction (vpdpbusd) multiplies four bytes with four others and adds the products:
 *
 *     group 0            | row 0: v0 v1 v2 v3 | row 1: v0 v1 v2 v3 | ... | row 31 |
 *     group 1            | row 0: v4 v5 v6 v7 | row 1: v4 v5 v6 v7 | ...
 *     ...                                       groups x 128 bytes a block
 *
 * Rows are unsigned (value + 128), queries signed and within [-q_max, q_max]; both are
 * padded to whole groups, queries with 0. All results are exact whole numbers, hence the
 * same at every level; groups * 4 * 255 * q_max must stay below 2^31.
 *
 * No alignment asked, nothing read outside of blocks and queries, no overlap of in and
 * out. Sizes of 0 are legal. SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_KERN_I8_H
#define MNI_KERN_KERN_I8_H

#include <stddef.h>
#include <stdint.h>

enum { MNI_I8_ROWS = 32, MNI_I8_GROUP_BYTES = 128 };

typedef struct mni_i8_args {
    const uint8_t *blocks;      /* block b begins at blocks + b * stride */
    size_t n_blocks, stride, groups;
    const int8_t *queries;      /* n_queries x groups * 4, packed */
    size_t n_queries;
    int32_t *out;               /* out[q * out_stride + 32 * b + row] */
    size_t out_stride;
} mni_i8_args;

typedef void (*mni_i8_dots_fn)(const mni_i8_args *a);
/* Those of n with not (plus[i] - factor * dots[i] > limit), in order: index[] and value[]
 * have room for n; returns how many. Each value is rounded twice, as plain C does it. */
typedef size_t (*mni_i8_pick_fn)(const int32_t *dots, const float *plus, size_t n,
                                 float factor, float limit, uint32_t *index,
                                 float *value);

/* The smallest plus[i] - factor * dots[i]; +infinity for n == 0. NaN counts for
 * nothing. */
typedef float (*mni_i8_lowest_fn)(const int32_t *dots, const float *plus, size_t n,
                                  float factor);

typedef struct mni_kern_i8 {
    const char *name;           /* "scalar", "avx2", "avx512", "avx512vnni", "neon" */
    int q_max;                  /* how large a query's value may be */
    mni_i8_dots_fn dots;
    mni_i8_pick_fn pick;
    mni_i8_lowest_fn lowest;
    /* f16 and scaled int8 to f32, exactly (int8: one rounding) */
    void (*from_f16)(const uint16_t *in, size_t n, float *out);
    void (*from_i8)(const int8_t *in, size_t n, float scale, float *out);
    /* lane[i % 8] += v[i]^2 in double: a product of floats is exact there, so that fused
     * or not makes no difference */
    void (*squares)(const float *v, size_t n, double lane[8]);
    /* Bytes 128 + c with c the whole number nearest to v / scale (ties to even), within
     * -127..127 (NaN: 127); lane[i % 8] += (v[i] - scale * c)^2. scale 0: all c are 0. */
    void (*round)(const float *v, size_t n, float scale, uint8_t *out, double lane[8]);
} mni_kern_i8;

/* `round` of value i. The nearest whole number: adding 1.5 * 2^23 leaves no room for a
 * fraction. */
static inline uint8_t mni_i8_round_one(float v, float by, float scale, double *lane)
{
    const float magic = 12582912.0f, most = 127.0f;
    float c = v * by;
    c = c < most ? c : most;            /* NaN becomes most */
    c = c > -most ? c : -most;
    c = (c + magic) - magic;
    const double e = (double)v - (double)scale * c;
    *lane += e * e;
    return (uint8_t)((int)c + 128);
}

/* As in kern_dist.h: build is pure, best is capped by $METRICANN_SIMD and built once. */
void mni_kern_i8_build(mni_kern_i8 *k, unsigned cpu);
const mni_kern_i8 *mni_kern_i8_best(void);
void mni_kern_i8_add_avx2(mni_kern_i8 *k);
void mni_kern_i8_add_avx512(mni_kern_i8 *k);
void mni_kern_i8_add_vnni(mni_kern_i8 *k);
void mni_kern_i8_add_neon(mni_kern_i8 *k);

#endif
