/* bench_nn.c - networks: a step of training, in images a second, for one thread and for
 * all, and forward in few bits (in floats: bench_embed.c). The rival is tools such as
 * PyTorch on the same net, run beside it. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "bench.h"
#include "kern/kern_nn.h"
#include "nn/network.h"
#include "os/cpu.h"

typedef struct job {
    mni_network *net;
    mni_model *model;
    mni_pool *pool;
    size_t n;
    float *input, *out;         /* out: gradient of the embeddings */
    uint32_t *labels;
} job;

static void train_step(void *ctx)
{
    const job *j = ctx;
    const mni_loss_config loss = mni_loss_default();
    const mni_sgd sgd = mni_sgd_default();
    const float *e = mni_network_forward(j->net, j->input, j->n, MNI_TRAIN);
    mni_loss_result r;
    if (mni_loss_compute(&loss, e, j->labels, j->n, mni_network_dim(j->net), &r, j->out,
                         NULL) != MANN_OK)
        exit(1);
    mni_network_zero_grads(j->net);
    mni_network_backward(j->net, j->out);
    mni_network_step(j->net, &sgd);
}

static void embed(void *ctx)
{
    const job *j = ctx;
    if (mni_model_forward(j->model, j->input, j->n, j->pool, j->out, NULL) != MANN_OK)
        exit(1);
    bench_use(j->out);
}

/* An embedding at another precision; share: f32's time over this one's, in turn. */
static void low_line(const char *preset, uint32_t size, size_t n, mni_precision p)
{
    enum { MEASURED = 2 };
    const mni_kern_low *kern = mni_kern_low_best();
    bench_time t[2];
    job low = { .n = n }, f32 = { .n = n };
    mni_resnet_config c;
    char name[64];
    mni_resnet_preset(&c, preset);
    c.input_size = size;
    const size_t images = n > MEASURED ? n : MEASURED;
    low.input = bench_floats(images * c.input_channels * size * size);
    low.out = bench_floats(n * mni_resnet_dim(&c));
    if (mni_model_new_resnet(&low.model, preset, &c, 1, NULL) != MANN_OK ||
        mni_model_new_resnet(&f32.model, preset, &c, 1, NULL) != MANN_OK ||
        mni_model_measure(low.model, low.input, MEASURED, NULL) != MANN_OK ||
        mni_model_set_precision(low.model, p, NULL) != MANN_OK)
        exit(1);
    f32.input = low.input;
    f32.out = low.out;
    bench_in_turn((const bench_rival[]){ { embed, &f32 }, { embed, &low } }, 2, 2.0, t);
    snprintf(name, sizeof name, "nn.embed.%s %s %u batch=%zu", mni_precision_name(p),
             preset, (unsigned)size, n);
    BENCH_LINE(name, p == MNI_PRECISION_INT8 ? kern->int8_name : kern->bf16_name, 1,
               t[1], (double)n / t[1].median, "images/s", t[1].speed);
    mni_free(low.input);
    mni_free(low.out);
    mni_model_free(low.model);
    mni_model_free(f32.model);
}

static void add_products(void *ctx, const mni_layer *l)
{
    const double taps = l->kind == MNI_CONV     ? l->kernel * l->kernel
                        : l->kind == MNI_LINEAR ? 1
                                                : 0;
    *(double *)ctx += taps * l->c_in * l->c_out * l->h_out * l->w_out;
}

/* A step in turn with the FMA peak of the same threads; GFLOP/s are nominal, Winograd
 * does with fewer. */
static void line(const char *what, const char *preset, uint32_t size, size_t n,
                 uint32_t threads)
{
    mni_resnet_config c;
    job j = { .n = n };
    char name[64];
    mni_resnet_preset(&c, preset);
    c.input_size = size;
    if (mann_pool_new(&j.pool, threads, NULL) != MANN_OK) exit(1);
    if (mni_network_new(&j.net, &c, n, j.pool, NULL) != MANN_OK) exit(1);
    mni_network_init(j.net, 1);
    j.input = bench_floats(n * c.input_channels * size * size);
    j.out = bench_floats(n * mni_resnet_dim(&c));
    j.labels = bench_memory(n * sizeof *j.labels);
    for (size_t i = 0; i < n; i++) j.labels[i] = (uint32_t)(i / 4);
    bench_peak peak = bench_peak_new(mni_cpu_allowed(), j.pool);
    bench_time t[2];
    bench_in_turn((const bench_rival[]){ { bench_peak_run, &peak }, { train_step, &j } },
                  2, 2.0, t);
    double products = 0;        /* of the definition, forward, dx and dw */
    mni_resnet_each_layer(&c, add_products, &products);
    const double flops = 3 * 2 * products * (double)n;
    snprintf(name, sizeof name, "nn.%s %s %u batch=%zu images/s=%.4g", what, preset,
             (unsigned)size, n, (double)n / t[1].median);
    BENCH_LINE(name, mni_kern_nn_best()->name, threads, t[1],
               flops / t[1].median * 1e-9, "GFLOP/s", t[1].speed * flops / peak.flops);
    mni_free(j.input); mni_free(j.out); mni_free(j.labels);
    mni_network_free(j.net);
    mann_pool_free(j.pool);
}

void bench_nn(void)
{
    const uint32_t all = mni_cpu_count();
    for (uint32_t threads = 1; threads <= all; threads += all > 1 ? all - 1 : 1) {
        line("train", "mini", 32, 96, threads);
        line("train", "mini", 64, 64, threads);
    }
    for (int p = MNI_PRECISION_BF16; p <= MNI_PRECISION_INT8; p++) {
        low_line("resnet18", 224, 1, (mni_precision)p);
        low_line("resnet50", 224, 1, (mni_precision)p);
        low_line("mini", 64, 64, (mni_precision)p);
    }
}
