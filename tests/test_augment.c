/* test_augment.c - photos changed by a seed: each change does what it says and no more,
 * the same pixels everywhere, and no leak. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "harness.h"
#include "image/image.h"
#include "nn/model.h"
#include "train/augment.h"
#include "train/trainer.h"
#include "train_set.h"

enum { W = 48, H = 32 };
#define FROZEN 0x38008fda6b8aca26ull

/* Red tells the column, green the row; blue is flat. */
static void ramp(mann_image *im, uint32_t channels)
{
    CHECK_OK(mni_image_new(im, W, H, channels, NULL));
    for (uint32_t y = 0; y < H; y++)
        for (uint32_t x = 0; x < W; x++) {
            uint8_t *p = im->pixels + (size_t)channels * (y * W + x);
            p[0] = (uint8_t)(5 * x);
            p[1] = (uint8_t)(7 * y);
            p[2] = 100;
            if (channels == 4) p[3] = x < W / 2 ? 255 : 0;
        }
}

static void changed(mann_image *out, const mann_image *in, uint32_t changes,
                    uint64_t copy)
{
    mann_augment_config c;
    mann_error e;
    mann_augment_config_fill(&c, sizeof c);
    c.changes = changes;
    c.seed = 7;
    CHECK_FINE(mann_augment_image(out, in, &c, 3, copy, &e), e);
    CHECK_EQ(out->width, W);
    CHECK_EQ(out->height, H);
    CHECK_EQ(out->channels, 3);
}

static double mean_difference(const mann_image *a, const mann_image *b)
{
    double sum = 0;
    for (size_t i = 0; i < 3u * W * H; i++) sum += abs(a->pixels[i] - b->pixels[i]);
    return sum / (3 * W * H);
}

static void each_alone(void)
{
    mann_image in, a, b;
    ramp(&in, 3);
    changed(&a, &in, 0, 1); /* nothing asked for: nothing done */
    CHECK(memcmp(a.pixels, in.pixels, 3u * W * H) == 0);
    mann_image_clear(&a);
    for (uint32_t bit = 1; bit < MANN_CHANGE_ALL; bit *= 2) {
        double most = 0;
        for (uint64_t copy = 1; copy <= 8; copy++) {
            changed(&a, &in, bit, copy);
            changed(&b, &in, bit, copy);
            CHECK(memcmp(a.pixels, b.pixels, 3u * W * H) == 0);
            most = fmax(most, mean_difference(&a, &in));
            /* what has no transparency has no other background; blur leaves a ramp */
            if (bit == MANN_CHANGE_BACKGROUND) CHECK(mean_difference(&a, &in) == 0);
            else if (bit != MANN_CHANGE_FLIP) CHECK(mean_difference(&a, &in) > 0);
            mann_image_clear(&a);
            mann_image_clear(&b);
        }
        if (bit != MANN_CHANGE_BACKGROUND) CHECK(most > 0.05 && most < 90);
    }
    mann_image_clear(&in);
}

/* A part is a window of half to nine tenths: the columns seen follow each other, and
 * their range says how wide it is. */
static void parts(void)
{
    mann_image in, a;
    double least = 1, widest = 0;
    ramp(&in, 3);
    for (uint64_t copy = 1; copy <= 200; copy++) {
        changed(&a, &in, MANN_CHANGE_CROP, copy);
        const uint8_t *row = a.pixels + 3u * W * (H / 2);
        for (int x = 1; x < W; x++) CHECK(row[3 * x] >= row[3 * (x - 1)]);
        const double side = (row[3 * (W - 1)] - row[0]) / (5.0 * (W - 1));
        least = fmin(least, side);
        widest = fmax(widest, side);
        CHECK(side > 0.48 && side < 0.92);
        mann_image_clear(&a);
    }
    CHECK(least < 0.53 && widest > 0.87);
    mann_image_clear(&in);
}

static void grain_and_background(void)
{
    mann_image in, a;
    double worst = 0;
    ramp(&in, 3);
    for (uint64_t copy = 1; copy <= 20; copy++) {
        double sum = 0, squares = 0; /* of the flat channel */
        changed(&a, &in, MANN_CHANGE_NOISE, copy);
        for (size_t i = 0; i < W * H; i++) {
            const double d = a.pixels[3 * i + 2] - 100.0;
            sum += d;
            squares += d * d;
        }
        CHECK(fabs(sum / (W * H)) < 1.5); /* not lighter, not darker */
        worst = fmax(worst, sqrt(squares / (W * H)));
        mann_image_clear(&a);
    }
    CHECK(worst > 5 && worst < 255 * 0.045);
    mann_image_clear(&in);

    ramp(&in, 4);
    changed(&a, &in, MANN_CHANGE_BACKGROUND, 1);
    int other = 0;
    for (uint32_t y = 0; y < H; y++)
        for (uint32_t x = 0; x < W; x++) {
            const uint8_t *p = a.pixels + 3 * (y * W + x);
            const uint8_t *q = in.pixels + 4 * (y * W + x);
            if (x < W / 2) CHECK(memcmp(p, q, 3) == 0); /* the thing is as it was */
            else other += p[0] != 255 || p[1] != 255 || p[2] != 255;
        }
    CHECK_EQ(other, W / 2 * H);
    mann_image_clear(&a);
    mann_image_clear(&in);
}

