/* test_hnsw_change.c - rows that come and go: after each step every row can be reached,
 * and after many the graph is as good as a fresh one. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "hnsw_help.h"
#include "index/hnsw.h"
#include "index/kinds.h"

enum { DIM = 24 };

/* The same rows, built afresh. */
static double fresh_recall(const hnsw_set *s, const char *spec, double *links)
{
    hnsw_set f = { .rows = s->rows };
    mni_ann_fact facts[MNI_ANN_FACTS];
    hnsw_make(&f, spec, NULL);
    const double r = hnsw_recall(&f, 200, 10, 40);
    mni_ann_report(f.ann, &f.rows, facts);
    *links = facts[0].value;
    mni_ann_free(f.ann);
    return r;
}

static void twenty_rounds_in_place(void)
{
    const char *const specs[] = { "HNSW8,efc80", "HNSW8,efc80,SQ4" };
    for (int t = 0; t < 2; t++) {
        hnsw_set s;
        uint64_t number = 0;
        float row[DIM];
        double links;
        mni_ann_fact facts[MNI_ANN_FACTS];
        mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, 77);
        hnsw_fill(&s, 2000, 2000, DIM, MANN_L2, 10, 0);
        hnsw_make(&s, specs[t], NULL);
        for (int round = 0; round < 20; round++) {
            uint32_t gone[200];
            for (uint32_t i = 0; i < 200; i++) gone[i] = mni_rng_below(&r, 2000 - i);
            hnsw_remove(&s, gone, 200, NULL);
            hnsw_sound(&s);
            for (int i = 0; i < 200; i++) {
                hnsw_row(&s, number++, row);
                hnsw_add(&s, row, NULL);
            }
            hnsw_sound(&s);
        }
        const double after = hnsw_recall(&s, 200, 10, 40),
                     fresh = fresh_recall(&s, specs[t], &links);
        mni_ann_report(s.ann, &s.rows, facts);
        CHECK(after > fresh - 0.01);
        CHECK(facts[0].value > 0.7 * links && facts[0].value < 1.5 * links);
        hnsw_drop(&s);
    }
}

static void twenty_rounds_of_folding(void)
{
    hnsw_set s, old;
    uint64_t number = 0;
    double links;
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, 78);
    uint32_t *from = mni_alloc(2000, sizeof *from);
    hnsw_fill(&s, 2000, 2000, DIM, MANN_COSINE, 10, 0);
    hnsw_make(&s, "HNSW8,efc80", NULL);
    for (int round = 0; round < 20; round++) {
        uint8_t gone[2000] = { 0 };
        uint32_t n = 0;
        mann_error e;
        old = s;
        hnsw_fill(&s, 2000, 2000, DIM, MANN_COSINE, 10, 0);
        for (int i = 0; i < 200; i++) gone[mni_rng_below(&r, 2000)] = 1;
        for (uint32_t i = 0; i < 2000; i++) {
            if (gone[i]) continue;
            from[n] = i;
            memcpy(s.data + (size_t)n++ * DIM, old.data + (size_t)i * DIM,
                   DIM * sizeof(float));
        }
        for (; n < 2000; n++) {
            from[n] = MNI_NEW_ROW;
            hnsw_row(&s, number++, s.data + (size_t)n * DIM);
        }
        const mni_ann_job job = { .rows = &s.rows, .seed = 5 };
        CHECK_FINE(mni_ann_fold(&s.ann, old.ann, &job, from, &e), e);
        hnsw_sound(&s);
        hnsw_drop(&old);
    }
    const double after = hnsw_recall(&s, 200, 10, 40),
                 fresh = fresh_recall(&s, "HNSW8,efc80", &links);
    CHECK(after > fresh - 0.01);
    mni_free(from);
    hnsw_drop(&s);
}

static void the_entry_may_go(void)
{
    hnsw_set s;
    float row[DIM];
    hnsw_fill(&s, 500, 501, DIM, MANN_L2, 10, 0);
    hnsw_make(&s, "HNSW4,efc40", NULL);
    for (int i = 0; i < 100; i++) {
        const mni_hnsw *h = (const mni_hnsw *)s.ann;
        const uint32_t gone = h->row_of[mni_hnsw_entry_node(h)];
        memcpy(row, s.data + (size_t)gone * DIM, sizeof row);
        hnsw_remove(&s, &gone, 1, NULL);
        hnsw_sound(&s);
        hnsw_add(&s, row, NULL);
        hnsw_sound(&s);
    }
    CHECK(hnsw_recall(&s, 100, 10, 40) > 0.95);
    CHECK(((const mni_hnsw *)s.ann)->n_levels < 12);    /* no pile on the top */
    hnsw_drop(&s);
}

