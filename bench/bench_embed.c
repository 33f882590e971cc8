/* bench_embed.c - whole networks forward, in turn with the FMA peak of the same threads.
 * GFLOP/s are nominal (the products of the definition, padding included): Winograd can
 * take them beyond the peak. What a second thread is worth is measured in one run with
 * one thread, and beside it what it is worth to the peak: where two "cores" are two
 * threads of one, that is near 1, and no program gains more.
 * SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "nn/infer.h"
#include "os/cpu.h"

enum { THREADS = 2 };

static const struct { const char *preset; uint32_t size; size_t n; } works[] = {
    { "resnet18", 224, 1 }, { "resnet18", 224, 16 }, { "resnet50", 224, 1 },
    { "mini", 64, 1 },      { "mini", 64, 64 },
};

typedef struct job {
    const mni_infer *f;
    mni_pool *pool;
    size_t n;
    const float *input;
    float *out;
} job;

static void embed(void *ctx)
{
    const job *j = ctx;
    if (mni_infer_forward(j->f, j->input, j->n, j->pool, j->out, NULL) != MANN_OK)
        exit(1);
    bench_use(j->out);
}

static double flops_of(const mni_infer *f)
{
    double sum = 0;
    for (size_t i = 0; i < f->plan.n_layers; i++) {
        const mni_layer *l = &f->plan.layers[i];
        if (l->kind == MNI_CONV)
            sum += 2.0 * l->c_in * l->kernel * l->kernel * l->c_out * l->h_out * l->w_out;
        if (l->kind == MNI_LINEAR) sum += 2.0 * l->c_in * l->c_out;
    }
    return sum;
}

static void make(mni_infer *f, const char *preset, uint32_t size)
{
    mni_resnet_config c;
    mni_resnet_preset(&c, preset);
    c.input_size = size;
    if (mni_infer_init(f, &c, NULL) != MANN_OK) exit(1);
    float *params = bench_memory(mni_resnet_n_params(&c) * sizeof *params);
    float *stats = bench_memory(mni_resnet_n_stats(&c) * sizeof *stats);
    mni_resnet_init(&c, BENCH_SEED, params, stats);
    mni_infer_fold(f, params, stats);
    mni_free(params);
    mni_free(stats);
}

static void one_work(const char *preset, uint32_t size, size_t n, mni_pool *pool)
{
    char name[96];
    mni_infer f;
    make(&f, preset, size);
    float *in = bench_floats(n * f.config.input_channels * size * size);
    float *out = bench_memory(n * mni_resnet_dim(&f.config) * sizeof *out);
    job jobs[2] = { { &f, NULL, n, in, out }, { &f, pool, n, in, out } };
    bench_peak peaks[2] = { bench_peak_new(mni_cpu_allowed(), NULL),
                            bench_peak_new(mni_cpu_allowed(), pool) };
    const bench_rival rivals[4] = {
        { bench_peak_run, &peaks[0] }, { embed, &jobs[0] },
        { bench_peak_run, &peaks[1] }, { embed, &jobs[1] },
    };
    bench_time t[4];
    bench_in_turn(rivals, pool ? 4 : 2, 0.5, t);
    const double flops = flops_of(&f) * (double)n;
    snprintf(name, sizeof name, "nn.embed %s %u batch=%zu", preset, (unsigned)size, n);
    for (int i = 0; i < (pool ? 2 : 1); i++)
        BENCH_LINE(name, f.kern->name, i + 1, t[2 * i + 1],
                   flops / t[2 * i + 1].median * 1e-9, "GFLOP/s",
                   t[2 * i + 1].speed / t[2 * i].speed * flops / peaks[i].flops);
    if (pool) {
        const double gain = t[3].speed / t[1].speed;
        snprintf(name, sizeof name, "threads.speedup nn.embed %s %u batch=%zu peak=%.2f",
                 preset, (unsigned)size, n, t[2].speed);
        BENCH_LINE(name, f.kern->name, THREADS, t[3], gain, "x", gain / t[2].speed);
    }
    mni_free(in);
    mni_free(out);
    mni_infer_fini(&f);
}

void bench_nn_embed(void)
{
    mni_pool *pool = NULL;
    if (mni_cpu_count() >= THREADS && mann_pool_new(&pool, THREADS, NULL) != MANN_OK)
        exit(1);
    for (size_t i = 0; i < sizeof works / sizeof *works; i++)
        one_work(works[i].preset, works[i].size, works[i].n, pool);
    mann_pool_free(pool);
}
