/* test_ann_life.c - every kind of index through a long life: changes, deletes, twins, and
 * the same bytes for any number of threads. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "ann_help.h"
#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "index/bare_parts.h"

#define WANT(x)                                                                        \
    do {                                                                               \
        if (!(x)) test_fail(__FILE__, __LINE__, "%s: %s", ann_now(), #x);              \
    } while (0)

static void verify(const mni_bare *ix)
{
    mann_error e = { MANN_OK, "" };
    if (mni_bare_verify(ix, &e) != MANN_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", ann_now(), e.text);
}

static void add(mni_bare *ix, const uint64_t *ids, const float *rows, size_t n)
{
    mann_error e = { MANN_OK, "" };
    if (mni_bare_add(ix, ids, (mann_matrix){ rows, n, ANN_DIM, 0 }, NULL, &e) != MANN_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", ann_now(), e.text);
}

static void take(mni_bare *ix, const uint64_t *ids, size_t n)
{
    size_t gone = 0;
    mann_error e = { MANN_OK, "" };
    if (mni_bare_remove(ix, ids, n, &gone, &e) != MANN_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", ann_now(), e.text);
    WANT(gone == n);
}

/* --- threads ------------------------------------------------------------------------ */

static void same_bytes(const ann_kind *kind)
{
    static const uint32_t threads[] = { 1, 2, 7 };
    float *rows = ann_vectors(1, 3000), *more = ann_vectors(2, 500);
    uint64_t first = 0, bytes;
    for (int t = 0; t < 3; t++) {
        mni_pool *pool;
        CHECK_OK(mann_pool_new(&pool, threads[t], NULL));
        mni_bare *ix = ann_build(kind, MANN_L2, rows, 3000, pool);
        uint64_t hash = ann_hash(ix, &bytes), gone[100];
        CHECK_OK(mni_bare_add(ix, NULL, (mann_matrix){ more, 500, ANN_DIM, 0 }, pool,
                              NULL));
        for (uint64_t i = 0; i < 100; i++) gone[i] = i * 17;
        take(ix, gone, 100);
        hash = mni_hash_bytes(&hash, sizeof hash, ann_hash(ix, &bytes));
        if (t == 0) first = hash;
        WANT(hash == first);
        mni_bare_free(ix);
        mann_pool_free(pool);
    }
    mni_free(rows);
    mni_free(more);
}

static void same_bytes_on_any_threads(void) { ann_each(same_bytes); }

/* --- twenty rounds ------------------------------------------------------------------ */

/* Work, counted: rows that the walk asks the filter about. */
static int count_and_keep(void *user, uint64_t id, const char *klass)
{
    (void)id, (void)klass;
    ++*(uint64_t *)user;
    return 1;
}

static uint64_t work(const mni_bare *ix)
{
    enum { Q = 100, K = 10 };
    uint64_t asked = 0, ids[K];
    float q[ANN_DIM], d[K];
    mann_search how;
    mann_search_fill(&how, sizeof how, K);
    how.filter = count_and_keep;
    how.filter_user = &asked;
    for (uint64_t i = 0; i < Q; i++) {
        ann_vector(99, i, q);
        CHECK_OK(mni_bare_query(ix, (mann_matrix){ q, 1, ANN_DIM, 0 }, &how, NULL, ids, d,
                                NULL));
    }
    return asked;
}

