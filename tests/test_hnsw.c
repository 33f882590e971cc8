/* test_hnsw.c - the graph: recall, the same bytes for any number of threads, files,
 * damage, memory that ends. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "hnsw_help.h"
#include "index/hnsw.h"

static const mann_metric metrics[] = { MANN_L2, MANN_COSINE, MANN_INNER };

static void recall_is_high(void)
{
    const char *const specs[] = { "HNSW16", "HNSW16,SQ4" };
    for (int m = 0; m < 3; m++)
        for (int t = 0; t < 2; t++) {
            hnsw_set s;
            hnsw_fill(&s, 3000, 3000, 48, metrics[m], 10, 0);
            hnsw_make(&s, specs[t], NULL);
            hnsw_sound(&s);
            const double low = hnsw_recall(&s, 50, 10, 32),
                         high = hnsw_recall(&s, 50, 10, 400);
            CHECK(high >= (t ? 0.97 : 0.99) && low >= 0.7 && high >= low);
            hnsw_drop(&s);
        }
}

/* Class after class: whole classes in one batch, which see each other as fellows only. */
static void sorted_input_is_no_worse(void)
{
    hnsw_set mixed, sorted;
    hnsw_fill(&mixed, 6000, 6000, 32, MANN_L2, 30, 0);
    hnsw_fill(&sorted, 6000, 6000, 32, MANN_L2, 30, 1);
    hnsw_make(&mixed, "HNSW8,efc60", NULL);
    hnsw_make(&sorted, "HNSW8,efc60", NULL);
    const double a = hnsw_recall(&mixed, 200, 10, 40),
                 b = hnsw_recall(&sorted, 200, 10, 40);
    CHECK(a > 0.9);
    CHECK(b > a - 0.02);
    hnsw_drop(&mixed);
    hnsw_drop(&sorted);
}

/* Batches of 1 are what the paper does; batches of 1/64 must find as much. */
static void batches_find_what_singles_find(void)
{
    hnsw_set all, one;
    const uint32_t n = 4000;
    hnsw_fill(&all, n, n, 32, MANN_L2, 20, 1);
    hnsw_fill(&one, n, n, 32, MANN_L2, 20, 1);
    hnsw_make(&all, "HNSW8,efc80", NULL);
    one.rows.n = 0;
    hnsw_make(&one, "HNSW8,efc80", NULL);
    for (uint32_t i = 0; i < n; i++) hnsw_add(&one, one.data + (size_t)i * 32, NULL);
    hnsw_sound(&one);
    const double batched = hnsw_recall(&all, 300, 10, 40),
                 single = hnsw_recall(&one, 300, 10, 40);
    CHECK(single > 0.9);
    CHECK(batched > single - 0.01);
    hnsw_drop(&all);
    hnsw_drop(&one);
}

static void threads_change_nothing(void)
{
    const uint32_t threads[] = { 1, 2, 7 };
    const char *const specs[] = { "HNSW6,efc40", "HNSW6,efc40,SQ4" };
    for (int t = 0; t < 2; t++) {
        mni_buf bytes[6] = { { 0 } };
        for (int i = 0; i < 3; i++) {
            mann_pool *pool;
            hnsw_set s;
            uint32_t gone[300];
            float row[24];
            CHECK_OK(mann_pool_new(&pool, threads[i], NULL));
            hnsw_fill(&s, 3000, 3100, 24, MANN_L2, 7, 0);
            hnsw_make(&s, specs[t], pool);
            hnsw_save(&s, &bytes[i]);
            for (uint32_t g = 0; g < 300; g++) gone[g] = (g * 37) % (s.rows.n - g);
            hnsw_remove(&s, gone, 300, pool);
            for (uint64_t a = 0; a < 50; a++) {
                hnsw_row(&s, a, row);
                hnsw_add(&s, row, pool);
            }
            hnsw_sound(&s);
            hnsw_save(&s, &bytes[3 + i]);
            hnsw_drop(&s);
            mann_pool_free(pool);
        }
        for (int i = 0; i < 6; i++) {
            const mni_buf *first = &bytes[i / 3 * 3];
            CHECK(bytes[i].n_bytes == first->n_bytes &&
                  memcmp(bytes[i].bytes, first->bytes, first->n_bytes) == 0);
        }
        for (int i = 0; i < 6; i++) mni_buf_fini(&bytes[i]);
    }
}

