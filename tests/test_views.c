/* test_views.c - photos looked at several times, classes that answer by their mean, and
 * what an evaluation tells beside its figures. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "eval/bootstrap.h"
#include "harness.h"
#include "image/image.h"
#include "recog/prototype.h"
#include "recog/views.h"
#include "toys_world.h"

enum {
    SIDE = 40, SIZE = 16, FLOATS = 3 * SIZE * SIZE,
    UPRIGHT = MANN_VIEW_FLIP | MANN_VIEW_ZOOM | MANN_VIEW_CORNERS
};

static void picture(mann_image *im)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, 0);
    CHECK_OK(mni_image_new(im, SIDE, SIDE, 3, NULL));
    for (size_t i = 0; i < 3 * SIDE * SIDE; i++)
        im->pixels[i] = (uint8_t)mni_rng_below(&r, 256);
}

static void counts_and_windows(void)
{
    static float all[12 * FLOATS], once[FLOATS];
    const uint32_t counts[8] = { 1, 2, 2, 4, 5, 10, 6, 12 };
    mann_image im, part;
    mni_recipe r;
    for (uint32_t v = 0; v < 8; v++) {
        CHECK_EQ(mni_views_count(v), counts[v]);
        CHECK_EQ(mni_views_count(v | MANN_VIEW_TURNS), 4 * counts[v]);
        CHECK_EQ(mni_views_dim(v, 5), 5);
        CHECK_EQ(mni_views_dim(v | MANN_VIEW_TURNS, 5), 20);
    }
    CHECK_EQ(mni_views_count(MNI_ALL_VIEWS), MNI_MOST_VIEWS);
    picture(&im);
    mni_recipe_fill(&r, SIZE);
    CHECK_OK(mni_views_prepare(&r, UPRIGHT, &im, all, NULL));
    CHECK_OK(mni_prep_run(&r, &im, once, NULL));
    CHECK(memcmp(all, once, sizeof once) == 0); /* the photo as it is comes first */
    /* The second half mirrors the first. */
    for (int v = 0; v < 6; v++)
        for (int line = 0; line < 3 * SIZE; line++)
            for (int x = 0; x < SIZE; x++)
                CHECK(all[v * FLOATS + line * SIZE + x] ==
                      all[(v + 6) * FLOATS + line * SIZE + SIZE - 1 - x]);
    /* Each turn has on top what was the right edge before it. */
    CHECK_OK(mni_views_prepare(&r, MANN_VIEW_TURNS, &im, all, NULL));
    CHECK(memcmp(all, once, sizeof once) == 0);
    for (int q = 1; q < 4; q++)
        for (int plane = 0; plane < 3; plane++)
            for (int y = 0; y < SIZE; y++)
                for (int x = 0; x < SIZE; x++)
                    CHECK(all[((q * 3 + plane) * SIZE + y) * SIZE + x] ==
                          all[((q * 3 - 3 + plane) * SIZE + x) * SIZE + SIZE - 1 - y]);
    CHECK_OK(mni_views_prepare(&r, UPRIGHT, &im, all, NULL));
    /* The middle and the last corner are 34 of 40 pixels, cut out by hand. */
    CHECK_OK(mni_image_new(&part, 34, 34, 3, NULL));
    for (int corner = 0; corner < 2; corner++) {
        const int at = corner ? 6 : 3;
        for (int y = 0; y < 34; y++)
            memcpy(part.pixels + 3 * 34 * y, im.pixels + 3 * (SIDE * (y + at) + at),
                   3 * 34);
        CHECK_OK(mni_prep_run(&r, &part, once, NULL));
        CHECK(memcmp(all + (corner ? 5 : 1) * FLOATS, once, sizeof once) == 0);
    }
    mann_image_clear(&part);
    mann_image_clear(&im);
}

static void means(void)
{
    const float two[4] = { 3, 0, 0, 0.5f }, apart[4] = { 1, 0, -1, 0 };
    float out[2];
    mni_views_join(two, 0, 2, out);
    CHECK(out[0] == 3 && out[1] == 0); /* one view: as it is */
    mni_views_join(two, MANN_VIEW_FLIP, 2, out); /* each at unit length: the diagonal */
    CHECK_NEAR(out[0], sqrt(0.5), 1e-6);
    CHECK_NEAR(out[1], sqrt(0.5), 1e-6);
    mni_views_join(apart, MANN_VIEW_ZOOM, 2, out);
    CHECK(out[0] == 0 && out[1] == 0);
}

