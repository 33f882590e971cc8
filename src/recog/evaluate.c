/* evaluate.c - labelled photos asked of a gallery, or split into references and queries.
 *
 * Both ways end in one question, asked per query: given exact distances to all
 * references, where does the right class stand, and would the verdict have accepted the
 * answer? Exact distances keep the error of the model apart from that of the index, which
 * is measured beside it (ann_recall). Definitions: src/eval/README.md.
 * SPDX-License-Identifier: MIT */
#include "recog/evaluate.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "eval/metrics.h"
#include "os/try.h"
#include "recog/embed.h"

/* --- all photos of a set as vectors ------------------------------------------------- */

typedef struct vectors {
    float *rows;                /* n x dim, prepared */
    uint32_t *labels;
    uint64_t *hashes;
    size_t n, dim;
    uint64_t n_bad;
    mann_metric metric;
    const mni_labelled *set;
} vectors;

static void vectors_fini(vectors *v)
{
    mni_free(v->rows);
    mni_free(v->labels);
    mni_free(v->hashes);
}

static mann_status keep_group(void *ctx, uint64_t first, size_t n,
                              const mni_photo *photos, mann_error *err)
{
    vectors *v = ctx;
    for (size_t i = 0; i < n; i++) {
        if (photos[i].result != MNI_PHOTO_OK) { v->n_bad++; continue; }
        float *row = v->rows + v->n * v->dim;
        memcpy(row, photos[i].vector, v->dim * sizeof *row);
        MNI_TRY(
            mni_rows_prepare(v->metric, row, (uint32_t)v->dim, "photo", first + i, err));
        v->labels[v->n] = v->set->labels[first + i];
        v->hashes[v->n++] = photos[i].content_hash;
    }
    return MANN_OK;
}

static mann_status embed_set(vectors *v, mni_gallery *g, const mni_labelled *set,
                             mni_pool *pool, const mann_hooks *h, mann_error *err)
{
    const mni_model *m;
    *v = (vectors){ .set = set, .metric = MANN_COSINE };
    MNI_TRY(mni_gallery_model(g, &m, err));
    mni_state *s = mni_gallery_state(g);
    v->metric = (mann_metric)s->base->meta.metric;
    v->dim = s->base->meta.dim;
    mni_state_release(s);
    size_t n = (size_t)set->photos.n;
    v->rows = mni_alloc_aligned(n, v->dim * sizeof *v->rows, 0);
    v->labels = mni_alloc(n + 1, sizeof *v->labels);
    v->hashes = mni_alloc(n + 1, sizeof *v->hashes);
    if (!v->rows || !v->labels || !v->hashes)
        return mni_fail(err, MANN_E_NOMEM, "eval: vectors of %zu photos", n);
    return mni_embed_photos(m, &g->recipe, &set->photos, "embed", NULL, keep_group, v,
                            pool, h, NULL, err);
}

/* --- one question ------------------------------------------------------------------- */

/* The references, however they came about. */
typedef struct exam {
    mni_query_scores *scores;   /* n_queries */
    uint8_t *verdict;           /* n_queries: see below */
    uint32_t *found;    /* n_queries: of the exact 10 nearest, how many the index found */
    const float *queries;       /* n_queries x dim */
    const uint32_t *truth;     /* class among the references; MANN_NO_CLASS: a stranger */
    const uint32_t *self;       /* own row, or MNI_NO_ROW; NULL: nobody has one */
    const uint32_t *row_labels; /* n_rows */
    size_t n_queries, n_rows, dim, recall_step;
    uint32_t n_classes;
    float threshold, min_margin;
    mann_metric metric;
    const mni_state *state;     /* references are this gallery's rows ... */
    const float *rows;          /* ... or these (n_rows x dim) */
    const mann_search *search;
} exam;

enum { REFUSED = 0, ACCEPTED_RIGHT = 1, ACCEPTED_WRONG = 2 };
/* Queries of a chunk share each block of rows while it is in the cache; the index is
 * measured on every n-th query, at most so many: exact search is what costs. */
enum {
    NEAREST = 10, QUERIES_A_CHUNK = 16, ROWS_A_BLOCK = 128, MOST_RECALL_QUERIES = 1000
};

typedef struct desk {           /* one thread's work space */
    float *distances;           /* QUERIES_A_CHUNK x n_rows */
    const float *distance;      /* of the present query */
    float *best;                /* nearest row per class */
    void *scratch;
    mni_scratch *ann;
} desk;

