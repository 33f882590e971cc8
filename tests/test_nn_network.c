/* test_nn_network.c - whole networks: description and layout, gradients through all
 * layers, threads, folding, files. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "nn/infer.h"
#include "nn/network.h"
#include "nn_oracle.h"

/* Small, and yet with everything: both stems, both blocks, shortcuts with and without a
 * convolution, head. */
static const mni_resnet_config nets[] = {
    { 8, 2, 0, 0, 2, { 3, 4 }, { 2, 1 }, 5 },
    { 16, 1, 1, 1, 2, { 2, 2 }, { 1, 2 }, 0 },
    { 9, 3, 0, 1, 1, { 2 }, { 1 }, 3 },
    { 13, 1, 1, 0, 3, { 3, 3, 4 }, { 1, 1, 1 }, 4 },
};
enum { N_NETS = sizeof nets / sizeof *nets };

static size_t input_floats(const mni_resnet_config *c)
{
    return (size_t)c->input_channels * c->input_size * c->input_size;
}

static float *inputs(const mni_resnet_config *c, size_t n, uint64_t seed)
{
    float *x = mni_alloc(n * input_floats(c), sizeof *x);
    oracle_fill(x, n * input_floats(c), seed);
    return x;
}

/* --- description -------------------------------------------------------------------- */

typedef struct count { size_t next, n; char last[80]; } count;
static void count_param(void *ctx, const mni_param *p)
{
    count *c = ctx;
    CHECK_EQ(p->at, c->next);               /* no gaps, in order */
    c->next += p->count;
    c->n++;
    snprintf(c->last, sizeof c->last, "%s", p->name);
}

static void presets(void)
{
    /* Parameters of the torchvision models without their classifier, plus a 512-d head
     * with bias. */
    static const struct {
        const char *name;
        size_t n_params, n_arrays;
        uint32_t dim;
    } known[] = { { "mini", 1259296, 38, 128 },
                  { "resnet18", 11176512 + 512 * 512 + 512, 62, 512 },
                  { "resnet34", 21284672 + 512 * 512 + 512, 110, 512 },
                  { "resnet50", 23508032, 159, 2048 } };
    for (size_t i = 0; i < 4; i++) {
        mni_resnet_config c;
        count n = { 0, 0, "" };
        CHECK(mni_resnet_preset(&c, known[i].name));
        CHECK_OK(mni_resnet_check(&c, NULL));
        CHECK_EQ(mni_resnet_dim(&c), known[i].dim);
        mni_resnet_each_param(&c, count_param, &n);
        CHECK_EQ(n.next, mni_resnet_n_params(&c));
        if (known[i].n_params) CHECK_EQ(n.next, known[i].n_params);
        if (known[i].n_arrays) CHECK_EQ(n.n, known[i].n_arrays);
        CHECK_STR(n.last, i == 3 ? "layer4.2.bn3.bias" : "fc.bias");
        n = (count){ 0, 0, "" };
        mni_resnet_each_stat(&c, count_param, &n);
        CHECK_EQ(n.next, mni_resnet_n_stats(&c));
    }
    mni_resnet_config c;
    CHECK(!mni_resnet_preset(&c, "resnet19"));
}

static void bad_descriptions(void)
{
    mni_resnet_config good, c;
    mni_resnet_preset(&good, "mini");
    c = good; c.input_size = 7;         CHECK_IS(mni_resnet_check(&c, NULL), MANN_E_ARG);
    c = good; c.input_size = 1 << 20;   CHECK_IS(mni_resnet_check(&c, NULL), MANN_E_ARG);
    c = good; c.n_stages = 0;           CHECK_IS(mni_resnet_check(&c, NULL), MANN_E_ARG);
    c = good; c.n_stages = 7;           CHECK_IS(mni_resnet_check(&c, NULL), MANN_E_ARG);
    c = good; c.widths[2] = 0;          CHECK_IS(mni_resnet_check(&c, NULL), MANN_E_ARG);
    c = good; c.depths[0] = 65;         CHECK_IS(mni_resnet_check(&c, NULL), MANN_E_ARG);
    c = good; c.dim = 1 << 20;          CHECK_IS(mni_resnet_check(&c, NULL), MANN_E_ARG);
    c = good; c.bottleneck = 2;         CHECK_IS(mni_resnet_check(&c, NULL), MANN_E_ARG);
    mni_network *net;
    CHECK_IS(mni_network_new(&net, &good, 0, NULL, NULL), MANN_E_ARG);
    CHECK(net == NULL);
}

