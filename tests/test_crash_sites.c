/* test_crash_sites.c - every place that syncs, switched off alone.
 *
 *   where                          file      after          what is lost without it
 *   a commit                       journal   write          acknowledged records
 *   a journal found at open        journal   read           records that were seen
 *   the journal's name             folder    sync           the same, with the file
 *   a new base                     base      write          the gallery
 *   its name                       folder    rename         acknowledged records: the
 *                                                           journal is cut, the old base
 *                                                           comes back
 *   the journal of a copy          folder    remove         it comes back beside the next
 *                                                           copy, with its changes
 *
 * Three lives are led on a disk that keeps its word: none may end badly, wherever the
 * plug is pulled. Then once for each place on a disk that says "done" there and does
 * nothing: some life must end badly. One place is left out: the sync after a journal is
 * cut, since what is cut off is of another generation by then, or is synced with the next
 * commit; it serves disks that give back what they were told to cut.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "crash_world.h"
#include "harness.h"

enum { STEPS = 40 };

typedef struct site {
    const char *what, *lie_about;
    unsigned after;
} site;

static const site sites[] = {
    { "a commit", "-journal", MNI_FAULT_WRITE },
    { "a journal found at open", "-journal", MNI_FAULT_READ },
    { "the journal's name", "", MNI_FAULT_SYNC },
    { "a new base", ".tmp.", MNI_FAULT_WRITE },
    { "a new base's name", "", MNI_FAULT_RENAME },
    { "the journal of a copy", "", MNI_DID_REMOVE },
};

typedef struct tally { long n, n_bad, n_lies; char first[300]; } tally;

static void wrong(tally *t, const char *life, long cut, const char *what)
{
    if (t->n_bad++ == 0)
        snprintf(t->first, sizeof t->first, "%s, cut %ld: %s", life, cut, what);
}

static void lie(mni_vfs_faulty *f, const mni_vfs *disk, const site *s)
{
    mni_vfs_faulty_init(f, disk);
    f->lie_about = s ? s->lie_about : NULL;
    f->lie_after = s ? s->after : 0;
}

static void pull_the_plug(mni_vfs_mem *mem, long cut)
{
    if (cut % 2) mni_vfs_mem_power_cut_torn(mem, test_seed() * 1000 + (uint64_t)cut);
    else mni_vfs_mem_power_cut(mem);
}

/* What is there now is one of the two; `other` may be NULL. */
static void examine(tally *t, const char *life, long cut, const mni_vfs *disk,
                    const char *path, const crash_state *one, const crash_state *other)
{
    mni_gallery *g;
    crash_state now;
    char why[200];
    mann_error e = { MANN_OK, "" };
    t->n++;
    if (mni_gallery_open(&g, disk, path, MANN_OPEN_READ | MANN_OPEN_VERIFY, &e) !=
        MANN_OK) {
        wrong(t, life, cut, e.text);
        return;
    }
    if (!crash_read(g, &now, why, sizeof why)) wrong(t, life, cut, why);
    else if (!crash_same(&now, one) && !(other && crash_same(&now, other)))
        wrong(t, life, cut, "neither what was acknowledged nor what was under way");
    mni_gallery_free(g);
}

/* --- a life of changes -------------------------------------------------------------- */

/* Steps until operation `cut` fails, and all after it. 0: they were over before. */
static int live(mni_vfs_faulty *f, long cut, crash_state *now, crash_state *next)
{
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    f->fail_in = cut;
    f->sticky = 1;
    int failed = mni_gallery_open(&g, &f->vfs, "a", MANN_OPEN_WRITE, &e) != MANN_OK;
    *next = *now;
    for (uint64_t i = 0; i < STEPS && !failed; i++) {
        crash_expect(next, now, test_seed(), i);
        failed = crash_do(g, now, test_seed(), i, &e) != MANN_OK;
        if (!failed) *now = *next;
    }
    mni_gallery_free(g);
    return failed;
}

static const mni_vfs *fresh(mni_vfs_mem **mem)
{
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(mem, NULL));
    const mni_vfs *disk = mni_vfs_mem_vfs(*mem);
    CHECK_FINE(gallery_make(&g, disk, "a", MANN_STORE_F32, 0, 0, &e), e);
    mni_gallery_free(g);
    return disk;
}

static int changes(tally *t, const site *s, long cut)
{
    mni_vfs_mem *mem;
    mni_vfs_faulty f;
    crash_state now = { .n = 0 }, next;
    const mni_vfs *disk = fresh(&mem);
    lie(&f, disk, s);
    const int failed = live(&f, cut, &now, &next);
    t->n_lies += f.n_lies;
    pull_the_plug(mem, cut);
    examine(t, "changes", cut, disk, "a", &now, failed ? &next : NULL);
    mni_vfs_mem_free(mem);
    return failed;
}

