/* conv_grad.c - the gradients of whole convolutions out of the pieces of kern_grad.h, and
 * the table of levels. SPDX-License-Identifier: MIT */
#include "kern/kern_grad.h"

#include <string.h>

#include "os/cpu.h"
#include "os/thread.h"

enum { BLOCK2 = MNI_BLOCK * MNI_BLOCK };

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* For tap t along one axis: outputs [*low, *high) read inside the map. */
static void inside(size_t t, size_t pad, size_t stride, size_t n_in, size_t n_out,
                   size_t *low, size_t *high)
{
    const size_t end = n_in + pad;
    *low = t >= pad ? 0 : (pad - t + stride - 1) / stride;
    *high = end > t ? (end - t + stride - 1) / stride : 0;
    if (*high > n_out) *high = n_out;
    if (*low > *high) *low = *high;
}

/* --- dw ----------------------------------------------------------------------------- */

/* A call of dw_tap reads a band of some 200 places of x and dy; all taps of a pair of
 * blocks visit the band while it is in the first cache. */
enum { BAND_PLACES = 208 };

typedef struct band { size_t image, n, row, rows; } band;

static void dw_pair(const mni_kern_grad *k, const mni_dw_args *a, const band *b,
                    size_t out, size_t in)
{
    const mni_conv_shape *s = &a->s;
    const size_t kernel = s->kernel, stride = s->stride,
                 x_plane = (size_t)s->h_in * s->w_in * MNI_BLOCK,
                 y_plane = (size_t)s->h_out * s->w_out * MNI_BLOCK;
    const float *x = a->x + b->image * a->x_image + in * x_plane,
                *dy = a->dy + b->image * a->dy_image + out * y_plane;
    float *dw = a->dw + (out * mni_blocks(s->c_in) + in) * kernel * kernel * BLOCK2;
    mni_dw_tap t = { .n = b->n,
                     .x_image = a->x_image,
                     .x_row = (size_t)s->w_in * stride * MNI_BLOCK,
                     .x_col = stride * MNI_BLOCK,
                     .dy_image = a->dy_image,
                     .dy_row = (size_t)s->w_out * MNI_BLOCK };
    for (size_t u = 0; u < kernel; u++)
        for (size_t v = 0; v < kernel; v++) {
            size_t top, bottom, left, right;
            inside(u, s->pad, stride, s->h_in, s->h_out, &top, &bottom);
            inside(v, s->pad, stride, s->w_in, s->w_out, &left, &right);
            if (top < b->row) top = b->row;
            bottom = least(bottom, b->row + b->rows);
            if (top >= bottom || left == right) continue;
            t.x = x + ((top * stride + u - s->pad) * s->w_in + left * stride + v -
                       s->pad) * MNI_BLOCK;
            t.dy = dy + (top * s->w_out + left) * MNI_BLOCK;
            t.rows = bottom - top;
            t.cols = right - left;
            t.acc = dw + (u * kernel + v) * BLOCK2;
            k->dw_tap(&t);
        }
}

void mni_grad_dw(const mni_kern_grad *k, const mni_dw_args *a)
{
    const mni_conv_shape *s = &a->s;
    const size_t places = (size_t)s->h_out * s->w_out;
    const size_t images = places < BAND_PLACES ? BAND_PLACES / places : 1;
    size_t rows = BAND_PLACES / s->w_out;
    rows = rows < 1 ? 1 : least(rows, s->h_out);
    for (band b = { 0, 0, 0, 0 }; b.image < a->n; b.image += b.n) {
        b.n = least(images, a->n - b.image);
        for (b.row = a->row; b.row < a->row_end; b.row += b.rows) {
            b.rows = least(rows, a->row_end - b.row);
            for (size_t in = 0; in < mni_blocks(s->c_in); in++)
                for (size_t out = 0; out < mni_blocks(s->c_out); out++)
                    dw_pair(k, a, &b, out, in);
        }
    }
}

/* --- dw of the first layer ---------------------------------------------------------- */

size_t mni_grad_padded_floats(const mni_conv_shape *s)
{
    return (size_t)s->c_in * (s->h_in + 2 * s->pad) * (s->w_in + 2 * s->pad);
}

void mni_grad_pad(const mni_conv_shape *s, const float *planes, float *padded)
{
    const size_t w = s->w_in + 2 * s->pad, h = s->h_in + 2 * s->pad;
    memset(padded, 0, mni_grad_padded_floats(s) * sizeof *padded);
    for (size_t i = 0; i < s->c_in; i++)
        for (size_t r = 0; r < s->h_in; r++, planes += s->w_in)
            memcpy(padded + (i * h + r + s->pad) * w + s->pad, planes,
                   s->w_in * sizeof *planes);
}

