/* test_train_loop.c - whole trainings, of a very small network on drawings in memory.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "harness.h"
#include "train/trainer.h"
#include "train_set.h"
#include "train_world.h"

/* --- it learns -------------------------------------------------------------------- */

static void learns(void)
{
    mann_error e;
    train_world w;
    mann_train_report r;
    size_t n;
    train_world_new(&w, 40, 6);
    w.c.epochs = 6;
    w.c.steps_per_epoch = 25;
    w.c.classes_per_batch = 12;
    w.c.augment = MANN_AUGMENT_GLYPH;
    w.c.curves_path = "ck/curves.png";
    mni_model *m = train_world_model(1);
    CHECK_FINE(train_world_run(&w, m, 2, &r, &e), e);
    CHECK_EQ(w.n_progress, 150);
    CHECK_EQ(r.n_steps, 150);
    CHECK_EQ(r.n_val_classes, 8);
    CHECK_EQ(r.n_classes, 32);
    CHECK(r.val_recall > 0.5); /* chance: about 5 of 47 */
    CHECK(mni_model_attached(m, "CALB", &n) && n > 0);
    CHECK(mni_model_attached(m, "PREP", &n) && n == MNI_RECIPE_BYTES);
    const char *said = mni_model_attached(m, "VALI", &n);
    CHECK(said && n > 10 && memcmp(said, "{\"recall_at_1\":", 15) == 0);
    CHECK(train_world_has(&w, "ck/curves.png"));
    CHECK(train_world_has(&w, "ck/ckpt_epoch6.mann") &&
          !train_world_has(&w, "ck/ckpt_epoch3.mann"));
    uint8_t *log = train_world_file(&w, "ck/log.jsonl", &n);
    CHECK(strstr((char *)log, "\"event\":\"epoch\"") &&
          strstr((char *)log, "\"event\":\"step\""));
    mni_free(log);
    mni_model_free(m);
    train_world_free(&w);
}

/* --- the same bits ---------------------------------------------------------------- */

static void same_bits(void)
{
    static const uint32_t threads[] = { 1, 2, 7 };
    uint64_t first = 0;
    for (int i = 0; i < 3; i++) {
        mann_error e;
        train_world w;
        mann_train_report r;
        train_world_new(&w, 20, 3);
        w.c.rotations_as_classes = 1;
        mni_model *m = train_world_model(1);
        CHECK_FINE(train_world_run(&w, m, threads[i], &r, &e), e);
        CHECK_EQ(r.n_classes, 48);
        const uint64_t h = train_world_hash(&w, m);
        if (i == 0) first = h;
        CHECK(h == first);
        mni_model_free(m);
        train_world_free(&w);
    }
}

/* Stopped after `at` steps with one thread, resumed with seven. */
static void resumes(void)
{
    static const uint64_t at[] = { 0, 3, 7, 10, 20 };
    uint64_t whole = 0;
    for (int i = 0; i < 5; i++) {
        mann_error e;
        train_world w;
        mann_train_report r;
        train_world_new(&w, 20, 3);
        w.stop_after = at[i];
        mni_model *m = train_world_model(1);
        const uint64_t before = mni_model_fingerprint(m);
        mann_status s = train_world_run(&w, m, 1, &r, &e);
        CHECK_EQ(s, at[i] ? MANN_E_CANCELLED : MANN_OK);
        if (at[i]) {
            CHECK(mni_model_fingerprint(m) == before);
            w.stop_after = 0;
            w.c.resume = MANN_TRAIN_RESUME;
            CHECK_FINE(train_world_run(&w, m, 7, &r, &e), e);
            CHECK_EQ((uint64_t)w.n_progress, 21 - at[i]);
        }
        const uint64_t h = train_world_hash(&w, m);
        if (i == 0) whole = h;
        CHECK(h == whole);
        mni_model_free(m);

        /* A finished training resumed has nothing to do; another one is refused. */
        w.c.resume = 1;
        m = train_world_model(1);
        CHECK_FINE(train_world_run(&w, m, 1, &r, &e), e);
        CHECK_EQ(w.n_progress, 0);
        CHECK(train_world_hash(&w, m) == whole);
        mni_model_free(m);
        m = train_world_model(2);
        CHECK_IS(train_world_run(&w, m, 1, &r, &e), MANN_E_MISMATCH);
        CHECK(strstr(e.text, "ckpt_epoch3.mann"));
        mni_model_free(m);

        /* ... but not because its own checkpoint has a lower number. */
        m = train_world_model(2);
        w.c.resume = MANN_TRAIN_AFRESH;
        w.stop_after = 9;
        CHECK_IS(train_world_run(&w, m, 1, &r, &e), MANN_E_CANCELLED);
        mni_model_free(m);
        m = train_world_model(2);
        w.c.resume = 1;
        w.stop_after = w.n_progress = 0;
        CHECK_FINE(train_world_run(&w, m, 1, &r, &e), e);
        CHECK_EQ(w.n_progress, 12);
        mni_model_free(m);
        train_world_free(&w);
    }
}

