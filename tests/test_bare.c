/* test_bare.c - indexes that own ids and vectors: against a plain list, in files,
 * damaged. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "index/bare.h"
#include "store/container.h"

enum { DIM = 6 };

static mann_search ask(uint32_t k)
{
    return (mann_search){ .struct_size = sizeof(mann_search), .k = k };
}

static mni_bare *make(mann_metric metric)
{
    mni_builder *b;
    mni_bare *ix;
    CHECK_OK(mni_builder_new(&b, "auto", metric, DIM, 3, NULL));
    CHECK_OK(mni_builder_finish(&b, &ix, NULL, NULL, NULL));
    CHECK(b == NULL);
    return ix;
}

static void random_rows(float *v, size_t n, uint64_t slot)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 1, 0, slot);
    for (size_t i = 0; i < n * DIM; i++)
        v[i] = (float)mni_rng_below(&r, 4); /* small: many ties */
}

/* --- against a plain list ----------------------------------------------------------- */

typedef struct list { uint64_t id[400]; float row[400][DIM]; size_t n; } list;

static void list_add(list *l, uint64_t id, const float *v)
{
    size_t i = 0;
    while (i < l->n && l->id[i] != id) i++;
    if (i == l->n) l->n++;
    l->id[i] = id;
    memcpy(l->row[i], v, sizeof l->row[i]);
}

static size_t list_remove(list *l, uint64_t id)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->id[i] == id) {
            l->n--;
            l->id[i] = l->id[l->n];
            memcpy(l->row[i], l->row[l->n], sizeof l->row[i]);
            return 1;
        }
    return 0;
}

static float l2(const float *a, const float *b)
{
    float s = 0;
    for (int i = 0; i < DIM; i++) s += (a[i] - b[i]) * (a[i] - b[i]);
    return s;
}

/* All rows, nearest first: distances must agree one by one, and every id must be at its
 * distance. */
static void same_answers(const mni_bare *ix, const list *l, const float *q)
{
    const uint32_t k = (uint32_t)l->n + 3;
    uint64_t ids[403];
    float d[403];
    mann_search s = ask(k);
    CHECK_EQ(mni_bare_n_rows(ix), l->n);
    CHECK_OK(mni_bare_query(ix, (mann_matrix){ q, 1, DIM, 0 }, &s, NULL, ids, d, NULL));
    for (size_t i = 0; i < l->n; i++) {
        size_t at = 0;
        while (at < l->n && l->id[at] != ids[i]) at++;
        CHECK(at < l->n);
        CHECK(d[i] == l2(q, l->row[at]));           /* small integers: exact */
        CHECK(i == 0 || d[i - 1] <= d[i]);
        for (size_t j = 0; j < i; j++) CHECK(ids[j] != ids[i]);
    }
    for (size_t i = l->n; i < k; i++) CHECK(ids[i] == MNI_NO_ID && d[i] == INFINITY);
}

static void random_changes_agree_with_a_list(void)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 2, 0, 0);
    static list l;
    mni_bare *ix = make(MANN_L2);
    l.n = 0;
    for (int round = 0; round < 300; round++) {
        float v[5 * DIM];
        uint64_t ids[5];
        size_t n = mni_rng_below(&r, 6), gone = 0, want = 0;
        random_rows(v, 5, (uint64_t)round);
        for (size_t i = 0; i < 5; i++) ids[i] = mni_rng_below(&r, 60) * 0x100000001u;
        if (mni_rng_below(&r, 2)) {
            CHECK_OK(mni_bare_add(ix, ids, (mann_matrix){ v, n, DIM, 0 }, NULL, NULL));
            for (size_t i = 0; i < n; i++) list_add(&l, ids[i], v + i * DIM);
        } else {
            for (size_t i = 0; i < n; i++) want += list_remove(&l, ids[i]);
            CHECK_OK(mni_bare_remove(ix, ids, n, &gone, NULL));
            CHECK_EQ(gone, want);
        }
        same_answers(ix, &l, v);
    }
    mni_bare_free(ix);
}

