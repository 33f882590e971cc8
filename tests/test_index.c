/* test_index.c - rows and the structures that search them. SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "index/ann.h"
#include "index/kinds.h"

/* A set of stored vectors with everything that a view needs; owned. */
typedef struct stored {
    mni_rows rows;
    void *data;
    float *scale, *exact;       /* exact: the prepared f32 vectors */
} stored;

static void fill(float *v, size_t n, uint64_t slot)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, slot);
    for (size_t i = 0; i < n; i++) v[i] = mni_rng_normal(&r);
}

static stored store(mni_dtype dtype, mann_metric metric, uint32_t n, uint32_t dim)
{
    stored s = { .rows = { .n = n, .dim = dim, .dtype = dtype, .metric = metric } };
    size_t row_bytes = dim * mni_dtype_bytes(dtype);
    s.exact = mni_alloc((size_t)n * dim, sizeof *s.exact);
    s.data = mni_alloc(n, row_bytes);
    s.scale = mni_alloc(n, sizeof *s.scale);
    CHECK(s.exact && s.data && s.scale);
    fill(s.exact, (size_t)n * dim, n + dim);
    for (uint32_t i = 0; i < n; i++) {
        CHECK_OK(
            mni_rows_prepare(metric, s.exact + (size_t)i * dim, dim, "row", i, NULL));
        mni_rows_encode(dtype, s.exact + (size_t)i * dim, dim,
                        (char *)s.data + i * row_bytes, &s.scale[i]);
    }
    s.rows.data = s.data;
    s.rows.scale = dtype == MNI_I8 ? s.scale : NULL;
    return s;
}

static void drop(stored *s)
{
    mni_free(s->exact);
    mni_free(s->data);
    mni_free(s->scale);
}

static const mni_dtype dtypes[] = { MNI_F32, MNI_F16, MNI_I8 };
static const mann_metric metrics[] = { MANN_L2, MANN_INNER, MANN_COSINE };

static mann_status build_of(mni_ann **out, const char *spec, const mni_rows *rows,
                            uint64_t seed, mann_error *err)
{
    const mni_ann_job job = { .rows = rows, .seed = seed };
    return mni_ann_build(out, spec, &job, err);
}

static void prepare_refuses_and_repeats(void)
{
    mann_error e;
    float v[9] = { 1, NAN }, zero[4] = { 0 }, inf[2] = { 0, INFINITY };
    CHECK_IS(mni_rows_prepare(MANN_L2, v, 2, "row", 7, &e), MANN_E_ARG);
    CHECK_STR(e.text, "row 7: value 1 is not a number, wanted finite numbers");
    CHECK_IS(mni_rows_prepare(MANN_INNER, inf, 2, "query", 0, &e), MANN_E_ARG);
    CHECK_IS(mni_rows_prepare(MANN_COSINE, zero, 4, "row", 0, &e), MANN_E_ARG);
    CHECK_OK(mni_rows_prepare(MANN_L2, zero, 4, "row", 0, &e));
    CHECK_OK(mni_rows_prepare(MANN_INNER, zero, 4, "row", 0, &e));
    /* tiny, huge, ordinary: unit length after one, the same bits after two */
    const float scales[] = { 1e-40f, 1e-20f, 1, 3e37f };
    for (uint32_t dim = 1; dim <= 9; dim++)
        for (int i = 0; i < 4; i++) {
            float again[9];
            double squares = 0;
            fill(v, dim, dim);
            for (uint32_t j = 0; j < dim; j++) v[j] *= scales[i];
            CHECK_OK(mni_rows_prepare(MANN_COSINE, v, dim, "row", 0, &e));
            for (uint32_t j = 0; j < dim; j++) squares += (double)v[j] * v[j];
            CHECK_NEAR(squares, 1.0, 1e-6);
            memcpy(again, v, sizeof again);
            CHECK_OK(mni_rows_prepare(MANN_COSINE, again, dim, "row", 0, &e));
            CHECK(memcmp(again, v, dim * sizeof *v) == 0);
        }
}

