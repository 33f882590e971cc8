/* test_kern_wino.c - Winograd's tiles: every level and tile size, odd maps and channels,
 * the stated bound of every output, and the promise about bits.
 * SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "kern/kern_wino.h"
#include "os/cpu.h"
#include "wino_points.h"

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

static float *numbers(size_t n, uint64_t slot)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 6, n, slot);
    float *x = mni_alloc_aligned(n, sizeof *x, 0);
    CHECK(x != NULL);
    for (size_t i = 0; i < n; i++) x[i] = mni_rng_range(&r, -1.0f, 1.0f);
    return x;
}

typedef struct problem {
    mni_conv_shape s;
    size_t images;
    float *planes, *weights, *residual, *bias;          /* as the definition has them */
    float *x, *w, *packed_bias, *r, *y, *scratch;
} problem;

/* One tile of one channel of one image: values (not absolute) or their bounds. */
static void tile_of(const problem *p, int m, size_t image, size_t o, size_t tile,
                    int absolute, double *out)
{
    const mni_conv_shape *s = &p->s;
    const int side = m + 2;
    const size_t across = (s->w_out + (size_t)m - 1) / (size_t)m;
    const long h0 = (long)(tile / across) * m - 1, w0 = (long)(tile % across) * m - 1;
    double sum[36] = { 0 };
    for (size_t i = 0; i < s->c_in; i++) {
        double d[36], g[9], v[36], u[36];
        const float *x = p->planes + (image * s->c_in + i) * s->h_in * s->w_in;
        for (int r = 0; r < side; r++)
            for (int c = 0; c < side; c++) {
                const long h = h0 + r, w = w0 + c;
                const int in = h >= 0 && w >= 0 && h < (long)s->h_in && w < (long)s->w_in;
                const double at = in ? x[h * (long)s->w_in + w] : 0;
                d[r * side + c] = absolute ? fabs(at) : at;
            }
        for (int t = 0; t < 9; t++) {
            const double at = p->weights[(o * s->c_in + i) * 9 + (size_t)t];
            g[t] = absolute ? fabs(at) : at;
        }
        both_sides(m == 2 ? bt_2 : bt_4, side, side, d, absolute, v);
        both_sides(m == 2 ? g_2 : g_4, side, 3, g, absolute, u);
        for (int k = 0; k < side * side; k++) sum[k] += v[k] * u[k];
    }
    both_sides(m == 2 ? at_2 : at_4, m, side, sum, absolute, out);
}

static problem make(mni_conv_shape s, size_t images)
{
    const size_t places = (size_t)s.h_in * s.w_in;
    problem p = { .s = s, .images = images };
    p.planes = numbers(images * s.c_in * places, 1);
    p.weights = numbers((size_t)s.c_out * s.c_in * 9, 2);
    p.residual = numbers(images * s.c_out * places, 3);
    p.bias = numbers(s.c_out, 4);
    const size_t n_x = mni_blocked_floats(s.c_in, places),
                 n_y = mni_blocked_floats(s.c_out, places);
    p.x = mni_alloc_aligned(images * n_x, sizeof *p.x, 0);
    p.r = mni_alloc_aligned(images * n_y, sizeof *p.r, 0);
    p.y = mni_alloc_aligned(images * n_y, sizeof *p.y, 0);
    p.packed_bias = mni_alloc_aligned(mni_blocks(s.c_out) * MNI_BLOCK, sizeof *p.bias, 0);
    CHECK(p.x && p.r && p.y && p.packed_bias);
    for (size_t i = 0; i < images; i++) {
        mni_blocked_from_planes(p.planes + i * s.c_in * places, s.c_in, places,
                                p.x + i * n_x);
        mni_blocked_from_planes(p.residual + i * s.c_out * places, s.c_out, places,
                                p.r + i * n_y);
    }
    mni_conv_pack_bias(p.bias, s.c_out, p.packed_bias);
    return p;
}

