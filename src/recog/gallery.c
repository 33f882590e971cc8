/* gallery.c - a gallery from open to free: base, journal, lock, published state. See
 * state.h for what readers see and change.c for how it changes.
 * SPDX-License-Identifier: MIT */
#include "recog/gallery.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "recog/embed.h"
#include "recog/views.h"

/* --- state -------------------------------------------------------------------------- */

mni_state *mni_gallery_state(mni_gallery *g)
{
    mni_mutex_lock(&g->lock);
    mni_state *s = g->state;
    atomic_fetch_add(&s->refs, 1);
    mni_mutex_unlock(&g->lock);
    return s;
}

mann_status mni_gallery_take_scratch(mni_gallery *g, mni_scratch **out, mann_error *err)
{
    mni_mutex_lock(&g->lock);
    *out = g->n_idle ? g->idle[--g->n_idle] : NULL;
    mni_mutex_unlock(&g->lock);
    return *out ? MANN_OK : mni_scratch_new(out, err);
}

void mni_gallery_give_scratch(mni_gallery *g, mni_scratch *s)
{
    if (!s) return;
    mni_mutex_lock(&g->lock);
    if (g->n_idle < MNI_GALLERY_IDLE) {
        g->idle[g->n_idle++] = s;
        s = NULL;
    }
    mni_mutex_unlock(&g->lock);
    mni_scratch_free(s);
}

mni_calib mni_gallery_model_calib(mni_gallery *g, mann_metric metric)
{
    mni_mutex_lock(&g->lock);
    mni_calib c = g->model_calib;
    mni_mutex_unlock(&g->lock);
    if (c.metric != (uint32_t)metric) c = (mni_calib){ 0 };
    return c;
}

void mni_gallery_thresholds(mni_gallery *g, const mni_state *s, float false_accept,
                            float *known, float *unsure)
{
    const mni_meta *m = &s->base->meta;
    const mni_calib model = mni_gallery_model_calib(g, (mann_metric)m->metric);
    if (false_accept <= 0) false_accept = m->false_accept;
    float lax = 5 * false_accept < 0.5f ? 5 * false_accept : 0.5f;
    if (lax < false_accept) lax = false_accept;
    *known = mni_calib_decide(&s->base->calib, &model, s->n_live_classes, s->n_live,
                              false_accept);
    *unsure = mni_calib_decide(&s->base->calib, &model, s->n_live_classes, s->n_live,
                               lax);
}

uint32_t mni_gallery_views(mni_gallery *g)
{
    mni_state *s = mni_gallery_state(g);
    const uint32_t views = s->base->meta.views;
    mni_state_release(s);
    return views;
}

uint64_t mni_gallery_fingerprint(mni_gallery *g)
{
    mni_state *s = mni_gallery_state(g);
    uint64_t print = s->base->meta.fingerprint;
    mni_state_release(s);
    return print;
}

uint32_t mni_gallery_dim(mni_gallery *g)
{
    mni_state *s = mni_gallery_state(g);
    uint32_t dim = s->base->meta.dim;
    mni_state_release(s);
    return dim;
}

/* --- the object --------------------------------------------------------------------- */

static char *with_ending(const char *path, const char *ending)
{
    mni_text t = { 0 };
    mni_text_add(&t, path);
    mni_text_add(&t, ending);
    char *copy = t.failed ? NULL : mni_strdup(mni_text_get(&t));
    mni_text_fini(&t);
    return copy;
}

static mann_status new_object(mni_gallery **out, const mni_vfs *v, const char *path,
                              mann_error *err)
{
    mni_gallery *g = *out = mni_alloc(1, sizeof *g);
    if (!g) return mni_fail(err, MANN_E_NOMEM, "%s: gallery", path);
    g->vfs = v;
    g->path = mni_strdup(path);
    g->journal_path = with_ending(path, "-journal");
    g->lock_path = with_ending(path, "-lock");
    MNI_TRY(mni_sources_new(&g->sources, v, err));
    int ok = g->path && g->journal_path && g->lock_path;
    if (ok && mni_mutex_init(&g->lock)) g->n_sync_objects = 1;
    if (ok && g->n_sync_objects == 1 && mni_mutex_init(&g->writing))
        g->n_sync_objects = 2;
    return g->n_sync_objects == 2 ? MANN_OK
                                  : mni_fail(err, MANN_E_NOMEM, "%s: gallery", path);
}

