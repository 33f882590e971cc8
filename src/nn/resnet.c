/* resnet.c - see resnet.h. How to read it: `walk` holds where we are (next tensor, next
 * free float); conv, norm and the others each emit one layer and return the value it
 * makes; block and mni_resnet_each_layer read like figure 5 and table 1 of the paper.
 * SPDX-License-Identifier: MIT */
#include "nn/resnet.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"

enum {
    MIN_SIDE = 8,
    MAX_SIDE = 1024,
    MAX_CHANNELS = 16,
    MAX_WIDTH = 2048,
    MAX_DEPTH = 64,
    MAX_DIM = 16384
};
enum { EXPANSION = 4 }; /* how much wider a bottleneck ends than it is inside */

static const struct { const char *name; mni_resnet_config config; } presets[] = {
    { "micro",    {  48, 3, 0, 0, 4, { 16, 32, 64, 128 },   { 1, 1, 1, 1 }, 64 } },
    { "mini",     {  64, 3, 0, 0, 4, { 32, 64, 128, 256 },  { 1, 1, 1, 1 }, 128 } },
    { "small",    {  96, 3, 1, 0, 4, { 48, 96, 192, 256 },  { 1, 1, 1, 1 }, 128 } },
    { "resnet18", { 224, 3, 1, 0, 4, { 64, 128, 256, 512 }, { 2, 2, 2, 2 }, 512 } },
    { "resnet34", { 224, 3, 1, 0, 4, { 64, 128, 256, 512 }, { 3, 4, 6, 3 }, 512 } },
    { "resnet50", { 224, 3, 1, 1, 4, { 64, 128, 256, 512 }, { 3, 4, 6, 3 }, 0 } },
};

int mni_resnet_preset(mni_resnet_config *c, const char *name)
{
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (strcmp(name, presets[i].name) == 0) { *c = presets[i].config; return 1; }
    return 0;
}

static mann_status in_range(const char *what, uint32_t v, uint32_t low, uint32_t high,
                            mann_error *err)
{
    if (v >= low && v <= high) return MANN_OK;
    return mni_fail(err, MANN_E_ARG, "resnet: %s is %u, wanted %u..%u", what, (unsigned)v,
                    (unsigned)low, (unsigned)high);
}

mann_status mni_resnet_check(const mni_resnet_config *c, mann_error *err)
{
    MNI_TRY(in_range("input size", c->input_size, MIN_SIDE, MAX_SIDE, err));
    MNI_TRY(
        in_range("number of input channels", c->input_channels, 1, MAX_CHANNELS, err));
    MNI_TRY(in_range("stem kind", c->big_stem, 0, 1, err));
    MNI_TRY(in_range("block kind", c->bottleneck, 0, 1, err));
    MNI_TRY(in_range("number of stages", c->n_stages, 1, MNI_RESNET_MAX_STAGES, err));
    for (uint32_t i = 0; i < c->n_stages; i++) {
        MNI_TRY(in_range("width of a stage", c->widths[i], 1, MAX_WIDTH, err));
        MNI_TRY(in_range("depth of a stage", c->depths[i], 1, MAX_DEPTH, err));
    }
    return in_range("dimension of the head", c->dim, 0, MAX_DIM, err);
}

mni_resnet_config mni_resnet_clean(const mni_resnet_config *c)
{
    mni_resnet_config clean = *c;
    for (uint32_t i = c->n_stages; i < MNI_RESNET_MAX_STAGES; i++)
        clean.widths[i] = clean.depths[i] = 0;
    return clean;
}

uint32_t mni_resnet_dim(const mni_resnet_config *c)
{
    if (c->dim) return c->dim;
    return c->widths[c->n_stages - 1] * (c->bottleneck ? EXPANSION : 1);
}

/* --- the walk: one emitter per kind of layer ---------------------------------------- */

typedef struct walk {
    mni_layer_fn fn;
    void *ctx;
    int n_tensors;                  /* made so far; the input is 0 */
    size_t n_params, n_stats;
} walk;

typedef struct value { int tensor; uint32_t c, h, w; } value;

static size_t take(size_t *used, size_t count)
{
    size_t at = *used;
    *used += count;
    return at;
}

/* A layer from x to a map of c x h x w, with everything else at "none". */
static mni_layer layer_of(mni_layer_kind kind, const char *name, value x, uint32_t c,
                          uint32_t h, uint32_t w)
{
    mni_layer l = {
        .kind = kind,
        .in = x.tensor,
        .add = MNI_NO_TENSOR,
        .c_in = x.c,
        .h_in = x.h,
        .w_in = x.w,
        .c_out = c,
        .h_out = h,
        .w_out = w,
        .stride = 1,
        .weight = MNI_NOWHERE,
        .bias = MNI_NOWHERE,
        .mean = MNI_NOWHERE,
        .var = MNI_NOWHERE,
    };
    snprintf(l.name, sizeof l.name, "%s", name);
    return l;
}

