/* gemm.c - our matrix product beside the CBLAS of this machine, in turn. Prints CSV as
 * bench/bench does; share: median over the rounds of our speed over the rival's. Build
 * and run:
 *
 *     make libmetricann.a
 *     cc -O2 -Iinclude -Isrc -Ibench -o peer bench/peers/gemm.c libmetricann.a \
 *         -lopenblas -lpthread -lm
 *     OPENBLAS_NUM_THREADS=1 ./peer
 *
 * OpenBLAS picks its kernels by CPU model; OPENBLAS_CORETYPE=SKYLAKEX gives it AVX-512 on
 * models that are newer than it. SPDX-License-Identifier: MIT */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>

#include "gemm_shapes.h"
#include "os/clock.h"
#include "os/cpu.h"

enum { RUNS = 101 };

static void theirs(const mni_gemm_args *g)
{
    cblas_sgemm(CblasRowMajor, g->kind == MNI_GEMM_TN ? CblasTrans : CblasNoTrans,
                g->kind == MNI_GEMM_NT ? CblasTrans : CblasNoTrans, (int)g->m, (int)g->n,
                (int)g->k, 1.0f, g->a, (int)g->lda, g->b, (int)g->ldb, 0.0f, g->c,
                (int)g->ldc);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static float *numbers(size_t n)
{
    float *x = aligned_alloc(64, (n * sizeof *x + 63) / 64 * 64);
    if (!x) exit(1);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((i * 2654435761u) % 2001) / 1000.0f - 1.0f;
    return x;
}

static void one_shape(const gemm_shape *s)
{
    float *a = numbers(s->m * s->k), *b = numbers(s->k * s->n), *c = numbers(s->m * s->n);
    const mni_gemm_args g = gemm_shape_args(s, a, b, c);
    void *work = aligned_alloc(64, (mni_gemm_workspace_bytes(&g) + 63) / 64 * 64);
    if (!work) exit(1);
    const double flops = 2.0 * (double)s->m * (double)s->n * (double)s->k;
    const int runs = flops > 5e9 ? 9 : RUNS;
    double t[2][RUNS], ratio[RUNS];
    for (int r = -1; r < runs; r++) {
        const double start = mni_clock_seconds();
        mni_gemm(&g, NULL, work);
        const double middle = mni_clock_seconds();
        theirs(&g);
        if (r < 0) continue;                    /* warm-up */
        t[0][r] = middle - start;
        t[1][r] = mni_clock_seconds() - middle;
        ratio[r] = t[1][r] / t[0][r];
    }
    qsort(ratio, (size_t)runs, sizeof *ratio, ascending);
    for (int i = 0; i < 2; i++) qsort(t[i], (size_t)runs, sizeof t[i][0], ascending);
    char cpu[128];
    const char *const commit = getenv("BENCH_COMMIT");
    mni_cpu_name(cpu, sizeof cpu);
    for (int i = 0; i < 2; i++)
        printf("%s,%s,%s,%s,1,gemm %s %zux%zux%zu,%.6g,%.3f,%.4g,GFLOP/s,%.3f\n",
               commit ? commit : "unknown", cpu, i ? "openblas" : "metricann",
               i ? openblas_get_corename() : mni_kern_nn_best()->name,
               gemm_kind_name(s->kind), s->m, s->n, s->k, t[i][runs / 2],
               (t[i][runs - 1] - t[i][0]) / t[i][runs / 2], flops / t[i][runs / 2] * 1e-9,
               i ? 1.0 : ratio[runs / 2]);
    free(work);
    free(c);
    free(b);
    free(a);
}

int main(void)
{
    printf("commit,cpu,who,simd,threads,workload,seconds,spread,value,unit,share\n");
    for (int i = 0; i < gemm_n_shapes; i++) one_shape(&gemm_shapes[i]);
    return 0;
}
