/* test_nn_proxies.c - losses with proxies: against a second implementation in double that
 * knows no shards, its slopes, samples, threads. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "harness.h"
#include "nn/proxies.h"
#include "nn_oracle.h"

enum { N = 10, DIM = 5, CLASSES = 150 };
enum { LARGE_BATCH = 65536 }; /* makes shards of 64 columns: three of these classes */

static const uint32_t labels[N] = { 3, 3, 3, 70, 70, 149, 149, 0, 64, 128 };

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

/* --- the oracle: proxies of any length, those with `in` ---------------------------- */

typedef struct oracle_set {
    const mni_loss_config *c;
    const double *e, *w;
    const uint8_t *in;
} oracle_set;

static double cosine(const oracle_set *o, size_t i, size_t k)
{
    double dot = 0, squares = 0;
    for (size_t j = 0; j < DIM; j++) {
        dot += o->e[i * DIM + j] * o->w[k * DIM + j];
        squares += o->w[k * DIM + j] * o->w[k * DIM + j];
    }
    return dot / sqrt(squares);
}

static double with_margin(const mni_loss_config *c, double s)
{
    if (c->kind == MNI_LOSS_COSFACE) return s - c->margin;
    if (c->kind == MNI_LOSS_SOFTMAX) return s;
    const double angle = acos(s);
    return angle + c->margin < acos(-1) ? cos(angle + c->margin)
                                        : s - c->margin * sin(c->margin);
}

static double softmax_oracle(const oracle_set *o)
{
    double loss = 0;
    for (size_t i = 0; i < N; i++) {
        const double own = with_margin(o->c, cosine(o, i, labels[i]));
        double sum = exp(own / o->c->temperature);
        for (size_t k = 0; k < CLASSES; k++)
            if (o->in[k] && k != labels[i])
                sum += exp(cosine(o, i, k) / o->c->temperature);
        loss += log(sum) - own / o->c->temperature;
    }
    return loss / N;
}

static double anchor_oracle(const oracle_set *o)
{
    double pulls = 0, pushes = 0, n_here = 0, n_all = 0;
    for (size_t k = 0; k < CLASSES; k++) {
        double pull = 0, push = 0;
        if (!o->in[k]) continue;
        for (size_t i = 0; i < N; i++) {
            const double s = cosine(o, i, k), m = o->c->margin, h = o->c->temperature;
            if (labels[i] == k) pull += exp(-(s - m) / h);
            else push += exp((s + m) / h);
        }
        n_here += pull > 0;
        n_all++;
        pulls += log(1 + pull);
        pushes += log(1 + push);
    }
    return pulls / n_here + pushes / n_all;
}

static double oracle(const oracle_set *o)
{
    return o->c->kind == MNI_LOSS_PROXY_ANCHOR ? anchor_oracle(o) : softmax_oracle(o);
}

/* --- value and slopes --------------------------------------------------------------- */

static mni_loss_config config_of(int kind)
{
    mni_loss_config c = mni_loss_default();
    c.kind = (mni_loss_kind)kind;
    c.margin = 0.3f;
    c.temperature = 0.25f;
    return c;
}

static mni_proxies *proxies_of(uint32_t sample, size_t max_batch, mni_pool *pool)
{
    mni_proxies *p;
    CHECK_OK(mni_proxies_new(&p, CLASSES, DIM, max_batch, sample, pool, NULL));
    mni_proxies_init(p, 7);
    return p;
}

/* Of each number of `x` the slope of the oracle, compared with `got`. */
static void check_slopes(const oracle_set *o, double *x, const float *got, size_t n,
                         const char *what)
{
    for (size_t i = 0; i < n; i++) {
        const double old = x[i], h = 1e-6;
        x[i] = old + h;
        const double up = oracle(o);
        x[i] = old - h;
        const double down = oracle(o);
        x[i] = old;
        const double slope = (up - down) / (2 * h);
        if (!(fabs(slope - (double)got[i]) <= 2e-6))
            test_fail(__FILE__, __LINE__, "loss %d, %s[%zu]: slope %.9g, learned %.9g",
                      (int)o->c->kind, what, i, slope, (double)got[i]);
    }
}