/* Buffers that live at the same time never share a float. */
static void plan_keeps_apart(void)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, 0);
    for (int round = 0; round < 200; round++) {
        enum { N = 30 };
        mni_buffer b[N];
        size_t order[N];
        for (size_t i = 0; i < N; i++) {
            size_t from = mni_rng_below(&r, 40);
            b[i] = (mni_buffer){ mni_rng_below(&r, 100), from,
                                 from + mni_rng_below(&r, 12), 0 };
        }
        const size_t total = mni_buffers_place(b, N, order);
        for (size_t i = 0; i < N; i++) {
            if (b[i].floats) CHECK(b[i].at + b[i].floats <= total && b[i].at % 16 == 0);
            for (size_t j = 0; j < i; j++)
                if (b[i].from <= b[j].until && b[j].from <= b[i].until && b[i].floats &&
                    b[j].floats)
                    CHECK(b[i].at + b[i].floats <= b[j].at ||
                          b[j].at + b[j].floats <= b[i].at);
        }
    }
    /* ... and memory is reused: folded, a deep network needs no more than a few of its
     * largest tensors. */
    mni_resnet_config c;
    mni_plan p;
    mni_resnet_preset(&c, "resnet34");
    CHECK_OK(mni_plan_init(&p, &c, 1, NULL));
    CHECK(p.arena_floats <= 64 * 112 * 112 + 3 * 64 * 56 * 56);
    mni_plan_fini(&p);
}

/* --- gradients through everything --------------------------------------------------- */

/* Weights of a layout, moved off their initial values so that no gradient is zero by
 * symmetry. */
static void shake(mni_network *net, uint64_t seed)
{
    const size_t n = mni_network_n_params(net);
    float *noise = mni_alloc(n, sizeof *noise), *w = mni_network_params(net);
    mni_network_init(net, seed);
    oracle_fill(noise, n, seed);
    for (size_t i = 0; i < n; i++) w[i] += 0.2f * noise[i];
    mni_free(noise);
}

typedef struct problem {
    const mni_resnet_config *c;
    size_t n;
    double *input, *params, *out;
    float *dy;
} problem;

static double loss_of(const problem *p)
{
    double loss = 0;
    oracle_network(p->c, p->n, p->input, p->params, p->out);
    for (size_t i = 0; i < p->n * mni_resnet_dim(p->c); i++) loss += p->out[i] * p->dy[i];
    return loss;
}

static double slope_of(problem *p, const double *direction, size_t n_params, double h)
{
    for (size_t i = 0; i < n_params; i++) p->params[i] += h * direction[i];
    const double up = loss_of(p);
    for (size_t i = 0; i < n_params; i++) p->params[i] -= 2 * h * direction[i];
    const double down = loss_of(p);
    for (size_t i = 0; i < n_params; i++) p->params[i] += h * direction[i];
    return (up - down) / (2 * h);
}

