/* test_selftest.c - models that know what they answered: golden vectors made, renewed,
 * compared, damaged. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/golden.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "harness.h"
#include "train/trainer.h"
#include "train_set.h"

typedef struct heard { int n; char first[200], last[200]; } heard;

static void note(void *user, mann_note_level level, const char *sentence)
{
    heard *h = user;
    (void)level;
    if (h->n++ == 0) snprintf(h->first, sizeof h->first, "%s", sentence);
    snprintf(h->last, sizeof h->last, "%s", sentence);
}

static mann_status asked(const mann_model *m, heard *h, mann_error *e)
{
    *h = (heard){ 0 };
    return mann_model_selftest(m, &(mann_hooks){ NULL, note, h }, e);
}

static uint32_t n_golden(const mann_model *m)
{
    mann_model_info info = { .struct_size = sizeof info };
    CHECK_OK(mann_model_describe(m, &info, NULL));
    return info.n_golden;
}

/* Owned. */
static uint8_t *golden_of(const mann_model *m, size_t *n)
{
    const void *bytes = mni_model_attached(m, MNI_GOLDEN_TAG, n);
    CHECK(bytes != NULL);
    uint8_t *copy = mni_memdup(bytes, *n);
    CHECK(copy != NULL);
    return copy;
}

/* A very short training of "micro" on toys. */
static mann_model *trained(uint32_t threads, uint32_t freeze)
{
    mni_vfs_mem *mem;
    mni_dataset *set;
    mann_pool *pool = NULL;
    mann_model *m;
    mann_error e = { MANN_OK, "" };
    mann_train_config c = mni_train_defaults();
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    train_set_draw(mni_vfs_mem_vfs(mem), "set", 1, 12, 3);
    CHECK_OK(mni_dataset_open(&set, mni_vfs_mem_vfs(mem), "set", NULL, NULL));
    if (threads > 1) CHECK_OK(mann_pool_new(&pool, threads, NULL));
    c.epochs = 1;
    c.steps_per_epoch = 3;
    c.classes_per_batch = 4;
    c.images_per_class = 2;
    c.head_copies = 1;
    c.freeze = freeze;
    c.checkpoint_dir = freeze ? NULL : test_dir();
    c.resume = freeze ? 0 : MANN_TRAIN_AFRESH;
    CHECK_OK(mann_model_new(&m, "micro@16", 0, 1, NULL));
    CHECK_FINE(mann_train(m, set, &c, pool, NULL, NULL, &e), e);
    mann_pool_free(pool);
    mni_dataset_free(set);
    mni_vfs_mem_free(mem);
    return m;
}

/* --- made, renewed ------------------------------------------------------------------ */

static uint64_t hash_saved(const mann_model *m)
{
    uint8_t *bytes;
    size_t n;
    char path[600];
    mann_model *back;
    heard h;
    mann_error e = { MANN_OK, "" };
    snprintf(path, sizeof path, "%s/m.mann", test_dir());
    CHECK_OK(mann_model_save(m, path, NULL));
    CHECK_OK(mann_model_open(&back, path, NULL));
    CHECK_EQ(n_golden(back), 4);
    CHECK_FINE(asked(back, &h, &e), e);
    mann_model_free(back);
    CHECK_OK(mni_read_file(mni_vfs_posix(), path, 1 << 24, &bytes, &n, NULL));
    const uint64_t hash = mni_hash_bytes(bytes, n, 0);
    mni_free(bytes);
    return hash;
}

static void training_makes_them(void)
{
    static const uint32_t threads[] = { 1, 3 };
    for (uint32_t freeze = 0; freeze <= MANN_FREEZE_BODY; freeze++) {
        uint64_t hash[2];
        for (int i = 0; i < 2; i++) {
            heard h;
            mann_error e = { MANN_OK, "" };
            mann_model *m = trained(threads[i], freeze);
            const uint64_t print = mni_model_fingerprint(m);
            CHECK_FINE(asked(m, &h, &e), e);
            CHECK_EQ(h.n, 1);
            CHECK(strstr(h.last, "4 golden pictures in f32: cosine ") == h.last);
            hash[i] = hash_saved(m);
            CHECK_OK(mni_model_attach(m, MNI_GOLDEN_TAG, NULL, 0, NULL));
            CHECK(mni_model_fingerprint(m) == print);   /* they are no part of it */
            CHECK_EQ(n_golden(m), 0);
            mann_model_free(m);
        }
        CHECK(hash[0] == hash[1]);
    }
}

