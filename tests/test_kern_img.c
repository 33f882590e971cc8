/* test_kern_img.c - resampling at every level: the bytes of the plain version, nothing
 * read or written outside. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/rng.h"
#include "harness.h"
#include "image/image.h"
#include "image/resize.h"
#include "kern/kern_img.h"
#include "os/cpu.h"

static int each_level(mni_kern_img out[4])
{
    static const unsigned steps[] = { MNI_CPU_AVX2, MNI_CPU_AVX512, MNI_CPU_NEON };
    const unsigned cpu = mni_cpu_detect();
    int n = 0;
    unsigned have = 0;
    mni_kern_img_build(&out[n++], 0);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (cpu & steps[i]) mni_kern_img_build(&out[n++], have |= steps[i]);
    return n;
}

/* Pixels that end at an unreadable page; every third picture is black and white only,
 * where a sum that runs over shows. */
static mann_image draw(uint32_t w, uint32_t h, uint32_t channels, uint64_t slot)
{
    mann_image im = { w, h, channels, NULL };
    const size_t n = (size_t)w * h * channels;
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 31, n, slot);
    im.pixels = test_fence(n, 0);
    for (size_t i = 0; i < n; i++) {
        const uint32_t v = mni_rng_below(&r, 256);
        im.pixels[i] = (uint8_t)(slot % 3 ? v : v < 128 ? 0 : 255);
    }
    return im;
}

static void check(const mni_kern_img *levels, int n_levels, const uint32_t size[4],
                  uint32_t channels, uint64_t slot)
{
    mann_image in = draw(size[0], size[1], channels, slot), want, got;
    const size_t n = (size_t)size[2] * size[3] * channels;
    CHECK_OK(mni_image_resize_of(&levels[0], &want, &in, size[2], size[3], NULL));
    for (int l = 1; l < n_levels; l++) {
        CHECK_OK(mni_image_resize_of(&levels[l], &got, &in, size[2], size[3], NULL));
        if (memcmp(want.pixels, got.pixels, n) != 0)
            test_fail(__FILE__, __LINE__, "%s: %u x %u x %u to %u x %u differs",
                      levels[l].name, size[0], size[1], channels, size[2], size[3]);
        mann_image_clear(&got);
    }
    mann_image_clear(&want);
    test_fence_free(in.pixels, (size_t)size[0] * size[1] * channels, 0);
}

static void same_bytes_at_every_level(void)
{
    static const uint32_t sizes[][4] = {
        { 1, 1, 1, 1 },     { 1, 1, 9, 7 },       { 2, 3, 16, 16 },   { 17, 9, 16, 16 },
        { 500, 375, 224, 224 }, { 33, 65, 64, 32 }, { 200, 10, 3, 100 },
        { 640, 48, 1, 1 },
        { 1000, 7, 999, 6 }, { 5, 400, 5, 16 },   { 96, 96, 64, 64 }, { 3, 2000, 11, 2 },
    };
    mni_kern_img levels[4];
    const int n_levels = each_level(levels);
    uint64_t slot = 0;
    for (uint32_t channels = 1; channels <= 4; channels++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            check(levels, n_levels, sizes[i], channels, slot++);
        mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 32, channels, 0);
        for (int i = 0; i < 60; i++) {
            uint32_t size[4];
            for (int k = 0; k < 4; k++) size[k] = 1 + mni_rng_below(&r, 60);
            check(levels, n_levels, size, channels, slot++);
        }
    }
}

/* `down` alone: every width around a piece, into a buffer that ends at a fence. */
static void down_stays_inside(void)
{
    enum { N = 6, MOST = 80 };
    mni_kern_img levels[4];
    const int n_levels = each_level(levels);
    int32_t weight[N];
    uint32_t pairs[N];
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 33, 0, 0);
    for (int k = 0; k < N; k++)
        weight[k] = (int32_t)mni_rng_below(&r, (1u << MNI_TAP_BITS) / N);
    for (int k = 0; k < N; k += 2) {
        pairs[k] = (uint32_t)(weight[k] >> MNI_TAP_SPLIT) |
                   (uint32_t)(weight[k + 1] >> MNI_TAP_SPLIT) << 16;
        pairs[k + 1] = ((uint32_t)weight[k] & 2047) | ((uint32_t)weight[k + 1] & 2047)
                                                          << 16;
    }
    for (size_t n = 1; n <= MOST; n++) {
        uint8_t *rows[N], want[MOST];
        for (int k = 0; k < N; k++) {
            rows[k] = test_fence(n, 0);
            for (size_t i = 0; i < n; i++) rows[k][i] = (uint8_t)mni_rng_below(&r, 256);
        }
        mni_down_c(want, (const uint8_t *const *)rows, weight, pairs, N, n);
        for (int l = 0; l < n_levels; l++) {
            uint8_t *got = test_fence(n, 0);
            levels[l].down(got, (const uint8_t *const *)rows, weight, pairs, N, n);
            CHECK(memcmp(want, got, n) == 0);
            test_fence_free(got, n, 0);
        }
        for (int k = 0; k < N; k++) test_fence_free(rows[k], n, 0);
    }
}

const test_case kern_img_tests[];
const test_case kern_img_tests[] = {
    { "same_bytes_at_every_level", same_bytes_at_every_level, 0 },
    { "down_stays_inside", down_stays_inside, 0 },
    { 0 }
};
