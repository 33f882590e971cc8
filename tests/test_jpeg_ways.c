/* test_jpeg_ways.c - the JPEG writer and what the reader makes of its files: every
 * quality, size and kind of pixel; smaller pictures, parts of damaged files, limits.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "decode_help.h"
#include "harness.h"
#include "image/jpeg.h"
#include "image/jpeg_write.h"
#include "image/prep.h"

/* A smooth picture with some grain; free with mann_image_clear. */
static mann_image draw(uint32_t width, uint32_t height, uint32_t channels)
{
    mann_image im;
    mann_error e;
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 5, width, height);
    CHECK_FINE(mni_image_new(&im, width, height, channels, &e), e);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            for (uint32_t c = 0; c < channels; c++) {
                const uint32_t wave = (x * (3 + c) + y * 2) % 400;
                uint32_t v = (wave < 200 ? wave : 400 - wave) + mni_rng_below(&r, 9);
                if (c == 3) v = 255;
                im.pixels[((size_t)y * width + x) * channels + c] = (uint8_t)v;
            }
    return im;
}

static mni_buf encoded(const mann_image *im, int quality)
{
    mni_buf b = { 0 };
    mann_error e;
    CHECK_FINE(mni_jpeg_encode(&b, im, quality, &e), e);
    return b;
}

/* A file of the drawn picture, and no more of the picture. */
static mni_buf file_of(uint32_t width, uint32_t height, uint32_t channels, int quality)
{
    mann_image im = draw(width, height, channels);
    mni_buf b = encoded(&im, quality);
    mann_image_clear(&im);
    return b;
}

/* Mean difference of a picture (1, 3, 4 channels) and a decoded one (3). */
static double distance(const mann_image *a, const mann_image *b)
{
    double sum = 0;
    const size_t n = (size_t)a->width * a->height;
    CHECK(a->width == b->width && a->height == b->height && b->channels == 3);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < 3; c++)
            sum += abs(a->pixels[i * a->channels + (a->channels < 3 ? 0 : c)] -
                       b->pixels[3 * i + c]);
    return sum / (double)(3 * n);
}

static void what_is_written_is_read(void)
{
    static const struct { int quality; double most; } grades[] = {
        { 100, 0.8 }, { 95, 2 }, { 85, 4 }, { 50, 7 }, { 5, 25 }, { 1, 40 }
    };
    for (uint32_t channels = 1; channels <= 4; channels++) {
        if (channels == 2) continue;
        mann_image im = draw(83, 61, channels);
        size_t last = SIZE_MAX;
        for (size_t i = 0; i < sizeof grades / sizeof *grades; i++) {
            mann_image back;
            mni_buf b = encoded(&im, grades[i].quality);
            CHECK_IS(help_decode(&back, b.bytes, b.n_bytes, NULL), MANN_OK);
            const double d = distance(&im, &back);
            if (d > grades[i].most)
                test_fail(__FILE__, __LINE__, "quality %d: mean difference %.2f",
                          grades[i].quality, d);
            CHECK(b.n_bytes < last);
            last = b.n_bytes;
            mann_image_clear(&back);
            mni_buf_fini(&b);
        }
        mann_image_clear(&im);
    }
}

static void every_small_size(void)
{
    for (uint32_t w = 1; w <= 18; w++)
        for (uint32_t h = 1; h <= 18; h++) {
            mann_image back;
            mni_buf b = file_of(w, h, 3, w & 1 ? 95 : 80);
            CHECK_IS(help_decode(&back, b.bytes, b.n_bytes, NULL), MANN_OK);
            CHECK(back.width == w && back.height == h);
            mann_image_clear(&back);
            mni_buf_fini(&b);
        }
}

static void alpha_is_laid_over_white(void)
{
    mann_image im = draw(16, 16, 4), back;
    for (size_t i = 0; i < 256; i++) im.pixels[4 * i + 3] = 0;
    mni_buf b = encoded(&im, 90);
    CHECK_IS(help_decode(&back, b.bytes, b.n_bytes, NULL), MANN_OK);
    for (size_t i = 0; i < 3 * 256; i++) CHECK_EQ(back.pixels[i], 255);
    mann_image_clear(&back);
    mann_image_clear(&im);
    mni_buf_fini(&b);
}

