/* add.c - records come in: new ones, and such as take the place of one that is there.
 *
 *   id given   key given   which record is replaced      which id, which key it has then
 *   -          -           none                          a new id, no key
 *   5          -           record 5                      5, the key that record 5 had
 *   5          "ant"       record 5                      5, "ant"
 *   -          "ant"       that with the key "ant"       its id (or a new one), "ant"
 *
 * Who each row is gets decided for all rows of a call before the first is put in: no id
 * and no key may come twice, and a key may not be taken from a record that stays.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "recog/change.h"

/* What a row of the call is decided to be. */
typedef struct identity {
    uint64_t id;                /* with known */
    const char *key;            /* borrowed from the row, or from the state */
    uint32_t key_chars;
    int known;                  /* 0: it gets the next free id */
} identity;

typedef struct adding {
    mni_change *c;
    const mni_new_row *rows;
    size_t n;
    identity *who;              /* n, owned */
    mni_idmap ids, keys;        /* of the call: id, place of a key -> row of the call */
} adding;

/* --- who is it? --------------------------------------------------------------------- */

static mann_status no_memory(const adding *a, mann_error *err)
{
    return mni_fail(err, MANN_E_NOMEM, "%s: %zu rows", a->c->g->path, a->n);
}

static mann_status take_id(adding *a, size_t i, mann_error *err)
{
    const char *path = a->c->g->path;
    const unsigned long long id = a->who[i].id;
    uint32_t before;
    if (id >= UINT64_MAX - 1)
        return mni_fail(err, MANN_E_ARG, "%s: id %llu is reserved", path, id);
    if (mni_idmap_get(&a->ids, id, &before))
        return mni_fail(err, MANN_E_ARG, "%s: id %llu is given to rows %u and %zu of one "
                                         "call", path, id, (unsigned)before, i);
    return mni_idmap_put(&a->ids, id, (uint32_t)i) ? MANN_OK : no_memory(a, err);
}

static mann_status take_key(adding *a, size_t i, mann_error *err)
{
    const identity *w = &a->who[i];
    uint64_t place = mni_hash_bytes(w->key, w->key_chars, 0);
    uint32_t before;
    for (; mni_idmap_get(&a->keys, place, &before); place++) {
        const identity *b = &a->who[before];
        if (b->key_chars == w->key_chars && memcmp(b->key, w->key, w->key_chars) == 0)
            return mni_fail(err, MANN_E_ARG,
                            "%s: key \"%.*s\" is given to rows %u and %zu of one call",
                            a->c->g->path, w->key_chars < 200 ? (int)w->key_chars : 200,
                            w->key, (unsigned)before, i);
    }
    return mni_idmap_put(&a->keys, place, (uint32_t)i) ? MANN_OK : no_memory(a, err);
}

static mann_status decide(adding *a, size_t i, uint64_t first_new, mann_error *err)
{
    const mni_new_row *r = &a->rows[i];
    const mni_state *s = a->c->next;
    identity *w = &a->who[i];
    mni_record old;
    uint32_t row;
    w->id = r->id;
    w->known = r->has_id && (r->has_id != MNI_ID_IF_NEW || r->id >= first_new);
    if (r->key && *r->key) {
        w->key = r->key;
        MNI_TRY(mni_key_check(a->c->g->path, w->key, strlen(w->key), err));
        w->key_chars = (uint32_t)strlen(w->key);
        if (r->has_id != 1 && mni_state_find_key(s, w->key, w->key_chars, &row)) {
            w->id = mni_state_id(s, row);
            w->known = 1;
        }
    } else if (!r->key && w->known && mni_state_find_id(s, w->id, &row)) {
        mni_state_record(s, row, &old);
        w->key = old.key;
        w->key_chars = old.key_chars;
    }
    if (w->known) MNI_TRY(take_id(a, i, err));
    return w->key_chars ? take_key(a, i, err) : MANN_OK;
}

/* Does the row take its key from a record that this call leaves as it is? */
static mann_status check_robbery(const adding *a, size_t i, mann_error *err)
{
    const identity *w = &a->who[i];
    const mni_state *s = a->c->next;
    uint32_t row, one;
    if (!w->key_chars || !mni_state_find_key(s, w->key, w->key_chars, &row))
        return MANN_OK;
    const uint64_t owner = mni_state_id(s, row);
    if ((w->known && owner == w->id) || mni_idmap_get(&a->ids, owner, &one))
        return MANN_OK;
    return mni_fail(err, MANN_E_EXISTS,
                    "%s: key \"%.*s\" is that of record %llu, it cannot also name %llu",
                    a->c->g->path, w->key_chars < 200 ? (int)w->key_chars : 200, w->key,
                    (unsigned long long)owner, (unsigned long long)w->id);
}

static mann_status decide_all(adding *a, uint64_t first_new, mann_error *err)
{
    a->who = mni_alloc(a->n + 1, sizeof *a->who);
    if (!a->who) return no_memory(a, err);
    for (size_t i = 0; i < a->n; i++) MNI_TRY(decide(a, i, first_new, err));
    for (size_t i = 0; i < a->n; i++) MNI_TRY(check_robbery(a, i, err));
    return MANN_OK;
}

/* --- in they go -------------------------------------------------------------------- */

/* What is kept in the tail is what will be read from the file: answers do not change when
 * the tail is folded in, nor when a row comes back with another class. */
