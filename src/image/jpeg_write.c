/* jpeg_write.c - pixels -> baseline JPEG: the decoder read backwards.
 *
 *   pixels -> Y, Cb, Cr (colour halved) -> 8 x 8 blocks -> cosine transform -> divided by
 *   the quantiser, rounded: here, and only here, something is lost -> zigzag, runs of
 *   zeros, Huffman code
 *
 * Quantisers and codes are the examples of T.81 annex K, which nearly all writers use:
 * the codes fit photos well, and a thumbnail is not worth counting symbols for codes of
 * its own. The quantisers stand for quality 50; others are multiples of them, by the rule
 * that libjpeg made common. All in whole numbers: the same bytes on every machine.
 * SPDX-License-Identifier: MIT */
#include "image/jpeg_write.h"

#include <stdlib.h>
#include <string.h>

#include "image/jpeg.h"

enum { MAX_SIDE = 65535, COLOUR_IN_FULL = 90 };

typedef struct code { uint16_t word[256]; uint8_t n_bits[256]; } code;

typedef struct component { unsigned id, h, v, table; int dc; } component;

typedef struct writer {
    mni_buf *out;
    const mann_image *im;
    uint8_t quant[2][MNI_JPEG_BLOCK];           /* row order; brightness, colour */
    uint8_t order[MNI_JPEG_BLOCK];              /* row order -> zigzag */
    code dc[2], ac[2];
    component parts[3];
    unsigned n_parts, mcu;      /* mcu: pixels a side of an MCU, 8 or 16 */
    uint8_t planes[3][16 * 16];                 /* one MCU */
    uint64_t bits;                              /* waiting, the last one lowest */
    unsigned n_bits;
} writer;

/* --- tables ------------------------------------------------------------------------- */

/* T.81 tables K.1 and K.2, row order. */
static const uint8_t quality_50[2][MNI_JPEG_BLOCK] = {
    { 16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,
      14, 13, 16, 24, 40,  57,  69,  56,  14, 17, 22, 29, 51,  87,  80,  62,
      18, 22, 37, 56, 68,  109, 103, 77,  24, 35, 55, 64, 81,  104, 113, 92,
      49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99 },
    { 17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
      24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
      99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
      99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99 },
};

static void make_quant(writer *w, int quality)
{
    const int percent = quality < 50 ? 5000 / quality : 200 - 2 * quality;
    for (int t = 0; t < 2; t++)
        for (int i = 0; i < MNI_JPEG_BLOCK; i++) {
            const int q = (quality_50[t][i] * percent + 50) / 100;
            w->quant[t][i] = (uint8_t)(q < 1 ? 1 : q > 255 ? 255 : q);
        }
}

/* Shorter codes first, then in the order of the symbols. */
static void make_code(code *c, int number, int is_dc)
{
    const uint8_t *counts, *symbols;
    unsigned word = 0, n = 0;
    mni_jpeg_standard_code(number, is_dc, &counts, &symbols);
    for (unsigned length = 1; length <= 16; length++, word <<= 1)
        for (int i = 0; i < counts[length - 1]; i++, word++, n++) {
            c->word[symbols[n]] = (uint16_t)word;
            c->n_bits[symbols[n]] = (uint8_t)length;
        }
}

/* --- segments ----------------------------------------------------------------------- */

static void put16be(mni_buf *out, unsigned v)
{
    mni_buf_u8(out, (uint8_t)(v >> 8));
    mni_buf_u8(out, (uint8_t)v);
}

static void begin_segment(mni_buf *out, unsigned marker, size_t n_bytes)
{
    put16be(out, 0xFF00 | marker);
    put16be(out, (unsigned)n_bytes + 2);
}

static void put_quant(const writer *w, int table)
{
    uint8_t zigzag[MNI_JPEG_BLOCK];
    for (int i = 0; i < MNI_JPEG_BLOCK; i++) zigzag[w->order[i]] = w->quant[table][i];
    begin_segment(w->out, 0xDB, 1 + sizeof zigzag);
    mni_buf_u8(w->out, (uint8_t)table);
    mni_buf_add(w->out, zigzag, sizeof zigzag);
}

static void put_code(mni_buf *out, int number, int is_dc)
{
    const uint8_t *counts, *symbols;
    const size_t n = mni_jpeg_standard_code(number, is_dc, &counts, &symbols);
    begin_segment(out, 0xC4, 17 + n);
    mni_buf_u8(out, (uint8_t)((is_dc ? 0 : 16) + number));
    mni_buf_add(out, counts, 16);
    mni_buf_add(out, symbols, n);
}

