/* test_train.c - the parts of a training: sampler, split, cache, augmentation, loader,
 * watch. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "image/image.h"
#include "train/loader.h"
#include "train/split.h"
#include "train/watch.h"
#include "train_set.h"

/* --- sampler ---------------------------------------------------------------------- */

/* n_classes classes of 1, 2, ..., most images, again and again. */
static void list_make(mni_class_list *l, uint32_t n_classes, uint32_t most)
{
    uint32_t at = 0;
    *l = (mni_class_list){ .n_classes = n_classes };
    l->first = mni_alloc((size_t)n_classes + 1, sizeof *l->first);
    l->images = mni_alloc((size_t)n_classes * most, sizeof *l->images);
    CHECK(l->first && l->images);
    for (uint32_t k = 0; k < n_classes; k++) {
        l->first[k] = at;
        for (uint32_t i = 0; i <= k % most; i++, at++) l->images[at] = 1000 + at;
    }
    l->first[n_classes] = at;
}

static void permutations(void)
{
    static uint8_t seen[5000];
    static const uint32_t sizes[] = { 1, 2, 3, 4, 5, 16, 17, 1000, 4096, 4097, 5000 };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (uint64_t key = 0; key < 3; key++) {
            uint32_t n = sizes[s], n_fixed = 0;
            memset(seen, 0, sizeof seen);
            for (uint32_t i = 0; i < n; i++) {
                uint32_t p = mni_permute(test_seed() + key, n, i);
                CHECK(p < n && !seen[p]);
                seen[p] = 1;
                n_fixed += p == i;
            }
            CHECK(n < 100 || n_fixed < 20); /* 1 is what chance gives */
        }
    CHECK(mni_permute(1, UINT32_MAX, 5) != mni_permute(2, UINT32_MAX, 5));
}

static void batches(void)
{
    enum { CLASSES = 23, MOST = 7, P = 5, K = 3 };
    mni_class_list l;
    list_make(&l, CLASSES, MOST);
    for (uint32_t turns = 1; turns <= 8; turns += turns == 1 ? 3 : 4) {
        const mni_sampler s = { &l, test_seed(), P, K, turns, 0 };
        const uint64_t per_pass = CLASSES * turns / P;
        uint32_t uses[CLASSES * MOST] = { 0 };
        for (uint64_t pass = 0; pass < 60; pass++) {
            uint8_t seen[CLASSES * 8] = { 0 };
            for (uint64_t step = pass * per_pass; step < (pass + 1) * per_pass; step++)
                for (uint32_t p = 0; p < P; p++) {
                    mni_pick got[K];
                    for (uint32_t k = 0; k < K; k++)
                        got[k] = mni_sampler_at(&s, step, p * K + k);
                    const uint32_t klass = got[0].label % CLASSES, n = klass % MOST + 1;
                    CHECK(!seen[got[0].label]); /* once in a pass, so once in a batch */
                    seen[got[0].label] = 1;
                    for (uint32_t k = 0; k < K; k++) {
                        const uint32_t row = (uint32_t)(got[k].image - 1000);
                        CHECK_EQ(got[k].label, got[0].label);
                        CHECK_EQ(got[k].turn, got[0].label / CLASSES);
                        CHECK(row >= l.first[klass] && row < l.first[klass + 1]);
                        uses[row]++;
                        for (uint32_t j = 0; j < k && n >= K; j++)
                            CHECK(got[j].image != got[k].image);
                    }
                }
        }
        /* Nobody is forgotten, and the images of a class take turns. */
        for (uint32_t k = 0; k < CLASSES; k++)
            for (uint32_t i = l.first[k]; i < l.first[k + 1]; i++) {
                CHECK(uses[i] > 0);
                CHECK(uses[i] * 4 > uses[l.first[k]] && uses[l.first[k]] * 4 > uses[i]);
            }
        const mni_pick a = mni_sampler_at(&s, 77, 4), b = mni_sampler_at(&s, 77, 4);
        CHECK(a.image == b.image && a.label == b.label);
    }
    mni_class_list_fini(&l);
}