static void few_rows_are_fine(void)
{
    for (uint32_t n = 0; n <= 40; n += n < 5 ? 1 : 7)
        for (int m = 0; m < 3; m++) {
            hnsw_set s;
            hnsw_fill(&s, n, n + 1, 3, metrics[m], 2, 0);
            hnsw_make(&s, "HNSW2", NULL);
            hnsw_sound(&s);
            CHECK(hnsw_recall(&s, 5, 20, 64) > 0.99);   /* k above n as well */
            hnsw_drop(&s);
        }
}

static void equal_rows_are_all_there(void)
{
    const uint32_t n = 10000;
    hnsw_set s;
    hnsw_fill(&s, n, n + 1, 8, MANN_L2, 10, 0);
    for (uint32_t i = 1; i < n; i++) memcpy(s.data + i * 8, s.data, 8 * sizeof(float));
    hnsw_make(&s, "HNSW4,efc40", NULL);
    hnsw_sound(&s);
    mni_scratch *scratch;
    mni_near near[50];
    size_t found;
    const mni_ann_params p = { .k = 50, .ef = 100 };
    CHECK_OK(mni_scratch_new(&scratch, NULL));
    CHECK_OK(mni_ann_search(s.ann, &s.rows, s.data, &p, scratch, near, &found, NULL));
    CHECK_EQ(found, 50);
    for (int i = 0; i < 50; i++) CHECK(near[i].distance == 0.0f);
    mni_scratch_free(scratch);
    hnsw_drop(&s);
}

/* Rows as near as one of the ten nearest, whose codes say that they are out of reach. */
static void count_hidden(const hnsw_set *s, const float *query, size_t *hidden,
                         size_t *all)
{
    const mni_hnsw *h = (const mni_hnsw *)s->ann;
    const uint32_t n = h->n;
    uint32_t *nodes = mni_alloc(n, sizeof *nodes), *code = mni_alloc(n, sizeof *code);
    float *exact = mni_alloc(n, sizeof *exact);
    mni_near near[10];
    mni_topk best;
    CHECK(nodes && code && exact);
    uint8_t *coded = mni_alloc(mni_hnsw_query_bytes(&h->walk), 1);
    mni_hnsw_grid_query(&h->walk, query, coded);
    for (uint32_t i = 0; i < n; i++) nodes[i] = i;
    mni_hnsw_grid_measure(&h->walk)(coded, h->codes, h->walk.bytes, nodes, n, code);
    mni_rows_scan(&s->rows, query, 0, n, exact);
    mni_topk_init(&best, near, 10);
    for (uint32_t i = 0; i < n; i++) mni_topk_push(&best, exact[h->row_of[i]], i);
    for (size_t j = 0; j < 10; j++) {
        const uint32_t far =
            mni_hnsw_grid_reach(&h->walk, query, coded, code[near[j].row]);
        CHECK(far >= code[near[j].row]);
        for (uint32_t i = 0; i < n; i++)
            if (exact[h->row_of[i]] <= near[j].distance) {
                *hidden += code[i] > far;
                ++*all;
            }
    }
    mni_free(nodes);
    mni_free(code);
    mni_free(exact);
    mni_free(coded);
}

static void what_codes_hide_is_known(void)
{
    const char *const specs[] = { "HNSW8,efc40", "HNSW8,efc40,SQ4" };
    for (int m = 0; m < 3; m++)
        for (int t = 0; t < 2; t++) {
            hnsw_set s;
            size_t hidden = 0, all = 0;
            float query[40];
            hnsw_fill(&s, 1500, 1500, 40, metrics[m], 10, 0);
            hnsw_make(&s, specs[t], NULL);
            const float noise = ((const mni_hnsw *)s.ann)->walk.noise;
            CHECK(t ? noise > 2.0f && noise < 5.0f : noise > 0.2f && noise < 0.6f);
            for (uint64_t i = 0; i < 100; i++) {
                hnsw_row(&s, i, query);
                count_hidden(&s, query, &hidden, &all);
            }
            CHECK(all >= 100 * 55 && hidden * 100 < all);
            hnsw_drop(&s);
        }
}