static void rounding_renews_them(void)
{
    size_t n, n_new;
    heard h;
    mann_error e = { MANN_OK, "" };
    mann_model *m = trained(1, MANN_FREEZE_BODY);
    uint8_t *old = golden_of(m, &n);
    CHECK_OK(mann_model_store_as(m, MANN_STORE_F16, NULL));
    uint8_t *new = golden_of(m, &n_new);
    CHECK(n == n_new && memcmp(old, new, n) != 0);
    CHECK_FINE(asked(m, &h, &e), e);
    hash_saved(m);
    /* In another precision too they are what the network says in f32. */
    for (uint32_t p = MANN_PRECISION_BF16; p <= MANN_PRECISION_INT8; p++) {
        CHECK_OK(mann_model_set_precision(m, p, NULL));
        CHECK_FINE(asked(m, &h, &e), e);
        CHECK_EQ(h.n, 2);
        CHECK(strstr(h.first, " in f32: ") && strstr(h.last, p == MANN_PRECISION_BF16
                                                          ? " in bf16: " : " in int8: "));
        CHECK_OK(mann_model_store_as(m, MANN_STORE_F16, NULL));
        uint8_t *again = golden_of(m, &n_new);
        CHECK(n == n_new && memcmp(new, again, n) == 0);
        mni_free(again);
    }
    mni_free(old);
    mni_free(new);
    mann_model_free(m);
}

/* --- compared ----------------------------------------------------------------------- */

static void other_weights(void)
{
    size_t n;
    heard h;
    mann_error e = { MANN_OK, "" };
    mann_model *m = trained(1, MANN_FREEZE_BODY);
    const size_t n_params = (size_t)mni_model_shape_of(m).n_parameters;
    uint8_t *golden = golden_of(m, &n);
    float *w = mni_memdup(mni_model_params(m), n_params * sizeof *w);
    CHECK(w != NULL);
    w[n_params - 1] += 0.5f;                            /* the last bias */
    CHECK_OK(mni_model_set_weights(m, w, mni_model_stats(m), NULL));
    CHECK_IS(asked(m, &h, &e), MANN_E_MISMATCH);
    CHECK(h.n == 0);
    CHECK(strstr(e.text, "golden picture 1 of 4 (class 100, view 0): cosine "));
    CHECK(strstr(e.text, " in f32, wanted at least 0.9999"));
    w[n_params - 1] -= 0.5f;
    CHECK_OK(mni_model_set_weights(m, w, mni_model_stats(m), NULL));
    CHECK_FINE(asked(m, &h, &e), e);
    /* One wrong vector: the picture is named. */
    const size_t dim = mann_model_dim(m);
    uint8_t *v = golden + n - dim * 4;                  /* of the last */
    for (size_t i = 0; i < dim; i++) v[4 * i + 3] ^= 0x80;
    CHECK_OK(mni_model_attach(m, MNI_GOLDEN_TAG, golden, n, NULL));
    CHECK_IS(asked(m, &h, &e), MANN_E_MISMATCH);
    CHECK(strstr(e.text, "golden picture 4 of 4 (class 103, view 3): cosine -1.0000"));
    mni_free(w);
    mni_free(golden);
    mann_model_free(m);
}

/* f32 is right, and int8 is not: ranges that cut nearly everything off. */
static void other_precision(void)
{
    heard h;
    mann_error e = { MANN_OK, "" };
    mann_model *m = trained(1, MANN_FREEZE_BODY);
    float input[3 * 16 * 16];
    for (size_t i = 0; i < sizeof input / sizeof *input; i++) input[i] = 1e-3f;
    CHECK_OK(mni_model_measure(m, input, 1, NULL));
    CHECK_OK(mann_model_set_precision(m, MANN_PRECISION_INT8, NULL));
    CHECK_IS(asked(m, &h, &e), MANN_E_MISMATCH);
    CHECK(h.n == 1 && strstr(h.last, " in f32: "));
    CHECK(strstr(e.text, " in int8, wanted at least 0.98"));
    mann_model_free(m);
}

