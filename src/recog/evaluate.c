/* evaluate.c - labelled photos asked of a gallery, or split into references and queries.
 * Both ways end in one question, asked per query (eval_ask.c). Definitions:
 * src/eval/README.md. SPDX-License-Identifier: MIT */
#include "recog/evaluate.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "os/try.h"
#include "recog/embed.h"
#include "recog/exam.h"

/* --- all photos of a set as vectors ------------------------------------------------- */

typedef struct vectors {
    float *rows;                /* n x dim, prepared */
    uint32_t *labels;
    uint64_t *hashes, *images; /* images: numbers in the set */
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
    mni_free(v->images);
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
        v->images[v->n] = first + i;
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
    v->images = mni_alloc(n + 1, sizeof *v->images);
    if (!v->rows || !v->labels || !v->hashes || !v->images)
        return mni_fail(err, MANN_E_NOMEM, "eval: vectors of %zu photos", n);
    return mni_embed_photos(m, &g->recipe, mni_gallery_views(g), &set->photos, "embed",
                            NULL, keep_group, v, pool, h, NULL, err);
}

static mann_status sit(mni_exam_sheet *e, mni_pool *pool, mann_scores *out,
                       mann_error *err)
{
    e->outcome = mni_alloc(e->n_queries + 1, sizeof *e->outcome);
    mann_status s = e->outcome
        ? mni_exam_ask(e, pool, err)
        : mni_fail(err, MANN_E_NOMEM, "eval: %zu queries", e->n_queries);
    if (s == MANN_OK) s = mni_exam_tell(e, out, err);
    mni_free(e->outcome);
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
                                   const vectors *v, const mann_eval_config *c,
                                   const mann_search *search, mni_pool *pool,
                                   mann_scores *out, mann_error *err)
{
    mni_state *s = mni_gallery_state(g);
    uint32_t n_rows = mni_state_rows(s), *map = NULL;
    uint32_t *labels = mni_alloc((size_t)n_rows + 1, sizeof *labels);
    uint32_t *truth = mni_alloc(v->n + 1, sizeof *truth),
             *self = mni_alloc(v->n + 1, sizeof *self);
    float unsure;
    mni_exam_sheet e = { .queries = v->rows,
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
               .search = search,
               .g = g,
               .set = set,
               .image = v->images,
               .label = v->labels,
               .config = c };
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
    uint32_t *ref_labels, *truth, *labels;
    uint64_t *ref_images, *images;
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
    mni_free(p->labels);
    mni_free(p->ref_images);
    mni_free(p->images);
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
    p->labels = mni_alloc(v->n + 1, sizeof *p->labels);
    p->images = mni_alloc(v->n + 1, sizeof *p->images);
    p->ref_images = mni_alloc(v->n + 1, sizeof *p->ref_images);
    if (!p->refs || !p->queries || !p->ref_labels || !p->truth || !p->labels ||
        !p->images || !p->ref_images)
        return mni_fail(err, MANN_E_NOMEM, "eval: %zu vectors", v->n);
    for (size_t i = 0; i < v->n; i++) {          /* photos come in order of their paths */
        uint32_t k = v->labels[i];
        const float *row = v->rows + i * v->dim;
        if (k == MANN_NO_CLASS) continue;
        if (p->number[k] != MANN_NO_CLASS && p->taken[k] < c->refs) {
            p->taken[k]++;
            memcpy(p->refs + p->n_refs * v->dim, row, row_bytes);
            p->ref_images[p->n_refs] = v->images[i];
            p->ref_labels[p->n_refs++] = p->number[k];
        } else {
            memcpy(p->queries + p->n_queries * v->dim, row, row_bytes);
            p->images[p->n_queries] = v->images[i];
            p->labels[p->n_queries] = k;
            p->truth[p->n_queries++] = p->number[k];
        }
    }
    return MANN_OK;
}

static mann_status from_split(mni_gallery *g, const mni_labelled *set, const vectors *v,
                              const mann_eval_config *c, const mann_search *search,
                              mni_pool *pool, mann_scores *out, mann_error *err)
{
    split p = { 0 };
    mann_status s = make_split(&p, v, set->n_classes, c, err);
    mni_calib calib = { 0 };
    if (s == MANN_OK && p.n_queries == 0)
        s = mni_fail(err, MANN_E_NOT_FOUND,
                     "eval: with %u references a class no photo is left to ask",
                     (unsigned)c->refs);
    if (s == MANN_OK && p.n_known >= MNI_CALIB_FEWEST)
        s = mni_calib_measure(&calib, p.refs, p.ref_labels, p.n_refs, (uint32_t)v->dim,
                              p.n_known, v->metric, 0, 0, c->seed, pool, err);
    if (s == MANN_OK) {
        mni_state *state = mni_gallery_state(g);
        float rate = search->false_accept > 0 ? search->false_accept
                                              : state->base->meta.false_accept;
        mni_state_release(state);
        const mni_calib model = mni_gallery_model_calib(g, v->metric);
        mni_exam_sheet e = { .queries = p.queries,
                   .truth = p.truth,
                   .row_labels = p.ref_labels,
                   .n_queries = p.n_queries,
                   .n_rows = p.n_refs,
                   .dim = v->dim,
                   .n_classes = p.n_known,
                   .threshold = mni_calib_decide(&calib, &model, p.n_known, p.n_refs,
                                                 rate),
                   .min_margin = search->min_margin,
                   .metric = v->metric,
                   .rows = p.refs,
                   .search = search,
                   .g = g,
                   .set = set,
                   .image = p.images,
                   .label = p.labels,
                   .row_image = p.ref_images,
                   .config = c };
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
                ? from_split(g, set, &v, c, search, pool, &scores, err)
                : against_gallery(g, set, &v, c, search, pool, &scores, err);
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