static void scan_block(const exam *e, const mni_rows *rows, uint32_t from, size_t begin,
                       size_t end, float *out)
{
    uint32_t to = rows->n - from < ROWS_A_BLOCK ? rows->n : from + ROWS_A_BLOCK;
    for (size_t q = begin; q < end; q++)
        mni_rows_scan(rows, e->queries + q * e->dim, from, to,
                      out + (q - begin) * e->n_rows + from);
}

/* Exact distances of queries [begin, end) to all references, n_rows floats each. */
static void scan_all(const exam *e, size_t begin, size_t end, float *out)
{
    mni_rows own = { .data = e->rows,
                     .n = (uint32_t)e->n_rows,
                     .dim = (uint32_t)e->dim,
                     .dtype = MNI_F32,
                     .metric = e->metric };
    const mni_rows *rows = e->state ? &e->state->base->rows : &own;
    for (uint32_t from = 0; from < rows->n; from += ROWS_A_BLOCK)
        scan_block(e, rows, from, begin, end, out);
    if (!e->state) return;
    for (size_t q = begin; q < end; q++) {
        float *mine = out + (q - begin) * e->n_rows;
        mni_state_scan_tail(e->state, e->queries + q * e->dim, mine + rows->n);
        for (uint32_t row = 0; e->state->dead && row < e->n_rows; row++)
            if (!mni_state_alive(e->state, row)) mine[row] = INFINITY;
    }
}

/* What the verdict would be, from the nearest rows of the two nearest classes. */
static uint8_t judge(const exam *e, size_t q, desk *d)
{
    uint32_t self = e->self ? e->self[q] : MNI_NO_ROW, first = MANN_NO_CLASS;
    for (uint32_t k = 0; k < e->n_classes; k++) d->best[k] = INFINITY;
    for (size_t i = 0; i < e->n_rows; i++) {
        uint32_t k = e->row_labels[i];
        if (k < e->n_classes && i != self && d->distance[i] < d->best[k])
            d->best[k] = d->distance[i];
    }
    float near = INFINITY, second = INFINITY;
    for (uint32_t k = 0; k < e->n_classes; k++) {
        if (d->best[k] < near) { second = near; near = d->best[k]; first = k; }
        else if (d->best[k] < second) second = d->best[k];
    }
    if (first == MANN_NO_CLASS || isnan(e->threshold)) return REFUSED;
    float score = mni_score(e->metric, near);
    float lead = isinf(second) ? INFINITY : score - mni_score(e->metric, second);
    if (score < e->threshold || lead < (e->metric == MANN_COSINE ? e->min_margin : 0))
        return REFUSED;
    return first == e->truth[q] ? ACCEPTED_RIGHT : ACCEPTED_WRONG;
}

static int keep_alive(void *ctx, uint32_t row) { return mni_state_alive(ctx, row); }

/* How many of the exact nearest base rows the index finds. */
static mann_status index_recall(const exam *e, size_t q, desk *d, mann_error *err)
{
    const mni_base *b = e->state->base;
    mni_near exact[NEAREST], found[NEAREST];
    mni_topk best;
    size_t n;
    mni_topk_init(&best, exact, NEAREST);
    for (uint32_t i = 0; i < b->rows.n; i++)
        if (isfinite(d->distance[i])) mni_topk_push(&best, d->distance[i], i);
    size_t n_exact = mni_topk_sort(&best);
    mni_ann_params p = { .k = NEAREST,
                         .ef = e->search->ef,
                         .nprobe = e->search->nprobe,
                         .keep = e->state->dead ? keep_alive : NULL,
                         .keep_ctx = (void *)(uintptr_t)e->state };
    MNI_TRY(mni_ann_search(b->ann, &b->rows, e->queries + q * e->dim, &p, d->ann, found,
                           &n, err));
    for (size_t i = 0; i < n_exact; i++)        /* equal distances are as good */
        for (size_t k = 0; k < n; k++)
            if (found[k].row == exact[i].row || found[k].distance == exact[i].distance) {
                e->found[q]++;
                break;
            }
    if (n_exact < NEAREST && e->found[q] == n_exact) e->found[q] = NEAREST;
    return MANN_OK;
}

static mann_status ask(const exam *e, size_t q, desk *d, mann_error *err)
{
    uint32_t self = e->self ? e->self[q] : MNI_NO_ROW;
    if (e->found && q % e->recall_step == 0) MNI_TRY(index_recall(e, q, d, err));
    if (e->truth[q] != MANN_NO_CLASS)
        mni_metrics_query(d->distance, e->row_labels, e->n_rows, e->n_classes,
                          e->truth[q], self, d->scratch, &e->scores[q]);
    e->verdict[q] = judge(e, q, d);
    return MANN_OK;
}

