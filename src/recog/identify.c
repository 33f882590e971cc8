/* identify.c - the central query: the k best distinct classes, and a verdict.
 *
 * Rows are fetched nearest first until k distinct classes are among them; where a class
 * has many rows, that takes several rounds, each asking for four times as many. Then rows
 * speak for their class:
 *
 *   max   the nearest row alone. Exact whenever the rows are.
 *   mean  the mean score of the best m rows of the class (all it has, if fewer).
 *   Candidates are the classes
 *         met while fetching; for these every row is looked at, also those that were not
 *         fetched.
 *   vote  the share of the m nearest rows; classes without a vote follow in order of
 *   distance.
 *
 *   prototype   the score of the mean of the class's rows; candidates as for mean.
 *   blend       half the nearest row, half the prototype, of the 2 k nearest classes.
 *               Where no class has two rows it is max, and costs as much.
 *
 * The verdict (verdict.c) is always about the blend of the first class, whoever chose it:
 * that is what the calibration was measured on. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/try.h"
#include "recog/prototype.h"
#include "recog/query.h"

enum {
    DEFAULT_BEST_M = 3, DEFAULT_VOTERS = 10, WIDEN = 4, QUERIES_A_CHUNK = 8,
    BLENDED = 16                /* classes at least: of 10,000 queries none had its first
                                 * class farther down by its nearest row (README.md) */
};

typedef struct candidate {
    uint32_t klass, votes, n_best;
    mni_near best;              /* nearest row */
    float score;                /* after aggregation */
} candidate;

typedef struct judge {
    mni_asker asker;
    mni_idmap seen;             /* class -> candidate */
    candidate *list;
    size_t n, cap;
    float *top;                 /* MEAN: n x m best distances, each sorted */
    size_t top_cap;
    uint32_t *klass, *count;    /* PROTOTYPE, BLEND: of all candidates */
    float *score;
    size_t klass_cap, count_cap, score_cap;
} judge;

static mann_status no_memory(mann_error *err)
{
    return mni_fail(err, MANN_E_NOMEM, "identify: candidates");
}

/* Distinct classes of the rows, in order of their nearest row. */
static mann_status distinct(judge *j, const mni_query_view *v, const mni_near *rows,
                            size_t n, mann_error *err)
{
    mni_idmap_fini(&j->seen);
    j->n = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t klass = mni_state_class(v->state, rows[i].row), at;
        if (klass == MANN_NO_CLASS || mni_idmap_get(&j->seen, klass, &at)) continue;
        if (!mni_grow((void **)&j->list, &j->cap, j->n + 1, sizeof *j->list) ||
            !mni_idmap_put(&j->seen, klass, (uint32_t)j->n))
            return no_memory(err);
        j->list[j->n++] = (candidate){ .klass = klass, .best = rows[i] };
    }
    return MANN_OK;
}

/* Widens until `want` classes are found or no row is left. */
static mann_status find_classes(judge *j, const mni_query_view *v, const float *query,
                                size_t want, size_t n_rows, const mni_near **rows,
                                size_t *n, mann_error *err)
{
    size_t most = mni_state_rows(v->state);
    if (want > v->state->n_live_classes) want = v->state->n_live_classes;
    for (size_t k = n_rows;; k *= WIDEN) {
        MNI_TRY(mni_asker_nearest(&j->asker, v, query, k, rows, n, err));
        MNI_TRY(distinct(j, v, *rows, *n, err));
        if (j->n >= want || *n < k || k >= most) return MANN_OK;
    }
}

/* --- mean of the best m ------------------------------------------------------------- */

/* Insertion into the sorted m best distances of one candidate. */
static void offer(candidate *c, float *top, uint32_t m, float distance)
{
    uint32_t i;
    if (c->n_best < m) i = c->n_best++;
    else if (distance < top[m - 1]) i = m - 1;
    else return;
    while (i > 0 && top[i - 1] > distance) { top[i] = top[i - 1]; i--; }
    top[i] = distance;
}

