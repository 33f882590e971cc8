/* synth_paint.c - a sprite onto the canvas: coverage, pattern, light.
 *
 * For every pixel in the sprite's bounding box the inverse of its 2 x 2 matrix gives (u,
 * v) inside the part. Four samples of the shape (a rotated grid: good for flat and steep
 * edges alike) tell how much of the pixel is covered; colour is worked out once a pixel.
 * Pattern borders are softened over the width of a pixel instead of being sampled.
 *
 *     . x . .      the samples of one pixel, in eighths from its centre:
 *     . . . x      (-1, -3) (3, -1) (1, 3) (-3, 1)
 *     x . . .
 *     . . x .
 *
 * SPDX-License-Identifier: MIT */
#include "image/synth_impl.h"

enum { LOCAL_BITS = 20, FULL = 1 << LOCAL_BITS }; /* (u, v) while stepping: Q20 */

/* What is constant over one sprite. */
typedef struct brush {
    const mni_sprite *s;
    mni_form form;
    int32_t cos_a, sin_a;     /* of the pattern's angle, Q14 */
    int32_t per_unit;         /* pattern cycles per unit, Q8 */
    int32_t soft;             /* a pixel in cycles, Q14, at least 1 */
    int32_t light_u, light_v; /* towards the light along u and v, Q12 */
    uint8_t colour[3][3];
} brush;

/* --- patterns ----------------------------------------------------------------------- */

/* 0..256: how far a value is above 0, softened over `soft`. */
static int32_t above(const brush *b, int32_t v)
{
    if (v >= b->soft) return 256;
    if (v <= -b->soft) return 0;
    return (v + b->soft) * 128 / b->soft;
}

/* Distance from the middle of the nearest cycle, 0 (middle) .. Q14 / 2 (border). */
static int32_t from_middle(int32_t v)
{
    return mni_abs32((v & (MNI_Q14 - 1)) - MNI_Q14 / 2);
}

/* The share (0..256) of the second colour at pattern coordinates (a, b), in cycles
 * Q14. */
static int32_t pattern_share(const brush *k, int32_t a, int32_t b, int32_t v, int *third)
{
    const mni_look *l = &k->s->part->look;
    const int32_t half =
        MNI_Q14 / 4 + l->phase / 8 - MNI_Q14 / 16; /* duty of lines and dots */
    switch (l->pattern) {
    case MNI_STRIPES: return above(k, half - from_middle(a));
    case MNI_CHECKS: {
        const int32_t x = above(k, MNI_Q14 / 4 - from_middle(a / 2)),
                      y = above(k, MNI_Q14 / 4 - from_middle(b / 2));
        return (x * (256 - y) + y * (256 - x)) >> 8;
    }
    case MNI_DOTS: {
        const int32_t x = from_middle(a), y = from_middle(b);
        return above(k, half - (int32_t)mni_root64((uint64_t)(x * x + y * y)));
    }
    case MNI_GRADIENT: return mni_clamp((v + MNI_Q12) >> 5, 0, 256);
    case MNI_RINGS: {
        const int32_t r =
            (int32_t)mni_root64((uint64_t)((int64_t)a * a + (int64_t)b * b));
        return above(k, half - from_middle(r));
    }
    case MNI_PATCHES: return above(k, (mni_value_noise(a, b, l->seed) - 128) * 64);
    case MNI_ZIGZAG: return above(k, half - from_middle(a + from_middle(b)));
    case MNI_HALVES: return above(k, a - l->phase + MNI_Q14 / 2);
    case MNI_GRID: {
        const int32_t x = from_middle(a), y = from_middle(b);
        return above(k, MNI_Q14 / 8 - (x < y ? x : y));
    }
    case MNI_SPECKLE: {
        const uint32_t h = mni_hash3((uint32_t)mni_down(a * 2, 14),
                                     (uint32_t)mni_down(b * 2, 14), l->seed);
        *third = (h >> 8 & 3) == 0;
        return (h & 3) == 0 ? 256 : 0;
    }
    case MNI_TRICOLOUR: {
        const int32_t stripe = mni_down(a, 14) % 3;
        *third = stripe == 2 || stripe == -1;
        return stripe == 1 || stripe == -2 ? 256 : 0;
    }
    case MNI_PLAIN:
    case MNI_N_PATTERNS: break;
    }
    return 0;
}

