/* loop.c - the training loop. The heart of it is `learn`: a batch, its embeddings, what
 * is wrong with them, whose fault that is, one step downhill. Everything round it
 * decides when to look up, when to stop, and what to keep. See trainer.h.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "eval/calib.h"
#include "os/clock.h"
#include "train/trainer.h"

#define MNI_VALIDATION_TAG "VALI"

static mni_loss_config loss_config(const mni_trainer *t)
{
    const mann_train_config *c = &t->config;
    return (mni_loss_config){ (mni_loss_kind)c->loss,
                              (mni_miner)t->state.miner,
                              c->margin,
                              c->soft_margin != 0,
                              c->temperature,
                              c->seed,
                              t->state.step };
}

/* Held-out classes have no proxies: they are examined by the loss that is nearest to a
 * softmax over them. */
static mni_loss_config exam_loss(const mni_trainer *t)
{
    mni_loss_config c = loss_config(t);
    if (mni_loss_has_proxies(c.kind)) {
        c.kind = MNI_LOSS_SUPCON;
        c.temperature = 0.1f;
    }
    return c;
}

float mni_trainer_rate(const mni_trainer *t, uint64_t step)
{
    const float rate = mni_schedule_rate(&t->schedule, step);
    const uint64_t since = step - t->state.restarted, climb = t->schedule.n_warmup;
    if (t->state.n_collapses == 0 || since >= climb) return rate;
    return rate * (float)(since + 1) / (float)climb;
}

mann_status mni_trainer_export(const mni_trainer *t, mni_model *m, mann_error *err)
{
    if (!t->ema.params) return mni_network_export(t->net, m, err);
    return mni_model_set_weights(m, t->ema.params, t->ema.stats, err);
}

/* --- faults ----------------------------------------------------------------------- */

static mann_status not_a_number(mni_trainer *t, const mni_batch *b, mann_error *err)
{
    const uint64_t step = t->state.step + 1;
    const mann_status s = mni_train_blame(t, b, err);
    if (s != MANN_OK) return s;
    return mni_fail(
        err, MANN_E_LIMIT,
        "training: the loss is not a number at step %llu (epoch %llu, rate %g); "
        "try a tenth of the rate, or clip gradients to 1%s",
        (unsigned long long)step, (unsigned long long)mni_trainer_epoch(t),
        (double)mni_trainer_rate(t, t->state.step),
        t->config.checkpoint_dir ? "; nan_batch.txt lists the images of the batch" : "");
}

/* A collapsed network has nothing worth keeping: it goes back to where it began, and a
 * gentler miner takes over. The random miner is the last resort. */
static mann_status collapsed(mni_trainer *t, mann_error *err)
{
    static const char *const names[] = { "", "hard", "semi-hard", "random" };
    const uint32_t was = t->state.miner;
    t->state.n_collapses++;
    if (t->config.loss != MANN_LOSS_TRIPLET || was == MANN_MINE_RANDOM)
        return mni_fail(
            err, MANN_E_LIMIT,
            "training: the network has collapsed (all images on one point) at "
            "step %llu; try a lower rate, a longer warm-up, more classes in a batch, or "
            "another loss",
            (unsigned long long)t->state.step);
    t->state.miner = was + 1;
    t->state.restarted = t->state.step;
    t->state.n_stale = 0;
    MNI_TRY(mni_network_import(t->net, t->start, err));
    if (t->ema.params) mni_ema_start(&t->ema, t->net);
    memset(mni_network_momentum(t->net), 0, mni_network_n_params(t->net) * sizeof(float));
    mni_train_note(
        t, MANN_NOTE_WARNING,
        "collapse at step %llu: all images lie on one point and the loss "
        "stands at the margin. Starting again from the first weights with the %s miner "
        "instead "
        "of %s. A lower rate, a longer warm-up or the supcon loss may help as well",
        (unsigned long long)t->state.step, names[t->state.miner], names[was]);
    return MANN_OK;
}

/* --- one step --------------------------------------------------------------------- */

/* The proxies take their own step at once: nothing but the next step reads them. */
static void learn_proxies(mni_trainer *t, const mni_loss_config *loss, const float *e,
                          const mni_batch *b, mni_loss_result *r)
{
    const mann_train_config *c = &t->config;
    const mni_proxy_step o = { mni_trainer_rate(t, t->state.step) / c->learning_rate *
                                   c->proxy_rate,
                               c->momentum, c->seed, t->state.step };
    mni_proxies_learn(t->proxies, loss, &o, e, b->labels, b->n, r, t->d_embeddings);
}

