/* replay.c - what the journal remembers, applied again at open; and the folders that
 * sources are relative to. Every record is a change of its own (change.h), published at
 * once: nobody else looks yet.
 *
 *   ADD      u64 id, u64 content hash, u64 time, text class, text source, text key,
 *            f32 x dim
 *   REMOVE   u64 id
 *   RELABEL  u64 id, text class
 *   ROOT     text folder
 *   KNOB     u32 default of ef or nprobe
 *   MOVE     u64 id, text class, text source
 *   THUMB    u64 content hash, then a JPEG to the end of the record
 *   IDS      u64: ids below it are not given any more
 *   text:    u32 bytes (all ones: none), then the bytes
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "recog/change.h"

/* --- folders ------------------------------------------------------------------------ */

static mann_status remember_root(mni_gallery *g, const char *folder, size_t n_chars,
                                 mann_error *err)
{
    char *copy = mni_alloc(n_chars + 1, 1);
    if (!copy) return mni_fail(err, MANN_E_NOMEM, "%s: a folder", g->path);
    memcpy(copy, folder, n_chars);
    mni_mutex_lock(&g->lock);
    if (g->n_roots == MNI_MAX_ROOTS) {                  /* the oldest is forgotten */
        mni_free(g->roots[0]);
        memmove(g->roots, g->roots + 1, (MNI_MAX_ROOTS - 1) * sizeof *g->roots);
        g->n_roots--;
    }
    g->roots[g->n_roots++] = copy;
    mni_mutex_unlock(&g->lock);
    return MANN_OK;
}

mann_status mni_gallery_add_root(mni_gallery *g, const char *folder, mann_error *err)
{
    mni_buf buf = { 0 };
    char place[4096];
    MNI_TRY(mni_gallery_must_write(g, err));
    /* Whoever looks for the photos later may stand in another folder. */
    if (g->vfs->ops->absolute(g->vfs, folder, place, sizeof place, NULL) == MANN_OK)
        folder = place;
    mni_mutex_lock(&g->writing);
    int known = 0;
    for (uint32_t i = 0; i < g->n_roots; i++) known |= strcmp(g->roots[i], folder) == 0;
    mann_status s = mni_gallery_follow(g, err);
    if (s == MANN_OK && !known) {
        mni_change_put_text(&buf, folder);
        s = mni_change_journal(g, MNI_RECORD_ROOT, &buf, err);
        if (s == MANN_OK) s = mni_journal_commit(g->journal, err);
        if (s != MANN_OK) mni_journal_discard(g->journal);
        if (s == MANN_OK) s = remember_root(g, folder, strlen(folder), err);
    }
    mni_mutex_unlock(&g->writing);
    mni_buf_fini(&buf);
    return s;
}

mann_status mni_gallery_reserve(mni_gallery *g, uint64_t next_id, mann_error *err)
{
    mni_buf buf = { 0 };
    MNI_TRY(mni_gallery_must_write(g, err));
    if (next_id == UINT64_MAX)
        return mni_fail(err, MANN_E_ARG, "%s: no id would be left", g->path);
    mni_mutex_lock(&g->writing);
    mann_status s = mni_gallery_follow(g, err);
    if (s == MANN_OK && next_id > g->next_id) {
        mni_buf_u64(&buf, next_id);
        s = mni_change_journal(g, MNI_RECORD_IDS, &buf, err);
        if (s == MANN_OK) s = mni_journal_commit(g->journal, err);
        if (s == MANN_OK) g->next_id = next_id;
        else mni_journal_discard(g->journal);
    }
    mni_mutex_unlock(&g->writing);
    mni_buf_fini(&buf);
    return s;
}

mann_status mni_gallery_copy_roots(mni_gallery *g, mni_roots *out, mann_error *err)
{
    int ok = 1;
    out->n = 0;
    mni_mutex_lock(&g->lock);
    while (ok && out->n < g->n_roots) {
        ok = (out->path[out->n] = mni_strdup(g->roots[out->n])) != NULL;
        out->n += (uint32_t)ok;
    }
    mni_mutex_unlock(&g->lock);
    if (ok) return MANN_OK;
    mni_roots_fini(out);
    return mni_fail(err, MANN_E_NOMEM, "%s: list of folders", g->path);
}

void mni_roots_fini(mni_roots *r)
{
    while (r->n > 0) mni_free(r->path[--r->n]);
}

void mni_roots_place(mni_text *out, const char *root, const char *source)
{
    mni_path_join(out, *source == '/' ? "" : root, source);
}

/* --- replay ------------------------------------------------------------------------- */

static const char *take_text(mni_cursor *in, uint32_t *n, int *none)
{
    *n = mni_cursor_u32(in);
    *none = *n == UINT32_MAX;
    return *none ? "" : (const char *)mni_cursor_take(in, *n);
}

