/* test_tight.c - look-alikes: who stands between two of them is not known.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "gallery_help.h"
#include "harness.h"

enum { CROWD = 40 };

/* Three directions at right angles, of one length: `a` itself, the way to its look-alike,
 * and away from both.
 *
 *     a  one      b  its look-alike      between  a stranger      near  a photo of a
 */
typedef struct scene { float a[DIM], b[DIM], between[DIM], near[DIM]; } scene;

static void scene_make(scene *s, uint64_t number)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 11, number, 0);
    double axis[3][DIM];
    for (int i = 0; i < 3; i++) {
        double length = 0;
        for (int d = 0; d < DIM; d++) axis[i][d] = (double)mni_rng_normal(&r);
        for (int k = 0; k < i; k++) {
            double dot = 0;
            for (int d = 0; d < DIM; d++) dot += axis[i][d] * axis[k][d] / DIM;
            for (int d = 0; d < DIM; d++) axis[i][d] -= dot * axis[k][d];
        }
        for (int d = 0; d < DIM; d++) length += axis[i][d] * axis[i][d];
        for (int d = 0; d < DIM; d++) axis[i][d] *= sqrt(DIM / length);
    }
    for (int d = 0; d < DIM; d++) {
        const double *x = axis[0], *to_b = axis[1], *off = axis[2];
        s->a[d] = (float)x[d];
        s->b[d] = (float)(x[d] + 0.15 * to_b[d]);
        s->between[d] = (float)(0.9 * x[d] - 0.2 * to_b[d] + 0.4 * off[d]);
        s->near[d] = (float)(1.05 * x[d] - 0.05 * to_b[d] + 0.05 * off[d]);
    }
}

static void put(mni_gallery *g, const char *klass, const float *v)
{
    mann_error e = { MANN_OK, "" };
    const mni_new_row row = { .klass = klass, .vector = v };
    CHECK_FINE(mni_gallery_add(g, &row, 1, NULL, &e), e);
}

static void fold(mni_gallery *g, const char *spec)
{
    mann_error e = { MANN_OK, "" };
    CHECK_FINE(mni_gallery_build(g, NULL, spec, MNI_MEASURE_YES, NULL, NULL, &e), e);
}

/* A crowd of classes that are nobody's look-alike, calibrated. */
static mni_gallery *crowd(mni_vfs_mem **mem, mann_metric metric, mann_store store)
{
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    const mann_gallery_config c = gallery_config(metric, store);
    CHECK_OK(mni_vfs_mem_new(mem, NULL));
    CHECK_FINE(mni_gallery_create(&g, mni_vfs_mem_vfs(*mem), "g", &c, &e), e);
    for (uint32_t k = 0; k < CROWD; k++)
        CHECK_FINE(gallery_add_view(g, k, 0, NULL, &e), e);
    return g;
}

static void leave(mni_gallery *g, mni_vfs_mem *mem)
{
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

static mann_search how_to(uint32_t tighten)
{
    mann_search s;
    mann_search_fill(&s, sizeof s, 3);
    s.aggregate = MANN_AGGREGATE_MAX;           /* the plain scan knows rows only */
    s.false_accept = 0.5f;
    s.min_margin = 0;
    s.tighten = tighten;
    return s;
}

static mann_answer asked(mni_gallery *g, const float *q, const mann_search *s, int rows)
{
    mann_hit hits[3];
    mann_answer a;
    mann_error e = { MANN_OK, "" };
    const mann_matrix m = { q, 1, DIM, 0 };
    CHECK_FINE((rows ? mni_gallery_search : mni_gallery_identify)(g, m, s, NULL, hits, &a,
                                                                  &e),
               e);
    return a;
}

/* The verdict without tightening is `known`; and with it, asked for classes and rows. */
static void expect(mni_gallery *g, const float *q, mann_verdict tight)
{
    for (int rows = 0; rows < 2; rows++) {
        const mann_search lax = how_to(0), strict = how_to(1);
        const mann_answer x = asked(g, q, &lax, rows), y = asked(g, q, &strict, rows);
        CHECK_EQ(x.verdict, MANN_KNOWN);
        CHECK_EQ(y.verdict, tight);
        CHECK(y.threshold >= x.threshold && y.unsure_above == x.unsure_above);
        CHECK(y.margin == x.margin && y.n_hits == x.n_hits);
        if (tight == MANN_UNSURE) CHECK(y.threshold > x.threshold || !(y.margin > 0));
    }
}

/* --- where the rows lie ------------------------------------------------------------- */

static void play(mann_metric metric, mann_store store, const char *spec, int stage)
{
    scene s, lone;
    mni_vfs_mem *mem;
    size_t gone;
    mann_error e = { MANN_OK, "" };
    mni_gallery *g = crowd(&mem, metric, store);
    scene_make(&s, 1);
    scene_make(&lone, 2);
    put(g, "lone", lone.a);
    if (stage == 0) fold(g, spec);                  /* both in the tail */
    put(g, "a", s.a);
    if (stage == 1) fold(g, spec);                  /* the look-alike alone */
    put(g, "b", s.b);
    if (stage == 2) fold(g, spec);                  /* neither */
    expect(g, s.between, MANN_UNSURE);
    expect(g, s.near, MANN_KNOWN);
    expect(g, lone.near, MANN_KNOWN);
    expect(g, lone.between, MANN_KNOWN);
    CHECK_FINE(mni_gallery_remove_class(g, "b", &gone, &e), e);
    expect(g, s.between, MANN_KNOWN);               /* what is gone tightens nothing */
    put(g, "c", s.b);
    expect(g, s.between, MANN_UNSURE);
    leave(g, mem);
}

static void every_metric_and_index(void)
{
    static const char *const specs[] = { "Flat", "SQ8", "HNSW8", "IVF4,Flat", "IVF4,PQ8",
                                         "IVF4,PQ8x4fs" };
    for (uint32_t m = MANN_L2; m <= MANN_COSINE; m++)
        for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++)
            for (int stage = 0; stage < 3; stage++)
                play((mann_metric)m, MANN_STORE_F32, specs[i], stage);
    for (int stage = 0; stage < 3; stage++) {
        play(MANN_COSINE, MANN_STORE_F16, "HNSW8", stage);
        play(MANN_L2, MANN_STORE_INT8, "Flat", stage);
    }
}

