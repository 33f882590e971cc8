/* png_read.c - PNG: the frame, the rows, the colours.
 *
 *      signature | IHDR | ... PLTE ... tRNS ... eXIf ... | IDAT IDAT IDAT | ... | IEND
 *
 *      chunk:  length : 4 | type : 4 | data : length | CRC-32 of type and data : 4
 *
 * 1. read_chunks walks the frame once and checks every CRC. 2. The IDATs are one zlib
 * stream; it inflates to rows of (filter byte, samples). 3. decode_passes undoes the
 * filters row by row and expands samples of 1 to 16 bits to RGB or RGBA; an interlaced
 * file is seven such pictures (Adam7), each scattered over the whole. Gamma and colour
 * profiles are not applied: like most readers we hand out the samples. PNG specification,
 * third edition. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "image/decoders.h"
#include "image/inflate.h"
#include "image/png_unfilter.h"

/* IHDR colour types. */
enum { GREY = 0, RGB = 2, PALETTE = 3, GREY_ALPHA = 4, RGB_ALPHA = 6 };
enum { SIGNATURE_BYTES = 8, FRAME_BYTES = 12 };

#define TAG(a, b, c, d)                                                                  \
    ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

typedef struct chunk { uint32_t tag; const uint8_t *data; size_t n_bytes, at; } chunk;

typedef struct png {
    const mni_source *in;
    uint32_t width, height;
    unsigned depth, colour, interlaced;
    unsigned n_samples;             /* per pixel in the file: 1, 2, 3, 4 */
    unsigned channels;              /* per pixel in the result: 3, with alpha 4 */
    uint8_t palette[256][4];        /* RGBA; places beyond the end are opaque black */
    unsigned n_palette;
    int has_key;                    /* one colour, in the file's depth, is transparent */
    uint16_t key[3];
    size_t first_idat, n_idats, n_idat_bytes;
    int orientation;
    uint32_t crc_table[8][256];
} png;

/* --- CRC-32 ------------------------------------------------------------------------- */

/* Table k gives the effect of a byte that has k more bytes behind it: eight bytes cost
 * eight looks that do not wait for each other ("slicing by eight": Kounavis and Berry,
 * 2005). Built per picture (a few microseconds) rather than kept in a global. */
static void make_crc_table(uint32_t table[8][256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
        table[0][i] = c;
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t i = 0; i < 256; i++)
            table[k][i] = table[0][table[k - 1][i] & 0xFF] ^ table[k - 1][i] >> 8;
}

static uint32_t crc_of(uint32_t (*t)[256], const uint8_t *p, size_t n)
{
    uint32_t c = 0xFFFFFFFFu;
    for (; n >= 8; n -= 8, p += 8) {
        const uint32_t low = mni_get32(p) ^ c;
        c = t[7][low & 0xFF] ^ t[6][low >> 8 & 0xFF] ^ t[5][low >> 16 & 0xFF] ^
            t[4][low >> 24] ^ t[3][p[4]] ^ t[2][p[5]] ^ t[1][p[6]] ^ t[0][p[7]];
    }
    while (n--) c = t[0][(c ^ *p++) & 0xFF] ^ c >> 8;
    return ~c;
}

/* --- chunks ------------------------------------------------------------------------- */

static const char *tag_text(uint32_t tag, char out[5])
{
    for (int i = 0; i < 4; i++) {
        const unsigned c = tag >> (24 - 8 * i) & 0xFF;
        out[i] = c >= ' ' && c <= '~' ? (char)c : '?';
    }
    out[4] = '\0';
    return out;
}