static mann_status ask_range(void *ctx, size_t begin, size_t end, size_t chunk,
                             mann_error *err)
{
    const exam *e = ctx;
    desk d = { 0 };
    (void)chunk;
    d.distances =
        mni_alloc_aligned(e->n_rows + 1, QUERIES_A_CHUNK * sizeof *d.distances, 0);
    d.best = mni_alloc((size_t)e->n_classes + 1, sizeof *d.best);
    d.scratch = mni_alloc(mni_metrics_scratch_bytes(e->n_rows, e->n_classes), 1);
    mann_status s =
        d.distances && d.best && d.scratch
            ? mni_scratch_new(&d.ann, err)
            : mni_fail(err, MANN_E_NOMEM, "eval: distances to %zu rows", e->n_rows);
    if (s == MANN_OK) scan_all(e, begin, end, d.distances);
    for (size_t q = begin; q < end && s == MANN_OK; q++) {
        d.distance = d.distances + (q - begin) * e->n_rows;
        s = ask(e, q, &d, err);
    }
    mni_free(d.distances);
    mni_free(d.best);
    mni_free(d.scratch);
    mni_scratch_free(d.ann);
    return s;
}

/* --- all questions ------------------------------------------------------------------ */

static void add_up(const exam *e, mann_scores *out)
{
    mni_totals t = { 0 };
    uint64_t accepted = 0, refused = 0, wrong = 0, found = 0, sought = 0, n_members = 0;
    for (size_t q = 0; q < e->n_queries; q++) {
        if (e->found && q % e->recall_step == 0) {
            found += e->found[q];
            sought += NEAREST;
        }
        if (e->truth[q] == MANN_NO_CLASS) {
            out->n_strangers++;
            accepted += e->verdict[q] != REFUSED;
            continue;
        }
        mni_totals_add(&t, &e->scores[q]);
        if (e->scores[q].n_relevant == 0) continue;
        n_members++;
        out->n_self += e->self && e->self[q] != MNI_NO_ROW;
        refused += e->verdict[q] == REFUSED;
        wrong += e->verdict[q] == ACCEPTED_WRONG;
    }
    mni_totals_finish(&t);
    out->n_queries = t.n;
    out->n_lone = t.n_lone;
    out->top1 = t.top1; out->top5 = t.top5; out->top10 = t.top10; out->mrr = t.mrr;
    out->map = t.map; out->map_at_r = t.map_at_r; out->r_precision = t.r_precision;
    int judged = !isnan(e->threshold);
    out->fpir =
        judged && out->n_strangers ? (double)accepted / (double)out->n_strangers : NAN;
    out->fnir = judged && n_members ? (double)refused / (double)n_members : NAN;
    out->wrong_known = judged && n_members ? (double)wrong / (double)n_members : NAN;
    out->ann_recall = sought ? (double)found / (double)sought : NAN;
}

static mann_status sit(exam *e, mni_pool *pool, mann_scores *out, mann_error *err)
{
    e->scores = mni_alloc(e->n_queries + 1, sizeof *e->scores);
    e->verdict = mni_alloc(e->n_queries + 1, 1);
    e->recall_step = e->n_queries / MOST_RECALL_QUERIES + 1;
    e->found = e->state ? mni_alloc(e->n_queries + 1, sizeof *e->found) : NULL;
    mann_status s = e->scores && e->verdict && (e->found || !e->state)
        ? mni_parallel_try(pool, e->n_queries, QUERIES_A_CHUNK, ask_range, e, err)
        : mni_fail(err, MANN_E_NOMEM, "eval: %zu queries", e->n_queries);
    if (s == MANN_OK) add_up(e, out);
    mni_free(e->scores);
    mni_free(e->verdict);
    mni_free(e->found);
    return s;
}

/* --- against the gallery ------------------------------------------------------------ */

/* The gallery's number of each class of the set; MANN_NO_CLASS where it has none. */
static mann_status map_classes(mni_gallery *g, const mni_state *s,
                               const mni_labelled *set, uint32_t **map, mann_error *err)
{
    *map = mni_alloc((size_t)set->n_classes + 1, sizeof **map);
    if (!*map) return mni_fail(err, MANN_E_NOMEM, "eval: classes");
    mni_mutex_lock(&g->lock);
    for (uint32_t k = 0; k < set->n_classes; k++)
        if (!mni_state_find_class(s, set->names[k], &(*map)[k]))
            (*map)[k] = MANN_NO_CLASS;
    mni_mutex_unlock(&g->lock);
    return MANN_OK;
}