static void f16_says_what_it_cannot_hold(void)
{
    mann_error e;
    const float v[] = { 65504, -65504 }, w[] = { 1, 70000 };
    CHECK_OK(mni_rows_storable(MNI_F16, v, 2, "row", 0, &e));
    CHECK_IS(mni_rows_storable(MNI_F16, w, 2, "row", 3, &e), MANN_E_LIMIT);
    CHECK_OK(mni_rows_storable(MNI_I8, w, 2, "row", 3, &e));
}

/* Distances by the definition in rows.h, in double, of what mni_rows_get gives out. */
static double reference(const mni_rows *r, const float *q, uint32_t row)
{
    float *x = mni_alloc(r->dim, sizeof *x);
    double l2 = 0, ip = 0;
    mni_rows_get(r, row, x);
    for (uint32_t i = 0; i < r->dim; i++) {
        l2 += ((double)q[i] - x[i]) * ((double)q[i] - x[i]);
        ip += (double)q[i] * x[i];
    }
    mni_free(x);
    return r->metric == MANN_L2 ? l2 : r->metric == MANN_INNER ? -ip : l2 / 2;
}

static void scan_is_the_definition(void)
{
    const uint32_t dims[] = { 1, 7, 16, 130, 700, 2048, 2049, 5000 };
    for (size_t d = 0; d < sizeof dims / sizeof dims[0]; d++)
        for (int t = 0; t < 3; t++)
            for (int m = 0; m < 3; m++) {
                stored s = store(dtypes[t], metrics[m], 9, dims[d]);
                float out[9], some[4], *q = mni_alloc(dims[d], sizeof *q);
                fill(q, dims[d], 99);
                CHECK_OK(mni_rows_prepare(metrics[m], q, dims[d], "query", 0, NULL));
                mni_rows_scan(&s.rows, q, 0, 9, out);
                for (uint32_t i = 0; i < 9; i++) {
                    double want = reference(&s.rows, q, i);
                    CHECK_NEAR(out[i], want,
                               1e-5 * (1 + fabs(want)) * (1 + dims[d] / 100.0));
                }
                mni_rows_scan(&s.rows, q, 3, 7, some); /* the same bits in any company */
                CHECK(memcmp(some, out + 3, sizeof some) == 0);
                mni_free(q);
                drop(&s);
            }
}

static void stored_row_is_at_zero(void)
{
    const uint32_t dims[] = { 1, 3, 64, 128, 511, 3000 };
    for (size_t d = 0; d < sizeof dims / sizeof dims[0]; d++)
        for (int t = 0; t < 3; t++)
            for (int m = 0; m < 3; m += 2) {                /* L2 and cosine */
                stored s = store(dtypes[t], metrics[m], 20, dims[d]);
                float *q = mni_alloc(dims[d], sizeof *q),
                      *many = mni_alloc((size_t)20 * dims[d], sizeof *many);
                float one[20], all[20 * 20];
                for (uint32_t i = 0; i < 20; i++) {
                    mni_rows_get(&s.rows, i, q);
                    CHECK_OK(mni_rows_prepare(metrics[m], q, dims[d], "query", i, NULL));
                    memcpy(many + (size_t)i * dims[d], q, dims[d] * sizeof *q);
                    mni_rows_scan(&s.rows, q, 0, 20, one);
                    CHECK(one[i] == 0.0f);
                    CHECK(metrics[m] != MANN_COSINE ||
                          mni_score(MANN_COSINE, one[i]) == 1.0f);
                }
                mni_rows_scan_many(&s.rows, many, 20, 0, 20, all);
                for (uint32_t i = 0; i < 20; i++) CHECK(all[i * 20 + i] == 0.0f);
                mni_free(q);
                mni_free(many);
                drop(&s);
            }
}

