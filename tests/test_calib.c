/* test_calib.c - thresholds: do strangers come in at the stated rate?
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "eval/calib.h"
#include "harness.h"
#include "kern/kern_dist.h"

/* A world of classes of which any slice can be drawn. Not all are alike: classes lie in
 * clusters of very different sizes and densities, so that some strangers look like half
 * the gallery and others like nothing; some views are worse than others. Vectors are unit
 * vectors of low intrinsic dimension. */
typedef struct world { uint64_t seed; uint32_t dim, inner; } world;

static void draw(const world *w, uint32_t klass, uint32_t view, float *out)
{
    mni_rng c = mni_rng_at(w->seed, MNI_FOR_TEST, 1, klass, 0),
            v = mni_rng_at(w->seed, MNI_FOR_TEST, 3, klass, view);
    float u = mni_rng_unit(&c), spread = mni_rng_range(&c, 0.3f, 1.2f), noise = 0.35f;
    mni_rng k = mni_rng_at(w->seed, MNI_FOR_TEST, 2, (uint64_t)(300 * u * u * u), 0);
    float weight = mni_rng_range(&k, 0.5f, 1.5f), worse = mni_rng_unit(&v);
    double squares = 0;
    noise *= 0.6f + 1.2f * worse * worse;
    for (uint32_t i = 0; i < w->dim; i++) {
        float x = 0.05f * mni_rng_normal(&v);
        if (i < w->inner)
            x = weight * mni_rng_normal(&k) + spread * mni_rng_normal(&c) +
                noise * mni_rng_normal(&v);
        out[i] = x;
        squares += (double)x * x;
    }
    for (uint32_t i = 0; i < w->dim; i++) out[i] = (float)(out[i] / sqrt(squares));
}

typedef struct sample { float *rows; uint32_t *labels; size_t n; } sample;

static sample draw_classes(const world *w, uint32_t first, uint32_t n_classes,
                           uint32_t views)
{
    sample s = { .n = (size_t)n_classes * views };
    s.rows = mni_alloc(s.n * w->dim, sizeof *s.rows);
    s.labels = mni_alloc(s.n, sizeof *s.labels);
    CHECK(s.rows && s.labels);
    for (size_t i = 0; i < s.n; i++) {
        s.labels[i] = (uint32_t)(i / views);
        draw(w, first + s.labels[i], (uint32_t)(i % views), s.rows + i * w->dim);
    }
    return s;
}

static void drop(sample *s)
{
    mni_free(s->rows);
    mni_free(s->labels);
}

/* Best class score of each stranger among the first sizes[i] classes of the gallery, half
 * of it the nearer of two rows and half their mean; out is 4 x n strangers. */
static void best_scores(const sample *gallery, const sample *strangers, uint32_t dim,
                        const uint32_t sizes[4], float *out)
{
    const mni_kern_dist *k = mni_kern_dist_best();
    float *d = mni_alloc(gallery->n, sizeof *d), between;
    float *length = mni_alloc(gallery->n, sizeof *length);
    for (size_t i = 0; i + 1 < gallery->n; i += 2) {
        const float *row = gallery->rows + i * dim;
        k->ip_rows(row, row + dim, 1, dim, dim, &between);
        length[i] = sqrtf(2 + 2 * between);
    }
    for (size_t q = 0; q < strangers->n; q++) {
        float best = -1;
        size_t at = 0;
        k->l2_rows(strangers->rows + q * dim, gallery->rows, gallery->n, dim, dim, d);
        for (int s = 0; s < 4; s++) {
            for (; at < (size_t)sizes[s] * 2; at += 2) {
                const float near = 1 - fminf(d[at], d[at + 1]) / 2,
                            mean = (2 - (d[at] + d[at + 1]) / 2) / length[at];
                best = fmaxf(best, (near + mean) / 2);
            }
            out[s * strangers->n + q] = best;
        }
    }
    mni_free(d);
    mni_free(length);
}

/* Geometric mean over a few worlds of measured / stated false-accept rate at each of four
 * gallery sizes. A single world scatters by 1.3 .. 1.6 beyond that: a gallery of 100
 * classes is a small sample itself. */
