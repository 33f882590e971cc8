/* test_train_sizes.c - a training whose first steps see smaller pictures.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "train_world.h"

/* --- smaller pictures ------------------------------------------------------------- */

/* In doubles, pixel by pixel: how much of each large one does the small one cover? */
static double covered(uint32_t small, uint32_t large, uint32_t from, uint32_t to)
{
    const double side = (double)from / to, a = small * side, b = a + side;
    const double low = fmax(a, large), high = fmin(b, large + 1.0);
    return high > low ? high - low : 0;
}

static void means_of_areas(void)
{
    static const struct { uint32_t from, to; } pairs[] = { { 4, 2 }, { 3, 2 }, { 16, 11 },
                                                           { 9, 9 }, { 5, 1 } };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const uint32_t from = pairs[i].from, to = pairs[i].to;
        float in[2 * 16 * 16], out[2 * 11 * 11 + 1];
        mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 31, i, 0);
        for (uint32_t k = 0; k < 2 * from * from; k++) in[k] = mni_rng_normal(&r);
        out[2 * to * to] = 77;
        mni_shrink_planes(in, 2, from, to, out, NULL);
        CHECK(out[2 * to * to] == 77);
        for (uint32_t p = 0; p < 2; p++)
            for (uint32_t y = 0; y < to; y++)
                for (uint32_t x = 0; x < to; x++) {
                    double sum = 0;
                    for (uint32_t v = 0; v < from; v++)
                        for (uint32_t u = 0; u < from; u++)
                            sum += covered(y, v, from, to) * covered(x, u, from, to) *
                                   (double)in[(p * from + v) * from + u];
                    CHECK_NEAR(out[(p * to + y) * to + x],
                               sum * to * to / ((double)from * from), 1e-5);
                }
    }
}

/* --- one set of weights ----------------------------------------------------------- */

enum { LARGE = 16, SMALL = 11, BATCH = 6 };

static mni_network *network_of(uint32_t side)
{
    const mni_resnet_config c = { side, 3, 0, 0, 2, { 8, 16 }, { 1, 1 }, 16 };
    mni_network *net;
    CHECK_OK(mni_network_new(&net, &c, BATCH, NULL, NULL));
    mni_network_init(net, 5);
    return net;
}

static void one_step(mni_network *net, const float *input, const float *de)
{
    mni_network_forward(net, input, BATCH, MNI_TRAIN);
    mni_network_zero_grads(net);
    mni_network_backward(net, de);
}

/* A small step leaves in the large network what a small network would have of its own;
 * after the share of small steps, large ones, with the batch as it is. */
static void small_steps_are_of_a_small_network(void)
{
    float large[BATCH * 3 * LARGE * LARGE], small[BATCH * 3 * SMALL * SMALL];
    float de[BATCH * 16];
    const float *input;
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 32, 0, 0);
    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        large[i] = mni_rng_normal(&r);
    for (size_t i = 0; i < sizeof de / sizeof *de; i++) de[i] = mni_rng_normal(&r);
    const mni_batch b = { .n = BATCH, .input = large };
    mni_network *full = network_of(LARGE), *own = network_of(SMALL);
    mni_sizes z;
    CHECK_OK(mni_sizes_init(&z, full, SMALL, 0.5f, 9, NULL, NULL));
    CHECK_EQ(z.n_first, 4);
    mni_network *taken = mni_sizes_begin(&z, full, 3, &b, &input);
    CHECK(taken != full && input != large);
    one_step(taken, input, de);
    mni_sizes_end(&z, full, taken);
    mni_shrink_planes(large, BATCH * 3, LARGE, SMALL, small, NULL);
    one_step(own, small, de);
    CHECK(memcmp(mni_network_grads(full), mni_network_grads(own),
                 mni_network_n_params(own) * sizeof(float)) == 0);
    CHECK(memcmp(mni_network_stats(full), mni_network_stats(own),
                 mni_network_n_stats(own) * sizeof(float)) == 0);
    CHECK(mni_sizes_begin(&z, full, 4, &b, &input) == full && input == large);
    mni_sizes_end(&z, full, full);
    mni_sizes_fini(&z);
    mni_network_free(own);
    mni_network_free(full);
}

/* --- whole trainings -------------------------------------------------------------- */

static void small_first(mann_train_config *c)
{
    c->first_size = 12;
    c->first_share = 0.6f;
}

/* 12 of 21 steps are small; stopped among them, at the border, and after it. */
static void same_bytes(void)
{
    const uint64_t whole = train_world_whole(small_first, 0, 1);
    CHECK(train_world_whole(NULL, 0, 1) != whole);
    CHECK(train_world_whole(small_first, 0, 7) == whole);
    CHECK(train_world_whole(small_first, 5, 2) == whole);
    CHECK(train_world_whole(small_first, 12, 2) == whole);
    CHECK(train_world_whole(small_first, 17, 2) == whole);
}

static void refusals_and_cost(void)
{
    mann_error e;
    train_world w;
    mann_train_report r;
    mann_train_cost without, with;
    mni_model *m = train_world_model(1);
    train_world_new(&w, 12, 3);
    CHECK_OK(mni_train_cost(m, &w.c, 1, &without, NULL));
    w.c.first_size = 12;
    CHECK_OK(mni_train_cost(m, &w.c, 1, &with, NULL));
    CHECK(with.fixed_bytes > without.fixed_bytes + without.activation_bytes / 4);
    w.c.first_size = 16;
    CHECK_IS(train_world_run(&w, m, 1, &r, &e), MANN_E_ARG);
    CHECK_STR(e.text, "training: first pictures of 16 pixels a side, wanted fewer than "
                      "the 16 of the network's input");
    CHECK(!train_world_has(&w, "ck"));
    mni_model_free(m);
    train_world_free(&w);
}

static mann_status init_once(void *ctx)
{
    mni_sizes z;
    const mann_status s = mni_sizes_init(&z, ctx, SMALL, 0.5f, 8, NULL, NULL);
    mni_sizes_fini(&z);
    return s;
}

static void no_memory(void)
{
    mni_network *full = network_of(LARGE);
    test_oom(init_once, full, 0);
    mni_network_free(full);
}

extern const test_case train_sizes_tests[];
const test_case train_sizes_tests[] = {
    { "means_of_areas", means_of_areas, 0 },
    { "small_steps_are_of_a_small_network", small_steps_are_of_a_small_network, 0 },
    { "same_bytes", same_bytes, 0 },
    { "refusals_and_cost", refusals_and_cost, 0 },
    { "no_memory", no_memory, 0 },
    { NULL, NULL, 0 }
};