/* These very pixels, on every machine and at every instruction set. */
static void frozen(void)
{
    uint64_t hash = 0;
    mann_image in, a;
    ramp(&in, 4);
    for (uint64_t copy = 1; copy <= 40; copy++) {
        changed(&a, &in, MANN_CHANGE_ALL, copy);
        hash = mni_hash_bytes(a.pixels, 3u * W * H, hash);
        mann_image_clear(&a);
    }
    changed(&a, &in, MANN_CHANGE_JPEG, 1);
    hash = mni_hash_bytes(a.pixels, 3u * W * H, hash);
    mann_image_clear(&a);
    mann_image_clear(&in);
    if (hash != FROZEN)
        test_fail(__FILE__, __LINE__, "hash %016llx", (unsigned long long)hash);
}

static void refusals(void)
{
    mann_image in, a;
    mann_error e;
    mann_augment_config c;
    ramp(&in, 3);
    mann_augment_config_fill(&c, sizeof c);
    c.changes = 1u << 20;
    CHECK_IS(mann_augment_image(&a, &in, &c, 1, 1, &e), MANN_E_ARG);
    c.changes = 1;
    c.strength = (float)NAN;
    CHECK_IS(mann_augment_image(&a, &in, &c, 1, 1, &e), MANN_E_ARG);
    c.strength = 1;
    in.height = 7;
    CHECK_IS(mann_augment_image(&a, &in, &c, 1, 1, &e), MANN_E_ARG);
    in.height = H;
    mann_image_clear(&in);
}

static mann_status one_image(void *ctx)
{
    mann_image out;
    mann_augment_config c;
    mann_augment_config_fill(&c, sizeof c);
    c.changes = MANN_CHANGE_JPEG | MANN_CHANGE_BACKGROUND;
    mann_error e;
    const mann_status s = mann_augment_image(&out, ctx, &c, 1, 1, &e);
    mann_image_clear(&out);
    return s;
}

/* --- the sheet before training ------------------------------------------------------ */

typedef struct look {
    const mni_model *m;
    const mni_dataset *set;
} look;

static mann_status one_sheet(void *ctx)
{
    const look *l = ctx;
    mann_train_config c = mni_train_defaults();
    mann_image out;
    mann_error e;
    c.augment = MANN_AUGMENT_STRONG;
    const mann_status s = mann_train_preview(l->m, l->set, &c, 2, 3, &out, &e);
    mann_image_clear(&out);
    return s;
}

static void preview(void)
{
    mni_vfs_mem *mem;
    mni_model *m;
    mni_dataset *set;
    mann_image a, b;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    train_set_draw(v, "set", 1, 5, 2);
    CHECK_OK(mann_model_new(&m, "micro@32", 0, 1, NULL));
    CHECK_OK(mni_dataset_open(&set, v, "set", NULL, NULL));
    mann_train_config c = mni_train_defaults();
    c.augment = MANN_AUGMENT_STRONG;
    CHECK_OK(mann_train_preview(m, set, &c, 99, 4, &a, NULL)); /* 5 classes are there */
    CHECK_EQ(a.height, 5 * (96 + 6) + 6);
    CHECK_EQ(a.width, 4 * (96 + 6) + 18);
    CHECK_OK(mann_train_preview(m, set, &c, 99, 4, &b, NULL));
    CHECK(memcmp(a.pixels, b.pixels, 3u * a.width * a.height) == 0);
    mann_image_clear(&b);
    c.seed = 2;
    CHECK_OK(mann_train_preview(m, set, &c, 99, 4, &b, NULL));
    CHECK(memcmp(a.pixels, b.pixels, 3u * a.width * a.height) != 0);
    mann_image_clear(&b);
    mann_image_clear(&a);
    look l = { m, set };
    test_oom(one_sheet, &l, 0);
    mni_dataset_free(set);
    mni_model_free(m);
    mni_vfs_mem_free(mem);
}

static void out_of_memory(void)
{
    mann_image in;
    ramp(&in, 4);
    test_oom(one_image, &in, 0);
    mann_image_clear(&in);
}

const test_case augment_tests[] = {
    { "each_alone", each_alone, 0 },
    { "parts", parts, 0 },
    { "grain_and_background", grain_and_background, 0 },
    { "frozen", frozen, 0 },
    { "refusals", refusals, 0 },
    { "preview", preview, 0 },
    { "out_of_memory", out_of_memory, 0 },
    { NULL, NULL, 0 },
};
