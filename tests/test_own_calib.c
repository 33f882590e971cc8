/* test_own_calib.c - by whose experience a gallery tells strangers apart: by its own
 * photos', by what its model held out, or by the stricter of both.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "eval/calib.h"
#include "harness.h"
#include "index/rows.h"
#include "nn/model.h"
#include "toys_world.h"

/* A model whose held-out classes were all but one point (apart 0: nobody would be known)
 * or at right angles (1: anybody would). */
static mann_model *model_that_held_out(int apart)
{
    enum { CLASSES = 12, ROWS = 2 * CLASSES, WIDE = CLASSES + 1 };
    float rows[ROWS * WIDE] = { 0 };
    uint32_t labels[ROWS];
    mann_model *m;
    mni_calib c;
    for (uint32_t i = 0; i < ROWS; i++) {
        float *row = rows + WIDE * i;
        row[CLASSES] = apart ? 1e-3f : 1;
        row[i / 2] = (apart ? 1 : 1e-3f) * (float)(i + 1);
        labels[i] = i / 2;
        CHECK_OK(mni_rows_prepare(MANN_COSINE, row, WIDE, "row", i, NULL));
    }
    CHECK_OK(mni_calib_measure(&c, rows, labels, ROWS, WIDE, CLASSES, MANN_COSINE, 0, 0,
                               1, NULL, NULL));
    uint8_t *bytes = mni_alloc(mni_calib_bytes(), 1);
    CHECK(bytes);
    mni_calib_encode(&c, bytes);
    CHECK_OK(mann_model_new(&m, "pixels", 0, 0, NULL));
    CHECK_OK(mni_model_attach(m, MNI_CALIB_TAG, bytes, mni_calib_bytes(), NULL));
    mni_free(bytes);
    return m;
}

static float threshold_of(mann_gallery *g)
{
    float v[768] = { 1 };
    mann_hit hit;
    mann_answer a;
    mann_search s;
    mann_search_fill(&s, sizeof s, 1);
    CHECK_OK(mann_gallery_identify(g, (mann_matrix){ v, 1, 768, 0 }, &s, NULL, &hit, &a,
                                   NULL));
    return a.threshold;
}

/* Of 20 classes the gallery is believed; of 8 to 19 whichever is stricter, the gallery or
 * the model; of 7 the model; also by several looks, though the model was measured by one.
 * An evaluation goes by the same rule. */
static void calibrated_on_itself(void)
{
    static const int n_classes[] = { 7, 8, 19, 20 };
    for (int i = 0; i < 12; i++) {
        const int classes = n_classes[i / 3], apart = i % 3 == 0;
        const uint32_t views = i % 3 == 2 ? MANN_VIEW_FLIP : 0;
        char name[32], mann[32];
        mann_eval_config c;
        mann_scores r = { .struct_size = sizeof r };
        snprintf(name, sizeof name, "set%d", i);
        snprintf(mann, sizeof mann, "set%d.mann", i);
        const char *set = toys_path(name);
        toys_draw(set, classes, 3);
        mann_model *m = model_that_held_out(apart);
        mann_gallery *g = toys_gallery_by(m, mann, views, MANN_COSINE, set, 1);
        const float t = threshold_of(g);
        CHECK((t > 0.9999f) == (classes < 20 && !apart));
        CHECK((t < 0.1f) == (classes < 8 && apart));
        mann_dataset *d;
        CHECK_OK(mann_dataset_open(&d, set, NULL, NULL));
        mann_eval_config_fill(&c, sizeof c);
        c.refs = 2;
        CHECK_OK(mann_evaluate(g, d, &c, NULL, NULL, NULL, &r, NULL));
        CHECK((r.fnir == 1) == (classes < 20 && !apart));
        mann_dataset_free(d);
        mann_gallery_free(g);
        mann_model_free(m);
    }
}

/* What was measured of cosines says nothing of distances. */
static void not_calibrated_by_another_metric(void)
{
    const char *set = toys_path("seven");
    toys_draw(set, 7, 2);
    mann_model *m = model_that_held_out(1);
    mann_gallery *g = toys_gallery_by(m, "cosine.mann", 0, MANN_COSINE, set, 1);
    CHECK(isfinite(threshold_of(g)));
    mann_gallery_free(g);
    g = toys_gallery_by(m, "l2.mann", 0, MANN_L2, set, 1);
    CHECK(isnan(threshold_of(g)));
    mann_gallery_free(g);
    mann_model_free(m);
}

/* With twenty classes a gallery's own photos decide alone: compacting measures them again
 * when the twentieth came since, though the rows have not doubled. */
static void measured_again_when_it_is_large_enough(void)
{
    const char *set = toys_path("first"), *more = toys_path("more");
    mann_dataset *d;
    toys_draw(set, 15, 3);
    toys_draw_some(more, 15, 25, 0, 3);
    mann_model *m = model_that_held_out(0);
    mann_gallery *g = toys_gallery_by(m, "a.mann", 0, MANN_COSINE, set, 1);
    CHECK(threshold_of(g) > 0.9999f);               /* the stricter: the model */
    CHECK_OK(mann_dataset_open(&d, more, NULL, NULL));
    CHECK_OK(mann_gallery_add_images(g, d, NULL, NULL, NULL, NULL));
    CHECK(threshold_of(g) > 0.9999f);
    CHECK_OK(mann_gallery_compact(g, NULL, NULL, NULL));
    CHECK(threshold_of(g) < 0.9999f);
    mann_dataset_free(d);
    mann_gallery_free(g);
    mann_model_free(m);
}

const test_case own_calib_tests[] = {
    { "calibrated_on_itself", calibrated_on_itself, 0 },
    { "not_calibrated_by_another_metric", not_calibrated_by_another_metric, 0 },
    { "measured_again_when_it_is_large_enough", measured_again_when_it_is_large_enough,
      0 },
    { NULL, NULL, 0 },
};
