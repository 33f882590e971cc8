/* test_metrics.c - retrieval metrics against figures worked out by hand and against plain
 * sorting; episodes. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/topk.h"
#include "eval/metrics.h"
#include "eval/openset.h"
#include "harness.h"

#define NONE MANN_NO_CLASS

static mni_query_scores score(const float *d, const uint32_t *labels, size_t n,
                              uint32_t n_classes, uint32_t label, uint32_t self)
{
    mni_query_scores s;
    void *scratch = mni_alloc(1, mni_metrics_scratch_bytes(n, n_classes));
    CHECK(scratch);
    mni_metrics_query(d, labels, n, n_classes, label, self, scratch, &s);
    mni_free(scratch);
    return s;
}

/* The example of src/eval/README.md. Query of class 0; sorted by distance:
 *     rank   1   2   3   4   5   6   7
 *     class  1   0   1   2   0   -   0        (- : no class)
 * R = 3; relevant at ranks 2, 5, 7: AP = (1/2 + 2/5 + 3/7) / 3; only rank 2 is within R:
 * mAP@R = (1/2) / 3, R-precision 1/3. One class (1) is nearer than the first 0: class
 * rank 2. */
static void example_of_the_readme(void)
{
    const float d[] = { 5, 1, 2, 3, 4, 6, 7 };
    const uint32_t labels[] = { 0, 1, 0, 1, 2, NONE, 0 };
    mni_query_scores s = score(d, labels, 7, 3, 0, MNI_NO_ROW);
    CHECK_EQ(s.n_relevant, 3);
    CHECK_EQ(s.class_rank, 2);
    CHECK_NEAR(s.ap, (1.0 / 2 + 2.0 / 5 + 3.0 / 7) / 3, 1e-15);
    CHECK_NEAR(s.ap_at_r, 0.5 / 3, 1e-15);
    CHECK_NEAR(s.r_precision, 1.0 / 3, 1e-15);
}

/* Its own row (row 2, distance 0) is left out: what is left is row 0 and row 6 of class
 * 0, at ranks 4 and 6. */
static void own_row_is_left_out(void)
{
    const float d[] = { 5, 1, 0, 3, 4, 6, 7 };
    const uint32_t labels[] = { 0, 1, 0, 1, 2, NONE, 0 };
    mni_query_scores s = score(d, labels, 7, 3, 0, 2);
    CHECK_EQ(s.n_relevant, 2);
    CHECK_EQ(s.class_rank, 3);
    CHECK_NEAR(s.ap, (1.0 / 4 + 2.0 / 6) / 2, 1e-15);
    CHECK(s.ap_at_r == 0 && s.r_precision == 0);
    /* left in, it is rank 1 */
    s = score(d, labels, 7, 3, 0, MNI_NO_ROW);
    CHECK_EQ(s.class_rank, 1);
    CHECK_NEAR(s.ap, (1.0 + 2.0 / 5 + 3.0 / 7) / 3, 1e-15);
}

/* Everything at one distance: the row decides. Class 1 at rows 1 and 3. */
static void ties_go_by_row(void)
{
    const float d[] = { 2, 2, 2, 2, 2 };
    const uint32_t labels[] = { 0, 1, 2, 1, 0 };
    mni_query_scores s = score(d, labels, 5, 3, 1, MNI_NO_ROW);
    CHECK_EQ(s.class_rank, 2);                              /* class 0 stands at row 0 */
    CHECK_NEAR(s.ap, (1.0 / 2 + 2.0 / 4) / 2, 1e-15);
    CHECK_NEAR(s.ap_at_r, (1.0 / 2) / 2, 1e-15);
    CHECK_NEAR(s.r_precision, 0.5, 1e-15);
    s = score(d, labels, 5, 3, 0, MNI_NO_ROW); /* rows 0 and 4: ranks 1 and 5 */
    CHECK_EQ(s.class_rank, 1);
    CHECK_NEAR(s.ap, (1.0 + 2.0 / 5) / 2, 1e-15);
    s = score(d, labels, 5, 3, 2, MNI_NO_ROW);
    CHECK_EQ(s.class_rank, 3); /* rows 0 and 1 are of two classes */
    CHECK_NEAR(s.ap, 1.0 / 3, 1e-15);
    /* a tie between the right class and one other, the lower row wins: both ways */
    const float e[] = { 9, 3, 3, 9 };
    const uint32_t ab[] = { 0, 0, 1, 1 }, ba[] = { 1, 1, 0, 0 };
    CHECK_EQ(score(e, ab, 4, 2, 0, MNI_NO_ROW).class_rank, 1);
    CHECK_EQ(score(e, ba, 4, 2, 0, MNI_NO_ROW).class_rank, 2);
}