static void unmake(problem *p)
{
    mni_free(p->planes); mni_free(p->weights); mni_free(p->residual); mni_free(p->bias);
    mni_free(p->x); mni_free(p->r); mni_free(p->y); mni_free(p->packed_bias);
    mni_free(p->w); mni_free(p->scratch);
}

/* Weights and scratch (as small as it may be, NaN inside) for m. */
static mni_conv_args prepare(problem *p, int m, size_t tiles, int relu)
{
    const size_t n_w = mni_wino_weight_floats(&p->s, m),
                 n_s = mni_wino_scratch_floats(&p->s, m, tiles);
    p->w = mni_alloc_aligned(n_w, sizeof *p->w, 0);
    p->scratch = mni_alloc_aligned(n_s, sizeof *p->scratch, 0);
    CHECK(p->w && p->scratch);
    mni_wino_pack_weights(&p->s, m, p->weights, p->w);
    memset(p->scratch, 0xFF, n_s * sizeof *p->scratch);
    const size_t places = (size_t)p->s.h_out * p->s.w_out;
    memset(p->y, 0xFF, p->images * mni_blocked_floats(p->s.c_out, places) * sizeof *p->y);
    return (mni_conv_args){ p->s, p->x, p->w, p->packed_bias, p->r, p->y, relu };
}

static void compare_tile(const problem *p, int m, int relu, size_t image, size_t o,
                         size_t tile, const char *level)
{
    const mni_conv_shape *s = &p->s;
    const size_t side = (size_t)m, across = (s->w_out + side - 1) / side;
    double want[16], terms[16];
    tile_of(p, m, image, o, tile, 0, want);
    tile_of(p, m, image, o, tile, 1, terms);
    for (size_t k = 0; k < side * side; k++) {
        const size_t h = tile / across * side + k / side,
                     w = tile % across * side + k % side;
        if (h >= s->h_out || w >= s->w_out) continue;
        const size_t place = h * s->w_out + w, places = (size_t)s->h_out * s->w_out;
        const double r = p->residual[(image * s->c_out + o) * places + place];
        double v = want[k] + p->bias[o] + r;
        if (relu && v < 0) v = 0;
        const double bound = (s->c_in + 40) * (double)FLT_EPSILON *
                             (terms[k] + fabs(p->bias[o]) + fabs(r));
        const double got = p->y[image * mni_blocked_floats(s->c_out, places) +
                                (o / MNI_BLOCK * places + place) * MNI_BLOCK +
                                o % MNI_BLOCK];
        if (!(fabs(got - v) <= bound))
            test_fail(__FILE__, __LINE__,
                      "%s m %d, %u->%u %ux%u, image %zu channel %zu at %zu,%zu: %.9g, "
                      "wanted %.9g within %g", level, m, s->c_in, s->c_out, s->h_in,
                      s->w_in, image, o, h, w, got, v, bound);
    }
}

static void check(const mni_kern_conv *k, int m, uint32_t c_in, uint32_t h, uint32_t w,
                  uint32_t c_out, size_t images)
{
    problem p = make((mni_conv_shape){ c_in, h, w, c_out, h, w, 3, 1, 1, 0 }, images);
    const size_t tiles = mni_wino_tiles(&p.s, m);
    const mni_conv_args a = prepare(&p, m, images * tiles, (int)w % 2);
    mni_wino_run(k, &a, m, 0, images * tiles, p.scratch);
    for (size_t i = 0; i < images; i++)
        for (size_t o = 0; o < c_out; o++)
            for (size_t t = 0; t < tiles; t++)
                compare_tile(&p, m, (int)w % 2, i, o, t, k->name);
    const size_t n_y = mni_blocked_floats(c_out, (size_t)h * w);
    for (size_t at = (c_out - 1) / MNI_BLOCK * h * w * MNI_BLOCK; at < n_y; at++)
        if (at % MNI_BLOCK > (c_out - 1) % MNI_BLOCK) CHECK(p.y[at] == 0.0f);
    unmake(&p);
}

