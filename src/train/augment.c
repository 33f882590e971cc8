/* augment.c - see augment.h. In the order of what happens to light: the thing before
 * its background, the place and pose of the picture, then the camera's colours and
 * focus, then a thumb before the lens.
 *
 * How often each number is drawn depends on the settings alone, never on the picture.
 * SPDX-License-Identifier: MIT */
#include "train/augment.h"

#include <string.h>

mni_augment mni_augment_preset(uint32_t kind)
{
    mni_augment a = { 0 };
    if (kind == MANN_AUGMENT_NONE) return a;
    a.rotate = 0.175f; /* 10 degrees */
    a.scale = 0.175f;
    a.shift = 0.0625f;
    if (kind == MANN_AUGMENT_GLYPH) return a;
    a.stretch = 0.08f;
    a.flip = 0.5f;
    a.contrast = 0.3f;
    a.brightness = 0.08f;
    a.colour = 0.06f;
    a.blur = 0.1f;
    a.erase = 0.15f;
    if (kind == MANN_AUGMENT_ALL) a.background = 0.3f;
    return a;
}

/* --- background ------------------------------------------------------------------- */

/* A colour, or a gradient between two from one side to the other. */
static void paint_background(mni_rng *r, float probability, const mni_recipe *recipe,
                             uint8_t *rgb)
{
    const uint32_t size = recipe->size;
    int from[3], to[3];
    const int change = mni_rng_unit(r) < probability, gradient = mni_rng_unit(r) < 0.5f;
    const int across = mni_rng_unit(r) < 0.5f;
    for (int k = 0; k < 3; k++) {
        from[k] = (int)mni_rng_below(r, 256);
        to[k] = (int)mni_rng_below(r, 256);
        if (!gradient) to[k] = from[k];
        if (!change) from[k] = to[k] = recipe->background[k];
    }
    for (uint32_t y = 0; y < size; y++)
        for (uint32_t x = 0; x < size; x++, rgb += 3)
            for (int k = 0; k < 3; k++)
                rgb[k] = (uint8_t)(from[k] +
                                   (to[k] - from[k]) * (int)(across ? x : y) / (int)size);
}

/* Premultiplied colour over what is in rgb. */
static void put_over(const mni_picture *p, size_t n, uint8_t *rgb)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *s = p->pixels + 4 * i;
        for (int k = 0; k < 3; k++) {
            const unsigned v =
                s[k] + (rgb[3 * i + (size_t)k] * (255u - s[3]) + 127) / 255;
            rgb[3 * i + (size_t)k] = (uint8_t)(v > 255 ? 255 : v);
        }
    }
}

/* --- place and pose --------------------------------------------------------------- */

/* Where in the source the pixel (x, y) of the result comes from, both counted from the
 * middle: (a x + b y + dx, c x + d y + dy). */
typedef struct affine {
    float a, b, c, d, dx, dy;
} affine;

/* The first terms of the series: good to 3e-6 for |x| <= 1, and the same bits
 * everywhere. */
static float sine(float x)
{
    const float z = x * x;
    return x * (1 - z / 6 * (1 - z / 20 * (1 - z / 42)));
}

static float cosine(float x)
{
    const float z = x * x;
    return 1 - z / 2 * (1 - z / 12 * (1 - z / 30 * (1 - z / 56)));
}

static affine draw_affine(const mni_augment *a, uint32_t turn, uint32_t size, mni_rng *r)
{
    static const float quarter[4][2] = {
        { 1, 0 }, { 0, 1 }, { -1, 0 }, { 0, -1 }
    }; /* cos, sin */
    const float angle = mni_rng_range(r, -a->rotate, a->rotate);
    const float scale = 1 + mni_rng_range(r, -a->scale, a->scale);
    const float stretch = 1 + mni_rng_range(r, -a->stretch, a->stretch);
    const float dx = mni_rng_range(r, -a->shift, a->shift) * (float)size;
    const float dy = mni_rng_range(r, -a->shift, a->shift) * (float)size;
    const float flip = mni_rng_unit(r) < a->flip ? -1.0f : 1.0f;
    const float co = cosine(angle) * scale, si = sine(angle) * scale;
    const affine m = { co * stretch * flip, -si, si * stretch * flip, co, dx, dy };
    const float qc = quarter[turn & 3][0], qs = quarter[turn & 3][1];
    return (affine){ qc * m.a - qs * m.c, qc * m.b - qs * m.d,   qs * m.a + qc * m.c,
                     qs * m.b + qc * m.d, qc * m.dx - qs * m.dy, qs * m.dx + qc * m.dy };
}

static int is_identity(const affine *m)
{
    return m->a == 1 && m->b == 0 && m->c == 0 && m->d == 1 && m->dx == 0 && m->dy == 0;
}

