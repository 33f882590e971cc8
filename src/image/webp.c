/* webp.c - WebP: the container, and alpha.
 *
 *      "RIFF" size : 4 "WEBP" | chunk | chunk ...      chunk: name : 4 | size : 4 | data,
 *                                                      padded to an even length
 *      VP8   a lossy picture (vp8.c)      VP8L  a lossless one (vp8l.c)
 *      VP8X  "more than one chunk": flags and the size of the canvas
 *      ALPH  alpha for a lossy one        EXIF  a TIFF block (exif.c)
 *      ANMF  a frame of a moving picture: place, size, and chunks inside; we show the
 *            first one, on a transparent canvas
 *
 * RFC 9649, chapter 2. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/bytes.h"
#include "image/webp.h"

enum { RIFF_BYTES = 12, CHUNK_BYTES = 8, FRAME_BYTES = 16, ALPHA_FLAG = 0x10 };

typedef struct span { const uint8_t *at; size_t n; } span;

typedef struct webp {
    span lossy, lossless, alpha, exif;
    int has_canvas, canvas_alpha, has_frame;
    uint32_t canvas_width, canvas_height, x, y;
} webp;

static int is(const uint8_t *at, const char *name) { return memcmp(at, name, 4) == 0; }
static uint32_t get24(const uint8_t *p) { return mni_get16(p) | (uint32_t)p[2] << 16; }

/* --- chunks ------------------------------------------------------------------------- */

/* The chunk at *at, which moves behind it; 0 at the end. A last chunk may be cut: what is
 * there of it counts, and its decoder will tell. */
static int next_chunk(span all, size_t *at, const uint8_t **name, span *data)
{
    if (all.n - *at < CHUNK_BYTES) return 0;
    *name = all.at + *at;
    const size_t n = mni_get32(*name + 4), left = all.n - *at - CHUNK_BYTES;
    *data = (span){ *name + CHUNK_BYTES, n < left ? n : left };
    *at += CHUNK_BYTES + data->n + (data->n & 1 && data->n < left);
    return 1;
}

static mann_status walk(webp *w, span all, int inside, mann_error *err)
{
    const uint8_t *name;
    span data;
    for (size_t at = 0; next_chunk(all, &at, &name, &data);) {
        if (is(name, "VP8 ") && !w->lossy.at && !w->lossless.at) w->lossy = data;
        else if (is(name, "VP8L") && !w->lossy.at && !w->lossless.at) w->lossless = data;
        else if (is(name, "ALPH") && !w->lossy.at && !w->alpha.at) w->alpha = data;
        else if (is(name, "EXIF") && !inside) w->exif = data;
        else if (is(name, "VP8X") && !inside && data.n >= 10) {
            w->has_canvas = 1;
            w->canvas_alpha = data.at[0] & ALPHA_FLAG;
            w->canvas_width = get24(data.at + 4) + 1;
            w->canvas_height = get24(data.at + 7) + 1;
        } else if (is(name, "ANMF") && !inside && !w->has_frame) {
            if (data.n < FRAME_BYTES)
                return mni_fail(err, MANN_E_FORMAT, "webp: cut short in a frame header");
            w->has_frame = 1;
            w->x = 2 * get24(data.at);
            w->y = 2 * get24(data.at + 3);
            const span rest = { data.at + FRAME_BYTES, data.n - FRAME_BYTES };
            MNI_TRY(walk(w, rest, 1, err));
        }
    }
    return MANN_OK;
}

/* --- alpha -------------------------------------------------------------------------- */

static uint8_t clip(int v) { return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v); }

/* Alpha is differences to the left (1), above (2) or the plane (3) of what is known; in
 * the first row always to the left, in the first column to above. */
static void undo_filter(uint8_t *a, uint32_t width, uint32_t height, unsigned filter)
{
    for (uint32_t y = 0; filter && y < height; y++, a += width) {
        const uint8_t *above = a - width;
        for (uint32_t x = 0; x < width; x++) {
            int guess = 0;
            if (y == 0) guess = x ? a[x - 1] : 0;
            else if (x == 0) guess = above[0];
            else if (filter == 1) guess = a[x - 1];
            else if (filter == 2) guess = above[x];
            else guess = clip(a[x - 1] + above[x] - above[x - 1]);
            a[x] = (uint8_t)(a[x] + guess);
        }
    }
}

static mann_status read_alpha(uint8_t *alpha, span data, uint32_t width, uint32_t height,
                              mni_arena *arena, mann_error *err)
{
    const size_t n = (size_t)width * height;
    if (data.n < 1 || (data.at[0] & 3) > 1)
        return mni_fail(err, MANN_E_FORMAT, "webp: alpha is packed in an unknown way");
    if (data.at[0] & 3) {
        uint32_t *argb;
        MNI_TRY(mni_vp8l_decode(&argb, data.at + 1, data.n - 1, width, height, 0, arena,
                                err));
        for (size_t i = 0; i < n; i++) alpha[i] = (uint8_t)(argb[i] >> 8);
    } else {
        if (data.n - 1 < n)
            return mni_fail(err, MANN_E_FORMAT, "webp: %llu bytes of alpha, wanted %llu",
                            (unsigned long long)data.n - 1, (unsigned long long)n);
        memcpy(alpha, data.at + 1, n);
    }
    undo_filter(alpha, width, height, data.at[0] >> 2 & 3);
    return MANN_OK;
}

