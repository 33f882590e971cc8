/* test_kern_grad.c - the gradients of convolutions on blocked maps and the fused norm:
 * every level, odd shapes, fences, stated bounds, and the promises about bits.
 * SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "kern/kern_grad.h"
#include "kern/kern_norm.h"
#include "kern/kern_wino.h"
#include "os/cpu.h"
#include "wino_points.h"

typedef struct level {
    mni_kern_grad grad;
    mni_kern_conv conv;
    mni_kern_norm norm;
} level;

static int each_level(level out[4])
{
    static const unsigned steps[] = { 0, MNI_CPU_AVX2, MNI_CPU_AVX512, MNI_CPU_NEON };
    const unsigned cpu = mni_cpu_detect();
    int n = 0;
    unsigned have = 0;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (steps[i] && !(cpu & steps[i])) continue;
        have |= steps[i];
        mni_kern_grad_build(&out[n].grad, have);
        mni_kern_conv_build(&out[n].conv, have);
        mni_kern_norm_build(&out[n++].norm, have);
    }
    return n;
}

static void fill(float *x, size_t n, uint64_t slot)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 8, n, slot);
    for (size_t i = 0; i < n; i++) x[i] = mni_rng_range(&r, -1.0f, 1.0f);
}

static float *numbers(size_t n, uint64_t slot)
{
    float *x = mni_alloc(n, sizeof *x);
    CHECK(x != NULL);
    fill(x, n, slot);
    return x;
}

static mni_conv_shape shape_of(uint32_t c_in, uint32_t h, uint32_t w, uint32_t c_out,
                               uint32_t kernel, uint32_t stride, int planar)
{
    const uint32_t pad = kernel / 2;
    return (mni_conv_shape){ c_in, h, w, c_out, (h + 2 * pad - kernel) / stride + 1,
                             (w + 2 * pad - kernel) / stride + 1, kernel, stride, pad,
                             planar };
}

/* --- one convolution, in planes and in blocks --------------------------------------- */

/* Blocked arrays end at unreadable pages. */
typedef struct problem {
    mni_conv_shape s;
    size_t n, in, out, n_w;                     /* images, places, packed weights */
    size_t n_x, n_y;                            /* floats of a blocked image */
    float *x, *w, *dy, *r;                      /* planes; r: something added to dx */
    float *bx, *bdy, *bdx, *br, *bw, *dw;       /* fenced */
} problem;

static float *fenced(size_t n) { return test_fence(n * sizeof(float), 0); }

static void to_blocks(const float *planes, size_t n, size_t c, size_t places, float *to)
{
    for (size_t i = 0; i < n; i++)
        mni_blocked_from_planes(planes + i * c * places, c, places,
                                to + i * mni_blocked_floats(c, places));
}

static problem make(mni_conv_shape s, size_t n, size_t n_dw)
{
    problem p = { .s = s, .n = n, .in = (size_t)s.h_in * s.w_in,
                  .out = (size_t)s.h_out * s.w_out, .n_w = n_dw };
    p.n_x = s.planar ? mni_grad_padded_floats(&s) : mni_blocked_floats(s.c_in, p.in);
    p.n_y = mni_blocked_floats(s.c_out, p.out);
    p.x = numbers(n * s.c_in * p.in, 1);
    p.w = numbers((size_t)s.c_out * s.c_in * s.kernel * s.kernel, 2);
    p.dy = numbers(n * s.c_out * p.out, 3);
    p.r = numbers(n * s.c_in * p.in, 4);
    p.bx = fenced(n * p.n_x);
    p.bdx = fenced(n * p.n_x);
    p.br = fenced(n * p.n_x);
    p.bdy = fenced(n * p.n_y);
    p.bw = fenced(mni_conv_weight_floats(&s));
    p.dw = fenced(n_dw);
    memset(p.dw, 0, n_dw * sizeof *p.dw);
    memset(p.bdx, 0xFF, n * p.n_x * sizeof *p.bdx);
    to_blocks(p.dy, n, s.c_out, p.out, p.bdy);
    if (s.planar) {
        for (size_t i = 0; i < n; i++)
            mni_grad_pad(&s, p.x + i * s.c_in * p.in, p.bx + i * p.n_x);
    } else {
        to_blocks(p.x, n, s.c_in, p.in, p.bx);
        to_blocks(p.r, n, s.c_in, p.in, p.br);
    }
    return p;
}