void mni_gallery_free(mni_gallery *g)
{
    if (!g) return;
    mni_journal_close(g->journal, NULL);
    mni_stat st;                /* an empty journal says nothing: it need not lie about */
    if (g->has_lock && g->vfs->ops->stat(g->vfs, g->journal_path, &st, NULL) == MANN_OK &&
        st.n_bytes == 0)
        g->vfs->ops->remove(g->vfs, g->journal_path, NULL);
    for (uint32_t i = 0; i < g->n_idle; i++) mni_scratch_free(g->idle[i]);
    mni_state_release(g->state);
    mni_model_free(g->model);
    for (uint32_t i = 0; i < g->n_roots; i++) mni_free(g->roots[i]);
    mni_lockfile_drop(&g->held);
    if (g->n_sync_objects >= 2) mni_mutex_fini(&g->writing);
    if (g->n_sync_objects >= 1) mni_mutex_fini(&g->lock);
    mni_sources_free(g->sources);
    mni_free(g->live);
    mni_free(g->path);
    mni_free(g->journal_path);
    mni_free(g->lock_path);
    mni_free(g);
}

/* --- the model ---------------------------------------------------------------------- */

/* What the gallery needs from a model; taken. The first one stays until the gallery goes:
 * others are using it, without a lock. */
static mann_status adopt_model(mni_gallery *g, mni_model *m, mann_error *err)
{
    size_t n;
    const uint32_t makes = mni_views_dim(mni_gallery_views(g), mni_model_shape_of(m).dim),
                   wanted = mni_gallery_dim(g);
    if (makes != wanted)
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: vectors of %u dimensions, but its model makes %u", g->path,
                        (unsigned)wanted, (unsigned)makes);
    mni_recipe recipe;
    mni_calib calib = { 0 };
    MNI_TRY(mni_model_recipe(m, &recipe, err));
    const void *tails = mni_model_attached(m, MNI_CALIB_TAG, &n);
    if (tails) MNI_TRY(mni_calib_decode(&calib, tails, n, err));
    mni_mutex_lock(&g->lock);
    const int first = g->model == NULL;
    if (first) {
        g->model = m;
        g->recipe = recipe;
        g->model_calib = calib;
    }
    mni_mutex_unlock(&g->lock);
    if (!first) mni_model_free(m);
    return MANN_OK;
}

static mann_status load_model(mni_gallery *g, const mni_base *b, mann_error *err)
{
    mni_reader *r;
    mni_model *m;
    if (b->model.n_bytes == 0) return MANN_OK;
    MNI_TRY(mni_reader_open_bytes(&r, b->model.data, (size_t)b->model.n_bytes,
    "model inside the gallery",
                                  0, err));
    mann_status s = mni_model_read(&m, r, err);
    mni_reader_free(r);
    if (s == MANN_OK && mni_model_fingerprint(m) != b->meta.fingerprint)
        s = mni_fail(err, MANN_E_FORMAT,
                     "the model inside has fingerprint %016llx, the vectors were made "
                     "with %016llx",
                     (unsigned long long)mni_model_fingerprint(m),
                     (unsigned long long)b->meta.fingerprint);
    if (s == MANN_OK) s = adopt_model(g, m, err);
    if (s != MANN_OK) mni_model_free(m);
    return s;
}

/* A private copy: models are saved to memory and read back, so that no architecture needs
 * a copier. */
static mann_status copy_model(mni_model **out, const mni_model *m, mann_error *err)
{
    mni_buf buf = { 0 };
    mni_writer *w;
    mni_reader *r = NULL;
    *out = NULL;
    mann_status s = mni_writer_new_buf(
        &w, &buf, MNI_FILE_MODEL, mni_uuid_from(0, mni_model_fingerprint(m)), 0, err);
    if (s == MANN_OK) {
        mni_model_write(m, w);
        s = mni_writer_finish(w, err);
    }
    if (s == MANN_OK)
        s = mni_reader_open_bytes(&r, buf.bytes, buf.n_bytes, "model", 0, err);
    if (s == MANN_OK) s = mni_model_read(out, r, err);
    mni_reader_free(r);
    mni_buf_fini(&buf);
    return s;
}

mann_status mni_gallery_use_model(mni_gallery *g, const mni_model *m, mann_error *err)
{
    uint64_t mine = mni_gallery_fingerprint(g), theirs = mni_model_fingerprint(m);
    mni_model *copy;
    if (mine != theirs)
        return mni_fail(err, MANN_E_MISMATCH,
                        "%s: its vectors were made with model %016llx, not with %016llx "
                        "(at %s)",
                        g->path, (unsigned long long)mine, (unsigned long long)theirs,
                        mni_precision_name(mni_model_precision(m)));
    mni_mutex_lock(&g->lock);
    const int has_one = g->model != NULL;
    mni_mutex_unlock(&g->lock);
    if (has_one) return MANN_OK;
    MNI_TRY(copy_model(&copy, m, err));
    mann_status s = adopt_model(g, copy, err);
    if (s != MANN_OK) mni_model_free(copy);
    return s;
}

