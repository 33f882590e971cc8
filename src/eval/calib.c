/* calib.c - measuring how near strangers come, as a function of how many classes there
 * are.
 *
 * A false accept is the *nearest* of C wrong classes being near enough. If all strangers
 * were alike, C times the chance of one comparison would do. They are not: some lie in
 * crowded corners and are wrong again and again, others never; so the chance is averaged
 * over strangers *after* the best of C is taken,
 *
 *     FPIR(C, t) = mean over strangers q of  1 - (1 - F_q(t))^C  <  C * mean F_q(t),
 *
 * and it is measured, not computed: every held-out row in turn plays the stranger, its
 * own class is taken away, the other classes are laid on a circle in random order, and
 * from 16 places around it the running best is noted after 1, 2, 4, ... and after all
 * classes. A window of a random circle is a random subset; windows that start far apart
 * overlap little, which makes 16 of them worth more than 16 independent ones.
 *
 * Everything is done on y, where near is small and tails are straight lines:
 *
 *     cosine  y = log(1 - score)      L2  y = log(-score)      inner  y = -score
 *
 * F(d) ~ a d^p near distance 0 (p: local dimension) makes best-of-C fall by log(C) / p,
 * whatever the mixture of `a` over strangers. Beyond the samples, p is estimated as Hill
 * (1975) does and the quantile as Weissman (JASA 1978) does; beyond the measured C a line
 * is drawn through the last sizes. The tests say how well that holds: src/eval/README.md,
 * "Open set". SPDX-License-Identifier: MIT */
#include "eval/calib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "eval/calib_scale.h"
#include "kern/kern_dist.h"

enum {
    STARTS = 16, /* windows of a query */
    GROUP = 8,   /* queries that share a pass over a block of rows: a chunk */
    BLOCK = 256, /* rows of a block */
    MAX_QUERIES = 4096,
    TAIL = 30 /* queries in the tail that a quantile is read from or extended from */
};

const float mni_calib_rates[MNI_CALIB_RATES] = { 0.5f,  0.2f,  0.1f,   0.05f,
                                                 0.02f, 0.01f, 0.005f, 0.002f };

typedef struct measure {
    const float *rows;
    const uint32_t *labels;
    size_t n;
    uint32_t dim, n_sizes, n_queries;
    uint32_t n_labels, n_classes;       /* n_classes: labels that have a row */
    mann_metric metric;
    uint64_t seed;
    mni_rows_fn kernel;
    uint32_t size[MNI_CALIB_SIZES];
    uint32_t *circle;           /* the classes in random order */
    uint32_t *query;            /* rows that are asked */
    uint8_t *met;               /* n: can this row be met? */
    float *sums;                /* cosine, n_labels x dim: of the rows that can be met */
    float *scale;               /* n_labels: 1 / length of the sum */
    uint32_t *n_met;            /* n_labels: rows of the sum */
    float *y;                   /* n_sizes x (n_queries x STARTS) */
    float *genuine;             /* y of the own class's other rows; +inf: none */
    mann_status *status;        /* per chunk */
} measure;

/* Nearest distance of every class to a group of queries: best is GROUP x n_labels. The
 * query itself is left out; its own class is kept apart by its label. */
static void nearest_of_classes(const measure *m, const uint32_t *query, size_t n_queries,
                               float *best)
{
    const float factor = m->metric == MANN_COSINE  ? 0.5f
                         : m->metric == MANN_INNER ? -1.0f
                                                   : 1.0f;
    float sum[BLOCK];
    for (size_t i = 0; i < n_queries * m->n_labels; i++) best[i] = INFINITY;
    for (size_t at = 0; at < m->n; at += BLOCK) {
        size_t n = m->n - at < BLOCK ? m->n - at : BLOCK;
        for (size_t q = 0; q < n_queries; q++) {
            float *nearest = best + q * m->n_labels;
            m->kernel(m->rows + (size_t)query[q] * m->dim, m->rows + at * m->dim, n,
                      m->dim, m->dim, sum);
            for (size_t i = 0; i < n; i++) {
                uint32_t c = m->labels[at + i];
                float d = factor * sum[i];
                if (c < m->n_labels && m->met[at + i] && at + i != query[q] &&
                    d < nearest[c])
                    nearest[c] = d;
            }
        }
    }
}