static void ids_by_default_count_up(void)
{
    float v[3 * DIM];
    uint64_t ids[8], last = MNI_NO_ID - 1, none = MNI_NO_ID;
    float d[8];
    mann_error e;
    mann_search s = ask(8);
    mni_bare *ix = make(MANN_L2);
    random_rows(v, 3, 1);
    for (int i = 0; i < 3 * DIM; i++) v[i] += (float)(i / DIM * 10);
    CHECK_OK(mni_bare_add(ix, NULL, (mann_matrix){ v, 3, DIM, 0 }, NULL, &e));
    CHECK_OK(mni_bare_query(ix, (mann_matrix){ v, 1, DIM, 0 }, &s, NULL, ids, d, &e));
    CHECK(ids[0] == 0 && ids[1] == 1 && ids[2] == 2 && ids[3] == MNI_NO_ID);
    /* never given twice, also after the row is gone */
    CHECK_OK(mni_bare_remove(ix, &ids[2], 1, NULL, &e));
    CHECK_OK(mni_bare_add(ix, NULL, (mann_matrix){ v + 2 * DIM, 1, DIM, 0 }, NULL, &e));
    CHECK_OK(mni_bare_query(ix, (mann_matrix){ v + 2 * DIM, 1, DIM, 0 }, &s, NULL, ids, d,
                            &e));
    CHECK(ids[0] == 3 && d[0] == 0);
    CHECK_IS(mni_bare_add(ix, &none, (mann_matrix){ v, 1, DIM, 0 }, NULL, &e),
             MANN_E_ARG);
    CHECK_OK(mni_bare_add(ix, &last, (mann_matrix){ v, 1, DIM, 0 }, NULL, &e));
    CHECK_IS(mni_bare_add(ix, NULL, (mann_matrix){ v, 1, DIM, 0 }, NULL, &e),
             MANN_E_LIMIT);
    CHECK_EQ(mni_bare_n_rows(ix), 4);
    mni_bare_free(ix);
}

static void bad_vectors_change_nothing(void)
{
    float v[3 * DIM], d[5];
    uint64_t ids[5] = { 7, 8, 9 };
    mann_error e;
    mann_search s = ask(5);
    mni_bare *ix = make(MANN_COSINE);
    random_rows(v, 3, 2);
    for (int i = 0; i < 3 * DIM; i++) v[i] += 1;
    CHECK_OK(mni_bare_add(ix, ids, (mann_matrix){ v, 1, DIM, 0 }, NULL, &e));
    v[2 * DIM] = NAN;
    CHECK_IS(mni_bare_add(ix, ids, (mann_matrix){ v, 3, DIM, 0 }, NULL, &e), MANN_E_ARG);
    CHECK(strstr(e.text, "vector 2"));
    memset(v + 2 * DIM, 0, DIM * sizeof *v);
    CHECK_IS(mni_bare_add(ix, ids, (mann_matrix){ v, 3, DIM, 0 }, NULL, &e), MANN_E_ARG);
    CHECK_IS(mni_bare_add(ix, ids, (mann_matrix){ v, 3, DIM - 1, 0 }, NULL, &e),
             MANN_E_MISMATCH);
    CHECK_IS(mni_bare_query(ix, (mann_matrix){ v, 3, DIM, 0 }, &s, NULL, ids, d, &e),
             MANN_E_ARG);
    CHECK_EQ(mni_bare_n_rows(ix), 1);
    CHECK_OK(mni_bare_query(ix, (mann_matrix){ v, 1, DIM, 0 }, &s, NULL, ids, d, &e));
    CHECK(ids[0] == 7 && d[0] == 0);
    mni_bare_free(ix);
}

static int keep_even(void *user, uint64_t id, const char *klass)
{
    (void)user;
    return klass == NULL && id % 2 == 0;
}

