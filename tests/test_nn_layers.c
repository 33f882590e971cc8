/* test_nn_layers.c - each layer: forward against the oracle, backward against differences
 * of the oracle, fast against plain. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "kern/kern_ew.h"
#include "nn/layers.h"
#include "nn_oracle.h"
#include "os/cpu.h"

static mni_layer map_layer(mni_layer_kind kind, uint32_t c_in, uint32_t side,
                           uint32_t c_out, uint32_t kernel, uint32_t stride, uint32_t pad)
{
    const uint32_t out = (side + 2 * pad - kernel) / stride + 1;
    return (mni_layer){ .kind = kind,
                        .add = MNI_NO_TENSOR,
                        .c_in = c_in,
                        .h_in = side,
                        .w_in = side,
                        .c_out = c_out,
                        .h_out = out,
                        .w_out = out,
                        .kernel = kernel,
                        .stride = stride,
                        .pad = pad };
}

static float *filled(size_t n, uint64_t seed)
{
    float *x = mni_alloc(n + 1, sizeof *x);
    oracle_fill(x, n, seed);
    return x;
}

/* Everything a layer touches, and what its backward adds on top of `base` in each
 * gradient. */
typedef struct bench {
    mni_layer l;
    size_t n, n_x, n_y, n_w, n_b;
    float *x, *r, *w, *b, *dy;
    float *y, *dx, *dr, *dw, *db;
} bench;

static const float BASE = 0.25f;            /* gradients add: they start from here */

static bench bench_of(mni_layer l, size_t n, size_t n_w, size_t n_b, int residual)
{
    bench t = { .l = l, .n = n, .n_w = n_w, .n_b = n_b };
    t.n_x = n * l.c_in * l.h_in * l.w_in;
    t.n_y = n * l.c_out * l.h_out * l.w_out;
    t.x = filled(t.n_x, 1);
    t.w = filled(n_w, 2);
    t.b = filled(n_b, 3);
    t.dy = filled(t.n_y, 4);
    t.r = residual ? filled(t.n_y, 5) : NULL;
    t.y = mni_alloc(t.n_y, sizeof(float));
    t.dx = mni_alloc(t.n_x + 1, sizeof(float)); t.dw = mni_alloc(n_w + 1, sizeof(float));
    t.db = mni_alloc(n_b + 1, sizeof(float));
    t.dr = residual ? mni_alloc(t.n_y, sizeof(float)) : NULL;
    for (size_t i = 0; i < t.n_x; i++) t.dx[i] = BASE;
    for (size_t i = 0; i < n_w; i++) t.dw[i] = BASE;
    for (size_t i = 0; i < n_b; i++) t.db[i] = BASE;
    for (size_t i = 0; residual && i < t.n_y; i++) t.dr[i] = BASE;
    return t;
}

static void bench_free(bench *t)
{
    float *all[] = { t->x, t->r, t->w, t->b, t->dy, t->y, t->dx, t->dr, t->dw, t->db };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mni_free(all[i]);
}

typedef struct doubles { double *x, *r, *w, *b, *y; } doubles;

static double loss_of(const bench *t, const doubles *d)
{
    double loss = 0;
    oracle_layer(&t->l, t->n, d->x, d->r, d->w, d->b, d->y);
    for (size_t i = 0; i < t->n_y; i++) loss += d->y[i] * t->dy[i];
    return loss;
}

/* Each element of one input moved up and down; the slope must be what backward added to
 * BASE. */
static void check_slopes(const char *what, const bench *t, const doubles *d, double *at,
                         const float *grad, size_t count, float base)
{
    const double h = 1e-6;
    double largest = 0;
    for (size_t i = 0; grad && i < count; i++) /* fmax: GCC 12 for aarch64 breaks on it */
        if (fabs((double)grad[i]) > largest) largest = fabs((double)grad[i]);
    for (size_t i = 0; grad && i < count; i++) {
        const double old = at[i];
        at[i] = old + h;
        double up = loss_of(t, d);
        at[i] = old - h;
        double down = loss_of(t, d);
        at[i] = old;
        const double slope = (up - down) / (2 * h), got = (double)grad[i] - base;
        if (!(fabs(slope - got) <= 2e-5 * (1 + largest)))
            test_fail(__FILE__, __LINE__, "%s[%zu]: slope %.8g, backward gave %.8g", what,
                      i, slope, got);
    }
}

