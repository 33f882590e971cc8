/* eval_ask.c - one question of an evaluation: given exact distances to all references,
 * where does the right class stand, and would the verdict have accepted the answer? Exact
 * distances keep the error of the model apart from that of the index, which is asked
 * beside it. See exam.h. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "os/try.h"
#include "recog/exam.h"
#include "recog/prototype.h"
#include "recog/query.h"

/* Queries of a chunk share each block of rows while it is in the cache; the index is
 * measured on every n-th query, at most so many: exact search is what costs. */
enum {
    DEFAULT_BEST_M = 3, NEAREST = 10, QUERIES_A_CHUNK = 16, ROWS_A_BLOCK = 128,
    MOST_RECALL_QUERIES = 1000
};

typedef struct desk {           /* one thread's work space */
    float *distances;           /* QUERIES_A_CHUNK x n_rows */
    float *from_row;            /* tighten: n_rows distances from a row, not a query */
    const float *distance;      /* of the present query */
    float *best;                /* nearest distance per class */
    uint32_t *row;              /* and whose it is */
    float *prototype;           /* cosine: distance to the class's prototype */
    float *top;                 /* MEAN: n_classes x m nearest distances */
    uint32_t m;
    float *vector;              /* room for one row */
    void *scratch;
    mni_scratch *ann;
} desk;

static void scan_block(const mni_exam_sheet *e, const mni_rows *rows, uint32_t from,
                       const float *queries, size_t n, float *out)
{
    uint32_t to = rows->n - from < ROWS_A_BLOCK ? rows->n : from + ROWS_A_BLOCK;
    for (size_t q = 0; q < n; q++)
        mni_rows_scan(rows, queries + q * e->dim, from, to, out + q * e->n_rows + from);
}

/* Exact distances of n queries to all references, n_rows floats each. */
static void scan_all(const mni_exam_sheet *e, const float *queries, size_t n, float *out)
{
    mni_rows own = { .data = e->rows,
                     .n = (uint32_t)e->n_rows,
                     .dim = (uint32_t)e->dim,
                     .dtype = MNI_F32,
                     .metric = e->metric };
    const mni_rows *rows = e->state ? &e->state->base->rows : &own;
    for (uint32_t from = 0; from < rows->n; from += ROWS_A_BLOCK)
        scan_block(e, rows, from, queries, n, out);
    if (!e->state) return;
    for (size_t q = 0; q < n; q++) {
        float *mine = out + q * e->n_rows;
        mni_state_scan_tail(e->state, queries + q * e->dim, mine + rows->n);
        for (uint32_t row = 0; e->state->dead && row < e->n_rows; row++)
            if (!mni_state_alive(e->state, row)) mine[row] = INFINITY;
    }
}

static void row_of(const mni_exam_sheet *e, uint32_t row, float *out)
{
    if (e->state) mni_state_vector(e->state, row, out);
    else memcpy(out, e->rows + (size_t)row * e->dim, e->dim * sizeof *out);
}

/* --- classes ------------------------------------------------------------------------ */

/* Insertion into the sorted m best distances of one class; +inf where there is none. */
static void offer(float *top, uint32_t m, float distance)
{
    uint32_t i = m - 1;
    if (!(distance < top[i])) return;
    while (i > 0 && top[i - 1] > distance) { top[i] = top[i - 1]; i--; }
    top[i] = distance;
}

static void nearest_rows(const mni_exam_sheet *e, uint32_t self, desk *d)
{
    for (uint32_t k = 0; k < e->n_classes; k++) {
        d->best[k] = INFINITY;
        d->row[k] = MNI_NO_ROW;
    }
    for (size_t i = 0; d->top && i < (size_t)e->n_classes * d->m; i++)
        d->top[i] = INFINITY;
    for (size_t i = 0; i < e->n_rows; i++) {
        const uint32_t k = e->row_labels[i];
        if (k >= e->n_classes || i == self) continue;
        if (d->distance[i] < d->best[k]) {
            d->best[k] = d->distance[i];
            d->row[k] = (uint32_t)i;
        }
        if (d->top) offer(d->top + (size_t)k * d->m, d->m, d->distance[i]);
    }
}

/* How well class k answers by one kind of aggregation, as identify.c would have it: -inf
 * where it has no row. */
