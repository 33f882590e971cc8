/* bench_layers.c - the convolutions of our networks one by one, by each algorithm that
 * can do them, in turn with the FMA peak. GFLOP/s are nominal: the products of the
 * definition, padding included, so that algorithms compare; Winograd may pass the peak.
 * "rule": what mni_conv_rule takes.
 *
 * Weights are cold, as they are in a network: the runs go through copies that together do
 * not fit a cache of 32 MiB. SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kern/kern_wino.h"
#include "os/cpu.h"

enum { COLD_FLOATS = 12 << 20, COPIES_MAX = 256, WAYS = 3 };

static const struct { const char *net; mni_conv_shape s; uint32_t images; } layers[] = {
    { "resnet18 stem", { 3, 224, 224, 64, 112, 112, 7, 2, 3, 1 }, 1 },
    { "resnet18 layer1", { 64, 56, 56, 64, 56, 56, 3, 1, 1, 0 }, 1 },
    { "resnet18 layer2.0", { 64, 56, 56, 128, 28, 28, 3, 2, 1, 0 }, 1 },
    { "resnet18 layer2.0 shortcut", { 64, 56, 56, 128, 28, 28, 1, 2, 0, 0 }, 1 },
    { "resnet18 layer2", { 128, 28, 28, 128, 28, 28, 3, 1, 1, 0 }, 1 },
    { "resnet18 layer3.0", { 128, 28, 28, 256, 14, 14, 3, 2, 1, 0 }, 1 },
    { "resnet18 layer3", { 256, 14, 14, 256, 14, 14, 3, 1, 1, 0 }, 1 },
    { "resnet18 layer3", { 256, 14, 14, 256, 14, 14, 3, 1, 1, 0 }, 8 },
    { "resnet18 layer4.0", { 256, 14, 14, 512, 7, 7, 3, 2, 1, 0 }, 1 },
    { "resnet18 layer4", { 512, 7, 7, 512, 7, 7, 3, 1, 1, 0 }, 1 },
    { "resnet18 layer4", { 512, 7, 7, 512, 7, 7, 3, 1, 1, 0 }, 8 },
    { "resnet50 layer1 conv1", { 256, 56, 56, 64, 56, 56, 1, 1, 0, 0 }, 1 },
    { "resnet50 layer1 conv3", { 64, 56, 56, 256, 56, 56, 1, 1, 0, 0 }, 1 },
    { "resnet50 layer2 conv3", { 128, 28, 28, 512, 28, 28, 1, 1, 0, 0 }, 1 },
    { "resnet50 layer3 conv1", { 1024, 14, 14, 256, 14, 14, 1, 1, 0, 0 }, 1 },
    { "resnet50 layer4 conv1", { 2048, 7, 7, 512, 7, 7, 1, 1, 0, 0 }, 1 },
    { "resnet50 layer4 conv3", { 512, 7, 7, 2048, 7, 7, 1, 1, 0, 0 }, 1 },
    { "resnet50 layer4 shortcut", { 1024, 14, 14, 2048, 7, 7, 1, 2, 0, 0 }, 1 },
    { "mini stem", { 3, 64, 64, 32, 64, 64, 3, 1, 1, 1 }, 1 },
    { "mini layer1", { 32, 64, 64, 32, 64, 64, 3, 1, 1, 0 }, 1 },
    { "mini layer2", { 64, 32, 32, 64, 32, 32, 3, 1, 1, 0 }, 1 },
    { "mini layer3", { 128, 16, 16, 128, 16, 16, 3, 1, 1, 0 }, 8 },
    { "mini layer4.0", { 128, 16, 16, 256, 8, 8, 3, 2, 1, 0 }, 8 },
    { "mini layer4", { 256, 8, 8, 256, 8, 8, 3, 1, 1, 0 }, 8 },
};

typedef struct way {
    const mni_kern_conv *k;
    mni_conv_args a;
    int m;                              /* 0, 2 or 4 */
    size_t images, floats, copies, next, tiles;
    float *weights, *scratch;
} way;

static void run_direct(way *w)
{
    const mni_conv_shape *s = &w->a.s;
    mni_conv_args a = w->a;
    const size_t in = (size_t)s->h_in * s->w_in;
    const size_t group = w->images > 1 ? w->k->group : mni_blocks(s->c_out);
    for (size_t b = 0; b < mni_blocks(s->c_out); b += group)
        for (size_t i = 0; i < w->images; i++) {
            const size_t end = b + group < mni_blocks(s->c_out) ? b + group
                                                                : mni_blocks(s->c_out);
            a.x = w->a.x + i * (s->planar ? s->c_in * in
                                          : mni_blocked_floats(s->c_in, in));
            a.y = w->a.y + i * mni_blocked_floats(s->c_out, (size_t)s->h_out * s->w_out);
            a.r = a.y;
            (s->planar ? w->k->first : w->k->direct)(&a, b, end, 0, s->h_out);
        }
}

