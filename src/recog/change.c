/* change.c - how records are changed, and removing them; adding is add.c, other classes
 * and paths relabel.c.
 *
 * Order of every change, so that nothing is half:
 *   1. check the input; 2. prepare: rows behind the published end of the tail, a copy of
 *   the dead bitmap, room in the maps; 3. journal record, written and synced; 4. publish:
 *   swap the state under the mutex.
 * A failure before 3 leaves no trace; 4 cannot fail. SPDX-License-Identifier: MIT */
#include "recog/change.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* --- live rows per class ------------------------------------------------------------ */

static uint32_t base_class_rows(const mni_base *b, uint32_t klass)
{
    uint32_t from = b->class_at[klass], to = b->class_at[klass + 1];
    return to > from ? to - from : 0;
}

static mann_status grow_live(mni_gallery *g, size_t n_classes, mann_error *err)
{
    const mni_base *b = g->state->base;
    int fresh = g->live == NULL;
    size_t had = g->live_cap;
    if (!mni_grow((void **)&g->live, &g->live_cap, n_classes + 1, sizeof *g->live))
        return mni_fail(err, MANN_E_NOMEM, "%s: counts of %zu classes", g->path,
                        n_classes);
    memset(g->live + had, 0, (g->live_cap - had) * sizeof *g->live);
    if (!fresh) return MANN_OK;
    for (uint32_t k = 0; k < b->meta.n_classes; k++) g->live[k] = base_class_rows(b, k);
    return MANN_OK;
}

/* --- a change ----------------------------------------------------------------------- */

mann_status mni_change_begin(mni_change *c, mni_gallery *g, mann_error *err)
{
    *c = (mni_change){ .g = g };
    MNI_TRY(mni_gallery_follow(g, err));
    const mni_state *s = g->state;      /* only writers swap it, and we are the writer */
    MNI_TRY(grow_live(g, s->n_classes, err));
    c->next = mni_state_new(s->base, s->tail, s->dead);
    if (!c->next) return mni_fail(err, MANN_E_NOMEM, "%s: state", g->path);
    atomic_fetch_add(&s->base->refs, 1);
    atomic_fetch_add(&s->tail->refs, 1);
    if (s->dead) atomic_fetch_add(&s->dead->refs, 1);
    c->next->n_tail = s->n_tail;
    c->next->n_classes = s->n_classes;
    c->next->n_live_classes = s->n_live_classes;
    c->next->n_live = s->n_live;
    c->next->knob = s->knob;
    return MANN_OK;
}

/* The key of a tail class in by_name: the hash of its name, or the next free one. */
static uint64_t free_name_key(const mni_tail *t, const char *name, size_t n_chars)
{
    uint32_t klass;
    uint64_t key = mni_hash_bytes(name, n_chars, 0);
    while (mni_idmap_get(&t->by_name, key, &klass)) key++;
    return key;
}

static mann_status new_class(mni_change *c, const char *name, uint32_t *klass,
                             mann_error *err)
{
    mni_gallery *g = c->g;
    mni_tail *t = c->next->tail;
    size_t n_chars = strlen(name);
    if (c->next->n_classes >= MNI_MAX_ROWS)
        return mni_fail(err, MANN_E_LIMIT, "%s: holds %u classes already", g->path,
                        (unsigned)c->next->n_classes);
    MNI_TRY(grow_live(g, (size_t)c->next->n_classes + 1, err));
    char **slot = mni_stable_make(&t->names, t->n_names + c->n_new_names);
    char *copy = slot ? mni_strdup(name) : NULL;
    if (copy) *slot = copy;     /* before the map names it: a reader follows at once */
    mni_mutex_lock(&g->lock);           /* readers look names up in the same map */
    int ok = copy && mni_idmap_put(&t->by_name, free_name_key(t, name, n_chars),
                                   c->next->n_classes);
    mni_mutex_unlock(&g->lock);
    if (!ok) {
        mni_free(copy);
        return mni_fail(err, MANN_E_NOMEM, "%s: class %s", g->path, name);
    }
    c->n_new_names++;
    *klass = c->next->n_classes++;
    return MANN_OK;
}

