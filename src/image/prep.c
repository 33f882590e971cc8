/* prep.c - the recipe in its 64 bytes, and its execution: flatten, fit, resize, scale to
 * floats.
 *
 *   at  bytes  what
 *    0    4    layout of these bytes: 1
 *    4    4    size
 *    8    4    fit (enum mni_fit)
 *   12    3    background red, green, blue
 *   15    1    0
 *   16   12    mean, 3 x f32
 *   28   12    std, 3 x f32
 *   40   24    0
 *
 * All little-endian. What must be 0 is checked, so that a later layout can use it.
 * SPDX-License-Identifier: MIT */
#include "image/prep.h"

#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "image/image.h"
#include "image/resize.h"

enum { LAYOUT = 1, MAX_SIZE = 4096 };

void mni_recipe_fill(mni_recipe *r, uint32_t size)
{
    *r = (mni_recipe){ .size = size,
                       .fit = MNI_FIT_STRETCH,
                       .background = { 255, 255, 255 },
                       .mean = { 0, 0, 0 },
                       .std = { 1, 1, 1 } };
}

static void put_f32(uint8_t *at, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    mni_put32(at, bits);
}

static float get_f32(const uint8_t *at)
{
    uint32_t bits = mni_get32(at);
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

void mni_recipe_encode(const mni_recipe *r, uint8_t out[MNI_RECIPE_BYTES])
{
    memset(out, 0, MNI_RECIPE_BYTES);
    mni_put32(out, LAYOUT);
    mni_put32(out + 4, r->size);
    mni_put32(out + 8, (uint32_t)r->fit);
    memcpy(out + 12, r->background, 3);
    for (int c = 0; c < 3; c++) {
        put_f32(out + 16 + 4 * c, r->mean[c]);
        put_f32(out + 28 + 4 * c, r->std[c]);
    }
}

/* The comparisons are written so that NaN fails them. */
static mann_status recipe_check(const mni_recipe *r, mann_error *err)
{
    if (r->size == 0 || r->size > MAX_SIZE)
        return mni_fail(err, MANN_E_FORMAT, "recipe: input size is %u, wanted 1..%d",
                        r->size, (int)MAX_SIZE);
    if ((uint32_t)r->fit > MNI_FIT_LETTERBOX)
        return mni_fail(err, MANN_E_FORMAT, "recipe: fit is %u, wanted 0..%d",
                        (unsigned)r->fit, (int)MNI_FIT_LETTERBOX);
    for (int c = 0; c < 3; c++) {
        if (!(r->mean[c] >= -1e6f && r->mean[c] <= 1e6f))
            return mni_fail(err, MANN_E_FORMAT, "recipe: mean of channel %d is %g", c,
                            (double)r->mean[c]);
        if (!(r->std[c] >= 1e-6f && r->std[c] <= 1e6f))
            return mni_fail(err, MANN_E_FORMAT,
                            "recipe: deviation of channel %d is %g, wanted 1e-6..1e6", c,
                            (double)r->std[c]);
    }
    return MANN_OK;
}

mann_status mni_recipe_decode(mni_recipe *r, const void *bytes, size_t n_bytes,
                              mann_error *err)
{
    const uint8_t *b = bytes;
    if (n_bytes != MNI_RECIPE_BYTES)
        return mni_fail(err, MANN_E_FORMAT, "recipe: %llu bytes, wanted %d",
                        (unsigned long long)n_bytes, (int)MNI_RECIPE_BYTES);
    if (mni_get32(b) != LAYOUT)
        return mni_fail(err, MANN_E_VERSION, "recipe: layout %u, this program knows %d",
                        mni_get32(b), (int)LAYOUT);
    uint8_t spare = b[15];
    for (int i = 40; i < MNI_RECIPE_BYTES; i++) spare |= b[i];
    if (spare) return mni_fail(err, MANN_E_FORMAT, "recipe: spare bytes are not 0");

    mni_recipe got = { .size = mni_get32(b + 4) };
    uint32_t fit = mni_get32(b + 8);
    if (fit > MNI_FIT_LETTERBOX)
        return mni_fail(err, MANN_E_FORMAT, "recipe: fit is %u, wanted 0..%d", fit,
                        (int)MNI_FIT_LETTERBOX);
    got.fit = (mni_fit)fit;
    memcpy(got.background, b + 12, 3);
    for (int c = 0; c < 3; c++) {
        got.mean[c] = get_f32(b + 16 + 4 * c);
        got.std[c] = get_f32(b + 28 + 4 * c);
    }
    MNI_TRY(recipe_check(&got, err));
    *r = got;
    return MANN_OK;
}

mann_status mni_recipe_fits(const mni_recipe *r, uint32_t channels, uint32_t size,
                            mann_error *err)
{
    if (channels == 3 && size == r->size) return MANN_OK;
    return mni_fail(err, MANN_E_MISMATCH,
                    "recipe: the model's input is %u x %u x %u, its preprocessing makes "
                    "3 x %u x %u",
                    (unsigned)channels, (unsigned)size, (unsigned)size,
                    (unsigned)r->size, (unsigned)r->size);
}

void mni_recipe_decode_opts(const mni_recipe *r, mni_decode_opts *out)
{
    mni_decode_opts_fill(out);
    memcpy(out->background, r->background, sizeof out->background);
    out->min_side = r->size;
}

/* The window of `im` at (x0, y0) as RGB: grey is tripled, alpha is flattened onto the
 * background. Rounded: (c * a + b * (255 - a)) / 255 to the nearest. */
static mann_status flatten(mann_image *out, const mann_image *im, uint32_t x0,
                           uint32_t y0, uint32_t width, uint32_t height,
                           const uint8_t background[3], mann_error *err)
{
    MNI_TRY(mni_image_new(out, width, height, 3, err));
    const uint32_t n = im->channels;
    uint8_t *o = out->pixels;
    for (uint32_t y = 0; y < height; y++) {
        const uint8_t *p = im->pixels + ((size_t)(y0 + y) * im->width + x0) * n;
        for (uint32_t x = 0; x < width; x++, p += n, o += 3)
            for (uint32_t c = 0; c < 3; c++) {
                uint32_t v = p[n < 3 ? 0 : c];
                uint32_t a = n == 4 ? p[3] : 255;
                o[c] = (uint8_t)((v * a + background[c] * (255 - a) + 127) / 255);
            }
    }
    return MANN_OK;
}

/* Resized with its shape kept, centred on the background: size x size. */
static mann_status letterbox(mann_image *out, const mann_image *rgb, const mni_recipe *r,
                             mann_error *err)
{
    mann_image small = { 0 };
    const uint64_t w = rgb->width, h = rgb->height, longer = w > h ? w : h;
    uint32_t sw = (uint32_t)((w * r->size + longer / 2) / longer);
    uint32_t sh = (uint32_t)((h * r->size + longer / 2) / longer);
    if (sw == 0) sw = 1;
    if (sh == 0) sh = 1;
    MNI_TRY(mni_image_resize(&small, rgb, sw, sh, err));
    mann_status s = mni_image_new(out, r->size, r->size, 3, err);
    if (s == MANN_OK) {
        const uint32_t x0 = (r->size - sw) / 2, y0 = (r->size - sh) / 2;
        for (size_t i = 0; i < (size_t)r->size * r->size; i++)
            memcpy(out->pixels + 3 * i, r->background, 3);
        for (uint32_t y = 0; y < sh; y++)
            memcpy(out->pixels + 3 * ((size_t)(y0 + y) * r->size + x0),
                   small.pixels + 3 * (size_t)y * sw, 3 * (size_t)sw);
    }
    mann_image_clear(&small);
    return s;
}

/* Packed RGB bytes -> three planes of floats. 256 possible values a channel: a table
 * each. */
static void to_planes(float *out, const mann_image *rgb, const mni_recipe *r)
{
    const size_t n = (size_t)rgb->width * rgb->height;
    for (uint32_t c = 0; c < 3; c++) {
        float value[256];
        for (int v = 0; v < 256; v++)
            value[v] = ((float)v / 255.0f - r->mean[c]) / r->std[c];
        for (size_t i = 0; i < n; i++) out[c * n + i] = value[rgb->pixels[3 * i + c]];
    }
}

mann_status mni_prep_run(const mni_recipe *r, const mann_image *im, float *out,
                         mann_error *err)
{
    MNI_TRY(recipe_check(r, err));
    if (im->channels != 1 && im->channels != 3 && im->channels != 4)
        return mni_fail(err, MANN_E_ARG, "prepare: %u channels, wanted 1, 3 or 4",
                        im->channels);
    if (im->width == 0 || im->height == 0 || !im->pixels)
        return mni_fail(err, MANN_E_ARG, "prepare: image is %u x %u", im->width,
                        im->height);

    mann_image rgb = { 0 }, square = { 0 };
    uint32_t x0 = 0, y0 = 0, w = im->width, h = im->height;
    if (r->fit == MNI_FIT_CROP && w != h) { /* the middle of the longer side */
        const uint32_t side = w < h ? w : h;
        x0 = (w - side) / 2;
        y0 = (h - side) / 2;
        w = h = side;
    }
    /* Copy only what is not plain RGB already. */
    const mann_image *source = im;
    mann_status s = MANN_OK;
    if (im->channels != 3 || w != im->width || h != im->height) {
        s = flatten(&rgb, im, x0, y0, w, h, r->background, err);
        source = &rgb;
    }
    if (s == MANN_OK)
        s = r->fit == MNI_FIT_LETTERBOX && w != h
                ? letterbox(&square, source, r, err)
                : mni_image_resize(&square, source, r->size, r->size, err);
    if (s == MANN_OK) to_planes(out, &square, r);
    mann_image_clear(&square);
    mann_image_clear(&rgb);
    return s;
}
