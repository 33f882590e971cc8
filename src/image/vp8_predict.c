/* vp8_predict.c - VP8: blocks guessed from their neighbours, plus what the guess lacks.
 * RFC 6386, 12 and 14. SPDX-License-Identifier: MIT */
#include "image/vp8.h"

#include <string.h>

static uint8_t clip(int v) { return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v); }

/* --- transforms (14.3, 14.4) -------------------------------------------------------- */

/* A 4-point Walsh-Hadamard transform along steps of `s`. */
static void hadamard(int *p, int s)
{
    const int a = p[0] + p[3 * s], b = p[s] + p[2 * s], c = p[s] - p[2 * s],
              d = p[0] - p[3 * s];
    p[0] = a + b;
    p[s] = c + d;
    p[2 * s] = a - b;
    p[3 * s] = d - c;
}

void mni_vp8_spread(int16_t coefs[24][16], const int16_t second[16])
{
    int v[16];
    for (int i = 0; i < 16; i++) v[i] = second[i];
    for (int i = 0; i < 4; i++) hadamard(v + i, 4);
    for (int i = 0; i < 4; i++) hadamard(v + 4 * i, 1);
    for (int i = 0; i < 16; i++) coefs[i][0] = (int16_t)((v[i] + 3) >> 3);
}

/* A 4-point inverse DCT. 35468 / 65536 is sqrt(2) sin(pi/8), 1 + 20091 / 65536 is sqrt(2)
 * cos(pi/8). */
static void cosine(int *p, int s)
{
    const int x = p[s], y = p[3 * s];
    const int a = p[0] + p[2 * s], b = p[0] - p[2 * s];
    const int c = (x * 35468 >> 16) - (y + (y * 20091 >> 16));
    const int d = x + (x * 20091 >> 16) + (y * 35468 >> 16);
    p[0] = a + d;
    p[s] = b + c;
    p[2 * s] = b - c;
    p[3 * s] = a - d;
}

static void add_block(uint8_t *to, ptrdiff_t stride, const int16_t coefs[16])
{
    int v[16];
    for (int i = 0; i < 16; i++) v[i] = coefs[i];
    for (int i = 0; i < 4; i++) cosine(v + i, 4);
    for (int i = 0; i < 16; i++) v[i] = (int16_t)v[i];  /* only damaged files need this */
    for (int i = 0; i < 4; i++) cosine(v + 4 * i, 1);
    for (int y = 0; y < 4; y++, to += stride)
        for (int x = 0; x < 4; x++) to[x] = clip(to[x] + ((v[4 * y + x] + 4) >> 3));
}

/* --- whole blocks (12.2) ------------------------------------------------------------ */

static void fill(uint8_t *to, ptrdiff_t stride, int n, int value)
{
    for (int y = 0; y < n; y++, to += stride) memset(to, value, (size_t)n);
}

/* The mean of what is there of the row above and the column to the left. */
static int mean(const uint8_t *at, ptrdiff_t stride, int n, int has_above, int has_left)
{
    int sum = 0, count = 0;
    for (int i = 0; has_above && i < n; i++) sum += at[i - stride];
    for (int i = 0; has_left && i < n; i++) sum += at[i * stride - 1];
    count = n * (has_above + has_left);
    return count ? (sum + count / 2) / count : 128;
}

/* Along the plane through the corner, the row above and the column to the left. */
static void true_motion(uint8_t *to, ptrdiff_t stride, int n)
{
    const uint8_t *above = to - stride;
    const int corner = above[-1];
    for (int y = 0; y < n; y++, to += stride) {
        const int base = to[-1] - corner;
        for (int x = 0; x < n; x++) to[x] = clip(base + above[x]);
    }
}

static void guess(unsigned mode, uint8_t *to, ptrdiff_t stride, int n, int has_above,
                  int has_left)
{
    switch (mode) {
    case MNI_VP8_V:
        for (int y = 0; y < n; y++)
            memcpy(to + y * stride, to - stride, (size_t)n);
        break;
    case MNI_VP8_H:
        for (int y = 0; y < n; y++, to += stride) memset(to, to[-1], (size_t)n);
        break;
    case MNI_VP8_TM: true_motion(to, stride, n); break;
    default: fill(to, stride, n, mean(to, stride, n, has_above, has_left)); break;
    }
}

/* --- 4 x 4 blocks (12.3) ------------------------------------------------------------ */

/* The neighbours as one line, from the lower left corner round to the upper right:
 *
 *              5 | 6 7 8 9 | 10 11 12 13 (14: once more)
 *             ---+---------+
 *              4 |         |
 *              3 |         |
 *              2 |         |
 *       (0)    1 |         |
 *
 * and each pixel of a mode as a mean along the line: A(i) is the mean of places i and i +
 * 1, B(i) the mean of i, i + 1 (twice) and i + 2. */
