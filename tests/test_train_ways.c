/* test_train_ways.c - the ways to train that are asked for by name: losses with proxies.
 * Each must give the same bytes on any number of threads, stopped and resumed or not.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "harness.h"
#include "train_world.h"

typedef void (*ask)(mann_train_config *c);

static void arcface(mann_train_config *c)
{
    c->loss = MANN_LOSS_ARCFACE;
    c->proxies = 10;
    c->rotations_as_classes = 1;
}

static void proxy_anchor(mann_train_config *c) { c->loss = MANN_LOSS_PROXY_ANCHOR; }

static void mean_of_weights(mann_train_config *c)
{
    c->loss = MANN_LOSS_SUPCON;
    c->ema = 0.9f;
    c->clip = 0.5f;
}

static void look_alikes(mann_train_config *c)
{
    c->hard_classes = 3;
    c->rotations_as_classes = 1;
    c->ema = 0.9f;
}

static void check_way(ask way)
{
    const uint64_t whole = train_world_whole(way, 0, 1);
    CHECK(train_world_whole(way, 0, 7) == whole);
    CHECK(train_world_whole(way, 10, 2) == whole);   /* in the second epoch, */
    CHECK(train_world_whole(way, 14, 2) == whole);   /* between two */
}

static void same_bytes_arcface(void) { check_way(arcface); }
static void same_bytes_proxy_anchor(void) { check_way(proxy_anchor); }

static void same_bytes_look_alikes(void) { check_way(look_alikes); }
static void same_bytes_ema_clip(void) { check_way(mean_of_weights); }

/* By hand: after start the mean is the network; then it follows, first quickly. */
static void ema_is_the_formula(void)
{
    const mni_resnet_config c = { 16, 3, 0, 0, 2, { 8, 16 }, { 1, 1 }, 16 };
    mni_network *net;
    mni_ema a;
    CHECK_OK(mni_network_new(&net, &c, 4, NULL, NULL));
    mni_network_init(net, 1);
    CHECK_OK(mni_ema_init(&a, net, NULL));
    CHECK_EQ(mni_ema_bytes(&c), (a.n_params + a.n_stats) * sizeof(float));
    mni_ema_start(&a, net);
    float *w = mni_network_params(net), *s = mni_network_stats(net);
    CHECK(memcmp(a.params, w, a.n_params * sizeof *w) == 0);
    CHECK(memcmp(a.stats, s, a.n_stats * sizeof *s) == 0);
    double mean = w[5], mean_stat = s[3];
    for (uint64_t t = 0; t < 40; t++) {
        const double d = (1.0 + (double)t) / (10.0 + (double)t) < 0.8
                             ? (1.0 + (double)t) / (10.0 + (double)t) : 0.8;
        w[5] += 0.25f;
        s[3] -= 0.125f;
        mean = d * mean + (1 - d) * w[5];
        mean_stat = d * mean_stat + (1 - d) * s[3];
        mni_ema_step(&a, net, 0.8f, t, NULL);
        CHECK_NEAR(a.params[5], mean, 1e-5);
        CHECK_NEAR(a.stats[3], mean_stat, 1e-5);
    }
    CHECK(a.params[6] == w[6]);
    mni_ema_fini(&a);
    mni_network_free(net);
}

/* What is kept is the mean, not the last weights. */
static void ema_is_kept(void)
{
    mann_error e;
    train_world w;
    mann_train_report r;
    mni_reader *reader;
    mni_section mean;
    mni_model *best;
    train_world_new(&w, 20, 3);
    mean_of_weights(&w.c);
    w.c.epochs = 1;
    mni_model *m = train_world_model(1), *last;
    CHECK_FINE(train_world_run(&w, m, 1, &r, &e), e);
    const size_t n = mni_resnet_n_params(mni_model_resnet(m));
    CHECK_OK(mni_reader_open(&reader, w.v, "ck/ckpt_epoch1.mann", 0, NULL));
    CHECK_OK(mni_reader_need(reader, "EMAW", MNI_F32, n, &mean, NULL));
    CHECK_OK(mni_model_open(&best, w.v, "ck/best_model.mann", NULL));
    CHECK(memcmp(mni_model_params(best), mean.data, n * sizeof(float)) == 0);
    CHECK(memcmp(mni_model_params(m), mean.data, n * sizeof(float)) == 0);
    CHECK_OK(mni_model_read(&last, reader, NULL));
    CHECK(memcmp(mni_model_params(last), mean.data, n * sizeof(float)) != 0);
    mni_model_free(last);
    mni_model_free(best);
    mni_model_free(m);
    mni_reader_free(reader);
    train_world_free(&w);
}