mann_status mni_change_class(mni_change *c, const char *name, size_t n_chars,
                             uint32_t *klass, mann_error *err)
{
    if (n_chars == 0 || n_chars > MNI_MAX_NAME)
        return mni_fail(err, MANN_E_ARG, "%s: a class name of %zu bytes, wanted 1..%d",
                        c->g->path, n_chars, MNI_MAX_NAME);
    if (memchr(name, '\0', n_chars))
        return mni_fail(err, MANN_E_ARG, "%s: a class name holds a zero byte",
                        c->g->path);
    mni_text copy = { 0 };
    mni_text_add_n(&copy, name, n_chars);
    if (copy.failed) {
        mni_text_fini(&copy);
        return mni_fail(err, MANN_E_NOMEM, "%s: a class name", c->g->path);
    }
    mann_status s = MANN_OK;
    if (!mni_state_find_class(c->next, mni_text_get(&copy), klass))
        s = new_class(c, mni_text_get(&copy), klass, err);
    mni_text_fini(&copy);
    return s;
}

mann_status mni_change_kill(mni_change *c, uint32_t row, mann_error *err)
{
    mni_dead *old = c->next->dead;
    uint32_t bits = old ? old->n_bits : 0;
    if (!c->own_dead || row >= bits) {
        /* Room for the tail to grow a little, so that replaying many removals copies
         * seldom. */
        uint64_t want = (uint64_t)mni_state_rows(c->next) + 1024;
        if (want < bits) want = bits;
        if (want > MNI_MAX_ROWS) want = MNI_MAX_ROWS;
        size_t n_words = (size_t)(want / 64 + 1);
        mni_dead *copy = mni_alloc(1, sizeof *copy + n_words * sizeof *copy->words);
        if (!copy)
            return mni_fail(err, MANN_E_NOMEM, "%s: bitmap of %llu rows", c->g->path,
                            (unsigned long long)want);
        atomic_init(&copy->refs, 1);
        copy->n_bits = (uint32_t)(n_words * 64);
        if (old) {
            copy->n_dead = old->n_dead;
            memcpy(copy->words, old->words, bits / 64 * sizeof *copy->words);
        }
        c->next->dead = copy;
        c->own_dead = 1;
        mni_dead_release(old);
    }
    if (!mni_grow((void **)&c->killed, &c->killed_cap, c->n_killed + 1,
                  sizeof *c->killed))
        return mni_fail(err, MANN_E_NOMEM, "%s: list of removed rows", c->g->path);
    c->killed[c->n_killed++] = mni_state_class(c->next, row);
    c->next->dead->words[row / 64] |= 1ull << row % 64;
    c->next->dead->n_dead++;
    c->next->n_live--;
    return MANN_OK;
}

mann_status mni_change_add(mni_change *c, const mni_record *r, const float *vector,
                           mann_error *err)
{
    mni_state *s = c->next;
    mni_tail *t = s->tail;
    if (mni_state_rows(s) >= MNI_MAX_ROWS)
        return mni_fail(err, MANN_E_LIMIT, "%s: holds %u rows already", c->g->path,
                        (unsigned)mni_state_rows(s));
    if (r->source_chars > MNI_MAX_SOURCE)
        return mni_fail(err, MANN_E_LIMIT, "%s: a path of %u bytes, at most %d",
                        c->g->path, (unsigned)r->source_chars, MNI_MAX_SOURCE);
    mni_tail_row *row = mni_stable_make(&t->rows, s->n_tail);
    float *place = mni_stable_make(&t->vectors, s->n_tail);
    char *copy = mni_alloc((size_t)r->source_chars + r->key_chars + 2, 1);
    if (!row || !place || !copy) {
        mni_free(copy);
        return mni_fail(err, MANN_E_NOMEM, "%s: a row", c->g->path);
    }
    char *key = copy + r->source_chars + 1;             /* each with its NUL */
    if (r->source_chars) memcpy(copy, r->source, r->source_chars);
    if (r->key_chars) memcpy(key, r->key, r->key_chars);
    *row = (mni_tail_row){ r->id, r->content_hash, r->time, r->klass, copy, key };
    memcpy(place, vector, t->dim * sizeof *place);
    s->n_tail++;
    s->n_live++;
    return MANN_OK;
}

