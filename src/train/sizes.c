/* sizes.c - see sizes.h. SPDX-License-Identifier: MIT */
#include "train/sizes.h"

#include <string.h>

#include "base/mem.h"

/* --- smaller pictures ------------------------------------------------------------- */

typedef struct shrink {
    const float *in;
    float *out;
    uint32_t from, to;
} shrink;

/* One small pixel: its area in the large plane, parts of pixels at the rim by their
 * part. All in units of 1 / to of a large pixel, in which every edge is whole. */
static float mean_of(const float *plane, uint32_t from, uint32_t to, uint32_t y,
                     uint32_t x)
{
    const uint32_t top = y * from, bottom = top + from, left = x * from,
                   right = left + from;
    float sum = 0;
    for (uint32_t r = top / to; r * to < bottom; r++) {
        const uint32_t upper = r * to > top ? r * to : top,
                       lower = (r + 1) * to < bottom ? (r + 1) * to : bottom;
        float row = 0;
        for (uint32_t c = left / to; c * to < right; c++) {
            const uint32_t a = c * to > left ? c * to : left,
                           b = (c + 1) * to < right ? (c + 1) * to : right;
            row += plane[(size_t)r * from + c] * (float)(b - a);
        }
        sum += row * (float)(lower - upper);
    }
    return sum / ((float)from * (float)from);
}

static void shrink_range(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const shrink *s = ctx;
    const size_t large = (size_t)s->from * s->from, small = (size_t)s->to * s->to;
    (void)chunk;
    for (size_t p = begin; p < end; p++)
        for (uint32_t y = 0; y < s->to; y++)
            for (uint32_t x = 0; x < s->to; x++)
                s->out[p * small + (size_t)y * s->to + x] =
                    mean_of(s->in + p * large, s->from, s->to, y, x);
}

void mni_shrink_planes(const float *in, size_t n, uint32_t from, uint32_t to, float *out,
                       mni_pool *pool)
{
    enum { PLANES_A_CHUNK = 12 };
    shrink s = { in, out, from, to };
    mni_parallel_for(pool, n, PLANES_A_CHUNK, shrink_range, &s);
}

/* --- two networks, one set of weights --------------------------------------------- */

static mann_status smaller(const mni_resnet_config *full, uint32_t side,
                           mni_resnet_config *out, mann_error *err)
{
    if (side >= full->input_size)
        return mni_fail(err, MANN_E_ARG,
                        "training: first pictures of %u pixels a side, wanted fewer than "
                        "the %u of the network's input",
                        (unsigned)side, (unsigned)full->input_size);
    *out = *full;
    out->input_size = side;
    return mni_resnet_check(out, err);
}

static size_t input_floats(const mni_resnet_config *c)
{
    return (size_t)c->input_channels * c->input_size * c->input_size;
}

mann_status mni_sizes_bytes(const mni_resnet_config *full, uint32_t side, size_t batch,
                            size_t threads, uint64_t *bytes, mann_error *err)
{
    mni_resnet_config c;
    mni_network_size size;
    MNI_TRY(smaller(full, side, &c, err));
    MNI_TRY(mni_network_plan(&c, batch, threads, &size, err));
    *bytes = size.all + batch * input_floats(&c) * sizeof(float);
    return MANN_OK;
}

mann_status mni_sizes_init(mni_sizes *z, const mni_network *full, uint32_t side,
                           float share, uint64_t n_steps, mni_pool *pool, mann_error *err)
{
    const size_t batch = mni_network_max_batch(full);
    mni_resnet_config c;
    *z = (mni_sizes){ .pool = pool };
    MNI_TRY(smaller(mni_network_config(full), side, &c, err));
    z->n_first = (uint64_t)((double)share * (double)n_steps);
    MNI_TRY(mni_network_new(&z->small, &c, batch, pool, err));
    z->input = mni_alloc_aligned(batch, input_floats(&c) * sizeof *z->input, 0);
    return z->input ? MANN_OK
                    : mni_fail(err, MANN_E_NOMEM, "training: batch of %zu images", batch);
}

void mni_sizes_fini(mni_sizes *z)
{
    mni_network_free(z->small);
    mni_free(z->input);
    *z = (mni_sizes){ 0 };
}

mni_network *mni_sizes_begin(mni_sizes *z, mni_network *full, uint64_t step,
                             const mni_batch *b, const float **input)
{
    *input = b->input;
    if (!z->small || step >= z->n_first) return full;
    const mni_resnet_config *c = mni_network_config(full);
    memcpy(mni_network_params(z->small), mni_network_params(full),
           mni_network_n_params(full) * sizeof(float));
    memcpy(mni_network_stats(z->small), mni_network_stats(full),
           mni_network_n_stats(full) * sizeof(float));
    mni_shrink_planes(b->input, b->n * c->input_channels, c->input_size,
                      mni_network_config(z->small)->input_size, z->input, z->pool);
    *input = z->input;
    return z->small;
}

void mni_sizes_end(const mni_sizes *z, mni_network *full, mni_network *taken)
{
    if (taken != z->small) return;
    memcpy(mni_network_grads(full), mni_network_grads(taken),
           mni_network_n_params(full) * sizeof(float));
    memcpy(mni_network_stats(full), mni_network_stats(taken),
           mni_network_n_stats(full) * sizeof(float));
}
