/* jpeg_c.c - the kernels of JPEG in plain C: to be read, and the judge of the others.
 *
 * The inverse cosine transform is done as transforms of columns and then of rows. Eight
 * points:
 *
 *      out[x] = sum over u of  in[u] * cos((2x + 1) u pi / 16) * (u ? sqrt(2) : 1)
 *
 * in fixed point. Even u are mirrored (out[x] and out[7 - x] get the same), odd u are
 * mirrored with the other sign: four sums of each make eight outputs. The constants
 * (jpeg_tables.h) are those of the flow graph of Loeffler, Ligtenberg and Moschytz,
 * "Practical fast 1-D DCT algorithms with 11 multiplications" (ICASSP 1989, figure 1) in
 * the "slow, accurate integer" form that most JPEG decoders use, multiplied out: whole
 * numbers do not care in which order they are added, so our samples equal theirs. (Where
 * the flow graph shares a rounded constant, two entries that should be equal differ by 1:
 * -2259 and 2261 are both 2260 and a bit.)
 *
 * Smaller pictures come from the same numbers: the mean of the samples 2x and 2x + 1 is
 *
 *      in[u] * (cos((4x + 1) u pi / 16) + cos((4x + 3) u pi / 16)) / 2
 *
 * so a transform with four outputs gives the picture at half the size, exactly as if it
 * had been decoded and averaged in squares of 2 x 2, and likewise with two (4 x 4). For
 * one output (8 x 8) only in[0] is left.
 *
 * Sums are modulo 2^32: damaged files may bring any numbers. Between the passes they are
 * limited to 16 bits, which no undamaged file notices. SPDX-License-Identifier: MIT */
#include "kern/kern_jpeg.h"

#include <string.h>

#include "kern/jpeg_tables.h"

static inline int16_t limit16(int32_t v)
{
    return (int16_t)(v < -32768 ? -32768 : v > 32767 ? 32767 : v);
}

