/* vp8l_transform.c - WebP, lossless: what the writer did to the pixels before it coded
 * them, undone.
 *
 *      predict   a pixel is the difference to a guess from its neighbours; which of 14
 *                guesses is told for each block
 *      colour    red and blue had a share of green (and red) taken off, told per block
 *      green     red and blue are differences to green
 *      index     a pixel is a place in a palette; 2, 4 or 8 small ones share one green
 *
 * Sums are per byte, modulo 256. RFC 9649, 3.5. SPDX-License-Identifier: MIT */
#include "image/webp.h"

/* --- four bytes at once ------------------------------------------------------------- */

static inline uint32_t add(uint32_t a, uint32_t b)
{
    return (((a & 0xFF00FF00u) + (b & 0xFF00FF00u)) & 0xFF00FF00u) |
           (((a & 0x00FF00FFu) + (b & 0x00FF00FFu)) & 0x00FF00FFu);
}

static inline uint32_t mean(uint32_t a, uint32_t b)
{
    return (((a ^ b) & 0xFEFEFEFEu) >> 1) + (a & b);
}

static inline int byte(uint32_t v, unsigned k) { return (int)(v >> k & 255); }
static inline int distance(int a, int b) { return a < b ? b - a : a - b; }
static inline uint32_t clip(int v) { return v < 0 ? 0 : v > 255 ? 255 : (uint32_t)v; }

/* The neighbour to which the plane through the three is nearer. */
static uint32_t select_one(uint32_t left, uint32_t top, uint32_t corner)
{
    int to_left = 0, to_top = 0;
    for (unsigned k = 0; k < 32; k += 8) {
        to_left += distance(byte(top, k), byte(corner, k));
        to_top += distance(byte(left, k), byte(corner, k));
    }
    return to_left < to_top ? left : top;
}

static uint32_t plane(uint32_t left, uint32_t top, uint32_t corner)
{
    uint32_t v = 0;
    for (unsigned k = 0; k < 32; k += 8)
        v |= clip(byte(left, k) + byte(top, k) - byte(corner, k)) << k;
    return v;
}

static uint32_t half_plane(uint32_t a, uint32_t corner)
{
    uint32_t v = 0;
    for (unsigned k = 0; k < 32; k += 8)
        v |= clip(byte(a, k) + (byte(a, k) - byte(corner, k)) / 2) << k;
    return v;
}

/* t: the pixel above; t[-1], t[1]: its neighbours (behind the last of a row comes the
 * first of the next, which is the present one's). */
static inline uint32_t guess(unsigned mode, uint32_t left, const uint32_t *t)
{
    switch (mode) {
    case 1: return left;
    case 2: return t[0];
    case 3: return t[1];
    case 4: return t[-1];
    case 5: return mean(mean(left, t[1]), t[0]);
    case 6: return mean(left, t[-1]);
    case 7: return mean(left, t[0]);
    case 8: return mean(t[-1], t[0]);
    case 9: return mean(t[0], t[1]);
    case 10: return mean(mean(left, t[-1]), mean(t[0], t[1]));
    case 11: return select_one(left, t[0], t[-1]);
    case 12: return plane(left, t[0], t[-1]);
    case 13: return half_plane(mean(left, t[0]), t[-1]);
    default: return 0xFF000000u;
    }
}

static void undo_predict(const mni_vp8l_transform *t, uint32_t *p)
{
    const uint32_t w = t->width, wide = (w + (1u << t->bits) - 1) >> t->bits;
    p[0] = add(p[0], 0xFF000000u);
    for (uint32_t x = 1; x < w; x++) p[x] = add(p[x], p[x - 1]);
    for (uint32_t y = 1; y < t->height; y++) {
        const uint32_t *modes = t->data + (size_t)(y >> t->bits) * wide;
        p += w;
        p[0] = add(p[0], p[0 - (ptrdiff_t)w]);
        for (uint32_t x = 1; x < w; x++)
            p[x] = add(p[x], guess(modes[x >> t->bits] >> 8 & 15, p[x - 1],
                                   p + x - (ptrdiff_t)w));
    }
}

/* Signed bytes, in 32nds. */
static inline int share(uint32_t factor, uint32_t colour)
{
    const int f = (int)(factor & 255), c = (int)(colour & 255);
    const int product = (f < 128 ? f : f - 256) * (c < 128 ? c : c - 256);
    return product >= 0 ? product >> 5 : -((31 - product) >> 5);     /* downwards */
}

static void undo_colour(const mni_vp8l_transform *t, uint32_t *p)
{
    const uint32_t wide = (t->width + (1u << t->bits) - 1) >> t->bits;
    for (uint32_t y = 0; y < t->height; y++)
        for (uint32_t x = 0; x < t->width; x++, p++) {
            const uint32_t f = t->data[(size_t)(y >> t->bits) * wide + (x >> t->bits)];
            const uint32_t green = *p >> 8;
            const uint32_t red = (*p >> 16) + (uint32_t)share(f, green);
            const uint32_t blue = *p + (uint32_t)share(f >> 8, green) +
                                  (uint32_t)share(f >> 16, red);
            *p = (*p & 0xFF00FF00u) | (red & 255) << 16 | (blue & 255);
        }
}

static void undo_green(const mni_vp8l_transform *t, uint32_t *p)
{
    for (size_t i = 0; i < (size_t)t->width * t->height; i++) {
        const uint32_t green = p[i] >> 8 & 255;
        p[i] = (p[i] & 0xFF00FF00u) |
               (((p[i] & 0x00FF00FFu) + (green << 16 | green)) & 0x00FF00FFu);
    }
}

static void undo_index(const mni_vp8l_transform *t, uint32_t *to, const uint32_t *from)
{
    const unsigned width = 8u >> t->bits, mask = (1u << width) - 1,
                   per_pixel = (1u << t->bits) - 1;
    for (uint32_t y = 0; y < t->height; y++) {
        uint32_t packed = 0;
        for (uint32_t x = 0; x < t->width; x++, packed >>= width) {
            if ((x & per_pixel) == 0) packed = *from++ >> 8 & 255;
            *to++ = t->data[packed & mask];
        }
    }
}

void mni_vp8l_undo(const mni_vp8l_transform *t, uint32_t *to, const uint32_t *from)
{
    switch (t->kind) {
    case MNI_VP8L_PREDICT: undo_predict(t, to); break;
    case MNI_VP8L_COLOUR: undo_colour(t, to); break;
    case MNI_VP8L_GREEN: undo_green(t, to); break;
    default: undo_index(t, to, from); break;
    }
}
