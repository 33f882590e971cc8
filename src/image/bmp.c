/* bmp.c - Windows and OS/2 bitmaps.
 *
 *      "BM" size : 4, 0 : 4, place of the pixels : 4 | header | masks | palette | pixels
 *
 * There are seven headers, told apart by their first field, their own size: 12 (OS/2
 * 1), 16..64 (OS/2 2), 40 (Windows 3), 52, 56 (with masks), 108 (V4), 124 (V5). Pixels
 * are palette indices of 1..8 bits, 24-bit BGR, or 16 or 32 bits cut up by masks; rows
 * are padded to 4 bytes and go upwards unless the height is negative. Indices (and OS/2's
 * 24 bits) may be run-length coded: pairs of (count, value), where count 0 is an escape.
 * Microsoft "Bitmap storage"; bmpsuite by J. Summers. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/bytes.h"
#include "image/decoders.h"

enum { FILE_HEADER = 14 };
enum {
    RAW = 0, RLE8 = 1, RLE4 = 2, BITFIELDS = 3, JPEG_INSIDE = 4, PNG_INSIDE = 5,
    ALPHA_BITFIELDS = 6,
    RLE24 = 100, HUFFMAN_1D = 101       /* OS/2: our numbers, its own are taken */
};

typedef struct bmp {
    const uint8_t *bytes;
    size_t n_bytes;
    size_t header_bytes, at_pixels;
    uint32_t width, height;
    int top_down;
    unsigned bits, packing;
    uint32_t masks[4];              /* red, green, blue, alpha */
    uint32_t n_colours;             /* in the palette, as the header says; 0: all */
    uint8_t palette[256][3];        /* RGB; black beyond the end */
} bmp;

/* --- header ------------------------------------------------------------------------- */

static void read_old_header(bmp *b)
{
    const uint8_t *h = b->bytes + FILE_HEADER;
    b->width = mni_get16(h + 4);
    b->height = mni_get16(h + 6);
    b->bits = mni_get16(h + 10);
}

static mann_status read_new_header(bmp *b, mann_error *err)
{
    const uint8_t *h = b->bytes + FILE_HEADER;
    const uint32_t w = mni_get32(h + 4), tall = mni_get32(h + 8);
    b->top_down = tall >> 31 & 1;
    b->width = w;
    b->height = b->top_down ? 0u - tall : tall;
    if (w >> 31) return mni_fail(err, MANN_E_FORMAT, "bmp: the width is negative");
    b->bits = mni_get16(h + 14);
    if (b->header_bytes >= 20) b->packing = mni_get32(h + 16);
    if (b->header_bytes >= 36) b->n_colours = mni_get32(h + 32);
    if (b->header_bytes == 64 && b->packing == 3) b->packing = HUFFMAN_1D;
    if (b->header_bytes == 64 && b->packing == 4) b->packing = RLE24;
    return MANN_OK;
}

/* Where no masks are given: 5-5-5 in 16 bits, 8-8-8 in 32. */
static void read_masks(bmp *b, size_t *palette_at)
{
    const uint8_t *at = b->bytes + FILE_HEADER + 40;
    size_t n = 0;
    if (b->packing == BITFIELDS || b->packing == ALPHA_BITFIELDS) {
        n = b->packing == ALPHA_BITFIELDS || b->header_bytes >= 56 ? 4 : 3;
        const size_t end = FILE_HEADER + 40 + 4 * n;
        if (end > b->n_bytes) n = 0; /* then there are no pixels either */
        else if (*palette_at < end) *palette_at = end;
        for (size_t i = 0; i < n; i++) b->masks[i] = mni_get32(at + 4 * i);
    }
    if (n == 0) {
        const unsigned wide = b->bits == 32 ? 8 : 5, mask = (1u << wide) - 1;
        for (unsigned i = 0; i < 3; i++) b->masks[i] = (uint32_t)mask << (wide * (2 - i));
    }
}