/* --- who counts as a look-alike ----------------------------------------------------- */

static int not_b(void *user, uint64_t id, const char *klass)
{
    (void)user;
    (void)id;
    return klass && strcmp(klass, "b") != 0;
}

static void only_kept_rows_of_other_classes(void)
{
    scene s;
    mni_vfs_mem *mem;
    uint64_t id = CROWD + 1;
    mann_error e = { MANN_OK, "" };
    mni_gallery *g = crowd(&mem, MANN_COSINE, MANN_STORE_F32);
    mann_search strict = how_to(1);
    scene_make(&s, 3);
    put(g, "a", s.a);
    put(g, "b", s.b);
    fold(g, "Flat");
    expect(g, s.between, MANN_UNSURE);
    strict.filter = not_b;                          /* the caller will not hear of it */
    CHECK_EQ(asked(g, s.between, &strict, 0).verdict, MANN_KNOWN);
    CHECK_EQ(asked(g, s.between, &strict, 1).verdict, MANN_KNOWN);
    CHECK_FINE(mni_gallery_relabel(g, &id, 1, "a", &e), e);
    expect(g, s.between, MANN_KNOWN);               /* one of its own */
    CHECK_FINE(mni_gallery_relabel(g, &id, 1, "b", &e), e);
    expect(g, s.between, MANN_UNSURE);
    const mni_new_row nobody = { .vector = s.b, .id = id, .has_id = 1 };
    CHECK_FINE(mni_gallery_add(g, &nobody, 1, NULL, &e), e);
    expect(g, s.between, MANN_KNOWN);               /* nobody can be taken for nobody */
    leave(g, mem);
}

/* Its own rows lie thickly round a; the look-alike is behind them all. */
static void many_rows_of_its_own_class(void)
{
    scene s;
    mni_vfs_mem *mem;
    mann_error e = { MANN_OK, "" };
    mni_gallery *g = crowd(&mem, MANN_COSINE, MANN_STORE_F32);
    fold(g, "Flat"); /* measured before there are look-alikes */
    scene_make(&s, 4);
    put(g, "b", s.b);
    for (uint32_t i = 0; i < 150; i++) {
        mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 12, i, 0);
        float v[DIM];
        for (int d = 0; d < DIM; d++) v[d] = s.a[d] + 0.01f * mni_rng_normal(&r);
        put(g, "a", v);
        if (i == 75)
            CHECK_FINE(
                mni_gallery_build(g, NULL, "HNSW8", MNI_MEASURE_NO, NULL, NULL, &e), e);
    }
    expect(g, s.between, MANN_UNSURE);
    leave(g, mem);
}

/* The same thing under two names: it is one of them, and nobody can say which. */
static void twins_are_unsure(void)
{
    for (uint32_t m = MANN_L2; m <= MANN_COSINE; m++) {
        scene s;
        mni_vfs_mem *mem;
        mni_gallery *g = crowd(&mem, (mann_metric)m, MANN_STORE_F32);
        scene_make(&s, 5);
        put(g, "a", s.a);
        fold(g, NULL);
        expect(g, s.a, MANN_KNOWN);
        put(g, "b", s.a);
        for (int rows = 0; rows < 2; rows++) {
            expect(g, s.near, MANN_UNSURE);
            expect(g, s.a, MANN_UNSURE);            /* the very photo */
            if (rows == 0) fold(g, NULL);
        }
        leave(g, mem);
    }
}

