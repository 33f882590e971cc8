/* relabel.c - records get another class or another path; their ids and vectors stay.
 *
 * Rows of the base are in a mapped file that nobody writes to: such a row dies and comes
 * back at the end of the tail. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "recog/change.h"

/* What the row keeps is borrowed from the state, which outlives the change. */
static mann_status put_anew(mni_change *c, uint32_t row, const mni_record *r,
                            mann_error *err)
{
    float *vector = mni_alloc(c->next->base->meta.dim, sizeof *vector);
    if (!vector) return mni_fail(err, MANN_E_NOMEM, "%s: a row", c->g->path);
    mni_state_vector(c->next, row, vector);
    mann_status s = mni_change_kill(c, row, err);
    if (s == MANN_OK) s = mni_change_add(c, r, vector, err);
    mni_free(vector);
    return s;
}

mann_status mni_change_relabel(mni_change *c, uint32_t row, uint32_t klass,
                               mann_error *err)
{
    mni_record r;
    mni_state_record(c->next, row, &r);
    r.klass = klass;
    return put_anew(c, row, &r, err);
}

mann_status mni_change_move(mni_change *c, uint32_t row, uint32_t klass,
                            const char *source, size_t n_chars, mann_error *err)
{
    mni_record r;
    if (n_chars > MNI_MAX_SOURCE)
        return mni_fail(err, MANN_E_LIMIT, "%s: a path of %zu bytes, at most %d",
                        c->g->path, n_chars, MNI_MAX_SOURCE);
    mni_state_record(c->next, row, &r);
    r.klass = klass;
    r.source = source;
    r.source_chars = (uint32_t)n_chars;
    return put_anew(c, row, &r, err);
}

/* --- as calls ----------------------------------------------------------------------- */

static mann_status relabel_ids(mni_change *c, const uint64_t *ids, size_t n,
                               const char *klass, mni_buf *buf, mann_error *err)
{
    mni_gallery *g = c->g;
    uint32_t number = 0, row;
    MNI_TRY(mni_change_class(c, klass, strlen(klass), &number, err));
    for (size_t i = 0; i < n; i++) {
        if (!mni_state_find_id(c->next, ids[i], &row)) {
            if (mni_state_find_id(g->state, ids[i], &row)) continue;    /* twice */
            return mni_fail(err, MANN_E_NOT_FOUND, "%s: no record with id %llu", g->path,
                            (unsigned long long)ids[i]);
        }
        buf->n_bytes = 0;
        mni_buf_u64(buf, ids[i]);
        mni_change_put_text(buf, klass);
        MNI_TRY(mni_change_journal(g, MNI_RECORD_RELABEL, buf, err));
        MNI_TRY(mni_change_relabel(c, row, number, err));
    }
    return MANN_OK;
}

mann_status mni_gallery_relabel(mni_gallery *g, const uint64_t *ids, size_t n,
                                const char *klass, mann_error *err)
{
    mni_change c = { 0 };
    mni_buf buf = { 0 };
    MNI_TRY(mni_gallery_must_write(g, err));
    if (n == 0) return MANN_OK;     /* a class that no record names would be forgotten */
    mni_mutex_lock(&g->writing);
    mann_status s = mni_change_begin(&c, g, err);
    if (s == MANN_OK)
        s = mni_change_finish(&c, relabel_ids(&c, ids, n, klass, &buf, err), err);
    mni_mutex_unlock(&g->writing);
    mni_buf_fini(&buf);
    return s;
}

static mann_status move_all(mni_change *c, const mni_moved *moved, size_t n, mni_buf *buf,
                            mann_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const mni_moved *m = &moved[i];
        uint32_t klass = MANN_NO_CLASS, row;
        if (!mni_state_find_id(c->next, m->id, &row)) continue;
        if (m->klass)
            MNI_TRY(mni_change_class(c, m->klass, strlen(m->klass), &klass, err));
        buf->n_bytes = 0;
        mni_buf_u64(buf, m->id);
        mni_change_put_text(buf, m->klass);
        mni_change_put_text(buf, m->source);
        MNI_TRY(mni_change_journal(c->g, MNI_RECORD_MOVE, buf, err));
        MNI_TRY(mni_change_move(c, row, klass, m->source, strlen(m->source), err));
    }
    return MANN_OK;
}

mann_status mni_gallery_move(mni_gallery *g, const mni_moved *moved, size_t n,
                             mann_error *err)
{
    mni_change c = { 0 };
    mni_buf buf = { 0 };
    MNI_TRY(mni_gallery_must_write(g, err));
    if (n == 0) return MANN_OK;
    mni_mutex_lock(&g->writing);
    mann_status s = mni_change_begin(&c, g, err);
    if (s == MANN_OK) s = mni_change_finish(&c, move_all(&c, moved, n, &buf, err), err);
    mni_mutex_unlock(&g->writing);
    mni_buf_fini(&buf);
    return s;
}
