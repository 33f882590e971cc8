/* test_head.c - training of the last layer alone. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "harness.h"
#include "nn/model.h"
#include "train/trainer.h"
#include "train_set.h"

typedef struct world {
    mni_vfs_mem *mem;
    mni_dataset *set;
    mann_train_config c;
    uint32_t threads;
    uint64_t seed; /* of the body */
    mann_hooks hooks;
    int n_warnings; /* about golden pictures */
} world;

static void world_new(world *w, uint32_t classes, uint32_t views)
{
    *w = (world){ .threads = 1, .seed = 5 };
    CHECK_OK(mni_vfs_mem_new(&w->mem, NULL));
    train_set_draw(mni_vfs_mem_vfs(w->mem), "set", 1, classes, views);
    CHECK_OK(mni_dataset_open(&w->set, mni_vfs_mem_vfs(w->mem), "set", NULL, NULL));
    w->c = mni_train_defaults();
    w->c.freeze = MANN_FREEZE_BODY;
    w->c.head_copies = 3;
    w->c.loss = MANN_LOSS_SUPCON;
    w->c.classes_per_batch = 8;
    w->c.epochs = 4;
    w->c.validation_share = 0.35f;
    w->c.learning_rate = 0.05f;
}

static void note(void *user, mann_note_level level, const char *sentence)
{
    world *w = user;
    w->n_warnings +=
        level == MANN_NOTE_WARNING && strstr(sentence, "no golden pictures") != NULL;
}

static void world_free(world *w)
{
    mni_dataset_free(w->set);
    mni_vfs_mem_free(w->mem);
}

static mann_status train(const world *w, mni_model **m, mann_train_report *r,
                         mann_error *err)
{
    mni_pool *pool = NULL;
    mann_status s = mann_model_new(m, "micro@16", 0, w->seed, err);
    *r = (mann_train_report){ .struct_size = sizeof *r };
    if (s == MANN_OK) s = mann_pool_new(&pool, w->threads, err);
    if (s == MANN_OK) s = mann_train(*m, w->set, &w->c, pool, &w->hooks, r, err);
    mann_pool_free(pool);
    return s;
}

/* Only the last layer moves, it learns, and any number of threads gives the same bits.
 * One photo a class: nobody is left to examine with, and the last weights are taken. */
static void learns(void)
{
    static const uint32_t threads[] = { 1, 2, 7 };
    uint64_t prints[3];
    world w;
    mni_model *m, *before;
    mann_train_report r;
    mann_error e;
    world_new(&w, 24, 1);
    w.c.learning_rate = 0.005f;
    w.c.epochs = 1;
    CHECK_FINE(train(&w, &m, &r, &e), e);
    const double first = r.loss;
    mni_model_free(m);
    w.c.epochs = 12;
    CHECK_OK(mann_model_new(&before, "micro@16", 0, w.seed, NULL));
    for (int i = 0; i < 3; i++) {
        w.threads = threads[i];
        CHECK_FINE(train(&w, &m, &r, &e), e);
        prints[i] = mni_model_fingerprint(m);
        CHECK(prints[i] == prints[0]);
        CHECK(prints[i] != mni_model_fingerprint(before));
        CHECK(isnan(r.val_recall));
        CHECK_EQ(r.best_epoch, 12);
        if (!(r.loss < 0.95 * first))
            test_fail(__FILE__, __LINE__, "loss %g, at first %g", r.loss, first);
        const size_t n = mni_resnet_n_params(mni_model_resnet(m)),
                     last = (size_t)mni_resnet_dim(mni_model_resnet(m));
        size_t same = 0;
        while (same < n && mni_model_params(m)[same] == mni_model_params(before)[same])
            same++;
        CHECK(same > n / 2 && same < n && last > 0); /* the body is untouched */
        CHECK(memcmp(mni_model_stats(m), mni_model_stats(before),
                     mni_resnet_n_stats(mni_model_resnet(m)) * sizeof(float)) == 0);
        size_t n_bytes;
        CHECK(!mni_model_attached(m, "CALB", &n_bytes)); /* nobody to measure with */
        mni_model_free(m);
    }
    w.c.seed = 2;
    CHECK_FINE(train(&w, &m, &r, &e), e);
    CHECK(mni_model_fingerprint(m) != prints[0]);
    mni_model_free(m);
    mni_model_free(before);
    world_free(&w);
}

/* The model says of itself what training saw: its vectors of the held-out photos have the
 * Recall@1 that the report names. A rate of next to nothing: nothing is better. */
static void remains(void)
{
    world w;
    mni_model *m, *before;
    mann_train_report r;
    mann_error e;
    world_new(&w, 24, 4);
    w.c.learning_rate = 1e-9f;
    w.c.weight_decay = 0;
    CHECK_OK(mann_model_new(&before, "micro@16", 0, w.seed, NULL));
    CHECK_FINE(train(&w, &m, &r, &e), e);
    CHECK_EQ(r.best_epoch, 0);
    CHECK(mni_model_fingerprint(m) == mni_model_fingerprint(before));
    mni_model_free(m);
    mni_model_free(before);
    world_free(&w);
}

static void refusals(void)
{
    world w;
    mni_model *m;
    mann_train_report r;
    mann_error e;
    world_new(&w, 24, 4);
    w.c.loss = MANN_LOSS_ARCFACE;
    CHECK_IS(train(&w, &m, &r, &e), MANN_E_ARG);
    CHECK(strstr(e.text, "pairs"));
    mni_model_free(m);
    w.c.loss = MANN_LOSS_SUPCON;
    w.c.cache_bytes = 1000;
    CHECK_IS(train(&w, &m, &r, &e), MANN_E_BUDGET);
    mni_model_free(m);
    w.c.cache_bytes = 1 << 28;
    CHECK_OK(mann_model_new(&m, "pixels", 0, 0, NULL));
    CHECK_IS(mann_train(m, w.set, &w.c, NULL, NULL, &r, &e), MANN_E_UNSUPPORTED);
    mni_model_free(m);
    world_free(&w);
}

static mann_status once(void *ctx)
{
    const world *w = ctx;
    mni_model *m;
    mann_train_report r;
    const mann_status s = train(w, &m, &r, NULL);
    mni_model_free(m);
    return s;
}

static void out_of_memory(void)
{
    world w;
    world_new(&w, 4, 2);
    w.c.epochs = 1;
    w.c.steps_per_epoch = 1;
    w.c.head_copies = 1;
    w.c.classes_per_batch = 2;
    w.c.images_per_class = 2;
    w.hooks = (mann_hooks){ .note = note, .user = &w };
    test_oom(once, &w, 0);
    CHECK_EQ(w.n_warnings, 1); /* the first that is OK: all that failed was the last */
    world_free(&w);
}

const test_case head_tests[] = {
    { "learns", learns, 0 },
    { "remains", remains, 0 },
    { "refusals", refusals, 0 },
    { "out_of_memory", out_of_memory, 0 },
    { NULL, NULL, 0 },
};
