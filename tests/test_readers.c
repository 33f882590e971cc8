/* test_readers.c - eight processes search while a ninth writes.
 *
 *   writer    + + + + + + + C + + + + + + + C + + + + + + +      + a durable group
 *   reader 1  r??? r??? r??? r???  ...                           C compact, in place
 *   ...                                                          r refresh, then searches
 *   reader 8     r??? r??? r???  ...
 *
 * Rows are added in order of their ids, GROUP at a time, so a state of the gallery is a
 * number n: it holds the ids below n. A refreshed reader must see a state that was
 * acknowledged when it began, or a later one that was begun when it ended; every search
 * must give what an exact search over the first n rows gives. Each reader has a second
 * handle, opened before the writer began and never refreshed: for that one nothing ever
 * changes, though the file is replaced twice. What a process counts and finds wrong
 * stands in memory that all of them share.
 *
 * The harness is tried itself, with a writer that overwrites the file where it lies
 * instead of replacing it. SPDX-License-Identifier: MIT */
/* fork, MAP_ANONYMOUS, usleep */
#define _DEFAULT_SOURCE 1
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "gallery_help.h"
#include "harness.h"

enum { READERS = 8, FIRST = 2000, GROUP = 200, MORE = 10000, ALL = FIRST + MORE,
       CLASSES = 97, K = 5, SEARCHES = 4 };

enum { WHY = 320 };              /* an error's sentence, and where it was met */
typedef struct shared {
    atomic_uint begun, done, over;      /* rows: of the group under way, acknowledged */
    atomic_uint ready;                  /* readers that have opened the file */
    atomic_uint n_wrong;                /* readers that gave up */
    atomic_uint refreshes;              /* of all readers: the writer waits for some */
    struct { atomic_uint refreshes; uint32_t searches, states, bases; char wrong[WHY]; }
        of[READERS];
    char writer_wrong[WHY];
} shared;

typedef struct world {
    const char *path;
    float *rows;                        /* ALL x DIM, unit length */
    shared *s;
    const mni_vfs *v;                   /* of the writer */
} world;

/* --- what must be found ------------------------------------------------------------- */

static float distance_to(const world *w, uint32_t row, const float *q)
{
    float dot = 0;
    for (int i = 0; i < DIM; i++) dot += w->rows[(size_t)row * DIM + i] * q[i];
    return 1 - dot;
}

/* The K smallest distances over the first n rows, ascending. */
static void exact(const world *w, uint32_t n, const float *q, float best[K])
{
    for (int i = 0; i < K; i++) best[i] = INFINITY;
    for (uint32_t row = 0; row < n; row++) {
        float d = distance_to(w, row, q);
        for (int i = 0; i < K; i++) {
            if (d >= best[i]) continue;
            const float out = best[i];
            best[i] = d;
            d = out;
        }
    }
}

#define WRONG(...)                                                                     \
    do {                                                                               \
        snprintf(why, size, __VA_ARGS__);                                              \
        return 0;                                                                      \
    } while (0)

