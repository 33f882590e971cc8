/* enrol.c - a set of photos into the gallery: resumable, idempotent, in durable groups.
 *
 * A photo is present if a live record of the same class has the same content: so a run
 * that was interrupted goes on where it stopped, and running it twice changes nothing.
 * When the tail has grown large it is folded into the file; how large depends on row
 * counts alone, never on time. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "os/clock.h"
#include "recog/thumbs.h"

typedef struct enrolment {
    mni_gallery *g;
    const mni_photos *set;
    mni_pool *pool;
    const mann_hooks *hooks;
    mni_idmap present;                  /* content and class -> 1 */
    mann_add_report report;
} enrolment;

static uint64_t content_key(uint64_t content_hash, const char *klass, size_t n_chars)
{
    return mni_hash_bytes(klass, n_chars, content_hash);
}

static int list_row(enrolment *e, const mni_state *s, uint32_t row)
{
    mni_record r;
    uint32_t n = 0;
    if (!mni_state_alive(s, row)) return 1;
    mni_state_record(s, row, &r);
    const char *name = r.klass == MANN_NO_CLASS ? "" : mni_state_name(s, r.klass, &n);
    return mni_idmap_put(&e->present, content_key(r.content_hash, name, n), 1);
}

/* Rows of one class in the base; MANN_NO_CLASS: of none. They are a list in the file. */
static int list_class(enrolment *e, const mni_state *s, uint32_t klass)
{
    const mni_base *b = s->base;
    uint32_t from = b->class_at[b->meta.n_classes], to = b->rows.n;
    if (klass != MANN_NO_CLASS) {
        if (klass >= b->meta.n_classes) return 1;       /* a class of the tail */
        from = b->class_at[klass];
        to = b->class_at[klass + 1];
    }
    for (uint32_t i = from; i < to && i < b->rows.n; i++)
        if (b->class_rows[i] < b->rows.n && !list_row(e, s, b->class_rows[i])) return 0;
    return 1;
}

/* What the gallery holds already of the classes that are coming: a photo is present only
 * in its own class, so that adding one to a million looks at few. */
static mann_status list_present(enrolment *e, mann_error *err)
{
    mni_state *s = mni_gallery_state(e->g);
    mni_idmap listed = { 0 };
    int ok = 1;
    for (uint32_t t = 0; ok && t < s->n_tail; t++)
        ok = list_row(e, s, s->base->rows.n + t);
    for (uint64_t i = 0; ok && i < e->set->n; i++) {
        const char *name;
        uint32_t klass = MANN_NO_CLASS, one;
        int known = 1;
        e->set->path(e->set->ctx, i, &name);
        if (name) {
            mni_mutex_lock(&e->g->lock);
            known = mni_state_find_class(s, name, &klass);
            mni_mutex_unlock(&e->g->lock);
        }
        if (!known || mni_idmap_get(&listed, klass, &one)) continue;
        ok = mni_idmap_put(&listed, klass, 1) && list_class(e, s, klass);
    }
    mni_idmap_fini(&listed);
    mni_state_release(s);
    return ok ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "%s: list of contents", e->g->path);
}

static uint64_t key_of(const enrolment *e, uint64_t i, uint64_t content_hash)
{
    const char *klass;
    e->set->path(e->set->ctx, i, &klass);
    return content_key(content_hash, klass ? klass : "", klass ? strlen(klass) : 0);
}

static int is_present(void *ctx, uint64_t i, uint64_t content_hash)
{
    const enrolment *e = ctx;
    uint32_t one;
    if (!mni_idmap_get(&e->present, key_of(e, i, content_hash), &one)) return 0;
    return e->set->thumb_side && mni_gallery_lacks_thumb(e->g, content_hash)
               ? MNI_KNOWN_BARE : 1;
}

void mni_note_skipped(const mann_hooks *h, const char *path, const mni_photo *p)
{
    char sentence[512];
    if (!h || !h->note) return;
    snprintf(sentence, sizeof sentence, "skipped %s: %s", path, p->error.text);
    h->note(h->user, MANN_NOTE_WARNING, sentence);
}