static void filter_sees_ids_and_stride_is_obeyed(void)
{
    float v[10 * (DIM + 2)], d[2 * 10];
    uint64_t ids[2 * 10];
    mni_bare *ix = make(MANN_L2);
    mann_search s = ask(10);
    mann_pool *pool;
    for (int i = 0; i < 10 * (DIM + 2); i++) v[i] = (float)(i / (DIM + 2));
    s.filter = keep_even;
    CHECK_OK(mann_pool_new(&pool, 2, NULL));
    CHECK_OK(mni_bare_add(ix, NULL, (mann_matrix){ v, 10, DIM, DIM + 2 }, NULL, NULL));
    CHECK_OK(
        mni_bare_query(ix, (mann_matrix){ v, 2, DIM, DIM + 2 }, &s, pool, ids, d, NULL));
    for (uint64_t i = 0; i < 5; i++)
        CHECK(ids[i] == 2 * i && d[i] == (float)(4 * i * i * DIM));
    for (int i = 5; i < 10; i++) CHECK(ids[i] == MNI_NO_ID && d[i] == INFINITY);
    mann_pool_free(pool);
    mni_bare_free(ix);
}

/* --- files -------------------------------------------------------------------------- */

static mni_bare *small(mann_metric metric)
{
    float v[4 * DIM];
    uint64_t ids[4] = { 40, 10, 30, 20 };
    mni_bare *ix = make(metric);
    random_rows(v, 4, 9);
    for (int i = 0; i < 4; i++) v[i * DIM] += (float)(1 + 5 * i);
    CHECK_OK(mni_bare_add(ix, ids, (mann_matrix){ v, 4, DIM, 0 }, NULL, NULL));
    return ix;
}

static void saved_is_opened(void)
{
    mni_vfs_mem *mem;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    for (int m = MANN_L2; m <= MANN_COSINE; m++) {
        mni_bare *a = small((mann_metric)m), *b;
        float q[DIM] = { 3, 1, 2, 2, 0, 1 }, da[6], db[6];
        uint64_t ia[6], ib[6], gone = 40;
        size_t n;
        mann_error e;
        mann_search s = ask(6);
        mann_matrix one = { q, 1, DIM, 0 };
        CHECK_FINE(mni_bare_save(a, v, "x.mann", &e), e);
        CHECK_FINE(mni_bare_open(&b, v, "x.mann", MANN_OPEN_READ | MANN_OPEN_VERIFY, &e),
                   e);
        CHECK(mni_bare_metric(b) == (mann_metric)m && mni_bare_dim(b) == DIM &&
              mni_bare_n_rows(b) == 4);
        CHECK_STR(mni_bare_spec(b), "Flat");
        CHECK_OK(mni_bare_query(a, one, &s, NULL, ia, da, NULL));
        CHECK_OK(mni_bare_query(b, one, &s, NULL, ib, db, NULL));
        CHECK(memcmp(ia, ib, sizeof ia) == 0 && memcmp(da, db, sizeof da) == 0);
        CHECK_IS(mni_bare_add(b, NULL, one, NULL, &e), MANN_E_READ_ONLY);
        CHECK_IS(mni_bare_remove(b, &gone, 1, &n, &e), MANN_E_READ_ONLY);
        mni_bare_free(b);
        /* opened for writing: the same changes make the same index */
        CHECK_FINE(mni_bare_open(&b, v, "x.mann", MANN_OPEN_WRITE, &e), e);
        CHECK_OK(mni_bare_remove(a, &gone, 1, &n, NULL));
        CHECK_OK(mni_bare_remove(b, &gone, 1, &n, NULL));
        CHECK_EQ(n, 1);
        CHECK_OK(mni_bare_add(a, NULL, one, NULL, NULL));
        CHECK_OK(mni_bare_add(b, NULL, one, NULL, NULL));
        CHECK_FINE(mni_bare_save(a, v, "a.mann", &e), e);
        CHECK_FINE(mni_bare_save(b, v, "x.mann", &e),
                   e); /* over the file that it still maps */
        CHECK_OK(mni_bare_query(a, one, &s, NULL, ia, da, NULL));
        CHECK_OK(mni_bare_query(b, one, &s, NULL, ib, db, NULL));
        CHECK(memcmp(ia, ib, sizeof ia) == 0 && memcmp(da, db, sizeof da) == 0);
        CHECK_EQ(ia[0] == 41 || m == MANN_INNER, 1);            /* the id after 40 */
        mni_bare_free(b);
        mni_bare_free(a);
        uint8_t *fa, *fb;
        size_t na, nb;
        CHECK_OK(mni_read_file(v, "a.mann", 1 << 20, &fa, &na, NULL));
        CHECK_OK(mni_read_file(v, "x.mann", 1 << 20, &fb, &nb, NULL));
        CHECK(na == nb && memcmp(fa, fb, na) == 0);
        mni_free(fa);
        mni_free(fb);
    }
    mni_vfs_mem_free(mem);
}

