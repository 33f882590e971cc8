/* cmd_train.c - a folder of photos -> an embedding model. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "os/vfs.h"

/* Choices of options_list.h in the order of the constants of metricann.h. */
static uint32_t choice(const mni_options *o, mni_option_id id, const char *const *names)
{
    const char *text = mni_opt_text(o, id);
    uint32_t i = 0;
    while (names[i] && strcmp(names[i], text) != 0) i++;
    return i + 1;
}

static void take_choices(const mni_options *o, mann_train_config *t)
{
    static const char *const miners[] = { "hard", "semi", "random", NULL };
    static const char *const augments[] = { "none",   "glyph", "photo", "all",
                                            "strong", NULL };
    static const char *const monitors[] = { "recall", "loss", NULL };
    t->miner = choice(o, MNI_OPT_MINER, miners);
    t->augment = choice(o, MNI_OPT_AUGMENT, augments);
    t->monitor = choice(o, MNI_OPT_MONITOR, monitors);
    t->soft_margin = (uint32_t)mni_opt_flag(o, MNI_OPT_SOFT_MARGIN);
    t->rotations_as_classes = mni_opt_flag(o, MNI_OPT_MIRRORS)     ? 2
                              : mni_opt_flag(o, MNI_OPT_ROTATIONS) ? 1
                                                                   : 0;
    t->resume = mni_opt_flag(o, MNI_OPT_RESUME)   ? MANN_TRAIN_RESUME
                : mni_opt_flag(o, MNI_OPT_AFRESH) ? MANN_TRAIN_AFRESH
                                                  : MANN_TRAIN_KEEP;
}

static const char *const losses[] = { "triplet", "contrastive", "supcon",  "npair",
                                      "softmax", "cosface",     "arcface", "proxy-anchor",
                                      NULL };

/* What memory depends on. */
static void take_sizes(const mni_options *o, mann_train_config *t)
{
    const uint32_t batch = mni_opt_u32(o, MNI_OPT_BATCH);
    t->images_per_class = mni_opt_u32(o, MNI_OPT_IMAGES_PER_CLASS);
    t->classes_per_batch =
        batch ? batch / t->images_per_class : mni_opt_u32(o, MNI_OPT_CLASSES_PER_BATCH);
    t->mem_bytes = mni_opt_u64(o, MNI_OPT_MEM);
    t->cache_bytes = mni_opt_u64(o, MNI_OPT_CACHE);
    if (t->cache_bytes == 0) t->cache_bytes = 1;     /* no photo fits; 0: the default */
    t->loss = choice(o, MNI_OPT_LOSS, losses);
    t->proxies = mni_opt_u32(o, MNI_OPT_PROXIES);
}

static void take_numbers(const mni_options *o, mann_train_config *t)
{
    t->epochs = mni_opt_u32(o, MNI_OPT_EPOCHS);
    t->steps_per_epoch = mni_opt_u32(o, MNI_OPT_STEPS_PER_EPOCH);
    t->patience = mni_opt_u32(o, MNI_OPT_PATIENCE);
    t->warmup_steps = mni_opt_u32(o, MNI_OPT_WARMUP);
    t->keep_checkpoints = mni_opt_u32(o, MNI_OPT_KEEP);
    t->learning_rate = (float)mni_opt_float(o, MNI_OPT_LR);
    t->momentum = (float)mni_opt_float(o, MNI_OPT_MOMENTUM);
    t->weight_decay = (float)mni_opt_float(o, MNI_OPT_WEIGHT_DECAY);
    t->margin = (float)mni_opt_float(o, MNI_OPT_MARGIN);
    t->temperature = (float)mni_opt_float(o, MNI_OPT_TEMPERATURE);
    t->clip = (float)mni_opt_float(o, MNI_OPT_CLIP);
    t->freeze = mni_opt_text(o, MNI_OPT_FREEZE)[0] == 'b' ? MANN_FREEZE_BODY
                                                          : MANN_FREEZE_NOTHING;
    t->head_copies = mni_opt_u32(o, MNI_OPT_HEAD_COPIES);
    t->cap_class = mni_opt_u32(o, MNI_OPT_CAP_CLASS);
    t->cap_set = mni_opt_u32(o, MNI_OPT_CAP_SET);
    t->hard_classes = mni_opt_u32(o, MNI_OPT_HARD_CLASSES);
    t->ema = (float)mni_opt_float(o, MNI_OPT_EMA);
    t->first_size = mni_opt_u32(o, MNI_OPT_FIRST_SIZE);
    t->first_share = (float)mni_opt_float(o, MNI_OPT_FIRST_SHARE);
    t->proxy_rate = (float)mni_opt_float(o, MNI_OPT_PROXY_LR);
    t->validation_share = (float)mni_opt_float(o, MNI_OPT_VAL_SHARE);
    t->seed = mni_opt_u64(o, MNI_OPT_SEED);
}