static void within_the_bound(void)
{
    static const uint32_t shapes[][4] = {
        { 1, 1, 1, 1 },   { 16, 5, 7, 16 },  { 3, 8, 8, 20 },  { 33, 7, 7, 48 },
        { 64, 4, 9, 80 }, { 17, 14, 6, 5 }, { 40, 2, 13, 64 }, { 100, 3, 3, 33 },
    };
    mni_kern_conv levels[4];
    const int n = each_level(levels);
    for (int l = 0; l < n; l++)
        for (int m = 2; m <= 4; m += 2)
            for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
                check(&levels[l], m, shapes[i][0], shapes[i][1], shapes[i][2],
                      shapes[i][3], 1 + i % 3);
}

/* In one piece, tile by tile, and in pieces that span images. */
static void bits_do_not_depend_on_the_range(void)
{
    mni_kern_conv levels[4];
    const int n = each_level(levels);
    for (int l = 0; l < n; l++)
        for (int m = 2; m <= 4; m += 2) {
            problem p = make((mni_conv_shape){ 48, 9, 11, 80, 9, 11, 3, 1, 1, 0 }, 3);
            const size_t all = 3 * mni_wino_tiles(&p.s, m), n_y =
                3 * mni_blocked_floats(80, 99);
            const mni_conv_args a = prepare(&p, m, all, 1);
            mni_wino_run(&levels[l], &a, m, 0, all, p.scratch);
            float *whole = mni_memdup(p.y, n_y * sizeof *whole);
            CHECK(whole != NULL);
            for (size_t step = 1; step < all; step = 2 * step + 1) {
                memset(p.y, 0xFF, n_y * sizeof *p.y);
                for (size_t t = 0; t < all; t += step)
                    mni_wino_run(&levels[l], &a, m, t, t + step < all ? t + step : all,
                                 p.scratch);
                CHECK(memcmp(p.y, whole, n_y * sizeof *whole) == 0);
            }
            mni_free(whole);
            unmake(&p);
        }
}

/* Root mean square of y's error over that of y, on a map of 16 x 16. */
static double typical(const problem *p, int m)
{
    const size_t tiles = mni_wino_tiles(&p->s, m), side = (size_t)m, across = 16 / side;
    double error = 0, size = 0;
    for (size_t o = 0; o < p->s.c_out; o++)
        for (size_t t = 0; t < tiles; t++) {
            double want[16];
            tile_of(p, m, 0, o, t, 0, want);
            for (size_t i = 0; i < side * side; i++) {
                const size_t h = t / across * side + i / side,
                             w = t % across * side + i % side;
                const double d = p->y[(h * 16 + w) * MNI_BLOCK + o] - want[i];
                error += d * d;
                size += want[i] * want[i];
            }
        }
    return sqrt(error / size);
}

/* What the bound cannot say: how large errors are in practice, on a layer of 128
 * channels, beside those of the direct sum. */
static void typical_error(void)
{
    const mni_kern_conv *k = mni_kern_conv_best();
    const mni_conv_shape s = { 128, 16, 16, 16, 16, 16, 3, 1, 1, 0 };
    for (int m = 2; m <= 4; m += 2) {
        problem p = make(s, 1);
        const size_t tiles = mni_wino_tiles(&s, m);
        mni_conv_args a = prepare(&p, m, tiles, 0);
        a.bias = a.r = NULL;
        mni_wino_run(k, &a, m, 0, tiles, p.scratch);
        const double wino = typical(&p, m);
        mni_conv_pack_weights(&s, p.weights, p.w);      /* fewer than for m: they fit */
        k->direct(&a, 0, 1, 0, 16);
        const double direct = typical(&p, m);
        CHECK(wino < direct * (m == 2 ? 1.2 : 2.7) && direct < 1e-6);
        unmake(&p);
    }
}

const test_case kern_wino_tests[];
const test_case kern_wino_tests[] = {
    { "within_the_bound", within_the_bound, 0 },
    { "bits_do_not_depend_on_the_range", bits_do_not_depend_on_the_range, 0 },
    { "typical_error", typical_error, 0 },
    { 0 }
};