/* One search of a state of n rows: 1 if every word of the answer is right. */
static int search_once(const world *w, mni_gallery *g, uint32_t n, const float *q,
                       char *why, size_t size)
{
    mann_search how;
    mann_hit hits[K];
    mann_answer a;
    mann_error e = { MANN_OK, "" };
    float best[K];
    mann_search_fill(&how, sizeof how, K);
    if (mni_gallery_search(g, (mann_matrix){ q, 1, DIM, 0 }, &how, NULL, hits, &a, &e) !=
        MANN_OK)
        WRONG("search: %s", e.text);
    exact(w, n, q, best);
    for (int i = 0; i < K; i++) {
        char text[64], want[64];
        if (hits[i].id >= n)
            WRONG("id %llu among %u rows", (unsigned long long)hits[i].id, (unsigned)n);
        const uint32_t row = (uint32_t)hits[i].id;
        if (fabsf(hits[i].distance - distance_to(w, row, q)) > 1e-4f)
            WRONG("id %u: the distance is that of another vector", (unsigned)row);
        if (fabsf(hits[i].distance - best[i]) > 1e-4f)
            WRONG("n %u: hit %d is at %g, the nearest at %g", (unsigned)n, i,
                  (double)hits[i].distance, (double)best[i]);
        for (int j = 0; j < i; j++)
            if (hits[j].id == hits[i].id) WRONG("id %u twice", (unsigned)row);
        snprintf(want, sizeof want, "class-%u", (unsigned)(row % CLASSES));
        if (mni_gallery_class_name(g, hits[i].klass, text, sizeof text, &e) != MANN_OK ||
            strcmp(text, want) != 0)
            WRONG("id %u: class %s, wanted %s", (unsigned)row, text, want);
        snprintf(want, sizeof want, "%u.png", (unsigned)row);
        if (mni_gallery_source(g, row, text, sizeof text, &e) != MANN_OK ||
            strcmp(text, want) != 0)
            WRONG("id %u: path %s", (unsigned)row, text);
    }
    return 1;
}

/* --- a reader ----------------------------------------------------------------------- */

/* The number of rows that this handle sees, and the generation of its base. */
static uint32_t rows_of(mni_gallery *g, uint64_t *generation)
{
    mann_gallery_info info = { .struct_size = sizeof info };
    mni_gallery_describe(g, &info, NULL);
    *generation = info.generation;
    return (uint32_t)info.n_rows;
}

static int read_once(const world *w, mni_gallery *g, mni_gallery *old, int me,
                     mni_rng *r, uint64_t *base, uint32_t *state, char *why, size_t size)
{
    mann_error e = { MANN_OK, "" };
    uint64_t generation;
    const uint32_t least = atomic_load(&w->s->done);
    if (mni_gallery_refresh(g, &e) != MANN_OK) WRONG("refresh: %s", e.text);
    const uint32_t most = atomic_load(&w->s->begun), n = rows_of(g, &generation);
    if (n < least || n > most || (n - FIRST) % GROUP != 0)
        WRONG("sees %u rows, wanted %u to %u, whole groups", (unsigned)n, (unsigned)least,
              (unsigned)most);
    w->s->of[me].states += n != *state;
    w->s->of[me].bases += generation != *base;
    *state = n;
    *base = generation;
    for (int i = 0; i < SEARCHES; i++) {
        const float *q = w->rows + (size_t)mni_rng_below(r, ALL) * DIM;
        if (!search_once(w, g, n, q, why, size)) return 0;
        if (!search_once(w, old, FIRST, q, why, size)) return 0;
        w->s->of[me].searches += 2;
    }
    atomic_fetch_add(&w->s->of[me].refreshes, 1);
    atomic_fetch_add(&w->s->refreshes, 1);
    return 1;
}

static int read_until_over(const world *w, int me, char *why, size_t size)
{
    mni_gallery *g, *old;
    mann_error e = { MANN_OK, "" };
    uint64_t base = 0;
    uint32_t state = FIRST;
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 51, (uint64_t)me, 0);
    if (mni_gallery_open(&old, mni_vfs_posix(), w->path, MANN_OPEN_READ, &e) != MANN_OK ||
        mni_gallery_open(&g, mni_vfs_posix(), w->path, MANN_OPEN_READ, &e) != MANN_OK)
        WRONG("open: %s", e.text);
    rows_of(g, &base);
    atomic_fetch_add(&w->s->ready, 1);
    for (int last = 0; !last;) {
        last = (int)atomic_load(&w->s->over);
        if (!read_once(w, g, old, me, &r, &base, &state, why, size)) return 0;
    }
    if (state != atomic_load(&w->s->done)) WRONG("the last state was never seen");
    mni_gallery_free(g);
    mni_gallery_free(old);
    return 1;
}

/* --- the writer --------------------------------------------------------------------- */

