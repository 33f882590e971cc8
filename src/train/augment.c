/* augment.c - see augment.h. In the order of what happens to light: the thing before
 * its background, the place and pose of the picture and what part of it is seen, then
 * (augment_lens.c) the light, the focus, the grain of the sensor, a thumb before the
 * lens, and the file.
 *
 * How often each number is drawn depends on the settings alone, never on the picture;
 * each group of changes draws from a place of its own (AT_*).
 * SPDX-License-Identifier: MIT */
#include "train/augment.h"

#include <string.h>

#include "base/mem.h"
#include "image/image.h"

enum { AT_POSE = 64, AT_PART = 256, AT_SHADE = 264, AT_FILE = 272, AT_NOISE = 280 };

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
    if (kind == MANN_AUGMENT_PHOTO) return a;
    a.background = 0.3f;
    if (kind == MANN_AUGMENT_ALL) return a;
    a.crop = 0.35f;
    a.shade = 0.35f;
    a.noise = 0.04f;
    a.jpeg = 0.2f;
    return a;
}

mni_augment mni_augment_changes(uint32_t changes, float strength)
{
    const mni_augment strong = mni_augment_preset(MANN_AUGMENT_STRONG);
    mni_augment a = { 0 };
    const uint32_t all = (changes & MANN_CHANGE_ALL) == MANN_CHANGE_ALL;
    const struct {
        uint32_t change;
        float *to, often;
    } how_often[] = {
        { MANN_CHANGE_FLIP, &a.flip, strong.flip },
        { MANN_CHANGE_BLUR, &a.blur, all ? strong.blur : 1 },
        { MANN_CHANGE_OCCLUSION, &a.erase, all ? strong.erase : 1 },
        { MANN_CHANGE_BACKGROUND, &a.background, all ? strong.background : 1 },
        { MANN_CHANGE_CROP, &a.crop, all ? strong.crop : 1 },
        { MANN_CHANGE_JPEG, &a.jpeg, all ? strong.jpeg : 1 },
    }, how_much[] = {
        { MANN_CHANGE_ROTATION, &a.rotate, strong.rotate },
        { MANN_CHANGE_SCALE, &a.scale, strong.scale },
        { MANN_CHANGE_SCALE, &a.stretch, strong.stretch },
        { MANN_CHANGE_SCALE, &a.shift, strong.shift },
        { MANN_CHANGE_LIGHT, &a.contrast, strong.contrast },
        { MANN_CHANGE_LIGHT, &a.brightness, strong.brightness },
        { MANN_CHANGE_LIGHT, &a.shade, strong.shade },
        { MANN_CHANGE_COLOUR, &a.colour, strong.colour },
        { MANN_CHANGE_NOISE, &a.noise, strong.noise },
    };
    for (size_t i = 0; i < sizeof how_often / sizeof *how_often; i++)
        if (changes & how_often[i].change) *how_often[i].to = how_often[i].often;
    for (size_t i = 0; i < sizeof how_much / sizeof *how_much; i++)
        if (changes & how_much[i].change)
            *how_much[i].to = strength * how_much[i].often;
    return a;
}

/* --- background ------------------------------------------------------------------- */

/* A colour, or a gradient between two from one side to the other. */
static void paint_background(mni_rng *r, float probability, const mni_scene *in,
                             uint8_t *rgb)
{
    const uint32_t w = in->width, h = in->height;
    int from[3], to[3];
    const int change = mni_rng_unit(r) < probability, gradient = mni_rng_unit(r) < 0.5f;
    const int across = mni_rng_unit(r) < 0.5f;
    for (int k = 0; k < 3; k++) {
        from[k] = (int)mni_rng_below(r, 256);
        to[k] = (int)mni_rng_below(r, 256);
        if (!gradient) to[k] = from[k];
        if (!change) from[k] = to[k] = in->background[k];
    }
    for (uint32_t y = 0; y < h; y++)
        for (uint32_t x = 0; x < w; x++, rgb += 3)
            for (int k = 0; k < 3; k++)
                rgb[k] = (uint8_t)(from[k] + (to[k] - from[k]) * (int)(across ? x : y) /
                                                 (int)(across ? w : h));
}