/* Forward and all gradients of what the benches' floats hold now. */
static void bench_check(const bench *t, float dx_base)
{
    doubles d = { oracle_doubles(t->x, t->n_x),
                  t->r ? oracle_doubles(t->r, t->n_y) : NULL,
                  oracle_doubles(t->w, t->n_w), oracle_doubles(t->b, t->n_b),
                  mni_alloc(t->n_y, sizeof(double)) };
    loss_of(t, &d);
    for (size_t i = 0; i < t->n_y; i++)
        CHECK_NEAR(t->y[i], d.y[i], 1e-5 * (1 + fabs(d.y[i])));
    check_slopes("dx", t, &d, d.x, t->dx, t->n_x, dx_base);
    check_slopes("dr", t, &d, d.r, t->dr, t->n_y, BASE);
    check_slopes("dw", t, &d, d.w, t->dw, t->n_w, BASE);
    check_slopes("db", t, &d, d.b, t->db, t->n_b, BASE);
    mni_free(d.x); mni_free(d.r); mni_free(d.w); mni_free(d.b); mni_free(d.y);
}

/* --- convolution -------------------------------------------------------------------- */

static const struct { uint32_t c_in, side, c_out, kernel, stride, pad;
} convs[] = {
    { 2, 5, 3, 3, 1, 1 }, { 3, 6, 2, 3, 2, 1 }, { 2, 7, 2, 7, 2, 3 },
    { 3, 4, 4, 1, 1, 0 }, { 3, 5, 2, 1, 2, 0 }, { 1, 3, 1, 2, 1, 0 },
    { 2, 4, 2, 5, 1, 2 }, { 1, 2, 2, 3, 1, 1 }, { 1, 6, 1, 2, 3, 1 },
};

static void conv_gradients(void)
{
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++)
        for (int fast = 0; fast < 2; fast++) {
            mni_layer l = map_layer(MNI_CONV, convs[i].c_in, convs[i].side,
                                    convs[i].c_out, convs[i].kernel, convs[i].stride,
                                    convs[i].pad);
            bench t = bench_of(l, 2, (size_t)l.c_out * l.c_in * l.kernel * l.kernel, 0,
                               0);
            float *scratch = mni_alloc(mni_conv_scratch(&l), sizeof *scratch);
            if (fast) {
                mni_conv_forward(&l, 2, t.x, t.w, (mni_after){ NULL, NULL, 0 }, t.y,
                                 scratch);
                mni_conv_backward(&l, 2, t.x, t.w, t.dy, t.dx, t.dw, scratch);
            } else {
                mni_conv_forward_plain(&l, 2, t.x, t.w, t.y);
                mni_conv_backward_plain(&l, 2, t.x, t.w, t.dy, t.dx, t.dw);
            }
            bench_check(&t, BASE);
            mni_free(scratch);
            bench_free(&t);
        }
}

