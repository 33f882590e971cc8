/* eval_draw.c - an evaluation for the eye: the worst mistakes as a contact sheet, and
 * what a threshold costs as a curve. See exam.h. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "eval/openset.h"
#include "image/draw.h"
#include "image/image.h"
#include "image/png_write.h"
#include "recog/exam.h"
#include "recog/sheet.h"

static const mni_colour white = { 255, 255, 255 }, ink = { 30, 30, 30 },
                        grey = { 205, 205, 205 }, red = { 200, 40, 40 },
                        green = { 30, 140, 60 }, blue = { 31, 90, 180 };

static mann_status write_png(const mni_exam_sheet *e, const mann_image *im,
                             const char *path, mann_error *err)
{
    mni_buf png = { 0 };
    mann_status s = mni_png_encode(&png, im, err);
    if (s == MANN_OK) s = mni_replace_file(e->g->vfs, path, png.bytes, png.n_bytes, err);
    mni_buf_fini(&png);
    return s;
}

/* --- the worst mistakes ------------------------------------------------------------- */

enum { GAP = 8, COLUMNS = 3, LINES = 2, CELL = 150 };

/* How wrong: by how much the wrong class stood before the right one; a stranger that was
 * let in by how near it came. Below 0: not a mistake. */
static float badness(const mni_exam_sheet *e, size_t q)
{
    const mni_outcome *o = &e->outcome[q];
    if (e->truth[q] == MANN_NO_CLASS)
        return o->verdict != MNI_REFUSED ? o->judged - e->threshold : -1;
    if (o->scores.n_relevant == 0 || o->scores.class_rank == 1) return -1;
    return o->score - o->own_score;
}

typedef struct bad { float how; uint32_t q; } bad;

static int worse(const void *a, const void *b)
{
    const bad *x = a, *y = b;
    if (x->how != y->how) return x->how > y->how ? -1 : 1;
    return x->q < y->q ? -1 : x->q > y->q;
}

/* A picture of the set that is asked. */
static mann_status thumb_of_set(const mni_exam_sheet *e, uint64_t image, mann_image *out,
                                mann_error *err)
{
    const mni_photos *p = &e->set->photos;
    uint8_t *bytes;
    size_t n;
    uint64_t mtime;
    if (p->read(p->ctx, image, &bytes, &n, &mtime, NULL) != MANN_OK)
        return mni_sheet_thumb_bytes(NULL, 0, out, err);
    const mann_status s = mni_sheet_thumb_bytes(bytes, n, out, err);
    mni_free(bytes);
    return s;
}

static mann_status thumb_of_row(const mni_exam_sheet *e, uint32_t row, mann_image *out,
                                mann_error *err)
{
    if (row == MNI_NO_ROW) return mni_sheet_thumb_bytes(NULL, 0, out, err);
    return e->row_image ? thumb_of_set(e, e->row_image[row], out, err)
                        : mni_sheet_thumb_hit(e->g, mni_state_id(e->state, row), out,
                                              err);
}

static void cell(mann_image *sheet, int x, int y, const mann_image *thumb, mni_colour c,
                 const char *first, const char *second)
{
    char cut[CELL / MNI_FONT_W];
    mni_draw_image(sheet, thumb, x, y);
    mni_draw_frame(sheet, x - 3, y - 3, MNI_THUMB + 6, MNI_THUMB + 6, 3, c);
    snprintf(cut, sizeof cut, "%s", first);
    mni_draw_text(sheet, x, y + MNI_THUMB + 4, cut, 1, ink);
    snprintf(cut, sizeof cut, "%s", second);
    mni_draw_text(sheet, x, y + MNI_THUMB + 4 + MNI_FONT_H, cut, 1, ink);
}

