/* kern_pq.h - sums of table entries, for rows that are kept as numbers of code words
 * (index/pq.h): row's distance = table 0 [code 0] + table 1 [code 1] + ...
 *
 * Rows lie in blocks of 32, a piece of all rows after the other, so that one instruction
 * looks up many rows at once. Tables hold bytes. With 16 words a table is exactly one
 * register of 16 bytes, and a shuffle by the codes is 16 look-ups (Andre, Kermarrec, Le
 * Scouarnec, "Cache locality is not enough", VLDB 2015, section 4; 256 bits wide since
 * "Quicker ADC", 2019). Two rows share a byte:
 *
 *     4 bits   | piece 0: byte j = row j, and 16 times row j + 16 | piece 1 ... |
 *              16 bytes a piece; the number of pieces is a multiple of 4
 *     8 bits   | piece 0: byte j = row j | piece 1 ... |
 *              32 bytes a piece
 *
 * All results are exact whole numbers, and the float kernels multiply and add one after
 * the other: the same bits at every level. No alignment asked, nothing read outside of
 * the inputs, no overlap of in and out. Sizes of 0 are legal.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_KERN_PQ_H
#define MNI_KERN_KERN_PQ_H

#include <stddef.h>
#include <stdint.h>

enum {
    MNI_PQ_ROWS = 32, MNI_PQ_LANES = 16,
    MNI_PQ_RUN = 256            /* pieces whose sum of bytes is sure to fit in 16 bits */
};

typedef struct mni_pq_args {
    const uint8_t *codes;       /* block b begins at codes + b * stride */
    size_t n_blocks, stride, pieces;
    const uint8_t *tables;      /* pieces x 16, or pieces x 256 */
    int32_t *out;               /* n_blocks x 32 */
} mni_pq_args;

typedef void (*mni_pq_sum_fn)(const mni_pq_args *a);

/* A book of `width` words (a multiple of MNI_PQ_LANES) of n values each is stored value
 * by value: value d of word j at book[d * width + j]. */
typedef struct mni_kern_pq {
    const char *name;           /* "scalar", "avx2", "avx512", "avx512vnni", "neon" */
    mni_pq_sum_fn sum4, sum8;
    /* out[j] = sum over d of x[d] * word j [d]; the smallest and largest of them */
    void (*products)(const float *x, const float *book, size_t n, size_t width,
                     float *out, float *low, float *high);
    /* out[j] = (in[j] - low) * by, rounded, within 0..255 (NaN: 0) */
    void (*bytes)(const float *in, size_t width, float low, float by, uint8_t *out);
    /* The word j with the smallest half[j] - product; the lowest of several. */
    uint32_t (*nearest)(const float *x, const float *book, const float *half, size_t n,
                        size_t width);
} mni_kern_pq;

/* As in kern_dist.h: build is pure, best is capped by $METRICANN_SIMD and built once. */
void mni_kern_pq_build(mni_kern_pq *k, unsigned cpu);
const mni_kern_pq *mni_kern_pq_best(void);
void mni_kern_pq_add_avx2(mni_kern_pq *k);
void mni_kern_pq_add_avx512(mni_kern_pq *k);
void mni_kern_pq_add_vbmi(mni_kern_pq *k);
void mni_kern_pq_add_neon(mni_kern_pq *k);

#endif