static void rounds(const ann_kind *kind)
{
    enum { N = 1500, ROUNDS = 20, PART = N / 10 };
    uint64_t live[N], ids[PART], next = N, bytes, fresh_bytes;
    float *rows = ann_vectors(3, N), *all = ann_vectors(3, N + ROUNDS * PART);
    mni_bare *ix = ann_build(kind, MANN_L2, rows, N, NULL);
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 9, 0, 0);
    for (uint64_t i = 0; i < N; i++) live[i] = i;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < PART; i++) {
            uint32_t at = i + mni_rng_below(&r, (uint32_t)(N - i));
            uint64_t id = live[at];
            live[at] = live[i];
            ids[i] = id;
        }
        take(ix, ids, PART);
        for (int i = 0; i < PART; i++) live[i] = ids[i] = next++;
        add(ix, ids, all + ids[0] * ANN_DIM, PART);
        WANT(mni_bare_n_rows(ix) == N);
    }
    verify(ix);
    for (int i = 0; i < N; i++)
        memcpy(rows + i * ANN_DIM, all + live[i] * ANN_DIM, ANN_DIM * sizeof *rows);
    mni_bare *fresh = ann_build(kind, MANN_L2, rows, N, NULL);
    double old = ann_share(ix, 10, 100), young = ann_share(fresh, 10, 100);
    if (old < young - 0.01)
        test_fail(__FILE__, __LINE__, "%s: recall %.4f after 20 rounds, %.4f fresh",
                  kind->spec, old, young);
    ann_hash(ix, &bytes);
    ann_hash(fresh, &fresh_bytes);
    WANT(bytes * 2 <= fresh_bytes * 3);
    WANT(work(ix) * 10 <= work(fresh) * 13);
    mni_bare_free(ix);
    mni_bare_free(fresh);
    mni_free(rows);
    mni_free(all);
}

static void twenty_rounds_of_a_tenth(void) { ann_each(rounds); }

/* --- twins -------------------------------------------------------------------------- */

static void twins(const ann_kind *kind)
{
    enum { N = 10000 };
    float *rows = mni_alloc(N * ANN_DIM, sizeof *rows), q[ANN_DIM], d[10];
    uint64_t ids[10], *half = mni_alloc(N / 2, sizeof *half);
    CHECK(rows && half);
    ann_vector(4, 0, q);
    for (int i = 0; i < N; i++) memcpy(rows + i * ANN_DIM, q, sizeof q);
    mni_bare *ix = ann_build(kind, MANN_L2, rows, N, NULL);
    WANT(ann_ask(ix, q, 10, ids, d) == 10 && d[9] == 0.0f);
    for (uint64_t i = 0; i < N / 2; i++) half[i] = 2 * i;
    take(ix, half, N / 2);
    WANT(ann_ask(ix, q, 10, ids, d) == 10 && d[9] == 0.0f);
    for (int i = 0; i < 10; i++) WANT(ids[i] % 2 == 1);
    verify(ix);
    /* A stranger among them: a walk over a graph has five thousand equally near rows to
     * look behind, so it is told to be as wide. */
    mann_search how;
    mann_search_fill(&how, sizeof how, 3);
    how.ef = 6000;
    ann_vector(4, 1, q);
    add(ix, (uint64_t[]){ 77777 }, q, 1);
    CHECK_OK(mni_bare_query(ix, (mann_matrix){ q, 1, ANN_DIM, 0 }, &how, NULL, ids, d,
                            NULL));
    WANT(ids[0] == 77777 && d[0] == 0.0f && ids[2] != MNI_NO_ID);
    mni_bare_free(ix);
    mni_free(rows);
    mni_free(half);
}

static void ten_thousand_twins(void) { ann_each(twins); }

/* --- one row again and again -------------------------------------------------------- */