/* Nothing is thrown away that nobody asked to throw away, and nobody else's best model is
 * taken for one's own. */
static void keeps_what_is_there(void)
{
    mann_error e;
    train_world w;
    mann_train_report r;
    size_t n, n_after;
    train_world_new(&w, 20, 3);
    w.c.epochs = 1;
    mni_model *m = train_world_model(1);
    CHECK_FINE(train_world_run(&w, m, 1, &r, &e), e);
    uint8_t *before = train_world_file(&w, "ck/ckpt_epoch1.mann", &n);
    w.c.resume = MANN_TRAIN_KEEP;
    CHECK_IS(train_world_run(&w, m, 1, &r, &e), MANN_E_EXISTS);
    CHECK(strstr(e.text, "ck: holds 2 files of an earlier training"));
    uint8_t *after = train_world_file(&w, "ck/ckpt_epoch1.mann", &n_after);
    CHECK(n == n_after && memcmp(before, after, n) == 0);
    mni_free(after);
    mni_free(before);
    mni_model_free(m);

    m = train_world_model(1);
    w.c.resume = MANN_TRAIN_RESUME;
    CHECK_OK(mni_model_save(m, w.v, "ck/best_model.mann", NULL));
    CHECK_IS(train_world_run(&w, m, 1, &r, &e), MANN_E_MISMATCH);
    CHECK(strstr(e.text, "best_model.mann: is not the best model of this training"));

    w.c.resume = MANN_TRAIN_AFRESH;
    w.c.epochs = 2;
    w.stop_after = 1;
    CHECK_IS(train_world_run(&w, m, 1, &r, &e), MANN_E_CANCELLED);
    mni_stat st;
    CHECK_IS(w.v->ops->stat(w.v, "ck/best_model.mann", &st, NULL), MANN_E_NOT_FOUND);
    mni_model_free(m);
    train_world_free(&w);
}

static void hostile_checkpoints(void)
{
    mann_error e;
    train_world w;
    mann_train_report r;
    size_t n;
    train_world_new(&w, 20, 3);
    w.c.epochs = 1;
    mni_model *m = train_world_model(1);
    CHECK_FINE(train_world_run(&w, m, 1, &r, &e), e);
    mni_model_free(m);
    w.c.resume = 1;
    uint8_t *bytes = train_world_file(&w, "ck/ckpt_epoch1.mann", &n);
    for (size_t cut = 0; cut < n; cut += n / 23 + 1) {
        m = train_world_model(1);
        CHECK_OK(mni_replace_file(w.v, "ck/ckpt_epoch1.mann", bytes, cut, NULL));
        CHECK(train_world_run(&w, m, 1, &r, &e) != MANN_OK);
        bytes[cut] ^= 0x10;
        CHECK_OK(mni_replace_file(w.v, "ck/ckpt_epoch1.mann", bytes, n, NULL));
        CHECK(train_world_run(&w, m, 1, &r, &e) != MANN_OK);
        bytes[cut] ^= 0x10;
        mni_model_free(m);
    }
    /* A plain model is a good model, but no checkpoint. */
    m = train_world_model(1);
    CHECK_OK(mni_model_save(m, w.v, "ck/ckpt_epoch2.mann", NULL));
    CHECK_IS(train_world_run(&w, m, 1, &r, &e), MANN_E_FORMAT);
    w.c.checkpoint_dir = NULL;
    CHECK_IS(train_world_run(&w, m, 1, &r, &e), MANN_E_ARG);
    mni_model_free(m);
    mni_free(bytes);
    train_world_free(&w);
}

