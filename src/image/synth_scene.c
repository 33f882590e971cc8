/* synth_scene.c - what is behind the toy and what is in front of it.
 * SPDX-License-Identifier: MIT */
#include "image/synth_impl.h"

/* The clean background of pictures without clutter. */
static const int32_t STUDIO[3] = { 206, 206, 202 };

typedef enum ground {
    PLAIN,
    FADE,
    CLOUDS,
    PLANKS,
    TILES,
    HORIZON,
    WALLPAPER,
    GRASS,
    N_GROUNDS
} ground;

/* A ground, ready to be asked for any point. */
typedef struct scenery {
    ground kind;
    int32_t cos_a, sin_a, pitch,
        level; /* pitch: Q14 cycles per unit; level: of the horizon */
    uint32_t seed;
    int32_t colour[3][3];
} scenery;

static void mix(int32_t out[3], const int32_t a[3], const int32_t b[3], int32_t share)
{
    for (int c = 0; c < 3; c++) out[c] = a[c] + (b[c] - a[c]) * share / 256;
}

/* Rooms and gardens are duller than toys: colours are pulled towards their own grey, by
 * chance. */
static void scenery_make(scenery *g, mni_rng *r)
{
    uint8_t palette[MNI_N_COLOURS][3];
    mni_palette_make(palette, r);
    g->kind = (ground)mni_pick(r, 0, N_GROUNDS - 1);
    const int32_t angle =
        mni_chance(r, 40) ? mni_pick(r, 0, 3) * 16384 : mni_pick(r, 0, 65535);
    g->cos_a = mni_cos14(angle);
    g->sin_a = mni_sin14(angle);
    g->pitch = mni_pick(r, MNI_Q14 * 15 / 10, MNI_Q14 * 7);
    g->level = mni_pick(r, -MNI_Q14 / 2, MNI_Q14 / 2);
    g->seed = (uint32_t)mni_rng_u64(r);
    for (int i = 0; i < 3; i++) {
        const int32_t dull = mni_pick(r, 150, 254);
        const int32_t grey = (palette[i][0] + palette[i][1] + palette[i][2]) / 3;
        for (int c = 0; c < 3; c++)
            g->colour[i][c] = palette[i][c] + (grey - palette[i][c]) * dull / 256;
    }
}

static void scenery_at(int32_t rgb[3], const scenery *g, int32_t x, int32_t y)
{
    const int32_t a = mni_mul14(x, g->cos_a) + mni_mul14(y, g->sin_a);
    const int32_t b = mni_mul14(y, g->cos_a) - mni_mul14(x, g->sin_a);
    const int32_t pa = mni_mul14(a, g->pitch), pb = mni_mul14(b, g->pitch);
    int32_t share = 0;
    switch (g->kind) {
    case FADE: share = mni_clamp((a + MNI_Q14 * 5 / 4) / 160, 0, 256); break;
    case CLOUDS:
        share = (mni_value_noise(pa, pb, g->seed) * 2 +
                 mni_value_noise(3 * pa, 3 * pb, ~g->seed)) /
                3;
        break;
    case PLANKS: { /* a tint for each board, and grain */
        const uint32_t board = (uint32_t)mni_down(pa, 14);
        share = (int32_t)(mni_hash3(board, 0, g->seed) >> 25) +
                mni_value_noise(pa * 4, pb / 3, g->seed) / 2;
        if ((pa & (MNI_Q14 - 1)) < MNI_Q14 / 12) {
            mix(rgb, g->colour[2], g->colour[0], 60);
            return;
        }
        break;
    }
    case TILES: {
        const int32_t line = MNI_Q14 / 10;
        if ((pa & (MNI_Q14 - 1)) < line || (pb & (MNI_Q14 - 1)) < line) {
            mix(rgb, g->colour[2], g->colour[0], 0);
            return;
        }
        share = (mni_down(pa, 14) + mni_down(pb, 14)) & 1 ? 200 : 20;
        break;
    }
    case HORIZON: /* a wall above, a table below */
        if (y > g->level) {
            mix(rgb, g->colour[1], g->colour[2], mni_value_noise(pa, pb * 3, g->seed));
            return;
        }
        share = mni_clamp((y + MNI_Q14) / 300, 0, 100);
        break;
    case WALLPAPER: {
        const int32_t dx = (pa & (MNI_Q14 - 1)) - MNI_Q14 / 2,
                      dy = (pb & (MNI_Q14 - 1)) - MNI_Q14 / 2;
        share = dx * dx + dy * dy < MNI_Q14 * (MNI_Q14 / 16) ? 256 : 0;
        break;
    }
    case GRASS: share = mni_value_noise(pa * 4, pb, g->seed); break;
    case PLAIN:
    case N_GROUNDS: break;
    }
    mix(rgb, g->colour[0], g->colour[1], share);
}