/* The proxies do decide: another rate, other weights; and a model carries none. */
static void proxies_matter(void)
{
    mann_error e;
    train_world w;
    mann_train_report r;
    size_t n;
    uint64_t first = 0;
    for (int i = 0; i < 2; i++) {
        train_world_new(&w, 20, 3);
        arcface(&w.c);
        w.c.proxy_rate = i ? 0.01f : 0.5f;
        mni_model *m = train_world_model(1);
        CHECK_FINE(train_world_run(&w, m, 1, &r, &e), e);
        if (i == 0) first = mni_model_fingerprint(m);
        else CHECK(mni_model_fingerprint(m) != first);
        mni_model_free(m);
        mni_reader *reader;
        mni_section s;
        CHECK_OK(mni_reader_open(&reader, w.v, "ck/ckpt_epoch3.mann", 0, NULL));
        /* 20 classes less 8 held out, four turns of each, 16 numbers */
        CHECK_OK(mni_reader_need(reader, "PRXW", MNI_F32, 12 * 4 * 16, &s, NULL));
        mni_reader_free(reader);
        CHECK_OK(mni_reader_open(&reader, w.v, "ck/best_model.mann", 0, NULL));
        CHECK(mni_reader_need(reader, "PRXW", MNI_F32, 12 * 4 * 16, &s, NULL) != MANN_OK);
        mni_reader_free(reader);
        uint8_t *log = train_world_file(&w, "ck/log.jsonl", &n);
        CHECK(n > 0);
        mni_free(log);
        train_world_free(&w);
    }
}

/* 12 of 20 classes teach: with their quarter turns, and with mirror images of all. */
static void mirrors_are_classes(void)
{
    for (uint32_t way = 0; way <= 2; way++) {
        train_world w;
        mann_error e;
        mann_train_report r;
        train_world_new(&w, 20, 3);
        w.c.rotations_as_classes = way;
        mni_model *m = train_world_model(1);
        CHECK_FINE(train_world_run(&w, m, 1, &r, &e), e);
        CHECK_EQ(r.n_classes, way == 2 ? 96 : way == 1 ? 48 : 12);
        mni_model_free(m);
        train_world_free(&w);
    }
}

/* Counted before the first picture is decoded: too many classes for the memory allowed
 * are refused, a sample does not help (all rows are kept), and plan says the same. */
static void proxies_count(void)
{
    mann_error e;
    train_world w;
    mann_train_report r;
    mann_train_cost without, with;
    mni_model *m = train_world_model(1);
    train_world_new(&w, 20, 3);
    CHECK_OK(mni_train_cost(m, &w.c, 1, &without, NULL));
    CHECK_EQ(without.proxy_bytes, 0);
    w.c.loss = MANN_LOSS_SOFTMAX;
    w.c.n_classes = 20;
    CHECK_OK(mni_train_cost(m, &w.c, 1, &with, NULL));
    CHECK(with.proxy_bytes > 2 * 20 * 16 * sizeof(float));
    CHECK_EQ(with.fixed_bytes, without.fixed_bytes + with.proxy_bytes);
    w.c.mem_bytes = with.fixed_bytes - 1;
    w.c.n_classes = 0; /* training counts them itself */
    CHECK_IS(train_world_run(&w, m, 1, &r, &e), MANN_E_BUDGET);
    w.c.mem_bytes = with.fixed_bytes + 100000;
    CHECK_FINE(train_world_run(&w, m, 1, &r, &e), e);
    w.c.n_classes = 100000;
    w.c.mem_bytes = 0;
    CHECK_OK(mni_train_cost(m, &w.c, 1, &with, NULL));
    CHECK(with.proxy_bytes > 2 * (uint64_t)100000 * 16 * sizeof(float));
    mni_model_free(m);
    train_world_free(&w);
}