#define A(i) (i)
#define B(i) (16 + (i))
static const uint8_t lines[MNI_VP8_MODES][16] = {
    [MNI_VP8_B_VE] = { B(5), B(6), B(7), B(8), B(5), B(6), B(7), B(8),
                       B(5), B(6), B(7), B(8), B(5), B(6), B(7), B(8) },
    [MNI_VP8_B_HE] = { B(3), B(3), B(3), B(3), B(2), B(2), B(2), B(2),
                       B(1), B(1), B(1), B(1), B(0), B(0), B(0), B(0) },
    [MNI_VP8_B_LD] = { B(6), B(7), B(8), B(9), B(7), B(8), B(9), B(10),
                       B(8), B(9), B(10), B(11), B(9), B(10), B(11), B(12) },
    [MNI_VP8_B_RD] = { B(4), B(5), B(6), B(7), B(3), B(4), B(5), B(6),
                       B(2), B(3), B(4), B(5), B(1), B(2), B(3), B(4) },
    [MNI_VP8_B_VR] = { A(5), A(6), A(7), A(8), B(4), B(5), B(6), B(7),
                       B(3), A(5), A(6), A(7), B(2), B(4), B(5), B(6) },
    [MNI_VP8_B_VL] = { A(6), A(7), A(8), A(9), B(6), B(7), B(8), B(9),
                       A(7), A(8), A(9), B(10), B(7), B(8), B(9), B(11) },
    [MNI_VP8_B_HD] = { A(4), B(4), B(5), B(6), A(3), B(3), A(4), B(4),
                       A(2), B(2), A(3), B(3), A(1), B(1), A(2), B(2) },
    [MNI_VP8_B_HU] = { A(3), B(2), A(2), B(1), A(2), B(1), A(1), B(0),
                       A(1), B(0), A(0), A(0), A(0), A(0), A(0), A(0) },
};

/* right: the four pixels above to the right. */
static void guess_small(unsigned mode, uint8_t *to, ptrdiff_t stride,
                        const uint8_t right[4])
{
    if (mode == MNI_VP8_B_TM) {
        true_motion(to, stride, 4);
    } else if (mode == MNI_VP8_B_DC) {
        fill(to, stride, 4, mean(to, stride, 4, 1, 1));
    } else {
        int e[15];
        uint8_t means[31];
        for (int i = 0; i < 4; i++) {
            e[1 + i] = to[(3 - i) * stride - 1];
            e[6 + i] = to[i - stride];
            e[10 + i] = right[i];
        }
        e[0] = e[1];
        e[5] = to[-1 - stride];
        e[14] = e[13];
        for (int i = 0; i < 14; i++) means[A(i)] = (uint8_t)((e[i] + e[i + 1] + 1) >> 1);
        for (int i = 0; i < 13; i++)
            means[B(i)] = (uint8_t)((e[i] + 2 * e[i + 1] + e[i + 2] + 2) >> 2);
        for (int y = 0; y < 4; y++, to += stride)
            for (int x = 0; x < 4; x++) to[x] = means[lines[mode][4 * y + x]];
    }
}

/* The blocks of the right column see the macroblock above to the right; what stands to
 * the right of them lower down is not yet known. */
static void small_blocks(const mni_vp8_block *b, uint8_t *at, ptrdiff_t stride)
{
    uint8_t right[4];
    memcpy(right, at + 16 - stride, 4);
    for (int i = 0; i < 16; i++) {
        uint8_t *to = at + (i >> 2) * 4 * stride + (i & 3) * 4;
        guess_small(b->modes[i], to, stride, (i & 3) == 3 ? right : to + 4 - stride);
        if (b->has >> i & 1) add_block(to, stride, b->coefs[i]);
    }
}

void mni_vp8_predict(const mni_vp8_plane planes[3], const mni_vp8_block *b, uint32_t x,
                     uint32_t y)
{
    ptrdiff_t stride = planes[0].stride;
    uint8_t *at = planes[0].at + 16 * (ptrdiff_t)y * stride + 16 * (ptrdiff_t)x;
    if (b->mode == MNI_VP8_BLOCKS) {
        small_blocks(b, at, stride);
    } else {
        guess(b->mode, at, stride, 16, y > 0, x > 0);
        for (int i = 0; i < 16; i++)
            if (b->has >> i & 1)
                add_block(at + (i >> 2) * 4 * stride + (i & 3) * 4, stride, b->coefs[i]);
    }
    for (int k = 1; k < 3; k++) {
        stride = planes[k].stride;
        at = planes[k].at + 8 * (ptrdiff_t)y * stride + 8 * (ptrdiff_t)x;
        guess(b->chroma_mode, at, stride, 8, y > 0, x > 0);
        for (int i = 0; i < 4; i++) {
            const int n = 12 + 4 * k + i;
            if (b->has >> n & 1)
                add_block(at + (i >> 1) * 4 * stride + (i & 1) * 4, stride, b->coefs[n]);
        }
    }
}
