/* bench_nn.c - networks: a step of training, in images a second, for one thread and for
 * all (forward alone: bench_embed.c). The rival is tools such as PyTorch on the same net,
 * run beside it. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "bench.h"
#include "kern/kern_nn.h"
#include "nn/network.h"
#include "os/cpu.h"

typedef struct job {
    mni_network *net;
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
    const bench_time t = bench_run(train_step, &j, 2.0);
    snprintf(name, sizeof name, "nn.%s %s %u batch=%zu", what, preset, (unsigned)size, n);
    BENCH_LINE(name, mni_kern_nn_best()->name, threads, t, (double)n / t.median,
               "images/s", BENCH_NO_SHARE);
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
}
