/* low_forward.c - an image through the network of low.h. SPDX-License-Identifier: MIT */
#include <string.h>

#include "nn/layers.h"
#include "nn/low.h"
#include "nn/scratch.h"

enum { PLACES = 96 /* of a map, for 64 channels: what one thread takes at a time */ };

/* One image on its way: where its tensors lie. */
typedef struct image {
    const mni_low *f;
    mni_pool *pool;                 /* for the work inside a layer; NULL: this thread */
    const float *planes;            /* the network's input */
    uint8_t *input;                 /* the same, in words */
    float *arena, *scratch, *out;
} image;

static uint8_t *map_at(const image *m, int tensor)
{
    return tensor ? (uint8_t *)(m->arena + m->f->plan.values[tensor].at) : m->input;
}

/* Padding: rows above and below, a place left and right. */
static void fill_border(uint8_t *map, const mni_low_map *m, size_t border, int value)
{
    for (size_t block = 0; block < m->n_bytes; block += m->block) {
        uint8_t *at = map + block;
        const size_t edge = border * m->row, side = border * m->pixel;
        memset(at, value, edge);
        memset(at + m->block - edge, value, edge);
        for (size_t row = edge; row + edge < m->block; row += m->row) {
            memset(at + row, value, side);
            memset(at + row + m->row - side, value, side);
        }
    }
}

/* --- the input ---------------------------------------------------------------------- */

/* A channel of u8, rounded to nearest even by adding a number whose last bit counts ones:
 * 1.5 * 2^23. The loop has no call and no branch, so that compilers make vectors of
 * it. */
static void quantise_row(uint8_t *out, size_t pixel, const float *x, size_t n,
                         float scale, float zero)
{
    for (size_t i = 0; i < n; i++) {
        float v = x[i] * scale + zero;
        v = v > 0.0f ? v : 0.0f;
        v = v < 255.0f ? v : 255.0f;
        v += 12582912.0f;
        uint32_t bits;
        memcpy(&bits, &v, sizeof bits);
        out[i * pixel] = (uint8_t)bits;
    }
}

static void halve_row(uint8_t *out, size_t pixel, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint16_t v = mni_bf16_from_f32(x[i]);
        memcpy(out + i * pixel, &v, sizeof v);
    }
}

static void take_input(const image *m)
{
    const mni_low *f = m->f;
    const mni_low_map *map = &f->maps[0];
    const size_t side = f->config.input_size;
    const int int8 = f->precision == MNI_PRECISION_INT8;
    memset(m->input, f->zeros[0], map->n_bytes);
    for (size_t c = 0; c < f->config.input_channels; c++)
        for (size_t h = 0; h < side; h++) {
            const float *x = m->planes + (c * side + h) * side;
            uint8_t *row = m->input + c / 16 * map->block + map->inside + h * map->row;
            if (int8)
                quantise_row(row + c % 16, map->pixel, x, side, 1.0f / f->scales[0],
                             (float)f->zeros[0]);
            else
                halve_row(row + c % 16 * 2, map->pixel, x, side);
        }
}

/* --- convolution -------------------------------------------------------------------- */

typedef struct conv_job {
    mni_low_conv a;
    mni_low_fn fn;
    size_t n_places, n_pieces;
} conv_job;

static void conv_range(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const conv_job *j = ctx;
    (void)chunk;
    for (size_t i = begin; i < end; i++) {
        const size_t at = i % j->n_pieces * PLACES;
        j->fn(&j->a, i / j->n_pieces, at,
              at + PLACES < j->n_places ? at + PLACES : j->n_places);
    }
}

static void run_conv(const image *m, const mni_layer *l, const mni_low_layer *q)
{
    const mni_low *f = m->f;
    const mni_low_map *x = &f->maps[l->in], *y = &f->maps[l->out];
    conv_job j = { .fn = f->precision == MNI_PRECISION_INT8 ? f->kern->int8
                                                            : f->kern->bf16 };
    j.a = (mni_low_conv){
        .x = map_at(m, l->in) + x->inside - l->pad * (x->row + x->pixel),
        .x_pixel = x->pixel, .x_row = x->row, .x_block = x->block,
        .n_blocks = q->n_blocks, .kernel = l->kernel, .stride = l->stride,
        .words = q->words, .w = f->packed + q->weight,
        .scale = f->floats + q->scale, .shift = f->floats + q->shift,
        .r = l->add == MNI_NO_TENSOR ? NULL : map_at(m, l->add) + y->inside,
        .r_scale = q->r_scale, .y = map_at(m, l->out) + y->inside, .y_row = y->row,
        .y_block = y->block, .h_out = l->h_out, .w_out = l->w_out,
        .blocks_out = (l->c_out + 15) / 16, .relu = l->relu };
    j.n_places = (size_t)l->h_out * l->w_out;
    j.n_pieces = mni_chunk_count(j.n_places, PLACES);
    fill_border(map_at(m, l->out), y, 1, f->zeros[l->out]);
    mni_parallel_for(m->pool, mni_chunk_count(j.a.blocks_out, MNI_LOW_GROUP) * j.n_pieces,
                     1, conv_range, &j);
}

/* --- pooling ------------------------------------------------------------------------ */

/* Behind a ReLU nothing is negative: the border's zeros win no maximum, and the bits of
 * bf16 are in the order of their numbers. */
static void max_u8(uint8_t *y, const uint8_t *x)
{
    for (int i = 0; i < 16; i++) y[i] = x[i] > y[i] ? x[i] : y[i];
}

