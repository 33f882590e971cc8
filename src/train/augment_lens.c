/* augment_lens.c - light, focus, grain, a thumb, and the file. See augment.h. Planes are
 * three of width x height floats, 0..255. No libm. SPDX-License-Identifier: MIT */
#include "base/bytes.h"
#include "image/image.h"
#include "image/jpeg_write.h"
#include "train/augment.h"

enum { SHARP_SIDE = 512 }; /* from here on a blur of neighbours cannot be seen */

static float held(float v, float low, float high)
{
    return v < low ? low : v > high ? high : v;
}

void mni_augment_light(const mni_augment *a, mni_rng *r, size_t n, float *planes)
{
    const float gain = 1 + mni_rng_range(r, -a->contrast, a->contrast);
    const float light = 255 * mni_rng_range(r, -a->brightness, a->brightness);
    for (size_t k = 0; k < 3; k++) {
        const float add = light + 255 * mni_rng_range(r, -a->colour, a->colour) + 127.5f -
                          127.5f * gain;
        for (size_t i = 0; i < n; i++)
            planes[k * n + i] = held(gain * planes[k * n + i] + add, 0, 255);
    }
}

/* A plane of light: from 1 - share in one corner to 1 + share in the opposite one. */
void mni_augment_shade(float share, mni_rng *r, uint32_t width, uint32_t height,
                    float *planes)
{
    const size_t n = (size_t)width * height;
    const float x_way = mni_rng_range(r, -share, share),
                y_way = mni_rng_range(r, -share, share);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++) {
            const float gain = 1 + x_way * ((float)x / (float)width - 0.5f) +
                               y_way * ((float)y / (float)height - 0.5f);
            for (size_t k = 0; k < 3; k++) {
                float *at = &planes[k * n + (size_t)y * width + x];
                *at = held(*at * gain, 0, 255);
            }
        }
}

/* Sum of two uniform numbers: a triangle, which is bell enough for grain. One 64-bit
 * number makes two grains. */
static float grain(uint64_t bits)
{
    const float sum = (float)(bits & 0xffff) + (float)(bits >> 16 & 0xffff);
    return (sum - 65535.0f) / 65535.0f * 2.449f; /* of deviation 1 */
}

void mni_augment_noise(float deviation, mni_rng *r, size_t n, float *planes)
{
    const float by = 255 * deviation;
    for (size_t i = 0; i < 3 * n; i += 2) {
        const uint64_t bits = mni_rng_u64(r);
        planes[i] = held(planes[i] + by * grain(bits), 0, 255);
        if (i + 1 < 3 * n)
            planes[i + 1] = held(planes[i + 1] + by * grain(bits >> 32), 0, 255);
    }
}

/* (1 2 1) / 4 along a line of n floats, `step` apart, in place. */
static void blur_line(float *at, uint32_t n, size_t step)
{
    float before = at[0];
    for (uint32_t i = 0; i < n; i++, at += step) {
        const float now = at[0], after = i + 1 < n ? at[step] : now;
        at[0] = (before + 2 * now + after) / 4;
        before = now;
    }
}

/* Large pictures are blurred as often as it takes: the width of k passes grows like the
 * root of k. */
void mni_augment_blur(uint32_t width, uint32_t height, float *planes)
{
    const uint32_t side = width < height ? width : height,
                   times = side < SHARP_SIDE ? 1 : side / SHARP_SIDE * 4;
    for (uint32_t k = 0; k < 3; k++, planes += (size_t)width * height)
        for (uint32_t t = 0; t < times; t++) {
            for (uint32_t y = 0; y < height; y++)
                blur_line(planes + (size_t)y * width, width, 1);
            for (uint32_t x = 0; x < width; x++) blur_line(planes + x, height, width);
        }
}

/* Zhong et al., "Random erasing data augmentation" (AAAI 2020): sides of 1/8 to 3/8,
 * one colour. */
void mni_augment_erase(mni_rng *r, uint32_t width, uint32_t height, float *planes)
{
    const uint32_t w = width / 8 + mni_rng_below(r, width / 4 + 1),
                   h = height / 8 + mni_rng_below(r, height / 4 + 1);
    const uint32_t x = mni_rng_below(r, width - w + 1),
                   y = mni_rng_below(r, height - h + 1);
    for (uint32_t k = 0; k < 3; k++) {
        const float v = (float)mni_rng_below(r, 256);
        for (uint32_t i = y; i < y + h; i++)
            for (uint32_t j = x; j < x + w; j++)
                planes[((size_t)k * height + i) * width + j] = v;
    }
}

/* Blocks, ringing, colour at half the size: by making the file and reading it. */
mann_status mni_augment_jpeg(int quality, uint32_t width, uint32_t height, uint8_t *rgb,
                          float *planes, mann_error *err)
{
    const size_t n = (size_t)width * height;
    const mann_image before = { width, height, 3, rgb };
    mann_image after = { 0, 0, 0, NULL };
    mni_buf file = { 0 };
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 3; k++)
            rgb[3 * i + k] = (uint8_t)(held(planes[k * n + i], 0, 255) + 0.5f);
    mann_status s = mni_jpeg_encode(&file, &before, quality, err);
    if (s == MANN_OK) s = mni_image_decode(&after, file.bytes, file.n_bytes, NULL, err);
    for (size_t i = 0; s == MANN_OK && i < n; i++)
        for (size_t k = 0; k < 3; k++)
            planes[k * n + i] = (float)after.pixels[3 * i + k];
    mann_image_clear(&after);
    mni_buf_fini(&file);
    return s;
}
