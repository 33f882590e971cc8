/* jpeg_pixels.c - planes -> pixels: colour brought to full size, YCbCr (or CMYK) to RGB.
 *
 * Colour is mostly sent at half the size. To double it, a straight line is drawn between
 * the centres of the samples ("triangle filter"): an output pixel lies at 1/4 between two
 * samples and takes 3/4 of the nearer and 1/4 of the farther one. Across and down
 * together that is 9/16, 3/16, 3/16, 1/16.
 *
 *      samples    |     a     |     b     |        out 1 = (3a + b) / 4
 *      pixels     |  0  |  1  |  2  |  3  |        out 2 = (a + 3b) / 4
 *
 * Other ratios repeat the nearest sample. All rounding is as in libjpeg, whose pixels
 * most networks were trained on. Colour: JFIF 1.02 (ITU-R BT.601, full range); which
 * files hold what: colour_of below. SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "image/jpeg.h"

typedef enum colour {
    COLOUR_GREY, COLOUR_RGB, COLOUR_YCC, COLOUR_CMYK, COLOUR_YCCK
} colour;

/* Adobe's APP14 says 0: as it is, 1: YCbCr, 2: YCCK. A JFIF file is YCbCr whatever else
 * it says. Without either, components named 'R' 'G' 'B' are that, three others are YCbCr,
 * four are CMYK. */
static colour colour_of(const mni_jpeg *j)
{
    const mni_jpeg_component *c = j->components;
    if (j->n_components == 1) return COLOUR_GREY;
    if (j->n_components == 4) return j->adobe <= 0 ? COLOUR_CMYK : COLOUR_YCCK;
    if (j->has_jfif) return COLOUR_YCC;
    if (j->adobe >= 0) return j->adobe == 0 ? COLOUR_RGB : COLOUR_YCC;
    return c[0].id == 'R' && c[1].id == 'G' && c[2].id == 'B' ? COLOUR_RGB : COLOUR_YCC;
}

/* --- bringing rows to full size ----------------------------------------------------- */

/* `w` samples -> 2w pixels (room for that). */
static void double_across(uint8_t *restrict to, const uint8_t *restrict in, uint32_t w)
{
    const size_t n = w - 1;
    to[0] = in[0];
    for (size_t i = 0; i < n; i++) {
        to[2 * i + 1] = (uint8_t)((3 * in[i] + in[i + 1] + 2) >> 2);
        to[2 * i + 2] = (uint8_t)((in[i] + 3 * in[i + 1] + 1) >> 2);
    }
    to[2 * n + 1] = in[n];
}

/* near: the row that the pixels lie in, far: the next one on their side. sums: room for
 * w. */
static void double_both(uint8_t *restrict to, const uint8_t *near, const uint8_t *far,
                        uint32_t w, uint16_t *restrict sums)
{
    const size_t n = w - 1;
    for (size_t i = 0; i <= n; i++) sums[i] = (uint16_t)(3 * near[i] + far[i]);
    to[0] = (uint8_t)((4 * sums[0] + 8) >> 4);
    for (size_t i = 0; i < n; i++) {
        to[2 * i + 1] = (uint8_t)((uint16_t)(3 * sums[i] + sums[i + 1] + 7) >> 4);
        to[2 * i + 2] = (uint8_t)((uint16_t)(sums[i] + 3 * sums[i + 1] + 8) >> 4);
    }
    to[2 * n + 1] = (uint8_t)((4 * sums[n] + 7) >> 4);
}

static void double_down(uint8_t *restrict to, const uint8_t *near, const uint8_t *far,
                        uint32_t w, int bias)
{
    for (uint32_t i = 0; i < w; i++)
        to[i] = (uint8_t)((3 * near[i] + far[i] + bias) >> 2);
}

static void repeat(uint8_t *to, const uint8_t *in, uint32_t width, unsigned h,
                   unsigned h_max)
{
    for (uint32_t x = 0; x < width; x++) to[x] = in[(uint64_t)x * h / h_max];
}

/* Row y of the picture, of one component: borrowed from its plane where it has full size,
 * else made in `room` (2 * width + 2 bytes). */
static const uint8_t *full_row(const mni_jpeg *j, const mni_jpeg_component *c, uint32_t y,
                               uint8_t *room, uint16_t *sums)
{
    const size_t stride = (size_t)c->padded_w * 8;
    const uint32_t at = (uint32_t)((uint64_t)y * c->v / j->v_max);
    const uint8_t *near = c->plane + at * stride;
    const int half_w = 2 * c->h == j->h_max, half_h = 2 * c->v == j->v_max;
    const int full_w = c->h == j->h_max, full_h = c->v == j->v_max;
    if (full_w && full_h) return near;

    /* The neighbour on the pixel's side; at the edges the row itself. */
    uint32_t beside = at;
    if (y & 1) beside = at + 1 < c->height ? at + 1 : at;
    else if (at > 0) beside = at - 1;
    const uint8_t *far = c->plane + beside * stride;
    if (half_w && full_h && c->width > 2) double_across(room, near, c->width);
    else if (half_w && half_h && c->width > 2)
        double_both(room, near, far, c->width, sums);
    else if (full_w && half_h) double_down(room, near, far, c->width, y & 1 ? 2 : 1);
    else repeat(room, near, j->width, c->h, j->h_max);
    return room;
}

