/* tga.c - Truevision's format, as games and old renderers write it.
 *
 *      id length, palette?, type : 3 | palette: first, count, bits : 5 | x, y, width,
 *      height : 8 | bits, flags : 2 | id | palette | pixels
 *
 * Type 1 has places in a palette, 2 colours (15, 16, 24, 32 bits, blue first), 3 grey; 9,
 * 10, 11 the same in runs. Rows go upwards unless flag 0x20 is set. There are no magic
 * bytes: mni_tga_is asks whether the header makes sense. Truevision TGA 2.0, 1991.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/bytes.h"
#include "image/decoders.h"

enum { HEADER_BYTES = 18, FROM_RIGHT = 0x10, TOP_DOWN = 0x20 };
enum { PALETTE = 1, COLOUR = 2, GREY = 3 };

typedef struct tga {
    const uint8_t *at, *end;
    unsigned type, is_packed, bits, n_bytes;    /* n_bytes: of one pixel in the file */
    uint32_t width, height;
    unsigned flags, channels;
    unsigned first, n_palette, palette_bits;
    const uint8_t *palette;
} tga;

static int colour_bits(unsigned bits)
{
    return bits == 15 || bits == 16 || bits == 24 || bits == 32;
}

int mni_tga_is(const uint8_t *b, size_t n_bytes)
{
    if (n_bytes < HEADER_BYTES || b[1] > 1) return 0;
    const unsigned type = b[2] & 7, bits = b[16];
    if ((b[2] & ~8u) != type || type < PALETTE || type > GREY) return 0;
    if (mni_get16(b + 12) == 0 || mni_get16(b + 14) == 0 || b[17] & 0xC0) return 0;
    if (type == PALETTE)
        return b[1] == 1 && (bits == 8 || bits == 16) && mni_get16(b + 5) > 0 &&
               colour_bits(b[7]);
    if (b[1] == 1 && !colour_bits(b[7])) return 0;
    return type == GREY ? bits == 8 || bits == 16 : colour_bits(bits);
}

/* Five bits to eight as Pillow does it: v * 255 / 31, cut off. */
static uint8_t five(unsigned v) { return (uint8_t)((v & 31) * 255 / 31); }

static void colour(uint8_t *to, const uint8_t *from, unsigned bits, unsigned channels)
{
    if (bits <= 16) {
        const unsigned v = mni_get16(from);
        to[0] = five(v >> 10);
        to[1] = five(v >> 5);
        to[2] = five(v);
        if (channels == 4) to[3] = 255;
    } else {
        to[0] = from[2];
        to[1] = from[1];
        to[2] = from[0];
        if (channels == 4) to[3] = bits == 32 ? from[3] : 255;
    }
}

static mann_status one_pixel(const tga *t, uint8_t *to, const uint8_t *from,
                             mann_error *err)
{
    if (t->type == COLOUR) {
        colour(to, from, t->bits, t->channels);
    } else if (t->type == GREY) {
        to[0] = to[1] = to[2] = from[0];
        if (t->channels == 4) to[3] = from[1];
    } else {
        unsigned i = t->bits == 8 ? from[0] : mni_get16(from);
        if (i < t->first || (i -= t->first) >= t->n_palette)
            return mni_fail(err, MANN_E_FORMAT, "tga: palette place %u of %u..%u",
                            i, t->first, t->first + t->n_palette - 1);
        const size_t entry = (t->palette_bits + 7) / 8;
        colour(to, t->palette + i * entry, t->palette_bits, t->channels);
    }
    return MANN_OK;
}

/* Where pixel x of the file's row y belongs. */
static uint8_t *place(const tga *t, const mann_image *im, uint32_t x, uint32_t y)
{
    const size_t line = t->flags & TOP_DOWN ? y : im->height - 1 - y;
    const size_t column = t->flags & FROM_RIGHT ? im->width - 1 - x : x;
    return im->pixels + (line * im->width + column) * im->channels;
}

/* A packet is a count and pixels: count & 128: one pixel, to be repeated. */
static mann_status read_pixels(tga *t, const mann_image *im, mann_error *err)
{
    unsigned left = 0, repeat = 0;
    const uint8_t *from = NULL;
    for (uint32_t y = 0; y < im->height; y++)
        for (uint32_t x = 0; x < im->width; x++) {
            const int is_new = !t->is_packed || left == 0;
            if (t->is_packed && left == 0 && t->at < t->end) {
                repeat = *t->at >> 7;
                left = (*t->at++ & 127) + 1u;
            }
            if (is_new || !repeat) {
                if ((size_t)(t->end - t->at) < t->n_bytes)
                    return mni_fail(err, MANN_E_FORMAT, "tga: cut short in row %lu",
                                    (unsigned long)y + 1);
                from = t->at;
                t->at += t->n_bytes;
            }
            if (left) left--;
            MNI_TRY(one_pixel(t, place(t, im, x, y), from, err));
        }
    return MANN_OK;
}

static mann_status read_header(tga *t, const mni_source *in, mann_error *err)
{
    const uint8_t *b = in->bytes;
    *t = (tga){ .end = b + in->n_bytes, .type = b[2] & 7, .is_packed = b[2] >> 3 & 1,
                .bits = b[16], .n_bytes = (b[16] + 7u) / 8, .flags = b[17],
                .width = mni_get16(b + 12), .height = mni_get16(b + 14) };
    const size_t entry = b[1] ? (b[7] + 7u) / 8 : 0, n_palette = mni_get16(b + 5);
    const size_t start = HEADER_BYTES + (size_t)b[0], n = b[1] ? entry * n_palette : 0;
    if (start + n > in->n_bytes)
        return mni_fail(err, MANN_E_FORMAT, "tga: cut short in the palette");
    t->first = mni_get16(b + 3);
    t->n_palette = (unsigned)n_palette;
    t->palette_bits = b[7];
    t->palette = b + start;
    t->at = b + start + n;
    t->channels = (t->type == COLOUR && t->bits == 32) ||
                  (t->type == GREY && t->bits == 16) ||
                  (t->type == PALETTE && t->palette_bits == 32) ? 4 : 3;
    return MANN_OK;
}

mann_status mni_tga_read(mann_image *out, const mni_source *in, mann_error *err)
{
    tga t;
    mann_image im;
    MNI_TRY(read_header(&t, in, err));
    MNI_TRY(mni_source_size(in, "tga", t.width, t.height, err));
    const uint64_t n = (uint64_t)t.width * t.height;
    MNI_TRY(mni_source_holds("tga", (uint64_t)(t.end - t.at),
                             t.is_packed ? n / 128 * (1 + t.n_bytes) : n * t.n_bytes,
                             err));
    MNI_TRY(mni_image_new(&im, t.width, t.height, t.channels, err));
    const mann_status s = read_pixels(&t, &im, err);
    if (s != MANN_OK) {
        mann_image_clear(&im);
        return s;
    }
    *out = im;
    return MANN_OK;
}
