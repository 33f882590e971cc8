/* train_log.c - what a training tells: notes to people, JSON lines to programs. See
 * trainer.h.
 *
 *   {"event":"start","classes":964,...}
 *   {"event":"step","step":100,"epoch":1,"loss":0.18,"active":0.61,"rate":0.05,...}
 *   {"event":"epoch","epoch":1,"loss":0.17,"val_loss":0.12,"val_recall":0.61,...}
 *
 * Of a step also: "positive" and "negative", the mean distances of pairs of one class and
 * of two, "gap", their difference, "spread" and "dims" (nn/loss.h): a network that dies
 * is seen there before it is seen in the loss.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/json.h"
#include "os/clock.h"
#include "train/trainer.h"

enum { STEPS_PER_LINE = 50 };

void mni_train_note(const mni_trainer *t, mann_note_level level, const char *fmt, ...)
{
    char sentence[1024];
    va_list args;
    if (!t->hooks || !t->hooks->note) return;
    va_start(args, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, args);
    va_end(args);
    t->hooks->note(t->hooks->user, level, sentence);
}

/* --- lines ------------------------------------------------------------------------ */

/* A log goes on where it ended, also after a resume. */
mann_status mni_train_log_open(mni_trainer *t, mann_error *err)
{
    const char *path = t->config.log_path;
    if (!path) return MANN_OK;
    const unsigned fresh = t->state.step ? 0 : MNI_OPEN_TRUNCATE;
    MNI_TRY(
        mni_open(t->vfs, path, MNI_OPEN_WRITE | MNI_OPEN_CREATE | fresh, &t->log, err));
    return t->vfs->ops->size(t->log, &t->log_at, err);
}

static void number(mni_json *j, const char *key, double v)
{
    mni_json_key(j, key);
    mni_json_number(j, v);
}

static void count(mni_json *j, const char *key, uint64_t v)
{
    mni_json_key(j, key);
    mni_json_u64(j, v);
}

static void begin(const mni_trainer *t, mni_json *j, mni_text *line, const char *event)
{
    mni_json_init(j, line, 0);
    mni_json_object(j);
    mni_json_key(j, "event");
    mni_json_string(j, event);
    count(j, "step", t->state.step);
    number(j, "seconds", t->started > 0 ? mni_clock_seconds() - t->started : 0);
}

static mann_status end(mni_trainer *t, mni_json *j, mni_text *line, mann_error *err)
{
    mni_json_end(j);
    mni_text_char(line, '\n');
    mann_status s = MANN_OK;
    if (line->failed)
        s = mni_fail(err, MANN_E_NOMEM, "training: line of the log");
    else
        s = mni_write(t->log, mni_text_get(line), line->n_chars, t->log_at, err);
    if (s == MANN_OK) t->log_at += line->n_chars;
    mni_text_fini(line);
    return s;
}

mann_status mni_train_log_step(mni_trainer *t, const mni_loss_result *r, double norm,
                               mann_error *err)
{
    mni_text line = { 0 };
    mni_json j;
    if (!t->log || t->state.step % STEPS_PER_LINE != 0) return MANN_OK;
    begin(t, &j, &line, "step");
    number(&j, "loss", r->loss);
    number(&j, "active", r->active);
    number(&j, "positive", r->mean_positive);
    number(&j, "negative", r->mean_negative);
    number(&j, "gap", r->mean_negative - r->mean_positive);
    number(&j, "spread", r->spread);
    number(&j, "dims", r->dims);
    number(&j, "norm", norm);
    number(&j, "rate", (double)mni_trainer_rate(t, t->state.step - 1));
    return end(t, &j, &line, err);
}

mann_status mni_train_log_epoch(mni_trainer *t, const mni_epoch *e, mann_error *err)
{
    const mni_train_state *st = &t->state;
    const double seconds = mni_clock_seconds() - t->started;
    const uint64_t seen = (st->step - t->first_step) * mni_sampler_batch(&t->sampler);
    const int is_best = st->best_epoch == st->n_epochs;
    if (isnan(e->val_recall))
        mni_train_note(t, MANN_NOTE_INFO, "epoch %zu: loss %.4f, %.0f %% active",
                       st->n_epochs, e->loss, 100 * e->active);
    else
        mni_train_note(
            t, MANN_NOTE_INFO,
            "epoch %zu: loss %.4f, %.0f %% active; held-out classes: loss %.4f, "
            "Recall@1 %.1f %%%s (%.0f images/s)",
            st->n_epochs, e->loss, 100 * e->active, e->val_loss, 100 * e->val_recall,
            is_best ? ", best so far" : "", (double)seen / seconds);
    if (!t->log) return MANN_OK;
    mni_text line = { 0 };
    mni_json j;
    begin(t, &j, &line, "epoch");
    count(&j, "epoch", st->n_epochs);
    number(&j, "loss", e->loss);
    number(&j, "active", e->active);
    number(&j, "val_loss", e->val_loss);
    number(&j, "val_recall", e->val_recall);
    number(&j, "rate", e->rate);
    number(&j, "images_per_second", (double)seen / seconds);
    mni_json_key(&j, "best");
    mni_json_bool(&j, is_best);
    return end(t, &j, &line, err);
}