static mann_status add_group(const world *w, mni_gallery *g, uint32_t first, uint32_t n,
                             mann_error *err)
{
    static mni_new_row rows[GROUP];
    static char classes[GROUP][32], sources[GROUP][32];
    for (uint32_t i = 0; i < n; i++) {
        snprintf(classes[i], sizeof *classes, "class-%u",
                 (unsigned)((first + i) % CLASSES));
        snprintf(sources[i], sizeof *sources, "%u.png", (unsigned)(first + i));
        rows[i] = (mni_new_row){ .klass = classes[i], .source = sources[i],
                                 .vector = w->rows + (size_t)(first + i) * DIM };
    }
    return mni_gallery_add(g, rows, n, NULL, err);
}

/* The readers get a turn: until one more of them has refreshed, at most 50 ms. */
static void let_them_read(const world *w)
{
    const unsigned before = atomic_load(&w->s->refreshes);
    for (int i = 0; i < 50 && atomic_load(&w->s->refreshes) == before; i++) usleep(1000);
}

/* Each of them gets two: one may have begun before. */
static void let_all_of_them_read(const world *w)
{
    unsigned before[READERS];
    for (int i = 0; i < READERS; i++) before[i] = atomic_load(&w->s->of[i].refreshes);
    for (int i = 0, ms = 0; i < READERS && ms < 3000 && !atomic_load(&w->s->n_wrong);)
        if (atomic_load(&w->s->of[i].refreshes) >= before[i] + 2) i++;
        else { usleep(1000); ms++; }
}

static mann_status write_all(const world *w, mann_error *err)
{
    mni_gallery *g;
    MNI_TRY(mni_gallery_open(&g, w->v, w->path, MANN_OPEN_WRITE, err));
    mann_status s = MANN_OK;
    for (uint32_t n = FIRST; n < ALL && s == MANN_OK; n += GROUP) {
        if (atomic_load(&w->s->n_wrong)) break;
        atomic_store(&w->s->begun, n + GROUP);
        s = add_group(w, g, n, GROUP, err);
        if (s == MANN_OK) atomic_store(&w->s->done, n + GROUP);
        let_them_read(w);
        if (n + GROUP == FIRST + 15 * GROUP || n + GROUP == FIRST + 35 * GROUP) {
            if (s == MANN_OK)
                s = mni_gallery_build(g, NULL, NULL, MNI_MEASURE_NO, NULL, NULL, err);
            let_all_of_them_read(w);
        }
    }
    mni_gallery_free(g);
    return s;
}

/* --- nine processes ----------------------------------------------------------------- */

static pid_t start(const world *w, int me)
{
    const pid_t pid = fork();
    if (pid != 0) return pid;
    if (me >= 0) {
        char *why = w->s->of[me].wrong;
        const int fine = read_until_over(w, me, why, sizeof w->s->of[me].wrong);
        if (!fine) atomic_fetch_add(&w->s->n_wrong, 1);
        _exit(!fine);
    }
    mann_error e = { MANN_OK, "" };
    const mann_status s = write_all(w, &e);
    snprintf(w->s->writer_wrong, sizeof w->s->writer_wrong, "%s", e.text);
    atomic_store(&w->s->over, 1);
    _exit(s != MANN_OK);
}

static void make_rows(world *w)
{
    w->rows = mni_alloc(ALL, DIM * sizeof *w->rows);
    CHECK(w->rows);
    for (uint32_t i = 0; i < ALL; i++) {
        double sum = 0;
        float *v = w->rows + (size_t)i * DIM;
        gallery_vector(i % CLASSES, i, v);
        for (int d = 0; d < DIM; d++) sum += (double)v[d] * (double)v[d];
        for (int d = 0; d < DIM; d++) v[d] = (float)(v[d] / sqrt(sum));
    }
}

static void make_gallery(const world *w)
{
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    mann_gallery_config c = gallery_config(MANN_COSINE, MANN_STORE_F32);
    CHECK_FINE(mni_gallery_create(&g, mni_vfs_posix(), w->path, &c, &e), e);
    for (uint32_t n = 0; n < FIRST; n += GROUP)
        CHECK_FINE(add_group(w, g, n, GROUP, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, "Flat", MNI_MEASURE_NO, NULL, NULL, &e), e);
    mni_gallery_free(g);
}