static mann_status mean_of_best(judge *j, const mni_query_view *v, const float *query,
                                uint32_t m, mann_error *err)
{
    const mni_state *s = v->state;
    const mni_base *b = s->base;
    if (!mni_grow((void **)&j->top, &j->top_cap, j->n * m + 1, sizeof *j->top))
        return no_memory(err);
    for (size_t i = 0; i < j->n; i++) {
        candidate *c = &j->list[i];
        float *top = j->top + i * m, distance;
        if (c->klass >= b->meta.n_classes) continue;
        for (uint32_t at = b->class_at[c->klass];
             at < b->class_at[c->klass + 1] && at < b->rows.n; at++) {
            uint32_t row = b->class_rows[at];
            if (row >= b->rows.n || (v->keep && !v->keep((void *)(uintptr_t)v, row)))
                continue;
            mni_rows_scan(&b->rows, query, row, row + 1, &distance);
            offer(c, top, m, distance);
        }
    }
    for (uint32_t t = 0; t < s->n_tail; t++) {
        uint32_t row = b->rows.n + t, at;
        uint32_t klass = mni_state_class(s, row);
        if (klass == MANN_NO_CLASS || !mni_idmap_get(&j->seen, klass, &at)) continue;
        if (v->keep && !v->keep((void *)(uintptr_t)v, row)) continue;
        offer(&j->list[at], j->top + (size_t)at * m, m, j->asker.tail[t]);
    }
    for (size_t i = 0; i < j->n; i++) {
        candidate *c = &j->list[i];
        double sum = 0;
        for (uint32_t r = 0; r < c->n_best; r++)
            sum += mni_score((mann_metric)b->meta.metric, j->top[i * m + r]);
        c->score = (float)(sum / (c->n_best ? c->n_best : 1));
    }
    return MANN_OK;
}

/* --- prototype, blend --------------------------------------------------------------- */

static mann_status score_prototypes(judge *j, const mni_query_view *v, const float *query,
                                    int blend, mann_error *err)
{
    if (!mni_grow((void **)&j->klass, &j->klass_cap, j->n + 1, sizeof *j->klass) ||
        !mni_grow((void **)&j->count, &j->count_cap, j->n + 1, sizeof *j->count) ||
        !mni_grow((void **)&j->score, &j->score_cap, j->n + 1, sizeof *j->score))
        return no_memory(err);
    for (size_t i = 0; i < j->n; i++) j->klass[i] = j->list[i].klass;
    MNI_TRY(mni_prototypes(&j->asker, v, query, j->klass, j->n, j->score, j->count, err));
    for (size_t i = 0; i < j->n; i++)
        j->list[i].score = blend ? mni_blend_score(j->list[i].score, j->score[i],
                                                   j->count[i])
                                 : j->score[i];
    return MANN_OK;
}

/* --- vote --------------------------------------------------------------------------- */

static void count_votes(judge *j, const mni_query_view *v, const mni_near *rows, size_t n,
                        uint32_t voters)
{
    size_t m = n < voters ? n : voters;
    for (size_t i = 0; i < m; i++) {
        uint32_t at;
        if (mni_idmap_get(&j->seen, mni_state_class(v->state, rows[i].row), &at))
            j->list[at].votes++;
    }
    for (size_t i = 0; i < j->n; i++)
        j->list[i].score = m ? (float)j->list[i].votes / (float)m : 0;
}

/* --- one query ---------------------------------------------------------------------- */

static int better(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return mni_nearer(x->best, y->best) ? -1 : 1;
}