static void measured_over_stated(uint32_t dim, uint32_t inner, uint32_t n_calib,
                                 const uint32_t sizes[4], uint32_t n_worlds,
                                 double ratio[4])
{
    enum { VIEWS = 2, STRANGERS = 1500 };
    for (int s = 0; s < 4; s++) ratio[s] = 0;
    for (uint32_t i = 0; i < n_worlds; i++) {
        const world w = { test_seed() * 1000 + i, dim, inner };
        sample gallery = draw_classes(&w, 0, sizes[3], VIEWS);
        sample strangers = draw_classes(&w, 1000000, STRANGERS, VIEWS);
        float *best = mni_alloc(4 * strangers.n, sizeof *best);
        mni_calib c;
        CHECK_OK(mni_calib_measure(&c, gallery.rows, gallery.labels,
                                   (size_t)n_calib * VIEWS, dim, n_calib, MANN_COSINE, 0,
                                   0, 1, NULL, NULL));
        best_scores(&gallery, &strangers, dim, sizes, best);
        for (int s = 0; s < 4; s++) {
            float t = mni_calib_threshold(&c, sizes[s], 0.01f);
            size_t let_in = 0;
            for (size_t q = 0; q < strangers.n; q++)
                let_in += best[s * strangers.n + q] >= t;
            double rate = ((double)let_in + 0.5) / (double)strangers.n;
            ratio[s] += log(rate / 0.01) / n_worlds;
        }
        mni_free(best);
        drop(&gallery);
        drop(&strangers);
    }
    for (int s = 0; s < 4; s++) ratio[s] = exp(ratio[s]);
}

static void within_a_factor_of_two(uint32_t dim, uint32_t inner, uint32_t n_calib,
                                   const uint32_t sizes[4], uint32_t n_worlds)
{
    double ratio[4];
    measured_over_stated(dim, inner, n_calib, sizes, n_worlds, ratio);
    for (int s = 0; s < 4; s++)
        if (!(ratio[s] > 0.5 && ratio[s] < 2))
            test_fail(__FILE__, __LINE__,
                      "dim %u, %u classes measured: %u classes let in %.2f %% for 1 %%",
                      (unsigned)dim, (unsigned)n_calib, (unsigned)sizes[s], ratio[s]);
}

/* Calibrated on 500 classes, asked of 100 .. 2,000: the quick form of what follows. */
static void stated_rate_is_kept(void)
{
    const uint32_t sizes[4] = { 100, 300, 500, 2000 };
    within_a_factor_of_two(32, 16, 500, sizes, 4);
}

static void stated_rate_is_kept_up_to_ten_thousand(void)
{
    const uint32_t sizes[4] = { 100, 1000, 3000, 10000 };
    within_a_factor_of_two(32, 32, 2000, sizes, 3);
    within_a_factor_of_two(64, 16, 1000, sizes, 3);
    within_a_factor_of_two(256, 32, 2000, sizes, 2);
}

/* Of 256 classes 32 lie together in a corner, the others far from everything: a
 * comparison meets two of the corner with a chance of 32/256 * 31/255 = 1.5 %. If all
 * strangers were alike, 1 - (1 - .015)^64 = 62 % would have a near neighbour among 64
 * classes; but only those of the corner can, which is 12.5 %. */
static void strangers_are_not_alike(void)
{
    enum { CLASSES = 256, CORNER = 32, N = 2 * CLASSES };
    float rows[N];
    uint32_t labels[N];
    mni_calib c;
    for (uint32_t i = 0; i < N; i++) {
        labels[i] = i / 2;
        rows[i] = i / 2 < CORNER ? 0.001f * (float)(i / 2) : 100.0f * (float)(i / 2);
    }
    CHECK_OK(mni_calib_measure(&c, rows, labels, N, 1, CLASSES, MANN_L2, 0, 0, 1, NULL,
                               NULL));
    /* below 12.5 % the threshold is in the corner, above it is not */
    CHECK(mni_calib_threshold(&c, 64, 0.10f) > -0.01f);
    CHECK(mni_calib_threshold(&c, 64, 0.20f) < -1000);
    CHECK(mni_calib_threshold(&c, 255, 0.20f) < -1000);
}

/* --- the table ---------------------------------------------------------------------- */

/* Points on a line: class c at c * c, one row. The nearest other class of any row is the
 * one below (c > 1), at 2c - 1, or above. Among all others no chance is left: the best
 * score of class c is -(2c - 1)^2. */
static void known_distances(void)
{
    enum { N = 64 };
    float rows[N];
    uint32_t labels[N];
    mni_calib c;
    for (uint32_t i = 0; i < N; i++) {
        rows[i] = (float)(i * i);
        labels[i] = i;
    }
    CHECK_OK(mni_calib_measure(&c, rows, labels, N, 1, N, MANN_L2, 0, 0, 1, NULL,
                               NULL));
    CHECK(c.n_sizes == 7 && c.n_queries == N && c.n_classes == N && c.n_genuine == 0 &&
          c.metric == MANN_L2);
    /* half of the classes are nearer than 2 * 32 - 1 or so to their neighbour */
    CHECK_NEAR(sqrt(-(double)c.impostor[6][0]), 63, 2.5);
    CHECK(isnan(c.genuine[0]) && isnan(mni_calib_fnmr(&c, 0)));
    CHECK(mni_calib_threshold(&c, 63, 0.5f) == c.impostor[6][0]);
}