static void lone_and_removed_rows(void)
{
    const float d[] = { 0, 1, NAN, 2 };
    const uint32_t labels[] = { 0, 1, 0, 1 };
    CHECK_EQ(score(d, labels, 4, 2, 0, 0).n_relevant, 0); /* its second row is removed */
    CHECK_EQ(score(d, labels, 4, 2, 7, MNI_NO_ROW).n_relevant, 0);
    CHECK_EQ(score(d, labels, 4, 2, NONE, MNI_NO_ROW).n_relevant, 0);
    CHECK_EQ(score(d, labels, 0, 2, 0, MNI_NO_ROW).n_relevant, 0);
    mni_query_scores s = score(d, labels, 4, 2, 1, MNI_NO_ROW);
    CHECK_NEAR(s.ap, (1.0 / 2 + 2.0 / 3) / 2, 1e-15);
    /* rows without a class are in the way of rows, and no class */
    const uint32_t some[] = { NONE, NONE, 0, 1 };
    const float e[] = { 0, 1, 2, 3 };
    s = score(e, some, 4, 2, 0, MNI_NO_ROW);
    CHECK_EQ(s.class_rank, 1);
    CHECK_NEAR(s.ap, 1.0 / 3, 1e-15);
}

/* Queries with class ranks 1, 2, 6 and one without a second row. */
static void totals_are_means(void)
{
    mni_totals t = { 0 };
    const mni_query_scores q[] = { { 1, 1, 1.0, 1.0, 1.0 },
                                   { 2, 2, 0.5, 0.25, 0.5 },
                                   { 0, 0, 0, 0, 0 },
                                   { 1, 6, 0.0, 0.0, 0.0 } };
    for (int i = 0; i < 4; i++) mni_totals_add(&t, &q[i]);
    mni_totals_finish(&t);
    CHECK(t.n == 3 && t.n_lone == 1);
    CHECK_NEAR(t.top1, 1.0 / 3, 1e-15);
    CHECK_NEAR(t.top5, 2.0 / 3, 1e-15);
    CHECK_NEAR(t.top10, 1, 1e-15);
    CHECK_NEAR(t.mrr, (1 + 0.5 + 1.0 / 6) / 3, 1e-15);
    CHECK_NEAR(t.map, 0.5, 1e-15);
    CHECK_NEAR(t.map_at_r, 1.25 / 3, 1e-15);
    CHECK_NEAR(t.r_precision, 0.5, 1e-15);
    t = (mni_totals){ 0 };
    mni_totals_finish(&t);
    CHECK(isnan(t.top1) && isnan(t.map));
}

/* --- the oracle: sort all rows and count -------------------------------------------- */

static int by_near(const void *a, const void *b)
{
    return mni_nearer(*(const mni_near *)a, *(const mni_near *)b) ? -1 : 1;
}

static mni_query_scores oracle(const float *d, const uint32_t *labels, size_t n,
                               uint32_t label, uint32_t self)
{
    mni_near all[64];
    uint32_t seen[64], n_seen = 0;
    size_t m = 0, found = 0;
    mni_query_scores s = { 0 };
    for (uint32_t i = 0; i < n; i++)
        if (i != self && !isnan(d[i])) all[m++] = (mni_near){ d[i], i };
    qsort(all, m, sizeof *all, by_near);
    for (size_t i = 0; i < m; i++) s.n_relevant += labels[all[i].row] == label;
    for (size_t i = 0; i < m; i++) {
        uint32_t c = labels[all[i].row], j = 0;
        while (j < n_seen && seen[j] != c) j++;
        if (j == n_seen && c != NONE) {
            seen[n_seen++] = c;
            if (c == label) s.class_rank = n_seen;
        }
        if (c != label) continue;
        found++;
        s.ap += (double)found / (double)(i + 1) / s.n_relevant;
        if (i < s.n_relevant) s.ap_at_r += (double)found / (double)(i + 1) / s.n_relevant;
        if (i < s.n_relevant) s.r_precision += 1.0 / s.n_relevant;
    }
    return s;
}

