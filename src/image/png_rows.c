/* png_rows.c - the second half of the PNG reader: inflate, undo the filters, expand.
 *
 * The filtered rows of a photo of 12 megapixels are 36 MB; writing them all and then
 * reading them again would cost more than the decoding of the filters. So a strip of
 * about 128 KiB is inflated, its whole rows go on into the picture while they are in the
 * cache, and the last 32 KiB stay for copies that reach back:
 *
 *      buffer   | window, 32 KiB | rows .......... | half a row |
 *                                  |  |  |
 *      picture                     v  v  v   unfiltered straight into it where its
 * samples
 *                                            are the file's, through a spare row where
 * not
 *
 * Two rows that follow each other are unfiltered together where both are long chains
 * (kern/png_avx2.c). Interlaced files are seven such pictures (Adam7), each scattered
 * over the whole. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "image/inflate.h"
#include "image/png.h"

enum { STRIP_BYTES = 1 << 17 };

/* --- samples -> RGB(A) -------------------------------------------------------------- */

/* 16 bits to 8, rounded to nearest: v * 255 / 65535. */
static uint8_t to_8(unsigned v) { return (uint8_t)((v * 255u + 32767u) / 65535u); }

static void put(uint8_t *to, unsigned r, unsigned g, unsigned b)
{
    to[0] = (uint8_t)r; to[1] = (uint8_t)g; to[2] = (uint8_t)b;
}

/* One sample per pixel, 1 to 8 bits: grey, or a place in the palette. */
static void expand_small(const mni_png *p, const uint8_t *row, uint32_t n, uint8_t *to,
                         size_t step)
{
    const unsigned depth = p->depth, mask = (1u << depth) - 1, scale = 255 / mask;
    for (uint32_t x = 0; x < n; x++, to += step) {
        const size_t bit = (size_t)x * depth;
        const unsigned v = row[bit >> 3] >> (8 - depth - (bit & 7)) & mask;
        if (p->colour == MNI_PNG_PALETTE) {
            memcpy(to, p->palette[v], 3);
            if (p->channels == 4) to[3] = p->palette[v][3];
        } else {
            put(to, v * scale, v * scale, v * scale);
            if (p->channels == 4) to[3] = p->has_key && v == p->key[0] ? 0 : 255;
        }
    }
}