static void one_class_alone(void)
{
    scene s;
    mni_vfs_mem *mem;
    size_t gone;
    mann_error e = { MANN_OK, "" };
    mni_gallery *g = crowd(&mem, MANN_COSINE, MANN_STORE_F32);
    const mann_search strict = how_to(1);
    scene_make(&s, 6);
    put(g, "a", s.a);
    put(g, "a", s.b);
    CHECK_EQ(asked(g, s.between, &strict, 0).verdict, MANN_UNSURE); /* not calibrated */
    fold(g, NULL);
    for (uint32_t k = 0; k < CROWD; k++) {
        char name[32];
        snprintf(name, sizeof name, "class-%u", (unsigned)k);
        CHECK_FINE(mni_gallery_remove_class(g, name, &gone, &e), e);
    }
    expect(g, s.between, MANN_KNOWN);
    leave(g, mem);
}

/* --- the rule, by a plain scan ------------------------------------------------------ */

static double cosine(const float *x, const float *y)
{
    double xy = 0, xx = 0, yy = 0;
    for (int d = 0; d < DIM; d++) {
        xy += (double)x[d] * (double)y[d];
        xx += (double)x[d] * (double)x[d];
        yy += (double)y[d] * (double)y[d];
    }
    return xy / sqrt(xx * yy);
}

enum { PAIRS = 30, VIEWS = 2, QUERIES = 400 };

static void gather(float (*rows)[DIM], mni_gallery *g)
{
    for (uint32_t p = 0; p < PAIRS; p++) {          /* class 2p and 2p + 1 are alike */
        mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 13, p, 0);
        float centre[DIM];
        for (int d = 0; d < DIM; d++) centre[d] = mni_rng_normal(&r);
        for (uint32_t i = 0; i < 2 * VIEWS; i++) {
            char name[32];
            snprintf(name, sizeof name, "k%u", (unsigned)(2 * p + i / VIEWS));
            for (int d = 0; d < DIM; d++)
                rows[2 * VIEWS * p + i][d] = centre[d] + 0.3f * mni_rng_normal(&r);
            put(g, name, rows[2 * VIEWS * p + i]);
        }
        if (p == PAIRS - 5) fold(g, "HNSW8");
    }
}

static void ask_near(float (*queries)[DIM])
{
    for (uint32_t q = 0; q < QUERIES; q++) {
        mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 13, q % PAIRS, 0),
                noise = mni_rng_at(test_seed(), MNI_FOR_TEST, 14, q, 0);
        for (int d = 0; d < DIM; d++)
            queries[q][d] = mni_rng_normal(&r) + 0.3f * mni_rng_normal(&noise);
    }
}

static void as_a_plain_scan_says(void)
{
    enum { ROWS = 2 * VIEWS * PAIRS };
    static float rows[ROWS][DIM], queries[QUERIES][DIM];
    const mann_search lax = how_to(0), strict = how_to(1);
    mni_vfs_mem *mem;
    mni_gallery *g = crowd(&mem, MANN_COSINE, MANN_STORE_F32);
    int n_known = 0, n_tight = 0;
    gather(rows, g);
    ask_near(queries);
    for (uint32_t q = 0; q < QUERIES; q++) {
        int best = 0;
        double rival = -2, score;
        for (int i = 1; i < ROWS; i++)
            if (cosine(queries[q], rows[i]) > cosine(queries[q], rows[best])) best = i;
        score = cosine(queries[q], rows[best]);
        for (int i = 0; i < ROWS; i++)
            if (i / VIEWS != best / VIEWS)
                rival = fmax(rival, cosine(rows[best], rows[i]));
        const mann_answer x = asked(g, queries[q], &lax, 0),
                          y = asked(g, queries[q], &strict, 0);
        if (x.verdict != MANN_KNOWN) {              /* nothing to tighten */
            CHECK_EQ(y.verdict, x.verdict);
            CHECK(y.threshold == x.threshold);
            continue;
        }
        n_known++;
        n_tight += y.verdict == MANN_KNOWN;
        CHECK_NEAR((double)y.threshold, fmax((double)x.threshold, rival), 1e-5);
        if (fabs(score - rival) > 1e-5)
            CHECK_EQ(y.verdict, score > rival ? MANN_KNOWN : MANN_UNSURE);
    }
    CHECK(n_known > QUERIES / 2 && n_tight > 10 && n_tight < n_known - 10);
    leave(g, mem);
}

