/* test_ivf.c - lists: looked at whole, their answers are Flat's; looked at in part, they
 * find what they promise; and they stay whole while rows come and go. The cases run over
 * every kind that is made of lists. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "ann_set.h"
#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "index/ivf.h"

static const mann_metric metrics[] = { MANN_L2, MANN_INNER, MANN_COSINE };
static const mni_dtype dtypes[] = { MNI_F32, MNI_F16, MNI_I8 };
static const char *const exact_specs[] = { "SQ8", "IVF30,Flat", "IVF,Flat", "IVF7,SQ8" };
enum { ALL = 1 << 20, N_EXACT = sizeof exact_specs / sizeof *exact_specs };

static int every_third(void *ctx, uint32_t row)
{
    (void)ctx;
    return row % 3 == 0;
}

/* All lists: byte for byte what Flat says, for every metric, type, dimension and k. */
static void whole_is_flat(void)
{
    static const uint32_t dims[] = { 1, 5, 67 }, ks[] = { 1, 10, 500 };
    for (size_t d = 0; d < 3; d++)
        for (int m = 0; m < 3; m++)
            for (int t = 0; t < 3; t++) {
                ann_set s = ann_set_new(dtypes[t], metrics[m], 700, dims[d], d);
                float *q = ann_set_queries(&s, 9, 50);
                for (int i = 0; i < N_EXACT; i++) {
                    mni_ann *a = ann_built(exact_specs[i], &s, NULL);
                    for (int k = 0; k < 3; k++)
                        ann_same_as_flat(a, &s, q, 9,
                                         &(mni_ann_params){ .k = ks[k], .nprobe = ALL });
                    CHECK_OK(mni_ann_check(a, &s.rows, NULL));
                    mni_ann_free(a);
                }
                mni_free(q);
                ann_set_free(&s);
            }
}

/* Flat takes many queries at a time by bytes: byte for byte what it says to each. */
static void crowd_is_one_by_one(void)
{
    enum { Q = 600, K = 7 };
    static const uint32_t dims[] = { 1, 30, 67 };
    for (size_t d = 0; d < 3; d++)
        for (int m = 0; m < 3; m++)
            for (int t = 0; t < 3; t++) {
                ann_set s = ann_set_new(dtypes[t], metrics[m], 400, dims[d], 40 + d);
                float *q = ann_set_queries(&s, Q, 41);
                mni_ann *a = ann_built("Flat", &s, NULL);
                mni_near *many = mni_alloc(Q, K * sizeof *many), one[K];
                size_t *found = mni_alloc(Q, sizeof *found), n;
                mni_scratch *scratch;
                mni_ann_params p = { .k = K };
                if (d == 1) p.keep = every_third;
                CHECK_OK(mni_scratch_new(&scratch, NULL));
                CHECK_OK(mni_ann_search_batch(a, &s.rows, q, Q, &p, NULL, many, found,
                                              NULL));
                for (size_t i = 0; i < Q; i++) {
                    CHECK_OK(mni_ann_search(a, &s.rows, q + i * dims[d], &p, scratch, one,
                                            &n, NULL));
                    CHECK_EQ(n, found[i]);
                    CHECK(memcmp(one, many + i * K, n * sizeof *one) == 0);
                }
                mni_scratch_free(scratch);
                mni_free(many);
                mni_free(found);
                mni_ann_free(a);
                mni_free(q);
                ann_set_free(&s);
            }
}

/* A component that is a thousand times the others makes bytes useless, not wrong. */
static void rough_rows_are_exact(void)
{
    ann_set s = ann_set_new(MNI_F32, MANN_L2, 900, 24, 1);
    float *data = (float *)(void *)s.data;
    for (uint32_t i = 0; i < 900; i += 7) data[i * 24 + i % 24] *= 1000;
    for (uint32_t i = 0; i < 900 * 24; i++) data[i] += 50;
    for (uint32_t i = 0; i < 300; i++)
        memcpy(data + i * 24, data + (i + 300) * 24, 24 * sizeof *data);
    float *q = ann_set_queries(&s, 20, 2);
    memcpy(q, data, 10 * 24 * sizeof *q);
    for (int i = 0; i < N_EXACT; i++) {
        mni_ann *a = ann_built(exact_specs[i], &s, NULL);
        ann_same_as_flat(a, &s, q, 20, &(mni_ann_params){ .k = 12, .nprobe = ALL });
        mni_ann_free(a);
    }
    mni_free(q);
    ann_set_free(&s);
}

