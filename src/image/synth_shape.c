/* synth_shape.c - fixed-point arithmetic and the shapes that toys are made of.
 *
 * A shape is a function of the point (u, v) that is at most 1 inside and grows outwards;
 * the level sets near 1 give rims of even width. Everything lives in the square -1..1.
 * Reading example: an ellipse is u^2 + v^2, a diamond |u| + |v|, a polygon the largest of
 * its distances to the edges. A star is the *second* largest: its tips lie beyond one
 * edge line, nothing of it beyond two. SPDX-License-Identifier: MIT */
#include "image/synth_impl.h"

/* --- fixed point -------------------------------------------------------------------- */

/* A quarter wave by a polynomial: with z = 0..1 along the quarter,
 *     sin = z * (a - z^2 * (b - z^2 * c)),  a = pi / 2, b = pi - 5 / 2, c = pi / 2 - 3 /
 *     2
 * which meets sine in value and slope at both ends; off by less than 5e-4 between. */
int32_t mni_sin14(int32_t angle)
{
    const uint32_t turn = (uint32_t)angle & 0xFFFFu, quarter = turn >> 14;
    int64_t z = turn & 0x3FFFu;
    if (quarter & 1) z = MNI_Q14 - z;
    const int64_t zz = z * z >> 14;
    const int64_t a = 25736, b = 10512, c = 1160; /* Q14 */
    const int64_t inner = b - (zz * c >> 14);
    const int32_t s = (int32_t)(z * (a - (zz * inner >> 14)) >> 14);
    return quarter & 2 ? -s : s;
}

int32_t mni_cos14(int32_t angle)
{
    return mni_sin14((int32_t)((uint32_t)angle + 16384u));
}

/* Newton's iteration in whole numbers, from above. */
uint32_t mni_root64(uint64_t v)
{
    if (v == 0) return 0;
    uint64_t x = 1;
    for (uint64_t t = v; t; t >>= 2) x <<= 1; /* a power of two above the root */
    for (;;) {
        const uint64_t next = (x + v / x) >> 1;
        if (next >= x) return (uint32_t)x;
        x = next;
    }
}

uint32_t mni_hash3(uint32_t a, uint32_t b, uint32_t seed)
{
    uint32_t h = a * 0x9E3779B1u ^ b * 0x85EBCA77u ^ seed;
    h = (h ^ (h >> 15)) * 0x2C1B3C6Du;
    h = (h ^ (h >> 12)) * 0x297A2D39u;
    return h ^ (h >> 15);
}

int32_t mni_value_noise(int32_t x, int32_t y, uint32_t seed)
{
    const uint32_t ix = (uint32_t)mni_down(x, 14), iy = (uint32_t)mni_down(y, 14);
    int32_t fx = (x & (MNI_Q14 - 1)) >> 6, fy = (y & (MNI_Q14 - 1)) >> 6; /* 0..255 */
    fx = fx * fx * (768 - 2 * fx) >> 16; /* smooth step */
    fy = fy * fy * (768 - 2 * fy) >> 16;
    const int32_t a = (int32_t)(mni_hash3(ix, iy, seed) >> 24);
    const int32_t b = (int32_t)(mni_hash3(ix + 1, iy, seed) >> 24);
    const int32_t c = (int32_t)(mni_hash3(ix, iy + 1, seed) >> 24);
    const int32_t d = (int32_t)(mni_hash3(ix + 1, iy + 1, seed) >> 24);
    const int32_t top = a * 256 + (b - a) * fx, low = c * 256 + (d - c) * fx;
    return (top * 256 + (low - top) * fy) >> 16;
}

/* --- shapes ------------------------------------------------------------------------- */

void mni_form_init(mni_form *f, mni_shape shape, int points, int32_t p)
{
    f->shape = shape;
    f->n = mni_clamp(points, shape == MNI_STAR ? 5 : 3, 8);
    f->p = mni_clamp(p, 64, MNI_Q12 - 64);
    if (shape != MNI_POLYGON && shape != MNI_STAR && shape != MNI_FLOWER) return;
    /* Normals of the edges, divided by the edges' distance from the middle: a dot product
     * of 1 is on the edge. Corners of a polygon at radius 1: cos(half step); tips of a
     * star: cos(whole step). */
    const int32_t step = 65536 / f->n;
    const int32_t apothem = mni_cos14(shape == MNI_STAR ? step : step / 2);
    for (int k = 0; k < f->n; k++) {
        const int32_t angle = 65536 * k / f->n + 16384; /* the first one points down */
        f->nx[k] = mni_cos14(angle) * MNI_Q12 / (shape == MNI_FLOWER ? MNI_Q14 : apothem);
        f->ny[k] = mni_sin14(angle) * MNI_Q12 / (shape == MNI_FLOWER ? MNI_Q14 : apothem);
    }
}

