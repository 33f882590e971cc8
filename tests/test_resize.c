/* test_resize.c - resampling and the preparation recipe. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "image/image.h"
#include "image/prep.h"
#include "image/resize.h"

static mann_image row_of(uint8_t *pixels, uint32_t n)
{
    return (mann_image){ n, 1, 1, pixels };
}

/* Computed by hand from the weights 2 * max(in, out) - |(2x + 1) * out - (2i + 1) *
 * in|. */
static void by_hand(void)
{
    mann_image out;
    uint8_t four[4] = { 0, 70, 140, 210 }, two[2] = { 0, 80 }, pair[2] = { 10, 20 };
    mann_image in = row_of(four, 4);
    CHECK_OK(mni_image_resize(&out, &in, 2, 1, NULL));   /* (6, 6, 2) / 14 and mirrored */
    CHECK_EQ(out.pixels[0], 50);
    CHECK_EQ(out.pixels[1], 160);
    mann_image_clear(&out);
    in = row_of(two, 2);
    CHECK_OK(mni_image_resize(&out, &in, 4, 1, NULL));      /* 1, 3:1, 1:3, 1 */
    CHECK_EQ(out.pixels[0], 0);
    CHECK_EQ(out.pixels[1], 20);
    CHECK_EQ(out.pixels[2], 60);
    CHECK_EQ(out.pixels[3], 80);
    mann_image_clear(&out);
    in = row_of(pair, 2);
    CHECK_OK(mni_image_resize(&out, &in, 1, 3, NULL));      /* the mean, three times */
    for (int i = 0; i < 3; i++) CHECK_EQ(out.pixels[i], 15);
    mann_image_clear(&out);
    /* The same down a column: the passes are alike. */
    in = (mann_image){ 1, 4, 1, four };
    CHECK_OK(mni_image_resize(&out, &in, 1, 2, NULL));
    CHECK_EQ(out.pixels[0], 50);
    CHECK_EQ(out.pixels[1], 160);
    mann_image_clear(&out);
}

static void same_size_is_a_copy_and_flat_stays_flat(void)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 1, 0, 0);
    for (uint32_t channels = 1; channels <= 4; channels++) {
        mann_image in, out;
        CHECK_OK(mni_image_new(&in, 13, 7, channels, NULL));
        const size_t n = (size_t)13 * 7 * channels;
        for (size_t i = 0; i < n; i++) in.pixels[i] = (uint8_t)mni_rng_below(&r, 256);
        CHECK_OK(mni_image_resize(&out, &in, 13, 7, NULL));
        CHECK(memcmp(in.pixels, out.pixels, n) == 0);
        mann_image_clear(&out);
        for (size_t i = 0; i < n; i++) in.pixels[i] = (uint8_t)(255 - i % channels);
        for (uint32_t w = 1; w < 40; w += 3) {
            CHECK_OK(mni_image_resize(&out, &in, w, 40 - w, NULL));
            for (size_t i = 0; i < (size_t)w * (40 - w) * channels; i++)
                CHECK_EQ(out.pixels[i], 255 - i % channels);
            mann_image_clear(&out);
        }
        mann_image_clear(&in);
    }
}

static void refusals(void)
{
    uint8_t p[5] = { 0 };
    mann_image out, in = { 1, 1, 5, p };
    CHECK_IS(mni_image_resize(&out, &in, 1, 1, NULL), MANN_E_ARG);
    in.channels = 1;
    CHECK_IS(mni_image_resize(&out, &in, 0, 1, NULL), MANN_E_LIMIT);
    CHECK_IS(mni_image_resize(&out, &in, 1, 0xFFFFFFFFu, NULL), MANN_E_LIMIT);
    in.width = 0;
    CHECK_IS(mni_image_resize(&out, &in, 1, 1, NULL), MANN_E_LIMIT);
    CHECK(out.pixels == NULL);
}