static void run(void *ctx)
{
    way *w = ctx;
    w->a.w = w->weights + w->next * w->floats;
    w->next = (w->next + 1) % w->copies;
    if (!w->m) {
        run_direct(w);
        return;
    }
    const size_t all = w->images * mni_wino_tiles(&w->a.s, w->m);
    for (size_t t = 0; t < all; t += w->tiles)
        mni_wino_run(w->k, &w->a, w->m, t, t + w->tiles < all ? t + w->tiles : all,
                     w->scratch);
}

static way way_new(const mni_kern_conv *k, const mni_conv_args *a, size_t images, int m)
{
    way w = { .k = k, .a = *a, .m = m, .images = images };
    w.floats = m ? mni_wino_weight_floats(&a->s, m) : mni_conv_weight_floats(&a->s);
    w.copies = COLD_FLOATS / w.floats + 1;
    if (w.copies > COPIES_MAX) w.copies = COPIES_MAX;
    w.weights = bench_floats(w.floats * w.copies);
    if (!m) return w;
    const size_t all = images * mni_wino_tiles(&a->s, m);
    w.tiles = mni_wino_best_tiles(&a->s, m);
    w.tiles = mni_chunk_count(all, mni_chunk_count(all, w.tiles));
    w.scratch = bench_memory(mni_wino_scratch_floats(&a->s, m, w.tiles) * sizeof(float));
    return w;
}

static void one_layer(const char *net, const mni_conv_shape *s, size_t images,
                      const mni_kern_conv *k, unsigned cpu)
{
    const size_t in = (size_t)s->h_in * s->w_in, out = (size_t)s->h_out * s->w_out;
    float *x = bench_floats(images * mni_blocked_floats(s->c_in, in));
    float *y = bench_floats(images * mni_blocked_floats(s->c_out, out));
    float *bias = bench_floats(mni_blocks(s->c_out) * MNI_BLOCK);
    const mni_conv_args a = { *s, x, NULL, bias, y, y, 1 };
    const int n_ways = !s->planar && s->kernel == 3 && s->stride == 1 ? WAYS : 1;
    bench_peak peak = bench_peak_new(cpu, NULL);
    way ways[WAYS];
    bench_rival rivals[1 + WAYS] = { { bench_peak_run, &peak } };
    bench_time t[1 + WAYS];
    for (int i = 0; i < n_ways; i++) {
        ways[i] = way_new(k, &a, images, 2 * i);
        rivals[1 + i] = (bench_rival){ run, &ways[i] };
    }
    bench_in_turn(rivals, 1 + n_ways, 0.1, t);
    const double flops = 2.0 * (double)(images * out) * s->c_out * s->c_in * s->kernel *
                         s->kernel;
    for (int i = 0; i < n_ways; i++) {
        char name[160], how[16] = "direct";
        if (i) snprintf(how, sizeof how, "F(%dx%d)", 2 * i, 2 * i);
        snprintf(name, sizeof name, "nn.layer %s %ux%ux%u->%u k%u s%u x%zu %s%s", net,
                 (unsigned)s->c_in, (unsigned)s->h_in, (unsigned)s->w_in,
                 (unsigned)s->c_out, (unsigned)s->kernel, (unsigned)s->stride, images,
                 how, mni_conv_rule(s) == 2 * i ? " rule" : "");
        BENCH_LINE(name, k->name, 1, t[1 + i], flops / t[1 + i].median * 1e-9, "GFLOP/s",
                   t[1 + i].speed * flops / peak.flops);
        mni_free(ways[i].weights);
        mni_free(ways[i].scratch);
    }
    mni_free(x);
    mni_free(y);
    mni_free(bias);
}

/* At every level of this machine that has kernels of its own. */
void bench_nn_layers(void)
{
    const unsigned cpu = mni_cpu_allowed();
    const unsigned caps[2] = { mni_cpu_cap(cpu, "avx2"), cpu };
    for (int l = 0; l < 2; l++) {
        mni_kern_conv k;
        mni_kern_conv_build(&k, caps[l]);
        if (l == 0 && strcmp(k.name, mni_kern_conv_best()->name) == 0) continue;
        for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
            one_layer(layers[i].net, &layers[i].s, layers[i].images, &k, caps[l]);
    }
}