static mann_status judge_query(judge *j, const mni_query_view *v, const float *query,
                               mann_error *err)
{
    const mann_search *s = v->search;
    uint32_t m = s->best_m                             ? s->best_m
                 : s->aggregate == MANN_AGGREGATE_VOTE ? DEFAULT_VOTERS
                                                       : DEFAULT_BEST_M;
    size_t want = s->k < 2 ? 2 : s->k, n_rows, n;    /* the margin needs a second class */
    const mni_near *rows;
    j->asker.tail_query = NULL;
    const mann_metric metric = (mann_metric)v->state->base->meta.metric;
    const int blend = s->aggregate == MANN_AGGREGATE_BLEND && mni_blends(metric) &&
                      v->state->n_live > v->state->n_live_classes;
    const int prototypes = blend || s->aggregate == MANN_AGGREGATE_PROTOTYPE;
    if (blend) want = 2 * want < BLENDED ? BLENDED : 2 * want;
    else if ((s->aggregate == MANN_AGGREGATE_MEAN || prototypes) && want < 32)
        want = 4 * want < 32 ? 32 : 4 * want;
    n_rows = (blend ? 2 : WIDEN) * want;
    if (s->aggregate == MANN_AGGREGATE_VOTE && n_rows < m) n_rows = m;
    MNI_TRY(find_classes(j, v, query, want, n_rows, &rows, &n, err));
    if (blend && j->n > want) j->n = want;
    for (size_t i = 0; i < j->n; i++)
        j->list[i].score = mni_score(metric, j->list[i].best.distance);
    if (s->aggregate == MANN_AGGREGATE_MEAN) MNI_TRY(mean_of_best(j, v, query, m, err));
    if (prototypes) MNI_TRY(score_prototypes(j, v, query, blend, err));
    if (s->aggregate == MANN_AGGREGATE_VOTE) count_votes(j, v, rows, n, m);
    qsort(j->list, j->n, sizeof *j->list, better);
    return MANN_OK;
}

typedef struct job {
    const mni_query_view *view;
    mann_hit *hits;
    mann_answer *answers;
} job;

static mann_status write_answer(judge *j, const mni_query_view *v, const float *query,
                                mann_hit *hits, mann_answer *answer, mann_error *err)
{
    float score;
    size_t k = v->search->k, n = j->n < k ? j->n : k;
    for (size_t i = 0; i < k; i++) {
        hits[i] = i < n ? mni_query_hit(v, j->list[i].best) : mni_no_hit;
        if (i < n) hits[i].score = j->list[i].score;
    }
    if (!answer) return MANN_OK;
    *answer = (mann_answer){ MANN_UNKNOWN, (uint32_t)n, INFINITY, v->known_above,
                             v->unsure_above };
    if (j->n > 1) answer->margin = j->list[0].score - j->list[1].score;
    if (j->n == 0) return MANN_OK;
    const mni_near best = j->list[0].best;
    if (v->search->aggregate == MANN_AGGREGATE_BLEND) score = j->list[0].score;
    else MNI_TRY(mni_judged_score(&j->asker, v, query, best, &score, err));
    return mni_query_verdict(&j->asker, v, best, score, answer, err);
}

static mann_status identify_range(void *ctx, size_t begin, size_t end, size_t chunk,
                                  mann_error *err)
{
    const job *work = ctx;
    const mni_query_view *v = work->view;
    judge j = { 0 };
    (void)chunk;
    mann_status s = mni_asker_init(&j.asker, v, err);
    for (size_t q = begin; q < end && s == MANN_OK; q++) {
        s = judge_query(&j, v, v->queries + q * v->dim, err);
        if (s != MANN_OK) break;
        s = write_answer(&j, v, v->queries + q * v->dim, work->hits + q * v->search->k,
                         work->answers ? &work->answers[q] : NULL, err);
    }
    mni_asker_fini(&j.asker);
    mni_idmap_fini(&j.seen);
    mni_free(j.list);
    mni_free(j.top);
    mni_free(j.klass);
    mni_free(j.count);
    mni_free(j.score);
    return s;
}

mann_status mni_gallery_identify(mni_gallery *g, mann_matrix queries,
                                 const mann_search *s, mni_pool *pool, mann_hit *hits,
                                 mann_answer *answers, mann_error *err)
{
    mni_query_view v;
    mann_status status = mni_query_view_init(&v, g, queries, s, err);
    job j = { &v, hits, answers };
    if (status == MANN_OK)
        status = mni_parallel_try(pool, v.n, QUERIES_A_CHUNK, identify_range, &j, err);
    mni_query_view_fini(&v);
    return status;
}
