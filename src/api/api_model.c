/* api_model.c - metricann.h, chapter 5: models. SPDX-License-Identifier: MIT */
#include "api/api.h"
#include "api/golden.h"

#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "eval/calib.h"
#include "image/prep.h"
#include "nn/model.h"
#include "recog/embed.h"

mann_status mann_model_new(mann_model **out, const char *architecture, uint32_t dim,
                           uint64_t seed, mann_error *err)
{
    mni_recipe recipe;
    uint8_t bytes[MNI_RECIPE_BYTES];
    mann_model *m;
    MNI_NEED(out, "mann_model_new");
    *out = NULL;
    MNI_NEED(architecture, "mann_model_new");
    MNI_TRY(mni_model_new(&m, architecture, dim, seed, err));
    mni_recipe_fill(&recipe, mni_model_shape_of(m).input_size);
    if (mni_model_resnet(m))           /* -1..1: what a network learns from most easily */
        for (int k = 0; k < 3; k++) recipe.mean[k] = recipe.std[k] = 0.5f;
    mni_recipe_encode(&recipe, bytes);
    mann_status s = mni_model_attach(m, MNI_RECIPE_TAG, bytes, sizeof bytes, err);
    if (s != MANN_OK) { mni_model_free(m); return s; }
    *out = m;
    return MANN_OK;
}

mann_status mann_model_open(mann_model **out, const char *path, mann_error *err)
{
    MNI_NEED(out, "mann_model_open");
    *out = NULL;
    MNI_NEED(path, "mann_model_open");
    return mni_model_open(out, mni_vfs_posix(), path, err);
}

mann_status mann_model_save(const mann_model *m, const char *path, mann_error *err)
{
    MNI_NEED(m, "mann_model_save");
    MNI_NEED(path, "mann_model_save");
    return mni_model_save(m, mni_vfs_posix(), path, err);
}

mann_status mann_model_store_as(mann_model *m, uint32_t store, mann_error *err)
{
    MNI_NEED(m, "mann_model_store_as");
    if (store != MANN_STORE_F32 && store != MANN_STORE_F16)
        return mni_fail(err, MANN_E_ARG, "mann_model_store_as: %u, wanted f32 or f16",
                        (unsigned)store);
    MNI_TRY(mni_model_store_as(m, store == MANN_STORE_F16 ? MNI_F16 : MNI_F32, err));
    return mni_golden_attach(m, NULL, err);
}

mann_status mann_model_selftest(const mann_model *m, const mann_hooks *h, mann_error *err)
{
    MNI_NEED(m, "mann_model_selftest");
    return mni_golden_check(m, h, err);
}

/* What no training measured is measured on toys: drawn alike on every machine. */
static mann_status measure_on_toys(mann_model *m, mann_error *err)
{
    enum { TOYS = 32, VIEWS = 2, SIDE = 96 };
    mni_recipe recipe;
    MNI_TRY(mni_model_recipe(m, &recipe, err));
    const size_t floats = mni_input_floats(m);
    float *input = mni_alloc_aligned(TOYS, floats * sizeof *input, 0);
    if (!input) return mni_fail(err, MANN_E_NOMEM, "model: %d pictures", TOYS);
    mann_synth_config c;
    mann_synth_config_fill(&c, sizeof c);
    c.size = SIDE;
    mann_status s = MANN_OK;
    for (uint64_t i = 0; s == MANN_OK && i < TOYS; i++)
        s = mni_toy_input(&recipe, &c, i / VIEWS, i % VIEWS, input + i * floats, err);
    if (s == MANN_OK) s = mni_model_measure(m, input, TOYS, err);
    mni_free(input);
    return s;
}

mann_status mann_model_set_precision(mann_model *m, uint32_t precision, mann_error *err)
{
    MNI_NEED(m, "mann_model_set_precision");
    if (precision < MANN_PRECISION_F32 || precision > MANN_PRECISION_INT8)
        return mni_fail(err, MANN_E_ARG,
                        "mann_model_set_precision: %u, wanted f32, bf16 or int8",
                        (unsigned)precision);
    if (precision == MANN_PRECISION_INT8 && mni_model_resnet(m) && !mni_model_measured(m))
        MNI_TRY(measure_on_toys(m, err));
    return mni_model_set_precision(m, (mni_precision)precision, err);
}