static mann_status read_header(png *p, const chunk *c, mann_error *err)
{
    /* Allowed depths of each colour type as a set of bits: 1, 2, 4, 8, 16. */
    static const uint32_t depths[7] = { 0x10116, 0, 0x10100, 0x116, 0x10100, 0, 0x10100 };
    static const uint8_t samples[7] = { 1, 0, 3, 1, 2, 0, 4 };
    if (c->n_bytes != 13)
        return mni_fail(err, MANN_E_FORMAT, "png: IHDR has %lu bytes, wanted 13",
                        (unsigned long)c->n_bytes);
    p->width = mni_get32be(c->data);
    p->height = mni_get32be(c->data + 4);
    p->depth = c->data[8];
    p->colour = c->data[9];
    p->interlaced = c->data[12];
    MNI_TRY(mni_source_size(p->in, "png", p->width, p->height, err));
    if (p->colour > 6 || p->depth > 16 || !(depths[p->colour] >> p->depth & 1))
        return mni_fail(err, MANN_E_FORMAT,
                        "png: colour type %u with %u bits does not exist", p->colour,
                        p->depth);
    if (c->data[10] != 0 || c->data[11] != 0 || p->interlaced > 1)
        return mni_fail(
            err, MANN_E_FORMAT,
            "png: compression %u, filter %u, interlace %u; wanted 0, 0, and 0 or 1",
            c->data[10], c->data[11], p->interlaced);
    p->n_samples = samples[p->colour];
    p->channels = p->colour & 4 ? 4 : 3;
    return MANN_OK;
}

static mann_status read_palette(png *p, const chunk *c, mann_error *err)
{
    if (c->n_bytes % 3 != 0 || c->n_bytes == 0 || c->n_bytes > 768 || p->n_palette)
        return mni_fail(err, MANN_E_FORMAT,
                        "png: a PLTE of %lu bytes%s, wanted one of 3..768",
                        (unsigned long)c->n_bytes, p->n_palette ? " after another" : "");
    p->n_palette = (unsigned)(c->n_bytes / 3);
    for (unsigned i = 0; i < p->n_palette; i++)
        memcpy(p->palette[i], c->data + 3 * (size_t)i, 3);
    return MANN_OK;
}

static mann_status read_transparency(png *p, const chunk *c, mann_error *err)
{
    if (p->colour & 4) return MANN_OK; /* forbidden beside alpha, and without meaning */
    if (p->colour == PALETTE) {
        if (c->n_bytes > p->n_palette)
            return mni_fail(err, MANN_E_FORMAT, "png: tRNS for %lu of %u palette entries",
                            (unsigned long)c->n_bytes, p->n_palette);
        for (size_t i = 0; i < c->n_bytes; i++) p->palette[i][3] = c->data[i];
    } else {
        const unsigned n = p->n_samples;
        if (c->n_bytes != 2 * n)
            return mni_fail(err, MANN_E_FORMAT, "png: tRNS has %lu bytes, wanted %u",
                            (unsigned long)c->n_bytes, 2 * n);
        for (unsigned i = 0; i < n; i++) p->key[i] = mni_get16be(c->data + 2 * (size_t)i);
        p->has_key = 1;
    }
    p->channels = 4;
    return MANN_OK;
}

/* The chunk at *at, its CRC not yet looked at. */
static mann_status next_chunk(const png *p, size_t at, chunk *c, mann_error *err)
{
    char text[5];
    const uint8_t *b = p->in->bytes + at;
    const size_t left = p->in->n_bytes - at;
    if (left < 8)
        return mni_fail(err, MANN_E_FORMAT,
                        "png: cut short at byte %llu, where a chunk should be",
                        (unsigned long long)at);
    *c = (chunk){ mni_get32be(b + 4), b + 8, mni_get32be(b), at };
    if (left < FRAME_BYTES || c->n_bytes > left - FRAME_BYTES)
        return mni_fail(
            err, MANN_E_FORMAT,
            "png: cut short: chunk %s at byte %llu claims %llu bytes, %llu are left",
            tag_text(c->tag, text), (unsigned long long)at,
            (unsigned long long)c->n_bytes, (unsigned long long)left);
    return MANN_OK;
}