static void empty_index_is_saved(void)
{
    mni_vfs_mem *mem;
    mni_bare *a = make(MANN_L2), *b;
    float q[DIM] = { 0 }, d;
    uint64_t id;
    mann_error e;
    mann_search s = ask(1);
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    CHECK_FINE(mni_bare_save(a, mni_vfs_mem_vfs(mem), "e.mann", &e), e);
    CHECK_FINE(mni_bare_open(&b, mni_vfs_mem_vfs(mem), "e.mann", MANN_OPEN_WRITE, &e), e);
    CHECK_OK(mni_bare_query(b, (mann_matrix){ q, 1, DIM, 0 }, &s, NULL, &id, &d, NULL));
    CHECK(id == MNI_NO_ID && d == INFINITY);
    CHECK_OK(mni_bare_add(b, NULL, (mann_matrix){ q, 1, DIM, 0 }, NULL, NULL));
    CHECK_OK(mni_bare_query(b, (mann_matrix){ q, 1, DIM, 0 }, &s, NULL, &id, &d, NULL));
    CHECK(id == 0 && d == 0);
    mni_bare_free(a);
    mni_bare_free(b);
    mni_vfs_mem_free(mem);
}

/* Opens, asks, changes: whatever the bytes are, it ends, and in an answer or a sentence.
 */
static mann_status try_file(const mni_vfs *v, const char *path)
{
    float q[DIM] = { 1, 2, 3, 1, 2, 3 }, d[6];
    uint64_t ids[6];
    mann_error e = { MANN_OK, "" };
    mann_search s = ask(6);
    mni_bare *ix;
    mann_status st = mni_bare_open(&ix, v, path, MANN_OPEN_WRITE, &e);
    if (st != MANN_OK) {
        CHECK(ix == NULL && e.code == st && e.text[0]);
        return st;
    }
    if (mni_bare_dim(ix) == DIM) {
        st = mni_bare_query(ix, (mann_matrix){ q, 1, DIM, 0 }, &s, NULL, ids, d, &e);
        if (st == MANN_OK)
            st = mni_bare_add(ix, NULL, (mann_matrix){ q, 1, DIM, 0 }, NULL, &e);
    }
    mni_bare_free(ix);
    return st;
}

static void damaged_files_are_refused(void)
{
    mni_vfs_mem *mem;
    mni_bare *ix = small(MANN_L2);
    uint8_t *bytes;
    size_t n;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    CHECK_OK(mni_bare_save(ix, v, "x.mann", NULL));
    mni_bare_free(ix);
    CHECK_OK(mni_read_file(v, "x.mann", 1 << 20, &bytes, &n, NULL));
    CHECK_OK(try_file(v, "x.mann"));
    for (size_t cut = 0; cut < n; cut++) {
        CHECK_OK(mni_replace_file(v, "bad.mann", bytes, cut, NULL));
        CHECK(try_file(v, "bad.mann") != MANN_OK);
    }
    size_t survived = 0;
    for (size_t i = 0; i < n; i++) {
        bytes[i] ^= (uint8_t)(1u << i % 8);
        CHECK_OK(mni_replace_file(v, "bad.mann", bytes, n, NULL));
        survived += try_file(v, "bad.mann") == MANN_OK;
        bytes[i] ^= (uint8_t)(1u << i % 8);
    }
    CHECK_EQ(survived, 0);
    mni_free(bytes);
    mni_vfs_mem_free(mem);
}

