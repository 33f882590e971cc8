/* draw.c - filled rectangles, lines, pictures and text into RGB images, clipped at the
 * borders.
 *
 * Everything but the line comes down to one filled rectangle that is clipped once;
 * coordinates may be anything an int can be. Lines: Bresenham, "Algorithm for computer
 * control of a digital plotter", IBM Systems Journal 4(1), 1965.
 * SPDX-License-Identifier: MIT */
#include "image/draw.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "image/font.h"

/* [*at, *at + *n) cut to [0, size); 64 bits because at + n may pass INT_MAX. Gives what
 * is left. */
static int64_t clip(int64_t *at, int64_t n, int64_t size)
{
    int64_t end = *at + n;
    if (*at < 0) *at = 0;
    if (end > size) end = size;
    return end > *at ? end - *at : 0;
}

static void fill(mann_image *im, int64_t x, int64_t y, int64_t w, int64_t h, mni_colour c)
{
    assert(im->channels == 3);
    if (w <= 0 || h <= 0) return;
    w = clip(&x, w, im->width);
    h = clip(&y, h, im->height);
    for (int64_t j = 0; j < h && w > 0; j++) {
        uint8_t *p = im->pixels + 3 * ((size_t)(y + j) * im->width + (size_t)x);
        for (int64_t i = 0; i < w; i++, p += 3) {
            p[0] = c.r;
            p[1] = c.g;
            p[2] = c.b;
        }
    }
}

void mni_draw_fill(mann_image *im, mni_colour c)
{
    fill(im, 0, 0, im->width, im->height, c);
}

void mni_draw_rect(mann_image *im, int x, int y, int w, int h, mni_colour c)
{
    fill(im, x, y, w, h, c);
}

void mni_draw_frame(mann_image *im, int x, int y, int w, int h, int thick, mni_colour c)
{
    if (thick <= 0 || w <= 0 || h <= 0) return;
    const int64_t t = thick, left = x, top = y;
    fill(im, left, top, w, t < h ? t : h, c);
    fill(im, left, top + (h > t ? h - t : 0), w, t < h ? t : h, c);
    fill(im, left, top, t < w ? t : w, h, c);
    fill(im, left + (w > t ? w - t : 0), top, t < w ? t : w, h, c);
}

/* Far ends are pulled in, so that a mad coordinate costs a million steps and not 2^32. */
static int64_t pull(int64_t v)
{
    const int64_t far = 1 << 20;
    return v < -far ? -far : v > far ? far : v;
}

/* Steps one pixel at a time along the longer axis; `error` says when to step along the
 * other. */
void mni_draw_line(mann_image *im, int x0, int y0, int x1, int y1, mni_colour c)
{
    const int64_t ex = pull(x1), ey = pull(y1);
    int64_t x = pull(x0), y = pull(y0);
    const int64_t dx = ex > x ? ex - x : x - ex, dy = ey > y ? ey - y : y - ey;
    const int sx = ex > x ? 1 : -1, sy = ey > y ? 1 : -1;
    int64_t error = dx - dy;
    for (;;) {
        fill(im, x, y, 1, 1, c);
        if (x == ex && y == ey) break;
        const int64_t twice = 2 * error;
        if (twice > -dy) {
            error -= dy;
            x += sx;
        }
        if (twice < dx) {
            error += dx;
            y += sy;
        }
    }
}

void mni_draw_image(mann_image *im, const mann_image *what, int x, int y)
{
    assert(im->channels == 3 && what->channels == 3);
    int64_t left = x, top = y;
    const int64_t w = clip(&left, what->width, im->width);
    const int64_t h = clip(&top, what->height, im->height);
    for (int64_t j = 0; j < h && w > 0; j++)
        memcpy(im->pixels + 3 * ((size_t)(top + j) * im->width + (size_t)left),
               what->pixels +
                   3 * ((size_t)(top + j - y) * what->width + (size_t)(left - x)),
               3 * (size_t)w);
}

int mni_draw_text(mann_image *im, int x, int y, const char *text, int scale, mni_colour c)
{
    if (scale < 1) scale = 1;
    const char *const end = text + strlen(text);
    while (text < end) {
        uint32_t cp;
        text += mni_utf8_next(text, (size_t)(end - text), &cp);
        for (int row = 0; row < MNI_FONT_H; row++) {
            const uint32_t bits = mni_font_row(cp, row);
            for (int col = 0; col < MNI_FONT_W; col++)
                if (bits >> col & 1)
                    fill(im, (int64_t)x + col * scale, (int64_t)y + row * scale, scale,
                         scale, c);
        }
        x += MNI_FONT_W * scale;
    }
    return x;
}

int mni_text_width(const char *text, int scale)
{
    int n = 0;
    if (scale < 1) scale = 1;
    for (const char *const end = text + strlen(text); text < end; n++) {
        uint32_t cp;
        text += mni_utf8_next(text, (size_t)(end - text), &cp);
    }
    return n * MNI_FONT_W * scale;
}