/* A loose thing in the picture's plane: centre and half sizes in Q14. */
static void paint_thing(const mni_canvas *c, const mni_view *v,
                        const uint8_t (*palette)[3], const mni_part *p)
{
    const int32_t cosine = mni_cos14(p->turn), sine = mni_sin14(p->turn);
    const mni_sprite s = {
        .part = p,
        .palette = palette,
        .x = p->x,
        .y = p->y,
        .ux = mni_mul14(p->rx, cosine),
        .uy = mni_mul14(p->rx, sine),
        .vx = -mni_mul14(p->ry, sine),
        .vy = mni_mul14(p->ry, cosine),
        .light_x = v->light_x,
        .light_y = v->light_y,
    };
    mni_paint(c, &s);
}

static mni_part thing_make(mni_rng *r, int32_t least, int32_t most)
{
    mni_part p = { .shape = (mni_shape)mni_pick(r, 0, MNI_N_SHAPES - 1) };
    mni_look_make(&p.look, r, MNI_N_COLOURS);
    p.round = mni_chance(r, 60);
    p.points = mni_pick(r, 3, 8);
    p.p = mni_pick(r, MNI_Q12 / 4, MNI_Q12 * 3 / 4);
    p.rx = mni_pick(r, least, most);
    p.ry = p.rx * mni_pick(r, 50, 200) / 100;
    p.turn = mni_pick(r, 0, 65535);
    return p;
}

void mni_scene_background(const mni_canvas *canvas, const mni_view *v, mni_rng r)
{
    const int32_t size = canvas->size;
    scenery g;
    scenery_make(&g, &r);
    uint8_t *p = canvas->rgba;
    for (int32_t y = 0; y < size; y++)
        for (int32_t x = 0; x < size; x++, p += 4) {
            int32_t rgb[3] = { STUDIO[0], STUDIO[1], STUDIO[2] };
            if (v->background)
                scenery_at(rgb, &g, (2 * x + 1) * MNI_Q14 / size - MNI_Q14,
                           (2 * y + 1) * MNI_Q14 / size - MNI_Q14);
            for (int c = 0; c < 3; c++) p[c] = (uint8_t)mni_clamp(rgb[c], 0, 255);
            p[3] = 255;
        }
    if (!v->background) return;

    uint8_t palette[MNI_N_COLOURS][3];
    mni_palette_make(palette, &r);
    for (int n = mni_pick(&r, 0, 4); n > 0; n--) {
        mni_part thing = thing_make(&r, MNI_Q14 * 8 / 100, MNI_Q14 * 36 / 100);
        thing.x = mni_pick(&r, -MNI_Q14, MNI_Q14);
        thing.y = mni_pick(&r, -MNI_Q14, MNI_Q14);
        paint_thing(canvas, v, palette, &thing);
    }
    p = canvas->rgba; /* weak clutter: most of it is studio */
    for (int32_t i = 0; i < size * size; i++, p += 4)
        for (int c = 0; c < 3; c++)
            p[c] = (uint8_t)(STUDIO[c] + (p[c] - STUDIO[c]) * v->background / 256);
}

/* --- in front ----------------------------------------------------------------------- */

/* A hand that reaches in from (x, y): a palm and four fingers, in a colour of skin or
 * glove. */