static void one_row_a_thousand_times(void)
{
    hnsw_set s;
    float row[DIM];
    hnsw_fill(&s, 300, 301, DIM, MANN_L2, 10, 0);
    hnsw_make(&s, "HNSW4,efc40", NULL);
    for (uint64_t i = 0; i < 1000; i++) {
        const uint32_t gone = i == 0 ? 123 : 299;
        hnsw_remove(&s, &gone, 1, NULL);
        hnsw_row(&s, i, row);
        hnsw_add(&s, row, NULL);
        if (i % 50 == 0) hnsw_sound(&s);
    }
    hnsw_sound(&s);
    CHECK_EQ(s.rows.n, 300);
    CHECK(((const mni_hnsw *)s.ann)->level[1].n < 200);
    CHECK(hnsw_recall(&s, 100, 10, 40) > 0.95);
    hnsw_drop(&s);
}

/* Half, nine tenths, all but one in a hundred: taken out, or refused by the filter. */
static int kept_share(void *ctx, uint32_t row)
{
    return mni_mix64(row) % 100 >= *(const uint32_t *)ctx;
}

static void most_rows_may_go(void)
{
    const uint32_t shares[] = { 50, 90, 99 };
    for (int i = 0; i < 3; i++) {
        hnsw_set s;
        uint32_t gone[4000], n = 0, share = shares[i];
        mni_near near[10];
        size_t found;
        mni_scratch *scratch;
        hnsw_fill(&s, 4000, 4001, DIM, MANN_L2, 10, 0);
        hnsw_make(&s, "HNSW8,efc80", NULL);
        const mni_ann_params p = { .k = 10, .ef = 64, .keep = kept_share,
                                   .keep_ctx = &share };
        CHECK_OK(mni_scratch_new(&scratch, NULL));
        for (uint32_t q = 0; q < 20; q++) {
            CHECK_OK(mni_ann_search(s.ann, &s.rows, s.data + q * DIM, &p, scratch, near,
                                    &found, NULL));
            CHECK_EQ(found, 10);
            for (int k = 0; k < 10; k++) CHECK(kept_share(&share, near[k].row));
            if (kept_share(&share, q)) CHECK(near[0].distance == 0.0f);
        }
        mni_scratch_free(scratch);
        for (uint32_t left = 4000; left > 4000 - 40 * share; left--)
            gone[n++] = (uint32_t)(mni_mix64(left) % left);
        hnsw_remove(&s, gone, n, NULL);
        hnsw_sound(&s);
        CHECK(hnsw_recall(&s, 50, 10, 64) > 0.95);
        hnsw_drop(&s);
    }
}

static void all_rows_may_go(void)
{
    for (int t = 0; t < 2; t++) {
        hnsw_set s;
        uint32_t gone[64];
        float row[DIM];
        hnsw_fill(&s, 64, 65, DIM, t ? MANN_INNER : MANN_L2, 10, 0);
        hnsw_make(&s, t ? "HNSW4,SQ4" : "HNSW4", NULL);
        for (uint32_t i = 0; i < 64; i++) gone[i] = 0;
        hnsw_remove(&s, gone, 64, NULL);
        CHECK_EQ(s.rows.n, 0);
        hnsw_sound(&s);
        for (uint64_t i = 0; i < 64; i++) {
            hnsw_row(&s, i, row);
            hnsw_add(&s, row, NULL);
            hnsw_sound(&s);
        }
        CHECK(hnsw_recall(&s, 20, 10, 64) > 0.99);
        hnsw_drop(&s);
    }
}

/* Rows added one by one from nothing, many of them equal: always all reachable. */
static void equal_rows_one_by_one(void)
{
    hnsw_set s;
    float row[DIM], other[DIM];
    hnsw_fill(&s, 1, 1200, DIM, MANN_L2, 10, 0);
    hnsw_make(&s, "HNSW3,efc20", NULL);
    memcpy(row, s.data, sizeof row);
    for (uint64_t i = 0; i < 1100; i++) {
        hnsw_row(&s, i, other);
        hnsw_add(&s, i % 8 ? row : other, NULL);
        if (i % 20 == 0) hnsw_sound(&s);
    }
    hnsw_sound(&s);
    hnsw_drop(&s);
}

const test_case hnsw_change_tests[] = {
    { "twenty_rounds_in_place", twenty_rounds_in_place, 0 },
    { "twenty_rounds_of_folding", twenty_rounds_of_folding, 0 },
    { "the_entry_may_go", the_entry_may_go, 0 },
    { "one_row_a_thousand_times", one_row_a_thousand_times, 0 },
    { "most_rows_may_go", most_rows_may_go, 0 },
    { "all_rows_may_go", all_rows_may_go, 0 },
    { "equal_rows_one_by_one", equal_rows_one_by_one, 0 },
    { 0 }
};
