/* sheet.c - contact sheets: thumbnails, the kind that is one picture, and the file. See
 * sheet.h; sheet_html.c has the other kind.
 *
 *   +--------+   +--------+ +--------+ +--------+
 *   | query  |   | hit 1  | | hit 2  | | hit 3  |    a line per query
 *   +--------+   +--------+ +--------+ +--------+
 *    verdict      class      class      class
 *    margin       score      score      score
 *
 * SPDX-License-Identifier: MIT */
#include "recog/sheet.h"

#include "recog/thumbs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "image/draw.h"
#include "image/image.h"
#include "image/jpeg_write.h"
#include "image/png_write.h"
#include "image/resize.h"

enum { GAP = 8, LINES = 3, MAX_SHEET_BYTES = 1 << 29, MAX_PHOTO_BYTES = 1 << 28 };

static const mni_colour white = { 255, 255, 255 }, black = { 20, 20, 20 },
                        grey = { 205, 205, 205 };

const char *mni_verdict_word(mann_verdict v)
{
    return v == MANN_KNOWN ? "known" : v == MANN_UNSURE ? "unsure" : "unknown";
}

static mni_colour verdict_colour(mann_verdict v)
{
    static const mni_colour green = { 30, 140, 60 }, amber = { 215, 140, 0 },
                            red = { 200, 40, 40 };
    return v == MANN_KNOWN ? green : v == MANN_UNSURE ? amber : red;
}

/* --- thumbnails --------------------------------------------------------------------- */

static mann_status grey_box(mann_image *out, mann_error *err)
{
    MNI_TRY(mni_image_new(out, MNI_THUMB, MNI_THUMB, 3, err));
    mni_draw_fill(out, grey);
    mni_draw_text(out, MNI_THUMB / 2 - mni_text_width("no picture", 1) / 2,
                  MNI_THUMB / 2 - MNI_FONT_H / 2, "no picture", 1, black);
    return MANN_OK;
}

/* Scaled to fit, centred on white. */
static mann_status fit(const mann_image *in, mann_image *out, mann_error *err)
{
    uint32_t most = in->width > in->height ? in->width : in->height;
    uint32_t w = (uint32_t)((uint64_t)in->width * MNI_THUMB / most), h;
    h = (uint32_t)((uint64_t)in->height * MNI_THUMB / most);
    mann_image small = { 0, 0, 0, NULL };
    mann_status s = mni_image_resize(&small, in, w ? w : 1, h ? h : 1, err);
    if (s == MANN_OK) s = mni_image_new(out, MNI_THUMB, MNI_THUMB, 3, err);
    if (s == MANN_OK) {
        mni_draw_fill(out, white);
        mni_draw_image(out, &small, (int)(MNI_THUMB - small.width) / 2,
                       (int)(MNI_THUMB - small.height) / 2);
    }
    mann_image_clear(&small);
    return s;
}

mann_status mni_sheet_thumb_bytes(const uint8_t *bytes, size_t n_bytes, mann_image *out,
                                  mann_error *err)
{
    const mni_decode_opts small_enough = { .min_side = MNI_THUMB,
                                           .background = { 255, 255, 255 } };
    mann_image im = { 0, 0, 0, NULL };
    mann_status s = bytes ? mni_image_decode(&im, bytes, n_bytes, &small_enough, NULL)
                          : MANN_E_NOT_FOUND;
    s = s == MANN_OK ? fit(&im, out, err) : grey_box(out, err);
    mann_image_clear(&im);
    return s;
}

mann_status mni_sheet_thumb_file(mni_gallery *g, const char *path, mann_image *out,
                                 mann_error *err)
{
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    if (mni_source_read(g->sources, path, MAX_PHOTO_BYTES, &bytes, &n_bytes, NULL) !=
        MANN_OK)
        bytes = NULL;
    const mann_status s = mni_sheet_thumb_bytes(bytes, n_bytes, out, err);
    mni_free(bytes);
    return s;
}

/* The photo is not to be found: what the gallery keeps of it. */
static mann_status thumb_inside(mni_gallery *g, uint64_t id, mann_image *out,
                                mann_error *err)
{
    size_t n = 0;
    mann_image im = { 0, 0, 0, NULL };
    uint8_t *jpeg = mni_alloc(MNI_MAX_THUMB, 1);
    if (!jpeg) return mni_fail(err, MANN_E_NOMEM, "contact sheet: thumbnail");
    mann_status s = mni_gallery_thumb(g, id, jpeg, MNI_MAX_THUMB, &n, NULL);
    if (s == MANN_OK) s = mni_image_decode(&im, jpeg, n, NULL, NULL);
    mni_free(jpeg);
    s = s == MANN_OK ? fit(&im, out, err) : grey_box(out, err);
    mann_image_clear(&im);
    return s;
}

/* A hit's picture is its source, below one of the folders that photos were taken from. */
mann_status mni_sheet_thumb_hit(mni_gallery *g, uint64_t id, mann_image *out,
                                mann_error *err)
{
    char source[4096];
    mni_text path = { 0 };
    mni_roots roots;
    int found = 0;
    if (mni_gallery_source(g, id, source, sizeof source, NULL) != MANN_OK)
        return grey_box(out, err);
    MNI_TRY(mni_gallery_copy_roots(g, &roots, err));
    /* newest first; then the path itself */
    for (uint32_t i = roots.n + 1; i-- > 0 && !found;) {
        mni_text_clear(&path);
        mni_roots_place(&path, i > 0 ? roots.path[i - 1] : "", source);
        found = !path.failed &&
                mni_source_there(g->sources, mni_text_get(&path), NULL) == MANN_OK;
    }
    mni_roots_fini(&roots);
    mann_status s = found ? mni_sheet_thumb_file(g, mni_text_get(&path), out, err)
                          : thumb_inside(g, id, out, err);
    mni_text_fini(&path);
    return s;
}