/* A query far outside of what the rows fill has a code at the border of the grid, and
 * that is worth little: with every row in the pool the answer is exact all the same. */
static void a_query_from_outside_is_answered_exactly(void)
{
    enum { N = 300, K = 10 };
    const char *const specs[] = { "HNSW16", "HNSW16,SQ4" };
    for (int t = 0; t < 2; t++) {
        hnsw_set s;
        mni_scratch *scratch;
        float query[24], exact[N];
        mni_near near[K], truth[K];
        const mni_ann_params p = { .k = K, .ef = N };
        hnsw_fill(&s, N, N, 24, MANN_L2, 10, 0);
        hnsw_make(&s, specs[t], NULL);
        CHECK_OK(mni_scratch_new(&scratch, NULL));
        for (uint64_t q = 0; q < 60; q++) {
            size_t found;
            mni_topk best;
            hnsw_row(&s, q, query);
            for (int j = 0; j < 24; j++) query[j] *= 1.2f + 0.1f * (float)(q % 10);
            CHECK_OK(mni_ann_search(s.ann, &s.rows, query, &p, scratch, near, &found,
                                    NULL));
            CHECK_EQ(found, K);
            mni_rows_scan(&s.rows, query, 0, N, exact);
            mni_topk_init(&best, truth, K);
            for (uint32_t i = 0; i < N; i++) mni_topk_push(&best, exact[i], i);
            float worst = 0;
            for (int i = 0; i < K; i++)
                worst = truth[i].distance > worst ? truth[i].distance : worst;
            for (int i = 0; i < K; i++) CHECK(near[i].distance <= worst);
        }
        mni_scratch_free(scratch);
        hnsw_drop(&s);
    }
}

/* --- files -------------------------------------------------------------------------- */

static mann_status open_it(hnsw_set *s, mni_reader *r, mann_error *e)
{
    return mni_ann_open(&s->ann, r, &s->rows, e);
}

static void a_mapped_graph_is_the_same(void)
{
    const char *const specs[] = { "HNSW5,efc30", "HNSW5,efc30,SQ4" };
    for (int t = 0; t < 2; t++) {
        hnsw_set s;
        mni_buf a = { 0 }, b = { 0 };
        mni_reader *r;
        mann_error e;
        float row[20];
        const uint32_t gone[] = { 5, 0, 900, 17 };
        hnsw_fill(&s, 1000, 1010, 20, MANN_COSINE, 5, 0);
        hnsw_make(&s, specs[t], NULL);
        const double before = hnsw_recall(&s, 30, 10, 50);
        hnsw_save(&s, &a);
        mni_ann_free(s.ann);
        CHECK_OK(mni_reader_open_bytes(&r, a.bytes, a.n_bytes, "g", MNI_READ_VERIFY,
                                       NULL));
        CHECK_FINE(open_it(&s, r, &e), e);
        hnsw_sound(&s);
        CHECK(hnsw_recall(&s, 30, 10, 50) == before);
        hnsw_save(&s, &b);
        CHECK(a.n_bytes == b.n_bytes && memcmp(a.bytes, b.bytes, a.n_bytes) == 0);
        CHECK_OK(mni_ann_own(s.ann, NULL));
        hnsw_remove(&s, gone, 4, NULL);
        hnsw_row(&s, 1, row);
        hnsw_add(&s, row, NULL);
        hnsw_sound(&s);
        hnsw_drop(&s);
        mni_reader_free(r);
        mni_buf_fini(&a);
        mni_buf_fini(&b);
    }
}

