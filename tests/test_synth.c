/* test_synth.c - procedural toys: frozen pixels, switches, and how hard they are.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "image/image.h"
#include "image/resize.h"
#include "image/synth.h"
#include "image/synth_impl.h"

static mann_synth_config config(uint32_t size, uint32_t conditions, float strength)
{
    return (mann_synth_config){ sizeof(mann_synth_config), size, conditions, strength,
                                1 };
}

static uint64_t hash_of(const mann_synth_config *c, uint64_t klass, uint64_t view)
{
    mann_image im;
    CHECK_OK(mni_synth_draw(&im, c, klass, view, NULL));
    const uint64_t h = mni_hash_bytes(im.pixels, (size_t)im.width * im.height * 3, 0);
    mann_image_clear(&im);
    return h;
}

/* The pixels are part of the contract: the same for every compiler, optimisation and
 * machine, and from one version to the next. A change here changes every figure measured
 * on synth. */
static void frozen(void)
{
    static const struct {
        uint64_t klass, view;
        uint32_t size, conditions;
        float strength;
        uint64_t want;
    } GOLDEN[] = {
        { 0, 0, 96, 0xFF, 1.0f, 0xD61C707C27586722u },
        { 1, 3, 96, 0xFF, 1.0f, 0xEA09FB26C872BFABu },
        { 123456789, 7, 96, 0xFF, 1.0f, 0x91C870A84F5DA1E8u },
        { 2, 0, 96, 0x00, 0.0f, 0xF0E287309D634DF1u },
        { 999999, 1, 64, 0xFF, 0.25f, 0xA2C44BE2A13B5FBCu },
        { 42, 2, 128, 0x0D, 0.5f, 0x4D31E7C12595C727u },
        { 77, 5, 8, 0xFF, 1.0f, 0xFF4DA15C3F1977DFu },
        { 5, 1, 300, 0xF2, 0.7f, 0x38951CA3EBD64C9Fu },
    };
    int n_wrong = 0;
    for (size_t i = 0; i < sizeof GOLDEN / sizeof *GOLDEN; i++) {
        const mann_synth_config c =
            config(GOLDEN[i].size, GOLDEN[i].conditions, GOLDEN[i].strength);
        const uint64_t got = hash_of(&c, GOLDEN[i].klass, GOLDEN[i].view);
        if (got == GOLDEN[i].want) continue;
        printf("golden %d: 0x%016llXu\n", (int)i, (unsigned long long)got);
        n_wrong++;
    }
    CHECK_EQ(n_wrong, 0);
}

/* All pixels of 400 pictures in one hash: what the few above might miss. */
static void frozen_at_large(void)
{
    uint64_t h = 0;
    const mann_synth_config c = config(48, MANN_SYNTH_ALL, 1.0f);
    for (uint64_t k = 0; k < 400; k++) {
        mann_image im;
        CHECK_OK(mni_synth_draw(&im, &c, k, k % 3, NULL));
        h = mni_hash_bytes(im.pixels, (size_t)48 * 48 * 3, h);
        mann_image_clear(&im);
    }
    const uint64_t want = 0x1C20EE14FB036163u;
    if (h != want) printf("golden at large: 0x%016llXu\n", (unsigned long long)h);
    CHECK(h == want);
}

static void switches(void)
{
    const mann_synth_config none = config(64, 0, 1.0f),
                            zero = config(64, MANN_SYNTH_ALL, 0.0f);
    /* mask 0 and strength 0 are the same */
    CHECK(hash_of(&none, 5, 6) == hash_of(&zero, 5, 6));
    uint64_t seen[8];
    for (int i = 0; i < 8; i++) {                /* every condition changes the picture */
        const mann_synth_config one = config(64, 1u << i, 1.0f);
        seen[i] = hash_of(&one, 5, 6);
        CHECK(seen[i] == hash_of(&one, 5, 6));
        CHECK(seen[i] != hash_of(&none, 5, 6));
        for (int j = 0; j < i; j++) CHECK(seen[i] != seen[j]);
    }
    mann_synth_config other = none;                   /* and so do class, view and seed */
    CHECK(hash_of(&none, 5, 6) != hash_of(&none, 5, 7));
    CHECK(hash_of(&none, 5, 6) != hash_of(&none, 6, 6));
    other.seed = 2;
    CHECK(hash_of(&none, 5, 6) != hash_of(&other, 5, 6));
    CHECK(hash_of(&none, UINT64_MAX, UINT64_MAX) != hash_of(&none, 0, 0));
}

static void refusals(void)
{
    mann_image im;
    mann_error e;
    static const struct { uint32_t size, conditions; float strength; } BAD[] = {
        { 7, 0, 1 }, { 1025, 0, 1 }, { 64, 256, 1 }, { 64, 0, -0.01f }, { 64, 0, 1.01f },
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        const mann_synth_config c =
            config(BAD[i].size, BAD[i].conditions, BAD[i].strength);
        CHECK_IS(mni_synth_draw(&im, &c, 0, 0, &e), MANN_E_ARG);
        CHECK(im.pixels == NULL);
    }
    const uint32_t nan_bits = 0x7FC00000u;
    mann_synth_config c = config(64, 0, 0);
    memcpy(&c.strength, &nan_bits, sizeof nan_bits);
    CHECK_IS(mni_synth_draw(&im, &c, 0, 0, &e), MANN_E_ARG);
}