static float class_score(const mni_exam_sheet *e, size_t q, uint32_t self, uint32_t k,
                         uint32_t aggregate, const desk *d)
{
    const float near = mni_score(e->metric, d->best[k]);
    if (!isfinite(d->best[k])) return -INFINITY;
    if (aggregate == MANN_AGGREGATE_MEAN) {
        const float *top = d->top + (size_t)k * d->m;
        double sum = 0;
        uint32_t n = 0;
        for (; n < d->m && isfinite(top[n]); n++) sum += mni_score(e->metric, top[n]);
        return (float)(sum / n);
    }
    const int blend = aggregate == MANN_AGGREGATE_BLEND;
    if (e->sums && (blend || aggregate == MANN_AGGREGATE_PROTOTYPE)) {
        const int mine = self != MNI_NO_ROW && e->row_labels[self] == k;
        const uint32_t n = e->class_size[k] - (mine ? 1 : 0);
        if (blend && (n < 2 || !mni_blends(e->metric))) return near;
        if (mine) row_of(e, self, d->vector);
        const float prototype =
            e->prototypes && !mine
                ? mni_score(e->metric, d->prototype[k])
                : mni_prototype_score(e->metric, e->queries + q * e->dim,
                                      e->sums + (size_t)k * e->dim,
                                      mine ? d->vector : NULL, n, e->dim);
        return blend ? mni_blend_score(near, prototype, n) : prototype;
    }
    return near;
}

/* Is the query nearer to the first row than the nearest row of another class is? As
 * verdict.c has it; the query's own row is not there. */
static int is_shadowed(const mni_exam_sheet *e, uint32_t self, desk *d,
                       const mni_outcome *o)
{
    float rival = INFINITY;
    row_of(e, o->first_row, d->vector);
    scan_all(e, d->vector, 1, d->from_row);
    for (size_t i = 0; i < e->n_rows; i++)
        if (e->row_labels[i] < e->n_classes && e->row_labels[i] != o->first &&
            i != self && d->from_row[i] < rival)
            rival = d->from_row[i];
    if (isinf(rival)) return 0;
    return mni_score(e->metric, d->best[o->first]) <
               mni_above(mni_score(e->metric, rival)) || !(o->margin > 0);
}

/* Best class, its lead, the place of the right one, and what the verdict would be. */
static void judge(const mni_exam_sheet *e, size_t q, desk *d, mni_outcome *o)
{
    const uint32_t self = e->self ? e->self[q] : MNI_NO_ROW, own = e->truth[q];
    const uint32_t how = e->search->aggregate;
    float second = -INFINITY;
    uint32_t rank = 1;
    nearest_rows(e, self, d);
    if (e->prototypes) {
        const mni_rows rows = { .data = e->prototypes, .n = e->n_classes,
                                .dim = (uint32_t)e->dim, .dtype = MNI_F32,
                                .metric = e->metric };
        mni_rows_scan(&rows, e->queries + q * e->dim, 0, e->n_classes, d->prototype);
    }
    o->first = MANN_NO_CLASS;
    o->first_row = o->own_row = MNI_NO_ROW;
    o->score = o->judged = -INFINITY;
    o->own_score = own < e->n_classes ? class_score(e, q, self, own, how, d) : NAN;
    if (own < e->n_classes) o->own_row = d->row[own];
    for (uint32_t k = 0; k < e->n_classes; k++) {
        const float score = k == own ? o->own_score : class_score(e, q, self, k, how, d);
        if (score > o->score) {
            second = o->score;
            o->score = score;
            o->first = k;
        } else if (score > second) {
            second = score;
        }
        rank += k != own && (score > o->own_score || (score == o->own_score && k < own));
    }
    if (o->first == MANN_NO_CLASS) return;
    o->first_row = d->row[o->first];
    o->margin = isinf(second) ? INFINITY : o->score - second;
    if (o->scores.n_relevant && e->search->aggregate != MANN_AGGREGATE_MAX &&
        e->search->aggregate != MANN_AGGREGATE_VOTE)
        o->scores.class_rank = rank;
    const float near = class_score(e, q, self, o->first, MANN_AGGREGATE_BLEND, d);
    o->judged = near;
    /* whoever is refused anyway needs no look-alikes, unless all thresholds are drawn */
    if (e->search->tighten && (near >= e->threshold || e->config->curve_path))
        o->shadowed = (uint8_t)is_shadowed(e, self, d, o);
    if (isnan(e->threshold)) return;
    if (near < e->threshold || o->shadowed ||
        o->margin < (e->metric == MANN_COSINE ? e->min_margin : 0))
        return;
    o->verdict = o->first == own ? MNI_ACCEPTED_RIGHT : MNI_ACCEPTED_WRONG;
}

