/* code8.h - vectors rounded to one byte a value, and how wrong a distance by them can be.
 *
 * A row x is kept as whole numbers around a centre c: r = x - c is about scale * code. A
 * query v is rounded likewise. With r' and v' for what the rounded ones stand for,
 *
 *     v.r = v'.r' + v'.(r - r') + (v - v').r
 *
 * and by Cauchy and Schwarz the last two are at most |v'| |r - r'| + |v - v'| |r|. All
 * four lengths are known: so a product of bytes, which costs a quarter of the memory and
 * of the arithmetic, gives an interval in which the true distance lies. Rows whose
 * interval begins behind the k-th nearest end need no second look; the few others are
 * measured in floats. The answer is exact, not approximately so.
 *
 * With any fixed m (the mean of all rows; 0 for inner products) the distance is
 *
 *     |q - x|^2 = |q - c|^2  +  (|r|^2 + 2 (c - m).r)  -  2 (q - m).r
 *                 of the list    of the row: `plus`       v = q - m: one rounding a query
 *     -q.x      = -q.c       +   0                     -  q.r
 *
 * Why is the query not rounded around each list's own centre? It would be rounded anew
 * for every list. SPDX-License-Identifier: MIT */
#ifndef MNI_INDEX_CODE8_H
#define MNI_INDEX_CODE8_H

#include "base/status.h"
#include "kern/kern_i8.h"

static inline uint32_t mni_code8_groups(uint32_t dim) { return dim / 4 + (dim % 4 != 0); }
/* Bytes of the codes of MNI_I8_ROWS rows. */
static inline size_t mni_code8_block_bytes(uint32_t dim)
{
    return (size_t)mni_code8_groups(dim) * MNI_I8_GROUP_BYTES;
}

/* An empty block: all codes stand for zero. */
void mni_code8_clear(uint8_t *block, uint32_t dim);
/* Row `slot` of a block: r (dim floats) by `scale`. Returns |r - scale * code|^2,
 * infinity if that is not a number. */
double mni_code8_put(uint8_t *block, unsigned slot, const float *r, uint32_t dim,
                     float scale);
/* The scale at which the largest of n values is 127. */
float mni_code8_scale(const float *values, size_t n);

typedef struct mni_query8 {
    float scale;
    int32_t offset;             /* what the rows' +128 adds to every product */
    double size, error;         /* |v|; |v - v'| */
} mni_query8;

/* codes: groups * 4. */
void mni_query8_make(const mni_kern_i8 *k, const float *v, uint32_t dim, int8_t *codes,
                     mni_query8 *out);

/* What holds for all rows of a list. */
typedef struct mni_around8 {
    float scale;
    float error, reach;         /* largest |r - r'| and |r| */
    float centre;               /* |c| */
} mni_around8;

/* For row i of the list: the distance lies within `slack` of
 * shift + (plus[i] - factor * dots[i]). For MANN_COSINE that is twice the distance. */
typedef struct mni_bound8 { float factor; double shift, slack; } mni_bound8;

/* to_centre: the distance of the query to c as kernels give it: squared L2, or -q.c. */
mni_bound8 mni_bound8_of(const mni_query8 *q, const mni_around8 *list, mann_metric metric,
                         uint32_t dim, float to_centre);

#endif