/* The sections are written by hand, with right checksums and wrong content. */
typedef struct bad {
    uint32_t metric, dim, n;
    uint64_t next_id;
    size_t n_ids, n_floats;
    const char *spec;
} bad;

static void wrong_content_is_refused(void)
{
    const bad cases[] = {
        { MANN_L2, 2, 3, 9, 3, 6, "Flat" }, /* right: proves that the rest can be */
        { 0, 2, 3, 9, 3, 6, "Flat" },
        { 4, 2, 3, 9, 3, 6, "Flat" },
        { MANN_L2, 0, 3, 9, 3, 0, "Flat" },
        { MANN_L2, 2, 3, 9, 2, 6, "Flat" },
        { MANN_L2, 2, 3, 9, 3, 5, "Flat" },
        { MANN_L2, UINT32_MAX, 3, 9, 3, 6, "Flat" },
        { MANN_L2, 2, UINT32_MAX, 9, 3, 6, "Flat" },
        { MANN_L2, 2, 3, 9, 3, 6, "Tree" },
        { MANN_L2, 2, 3, 9, 3, 6, "" },
        { MANN_L2, 2, 3, 2, 3, 6,
          "Flat" }, /* next id below an id: found at the first write */
    };
    mni_vfs_mem *mem;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const bad *c = &cases[i];
        const uint64_t ids[3] = { 1, 2, 3 };
        const float rows[6] = { 1, 2, 3, 4, 5, 6 };
        uint8_t head[32] = { 0 };
        mni_writer *w;
        mni_bare *ix;
        mni_put32(head, c->metric);
        mni_put32(head + 4, c->dim);
        mni_put32(head + 8, c->n);
        mni_put64(head + 16, c->next_id);
        CHECK_OK(mni_writer_new(&w, v, "h.mann", MNI_FILE_INDEX, mni_uuid_from(1, i), 1,
                                NULL));
        mni_writer_section(w, "BARE", MNI_BYTES, MNI_ALIGN_SECTION, head, sizeof head);
        mni_writer_section(w, "IDS ", MNI_U64, MNI_ALIGN_SECTION, ids, c->n_ids * 8);
        mni_writer_section(w, "ROWS", MNI_F32, MNI_ALIGN_PAGE, rows, c->n_floats * 4);
        mni_writer_section(w, "ANNK", MNI_BYTES, MNI_ALIGN_SECTION, c->spec,
                           strlen(c->spec));
        CHECK_OK(mni_writer_finish(w, NULL));
        mann_status s = mni_bare_open(&ix, v, "h.mann", MANN_OPEN_WRITE, NULL);
        if (s == MANN_OK) s = mni_bare_remove(ix, ids, 1, NULL, NULL);
        mni_bare_free(ix);
        CHECK_EQ(s == MANN_OK, i == 0);
    }
    mni_vfs_mem_free(mem);
}

static void another_kind_of_file_is_named(void)
{
    mni_vfs_mem *mem;
    mni_writer *w;
    mni_bare *ix;
    mann_error e;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    CHECK_OK(
        mni_writer_new(&w, v, "m.mann", MNI_FILE_MODEL, mni_uuid_from(1, 1), 1, NULL));
    CHECK_OK(mni_writer_finish(w, NULL));
    CHECK_IS(mni_bare_open(&ix, v, "m.mann", MANN_OPEN_READ, &e), MANN_E_FORMAT);
    CHECK_STR(e.text, "m.mann: is a file of kind 1, wanted an index (3)");
    CHECK_IS(mni_bare_open(&ix, v, "none.mann", MANN_OPEN_READ, &e), MANN_E_NOT_FOUND);
    mni_vfs_mem_free(mem);
}