/* --- faults ----------------------------------------------------------------------- */

static void not_a_number(void)
{
    mann_error e;
    train_world w;
    mann_train_report r;
    size_t n;
    train_world_new(&w, 20, 3);
    w.c.learning_rate = 1e30f;
    w.c.warmup_steps = 1;
    mni_model *m = train_world_model(1);
    const uint64_t before = mni_model_fingerprint(m);
    CHECK_IS(train_world_run(&w, m, 2, &r, &e), MANN_E_LIMIT);
    CHECK(strstr(e.text, "not a number at step"));
    CHECK(mni_model_fingerprint(m) == before);
    uint8_t *list = train_world_file(&w, "ck/nan_batch.txt", &n);
    size_t n_lines = 0;
    for (size_t i = 0; i < n; i++) n_lines += list[i] == '\n';
    CHECK_EQ(n_lines, 18);
    CHECK(strstr((char *)list, ".png\n"));
    mni_free(list);
    mni_model_free(m);
    train_world_free(&w);
}

static void kill_head(void *ctx, const mni_param *p)
{
    float *params = ctx;
    for (size_t i = 0; i < p->count; i++) {
        if (p->role == MNI_LINEAR_WEIGHT) params[p->at + i] = 0;
        if (p->role == MNI_LINEAR_BIAS) params[p->at + i] = 1;
    }
}

/* A head that answers every picture with its bias, and a rate so small that nothing can
 * pull the points apart again. */
static mni_model *dead_model(train_world *w)
{
    train_world_new(w, 20, 3);
    w->c.miner = MANN_MINE_HARD;
    w->c.epochs = 50;
    w->c.patience = 1000;
    w->c.weight_decay = 0;
    w->c.learning_rate = 1e-12f;
    mni_model *m = train_world_model(1);
    const size_t n = mni_resnet_n_params(mni_model_resnet(m));
    float *params = mni_memdup(mni_model_params(m), n * sizeof *params);
    CHECK(params);
    mni_resnet_each_param(mni_model_resnet(m), kill_head, params);
    CHECK_OK(mni_model_set_weights(m, params, mni_model_stats(m), NULL));
    mni_free(params);
    return m;
}

static void collapse(void)
{
    mann_error e;
    train_world w;
    mann_train_report r;
    mni_model *m = dead_model(&w);
    CHECK_IS(train_world_run(&w, m, 1, &r, &e), MANN_E_LIMIT);
    CHECK(strstr(e.text, "collapsed"));
    CHECK_EQ(w.n_warnings, 2); /* hard -> semi-hard -> random, then the end */
    CHECK(strstr(w.last_warning, "random miner instead of semi-hard"));
    CHECK(train_world_has(&w, "ck/ckpt_epoch17.mann"));
    mni_model_free(m);
    train_world_free(&w);
}

/* A loss without a miner has none to fall back on: it stops at once, with advice. The log
 * shows why: no spread, no gap. */