static void read_palette(bmp *b, size_t at)
{
    const size_t entry = b->header_bytes == 12 ? 3 : 4;
    size_t n =
        b->n_colours && b->n_colours < 1u << b->bits ? b->n_colours : 1u << b->bits;
    if (at > b->at_pixels) return;
    if (n > (b->at_pixels - at) / entry) n = (b->at_pixels - at) / entry;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 3; k++)
            b->palette[i][k] = b->bytes[at + i * entry + (size_t)(2 - k)];
}

static int packing_fits(const bmp *b)
{
    switch (b->packing) {
    case RAW:   return b->bits == 1 || b->bits == 2 || b->bits == 4 || b->bits == 8 ||
                       b->bits == 16 || b->bits == 24 || b->bits == 32;
    case RLE8:  return b->bits == 8;
    case RLE4:  return b->bits == 4;
    case RLE24: return b->bits == 24;
    case BITFIELDS: case ALPHA_BITFIELDS: return b->bits == 16 || b->bits == 32;
    default:    return 0;
    }
}

static mann_status read_header(bmp *b, mann_error *err)
{
    if (b->n_bytes < FILE_HEADER + 12)
        return mni_fail(err, MANN_E_FORMAT, "bmp: cut short at byte %llu, in the header",
                        (unsigned long long)b->n_bytes);
    b->at_pixels = mni_get32(b->bytes + 10);
    b->header_bytes = mni_get32(b->bytes + FILE_HEADER);
    const size_t h = b->header_bytes;
    if (h != 12 && (h < 16 || h > 124))
        return mni_fail(err, MANN_E_FORMAT,
                        "bmp: a header of %llu bytes, wanted 12 or 16..124",
                        (unsigned long long)h);
    if (b->n_bytes < FILE_HEADER + h || b->at_pixels < FILE_HEADER + h ||
        b->at_pixels > b->n_bytes)
        return mni_fail(
            err, MANN_E_FORMAT,
            "bmp: the pixels begin at byte %llu; the header ends at %llu, the file at "
            "%llu",
            (unsigned long long)b->at_pixels, (unsigned long long)(FILE_HEADER + h),
            (unsigned long long)b->n_bytes);
    if (h == 12) read_old_header(b);
    else MNI_TRY(read_new_header(b, err));
    if (b->packing == JPEG_INSIDE || b->packing == PNG_INSIDE || b->packing == HUFFMAN_1D)
        return mni_fail(err, MANN_E_UNSUPPORTED,
                        "bmp: packed as %s, which is not supported; "
                        "convert it to PNG or JPEG",
                        b->packing == JPEG_INSIDE  ? "JPEG"
                        : b->packing == PNG_INSIDE ? "PNG"
                                                   : "fax lines (Huffman 1D)");
    if (!packing_fits(b))
        return mni_fail(err, MANN_E_FORMAT,
                        "bmp: %u bits a pixel with packing %u does not exist", b->bits,
                        b->packing);
    size_t palette_at = FILE_HEADER + h;
    read_masks(b, &palette_at);
    if (b->bits <= 8) read_palette(b, palette_at);
    return MANN_OK;
}

/* --- plain rows --------------------------------------------------------------------- */

typedef struct field { uint32_t mask, max; unsigned shift; } field;

static mann_status make_field(field *f, uint32_t mask, mann_error *err)
{
    *f = (field){ mask, 0, 0 };
    if (mask == 0) return MANN_OK;
    while (!(mask >> f->shift & 1)) f->shift++;
    f->max = mask >> f->shift;
    if (f->max & (f->max + 1)) /* in 32 bits: all ones wrap to 0, as they should */
        return mni_fail(err, MANN_E_FORMAT, "bmp: the mask %08lx has holes",
                        (unsigned long)mask);
    return MANN_OK;
}

/* Up to 8 bits cut, as Pillow does (they are 5 or 6 bits, mostly, and what other programs
 * make of them differs by 1); wider ones, which it does not read, to nearest. */
