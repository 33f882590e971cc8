/* test_turns.c - photos looked at in four quarter turns, in the gallery: what
 * MANN_VIEW_TURNS makes of them, and how wide. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "image/image.h"
#include "recog/gallery.h"
#include "recog/views.h"
#include "toys_world.h"

/* A photo turned to the left by `quarters`: pixel by pixel, by hand. */
static void turned_by(const mann_image *im, int quarters, mann_image *out)
{
    const uint32_t n = im->width, c = im->channels;
    CHECK_EQ(im->width, im->height);
    CHECK_OK(mni_image_new(out, n, n, c, NULL));
    for (uint32_t y = 0; y < n; y++)
        for (uint32_t x = 0; x < n; x++) {
            uint32_t from_x = x, from_y = y;
            for (int q = 0; q < quarters; q++) {
                const uint32_t was = from_x;
                from_x = n - 1 - from_y;
                from_y = was;
            }
            memcpy(out->pixels + ((size_t)y * n + x) * c,
                   im->pixels + ((size_t)from_y * n + from_x) * c, c);
        }
}

/* A gallery of turns answers by the mean of what one that looks once says of two photos
 * that are both turned so: two fifths of it as they stand. By a network (of drawn
 * weights): `pixels` says of all turns the same. */
static void mean_of_four(void)
{
    enum { D = 64 };
    const char *set = toys_path("set");
    float wide[4 * D], part[2][D];
    mann_gallery_info info = { .struct_size = sizeof info };
    mann_search how;
    mann_hit hit;
    mann_answer a;
    mann_model *m;
    mann_image im[2];
    toys_draw(set, 6, 2);
    CHECK_OK(mann_model_new(&m, "micro@32", 0, 3, NULL));
    CHECK_EQ(mann_model_dim(m), D);
    mann_gallery *plain = toys_gallery_by(m, "plain.mann", 0, MANN_COSINE, set, 1);
    mann_gallery *g = toys_gallery_by(m, "turns.mann", MANN_VIEW_TURNS, MANN_COSINE, set,
                                      1),
                 *again = toys_gallery_by(m, "again.mann", MANN_VIEW_TURNS, MANN_COSINE,
                                          set, 3);
    mann_model_free(m);
    for (int i = 0; i < 2; i++)
        CHECK_OK(mann_gallery_photo(
            plain, toys_path(i ? "set/k03/1.png" : "set/k03/0.png"), &im[i], NULL));
    double score = 0, dots[4] = { 0 };
    for (int q = 0; q < 4; q++) {
        for (int i = 0; i < 2; i++) {
            mann_image t;
            turned_by(&im[i], q, &t);
            CHECK_OK(mann_gallery_embed(plain, &t, 1, NULL, part[i], NULL));
            mann_image_clear(&t);
        }
        for (int j = 0; j < D; j++) dots[q] += (double)part[0][j] * (double)part[1][j];
        score += (q ? 0.2 : 0.4) * dots[q];
        if (q) CHECK(fabs(dots[q] - dots[0]) > 5e-3);
    }
    CHECK_OK(mann_gallery_embed(g, &im[1], 1, NULL, wide, NULL));
    const mann_matrix asked = { wide, 1, sizeof wide / sizeof *wide, 0 };
    CHECK_OK(mann_gallery_remove(g, (const uint64_t[]){ 7 }, 1, NULL, NULL));
    mann_search_fill(&how, sizeof how, 6);
    mann_hit hits[6];
    CHECK_OK(mann_gallery_identify(g, asked, &how, NULL, hits, &a, NULL));
    int at = 0;
    while (at < 5 && hits[at].klass != 3) at++;
    CHECK_EQ(hits[at].klass, 3);
    CHECK_NEAR(hits[at].score, score, 1e-5);
    /* Enrolled by three threads it is the row that was asked here, bit for bit; and so it
     * is read from the file. */
    mann_gallery_free(again);
    CHECK_OK(mann_gallery_open(&again, toys_path("again.mann"), MANN_OPEN_READ, NULL));
    CHECK_OK(mann_gallery_describe(again, &info, NULL));
    CHECK_EQ(info.dim, 4 * D);
    CHECK_EQ(info.views, MANN_VIEW_TURNS);
    how.k = 1;
    CHECK_OK(mann_gallery_identify(again, asked, &how, NULL, &hit, &a, NULL));
    CHECK(hit.klass == 3 && hit.score == 1.0f && hit.id == 7);
    for (int i = 0; i < 2; i++) mann_image_clear(&im[i]);
    mann_gallery_free(plain);
    mann_gallery_free(g);
    mann_gallery_free(again);
}