static mann_status use_chunk(png *p, const chunk *c, mann_error *err)
{
    char text[5];
    switch (c->tag) {
    case TAG('P', 'L', 'T', 'E'): return read_palette(p, c, err);
    case TAG('t', 'R', 'N', 'S'): return read_transparency(p, c, err);
    case TAG('e', 'X', 'I', 'f'):
        p->orientation = mni_exif_orientation(c->data, c->n_bytes);
        return MANN_OK;
    case TAG('I', 'D', 'A', 'T'):
        if (!p->n_idats) p->first_idat = c->at;
        p->n_idats++;
        p->n_idat_bytes += c->n_bytes;
        return MANN_OK;
    case TAG('I', 'H', 'D', 'R'):
        return mni_fail(err, MANN_E_FORMAT, "png: a second IHDR at byte %llu",
                        (unsigned long long)c->at);
    default: break;
    }
    /* A lower-case first letter (bit 5) says: who does not know this may pass over it. */
    if (c->tag >> 24 & 0x20) return MANN_OK;
    return mni_fail(err, MANN_E_UNSUPPORTED,
                    "png: the picture needs chunk %s, which we do not know",
                    tag_text(c->tag, text));
}

static int is_used(uint32_t tag)
{
    return !(tag >> 24 & 0x20) || tag == TAG('t', 'R', 'N', 'S');
}

/* Everything up to IEND. What comes after the last IDAT may be missing or broken: the
 * pixels have their own checksum, and a lost IEND is no reason to lose the photo. */
static mann_status read_chunks(png *p, mann_error *err)
{
    char text[5];
    size_t at = SIGNATURE_BYTES;
    int idat_is_over = 0;
    for (;;) {
        chunk c;
        const mann_status s = next_chunk(p, at, &c, p->n_idats ? NULL : err);
        if (s != MANN_OK) {
            if (!p->n_idats) return s;
            if (p->in->n_bytes - at >= 8 && c.tag == TAG('I', 'D', 'A', 'T'))
                return next_chunk(p, at, &c, err);
            return MANN_OK;
        }
        const uint32_t told = mni_get32be(c.data + c.n_bytes);
        const int sound = crc_of(p->crc_table, c.data - 4, c.n_bytes + 4) == told;
        if (!sound && is_used(c.tag))
            return mni_fail(err, MANN_E_FORMAT,
                            "png: the CRC of chunk %s at byte %llu is wrong",
                            tag_text(c.tag, text), (unsigned long long)at);
        if (at == SIGNATURE_BYTES) {
            if (c.tag != TAG('I', 'H', 'D', 'R'))
                return mni_fail(
                    err,
                    c.tag == TAG('C', 'g', 'B', 'I') ? MANN_E_UNSUPPORTED : MANN_E_FORMAT,
                    "png: the first chunk is %s, wanted IHDR", tag_text(c.tag, text));
            MNI_TRY(read_header(p, &c, err));
        } else if (c.tag == TAG('I', 'E', 'N', 'D')) {
            break;
        } else if (c.tag == TAG('I', 'D', 'A', 'T') && idat_is_over) {
            return mni_fail(err, MANN_E_FORMAT,
                            "png: IDAT at byte %llu does not follow the others",
                            (unsigned long long)at);
        } else if (sound) {
            MNI_TRY(use_chunk(p, &c, err));
        }
        if (p->n_idats && c.tag != TAG('I', 'D', 'A', 'T')) idat_is_over = 1;
        at += FRAME_BYTES + c.n_bytes;
    }
    return MANN_OK;
}

/* --- samples -> RGB(A) -------------------------------------------------------------- */

/* 16 bits to 8, rounded to nearest: v * 255 / 65535. */
static uint8_t to_8(unsigned v) { return (uint8_t)((v * 255u + 32767u) / 65535u); }

static void put(uint8_t *to, unsigned r, unsigned g, unsigned b)
{
    to[0] = (uint8_t)r; to[1] = (uint8_t)g; to[2] = (uint8_t)b;
}

/* One sample per pixel, 1 to 8 bits: grey, or a place in the palette. */
static void expand_small(const png *p, const uint8_t *row, uint32_t n, uint8_t *to,
                         size_t step)
{
    const unsigned depth = p->depth, mask = (1u << depth) - 1, scale = 255 / mask;
    for (uint32_t x = 0; x < n; x++, to += step) {
        const size_t bit = (size_t)x * depth;
        const unsigned v = row[bit >> 3] >> (8 - depth - (bit & 7)) & mask;
        if (p->colour == PALETTE) {
            memcpy(to, p->palette[v], 3);
            if (p->channels == 4) to[3] = p->palette[v][3];
        } else {
            put(to, v * scale, v * scale, v * scale);
            if (p->channels == 4) to[3] = p->has_key && v == p->key[0] ? 0 : 255;
        }
    }
}