static mann_status round_vector(const mni_meta *m, const float *in, float *out,
                                uint8_t *code, uint64_t number, mann_error *err)
{
    const mni_dtype dtype = mni_store_dtype(m->store);
    float scale;
    memcpy(out, in, m->dim * sizeof *out);
    MNI_TRY(mni_rows_prepare((mann_metric)m->metric, out, m->dim, "row", number, err));
    MNI_TRY(mni_rows_storable(dtype, out, m->dim, "row", number, err));
    if (dtype != MNI_F32)
        mni_rows_settle((mann_metric)m->metric, dtype, out, m->dim, code, &scale,
                        code + m->dim * mni_dtype_bytes(dtype));
    return MANN_OK;
}

static mann_status put_one(adding *a, size_t i, uint64_t id, const float *vector,
                           mni_buf *buf, mann_error *err)
{
    mni_change *c = a->c;
    const mni_new_row *row = &a->rows[i];
    const identity *w = &a->who[i];
    uint32_t old;
    mni_record r = { .id = id, .content_hash = row->content_hash, .time = row->time,
                     .klass = MANN_NO_CLASS, .source = row->source ? row->source : "",
                     .key = w->key, .key_chars = w->key_chars };
    const size_t n_source = strlen(r.source);
    if (n_source > MNI_MAX_SOURCE)
        return mni_fail(err, MANN_E_LIMIT, "%s: a path of %zu bytes, at most %d",
                        c->g->path, n_source, MNI_MAX_SOURCE);
    r.source_chars = (uint32_t)n_source;
    if (row->klass)
        MNI_TRY(mni_change_class(c, row->klass, strlen(row->klass), &r.klass, err));
    if (w->known && mni_state_find_id(c->next, id, &old))
        MNI_TRY(mni_change_kill(c, old, err));
    MNI_TRY(mni_change_add(c, &r, vector, err));
    if (row->n_thumb && row->content_hash)
        MNI_TRY(mni_change_add_thumb(c, row->content_hash, row->thumb, row->n_thumb,
                                     err));
    buf->n_bytes = 0;
    mni_buf_u64(buf, id);
    mni_buf_u64(buf, r.content_hash);
    mni_buf_u64(buf, r.time);
    mni_change_put_text(buf, row->klass);
    mni_change_put_text(buf, r.source);
    mni_buf_u32(buf, r.key_chars ? r.key_chars : UINT32_MAX);
    if (r.key_chars) mni_buf_add(buf, r.key, r.key_chars);
    for (uint32_t k = 0; k < c->next->tail->dim; k++) mni_buf_f32(buf, vector[k]);
    return mni_change_journal(c->g, MNI_RECORD_ADD, buf, err);
}

static mann_status put_all(adding *a, uint64_t *ids, uint64_t *next_id, mann_error *err)
{
    const mni_meta *m = &a->c->next->base->meta;
    mni_buf buf = { 0 };
    mann_status s = MANN_OK;
    float *vector = mni_alloc(m->dim, sizeof *vector);
    uint8_t *code = mni_alloc(m->dim, 3 * sizeof(float));      /* and settle's room */
    if (!vector || !code) s = no_memory(a, err);
    for (size_t i = 0; i < a->n && s == MANN_OK; i++) {
        const identity *w = &a->who[i];
        if (!w->known && *next_id >= UINT64_MAX - 1) {
            s = mni_fail(err, MANN_E_LIMIT,
                         "%s: every id up to the last has been given; give one with "
                         "the row",
                         a->c->g->path);
            break;
        }
        const uint64_t id = w->known ? w->id : (*next_id)++;
        s = round_vector(m, a->rows[i].vector, vector, code, i, err);
        if (s == MANN_OK) s = put_one(a, i, id, vector, &buf, err);
        if (ids) ids[i] = id;
    }
    mni_free(vector);
    mni_free(code);
    mni_buf_fini(&buf);
    return s;
}

static mann_status add_rows(mni_change *c, const mni_new_row *rows, size_t n,
                            uint64_t *ids, uint64_t *next_id, mann_error *err)
{
    adding a = { .c = c, .rows = rows, .n = n };
    const uint64_t first_new = *next_id;
    mann_status s = decide_all(&a, first_new, err);
    for (size_t i = 0; i < n && s == MANN_OK; i++)  /* must not meet one that we give */
        if (a.who[i].known && a.who[i].id >= *next_id) *next_id = a.who[i].id + 1;
    if (s == MANN_OK) s = put_all(&a, ids, next_id, err);
    mni_free(a.who);
    mni_idmap_fini(&a.ids);
    mni_idmap_fini(&a.keys);
    return s;
}

mann_status mni_gallery_add(mni_gallery *g, const mni_new_row *rows, size_t n,
                            uint64_t *ids_out, mann_error *err)
{
    mni_change c = { 0 };
    MNI_TRY(mni_gallery_must_write(g, err));
    mni_mutex_lock(&g->writing);
    uint64_t next_id = g->next_id;
    mann_status s = mni_change_begin(&c, g, err);
    if (s == MANN_OK) {
        s = mni_change_finish(&c, add_rows(&c, rows, n, ids_out, &next_id, err), err);
        if (s == MANN_OK) g->next_id = next_id;
    }
    mni_mutex_unlock(&g->writing);
    return s;
}