/* --- the index ---------------------------------------------------------------------- */

static int keep_alive(void *ctx, uint32_t row) { return mni_state_alive(ctx, row); }

/* How many of the exact nearest base rows the index finds; and whether the nearest row
 * that it knows of, or that the tail has, is of the right class. */
static mann_status ask_index(const mni_exam_sheet *e, size_t q, desk *d, mni_outcome *o,
                             mann_error *err)
{
    const mni_base *b = e->state->base;
    const uint32_t self = e->self ? e->self[q] : MNI_NO_ROW;
    mni_near exact[NEAREST], found[NEAREST];
    mni_topk best;
    size_t n, n_found = 0;
    mni_topk_init(&best, exact, NEAREST);
    for (uint32_t i = 0; i < b->rows.n; i++)
        if (isfinite(d->distance[i])) mni_topk_push(&best, d->distance[i], i);
    size_t n_exact = mni_topk_sort(&best);
    mni_ann_params p = { .k = NEAREST,
                         .ef = e->search->ef,
                         .nprobe = e->search->nprobe,
                         .keep = e->state->dead ? keep_alive : NULL,
                         .keep_ctx = (void *)(uintptr_t)e->state };
    if (p.ef == 0) p.ef = e->state->knob;       /* the structure heeds one of the two */
    if (p.nprobe == 0) p.nprobe = e->state->knob;
    MNI_TRY(mni_ann_search(b->ann, &b->rows, e->queries + q * e->dim, &p, d->ann, found,
                           &n, err));
    for (size_t i = 0; i < n_exact; i++)        /* equal distances are as good */
        for (size_t k = 0; k < n; k++)
            if (found[k].row == exact[i].row || found[k].distance == exact[i].distance) {
                n_found++;
                break;
            }
    o->looked_up = 1;
    o->found = (uint8_t)(n_exact < NEAREST && n_found == n_exact ? NEAREST : n_found);
    mni_near near = { INFINITY, MNI_NO_ROW };
    for (size_t i = 0; i < e->n_rows; i++)
        if (i != self && e->row_labels[i] < e->n_classes &&
            d->distance[i] < near.distance)
            near = (mni_near){ d->distance[i], (uint32_t)i };
    o->nearest_right = near.row != MNI_NO_ROW && e->row_labels[near.row] == e->truth[q];
    near = (mni_near){ INFINITY, MNI_NO_ROW };
    for (size_t k = 0; k < n; k++)
        if (found[k].row != self && e->row_labels[found[k].row] < e->n_classes &&
            mni_nearer(found[k], near))
            near = found[k];
    for (uint32_t i = b->rows.n; i < e->n_rows; i++) {
        const mni_near tail = { d->distance[i], i };
        if (i != self && e->row_labels[i] < e->n_classes && mni_nearer(tail, near))
            near = tail;
    }
    o->index_right = near.row != MNI_NO_ROW && e->row_labels[near.row] == e->truth[q];
    return MANN_OK;
}

static mann_status ask(const mni_exam_sheet *e, size_t q, desk *d, mann_error *err)
{
    const uint32_t self = e->self ? e->self[q] : MNI_NO_ROW;
    mni_outcome *o = &e->outcome[q];
    if (e->state && q % e->recall_step == 0) MNI_TRY(ask_index(e, q, d, o, err));
    if (e->truth[q] != MANN_NO_CLASS)
        mni_metrics_query(d->distance, e->row_labels, e->n_rows, e->n_classes,
                          e->truth[q], self, d->scratch, &o->scores);
    judge(e, q, d, o);
    return MANN_OK;
}

