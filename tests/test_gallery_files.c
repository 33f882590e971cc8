/* test_gallery_files.c - the gallery under fire: power cuts, failing disks, damaged
 * bytes, no memory, many threads. SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "gallery_help.h"
#include "harness.h"
#include "os/thread.h"

/* --- files -------------------------------------------------------------------------- */

static void a_power_cut_keeps_what_was_acknowledged(void)
{
    for (uint32_t cut = 1; cut <= 12; cut++) {
        mni_vfs_mem *mem;
        mni_gallery *g;
        mann_error e = { MANN_OK, "" };
        mann_gallery_info info;
        CHECK_OK(mni_vfs_mem_new(&mem, NULL));
        const mni_vfs *v = mni_vfs_mem_vfs(mem);
        CHECK_FINE(gallery_make(&g, v, "a", MANN_STORE_F32, cut, 1, &e), e);
        if (cut % 3 == 0)
            CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
        if (cut % 4 == 0) CHECK_FINE(gallery_add_view(g, 0, 1, NULL, &e), e);
        mni_gallery_free(g);
        mni_vfs_mem_power_cut(mem);
        CHECK_FINE(mni_gallery_open(&g, v, "a", MANN_OPEN_WRITE | MANN_OPEN_VERIFY, &e),
                   e);
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
            CHECK_FINE(gallery_make(&g, v, "a", MANN_STORE_F32, 3, 2, &e), e);
            mni_gallery_free(g);
            mni_vfs_faulty_init(&f, v);
            f.which = MNI_FAULT_ANY;
            f.fail_in = n;
            f.sticky = sticky;
            f.short_write = 1;
            uint64_t acknowledged = 6;
            mann_status s = mni_gallery_open(&g, &f.vfs, "a", MANN_OPEN_WRITE, &e);
            if (s == MANN_OK) {
                mann_status added = gallery_add_view(g, 7, 0, NULL, &e);
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
    CHECK_FINE(gallery_make(&g, v, "a", MANN_STORE_F32, 2, 1, &e), e);
    CHECK_IS(mni_gallery_open(&other, v, "a", MANN_OPEN_WRITE, &e), MANN_E_LOCKED);
    CHECK(other == NULL);
    CHECK_FINE(mni_gallery_open(&other, v, "a", MANN_OPEN_READ, &e), e);
    CHECK_FINE(gallery_add_view(g, 5, 0, NULL, &e), e);
    mann_gallery_info info;
    CHECK_OK(mni_gallery_describe(other, &info, NULL));
    CHECK_EQ(info.n_rows, 2);              /* the state of its open, until it refreshes */
    CHECK_FINE(mni_gallery_refresh(other, &e), e);
    CHECK_OK(mni_gallery_describe(other, &info, NULL));
    CHECK_EQ(info.n_rows, 3);
    mni_gallery_free(other);
    mni_gallery_free(g);
    mann_gallery_config c = gallery_config(MANN_COSINE, MANN_STORE_F32);
    CHECK_IS(mni_gallery_create(&g, v, "a", &c, &e), MANN_E_EXISTS);
    mni_vfs_mem_free(mem);
}

/* Opens what may be damaged and asks it everything; statuses do not matter, touching
 * does. */
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
        gallery_vector(1, 0, q);
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
    CHECK_OK(mni_open(v, path, MNI_OPEN_WRITE | MNI_OPEN_CREATE | MNI_OPEN_TRUNCATE, &f,
                      NULL));
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
    size_t step = n > 8192 ? 7 : 1;  /* section bytes are under checksums: sample those */
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
    CHECK_FINE(gallery_make(&g, v, "x", MANN_STORE_F32, 3, 1, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
    uint64_t one = 1;
    CHECK_FINE(gallery_add_view(g, 9, 0, NULL, &e), e);
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
    s = gallery_make(&g, v, "a", MANN_STORE_F16, 2, 2, NULL);
    if (s == MANN_OK) s = mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, NULL);
    if (s == MANN_OK) s = gallery_add_view(g, 3, 0, NULL, NULL);
    uint64_t id = 0;
    if (s == MANN_OK) s = mni_gallery_remove(g, &id, 1, NULL, NULL);
    mni_gallery_free(g);
    g = NULL;
    if (s == MANN_OK) s = mni_gallery_open(&g, v, "a", MANN_OPEN_WRITE, NULL);
    gallery_vector(1, 0, q);
    mann_search_fill(&search, sizeof search, 2);
    if (s == MANN_OK)
        s = mni_gallery_identify(g, (mann_matrix){ q, 1, DIM, DIM }, &search, NULL, hits,
                                 &a, NULL);
    if (s == MANN_OK) s = mni_gallery_verify(g, NULL, NULL);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
    return s;
}

static void out_of_memory_anywhere(void) { test_oom(whole_life, NULL, 0); }

/* --- threads ------------------------------------------------------------------------ */

enum { WRITES = 300 };
typedef struct traffic {
    mni_gallery *g;
    atomic_int stop;
    atomic_long n_searches;
    atomic_int bad;
} traffic;

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
        gallery_vector(k, 0, q);
        mann_search_fill(&s, sizeof s, 3);
        if (mni_gallery_identify(t->g, (mann_matrix){ q, 1, DIM, DIM }, &s, NULL, hits,
                                 &a, NULL) != MANN_OK ||
            a.n_hits != 3 || hits[0].distance != 0.0f ||
            mni_gallery_class_name(t->g, hits[0].klass, name, sizeof name, NULL) !=
                MANN_OK ||
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
    CHECK_FINE(gallery_make(&t.g, mni_vfs_mem_vfs(mem), "a", MANN_STORE_F32, 10, 1, &e),
               e);
    for (int i = 0; i < 3; i++) CHECK(mni_thread_start(&readers[i], keep_searching, &t));
    for (uint32_t i = 0; i < WRITES; i++) {
        uint64_t id;
        CHECK_FINE(gallery_add_view(t.g, 100 + i, 0, &id, &e), e);
        if (i % 3 == 0) CHECK_FINE(mni_gallery_remove(t.g, &id, 1, NULL, &e), e);
        if (i % 100 == 50)
            CHECK_FINE(mni_gallery_build(t.g, NULL, NULL, 0, NULL, NULL, &e), e);
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
    CHECK_FINE(gallery_make(&g, mni_vfs_mem_vfs(mem), "a", MANN_STORE_F32, 40, 2, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, NULL, 1, NULL, NULL, &e), e);
    for (uint32_t i = 0; i < QUERIES; i++) gallery_vector(i, 50, q + i * DIM);
    for (int t = 0; t < 3; t++) {
        mann_pool *pool;
        mann_search s;
        mann_search_fill(&s, sizeof s, K);
        CHECK_OK(mann_pool_new(&pool, threads[t], NULL));
        CHECK_FINE(mni_gallery_identify(g, (mann_matrix){ q, QUERIES, DIM, DIM }, &s,
                                        pool, hits[t], answers[t], &e),
                   e);
        mann_pool_free(pool);
    }
    for (int t = 1; t < 3; t++) {
        for (int i = 0; i < QUERIES * K; i++)       /* by field: structs have padding */
            CHECK(hits[0][i].id == hits[t][i].id &&
                  hits[0][i].klass == hits[t][i].klass &&
                  hits[0][i].score == hits[t][i].score &&
                  hits[0][i].distance == hits[t][i].distance);
        for (int i = 0; i < QUERIES; i++) {
            CHECK(answers[0][i].verdict == answers[t][i].verdict);
            CHECK(answers[0][i].margin == answers[t][i].margin);
        }
    }
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

const test_case gallery_files_tests[];
const test_case gallery_files_tests[] = {
    { "every_fault_leaves_the_old_or_the_new", every_fault_leaves_the_old_or_the_new, 0 },
    { "two_writers_are_one_too_many", two_writers_are_one_too_many, 0 },
    { "damaged_files_give_a_sentence", damaged_files_give_a_sentence, 0 },
    { "out_of_memory_anywhere", out_of_memory_anywhere, 0 },
    { "searches_run_beside_a_writer", searches_run_beside_a_writer, 0 },
    { "answers_do_not_depend_on_threads", answers_do_not_depend_on_threads, 0 },
    { "a_power_cut_keeps_what_was_acknowledged",
      a_power_cut_keeps_what_was_acknowledged, 0 },
    { 0 }
};
