/* merge.c - the records of one gallery become records of another of the same model.
 *
 * Photos that are there already (same content, same class, same key; of bare vectors: the
 * same numbers) are passed over. A record keeps its id unless that was given before;
 * classes meet by their names. A key names one record: who comes with the key of another
 * takes its place, and its id.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "recog/change.h"
#include "recog/thumbs.h"

enum { GROUP = 4096 };          /* rows of one commit */

typedef struct merging {
    mni_gallery *to, *source;
    mni_state *from;
    mni_idmap present;                  /* content and class -> 1 */
    mni_new_row *rows;
    float *vectors;
    char **texts;                       /* 2 x GROUP: class names and sources, owned */
    size_t n, n_texts;
    mann_add_report report;
} merging;

static mann_status no_memory(const merging *m, mann_error *err)
{
    return mni_fail(err, MANN_E_NOMEM, "%s: not enough memory to merge", m->to->path);
}

static const char *keep_text(merging *m, const char *chars, size_t n)
{
    char *copy = mni_alloc(n + 1, 1);
    if (!copy) return NULL;
    if (n) memcpy(copy, chars, n);
    m->texts[m->n_texts++] = copy;
    return copy;
}

static void drop_group(merging *m)
{
    while (m->n_texts) mni_free(m->texts[--m->n_texts]);
    m->n = 0;
}

/* What a record is known by: content, class, key. A bare vector is its own content. */
static uint64_t key_of(const mni_state *s, uint32_t row, const mni_record *r,
                       float *vector)
{
    uint32_t n = 0;
    uint64_t content = r->content_hash;
    if (!content) {
        mni_state_vector(s, row, vector);
        content = mni_hash_bytes(vector, s->base->meta.dim * sizeof *vector, 1);
    }
    const char *name = r->klass == MANN_NO_CLASS ? "" : mni_state_name(s, r->klass, &n);
    content = mni_hash_bytes(name, n, content);
    return r->key_chars ? mni_hash_bytes(r->key, r->key_chars, content) : content;
}

static mann_status list_present(merging *m, mann_error *err)
{
    mni_state *s = mni_gallery_state(m->to);
    int ok = 1;
    for (uint32_t row = 0; ok && row < mni_state_rows(s); row++) {
        mni_record r;
        if (!mni_state_alive(s, row)) continue;
        mni_state_record(s, row, &r);
        ok = mni_idmap_put(&m->present, key_of(s, row, &r, m->vectors), 1);
    }
    mni_state_release(s);
    return ok ? MANN_OK : no_memory(m, err);
}

static mann_status flush(merging *m, mann_error *err)
{
    mann_status s = MANN_OK;
    if (m->n) s = mni_gallery_add(m->to, m->rows, m->n, NULL, err);
    if (s == MANN_OK) m->report.n_added += m->n;
    drop_group(m);
    return s;
}

/* The bytes live as long as the state that is read. */
static int thumb_of(const merging *m, uint64_t content, mni_thumb *out)
{
    mni_mutex_lock(&m->source->lock);
    const int found = mni_state_thumb(m->from, content, out);
    mni_mutex_unlock(&m->source->lock);
    return found;
}

static mann_status take_row(merging *m, uint32_t row, mann_error *err)
{
    mni_record r;
    mni_thumb thumb;
    uint32_t n_name = 0, one;
    mni_state_record(m->from, row, &r);
    const size_t dim = m->from->base->meta.dim;
    float *vector = m->vectors + m->n * dim;
    const uint64_t key = key_of(m->from, row, &r, vector);
    if (mni_idmap_get(&m->present, key, &one)) {
        m->report.n_present++;
        return MANN_OK;
    }
    if (!mni_idmap_put(&m->present, key, 1)) return no_memory(m, err);
    mni_state_vector(m->from, row, vector);
    mni_new_row *out = &m->rows[m->n++];
    *out = (mni_new_row){ .vector = vector, .content_hash = r.content_hash,
                          .time = r.time, .id = r.id };
    out->has_id = MNI_ID_IF_NEW;
    if (thumb_of(m, r.content_hash, &thumb)) {
        out->thumb = thumb.bytes;
        out->n_thumb = thumb.n_bytes;
    }
    if (r.klass != MANN_NO_CLASS) {
        const char *name = mni_state_name(m->from, r.klass, &n_name);
        if (!(out->klass = keep_text(m, name, n_name))) return no_memory(m, err);
    }
    if (!(out->source = keep_text(m, r.source, r.source_chars))) return no_memory(m, err);
    if (r.key_chars && !(out->key = keep_text(m, r.key, r.key_chars)))
        return no_memory(m, err);
    return m->n == GROUP ? flush(m, err) : MANN_OK;
}