/* Unit vectors of 128 values: f16 keeps 11 bits, int8 rounds to 1/254 of the largest
 * value. */
static void rounding_costs_little(void)
{
    const double limit[] = { 1e-6, 2e-4, 1e-2 };
    for (int t = 0; t < 3; t++) {
        stored s = store(dtypes[t], MANN_COSINE, 50, 128);
        mni_rows exact = s.rows;
        exact.data = s.exact;
        exact.dtype = MNI_F32;
        for (uint32_t q = 0; q < 50; q++) {
            float got[50], want[50];
            mni_rows_scan(&s.rows, s.exact + q * 128, 0, 50, got);
            mni_rows_scan(&exact, s.exact + q * 128, 0, 50, want);
            for (int i = 0; i < 50; i++) CHECK_NEAR(got[i], want[i], limit[t]);
        }
        drop(&s);
    }
}

static void damaged_rows_are_far_and_found(void)
{
    float data[6] = { 1, 0, NAN, 1, INFINITY, 0 }, q[2] = { 1, 0 }, out[3],
          big[2] = { 3e38f, 3e38f };
    mni_rows r = {
        .data = data, .n = 3, .dim = 2, .dtype = MNI_F32, .metric = MANN_COSINE
    };
    mann_error e;
    mni_rows_scan(&r, q, 0, 3, out);
    CHECK(out[0] == 0 && out[1] == INFINITY && out[2] == INFINITY);
    CHECK_IS(mni_rows_check(&r, &e), MANN_E_FORMAT);
    CHECK_STR(e.text, "vectors: value 0 of row 1 is not finite");
    float skew[2] = { 3e38f, -3e38f }; /* inf - inf inside the kernel */
    r = (mni_rows){
        .data = skew, .n = 1, .dim = 2, .dtype = MNI_F32, .metric = MANN_INNER
    };
    mni_rows_scan(&r, big, 0, 1, out);
    CHECK(out[0] == out[0]);
    float shorter[2] = { 0.5f, 0 };
    r = (mni_rows){
        .data = shorter, .n = 1, .dim = 2, .dtype = MNI_F32, .metric = MANN_COSINE
    };
    CHECK_IS(mni_rows_check(&r, &e), MANN_E_FORMAT);
    r.metric = MANN_L2;
    CHECK_OK(mni_rows_check(&r, &e));
}

static void scores(void)
{
    CHECK(mni_score(MANN_L2, 4) == -4 && mni_score(MANN_INNER, -3) == 3);
    CHECK(mni_score(MANN_COSINE, 0) == 1 && mni_score(MANN_COSINE, 0.25f) == 0.75f);
    CHECK(mni_score(MANN_COSINE, 2.0001f) == -1 &&
          mni_score(MANN_COSINE, INFINITY) == -1);
}

/* --- structures --------------------------------------------------------------------- */

static int odd_rows(void *ctx, uint32_t row) { (void)ctx; return row % 2; }
static int one_row(void *ctx, uint32_t row) { return row == *(const uint32_t *)ctx; }
static int no_row(void *ctx, uint32_t row) { (void)ctx; (void)row; return 0; }

static int by_near(const void *a, const void *b)
{
    const mni_near *x = a, *y = b;
    return mni_nearer(*x, *y) ? -1 : mni_nearer(*y, *x) ? 1 : 0;
}

/* Sorts all kept rows: the oracle. */
static size_t oracle(const mni_rows *r, const float *q, const mni_ann_params *p,
                     mni_near *out)
{
    mni_near *all = mni_alloc(r->n, sizeof *all);
    float *d = mni_alloc(r->n, sizeof *d);
    size_t n = 0;
    mni_rows_scan(r, q, 0, r->n, d);
    for (uint32_t i = 0; i < r->n; i++)
        if (!p->keep || p->keep(p->keep_ctx, i)) all[n++] = (mni_near){ d[i], i };
    qsort(all, n, sizeof *all, by_near);
    if (n > p->k) n = p->k;
    memcpy(out, all, n * sizeof *out);
    mni_free(all);
    mni_free(d);
    return n;
}