static mann_status encode_once(void *ctx)
{
    mni_buf b = { 0 };
    mann_error e;
    const mann_status s = mni_jpeg_encode(&b, ctx, 80, &e);
    mni_buf_fini(&b);
    return s;
}

static void writer_refuses_and_survives(void)
{
    mann_image im = draw(40, 24, 3);
    mni_buf b = { 0 };
    mann_error e;
    CHECK_IS(mni_jpeg_encode(&b, &im, 0, &e), MANN_E_ARG);
    CHECK_IS(mni_jpeg_encode(&b, &im, 101, &e), MANN_E_ARG);
    const mann_image wide = { 65536, 1, 3, im.pixels };
    CHECK_IS(mni_jpeg_encode(&b, &wide, 80, &e), MANN_E_ARG);
    test_oom(encode_once, &im, 0);
    mann_image_clear(&im);
}

/* Cut at every byte, and read with every option. */
static void every_cut_is_refused_or_part(void)
{
    mni_buf b = file_of(50, 37, 3, 70);
    mann_image whole;
    CHECK_IS(help_decode(&whole, b.bytes, b.n_bytes, NULL), MANN_OK);
    size_t parts = 0, before = 0;
    help_truncate(b.bytes, b.n_bytes, b.n_bytes - 3);
    for (size_t n = 0; n < b.n_bytes; n++) {
        int cut = -1;
        mann_image im;
        const mni_decode_opts o = { .partial = 1, .cut = &cut };
        if (help_decode(&im, b.bytes, n, &o) != MANN_OK) {
            CHECK_EQ(parts, 0);         /* once there is something, there is more */
            continue;
        }
        parts++;
        /* What came is as in the whole picture, from the top; and ever more of it. */
        size_t same = 0;
        const size_t all = (size_t)3 * 50 * 37;
        while (same < all && im.pixels[same] == whole.pixels[same]) same++;
        CHECK(im.width == 50 && im.height == 37 && same >= before);
        CHECK(cut == (n < b.n_bytes - 2) || same == all);
        before = same;
        mann_image_clear(&im);
    }
    CHECK(parts > 100 && before == (size_t)3 * 50 * 37);
    mann_image_clear(&whole);
    mni_buf_fini(&b);
}

/* --- smaller ------------------------------------------------------------------------ */

static void scales_are_means(void)
{
    mni_buf b = file_of(203, 129, 3, 95);
    mann_image full;
    CHECK_IS(help_decode(&full, b.bytes, b.n_bytes, NULL), MANN_OK);
    for (uint32_t scale = 2; scale <= 8; scale *= 2) {
        mann_image small;
        const mni_decode_opts o = { .min_side = 129 / scale };
        CHECK_IS(help_decode(&small, b.bytes, b.n_bytes, &o), MANN_OK);
        CHECK_EQ(small.width, (203 + scale - 1) / scale);
        CHECK_EQ(small.height, (129 + scale - 1) / scale);
        for (uint32_t y = 0; y < 128 / scale; y++)
            for (uint32_t x = 0; x < 200 / scale; x++)
                for (uint32_t c = 0; c < 3; c++) {
                    double sum = 0;
                    for (uint32_t i = 0; i < scale * scale; i++)
                        sum += full.pixels[3 * ((size_t)(y * scale + i / scale) * 203 +
                                                x * scale + i % scale) + c];
                    CHECK_NEAR(small.pixels[3 * ((size_t)y * small.width + x) + c],
                               sum / (scale * scale), 2.5);
                }
        mann_image_clear(&small);
    }
    mann_image_clear(&full);
    mni_buf_fini(&b);
}

static void no_side_gets_below_the_least(void)
{
    mni_buf b = file_of(160, 97, 3, 80);
    for (uint32_t least = 1; least <= 200; least++) {
        mann_image im;
        mni_recipe r;
        mni_decode_opts o;
        mni_recipe_fill(&r, least);
        mni_recipe_decode_opts(&r, &o);
        CHECK_IS(help_decode(&im, b.bytes, b.n_bytes, &o), MANN_OK);
        const uint32_t scale = least <= 12 ? 8 : least <= 24 ? 4 : least <= 48 ? 2 : 1;
        CHECK_EQ(im.width, 160 / scale);
        CHECK_EQ(im.height, (97 + scale - 1) / scale);
        mann_image_clear(&im);
    }
    mni_buf_fini(&b);
}