static void genuine_side(void)
{
    enum { N = 20 };                    /* 10 classes of two rows, 0.1 * class apart */
    float rows[2 * N];
    uint32_t labels[N];
    mni_calib c;
    for (uint32_t i = 0; i < N; i++) {
        labels[i] = i / 2;
        rows[2 * i] = (float)(i / 2) * 100;
        rows[2 * i + 1] = i % 2 ? 0.1f * (float)(i / 2 + 1) : 0;
    }
    CHECK_OK(mni_calib_measure(&c, rows, labels, N, 2, 10, MANN_L2, 0, 0, 1, NULL,
                               NULL));
    CHECK_EQ(c.n_genuine, N);
    CHECK_NEAR(c.genuine[0], -1.0, 1e-4);
    CHECK_NEAR(c.genuine[20], -0.01, 1e-5);
    CHECK(mni_calib_fnmr(&c, -2) == 0 && mni_calib_fnmr(&c, 0) == 1);
    CHECK_NEAR(mni_calib_fnmr(&c, -0.25f), 0.5, 0.06);
}

static void thresholds_rise(void)
{
    const mann_metric metrics[] = { MANN_L2, MANN_INNER, MANN_COSINE };
    const world w = { test_seed(), 16, 12 };
    sample s = draw_classes(&w, 0, 90, 3);
    for (int m = 0; m < 3; m++) {
        mni_calib c;
        CHECK_OK(mni_calib_measure(&c, s.rows, s.labels, s.n, 16, 90, metrics[m], 0, 0, 1,
                                   NULL, NULL));
        CHECK_EQ(c.n_sizes, 8);         /* 1, 2, 4, ..., 64, 89 */
        for (float rate = 0.4f; rate > 0.0005f; rate /= 1.7f) {
            float before = -INFINITY;
            for (uint64_t n = 1; n < 20000000; n += n / 3 + 1) {
                float t = mni_calib_threshold(&c, n, rate);
                CHECK(isfinite(t) && t >= before);
                CHECK(mni_calib_threshold(&c, n, rate / 2) >= t);
                before = t;
            }
            CHECK(metrics[m] != MANN_COSINE || before <= 1);
        }
        CHECK(isnan(mni_calib_threshold(&c, 10, 0)) &&
              isnan(mni_calib_threshold(&c, 10, NAN)));
    }
    drop(&s);
}

/* Classes that are the same to the last bit: no minus infinity, no NaN. */
static void equal_classes(void)
{
    float rows[40] = { 0 };
    uint32_t labels[40];
    mni_calib c;
    for (uint32_t i = 0; i < 40; i++) {
        labels[i] = i;
        rows[i] = i < 20 ? 1 : (float)i;
    }
    CHECK_OK(mni_calib_measure(&c, rows, labels, 40, 1, 40, MANN_L2, 0, 0, 1, NULL,
                               NULL));
    float t = mni_calib_threshold(&c, 1000000, 0.001f);
    CHECK(isfinite(t) && t <= 0);
    for (int i = 0; i < 40; i++) rows[i] = 1;
    CHECK_OK(
        mni_calib_measure(&c, rows, labels, 40, 1, 40, MANN_COSINE, 0, 0, 1, NULL,
                               NULL));
    CHECK_NEAR(mni_calib_threshold(&c, 5, 0.01f), 1, 1e-6);
}

static void same_on_any_threads(void)
{
    const world w = { test_seed(), 24, 12 };
    sample s = draw_classes(&w, 0, 120, 2);
    uint8_t *one = mni_alloc(mni_calib_bytes(), 1),
            *got = mni_alloc(mni_calib_bytes(), 1);
    mni_calib c, d;
    CHECK_OK(mni_calib_measure(&c, s.rows, s.labels, s.n, 24, 120, MANN_COSINE, 0, 100, 1,
                               NULL, NULL));
    CHECK_EQ(c.n_queries, 100);
    mni_calib_encode(&c, one);
    for (uint32_t threads = 1; threads <= 7; threads += 3) {
        mann_pool *pool;
        CHECK_OK(mann_pool_new(&pool, threads, NULL));
        CHECK_OK(mni_calib_measure(&d, s.rows, s.labels, s.n, 24, 120, MANN_COSINE, 0,
                                   100, 1, pool, NULL));
        mni_calib_encode(&d, got);
        CHECK(memcmp(one, got, mni_calib_bytes()) == 0);
        mann_pool_free(pool);
    }
    mni_free(one);
    mni_free(got);
    drop(&s);
}

