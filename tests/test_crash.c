/* test_crash.c - nothing that was acknowledged is lost, nothing half is there: whatever
 * fails, and whenever the plug is pulled.
 *
 * A gallery lives through seeded steps (add, replace, remove, relabel, compact). At every
 * operation on the disk in turn the machine dies; then the gallery is opened again and
 * must hold what it held after the last step that returned, or what the step under way
 * would have made of it, and nothing between. The harness is tried itself: with a disk
 * that lies about one kind of sync it must find losses. SPDX-License-Identifier: MIT */
/* fork, kill, usleep */
#define _DEFAULT_SOURCE 1
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "crash_world.h"
#include "harness.h"

enum { STEPS = 60, MOST_PATIENCE = 32 };

typedef struct verdict {
    long n_cuts, n_bad;
    char first[300];            /* what was wrong the first time */
} verdict;

typedef struct way {            /* how the machine dies */
    int short_write, torn;
    const char *lie_about;
} way;

static void wrong(verdict *v, long cut, const char *what)
{
    if (v->n_bad++ == 0) snprintf(v->first, sizeof v->first, "cut %ld: %s", cut, what);
}

static void none_wrong(const verdict *v)
{
    if (v->n_bad)
        test_fail(__FILE__, __LINE__, "%ld of %ld: %s", v->n_bad, v->n_cuts, v->first);
}

/* Opens what is left and compares; `other` may be NULL. */
static void examine(verdict *v, const mni_vfs *vfs, const char *path, long cut,
                    const crash_state *one, const crash_state *other)
{
    mni_gallery *g;
    crash_state now;
    char why[200];
    mann_error e = { MANN_OK, "" };
    v->n_cuts++;
    if (mni_gallery_open(&g, vfs, path, MANN_OPEN_WRITE | MANN_OPEN_VERIFY, &e) !=
        MANN_OK) {
        wrong(v, cut, e.text);
        return;
    }
    if (!crash_read(g, &now, why, sizeof why)) wrong(v, cut, why);
    else if (!crash_same(&now, one) && !(other && crash_same(&now, other)))
        wrong(v, cut, "the records are neither those before nor those after");
    else if (mni_gallery_verify(g, NULL, &e) != MANN_OK) wrong(v, cut, e.text);
    mni_gallery_free(g);
}

/* The machine dies at counted operation `cut`; 0 when the steps were over before. */
static int die_at(verdict *v, const way *how, uint64_t seed, long cut)
{
    mni_vfs_mem *mem;
    mni_vfs_faulty f;
    mni_gallery *g;
    crash_state now = { .n = 0 }, next;
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *disk = mni_vfs_mem_vfs(mem);
    CHECK_FINE(gallery_make(&g, disk, "a", MANN_STORE_F32, 0, 0, &e), e);
    mni_gallery_free(g);
    mni_vfs_faulty_init(&f, disk);
    f.fail_in = cut;
    f.sticky = 1;
    f.short_write = how->short_write;
    f.lie_about = how->lie_about;
    int failed = mni_gallery_open(&g, &f.vfs, "a", MANN_OPEN_WRITE, &e) != MANN_OK;
    next = now;
    for (uint64_t i = 0; i < STEPS && !failed; i++) {
        crash_expect(&next, &now, seed, i);
        failed = crash_do(g, &now, seed, i, &e) != MANN_OK;
        if (!failed) now = next;
    }
    mni_gallery_free(g);
    if (how->torn) mni_vfs_mem_power_cut_torn(mem, seed * 1000 + (uint64_t)cut);
    else mni_vfs_mem_power_cut(mem);
    examine(v, disk, "a", cut, &now, failed ? &next : NULL);
    mni_vfs_mem_free(mem);
    return failed;
}

static verdict die_everywhere(way how, uint64_t seed)
{
    verdict v = { 0 };
    for (long cut = 0; die_at(&v, &how, seed, cut); cut++) CHECK(cut < 20000);
    return v;
}

static void power_cut_at_every_operation(void)
{
    for (int torn = 0; torn < 2; torn++)
        for (int half = 0; half < 2; half++) {
            const verdict v =
                die_everywhere((way){ half, torn, NULL }, test_seed() + (uint64_t)torn);
            none_wrong(&v);
            CHECK(v.n_cuts > 100);
        }
}

/* Without the journal's sync, without the new base's, without the folder's: each must be
 * missed. A harness that cannot go red proves nothing. */
static void a_lying_disk_is_found_out(void)
{
    static const char *const lies[] = { "-journal", ".tmp.", "" };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        long n_bad = 0;
        for (int torn = 0; torn < 2; torn++)
            n_bad += die_everywhere((way){ 0, torn, lies[i] }, test_seed()).n_bad;
        if (n_bad == 0)
            test_fail(__FILE__, __LINE__, "no loss found without the sync of \"%s\"",
                      lies[i]);
    }
}

/* --- one fault, and life goes on ---------------------------------------------------- */

