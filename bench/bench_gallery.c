/* bench_gallery.c - a large gallery while it lives: opened where it is mapped, one row
 * more or less, a tail folded into a copy of its graph, and what a search meets in the
 * meantime.
 *
 * BENCH_ROWS says how large (default 50,000; half a million takes some minutes, nearly
 * all of them for building the graph that is then measured). Changes go through a file
 * system that forgets to sync: what a disk takes for that is its own affair.
 * SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "bench.h"
#include "kern/kern_dist.h"
#include "os/clock.h"
#include "os/thread.h"
#include "photos.h"
#include "recog/gallery.h"

enum { ROWS = 50000, DIM = 128, VIEWS = 4, GROUP = 8192, CHANGES = 1000, TAIL = 10000,
       OPENS = 15, PATH = 512 };

typedef struct world {
    mni_gallery *g;
    uint32_t n;
    uint64_t first[GROUP];      /* ids of the first rows */
    char path[PATH], journal[PATH + 16];
} world;

static mni_vfs_ops hasty_ops;
static mni_vfs hasty = { &hasty_ops };

static mann_status forget_sync(mni_file *f, mann_error *err)
{
    (void)f, (void)err;
    return MANN_OK;
}

static mann_status forget_dir(const mni_vfs *v, const char *dir, mann_error *err)
{
    (void)v, (void)dir, (void)err;
    return MANN_OK;
}

/* VIEWS rows lie round each of the centres, and the centres near those of a hundred
 * themes, as embeddings of things do. */
static void vector(uint32_t row, float *out)
{
    const uint32_t klass = row / VIEWS;
    mni_rng theme = mni_rng_at(BENCH_SEED, MNI_FOR_TEST, 400, 0, klass % 100);
    mni_rng centre = mni_rng_at(BENCH_SEED, MNI_FOR_TEST, 401, 0, klass);
    mni_rng own = mni_rng_at(BENCH_SEED, MNI_FOR_TEST, 402, 0, row);
    for (int i = 0; i < DIM; i++)
        out[i] = mni_rng_normal(&theme) + mni_rng_normal(&centre) +
                 0.5f * mni_rng_normal(&own);
}

/* Rows [first, first + n), at most GROUP, as one change. */
static void add(mni_gallery *g, uint32_t first, uint32_t n, uint64_t *ids)
{
    static float data[GROUP * DIM];
    static char names[GROUP][24];
    static mni_new_row rows[GROUP];
    mann_error e;
    for (uint32_t i = 0; i < n; i++) {
        vector(first + i, data + i * DIM);
        snprintf(names[i], sizeof names[i], "thing %u", (unsigned)((first + i) / VIEWS));
        rows[i] = (mni_new_row){ .klass = names[i], .vector = data + i * DIM,
                                 .content_hash = first + i };
    }
    bench_must(mni_gallery_add(g, rows, n, ids, &e), &e);
}

static bench_time spread_of(double *t, int n)
{
    for (int i = 1; i < n; i++) {
        const double x = t[i];
        int at = i;
        for (; at > 0 && t[at - 1] > x; at--) t[at] = t[at - 1];
        t[at] = x;
    }
    return (bench_time){ t[n / 2], t[0], t[n * 99 / 100], 1, n };
}

static void say(const world *w, const char *what, bench_time t, double value,
                const char *unit)
{
    char line[96];
    snprintf(line, sizeof line, "gallery.%s rows=%u dim=%d HNSW16", what, (unsigned)w->n,
             DIM);
    BENCH_LINE(line, mni_kern_dist_best()->name, 1, t, value, unit, BENCH_NO_SHARE);
}

static void make(world *w)
{
    const char *tmp = getenv("TMPDIR");
    mann_gallery_config c;
    mann_error e;
    char stem[PATH / 2];
    snprintf(stem, sizeof stem, "%s/metricann-gallery", tmp && *tmp ? tmp : "/tmp");
    bench_must(mni_temp_name(stem, w->path, sizeof w->path, &e), &e);
    snprintf(w->journal, sizeof w->journal, "%s-journal", w->path);
    mann_gallery_config_fill(&c, sizeof c);
    c.metric = MANN_COSINE;
    c.dim = DIM;
    bench_must(mni_gallery_create(&w->g, &hasty, w->path, &c, &e), &e);
    for (uint32_t at = 0; at < w->n; at += GROUP)
        add(w->g, at, w->n - at < GROUP ? w->n - at : GROUP, at ? NULL : w->first);
    const double start = mni_clock_seconds();
    bench_must(mni_gallery_build(w->g, NULL, "HNSW16", MNI_MEASURE_NO, NULL, NULL, &e),
               &e);
    const double took = mni_clock_seconds() - start;
    say(w, "build", (bench_time){ took, took, took, 1, 1 }, w->n / took, "rows/s");
    mni_gallery_free(w->g);
}

