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

/* --- dw at the points --------------------------------------------------------------- */

enum { POINTS = 36, TILES_FLOATS = 300 * 1024, TILES_MIN = 64 };

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Tiles whose points are in the second cache together; where that would be few, sums
 * would be fetched and put back too often, and the third cache must do. */
static size_t tiles_at_once(const mni_conv_shape *s, size_t all)
{
    const size_t one = POINTS * (mni_blocks(s->c_in) + mni_blocks(s->c_out)) * MNI_BLOCK,
                 fit = TILES_FLOATS / one;
    return least(fit < TILES_MIN ? TILES_MIN : fit, all);
}

/* An odd number of cache lines from one point to the next, as in conv_wino.c. */
static size_t step_of(size_t channels, size_t tiles)
{
    return (mni_blocks(channels) * tiles | 1) * MNI_BLOCK;
}

size_t mni_grad_wino_floats(const mni_conv_shape *s, size_t n)
{
    const size_t tiles = tiles_at_once(s, n * mni_wino_tiles(s, 4));
    return POINTS * (step_of(s->c_in, tiles) + step_of(s->c_out, tiles));
}

/* Tiles [tile, tile_end), counted over all images, to the points of x and of dy. */
static void points_of(const mni_kern_grad *k, const mni_kern_conv *c,
                      const mni_dw_args *a, size_t tile, size_t tile_end, float *v,
                      float *d)
{
    const size_t tiles = mni_wino_tiles(&a->s, 4), n = tile_end - tile;
    for (size_t next, at = 0; tile < tile_end; at += next - tile, tile = next) {
        const size_t image = tile / tiles;
        next = least(tile_end, (image + 1) * tiles);
        const mni_conv_args one = { .s = a->s, .x = a->x + image * a->x_image,
                                    .r = a->dy + image * a->dy_image };
        mni_wino_part p = { .a = &one,
                            .tile = tile - image * tiles,
                            .tile_end = next - image * tiles,
                            .width = n,
                            .step = step_of(a->s.c_in, n),
                            .buffer = v + at * MNI_BLOCK };
        c->wino_in(&p, 4);
        p.step = step_of(a->s.c_out, n);
        p.buffer = d + at * MNI_BLOCK;
        k->wino_dy(&p, 4);
    }
}

void mni_grad_dw_wino(const mni_kern_grad *k, const mni_kern_conv *c,
                      const mni_dw_args *a, float *scratch)
{
    const mni_conv_shape *s = &a->s;
    const size_t across = (s->w_out + 3u) / 4, ins = mni_blocks(s->c_in),
                 outs = mni_blocks(s->c_out), tiles = mni_wino_tiles(s, 4),
                 end = (a->n - 1) * tiles + (a->row_end + 3) / 4 * across,
                 together = tiles_at_once(s, a->n * tiles);
    for (size_t tile = a->row / 4 * across, next; tile < end; tile = next) {
        next = least(tile + together, end);
        const size_t n = next - tile, v_step = step_of(s->c_in, n),
                     d_step = step_of(s->c_out, n);
        float *const d = scratch + POINTS * v_step;
        points_of(k, c, a, tile, next, scratch, d);
        for (size_t p = 0; p < POINTS; p++)
            for (size_t o = 0; o < outs; o++)
                for (size_t i = 0; i < ins; i++) {
                    const mni_dw_tap t = {
                        .x = scratch + p * v_step + i * n * MNI_BLOCK,
                        .dy = d + p * d_step + o * n * MNI_BLOCK,
                        .n = 1, .rows = 1, .cols = n, .x_col = MNI_BLOCK,
                        .acc = a->dw + ((o * ins + i) * POINTS + p) * BLOCK2
                    };
                    k->dw_tap(&t);
                }
    }
}

/* 9 taps of 16 filters: w = G^T s G. */
static void filters_from_points(const float *points, float *w)
{
    float half[3][MOST][MNI_BLOCK];
    for (size_t u = 0; u < 3; u++)
        for (size_t j = 0; j < MOST; j++)
            for (size_t o = 0; o < MNI_BLOCK; o++) {
                float sum = 0;
                for (size_t i = 0; i < MOST; i++)
                    sum += g_4[i][u] * points[(i * MOST + j) * BLOCK2 + o];
                half[u][j][o] = sum;
            }
    for (size_t u = 0; u < 3; u++)
        for (size_t v = 0; v < 3; v++, w += BLOCK2)
            for (size_t o = 0; o < MNI_BLOCK; o++) {
                float sum = 0;
                for (size_t j = 0; j < MOST; j++) sum += half[u][j][o] * g_4[j][v];
                w[o] = sum;
            }
}

void mni_grad_from_points(const mni_conv_shape *s, const float *points, size_t block,
                          size_t block_end, float *packed)
{
    const size_t ins = mni_blocks(s->c_in);
    for (size_t b = block * ins; b < block_end * ins; b++)
        for (size_t i = 0; i < MNI_BLOCK; i++)
            filters_from_points(points + b * POINTS * BLOCK2 + i * MNI_BLOCK,
                                packed + b * 9 * BLOCK2 + i * MNI_BLOCK);
}