/* The surface's own colour at local (u, v), Q12; `f`: the shape's value there. */
static void surface(int32_t rgb[3], const brush *b, int32_t u, int32_t v, int32_t f)
{
    const mni_part *p = b->s->part;
    int third = 0;
    int32_t share = 0;
    if (p->look.pattern != MNI_PLAIN) {
        /* In units of the toy, so that a pattern has one pitch on long and short
         * parts. */
        const int32_t x = (u + b->s->slide_u) * (p->rx >> 6) / 64,
                      y = (v + b->s->slide_v) * (p->ry >> 6) / 64;
        const int32_t a = mni_mul14(x, b->cos_a) + mni_mul14(y, b->sin_a);
        const int32_t c = mni_mul14(y, b->cos_a) - mni_mul14(x, b->sin_a);
        share = pattern_share(b, mni_down((int64_t)a * b->per_unit, 8) + p->look.phase,
                              mni_down((int64_t)c * b->per_unit, 8), v, &third);
    }
    if (p->look.trim && f > MNI_Q12 - p->look.trim) third = 1;
    const uint8_t *c0 = b->colour[third ? 2 : 0], *c1 = b->colour[third ? 2 : 1];
    for (int c = 0; c < 3; c++)
        rgb[c] = c0[c] + (((int32_t)c1[c] - c0[c]) * share + 128) / 256;
}

/* Balls are darker away from the light and at the rim, and may shine; flat things hardly
 * change. */
static void shade(int32_t rgb[3], const brush *b, int32_t u, int32_t v)
{
    const mni_part *p = b->s->part;
    const int32_t facing =
        mni_down((int64_t)u * b->light_u + (int64_t)v * b->light_v, 12); /* Q12 */
    const int32_t r2 = (u * u + v * v) >> 12;
    int32_t light = p->round ? 262 + facing / 48 - r2 / 64 : 256 + facing / 160; /* Q8 */
    light = mni_clamp(light, 60, 400);
    for (int c = 0; c < 3; c++) rgb[c] = rgb[c] * light >> 8;
    if (p->look.gloss && p->round) {
        const int32_t du = u - b->light_u * 4 / 10, dv = v - b->light_v * 4 / 10;
        const int32_t d2 = (du * du + dv * dv) >> 12;
        if (d2 < 480)
            for (int c = 0; c < 3; c++) rgb[c] += p->look.gloss * (480 - d2) / 480;
    }
    for (int c = 0; c < 3; c++) rgb[c] = mni_clamp(rgb[c], 0, 255);
}

/* --- rasterising -------------------------------------------------------------------- */

static void over(uint8_t *pixel, const int32_t rgb[3], int32_t cover) /* cover 0..256 */
{
    for (int c = 0; c < 3; c++)
        pixel[c] = (uint8_t)((pixel[c] * (256 - cover) + rgb[c] * cover + 128) >> 8);
    pixel[3] = (uint8_t)((pixel[3] * (256 - cover) + 255 * cover + 128) >> 8);
}

static void brush_init(brush *b, const mni_sprite *s, int32_t size)
{
    const mni_look *l = &s->part->look;
    *b = (brush){ .s = s };
    mni_form_init(&b->form, s->part->shape, s->part->points, s->part->p);
    for (int i = 0; i < 3; i++)
        for (int c = 0; c < 3; c++) b->colour[i][c] = s->palette[l->colour[i]][c];
    b->cos_a = mni_cos14(l->angle);
    b->sin_a = mni_sin14(l->angle);
    b->per_unit = l->period > 0 ? MNI_Q14 * 256 / l->period : 0;
    /* One pixel, in the part's own units, in cycles: the width over which borders are
     * softened. */
    const int32_t longest =
        (int32_t)mni_root64((uint64_t)((int64_t)s->ux * s->ux + (int64_t)s->uy * s->uy));
    const int64_t pixel =
        (int64_t)2 * MNI_Q14 / size * s->part->rx / (longest > 64 ? longest : 64);
    b->soft = mni_clamp((int32_t)(pixel * b->per_unit / 256 * 6 / 10), 1, MNI_Q14 / 2);
    /* The light in the part's frame: projected on the two axes. */
    const int32_t down =
        (int32_t)mni_root64((uint64_t)((int64_t)s->vx * s->vx + (int64_t)s->vy * s->vy));
    b->light_u = (int32_t)(((int64_t)s->light_x * s->ux + (int64_t)s->light_y * s->uy) /
                           (longest + 1));
    b->light_v = (int32_t)(((int64_t)s->light_x * s->vx + (int64_t)s->light_y * s->vy) /
                           (down + 1));
}

/* Steps of (u, v), Q20, per pixel along x and along y, and per sample. */
typedef struct steps {
    int32_t ux, vx, uy, vy, su[4], sv[4];
} steps;