static void network_gradients_of(const mni_resnet_config *c, uint64_t seed)
{
    enum { N = 5 };
    mni_network *net;
    const size_t n_params = mni_resnet_n_params(c), n_out = N * mni_resnet_dim(c);
    CHECK_OK(mni_network_new(&net, c, N, NULL, NULL));
    shake(net, seed);
    float *x = inputs(c, N, seed + 1), *dy = mni_alloc(n_out, sizeof *dy),
          *g = mni_network_grads(net);
    oracle_fill(dy, n_out, seed + 2);
    const float *e = mni_network_forward(net, x, N, MNI_TRAIN);
    problem p = { c,
                  N,
                  oracle_doubles(x, N * input_floats(c)),
                  oracle_doubles(mni_network_params(net), n_params),
                  mni_alloc(n_out, sizeof(double)),
                  dy };
    loss_of(&p);
    for (size_t i = 0; i < n_out; i++) CHECK_NEAR(e[i], p.out[i], 2e-5);
    mni_network_zero_grads(net);
    mni_network_backward(net, dy);

    double norm = 0, *direction = mni_alloc(n_params, sizeof *direction);
    for (size_t i = 0; i < n_params; i++) norm += (double)g[i] * g[i];
    norm = sqrt(norm);
    for (size_t i = 0; i < n_params; i++) {                 /* per element */
        const double h = 1e-7, old = p.params[i];
        p.params[i] = old + h;
        const double up = loss_of(&p);
        p.params[i] = old - h;
        const double slope = (up - loss_of(&p)) / (2 * h);
        p.params[i] = old;
        if (!(fabs(slope - g[i]) <= 2e-4 * norm))
            test_fail(__FILE__, __LINE__, "param %zu: slope %.8g, backward gave %.8g", i,
                      slope, (double)g[i]);
    }
    for (uint64_t k = 0; k < 5; k++) { /* random directions, and along the gradient */
        float *noise = mni_alloc(n_params, sizeof *noise);
        double want = 0, length = 0;
        oracle_fill(noise, n_params, seed + 10 + k);
        for (size_t i = 0; i < n_params; i++) {
            direction[i] = k ? noise[i] : g[i] / norm;
            want += direction[i] * g[i];
            length += direction[i] * direction[i];
        }
        CHECK_NEAR(slope_of(&p, direction, n_params, 1e-7), want,
                   3e-4 * norm * sqrt(length));
        mni_free(noise);
    }
    mni_free(direction);
    mni_free(p.input);
    mni_free(p.params);
    mni_free(p.out);
    mni_free(x);
    mni_free(dy);
    mni_network_free(net);
}

static void network_gradients(void)
{
    for (size_t i = 0; i < N_NETS; i++) network_gradients_of(&nets[i], 100 + i);
}

static void gradients_add(void)
{
    enum { N = 3 };
    const mni_resnet_config *c = &nets[0];
    const size_t n_params = mni_resnet_n_params(c);
    mni_network *net;
    CHECK_OK(mni_network_new(&net, c, N, NULL, NULL));
    shake(net, 1);
    float *x = inputs(c, N, 2), dy[N * 5];
    oracle_fill(dy, N * 5, 3);
    mni_network_forward(net, x, N, MNI_TRAIN);
    mni_network_backward(net, dy);
    float *once = mni_memdup(mni_network_grads(net), n_params * sizeof *once);
    mni_network_forward(net, x, N, MNI_TRAIN);
    mni_network_backward(net, dy);
    for (size_t i = 0; i < n_params; i++)
        CHECK_NEAR(mni_network_grads(net)[i], 2 * once[i], 1e-5);
    mni_free(once); mni_free(x);
    mni_network_free(net);
}

/* --- the same for any number of threads --------------------------------------------- */

