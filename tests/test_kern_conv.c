/* test_kern_conv.c - convolutions on blocked maps: every level, odd shapes, fences, and
 * the promise about bits. SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "kern/kern_conv.h"
#include "os/cpu.h"

static int each_level(mni_kern_conv out[4])
{
    static const unsigned steps[] = { MNI_CPU_AVX2, MNI_CPU_AVX512, MNI_CPU_NEON };
    const unsigned cpu = mni_cpu_detect();
    int n = 0;
    unsigned have = 0;
    mni_kern_conv_build(&out[n++], 0);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (cpu & steps[i]) mni_kern_conv_build(&out[n++], have |= steps[i]);
    return n;
}

/* A convolution whose arrays end at unreadable pages; plain copies in planes. */
typedef struct problem {
    mni_conv_args a;
    size_t n_x, n_w, n_b, n_y;
    float *x, *w, *bias, *r, *y;                /* fenced; x, r, y blocked */
    float *planes, *weights, *residual;         /* as the definition has them */
} problem;

static float *numbers(size_t n, uint64_t slot)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 5, n, slot);
    float *x = mni_alloc(n, sizeof *x);
    CHECK(x != NULL);
    for (size_t i = 0; i < n; i++) x[i] = mni_rng_range(&r, -1.0f, 1.0f);
    return x;
}

static float *fenced(size_t n) { return test_fence(n * sizeof(float), 0); }

static mni_conv_shape shape_of(uint32_t c_in, uint32_t h, uint32_t w, uint32_t c_out,
                               uint32_t kernel, uint32_t stride, int planar)
{
    const uint32_t pad = kernel / 2;
    return (mni_conv_shape){ c_in, h, w, c_out, (h + 2 * pad - kernel) / stride + 1,
                             (w + 2 * pad - kernel) / stride + 1, kernel, stride, pad,
                             planar };
}

/* extras: 1 bias, 2 residual, 4 ReLU. */
static problem make(mni_conv_shape s, int extras)
{
    const size_t in = (size_t)s.h_in * s.w_in, out = (size_t)s.h_out * s.w_out;
    problem p = { .n_x = s.planar ? s.c_in * in : mni_blocked_floats(s.c_in, in),
                  .n_w = mni_conv_weight_floats(&s),
                  .n_b = mni_blocks(s.c_out) * MNI_BLOCK,
                  .n_y = mni_blocked_floats(s.c_out, out) };
    p.planes = numbers(s.c_in * in, 1);
    p.weights = numbers((size_t)s.c_out * s.c_in * s.kernel * s.kernel, 2);
    p.residual = numbers(s.c_out * out, 3);
    float *bias = numbers(s.c_out, 4);
    p.x = fenced(p.n_x);
    p.w = fenced(p.n_w);
    p.bias = fenced(p.n_b);
    p.r = fenced(p.n_y);
    p.y = fenced(p.n_y);
    if (s.planar) memcpy(p.x, p.planes, p.n_x * sizeof *p.x);
    else mni_blocked_from_planes(p.planes, s.c_in, in, p.x);
    mni_blocked_from_planes(p.residual, s.c_out, out, p.r);
    mni_conv_pack_weights(&s, p.weights, p.w);
    mni_conv_pack_bias(bias, s.c_out, p.bias);
    mni_free(bias);
    for (size_t i = 0; i < p.n_y; i++) p.y[i] = NAN;
    p.a = (mni_conv_args){ s, p.x, p.w, extras & 1 ? p.bias : NULL,
                           extras & 2 ? p.r : NULL, p.y, extras & 4 };
    return p;
}

static void unmake(problem *p)
{
    test_fence_free(p->x, p->n_x * sizeof *p->x, 0);
    test_fence_free(p->w, p->n_w * sizeof *p->w, 0);
    test_fence_free(p->bias, p->n_b * sizeof *p->bias, 0);
    test_fence_free(p->r, p->n_y * sizeof *p->r, 0);
    test_fence_free(p->y, p->n_y * sizeof *p->y, 0);
    mni_free(p->planes);
    mni_free(p->weights);
    mni_free(p->residual);
}

