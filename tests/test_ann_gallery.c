/* test_ann_gallery.c - every kind of index under a gallery: tail and fold, tombstones,
 * tuning through the journal, classes, and searches while another thread adds and
 * compacts. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "ann_help.h"
#include "base/mem.h"
#include "gallery_help.h"
#include "harness.h"
#include "os/clock.h"
#include "os/thread.h"

#define WANT(x)                                                                        \
    do {                                                                               \
        if (!(x)) test_fail(__FILE__, __LINE__, "%s: %s", ann_now(), #x);              \
    } while (0)

static void fine(mann_status s, const mann_error *e)
{
    if (s != MANN_OK) test_fail(__FILE__, __LINE__, "%s: %s", ann_now(), e->text);
}

/* The nearest row of a stored view is that view, at its own class. */
static void check_views(mni_gallery *g, uint32_t classes, uint32_t view, double least)
{
    uint32_t right = 0;
    for (uint32_t k = 0; k < classes; k++) {
        float q[DIM];
        mann_hit hits[3];
        char name[64], want[32];
        gallery_vector(k, view, q);
        const mann_answer a = gallery_identify(g, q, 3, hits);
        WANT(a.n_hits == 3 && hits[0].klass != hits[1].klass);
        CHECK_OK(mni_gallery_class_name(g, hits[0].klass, name, sizeof name, NULL));
        snprintf(want, sizeof want, "class-%u", (unsigned)k);
        right += strcmp(name, want) == 0 && hits[0].distance < 1e-6f;
    }
    if ((double)right < least * classes)
        test_fail(__FILE__, __LINE__, "%s: %u of %u stored views found", ann_now(),
                  (unsigned)right, (unsigned)classes);
}

/* Base and tail, then the tail folded in, then a class gone. */
static void folded(const ann_kind *kind)
{
    enum { CLASSES = 300 };
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    mann_gallery_info info = { .struct_size = sizeof info };
    size_t gone;
    fine(gallery_make(&g, ann_vfs(), "g.mann", MANN_STORE_F32, CLASSES, 2, &e), &e);
    fine(mni_gallery_build(g, NULL, kind->spec, MNI_MEASURE_NO, NULL, NULL, &e), &e);
    check_views(g, CLASSES, 1, 0.99);
    for (uint32_t k = 0; k < CLASSES; k += 3)
        fine(gallery_add_view(g, k, 2, NULL, &e), &e);
    for (uint32_t k = 0; k < 60; k++)
        fine(gallery_add_view(g, CLASSES + k, 0, NULL, &e), &e);
    fine(mni_gallery_remove_class(g, "class-5", &gone, &e), &e);
    WANT(gone == 2);
    float q[DIM];
    mann_hit hits[3];
    gallery_vector(5, 0, q);
    gallery_identify(g, q, 3, hits);
    for (int i = 0; i < 3; i++) WANT(hits[i].klass != 5 || hits[i].distance > 1e-3f);
    fine(mni_gallery_build(g, NULL, NULL, MNI_MEASURE_NO, NULL, NULL, &e), &e);
    fine(mni_gallery_describe(g, &info, &e), &e);
    WANT(info.n_tail == 0 && info.n_dead == 0 && info.n_rows == 600 + 100 + 60 - 2);
    check_views(g, 5, 1, 0.99);
    for (uint32_t k = 0; k < 60; k++) {
        gallery_vector(CLASSES + k, 0, q);
        gallery_identify(g, q, 3, hits);
        WANT(hits[0].distance < 1e-6f);
    }
    fine(mni_gallery_verify(g, NULL, &e), &e);
    mni_gallery_free(g);
    /* the file of the fold is opened and says the same */
    fine(mni_gallery_open(&g, ann_vfs(), "g.mann", MANN_OPEN_READ | MANN_OPEN_VERIFY, &e),
         &e);
    check_views(g, 5, 1, 0.99);
    mni_gallery_free(g);
}

static void tail_is_folded_into_a_copy(void) { ann_each(folded); }

/* --- the tuned default lives in the journal, then in the file ----------------------- */

static void tuned(const ann_kind *kind)
{
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    mann_tuned t;
    mann_matrix none = { NULL, 0, 0, 0 };
    mann_gallery_info info = { .struct_size = sizeof info };
    fine(gallery_make(&g, ann_vfs(), "t.mann", MANN_STORE_F32, 400, 2, &e), &e);
    fine(mni_gallery_build(g, NULL, kind->spec, MNI_MEASURE_NO, NULL, NULL, &e), &e);
    fine(mni_gallery_tune(g, none, 0.9, 5, NULL, &t, &e), &e);
    WANT(t.value == 0 || t.recall >= 0.9);
    mni_gallery_free(g);
    for (int round = 0; round < 2; round++) {
        fine(mni_gallery_open(&g, ann_vfs(), "t.mann", MANN_OPEN_WRITE, &e), &e);
        fine(mni_gallery_describe(g, &info, &e), &e);
        WANT(t.value == 0 || info.knob == t.value);
        if (round == 0)
            fine(mni_gallery_build(g, NULL, NULL, MNI_MEASURE_NO, NULL, NULL, &e), &e);
        mni_gallery_free(g);
    }
}

static void tuning_survives(void) { ann_each(tuned); }

