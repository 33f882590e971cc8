/* rounds.h - two rivals in turn, and their two lines of CSV: as bench.h, with one column
 * more, who. SPDX-License-Identifier: MIT */
#ifndef BENCH_PEERS_ROUNDS_H
#define BENCH_PEERS_ROUNDS_H

#include <stdio.h>
#include <stdlib.h>

#include "os/clock.h"
#include "os/cpu.h"

#ifndef BENCH_ROUNDS
#define BENCH_ROUNDS 15         /* long work may ask for fewer, before it includes this */
#endif
enum { ROUNDS = BENCH_ROUNDS };
typedef struct rounds {
    double ours[ROUNDS], theirs[ROUNDS], ratio[ROUNDS];
    int threads;                        /* 0 counts as 1 */
} rounds;

static inline int rounds_ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline double rounds_timed(void (*fn)(void *ctx), void *ctx)
{
    const double start = mni_clock_seconds();
    fn(ctx);
    return mni_clock_seconds() - start;
}

static inline void rounds_sort(rounds *r)
{
    qsort(r->ours, ROUNDS, sizeof *r->ours, rounds_ascending);
    qsort(r->theirs, ROUNDS, sizeof *r->theirs, rounds_ascending);
    qsort(r->ratio, ROUNDS, sizeof *r->ratio, rounds_ascending);
}

/* One round of each to warm up, then ROUNDS in turn; all three lists sorted. */
static inline void rounds_run(rounds *r, void (*ours)(void *ctx),
                              void (*theirs)(void *ctx), void *ctx)
{
    ours(ctx);
    theirs(ctx);
    for (int i = 0; i < ROUNDS; i++) {
        r->ours[i] = rounds_timed(ours, ctx);
        r->theirs[i] = rounds_timed(theirs, ctx);
        r->ratio[i] = r->theirs[i] / r->ours[i];
    }
    rounds_sort(r);
}

static inline void rounds_line(const char *who, const char *workload,
                               const double *sorted, int threads, double work,
                               const char *unit, double share)
{
    char cpu[128];
    const char *const commit = getenv("BENCH_COMMIT");
    const double median = sorted[ROUNDS / 2];
    mni_cpu_name(cpu, sizeof cpu);
    printf("%s,%s,%s,,%d,%s,%.6g,%.3f,%.4g,%s,%.3f\n",
           commit && *commit ? commit : "unknown", cpu, who, threads, workload, median,
           (sorted[ROUNDS - 1] - sorted[0]) / median, work / median, unit, share);
    fflush(stdout);
}

/* share: median over the rounds of our speed over the rival's. */
static inline void rounds_print(const rounds *r, const char *rival, const char *workload,
                                double work, const char *unit)
{
    const int threads = r->threads ? r->threads : 1;
    rounds_line("metricann", workload, r->ours, threads, work, unit,
                r->ratio[ROUNDS / 2]);
    rounds_line(rival, workload, r->theirs, threads, work, unit, 1.0);
}

#endif