/* Against Pillow's answers (tests/oracle_resize.py), where they have been made. */
static void as_pillow(void)
{
    char path[1024];
    const char *cache = getenv("METRICANN_CACHE");
    if (!cache) test_skip("METRICANN_CACHE is not set");
    snprintf(path, sizeof path, "%s/resize.bin", cache);
    FILE *f = fopen(path, "rb");
    if (!f) test_skip("no %s: run tests/oracle_resize.py", path);
    uint8_t head[20];
    size_t n_cases = 0, n_values = 0, n_off = 0;
    while (fread(head, 1, sizeof head, f) == sizeof head) {
        uint32_t v[5];
        for (int i = 0; i < 5; i++) v[i] = mni_get32(head + 4 * i);
        mann_image in, want, got;
        CHECK_OK(mni_image_new(&in, v[0], v[1], v[2], NULL));
        CHECK_OK(mni_image_new(&want, v[3], v[4], v[2], NULL));
        const size_t n = (size_t)v[3] * v[4] * v[2];
        CHECK(fread(in.pixels, (size_t)v[0] * v[1] * v[2], 1, f) == 1);
        CHECK(fread(want.pixels, n, 1, f) == 1);
        CHECK_OK(mni_image_resize(&got, &in, v[3], v[4], NULL));
        for (size_t i = 0; i < n; i++) {
            CHECK(abs((int)want.pixels[i] - got.pixels[i]) <= 1);
            n_off += want.pixels[i] != got.pixels[i];
        }
        n_cases++;
        n_values += n;
        mann_image_clear(&got);
        mann_image_clear(&want);
        mann_image_clear(&in);
    }
    fclose(f);
    CHECK(n_cases >= 30);
    CHECK(n_off * 1000 <= n_values);            /* ties only: at most one in a thousand */
}

static mann_status resize_body(void *ctx)
{
    mann_image out;
    mann_status s = mni_image_resize(&out, ctx, 5, 6, NULL);
    if (s == MANN_OK) mann_image_clear(&out);
    return s;
}

static mni_recipe letterbox(void)
{
    mni_recipe r;
    mni_recipe_fill(&r, 8);
    r.fit = MNI_FIT_LETTERBOX;
    r.background[0] = 10;
    r.mean[1] = 0.5f;
    r.std[2] = 0.25f;
    return r;
}

static mann_status prep_body(void *ctx)
{
    float out[3 * 8 * 8];
    const mni_recipe r = letterbox();
    return mni_prep_run(&r, ctx, out, NULL);
}

static void out_of_memory(void)
{
    uint8_t pixels[9 * 4 * 4] = { 0 };
    mann_image im = { 9, 4, 4, pixels };
    test_oom(resize_body, &im, 0);
    test_oom(prep_body, &im, 0);
}

static void recipe_round_trip_and_refusals(void)
{
    uint8_t bytes[MNI_RECIPE_BYTES], bad[MNI_RECIPE_BYTES];
    mni_recipe r = letterbox(), back;
    mni_recipe_encode(&r, bytes);
    CHECK_OK(mni_recipe_decode(&back, bytes, sizeof bytes, NULL));
    CHECK_EQ(back.size, 8);
    CHECK_EQ(back.fit, MNI_FIT_LETTERBOX);
    CHECK(memcmp(back.background, r.background, 3) == 0);
    CHECK(memcmp(back.mean, r.mean, sizeof r.mean) == 0);
    CHECK(memcmp(back.std, r.std, sizeof r.std) == 0);

    CHECK_IS(mni_recipe_decode(&back, bytes, 63, NULL), MANN_E_FORMAT);
    /* at, value: layout; size 0; size huge; fit; spare; mean NaN; std 0 or negative;
     * spare */
    static const struct { int at; uint8_t v[4]; mann_status want; } BAD[] = {
        { 0, { 2, 0, 0, 0 }, MANN_E_VERSION }, { 4, { 0, 0, 0, 0 }, MANN_E_FORMAT },
        { 4, { 0, 0, 0, 9 }, MANN_E_FORMAT },  { 8, { 3, 0, 0, 0 }, MANN_E_FORMAT },
        { 12, { 0, 0, 0, 1 }, MANN_E_FORMAT },
        { 16, { 0, 0, 0xC0, 0x7F }, MANN_E_FORMAT },
        { 28, { 0, 0, 0, 0 }, MANN_E_FORMAT },
        { 28, { 0, 0, 0x80, 0xBF }, MANN_E_FORMAT },
        { 60, { 0, 0, 0, 1 }, MANN_E_FORMAT },
        { 24, { 0, 0, 0x80, 0x7F }, MANN_E_FORMAT },
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        memcpy(bad, bytes, sizeof bad);
        memcpy(bad + BAD[i].at, BAD[i].v, 4);
        CHECK_IS(mni_recipe_decode(&back, bad, sizeof bad, NULL), BAD[i].want);
    }
}