/* Any number of samples of 8 or 16 bits. */
static void expand_whole(const png *p, const uint8_t *row, uint32_t n, uint8_t *to,
                         size_t step)
{
    const unsigned wide = p->depth == 16, k = p->n_samples;
    const int is_grey = k < 3;
    for (uint32_t x = 0; x < n; x++, to += step) {
        unsigned v[4] = { 0 };
        for (unsigned i = 0; i < k; i++, row += 1 + wide)
            v[i] = wide ? mni_get16be(row) : row[0];
        const int is_key = p->has_key && v[0] == p->key[0] &&
                           (is_grey || (v[1] == p->key[1] && v[2] == p->key[2]));
        if (wide)
            for (unsigned i = 0; i < k; i++) v[i] = to_8(v[i]);
        if (is_grey) put(to, v[0], v[0], v[0]);
        else put(to, v[0], v[1], v[2]);
        if (p->channels == 4)
            to[3] = p->colour & 4 ? (uint8_t)v[k - 1] : is_key ? 0 : 255;
    }
}

static void expand_row(const png *p, const uint8_t *row, uint32_t n, uint8_t *to,
                       size_t step)
{
    if (p->depth == 8 && p->n_samples == p->channels && step == p->channels)
        memcpy(to, row, (size_t)n * step);
    else if (p->depth <= 8 && p->n_samples == 1)
        expand_small(p, row, n, to, step);
    else
        expand_whole(p, row, n, to, step);
}

/* --- passes ------------------------------------------------------------------------- */

/* Adam7: pass k has the pixels (x0 + i * dx, y0 + j * dy). The eighth row is the plain
 * picture. */
typedef struct pass { uint8_t x0, y0, dx, dy; } pass;
static const pass passes[8] = {
    { 0, 0, 8, 8 }, { 4, 0, 8, 8 }, { 0, 4, 4, 8 }, { 2, 0, 4, 4 },
    { 0, 2, 2, 4 }, { 1, 0, 2, 2 }, { 0, 1, 1, 2 }, { 0, 0, 1, 1 },
};

static uint32_t steps(uint32_t size, unsigned from, unsigned by)
{
    return size > from ? (size - from + by - 1) / by : 0;
}

static size_t row_bytes(const png *p, uint32_t width)
{
    return (size_t)(((uint64_t)width * p->n_samples * p->depth + 7) / 8);
}

static int first_pass(const png *p) { return p->interlaced ? 0 : 7; }
static int end_pass(const png *p) { return p->interlaced ? 7 : 8; }

/* Bytes of all rows with their filter bytes. */
static uint64_t filtered_bytes(const png *p)
{
    uint64_t n = 0;
    for (int k = first_pass(p); k < end_pass(p); k++) {
        const uint32_t w = steps(p->width, passes[k].x0, passes[k].dx);
        const uint32_t h = steps(p->height, passes[k].y0, passes[k].dy);
        if (w) n += (uint64_t)h * (1 + row_bytes(p, w));
    }
    return n;
}

/* zeros: a row of the widest pass, all zero: what stands above the first row. */
static mann_status decode_passes(const png *p, uint8_t *data, const uint8_t *zeros,
                                 mann_image *out, mann_error *err)
{
    const size_t bits = (size_t)p->n_samples * p->depth, pixel = bits < 8 ? 1 : bits / 8;
    for (int k = first_pass(p); k < end_pass(p); k++) {
        const pass a = passes[k];
        const uint32_t w = steps(p->width, a.x0, a.dx), h = steps(p->height, a.y0, a.dy);
        const size_t n = row_bytes(p, w);
        const uint8_t *above = zeros;
        for (uint32_t j = 0; w && j < h; j++, data += 1 + n) {
            if (data[0] >= MNI_PNG_N_FILTERS)
                return mni_fail(err, MANN_E_FORMAT,
                                "png: row %lu has filter %u, wanted 0..4",
                                (unsigned long)j, data[0]);
            mni_png_unfilter(data[0], data + 1, above, n, pixel);
            above = data + 1;
            const size_t y = a.y0 + (size_t)j * a.dy;
            expand_row(p, above, w, out->pixels + (y * p->width + a.x0) * p->channels,
                       (size_t)a.dx * p->channels);
        }
    }
    return MANN_OK;
}

