/* synth_lens.c - what light, lens and sensor do to the finished picture, in that order.
 * SPDX-License-Identifier: MIT */
#include "image/synth_impl.h"

#include <string.h>

void mni_lens_light(uint8_t *rgb, int32_t size, const mni_view *v)
{
    for (int32_t y = 0; y < size; y++)
        for (int32_t x = 0; x < size; x++, rgb += 3) {
            const int32_t px = (2 * x + 1) * MNI_Q12 / size - MNI_Q12; /* -1..1, Q12 */
            const int32_t py = (2 * y + 1) * MNI_Q12 / size - MNI_Q12;
            const int32_t r2 = (px * px + py * py) >> 13; /* 1 in the corners */
            int32_t local =
                MNI_Q12 +
                mni_down((int64_t)px * v->slope_x + (int64_t)py * v->slope_y, 12) -
                mni_down((int64_t)r2 * v->vignette, 12);
            if (local < MNI_Q12 / 4) local = MNI_Q12 / 4;
            for (int c = 0; c < 3; c++) {
                const int32_t bent =
                    128 * MNI_Q12 + (rgb[c] - 128) * v->contrast; /* Q12 grey */
                const int32_t lit = mni_down((int64_t)bent * v->gain[c], 12);
                rgb[c] = (uint8_t)mni_clamp(mni_down((int64_t)lit * local, 24), 0, 255);
            }
        }
}

/* A box filter of half width r (Q8 pixels) along n pixels that are `step` bytes apart,
 * from `in` to `out`: a running sum; the two ends count by the fraction of r. Beyond the
 * border the last pixel repeats. */
static void box_line(uint8_t *out, const uint8_t *in, int32_t n, ptrdiff_t step,
                     int32_t r)
{
    const int32_t whole = r >> 8, part = r & 255;
    const int32_t total = 256 * (2 * whole + 1) + 2 * part;
#define AT(i) ((int32_t)in[mni_clamp((i), 0, n - 1) * step])
    int32_t sum = 0;
    for (int32_t i = -whole; i <= whole; i++) sum += AT(i);
    for (int32_t i = 0; i < n; i++) {
        const int32_t ends = AT(i - whole - 1) + AT(i + whole + 1);
        out[i * step] = (uint8_t)((256 * sum + part * ends + total / 2) / total);
        sum += AT(i + whole + 1) - AT(i - whole);
    }
#undef AT
}

/* Two boxes each way make a soft round spot, near enough to a lens out of focus. */
static void defocus(uint8_t *rgb, uint8_t *spare, int32_t size, int32_t r)
{
    const ptrdiff_t row = 3 * (ptrdiff_t)size;
    for (int pass = 0; pass < 2; pass++) {
        for (int32_t y = 0; y < size; y++)
            for (int c = 0; c < 3; c++)
                box_line(spare + y * row + c, rgb + y * row + c, size, 3, r);
        for (int32_t x = 0; x < size; x++)
            for (int c = 0; c < 3; c++)
                box_line(rgb + 3 * x + c, spare + 3 * x + c, size, row, r);
    }
}

/* The mean along a straight path of (dx, dy), Q8 pixels, about each pixel. */
static void motion(uint8_t *rgb, uint8_t *spare, int32_t size, int32_t dx, int32_t dy)
{
    const int32_t longer = mni_abs32(dx) > mni_abs32(dy) ? mni_abs32(dx) : mni_abs32(dy);
    const int32_t n = mni_clamp(longer / 256 + 1, 1, 65);
    if (n < 2) return;
    memcpy(spare, rgb, 3 * (size_t)size * (size_t)size);
    for (int32_t y = 0; y < size; y++)
        for (int32_t x = 0; x < size; x++, rgb += 3) {
            int32_t sum[3] = { 0, 0, 0 };
            for (int32_t k = 0; k < n; k++) {
                const int32_t off = 2 * k - (n - 1);
                const int32_t sx = mni_clamp(x + dx * off / (512 * (n - 1)), 0, size - 1);
                const int32_t sy = mni_clamp(y + dy * off / (512 * (n - 1)), 0, size - 1);
                const uint8_t *p = spare + 3 * ((size_t)sy * (size_t)size + (size_t)sx);
                for (int c = 0; c < 3; c++) sum[c] += p[c];
            }
            for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)((sum[c] + n / 2) / n);
        }
}

void mni_lens_blur(uint8_t *rgb, uint8_t *spare, int32_t size, const mni_view *v)
{
    motion(rgb, spare, size, v->motion_x * size / 1024, v->motion_y * size / 1024);
    const int32_t r = v->blur * size / 1024;
    if (r >= 16) defocus(rgb, spare, size, r);
}

/* Grain: four random bytes make a bell curve for brightness, two a triangle for each
 * colour. Then the values snap to a coarser ladder, as strong compression makes them. */
void mni_lens_noise(uint8_t *rgb, int32_t size, const mni_view *v, uint32_t seed)
{
    if (v->noise == 0 && v->levels <= 1) return;
    for (int32_t y = 0; y < size; y++)
        for (int32_t x = 0; x < size; x++, rgb += 3) {
            const uint32_t a = mni_hash3((uint32_t)x, (uint32_t)y, seed);
            const uint32_t b = mni_hash3((uint32_t)x, (uint32_t)y, seed ^ 0x5BD1E995u);
            const int32_t grey =
                (int32_t)((a & 255) + (a >> 8 & 255) + (a >> 16 & 255) + (a >> 24)) - 510;
            for (int c = 0; c < 3; c++) {
                const int32_t tint =
                    (int32_t)((b >> (8 * c) & 255) + (b >> (8 * c + 4) & 255)) - 255;
                /* The bell's deviation is 148 and the triangle's about 104: noise is in
                 * Q8 levels. */
                int32_t value =
                    rgb[c] + (grey * 3 + tint * 2) * v->noise / (148 * 4 * 256);
                value = (value + v->levels / 2) / v->levels * v->levels;
                rgb[c] = (uint8_t)mni_clamp(value, 0, 255);
            }
        }
}
