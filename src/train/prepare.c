/* prepare.c - everything a training needs before its first step. See trainer.h.
 * SPDX-License-Identifier: MIT */
#include "train/trainer.h"

#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"

mann_train_config mni_train_defaults(void)
{
    return (mann_train_config){
        .struct_size = sizeof(mann_train_config),
        .epochs = 50,
        .patience = 5,
        .classes_per_batch = 24,
        .images_per_class = 4,
        .loss = MANN_LOSS_TRIPLET,
        .miner = MANN_MINE_SEMI_HARD,
        .augment = MANN_AUGMENT_ALL,
        .monitor = MANN_MONITOR_RECALL,
        .keep_checkpoints = 3,
        .learning_rate = 0.1f,
        .momentum = 0.9f,
        .weight_decay = 5e-4f,
        .validation_share = 0.1f,
        .seed = 1,
        .cache_bytes = (uint64_t)1 << 30,
        .first_share = 0.5f,
    };
}

/* --- data ------------------------------------------------------------------------- */

static const char *one_of(const mni_dataset *set, const char *const *names)
{
    for (uint32_t k = 0; k < mni_dataset_n_classes(set); k++)
        for (const char *const *n = names; *n; n++)
            if (strcmp(mni_dataset_class(set, k), *n) == 0) return *n;
    return NULL;
}

/* A folder with `train` and `val` (and perhaps `test`) and nothing else is two data
 * sets. */
static mann_status open_parts(mni_trainer *t, const mni_dataset *set, mann_error *err)
{
    static const char *const train[] = { "train", NULL }, *const test[] = { "test",
                                                                            NULL };
    static const char *const val[] = { "val", "valid", "validation", NULL };
    const uint32_t n = mni_dataset_n_classes(set);
    const char *a = one_of(set, train), *b = one_of(set, val);
    if (a && b && (n == 2 || (n == 3 && one_of(set, test)))) {
        MNI_TRY(mni_dataset_below(&t->train_part, set, a, t->hooks, err));
        if (!t->config.validation)
            return mni_dataset_below(&t->val_part, set, b, t->hooks, err);
    }
    if (!t->config.validation) return MANN_OK;
    return mni_dataset_open(&t->val_part, t->vfs, t->config.validation, t->hooks, err);
}

static uint32_t turns_of(const mann_train_config *c)
{
    static const uint32_t turns[] = { 1, 4, 8 };
    return turns[c->rotations_as_classes];
}

/* Says what is needed before a picture is decoded; of the classes some will be held
 * out. */
static mann_status count_cost(mni_trainer *t, const mni_dataset *set, mann_error *err)
{
    mann_train_config *c = &t->config;
    const mni_dataset *from = t->train_part ? t->train_part : set;
    const uint32_t turns = turns_of(c);
    c->n_classes = mni_dataset_n_classes(from) * turns;
    mann_train_config most = *c;
    if (most.steps_per_epoch == 0) {
        const uint64_t batch = (uint64_t)c->classes_per_batch * c->images_per_class,
                       steps = mni_dataset_n_images(from) * turns / batch + 1;
        most.steps_per_epoch = steps > UINT32_MAX ? UINT32_MAX : (uint32_t)steps;
    }
    MNI_TRY(mni_train_cost(t->start, &most, mni_pool_threads(t->pool), &t->cost, err));
    c->cache_bytes = t->cost.cache_bytes;
    return MANN_OK;
}

