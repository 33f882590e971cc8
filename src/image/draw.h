/* draw.h - rectangles, pictures in pictures and a small built-in font: for contact sheets
 * and curves. All calls clip at the borders; images are RGB.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_DRAW_H
#define MNI_IMAGE_DRAW_H

#include "base/status.h"

typedef struct mni_colour { uint8_t r, g, b; } mni_colour;

void mni_draw_fill(mann_image *im, mni_colour c);
void mni_draw_rect(mann_image *im, int x, int y, int w, int h, mni_colour c); /* filled */
void mni_draw_frame(mann_image *im, int x, int y, int w, int h, int thick, mni_colour c);
void mni_draw_line(mann_image *im, int x0, int y0, int x1, int y1, mni_colour c);
void mni_draw_image(mann_image *im, const mann_image *what, int x, int y);       /* RGB */
/* Printable ASCII and Latin-1 letters as far as the font has them; others as a box. UTF-8
 * in. Letters are MNI_FONT_W x MNI_FONT_H at scale 1. Returns the x behind the last
 * letter. */
enum { MNI_FONT_W = 6, MNI_FONT_H = 12 };
int mni_draw_text(mann_image *im, int x, int y, const char *text, int scale,
                  mni_colour c);
int  mni_text_width(const char *text, int scale);

#endif