static void metrics_are_what_sorting_says(void)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, 0);
    for (int round = 0; round < 3000; round++) {
        float d[64];
        uint32_t labels[64], n = 1 + mni_rng_below(&r, 64),
                             n_classes = 1 + mni_rng_below(&r, 9);
        uint32_t spread = 1 + mni_rng_below(&r, 30);
        for (uint32_t i = 0; i < n; i++) {
            d[i] = mni_rng_below(&r, 20) ? (float)mni_rng_below(&r, spread) : (float)NAN;
            labels[i] = mni_rng_below(&r, 10) ? mni_rng_below(&r, n_classes) : NONE;
        }
        uint32_t self = mni_rng_below(&r, 2) ? mni_rng_below(&r, n) : MNI_NO_ROW;
        uint32_t label = mni_rng_below(&r, n_classes);
        mni_query_scores a = score(d, labels, n, n_classes, label, self),
                         b = oracle(d, labels, n, label, self);
        CHECK_EQ(a.n_relevant, b.n_relevant);
        if (a.n_relevant == 0) continue;
        CHECK_EQ(a.class_rank, b.class_rank);
        CHECK_NEAR(a.ap, b.ap, 1e-12);
        CHECK_NEAR(a.ap_at_r, b.ap_at_r, 1e-12);
        CHECK_NEAR(a.r_precision, b.r_precision, 1e-12);
    }
}

/* --- episodes ----------------------------------------------------------------------- */

enum { CLASSES = 30, VIEWS = 6, DIM = 8 };
static float rows[CLASSES * VIEWS * DIM];
static uint32_t labels_of[CLASSES * VIEWS];

/* Centres of a random cube, views spread around them. */
static void make_rows(float noise)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 1, 0, 0);
    for (int c = 0; c < CLASSES; c++) {
        float centre[DIM];
        for (int i = 0; i < DIM; i++) centre[i] = mni_rng_normal(&r);
        for (int v = 0; v < VIEWS; v++) {
            int row = v * CLASSES + c;          /* classes interleaved */
            labels_of[row] = (uint32_t)c;
            for (int i = 0; i < DIM; i++)
                rows[row * DIM + i] = centre[i] + noise * mni_rng_normal(&r);
        }
    }
}

static mni_episodes_out play(uint32_t way, uint32_t shot, uint32_t query, uint64_t seed,
                             mni_pool *pool)
{
    mni_episodes_out out;
    CHECK_OK(mni_episodes(rows, labels_of, CLASSES * VIEWS, DIM, CLASSES, MANN_L2, 300,
                          way, shot, query, seed, pool, &out, NULL));
    return out;
}

static void episodes_are_fair(void)
{
    make_rows(0);                               /* views are equal: always right */
    mni_episodes_out out = play(5, 1, 2, 1, NULL);
    CHECK(out.accuracy == 1 && out.interval95 == 0 && out.n_episodes == 300 &&
          out.n_classes == CLASSES);
    out = play(1, 2, 3, 1, NULL);               /* one way: nothing to confuse */
    CHECK(out.accuracy == 1);
    memset(rows, 0, sizeof rows); /* all equal: the lowest row wins, as by chance */
    out = play(5, 1, 1, 1, NULL);
    CHECK_NEAR(out.accuracy, 0.2, 0.001);
    make_rows(1.5f);
    mni_episodes_out hard = play(20, 1, 1, 1, NULL), easy = play(5, 1, 1, 1, NULL),
                     more = play(5, 5, 1, 1, NULL);
    CHECK(hard.accuracy < easy.accuracy && easy.accuracy < more.accuracy &&
          more.accuracy < 1);
    CHECK(hard.interval95 > 0 && hard.interval95 < 0.05);
}

static void episodes_are_the_same_on_any_threads(void)
{
    make_rows(1.5f);
    mni_episodes_out one = play(7, 2, 3, 5, NULL), other = play(7, 2, 3, 6, NULL);
    CHECK(one.accuracy != other.accuracy);
    for (uint32_t threads = 1; threads <= 7; threads += 3) {
        mann_pool *pool;
        CHECK_OK(mann_pool_new(&pool, threads, NULL));
        mni_episodes_out got = play(7, 2, 3, 5, pool);
        CHECK(memcmp(&got, &one, sizeof got) == 0);
        mann_pool_free(pool);
    }
}

