/* kmeans.c - see kmeans.h.
 *
 * Start: k-means++ (Arthur and Vassilvitskii, SODA 2007, section 2.2): each next centre
 * is a row drawn with probability proportional to its squared distance from the centres
 * so far. On a part of the rows (SEED_ROWS for each centre), since it costs as much as a
 * round for each; from SEED_MOST centres on, the rest is drawn evenly.
 *
 * A round: every row goes to its nearest centre (centres.h), then every centre to the
 * mean of its rows. Rows are sorted by centre first, so that a mean is one sum in row
 * order: threads share the centres, not the sums, and bits do not depend on them.
 *
 * A centre without rows takes over the farthest row of the largest cluster, which counts
 * half from then on. SPDX-License-Identifier: MIT */
#include "index/kmeans.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "index/centres.h"
#include "kern/kern_dist.h"

enum { SEED_ROWS = 8, SEED_LEAST = 1024, SEED_MOST = 4096, GRAIN = 512, CENTRES = 8 };

typedef struct state {
    const mni_kmeans_job *job;
    float *centres;
    mni_centres c;
    int8_t *codes;              /* n x groups * 4: the rows, rounded once */
    mni_query8 *query;          /* n */
    uint32_t *nearest, *order, *first;      /* n, n, k + 1 */
    float *distance;            /* n */
    uint32_t n_chunks;
    double *part;               /* one per chunk */
    const float *newest;        /* the start's last centre */
    const uint32_t *chosen;     /* the rows that the start looks at */
} state;

size_t mni_kmeans_bytes(size_t n, uint32_t dim, uint32_t k)
{
    return n * ((size_t)mni_code8_groups(dim) * 4 + sizeof(mni_query8) + 12) +
           (size_t)k * (dim * 2 + 8);
}

/* --- start -------------------------------------------------------------------------- */

static void shorten(void *ctx, size_t begin, size_t end, size_t chunk)
{
    state *s = ctx;
    const mni_rows_fn l2 = mni_kern_dist_best()->l2_rows;
    const uint32_t dim = s->job->dim;
    double sum = 0;
    for (size_t i = begin; i < end; i++) {
        float d;
        l2(s->newest, s->job->x + (size_t)s->chosen[i] * dim, 1, dim, dim, &d);
        if (d < s->distance[i]) s->distance[i] = d;
        sum += s->distance[i];
    }
    s->part[chunk] = sum;
}

/* One of m rows by weight; any row when all weights are zero. */
static size_t draw(const state *s, size_t m, mni_rng *r)
{
    double total = 0, at = mni_rng_unit(r) + mni_rng_unit(r) * 0x1p-24;
    for (size_t c = 0; c < mni_chunk_count(m, GRAIN); c++) total += s->part[c];
    if (!(total > 0) || !(total < INFINITY)) return mni_rng_below(r, (uint32_t)m);
    at *= total;
    size_t c = 0;
    for (; c + 1 < mni_chunk_count(m, GRAIN) && at >= s->part[c]; c++) at -= s->part[c];
    size_t i = c * GRAIN;
    for (; i + 1 < m && i + 1 < (c + 1) * GRAIN && at >= s->distance[i]; i++)
        at -= s->distance[i];
    return i;
}

static void start(state *s)
{
    const mni_kmeans_job *job = s->job;
    const uint32_t dim = job->dim, k = job->k;
    mni_rng r = mni_rng_at(job->seed, MNI_FOR_KMEANS, 0, 0, job->slot);
    size_t m = (size_t)SEED_ROWS * (k < SEED_MOST ? k : SEED_MOST);
    m = m < SEED_LEAST ? SEED_LEAST : m;
    if (m > job->n) m = job->n;
    mni_rng_shuffle(&r, s->order, (uint32_t)job->n);
    s->chosen = s->order;
    for (size_t i = 0; i < m; i++) s->distance[i] = INFINITY;
    size_t row = 0;                     /* the order is random: so is the first */
    for (uint32_t i = 0; i < k; i++) {
        const size_t from = i < SEED_MOST ? s->chosen[row] : s->order[i % job->n];
        float *centre = s->centres + (size_t)i * dim;
        memcpy(centre, job->x + from * dim, dim * sizeof *centre);
        if (i + 1 >= SEED_MOST || i + 1 >= k) continue;
        s->newest = centre;
        mni_parallel_for(job->pool, m, GRAIN, shorten, s);
        row = draw(s, m, &r);
    }
}