static void flat_finds_what_sorting_finds(void)
{
    enum { N = 1000, DIM = 24 };
    uint32_t only = 417;
    const mni_ann_params cases[] = {
        { .k = 10 }, { .k = 1 }, { .k = 0 }, { .k = N }, { .k = N + 500 },
        { .k = 10, .keep = odd_rows }, { .k = N, .keep = odd_rows },
        { .k = 10, .keep = one_row, .keep_ctx = &only }, { .k = 10, .keep = no_row },
    };
    for (int t = 0; t < 3; t++)
        for (int m = 0; m < 3; m++) {
            stored s = store(dtypes[t], metrics[m], N, DIM);
            mni_near got[N + 500], want[N + 500];
            mni_ann *a;
            mni_scratch *scratch;
            float q[DIM];
            CHECK_OK(build_of(&a, "auto", &s.rows, 1, NULL));
            CHECK_OK(mni_scratch_new(&scratch, NULL));
            fill(q, DIM, 5);
            CHECK_OK(mni_rows_prepare(metrics[m], q, DIM, "query", 0, NULL));
            for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
                size_t n, n_want = oracle(&s.rows, q, &cases[c], want);
                CHECK_OK(
                    mni_ann_search(a, &s.rows, q, &cases[c], scratch, got, &n, NULL));
                CHECK_EQ(n, n_want);
                CHECK(memcmp(got, want, n * sizeof *got) == 0);
            }
            CHECK_OK(mni_ann_check(a, &s.rows, NULL));
            mni_scratch_free(scratch);
            mni_ann_free(a);
            drop(&s);
        }
}

static void ties_go_by_row(void)
{
    float data[300 * 2], q[2] = { 1, 2 };
    for (int i = 0; i < 600; i++) data[i] = (float)(i % 2 + 1);
    mni_rows r = {
        .data = data, .n = 300, .dim = 2, .dtype = MNI_F32, .metric = MANN_L2
    };
    mni_ann *a;
    mni_scratch *scratch;
    mni_near out[20];
    size_t n;
    CHECK_OK(build_of(&a, "flat", &r, 0, NULL));
    CHECK_STR(mni_ann_spec(a), "Flat");
    CHECK_OK(mni_scratch_new(&scratch, NULL));
    CHECK_OK(
        mni_ann_search(a, &r, q, &(mni_ann_params){ .k = 20 }, scratch, out, &n, NULL));
    CHECK_EQ(n, 20);
    for (uint32_t i = 0; i < 20; i++) CHECK(out[i].row == i && out[i].distance == 0);
    mni_scratch_free(scratch);
    mni_ann_free(a);
}

static void batches_are_the_same_on_any_threads(void)
{
    enum { N = 700, DIM = 33, NQ = 101, K = 7 };
    const uint32_t threads[] = { 1, 2, 7 };
    static float queries[NQ * DIM];
    static mni_near one[NQ * K], got[NQ * K];
    size_t n_one[NQ], n_got[NQ];
    fill(queries, NQ * DIM, 77);
    for (int q = 0; q < NQ; q++)
        CHECK_OK(mni_rows_prepare(MANN_COSINE, queries + q * DIM, DIM, "q", 0, NULL));
    for (int t = 0; t < 3; t++) {
        stored s = store(dtypes[t], MANN_COSINE, N, DIM);
        const mni_ann_params p = { .k = K, .keep = odd_rows };
        mni_ann *a;
        mni_scratch *scratch;
        CHECK_OK(build_of(&a, "Flat", &s.rows, 0, NULL));
        CHECK_OK(mni_scratch_new(&scratch, NULL));
        memset(one, 0, sizeof one);
        for (int q = 0; q < NQ; q++)
            CHECK_OK(mni_ann_search(a, &s.rows, queries + q * DIM, &p, scratch,
                                    one + q * K, n_one + q, NULL));
        for (int i = 0; i < 3; i++) {
            mann_pool *pool;
            CHECK_OK(mann_pool_new(&pool, threads[i], NULL));
            for (size_t n = 1; n <= NQ; n += 25) {
                memset(got, 0, sizeof got);
                CHECK_OK(mni_ann_search_batch(a, &s.rows, queries, n, &p, pool, got,
                                              n_got, NULL));
                CHECK(memcmp(n_got, n_one, n * sizeof *n_got) == 0);
                CHECK(memcmp(got, one, n * K * sizeof *got) == 0);
            }
            mann_pool_free(pool);
        }
        mni_scratch_free(scratch);
        mni_ann_free(a);
        drop(&s);
    }
}

