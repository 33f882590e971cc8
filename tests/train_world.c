/* train_world.c - see train_world.h. SPDX-License-Identifier: MIT */
#include "train_world.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "harness.h"
#include "train_set.h"

static int progress(void *user, const mann_progress *p)
{
    train_world *w = user;
    if (strcmp(p->task, "train") != 0) return 0;
    w->n_progress++;
    CHECK(isfinite(p->loss) && p->active >= 0 && p->active <= 1);
    return w->stop_after && p->done >= w->stop_after;
}

static void note(void *user, mann_note_level level, const char *sentence)
{
    train_world *w = user;
    if (level != MANN_NOTE_WARNING) return;
    w->n_warnings++;
    snprintf(w->last_warning, sizeof w->last_warning, "%s", sentence);
}

void train_world_new(train_world *w, uint32_t classes, uint32_t views)
{
    *w = (train_world){ .c = mni_train_defaults() };
    CHECK_OK(mni_vfs_mem_new(&w->mem, NULL));
    w->v = mni_vfs_mem_vfs(w->mem);
    train_set_draw(w->v, "set", 1, classes, views);
    CHECK_OK(mni_dataset_open(&w->set, w->v, "set", NULL, NULL));
    w->hooks = (mann_hooks){ progress, note, w };
    w->c.epochs = 3;
    w->c.steps_per_epoch = 7;
    w->c.classes_per_batch = 6;
    w->c.images_per_class = 3;
    w->c.checkpoint_dir = "ck";
    w->c.log_path = "ck/log.jsonl";
    w->c.learning_rate = 0.05f;
}

void train_world_free(train_world *w)
{
    mni_dataset_free(w->set);
    mni_vfs_mem_free(w->mem);
}

mni_model *train_world_model(uint64_t seed)
{
    const mni_resnet_config c = { 16, 3, 0, 0, 2, { 8, 16 }, { 1, 1 }, 16 };
    mni_recipe recipe;
    uint8_t bytes[MNI_RECIPE_BYTES];
    mni_model *m;
    mni_recipe_fill(&recipe, 16);
    for (int k = 0; k < 3; k++) recipe.mean[k] = recipe.std[k] = 0.5f;
    mni_recipe_encode(&recipe, bytes);
    CHECK_OK(mni_model_new_resnet(&m, "small", &c, seed, NULL));
    CHECK_OK(mni_model_attach(m, MNI_RECIPE_TAG, bytes, sizeof bytes, NULL));
    return m;
}

mann_status train_world_run(train_world *w, mni_model *m, uint32_t threads,
                            mann_train_report *r, mann_error *e)
{
    mann_pool *pool = NULL;
    if (threads > 1) CHECK_OK(mann_pool_new(&pool, threads, NULL));
    w->n_progress = w->n_warnings = 0;
    const mann_status s = mni_train(m, w->set, &w->c, w->v, pool, &w->hooks, r, e);
    mann_pool_free(pool);
    return s;
}

uint8_t *train_world_file(const train_world *w, const char *path, size_t *n)
{
    uint8_t *bytes;
    CHECK_OK(mni_read_file(w->v, path, 1 << 24, &bytes, n, NULL));
    return bytes;
}

int train_world_has(const train_world *w, const char *path)
{
    mni_stat st;
    return w->v->ops->stat(w->v, path, &st, NULL) == MANN_OK;
}

uint64_t train_world_hash_file(const train_world *w, const char *path)
{
    size_t n;
    uint8_t *bytes = train_world_file(w, path, &n);
    const uint64_t h = mni_hash_bytes(bytes, n, 0);
    mni_free(bytes);
    return h;
}

/* The whole of a finished training: the caller's model, and what lies in the folder. */
uint64_t train_world_hash(const train_world *w, const mni_model *m)
{
    CHECK_OK(mni_model_save(m, w->v, "out.mann", NULL));
    return train_world_hash_file(w, "out.mann") ^
           train_world_hash_file(w, "ck/best_model.mann") << 1 ^
           train_world_hash_file(w, "ck/ckpt_epoch3.mann") << 2;
}

uint64_t train_world_whole(void (*change)(mann_train_config *c), uint64_t at,
                           uint32_t threads)
{
    mann_error e;
    train_world w;
    mann_train_report r;
    train_world_new(&w, 20, 3);
    if (change) change(&w.c);
    w.stop_after = at;
    mni_model *m = train_world_model(1);
    if (at) {
        CHECK_IS(train_world_run(&w, m, 1, &r, &e), MANN_E_CANCELLED);
        w.stop_after = 0;
        w.c.resume = MANN_TRAIN_RESUME;
    }
    CHECK_FINE(train_world_run(&w, m, threads, &r, &e), e);
    CHECK(isfinite(r.loss) && isfinite(r.val_loss));
    const uint64_t h = train_world_hash(&w, m);
    mni_model_free(m);
    train_world_free(&w);
    return h;
}