static value emit(walk *k, mni_layer *l)
{
    l->out = k->n_tensors++;
    k->fn(k->ctx, l);
    return (value){ l->out, l->c_out, l->h_out, l->w_out };
}

static uint32_t slid(uint32_t n, uint32_t kernel, uint32_t stride, uint32_t pad)
{
    return (n + 2 * pad - kernel) / stride + 1;
}

static value conv(walk *k, const char *name, value x, uint32_t c_out, uint32_t kernel,
                  uint32_t stride)
{
    uint32_t pad = kernel / 2;
    mni_layer l = layer_of(MNI_CONV, name, x, c_out, slid(x.h, kernel, stride, pad),
                           slid(x.w, kernel, stride, pad));
    l.kernel = kernel; l.stride = stride; l.pad = pad;
    l.weight = take(&k->n_params, (size_t)c_out * x.c * kernel * kernel);
    return emit(k, &l);
}

static value norm(walk *k, const char *name, value x, int add, int relu)
{
    mni_layer l = layer_of(MNI_NORM, name, x, x.c, x.h, x.w);
    l.add = add;
    l.relu = relu;
    l.weight = take(&k->n_params, x.c);
    l.bias = take(&k->n_params, x.c);
    l.mean = take(&k->n_stats, x.c);
    l.var = take(&k->n_stats, x.c);
    return emit(k, &l);
}

static value stem(walk *k, value x, const mni_resnet_config *c)
{
    x = conv(k, "conv1", x, c->widths[0], c->big_stem ? 7 : 3, c->big_stem ? 2 : 1);
    x = norm(k, "bn1", x, MNI_NO_TENSOR, 1);
    if (!c->big_stem) return x;
    mni_layer l = layer_of(MNI_MAXPOOL, "maxpool", x, x.c, slid(x.h, 3, 2, 1),
                           slid(x.w, 3, 2, 1));
    l.kernel = 3; l.stride = 2; l.pad = 1;
    return emit(k, &l);
}

/* y = relu(f(x) + shortcut(x)). The shortcut is x itself, or a 1x1 convolution and a norm
 * where the shape changes: the fewer things stand between x and y, the better gradients
 * travel. */
static value block(walk *k, const char *name, value x, uint32_t width, uint32_t stride,
                   int bottleneck)
{
    char n[MNI_NAME_CHARS];
    uint32_t c_out = bottleneck ? width * EXPANSION : width;
    value y = x, last;

    if (bottleneck) {
        snprintf(n, sizeof n, "%s.conv1", name); y = conv(k, n, y, width, 1, 1);
        snprintf(n, sizeof n, "%s.bn1", name);   y = norm(k, n, y, MNI_NO_TENSOR, 1);
        snprintf(n, sizeof n, "%s.conv2", name); y = conv(k, n, y, width, 3, stride);
        snprintf(n, sizeof n, "%s.bn2", name);   y = norm(k, n, y, MNI_NO_TENSOR, 1);
        snprintf(n, sizeof n, "%s.conv3", name); y = conv(k, n, y, c_out, 1, 1);
    } else {
        snprintf(n, sizeof n, "%s.conv1", name); y = conv(k, n, y, width, 3, stride);
        snprintf(n, sizeof n, "%s.bn1", name);   y = norm(k, n, y, MNI_NO_TENSOR, 1);
        snprintf(n, sizeof n, "%s.conv2", name); y = conv(k, n, y, width, 3, 1);
    }
    last = y;
    if (stride != 1 || x.c != c_out) {
        snprintf(n, sizeof n, "%s.downsample.0", name);
        x = conv(k, n, x, c_out, 1, stride);
        snprintf(n, sizeof n, "%s.downsample.1", name);
        x = norm(k, n, x, MNI_NO_TENSOR, 0);
    }
    snprintf(n, sizeof n, "%s.bn%d", name, bottleneck ? 3 : 2);
    return norm(k, n, last, x.tensor, 1);
}

static void walk_layers(walk *k, const mni_resnet_config *c)
{
    value x = { 0, c->input_channels, c->input_size, c->input_size };
    k->n_tensors = 1;
    x = stem(k, x, c);
    for (uint32_t s = 0; s < c->n_stages; s++)
        for (uint32_t b = 0; b < c->depths[s]; b++) {
            char name[24];
            snprintf(name, sizeof name, "layer%u.%u", (unsigned)s + 1, (unsigned)b);
            x = block(k, name, x, c->widths[s], s > 0 && b == 0 ? 2 : 1,
                      (int)c->bottleneck);
        }
    mni_layer pool = layer_of(MNI_AVGPOOL, "avgpool", x, x.c, 1, 1);
    x = emit(k, &pool);
    if (c->dim) {
        mni_layer fc = layer_of(MNI_LINEAR, "fc", x, c->dim, 1, 1);
        fc.weight = take(&k->n_params, (size_t)c->dim * x.c);
        fc.bias = take(&k->n_params, c->dim);
        x = emit(k, &fc);
    }
    mni_layer unit = layer_of(MNI_UNIT, "unit", x, x.c, 1, 1);
    emit(k, &unit);
}

