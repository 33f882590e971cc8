/* test_gallery.c - the life of a record: what is added is found, what is removed is gone,
 * and classes are ranked as a plain scan ranks them. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "gallery_help.h"
#include "harness.h"

/* --- life of a record --------------------------------------------------------------- */

static void check_all_found(mni_gallery *g, uint32_t classes, uint32_t views)
{
    for (uint32_t k = 0; k < classes; k++)
        for (uint32_t i = 0; i < views; i++) {
            float q[DIM];
            char want[32];
            mann_hit hits[3];
            gallery_vector(k, i, q);
            mann_answer a = gallery_identify(g, q, 3, hits);
            CHECK_EQ(a.n_hits, classes < 3 ? classes : 3);
            snprintf(want, sizeof want, "class-%u", (unsigned)k);
            gallery_check_name(g, hits[0].klass, want);
            CHECK(hits[0].distance == 0.0f && hits[0].score == 1.0f);
        }
}

static void add_find_reopen(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    CHECK_FINE(gallery_make(&g, v, "a.mann", MANN_STORE_F32, 20, 3, &e), e);
    check_all_found(g, 20, 3);                                  /* in the tail */
    mni_gallery_free(g);
    CHECK_FINE(mni_gallery_open(&g, v, "a.mann", MANN_OPEN_READ, &e), e);
    check_all_found(g, 20, 3);                                  /* replayed */
    CHECK_IS(gallery_add_view(g, 1, 9, NULL, &e), MANN_E_READ_ONLY);
    mni_gallery_free(g);
    CHECK_FINE(mni_gallery_open(&g, v, "a.mann", MANN_OPEN_WRITE, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, "Flat", 1, NULL, NULL, &e), e);
    check_all_found(g, 20, 3);                                  /* in the base */
    CHECK_FINE(mni_gallery_verify(g, NULL, &e), e);
    CHECK_FINE(gallery_add_view(g, 50, 0, NULL, &e), e);               /* base and tail */
    mann_gallery_info info;
    CHECK_OK(mni_gallery_describe(g, &info, NULL));
    CHECK_EQ(info.n_rows, 61);
    CHECK_EQ(info.n_tail, 1);
    CHECK_EQ(info.n_classes, 21);
    CHECK_EQ(info.generation, 1);
    mni_gallery_free(g);
    CHECK_FINE(mni_gallery_open(&g, v, "a.mann", MANN_OPEN_READ | MANN_OPEN_VERIFY, &e),
               e);
    check_all_found(g, 20, 3);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

static void rounded_stores_answer_the_same_after_folding(void)
{
    for (uint32_t store = MANN_STORE_F16; store <= MANN_STORE_INT8; store++) {
        mni_vfs_mem *mem;
        mni_gallery *g;
        mann_error e = { MANN_OK, "" };
        mann_hit before[4], after[4];
        float q[DIM];
        CHECK_OK(mni_vfs_mem_new(&mem, NULL));
        CHECK_FINE(
            gallery_make(&g, mni_vfs_mem_vfs(mem), "a", (mann_store)store, 10, 2, &e), e);
        gallery_vector(3, 7, q);
        gallery_identify(g, q, 4, before);
        CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
        gallery_identify(g, q, 4, after);
        for (int i = 0; i < 4; i++) {
            CHECK_EQ(before[i].id, after[i].id);
            CHECK_NEAR(before[i].distance, after[i].distance, 1e-6);
        }
        gallery_check_name(g, after[0].klass, "class-3");
        /* The row as it is kept, asked again. */
        mni_state *s = mni_gallery_state(g);
        mni_state_vector(s, 5, q);
        mni_state_release(s);
        gallery_identify(g, q, 1, after);
        CHECK_EQ(after[0].id, 5);
        CHECK(after[0].distance == 0.0f);
        mni_gallery_free(g);
        mni_vfs_mem_free(mem);
    }
}

static void upsert_remove_relabel(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    mann_gallery_info info;
    mann_hit hits[2];
    float q[DIM];
    size_t removed;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    CHECK_FINE(gallery_make(&g, v, "a", MANN_STORE_F32, 5, 2, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
    for (uint32_t i = 0; i < 1000; i++) {                   /* one id, a thousand times */
        gallery_vector(70, i, q);
        mni_new_row row = { .klass = "again", .vector = q, .id = 3, .has_id = 1 };
        CHECK_FINE(mni_gallery_add(g, &row, 1, NULL, &e), e);
    }
    CHECK_OK(mni_gallery_describe(g, &info, NULL));
    CHECK_EQ(info.n_rows, 10);
    gallery_identify(g, q, 2, hits);
    CHECK_EQ(hits[0].id, 3);
    gallery_check_name(g, hits[0].klass, "again");
    uint64_t ids[3] = { 0, 3, 999 };
    CHECK_FINE(mni_gallery_remove(g, ids, 3, &removed, &e), e);
    CHECK_EQ(removed, 2);
    CHECK_FINE(mni_gallery_remove(g, ids, 3, &removed, &e), e);
    CHECK_EQ(removed, 0);
    CHECK_FINE(mni_gallery_remove_class(g, "class-4", &removed, &e), e);
    CHECK_EQ(removed, 2);
    CHECK_IS(mni_gallery_remove_class(g, "nobody", &removed, &e), MANN_E_NOT_FOUND);
    CHECK_OK(mni_gallery_describe(g, &info, NULL));
    CHECK_EQ(info.n_rows, 6);
    CHECK_EQ(info.n_classes, 4);  /* 0..3: class-1 lost row 3 to "again", which is gone */
    gallery_vector(4, 0, q);
    gallery_identify(g, q, 1, hits);
    CHECK(hits[0].distance > 0.01f);
    ids[0] = 5;                             /* class-2, second view */
    CHECK_FINE(mni_gallery_relabel(g, ids, 1, "moved", &e), e);
    gallery_vector(2, 1, q);
    gallery_identify(g, q, 1, hits);
    CHECK_EQ(hits[0].id, 5);
    gallery_check_name(g, hits[0].klass, "moved");
    /* the same after replay and after folding */
    for (int round = 0; round < 2; round++) {
        mni_gallery_free(g);
        CHECK_FINE(mni_gallery_open(&g, v, "a", MANN_OPEN_WRITE, &e), e);
        CHECK_OK(mni_gallery_describe(g, &info, NULL));
        CHECK_EQ(info.n_rows, 6);
        CHECK_EQ(info.n_classes, 5);
        gallery_identify(g, q, 1, hits);
        CHECK_EQ(hits[0].id, 5);
        gallery_check_name(g, hits[0].klass, "moved");
        CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
        CHECK_FINE(mni_gallery_verify(g, NULL, &e), e);
    }
    uint64_t id;
    CHECK_FINE(gallery_add_view(g, 80, 0, &id, &e), e);
    CHECK_EQ(id, 10);                       /* ids of removed rows are not given again */
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

/* --- search against a plain scan ---------------------------------------------------- */

/* Independent of the code under test: score of a class from all its rows, in double. */
static double class_score(uint32_t klass, uint32_t views, const float *q, uint32_t best_m)
{
    double scores[16], sum = 0;
    for (uint32_t i = 0; i < views; i++) {
        float v[DIM];
        double dot = 0, a = 0, b = 0;
        gallery_vector(klass, i, v);
        for (int d = 0; d < DIM; d++) {
            dot += (double)v[d] * (double)q[d];
            a += (double)v[d] * (double)v[d];
            b += (double)q[d] * (double)q[d];
        }
        scores[i] = dot / sqrt(a * b);
        for (uint32_t k = i; k > 0 && scores[k] > scores[k - 1]; k--) {
            double t = scores[k];
            scores[k] = scores[k - 1];
            scores[k - 1] = t;
        }
    }
    if (best_m > views) best_m = views;
    for (uint32_t i = 0; i < best_m; i++) sum += scores[i];
    return sum / best_m;
}

static void aggregation_equals_brute_force(void)
{
    enum { CLASSES = 30, VIEWS = 5 };
    mni_vfs_mem *mem;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    CHECK_FINE(gallery_make(&g, mni_vfs_mem_vfs(mem), "a", MANN_STORE_F32, CLASSES,
                            VIEWS - 1, &e),
               e);
    CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
    for (uint32_t k = 0; k < CLASSES; k++)
        CHECK_FINE(gallery_add_view(g, k, VIEWS - 1, NULL, &e), e);
    for (uint32_t m = 1; m <= 3; m += 2)
        for (uint32_t t = 0; t < 40; t++) {
            float q[DIM];
            mann_hit hits[CLASSES];
            mann_answer a;
            mann_search s;
            gallery_vector(t % 35, 100 + t, q);
            mann_search_fill(&s, sizeof s, 5);
            s.aggregate = m == 1 ? MANN_AGGREGATE_MAX : MANN_AGGREGATE_MEAN;
            s.best_m = m;
            CHECK_FINE(mni_gallery_identify(g, (mann_matrix){ q, 1, DIM, DIM }, &s, NULL,
                                            hits, &a, &e),
                       e);
            double best = -2;
            for (uint32_t k = 0; k < CLASSES; k++) {
                double score = class_score(k, VIEWS, q, m);
                if (score > best) best = score;
            }
            CHECK_NEAR((double)hits[0].score, best, 1e-5);
            for (int i = 1; i < 5; i++) CHECK(hits[i].score <= hits[i - 1].score);
            CHECK_NEAR((double)a.margin, (double)(hits[0].score - hits[1].score), 1e-6);
        }
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

static int only_even(void *user, uint64_t id, const char *klass)
{
    (void)user; (void)klass;
    return id % 2 == 0;
}

static void many_rows_of_one_class_do_not_hide_the_others(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    mann_hit hits[8];
    float q[DIM];
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    CHECK_FINE(gallery_make(&g, mni_vfs_mem_vfs(mem), "a", MANN_STORE_F32, 6, 1, &e), e);
    for (uint32_t i = 1; i < 400; i++) CHECK_FINE(gallery_add_view(g, 0, i, NULL, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
    gallery_vector(0, 1000, q);
    mann_answer a = gallery_identify(g, q, 8, hits);
    CHECK_EQ(a.n_hits, 6);                      /* k larger than what lives is legal */
    CHECK_EQ(hits[6].id, UINT64_MAX);
    mann_search s;
    mann_search_fill(&s, sizeof s, 8);
    s.filter = only_even;
    CHECK_FINE(
        mni_gallery_search(g, (mann_matrix){ q, 1, DIM, DIM }, &s, NULL, hits, &a, &e),
        e);
    CHECK_EQ(a.n_hits, 8);
    for (int i = 0; i < 8; i++) CHECK(hits[i].id % 2 == 0);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

const test_case gallery_tests[];
const test_case gallery_tests[] = {
    { "add_find_reopen", add_find_reopen, 0 },
    { "upsert_remove_relabel", upsert_remove_relabel, 0 },
    { "aggregation_equals_brute_force", aggregation_equals_brute_force, 0 },
    { "rounded_stores_answer_the_same_after_folding",
      rounded_stores_answer_the_same_after_folding, 0 },
    { "many_rows_of_one_class_do_not_hide_the_others",
      many_rows_of_one_class_do_not_hide_the_others, 0 },
    { 0 }
};