static void default_probes_reach_recall(void)
{
    for (int m = 0; m < 3; m++) {
        ann_set s = ann_set_new(MNI_F32, metrics[m], 6000, 32, 3);
        float *q = ann_set_queries(&s, 200, 4);
        mni_ann *a = ann_built("IVF", &s, NULL);
        const double got = ann_recall(a, &s, q, 200, &(mni_ann_params){ .k = 10 });
        if (got < 0.92) test_fail(__FILE__, __LINE__, "metric %d: recall %.3f", m, got);
        CHECK(mni_ivf_const(a)->base.knob < mni_ivf_const(a)->n_lists);
        mni_ann_free(a);
        mni_free(q);
        ann_set_free(&s);
    }
}

static void same_for_any_threads(void)
{
    ann_set s = ann_set_new(MNI_F32, MANN_COSINE, 5000, 20, 5);
    mni_ann *one = ann_built("IVF60,Flat", &s, NULL);
    const uint64_t want = ann_bytes(one);
    mni_ann_free(one);
    for (uint32_t threads = 2; threads <= 7; threads += 5) {
        mann_pool *pool;
        CHECK_OK(mann_pool_new(&pool, threads, NULL));
        mni_ann *a = ann_built("IVF60,Flat", &s, pool);
        CHECK(ann_bytes(a) == want);
        mni_ann_free(a);
        mann_pool_free(pool);
    }
    ann_set_free(&s);
}

static int only_one(void *ctx, uint32_t row) { return row == *(const uint32_t *)ctx; }

static void filters_act_inside(void)
{
    ann_set s = ann_set_new(MNI_F16, MANN_L2, 2000, 12, 6);
    float *q = ann_set_queries(&s, 30, 7);
    uint32_t one = 1234;
    for (int i = 0; i < N_EXACT; i++) {
        mni_ann *a = ann_built(exact_specs[i], &s, NULL);
        ann_same_as_flat(a, &s, q, 30, &(mni_ann_params){ .k = 10, .nprobe = ALL,
                                                          .keep = every_third });
        ann_same_as_flat(a, &s, q, 30, &(mni_ann_params){ .k = 10, .nprobe = ALL,
                                                          .keep = only_one,
                                                          .keep_ctx = &one });
        mni_ann_free(a);
    }
    mni_free(q);
    ann_set_free(&s);
}

/* 10,000 identical vectors among others: rows in order, and nothing slow or lost. */
static void duplicates(void)
{
    enum { N = 10000, DIM = 8 };
    ann_set s = ann_set_new(MNI_F32, MANN_L2, N + 50, DIM, 8);
    const float v[DIM] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    for (uint32_t i = 25; i < N + 25; i++) ann_set_put(&s, i, v);
    float *q = ann_set_queries(&s, 3, 9);
    memcpy(q, v, sizeof v);
    for (int i = 0; i < 3; i++) {
        mni_ann *a = ann_built(exact_specs[i], &s, NULL);
        ann_same_as_flat(a, &s, q, 3, &(mni_ann_params){ .k = 20, .nprobe = ALL });
        ann_same_as_flat(a, &s, q, 3, &(mni_ann_params){ .k = N + 50, .nprobe = ALL });
        mni_ann_free(a);
    }
    mni_free(q);
    ann_set_free(&s);
}

static void tiny_sets(void)
{
    for (uint32_t n = 0; n < 4; n++)
        for (int i = 0; i < N_EXACT; i++) {
            ann_set s = ann_set_new(MNI_F32, MANN_L2, n, 7, 10);
            float *q = ann_set_queries(&s, 2, 11);
            mni_ann *a = ann_built(exact_specs[i], &s, NULL);
            ann_same_as_flat(a, &s, q, 2, &(mni_ann_params){ .k = 5, .nprobe = ALL });
            const uint32_t first = s.rows.n;
            ann_set_grow(&s, 60, 12);
            CHECK_OK(mni_ann_add(a, &s.rows, first, NULL, NULL));
            ann_same_as_flat(a, &s, q, 2, &(mni_ann_params){ .k = 5, .nprobe = ALL });
            CHECK_OK(mni_ann_check(a, &s.rows, NULL));
            mni_ann_free(a);
            mni_free(q);
            ann_set_free(&s);
        }
}