/* --- colour ------------------------------------------------------------------------- */

static inline uint8_t clamp(int16_t v)
{
    v = v < 0 ? 0 : v;
    return (uint8_t)(v > 255 ? 255 : v);
}

/* R = Y + 1.402 Cr, G = Y - 0.344136 Cb - 0.714136 Cr, B = Y + 1.772 Cb, in 16.16 fixed
 * point with the roundings of libjpeg: each sum of products once, to nearest. Whole
 * multiples are taken out of the factors (1.402 = 1 + 0.402, 1.772 = 2 - 0.228, 0.714 = 1
 * - 0.286): the rest fits 16 bits, and the compiler can use the vector unit's 16-bit
 * multiplication. One colour per array, for the same reason. */
static void ycc_to_rgb(uint8_t *restrict r, uint8_t *restrict g, uint8_t *restrict b,
                       const uint8_t *const in[3], uint32_t width)
{
    enum { HALF = 1 << 15 };
    const uint8_t *restrict y = in[0], *restrict blue = in[1], *restrict red = in[2];
    for (uint32_t x = 0; x < width; x++) {
        const int16_t cb = (int16_t)(blue[x] - 128), cr = (int16_t)(red[x] - 128);
        const int16_t for_r = (int16_t)(((int16_t)26345 * cr + HALF) >> 16);
        const int16_t for_g =
            (int16_t)(((int16_t)-22554 * cb + (int16_t)18734 * cr + HALF) >> 16);
        const int16_t for_b = (int16_t)(((int16_t)-14942 * cb + HALF) >> 16);
        r[x] = clamp((int16_t)(y[x] + cr + for_r));
        g[x] = clamp((int16_t)(y[x] - cr + for_g));
        b[x] = clamp((int16_t)(y[x] + 2 * cb + for_b));
    }
}

static void interleave(uint8_t *restrict to, const uint8_t *restrict r,
                       const uint8_t *restrict g, const uint8_t *restrict b,
                       uint32_t width)
{
    for (size_t x = 0; x < width; x++, to += 3) {
        to[0] = r[x]; to[1] = g[x]; to[2] = b[x];
    }
}

/* a * b / 255, rounded. */
static inline uint8_t product(unsigned a, unsigned b)
{
    return (uint8_t)((a * b + 127) / 255);
}

/* in: one row of each component, full size. rgb: room for three rows. */
static void convert_row(uint8_t *to, const uint8_t *const in[4], uint8_t *const rgb[3],
                        uint32_t width, colour what)
{
    const uint8_t *r = in[0], *g = in[1], *b = in[2];
    if (what == COLOUR_GREY) g = b = r;
    if (what == COLOUR_YCC || what == COLOUR_YCCK) {
        ycc_to_rgb(rgb[0], rgb[1], rgb[2], in, width);
        r = rgb[0]; g = rgb[1]; b = rgb[2];
    }
    interleave(to, r, g, b, width);
    if (what != COLOUR_CMYK && what != COLOUR_YCCK) return;
    /* Adobe's writers, and after them all others, store inks the wrong way round: 255 is
     * none. So what is stored is already light, to be dimmed by the light that black lets
     * through. In YCCK the three inks went through the conversion the right way round. */
    const unsigned flip = what == COLOUR_YCCK ? 255 : 0;
    for (uint32_t x = 0; x < width; x++, to += 3)
        for (int i = 0; i < 3; i++) to[i] = product(to[i] ^ flip, in[3][x]);
}

mann_status mni_jpeg_pixels(const mni_jpeg *j, mann_image *out, mann_error *err)
{
    const colour what = colour_of(j);
    const size_t room = 2 * (size_t)j->width + 16;
    uint8_t *rows = mni_alloc(room, MNI_JPEG_MAX_COMPONENTS + 3);
    uint16_t *sums = mni_alloc(room, sizeof *sums);
    uint8_t *rgb[3] = { 0 };
    for (int i = 0; rows && i < 3; i++)
        rgb[i] = rows + (size_t)(MNI_JPEG_MAX_COMPONENTS + i) * room;
    mann_status s = MANN_E_NOMEM;
    if (!rows || !sums) mni_fail(err, s, "jpeg: no memory for rows of %lu pixels",
                                 (unsigned long)j->width);
    else s = mni_image_new(out, j->width, j->height, 3, err);
    for (uint32_t y = 0; s == MANN_OK && y < j->height; y++) {
        const uint8_t *in[MNI_JPEG_MAX_COMPONENTS] = { 0 };
        for (unsigned i = 0; i < j->n_components; i++)
            in[i] = full_row(j, &j->components[i], y, rows + i * room, sums);
        convert_row(out->pixels + (size_t)y * j->width * 3, in, rgb, j->width, what);
    }
    mni_free(rows);
    mni_free(sums);
    return s;
}
