/* low.c - see low.h: measuring, quantising, packing. The forward pass is low_forward.c.
 * SPDX-License-Identifier: MIT */
#include "nn/low.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "nn/layers.h"

/* --- folding ------------------------------------------------------------------------ */

typedef struct fold {
    const float *params, *stats;
    float *to;
    mni_layer conv[2];          /* the last convolutions: [0] the last, [1] before it */
} fold;

/* The shortcut's convolution stands between a block's last and that one's norm. */
static void fold_layer(void *ctx, const mni_layer *l)
{
    fold *k = ctx;
    if (l->kind == MNI_CONV) {
        k->conv[1] = k->conv[0];
        k->conv[0] = *l;
    }
    if (l->kind != MNI_NORM) return;
    const mni_layer *conv = &k->conv[k->conv[0].out == l->in ? 0 : 1];
    const size_t n = (size_t)conv->c_in * conv->kernel * conv->kernel;
    float *w = k->to + conv->weight;
    for (size_t c = 0; c < l->c_out; c++) {
        const double s = k->params[l->weight + c] /
                         sqrt((double)k->stats[l->var + c] + MNI_NORM_EPSILON);
        for (size_t i = 0; i < n; i++) w[c * n + i] = (float)(w[c * n + i] * s);
        k->to[l->bias + c] = (float)(k->params[l->bias + c] - k->stats[l->mean + c] * s);
    }
}

void mni_low_fold(const mni_resnet_config *c, const float *params, const float *stats,
                  float *folded)
{
    fold k = { .params = params, .stats = stats, .to = folded };
    memcpy(folded, params, mni_resnet_n_params(c) * sizeof *params);
    mni_resnet_each_layer(c, fold_layer, &k);
}

/* --- ranges ------------------------------------------------------------------------- */

size_t mni_low_n_ranges(const mni_resnet_config *c)
{
    mni_plan p;
    size_t n = 0;
    if (mni_plan_init(&p, c, 1, NULL) == MANN_OK) n = p.n_tensors + 1;
    mni_plan_fini(&p);
    return n;
}

static void widen(float *largest, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fabsf(x[i]) > *largest) *largest = fabsf(x[i]);
}

/* One image through the f32 network, layer by layer. */
static void measure_one(const mni_plan *p, const float *folded, const float *input,
                        float *arena, float *scratch, float *ranges)
{
    for (size_t s = 0; s < p->n_layers; s++) {
        const mni_layer *l = &p->layers[s];
        const float *x = l->in ? arena + p->values[l->in].at : input;
        float *y = arena + p->values[l->out].at;
        const float *w = l->weight == MNI_NOWHERE ? NULL : folded + l->weight;
        const float *bias = l->bias == MNI_NOWHERE ? NULL : folded + l->bias;
        switch (l->kind) {
        case MNI_CONV: {
            const float *r = l->add == MNI_NO_TENSOR ? NULL
                                                     : arena + p->values[l->add].at;
            mni_conv_forward(l, 1, x, w, (mni_after){ bias, r, l->relu }, y, scratch);
            break;
        }
        case MNI_MAXPOOL: mni_maxpool_forward(l, 1, x, y); break;
        case MNI_AVGPOOL: mni_avgpool_forward(l, 1, x, y); break;
        case MNI_LINEAR:  mni_linear_forward(l, 1, x, w, bias, y, scratch); break;
        case MNI_UNIT:    mni_unit_forward(l, 1, x, y); break;
        case MNI_NORM:    break;                /* a folded plan has none */
        }
        widen(&ranges[1 + l->out], y, (size_t)l->c_out * l->h_out * l->w_out);
    }
}

/* Up to 8 significant bits: levels of SIMD that differ in the last bits of a float agree
 * on the range, but for rare cases. */
static float rounded_up(float v)
{
    int e;
    const double m = (double)frexpf(v, &e) * 256;
    return ldexpf((float)(m < 0 ? floor(m) : ceil(m)) / 256, e);
}

mann_status mni_low_measure(const mni_resnet_config *c, const float *folded,
                            const float *input, size_t n, float *ranges, mann_error *err)
{
    const size_t n_in = (size_t)c->input_channels * c->input_size * c->input_size;
    size_t scratch = 0;
    mni_plan p;
    MNI_TRY(mni_plan_init(&p, c, 1, err));
    for (size_t s = 0; s < p.n_layers; s++) {
        const mni_layer *l = &p.layers[s];
        const size_t need = l->kind == MNI_CONV     ? mni_conv_scratch(l)
                            : l->kind == MNI_LINEAR ? mni_linear_scratch(l, 1) : 0;
        if (need > scratch) scratch = need;
    }
    scratch = (scratch + 15) / 16 * 16;
    float *work = mni_alloc_aligned(scratch + p.arena_floats, sizeof *work, 1);
    if (work)
        for (size_t i = 0; i < n; i++) {
            const float *x = input + i * n_in;
            for (size_t k = 0; k < n_in; k++) {
                if (x[k] < ranges[0]) ranges[0] = x[k];
                if (x[k] > ranges[1]) ranges[1] = x[k];
            }
            measure_one(&p, folded, x, work + scratch, work, ranges);
        }
    for (size_t i = 0; i < p.n_tensors + 1; i++) ranges[i] = rounded_up(ranges[i]);
    mni_plan_fini(&p);
    if (!work) return mni_fail(err, MANN_E_NOMEM, "model: measuring its ranges");
    mni_free(work);
    return MANN_OK;
}