/* --- change ------------------------------------------------------------------------- */

static void remove_some(mni_ann *a, ann_set *s, uint32_t n, mni_rng *r)
{
    uint32_t *gone = mni_alloc(n, sizeof *gone);
    for (uint32_t i = 0; i < n; i++) gone[i] = mni_rng_below(r, s->rows.n - i);
    CHECK_OK(mni_ann_remove(a, &s->rows, gone, n, NULL, NULL));
    for (uint32_t i = 0; i < n; i++) ann_set_drop(s, gone[i]);
    mni_free(gone);
}

static void add_some(mni_ann *a, ann_set *s, uint32_t n, uint64_t slot)
{
    const uint32_t first = s->rows.n;
    ann_set_grow(s, n, slot);
    CHECK_OK(mni_ann_add(a, &s->rows, first, NULL, NULL));
}

/* 20 rounds of removing 10 % and adding 10 %: whole, and as good as a fresh one. */
static void many_rounds(void)
{
    ann_set s = ann_set_new(MNI_F32, MANN_L2, 4000, 16, 20);
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 9, 0, 0);
    mni_ann *a = ann_built("IVF40,Flat", &s, NULL);
    float *q = ann_set_queries(&s, 100, 21);
    for (uint32_t round = 0; round < 20; round++) {
        remove_some(a, &s, 400, &r);
        add_some(a, &s, 400, 100 + round);
        CHECK_OK(mni_ann_check(a, &s.rows, NULL));
        ann_same_as_flat(a, &s, q, 5, &(mni_ann_params){ .k = 10, .nprobe = ALL });
    }
    mni_ann *fresh = ann_built("IVF40,Flat", &s, NULL);
    const mni_ann_params p = { .k = 10, .nprobe = 4 };
    const double old = ann_recall(a, &s, q, 100, &p);
    const double new = ann_recall(fresh, &s, q, 100, &p);
    if (old < new - 0.02)
        test_fail(__FILE__, __LINE__, "recall %.3f, fresh %.3f", old, new);
    CHECK(mni_lists_bytes(&mni_ivf_const(a)->lists) <
          1.5 * (double)mni_lists_bytes(&mni_ivf_const(fresh)->lists));
    mni_ann_free(fresh);
    mni_ann_free(a);
    mni_free(q);
    ann_set_free(&s);
}

static void deleting_most(void)
{
    static const uint32_t left[] = { 1000, 200, 20, 1 };
    for (int i = 0; i < N_EXACT; i++) {
        ann_set s = ann_set_new(MNI_I8, MANN_COSINE, 2000, 16, 22);
        mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 10, 0, (uint64_t)i);
        mni_ann *a = ann_built(exact_specs[i], &s, NULL);
        float *q = ann_set_queries(&s, 10, 23);
        for (int l = 0; l < 4; l++) {
            remove_some(a, &s, s.rows.n - left[l], &r);
            ann_same_as_flat(a, &s, q, 10, &(mni_ann_params){ .k = 10, .nprobe = ALL });
            CHECK_OK(mni_ann_check(a, &s.rows, NULL));
        }
        remove_some(a, &s, 1, &r);
        ann_same_as_flat(a, &s, q, 10, &(mni_ann_params){ .k = 10, .nprobe = ALL });
        mni_ann_free(a);
        mni_free(q);
        ann_set_free(&s);
    }
}