mann_status mni_change_seal(mni_change *c, mann_error *err)
{
    mni_tail *t = c->next->tail;
    size_t n_keys = 0;
    for (uint32_t i = t->n_rows; i < c->next->n_tail; i++)
        n_keys += *((const mni_tail_row *)mni_stable_at(&t->rows, i))->key != '\0';
    mni_mutex_lock(&c->g->lock);
    int ok = mni_idmap_reserve(&t->by_id, c->next->n_tail - t->n_rows) &&
             (!n_keys || mni_idmap_reserve(&t->by_key, n_keys)) &&
             (!c->n_new_thumbs || mni_idmap_reserve(&t->by_content, c->n_new_thumbs));
    mni_mutex_unlock(&c->g->lock);
    return ok ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "%s: map of ids", c->g->path);
}

/* The rows that die first, then the new ones: an upsert of the only row of a class keeps
 * it alive. */
static void count_classes(mni_change *c)
{
    mni_gallery *g = c->g;
    const mni_tail *t = c->next->tail;
    for (size_t i = 0; i < c->n_killed; i++)
        if (c->killed[i] != MANN_NO_CLASS && --g->live[c->killed[i]] == 0)
            c->next->n_live_classes--;
    for (uint32_t i = t->n_rows; i < c->next->n_tail; i++) {
        uint32_t klass = ((const mni_tail_row *)mni_stable_at(&t->rows, i))->klass;
        if (klass != MANN_NO_CLASS && g->live[klass]++ == 0) c->next->n_live_classes++;
    }
}

void mni_change_publish(mni_change *c)
{
    mni_gallery *g = c->g;
    mni_tail *t = c->next->tail;
    count_classes(c);
    mni_mutex_lock(&g->lock);
    for (; t->n_rows < c->next->n_tail; t->n_rows++) {
        const mni_tail_row *row = mni_stable_at(&t->rows, t->n_rows);
        mni_idmap_put(&t->by_id, row->id, t->n_rows);       /* reserved: cannot fail */
        mni_tail_know_key(t, t->n_rows);
    }
    for (; c->n_new_thumbs; c->n_new_thumbs--, t->n_thumbs++) {
        const mni_tail_thumb *thumb = mni_stable_at(&t->thumbs, t->n_thumbs);
        mni_idmap_put(&t->by_content, thumb->content, t->n_thumbs);
    }
    t->n_names += c->n_new_names;
    mni_state *old = g->state;
    g->state = c->next;
    mni_mutex_unlock(&g->lock);
    mni_state_release(old);
    mni_free(c->killed);
}

static void drop_name(mni_tail *t, uint32_t i, uint32_t klass)
{
    char *name = *(char **)mni_stable_at(&t->names, i);
    uint32_t found;
    for (uint64_t key = mni_hash_bytes(name, strlen(name), 0);
         mni_idmap_get(&t->by_name, key, &found); key++)
        if (found == klass) { mni_idmap_remove(&t->by_name, key); break; }
    mni_free(name);
}

void mni_change_drop(mni_change *c)
{
    if (!c->next) return;
    mni_tail *t = c->next->tail;
    for (uint32_t i = t->n_rows; i < c->next->n_tail; i++)
        mni_free(((mni_tail_row *)mni_stable_at(&t->rows, i))->source);
    while (c->n_new_thumbs) {
        c->n_new_thumbs--;
        mni_free(((mni_tail_thumb *)mni_stable_at(&t->thumbs,
                                                  t->n_thumbs + c->n_new_thumbs))->bytes);
    }
    mni_mutex_lock(&c->g->lock);
    while (c->n_new_names) {
        c->n_new_names--;
        drop_name(t, t->n_names + c->n_new_names, --c->next->n_classes);
    }
    mni_mutex_unlock(&c->g->lock);
    mni_state_release(c->next);
    mni_free(c->killed);
    *c = (mni_change){ 0 };
}

/* --- journal records ---------------------------------------------------------------- */

mann_status mni_gallery_must_write(mni_gallery *g, mann_error *err)
{
    return g->writable ? MANN_OK
                       : mni_fail(err, MANN_E_READ_ONLY,
                                  "%s: was opened for reading only", g->path);
}