void mni_resnet_each_layer(const mni_resnet_config *c, mni_layer_fn fn, void *ctx)
{
    walk k = { .fn = fn, .ctx = ctx };
    walk_layers(&k, c);
}

/* --- what the walk is good for ------------------------------------------------------ */

static void no_layer(void *ctx, const mni_layer *l) { (void)ctx; (void)l; }

size_t mni_resnet_n_params(const mni_resnet_config *c)
{
    walk k = { .fn = no_layer };
    walk_layers(&k, c);
    return k.n_params;
}

size_t mni_resnet_n_stats(const mni_resnet_config *c)
{
    walk k = { .fn = no_layer };
    walk_layers(&k, c);
    return k.n_stats;
}

typedef struct param_walk { mni_param_fn fn; void *ctx; } param_walk;

static void give(const param_walk *w, const mni_layer *l, const char *part,
                 mni_param_role role, size_t at, uint32_t n_axes, const uint32_t shape[4])
{
    mni_param p = { .role = role, .n_axes = n_axes, .at = at, .count = 1 };
    snprintf(p.name, sizeof p.name, "%s.%s", l->name, part);
    for (uint32_t i = 0; i < n_axes; i++) {
        p.shape[i] = shape[i];
        p.count *= shape[i];
    }
    w->fn(w->ctx, &p);
}

static void layer_params(void *ctx, const mni_layer *l)
{
    const uint32_t conv4[4] = { l->c_out, l->c_in, l->kernel, l->kernel };
    const uint32_t plane[4] = { l->c_out, l->c_in, 0, 0 };
    switch (l->kind) {
    case MNI_CONV:
        give(ctx, l, "weight", MNI_CONV_WEIGHT, l->weight, 4, conv4);
        break;
    case MNI_NORM:
        give(ctx, l, "weight", MNI_NORM_WEIGHT, l->weight, 1, plane);
        give(ctx, l, "bias", MNI_NORM_BIAS, l->bias, 1, plane);
        break;
    case MNI_LINEAR:
        give(ctx, l, "weight", MNI_LINEAR_WEIGHT, l->weight, 2, plane);
        give(ctx, l, "bias", MNI_LINEAR_BIAS, l->bias, 1, plane);
        break;
    case MNI_MAXPOOL: case MNI_AVGPOOL: case MNI_UNIT:
        break;
    }
}

static void layer_stats(void *ctx, const mni_layer *l)
{
    const uint32_t row[4] = { l->c_out, 0, 0, 0 };
    if (l->kind != MNI_NORM) return;
    give(ctx, l, "running_mean", MNI_NORM_MEAN, l->mean, 1, row);
    give(ctx, l, "running_var", MNI_NORM_VAR, l->var, 1, row);
}

void mni_resnet_each_param(const mni_resnet_config *c, mni_param_fn fn, void *ctx)
{
    param_walk w = { fn, ctx };
    mni_resnet_each_layer(c, layer_params, &w);
}

void mni_resnet_each_stat(const mni_resnet_config *c, mni_param_fn fn, void *ctx)
{
    param_walk w = { fn, ctx };
    mni_resnet_each_layer(c, layer_stats, &w);
}

typedef struct init_walk { uint64_t seed; float *params, *stats; } init_walk;

static void init_param(void *ctx, const mni_param *p)
{
    const init_walk *w = ctx;
    float *at = (p->role >= MNI_NORM_MEAN ? w->stats : w->params) + p->at;
    mni_rng r = mni_rng_at(w->seed, MNI_FOR_INIT, 0, 0, p->at);
    float scale = 0;
    switch (p->role) {
    case MNI_CONV_WEIGHT:
        scale = (float)sqrt(2.0 / ((double)p->shape[0] * p->shape[2] * p->shape[3]));
        for (size_t i = 0; i < p->count; i++) at[i] = scale * mni_rng_normal(&r);
        break;
    case MNI_LINEAR_WEIGHT:
        scale = (float)sqrt(1.0 / p->shape[1]);
        for (size_t i = 0; i < p->count; i++) at[i] = mni_rng_range(&r, -scale, scale);
        break;
    case MNI_NORM_WEIGHT: case MNI_NORM_VAR:
        for (size_t i = 0; i < p->count; i++) at[i] = 1.0f;
        break;
    case MNI_NORM_BIAS: case MNI_LINEAR_BIAS: case MNI_NORM_MEAN:
        for (size_t i = 0; i < p->count; i++) at[i] = 0.0f;
        break;
    }
}

void mni_resnet_init(const mni_resnet_config *c, uint64_t seed, float *params,
                     float *stats)
{
    init_walk w = { seed, params, stats };
    mni_resnet_each_param(c, init_param, &w);
    mni_resnet_each_stat(c, init_param, &w);
}