/* --- rounds ------------------------------------------------------------------------- */

static void sort_by_centre(state *s)
{
    const uint32_t k = s->job->k;
    const size_t n = s->job->n;
    memset(s->first, 0, ((size_t)k + 1) * sizeof *s->first);
    for (size_t i = 0; i < n; i++) s->first[s->nearest[i] + 1]++;
    for (uint32_t c = 0; c < k; c++) s->first[c + 1] += s->first[c];
    for (size_t i = 0; i < n; i++) s->order[s->first[s->nearest[i]]++] = (uint32_t)i;
    memmove(s->first + 1, s->first, (size_t)k * sizeof *s->first);
    s->first[0] = 0;
}

/* A mean: pieces of dim in double, so that no memory is needed. */
static void move_centres(void *ctx, size_t begin, size_t end, size_t chunk)
{
    enum { PIECE = 128 };
    const state *s = ctx;
    const uint32_t dim = s->job->dim;
    (void)chunk;
    for (size_t c = begin; c < end; c++) {
        const uint32_t from = s->first[c], to = s->first[c + 1];
        for (uint32_t d = 0; from < to && d < dim; d += PIECE) {
            const uint32_t m = dim - d < PIECE ? dim - d : PIECE;
            double sum[PIECE] = { 0 };
            for (uint32_t i = from; i < to; i++) {
                const float *x = s->job->x + (size_t)s->order[i] * dim + d;
                for (uint32_t j = 0; j < m; j++) sum[j] += x[j];
            }
            for (uint32_t j = 0; j < m; j++)
                s->centres[c * dim + d + j] = (float)(sum[j] / (to - from));
        }
    }
}

/* Empty centres take the farthest row of the largest cluster. part[] holds what a cluster
 * counts for; first[] is used for sizes here and again by the caller's next sort. */
static uint32_t split_empty(state *s, double *weight)
{
    const uint32_t k = s->job->k, dim = s->job->dim;
    uint32_t splits = 0;
    for (uint32_t c = 0; c < k; c++) weight[c] = s->first[c + 1] - s->first[c];
    for (uint32_t e = 0; e < k; e++) {
        if (weight[e] > 0) continue;
        uint32_t big = 0, far;
        for (uint32_t c = 1; c < k; c++)
            if (weight[c] > weight[big]) big = c;
        if (weight[big] < 2) return splits;
        far = s->first[big];
        for (uint32_t i = far; i < s->first[big + 1]; i++)
            if (s->distance[s->order[i]] > s->distance[s->order[far]]) far = i;
        const uint32_t row = s->order[far];
        if (!(s->distance[row] > 0)) {      /* all of its rows lie on it */
            weight[big] = 1;
            e--;
            continue;
        }
        memcpy(s->centres + (size_t)e * dim, s->job->x + (size_t)row * dim,
               dim * sizeof *s->centres);
        s->distance[row] = 0;               /* not taken twice */
        weight[e] = weight[big] / 2;
        weight[big] -= weight[e];
        splits++;
    }
    return splits;
}

static int said_stop(const mni_kmeans_job *job, uint32_t round)
{
    const mann_progress p = { .task = "k-means", .done = round, .total = job->rounds };
    return job->hooks && job->hooks->progress &&
           job->hooks->progress(job->hooks->user, &p) != 0;
}