/* The container again, with `n` bytes of one section replaced. */
static void forge(const mni_buf *from, const char *tag, size_t at, const void *bytes,
                  size_t n, mni_buf *out)
{
    mni_reader *r;
    mni_writer *w;
    CHECK_OK(mni_reader_open_bytes(&r, from->bytes, from->n_bytes, "g", 0, NULL));
    CHECK_OK(mni_writer_new_buf(&w, out, MNI_FILE_INDEX, mni_uuid_from(1, 2), 1, NULL));
    for (uint32_t i = 0; i < mni_reader_n_sections(r); i++) {
        char name[5];
        mni_section s;
        CHECK(mni_reader_at(r, i, name, &s));
        mni_writer_begin(w, name, s.dtype, MNI_ALIGN_PAGE);
        if (strcmp(name, tag) == 0 && at + n <= s.n_bytes) {
            mni_writer_put(w, s.data, at);
            mni_writer_put(w, bytes, n);
            mni_writer_put(w, (const char *)s.data + at + n, (size_t)s.n_bytes - at - n);
        } else {
            mni_writer_put(w, s.data, (size_t)s.n_bytes);
        }
        mni_writer_end(w);
    }
    CHECK_OK(mni_writer_finish(w, NULL));
    mni_reader_free(r);
}

/* Whatever stands in a file: refused, or walked without leaving it; check finds it. */
static void damage_leads_nowhere(void)
{
    hnsw_set s;
    mni_buf good = { 0 };
    mni_rng rng = mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, 9);
    const char *const tags[] = { "HNHD", "HNLK", "HNRO", "HNUP", "HNLO", "HNCO" };
    const uint32_t values[] = { 0, 1, 199, 200, 0x7fffffff, 0x80000000, UINT32_MAX };
    uint32_t refused = 0, found = 0;
    hnsw_fill(&s, 200, 201, 8, MANN_L2, 5, 0);
    hnsw_make(&s, "HNSW3,efc20", NULL);
    hnsw_save(&s, &good);
    mni_ann_free(s.ann);
    s.ann = NULL;
    for (uint32_t i = 0; i < 2400; i++) {
        const char *tag = tags[i % 6];
        const size_t size = i % 6 == 0 ? 192 : i % 6 == 4 ? 32 : 1600;
        size_t at = i % 6 == 0 ? i / 6 % 48 * 4
                               : mni_rng_below(&rng, (uint32_t)size / 4) * 4;
        const uint32_t value = values[mni_rng_below(&rng, 7)];
        mni_buf bad = { 0 };
        mni_reader *r;
        forge(&good, tag, at, &value, 4, &bad);
        CHECK_OK(mni_reader_open_bytes(&r, bad.bytes, bad.n_bytes, "g", 0, NULL));
        if (open_it(&s, r, NULL) != MANN_OK) {
            refused++;
        } else {
            const mni_ann_params p = { .k = 5, .ef = 20 };
            mni_near near[5];
            mni_scratch *scratch;
            size_t n;
            found += mni_ann_check(s.ann, &s.rows, NULL) != MANN_OK;
            CHECK_OK(mni_scratch_new(&scratch, NULL));
            for (uint32_t q = 0; q < 3; q++)
                CHECK_OK(mni_ann_search(s.ann, &s.rows, s.data + q * 8, &p, scratch, near,
                                        &n, NULL));
            mni_scratch_free(scratch);
            mni_ann_free(s.ann);
            s.ann = NULL;
        }
        mni_reader_free(r);
        mni_buf_fini(&bad);
    }
    CHECK(refused > 100 && found > 1000);
    mni_buf_fini(&good);
    hnsw_drop(&s);
}

static void every_flipped_byte_is_noticed(void)
{
    hnsw_set s;
    mni_buf good = { 0 };
    hnsw_fill(&s, 12, 13, 4, MANN_L2, 3, 0);
    hnsw_make(&s, "HNSW2,efc10", NULL);
    hnsw_save(&s, &good);
    for (size_t at = 0; at < good.n_bytes; at++) {
        mni_reader *r;
        good.bytes[at] ^= 0x11;
        const mann_status st = mni_reader_open_bytes(&r, good.bytes, good.n_bytes, "g",
                                                     MNI_READ_VERIFY, NULL);
        CHECK(st != MANN_OK);
        good.bytes[at] ^= 0x11;
    }
    mni_buf_fini(&good);
    hnsw_drop(&s);
}

