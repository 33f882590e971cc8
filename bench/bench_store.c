/* bench_store.c - what a change costs in a large gallery, and what compact costs.
 *
 *   add       one record more: bytes written over bytes of the record, and time without
 *             the sync
 *   open      mapped, with a journal of a thousand records to be replayed, to the first
 *             answer
 *   compact   a thousand rows folded into a new file, synced: bytes per second, over a
 *             plain write of the same bytes, synced, in turn
 *
 * BENCH_ROWS says how large (default 500,000), BENCH_INDEX which index (default Flat:
 * with a graph, compact also has to link the new rows). Everything lies in $TMPDIR or
 * /tmp: the disk that is measured is that one. SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "bench.h"
#include "kern/kern_dist.h"
#include "os/clock.h"
#include "photos.h"
#include "recog/gallery.h"

enum { ROWS = 500000, DIM = 128, VIEWS = 4, GROUP = 5000, CHANGES = 1000, ROUNDS = 9,
       PATH = 512, FIXED = 24 /* id, content hash, time */ };

typedef struct world {
    mni_gallery *g;
    uint32_t n;                         /* rows given so far */
    uint32_t size;                      /* rows at the start */
    const char *index;
    char path[PATH], plain[PATH + 8];
} world;

/* POSIX files that count what is written and (hasty) do not sync. */
static uint64_t n_written;
static mni_vfs_ops counting_ops, hasty_ops;
static const mni_vfs counting = { &counting_ops }, hasty = { &hasty_ops };

static mann_status count_write(mni_file *f, const void *bytes, size_t n, uint64_t at,
                               mann_error *err)
{
    n_written += n;
    return mni_vfs_posix()->ops->write(f, bytes, n, at, err);
}

static mann_status no_sync(mni_file *f, mann_error *err)
{
    (void)f, (void)err;
    return MANN_OK;
}

static mann_status no_sync_dir(const mni_vfs *v, const char *dir, mann_error *err)
{
    (void)v, (void)dir, (void)err;
    return MANN_OK;
}

static void prepare(void)
{
    counting_ops = *mni_vfs_posix()->ops;
    counting_ops.write = count_write;
    hasty_ops = counting_ops;
    hasty_ops.sync = no_sync;
    hasty_ops.sync_dir = no_sync_dir;
}

/* Returns the bytes that the rows themselves are. */
static uint64_t add(world *w, uint32_t n)
{
    static float data[GROUP * DIM];
    static char names[GROUP][24], sources[GROUP][48];
    static mni_new_row rows[GROUP];
    uint64_t bytes = 0;
    mann_error e;
    for (uint32_t i = 0; i < n; i++, w->n++) {
        const uint32_t klass = w->n / VIEWS;
        mni_rng centre = mni_rng_at(BENCH_SEED, MNI_FOR_TEST, 410, 0, klass);
        mni_rng own = mni_rng_at(BENCH_SEED, MNI_FOR_TEST, 411, 0, w->n);
        for (int d = 0; d < DIM; d++)
            data[i * DIM + (uint32_t)d] =
                mni_rng_normal(&centre) + 0.5f * mni_rng_normal(&own);
        snprintf(names[i], sizeof names[i], "thing %u", (unsigned)klass);
        snprintf(sources[i], sizeof sources[i], "thing %u/%u.jpg",
                 (unsigned)klass, (unsigned)w->n);
        rows[i] = (mni_new_row){ .klass = names[i], .source = sources[i],
                                 .vector = data + i * DIM, .content_hash = w->n + 1 };
        bytes += FIXED + sizeof(float) * DIM + strlen(names[i]) + strlen(sources[i]);
    }
    bench_must(mni_gallery_add(w->g, rows, n, NULL, &e), &e);
    return bytes;
}

static void say(const world *w, const char *what, bench_time t, double value,
                const char *unit, double share)
{
    char line[128];
    snprintf(line, sizeof line, "store.%s rows=%u dim=%d %s", what, (unsigned)w->size,
             DIM, w->index);
    BENCH_LINE(line, mni_kern_dist_best()->name, 1, t, value, unit, share);
}

static bench_time middle(double *t, int n)
{
    for (int i = 1; i < n; i++)
        for (int at = i; at > 0 && t[at - 1] > t[at]; at--) {
            const double x = t[at];
            t[at] = t[at - 1];
            t[at - 1] = x;
        }
    return (bench_time){ t[n / 2], t[0], t[n * 99 / 100], 1, n };
}

static void make(world *w)
{
    const char *tmp = getenv("TMPDIR");
    mann_gallery_config c;
    mann_error e;
    char stem[PATH / 2];
    snprintf(stem, sizeof stem, "%s/metricann-store", tmp && *tmp ? tmp : "/tmp");
    bench_must(mni_temp_name(stem, w->path, sizeof w->path, &e), &e);
    snprintf(w->plain, sizeof w->plain, "%s-plain", w->path);
    mann_gallery_config_fill(&c, sizeof c);
    c.metric = MANN_COSINE;
    c.dim = DIM;
    bench_must(mni_gallery_create(&w->g, &hasty, w->path, &c, &e), &e);
    while (w->n < w->size) add(w, w->size - w->n < GROUP ? w->size - w->n : GROUP);
    bench_must(mni_gallery_build(w->g, NULL, w->index, MNI_MEASURE_NO, NULL, NULL, &e),
               &e);
    mni_gallery_free(w->g);
}