/* --- all together ------------------------------------------------------------------- */

/* One IDAT is used where it lies; several are put together in *joined. */
static mann_status join_idats(const png *p, const uint8_t **stream, uint8_t **joined,
                              mann_error *err)
{
    chunk c;
    MNI_TRY(next_chunk(p, p->first_idat, &c, err));
    *stream = c.data;
    if (p->n_idats == 1) return MANN_OK;
    uint8_t *to = *joined = mni_alloc(p->n_idat_bytes, 1);
    if (!to) return mni_fail(err, MANN_E_NOMEM, "png: no memory for %llu bytes of IDAT",
                             (unsigned long long)p->n_idat_bytes);
    *stream = to;
    for (size_t i = 0; i < p->n_idats; i++) {
        if (c.n_bytes) memcpy(to, c.data, c.n_bytes);
        to += c.n_bytes;
        if (i + 1 < p->n_idats)
            MNI_TRY(next_chunk(p, c.at + FRAME_BYTES + c.n_bytes, &c, err));
    }
    return MANN_OK;
}

static mann_status read_pixels(const png *p, mann_image *out, mann_error *err)
{
    const uint64_t n_data = filtered_bytes(p);
    MNI_TRY(
        mni_source_holds("png", p->n_idat_bytes, n_data / MNI_INFLATE_MAX_RATIO, err));
    const size_t n_row = row_bytes(p, p->width);
    uint8_t *joined = NULL, *data = NULL;
    const uint8_t *stream = NULL;
    mann_status s = join_idats(p, &stream, &joined, err);
    if (s != MANN_OK) goto done;
    s = MANN_E_NOMEM;
    if (n_data > SIZE_MAX - n_row || !(data = mni_alloc((size_t)n_data + n_row, 1))) {
        mni_fail(err, s, "png: no memory for %llu bytes of rows",
                 (unsigned long long)n_data);
        goto done;
    }
    s = mni_zlib_inflate(data, (size_t)n_data, stream, p->n_idat_bytes, err);
    if (s != MANN_OK) {
        mni_fail_prefix(err, s, "png: in the IDAT data");
        goto done;
    }
    s = mni_image_new(out, p->width, p->height, p->channels, err);
    if (s == MANN_OK) s = decode_passes(p, data, data + n_data, out, err);
done:
    mni_free(data);
    mni_free(joined);
    if (s != MANN_OK) mann_image_clear(out);
    return s;
}

static mann_status read_all(png *p, mann_image *out, mann_error *err)
{
    make_crc_table(p->crc_table);
    for (int i = 0; i < 256; i++) p->palette[i][3] = 255;
    MNI_TRY(read_chunks(p, err));
    if (!p->n_idats) return mni_fail(err, MANN_E_FORMAT, "png: there is no IDAT chunk");
    if (p->colour == PALETTE && !p->n_palette)
        return mni_fail(err, MANN_E_FORMAT, "png: palette colours without a PLTE chunk");
    return read_pixels(p, out, err);
}

mann_status mni_png_read(mann_image *out, int *orientation, const mni_source *in,
                         mann_error *err)
{
    png *p = mni_alloc(1, sizeof *p);
    if (!p) return mni_fail(err, MANN_E_NOMEM, "png: tables");
    p->in = in;
    p->orientation = 1;
    const mann_status s = read_all(p, out, err);
    if (s == MANN_OK) *orientation = p->orientation;
    mni_free(p);
    return s;
}