static const char too_small[] =
    "--batch must hold at least two classes of --images-per-class";

static mann_status new_model(mni_cli *c, uint64_t seed, mann_model **out)
{
    const mni_options *o = &c->options;
    const uint32_t size = mni_opt_u32(o, MNI_OPT_SIZE);
    const char *from = c->options.values[MNI_OPT_FROM].row
                           ? mni_opt_text(o, MNI_OPT_FROM) : NULL;
    if (from) return mann_model_open(out, from, &c->err);
    char name[64];
    snprintf(name, sizeof name, size ? "%s@%u" : "%s", mni_opt_text(o, MNI_OPT_BACKBONE),
             size);
    return mann_model_new(out, name, mni_opt_u32(o, MNI_OPT_DIM),
                          seed, &c->err);
}

static void report(mni_cli *c, const char *path, const mann_train_report *r)
{
    if (!mni_cli_json(c)) {
        if (mni_cli_quiet(c)) return;
        mni_out_name(&c->out, path);
        mni_text_f(&c->out, ": %llu step%s in %u epoch%s, %.0f images/s",
                   (unsigned long long)r->n_steps, mni_s(r->n_steps),
                   (unsigned)r->n_epochs, mni_s(r->n_epochs), r->images_per_second);
        if (!isnan(r->val_recall))
            mni_text_f(
                &c->out, "; best epoch %u: Recall@1 %.1f %% on %u held-out classes",
                (unsigned)r->best_epoch, 100 * r->val_recall, (unsigned)r->n_val_classes);
        mni_text_char(&c->out, '\n');
        return;
    }
    mni_json j;
    const struct {
        const char *key;
        double v;
    } numbers[] = { { "loss", r->loss },
                    { "val_loss", r->val_loss },
                    { "val_recall", r->val_recall },
                    { "seconds", r->seconds },
                    { "images_per_second", r->images_per_second } };
    const struct {
        const char *key;
        uint64_t v;
    } counts[] = { { "steps", r->n_steps },           { "epochs", r->n_epochs },
                   { "best_epoch", r->best_epoch },   { "classes", r->n_classes },
                   { "images", r->n_images },         { "val_classes", r->n_val_classes },
                   { "val_images", r->n_val_images }, { "bad_images", r->n_bad } };
    mni_out_json(c, &j);
    mni_json_object(&j);
    mni_json_key(&j, "model");
    mni_json_string(&j, path);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        mni_json_key(&j, counts[i].key);
        mni_json_u64(&j, counts[i].v);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        mni_json_key(&j, numbers[i].key);
        mni_json_number(&j, numbers[i].v);
    }
    mni_json_end(&j);
    mni_text_char(&c->out, '\n');
}

/* Hours of training must not end at a folder that is not there: a file beside the output
 * is made and removed before they begin. */
static mann_status can_write(const char *out, mann_error *err)
{
    const mni_vfs *v = mni_vfs_posix();
    char probe[4096];
    mni_file *f = NULL;
    mni_stat st;
    if (v->ops->stat(v, out, &st, NULL) == MANN_OK && st.kind == MNI_IS_DIR)
        return mni_fail(err, MANN_E_IO, "%s: is a folder, the model needs a file name",
                        out);
    MNI_TRY(mni_temp_name(out, probe, sizeof probe, err));
    MNI_TRY(mni_open(v, probe, MNI_OPEN_WRITE | MNI_OPEN_CREATE, &f, err));
    const mann_status s = mni_close(f, err);
    v->ops->remove(v, probe, NULL);
    return s;
}

