/* test_nn_infer.c - the inference path of infer.h beside the plain network: how close,
 * the same bits however the images come, and what memory it takes.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "harness.h"
#include "nn/infer.h"
#include "nn/network.h"
#include "nn_oracle.h"
#include "os/cpu.h"

static int each_level(mni_kern_conv out[4])
{
    static const unsigned steps[] = { MNI_CPU_AVX2, MNI_CPU_AVX512, MNI_CPU_NEON };
    const unsigned cpu = mni_cpu_detect();
    int n = 0;
    unsigned have = 0;
    mni_kern_conv_build(&out[n++], 0);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (cpu & steps[i]) mni_kern_conv_build(&out[n++], have |= steps[i]);
    return n;
}

static mni_resnet_config preset_at(const char *name, uint32_t size)
{
    mni_resnet_config c;
    CHECK(mni_resnet_preset(&c, name));
    c.input_size = size;
    CHECK_OK(mni_resnet_check(&c, NULL));
    return c;
}

static float *images(const mni_resnet_config *c, size_t n, uint64_t seed)
{
    const size_t floats = n * c->input_channels * c->input_size * c->input_size;
    float *x = mni_alloc(floats, sizeof *x);
    CHECK(x != NULL);
    oracle_fill(x, floats, seed);
    return x;
}

/* Weights as drawn, norms that do something: weight and variance around 1, bias and mean
 * around 0. */
static void some_numbers(void *ctx, const mni_param *p)
{
    float *const *block = ctx, *at = block[p->role >= MNI_NORM_MEAN] + p->at;
    float *noise = mni_alloc(p->count, sizeof *noise);
    CHECK(noise != NULL);
    oracle_fill(noise, p->count, p->at + 11);
    for (size_t i = 0; i < p->count; i++)
        switch (p->role) {
        case MNI_NORM_WEIGHT: at[i] = 0.8f + 0.2f * noise[i]; break;
        case MNI_NORM_BIAS: case MNI_NORM_MEAN: at[i] = 0.2f * noise[i]; break;
        case MNI_NORM_VAR: at[i] = 1.2f + 0.4f * noise[i]; break;
        default: break;
        }
    mni_free(noise);
}

typedef struct weights { float *params, *stats; } weights;

static weights weights_of(const mni_resnet_config *c)
{
    weights w = { mni_alloc(mni_resnet_n_params(c), sizeof(float)),
                  mni_alloc(mni_resnet_n_stats(c), sizeof(float)) };
    float *blocks[2] = { w.params, w.stats };
    CHECK(w.params && w.stats);
    mni_resnet_init(c, 5, w.params, w.stats);
    mni_resnet_each_param(c, some_numbers, blocks);
    mni_resnet_each_stat(c, some_numbers, blocks);
    return w;
}

static void weights_free(weights *w) { mni_free(w->params); mni_free(w->stats); }

/* A folded network that computes with `k`. */
static void ready(mni_infer *f, const mni_resnet_config *c, const mni_kern_conv *k)
{
    weights w = weights_of(c);
    CHECK_OK(mni_infer_init(f, c, NULL));
    if (k) f->kern = k;
    mni_infer_fold(f, w.params, w.stats);
    weights_free(&w);
}

/* --- how close ---------------------------------------------------------------------- */

static float *plain(const mni_resnet_config *c, const float *x, size_t n)
{
    mni_network *net;
    weights w = weights_of(c);
    const size_t n_out = n * mni_resnet_dim(c);
    CHECK_OK(mni_network_new_plain(&net, c, n, NULL, NULL));
    memcpy(mni_network_params(net), w.params, mni_network_n_params(net) * sizeof(float));
    memcpy(mni_network_stats(net), w.stats, mni_network_n_stats(net) * sizeof(float));
    float *e = mni_memdup(mni_network_forward(net, x, n, MNI_EVAL), n_out * sizeof *e);
    CHECK(e != NULL);
    mni_network_free(net);
    weights_free(&w);
    return e;
}