/* --- layout ------------------------------------------------------------------------- */

static size_t element(const mni_low *f)
{
    return f->precision == MNI_PRECISION_INT8 ? 1 : 2;
}

/* A blocked map with a border of 1; the input with that of the first layer, and words of
 * as many channels as it has; behind the pooling, floats. */
static mni_low_map map_of(const mni_low *f, size_t channels, size_t h, size_t w,
                          size_t border, size_t words)
{
    mni_low_map m = { .pixel = 4 * words };
    const size_t whole = 4 * element(f);
    m.row = (w + 2 * border) * m.pixel;
    m.block = (h + 2 * border) * m.row;
    m.n_bytes = m.block * (words < whole ? 1 : (channels + 15) / 16);
    m.inside = border * (m.row + m.pixel);
    return m;
}

static void lay_out(mni_low *f, size_t *n_packed, size_t *n_floats)
{
    const size_t whole = 4 * element(f), in_word = 4 / element(f);
    *n_packed = *n_floats = 0;
    for (size_t s = 0; s < f->plan.n_layers; s++) {
        const mni_layer *l = &f->plan.layers[s];
        mni_low_layer *q = &f->layers[s];
        mni_low_map *y = &f->maps[l->out];
        q->scale = *n_floats;
        if (l->kind == MNI_CONV) {
            const size_t o = (l->c_out + 15) / 16 * 16;
            q->words = l->in == 0 && l->c_in <= in_word * (whole - 1)
                           ? (l->c_in + in_word - 1) / in_word : whole;
            q->n_blocks = q->words < whole ? 1 : (l->c_in + 15) / 16;
            if (l->in == 0)
                f->maps[0] = map_of(f, l->c_in, l->h_in, l->w_in, l->pad, q->words);
            q->weight = *n_packed;
            q->shift = *n_floats + o;
            *n_packed += mni_low_packed_bytes(l->c_out, q->n_blocks, l->kernel, q->words);
            *n_floats += 2 * o;
        } else if (l->kind == MNI_LINEAR) {
            q->shift = *n_floats + (size_t)l->c_out * l->c_in;
            *n_floats = q->shift + l->c_out;
        }
        *y = l->kind == MNI_CONV || l->kind == MNI_MAXPOOL
                 ? map_of(f, l->c_out, l->h_out, l->w_out, 1, whole)
                 : (mni_low_map){ .n_bytes = l->c_out * sizeof(float) };
        f->plan.values[l->out].floats = (y->n_bytes + 3) / 4;
    }
}

/* --- weights ------------------------------------------------------------------------ */

static void quantise(int8_t *q, float *scale, const float *w, size_t n)
{
    float largest = 0;
    widen(&largest, w, n);
    *scale = largest > 0 ? largest / 127.0f : 1.0f;
    for (size_t i = 0; i < n; i++) q[i] = (int8_t)lrintf(w[i] / *scale);
}

/* sum * scale + shift + r * r_scale gives units of y, counted from its zero point. */
static void pack_int8(mni_low *f, const mni_layer *l, mni_low_layer *q,
                      const float *folded, int8_t *plain)
{
    const size_t n = (size_t)l->c_in * l->kernel * l->kernel;
    const double x_scale = f->scales[l->in], y_scale = f->scales[l->out];
    const int x_zero = f->zeros[l->in], y_zero = f->zeros[l->out];
    double r_shift = 0;
    if (l->add != MNI_NO_TENSOR) {
        q->r_scale = (float)(f->scales[l->add] / y_scale);
        r_shift = (double)q->r_scale * f->zeros[l->add];
    }
    for (size_t o = 0; o < l->c_out; o++) {
        float w_scale;
        int32_t sum = 0;
        quantise(plain + o * n, &w_scale, folded + l->weight + o * n, n);
        for (size_t i = 0; i < n; i++) sum += plain[o * n + i];
        const double scale = x_scale * w_scale / y_scale;
        f->floats[q->scale + o] = (float)scale;
        f->floats[q->shift + o] =
            (float)(folded[l->bias + o] / y_scale - scale * sum * x_zero + y_zero -
                    r_shift);
    }
    mni_low_pack(f->packed + q->weight, plain, 1, l->c_out, l->c_in, l->kernel,
                 q->n_blocks, q->words);
}

static void pack_bf16(mni_low *f, const mni_layer *l, const mni_low_layer *q,
                      const float *folded, uint16_t *plain)
{
    const size_t n = (size_t)l->c_out * l->c_in * l->kernel * l->kernel;
    for (size_t i = 0; i < n; i++) plain[i] = mni_bf16_from_f32(folded[l->weight + i]);
    memcpy(f->floats + q->shift, folded + l->bias, l->c_out * sizeof *folded);
    mni_low_pack(f->packed + q->weight, plain, 2, l->c_out, l->c_in, l->kernel,
                 q->n_blocks, q->words);
}