/* A few steps of a real training on noise; the four blocks end to end. */
static float *train_a_little(const mni_resnet_config *c, size_t n, uint32_t threads,
                             size_t *n_floats)
{
    mann_pool *pool;
    mni_network *net;
    CHECK_OK(mann_pool_new(&pool, threads, NULL));
    CHECK_OK(mni_network_new(&net, c, n, pool, NULL));
    mni_network_init(net, 5);
    const size_t dim = mni_network_dim(net), np = mni_network_n_params(net),
                 ns = mni_network_n_stats(net);
    float *de = mni_alloc(n * dim, sizeof *de),
          *all = mni_alloc(3 * np + ns, sizeof *all);
    uint32_t *labels = mni_alloc(n, sizeof *labels);
    for (size_t i = 0; i < n; i++) labels[i] = (uint32_t)(i / 3);
    for (uint64_t step = 0; step < 3; step++) {
        const size_t m = step == 2 ? n - n / 3 : n;         /* a short batch at the end */
        float *x = inputs(c, m, step);
        mni_loss_config loss = mni_loss_default();
        mni_loss_result r;
        mni_sgd sgd = mni_sgd_default();
        loss.miner = MNI_MINE_HARD;
        sgd.clip = 1;
        const float *e = mni_network_forward(net, x, m, MNI_TRAIN);
        CHECK_OK(mni_loss_compute(&loss, e, labels, m, dim, &r, de, NULL));
        mni_network_zero_grads(net);
        mni_network_backward(net, de);
        CHECK(isfinite(mni_network_step(net, &sgd)));
        mni_free(x);
    }
    memcpy(all, mni_network_params(net), np * sizeof *all);
    memcpy(all + np, mni_network_momentum(net), np * sizeof *all);
    memcpy(all + 2 * np, mni_network_grads(net), np * sizeof *all);
    memcpy(all + 3 * np, mni_network_stats(net), ns * sizeof *all);
    *n_floats = 3 * np + ns;
    mni_free(de); mni_free(labels);
    mni_network_free(net);
    mann_pool_free(pool);
    return all;
}

static void same_bits_for_any_threads(void)
{
    static const uint32_t threads[] = { 2, 7 };
    static const mni_resnet_config wide = { 16,          3, 0, 0, 3, { 20, 24, 40 },
                                            { 1, 1, 1 }, 32 };
    static const struct { const mni_resnet_config *c; size_t n; } cases[] = {
        { &nets[0], 21 }, { &nets[1], 9 }, { &wide, 33 } };
    for (size_t i = 0; i < 3; i++) {
        size_t n_floats;
        float *one = train_a_little(cases[i].c, cases[i].n, 1, &n_floats);
        for (size_t t = 0; t < 2; t++) {
            float *more = train_a_little(cases[i].c, cases[i].n, threads[t], &n_floats);
            CHECK(memcmp(one, more, n_floats * sizeof *one) == 0);
            mni_free(more);
        }
        mni_free(one);
    }
}

/* --- learning ----------------------------------------------------------------------- */

/* Eight classes of noisy patterns: after some steps the loss must be far down, by every
 * loss. */
static void it_learns(void)
{
    static const mni_resnet_config c = { 8, 1, 0, 0, 2, { 8, 16 }, { 1, 1 }, 8 };
    enum { N = 32 };
    for (int kind = MNI_LOSS_TRIPLET; kind <= MNI_LOSS_SUPCON; kind++) {
        mni_network *net;
        CHECK_OK(mni_network_new(&net, &c, N, NULL, NULL));
        mni_network_init(net, 1);
        mni_loss_config loss = mni_loss_default();
        mni_sgd sgd = mni_sgd_default();
        mni_loss_result r = { 0 };
        double first = 0;
        float *de = mni_alloc(N * 8, sizeof *de), pattern[8][64];
        uint32_t labels[N];
        loss.kind = (mni_loss_kind)kind;
        if (kind == MNI_LOSS_CONTRASTIVE) loss.margin = 1;
        sgd.rate = 0.05f;
        for (uint32_t i = 0; i < 8; i++) oracle_fill(pattern[i], 64, 500 + i);
        for (uint64_t step = 0; step < 60; step++) {
            float *x = inputs(&c, N, 1000 + step);
            for (size_t i = 0; i < N; i++) {
                labels[i] = (uint32_t)(i % 8);
                for (size_t p = 0; p < 64; p++)
                    x[i * 64 + p] = x[i * 64 + p] * 0.7f + pattern[i % 8][p] * 0.5f;
            }
            const float *e = mni_network_forward(net, x, N, MNI_TRAIN);
            CHECK_OK(mni_loss_compute(&loss, e, labels, N, 8, &r, de, NULL));
            if (step == 0) first = r.loss;
            mni_network_zero_grads(net);
            mni_network_backward(net, de);
            mni_network_step(net, &sgd);
            mni_free(x);
        }
        if (!(r.mean_positive < 0.65 * r.mean_negative))
            test_fail(__FILE__, __LINE__, "loss %d: %g -> %g, positives %g, negatives %g",
                      kind, first, r.loss, r.mean_positive, r.mean_negative);
        mni_free(de);
        mni_network_free(net);
    }
}