/* Two sources: 40 classes against 9. */
static void capped(void)
{
    enum { LARGE = 40, SMALL = 9, ALL = LARGE + SMALL, CAP = 12, PASSES = 600 };
    uint32_t set_at[3] = { 0, LARGE, ALL };
    mni_class_list l;
    list_make(&l, ALL, 3);
    l.n_sets = 2;
    l.set_at = set_at;
    for (uint32_t turns = 1; turns <= 8; turns += turns == 1 ? 3 : 4) {
        const mni_sampler s = { &l, test_seed(), 7, 2, turns, CAP };
        uint32_t uses[ALL] = { 0 }, images[3 * ALL] = { 0 }, n_small = 0, n = 0;
        CHECK_EQ(mni_sampler_n_shown(&s), (CAP + SMALL) * turns);
        CHECK_EQ(mni_sampler_n_labels(&s), ALL * turns);
        for (uint64_t pass = 0; pass < PASSES; pass++) {
            uint8_t seen[8 * ALL] = { 0 };
            for (uint64_t step = pass * 3 * turns; step < (pass + 1) * 3 * turns; step++)
                for (uint32_t slot = 0; slot < 14; slot++) {
                    const mni_pick p = mni_sampler_at(&s, step, slot);
                    const uint32_t klass = p.label % ALL;
                    const uint32_t row = (uint32_t)(p.image - 1000);
                    CHECK(row >= l.first[klass] && row < l.first[klass + 1]);
                    images[row]++;
                    if (slot % 2) continue;
                    CHECK(!seen[p.label]); /* no class twice in a pass or batch */
                    seen[p.label] = 1;
                    uses[klass]++;
                    n_small += klass >= LARGE;
                    n++;
                }
        }
        /* 12 of the large to 9 of the small, exactly; within a set all alike: a class
         * of the large one is shown in a third of the passes, less one in ten that is
         * left over (40 = 3 x 12 + 4). */
        CHECK_EQ(n, PASSES * 21 * turns);
        CHECK_EQ(n_small, PASSES * SMALL * turns);
        for (uint32_t k = 0; k < ALL; k++) {
            const double want = PASSES * turns * (k < LARGE ? (double)CAP / LARGE : 1);
            CHECK_NEAR(uses[k], want, k < LARGE ? 0.2 * want : 0);
        }
        for (uint32_t i = 0; i < l.first[ALL]; i++) CHECK(images[i] > 0);
    }
    /* No cap, one set or two: the numbers are those of one list. */
    const mni_class_list plain = { l.n_classes, l.first, l.images, 0, NULL };
    const mni_sampler one = { &plain, 5, 7, 2, 1, 0 }, two = { &l, 5, 7, 2, 1, 0 };
    for (uint32_t slot = 0; slot < 14; slot++) {
        const mni_pick a = mni_sampler_at(&one, 31, slot);
        CHECK_EQ(a.image, mni_sampler_at(&two, 31, slot).image);
    }
    l.set_at = NULL;
    mni_class_list_fini(&l);
}

/* Joined sets keep their classes apart, and what was split knows whose each class is. */
static mann_status join(void *ctx)
{
    mni_dataset *all;
    const mann_status s = mni_dataset_join(&all, ctx, 2, NULL);
    mni_dataset_free(all);
    return s;
}