/* --- pixels ------------------------------------------------------------------------- */

typedef struct frame { uint32_t width, height; int has_alpha; } frame;

/* `to`: the frame's first pixel on the canvas. */
static mann_status read_lossless(const webp *w, const frame *f, mann_image *im,
                                 uint8_t *to, mni_arena *arena, mann_error *err)
{
    uint32_t *argb;
    MNI_TRY(mni_vp8l_decode(&argb, w->lossless.at, w->lossless.n, f->width, f->height, 1,
                            arena, err));
    for (uint32_t y = 0; y < f->height; y++, to += (size_t)im->width * im->channels) {
        uint8_t *p = to;
        for (uint32_t x = 0; x < f->width; x++, p += im->channels) {
            const uint32_t v = *argb++;
            p[0] = (uint8_t)(v >> 16);
            p[1] = (uint8_t)(v >> 8);
            p[2] = (uint8_t)v;
            if (im->channels == 4) p[3] = f->has_alpha ? (uint8_t)(v >> 24) : 255;
        }
    }
    return MANN_OK;
}

static mann_status read_lossy(const webp *w, const frame *f, mann_image *im, uint8_t *to,
                              mni_arena *arena, mann_error *err)
{
    const size_t stride = (size_t)im->width * im->channels;
    MNI_TRY(mni_vp8_decode(to, stride, im->channels, w->lossy.at, w->lossy.n, arena,
                           err));
    if (im->channels != 4) return MANN_OK;
    uint8_t *alpha = mni_arena_get(arena, (size_t)f->width * f->height, 1);
    if (!alpha) return mni_fail(err, MANN_E_NOMEM, "webp: alpha");
    if (w->alpha.at)
        MNI_TRY(read_alpha(alpha, w->alpha, f->width, f->height, arena, err));
    else memset(alpha, 255, (size_t)f->width * f->height);
    for (uint32_t y = 0; y < f->height; y++, to += stride)
        for (uint32_t x = 0; x < f->width; x++) to[4 * (size_t)x + 3] = *alpha++;
    return MANN_OK;
}

static mann_status read_sizes(webp *w, frame *f, mann_error *err)
{
    if (!w->lossy.at && !w->lossless.at)
        return mni_fail(err, MANN_E_FORMAT, "webp: there is no picture in it");
    if (w->lossless.at)
        MNI_TRY(mni_vp8l_size(w->lossless.at, w->lossless.n, &f->width, &f->height,
                              &f->has_alpha, err));
    else
        MNI_TRY(mni_vp8_size(w->lossy.at, w->lossy.n, &f->width, &f->height, err));
    if (!w->has_canvas) {
        w->canvas_width = f->width;
        w->canvas_height = f->height;
    }
    const uint64_t right = (uint64_t)w->x + f->width, bottom = (uint64_t)w->y + f->height;
    if (w->has_frame ? right > w->canvas_width || bottom > w->canvas_height
                     : right != w->canvas_width || bottom != w->canvas_height)
        return mni_fail(err, MANN_E_FORMAT,
                        "webp: a picture of %lu x %lu on a canvas of %lu x %lu",
                        (unsigned long)f->width, (unsigned long)f->height,
                        (unsigned long)w->canvas_width, (unsigned long)w->canvas_height);
    return MANN_OK;
}

static void read_orientation(const webp *w, int *orientation)
{
    span e = w->exif;
    if (e.n >= 6 && memcmp(e.at, "Exif\0\0", 6) == 0) {
        e.at += 6;
        e.n -= 6;
    }
    if (e.at) *orientation = mni_exif_orientation(e.at, e.n);
}

mann_status mni_webp_read(mann_image *out, int *orientation, const mni_source *in,
                          mann_error *err)
{
    webp w = { .x = 0 };
    frame f = { .has_alpha = 0 };
    mann_image im;
    if (in->n_bytes < RIFF_BYTES || !is(in->bytes, "RIFF"))
        return mni_fail(err, MANN_E_FORMAT, "webp: no RIFF header");
    MNI_TRY(walk(&w, (span){ in->bytes + RIFF_BYTES, in->n_bytes - RIFF_BYTES }, 0, err));
    MNI_TRY(read_sizes(&w, &f, err));
    MNI_TRY(mni_source_size(in, "webp", w.canvas_width, w.canvas_height, err));
    MNI_TRY(mni_source_work(in, "webp", (uint64_t)w.canvas_width * w.canvas_height, err));
    const int has_alpha = w.has_frame ? w.canvas_alpha
                                      : f.has_alpha || (w.lossy.at && w.alpha.at);
    MNI_TRY(mni_image_new(&im, w.canvas_width, w.canvas_height, has_alpha ? 4 : 3, err));
    uint8_t *to = im.pixels + ((size_t)w.y * im.width + w.x) * im.channels;
    const mann_status s = w.lossless.at ? read_lossless(&w, &f, &im, to, in->arena, err)
                                        : read_lossy(&w, &f, &im, to, in->arena, err);
    if (s != MANN_OK) {
        mann_image_clear(&im);
        return s;
    }
    read_orientation(&w, orientation);
    *out = im;
    return MANN_OK;
}
