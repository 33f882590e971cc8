/* conv_wino.c - see kern_wino.h: weights into points, and the three steps for a range of
 * tiles; the transforms in plain C. SPDX-License-Identifier: MIT */
#include "kern/kern_wino.h"

#include <string.h>

#include "kern/level.h"

enum { LINE = 16, CHUNK_FLOATS = 160 * 1024, CHUNK_MIN = 16,
       HEAVY_FLOATS = 256 * 1024, HEAVY_TILES = 64 };

/* --- the transforms in plain C: conv_body's names with registers of one float ------- */

#define CV_TARGET
#define CV(name) plain_##name
#define CV_VEC float
#define CV_LANES 1
#define CV_LOAD(p) (*(p))
#define CV_STORE(p, v) (*(p) = (v))
#define CV_ZERO() 0.0f
#define CV_SET(f) (f)
#define CV_ADD(a, b) ((a) + (b))
#define CV_SUB(a, b) ((a) - (b))
#define CV_MAX(a, b) ((a) > (b) ? (a) : (b))
#define CV_FMA(a, b, c) ((a) * (b) + (c))

#include "kern/pool_body.h"
#include "kern/wino_body.h"

void mni_wino_in_c(const mni_wino_part *p, int m) { plain_wino_in(p, m); }
void mni_wino_out_c(const mni_wino_part *p, int m) { plain_wino_out(p, m); }

void mni_conv_max_pool_c(const mni_conv_args *a, size_t block, size_t block_end,
                         size_t row, size_t row_end)
{
    plain_max_pool(a, block, block_end, row, row_end);
}

void mni_conv_average_c(const float *x, size_t places, size_t blocks, float *y)
{
    plain_average(x, places, blocks, y);
}

/* --- sizes -------------------------------------------------------------------------- */

static size_t points_of(int m) { return (size_t)(m + 2) * (size_t)(m + 2); }

size_t mni_wino_tiles(const mni_conv_shape *s, int m)
{
    const size_t side = (size_t)m;
    return (s->h_out + side - 1) / side * ((s->w_out + side - 1) / side);
}

/* Floats from one point to the next: an odd number of cache lines, because points a power
 * of two apart would all fall into the same few places of L1. */
static size_t step_of(size_t channels, size_t tiles)
{
    return (mni_blocks(channels) * tiles | 1) * LINE;
}

size_t mni_wino_scratch_floats(const mni_conv_shape *s, int m, size_t tiles)
{
    return points_of(m) * (step_of(s->c_in, tiles) + step_of(s->c_out, tiles));
}

size_t mni_wino_weight_floats(const mni_conv_shape *s, int m)
{
    return points_of(m) * mni_blocks(s->c_in) * mni_blocks(s->c_out) * MNI_BLOCK *
           MNI_BLOCK;
}

/* V and M of as many tiles as fit the second cache; but weights that do not fit it must
 * be fetched anew for every such piece, so that many tiles have to share the way. */
size_t mni_wino_best_tiles(const mni_conv_shape *s, int m)
{
    const size_t one = points_of(m) * (mni_blocks(s->c_in) + mni_blocks(s->c_out)) * LINE;
    const size_t fit = CHUNK_FLOATS / one, fewest =
        mni_wino_weight_floats(s, m) > HEAVY_FLOATS ? HEAVY_TILES : CHUNK_MIN;
    return fit < fewest ? fewest : fit;
}

/* --- weights ------------------------------------------------------------------------ */

/* G: the powers of each point, over the product of its distances to the others. */
static const double g_2[4][3] = { { 1, 0, 0 }, { 0.5, 0.5, 0.5 }, { 0.5, -0.5, 0.5 },
                                  { 0, 0, 1 } };
#define ROOT 0.70710678118654752440
static const double g_4[6][3] = { { 1, 0, 0 },
                                  { -2.0 / 3, -2.0 / 3 * ROOT, -1.0 / 3 },
                                  { -2.0 / 3, 2.0 / 3 * ROOT, -1.0 / 3 },
                                  { 1.0 / 6, 1.0 / 3 * ROOT, 1.0 / 3 },
                                  { 1.0 / 6, -1.0 / 3 * ROOT, 1.0 / 3 },
                                  { 0, 0, 1 } };

