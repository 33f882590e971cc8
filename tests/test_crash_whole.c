/* test_crash_whole.c - every kind of change, with each kind of operation on the disk
 * failing in turn: once and life goes on, or from then on and the plug is pulled.
 *
 * What must hold afterwards: the gallery opens and verifies; a change that said yes is
 * there as a whole; of one that said no, groups of records are there or not (a merge is
 * several), but nothing that was there before and is not part of the change is lost or
 * altered. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "gallery_help.h"
#include "harness.h"

enum { MOST = 128 };

typedef struct row { uint64_t id, content; char klass[32], source[64]; } row;
typedef struct rows { row r[MOST]; size_t n; } rows;

static int take(void *user, const mann_record *r)
{
    rows *all = user;
    if (all->n == MOST) return 1;
    row *to = &all->r[all->n++];
    memset(to, 0, sizeof *to);
    to->id = r->id;
    to->content = r->content_hash;
    snprintf(to->klass, sizeof to->klass, "%s", r->class_name ? r->class_name : "");
    snprintf(to->source, sizeof to->source, "%s", r->source);
    return 0;
}

static int has(const rows *all, const row *r)
{
    for (size_t i = 0; i < all->n; i++)
        if (memcmp(&all->r[i], r, sizeof *r) == 0) return 1;
    return 0;
}

/* --- the changes -------------------------------------------------------------------- */

static mann_status add(mni_gallery *g, const mni_vfs *v, mann_error *err)
{
    (void)v;
    return gallery_add_view(g, 3, 40, NULL, err);
}

static mann_status remove_two(mni_gallery *g, const mni_vfs *v, mann_error *err)
{
    const uint64_t ids[2] = { 1, 7 };
    (void)v;
    return mni_gallery_remove(g, ids, 2, NULL, err);
}

static mann_status relabel(mni_gallery *g, const mni_vfs *v, mann_error *err)
{
    const uint64_t ids[2] = { 2, 8 };
    (void)v;
    return mni_gallery_relabel(g, ids, 2, "elsewhere", err);
}

static mann_status move(mni_gallery *g, const mni_vfs *v, mann_error *err)
{
    const mni_moved moved = { 4, "class-9", "class-9/new.png" };
    (void)v;
    return mni_gallery_move(g, &moved, 1, err);
}

static mann_status compact(mni_gallery *g, const mni_vfs *v, mann_error *err)
{
    (void)v;
    return mni_gallery_build(g, NULL, "HNSW4", MNI_MEASURE_NO, NULL, NULL, err);
}

static mann_status merge(mni_gallery *g, const mni_vfs *v, mann_error *err)
{
    mni_gallery *other;
    MNI_TRY(mni_gallery_open(&other, v, "other", MANN_OPEN_READ, err));
    const mann_status s = mni_gallery_merge(g, other, NULL, NULL, err);
    mni_gallery_free(other);
    return s;
}

/* What import does: records with their ids, some of them there already. */
static mann_status import(mni_gallery *g, const mni_vfs *v, mann_error *err)
{
    mni_new_row new_rows[3];
    float vectors[3][DIM];
    (void)v;
    for (uint32_t i = 0; i < 3; i++) {
        gallery_vector(20, i, vectors[i]);
        new_rows[i] = (mni_new_row){ .klass = "class-20", .source = "class-20/x.png",
                                     .vector = vectors[i], .content_hash = 5000 + i,
                                     .id = i ? 100 + i : 3, .has_id = 1 };
    }
    return mni_gallery_add(g, new_rows, 3, NULL, err);
}

static const struct change {
    const char *what;
    mann_status (*make)(mni_gallery *g, const mni_vfs *v, mann_error *err);
} changes[] = { { "add", add },         { "remove", remove_two }, { "relabel", relabel },
                { "move", move },       { "compact", compact },   { "merge", merge },
                { "import", import } };

/* --- one fault ---------------------------------------------------------------------- */

static const mni_vfs *world(mni_vfs_mem **mem)
{
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(*mem);
    CHECK_FINE(gallery_make(&g, v, "other", MANN_STORE_F32, 12, 3, &e), e);
    mni_gallery_free(g);
    CHECK_FINE(gallery_make(&g, v, "a", MANN_STORE_F32, 6, 3, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, "Flat", MNI_MEASURE_NO, NULL, NULL, &e), e);
    CHECK_FINE(gallery_add_view(g, 1, 30, NULL, &e), e);    /* and a tail */
    mni_gallery_free(g);
    return v;
}

static void read_back(const mni_vfs *v, rows *out)
{
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    out->n = 0;
    CHECK_FINE(mni_gallery_open(&g, v, "a", MANN_OPEN_READ | MANN_OPEN_VERIFY, &e), e);
    CHECK_FINE(mni_gallery_verify(g, NULL, &e), e);
    CHECK_OK(mni_gallery_each(g, take, out, NULL));
    mni_gallery_free(g);
}