static void one_more(world *w)
{
    static double t[CHANGES];
    mann_error e;
    uint64_t record = 0;
    bench_must(mni_gallery_open(&w->g, &hasty, w->path, MANN_OPEN_WRITE, &e), &e);
    n_written = 0;
    for (int i = 0; i < CHANGES; i++) {
        const double start = mni_clock_seconds();
        record += add(w, 1);
        t[i] = mni_clock_seconds() - start;
    }
    mni_gallery_free(w->g);
    const double first = t[0];
    const bench_time all = middle(t, CHANGES);
    say(w, "add first", (bench_time){ first, first, first, 1, 1 }, first * 1e3, "ms",
        BENCH_NO_SHARE);
    say(w, "add p99", all, all.slowest * 1e3, "ms", BENCH_NO_SHARE);
    say(w, "add written", all, (double)n_written / (double)record, "bytes a byte",
        BENCH_NO_SHARE);
}

/* The journal holds CHANGES records now. */
static void open_and_ask(world *w)
{
    double t[15];
    mann_error e;
    mann_hit hits[5];
    mann_answer a;
    mann_search s;
    float q[DIM];
    mann_search_fill(&s, sizeof s, 5);
    for (int i = 0; i < DIM; i++) q[i] = (float)(i % 7) - 2.5f;
    for (int i = 0; i < 15; i++) {
        const double start = mni_clock_seconds();
        bench_must(mni_gallery_open(&w->g, mni_vfs_posix(), w->path, MANN_OPEN_READ, &e),
                   &e);
        t[i] = mni_clock_seconds() - start;
        if (w->g->replayed.n_records != CHANGES)
            bench_must(MANN_E_FORMAT, &(mann_error){ MANN_OK, "the journal is short" });
        bench_must(mni_gallery_identify(w->g, (mann_matrix){ q, 1, DIM, 0 }, &s, NULL,
                                        hits, &a, &e), &e);
        mni_gallery_free(w->g);
    }
    const bench_time time = middle(t, 15);
    say(w, "open journal=1000", time, time.median * 1e3, "ms", BENCH_NO_SHARE);
}

/* The same bytes as a file without a meaning, durable: as anybody would write them. */
static double write_plain(const world *w, uint64_t n)
{
    enum { PIECE = 1 << 20 };
    static uint8_t piece[PIECE];
    for (uint32_t i = 0; i < PIECE; i++) piece[i] = (uint8_t)(i * 2654435761u >> 13);
    const double start = mni_clock_seconds();
    const int f = open(w->plain, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int ok = f >= 0;
    for (uint64_t at = 0; ok && at < n; at += PIECE) {
        const size_t step = n - at < PIECE ? (size_t)(n - at) : PIECE;
        ok = write(f, piece, step) == (ssize_t)step;
    }
    ok = ok && fsync(f) == 0 && close(f) == 0;
    const double took = mni_clock_seconds() - start;
    remove(w->plain);
    if (!ok) bench_must(MANN_E_IO, &(mann_error){ MANN_OK, "the plain file failed" });
    return took;
}

static void compact(world *w)
{
    double ours[ROUNDS], plain[ROUNDS], share[ROUNDS];
    mann_error e;
    uint64_t n_bytes = 0;
    bench_must(mni_gallery_open(&w->g, &counting, w->path, MANN_OPEN_WRITE, &e), &e);
    for (int i = 0; i < ROUNDS; i++) {
        add(w, CHANGES);
        n_written = 0;
        const double start = mni_clock_seconds();
        bench_must(mni_gallery_build(w->g, NULL, NULL, MNI_MEASURE_NO, NULL, NULL, &e),
                   &e);
        ours[i] = mni_clock_seconds() - start;
        n_bytes = n_written;
        plain[i] = write_plain(w, n_bytes);
        share[i] = plain[i] / ours[i];
    }
    mni_gallery_free(w->g);
    const bench_time a = middle(ours, ROUNDS), p = middle(plain, ROUNDS);
    const double ratio = middle(share, ROUNDS).median;
    say(w, "write+fsync", p, (double)n_bytes / p.median * 1e-9, "GB/s", BENCH_NO_SHARE);
    say(w, "compact tail=1000", a, (double)n_bytes / a.median * 1e-9, "GB/s", ratio);
}

void bench_store(void)
{
    const char *rows = getenv("BENCH_ROWS"), *index = getenv("BENCH_INDEX");
    static world w;
    w.size = rows && atol(rows) > GROUP ? (uint32_t)atol(rows) : ROWS;
    w.index = index && *index ? index : "Flat";
    prepare();
    make(&w);
    one_more(&w);
    open_and_ask(&w);
    compact(&w);
    hasty.ops->remove(&hasty, w.path, NULL);
    char journal[PATH + 16];
    snprintf(journal, sizeof journal, "%s-journal", w.path);
    hasty.ops->remove(&hasty, journal, NULL);
}