static mann_status draw_mistake(const mni_exam_sheet *e, uint32_t q, mann_image *sheet,
                                int y, char *room, mann_error *err)
{
    const mni_outcome *o = &e->outcome[q];
    char second[64];
    const char *klass = NULL, *path, *name;
    mann_image thumb;
    path = e->set->photos.path(e->set->photos.ctx, e->image[q], &klass);
    MNI_TRY(thumb_of_set(e, e->image[q], &thumb, err));
    cell(sheet, GAP, y, &thumb, grey, klass ? klass : "-", mni_path_name(path));
    mann_image_clear(&thumb);
    MNI_TRY(thumb_of_row(e, o->first_row, &thumb, err));
    name = mni_exam_class(e, o->first, room);
    snprintf(second, sizeof second, "%.3f%s", (double)o->score,
             o->verdict != MNI_REFUSED ? ", known" : "");
    cell(sheet, GAP + CELL, y, &thumb, red, name ? name : "-", second);
    mann_image_clear(&thumb);
    if (o->own_row == MNI_NO_ROW) {
        mni_draw_text(sheet, GAP + 2 * CELL, y + MNI_THUMB / 2, "a stranger", 1, ink);
        return MANN_OK;
    }
    MNI_TRY(thumb_of_row(e, o->own_row, &thumb, err));
    snprintf(second, sizeof second, "%.3f, place %u", (double)o->own_score,
             (unsigned)o->scores.class_rank);
    cell(sheet, GAP + 2 * CELL, y, &thumb, green, klass ? klass : "-", second);
    mann_image_clear(&thumb);
    return MANN_OK;
}

static mann_status draw_sheet(const mni_exam_sheet *e, const bad *list, size_t n,
                              const char *path, mann_error *err)
{
    static const char *const heads[COLUMNS] = { "asked", "found", "right" };
    const int row = MNI_THUMB + LINES * MNI_FONT_H + 2 * GAP, top = MNI_FONT_H + 2 * GAP;
    mann_image sheet;
    char *room = mni_alloc(MNI_MAX_NAME + 1, 1);
    if (!room) return mni_fail(err, MANN_E_NOMEM, "eval: contact sheet");
    mann_status s = mni_image_new(&sheet, GAP + COLUMNS * CELL,
                                  (uint32_t)(top + (n ? (int)n : 1) * row), 3, err);
    if (s != MANN_OK) { mni_free(room); return s; }
    mni_draw_fill(&sheet, white);
    for (int i = 0; i < COLUMNS; i++)
        mni_draw_text(&sheet, GAP + i * CELL, GAP / 2, heads[i], 1, ink);
    if (n == 0) mni_draw_text(&sheet, GAP, top, "no mistakes", 1, ink);
    for (size_t i = 0; s == MANN_OK && i < n; i++)
        s = draw_mistake(e, list[i].q, &sheet, top + (int)i * row, room, err);
    if (s == MANN_OK) s = write_png(e, &sheet, path, err);
    mann_image_clear(&sheet);
    mni_free(room);
    return s;
}

mann_status mni_exam_worst(const mni_exam_sheet *e, const char *path, uint32_t n_worst,
                           mann_error *err)
{
    bad *list = mni_alloc(e->n_queries + 1, sizeof *list);
    size_t n = 0;
    if (!list) return mni_fail(err, MANN_E_NOMEM, "eval: list of mistakes");
    for (size_t q = 0; q < e->n_queries; q++) {
        const float how = badness(e, q);
        if (how >= 0) list[n++] = (bad){ how, (uint32_t)q };
    }
    qsort(list, n, sizeof *list, worse);
    const mann_status s = draw_sheet(e, list, n < n_worst ? n : n_worst, path, err);
    mni_free(list);
    return s;
}

/* --- the curve ---------------------------------------------------------------------- */

enum { WIDTH = 640, HEIGHT = 460, LEFT = 70, RIGHT = 24, TOP = 44, BOTTOM = 52,
       POINTS = 200, DECADES = 4 };

/* FPIR from 1e-4 to 1 on a scale of logarithms; FNIR from 0 to 1. */
static int x_of(double fpir)
{
    const double share = 1 + log10(fpir > 1e-9 ? fpir : 1e-9) / DECADES;
    return LEFT + (int)((share < 0 ? 0 : share) * (WIDTH - LEFT - RIGHT) + 0.5);
}

static int y_of(double fnir)
{
    return HEIGHT - BOTTOM - (int)(fnir * (HEIGHT - TOP - BOTTOM) + 0.5);
}

