/* compact.c - writing a new base: live rows of base and tail, in row order, become one
 * checked file.
 *
 * The new file stands beside the old one until it is whole, then takes its name
 * (store/container.h). Searches that run meanwhile keep the state they began with. If the
 * plug is pulled between the new base and the new journal, the old journal no longer fits
 * the base and is ignored: the base has it all. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"
#include "index/kinds.h"
#include "os/clock.h"
#include "os/huge.h"
#include "recog/change.h"
#include "recog/base_plan.h"

static void plan_fini(mni_base_plan *p)
{
    mni_free(p->rows);
    mni_free(p->codes);
    mni_free(p->tail_codes);
    mni_free(p->scales);
    mni_free(p->klass);
    mni_free(p->from);
    mni_ann_free(p->ann);
}

static mann_status no_memory(mann_error *err)
{
    return mni_fail(err, MANN_E_NOMEM, "gallery: not enough memory to write it anew");
}

/* Does the row go into the new base? -1: out of memory. */
static int wanted(const mni_base_plan *p, uint32_t row, mni_told *told)
{
    mann_record r;
    if (!mni_state_alive(p->state, row)) return 0;
    if (!p->keep) return 1;
    if (!mni_told_record(told, p->state, row, &r)) return -1;
    return p->keep(p->keep_user, &r) != 0;
}

/* Rows, their codes, their classes. */
static mann_status gather(mni_base_plan *p, mann_error *err)
{
    const mni_state *s = p->state;
    uint32_t total = mni_state_rows(s), dim = p->meta.dim;
    mni_dtype dtype = mni_store_dtype(p->meta.store);
    size_t row_bytes = dim * mni_dtype_bytes(dtype);
    p->rows = mni_alloc(s->n_live + 1, sizeof *p->rows);
    p->klass = mni_alloc(s->n_live + 1, sizeof *p->klass);
    p->tail_codes = mni_alloc_aligned((size_t)s->n_tail + 1, row_bytes, 0);
    p->scales = dtype == MNI_I8 ? mni_alloc(s->n_live + 1, sizeof *p->scales) : NULL;
    mni_told told;
    const int can_tell = mni_told_init(&told, dim);
    uint8_t *room = mni_alloc(2, row_bytes);
    if (!p->rows || !p->klass || !p->tail_codes || !can_tell || !room ||
        (dtype == MNI_I8 && !p->scales)) {
        mni_told_fini(&told);
        mni_free(room);
        return no_memory(err);
    }
    int keep = 0;
    mni_reader_in_turn(s->base->reader);
    for (uint32_t row = 0; row < total && p->n < s->n_live; row++) {
        keep = wanted(p, row, &told);
        if (keep < 0) break;
        if (!keep) continue;
        if (row < s->base->rows.n) {
            if (p->scales) p->scales[p->n] = s->base->rows.scale[row];
            p->n_old++;
        } else {
            uint8_t *code = p->tail_codes + (size_t)(p->n - p->n_old) * row_bytes;
            mni_state_vector(s, row, told.vector);
            mni_rows_settle((mann_metric)p->meta.metric, dtype, told.vector, dim, code,
                            p->scales ? &p->scales[p->n] : NULL, room);
        }
        p->klass[p->n] = mni_state_class(s, row);
        p->rows[p->n++] = row;
    }
    mni_told_fini(&told);
    mni_free(room);
    if (keep < 0) return no_memory(err);
    p->meta.n_rows = p->n;
    p->view = (mni_rows){ .scale = p->scales,
                          .n = p->n,
                          .dim = dim,
                          .dtype = dtype,
                          .metric = (mann_metric)p->meta.metric };
    return MANN_OK;
}

/* All vectors in a row, for whoever computes with them. A Flat gallery that is folded
 * does without: its vectors go from the old file into the new one. */