static void paint_hand(const mni_canvas *c, const mni_view *v,
                       const uint8_t (*palette)[3], mni_part p, mni_rng *r)
{
    const int32_t size = p.rx * 7 / 10, towards = p.turn;
    p.look.pattern = MNI_PLAIN;
    p.round = 1;
    p.shape = MNI_SQUIRCLE;
    p.rx = p.ry = size;
    paint_thing(c, v, palette, &p);
    const mni_part palm = p;
    p.shape = MNI_CAPSULE;
    p.p = MNI_Q12 / 4;
    for (int i = 0; i < 4; i++) {
        const int32_t across = size * (2 * i - 3) / 4,
                      reach = size * mni_pick(r, 120, 150) / 100;
        p.turn = towards + (i - 1) * 1200;
        p.rx = size / 4;
        p.ry = size * 7 / 10;
        p.x = palm.x + mni_mul14(across, mni_cos14(towards)) +
              mni_mul14(reach, mni_sin14(towards));
        p.y = palm.y + mni_mul14(across, mni_sin14(towards)) -
              mni_mul14(reach, mni_cos14(towards));
        paint_thing(c, v, palette, &p);
    }
}

void mni_scene_occlude(const mni_canvas *canvas, const mni_view *v, mni_rng r)
{
    const int32_t s = v->occlusion; /* Q16 */
    uint8_t palette[MNI_N_COLOURS][3];
    mni_palette_make(palette, &r);
    const int n = mni_pick(&r, 0, 9) < 4 ? 0 : mni_pick(&r, 1, 2);
    if (s == 0) return;
    for (int i = 0; i < n; i++) {
        const int kind = mni_pick(&r, 0, 2);
        mni_part p = thing_make(&r, MNI_Q14 * 16 / 100, MNI_Q14 * 34 / 100);
        const int32_t angle = mni_pick(&r, 0, 65535),
                      far = mni_pick(&r, MNI_Q14 * 35 / 100, MNI_Q14 * 90 / 100);
        p.x = mni_mul14(far, mni_cos14(angle));
        p.y = mni_mul14(far, mni_sin14(angle));
        p.rx = mni_down((int64_t)p.rx * s, 16) + 1;
        p.ry = mni_down((int64_t)p.ry * s, 16) + 1;
        if (kind == 0) { /* a bar through and through */
            p.shape = MNI_BOX;
            p.ry = MNI_Q14 * 3;
            p.rx = p.rx * 4 / 10;
        }
        if (kind == 1) { /* fingers towards the middle */
            p.turn = angle - 16384;
            paint_hand(canvas, v, palette, p, &r);
        } else {
            paint_thing(canvas, v, palette, &p);
        }
    }
}

/* --- together ----------------------------------------------------------------------- */

/* How much of the toy (0..255) stands between this pixel and the light: the alpha of five
 * points around the one that is (dx, dy) pixels towards the light. */
static int32_t shadow_at(const mni_canvas *toy, int32_t x, int32_t y, int32_t dx,
                         int32_t dy, int32_t soft)
{
    static const int8_t AROUND[5][2] = {
        { 0, 0 }, { 1, 0 }, { -1, 0 }, { 0, 1 }, { 0, -1 }
    };
    int32_t sum = 0;
    for (int k = 0; k < 5; k++) {
        const int32_t sx = x + dx + AROUND[k][0] * soft,
                      sy = y + dy + AROUND[k][1] * soft;
        if (sx < 0 || sy < 0 || sx >= toy->size || sy >= toy->size) continue;
        sum += toy->rgba[4 * ((size_t)sy * (size_t)toy->size + (size_t)sx) + 3];
    }
    return sum / 5;
}

void mni_scene_compose(uint8_t *rgb, const mni_canvas *back, const mni_canvas *toy,
                       const mni_view *v)
{
    const int32_t size = toy->size, soft = size / 48 + 1;
    /* The shadow falls away from the light by a tenth of the side. */
    const int32_t dx = v->light_x * size / (10 * MNI_Q12),
                  dy = v->light_y * size / (10 * MNI_Q12);
    const uint8_t *b = back->rgba, *t = toy->rgba;
    for (int32_t y = 0; y < size; y++)
        for (int32_t x = 0; x < size; x++, rgb += 3, b += 4, t += 4) {
            int32_t dark = 0;
            if (v->shadow && t[3] < 255)
                dark = shadow_at(toy, x, y, dx, dy, soft) * v->shadow / 255;
            for (int c = 0; c < 3; c++) {
                const int32_t floor = b[c] * (255 - dark) / 255;
                rgb[c] =
                    (uint8_t)mni_clamp(t[c] + (floor * (255 - t[3]) + 127) / 255, 0, 255);
            }
        }
}