/* --- inference and files ------------------------------------------------------------ */

/* A model whose norms have seen something: weights shaken, statistics of a few
 * batches. */
static mni_model *trained_model(const mni_resnet_config *c, mni_network **keep)
{
    mni_network *net;
    mni_model *m;
    CHECK_OK(mni_network_new(&net, c, 8, NULL, NULL));
    shake(net, 3);
    for (uint64_t i = 0; i < 5; i++) {
        float *x = inputs(c, 8, 50 + i);
        mni_network_forward(net, x, 8, MNI_TRAIN);
        mni_free(x);
    }
    CHECK_OK(mni_model_new_resnet(&m, "test", c, 0, NULL));
    CHECK_OK(mni_network_export(net, m, NULL));
    if (keep) *keep = net;
    else mni_network_free(net);
    return m;
}

static void folded_equals_unfolded(void)
{
    for (size_t i = 0; i < N_NETS; i++) {
        mni_network *net;
        mni_model *m = trained_model(&nets[i], &net);
        const size_t n_out = 8 * mni_network_dim(net);
        float *x = inputs(&nets[i], 8, 77), *out = mni_alloc(n_out, sizeof *out);
        const float *e = mni_network_forward(net, x, 8, MNI_EVAL);
        CHECK_OK(mni_model_forward(m, x, 8, NULL, out, NULL));
        for (size_t k = 0; k < n_out; k++) CHECK_NEAR(out[k], e[k], 1e-5);
        mni_free(x); mni_free(out);
        mni_model_free(m);
        mni_network_free(net);
    }
}

static void same_bits_for_any_batch(void)
{
    enum { N = 64 };
    static const mni_resnet_config mini32 = {
        32, 3, 0, 0, 4, { 32, 64, 128, 256 }, { 1, 1, 1, 1 }, 128
    };
    mni_model *m = trained_model(&mini32, NULL);
    mann_pool *pool;
    const size_t floats = input_floats(&mini32);
    float *x = inputs(&mini32, N, 1), *all = mni_alloc(N * 128, sizeof *all),
          *some = mni_alloc(N * 128, sizeof *some);
    CHECK_OK(mni_model_forward(m, x, N, NULL, all, NULL));
    for (size_t i = 0; i < N; i += 7) {
        CHECK_OK(mni_model_forward(m, x + i * floats, 1, NULL, some, NULL));
        CHECK(memcmp(some, all + i * 128, 128 * sizeof *some) == 0);
    }
    for (uint32_t threads = 2; threads <= 7; threads += 5) {
        CHECK_OK(mann_pool_new(&pool, threads, NULL));
        CHECK_OK(mni_model_forward(m, x, N, pool, some, NULL));
        CHECK(memcmp(some, all, N * 128 * sizeof *some) == 0);
        CHECK_OK(mni_model_forward(m, x, 13, pool, some, NULL));
        CHECK(memcmp(some, all, 13 * 128 * sizeof *some) == 0);
        mann_pool_free(pool);
    }
    mni_free(x); mni_free(all); mni_free(some);
    mni_model_free(m);
}