static int stumble_at(verdict *v, uint64_t seed, long at)
{
    mni_vfs_mem *mem;
    mni_vfs_faulty f;
    mni_gallery *g;
    crash_state now = { .n = 0 }, next, seen;
    char why[200];
    int n_failed = 0;
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *disk = mni_vfs_mem_vfs(mem);
    CHECK_FINE(gallery_make(&g, disk, "a", MANN_STORE_F32, 0, 0, &e), e);
    mni_gallery_free(g);
    mni_vfs_faulty_init(&f, disk);
    CHECK_FINE(mni_gallery_open(&g, &f.vfs, "a", MANN_OPEN_WRITE, &e), e);
    f.fail_in = at;
    f.short_write = 1;
    for (uint64_t i = 0; i < STEPS; i++) {
        crash_expect(&next, &now, seed, i);
        const mann_status s = crash_do(g, &now, seed, i, &e);
        n_failed += s != MANN_OK;
        if (s != MANN_OK && !e.text[0]) wrong(v, at, "a failure without a sentence");
        if (!crash_read(g, &seen, why, sizeof why)) wrong(v, at, why);
        if (crash_same(&seen, &next)) now = next;
        else if (s == MANN_OK || !crash_same(&seen, &now))
            wrong(v, at, "in memory: neither before nor after");
    }
    mni_gallery_free(g);
    mni_vfs_mem_power_cut(mem);
    examine(v, disk, "a", at, &now, n_failed ? &next : NULL);
    mni_vfs_mem_free(mem);
    return f.fail_in < 0;
}

static void one_fault_and_life_goes_on(void)
{
    verdict v = { 0 };
    for (long at = 0; stumble_at(&v, test_seed(), at); at++) CHECK(at < 20000);
    none_wrong(&v);
}

/* --- SIGKILL ------------------------------------------------------------------------ */

/* The child: steps from `first` on, one byte into the pipe for each that returned. */
static void live_until_killed(const char *path, uint64_t seed, uint64_t first,
                              crash_state now, int to_parent)
{
    mni_gallery *g;
    crash_state next;
    mann_error e;
    if (mni_gallery_open(&g, mni_vfs_posix(), path, MANN_OPEN_WRITE, &e) != MANN_OK)
        _exit(3);
    for (uint64_t i = first;; i++) {
        crash_expect(&next, &now, seed, i);
        if (crash_do(g, &now, seed, i, &e) != MANN_OK) _exit(4);
        now = next;
        if (write(to_parent, "", 1) != 1) _exit(5);
    }
}

/* Kills one child after some microseconds; *number and *now go on to what was reached.
 * *patience: how many times as long it may live; doubled where nothing was reached, since
 * on a busy machine a child may not even begin in that time. */
static void kill_one(verdict *v, const char *path, uint64_t seed, long nth,
                     uint32_t *patience, uint64_t *number, crash_state *now)
{
    const uint64_t before = *number;
    int ends[2], status = 0;
    char byte;
    mni_rng r = mni_rng_at(seed, MNI_FOR_TEST, 10, (uint64_t)nth, 0);
    crash_state next = { .n = 0 };
    CHECK_EQ(pipe(ends), 0);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        close(ends[0]);
        live_until_killed(path, seed, *number, *now, ends[1]);
    }
    close(ends[1]);
    usleep((500 + mni_rng_below(&r, 12000)) * *patience);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    if (!WIFSIGNALED(status)) wrong(v, nth, "the child ended by itself");
    while (read(ends[0], &byte, 1) == 1) {
        crash_expect(&next, now, seed, (*number)++);
        *now = next;
    }
    close(ends[0]);

    mni_gallery *g;
    crash_state seen;
    char why[200];
    mann_error e = { MANN_OK, "" };
    crash_expect(&next, now, seed, *number);
    examine(v, mni_vfs_posix(), path, nth, now, &next);
    if (mni_gallery_open(&g, mni_vfs_posix(), path, MANN_OPEN_READ, &e) != MANN_OK)
        return;
    if (crash_read(g, &seen, why, sizeof why) && !crash_same(&seen, now)) {
        *now = next;
        ++*number;
    }
    mni_gallery_free(g);
    if (*number == before && *patience < MOST_PATIENCE) *patience *= 2;
    if (*number > before + 4 && *patience > 1) *patience /= 2;
}

static void kill_many(long n)
{
    char path[600];
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    verdict v = { 0 };
    crash_state now = { .n = 0 };
    uint64_t number = 0;
    uint32_t patience = 1;
    snprintf(path, sizeof path, "%s/a.mann", test_dir());
    CHECK_FINE(gallery_make(&g, mni_vfs_posix(), path, MANN_STORE_F32, 0, 0, &e), e);
    mni_gallery_free(g);
    for (long i = 0; i < n && v.n_bad < 5; i++)
        kill_one(&v, path, test_seed(), i, &patience, &number, &now);
    none_wrong(&v);
    CHECK(number > (uint64_t)n / 4);    /* they did get somewhere */
}

static void killed_forty_times(void) { kill_many(40); }
static void killed_a_thousand_times(void) { kill_many(1000); }

const test_case crash_tests[] = {
    { "power_cut_at_every_operation", power_cut_at_every_operation, 0 },
    { "a_lying_disk_is_found_out", a_lying_disk_is_found_out, 0 },
    { "one_fault_and_life_goes_on", one_fault_and_life_goes_on, 0 },
    { "killed_forty_times", killed_forty_times, 0 },
    { "killed_a_thousand_times", killed_a_thousand_times, 1 },
    { 0 }
};
