/* jpeg_markers.c - the frame of a JPEG file: segments, each begun by 0xFF and a letter.
 *
 *      SOI | APP0 JFIF | APP1 Exif | DQT | SOF0 | DHT | SOS data data ... | EOI
 *
 *      segment:  FF xx | length : 2, counting itself | content
 *
 * What is needed is read, what is known and not needed is passed over by its length, and
 * the kinds of JPEG that we do not decode are refused by name. T.81 annex B.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "image/jpeg.h"

enum {
    TEM = 0x01, SOF0 = 0xC0, SOF1 = 0xC1, SOF2 = 0xC2, DHT = 0xC4, JPG = 0xC8, DAC = 0xCC,
    SOF15 = 0xCF, RST0 = 0xD0, RST7 = 0xD7, SOI = 0xD8, EOI = 0xD9, SOS = 0xDA,
    DQT = 0xDB, DRI = 0xDD, APP0 = 0xE0, APP1 = 0xE1, APP14 = 0xEE
};

typedef struct segment {
    unsigned marker;
    const uint8_t *data;
    size_t n_bytes, at;
} segment;

/* --- tables ------------------------------------------------------------------------- */

static mann_status read_quant(mni_jpeg *j, const segment *g, mann_error *err)
{
    size_t at = 0;
    while (at < g->n_bytes) {
        const unsigned wide = g->data[at] >> 4, number = g->data[at] & 15;
        at++;
        if (wide > 1 || number > 3 || g->n_bytes - at < (size_t)MNI_JPEG_BLOCK << wide)
            return mni_fail(err, MANN_E_FORMAT,
                            "jpeg: DQT at byte %llu: table %u of kind %u, %lu bytes left",
                            (unsigned long long)g->at, number, wide,
                            (unsigned long)(g->n_bytes - at));
        for (int k = 0; k < MNI_JPEG_BLOCK; k++, at += 1 + wide)
            j->quant[number][k] = wide ? mni_get16be(g->data + at) : g->data[at];
        j->quant_known[number] = 1;
    }
    return MANN_OK;
}

static mann_status read_huffman(mni_jpeg *j, const segment *g, mann_error *err)
{
    size_t at = 0;
    while (at < g->n_bytes) {
        const size_t left = g->n_bytes - at;
        const uint8_t *t = g->data + at;
        const unsigned is_ac = t[0] >> 4, number = t[0] & 15;
        size_t n = 0;
        for (size_t i = 0; left >= 17 && i < 16; i++) n += t[1 + i];
        int fits = left >= 17 && is_ac <= 1 && number <= 3 && n <= 256 && n <= left - 17;
        if (fits)
            fits = mni_jpeg_huffman_build(is_ac ? &j->ac_codes[number]
                                                : &j->dc_codes[number],
                                          t + 1, t + 17, !is_ac);
        if (!fits)
            return mni_fail(
                err, MANN_E_FORMAT,
                "jpeg: DHT at byte %llu: table %u of class %u is not a Huffman code",
                (unsigned long long)g->at, number, is_ac);
        at += 17 + n;
    }
    return MANN_OK;
}

static mann_status read_app(mni_jpeg *j, const segment *g)
{
    const uint8_t *d = g->data;
    if (g->marker == APP0 && g->n_bytes >= 5 && memcmp(d, "JFIF", 5) == 0)
        j->has_jfif = 1;
    if (g->marker == APP1 && g->n_bytes >= 6 && memcmp(d, "Exif\0", 6) == 0 &&
        j->orientation == 1)
        j->orientation = mni_exif_orientation(d + 6, g->n_bytes - 6);
    if (g->marker == APP14 && g->n_bytes >= 12 && memcmp(d, "Adobe", 5) == 0)
        j->adobe = d[11];
    return MANN_OK;
}

/* --- frame header ------------------------------------------------------------------- */

