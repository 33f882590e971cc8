/* api_train.c - metricann.h, chapter 5: training. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>

#include "api/api.h"
#include "api/golden.h"
#include "train/trainer.h"

void mann_train_config_fill(mann_train_config *c, size_t size)
{
    const mann_train_config d = mni_train_defaults();
    mni_fill_sized(c, size, &d, sizeof d);
}

/* 0 where 0 makes no sense: the library chooses. */
static void complete(mann_train_config *c)
{
    const mann_train_config d = mni_train_defaults();
    if (!c->epochs) c->epochs = d.epochs;
    if (!c->patience) c->patience = d.patience;
    if (!c->classes_per_batch) c->classes_per_batch = d.classes_per_batch;
    if (!c->images_per_class) c->images_per_class = d.images_per_class;
    if (!c->loss) c->loss = d.loss;
    if (!c->miner) c->miner = d.miner;
    if (!c->augment) c->augment = d.augment;
    if (!c->monitor) c->monitor = d.monitor;
    if (!c->keep_checkpoints) c->keep_checkpoints = d.keep_checkpoints;
    if (c->learning_rate == 0) c->learning_rate = d.learning_rate;
    if (c->validation_share == 0) c->validation_share = d.validation_share;
    if (c->first_share == 0) c->first_share = d.first_share;
    if (!c->cache_bytes) c->cache_bytes = d.cache_bytes;
}

static mann_status whole(const char *what, uint32_t v, uint32_t low, uint32_t high,
                         mann_error *err)
{
    if (v >= low && v <= high) return MANN_OK;
    return mni_fail(err, MANN_E_ARG, "mann_train: %s is %u, wanted %u..%u", what,
                    (unsigned)v, (unsigned)low, (unsigned)high);
}

/* Written so that NaN is out of every range. */
static mann_status real(const char *what, float v, float low, float high, mann_error *err)
{
    if (v >= low && v <= high) return MANN_OK;
    return mni_fail(err, MANN_E_ARG, "mann_train: %s is %g, wanted %g..%g", what,
                    (double)v, (double)low, (double)high);
}

static mann_status check(const mann_train_config *c, mann_error *err)
{
    MNI_TRY(whole("epochs", c->epochs, 1, 1u << 20, err));
    MNI_TRY(whole("classes_per_batch", c->classes_per_batch, 2, 32768, err));
    MNI_TRY(whole("images_per_class", c->images_per_class, 2, 32768, err));
    MNI_TRY(whole("loss", c->loss, MANN_LOSS_TRIPLET, MANN_LOSS_PROXY_ANCHOR, err));
    MNI_TRY(whole("miner", c->miner, MANN_MINE_HARD, MANN_MINE_RANDOM, err));
    MNI_TRY(whole("augment", c->augment, MANN_AUGMENT_NONE, MANN_AUGMENT_STRONG, err));
    MNI_TRY(whole("rotations_as_classes", c->rotations_as_classes, 0, 2, err));
    MNI_TRY(whole("monitor", c->monitor, MANN_MONITOR_RECALL, MANN_MONITOR_LOSS, err));
    MNI_TRY(real("learning_rate", c->learning_rate, 1e-9f, 1e3f, err));
    MNI_TRY(real("momentum", c->momentum, 0, 0.9999f, err));
    MNI_TRY(real("weight_decay", c->weight_decay, 0, 1, err));
    if (c->margin != 0) MNI_TRY(real("margin", c->margin, 1e-6f, 2, err));
    if (c->temperature != 0)
        MNI_TRY(real("temperature", c->temperature, 1e-3f, 100, err));
    MNI_TRY(real("clip", c->clip, 0, INFINITY, err));
    MNI_TRY(whole("hard_classes", c->hard_classes, 0, 64, err));
    MNI_TRY(real("ema", c->ema, 0, 0.999999f, err));
    if (c->first_size) MNI_TRY(whole("first_size", c->first_size, 8, 1023, err));
    MNI_TRY(real("first_share", c->first_share, 1e-3f, 1, err));
    if (c->proxy_rate != 0)
        MNI_TRY(real("proxy_rate", c->proxy_rate, 1e-9f, 1e3f, err));
    return real("validation_share", c->validation_share, 0, 0.9f, err);
}

static mann_status take(const mann_train_config *c, mann_train_config *mine,
                        const char *who, mann_error *err)
{
    *mine = mni_train_defaults();
    if (c) MNI_TRY(mni_take_sized(mine, sizeof *mine, c, who, err));
    complete(mine);
    return check(mine, err);
}

mann_status mann_train_plan(const mann_model *m, const mann_train_config *c,
                            mann_pool *p, mann_train_cost *out, mann_error *err)
{
    mann_train_config mine;
    mann_train_cost cost;
    MNI_NEED(m, "mann_train_plan");
    MNI_NEED(out, "mann_train_plan");
    MNI_TRY(take(c, &mine, "mann_train_plan", err));
    const mann_status s = mni_train_cost(m, &mine, mni_pool_threads(p), &cost, err);
    if (s != MANN_OK && s != MANN_E_BUDGET) return s;
    MNI_TRY(mni_give_sized(out, &cost, sizeof cost, "mann_train_plan", err));
    return s;
}

/* Hours of training do not fail for want of the pictures that selftest asks for. */
static void carry_golden(mann_model *m, mann_pool *p, const mann_hooks *h)
{
    mann_error e;
    char sentence[384];
    if (mni_golden_attach(m, p, &e) == MANN_OK || !h || !h->note) return;
    snprintf(sentence, sizeof sentence,
             "the model is finished, but carries no golden pictures for selftest: %s",
             e.text);
    h->note(h->user, MANN_NOTE_WARNING, sentence);
}

mann_status mann_train(mann_model *m, const mann_dataset *set, const mann_train_config *c,
                       mann_pool *p, const mann_hooks *h, mann_train_report *report,
                       mann_error *err)
{
    mann_train_config mine;
    mann_train_report r;
    MNI_NEED(m, "mann_train");
    MNI_NEED(set, "mann_train");
    MNI_TRY(take(c, &mine, "mann_train", err));
    MNI_TRY(whole("freeze", mine.freeze, 0, MANN_FREEZE_BODY, err));
    MNI_TRY(whole("head_copies", mine.head_copies, 0, 1000, err));
    MNI_TRY(mine.freeze ? mni_train_head(m, set, &mine, p, h, &r, err)
                        : mni_train(m, set, &mine, mni_vfs_posix(), p, h, &r, err));
    carry_golden(m, p, h);
    return report ? mni_give_sized(report, &r, sizeof r, "mann_train", err) : MANN_OK;
}

mann_status mann_train_preview(const mann_model *m, const mann_dataset *set,
                               const mann_train_config *c, uint32_t n_rows,
                               uint32_t n_views, mann_image *out, mann_error *err)
{
    mann_train_config mine;
    MNI_NEED(out, "mann_train_preview");
    *out = (mann_image){ 0, 0, 0, NULL };
    MNI_NEED(m, "mann_train_preview");
    MNI_NEED(set, "mann_train_preview");
    MNI_TRY(take(c, &mine, "mann_train_preview", err));
    MNI_TRY(whole("n_rows", n_rows, 1, 256, err));
    MNI_TRY(whole("n_views", n_views, 1, 64, err));
    return mni_train_preview(m, set, &mine, n_rows, n_views, out, err);
}