static int steps_init(steps *st, const mni_sprite *s, int32_t size)
{
    const int64_t det = (int64_t)s->ux * s->vy - (int64_t)s->uy * s->vx; /* Q28 */
    if (det > -512 && det < 512) return 0;                               /* edge on */
    const int64_t unit = (int64_t)2 * MNI_Q14 * FULL, d = det * size;
    const int64_t limit = (int64_t)8 * FULL; /* beyond a pixel: all the same */
    const int64_t raw[4] = { s->vy * unit / d, -s->uy * unit / d, -s->vx * unit / d,
                             s->ux * unit / d };
    int32_t step[4];
    for (int i = 0; i < 4; i++)
        step[i] = (int32_t)(raw[i] > limit ? limit : raw[i] < -limit ? -limit : raw[i]);
    st->ux = step[0];
    st->vx = step[1];
    st->uy = step[2];
    st->vy = step[3];
    static const int32_t AT[4][2] = { { -1, -3 }, { 3, -1 }, { 1, 3 }, { -3, 1 } };
    for (int k = 0; k < 4; k++) {
        st->su[k] = (AT[k][0] * st->ux + AT[k][1] * st->uy) / 8;
        st->sv[k] = (AT[k][0] * st->vx + AT[k][1] * st->vy) / 8;
    }
    return 1;
}

/* Pixels [*first, *end) that centre +- reach (Q14) touches. */
static void bounds(int32_t centre, int32_t reach, int32_t size, int32_t *first,
                   int32_t *end)
{
    const int64_t low = ((int64_t)centre - reach + MNI_Q14) * size,
                  high = ((int64_t)centre + reach + MNI_Q14) * size;
    *first = mni_clamp(mni_down(low, 15) - 1, 0, size);
    *end = mni_clamp(mni_down(high, 15) + 2, 0, size);
}

static void paint_pixel(uint8_t *pixel, const brush *b, const steps *st, int32_t u,
                        int32_t v)
{
    int32_t inside = 0, f = 0;
    for (int k = 0; k < 4; k++) {
        const int32_t at = mni_form_at(&b->form, mni_down(u + st->su[k], LOCAL_BITS - 12),
                                       mni_down(v + st->sv[k], LOCAL_BITS - 12));
        if (at > MNI_Q12) continue;
        inside++;
        f += at;
    }
    if (!inside) return;
    int32_t rgb[3];
    const int32_t lu = mni_clamp(mni_down(u, LOCAL_BITS - 12), -MNI_Q12, MNI_Q12);
    const int32_t lv = mni_clamp(mni_down(v, LOCAL_BITS - 12), -MNI_Q12, MNI_Q12);
    surface(rgb, b, lu, lv, f / inside);
    shade(rgb, b, lu, lv);
    over(pixel, rgb, inside * 64);
}

void mni_paint(const mni_canvas *c, const mni_sprite *s)
{
    brush b;
    steps st;
    int32_t x0, x1, y0, y1;
    if (!steps_init(&st, s, c->size)) return;
    brush_init(&b, s, c->size);
    bounds(s->x, mni_abs32(s->ux) + mni_abs32(s->vx), c->size, &x0, &x1);
    bounds(s->y, mni_abs32(s->uy) + mni_abs32(s->vy), c->size, &y0, &y1);
    const int64_t det = (int64_t)s->ux * s->vy - (int64_t)s->uy * s->vx;
    const int64_t far = (int64_t)64 * FULL;
    for (int32_t y = y0; y < y1; y++) {
        /* The row's first pixel exactly, the others by steps. */
        const int64_t px = (int64_t)(2 * x0 + 1) * MNI_Q14 / c->size - MNI_Q14 - s->x;
        const int64_t py = (int64_t)(2 * y + 1) * MNI_Q14 / c->size - MNI_Q14 - s->y;
        const int64_t u0 = (s->vy * px - s->vx * py) * FULL / det;
        const int64_t v0 = (s->ux * py - s->uy * px) * FULL / det;
        int64_t u = u0 > far    ? far
                    : u0 < -far ? -far
                                : u0,
                v = v0 > far    ? far
                    : v0 < -far ? -far
                                : v0;
        uint8_t *pixel = c->rgba + 4 * ((size_t)y * (size_t)c->size + (size_t)x0);
        for (int32_t x = x0; x < x1; x++, pixel += 4, u += st.ux, v += st.vx) {
            if (u > 4 * FULL || u < -4 * FULL || v > 4 * FULL || v < -4 * FULL) continue;
            paint_pixel(pixel, &b, &st, (int32_t)u, (int32_t)v);
        }
    }
}
