/* test_kern_nn.c - the matrix product: every level and kind, all small sizes, the edges
 * of every block, fences, and the promise about bits. SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "kern/kern_nn.h"
#include "os/cpu.h"

static int each_level(mni_kern_nn out[3])
{
    static const unsigned steps[] = { MNI_CPU_AVX2, MNI_CPU_AVX512, MNI_CPU_NEON };
    const unsigned cpu = mni_cpu_detect();
    int n = 0;
    unsigned have = 0;
    mni_kern_nn_build(&out[n++], 0);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (cpu & steps[i]) mni_kern_nn_build(&out[n++], have |= steps[i]);
    return n;
}

static void fill(float *x, size_t n, uint64_t slot)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 3, n, slot);
    for (size_t i = 0; i < n; i++) x[i] = mni_rng_range(&r, -1.0f, 1.0f);
}

/* A problem in memory that ends at unreadable pages, with gaps of `pad` floats between
 * rows. */
typedef struct problem {
    mni_gemm_args g;
    float *a, *b, *c;
    size_t n_a, n_b, n_c, n_work;
    void *work;
} problem;

static size_t span(size_t rows, size_t cols, size_t ld)
{
    return rows ? (rows - 1) * ld + cols : 0;
}

static problem make(const mni_kern_nn *kern, mni_gemm_kind kind, size_t m, size_t n,
                    size_t k, size_t pad, int add)
{
    const size_t a_rows = kind == MNI_GEMM_TN ? k : m,
                 a_cols = kind == MNI_GEMM_TN ? m : k;
    const size_t b_rows = kind == MNI_GEMM_NT ? n : k,
                 b_cols = kind == MNI_GEMM_NT ? k : n;
    problem p = { .g = { kind, m, n, k, NULL, a_cols + pad, NULL, b_cols + pad, NULL,
                         n + pad, add } };
    p.n_a = span(a_rows, a_cols, p.g.lda);
    p.n_b = span(b_rows, b_cols, p.g.ldb);
    p.n_c = span(m, n, p.g.ldc);
    p.g.a = p.a = test_fence(p.n_a * sizeof *p.a, 0);
    p.g.b = p.b = test_fence(p.n_b * sizeof *p.b, 0);
    p.g.c = p.c = test_fence(p.n_c * sizeof *p.c, 0);
    p.n_work = mni_gemm_workspace_bytes_of(kern, &p.g);
    p.work = test_fence(p.n_work, 0);
    fill(p.a, p.n_a, 1);
    fill(p.b, p.n_b, 2);
    fill(p.c, p.n_c, 3);
    memset(p.work, 0xFF, p.n_work);             /* NaN wherever packing forgot a float */
    return p;
}

static void unmake(problem *p)
{
    test_fence_free(p->a, p->n_a * sizeof *p->a, 0);
    test_fence_free(p->b, p->n_b * sizeof *p->b, 0);
    test_fence_free(p->c, p->n_c * sizeof *p->c, 0);
    test_fence_free(p->work, p->n_work, 0);
}

static float at_a(const mni_gemm_args *g, size_t i, size_t p)
{
    return g->kind == MNI_GEMM_TN ? g->a[p * g->lda + i] : g->a[i * g->lda + p];
}

static float at_b(const mni_gemm_args *g, size_t p, size_t j)
{
    return g->kind == MNI_GEMM_NT ? g->b[j * g->ldb + p] : g->b[p * g->ldb + j];
}

/* Every output against a sum in double; every gap untouched. old: C as it was before. */
static void compare(const mni_gemm_args *g, const float *old, const char *level)
{
    for (size_t i = 0; i < g->m; i++) {
        for (size_t j = 0; j < g->n; j++) {
            double sum = g->add ? old[i * g->ldc + j] : 0, terms = fabs(sum);
            for (size_t p = 0; p < g->k; p++) {
                const double t = (double)at_a(g, i, p) * at_b(g, p, j);
                sum += t;
                terms += fabs(t);
            }
            const double got = g->c[i * g->ldc + j],
                         bound = (double)(g->k + 8) * FLT_EPSILON * terms;
            if (!(fabs(got - sum) <= bound))
                test_fail(__FILE__, __LINE__,
                          "%s kind %d, %zu x %zu x %zu add %d, at %zu,%zu: "
                          "%.9g, wanted %.9g within %g",
                          level, (int)g->kind, g->m, g->n, g->k, g->add, i, j, got, sum,
                          bound);
        }
        if (i + 1 < g->m)
            for (size_t j = g->n; j < g->ldc; j++)
                CHECK(g->c[i * g->ldc + j] == old[i * g->ldc + j]);
    }
}

static void check(const mni_kern_nn *kern, mni_gemm_kind kind, size_t m, size_t n,
                  size_t k, size_t pad, int add)
{
    problem p = make(kern, kind, m, n, k, pad, add);
    float *old = test_fence(p.n_c * sizeof *old, 0);
    memcpy(old, p.c, p.n_c * sizeof *old);
    mni_gemm_of(kern, &p.g, NULL, p.work);
    compare(&p.g, old, kern->name);
    test_fence_free(old, p.n_c * sizeof *old, 0);
    unmake(&p);
}

