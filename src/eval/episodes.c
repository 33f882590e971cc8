/* episodes.c - the few-shot protocol: many small recognition tasks, drawn at random.
 *
 * One episode: `way` classes, `shot` references of each, `query` other rows of each;
 * every query is given the class of its nearest reference. The accuracy is the mean over
 * episodes, and its 95 % interval is 1.96 standard errors of that mean (Lake et al. 2015;
 * Vinyals et al. 2016: "Matching Networks").
 *
 * Episode e is a function of (seed, e) alone, and accuracies are added up in order of e:
 * the same figure for any number of threads. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "eval/metrics.h"
#include "kern/kern_dist.h"

enum { GRAIN = 16 };                    /* episodes of a chunk */

/* The rows of class c are row[first[c] .. first[c + 1]), in ascending order. */
typedef struct plan {
    const float *rows;
    const mni_kern_dist *kern;
    uint32_t *row, *first, *eligible;
    uint32_t dim, n_eligible, largest, way, shot, query;
    mann_metric metric;
    uint64_t seed;
    double *accuracy;                   /* per episode */
    mann_status *status;                /* per chunk */
} plan;

/* What one chunk draws with. Permutations are put back after each draw (in reverse order
 * of the swaps), so that a draw costs what it takes and not what there is. */
typedef struct draw {
    uint32_t *classes, *members, *swapped, *picked;
    float *refs, *distance;
} draw;

static void draw_fini(draw *d)
{
    mni_free(d->classes);
    mni_free(d->members);
    mni_free(d->swapped);
    mni_free(d->picked);
    mni_free(d->refs);
    mni_free(d->distance);
}

static int draw_init(draw *d, const plan *p)
{
    const size_t n_refs = (size_t)p->way * p->shot, each = (size_t)p->shot + p->query;
    *d = (draw){
        .classes = mni_alloc(p->n_eligible, sizeof(uint32_t)),
        .members = mni_alloc(p->largest, sizeof(uint32_t)),
        .swapped = mni_alloc(p->way > each ? p->way : each, sizeof(uint32_t)),
        .picked = mni_alloc(p->way, each * sizeof(uint32_t)),
        .refs = mni_alloc(n_refs, (size_t)p->dim * sizeof(float)),
        .distance = mni_alloc(n_refs, sizeof(float)),
    };
    if (!d->classes || !d->members || !d->swapped || !d->picked || !d->refs ||
        !d->distance)
        return 0;
    for (uint32_t i = 0; i < p->n_eligible; i++) d->classes[i] = i;
    for (uint32_t i = 0; i < p->largest; i++) d->members[i] = i;
    return 1;
}

static void swap(uint32_t *a, uint32_t i, uint32_t j)
{
    uint32_t t = a[i];
    a[i] = a[j];
    a[j] = t;
}

/* First m steps of a Fisher-Yates shuffle of 0..n-1: a[0..m) is the draw. */
static void pick(mni_rng *r, uint32_t *a, uint32_t n, uint32_t m, uint32_t *swapped)
{
    for (uint32_t i = 0; i < m; i++) {
        swapped[i] = i + mni_rng_below(r, n - i);
        swap(a, i, swapped[i]);
    }
}

static void put_back(uint32_t *a, uint32_t m, const uint32_t *swapped)
{
    for (uint32_t i = m; i-- > 0; ) swap(a, i, swapped[i]);
}

static void draw_episode(const plan *p, draw *d, mni_rng *r)
{
    const uint32_t each = p->shot + p->query;
    uint32_t *chosen = d->picked;   /* first the classes, one at the head of its slots */
    pick(r, d->classes, p->n_eligible, p->way, d->swapped);
    for (uint32_t w = 0; w < p->way; w++) chosen[w * each] = p->eligible[d->classes[w]];
    put_back(d->classes, p->way, d->swapped);
    for (uint32_t w = 0; w < p->way; w++) {
        uint32_t c = chosen[w * each], n = p->first[c + 1] - p->first[c];
        pick(r, d->members, n, each, d->swapped);
        for (uint32_t i = 0; i < each; i++)
            chosen[w * each + i] = p->row[p->first[c] + d->members[i]];
        put_back(d->members, each, d->swapped);
    }
}

/* Which way the nearest reference belongs to. Equal distances: the lower row. */
static uint32_t nearest_way(const plan *p, const draw *d, const float *query)
{
    const uint32_t n_refs = p->way * p->shot, each = p->shot + p->query;
    const float sign = p->metric == MANN_INNER ? -1.0f : 1.0f;
    uint32_t best = 0, best_row = 0;
    float nearest = INFINITY;
    (p->metric == MANN_INNER ? p->kern->ip_rows : p->kern->l2_rows)(query, d->refs,
                                                                    n_refs, p->dim,
                                                                    p->dim, d->distance);
    for (uint32_t i = 0; i < n_refs; i++) {
        uint32_t row = d->picked[i / p->shot * each + i % p->shot];
        float x = sign * d->distance[i];
        if (x < nearest || (x == nearest && row < best_row) || i == 0) {
            nearest = x;
            best = i / p->shot;
            best_row = row;
        }
    }
    return best;
}

