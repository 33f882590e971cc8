/* vp8_colour.c - VP8: planes to RGB. Colour has half the width and height; the four
 * nearest colour samples have 9, 3, 3 and 1 sixteenths in a pixel's colour:
 *
 *      t0      t1          t0, l0: left, above and below
 *         a  b             a: (9 t0 + 3 t1 + 3 l0 + l1) / 16
 *         c  d
 *      l0      l1
 *
 * rounded in two steps as libwebp does it, so that the pixels are the same. Colours are
 * those of ITU-R BT.601, 16..235, in 14-bit fixed point. SPDX-License-Identifier: MIT */
#include "image/vp8.h"

static uint8_t clip6(int v)             /* 6 bits behind the point */
{
    return (uint8_t)(v < 0 ? 0 : v >= 256 << 6 ? 255 : v >> 6);
}

static inline int times(int v, int factor) { return v * factor >> 8; }

static inline void put(uint8_t *to, int y, int u, int v)
{
    const int light = times(y, 19077);
    to[0] = clip6(light + times(v, 26149) - 14234);
    to[1] = clip6(light - times(u, 6419) - times(v, 13320) + 8708);
    to[2] = clip6(light + times(u, 33050) - 17685);
}

/* The colour of a pixel: `near` is the sample of its own 2 x 2 pixels, `across` the one
 * diagonally opposite, a and b are the other two. */
static inline int mix(int near, int a, int b, int across)
{
    return (((near + a + b + across + 8 + 2 * (a + b)) >> 3) + near) >> 1;
}

typedef struct colour_rows { const uint8_t *near[2], *far[2]; } colour_rows;

/* One row of pixels: colour rows `near` (three quarters) and `far` (one quarter). In the
 * first and the last column there is no neighbour to the side. */
static void convert_row(uint8_t *to, size_t step, const uint8_t *luma, colour_rows c,
                        uint32_t width)
{
    for (uint32_t x = 0; x < width; x++, to += step) {
        const uint32_t at = x / 2, last = (width - 1) / 2;
        int uv[2];
        for (int k = 0; k < 2; k++) {
            const uint8_t *n = c.near[k], *f = c.far[k];
            if ((x == 0) || (x & 1 && at == last))
                uv[k] = (3 * n[at] + f[at] + 2) >> 2;
            else if (x & 1) uv[k] = mix(n[at], n[at + 1], f[at], f[at + 1]);
            else uv[k] = mix(n[at], n[at - 1], f[at], f[at - 1]);
        }
        put(to, luma[x], uv[0], uv[1]);
    }
}

void mni_vp8_to_rgb(uint8_t *to, size_t stride, size_t step,
                    const mni_vp8_plane planes[3], uint32_t width, uint32_t height)
{
    const uint32_t last = (height - 1) / 2;
    for (uint32_t y = 0; y < height; y++, to += stride) {
        const uint32_t at = y / 2, next = y & 1 ? at + 1 : at - 1;
        const uint32_t other = (y & 1 && at == last) || y == 0 ? at : next;
        colour_rows c;
        for (int k = 0; k < 2; k++) {
            const mni_vp8_plane *p = &planes[k + 1];
            c.near[k] = p->at + (ptrdiff_t)at * p->stride;
            c.far[k] = p->at + (ptrdiff_t)other * p->stride;
        }
        convert_row(to, step, planes[0].at + (ptrdiff_t)y * planes[0].stride, c, width);
    }
}