mann_status mni_gallery_save_model(mni_gallery *g, const char *path, mann_error *err)
{
    mni_state *s = mni_gallery_state(g);
    const mni_section *m = &s->base->model;
    const mann_status status =
        m->n_bytes ? mni_replace_file(g->vfs, path, m->data, (size_t)m->n_bytes, err)
                   : mni_fail(err, MANN_E_NOT_FOUND, "%s: carries no model", g->path);
    mni_state_release(s);
    return status;
}

/* --- open --------------------------------------------------------------------------- */

mann_status mni_gallery_own(mni_owned *o, const mni_vfs *v, const char *path,
                            mann_error *err)
{
    *o = (mni_owned){ .vfs = v, .journal_path = with_ending(path, "-journal"),
                      .lock_path = with_ending(path, "-lock") };
    mann_status s = o->journal_path && o->lock_path
                        ? mni_lockfile_take(&o->held, v, path, o->lock_path, err)
                        : mni_fail(err, MANN_E_NOMEM, "%s: gallery", path);
    if (s != MANN_OK) mni_gallery_disown(o);
    return s;
}

mann_status mni_gallery_forget_journal(const mni_owned *o, mann_error *err)
{
    mann_status s = o->vfs->ops->remove(o->vfs, o->journal_path, err);
    if (s == MANN_E_NOT_FOUND) return MANN_OK;
    return s == MANN_OK ? mni_sync_dir_of(o->vfs, o->journal_path, err) : s;
}

void mni_gallery_disown(mni_owned *o)
{
    mni_lockfile_drop(&o->held);
    mni_free(o->journal_path);
    mni_free(o->lock_path);
    *o = (mni_owned){ .vfs = NULL };
}

static mann_status load_roots(mni_gallery *g, const mni_base *b, mann_error *err)
{
    const char *at = b->roots.data;
    size_t left = (size_t)b->roots.n_bytes;
    while (left && g->n_roots < MNI_MAX_ROOTS) {
        const char *end = memchr(at, '\0', left);
        if (!end)
            return mni_fail(err, MANN_E_FORMAT, "%s: the list of folders has no end",
                            g->path);
        char *copy = mni_strdup(at);
        if (!copy) return mni_fail(err, MANN_E_NOMEM, "%s: gallery", g->path);
        g->roots[g->n_roots++] = copy;
        left -= (size_t)(end + 1 - at);
        at = end + 1;
    }
    return MANN_OK;
}

/* A fresh state on `b` (taken in any case) and an empty tail. */
static mann_status first_state(mni_state **out, mni_base *b, mann_error *err)
{
    mni_tail *t;
    *out = NULL;
    mann_status s = mni_tail_new(&t, b->meta.dim, err);
    if (s == MANN_OK && !(*out = mni_state_new(b, t, NULL)))
        s = mni_fail(err, MANN_E_NOMEM, "gallery: state");
    if (s != MANN_OK) {
        mni_tail_release(t);
        mni_base_release(b);
    }
    return s;
}

/* The journal is tied to the very content of its base: uuid and generation alone would
 * let a journal fit a gallery that was built twice from different photos. */
static mni_uuid journal_uuid(const mni_base *b)
{
    return mni_uuid_from(b->meta.stamp,
                         mni_hash_bytes(mni_reader_uuid(b->reader).bytes, 12, 0));
}

static mann_status read_journal(mni_gallery *g, mann_error *err)
{
    const mni_base *b = g->state->base;
    uint64_t generation = mni_reader_generation(b->reader);
    mni_uuid uuid = journal_uuid(b);
    mann_status s =
        g->writable
            ? mni_journal_open(&g->journal, g->vfs, g->journal_path, uuid, generation,
                               mni_gallery_replay, g, &g->replayed, err)
            : mni_journal_replay(g->vfs, g->journal_path, uuid, generation,
                                 mni_gallery_replay, g, &g->replayed, err);
    if (s == MANN_OK) g->journal_bytes = g->replayed.n_bytes;
    if (g->journal) mni_journal_be_lazy(g->journal, g->lazy);
    return s;
}

mann_status mni_gallery_reset_journal(mni_gallery *g, mann_error *err)
{
    const mni_base *b = g->state->base;
    return mni_journal_reset(g->journal, journal_uuid(b),
                             mni_reader_generation(b->reader), err);
}