/* m to past a full tile and one row of the next, n likewise. */
static void every_small_size(void)
{
    static const size_t depths[] = { 0, 1, 2, 7, 8, 9, 17 };
    mni_kern_nn levels[3];
    const int n_levels = each_level(levels);
    for (int l = 0; l < n_levels; l++)
        for (int kind = 0; kind < 3; kind++)
            for (size_t m = 0; m <= levels[l].mr + 1; m++)
                for (size_t n = 0; n <= levels[l].nr + 2; n++) {
                    const size_t d = (m * 7 + n * 3) % 7;
                    check(&levels[l], (mni_gemm_kind)kind, m, n, depths[d], (m + n) % 3,
                          (int)(n % 2));
                }
}

/* Around the borders of the blocks: KC = 256, a chunk of 192 x 384. */
static void block_borders(void)
{
    static const size_t sizes[][3] = { { 1, 1, 255 },   { 3, 50, 256 },  { 9, 49, 257 },
                                       { 5, 17, 513 },  { 191, 20, 30 }, { 193, 49, 30 },
                                       { 7, 383, 40 },  { 10, 385, 40 }, { 200, 400, 33 },
                                       { 64, 100, 576 } };
    mni_kern_nn levels[3];
    const int n_levels = each_level(levels);
    for (int l = 0; l < n_levels; l++)
        for (int kind = 0; kind < 3; kind++)
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
                check(&levels[l], (mni_gemm_kind)kind, sizes[i][0], sizes[i][1],
                      sizes[i][2], i % 2 * 5, (int)(i % 2));
}

/* More rows, or columns, than one packed block holds (3072). */
static void past_the_largest_block(void)
{
    mni_kern_nn levels[3];
    const int n_levels = each_level(levels);
    for (int l = 0; l < n_levels; l++)
        for (int kind = 0; kind < 3; kind++) {
            check(&levels[l], (mni_gemm_kind)kind, 3080, 5, 11, 1, 0);
            check(&levels[l], (mni_gemm_kind)kind, 5, 3090, 261, 1, 1);
        }
}

/* One row, one column, and a corner, each computed alone: the bits of the whole. */
static void bits_do_not_depend_on_the_size(void)
{
    enum { M = 45, N = 101, K = 300 };
    mni_kern_nn levels[3];
    const int n_levels = each_level(levels);
    for (int l = 0; l < n_levels; l++)
        for (int kind = 0; kind < 3; kind++)
            for (int add = 0; add < 2; add++) {
                problem p = make(&levels[l], (mni_gemm_kind)kind, M, N, K, 2, add);
                float old[M * (N + 2)], part[M * (N + 2)];
                memcpy(old, p.c, p.n_c * sizeof *old);
                mni_gemm_of(&levels[l], &p.g, NULL, p.work);
                mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 4, 0, 0);
                for (int t = 0; t < 60; t++) {
                    const uint32_t i = mni_rng_below(&r, M), j = mni_rng_below(&r, N);
                    mni_gemm_args g = p.g;
                    g.m = t % 3 == 0 ? 1 : 1 + mni_rng_below(&r, M - i);
                    g.n = t % 3 == 1 ? 1 : 1 + mni_rng_below(&r, N - j);
                    g.a += kind == MNI_GEMM_TN ? i : i * g.lda;
                    g.b += kind == MNI_GEMM_NT ? j * g.ldb : j;
                    memcpy(part, old, p.n_c * sizeof *old);
                    g.c = part + i * g.ldc + j;
                    mni_gemm_of(&levels[l], &g, NULL, p.work);
                    for (size_t row = 0; row < g.m; row++)
                        CHECK(memcmp(g.c + row * g.ldc, p.c + (i + row) * g.ldc + j,
                                     g.n * sizeof *part) == 0);
                }
                unmake(&p);
            }
}

static void bits_do_not_depend_on_threads(void)
{
    enum { M = 400, N = 500, K = 270 };
    mni_kern_nn levels[3];
    const int n_levels = each_level(levels);
    for (int l = 0; l < n_levels; l++)
        for (int kind = 0; kind < 3; kind++) {
            problem p = make(&levels[l], (mni_gemm_kind)kind, M, N, K, 0, 0);
            mni_gemm_of(&levels[l], &p.g, NULL, p.work);
            float *want = mni_memdup(p.c, p.n_c * sizeof *want);
            CHECK(want != NULL);
            for (uint32_t threads = 2; threads <= 7; threads += 5) {
                mni_pool *pool;
                CHECK_OK(mann_pool_new(&pool, threads, NULL));
                memset(p.c, 0, p.n_c * sizeof *p.c);
                mni_gemm_of(&levels[l], &p.g, pool, p.work);
                mann_pool_free(pool);
                CHECK(memcmp(p.c, want, p.n_c * sizeof *want) == 0);
            }
            mni_free(want);
            unmake(&p);
        }
}