static mann_status whole_life(void *ctx)
{
    const mni_vfs *v = ctx;
    float rows[3 * DIM], d[4];
    uint64_t ids[4] = { 5, 6, 7 };
    mann_search s = ask(4);
    mni_builder *b;
    mni_bare *ix = NULL;
    for (int i = 0; i < 3 * DIM; i++) rows[i] = (float)i;
    MNI_TRY(mni_builder_new(&b, "Flat", MANN_COSINE, DIM, 0, NULL));
    mann_status st = mni_builder_add(b, ids, (mann_matrix){ rows, 3, DIM, 0 }, NULL,
                                     NULL);
    if (st == MANN_OK) st = mni_builder_finish(&b, &ix, NULL, NULL, NULL);
    mni_builder_free(b);
    if (st == MANN_OK)
        st = mni_bare_add(ix, NULL, (mann_matrix){ rows, 3, DIM, 0 }, NULL, NULL);
    if (st == MANN_OK)
        st = mni_bare_query(ix, (mann_matrix){ rows, 1, DIM, 0 }, &s, NULL, ids, d, NULL);
    mni_bare_free(ix);
    ix = NULL;
    if (st == MANN_OK) st = mni_bare_open(&ix, v, "x.mann", MANN_OPEN_WRITE, NULL);
    if (st == MANN_OK) st = mni_bare_remove(ix, ids, 1, NULL, NULL);
    mni_bare_free(ix);
    return st;
}

static void survives_no_memory(void)
{
    const char *path = "x.mann";
    mni_vfs_mem *mem;
    mni_bare *ix = small(MANN_COSINE);
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    CHECK_OK(mni_bare_save(ix, mni_vfs_mem_vfs(mem), path, NULL));
    mni_bare_free(ix);
    test_oom(whole_life, (void *)(uintptr_t)mni_vfs_mem_vfs(mem), 0);
    mni_vfs_mem_free(mem);
}

/* After a failed add the index answers as before, and the add can be repeated. */
static void failed_add_leaves_no_trace(void)
{
    static list l;
    float v[40 * DIM];
    uint64_t ids[40];
    mni_bare *ix = make(MANN_L2);
    l.n = 0;
    random_rows(v, 40, 4);
    for (uint64_t i = 0; i < 40; i++) ids[i] = i * 3;
    CHECK_OK(mni_bare_add(ix, ids, (mann_matrix){ v, 5, DIM, 0 }, NULL, NULL));
    for (size_t i = 0; i < 5; i++) list_add(&l, ids[i], v + i * DIM);
    for (long n = 0; ; n++) {
        mni_mem_fail_after(n);
        mann_status s = mni_bare_add(ix, ids, (mann_matrix){ v, 40, DIM, 0 }, NULL, NULL);
        mni_mem_fail_after(-1);
        if (s == MANN_OK) break;
        CHECK_EQ(s, MANN_E_NOMEM);
        same_answers(ix, &l, v);
    }
    for (size_t i = 0; i < 40; i++) list_add(&l, ids[i], v + i * DIM);
    same_answers(ix, &l, v);
    mni_bare_free(ix);
}

const test_case bare_tests[];
const test_case bare_tests[] = {
    { "random_changes_agree_with_a_list", random_changes_agree_with_a_list, 0 },
    { "ids_by_default_count_up", ids_by_default_count_up, 0 },
    { "bad_vectors_change_nothing", bad_vectors_change_nothing, 0 },
    { "filter_sees_ids_and_stride_is_obeyed", filter_sees_ids_and_stride_is_obeyed, 0 },
    { "saved_is_opened", saved_is_opened, 0 },
    { "empty_index_is_saved", empty_index_is_saved, 0 },
    { "damaged_files_are_refused", damaged_files_are_refused, 0 },
    { "wrong_content_is_refused", wrong_content_is_refused, 0 },
    { "another_kind_of_file_is_named", another_kind_of_file_is_named, 0 },
    { "survives_no_memory", survives_no_memory, 0 },
    { "failed_add_leaves_no_trace", failed_add_leaves_no_trace, 0 },
    { 0 }
};
