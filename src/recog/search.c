/* search.c - the k nearest rows: base by its index, tail by exact scan, merged. See
 * query.h. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "os/clock.h"
#include "os/pages.h"
#include "os/try.h"
#include "recog/prototype.h"

const mann_hit mni_no_hit = { UINT64_MAX, MANN_NO_CLASS, -INFINITY, INFINITY };

/* --- one call's view ---------------------------------------------------------------- */

/* Tombstones and the caller's filter, asked inside the walk: a row that is not kept never
 * takes a place among the k, and never bounds the search. */
static int keep_row(void *ctx, uint32_t row)
{
    const mni_query_view *v = ctx;
    if (!mni_state_alive(v->state, row)) return 0;
    if (!v->search->filter) return 1;
    char name[MNI_MAX_NAME + 1];
    uint32_t klass = mni_state_class(v->state, row), n;
    if (klass != MANN_NO_CLASS) {
        const char *chars = mni_state_name(v->state, klass, &n);
        memcpy(name, chars, n);
        name[n] = '\0';
    }
    return v->search->filter(v->search->filter_user, mni_state_id(v->state, row),
                             klass != MANN_NO_CLASS ? name : NULL);
}

mann_status mni_query_view_init(mni_query_view *v, mni_gallery *g, mann_matrix queries,
                                const mann_search *s, mann_error *err)
{
    *v = (mni_query_view){ .gallery = g, .state = mni_gallery_state(g),
                            .search = s };
    v->n = queries.rows;
    const mni_meta *m = &v->state->base->meta;
    v->dim = m->dim;
    if (queries.rows && queries.cols != m->dim)
        return mni_fail(err, MANN_E_MISMATCH,
                        "%s: queries of %zu dimensions, the gallery has %u", g->path,
                        queries.cols, (unsigned)m->dim);
    v->queries = mni_alloc_aligned(v->n, v->dim * sizeof(float), 0);
    if (!v->queries) return mni_fail(err, MANN_E_NOMEM, "%s: %zu queries", g->path, v->n);
    size_t stride = queries.stride ? queries.stride : queries.cols;
    for (size_t i = 0; i < v->n; i++) {
        float *q = v->queries + i * v->dim;
        memcpy(q, queries.data + i * stride, v->dim * sizeof *q);
        MNI_TRY(mni_rows_prepare((mann_metric)m->metric, q, m->dim, "query", i, err));
    }
    if (v->state->dead || s->filter) v->keep = keep_row;
    mni_gallery_thresholds(g, v->state, s->false_accept, &v->known_above,
                           &v->unsure_above);
    return MANN_OK;
}

void mni_query_view_fini(mni_query_view *v)
{
    mni_free(v->queries);
    mni_state_release(v->state);
}

mann_hit mni_query_hit(const mni_query_view *v, mni_near near)
{
    mann_metric metric = (mann_metric)v->state->base->meta.metric;
    return (mann_hit){ mni_state_id(v->state, near.row),
                       mni_state_class(v->state, near.row),
                       mni_score(metric, near.distance), near.distance };
}

mni_ann_params mni_query_params(const mni_query_view *v, size_t k)
{
    const mni_state *s = v->state;
    mni_ann_params p = { .k = (uint32_t)k, .ef = v->search->ef,
                         .nprobe = v->search->nprobe, .keep = v->keep,
                         .keep_ctx = (void *)(uintptr_t)v };
    if (p.ef == 0) p.ef = s->knob;              /* the structure heeds one of the two */
    if (p.nprobe == 0) p.nprobe = s->knob;
    if (v->keep && !v->search->filter) {        /* how many base rows are alive at most */
        const uint32_t dead = s->dead->n_dead > s->n_tail ? s->dead->n_dead - s->n_tail
                                                          : 0;
        p.n_kept = s->base->rows.n - (dead < s->base->rows.n ? dead : s->base->rows.n);
    }
    return p;
}

/* --- one thread --------------------------------------------------------------------- */

mann_status mni_asker_init(mni_asker *a, const mni_query_view *v, mann_error *err)
{
    *a = (mni_asker){ .gallery = v->gallery };
    MNI_TRY(mni_gallery_take_scratch(v->gallery, &a->scratch, err));
    a->tail = mni_alloc((size_t)v->state->n_tail + 1, sizeof *a->tail);
    return a->tail ? MANN_OK
                   : mni_fail(err, MANN_E_NOMEM, "search: distances to the tail");
}

void mni_asker_fini(mni_asker *a)
{
    if (a->gallery) mni_gallery_give_scratch(a->gallery, a->scratch);
    mni_free(a->tail);
    mni_free(a->near);
    mni_free(a->merged);
    mni_free(a->row);
    mni_free(a->sums);
    *a = (mni_asker){ 0 };
}

