/* loader.c - see loader.h. SPDX-License-Identifier: MIT */
#include "train/loader.h"

#include "base/mem.h"
#include "os/thread.h"

typedef struct place {
    mni_batch batch;
    int ready;
    mann_status status; /* of filling it */
    mann_error error;
    uint8_t *decoded, *composed; /* rooms of one picture */
} place;

struct mni_loader {
    mni_loader_config config;
    size_t input_floats; /* of one picture */
    place *ring;
    uint32_t n_places;
    uint64_t asked; /* steps handed out so far, from first_step */

    mni_thread *threads;
    uint32_t n_threads; /* running */
    mni_mutex lock;     /* of what follows, and of `ready` */
    mni_cond free, filled;
    int has_lock, has_free, has_filled;
    uint64_t claimed; /* next step that a thread will fill */
    int stop;
};

static mann_status fill(const mni_loader *l, place *p, uint64_t step, mann_error *err)
{
    const mni_loader_config *c = &l->config;
    mni_batch *b = &p->batch;
    b->step = step;
    for (uint32_t slot = 0; slot < b->n; slot++) {
        const mni_pick pick = c->plan
                                  ? mni_batch_plan_at(c->plan, &c->sampler, step, slot)
                                  : mni_sampler_at(&c->sampler, step, slot);
        mni_picture picture;
        b->labels[slot] = pick.label;
        b->images[slot] = pick.image;
        MNI_TRY(mni_cache_get(c->cache, pick.image, p->decoded, &picture, err));
        MNI_TRY(mni_augment_run(&c->augment, &picture, &c->cache->recipe, pick.turn,
                                mni_rng_at(c->seed, MNI_FOR_AUGMENT, 0, step, slot),
                                p->composed, b->input + slot * l->input_floats, err));
    }
    return MANN_OK;
}

static place *place_of(const mni_loader *l, uint64_t step)
{
    return &l->ring[step % l->n_places];
}

/* A place may be filled for `step` when the trainer is done with the batch that was
 * there: it holds the batch of asked - 1, and everything before is free. */
static int may_fill(const mni_loader *l, uint64_t step)
{
    return step + 1 < l->config.first_step + l->asked + l->n_places ||
           step < l->config.first_step + l->n_places;
}

static void *work(void *ctx)
{
    mni_loader *l = ctx;
    mni_mutex_lock(&l->lock);
    while (!l->stop && l->claimed < l->config.n_steps) {
        const uint64_t step = l->claimed++;
        while (!l->stop && !may_fill(l, step)) mni_cond_wait(&l->free, &l->lock);
        if (l->stop) break;
        place *p = place_of(l, step);
        mni_mutex_unlock(&l->lock);
        p->status = fill(l, p, step, &p->error);
        mni_mutex_lock(&l->lock);
        p->ready = 1;
        mni_cond_wake_all(&l->filled);
    }
    mni_mutex_unlock(&l->lock);
    return NULL;
}

mann_status mni_loader_next(mni_loader *l, const mni_batch **out, mann_error *err)
{
    const uint64_t step = l->config.first_step + l->asked;
    if (step >= l->config.n_steps)
        return mni_fail(err, MANN_E_ARG, "loader: step %llu of %llu",
                        (unsigned long long)step, (unsigned long long)l->config.n_steps);
    place *p = place_of(l, step);
    if (l->n_threads == 0) {
        l->asked++;
        MNI_TRY(fill(l, p, step, err));
        *out = &p->batch;
        return MANN_OK;
    }
    mni_mutex_lock(&l->lock);
    if (l->asked) place_of(l, step - 1)->ready = 0;
    l->asked++;
    mni_cond_wake_all(&l->free);
    while (!p->ready) mni_cond_wait(&l->filled, &l->lock);
    mni_mutex_unlock(&l->lock);
    if (p->status != MANN_OK) return mni_fail(err, p->status, "%s", p->error.text);
    *out = &p->batch;
    return MANN_OK;
}

static mann_status new_places(mni_loader *l, mann_error *err)
{
    const size_t n = mni_sampler_batch(&l->config.sampler),
                 room = mni_cache_room(l->config.cache);
    l->ring = mni_alloc(l->n_places, sizeof *l->ring);
    if (!l->ring) return mni_fail(err, MANN_E_NOMEM, "loader: ring");
    for (uint32_t i = 0; i < l->n_places; i++) {
        place *p = &l->ring[i];
        p->batch.n = n;
        p->batch.input =
            mni_alloc_aligned(n, l->input_floats * sizeof *p->batch.input, 0);
        p->batch.labels = mni_alloc(n, sizeof *p->batch.labels);
        p->batch.images = mni_alloc(n, sizeof *p->batch.images);
        p->decoded = mni_alloc(room, 1);
        p->composed = mni_alloc(room, 1);
        if (!p->batch.input || !p->batch.labels || !p->batch.images || !p->decoded ||
            !p->composed)
            return mni_fail(err, MANN_E_NOMEM, "loader: batch of %zu images", n);
    }
    return MANN_OK;
}

/* A thread that cannot be started is done without: the others, or the trainer, do its
 * work. */
static mann_status start_threads(mni_loader *l, mann_error *err)
{
    const uint32_t want = l->config.n_threads;
    if (want == 0) return MANN_OK;
    l->threads = mni_alloc(want, sizeof *l->threads);
    l->has_lock = mni_mutex_init(&l->lock);
    l->has_free = mni_cond_init(&l->free);
    l->has_filled = mni_cond_init(&l->filled);
    if (!l->threads || !l->has_lock || !l->has_free || !l->has_filled)
        return mni_fail(err, MANN_E_NOMEM, "loader: threads");
    while (l->n_threads < want && mni_thread_start(&l->threads[l->n_threads], work, l))
        l->n_threads++;
    return MANN_OK;
}

mann_status mni_loader_new(mni_loader **out, const mni_loader_config *c, mann_error *err)
{
    *out = NULL;
    mni_loader *l = mni_alloc(1, sizeof *l);
    if (!l) return mni_fail(err, MANN_E_NOMEM, "loader");
    l->config = *c;
    l->claimed = c->first_step;
    l->n_places = c->n_threads ? c->n_threads + 2 : 1;
    l->input_floats = (size_t)3 * c->cache->recipe.size * c->cache->recipe.size;
    mann_status s = new_places(l, err);
    if (s == MANN_OK) s = start_threads(l, err);
    if (s != MANN_OK) {
        mni_loader_free(l);
        return s;
    }
    *out = l;
    return MANN_OK;
}

void mni_loader_free(mni_loader *l)
{
    if (!l) return;
    if (l->n_threads) {
        mni_mutex_lock(&l->lock);
        l->stop = 1;
        mni_cond_wake_all(&l->free);
        mni_mutex_unlock(&l->lock);
        for (uint32_t i = 0; i < l->n_threads; i++) mni_thread_join(l->threads[i]);
    }
    if (l->has_lock) mni_mutex_fini(&l->lock);
    if (l->has_free) mni_cond_fini(&l->free);
    if (l->has_filled) mni_cond_fini(&l->filled);
    for (uint32_t i = 0; l->ring && i < l->n_places; i++) {
        mni_free(l->ring[i].batch.input);
        mni_free(l->ring[i].batch.labels);
        mni_free(l->ring[i].batch.images);
        mni_free(l->ring[i].decoded);
        mni_free(l->ring[i].composed);
    }
    mni_free(l->ring);
    mni_free(l->threads);
    mni_free(l);
}
