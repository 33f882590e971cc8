/* bench.c - runs the benches of the table and prints CSV.
 *
 *     bench/bench [--list] [name ...]    a name may be a beginning: "kern" is all of kern
 *
 * The commit is taken from the environment, BENCH_COMMIT. SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "os/clock.h"
#include "os/cpu.h"

static const struct { const char *name; void (*run)(void); } benches[] = {
    { "kern.stream", bench_kern_stream },
    { "kern.dist", bench_kern_dist },
    { "kern.walk", bench_kern_rows },
    { "kern.crc32c", bench_kern_crc },
    { "kern.gemm", bench_kern_gemm },
    { "image.decode", bench_image_decode },
    { "image.resize", bench_image_resize },
    { "image.synth", bench_image_synth },
    { "nn", bench_nn },
    { "nn.layer", bench_nn_layers },
    { "nn.embed", bench_nn_embed },
    { "index.flat", bench_index_flat },
    { "answer", bench_answer },
    { "enrol", bench_enrol },
    { "gallery", bench_gallery },
    { "store", bench_store },
};
enum { N_BENCHES = (int)(sizeof benches / sizeof *benches) };
enum { RIVALS_MAX = 16, RUNS_MIN = 3 };

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bench_time summary(double *seconds, int runs)
{
    qsort(seconds, (size_t)runs, sizeof *seconds, ascending);
    return (bench_time){ seconds[runs / 2], seconds[0], seconds[runs - 1], 1.0, runs };
}

void bench_in_turn(const bench_rival *rivals, int n, double seconds, bench_time *out)
{
    static double times[RIVALS_MAX][BENCH_RUNS_MAX], speeds[RIVALS_MAX][BENCH_RUNS_MAX];
    if (n > RIVALS_MAX) n = RIVALS_MAX;
    for (int r = 0; r < n; r++) rivals[r].fn(rivals[r].ctx);        /* warm up */
    const double start = mni_clock_seconds();
    int runs = 0;
    while (runs < BENCH_RUNS_MAX &&
           (runs < RUNS_MIN || mni_clock_seconds() - start < seconds * n)) {
        for (int r = 0; r < n; r++) {
            const double before = mni_clock_seconds();
            rivals[r].fn(rivals[r].ctx);
            times[r][runs] = mni_clock_seconds() - before;
            speeds[r][runs] = times[0][runs] / times[r][runs];
        }
        runs++;
    }
    for (int r = 0; r < n; r++) {
        out[r] = summary(times[r], runs);
        out[r].speed = summary(speeds[r], runs).median;
    }
}

bench_time bench_run(void (*fn)(void *ctx), void *ctx, double seconds)
{
    bench_time t;
    bench_in_turn(&(bench_rival){ fn, ctx }, 1, seconds, &t);
    return t;
}

void bench_line(const char *workload, const char *simd, uint32_t threads, bench_time t,
                double value, const char *unit, double share)
{
    static char cpu[128];
    const char *commit = getenv("BENCH_COMMIT");
    if (!cpu[0]) mni_cpu_name(cpu, sizeof cpu);
    printf("%s,%s,%s,%u,%s,%.6g,%.3f,%.4g,%s,", commit && *commit ? commit : "unknown",
           cpu, simd, (unsigned)threads, workload, t.median,
           (t.slowest - t.fastest) / t.median, value, unit);
    if (share >= 0) printf("%.3f", share);
    printf("\n");
    fflush(stdout);
}

void bench_use(const void *result)
{
    static const void *volatile sink;
    sink = result;
    (void)sink;
}

void *bench_memory(size_t n_bytes)
{
    void *p = mni_alloc_aligned(n_bytes, 1, 0);
    if (!p) {
        fprintf(stderr, "bench: no memory for %zu bytes\n", n_bytes);
        exit(1);
    }
    memset(p, 0, n_bytes);
    return p;
}

float *bench_floats(size_t n)
{
    float *x = bench_memory(n * sizeof *x);
    mni_rng r = mni_rng_at(BENCH_SEED, MNI_FOR_TEST, 0, 0, 0);
    for (size_t i = 0; i < n; i++) x[i] = mni_rng_range(&r, -1.0f, 1.0f);
    return x;
}

static int wanted(const char *name, int n, char **names)
{
    for (int i = 0; i < n; i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0) return 1;
    return n == 0;
}

int main(int argc, char **argv)
{
    const int list = argc > 1 && strcmp(argv[1], "--list") == 0;
    int ran = 0;
    if (!list)
        printf("commit,cpu,simd,threads,workload,seconds,spread,value,unit,share\n");
    for (int i = 0; i < N_BENCHES; i++) {
        if (list) printf("%s\n", benches[i].name);
        else if (wanted(benches[i].name, argc - 1, argv + 1)) benches[i].run(), ran++;
    }
    if (list || ran) return 0;
    fprintf(stderr, "bench: no bench of that name; --list shows them\n");
    return 2;
}