static void files_of(mni_dtype dtype)
{
    mni_vfs_mem *mem;
    mni_model *m = trained_model(&nets[0], NULL), *back;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    float *x = inputs(&nets[0], 4, 1), a[20], b[20];
    CHECK_OK(mni_model_store_as(m, dtype, NULL));
    CHECK_OK(mni_model_attach(m, "PREP", "abc", 3, NULL));
    CHECK_OK(mni_model_save(m, v, "m.mann", NULL));
    CHECK_OK(mni_model_open(&back, v, "m.mann", NULL));
    CHECK_EQ(mni_model_fingerprint(m), mni_model_fingerprint(back));
    CHECK_STR(mni_model_shape_of(back).architecture, "test");
    CHECK_EQ(mni_model_shape_of(back).n_parameters, mni_resnet_n_params(&nets[0]));
    CHECK_OK(mni_model_forward(m, x, 4, NULL, a, NULL));
    CHECK_OK(mni_model_forward(back, x, 4, NULL, b, NULL));
    CHECK(memcmp(a, b, sizeof a) == 0);
    const uint64_t before = mni_model_fingerprint(m);
    float *w = mni_memdup(mni_model_params(m), mni_resnet_n_params(&nets[0]) * sizeof *w);
    w[3] += 1;
    CHECK_OK(mni_model_set_weights(m, w, mni_model_stats(m), NULL));
    CHECK(mni_model_fingerprint(m) != before);
    w[3] = 1e6f;
    CHECK_IS(mni_model_set_weights(m, w, mni_model_stats(m), NULL),
             dtype == MNI_F16 ? MANN_E_LIMIT : MANN_OK);
    w[3] = NAN;             /* what cannot be answered with must not be opened */
    if (dtype == MNI_F32) {
        CHECK_OK(mni_model_set_weights(m, w, mni_model_stats(m), NULL));
        CHECK_OK(mni_model_save(m, v, "nan.mann", NULL));
        mni_model_free(back);
        CHECK_IS(mni_model_open(&back, v, "nan.mann", NULL), MANN_E_FORMAT);
    }
    mni_free(w); mni_free(x);
    mni_model_free(m);
    mni_model_free(back);
    mni_vfs_mem_free(mem);
}

static void files(void)
{
    files_of(MNI_F32);
    files_of(MNI_F16);
}

/* Files whose description does not fit their weights. */
static void lying_files(void)
{
    mni_model *m = trained_model(&nets[0], NULL), *back;
    const size_t n = mni_resnet_n_params(&nets[0]), ns = mni_resnet_n_stats(&nets[0]);
    uint8_t arch[80] = { 5, 0, 0, 0, 8, 0, 0,   0,   2,   0,
                         0, 0, 0, 0, 0, 0, 't', 'e', 's', 't' };
    for (int lie = 0; lie < 8; lie++) {
        uint32_t rnet[18];
        mni_buf buf = { 0 };
        mni_writer *w;
        mni_reader *r;
        memcpy(rnet, &nets[0], sizeof rnet);
        if (lie == 1) rnet[0] = 0;                          /* no size */
        if (lie == 2) rnet[5] = 2048; /* more weights than there are */
        if (lie == 3) rnet[4] = 0xFFFFFFFF;
        if (lie == 6) rnet[17] = 4; /* another dimension than ARCH says */
        arch[0] = lie == 7 ? 6 : 5;
        CHECK_OK(
            mni_writer_new_buf(&w, &buf, MNI_FILE_MODEL, mni_uuid_from(1, 1), 0, NULL));
        mni_writer_section(w, "ARCH", MNI_BYTES, MNI_ALIGN_SECTION, arch, sizeof arch);
        if (lie != 5)
            mni_writer_section(w, "RNET", MNI_U32, MNI_ALIGN_SECTION, rnet, sizeof rnet);
        mni_writer_section(w, "WGHT", MNI_F32, MNI_ALIGN_SECTION, mni_model_params(m),
                           (n - (lie == 4)) * 4);
        mni_writer_section(w, "STAT", MNI_F32, MNI_ALIGN_SECTION, mni_model_stats(m),
                           ns * 4);
        mni_writer_section(w, "ATTA", MNI_BYTES, MNI_ALIGN_SECTION, "", 0);
        CHECK_OK(mni_writer_finish(w, NULL));
        CHECK_OK(mni_reader_open_bytes(&r, buf.bytes, buf.n_bytes, "lie", 0, NULL));
        CHECK_IS(mni_model_read(&back, r, NULL), lie ? MANN_E_FORMAT : MANN_OK);
        mni_model_free(back);
        mni_reader_free(r);
        mni_buf_fini(&buf);
    }
    mni_model_free(m);
}

