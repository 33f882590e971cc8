/* test_nn_loss.c - losses: values by hand, gradients by differences, miners by brute
 * force; SGD and its schedule. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "nn/loss.h"
#include "nn/sgd.h"
#include "nn_oracle.h"

enum { N = 12, DIM = 5 };

static const uint32_t labels[N] = { 0, 0, 0, 1, 1, 2, 2, 2, 3, 4, 4, 4 };

static void unit_rows(float *e, size_t n, size_t dim, uint64_t seed)
{
    oracle_fill(e, n * dim, seed);
    for (size_t i = 0; i < n; i++) {
        double s = 0;
        for (size_t j = 0; j < dim; j++) s += (double)e[i * dim + j] * e[i * dim + j];
        for (size_t j = 0; j < dim; j++)
            e[i * dim + j] = (float)(e[i * dim + j] / sqrt(s));
    }
}

/* --- an oracle that knows nothing of tables and pulls: distances from vectors, loops
 * over all triplets  */

static double dist(const double *e, size_t a, size_t b)
{
    double s = 0;
    for (size_t j = 0; j < DIM; j++) s += e[a * DIM + j] * e[b * DIM + j];
    return sqrt(fmax(2 - 2 * s, 1e-12));
}

static double term(const mni_loss_config *c, double dp, double dn)
{
    return c->soft ? log(1 + exp(dp - dn)) : fmax(0, dp - dn + c->margin);
}

static size_t pick(const mni_loss_config *c, const double *e, size_t a, size_t p)
{
    size_t near = N, far = N, others[N], n_others = 0;
    for (size_t b = 0; b < N; b++) {
        if (labels[b] == labels[a]) continue;
        others[n_others++] = b;
        const double d = dist(e, a, b);
        if ((c->miner == MNI_MINE_HARD || d > dist(e, a, p)) &&
            (near == N || d < dist(e, a, near)))
            near = b;
        if (far == N || d > dist(e, a, far)) far = b;
    }
    if (c->miner == MNI_MINE_RANDOM) {
        mni_rng r = mni_rng_at(c->seed, MNI_FOR_MINER, 0, c->step, a * N + p);
        return others[mni_rng_below(&r, (uint32_t)n_others)];
    }
    return near == N ? far : near;
}

static double triplet_oracle(const mni_loss_config *c, const double *e)
{
    double sum = 0;
    size_t count = 0;
    for (size_t a = 0; a < N; a++) {
        size_t hardest = N;
        for (size_t p = 0; p < N; p++) {
            if (p == a || labels[p] != labels[a]) continue;
            if (hardest == N || dist(e, a, p) > dist(e, a, hardest)) hardest = p;
            if (c->miner == MNI_MINE_HARD) continue;
            sum += term(c, dist(e, a, p), dist(e, a, pick(c, e, a, p)));
            count++;
        }
        if (c->miner != MNI_MINE_HARD || hardest == N) continue;
        sum += term(c, dist(e, a, hardest), dist(e, a, pick(c, e, a, hardest)));
        count++;
    }
    return sum / (double)count;
}

static double contrastive_oracle(const mni_loss_config *c, const double *e)
{
    double sum[2] = { 0, 0 }, count[2] = { 0, 0 };
    for (size_t a = 0; a < N; a++)
        for (size_t b = 0; b < a; b++) {
            const int same = labels[a] == labels[b];
            const double d = dist(e, a, b);
            sum[same] += same ? d * d : pow(fmax(0, c->margin - d), 2);
            count[same]++;
        }
    return 0.5 * (sum[0] / count[0] + sum[1] / count[1]);
}

static double supcon_oracle(const mni_loss_config *c, const double *e)
{
    double total = 0, anchors = 0;
    for (size_t a = 0; a < N; a++) {
        double all = 0, mine = 0, positives = 0;
        for (size_t b = 0; b < N; b++) {
            double s = 0;
            for (size_t j = 0; j < DIM; j++) s += e[a * DIM + j] * e[b * DIM + j];
            if (b == a) continue;
            all += exp(s / c->temperature);
            if (labels[b] == labels[a]) { mine += s / c->temperature; positives++; }
        }
        if (positives == 0) continue;
        total += log(all) - mine / positives;
        anchors++;
    }
    return total / anchors;
}