/* All taps of one band of one image, for one or two blocks of dy. */
static void dw_first_band(const mni_kern_grad *k, const mni_dw_args *a,
                          const float *padded, size_t row, mni_dw_plane *t, float *dw)
{
    const mni_conv_shape *s = &a->s;
    const size_t kernel = s->kernel, w = s->w_in + 2 * s->pad, h = s->h_in + 2 * s->pad;
    for (size_t iu = 0; iu < s->c_in * kernel; iu++)
        for (size_t v = 0; v < kernel; v += t->taps) {
            const size_t i = iu / kernel, u = iu % kernel;
            t->taps = least(MNI_DW_TAPS, kernel - v);
            t->x = padded + (i * h + row * s->stride + u) * w + v;
            t->acc = dw + (iu * kernel + v) * MNI_BLOCK;
            k->dw_plane(t);
        }
}

void mni_grad_dw_first(const mni_kern_grad *k, const mni_dw_args *a)
{
    const mni_conv_shape *s = &a->s;
    const size_t w = s->w_in + 2 * s->pad, blocks = mni_blocks(s->c_out),
                 y_plane = (size_t)s->h_out * s->w_out * MNI_BLOCK;
    size_t rows = 2 * BAND_PLACES / s->w_out;
    if (rows < 1) rows = 1;
    mni_dw_plane t = { .x_row = w * s->stride,
                       .x_col = s->stride,
                       .dy_row = (size_t)s->w_out * MNI_BLOCK,
                       .dy_block = y_plane,
                       .acc_block = (size_t)s->c_in * s->kernel * s->kernel * MNI_BLOCK,
                       .cols = s->w_out };
    for (size_t n = 0; n < a->n; n++)
        for (size_t row = a->row; row < a->row_end; row += t.rows) {
            t.rows = least(rows, a->row_end - row);
            for (size_t b = 0; b < blocks; b += t.blocks) {
                t.blocks = least(2, blocks - b);
                t.dy = a->dy + n * a->dy_image + b * y_plane + row * t.dy_row;
                dw_first_band(k, a, a->x + n * a->x_image, row, &t,
                              a->dw + b * t.acc_block);
            }
        }
}

/* --- dx of stride 2 ----------------------------------------------------------------- */

/* Taps along one axis that carry dy to input places of one parity: output p * 2 + u - pad
 * = 2 m + parity, so p = m + step. */
typedef struct side { uint32_t n, tap[2]; int step[2]; } side;

static side side_of(const mni_conv_shape *s, size_t parity)
{
    side d = { 0, { 0, 0 }, { 0, 0 } };
    for (uint32_t u = 0; u < s->kernel; u++) {
        const int twice = (int)parity + (int)s->pad - (int)u;
        if (twice % 2) continue;
        d.tap[d.n] = u;
        d.step[d.n++] = twice / 2;
    }
    return d;
}

typedef struct phase { const mni_dx_args *a; size_t row, parity; side rows, cols; } phase;

/* The run's list of taps for places m in [from, from + cols) of the phase's row. */
static void list_taps(const phase *p, size_t from, mni_run *run)
{
    const mni_conv_shape *s = &p->a->s;
    run->n_taps = 0;
    for (uint32_t i = 0; i < p->rows.n; i++) {
        const ptrdiff_t r = (ptrdiff_t)p->row / 2 + p->rows.step[i];
        if (r < 0 || r >= (ptrdiff_t)s->h_out) continue;
        for (uint32_t j = 0; j < p->cols.n; j++) {
            const ptrdiff_t c = (ptrdiff_t)from + p->cols.step[j],
                            over = c + (ptrdiff_t)run->cols - (ptrdiff_t)s->w_out;
            const uint32_t low = c < 0 ? (uint32_t)-c : 0,
                           high = (uint32_t)run->cols - (over > 0 ? (uint32_t)over : 0);
            if (low >= high) continue;
            const size_t t = run->n_taps++;
            run->off[t] = (r * (ptrdiff_t)s->w_out + c) * MNI_BLOCK;
            run->tap[t] = p->rows.tap[i] * s->kernel + p->cols.tap[j];
            run->low[t] = low;
            run->high[t] = high;
        }
    }
}

static void dx_phase_row(const mni_kern_grad *k, const phase *p, size_t block,
                         size_t n_blocks)
{
    const mni_conv_shape *s = &p->a->s;
    const size_t cols = (s->w_in - p->parity + 1) / 2, kk = (size_t)s->kernel * s->kernel,
                 out_blocks = mni_blocks(s->c_out),
                 n_runs = (cols + k->run_cols - 1) / k->run_cols;
    mni_run run = { .blocks = n_blocks,
                    .in_blocks = out_blocks,
                    .x = p->a->dy,
                    .w = p->a->w + block * out_blocks * kk * BLOCK2,
                    .x_block = (size_t)s->h_out * s->w_out * MNI_BLOCK,
                    .x_col = MNI_BLOCK,
                    .w_in = kk * BLOCK2,
                    .w_out = out_blocks * kk * BLOCK2,
                    .y_block = (size_t)s->h_in * s->w_in * MNI_BLOCK,
                    .y_col = 2 * MNI_BLOCK };
    for (size_t i = 0; i < n_runs; i++) {       /* runs of nearly equal length */
        const size_t from = cols * i / n_runs,
                     at = block * run.y_block +
                          (p->row * s->w_in + 2 * from + p->parity) * MNI_BLOCK;
        run.cols = cols * (i + 1) / n_runs - from;
        run.y = p->a->dx + at;
        run.r = p->a->r ? p->a->r + at : NULL;
        list_taps(p, from, &run);
        if (run.n_taps || p->a->r != p->a->dx) k->run(&run);
    }
}