/* Sizes at which a batch is cut into several tiles: of rows, and of images. */
static void conv_tiles(void)
{
    static const struct { uint32_t c_in, side, c_out, kernel, stride, n;
    } cases[] = {
        { 17, 40, 5, 3, 1, 2 }, { 40, 9, 7, 3, 2, 30 }, { 130, 6, 3, 3, 1, 9 },
        { 60, 33, 4, 1, 1, 3 }, { 3, 70, 4, 7, 2, 2 },  { 300, 4, 20, 1, 1, 70 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mni_layer l = map_layer(MNI_CONV, cases[i].c_in, cases[i].side, cases[i].c_out,
                                cases[i].kernel, cases[i].stride, cases[i].kernel / 2);
        const size_t n = cases[i].n, n_w = (size_t)l.c_out * l.c_in * l.kernel * l.kernel;
        bench a = bench_of(l, n, n_w, 0, 0), b = bench_of(l, n, n_w, 0, 0);
        float *scratch = mni_alloc(mni_conv_scratch(&l), sizeof *scratch);
        mni_conv_forward(&l, n, a.x, a.w, (mni_after){ NULL, NULL, 0 }, a.y, scratch);
        mni_conv_backward(&l, n, a.x, a.w, a.dy, a.dx, a.dw, scratch);
        mni_conv_forward_plain(&l, n, b.x, b.w, b.y);
        mni_conv_backward_plain(&l, n, b.x, b.w, b.dy, b.dx, b.dw);
        const double depth = l.c_in * l.kernel * l.kernel, tol = 3e-7 * depth;
        for (size_t k = 0; k < a.n_y; k++) CHECK_NEAR(a.y[k], b.y[k], tol);
        for (size_t k = 0; k < a.n_x; k++) CHECK_NEAR(a.dx[k], b.dx[k], 1e-4);
        for (size_t k = 0; k < n_w; k++)
            CHECK_NEAR(a.dw[k], b.dw[k], 1e-5 * sqrt((double)a.n_y));
        mni_free(scratch);
        bench_free(&a);
        bench_free(&b);
    }
}

/* An image alone and among others; and what follows a folded convolution. */
static void conv_alone_and_in_batch(void)
{
    mni_layer l = map_layer(MNI_CONV, 33, 5, 9, 3, 1, 1);
    enum { N = 37 };
    bench t = bench_of(l, N, (size_t)l.c_out * l.c_in * 9, l.c_out, 1);
    float *scratch = mni_alloc(mni_conv_scratch(&l), sizeof *scratch);
    float *plain = mni_alloc(t.n_y, sizeof *plain), one[9 * 25];
    mni_conv_forward(&l, N, t.x, t.w, (mni_after){ t.b, t.r, 1 }, t.y, scratch);
    for (size_t i = 0; i < N; i++) {
        mni_conv_forward(&l, 1, t.x + i * 33 * 25, t.w,
                         (mni_after){ t.b, t.r + i * 225, 1 }, one, scratch);
        CHECK(memcmp(one, t.y + i * 225, sizeof one) == 0);
    }
    mni_conv_forward_plain(&l, N, t.x, t.w, plain);
    for (size_t i = 0; i < t.n_y; i++) {
        double want = fmax(0, (double)plain[i] + t.b[i / 25 % 9] + t.r[i]);
        CHECK_NEAR(t.y[i], want, 1e-4);
    }
    mni_free(plain);
    mni_free(scratch);
    bench_free(&t);
}

/* --- norm --------------------------------------------------------------------------- */

static void norm_case(uint32_t c, uint32_t side, size_t n, int relu, int residual,
                      int fast)
{
    mni_layer l = map_layer(MNI_NORM, c, side, c, 1, 1, 0);
    l.relu = relu;
    bench t = bench_of(l, n, c, c, residual);
    float mean[8], var[8], abc[24];
    double pairs[2 * 8 * 16];
    const mni_kern_ew *k = mni_kern_ew_best();
    mni_norm_pairs(&l, n, t.x, pairs, k);
    mni_norm_gather(&l, n, pairs, mean, var, NULL, NULL);
    if (fast) {
        mni_norm_apply(&l, n, t.x, t.r, t.w, t.b, mean, var, t.y, k);
        mni_norm_grad_pairs(&l, n, t.x, t.y, t.dy, mean, pairs, k);
        mni_norm_grad_gather(&l, n, pairs, t.w, mean, var, t.dw, t.db, abc);
        mni_norm_grad_apply(&l, n, t.x, t.y, t.dy, abc, t.dx, t.dr, k);
    } else {
        mni_norm_forward_plain(&l, n, t.x, t.r, t.w, t.b, mean, var, t.y);
        mni_norm_backward_plain(&l, n, t.x, t.y, t.w, mean, var, t.dy, t.dx, t.dr, t.dw,
                                t.db);
    }
    bench_check(&t, fast ? 0.0f : BASE);
    bench_free(&t);
}

static void norm_gradients(void)
{
    for (int i = 0; i < 8; i++) {
        norm_case(3, 4, 3, i & 1, i >> 1 & 1, i >> 2);
        norm_case(2, 5, 4, i & 1, i >> 1 & 1, i >> 2);
    }
}

/* A channel far from 0: the sums must not be differences of large numbers. */
static void norm_statistics(void)
{
    mni_layer l = map_layer(MNI_NORM, 2, 8, 2, 1, 1, 0);
    enum { N = 5 };
    float *x = filled((size_t)N * 2 * 64, 9), mean[2], var[2], run_mean[2] = { 1, 1 },
          run_var[2] = { 2, 2 };
    double pairs[N * 4];
    for (size_t i = 0; i < N * 128; i++) x[i] = 1000 + 0.01f * x[i];
    mni_norm_pairs(&l, N, x, pairs, mni_kern_ew_best());
    mni_norm_gather(&l, N, pairs, mean, var, run_mean, run_var);
    for (size_t c = 0; c < 2; c++) {
        double m = 0, v = 0;
        for (size_t b = 0; b < N; b++)
            for (size_t p = 0; p < 64; p++) m += x[(b * 2 + c) * 64 + p] / (64.0 * N);
        for (size_t b = 0; b < N; b++)
            for (size_t p = 0; p < 64; p++) v += pow(x[(b * 2 + c) * 64 + p] - m, 2);
        CHECK_NEAR(mean[c], m, 1e-4);
        CHECK_NEAR(var[c], v / (64 * N), 1e-3 * v / (64 * N));
        CHECK_NEAR(run_mean[c], 0.9 + 0.1 * m, 1e-4);
        CHECK_NEAR(run_var[c], 1.8 + 0.1 * v / (64 * N - 1), 1e-6);
    }
    mni_free(x);
}

/* --- the others --------------------------------------------------------------------- */

static void pool_gradients(void)
{
    static const struct { uint32_t side, kernel, stride, pad; } cases[] = {
        { 6, 3, 2, 1 }, { 7, 3, 2, 1 }, { 4, 2, 2, 0 }, { 5, 3, 1, 1 } };
    for (size_t i = 0; i < 4; i++) {
        bench t = bench_of(map_layer(MNI_MAXPOOL, 2, cases[i].side, 2, cases[i].kernel,
                                     cases[i].stride, cases[i].pad),
                           2, 0, 0, 0);
        mni_maxpool_forward(&t.l, 2, t.x, t.y);
        mni_maxpool_backward(&t.l, 2, t.x, t.dy, t.dx);
        bench_check(&t, BASE);
        bench_free(&t);
    }
    mni_layer l = map_layer(MNI_AVGPOOL, 3, 5, 3, 5, 1, 0);
    bench t = bench_of(l, 2, 0, 0, 0);
    mni_avgpool_forward(&l, 2, t.x, t.y);
    mni_avgpool_backward(&l, 2, t.dy, t.dx);
    bench_check(&t, BASE);
    bench_free(&t);
}

static void maxpool_ties_go_to_the_first(void)
{
    mni_layer l = map_layer(MNI_MAXPOOL, 1, 2, 1, 2, 2, 0);
    float x[4] = { 0, -1, 0, 0 }, y, dy = 3, dx[4] = { 0 };
    mni_maxpool_forward(&l, 1, x, &y);
    mni_maxpool_backward(&l, 1, x, &dy, dx);
    CHECK(y == 0 && dx[0] == 3 && dx[1] == 0 && dx[2] == 0 && dx[3] == 0);
}

static void linear_gradients(void)
{
    mni_layer l = map_layer(MNI_LINEAR, 7, 1, 5, 1, 1, 0);
    bench t = bench_of(l, 4, 35, 5, 0);
    float *scratch = mni_alloc(mni_linear_scratch(&l, 4), sizeof *scratch);
    mni_linear_forward(&l, 4, t.x, t.w, t.b, t.y, scratch);
    mni_linear_backward(&l, 4, t.x, t.w, t.dy, t.dx, t.dw, t.db, scratch);
    bench_check(&t, BASE);
    mni_free(scratch);
    bench_free(&t);
}

static void unit_gradients(void)
{
    mni_layer l = map_layer(MNI_UNIT, 6, 1, 6, 1, 1, 0);
    bench t = bench_of(l, 3, 0, 0, 0);
    mni_unit_forward(&l, 3, t.x, t.y);
    mni_unit_backward(&l, 3, t.x, t.y, t.dy, t.dx);
    bench_check(&t, BASE);
    bench_free(&t);
    float zero[6] = { 0 }, y[6];
    mni_unit_forward(&l, 1, zero, y);
    for (int i = 0; i < 6; i++) CHECK(y[i] == 0);
}

static void relu_and_residual(void)
{
    const float x[4] = { -1, 0, 2, 3 }, r[4] = { 1, 2, 3, 4 }, dy[4] = { 5, 6, 7, 8 };
    float y[4], dx[4] = { 1, 1, 1, 1 }, dr[4] = { 2, 2, 2, 2 };
    mni_relu_forward(x, y, 4);
    CHECK(y[0] == 0 && y[1] == 0 && y[2] == 2 && y[3] == 3);
    mni_relu_backward(dx, dy, x, 4);
    CHECK(dx[0] == 1 && dx[1] == 1 && dx[2] == 8 && dx[3] == 9);
    mni_residual_forward(x, r, y, 4);
    CHECK(y[0] == 0 && y[3] == 7);
    mni_residual_backward(dx, dr, dy, 4);
    CHECK(dx[0] == 6 && dx[3] == 17 && dr[0] == 7 && dr[3] == 10);
}

/* --- kern_ew: every level gives the bits of plain C, for every length, and stays
 * inside */

typedef struct ew_out { float y[4][80]; double d[5]; } ew_out;

static void ew_run(const mni_kern_ew *k, size_t n, int form, ew_out *o)
{
    float x[80], r[80], g[80];
    memset(o, 0, sizeof *o);
    oracle_fill(x, 80, 1); oracle_fill(r, 80, 2); oracle_fill(g, 80, 3);
    for (int i = 0; i < 4; i++) oracle_fill(o->y[i], 80, 10 + (uint64_t)i);
    if (n) k->row_stats(x, n, &o->d[0], &o->d[1]);
    k->affine(o->y[0], x, form & 1 ? r : NULL, 1.5f, 0.1f, form >> 1, n);
    k->norm_sums(g, form & 1 ? r : NULL, x, 0.3f, n, &o->d[2], &o->d[3]);
    k->norm_dx(o->y[1], form & 2 ? o->y[2] : NULL, g, form & 1 ? r : NULL, x, 0.7f, -0.2f,
               0.1f, n);
    k->add(o->y[3], x, n);
    o->d[4] = k->squares(x, n);
    k->sgd(o->y[0], o->y[3], g, 0.5f, 0.01f, 0.9f, 0.1f, form & 1, n);
}

static void ew_levels_agree(void)
{
    static const unsigned caps[] = { MNI_CPU_AVX2, MNI_CPU_AVX2 | MNI_CPU_AVX512 };
    const unsigned here = mni_cpu_detect();
    mni_kern_ew plain, k;
    mni_kern_ew_build(&plain, 0);
    for (size_t c = 0; c < 2; c++) {
        if ((here & caps[c]) != caps[c]) continue;
        mni_kern_ew_build(&k, caps[c]);
        for (size_t n = 0; n <= 70; n++)
            for (int form = 0; form < 4; form++) {
                ew_out a, b;
                ew_run(&plain, n, form, &a);
                ew_run(&k, n, form, &b);
                CHECK(memcmp(&a, &b, sizeof a) == 0);
                float untouched[80];
                oracle_fill(untouched, 80, 11);
                CHECK(memcmp(a.y[1] + n, untouched + n, (80 - n) * sizeof(float)) == 0);
            }
    }
}

static void ew_stays_inside(void)
{
    mni_kern_ew k;
    mni_kern_ew_build(&k, mni_cpu_detect());
    for (size_t n = 1; n <= 40; n++) {
        float *x = test_fence(n * sizeof *x, 0), *y = test_fence(n * sizeof *y, 0),
              *r = test_fence(n * sizeof *r, 0);
        double a, b;
        oracle_fill(x, n, 1); oracle_fill(y, n, 2); oracle_fill(r, n, 3);
        k.row_stats(x, n, &a, &b);
        k.affine(y, x, r, 1, 0, 1, n);
        k.norm_sums(x, y, r, 0, n, &a, &b);
        k.norm_dx(y, NULL, x, r, r, 1, 1, 1, n);
        k.add(y, x, n);
        k.squares(x, n);
        k.sgd(x, y, r, 1, 1, 1, 1, 0, n);
        test_fence_free(x, n * sizeof *x, 0); test_fence_free(y, n * sizeof *y, 0);
        test_fence_free(r, n * sizeof *r, 0);
    }
}

const test_case nn_layers_tests[];
const test_case nn_layers_tests[] = {
    { "conv_gradients", conv_gradients, 0 },
    { "conv_tiles", conv_tiles, 0 },
    { "conv_alone_and_in_batch", conv_alone_and_in_batch, 0 },
    { "norm_gradients", norm_gradients, 0 },
    { "norm_statistics", norm_statistics, 0 },
    { "pool_gradients", pool_gradients, 0 },
    { "maxpool_ties_go_to_the_first", maxpool_ties_go_to_the_first, 0 },
    { "linear_gradients", linear_gradients, 0 },
    { "unit_gradients", unit_gradients, 0 },
    { "relu_and_residual", relu_and_residual, 0 },
    { "ew_levels_agree", ew_levels_agree, 0 },
    { "ew_stays_inside", ew_stays_inside, 0 },
    { 0 }
};
