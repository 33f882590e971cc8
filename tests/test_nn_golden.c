/* test_nn_golden.c - our layers, ResNet-18 and training against PyTorch's numbers in
 * tests/golden/nn_torch.bin, which tests/golden_torch.py wrote. Run from the top folder.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "harness.h"
#include "nn/layers.h"
#include "nn/network.h"
#include "nn/proxies.h"
#include "os/vfs.h"

/* --- the file and the formula ------------------------------------------------------- */

static uint8_t *bytes;
static size_t n_bytes;

static void golden_open(void)
{
    mann_error e;
    CHECK_FINE(mni_read_file(mni_vfs_posix(), "tests/golden/nn_torch.bin", 1 << 20,
                             &bytes, &n_bytes, &e),
               e);
}

/* The record `name`, of n floats; owned by the caller. */
static float *golden(const char *name, size_t n)
{
    mni_cursor c = mni_cursor_of(bytes, n_bytes);
    while (mni_cursor_left(&c)) {
        const size_t n_name = mni_cursor_u32(&c);
        const uint8_t *text = mni_cursor_take(&c, n_name);
        const size_t n_floats = mni_cursor_u32(&c);
        if (n_name == strlen(name) && memcmp(text, name, n_name) == 0) {
            CHECK_EQ(n_floats, n);
            float *out = mni_alloc(n, sizeof *out);
            for (size_t i = 0; i < n; i++) out[i] = mni_cursor_f32(&c);
            CHECK(!c.bad);
            return out;
        }
        mni_cursor_take(&c, 4 * n_floats);
        CHECK(!c.bad);
    }
    test_fail(__FILE__, __LINE__, "no golden record %s", name);
}

static void fill_at(float *out, const char *name, size_t n)
{
    uint64_t seed = 0xCBF29CE484222325u;
    for (const char *p = name; *p; p++) seed = (seed ^ (uint8_t)*p) * 0x100000001B3u;
    for (size_t i = 0; i < n; i++) {
        uint64_t x = seed + (i + 1) * 0x9E3779B97F4A7C15u;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
        out[i] = 2 * ((float)((x ^ (x >> 31)) >> 40) * 0x1p-24f) - 1;
    }
}

static float *fill(const char *layer, const char *part, size_t n)
{
    char name[96];
    float *out = mni_alloc(n, sizeof *out);
    snprintf(name, sizeof name, "%s.%s", layer, part);
    fill_at(out, name, n);
    return out;
}

static void compare(const char *layer, const char *part, const float *got, size_t n,
                    double tol)
{
    char name[96];
    snprintf(name, sizeof name, "%s%s", layer, part);
    float *want = golden(name, n);
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= tol * (1 + fabs((double)want[i]))))
            test_fail(__FILE__, __LINE__, "%s[%zu] = %.8g, PyTorch has %.8g", name, i,
                      (double)got[i], (double)want[i]);
    mni_free(want);
}

/* --- layers ------------------------------------------------------------------------- */

typedef struct set {
    mni_layer l;
    size_t n, n_x, n_y, n_w;
    float *x, *w, *b, *dy, *y, *dx, *dw, *db, *scratch;
} set;

static set set_of(const char *name, mni_layer_kind kind, size_t n, uint32_t c_in,
                  uint32_t side, uint32_t c_out, uint32_t kernel, uint32_t stride,
                  uint32_t pad)
{
    const uint32_t out = (side + 2 * pad - kernel) / stride + 1;
    set s = { .n = n };
    s.l = (mni_layer){ .kind = kind,
                       .add = MNI_NO_TENSOR,
                       .c_in = c_in,
                       .h_in = side,
                       .w_in = side,
                       .c_out = c_out,
                       .h_out = out,
                       .w_out = out,
                       .kernel = kernel,
                       .stride = stride,
                       .pad = pad };
    s.n_x = n * c_in * side * side;
    s.n_y = n * c_out * out * out;
    s.n_w = kind == MNI_CONV ? (size_t)c_out * c_in * kernel * kernel
                             : (size_t)c_out * c_in;
    s.x = fill(name, "x", s.n_x);
    s.w = fill(name, "w", s.n_w);
    s.b = fill(name, "b", c_out);
    s.dy = fill(name, "dy", s.n_y);
    s.y = mni_alloc(s.n_y, sizeof(float)); s.dx = mni_alloc(s.n_x, sizeof(float));
    s.dw = mni_alloc(s.n_w, sizeof(float)); s.db = mni_alloc(c_out, sizeof(float));
    s.scratch = mni_alloc(mni_conv_scratch(&s.l) + mni_linear_scratch(&s.l, n),
                          sizeof(float));
    return s;
}