static void joined(void)
{
    mni_vfs_mem *mem;
    mni_dataset *sets[2], *all;
    mni_recipe recipe;
    mni_cache cache;
    mni_class_list in, out;
    mann_error e;
    uint32_t klass;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    train_set_draw(v, "a/things", 1, 12, 2);
    train_set_draw(v, "b/things", 100, 5, 3);
    CHECK_OK(mni_dataset_open(&sets[0], v, "a/things", NULL, NULL));
    CHECK_OK(mni_dataset_open(&sets[1], v, "b/things", NULL, NULL));
    CHECK_FINE(mni_dataset_join(&all, (const mni_dataset *const *)sets, 2, &e), e);
    CHECK_EQ(mni_dataset_n_sets(all), 2);
    CHECK_EQ(mni_dataset_n_sets(sets[0]), 1);
    CHECK_EQ(mni_dataset_n_classes(all), 17);
    CHECK_STR(mni_dataset_class(all, 0), "things/c000");
    CHECK_STR(mni_dataset_class(all, 12), "things2/c000"); /* called the same */
    CHECK_EQ(mni_dataset_set(all, 11), 0);
    CHECK_EQ(mni_dataset_set(all, 12), 1);
    CHECK_STR(mni_dataset_path(all, 24, &klass), "b/things/c000/00.png");
    CHECK_EQ(klass, 12);
    mni_recipe_fill(&recipe, 16);
    CHECK_FINE(mni_cache_init(&cache, all, &recipe, 1 << 20, NULL, NULL, &e), e);
    CHECK_EQ(cache.n_bad, 0);
    CHECK_FINE(mni_split(&cache, 0.5, 3, &in, &out, &e), e);
    for (int i = 0; i < 2; i++) {
        const mni_class_list *l = i ? &out : &in;
        CHECK_EQ(l->n_sets, 2);
        CHECK_EQ(l->set_at[2], l->n_classes);
        for (uint32_t k = 0; k < l->n_classes; k++) {
            mni_dataset_path(all, l->images[l->first[k]], &klass);
            CHECK_EQ(k >= l->set_at[1], klass >= 12);
        }
    }
    mni_class_list_fini(&in);
    mni_class_list_fini(&out);
    mni_cache_fini(&cache);
    mni_dataset_free(all);
    test_oom(join, sets, 0);
    mni_dataset_free(sets[0]);
    mni_dataset_free(sets[1]);
    mni_vfs_mem_free(mem);
}

/* --- split ------------------------------------------------------------------------ */

static void split_sizes(void)
{
    CHECK_EQ(mni_split_size(0, 0.1), 0);
    CHECK_EQ(mni_split_size(3, 0.1), 0);
    CHECK_EQ(mni_split_size(4, 0.1), 2); /* at most half */
    CHECK_EQ(mni_split_size(15, 0.1), 7);
    CHECK_EQ(mni_split_size(20, 0.1), 8); /* at least 8 */
    CHECK_EQ(mni_split_size(964, 0.1), 96);
    CHECK_EQ(mni_split_size(964, 0), 0);
}

typedef struct world {
    mni_vfs_mem *mem;
    const mni_vfs *v;
    mni_dataset *set;
    mni_recipe recipe;
    mni_cache cache;
} world;

static void world_open(world *w, uint64_t budget)
{
    mann_error e;
    mni_recipe_fill(&w->recipe, 16);
    CHECK_FINE(mni_dataset_open(&w->set, w->v, "set", NULL, &e), e);
    CHECK_FINE(mni_cache_init(&w->cache, w->set, &w->recipe, budget, NULL, NULL, &e), e);
}

static void world_new(world *w)
{
    *w = (world){ 0 };
    CHECK_OK(mni_vfs_mem_new(&w->mem, NULL));
    w->v = mni_vfs_mem_vfs(w->mem);
}

static void world_free(world *w)
{
    mni_cache_fini(&w->cache);
    mni_dataset_free(w->set);
    mni_vfs_mem_free(w->mem);
}

static void one_square(const mni_vfs *v, const char *dir, const char *name,
                       uint32_t channels)
{
    char path[96];
    mann_image im;
    snprintf(path, sizeof path, "set/%s", dir);
    CHECK_OK(v->ops->mkdir(v, path, NULL));
    snprintf(path, sizeof path, "set/%s/%s", dir, name);
    CHECK_OK(mni_image_new(&im, 20, 20, channels, NULL));
    mni_rng r = mni_rng_at(1, MNI_FOR_TEST, 0, 0, (uint64_t)name[0]);
    for (size_t i = 0; i < (size_t)400 * channels; i++)
        im.pixels[i] = (uint8_t)mni_rng_below(&r, 256);
    train_set_put(v, path, &im);
    mann_image_clear(&im);
}

