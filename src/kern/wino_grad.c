/* wino_grad.c - Winograd's points for weights that change with every step, and for their
 * gradient. See kern_wino.h for the points, kern_grad.h for what is promised.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_grad.h"
#include "kern/kern_wino.h"

enum { BLOCK2 = MNI_BLOCK * MNI_BLOCK, MOST = 6 };

/* G of kern_wino.h: [side][3]. */
static const float g_2[4][3] = { { 1, 0, 0 }, { 0.5f, 0.5f, 0.5f }, { 0.5f, -0.5f, 0.5f },
                                 { 0, 0, 1 } };
#define THIRD (1.0f / 3.0f)
static const float g_4[6][3] = { { 1, 0, 0 },
                                 { -2 * THIRD, -2 * THIRD * MNI_WINO_A, -THIRD },
                                 { -2 * THIRD, 2 * THIRD * MNI_WINO_A, -THIRD },
                                 { 0.5f * THIRD, THIRD * MNI_WINO_A, THIRD },
                                 { 0.5f * THIRD, -THIRD * MNI_WINO_A, THIRD },
                                 { 0, 0, 1 } };

/* 16 filters at once: w[tap][16] to points[p][16]; steps in floats. */
static void filters_to_points(const float (*g)[3], size_t side, const float *w,
                              float *points, size_t step)
{
    float half[MOST][3][MNI_BLOCK];
    for (size_t i = 0; i < side; i++)
        for (size_t v = 0; v < 3; v++)
            for (size_t o = 0; o < MNI_BLOCK; o++)
                half[i][v][o] = g[i][0] * w[v * BLOCK2 + o] +
                                g[i][1] * w[(3 + v) * BLOCK2 + o] +
                                g[i][2] * w[(6 + v) * BLOCK2 + o];
    for (size_t i = 0; i < side; i++)
        for (size_t j = 0; j < side; j++, points += step)
            for (size_t o = 0; o < MNI_BLOCK; o++)
                points[o] = half[i][0][o] * g[j][0] + half[i][1][o] * g[j][1] +
                            half[i][2][o] * g[j][2];
}

void mni_grad_points(const mni_conv_shape *s, int m, const float *packed, size_t block,
                     size_t block_end, float *points)
{
    const size_t ins = mni_blocks(s->c_in), one = ins * mni_blocks(s->c_out) * BLOCK2;
    for (size_t b = block * ins; b < block_end * ins; b++)
        for (size_t i = 0; i < MNI_BLOCK; i++)
            filters_to_points(m == 2 ? g_2 : g_4, (size_t)m + 2,
                              packed + b * 9 * BLOCK2 + i * MNI_BLOCK,
                              points + b * BLOCK2 + i * MNI_BLOCK, one);
}