/* Row of the same content and class, if the gallery holds the very photo that is
 * asked. */
static mann_status find_selves(const mni_state *s, const vectors *v,
                               const uint32_t *truth, uint32_t *self, mann_error *err)
{
    mni_idmap by_content = { 0 };
    int ok = 1;
    for (uint32_t row = 0; ok && row < mni_state_rows(s); row++) {
        mni_record r;
        if (!mni_state_alive(s, row)) continue;
        mni_state_record(s, row, &r);
        ok = mni_idmap_put(&by_content, mni_mix64(r.content_hash + r.klass), row);
    }
    for (size_t q = 0; ok && q < v->n; q++)
        if (truth[q] == MANN_NO_CLASS ||
            !mni_idmap_get(&by_content, mni_mix64(v->hashes[q] + truth[q]), &self[q]))
            self[q] = MNI_NO_ROW;
    mni_idmap_fini(&by_content);
    return ok ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "eval: list of contents");
}

static mann_status against_gallery(mni_gallery *g, const mni_labelled *set,
                                   const vectors *v, const mann_search *search,
                                   mni_pool *pool, mann_scores *out, mann_error *err)
{
    mni_state *s = mni_gallery_state(g);
    uint32_t n_rows = mni_state_rows(s), *map = NULL;
    uint32_t *labels = mni_alloc((size_t)n_rows + 1, sizeof *labels);
    uint32_t *truth = mni_alloc(v->n + 1, sizeof *truth),
             *self = mni_alloc(v->n + 1, sizeof *self);
    float unsure;
    exam e = { .queries = v->rows,
               .truth = truth,
               .self = self,
               .row_labels = labels,
               .n_queries = v->n,
               .n_rows = n_rows,
               .dim = v->dim,
               .n_classes = s->n_classes,
               .min_margin = search->min_margin,
               .metric = v->metric,
               .state = s,
               .search = search };
    mann_status status = labels && truth && self
                             ? map_classes(g, s, set, &map, err)
                             : mni_fail(err, MANN_E_NOMEM, "eval: %zu queries", v->n);
    if (status == MANN_OK) {
        for (uint32_t row = 0; row < n_rows; row++)
            labels[row] =
                mni_state_alive(s, row) ? mni_state_class(s, row) : MANN_NO_CLASS;
        for (size_t q = 0; q < v->n; q++)
            truth[q] = v->labels[q] == MANN_NO_CLASS ? MANN_NO_CLASS : map[v->labels[q]];
        mni_gallery_thresholds(g, s, search->false_accept, &e.threshold, &unsure);
        status = find_selves(s, v, truth, self, err);
    }
    if (status == MANN_OK) status = sit(&e, pool, out, err);
    mni_free(labels);
    mni_free(truth);
    mni_free(self);
    mni_free(map);
    mni_state_release(s);
    return status;
}

/* --- references and queries from one set -------------------------------------------- */

typedef struct split {
    float *refs, *queries;
    uint32_t *ref_labels, *truth;
    size_t n_refs, n_queries;
    uint32_t n_known;
    uint32_t *number;       /* of a class among the known ones; MANN_NO_CLASS: held out */
    uint32_t *taken;            /* references of a class so far */
} split;

static void split_fini(split *p)
{
    mni_free(p->refs);
    mni_free(p->queries);
    mni_free(p->ref_labels);
    mni_free(p->truth);
    mni_free(p->number);
    mni_free(p->taken);
}

/* Open set: every second class of a random order is held out. */
static mann_status choose_classes(split *p, uint32_t n_classes, const mann_eval_config *c,
                                  mann_error *err)
{
    uint32_t *order = mni_alloc((size_t)n_classes + 1, sizeof *order);
    p->number = mni_alloc((size_t)n_classes + 1, sizeof *p->number);
    p->taken = mni_alloc((size_t)n_classes + 1, sizeof *p->taken);
    if (!order || !p->number || !p->taken) {
        mni_free(order);
        return mni_fail(err, MANN_E_NOMEM, "eval: classes");
    }
    mni_rng r = mni_rng_at(c->seed, MNI_FOR_SPLIT, 0, 0, 0);
    mni_rng_shuffle(&r, order, n_classes);
    for (uint32_t i = 0; i < n_classes; i++)
        p->number[order[i]] = c->open_set && i % 2 ? MANN_NO_CLASS : p->n_known++;
    mni_free(order);
    return MANN_OK;
}