static mann_status ask_range(void *ctx, size_t begin, size_t end, size_t chunk,
                             mann_error *err)
{
    const mni_exam_sheet *e = ctx;
    desk d = { 0 };
    (void)chunk;
    d.distances =
        mni_alloc_aligned(e->n_rows + 1, QUERIES_A_CHUNK * sizeof *d.distances, 0);
    d.best = mni_alloc((size_t)e->n_classes + 1, sizeof *d.best);
    d.row = mni_alloc((size_t)e->n_classes + 1, sizeof *d.row);
    d.prototype = mni_alloc((size_t)e->n_classes + 1, sizeof *d.prototype);
    d.vector = mni_alloc(e->dim, sizeof *d.vector);
    d.from_row = mni_alloc(e->search->tighten ? e->n_rows + 1 : 1, sizeof *d.from_row);
    d.m = e->search->best_m ? e->search->best_m : DEFAULT_BEST_M;
    const int mean = e->search->aggregate == MANN_AGGREGATE_MEAN;
    d.top = mean ? mni_alloc((size_t)e->n_classes + 1, d.m * sizeof *d.top) : NULL;
    d.scratch = mni_alloc(mni_metrics_scratch_bytes(e->n_rows, e->n_classes), 1);
    mann_status s =
        d.distances && d.best && d.scratch && d.row && d.prototype && d.vector &&
                d.from_row && (d.top || !mean)
            ? mni_scratch_new(&d.ann, err)
            : mni_fail(err, MANN_E_NOMEM, "eval: distances to %zu rows", e->n_rows);
    if (s == MANN_OK)
        scan_all(e, e->queries + begin * e->dim, end - begin, d.distances);
    for (size_t q = begin; q < end && s == MANN_OK; q++) {
        d.distance = d.distances + (q - begin) * e->n_rows;
        s = ask(e, q, &d, err);
    }
    mni_free(d.distances);
    mni_free(d.best);
    mni_free(d.row);
    mni_free(d.prototype);
    mni_free(d.vector);
    mni_free(d.from_row);
    mni_free(d.top);
    mni_free(d.scratch);
    mni_scratch_free(d.ann);
    return s;
}


/* --- all questions ------------------------------------------------------------------ */

/* The sums of all classes once; a query's own row is taken off again. */
static mann_status sum_classes(mni_exam_sheet *e, mann_error *err)
{
    float *v = mni_alloc(e->dim, sizeof *v);
    e->sums = mni_alloc((size_t)e->n_classes + 1, e->dim * sizeof *e->sums);
    e->class_size = mni_alloc((size_t)e->n_classes + 1, sizeof *e->class_size);
    for (uint32_t i = 0; v && e->sums && e->class_size && i < e->n_rows; i++) {
        const uint32_t k = e->row_labels[i];
        if (k >= e->n_classes) continue;
        row_of(e, i, v);
        for (size_t j = 0; j < e->dim; j++) e->sums[(size_t)k * e->dim + j] += v[j];
        e->class_size[k]++;
    }
    int ok = v && e->sums && e->class_size;
    if (ok && e->metric == MANN_COSINE) {
        const size_t n = (size_t)e->n_classes * e->dim;
        e->prototypes = mni_alloc_aligned(n + 1, sizeof *e->prototypes, 0);
        ok = e->prototypes != NULL;
        for (size_t i = 0; ok && i < n; i++) e->prototypes[i] = (float)e->sums[i];
        for (uint32_t k = 0; ok && k < e->n_classes; k++)
            mni_prototype_unit(e->prototypes + (size_t)k * e->dim, e->dim);
    }
    mni_free(v);
    return ok ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "eval: %u prototypes",
                                   (unsigned)e->n_classes);
}

mann_status mni_exam_ask(mni_exam_sheet *e, mni_pool *pool, mann_error *err)
{
    mann_status s = MANN_OK;
    e->recall_step = e->n_queries / MOST_RECALL_QUERIES + 1;
    if (e->search->aggregate == MANN_AGGREGATE_PROTOTYPE ||
        (mni_blends(e->metric) && e->n_rows > e->n_classes))
        s = sum_classes(e, err);
    if (s == MANN_OK)
        s = mni_parallel_try(pool, e->n_queries, QUERIES_A_CHUNK, ask_range, e, err);
    mni_free(e->sums);
    mni_free(e->prototypes);
    mni_free(e->class_size);
    return s;
}
