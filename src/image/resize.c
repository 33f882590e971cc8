/* resize.c - resampling with a triangle (tent) filter that widens with the ratio.
 *
 * Enlarging with a tent one pixel wide is bilinear interpolation. For shrinking, the tent
 * is made as wide as the ratio, so that every input pixel counts and fine detail turns
 * into its mean instead of into false patterns. The picture is resampled along rows, then
 * along columns: two passes of n taps instead of one of n * n.
 *
 *   input pixels        |-----|-----|-----|-----|-----|-----|     centres at (2x + 1) / 2
 *   output pixel i                  ^ centre (2i + 1) * in / (2 * out)
 *   tent                   .-''  ''-.          half width max(1, in / out)
 *
 * Multiply everything by 2 * out and no fraction is left: the weight of input x for
 * output i is
 *
 *   2 * max(in, out) - |(2x + 1) * out - (2i + 1) * in|            where that is positive
 *
 * divided by the sum of these whole numbers. So the coefficients are exact, and after
 * rounding to 22 bits the same on every machine. The 22 bits, the rounding of each pass
 * to 8 bits and the order of the passes are Pillow's ("Image.BILINEAR", 8 bits a
 * channel): the bytes are the same as there, but for rare ties that Pillow's floating
 * point decides the other way (1 grey level). SPDX-License-Identifier: MIT */
#include "image/resize.h"

#include <string.h>

#include "base/mem.h"
#include "image/image.h"

enum {
    BITS = 32 - 8 - 2, /* 8 for the pixel, 2 of head room */
    MAX_SIDE = 1 << 20 /* weights and their sums stay below 2^43 */
};

/* The taps of one axis: output i is the sum of n[i] inputs from first[i] on, with the
 * weights at weight + i * stride. One block, released as a whole. */
typedef struct taps {
    void *block;
    uint32_t stride;
    uint32_t *first, *n;
    int32_t *weight;
} taps;

static void taps_fini(taps *t) { mni_free(t->block); }

/* Fills the taps of output i; all arithmetic in whole numbers. */
static void taps_one(taps *t, uint32_t i, uint32_t in, uint32_t out)
{
    const int64_t reach = 2 * (int64_t)(in > out ? in : out);
    const int64_t centre = (2 * (int64_t)i + 1) * in;
    int32_t *w = t->weight + (size_t)i * t->stride;
    /* (2x + 1) * out > centre - reach: the first x with positive weight. */
    int64_t low = centre - reach - out;
    uint32_t x = low < 0 ? 0 : (uint32_t)(low / (2 * (int64_t)out)) + 1;
    int64_t sum = 0;
    uint32_t n = 0;
    t->first[i] = x;
    for (; x + n < in; n++) {
        int64_t off = (2 * (int64_t)(x + n) + 1) * out - centre;
        int64_t weight = reach - (off < 0 ? -off : off);
        if (weight <= 0) break;
        w[n] = (int32_t)weight; /* at most 2^21 */
        sum += weight;
    }
    t->n[i] = n;
    for (uint32_t k = 0; k < n; k++)
        w[k] = (int32_t)((((int64_t)w[k] << (BITS + 1)) + sum) / (2 * sum));
}

static mann_status taps_init(taps *t, uint32_t in, uint32_t out, mann_error *err)
{
    /* An open interval of width 2 * max(1, in / out) holds at most that many centres,
     * rounded up. */
    uint32_t stride = in > out ? (uint32_t)((2 * (uint64_t)in + out - 1) / out) + 1 : 3;
    *t = (taps){ .stride = stride };
    t->block = mni_alloc(out, ((size_t)stride + 2) * sizeof(int32_t));
    if (!t->block)
        return mni_fail(err, MANN_E_NOMEM, "resize: weights of %u pixels from %u", out,
                        in);
    t->first = t->block;
    t->n = t->first + out;
    t->weight = (int32_t *)(t->n + out);
    for (uint32_t i = 0; i < out; i++) taps_one(t, i, in, out);
    return MANN_OK;
}

static inline uint8_t to_byte(int32_t sum)
{
    sum >>= BITS; /* the half was added at the start */
    return sum < 0 ? 0 : sum > 255 ? 255 : (uint8_t)sum;
}

/* One row of `out` pixels. `channels` is a constant at each call below, so that the
 * compiler makes four straight versions of this loop. */