/* --- one picture -------------------------------------------------------------------- */

/* Text cut to the width of a cell. */
static void label(mann_image *sheet, int x, int y, const char *text, mni_colour c)
{
    char cut[MNI_THUMB / MNI_FONT_W + 1];
    size_t n = strlen(text), room = sizeof cut - 1;
    if (n <= room) { mni_draw_text(sheet, x, y, text, 1, c); return; }
    memcpy(cut, text, room - 2);
    memcpy(cut + room - 2, "..", 3);
    mni_draw_text(sheet, x, y, cut, 1, c);
}

static void class_label(mni_gallery *g, const mann_hit *hit, char *out, size_t size)
{
    if (hit->klass == MANN_NO_CLASS ||
        mni_gallery_class_name(g, hit->klass, out, size, NULL) != MANN_OK)
        snprintf(out, size, "#%llu", (unsigned long long)hit->id);
}

static mann_status draw_row(mni_gallery *g, const mann_sheet_row *r, mann_image *sheet,
                            int y, mann_error *err)
{
    char text[MNI_MAX_NAME + 1];
    mann_image thumb = { 0, 0, 0, NULL };
    MNI_TRY(mni_sheet_thumb_file(g, r->query_path, &thumb, err));
    mni_colour c = verdict_colour(r->answer.verdict);
    mni_draw_image(sheet, &thumb, GAP, y);
    mni_draw_frame(sheet, GAP - 3, y - 3, MNI_THUMB + 6, MNI_THUMB + 6, 3, c);
    mann_image_clear(&thumb);
    label(sheet, GAP, y + MNI_THUMB + 4, mni_path_name(r->query_path), black);
    label(sheet, GAP, y + MNI_THUMB + 4 + MNI_FONT_H, mni_verdict_word(r->answer.verdict),
          c);
    if (isfinite(r->answer.margin)) {
        snprintf(text, sizeof text, "margin %.3f", (double)r->answer.margin);
        label(sheet, GAP, y + MNI_THUMB + 4 + 2 * MNI_FONT_H, text, black);
    }
    for (uint32_t i = 0; i < r->n_hits; i++) {
        int x = GAP * 3 + (int)(i + 1) * (MNI_THUMB + GAP);
        MNI_TRY(mni_sheet_thumb_hit(g, r->hits[i].id, &thumb, err));
        mni_draw_image(sheet, &thumb, x, y);
        mni_draw_frame(sheet, x - 1, y - 1, MNI_THUMB + 2, MNI_THUMB + 2, 1, grey);
        mann_image_clear(&thumb);
        class_label(g, &r->hits[i], text, sizeof text);
        label(sheet, x, y + MNI_THUMB + 4, text, black);
        snprintf(text, sizeof text, "%.3f", (double)r->hits[i].score);
        label(sheet, x, y + MNI_THUMB + 4 + MNI_FONT_H, text, black);
    }
    return MANN_OK;
}

mann_status mni_sheet_picture(mni_gallery *g, const mann_sheet_row *rows, size_t n,
                              int jpeg, mni_buf *out, mann_error *err)
{
    uint32_t most = 0;
    for (size_t i = 0; i < n; i++) most = rows[i].n_hits > most ? rows[i].n_hits : most;
    uint64_t row_height = MNI_THUMB + LINES * MNI_FONT_H + 2 * GAP;
    uint64_t width = 4 * GAP + ((uint64_t)most + 1) * (MNI_THUMB + GAP),
             height = GAP + n * row_height;
    if (width > 65535 || height > 65535 || width * height * 3 > MAX_SHEET_BYTES)
        return mni_fail(
            err, MANN_E_LIMIT,
            "contact sheet: %zu queries x %u hits do not fit into one picture; "
            "ask for fewer, or write .html",
            n, (unsigned)most);
    mann_image sheet = { 0, 0, 0, NULL };
    MNI_TRY(mni_image_new(&sheet, (uint32_t)width, (uint32_t)height, 3, err));
    mni_draw_fill(&sheet, white);
    mann_status s = MANN_OK;
    for (size_t i = 0; i < n && s == MANN_OK; i++)
        s = draw_row(g, &rows[i], &sheet, (int)(GAP + i * row_height), err);
    if (s == MANN_OK)
        s = jpeg ? mni_jpeg_encode(out, &sheet, MNI_SHEET_QUALITY, err)
                 : mni_png_encode(out, &sheet, err);
    mann_image_clear(&sheet);
    return s;
}

/* --- file --------------------------------------------------------------------------- */

mann_status mni_sheet_write(mni_gallery *g, const mann_sheet_row *rows, size_t n,
                            const char *path, mann_error *err)
{
    mni_buf out = { 0 };
    mann_status s;
    if (n == 0) return mni_fail(err, MANN_E_ARG, "contact sheet: nothing to show");
    const int jpeg = mni_text_ends(path, ".jpg") || mni_text_ends(path, ".jpeg");
    if (jpeg || mni_text_ends(path, ".png"))
        s = mni_sheet_picture(g, rows, n, jpeg, &out, err);
    else if (mni_text_ends(path, ".html") || mni_text_ends(path, ".htm"))
        s = mni_sheet_html(g, rows, n, &out, err);
    else
        s = mni_fail(err, MANN_E_ARG,
                     "%s: a contact sheet is written as .png, .jpg or .html", path);
    if (s == MANN_OK && out.failed)
        s = mni_fail(err, MANN_E_NOMEM, "%s: contact sheet", path);
    if (s == MANN_OK) s = mni_replace_file(g->vfs, path, out.bytes, out.n_bytes, err);
    mni_buf_fini(&out);
    return s;
}