static void nothing_to_compare(void)
{
    static const char *const names[] = { "pixels", "micro@16" };
    heard h;
    mann_error e = { MANN_OK, "" };
    CHECK_IS(mann_model_selftest(NULL, NULL, &e), MANN_E_ARG);
    for (int i = 0; i < 2; i++) {
        mann_model *m;
        CHECK_OK(mann_model_new(&m, names[i], 0, 1, NULL));
        CHECK_FINE(asked(m, &h, &e), e);
        CHECK(h.n == 1 && strstr(h.last, "has no golden vectors"));
        CHECK_OK(mann_model_selftest(m, NULL, NULL));
        CHECK_EQ(n_golden(m), 0);
        mann_model_free(m);
    }
}

/* --- damaged ------------------------------------------------------------------------ */

static void attach_and_ask(mann_model *m, const uint8_t *golden, size_t n,
                           mann_status wanted)
{
    heard h;
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_model_attach(m, MNI_GOLDEN_TAG, golden, n, NULL));
    CHECK_IS(asked(m, &h, &e), wanted);
    if (wanted == MANN_OK) return;
    CHECK(strstr(e.text, "golden vectors: ") != NULL);
}

static void damaged(void)
{
    static const struct { size_t at; uint32_t value; mann_status wanted; } bad[] = {
        { 0, 2, MANN_E_VERSION },            { 0, 0, MANN_E_VERSION },
        { 4, 0, MANN_E_FORMAT },             { 4, 3, MANN_E_FORMAT },
        { 4, 65, MANN_E_FORMAT },            { 4, 0xFFFFFFFF, MANN_E_FORMAT },
        { 8, 0, MANN_E_FORMAT },             { 8, 63, MANN_E_FORMAT },
        { 8, 0xFFFFFFFF, MANN_E_FORMAT },    { 12, 7, MANN_E_FORMAT },
        { 12, 1025, MANN_E_FORMAT },         { 12, 0xFFFFFFFF, MANN_E_FORMAT },
        { 16, 256, MANN_E_FORMAT },          { 20, 0x7FC00000, MANN_E_FORMAT }, /* NaN */
        { 20, 0x3F800001, MANN_E_FORMAT },   { 20, 0xBF800000, MANN_E_FORMAT },
        { 96, 0x7FC00000, MANN_E_FORMAT },   { 96, 0x7F800000, MANN_E_FORMAT },
        { 96, 0x40000000, MANN_E_FORMAT },                     /* not of length 1 */
    };
    size_t n;
    mann_model *m = trained(1, MANN_FREEZE_BODY);
    uint8_t *golden = golden_of(m, &n);
    CHECK_EQ(n, 32 + 4 * (16 + 4 * mann_model_dim(m)));
    for (size_t i = 1; i < n; i++) attach_and_ask(m, golden, i, MANN_E_FORMAT);
    CHECK_EQ(n_golden(m), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t was[4];
        memcpy(was, golden + bad[i].at, 4);
        mni_put32(golden + bad[i].at, bad[i].value);
        attach_and_ask(m, golden, n, bad[i].wanted);
        memcpy(golden + bad[i].at, was, 4);
    }
    attach_and_ask(m, golden, n, MANN_OK);
    mni_free(golden);
    mann_model_free(m);
}

/* Whatever a byte says, the answer is one of these. */
static void any_byte(void)
{
    size_t n;
    mann_model *m = trained(1, MANN_FREEZE_BODY);
    uint8_t *golden = golden_of(m, &n);
    for (size_t i = 0; i < 96; i++) {
        heard h;
        mann_error e = { MANN_OK, "" };
        golden[i] ^= 0x11;
        CHECK_OK(mni_model_attach(m, MNI_GOLDEN_TAG, golden, n, NULL));
        const mann_status s = asked(m, &h, &e);
        CHECK(s == MANN_E_MISMATCH || s == MANN_E_FORMAT || s == MANN_E_VERSION);
        golden[i] ^= 0x11;
    }
    mni_free(golden);
    mann_model_free(m);
}

