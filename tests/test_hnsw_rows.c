/* test_hnsw_rows.c - graphs over rows of one byte a value, which are walked themselves:
 * no codes are kept, and everything else is as with codes.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "ann_set.h"
#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "index/hnsw.h"

static const mann_metric metrics[] = { MANN_L2, MANN_COSINE, MANN_INNER };

static double fact(const mni_ann *a, const mni_rows *rows, const char *name)
{
    mni_ann_fact facts[MNI_ANN_FACTS];
    const size_t n = mni_ann_report(a, rows, facts);
    for (size_t i = 0; i < n; i++)
        if (strcmp(facts[i].name, name) == 0) return facts[i].value;
    return -1;
}

static void rows_are_found_without_codes(void)
{
    static const uint32_t dims[] = { 5, 33, 130 };
    for (int m = 0; m < 3; m++)
        for (int d = 0; d < 3; d++) {
            ann_set s = ann_set_new(MNI_I8, metrics[m], 900, dims[d], 1);
            float *q = ann_set_queries(&s, 40, 2);
            mni_ann *a = ann_built("HNSW12,efc80", &s, NULL);
            CHECK(fact(a, &s.rows, "bytes a row for codes") == 0);
            CHECK_OK(mni_ann_check(a, &s.rows, NULL));
            const double low = ann_recall(a, &s, q, 40, &(mni_ann_params){ .k = 10,
                                                                           .ef = 24 }),
                         high = ann_recall(a, &s, q, 40, &(mni_ann_params){ .k = 10,
                                                                            .ef = 300 });
            CHECK(low > 0.75 && high > 0.98 && high >= low);
            mni_ann_free(a);
            mni_free(q);
            ann_set_free(&s);
        }
}

/* With all rows in the pool only the rounding of the query stands before the truth. */
static void the_order_is_exact(void)
{
    for (int m = 0; m < 3; m++) {
        ann_set s = ann_set_new(MNI_I8, metrics[m], 400, 24, 3);
        float *q = ann_set_queries(&s, 100, 4);
        mni_ann *a = ann_built("HNSW16", &s, NULL);
        const double share = ann_recall(a, &s, q, 100, &(mni_ann_params){ .k = 10,
                                                                          .ef = 400 });
        CHECK(share >= 0.999);
        if (metrics[m] == MANN_INNER)
            ann_same_as_flat(a, &s, q, 100, &(mni_ann_params){ .k = 10, .ef = 400 });
        for (uint32_t row = 0; row < 50; row++) {
            mni_near near[3];
            size_t found;
            mni_scratch *scratch;
            CHECK_OK(mni_scratch_new(&scratch, NULL));
            mni_rows_get(&s.rows, row, q);
            CHECK_OK(mni_ann_search(a, &s.rows, q, &(mni_ann_params){ .k = 3, .ef = 30 },
                                    scratch, near, &found, NULL));
            if (metrics[m] != MANN_INNER)
                CHECK(near[0].row == row && near[0].distance == 0.0f);
            mni_scratch_free(scratch);
        }
        mni_ann_free(a);
        mni_free(q);
        ann_set_free(&s);
    }
}

static int even_rows(void *ctx, uint32_t row)
{
    (void)ctx;
    return row % 2 == 0;
}

static void filters_and_batches(void)
{
    ann_set s = ann_set_new(MNI_I8, MANN_COSINE, 3000, 32, 5);
    float *q = ann_set_queries(&s, 40, 6);
    mni_ann *a = ann_built("HNSW12,efc80", &s, NULL);
    CHECK(ann_recall(a, &s, q, 40, &(mni_ann_params){ .k = 10, .ef = 100,
                                                      .keep = even_rows }) > 0.95);
    CHECK(ann_recall(a, &s, q, 40, &(mni_ann_params){ .k = 3500 }) == 1.0);
    mni_ann_free(a);
    mni_free(q);
    ann_set_free(&s);
}

/* In place and folded, by any number of threads. */
static void changes(void)
{
    static const uint32_t threads[] = { 1, 2, 7 };
    uint64_t built[3], changed[3], folded[3];
    for (int t = 0; t < 3; t++) {
        mann_pool *pool;
        uint32_t gone[200], from[1100];
        mni_ann *b;
        CHECK_OK(mann_pool_new(&pool, threads[t], NULL));
        ann_set s = ann_set_new(MNI_I8, MANN_L2, 1200, 20, 7);
        float *q = ann_set_queries(&s, 40, 8);
        mni_ann *a = ann_built("HNSW6,efc40", &s, pool);
        built[t] = ann_bytes(a);
        for (uint32_t i = 0; i < 200; i++) gone[i] = (i * 37) % (s.rows.n - i);
        CHECK_OK(mni_ann_remove(a, &s.rows, gone, 200, pool, NULL));
        for (uint32_t i = 0; i < 200; i++) ann_set_drop(&s, gone[i]);
        ann_set_grow(&s, 100, 9);
        CHECK_OK(mni_ann_add(a, &s.rows, 1000, pool, NULL));
        CHECK_OK(mni_ann_check(a, &s.rows, NULL));
        changed[t] = ann_bytes(a);
        CHECK(ann_recall(a, &s, q, 40, &(mni_ann_params){ .k = 10, .ef = 80 }) > 0.95);
        ann_set_grow(&s, 50, 10);
        mni_rows now = s.rows;          /* the first 50 have gone, 50 are new */
        now.data = s.data + 50 * 20;
        now.scale = s.scale + 50;
        now.n = 1100;
        for (uint32_t i = 0; i < 1100; i++) from[i] = i < 1050 ? i + 50 : MNI_NEW_ROW;
        const mni_ann_job job = { .rows = &now, .seed = 5, .pool = pool };
        CHECK_OK(mni_ann_fold(&b, a, &job, from, NULL));
        CHECK_OK(mni_ann_check(b, &now, NULL));
        CHECK(fact(b, &now, "bytes a row for codes") == 0);
        folded[t] = ann_bytes(b);
        mni_ann_free(a);
        mni_ann_free(b);
        mni_free(q);
        ann_set_free(&s);
        mann_pool_free(pool);
    }
    for (int t = 1; t < 3; t++)
        CHECK(built[t] == built[0] && changed[t] == changed[0] && folded[t] == folded[0]);
}