static void models_by_name(void)
{
    mni_model *m;
    CHECK_OK(mni_model_new(&m, "mini@32", 0, 1, NULL));
    CHECK_STR(mni_model_shape_of(m).architecture, "mini");
    CHECK_EQ(mni_model_shape_of(m).input_size, 32);
    CHECK_EQ(mni_model_shape_of(m).dim, 128);
    mni_model_free(m);
    CHECK_OK(mni_model_new(&m, "mini", 64, 1, NULL));
    CHECK_EQ(mni_model_shape_of(m).dim, 64);
    mni_model_free(m);
    CHECK_IS(mni_model_new(&m, "mini@", 0, 1, NULL), MANN_E_ARG);
    CHECK_IS(mni_model_new(&m, "mini@7", 0, 1, NULL), MANN_E_ARG);
    CHECK_IS(mni_model_new(&m, "mini@4294967328", 0, 1, NULL), MANN_E_ARG);
    CHECK_IS(mni_model_new(&m, "vgg", 0, 1, NULL), MANN_E_UNSUPPORTED);
    CHECK_OK(mni_model_new(&m, "pixels", 0, 1, NULL));
    CHECK_IS(mni_model_set_weights(m, NULL, NULL, NULL), MANN_E_ARG);
    mni_model_free(m);
}

static mann_status network_body(void *ctx)
{
    mni_network *net = NULL;
    (void)ctx;
    mann_status s = mni_network_new(&net, &nets[0], 3, NULL, NULL);
    mni_network_free(net);
    return s;
}

static mann_status model_body(void *ctx)
{
    mni_model *m = NULL, *back = NULL;
    mni_writer *w = NULL;
    mni_reader *r = NULL;
    mni_buf buf = { 0 };
    float out[10];
    mann_status s = mni_model_new_resnet(&m, "x", &nets[0], 1, NULL);
    if (s == MANN_OK) s = mni_model_forward(m, ctx, 2, NULL, out, NULL);
    if (s == MANN_OK)
        s = mni_writer_new_buf(&w, &buf, MNI_FILE_MODEL, mni_uuid_from(1, 1), 0, NULL);
    if (s == MANN_OK) {
        mni_model_write(m, w);
        s = mni_writer_finish(w, NULL);
    }
    if (s == MANN_OK) s = mni_reader_open_bytes(&r, buf.bytes, buf.n_bytes, "x", 0, NULL);
    if (s == MANN_OK) s = mni_model_read(&back, r, NULL);
    mni_model_free(m);
    mni_model_free(back);
    mni_reader_free(r);
    mni_buf_fini(&buf);
    return s;
}

static void network_oom(void)
{
    float *x = inputs(&nets[0], 2, 1);
    test_oom(network_body, NULL, 0);
    test_oom(model_body, x, 0);
    mni_free(x);
}

const test_case nn_network_tests[];
const test_case nn_network_tests[] = {
    { "presets", presets, 0 },
    { "bad_descriptions", bad_descriptions, 0 },
    { "plan_keeps_apart", plan_keeps_apart, 0 },
    { "network_gradients", network_gradients, 0 },
    { "gradients_add", gradients_add, 0 },
    { "same_bits_for_any_threads", same_bits_for_any_threads, 0 },
    { "it_learns", it_learns, 0 },
    { "folded_equals_unfolded", folded_equals_unfolded, 0 },
    { "same_bits_for_any_batch", same_bits_for_any_batch, 0 },
    { "files", files, 0 },
    { "lying_files", lying_files, 0 },
    { "models_by_name", models_by_name, 0 },
    { "network_oom", network_oom, 0 },
    { 0 }
};