static mann_status make_split(split *p, const vectors *v, uint32_t n_classes,
                              const mann_eval_config *c, mann_error *err)
{
    MNI_TRY(choose_classes(p, n_classes, c, err));
    size_t row_bytes = v->dim * sizeof *v->rows;
    p->refs = mni_alloc_aligned(v->n, row_bytes, 0);
    p->queries = mni_alloc_aligned(v->n, row_bytes, 0);
    p->ref_labels = mni_alloc(v->n + 1, sizeof *p->ref_labels);
    p->truth = mni_alloc(v->n + 1, sizeof *p->truth);
    if (!p->refs || !p->queries || !p->ref_labels || !p->truth)
        return mni_fail(err, MANN_E_NOMEM, "eval: %zu vectors", v->n);
    for (size_t i = 0; i < v->n; i++) {          /* photos come in order of their paths */
        uint32_t k = v->labels[i];
        const float *row = v->rows + i * v->dim;
        if (k == MANN_NO_CLASS) continue;
        if (p->number[k] != MANN_NO_CLASS && p->taken[k] < c->refs) {
            p->taken[k]++;
            memcpy(p->refs + p->n_refs * v->dim, row, row_bytes);
            p->ref_labels[p->n_refs++] = p->number[k];
        } else {
            memcpy(p->queries + p->n_queries * v->dim, row, row_bytes);
            p->truth[p->n_queries++] = p->number[k];
        }
    }
    return MANN_OK;
}

static mann_status from_split(mni_gallery *g, const vectors *v, uint32_t n_classes,
                              const mann_eval_config *c, const mann_search *search,
                              mni_pool *pool, mann_scores *out, mann_error *err)
{
    split p = { 0 };
    mni_calib calib = g->model_calib;
    mann_status s = make_split(&p, v, n_classes, c, err);
    if (s == MANN_OK && p.n_queries == 0)
        s = mni_fail(err, MANN_E_NOT_FOUND,
                     "eval: with %u references a class no photo is left to ask",
                     (unsigned)c->refs);
    if (s == MANN_OK && !calib.n_sizes && p.n_known >= 8)
        s = mni_calib_measure(&calib, p.refs, p.ref_labels, p.n_refs, (uint32_t)v->dim,
                              p.n_known, v->metric, 0, c->seed, pool, err);
    if (s == MANN_OK) {
        mni_state *state = mni_gallery_state(g);
        float rate = search->false_accept > 0 ? search->false_accept
                                              : state->base->meta.false_accept;
        mni_state_release(state);
        exam e = { .queries = p.queries,
                   .truth = p.truth,
                   .row_labels = p.ref_labels,
                   .n_queries = p.n_queries,
                   .n_rows = p.n_refs,
                   .dim = v->dim,
                   .n_classes = p.n_known,
                   .threshold = mni_calib_threshold(&calib, p.n_known, rate),
                   .min_margin = search->min_margin,
                   .metric = v->metric,
                   .rows = p.refs,
                   .search = search };
        s = sit(&e, pool, out, err);
    }
    split_fini(&p);
    return s;
}

/* --- the two calls ------------------------------------------------------------------ */

mann_status mni_gallery_evaluate(mni_gallery *g, const mni_labelled *set,
                                 const mann_eval_config *c, const mann_search *search,
                                 mni_pool *pool, const mann_hooks *h, mann_scores *out,
                                 mann_error *err)
{
    vectors v;
    mann_scores scores = { .struct_size = sizeof scores };
    mann_status s = embed_set(&v, g, set, pool, h, err);
    scores.n_bad = v.n_bad;
    if (s == MANN_OK)
        s = c->refs || c->open_set
                ? from_split(g, &v, set->n_classes, c, search, pool, &scores, err)
                : against_gallery(g, set, &v, search, pool, &scores, err);
    vectors_fini(&v);
    if (s == MANN_OK) *out = scores;
    return s;
}

mann_status mni_gallery_episodes(mni_gallery *g, const mni_labelled *set,
                                 const mann_episodes_config *c, mni_pool *pool,
                                 const mann_hooks *h, mann_episodes_result *out,
                                 mann_error *err)
{
    vectors v;
    mni_episodes_out e;
    mann_status s = embed_set(&v, g, set, pool, h, err);
    if (s == MANN_OK)
        s = mni_episodes(v.rows, v.labels, v.n, (uint32_t)v.dim, set->n_classes, v.metric,
                         c->episodes, c->way, c->shot, c->query, c->seed, pool, &e, err);
    if (s == MANN_OK)
        *out = (mann_episodes_result){ sizeof *out, e.n_episodes, e.n_classes, v.n_bad,
                                       e.accuracy, e.interval95 };
    vectors_fini(&v);
    return s;
}
