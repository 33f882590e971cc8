/* test_draw.c - drawing, the font, deflate and PNG writing.
 * SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "image/deflate.h"
#include "image/draw.h"
#include "image/font.h"
#include "image/image.h"
#include "image/inflate.h"
#include "image/png_write.h"
#include "image/synth.h"

static const mni_colour BLACK = { 0, 0, 0 }, WHITE = { 255, 255, 255 },
                        RED = { 255, 0, 0 };

static size_t count_of(const mann_image *im, mni_colour c)
{
    size_t n = 0;
    const uint8_t *p = im->pixels;
    for (size_t i = 0; i < (size_t)im->width * im->height; i++, p += 3)
        n += p[0] == c.r && p[1] == c.g && p[2] == c.b;
    return n;
}

/* An image whose pixels end at a page that cannot be touched: over-writes crash. */
static mann_image fenced(uint32_t w, uint32_t h)
{
    mann_image im = { w, h, 3, test_fence((size_t)w * h * 3, 0) };
    mni_draw_fill(&im, WHITE);
    return im;
}
static void unfence(mann_image *im)
{
    test_fence_free(im->pixels, (size_t)im->width * im->height * 3, 0);
}

static void shapes(void)
{
    mann_image im = fenced(20, 10);
    CHECK_EQ(count_of(&im, WHITE), 200);
    mni_draw_rect(&im, 2, 3, 4, 5, RED);
    CHECK_EQ(count_of(&im, RED), 20);
    CHECK_EQ(im.pixels[3 * (3 * 20 + 2) + 1], 0);
    mni_draw_fill(&im, WHITE);
    mni_draw_frame(&im, 0, 0, 20, 10, 1, RED);
    CHECK_EQ(count_of(&im, RED), 2 * 20 + 2 * 8);
    mni_draw_fill(&im, WHITE);
    mni_draw_frame(&im, 1, 1, 3, 3, 5, RED);            /* thicker than the box: filled */
    CHECK_EQ(count_of(&im, RED), 9);
    mni_draw_fill(&im, WHITE);
    mni_draw_line(&im, 0, 0, 19, 9, RED);
    CHECK_EQ(count_of(&im, RED), 20);
    mni_draw_line(&im, 5, 9, 5, 0, BLACK);
    CHECK_EQ(count_of(&im, BLACK), 10);
    unfence(&im);
}

static void everything_is_clipped(void)
{
    static const int AT[] = { INT_MIN, -1000000, -21, -3, -1,  0,
                              1,       9,        19,  20, 500, INT_MAX };
    enum { N = sizeof AT / sizeof *AT };
    mann_image im = fenced(20, 10), small = fenced(7, 7);
    mni_draw_fill(&small, RED);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            mni_draw_rect(&im, AT[i], AT[j], 7, 7, BLACK);
            mni_draw_rect(&im, AT[i], AT[j], INT_MAX, INT_MIN, BLACK);
            mni_draw_frame(&im, AT[i], AT[j], 30, 30, 3, BLACK);
            mni_draw_image(&im, &small, AT[i], AT[j]);
            if (AT[i] > INT_MIN / 2 && AT[i] < INT_MAX / 2)
                mni_draw_text(&im, AT[i], AT[j], "Ag", 2, RED);
        }
    mni_draw_line(&im, INT_MIN, 5, INT_MAX, 5, RED);
    mni_draw_line(&im, 3, INT_MAX, 3, INT_MIN, RED);
    mni_draw_fill(&im, WHITE);
    mni_draw_rect(&im, INT_MIN, INT_MIN, INT_MAX, INT_MAX, RED);
    CHECK_EQ(count_of(&im, WHITE), 200);
    mni_draw_image(&im, &small, -4, -5);                    /* 3 x 2 of it are left */
    CHECK_EQ(count_of(&im, RED), 6);
    unfence(&small);
    unfence(&im);
}