/* --- many at once ------------------------------------------------------------------- */

typedef struct crowd {
    mni_gallery *g;
    atomic_int stop, wrong, searches;
    atomic_long slowest_us;
} crowd;

/* A view that is there from the beginning is found in every state in between. */
static void *look(void *ctx)
{
    crowd *c = ctx;
    for (uint32_t i = 0; !atomic_load(&c->stop); i++) {
        float q[DIM];
        mann_hit hits[2];
        mann_answer a;
        mann_search s;
        mann_error e = { MANN_OK, "" };
        mann_search_fill(&s, sizeof s, 2);
        gallery_vector(i % 100, 0, q);
        const double start = mni_clock_seconds();
        if (mni_gallery_identify(c->g, (mann_matrix){ q, 1, DIM, DIM }, &s, NULL, hits,
                                 &a, &e) != MANN_OK ||
            a.n_hits != 2 || hits[0].distance > 1e-6f)
            atomic_fetch_add(&c->wrong, 1);
        const long us = (long)((mni_clock_seconds() - start) * 1e6);
        if (us > atomic_load(&c->slowest_us)) atomic_store(&c->slowest_us, us);
        atomic_fetch_add(&c->searches, 1);
    }
    return NULL;
}

static void crowded(const ann_kind *kind)
{
    crowd c = { .g = NULL };
    mann_error e = { MANN_OK, "" };
    mni_thread threads[2];
    size_t gone;
    fine(gallery_make(&c.g, ann_vfs(), "c.mann", MANN_STORE_F32, 200, 2, &e), &e);
    fine(mni_gallery_build(c.g, NULL, kind->spec, MNI_MEASURE_NO, NULL, NULL, &e), &e);
    for (int i = 0; i < 2; i++) CHECK(mni_thread_start(&threads[i], look, &c));
    mann_status s = MANN_OK;
    for (uint32_t round = 0; s == MANN_OK && round < 3; round++) {
        for (uint32_t k = 0; s == MANN_OK && k < 40; k++)
            s = gallery_add_view(c.g, 100 + k, 10 + round, NULL, &e);
        char name[32];
        snprintf(name, sizeof name, "class-%u", 190u + (unsigned)round);
        if (s == MANN_OK) s = mni_gallery_remove_class(c.g, name, &gone, &e);
        if (s == MANN_OK)
            s = mni_gallery_build(c.g, NULL, NULL, MNI_MEASURE_NO, NULL, NULL, &e);
    }
    while (s == MANN_OK && atomic_load(&c.searches) < 50) continue;
    atomic_store(&c.stop, 1);
    for (int i = 0; i < 2; i++) mni_thread_join(threads[i]);
    fine(s, &e);
    const int wrong = atomic_load(&c.wrong);
    if (wrong)
        test_fail(__FILE__, __LINE__, "%s: %d of %d searches were wrong", kind->spec,
                  wrong, atomic_load(&c.searches));
    mni_gallery_free(c.g);
}

static void searches_go_on_meanwhile(void) { ann_each(crowded); }

/* --- in the midst of a fold --------------------------------------------------------- */

/* Whoever folds calls this in between, on the thread that folds: a search that had to
 * wait for the fold would never come back. No clock is asked, so a busy machine says the
 * same. */
typedef struct midst { mni_gallery *g; int asked, wrong; } midst;

static int ask_in_the_midst(void *user, const mann_progress *p)
{
    midst *m = user;
    (void)p;
    for (uint32_t k = 0; k < 8; k++) {
        float q[DIM];
        mann_hit hits[2];
        gallery_vector(k, k % 3 == 0 ? 5 : 0, q);   /* the tail's, or the base's */
        const mann_answer a = gallery_identify(m->g, q, 2, hits);
        m->wrong += a.n_hits != 2 || hits[0].distance > 1e-6f;
    }
    m->asked++;
    return 0;
}

static void asked_while_folding(const ann_kind *kind)
{
    mann_error e = { MANN_OK, "" };
    midst m = { .asked = 0 };
    const mann_hooks h = { .progress = ask_in_the_midst, .user = &m };
    fine(gallery_make(&m.g, ann_vfs(), "m.mann", MANN_STORE_F32, 200, 2, &e), &e);
    fine(mni_gallery_build(m.g, NULL, kind->spec, MNI_MEASURE_NO, NULL, NULL, &e), &e);
    for (uint32_t k = 0; k < 60; k += 3)
        fine(gallery_add_view(m.g, k, 5, NULL, &e), &e);
    fine(mni_gallery_build(m.g, NULL, NULL, MNI_MEASURE_NO, NULL, &h, &e), &e);
    WANT(m.asked > 0 && m.wrong == 0);
    mni_gallery_free(m.g);
}

static void a_fold_blocks_no_search(void) { ann_each(asked_while_folding); }

extern const test_case ann_gallery_tests[];
const test_case ann_gallery_tests[] = {
    { "tail_is_folded_into_a_copy", tail_is_folded_into_a_copy, 0 },
    { "tuning_survives", tuning_survives, 0 },
    { "searches_go_on_meanwhile", searches_go_on_meanwhile, 0 },
    { "a_fold_blocks_no_search", a_fold_blocks_no_search, 0 },
    { NULL, NULL, 0 }
};