/* One data set, or several as one; the parts must outlive the whole. */
typedef struct sets { mann_dataset **part, *all; size_t n; } sets;

static void close_sets(sets *t)
{
    if (t->n > 1) mann_dataset_free(t->all);
    for (size_t i = 0; t->part && i < t->n; i++) mann_dataset_free(t->part[i]);
    mni_free(t->part);
}

static mann_status open_sets(mni_cli *c, sets *t)
{
    const mni_options *o = &c->options;
    mann_status s = MANN_OK;
    *t = (sets){ .part = mni_alloc(o->n_files, sizeof *t->part), .n = o->n_files };
    if (!t->part) return mni_fail(&c->err, MANN_E_NOMEM, "%zu data sets", t->n);
    for (size_t i = 0; s == MANN_OK && i < t->n; i++)
        s = mann_dataset_open(&t->part[i], o->files[i], &c->hooks, &c->err);
    if (s != MANN_OK) return s;
    t->all = t->part[0];
    if (t->n == 1) return s;
    const mann_dataset *const *parts = (const mann_dataset *const *)t->part;
    return mann_dataset_join(&t->all, parts, t->n, &c->err);
}

/* The model is made first: a name that is not known costs no walk through the photos. */
static int train(mni_cli *c, const mann_train_config *t, mann_model *m,
                 mann_train_report *r)
{
    sets set = { 0 };
    mann_pool *pool;
    const char *out = mni_opt_text(&c->options, MNI_OPT_OUTPUT);
    mann_status s = open_sets(c, &set);
    if (s == MANN_OK) s = mni_cli_pool(c, &pool);
    if (s == MANN_OK) s = mann_train(m, set.all, t, pool, &c->hooks, r, &c->err);
    close_sets(&set);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    s = mann_model_save(m, out, &c->err);
    if (s == MANN_OK) return MNI_EXIT_OK;
    mni_talk_say(&c->talk, MANN_NOTE_WARNING,
                 "the model is not lost: %s/best_model.mann holds it", t->checkpoint_dir);
    return mni_cli_fail(c, MNI_FROM_OUTPUT, s);
}

enum { PREVIEW_ROWS = 8, PREVIEW_VIEWS = 8 };

/* --preview: a look before the hours. */
static int preview(mni_cli *c, const mann_train_config *t, const mann_model *m)
{
    const char *path = mni_opt_text(&c->options, MNI_OPT_PREVIEW);
    sets set = { 0 };
    mann_image sheet = { 0 };
    mann_status s = open_sets(c, &set);
    if (s == MANN_OK)
        s = mann_train_preview(m, set.all, t, PREVIEW_ROWS, PREVIEW_VIEWS, &sheet,
                               &c->err);
    close_sets(&set);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    s = mni_text_ends(path, ".jpg") || mni_text_ends(path, ".jpeg")
            ? mann_image_write_jpeg(path, &sheet, 92, &c->err)
            : mann_image_write_png(path, &sheet, &c->err);
    mann_image_clear(&sheet);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    if (!mni_cli_quiet(c)) {
        mni_out_name(&c->out, path);
        mni_text_add(&c->out, ": left the photos, right what training would show of "
                              "them; nothing was trained\n");
    }
    return MNI_EXIT_OK;
}