static mann_status read_data(mni_trainer *t, const mni_dataset *set, mann_error *err)
{
    const mann_train_config *c = &t->config;
    mni_class_list out = { 0 };
    mann_status s;
    MNI_TRY(mni_cache_init(&t->cache, t->train_part ? t->train_part : set, &t->recipe,
                           c->cache_bytes, t->pool, t->hooks, err));
    if (t->val_part) {
        MNI_TRY(mni_split(&t->cache, 0, c->seed, &t->list, NULL, err));
        MNI_TRY(mni_cache_init(&t->val_cache, t->val_part, &t->recipe,
                               c->cache_bytes - t->cache.kept_bytes, t->pool, t->hooks,
                               err));
        s = mni_examiners(&t->val_cache, MNI_MOST_VAL_IMAGES, &out, err);
    } else {
        s = mni_split(&t->cache, c->validation_share, c->seed, &t->list, &out, err);
        if (s == MANN_OK) mni_class_list_thin(&out, MNI_MOST_VAL_IMAGES);
    }
    if (s == MANN_OK)
        s = mni_exam_init(&t->exam, t->val_part ? &t->val_cache : &t->cache, &out,
                          mni_model_shape_of(t->start).dim, err);
    mni_class_list_fini(&out);
    return s;
}

/* --- numbers that the caller left to us ------------------------------------------- */

/* What each loss was published with, or does best with here (README.md has a table). */
static void choose_loss(mann_train_config *c)
{
    static const struct {
        float margin, temperature;
    } own[] = { [MANN_LOSS_TRIPLET] = { 0.2f, 0.1f },
                [MANN_LOSS_CONTRASTIVE] = { 1.0f, 0.1f },
                [MANN_LOSS_SUPCON] = { 0.2f, 0.1f },
                [MANN_LOSS_NPAIR] = { 0.2f, 0.1f },
                [MANN_LOSS_SOFTMAX] = { 0.2f, 0.05f },
                [MANN_LOSS_COSFACE] = { 0.2f, 0.05f },
                [MANN_LOSS_ARCFACE] = { 0.3f, 0.05f },
                [MANN_LOSS_PROXY_ANCHOR] = { 0.1f, 1.0f / 32 } };
    if (c->margin == 0) c->margin = own[c->loss].margin;
    if (c->temperature == 0) c->temperature = own[c->loss].temperature;
    if (c->proxy_rate == 0) c->proxy_rate = c->learning_rate;
}

/* As many images as an epoch shows: each once, but of a class cap_class at most, and of
 * a capped set as large a part as its share of classes. */
static uint64_t epoch_images(const mni_trainer *t)
{
    const mni_class_list *l = &t->list;
    const uint32_t cap = t->config.cap_class;
    uint64_t sum = 0;
    for (uint32_t set = 0; set < (l->n_sets ? l->n_sets : 1); set++) {
        const uint32_t from = l->n_sets ? l->set_at[set] : 0,
                       to = l->n_sets ? l->set_at[set + 1] : l->n_classes;
        uint64_t n = 0;
        for (uint32_t k = from; k < to; k++) {
            const uint32_t images = l->first[k + 1] - l->first[k];
            n += cap && images > cap ? cap : images;
        }
        if (to > from)
            sum += (n * mni_sampler_share(&t->sampler, set) + to - from - 1) /
                   (to - from);
    }
    return sum * t->sampler.turns;
}

static mann_status choose_steps(mni_trainer *t, mann_error *err)
{
    mann_train_config *c = &t->config;
    t->sampler = (mni_sampler){ &t->list,
                                c->seed,
                                c->classes_per_batch,
                                c->images_per_class,
                                turns_of(c),
                                c->cap_set };
    const uint64_t n_images = epoch_images(t);
    if (t->sampler.classes > mni_sampler_n_shown(&t->sampler))
        t->sampler.classes = mni_sampler_n_shown(&t->sampler);
    const uint64_t batch = mni_sampler_batch(&t->sampler);
    if (batch < 4 || batch > 65536 || t->sampler.images < 2)
        return mni_fail(
            err, MANN_E_ARG,
            "training: batch of %u classes x %u images, wanted at least 2 x 2 "
            "and at most 65536 in all",
            (unsigned)t->sampler.classes, (unsigned)t->sampler.images);
    if (c->steps_per_epoch == 0) {
        const uint64_t steps = (n_images + batch - 1) / batch;
        c->steps_per_epoch = steps > UINT32_MAX ? UINT32_MAX : (uint32_t)steps;
    }
    const uint64_t n_steps = (uint64_t)c->epochs * c->steps_per_epoch;
    if (c->warmup_steps == 0)
        c->warmup_steps = n_steps / 10 < 200 ? (uint32_t)(n_steps / 10) : 200;
    t->schedule = (mni_schedule){ c->learning_rate, c->warmup_steps, n_steps, 0.0f };
    return MANN_OK;
}