static double dot(const double *e, size_t a, size_t b)
{
    double s = 0;
    for (size_t j = 0; j < DIM; j++) s += e[a * DIM + j] * e[b * DIM + j];
    return s;
}

/* Written from the drawing of npair.c: lists of the pictures of each class. */
static double npair_oracle(const mni_loss_config *c, const double *e)
{
    size_t of[5][N], n_of[5] = { 0 };
    double total = 0, n_pairs = 0;
    for (size_t b = 0; b < N; b++) of[labels[b]][n_of[labels[b]]++] = b;
    for (size_t mine = 0; mine < 5; mine++)
        for (size_t x = 0; x < n_of[mine]; x++)
            for (size_t y = 0; y < n_of[mine]; y++) {
                double sum = 0;
                if (x == y) continue;
                for (size_t k = 0; k < 5; k++)
                    if (k != mine)
                        sum += exp((dot(e, of[mine][x], of[k][y % n_of[k]]) -
                                    dot(e, of[mine][x], of[mine][y])) / c->temperature);
                total += log(1 + sum);
                n_pairs++;
            }
    return total / n_pairs;
}

static double oracle(const mni_loss_config *c, const double *e)
{
    if (c->kind == MNI_LOSS_TRIPLET) return triplet_oracle(c, e);
    if (c->kind == MNI_LOSS_NPAIR) return npair_oracle(c, e);
    return c->kind == MNI_LOSS_CONTRASTIVE ? contrastive_oracle(c, e)
                                           : supcon_oracle(c, e);
}

static void check_loss(mni_loss_config c, uint64_t seed)
{
    float e[N * DIM], de[N * DIM];
    mni_loss_result r;
    unit_rows(e, N, DIM, seed);
    CHECK_OK(mni_loss_compute(&c, e, labels, N, DIM, &r, de, NULL));
    double *x = oracle_doubles(e, N * DIM), largest = 0;
    CHECK_NEAR(r.loss, oracle(&c, x), 1e-12);
    CHECK(r.active >= 0 && r.active <= 1);
    for (size_t i = 0; i < N * DIM; i++) /* fmax: GCC 12 for aarch64 breaks on it */
        if (fabs((double)de[i]) > largest) largest = fabs((double)de[i]);
    CHECK(largest > 1e-3);
    for (size_t i = 0; i < N * DIM; i++) {
        const double old = x[i], h = 1e-7;
        x[i] = old + h;
        double up = oracle(&c, x);
        x[i] = old - h;
        double down = oracle(&c, x);
        x[i] = old;
        CHECK_NEAR(de[i], (up - down) / (2 * h), 2e-6 * (1 + largest));
    }
    mni_free(x);
}

static void triplet_gradients(void)
{
    for (int miner = MNI_MINE_HARD; miner <= MNI_MINE_RANDOM; miner++)
        for (int soft = 0; soft < 2; soft++)
            for (uint64_t seed = 1; seed <= 4; seed++) {
                mni_loss_config c = mni_loss_default();
                c.miner = (mni_miner)miner; c.soft = soft; c.seed = seed; c.step = seed;
                check_loss(c, seed);
            }
}

static void pair_loss_gradients(void)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        mni_loss_config c = mni_loss_default();
        c.kind = MNI_LOSS_CONTRASTIVE; c.margin = 0.9f;
        check_loss(c, seed);
        c.kind = MNI_LOSS_SUPCON; c.temperature = 0.3f;
        check_loss(c, seed);
        c.kind = MNI_LOSS_NPAIR;
        check_loss(c, seed);
    }
}

/* Points on a circle, so that every number is known: anchor at 0, positive at 90,
 * negative at 60 degrees. */