/* A search that took so long waited for a disk; then so would their records. */
static void send_for_records(const mni_state *s, const mni_near *rows, size_t n)
{
    enum { MOST = 256 };
    for (size_t i = 0; i < n && i < MOST; i++)
        if (rows[i].row < s->base->rows.n)
            mni_pages_send_for(s->base->records + (size_t)rows[i].row * MNI_RECORD_BYTES,
                               MNI_RECORD_BYTES);
}

mann_status mni_asker_nearest(mni_asker *a, const mni_query_view *v, const float *query,
                              size_t k, const mni_near **rows, size_t *n, mann_error *err)
{
    const mni_state *s = v->state;
    size_t most = mni_state_rows(s), n_base;
    if (k > most) k = most;
    if (!mni_grow((void **)&a->near, &a->near_cap, k + 1, sizeof *a->near) ||
        !mni_grow((void **)&a->merged, &a->merged_cap, k + 1, sizeof *a->merged))
        return mni_fail(err, MANN_E_NOMEM, "search: %zu hits", k);
    if (a->tail_query != query) {
        mni_state_scan_tail(s, query, a->tail);
        a->tail_query = query;
    }
    const mni_ann_params p = mni_query_params(v, k);
    const double start = mni_clock_seconds(), PATIENCE = 2e-3;
    MNI_TRY(mni_ann_search(s->base->ann, &s->base->rows, query, &p, a->scratch, a->near,
                           &n_base, err));
    const int is_slow = mni_clock_seconds() - start > PATIENCE;
    mni_topk best;
    mni_topk_init(&best, a->merged, k);
    for (size_t i = 0; i < n_base; i++)
        mni_topk_push(&best, a->near[i].distance, a->near[i].row);
    for (uint32_t i = 0; i < s->n_tail; i++) {
        uint32_t row = s->base->rows.n + i;
        if (!mni_topk_wants(&best, a->tail[i]) ||
            (v->keep && !keep_row((void *)(uintptr_t)v, row)))
            continue;
        mni_topk_push(&best, a->tail[i], row);
    }
    *n = mni_topk_sort(&best);
    *rows = a->merged;
    if (is_slow) send_for_records(s, *rows, *n);
    return MANN_OK;
}

/* --- rows --------------------------------------------------------------------------- */

typedef struct job {
    const mni_query_view *view;
    mann_hit *hits;
    mann_answer *answers;
} job;

/* Lead of the first hit over the nearest hit of another class. */
static float margin_of(const mann_hit *hits, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (hits[i].klass != hits[0].klass) return hits[0].score - hits[i].score;
    return INFINITY;
}

static mann_status search_range(void *ctx, size_t begin, size_t end, size_t chunk,
                                mann_error *err)
{
    const job *j = ctx;
    const mni_query_view *v = j->view;
    size_t k = v->search->k, n = 0;
    const mni_near *rows;
    mni_asker a;
    (void)chunk;
    mann_status s = mni_asker_init(&a, v, err);
    for (size_t q = begin; q < end && s == MANN_OK; q++) {
        s = mni_asker_nearest(&a, v, v->queries + q * v->dim, k, &rows, &n, err);
        if (s != MANN_OK) break;
        mann_hit *hits = j->hits + q * k;
        for (size_t i = 0; i < k; i++)
            hits[i] = i < n ? mni_query_hit(v, rows[i]) : mni_no_hit;
        if (!j->answers) continue;
        mann_answer *answer = &j->answers[q];
        *answer = (mann_answer){ MANN_UNKNOWN, (uint32_t)n, margin_of(hits, n),
                                 v->known_above, v->unsure_above };
        if (n == 0) continue;
        const mni_near best = rows[0];          /* `rows` does not live so long */
        float score;
        s = mni_judged_score(&a, v, v->queries + q * v->dim, best, &score, err);
        if (s == MANN_OK) s = mni_query_verdict(&a, v, best, score, answer, err);
    }
    mni_asker_fini(&a);
    return s;
}

enum { QUERIES_A_CHUNK = 8 };

mann_status mni_gallery_search(mni_gallery *g, mann_matrix queries, const mann_search *s,
                               mni_pool *pool, mann_hit *hits, mann_answer *answers,
                               mann_error *err)
{
    mni_query_view v;
    mann_status status = mni_query_view_init(&v, g, queries, s, err);
    job j = { &v, hits, answers };
    if (status == MANN_OK)
        status = mni_parallel_try(pool, v.n, QUERIES_A_CHUNK, search_range, &j, err);
    mni_query_view_fini(&v);
    return status;
}
