/* pnm.c - PBM, PGM, PPM (P1..P6) and PAM (P7): a few words of text, then the samples.
 *
 *      P5 640 480 255 <one white space> 640 * 480 bytes
 *
 * P1..P3 write the samples as text, P4..P6 as bytes (bits for P4, two bytes, the high one
 * first, where the largest value is above 255). A "#" begins a comment up to the end of
 * the line. netpbm's pbm(5), pgm(5), ppm(5), pam(5). SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/bytes.h"
#include "image/decoders.h"

typedef struct pnm {
    const uint8_t *bytes;
    size_t n_bytes, at;
    uint32_t width, height, max;    /* max: the value that means full light */
    unsigned n_samples;             /* per pixel: 1, 2 (grey + alpha), 3, 4 */
    int is_text, is_bits;
    const uint8_t *light;           /* of each value 0..max, as 0..255 */
} pnm;

static int is_space(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static void skip_space(pnm *p)
{
    while (p->at < p->n_bytes) {
        if (p->bytes[p->at] == '#')
            while (p->at < p->n_bytes && p->bytes[p->at] != '\n' &&
                   p->bytes[p->at] != '\r')
                p->at++;
        else if (is_space(p->bytes[p->at])) p->at++;
        else break;
    }
}

static mann_status read_number(pnm *p, const char *what, uint32_t *out, mann_error *err)
{
    skip_space(p);
    const size_t from = p->at;
    uint64_t v = 0;
    while (p->at < p->n_bytes && p->bytes[p->at] >= '0' && p->bytes[p->at] <= '9') {
        v = v * 10 + (unsigned)(p->bytes[p->at++] - '0');
        if (v > UINT32_MAX)
            return mni_fail(err, MANN_E_FORMAT, "pnm: the %s at byte %llu is too large",
                            what, (unsigned long long)from);
    }
    if (p->at == from)
        return mni_fail(err, MANN_E_FORMAT,
                        "pnm: %s at byte %llu, wanted a number for the %s",
                        from < p->n_bytes ? "something else" : "the end of the file",
                        (unsigned long long)from, what);
    *out = (uint32_t)v;
    return MANN_OK;
}

/* P7: lines of a word and a value, in any order, up to ENDHDR. */
static mann_status read_pam_header(pnm *p, mann_error *err)
{
    static const char *const words[] = { "WIDTH", "HEIGHT", "DEPTH", "MAXVAL" };
    uint32_t values[4] = { 0 };
    for (;;) {
        skip_space(p);
        const size_t from = p->at;
        while (p->at < p->n_bytes && !is_space(p->bytes[p->at])) p->at++;
        const char *word = (const char *)p->bytes + from;
        const size_t n = p->at - from;
        if (n == 0) return mni_fail(err, MANN_E_FORMAT, "pnm: no ENDHDR in the header");
        if (n == 6 && memcmp(word, "ENDHDR", 6) == 0) break;
        int known = -1;
        for (int i = 0; i < 4; i++)
            if (strlen(words[i]) == n && memcmp(word, words[i], n) == 0) known = i;
        if (known >= 0) MNI_TRY(read_number(p, words[known], &values[known], err));
        else            /* TUPLTYPE: told by DEPTH as well */
            while (p->at < p->n_bytes && p->bytes[p->at] != '\n') p->at++;
    }
    p->width = values[0];
    p->height = values[1];
    p->max = values[3];
    if (values[2] < 1 || values[2] > 4)
        return mni_fail(err, MANN_E_UNSUPPORTED, "pnm: DEPTH %lu, wanted 1..4",
                        (unsigned long)values[2]);
    p->n_samples = (unsigned)values[2];
    return MANN_OK;
}

static mann_status read_header(pnm *p, mann_error *err)
{
    const int type = p->bytes[1] - '0';         /* 1..7, by mni_image_format */
    p->at = 2;
    p->is_text = type <= 3;
    p->is_bits = type == 1 || type == 4;
    p->n_samples = type == 3 || type == 6 ? 3 : 1;
    p->max = 1;
    if (type == 7) {
        MNI_TRY(read_pam_header(p, err));
    } else {
        MNI_TRY(read_number(p, "width", &p->width, err));
        MNI_TRY(read_number(p, "height", &p->height, err));
        if (!p->is_bits) MNI_TRY(read_number(p, "largest value", &p->max, err));
    }
    if (p->max < 1 || p->max > 65535)
        return mni_fail(err, MANN_E_FORMAT,
                        "pnm: the largest value is %lu, wanted 1..65535",
                        (unsigned long)p->max);
    if (!p->is_text) {
        if (p->at >= p->n_bytes || !is_space(p->bytes[p->at]))
            return mni_fail(err, MANN_E_FORMAT,
                            "pnm: no white space after the header, at byte %llu",
                            (unsigned long long)p->at);
        p->at++;
    }
    return MANN_OK;
}

/* Text: at least one byte a sample; several samples need white space between, except
 * bits. */
static uint64_t least_bytes(const pnm *p)
{
    const uint64_t n = (uint64_t)p->width * p->n_samples;
    if (p->is_text) return p->is_bits ? n * p->height : 2 * n * p->height - 1;
    if (p->is_bits) return (uint64_t)(p->width + 7) / 8 * p->height;
    return n * p->height * (p->max > 255 ? 2 : 1);
}

/* The next sample as 0..max; bits: 1 is black. x: place in the row, for packed bits. */
static inline mann_status read_sample(pnm *p, uint32_t x, uint32_t *v, mann_error *err)
{
    if (p->is_text && !p->is_bits) return read_number(p, "sample", v, err);
    if (p->is_text) {
        skip_space(p);
        const int c = p->at < p->n_bytes ? p->bytes[p->at++] : 0;
        if (c != '0' && c != '1')
            return mni_fail(err, MANN_E_FORMAT, "pnm: byte %llu is not 0 or 1",
                            (unsigned long long)p->at);
        *v = c == '0';
    } else if (p->is_bits) {
        *v = !(p->bytes[p->at] >> (7 - (x & 7)) & 1);
        if ((x & 7) == 7 || x + 1 == p->width) p->at++;
    } else if (p->max > 255) {
        *v = mni_get16be(p->bytes + p->at);
        p->at += 2;
    } else {
        *v = p->bytes[p->at++];
    }
    return MANN_OK;
}

/* value * 255 / max to nearest, the even one of two that are as near: what Pillow's
 * round() gives, for every value and max (all of them were tried). */
static uint8_t scaled(uint32_t value, uint32_t max)
{
    const uint32_t v = value * 255, low = v / max, rest = 2 * (v % max);
    return (uint8_t)(low + (rest > max || (rest == max && low & 1)));
}

static mann_status make_light(pnm *p, mni_arena *arena, mann_error *err)
{
    uint8_t *light = mni_arena_get(arena, (size_t)p->max + 1, 1);
    if (!light) return mni_fail(err, MANN_E_NOMEM, "pnm: a table of %lu values",
                                (unsigned long)p->max + 1);
    for (uint32_t v = 0; v <= p->max; v++) light[v] = scaled(v, p->max);
    p->light = light;
    return MANN_OK;
}

static mann_status read_pixels(pnm *p, mann_image *im, mann_error *err)
{
    const unsigned n = p->n_samples;
    uint8_t *to = im->pixels;
    if (!p->is_text && p->max == 255 && n == im->channels) {    /* nothing to be done */
        memcpy(to, p->bytes + p->at, (size_t)p->width * p->height * n);
        return MANN_OK;
    }
    for (uint32_t y = 0; y < p->height; y++)
        for (uint32_t x = 0; x < p->width; x++, to += im->channels) {
            uint8_t v[4] = { 0 };
            for (unsigned i = 0; i < n && i < 4; i++) {
                uint32_t s = 0;
                MNI_TRY(read_sample(p, x, &s, err));
                v[i] = p->light[s < p->max ? s : p->max];
            }
            to[0] = v[0];
            to[1] = n < 3 ? v[0] : v[1];
            to[2] = n < 3 ? v[0] : v[2];
            if (im->channels == 4) to[3] = v[n - 1];
        }
    return MANN_OK;
}

mann_status mni_pnm_read(mann_image *out, const mni_source *in, mann_error *err)
{
    pnm p = { .bytes = in->bytes, .n_bytes = in->n_bytes };
    mann_image im;
    MNI_TRY(read_header(&p, err));
    MNI_TRY(mni_source_size(in, "pnm", p.width, p.height, err));
    MNI_TRY(mni_source_holds("pnm", p.n_bytes - p.at, least_bytes(&p), err));
    MNI_TRY(make_light(&p, in->arena, err));
    MNI_TRY(mni_image_new(&im, p.width, p.height, p.n_samples % 2 ? 3 : 4, err));
    const mann_status s = read_pixels(&p, &im, err);
    if (s != MANN_OK) {
        mann_image_clear(&im);
        return s;
    }
    *out = im;
    return MANN_OK;
}