static mann_status lay_out(mni_base_plan *p, mann_error *err)
{
    const size_t row_bytes = p->view.dim * mni_dtype_bytes(p->view.dtype);
    if (p->codes) return MANN_OK;
    uint8_t *codes = mni_alloc_aligned(p->n, row_bytes, 0);
    if (!codes) return no_memory(err);
    mni_huge_advise(codes, p->n * row_bytes);
    for (uint32_t i = 0; i < p->n; i++)
        memcpy(codes + i * row_bytes, mni_base_code(p, i, row_bytes), row_bytes);
    p->view.data = p->codes = codes;
    return MANN_OK;
}

enum { CALIBRATE_QUERIES = 2048 };

static mann_status calibrate(mni_base_plan *p, mni_pool *pool, mann_error *err)
{
    MNI_TRY(lay_out(p, err));
    float *rows = mni_alloc_aligned(p->n, p->meta.dim * sizeof *rows, 0);
    uint32_t *labels = mni_alloc(p->n + 1, sizeof *labels), n = 0;
    mann_status s = rows && labels ? MANN_OK : no_memory(err);
    for (uint32_t i = 0; s == MANN_OK && i < p->n; i++) {
        if (p->klass[i] == MANN_NO_CLASS) continue;
        mni_rows_get(&p->view, i, rows + (size_t)n * p->meta.dim);
        labels[n++] = p->klass[i];
    }
    if (s == MANN_OK)
        s = mni_calib_measure(&p->calib, rows, labels, n, p->meta.dim, p->meta.n_classes,
                              (mann_metric)p->meta.metric, 0, CALIBRATE_QUERIES,
                              p->meta.seed, pool, err);
    if (s == MANN_OK) p->meta.n_calibrated_rows = p->calib.n_sizes ? n : 0;
    mni_free(rows);
    mni_free(labels);
    return s;
}

/* --- the new base takes over -------------------------------------------------------- */

/* Whoever lets go of a base last unmaps it: a tenth of a second for some hundred MiB. A
 * search shall not be that one, so the old state waits here until the searches that have
 * it are over; one that takes longer than all others may bear it. */
static void retire(mni_state *old)
{
    const double PATIENCE = 0.5, NAP = 2e-4;
    const double end = mni_clock_seconds() + PATIENCE;
    while ((atomic_load(&old->refs) > 1 || atomic_load(&old->base->refs) > 1) &&
           mni_clock_seconds() < end)
        mni_clock_sleep(NAP);
    mni_state_release(old);
}

static mann_status publish_base(mni_gallery *g, mann_error *err)
{
    mni_base *b;
    mni_tail *t;
    MNI_TRY(mni_base_open(&b, g->vfs, g->path, 0, err));
    mann_status s = mni_tail_new(&t, b->meta.dim, err);
    mni_state *fresh = s == MANN_OK ? mni_state_new(b, t, NULL) : NULL;
    if (!fresh) {
        mni_tail_release(t);
        mni_base_release(b);
        return no_memory(err);
    }
    mni_mutex_lock(&g->lock);
    mni_state *old = g->state;
    g->state = fresh;
    mni_mutex_unlock(&g->lock);
    g->behind = 0;
    retire(old);
    mni_free(g->live);
    g->live = NULL;
    g->live_cap = 0;
    s = mni_gallery_reset_journal(g, err);
    mni_mutex_lock(&g->lock);
    g->journal_bytes = mni_journal_bytes(g->journal);
    mni_mutex_unlock(&g->lock);
    return s;
}

/* The folder first: were it not on the medium, a power cut could bring the old base back,
 * whose journal is about to be cut. */
mann_status mni_gallery_follow(mni_gallery *g, mann_error *err)
{
    mni_base *there;
    if (!g->behind) return MANN_OK;
    MNI_TRY(mni_sync_dir_of(g->vfs, g->path, err));
    MNI_TRY(mni_base_open(&there, g->vfs, g->path, 0, err));
    const mni_base *mine = g->state->base;
    uint64_t generation = mni_reader_generation(there->reader);
    int same = there->meta.stamp == mine->meta.stamp &&
               generation == mni_reader_generation(mine->reader);
    mni_base_release(there);
    if (!same) return publish_base(g, err);
    g->behind = 0;
    return MANN_OK;
}