/* Any number of samples of 8 or 16 bits. */
static void expand_whole(const mni_png *p, const uint8_t *row, uint32_t n, uint8_t *to,
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

static void expand_row(const mni_png *p, const uint8_t *row, uint32_t n, uint8_t *to,
                       size_t step)
{
    if (p->depth == 8 && p->n_samples == p->channels && step == p->channels)
        memcpy(to, row, (size_t)n * step);
    else if (p->depth == 8 && p->n_samples == 1 && p->channels == 3 &&
             p->colour == MNI_PNG_GREY)
        for (uint32_t x = 0; x < n; x++, to += step) put(to, row[x], row[x], row[x]);
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

static size_t row_bytes(const mni_png *p, uint32_t width)
{
    return (size_t)(((uint64_t)width * p->n_samples * p->depth + 7) / 8);
}

static int first_pass(const mni_png *p) { return p->interlaced ? 0 : 7; }
static int end_pass(const mni_png *p) { return p->interlaced ? 7 : 8; }

uint64_t mni_png_filtered_bytes(const mni_png *p)
{
    uint64_t n = 0;
    for (int k = first_pass(p); k < end_pass(p); k++) {
        const uint32_t w = steps(p->width, passes[k].x0, passes[k].dx);
        const uint32_t h = steps(p->height, passes[k].y0, passes[k].dy);
        if (w) n += (uint64_t)h * (1 + row_bytes(p, w));
    }
    return n;
}

/* --- the strip ---------------------------------------------------------------------- */

typedef struct strip {
    const mni_png *p;
    mni_inflater *z;
    uint8_t *buffer, *row, *end;    /* unused rows: row..end */
    size_t room;                    /* rows that the buffer takes behind the window */
    uint64_t left;                  /* bytes of rows that are not yet inflated */
    uint32_t adler;
    uint8_t *zeros;                 /* what stands above the first row */
    uint8_t *spare[2][2];           /* unfiltered rows to be expanded: pairs in turn */
} strip;

/* More rows behind what is there; the window and the unused rest move to the front. */
static mann_status fill(strip *s, mann_error *err)
{
    const size_t unused = (size_t)(s->end - s->row), all = (size_t)(s->end - s->buffer);
    size_t keep = unused > MNI_INFLATE_WINDOW ? unused : MNI_INFLATE_WINDOW;
    if (keep > all) keep = all;
    if (keep) memmove(s->buffer, s->end - keep, keep);
    uint8_t *const at = s->buffer + keep;
    s->row = at - unused;
    const size_t piece = s->left < s->room ? (size_t)s->left : s->room;
    uint8_t *now = at;
    MNI_TRY(mni_inflate_more(s->z, &now, s->buffer, at, at + piece, err));
    size_t n = (size_t)(now - at);
    if (n == 0)
        return mni_fail(err, MANN_E_FORMAT,
                        "deflate: the stream ends %llu bytes before the picture",
                        (unsigned long long)s->left);
    const int is_more = n > s->left;            /* more than the picture needs */
    if (is_more) n = (size_t)s->left;
    s->left -= n;
    s->end = at + n;
    s->adler = s->p->kern->adler32(s->adler, at, n);
    return s->left == 0 && !is_more ? mni_inflate_check(s->z, s->adler, err) : MANN_OK;
}

/* The next one or two rows (filter byte and n bytes each) are in the buffer; gives how
 * many in *n_rows. */
static mann_status need_rows(strip *s, size_t n, uint32_t rows_left, uint32_t *n_rows,
                             mann_error *err)
{
    while ((size_t)(s->end - s->row) < 1 + n) MNI_TRY(fill(s, err));
    *n_rows = rows_left > 1 && (size_t)(s->end - s->row) >= 2 * (1 + n) ? 2 : 1;
    for (uint32_t i = 0; i < *n_rows; i++)
        if (s->row[i * (1 + n)] >= MNI_PNG_N_FILTERS)
            return mni_fail(err, MANN_E_FORMAT, "png: a row has filter %u, wanted 0..4",
                            s->row[i * (1 + n)]);
    return MANN_OK;
}

/* Takes n_rows rows off the strip; the pixels go to to[0], to[1]. */
static void unfilter(strip *s, uint32_t n_rows, uint8_t *const to[2],
                     const uint8_t *above, size_t n, size_t pixel)
{
    const uint8_t *const from[2] = { s->row + 1, s->row + 2 + n };
    const int filter[2] = { s->row[0], n_rows > 1 ? s->row[1 + n] : 0 };
    if (n_rows > 1)
        s->p->kern->unfilter_two(filter, to, from, above, n, pixel);
    else
        s->p->kern->unfilter(filter[0], to[0], from[0], above, n, pixel);
    s->row += n_rows * (1 + n);
}

static mann_status do_pass(strip *s, const pass *a, mann_image *out, mann_error *err)
{
    const mni_png *p = s->p;
    const size_t bits = (size_t)p->n_samples * p->depth, pixel = bits < 8 ? 1 : bits / 8;
    const uint32_t w = steps(p->width, a->x0, a->dx), h = steps(p->height, a->y0, a->dy);
    const size_t n = row_bytes(p, w);
    const int straight = p->depth == 8 && p->n_samples == p->channels && a->dx == 1 &&
                         a->dy == 1;
    const uint8_t *above = s->zeros;
    uint32_t n_rows;
    if (w == 0) return MANN_OK;
    for (uint32_t j = 0; j < h; j += n_rows) {
        MNI_TRY(need_rows(s, n, h - j, &n_rows, err));
        if (straight) {
            uint8_t *const to[2] = { out->pixels + j * n, out->pixels + (j + 1) * n };
            unfilter(s, n_rows, to, above, n, pixel);
            above = to[n_rows - 1];
            continue;
        }
        uint8_t *const *const to = s->spare[above == s->spare[0][0] ||
                                            above == s->spare[0][1]];
        unfilter(s, n_rows, to, above, n, pixel);
        for (uint32_t i = 0; i < n_rows; i++) {
            const size_t y = a->y0 + (size_t)(j + i) * a->dy;
            expand_row(p, to[i], w, out->pixels + (y * p->width + a->x0) * p->channels,
                       (size_t)a->dx * p->channels);
        }
        above = to[n_rows - 1];
    }
    return MANN_OK;
}

static mann_status all_passes(strip *s, mann_image *out, mann_error *err)
{
    for (int k = first_pass(s->p); k < end_pass(s->p); k++)
        MNI_TRY(do_pass(s, &passes[k], out, err));
    return MANN_OK;
}

mann_status mni_png_rows(const mni_png *p, const uint8_t *stream, size_t n_stream,
                         mann_image *out, mann_error *err)
{
    const size_t n_row = row_bytes(p, p->width), strip_bytes = 2 * (n_row + 1);
    strip s = { .p = p, .left = mni_png_filtered_bytes(p), .adler = 1 };
    s.room = strip_bytes > STRIP_BYTES ? strip_bytes : STRIP_BYTES;
    if (s.room > s.left) s.room = (size_t)s.left;
    /* Rows that wait for their end are at most one row; the window may be longer. */
    const size_t front = n_row + 1 > MNI_INFLATE_WINDOW ? n_row + 1 : MNI_INFLATE_WINDOW;
    s.buffer = mni_arena_get(p->in->arena, front + s.room + MNI_INFLATE_SLACK, 1);
    uint8_t *const rows = mni_arena_get(p->in->arena, 5, n_row);
    if (!s.buffer || !rows)
        return mni_fail(err, MANN_E_NOMEM, "png: no memory for rows of %llu bytes",
                        (unsigned long long)n_row);
    s.row = s.end = s.buffer;
    s.zeros = rows;
    for (int i = 0; i < 4; i++) s.spare[i / 2][i % 2] = rows + (size_t)(i + 1) * n_row;
    MNI_TRY(mni_inflate_new(&s.z, stream, n_stream, err));
    const mann_status status = all_passes(&s, out, err);
    mni_inflate_free(s.z);
    return status;
}