/* Two trainings with the same key give the same bits. Files' contents are not read for
 * it: names are. */
static uint64_t key_of(const mni_trainer *t)
{
    const mann_train_config *c = &t->config;
    const uint32_t numbers[] = { c->epochs,         c->steps_per_epoch,
                                 c->patience,       t->sampler.classes,
                                 t->sampler.images, c->loss,
                                 c->miner,          c->soft_margin,
                                 c->augment,        c->rotations_as_classes,
                                 c->monitor,        c->warmup_steps };
    const float reals[] = { c->learning_rate, c->momentum,    c->weight_decay,
                            c->margin,        c->temperature, c->clip };
    uint64_t key =
        mni_hash_bytes(numbers, sizeof numbers, mni_model_fingerprint(t->start));
    key = mni_hash_bytes(reals, sizeof reals, key ^ c->seed);
    const uint32_t caps[] = { c->cap_class, c->cap_set };
    key = mni_hash_bytes(caps, sizeof caps, key);
    if (mni_loss_has_proxies((mni_loss_kind)c->loss)) {
        key = mni_hash_bytes(&c->proxies, sizeof c->proxies, key);
        key = mni_hash_bytes(&c->proxy_rate, sizeof c->proxy_rate, key);
    }
    if (c->hard_classes > 1)
        key = mni_hash_bytes(&c->hard_classes, sizeof c->hard_classes, key);
    if (c->ema > 0) key = mni_hash_bytes(&c->ema, sizeof c->ema, key);
    if (c->first_size) {
        key = mni_hash_bytes(&c->first_size, sizeof c->first_size, key);
        key = mni_hash_bytes(&c->first_share, sizeof c->first_share, key);
    }
    const mni_cache *caches[2] = { &t->cache, t->exam.cache };
    const mni_class_list *lists[2] = { &t->list, &t->exam.list };
    for (int i = 0; i < 2; i++)
        for (uint64_t j = 0; j < mni_class_list_images(lists[i]); j++) {
            const char *path =
                mni_dataset_path(caches[i]->set, lists[i]->images[j], NULL);
            key = mni_hash_bytes(path, strlen(path), key);
        }
    return key;
}

/* --- network and loader ----------------------------------------------------------- */

mann_status mni_model_copy(mni_model **out, const mni_model *m, mann_error *err)
{
    size_t n;
    const void *prep = mni_model_attached(m, MNI_RECIPE_TAG, &n);
    MNI_TRY(mni_model_new_resnet(out, mni_model_shape_of(m).architecture,
                                 mni_model_resnet(m), 0, err));
    mann_status s =
        mni_model_set_weights(*out, mni_model_params(m), mni_model_stats(m), err);
    if (s == MANN_OK) s = mni_model_attach(*out, MNI_RECIPE_TAG, prep, n, err);
    if (s != MANN_OK) {
        mni_model_free(*out);
        *out = NULL;
    }
    return s;
}

static mann_status make_network(mni_trainer *t, mann_error *err)
{
    const size_t batch = mni_sampler_batch(&t->sampler);
    MNI_TRY(mni_model_copy(&t->work, t->start, err));
    MNI_TRY(mni_model_copy(&t->best, t->start, err));
    MNI_TRY(mni_network_new(&t->net, mni_model_resnet(t->start), batch, t->pool, err));
    MNI_TRY(mni_network_import(t->net, t->start, err));
    if (t->config.first_size)
        MNI_TRY(mni_sizes_init(&t->sizes, t->net, t->config.first_size,
                               t->config.first_share, t->schedule.n_steps, t->pool, err));
    if (t->config.ema > 0) {
        MNI_TRY(mni_ema_init(&t->ema, t->net, err));
        mni_ema_start(&t->ema, t->net);
    }
    if (mni_loss_has_proxies((mni_loss_kind)t->config.loss)) {
        MNI_TRY(mni_proxies_new(&t->proxies, mni_sampler_n_labels(&t->sampler),
                                mni_network_dim(t->net), batch, t->config.proxies,
                                t->pool, err));
        mni_proxies_init(t->proxies, t->config.seed);
    }
    t->d_embeddings = mni_alloc(batch, mni_network_dim(t->net) * sizeof *t->d_embeddings);
    if (!t->d_embeddings)
        return mni_fail(err, MANN_E_NOMEM, "training: gradient of a batch");
    return MANN_OK;
}

