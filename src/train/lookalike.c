/* lookalike.c - see lookalike.h. SPDX-License-Identifier: MIT */
#include "train/lookalike.h"

#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "index/ann.h"
#include "train/pictures.h"

enum { VIEWS = 2, BLOCK = 1024, NOBODY = -1 };

void mni_batch_plan_fini(mni_batch_plan *p)
{
    mni_free(p->places);
    *p = (mni_batch_plan){ .places = NULL };
}

mann_status mni_batch_plan_check(const mni_batch_plan *p, uint32_t classes,
                                 const char *file, mann_error *err)
{
    const uint64_t n = p->n_steps * classes;
    uint8_t *seen = mni_alloc(n, 1);
    mann_status s = MANN_OK;
    if (!seen) return mni_fail(err, MANN_E_NOMEM, "plan of %llu places",
                               (unsigned long long)n);
    for (uint64_t i = 0; s == MANN_OK && i < n; i++)
        if (p->places[i] >= n || seen[p->places[i]]++)
            s = mni_fail(err, MANN_E_FORMAT, "%s: the plan of the epoch's batches "
                         "contradicts itself", file);
    mni_free(seen);
    return s;
}

mni_pick mni_batch_plan_at(const mni_batch_plan *p, const mni_sampler *s, uint64_t step,
                           uint32_t slot)
{
    if (!p->places || step < p->first || step - p->first >= p->n_steps)
        return mni_sampler_at(s, step, slot);
    const uint64_t place = (step - p->first) * s->classes + slot / s->images;
    const uint32_t from = p->places[place];
    return mni_sampler_at(s, p->first + from / s->classes,
                          from % s->classes * s->images + slot % s->images);
}

/* --- where the classes are ---------------------------------------------------------- */

static mni_pick view_of(const mni_sampler *s, uint32_t label, uint32_t view,
                        uint64_t seed)
{
    const uint32_t klass = label % s->list->n_classes, first = s->list->first[klass],
                   n = s->list->first[klass + 1] - first;
    mni_rng r = mni_rng_at(seed, MNI_FOR_MINER, 1, 0, label);
    const uint32_t i = mni_permute(mni_rng_u64(&r), n, view % n);
    return (mni_pick){ s->list->images[first + i], label, label / s->list->n_classes };
}

static mann_status embed_block(const mni_sampler *s, const mni_cache *c,
                               const mni_model *m, uint64_t seed, mni_pool *pool,
                               uint32_t from, uint32_t n, mni_pick *picks, float *rows,
                               float *means, mann_error *err)
{
    const uint32_t dim = mni_model_shape_of(m).dim;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t v = 0; v < VIEWS; v++)
            picks[i * VIEWS + v] = view_of(s, from + i, v, seed);
    MNI_TRY(mni_pictures_embed(c, picks, (size_t)n * VIEWS, m, pool, rows, err));
    for (uint32_t i = 0; i < n; i++) {
        const float *a = rows + (size_t)i * VIEWS * dim, *b = a + dim;
        float *mean = means + (size_t)(from + i) * dim;
        for (uint32_t j = 0; j < dim; j++) mean[j] = a[j] + b[j];
        MNI_TRY(mni_rows_prepare(MANN_COSINE, mean, dim, "class", from + i, err));
    }
    return MANN_OK;
}

static mann_status embed_labels(const mni_sampler *s, const mni_cache *c,
                                const mni_model *m, uint64_t seed, mni_pool *pool,
                                float *means, mann_error *err)
{
    const uint32_t n_labels = mni_sampler_n_labels(s), dim = mni_model_shape_of(m).dim;
    mni_pick *picks = mni_alloc(BLOCK * VIEWS, sizeof *picks);
    float *rows = mni_alloc_aligned(BLOCK * VIEWS, dim * sizeof *rows, 0);
    mann_status st = MANN_OK;
    if (!picks || !rows) st = mni_fail(err, MANN_E_NOMEM, "look-alikes: pictures");
    for (uint32_t at = 0; st == MANN_OK && at < n_labels; at += BLOCK)
        st = embed_block(s, c, m, seed, pool, at,
                         n_labels - at < BLOCK ? n_labels - at : BLOCK, picks, rows,
                         means, err);
    mni_free(picks);
    mni_free(rows);
    return st;
}

/* --- who is near whom --------------------------------------------------------------- */

typedef struct neighbours {
    mni_near *near; /* n_labels x k, nearest first, itself among them */
    size_t *n_near;
    uint32_t k;
} neighbours;

static uint32_t asked_for(uint32_t group) { return 2 * group + 1; }

