/* views.c - see views.h.
 *
 *   +---------+   +---------+   +-----+---+     whole, middle, one of four corners;
 *   |         |   | +-----+ |   |     |   |     with FLIP each of them mirrored too;
 *   |         |   | |     | |   |     |   |     with TURNS all of that four times
 *   |         |   | +-----+ |   +-----+   |
 *   +---------+   +---------+   +---------+
 *
 * SPDX-License-Identifier: MIT */
#include "recog/views.h"

#include <math.h>
#include <string.h>

/* Parts are 17/20 of each side: 85 %. */
enum { PART = 17, OF = 20 };

/* The upright view counts twice among four turns, in a mean of cosines: measured. */
enum { UPRIGHT = 2, TURNED = 1, OF_TURNS = 5 };

static uint32_t n_turns(uint32_t views) { return views & MANN_VIEW_TURNS ? 4 : 1; }

/* Views that are averaged: those of one turn. */
static uint32_t views_a_turn(uint32_t views)
{
    const uint32_t windows =
        1 + (views & MANN_VIEW_ZOOM ? 1 : 0) + (views & MANN_VIEW_CORNERS ? 4 : 0);
    return windows * (views & MANN_VIEW_FLIP ? 2 : 1);
}

uint32_t mni_views_count(uint32_t views) { return views_a_turn(views) * n_turns(views); }

uint32_t mni_views_dim(uint32_t views, uint32_t dim) { return dim * n_turns(views); }

/* The window's rows packed, as an image of its own. */
static mann_status cut(const mann_image *im, uint32_t x, uint32_t y, uint32_t w,
                       uint32_t h, mann_image *out, mann_error *err)
{
    MNI_TRY(mni_image_new(out, w, h, im->channels, err));
    for (uint32_t row = 0; row < h; row++)
        memcpy(out->pixels + (size_t)row * w * im->channels,
               im->pixels + ((size_t)(y + row) * im->width + x) * im->channels,
               (size_t)w * im->channels);
    return MANN_OK;
}

/* Where: 0 middle, 1..4 corners. */
static mann_status part(const mni_recipe *r, const mann_image *im, uint32_t where,
                        float *out, mann_error *err)
{
    const uint32_t w = (im->width * (uint64_t)PART + OF - 1) / OF,
                   h = (im->height * (uint64_t)PART + OF - 1) / OF,
                   right = im->width - w, low = im->height - h;
    const uint32_t x = where == 0 ? right / 2 : where == 2 || where == 4 ? right : 0,
                   y = where == 0 ? low / 2 : where >= 3 ? low : 0;
    mann_image window;
    MNI_TRY(cut(im, x, y, w, h, &window, err));
    const mann_status s = mni_prep_run(r, &window, out, err);
    mann_image_clear(&window);
    return s;
}

static void mirror(const float *in, uint32_t size, float *out)
{
    for (size_t line = 0; line < (size_t)3 * size; line++, in += size, out += size)
        for (uint32_t x = 0; x < size; x++) out[x] = in[size - 1 - x];
}

/* To the left by a quarter: what was the right edge is on top. */
static void turn(const float *in, uint32_t size, float *out)
{
    for (uint32_t plane = 0; plane < 3; plane++, in += (size_t)size * size)
        for (uint32_t y = 0; y < size; y++)
            for (uint32_t x = 0; x < size; x++)
                *out++ = in[(size_t)x * size + (size - 1 - y)];
}

mann_status mni_views_prepare(const mni_recipe *r, uint32_t views, const mann_image *im,
                              float *out, mann_error *err)
{
    const size_t floats = (size_t)3 * r->size * r->size;
    uint32_t n = 0;
    MNI_TRY(mni_prep_run(r, im, out + n++ * floats, err));
    if (views & MANN_VIEW_ZOOM) MNI_TRY(part(r, im, 0, out + n++ * floats, err));
    if (views & MANN_VIEW_CORNERS)
        for (uint32_t where = 1; where <= 4; where++)
            MNI_TRY(part(r, im, where, out + n++ * floats, err));
    if (views & MANN_VIEW_FLIP)
        for (uint32_t i = 0; i < n; i++)
            mirror(out + i * floats, r->size, out + (n + i) * floats);
    n = views_a_turn(views);            /* each turn is made of the one before */
    for (uint32_t i = n; i < mni_views_count(views); i++)
        turn(out + (i - n) * floats, r->size, out + i * floats);
    return MANN_OK;
}

static double length(const float *v, uint32_t dim)
{
    double sum = 0;
    for (uint32_t i = 0; i < dim; i++) sum += (double)v[i] * v[i];
    return sqrt(sum);
}

/* Mean of n vectors, each taken at unit length, at length `scale`. */
static void mean_of(const float *vectors, uint32_t n, uint32_t dim, double scale,
                    float *out)
{
    double lengths[MNI_MOST_VIEWS], sum = 0;
    for (uint32_t v = 0; v < n; v++) lengths[v] = length(vectors + (size_t)v * dim, dim);
    for (uint32_t i = 0; i < dim; i++) {
        double mean = 0;
        for (uint32_t v = 0; v < n; v++)
            if (lengths[v] > 0)
                mean += (double)vectors[(size_t)v * dim + i] / lengths[v];
        mean /= n;
        out[i] = (float)mean; /* of this column alone: nothing behind needs it */
        sum += mean * mean;
    }
    scale = sum > 0 ? scale / sqrt(sum) : 0; /* views that cancel out: zero, which */
    for (uint32_t i = 0; i < dim; i++)       /* cosine refuses if all turns do */
        out[i] = (float)(out[i] * scale);
}

void mni_views_join(const float *vectors, uint32_t views, uint32_t dim, float *out)
{
    const uint32_t each = views_a_turn(views), turns = n_turns(views);
    if (each * turns == 1) {
        memmove(out, vectors, dim * sizeof *out);
        return;
    }
    if (turns == 1) {
        mean_of(vectors, each, dim, 1, out);
        return;
    }
    for (uint32_t t = 0; t < turns; t++)
        mean_of(vectors + (size_t)t * each * dim, each, dim,
                sqrt((t ? TURNED : UPRIGHT) / (double)OF_TURNS), out + (size_t)t * dim);
}