static mann_status refuse_kind(unsigned sof, mann_error *err)
{
    const unsigned n = sof - SOF0;
    const char *what = n == 3 ? "lossless JPEG" : n >= 9 ? "arithmetic-coded JPEG"
                                                         : "hierarchical JPEG";
    return mni_fail(
        err, MANN_E_UNSUPPORTED,
        "jpeg: %s (SOF%u) is not supported; convert it to PNG or ordinary JPEG", what, n);
}

static mann_status read_component(mni_jpeg_component *c, const uint8_t *at,
                                  mann_error *err)
{
    c->id = at[0];
    c->h = at[1] >> 4;
    c->v = at[1] & 15;
    c->table = at[2];
    if (c->h < 1 || c->h > 4 || c->v < 1 || c->v > 4 || c->table > 3)
        return mni_fail(err, MANN_E_FORMAT,
                        "jpeg: component %u has sampling factors %u x %u and "
                        "table %u, wanted 1..4 and 0..3",
                        c->id, c->h, c->v, c->table);
    return MANN_OK;
}

static uint32_t divided_up(uint64_t a, uint64_t b) { return (uint32_t)((a + b - 1) / b); }

/* The smallest picture that still has max(min_side, 1) pixels on both sides. */
static unsigned choose_scale(const mni_jpeg *j)
{
    unsigned scale = j->in->min_side ? 8 : 1;
    const uint32_t shorter = j->width < j->height ? j->width : j->height;
    while (scale > 1 && shorter / scale < j->in->min_side) scale /= 2;
    return scale;
}

/* Colour that is sent at half the size need not be halved with the rest: its blocks stay
 * larger, as long as the picture is a whole multiple of them. As libjpeg does. */
static void choose_size(const mni_jpeg *j, mni_jpeg_component *c)
{
    const unsigned least = 8 / j->scale;
    c->size = least;
    while (c->size < 8 && j->h_max * least % (2 * c->h * c->size) == 0 &&
           j->v_max * least % (2 * c->v * c->size) == 0)
        c->size *= 2;
    c->h_here = c->h * c->size / least;
    c->v_here = c->v * c->size / least;
    c->width = divided_up((uint64_t)j->width * c->h * c->size, 8 * j->h_max);
    c->height = divided_up((uint64_t)j->height * c->v * c->size, 8 * j->v_max);
}

static void lay_out(mni_jpeg *j)
{
    j->h_max = j->v_max = 1;
    for (unsigned i = 0; i < j->n_components; i++) {
        if (j->components[i].h > j->h_max) j->h_max = j->components[i].h;
        if (j->components[i].v > j->v_max) j->v_max = j->components[i].v;
    }
    j->scale = choose_scale(j);
    j->out_w = divided_up(j->width, j->scale);
    j->out_h = divided_up(j->height, j->scale);
    j->mcus_w = divided_up(j->width, 8 * j->h_max);
    j->mcus_h = divided_up(j->height, 8 * j->v_max);
    for (unsigned i = 0; i < j->n_components; i++) {
        mni_jpeg_component *c = &j->components[i];
        choose_size(j, c);
        c->blocks_w = divided_up((uint64_t)j->width * c->h, 8 * j->h_max);
        c->blocks_h = divided_up((uint64_t)j->height * c->v, 8 * j->v_max);
        c->padded_w = j->mcus_w * c->h;
        c->padded_h = j->mcus_h * c->v;
    }
}

