/* image.c - the picture itself: make, release, turn upright, lay over a colour.
 * SPDX-License-Identifier: MIT */
#include "image/image.h"

#include "base/mem.h"

mann_status mni_image_new(mann_image *out, uint32_t width, uint32_t height,
                          uint32_t channels, mann_error *err)
{
    *out = (mann_image){ 0 };
    /* 32 x 32 bits cannot overflow 64; times channels is left to mni_alloc. */
    uint64_t n_pixels = (uint64_t)width * height;
    uint8_t *pixels = n_pixels <= SIZE_MAX ? mni_alloc((size_t)n_pixels, channels) : NULL;
    if (!pixels)
        return mni_fail(err, MANN_E_NOMEM, "image: no memory for %lu x %lu x %lu bytes",
                        (unsigned long)width, (unsigned long)height,
                        (unsigned long)channels);
    *out = (mann_image){ width, height, channels, pixels };
    return MANN_OK;
}

void mann_image_clear(mann_image *im)
{
    if (!im) return;
    mni_free(im->pixels);
    *im = (mann_image){ 0 };
}

/* The eight orientations of EXIF are "how to walk the stored picture to see it upright":
 * start at one corner, and one step right (or down) in the upright picture is one step in
 * some direction in the stored one. The letter F as stored, for each value:
 *
 *      1        2        3        4        5          6          7          8
 *     ####    ####         #     #        ########   ##               ##   ########
 *     #          #         #     #        #  #       #  #           #  #      #  #
 *     ###      ###       ###     ###      ##         ########   ########         ##
 *     #          #         #     #
 *     #          #      ####     ####                                              */
typedef struct walk { int swap, from_right, from_bottom; } walk;

static const walk walks[9] = {
    [1] = { 0, 0, 0 }, [2] = { 0, 1, 0 }, [3] = { 0, 1, 1 }, [4] = { 0, 0, 1 },
    [5] = { 1, 0, 0 }, [6] = { 1, 0, 1 }, [7] = { 1, 1, 1 }, [8] = { 1, 1, 0 },
};

mann_status mni_image_orient(mann_image *im, int orientation, mann_error *err)
{
    if (orientation < 2 || orientation > 8) return MANN_OK;
    const walk w = walks[orientation];
    const uint32_t c = im->channels;
    mann_image up;
    MNI_TRY(mni_image_new(&up, w.swap ? im->height : im->width,
                          w.swap ? im->width : im->height, c, err));
    const ptrdiff_t row = (ptrdiff_t)im->width * c;
    /* Steps in the stored one. */
    const ptrdiff_t step_x = w.from_right ? -(ptrdiff_t)c : (ptrdiff_t)c;
    const ptrdiff_t step_y = w.from_bottom ? -row : row;
    const ptrdiff_t right = w.swap ? step_y : step_x, down = w.swap ? step_x : step_y;
    ptrdiff_t at = (w.from_right ? row - (ptrdiff_t)c : 0) +
                   (w.from_bottom ? row * ((ptrdiff_t)im->height - 1) : 0);
    uint8_t *to = up.pixels;
    for (uint32_t y = 0; y < up.height; y++, at += down) {
        ptrdiff_t from = at;
        for (uint32_t x = 0; x < up.width; x++, from += right)
            for (uint32_t i = 0; i < c; i++) *to++ = im->pixels[from + (ptrdiff_t)i];
    }
    mann_image_clear(im);
    *im = up;
    return MANN_OK;
}

void mni_image_composite(mann_image *im, const uint8_t background[3])
{
    if (im->channels != 4) return;
    const size_t n = (size_t)im->width * im->height;
    const uint8_t *from = im->pixels;
    uint8_t *to = im->pixels;       /* runs behind `from`: 3 bytes out for 4 in */
    for (size_t i = 0; i < n; i++, from += 4, to += 3) {
        const unsigned a = from[3];
        for (int k = 0; k < 3; k++)
            to[k] = (uint8_t)((a * from[k] + (255 - a) * background[k] + 127) / 255);
    }
    im->channels = 3;               /* the block keeps its size; a copy would cost more */
}