void     mann_model_free(mann_model *m) { mni_model_free(m); }
uint32_t mann_model_dim(const mann_model *m) { return m ? mni_model_shape_of(m).dim : 0; }

static mann_status check_images(const mann_image *images, size_t n, const char *call,
                                mann_error *err)
{
    if (n) MNI_NEED(images, call);
    for (size_t i = 0; i < n; i++)
        if (!images[i].pixels || !images[i].width || !images[i].height ||
            (images[i].channels != 3 && images[i].channels != 4))
            return mni_fail(
                err, MANN_E_ARG,
                "%s: image %zu is %u x %u with %u channels, wanted pixels with 3 or 4",
                call, i, (unsigned)images[i].width, (unsigned)images[i].height,
                (unsigned)images[i].channels);
    return MANN_OK;
}

mann_status mann_model_embed(const mann_model *m, const mann_image *images, size_t n,
                             mann_pool *p, float *out, mann_error *err)
{
    mni_recipe recipe;
    MNI_NEED(m, "mann_model_embed");
    MNI_TRY(check_images(images, n, "mann_model_embed", err));
    if (n == 0) return MANN_OK;
    MNI_NEED(out, "mann_model_embed");
    MNI_TRY(mni_model_recipe(m, &recipe, err));
    return mni_embed_images(m, &recipe, 0, images, n, p, out, err);
}

mann_status mann_gallery_embed(mann_gallery *g, const mann_image *images, size_t n,
                               mann_pool *p, float *out, mann_error *err)
{
    MNI_NEED(g, "mann_gallery_embed");
    MNI_TRY(check_images(images, n, "mann_gallery_embed", err));
    if (n == 0) return MANN_OK;
    MNI_NEED(out, "mann_gallery_embed");
    return mni_gallery_embed(g, images, n, p, out, err);
}

mann_status mann_gallery_photo(mann_gallery *g, const char *path, mann_image *out,
                               mann_error *err)
{
    MNI_NEED(out, "mann_gallery_photo");
    *out = (mann_image){ 0, 0, 0, NULL };
    MNI_NEED(g, "mann_gallery_photo");
    MNI_NEED(path, "mann_gallery_photo");
    return mni_gallery_photo(g, path, out, err);
}

/* What training wrote about its model (train/loop.c). A text that cannot be read is no
 * result. */
static void take_validation(const mann_model *m, mann_model_info *info)
{
    size_t n;
    mni_json_doc doc;
    const char *text = mni_model_attached(m, "VALI", &n);
    info->val_recall = NAN;
    if (!text || mni_json_parse(&doc, text, n, NULL) != MANN_OK) return;
    const mni_json_node *recall = mni_json_get(&doc, doc.nodes, "recall_at_1");
    const mni_json_node *classes = mni_json_get(&doc, doc.nodes, "classes");
    const mni_json_node *images = mni_json_get(&doc, doc.nodes, "images");
    if (recall && classes && images && recall->kind == MNI_JSON_NUMBER) {
        info->val_recall = (float)recall->number;
        info->val_classes = (uint32_t)classes->u64;
        info->val_images = (uint32_t)images->u64;
    }
    mni_json_doc_fini(&doc);
}

mann_status mann_model_describe(const mann_model *m, mann_model_info *info,
                                mann_error *err)
{
    size_t n;
    MNI_NEED(m, "mann_model_describe");
    MNI_NEED(info, "mann_model_describe");
    mni_model_shape shape = mni_model_shape_of(m);
    mann_model_info i = { .dim = shape.dim,
                          .input_size = shape.input_size,
                          .n_parameters = shape.n_parameters,
                          .fingerprint = mni_model_fingerprint(m) };
    take_validation(m, &i);
    i.precision = (uint32_t)mni_model_precision(m);
    i.measured = (uint32_t)mni_model_measured(m);
    i.n_golden = mni_golden_count(m);
    i.calibrated = mni_model_attached(m, MNI_CALIB_TAG, &n) != NULL;
    snprintf(i.architecture, sizeof i.architecture, "%s", shape.architecture);
    return mni_give_sized(info, &i, sizeof i, "mann_model_describe", err);
}