/* --- limits ------------------------------------------------------------------------- */

static void limits_come_before_memory(void)
{
    mni_buf b = file_of(64, 64, 3, 80);
    const mni_decode_opts tight[] = {
        { .max_memory = 64 * 64 * 3 }, { .max_pixels = 64 * 63 }, { .max_side = 63 }
    };
    for (size_t i = 0; i < sizeof tight / sizeof *tight; i++) {
        mann_image im;
        CHECK_IS(help_decode(&im, b.bytes, b.n_bytes, &tight[i]), MANN_E_LIMIT);
    }
    mann_image im;
    const mni_decode_opts enough = { .max_memory = 64 * 64 * 3 * 2 };
    CHECK_IS(help_decode(&im, b.bytes, b.n_bytes, &enough), MANN_OK);
    mann_image_clear(&im);
    mni_buf_fini(&b);
}

/* What is not made costs nothing: a picture too large at full size passes at 1/8. */
static void smaller_pictures_cost_less(void)
{
    mni_buf b = file_of(512, 400, 3, 80);
    const mni_decode_opts limits[] = { { .max_memory = 40000 }, { .max_pixels = 3200 } };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        mann_image im;
        mni_decode_opts o = limits[i];
        CHECK_IS(help_decode(&im, b.bytes, b.n_bytes, &o), MANN_E_LIMIT);
        o.min_side = 51;                /* 1/4 */
        CHECK_IS(help_decode(&im, b.bytes, b.n_bytes, &o), MANN_E_LIMIT);
        o.min_side = 50;                /* 1/8 */
        CHECK_IS(help_decode(&im, b.bytes, b.n_bytes, &o), MANN_OK);
        CHECK(im.width == 64 && im.height == 50);
        mann_image_clear(&im);
    }
    mni_buf_fini(&b);
}

/* The writer's file made progressive by hand: its one scan becomes DC alone, again and
 * again, which is allowed, but not without end. */
static void scans_are_counted(void)
{
    mni_buf b = file_of(8, 8, 1, 50), p = { 0 };
    size_t frame = 0, scan = 0;
    for (size_t i = 0; i + 1 < b.n_bytes; i++) {
        if (!frame && b.bytes[i] == 0xFF && b.bytes[i + 1] == 0xC0) frame = i;
        if (!scan && b.bytes[i] == 0xFF && b.bytes[i + 1] == 0xDA) scan = i;
    }
    CHECK(frame && scan > frame);
    b.bytes[frame + 1] = 0xC2;
    b.bytes[scan + 8] = 0;              /* the band ends at 0, too */
    mni_buf_add(&p, b.bytes, scan);
    for (int i = 0; i < 7; i++) {
        mni_buf_add(&p, b.bytes + scan, 10);
        mni_buf_u8(&p, 0x2A);           /* a DC code, padding */
    }
    mni_buf_u16(&p, 0xD9FF);
    mann_image im;
    const mni_decode_opts six = { .max_scans = 6 }, seven = { .max_scans = 7 };
    CHECK_IS(help_decode(&im, p.bytes, p.n_bytes, &six), MANN_E_LIMIT);
    CHECK_IS(help_decode(&im, p.bytes, p.n_bytes, &seven), MANN_OK);
    mann_image_clear(&im);
    mni_buf_fini(&p);
    mni_buf_fini(&b);
}

const test_case jpeg_ways_tests[];
const test_case jpeg_ways_tests[] = {
    { "what_is_written_is_read", what_is_written_is_read, 0 },
    { "every_small_size", every_small_size, 0 },
    { "alpha_is_laid_over_white", alpha_is_laid_over_white, 0 },
    { "writer_refuses_and_survives", writer_refuses_and_survives, 0 },
    { "every_cut_is_refused_or_part", every_cut_is_refused_or_part, 0 },
    { "scales_are_means", scales_are_means, 0 },
    { "no_side_gets_below_the_least", no_side_gets_below_the_least, 0 },
    { "limits_come_before_memory", limits_come_before_memory, 0 },
    { "smaller_pictures_cost_less", smaller_pictures_cost_less, 0 },
    { "scans_are_counted", scans_are_counted, 0 },
    { 0 }
};
