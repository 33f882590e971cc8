/* preview.c - what augmentation makes of the photos, to be looked at before hours are
 * spent on it. A line a class; first the photo as inference sees it, then as training
 * does.
 *
 *   +------+  +------+------+------+
 *   | cat  |  | view | view | view |
 *   +------+  +------+------+------+
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "image/draw.h"
#include "image/image.h"
#include "image/resize.h"
#include "train/trainer.h"

enum { GAP = 6, LEAST_SIDE = 96, TRIES = 8 };

typedef struct sheet {
    mni_cache cache; /* keeps nothing */
    mni_augment augment;
    uint64_t seed;
    uint32_t n_views, side; /* side of a cell */
    uint8_t *room, *composed;
    float *planes;
    mann_image view; /* of the network's size */
    mann_image *out;
} sheet;

static void bytes_of(const sheet *t)
{
    const mni_recipe *r = &t->cache.recipe;
    const size_t n = (size_t)r->size * r->size;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 3; k++) {
            const float v = 255 * (t->planes[k * n + i] * r->std[k] + r->mean[k]);
            t->view.pixels[3 * i + k] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5f);
        }
}

static mann_status draw_view(const sheet *t, const mni_picture *p, uint64_t row,
                             uint32_t view, mann_error *err)
{
    const mni_augment none = { 0 };
    mann_image large;
    MNI_TRY(mni_augment_run(view ? &t->augment : &none, p, &t->cache.recipe, 0,
                            mni_rng_at(t->seed, MNI_FOR_AUGMENT, 2, row, view),
                            t->composed, t->planes, err));
    bytes_of(t);
    MNI_TRY(mni_image_resize(&large, &t->view, t->side, t->side, err));
    const uint32_t step = t->side + GAP;
    mni_draw_image(t->out, &large, (int)(GAP + view * step + (view ? 2 * GAP : 0)),
                   (int)(GAP + row * step));
    mann_image_clear(&large);
    return MANN_OK;
}

/* One image of class k that can be decoded, drawn by seed. channels 0: none was found. */
static mann_status find_picture(const sheet *t, uint64_t first, uint64_t n, uint32_t k,
                                mni_picture *p, mann_error *err)
{
    mni_rng r = mni_rng_at(t->seed, MNI_FOR_AUGMENT, 3, k, 0);
    mann_error unreadable;
    uint8_t channels;
    *p = (mni_picture){ t->room, 0 };
    for (int i = 0; i < TRIES && !p->channels; i++) {
        const uint64_t image = first + mni_rng_below(&r, (uint32_t)n);
        const mann_status s =
            mni_cache_decode(&t->cache, image, t->room, &channels, &unreadable);
        if (s == MANN_E_NOMEM) return mni_fail(err, s, "%s", unreadable.text);
        if (s == MANN_OK) p->channels = channels;
    }
    return MANN_OK;
}

/* The images of a data set are sorted by class: where each begins. */
static void find_classes(const mni_dataset *set, uint64_t *first, uint32_t n_classes)
{
    const uint64_t n = mni_dataset_n_images(set);
    memset(first, 0, ((size_t)n_classes + 1) * sizeof *first);
    for (uint64_t i = 0; i < n; i++) {
        uint32_t k;
        mni_dataset_path(set, i, &k);
        if (k != MANN_NO_CLASS) first[k + 1] = i + 1;
    }
}

static mann_status draw_rows(sheet *t, uint32_t n_rows, uint32_t *n_drawn,
                             mann_error *err)
{
    const mni_dataset *set = t->cache.set;
    const uint32_t n = mni_dataset_n_classes(set);
    uint64_t *first = mni_alloc((size_t)n + 1, sizeof *first);
    if (!first) return mni_fail(err, MANN_E_NOMEM, "preview: %u classes", (unsigned)n);
    find_classes(set, first, n);
    mann_status s = MANN_OK;
    for (uint32_t i = 0; s == MANN_OK && i < n && *n_drawn < n_rows; i++) {
        const uint32_t k = mni_permute(t->seed, n, i);
        mni_picture p;
        if (first[k + 1] <= first[k]) continue;
        s = find_picture(t, first[k], first[k + 1] - first[k], k, &p, err);
        if (s != MANN_OK || !p.channels) continue;
        for (uint32_t v = 0; s == MANN_OK && v < t->n_views; v++)
            s = draw_view(t, &p, *n_drawn, v, err);
        ++*n_drawn;
    }
    mni_free(first);
    return s;
}

static mann_status sheet_init(sheet *t, uint32_t n_rows, mann_error *err)
{
    static const mni_colour white = { 255, 255, 255 };
    const uint32_t size = t->cache.recipe.size, times = (LEAST_SIDE + size - 1) / size;
    const size_t n = (size_t)size * size;
    t->side = size * times;
    const uint32_t step = t->side + GAP;
    t->room = mni_alloc(n, 4);
    t->composed = mni_alloc(n, 4);
    t->planes = mni_alloc(n, 3 * sizeof *t->planes);
    if (!t->room || !t->composed || !t->planes)
        return mni_fail(err, MANN_E_NOMEM, "preview: pictures of %u pixels a side",
                        (unsigned)size);
    MNI_TRY(mni_image_new(&t->view, size, size, 3, err));
    MNI_TRY(mni_image_new(t->out, t->n_views * step + 3 * GAP, n_rows * step + GAP, 3,
                          err));
    mni_draw_fill(t->out, white);
    return MANN_OK;
}

mann_status mni_train_preview(const mni_model *m, const mni_dataset *set,
                              const mann_train_config *c, uint32_t n_rows,
                              uint32_t n_views, mann_image *out, mann_error *err)
{
    size_t n;
    uint32_t n_drawn = 0;
    sheet t = { .cache = { .set = set }, .augment = mni_augment_preset(c->augment),
                .seed = c->seed, .n_views = n_views, .out = out };
    const void *prep = mni_model_attached(m, MNI_RECIPE_TAG, &n);
    const uint32_t n_classes = mni_dataset_n_classes(set);
    MNI_TRY(mni_recipe_decode(&t.cache.recipe, prep, n, err));
    if (n_rows > n_classes) n_rows = n_classes;
    mann_status s = n_rows ? sheet_init(&t, n_rows, err)
                           : mni_fail(err, MANN_E_NOT_FOUND, "preview: no class to show");
    if (s == MANN_OK) s = draw_rows(&t, n_rows, &n_drawn, err);
    if (s == MANN_OK && n_drawn == 0)
        s = mni_fail(err, MANN_E_NOT_FOUND, "preview: no photo could be read");
    mni_free(t.room);
    mni_free(t.composed);
    mni_free(t.planes);
    mann_image_clear(&t.view);
    if (s != MANN_OK) mann_image_clear(out);
    return s;
}