static float held(float v, float low, float high)
{
    return v < low ? low : v > high ? high : v;
}

/* Bilinear; beyond the border the border goes on. */
static void warp(const affine *m, const uint8_t *rgb, uint32_t size, float *out)
{
    const size_t n = (size_t)size * size;
    const float middle = ((float)size - 1) / 2, last = (float)size - 1;
    for (uint32_t y = 0; y < size; y++)
        for (uint32_t x = 0; x < size; x++) {
            const float u = (float)x - middle, v = (float)y - middle;
            const float sx = held(m->a * u + m->b * v + m->dx + middle, 0, last);
            const float sy = held(m->c * u + m->d * v + m->dy + middle, 0, last);
            const uint32_t x0 = (uint32_t)sx, y0 = (uint32_t)sy;
            const size_t right = x0 + 1 < size ? 3 : 0,
                         below = y0 + 1 < size ? 3 * (size_t)size : 0;
            const float fx = sx - (float)x0, fy = sy - (float)y0;
            const uint8_t *p = rgb + 3 * ((size_t)y0 * size + x0);
            for (size_t k = 0; k < 3; k++, p++) {
                const float top = (float)p[0] + fx * ((float)p[right] - (float)p[0]);
                const float low =
                    (float)p[below] + fx * ((float)p[below + right] - (float)p[below]);
                out[k * n + (size_t)y * size + x] = top + fy * (low - top);
            }
        }
}

static void unpack(const uint8_t *rgb, uint32_t size, float *out)
{
    const size_t n = (size_t)size * size;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 3; k++) out[k * n + i] = (float)rgb[3 * i + k];
}

/* --- light, focus, thumb ---------------------------------------------------------- */

static void relight(const mni_augment *a, mni_rng *r, size_t n, float *out)
{
    const float gain = 1 + mni_rng_range(r, -a->contrast, a->contrast);
    const float light = 255 * mni_rng_range(r, -a->brightness, a->brightness);
    for (size_t k = 0; k < 3; k++) {
        const float add = light + 255 * mni_rng_range(r, -a->colour, a->colour) + 127.5f -
                          127.5f * gain;
        for (size_t i = 0; i < n; i++)
            out[k * n + i] = held(gain * out[k * n + i] + add, 0, 255);
    }
}

/* (1 2 1) / 4 along a line of n floats, `step` apart, in place. */
static void blur_line(float *at, uint32_t n, size_t step)
{
    float before = at[0];
    for (uint32_t i = 0; i < n; i++, at += step) {
        const float now = at[0], after = i + 1 < n ? at[step] : now;
        at[0] = (before + 2 * now + after) / 4;
        before = now;
    }
}

static void blur(uint32_t size, float *out)
{
    for (uint32_t k = 0; k < 3; k++, out += (size_t)size * size)
        for (uint32_t i = 0; i < size; i++) {
            blur_line(out + (size_t)i * size, size, 1);
            blur_line(out + i, size, size);
        }
}

/* Zhong et al., "Random erasing data augmentation" (AAAI 2020): sides of 1/8 to 3/8,
 * one colour. */
static void erase(mni_rng *r, uint32_t size, float *out)
{
    const uint32_t w = size / 8 + mni_rng_below(r, size / 4 + 1),
                   h = size / 8 + mni_rng_below(r, size / 4 + 1);
    const uint32_t x = mni_rng_below(r, size - w + 1), y = mni_rng_below(r, size - h + 1);
    for (uint32_t k = 0; k < 3; k++) {
        const float v = (float)mni_rng_below(r, 256);
        for (uint32_t i = y; i < y + h; i++)
            for (uint32_t j = x; j < x + w; j++)
                out[((size_t)k * size + i) * size + j] = v;
    }
}

void mni_augment_run(const mni_augment *a, const mni_picture *p, const mni_recipe *recipe,
                     uint32_t turn, mni_rng r, uint8_t *room, float *out)
{
    const uint32_t size = recipe->size;
    const size_t n = (size_t)size * size;
    const uint8_t *rgb = p->pixels;
    if (p->channels == 4) {
        paint_background(&r, a->background, recipe, room);
        put_over(p, n, room);
        rgb = room;
    }
    r.at = 64; /* the numbers behind do not depend on whether there was alpha */
    const affine m = draw_affine(a, turn, size, &r);
    if (is_identity(&m))
        unpack(rgb, size, out);
    else
        warp(&m, rgb, size, out);
    if (a->contrast > 0 || a->brightness > 0 || a->colour > 0) relight(a, &r, n, out);
    if (mni_rng_unit(&r) < a->blur) blur(size, out);
    if (mni_rng_unit(&r) < a->erase) erase(&r, size, out);
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < n; i++)
            out[k * n + i] = (out[k * n + i] / 255.0f - recipe->mean[k]) / recipe->std[k];
}