static void splits(void)
{
    mann_error e;
    world w;
    mni_class_list in, out;
    world_new(&w);
    train_set_draw(w.v, "set", 1, 20, 3);
    one_square(w.v, "lonely", "a.png", 3); /* one image: never examines */
    one_square(w.v, "bad", "a.png", 3);
    CHECK_OK(mni_replace_file(w.v, "set/bad/a.png", "no picture", 10, NULL));
    one_square(w.v, ".", "loose.png", 3); /* no class */
    world_open(&w, 1 << 20);
    CHECK_EQ(w.cache.n_bad, 1);
    for (uint64_t seed = 0; seed < 5; seed++) {
        uint8_t in_which[80] = { 0 };
        CHECK_FINE(mni_split(&w.cache, 0.1, seed, &in, &out, &e), e);
        CHECK_EQ(out.n_classes, 8);
        CHECK_EQ(in.n_classes, 13);
        CHECK_EQ(mni_class_list_images(&out), 24);
        CHECK_EQ(mni_class_list_images(&in), 37);
        for (uint64_t i = 0; i < 37; i++) in_which[in.images[i]]++;
        for (uint64_t i = 0; i < 24; i++) in_which[out.images[i]]++;
        for (size_t i = 0; i < 80; i++) CHECK(in_which[i] <= 1);
        mni_class_list_thin(&out, 16);
        CHECK_EQ(mni_class_list_images(&out), 16);
        CHECK_EQ(out.first[1], 2);
        mni_class_list_fini(&in);
        mni_class_list_fini(&out);
    }
    CHECK_OK(mni_examiners(&w.cache, 1000, &out, NULL));
    CHECK_EQ(out.n_classes, 20);
    mni_class_list_fini(&out);
    world_free(&w);

    world_new(&w); /* one class is none */
    one_square(w.v, "only", "a.png", 3);
    one_square(w.v, "only", "b.png", 3);
    world_open(&w, 1 << 20);
    CHECK_IS(mni_split(&w.cache, 0.1, 1, &in, &out, &e), MANN_E_NOT_FOUND);
    CHECK(strstr(e.text, "1 class with images"));
    world_free(&w);
}

/* --- cache and augmentation ------------------------------------------------------- */

enum { SIDE = 16, FLOATS = 3 * SIDE * SIDE };

static void augmented(const world *w, const mni_augment *a, uint64_t image, uint32_t turn,
                      uint64_t slot, float *out)
{
    uint8_t room[SIDE * SIDE * 4], composed[SIDE * SIDE * 3];
    mni_picture p;
    CHECK_OK(mni_cache_get(&w->cache, image, room, &p, NULL));
    CHECK_OK(mni_augment_run(a, &p, &w->recipe, turn,
                             mni_rng_at(test_seed(), MNI_FOR_AUGMENT, 0, 1, slot),
                             composed, out, NULL));
}

/* What the network trains on is what it will be asked with. */
static void as_inference(void)
{
    world w;
    const mni_augment none = mni_augment_preset(MANN_AUGMENT_NONE);
    static float got[FLOATS], want[FLOATS];
    for (uint64_t budget = 0; budget < 2; budget++) {
        world_new(&w);
        one_square(w.v, "k", "opaque.png", 3);
        one_square(w.v, "k", "see-through.png", 4);
        world_open(&w, budget << 20);
        CHECK_EQ(w.cache.kept_bytes > 0, budget);
        for (uint64_t i = 0; i < 2; i++) {
            uint8_t *bytes;
            size_t n;
            uint64_t time;
            mann_image im;
            CHECK_OK(mni_dataset_bytes(w.set, i, &bytes, &n, &time, NULL));
            CHECK_OK(mni_image_decode(&im, bytes, n, NULL, NULL));
            CHECK_OK(mni_prep_run(&w.recipe, &im, want, NULL));
            augmented(&w, &none, i, 0, 0, got);
            for (size_t k = 0; k < FLOATS; k++)
                CHECK_NEAR(got[k], want[k], i ? 2.6 / 255 : 0);
            mann_image_clear(&im);
            mni_free(bytes);
        }
        world_free(&w);
    }
}