static void pack_layers(mni_low *f, const float *folded, void *plain)
{
    for (size_t s = 0; s < f->plan.n_layers; s++) {
        const mni_layer *l = &f->plan.layers[s];
        mni_low_layer *q = &f->layers[s];
        if (l->kind == MNI_LINEAR) {
            memcpy(f->floats + q->scale, folded + l->weight,
                   (size_t)l->c_out * l->c_in * sizeof *folded);
            memcpy(f->floats + q->shift, folded + l->bias, l->c_out * sizeof *folded);
        }
        if (l->kind != MNI_CONV) continue;
        if (f->precision == MNI_PRECISION_INT8) pack_int8(f, l, q, folded, plain);
        else pack_bf16(f, l, q, folded, plain);
    }
}

/* A maximum has the scale of what it is the maximum of. */
static void set_scales(mni_low *f, const float *ranges)
{
    const float low = ranges[0], span = ranges[1] - ranges[0];
    f->scales[0] = span > 0 ? span / 255.0f : 1.0f;
    f->zeros[0] = (uint8_t)lrintf(fminf(fmaxf(-low / f->scales[0], 0.0f), 255.0f));
    for (size_t s = 0; s < f->plan.n_layers; s++) {
        const mni_layer *l = &f->plan.layers[s];
        const float most = ranges[1 + l->out];
        const int both_signs = l->kind == MNI_CONV && !l->relu;
        f->zeros[l->out] = both_signs ? 128 : 0;
        f->scales[l->out] = l->kind == MNI_MAXPOOL ? f->scales[l->in]
                            : most > 0 ? most / (both_signs ? 127.0f : 255.0f) : 1.0f;
    }
}

/* --- making ------------------------------------------------------------------------- */

static mann_status place(mni_low *f, mann_error *err)
{
    const size_t n = f->plan.n_tensors;
    size_t *order = mni_alloc(n, sizeof *order);
    if (!order) return mni_fail(err, MANN_E_NOMEM, "model: plan of its maps");
    f->plan.arena_floats = mni_buffers_place(f->plan.values, n, order);
    mni_free(order);
    f->head_floats = 0;
    for (size_t s = 0; s < f->plan.n_layers; s++)
        if (f->plan.layers[s].kind == MNI_LINEAR)
            f->head_floats = mni_linear_scratch(&f->plan.layers[s], 1);
    f->head_floats = (f->head_floats + 15) / 16 * 16;
    f->piece_floats = f->head_floats + (f->maps[0].n_bytes + 63) / 64 * 16 +
                      f->plan.arena_floats;
    return MANN_OK;
}

static mann_status init(mni_low *f, const float *folded, const float *ranges,
                        mann_error *err)
{
    size_t n_packed, n_floats, most = 0;
    MNI_TRY(mni_plan_init(&f->plan, &f->config, 1, err));
    f->layers = mni_alloc(f->plan.n_layers, sizeof *f->layers);
    f->maps = mni_alloc(f->plan.n_tensors, sizeof *f->maps);
    f->scales = mni_alloc(f->plan.n_tensors, sizeof *f->scales);
    f->zeros = mni_alloc(f->plan.n_tensors, 1);
    if (!f->layers || !f->maps || !f->scales || !f->zeros)
        return mni_fail(err, MANN_E_NOMEM, "model: plan of its maps");
    lay_out(f, &n_packed, &n_floats);
    MNI_TRY(place(f, err));
    for (size_t s = 0; s < f->plan.n_layers; s++) {
        const mni_layer *l = &f->plan.layers[s];
        const size_t n = (size_t)l->c_out * l->c_in * l->kernel * l->kernel;
        if (l->kind == MNI_CONV && n > most) most = n;
    }
    f->packed = mni_alloc_aligned(n_packed, 1, 0);
    f->floats = mni_alloc_aligned(n_floats, sizeof *f->floats, 1);
    void *plain = mni_alloc(most, element(f));
    if (f->packed && f->floats && plain) {
        if (f->precision == MNI_PRECISION_INT8) set_scales(f, ranges);
        pack_layers(f, folded, plain);
    }
    const int fine = f->packed && f->floats && plain;
    mni_free(plain);
    return fine ? MANN_OK
                : mni_fail(err, MANN_E_NOMEM, "model: %zu packed bytes", n_packed);
}

mann_status mni_low_init(mni_low *f, const mni_resnet_config *c, mni_precision p,
                         const float *folded, const float *ranges, mann_error *err)
{
    *f = (mni_low){ .kern = mni_kern_low_best(), .config = *c, .precision = p };
    mann_status s = init(f, folded, ranges, err);
    if (s != MANN_OK) mni_low_fini(f);
    return s;
}

void mni_low_fini(mni_low *f)
{
    mni_plan_fini(&f->plan);
    mni_free(f->layers);
    mni_free(f->maps);
    mni_free(f->scales);
    mni_free(f->zeros);
    mni_free(f->packed);
    mni_free(f->floats);
    *f = (mni_low){ .kern = NULL };
}
