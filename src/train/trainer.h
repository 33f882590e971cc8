/* trainer.h - one training from the call to the finished model, and what its files
 * share.
 *
 *   prepare.c      data sets, split, network, loader: all that is made before step 1
 *   memory.c       what that takes, counted before
 *   lookalike.c    batches of classes that are mistaken for each other
 *   loop.c         steps, epochs, best and patience, faults and their answers
 *   checkpoint.c   the state on disk, and back
 *   train_log.c    what is told: notes, JSON lines
 *   sizes.c        smaller pictures for the first steps
 *   curves.c       the picture at the end
 *   preview.c      the picture before the beginning
 *   head.c         another, short training: of the last layer alone
 *
 * SPDX-License-Identifier: MIT */
#ifndef MNI_TRAIN_TRAINER_H
#define MNI_TRAIN_TRAINER_H

#include "base/text.h"
#include "nn/ema.h"
#include "nn/network.h"
#include "nn/proxies.h"
#include "train/examine.h"
#include "train/loader.h"
#include "train/sizes.h"
#include "train/split.h"
#include "train/watch.h"

/* m, set: as mann_train; c is complete (mni_train_defaults, and no field left at "the
 * library chooses" but steps, warm-up, margin and temperature). v: for all files that are
 * written, and for the validation set. */
mann_status mni_train(mni_model *m, const mni_dataset *set, const mann_train_config *c,
                      const mni_vfs *v, mni_pool *pool, const mann_hooks *h,
                      mann_train_report *out, mann_error *err);
mann_train_config mni_train_defaults(void);
/* As mann_train_plan. memory.c says what is counted. */
mann_status mni_train_cost(const mni_model *m, const mann_train_config *c, size_t threads,
                           mann_train_cost *out, mann_error *err);
/* The last layer alone (head.c); resume, checkpoints and log are not looked at. */
mann_status mni_train_head(mni_model *m, const mni_dataset *set,
                           const mann_train_config *c, mni_pool *pool,
                           const mann_hooks *h, mann_train_report *out, mann_error *err);
/* As mann_train_preview (preview.c). */
mann_status mni_train_preview(const mni_model *m, const mni_dataset *set,
                              const mann_train_config *c, uint32_t n_rows,
                              uint32_t n_views, mann_image *out, mann_error *err);

/* --- inside of train/ ------------------------------------------------------------- */

enum { MNI_MOST_VAL_IMAGES = 2048 }; /* examined each epoch */

#define MNI_BEST_TAG "TRBE" /* in best_model.mann: u64 key of its training */

typedef struct mni_epoch {       /* one finished epoch */
    double loss, active;         /* means over its steps */
    double val_loss, val_recall; /* NaN: no validation */
    double rate;                 /* of its last step */
} mni_epoch;
/* Is `a` better than `b`? Recall is a share of n_images pictures: what lies within one
 * standard error, sqrt(p (1 - p) / n), counts as equal, and the lower loss decides.
 * Without that the luckiest of twenty good epochs wins, often one in the middle, where
 * the rate was still high (README.md, "How good is it?"). */
int mni_epoch_better(const mni_epoch *a, const mni_epoch *b, uint32_t monitor,
                     uint64_t n_images);

/* All that is remembered from one step to the next, besides the network's four blocks. */
typedef struct mni_train_state {
    uint64_t step;  /* steps done */
    uint32_t miner; /* in force: a collapse may have changed it */
    uint32_t n_collapses;
    uint64_t restarted; /* step of the last collapse: the rate climbs again from there */
    uint32_t best_epoch; /* counted from 1; 0: none yet */
    uint32_t n_stale;    /* epochs since */
    mni_watch watch;
    double sum_loss, sum_active; /* of the running epoch */
    mni_epoch *epochs;
    size_t n_epochs, epochs_cap;
} mni_train_state;