static mann_status learn(mni_trainer *t, mni_loss_result *r, mann_error *err)
{
    const mann_train_config *c = &t->config;
    const mni_loss_config loss = loss_config(t);
    const mni_batch *b;
    const float *input;
    MNI_TRY(mni_loader_next(t->loader, &b, err));
    mni_network *net = mni_sizes_begin(&t->sizes, t->net, t->state.step, b, &input);
    const float *e = mni_network_forward(net, input, b->n, MNI_TRAIN);
    MNI_TRY(mni_loss_compute(&loss, e, b->labels, b->n, mni_network_dim(t->net), r,
                             t->d_embeddings, err));
    if (t->proxies && isfinite(r->loss)) learn_proxies(t, &loss, e, b, r);
    double norm = 0;
    if (isfinite(r->loss)) {
        const mni_sgd sgd = { mni_trainer_rate(t, t->state.step), c->momentum,
                              c->weight_decay, c->clip, 1 };
        mni_network_zero_grads(net);
        mni_network_backward(net, t->d_embeddings);
        mni_sizes_end(&t->sizes, t->net, net);
        norm = mni_network_step(t->net, &sgd);
        if (t->ema.params)
            mni_ema_step(&t->ema, t->net, c->ema, t->state.step - t->state.restarted,
                         t->pool);
    }
    const mni_watch_verdict verdict = mni_watch_step(&t->state.watch, &loss, r, norm);
    if (verdict == MNI_WATCH_NOT_A_NUMBER) return not_a_number(t, b, err);
    t->state.step++;
    t->state.sum_loss += r->loss;
    t->state.sum_active += r->active;
    if (verdict == MNI_WATCH_COLLAPSED) MNI_TRY(collapsed(t, err));
    return mni_train_log_step(t, r, norm, err);
}

static int asked_to_stop(const mni_trainer *t, const mni_loss_result *r)
{
    const mann_progress p = { .task = "train",
                              .done = t->state.step,
                              .total = t->schedule.n_steps,
                              .seconds = mni_clock_seconds() - t->started,
                              .loss = (float)r->loss,
                              .active = (float)r->active };
    return t->hooks && t->hooks->progress && t->hooks->progress(t->hooks->user, &p);
}

/* --- the end of an epoch ---------------------------------------------------------- */

int mni_epoch_better(const mni_epoch *a, const mni_epoch *b, uint32_t monitor,
                     uint64_t n_images)
{
    if (isnan(a->val_recall))
        return 1; /* nothing to examine with: the last is the best */
    const double p = b->val_recall, off = a->val_recall - p;
    if (monitor == MANN_MONITOR_RECALL && off * off > p * (1 - p) / (double)n_images)
        return off > 0;
    return a->val_loss < b->val_loss;
}

/* A small JSON text that travels in the model. */
static mann_status attach_validation(const mni_trainer *t, mni_model *m,
                                     const mni_epoch *e, mann_error *err)
{
    mni_text text = { 0 };
    mni_json j;
    if (isnan(e->val_recall)) return MANN_OK;
    mni_json_init(&j, &text, 0);
    mni_json_object(&j);
    mni_json_key(&j, "recall_at_1");
    mni_json_number(&j, e->val_recall);
    mni_json_key(&j, "loss");
    mni_json_number(&j, e->val_loss);
    mni_json_key(&j, "classes");
    mni_json_u64(&j, t->exam.list.n_classes);
    mni_json_key(&j, "images");
    mni_json_u64(&j, mni_class_list_images(&t->exam.list));
    mni_json_key(&j, "epoch");
    mni_json_u64(&j, t->state.best_epoch);
    mni_json_end(&j);
    const mann_status s = text.failed
                              ? mni_fail(err, MANN_E_NOMEM, "training: validation result")
                              : mni_model_attach(m, MNI_VALIDATION_TAG,
                                                 mni_text_get(&text), text.n_chars, err);
    mni_text_fini(&text);
    return s;
}

static mann_status save_best(const mni_trainer *t, mann_error *err)
{
    mni_text path = { 0 };
    if (!t->config.checkpoint_dir) return MANN_OK;
    mann_status s = mni_checkpoint_path(t, "best_model.mann", &path, err);
    if (s == MANN_OK) s = mni_model_save(t->best, t->vfs, mni_text_get(&path), err);
    mni_text_fini(&path);
    return s;
}