static void unmake(problem *p)
{
    test_fence_free(p->bx, p->n * p->n_x * sizeof(float), 0);
    test_fence_free(p->bdx, p->n * p->n_x * sizeof(float), 0);
    test_fence_free(p->br, p->n * p->n_x * sizeof(float), 0);
    test_fence_free(p->bdy, p->n * p->n_y * sizeof(float), 0);
    test_fence_free(p->bw, mni_conv_weight_floats(&p->s) * sizeof(float), 0);
    test_fence_free(p->dw, p->n_w * sizeof(float), 0);
    mni_free(p->x); mni_free(p->w); mni_free(p->dy); mni_free(p->r);
}

/* --- dw ----------------------------------------------------------------------------- */

static double wanted_dw(const problem *p, size_t o, size_t i, size_t u, size_t v,
                        double *terms)
{
    const mni_conv_shape *s = &p->s;
    double sum = 0;
    *terms = 0;
    for (size_t b = 0; b < p->n; b++)
        for (size_t r = 0; r < s->h_out; r++)
            for (size_t c = 0; c < s->w_out; c++) {
                const size_t h = r * s->stride + u - s->pad,
                             w = c * s->stride + v - s->pad;
                if (h >= s->h_in || w >= s->w_in) continue;     /* wraps: huge */
                const double t =
                    (double)p->x[((b * s->c_in + i) * s->h_in + h) * s->w_in + w] *
                    p->dy[((b * s->c_out + o) * s->h_out + r) * s->w_out + c];
                sum += t;
                *terms += fabs(t);
            }
    return sum;
}

/* Unpacks p->dw, which must be 0 in absent lanes, and compares; `bound` of filter (o, i):
 * what each of its taps may be off, or NULL for the direct sum's. */
static void compare_dw(const problem *p, const char *name, int twice,
                       void (*bound)(const problem *p, size_t o, size_t i, double *to))
{
    const mni_conv_shape *s = &p->s;
    const size_t kk = (size_t)s->kernel * s->kernel, n = (size_t)s->c_out * s->c_in * kk;
    float *got = numbers(n, 9), *start = mni_memdup(got, n * sizeof *got);
    CHECK(start != NULL);
    mni_grad_unpack(s, p->dw, 0, mni_blocks(s->c_out), got);    /* adds */
    for (size_t f = 0; f < n / kk; f++) {
        double off[49] = { 0 };
        if (bound) bound(p, f / s->c_in, f % s->c_in, off);
        for (size_t t = 0; t < kk; t++) {
            double terms;
            const double want = twice * wanted_dw(p, f / s->c_in, f % s->c_in,
                                                  t / s->kernel, t % s->kernel, &terms);
            const double d = (double)got[f * kk + t] - start[f * kk + t];
            if (!bound) off[t] = ((double)(p->n * p->out) + 8) * FLT_EPSILON * terms;
            if (!(fabs(d - want) <= twice * off[t] + 2 * FLT_EPSILON * (fabs(d) + 1)))
                test_fail(__FILE__, __LINE__,
                          "%s dw %u->%u %ux%u kernel %u stride %u planar %d n %zu, "
                          "filter %zu tap %zu: %.9g, wanted %.9g", name, s->c_in,
                          s->c_out, s->h_in, s->w_in, s->kernel, s->stride, s->planar,
                          p->n, f, t, d, want);
        }
    }
    mni_free(got);
    mni_free(start);
}

static mni_dw_args dw_args(const problem *p)
{
    return (mni_dw_args){ p->s, p->n, p->n_x, p->n_y, 0, p->s.h_out, p->bx, p->bdy,
                          p->dw };
}

static void check_dw(const level *l, mni_conv_shape s, size_t n)
{
    problem p = make(s, n, mni_conv_weight_floats(&s));
    mni_dw_args a = dw_args(&p);
    (s.planar ? mni_grad_dw_first : mni_grad_dw)(&l->grad, &a);
    compare_dw(&p, l->grad.name, 1, NULL);
    for (size_t row = 0; row < s.h_out; row += 3) {     /* once more, in bands: it adds */
        a.row = row;
        a.row_end = row + 3 < s.h_out ? row + 3 : s.h_out;
        (s.planar ? mni_grad_dw_first : mni_grad_dw)(&l->grad, &a);
    }
    compare_dw(&p, l->grad.name, 2, NULL);
    unmake(&p);
}