static void triplet_by_hand(void)
{
    const float e[6] = { 1, 0, 0, 1, 0.5f, 0.8660254f };
    const uint32_t l[3] = { 7, 7, 8 };
    mni_loss_config c = mni_loss_default();
    mni_loss_result r;
    c.miner = MNI_MINE_HARD;
    CHECK_OK(mni_loss_compute(&c, e, l, 3, 2, &r, NULL, NULL));
    /* anchors 0 and 1: dp = sqrt 2, dn = 1 and 2 sin 15; anchor 2 has no positive */
    const double want = (2 * sqrt(2) - 1 - 2 * sin(15 * 3.14159265358979 / 180)) / 2 +
                        0.2;
    CHECK_NEAR(r.loss, want, 1e-6);
    CHECK_EQ(r.n_terms, 2);
    CHECK_NEAR(r.active, 1, 0);
    CHECK_NEAR(r.mean_positive, sqrt(2), 1e-6);
}

static void odd_batches(void)
{
    float e[4] = { 1, 0, 1, 0 }, de[4];
    const uint32_t one_class[2] = { 1, 1 }, two[2] = { 1, 2 };
    mni_loss_result r;
    for (int kind = MNI_LOSS_TRIPLET; kind <= MNI_LOSS_NPAIR; kind++) {
        mni_loss_config c = mni_loss_default();
        c.kind = (mni_loss_kind)kind;
        CHECK_OK(mni_loss_compute(&c, e, one_class, 2, 2, &r, de, NULL));
        for (int i = 0; i < 4; i++) CHECK(isfinite(de[i]));
        CHECK_OK(mni_loss_compute(&c, e, two, 2, 2, &r, de,
                                  NULL)); /* a collapsed pair: no direction */
        for (int i = 0; i < 4; i++) CHECK(de[i] == 0);
        CHECK_OK(mni_loss_compute(&c, e, two, 0, 2, &r, de, NULL));
        CHECK_EQ(r.n_terms, 0);
        e[0] = NAN;
        CHECK_OK(mni_loss_compute(&c, e, two, 2, 2, &r, de, NULL));
        CHECK(isnan(r.loss));
        e[0] = 1;
    }
}

/* All points on one spot: batch-hard sees loss = margin, and no way out. */
static void collapse_is_visible(void)
{
    float e[8 * 3], de[8 * 3];
    const uint32_t l[8] = { 0, 0, 1, 1, 2, 2, 3, 3 };
    mni_loss_config c = mni_loss_default();
    mni_loss_result r;
    c.miner = MNI_MINE_HARD;
    for (int i = 0; i < 8; i++)
        memcpy(e + 3 * i, (float[3]){ 0.6f, 0.8f, 0 }, 3 * sizeof *e);
    CHECK_OK(mni_loss_compute(&c, e, l, 8, 3, &r, de, NULL));
    CHECK_NEAR(r.loss, 0.2, 1e-3);
    CHECK(r.mean_positive < 1e-2 && r.mean_negative < 1e-2);
    CHECK(r.spread == 0 && r.dims == 0);
}

/* Four points at the ends of two axes: no mean, half of the variance on each axis. Then
 * the ends of one axis, and two points 60 degrees apart. */
static void spread_by_hand(void)
{
    const float cross[12] = { 1, 0, 0, -1, 0, 0, 0, 1, 0, 0, -1, 0 };
    const float near[6] = { 1, 0, 0, 0.5f, 0.8660254f, 0 };
    const uint32_t l[4] = { 0, 1, 2, 3 };
    mni_loss_config c = mni_loss_default();
    mni_loss_result r;
    CHECK_OK(mni_loss_compute(&c, cross, l, 4, 3, &r, NULL, NULL));
    CHECK_NEAR(r.spread, 1, 1e-7);
    CHECK_NEAR(r.dims, 2, 1e-7);
    CHECK_OK(mni_loss_compute(&c, cross, l, 2, 3, &r, NULL, NULL));
    CHECK_NEAR(r.spread, 1, 1e-7);
    CHECK_NEAR(r.dims, 1, 1e-7);
    CHECK_OK(mni_loss_compute(&c, near, l, 2, 3, &r, NULL, NULL));
    CHECK_NEAR(r.spread, 0.5, 1e-6); /* each half a side of the triangle from the mean */
    CHECK_NEAR(r.dims, 1.6, 1e-5);   /* variances 1/16 and 3/16 */
}

static mann_status loss_body(void *ctx)
{
    float e[N * DIM], de[N * DIM];
    mni_loss_result r;
    mni_loss_config c = mni_loss_default();
    (void)ctx;
    unit_rows(e, N, DIM, 1);
    return mni_loss_compute(&c, e, labels, N, DIM, &r, de, NULL);
}