/* Folding: every second row goes, some come, in between and at the end. */
static void folding(void)
{
    enum { N = 2000, NEW = 300 };
    for (int i = 0; i < N_EXACT; i++) {
        ann_set s = ann_set_new(MNI_F32, MANN_L2, N, 16, 24);
        ann_set to = ann_set_new(MNI_F32, MANN_L2, N / 2 + NEW, 16, 25);
        uint32_t from[N / 2 + NEW], old = 0;
        mni_ann *a = ann_built(exact_specs[i], &s, NULL), *b = NULL;
        for (uint32_t row = 0; row < to.rows.n; row++) {
            from[row] = old < N && row % 3 ? old : MNI_NEW_ROW;
            if (row % 3 == 0 || old >= N) continue;
            memcpy(to.data + row * 64, s.data + old * 64, 64);
            old += 2;
        }
        const mni_ann_job job = { .rows = &to.rows, .seed = 5 };
        CHECK_OK(mni_ann_fold(&b, a, &job, from, NULL));
        CHECK_OK(mni_ann_check(b, &to.rows, NULL));
        CHECK_OK(mni_ann_check(a, &s.rows, NULL));
        float *q = ann_set_queries(&to, 20, 26);
        ann_same_as_flat(b, &to, q, 20, &(mni_ann_params){ .k = 10, .nprobe = ALL });
        CHECK(ann_recall(b, &to, q, 20, &(mni_ann_params){ .k = 10 }) > 0.8);
        mni_ann_free(a);
        mni_ann_free(b);
        mni_free(q);
        ann_set_free(&s);
        ann_set_free(&to);
    }
}

/* After the set has grown much, or its rows lie elsewhere, centres are learned anew. */
static void drift_is_seen(void)
{
    ann_set s = ann_set_new(MNI_F32, MANN_L2, 3000, 8, 27);
    mni_ann *a = ann_built("IVF50,Flat", &s, NULL), *b = NULL;
    const uint32_t first = s.rows.n;
    ann_set_grow(&s, 1500, 28);
    float *x = (float *)(void *)s.data;
    for (uint32_t i = first * 8; i < s.rows.n * 8; i++) x[i] += 30;
    CHECK_OK(mni_ann_add(a, &s.rows, first, NULL, NULL));
    mni_ann_fact facts[MNI_ANN_FACTS];
    double drift = 0;
    for (size_t i = mni_ann_report(a, &s.rows, facts); i-- > 0; )
        if (strcmp(facts[i].name, "drift") == 0) drift = facts[i].value;
    CHECK(drift > 10);
    uint32_t *from = mni_alloc(s.rows.n, sizeof *from);
    for (uint32_t i = 0; i < s.rows.n; i++) from[i] = i;
    const mni_ann_job job = { .rows = &s.rows, .seed = 5 };
    CHECK_OK(mni_ann_fold(&b, a, &job, from, NULL));
    CHECK(mni_ivf_const(b)->added == 0 && mni_ivf_const(b)->learned == s.rows.n);
    mni_free(from);
    mni_ann_free(a);
    mni_ann_free(b);
    ann_set_free(&s);
}

static int warned;
static void count_warning(void *user, mann_note_level level, const char *text)
{
    (void)user;
    warned += level == MANN_NOTE_WARNING && strstr(text, "fewer than") != NULL;
}

static void few_rows_are_told(void)
{
    ann_set s = ann_set_new(MNI_F32, MANN_L2, 500, 8, 29);
    const mann_hooks hooks = { .note = count_warning };
    const mni_ann_job job = { .rows = &s.rows, .hooks = &hooks };
    mni_ann *a;
    warned = 0;
    CHECK_OK(mni_ann_build(&a, "IVF100,Flat", &job, NULL));
    CHECK_EQ(warned, 1);
    mni_ann_free(a);
    CHECK_OK(mni_ann_build(&a, "IVF,Flat", &job, NULL));
    CHECK_EQ(warned, 1);
    mni_ann_free(a);
    const mni_ann_job poor = { .rows = &s.rows, .mem_bytes = 1000 };
    CHECK_IS(mni_ann_build(&a, "IVF10,Flat", &poor, NULL), MANN_E_BUDGET);
    ann_set_free(&s);
}

/* --- files and memory --------------------------------------------------------------- */

