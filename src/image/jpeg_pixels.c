/* jpeg_pixels.c - planes -> pixels: colour brought to full size, YCbCr (or CMYK) to RGB.
 *
 * Colour is mostly sent at half the size. It is doubled along straight lines between the
 * centres of the samples (kern/jpeg_c.c); other ratios repeat the nearest sample. All
 * rounding is as in libjpeg, whose pixels most networks were trained on. Which files hold
 * what colours: colour_of below. SPDX-License-Identifier: MIT */
#include <string.h>

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

/* --- rows --------------------------------------------------------------------------- */

static const uint8_t *row_of(const mni_jpeg_component *c, uint32_t y)
{
    return c->plane + (size_t)(y % c->n_rows) * c->stride;
}

static void repeat(uint8_t *to, const uint8_t *in, uint32_t width, unsigned h,
                   unsigned h_max)
{
    for (uint32_t x = 0; x < width; x++) to[x] = in[(uint64_t)x * h / h_max];
}

/* Row y of the picture, of one component: borrowed from its plane where it has full size,
 * else made in `room`. */
static const uint8_t *full_row(const mni_jpeg *j, const mni_jpeg_component *c, uint32_t y,
                               uint8_t *room)
{
    const int half_w = 2 * c->h_here == j->h_max, half_h = 2 * c->v_here == j->v_max;
    const int full_w = c->h_here == j->h_max, full_h = c->v_here == j->v_max;
    const uint32_t at = (uint32_t)((uint64_t)y * c->v_here / j->v_max);
    const uint8_t *near = row_of(c, at);
    if (full_w && full_h) return near;

    /* The neighbour on the pixel's side; at the edges the row itself. At 1/8, where
     * libjpeg does not smooth either, nothing is smoothed. */
    uint32_t beside = at;
    if (y & 1) beside = at + 1 < c->height ? at + 1 : at;
    else if (at > 0) beside = at - 1;
    const uint8_t *far = row_of(c, beside);
    const int smooth = j->scale < 8, wide = c->width > 2;
    if (smooth && half_w && full_h && wide) j->kern->across(room, near, c->width);
    else if (smooth && half_w && half_h && wide) j->kern->both(room, near, far, c->width);
    else if (smooth && full_w && half_h)
        j->kern->down(room, near, far, c->width, y & 1 ? 2 : 1);
    else repeat(room, near, j->out_w, c->h_here, j->h_max);
    return room;
}

/* --- colour ------------------------------------------------------------------------- */

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

/* in: one row of each component, full size. neutral: a row of no colour. */
static void convert_row(const mni_jpeg *j, uint8_t *to, const uint8_t *const in[4],
                        const uint8_t *neutral, colour what)
{
    const uint32_t width = j->out_w;
    if (what == COLOUR_GREY) j->kern->ycc(to, in[0], neutral, neutral, width);
    else if (what == COLOUR_YCC || what == COLOUR_YCCK)
        j->kern->ycc(to, in[0], in[1], in[2], width);
    else interleave(to, in[0], in[1], in[2], width);
    if (what != COLOUR_CMYK && what != COLOUR_YCCK) return;
    /* Adobe's writers, and after them all others, store inks the wrong way round: 255 is
     * none. So what is stored is already light, to be dimmed by the light that black lets
     * through. In YCCK the three inks went through the conversion the right way round. */
    const unsigned flip = what == COLOUR_YCCK ? 255 : 0;
    for (uint32_t x = 0; x < width; x++, to += 3)
        for (int i = 0; i < 3; i++) to[i] = product(to[i] ^ flip, in[3][x]);
}

/* --- the picture -------------------------------------------------------------------- */

static size_t room_of(const mni_jpeg *j) { return 2 * (size_t)j->out_w + 64; }

mann_status mni_jpeg_pixels_begin(mni_jpeg *j, mann_error *err)
{
    const size_t room = room_of(j);
    const uint64_t n = (uint64_t)j->out_w * j->out_h;
    j->rows = mni_alloc(room, MNI_JPEG_MAX_COMPONENTS + 1);
    uint8_t *pixels = n <= SIZE_MAX ? mni_alloc_aligned((size_t)n, 3, 0) : NULL;
    j->image = (mann_image){ j->out_w, j->out_h, 3, pixels };
    if (!j->rows || !pixels)
        return mni_fail(err, MANN_E_NOMEM, "jpeg: no memory for %lu x %lu pixels",
                        (unsigned long)j->out_w, (unsigned long)j->out_h);
    memset(j->rows + MNI_JPEG_MAX_COMPONENTS * room, 128, room);
    return MANN_OK;
}

void mni_jpeg_pixels_until(mni_jpeg *j, uint32_t until)
{
    const colour what = colour_of(j);
    const size_t room = room_of(j);
    for (uint32_t y = j->rows_done; y < until; y++) {
        const uint8_t *in[MNI_JPEG_MAX_COMPONENTS] = { 0 };
        for (unsigned i = 0; i < j->n_components; i++)
            in[i] = full_row(j, &j->components[i], y, j->rows + i * room);
        convert_row(j, j->image.pixels + (size_t)y * j->out_w * 3, in,
                    j->rows + MNI_JPEG_MAX_COMPONENTS * room, what);
    }
    if (until > j->rows_done) j->rows_done = until;
}