static void prepare_fits_and_scales(void)
{
    /* 4 x 2: left half red, right half half-transparent blue. */
    uint8_t p[4 * 2 * 4];
    for (int i = 0; i < 8; i++)
        memcpy(p + 4 * i,
               i % 4 < 2 ? (uint8_t[]){ 255, 0, 0, 255 } : (uint8_t[]){ 0, 0, 255, 128 },
               4);
    const mann_image im = { 4, 2, 4, p };
    float out[3 * 4 * 4];
    mni_recipe r;

    mni_recipe_fill(&r, 4);                   /* stretch: rows alike, white below alpha */
    CHECK_OK(mni_prep_run(&r, &im, out, NULL));
    CHECK_NEAR(out[0], 1, 0);
    CHECK_NEAR(out[16], 0, 0);
    CHECK_NEAR(out[3], 127 / 255.0f, 0);                 /* (0 * 128 + 255 * 127) / 255 */
    CHECK_NEAR(out[32 + 15], 1, 0);

    r.fit = MNI_FIT_CROP;                                 /* the middle 2 x 2, enlarged */
    CHECK_OK(mni_prep_run(&r, &im, out, NULL));
    CHECK_NEAR(out[0], 1, 0);
    CHECK_NEAR(out[3], 127 / 255.0f, 0);

    r.fit = MNI_FIT_LETTERBOX;                              /* bars above and below */
    memcpy(r.background, (uint8_t[]){ 51, 102, 153 }, 3);
    r.mean[0] = 0.2f;
    r.std[0] = 0.5f;
    CHECK_OK(mni_prep_run(&r, &im, out, NULL));
    CHECK_NEAR(out[0], 0, 1e-6);
    CHECK_NEAR(out[16], 0.4f, 1e-6);
    CHECK_NEAR(out[32 + 15], 0.6f, 1e-6);
    CHECK_NEAR(out[4], 1.6, 1e-6);                          /* (1 - 0.2) / 0.5 */

    uint8_t grey = 51;
    const mann_image one = { 1, 1, 1, &grey };
    mni_recipe_fill(&r, 2);
    CHECK_OK(mni_prep_run(&r, &one, out, NULL));
    for (int i = 0; i < 12; i++) CHECK_NEAR(out[i], 0.2f, 1e-6);

    const mann_image odd = { 1, 1, 2, p };
    CHECK_IS(mni_prep_run(&r, &odd, out, NULL), MANN_E_ARG);
    r.std[1] = 0;
    CHECK_IS(mni_prep_run(&r, &one, out, NULL), MANN_E_FORMAT);
}

const test_case resize_tests[];
const test_case resize_tests[] = {
    { "by_hand", by_hand, 0 },
    { "same_size_is_a_copy_and_flat_stays_flat", same_size_is_a_copy_and_flat_stays_flat,
      0 },
    { "refusals", refusals, 0 },
    { "as_pillow", as_pillow, 0 },
    { "out_of_memory", out_of_memory, 0 },
    { "recipe_round_trip_and_refusals", recipe_round_trip_and_refusals, 0 },
    { "prepare_fits_and_scales", prepare_fits_and_scales, 0 },
    { 0 }
};