static mann_status small_life(void *ctx)
{
    const ann_set *s = ctx;
    mni_rows fewer = s->rows;
    mni_ann *a = NULL, *b = NULL;
    mni_scratch *scratch = NULL;
    mni_near near[5];
    size_t n;
    uint32_t from[200];
    const uint32_t gone[] = { 7, 0 };
    fewer.n -= 40;
    const mni_ann_job job = { .rows = &fewer }, all = { .rows = &s->rows };
    for (uint32_t i = 0; i < 200; i++) from[i] = i < 160 ? i : MNI_NEW_ROW;
    mann_status st = mni_ann_build(&a, "IVF6,Flat", &job, NULL);
    if (st == MANN_OK) st = mni_ann_fold(&b, a, &all, from, NULL);
    if (st == MANN_OK) st = mni_ann_add(a, &s->rows, fewer.n, NULL, NULL);
    if (st == MANN_OK) st = mni_ann_remove(a, &s->rows, gone, 2, NULL, NULL);
    if (st == MANN_OK) st = mni_scratch_new(&scratch, NULL);
    if (st == MANN_OK)
        st = mni_ann_search(a, &s->rows, (const float *)s->rows.data,
                            &(mni_ann_params){ .k = 5 }, scratch, near, &n, NULL);
    mni_scratch_free(scratch);
    mni_ann_free(a);
    mni_ann_free(b);
    return st;
}

static void memory_may_end(void)
{
    ann_set s = ann_set_new(MNI_F32, MANN_L2, 200, 6, 30);
    test_oom(small_life, &s, 0);
    ann_set_free(&s);
}

static mni_buf file_of(const mni_ann *a)
{
    mni_buf b = { 0 };
    mni_writer *w;
    CHECK_OK(
        mni_writer_new_buf(&w, &b, MNI_FILE_INDEX, mni_uuid_from(1, 2), 1, NULL));
    mni_ann_write(a, w);
    CHECK_OK(mni_writer_finish(w, NULL));
    return b;
}

/* Opened from a file, searched where it lies, written again, changed. */
static void mapped_is_the_same(void)
{
    for (int i = 0; i < N_EXACT; i++) {
        ann_set s = ann_set_new(MNI_F32, MANN_INNER, 1500, 10, 31);
        mni_ann *a = ann_built(exact_specs[i], &s, NULL), *b = NULL;
        float *q = ann_set_queries(&s, 20, 32);
        mni_buf f = file_of(a);
        mni_reader *r;
        mann_error e;
        CHECK_FINE(mni_reader_open_bytes(&r, f.bytes, f.n_bytes, "lists", 0, &e), e);
        CHECK_FINE(mni_ann_open(&b, r, &s.rows, &e), e);
        CHECK_STR(mni_ann_spec(b), mni_ann_spec(a));
        CHECK_FINE(mni_ann_check(b, &s.rows, &e), e);
        CHECK(ann_bytes(a) == ann_bytes(b));
        ann_same_as_flat(b, &s, q, 20, &(mni_ann_params){ .k = 10, .nprobe = ALL });
        CHECK(ann_recall(a, &s, q, 20, &(mni_ann_params){ .k = 10 }) ==
              ann_recall(b, &s, q, 20, &(mni_ann_params){ .k = 10 }));
        CHECK_OK(mni_ann_own(b, NULL));
        mni_rng rng = mni_rng_at(test_seed(), MNI_FOR_TEST, 11, 0, 0);
        remove_some(b, &s, 100, &rng);
        add_some(b, &s, 50, 33);
        ann_same_as_flat(b, &s, q, 20, &(mni_ann_params){ .k = 10, .nprobe = ALL });
        CHECK_OK(mni_ann_check(b, &s.rows, NULL));
        mni_ann_free(b);
        mni_reader_free(r);
        mni_ann_free(a);
        mni_buf_fini(&f);
        mni_free(q);
        ann_set_free(&s);
    }
}

/* A section of other bytes in a file whose checksums are right: refused, or searched
 * without leading outside. Every byte of the small ones, some of the blocks. */