static void augmentations(void)
{
    world w;
    static float a[FLOATS], b[FLOATS], c[FLOATS];
    world_new(&w);
    one_square(w.v, "k", "opaque.png", 3);
    one_square(w.v, "k", "see-through.png", 4);
    world_open(&w, 1 << 20);
    for (uint32_t kind = MANN_AUGMENT_GLYPH; kind <= MANN_AUGMENT_STRONG; kind++) {
        const mni_augment preset = mni_augment_preset(kind);
        for (uint64_t i = 0; i < 2; i++)
            for (uint64_t slot = 0; slot < 30; slot++) {
                augmented(&w, &preset, i, 0, slot, a);
                augmented(&w, &preset, i, 0, slot, b);
                augmented(&w, &preset, i, 0, slot + 1, c);
                CHECK(memcmp(a, b, sizeof a) == 0);
                CHECK(memcmp(a, c, sizeof a) != 0);
                for (size_t k = 0; k < FLOATS; k++)
                    CHECK(a[k] >= -1e-5f && a[k] <= 1 + 1e-5f);
            }
    }
    /* Quarter turns are exact: to the left; 4 more: the mirror image of that. */
    const mni_augment none = { 0 };
    augmented(&w, &none, 0, 0, 0, a);
    for (uint32_t turn = 1; turn < 8; turn++) {
        augmented(&w, &none, 0, turn, 0, b);
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                int sx = turn < 4 ? x : SIDE - 1 - x, sy = y;
                for (uint32_t q = 0; q < turn % 4; q++) {
                    int t = sx;
                    sx = SIDE - 1 - sy;
                    sy = t;
                }
                CHECK_NEAR(b[y * SIDE + x], a[sy * SIDE + sx], 1e-6);
            }
    }
    /* White stays white where nothing is changed, and another background is another. */
    mni_augment back = { .background = 1 };
    augmented(&w, &none, 1, 0, 3, a);
    augmented(&w, &back, 1, 0, 3, b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    augmented(&w, &none, 0, 0, 3, a);
    augmented(&w, &back, 0, 0, 3, b);
    CHECK(memcmp(a, b, sizeof a) == 0);
    world_free(&w);
}

/* --- loader ----------------------------------------------------------------------- */

static void loaders(void)
{
    enum { FIRST = 5, LAST = 25 };
    mann_error e;
    world w;
    mni_class_list in;
    world_new(&w);
    train_set_draw(w.v, "set", 1, 6, 3);
    world_open(&w, 6 * SIDE * SIDE * 4); /* a third is decoded when asked for */
    CHECK_OK(mni_split(&w.cache, 0, 1, &in, NULL, NULL));
    mni_loader_config c = { &w.cache,
                            { &in, 3, 4, 2, 1, 0 },
                            mni_augment_preset(MANN_AUGMENT_ALL),
                            3,
                            FIRST,
                            LAST,
                            0,
                            NULL };
    static const uint32_t threads[] = { 0, 1, 2, 7 };
    uint64_t hash[4] = { 0 };
    for (size_t i = 0; i < 4; i++) {
        mni_loader *l;
        const mni_batch *b;
        c.n_threads = threads[i];
        CHECK_FINE(mni_loader_new(&l, &c, &e), e);
        for (uint64_t step = FIRST; step < LAST; step++) {
            CHECK_FINE(mni_loader_next(l, &b, &e), e);
            CHECK_EQ(b->step, step);
            CHECK_EQ(b->n, 8);
            hash[i] = mni_hash_bytes(b->input, b->n * FLOATS * sizeof(float), hash[i]);
            hash[i] = mni_hash_bytes(b->labels, b->n * sizeof *b->labels, hash[i]);
        }
        CHECK_IS(mni_loader_next(l, &b, &e), MANN_E_ARG);
        mni_loader_free(l);
        CHECK(hash[i] == hash[0]);
        CHECK_OK(mni_loader_new(&l, &c, NULL)); /* given up in the middle of its work */
        mni_loader_free(l);
    }
    /* A file that vanishes is an error with its name, from a thread too. */
    CHECK_OK(w.v->ops->remove(w.v, "set/c005/02.png", NULL));
    for (size_t i = 0; i < 3; i++) {
        mni_loader *l;
        const mni_batch *b;
        mann_status s = MANN_OK;
        c.n_threads = threads[i];
        CHECK_OK(mni_loader_new(&l, &c, NULL));
        for (int step = FIRST; step < LAST && s == MANN_OK; step++)
            s = mni_loader_next(l, &b, &e);
        CHECK_EQ(s, MANN_E_NOT_FOUND);
        CHECK(strstr(e.text, "c005/02.png"));
        mni_loader_free(l);
    }
    mni_class_list_fini(&in);
    world_free(&w);
}

/* --- watch ------------------------------------------------------------------------ */

static mni_loss_result in_ball(double negative, double gap_share)
{
    const double positive = negative * (1 - gap_share);
    return (mni_loss_result){ 0.2, 1, 100, positive, negative, 0.07, 9 };
}