static void letters(void)
{
    mann_image im = fenced(64, 24);
    CHECK_EQ(mni_draw_text(&im, 0, 0, "I", 1, BLACK), 6);
    CHECK_EQ(count_of(&im, BLACK), 11);                     /* 3 + 5 + 3 dots */
    CHECK_EQ(mni_draw_text(&im, 10, 0, "I", 2, RED), 22);
    CHECK_EQ(count_of(&im, RED), 44);
    CHECK_EQ(mni_text_width("abc", 2), 36);
    /* two letters in five bytes */
    CHECK_EQ(mni_text_width("\xC3\xA9\xE6\xBC\xA2", 1), 12);
    CHECK_EQ(mni_text_width("", 1), 0);
    unfence(&im);

    /* Every printable letter shows something of its own; only blanks are empty. */
    for (uint32_t a = 32; a < 256; a++) {
        uint32_t dots[MNI_FONT_H], sum = 0;
        for (int y = 0; y < MNI_FONT_H; y++) {
            dots[y] = mni_font_row(a, y);
            CHECK(dots[y] < 1u << (MNI_FONT_W - 1));      /* the last column is the gap */
            sum |= dots[y];
        }
        CHECK_EQ(sum == 0, a == 32 || a == 0xA0);
        if (a >= 127) continue;
        for (uint32_t b = 32; b < a; b++) {
            int same = 1;
            for (int y = 0; y < MNI_FONT_H; y++) same &= dots[y] == mni_font_row(b, y);
            CHECK(!same);
        }
    }
    /* Accents change the letter, and unknown code points are all the same box. */
    CHECK(mni_font_row(0xC4, 0) != mni_font_row('A', 0));
    for (int y = 0; y < MNI_FONT_H; y++) {
        CHECK_EQ(mni_font_row(0x6F22, y), mni_font_row(0x1F600, y));
        CHECK_EQ(mni_font_row('A', y) & ~mni_font_row(0xC4, y), 0);
    }
}

/* --- deflate ------------------------------------------------------------------------ */

static void round_trip(const uint8_t *bytes, size_t n, size_t at_most)
{
    mni_buf packed = { 0 };
    mann_error e;
    uint8_t *back = mni_alloc(n + 1, 1);
    CHECK(back != NULL);
    CHECK_FINE(mni_deflate_zlib(&packed, bytes, n, &e), e);
    if (at_most) CHECK(packed.n_bytes <= at_most);
    CHECK_EQ((packed.bytes[0] << 8 | packed.bytes[1]) % 31, 0);
    if (n) CHECK_FINE(mni_zlib_inflate(back, n, packed.bytes, packed.n_bytes, &e), e);
    CHECK(n == 0 || memcmp(bytes, back, n) == 0);
    mni_buf_fini(&packed);
    mni_free(back);
}

enum { BIG = 400000 };

static void deflate_round_trips(void)
{
    uint8_t *b = mni_alloc(BIG, 1);
    CHECK(b != NULL);
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 2, 0, 0);
    for (size_t n = 0; n < 300; n++) {               /* every short length, few letters */
        for (size_t i = 0; i < n; i++)
            b[i] = (uint8_t)mni_rng_below(&r, 1 + (uint32_t)n % 5);
        round_trip(b, n, 0);
    }
    memset(b, 7, BIG);
    round_trip(b, BIG, 600);                                /* runs of 258 */
    for (size_t i = 0; i < BIG; i++) b[i] = (uint8_t)mni_rng_below(&r, 256);
    round_trip(b, BIG, BIG + 300);                        /* stored, in blocks of 65535 */
    for (size_t i = 40000; i < BIG; i++) b[i] = b[i - 32768];
    round_trip(b, BIG, 60000);                         /* copies from as far as it goes */
    for (size_t i = 40000; i < BIG; i++) b[i] = b[i - 32769];
    round_trip(b, BIG, BIG + 300);                          /* one too far */
    /* Counts like Fibonacci's make the longest codes: the limit of 15 bits must hold. */
    size_t n = 0, f0 = 1, f1 = 1;
    for (int s = 0; n + f1 < BIG; s++) {
        memset(b + n, s, f1);
        n += f1;
        const size_t f2 = f0 + f1;
        f0 = f1;
        f1 = f2;
    }
    for (size_t i = n; i-- > 1;) {
        const size_t j = mni_rng_below(&r, (uint32_t)i + 1);
        const uint8_t t = b[i];
        b[i] = b[j];
        b[j] = t;
    }
    round_trip(b, n, n / 2);
    mni_free(b);
}

/* --- PNG ---------------------------------------------------------------------------- */

/* Pictures of all kinds: a sheet with text, toys, noise, one pixel. */
enum { N_SAMPLES = 7 };
static mann_image sample(int i)
{
    mann_image im = { 0 }, toy;
    mni_rng r = mni_rng_at(9, MNI_FOR_TEST, 3, (uint64_t)i, 0);
    if (i == 0) CHECK_OK(mni_image_new(&im, 1, 1, 3, NULL));
    if (i == 1) CHECK_OK(mni_image_new(&im, 33, 17, 1, NULL));
    if (i == 2) CHECK_OK(mni_image_new(&im, 50, 40, 4, NULL));
    if (i >= 3) CHECK_OK(mni_image_new(&im, 400, 300, 3, NULL));
    if (i < 4)
        for (size_t k = 0; k < (size_t)im.width * im.height * im.channels; k++)
            im.pixels[k] = (uint8_t)(i == 1 ? k / 3 : mni_rng_below(&r, 256));
    if (i >= 4) mni_draw_fill(&im, WHITE);
    if (i == 4)
        for (int y = 0; y < 25; y++)
            mni_draw_text(&im, 2, 12 * y,
                          "class_0042   similarity 0.93   very high   known", 1, BLACK);
    if (i >= 5)
        for (int k = 0; k < 12; k++) {
            const mann_synth_config c = { sizeof c, 96, MANN_SYNTH_ALL,
                                          i == 5 ? 0.25f : 1.0f, 1 };
            CHECK_OK(mni_synth_draw(&toy, &c, (uint64_t)k, 0, NULL));
            mni_draw_image(&im, &toy, 100 * (k % 4), 100 * (k / 4));
            mann_image_clear(&toy);
        }
    return im;
}