static uint8_t field_value(const field *f, uint32_t pixel)
{
    if (f->max == 0) return 0;
    const uint64_t v = (pixel & f->mask) >> f->shift;
    return (uint8_t)((v * 255 + (f->max > 255 ? f->max / 2 : 0)) / f->max);
}

static void read_indices(const bmp *b, const uint8_t *row, uint8_t *to)
{
    const unsigned mask = (1u << b->bits) - 1;
    for (uint32_t x = 0; x < b->width; x++, to += 3) {
        const size_t bit = (size_t)x * b->bits;
        memcpy(to, b->palette[row[bit >> 3] >> (8 - b->bits - (bit & 7)) & mask], 3);
    }
}

static void read_bgr(const bmp *b, const uint8_t *row, uint8_t *to)
{
    for (uint32_t x = 0; x < b->width; x++, row += 3, to += 3) {
        to[0] = row[2]; to[1] = row[1]; to[2] = row[0];
    }
}

static void read_fields(const bmp *b, const field f[4], const uint8_t *row, uint8_t *to,
                        unsigned channels)
{
    for (uint32_t x = 0; x < b->width; x++, row += b->bits / 8, to += channels) {
        const uint32_t pixel = b->bits == 16 ? mni_get16(row) : mni_get32(row);
        for (unsigned i = 0; i < channels; i++) to[i] = field_value(&f[i], pixel);
    }
}

/* Many writers declare an alpha field and leave it empty: a picture of which nothing can
 * be seen is never what was meant. */
static void fill_empty_alpha(mann_image *im)
{
    const size_t n = (size_t)im->width * im->height;
    for (size_t i = 0; i < n; i++)
        if (im->pixels[4 * i + 3]) return;
    for (size_t i = 0; i < n; i++) im->pixels[4 * i + 3] = 255;
}

static mann_status read_rows(const bmp *b, mann_image *im, mann_error *err)
{
    const uint64_t used = ((uint64_t)b->width * b->bits + 7) / 8,
                   stride = (used + 3) / 4 * 4;
    field f[4];
    for (int i = 0; i < 4; i++) MNI_TRY(make_field(&f[i], b->masks[i], err));
    /* The padding of the last row may be missing. */
    MNI_TRY(mni_source_holds("bmp", b->n_bytes - b->at_pixels,
                             stride * (b->height - 1) + used, err));
    MNI_TRY(mni_image_new(im, b->width, b->height, b->bits >= 16 && b->masks[3] ? 4 : 3,
                          err));
    for (uint32_t y = 0; y < b->height; y++) {
        const uint8_t *row = b->bytes + b->at_pixels + (size_t)stride * y;
        const uint32_t line = b->top_down ? y : b->height - 1 - y;
        uint8_t *to = im->pixels + (size_t)line * b->width * im->channels;
        if (b->bits <= 8) read_indices(b, row, to);
        else if (b->bits == 24) read_bgr(b, row, to);
        else read_fields(b, f, row, to, im->channels);
    }
    if (im->channels == 4) fill_empty_alpha(im);
    return MANN_OK;
}

/* --- run lengths -------------------------------------------------------------------- */

typedef struct runs { const bmp *b; mann_image *im; uint32_t x, y; } runs;

/* One pixel at the pen, which moves right. Outside the picture nothing is drawn. */
static void put(runs *r, const uint8_t rgb[3])
{
    const bmp *b = r->b;
    if (r->x < b->width && r->y < b->height) {
        const uint32_t line = b->top_down ? r->y : b->height - 1 - r->y;
        memcpy(r->im->pixels + ((size_t)line * b->width + r->x) * 3, rgb, 3);
    }
    if (r->x < b->width) r->x++;
}

