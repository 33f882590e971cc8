/* bench.h - measuring: warm-up, median of several runs, one CSV line for each
 * measurement.
 *
 *     commit,cpu,simd,threads,workload,seconds,spread,value,unit,share
 *
 * seconds is the median of the runs, spread (slowest - fastest) / median, value a rate
 * made of the median, share that rate over a limit or a rival (empty: none). Absolute
 * figures float with the clock of a shared machine; compare shares, measured in turn in
 * one run.
 *
 * A bench is a function in a file bench_*.c and a line in the table of bench.c:
 *
 *     static void copy(void *ctx) { ... }
 *     const bench_time t = bench_run(copy, &job, 0.2);
 *     BENCH_LINE("base.copy n=4096", "scalar", 1, t, n_bytes / t.median * 1e-9, "GB/s",
 *                BENCH_NO_SHARE);
 *
 * SPDX-License-Identifier: MIT */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

#include "os/pool.h"

enum { BENCH_RUNS_MAX = 101 };
#define BENCH_NO_SHARE (-1.0)
#define BENCH_SEED 1u                       /* the seed of all random input */

typedef struct bench_time {
    double median, fastest, slowest;    /* seconds */
    double speed;               /* median over the rounds: time of rival 0 / own time */
    int runs;
} bench_time;

/* Calls fn once to warm up, then again and again for about `seconds`: at least 3 runs, at
 * most BENCH_RUNS_MAX, of which the median is taken. Short work must loop by itself. */
bench_time bench_run(void (*fn)(void *ctx), void *ctx, double seconds);

/* The same for n rivals in turn, one run of each after the other, so that a change of the
 * clock hits all alike. out: n results. n <= 16. For shares use `speed`: it compares
 * neighbours in time, and so stands when another program slows half of the rounds. */
typedef struct bench_rival { void (*fn)(void *ctx); void *ctx; } bench_rival;
void bench_in_turn(const bench_rival *rivals, int n, double seconds, bench_time *out);

/* One line on stdout. */
void bench_line(const char *workload, const char *simd, uint32_t threads, bench_time t,
                double value, const char *unit, double share);
#define BENCH_LINE(workload, simd, threads, t, value, unit, share) \
    bench_line(workload, simd, threads, t, value, unit, share)

/* The limit of arithmetic: a rival that does nothing but multiply-adds in registers, at
 * the best of the levels `cpu`. bench_peak_run takes one as its context. A share of the
 * peak is bench_time.speed * own flops / flops, with the peak as rival 0. */
typedef struct bench_peak {
    float (*sums)(float x, float y);
    int floats;                             /* in registers */
    const char *name;                       /* of the level */
    double flops;                           /* of one run */
    mann_pool *pool;
} bench_peak;
bench_peak bench_peak_new(unsigned cpu, mann_pool *pool);
void       bench_peak_run(void *ctx);

/* What was computed, so that it cannot be left out. */
void bench_use(const void *result);
/* Storage with seeded floats in -1..1, or exits. Free with mni_free. */
float *bench_floats(size_t n);
void  *bench_memory(size_t n_bytes);        /* zeroed and touched, or exits */

/* The benches. Each prints its own lines. */
void bench_kern_stream(void);
void bench_kern_dist(void);
void bench_kern_rows(void);
void bench_kern_crc(void);
void bench_kern_gemm(void);
void bench_image_decode(void);
void bench_image_resize(void);
void bench_image_synth(void);
void bench_nn(void);
void bench_nn_layers(void);
void bench_nn_embed(void);
void bench_index_flat(void);
void bench_answer(void);
void bench_enrol(void);
void bench_gallery(void);
void bench_store(void);

#endif