/* --- look-alikes -------------------------------------------------------------------- */

enum { PLAN_STEPS = 9, LABELS = 40 };

typedef struct plan_world {
    train_world w;
    mni_cache cache;
    mni_class_list list;
    mni_sampler sampler;
    mni_model *model;
} plan_world;

static void plan_world_new(plan_world *p)
{
    mni_recipe recipe;
    train_world_new(&p->w, LABELS, 3);
    mni_recipe_fill(&recipe, 16);
    CHECK_OK(mni_cache_init(&p->cache, p->w.set, &recipe, 1 << 20, NULL, NULL, NULL));
    CHECK_OK(mni_split(&p->cache, 0, 1, &p->list, NULL, NULL));
    p->sampler = (mni_sampler){ .list = &p->list, .seed = 3, .classes = 8, .images = 2,
                                .turns = 1 };
    p->model = train_world_model(1);
}

static void plan_world_free(plan_world *p)
{
    mni_model_free(p->model);
    mni_class_list_fini(&p->list);
    mni_cache_fini(&p->cache);
    train_world_free(&p->w);
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The epoch shows the same pictures, as often, in other company: on any number of
 * threads the same; and more classes meet the class that they are mistaken for. */
static void plans_are_permutations(void)
{
    static const uint32_t threads[] = { 1, 2, 7 };
    enum { N = PLAN_STEPS * 8 * 2 };
    static uint64_t before[N], after[N];
    plan_world p;
    mni_batch_plan plan[3];
    mni_lookalike_report r, lot;
    plan_world_new(&p);
    for (int t = 0; t < 3; t++) {
        mann_pool *pool = NULL;
        if (threads[t] > 1) CHECK_OK(mann_pool_new(&pool, threads[t], NULL));
        plan[t] = (mni_batch_plan){ 11, PLAN_STEPS, NULL };
        CHECK_OK(mni_lookalike_plan(&plan[t], &p.sampler, &p.cache, p.model, 4, 1, pool,
                                    &r, NULL));
        CHECK(memcmp(plan[0].places, plan[t].places,
                     PLAN_STEPS * 8 * sizeof *plan[t].places) == 0);
        mann_pool_free(pool);
    }
    CHECK_OK(mni_batch_plan_check(&plan[0], 8, "here", NULL));
    CHECK_EQ(r.n_labels, LABELS);
    CHECK_EQ(r.n_images, 2 * LABELS);
    CHECK(r.nearest > 0 && r.nearest <= 1);
    for (uint32_t i = 0, n = 0; i < PLAN_STEPS; i++)
        for (uint32_t slot = 0; slot < 16; slot++, n++) {
            const mni_pick a = mni_sampler_at(&p.sampler, 11 + i, slot),
                           b = mni_batch_plan_at(&plan[0], &p.sampler, 11 + i, slot);
            before[n] = a.image << 32 | a.label;
            after[n] = b.image << 32 | b.label;
        }
    qsort(before, N, sizeof *before, by_value);
    qsort(after, N, sizeof *after, by_value);
    CHECK(memcmp(before, after, sizeof before) == 0);
    const mni_pick a = mni_sampler_at(&p.sampler, 10, 3),
                   b = mni_batch_plan_at(&plan[0], &p.sampler, 10, 3);
    CHECK(a.image == b.image); /* before the epoch and after it: by lot */
    /* "Groups" of one are the sampler's own order, but for labels that wait. */
    mni_batch_plan alone = { 11, PLAN_STEPS, NULL };
    CHECK_OK(mni_lookalike_plan(&alone, &p.sampler, &p.cache, p.model, 1, 1, NULL, &lot,
                                NULL));
    CHECK(r.met > 0.3 && r.met > 2 * lot.met);
    mni_batch_plan_fini(&alone);
    for (int t = 0; t < 3; t++) mni_batch_plan_fini(&plan[t]);
    plan_world_free(&p);
}

/* In a batch no class comes twice as long as there are others. */
static void plans_keep_classes_apart(void)
{
    plan_world p;
    mni_batch_plan plan = { 0, PLAN_STEPS, NULL };
    mni_lookalike_report r;
    uint32_t n_twice = 0;
    plan_world_new(&p);
    CHECK_OK(mni_lookalike_plan(&plan, &p.sampler, &p.cache, p.model, 4, 1, NULL, &r,
                                NULL));
    for (uint32_t step = 0; step < PLAN_STEPS; step++)
        for (uint32_t i = 0; i < 8; i++)
            for (uint32_t j = 0; j < i; j++)
                n_twice += mni_batch_plan_at(&plan, &p.sampler, step, 2 * i).label ==
                           mni_batch_plan_at(&plan, &p.sampler, step, 2 * j).label;
    CHECK(n_twice <= 4); /* the last batch takes what is left */
    mni_batch_plan_fini(&plan);
    plan_world_free(&p);
}

/* The pictures of this world look nearly alike when they are turned: a class and its own
 * quarter turns are each other's nearest, and yet they meet by chance alone, in 9 batches
 * of 8 some 5 pairs. */
static void plans_leave_own_turns_apart(void)
{
    plan_world p;
    mni_batch_plan plan = { 0, PLAN_STEPS, NULL };
    mni_lookalike_report r;
    uint32_t n_own = 0;
    plan_world_new(&p);
    p.sampler.turns = 4;
    CHECK_OK(mni_lookalike_plan(&plan, &p.sampler, &p.cache, p.model, 4, 1, NULL, &r,
                                NULL));
    for (uint32_t step = 0; step < PLAN_STEPS; step++)
        for (uint32_t i = 0; i < 8; i++)
            for (uint32_t j = 0; j < i; j++) {
                const mni_pick a = mni_batch_plan_at(&plan, &p.sampler, step, 2 * i),
                               b = mni_batch_plan_at(&plan, &p.sampler, step, 2 * j);
                n_own += a.label % LABELS == b.label % LABELS;
            }
    CHECK(n_own <= 12);
    mni_batch_plan_fini(&plan);
    plan_world_free(&p);
}

static void plans_from_files(void)
{
    uint32_t places[6] = { 3, 1, 0, 2, 5, 4 };
    const mni_batch_plan p = { 0, 3, places };
    CHECK_OK(mni_batch_plan_check(&p, 2, "f", NULL));
    places[4] = 3;
    CHECK_IS(mni_batch_plan_check(&p, 2, "f", NULL), MANN_E_FORMAT);
    places[4] = 6;
    CHECK_IS(mni_batch_plan_check(&p, 2, "f", NULL), MANN_E_FORMAT);
}

static mann_status plan_body(void *ctx)
{
    plan_world *p = ctx;
    mni_batch_plan plan = { 0, PLAN_STEPS, NULL };
    mni_lookalike_report r;
    const mann_status s = mni_lookalike_plan(&plan, &p->sampler, &p->cache, p->model, 4,
                                             1, NULL, &r, NULL);
    if (s != MANN_OK) CHECK(plan.places == NULL);
    mni_batch_plan_fini(&plan);
    return s;
}

static void plan_oom(void)
{
    plan_world p;
    plan_world_new(&p);
    CHECK_OK(plan_body(&p)); /* the model keeps its arena from the first time on */
    test_oom(plan_body, &p, 0);
    plan_world_free(&p);
}

extern const test_case train_ways_tests[];
const test_case train_ways_tests[] = {
    { "same_bytes_arcface", same_bytes_arcface, 0 },
    { "same_bytes_proxy_anchor", same_bytes_proxy_anchor, 0 },
    { "same_bytes_look_alikes", same_bytes_look_alikes, 0 },
    { "plans_are_permutations", plans_are_permutations, 0 },
    { "plans_leave_own_turns_apart", plans_leave_own_turns_apart, 0 },
    { "plans_keep_classes_apart", plans_keep_classes_apart, 0 },
    { "plans_from_files", plans_from_files, 0 },
    { "plan_oom", plan_oom, 0 },
    { "same_bytes_ema_clip", same_bytes_ema_clip, 0 },
    { "ema_is_the_formula", ema_is_the_formula, 0 },
    { "ema_is_kept", ema_is_kept, 0 },
    { "proxies_matter", proxies_matter, 0 },
    { "mirrors_are_classes", mirrors_are_classes, 0 },
    { "proxies_count", proxies_count, 0 },
    { NULL, NULL, 0 }
};
