/* toys_world.c - see toys_world.h. SPDX-License-Identifier: MIT */
#include "toys_world.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "harness.h"

const char *toys_path(const char *name)
{
    static char paths[8][512];
    static int at;
    char *p = paths[at++ % 8];
    snprintf(p, sizeof paths[0], "%s/%s", test_dir(), name);
    return p;
}

void toys_draw_some(const char *root, int from, int to, int first, int views)
{
    char path[600];
    mann_synth_config c;
    mann_synth_config_fill(&c, sizeof c);
    c.size = 32;
    c.strength = 0.5f;
    CHECK(mkdir(root, 0777) == 0);
    for (int k = from; k < to; k++)
        for (int v = 0; v < views; v++) {
            mann_image im;
            snprintf(path, sizeof path, "%s/k%02d", root, k);
            if (v == 0) CHECK(mkdir(path, 0777) == 0);
            snprintf(path, sizeof path, "%s/k%02d/%d.png", root, k, v);
            CHECK_OK(mann_synth_draw(&im, &c, (uint64_t)k, (uint64_t)(first + v), NULL));
            CHECK_OK(mann_image_write_png(path, &im, NULL));
            mann_image_clear(&im);
        }
}

void toys_draw(const char *root, int classes, int views)
{
    toys_draw_some(root, 0, classes, 0, views);
}

mann_gallery *toys_gallery_by(mann_model *m, const char *name, uint32_t views,
                                mann_metric metric, const char *set, uint32_t threads)
{
    mann_gallery_config c;
    mann_gallery *g;
    mann_dataset *d;
    mann_pool *p;
    mann_error e;
    mann_gallery_config_fill(&c, sizeof c);
    c.model = m;
    c.views = views;
    c.metric = metric;
    CHECK_OK(mann_pool_new(&p, threads, NULL));
    CHECK_FINE(mann_gallery_create(&g, toys_path(name), &c, &e), e);
    CHECK_FINE(mann_dataset_open(&d, set, NULL, &e), e);
    CHECK_FINE(mann_gallery_add_images(g, d, p, NULL, NULL, &e), e);
    CHECK_FINE(mann_gallery_build(g, NULL, "Flat", p, NULL, &e), e);
    mann_dataset_free(d);
    mann_pool_free(p);
    return g;
}

mann_gallery *toys_gallery(const char *name, uint32_t views, const char *set,
                                uint32_t threads)
{
    mann_model *m;
    CHECK_OK(mann_model_new(&m, "pixels", 0, 0, NULL));
    mann_gallery *g = toys_gallery_by(m, name, views, MANN_COSINE, set, threads);
    mann_model_free(m);
    return g;
}

typedef struct copying { float *rows; size_t n, dim; } copying;

static int copy_vector(void *user, const mann_record *r)
{
    copying *c = user;
    memcpy(c->rows + c->n++ * c->dim, r->vector, c->dim * sizeof *c->rows);
    return 0;
}

size_t toys_rows(mann_gallery *g, float *rows, size_t dim)
{
    copying c = { rows, 0, dim };
    CHECK_OK(mann_gallery_each(g, copy_vector, &c, NULL));
    return c.n;
}