/* Many classes and views at odd sizes: for the sanitizers. */
static void all_sizes(void)
{
    static const uint32_t SIZES[] = { 8, 9, 15, 31, 64, 97, 250, 1024 };
    for (uint64_t i = 0; i < 8; i++)
        for (uint64_t k = 0; k < (SIZES[i] > 200 ? 2 : 60); k++) {
            const mann_synth_config c = config(SIZES[i], MANN_SYNTH_ALL, 1.0f);
            (void)hash_of(&c, k * 977, k);
        }
}

static mann_status draw_body(void *ctx)
{
    mann_image im;
    const mann_status s = mni_synth_draw(&im, ctx, 3, 4, NULL);
    mann_image_clear(&im);                                  /* zeroed on failure */
    return s;
}

static void out_of_memory(void)
{
    mann_synth_config c = config(16, MANN_SYNTH_ALL, 1.0f);
    test_oom(draw_body, &c, 0);
}

static void fixed_point(void)
{
    for (int32_t a = -70000; a < 140000; a += 7) {
        const double want = sin(a * (6.283185307179586 / 65536));
        CHECK_NEAR(mni_sin14(a) / 16384.0, want, 5e-4);
        CHECK_NEAR(mni_cos14(a) / 16384.0, cos(a * (6.283185307179586 / 65536)), 5e-4);
    }
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 4, 0, 0);
    for (int i = 0; i < 20000; i++) {
        const uint64_t v = mni_rng_u64(&r) >> (1 + i % 63), root = mni_root64(v);
        CHECK(root * root <= v && (root + 1) * (root + 1) > v);
    }
    CHECK_EQ(mni_root64(0), 0);
    CHECK_EQ(mni_down(-1, 4), -1);
    CHECK_EQ(mni_down(-16, 4), -1);
    CHECK_EQ(mni_down(-17, 4), -2);
    CHECK_EQ(mni_down(31, 4), 1);
}

/* --- how hard ----------------------------------------------------------------------- */

enum { N_CLASSES = 1000, N_REFS = 3, N_QUERIES = 2, THUMB = 16 * 16 * 3 };

/* The `pixels` representation: a 16 x 16 thumbnail, its mean removed, of length 1. */
static void represent(float *out, const mann_synth_config *c, uint64_t klass,
                      uint64_t view)
{
    mann_image im, small;
    CHECK_OK(mni_synth_draw(&im, c, klass, view, NULL));
    CHECK_OK(mni_image_resize(&small, &im, 16, 16, NULL));
    double mean = 0, sum = 0;
    for (int i = 0; i < THUMB; i++) mean += small.pixels[i];
    mean /= THUMB;
    for (int i = 0; i < THUMB; i++)
        sum += (small.pixels[i] - mean) * (small.pixels[i] - mean);
    for (int i = 0; i < THUMB; i++)
        out[i] = (float)((small.pixels[i] - mean) / sqrt(sum + 1e-9));
    mann_image_clear(&small);
    mann_image_clear(&im);
}

/* Four sums side by side, so that the compiler may keep them in one register. */
static float dot(const float *a, const float *b)
{
    float s[8] = { 0 };
    for (int i = 0; i < THUMB; i += 8)
        for (int k = 0; k < 8; k++) s[k] += a[i + k] * b[i + k];
    return s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7];
}

/* Percent of queries whose nearest reference is of their class. */
static double recall_at_1(float strength, uint32_t conditions)
{
    const mann_synth_config c = config(96, conditions, strength);
    float *refs = mni_alloc((size_t)N_CLASSES * N_REFS * THUMB, sizeof *refs), q[THUMB];
    CHECK(refs != NULL);
    for (int i = 0; i < N_CLASSES * N_REFS; i++)
        represent(refs + (size_t)i * THUMB, &c, (uint64_t)i / N_REFS,
                  (uint64_t)i % N_REFS);
    int n_right = 0;
    for (int i = 0; i < N_CLASSES * N_QUERIES; i++) {
        represent(q, &c, (uint64_t)i / N_QUERIES, N_REFS + (uint64_t)i % N_QUERIES);
        float best = -2;
        int who = -1;
        for (int k = 0; k < N_CLASSES * N_REFS; k++) {
            const float s = dot(q, refs + (size_t)k * THUMB);
            if (s > best) { best = s; who = k / N_REFS; }
        }
        n_right += who == i / N_QUERIES;
    }
    mni_free(refs);
    return 100.0 * n_right / (N_CLASSES * N_QUERIES);
}

/* Full strength must not be solved by thumbnails; a quarter must be, so that a demo works
 * with them. */
static void hard_enough_and_easy_enough(void)
{
    const double full = recall_at_1(1.0f, MANN_SYNTH_ALL);
    const double quarter = recall_at_1(0.25f, MANN_SYNTH_ALL);
    if (getenv("TEST_VERBOSE"))
        printf("pixels, 1,000 classes, 3 references: %.1f %%, %.1f %% at 1/4\n", full,
               quarter);
    CHECK(full <= 25 && full >= 2);
    CHECK(quarter >= 70);
}

const test_case synth_tests[];
const test_case synth_tests[] = {
    { "frozen", frozen, 0 },
    { "frozen_at_large", frozen_at_large, 0 },
    { "switches", switches, 0 },
    { "refusals", refusals, 0 },
    { "all_sizes", all_sizes, 0 },
    { "out_of_memory", out_of_memory, 0 },
    { "fixed_point", fixed_point, 0 },
    { "hard_enough_and_easy_enough", hard_enough_and_easy_enough, 1 },
    { 0 }
};