static void collapse_without_a_miner(void)
{
    static const uint32_t losses[] = { MANN_LOSS_SUPCON, MANN_LOSS_NPAIR,
                                       MANN_LOSS_ARCFACE };
    for (int i = 0; i < 3; i++) {
        mann_error e;
        train_world w;
        mann_train_report r;
        size_t n;
        mni_model *m = dead_model(&w);
        w.c.loss = losses[i];
        w.c.steps_per_epoch = 60;
        CHECK_IS(train_world_run(&w, m, 1, &r, &e), MANN_E_LIMIT);
        CHECK(strstr(e.text, "collapsed") && strstr(e.text, "at step 40"));
        CHECK(strstr(e.text, "try a lower rate"));
        CHECK_EQ(w.n_warnings, 0);
        mni_model_free(m);
        m = train_world_model(1);
        w.c.resume = MANN_TRAIN_AFRESH;
        w.c.epochs = 1;
        CHECK_FINE(train_world_run(&w, m, 1, &r, &e), e);
        char *log = (char *)train_world_file(&w, "ck/log.jsonl", &n);
        CHECK(strstr(log, "\"gap\":") && strstr(log, "\"spread\":0.") &&
              strstr(log, "\"dims\":"));
        mni_free(log);
        mni_model_free(m);
        train_world_free(&w);
    }
}

/* --- where validation comes from -------------------------------------------------- */

static void validations(void)
{
    mann_error e;
    train_world w;
    mann_train_report r;
    mni_model *m = train_world_model(1);
    train_world_new(&w, 3, 3); /* too few to hold out: the last weights, unexamined */
    CHECK_FINE(train_world_run(&w, m, 1, &r, &e), e);
    CHECK_EQ(r.n_val_classes, 0);
    CHECK_EQ(r.best_epoch, 3);
    CHECK(isnan(r.val_recall) && w.n_warnings == 2);

    train_set_draw(w.v, "other", 100, 9, 2);
    w.c.resume = MANN_TRAIN_AFRESH;
    w.c.validation = "other";
    CHECK_FINE(train_world_run(&w, m, 1, &r, &e), e);
    CHECK_EQ(r.n_val_classes, 9);
    CHECK_EQ(r.n_classes, 3);
    w.c.validation = "nowhere";
    CHECK_IS(train_world_run(&w, m, 1, &r, &e), MANN_E_NOT_FOUND);
    w.c.validation = NULL;

    train_set_draw(w.v, "both/train", 1, 5, 3);
    train_set_draw(w.v, "both/val", 50, 4, 3);
    mni_dataset_free(w.set);
    CHECK_OK(mni_dataset_open(&w.set, w.v, "both", NULL, NULL));
    w.c.monitor = MANN_MONITOR_LOSS;
    CHECK_FINE(train_world_run(&w, m, 1, &r, &e), e);
    CHECK_EQ(r.n_classes, 5);
    CHECK_EQ(r.n_val_classes, 4);
    mni_model_free(m);
    m = NULL;
    CHECK_OK(mni_model_new(&m, "pixels", 0, 0, NULL));
    CHECK_IS(train_world_run(&w, m, 1, &r, &e), MANN_E_UNSUPPORTED);
    mni_model_free(m);
    train_world_free(&w);
}

/* --- no memory -------------------------------------------------------------------- */

static mann_status train_once(void *ctx)
{
    train_world *w = ctx;
    mann_train_report r;
    mni_model *m = NULL;
    mann_pool *pool = NULL;
    mann_error e;
    mni_mem_fail_after(-1);
    m = train_world_model(1);
    mni_mem_fail_after((long)w->stop_after);
    const mann_status s =
        mni_train(m, w->set, &w->c, mni_vfs_posix(), pool, NULL, &r, &e);
    mni_mem_fail_after(-1);
    mni_model_free(m);
    return s;
}

/* By hand, because files in memory allocate too and would be counted as alive. */
static void no_memory(void)
{
    train_world w;
    char dir[512];
    train_world_new(&w, 4, 2);
    mni_dataset_free(w.set);
    snprintf(dir, sizeof dir, "%s/set", test_dir());
    train_set_draw(mni_vfs_posix(), dir, 1, 4, 2);
    CHECK_OK(mni_dataset_open(&w.set, mni_vfs_posix(), dir, NULL, NULL));
    w.c.checkpoint_dir = w.c.log_path = NULL;
    w.c.epochs = 1;
    w.c.steps_per_epoch = 2;
    w.c.classes_per_batch = 2;
    w.c.images_per_class = 2;
    const long before = mni_mem_live();
    for (w.stop_after = 0;; w.stop_after++) {
        const mann_status s = train_once(&w);
        CHECK_EQ(mni_mem_live(), before);
        if (s == MANN_OK) break;
        CHECK_EQ(s, MANN_E_NOMEM);
        CHECK(w.stop_after < 5000);
    }
    CHECK(w.stop_after > 50);
    w.stop_after = 0;
    train_world_free(&w);
}

