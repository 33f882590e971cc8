/* test_nn_blocks.c - the fast executor of a network against the plain one: the same
 * embeddings, gradients and statistics, on maps that are cut into bands and on maps that
 * are taken several at a time; the same bits for any number of threads.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "base/mem.h"
#include "harness.h"
#include "nn/network.h"
#include "nn_oracle.h"

/* One of each kind of work (nodes.c, net_blocks.h): bands with and without shortcuts, odd
 * sides, tiles of 2 and of 4, dw at the points and direct, bottlenecks, the max pool. */
static const struct { mni_resnet_config c; size_t n; } cases[] = {
    { { 64, 3, 0, 0, 4, { 32, 64, 128, 256 }, { 1, 1, 1, 1 }, 128 }, 5 },
    { { 39, 1, 0, 0, 3, { 20, 40, 33 }, { 2, 1, 1 }, 24 }, 11 },
    { { 75, 3, 1, 0, 2, { 64, 48 }, { 1, 1 }, 16 }, 3 },
    { { 40, 3, 1, 1, 3, { 16, 24, 32 }, { 1, 2, 1 }, 0 }, 9 },
    { { 96, 3, 0, 1, 2, { 16, 24 }, { 1, 1 }, 8 }, 2 },
};
enum { N_CASES = sizeof cases / sizeof *cases };

static mni_network *network(const mni_resnet_config *c, size_t n, int plain,
                            mann_pool *pool)
{
    mni_network *net;
    CHECK_OK(plain ? mni_network_new_plain(&net, c, n, pool, NULL)
                   : mni_network_new(&net, c, n, pool, NULL));
    const size_t n_params = mni_network_n_params(net);
    float *noise = mni_alloc(n_params, sizeof *noise), *w = mni_network_params(net);
    mni_network_init(net, 7);
    oracle_fill(noise, n_params, 8);
    for (size_t i = 0; i < n_params; i++) w[i] += 0.05f * noise[i];
    mni_free(noise);
    return net;
}

static size_t input_floats(const mni_resnet_config *c, size_t n)
{
    return n * c->input_channels * c->input_size * c->input_size;
}

/* Forward and backward of one batch; d: a gradient of noise. */
static void pass(mni_network *net, const float *x, size_t n, float *d)
{
    oracle_fill(d, n * mni_network_dim(net), 10);
    mni_network_forward(net, x, n, MNI_TRAIN);
    mni_network_zero_grads(net);
    mni_network_backward(net, d);
}

/* Every array of a layout: how far apart, beside how large it is. */
typedef struct comparison { const float *a, *b; double worst; } comparison;

static void compare_array(void *ctx, const mni_param *p)
{
    comparison *k = ctx;
    double off = 0, size = 0;
    for (size_t i = 0; i < p->count; i++) {
        const double a = k->a[p->at + i], b = k->b[p->at + i];
        off += (a - b) * (a - b);
        size += b * b;
    }
    const double ratio = sqrt(off / (size + 1e-30));
    if (!(ratio <= k->worst)) k->worst = ratio;
}

/* How far apart the gradients of one batch are, at worst; statistics must agree. */
static double gradients_off(mni_network *fast, mni_network *plain, const float *x,
                            size_t n, float *d)
{
    const mni_resnet_config *c = mni_network_config(fast);
    pass(fast, x, n, d);
    pass(plain, x, n, d);
    comparison k = { mni_network_stats(fast), mni_network_stats(plain), 0 };
    mni_resnet_each_stat(c, compare_array, &k);
    CHECK(k.worst < 2e-5);
    k = (comparison){ mni_network_grads(fast), mni_network_grads(plain), 0 };
    mni_resnet_each_param(c, compare_array, &k);
    return k.worst;
}

static void cosines(mni_network *fast, mni_network *plain, const float *x, size_t n)
{
    const size_t dim = mni_network_dim(fast);
    const float *a = mni_network_forward(fast, x, n, MNI_EVAL),
                *b = mni_network_forward(plain, x, n, MNI_EVAL);
    for (size_t j = 0; j < n; j++) {
        double cosine = 0;
        for (size_t e = 0; e < dim; e++)
            cosine += (double)a[j * dim + e] * b[j * dim + e];
        CHECK(cosine > 0.99999);
    }
}

/* One number of millions that is rounded to the other side of a ReLU's corner moves a
 * gradient by some 0.5 %, and every second batch has one. So batches are tried until one
 * has none: a fault would show in all of them. */
static void fast_equals_plain(void)
{
    for (size_t i = 0; i < N_CASES; i++) {
        const mni_resnet_config *c = &cases[i].c;
        const size_t n = cases[i].n;
        mni_network *fast = network(c, n, 0, NULL), *plain = network(c, n, 1, NULL);
        float *x = mni_alloc(input_floats(c, n), sizeof *x),
              *d = mni_alloc(n * mni_resnet_dim(c), sizeof *d);
        double best = 1;
        for (uint64_t batch = 0; batch < 12 && !(best < 5e-5); batch++) {
            oracle_fill(x, input_floats(c, n), 100 + batch);
            const double off = gradients_off(fast, plain, x, n, d);
            if (off < best) best = off;
            CHECK(off < 2e-2);
        }
        if (!(best < 5e-5))
            test_fail(__FILE__, __LINE__, "net %zu: gradients are %g off", i, best);
        cosines(fast, plain, x, n);
        mni_free(x);
        mni_free(d);
        mni_network_free(fast);
        mni_network_free(plain);
    }
}