static void must_hold(const char *what, const rows *before, const rows *after,
                      const rows *now, int said_yes)
{
    const char *bad = NULL;
    for (size_t i = 0; i < now->n; i++)
        if (!has(before, &now->r[i]) && !has(after, &now->r[i])) bad = "a made-up record";
    for (size_t i = 0; i < before->n; i++)
        if (has(after, &before->r[i]) && !has(now, &before->r[i])) bad = "a lost record";
    if (said_yes && now->n != after->n) bad = "too few or too many";
    for (size_t i = 0; said_yes && i < after->n; i++)
        if (!has(now, &after->r[i])) bad = "what was acknowledged is not there";
    if (bad) test_fail(__FILE__, __LINE__, "%s: %s", what, bad);
}

static int fault_at(const struct change *c, const rows *before, const rows *after, long n,
                    mni_fault which, int plug)
{
    mni_vfs_mem *mem;
    mni_vfs_faulty f;
    mni_gallery *g;
    rows now;
    mann_error e = { MANN_OK, "" };
    const mni_vfs *v = world(&mem);
    mni_vfs_faulty_init(&f, v);
    f.which = (unsigned)which;
    f.fail_in = n;
    f.short_write = 1;
    f.sticky = plug > 0;
    mann_status s = mni_gallery_open(&g, &f.vfs, "a", MANN_OPEN_WRITE, &e);
    if (s == MANN_OK) s = c->make(g, &f.vfs, &e);
    const int over = s == MANN_OK && f.fail_in >= 0;
    if (s != MANN_OK && !e.text[0])
        test_fail(__FILE__, __LINE__, "%s: fails without a sentence", c->what);
    mni_gallery_free(g);
    if (plug == 1) mni_vfs_mem_power_cut(mem);
    if (plug == 2) mni_vfs_mem_power_cut_torn(mem, test_seed() + (uint64_t)n);
    read_back(v, &now);
    must_hold(c->what, before, after, &now, s == MANN_OK);
    mni_vfs_mem_free(mem);
    return over;
}

static void every_fault_of_every_change(void)
{
    static const mni_fault kinds[] = { MNI_FAULT_ANY,  MNI_FAULT_WRITE, MNI_FAULT_SYNC,
                                       MNI_FAULT_OPEN, MNI_FAULT_MAP,   MNI_FAULT_RENAME,
                                       MNI_FAULT_READ, MNI_FAULT_TRUNCATE };
    for (size_t c = 0; c < sizeof changes / sizeof *changes; c++) {
        mni_vfs_mem *mem;
        mni_gallery *g;
        rows before, after;
        mann_error e = { MANN_OK, "" };
        const mni_vfs *v = world(&mem);
        read_back(v, &before);
        CHECK_FINE(mni_gallery_open(&g, v, "a", MANN_OPEN_WRITE, &e), e);
        CHECK_FINE(changes[c].make(g, v, &e), e);
        mni_gallery_free(g);
        read_back(v, &after);
        mni_vfs_mem_free(mem);
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            for (int plug = 0; plug < 3; plug++)
                for (long n = 0;
                     !fault_at(&changes[c], &before, &after, n, kinds[k], plug); n++)
                    CHECK(n < 500);
    }
}

/* --- memory ------------------------------------------------------------------------- */

/* Open, every change, search, verify, recall: all on one gallery, the allocation that
 * fails anywhere among them. */
static mann_status one_life(void *ctx)
{
    mni_vfs_mem *mem;
    mni_gallery *g = NULL;
    float q[DIM];
    mann_hit hits[4];
    mann_answer a;
    mann_search how = { .struct_size = sizeof how, .k = 4 };
    mann_error e = { MANN_OK, "" };
    (void)ctx;
    MNI_TRY(mni_vfs_mem_new(&mem, &e));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    gallery_vector(1, 1, q);
    mann_status s = gallery_make(&g, v, "other", MANN_STORE_INT8, 3, 1, &e);
    mni_gallery_free(g);
    if (s == MANN_OK) s = gallery_make(&g, v, "a", MANN_STORE_INT8, 4, 3, &e);
    else g = NULL;
    for (size_t c = 0; s == MANN_OK && c < sizeof changes / sizeof *changes; c++)
        s = changes[c].make(g, v, &e);
    if (s == MANN_OK)
        s = mni_gallery_search(g, (mann_matrix){ q, 1, DIM, 0 }, &how, NULL, hits, &a,
                               &e);
    if (s == MANN_OK)
        s = mni_gallery_identify(g, (mann_matrix){ q, 1, DIM, 0 }, &how, NULL, hits, &a,
                                 &e);
    if (s == MANN_OK) s = mni_gallery_verify(g, NULL, &e);
    mni_gallery_free(g);
    g = NULL;
    if (s == MANN_OK) s = mni_gallery_open(&g, v, "a", MANN_OPEN_READ, &e);
    if (s == MANN_OK) s = mni_gallery_refresh(g, &e);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
    return s;
}

static void memory_may_end_anywhere(void) { test_oom(one_life, NULL, 0); }

const test_case crash_whole_tests[] = {
    { "every_fault_of_every_change", every_fault_of_every_change, 0 },
    { "memory_may_end_anywhere", memory_may_end_anywhere, 0 },
    { 0 }
};