mann_status mni_trainer_load(mni_trainer *t, mann_error *err)
{
    const uint64_t end = mni_trainer_epoch(t) * t->config.steps_per_epoch;
    const int planned = t->config.hard_classes > 1;
    const mni_loader_config c = { .cache = &t->cache,
                                  .sampler = t->sampler,
                                  .augment = mni_augment_preset(t->config.augment),
                                  .seed = t->config.seed,
                                  .first_step = t->state.step,
                                  .n_steps = planned && end < t->schedule.n_steps
                                                 ? end : t->schedule.n_steps,
                                  .plan = planned ? &t->plan : NULL,
                                  .n_threads =
                                      mni_loader_threads(mni_pool_threads(t->pool)) };
    mni_loader_free(t->loader);
    t->loader = NULL;
    return mni_loader_new(&t->loader, &c, err);
}

static mann_status check_model(mni_trainer *t, mann_error *err)
{
    size_t n;
    const mni_model_shape shape = mni_model_shape_of(t->start);
    if (!mni_model_resnet(t->start))
        return mni_fail(err, MANN_E_UNSUPPORTED,
                        "training: model %s has nothing to train", shape.architecture);
    const void *prep = mni_model_attached(t->start, MNI_RECIPE_TAG, &n);
    MNI_TRY(mni_recipe_decode(&t->recipe, prep, n, err));
    return mni_recipe_fits(&t->recipe, shape.input_channels, shape.input_size, err);
}

mann_status mni_trainer_init(mni_trainer *t, const mni_model *m, const mni_dataset *set,
                             const mann_train_config *c, const mni_vfs *v, mni_pool *pool,
                             const mann_hooks *h, mann_error *err)
{
    *t = (mni_trainer){ .config = *c, .vfs = v, .pool = pool, .hooks = h, .start = m };
    t->state.miner = c->miner;
    choose_loss(&t->config);
    MNI_TRY(check_model(t, err));
    MNI_TRY(open_parts(t, set, err));
    MNI_TRY(count_cost(t, set, err));
    if (c->checkpoint_dir) MNI_TRY(v->ops->mkdir(v, c->checkpoint_dir, err));
    MNI_TRY(read_data(t, set, err));
    MNI_TRY(choose_steps(t, err));
    MNI_TRY(make_network(t, err));
    t->key = key_of(t);
    MNI_TRY(c->resume == MANN_TRAIN_RESUME ? mni_checkpoint_resume(t, err)
                                           : mni_checkpoint_begin(t, err));
    t->first_step = t->state.step;
    MNI_TRY(mni_train_log_open(t, err));
    return mni_trainer_load(t, err);
}

void mni_trainer_fini(mni_trainer *t)
{
    mni_loader_free(t->loader);
    mni_network_free(t->net);
    mni_sizes_fini(&t->sizes);
    mni_proxies_free(t->proxies);
    mni_ema_fini(&t->ema);
    mni_batch_plan_fini(&t->plan);
    mni_model_free(t->work);
    mni_model_free(t->best);
    mni_exam_fini(&t->exam);
    mni_class_list_fini(&t->list);
    mni_cache_fini(&t->cache);
    mni_cache_fini(&t->val_cache);
    mni_dataset_free(t->train_part);
    mni_dataset_free(t->val_part);
    mni_free(t->d_embeddings);
    mni_free(t->state.epochs);
    if (t->log) mni_close(t->log, NULL);
}