static void max_bf16(uint8_t *y, const uint8_t *x)
{
    int16_t a[16], b[16];
    memcpy(a, y, sizeof a);
    memcpy(b, x, sizeof b);
    for (int i = 0; i < 16; i++) a[i] = b[i] > a[i] ? b[i] : a[i];
    memcpy(y, a, sizeof a);
}

static void run_maxpool(const image *m, const mni_layer *l)
{
    const mni_low *f = m->f;
    const mni_low_map *x = &f->maps[l->in], *y = &f->maps[l->out];
    const uint8_t *from = map_at(m, l->in) + x->inside - l->pad * (x->row + x->pixel);
    uint8_t *to = map_at(m, l->out);
    fill_border(to, y, 1, 0);
    to += y->inside;
    for (size_t b = 0; b < y->n_bytes / y->block; b++)
        for (size_t h = 0; h < l->h_out; h++)
            for (size_t w = 0; w < l->w_out; w++) {
                uint8_t *best = to + b * y->block + h * y->row + w * y->pixel;
                const uint8_t *first =
                    from + b * x->block + l->stride * (h * x->row + w * x->pixel);
                memset(best, 0, y->pixel);
                for (size_t u = 0; u < l->kernel; u++)
                    for (size_t v = 0; v < l->kernel; v++) {
                        const uint8_t *at = first + u * x->row + v * x->pixel;
                        if (x->pixel == 16) max_u8(best, at);
                        else max_bf16(best, at);
                    }
            }
}

static float sum_u8(const uint8_t *from, const mni_low_map *x, size_t n_h, size_t n_w)
{
    uint32_t sum = 0;
    for (size_t h = 0; h < n_h; h++)
        for (size_t w = 0; w < n_w; w++) sum += from[h * x->row + w * x->pixel];
    return (float)sum;
}

static float sum_bf16(const uint8_t *from, const mni_low_map *x, size_t n_h, size_t n_w)
{
    float sum = 0;
    for (size_t h = 0; h < n_h; h++)
        for (size_t w = 0; w < n_w; w++) {
            uint16_t v;
            memcpy(&v, from + h * x->row + w * x->pixel, sizeof v);
            sum += mni_f32_from_bf16(v);
        }
    return sum;
}

static void run_avgpool(const image *m, const mni_layer *l)
{
    const mni_low *f = m->f;
    const mni_low_map *x = &f->maps[l->in];
    float *y = (float *)(void *)map_at(m, l->out);
    const float places = (float)l->h_in * (float)l->w_in;
    for (size_t c = 0; c < l->c_in; c++) {
        const uint8_t *from = map_at(m, l->in) + x->inside + c / 16 * x->block;
        if (f->precision == MNI_PRECISION_INT8)
            y[c] = sum_u8(from + c % 16, x, l->h_in, l->w_in) * f->scales[l->in] / places;
        else
            y[c] = sum_bf16(from + c % 16 * 2, x, l->h_in, l->w_in) / places;
    }
}

/* --- all ---------------------------------------------------------------------------- */

static void run_image(const image *m)
{
    const mni_low *f = m->f;
    take_input(m);
    for (size_t s = 0; s < f->plan.n_layers; s++) {
        const mni_layer *l = &f->plan.layers[s];
        const mni_low_layer *q = &f->layers[s];
        const int last = (size_t)l->out == f->plan.n_tensors - 1;
        float *y = last ? m->out : (float *)(void *)map_at(m, l->out);
        const float *x = (const float *)(const void *)map_at(m, l->in);
        switch (l->kind) {
        case MNI_CONV:    run_conv(m, l, q); break;
        case MNI_MAXPOOL: run_maxpool(m, l); break;
        case MNI_AVGPOOL: run_avgpool(m, l); break;
        case MNI_LINEAR:
            mni_linear_forward(l, 1, x, f->floats + q->scale, f->floats + q->shift, y,
                               m->scratch);
            break;
        case MNI_UNIT:    mni_unit_forward(l, 1, x, y); break;
        case MNI_NORM:    break;
        }
    }
}

typedef struct job {
    const mni_low *f;
    const float *input;
    float *out;
    mni_pool *inside;
    mni_scratch *pieces;
} job;

static void run_range(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const job *j = ctx;
    const mni_low *f = j->f;
    const mni_resnet_config *c = &f->config;
    const size_t n_in = (size_t)c->input_channels * c->input_size * c->input_size;
    float *piece = mni_scratch_take(j->pieces);
    (void)chunk;
    for (size_t i = begin; i < end; i++) {
        image m = { f, j->inside, j->input + i * n_in,
                    (uint8_t *)(piece + f->head_floats), NULL, piece,
                    j->out + i * mni_resnet_dim(c) };
        m.arena = piece + f->head_floats + (f->maps[0].n_bytes + 63) / 64 * 16;
        run_image(&m);
    }
    mni_scratch_give(j->pieces, piece);
}

mann_status mni_low_forward(const mni_low *f, const float *input, size_t n,
                            mni_pool *pool, float *out, mann_error *err)
{
    const size_t threads = mni_pool_threads(pool), n_pieces = n < threads ? n : threads;
    mni_scratch pieces;
    if (n == 0) return MANN_OK;
    if (!mni_scratch_init(&pieces, n_pieces, (f->piece_floats + 15) / 16 * 16))
        return mni_fail(err, MANN_E_NOMEM, "model: maps of %zu images", n_pieces);
    job j = { f, input, out, n == 1 ? pool : NULL, &pieces };
    if (n == 1) run_range(&j, 0, 1, 0);
    else mni_parallel_for(pool, n, 1, run_range, &j);
    mni_scratch_fini(&pieces);
    return MANN_OK;
}
