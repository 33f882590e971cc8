/* test_gallery_order.c - the gallery where order matters: what another thread, another
 * handle or the next process sees of a change, also when a step of it failed.
 * SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "gallery_help.h"
#include "harness.h"
#include "os/thread.h"

/* --- names -------------------------------------------------------------------------- */

enum { NAMES = 3000 };
typedef struct lookup { mni_gallery *g; atomic_int stop; } lookup;

static void *look_names_up(void *ctx)
{
    lookup *l = ctx;
    char name[32];
    uint32_t klass;
    for (uint32_t k = 0; !atomic_load(&l->stop); k = (k + 1) % NAMES) {
        snprintf(name, sizeof name, "class-%u", (unsigned)k);
        mni_mutex_lock(&l->g->lock);
        if (mni_state_find_class(l->g->state, name, &klass))
            CHECK(klass < l->g->state->n_classes);
        mni_mutex_unlock(&l->g->lock);
    }
    return NULL;
}

/* A name stands in the map before its class is published: whoever meets it there must
 * find it whole. */
static void names_are_looked_up_beside_a_writer(void)
{
    mni_vfs_mem *mem;
    lookup l = { 0 };
    mann_error e = { MANN_OK, "" };
    mni_thread reader;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    CHECK_FINE(gallery_make(&l.g, mni_vfs_mem_vfs(mem), "a", MANN_STORE_F32, 1, 1, &e),
               e);
    CHECK(mni_thread_start(&reader, look_names_up, &l));
    for (uint32_t k = 0; k < NAMES; k++)
        CHECK_FINE(gallery_add_view(l.g, k, 0, NULL, &e), e);
    atomic_store(&l.stop, 1);
    mni_thread_join(reader);
    mni_gallery_free(l.g);
    mni_vfs_mem_free(mem);
}

/* --- a new base that came half ------------------------------------------------------ */

/* Whatever step of a fold fails: the handle goes on, and what it acknowledges later is
 * there at the next open. */
static void a_failed_fold_loses_nothing_later(void)
{
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
        CHECK_FINE(mni_gallery_open(&g, &f.vfs, "a", MANN_OPEN_WRITE, &e), e);
        f.which = MNI_FAULT_ANY;
        f.fail_in = n;
        mann_status s = mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e);
        f.fail_in = -1;
        CHECK_FINE(gallery_add_view(g, 7, 0, NULL, &e), e);
        CHECK_FINE(mni_gallery_add_root(g, "photos", &e), e);
        mni_gallery_free(g);
        CHECK_FINE(mni_gallery_open(&g, v, "a", MANN_OPEN_READ, &e), e);
        CHECK_OK(mni_gallery_describe(g, &info, NULL));
        CHECK_EQ(info.n_rows, 7);
        CHECK_EQ(info.journal_ignored, 0);
        CHECK_FINE(mni_gallery_verify(g, NULL, &e), e);
        mni_gallery_free(g);
        mni_vfs_mem_free(mem);
        if (s == MANN_OK) break;
        CHECK(n < 500);
    }
}

/* --- what had the name before ------------------------------------------------------- */

static void check_rows(mni_gallery *g, uint64_t want)
{
    mann_gallery_info info;
    CHECK_OK(mni_gallery_describe(g, &info, NULL));
    CHECK_EQ(info.n_rows, want);
}