/* One output from planes, in double; *terms: the sum of absolute values. */
static double wanted(const problem *p, size_t o, size_t row, size_t col, double *terms)
{
    const mni_conv_shape *s = &p->a.s;
    double sum = p->a.bias ? p->bias[o] : 0;
    *terms = fabs(sum);
    for (size_t i = 0; i < s->c_in; i++)
        for (size_t u = 0; u < s->kernel; u++)
            for (size_t v = 0; v < s->kernel; v++) {
                const size_t h = row * s->stride + u - s->pad,
                             w = col * s->stride + v - s->pad;
                if (h >= s->h_in || w >= s->w_in) continue;     /* wraps: huge */
                const double t =
                    (double)p->planes[(i * s->h_in + h) * s->w_in + w] *
                    p->weights[((o * s->c_in + i) * s->kernel + u) * s->kernel + v];
                sum += t;
                *terms += fabs(t);
            }
    if (p->a.r) {
        const double r = p->residual[(o * s->h_out + row) * s->w_out + col];
        sum += r;
        *terms += fabs(r);
    }
    return p->a.relu && sum < 0 ? 0 : sum;
}

static void compare(const problem *p, const char *level)
{
    const mni_conv_shape *s = &p->a.s;
    const double n = (double)s->c_in * s->kernel * s->kernel;
    for (size_t o = 0; o < mni_blocks(s->c_out) * MNI_BLOCK; o++)
        for (size_t r = 0; r < s->h_out; r++)
            for (size_t c = 0; c < s->w_out; c++) {
                const double got = p->y[((o / MNI_BLOCK * s->h_out + r) * s->w_out + c) *
                                            MNI_BLOCK + o % MNI_BLOCK];
                double terms = 0, want = 0;
                if (o < s->c_out) want = wanted(p, o, r, c, &terms);
                if (!(fabs(got - want) <= (n + 8) * FLT_EPSILON * terms))
                    test_fail(__FILE__, __LINE__,
                              "%s %u->%u %ux%u kernel %u stride %u planar %d, channel "
                              "%zu at %zu,%zu: %.9g, wanted %.9g",
                              level, s->c_in, s->c_out, s->h_in, s->w_in,
                              s->kernel, s->stride, s->planar, o, r, c,
                              got, want);
            }
}

static void check(const mni_kern_conv *k, mni_conv_shape s, int extras)
{
    problem p = make(s, extras);
    (s.planar ? k->first : k->direct)(&p.a, 0, mni_blocks(s.c_out), 0, s.h_out);
    compare(&p, k->name);
    unmake(&p);
}

/* Widths from one place to past two tiles; 1x1 maps, 5x7, odd sizes under stride 2. */
static void every_width(void)
{
    mni_kern_conv levels[4];
    const int n = each_level(levels);
    for (int l = 0; l < n; l++)
        for (uint32_t w = 1; w <= 18; w++)
            for (uint32_t kernel = 1; kernel <= 3; kernel += 2)
                for (uint32_t stride = 1; stride <= 2; stride++) {
                    const uint32_t h = 1 + w * 5 % 7;
                    check(&levels[l], shape_of(16, h, w, 80, kernel, stride, 0),
                          (int)(w + stride) % 8);
                }
}

static void channels_that_fill_no_block(void)
{
    static const uint32_t c[][2] = { { 1, 1 }, { 3, 17 }, { 17, 5 }, { 20, 33 },
                                     { 40, 50 }, { 33, 100 }, { 7, 112 } };
    mni_kern_conv levels[4];
    const int n = each_level(levels);
    for (int l = 0; l < n; l++)
        for (size_t i = 0; i < sizeof c / sizeof *c; i++)
            for (uint32_t kernel = 1; kernel <= 3; kernel += 2)
                for (uint32_t stride = 1; stride <= 2; stride++)
                    check(&levels[l],
                          shape_of(c[i][0], 5, 7, c[i][1], kernel, stride, 0),
                          (int)(i + kernel + stride) % 8);
}