static void write_it(const mni_ann *a, mni_buf *out)
{
    mni_writer *w;
    CHECK_OK(mni_writer_new_buf(&w, out, MNI_FILE_INDEX, mni_uuid_from(1, 2), 1, NULL));
    mni_ann_write(a, w);
    CHECK_OK(mni_writer_finish(w, NULL));
}

/* Saved, it is links and numbers; opened, it answers the same; and garbage in the row
 * numbers or scales leads nowhere. */
static void files_and_damage(void)
{
    ann_set s = ann_set_new(MNI_I8, MANN_COSINE, 600, 40, 11), f = { 0 };
    float *q = ann_set_queries(&s, 20, 12);
    mni_ann *a = ann_built("HNSW6,efc40", &s, NULL), *with_codes;
    const mni_ann_params p = { .k = 10, .ef = 50 };
    mni_buf buf = { 0 }, more = { 0 };
    mni_reader *r;
    mni_section rows, codes;
    mni_scratch *scratch;
    const double before = ann_recall(a, &s, q, 20, &p);
    write_it(a, &buf);
    mni_ann_free(a);
    f = ann_set_new(MNI_F32, MANN_COSINE, 600, 40, 11);
    with_codes = ann_built("HNSW6,efc40", &f, NULL);
    write_it(with_codes, &more);
    CHECK(buf.n_bytes + 600 * 40 <= more.n_bytes);
    CHECK_OK(mni_reader_open_bytes(&r, buf.bytes, buf.n_bytes, "g", 0, NULL));
    CHECK(mni_reader_find(r, "HNCO", &codes) && codes.n_bytes == 0);
    CHECK_OK(mni_ann_open(&a, r, &s.rows, NULL));
    CHECK_OK(mni_ann_check(a, &s.rows, NULL));
    CHECK(ann_recall(a, &s, q, 20, &p) == before);
    CHECK(mni_reader_find(r, "HNRO", &rows) && rows.n_bytes == 600 * 4);
    uint8_t *at = buf.bytes + ((const uint8_t *)rows.data - buf.bytes);
    CHECK_OK(mni_scratch_new(&scratch, NULL));
    for (uint32_t i = 0; i < 600; i++) {
        mni_near near[10];
        size_t found;
        memset(at + 4 * i, i % 3 ? 0xff : 0x7f, 4);
        s.scale[i] = i % 2 ? NAN : i % 5 ? INFINITY : -1e30f;
        if (i % 20 == 0)
            CHECK_OK(mni_ann_search(a, &s.rows, q + i / 40 * 40, &p, scratch, near,
                                    &found, NULL));
    }
    CHECK(mni_ann_check(a, &s.rows, NULL) == MANN_E_FORMAT);
    mni_scratch_free(scratch);
    mni_ann_free(a);
    mni_ann_free(with_codes);
    mni_reader_free(r);
    mni_buf_fini(&buf);
    mni_buf_fini(&more);
    mni_free(q);
    ann_set_free(&s);
    ann_set_free(&f);
}

static mann_status make_and_ask(void *ctx)
{
    const ann_set *s = ctx;
    const mni_ann_job job = { .rows = &s->rows };
    mni_near near[4];
    mni_scratch *scratch = NULL;
    float q[8];
    size_t found;
    mni_ann *a = NULL;
    mni_rows_get(&s->rows, 7, q);
    mann_status st = mni_ann_build(&a, "HNSW4,efc20", &job, NULL);
    if (st == MANN_OK) st = mni_scratch_new(&scratch, NULL);
    if (st == MANN_OK)
        st = mni_ann_search(a, &s->rows, q, &(mni_ann_params){ .k = 4 }, scratch, near,
                            &found, NULL);
    mni_scratch_free(scratch);
    mni_ann_free(a);
    return st;
}

static void memory_may_end(void)
{
    ann_set s = ann_set_new(MNI_I8, MANN_L2, 60, 8, 13);
    test_oom(make_and_ask, &s, 0);
    ann_set_free(&s);
}

const test_case hnsw_rows_tests[] = {
    { "rows_are_found_without_codes", rows_are_found_without_codes, 0 },
    { "the_order_is_exact", the_order_is_exact, 0 },
    { "filters_and_batches", filters_and_batches, 0 },
    { "changes", changes, 0 },
    { "files_and_damage", files_and_damage, 0 },
    { "memory_may_end", memory_may_end, 0 },
    { 0 }
};