mann_status mni_train_log_plan(mni_trainer *t, const mni_lookalike_report *r,
                               double seconds, mann_error *err)
{
    mni_train_note(t, MANN_NOTE_INFO,
                   "look-alikes: %llu images of %u classes embedded, index %s; nearest "
                   "other class at cosine %.3f, %.0f %% meet it in their batch (%.1f s)",
                   (unsigned long long)r->n_images, (unsigned)r->n_labels, r->spec,
                   r->nearest, 100 * r->met, seconds);
    if (!t->log) return MANN_OK;
    mni_text line = { 0 };
    mni_json j;
    begin(t, &j, &line, "plan");
    count(&j, "images", r->n_images);
    count(&j, "classes", r->n_labels);
    mni_json_key(&j, "index");
    mni_json_string(&j, r->spec);
    number(&j, "nearest", r->nearest);
    number(&j, "met", r->met);
    number(&j, "plan_seconds", seconds);
    return end(t, &j, &line, err);
}

/* --- the summary at the start ----------------------------------------------------- */

/* Where sources are mixed: how much of each there is, and how much of it is shown. */
static void tell_sets(const mni_trainer *t)
{
    const mni_class_list *l = &t->list;
    for (uint32_t i = 0; i < l->n_sets; i++) {
        const uint32_t from = l->set_at[i], to = l->set_at[i + 1];
        mni_train_note(t, MANN_NOTE_INFO,
                       "set %u: %u classes, %u images; %u of its classes in each pass",
                       (unsigned)i + 1, (unsigned)(to - from),
                       (unsigned)(l->first[to] - l->first[from]),
                       (unsigned)mni_sampler_share(&t->sampler, i));
    }
}

void mni_train_summary(mni_trainer *t)
{
    const mni_model_shape shape = mni_model_shape_of(t->start);
    char memory[32], photos[32];
    mni_format_bytes(memory, sizeof memory, t->cost.fixed_bytes);
    mni_format_bytes(photos, sizeof photos,
                     t->cache.kept_bytes + t->val_cache.kept_bytes);
    mni_train_note(t, MANN_NOTE_INFO, "%s: %llu parameters, input %u x %u, vectors of %u",
                   shape.architecture, (unsigned long long)shape.n_parameters,
                   (unsigned)shape.input_size, (unsigned)shape.input_size,
                   (unsigned)shape.dim);
    mni_train_note(
        t, MANN_NOTE_INFO,
        "%u classes%s, %llu images to learn from; %u classes, %llu images to examine "
        "with; %zu images left out",
        (unsigned)mni_sampler_n_labels(&t->sampler),
        t->sampler.turns == 8  ? " (quarter turns and mirror images counted)"
        : t->sampler.turns > 1 ? " (quarter turns counted)"
                               : "",
        (unsigned long long)mni_class_list_images(&t->list),
        (unsigned)t->exam.list.n_classes,
        (unsigned long long)mni_class_list_images(&t->exam.list),
        t->cache.n_bad + t->val_cache.n_bad);
    tell_sets(t);
    mni_train_note(
        t, MANN_NOTE_INFO,
        "%u epochs of %u steps, batches of %u classes x %u images; memory: at most %s, "
        "and %s of decoded photos",
        (unsigned)t->config.epochs, (unsigned)t->config.steps_per_epoch,
        (unsigned)t->sampler.classes, (unsigned)t->sampler.images, memory,
        photos);
    if (t->exam.list.n_classes < 2)
        mni_train_note(t, MANN_NOTE_WARNING,
                       "too few classes to hold some out: the last weights are taken, "
                       "unexamined");
    if (t->state.step)
        mni_train_note(t, MANN_NOTE_INFO, "going on after step %llu",
                       (unsigned long long)t->state.step);
}

mann_status mni_train_blame(const mni_trainer *t, const mni_batch *b, mann_error *err)
{
    mni_text text = { 0 }, path = { 0 };
    if (!t->config.checkpoint_dir) return MANN_OK;
    for (size_t i = 0; i < b->n; i++) {
        mni_text_add(&text, mni_dataset_path(t->cache.set, b->images[i], NULL));
        mni_text_char(&text, '\n');
    }
    mann_status s = mni_checkpoint_path(t, "nan_batch.txt", &path, err);
    if (s == MANN_OK && text.failed)
        s = mni_fail(err, MANN_E_NOMEM, "training: list of a batch");
    if (s == MANN_OK)
        s = mni_replace_file(t->vfs, mni_text_get(&path), text.chars, text.n_chars, err);
    mni_text_fini(&text);
    mni_text_fini(&path);
    return s;
}