static void episodes_need_enough_classes(void)
{
    mni_episodes_out out;
    mann_error e;
    make_rows(1);
    CHECK_IS(mni_episodes(rows, labels_of, CLASSES * VIEWS, DIM, CLASSES, MANN_COSINE, 10,
                          31, 1, 1, 1, NULL, &out, &e),
             MANN_E_ARG);
    CHECK_STR(e.text, "episodes: 30 classes have the 2 images that 1-shot with 1 queries "
                      "takes, wanted 31 classes");
    CHECK_IS(mni_episodes(rows, labels_of, CLASSES * VIEWS, DIM, CLASSES, MANN_L2, 10, 5,
                          6, 1, 1, NULL, &out, &e),
             MANN_E_ARG);
    CHECK_IS(mni_episodes(rows, labels_of, CLASSES * VIEWS, DIM, CLASSES, MANN_L2, 0, 5,
                          1, 1, 1, NULL, &out, &e),
             MANN_E_ARG);
    CHECK_IS(mni_episodes(rows, labels_of, CLASSES * VIEWS, DIM, CLASSES, MANN_L2, 10, 5,
                          UINT32_MAX, 1, 1, NULL, &out, &e),
             MANN_E_ARG);
    /* 12 classes lose their views but one; rows without class are passed over */
    for (int row = CLASSES; row < CLASSES * VIEWS; row++)
        if (labels_of[row] < 12) labels_of[row] = NONE;
    out = play(18, 1, 1, 1, NULL);
    CHECK_EQ(out.n_classes, 18);
}

static mann_status some_episodes(void *ctx)
{
    mni_episodes_out out;
    (void)ctx;
    return mni_episodes(rows, labels_of, CLASSES * VIEWS, DIM, CLASSES, MANN_INNER, 20, 5,
                        1, 1, 1, NULL, &out, NULL);
}

static void episodes_survive_no_memory(void)
{
    make_rows(1);
    test_oom(some_episodes, NULL, 0);
}

/* --- open set ----------------------------------------------------------------------- */

/* Strangers .1 .5 .7 .9; members, right first, .4 .8 .9; one member with a wrong class
 * first. t = .7: strangers .7 and .9 of 4 are let in; members .8 and .9 of 4 are
 * answered. */
static void open_set_by_hand(void)
{
    float strangers[] = { 0.5f, 0.9f, 0.1f, 0.7f }, members[] = { 0.4f, 0.9f, 0.8f };
    mni_open_point p[3];
    mni_open_curve(strangers, 4, members, 3, 1, p, 3);
    CHECK(p[0].threshold == 0.1f && p[0].fpir == 1 && p[0].fnir == 0.25);
    CHECK(p[1].threshold == 0.7f && p[1].fpir == 0.5 && p[1].fnir == 0.5);
    CHECK(p[2].threshold == 0.9f && p[2].fpir == 0.25 && p[2].fnir == 0.75);
    mni_open_point at = mni_open_at(strangers, 4, members, 3, 1, 2.0f);
    CHECK(at.fpir == 0 && at.fnir == 1);
    /* Two who are refused whatever the threshold: they count, and never come in. */
    float some[] = { -INFINITY, 0.3f }, others[] = { 0.4f, -INFINITY };
    mni_open_curve(some, 2, others, 2, 0, p, 3);
    CHECK(p[0].threshold == -INFINITY && p[0].fpir == 0.5 && p[0].fnir == 0.5);
    CHECK(p[2].threshold == 0.3f && p[2].fpir == 0.5 && p[2].fnir == 0.5);
    at = mni_open_at(strangers, 0, members, 0, 0, 0.5f);
    CHECK(isnan(at.fpir) && isnan(at.fnir));
}

const test_case metrics_tests[];
const test_case metrics_tests[] = {
    { "example_of_the_readme", example_of_the_readme, 0 },
    { "own_row_is_left_out", own_row_is_left_out, 0 },
    { "ties_go_by_row", ties_go_by_row, 0 },
    { "lone_and_removed_rows", lone_and_removed_rows, 0 },
    { "totals_are_means", totals_are_means, 0 },
    { "metrics_are_what_sorting_says", metrics_are_what_sorting_says, 0 },
    { "episodes_are_fair", episodes_are_fair, 0 },
    { "episodes_are_the_same_on_any_threads", episodes_are_the_same_on_any_threads, 0 },
    { "episodes_need_enough_classes", episodes_need_enough_classes, 0 },
    { "episodes_survive_no_memory", episodes_survive_no_memory, 0 },
    { "open_set_by_hand", open_set_by_hand, 0 },
    { 0 }
};