/* From nothing to the first answer. The pages are in the system's cache. */
static void open_and_ask(world *w)
{
    double t[OPENS];
    mann_error e;
    float q[DIM];
    mann_hit hits[5];
    mann_answer a;
    mann_search s;
    mann_search_fill(&s, sizeof s, 5);
    for (int i = 0; i < OPENS; i++) {
        vector((uint32_t)i * 97, q);
        const double start = mni_clock_seconds();
        bench_must(mni_gallery_open(&w->g, &hasty, w->path, MANN_OPEN_READ, &e), &e);
        bench_must(mni_gallery_identify(w->g, (mann_matrix){ q, 1, DIM, 0 }, &s, NULL,
                                        hits, &a, &e),
                   &e);
        t[i] = mni_clock_seconds() - start;
        mni_gallery_free(w->g);
    }
    const bench_time time = spread_of(t, OPENS);
    say(w, "open+answer", time, time.median * 1e3, "ms");
}

static void one_more_one_less(world *w)
{
    static double plus[CHANGES], minus[CHANGES];
    static uint64_t ids[CHANGES];
    mann_error e;
    size_t gone;
    for (uint32_t i = 0; i < CHANGES; i++) {
        const double start = mni_clock_seconds();
        add(w->g, w->n + i, 1, ids + i);
        plus[i] = mni_clock_seconds() - start;
    }
    for (int i = 0; i < CHANGES; i++) {
        const uint64_t id = i % 2 ? ids[i] : w->first[i * 8];   /* tail and base */
        const double start = mni_clock_seconds();
        bench_must(mni_gallery_remove(w->g, &id, 1, &gone, &e), &e);
        minus[i] = mni_clock_seconds() - start;
        if (gone != 1)
            bench_must(MANN_E_NOT_FOUND, &(mann_error){ MANN_OK, "nothing removed" });
    }
    const bench_time a = spread_of(plus, CHANGES), r = spread_of(minus, CHANGES);
    say(w, "add p99", a, a.slowest * 1e3, "ms");
    say(w, "remove p99", r, r.slowest * 1e3, "ms");
}

typedef struct watcher {
    mni_gallery *g;
    atomic_int stop;
    double worst;
    uint32_t n;
} watcher;

/* One search after the other, until told; the longest counts. */
static void *watch(void *ctx)
{
    watcher *w = ctx;
    mann_error e;
    float q[DIM];
    mann_hit hits[5];
    mann_answer a;
    mann_search s;
    mann_search_fill(&s, sizeof s, 5);
    while (!atomic_load(&w->stop)) {
        vector(w->n++ * 131u % ROWS, q);
        const double start = mni_clock_seconds();
        if (mni_gallery_identify(w->g, (mann_matrix){ q, 1, DIM, 0 }, &s, NULL, hits, &a,
                                 &e) != MANN_OK)
            break;
        const double took = mni_clock_seconds() - start;
        if (took > w->worst) w->worst = took;
    }
    return NULL;
}

/* A tail of TAIL rows, folded while nobody asks; with the file that is written. */
static void fold_tail(world *w)
{
    mann_error e;
    for (uint32_t at = 0; at < TAIL; at += 2000)
        add(w->g, w->n + at, 2000, NULL);
    const double start = mni_clock_seconds();
    bench_must(mni_gallery_build(w->g, NULL, NULL, MNI_MEASURE_NO, NULL, NULL, &e), &e);
    const double took = mni_clock_seconds() - start;
    say(w, "fold of 10000", (bench_time){ took, took, took, 1, 1 }, TAIL / took,
        "rows/s");
}

/* And another one while somebody does. */
static void fold(world *w)
{
    mann_error e;
    watcher eyes = { .g = w->g };
    mni_thread thread;
    fold_tail(w);
    for (uint32_t at = 0; at < TAIL; at += 2000) add(w->g, w->n + TAIL + at, 2000, NULL);
    if (!mni_thread_start(&thread, watch, &eyes)) exit(1);
    bench_must(mni_gallery_build(w->g, NULL, NULL, MNI_MEASURE_NO, NULL, NULL, &e), &e);
    atomic_store(&eyes.stop, 1);
    mni_thread_join(thread);
    const double worst = eyes.worst;
    say(w, "slowest search meanwhile",
        (bench_time){ worst, worst, worst, 1, (int)eyes.n }, worst * 1e3, "ms");
}

void bench_gallery(void)
{
    const char *rows = getenv("BENCH_ROWS");
    static world w;
    w.n = rows && atol(rows) > GROUP ? (uint32_t)atol(rows) : ROWS;
    mann_error e;
    hasty_ops = *mni_vfs_posix()->ops;
    hasty_ops.sync = forget_sync;
    hasty_ops.sync_dir = forget_dir;
    make(&w);
    open_and_ask(&w);
    bench_must(mni_gallery_open(&w.g, &hasty, w.path, MANN_OPEN_WRITE, &e), &e);
    one_more_one_less(&w);
    fold(&w);
    mni_gallery_free(w.g);
    remove(w.path);
    remove(w.journal);
}