static void watches(void)
{
    mni_watch w = { 0 };
    mni_loss_config c = mni_loss_default();
    const mni_loss_result point = { 0.2, 1, 100, 0.001, 0.001, 0.001, 3 },
                          alive = { 0.15, 0.7, 100, 0.5, 0.7, 0.5, 9 };
    const mni_loss_result ball = { 0.199, 1, 100, 0.1, 0.101, 0.07, 9 },
                          bad = { NAN, 1, 100, 0.5, 0.7, 0.5, 9 };
    const mni_loss_result empty = { 0, 0, 0, NAN, NAN, 0, 0 };
    for (int i = 0; i < 3 * MNI_WATCH_STEPS; i++)
        CHECK_EQ(mni_watch_step(&w, &c, &alive, 1), MNI_WATCH_FINE);
    for (int i = 0; i < 3 * MNI_WATCH_STEPS; i++)
        CHECK_EQ(mni_watch_step(&w, &c, &empty, 1), MNI_WATCH_FINE);
    for (int i = 1; i < MNI_WATCH_STEPS; i++)
        CHECK_EQ(mni_watch_step(&w, &c, &point, 1), MNI_WATCH_FINE);
    CHECK_EQ(mni_watch_step(&w, &c, &alive, 1), MNI_WATCH_FINE); /* in a row is meant */
    for (int i = 1; i < MNI_WATCH_STEPS; i++)
        CHECK_EQ(mni_watch_step(&w, &c, &ball, 1), MNI_WATCH_FINE);
    CHECK_EQ(mni_watch_step(&w, &c, &point, 1), MNI_WATCH_COLLAPSED);
    CHECK_EQ(mni_watch_step(&w, &c, &point, 1),
             MNI_WATCH_FINE); /* told once, counted anew */
    CHECK_EQ(mni_watch_step(&w, &c, &bad, 1), MNI_WATCH_NOT_A_NUMBER);
    CHECK_EQ(mni_watch_step(&w, &c, &alive, (double)INFINITY), MNI_WATCH_NOT_A_NUMBER);
}

/* The hardest negatives draw everything together first. That is no collapse as long as
 * friends come nearer than strangers, as in watch.h's table; it is one when they do not.
 */
static void a_ball_that_opens_is_no_collapse(void)
{
    mni_loss_config c = mni_loss_default();
    mni_watch w = { 0 };
    for (int step = 0; step < 1200; step++) {
        const double t = step / 1200.0, noise = step % 7 * 0.004;
        const mni_loss_result r = in_ball(0.03, 0.04 + 0.5 * t + noise);
        CHECK_EQ(mni_watch_step(&w, &c, &r, 1), MNI_WATCH_FINE);
    }
    int told_at = -1;
    w = (mni_watch){ 0 };
    for (int step = 0; step < 1200 && told_at < 0; step++) {
        const mni_loss_result r = in_ball(0.01, 0.08 + step % 7 * 0.004);
        if (mni_watch_step(&w, &c, &r, 1) == MNI_WATCH_COLLAPSED) told_at = step;
    }
    CHECK(told_at >= MNI_WATCH_FLAT && told_at < 2 * MNI_WATCH_FLAT);
    c.soft = 1;                         /* has no margin to stand at */
    w = (mni_watch){ 0 };
    for (int step = 0; step < 2 * MNI_WATCH_FLAT; step++) {
        const mni_loss_result r = in_ball(0.1, 0.08);
        CHECK_EQ(mni_watch_step(&w, &c, &r, 1), MNI_WATCH_FINE);
    }
}

extern const test_case train_tests[];
const test_case train_tests[] = { { "permutations", permutations, 0 },
                                  { "batches", batches, 0 },
                                  { "capped", capped, 0 },
                                  { "joined", joined, 0 },
                                  { "split_sizes", split_sizes, 0 },
                                  { "splits", splits, 0 },
                                  { "as_inference", as_inference, 0 },
                                  { "augmentations", augmentations, 0 },
                                  { "loaders", loaders, 0 },
                                  { "watches", watches, 0 },
                                  { "a_ball_that_opens_is_no_collapse",
                                    a_ball_that_opens_is_no_collapse, 0 },
                                  { NULL, NULL, 0 } };