/* momentum 0 and a first step: the momentum block holds the gradient afterwards. */
static void check_kind(int kind, uint32_t sample, size_t max_batch)
{
    const mni_loss_config c = config_of(kind);
    const mni_proxy_step o = { 1e-9f, 0, 5, 11 };
    float e[N * DIM], de[N * DIM];
    uint8_t in[CLASSES];
    mni_loss_result r = { 0 };
    size_t n_in = 0;
    mni_proxies *p = proxies_of(sample, max_batch, NULL);
    unit_rows(e, N, DIM, (uint64_t)kind);
    double *x = oracle_doubles(e, N * DIM),
           *w = oracle_doubles(mni_proxies_rows(p), CLASSES * DIM);
    mni_proxies_learn(p, &c, &o, e, labels, N, &r, de);
    const float *dw = mni_proxies_momentum(p);
    for (size_t k = 0; k < CLASSES; k++) {
        in[k] = 0;
        for (size_t j = 0; j < DIM; j++) in[k] |= dw[k * DIM + j] != 0;
        n_in += in[k];
    }
    CHECK_EQ(n_in, sample ? sample : CLASSES);
    for (size_t i = 0; i < N; i++) CHECK(in[labels[i]]);
    const oracle_set set = { &c, x, w, in };
    CHECK_NEAR(r.loss, oracle(&set), 2e-6);
    CHECK_EQ(r.n_terms, N);
    check_slopes(&set, x, de, N * DIM, "de");
    check_slopes(&set, w, dw, CLASSES * DIM, "dw"); /* 0 for those that are out */
    mni_free(x);
    mni_free(w);
    mni_proxies_free(p);
}

static void slopes(void)
{
    for (int kind = MNI_LOSS_SOFTMAX; kind <= MNI_LOSS_PROXY_ANCHOR; kind++) {
        check_kind(kind, 0, N);             /* one shard */
        check_kind(kind, 0, LARGE_BATCH);   /* three shards */
        check_kind(kind, 20, N);
        check_kind(kind, 100, LARGE_BATCH); /* a sample in two shards */
    }
}

/* More classes in the batch than the sample has room for: all of them take part. */
static void small_sample(void)
{
    const mni_loss_config c = config_of(MNI_LOSS_SOFTMAX);
    const mni_proxy_step o = { 0.1f, 0.9f, 1, 1 };
    float e[N * DIM], de[N * DIM];
    mni_loss_result r = { 0 };
    mni_proxies *p = proxies_of(2, N, NULL);
    unit_rows(e, N, DIM, 1);
    mni_proxies_learn(p, &c, &o, e, labels, N, &r, de);
    size_t n_moved = 0;
    for (size_t k = 0; k < CLASSES; k++)
        n_moved += mni_proxies_momentum(p)[k * DIM] != 0;
    CHECK_EQ(n_moved, 6);
    mni_proxies_free(p);
}

/* Over many steps everybody's turn comes, and about equally often. */
static void samples_are_fair(void)
{
    const mni_loss_config c = config_of(MNI_LOSS_SOFTMAX);
    float e[N * DIM], de[N * DIM];
    uint32_t n_turns[CLASSES] = { 0 };
    mni_loss_result r = { 0 };
    mni_proxies *p = proxies_of(30, N, NULL);
    unit_rows(e, N, DIM, 1);
    for (uint64_t step = 0; step < 1000; step++) {
        const mni_proxy_step o = { 1e-9f, 0, 1, step };
        float *v = mni_proxies_momentum(p);
        memset(v, 0, CLASSES * DIM * sizeof *v);
        mni_proxies_learn(p, &c, &o, e, labels, N, &r, de);
        for (size_t k = 0; k < CLASSES; k++) n_turns[k] += v[k * DIM] != 0;
    }
    /* 6 are there always, 24 of the other 144 by lot: 167 turns, deviation 12. */
    for (size_t k = 0; k < CLASSES; k++) {
        size_t here = 0;
        for (size_t i = 0; i < N; i++) here |= labels[i] == k;
        if (here) CHECK_EQ(n_turns[k], 1000);
        else CHECK(n_turns[k] > 107 && n_turns[k] < 227);
    }
    mni_proxies_free(p);
}

/* --- what learning does ------------------------------------------------------------- */

