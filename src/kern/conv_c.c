/* conv_c.c - convolution on blocked maps in plain C: one place and one block of 16
 * channels at a time. The sum of one output, in order: blocks of input channels, rows of
 * taps, columns of taps, the 16 channels. Taps that lie in the padding are not visited.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_conv.h"

/* A place of y and its taps: rows [u0, u1), columns [v0, v1). */
typedef struct spot { size_t row, col, u0, u1, v0, v1; } spot;

/* Taps of output place p along one axis of n inputs. */
static void inside(const mni_conv_shape *s, size_t p, size_t n, size_t *t0, size_t *t1)
{
    const size_t at = p * s->stride;
    *t0 = at < s->pad ? s->pad - at : 0;
    *t1 = n + s->pad - at < s->kernel ? n + s->pad - at : s->kernel;
}

static spot spot_of(const mni_conv_shape *s, size_t row, size_t col)
{
    spot p = { .row = row, .col = col };
    inside(s, row, s->h_in, &p.u0, &p.u1);
    inside(s, col, s->w_in, &p.v0, &p.v1);
    return p;
}

static void start(const mni_conv_args *a, size_t block, float acc[MNI_BLOCK])
{
    for (size_t o = 0; o < MNI_BLOCK; o++)
        acc[o] = a->bias ? a->bias[block * MNI_BLOCK + o] : 0.0f;
}

static void finish(const mni_conv_args *a, size_t block, const spot *p,
                   const float acc[MNI_BLOCK])
{
    const mni_conv_shape *s = &a->s;
    const size_t at = ((block * s->h_out + p->row) * s->w_out + p->col) * MNI_BLOCK;
    for (size_t o = 0; o < MNI_BLOCK; o++) {
        const float v = a->r ? acc[o] + a->r[at + o] : acc[o];
        a->y[at + o] = a->relu && !(v > 0.0f) ? 0.0f : v;
    }
}

static void blocked_spot(const mni_conv_args *a, size_t block, const spot *p,
                         float acc[MNI_BLOCK])
{
    const mni_conv_shape *s = &a->s;
    const size_t k = s->kernel, cb = mni_blocks(s->c_in);
    for (size_t b = 0; b < cb; b++)
        for (size_t u = p->u0; u < p->u1; u++)
            for (size_t v = p->v0; v < p->v1; v++) {
                const size_t h = p->row * s->stride + u - s->pad,
                             c = p->col * s->stride + v - s->pad;
                const float *x = a->x + ((b * s->h_in + h) * s->w_in + c) * MNI_BLOCK;
                const float *w =
                    a->w +
                    (((block * cb + b) * k + u) * k + v) * MNI_BLOCK * MNI_BLOCK;
                for (size_t i = 0; i < MNI_BLOCK; i++)
                    for (size_t o = 0; o < MNI_BLOCK; o++)
                        acc[o] += x[i] * w[i * MNI_BLOCK + o];
            }
}

static void planar_spot(const mni_conv_args *a, size_t block, const spot *p,
                        float acc[MNI_BLOCK])
{
    const mni_conv_shape *s = &a->s;
    const size_t k = s->kernel;
    for (size_t i = 0; i < s->c_in; i++)
        for (size_t u = p->u0; u < p->u1; u++)
            for (size_t v = p->v0; v < p->v1; v++) {
                const size_t h = p->row * s->stride + u - s->pad,
                             c = p->col * s->stride + v - s->pad;
                const float x = a->x[(i * s->h_in + h) * s->w_in + c];
                const float *w =
                    a->w + (((block * s->c_in + i) * k + u) * k + v) * MNI_BLOCK;
                for (size_t o = 0; o < MNI_BLOCK; o++) acc[o] += x * w[o];
            }
}

typedef void (*spot_fn)(const mni_conv_args *a, size_t block, const spot *p,
                        float acc[MNI_BLOCK]);

static void each_spot(const mni_conv_args *a, size_t block, size_t block_end, size_t row,
                      size_t row_end, spot_fn sum)
{
    for (; block < block_end; block++)
        for (size_t r = row; r < row_end; r++)
            for (size_t c = 0; c < a->s.w_out; c++) {
                const spot p = spot_of(&a->s, r, c);
                float acc[MNI_BLOCK];
                start(a, block, acc);
                sum(a, block, &p, acc);
                finish(a, block, &p, acc);
            }
}

void mni_conv_direct_c(const mni_conv_args *a, size_t block, size_t block_end, size_t row,
                       size_t row_end)
{
    each_spot(a, block, block_end, row, row_end, blocked_spot);
}

void mni_conv_first_c(const mni_conv_args *a, size_t block, size_t block_end, size_t row,
                      size_t row_end)
{
    each_spot(a, block, block_end, row, row_end, planar_spot);
}