static void set_check(const char *name, set *s, int weights, int bias)
{
    compare(name, ".y", s->y, s->n_y, 3e-6);
    compare(name, ".dx", s->dx, s->n_x, 1e-5);
    if (weights) compare(name, ".dw", s->dw, s->n_w, 1e-5);
    if (bias) compare(name, ".db", s->db, s->l.c_out, 1e-5);
    float *all[] = { s->x, s->w, s->b, s->dy, s->y, s->dx, s->dw, s->db, s->scratch };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) mni_free(all[i]);
}

static void convolutions(void)
{
    static const struct {
        const char *name;
        uint32_t c_in, side, c_out, kernel, stride, pad;
    } cases[] = { { "conv3", 4, 8, 6, 3, 1, 1 },
                  { "conv3s2", 3, 9, 5, 3, 2, 1 },
                  { "conv7", 3, 12, 4, 7, 2, 3 },
                  { "conv1s2", 5, 7, 4, 1, 2, 0 } };
    golden_open();
    for (size_t i = 0; i < 4; i++) {
        set s = set_of(cases[i].name, MNI_CONV, 2, cases[i].c_in, cases[i].side,
                       cases[i].c_out, cases[i].kernel, cases[i].stride, cases[i].pad);
        mni_conv_forward(&s.l, 2, s.x, s.w, (mni_after){ NULL, NULL, 0 }, s.y, s.scratch);
        mni_conv_backward(&s.l, 2, s.x, s.w, s.dy, s.dx, s.dw, s.scratch);
        set_check(cases[i].name, &s, 1, 0);
    }
    mni_free(bytes);
}

static void norm(void)
{
    enum { N = 3, C = 5 };
    golden_open();
    set s = set_of("norm", MNI_NORM, N, C, 4, C, 1, 1, 0);
    const mni_kern_ew *k = mni_kern_ew_best();
    float *r = fill("norm", "r", s.n_y), *dr = mni_alloc(s.n_y, sizeof *dr);
    float *w = fill("norm", "w", C), dw[C] = { 0 }, mean[C], var[C], abc[3 * C];
    float *run_mean = fill("norm", "mean", C), *run_var = fill("norm", "var", C);
    double pairs[2 * N * C];
    for (int c = 0; c < C; c++) run_var[c] += 1.5f;
    s.l.relu = 1;
    mni_norm_pairs(&s.l, N, s.x, pairs, k);
    mni_norm_gather(&s.l, N, pairs, mean, var, run_mean, run_var);
    mni_norm_apply(&s.l, N, s.x, r, w, s.b, mean, var, s.y, k);
    mni_norm_grad_pairs(&s.l, N, s.x, s.y, s.dy, mean, pairs, k);
    mni_norm_grad_gather(&s.l, N, pairs, w, mean, var, dw, s.db, abc);
    mni_norm_grad_apply(&s.l, N, s.x, s.y, s.dy, abc, s.dx, dr, k);
    compare("norm", ".dr", dr, s.n_y, 1e-6);
    compare("norm", ".dw", dw, C, 1e-5);
    compare("norm", ".mean", run_mean, C, 1e-6);
    compare("norm", ".var", run_var, C, 1e-6);
    set_check("norm", &s, 0, 1);
    mni_free(r); mni_free(dr); mni_free(w); mni_free(run_mean); mni_free(run_var);
    mni_free(bytes);
}

static void the_others(void)
{
    golden_open();
    set s = set_of("maxpool", MNI_MAXPOOL, 2, 3, 9, 3, 3, 2, 1);
    mni_maxpool_forward(&s.l, 2, s.x, s.y);
    mni_maxpool_backward(&s.l, 2, s.x, s.dy, s.dx);
    set_check("maxpool", &s, 0, 0);
    s = set_of("avgpool", MNI_AVGPOOL, 2, 3, 5, 3, 5, 1, 0);
    mni_avgpool_forward(&s.l, 2, s.x, s.y);
    mni_avgpool_backward(&s.l, 2, s.dy, s.dx);
    set_check("avgpool", &s, 0, 0);
    s = set_of("linear", MNI_LINEAR, 4, 7, 1, 5, 1, 1, 0);
    mni_linear_forward(&s.l, 4, s.x, s.w, s.b, s.y, s.scratch);
    mni_linear_backward(&s.l, 4, s.x, s.w, s.dy, s.dx, s.dw, s.db, s.scratch);
    set_check("linear", &s, 1, 1);
    s = set_of("unit", MNI_UNIT, 3, 6, 1, 6, 1, 1, 0);
    mni_unit_forward(&s.l, 3, s.x, s.y);
    mni_unit_backward(&s.l, 3, s.x, s.y, s.dy, s.dx);
    set_check("unit", &s, 0, 0);
    mni_free(bytes);
}

/* --- losses ------------------------------------------------------------------------- */

