/* test_kern_pq.c - sums of table entries: every level this CPU has gives the numbers of
 * plain C, bit for bit, and reads and writes nothing else.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "kern/kern_pq.h"
#include "os/cpu.h"

enum { LEVELS = 6, CANARY = 0x5A5A5A5A };

static int each_level(mni_kern_pq out[LEVELS])
{
    static const unsigned steps[] = { MNI_CPU_AVX2, MNI_CPU_AVX512, MNI_CPU_VNNI,
                                      MNI_CPU_VBMI, MNI_CPU_NEON };
    const unsigned cpu = mni_cpu_detect();
    int n = 0;
    unsigned have = 0;
    mni_kern_pq_build(&out[n++], 0);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (cpu & steps[i]) mni_kern_pq_build(&out[n++], have |= steps[i]);
    return n;
}

/* The meaning of the layout, from the words of kern_pq.h. */
static int32_t expected(const mni_pq_args *a, int bits, size_t b, size_t row)
{
    int32_t sum = 0;
    for (size_t p = 0; p < a->pieces; p++) {
        const uint8_t *codes = a->codes + b * a->stride;
        if (bits == 8) sum += a->tables[p * 256 + codes[p * 32 + row]];
        else sum += a->tables[p * 16 + (codes[p * 16 + row % 16] >> row / 16 * 4 & 15)];
    }
    return sum;
}

static void check_sums(const mni_kern_pq *k, int bits, size_t pieces, size_t n_blocks,
                       size_t gap, int extreme)
{
    const size_t block = pieces * (size_t)(bits == 8 ? 32 : 16), stride = block + gap;
    const size_t bytes = n_blocks ? (n_blocks - 1) * stride + block : 0;
    const size_t n_tables = pieces * (bits == 8 ? 256 : 16);
    uint8_t *codes = test_fence(bytes, 0), *tables = test_fence(n_tables, 0);
    int32_t *out = mni_alloc(n_blocks * 32 + 1, sizeof *out);
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, pieces, n_blocks, (uint64_t)bits);
    for (size_t i = 0; i < bytes; i++) codes[i] = (uint8_t)mni_rng_below(&r, 256);
    for (size_t i = 0; i < n_tables; i++)
        tables[i] = extreme ? 255 : (uint8_t)mni_rng_below(&r, 256);
    for (size_t i = 0; i <= n_blocks * 32; i++) out[i] = CANARY;
    const mni_pq_args a = { codes, n_blocks, stride, pieces, tables, out };
    (bits == 8 ? k->sum8 : k->sum4)(&a);
    for (size_t b = 0; b < n_blocks; b++)
        for (size_t row = 0; row < 32; row++)
            if (out[b * 32 + row] != expected(&a, bits, b, row))
                test_fail(__FILE__, __LINE__, "%s: %d bits, %zu pieces, block %zu of %zu",
                          k->name, bits, pieces, b, n_blocks);
    CHECK_EQ(out[n_blocks * 32], CANARY);
    mni_free(out);
    test_fence_free(codes, bytes, 0);
    test_fence_free(tables, n_tables, 0);
}

static void sums_at_every_level(void)
{
    mni_kern_pq levels[LEVELS];
    const int n = each_level(levels);
    for (int l = 0; l < n; l++)
        for (size_t pieces = 0; pieces < 20; pieces++)
            for (size_t blocks = 0; blocks < 10; blocks++) {
                check_sums(&levels[l], 8, pieces, blocks, pieces % 3 * 64, 0);
                if (pieces % 4 == 0)
                    check_sums(&levels[l], 4, pieces, blocks, blocks % 3 * 64, 0);
            }
}

/* So many pieces, and so large entries, that 16 bits do not hold the sum. */
static void long_sums(void)
{
    static const size_t pieces[] = { 252, 256, 260, 512, 1000 };
    mni_kern_pq levels[LEVELS];
    const int n = each_level(levels);
    for (int l = 0; l < n; l++)
        for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
            for (int extreme = 0; extreme < 2; extreme++) {
                check_sums(&levels[l], 4, pieces[i], 3, 0, extreme);
                check_sums(&levels[l], 8, pieces[i], 5, 0, extreme);
            }
}

static void floats_at_every_level(void)
{
    enum { MOST = 9, WIDE = 256 };
    mni_kern_pq levels[LEVELS];
    const int n_levels = each_level(levels);
    float x[MOST], book[MOST * WIDE], half[WIDE], out[WIDE], low, high;
    uint8_t bytes[WIDE];
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 1, 2, 3);
    for (size_t n = 0; n <= MOST; n++)
        for (size_t width = 16; width <= WIDE; width *= 4) {
            for (size_t i = 0; i < n; i++) x[i] = mni_rng_range(&r, -3, 3);
            for (size_t i = 0; i < n * width; i++) book[i] = mni_rng_range(&r, -3, 3);
            for (size_t i = 0; i < width; i++) half[i] = mni_rng_range(&r, 0, 9);
            for (size_t i = 0; i < width; i += 3) half[i] = 1.5f;
            for (int l = 0; l < n_levels; l++) {
                float want[WIDE], least = INFINITY, most = -INFINITY;
                uint32_t best = 0;
                for (size_t j = 0; j < width; j++) {
                    want[j] = 0;
                    for (size_t d = 0; d < n; d++) want[j] += x[d] * book[d * width + j];
                    least = want[j] < least ? want[j] : least;
                    most = want[j] > most ? want[j] : most;
                    if (half[j] - want[j] < half[best] - want[best]) best = (uint32_t)j;
                }
                levels[l].products(x, book, n, width, out, &low, &high);
                CHECK(memcmp(out, want, width * sizeof *out) == 0);
                CHECK(low == least && high == most);
                CHECK_EQ(levels[l].nearest(x, book, half, n, width), best);
                levels[l].bytes(out, width, low, 20.0f, bytes);
                for (size_t j = 0; j < width; j++) {
                    const float v = (want[j] - low) * 20.0f + 0.5f;
                    CHECK_EQ(bytes[j], v < 255.0f ? (int)v : 255);
                }
            }
        }
}

/* What a damaged file can hold. */
static void not_numbers(void)
{
    mni_kern_pq levels[LEVELS];
    const int n = each_level(levels);
    float in[16], half[16] = { 0 };
    uint8_t out[16];
    for (int i = 0; i < 16; i++)
        in[i] = i % 4 == 0 ? NAN : i % 4 == 1 ? INFINITY : i % 4 == 2 ? -INFINITY : 7.0f;
    for (int l = 0; l < n; l++) {
        levels[l].bytes(in, 16, 0.0f, 1.0f, out);
        for (int i = 0; i < 16; i++)
            CHECK_EQ(out[i], i % 4 == 1 ? 255 : i % 4 == 3 ? 7 : 0);
        CHECK(levels[l].nearest(in + 3, in, half, 1, 16) < 16);
    }
}

extern const test_case kern_pq_tests[];
const test_case kern_pq_tests[] = {
    { "sums_at_every_level", sums_at_every_level, 0 },
    { "long_sums", long_sums, 0 },
    { "floats_at_every_level", floats_at_every_level, 0 },
    { "not_numbers", not_numbers, 0 },
    { NULL, NULL, 0 }
};