/* How many processes found something wrong (or died); `first` tells the first. */
static int run_all(world *w, char *first, size_t size)
{
    pid_t readers[READERS];
    int status, n_wrong = 0;
    atomic_store(&w->s->begun, FIRST);
    atomic_store(&w->s->done, FIRST);
    for (int i = 0; i < READERS; i++) CHECK((readers[i] = start(w, i)) > 0);
    for (int i = 0; i < 20000 && atomic_load(&w->s->ready) < READERS; i++) usleep(1000);
    const pid_t writer = start(w, -1);
    CHECK(writer > 0);
    waitpid(writer, &status, 0);
    atomic_store(&w->s->over, 1);
    *first = '\0';
    if (status != 0) {
        snprintf(first, size, "writer: status %d: %s", status, w->s->writer_wrong);
        n_wrong++;
    }
    for (int i = 0; i < READERS; i++) {
        waitpid(readers[i], &status, 0);
        if (status != 0 && n_wrong++ == 0)
            snprintf(first, size, "reader %d: status %d: %s", i, status,
                     w->s->of[i].wrong);
    }
    return n_wrong;
}

static void begin(world *w, char *path, size_t size)
{
    snprintf(path, size, "%s/a.mann", test_dir());
    *w = (world){ .path = path, .v = mni_vfs_posix() };
    w->s = mmap(NULL, sizeof *w->s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                -1, 0);
    CHECK(w->s != MAP_FAILED);
    make_rows(w);
    make_gallery(w);
}

static void end(world *w)
{
    mni_free(w->rows);
    munmap(w->s, sizeof *w->s);
}

static void eight_search_while_one_writes(void)
{
    world w;
    char path[600], first[WHY + 80];
    uint32_t searches = 0, states = 0, bases = 0;
    begin(&w, path, sizeof path);
    const int n_wrong = run_all(&w, first, sizeof first);
    if (n_wrong) test_fail(__FILE__, __LINE__, "%d processes: %s", n_wrong, first);
    for (int i = 0; i < READERS; i++) {
        searches += w.s->of[i].searches;
        states += w.s->of[i].states;
        bases += w.s->of[i].bases;
        CHECK(atomic_load(&w.s->of[i].refreshes) >= 2);
    }
    CHECK_EQ(atomic_load(&w.s->done), ALL);
    CHECK(searches >= 500 && states >= 50);     /* they were in the thick of it */
    CHECK(bases >= 2 * READERS - 4);            /* nearly all met both new bases */
    end(&w);
}

/* --- proof that it can fail --------------------------------------------------------- */

/* What nobody of ours does: the new bytes go where the old ones lie. */
static mann_status overwrite(const mni_vfs *v, const char *from, const char *to,
                             mann_error *err)
{
    uint8_t *bytes;
    size_t n;
    mni_file *f;
    MNI_TRY(mni_read_file(v, from, UINT64_MAX / 2, &bytes, &n, err));
    mann_status s = mni_open(v, to, MNI_OPEN_WRITE, &f, err);
    if (s == MANN_OK) {
        s = mni_write(f, bytes, n, 0, err);
        mni_close(f, NULL);
    }
    mni_free(bytes);
    v->ops->remove(v, from, NULL);
    return s;
}

static void a_writer_that_overwrites_is_found_out(void)
{
    world w;
    char path[600], first[WHY + 80];
    mni_vfs_ops ops = *mni_vfs_posix()->ops;
    const mni_vfs careless = { &ops };
    ops.replace = overwrite;
    begin(&w, path, sizeof path);
    w.v = &careless;
    CHECK(run_all(&w, first, sizeof first) > 0);
    end(&w);
}

const test_case readers_tests[] = {
    { "eight_search_while_one_writes", eight_search_while_one_writes, 0 },
    { "a_writer_that_overwrites_is_found_out", a_writer_that_overwrites_is_found_out, 0 },
    { 0 }
};