static void put_headers(const writer *w)
{
    static const uint8_t jfif[14] = { 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0 };
    const int n_tables = w->n_parts > 1 ? 2 : 1;
    mni_buf *out = w->out;
    put16be(out, 0xFFD8);
    begin_segment(out, 0xE0, sizeof jfif);
    mni_buf_add(out, jfif, sizeof jfif);
    for (int t = 0; t < n_tables; t++) put_quant(w, t);
    begin_segment(out, 0xC0, 6 + 3 * w->n_parts);
    mni_buf_u8(out, 8);
    put16be(out, w->im->height);
    put16be(out, w->im->width);
    mni_buf_u8(out, (uint8_t)w->n_parts);
    for (unsigned i = 0; i < w->n_parts; i++) {
        const component *c = &w->parts[i];
        mni_buf_u8(out, (uint8_t)c->id);
        mni_buf_u8(out, (uint8_t)(c->h << 4 | c->v));
        mni_buf_u8(out, (uint8_t)c->table);
    }
    for (int t = 0; t < n_tables; t++)
        for (int is_dc = 1; is_dc >= 0; is_dc--) put_code(out, t, is_dc);
    begin_segment(out, 0xDA, 4 + 2 * w->n_parts);
    mni_buf_u8(out, (uint8_t)w->n_parts);
    for (unsigned i = 0; i < w->n_parts; i++) {
        mni_buf_u8(out, (uint8_t)w->parts[i].id);
        mni_buf_u8(out, (uint8_t)(w->parts[i].table * 0x11));
    }
    mni_buf_u8(out, 0);
    mni_buf_u8(out, 63);
    mni_buf_u8(out, 0);
}

/* --- bits --------------------------------------------------------------------------- */

static void put_bits(writer *w, unsigned v, unsigned n)
{
    w->bits = w->bits << n | v;
    for (w->n_bits += n; w->n_bits >= 8; w->n_bits -= 8) {
        const uint8_t byte = (uint8_t)(w->bits >> (w->n_bits - 8));
        mni_buf_u8(w->out, byte);
        if (byte == 0xFF) mni_buf_u8(w->out, 0);
    }
}

/* Bits of |v|; negative numbers are sent as v - 1, whose first bit is 0. */
static void put_number(writer *w, const code *c, unsigned run, int v)
{
    unsigned size = 0;
    for (int m = abs(v); m; m >>= 1) size++;
    const unsigned symbol = run << 4 | size;
    put_bits(w, c->word[symbol], c->n_bits[symbol]);
    if (size) put_bits(w, (unsigned)(v < 0 ? v - 1 : v) & ((1u << size) - 1), size);
}

/* --- blocks ------------------------------------------------------------------------- */

/* cos(k pi / 16) / 2 with 13 bits behind the point. */
static int half_cosine(unsigned k)
{
    static const int c[9] = { 4096, 4017, 3784, 3406, 2896, 2276, 1567, 799, 0 };
    k &= 31;
    if (k > 16) k = 32 - k;
    return k <= 8 ? c[k] : -c[16 - k];
}

static void eight_points(int32_t out[8], const int32_t in[8])
{
    for (unsigned u = 0; u < 8; u++) {
        int32_t sum = 0;
        for (unsigned x = 0; x < 8; x++)
            sum += in[x] * (u ? half_cosine((2 * x + 1) * u) : half_cosine(4));
        out[u] = sum;
    }
}

/* 8 x 8 samples -> coefficients with 16 bits behind the point: 13 and 13, of which 10 are
 * rounded away between. */
static void transform(int32_t out[64], const uint8_t *in, size_t stride)
{
    int32_t rows[8][8];
    for (int y = 0; y < 8; y++) {
        int32_t x[8], u[8];
        for (int i = 0; i < 8; i++) x[i] = in[(size_t)y * stride + (size_t)i] - 128;
        eight_points(u, x);
        for (int i = 0; i < 8; i++) rows[i][y] = (u[i] + 512) >> 10;
    }
    for (int c = 0; c < 8; c++) {
        int32_t v[8];
        eight_points(v, rows[c]);
        for (int r = 0; r < 8; r++) out[8 * r + c] = v[r];
    }
}

static void put_block(writer *w, component *c, const uint8_t *in, size_t stride)
{
    int32_t coefs[64];
    int zigzag[64];
    transform(coefs, in, stride);
    for (unsigned r = 0; r < 8; r++)
        for (unsigned u = 0; u < 8; u++) {
            const int32_t v = coefs[8 * r + u], q = w->quant[c->table][8 * r + u];
            const int32_t half = q << 15, whole = q << 16;
            zigzag[w->order[8 * r + u]] =
                v < 0 ? -((half - v) / whole) : (v + half) / whole;
        }
    put_number(w, &w->dc[c->table], 0, zigzag[0] - c->dc);
    c->dc = zigzag[0];
    const code *ac = &w->ac[c->table];
    unsigned run = 0;
    for (int k = 1; k < 64; k++) {
        if (zigzag[k] == 0) {
            run++;
            continue;
        }
        for (; run >= 16; run -= 16) put_bits(w, ac->word[0xF0], ac->n_bits[0xF0]);
        put_number(w, ac, run, zigzag[k]);
        run = 0;
    }
    if (run) put_bits(w, ac->word[0], ac->n_bits[0]);
}

