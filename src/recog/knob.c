/* knob.c - the default of ef or nprobe of a gallery: found, kept in the journal, seen by
 * every later search. And what the structure says about itself.
 * SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "index/kinds.h"
#include "index/tune.h"
#include "recog/change.h"

static mann_status keep_knob(mni_gallery *g, const mni_base *measured, uint32_t knob,
                             mann_error *err)
{
    mni_change c = { 0 };
    mni_buf buf = { 0 };
    mni_mutex_lock(&g->writing);
    mann_status s = mni_change_begin(&c, g, err);
    if (s == MANN_OK) {
        if (c.next->base != measured)
            s = mni_fail(err, MANN_E_MISMATCH,
                         "%s: was compacted meanwhile; tune it again", g->path);
        mni_buf_u32(&buf, knob);
        if (s == MANN_OK) s = mni_change_journal(g, MNI_RECORD_KNOB, &buf, err);
        c.next->knob = knob;
        s = mni_change_finish(&c, s, err);
    }
    mni_mutex_unlock(&g->writing);
    mni_buf_fini(&buf);
    return s;
}

/* Queries as the base's structure is asked: prepared, packed. Owned. */
static mann_status take_queries(const mni_base *b, mann_matrix queries, mni_pool *pool,
                                float **out, size_t *n, mann_error *err)
{
    const uint32_t dim = b->meta.dim;
    const size_t stride = queries.stride ? queries.stride : queries.cols;
    if (queries.rows == 0)
        return mni_tune_queries(&b->rows, b->meta.seed, pool, out, n, err);
    if (queries.cols != dim)
        return mni_fail(err, MANN_E_MISMATCH, "queries of %zu values, wanted %u",
                        queries.cols, (unsigned)dim);
    float *q = mni_alloc(queries.rows, dim * sizeof *q);
    if (!q) return mni_fail(err, MANN_E_NOMEM, "tune: %zu queries", queries.rows);
    mann_status s = MANN_OK;
    for (size_t i = 0; i < queries.rows && s == MANN_OK; i++) {
        memcpy(q + i * dim, queries.data + i * stride, dim * sizeof *q);
        s = mni_rows_prepare(b->rows.metric, q + i * dim, dim, "query", i, err);
    }
    if (s != MANN_OK) { mni_free(q); return s; }
    *out = q;
    *n = queries.rows;
    return MANN_OK;
}

mann_status mni_gallery_tune(mni_gallery *g, mann_matrix queries, double recall,
                             uint32_t k, mni_pool *pool, mann_tuned *out, mann_error *err)
{
    mni_tuned got;
    float *q = NULL;
    size_t n = 0;
    MNI_TRY(mni_gallery_must_write(g, err));
    mni_state *state = mni_gallery_state(g);
    const mni_base *b = state->base;
    mann_status s = take_queries(b, queries, pool, &q, &n, err);
    if (s == MANN_OK)
        s = mni_ann_tune(b->ann, &b->rows, q, n, k, recall, pool, &got, err);
    mni_free(q);
    if (s == MANN_OK) {
        mni_tuned_tell(&got, b->ann, out);
        if (got.value) s = keep_knob(g, b, got.value, err);
    }
    mni_state_release(state);
    return s;
}

mann_status mni_gallery_facts(mni_gallery *g,
                              void (*fn)(void *user, const char *name, double value),
                              void *user, mann_error *err)
{
    mni_ann_fact facts[MNI_ANN_FACTS];
    mni_state *s = mni_gallery_state(g);
    const size_t n = mni_ann_report(s->base->ann, &s->base->rows, facts);
    (void)err;
    for (size_t i = 0; i < n; i++) fn(user, facts[i].name, facts[i].value);
    mni_state_release(s);
    return MANN_OK;
}