static void few_classes_are_refused(void)
{
    float rows[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    uint32_t labels[8] = { 0, 1, 2, 3, 4, 5, 6, 6 };
    mni_calib c;
    mann_error e;
    CHECK_IS(mni_calib_measure(&c, rows, labels, 8, 1, 9, MANN_L2, 0, 0, 1, NULL, &e),
             MANN_E_ARG);
    CHECK_STR(e.text, "calibration: 7 classes, wanted 8 or more");
    CHECK(isnan(mni_calib_threshold(&c, 10, 0.01f)));
    labels[7] = 8;
    CHECK_OK(mni_calib_measure(&c, rows, labels, 8, 1, 9, MANN_L2, 0, 0, 1, NULL, &e));
    CHECK(isfinite(mni_calib_threshold(&c, 10, 0.01f)));
}

static void bytes_and_back(void)
{
    const world w = { test_seed(), 16, 12 };
    sample s = draw_classes(&w, 0, 50, 2);
    size_t n = mni_calib_bytes();
    uint8_t *bytes = mni_alloc(n, 1), *again = mni_alloc(n, 1);
    mni_calib c, d;
    CHECK_OK(mni_calib_measure(&c, s.rows, s.labels, s.n, 16, 50, MANN_COSINE, 0, 0, 1,
                               NULL, NULL));
    mni_calib_encode(&c, bytes);
    CHECK_OK(mni_calib_decode(&d, bytes, n, NULL));
    mni_calib_encode(&d, again);
    CHECK(memcmp(bytes, again, n) == 0);
    CHECK(mni_calib_threshold(&c, 777, 0.03f) == mni_calib_threshold(&d, 777, 0.03f));
    for (size_t cut = 0; cut < n; cut++)
        CHECK_IS(mni_calib_decode(&d, bytes, cut, NULL), MANN_E_FORMAT);
    /* any flip is refused, or leaves a table that answers in finite, rising numbers */
    for (size_t bit = 0; bit < 8 * n; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (mni_calib_decode(&d, bytes, n, NULL) == MANN_OK && d.n_sizes) {
            float t = mni_calib_threshold(&d, 30, 0.01f),
                  u = mni_calib_threshold(&d, 3000000, 0.01f);
            CHECK(isfinite(t) && t <= u);
        }
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    memset(bytes, 0, n);                /* not calibrated */
    CHECK_OK(mni_calib_decode(&d, bytes, n, NULL));
    CHECK(d.n_sizes == 0);
    mni_free(bytes);
    mni_free(again);
    drop(&s);
}

static mann_status measure_once(void *ctx)
{
    const sample *s = ctx;
    mni_calib c;
    return mni_calib_measure(&c, s->rows, s->labels, s->n, 16, 12, MANN_COSINE, 0, 0, 1,
                             NULL, NULL);
}

static void survives_no_memory(void)
{
    const world w = { test_seed(), 16, 12 };
    sample s = draw_classes(&w, 0, 12, 2);
    test_oom(measure_once, &s, 0);
    drop(&s);
}

const test_case calib_tests[];
/* 40 classes of 20 rows on a line, a class every 10, its rows 0, 0.1, ... 1.9 beyond
 * that. Where one row of each can be met, strangers stay further away, and so does the
 * own class: up to 1.9 in place of 0.1. */
static void few_of_each_class(void)
{
    enum { CLASSES = 40, EACH = 20, ROWS = CLASSES * EACH };
    static float rows[ROWS];
    static uint32_t labels[ROWS];
    mni_calib all, few;
    for (uint32_t i = 0; i < ROWS; i++) {
        labels[i] = i / EACH;
        rows[i] = 10.0f * (float)labels[i] + 0.1f * (float)(i % EACH);
    }
    CHECK_OK(mni_calib_measure(&all, rows, labels, ROWS, 1, CLASSES, MANN_L2, 0, 0, 1,
                               NULL, NULL));
    CHECK_OK(mni_calib_measure(&few, rows, labels, ROWS, 1, CLASSES, MANN_L2, 1, 0, 1,
                               NULL, NULL));
    CHECK_EQ(few.n_queries, ROWS);
    CHECK_EQ(few.n_classes, CLASSES);
    /* all but the first row of a class, which is not asked for itself */
    CHECK_EQ(few.n_genuine, ROWS - CLASSES);
    CHECK_EQ(all.n_genuine, ROWS);
    for (uint32_t s = 0; s < few.n_sizes; s++)
        for (int r = 0; r < 4; r++) /* stricter rates are extrapolated */
            CHECK(few.impostor[s][r] <= all.impostor[s][r]);
    /* the nearest of the next class's twenty is 8.1 to 10 away, its first 8.1 to 11.9 */
    const uint32_t last = few.n_sizes - 1;
    CHECK(few.impostor[last][0] < all.impostor[last][0]);
    CHECK(few.genuine[10] < all.genuine[10]);
    CHECK_EQ(mni_calib_crowd(100, 100), 100);
    CHECK_EQ(mni_calib_crowd(100, 300), 100);
    CHECK_EQ(mni_calib_crowd(100, 301), 101);
    CHECK_EQ(mni_calib_crowd(100, 2000), 667);
}

/* Score of class c for row q by the blend, from the definition; q is in no class. */
static double blended(const float rows[][8], int q, int c)
{
    double sum[8] = { 0 }, near = -1, dot = 0, length = 0;
    for (int i = 3 * c; i < 3 * c + 3; i++) {
        double d = 0;
        if (i == q) continue;
        for (int j = 0; j < 8; j++) {
            d += (double)rows[i][j] * (double)rows[q][j];
            sum[j] += (double)rows[i][j];
        }
        near = fmax(near, d);
    }
    for (int j = 0; j < 8; j++) {
        dot += sum[j] * (double)rows[q][j];
        length += sum[j] * sum[j];
    }
    return (near + dot / sqrt(length)) / 2;
}

static int rising(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void classes_are_measured_as_they_answer(void)
{
    enum { CLASSES = 10, N = 3 * CLASSES };
    static float rows[N][8];
    uint32_t labels[N];
    double stranger[N], own[N];
    mni_calib c;
    for (int i = 0; i < N; i++) {
        mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 31, (uint64_t)i, 0),
                mid = mni_rng_at(test_seed(), MNI_FOR_TEST, 32, (uint64_t)i / 3, 0);
        double length = 0;
        labels[i] = (uint32_t)i / 3;
        for (int j = 0; j < 8; j++) {
            rows[i][j] = mni_rng_normal(&mid) + mni_rng_normal(&r);
            length += (double)rows[i][j] * (double)rows[i][j];
        }
        for (int j = 0; j < 8; j++) rows[i][j] /= (float)sqrt(length);
    }
    CHECK_OK(mni_calib_measure(&c, rows[0], labels, N, 8, CLASSES, MANN_COSINE, 0, 0, 1,
                               NULL, NULL));
    for (int q = 0; q < N; q++) {
        stranger[q] = -1;
        for (int k = 0; k < CLASSES; k++)
            if (k != q / 3) stranger[q] = fmax(stranger[q], blended(rows, q, k));
        own[q] = blended(rows, q, q / 3);
    }
    qsort(stranger, N, sizeof *stranger, rising);
    qsort(own, N, sizeof *own, rising);
    /* half of the strangers among the nine others reach it: middle of log(1 - score) */
    CHECK_NEAR((double)c.impostor[c.n_sizes - 1][0],
               1 - sqrt((1 - stranger[N / 2 - 1]) * (1 - stranger[N / 2])), 1e-4);
    CHECK_NEAR((double)c.genuine[0], own[0], 1e-4);
    CHECK_NEAR((double)c.genuine[MNI_CALIB_GENUINE - 1], own[N - 1], 1e-4);
}

const test_case calib_tests[] = {
    { "classes_are_measured_as_they_answer", classes_are_measured_as_they_answer, 0 },
    { "stated_rate_is_kept", stated_rate_is_kept, 0 },
    { "stated_rate_is_kept_up_to_ten_thousand", stated_rate_is_kept_up_to_ten_thousand,
      1 },
    { "strangers_are_not_alike", strangers_are_not_alike, 0 },
    { "known_distances", known_distances, 0 },
    { "genuine_side", genuine_side, 0 },
    { "thresholds_rise", thresholds_rise, 0 },
    { "equal_classes", equal_classes, 0 },
    { "same_on_any_threads", same_on_any_threads, 0 },
    { "few_classes_are_refused", few_classes_are_refused, 0 },
    { "bytes_and_back", bytes_and_back, 0 },
    { "survives_no_memory", survives_no_memory, 0 },
    { "few_of_each_class", few_of_each_class, 0 },
    { 0 }
};