void mni_grad_dx_strided(const mni_kern_grad *k, const mni_dx_args *a)
{
    const mni_conv_shape *s = &a->s;
    const size_t blocks = mni_blocks(s->c_in);
    const side sides[2] = { side_of(s, 0), side_of(s, 1) };
    for (size_t b = 0; b < blocks; b += k->run_blocks) {
        const size_t n = least(k->run_blocks, blocks - b);
        for (size_t row = a->row; row < a->row_end; row++)
            for (size_t parity = 0; parity < 2; parity++) {
                const phase p = { a, row, parity, sides[row % 2], sides[parity] };
                if (parity < s->w_in) dx_phase_row(k, &p, b, n);
            }
    }
}

/* --- packing ------------------------------------------------------------------------ */

void mni_grad_pack_turned(const mni_conv_shape *s, const float *w, int turn,
                          size_t block, size_t block_end, float *packed)
{
    const size_t kk = (size_t)s->kernel * s->kernel, outs = mni_blocks(s->c_out);
    memset(packed + block * outs * kk * BLOCK2, 0,
           (block_end - block) * outs * kk * BLOCK2 * sizeof *packed);
    for (size_t i = block * MNI_BLOCK; i < least(block_end * MNI_BLOCK, s->c_in); i++)
        for (size_t o = 0; o < s->c_out; o++) {
            float *to = packed +
                        (i / MNI_BLOCK * outs + o / MNI_BLOCK) * kk * BLOCK2 +
                        o % MNI_BLOCK * MNI_BLOCK + i % MNI_BLOCK;
            const float *from = w + (o * s->c_in + i) * kk;
            for (size_t t = 0; t < kk; t++)
                to[(turn ? kk - 1 - t : t) * BLOCK2] = from[t];
        }
}

void mni_grad_pack(const mni_conv_shape *s, const float *w, size_t block,
                   size_t block_end, float *packed)
{
    const size_t kk = (size_t)s->kernel * s->kernel,
                 rows = s->planar ? s->c_in : mni_blocks(s->c_in) * MNI_BLOCK;
    memset(packed + block * rows * kk * MNI_BLOCK, 0,
           (block_end - block) * rows * kk * MNI_BLOCK * sizeof *packed);
    for (size_t o = block * MNI_BLOCK; o < least(block_end * MNI_BLOCK, s->c_out); o++)
        for (size_t i = 0; i < s->c_in; i++) {
            const size_t group = s->planar ? 1 : MNI_BLOCK;
            float *to = packed + o / MNI_BLOCK * rows * kk * MNI_BLOCK +
                        i / group * group * kk * MNI_BLOCK + i % group * MNI_BLOCK +
                        o % MNI_BLOCK;
            const float *from = w + (o * s->c_in + i) * kk;
            for (size_t t = 0; t < kk; t++) to[t * group * MNI_BLOCK] = from[t];
        }
}

void mni_grad_unpack(const mni_conv_shape *s, const float *packed, size_t block,
                     size_t block_end, float *dw)
{
    const size_t kk = (size_t)s->kernel * s->kernel,
                 rows = s->planar ? s->c_in : mni_blocks(s->c_in) * MNI_BLOCK;
    for (size_t o = block * MNI_BLOCK; o < least(block_end * MNI_BLOCK, s->c_out); o++)
        for (size_t i = 0; i < s->c_in; i++) {
            const size_t group = s->planar ? 1 : MNI_BLOCK;
            const float *from = packed + o / MNI_BLOCK * rows * kk * MNI_BLOCK +
                                i / group * group * kk * MNI_BLOCK +
                                i % group * MNI_BLOCK + o % MNI_BLOCK;
            float *to = dw + (o * s->c_in + i) * kk;
            for (size_t t = 0; t < kk; t++) to[t] += from[t * group * MNI_BLOCK];
        }
}

/* --- table -------------------------------------------------------------------------- */

void mni_kern_grad_build(mni_kern_grad *k, unsigned cpu)
{
    mni_kern_grad_add_c(k);
    if (cpu & MNI_CPU_AVX2) mni_kern_grad_add_avx2(k);
    if (cpu & MNI_CPU_AVX512) mni_kern_grad_add_avx512(k);
    if (cpu & MNI_CPU_NEON) mni_kern_grad_add_neon(k);
}

static mni_once once = MNI_ONCE_INIT;
static mni_kern_grad best;

static void build_best(void) { mni_kern_grad_build(&best, mni_cpu_allowed()); }

const mni_kern_grad *mni_kern_grad_best(void)
{
    mni_once_run(&once, build_best);
    return &best;
}