static double play_episode(const plan *p, draw *d, uint64_t episode)
{
    mni_rng r = mni_rng_at(p->seed, MNI_FOR_EPISODE, episode, 0, 0);
    const uint32_t each = p->shot + p->query;
    const size_t dim = p->dim;
    uint64_t right = 0;
    draw_episode(p, d, &r);
    for (uint32_t w = 0; w < p->way; w++)
        for (uint32_t s = 0; s < p->shot; s++)
            memcpy(d->refs + ((size_t)w * p->shot + s) * dim,
                   p->rows + d->picked[w * each + s] * dim, dim * sizeof(float));
    for (uint32_t w = 0; w < p->way; w++)
        for (uint32_t q = p->shot; q < each; q++)
            right += nearest_way(p, d, p->rows + d->picked[w * each + q] * dim) == w;
    return (double)right / ((double)p->way * p->query);
}

static void play_chunk(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const plan *p = ctx;
    draw d;
    if (draw_init(&d, p))
        for (size_t e = begin; e < end; e++) p->accuracy[e] = play_episode(p, &d, e);
    else
        p->status[chunk] = MANN_E_NOMEM;
    draw_fini(&d);
}

/* Counting sort of the rows by class; classes with enough rows are listed. */
static void group_rows(plan *p, const uint32_t *labels, size_t n, uint32_t n_classes)
{
    for (size_t i = 0; i < n; i++)
        if (labels[i] < n_classes) p->first[labels[i] + 1]++;
    for (uint32_t c = 0; c < n_classes; c++) {
        uint32_t members = p->first[c + 1];
        if (members > p->largest) p->largest = members;
        if (members >= (uint64_t)p->shot + p->query) p->eligible[p->n_eligible++] = c;
        p->first[c + 1] += p->first[c];
    }
    for (size_t i = 0; i < n; i++)
        if (labels[i] < n_classes) p->row[p->first[labels[i]]++] = (uint32_t)i;
    for (uint32_t c = n_classes; c > 0; c--) p->first[c] = p->first[c - 1];
    p->first[0] = 0;
}

static void finish(const plan *p, uint32_t episodes, mni_episodes_out *out)
{
    double mean = 0, squares = 0;
    for (uint32_t e = 0; e < episodes; e++) mean += p->accuracy[e];
    mean /= episodes;
    for (uint32_t e = 0; e < episodes; e++)
        squares += (p->accuracy[e] - mean) * (p->accuracy[e] - mean);
    double deviation = episodes > 1 ? sqrt(squares / (episodes - 1)) : (double)NAN;
    *out = (mni_episodes_out){ episodes, p->n_eligible, mean,
                               1.96 * deviation / sqrt(episodes) };
}

static void plan_fini(plan *p)
{
    mni_free(p->row);
    mni_free(p->first);
    mni_free(p->eligible);
    mni_free(p->accuracy);
    mni_free(p->status);
}

mann_status mni_episodes(const float *rows, const uint32_t *labels, size_t n,
                         uint32_t dim, uint32_t n_classes, mann_metric metric,
                         uint32_t episodes, uint32_t way, uint32_t shot, uint32_t query,
                         uint64_t seed, mni_pool *pool, mni_episodes_out *out,
                         mann_error *err)
{
    if (!episodes || !way || !shot || !query)
        return mni_fail(
            err, MANN_E_ARG,
            "episodes: %u of %u-way %u-shot with %u queries, wanted 1 or more "
            "of each",
            (unsigned)episodes, (unsigned)way, (unsigned)shot, (unsigned)query);
    plan p = { .rows = rows,
               .kern = mni_kern_dist_best(),
               .dim = dim,
               .way = way,
               .shot = shot,
               .query = query,
               .metric = metric,
               .seed = seed };
    const size_t n_chunks = mni_chunk_count(episodes, GRAIN);
    mann_status s = MANN_E_NOMEM;
    p.row = mni_alloc(n, sizeof *p.row);
    p.first = mni_alloc((size_t)n_classes + 1, sizeof *p.first);
    p.eligible = mni_alloc(n_classes, sizeof *p.eligible);
    p.accuracy = mni_alloc(episodes, sizeof *p.accuracy);
    p.status = mni_alloc(n_chunks, sizeof *p.status);
    if (!p.row || !p.first || !p.eligible || !p.accuracy || !p.status) {
        mni_fail(err, s, "episodes: lists of %llu rows", (unsigned long long)n);
        goto done;
    }
    group_rows(&p, labels, n, n_classes);
    if (p.n_eligible < way) {
        s = mni_fail(err, MANN_E_ARG,
                     "episodes: %u classes have the %llu images that %u-shot with %u "
                     "queries takes, wanted %u classes",
                     (unsigned)p.n_eligible, (unsigned long long)shot + query,
                     (unsigned)shot, (unsigned)query, (unsigned)way);
        goto done;
    }
    mni_parallel_for(pool, episodes, GRAIN, play_chunk, &p);
    s = MANN_OK;
    for (size_t c = 0; c < n_chunks; c++)
        if (p.status[c] != MANN_OK)
            s = mni_fail(err, p.status[c], "episodes: memory of an episode");
    if (s == MANN_OK) finish(&p, episodes, out);
done:
    plan_fini(&p);
    return s;
}