/* Four turns of two views each: of each turn the mean, the upright one at twice the
 * weight, one behind the other; also where the views themselves lie. */
static void turns_stand_side_by_side(void)
{
    float views[16] = { 3, 0, 0, 0.5f, 0, 2, 0, 2, -1, 0, -1, 0, 1, 0, -1, 0 }, out[8];
    const double half = sqrt(0.5), up = sqrt(0.4), other = sqrt(0.2);
    const double want[8] = { up * half, up * half, 0, other, -other, 0, 0, 0 };
    const uint32_t looks = MANN_VIEW_FLIP | MANN_VIEW_TURNS;
    mni_views_join(views, looks, 2, out);
    for (int i = 0; i < 8; i++) CHECK_NEAR(out[i], want[i], 1e-6);
    mni_views_join(views, looks, 2, views);
    CHECK(memcmp(views, out, sizeof out) == 0);
    mni_views_join(views + 8, MANN_VIEW_TURNS, 2, out); /* one a turn: -1 0, -1 0 ... */
    CHECK_NEAR(out[0], -up, 1e-6);
    CHECK_NEAR(out[2], -other, 1e-6);
    CHECK_NEAR(out[4], other, 1e-6);
    CHECK_NEAR(out[6], -other, 1e-6);
}

static void prototypes(void)
{
    const float q[2] = { 0.6f, 0.8f }, less[2] = { 1, 0 };
    const double sum[2] = { 1, 1 }; /* of (1, 0) and (0, 1) */
    CHECK_NEAR(mni_prototype_score(MANN_COSINE, q, sum, NULL, 2, 2), 1.4 * sqrt(0.5),
               1e-6);
    CHECK_NEAR(mni_prototype_score(MANN_INNER, q, sum, NULL, 2, 2), 0.7, 1e-6);
    CHECK_NEAR(mni_prototype_score(MANN_L2, q, sum, NULL, 2, 2), -(0.01 + 0.09), 1e-6);
    CHECK_NEAR(mni_prototype_score(MANN_COSINE, q, sum, less, 1, 2), 0.8, 1e-6);
    CHECK(isinf(mni_prototype_score(MANN_COSINE, q, sum, less, 0, 2)));
}

/* --- bootstrap ---------------------------------------------------------------------- */

/* The share of a fair coin over 400 classes of one photo: half, give or take 1.96 times
 * the root of 1/1600; and classes whose photos agree are worth one photo each. */
static void bootstrap(void)
{
    double hit[400], n[400], low, high, again;
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 1, 0, 0);
    double share = 0;
    for (int i = 0; i < 400; i++) {
        n[i] = 1;
        hit[i] = mni_rng_unit(&r) < 0.5f;
        share += hit[i] / 400;
    }
    mni_bootstrap(hit, n, 400, 1, 0, &low, &high);
    CHECK_NEAR(low, share - 0.049, 0.012);
    CHECK_NEAR(high, share + 0.049, 0.012);
    mni_bootstrap(hit, n, 400, 1, 0, &again, &high);
    CHECK(again == low);
    for (int i = 0; i < 400; i++) { n[i] = 50; hit[i] *= 50; }
    mni_bootstrap(hit, n, 400, 1, 0, &again, &high);
    CHECK_NEAR(again, low, 1e-12);
    for (int i = 0; i < 400; i++) n[i] = hit[i] = i == 7 ? 3 : 0;
    mni_bootstrap(hit, n, 400, 1, 0, &low, &high);
    CHECK(low == 1 && high == 1);
    n[7] = 0;
    mni_bootstrap(hit, n, 400, 1, 0, &low, &high);
    CHECK(isnan(low) && isnan(high));
}

/* --- a gallery that looks several times --------------------------------------------- */