/* Less memory than a batch needs: refused before a file is read. A little more: the
 * cache is small, and the result the same to the bit. */
static void memory_limit(void)
{
    mann_error e;
    train_world w;
    mann_train_report r;
    mann_train_cost cost;
    mni_model *m = train_world_model(1), *small = train_world_model(1);
    const size_t n = mni_resnet_n_params(mni_model_resnet(m));
    train_world_new(&w, 6, 4);
    CHECK_FINE(train_world_run(&w, m, 1, &r, &e), e);
    CHECK_OK(mni_train_cost(small, &w.c, 1, &cost, NULL));
    CHECK_EQ(cost.fixed_bytes,
             cost.activation_bytes + cost.weight_bytes + cost.work_bytes);
    CHECK_EQ(cost.cache_bytes, w.c.cache_bytes);
    w.c.resume = MANN_TRAIN_AFRESH;
    w.c.mem_bytes = cost.fixed_bytes - 1;
    CHECK_IS(train_world_run(&w, small, 1, &r, &e), MANN_E_BUDGET);
    CHECK(strstr(e.text, "batches of 18 images need"));
    w.c.mem_bytes = cost.fixed_bytes + 5000;
    CHECK_OK(mni_train_cost(small, &w.c, 1, &cost, NULL));
    CHECK_EQ(cost.cache_bytes, 5000);
    CHECK_FINE(train_world_run(&w, small, 1, &r, &e), e);
    CHECK(memcmp(mni_model_params(m), mni_model_params(small), n * sizeof(float)) == 0);
    mni_model_free(m);
    mni_model_free(small);
    train_world_free(&w);
}

extern const test_case train_loop_tests[];
/* Numbers of a real training: epoch 12 was luckier by three pictures of 1,920, epoch 20
 * is the better one (71.8 against 66.1 % of unseen classes found). */
static void luck_is_not_better(void)
{
    const mni_epoch early = { .val_loss = 0.226986, .val_recall = 0.978125 },
                    late = { .val_loss = 0.138684, .val_recall = 0.976562 },
                    poor = { .val_loss = 0.1, .val_recall = 0.9651 },
                    nothing = { .val_recall = NAN };
    CHECK(mni_epoch_better(&late, &early, MANN_MONITOR_RECALL, 1920));
    CHECK(!mni_epoch_better(&early, &late, MANN_MONITOR_RECALL, 1920));
    CHECK(!mni_epoch_better(&poor, &early, MANN_MONITOR_RECALL, 1920));
    CHECK(mni_epoch_better(&early, &poor, MANN_MONITOR_RECALL, 1920));
    /* more pictures can tell them apart; whoever asks for the loss gets it */
    CHECK(!mni_epoch_better(&late, &early, MANN_MONITOR_RECALL, 192000));
    CHECK(mni_epoch_better(&poor, &early, MANN_MONITOR_LOSS, 1920));
    CHECK(mni_epoch_better(&nothing, &early, MANN_MONITOR_RECALL, 1920));
}

const test_case train_loop_tests[] = { { "learns", learns, 1 },
                                       { "same_bits", same_bits, 0 },
                                       { "resumes", resumes, 0 },
                                       { "keeps_what_is_there", keeps_what_is_there, 0 },
                                       { "hostile_checkpoints", hostile_checkpoints, 0 },
                                       { "not_a_number", not_a_number, 0 },
                                       { "collapse", collapse, 0 },
                                       { "collapse_without_a_miner",
                                         collapse_without_a_miner, 0 },
                                       { "validations", validations, 0 },
                                       { "memory_limit", memory_limit, 0 },
                                       { "no_memory", no_memory, 1 },
                                       { "luck_is_not_better", luck_is_not_better, 0 },
    { NULL, NULL, 0 } };
