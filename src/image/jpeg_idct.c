/* jpeg_idct.c - the inverse cosine transform: 64 frequencies -> 8 x 8 samples.
 *
 * Done as eight transforms of columns and then eight of rows. Each one is the flow graph
 * of Loeffler, Ligtenberg and Moschytz, "Practical fast 1-D DCT algorithms with 11
 * multiplications" (ICASSP 1989, figure 1, read from right to left), with a twelfth
 * multiplication so that no path has more than one; in fixed point with 13 bits behind
 * the point. Columns keep 2 bits more than the samples, so that rounding happens once for
 * all practical purposes. These are the choices of the "slow, accurate integer" method
 * that most JPEG decoders use, so that our samples equal theirs.
 *
 *      even part (0, 2, 4, 6):  sum and difference of 0 and 4, rotation of 2 and 6
 *      odd part  (1, 3, 5, 7):  three rotations that share a sum
 *      out[i] = even[i] + odd[i],  out[7 - i] = even[i] - odd[i]
 *
 * Sums are 64 bits wide: damaged files may bring any 16-bit coefficients, and so nothing
 * can overflow. SPDX-License-Identifier: MIT */
#include "image/jpeg.h"

enum { POINT = 13, EXTRA = 2 }; /* bits behind the point; bits kept between the passes */

/* round(x * 2^13). cN is cos(N pi / 16) * sqrt(2). */
enum {
    C6 = 4433,                      /* 0.541196100 */
    C2_MINUS_C6 = 6270,             /* 0.765366865 */
    C2_PLUS_C6 = 15137,             /* 1.847759065 */
    C3 = 9633,                      /* 1.175875602 */
    ODD_1 = 12299,                  /* 1.501321110 =  c1 + c3 - c5 - c7 */
    ODD_3 = 25172,                  /* 3.072711026 =  c1 + c3 + c5 - c7 */
    ODD_5 = 16819,                  /* 2.053119869 =  c1 + c3 - c5 + c7 */
    ODD_7 = 2446,                   /* 0.298631336 = -c1 + c3 + c5 - c7 */
    C3_MINUS_C7 = 7373,             /* 0.899976223 */
    C1_PLUS_C3 = 20995,             /* 2.562915447 */
    C3_PLUS_C5 = 16069,             /* 1.961570560 */
    C3_MINUS_C5 = 3196              /* 0.390180644 */
};

/* Eight numbers -> eight numbers, times 2^13 (and times sqrt(8), which the two passes
 * together make the 8 that the last shift takes out). */
static inline void transform(int64_t out[8], int64_t x0, int64_t x1, int64_t x2,
                             int64_t x3, int64_t x4, int64_t x5, int64_t x6, int64_t x7)
{
    const int64_t turn = (x2 + x6) * C6;
    const int64_t low = turn - x6 * C2_PLUS_C6, high = turn + x2 * C2_MINUS_C6;
    const int64_t sum = (x0 + x4) * (1 << POINT), diff = (x0 - x4) * (1 << POINT);
    const int64_t even[4] = { sum + high, diff + low, diff - low, sum - high };

    const int64_t shared = (x7 + x3 + x5 + x1) * C3;
    const int64_t a = shared - (x7 + x3) * C3_PLUS_C5,
                  b = shared - (x5 + x1) * C3_MINUS_C5;
    const int64_t c = (x7 + x1) * C3_MINUS_C7, d = (x5 + x3) * C1_PLUS_C3;
    const int64_t odd[4] = { x1 * ODD_1 - c + b, x3 * ODD_3 - d + a, x5 * ODD_5 - d + b,
                             x7 * ODD_7 - c + a };
    for (int i = 0; i < 4; i++) {
        out[i] = even[i] + odd[i];
        out[7 - i] = even[i] - odd[i];
    }
}

static inline uint8_t to_sample(int64_t v)      /* the middle grey is 0 until here */
{
    v += 128;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* n: columns (and rows) from the left (top) that are not all zero: 4 or 8. A constant at
 * each place of use: the compiler leaves out what is multiplied by zero. */
static inline void idct(uint8_t *out, size_t stride, const int16_t *x, const int n)
{
    int64_t columns[8][8], y[8];
    for (int i = 0; i < n; i++, x++) {
        if (n == 8 && !(x[8] | x[16] | x[24] | x[32] | x[40] | x[48] | x[56])) {
            for (int k = 0; k < 8; k++) columns[k][i] = (int64_t)x[0] * (1 << EXTRA);
            continue;
        }
        if (n == 8) transform(y, x[0], x[8], x[16], x[24], x[32], x[40], x[48], x[56]);
        else        transform(y, x[0], x[8], x[16], x[24], 0, 0, 0, 0);
        const int shift = POINT - EXTRA;
        for (int k = 0; k < 8; k++) columns[k][i] = (y[k] + (1 << (shift - 1))) >> shift;
    }
    for (int k = 0; k < 8; k++, out += stride) {
        const int64_t *c = columns[k];
        if (n == 8) transform(y, c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]);
        else        transform(y, c[0], c[1], c[2], c[3], 0, 0, 0, 0);
        const int shift = POINT + EXTRA + 3;
        for (int i = 0; i < 8; i++)
            out[i] = to_sample((y[i] + (1 << (shift - 1))) >> shift);
    }
}

void mni_jpeg_idct(uint8_t *out, size_t stride, const int16_t block[MNI_JPEG_BLOCK],
                   int last)
{
    if (last == 0) {                            /* one flat colour */
        const uint8_t v = to_sample((block[0] + 4) >> 3);
        for (int y = 0; y < 8; y++, out += stride)
            for (int x = 0; x < 8; x++) out[x] = v;
    } else if (last < 10) { /* zigzag places 0..9 lie in the first 4 x 4 */
        idct(out, stride, block, 4);
    } else {
        idct(out, stride, block, 8);
    }
}