static void kept_in_the_gallery(void)
{
    static float rows[4][24 * 768];
    mann_gallery *g[4];
    mann_gallery_info info = { .struct_size = sizeof info };
    mann_error e;
    mann_image im;
    float asked[768];
    const char *set = toys_path("set");
    toys_draw(set, 12, 2);
    g[0] = toys_gallery("a.mann", 0, set, 1);
    g[1] = toys_gallery("b.mann", UPRIGHT, set, 1);
    g[2] = toys_gallery("c.mann", UPRIGHT, set, 3);
    g[3] = toys_gallery("d.mann", MANN_VIEW_FLIP, set, 2);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(toys_rows(g[i], rows[i], 768), 24);
    }
    CHECK(memcmp(rows[1], rows[2], sizeof rows[1]) == 0); /* any number of threads */
    CHECK(memcmp(rows[0], rows[1], sizeof rows[1]) != 0);
    CHECK(memcmp(rows[3], rows[1], sizeof rows[1]) != 0);
    /* A photo is asked as it was enrolled: bit for bit. */
    CHECK_FINE(mann_gallery_photo(g[1], toys_path("set/k00/0.png"), &im, &e), e);
    CHECK_OK(mann_gallery_embed(g[1], &im, 1, NULL, asked, NULL));
    double dot = 0;
    for (int i = 0; i < 768; i++) dot += (double)asked[i] * rows[1][i];
    CHECK_NEAR(dot, 1, 1e-6);
    mann_image_clear(&im);
    /* Merged only with its like; described; and there after opening again. */
    CHECK_IS(mann_gallery_merge(g[0], g[1], NULL, NULL, &e), MANN_E_MISMATCH);
    CHECK(strstr(e.text, "looks at photos"));
    for (int i = 0; i < 4; i++) mann_gallery_free(g[i]);
    CHECK_OK(mann_gallery_open(&g[0], toys_path("b.mann"), MANN_OPEN_READ, NULL));
    CHECK_OK(mann_gallery_describe(g[0], &info, NULL));
    CHECK_EQ(info.views, UPRIGHT);
    mann_gallery_free(g[0]);
}

/* --- what an evaluation tells ------------------------------------------------------- */

typedef struct tally { uint64_t n, right, strangers, accepted; double own; } tally;

static void count(void *user, const mann_eval_query *q)
{
    tally *t = user;
    CHECK(q->path && q->klass);
    if (q->stranger) {
        t->strangers++;
        t->accepted += q->known != 0;
        CHECK_EQ(q->rank, 0);
        return;
    }
    t->n++;
    t->right += q->rank == 1;
    t->own += (double)q->own_score;
    CHECK((q->rank == 1) == (strcmp(q->first, q->klass) == 0));
    CHECK(q->score >= q->own_score);
    CHECK(q->first_source != NULL);
}

/* An evaluation says of a photo that is not in the gallery what a search does: the two
 * compute scores of classes in ways of their own. */
typedef struct same_as {
    mann_gallery *g;
    const char *set;
    mann_search how;
    int n;
} same_as;

static void as_identify(void *user, const mann_eval_query *q)
{
    same_as *t = user;
    char path[1024];
    float v[768];
    mann_image im;
    mann_hit hits[2];
    mann_answer a;
    if (!strstr(q->path, "/3.png")) return;     /* the others are in the gallery */
    snprintf(path, sizeof path, "%s/%s", t->set, q->path);
    CHECK_OK(mann_image_read(&im, path, NULL));
    CHECK_OK(mann_gallery_embed(t->g, &im, 1, NULL, v, NULL));
    CHECK_OK(mann_gallery_identify(t->g, (mann_matrix){ v, 1, 768, 0 }, &t->how, NULL,
                                   hits, &a, NULL));
    CHECK_NEAR(q->score, hits[0].score, 1e-5);
    CHECK_NEAR(q->margin, a.margin, 2e-5);
    CHECK_EQ(q->known != 0, a.verdict == MANN_KNOWN);
    mann_image_clear(&im);
    t->n++;
}

static void told_as_answered(void)
{
    const char *refs = toys_path("refs"), *set = toys_path("more");
    mann_eval_config c;
    mann_scores r = { .struct_size = sizeof r };
    mann_dataset *d;
    toys_draw(refs, 20, 3);
    toys_draw(set, 20, 4);
    same_as t = { toys_gallery("refs.mann", 0, refs, 2), set, { 0 }, 0 };
    CHECK_OK(mann_dataset_open(&d, set, NULL, NULL));
    for (uint32_t way = MANN_AGGREGATE_MAX; way <= MANN_AGGREGATE_BLEND; way++) {
        if (way == MANN_AGGREGATE_VOTE) continue;   /* an evaluation ranks by rows then */
        mann_search_fill(&t.how, sizeof t.how, 2);
        t.how.aggregate = way;
        t.how.false_accept = 0.3f;                  /* so that some are known */
        mann_eval_config_fill(&c, sizeof c);
        c.each = as_identify;
        c.user = &t;
        CHECK_OK(mann_evaluate(t.g, d, &c, &t.how, NULL, NULL, &r, NULL));
    }
    CHECK_EQ(t.n, 4 * 20);
    mann_dataset_free(d);
    mann_gallery_free(t.g);
}