/* A class that looks like itself turned or mirrored (an O, an X) would always meet
 * itself, and be taught that it is not what it is. Labels of one class are n_classes
 * apart. */
static void forget_own_turns(neighbours *to, uint32_t n, uint32_t n_classes)
{
    for (uint32_t i = 0; i < n; i++) {
        mni_near *mine = to->near + (size_t)i * to->k;
        size_t kept = 0;
        for (size_t j = 0; j < to->n_near[i]; j++)
            if (mine[j].row == i || mine[j].row % n_classes != i % n_classes)
                mine[kept++] = mine[j];
        to->n_near[i] = kept;
    }
}

static mann_status find_neighbours(const float *means, uint32_t n, uint32_t n_classes,
                                   uint32_t dim, uint64_t seed, mni_pool *pool,
                                   neighbours *out, mni_lookalike_report *report,
                                   mann_error *err)
{
    const mni_rows rows = { means, NULL, n, dim, MNI_F32, MANN_COSINE };
    const mni_ann_job job = { .rows = &rows, .seed = seed, .pool = pool };
    const mni_ann_params p = { .k = out->k };
    mni_ann *index;
    double nearest = 0;
    MNI_TRY(mni_ann_build(&index, "auto", &job, err));
    memcpy(report->spec, mni_ann_spec(index), strlen(mni_ann_spec(index)) + 1);
    const mann_status s = mni_ann_search_batch(index, &rows, means, n, &p, pool,
                                               out->near, out->n_near, err);
    mni_ann_free(index);
    if (s != MANN_OK) return s;
    forget_own_turns(out, n, n_classes);
    for (uint32_t i = 0; i < n; i++)
        for (size_t j = 0; j < out->n_near[i]; j++) {
            const mni_near *other = &out->near[(size_t)i * out->k + j];
            if (other->row == i) continue;
            nearest += (double)mni_score(MANN_COSINE, other->distance);
            break;
        }
    report->nearest = nearest / n;
    return MANN_OK;
}

/* --- groups ------------------------------------------------------------------------- */

/* The slots of the epoch that are not placed yet, by label: a list for each. */
typedef struct stock {
    uint32_t *label;   /* of each slot */
    int64_t *next;     /* slot of the same label */
    int64_t *first;    /* of each label; NOBODY: all placed */
    uint8_t *placed;
} stock;

static int in_batch(const stock *k, const uint32_t *batch, uint32_t n, uint32_t label)
{
    for (uint32_t i = 0; i < n; i++)
        if (k->label[batch[i]] == label) return 1;
    return 0;
}

static void put(stock *k, uint32_t slot, uint32_t *batch, uint32_t *n)
{
    k->placed[slot] = 1;
    k->first[k->label[slot]] = k->next[slot]; /* always its label's first */
    batch[(*n)++] = slot;
}

/* One batch: from `*from` on the next slot that is free begins a group, its neighbours
 * follow. A label that is in the batch already waits for the next one; only when nobody
 * else is left does it come twice. */
static void fill_batch(stock *k, const neighbours *near, uint32_t group, uint64_t *from,
                       uint64_t n_slots, uint32_t *batch, uint32_t wanted)
{
    uint32_t n = 0;
    while (n < wanted) {
        uint64_t slot = *from, any = n_slots;
        for (; slot < n_slots; slot++) {
            if (k->placed[slot]) { if (slot == *from) ++*from; continue; }
            if (any == n_slots) any = slot;
            if (!in_batch(k, batch, n, k->label[slot])) break;
        }
        if (slot == n_slots) slot = any;
        const uint32_t label = k->label[slot], end = n + group;
        put(k, (uint32_t)k->first[label], batch, &n);
        for (size_t j = 0; j < near->n_near[label] && n < end && n < wanted; j++) {
            const uint32_t other = near->near[(size_t)label * near->k + j].row;
            if (k->first[other] != NOBODY && !in_batch(k, batch, n, other))
                put(k, (uint32_t)k->first[other], batch, &n);
        }
    }
}

static double share_met(const mni_batch_plan *p, const stock *k, const neighbours *near,
                        uint32_t classes)
{
    uint64_t n_met = 0;
    const uint64_t n = p->n_steps * classes;
    for (uint64_t i = 0; i < n; i++) {
        const uint32_t label = k->label[p->places[i]];
        const mni_near *mine = near->near + (size_t)label * near->k;
        if (near->n_near[label] == 0) continue;
        const int second = mine[0].row == label && near->n_near[label] > 1;
        n_met += (uint64_t)in_batch(k, p->places + i / classes * classes, classes,
                                    mine[second].row);
    }
    return (double)n_met / (double)n;
}