int mni_cmd_train(mni_cli *c)
{
    const mni_options *o = &c->options;
    mni_text log = { 0 }, curves = { 0 };
    mann_train_config t;
    mann_train_report r = { .struct_size = sizeof r };
    mann_model *m = NULL;
    mann_train_config_fill(&t, sizeof t);
    take_choices(o, &t);
    take_numbers(o, &t);
    take_sizes(o, &t);
    if (t.classes_per_batch < 2) return mni_cli_usage(c, "%s", too_small);
    t.validation = mni_opt_text(o, MNI_OPT_VAL);
    for (size_t i = 0; t.validation && i < o->n_files; i++) {
        if (!mni_cli_same_file(t.validation, o->files[i])) continue;
        return mni_cli_usage(c, "--val %s is a training set: its classes would be "
                                "known already. Without --val some classes are held out",
                             t.validation);
    }
    t.checkpoint_dir = mni_opt_text(o, MNI_OPT_CKPT_DIR);
    mni_path_join(&log, t.checkpoint_dir, "train_log.jsonl");
    mni_path_join(&curves, t.checkpoint_dir, "curves.png");
    t.log_path = mni_text_get(&log);
    t.curves_path = mni_text_get(&curves);
    mann_status s = log.failed || curves.failed ? mni_fail(&c->err, MANN_E_NOMEM, "path")
                                                : new_model(c, t.seed, &m);
    int code = s == MANN_OK ? MNI_EXIT_OK : mni_cli_fail(c, MNI_FROM_USER, s);
    const int look = s == MANN_OK && mni_opt_text(o, MNI_OPT_PREVIEW);
    if (look) {
        code = preview(c, &t, m);
    } else if (s == MANN_OK) {
        s = can_write(mni_opt_text(o, MNI_OPT_OUTPUT), &c->err);
        code = s == MANN_OK ? train(c, &t, m, &r) : mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    }
    mann_model_free(m);
    mni_text_fini(&log);
    mni_text_fini(&curves);
    if (code == MNI_EXIT_OK && !look) report(c, mni_opt_text(o, MNI_OPT_OUTPUT), &r);
    return code;
}

/* --- plan --backbone ---------------------------------------------------------------- */

typedef struct part { const char *key, *name; uint64_t bytes; } part;

static void tell_cost(mni_cli *c, const mann_train_cost *p, int fits)
{
    const part parts[] = {
        { "activation_bytes", "activations", p->activation_bytes },
        { "weight_bytes", "weights", p->weight_bytes },
        { "work_bytes", "work", p->work_bytes },
        { "proxy_bytes", "proxies", p->proxy_bytes },
        { "fixed_bytes", "together", p->fixed_bytes },
        { "cache_bytes", "photos", p->cache_bytes },
    };
    const size_t n = sizeof parts / sizeof *parts;
    mni_json j;
    if (mni_cli_json(c)) {
        mni_out_json(c, &j);
        mni_json_object(&j);
        mni_json_key(&j, "batch");
        mni_json_u64(&j, p->batch);
        for (size_t i = 0; i < n; i++) {
            mni_json_key(&j, parts[i].key);
            mni_json_u64(&j, parts[i].bytes);
        }
        mni_json_key(&j, "fits");
        mni_json_bool(&j, fits);
        mni_json_end(&j);
        mni_text_char(&c->out, '\n');
        return;
    }
    mni_text_f(&c->out, "training %s in batches of %u\n",
               mni_opt_text(&c->options, MNI_OPT_BACKBONE), (unsigned)p->batch);
    for (size_t i = 0; i < n; i++) {
        char bytes[24];
        if (parts[i].bytes == 0) continue;
        mni_format_bytes(bytes, sizeof bytes, parts[i].bytes);
        mni_text_f(&c->out, "  %-12s%s%s\n", parts[i].name,
                   i + 1 == n ? "beside that at most " : "", bytes);
    }
}

int mni_cmd_plan_training(mni_cli *c)
{
    mann_train_config t;
    mann_train_cost cost = { .struct_size = sizeof cost };
    mann_model *m = NULL;
    mann_pool *pool;
    mann_train_config_fill(&t, sizeof t);
    take_sizes(&c->options, &t);
    t.n_classes = mni_opt_u32(&c->options, MNI_OPT_CLASSES);
    if (t.classes_per_batch < 2) return mni_cli_usage(c, "%s", too_small);
    mann_status s = new_model(c, t.seed, &m);
    if (s == MANN_OK) s = mni_cli_pool(c, &pool);
    if (s == MANN_OK) s = mann_train_plan(m, &t, pool, &cost, &c->err);
    mann_model_free(m);
    if (s != MANN_OK && s != MANN_E_BUDGET) return mni_cli_fail(c, MNI_FROM_USER, s);
    tell_cost(c, &cost, s == MANN_OK);
    return s == MANN_OK ? MNI_EXIT_OK : mni_cli_fail(c, MNI_FROM_USER, s);
}