static mann_status rounds(state *s, double *weight, mni_kmeans_report *report,
                          mann_error *err)
{
    const mni_kmeans_job *job = s->job;
    double before = INFINITY;
    for (uint32_t round = 0; round < job->rounds; round++) {
        if (said_stop(job, round))
            return mni_fail(err, MANN_E_CANCELLED, "k-means: stopped in round %lu",
                            (unsigned long)round);
        mni_centres_encode(&s->c);
        MNI_TRY(mni_centres_assign_all(&s->c, job->x, job->n, s->codes, s->query,
                                       job->pool, s->nearest, s->distance, err));
        double error = 0, squares = 0;
        for (size_t i = 0; i < job->n; i++) error += s->distance[i];
        sort_by_centre(s);
        for (uint32_t c = 0; c < job->k; c++) {
            const double n = s->first[c + 1] - s->first[c];
            squares += n * n;
        }
        report->error = error / (double)job->n;
        report->rounds = round + 1;
        report->imbalance = squares * job->k / ((double)job->n * (double)job->n);
        mni_parallel_for(job->pool, job->k, CENTRES, move_centres, s);
        const uint32_t splits = split_empty(s, weight);
        report->splits += splits;
        if (!splits && !(error < before)) break;    /* nothing moves any more */
        before = error;
    }
    return MANN_OK;
}

typedef struct rounding { state *s; uint8_t *failed; } rounding;

static void round_rows(void *ctx, size_t begin, size_t end, size_t chunk)
{
    rounding *r = ctx;
    state *s = r->s;
    const uint32_t dim = s->job->dim;
    float *v = mni_alloc(dim, sizeof *v);
    r->failed[chunk] = !v;
    if (v)
        mni_centres_round(&s->c, s->job->x + begin * dim, end - begin, v,
                          s->codes + begin * mni_code8_groups(dim) * 4,
                          s->query + begin);
    mni_free(v);
}

static int round_all(state *s)
{
    enum { ROWS = 8192 };
    const size_t n = s->job->n, n_chunks = mni_chunk_count(n, ROWS);
    rounding r = { s, mni_alloc(n_chunks, 1) };
    int fine = r.failed != NULL;
    if (fine) mni_parallel_for(s->job->pool, n, ROWS, round_rows, &r);
    for (size_t i = 0; fine && i < n_chunks; i++) fine = !r.failed[i];
    mni_free(r.failed);
    return fine;
}

mann_status mni_kmeans(const mni_kmeans_job *job, float *centres,
                       mni_kmeans_report *report, mann_error *err)
{
    const size_t n = job->n, k = job->k, n_codes = (size_t)mni_code8_groups(job->dim) * 4;
    mni_kmeans_report own = { 0 };
    state s = { .job = job, .centres = centres };
    s.codes = mni_alloc_aligned(n, n_codes, 0);
    s.query = mni_alloc(n, sizeof *s.query);
    s.nearest = mni_alloc(n, sizeof *s.nearest);
    s.order = mni_alloc(n, sizeof *s.order);
    s.distance = mni_alloc(n, sizeof *s.distance);
    s.first = mni_alloc(k + 1, sizeof *s.first);
    s.part = mni_alloc(mni_chunk_count(n, GRAIN), sizeof *s.part);
    double *weight = mni_alloc(k, sizeof *weight);
    mann_status st = MANN_E_NOMEM;
    if (s.codes && s.query && s.nearest && s.order && s.distance && s.first && s.part &&
        weight) {
        start(&s);
        st = mni_centres_init(&s.c, centres, job->k, job->dim, MANN_L2, NULL, err);
        if (st == MANN_OK && !round_all(&s))
            st = mni_fail(err, MANN_E_NOMEM, "k-means: a row");
        if (st == MANN_OK) st = rounds(&s, weight, &own, err);
    } else {
        mni_fail(err, st, "k-means: state of %llu rows", (unsigned long long)n);
    }
    mni_centres_fini(&s.c);
    mni_free(s.codes);
    mni_free(s.query);
    mni_free(s.nearest);
    mni_free(s.order);
    mni_free(s.distance);
    mni_free(s.first);
    mni_free(s.part);
    mni_free(weight);
    if (report) *report = own;
    return st;
}
