/* test_kern_i8.c - products of bytes: every level this CPU has gives the numbers of plain
 * C, bit for bit, and reads and writes nothing else. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "kern/kern_i8.h"
#include "os/cpu.h"

enum { LEVELS = 5, CANARY = 0x5A5A5A5A };

static int each_level(mni_kern_i8 out[LEVELS])
{
    static const unsigned steps[] = { MNI_CPU_AVX2, MNI_CPU_AVX512, MNI_CPU_VNNI,
                                      MNI_CPU_NEON };
    const unsigned cpu = mni_cpu_detect();
    int n = 0;
    unsigned have = 0;
    mni_kern_i8_build(&out[n++], 0);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (cpu & steps[i]) mni_kern_i8_build(&out[n++], have |= steps[i]);
    return n;
}

static void check_dots(const mni_kern_i8 *k, size_t groups, size_t n_blocks,
                       size_t n_queries, size_t gap, int extreme)
{
    const size_t stride = groups * MNI_I8_GROUP_BYTES + gap;
    const size_t bytes = n_blocks ? (n_blocks - 1) * stride + stride - gap : 0;
    const size_t n_q = n_queries * groups * 4, wide = n_blocks * MNI_I8_ROWS + 3;
    uint8_t *blocks = test_fence(bytes, 0);
    int8_t *queries = test_fence(n_q, 0);
    int32_t *out = mni_alloc(n_queries * wide + 1, sizeof *out), *want;
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, groups, n_blocks, n_queries);
    for (size_t i = 0; i < bytes; i++)
        blocks[i] = extreme ? 255 : (uint8_t)mni_rng_below(&r, 256);
    for (size_t i = 0; i < n_q; i++)
        queries[i] = (int8_t)(extreme > 1 ? -k->q_max
                              : extreme   ? k->q_max
                                          : (int)mni_rng_below(&r, 129) - 64);
    for (size_t i = 0; i <= n_queries * wide; i++) out[i] = CANARY;
    want = mni_memdup(out, (n_queries * wide + 1) * sizeof *out);
    mni_kern_i8 plain;
    mni_kern_i8_build(&plain, 0);
    mni_i8_args a = { blocks, n_blocks, stride, groups, queries, n_queries, out, wide };
    k->dots(&a);
    a.out = want;
    plain.dots(&a);
    if (memcmp(out, want, (n_queries * wide + 1) * sizeof *out) != 0)
        test_fail(__FILE__, __LINE__, "%s: %zu groups, %zu blocks, %zu queries", k->name,
                  groups, n_blocks, n_queries);
    mni_free(out);
    mni_free(want);
    test_fence_free(blocks, bytes, 0);
    test_fence_free(queries, n_q, 0);
}

static void dots_are_those_of_plain_c(void)
{
    mni_kern_i8 levels[LEVELS];
    const int n = each_level(levels);
    for (int l = 0; l < n; l++)
        for (size_t groups = 0; groups < 12; groups++)
            for (size_t blocks = 0; blocks < 4; blocks++)
                for (size_t queries = 0; queries < 20; queries++)
                    check_dots(&levels[l], groups, blocks, queries, groups % 3 * 64, 0);
    for (int l = 0; l < n; l++)
        for (int extreme = 1; extreme < 3; extreme++)
            check_dots(&levels[l], 512, 2, 9, 0, extreme);
}

static void picks_and_lowest(void)
{
    enum { N = 70 };
    mni_kern_i8 levels[LEVELS];
    const int n_levels = each_level(levels);
    int32_t dots[N];
    float plus[N];
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 1, 0, 0);
    for (int i = 0; i < N; i++) {
        dots[i] = (int32_t)mni_rng_below(&r, 2000001) - 1000000;
        plus[i] = 1000 * mni_rng_normal(&r);
    }
    plus[40] = NAN;
    plus[60] = INFINITY;
    for (int l = 0; l < n_levels; l++)
        for (size_t n = 0; n <= N; n++)
            for (int t = 0; t < 4; t++) {
                const float limit = t == 0 ? INFINITY : t == 1 ? -1e9f : 200.0f * t - 500;
                uint32_t index[2][N + 1];
                float value[2][N + 1];
                memset(index, 7, sizeof index);
                memset(value, 7, sizeof value);
                const size_t a = levels[0].pick(dots, plus, n, 0.01f, limit, index[0],
                                                value[0]);
                CHECK_EQ(levels[l].pick(dots, plus, n, 0.01f, limit, index[1], value[1]),
                         a);
                CHECK(memcmp(index[0], index[1], a * sizeof index[0][0]) == 0);
                CHECK(memcmp(value[0], value[1], a * sizeof value[0][0]) == 0);
                CHECK(levels[l].lowest(dots, plus, n, 0.01f) ==
                      levels[0].lowest(dots, plus, n, 0.01f));
            }
}

static void rows_are_decoded_alike(void)
{
    enum { N = 67 };
    mni_kern_i8 levels[LEVELS];
    const int n_levels = each_level(levels);
    for (int l = 0; l < n_levels; l++) {
        for (uint32_t from = 0; from < 65536; from += N) {
            uint16_t *half = test_fence(N * sizeof *half, 0);
            float got[N], want[N];
            for (uint32_t i = 0; i < N; i++) half[i] = (uint16_t)(from + i);
            for (uint32_t i = 0; i < N; i++)
                if ((half[i] & 0x7C00) == 0x7C00 && (half[i] & 0x3FF)) half[i] = 0;
            levels[l].from_f16(half, N, got);
            for (int i = 0; i < N; i++) want[i] = mni_f32_from_f16(half[i]);
            CHECK(memcmp(got, want, sizeof got) == 0);
            test_fence_free(half, N * sizeof *half, 0);
        }
        for (size_t n = 0; n <= N; n++) {
            float *v = test_fence(n * sizeof *v, 0);
            double got[8] = { 1, 2, 3 }, want[8] = { 1, 2, 3 };
            mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 2, n, 0);
            for (size_t i = 0; i < n; i++) v[i] = mni_rng_normal(&r);
            levels[l].squares(v, n, got);
            levels[0].squares(v, n, want);
            CHECK(memcmp(got, want, sizeof got) == 0);
            test_fence_free(v, n * sizeof *v, 0);
        }
        for (size_t n = 0; n <= N; n++) {
            const float scales[] = { 0.0f, 0.01f, 1e-30f, 3.0f };
            float *v = test_fence(n * sizeof *v, 0);
            uint8_t *got = test_fence(n, 0), want[N + 1];
            for (size_t i = 0; i < n; i++)
                v[i] = i == 5 ? NAN : i == 9 ? -INFINITY
                                             : (float)i * (i % 2 ? 0.031f : -0.5f);
            for (int s = 0; s < 4; s++) {
                double a[8] = { 1, 2 }, b[8] = { 1, 2 };
                levels[l].round(v, n, scales[s], got, a);
                levels[0].round(v, n, scales[s], want, b);
                CHECK(n == 0 || memcmp(got, want, n) == 0);
                for (int i = 0; i < 8; i++)
                    CHECK(a[i] == b[i] || (isnan(a[i]) && isnan(b[i])));
                for (size_t i = 0; i < n; i++) {
                    const double near = scales[s] > 0 ? v[i] * (1 / scales[s]) : 0;
                    const double c = near < 127 ? near > -127 ? near : -127 : 127;
                    CHECK(!isfinite(v[i]) || fabs(want[i] - 128 - c) <= 0.5001);
                }
            }
            test_fence_free(v, n * sizeof *v, 0);
            test_fence_free(got, n, 0);
        }
        for (size_t n = 0; n <= N; n++) {
            int8_t *code = test_fence(n, 0);
            float got[N + 1], want[N + 1];
            memset(got, 0, sizeof got);
            memset(want, 0, sizeof want);
            for (size_t i = 0; i < n; i++) code[i] = (int8_t)(i * 37);
            levels[l].from_i8(code, n, 0.0123f, got);
            for (size_t i = 0; i < n; i++) want[i] = 0.0123f * (float)code[i];
            CHECK(memcmp(got, want, sizeof got) == 0);
            test_fence_free(code, n, 0);
        }
    }
}

const test_case kern_i8_tests[];
const test_case kern_i8_tests[] = {
    { "dots_are_those_of_plain_c", dots_are_those_of_plain_c, 0 },
    { "picks_and_lowest", picks_and_lowest, 0 },
    { "rows_are_decoded_alike", rows_are_decoded_alike, 0 },
    { 0 }
};