typedef struct mni_trainer {
    mann_train_config config; /* nothing left to choose */
    const mni_vfs *vfs;
    mni_pool *pool;
    const mann_hooks *hooks;
    mann_train_cost cost;
    const mni_model *start; /* the caller's: initial weights, and the shape of all */
    mni_model *work; /* a copy: of now, for validation and checkpoints */
    mni_model *best; /* a copy: of the best epoch */
    mni_recipe recipe;
    mni_dataset *train_part, *val_part; /* owned; NULL where the caller's set is used */
    mni_cache cache, val_cache;
    mni_class_list list; /* that teaches */
    mni_exam exam;
    mni_sampler sampler;
    mni_network *net;
    mni_sizes sizes;      /* the first steps may see smaller pictures */
    mni_proxies *proxies; /* NULL: the loss has none */
    mni_ema ema;          /* what is examined and kept, if weights are averaged */
    mni_loader *loader;
    mni_batch_plan plan;  /* of the running epoch, if look-alikes are put together */
    mni_schedule schedule;
    float *d_embeddings;
    uint64_t key; /* hash of all that decides the result; checkpoints carry it */
    mni_train_state state;
    mni_file *log;
    uint64_t log_at;
    double started;      /* clock, for rates only */
    uint64_t first_step; /* of this call */
} mni_trainer;

/* prepare.c. On failure fini clears what there is. */
mann_status mni_trainer_init(mni_trainer *t, const mni_model *m, const mni_dataset *set,
                             const mann_train_config *c, const mni_vfs *v, mni_pool *pool,
                             const mann_hooks *h, mann_error *err);
void mni_trainer_fini(mni_trainer *t);
/* The loader of the steps from now on: all, or those of the running epoch where the next
 * will be planned when it begins. The old one goes. */
mann_status mni_trainer_load(mni_trainer *t, mann_error *err);
mann_status mni_model_copy(mni_model **out, const mni_model *m,
                           mann_error *err); /* weights and PREP */
/* The running epoch, counted from 1. */
static inline uint64_t mni_trainer_epoch(const mni_trainer *t)
{
    return t->state.step / t->config.steps_per_epoch + 1;
}

/* loop.c. The learning rate of a step: the schedule's, and warm-up anew after a
 * collapse. */
float mni_trainer_rate(const mni_trainer *t, uint64_t step);
/* The weights that count, into a model: those of now, or their mean. */
mann_status mni_trainer_export(const mni_trainer *t, mni_model *m, mann_error *err);

/* checkpoint.c. A checkpoint is a model file (it can be used as one) with two more
 * sections. */
mann_status mni_checkpoint_write(mni_trainer *t, uint64_t epoch, mann_error *err);
/* The newest of checkpoint_dir into net and state; none there: nothing changes. */
mann_status mni_checkpoint_resume(mni_trainer *t, mann_error *err);
/* A training that begins: refuses a folder with checkpoints, or clears it of them when
 * asked to. */
mann_status mni_checkpoint_begin(mni_trainer *t, mann_error *err);
/* "DIR/name" into out (mni_text_fini). */
mann_status mni_checkpoint_path(const mni_trainer *t, const char *name, mni_text *out,
                                mann_error *err);

/* train_log.c */
mann_status mni_train_log_open(mni_trainer *t, mann_error *err);
void mni_train_note(const mni_trainer *t, mann_note_level level, const char *fmt,
                    ...) MNI_PRINTF(3, 4);
void mni_train_summary(mni_trainer *t);
mann_status mni_train_log_step(mni_trainer *t, const mni_loss_result *r, double norm,
                               mann_error *err);
mann_status mni_train_log_epoch(mni_trainer *t, const mni_epoch *e, mann_error *err);
mann_status mni_train_log_plan(mni_trainer *t, const mni_lookalike_report *r,
                               double seconds, mann_error *err);
/* The images of a batch that ended in "not a number", by path, into DIR/nan_batch.txt. */
mann_status mni_train_blame(const mni_trainer *t, const mni_batch *b, mann_error *err);

/* curves.c: loss and Recall@1 by epoch, as a PNG. */
mann_status mni_curves_write(const mni_vfs *v, const char *path, const mni_epoch *epochs,
                             size_t n, mann_error *err);

#endif