/* Premultiplied colour over what is in rgb. */
static void put_over(const mni_scene *p, size_t n, uint8_t *rgb)
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

/* turn: the quarter turns to the left; 4 more: the mirror image of what they give. */
static affine draw_affine(const mni_augment *a, uint32_t turn, const mni_scene *in,
                          mni_rng *r)
{
    static const float quarter[4][2] = {
        { 1, 0 }, { 0, 1 }, { -1, 0 }, { 0, -1 }
    }; /* cos, sin */
    const float angle = mni_rng_range(r, -a->rotate, a->rotate);
    const float scale = 1 + mni_rng_range(r, -a->scale, a->scale);
    const float stretch = 1 + mni_rng_range(r, -a->stretch, a->stretch);
    const float dx = mni_rng_range(r, -a->shift, a->shift) * (float)in->width;
    const float dy = mni_rng_range(r, -a->shift, a->shift) * (float)in->height;
    const float flip = mni_rng_unit(r) < a->flip ? -1.0f : 1.0f;
    const float co = cosine(angle) * scale, si = sine(angle) * scale;
    affine m = { co * stretch * flip, -si, si * stretch * flip, co, dx, dy };
    if (turn & 4) {
        m.a = -m.a;
        m.b = -m.b;
        m.dx = -m.dx;
    }
    const float qc = quarter[turn & 3][0], qs = quarter[turn & 3][1];
    return (affine){ qc * m.a - qs * m.c, qc * m.b - qs * m.d,   qs * m.a + qc * m.c,
                     qs * m.b + qc * m.d, qc * m.dx - qs * m.dy, qs * m.dx + qc * m.dy };
}

/* Only a part is seen ("the head"): a window somewhere in the picture fills it. */
static void see_a_part(const mni_augment *a, const mni_scene *in, mni_rng r, affine *m)
{
    r.at = AT_PART;
    const int change = mni_rng_unit(&r) < a->crop;
    const float side = mni_rng_range(&r, 0.5f, 0.9f), room = (1 - side) / 2;
    const float x = mni_rng_range(&r, -room, room) * (float)in->width;
    const float y = mni_rng_range(&r, -room, room) * (float)in->height;
    if (!change) return;
    *m = (affine){ side * m->a, side * m->b, side * m->c,
                   side * m->d, side * m->dx + x, side * m->dy + y };
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
static void warp(const affine *m, const uint8_t *rgb, uint32_t width, uint32_t height,
                 float *out)
{
    const size_t n = (size_t)width * height;
    const float right_end = (float)width - 1, low_end = (float)height - 1;
    const float across = right_end / 2, down = low_end / 2;
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++) {
            const float u = (float)x - across, v = (float)y - down;
            const float sx = held(m->a * u + m->b * v + m->dx + across, 0, right_end);
            const float sy = held(m->c * u + m->d * v + m->dy + down, 0, low_end);
            const uint32_t x0 = (uint32_t)sx, y0 = (uint32_t)sy;
            const size_t right = x0 + 1 < width ? 3 : 0,
                         below = y0 + 1 < height ? 3 * (size_t)width : 0;
            const float fx = sx - (float)x0, fy = sy - (float)y0;
            const uint8_t *p = rgb + 3 * ((size_t)y0 * width + x0);
            for (size_t k = 0; k < 3; k++, p++) {
                const float top = (float)p[0] + fx * ((float)p[right] - (float)p[0]);
                const float low =
                    (float)p[below] + fx * ((float)p[below + right] - (float)p[below]);
                out[k * n + (size_t)y * width + x] = top + fy * (low - top);
            }
        }
}

static void unpack(const uint8_t *rgb, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 3; k++) out[k * n + i] = (float)rgb[3 * i + k];
}

/* --- all of it -------------------------------------------------------------------- */