/* The process dies, perhaps between a write and its sync; the machine goes on. Another
 * process opens the gallery, and what it has seen there must not go away any more. */
static int seen_and_kept(tally *t, const site *s, long cut)
{
    mni_vfs_mem *mem;
    mni_vfs_faulty f;
    mni_gallery *g;
    crash_state now = { .n = 0 }, next, seen = { .n = 0 };
    char why[200];
    mann_error e = { MANN_OK, "" };
    const mni_vfs *disk = fresh(&mem);
    lie(&f, disk, NULL);
    const int failed = live(&f, cut, &now, &next);
    lie(&f, disk, s);
    CHECK_FINE(mni_gallery_open(&g, &f.vfs, "a", MANN_OPEN_WRITE, &e), e);
    CHECK(crash_read(g, &seen, why, sizeof why));
    mni_gallery_free(g);
    t->n_lies += f.n_lies;
    pull_the_plug(mem, cut);
    examine(t, "seen", cut, disk, "a", &seen, NULL);
    mni_vfs_mem_free(mem);
    return failed;
}

/* A copy is made, changed, and made again: of the same base, so that the journal of the
 * first would fit the second. */
static int copied_over(tally *t, const site *s, long cut)
{
    mni_vfs_mem *mem;
    mni_vfs_faulty f;
    mni_gallery *g;
    crash_state now = { .n = 0 }, next, changed = { .n = 0 };
    char why[200];
    mann_error e = { MANN_OK, "" };
    const mni_vfs *disk = fresh(&mem);
    mni_vfs_faulty_init(&f, disk);
    live(&f, -1, &now, &next);
    CHECK_FINE(mni_gallery_open(&g, disk, "a", MANN_OPEN_WRITE, &e), e);
    CHECK_FINE(mni_gallery_copy(g, "b", NULL, NULL, NULL, NULL, &e), e);
    mni_gallery_free(g);
    CHECK_FINE(mni_gallery_open(&g, disk, "b", MANN_OPEN_WRITE, &e), e);
    CHECK_FINE(crash_do(g, &now, test_seed(), STEPS + 1, &e), e);
    CHECK_FINE(mni_gallery_remove(g, &now.rows[0].id, 1, NULL, &e), e);
    CHECK(crash_read(g, &changed, why, sizeof why));
    mni_gallery_free(g);
    lie(&f, disk, s);
    f.fail_in = cut;
    f.sticky = 1;
    int failed = mni_gallery_open(&g, &f.vfs, "a", MANN_OPEN_READ, &e) != MANN_OK;
    if (!failed)
        failed = mni_gallery_copy(g, "b", NULL, NULL, NULL, NULL, &e) != MANN_OK;
    mni_gallery_free(g);
    t->n_lies += f.n_lies;
    pull_the_plug(mem, cut);
    examine(t, "copied", cut, disk, "b", &now, failed ? &changed : NULL);
    mni_vfs_mem_free(mem);
    return failed;
}

/* --- all of them -------------------------------------------------------------------- */

static tally lead_all(const site *s)
{
    static int (*const lives[])(tally *, const site *, long) = {
        changes, seen_and_kept, copied_over
    };
    tally t = { .n = 0 };
    for (size_t i = 0; i < sizeof lives / sizeof *lives; i++) {
        long cut = 0;
        while (lives[i](&t, s, cut)) CHECK(++cut < 20000);
        lives[i](&t, s, cut + 1);       /* whole, the other way of pulling the plug */
    }
    return t;
}

static void an_honest_disk_loses_nothing(void)
{
    const tally t = lead_all(NULL);
    if (t.n_bad) test_fail(__FILE__, __LINE__, "%ld of %ld: %s", t.n_bad, t.n, t.first);
    CHECK(t.n > 150 && t.n_lies == 0);
}

static void each_sync_is_missed(void)
{
    for (size_t i = 0; i < sizeof sites / sizeof *sites; i++) {
        const tally t = lead_all(&sites[i]);
        if (!t.n_lies || !t.n_bad)
            test_fail(__FILE__, __LINE__, "without the sync of %s (%ld left out): %ld of "
                      "%ld lives end badly", sites[i].what, t.n_lies, t.n_bad, t.n);
    }
}

const test_case crash_sites_tests[] = {
    { "an_honest_disk_loses_nothing", an_honest_disk_loses_nothing, 0 },
    { "each_sync_is_missed", each_sync_is_missed, 0 },
    { 0 }
};