static mann_status replay_add(mni_change *c, mni_cursor *in, mann_error *err)
{
    mni_gallery *g = c->g;
    uint32_t n_class, row, dim = c->next->tail->dim;
    int no_class, none, no_key;
    mni_record r = { .klass = MANN_NO_CLASS };
    r.id = mni_cursor_u64(in);
    r.content_hash = mni_cursor_u64(in);
    r.time = mni_cursor_u64(in);
    const char *name = take_text(in, &n_class, &no_class);
    r.source = take_text(in, &r.source_chars, &none);
    if (none) r.source_chars = 0;
    r.key = take_text(in, &r.key_chars, &no_key);
    if (no_key) r.key_chars = 0;
    const uint8_t *bytes = mni_cursor_take(in, (size_t)dim * sizeof(float));
    if (in->bad)
        return mni_fail(err, MANN_E_FORMAT, "%s: a record of the journal is too short",
                        g->path);
    if (!no_key) MNI_TRY(mni_key_check(g->path, r.key, r.key_chars, err));
    float *vector = mni_alloc(dim, sizeof *vector);
    if (!vector) return mni_fail(err, MANN_E_NOMEM, "%s: a row", g->path);
    for (uint32_t i = 0; i < dim; i++) {
        uint32_t bits = mni_get32(bytes + 4 * (size_t)i);
        memcpy(&vector[i], &bits, sizeof bits);
    }
    mann_status s = mni_rows_prepare((mann_metric)c->next->base->meta.metric, vector, dim,
                                     "journal row", r.id, err);
    if (s == MANN_OK && !no_class) s = mni_change_class(c, name, n_class, &r.klass, err);
    if (s == MANN_OK && mni_state_find_id(c->next, r.id, &row))
        s = mni_change_kill(c, row, err);
    if (s == MANN_OK) s = mni_change_add(c, &r, vector, err);
    if (s == MANN_OK && r.id >= g->next_id && r.id < UINT64_MAX - 1)
        g->next_id = r.id + 1;
    mni_free(vector);
    return s;
}

static mann_status replay_move(mni_change *c, mni_cursor *in, mann_error *err)
{
    uint32_t n_class, n_source, row, klass = MANN_NO_CLASS;
    int no_class, none;
    const uint64_t id = mni_cursor_u64(in);
    const char *name = take_text(in, &n_class, &no_class);
    const char *source = take_text(in, &n_source, &none);
    if (in->bad || none)
        return mni_fail(err, MANN_E_FORMAT, "%s: a record of the journal is too short",
                        c->g->path);
    if (!no_class) MNI_TRY(mni_change_class(c, name, n_class, &klass, err));
    if (!mni_state_find_id(c->next, id, &row)) return MANN_OK;
    return mni_change_move(c, row, klass, source, n_source, err);
}

static mann_status replay_one(mni_change *c, uint32_t type, mni_cursor *in,
                              mann_error *err)
{
    uint32_t row, n, klass;
    int none;
    if (type == MNI_RECORD_ADD) return replay_add(c, in, err);
    if (type == MNI_RECORD_ROOT) {
        const char *folder = take_text(in, &n, &none);
        return in->bad || none ? MANN_OK : remember_root(c->g, folder, n, err);
    }
    if (type == MNI_RECORD_KNOB) {
        const uint32_t knob = mni_cursor_u32(in);
        if (!in->bad && knob <= MNI_MAX_KNOB) c->next->knob = knob;
        return MANN_OK;
    }
    if (type == MNI_RECORD_MOVE) return replay_move(c, in, err);
    if (type == MNI_RECORD_THUMB) return mni_change_replay_thumb(c, in, err);
    if (type == MNI_RECORD_IDS) {
        const uint64_t next = mni_cursor_u64(in);
        if (!in->bad && next > c->g->next_id && next < UINT64_MAX) c->g->next_id = next;
        return MANN_OK;
    }
    if (type != MNI_RECORD_REMOVE && type != MNI_RECORD_RELABEL)
        return mni_fail(err, MANN_E_VERSION,
                        "%s: the journal holds a record of kind %u, which this version "
                        "does not know",
                        c->g->path, (unsigned)type);
    uint64_t id = mni_cursor_u64(in);
    int found = !in->bad && mni_state_find_id(c->next, id, &row);
    if (type == MNI_RECORD_REMOVE) return found ? mni_change_kill(c, row, err) : MANN_OK;
    const char *name = take_text(in, &n, &none);
    if (in->bad || none)
        return mni_fail(err, MANN_E_FORMAT, "%s: a record of the journal is too short",
                        c->g->path);
    MNI_TRY(mni_change_class(c, name, n, &klass, err));
    return found ? mni_change_relabel(c, row, klass, err) : MANN_OK;
}

mann_status mni_gallery_replay(void *gallery, uint32_t type, const void *bytes,
                               size_t n_bytes, mann_error *err)
{
    mni_change c;
    mni_cursor in = mni_cursor_of(bytes, n_bytes);
    mann_status s = mni_change_begin(&c, gallery, err);
    /* Nobody else looks yet: the bitmap need not be copied for every record. */
    c.own_dead = s == MANN_OK && c.next->dead != NULL;
    if (s == MANN_OK) s = replay_one(&c, type, &in, err);
    if (s == MANN_OK) s = mni_change_seal(&c, err);
    if (s == MANN_OK) mni_change_publish(&c);
    else mni_change_drop(&c);
    return s;
}