mann_status mni_gallery_fold_if_due(mni_gallery *g, mni_pool *pool, const mann_hooks *h,
                                    mann_error *err)
{
    mni_state *s = mni_gallery_state(g);
    const int due = mni_state_fold_due(s);
    mni_state_release(s);
    if (!due) return MANN_OK;
    return mni_gallery_build(g, NULL, NULL, MNI_MEASURE_NO, pool, h, err);
}

/* One group becomes one change: one sync for up to 256 photos. */
static mann_status add_group(void *ctx, uint64_t first, size_t n, const mni_photo *photos,
                             mann_error *err)
{
    enrolment *e = ctx;
    double start = mni_clock_seconds();
    mni_new_row *rows = mni_alloc(n, sizeof *rows);
    size_t n_rows = 0;
    mann_status s =
        rows ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "%s: %zu rows", e->g->path, n);
    for (size_t i = 0; s == MANN_OK && i < n; i++) {
        const mni_photo *p = &photos[i];
        uint64_t key = key_of(e, first + i, p->content_hash);
        const char *klass;
        uint32_t one;
        if (p->result == MNI_PHOTO_BAD) {
            mni_note_skipped(e->hooks, e->set->path(e->set->ctx, first + i, &klass), p);
            e->report.n_skipped++;
        } else if (p->result == MNI_PHOTO_KNOWN ||
                   mni_idmap_get(&e->present, key, &one)) {
            e->report.n_present++;         /* the second case: twice in this very group */
        } else {
            mni_new_row *r = &rows[n_rows++];
            *r = (mni_new_row){ .vector = p->vector, .content_hash = p->content_hash,
                                .time = p->mtime, .thumb = p->thumb.bytes,
                                .n_thumb = p->thumb.n_bytes };
            r->source = e->set->path(e->set->ctx, first + i, &r->klass);
            if (!mni_idmap_put(&e->present, key, 1))
                s = mni_fail(err, MANN_E_NOMEM, "%s: list of contents", e->g->path);
        }
    }
    if (s == MANN_OK && n_rows) s = mni_gallery_add(e->g, rows, n_rows, NULL, err);
    if (s == MANN_OK) s = mni_gallery_fill_thumbs(e->g, photos, n, err);
    mni_free(rows);
    if (s == MANN_OK) {
        e->report.n_added += n_rows;
        s = mni_gallery_fold_if_due(e->g, e->pool, e->hooks, err);
    }
    e->report.write_seconds += mni_clock_seconds() - start;
    return s;
}

mann_status mni_gallery_enrol(mni_gallery *g, const mni_photos *photos, mni_pool *pool,
                              const mann_hooks *h, mann_add_report *report,
                              mann_error *err)
{
    mni_photos set = *photos;
    enrolment e = { .g = g, .set = &set, .pool = pool, .hooks = h };
    mni_phase_seconds seconds = { 0, 0 };
    const mni_model *m;
    if (!g->writable)
        return mni_fail(err, MANN_E_READ_ONLY, "%s: was opened for reading only",
                        g->path);
    MNI_TRY(mni_gallery_model(g, &m, err));
    set.thumb_side = g->thumb_side;
    mann_status s = list_present(&e, err);
    if (s == MANN_OK && photos->root) s = mni_gallery_add_root(g, photos->root, err);
    if (s == MANN_OK)
        s = mni_embed_photos(m, &g->recipe, mni_gallery_views(g), &set, "embed",
                             is_present, add_group, &e,
                             pool, h, &seconds, err);
    e.report.decode_seconds = seconds.decode;
    e.report.embed_seconds = seconds.embed;
    e.report.struct_size = sizeof e.report;
    if (report) *report = e.report;       /* also after a stop: what was added is there */
    mni_idmap_fini(&e.present);
    return s;
}