static void weights_of_blocked(void)
{
    static const uint32_t c[][2] = { { 16, 16 }, { 3, 17 }, { 33, 20 } };
    static const uint32_t side[][2] = { { 1, 1 }, { 2, 5 }, { 7, 7 }, { 5, 19 },
                                        { 16, 16 } };
    level levels[4];
    const int n = each_level(levels);
    for (int l = 0; l < n; l++)
        for (size_t i = 0; i < sizeof c / sizeof *c; i++)
            for (size_t j = 0; j < sizeof side / sizeof *side; j++)
                for (uint32_t kernel = 1; kernel <= 3; kernel += 2)
                    for (uint32_t stride = 1; stride <= 2; stride++)
                        check_dw(&levels[l],
                                 shape_of(c[i][0], side[j][0], side[j][1], c[i][1],
                                          kernel, stride, 0), 1 + (i + j) % 3);
}

static void weights_of_the_first(void)
{
    static const uint32_t side[][2] = { { 8, 8 }, { 9, 13 }, { 23, 17 } };
    static const uint32_t c[][2] = { { 3, 32 }, { 1, 20 }, { 2, 48 } };
    level levels[4];
    const int n = each_level(levels);
    for (int l = 0; l < n; l++)
        for (size_t i = 0; i < sizeof side / sizeof *side; i++)
            for (size_t j = 0; j < sizeof c / sizeof *c; j++) {
                check_dw(&levels[l],
                         shape_of(c[j][0], side[i][0], side[i][1], c[j][1], 3, 1, 1), 2);
                check_dw(&levels[l],
                         shape_of(c[j][0], side[i][0], side[i][1], c[j][1], 7, 2, 1), 1);
            }
}

/* --- dw at Winograd's points -------------------------------------------------------- */

/* The bound of kern_grad.h: every matrix and number by its absolute value. */
static void wino_bound(const problem *p, size_t o, size_t i, double *to)
{
    const mni_conv_shape *s = &p->s;
    const long across = (s->w_out + 3) / 4, tiles = (s->h_out + 3) / 4 * across;
    double a[24], gt[18], sum[36] = { 0 };
    for (int r = 0; r < 4; r++)
        for (int c = 0; c < 6; c++) a[c * 4 + r] = at_4[r * 6 + c];
    for (int r = 0; r < 6; r++)
        for (int c = 0; c < 3; c++) gt[c * 6 + r] = g_4[r * 3 + c];
    for (size_t b = 0; b < p->n; b++)
        for (long t = 0; t < tiles; t++) {
            const long h0 = t / across * 4, w0 = t % across * 4;
            const float *x = p->x + (b * s->c_in + i) * p->in,
                        *dy = p->dy + (b * s->c_out + o) * p->out;
            double d[36], e[16], v[36], z[36];
            for (long k = 0; k < 36; k++) {
                const long h = h0 + k / 6 - 1, w = w0 + k % 6 - 1;
                const int is_in =
                    h >= 0 && w >= 0 && h < (long)s->h_in && w < (long)s->w_in;
                d[k] = is_in ? fabs((double)x[h * (long)s->w_in + w]) : 0;
            }
            for (long k = 0; k < 16; k++) {
                const long h = h0 + k / 4, w = w0 + k % 4;
                const int is_in = h < (long)s->h_out && w < (long)s->w_out;
                e[k] = is_in ? fabs((double)dy[h * (long)s->w_out + w]) : 0;
            }
            both_sides(bt_4, 6, 6, d, 1, v);
            both_sides(a, 6, 4, e, 1, z);
            for (int k = 0; k < 36; k++) sum[k] += v[k] * z[k];
        }
    both_sides(gt, 3, 6, sum, 1, to);
    for (int k = 0; k < 9; k++)
        to[k] *= (double)((size_t)tiles * p->n + 40) * FLT_EPSILON;
}