static void again(const ann_kind *kind)
{
    enum { N = 400 };
    float *rows = ann_vectors(5, N), q[ANN_DIM], d[5];
    uint64_t ids[5];
    mni_bare *ix = ann_build(kind, MANN_L2, rows, N, NULL);
    /* every row in turn, so that the entry of a graph is among them many times */
    for (uint64_t i = 0; i < 100; i++) {
        const uint64_t id = i * 4 % N;
        take(ix, &id, 1);
        WANT(ann_ask(ix, rows + id * ANN_DIM, 5, ids, d) == 5 && ids[0] != id);
        add(ix, &id, rows + id * ANN_DIM, 1);
        WANT(ann_ask(ix, rows + id * ANN_DIM, 5, ids, d) == 5);
        WANT(ids[0] == id && d[0] == 0.0f);
    }
    verify(ix);
    for (uint64_t i = 0; i < 1000; i++) {   /* upsert of one id leaves one row */
        const uint64_t id = 7;
        ann_vector(6, i, q);
        add(ix, &id, q, 1);
    }
    WANT(mni_bare_n_rows(ix) == N);
    WANT(ann_ask(ix, q, 5, ids, d) == 5 && ids[0] == 7 && d[0] == 0.0f);
    WANT(ann_share(ix, 10, 60) > 0.9);
    verify(ix);
    mni_bare_free(ix);
    mni_free(rows);
}

static void the_same_row_again(void) { ann_each(again); }

/* --- much is gone ------------------------------------------------------------------- */

static void mostly(const ann_kind *kind)
{
    enum { N = 2000 };
    static const int percent[] = { 50, 90, 99 };
    float *rows = ann_vectors(8, N);
    uint64_t *ids = mni_alloc(N, sizeof *ids);
    CHECK(ids);
    for (int p = 0; p < 3; p++) {
        mni_bare *ix = ann_build(kind, MANN_COSINE, rows, N, NULL);
        size_t n = 0;
        for (uint64_t i = 0; i < N; i++)
            if ((i * 7919) % 100 < (uint64_t)percent[p]) ids[n++] = i;
        take(ix, ids, n);
        verify(ix);
        double recall = ann_share(ix, 10, 60);
        if (recall < 0.85)
            test_fail(__FILE__, __LINE__, "%s: %d %% removed: recall %.3f", kind->spec,
                      percent[p], recall);
        mni_bare_free(ix);
    }
    mni_bare *ix = ann_build(kind, MANN_L2, rows, N, NULL);
    for (uint64_t i = 0; i < N; i++) ids[i] = i;
    take(ix, ids, N);                           /* everything, and it lives again */
    WANT(mni_bare_n_rows(ix) == 0);
    WANT(ann_share(ix, 10, 3) == 1.0);
    add(ix, ids, rows, 300);
    WANT(ann_share(ix, 10, 30) > 0.9);
    verify(ix);
    mni_bare_free(ix);
    mni_free(rows);
    mni_free(ids);
}

static void half_nine_tenths_all_but_a_few_removed(void) { ann_each(mostly); }

/* --- grown one by one --------------------------------------------------------------- */

static void grown(const ann_kind *kind)
{
    float *rows = ann_vectors(11, 900);
    mni_bare *ix = ann_build(kind, MANN_L2, rows, 0, NULL);
    WANT(ann_share(ix, 5, 2) == 1.0);          /* empty answers nothing */
    for (uint64_t i = 0; i < 300; i++) add(ix, &i, rows + i * ANN_DIM, 1);
    uint64_t ids[600];
    for (uint64_t i = 0; i < 600; i++) ids[i] = 300 + i;
    add(ix, ids, rows + 300 * ANN_DIM, 600);
    WANT(ann_share(ix, 10, 60) > 0.9);
    verify(ix);
    mni_bare_free(ix);
    mni_free(rows);
}

static void grown_from_nothing(void) { ann_each(grown); }

extern const test_case ann_life_tests[];
const test_case ann_life_tests[] = {
    { "same_bytes_on_any_threads", same_bytes_on_any_threads, 0 },
    { "twenty_rounds_of_a_tenth", twenty_rounds_of_a_tenth, 0 },
    { "ten_thousand_twins", ten_thousand_twins, 0 },
    { "the_same_row_again", the_same_row_again, 0 },
    { "half_nine_tenths_all_but_a_few_removed", half_nine_tenths_all_but_a_few_removed,
      0 },
    { "grown_from_nothing", grown_from_nothing, 0 },
    { NULL, NULL, 0 }
};