/* Base files are removed by hand, journals are forgotten: a new gallery is empty. */
static void a_new_gallery_ignores_an_old_journal(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    mann_gallery_config c = gallery_config(MANN_COSINE, MANN_STORE_F32);
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    CHECK_FINE(gallery_make(&g, v, "a", MANN_STORE_F32, 3, 1, &e), e);
    mni_gallery_free(g);
    CHECK_OK(v->ops->remove(v, "a", NULL));
    CHECK_FINE(mni_gallery_create(&g, v, "a", &c, &e), e);
    check_rows(g, 0);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

/* Built to a name twice: what was added to the first copy is not in the second. And no
 * copy takes the place of a gallery that somebody is writing. */
static void a_copy_ignores_an_old_journal(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g, *copy;
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    CHECK_FINE(gallery_make(&g, v, "a", MANN_STORE_F32, 3, 1, &e), e);
    CHECK_FINE(mni_gallery_build(g, "b", NULL, 0, NULL, NULL, &e), e);
    CHECK_FINE(mni_gallery_open(&copy, v, "b", MANN_OPEN_WRITE, &e), e);
    CHECK_FINE(gallery_add_view(copy, 8, 0, NULL, &e), e);
    CHECK_IS(mni_gallery_build(g, "b", NULL, 0, NULL, NULL, &e), MANN_E_LOCKED);
    mni_gallery_free(copy);
    CHECK_FINE(mni_gallery_build(g, "b", NULL, 0, NULL, NULL, &e), e);
    CHECK_FINE(mni_gallery_open(&copy, v, "b", MANN_OPEN_WRITE, &e), e);
    check_rows(copy, 3);
    mni_gallery_free(copy);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

/* --- ids, classes, numbers at their limits ------------------------------------------ */

static mann_status add_with_id(mni_gallery *g, uint64_t id, int has_id, uint64_t *given,
                               mann_error *err)
{
    float v[DIM];
    gallery_vector(1, 1, v);
    mni_new_row row = { .klass = "a", .vector = v, .id = id, .has_id = has_id };
    return mni_gallery_add(g, &row, 1, given, err);
}

/* Behind the last id there is none: the numbers do not begin again. */
static void ids_end(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    uint64_t given = 0;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    CHECK_FINE(gallery_make(&g, v, "a", MANN_STORE_F32, 1, 1, &e), e);
    CHECK_FINE(add_with_id(g, UINT64_MAX - 3, 1, NULL, &e), e);
    CHECK_FINE(add_with_id(g, 0, 0, &given, &e), e);
    CHECK(given == UINT64_MAX - 2);
    CHECK_IS(add_with_id(g, 0, 0, &given, &e), MANN_E_LIMIT);
    CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
    mni_gallery_free(g);
    CHECK_FINE(mni_gallery_open(&g, v, "a", MANN_OPEN_WRITE, &e), e);
    CHECK_IS(add_with_id(g, 0, 0, &given, &e), MANN_E_LIMIT);
    CHECK_FINE(add_with_id(g, 77, 1, NULL, &e), e);
    CHECK_FINE(mni_gallery_verify(g, NULL, &e), e);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

/* The newest row goes, is folded away, and its id stays given. */
static void ids_are_never_given_twice(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    uint64_t first = 0, next = 0;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    CHECK_FINE(gallery_make(&g, v, "a", MANN_STORE_F32, 1, 1, &e), e);
    for (int round = 0; round < 4; round++) {
        CHECK_FINE(add_with_id(g, 0, 0, &first, &e), e);
        CHECK_FINE(mni_gallery_remove(g, &first, 1, NULL, &e), e);
        if (round & 1)
            CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
        mni_gallery_free(g);
        CHECK_FINE(mni_gallery_open(&g, v, "a", MANN_OPEN_WRITE, &e), e);
        CHECK_FINE(add_with_id(g, 0, 0, &next, &e), e);
        CHECK(next > first);
    }
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

static void relabelling_twice_or_nothing(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    mann_gallery_info info;
    const uint64_t ids[] = { 1, 0, 1 }, unknown = 99;
    uint32_t before = 0, after = 0;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    CHECK_FINE(gallery_make(&g, v, "a", MANN_STORE_F32, 3, 1, &e), e);
    CHECK_FINE(mni_gallery_relabel(g, NULL, 0, "of nothing", &e), e);
    CHECK_FINE(mni_gallery_relabel(g, ids, 3, "both", &e), e);
    CHECK_IS(mni_gallery_relabel(g, &unknown, 1, "both", &e), MANN_E_NOT_FOUND);
    CHECK_OK(mni_gallery_describe(g, &info, NULL));
    CHECK_EQ(info.n_rows, 3);
    CHECK_EQ(info.n_classes, 2);
    CHECK(mni_state_find_class(g->state, "both", &before));
    mni_gallery_free(g);
    CHECK_FINE(mni_gallery_open(&g, v, "a", MANN_OPEN_READ, &e), e);
    CHECK(mni_state_find_class(g->state, "both", &after));
    CHECK_EQ(before, after);                    /* a class number never changes */
    check_rows(g, 3);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

static void a_number_beyond_f16_is_refused(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    mann_gallery_config c = gallery_config(MANN_L2, MANN_STORE_F16);
    float v[DIM] = { 1 };
    mni_new_row row = { .klass = "a", .vector = v };
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    CHECK_FINE(mni_gallery_create(&g, mni_vfs_mem_vfs(mem), "a", &c, &e), e);
    CHECK_FINE(mni_gallery_add(g, &row, 1, NULL, &e), e);
    v[3] = 1e5f;
    CHECK_IS(mni_gallery_add(g, &row, 1, NULL, &e), MANN_E_LIMIT);
    CHECK_FINE(mni_gallery_verify(g, NULL, &e), e);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

/* A file may name any dimension: were it believed, the model would write beyond what the
 * caller was told to make room for. */
static void a_model_of_another_dimension_is_refused(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    mann_model *m;
    mann_error e = { MANN_OK, "" };
    mann_gallery_config c = gallery_config(MANN_COSINE, MANN_STORE_F32);
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    CHECK_OK(mann_model_new(&m, "pixels", 0, 1, NULL));
    c.model = m;
    CHECK_IS(mni_gallery_create(&g, mni_vfs_mem_vfs(mem), "a", &c, &e), MANN_E_FORMAT);
    CHECK_IS(mni_gallery_open(&g, mni_vfs_mem_vfs(mem), "a", MANN_OPEN_READ, &e),
             MANN_E_FORMAT);
    mann_model_free(m);
    mni_vfs_mem_free(mem);
}

/* To the bit: an index is built on what was searched before. */
static void folding_changes_no_bit_of_a_rounded_row(void)
{
    enum { ROWS = 200 };
    static float before[ROWS][DIM];
    for (uint32_t store = MANN_STORE_F16; store <= MANN_STORE_INT8; store++) {
        mni_vfs_mem *mem;
        mni_gallery *g;
        float after[DIM];
        mann_error e = { MANN_OK, "" };
        CHECK_OK(mni_vfs_mem_new(&mem, NULL));
        CHECK_FINE(gallery_make(&g, mni_vfs_mem_vfs(mem), "a", (mann_store)store, ROWS, 1,
                                &e),
                   e);
        for (uint32_t r = 0; r < ROWS; r++) mni_state_vector(g->state, r, before[r]);
        CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
        for (uint32_t r = 0; r < ROWS; r++) {
            mni_state_vector(g->state, r, after);
            CHECK(memcmp(before[r], after, sizeof after) == 0);
        }
        mni_gallery_free(g);
        mni_vfs_mem_free(mem);
    }
}

/* --- another handle ----------------------------------------------------------------- */

static void a_refresh_brings_the_folders_too(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g, *reader;
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    CHECK_FINE(gallery_make(&g, v, "a", MANN_STORE_F32, 1, 1, &e), e);
    CHECK_FINE(mni_gallery_open(&reader, v, "a", MANN_OPEN_READ, &e), e);
    CHECK_FINE(mni_gallery_add_root(g, "photos", &e), e);
    CHECK_FINE(mni_gallery_refresh(reader, &e), e);
    CHECK_EQ(reader->n_roots, 1);
    CHECK_STR(reader->roots[0], "photos");
    mni_gallery_free(reader);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

const test_case gallery_order_tests[];
const test_case gallery_order_tests[] = {
    { "names_are_looked_up_beside_a_writer", names_are_looked_up_beside_a_writer, 0 },
    { "a_failed_fold_loses_nothing_later", a_failed_fold_loses_nothing_later, 0 },
    { "a_new_gallery_ignores_an_old_journal", a_new_gallery_ignores_an_old_journal, 0 },
    { "a_copy_ignores_an_old_journal", a_copy_ignores_an_old_journal, 0 },
    { "ids_end", ids_end, 0 },
    { "ids_are_never_given_twice", ids_are_never_given_twice, 0 },
    { "relabelling_twice_or_nothing", relabelling_twice_or_nothing, 0 },
    { "a_number_beyond_f16_is_refused", a_number_beyond_f16_is_refused, 0 },
    { "a_model_of_another_dimension_is_refused",
      a_model_of_another_dimension_is_refused, 0 },
    { "folding_changes_no_bit_of_a_rounded_row",
      folding_changes_no_bit_of_a_rounded_row, 0 },
    { "a_refresh_brings_the_folders_too", a_refresh_brings_the_folders_too, 0 },
    { 0 }
};
