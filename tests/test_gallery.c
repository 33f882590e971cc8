/* test_gallery.c - the gallery on files in memory: what is added is found, what is removed is gone, what
 * was acknowledged survives a power cut. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "os/thread.h"
#include "recog/gallery.h"

enum { DIM = 24 };

static mann_gallery_config config(mann_metric metric, mann_store store)
{
    mann_gallery_config c;
    mann_gallery_config_fill(&c, sizeof c);
    c.metric = (uint32_t)metric;
    c.store = (uint32_t)store;
    c.dim = DIM;
    return c;
}

/* Rows of a class lie round a centre of their own. */
static void vector_of(uint32_t klass, uint32_t view, float *out)
{
    mni_rng centre = mni_rng_at(test_seed(), MNI_FOR_TEST, 1, klass, 0);
    mni_rng noise = mni_rng_at(test_seed(), MNI_FOR_TEST, 2, klass, view + 1);
    for (int i = 0; i < DIM; i++) out[i] = mni_rng_normal(&centre) + 0.2f * mni_rng_normal(&noise);
}

static mann_status add_view(mni_gallery *g, uint32_t klass, uint32_t view, uint64_t *id, mann_error *err)
{
    char name[32], source[64];
    float v[DIM];
    vector_of(klass, view, v);
    snprintf(name, sizeof name, "class-%u", (unsigned)klass);
    snprintf(source, sizeof source, "%s/%u.png", name, (unsigned)view);
    mni_new_row row = { .klass = name, .source = source, .vector = v, .content_hash = klass * 1000 + view };
    return mni_gallery_add(g, &row, 1, id, err);
}

static mann_status make(mni_gallery **g, const mni_vfs *v, const char *path, mann_store store, uint32_t classes,
                        uint32_t views, mann_error *err)
{
    mann_gallery_config c = config(MANN_COSINE, store);
    mann_status s = mni_gallery_create(g, v, path, &c, err);
    for (uint32_t k = 0; s == MANN_OK && k < classes; k++)
        for (uint32_t i = 0; s == MANN_OK && i < views; i++) s = add_view(*g, k, i, NULL, err);
    if (s != MANN_OK) { mni_gallery_free(*g); *g = NULL; }
    return s;
}

static mann_answer identify(mni_gallery *g, const float *q, uint32_t k, mann_hit *hits)
{
    mann_answer a;
    mann_error e = { MANN_OK, "" };
    mann_search s;
    mann_search_fill(&s, sizeof s, k);
    mann_matrix m = { q, 1, DIM, DIM };
    CHECK_FINE(mni_gallery_identify(g, m, &s, NULL, hits, &a, &e), e);
    return a;
}

static void check_name(mni_gallery *g, uint32_t klass, const char *want)
{
    char name[64];
    CHECK_OK(mni_gallery_class_name(g, klass, name, sizeof name, NULL));
    CHECK_STR(name, want);
}

/* --- life of a record --------------------------------------------------------------------------------------- */