/* 1 - cosine, and the largest difference. Both are unit vectors. */
static void close_enough(const float *got, const float *want, size_t dim,
                         const char *what)
{
    double dot = 0, aa = 0, bb = 0, most = 0;
    for (size_t i = 0; i < dim; i++) {
        dot += (double)got[i] * want[i];
        aa += (double)got[i] * got[i];
        bb += (double)want[i] * want[i];
        if (fabs((double)got[i] - want[i]) > most) most = fabs((double)got[i] - want[i]);
    }
    const double cosine = dot / sqrt(aa * bb);
    if (!(cosine >= 0.9999999 && most <= 1e-5))
        test_fail(__FILE__, __LINE__, "%s: cosine %.12f, largest difference %g", what,
                  cosine, most);
}

/* A hundred times closer than promised (0.99999). Plain C is too slow for the large
 * ones. */
static void close_to_plain(void)
{
    static const struct { const char *name; uint32_t size; int scalar; } nets[] = {
        { "micro", 48, 1 },    { "mini", 32, 1 },     { "mini", 64, 0 },
        { "resnet18", 64, 0 }, { "resnet50", 40, 0 }, { "resnet18", 45, 0 },
    };
    mni_kern_conv levels[4];
    const int n = each_level(levels);
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        const mni_resnet_config c = preset_at(nets[i].name, nets[i].size);
        const uint32_t dim = mni_resnet_dim(&c);
        float *x = images(&c, 1, 3), *want = plain(&c, x, 1);
        float *got = mni_alloc(dim, sizeof *got);
        CHECK(got != NULL);
        for (int l = nets[i].scalar ? 0 : 1; l < n; l++) {
            char what[64];
            mni_infer f;
            ready(&f, &c, &levels[l]);
            CHECK_OK(mni_infer_forward(&f, x, 1, NULL, got, NULL));
            snprintf(what, sizeof what, "%s@%u %s", nets[i].name,
                     (unsigned)nets[i].size, levels[l].name);
            close_enough(got, want, dim, what);
            mni_infer_fini(&f);
        }
        mni_free(x); mni_free(want); mni_free(got);
    }
}

/* --- the same bits ------------------------------------------------------------------ */

/* Alone, in groups of 5, all 64 at once; on one thread, two and seven. */
static void same_bits_of(const char *name, uint32_t size)
{
    enum { N = 64 };
    static const uint32_t threads[] = { 2, 7 };
    const mni_resnet_config c = preset_at(name, size);
    const size_t dim = mni_resnet_dim(&c), one = 3 * (size_t)size * size;
    mni_infer f;
    ready(&f, &c, NULL);
    float *x = images(&c, N, 9), *all = mni_alloc(N * dim, sizeof *all),
          *some = mni_alloc(N * dim, sizeof *some);
    CHECK(all && some);
    CHECK_OK(mni_infer_forward(&f, x, N, NULL, all, NULL));
    for (size_t i = 0; i < N; i += 9) {
        CHECK_OK(mni_infer_forward(&f, x + i * one, 1, NULL, some, NULL));
        CHECK(memcmp(some, all + i * dim, dim * sizeof *some) == 0);
    }
    for (size_t t = 0; t < 2; t++) {
        mann_pool *pool;
        CHECK_OK(mann_pool_new(&pool, threads[t], NULL));
        for (size_t n = 1; n <= N; n = n == 5 ? N : n + 4) {
            memset(some, 0xFF, N * dim * sizeof *some);
            CHECK_OK(mni_infer_forward(&f, x + (N - n) * one, n, pool, some, NULL));
            CHECK(memcmp(some, all + (N - n) * dim, n * dim * sizeof *some) == 0);
        }
        mann_pool_free(pool);
    }
    mni_free(x); mni_free(all); mni_free(some);
    mni_infer_fini(&f);
}

static void same_bits(void)
{
    same_bits_of("resnet18", 40);
    same_bits_of("mini", 32);
}

static void same_bits_bottleneck(void) { same_bits_of("resnet50", 40); }

/* --- memory ------------------------------------------------------------------------- */

/* After the first call of a kind nothing is allocated: from then on every allocation
 * fails, and the calls do not notice. */