/* From the nearest row to the score of the class, half of which is its prototype's
 * (recog/prototype.h): `nearest` holds distances 1 - score. Nobody is in his own sum. */
static void blend(const measure *m, uint32_t query, float *nearest)
{
    const mni_kern_dist *k = mni_kern_dist_best();
    const float *q = m->rows + (size_t)query * m->dim;
    const uint32_t own = m->labels[query];
    float dot[BLOCK];
    for (uint32_t at = 0; at < m->n_labels; at += BLOCK) {
        const uint32_t n = m->n_labels - at < BLOCK ? m->n_labels - at : BLOCK;
        k->ip_rows(q, m->sums + (size_t)at * m->dim, n, m->dim, m->dim, dot);
        for (uint32_t i = 0; i < n; i++)
            if (at + i != own && m->n_met[at + i] > 1 && nearest[at + i] > 0)
                nearest[at + i] = 0.5f * (nearest[at + i] +
                                          fmaxf(1 - dot[i] * m->scale[at + i], 0));
    }
    const uint32_t others = m->n_met[own] - m->met[query];
    double score = 0, length = 0;
    if (others < 2 || !(nearest[own] > 0)) return;
    for (uint32_t i = 0; i < m->dim; i++) {
        const double x = m->sums[(size_t)own * m->dim + i] - (m->met[query] ? q[i] : 0);
        score += x * q[i];
        length += x * x;
    }
    if (length > 0) score /= sqrt(length);
    nearest[own] = (float)(0.5 * (nearest[own] + fmax(1 - score, 0)));
}

/* The running best from STARTS places of the circle, noted at the sizes of the table. */
static void walk_circle(const measure *m, size_t number, uint32_t own,
                        const float *nearest)
{
    mni_rng r = mni_rng_at(m->seed, MNI_FOR_CALIBRATION, 1, number, 0);
    const size_t n = m->n_classes, first = mni_rng_below(&r, m->n_classes);
    const size_t row = (size_t)m->n_queries * STARTS;
    for (size_t start = 0; start < STARTS; start++) {
        size_t at = (first + start * n / STARTS) % n;
        uint32_t met = 0, size = 0;
        float best = INFINITY;
        for (size_t i = 0; i < n && size < m->n_sizes; i++) {
            uint32_t c = m->circle[at];
            if (++at == n) at = 0;
            if (c == own) continue;
            if (nearest[c] < best) best = nearest[c];
            if (++met == m->size[size])
                m->y[size++ * row + number * STARTS + start] = mni_y_of(m->metric, best);
        }
    }
}

static void measure_chunk(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const measure *m = ctx;
    float *best = mni_alloc((size_t)GROUP * m->n_labels, sizeof *best);
    if (!best) {
        m->status[chunk] = MANN_E_NOMEM;
        return;
    }
    nearest_of_classes(m, m->query + begin, end - begin, best);
    for (size_t q = begin; q < end; q++) {
        const float *nearest = best + (q - begin) * m->n_labels;
        uint32_t own = m->labels[m->query[q]];
        if (m->sums) blend(m, m->query[q], best + (q - begin) * m->n_labels);
        m->genuine[q] = nearest[own] < INFINITY ? mni_y_of(m->metric, nearest[own])
                                                : INFINITY;
        walk_circle(m, q, own, nearest);
    }
    mni_free(best);
}