static void tell(const mann_hooks *h, mann_note_level level, const char *sentence)
{
    if (h && h->note) h->note(h->user, level, sentence);
}

/* Lists that were learned from half or twice the rows do not fit; graphs grow. */
static int may_fold(const mni_base_plan *p)
{
    const mni_base *old = p->state->base;
    const char *knob = mni_ann_knob_name(old->ann);
    if (old->rows.n == 0) return 0;
    return !knob || strcmp(knob, "nprobe") != 0 ||
           (p->n < 2 * (uint64_t)old->rows.n && old->rows.n <= 2 * (uint64_t)p->n);
}

/* spec NULL: the old structure goes on with the rows that are there now; its old rows
 * are among the new ones in the same order. Named: built from the beginning. */
static mann_status make_structure(mni_gallery *g, mni_base_plan *p, const char *spec,
                                  mni_pool *pool, const mann_hooks *h, mann_error *err)
{
    const mni_state *s = p->state;
    if (spec || !may_fold(p) || strcmp(mni_ann_spec(s->base->ann), "Flat") != 0)
        MNI_TRY(lay_out(p, err));
    const mni_ann_job job = { .rows = &p->view, .seed = p->meta.seed,
                              .mem_bytes = g->mem_bytes, .pool = pool, .hooks = h };
    if (spec) return mni_ann_build(&p->ann, spec, &job, err);
    if (may_fold(p)) {
        p->from = mni_alloc((size_t)p->n + 1, sizeof *p->from);
        if (!p->from) return no_memory(err);
        for (uint32_t i = 0; i < p->n; i++)
            p->from[i] = p->rows[i] < s->base->rows.n ? p->rows[i] : MNI_NEW_ROW;
        MNI_TRY(mni_ann_fold(&p->ann, s->base->ann, &job, p->from, err));
    } else {
        MNI_TRY(mni_ann_build(&p->ann, mni_ann_spec(s->base->ann), &job, err));
    }
    if (s->knob != mni_ann_knob(s->base->ann)) mni_ann_set_knob(p->ann, s->knob);
    return MANN_OK;
}

static mann_status make_plan(mni_gallery *g, mni_base_plan *p, const char *spec,
                             mni_measure measure, mni_pool *pool, const mann_hooks *h,
                             mann_error *err)
{
    const mni_base *old = p->state->base;
    p->meta = old->meta;
    p->meta.n_classes = p->state->n_classes;
    p->meta.n_rows = p->state->n_live;
    p->meta.next_id = g->next_id;
    p->calib = old->calib;
    MNI_TRY(gather(p, err));
    const uint32_t n_classes = p->state->n_live_classes;
    int due = n_classes > 0 &&
              (measure == MNI_MEASURE_YES ||
               (measure == MNI_MEASURE_DUE &&
                (!old->calib.n_sizes ||
                 p->n >= 2 * (uint64_t)old->meta.n_calibrated_rows ||
                 (old->calib.n_classes < MNI_CALIB_OWN && n_classes >= MNI_CALIB_OWN))));
    const mni_calib model = mni_gallery_model_calib(g, (mann_metric)old->meta.metric);
    if (due && n_classes >= MNI_CALIB_FEWEST)
        MNI_TRY(calibrate(p, pool, err));
    else if (due && !p->calib.n_sizes && !model.n_sizes)
        tell(
            h, MANN_NOTE_INFO,
            "too few classes to learn how near strangers come: every answer will be "
             "\"unsure\"");
    return make_structure(g, p, spec, pool, h, err);
}

/* Another name of the gallery's own file, or the same. */
static int is_own(const mni_gallery *g, const char *path)
{
    mni_stat a, b;
    const mni_vfs *v = g->vfs;
    if (path == NULL || strcmp(path, g->path) == 0) return 1;
    return v->ops->stat(v, path, &a, NULL) == MANN_OK &&
           v->ops->stat(v, g->path, &b, NULL) == MANN_OK && a.inode &&
           a.inode == b.inode && a.device == b.device;
}

