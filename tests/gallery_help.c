/* gallery_help.c - see gallery_help.h. SPDX-License-Identifier: MIT */
#include "gallery_help.h"

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "harness.h"

mann_gallery_config gallery_config(mann_metric metric, mann_store store)
{
    mann_gallery_config c;
    mann_gallery_config_fill(&c, sizeof c);
    c.metric = (uint32_t)metric;
    c.store = (uint32_t)store;
    c.dim = DIM;
    return c;
}

/* Rows of a class lie round a centre of their own. */
void gallery_vector(uint32_t klass, uint32_t view, float *out)
{
    mni_rng centre = mni_rng_at(test_seed(), MNI_FOR_TEST, 1, klass, 0);
    mni_rng noise = mni_rng_at(test_seed(), MNI_FOR_TEST, 2, klass, view + 1);
    for (int i = 0; i < DIM; i++)
        out[i] = mni_rng_normal(&centre) + 0.2f * mni_rng_normal(&noise);
}

mann_status gallery_add_view(mni_gallery *g, uint32_t klass, uint32_t view, uint64_t *id,
                            mann_error *err)
{
    char name[32], source[64];
    float v[DIM];
    gallery_vector(klass, view, v);
    snprintf(name, sizeof name, "class-%u", (unsigned)klass);
    snprintf(source, sizeof source, "%s/%u.png", name, (unsigned)view);
    mni_new_row row = {
        .klass = name, .source = source, .vector = v, .content_hash = klass * 1000 + view
    };
    return mni_gallery_add(g, &row, 1, id, err);
}

mann_status gallery_make(mni_gallery **g, const mni_vfs *v, const char *path,
                        mann_store store, uint32_t classes, uint32_t views,
                        mann_error *err)
{
    mann_gallery_config c = gallery_config(MANN_COSINE, store);
    mann_status s = mni_gallery_create(g, v, path, &c, err);
    for (uint32_t k = 0; s == MANN_OK && k < classes; k++)
        for (uint32_t i = 0; s == MANN_OK && i < views; i++)
            s = gallery_add_view(*g, k, i, NULL, err);
    if (s != MANN_OK) { mni_gallery_free(*g); *g = NULL; }
    return s;
}

mann_answer gallery_identify(mni_gallery *g, const float *q, uint32_t k, mann_hit *hits)
{
    mann_answer a;
    mann_error e = { MANN_OK, "" };
    mann_search s;
    mann_search_fill(&s, sizeof s, k);
    mann_matrix m = { q, 1, DIM, DIM };
    CHECK_FINE(mni_gallery_identify(g, m, &s, NULL, hits, &a, &e), e);
    return a;
}

void gallery_check_name(mni_gallery *g, uint32_t klass, const char *want)
{
    char name[64];
    CHECK_OK(mni_gallery_class_name(g, klass, name, sizeof name, NULL));
    CHECK_STR(name, want);
}