static void check_dw_wino(const level *l, mni_conv_shape s, size_t n)
{
    const size_t n_dw = mni_conv_weight_floats(&s) * 4, blocks = mni_blocks(s.c_out);
    problem p = make(s, n, n_dw);
    float *points = numbers(n_dw, 0),
          *scratch = mni_alloc_aligned(mni_grad_wino_floats(&s, n), sizeof(float), 0);
    CHECK(scratch != NULL);
    memset(points, 0, n_dw * sizeof *points);
    memset(scratch, 0xFF, mni_grad_wino_floats(&s, n) * sizeof *scratch);
    mni_dw_args a = dw_args(&p);
    a.dw = points;
    mni_grad_dw_wino(&l->grad, &l->conv, &a, scratch);
    mni_grad_from_points(&s, points, 0, blocks, p.dw);
    compare_dw(&p, l->grad.name, 1, wino_bound);
    if (n == 1) {                                       /* once more, in bands */
        for (size_t row = 0; row < s.h_out; row += 4) {
            a.row = row;
            a.row_end = row + 4 < s.h_out ? row + 4 : s.h_out;
            mni_grad_dw_wino(&l->grad, &l->conv, &a, scratch);
        }
        mni_grad_from_points(&s, points, 0, blocks, p.dw);
        compare_dw(&p, l->grad.name, 2, wino_bound);
    }
    mni_free(points);
    mni_free(scratch);
    unmake(&p);
}

static void weights_at_the_points(void)
{
    static const uint32_t c[][2] = { { 16, 16 }, { 3, 17 }, { 33, 20 } };
    static const uint32_t side[][2] = { { 4, 4 }, { 2, 5 }, { 7, 9 }, { 16, 16 },
                                        { 13, 20 } };
    level levels[4];
    const int n = each_level(levels);
    for (int l = 0; l < n; l++)
        for (size_t i = 0; i < sizeof c / sizeof *c; i++)
            for (size_t j = 0; j < sizeof side / sizeof *side; j++)
                check_dw_wino(&levels[l],
                              shape_of(c[i][0], side[j][0], side[j][1], c[i][1], 3, 1, 0),
                              1 + (i + j) % 3);
}

/* --- dx ----------------------------------------------------------------------------- */

/* dx of image b in planes, in double, and the sums of absolute values. */
static void wanted_dx(const problem *p, size_t b, int add_r, double *dx, double *terms)
{
    const mni_conv_shape *s = &p->s;
    for (size_t i = 0; i < s->c_in * p->in; i++) {
        dx[i] = add_r ? p->r[b * s->c_in * p->in + i] : 0;
        terms[i] = fabs(dx[i]);
    }
    for (size_t o = 0; o < s->c_out; o++)
        for (size_t q = 0; q < p->out; q++)
            for (size_t i = 0; i < s->c_in; i++)
                for (size_t t = 0; t < (size_t)s->kernel * s->kernel; t++) {
                    const size_t h = q / s->w_out * s->stride + t / s->kernel - s->pad,
                                 w = q % s->w_out * s->stride + t % s->kernel - s->pad;
                    if (h >= s->h_in || w >= s->w_in) continue;
                    const double d = (double)p->dy[(b * s->c_out + o) * p->out + q] *
                                     p->w[(o * s->c_in + i) * s->kernel * s->kernel + t];
                    dx[i * p->in + h * s->w_in + w] += d;
                    terms[i * p->in + h * s->w_in + w] += fabs(d);
                }
}

static void compare_dx(const problem *p, const char *name, int add_r)
{
    const mni_conv_shape *s = &p->s;
    const size_t lanes = mni_blocks(s->c_in) * MNI_BLOCK;
    double *want = mni_alloc(2 * s->c_in * p->in, sizeof *want),
           *terms = want + s->c_in * p->in;
    for (size_t b = 0; b < p->n; b++) {
        wanted_dx(p, b, add_r, want, terms);
        for (size_t i = 0; i < lanes * p->in; i++) {
            const size_t c = i / p->in, q = i % p->in;
            const double got = p->bdx[b * p->n_x +
                                      (c / MNI_BLOCK * p->in + q) * MNI_BLOCK +
                                      c % MNI_BLOCK];
            const double w = c < s->c_in ? want[i] : 0,
                         off = c < s->c_in ? (s->c_out * 9.0 + 8) * FLT_EPSILON * terms[i]
                                           : 0;
            if (!(fabs(got - w) <= off))
                test_fail(__FILE__, __LINE__,
                          "%s dx %u->%u %ux%u kernel %u stride %u, channel %zu place %zu:"
                          " %.9g, wanted %.9g", name, s->c_in, s->c_out, s->h_in, s->w_in,
                          s->kernel, s->stride, c, q, got, w);
        }
    }
    mni_free(want);
}