static inline uint8_t limit8(int32_t v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static inline int32_t narrowed(uint32_t sum, int shift)
{
    return (int32_t)sum >> shift;
}

/* Sums modulo 2^32 of products that fit 31 bits. */
static inline uint32_t dot4(const int16_t *x, int a, int b, int c, int d)
{
    return (uint32_t)(x[1] * a) + (uint32_t)(x[3] * b) + (uint32_t)(x[5] * c) +
           (uint32_t)(x[7] * d);
}

static void points8(uint32_t out[8], const int16_t x[8])
{
    const uint32_t sum = (uint32_t)((x[0] + x[4]) * MNI_ONE);
    const uint32_t diff = (uint32_t)((x[0] - x[4]) * MNI_ONE);
    const uint32_t high = (uint32_t)(x[2] * MNI_A2 + x[6] * MNI_A6);
    const uint32_t low = (uint32_t)(x[2] * MNI_B2 + x[6] * MNI_B6);
    const uint32_t even[4] = { sum + high, diff + low, diff - low, sum - high };
    const uint32_t odd[4] = { dot4(x, MNI_O01, MNI_O03, MNI_O05, MNI_O07),
                              dot4(x, MNI_O11, MNI_O13, MNI_O15, MNI_O17),
                              dot4(x, MNI_O21, MNI_O23, MNI_O25, MNI_O27),
                              dot4(x, MNI_O31, MNI_O33, MNI_O35, MNI_O37) };
    for (int i = 0; i < 4; i++) {
        out[i] = even[i] + odd[i];
        out[7 - i] = even[i] - odd[i];
    }
}

static void points4(uint32_t out[8], const int16_t x[8])
{
    const uint32_t middle = (uint32_t)(x[0] * 2 * MNI_ONE);
    const uint32_t turn = (uint32_t)(x[2] * MNI_H2 + x[6] * MNI_H6);
    const uint32_t outer = dot4(x, MNI_H01, MNI_H03, MNI_H05, MNI_H07);
    const uint32_t inner = dot4(x, MNI_H11, MNI_H13, MNI_H15, MNI_H17);
    out[0] = middle + turn + outer;
    out[1] = middle - turn + inner;
    out[2] = middle - turn - inner;
    out[3] = middle + turn - outer;
}

static void points2(uint32_t out[8], const int16_t x[8])
{
    const uint32_t middle = (uint32_t)(x[0] * 4 * MNI_ONE);
    const uint32_t odd = dot4(x, MNI_Q1, MNI_Q3, MNI_Q5, MNI_Q7);
    out[0] = middle + odd;
    out[1] = middle - odd;
}

/* more: 0, 1, 2 for 8, 4, 2 points, whose sums are of 1, 2, 4 samples. */
static inline void idct(uint8_t *out, size_t stride, const int16_t *coefs,
                        const uint16_t *quant,
                        void (*points)(uint32_t *, const int16_t *), int size, int more)
{
    int16_t rows[8][8];
    uint32_t y[8];
    const int shift = MNI_SHIFT_1 + more;
    for (unsigned c = 0; c < 8; c++) {
        int16_t x[8];
        for (unsigned r = 0; r < 8; r++) {
            const unsigned at = mni_jpeg_paired(r, c);
            x[r] = (int16_t)(uint16_t)((uint32_t)(uint16_t)coefs[at] * quant[at]);
        }
        points(y, x);
        const uint32_t round = (1u << (shift - 1)) +
                               (c == 0 ? (uint32_t)MNI_LIFT << shift : 0);
        for (int r = 0; r < size; r++)
            rows[r][c] = limit16(narrowed(y[r] + round, shift));
    }
    for (int r = 0; r < size; r++, out += stride) {
        points(y, rows[r]);
        for (int c = 0; c < size; c++)
            out[c] = limit8(narrowed(y[c], MNI_SHIFT_2 + more));
    }
}

static void idct8_c(uint8_t *out, size_t stride, const int16_t *coefs,
                    const uint16_t *quant)
{
    idct(out, stride, coefs, quant, points8, 8, 0);
}

static void idct4_c(uint8_t *out, size_t stride, const int16_t *coefs,
                    const uint16_t *quant)
{
    idct(out, stride, coefs, quant, points4, 4, 1);
}

static void idct2_c(uint8_t *out, size_t stride, const int16_t *coefs,
                    const uint16_t *quant)
{
    idct(out, stride, coefs, quant, points2, 2, 2);
}

/* --- rows to full size -------------------------------------------------------------- */

/* A pixel lies at 1/4 between two samples: it takes 3/4 of the nearer and 1/4 of the
 * farther one. Which way a half is rounded alternates, so that nothing drifts.
 *
 *      samples    |     a     |     b     |        pixel 1 = (3a + b + 2) / 4
 *      pixels     |  0  |  1  |  2  |  3  |        pixel 2 = (a + 3b + 1) / 4          */
void mni_jpeg_across_c(uint8_t *restrict to, const uint8_t *restrict in, size_t w)
{
    const size_t n = w - 1;
    to[0] = in[0];
    for (size_t i = 0; i < n; i++) {
        to[2 * i + 1] = (uint8_t)((3 * in[i] + in[i + 1] + 2) >> 2);
        to[2 * i + 2] = (uint8_t)((in[i] + 3 * in[i + 1] + 1) >> 2);
    }
    to[2 * n + 1] = in[n];
}

/* Both ways together: 9/16, 3/16, 3/16, 1/16. */
void mni_jpeg_both_c(uint8_t *restrict to, const uint8_t *near, const uint8_t *far,
                     size_t w)
{
    const size_t n = w - 1;
    unsigned now = 3u * near[0] + far[0];
    to[0] = (uint8_t)((4 * now + 8) >> 4);
    for (size_t i = 0; i < n; i++) {
        const unsigned next = 3u * near[i + 1] + far[i + 1];
        to[2 * i + 1] = (uint8_t)((3 * now + next + 7) >> 4);
        to[2 * i + 2] = (uint8_t)((now + 3 * next + 8) >> 4);
        now = next;
    }
    to[2 * n + 1] = (uint8_t)((4 * now + 7) >> 4);
}

void mni_jpeg_down_c(uint8_t *restrict to, const uint8_t *near, const uint8_t *far,
                     size_t w, int bias)
{
    for (size_t i = 0; i < w; i++) to[i] = (uint8_t)((3 * near[i] + far[i] + bias) >> 2);
}

/* --- colour ------------------------------------------------------------------------- */

/* R = Y + 1.402 Cr, G = Y - 0.344136 Cb - 0.714136 Cr, B = Y + 1.772 Cb (JFIF 1.02), in
 * 16.16 fixed point with the roundings of libjpeg: each sum of products once, to nearest.
 * Whole multiples are taken out of the factors (1.402 = 1 + 0.402, 1.772 = 2 - 0.228,
 * 0.714 = 1 - 0.286): the rest fits 16 bits, as vector units like it. */
void mni_jpeg_ycc_c(uint8_t *restrict to, const uint8_t *y, const uint8_t *cb,
                    const uint8_t *cr, size_t w)
{
    enum { HALF = 1 << 15 };
    for (size_t i = 0; i < w; i++, to += 3) {
        const int b = cb[i] - 128, r = cr[i] - 128;
        to[0] = limit8(y[i] + r + ((26345 * r + HALF) >> 16));
        to[1] = limit8(y[i] - r + ((-22554 * b + 18734 * r + HALF) >> 16));
        to[2] = limit8(y[i] + 2 * b + ((-14942 * b + HALF) >> 16));
    }
}

/* --- bytes -------------------------------------------------------------------------- */

/* At a 0xFF: the bytes that it takes in the file if it is data (0xFF may be repeated), or
 * 0 if it begins a marker or the file ends behind it. */
static size_t stuffed(const uint8_t *at, const uint8_t *end)
{
    size_t n = 1;
    while (at + n < end && at[n] == 0xFF) n++;
    return at + n < end && at[n] == 0 ? n + 1 : 0;
}

size_t mni_jpeg_unstuff_c(uint8_t *to, size_t room, const uint8_t *from, size_t n,
                          size_t *used)
{
    size_t done = 0, at = 0;
    while (done < room && at < n) {
        const size_t most = room - done < n - at ? room - done : n - at;
        const uint8_t *mark = memchr(from + at, 0xFF, most);
        const size_t plain = mark ? (size_t)(mark - from) - at : most;
        memcpy(to + done, from + at, plain);
        done += plain;
        at += plain;
        if (!mark) continue;
        const size_t taken = stuffed(mark, from + n);
        if (!taken) break;
        to[done++] = 0xFF;
        at += taken;
    }
    *used = at;
    return done;
}

/* --- blocks ------------------------------------------------------------------------- */

/* The zigzag walks up and down the diagonals of the block: (0,0) (0,1) (1,0) (2,0) (1,1)
 * (0,2) ... as row and column; here in paired order. */
const uint8_t mni_jpeg_place[MNI_JPEG_BLOCK] = {
     0,  2, 32, 16, 34,  4,  6, 36, 18, 33,  1, 35, 20, 38,  8, 10,
    40, 22, 37,  3, 48, 17, 50,  5, 39, 24, 42, 12, 14, 44, 26, 41,
     7, 52, 19, 49, 51, 21, 54,  9, 43, 28, 46, 30, 45, 11, 56, 23,
    53, 55, 25, 58, 13, 47, 15, 60, 27, 57, 59, 29, 62, 31, 61, 63,
};

#define BLOCK_LEVEL
#define BLOCK_NAME block_c
#define SKIP_NAME skip_c
#include "kern/jpeg_block.h"

#if MNI_X86
#define BLOCK_LEVEL MNI_BMI2
#define BLOCK_NAME block_bmi2
#define SKIP_NAME skip_bmi2
#include "kern/jpeg_block.h"
void mni_kern_jpeg_add_bmi2(mni_kern_jpeg *k)
{
    k->block = block_bmi2;
    k->skip = skip_bmi2;
}
#else
void mni_kern_jpeg_add_bmi2(mni_kern_jpeg *k) { (void)k; }
#endif

void mni_kern_jpeg_add_c(mni_kern_jpeg *k)
{
    *k = (mni_kern_jpeg){ "scalar", mni_jpeg_unstuff_c, block_c, skip_c, idct8_c,
                          idct4_c, idct2_c, mni_jpeg_across_c, mni_jpeg_both_c,
                          mni_jpeg_down_c, mni_jpeg_ycc_c };
}