static void hostile(const ann_set *s, const mni_ann *a, const char tag[4], size_t step)
{
    mni_buf f = file_of(a);
    mni_reader *whole;
    mni_section old;
    float *q = ann_set_queries(s, 1, 34);
    CHECK_OK(mni_reader_open_bytes(&whole, f.bytes, f.n_bytes, "lists", 0, NULL));
    CHECK(mni_reader_find(whole, tag, &old));
    for (size_t at = 0; at < old.n_bytes; at += step)
        for (int kind = 0; kind < 2; kind++) {
            mni_buf g = { 0 };
            mni_writer *w;
            mni_reader *r;
            mni_ann *b = NULL;
            char name[5];
            mni_section c;
            CHECK_OK(mni_writer_new_buf(&w, &g, MNI_FILE_INDEX, mni_uuid_from(1, 2), 1,
                                        NULL));
            for (uint32_t i = 0; mni_reader_at(whole, i, name, &c); i++) {
                uint8_t *bytes = mni_memdup(c.data, (size_t)c.n_bytes);
                if (memcmp(name, tag, 4) == 0)
                    bytes[at] = (uint8_t)(kind ? 0xFF : bytes[at] ^ 1 << at % 8);
                mni_writer_section(w, name, c.dtype, MNI_ALIGN_SECTION, bytes,
                                   (size_t)c.n_bytes);
                mni_free(bytes);
            }
            CHECK_OK(mni_writer_finish(w, NULL));
            CHECK_OK(mni_reader_open_bytes(&r, g.bytes, g.n_bytes, "lists", 0, NULL));
            if (mni_ann_open(&b, r, &s->rows, NULL) == MANN_OK) {
                mni_near near[8];
                size_t n = 0;
                mni_scratch *scratch;
                mni_ann_fact facts[MNI_ANN_FACTS];
                CHECK_OK(mni_scratch_new(&scratch, NULL));
                CHECK_OK(mni_ann_search(b, &s->rows, q, &(mni_ann_params){ .k = 8 },
                                        scratch, near, &n, NULL));
                CHECK(n <= 8);
                for (size_t i = 0; i < n; i++) CHECK(near[i].row < s->rows.n);
                mni_ann_report(b, &s->rows, facts);
                mni_ann_check(b, &s->rows, NULL);
                if (mni_ann_own(b, NULL) == MANN_OK) {
                    const uint32_t gone[] = { 3 };
                    mni_ann_remove(b, &s->rows, gone, 1, NULL, NULL);
                }
                mni_scratch_free(scratch);
                mni_ann_free(b);
            }
            mni_reader_free(r);
            mni_buf_fini(&g);
        }
    mni_reader_free(whole);
    mni_buf_fini(&f);
    mni_free(q);
}

static void hostile_files(void)
{
    ann_set s = ann_set_new(MNI_F32, MANN_L2, 300, 9, 35);
    mni_ann *a = ann_built("IVF5,Flat", &s, NULL);
    hostile(&s, a, "IVHD", 1);
    hostile(&s, a, "IVLN", 1);
    hostile(&s, a, "IVAR", 1);
    hostile(&s, a, "IVMI", 3);
    hostile(&s, a, "IVCE", 3);
    hostile(&s, a, "IVBK", 41);
    mni_ann_free(a);
    ann_set_free(&s);
}

const test_case ivf_tests[];
const test_case ivf_tests[] = {
    { "whole_is_flat", whole_is_flat, 0 },
    { "crowd_is_one_by_one", crowd_is_one_by_one, 0 },
    { "rough_rows_are_exact", rough_rows_are_exact, 0 },
    { "default_probes_reach_recall", default_probes_reach_recall, 0 },
    { "same_for_any_threads", same_for_any_threads, 0 },
    { "filters_act_inside", filters_act_inside, 0 },
    { "duplicates", duplicates, 0 },
    { "tiny_sets", tiny_sets, 0 },
    { "many_rounds", many_rounds, 0 },
    { "deleting_most", deleting_most, 0 },
    { "folding", folding, 0 },
    { "drift_is_seen", drift_is_seen, 0 },
    { "few_rows_are_told", few_rows_are_told, 0 },
    { "memory_may_end", memory_may_end, 0 },
    { "mapped_is_the_same", mapped_is_the_same, 0 },
    { "hostile_files", hostile_files, 0 },
    { 0 }
};
