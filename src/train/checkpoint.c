/* checkpoint.c - a training on disk. See trainer.h.
 *
 * A checkpoint is a model file of the weights of that moment, and more sections:
 *
 *   MOMT  f32     momentum, in the layout of the weights
 *   TRST  bytes   u32 layout 1, u32 miner, u64 key, u64 step,
 *                 u64 step of the last collapse, u32 collapses,
 *                 u32 best epoch, u32 stale epochs, u32 stuck steps,
 *                 f64 sums of loss and of active share, u64 number of epochs,
 *                 then 5 f64 for each (mni_epoch)
 *
 *   PRXW  f32     the proxies, a row for each class, if the loss has them
 *   PRXM  f32     their momentum
 *
 *   EMAW  f32     the mean of the weights, if there is one, and
 *   EMAS  f32     of the norms' statistics
 *
 *   PLAN  u32     in the middle of an epoch of look-alikes, its mni_batch_plan
 *
 * The rest follows from the configuration, as all randomness is a function of the step.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "store/container.h"
#include "train/trainer.h"

enum { LAYOUT = 2, MOST_EPOCHS = 1 << 24 };

mann_status mni_checkpoint_path(const mni_trainer *t, const char *name, mni_text *out,
                                mann_error *err)
{
    mni_path_join(out, t->config.checkpoint_dir, name);
    return out->failed ? mni_fail(err, MANN_E_NOMEM, "training: path") : MANN_OK;
}

static mann_status numbered_path(const mni_trainer *t, uint64_t epoch, mni_text *out,
                                 mann_error *err)
{
    mni_text name = { 0 };
    mni_text_f(&name, "ckpt_epoch%llu.mann", (unsigned long long)epoch);
    const mann_status s = mni_checkpoint_path(t, mni_text_get(&name), out, err);
    mni_text_fini(&name);
    return s;
}

/* --- the state as bytes ----------------------------------------------------------- */

static void put_real(mni_buf *b, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    mni_buf_u64(b, bits);
}