enum { N_LOSS = 12, DIM_LOSS = 6 };
static const uint32_t loss_labels[N_LOSS] = { 0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3 };

/* The vectors that the script makes unit ones of, and rounds. */
static void loss_rows(float *e, const char *name, size_t n)
{
    fill_at(e, name, n * DIM_LOSS);
    for (size_t i = 0; i < n; i++) {
        double squares = 0;
        for (size_t j = 0; j < DIM_LOSS; j++)
            squares += (double)e[i * DIM_LOSS + j] * e[i * DIM_LOSS + j];
        for (size_t j = 0; j < DIM_LOSS; j++)
            e[i * DIM_LOSS + j] = (float)(e[i * DIM_LOSS + j] / sqrt(squares));
    }
}

static void loss_check(const char *name, const char *part, const float *got, size_t n)
{
    char layer[64];
    snprintf(layer, sizeof layer, "loss.%s", name);
    compare(layer, part, got, n, 2e-6);
}

static void pair_losses(void)
{
    static const struct {
        const char *name;
        mni_loss_kind kind;
        mni_miner miner;
        int soft;
    } cases[] = { { "hard", MNI_LOSS_TRIPLET, MNI_MINE_HARD, 0 },
                  { "semi", MNI_LOSS_TRIPLET, MNI_MINE_SEMI_HARD, 0 },
                  { "soft", MNI_LOSS_TRIPLET, MNI_MINE_HARD, 1 },
                  { "contrastive", MNI_LOSS_CONTRASTIVE, MNI_MINE_HARD, 0 },
                  { "supcon", MNI_LOSS_SUPCON, MNI_MINE_HARD, 0 },
                  { "npair", MNI_LOSS_NPAIR, MNI_MINE_HARD, 0 } };
    float e[N_LOSS * DIM_LOSS], de[N_LOSS * DIM_LOSS];
    golden_open();
    loss_rows(e, "loss.e", N_LOSS);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mni_loss_config c = mni_loss_default();
        mni_loss_result r;
        c.kind = cases[i].kind;
        c.miner = cases[i].miner;
        c.soft = cases[i].soft;
        if (c.kind == MNI_LOSS_CONTRASTIVE) c.margin = 0.9f;
        CHECK_OK(mni_loss_compute(&c, e, loss_labels, N_LOSS, DIM_LOSS, &r, de, NULL));
        const float value = (float)r.loss;
        loss_check(cases[i].name, "", &value, 1);
        loss_check(cases[i].name, ".de", de, N_LOSS * DIM_LOSS);
    }
    mni_free(bytes);
}

/* After a first step without momentum, the momentum is the gradient. */
static void proxy_losses(void)
{
    static const struct {
        const char *name;
        mni_loss_kind kind;
        float margin, temperature;
    } cases[] = { { "softmax", MNI_LOSS_SOFTMAX, 0, 0.1f },
                  { "cosface", MNI_LOSS_COSFACE, 0.2f, 0.1f },
                  { "arcface", MNI_LOSS_ARCFACE, 0.3f, 0.1f },
                  { "proxy_anchor", MNI_LOSS_PROXY_ANCHOR, 0.1f, 1.0f / 32 } };
    enum { PROXIES = 7 };
    const mni_proxy_step o = { 1e-9f, 0, 0, 0 };
    float e[N_LOSS * DIM_LOSS], de[N_LOSS * DIM_LOSS];
    golden_open();
    loss_rows(e, "loss.e", N_LOSS);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mni_loss_config c = mni_loss_default();
        mni_loss_result r = { 0 };
        mni_proxies *p;
        c.kind = cases[i].kind;
        c.margin = cases[i].margin;
        c.temperature = cases[i].temperature;
        CHECK_OK(mni_proxies_new(&p, PROXIES, DIM_LOSS, N_LOSS, 0, NULL, NULL));
        loss_rows(mni_proxies_rows(p), "loss.w", PROXIES);
        mni_proxies_learn(p, &c, &o, e, loss_labels, N_LOSS, &r, de);
        const float value = (float)r.loss;
        loss_check(cases[i].name, "", &value, 1);
        loss_check(cases[i].name, ".de", de, N_LOSS * DIM_LOSS);
        loss_check(cases[i].name, ".dw", mni_proxies_momentum(p), PROXIES * DIM_LOSS);
        mni_proxies_free(p);
    }
    mni_free(bytes);
}

/* --- networks ----------------------------------------------------------------------- */

typedef struct place { const char *prefix; float *params, *stats; int check; } place;