/* What came later, each from a place of its own in the stream of numbers. */
static mann_status sensor_and_file(const mni_augment *a, const mni_scene *in, mni_rng r,
                                   uint8_t *room, float *out, mann_error *err)
{
    r.at = AT_NOISE;
    const float deviation = a->noise * mni_rng_unit(&r);
    if (a->noise > 0)
        mni_augment_noise(deviation, &r, (size_t)in->width * in->height, out);
    r.at = AT_FILE;
    const int change = mni_rng_unit(&r) < a->jpeg;
    const int quality = 15 + (int)mni_rng_below(&r, 61);
    return change ? mni_augment_jpeg(quality, in->width, in->height, room, out, err)
                  : MANN_OK;
}

mann_status mni_augment_planes(const mni_augment *a, const mni_scene *in, uint32_t turn,
                               mni_rng r, uint8_t *room, float *out, mann_error *err)
{
    const uint32_t w = in->width, h = in->height;
    const size_t n = (size_t)w * h;
    const uint8_t *rgb = in->pixels;
    if (in->channels == 4) {
        paint_background(&r, a->background, in, room);
        put_over(in, n, room);
        rgb = room;
    }
    r.at = AT_POSE; /* the numbers behind do not depend on whether there was alpha */
    affine m = draw_affine(a, turn, in, &r);
    see_a_part(a, in, r, &m);
    if (is_identity(&m))
        unpack(rgb, n, out);
    else
        warp(&m, rgb, w, h, out);
    if (a->shade > 0) {
        mni_rng own = { r.key, AT_SHADE };
        mni_augment_shade(a->shade, &own, w, h, out);
    }
    if (a->contrast > 0 || a->brightness > 0 || a->colour > 0)
        mni_augment_light(a, &r, n, out);
    if (mni_rng_unit(&r) < a->blur) mni_augment_blur(w, h, out);
    if (mni_rng_unit(&r) < a->erase) mni_augment_erase(&r, w, h, out);
    return sensor_and_file(a, in, r, room, out, err);
}

mann_status mni_augment_run(const mni_augment *a, const mni_picture *p,
                            const mni_recipe *recipe, uint32_t turn, mni_rng r,
                            uint8_t *room, float *out, mann_error *err)
{
    const mni_scene in = { p->pixels, recipe->size, recipe->size, p->channels,
                           recipe->background };
    const size_t n = (size_t)recipe->size * recipe->size;
    MNI_TRY(mni_augment_planes(a, &in, turn, r, room, out, err));
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < n; i++)
            out[k * n + i] = (out[k * n + i] / 255.0f - recipe->mean[k]) / recipe->std[k];
    return MANN_OK;
}

mann_status mni_augment_image(const mni_augment *a, const mann_image *in, mni_rng r,
                              mann_image *out, mann_error *err)
{
    static const uint8_t white[3] = { 255, 255, 255 };
    const size_t n = (size_t)in->width * in->height;
    uint8_t *own = NULL;
    mni_scene scene = { in->pixels, in->width, in->height, in->channels, white };
    mann_status s = mni_image_new(out, in->width, in->height, 3, err);
    if (s != MANN_OK) return s;
    float *planes = mni_alloc(n, 3 * sizeof *planes);
    if (planes && in->channels == 4 && (own = mni_memdup(in->pixels, 4 * n))) {
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < 3; k++)
                own[4 * i + k] = (uint8_t)((own[4 * i + k] * own[4 * i + 3] + 127) / 255);
        scene.pixels = own;
    }
    if (!planes || (in->channels == 4 && !own))
        s = mni_fail(err, MANN_E_NOMEM, "augment: %u x %u pixels", (unsigned)in->width,
                     (unsigned)in->height);
    if (s == MANN_OK) /* the result is the room: it is written last */
        s = mni_augment_planes(a, &scene, 0, r, out->pixels, planes, err);
    for (size_t i = 0; s == MANN_OK && i < n; i++)
        for (size_t k = 0; k < 3; k++)
            out->pixels[3 * i + k] = (uint8_t)(held(planes[k * n + i], 0, 255) + 0.5f);
    mni_free(own);
    mni_free(planes);
    if (s != MANN_OK) mann_image_clear(out);
    return s;
}