static void nothing_allocated(void)
{
    const mni_resnet_config c = preset_at("mini", 32);
    mann_pool *pool;
    mni_infer f;
    float *x = images(&c, 40, 2), out[40 * 128];
    ready(&f, &c, NULL);
    CHECK_OK(mann_pool_new(&pool, 2, NULL));
    for (int threads = 1; threads <= 2; threads++) {
        mni_pool *p = threads == 1 ? NULL : pool;
        CHECK_OK(mni_infer_forward(&f, x, 40, p, out, NULL));
        mni_mem_fail_after(0);
        for (size_t n = 1; n <= 40; n += 13) {
            const mann_status s = mni_infer_forward(&f, x, n, p, out, NULL);
            if (s != MANN_OK) mni_mem_fail_after(-1);
            CHECK_IS(s, MANN_OK);
        }
        mni_mem_fail_after(-1);
    }
    mann_pool_free(pool);
    mni_free(x);
    mni_infer_fini(&f);
}

/* Layer by layer, what must be alive at once is a bound from below; no plan is better. */
static size_t least(const mni_plan *p, const unsigned char *is_front, int front)
{
    size_t most = 0;
    for (size_t s = 0; s < p->n_layers; s++) {
        size_t now = 0;
        for (size_t t = 1; t < p->n_tensors; t++)
            if (is_front[t] == front && p->values[t].from <= s && s <= p->values[t].until)
                now += p->values[t].floats;
        if (now > most) most = now;
    }
    return most;
}

static void smallest_arena(void)
{
    static const char *const names[] = { "micro",    "mini",     "small",
                                         "resnet18", "resnet34", "resnet50" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mni_resnet_config c;
        mni_infer f;
        CHECK(mni_resnet_preset(&c, names[i]));
        CHECK_OK(mni_infer_init(&f, &c, NULL));
        CHECK_EQ(f.front_floats, least(&f.plan, f.is_front, 1));
        CHECK_EQ(f.back_floats, least(&f.plan, f.is_front, 0));
        mni_infer_fini(&f);
    }
}

typedef struct callers {
    const mni_infer *f;
    const float *x, *want;
    int wrong[8];
} callers;

static void call(void *ctx, size_t begin, size_t end, size_t chunk)
{
    callers *c = ctx;
    float out[128];
    (void)chunk;
    for (; begin < end; begin++)
        c->wrong[begin] =
            mni_infer_forward(c->f, c->x, 1, NULL, out, NULL) != MANN_OK ||
            memcmp(out, c->want, sizeof out) != 0;
}

/* Eight callers on four threads, more than there is spare memory for. */
static void many_callers(void)
{
    const mni_resnet_config c = preset_at("mini", 32);
    mann_pool *pool;
    mni_infer f;
    float *x = images(&c, 1, 2), want[128];
    ready(&f, &c, NULL);
    callers k = { .f = &f, .x = x, .want = want };
    CHECK_OK(mni_infer_forward(&f, x, 1, NULL, want, NULL));
    CHECK_OK(mann_pool_new(&pool, 6, NULL));
    mni_parallel_for(pool, 8, 1, call, &k);
    for (int i = 0; i < 8; i++) CHECK(!k.wrong[i]);
    mann_pool_free(pool);
    mni_free(x);
    mni_infer_fini(&f);
}

static mann_status oom_body(void *ctx)
{
    const mni_resnet_config *c = ctx;
    float x[3 * 16 * 16] = { 0 }, out[128];
    mni_infer f;
    MNI_TRY(mni_infer_init(&f, c, NULL));
    const mann_status s = mni_infer_forward(&f, x, 1, NULL, out, NULL);
    mni_infer_fini(&f);
    return s;
}

static void out_of_memory(void)
{
    mni_resnet_config c = preset_at("mini", 16);
    test_oom(oom_body, &c, 0);
}

const test_case nn_infer_tests[];
const test_case nn_infer_tests[] = {
    { "close_to_plain", close_to_plain, 0 },
    { "same_bits", same_bits, 0 },
    { "same_bits_bottleneck", same_bits_bottleneck, 1 },
    { "nothing_allocated", nothing_allocated, 0 },
    { "smallest_arena", smallest_arena, 0 },
    { "many_callers", many_callers, 0 },
    { "out_of_memory", out_of_memory, 0 },
    { 0 }
};