/* Gradients and statistics of a batch, and of a shorter one after it. */
static float *bits_with(size_t which, uint32_t threads, size_t *n_floats)
{
    const mni_resnet_config *c = &cases[which].c;
    const size_t n = which == 0 ? 19 : cases[which].n;
    mann_pool *pool;
    CHECK_OK(mann_pool_new(&pool, threads, NULL));
    mni_network *net = network(c, n, 0, pool);
    const size_t np = mni_network_n_params(net), ns = mni_network_n_stats(net);
    float *x = mni_alloc(input_floats(c, n), sizeof *x),
          *d = mni_alloc(n * mni_network_dim(net), sizeof *d),
          *all = mni_alloc(2 * (np + ns), sizeof *all);
    oracle_fill(x, input_floats(c, n), 11);
    for (size_t k = 0; k < 2; k++) {
        float *to = all + k * (np + ns);
        pass(net, x, n - k * n / 3, d);
        memcpy(to, mni_network_grads(net), np * sizeof *to);
        memcpy(to + np, mni_network_stats(net), ns * sizeof *to);
    }
    *n_floats = 2 * (np + ns);
    mni_free(x);
    mni_free(d);
    mni_network_free(net);
    mann_pool_free(pool);
    return all;
}

static void same_bits_for_any_threads(void)
{
    for (size_t i = 0; i < N_CASES; i++) {
        size_t n_floats;
        float *one = bits_with(i, 1, &n_floats);
        for (uint32_t threads = 2; threads <= 7; threads += 5) {
            float *more = bits_with(i, threads, &n_floats);
            CHECK(memcmp(one, more, n_floats * sizeof *one) == 0);
            mni_free(more);
        }
        mni_free(one);
    }
}

/* With running statistics an image's bits are its own, in any company. */
static void an_image_alone_and_in_company(void)
{
    for (size_t i = 0; i < N_CASES; i++) {
        const mni_resnet_config *c = &cases[i].c;
        const size_t n = cases[i].n, dim = mni_resnet_dim(c);
        mni_network *net = network(c, n, 0, NULL);
        float *x = mni_alloc(input_floats(c, n), sizeof *x);
        oracle_fill(x, input_floats(c, n), 12);
        mni_network_forward(net, x, n, MNI_TRAIN);
        float *all = mni_memdup(mni_network_forward(net, x, n, MNI_EVAL),
                                n * dim * sizeof *all);
        for (size_t j = 0; j < n; j++) {
            const float *e =
                mni_network_forward(net, x + input_floats(c, j), 1, MNI_EVAL);
            CHECK(memcmp(e, all + j * dim, dim * sizeof *e) == 0);
        }
        mni_free(all);
        mni_free(x);
        mni_network_free(net);
    }
}

/* The planned bytes are those that are taken: counted by the C library, where it can. */
static void plan_is_what_is_taken(void)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
    for (size_t i = 0; i < N_CASES; i++)
        for (uint32_t threads = 1; threads <= 3; threads += 2) {
            mann_pool *pool;
            mni_network *net;
            mni_network_size size;
            CHECK_OK(mann_pool_new(&pool, threads, NULL));
            CHECK_OK(mni_network_plan(&cases[i].c, cases[i].n, threads, &size, NULL));
            const struct mallinfo2 before = mallinfo2();
            CHECK_OK(mni_network_new(&net, &cases[i].c, cases[i].n, pool, NULL));
            const struct mallinfo2 after = mallinfo2();
            const size_t took = after.uordblks + after.hblkhd - before.uordblks -
                                before.hblkhd;
            CHECK_EQ(mni_network_arena_bytes(net), size.arena);
            mni_network_free(net);
            mann_pool_free(pool);
            if (took == 0) test_skip("this C library does not count its bytes");
            if (took < size.all || took > size.all + size.all / 100 + (128 << 10))
                test_fail(__FILE__, __LINE__, "net %zu, %u threads: %zu bytes planned, "
                          "%zu taken", i, (unsigned)threads, size.all, took);
        }
#else
    test_skip("this C library does not count its bytes");
#endif
}

const test_case nn_blocks_tests[];
const test_case nn_blocks_tests[] = {
    { "fast_equals_plain", fast_equals_plain, 0 },
    { "same_bits_for_any_threads", same_bits_for_any_threads, 0 },
    { "an_image_alone_and_in_company", an_image_alone_and_in_company, 0 },
    { "plan_is_what_is_taken", plan_is_what_is_taken, 0 },
    { 0 }
};
