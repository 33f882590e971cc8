/* synth_toy.c - what makes a class: its colours, its surfaces, and the frame around its
 * parts.
 *
 * A class is a stream of random numbers, addressed by (seed, class number). Roughly what
 * it decides: 2-5 colours of 18 visible bits each; four looks of about 25 bits (pattern,
 * colours, pitch, angle, rim, gloss); a body plan out of ten with 10-30 proportions of 5
 * bits; 1-3 marks. Far more than 60 bits, so that among a million classes two alike are
 * not to be expected. SPDX-License-Identifier: MIT */
#include "image/synth_impl.h"

#include <string.h>

/* Hue 0..1535 (six ramps of 256), saturation and value 0..255. */
static void from_hsv(uint8_t rgb[3], int32_t hue, int32_t saturation, int32_t value)
{
    const int32_t ramp = hue & 255, low = value * (255 - saturation) / 255;
    const int32_t up = low + (value - low) * ramp / 255,
                  down = value - (value - low) * ramp / 255;
    const int32_t table[6][3] = { { value, up, low }, { down, value, low },
                                  { low, value, up }, { low, down, value },
                                  { up, low, value }, { value, low, down } };
    for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)table[(hue >> 8) % 6][c];
}

static int32_t colour_distance(const uint8_t a[3], const uint8_t b[3])
{
    int32_t sum = 0;
    for (int c = 0; c < 3; c++) sum += mni_abs32((int32_t)a[c] - b[c]);
    return sum;
}

/* Toy colours: most of them strong, some pastel, a few grey or dark; each one well away
 * from those before it, as far as eight tries allow. */
void mni_palette_make(uint8_t (*palette)[3], mni_rng *r)
{
    for (int i = 0; i < MNI_N_COLOURS - 2; i++) {
        for (int tries = 0; tries < 8; tries++) {
            const int32_t kind = mni_pick(r, 0, 99), hue = mni_pick(r, 0, 1535);
            const int32_t saturation = kind < 65   ? mni_pick(r, 150, 255)
                                       : kind < 85 ? mni_pick(r, 60, 150)
                                                   : mni_pick(r, 0, 40);
            const int32_t value =
                kind % 5 == 0 ? mni_pick(r, 50, 130) : mni_pick(r, 140, 250);
            from_hsv(palette[i], hue, saturation, value);
            int32_t nearest = 999;
            for (int j = 0; j < i; j++) {
                const int32_t d = colour_distance(palette[i], palette[j]);
                if (d < nearest) nearest = d;
            }
            if (nearest > 150) break;
        }
    }
    memset(palette[MNI_N_COLOURS - 2], 244, 3);
    memset(palette[MNI_N_COLOURS - 1], 28, 3);
}

/* One surface. Half of them are patterned; the pitch is a fraction of the toy's own
 * size. */
void mni_look_make(mni_look *l, mni_rng *r, int n_colours)
{
    *l = (mni_look){ .pattern = MNI_PLAIN };
    if (mni_chance(r, 62)) l->pattern = (mni_pattern)mni_pick(r, 1, MNI_N_PATTERNS - 1);
    for (int i = 0; i < 3; i++) l->colour[i] = (uint8_t)mni_pick(r, 0, n_colours - 1);
    if (l->colour[1] == l->colour[0])
        l->colour[1] = (uint8_t)((l->colour[0] + 1) % n_colours);
    l->period = mni_pick(r, MNI_Q14 * 12 / 100, MNI_Q14 * 50 / 100);
    l->angle = mni_chance(r, 50) ? mni_pick(r, 0, 3) * 8192 : mni_pick(r, 0, 65535);
    l->phase = mni_pick(r, 0, MNI_Q14 - 1);
    l->trim = mni_chance(r, 35) ? mni_pick(r, 300, 1100) : 0;
    l->gloss = mni_chance(r, 45) ? mni_pick(r, 60, 200) : 0;
    l->seed = (uint32_t)mni_rng_u64(r);
}

/* Half width and half height of a part's bounding box, its turn taken into account. */
static void extent(const mni_part *p, int32_t *w, int32_t *h)
{
    const int32_t c = mni_abs32(mni_cos14(p->turn)), s = mni_abs32(mni_sin14(p->turn));
    *w = mni_mul14(p->rx, c) + mni_mul14(p->ry, s);
    *h = mni_mul14(p->rx, s) + mni_mul14(p->ry, c);
}

/* Moves and scales the toy so that it just fits the square -1..1. Plans need not care for
 * size. */
static void fit(mni_toy *t)
{
    int32_t x0 = INT32_MAX, y0 = INT32_MAX, x1 = INT32_MIN, y1 = INT32_MIN;
    for (int i = 0; i < t->n_parts; i++) {
        const mni_part *p = &t->part[i];
        int32_t w, h;
        extent(p, &w, &h);
        if (p->x - w < x0) x0 = p->x - w;
        if (p->x + w > x1) x1 = p->x + w;
        if (p->y - h < y0) y0 = p->y - h;
        if (p->y + h > y1) y1 = p->y + h;
    }
    const int32_t cx = (x0 + x1) / 2, cy = (y0 + y1) / 2;
    const int32_t half = (x1 - x0 > y1 - y0 ? x1 - x0 : y1 - y0) / 2;
    const int32_t scale =
        (int32_t)((int64_t)MNI_Q14 * MNI_Q14 / (half > 256 ? half : 256));
    for (int i = 0; i < t->n_parts; i++) {
        mni_part *p = &t->part[i];
        p->x = mni_mul14(p->x - cx, scale);
        p->y = mni_mul14(p->y - cy, scale);
        p->joint_x = mni_mul14(p->joint_x - cx, scale);
        p->joint_y = mni_mul14(p->joint_y - cy, scale);
        p->z = mni_mul14(p->z, scale);
        p->rx = mni_mul14(p->rx, scale);
        p->ry = mni_mul14(p->ry, scale);
        p->rz = mni_mul14(p->rz, scale);
    }
}

void mni_toy_make(mni_toy *t, uint64_t seed, uint64_t klass)
{
    mni_rng r = mni_rng_at(seed, MNI_FOR_SYNTH_CLASS, klass, 0, 0);
    mni_look look[4];
    t->n_parts = 0;
    mni_palette_make(t->palette, &r);
    const int n_colours = mni_pick(&r, 2, 5);
    for (int i = 0; i < 4; i++) mni_look_make(&look[i], &r, n_colours);
    mni_plan_build(t, &r, look);
    fit(t);
}