/* All 48 looks: rows are the same from one thread and from three, and what a photo gives
 * does not depend on how many are embedded with it. */
static void in_any_company(void)
{
    enum { D = 4 * 64, PHOTOS = 70 };
    static float rows[2][12 * D], together[PHOTOS * D], alone[D];
    const char *set = toys_path("set");
    mann_image im[PHOTOS];
    mann_model *m;
    mann_gallery *g[3];
    toys_draw(set, 6, 2);
    CHECK_OK(mann_model_new(&m, "micro@16", 0, 3, NULL));
    g[0] = toys_gallery_by(m, "a.mann", MNI_ALL_VIEWS, MANN_COSINE, set, 1);
    g[1] = toys_gallery_by(m, "b.mann", MNI_ALL_VIEWS, MANN_COSINE, set, 3);
    g[2] = toys_gallery_by(m, "c.mann", MANN_VIEW_TURNS, MANN_COSINE, set, 1);
    mann_model_free(m);
    for (int i = 0; i < 2; i++) CHECK_EQ(toys_rows(g[i], rows[i], D), 12);
    CHECK(memcmp(rows[0], rows[1], sizeof rows[0]) == 0);
    for (int i = 0; i < PHOTOS; i++) {
        char name[32];
        snprintf(name, sizeof name, "set/k%02d/%d.png", i / 2 % 6, i % 2);
        CHECK_OK(mann_gallery_photo(g[0], toys_path(name), &im[i], NULL));
    }
    for (int kind = 0; kind < 3; kind += 2) {       /* a round of one photo, and of 16 */
        CHECK_OK(mann_gallery_embed(g[kind], im, PHOTOS, NULL, together, NULL));
        for (int i = 0; i < PHOTOS; i++) {
            CHECK_OK(mann_gallery_embed(g[kind], &im[i], 1, NULL, alone, NULL));
            CHECK(memcmp(alone, together + i * D, sizeof alone) == 0);
        }
    }
    for (int i = 0; i < PHOTOS; i++) mann_image_clear(&im[i]);
    for (int i = 0; i < 3; i++) mann_gallery_free(g[i]);
}

static void as_wide_as_it_says(void)
{
    mann_gallery_config c;
    mann_gallery *g;
    mann_model *m;
    mann_error e;
    mann_gallery_config_fill(&c, sizeof c);
    CHECK_OK(mann_model_new(&m, "pixels", 0, 0, NULL));
    c.model = m;
    c.views = MANN_VIEW_TURNS;
    c.dim = 768;
    CHECK_IS(mann_gallery_create(&g, toys_path("a.mann"), &c, &e), MANN_E_ARG);
    CHECK(strstr(e.text, "768") && strstr(e.text, "3072, four turns"));
    /* A file that says otherwise of itself is not believed. */
    c.metric = MANN_COSINE;
    c.store = MANN_STORE_F32;
    CHECK_IS(mni_gallery_create(&g, mni_vfs_posix(), toys_path("c.mann"), &c, &e),
             MANN_E_FORMAT);
    CHECK(strstr(e.text, "768") && strstr(e.text, "3072"));
    c.dim = 3072;
    CHECK_OK(mann_gallery_create(&g, toys_path("a.mann"), &c, NULL));
    mann_gallery_free(g);
    c.views = MNI_ALL_VIEWS + 1;
    CHECK_IS(mann_gallery_create(&g, toys_path("b.mann"), &c, &e), MANN_E_ARG);
    c.views = MANN_VIEW_TURNS;
    c.model = NULL;
    CHECK_IS(mann_gallery_create(&g, toys_path("b.mann"), &c, &e), MANN_E_ARG);
    CHECK(strstr(e.text, "no model"));
    mann_model_free(m);
}

const test_case turns_tests[] = {
    { "mean_of_four", mean_of_four, 0 },
    { "in_any_company", in_any_company, 0 },
    { "as_wide_as_it_says", as_wide_as_it_says, 0 },
    { NULL, NULL, 0 },
};
