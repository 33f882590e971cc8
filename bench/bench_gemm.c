/* bench_gemm.c - the matrix product in GFLOP/s, by level, as a share of the FMA peak of
 * that level on one thread. Built with BLAS=1 also what stands behind mni_gemm then.
 * Rivals side by side are in bench/peers/gemm.c. SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdio.h>

#include "base/mem.h"
#include "gemm_shapes.h"
#include "kern/kern_nn.h"
#include "os/cpu.h"

typedef struct product {
    mni_kern_nn kern;
    mni_gemm_args g;
    mni_pool *pool;
    void *work;
} product;

static void multiply(void *ctx)
{
    const product *p = ctx;
    mni_gemm_of(&p->kern, &p->g, p->pool, p->work);
    bench_use(p->g.c);
}

/* What `make BLAS=1` puts behind the entry of all; without it, our best level again. */
static void multiply_entry(void *ctx)
{
    const product *p = ctx;
    mni_gemm(&p->g, p->pool, p->work);
    bench_use(p->g.c);
}

#if defined(MNI_BLAS)
enum { WAYS = 5 };                      /* levels, threads, the entry */
#else
enum { WAYS = 4 };
#endif

/* The levels on one thread, and the best on all cores, each with the peak before it. */
static void bench_shape(const gemm_shape *s, mni_pool *pool)
{
    product p[WAYS];
    bench_peak peaks[WAYS];
    bench_rival rivals[2 * WAYS];
    bench_time t[2 * WAYS];
    float *a = bench_floats(s->m * s->k), *b = bench_floats(s->k * s->n);
    float *c = bench_memory(s->m * s->n * sizeof *c);
    const mni_gemm_args g = gemm_shape_args(s, a, b, c);
    const double flops = 2.0 * (double)s->m * (double)s->n * (double)s->k;
    const unsigned cpu = mni_cpu_detect();
    const unsigned caps[5] = { mni_cpu_cap(cpu, "scalar"), mni_cpu_cap(cpu, "avx2"), cpu,
                               cpu, cpu };
    for (int i = 0; i < WAYS; i++) {
        p[i] = (product){ .g = g, .pool = i == 3 ? pool : NULL };
        mni_kern_nn_build(&p[i].kern, caps[i]);
        p[i].work = bench_memory(mni_gemm_workspace_bytes_of(&p[i].kern, &g));
        peaks[i] = bench_peak_new(caps[i], p[i].pool);
        rivals[2 * i] = (bench_rival){ bench_peak_run, &peaks[i] };
        rivals[2 * i + 1] = (bench_rival){ i == 4 ? multiply_entry : multiply, &p[i] };
    }
    bench_in_turn(rivals, 2 * WAYS, 0.05, t);
    for (int i = 0; i < WAYS; i++) {
        const bench_time own = t[2 * i + 1];
        char name[96];
        snprintf(name, sizeof name, "kern.gemm %s %zux%zux%zu", gemm_kind_name(s->kind),
                 s->m, s->n, s->k);
        BENCH_LINE(name, i == 4 ? "blas" : p[i].kern.name, mni_pool_threads(p[i].pool),
                   own, flops / own.median * 1e-9, "GFLOP/s",
                   own.speed / t[2 * i].speed * flops / peaks[i].flops);
        mni_free(p[i].work);
    }
    mni_free(a);
    mni_free(b);
    mni_free(c);
}

void bench_kern_gemm(void)
{
    mni_pool *pool;
    if (mann_pool_new(&pool, 0, NULL) != MANN_OK) pool = NULL;
    for (int i = 0; i < gemm_n_shapes; i++) bench_shape(&gemm_shapes[i], pool);
    mann_pool_free(pool);
}