static mann_status keep_if_best(mni_trainer *t, mann_error *err)
{
    mni_train_state *st = &t->state;
    const mni_epoch *now = &st->epochs[st->n_epochs - 1];
    uint8_t key[8];
    if (st->best_epoch &&
        !mni_epoch_better(now, &st->epochs[st->best_epoch - 1], t->config.monitor,
                          mni_class_list_images(&t->exam.list))) {
        st->n_stale++;
        return MANN_OK;
    }
    st->best_epoch = (uint32_t)st->n_epochs;
    st->n_stale = 0;
    MNI_TRY(mni_trainer_export(t, t->best, err));
    MNI_TRY(attach_validation(t, t->best, now, err));
    mni_put64(key, t->key);
    MNI_TRY(mni_model_attach(t->best, MNI_BEST_TAG, key, sizeof key, err));
    return save_best(t, err);
}

static mann_status end_epoch(mni_trainer *t, mann_error *err)
{
    mni_train_state *st = &t->state;
    const mni_loss_config loss = exam_loss(t);
    const double n = t->config.steps_per_epoch;
    mni_grade grade;
    MNI_TRY(mni_trainer_export(t, t->work, err));
    MNI_TRY(mni_exam_run(&t->exam, t->work, &loss, t->sampler.classes, t->sampler.images,
                         t->pool, &grade, err));
    if (!mni_grow((void **)&st->epochs, &st->epochs_cap, st->n_epochs + 1,
                  sizeof *st->epochs))
        return mni_fail(err, MANN_E_NOMEM, "training: history");
    st->epochs[st->n_epochs++] =
        (mni_epoch){ st->sum_loss / n, st->sum_active / n, grade.loss, grade.recall,
                     (double)mni_trainer_rate(t, st->step - 1) };
    st->sum_loss = st->sum_active = 0;
    MNI_TRY(keep_if_best(t, err));
    MNI_TRY(mni_train_log_epoch(t, &st->epochs[st->n_epochs - 1], err));
    return t->config.checkpoint_dir ? mni_checkpoint_write(t, st->n_epochs, err)
                                    : MANN_OK;
}

/* --- all steps -------------------------------------------------------------------- */

static mann_status stop_cleanly(mni_trainer *t, mann_error *err)
{
    if (t->config.checkpoint_dir)
        MNI_TRY(mni_checkpoint_write(t, mni_trainer_epoch(t), err));
    return mni_fail(
        err, MANN_E_CANCELLED, "training stopped after step %llu of %llu%s",
        (unsigned long long)t->state.step, (unsigned long long)t->schedule.n_steps,
        t->config.checkpoint_dir ? "; resume goes on from its checkpoint" : "");
}

static int finished(const mni_trainer *t)
{
    return t->state.step >= t->schedule.n_steps || t->state.n_stale >= t->config.patience;
}

/* The first epoch is drawn by lot: nothing is known of the classes yet. */
static mann_status plan_epoch(mni_trainer *t, mann_error *err)
{
    const mann_train_config *c = &t->config;
    mni_lookalike_report r;
    const double begun = mni_clock_seconds();
    if (c->hard_classes < 2 || t->state.step == 0 ||
        t->state.step % c->steps_per_epoch != 0)
        return MANN_OK;
    mni_loader_free(t->loader); /* its threads read the plan */
    t->loader = NULL;
    mni_batch_plan_fini(&t->plan);
    t->plan = (mni_batch_plan){ t->state.step, c->steps_per_epoch, NULL };
    MNI_TRY(mni_trainer_export(t, t->work, err));
    MNI_TRY(mni_lookalike_plan(&t->plan, &t->sampler, &t->cache, t->work, c->hard_classes,
                               c->seed, t->pool, &r, err));
    MNI_TRY(mni_train_log_plan(t, &r, mni_clock_seconds() - begun, err));
    return mni_trainer_load(t, err);
}

static mann_status run(mni_trainer *t, mann_error *err)
{
    while (!finished(t)) {
        mni_loss_result r;
        MNI_TRY(plan_epoch(t, err));
        MNI_TRY(learn(t, &r, err));
        const int stop = asked_to_stop(t, &r);
        if (t->state.step % t->config.steps_per_epoch == 0)
            MNI_TRY(end_epoch(t, err));
        else if (stop)
            return stop_cleanly(t, err);
        if (stop && !finished(t)) /* the epoch's own checkpoint is there already */
            return mni_fail(err, MANN_E_CANCELLED, "training stopped after epoch %zu",
                            t->state.n_epochs);
    }
    if (t->state.step < t->schedule.n_steps)
        mni_train_note(t, MANN_NOTE_INFO, "no progress in %u epochs: stopped early",
                       (unsigned)t->state.n_stale);
    return MANN_OK;
}