/* Fills an array as class Net of the script does; or compares it. */
static void array(void *ctx, const mni_param *p)
{
    const place *k = ctx;
    char name[128];
    float scale = 1, shift = 0,
          *at = (p->role >= MNI_NORM_MEAN ? k->stats : k->params) + p->at;
    snprintf(name, sizeof name, "%s%s", k->prefix, p->name);
    if (k->check) { compare(name, "", at, p->count, 2e-4); return; }
    fill_at(at, name, p->count);
    switch (p->role) {
    case MNI_CONV_WEIGHT:
        scale = (float)sqrt(6.0 / (p->shape[0] * p->shape[2] * p->shape[3]));
        break;
    case MNI_LINEAR_WEIGHT: scale = 0.1f; break;
    case MNI_NORM_WEIGHT: scale = 0.25f; shift = 1; break;
    case MNI_NORM_BIAS: case MNI_NORM_MEAN: scale = 0.25f; break;
    case MNI_NORM_VAR: shift = 1.5f; break;
    case MNI_LINEAR_BIAS: break;
    }
    for (size_t i = 0; i < p->count; i++) at[i] = shift + scale * at[i];
}

static void resnet18_at(uint32_t size, size_t n)
{
    mni_resnet_config c;
    mni_model *m;
    char name[32];
    mni_resnet_preset(&c, "resnet18");
    c.input_size = size;
    const size_t np = mni_resnet_n_params(&c), ns = mni_resnet_n_stats(&c);
    place k = { "r18.", mni_alloc(np, sizeof(float)), mni_alloc(ns, sizeof(float)), 0 };
    mni_resnet_each_param(&c, array, &k);
    mni_resnet_each_stat(&c, array, &k);
    CHECK_OK(mni_model_new_resnet(&m, "resnet18", &c, 0, NULL));
    CHECK_OK(mni_model_set_weights(m, k.params, k.stats, NULL));
    snprintf(name, sizeof name, "input%u", (unsigned)size);
    float *x = fill("r18", name, n * 3 * size * size),
          *out = mni_alloc(n * 512, sizeof *out);
    CHECK_OK(mni_model_forward(m, x, n, NULL, out, NULL));
    snprintf(name, sizeof name, "%u", (unsigned)size);
    compare("r18.", name, out, n * 512, 2e-6);
    mni_free(x); mni_free(out); mni_free(k.params); mni_free(k.stats);
    mni_model_free(m);
}

static void resnet18(void)
{
    golden_open();
    resnet18_at(64, 2);
    resnet18_at(224, 1);
    mni_free(bytes);
}

static void ten_steps(const char *prefix, mni_loss_kind kind, int nesterov, float clip)
{
    static const mni_resnet_config c = { 10, 2, 0, 0, 2, { 6, 8 }, { 1, 1 }, 5 };
    static const uint32_t labels[8] = { 0, 0, 1, 1, 2, 2, 3, 3 };
    mni_network *net;
    mni_loss_config loss = mni_loss_default();
    mni_sgd sgd = { 0.05f, 0.9f, 0.01f, clip, nesterov };
    float losses[10], de[8 * 5];
    CHECK_OK(mni_network_new(&net, &c, 8, NULL, NULL));
    place k = { prefix, mni_network_params(net), mni_network_stats(net), 0 };
    mni_resnet_each_param(&c, array, &k);
    mni_resnet_each_stat(&c, array, &k);
    loss.kind = kind;
    loss.miner = MNI_MINE_HARD;
    for (int step = 0; step < 10; step++) {
        char name[64];
        mni_loss_result r;
        float *x = mni_alloc(8 * 200, sizeof *x);
        snprintf(name, sizeof name, "%sinput%d", prefix, step);
        fill_at(x, name, 8 * 200);
        const float *e = mni_network_forward(net, x, 8, MNI_TRAIN);
        CHECK_OK(mni_loss_compute(&loss, e, labels, 8, 5, &r, de, NULL));
        losses[step] = (float)r.loss;
        mni_network_zero_grads(net);
        mni_network_backward(net, de);
        mni_network_step(net, &sgd);
        mni_free(x);
    }
    compare(prefix, "losses", losses, 10, 2e-5);
    k.check = 1;
    mni_resnet_each_param(&c, array, &k);
    mni_resnet_each_stat(&c, array, &k);
    mni_network_free(net);
}

static void sgd_steps(void)
{
    golden_open();
    ten_steps("hard.", MNI_LOSS_TRIPLET, 0, 0.0f);
    ten_steps("supcon.", MNI_LOSS_SUPCON, 1, 1.0f);
    mni_free(bytes);
}

const test_case nn_golden_tests[];
const test_case nn_golden_tests[] = {
    { "convolutions", convolutions, 0 },
    { "norm", norm, 0 },
    { "the_others", the_others, 0 },
    { "pair_losses", pair_losses, 0 },
    { "proxy_losses", proxy_losses, 0 },
    { "resnet18", resnet18, 1 },
    { "sgd_steps", sgd_steps, 0 },
    { 0 }
};