static mann_status read_frame(mni_jpeg *j, const segment *g, mann_error *err)
{
    const uint8_t *d = g->data;
    if (j->n_components)
        return mni_fail(err, MANN_E_FORMAT, "jpeg: a second frame header at byte %llu",
                        (unsigned long long)g->at);
    if (g->n_bytes < 6 || g->n_bytes != 6 + 3 * (size_t)d[5])
        return mni_fail(err, MANN_E_FORMAT,
                        "jpeg: a frame header of %lu bytes at byte %llu",
                        (unsigned long)g->n_bytes, (unsigned long long)g->at);
    if (d[0] != 8)
        return mni_fail(err, d[0] == 12 ? MANN_E_UNSUPPORTED : MANN_E_FORMAT,
                        "jpeg: %u-bit samples are not supported, wanted 8; "
                        "convert it to PNG or ordinary JPEG",
                        d[0]);
    j->height = mni_get16be(d + 1);
    j->width = mni_get16be(d + 3);
    if (j->height == 0 && j->width != 0)
        return mni_fail(err, MANN_E_UNSUPPORTED,
                        "jpeg: the height comes after the picture (DNL), "
                        "which is not supported; convert it to PNG or ordinary JPEG");
    MNI_TRY(mni_source_sides(j->in, "jpeg", j->width, j->height, err));
    if (d[5] != 1 && d[5] != 3 && d[5] != 4)
        return mni_fail(err, d[5] == 2 ? MANN_E_UNSUPPORTED : MANN_E_FORMAT,
                        "jpeg: %u components, wanted 1, 3 or 4", d[5]);
    for (unsigned i = 0; i < d[5]; i++)
        MNI_TRY(read_component(&j->components[i], d + 6 + 3 * (size_t)i, err));
    j->n_components = d[5];
    j->progressive = g->marker == SOF2;
    lay_out(j);
    return mni_source_size(j->in, "jpeg", j->out_w, j->out_h, err);
}

/* Before the first scan. A block costs at least one bit for its DC code, and in a
 * sequential file one more for "end of block". */
static mann_status check_size(const mni_jpeg *j, mann_error *err)
{
    uint64_t n_blocks = 0, n_bytes = (uint64_t)j->out_w * j->out_h * 3;
    for (unsigned i = 0; i < j->n_components; i++) {
        const mni_jpeg_component *c = &j->components[i];
        n_blocks += (uint64_t)c->blocks_w * c->blocks_h;
        /* Planes at the worst, and coefficients. */
        const uint64_t of_block = (uint64_t)c->size * c->size +
                                  (j->progressive ? 2 * MNI_JPEG_BLOCK : 0);
        n_bytes += (uint64_t)c->padded_w * c->padded_h * of_block;
    }
    MNI_TRY(mni_source_holds("jpeg", j->in->n_bytes - j->at,
                             n_blocks / (j->progressive ? 8 : 4), err));
    return mni_source_memory(j->in, "jpeg", n_bytes, err);
}

static mann_status make_coefs(mni_jpeg *j, mann_error *err)
{
    for (unsigned i = 0; i < j->n_components; i++) {
        mni_jpeg_component *c = &j->components[i];
        const uint64_t n = (uint64_t)c->padded_w * c->padded_h;
        if (n <= SIZE_MAX / (2 * MNI_JPEG_BLOCK))
            c->coefs = mni_alloc((size_t)n, MNI_JPEG_BLOCK * sizeof *c->coefs);
        if (!c->coefs)
            return mni_fail(err, MANN_E_NOMEM,
                            "jpeg: no memory for %llu blocks of component %u",
                            (unsigned long long)n, c->id);
    }
    return MANN_OK;
}

/* --- the walk ----------------------------------------------------------------------- */

static int stands_alone(unsigned marker)
{
    return marker == TEM || (marker >= RST0 && marker <= EOI);
}

/* Anything between segments is passed over, as all readers do; 0xFF may be repeated. */
static mann_status next_segment(mni_jpeg *j, segment *g, mann_error *err)
{
    const uint8_t *b = j->in->bytes;
    const size_t n = j->in->n_bytes;
    size_t at = j->at;
    while (at < n &&
           !(b[at] == 0xFF && at + 1 < n && b[at + 1] != 0 && b[at + 1] != 0xFF))
        at++;
    if (at >= n)
        return mni_fail(
            err, MANN_E_FORMAT, "jpeg: cut short: the file ends at byte %llu, before %s",
            (unsigned long long)n,
            j->n_scans ? "all of the picture was sent" : "the picture begins");
    *g = (segment){ b[at + 1], b + at + 2, 0, at };
    j->at = at + 2;
    if (stands_alone(g->marker)) return MANN_OK;
    const size_t length = n - j->at >= 2 ? mni_get16be(b + j->at) : 0;
    if (length < 2 || length > n - j->at)
        return mni_fail(err, MANN_E_FORMAT,
                        "jpeg: segment %02x at byte %llu claims %lu bytes, %llu "
                        "are left",
                        g->marker, (unsigned long long)at, (unsigned long)length,
                        (unsigned long long)(n - j->at));
    g->data = b + j->at + 2;
    g->n_bytes = length - 2;
    j->at += length;
    return MANN_OK;
}