/* A preprocessing that does not make what the network takes: nothing is written past the
 * end of its input. */
static void recipe_of_another_network(void)
{
    static const uint32_t sizes[] = { 15, 17, 64, 1024 };
    uint8_t bytes[MNI_RECIPE_BYTES];
    mann_error e = { MANN_OK, "" };
    heard h;
    mann_image im;
    mann_synth_config c;
    float out[1024];
    mann_model *m = trained(1, MANN_FREEZE_BODY);
    mann_synth_config_fill(&c, sizeof c);
    CHECK_OK(mann_synth_draw(&im, &c, 1, 1, NULL));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        mni_recipe r;
        mni_recipe_fill(&r, sizes[i]);
        mni_recipe_encode(&r, bytes);
        CHECK_OK(mni_model_attach(m, MNI_RECIPE_TAG, bytes, sizeof bytes, NULL));
        CHECK_IS(asked(m, &h, &e), MANN_E_MISMATCH);
        CHECK(strstr(e.text, "the model's input is 3 x 16 x 16"));
        CHECK_IS(mann_model_embed(m, &im, 1, NULL, out, &e), MANN_E_MISMATCH);
        CHECK_IS(mann_model_set_precision(m, MANN_PRECISION_INT8, &e),
                 mni_model_measured(m) ? MANN_OK : MANN_E_MISMATCH);
    }
    CHECK_IS(mann_model_store_as(m, MANN_STORE_F16, &e), MANN_E_MISMATCH);
    CHECK_EQ(n_golden(m), 0);
    mann_image_clear(&im);
    mann_model_free(m);
}

/* --- out of memory ------------------------------------------------------------------ */

/* Rather none than those of other weights. */
static void out_of_memory(void)
{
    mann_model *m = trained(1, MANN_FREEZE_BODY);
    heard h;
    for (long n = 0;; n++) {
        mann_error e = { MANN_OK, "" };
        mni_mem_fail_after(n);
        const mann_status s = mann_model_store_as(m, MANN_STORE_F16, &e);
        mni_mem_fail_after(-1);
        CHECK_OK(asked(m, &h, NULL));
        CHECK_EQ(n_golden(m), s == MANN_OK ? 4 : 0);
        if (s == MANN_OK) break;
        CHECK_IS(s, MANN_E_NOMEM);
    }
    for (long n = 0;; n++) {
        mann_error e = { MANN_OK, "" };
        const long before = mni_mem_live();
        mni_mem_fail_after(n);
        const mann_status s = mann_model_selftest(m, NULL, &e);
        mni_mem_fail_after(-1);
        CHECK(s == MANN_OK || s == MANN_E_NOMEM);
        CHECK(s == MANN_OK || mni_mem_live() == before);
        if (s == MANN_OK) break;
    }
    mann_model_free(m);
}

static mann_status attach_once(void *ctx)
{
    mni_model *m;
    (void)ctx;
    MNI_TRY(mann_model_new(&m, "micro@16", 0, 1, NULL));
    const mann_status s = mni_golden_attach(m, NULL, NULL);
    CHECK((mni_golden_count(m) > 0) == (s == MANN_OK));
    mni_model_free(m);
    return s;
}

static void golden_without_memory(void) { test_oom(attach_once, NULL, 0); }

const test_case selftest_tests[];
const test_case selftest_tests[] = {
    { "training_makes_them", training_makes_them, 0 },
    { "rounding_renews_them", rounding_renews_them, 0 },
    { "other_weights", other_weights, 0 },
    { "other_precision", other_precision, 0 },
    { "nothing_to_compare", nothing_to_compare, 0 },
    { "damaged", damaged, 0 },
    { "any_byte", any_byte, 0 },
    { "recipe_of_another_network", recipe_of_another_network, 0 },
    { "out_of_memory", out_of_memory, 0 },
    { "golden_without_memory", golden_without_memory, 0 },
    { 0 }
};
