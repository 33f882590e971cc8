/* ask.c - what a gallery answers about itself: names, paths, keys, whole records, counts.
 * Every answer is of one published state. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "recog/thumbs.h"

static mann_status copy_out(const char *chars, size_t n, char *out, size_t size,
                            mann_error *err)
{
    if (n + 1 > size)
        return mni_fail(err, MANN_E_LIMIT,
                        "gallery: a text of %zu bytes does not fit into %zu", n + 1,
                        size);
    memcpy(out, chars, n);
    out[n] = '\0';
    return MANN_OK;
}

mann_status mni_gallery_class_name(mni_gallery *g, uint32_t klass, char *out, size_t size,
                                   mann_error *err)
{
    mni_state *s = mni_gallery_state(g);
    mann_status status;
    if (klass >= s->n_classes) {
        status = mni_fail(err, MANN_E_NOT_FOUND, "%s: no class %u; it has %u", g->path,
                          (unsigned)klass, (unsigned)s->n_classes);
    } else {
        uint32_t n;
        const char *name = mni_state_name(s, klass, &n);
        status = copy_out(name, n, out, size, err);
    }
    mni_state_release(s);
    return status;
}

/* A record's path or key. */
static mann_status copy_text(mni_gallery *g, uint64_t id, int key, char *out, size_t size,
                             mann_error *err)
{
    uint32_t row;
    mni_record r;
    mni_mutex_lock(&g->lock);
    mni_state *s = g->state;
    atomic_fetch_add(&s->refs, 1);
    int found = mni_state_find_id(s, id, &row);
    mni_mutex_unlock(&g->lock);
    mann_status status;
    if (!found) {
        status = mni_fail(err, MANN_E_NOT_FOUND, "%s: no record with id %llu", g->path,
                          (unsigned long long)id);
    } else {
        mni_state_record(s, row, &r);
        status = key ? copy_out(r.key, r.key_chars, out, size, err)
                     : copy_out(r.source, r.source_chars, out, size, err);
    }
    mni_state_release(s);
    return status;
}

mann_status mni_gallery_source(mni_gallery *g, uint64_t id, char *out, size_t size,
                               mann_error *err)
{
    return copy_text(g, id, 0, out, size, err);
}

mann_status mni_gallery_key(mni_gallery *g, uint64_t id, char *out, size_t size,
                            mann_error *err)
{
    return copy_text(g, id, 1, out, size, err);
}

/* --- whole records ------------------------------------------------------------------ */

int mni_told_record(mni_told *t, const mni_state *s, uint32_t row, mann_record *out)
{
    mni_record r;
    uint32_t n;
    mni_state_record(s, row, &r);
    mni_state_vector(s, row, t->vector);
    mni_text_clear(&t->name);
    mni_text_clear(&t->source);
    mni_text_clear(&t->key);
    if (r.klass != MANN_NO_CLASS) {
        const char *chars = mni_state_name(s, r.klass, &n);
        mni_text_add_n(&t->name, chars, n);
    }
    mni_text_add_n(&t->source, r.source, r.source_chars);
    mni_text_add_n(&t->key, r.key, r.key_chars);
    *out = (mann_record){
        .id = r.id, .content_hash = r.content_hash, .time = r.time, .klass = r.klass,
        .class_name = r.klass == MANN_NO_CLASS ? NULL : mni_text_get(&t->name),
        .source = mni_text_get(&t->source), .vector = t->vector,
        .key = mni_text_get(&t->key)
    };
    return !t->name.failed && !t->source.failed && !t->key.failed;
}

int mni_told_init(mni_told *t, uint32_t dim)
{
    *t = (mni_told){ .vector = mni_alloc(dim, sizeof *t->vector) };
    return t->vector != NULL;
}

void mni_told_fini(mni_told *t)
{
    mni_free(t->vector);
    mni_text_fini(&t->name);
    mni_text_fini(&t->source);
    mni_text_fini(&t->key);
}

mann_status mni_gallery_each(mni_gallery *g, int (*fn)(void *user, const mann_record *r),
                             void *user, mann_error *err)
{
    mni_state *s = mni_gallery_state(g);
    mni_told told;
    int ok = mni_told_init(&told, s->base->meta.dim), stop = 0;
    mni_reader_in_turn(s->base->reader);
    for (uint32_t row = 0; ok && !stop && row < mni_state_rows(s); row++) {
        mann_record r;
        if (!mni_state_alive(s, row)) continue;
        ok = mni_told_record(&told, s, row, &r);
        if (ok) stop = fn(user, &r);
    }
    mni_told_fini(&told);
    mni_state_release(s);
    return ok ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "%s: a record", g->path);
}

/* --- counts ------------------------------------------------------------------------- */

mann_status mni_gallery_describe(mni_gallery *g, mann_gallery_info *info, mann_error *err)
{
    (void)err;
    mni_state *s = mni_gallery_state(g);
    const mni_base *b = s->base;
    mann_gallery_info i = { .struct_size = sizeof i };
    i.metric = b->meta.metric;
    i.dim = b->meta.dim;
    i.store = b->meta.store;
    i.n_classes = s->n_live_classes;
    i.read_only = !g->writable;
    i.lock_left_by = g->held.left_by;
    i.next_id = g->next_id;
    i.n_rows = s->n_live;
    i.n_tail = s->n_tail;
    i.n_dead = (uint64_t)mni_state_rows(s) - s->n_live;
    i.file_bytes = mni_reader_bytes(b->reader);
    i.generation = mni_reader_generation(b->reader);
    i.fingerprint = b->meta.fingerprint;
    i.false_accept = b->meta.false_accept;
    i.views = b->meta.views;
    mni_gallery_thresholds(g, s, 0, &i.threshold, &i.unsure_above);
    i.calibrated = !isnan(i.threshold);
    snprintf(i.index, sizeof i.index, "%s", mni_ann_spec(b->ann));
    mni_mutex_lock(&g->lock);
    i.journal_bytes = g->journal_bytes;
    snprintf(i.model, sizeof i.model, "%s",
             g->model ? mni_model_shape_of(g->model).architecture : "");
    i.precision = g->model ? (uint32_t)mni_model_precision(g->model) : 0;
    i.n_thumbs = s->base->thumb_index.n_bytes / MNI_THUMB_BYTES + s->tail->n_thumbs;
    i.journal_cut_bytes = g->replayed.n_cut_bytes;
    i.journal_ignored = (uint32_t)g->replayed.foreign;
    i.knob = s->knob;
    i.compact_due = (uint32_t)mni_state_fold_due(s);
    mni_mutex_unlock(&g->lock);
    mni_uuid_text(mni_reader_uuid(b->reader), i.uuid);
    *info = i;
    mni_state_release(s);
    return MANN_OK;
}