static void check_all_found(mni_gallery *g, uint32_t classes, uint32_t views)
{
    for (uint32_t k = 0; k < classes; k++)
        for (uint32_t i = 0; i < views; i++) {
            float q[DIM];
            char want[32];
            mann_hit hits[3];
            vector_of(k, i, q);
            mann_answer a = identify(g, q, 3, hits);
            CHECK_EQ(a.n_hits, classes < 3 ? classes : 3);
            snprintf(want, sizeof want, "class-%u", (unsigned)k);
            check_name(g, hits[0].klass, want);
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
    CHECK_FINE(make(&g, v, "a.mann", MANN_STORE_F32, 20, 3, &e), e);
    check_all_found(g, 20, 3);                                  /* in the tail */
    mni_gallery_free(g);
    CHECK_FINE(mni_gallery_open(&g, v, "a.mann", MANN_OPEN_READ, &e), e);
    check_all_found(g, 20, 3);                                  /* replayed */
    CHECK_IS(add_view(g, 1, 9, NULL, &e), MANN_E_READ_ONLY);
    mni_gallery_free(g);
    CHECK_FINE(mni_gallery_open(&g, v, "a.mann", MANN_OPEN_WRITE, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, "Flat", 1, NULL, NULL, &e), e);
    check_all_found(g, 20, 3);                                  /* in the base */
    CHECK_FINE(mni_gallery_verify(g, NULL, &e), e);
    CHECK_FINE(add_view(g, 50, 0, NULL, &e), e);                /* base and tail */
    mann_gallery_info info;
    CHECK_OK(mni_gallery_describe(g, &info, NULL));
    CHECK_EQ(info.n_rows, 61);
    CHECK_EQ(info.n_tail, 1);
    CHECK_EQ(info.n_classes, 21);
    CHECK_EQ(info.generation, 1);
    mni_gallery_free(g);
    CHECK_FINE(mni_gallery_open(&g, v, "a.mann", MANN_OPEN_READ | MANN_OPEN_VERIFY, &e), e);
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
        CHECK_FINE(make(&g, mni_vfs_mem_vfs(mem), "a", (mann_store)store, 10, 2, &e), e);
        vector_of(3, 7, q);
        identify(g, q, 4, before);
        CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
        identify(g, q, 4, after);
        for (int i = 0; i < 4; i++) {
            CHECK_EQ(before[i].id, after[i].id);
            CHECK_NEAR(before[i].distance, after[i].distance, 1e-6);
        }
        check_name(g, after[0].klass, "class-3");
        /* The row as it is kept, asked again. */
        mni_state *s = mni_gallery_state(g);
        mni_state_vector(s, 5, q);
        mni_state_release(s);
        identify(g, q, 1, after);
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
    CHECK_FINE(make(&g, v, "a", MANN_STORE_F32, 5, 2, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
    for (uint32_t i = 0; i < 1000; i++) {                       /* one id, a thousand times */
        vector_of(70, i, q);
        mni_new_row row = { .klass = "again", .vector = q, .id = 3, .has_id = 1 };
        CHECK_FINE(mni_gallery_add(g, &row, 1, NULL, &e), e);
    }
    CHECK_OK(mni_gallery_describe(g, &info, NULL));
    CHECK_EQ(info.n_rows, 10);
    identify(g, q, 2, hits);
    CHECK_EQ(hits[0].id, 3);
    check_name(g, hits[0].klass, "again");
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
    CHECK_EQ(info.n_classes, 4);            /* 0..3: class-1 lost row 3 to "again", which is gone */
    vector_of(4, 0, q);
    identify(g, q, 1, hits);
    CHECK(hits[0].distance > 0.01f);
    ids[0] = 5;                             /* class-2, second view */
    CHECK_FINE(mni_gallery_relabel(g, ids, 1, "moved", &e), e);
    vector_of(2, 1, q);
    identify(g, q, 1, hits);
    CHECK_EQ(hits[0].id, 5);
    check_name(g, hits[0].klass, "moved");
    for (int round = 0; round < 2; round++) {   /* the same after replay and after folding */
        mni_gallery_free(g);
        CHECK_FINE(mni_gallery_open(&g, v, "a", MANN_OPEN_WRITE, &e), e);
        CHECK_OK(mni_gallery_describe(g, &info, NULL));
        CHECK_EQ(info.n_rows, 6);
        CHECK_EQ(info.n_classes, 5);
        identify(g, q, 1, hits);
        CHECK_EQ(hits[0].id, 5);
        check_name(g, hits[0].klass, "moved");
        CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
        CHECK_FINE(mni_gallery_verify(g, NULL, &e), e);
    }
    uint64_t id;
    CHECK_FINE(add_view(g, 80, 0, &id, &e), e);
    CHECK_EQ(id, 10);                       /* ids of removed rows are not given again */
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

/* --- search against a plain scan ------------------------------------------------------------------------------- */

/* Independent of the code under test: score of a class from all its rows, in double. */
static double class_score(uint32_t klass, uint32_t views, const float *q, uint32_t best_m)
{
    double scores[16], sum = 0;
    for (uint32_t i = 0; i < views; i++) {
        float v[DIM];
        double dot = 0, a = 0, b = 0;
        vector_of(klass, i, v);
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
    CHECK_FINE(make(&g, mni_vfs_mem_vfs(mem), "a", MANN_STORE_F32, CLASSES, VIEWS - 1, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
    for (uint32_t k = 0; k < CLASSES; k++) CHECK_FINE(add_view(g, k, VIEWS - 1, NULL, &e), e);
    for (uint32_t m = 1; m <= 3; m += 2)
        for (uint32_t t = 0; t < 40; t++) {
            float q[DIM];
            mann_hit hits[CLASSES];
            mann_answer a;
            mann_search s;
            vector_of(t % 35, 100 + t, q);
            mann_search_fill(&s, sizeof s, 5);
            s.aggregate = m == 1 ? MANN_AGGREGATE_MAX : MANN_AGGREGATE_MEAN;
            s.best_m = m;
            CHECK_FINE(mni_gallery_identify(g, (mann_matrix){ q, 1, DIM, DIM }, &s, NULL, hits, &a, &e), e);
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
    CHECK_FINE(make(&g, mni_vfs_mem_vfs(mem), "a", MANN_STORE_F32, 6, 1, &e), e);
    for (uint32_t i = 1; i < 400; i++) CHECK_FINE(add_view(g, 0, i, NULL, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
    vector_of(0, 1000, q);
    mann_answer a = identify(g, q, 8, hits);
    CHECK_EQ(a.n_hits, 6);                      /* k larger than what lives is legal */
    CHECK_EQ(hits[6].id, UINT64_MAX);
    mann_search s;
    mann_search_fill(&s, sizeof s, 8);
    s.filter = only_even;
    CHECK_FINE(mni_gallery_search(g, (mann_matrix){ q, 1, DIM, DIM }, &s, NULL, hits, &a, &e), e);
    CHECK_EQ(a.n_hits, 8);
    for (int i = 0; i < 8; i++) CHECK(hits[i].id % 2 == 0);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static void a_power_cut_keeps_what_was_acknowledged(void)
{
    for (uint32_t cut = 1; cut <= 12; cut++) {
        mni_vfs_mem *mem;
        mni_gallery *g;
        mann_error e = { MANN_OK, "" };
        mann_gallery_info info;
        CHECK_OK(mni_vfs_mem_new(&mem, NULL));
        const mni_vfs *v = mni_vfs_mem_vfs(mem);
        CHECK_FINE(make(&g, v, "a", MANN_STORE_F32, cut, 1, &e), e);
        if (cut % 3 == 0) CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
        if (cut % 4 == 0) CHECK_FINE(add_view(g, 0, 1, NULL, &e), e);
        mni_gallery_free(g);
        mni_vfs_mem_power_cut(mem);
        CHECK_FINE(mni_gallery_open(&g, v, "a", MANN_OPEN_WRITE | MANN_OPEN_VERIFY, &e), e);
        CHECK_OK(mni_gallery_describe(g, &info, NULL));
        CHECK_EQ(info.n_rows, cut + (cut % 4 == 0));
        CHECK_FINE(mni_gallery_verify(g, NULL, &e), e);
        mni_gallery_free(g);
        mni_vfs_mem_free(mem);
    }
}

static void every_fault_leaves_the_old_or_the_new(void)
{
    for (int sticky = 0; sticky < 2; sticky++)
        for (long n = 0;; n++) {
            mni_vfs_mem *mem;
            mni_gallery *g;
            mni_vfs_faulty f;
            mann_error e = { MANN_OK, "" };
            mann_gallery_info info;
            CHECK_OK(mni_vfs_mem_new(&mem, NULL));
            const mni_vfs *v = mni_vfs_mem_vfs(mem);
            CHECK_FINE(make(&g, v, "a", MANN_STORE_F32, 3, 2, &e), e);
            mni_gallery_free(g);
            mni_vfs_faulty_init(&f, v);
            f.which = MNI_FAULT_ANY;
            f.fail_in = n;
            f.sticky = sticky;
            f.short_write = 1;
            uint64_t acknowledged = 6;
            mann_status s = mni_gallery_open(&g, &f.vfs, "a", MANN_OPEN_WRITE, &e);
            if (s == MANN_OK) {
                mann_status added = add_view(g, 7, 0, NULL, &e);
                mann_status built = mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e);
                if (added == MANN_OK) acknowledged = 7;
                if (added != MANN_OK || built != MANN_OK) s = MANN_E_IO;
            }
            mni_gallery_free(g);
            CHECK_FINE(mni_gallery_open(&g, v, "a", MANN_OPEN_READ, &e), e);
            CHECK_OK(mni_gallery_describe(g, &info, NULL));
            CHECK(info.n_rows == acknowledged || (acknowledged == 6 && info.n_rows == 7));
            CHECK_FINE(mni_gallery_verify(g, NULL, &e), e);
            mni_gallery_free(g);
            mni_vfs_mem_free(mem);
            if (s == MANN_OK) break;
            CHECK(n < 500);
        }
}

static void two_writers_are_one_too_many(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g, *other;
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    CHECK_FINE(make(&g, v, "a", MANN_STORE_F32, 2, 1, &e), e);
    CHECK_IS(mni_gallery_open(&other, v, "a", MANN_OPEN_WRITE, &e), MANN_E_LOCKED);
    CHECK(other == NULL);
    CHECK_FINE(mni_gallery_open(&other, v, "a", MANN_OPEN_READ, &e), e);
    CHECK_FINE(add_view(g, 5, 0, NULL, &e), e);
    mann_gallery_info info;
    CHECK_OK(mni_gallery_describe(other, &info, NULL));
    CHECK_EQ(info.n_rows, 2);                   /* the state of its open, until it refreshes */
    CHECK_FINE(mni_gallery_refresh(other, &e), e);
    CHECK_OK(mni_gallery_describe(other, &info, NULL));
    CHECK_EQ(info.n_rows, 3);
    mni_gallery_free(other);
    mni_gallery_free(g);
    mann_gallery_config c = config(MANN_COSINE, MANN_STORE_F32);
    CHECK_IS(mni_gallery_create(&g, v, "a", &c, &e), MANN_E_EXISTS);
    mni_vfs_mem_free(mem);
}

/* Opens what may be damaged and asks it everything; statuses do not matter, touching does. */
static void use_whatever_it_is(const mni_vfs *v)
{
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    mann_hit hits[4];
    mann_answer a;
    mann_search s;
    float q[DIM];
    mann_status status = mni_gallery_open(&g, v, "x", MANN_OPEN_READ, &e);
    if (status != MANN_OK) { CHECK(e.text[0] && e.code == status); return; }
    if (mni_gallery_dim(g) == DIM) {
        vector_of(1, 0, q);
        mann_search_fill(&s, sizeof s, 4);
        mni_gallery_identify(g, (mann_matrix){ q, 1, DIM, DIM }, &s, NULL, hits, &a, &e);
        s.aggregate = MANN_AGGREGATE_MEAN;
        mni_gallery_identify(g, (mann_matrix){ q, 1, DIM, DIM }, &s, NULL, hits, &a, &e);
    }
    mni_gallery_verify(g, NULL, &e);
    mni_gallery_free(g);
}

static void write_file(const mni_vfs *v, const char *path, const uint8_t *bytes, size_t n)
{
    mni_file *f;
    CHECK_OK(mni_open(v, path, MNI_OPEN_WRITE | MNI_OPEN_CREATE | MNI_OPEN_TRUNCATE, &f, NULL));
    CHECK_OK(mni_write(f, bytes, n, 0, NULL));
    CHECK_OK(mni_close(f, NULL));
}

static void damage_file(const mni_vfs *v, const char *which)
{
    uint8_t *bytes;
    size_t n;
    char target[32];
    snprintf(target, sizeof target, "x%s", which);
    CHECK_OK(mni_read_file(v, target, 1 << 24, &bytes, &n, NULL));
    size_t step = n > 8192 ? 7 : 1;             /* section bytes are under checksums: sample those */
    for (size_t i = 0; i < n; i += i < 4096 ? 1 : step) {
        bytes[i] ^= (uint8_t)(1u << i % 8);
        write_file(v, target, bytes, n);
        use_whatever_it_is(v);
        bytes[i] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t i = 0; i < n; i += i < 4096 ? 1 : step) {
        write_file(v, target, bytes, i);
        use_whatever_it_is(v);
    }
    write_file(v, target, bytes, n);
    mni_free(bytes);
}

static void damaged_files_give_a_sentence(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    CHECK_FINE(make(&g, v, "x", MANN_STORE_F32, 3, 1, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
    uint64_t one = 1;
    CHECK_FINE(add_view(g, 9, 0, NULL, &e), e);
    CHECK_FINE(mni_gallery_remove(g, &one, 1, NULL, &e), e);
    mni_gallery_free(g);
    damage_file(v, "");
    damage_file(v, "-journal");
    use_whatever_it_is(v);
    mni_vfs_mem_free(mem);
}

static mann_status whole_life(void *ctx)
{
    mni_vfs_mem *mem;
    mni_gallery *g = NULL;
    mann_hit hits[2];
    mann_answer a;
    mann_search search;
    float q[DIM];
    (void)ctx;
    mann_status s = mni_vfs_mem_new(&mem, NULL);
    if (s != MANN_OK) return s;
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    s = make(&g, v, "a", MANN_STORE_F16, 2, 2, NULL);
    if (s == MANN_OK) s = mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, NULL);
    if (s == MANN_OK) s = add_view(g, 3, 0, NULL, NULL);
    uint64_t id = 0;
    if (s == MANN_OK) s = mni_gallery_remove(g, &id, 1, NULL, NULL);
    mni_gallery_free(g);
    g = NULL;
    if (s == MANN_OK) s = mni_gallery_open(&g, v, "a", MANN_OPEN_WRITE, NULL);
    vector_of(1, 0, q);
    mann_search_fill(&search, sizeof search, 2);
    if (s == MANN_OK)
        s = mni_gallery_identify(g, (mann_matrix){ q, 1, DIM, DIM }, &search, NULL, hits, &a, NULL);
    if (s == MANN_OK) s = mni_gallery_verify(g, NULL, NULL);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
    return s;
}

static void out_of_memory_anywhere(void) { test_oom(whole_life, NULL, 0); }

/* --- threads -------------------------------------------------------------------------------------------------------- */

enum { WRITES = 300 };
typedef struct traffic { mni_gallery *g; atomic_int stop; atomic_long n_searches; atomic_int bad; } traffic;

/* Every class from 0 up to some number is there, and a class that was seen stays. */
static void *keep_searching(void *ctx)
{
    traffic *t = ctx;
    while (!atomic_load(&t->stop)) {
        uint32_t k = (uint32_t)(atomic_fetch_add(&t->n_searches, 1) % 10);
        float q[DIM];
        char name[64];
        mann_hit hits[3];
        mann_answer a;
        mann_search s;
        vector_of(k, 0, q);
        mann_search_fill(&s, sizeof s, 3);
        if (mni_gallery_identify(t->g, (mann_matrix){ q, 1, DIM, DIM }, &s, NULL, hits, &a, NULL) != MANN_OK ||
            a.n_hits != 3 || hits[0].distance != 0.0f ||
            mni_gallery_class_name(t->g, hits[0].klass, name, sizeof name, NULL) != MANN_OK ||
            mni_gallery_source(t->g, hits[0].id, name, sizeof name, NULL) != MANN_OK)
            atomic_store(&t->bad, 1);
    }
    return NULL;
}

static void searches_run_beside_a_writer(void)
{
    mni_vfs_mem *mem;
    mann_error e = { MANN_OK, "" };
    traffic t = { 0 };
    mni_thread readers[3];
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    CHECK_FINE(make(&t.g, mni_vfs_mem_vfs(mem), "a", MANN_STORE_F32, 10, 1, &e), e);
    for (int i = 0; i < 3; i++) CHECK(mni_thread_start(&readers[i], keep_searching, &t));
    for (uint32_t i = 0; i < WRITES; i++) {
        uint64_t id;
        CHECK_FINE(add_view(t.g, 100 + i, 0, &id, &e), e);
        if (i % 3 == 0) CHECK_FINE(mni_gallery_remove(t.g, &id, 1, NULL, &e), e);
        if (i % 100 == 50) CHECK_FINE(mni_gallery_build(t.g, NULL, NULL, 0, NULL, NULL, &e), e);
    }
    while (atomic_load(&t.n_searches) < 1000) { }
    atomic_store(&t.stop, 1);
    for (int i = 0; i < 3; i++) mni_thread_join(readers[i]);
    CHECK(!atomic_load(&t.bad));
    CHECK_FINE(mni_gallery_verify(t.g, NULL, &e), e);
    mni_gallery_free(t.g);
    mni_vfs_mem_free(mem);
}

static void answers_do_not_depend_on_threads(void)
{
    enum { QUERIES = 200, K = 3 };
    static float q[QUERIES * DIM];
    static mann_hit hits[3][QUERIES * K];
    static mann_answer answers[3][QUERIES];
    static const uint32_t threads[3] = { 1, 2, 7 };
    mni_vfs_mem *mem;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    CHECK_FINE(make(&g, mni_vfs_mem_vfs(mem), "a", MANN_STORE_F32, 40, 2, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, NULL, 1, NULL, NULL, &e), e);
    for (uint32_t i = 0; i < QUERIES; i++) vector_of(i, 50, q + i * DIM);
    for (int t = 0; t < 3; t++) {
        mann_pool *pool;
        mann_search s;
        mann_search_fill(&s, sizeof s, K);
        CHECK_OK(mann_pool_new(&pool, threads[t], NULL));
        CHECK_FINE(mni_gallery_identify(g, (mann_matrix){ q, QUERIES, DIM, DIM }, &s, pool, hits[t], answers[t],
                                        &e), e);
        mann_pool_free(pool);
    }
    for (int t = 1; t < 3; t++) {
        for (int i = 0; i < QUERIES * K; i++)       /* by field: structs have padding */
            CHECK(hits[0][i].id == hits[t][i].id && hits[0][i].klass == hits[t][i].klass &&
                  hits[0][i].score == hits[t][i].score && hits[0][i].distance == hits[t][i].distance);
        for (int i = 0; i < QUERIES; i++) {
            CHECK(answers[0][i].verdict == answers[t][i].verdict);
            CHECK(answers[0][i].margin == answers[t][i].margin);
        }
    }
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

const test_case gallery_tests[];
const test_case gallery_tests[] = {
    { "add_find_reopen", add_find_reopen, 0 },
    { "rounded_stores_answer_the_same_after_folding", rounded_stores_answer_the_same_after_folding, 0 },
    { "upsert_remove_relabel", upsert_remove_relabel, 0 },
    { "aggregation_equals_brute_force", aggregation_equals_brute_force, 0 },
    { "many_rows_of_one_class_do_not_hide_the_others", many_rows_of_one_class_do_not_hide_the_others, 0 },
    { "a_power_cut_keeps_what_was_acknowledged", a_power_cut_keeps_what_was_acknowledged, 0 },
    { "every_fault_leaves_the_old_or_the_new", every_fault_leaves_the_old_or_the_new, 0 },
    { "two_writers_are_one_too_many", two_writers_are_one_too_many, 0 },
    { "damaged_files_give_a_sentence", damaged_files_give_a_sentence, 0 },
    { "out_of_memory_anywhere", out_of_memory_anywhere, 0 },
    { "searches_run_beside_a_writer", searches_run_beside_a_writer, 0 },
    { "answers_do_not_depend_on_threads", answers_do_not_depend_on_threads, 0 },
    { 0 }
};