static void axes(mann_image *im, const char *title)
{
    static const char *const rates[] = { "0.01 %", "0.1 %", "1 %", "10 %", "100 %" };
    char text[32];
    for (int i = 0; i <= 10; i++) {
        mni_draw_line(im, LEFT, y_of(i / 10.0), WIDTH - RIGHT, y_of(i / 10.0), grey);
        snprintf(text, sizeof text, "%d %%", 10 * i);
        mni_draw_text(im, LEFT - 8 - mni_text_width(text, 1), y_of(i / 10.0) - 6, text, 1,
                      ink);
    }
    for (int i = 0; i <= DECADES; i++) {
        const int x = x_of(pow(10, i - DECADES));
        mni_draw_line(im, x, TOP, x, HEIGHT - BOTTOM, grey);
        mni_draw_text(im, x - mni_text_width(rates[i], 1) / 2, HEIGHT - BOTTOM + 8,
                      rates[i], 1, ink);
    }
    mni_draw_frame(im, LEFT, TOP, WIDTH - LEFT - RIGHT + 1, HEIGHT - TOP - BOTTOM + 1, 1,
                   ink);
    mni_draw_text(im, LEFT, HEIGHT - 22, "FPIR: strangers accepted", 1, ink);
    mni_draw_text(im, LEFT, 10, title, 1, ink);
    mni_draw_text(im, LEFT, 10 + MNI_FONT_H + 2,
                  "FNIR: members refused, or taken for another", 1, blue);
}

static void draw_curve(mann_image *im, const mni_open_point *p, size_t n,
                       const mni_open_point *at)
{
    for (size_t i = 1; i < n; i++) {
        const int x0 = x_of(p[i - 1].fpir), y0 = y_of(p[i - 1].fnir),
                  x1 = x_of(p[i].fpir), y1 = y_of(p[i].fnir);
        mni_draw_line(im, x0, y0, x1, y1, blue);
        mni_draw_line(im, x0, y0 + 1, x1, y1 + 1, blue);
    }
    if (isnan(at->threshold)) return;
    char text[80];
    const int x = x_of(at->fpir), y = y_of(at->fnir);
    mni_draw_rect(im, x - 3, y - 3, 7, 7, red);
    snprintf(text, sizeof text, "threshold %.3f: FPIR %.2f %%, FNIR %.1f %%",
             (double)at->threshold, at->fpir * 100, at->fnir * 100);
    mni_draw_text(im, LEFT + 8, HEIGHT - BOTTOM - 20, text, 1, red);
}

mann_status mni_exam_curve(const mni_exam_sheet *e, const char *path, mann_error *err)
{
    size_t n_strangers = 0, n_members = 0, n_wrong = 0;
    mni_open_point p[POINTS];
    char title[96];
    mann_image im;
    float *strangers = mni_alloc(2 * e->n_queries + 2, sizeof *strangers),
          *members = strangers + e->n_queries + 1;
    if (!strangers) return mni_fail(err, MANN_E_NOMEM, "eval: scores");
    for (size_t q = 0; q < e->n_queries; q++) {
        const mni_outcome *o = &e->outcome[q];
        const float score = o->shadowed ? -INFINITY : o->judged;
        if (e->truth[q] == MANN_NO_CLASS) strangers[n_strangers++] = score;
        else if (!o->scores.n_relevant) continue;
        else if (o->first == e->truth[q]) members[n_members++] = score;
        else n_wrong++;
    }
    if (!n_strangers || !(n_members + n_wrong)) {
        mni_free(strangers);
        return mni_fail(err, MANN_E_NOT_FOUND,
                        "open-set curve: %zu strangers and %zu members were asked, "
                        "wanted both; --open-set makes strangers of every second class",
                        n_strangers, n_members + n_wrong);
    }
    mni_open_curve(strangers, n_strangers, members, n_members, n_wrong, p, POINTS);
    const mni_open_point at = mni_open_at(strangers, n_strangers, members, n_members,
                                          n_wrong, e->threshold);
    mni_free(strangers);
    MNI_TRY(mni_image_new(&im, WIDTH, HEIGHT, 3, err));
    mni_draw_fill(&im, white);
    snprintf(title, sizeof title, "%zu members, %zu strangers, %u classes",
             n_members + n_wrong, n_strangers, (unsigned)e->n_classes);
    axes(&im, title);
    draw_curve(&im, p, POINTS, &at);
    const mann_status s = write_png(e, &im, path, err);
    mann_image_clear(&im);
    return s;
}