/* --- the finished model ----------------------------------------------------------- */

/* What scores do strangers reach, and what members? Measured on the classes that were
 * held out, with the weights that were chosen. */
static mann_status calibrate(mni_trainer *t, mann_error *err)
{
    const mni_loss_config loss = exam_loss(t);
    mni_calib calib;
    mni_grade grade;
    if (t->exam.list.n_classes < MNI_CALIB_FEWEST) {
        mni_train_note(
            t, MANN_NOTE_WARNING,
            "%u classes for validation: too few to calibrate verdicts (wanted %d)",
            (unsigned)t->exam.list.n_classes, MNI_CALIB_FEWEST);
        return MANN_OK;
    }
    MNI_TRY(mni_exam_run(&t->exam, t->best, &loss, t->sampler.classes, t->sampler.images,
                         t->pool, &grade, err));
    MNI_TRY(mni_calib_measure(&calib, t->exam.rows, t->exam.labels,
                              (size_t)mni_class_list_images(&t->exam.list), t->exam.dim,
                              t->exam.list.n_classes, MANN_COSINE, MNI_CALIB_PHOTOS, 0,
                              t->config.seed, t->pool, err));
    uint8_t *bytes = mni_alloc(mni_calib_bytes(), 1);
    if (!bytes) return mni_fail(err, MANN_E_NOMEM, "training: calibration");
    mni_calib_encode(&calib, bytes);
    const mann_status s =
        mni_model_attach(t->best, MNI_CALIB_TAG, bytes, mni_calib_bytes(), err);
    mni_free(bytes);
    return s;
}

/* Everything that can fail comes before the first change of the caller's model. */
static mann_status give(mni_trainer *t, mni_model *m, mann_error *err)
{
    static const char tags[3][5] = { MNI_CALIB_TAG, MNI_VALIDATION_TAG, "RANG" };
    MNI_TRY(calibrate(t, err));
    if (t->exam.list.n_classes) MNI_TRY(mni_exam_measure(&t->exam, t->best, err));
    MNI_TRY(save_best(t, err));
    if (t->config.curves_path)
        MNI_TRY(mni_curves_write(t->vfs, t->config.curves_path, t->state.epochs,
                                 t->state.n_epochs, err));
    for (int i = 0; i < 3; i++) {
        size_t n;
        const void *bytes = mni_model_attached(t->best, tags[i], &n);
        MNI_TRY(mni_model_attach(m, tags[i], bytes, n, err));
    }
    return mni_model_set_weights(m, mni_model_params(t->best), mni_model_stats(t->best),
                                 err);
}

static mann_train_report report_of(const mni_trainer *t)
{
    const mni_train_state *st = &t->state;
    const double seconds = mni_clock_seconds() - t->started;
    const uint64_t n_seen = (st->step - t->first_step) * mni_sampler_batch(&t->sampler);
    mann_train_report r = { .struct_size = sizeof r,
                            .n_epochs = (uint32_t)st->n_epochs,
                            .best_epoch = st->best_epoch,
                            .n_classes = mni_sampler_n_labels(&t->sampler),
                            .n_val_classes = t->exam.list.n_classes,
                            .n_steps = st->step,
                            .n_images = mni_class_list_images(&t->list),
                            .n_val_images = mni_class_list_images(&t->exam.list),
                            .n_bad = t->cache.n_bad + t->val_cache.n_bad,
                            .loss = NAN,
                            .val_loss = NAN,
                            .val_recall = NAN,
                            .seconds = seconds,
                            .images_per_second =
                                seconds > 0 ? (double)n_seen / seconds : 0 };
    if (st->n_epochs) r.loss = st->epochs[st->n_epochs - 1].loss;
    if (st->best_epoch) {
        r.val_loss = st->epochs[st->best_epoch - 1].val_loss;
        r.val_recall = st->epochs[st->best_epoch - 1].val_recall;
    }
    return r;
}

mann_status mni_train(mni_model *m, const mni_dataset *set, const mann_train_config *c,
                      const mni_vfs *v, mni_pool *pool, const mann_hooks *h,
                      mann_train_report *out, mann_error *err)
{
    mni_trainer t;
    mann_status s = mni_trainer_init(&t, m, set, c, v, pool, h, err);
    if (s == MANN_OK) {
        mni_train_summary(&t);
        t.started = mni_clock_seconds();
        s = run(&t, err);
    }
    if (s == MANN_OK) s = give(&t, m, err);
    if (s == MANN_OK) *out = report_of(&t);
    mni_trainer_fini(&t);
    return s;
}