/* To another name: what had it before goes, its journal last. */
static mann_status write_copy(mni_gallery *g, mni_base_plan *p, const char *path,
                              mann_error *err)
{
    mni_owned target;
    MNI_TRY(mni_gallery_own(&target, g->vfs, path, err));
    mann_status s = mni_base_write(g, p, path, err);
    if (s == MANN_OK) s = mni_gallery_forget_journal(&target, err);
    mni_gallery_disown(&target);
    return s;
}

/* Under `writing`. */
static mann_status write_anew(mni_gallery *g, mni_base_plan *p, const char *path,
                              const char *spec, mni_measure measure, mni_pool *pool,
                              const mann_hooks *h, mann_error *err)
{
    const int in_place = is_own(g, path);
    mann_status s = mni_gallery_follow(g, err);
    mni_state *state = mni_gallery_state(g);
    p->state = state;
    if (s == MANN_OK) s = make_plan(g, p, spec, measure, pool, h, err);
    if (s == MANN_OK) {
        g->behind = in_place;
        s = in_place ? mni_base_write(g, p, g->path, err) : write_copy(g, p, path, err);
    }
    plan_fini(p);
    mni_state_release(state);
    return s == MANN_OK && in_place ? publish_base(g, err) : s;
}

mann_status mni_gallery_build(mni_gallery *g, const char *path, const char *spec,
                              mni_measure measure, mni_pool *pool, const mann_hooks *h,
                              mann_error *err)
{
    mni_base_plan p = { .keep = NULL };
    if (is_own(g, path)) MNI_TRY(mni_gallery_must_write(g, err));
    mni_mutex_lock(&g->writing);
    const mann_status s = write_anew(g, &p, path, spec, measure, pool, h, err);
    mni_mutex_unlock(&g->writing);
    return s;
}

mann_status mni_gallery_copy(mni_gallery *g, const char *path, mni_keep_row_fn keep,
                             void *user, mni_pool *pool, const mann_hooks *h,
                             mann_error *err)
{
    mni_base_plan p = { .keep = keep, .keep_user = user };
    if (is_own(g, path))
        return mni_fail(err, MANN_E_EXISTS, "%s: is the gallery itself", path);
    mni_mutex_lock(&g->writing);
    const mann_status s =
        write_anew(g, &p, path, NULL, MNI_MEASURE_NO, pool, h, err);
    mni_mutex_unlock(&g->writing);
    return s;
}

/* --- create ------------------------------------------------------------------------- */

mann_status mni_gallery_create(mni_gallery **out, const mni_vfs *v, const char *path,
                               const mann_gallery_config *c, mann_error *err)
{
    mni_stat st;
    *out = NULL;
    if (v->ops->stat(v, path, &st, NULL) == MANN_OK)
        return mni_fail(err, MANN_E_EXISTS, "%s: exists already", path);
    mni_meta m = {
        .metric = c->metric,
        .dim = c->dim,
        .store = c->store,
        .false_accept = c->false_accept,
        .views = c->views,
        .seed = c->seed,
        .fingerprint = c->model ? mni_model_fingerprint(c->model) : 0,
        .embedded_model = c->model && c->embed_model,
        .stamp = 1,
    };
    uint64_t kind =
        mni_mix64(m.fingerprint ^ ((uint64_t)m.dim << 8 | m.metric << 4 | m.store));
    mni_owned target;
    m.uuid = mni_uuid_from(c->seed, kind);
    MNI_TRY(mni_gallery_own(&target, v, path, err));
    mann_status s = mni_gallery_forget_journal(&target, err);
    if (s == MANN_OK) s = mni_base_write_empty(v, path, &m, c, err);
    mni_gallery_disown(&target);
    const unsigned flags = MANN_OPEN_WRITE | (c->no_sync ? MANN_OPEN_NOSYNC : 0);
    if (s == MANN_OK) s = mni_gallery_open(out, v, path, flags, err);
    if (s == MANN_OK && c->model) s = mni_gallery_use_model(*out, c->model, err);
    if (s != MANN_OK) { mni_gallery_free(*out); *out = NULL; }
    return s;
}
