/* png_read.c - PNG: the frame, the rows, the colours.
 *
 *      signature | IHDR | ... PLTE ... tRNS ... eXIf ... | IDAT IDAT IDAT | ... | IEND
 *
 *      chunk:  length : 4 | type : 4 | data : length | CRC-32 of type and data : 4
 *
 * 1. read_chunks walks the frame once and checks every CRC. 2. The IDATs are one zlib
 * stream; it inflates to rows of (filter byte, samples). 3. png_rows.c undoes the filters
 * and expands samples of 1 to 16 bits to RGB or RGBA. Gamma and colour profiles are noted
 * and not applied: like most readers we hand out the samples. PNG specification, third
 * edition. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "image/inflate.h"
#include "image/png.h"

enum { SIGNATURE_BYTES = 8, FRAME_BYTES = 12 };

#define TAG(a, b, c, d)                                                                  \
    ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

typedef struct chunk { uint32_t tag; const uint8_t *data; size_t n_bytes, at; } chunk;

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

static mann_status read_header(mni_png *p, const chunk *c, mann_error *err)
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

static mann_status read_palette(mni_png *p, const chunk *c, mann_error *err)
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

static mann_status read_transparency(mni_png *p, const chunk *c, mann_error *err)
{
    if (p->colour & 4) return MANN_OK; /* forbidden beside alpha, and without meaning */
    if (p->colour == MNI_PNG_PALETTE) {
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
static mann_status next_chunk(const mni_png *p, size_t at, chunk *c, mann_error *err)
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

static mann_status use_chunk(mni_png *p, const chunk *c, mann_error *err)
{
    char text[5];
    switch (c->tag) {
    case TAG('P', 'L', 'T', 'E'): return read_palette(p, c, err);
    case TAG('t', 'R', 'N', 'S'): return read_transparency(p, c, err);
    case TAG('e', 'X', 'I', 'f'):
        p->orientation = mni_exif_orientation(c->data, c->n_bytes);
        return MANN_OK;
    case TAG('g', 'A', 'M', 'A'):       /* noted, not applied; sRGB wins */
        if (c->n_bytes == 4 && !p->gamma) p->gamma = mni_get32be(c->data);
        return MANN_OK;
    case TAG('s', 'R', 'G', 'B'): p->gamma = 45455; return MANN_OK;
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
static mann_status read_chunks(mni_png *p, mann_error *err)
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
        const int sound = p->kern->crc32(0, c.data - 4, c.n_bytes + 4) == told;
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

/* --- all together ------------------------------------------------------------------- */

/* One IDAT is used where it lies; several are put together. */
static mann_status join_idats(const mni_png *p, const uint8_t **stream, mann_error *err)
{
    chunk c;
    MNI_TRY(next_chunk(p, p->first_idat, &c, err));
    *stream = c.data;
    if (p->n_idats == 1) return MANN_OK;
    uint8_t *to = mni_arena_get(p->in->arena, p->n_idat_bytes, 1);
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

mann_status mni_png_read(mann_image *out, int *orientation, const mni_source *in,
                         mann_error *err)
{
    const uint8_t *stream = NULL;
    mann_image im;
    mni_png *p = mni_arena_get(in->arena, 1, sizeof *p);
    if (!p) return mni_fail(err, MANN_E_NOMEM, "png: tables");
    *p = (mni_png){ .in = in, .kern = mni_kern_png_best(), .orientation = 1 };
    for (int i = 0; i < 256; i++) p->palette[i][3] = 255;
    MNI_TRY(read_chunks(p, err));
    if (!p->n_idats) return mni_fail(err, MANN_E_FORMAT, "png: there is no IDAT chunk");
    if (p->colour == MNI_PNG_PALETTE && !p->n_palette)
        return mni_fail(err, MANN_E_FORMAT, "png: palette colours without a PLTE chunk");
    MNI_TRY(mni_source_holds("png", p->n_idat_bytes,
                             mni_png_filtered_bytes(p) / MNI_INFLATE_MAX_RATIO, err));
    MNI_TRY(mni_source_work(in, "png", (uint64_t)p->width * p->height, err));
    MNI_TRY(join_idats(p, &stream, err));
    MNI_TRY(mni_image_new(&im, p->width, p->height, p->channels, err));
    const mann_status s = mni_png_rows(p, stream, p->n_idat_bytes, &im, err);
    if (s != MANN_OK) {
        mann_image_clear(&im);
        return mni_fail_prefix(err, s, "png: in the IDAT data");
    }
    *out = im;
    *orientation = p->orientation;
    return MANN_OK;
}
