/* curves.c - the training in one picture: loss on the left axis, Recall@1 on the right,
 * by epoch. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>

#include "image/draw.h"
#include "image/image.h"
#include "image/png_write.h"
#include "train/trainer.h"

enum {
    WIDTH = 800,
    HEIGHT = 420,
    LEFT = 70,
    RIGHT = 60,
    TOP = 40,
    BOTTOM = 40,
    LINES = 5
};
static const mni_colour ink = { 40, 40, 40 }, grid = { 225, 225, 225 };
static const mni_colour blue = { 31, 90, 180 }, orange = { 220, 120, 20 },
                        green = { 30, 140, 60 };

typedef struct chart {
    mann_image im;
    const mni_epoch *epochs;
    size_t n;
    double most_loss;
} chart;

static int x_of(const chart *c, size_t i)
{
    const int room = WIDTH - LEFT - RIGHT;
    return c->n < 2 ? LEFT + room / 2
                    : LEFT + (int)((double)i * room / (double)(c->n - 1) + 0.5);
}

static int y_of(double share)
{
    return HEIGHT - BOTTOM - (int)(share * (HEIGHT - TOP - BOTTOM) + 0.5);
}

/* Which number of an epoch: a curve is a choice of it, a scale and a colour. */
typedef double (*value_fn)(const mni_epoch *e);
static double train_loss(const mni_epoch *e) { return e->loss; }
static double val_loss(const mni_epoch *e) { return e->val_loss; }
static double val_recall(const mni_epoch *e) { return e->val_recall; }

static void curve(chart *c, value_fn value, double most, mni_colour colour)
{
    for (size_t i = 0; i < c->n; i++) {
        const double v = value(&c->epochs[i]) / most;
        if (!isfinite(v)) continue;
        const int x = x_of(c, i), y = y_of(v);
        mni_draw_rect(&c->im, x - 1, y - 1, 3, 3, colour);
        if (i == 0) continue;
        const double before = value(&c->epochs[i - 1]) / most;
        if (isfinite(before))
            mni_draw_line(&c->im, x_of(c, i - 1), y_of(before), x, y, colour);
    }
}

static void axes(chart *c)
{
    char text[32];
    for (int i = 0; i <= LINES; i++) {
        const int y = y_of((double)i / LINES);
        mni_draw_line(&c->im, LEFT, y, WIDTH - RIGHT, y, grid);
        snprintf(text, sizeof text, "%.3f", c->most_loss * i / LINES);
        mni_draw_text(&c->im, LEFT - 8 - mni_text_width(text, 1), y - 6, text, 1, ink);
        snprintf(text, sizeof text, "%d %%", 100 * i / LINES);
        mni_draw_text(&c->im, WIDTH - RIGHT + 8, y - 6, text, 1, green);
    }
    mni_draw_frame(&c->im, LEFT, TOP, WIDTH - LEFT - RIGHT + 1, HEIGHT - TOP - BOTTOM + 1,
                   1, ink);
    const size_t every = c->n > 10 ? (c->n + 9) / 10 : 1;
    for (size_t i = 0; i < c->n; i += every) {
        snprintf(text, sizeof text, "%zu", i + 1);
        mni_draw_text(&c->im, x_of(c, i) - mni_text_width(text, 1) / 2,
                      HEIGHT - BOTTOM + 8, text, 1, ink);
    }
    int x = mni_draw_text(&c->im, LEFT, 14, "training loss", 1, blue);
    x = mni_draw_text(&c->im, x + 24, 14, "loss on held-out classes", 1, orange);
    mni_draw_text(&c->im, x + 24, 14, "Recall@1 on held-out classes (right)", 1, green);
}

mann_status mni_curves_write(const mni_vfs *v, const char *path, const mni_epoch *epochs,
                             size_t n, mann_error *err)
{
    chart c = { .epochs = epochs, .n = n, .most_loss = 0 };
    mni_buf png = { 0 };
    for (size_t i = 0; i < n; i++) {
        c.most_loss = fmax(c.most_loss, epochs[i].loss);
        c.most_loss = fmax(c.most_loss, epochs[i].val_loss); /* fmax passes over NaN */
    }
    if (!(c.most_loss > 0)) c.most_loss = 1;
    MNI_TRY(mni_image_new(&c.im, WIDTH, HEIGHT, 3, err));
    mni_draw_fill(&c.im, (mni_colour){ 255, 255, 255 });
    axes(&c);
    curve(&c, train_loss, c.most_loss, blue);
    curve(&c, val_loss, c.most_loss, orange);
    curve(&c, val_recall, 1, green);
    mann_status s = mni_png_encode(&png, &c.im, err);
    if (s == MANN_OK) s = mni_replace_file(v, path, png.bytes, png.n_bytes, err);
    mni_buf_fini(&png);
    mann_image_clear(&c.im);
    return s;
}