/* The fused levels add in the same order: AVX2 and AVX-512 agree to the bit. */
static void fused_levels_agree(void)
{
    mni_kern_nn levels[3];
    if (each_level(levels) < 3) test_skip("this CPU has no AVX-512");
    problem p = make(&levels[1], MNI_GEMM_NN, 50, 70, 600, 0, 0);
    problem q = make(&levels[2], MNI_GEMM_NN, 50, 70, 600, 0, 0);
    mni_gemm_of(&levels[1], &p.g, NULL, p.work);
    mni_gemm_of(&levels[2], &q.g, NULL, q.work);
    CHECK(memcmp(p.c, q.c, p.n_c * sizeof *p.c) == 0);
    unmake(&p);
    unmake(&q);
}

/* Also with BLAS=1. NaN in C must not survive when C is not added to. */
static void the_entry_and_the_definition(void)
{
    for (int kind = 0; kind < 3; kind++)
        for (int add = 0; add < 2; add++) {
            problem p =
                make(mni_kern_nn_best(), (mni_gemm_kind)kind, 33, 65, 129, 1, add);
            float old[33 * 66];
            if (!add)
                for (size_t i = 0; i < p.g.m; i++)
                    for (size_t j = 0; j < p.g.n; j++) p.c[i * p.g.ldc + j] = NAN;
            memcpy(old, p.c, p.n_c * sizeof *old);
            CHECK(mni_gemm_workspace_bytes(&p.g) == p.n_work);
            mni_gemm(&p.g, NULL, p.work);
            compare(&p.g, old, "mni_gemm");
            memcpy(p.c, old, p.n_c * sizeof *old);
            mni_gemm_plain(&p.g);
            compare(&p.g, old, "mni_gemm_plain");
            unmake(&p);
        }
}

/* A NaN in row i of A reaches all of row i of C and nothing else; padding multiplies
 * nothing in. */
static void nan_stays_in_its_row(void)
{
    mni_kern_nn levels[3];
    const int n_levels = each_level(levels);
    for (int l = 0; l < n_levels; l++)
        for (size_t bad = 0; bad < 11; bad++) {
            problem p = make(&levels[l], MNI_GEMM_NN, 11, 50, 20, 0, 0);
            p.a[bad * p.g.lda + 13] = NAN;
            mni_gemm_of(&levels[l], &p.g, NULL, p.work);
            for (size_t i = 0; i < 11; i++)
                for (size_t j = 0; j < 50; j++)
                    CHECK((isnan(p.c[i * p.g.ldc + j]) != 0) == (i == bad));
            unmake(&p);
        }
}

/* Packing: `out` ends at the fence, lanes without a row are left alone or 0. */
static void check_turn(const mni_kern_nn *kern, size_t width, size_t rows, size_t k)
{
    const size_t ld = k + 3, n_in = span(rows, k, ld), n_out = k * width;
    float *in = test_fence(n_in * sizeof *in, 0),
          *out = test_fence(n_out * sizeof *out, 0);
    fill(in, n_in, 5);
    for (size_t i = 0; i < n_out; i++) out[i] = 7.0f;
    kern->turn(in, ld, rows, k, width, out);
    for (size_t j = 0; j < k; j++)
        for (size_t i = 0; i < width; i++) {
            const float got = out[j * width + i];
            CHECK(i < rows ? got == in[i * ld + j] : got == 7.0f || got == 0.0f);
        }
    test_fence_free(in, n_in * sizeof *in, 0);
    test_fence_free(out, n_out * sizeof *out, 0);
}

static void turning_stays_in_its_panel(void)
{
    mni_kern_nn levels[3];
    const int n_levels = each_level(levels);
    for (int l = 0; l < n_levels; l++)
        for (size_t k = 1; k <= 18; k++) {
            for (size_t rows = 1; rows <= levels[l].mr; rows++)
                check_turn(&levels[l], levels[l].mr, rows, k);
            for (size_t rows = 1; rows <= levels[l].nr; rows++)
                check_turn(&levels[l], levels[l].nr, rows, k);
        }
}

const test_case kern_nn_tests[];
const test_case kern_nn_tests[] = {
    { "every_small_size", every_small_size, 0 },
    { "block_borders", block_borders, 0 },
    { "past_the_largest_block", past_the_largest_block, 0 },
    { "bits_do_not_depend_on_the_size", bits_do_not_depend_on_the_size, 0 },
    { "bits_do_not_depend_on_threads", bits_do_not_depend_on_threads, 0 },
    { "fused_levels_agree", fused_levels_agree, 0 },
    { "the_entry_and_the_definition", the_entry_and_the_definition, 0 },
    { "nan_stays_in_its_row", nan_stays_in_its_row, 0 },
    { "turning_stays_in_its_panel", turning_stays_in_its_panel, 0 },
    { 0 }
};