static double take_real(mni_cursor *c)
{
    const uint64_t bits = mni_cursor_u64(c);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static void encode(const mni_trainer *t, mni_buf *b)
{
    const mni_train_state *st = &t->state;
    mni_buf_u32(b, LAYOUT);
    mni_buf_u32(b, st->miner);
    mni_buf_u64(b, t->key);
    mni_buf_u64(b, st->step);
    mni_buf_u64(b, st->restarted);
    mni_buf_u32(b, st->n_collapses);
    mni_buf_u32(b, st->best_epoch);
    mni_buf_u32(b, st->n_stale);
    mni_buf_u32(b, st->watch.n_stuck);
    mni_buf_u32(b, st->watch.n_flat);
    put_real(b, st->watch.gap);
    put_real(b, st->watch.best_gap);
    put_real(b, st->sum_loss);
    put_real(b, st->sum_active);
    mni_buf_u64(b, st->n_epochs);
    for (size_t i = 0; i < st->n_epochs; i++) {
        const mni_epoch *e = &st->epochs[i];
        const double five[5] = { e->loss, e->active, e->val_loss, e->val_recall,
                                 e->rate };
        for (int k = 0; k < 5; k++) put_real(b, five[k]);
    }
}

static mann_status decode(mni_trainer *t, mni_cursor *c, const char *name,
                          mann_error *err)
{
    mni_train_state st = { 0 };
    const uint32_t layout = mni_cursor_u32(c);
    st.miner = mni_cursor_u32(c);
    const uint64_t key = mni_cursor_u64(c);
    st.step = mni_cursor_u64(c);
    st.restarted = mni_cursor_u64(c);
    st.n_collapses = mni_cursor_u32(c);
    st.best_epoch = mni_cursor_u32(c);
    st.n_stale = mni_cursor_u32(c);
    st.watch.n_stuck = mni_cursor_u32(c);
    st.watch.n_flat = mni_cursor_u32(c);
    st.watch.gap = take_real(c);
    st.watch.best_gap = take_real(c);
    st.sum_loss = take_real(c);
    st.sum_active = take_real(c);
    const uint64_t n = mni_cursor_u64(c);
    if (layout != LAYOUT)
        return mni_fail(err, MANN_E_VERSION,
                        "%s: training state of layout %u, this program knows %d", name,
                        (unsigned)layout, LAYOUT);
    if (key != t->key)
        return mni_fail(err, MANN_E_MISMATCH,
                        "%s: is of another training (other images, settings or first "
                        "weights); resume with the same, or choose another folder",
                        name);
    const int fits = !c->bad && n <= MOST_EPOCHS && mni_cursor_left(c) == n * 40;
    if (!fits || st.step > t->schedule.n_steps ||
        n != st.step / t->config.steps_per_epoch || st.best_epoch > n ||
        st.restarted > st.step || st.miner < MANN_MINE_HARD ||
        st.miner > MANN_MINE_RANDOM)
        return mni_fail(err, MANN_E_FORMAT, "%s: the training state contradicts itself",
                        name);
    st.epochs = mni_alloc((size_t)n, sizeof *st.epochs);
    if (!st.epochs) return mni_fail(err, MANN_E_NOMEM, "training: history");
    st.n_epochs = st.epochs_cap = (size_t)n;
    for (size_t i = 0; i < st.n_epochs; i++) {
        mni_epoch *e = &st.epochs[i];
        e->loss = take_real(c);
        e->active = take_real(c);
        e->val_loss = take_real(c);
        e->val_recall = take_real(c);
        e->rate = take_real(c);
    }
    mni_free(t->state.epochs);
    t->state = st;
    return MANN_OK;
}

/* --- writing ---------------------------------------------------------------------- */

static void forget_old(const mni_trainer *t, uint64_t epoch)
{
    mni_text path = { 0 };
    const uint32_t keep = t->config.keep_checkpoints;
    if (keep != UINT32_MAX && epoch > keep &&
        numbered_path(t, epoch - keep, &path, NULL) == MANN_OK)
        t->vfs->ops->remove(t->vfs, mni_text_get(&path),
                            NULL); /* it may be gone already */
    mni_text_fini(&path);
}

/* The plan of an epoch is made of the weights that it began with. */
static int plan_is_needed(const mni_trainer *t)
{
    const uint64_t step = t->state.step, epoch = t->config.steps_per_epoch;
    return t->config.hard_classes > 1 && step > epoch && step % epoch != 0;
}

static mann_status write_file(mni_trainer *t, const char *path, const mni_buf *state,
                              mann_error *err)
{
    mni_writer *w;
    MNI_TRY(mni_writer_new(&w, t->vfs, path, MNI_FILE_MODEL,
                           mni_uuid_from(t->state.step, mni_model_fingerprint(t->work)),
                           0, err));
    mni_model_write(t->work, w);
    mni_writer_section(w, "MOMT", MNI_F32, MNI_ALIGN_SECTION,
                       mni_network_momentum(t->net),
                       mni_network_n_params(t->net) * sizeof(float));
    if (t->proxies) {
        const size_t n_bytes = mni_proxies_floats(t->proxies) * sizeof(float);
        mni_writer_section(w, "PRXW", MNI_F32, MNI_ALIGN_SECTION,
                           mni_proxies_rows(t->proxies), n_bytes);
        mni_writer_section(w, "PRXM", MNI_F32, MNI_ALIGN_SECTION,
                           mni_proxies_momentum(t->proxies), n_bytes);
    }
    if (t->ema.params) {
        mni_writer_section(w, "EMAW", MNI_F32, MNI_ALIGN_SECTION, t->ema.params,
                           t->ema.n_params * sizeof(float));
        mni_writer_section(w, "EMAS", MNI_F32, MNI_ALIGN_SECTION, t->ema.stats,
                           t->ema.n_stats * sizeof(float));
    }
    if (plan_is_needed(t))
        mni_writer_section(w, "PLAN", MNI_U32, MNI_ALIGN_SECTION, t->plan.places,
                           (uint64_t)t->config.steps_per_epoch * t->sampler.classes *
                               sizeof(uint32_t));
    mni_writer_section(w, "TRST", MNI_BYTES, MNI_ALIGN_SECTION, state->bytes,
                       state->n_bytes);
    return mni_writer_finish(w, err);
}

mann_status mni_checkpoint_write(mni_trainer *t, uint64_t epoch, mann_error *err)
{
    mni_text path = { 0 };
    mni_buf state = { 0 };
    encode(t, &state);
    mann_status s = state.failed ? mni_fail(err, MANN_E_NOMEM, "training: state")
                                 : numbered_path(t, epoch, &path, err);
    if (s == MANN_OK) s = mni_network_export(t->net, t->work, err);
    if (s == MANN_OK) s = write_file(t, mni_text_get(&path), &state, err);
    if (s == MANN_OK) forget_old(t, epoch);
    mni_text_fini(&path);
    mni_buf_fini(&state);
    return s;
}

/* --- reading ---------------------------------------------------------------------- */

/* "ckpt_epoch17.mann" -> 17; 0: another name. */
static uint64_t number_of(const char *name)
{
    static const char head[] = "ckpt_epoch", tail[] = ".mann";
    const size_t n = strlen(name), n_head = sizeof head - 1, n_tail = sizeof tail - 1;
    char digits[24];
    uint64_t v = 0;
    if (n <= n_head + n_tail || n - n_head - n_tail >= sizeof digits) return 0;
    if (strncmp(name, head, n_head) != 0 || strcmp(name + n - n_tail, tail) != 0)
        return 0;
    memcpy(digits, name + n_head, n - n_head - n_tail);
    digits[n - n_head - n_tail] = '\0';
    return mni_parse_u64(digits, &v) ? v : 0;
}

typedef struct find { uint64_t below, newest; } find;

static int look(void *ctx, const char *name)
{
    find *f = ctx;
    const uint64_t number = number_of(name);
    if (number < f->below && number > f->newest) f->newest = number;
    return 0;
}

/* A section of exactly n floats, to `out`. */
static mann_status read_floats(const mni_reader *r, const char *tag, float *out, size_t n,
                               mann_error *err)
{
    mni_section s;
    MNI_TRY(mni_reader_need(r, tag, MNI_F32, n, &s, err));
    memcpy(out, s.data, n * sizeof *out);
    return MANN_OK;
}

static mann_status read_proxies(mni_trainer *t, const mni_reader *r, mann_error *err)
{
    if (!t->proxies) return MANN_OK;
    const size_t n = mni_proxies_floats(t->proxies);
    MNI_TRY(read_floats(r, "PRXW", mni_proxies_rows(t->proxies), n, err));
    return read_floats(r, "PRXM", mni_proxies_momentum(t->proxies), n, err);
}

static mann_status read_mean(mni_trainer *t, const mni_reader *r, mann_error *err)
{
    if (!t->ema.params) return MANN_OK;
    MNI_TRY(read_floats(r, "EMAW", t->ema.params, t->ema.n_params, err));
    return read_floats(r, "EMAS", t->ema.stats, t->ema.n_stats, err);
}

static mann_status read_plan(mni_trainer *t, const mni_reader *r, mann_error *err)
{
    const uint64_t epoch = t->config.steps_per_epoch, n = epoch * t->sampler.classes;
    mni_section s;
    mni_batch_plan_fini(&t->plan);
    if (!plan_is_needed(t)) return MANN_OK;
    MNI_TRY(mni_reader_need(r, "PLAN", MNI_U32, n, &s, err));
    t->plan = (mni_batch_plan){ t->state.step - t->state.step % epoch, epoch,
                                mni_memdup(s.data, n * sizeof(uint32_t)) };
    if (!t->plan.places) return mni_fail(err, MANN_E_NOMEM, "training: plan");
    return mni_batch_plan_check(&t->plan, t->sampler.classes, mni_reader_name(r), err);
}

static mann_status read_checkpoint(mni_trainer *t, const mni_reader *r, mann_error *err)
{
    mni_model *m;
    mni_section state;
    MNI_TRY(mni_reader_need(r, "TRST", MNI_BYTES, UINT64_MAX, &state, err));
    mni_cursor c = mni_cursor_of(state.data, (size_t)state.n_bytes);
    MNI_TRY(decode(t, &c, mni_reader_name(r), err));
    MNI_TRY(read_proxies(t, r, err));
    MNI_TRY(read_mean(t, r, err));
    MNI_TRY(read_plan(t, r, err));
    MNI_TRY(mni_model_read(&m, r, err));
    const mann_status s = mni_network_import(t->net, m, err);
    mni_model_free(m);
    if (s != MANN_OK) return s;
    return read_floats(r, "MOMT", mni_network_momentum(t->net),
                       mni_network_n_params(t->net), err);
}

/* Whose best is it? A stop between the two files of an epoch leaves the best of an epoch
 * that the checkpoint has not seen: that epoch comes again, to the same bytes. */
static mann_status check_best(const mni_trainer *t, const mni_model *m, const char *path,
                              mann_error *err)
{
    size_t n;
    const uint8_t *key = mni_model_attached(m, MNI_BEST_TAG, &n);
    if (key && n == 8 && mni_get64(key) == t->key) return MANN_OK;
    return mni_fail(err, MANN_E_MISMATCH,
                    "%s: is not the best model of this training; resume needs the one "
                    "that stood beside the checkpoint",
                    path);
}

static mann_status read_best(mni_trainer *t, mann_error *err)
{
    mni_text path = { 0 };
    mni_model *m = NULL;
    if (t->state.best_epoch == 0) return MANN_OK;
    mann_status s = mni_checkpoint_path(t, "best_model.mann", &path, err);
    if (s == MANN_OK) s = mni_model_open(&m, t->vfs, mni_text_get(&path), err);
    if (s == MANN_OK) s = check_best(t, m, mni_text_get(&path), err);
    mni_text_fini(&path);
    if (s != MANN_OK) {
        mni_model_free(m);
        return s;
    }
    mni_model_free(t->best);
    t->best = m;
    return mni_network_import(
        t->net, m, err); /* of the same shape? The weights themselves come next */
}

static mann_status resume_from(mni_trainer *t, uint64_t epoch, mann_error *err)
{
    mni_text path = { 0 };
    mni_reader *r = NULL;
    mann_status s = numbered_path(t, epoch, &path, err);
    if (s == MANN_OK)
        s = mni_reader_open(&r, t->vfs, mni_text_get(&path), MNI_READ_VERIFY, err);
    if (s == MANN_OK) s = read_checkpoint(t, r, err);
    if (s == MANN_OK) s = read_best(t, err);
    if (s == MANN_OK) s = read_checkpoint(t, r, err);
    if (s == MANN_OK)
        mni_train_note(t, MANN_NOTE_INFO, "%s: going on after step %llu of %llu",
                       mni_text_get(&path), (unsigned long long)t->state.step,
                       (unsigned long long)t->schedule.n_steps);
    mni_reader_free(r);
    mni_text_fini(&path);
    return s;
}

/* An earlier, longer training may have left checkpoints of higher numbers in the folder:
 * the newest of this training is meant; a damaged one is passed over for the one before.
 * Where none is, the error is about the newest. */
mann_status mni_checkpoint_resume(mni_trainer *t, mann_error *err)
{
    mann_status first = MANN_OK;
    mann_error later = { 0 };
    find f = { .below = UINT64_MAX };
    if (!t->config.checkpoint_dir)
        return mni_fail(err, MANN_E_ARG,
                        "training: resume needs a folder of checkpoints");
    for (;; f.below = f.newest) {
        f.newest = 0;
        MNI_TRY(t->vfs->ops->list(t->vfs, t->config.checkpoint_dir, look, &f, err));
        if (f.newest == 0) break;
        const mann_status s = resume_from(t, f.newest, &later);
        if (s == MANN_OK) return s;
        const int other = s == MANN_E_MISMATCH || s == MANN_E_FORMAT;
        if (err && (!first || !other)) *err = later;
        if (!other) return s;
        if (s == MANN_E_FORMAT)
            mni_train_note(t, MANN_NOTE_WARNING, "%s; passed over", later.text);
        if (!first) first = s;
    }
    if (first == MANN_OK)
        mni_train_note(t, MANN_NOTE_INFO,
                       "%s: no checkpoint there, starting from the beginning",
                       t->config.checkpoint_dir);
    return first;
}

/* --- beginning anew --------------------------------------------------------------- */

typedef struct found { mni_text *names; size_t n; } found;

static int gather(void *ctx, const char *name)
{
    found *f = ctx;
    if (!number_of(name) && strcmp(name, "best_model.mann") != 0) return 0;
    mni_text_f(f->names, "%s%s", f->n ? "\n" : "", name);
    f->n++;
    return 0;
}

/* Removes the named files, one a line; the text is cut up on the way. */
static mann_status forget(const mni_trainer *t, char *names, mann_error *err)
{
    mann_status s = MANN_OK;
    for (char *name = names, *next; s == MANN_OK && name; name = next) {
        mni_text path = { 0 };
        if ((next = strchr(name, '\n'))) *next++ = '\0';
        s = mni_checkpoint_path(t, name, &path, err);
        if (s == MANN_OK) s = t->vfs->ops->remove(t->vfs, mni_text_get(&path), err);
        mni_text_fini(&path);
    }
    return s;
}

mann_status mni_checkpoint_begin(mni_trainer *t, mann_error *err)
{
    mni_text names = { 0 };
    found f = { .names = &names };
    const char *dir = t->config.checkpoint_dir;
    if (!dir) return MANN_OK;
    mann_status s = t->vfs->ops->list(t->vfs, dir, gather, &f, err);
    if (s == MANN_OK && names.failed) s = mni_fail(err, MANN_E_NOMEM, "training: names");
    if (s == MANN_OK && f.n && t->config.resume == MANN_TRAIN_AFRESH) {
        s = forget(t, names.chars, err);
    } else if (s == MANN_OK && f.n) {
        s = mni_fail(err, MANN_E_EXISTS,
                     "%s: holds %llu file%s of an earlier training; go on with it "
                     "(--resume), throw it away (--afresh), or choose another folder "
                     "(--ckpt-dir)",
                     dir, (unsigned long long)f.n, f.n == 1 ? "" : "s");
    }
    mni_text_fini(&names);
    return s;
}
