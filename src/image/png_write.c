/* png_write.c - PNG files: signature, IHDR, IDAT, IEND (ISO/IEC 15948; "PNG
 * specification").
 *
 * Before compression every row is replaced by differences to what is already known, by
 * one of five filters, because differences repeat better than values do:
 *
 *        c | b          a: the byte one pixel to the left, b: above, c: above left
 *       ---+---         0 none   1 - a   2 - b   3 - (a + b) / 2   4 - Paeth(a, b, c)
 *        a | x
 *
 * The filter of a row is the one whose differences, taken as signed bytes, have the least
 * sum of magnitudes (the heuristic of the specification, section 12.8).
 * SPDX-License-Identifier: MIT */
#include "image/png_write.h"

#include <string.h>

#include "base/mem.h"
#include "image/deflate.h"
#include "kern/kern_png.h"

enum { MAX_CHUNK = 1 << 20 };

static void put_be(mni_buf *out, uint32_t v)
{
    uint8_t b[4];
    mni_put32be(b, v);
    mni_buf_add(out, b, sizeof b);
}

/* length | type | data | CRC of type and data */
static void put_chunk(mni_buf *out, const char type[4], const uint8_t *bytes, uint32_t n)
{
    const mni_kern_png *k = mni_kern_png_best();
    put_be(out, n);
    mni_buf_add(out, type, 4);
    mni_buf_add(out, bytes, n);
    put_be(out, k->crc32(k->crc32(0, (const uint8_t *)type, 4), bytes, n));
}

/* All rows, each with its filter number in front. `trial` holds a filtered row for each
 * filter. */
static void filter_image(uint8_t *out, uint8_t *trial, const uint8_t *zeros,
                         const mann_image *im)
{
    const mni_kern_png *k = mni_kern_png_best();
    const size_t n = (size_t)im->width * im->channels;
    for (uint32_t y = 0; y < im->height; y++, out += n + 1) {
        const uint8_t *x = im->pixels + y * n, *above = y ? x - n : zeros;
        uint64_t best = UINT64_MAX;
        for (int f = 0; f < MNI_PNG_N_FILTERS; f++) {
            const uint64_t sum = k->filter(f, trial + (size_t)f * n, x, above, n,
                                           im->channels);
            if (sum >= best) continue;
            best = sum;
            out[0] = (uint8_t)f;
        }
        memcpy(out + 1, trial + out[0] * n, n);
    }
}

static mann_status check(const mann_image *im, mann_error *err)
{
    if (im->channels != 1 && im->channels != 3 && im->channels != 4)
        return mni_fail(err, MANN_E_ARG, "png: %u channels, wanted 1, 3 or 4",
                        im->channels);
    if (im->width == 0 || im->height == 0 || im->width > INT32_MAX ||
        im->height > INT32_MAX)
        return mni_fail(err, MANN_E_ARG, "png: image is %u x %u, wanted 1..2^31-1 a side",
                        im->width, im->height);
    return MANN_OK;
}

mann_status mni_png_encode(mni_buf *out, const mann_image *im, mann_error *err)
{
    static const uint8_t SIGNATURE[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n' };
    static const uint8_t COLOUR_TYPE[5] = { 0, 0, 0, 2,
                                            6 }; /* by channels: grey, RGB, RGBA */
    mni_buf packed = { 0 };
    mann_status s = MANN_E_NOMEM;
    MNI_TRY(check(im, err));

    const size_t row = (size_t)im->width * im->channels;
    uint8_t *rows = mni_alloc(im->height, row + 1);
    uint8_t *spare = mni_alloc(1 + MNI_PNG_N_FILTERS, row); /* zeros, and trials */
    if (!rows || !spare) {
        mni_fail(err, s, "png: rows of %u x %u pixels", im->width, im->height);
        goto end;
    }
    filter_image(rows, spare + row, spare, im);
    s = mni_deflate_zlib(&packed, rows, im->height * (row + 1), err);
    if (s != MANN_OK) goto end;

    mni_buf_add(out, SIGNATURE, sizeof SIGNATURE);
    uint8_t header[13] = { 0 }; /* last three: deflate, filters, no interlace */
    mni_put32be(header, im->width);
    mni_put32be(header + 4, im->height);
    header[8] = 8;
    header[9] = COLOUR_TYPE[im->channels];
    put_chunk(out, "IHDR", header, sizeof header);
    for (size_t at = 0; at < packed.n_bytes; at += MAX_CHUNK) {
        const size_t left = packed.n_bytes - at;
        put_chunk(out, "IDAT", packed.bytes + at,
                  (uint32_t)(left < MAX_CHUNK ? left : MAX_CHUNK));
    }
    put_chunk(out, "IEND", NULL, 0);
    if (out->failed) s = mni_fail(err, MANN_E_NOMEM, "png: output");
end:
    mni_buf_fini(&packed);
    mni_free(spare);
    mni_free(rows);
    return s;
}