/* r: 0 none, 1 another array, 2 dx itself. */
static void check_dx(const level *l, mni_conv_shape s, size_t n, int r)
{
    problem p = make(s, n, mni_conv_weight_floats(&s));
    const size_t n_x = n * p.n_x * sizeof *p.bdx;
    mni_grad_pack_turned(&s, p.w, s.stride == 1, 0, mni_blocks(s.c_in), p.bw);
    for (int bands = 0; bands < 2; bands++) {
        float *const before = bands ? mni_memdup(p.bdx, n_x) : NULL;
        if (r == 2) memcpy(p.bdx, p.br, n_x);
        for (size_t b = 0; b < n; b++)
            for (size_t row = 0, end; row < s.h_in; row = end) {
                end = bands && row + 2 < s.h_in ? row + 2 : s.h_in;
                float *dx = p.bdx + b * p.n_x;
                const float *add = r == 0 ? NULL : r == 1 ? p.br + b * p.n_x : dx;
                if (s.stride == 2) {
                    const mni_dx_args a = { s, row, end, p.bdy + b * p.n_y, p.bw, add,
                                            dx };
                    mni_grad_dx_strided(&l->grad, &a);
                } else {
                    const mni_conv_args a = {
                        { s.c_out, s.h_out, s.w_out, s.c_in, s.h_in, s.w_in, s.kernel, 1,
                          s.pad, 0 }, p.bdy + b * p.n_y, p.bw, NULL, add, dx, 0 };
                    l->conv.direct(&a, 0, mni_blocks(s.c_in), row, end);
                }
            }
        compare_dx(&p, l->grad.name, r != 0);
        if (bands) CHECK(memcmp(before, p.bdx, n_x) == 0);
        mni_free(before);
    }
    unmake(&p);
}

static void maps(void)
{
    static const uint32_t c[][2] = { { 16, 32 }, { 17, 3 }, { 40, 20 } };
    level levels[4];
    const int n = each_level(levels);
    for (int l = 0; l < n; l++)
        for (size_t i = 0; i < sizeof c / sizeof *c; i++)
            for (uint32_t w = 1; w <= 37; w += w < 9 ? 1 : 7)
                for (uint32_t kernel = 1; kernel <= 3; kernel += 2)
                    for (uint32_t stride = 1; stride <= 2; stride++)
                        check_dx(&levels[l],
                                 shape_of(c[i][0], 1 + w * 3 % 7, w, c[i][1], kernel,
                                          stride, 0), 1 + w % 2, (int)(w + i) % 3);
}

/* --- packing ------------------------------------------------------------------------ */

static void weights_there_and_back(void)
{
    const mni_conv_shape shapes[] = { shape_of(20, 8, 8, 35, 3, 1, 0),
                                      shape_of(20, 8, 8, 35, 1, 2, 0),
                                      shape_of(3, 8, 8, 35, 7, 2, 1) };
    for (size_t i = 0; i < 3; i++) {
        const mni_conv_shape *s = &shapes[i];
        const size_t n = mni_conv_weight_floats(s),
                     n_w = (size_t)s->c_out * s->c_in * s->kernel * s->kernel;
        float *w = numbers(n_w, 1), *one = numbers(n, 2), *two = numbers(n, 3);
        mni_conv_pack_weights(s, w, one);
        mni_grad_pack(s, w, 1, 3, two);
        mni_grad_pack(s, w, 0, 1, two);
        CHECK(memcmp(one, two, n * sizeof *one) == 0);
        float *back = mni_alloc(n_w, sizeof *back);
        mni_grad_unpack(s, two, 0, 3, back);
        CHECK(memcmp(w, back, n_w * sizeof *w) == 0);
        mni_free(back);
        for (int m = 2; m <= 4 && i == 0; m += 2) {
            const size_t n_p = mni_wino_weight_floats(s, m);
            float *p = numbers(n_p, 4), *q = numbers(n_p, 5);
            mni_wino_pack_weights(s, m, w, p);
            mni_grad_points(s, m, one, 0, 3, q);
            for (size_t k = 0; k < n_p; k++) CHECK_NEAR(q[k], p[k], 12 * FLT_EPSILON);
            mni_free(p);
            mni_free(q);
        }
        mni_free(w); mni_free(one); mni_free(two);
    }
}

/* --- norm, ReLU and add ------------------------------------------------------------- */

enum { PLACES = 200, FLOATS = PLACES * MNI_BLOCK };