/* Pixel i of the packed pixels at p: the byte itself, half of it, or three bytes BGR. */
static void put_packed(runs *r, const uint8_t *p, size_t i)
{
    if (r->b->bits == 24) {
        const uint8_t rgb[3] = { p[3 * i + 2], p[3 * i + 1], p[3 * i] };
        put(r, rgb);
    } else if (r->b->bits == 8) {
        put(r, r->b->palette[p[i]]);
    } else {
        put(r, r->b->palette[i & 1 ? p[i / 2] & 15 : p[i / 2] >> 4]);
    }
}

/*  count > 0, value     `count` pixels of the value (two values in turn for 4 bits)
 *  0, 0                 next row
 *  0, 1                 end of the picture
 *  0, 2, right, up      move the pen
 *  0, n > 2             n single pixels, padded to an even place */
static mann_status read_runs(const mni_source *in, const bmp *b, mann_image *im,
                             mann_error *err)
{
    const uint64_t n_pixels = (uint64_t)b->width * b->height;
    const size_t value_bytes = b->bits == 24 ? 3 : 1;
    /* One move of 4 bytes can pass over 255 x 255 pixels. */
    MNI_TRY(
        mni_source_holds("bmp", b->n_bytes - b->at_pixels, n_pixels / (255 * 255), err));
    MNI_TRY(mni_source_work(in, "bmp", n_pixels, err));
    MNI_TRY(mni_image_new(im, b->width, b->height, 3, err));
    if (b->bits <= 8)                           /* pixels passed over have colour 0 */
        for (size_t i = 0; i < n_pixels; i++)
            memcpy(im->pixels + 3 * i, b->palette[0], 3);

    runs r = { b, im, 0, 0 };
    mni_cursor c = mni_cursor_of(b->bytes, b->n_bytes);
    c.at = b->at_pixels;
    while (r.y < b->height) {
        const unsigned count = mni_cursor_u8(&c);
        if (count > 0) {
            const uint8_t *value = mni_cursor_take(&c, value_bytes);
            for (unsigned i = 0; value && i < count; i++)
                put_packed(&r, value, b->bits == 4 ? i & 1 : 0);
        } else {
            const unsigned escape = mni_cursor_u8(&c);
            if (c.bad) break;
            if (escape == 1) return MANN_OK;
            if (escape == 0) {
                r.x = 0;
                r.y++;
            } else if (escape == 2) {
                const uint32_t right = mni_cursor_u8(&c);
                r.y += mni_cursor_u8(&c);
                r.x = right < b->width - r.x ? r.x + right : b->width;
            } else {
                const size_t n = b->bits == 4 ? (escape + 1) / 2 : escape * value_bytes;
                const uint8_t *p = mni_cursor_take(&c, n);
                for (unsigned i = 0; p && i < escape; i++) put_packed(&r, p, i);
                if (n & 1) (void)mni_cursor_u8(&c);
            }
        }
        if (c.bad) break;
    }
    /* Some writers leave out the end mark; a full picture needs none. */
    if (r.y >= b->height || (r.y == b->height - 1 && r.x == b->width)) return MANN_OK;
    return mni_fail(err, MANN_E_FORMAT, "bmp: cut short at byte %llu, in row %lu of %lu",
                    (unsigned long long)b->n_bytes, (unsigned long)r.y + 1,
                    (unsigned long)b->height);
}

mann_status mni_bmp_read(mann_image *out, const mni_source *in, mann_error *err)
{
    bmp b = { .bytes = in->bytes, .n_bytes = in->n_bytes };
    mann_image im = { 0 };
    MNI_TRY(read_header(&b, err));
    MNI_TRY(mni_source_size(in, "bmp", b.width, b.height, err));
    const int coded = b.packing == RLE8 || b.packing == RLE4 || b.packing == RLE24;
    const mann_status s = coded ? read_runs(in, &b, &im, err) : read_rows(&b, &im, err);
    if (s != MANN_OK) {
        mann_image_clear(&im);
        return s;
    }
    *out = im;
    return MANN_OK;
}