/* --- the picture -------------------------------------------------------------------- */

/* Pixel (x, y), or the nearest one of the picture, as red, green, blue. */
static void pixel(const mann_image *im, uint32_t x, uint32_t y, int rgb[3])
{
    if (x >= im->width) x = im->width - 1;
    if (y >= im->height) y = im->height - 1;
    const uint8_t *p = im->pixels + ((size_t)y * im->width + x) * im->channels;
    const int alpha = im->channels == 4 ? p[3] : 255;
    for (int c = 0; c < 3; c++)
        rgb[c] = (p[im->channels < 3 ? 0 : c] * alpha + 255 * (255 - alpha) + 127) / 255;
}

/* JFIF 1.02, 16 bits behind the point. */
static void load_mcu(writer *w, uint32_t x0, uint32_t y0)
{
    const uint32_t side = w->mcu;
    for (uint32_t y = 0; y < side; y++)
        for (uint32_t x = 0; x < side; x++) {
            int c[3];
            pixel(w->im, x0 + x, y0 + y, c);
            const int at = (int)(y * side + x), grey = (128 << 16) + (1 << 15) - 1;
            w->planes[0][at] =
                (uint8_t)((19595 * c[0] + 38470 * c[1] + 7471 * c[2] + (1 << 15)) >> 16);
            w->planes[1][at] =
                (uint8_t)((-11059 * c[0] - 21709 * c[1] + 32768 * c[2] + grey) >> 16);
            w->planes[2][at] =
                (uint8_t)((32768 * c[0] - 27439 * c[1] - 5329 * c[2] + grey) >> 16);
        }
}

/* Means of 2 x 2, in place: the result is 8 x 8, in rows of 8. */
static void halve(uint8_t *plane)
{
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++) {
            const uint8_t *p = plane + 32 * y + 2 * x;
            plane[8 * y + x] = (uint8_t)((p[0] + p[1] + p[16] + p[17] + 2) >> 2);
        }
}

static void put_mcu(writer *w, uint32_t x0, uint32_t y0)
{
    load_mcu(w, x0, y0);
    for (unsigned i = 0; i < w->n_parts; i++) {
        component *c = &w->parts[i];
        const int halved = i > 0 && w->mcu == 16;
        if (halved) halve(w->planes[i]);
        const size_t stride = halved ? 8 : w->mcu;
        for (unsigned v = 0; v < c->v; v++)
            for (unsigned h = 0; h < c->h; h++)
                put_block(w, c, w->planes[i] + 8 * v * stride + 8 * h, stride);
    }
}

static void begin(writer *w, mni_buf *out, const mann_image *im, int quality)
{
    *w = (writer){ .out = out, .im = im, .n_parts = im->channels == 1 ? 1 : 3 };
    const unsigned factor = w->n_parts == 3 && quality < COLOUR_IN_FULL ? 2 : 1;
    w->mcu = 8 * factor;
    w->parts[0] = (component){ 1, factor, factor, 0, 0 };
    w->parts[1] = (component){ 2, 1, 1, 1, 0 };
    w->parts[2] = (component){ 3, 1, 1, 1, 0 };
    for (unsigned i = 0; i < MNI_JPEG_BLOCK; i++)
        for (unsigned k = 0; k < MNI_JPEG_BLOCK; k++)
            if (mni_jpeg_place[k] == mni_jpeg_paired(i / 8, i % 8))
                w->order[i] = (uint8_t)k;
    make_quant(w, quality);
    for (int t = 0; t < 2; t++) {
        make_code(&w->dc[t], t, 1);
        make_code(&w->ac[t], t, 0);
    }
}

mann_status mni_jpeg_encode(mni_buf *out, const mann_image *im, int quality,
                            mann_error *err)
{
    writer w;
    if (im->width > MAX_SIDE || im->height > MAX_SIDE || quality < 1 || quality > 100)
        return mni_fail(err, MANN_E_ARG,
                        "jpeg: %lu x %lu pixels at quality %d, wanted at most %d a side "
                        "and 1..100",
                        (unsigned long)im->width, (unsigned long)im->height, quality,
                        (int)MAX_SIDE);
    begin(&w, out, im, quality);
    put_headers(&w);
    for (uint32_t y = 0; y < im->height && !out->failed; y += w.mcu)
        for (uint32_t x = 0; x < im->width; x += w.mcu) put_mcu(&w, x, y);
    put_bits(&w, 0x7F, 7);              /* whole bytes; what is left over is dropped */
    put16be(out, 0xFFD9);
    if (out->failed) return mni_fail(err, MANN_E_NOMEM, "jpeg: no memory for the file");
    return MANN_OK;
}