static mann_status take_rows(merging *m, const mann_hooks *h, mann_error *err)
{
    const uint32_t n = mni_state_rows(m->from);
    for (uint32_t row = 0; row < n; row++) {
        if (row % GROUP == 0 && h && h->progress) {
            const mann_progress p = { .task = "merge", .done = row, .total = n };
            if (h->progress(h->user, &p))
                return mni_fail(err, MANN_E_CANCELLED,
                                "stopped after %llu of %llu records",
                                (unsigned long long)row, (unsigned long long)n);
        }
        if (mni_state_alive(m->from, row)) MNI_TRY(take_row(m, row, err));
    }
    return flush(m, err);
}

static mann_status check_alike(mni_gallery *g, mni_gallery *from, mann_error *err)
{
    const mni_meta *a = &g->state->base->meta, *b = &from->state->base->meta;
    if (a->dim != b->dim || a->metric != b->metric)
        return mni_fail(err, MANN_E_MISMATCH,
                        "%s has vectors of %u dimensions (metric %u), %s of %u "
                        "(metric %u)",
                        g->path, (unsigned)a->dim, (unsigned)a->metric, from->path,
                        (unsigned)b->dim, (unsigned)b->metric);
    if (a->fingerprint != b->fingerprint)
        return mni_fail(err, MANN_E_MISMATCH,
                        "%s was made with model %016llx, %s with %016llx", g->path,
                        (unsigned long long)a->fingerprint, from->path,
                        (unsigned long long)b->fingerprint);
    if (a->views != b->views)
        return mni_fail(err, MANN_E_MISMATCH,
                        "%s looks at photos in other ways (views %u) than %s (%u)",
                        g->path, (unsigned)a->views, from->path, (unsigned)b->views);
    return MANN_OK;
}

static mann_status add_roots(mni_gallery *g, mni_gallery *from, mann_error *err)
{
    mni_roots roots;
    MNI_TRY(mni_gallery_copy_roots(from, &roots, err));
    mann_status s = MANN_OK;
    for (uint32_t i = 0; i < roots.n && s == MANN_OK; i++)
        s = mni_gallery_add_root(g, roots.path[i], err);
    mni_roots_fini(&roots);
    return s;
}

mann_status mni_gallery_merge(mni_gallery *g, mni_gallery *from, const mann_hooks *h,
                              mann_add_report *report, mann_error *err)
{
    merging m = { .to = g, .source = from };
    MNI_TRY(mni_gallery_must_write(g, err));
    MNI_TRY(check_alike(g, from, err));
    MNI_TRY(add_roots(g, from, err));
    m.from = mni_gallery_state(from);
    m.rows = mni_alloc(GROUP, sizeof *m.rows);
    m.vectors = mni_alloc(GROUP, m.from->base->meta.dim * sizeof *m.vectors);
    m.texts = mni_alloc(3 * GROUP, sizeof *m.texts);
    mann_status s = m.rows && m.vectors && m.texts ? list_present(&m, err)
                                                   : no_memory(&m, err);
    if (s == MANN_OK) s = take_rows(&m, h, err);
    m.report.struct_size = sizeof m.report;
    if (report) *report = m.report;
    if (m.texts) drop_group(&m);
    mni_state_release(m.from);
    mni_free(m.rows);
    mni_free(m.vectors);
    mni_free(m.texts);
    mni_idmap_fini(&m.present);
    return s;
}