static void loss_oom(void) { test_oom(loss_body, NULL, 0); }

/* --- SGD ---------------------------------------------------------------------------- */

static const mni_resnet_config tiny = { 8, 1, 0, 0, 1, { 3 }, { 1 }, 2 };

typedef struct roles { char role[4096]; } roles;
static void note_role(void *ctx, const mni_param *p)
{
    memset(((roles *)ctx)->role + p->at, (int)p->role, p->count);
}

static void sgd_is_the_formula(void)
{
    const size_t n = mni_resnet_n_params(&tiny);
    float *w = mni_alloc(n, sizeof *w), *v = mni_alloc(n, sizeof *v),
          *g = mni_alloc(n, sizeof *g);
    roles r;
    CHECK(n <= sizeof r.role);
    mni_resnet_each_param(&tiny, note_role, &r);
    for (int form = 0; form < 4; form++) {
        mni_sgd o = { 0.1f, 0.9f, 0.05f, form & 1 ? 0.5f : 0.0f, form >> 1 };
        oracle_fill(w, n, 1); oracle_fill(v, n, 2); oracle_fill(g, n, 3);
        double *w0 = oracle_doubles(w, n), *v0 = oracle_doubles(v, n), squares = 0;
        for (size_t i = 0; i < n; i++) squares += (double)g[i] * g[i];
        CHECK_NEAR(mni_sgd_step(&o, &tiny, w, g, v, NULL), sqrt(squares), 1e-4);
        const double scale = o.clip > 0 ? o.clip / sqrt(squares) : 1;
        for (size_t i = 0; i < n; i++) {
            const int decays = r.role[i] == MNI_CONV_WEIGHT ||
                               r.role[i] == MNI_LINEAR_WEIGHT;
            const double d = scale * g[i] + (decays ? o.weight_decay * w0[i] : 0);
            const double u = (double)o.momentum * v0[i] + d;
            CHECK_NEAR(v[i], u, 1e-6);
            CHECK_NEAR(w[i], w0[i] - o.rate * (o.nesterov ? d + o.momentum * u : u),
                       1e-6);
        }
        mni_free(w0); mni_free(v0);
    }
    g[3] = INFINITY;
    float *before = mni_memdup(w, n * sizeof *w);
    mni_sgd o = mni_sgd_default();
    CHECK(!isfinite(mni_sgd_step(&o, &tiny, w, g, v, NULL)));
    CHECK(memcmp(before, w, n * sizeof *w) == 0);
    mni_free(before); mni_free(w); mni_free(v); mni_free(g);
}

static void schedule(void)
{
    const mni_schedule s = { 0.4f, 10, 110, 0.1f };
    CHECK_NEAR(mni_schedule_rate(&s, 0), 0.04, 1e-7);
    CHECK_NEAR(mni_schedule_rate(&s, 9), 0.4, 1e-7);
    CHECK_NEAR(mni_schedule_rate(&s, 10), 0.4, 1e-7);
    CHECK_NEAR(mni_schedule_rate(&s, 60), 0.5 * (0.4 + 0.04), 1e-7);
    CHECK_NEAR(mni_schedule_rate(&s, 110), 0.04, 1e-7);
    CHECK_NEAR(mni_schedule_rate(&s, 100000), 0.04, 1e-7);
    const mni_schedule none = { 1.0f, 0, 0, 0.0f };
    CHECK_NEAR(mni_schedule_rate(&none, 0), 0, 1e-7);
}

const test_case nn_loss_tests[];
const test_case nn_loss_tests[] = {
    { "triplet_gradients", triplet_gradients, 0 },
    { "pair_loss_gradients", pair_loss_gradients, 0 },
    { "triplet_by_hand", triplet_by_hand, 0 },
    { "odd_batches", odd_batches, 0 },
    { "collapse_is_visible", collapse_is_visible, 0 },
    { "spread_by_hand", spread_by_hand, 0 },
    { "loss_oom", loss_oom, 0 },
    { "sgd_is_the_formula", sgd_is_the_formula, 0 },
    { "schedule", schedule, 0 },
    { 0 }
};