static mann_status read_scan(mni_jpeg *j, const segment *g, mann_error *err)
{
    if (!j->n_components)
        return mni_fail(err, MANN_E_FORMAT,
                        "jpeg: a scan at byte %llu before the frame header",
                        (unsigned long long)g->at);
    if (j->n_scans == 0) {
        MNI_TRY(check_size(j, err));
        if (j->progressive) MNI_TRY(make_coefs(j, err));
    }
    return mni_jpeg_scan(j, g->data, g->n_bytes, err);
}

static mann_status use_segment(mni_jpeg *j, const segment *g, mann_error *err)
{
    const unsigned m = g->marker;
    switch (m) {
    case DQT: return read_quant(j, g, err);
    case DHT: return read_huffman(j, g, err);
    case SOS: return read_scan(j, g, err);
    case SOF0: case SOF1: case SOF2: return read_frame(j, g, err);
    case APP0: case APP1: case APP14: return read_app(j, g);
    case DRI:
        if (g->n_bytes != 2)
            return mni_fail(err, MANN_E_FORMAT, "jpeg: DRI of %lu bytes, wanted 2",
                            (unsigned long)g->n_bytes);
        j->restart_interval = mni_get16be(g->data);
        return MANN_OK;
    default: break;
    }
    if (m > SOF2 && m <= SOF15 && m != JPG && m != DAC) return refuse_kind(m, err);
    return MANN_OK;
}

/* A sequential picture is complete when every component was sent: what follows, or that
 * nothing follows, does not matter. A progressive one is when the file says so. */
static int is_complete(const mni_jpeg *j)
{
    if (j->progressive || !j->n_components) return 0;
    for (unsigned i = 0; i < j->n_components; i++)
        if (!j->components[i].n_scans) return 0;
    return 1;
}

static mann_status read_all(mni_jpeg *j, mann_error *err)
{
    while (!is_complete(j) && !j->cut) {
        segment g = { 0 };
        MNI_TRY(next_segment(j, &g, err));
        if (g.marker == EOI) {
            if (j->progressive && j->n_scans) break;
            return mni_fail(err, MANN_E_FORMAT,
                            "jpeg: the end mark at byte %llu comes before the "
                            "whole picture",
                            (unsigned long long)g.at);
        }
        MNI_TRY(use_segment(j, &g, err));
    }
    return MANN_OK;
}

/* Damage behind the first data is no failure where half a picture is wanted. */
static mann_status read_picture(mni_jpeg *j, mann_error *err)
{
    const mann_status s = read_all(j, err);
    if (s == MANN_E_FORMAT && j->in->partial && j->image.pixels) j->cut = 1;
    else if (s != MANN_OK) return s;
    mni_jpeg_finish(j);
    return MANN_OK;
}

mann_status mni_jpeg_read(mann_image *out, int *orientation, const mni_source *in,
                          mann_error *err)
{
    mni_jpeg *j = mni_alloc(1, sizeof *j);
    if (!j) return mni_fail(err, MANN_E_NOMEM, "jpeg: tables");
    j->in = in;
    j->kern = mni_kern_jpeg_best();
    j->at = 2;                      /* behind SOI, which mni_image_format has seen */
    j->adobe = -1;
    j->orientation = 1;
    const mann_status s = read_picture(j, err);
    if (s == MANN_OK) {
        *out = j->image;
        *orientation = j->orientation;
        if (in->cut) *in->cut = j->cut;
    } else {
        mann_image_clear(&j->image);
    }
    for (unsigned i = 0; i < MNI_JPEG_MAX_COMPONENTS; i++) {
        mni_free(j->components[i].plane);
        mni_free(j->components[i].coefs);
    }
    mni_free(j->rows);
    mni_free(j);
    return s;
}
