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

enum { N_FILTERS = 5, MAX_CHUNK = 1 << 20 };

/* CRC-32 as PNG has it (polynomial 0xEDB88320, reflected). */
static void crc_table(uint32_t table[256])
{
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t c = n;
        for (int k = 0; k < 8; k++) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
        table[n] = c;
    }
}

static void put_be(mni_buf *out, uint32_t v)
{
    uint8_t b[4];
    mni_put32be(b, v);
    mni_buf_add(out, b, sizeof b);
}

/* length | type | data | CRC of type and data */
static void put_chunk(mni_buf *out, const uint32_t table[256], const char type[4],
                      const uint8_t *bytes, uint32_t n)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (int i = 0; i < 4; i++) crc = table[(crc ^ (uint8_t)type[i]) & 255] ^ (crc >> 8);
    for (uint32_t i = 0; i < n; i++) crc = table[(crc ^ bytes[i]) & 255] ^ (crc >> 8);
    put_be(out, n);
    mni_buf_add(out, type, 4);
    mni_buf_add(out, bytes, n);
    put_be(out, ~crc);
}

static uint8_t paeth(int a, int b, int c)
{
    const int p = a + b - c;
    const int pa = p > a ? p - a : a - p, pb = p > b ? p - b : b - p,
              pc = p > c ? p - c : c - p;
    return (uint8_t)(pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
}

/* Row `x` with `above` (zeros for the first row) through one filter; gives the sum of
 * magnitudes. */
static uint64_t filter_row(uint8_t *out, const uint8_t *x, const uint8_t *above, size_t n,
                           size_t pixel, int filter)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        const int a = i >= pixel ? x[i - pixel] : 0, b = above[i];
        const int c = i >= pixel ? above[i - pixel] : 0;
        int guess = 0;
        switch (filter) {
        case 1: guess = a; break;
        case 2: guess = b; break;
        case 3: guess = (a + b) / 2; break;
        case 4: guess = paeth(a, b, c); break;
        default: break;
        }
        out[i] = (uint8_t)(x[i] - guess);
        sum += out[i] < 128 ? out[i] : 256u - out[i];
    }
    return sum;
}

/* All rows, each with its filter number in front. `trial` holds one filtered row. */
static void filter_image(uint8_t *out, uint8_t *trial, const uint8_t *zeros,
                         const mann_image *im)
{
    const size_t n = (size_t)im->width * im->channels;
    for (uint32_t y = 0; y < im->height; y++, out += n + 1) {
        const uint8_t *x = im->pixels + y * n, *above = y ? x - n : zeros;
        uint64_t best = UINT64_MAX;
        for (int f = 0; f < N_FILTERS; f++) {
            const uint64_t sum = filter_row(trial, x, above, n, im->channels, f);
            if (sum >= best) continue;
            best = sum;
            out[0] = (uint8_t)f;
            memcpy(out + 1, trial, n);
        }
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
    uint32_t table[256];
    mni_buf packed = { 0 };
    mann_status s = MANN_E_NOMEM;
    MNI_TRY(check(im, err));

    const size_t row = (size_t)im->width * im->channels;
    uint8_t *rows = mni_alloc(im->height, row + 1);
    uint8_t *spare = mni_alloc(2, row); /* a row of zeros, and one to try filters */
    if (!rows || !spare) {
        mni_fail(err, s, "png: rows of %u x %u pixels", im->width, im->height);
        goto end;
    }
    filter_image(rows, spare + row, spare, im);
    s = mni_deflate_zlib(&packed, rows, im->height * (row + 1), err);
    if (s != MANN_OK) goto end;

    crc_table(table);
    mni_buf_add(out, SIGNATURE, sizeof SIGNATURE);
    uint8_t header[13] = { 0 }; /* last three: deflate, filters, no interlace */
    mni_put32be(header, im->width);
    mni_put32be(header + 4, im->height);
    header[8] = 8;
    header[9] = COLOUR_TYPE[im->channels];
    put_chunk(out, table, "IHDR", header, sizeof header);
    for (size_t at = 0; at < packed.n_bytes; at += MAX_CHUNK) {
        const size_t left = packed.n_bytes - at;
        put_chunk(out, table, "IDAT", packed.bytes + at,
                  (uint32_t)(left < MAX_CHUNK ? left : MAX_CHUNK));
    }
    put_chunk(out, table, "IEND", NULL, 0);
    if (out->failed) s = mni_fail(err, MANN_E_NOMEM, "png: output");
end:
    mni_buf_fini(&packed);
    mni_free(spare);
    mni_free(rows);
    return s;
}