static void the_first_layer(void)
{
    static const uint32_t sides[][2] = { { 8, 8 }, { 9, 13 }, { 23, 17 }, { 16, 40 } };
    static const uint32_t c[][2] = { { 3, 64 }, { 1, 20 }, { 4, 32 }, { 16, 16 },
                                     { 3, 112 } };
    mni_kern_conv levels[4];
    const int n = each_level(levels);
    for (int l = 0; l < n; l++)
        for (size_t i = 0; i < sizeof sides / sizeof *sides; i++)
            for (size_t j = 0; j < sizeof c / sizeof *c; j++)
                for (int big = 0; big < 2; big++)
                    check(&levels[l],
                          shape_of(c[j][0], sides[i][0], sides[i][1], c[j][1],
                                   big ? 7 : 3, big ? 2 : 1, 1), (int)(i + j) % 8);
}

/* In one piece, and in as many as there are rows and groups of blocks. */
static void bits_do_not_depend_on_the_cut(void)
{
    mni_kern_conv levels[4];
    const int n = each_level(levels);
    for (int l = 0; l < n; l++)
        for (int kind = 0; kind < 4; kind++) {
            const mni_conv_shape s = kind == 3 ? shape_of(3, 19, 23, 96, 7, 2, 1)
                                   : kind == 2 ? shape_of(48, 9, 11, 96, 1, 1, 0)
                                               : shape_of(48, 9, 11, 96, 3,
                                                          (uint32_t)kind + 1, 0);
            const mni_conv_fn fn = s.planar ? levels[l].first : levels[l].direct;
            problem p = make(s, 7);
            fn(&p.a, 0, 6, 0, s.h_out);
            float *whole = mni_memdup(p.y, p.n_y * sizeof *p.y);
            CHECK(whole != NULL);
            for (size_t step = 1; step <= 4; step += 3) {
                memset(p.y, 0xFF, p.n_y * sizeof *p.y);
                for (size_t b = 0; b < 6; b += step)
                    for (size_t r = 0; r < s.h_out; r++)
                        fn(&p.a, b, b + step < 6 ? b + step : 6, r, r + 1);
                CHECK(memcmp(p.y, whole, p.n_y * sizeof *p.y) == 0);
            }
            memset(p.y, 0xFF, p.n_y * sizeof *p.y);
            fn(&p.a, 3, 3, 0, s.h_out);
            fn(&p.a, 0, 6, 2, 2);
            for (size_t i = 0; i < p.n_y; i++) CHECK(isnan(p.y[i]));
            mni_free(whole);
            unmake(&p);
        }
}

static void maps_there_and_back(void)
{
    float *planes = numbers(37 * 15, 9), *back = numbers(37 * 15, 8);
    float *blocked = fenced(mni_blocked_floats(37, 15));
    mni_blocked_from_planes(planes, 37, 15, blocked);
    for (size_t c = 37; c < 48; c++)
        for (size_t p = 0; p < 15; p++)
            CHECK(blocked[(c / MNI_BLOCK * 15 + p) * MNI_BLOCK + c % MNI_BLOCK] == 0.0f);
    mni_planes_from_blocked(blocked, 37, 15, back);
    CHECK(memcmp(planes, back, 37 * 15 * sizeof *back) == 0);
    test_fence_free(blocked, mni_blocked_floats(37, 15) * sizeof *blocked, 0);
    mni_free(planes);
    mni_free(back);
}

const test_case kern_conv_tests[];
const test_case kern_conv_tests[] = {
    { "every_width", every_width, 0 },
    { "channels_that_fill_no_block", channels_that_fill_no_block, 0 },
    { "the_first_layer", the_first_layer, 0 },
    { "bits_do_not_depend_on_the_cut", bits_do_not_depend_on_the_cut, 0 },
    { "maps_there_and_back", maps_there_and_back, 0 },
    { 0 }
};