static void any_number_of_threads(void)
{
    static float rows[2 * VIEWS * PAIRS][DIM], queries[QUERIES][DIM];
    static mann_hit hits[3][QUERIES * 3];
    static mann_answer answers[3][QUERIES];
    static const uint32_t threads[3] = { 1, 2, 7 };
    const mann_search strict = how_to(1);
    mni_vfs_mem *mem;
    mann_error e = { MANN_OK, "" };
    mni_gallery *g = crowd(&mem, MANN_COSINE, MANN_STORE_F32);
    gather(rows, g);
    ask_near(queries);
    for (int t = 0; t < 3; t++) {
        mann_pool *pool;
        CHECK_OK(mann_pool_new(&pool, threads[t], NULL));
        CHECK_FINE(mni_gallery_identify(g, (mann_matrix){ queries[0], QUERIES, DIM, 0 },
                                        &strict, pool, hits[t], answers[t], &e),
                   e);
        mann_pool_free(pool);
    }
    for (uint32_t q = 0; q < QUERIES; q++) {
        const mann_answer one = asked(g, queries[q], &strict, 0);
        for (int t = 0; t < 3; t++) {
            CHECK(hits[t][3 * q].id == hits[0][3 * q].id);
            CHECK(answers[t][q].verdict == one.verdict);
            CHECK(answers[t][q].threshold == one.threshold);
            CHECK(answers[t][q].margin == one.margin);
        }
    }
    leave(g, mem);
}

/* --- the call ----------------------------------------------------------------------- */

static mann_status ask_once(void *ctx)
{
    scene s;
    mann_hit hits[3];
    mann_answer a = { 0 };
    mann_error e = { MANN_OK, "" };
    const mann_search strict = how_to(1);
    mni_gallery *g;             /* its own: a search leaves room behind for the next */
    scene_make(&s, 7);
    mann_status status = mni_gallery_open(&g, ctx, "g", MANN_OPEN_READ, &e);
    if (status != MANN_OK) return status;
    status = mni_gallery_identify(g, (mann_matrix){ s.between, 1, DIM, 0 }, &strict, NULL,
                                  hits, &a, &e);
    if (status == MANN_OK) CHECK_EQ(a.verdict, MANN_UNSURE);
    mni_gallery_free(g);
    return status;
}

static void memory_may_end_anywhere(void)
{
    scene s;
    mni_vfs_mem *mem;
    mni_gallery *g = crowd(&mem, MANN_COSINE, MANN_STORE_F32);
    scene_make(&s, 7);
    put(g, "a", s.a);
    fold(g, "HNSW8");
    put(g, "b", s.b);
    mni_gallery_free(g);
    test_oom(ask_once, (void *)(uintptr_t)mni_vfs_mem_vfs(mem), 0);
    mni_vfs_mem_free(mem);
}

/* A caller who was built before there was such a thing is not tightened. */
static void older_and_wrong_callers(void)
{
    scene s;
    mni_vfs_mem *mem;
    mann_hit hits[3];
    mann_answer a;
    mann_error e = { MANN_OK, "" };
    mni_gallery *g = crowd(&mem, MANN_COSINE, MANN_STORE_F32);
    mann_search how = how_to(1);
    scene_make(&s, 8);
    const mann_matrix m = { s.between, 1, DIM, 0 };
    put(g, "a", s.a);
    put(g, "b", s.b);
    fold(g, NULL);
    CHECK_FINE(mann_gallery_identify(g, m, &how, NULL, hits, &a, &e), e);
    CHECK_EQ(a.verdict, MANN_UNSURE);
    how.struct_size = offsetof(mann_search, tighten);
    CHECK_FINE(mann_gallery_identify(g, m, &how, NULL, hits, &a, &e), e);
    CHECK_EQ(a.verdict, MANN_KNOWN);
    how.struct_size = sizeof how;
    how.tighten = 2;
    CHECK_IS(mann_gallery_identify(g, m, &how, NULL, hits, &a, &e), MANN_E_ARG);
    CHECK(strstr(e.text, "tighten is 2"));
    leave(g, mem);
}

const test_case tight_tests[];
const test_case tight_tests[] = {
    { "every_metric_and_index", every_metric_and_index, 0 },
    { "only_kept_rows_of_other_classes", only_kept_rows_of_other_classes, 0 },
    { "many_rows_of_its_own_class", many_rows_of_its_own_class, 0 },
    { "twins_are_unsure", twins_are_unsure, 0 },
    { "one_class_alone", one_class_alone, 0 },
    { "as_a_plain_scan_says", as_a_plain_scan_says, 0 },
    { "any_number_of_threads", any_number_of_threads, 0 },
    { "memory_may_end_anywhere", memory_may_end_anywhere, 0 },
    { "older_and_wrong_callers", older_and_wrong_callers, 0 },
    { 0 }
};