void mni_change_put_text(mni_buf *b, const char *text)
{
    mni_buf_u32(b, text ? (uint32_t)strlen(text) : UINT32_MAX);
    if (text) mni_buf_add(b, text, strlen(text));
}

mann_status mni_change_journal(mni_gallery *g, uint32_t type, const mni_buf *b,
                               mann_error *err)
{
    if (b->failed) return mni_fail(err, MANN_E_NOMEM, "%s: journal record", g->path);
    return mni_journal_append(g->journal, type, b->bytes, b->n_bytes, err);
}

mann_status mni_change_finish(mni_change *c, mann_status s, mann_error *err)
{
    mni_gallery *g = c->g;
    if (s == MANN_OK) s = mni_change_seal(c, err);
    if (s == MANN_OK) s = mni_journal_commit(g->journal, err);
    if (s != MANN_OK) {
        mni_journal_discard(g->journal);
        mni_change_drop(c);
        return s;
    }
    mni_change_publish(c);
    mni_mutex_lock(&g->lock);
    g->journal_bytes = mni_journal_bytes(g->journal);
    mni_mutex_unlock(&g->lock);
    return MANN_OK;
}

/* --- remove ------------------------------------------------------------------------ */

static mann_status remove_row(mni_change *c, uint32_t row, mni_buf *buf, mann_error *err)
{
    buf->n_bytes = 0;
    mni_buf_u64(buf, mni_state_id(c->next, row));
    MNI_TRY(mni_change_journal(c->g, MNI_RECORD_REMOVE, buf, err));
    return mni_change_kill(c, row, err);
}

mann_status mni_gallery_remove(mni_gallery *g, const uint64_t *ids, size_t n,
                               size_t *removed, mann_error *err)
{
    mni_change c = { 0 };
    mni_buf buf = { 0 };
    size_t count = 0;
    uint32_t row;
    MNI_TRY(mni_gallery_must_write(g, err));
    mni_mutex_lock(&g->writing);
    mann_status s = mni_change_begin(&c, g, err);
    if (s == MANN_OK) {
        for (size_t i = 0; i < n && s == MANN_OK; i++) {
            if (!mni_state_find_id(c.next, ids[i], &row)) continue;
            s = remove_row(&c, row, &buf, err);
            count++;
        }
        s = mni_change_finish(&c, s, err);
    }
    mni_mutex_unlock(&g->writing);
    mni_buf_fini(&buf);
    if (s == MANN_OK && removed) *removed = count;
    return s;
}

static mann_status remove_class_rows(mni_change *c, uint32_t klass, size_t *count,
                                     mni_buf *buf, mann_error *err)
{
    const mni_base *b = c->next->base;
    if (klass < b->meta.n_classes)
        for (uint32_t i = b->class_at[klass]; i < b->class_at[klass + 1] && i < b->rows.n;
             i++) {
            uint32_t row = b->class_rows[i];
            if (row >= b->rows.n || !mni_state_alive(c->next, row)) continue;
            MNI_TRY(remove_row(c, row, buf, err));
            ++*count;
        }
    for (uint32_t i = 0; i < c->next->n_tail; i++) {
        uint32_t row = b->rows.n + i;
        if (mni_state_class(c->next, row) != klass || !mni_state_alive(c->next, row))
            continue;
        MNI_TRY(remove_row(c, row, buf, err));
        ++*count;
    }
    return MANN_OK;
}

mann_status mni_gallery_remove_class(mni_gallery *g, const char *klass, size_t *removed,
                                     mann_error *err)
{
    mni_change c = { 0 };
    mni_buf buf = { 0 };
    size_t count = 0;
    uint32_t number;
    MNI_TRY(mni_gallery_must_write(g, err));
    mni_mutex_lock(&g->writing);
    mann_status s = mni_change_begin(&c, g, err);
    if (s == MANN_OK) {
        if (!mni_state_find_class(c.next, klass, &number))
            s = mni_fail(err, MANN_E_NOT_FOUND, "%s: no class \"%s\"", g->path, klass);
        else s = remove_class_rows(&c, number, &count, &buf, err);
        s = mni_change_finish(&c, s, err);
    }
    mni_mutex_unlock(&g->writing);
    mni_buf_fini(&buf);
    if (s == MANN_OK && removed) *removed = count;
    return s;
}