static int is_png(const char *path)
{
    mann_image im;
    const int ok = mann_image_read(&im, path, NULL) == MANN_OK && im.width > 100;
    mann_image_clear(&im);
    return ok;
}

static void told(void)
{
    const char *set = toys_path("set");
    mann_eval_config c;
    mann_search how;
    mann_dataset *d;
    mann_error e;
    toys_draw(set, 20, 4);
    mann_gallery *g = toys_gallery("a.mann", 0, set, 2);
    CHECK_OK(mann_dataset_open(&d, set, NULL, NULL));
    for (uint32_t way = 0; way < 3; way++) /* the gallery; 2 references; strangers too */
        for (uint32_t how_to = MANN_AGGREGATE_MAX; how_to <= MANN_AGGREGATE_BLEND;
             how_to++) {
            mann_scores r = { .struct_size = sizeof r };
            tally t = { 0 };
            mann_eval_config_fill(&c, sizeof c);
            mann_search_fill(&how, sizeof how, 5);
            how.aggregate = how_to;
            c.refs = way ? 2 : 0;
            c.open_set = way == 2;
            c.each = count;
            c.user = &t;
            c.sheet_path = toys_path("worst.png");
            if (way == 2) c.curve_path = toys_path("curve.png");
            CHECK_FINE(mann_evaluate(g, d, &c, &how, NULL, NULL, &r, &e), e);
            CHECK_EQ(t.n, r.n_queries);
            CHECK_EQ(t.n, way == 0 ? 80 : way == 1 ? 40 : 20);
            CHECK_EQ(t.strangers, r.n_strangers);
            CHECK_EQ(t.strangers, way == 2 ? 40 : 0);
            CHECK_NEAR((double)t.right / (double)t.n, r.top1, 1e-12);
            CHECK(r.top1_low <= r.top1 && r.top1 <= r.top1_high);
            CHECK(r.top1_low > 0 && r.top1_low < r.top1_high);
            CHECK_NEAR(r.model_error, 1 - r.top1, 1e-12);
            if (way == 0) CHECK(r.index_error == 0);
            if (way == 2) CHECK_NEAR((double)t.accepted / 40, r.fpir, 1e-12);
            if (way == 2) CHECK(r.fpir_low <= r.fpir && r.fpir <= r.fpir_high);
            CHECK(is_png(c.sheet_path));
            if (c.curve_path) CHECK(is_png(c.curve_path));
        }
    c.curve_path = toys_path("none.png"); /* no strangers, no curve */
    c.open_set = 0;
    c.each = NULL;
    mann_scores r = { .struct_size = sizeof r };
    CHECK_IS(mann_evaluate(g, d, &c, &how, NULL, NULL, &r, &e), MANN_E_NOT_FOUND);
    mann_dataset_free(d);
    mann_gallery_free(g);
}

typedef struct compared { mann_gallery *g; mann_search how; size_t n, known; } compared;

static void ask_too(void *user, const mann_eval_query *q)
{
    compared *c = user;
    mann_image im;
    mann_hit hits[5];
    mann_answer a;
    float v[768];
    char path[600];
    snprintf(path, sizeof path, "%s/%s", toys_path("asked"), q->path);
    CHECK_OK(mann_image_read(&im, path, NULL));
    CHECK_OK(mann_gallery_embed(c->g, &im, 1, NULL, v, NULL));
    mann_image_clear(&im);
    CHECK_OK(mann_gallery_identify(c->g, (mann_matrix){ v, 1, 768, 0 }, &c->how, NULL,
                                   hits, &a, NULL));
    CHECK_EQ(q->known, a.verdict == MANN_KNOWN);
    c->n++;
    c->known += q->known != 0;
}