/* --- from samples to the table ------------------------------------------------------ */

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Value at position `at` (0 .. n-1, fractional) of a sorted list. */
static double value_at(const float *sorted, size_t n, double at)
{
    if (at <= 0) return sorted[0];
    size_t i = (size_t)at;
    if (i + 1 >= n) return sorted[n - 1];
    return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

/* y that a share `rate` of the sorted samples is below. Where fewer than TAIL queries
 * are, the quantile at TAIL queries is taken and followed down with the mean excess of
 * those beyond it (Hill, Weissman). */
static double low_quantile(const float *sorted, size_t n, double rate, double tail_rate)
{
    if (rate >= tail_rate) return value_at(sorted, n, rate * (double)n - 0.5);
    double y = value_at(sorted, n, tail_rate * (double)n - 0.5), excess = 0;
    size_t k = 0;
    for (; k < n && sorted[k] < y; k++) excess += y - sorted[k];
    return k ? y + excess / (double)k * log(rate / tail_rate) : y;
}

static void fill_table(const measure *m, mni_calib *c)
{
    const size_t n = (size_t)m->n_queries * STARTS;
    double tail_rate = (double)TAIL / m->n_queries;
    if (tail_rate > 0.5) tail_rate = 0.5;
    for (uint32_t s = 0; s < m->n_sizes; s++) {
        float *y = m->y + s * n;
        qsort(y, n, sizeof *y, ascending);
        for (int r = 0; r < MNI_CALIB_RATES; r++) {
            float v = mni_score_of_y(m->metric,
                                     low_quantile(y, n, mni_calib_rates[r], tail_rate));
            /* More classes, or a stricter rate, never ask for less: noise is taken
             * upwards. */
            if (s > 0 && v < c->impostor[s - 1][r]) v = c->impostor[s - 1][r];
            if (r > 0 && v < c->impostor[s][r - 1]) v = c->impostor[s][r - 1];
            c->impostor[s][r] = v;
        }
    }
}

static void fill_genuine(const measure *m, mni_calib *c)
{
    size_t n = 0;
    qsort(m->genuine, m->n_queries, sizeof *m->genuine, ascending);
    while (n < m->n_queries && m->genuine[n] < INFINITY) n++;
    c->n_genuine = (uint32_t)n;
    for (int i = 0; i < MNI_CALIB_GENUINE; i++) {
        double at = (double)(MNI_CALIB_GENUINE - 1 - i) / (MNI_CALIB_GENUINE - 1) *
                    ((double)n - 1);
        c->genuine[i] = n ? mni_score_of_y(m->metric, value_at(m->genuine, n, at)) : NAN;
    }
}

/* --- preparation -------------------------------------------------------------------- */

static void measure_fini(measure *m)
{
    mni_free(m->circle);
    mni_free(m->query);
    mni_free(m->met);
    mni_free(m->sums);
    mni_free(m->scale);
    mni_free(m->n_met);
    mni_free(m->y);
    mni_free(m->genuine);
    mni_free(m->status);
}

/* Lists the classes that have rows, in random order, the rows that are asked, and those
 * that can be met. */
static mann_status choose(measure *m, uint32_t per_class, size_t max_queries,
                          mann_error *err)
{
    mni_rng r = mni_rng_at(m->seed, MNI_FOR_CALIBRATION, 0, 0, 0);
    uint32_t *n_met = mni_alloc(m->n_labels, sizeof *n_met);
    size_t n_rows = 0;
    m->circle = mni_alloc(m->n_labels, sizeof *m->circle);
    m->query = mni_alloc(m->n, sizeof *m->query);
    m->met = mni_alloc(m->n, 1);
    if (!n_met || !m->circle || !m->query || !m->met) {
        mni_free(n_met);
        return mni_fail(err, MANN_E_NOMEM, "calibration: lists of %llu rows",
                        (unsigned long long)m->n);
    }
    for (size_t i = 0; i < m->n; i++) {
        uint32_t c = m->labels[i];
        if (c >= m->n_labels) continue;
        m->query[n_rows++] = (uint32_t)i;
        if (n_met[c]++ == 0) m->circle[m->n_classes++] = c;
        m->met[i] = per_class == 0 || n_met[c] <= per_class;
    }
    mni_free(n_met);
    if (m->n_classes < MNI_CALIB_FEWEST)
        return mni_fail(err, MANN_E_ARG, "calibration: %u classes, wanted %d or more",
                        (unsigned)m->n_classes, MNI_CALIB_FEWEST);
    for (uint32_t i = m->n_classes; i > 1; i--) {
        uint32_t j = mni_rng_below(&r, i), t = m->circle[i - 1];
        m->circle[i - 1] = m->circle[j];
        m->circle[j] = t;
    }
    if (max_queries == 0) max_queries = MAX_QUERIES;
    m->n_queries = (uint32_t)(n_rows < max_queries ? n_rows : max_queries);
    for (uint32_t i = 0; i < m->n_queries && m->n_queries < n_rows; i++) {
        uint32_t j = i + mni_rng_below(&r, (uint32_t)(n_rows - i)), t = m->query[i];
        m->query[i] = m->query[j];
        m->query[j] = t;
    }
    const uint32_t others = m->n_classes - 1;
    while (m->n_sizes < MNI_CALIB_SIZES - 1 && (1u << m->n_sizes) < others) {
        m->size[m->n_sizes] = 1u << m->n_sizes;
        m->n_sizes++;
    }
    m->size[m->n_sizes++] = others;
    return MANN_OK;
}

/* Cosine, and some class of two rows: sums of the classes. */
static mann_status sum_classes(measure *m, mann_error *err)
{
    int several = 0;
    m->n_met = mni_alloc(m->n_labels, sizeof *m->n_met);
    if (!m->n_met) return mni_fail(err, MANN_E_NOMEM, "calibration: classes");
    for (size_t i = 0; i < m->n; i++)
        if (m->labels[i] < m->n_labels && m->met[i])
            several |= m->n_met[m->labels[i]]++ > 0;
    if (m->metric != MANN_COSINE || !several) return MANN_OK;
    m->sums = mni_alloc_aligned((size_t)m->n_labels * m->dim, sizeof *m->sums, 0);
    m->scale = mni_alloc(m->n_labels, sizeof *m->scale);
    if (!m->sums || !m->scale)
        return mni_fail(err, MANN_E_NOMEM, "calibration: means of %u classes",
                        (unsigned)m->n_labels);
    memset(m->sums, 0, (size_t)m->n_labels * m->dim * sizeof *m->sums);
    for (size_t i = 0; i < m->n; i++)
        for (uint32_t j = 0; m->labels[i] < m->n_labels && m->met[i] && j < m->dim; j++)
            m->sums[(size_t)m->labels[i] * m->dim + j] += m->rows[i * m->dim + j];
    for (uint32_t c = 0; c < m->n_labels; c++) {
        double length = 0;
        for (uint32_t j = 0; j < m->dim; j++) {
            const double x = m->sums[(size_t)c * m->dim + j];
            length += x * x;
        }
        m->scale[c] = length > 0 ? (float)(1 / sqrt(length)) : 0;
    }
    return MANN_OK;
}

static mann_status take_samples(measure *m, mni_pool *pool, mann_error *err)
{
    const size_t n_chunks = mni_chunk_count(m->n_queries, GROUP);
    m->y = mni_alloc((size_t)m->n_sizes * m->n_queries * STARTS, sizeof *m->y);
    m->genuine = mni_alloc(m->n_queries, sizeof *m->genuine);
    m->status = mni_alloc(n_chunks, sizeof *m->status);
    if (!m->y || !m->genuine || !m->status)
        return mni_fail(err, MANN_E_NOMEM, "calibration: samples of %u queries",
                        (unsigned)m->n_queries);
    mni_parallel_for(pool, m->n_queries, GROUP, measure_chunk, m);
    for (size_t i = 0; i < n_chunks; i++)
        if (m->status[i] != MANN_OK)
            return mni_fail(err, m->status[i], "calibration: distances to %u classes",
                            (unsigned)m->n_labels);
    return MANN_OK;
}

mann_status mni_calib_measure(mni_calib *c, const float *rows, const uint32_t *labels,
                              size_t n, uint32_t dim, uint32_t n_classes,
                              mann_metric metric, uint32_t per_class,
                              size_t max_queries, uint64_t seed, mni_pool *pool,
                              mann_error *err)
{
    const mni_kern_dist *k = mni_kern_dist_best();
    measure m = { .rows = rows,
                  .labels = labels,
                  .n = n,
                  .dim = dim,
                  .n_labels = n_classes,
                  .metric = metric,
                  .seed = seed,
                  .kernel = metric == MANN_INNER ? k->ip_rows : k->l2_rows };
    *c = (mni_calib){ 0 };
    mann_status s = choose(&m, per_class, max_queries, err);
    if (s == MANN_OK) s = sum_classes(&m, err);
    if (s == MANN_OK) s = take_samples(&m, pool, err);
    if (s == MANN_OK) {
        fill_table(&m, c);
        fill_genuine(&m, c);
        c->n_sizes = m.n_sizes;
        c->n_queries = m.n_queries;
        c->n_classes = m.n_classes;
        c->metric = metric;
        if (!mni_calib_is_sane(c)) *c = (mni_calib){ 0 };
    }
    measure_fini(&m);
    return s;
}
