/* bench_gemm.c - the matrix product in GFLOP/s, by level. Rivals are in
 * bench/peers/gemm.c. SPDX-License-Identifier: MIT */
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

/* The levels on one thread, and the best on all cores; share: of the best level on one
 * thread. */
static void bench_shape(const gemm_shape *s, mni_pool *pool)
{
    product p[4];
    bench_rival rivals[4];
    bench_time t[4];
    float *a = bench_floats(s->m * s->k), *b = bench_floats(s->k * s->n);
    float *c = bench_memory(s->m * s->n * sizeof *c);
    const mni_gemm_args g = gemm_shape_args(s, a, b, c);
    const unsigned cpu = mni_cpu_detect();
    const unsigned caps[4] = { cpu, mni_cpu_cap(cpu, "scalar"), mni_cpu_cap(cpu, "avx2"),
                               cpu };
    for (int i = 0; i < 4; i++) {
        p[i] = (product){ .g = g, .pool = i == 3 ? pool : NULL };
        mni_kern_nn_build(&p[i].kern, caps[i]);
        p[i].work = bench_memory(mni_gemm_workspace_bytes_of(&p[i].kern, &g));
        rivals[i] = (bench_rival){ multiply, &p[i] };
    }
    bench_in_turn(rivals, 4, 0.1, t);
    for (int i = 0; i < 4; i++) {
        char name[96];
        snprintf(name, sizeof name, "kern.gemm %s %zux%zux%zu", gemm_kind_name(s->kind),
                 s->m, s->n, s->k);
        BENCH_LINE(name, p[i].kern.name, mni_pool_threads(p[i].pool), t[i],
                   2e-9 * (double)s->m * (double)s->n * (double)s->k / t[i].median,
                   "GFLOP/s", t[i].speed);
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