/* out = G w G^T */
static void to_points(const double (*g)[3], size_t side, const float *w, double *out)
{
    for (size_t i = 0; i < side; i++) {
        double row[3];
        for (size_t v = 0; v < 3; v++)
            row[v] = g[i][0] * w[v] + g[i][1] * w[3 + v] + g[i][2] * w[6 + v];
        for (size_t j = 0; j < side; j++)
            out[i * side + j] = row[0] * g[j][0] + row[1] * g[j][1] + row[2] * g[j][2];
    }
}

void mni_wino_pack_block(const mni_conv_shape *s, int m, size_t block, const float *w,
                         const double *scale, float *packed)
{
    const size_t in = mni_blocks(s->c_in), points = points_of(m), filter = s->c_in * 9;
    const size_t one = in * mni_blocks(s->c_out) * MNI_BLOCK * MNI_BLOCK;
    const size_t left = s->c_out - block * MNI_BLOCK;
    packed += block * in * MNI_BLOCK * MNI_BLOCK;
    w += block * MNI_BLOCK * filter;
    for (size_t i = 0; i < in * MNI_BLOCK; i++) {
        double at[MNI_BLOCK][36];
        memset(at, 0, sizeof at);
        for (size_t o = 0; o < MNI_BLOCK && o < left && i < s->c_in; o++)
            to_points(m == 2 ? g_2 : g_4, (size_t)m + 2, w + o * filter + i * 9, at[o]);
        for (size_t p = 0; p < points; p++)
            for (size_t o = 0; o < MNI_BLOCK; o++)
                packed[p * one + i * MNI_BLOCK + o] =
                    (float)(scale ? at[o][p] * scale[o] : at[o][p]);
    }
}

void mni_wino_pack_weights(const mni_conv_shape *s, int m, const float *w, float *packed)
{
    for (size_t b = 0; b < mni_blocks(s->c_out); b++)
        mni_wino_pack_block(s, m, b, w, NULL, packed);
}

/* --- the three steps ---------------------------------------------------------------- */

/* Calls fn for the pieces of [tile, tile_end) that lie in one image each. */
static void by_image(const mni_conv_args *a, int m, size_t tile, size_t tile_end,
                     mni_wino_part p, mni_wino_fn fn)
{
    const mni_conv_shape *s = &a->s;
    const size_t tiles = mni_wino_tiles(s, m);
    const size_t x_image = mni_blocked_floats(s->c_in, (size_t)s->h_in * s->w_in),
                 y_image = mni_blocked_floats(s->c_out, (size_t)s->h_out * s->w_out);
    while (tile < tile_end) {
        const size_t image = tile / tiles, first = image * tiles;
        const size_t end = tile_end < first + tiles ? tile_end : first + tiles;
        mni_conv_args one = *a;
        one.x += image * x_image;
        one.y += image * y_image;
        if (one.r) one.r += image * y_image;
        p.a = &one;
        p.tile = tile - first;
        p.tile_end = end - first;
        fn(&p, m);
        p.buffer += (end - tile) * MNI_BLOCK;
        tile = end;
    }
}

void mni_wino_run(const mni_kern_conv *k, const mni_conv_args *a, int m, size_t tile,
                  size_t tile_end, float *scratch)
{
    mni_wino_blocks(k, a, m, tile, tile_end, 0, mni_blocks(a->s.c_out), scratch);
}

void mni_wino_blocks(const mni_kern_conv *k, const mni_conv_args *a, int m, size_t tile,
                     size_t tile_end, size_t block, size_t block_end, float *scratch)
{
    const mni_conv_shape *s = &a->s;
    const size_t n = tile_end - tile, points = points_of(m);
    const size_t v_step = step_of(s->c_in, n), m_step = step_of(s->c_out, n);
    float *const v = scratch, *const sums = scratch + points * v_step;
    if (n == 0) return;

    by_image(a, m, tile, tile_end, (mni_wino_part){ .width = n, .step = v_step,
                                                    .buffer = v }, k->wino_in);
    mni_conv_args product = { .s = { s->c_in, 1, (uint32_t)n, s->c_out, 1, (uint32_t)n, 1,
                                     1, 0, 0 } };
    const size_t one = mni_blocks(s->c_in) * mni_blocks(s->c_out) * MNI_BLOCK * MNI_BLOCK;
    for (size_t p = 0; p < points; p++) {
        product.x = v + p * v_step;
        product.w = a->w + p * one;
        product.y = sums + p * m_step;
        k->direct(&product, block, block_end, 0, 1);
    }
    const mni_wino_part out = { .width = n, .step = m_step, .buffer = sums,
                                .block = block, .block_end = block_end };
    by_image(a, m, tile, tile_end, out, k->wino_out);
}