static mann_status make_batches(mni_batch_plan *p, const mni_sampler *s,
                                const neighbours *near, uint32_t group,
                                mni_lookalike_report *report, mann_error *err)
{
    const uint64_t n = p->n_steps * s->classes;
    const uint32_t n_labels = mni_sampler_n_labels(s);
    stock k = { mni_alloc(n, sizeof *k.label), mni_alloc(n, sizeof *k.next),
                mni_alloc(n_labels, sizeof *k.first), mni_alloc(n, 1) };
    mann_status st = MANN_OK;
    p->places = mni_alloc(n, sizeof *p->places);
    if (!k.label || !k.next || !k.first || !k.placed || !p->places)
        st = mni_fail(err, MANN_E_NOMEM, "look-alikes: %llu places",
                      (unsigned long long)n);
    if (st == MANN_OK) {
        uint64_t from = 0;
        for (uint32_t label = 0; label < n_labels; label++) k.first[label] = NOBODY;
        for (uint64_t i = n; i-- > 0;) { /* from behind: lists begin with their first */
            k.label[i] = mni_sampler_at(s, p->first + i / s->classes,
                                        (uint32_t)(i % s->classes) * s->images).label;
            k.next[i] = k.first[k.label[i]];
            k.first[k.label[i]] = (int64_t)i;
        }
        for (uint64_t step = 0; step < p->n_steps; step++)
            fill_batch(&k, near, group, &from, n, p->places + step * s->classes,
                       s->classes);
        report->met = share_met(p, &k, near, s->classes);
    } else {
        mni_free(p->places);
        p->places = NULL;
    }
    mni_free(k.label);
    mni_free(k.next);
    mni_free(k.first);
    mni_free(k.placed);
    return st;
}

mann_status mni_lookalike_plan(mni_batch_plan *p, const mni_sampler *s,
                               const mni_cache *c, const mni_model *m, uint32_t group,
                               uint64_t seed, mni_pool *pool,
                               mni_lookalike_report *report, mann_error *err)
{
    const uint32_t n = mni_sampler_n_labels(s), dim = mni_model_shape_of(m).dim;
    float *means = mni_alloc_aligned(n, dim * sizeof *means, 0);
    neighbours near = { .k = asked_for(group) };
    near.near = mni_alloc(n, near.k * sizeof *near.near);
    near.n_near = mni_alloc(n, sizeof *near.n_near);
    mann_status st = MANN_OK;
    if (p->n_steps > UINT32_MAX / s->classes)
        st = mni_fail(err, MANN_E_LIMIT, "look-alikes: an epoch of %llu steps of %u "
                      "classes, wanted at most 2^32 - 1 together",
                      (unsigned long long)p->n_steps, (unsigned)s->classes);
    *report = (mni_lookalike_report){ .n_images = (uint64_t)n * VIEWS, .n_labels = n };
    p->places = NULL;
    if (st == MANN_OK && (!means || !near.near || !near.n_near))
        st = mni_fail(err, MANN_E_NOMEM, "look-alikes: %u classes", (unsigned)n);
    if (st == MANN_OK) st = embed_labels(s, c, m, seed, pool, means, err);
    if (st == MANN_OK)
        st = find_neighbours(means, n, s->list->n_classes, dim, seed, pool, &near, report,
                             err);
    if (st == MANN_OK) st = make_batches(p, s, &near, group, report, err);
    mni_free(means);
    mni_free(near.near);
    mni_free(near.n_near);
    return st;
}

uint64_t mni_lookalike_bytes(uint64_t n_labels, uint32_t dim, uint64_t n_places,
                             uint32_t group)
{
    const uint64_t row = dim * sizeof(float), k = asked_for(group);
    const uint64_t search = n_labels * (row + k * sizeof(mni_near) + sizeof(size_t)),
                   block = BLOCK * VIEWS * (row + sizeof(mni_pick)),
                   slots = n_places * (sizeof(uint32_t) * 2 + sizeof(int64_t) + 1) +
                           n_labels * sizeof(int64_t);
    mni_rows shape = { NULL, NULL, (uint32_t)n_labels, dim, MNI_F32, MANN_COSINE };
    mni_ann_cost cost = { 0 };
    char canonical[MNI_ANN_SPEC];
    (void)mni_ann_cost_of("auto", &shape, 0, &cost, canonical, NULL);
    return search + block + slots + cost.build_bytes;
}
