/* test_lazy.c - loads that do not wait for the disk: how much less they wait, what a
 * power cut may take, and that it takes no more. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "crash_world.h"
#include "harness.h"

enum { STEPS = 60 };

/* --- how often the disk is waited for ----------------------------------------------- */

static long count_syncs(int lazy, int flush)
{
    mni_vfs_mem *mem;
    mni_vfs_faulty f;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    mann_gallery_info info = { .struct_size = sizeof info };
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    mni_vfs_faulty_init(&f, mni_vfs_mem_vfs(mem));
    f.which = MNI_FAULT_SYNC;
    mann_gallery_config c = gallery_config(MANN_COSINE, MANN_STORE_F32);
    c.no_sync = lazy;
    CHECK_FINE(mni_gallery_create(&g, &f.vfs, "a", &c, &e), e);
    const long before = f.n_counted;
    for (uint32_t i = 0; i < 50; i++) CHECK_FINE(gallery_add_view(g, i, 0, NULL, &e), e);
    const long during = f.n_counted - before;
    if (lazy) CHECK_EQ(during, 0);
    if (flush) CHECK_FINE(mni_gallery_flush(g, &e), e);
    if (flush) CHECK_FINE(mni_gallery_flush(g, &e), e);         /* nothing left to do */
    const long after = f.n_counted - before;
    mni_gallery_free(g);
    if (flush) CHECK_EQ(f.n_counted - before, after);
    const long all = f.n_counted - before;
    mni_vfs_mem_power_cut(mem);
    CHECK_FINE(mni_gallery_open(&g, mni_vfs_mem_vfs(mem), "a", MANN_OPEN_READ, &e), e);
    CHECK_OK(mni_gallery_describe(g, &info, NULL));
    CHECK_EQ(info.n_rows, 50);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
    return all;
}

static void the_disk_is_waited_for_once(void)
{
    CHECK(count_syncs(0, 0) >= 50);
    CHECK_EQ(count_syncs(1, 0), 2);             /* file and folder, when it is closed */
    CHECK_EQ(count_syncs(1, 1), 2);
}

/* --- power cuts --------------------------------------------------------------------- */

typedef struct life {
    crash_state past[STEPS + 2];        /* after each step; the last may not have ended */
    size_t n, safe;                     /* no state before `safe` may come back */
    int over;
} life;

static void check_left(const mni_vfs *v, const life *l, long cut)
{
    mni_gallery *g;
    crash_state now;
    char why[200];
    mann_error e = { MANN_OK, "" };
    CHECK_FINE(mni_gallery_open(&g, v, "a", MANN_OPEN_WRITE | MANN_OPEN_VERIFY, &e), e);
    if (!crash_read(g, &now, why, sizeof why))
        test_fail(__FILE__, __LINE__, "cut %ld: %s", cut, why);
    size_t i = l->safe;
    while (i < l->n && !crash_same(&now, &l->past[i])) i++;
    if (i == l->n)
        test_fail(__FILE__, __LINE__, "cut %ld: no state that there was after step %zu",
                  cut, l->safe);
    CHECK_FINE(mni_gallery_verify(g, NULL, &e), e);
    mni_gallery_free(g);
}

/* The machine dies at counted operation `cut`. What compact returned from is safe. */
static void die_at(long cut, int torn, life *l)
{
    mni_vfs_mem *mem;
    mni_vfs_faulty f;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    uint64_t generation = 0;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *disk = mni_vfs_mem_vfs(mem);
    CHECK_FINE(gallery_make(&g, disk, "a", MANN_STORE_F32, 0, 0, &e), e);
    mni_gallery_free(g);
    mni_vfs_faulty_init(&f, disk);
    f.fail_in = cut;
    f.sticky = 1;
    memset(l, 0, sizeof *l);
    l->n = 1;
    int failed = mni_gallery_open(&g, &f.vfs, "a", MANN_OPEN_WRITE | MANN_OPEN_NOSYNC,
                                  &e) != MANN_OK;
    for (uint64_t i = 0; i < STEPS && !failed; i++) {
        mann_gallery_info info = { .struct_size = sizeof info };
        const crash_state *now = &l->past[l->n - 1];
        crash_expect(&l->past[l->n], now, test_seed(), i);
        failed = crash_do(g, now, test_seed(), i, &e) != MANN_OK;
        l->n++;                                 /* also one that failed may be there */
        if (failed) break;
        CHECK_OK(mni_gallery_describe(g, &info, NULL));
        if (info.generation != generation) l->safe = l->n - 1;
        generation = info.generation;
    }
    if (!failed && mni_gallery_flush(g, &e) == MANN_OK) {
        l->safe = l->n - 1;
        l->over = 1;
    }
    mni_gallery_free(g);
    if (torn) mni_vfs_mem_power_cut_torn(mem, test_seed() * 77 + (uint64_t)cut);
    else mni_vfs_mem_power_cut(mem);
    check_left(disk, l, cut);
    mni_vfs_mem_free(mem);
}

static void a_power_cut_takes_no_more_than_the_end(void)
{
    static life l;
    for (int torn = 0; torn < 2; torn++) {
        long cut = 0;
        do {
            die_at(cut, torn, &l);
            CHECK(cut < 20000);
        } while (cut++, !l.over);
        CHECK(cut > 50);
    }
}

const test_case lazy_tests[];
const test_case lazy_tests[] = {
    { "the_disk_is_waited_for_once", the_disk_is_waited_for_once, 0 },
    { "a_power_cut_takes_no_more_than_the_end", a_power_cut_takes_no_more_than_the_end,
      0 },
    { 0 }
};