static mann_status open_once(mni_gallery **out, const mni_vfs *v, const char *path,
                             unsigned flags, mann_error *err)
{
    mni_gallery *g;
    mni_base *b;
    *out = NULL;
    mann_status s = new_object(&g, v, path, err);
    if (s != MANN_OK) goto fail;
    g->writable = (flags & MANN_OPEN_WRITE) != 0;
    g->lazy = (flags & MANN_OPEN_NOSYNC) != 0;
    if (g->writable) {
        mni_stat st;               /* a lock file beside a typing error would be litter */
        s = v->ops->stat(v, path, &st, err);
        if (s == MANN_OK) s = mni_lockfile_take(&g->held, v, path, g->lock_path, err);
        g->has_lock = s == MANN_OK;
        if (s != MANN_OK) goto fail;
    }
    mni_mended mended = { 0 };
    s = flags & MNI_OPEN_MEND
            ? mni_base_mend(&b, &mended, v, path, err)
            : mni_base_open(&b, v, path, flags & MANN_OPEN_VERIFY ? MNI_READ_VERIFY : 0,
                            err);
    if (s != MANN_OK) goto fail;
    s = first_state(&g->state, b, err);
    if (s == MANN_OK && mended.dead) {
        g->state->dead = mended.dead;
        g->state->n_live -= mended.dead->n_dead;
    }
    if (s != MANN_OK) { mni_dead_release(mended.dead); goto fail; }
    g->mended = mended;
    g->next_id = b->meta.next_id;
    s = load_roots(g, b, err);
    if (s == MANN_OK) s = load_model(g, b, err);
    if (s == MANN_OK) s = read_journal(g, err);
    if (s != MANN_OK) goto fail;
    *out = g;
    return MANN_OK;
fail:
    mni_gallery_free(g);
    return s;
}

/* A reader may open the base just before a writer of another process replaces it, and
 * read the journal just after, when it is that of the new base or is cut to nothing:
 *
 *   writer           rename the new base into place -- cut the journal -- append
 *   reader    map the base ............................ read the journal ... look again
 *
 * The journal is cut after the rename. So if the base still stands there when the journal
 * has been read, the two belong together, and what was acknowledged before is in them. */
static int must_read_again(const mni_gallery *g, int attempt)
{
    const mni_reader *base = g->state->base->reader;
    if (!mni_reader_is_at(base, g->vfs, g->path)) return 1;
    return attempt < 8 && g->replayed.foreign &&
           g->replayed.foreign_generation > mni_reader_generation(base);
}

enum { MOST_ATTEMPTS = 1000 };

mann_status mni_gallery_open(mni_gallery **out, const mni_vfs *v, const char *path,
                             unsigned flags, mann_error *err)
{
    for (int attempt = 0;; attempt++) {
        MNI_TRY(open_once(out, v, path, flags, err));
        if (flags & (MANN_OPEN_WRITE | MNI_OPEN_MEND) || !must_read_again(*out, attempt))
            return MANN_OK;
        mni_gallery_free(*out);
        *out = NULL;
        if (attempt == MOST_ATTEMPTS)
            return mni_fail(err, MANN_E_LOCKED,
                            "%s: is replaced faster than it can be read", path);
    }
}

mann_status mni_gallery_flush(mni_gallery *g, mann_error *err)
{
    if (!g->writable) return MANN_OK;
    mni_mutex_lock(&g->writing);
    const mann_status s = mni_journal_flush(g->journal, err);
    mni_mutex_unlock(&g->writing);
    return s;
}

/* Everything is read again into a second object, whose state then takes the place of the
 * first's. */
mann_status mni_gallery_refresh(mni_gallery *g, mann_error *err)
{
    mni_gallery *fresh;
    if (g->writable) return MANN_OK;            /* nobody else can have written */
    MNI_TRY(mni_gallery_open(&fresh, g->vfs, g->path, MANN_OPEN_READ, err));
    mann_status s = MANN_OK;
    if (mni_gallery_dim(fresh) != mni_gallery_dim(g) ||
        mni_gallery_fingerprint(fresh) != mni_gallery_fingerprint(g))
        s = mni_fail(err, MANN_E_MISMATCH,
                     "%s: was replaced by a gallery of another model", g->path);
    if (s == MANN_OK) {
        mni_mutex_lock(&g->writing);    /* copy and build read roots and next_id */
        g->next_id = fresh->next_id;
        mni_mutex_lock(&g->lock);
        mni_state *old = g->state;
        g->state = fresh->state;
        fresh->state = old;
        g->journal_bytes = fresh->journal_bytes;
        g->replayed = fresh->replayed;
        for (uint32_t i = 0; i < MNI_MAX_ROOTS; i++) {
            char *root = g->roots[i];
            g->roots[i] = fresh->roots[i];
            fresh->roots[i] = root;
        }
        uint32_t n_roots = g->n_roots;
        g->n_roots = fresh->n_roots;
        fresh->n_roots = n_roots;
        mni_mutex_unlock(&g->lock);
        mni_mutex_unlock(&g->writing);
    }
    mni_gallery_free(fresh);
    return s;
}