typedef struct norms {
    float z[FLOATS], r[FLOATS], dy[FLOATS], y[3][FLOATS], d[2][FLOATS], dz[FLOATS];
    double mean[MNI_BLOCK], squares[MNI_BLOCK], sums[2][3][MNI_BLOCK];
} norms;

static void run_norms(const mni_kern_norm *k, norms *t, const float (*c)[MNI_BLOCK],
                      size_t places)
{
    fill(t->z, FLOATS, 1);
    fill(t->r, FLOATS, 2);
    fill(t->dy, FLOATS, 3);
    memset(t->sums, 0, sizeof t->sums);
    k->stats(t->z, places, t->mean, t->squares);
    for (int i = 0; i < 3; i++) {
        const mni_norm_act a = { t->z, c[0], c[1], i ? t->r : NULL,
                                 i == 2 ? c[2] : NULL, i == 2 ? c[3] : NULL, t->y[i] };
        k->act(&a, places);
    }
    for (int i = 0; i < 2; i++) {
        const mni_norm_mask m = { t->dy, t->y[i], t->z, c[4], i ? t->r : NULL,
                                  i ? c[5] : NULL, t->d[i], t->sums[i][0],
                                  t->sums[i][1], t->sums[i][2] };
        k->mask(&m, places);
    }
    k->grad(t->d[0], t->z, c[0], c[1], c[2], places, t->dz);
}

static void compare_norms(const norms *t, const float (*c)[MNI_BLOCK], size_t places)
{
    for (size_t l = 0; l < MNI_BLOCK; l++) {
        double mean = 0, squares = 0, sums[2][3] = { { 0 } };
        for (size_t p = 0; p < places; p++) mean += t->z[p * MNI_BLOCK + l];
        mean /= (double)places;
        for (size_t p = 0; p < places; p++) {
            const size_t at = p * MNI_BLOCK + l;
            const double z = t->z[at], r = t->r[at];
            squares += (z - mean) * (z - mean);
            for (int i = 0; i < 3; i++) {
                const double add = i == 0 ? 0 : i == 1 ? r : r * c[2][l] + c[3][l];
                const double y = z * c[0][l] + c[1][l] + add;
                CHECK_NEAR(t->y[i][at], y > 0 ? y : 0, 4e-7);
                if (i == 2) continue;
                const double d = t->y[i][at] > 0 ? t->dy[at] : 0;
                CHECK(t->d[i][at] == d);
                sums[i][0] += d;
                sums[i][1] += d * (z - c[4][l]);
                if (i) sums[i][2] += d * (r - c[5][l]);
            }
            CHECK_NEAR(t->dz[at], t->d[0][at] * c[0][l] + z * c[1][l] + c[2][l], 4e-7);
        }
        CHECK_NEAR(t->mean[l], mean, 1e-6);
        CHECK_NEAR(t->squares[l], squares, 1e-6 * (double)places);
        for (int i = 0; i < 6; i++)
            CHECK_NEAR(t->sums[i / 3][i % 3][l], sums[i / 3][i % 3],
                       1e-6 * (double)places);
    }
}

/* All levels give the same bits, and the right ones; what lies behind stays as it was. */
static void norms_at_every_level(void)
{
    level levels[4];
    const int n = each_level(levels);
    norms *t = mni_alloc(2, sizeof *t);
    float c[6][MNI_BLOCK];
    for (size_t i = 0; i < 6; i++) fill(c[i], MNI_BLOCK, 20 + i);
    for (size_t places = 1; places <= PLACES; places += places < 70 ? 1 : 43)
        for (int l = 0; l < n; l++) {
            memset(&t[l > 0], 0, sizeof *t);
            run_norms(&levels[l].norm, &t[l > 0], (const float (*)[MNI_BLOCK])c, places);
            if (l) CHECK(memcmp(&t[0], &t[1], sizeof *t) == 0);
            else compare_norms(t, (const float (*)[MNI_BLOCK])c, places);
        }
    mni_free(t);
}

const test_case kern_grad_tests[];
const test_case kern_grad_tests[] = {
    { "weights_of_blocked", weights_of_blocked, 0 },
    { "weights_of_the_first", weights_of_the_first, 0 },
    { "weights_at_the_points", weights_at_the_points, 0 },
    { "maps", maps, 0 },
    { "weights_there_and_back", weights_there_and_back, 0 },
    { "norms_at_every_level", norms_at_every_level, 0 },
    { 0 }
};