/* --- memory that ends --------------------------------------------------------------- */

static mann_status build_small(void *ctx)
{
    const hnsw_set *s = ctx;
    const mni_ann_job job = { .rows = &s->rows };
    mni_ann *a;
    const mann_status st = mni_ann_build(&a, "HNSW4,efc20,SQ4", &job, NULL);
    if (st == MANN_OK) mni_ann_free(a);
    return st;
}

static mann_status fold_small(void *ctx)
{
    hnsw_set *s = ctx;
    uint32_t from[60];
    mni_rows rows = s->rows;
    const mni_ann_job job = { .rows = &rows };
    mni_ann *a;
    rows.n = 60;
    for (uint32_t i = 0; i < 60; i++) from[i] = i < 45 ? i + i / 20 : MNI_NEW_ROW;
    const mann_status st = mni_ann_fold(&a, s->ann, &job, from, NULL);
    if (st == MANN_OK) mni_ann_free(a);
    return st;
}

static void memory_may_end_anywhere(void)
{
    hnsw_set s;
    hnsw_fill(&s, 60, 61, 8, MANN_L2, 5, 0);
    test_oom(build_small, &s, 0);
    s.rows.n = 50;
    hnsw_make(&s, "HNSW4,efc20", NULL);
    test_oom(fold_small, &s, 0);
    hnsw_drop(&s);
}

/* In place: after every failure the graph is whole, and the change can be made again. */
static void changes_survive_missing_memory(void)
{
    for (int change = 0; change < 2; change++) {
        hnsw_set s;
        const uint32_t gone[] = { 3, 60, 0 };
        hnsw_fill(&s, 64, 200, 8, MANN_L2, 5, 0);
        s.rows.n = 64;
        hnsw_make(&s, "HNSW3,efc20,SQ4", NULL);
        for (long point = 0; point < 500; point++) {
            mni_rows grown = s.rows;
            hnsw_row(&s, 7, s.data + (size_t)s.rows.n * 8);
            grown.n++;
            mni_mem_fail_after(point);
            const mann_status st =
                change ? mni_ann_remove(s.ann, &s.rows, gone, 3, NULL, NULL)
                       : mni_ann_add(s.ann, &grown, 64, NULL, NULL);
            mni_mem_fail_after(-1);
            if (st == MANN_OK) break;
            CHECK_EQ(st, MANN_E_NOMEM);
            hnsw_sound(&s);
            CHECK(hnsw_recall(&s, 4, 5, 60) > 0.9);
            CHECK(point < 499);
        }
        hnsw_drop(&s);
    }
}

const test_case hnsw_tests[] = {
    { "recall_is_high", recall_is_high, 0 },
    { "sorted_input_is_no_worse", sorted_input_is_no_worse, 0 },
    { "batches_find_what_singles_find", batches_find_what_singles_find, 0 },
    { "threads_change_nothing", threads_change_nothing, 0 },
    { "few_rows_are_fine", few_rows_are_fine, 0 },
    { "equal_rows_are_all_there", equal_rows_are_all_there, 0 },
    { "what_codes_hide_is_known", what_codes_hide_is_known, 0 },
    { "a_query_from_outside_is_answered_exactly",
      a_query_from_outside_is_answered_exactly, 0 },
    { "a_mapped_graph_is_the_same", a_mapped_graph_is_the_same, 0 },
    { "damage_leads_nowhere", damage_leads_nowhere, 0 },
    { "every_flipped_byte_is_noticed", every_flipped_byte_is_noticed, 0 },
    { "memory_may_end_anywhere", memory_may_end_anywhere, 0 },
    { "changes_survive_missing_memory", changes_survive_missing_memory, 0 },
    { 0 }
};