static inline void row_pass(uint8_t *out, const uint8_t *in, const taps *t,
                            uint32_t width, uint32_t channels)
{
    for (uint32_t i = 0; i < width; i++) {
        const uint8_t *p = in + (size_t)t->first[i] * channels;
        const int32_t *w = t->weight + (size_t)i * t->stride;
        int32_t sum[4] = { 1 << (BITS - 1), 1 << (BITS - 1), 1 << (BITS - 1),
                           1 << (BITS - 1) };
        for (uint32_t k = 0; k < t->n[i]; k++, p += channels)
            for (uint32_t c = 0; c < channels; c++) sum[c] += w[k] * p[c];
        for (uint32_t c = 0; c < channels; c++) *out++ = to_byte(sum[c]);
    }
}

static void horizontal(mann_image *out, const mann_image *in, const taps *t)
{
    const size_t in_row = (size_t)in->width * in->channels;
    const size_t out_row = (size_t)out->width * in->channels;
    for (uint32_t y = 0; y < in->height; y++) {
        uint8_t *o = out->pixels + y * out_row;
        const uint8_t *p = in->pixels + y * in_row;
        switch (in->channels) {
        case 1: row_pass(o, p, t, out->width, 1); break;
        case 2: row_pass(o, p, t, out->width, 2); break;
        case 3: row_pass(o, p, t, out->width, 3); break;
        default: row_pass(o, p, t, out->width, 4); break;
        }
    }
}

/* Columns are done a whole row at a time: the inner loop runs along memory. `sums` holds
 * a row. */
static void vertical(mann_image *out, const mann_image *in, const taps *t, int32_t *sums)
{
    const size_t row = (size_t)in->width * in->channels;
    for (uint32_t y = 0; y < out->height; y++) {
        const int32_t *w = t->weight + (size_t)y * t->stride;
        for (size_t x = 0; x < row; x++) sums[x] = 1 << (BITS - 1);
        for (uint32_t k = 0; k < t->n[y]; k++) {
            const uint8_t *p = in->pixels + (t->first[y] + k) * row;
            for (size_t x = 0; x < row; x++) sums[x] += w[k] * p[x];
        }
        uint8_t *o = out->pixels + y * row;
        for (size_t x = 0; x < row; x++) o[x] = to_byte(sums[x]);
    }
}

static mann_status check(const mann_image *in, uint32_t width, uint32_t height,
                         mann_error *err)
{
    if (in->channels < 1 || in->channels > 4)
        return mni_fail(err, MANN_E_ARG, "resize: %u channels, wanted 1..4",
                        in->channels);
    if (in->width == 0 || in->height == 0 || in->width > MAX_SIDE ||
        in->height > MAX_SIDE)
        return mni_fail(err, MANN_E_LIMIT,
                        "resize: image is %u x %u, wanted 1..%d a side", in->width,
                        in->height, (int)MAX_SIDE);
    if (width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE)
        return mni_fail(err, MANN_E_LIMIT, "resize: to %u x %u, wanted 1..%d a side",
                        width, height, (int)MAX_SIDE);
    return MANN_OK;
}

mann_status mni_image_resize(mann_image *out, const mann_image *in, uint32_t width,
                             uint32_t height, mann_error *err)
{
    taps across = { 0 }, down = { 0 };
    mann_image wide = { 0 }, done = { 0 }; /* after the first pass; after the second */
    int32_t *sums = NULL;
    *out = (mann_image){ 0 };
    MNI_TRY(check(in, width, height, err));

    mann_status s = taps_init(&across, in->width, width, err);
    if (s == MANN_OK) s = taps_init(&down, in->height, height, err);
    if (s == MANN_OK) s = mni_image_new(&wide, width, in->height, in->channels, err);
    if (s != MANN_OK) goto end;
    horizontal(&wide, in, &across);

    s = mni_image_new(&done, width, height, in->channels, err);
    if (s != MANN_OK) goto end;
    sums = mni_alloc((size_t)width * in->channels, sizeof *sums);
    if (!sums) {
        s = mni_fail(err, MANN_E_NOMEM, "resize: a row of %u pixels", width);
        goto end;
    }
    vertical(&done, &wide, &down, sums);
    *out = done;
    done = (mann_image){ 0 };
end:
    mni_free(sums);
    mann_image_clear(&done);
    mann_image_clear(&wide);
    taps_fini(&down);
    taps_fini(&across);
    return s;
}