static void png_round_trips(void)
{
    for (int i = 0; i < N_SAMPLES; i++) {
        mann_image im = sample(i), back;
        mni_buf file = { 0 }, again = { 0 };
        mann_error e;
        CHECK_FINE(mni_png_encode(&file, &im, &e), e);
        CHECK_FINE(mni_png_encode(&again, &im, &e), e);
        CHECK(file.n_bytes == again.n_bytes &&
              memcmp(file.bytes, again.bytes, file.n_bytes) == 0);
        mni_decode_opts o;
        mni_decode_opts_fill(&o);
        o.keep_alpha = 1;
        CHECK_FINE(mni_image_decode(&back, file.bytes, file.n_bytes, &o, &e), e);
        CHECK_EQ(back.width, im.width);
        CHECK_EQ(back.height, im.height);
        CHECK_EQ(back.channels, im.channels == 1 ? 3 : im.channels);
        const size_t n = (size_t)im.width * im.height, wide = back.channels;
        for (size_t k = 0; k < n * wide; k++)
            CHECK_EQ(back.pixels[k], im.pixels[im.channels == 1 ? k / wide : k]);
        mann_image_clear(&back);
        mann_image_clear(&im);
        mni_buf_fini(&again);
        mni_buf_fini(&file);
    }
    uint8_t p[2] = { 0 };
    mni_buf file = { 0 };
    CHECK_IS(mni_png_encode(&file, &(mann_image){ 1, 1, 2, p }, NULL), MANN_E_ARG);
    CHECK_IS(mni_png_encode(&file, &(mann_image){ 0, 1, 3, p }, NULL), MANN_E_ARG);
    mni_buf_fini(&file);
}

static mann_status png_body(void *ctx)
{
    mni_buf file = { 0 };
    const mann_status s = mni_png_encode(&file, ctx, NULL);
    mni_buf_fini(&file);
    return s;
}

static void out_of_memory(void)
{
    mann_image im = sample(2);
    test_oom(png_body, &im, 0);
    mann_image_clear(&im);
}

static void write_file(const char *cache, int i, const char *ending, const void *head,
                       size_t n_head, const void *bytes, size_t n)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/png_%d.%s", cache, i, ending);
    FILE *f = fopen(path, "wb");
    CHECK(f != NULL);
    if (n_head) CHECK(fwrite(head, 1, n_head, f) == n_head);
    CHECK(fwrite(bytes, 1, n, f) == n);
    CHECK(fclose(f) == 0);
}

/* For tests/oracle_png.py. */
static void samples_for_the_oracle(void)
{
    const char *cache = getenv("METRICANN_CACHE");
    if (!cache) test_skip("METRICANN_CACHE is not set");
    for (int i = 0; i < N_SAMPLES; i++) {
        mann_image im = sample(i);
        mni_buf file = { 0 }, head = { 0 };
        CHECK_OK(mni_png_encode(&file, &im, NULL));
        mni_buf_u32(&head, im.width);
        mni_buf_u32(&head, im.height);
        mni_buf_u32(&head, im.channels);
        write_file(cache, i, "png", NULL, 0, file.bytes, file.n_bytes);
        write_file(cache, i, "raw", head.bytes, head.n_bytes, im.pixels,
                   (size_t)im.width * im.height * im.channels);
        mni_buf_fini(&head);
        mni_buf_fini(&file);
        mann_image_clear(&im);
    }
}

const test_case draw_tests[];
const test_case draw_tests[] = {
    { "shapes", shapes, 0 },
    { "everything_is_clipped", everything_is_clipped, 0 },
    { "letters", letters, 0 },
    { "deflate_round_trips", deflate_round_trips, 0 },
    { "png_round_trips", png_round_trips, 0 },
    { "out_of_memory", out_of_memory, 0 },
    { "samples_for_the_oracle", samples_for_the_oracle, 0 },
    { 0 }
};