static int32_t circle(int32_t u, int32_t v) { return (u * u + v * v) >> 12; }
static int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }
static int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }

/* A box whose corners are quarter circles of radius r. */
static int32_t box(int32_t au, int32_t av, int32_t r)
{
    const int32_t qu = au - (MNI_Q12 - r), qv = av - (MNI_Q12 - r);
    if (qu <= 0 || qv <= 0) return larger(au, av);
    return MNI_Q12 - r + (qu * qu + qv * qv) / r;
}

/* Two lobes and a wedge, on |u|. */
static int32_t heart(int32_t au, int32_t v)
{
    const int32_t lobe = circle(au - 1966, v + 1720) * 4 * 9 / 10;
    const int32_t wedge = v < -1720 ? MNI_OUTSIDE : au + (v + 820) * 5 / 6;
    return smaller(lobe, wedge);
}

static int32_t edges(const mni_form *f, int32_t u, int32_t v)
{
    int32_t first = -MNI_OUTSIDE, second = -MNI_OUTSIDE;
    for (int k = 0; k < f->n; k++) {
        const int32_t d = mni_down((int64_t)f->nx[k] * u + (int64_t)f->ny[k] * v, 12);
        if (d > first) {
            second = first;
            first = d;
        } else if (d > second) second = d;
    }
    return f->shape == MNI_STAR ? second : first;
}

static int32_t flower(const mni_form *f, int32_t u, int32_t v)
{
    int32_t best = circle(u, v) * 4; /* the heart: radius 1/2 */
    for (int k = 0; k < f->n; k++)   /* petals: radius 0.4 at 0.6 */
        best =
            smaller(best, circle(u - f->nx[k] * 6 / 10, v - f->ny[k] * 6 / 10) * 25 / 4);
    return best;
}

int32_t mni_form_at(const mni_form *f, int32_t u, int32_t v)
{
    const int32_t au = mni_abs32(u), av = mni_abs32(v), p = f->p;
    if (au > MNI_Q12 || av > MNI_Q12) return MNI_OUTSIDE;
    switch (f->shape) {
    case MNI_SQUIRCLE: return circle(u * u >> 12, v * v >> 12);
    case MNI_BOX: return box(au, av, p);
    case MNI_DIAMOND: return au + av;
    case MNI_TRIANGLE: return larger(v, 2 * au - v);
    case MNI_TRAPEZOID: { /* p: width of the upper end */
        const int32_t width = p + ((MNI_Q12 - p) * (v + MNI_Q12) >> 13);
        return larger(av, au * MNI_Q12 / width);
    }
    case MNI_EGG: { /* p: how much narrower at the top */
        const int32_t width = MNI_Q12 - (p * (MNI_Q12 - v) >> 14);
        return circle(mni_clamp(u * MNI_Q12 / width, -16384, 16384), v);
    }
    case MNI_DOME: return circle(u, (v - MNI_Q12) / 2);
    case MNI_CAPSULE: { /* p: share of the round ends */
        const int32_t q = av - (MNI_Q12 - p);
        return q <= 0 ? au : circle(u, q * MNI_Q12 / p);
    }
    case MNI_RING:
    case MNI_SMILE: { /* p: radius of the hole */
        const int32_t d = circle(u, v);
        return d < (p * p >> 12) || (f->shape == MNI_SMILE && v < 0) ? MNI_OUTSIDE : d;
    }
    case MNI_CRESCENT: {
        const int32_t bite = circle(u - p, v);
        return bite < MNI_Q12 * 7 / 10 ? MNI_OUTSIDE : circle(u, v);
    }
    case MNI_HEART: return heart(au, v);
    case MNI_CROSS: /* p: width of the arms */
        return smaller(larger(au, av * MNI_Q12 / p), larger(av, au * MNI_Q12 / p));
    case MNI_LEAF: { /* two arcs; p: how slender */
        const int32_t w = au + p;
        return circle(w, v) * MNI_Q12 / (MNI_Q12 + (p * p >> 12));
    }
    case MNI_FLOWER: return flower(f, u, v);
    case MNI_POLYGON:
    case MNI_STAR: return edges(f, u, v);
    case MNI_ELLIPSE:
    case MNI_N_SHAPES: break;
    }
    return circle(u, v);
}