/* The verdicts of an evaluation are those of identify, also when they are tightened. */
static void same_verdicts(void)
{
    compared c[2] = { { 0 }, { 0 } };
    mann_eval_config config;
    mann_dataset *d;
    mann_error e;
    char curve[512];
    snprintf(curve, sizeof curve, "%s", toys_path("curve.png"));
    toys_draw(toys_path("set"), 20, 2);
    toys_draw_some(toys_path("asked"), 0, 40, 2, 3); /* others; half are strangers */
    mann_gallery *g = toys_gallery("a.mann", 0, toys_path("set"), 2);
    CHECK_OK(mann_dataset_open(&d, toys_path("asked"), NULL, NULL));
    for (uint32_t tight = 0; tight < 2; tight++) {
        mann_scores r = { .struct_size = sizeof r };
        c[tight].g = g;
        mann_search_fill(&c[tight].how, sizeof c[tight].how, 5);
        c[tight].how.false_accept = 0.3f;
        c[tight].how.tighten = tight;
        mann_eval_config_fill(&config, sizeof config);
        config.each = ask_too;
        config.user = &c[tight];
        config.curve_path = curve;
        CHECK_FINE(mann_evaluate(g, d, &config, &c[tight].how, NULL, NULL, &r, &e), e);
        CHECK_EQ(r.n_queries + r.n_strangers, 120);
        CHECK_EQ(c[tight].n, 120);
        CHECK(is_png(curve));
    }
    printf("        known of 120: %zu, tightened %zu\n", c[0].known, c[1].known);
    CHECK(c[1].known > 0 && c[1].known < c[0].known);
    mann_dataset_free(d);
    mann_gallery_free(g);
}

/* The evaluation's prototype is that of identify: leave nothing out, and ask. */
static void same_prototype(void)
{
    enum { CLASSES = 9, ROWS = 3 };
    const char *set = toys_path("set");
    mann_search how;
    mann_hit hits[CLASSES];
    mann_answer answer;
    static float rows[CLASSES * ROWS * 768];
    toys_draw(set, CLASSES, ROWS);
    mann_gallery *g = toys_gallery("a.mann", 0, set, 1);
    CHECK_EQ(toys_rows(g, rows, 768), CLASSES * ROWS);
    mann_search_fill(&how, sizeof how, CLASSES);
    CHECK_EQ(how.aggregate, MANN_AGGREGATE_BLEND);
    const mann_matrix stored = { rows + 4 * 768, 1, 768, 0 };
    CHECK_OK(mann_gallery_identify(g, stored, &how, NULL, hits, &answer, NULL));
    CHECK(hits[0].klass == 1 && hits[0].score == 1.0f && hits[0].distance == 0.0f);
    float between[768];         /* between two photos of two classes */
    double length = 0;
    for (int j = 0; j < 768; j++) {
        between[j] = rows[4 * 768 + j] + rows[7 * 768 + j];
        length += (double)between[j] * (double)between[j];
    }
    for (int j = 0; j < 768; j++) between[j] /= (float)sqrt(length);
    const mann_matrix q = { between, 1, 768, 0 };
    for (uint32_t way = MANN_AGGREGATE_PROTOTYPE; way <= MANN_AGGREGATE_BLEND; way++) {
        how.aggregate = way;
        CHECK_OK(mann_gallery_identify(g, q, &how, NULL, hits, &answer, NULL));
        CHECK_EQ(answer.n_hits, CLASSES);
        for (uint32_t h = 0; h < CLASSES; h++) {
            double sum[768] = { 0 }, near = -1;
            for (uint32_t i = 0; i < ROWS; i++) {
                const float *row = rows + (hits[h].klass * ROWS + i) * 768;
                double dot = 0;
                for (int j = 0; j < 768; j++) {
                    sum[j] += (double)row[j];
                    dot += (double)row[j] * (double)between[j];
                }
                near = fmax(near, dot);
            }
            const double mean =
                mni_prototype_score(MANN_COSINE, between, sum, NULL, ROWS, 768);
            CHECK_NEAR(hits[h].score,
                       way == MANN_AGGREGATE_BLEND ? (near + mean) / 2 : mean, 1e-5);
            if (h) CHECK(hits[h].score <= hits[h - 1].score);
        }
    }
    mann_gallery_free(g);
}

const test_case views_tests[] = {
    { "counts_and_windows", counts_and_windows, 0 },
    { "means", means, 0 },
    { "turns_stand_side_by_side", turns_stand_side_by_side, 0 },
    { "prototypes", prototypes, 0 },
    { "bootstrap", bootstrap, 0 },
    { "kept_in_the_gallery", kept_in_the_gallery, 0 },
    { "told", told, 0 },
    { "told_as_answered", told_as_answered, 0 },
    { "same_verdicts", same_verdicts, 0 },
    { "same_prototype", same_prototype, 0 },
    { NULL, NULL, 0 },
};
