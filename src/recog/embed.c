/* embed.c - photos to vectors with the gallery's own model.
 * SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "image/image.h"
#include "os/try.h"
#include "recog/embed.h"
#include "recog/views.h"

typedef struct job {
    const mni_model *model;
    const mni_recipe *recipe;
    const mann_image *images;
    float *input, *vectors, *out; /* vectors: of all views of a round */
    size_t input_floats;
    uint32_t views, n_views;
} job;

static mann_status prepare(void *ctx, size_t begin, size_t end, size_t chunk,
                           mann_error *err)
{
    const job *j = ctx;
    (void)chunk;
    for (size_t i = begin; i < end; i++)
        MNI_TRY(mni_views_prepare(j->recipe, j->views, &j->images[i],
                                  j->input + i * j->n_views * j->input_floats, err));
    return MANN_OK;
}

size_t mni_input_floats(const mni_model *m)
{
    mni_model_shape s = mni_model_shape_of(m);
    return (size_t)s.input_channels * s.input_size * s.input_size;
}

mann_status mni_model_recipe(const mni_model *m, mni_recipe *out, mann_error *err)
{
    size_t n;
    const mni_model_shape s = mni_model_shape_of(m);
    const void *prep = mni_model_attached(m, MNI_RECIPE_TAG, &n);
    MNI_TRY(mni_recipe_decode(out, prep, n, err));
    return mni_recipe_fits(out, s.input_channels, s.input_size, err);
}

enum { IMAGES_AT_ONCE = 64 };

mann_status mni_embed_images(const mni_model *m, const mni_recipe *recipe,
                             uint32_t views, const mann_image *images, size_t n,
                             mni_pool *pool, float *out, mann_error *err)
{
    job j = { m, recipe, images, NULL, NULL, out, mni_input_floats(m), views,
              mni_views_count(views) };
    uint32_t dim = mni_model_shape_of(m).dim;
    size_t at_once = IMAGES_AT_ONCE / j.n_views, most = n < at_once ? n : at_once;
    j.input = mni_alloc_aligned(most * j.n_views, j.input_floats * sizeof *j.input, 0);
    j.vectors = mni_alloc_aligned(most * j.n_views, dim * sizeof *j.vectors, 0);
    mann_status s = j.input && j.vectors
        ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "embed: input of %zu images", most);
    for (size_t at = 0; at < n && s == MANN_OK; at += most) {
        size_t now = n - at < most ? n - at : most;
        j.images = images + at;
        s = mni_parallel_try(pool, now, 1, prepare, &j, err);
        if (s == MANN_OK)
            s = mni_model_forward(m, j.input, now * j.n_views, pool, j.vectors, err);
        for (size_t i = 0; i < now && s == MANN_OK; i++)
            mni_views_join(j.vectors + i * j.n_views * dim, views, dim,
                           out + (at + i) * mni_views_dim(views, dim));
    }
    mni_free(j.input);
    mni_free(j.vectors);
    return s;
}

mann_status mni_gallery_model(mni_gallery *g, const mni_model **m, mann_error *err)
{
    mni_mutex_lock(&g->lock);
    *m = g->model;
    mni_mutex_unlock(&g->lock);
    if (*m) return MANN_OK;
    if (mni_gallery_fingerprint(g) == 0)
        return mni_fail(err, MANN_E_MISMATCH,
                        "%s: holds bare vectors, made without a model: photos cannot be "
                        "asked of it",
                        g->path);
    return mni_fail(err, MANN_E_MISMATCH,
                    "%s: does not carry its model (fingerprint %016llx): give it with "
                    "the model file",
                    g->path, (unsigned long long)mni_gallery_fingerprint(g));
}

mann_status mni_gallery_embed(mni_gallery *g, const mann_image *images, size_t n,
                              mni_pool *pool, float *out, mann_error *err)
{
    const mni_model *m;
    MNI_TRY(mni_gallery_model(g, &m, err));
    return mni_embed_images(m, &g->recipe, mni_gallery_views(g), images, n, pool, out,
                            err);
}

#define MAX_PHOTO_FILE (1ull << 30)

mann_status mni_gallery_photo(mni_gallery *g, const char *path, mann_image *out,
                              mann_error *err)
{
    const mni_model *m;
    mni_decode_opts opts;
    uint8_t *bytes;
    size_t n_bytes;
    *out = (mann_image){ 0, 0, 0, NULL };
    MNI_TRY(mni_gallery_model(g, &m, err));
    mni_recipe_decode_opts(&g->recipe, &opts);
    MNI_TRY(mni_source_read(g->sources, path, MAX_PHOTO_FILE, &bytes, &n_bytes, err));
    const mann_status s = mni_image_decode(out, bytes, n_bytes, &opts, err);
    mni_free(bytes);
    return s == MANN_OK ? s : mni_fail_prefix(err, s, "%s", path);
}