/* Pictures that stand still: proxies walk to their own and away from others. */
static void proxies_find_their_class(void)
{
    for (int kind = MNI_LOSS_SOFTMAX; kind <= MNI_LOSS_PROXY_ANCHOR; kind++) {
        mni_loss_config c = config_of(kind);
        float e[N * DIM], de[N * DIM];
        mni_loss_result r = { 0 };
        double first = 0;
        c.margin = 0.1f;
        c.temperature = 0.1f;
        mni_proxies *p = proxies_of(0, LARGE_BATCH, NULL);
        unit_rows(e, N, DIM, 1);
        for (int i = 1; i < 3; i++) memcpy(e + i * DIM, e, DIM * sizeof *e);
        memcpy(e + 4 * DIM, e + 3 * DIM, DIM * sizeof *e);
        memcpy(e + 6 * DIM, e + 5 * DIM, DIM * sizeof *e);
        for (uint64_t step = 0; step < 200; step++) {
            const mni_proxy_step o = { 0.1f, 0.9f, 1, step };
            mni_proxies_learn(p, &c, &o, e, labels, N, &r, de);
            if (step == 0) first = r.loss;
        }
        CHECK(r.loss < 0.5 * first);
        CHECK(r.active == 0);
        for (size_t i = 0; i < N; i++) {
            const float *w = mni_proxies_rows(p) + labels[i] * DIM;
            double s = 0, length = 0;
            for (size_t j = 0; j < DIM; j++) {
                s += (double)w[j] * e[i * DIM + j];
                length += (double)w[j] * w[j];
            }
            CHECK_NEAR(length, 1, 1e-6);
            /* proxy-anchor stops where the others' pictures push as hard */
            if (kind != MNI_LOSS_PROXY_ANCHOR) CHECK(s > 0.8);
        }
        mni_proxies_free(p);
    }
}

static void same_bits(void)
{
    static const uint32_t threads[] = { 1, 2, 7 };
    enum { BATCH = 96, WIDE = 64 };
    static float e[BATCH * WIDE], de[3][BATCH * WIDE];
    uint32_t l[BATCH];
    unit_rows(e, BATCH, WIDE, 3);
    for (uint32_t i = 0; i < BATCH; i++) l[i] = i / 4 * 401;
    for (int kind = MNI_LOSS_SOFTMAX; kind <= MNI_LOSS_PROXY_ANCHOR; kind++) {
        const mni_loss_config c = config_of(kind);
        mni_proxies *p[3];
        double loss[3];
        for (int t = 0; t < 3; t++) {
            mann_pool *pool = NULL;
            mni_loss_result r = { 0 };
            if (threads[t] > 1) CHECK_OK(mann_pool_new(&pool, threads[t], NULL));
            CHECK_OK(mni_proxies_new(&p[t], 10000, WIDE, BATCH, 6000, pool, NULL));
            mni_proxies_init(p[t], 1);
            for (uint64_t step = 0; step < 2; step++) {
                const mni_proxy_step o = { 0.1f, 0.9f, 1, step };
                mni_proxies_learn(p[t], &c, &o, e, l, BATCH, &r, de[t]);
            }
            loss[t] = r.loss;
            mann_pool_free(pool);
        }
        const size_t n_bytes = mni_proxies_floats(p[0]) * sizeof(float);
        for (int t = 1; t < 3; t++) {
            CHECK(loss[t] == loss[0]);
            CHECK(memcmp(de[t], de[0], sizeof de[0]) == 0);
            CHECK(memcmp(mni_proxies_rows(p[t]), mni_proxies_rows(p[0]), n_bytes) == 0);
            CHECK(memcmp(mni_proxies_momentum(p[t]), mni_proxies_momentum(p[0]),
                         n_bytes) == 0);
        }
        for (int t = 0; t < 3; t++) mni_proxies_free(p[t]);
    }
}

/* 100,000 classes of 128 numbers: two matrices, and little beside them. */
static void memory(void)
{
    const size_t two = 2 * (size_t)100000 * 128 * sizeof(float);
    CHECK(mni_proxies_bytes(100000, 128, 96, 0) < two + ((size_t)16 << 20));
    CHECK(mni_proxies_bytes(100000, 128, 96, 0) > two);
    CHECK(mni_proxies_bytes(100000, 128, 1024, 10000) < two + ((size_t)16 << 20));
}

static mann_status new_body(void *ctx)
{
    mni_proxies *p;
    (void)ctx;
    const mann_status s = mni_proxies_new(&p, CLASSES, DIM, N, 30, NULL, NULL);
    if (s != MANN_OK) CHECK(p == NULL);
    mni_proxies_free(p);
    return s;
}

static void oom(void) { test_oom(new_body, NULL, 0); }

const test_case nn_proxies_tests[];
const test_case nn_proxies_tests[] = {
    { "slopes", slopes, 0 },
    { "small_sample", small_sample, 0 },
    { "samples_are_fair", samples_are_fair, 0 },
    { "proxies_find_their_class", proxies_find_their_class, 0 },
    { "same_bits", same_bits, 0 },
    { "memory", memory, 0 },
    { "oom", oom, 0 },
    { 0 }
};