static void unknown_kinds_are_named(void)
{
    mni_rows r = { .dim = 4, .dtype = MNI_F32, .metric = MANN_L2 };
    mni_ann *a = (mni_ann *)&r;
    mann_error e;
    CHECK_IS(build_of(&a, "Tree9", &r, 0, &e), MANN_E_UNSUPPORTED);
    CHECK(a == NULL);
    CHECK(strstr(e.text, "\"Tree9\" is not a kind of index") &&
          strstr(e.text, "Flat"));
    CHECK_OK(mni_ann_spec_check("AUTO", &e));
    CHECK_IS(mni_ann_spec_check("", &e), MANN_E_UNSUPPORTED);
}

static void empty_index_answers(void)
{
    mni_rows r = { .dim = 4, .dtype = MNI_F32, .metric = MANN_L2 };
    float q[4] = { 0 };
    mni_near out[3];
    size_t n = 9;
    mni_ann *a;
    CHECK_OK(build_of(&a, "auto", &r, 0, NULL));
    CHECK_OK(mni_ann_search_batch(a, &r, q, 1, &(mni_ann_params){ .k = 3 }, NULL, out, &n,
                                  NULL));
    CHECK_EQ(n, 0);
    CHECK_OK(mni_ann_search_batch(a, &r, q, 0, &(mni_ann_params){ .k = 3 }, NULL, out, &n,
                                  NULL));
    mni_ann_free(a);
}

static mann_status search_once(void *ctx)
{
    static mni_near out[40 * 5];
    size_t n[40];
    const stored *s = ctx;
    mni_ann *a;
    MNI_TRY(build_of(&a, "auto", &s->rows, 0, NULL));
    mann_status st = mni_ann_search_batch(a, &s->rows, s->exact, 40,
                                          &(mni_ann_params){ .k = 5 }, NULL, out, n,
                                          NULL);
    mni_ann_free(a);
    return st;
}

static void search_survives_no_memory(void)
{
    stored s = store(MNI_F32, MANN_L2, 60, 8);
    test_oom(search_once, &s, 0);
    drop(&s);
}

const test_case index_tests[];
const test_case index_tests[] = {
    { "prepare_refuses_and_repeats", prepare_refuses_and_repeats, 0 },
    { "f16_says_what_it_cannot_hold", f16_says_what_it_cannot_hold, 0 },
    { "scan_is_the_definition", scan_is_the_definition, 0 },
    { "stored_row_is_at_zero", stored_row_is_at_zero, 0 },
    { "rounding_costs_little", rounding_costs_little, 0 },
    { "damaged_rows_are_far_and_found", damaged_rows_are_far_and_found, 0 },
    { "scores", scores, 0 },
    { "flat_finds_what_sorting_finds", flat_finds_what_sorting_finds, 0 },
    { "ties_go_by_row", ties_go_by_row, 0 },
    { "batches_are_the_same_on_any_threads", batches_are_the_same_on_any_threads, 0 },
    { "unknown_kinds_are_named", unknown_kinds_are_named, 0 },
    { "empty_index_answers", empty_index_answers, 0 },
    { "search_survives_no_memory", search_survives_no_memory, 0 },
    { 0 }
};
